package standards.SPD_01

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { true }

off if false

pass if { s.seats == 0 }
pass if { s.seats > 0; f.seatsActive90d / s.seats >= 0.7 }

fail if { s.seats > 0; f.seatsActive90d / s.seats < 0.7 }
