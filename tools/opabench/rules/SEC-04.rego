package standards.SEC_04

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

pass if { "oidc" in s.auth.methods }
pass if { "saml" in s.auth.methods }

fail if { s.auth.methods; not "oidc" in s.auth.methods; not "saml" in s.auth.methods }
