package standards.OWN_01

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { f.ours; f.inUse }

off if { f.ours == false }
off if { f.inUse == false }

pass if { f.ownerActiveInDirectory; f.deputyActiveInDirectory }

fail if { f.ownerActiveInDirectory == false }
fail if { f.deputyActiveInDirectory == false }
