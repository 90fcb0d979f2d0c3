package standards.INT_01

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { f.ours; s.lifecycle.phase == "live" }

off if { f.ours == false }
off if { s.lifecycle.phase != "live" }

pass if { f.documentedInterfaces >= 1 }

fail if { f.documentedInterfaces < 1 }
