package app

import (
	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
)

// rules are all that anybody may do; what is not here is denied. The classes are
// those of the data shown; see policy.Required for the assurance they need.
func rules() []policy.Rule {
	everybody := []reeve.ActorKind{reeve.Anyone, reeve.Partner, reeve.Staff, reeve.Resident, reeve.Program}
	staff := []reeve.ActorKind{reeve.Staff}
	return []policy.Rule{
		{Name: "public", Actions: []string{"public.*", "ops.health", "ops.metrics", "optout.*", "session.*"}, Kinds: everybody, Max: reeve.Public,
			Doc: "Everybody may see the front pages, sign in, and use a link that was sent to them."},
		{Name: "callback", Actions: []string{"notify.callback"}, Kinds: everybody, Max: reeve.Public,
			Doc: "The message provider tells us what became of messages; its handler checks the provider's own token."},
		{Name: "own-exchange", Actions: []string{"record.send", "record.read", "submission.read", "partner.*"}, Kinds: []reeve.ActorKind{reeve.Partner}, Own: true, Max: reeve.Restricted,
			Doc: "A partner may send under its agreements and follow what it sent."},
	}
}
