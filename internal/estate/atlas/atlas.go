// Package atlas is the map of the estate: which system tells which, what, and
// whether it was seen; from the whole, by capability or by organisation, down to
// one flow; and what depends on what.
//
// What is guaranteed: everything is in the address, so a link shows the same to
// everybody; a drawing never has more than [MaxNodes] boxes, the rest being one
// that leads to a list; the table beside a drawing says the same; and a line's
// state is said in words, never by colour alone.
package atlas

import (
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// State says how what is declared of a flow compares with what was seen.
type State string

// The states.
const (
	Seen       State = "seen"       // declared, carried by Reeve, and seen within the time expected
	Silent     State = "silent"     // declared and carried by Reeve, but nothing came for longer than expected
	Never      State = "never"      // declared and carried by Reeve, but nothing ever came
	Undeclared State = "undeclared" // seen, but no flow declares it
	Elsewhere  State = "elsewhere"  // declared, but not carried by Reeve, which cannot see it
	Unwatched  State = "unwatched"  // declared and carried by Reeve; nothing is kept of what was seen that day
)

// States are all states, in the order of keys and tables.
var States = []State{Seen, Silent, Never, Undeclared, Elsewhere, Unwatched}

// Words is a state as a reader sees it.
func (s State) Words() string {
	switch s {
	case Seen:
		return "Declared and seen"
	case Silent:
		return "Declared, but silent"
	case Never:
		return "Declared, never carried"
	case Undeclared:
		return "Seen, but not declared"
	case Elsewhere:
		return "Declared, carried elsewhere"
	case Unwatched:
		return "Declared"
	case Carried:
		return "Carried by Reeve"
	}
	return string(s)
}

// Flow is a flow on the map. An undeclared one has no ID.
type Flow struct {
	register.Flow
	State State
}

// Carried are the flows that pass, or should pass, through Reeve: those that are
// not [Elsewhere]. Queries ask for it; no flow is of this state.
const Carried State = "carried"

// Words is what was seen of a flow.
func (f Flow) Words(now time.Time) string {
	if f.State == Undeclared {
		text := ui.Count(f.Seen.Delivered) + " seen"
		if !f.Seen.Since.IsZero() {
			text += " since " + ui.DateText(f.Seen.Since)
		}
		return text + ", last " + ui.Ago(now, f.Seen.Last)
	}
	return f.Flow.Words(now)
}

// Count is how many flows of each state there are.
type Count struct{ Seen, Silent, Never, Undeclared, Elsewhere, Unwatched int }

func (c *Count) at(s State) *int {
	switch s {
	case Seen:
		return &c.Seen
	case Silent:
		return &c.Silent
	case Never:
		return &c.Never
	case Undeclared:
		return &c.Undeclared
	case Elsewhere:
		return &c.Elsewhere
	}
	return &c.Unwatched
}

func (c *Count) add(s State) { *c.at(s)++ }

// Of is how many are of one state.
func (c Count) Of(s State) int { return *c.at(s) }

// Total is how many there are of all states.
func (c Count) Total() int {
	return c.Seen + c.Silent + c.Never + c.Undeclared + c.Elsewhere + c.Unwatched
}

// State is the one that a line of many flows is drawn in: what needs attention first.
func (c Count) State() State {
	for _, s := range []State{Undeclared, Silent, Never, Seen, Unwatched, Elsewhere} {
		if c.Of(s) > 0 {
			return s
		}
	}
	return Unwatched
}

// Place is something on the map that can be looked at closer: "system/sys-x".
type Place struct{ Kind, ID string }

// The kinds of place. The zero Place is the whole estate.
const (
	AtCapability   = "capability"
	AtOrganisation = "organisation"
	AtSystem       = "system"
	AtInterface    = "interface"
	AtFlow         = "flow"
	AtRecord       = "record"
	AtComponent    = "component"
	AtContract     = "contract"
	AtSite         = "site"
	AtService      = "service" // only in what depends on what
	atMore         = "more"    // what was left out
	atSender       = "sender"  // an organisation that sends without a system that we know of
)

// placeKinds are the kinds of definition behind the kinds of place.
var placeKinds = map[string]string{
	AtCapability: "Capability", AtOrganisation: "Organisation", AtSystem: "System", AtInterface: "Interface", AtFlow: "Flow",
	AtRecord: "RecordType", AtComponent: "Component", AtContract: "SupplierContract", AtSite: "Site", AtService: "Service",
}

// ParsePlace reads "system/sys-x".
func ParsePlace(s string) Place {
	kind, id, _ := strings.Cut(s, "/")
	return Place{kind, id}
}

func (p Place) String() string {
	if p.Kind == "" {
		return ""
	}
	return p.Kind + "/" + p.ID
}

// Index is an estate made ready to be mapped. It does not change.
type Index struct {
	*register.Snapshot
	flows     []Flow
	of        map[string][]int // flows by system
	byIface   map[string][]int
	byRecord  map[string][]int
	iface     map[string]int
	home      map[string]string // the capability in which a system stands when each stands once
	within    map[string][]string
	branch    map[string]string // the capability at the top, by capability
	orgBranch map[string]string // the department, by organisation
	orgWithin map[string][]string
	contracts map[string][]register.Contract // by supplier
	onSite    map[string][]string            // systems that run on assets of a site
	health    map[string]health
	records   map[string]*register.RecordType
	receiver  string           // the system that this program is
	held      map[string]int64 // records at the door, by the system that sent them
}

// health is how a system stands against the standards.
type health struct{ fail, unknown int }

// NewIndex makes an index.
func NewIndex(s *register.Snapshot) *Index {
	x := &Index{Snapshot: s, of: map[string][]int{}, byIface: map[string][]int{}, byRecord: map[string][]int{}, iface: map[string]int{}, home: map[string]string{},
		within: map[string][]string{}, branch: map[string]string{}, orgBranch: map[string]string{}, orgWithin: map[string][]string{},
		contracts: map[string][]register.Contract{}, onSite: map[string][]string{}, health: map[string]health{}, records: map[string]*register.RecordType{}, held: map[string]int64{}}
	for i := range s.RecordTypes {
		x.records[s.RecordTypes[i].ID] = &s.RecordTypes[i]
	}
	for i, f := range s.Interfaces {
		x.iface[f.ID] = i
		if f.Style == "internal" && x.receiver == "" {
			x.receiver = f.System
		}
	}
	x.gatherFlows()
	x.gatherCapabilities()
	x.gatherOrganisations()
	for _, k := range s.Contracts {
		if k.Spec.Supplier != "" {
			id := s.Set.Present("Organisation", k.Spec.Supplier)
			x.contracts[id] = append(x.contracts[id], k)
		}
	}
	for _, a := range s.Assets {
		for _, id := range a.Systems {
			if id = s.Set.Present("System", id); a.Site != "" && !slices.Contains(x.onSite[a.Site], id) {
				x.onSite[a.Site] = append(x.onSite[a.Site], id)
			}
		}
	}
	x.judge()
	return x
}

func (x *Index) gatherFlows() {
	for _, f := range x.Snapshot.Flows {
		x.flows = append(x.flows, Flow{f, x.stateOf(f)})
	}
	to := x.receiver
	if to == "" {
		to = atSender + "/reeve"
	}
	for _, u := range x.Undeclared {
		x.flows = append(x.flows, Flow{register.Flow{Name: x.recordName(u.Record), From: sender(u), To: to, Record: u.Record, Via: "exchange", Seen: &register.FlowSeen{Delivered: u.Records, Since: u.Since, Last: u.Last}}, Undeclared})
	}
	for _, h := range x.Held {
		x.held[sender(h)] += h.Records
	}
	for i, f := range x.flows {
		x.of[f.From] = append(x.of[f.From], i)
		if f.To != f.From {
			x.of[f.To] = append(x.of[f.To], i)
		}
		r := x.Set.Present("RecordType", f.Record)
		x.byRecord[r] = append(x.byRecord[r], i)
		for _, id := range []string{f.FromInterface, f.ToInterface} {
			if id != "" {
				x.byIface[id] = append(x.byIface[id], i)
			}
		}
	}
}

// sender is the system that sent records, or the organisation where no system is known.
func sender(s register.Sent) string {
	if s.System != "" {
		return s.System
	}
	return atSender + "/" + s.Organisation
}

func (x *Index) stateOf(f register.Flow) State {
	switch {
	case f.Via != "exchange" && f.Via != "":
		return Elsewhere
	case f.Seen == nil:
		return Unwatched
	case f.Seen.Last.IsZero():
		return Never
	case f.Seen.Quiet:
		return Silent
	}
	return Seen
}

func (x *Index) gatherCapabilities() {
	parent := map[string]string{}
	for _, c := range x.Capabilities {
		parent[c.ID] = x.Set.Present("Capability", c.Spec.Parent)
	}
	up := func(id string, visit func(string)) { // bounded, though the loader refuses loops
		for range len(parent) + 1 {
			visit(id)
			if id = parent[id]; id == "" {
				return
			}
		}
	}
	for _, c := range x.Capabilities {
		up(c.ID, func(id string) { x.branch[c.ID] = id })
	}
	for _, sys := range x.Systems {
		had := map[string]bool{}
		for i, c := range x.CapabilitiesOf(sys.ID) {
			if i == 0 {
				x.home[sys.ID] = c.ID
			}
			up(c.ID, func(id string) {
				if !had[id] {
					had[id] = true
					x.within[id] = append(x.within[id], sys.ID)
				}
			})
		}
	}
}

func (x *Index) gatherOrganisations() {
	type line struct {
		branch string
		all    []string
	}
	lines := map[string]line{}
	lineOf := func(id string) line {
		id = x.Set.Present("Organisation", id)
		if l, ok := lines[id]; ok {
			return l
		}
		l := line{branch: id}
		for at, n := id, 0; at != "" && n <= len(x.Organisations); n++ {
			o, ok := x.Organisations[at]
			l.all = append(l.all, at)
			if !ok || o.Spec.Type == "council" {
				break
			}
			l.branch, at = at, x.Set.Present("Organisation", o.Spec.Parent)
		}
		lines[id] = l
		return l
	}
	for _, sys := range x.Systems {
		if sys.Spec.Organisation == "" {
			continue
		}
		l := lineOf(sys.Spec.Organisation)
		x.orgBranch[sys.ID] = l.branch
		for _, id := range l.all {
			x.orgWithin[id] = append(x.orgWithin[id], sys.ID)
		}
	}
}

func (x *Index) judge() {
	if x.Outcome == nil {
		return
	}
	for i := range x.Outcome.Standings {
		st := &x.Outcome.Standings[i]
		t := st.Table()
		if t == nil || t.Kind != "System" || st.Fail+st.Unknown == 0 {
			continue
		}
		for n, id := range t.IDs {
			switch h := x.health[id]; st.Result(n) {
			case "fail":
				h.fail++
				x.health[id] = h
			case "unknown":
				h.unknown++
				x.health[id] = h
			}
		}
	}
}

// inside are the systems that stand at a place, by name; ok is false where there
// is no such place.
func (x *Index) inside(p Place) (ids []string, ok bool) {
	if kind := placeKinds[p.Kind]; kind != "" && p.Kind != AtInterface && p.Kind != AtFlow && p.Kind != AtRecord {
		if _, ok := x.Set.Lookup(kind, p.ID); !ok {
			return nil, false
		}
	}
	switch p.Kind {
	case "":
		for _, s := range x.Systems {
			ids = append(ids, s.ID)
		}
		return ids, true
	case AtCapability:
		return x.within[p.ID], true
	case AtOrganisation:
		if o := x.Organisations[p.ID]; o.Object != nil && o.Spec.Type == "supplier" {
			for _, k := range x.contracts[p.ID] {
				ids = append(ids, x.Pays[k.ID]...)
			}
		}
		return x.named(append(slices.Clone(x.orgWithin[p.ID]), ids...)), true
	case AtSystem:
		return []string{p.ID}, true
	case AtInterface:
		i, ok := x.iface[p.ID]
		if !ok {
			return nil, false
		}
		return []string{x.Snapshot.Interfaces[i].System}, true
	case AtFlow:
		f, ok := x.flow(p.ID)
		return x.named([]string{f.From, f.To}), ok
	case AtRecord:
		for _, i := range x.byRecord[p.ID] {
			ids = append(ids, x.flows[i].From, x.flows[i].To)
		}
		return x.named(ids), x.records[p.ID] != nil
	case AtContract:
		return x.named(slices.Clone(x.Pays[p.ID])), true
	case AtComponent:
		for _, c := range x.Components {
			if c.ID == p.ID {
				for _, id := range append([]string{c.Spec.System}, c.Spec.UsedBy...) {
					ids = append(ids, x.Set.Present("System", id))
				}
			}
		}
		return x.named(ids), true
	case AtSite:
		return x.named(slices.Clone(x.onSite[p.ID])), true
	}
	return nil, false
}

// named sorts systems by name, each once.
func (x *Index) named(ids []string) []string {
	slices.SortFunc(ids, func(a, b string) int {
		if n := strings.Compare(strings.ToLower(x.systemName(a)), strings.ToLower(x.systemName(b))); n != 0 {
			return n
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(ids)
}

func (x *Index) flow(id string) (Flow, bool) {
	for _, f := range x.flows {
		if f.ID == id && id != "" {
			return f, true
		}
	}
	return Flow{}, false
}

func (x *Index) recordName(id string) string {
	if r := x.records[x.Set.Present("RecordType", id)]; r != nil && r.Name != "" {
		return r.Name
	}
	return id
}

func (x *Index) systemName(id string) string {
	if s, ok := x.System(id); ok {
		return s.Name
	}
	if org, ok := strings.CutPrefix(id, atSender+"/"); ok {
		if org == "reeve" {
			return "Reeve"
		}
		return x.OrganisationName(org)
	}
	return id
}

// Name is what a place is called.
func (x *Index) Name(p Place) string {
	switch p.Kind {
	case "":
		return "The whole estate"
	case AtSystem:
		return x.systemName(p.ID)
	case AtRecord:
		return x.recordName(p.ID)
	case AtInterface:
		if i, ok := x.iface[p.ID]; ok {
			return x.Snapshot.Interfaces[i].Name
		}
	case AtFlow:
		if f, ok := x.flow(p.ID); ok {
			return f.Name
		}
	case atSender:
		return x.systemName(p.String())
	}
	if o, ok := x.Set.Lookup(placeKinds[p.Kind], p.ID); ok && o.Name != "" {
		return o.Name
	}
	return p.ID
}

// present is a place by the id that it has now.
func (x *Index) present(p Place) Place {
	return Place{p.Kind, x.Set.Present(placeKinds[p.Kind], p.ID)}
}
