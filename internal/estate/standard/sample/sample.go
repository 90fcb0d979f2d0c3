// Package sample holds a case that each standard of the library is met by, one
// that does not meet it and one of which that is not known, and makes large
// estates of them: for tests and benchmarks.
package sample

import (
	"fmt"
	"maps"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/standard"
)

// M is a short way to write nested values: M("lifecycle.phase", "live").
func M(pairs ...any) map[string]any {
	out := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		at := out
		names := strings.Split(pairs[i].(string), ".")
		for _, n := range names[:len(names)-1] {
			next, ok := at[n].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[n] = next
			}
			at = next
		}
		at[names[len(names)-1]] = pairs[i+1]
	}
	return out
}

// List is a list of texts.
func List(xs ...string) []any {
	out := make([]any, len(xs))
	for i, x := range xs {
		out[i] = x
	}
	return out
}

// Case is three small things: the spec comes first, then the facts.
type Case struct{ Pass, Fail, Unknown [2]map[string]any }

// Cases are what each standard of the library must say of small things: one
// that meets it, one that does not, and one of which what it needs is not known.
var Cases = map[string]Case{
	"ARC-01": {two(nil, M("peersInCapability", 0)), two(nil, M("peersInCapability", 2, "capabilityPlural", false)), two(nil, M("peersInCapability", 2))},
	"ARC-02": {two(M("lifecycle.phase", "retiring", "lifecycle.end", "2027-01-01"), M("roadmapItems", 1)), two(M("lifecycle.phase", "retiring"), M("roadmapItems", 1)), two(M("lifecycle.phase", "retiring", "lifecycle.end", "2027-01-01"), nil)},
	"ARC-03": {two(nil, M("ownsGenericCapability", true, "platformIds", List("x"))), two(nil, M("ownsGenericCapability", true, "platformIds", List("y"))), two(nil, M("ownsGenericCapability", true))},
	"ARC-04": {two(M("hosting", "paas"), nil), two(M("hosting", "on-premise"), nil), two(nil, nil)},
	"ARC-05": {two(nil, M("reusedBySystems", 2)), two(nil, M("reusedBySystems", 1)), two(nil, nil)},
	"INT-01": {two(M("lifecycle.phase", "live"), M("documentedInterfaces", 1)), two(M("lifecycle.phase", "live"), M("documentedInterfaces", 0)), two(M("lifecycle.phase", "live"), nil)},
	"INT-02": {two(nil, nil), two(M("cost.supplierFee", true), nil), two(M("cost", map[string]any{}), nil)},
	"INT-03": {two(nil, M("flowsTotal", 5, "flowsViaExchange", 4)), two(nil, M("flowsTotal", 5, "flowsViaExchange", 3)), two(nil, M("flowsTotal", 5))},
	"INT-04": {two(M("via", "direct"), nil), two(M("via", "manual"), nil), two(nil, nil)},
	"INT-05": {two(nil, M("sinceLastMessageDays", 1.5, "expectedEveryDays", 1.0)), two(nil, M("sinceLastMessageDays", 2.5, "expectedEveryDays", 1.0)), two(nil, M("expectedEveryDays", 1.0))},
	"INT-06": {two(nil, M("declared", true)), two(nil, M("declared", false)), two(nil, nil)},
	"INT-07": {two(nil, M("sendsOwnSms", false, "sendsOwnEmail", false)), two(nil, M("sendsOwnSms", true)), two(nil, M("sendsOwnSms", false))},
	"MOB-01": {two(M("clients", List("browser")), nil), two(M("clients", List("desktop")), nil), two(nil, nil)},
	"MOB-02": {two(nil, M("offsiteSignInShare", 0.01)), two(nil, M("offsiteSignInShare", 0.0)), two(nil, nil)},
	"CUS-01": {two(M("audience", "public", "channels.online", "https://a.example"), nil), two(M("audience", "public", "channels.phone", true), nil), two(nil, nil)},
	"CUS-02": {two(nil, M("researchAgeDays", 730)), two(nil, M("researchAgeDays", 731)), two(nil, nil)},
	"CUS-03": {two(M("channels.paper", true), M("paperShare", 0.05)), two(M("channels.paper", true), M("paperShare", 0.1)), two(M("channels.paper", true), nil)},
	"CUS-04": {two(M("classification.personal", false), nil), two(M("classification.personal", true), M("subjectAccessInterface", false)), two(M("classification.personal", true), nil)},
	"SEC-01": {two(M("auth.identity", 2, "auth.authn", 2), M("requiredIdentity", 2, "requiredAuthn", 2)), two(M("auth.identity", 2, "auth.authn", 1), M("requiredIdentity", 2, "requiredAuthn", 2)), two(M("auth.identity", 2, "auth.authn", 2), M("requiredIdentity", 2))},
	"SEC-02": {two(M("auth.authn", 2), M("requiredAuthn", 1)), two(M("auth.authn", 3), M("requiredAuthn", 1)), two(nil, M("requiredAuthn", 1))},
	"SEC-03": {two(nil, M("classifiedFields", 4, "totalFields", 4)), two(nil, M("classifiedFields", 3, "totalFields", 4)), two(nil, M("classifiedFields", 3))},
	"SEC-04": {two(M("auth.methods", List("saml")), nil), two(M("auth.methods", List("password")), nil), two(M("auth.authn", 1), nil)},
	"SEC-05": {two(nil, M("kevOpenPastDue", 0)), two(nil, M("kevOpenPastDue", 1)), two(nil, nil)},
	"SEC-06": {two(nil, M("certificatesExpired", 0)), two(nil, M("certificatesExpired", 2)), two(nil, nil)},
	"SEC-07": {two(nil, M("restoreTestAgeDays", 365)), two(nil, M("restoreTestAgeDays", 366)), two(nil, nil)},
	"LIF-01": {two(nil, M("daysToEol", 181)), two(nil, M("daysToEol", 180)), two(nil, nil)},
	"LIF-02": {two(nil, M("earliestComponentEolBeforeEnd", false)), two(nil, M("earliestComponentEolBeforeEnd", true)), two(nil, nil)},
	"OWN-01": {two(nil, M("ownerActiveInDirectory", true, "deputyActiveInDirectory", true)), two(nil, M("ownerActiveInDirectory", false)), two(nil, M("ownerActiveInDirectory", true))},
	"OWN-02": {two(nil, M("attestedAgeDays", 183)), two(nil, M("attestedAgeDays", 184)), two(nil, nil)},
	"AST-01": {two(M("state", "stock"), nil), two(M("state", "in-use"), M("holderActive", false)), two(M("state", "in-use"), nil)},
	"AST-02": {two(M("state", "in-use"), M("lastSeenDays", 45)), two(M("state", "in-use"), M("lastSeenDays", 46)), two(M("state", "in-use"), nil)},
	"AST-03": {two(M("seats", 10), M("seatsAssigned", 10)), two(M("seats", 10), M("seatsAssigned", 11)), two(M("seats", 10), nil)},
	"SPD-01": {two(M("seats", 10), M("seatsActive90d", 7)), two(M("seats", 10), M("seatsActive90d", 6)), two(M("seats", 10), nil)},
	"SPD-02": {two(nil, M("matchedContract", true)), two(nil, M("matchedContract", false)), two(nil, nil)},
	"SPD-03": {two(M("type", "supplier"), M("spendShare", 0.24)), two(M("type", "supplier"), M("spendShare", 0.25)), two(M("type", "supplier"), nil)},
	"SPD-04": {two(nil, M("daysToEnd", 90, "daysToNotice", 1)), two(nil, M("daysToEnd", 90, "daysToNotice", 0, "decisionRecorded", false)), two(nil, M("daysToEnd", 90, "daysToNotice", -4))},
	"SPD-05": {two(M("exit.dataExport", "csv"), M("exitTestAgeDays", 365)), two(nil, M("exitTestAgeDays", 3)), two(M("exit.dataExport", "csv"), nil)},
	"DAT-01": {two(nil, M("fullExtractAgeDays", 90, "extractRowRatio", 0.999)), two(nil, M("fullExtractAgeDays", 91)), two(nil, M("fullExtractAgeDays", 90))},
	"DAT-02": {two(nil, M("crossesOrganisation", true, "agreementActive", true)), two(nil, M("crossesOrganisation", true, "agreementActive", false)), two(nil, M("agreementActive", false))},
	"DAT-03": {two(M("retention.rule", "8y"), M("overdueDisposals", 0)), two(nil, nil), two(M("retention.rule", "8y"), nil)},
	"DAT-04": {two(nil, M("mastersDeclared", 1)), two(nil, M("mastersDeclared", 0)), two(nil, nil)},
	"DAT-05": {two(nil, M("publishable", false)), two(nil, M("publishable", true, "publishedAgeDays", 366)), two(nil, M("publishable", true))},
	"CO2-01": {two(nil, M("carbonCoverage", 0.9)), two(nil, M("carbonCoverage", 0.89)), two(nil, nil)},
	"CO2-02": {two(nil, M("kgCo2ePerUser", 10.0, "kgCo2ePerUserLastYear", 10.0)), two(nil, M("kgCo2ePerUser", 11.0, "kgCo2ePerUserLastYear", 10.5)), two(nil, M("kgCo2ePerUser", 11.0))},
	"GOV-01": {two(M("gate.at", "design"), M("daysInGate", 10, "gateTargetDays", 10)), two(M("gate.at", "design"), M("daysInGate", 11, "gateTargetDays", 10)), two(M("gate.at", "design"), M("daysInGate", 11))},
	"GOV-02": {two(nil, M("minutesOnHighRiskShare", 0.6)), two(nil, M("minutesOnHighRiskShare", 0.5)), two(nil, nil)},
	"GOV-03": {two(M("kind", "pilot"), M("pilotAgeDays", 365, "pilotOverdue", false, "touchesSensitive", false)), two(M("kind", "pilot"), M("pilotAgeDays", 60, "pilotOverdue", true, "touchesSensitive", false)), two(M("kind", "pilot"), M("pilotAgeDays", 1, "touchesSensitive", false))},
	"GOV-04": {two(M("targetDays", 10), M("medianWaitDays", 10)), two(M("targetDays", 10), M("medianWaitDays", 11)), two(M("targetDays", 10), nil)},
	"GOV-05": {two(M("audience", "staff"), M("requestLinkOk", true, "updatedAgeDays", 183)), two(M("audience", "staff"), M("requestLinkOk", false)), two(M("audience", "staff"), M("requestLinkOk", true))},
	"GOV-06": {two(nil, M("customBuilt", false)), two(nil, M("customBuilt", true, "publicRepository", false)), two(nil, M("customBuilt", true))},
	"GOV-07": {two(M("applies.kind", "System"), M("unknownShare", 0.1)), two(M("applies.kind", "System"), M("unknownShare", 0.11)), two(M("applies.kind", "System"), nil)},
	"GOV-08": {two(M("expires", "2026-11-21"), M("renewals", 1)), two(M("expires", "2026-11-20"), M("renewals", 0)), two(M("expires", "2026-11-21"), nil)},
}

func two(spec, facts map[string]any) [2]map[string]any { return [2]map[string]any{spec, facts} }

// Subject makes what a standard is about out of a case; systems are ours and
// in use, so that the standards are about them.
func Subject(kind string, x [2]map[string]any) standard.Subject {
	s := standard.Subject{Kind: kind, ID: "x", Name: "X", Self: M("metadata.id", "x"), Facts: map[string]any{}}
	s.Self["spec"] = map[string]any{}
	if x[0] != nil {
		s.Self["spec"] = x[0]
	}
	maps.Copy(s.Facts, x[1])
	if kind == "System" {
		s.Facts["ours"], s.Facts["inUse"] = true, true
	}
	return s
}

// Volumes are how many of each kind a large estate has.
var Volumes = map[string]int{
	"System": 10_000, "Component": 10_000, "SupplierContract": 10_000, "Interface": 20_000, "Flow": 30_000, "ObservedFlow": 100, "Service": 1_000, "RecordType": 500,
	"Asset": 200_000, "LedgerLine": 50_000, "Organisation": 500, "IntakeRequest": 500, "Board": 10, "Standard": 52, "Waiver": 100,
}

// Estate is tables of things made of the examples of the library, turn by turn,
// with numbers that vary from one to the next, over times smaller than a large one.
func Estate(p *standard.Pack, over int) (ts standard.Tables) {
	for kind, n := range Volumes {
		n = max(1, n/over)
		var selves []map[string]any
		for i := range 37 {
			spec := map[string]any{}
			for _, std := range p.Standards {
				if std.Spec.Applies.Kind == kind {
					x := Cases[std.Code()]
					merge(spec, [3][2]map[string]any{x.Pass, x.Fail, x.Unknown}[(i+len(std.ID))%3][0])
				}
			}
			selves = append(selves, map[string]any{"metadata": M("id", "x"), "spec": spec})
		}
		ids, names := make([]string, n), make([]string, n)
		for i := range ids {
			ids[i], names[i] = fmt.Sprintf("%s-%06d", kind, i), "Name"
		}
		t := standard.NewTable(kind, ids, names, func(i int) map[string]any { return selves[i%len(selves)] })
		for _, std := range p.Standards {
			if std.Spec.Applies.Kind != kind {
				continue
			}
			x := Cases[std.Code()]
			for i := range n {
				for name, v := range [3][2]map[string]any{x.Pass, x.Fail, x.Unknown}[i%3][1] {
					if k, ok := v.(int); ok {
						v = int64(k + i%97) // as days vary
					}
					t.Set(i, name, v)
				}
				if kind == "System" {
					t.Set(i, "ours", true)
					t.Set(i, "inUse", i%11 > 0)
				}
			}
		}
		ts = append(ts, t)
	}
	return ts
}

func merge(into, from map[string]any) {
	for k, v := range from {
		a, okA := into[k].(map[string]any)
		b, okB := v.(map[string]any)
		if okA && okB {
			a = clone(a)
			merge(a, b)
			v = a
		}
		into[k] = v
	}
}

func clone(m map[string]any) map[string]any {
	out := map[string]any{}
	merge(out, m)
	return out
}
