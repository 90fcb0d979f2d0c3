package register

import (
	"github.com/reeve-civic/reeve/internal/estate/standard"
)

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
		}
		return v, v != ""
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
