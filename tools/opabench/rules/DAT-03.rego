package standards.DAT_03

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { true }

off if false

pass if { s.retention; f.overdueDisposals == 0 }

fail if { not s.retention }
fail if { f.overdueDisposals != 0 }
