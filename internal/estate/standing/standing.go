// Package standing shows how the estate stands against the standards that the
// body has chosen, and what the others of the library would say.
package standing

import (
	"context"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
)

const base = "/staff/estate/standards"

// perPage is how many findings a page shows.
const perPage = 25

// Library is how a snapshot would stand against the whole library today.
func Library(ctx context.Context, s *register.Snapshot) (*standard.Outcome, error) {
	p, err := standard.Library(s.Set)
	if err != nil {
		return nil, err
	}
	ts := slices.Clone(s.Tables)
	if i := slices.IndexFunc(ts, func(t *standard.Table) bool { return t.Kind == "Standard" }); i >= 0 && s.Outcome != nil {
		ts[i] = s.Outcome.Shares(s.Tables) // how much is not known of the standards in force
	}
	return p.Judge(ctx, ts, s.At)
}

// chosen is the standard in force that was chosen from the library by its code.
func chosen(s *register.Snapshot, code string) (*standard.Standing, bool) {
	std, ok := s.Pack.WithCode(code)
	if !ok {
		return nil, false
	}
	return s.Outcome.Standing(std.ID)
}

// choose is the change that puts a standard of the library in force: a copy of it,
// which the body may change.
func choose(std *standard.Standard) edit.Change {
	set := map[string]any{"metadata.labels": map[string]any{"code": std.Code()}}
	spec, _ := std.Value()["spec"].(map[string]any)
	for name, v := range spec {
		set["spec."+name] = v
	}
	return edit.Change{Kind: "Standard", ID: std.ID, Name: std.Name, New: true, Set: set}
}

// drop are the changes that take a standard out of force, with its waivers.
func drop(std *standard.Standard) []edit.Change {
	var out []edit.Change
	for _, w := range std.Waivers() {
		out = append(out, edit.Change{Kind: "Waiver", ID: w.ID, Remove: true})
	}
	return append(out, edit.Change{Kind: "Standard", ID: std.ID, Remove: true})
}

// things are what a standard is about, in words.
func things(kind string) string {
	if w, ok := map[string]string{
		"System": "Systems", "Component": "Parts of systems", "Interface": "Interfaces", "Flow": "Flows", "ObservedFlow": "What is sent without a declared flow", "Service": "Services", "RecordType": "Record types",
		"Asset": "Assets", "SupplierContract": "Supplier contracts", "LedgerLine": "Lines of the general ledger", "Organisation": "Organisations", "IntakeRequest": "Requests", "Board": "Governance boards", "Standard": "Standards", "Waiver": "Waivers",
	}[kind]; ok {
		return w
	}
	return kind
}

// theme is the part of the library that a code belongs to.
func theme(code string) string {
	prefix, _, _ := strings.Cut(code, "-")
	return map[string]string{"ARC": "Architecture", "INT": "Integration", "MOB": "Working anywhere", "CUS": "Residents", "SEC": "Security", "LIF": "Life cycle", "OWN": "Owners", "AST": "Assets", "SPD": "Spend and suppliers",
		"DAT": "Data", "CO2": "Carbon", "GOV": "Governing"}[prefix]
}
