package atlas

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Effect is what happens to something when what it depends on stops.
type Effect string

// The effects.
const (
	Stops   Effect = "stops"   // it cannot go on
	Weaker  Effect = "weaker"  // another does the same still
	Lacking Effect = "lacking" // it goes on, without what it was told
)

// Reached is something that depends on a place.
type Reached struct {
	Place
	Name     string
	Distance int
	Effect   Effect
	Why      string // the last step: "Council tax is told of Death by it"
	Path     []Place
}

// Impact is what depends on a place, directly and by way of others.
type Impact struct {
	Of    Place
	Name  string
	Stops bool // only what would stop, and what would lack something at once
	List  []Reached
	links []impactLink
}

type impactLink struct {
	from, to Place
	effect   Effect
	words    string
}

// step is one dependency: to depends on from.
type step struct {
	to     Place
	effect Effect
	why    string // of what depends, after its name
	short  string
}

// mostReached bounds a walk; a longer list says so.
const mostReached = 2000

// Impact walks what depends on a place, each once, by the shortest way. With
// stops it goes on only from what would stop.
func (x *Index) Impact(of Place, stops bool) *Impact {
	out := &Impact{Of: of, Name: x.Name(of), Stops: stops}
	w := x.walker()
	seen := map[Place]*Reached{of: {Place: of, Effect: Stops}}
	queue := []Place{of}
	for len(queue) > 0 && len(out.List) < mostReached {
		at := queue[0]
		queue = queue[1:]
		here := seen[at]
		if at.Kind == AtCapability && at != of {
			continue // what does the same does not depend on it
		}
		for _, st := range w.from(at, func(p Place) bool { r := seen[p]; return r != nil && r.Effect == Stops }) {
			if _, had := seen[st.to]; had {
				continue
			}
			if here.Effect == Lacking && st.effect == Weaker {
				continue // another does it as well as ever
			}
			r := &Reached{Place: st.to, Name: x.Name(st.to), Distance: here.Distance + 1, Effect: st.effect, Why: st.why, Path: append(slices.Clone(here.Path), st.to)}
			if here.Effect == Lacking && st.effect == Stops && !stops {
				r.Effect = Lacking // what only lacks something does not stop others
			}
			seen[st.to] = r
			out.List = append(out.List, *r)
			out.links = append(out.links, impactLink{at, st.to, r.Effect, st.short})
			if !stops || r.Effect == Stops {
				queue = append(queue, st.to)
			}
		}
	}
	slices.SortStableFunc(out.List, func(a, b Reached) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(rankOf(a.Kind), rankOf(b.Kind)), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return out
}

func rankOf(kind string) int {
	return slices.Index([]string{AtService, AtCapability, AtSystem, AtContract, AtComponent, AtInterface, AtRecord}, kind)
}

// walker knows what depends on what.
type walker struct {
	*Index
	services map[string][]string // by system
}

func (x *Index) walker() *walker {
	w := &walker{x, map[string][]string{}}
	for _, s := range def.All[catalogue.Spec](x.Set) {
		for _, id := range s.Spec.Systems {
			id = x.Set.Present("System", id)
			w.services[id] = append(w.services[id], s.ID)
		}
	}
	return w
}

// from are the things that depend on a place directly. gone tells what has
// stopped already.
func (w *walker) from(p Place, gone func(Place) bool) (out []step) {
	name := w.Name(p)
	add := func(kind, id string, e Effect, why, short string) {
		out = append(out, step{Place{kind, id}, e, why, short})
	}
	switch p.Kind {
	case AtOrganisation:
		for _, k := range w.contracts[p.ID] {
			add(AtContract, k.ID, Stops, "is with "+name, "contract")
		}
		for _, id := range w.orgWithin[p.ID] {
			add(AtSystem, id, Stops, "belongs to "+name, "belongs to it")
		}
	case AtContract:
		for _, id := range w.Pays[p.ID] {
			add(AtSystem, id, Stops, "is paid for by "+name, "paid by it")
		}
	case AtComponent:
		for _, c := range w.Components {
			if c.ID == p.ID {
				for i, id := range append([]string{c.Spec.System}, c.Spec.UsedBy...) {
					add(AtSystem, w.Set.Present("System", id), Stops, map[bool]string{true: "is made of ", false: "uses "}[i == 0]+name, "uses it")
				}
			}
		}
	case AtSite:
		for _, id := range w.named(slices.Clone(w.onSite[p.ID])) {
			add(AtSystem, id, Stops, "runs on machines at "+name, "runs there")
		}
	case AtCapability:
		for _, id := range w.within[p.ID] {
			add(AtSystem, id, Stops, "does "+name, "does it")
		}
	case AtRecord:
		for _, i := range w.byRecord[p.ID] {
			add(AtSystem, w.flows[i].To, Lacking, "is told of "+name+" by "+w.systemName(w.flows[i].From), "is told of it")
		}
	case AtInterface:
		for _, i := range w.byIface[p.ID] {
			if f := &w.flows[i]; f.FromInterface == p.ID {
				add(AtSystem, f.To, Lacking, "is told of "+w.recordName(f.Record)+" through "+name, w.recordName(f.Record))
			} else {
				add(AtSystem, f.From, Lacking, "tells of "+w.recordName(f.Record)+" through "+name, w.recordName(f.Record))
			}
		}
	case AtFlow:
		if f, ok := w.flow(p.ID); ok {
			add(AtSystem, f.To, Lacking, "is told of "+w.recordName(f.Record)+" by "+w.systemName(f.From), w.recordName(f.Record))
		}
	case AtSystem:
		w.fromSystem(p, name, gone, add)
	}
	return out
}

func (w *walker) fromSystem(p Place, name string, gone func(Place) bool, add func(kind, id string, e Effect, why, short string)) {
	for _, id := range w.services[p.ID] {
		add(AtService, id, Stops, "needs "+name, "needs it")
	}
	for _, c := range w.CapabilitiesOf(p.ID) {
		others := slices.ContainsFunc(w.Providers[c.ID], func(s register.System) bool { return s.ID != p.ID && !gone(Place{AtSystem, s.ID}) })
		if others {
			add(AtCapability, c.ID, Weaker, "is done by "+name+", and by others still", "done by it")
		} else {
			add(AtCapability, c.ID, Stops, "is done by "+name+" and no other", "done only by it")
		}
	}
	for _, i := range w.of[p.ID] {
		if f := &w.flows[i]; f.From == p.ID && f.To != p.ID && !strings.HasPrefix(f.To, atSender) {
			add(AtSystem, f.To, Lacking, "is told of "+w.recordName(f.Record)+" by "+name, w.recordName(f.Record))
		}
	}
}

// Count is how many of a kind and effect were reached; "" is any.
func (m *Impact) Count(kind string, e Effect) (n int) {
	for _, r := range m.List {
		if (kind == "" || r.Kind == kind) && (e == "" || r.Effect == e) {
			n++
		}
	}
	return n
}

// Draw draws what was reached, a column for each step.
func (m *Impact) Draw(q Query, linked bool) string {
	v := &View{Query: q, Title: "What depends on " + m.Name, box: map[Place]int{}}
	if m.Stops {
		v.Title = "What would stop without " + m.Name
	}
	put := func(p Place, name, note string, col int, cols [][]int) [][]int {
		for len(cols) <= col {
			cols = append(cols, nil)
		}
		v.box[p] = len(v.Boxes)
		cols[col] = append(cols[col], len(v.Boxes))
		v.Boxes = append(v.Boxes, Box{Place: p, Name: name, Note: note, Focus: col == 0, Systems: -1})
		return cols
	}
	cols := put(m.Of, m.Name, kindWord(m.Of.Kind), 0, nil)
	left := map[int]int{} // of each distance, what was left out
	for _, r := range m.List {
		if r.Distance > mostSteps || len(v.Boxes) >= MaxNodes-mostSteps || r.Distance < len(cols) && len(cols[r.Distance]) >= mostInColumn {
			left[min(r.Distance, mostSteps)]++
			continue
		}
		cols = put(r.Place, r.Name, kindWord(r.Kind)+", "+effectWord(r.Effect), r.Distance, cols)
	}
	for _, l := range m.links {
		if _, ok := v.box[l.from]; !ok {
			continue
		}
		if _, ok := v.box[l.to]; !ok {
			continue
		}
		line := Line{From: l.from, To: l.to, Records: []string{l.words}}
		line.Flow = &Flow{}
		switch l.effect {
		case Stops:
			line.Seen = 1
		case Lacking:
			line.Silent = 1
		default:
			line.Elsewhere = 1
		}
		v.Lines = append(v.Lines, line)
	}
	heads := make([]string, len(cols))
	for d := range cols {
		if d > 0 {
			heads[d] = words.Count(d, "step", "steps") + " away"
		}
		if n := left[d]; n > 0 {
			cols = put(Place{atMore, heads[d]}, "And "+comma(n)+" more", "in the list below", d, cols)
		}
	}
	v.plain = true
	return v.draw(cols, heads, nil, linked)
}

const (
	mostSteps    = 5  // columns of a drawing of what depends on something
	mostInColumn = 12 // boxes in each
)

func effectWord(e Effect) string {
	switch e {
	case Stops:
		return "stops"
	case Weaker:
		return "weaker"
	}
	return "lacks data"
}

func kindWord(kind string) string {
	switch kind {
	case AtCapability:
		return "Capability"
	case AtOrganisation:
		return "Organisation"
	case AtSystem:
		return "System"
	case AtInterface:
		return "Interface"
	case AtFlow:
		return "Flow"
	case AtRecord:
		return "Record type"
	case AtComponent:
		return "Component"
	case AtContract:
		return "Supplier contract"
	case AtSite:
		return "Site"
	case AtService:
		return "Service"
	}
	return ""
}
