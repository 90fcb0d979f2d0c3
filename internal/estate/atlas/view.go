package atlas

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/words"
)

// MaxNodes is the most boxes that a drawing has.
const MaxNodes = 60

const (
	mostInside  = 40  // systems of a place drawn one by one; of more, its parts are drawn
	mostOutside = 14  // systems around it drawn one by one; of more, their capabilities
	mostRows    = 150 // flows listed one by one below a drawing; more are added up
)

// Box is a box of a drawing: a system, or many.
type Box struct {
	Place
	Name    string
	Note    string // below the name
	Systems int    // how many it stands for
	Failing int    // of these, how many do not meet some standard
	Held    int64  // records that they sent, at the door
	Focus   bool   // belongs to the place looked at
	Within  int    // flows that begin and end in it

	sends, takes int
}

// Line is what one box tells another.
type Line struct {
	From, To Place
	Count
	Records   []string // names of the record types, the most frequent first
	Delivered int64
	Held      int64
	Last      time.Time
	Flow      *Flow // where it is just one

	both bool // of a drawing: it goes both ways
}

// View is a map made of a query, ready to be drawn and listed.
type View struct {
	Query
	Title   string
	Boxes   []Box
	Lines   []Line // the fullest first
	Flows   []Flow // one by one, where they are not too many
	Loose   []Flow // those that nobody declared
	Sum     Count  // of all flows meant
	Inside  []string
	Idle    int       // systems inside that are not drawn, for no flow that is meant touches them
	Now     time.Time // for which the map is true
	Folded  int       // systems or parts left out of the drawing, standing in one box
	Undrawn int       // lines left out of it

	box   map[Place]int
	plain bool // of dependencies, not of flows: lines say what binds, and lead nowhere
}

// View makes the map that a query asks for. The error is NotFound where there is
// no such place.
func (x *Index) View(q Query) (*View, error) {
	ids, ok := x.inside(q.At)
	if !ok {
		return nil, reeve.E(reeve.NotFound, "estate.map", "there is no %s %q", words.Or(placeKinds[q.At.Kind], "place"), q.At.ID)
	}
	v := &View{Query: q, Title: x.Name(q.At), Now: x.At, box: map[Place]int{}}
	chosen := x.chooser(q)
	in := map[string]bool{}
	for _, id := range ids {
		if chosen(id) {
			in[id] = true
			v.Inside = append(v.Inside, id)
		}
	}
	flows := x.meant(q, v.Inside, in)
	if q.With.Kind != "" {
		flows = x.between(flows, in, q.With)
	}
	g := x.grouping(q, v, in, flows)
	lines := map[[2]Place]*Line{}
	for _, i := range flows {
		f := &x.flows[i]
		a, b := g.of(f, f.From, f.FromInterface), g.of(f, f.To, f.ToInterface)
		if v.Sum.add(f.State); f.State == Undeclared {
			v.Loose = append(v.Loose, *f)
		}
		if len(v.Flows) <= mostRows {
			v.Flows = append(v.Flows, *f)
		}
		if a == b {
			v.Boxes[v.at(x, g, a)].Within++
			continue
		}
		v.Boxes[v.at(x, g, a)].sends++
		v.Boxes[v.at(x, g, b)].takes++
		l := lines[[2]Place{a, b}]
		if l == nil {
			l = &Line{From: a, To: b}
			lines[[2]Place{a, b}] = l
		}
		l.take(f)
	}
	x.empty(q, v, g)
	if len(v.Flows) > mostRows {
		v.Flows = nil
	}
	for _, l := range lines {
		x.finish(l)
		v.Lines = append(v.Lines, *l)
	}
	x.fold(v)
	slices.SortFunc(v.Lines, compareLines)
	slices.SortFunc(v.Boxes, func(a, b Box) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	for i, b := range v.Boxes {
		v.box[b.Place] = i
	}
	return v, nil
}

func compareLines(a, b Line) int {
	return cmp.Or(cmp.Compare(b.Total(), a.Total()), strings.Compare(a.From.String(), b.From.String()), strings.Compare(a.To.String(), b.To.String()))
}

// meant are the flows of a query.
func (x *Index) meant(q Query, inside []string, in map[string]bool) (out []int) {
	switch q.At.Kind {
	case "":
		for i := range x.flows {
			if f := &x.flows[i]; q.means(x, f) && (!q.ofSystems() || in[f.From] && in[f.To]) {
				out = append(out, i)
			}
		}
		return out
	case AtFlow:
		for i := range x.flows {
			if x.flows[i].ID == q.At.ID {
				out = append(out, i)
			}
		}
		return out
	case AtInterface:
		out = slices.Clone(x.byIface[q.At.ID])
	case AtRecord:
		out = slices.Clone(x.byRecord[q.At.ID])
		if q.ofSystems() {
			out = slices.DeleteFunc(out, func(i int) bool { return !in[x.flows[i].From] && !in[x.flows[i].To] })
		}
	default:
		for _, id := range inside {
			out = append(out, x.of[id]...)
		}
		slices.Sort(out)
	}
	out = slices.Compact(out)
	return slices.DeleteFunc(out, func(i int) bool { return !q.means(x, &x.flows[i]) })
}

// between keeps the flows that go between a place and another.
func (x *Index) between(flows []int, in map[string]bool, with Place) []int {
	other := map[string]bool{}
	ids, _ := x.inside(x.present(with))
	for _, id := range ids {
		other[id] = true
	}
	return slices.DeleteFunc(flows, func(i int) bool {
		f := &x.flows[i]
		return !(in[f.From] && other[f.To] || other[f.From] && in[f.To])
	})
}

// grouping says in which box a system is drawn.
type grouping struct {
	x      *Index
	q      Query
	in     map[string]bool
	parts  bool // the place is drawn by its parts
	around bool // what is around it is drawn by capability
	part   map[string]Place
}

func (x *Index) grouping(q Query, v *View, in map[string]bool, flows []int) *grouping {
	g := &grouping{x: x, q: q, in: in, part: map[string]Place{}}
	if q.At.Kind == "" || q.With.Kind != "" {
		return g
	}
	outside := map[string]bool{}
	for _, i := range flows {
		for _, id := range []string{x.flows[i].From, x.flows[i].To} {
			if !in[id] {
				outside[id] = true
			}
		}
	}
	switch q.At.Kind {
	case AtCapability, AtOrganisation, AtContract, AtSite, AtComponent:
		g.around = len(outside) > mostOutside
		if len(v.Inside) > mostInside {
			g.split()
		}
	}
	return g
}

// split puts the systems of a place into the parts directly below it.
func (g *grouping) split() {
	put := func(kind, id string, systems []string) {
		for _, s := range systems {
			if _, has := g.part[s]; !has {
				g.part[s] = Place{kind, id}
			}
		}
	}
	switch g.q.At.Kind {
	case AtCapability:
		for _, c := range g.x.Children(g.q.At.ID) {
			put(AtCapability, c.ID, g.x.within[c.ID])
		}
	case AtOrganisation:
		var below []string
		for id, o := range g.x.Organisations {
			if o.Spec.Parent != "" && g.x.Set.Present("Organisation", o.Spec.Parent) == g.q.At.ID {
				below = append(below, id)
			}
		}
		slices.Sort(below)
		for _, id := range below {
			put(AtOrganisation, id, g.x.orgWithin[id])
		}
	}
	g.parts = len(g.part) > 0
}

// of is the box of one end of a flow.
func (g *grouping) of(f *Flow, system, iface string) Place {
	x, q := g.x, g.q
	switch {
	case strings.HasPrefix(system, atSender+"/"):
		return ParsePlace(system)
	case q.At.Kind == "":
		return g.branch(system)
	case q.At.Kind == AtSystem && system == q.At.ID && iface != "":
		return Place{AtInterface, iface}
	case q.At.Kind == AtInterface && iface == q.At.ID:
		return q.At
	case g.in[system] && g.parts:
		if p, ok := g.part[system]; ok {
			return p
		}
	case !g.in[system] && g.around:
		p := g.branch(system)
		if p.Kind == AtCapability && q.At.Kind == AtCapability && p.ID == x.branch[q.At.ID] {
			p.ID = x.home[system]
		}
		return p
	}
	return Place{AtSystem, system}
}

// branch is the part of the whole estate in which a system stands.
func (g *grouping) branch(system string) Place {
	switch g.q.By {
	case AtOrganisation:
		return Place{AtOrganisation, g.x.orgBranch[system]}
	case AtSystem:
		return Place{AtSystem, system}
	}
	return Place{AtCapability, g.x.branch[g.x.home[system]]}
}

// at is the place of a box among the boxes, made if it is not there.
func (v *View) at(x *Index, g *grouping, p Place) int {
	if i, ok := v.box[p]; ok {
		return i
	}
	b := Box{Place: p, Name: x.Name(p), Systems: 1}
	switch p.Kind {
	case AtCapability, AtOrganisation:
		b.Systems = 0
		if p.ID == "" {
			b.Name = map[string]string{AtCapability: "No capability given", AtOrganisation: "No organisation given"}[p.Kind]
		}
		b.Focus = g.parts && p.Kind == v.At.Kind || v.At.Kind == ""
	case AtInterface:
		b.Focus = true
		if i, ok := x.iface[p.ID]; ok {
			b.Note = styleWord(x.Snapshot.Interfaces[i].Style)
		}
	case AtSystem:
		b.Focus = g.in[p.ID] && v.At.Kind != AtRecord && v.At.Kind != ""
		if h := x.health[p.ID]; h.fail > 0 {
			b.Failing = 1
		}
		if s, ok := x.System(p.ID); ok && !b.Focus && s.Spec.Organisation != "" {
			b.Note = x.OrganisationName(s.Spec.Organisation)
		}
	case atSender:
		b.Note = "no system known"
	}
	v.box[p] = len(v.Boxes)
	v.Boxes = append(v.Boxes, b)
	return len(v.Boxes) - 1
}

// empty adds the boxes that no flow touches, and counts what stands in each.
func (x *Index) empty(q Query, v *View, g *grouping) {
	if q.With.Kind != "" || q.At.Kind == AtFlow || q.At.Kind == AtRecord || q.At.Kind == AtInterface {
		return
	}
	only := q.State != "" || q.Record != "" || q.By == AtSystem // systems without such a flow are not meant
	if q.At.Kind == AtSystem {
		if _, ok := v.box[q.At]; !ok && len(x.InterfacesOf(q.At.ID)) == 0 {
			v.at(x, g, q.At)
		}
		for _, i := range x.InterfacesOf(q.At.ID) {
			if !only {
				v.at(x, g, Place{AtInterface, i.ID})
			}
		}
		return
	}
	for _, id := range v.Inside {
		p := g.of(nil, id, "")
		if _, ok := v.box[p]; !ok && only {
			v.Idle++
			continue
		}
		b := &v.Boxes[v.at(x, g, p)]
		if p.Kind == AtCapability || p.Kind == AtOrganisation {
			b.Systems++
			if x.health[id].fail > 0 {
				b.Failing++
			}
		}
	}
	for from, n := range x.held {
		if i, ok := v.box[g.of(nil, from, "")]; ok {
			v.Boxes[i].Held += n
		}
	}
	for i := range v.Boxes {
		b := &v.Boxes[i]
		if (b.Kind == AtCapability || b.Kind == AtOrganisation) && b.Systems == 0 && b.ID != "" {
			all, _ := x.inside(b.Place)
			b.Systems = len(all)
		}
	}
}

// fold keeps the boxes with most to do with others and puts the rest into one.
func (x *Index) fold(v *View) {
	if len(v.Boxes) <= MaxNodes {
		return
	}
	order := slices.Clone(v.Boxes)
	slices.SortFunc(order, func(a, b Box) int {
		return cmp.Or(cmp.Compare(b.sends+b.takes, a.sends+a.takes), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	rest := Box{Place: Place{atMore, "rest"}, Focus: true}
	out := map[Place]bool{}
	for _, b := range order[MaxNodes-1:] {
		out[b.Place] = true
		rest.Systems += b.Systems
		rest.Within += b.Within
		rest.Failing += b.Failing
		rest.Held += b.Held
		v.Folded++
	}
	rest.Name = fmt.Sprintf("And %s more", comma(v.Folded))
	lines := map[[2]Place]*Line{}
	for i := range v.Lines {
		l := v.Lines[i]
		if out[l.From] {
			l.From = rest.Place
		}
		if out[l.To] {
			l.To = rest.Place
		}
		if l.From == l.To {
			rest.Within += l.Total()
			continue
		}
		if had := lines[[2]Place{l.From, l.To}]; had != nil {
			had.join(l)
		} else {
			lines[[2]Place{l.From, l.To}] = &l
		}
	}
	v.Boxes = append(order[:MaxNodes-1], rest)
	v.Lines = v.Lines[:0]
	for _, l := range lines {
		v.Lines = append(v.Lines, *l)
	}
}

func (l *Line) take(f *Flow) {
	l.Count.add(f.State)
	l.Flow = f
	if l.Total() > 1 {
		l.Flow = nil
	}
	l.Records = append(l.Records, f.Record)
	if f.Seen != nil && f.State != Elsewhere {
		l.Delivered += f.Seen.Delivered
		l.Held += f.Seen.Held
		if f.Seen.Last.After(l.Last) {
			l.Last = f.Seen.Last
		}
	}
}

// finish turns the record types of all flows of a line into names, each once.
func (x *Index) finish(l *Line) {
	n := map[string]int{}
	for _, r := range l.Records {
		n[x.recordName(r)]++
	}
	l.Records = l.Records[:0]
	for name := range n {
		l.Records = append(l.Records, name)
	}
	slices.SortFunc(l.Records, func(a, b string) int { return cmp.Or(cmp.Compare(n[b], n[a]), strings.Compare(a, b)) })
}

func (l *Line) join(o Line) {
	for _, s := range States {
		*l.Count.at(s) += o.Of(s)
	}
	l.Flow = nil
	l.Delivered += o.Delivered
	l.Held += o.Held
	if o.Last.After(l.Last) {
		l.Last = o.Last
	}
	for _, r := range o.Records {
		if !slices.Contains(l.Records, r) {
			l.Records = append(l.Records, r)
		}
	}
}
