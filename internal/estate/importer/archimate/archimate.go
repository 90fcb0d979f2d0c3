// Package archimate reads models of the ArchiMate language: the Open Group's
// exchange format (3.x and 2.1) and the files of Archi, with pictures or without.
//
// What is guaranteed. Every element is taken, counted by type as having no place
// here, or told with its line; an element keeps its identifier, so a changed model
// finds what it brought before. A file with a document type, one that is too deep
// or too large, and one that is something else is refused.
//
// What not to assume: that views are kept. What is drawn here is drawn from facts.
package archimate

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/system"
)

// Source is the ArchiMate model.
var Source = importer.Source{
	Name: "archimate", Title: "ArchiMate model", Becomes: "capabilities, systems, interfaces, components and organisations", Unit: "element",
	Doc:    "An ArchiMate model: The Open Group's exchange format (.xml) or a file of Archi (.archimate). Capabilities, application components and interfaces, nodes, system software and business actors are taken, with their properties as labels.",
	Files:  []string{".xml", ".archimate"},
	Detect: detect, Read: readModel,
}

func detect(head []byte, name string) bool {
	if bytes.HasPrefix(head, []byte("PK")) {
		return strings.HasSuffix(strings.ToLower(name), ".archimate")
	}
	text := strings.ReplaceAll(string(head[:min(len(head), 8192)]), "\x00", "")
	return strings.Contains(text, "<model") && strings.Contains(text, "opengroup.org/xsd/archimate") || strings.Contains(text, "archimatetool.com/archimate")
}

// reader turns a model into definitions.
type reader struct {
	*model
	r     *importer.Reading
	ids   map[string]string // of definitions, by element
	used  map[string]bool
	out   map[string][]relation // by where they begin
	into  map[string][]relation
	other map[string]int // elements without a place here, by type
}

var prefixes = map[string]string{
	"Capability": "cap-", "ApplicationComponent": "sys-", "ApplicationInterface": "if-", "BusinessActor": "org-",
	"Node": "cmp-", "Device": "cmp-", "SystemSoftware": "cmp-",
}

func readModel(_ context.Context, in importer.Input) (*importer.Reading, error) {
	if in.Reader == nil {
		return nil, reeve.E(reeve.Invalid, "import", "%s is a folder; this takes a file", in.Name)
	}
	m, err := read(in.Reader, in.Name)
	if err != nil {
		return nil, err
	}
	if len(m.elements) == 0 {
		return nil, invalid("%s has no elements", in.Name)
	}
	a := &reader{model: m, r: &importer.Reading{File: in.Name}, ids: map[string]string{}, used: map[string]bool{}, out: map[string][]relation{}, into: map[string][]relation{}, other: map[string]int{}}
	lost := 0
	for _, r := range m.relations {
		if m.byID[r.from] == nil || m.byID[r.to] == nil {
			lost++ // it begins or ends at another relation
			continue
		}
		a.out[r.from], a.into[r.to] = append(a.out[r.from], r), append(a.into[r.to], r)
	}
	a.identify()
	for _, e := range m.elements {
		a.element(e)
	}
	a.flows()
	a.notes(lost)
	a.r.Sort()
	return a.r, nil
}

// identify gives each element that has a place here its id.
func (a *reader) identify() {
	for _, e := range a.elements {
		prefix, ok := prefixes[e.typ]
		if !ok || a.ids[e.id] != "" {
			continue
		}
		try := prefix + sheet.Slug(e.name)
		for n := 2; a.used[try]; n++ {
			try = fmt.Sprintf("%s%s-%d", prefix, sheet.Slug(e.name), n)
		}
		a.used[try], a.ids[e.id] = true, try
	}
}

func (a *reader) element(e element) {
	a.r.Rows++
	if _, ok := prefixes[e.typ]; !ok {
		a.other[e.typ]++
		a.r.Skipped++
		return
	}
	switch {
	case e.id == "":
		a.r.Fail(e.line, e.name, "the element has no identifier, so it could not be found again")
		return
	case a.byID[e.id].line != e.line:
		a.r.Fail(e.line, e.name, "an element in line %d has the same identifier, and counts", a.byID[e.id].line)
		return
	case e.name == "":
		a.r.Fail(e.line, e.id, "the %s has no name", e.typ)
		return
	}
	var d importer.Definition
	switch e.typ {
	case "Capability":
		d = importer.Define("Capability", a.ids[e.id], e.name, e.line, capability.Spec{Description: a.described(e), Parent: a.whole(e, "Capability")})
	case "BusinessActor":
		d = a.organisation(e)
	case "ApplicationComponent":
		d = a.system(e)
	case "ApplicationInterface":
		owner := a.near(e, "ApplicationComponent", a.into, "Composition", "Aggregation", "Assignment")
		if owner == "" {
			a.r.Fail(e.line, e.name, "no application component has this interface, so it was not taken")
			return
		}
		d = importer.Definition{Kind: "Interface", ID: a.ids[e.id], Name: e.name, Row: e.line, Spec: map[string]any{"system": owner, "style": "api"}, Default: []string{"spec.style"}}
		if text := a.described(e); text != "" {
			d.Spec["description"] = text
		}
	default:
		systems := a.serves(e)
		if len(systems) == 0 {
			a.r.Fail(e.line, e.name, "no relation leads from this %s to an application component, so it is not known what it is a part of", e.typ)
			return
		}
		d = importer.Define("Component", a.ids[e.id], e.name, e.line, component.Spec{Description: a.described(e), System: systems[0], UsedBy: systems[1:]})
	}
	a.label(&d, e)
	a.r.Definitions = append(a.r.Definitions, d)
	a.r.Taken++
}

func (a *reader) described(e element) string {
	text := strings.TrimSpace(strings.ReplaceAll(e.text, "\r\n", "\n"))
	if runes := []rune(text); len(runes) > 4000 {
		a.r.Problem(e.line, e.name, "the documentation has %d characters; the first 4,000 were taken", len(runes))
		text = strings.TrimSpace(string(runes[:4000]))
	}
	return text
}

// label keeps the identifier and the properties.
func (a *reader) label(d *importer.Definition, e element) {
	d.Label("import/archimate", e.id)
	for _, p := range e.properties {
		key, value := sheet.Clean(p[0]), sheet.Clean(p[1])
		if key == "" || value == "" || strings.HasPrefix(key, "import/") {
			continue
		}
		if runes := []rune(value); len(runes) > 500 {
			a.r.Problem(e.line, e.name, "the property %q has %d characters; the first 500 were taken", key, len(runes))
			value = string(runes[:500])
		}
		d.Labels[key] = value
	}
	if e.typ == "Device" || e.typ == "Node" || e.typ == "SystemSoftware" {
		d.Labels["archimate"] = e.typ
	}
}

// whole is the element of the same type that this one is a part of. A ring is told
// and cut where it closes.
func (a *reader) whole(e element, typ string) string {
	parent := a.partOf(e.id, typ)
	seen := map[string]bool{e.id: true}
	for at := parent; at != ""; at = a.partOf(at, typ) {
		if at == e.id {
			a.r.Problem(e.line, e.name, "it is a part of itself: the parts go round in a ring; it was taken as standing alone")
			return ""
		}
		if seen[at] {
			break
		}
		seen[at] = true
	}
	return a.ids[parent]
}

func (a *reader) partOf(id, typ string) string {
	for _, kind := range []string{"Composition", "Aggregation"} {
		for _, r := range a.into[id] {
			if r.typ == kind && a.byID[r.from].typ == typ && r.from != id {
				return r.from
			}
		}
	}
	return ""
}

// near is the definition of the first element of a type that a relation joins to e.
func (a *reader) near(e element, typ string, side map[string][]relation, kinds ...string) string {
	for _, kind := range kinds {
		for _, r := range side[e.id] {
			other := r.from
			if other == e.id {
				other = r.to
			}
			if r.typ == kind && a.byID[other].typ == typ {
				return a.ids[other]
			}
		}
	}
	return ""
}

func (a *reader) organisation(e element) importer.Definition {
	spec := organisation.Spec{Type: "partner", Parent: a.whole(e, "BusinessActor")}
	if spec.Parent != "" {
		spec.Type = "department"
	}
	given := false
	for _, p := range e.properties {
		if strings.EqualFold(p[0], "type") && slices.Contains([]string{"council", "department", "team", "partner", "supplier"}, strings.ToLower(p[1])) {
			spec.Type, given = strings.ToLower(p[1]), true
		}
	}
	d := importer.Define("Organisation", a.ids[e.id], e.name, e.line, spec)
	if !given {
		d.Default = []string{"spec.type"}
	}
	return d
}

func (a *reader) system(e element) importer.Definition {
	s := system.Spec{Description: a.described(e), Organisation: a.near(e, "BusinessActor", a.into, "Assignment", "Association", "Composition", "Aggregation")}
	for _, r := range a.out[e.id] {
		to := a.byID[r.to]
		if to.typ == "Capability" && (r.typ == "Realization" || r.typ == "Serving" || r.typ == "Assignment" || r.typ == "Association") && !slices.Contains(s.Capabilities, a.ids[to.id]) {
			s.Capabilities = append(s.Capabilities, a.ids[to.id])
		}
	}
	slices.Sort(s.Capabilities)
	d := importer.Define("System", a.ids[e.id], e.name, e.line, s)
	if whole := a.partOf(e.id, "ApplicationComponent"); whole != "" {
		d.Labels = map[string]string{"part-of": a.byID[whole].name}
	}
	return d
}

// serves are the systems that a part of the technology works for: application
// components that relations lead to, over at most four steps. The nearest is the
// first.
func (a *reader) serves(e element) []string {
	var out []string
	seen := map[string]bool{e.id: true}
	for edge, steps := []string{e.id}, 0; len(edge) > 0 && steps < 4 && len(out) == 0; steps++ {
		var next []string
		for _, at := range edge {
			var to []string
			for _, r := range a.out[at] {
				switch r.typ {
				case "Serving", "Realization", "Assignment", "Composition", "Aggregation":
					to = append(to, r.to)
				}
			}
			for _, r := range a.into[at] {
				if r.typ == "Composition" || r.typ == "Aggregation" {
					to = append(to, r.from)
				}
			}
			for _, id := range to {
				if seen[id] {
					continue
				}
				seen[id] = true
				if a.byID[id].typ == "ApplicationComponent" {
					out = append(out, a.ids[id])
				}
				next = append(next, id)
			}
		}
		edge = next
	}
	slices.Sort(out)
	return out
}

// flows tells what flows between systems: it needs an agreement here, which a
// model does not have.
func (a *reader) flows() {
	for _, r := range a.relations {
		from, to := a.byID[r.from], a.byID[r.to]
		if r.typ == "Flow" && from != nil && to != nil && from.typ == "ApplicationComponent" && to.typ == "ApplicationComponent" {
			a.r.Problem(r.line, "Flow", "from %s to %s: declare it as a flow with its record type and agreement; without an agreement nothing may flow here", quoted(from.name), quoted(to.name))
		}
	}
}

func quoted(s string) string { return fmt.Sprintf("%q", s) }

func (a *reader) notes(lost int) {
	if len(a.other) > 0 {
		types := slices.SortedFunc(maps.Keys(a.other), func(x, y string) int { return cmp.Or(a.other[y]-a.other[x], cmp.Compare(x, y)) })
		var parts []string
		for _, t := range types {
			parts = append(parts, fmt.Sprintf("%d %s", a.other[t], t))
		}
		a.r.Note("Left out, because there is no place for them here: %s.", strings.Join(parts, ", "))
	}
	if lost > 0 {
		a.r.Note("Relations that begin or end at another relation, or at an element that is not in the file, were not used: %d.", lost)
	}
	a.r.Note("The model %q has %s; views are not kept.", a.model.name, sheet.Plural(len(a.relations), "relation"))
}
