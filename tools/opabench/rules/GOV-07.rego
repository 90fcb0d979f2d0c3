package standards.GOV_07

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { s.applies.kind != "Standard" }

off if { s.applies.kind == "Standard" }

pass if { f.unknownShare <= 0.1 }

fail if { f.unknownShare > 0.1 }
