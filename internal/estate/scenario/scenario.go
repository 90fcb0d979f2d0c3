// Package scenario lays changes over the estate in thought, and compares what
// comes of them with the estate as it is: cost, carbon, standards, health of
// capabilities, conflicts of the roadmap, and what would stop.
//
// A comparison is made as if the changes were so today, at today's prices and
// with today's inventory: it isolates what the changes do from what time does.
// What a contract still binds the body to is said beside it. Nothing is saved.
package scenario

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/change"
	"github.com/reeve-civic/reeve/internal/estate/fit"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Comparison is an estate with changes laid over it, against one without them.
type Comparison struct {
	*change.Difference
	Name          string // of the scenario, "" for one that is tried
	Base          *register.Snapshot
	After         *register.Snapshot
	Items         []roadmap.Item // that are laid over
	Later         []roadmap.Item // of the scenario, but not done by the day asked for
	Changes       []string       // in words
	Notes         []Note         // what the contracts still bind to
	Newly, Solved []roadmap.Conflict
}

// Note is something to know beside the figures.
type Note struct{ About, Text string }

// Comparer makes comparisons.
type Comparer struct {
	// Draft is the estate now, as it would be with another set of definitions.
	Draft func(ctx context.Context, set *def.Set) (*register.Snapshot, error)
	// Carbon is what a snapshot emits a year; nil: not worked out.
	Carbon func(s *register.Snapshot) change.Carbon
}

// Scenario compares the plan of a name, as far as it ends by a day, with the
// estate as it is; or, with against, with the baseline as far as it ends by then.
func (c *Comparer) Scenario(ctx context.Context, now *register.Snapshot, name string, by def.Date, againstBaseline bool) (*Comparison, error) {
	plan := roadmap.New(now, name)
	var items, later []roadmap.Item
	var base []roadmap.Change
	for _, x := range plan.Items {
		switch {
		case !roadmap.Open(x): // what is done is in the definitions, what is stopped does not come
		case !by.IsZero() && by.Before(x.Spec.Ends):
			later = append(later, x)
		case againstBaseline && roadmap.ScenarioOf(x) == roadmap.Baseline:
			base = append(base, x.Spec.Changes...)
		default:
			items = append(items, x)
		}
	}
	before := now
	if len(base) > 0 {
		var err error
		if before, err = c.lay(ctx, now, base); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(items, func(a, b roadmap.Item) int { return a.Spec.Ends.Compare(b.Spec.Ends) })
	var changes []roadmap.Change
	for _, x := range items {
		changes = append(changes, x.Spec.Changes...)
	}
	out, err := c.compare(ctx, before, changes)
	if err != nil {
		return nil, err
	}
	out.Name, out.Items, out.Later = name, items, later
	if name != roadmap.Baseline {
		out.conflicts(roadmap.New(now, "").Conflicts, plan.Conflicts)
	}
	return out, nil
}

// Try compares the estate with some changes with the estate as it is.
func (c *Comparer) Try(ctx context.Context, now *register.Snapshot, changes []roadmap.Change) (*Comparison, error) {
	return c.compare(ctx, now, changes)
}

func (c *Comparer) lay(ctx context.Context, s *register.Snapshot, changes []roadmap.Change) (*register.Snapshot, error) {
	set, err := s.Set.With(overlays(s, changes)...)
	if err != nil {
		return nil, reeve.E(reeve.Invalid, "scenario.lay", "%v", err)
	}
	return c.Draft(ctx, set)
}

func (c *Comparer) compare(ctx context.Context, before *register.Snapshot, changes []roadmap.Change) (*Comparison, error) {
	after, err := c.lay(ctx, before, changes)
	if err != nil {
		return nil, err
	}
	asks := change.Asks{Carbon: c.Carbon, Health: Health()}
	out := &Comparison{Difference: asks.Compare(before, after), Base: before, After: after}
	for _, x := range changes {
		out.Changes = append(out.Changes, text(before, x))
	}
	out.Notes = notes(before, changes)
	return out, nil
}

// conflicts are those that the scenario adds to the baseline's, and those that it
// does away with.
func (c *Comparison) conflicts(before, after []roadmap.Conflict) {
	has := func(xs []roadmap.Conflict, key string) bool {
		return slices.ContainsFunc(xs, func(x roadmap.Conflict) bool { return x.Key == key })
	}
	for _, x := range after {
		if !has(before, x.Key) {
			c.Newly = append(c.Newly, x)
		}
	}
	for _, x := range before {
		if !has(after, x.Key) {
			c.Solved = append(c.Solved, x)
		}
	}
}

// Health answers [change.Asks] for the health of capabilities. It remembers the
// last snapshots that it was asked about, so ask for a new one for each comparison.
func Health() func(s *register.Snapshot, capability string) []change.Aspect {
	reports := map[*register.Snapshot]*fit.Report{}
	return func(s *register.Snapshot, capability string) (out []change.Aspect) {
		r, ok := reports[s]
		if !ok {
			r = fit.New(s)
			reports[s] = r
		}
		for _, d := range r.CapabilityHealth(capability).Dimensions {
			out = append(out, change.Aspect{Name: d.Name, Level: string(d.Level), Why: d.Why})
		}
		return out
	}
}

// overlays are changes of the roadmap as changes of definitions.
func overlays(s *register.Snapshot, changes []roadmap.Change) []def.Overlay {
	l := layer{s: s, phase: map[string]string{}, set: map[string]map[string]any{}}
	for _, c := range changes {
		if x, ok := s.System(s.Set.Present("System", c.Subject)); ok {
			l.system(x, c)
		} else if o, ok := s.Set.Lookup("SupplierContract", c.Subject); ok {
			l.contract(o.ID, c)
		} else if o, ok := s.Set.Lookup("Component", c.Subject); ok && c.Phase == "retired" {
			l.out = append(l.out, def.Overlay{Kind: "Component", ID: o.ID, Remove: true})
		}
	}
	l.endContracts()
	return l.out
}

type layer struct {
	s     *register.Snapshot
	out   []def.Overlay
	phase map[string]string         // phases that systems then have
	set   map[string]map[string]any // of contracts
}

func (l *layer) system(x register.System, c roadmap.Change) {
	set := map[string]any{}
	if c.Phase != "" {
		set["lifecycle.phase"], l.phase[x.ID] = c.Phase, c.Phase
	}
	if c.Hosting != "" {
		set["hosting"] = c.Hosting
	}
	if len(c.Capabilities) > 0 {
		set["capabilities"] = anys(c.Capabilities)
	}
	if len(set) > 0 {
		l.out = append(l.out, def.Overlay{Kind: "System", ID: x.ID, Set: set})
	}
	if c.Annual != nil {
		l.cost(x, *c.Annual)
	}
}

func (l *layer) contract(id string, c roadmap.Change) {
	set := map[string]any{}
	if c.Phase == "retired" {
		set["term.ends"], set["term.noticeDays"] = l.s.Today.AddDays(-1).String(), nil
	}
	if c.Annual != nil {
		set["cost"] = []any{map[string]any{"annual": *c.Annual}}
	}
	if len(set) > 0 {
		l.out = append(l.out, def.Overlay{Kind: "SupplierContract", ID: id, Set: set})
	}
}

// cost makes a system cost so much a year: its share of contracts that it has with
// others stays, and one contract of its own makes up the rest.
func (l *layer) cost(x register.System, annual int64) {
	left := annual
	own := ""
	for _, k := range l.s.ContractsOf[x.ID] {
		if !l.s.InForce(k) {
			continue
		}
		if n := len(l.s.Pays[k.ID]); n > 1 {
			left -= int64(register.CostOf(k).Known) / 100 / int64(n)
			continue
		}
		if own == "" {
			own = k.ID
			continue
		}
		l.out = append(l.out, def.Overlay{Kind: "SupplierContract", ID: k.ID, Set: map[string]any{"cost": []any{map[string]any{"annual": int64(0)}}}})
	}
	rest := []any{map[string]any{"annual": max(left, 0)}}
	if own == "" {
		l.out = append(l.out, def.Overlay{Kind: "SupplierContract", ID: "con-in-thought-" + x.ID, Name: x.Name + ", as tried", New: true, Set: map[string]any{"systems": []any{x.ID}, "cost": rest}})
		return
	}
	l.out = append(l.out, def.Overlay{Kind: "SupplierContract", ID: own, Set: map[string]any{"cost": rest}})
}

// endContracts ends those that pay for nothing any more.
func (l *layer) endContracts() {
	for _, k := range endingWith(l.s, l.phase) {
		l.out = append(l.out, def.Overlay{Kind: "SupplierContract", ID: k.ID, Set: map[string]any{"term.ends": l.s.Today.AddDays(-1).String(), "term.noticeDays": nil, "term.starts": nil}})
	}
}

// endingWith are the contracts in force that pay for systems of which none is left
// in use, and at least one was.
func endingWith(s *register.Snapshot, phase map[string]string) (out []register.Contract) {
	for _, k := range s.Contracts {
		left, had := false, false
		for _, id := range s.Pays[k.ID] {
			x, ok := s.System(id)
			if !ok || !x.Spec.InUse() {
				continue
			}
			if p, changed := phase[id]; changed && (p == "retired" || p == "planned") {
				had = true
			} else {
				left = true
			}
		}
		if had && !left && s.InForce(k) {
			out = append(out, k)
		}
	}
	return out
}

// notes says what contracts bind to for longer than a retired system is used.
func notes(s *register.Snapshot, changes []roadmap.Change) (out []Note) {
	phase := map[string]string{}
	for _, c := range changes {
		if c.Phase == "retired" {
			phase[s.Set.Present("System", c.Subject)] = c.Phase
		}
	}
	if len(phase) == 0 {
		return nil
	}
	r := fit.New(s)
	ends := map[string]bool{}
	for _, k := range endingWith(s, phase) {
		ends[k.ID] = true
		out = append(out, Note{k.Name, fmt.Sprintf("%s a year ends %s.", register.CostOf(k), r.When(k))})
	}
	for _, k := range s.Contracts {
		if ends[k.ID] || !s.InForce(k) {
			continue
		}
		for _, id := range s.Pays[k.ID] {
			if phase[id] != "" {
				x, _ := s.System(id)
				out = append(out, Note{k.Name, fmt.Sprintf("It goes on: it also pays for other systems, which bear the share of %s then.", x.Name)})
				break
			}
		}
	}
	return out
}

func anys(vs []string) []any {
	out := make([]any, len(vs))
	for i, v := range vs {
		out[i] = v
	}
	return out
}

// text says a change in words.
func text(s *register.Snapshot, c roadmap.Change) string {
	name := c.Subject
	for _, kind := range []string{"System", "SupplierContract", "Component"} {
		if o, ok := s.Set.Lookup(kind, c.Subject); ok {
			name = o.Name
			break
		}
	}
	var parts []string
	if c.Phase != "" {
		parts = append(parts, map[string]string{"planned": "is planned", "pilot": "is tried out", "live": "goes live", "retiring": "begins to retire", "retired": "is retired"}[c.Phase])
	}
	if c.Hosting != "" {
		parts = append(parts, "moves to: "+strings.ToLower(words.Value(c.Hosting)))
	}
	if c.Annual != nil {
		parts = append(parts, "costs "+register.Money(*c.Annual*100).String()+" a year")
	}
	if len(c.Capabilities) > 0 {
		parts = append(parts, "does other things for the body")
	}
	return name + " " + words.Or(words.List(parts), "changes")
}
