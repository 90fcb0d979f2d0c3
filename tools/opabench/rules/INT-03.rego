package standards.INT_03

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

pass if { f.flowsTotal == 0 }
pass if { f.flowsTotal > 0; f.flowsViaExchange / f.flowsTotal >= 0.8 }

fail if { f.flowsTotal > 0; f.flowsViaExchange / f.flowsTotal < 0.8 }
