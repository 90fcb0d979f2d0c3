// Package search finds what the estate holds while somebody types: systems,
// capabilities, organisations, contracts, interfaces, flows, record types,
// services, standards, components and assets.
//
// What is guaranteed: everything that has a word beginning like each word of the
// query is found, the best first; what only nearly fits (inside of a word, a
// letter wrong) is found where nothing fits. Who holds an asset is not indexed.
package search

import (
	"net/url"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Entry is something that can be found.
type Entry struct {
	Kind     string // as in the definitions; "Supplier" for an organisation that supplies
	ID, Name string
	Detail   string // what tells it from others of its name
	Href     string
}

// Found is the answer to a query.
type Found struct {
	Query  string
	Hits   []Entry // the best first
	Kinds  []Count // how many of each kind, all told
	Total  int
	Nearly bool // nothing fits; these nearly do
}

// Count is how many of a kind were found.
type Count struct {
	Kind string
	N    int
}

// kinds are the kinds of entry, in the order in which people look for them.
var kinds = []string{"System", "Capability", "Service", "Organisation", "Supplier", "SupplierContract", "Interface", "Flow", "RecordType", "Component", "Standard", "Objective", "RoadmapItem", "Site", "Asset"}

// Search makes indexes and keeps them. The zero value is ready.
type Search struct {
	defs   register.Kept[*register.Model, *segment]
	assets register.Kept[*inventory.Inventory, *segment]
}

// Index is what can be found in the estate at a moment.
type Index struct{ segments []*segment }

// Index is the index of a snapshot, made when it is first asked for. What was
// declared and what was imported are indexed apart, so that a change of one does
// not index the other again.
func (s *Search) Index(snap *register.Snapshot) *Index {
	return &Index{[]*segment{
		s.defs.Get(snap.Model, func() *segment { return definitions(snap) }),
		s.assets.Get(snap.Inventory, func() *segment { return assets(snap) }),
	}}
}

// Find looks for a text. At most max hits are given; kind, if not empty, is the
// only one wanted.
func (x *Index) Find(text, kind string, max int) Found {
	f := Found{Query: strings.TrimSpace(text)}
	query := wordsOf(cutText(f.Query))
	if len(query) == 0 || max <= 0 {
		return f
	}
	for _, how := range []match{beginning, loosely} {
		if x.find(&f, query, kind, max, how); f.Total > 0 {
			f.Nearly = how == loosely
			break
		}
	}
	return f
}

// Like looks for what has something to do with a text of some words: any of them
// counts, the more the better.
func (x *Index) Like(text, kind string, max int) Found {
	f := Found{Query: strings.TrimSpace(text)}
	query := slices.DeleteFunc(wordsOf(cutText(f.Query)), func(w string) bool { return len(w) < 3 || strings.Contains(small, " "+w+" ") })
	if len(query) > 0 && max > 0 {
		x.find(&f, query, kind, max, anyWord)
	}
	return f
}

// small are the words that say nothing of what is meant.
const small = " the and for with our from that this are can not all who has have was will new use want need needs would "

// longestQuery is how many bytes of a query count.
const longestQuery = 200

func cutText(s string) string {
	if len(s) > longestQuery {
		return s[:longestQuery]
	}
	return s
}

func (x *Index) find(f *Found, query []string, kind string, max int, how match) {
	top := best{max: max}
	whole := strings.Join(query, " ")
	n, looked := make([]int, len(kinds)), 0
	for _, s := range x.segments {
		for doc, score := range s.find(query, how) {
			if score == 0 {
				continue
			}
			k := s.kind(doc)
			n[k]++
			if kind != "" && kinds[k] != kind {
				continue
			}
			// Where both fit as well, what people look for most stands before the rest.
			h := hit{s, doc, int(score)*8 + (len(kinds)-k)*12}
			if looked < mostLooked && (len(top.hits) < max || h.score+whollyNamed > top.hits[len(top.hits)-1].score) {
				looked++
				h.score += named(s.entry(doc), whole)
				top.add(h)
			}
		}
	}
	for i, k := range kinds {
		if n[i] > 0 {
			f.Kinds = append(f.Kinds, Count{k, n[i]})
			f.Total += n[i]
		}
	}
	for _, h := range top.hits {
		f.Hits = append(f.Hits, h.seg.entry(h.doc))
	}
}

const (
	whollyNamed = 800    // the most that a name adds
	mostLooked  = 10_000 // how many names are looked at: more fit only a query that says next to nothing
)

// named is what it adds that the whole query is the name, the id, or its beginning.
func named(e Entry, whole string) int {
	name := strings.Join(wordsOf(e.Name), " ")
	switch {
	case name == whole || strings.Join(wordsOf(e.ID), " ") == whole:
		return whollyNamed
	case strings.HasPrefix(name, whole):
		return whollyNamed/2 - min(len(name)-len(whole), 100)
	}
	return -min(len(name), 100)
}

// definitions indexes what is declared.
func definitions(s *register.Snapshot) *segment {
	var all []Entry
	more := map[int][]string{} // other words to find it by
	add := func(kind string, o *def.Object, detail, href string, words ...string) {
		name := o.Name
		if name == "" {
			name = o.ID
		}
		all = append(all, Entry{kind, o.ID, name, detail, href})
		more[len(all)-1] = append(append(words, o.Formerly...), detail)
	}
	path := func(base, id string) string { return "/staff/estate/" + base + "/" + url.PathEscape(id) }
	on := func(what, id string) string { return "/staff/estate/map?at=" + url.QueryEscape(what+"/"+id) }
	systemName := func(id string) string {
		if x, ok := s.System(id); ok {
			return x.Name
		}
		return id
	}
	for _, x := range s.Systems {
		detail := x.Spec.Product
		if x.Spec.Organisation != "" {
			detail = strings.TrimPrefix(detail+", "+s.OrganisationName(x.Spec.Organisation), ", ")
		}
		add("System", x.Object, detail, path("systems", x.ID), x.Spec.Description)
	}
	for _, c := range s.Capabilities {
		parent, _ := s.Capability(c.Spec.Parent)
		detail := ""
		if parent.Object != nil {
			detail = "Part of " + parent.Name
		}
		add("Capability", c.Object, detail, path("capabilities", c.ID), c.Spec.Description)
	}
	for _, o := range s.Set.Objects() {
		if o.Kind != "Organisation" {
			continue
		}
		x := s.Organisations[o.ID]
		kind := "Organisation"
		if x.Spec.Type == "supplier" {
			kind = "Supplier"
		}
		detail := ""
		if x.Spec.Parent != "" {
			detail = "Part of " + s.OrganisationName(x.Spec.Parent)
		}
		add(kind, o, detail, on("organisation", o.ID))
	}
	for _, k := range s.Contracts {
		detail := ""
		if k.Spec.Supplier != "" {
			detail = "With " + s.OrganisationName(k.Spec.Supplier)
		}
		add("SupplierContract", k.Object, detail, on("contract", k.ID), k.Spec.Reference)
	}
	for _, i := range s.Interfaces {
		add("Interface", named0(i.Object, i.ID, i.Name), "Of "+systemName(i.System), on("interface", i.ID))
	}
	for _, f := range s.Flows {
		add("Flow", named0(f.Object, f.ID, f.Name), systemName(f.From)+" to "+systemName(f.To), on("flow", f.ID), f.Record)
	}
	for _, t := range s.RecordTypes {
		add("RecordType", named0(t.Object, t.ID, t.Name), "", on("record", t.ID))
	}
	for _, c := range s.Components {
		add("Component", c.Object, strings.TrimSpace(c.Spec.Product.Name+" "+c.Spec.Product.Version), on("component", c.ID), c.Spec.Description)
	}
	for _, x := range s.Sites {
		add("Site", x.Object, "", on("site", x.ID))
	}
	for _, x := range def.All[catalogue.Spec](s.Set) {
		add("Service", x.Object, "", "/staff/services/"+url.PathEscape(x.ID), x.Spec.Description)
	}
	if s.Pack != nil {
		for _, x := range s.Pack.Standards {
			add("Standard", x.Object, "", path("standards", x.ID), x.Spec.Principle)
		}
	}
	for _, x := range def.All[roadmap.ObjectiveSpec](s.Set) {
		add("Objective", x.Object, "", "/staff/estate/objectives#"+url.PathEscape(x.ID), x.Spec.Description)
	}
	for _, x := range def.All[roadmap.ItemSpec](s.Set) {
		add("RoadmapItem", x.Object, "", "/staff/estate/roadmap#"+url.PathEscape(x.ID), x.Spec.Description)
	}
	b, ranks := newBuilder(len(all)), make([]int, len(all))
	for i, e := range all {
		ranks[i] = slices.Index(kinds, e.Kind)
		b.name(i, e.Name)
		b.name(i, e.ID)
		for _, w := range more[i] {
			b.detail(i, w)
		}
	}
	return b.segment(len(all), func(i int) Entry { return all[i] }, func(i int) int { return ranks[i] })
}

// named0 stands in for a definition that the exchange keeps to itself.
func named0(o *def.Object, id, name string) *def.Object {
	if o != nil {
		return o
	}
	return &def.Object{ID: id, Name: name}
}

// assets indexes things by everything but their holder.
func assets(s *register.Snapshot) *segment {
	all := s.Assets
	b := newBuilder(len(all))
	for i := range all {
		a := &all[i]
		b.name(i, a.ID)
		if a.Name != a.ID {
			b.name(i, a.Name)
		}
		b.name(i, a.Serial)
		b.detail(i, a.Type)
		b.detail(i, a.Maker)
		b.detail(i, a.Model)
		b.detail(i, a.Site)
	}
	rank := slices.Index(kinds, "Asset")
	return b.segment(len(all), func(i int) Entry {
		a := &all[i]
		name := a.Name
		if name == "" {
			name = a.ID
		}
		return Entry{"Asset", a.ID, name, strings.TrimSpace(strings.Join([]string{a.Type, a.Maker, a.Model}, " ")), "/staff/estate/assets/" + url.PathEscape(a.ID)}
	}, func(int) int { return rank })
}
