package standards.MOB_01

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { f.ours; f.inUse }

off if { f.ours == false }
off if { f.inUse == false }

pass if { "browser" in s.clients }
pass if { "app" in s.clients }

fail if { s.clients; not "browser" in s.clients; not "app" in s.clients }
