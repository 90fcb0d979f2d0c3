package standards.DAT_02

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { true }

off if false

pass if { f.crossesOrganisation == false }
pass if { f.agreementActive }

fail if { f.crossesOrganisation; f.agreementActive == false }
