package standards.CUS_01

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { not s.withdrawn }

off if { s.withdrawn }

pass if { s.audience != "public" }
pass if { s.channels.online }

fail if { s.audience == "public"; not s.channels.online }
