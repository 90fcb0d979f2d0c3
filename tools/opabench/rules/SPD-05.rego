package standards.SPD_05

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { true }

off if false

pass if { s.exit; f.exitTestAgeDays <= 365 }

fail if { not s.exit }
fail if { f.exitTestAgeDays > 365 }
