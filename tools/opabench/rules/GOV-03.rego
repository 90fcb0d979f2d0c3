package standards.GOV_03

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { true }

off if false

pass if { s.kind != "pilot" }
pass if { f.pilotAgeDays <= 365; f.pilotOverdue == false; f.touchesSensitive == false }

fail if { s.kind == "pilot"; f.pilotAgeDays > 365 }
fail if { s.kind == "pilot"; f.pilotOverdue }
fail if { s.kind == "pilot"; f.touchesSensitive }
