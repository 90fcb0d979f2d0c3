package standards.CUS_04

import rego.v1

f := input.facts

s := input.self.spec

result := "none" if off
else := "pass" if { on; pass }
else := "fail" if { on; fail }
else := "unknown"

on if { true }

off if false

pass if { s.classification.personal == false }
pass if { f.subjectAccessInterface }

fail if { s.classification.personal; f.subjectAccessInterface == false }
