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
		{Name: "webhooks", Actions: []string{"hook.receive"}, Kinds: everybody, Max: reeve.Restricted,
			Doc: "A system may tell us by itself; it is known by what it signed with, or turned away."},
		{Name: "own-exchange", Actions: []string{"record.send", "record.read", "submission.read", "partner.*"}, Kinds: partners, Own: true, Max: reeve.Restricted,
			Doc: "A partner may send under its agreements, and follow what it sent."},
		{Name: "staff-home", Actions: []string{"staff.home", "estate.read", "asset.report", "request.create", "catalogue.settle", "flow.read"}, Kinds: staff, Max: reeve.Internal,
			Doc: "All staff see the estate and how the flows stand, ask for changes, answer for what is theirs, and report what is lost."},
		{Name: "staff-estate", Actions: []string{"estate.edit", "estate.import", "catalogue.check"}, Kinds: staff, Roles: []string{"architect", "integration", "admin"}, Max: reeve.Internal,
			Doc: "Architects and those who integrate change definitions and import lists."},
		{Name: "staff-flows", Actions: []string{"flow.edit"}, Kinds: staff, Roles: []string{"architect", "integration", "admin"}, Max: reeve.Internal,
			Doc: "Architects and those who integrate change flows and try them on their examples."},
		{Name: "staff-flow-examples", Actions: []string{"flow.examples"}, Kinds: staff, Roles: []string{"integration", "admin"}, Max: reeve.Confidential,
			Doc: "Those who integrate try flows on records that came in: masked, or for a reason that the journal keeps."},
		{Name: "staff-holders", Actions: []string{"asset.holders"}, Kinds: staff, Roles: []string{"architect", "admin"}, Max: reeve.Confidential,
			Doc: "Those who look after devices see who has them."},
		{Name: "staff-boards", Actions: []string{"board.decide"}, Kinds: staff, Roles: []string{"architect", "governance", "admin"}, Max: reeve.Internal,
			Doc: "Members of boards decide on requests, with reasons."},
		{Name: "feedback", Actions: []string{"catalogue.feedback"}, Kinds: everybody,
			Doc: "Everybody may say what is wrong with an entry of the service catalogue."},
		{Name: "staff-journal", Actions: []string{"journal.*"}, Kinds: staff, Roles: []string{"governance", "integration", "admin"}, Max: reeve.Internal,
			Doc: "Those who govern and those who integrate read the journal, which holds no personal data."},
		{Name: "staff-records", Actions: []string{"record.read", "record.trail", "held.*", "quarantine.*", "delivery.*", "feed.*", "submission.read"}, Kinds: staff, Roles: []string{"integration", "caseworker", "admin"}, Max: reeve.Confidential,
			Doc: "Those who integrate and caseworkers follow records, correct those that are held, and decide what became of unclear deliveries."},
		{Name: "steward-held", Actions: []string{"held.read", "held.correct", "held.approve", "restricted.open"}, Kinds: staff, Roles: []string{"steward"}, Max: reeve.Confidential,
			Doc: "Data stewards correct held records, and open one that has restricted fields, for a reason that the journal keeps."},
		{Name: "steward-restricted", Actions: []string{"held.read", "held.correct", "held.approve"}, Kinds: staff, Roles: []string{"steward"}, Max: reeve.Restricted, Sworn: true,
			Doc: "Data stewards see and correct the restricted fields of the one held record, or correction, that they opened in the last hour. A second one approves."},
	}, identity.Rules(), services.Rules())
}
