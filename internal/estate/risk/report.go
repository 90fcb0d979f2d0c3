package risk

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/importer/lists"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Place is where a product is.
type Place struct{ Kind, ID, Name string }

// Installed is a product in a version, with everything that it is on.
type Installed struct {
	Vendor, Name, Version string // as lists write them
	Identity              Identity
	Release               Release
	Known                 bool // the cycle is known
	Threats               []Threat
	Places                []Place
	Systems               []string // ids of the systems that rely on those places
	relied                map[string]bool
}

// Open are the threats that are open.
func (i *Installed) Open() (n int) {
	for _, t := range i.Threats {
		if t.Closed == "" {
			n++
		}
	}
	return n
}

// Past are the open threats that are due before today.
func (i *Installed) Past(today def.Date) (n int) {
	for _, t := range i.Threats {
		if t.Closed == "" && t.Due.Before(today) {
			n++
		}
	}
	return n
}

// Days until the end of support, negative when past; known is false where no day
// is given.
func (i *Installed) Days(today def.Date) (days int, known bool) {
	if !i.Known || i.Release.End.IsZero() {
		if i.Known && i.Release.Ended != nil && *i.Release.Ended {
			return -1, true // it has ended, on a day that the list does not give
		}
		return 0, false
	}
	return i.Release.End.Sub(today), true
}

// Report is the risk of everything that the body has.
type Report struct {
	*register.Snapshot
	Installed []*Installed // by name and version
	called    map[[2]string]*Name
	Joined    int // of the names of products that are installed
	Names     int
	KEV, EOL  bool              // the lists were imported
	Unread    map[string]string // why a bill of materials could not be read, by the name of its file
	cat       *catalogue
	component map[string][]*Installed // by id; the first is the component's own product
}

// New works the report out.
func New(s *register.Snapshot) *Report { return build(s, true) }

// build works the report out, of components alone or with what runs on assets.
func build(s *register.Snapshot, onAssets bool) *Report {
	b := &builder{r: &Report{Snapshot: s, cat: newCatalogue(s.Inventory), component: map[string][]*Installed{}, called: map[[2]string]*Name{}}, by: map[[5]string]*Installed{}, ids: map[[4]string]known{}, names: map[[2]string]bool{}, done: map[[2]string]map[string]string{}}
	r := b.r
	r.KEV, r.EOL = !r.cat.kevAt.IsZero(), !r.cat.eolAt.IsZero()
	for _, e := range s.Inventory.Evidence {
		if cve, ok := strings.CutPrefix(e.Fact, factDone); ok {
			key := [2]string{e.Kind, e.ID}
			if b.done[key] == nil {
				b.done[key] = map[string]string{}
			}
			b.done[key][cve] = e.Value
		}
	}
	for _, c := range s.Components {
		p := c.Spec.Product
		systems := append([]string{c.Spec.System}, c.Spec.UsedBy...)
		place := Place{"Component", c.ID, c.Name}
		if p.Name != "" || p.CPE != "" || p.EOL != "" {
			b.add(place, "", cmp.Or(p.Name, p.EOL, p.CPE), p.Version, p.Cycle, lists.CPE(p.CPE), p.EOL, systems)
		} else {
			r.component[c.ID] = append(r.component[c.ID], &Installed{Name: c.Name}) // nobody has said what it is
		}
	}
	components := map[string]register.Component{}
	for _, c := range s.Components {
		components[c.ID] = c
	}
	bills := s.Bills(readBills)
	r.Unread = bills.Unread
	for _, parts := range [][]inventory.Software{bills.Parts, s.Inventory.Software} {
		for _, x := range parts {
			if c, ok := components[x.On]; ok {
				b.add(Place{"Component", c.ID, c.Name}, x.Vendor, x.Name, x.Version, "", lists.CPE(x.CPE), "", append([]string{c.Spec.System}, c.Spec.UsedBy...))
			}
		}
	}
	if onAssets {
		b.assets(components)
	}
	for _, i := range b.by {
		r.Installed = append(r.Installed, i)
	}
	r.Names = len(b.names)
	for _, joined := range b.names {
		r.Joined += bool2(joined)
	}
	slices.SortFunc(r.Installed, func(a, b *Installed) int {
		return cmp.Or(cmp.Compare(Normal(a.Name), Normal(b.Name)), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Vendor, b.Vendor), cmp.Compare(b.Open(), a.Open()))
	})
	return r
}

// assets adds the operating systems of assets and what is installed on them.
func (b *builder) assets(components map[string]register.Component) {
	s := b.r.Snapshot
	at := make(map[string]int, len(s.Assets))
	for i, a := range s.Assets {
		at[a.ID] = i
		if a.OS == "" || a.State == "disposed" {
			continue
		}
		name := a.OS
		if v := a.OSVersion; v != "" && (v[0] < '0' || v[0] > '9') {
			name = beforeDigit(v) // Fleet: "Ubuntu 24.04.3 LTS"
		}
		b.add(Place{"Asset", a.ID, cmp.Or(a.Name, a.Tag)}, "", name, a.OSVersion, "", "", "", a.Systems)
	}
	for _, x := range s.Inventory.Software {
		if _, ok := components[x.On]; ok {
			continue
		}
		p, systems := Place{"Asset", x.On, x.On}, []string(nil)
		if i, ok := at[x.On]; ok {
			p.Name, systems = cmp.Or(s.Assets[i].Name, s.Assets[i].Tag), s.Assets[i].Systems
		}
		b.add(p, x.Vendor, x.Name, x.Version, "", lists.CPE(x.CPE), "", systems)
	}
}

// factDone begins the evidence that a vulnerability was dealt with.
const factDone = "dealtWith:"

func beforeDigit(s string) string {
	if i := strings.IndexAny(s, "0123456789"); i > 0 {
		return strings.TrimSpace(s[:i])
	}
	return s
}

type builder struct {
	r     *Report
	by    map[[5]string]*Installed
	ids   map[[4]string]known
	names map[[2]string]bool              // whether each name of a product is settled
	done  map[[2]string]map[string]string // what was dealt with, by place
}

func (b *builder) add(at Place, vendor, name, version, cycle, cpe, eol string, systems []string) {
	dealt := b.done[[2]string{at.Kind, at.ID}]
	own := "" // places where other things were dealt with are told apart
	for _, cve := range slices.Sorted(maps.Keys(dealt)) {
		own += cve + "\x1f" + dealt[cve] + "\x1f"
	}
	is := b.name(vendor, name, cpe, eol)
	id := is.identity
	if n := is.called; n != nil {
		n.Places++
		if version != "" && len(n.Versions) < 3 && !slices.Contains(n.Versions, version) {
			n.Versions = append(n.Versions, version)
		}
	}
	key := [5]string{vendor, name, version, cycle, own}
	if id.CPE != "" || id.EOL != "" { // whatever the lists call it
		key[0], key[1] = id.CPE, id.EOL
	}
	x := b.by[key]
	if x == nil {
		x = &Installed{Vendor: vendor, Name: name, Version: version, Identity: id}
		x.Release, x.Known = b.r.cat.release(x.Identity.EOL, cycle, version)
		if x.Identity.CPE != "" {
			x.Threats = b.r.cat.threats(x.Identity, x.Release, x.Known, func(cve string) string { return dealt[cve] })
		}
		b.by[key] = x
	}
	if n := len(x.Places); n == 0 || x.Places[n-1] != at {
		x.Places = append(x.Places, at)
	}
	for _, id := range systems {
		if id = b.r.Set.Present("System", id); id != "" && !x.relied[id] {
			if x.relied == nil {
				x.relied = map[string]bool{}
			}
			x.relied[id] = true
			x.Systems = append(x.Systems, id)
		}
	}
	if at.Kind == "Component" {
		b.r.component[at.ID] = append(b.r.component[at.ID], x)
	}
}

// known is which product a name means, and where that is curated.
type known struct {
	identity Identity
	called   *Name // nil where the product is declared
}

// name looks a name up once.
func (b *builder) name(vendor, name, cpe, eol string) known {
	raw := [4]string{vendor, name, cpe, eol}
	k, ok := b.ids[raw]
	if ok {
		return k
	}
	k.identity = b.r.cat.identify(vendor, name, cpe, eol)
	key := [2]string{Normal(vendor), Normal(name)}
	b.names[key] = b.names[key] || k.identity.Joined()
	if k.identity.How != "declared" {
		if k.called = b.r.called[key]; k.called == nil {
			k.called = &Name{Vendor: vendor, Name: name, Identity: k.identity}
			b.r.called[key] = k.called
		}
	}
	b.ids[raw] = k
	return k
}

// OfComponent is what a component is and is made of.
func (r *Report) OfComponent(id string) []*Installed { return r.component[id] }

// Fill writes the facts of components and systems.
func Fill(s *register.Snapshot) {
	r := build(s, false)
	t := s.Tables.Of("Component")
	for _, c := range s.Components {
		i := t.Find(c.ID)
		t.Set(i, "reusedBySystems", int64(1+len(c.Spec.UsedBy)))
		parts := r.component[c.ID]
		if len(parts) == 0 {
			continue
		}
		if own := parts[0]; r.KEV && (own.Identity.CPE != "" || own.Identity.None) {
			past := 0
			for _, p := range parts {
				past += p.Past(s.Today)
			}
			t.Set(i, "kevOpenPastDue", int64(past))
		}
		if days, ok := parts[0].Days(s.Today); ok {
			t.Set(i, "daysToEol", int64(days))
		}
	}
	t = s.Tables.Of("System")
	for _, x := range s.Systems {
		if before, known := r.endsBefore(x); known {
			t.Set(t.Find(x.ID), "earliestComponentEolBeforeEnd", before)
		}
	}
}

// endsBefore tells whether a component of a system is out of support before the
// system ends. It is known to be so as soon as one is, and known not to be when
// the ends of all are.
func (r *Report) endsBefore(x register.System) (before, known bool) {
	l := x.Spec.Lifecycle
	all := r.ComponentsOf(x.ID)
	if l == nil || l.End == nil || len(all) == 0 {
		return false, false
	}
	known = true
	for _, c := range all {
		days, ok := 0, false
		if parts := r.component[c.ID]; len(parts) > 0 {
			days, ok = parts[0].Days(r.Today)
		}
		if !ok {
			known = false
		} else if r.Today.AddDays(days).Before(*l.End) {
			return true, true
		}
	}
	return false, known
}

// Suggestion is a product that a name may mean.
type Suggestion struct {
	CPE, EOL string
	Score    float64
}

// Name is a name that lists give to a product.
type Name struct {
	Vendor, Name string
	Versions     []string
	Places       int
	Identity     Identity
	Suggestions  []Suggestion
}

// Curate lists the names that are installed, those without a product first, the
// commonest first.
func (r *Report) Curate() []*Name {
	var all []*Name
	for _, n := range r.called {
		again := *n
		all = append(all, &again)
	}
	slices.SortStableFunc(all, func(a, b *Name) int {
		return cmp.Or(bool2(a.Identity.Joined())-bool2(b.Identity.Joined()), b.Places-a.Places, cmp.Compare(a.Name, b.Name), cmp.Compare(a.Vendor, b.Vendor))
	})
	return all
}

// Suggest ranks what a name may mean, by the words that it shares with the names
// of published products.
func (r *Report) Suggest(n *Name) (out []Suggestion) {
	words := tokens(n.Vendor + " " + n.Name)
	best := map[string]Suggestion{}
	offer := func(cpe, eol, text string) {
		if v := shared(words, tokens(text)); v >= 0.3 {
			key := cmp.Or(eol, cpe)
			if was := best[key]; v > was.Score {
				best[key] = Suggestion{cpe, eol, v}
			}
		}
	}
	for product := range r.cat.cycles {
		offer(r.cat.cpeOf[product], product, product)
	}
	for _, i := range r.Inventory.Identities {
		if i.EOL != "" || i.CPE != "" {
			offer(i.CPE, i.EOL, i.Vendor+" "+i.Name)
		}
	}
	for cpe := range r.cat.kev {
		offer(cpe, r.cat.eolOf[cpe], strings.NewReplacer(":", " ", "_", " ").Replace(cpe))
	}
	for _, s := range best {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Suggestion) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.EOL, b.EOL), cmp.Compare(a.CPE, b.CPE))
	})
	return out[:min(len(out), 3)]
}

func tokens(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.FieldsFunc(Normal(strings.NewReplacer("-", " ", "_", " ").Replace(s)), func(r rune) bool { return r == ' ' }) {
		out[w] = true
	}
	return out
}

// Entry is how the list of exploited vulnerabilities calls a product that may be
// one that the body has.
type Entry struct {
	Vendor, Product string
	Count           int
	Suggestions     []Suggestion
}

// Entries are the names of the list of exploited vulnerabilities that mean no
// product of the body's as they stand, and share words with one.
func (r *Report) Entries() (out []Entry) {
	have := map[string]string{} // words of what is installed, by CPE
	for _, i := range r.Installed {
		if i.Identity.CPE != "" {
			have[i.Identity.CPE] = i.Name + " " + strings.NewReplacer(":", " ", "_", " ").Replace(i.Identity.CPE)
		}
	}
	at := map[[2]string]int{}
	for _, v := range r.Inventory.Vulnerabilities {
		key := [2]string{v.Vendor, v.Product}
		if i, ok := at[key]; ok {
			if i >= 0 {
				out[i].Count++
			}
			continue
		}
		at[key] = -1
		if said := r.cat.look(v.Vendor, v.Product); have[r.cat.cpeOfEntry(v)] != "" || said.By != "" {
			continue
		}
		e := Entry{Vendor: v.Vendor, Product: v.Product, Count: 1}
		for cpe, text := range have {
			if n := shared(without(v.Product, v.Vendor), without(text, v.Vendor)); n >= 0.4 {
				e.Suggestions = append(e.Suggestions, Suggestion{CPE: cpe, Score: n})
			}
		}
		if len(e.Suggestions) > 0 {
			slices.SortFunc(e.Suggestions, func(a, b Suggestion) int { return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.CPE, b.CPE)) })
			e.Suggestions = e.Suggestions[:min(len(e.Suggestions), 3)]
			at[key] = len(out)
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(b.Suggestions[0].Score, a.Suggestions[0].Score), cmp.Compare(b.Count, a.Count))
	})
	return out
}

// without are the words of a name beside those of the vendor, which all of the
// vendor's products share.
func without(name, vendor string) map[string]bool {
	out := tokens(name)
	for w := range tokens(vendor) {
		if len(out) > 1 {
			delete(out, w)
		}
	}
	return out
}

// shared is how much two sets of words have in common, 0 to 1.
func shared(a, b map[string]bool) float64 {
	both := 0
	for w := range a {
		if b[w] {
			both++
		}
	}
	if both == 0 {
		return 0
	}
	return float64(both) / float64(len(a)+len(b)-both)
}
