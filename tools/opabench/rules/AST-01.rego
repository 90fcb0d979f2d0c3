package standards.AST_01

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
pass if { f.holderActive }

fail if { s.state == "in-use"; f.holderActive == false }
