package standards.DAT_05

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { true }

off if false

pass if { f.publishable == false }
pass if { f.publishedAgeDays <= 365 }

fail if { f.publishable; f.publishedAgeDays > 365 }
