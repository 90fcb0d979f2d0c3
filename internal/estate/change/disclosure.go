package change

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
)

// Disclosure is fields of a record type that a system sees by a flow.
type Disclosure struct {
	System       string   `json:"system"` // id
	Name         string   `json:"name"`   // of the system
	Organisation string   `json:"organisation"`
	Record       string   `json:"record"`
	Fields       []string `json:"fields"` // JSON Pointers; / is the whole record
	Flow         string   `json:"flow"`
	Agreement    string   `json:"agreement"`
	Crosses      bool     `json:"crosses"` // into another organisation's responsibility
}

// disclosures are the fields that a system sees after and did not see before,
// and the other way round. Systems and record types go by the ids they have after.
func disclosures(before, after *register.Snapshot) (newly, withdrawn []Disclosure) {
	now := func(kind, id string) string { return after.Set.Present(kind, id) }
	return seen(after, before, now), seen(before, after, now)
}

// seen lists what systems see in a that they do not see in b.
func seen(a, b *register.Snapshot, now func(kind, id string) string) (out []Disclosure) {
	type pair struct{ system, record string }
	had := map[pair][]string{}
	for _, f := range b.Flows {
		p := pair{now("System", f.To), now("RecordType", f.Record)}
		had[p] = append(had[p], fields(b, f)...)
	}
	for _, f := range a.Flows {
		p := pair{now("System", f.To), now("RecordType", f.Record)}
		var more []string
		for _, field := range fields(a, f) {
			if !covered(had[p], field) {
				more = append(more, field)
			}
		}
		if len(more) == 0 {
			continue
		}
		slices.Sort(more)
		d := Disclosure{System: p.system, Record: p.record, Fields: slices.Compact(more), Flow: f.ID, Agreement: f.Agreement, Crosses: f.Crosses}
		if x, ok := a.System(f.To); ok {
			d.Name, d.Organisation = x.Name, a.OrganisationName(x.Spec.Organisation)
		}
		out = append(out, d)
	}
	slices.SortFunc(out, func(x, y Disclosure) int {
		return cmp.Or(cmp.Compare(x.System, y.System), cmp.Compare(x.Record, y.Record), cmp.Compare(x.Flow, y.Flow))
	})
	return out
}

// covered reports whether a pointer, or something above it, is among seen.
func covered(seen []string, field string) bool {
	for _, s := range seen {
		if s == "/" || s == field || strings.HasPrefix(field, s+"/") {
			return true
		}
	}
	return false
}

// fields are what a flow's agreement lets through: nothing once it has ended.
func fields(s *register.Snapshot, f register.Flow) (out []string) {
	o, ok := s.Set.Lookup("Agreement", f.Agreement)
	if !ok || !f.AgreementTo.IsZero() && f.AgreementTo.Before(s.Today) {
		return nil
	}
	spec, _ := o.Value()["spec"].(map[string]any)
	terms, _ := spec["records"].([]any)
	for _, t := range terms {
		term, _ := t.(map[string]any)
		record, _ := term["type"].(string)
		if s.Set.Present("RecordType", record) != s.Set.Present("RecordType", f.Record) || !holds(term["purposes"], f.Purpose) {
			continue
		}
		list, _ := term["fields"].([]any)
		for _, x := range list {
			if p, ok := x.(string); ok {
				out = append(out, p)
			}
		}
	}
	return out
}

func holds(list any, want string) bool {
	l, _ := list.([]any)
	return slices.ContainsFunc(l, func(x any) bool { return x == want })
}
