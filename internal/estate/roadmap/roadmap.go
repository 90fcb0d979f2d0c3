package roadmap

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// The definitions by type, for short.
type (
	Item      = def.Of[ItemSpec]
	Objective = def.Of[ObjectiveSpec]
	Line      = def.Of[BudgetSpec]
)

// Baseline is the plan that an item belongs to when it names none.
const Baseline = "baseline"

// Plan is what is to be done, ready to be asked about.
type Plan struct {
	*register.Snapshot
	Scenario   string // Baseline, or the alternative that is laid over it
	Items      []Item // by start
	Objectives []Objective
	Lines      []Line
	Conflicts  []Conflict

	item      map[string]Item
	bySubject map[string][]Item // by id of the system, component or contract
}

// ScenarioOf is the plan that an item belongs to.
func ScenarioOf(x Item) string {
	if x.Spec.Scenario == "" {
		return Baseline
	}
	return x.Spec.Scenario
}

// State is where an item stands.
func State(x Item) string {
	if x.Spec.State == "" {
		return "proposed"
	}
	return x.Spec.State
}

// Open reports whether an item is still to be done.
func Open(x Item) bool { return State(x) != "done" && State(x) != "stopped" }

// Scenarios are the names of the alternatives to the baseline.
func Scenarios(s *register.Snapshot) (names []string) {
	for _, x := range def.All[ItemSpec](s.Set) {
		if name := ScenarioOf(x); name != Baseline && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// New reads the plan of a snapshot: the baseline, with the items of a scenario
// laid over it; "" and Baseline for the baseline alone.
func New(s *register.Snapshot, scenario string) *Plan {
	p := &Plan{Snapshot: s, Scenario: scenario, Objectives: def.All[ObjectiveSpec](s.Set), Lines: def.All[BudgetSpec](s.Set), item: map[string]Item{}, bySubject: map[string][]Item{}}
	if scenario == "" {
		p.Scenario = Baseline
	}
	for _, x := range def.All[ItemSpec](s.Set) {
		if name := ScenarioOf(x); name != Baseline && name != p.Scenario {
			continue
		}
		p.Items = append(p.Items, x)
		p.item[x.ID] = x
		for _, c := range x.Spec.Changes {
			p.bySubject[c.Subject] = append(p.bySubject[c.Subject], x)
		}
	}
	slices.SortStableFunc(p.Items, func(a, b Item) int {
		return cmp.Or(a.Spec.Starts.Compare(b.Spec.Starts), strings.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(p.Objectives, func(a, b Objective) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(p.Lines, func(a, b Line) int {
		return cmp.Or(strings.Compare(a.Spec.Year, b.Spec.Year), strings.Compare(b.Spec.Type, a.Spec.Type), strings.Compare(a.Name, b.Name))
	})
	p.conflicts()
	return p
}

// Item finds an item of the plan.
func (p *Plan) Item(id string) (Item, bool) { x, ok := p.item[id]; return x, ok }

// Serving are the items that serve an objective.
func (p *Plan) Serving(objective string) (out []Item) {
	for _, x := range p.Items {
		if slices.Contains(x.Spec.Objectives, objective) {
			out = append(out, x)
		}
	}
	return out
}

// SystemsOf are the ids of the systems that serve an objective: those it names,
// and those that its items bring or change, except what they retire.
func (p *Plan) SystemsOf(o Objective) (ids []string) {
	add := func(id string) {
		if x, ok := p.System(p.Set.Present("System", id)); ok && !slices.Contains(ids, x.ID) {
			ids = append(ids, x.ID)
		}
	}
	for _, id := range o.Spec.Systems {
		add(id)
	}
	for _, x := range p.Serving(o.ID) {
		for _, c := range x.Spec.Changes {
			if c.Phase != "retired" {
				add(c.Subject)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// liveFrom is the first day on which a system is in use as planned; ok is false
// where nothing says so.
func (p *Plan) liveFrom(x register.System) (from def.Date, ok bool) {
	if x.Spec.Phase() == "live" {
		return def.Date{}, true
	}
	for _, item := range p.bySubject[x.ID] {
		for _, c := range item.Spec.Changes {
			if c.Subject == x.ID && c.Phase == "live" && State(item) != "stopped" {
				if day := item.Spec.Ends.AddDays(1); !ok || day.Before(from) {
					from, ok = day, true
				}
			}
		}
	}
	return from, ok
}

// subject is the name of what a change is about, and its page.
func (p *Plan) subject(id string) (name, href string) {
	if x, ok := p.System(id); ok {
		return x.Name, "/staff/estate/systems/" + x.ID
	}
	for _, kind := range []string{"SupplierContract", "Component"} {
		if o, ok := p.Set.Lookup(kind, id); ok {
			return o.Name, ""
		}
	}
	return id, ""
}

// Fill writes how many items of the baseline that are still to be done change each
// system.
func Fill(s *register.Snapshot) {
	n := map[string]int64{}
	for _, x := range def.All[ItemSpec](s.Set) {
		if ScenarioOf(x) != Baseline || State(x) == "stopped" {
			continue
		}
		had := map[string]bool{}
		for _, c := range x.Spec.Changes {
			if id := s.Set.Present("System", c.Subject); !had[id] {
				had[id] = true
				n[id]++
			}
		}
	}
	t := s.Tables.Of("System")
	column := t.Column("roadmapItems")
	for i, id := range t.IDs {
		column[i] = n[id]
	}
}
