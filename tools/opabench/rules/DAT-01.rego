package standards.DAT_01

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

pass if { f.fullExtractAgeDays <= 90; f.extractRowRatio > 0.99 }

fail if { f.fullExtractAgeDays > 90 }
fail if { f.extractRowRatio <= 0.99 }
