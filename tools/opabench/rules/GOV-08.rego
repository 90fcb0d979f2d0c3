package standards.GOV_08

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { true }

off if false

pass if { s.expires >= input.today; f.renewals <= 1 }

fail if { s.expires < input.today }
fail if { f.renewals > 1 }
