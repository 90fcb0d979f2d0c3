package edit

import (
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/edit/refs"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// empty is how many empty fields a list of references ends with, to add to it.
const empty = 2

// offer offers what a field may refer to. Who is not in the directory may be written
// all the same.
func (m *formMaker) offer(in *input, p def.Property) {
	kinds := refs.Kinds(p)
	all := m.refs.All(kinds)
	if p.Person && len(all) == 0 {
		return
	}
	if p.Person || len(all) > mostOffered {
		if in.List = m.refs.List(kinds); m.form == nil {
			in.Value = m.refs.Shown(kinds, in.Value)
		}
		in.Hint = strings.TrimSpace(in.Hint + " Type a part of the name and choose, or write the id.")
		return
	}
	in.Type = "select"
	in.Options = []ui.SelectItem{{Value: "", Text: "Not said"}}
	found := in.Value == ""
	for _, r := range all {
		in.Options = append(in.Options, ui.SelectItem{Value: r.ID, Text: r.Text()})
		found = found || r.ID == in.Value
	}
	if !found {
		in.Options = append(in.Options, ui.SelectItem{Value: in.Value, Text: m.refs.Shown(kinds, in.Value)})
	}
}

// offerMany makes the fields of a list of references: one for each, and some more.
func (m *formMaker) offerMany(in *input, p def.Property, path string, items []any) {
	in.Type, in.List = "refs", m.refs.List(p.Refs)
	if m.form != nil {
		in.Values = several(m.form[path])
	} else {
		for _, x := range items {
			in.Values = append(in.Values, m.refs.Shown(p.Refs, shown(x)))
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
	id, more := s.refs.Read(kinds, text)
	if len(more) > 0 {
		s.errors.Add(fieldID(path), "%s: %s have that name. Choose one of them with its id", label, strings.Join(more, ", "))
	}
	return id
}
