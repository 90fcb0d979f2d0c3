package standards.ARC_03

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

pass if { f.ownsGenericCapability == false }
pass if { input.self.metadata.id in f.platformIds }

fail if { f.ownsGenericCapability; f.platformIds; not input.self.metadata.id in f.platformIds }
