package standards.INT_04

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { true }

off if false

pass if { not s.via }
pass if { s.via != "manual" }

fail if { s.via == "manual" }
