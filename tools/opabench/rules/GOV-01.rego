package standards.GOV_01

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { s.gate; not s.decided }

off if { not s.gate }
off if { s.decided }

pass if { f.daysInGate <= f.gateTargetDays }

fail if { f.daysInGate > f.gateTargetDays }
