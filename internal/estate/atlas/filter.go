package atlas

import (
	"net/url"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/words"
)

// Query is all that a map is asked for; it is the address of the page.
type Query struct {
	At   Place
	With Place  // only what goes between At and it
	By   string // of the whole estate: "organisation" or "system"; "" is by capability
	Show string // "", "depends" or "stops"

	Text                               string
	Organisation, Capability, Supplier string
	Hosting, Phase, Class              string // "unknown": of which nobody has said it
	Standard, Result                   string
	State                              State
	Record                             string
	On                                 string // the day looked at, kept in every link
}

// ParseQuery reads an address.
func ParseQuery(q url.Values) Query {
	return Query{
		At: ParsePlace(q.Get("at")), With: ParsePlace(q.Get("with")), By: q.Get("by"), Show: q.Get("show"), Text: strings.TrimSpace(q.Get("q")),
		Organisation: q.Get("organisation"), Capability: q.Get("capability"), Supplier: q.Get("supplier"), Hosting: q.Get("hosting"), Phase: q.Get("phase"), Class: q.Get("class"),
		Standard: q.Get("standard"), Result: q.Get("result"), State: State(q.Get("state")), Record: q.Get("record"), On: q.Get("on"),
	}
}

// Live is every flow that Reeve carries, system by system.
var Live = Query{By: AtSystem, State: Carried}

// Values is the query as an address.
func (q Query) Values() url.Values {
	v := url.Values{}
	for name, s := range map[string]string{
		"at": q.At.String(), "with": q.With.String(), "by": q.By, "show": q.Show, "q": q.Text, "organisation": q.Organisation, "capability": q.Capability, "supplier": q.Supplier, "hosting": q.Hosting,
		"phase": q.Phase, "class": q.Class, "standard": q.Standard, "result": q.Result, "state": string(q.State), "record": q.Record, "on": q.On,
	} {
		if s != "" {
			v.Set(name, s)
		}
	}
	return v
}

// Href is the address of the page.
func (q Query) Href() string { return q.address("/staff/estate/map") }

// SVG is the address of the drawing alone.
func (q Query) SVG() string { return q.address("/staff/estate/map.svg") }

func (q Query) address(path string) string {
	if v := q.Values().Encode(); v != "" {
		return path + "?" + v
	}
	return path
}

// at is the same query of another place.
func (q Query) at(p Place) Query {
	q.At, q.With, q.Show = p, Place{}, ""
	return q
}

func (q Query) ofSystems() bool {
	return q.Text+q.Organisation+q.Capability+q.Supplier+q.Hosting+q.Phase+q.Class+q.Standard+q.Result != ""
}

// chooser tells which systems a query means.
func (x *Index) chooser(q Query) func(id string) bool {
	if !q.ofSystems() {
		return func(string) bool { return true }
	}
	var among []map[string]bool
	set := func(ids []string) {
		m := map[string]bool{}
		for _, id := range ids {
			m[id] = true
		}
		among = append(among, m)
	}
	if q.Organisation != "" {
		set(x.orgWithin[x.Set.Present("Organisation", q.Organisation)])
	}
	if q.Capability != "" {
		set(x.within[x.Set.Present("Capability", q.Capability)])
	}
	if q.Supplier != "" {
		var ids []string
		for _, k := range x.contracts[x.Set.Present("Organisation", q.Supplier)] {
			ids = append(ids, x.Pays[k.ID]...)
		}
		set(ids)
	}
	judged := x.judged(q)
	text := strings.ToLower(q.Text)
	return func(id string) bool {
		s, ok := x.System(id)
		if !ok {
			return false
		}
		for _, m := range among {
			if !m[id] {
				return false
			}
		}
		switch {
		case text != "" && !strings.Contains(strings.ToLower(s.Name+" "+s.ID+" "+s.Spec.Description+" "+s.Spec.Product), text):
		case q.Hosting != "" && q.Hosting != words.Or(s.Spec.Hosting, "unknown"):
		case q.Phase == "in-use" && !s.Spec.InUse():
		case q.Phase != "" && q.Phase != "in-use" && q.Phase != words.Or(s.Spec.Phase(), "unknown"):
		case q.Class != "" && q.Class != x.className(id):
		case !judged(id):
		default:
			return true
		}
		return false
	}
}

func (x *Index) judged(q Query) func(id string) bool {
	if q.Standard == "" && q.Result == "" || x.Outcome == nil {
		return func(string) bool { return true }
	}
	var of []*standard.Standing
	for i := range x.Outcome.Standings {
		st := &x.Outcome.Standings[i]
		if t := st.Table(); t != nil && t.Kind == "System" && (q.Standard == "" || q.Standard == st.ID) {
			of = append(of, st)
		}
	}
	return func(id string) bool {
		return slices.ContainsFunc(of, func(st *standard.Standing) bool {
			n := st.Table().Find(id)
			if n < 0 {
				return false
			}
			r := st.Result(n)
			return r != "" && (q.Result == "" || string(r) == q.Result)
		})
	}
}

func (x *Index) className(id string) string {
	if c, ok := x.ClassOf(id); ok {
		return c.String()
	}
	return "unknown"
}

// means reports whether a query means a flow, by its state and record type.
func (q Query) means(x *Index, f *Flow) bool {
	return (q.State == "" || q.State == f.State || q.State == Carried && f.State != Elsewhere) && (q.Record == "" || x.Set.Present("RecordType", f.Record) == x.Set.Present("RecordType", q.Record))
}

// suppliers are the organisations with a contract, by name.
func (x *Index) suppliers() (out []register.Organisation) {
	for id := range x.contracts {
		if o, ok := x.Organisations[id]; ok {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b register.Organisation) int { return strings.Compare(a.Name, b.Name) })
	return out
}
