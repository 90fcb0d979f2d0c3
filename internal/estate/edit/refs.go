package edit

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// empty is how many empty fields a list of references ends with, to add to it.
const empty = 2

// reference is something that a field may refer to.
type reference struct{ ID, Name string }

// text is how a form shows it; it is read back as its id.
func (r reference) text() string {
	if r.Name == "" || r.Name == r.ID {
		return r.ID
	}
	return r.Name + " (" + r.ID + ")"
}

// references finds what fields may refer to, by id and by name.
type references struct {
	set  *def.Set
	by   map[string][]reference // by the kinds that are meant
	used []string               // of these, those that a form offers in a datalist
}

func refer(set *def.Set) *references { return &references{set: set, by: map[string][]reference{}} }

// of are the definitions of some kinds, by name.
func (x *references) of(kinds []string) []reference {
	key := strings.Join(kinds, " ")
	all, ok := x.by[key]
	if ok {
		return all
	}
	for _, o := range x.set.Objects() {
		if slices.Contains(kinds, o.Kind) {
			all = append(all, reference{o.ID, o.Name})
		}
	}
	slices.SortFunc(all, func(a, b reference) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.ID, b.ID))
	})
	x.by[key] = all
	return all
}

// list is the id of the datalist that offers definitions of some kinds.
func (x *references) list(kinds []string) string {
	key := strings.Join(kinds, " ")
	if !slices.Contains(x.used, key) {
		x.used = append(x.used, key)
	}
	return "refs-" + strings.ReplaceAll(key, " ", "-")
}

// mostListed is the most of what a datalist offers: a page does not grow with the
// estate. What is not offered is found by its name or id all the same.
const mostListed = 3000

// lists are the datalists that a form needs.
func (x *references) lists() (out []datalist) {
	for _, key := range x.used {
		kinds := strings.Fields(key)
		all := x.of(kinds)
		out = append(out, datalist{x.list(kinds), all[:min(len(all), mostListed)]})
	}
	return out
}

type datalist struct {
	ID    string
	Items []reference
}

// shown is a reference as a form shows it: "Mosaic (sys-mosaic)". An id that leads
// nowhere stays as it is.
func (x *references) shown(kinds []string, id string) string {
	for _, k := range kinds {
		if o, ok := x.set.Lookup(k, id); ok {
			return reference{id, o.Name}.text()
		}
	}
	return id
}

// read finds the id that somebody meant by what a form shows, by an id, or by a name
// that only one has. Anything else stays as it is, and is refused as an id that
// leads nowhere. several are the ids of a name that more than one has.
func (x *references) read(kinds []string, text string) (id string, several []string) {
	known := func(id string) bool {
		return slices.ContainsFunc(kinds, func(k string) bool { _, ok := x.set.Lookup(k, id); return ok })
	}
	if text == "" || known(text) {
		return text, nil
	}
	if open := strings.LastIndex(text, " ("); open > 0 && strings.HasSuffix(text, ")") {
		if in := text[open+2 : len(text)-1]; known(in) {
			return in, nil
		}
	}
	for _, r := range x.of(kinds) {
		if strings.EqualFold(r.Name, text) {
			several = append(several, r.ID)
		}
	}
	if len(several) == 1 {
		return several[0], nil
	}
	return text, several
}

// offer offers the definitions that a field may refer to.
func (m *formMaker) offer(in *input, p def.Property) {
	all := m.refs.of(p.Refs)
	if len(all) > mostOffered {
		if in.List = m.refs.list(p.Refs); m.form == nil {
			in.Value = m.refs.shown(p.Refs, in.Value)
		}
		in.Hint = strings.TrimSpace(in.Hint + " Type a part of the name and choose, or write the id.")
		return
	}
	in.Type = "select"
	in.Options = []ui.SelectItem{{Value: "", Text: "Not said"}}
	found := in.Value == ""
	for _, r := range all {
		in.Options = append(in.Options, ui.SelectItem{Value: r.ID, Text: r.text()})
		found = found || r.ID == in.Value
	}
	if !found {
		in.Options = append(in.Options, ui.SelectItem{Value: in.Value, Text: m.refs.shown(p.Refs, in.Value)})
	}
}

// offerMany makes the fields of a list of references: one for each, and some more.
func (m *formMaker) offerMany(in *input, p def.Property, path string, items []any) {
	in.Type, in.List = "refs", m.refs.list(p.Refs)
	if m.form != nil {
		in.Values = several(m.form[path])
	} else {
		for _, x := range items {
			in.Values = append(in.Values, m.refs.shown(p.Refs, shown(x)))
		}
	}
	for range empty {
		in.Values = append(in.Values, "")
	}
}

// several are the values of a list that was sent, in fields of their own or one on
// each line.
func several(sent []string) (out []string) {
	for _, v := range sent {
		for l := range strings.Lines(clean(v)) {
			if l = strings.TrimSpace(l); l != "" {
				out = append(out, l)
			}
		}
	}
	return out
}

// reference reads one reference of a form.
func (s *sent) reference(kinds []string, label, path, text string) string {
	if s.refs == nil || len(kinds) == 0 {
		return text
	}
	id, more := s.refs.read(kinds, text)
	if len(more) > 0 {
		s.errors.Add(fieldID(path), "%s: %s have that name. Choose one of them with its id", label, strings.Join(more, ", "))
	}
	return id
}
