package standards.GOV_05

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { not s.withdrawn }

off if { s.withdrawn }

pass if { s.audience != "staff" }
pass if { f.requestLinkOk; f.updatedAgeDays <= 183 }

fail if { s.audience == "staff"; f.requestLinkOk == false }
fail if { s.audience == "staff"; f.updatedAgeDays > 183 }
