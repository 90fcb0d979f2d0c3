package app

import (
	"slices"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/identity"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/services"
)

// rules are all that anybody may do; what is not here is denied. Max is the class
// of data that a rule reaches; see policy.Required for the assurance it needs.
func rules() []policy.Rule {
	everybody := []reeve.ActorKind{reeve.Anyone, reeve.Partner, reeve.Staff, reeve.Resident, reeve.Program}
	partners, staff := []reeve.ActorKind{reeve.Partner}, []reeve.ActorKind{reeve.Staff}
	return slices.Concat([]policy.Rule{
		{Name: "public", Actions: []string{"public.*", "ops.health", "ops.metrics"}, Kinds: everybody,
			Doc: "Everybody may see the front page and whether the program is well."},
		{Name: "own-exchange", Actions: []string{"record.send", "record.read", "submission.read", "partner.*"}, Kinds: partners, Own: true, Max: reeve.Restricted,
			Doc: "A partner may send under its agreements, and follow what it sent."},
		{Name: "staff-home", Actions: []string{"staff.home", "estate.*", "flow.read"}, Kinds: staff, Max: reeve.Internal,
			Doc: "All staff see the map, the estate and how the flows stand."},
		{Name: "staff-journal", Actions: []string{"journal.*"}, Kinds: staff, Roles: []string{"governance", "integration", "admin"}, Max: reeve.Internal,
			Doc: "Those who govern and those who integrate read the journal, which holds no personal data."},
		{Name: "staff-records", Actions: []string{"record.read", "record.trail", "held.*", "quarantine.*", "delivery.*", "flow.*", "submission.read"}, Kinds: staff, Roles: []string{"integration", "caseworker", "admin"}, Max: reeve.Confidential,
			Doc: "Those who integrate and caseworkers follow records, correct those that are held, and decide what became of unclear deliveries."},
	}, identity.Rules(), services.Rules())
}
