package standards.SPD_03

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { s.type == "supplier" }

off if { s.type != "supplier" }

pass if { f.spendShare < 0.25 }

fail if { f.spendShare >= 0.25 }
