package standards.CUS_02

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { not s.withdrawn }

off if { s.withdrawn }

pass if { f.researchAgeDays <= 730 }

fail if { f.researchAgeDays > 730 }
