package register

import (
	"cmp"
	"slices"

	"github.com/reeve-civic/reeve/internal/estate/asset"
	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/site"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// New brings the parts together and lays the tables out; the rooms then fill in
// their facts, and the standards are judged.
func New(p Parts) *Snapshot {
	s := &Snapshot{
		Model: p.Model, At: p.At, Today: def.DateOf(p.At), Past: p.Past, Inventory: p.Inventory, Declared: p.Declared, Entities: p.Entities,
		Components: def.All[component.Spec](p.Model.Set), Sites: def.All[site.Spec](p.Model.Set),
		interfacesOf: map[string][]int{}, flowsOf: map[string][]int{}, componentsOf: map[string][]int{},
	}
	if s.Inventory == nil {
		s.Inventory = new(inventory.Inventory)
	}
	s.Directory = inventory.NewDirectory(s.Inventory)
	s.Assets = assets(p.Model.Set, s.Inventory.Assets)
	if p.Observed != nil {
		for i, f := range s.Flows {
			if seen, ok := p.Observed.Flows[f.ID]; ok {
				s.Flows[i].Seen = &seen
			}
		}
		s.Undeclared, s.Held = p.Observed.Undeclared, p.Observed.Held
	}
	for i, x := range s.Interfaces {
		s.interfacesOf[x.System] = append(s.interfacesOf[x.System], i)
	}
	for i, f := range s.Flows {
		s.Flows[i].Crosses = s.responsible(f.From) != s.responsible(f.To)
		s.flowsOf[f.From] = append(s.flowsOf[f.From], i)
		if f.To != f.From {
			s.flowsOf[f.To] = append(s.flowsOf[f.To], i)
		}
	}
	for i, c := range s.Components {
		for _, id := range append([]string{c.Spec.System}, c.Spec.UsedBy...) {
			id = p.Model.Set.Present("System", id)
			s.componentsOf[id] = append(s.componentsOf[id], i)
		}
	}
	s.costs()
	s.Tables = s.tables()
	return s
}

// responsible is the organisation that answers for the data of a system: the
// nearest that decides for itself, "" if the system belongs to none.
func (s *Snapshot) responsible(system string) string {
	x, ok := s.System(system)
	if !ok {
		return ""
	}
	id := x.Spec.Organisation
	for range len(s.Organisations) {
		o, ok := s.organisation(id)
		if !ok || o.Spec.Controller || o.Spec.Parent == "" || o.Spec.Type == "partner" || o.Spec.Type == "supplier" {
			break
		}
		id = o.Spec.Parent
	}
	return s.Set.Present("Organisation", id)
}

// assets are the imported assets and the declared ones that no import knows.
func assets(set *def.Set, imported []inventory.Asset) []inventory.Asset {
	declared := def.All[asset.Spec](set)
	if len(declared) == 0 {
		return imported
	}
	out := slices.Clone(imported)
	for _, d := range declared {
		if _, ok := slices.BinarySearchFunc(imported, d.ID, func(a inventory.Asset, id string) int { return cmp.Compare(a.ID, id) }); ok {
			continue
		}
		a := inventory.Asset{ID: d.ID, Name: d.Name, Type: d.Spec.Type, Maker: d.Spec.Model.Maker, Model: d.Spec.Model.Name, CarbonRef: d.Spec.Model.CarbonRef,
			Serial: d.Spec.Serial, State: d.Spec.State, Holder: d.Spec.Holder, Site: d.Spec.Site, Contract: d.Spec.Bought.Contract, Systems: d.Spec.Systems, Cost: d.Spec.Bought.Cost * 100}
		if d.Spec.Bought.Date != nil {
			a.Bought = *d.Spec.Bought.Date
		}
		if d.Spec.Warranty != nil {
			a.Warranty = *d.Spec.Warranty
		}
		out = append(out, a)
	}
	slices.SortFunc(out, func(a, b inventory.Asset) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// InterfacesOf are the interfaces of a system.
func (s *Snapshot) InterfacesOf(system string) []Interface {
	return pick(s.Interfaces, s.interfacesOf[system])
}

// FlowsOf are the flows that a system takes part in.
func (s *Snapshot) FlowsOf(system string) []Flow { return pick(s.Flows, s.flowsOf[system]) }

// ComponentsOf are the components that a system is made of or uses.
func (s *Snapshot) ComponentsOf(system string) []Component {
	return pick(s.Components, s.componentsOf[system])
}

// Person finds somebody in the imported directory. known is false where no
// directory was imported, so that nothing can be said of anybody.
func (s *Snapshot) Person(id string) (p inventory.Person, found, known bool) {
	_, known = s.Inventory.Imports["person"]
	i, found := slices.BinarySearchFunc(s.Inventory.People, id, func(p inventory.Person, id string) int { return cmp.Compare(p.ID, id) })
	if !found {
		return p, false, known
	}
	return s.Inventory.People[i], true, known
}

func pick[T any](all []T, at []int) []T {
	out := make([]T, len(at))
	for i, n := range at {
		out[i] = all[n]
	}
	return out
}
