package standards.CUS_03

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { not s.withdrawn }

off if { s.withdrawn }

pass if { s.channels.paper == false }
pass if { f.paperShare < 0.1 }

fail if { s.channels.paper; f.paperShare >= 0.1 }
