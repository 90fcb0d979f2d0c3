package standards.ARC_02

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

pass if { s.lifecycle.phase != "retiring" }
pass if { s.lifecycle.end; f.roadmapItems > 0 }

fail if { s.lifecycle.phase == "retiring"; not s.lifecycle.end }
fail if { s.lifecycle.phase == "retiring"; f.roadmapItems <= 0 }
