// Package refs finds what a field of a form may refer to: definitions and people, by
// their id and by their name.
package refs

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// person stands among kinds for who is in the directory.
const person = "person"

// Kinds are those that a field may refer to; nil if it refers to nothing.
func Kinds(p def.Property) []string {
	if p.Person {
		return []string{person}
	}
	return p.Refs
}

// A Ref is something that a field may refer to.
type Ref struct{ ID, Name string }

// Text is how a form shows it; it is read back as its id.
func (r Ref) Text() string {
	if r.Name == "" || r.Name == r.ID {
		return r.ID
	}
	return r.Name + " (" + r.ID + ")"
}

// Finder finds what the fields of one form may refer to.
type Finder struct {
	set  *def.Set
	now  *register.Snapshot // whose directory knows people
	by   map[string][]Ref   // by the kinds that are meant
	used []string           // of these, those that a form offers in a datalist
}

// New finds among the definitions of a set, and the people of the estate now.
func New(set *def.Set, now *register.Snapshot) *Finder {
	return &Finder{set: set, now: now, by: map[string][]Ref{}}
}

// lookup is the name of what an id leads to.
func (x *Finder) lookup(kind, id string) (name string, ok bool) {
	if kind == person {
		f := x.now.Directory.Find(id)
		return f.Person.Name, f.OK
	}
	o, ok := x.set.Lookup(kind, id)
	if !ok {
		return "", false
	}
	return o.Name, true
}

// All are the definitions of some kinds, by name, or the people who are there now.
func (x *Finder) All(kinds []string) []Ref {
	key := strings.Join(kinds, " ")
	all, ok := x.by[key]
	if ok {
		return all
	}
	for _, o := range x.set.Objects() {
		if slices.Contains(kinds, o.Kind) {
			all = append(all, Ref{o.ID, o.Name})
		}
	}
	if slices.Contains(kinds, person) {
		for _, p := range x.now.Inventory.People {
			if p.Active {
				all = append(all, Ref{p.ID, p.Name})
			}
		}
	}
	slices.SortFunc(all, func(a, b Ref) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	x.by[key] = all
	return all
}

// List is the id of the datalist that offers definitions of some kinds.
func (x *Finder) List(kinds []string) string {
	key := strings.Join(kinds, " ")
	if !slices.Contains(x.used, key) {
		x.used = append(x.used, key)
	}
	return "refs-" + strings.ReplaceAll(key, " ", "-")
}

// mostListed is the most of what a datalist offers: a page does not grow with the
// estate. What is not offered is found by its name or id all the same.
const mostListed = 3000

// Lists are the datalists that a form needs.
func (x *Finder) Lists() (out []Datalist) {
	for _, key := range x.used {
		kinds := strings.Fields(key)
		all := x.All(kinds)
		out = append(out, Datalist{x.List(kinds), all[:min(len(all), mostListed)]})
	}
	return out
}

// Datalist is what a form offers for some fields.
type Datalist struct {
	ID    string
	Items []Ref
}

// Shown is a reference as a form shows it: "Mosaic (sys-mosaic)". An id that leads
// nowhere stays as it is.
func (x *Finder) Shown(kinds []string, id string) string {
	for _, k := range kinds {
		if name, ok := x.lookup(k, id); ok {
			return Ref{id, name}.Text()
		}
	}
	return id
}

// Read finds the id that somebody meant by what a form shows, by an id, or by a name
// that only one has. Anything else stays as it is, and is refused as an id that leads
// nowhere, unless it is a person. several are the ids of a name that more than one has.
func (x *Finder) Read(kinds []string, text string) (id string, several []string) {
	known := func(id string) bool {
		return slices.ContainsFunc(kinds, func(k string) bool { _, ok := x.lookup(k, id); return ok })
	}
	if text == "" || known(text) {
		return text, nil
	}
	if open := strings.LastIndex(text, " ("); open > 0 && strings.HasSuffix(text, ")") {
		if in := text[open+2 : len(text)-1]; known(in) {
			return in, nil
		}
	}
	for _, r := range x.All(kinds) {
		if strings.EqualFold(r.Name, text) {
			several = append(several, r.ID)
		}
	}
	if len(several) == 1 {
		return several[0], nil
	}
	return text, several
}
