package standards.AST_02

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { true }

off if false

pass if { s.state != "in-use" }
pass if { f.lastSeenDays <= 45 }

fail if { s.state == "in-use"; f.lastSeenDays > 45 }
