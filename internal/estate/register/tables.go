package register

import (
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// kinds are the kinds of definition that standards can be about, beside assets.
var kinds = []string{"System", "Component", "SupplierContract", "Organisation", "Service", "IntakeRequest", "Board", "Standard", "Waiver", "Interface", "Flow", "RecordType"}

// tables lays out every kind that standards can be about.
func (s *Snapshot) tables() (ts standard.Tables) {
	objects := map[string][]*def.Object{}
	for _, o := range s.Set.Objects() {
		objects[o.Kind] = append(objects[o.Kind], o)
	}
	for _, kind := range kinds {
		ts = append(ts, s.declared(kind, objects[kind]))
	}
	return append(ts, s.sent(), s.assetTable(), s.ledgerTable())
}

// declared is the table of a kind: what a room keeps, and what is declared.
func (s *Snapshot) declared(kind string, objects []*def.Object) *standard.Table {
	ids, names := make([]string, 0, len(objects)), make([]string, 0, len(objects))
	var entities []Entity
	has := map[string]bool{}
	for _, e := range s.Entities {
		if e.Kind == kind {
			has[e.ID] = true
			ids, names, entities = append(ids, e.ID), append(names, e.Name), append(entities, e)
		}
	}
	rest := objects
	if len(has) > 0 {
		rest = nil
		for _, o := range objects {
			if !has[o.ID] {
				rest = append(rest, o)
			}
		}
	}
	for _, o := range rest {
		ids, names = append(ids, o.ID), append(names, o.Name)
	}
	n := len(entities)
	t := standard.NewTable(kind, ids, names, func(i int) map[string]any {
		if i < n {
			return entities[i].Self
		}
		return rest[i-n].Value()
	})
	t.Field = func(path string, given bool) func(i int) (any, int) {
		field, names := s.Set.Field(kind, path), strings.Split(path, ".")
		return func(i int) (any, int) {
			switch {
			case i < n:
				return standard.Read(entities[i].Self, names)
			case given:
				return nil, field.Given(rest[i-n])
			}
			return field.Of(rest[i-n])
		}
	}
	t.Place = func(i int) (string, int) {
		if i < n {
			return "", 0
		}
		return rest[i-n].File, rest[i-n].Line
	}
	return t
}

// sent is what somebody sends although no declared flow carries it.
func (s *Snapshot) sent() *standard.Table {
	n := len(s.Undeclared)
	ids, names := make([]string, n), make([]string, n)
	for i, x := range s.Undeclared {
		ids[i], names[i] = x.Organisation+"/"+x.Record, s.OrganisationName(x.Organisation)+" sends "+x.Record
	}
	return standard.NewTable("ObservedFlow", ids, names, func(i int) map[string]any {
		return map[string]any{"metadata": map[string]any{"id": ids[i], "name": names[i]}, "spec": map[string]any{"organisation": s.Undeclared[i].Organisation, "record": s.Undeclared[i].Record}}
	})
}

// assetTable is the assets as rules see them.
func (s *Snapshot) assetTable() *standard.Table {
	ids, names := make([]string, len(s.Assets)), make([]string, len(s.Assets))
	for i, a := range s.Assets {
		ids[i], names[i] = a.ID, a.Name
	}
	t := standard.NewTable("Asset", ids, names, func(i int) map[string]any {
		a, spec := s.Assets[i], map[string]any{}
		for name, v := range map[string]string{"type": a.Type, "state": a.State, "holder": a.Holder, "site": a.Site, "serial": a.Serial} {
			if v != "" {
				spec[name] = v
			}
		}
		if a.Maker != "" || a.Model != "" {
			spec["model"] = map[string]any{"maker": a.Maker, "name": a.Model}
		}
		if !a.Warranty.IsZero() {
			spec["warranty"] = a.Warranty.String()
		}
		if !a.Bought.IsZero() {
			spec["bought"] = map[string]any{"date": a.Bought.String()}
		}
		return map[string]any{"kind": "Asset", "metadata": map[string]any{"id": a.ID, "name": a.Name}, "spec": spec}
	})
	t.At = func(i int, path string) (any, bool) {
		a, v := &s.Assets[i], ""
		switch path {
		case "spec.state":
			v = a.State
		case "spec.type":
			v = a.Type
		case "spec.holder":
			v = a.Holder
		case "spec.site":
			v = a.Site
		case "spec.serial":
			v = a.Serial
		case "metadata.id":
			v = a.ID
		case "metadata.name":
			v = a.Name
		default:
			names := strings.Split(path, ".")
			v, depth := standard.Read(t.Self(i), names)
			return v, depth == len(names)
		}
		return v, v != ""
	}
	t.Place = func(i int) (string, int) {
		if o, ok := s.Set.Lookup("Asset", ids[i]); ok {
			return o.File, o.Line
		}
		return "", 0
	}
	return t
}

// ledgerTable is the lines of the general ledger as rules see them.
func (s *Snapshot) ledgerTable() *standard.Table {
	lines := s.Inventory.Ledger
	ids, names := make([]string, len(lines)), make([]string, len(lines))
	for i, l := range lines {
		ids[i], names[i] = l.ID, l.Supplier
	}
	return standard.NewTable("LedgerLine", ids, names, func(i int) map[string]any {
		l := lines[i]
		spec := map[string]any{"supplier": l.Supplier, "amount": l.Amount, "on": l.On.String()}
		if l.Code != "" {
			spec["code"] = l.Code
		}
		if l.Type != "" {
			spec["type"] = l.Type
		}
		return map[string]any{"kind": "LedgerLine", "metadata": map[string]any{"id": l.ID, "name": l.Supplier}, "spec": spec}
	})
}
