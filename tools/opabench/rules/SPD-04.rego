package standards.SPD_04

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { true }

off if false

pass if { f.daysToEnd < 0 }
pass if { f.daysToNotice > 0 }
pass if { f.decisionRecorded }

fail if { f.daysToEnd >= 0; f.daysToNotice <= 0; f.decisionRecorded == false }
