package importer

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Memory is what the imports of a source said before. It is how a value that a
// person changed is told from one that the list changed.
type Memory struct {
	Source string                       `json:"source"`
	File   string                       `json:"file,omitempty"` // that was last read
	Said   map[string]map[string]string `json:"said"`           // "System/sys-rents" to field to its value as JSON
}

// What becomes of a definition or of one of its fields.
const (
	Added       = "added"
	Changed     = "changed"
	Same        = "same"
	Conflicting = "conflicting" // a person decides
	Kept        = "kept"        // a person changed it since, and the list still says what it said
	Gone        = "gone"        // the list has it no more
)

// Change is what becomes of one definition.
type Change struct {
	Kind   string  `json:"kind"`
	ID     string  `json:"id"`
	Name   string  `json:"name"`
	What   string  `json:"what"`
	By     string  `json:"matchedBy,omitempty"` // how it was found: id, name, label:reference, identifier:gss
	Row    int     `json:"row,omitempty"`
	File   string  `json:"file,omitempty"`   // that it stands in, for one that is there
	Fields []Field `json:"fields,omitempty"` // that are not the same

	whole Definition // for one that is added
}

// Ref is "System/sys-rents".
func (c *Change) Ref() string { return c.Kind + "/" + c.ID }

// Field is what becomes of one field.
type Field struct {
	Path  string `json:"path"` // spec.lifecycle.phase
	What  string `json:"what"`
	Here  any    `json:"here"`  // nil: nothing is said
	There any    `json:"there"` // what the list says
	Taken bool   `json:"taken"` // the list's value is what will stand

	keys []string
}

// Keys are the names on the way to the field.
func (f *Field) Keys() []string { return f.keys }

// Plan is what an import would do.
type Plan struct {
	*Reading
	Changes []Change // what is the same is counted, not listed

	// Of the definitions in the file: together they are all of them.
	Added, Changed, Same, Conflicting int
	Doubled                           int // that turned out to be one with an earlier one
	Gone                              int // that an earlier import of the source made and this one does not have

	Memory Memory // to be kept when the plan is carried out
	reg    *def.Registry
}

// Choose says, for a field in conflict, that the list's value is to be taken. The
// name of a field is "System/sys-rents spec.users".
type Choose func(field string) bool

// Nothing keeps what is here.
func Nothing(string) bool { return false }

// These takes from the file what is named, like "System/sys-rents spec.users", or
// everything where that is "all".
func These(fields ...string) Choose {
	take := map[string]bool{}
	for _, f := range fields {
		take[strings.TrimSpace(f)] = true
	}
	return func(field string) bool { return take["all"] || take[field] }
}

// Merge finds what a reading means for a set of definitions; nil for none.
func Merge(set *def.Set, reg *def.Registry, r *Reading, was Memory, take Choose) *Plan {
	m := &merger{set: set, kinds: reg.Kinds(), was: was, take: take, refs: map[string][]refField{}, present: map[string]string{}, used: map[string]int{},
		plan: &Plan{Reading: r, reg: reg, Memory: Memory{Source: r.Source, File: r.File, Said: map[string]map[string]string{}}}}
	maps.Copy(m.plan.Memory.Said, was.Said)
	m.index()
	found := make([]*def.Object, len(r.Definitions))
	by := make([]string, len(r.Definitions))
	for i := range r.Definitions {
		d := &r.Definitions[i]
		found[i], by[i] = m.find(d)
		ref := d.Kind + "/" + d.ID
		if found[i] != nil {
			m.present[ref] = found[i].ID
			continue
		}
		m.present[ref] = m.free(d)
	}
	for i, d := range r.Definitions {
		d.ID = m.present[d.Kind+"/"+d.ID]
		d.Spec = m.point(d.Kind, d.Spec)
		ref := d.Kind + "/" + d.ID
		if first, twice := m.used[ref]; twice {
			m.plan.Doubled++
			if !d.Minor {
				r.Problem(d.Row, "", "it is the same %s (%s) as in row %d, which counts", d.Kind, d.ID, first)
			}
			continue
		}
		m.used[ref] = d.Row
		if found[i] == nil {
			m.add(d)
		} else {
			m.compare(d, found[i], by[i])
		}
	}
	m.gone()
	r.Sort()
	slices.SortStableFunc(m.plan.Changes, func(a, b Change) int {
		return cmp.Or(cmp.Compare(weight(a.What), weight(b.What)), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return m.plan
}

func weight(what string) int {
	return slices.Index([]string{Conflicting, Changed, Added, Kept, Gone}, what)
}

type merger struct {
	set     *def.Set
	kinds   []def.Kind
	was     Memory
	take    Choose
	plan    *Plan
	byKey   map[string]*def.Object
	refs    map[string][]refField // of the kinds
	present map[string]string     // what a proposed id became
	used    map[string]int        // definitions seen, and their row
	claimed map[string]bool
}

// index gathers what definitions are known by.
func (m *merger) index() {
	m.byKey, m.claimed = map[string]*def.Object{}, map[string]bool{}
	if m.set == nil {
		return
	}
	again := map[string]bool{}
	put := func(o *def.Object, key string) {
		key = o.Kind + "/" + key
		if old, ok := m.byKey[key]; ok && old != o {
			again[key] = true // it names two: it decides nothing
		}
		m.byKey[key] = o
	}
	for _, o := range m.set.Objects() {
		put(o, "name:"+sheet.Words(o.Name))
		for k, v := range o.Labels {
			put(o, "label:"+k+"="+v)
		}
		spec, _ := o.Value()["spec"].(map[string]any)
		for k, v := range spec {
			if s, ok := v.(string); ok && k == "reference" {
				put(o, "spec:"+k+"="+s)
			}
		}
		numbers, _ := spec["identifiers"].(map[string]any)
		for k, v := range numbers {
			put(o, fmt.Sprintf("identifier:%s=%v", k, v))
		}
	}
	for key := range again {
		delete(m.byKey, key)
	}
}

// find finds what a definition is here already, and how it was known.
func (m *merger) find(d *Definition) (*def.Object, string) {
	if m.set == nil {
		return nil, ""
	}
	for _, k := range d.Keys {
		if o := m.byKey[d.Kind+"/"+k]; o != nil {
			how, _, _ := strings.Cut(k, "=")
			return o, how
		}
	}
	if o, ok := m.set.Lookup(d.Kind, d.ID); ok && !m.another(d, o) {
		if o.ID != d.ID {
			return o, "former id"
		}
		return o, "id"
	}
	if o := m.byKey[d.Kind+"/name:"+sheet.Words(d.Name)]; o != nil && !m.another(d, o) {
		return o, "name"
	}
	return nil, ""
}

// another reports whether the definition here is known by another number than
// the proposed one in the same register, so that they are two.
func (m *merger) another(d *Definition, o *def.Object) bool {
	for _, k := range d.Keys {
		label, value, _ := strings.Cut(strings.TrimPrefix(k, "label:"), "=")
		if has, ok := o.Labels[label]; ok && strings.HasPrefix(k, "label:") && has != value {
			return true
		}
	}
	return false
}

// free is the id of a new definition: the one proposed, with a number if it is taken.
func (m *merger) free(d *Definition) string {
	if _, ok := m.present[d.Kind+"/"+d.ID]; ok {
		return m.present[d.Kind+"/"+d.ID]
	}
	taken := func(id string) bool {
		if m.claimed[d.Kind+"/"+id] {
			return true
		}
		if m.set == nil {
			return false
		}
		_, ok := m.set.Lookup(d.Kind, id)
		return ok
	}
	id := d.ID
	for n := 2; taken(id); n++ {
		id = fmt.Sprintf("%s-%d", d.ID, n)
	}
	m.claimed[d.Kind+"/"+id] = true
	return id
}

func (m *merger) add(d Definition) {
	m.plan.Added++
	m.plan.Changes = append(m.plan.Changes, Change{Kind: d.Kind, ID: d.ID, Name: d.Name, What: Added, Row: d.Row, whole: d})
	m.remember(d)
}

func (m *merger) remember(d Definition) {
	if d.Minor {
		return
	}
	said := map[string]string{}
	for _, l := range leaves(d) {
		said[strings.Join(l.keys, ".")] = canon(l.value)
	}
	m.plan.Memory.Said[d.Kind+"/"+d.ID] = said
}

// compare finds the fields in which a list and a definition differ.
func (m *merger) compare(d Definition, o *def.Object, by string) {
	if d.Minor {
		m.plan.Same++
		return
	}
	c := Change{Kind: d.Kind, ID: d.ID, Name: o.Name, By: by, Row: d.Row, File: o.File, What: Same}
	before := m.was.Said[d.Kind+"/"+d.ID]
	for _, l := range leaves(d) {
		path := strings.Join(l.keys, ".")
		here, is := at(o.Value(), l.keys)
		f := Field{Path: path, Here: here, There: l.value, keys: l.keys}
		if is && slices.Contains(d.Default, path) {
			continue
		}
		said, known := before[path]
		there := canon(l.value)
		switch {
		case is && canon(here) == there:
			continue
		case l.keys[0] == "metadata" && l.keys[1] == "labels" && !is, !is && !known:
			f.What, f.Taken = Added, true
		case known && is && canon(here) == said:
			f.What, f.Taken = Changed, true
		case known && said == there:
			f.What = Kept
		default:
			f.What = Conflicting
			f.Taken = m.take(c.Ref() + " " + path)
		}
		c.Fields = append(c.Fields, f)
		switch {
		case f.What == Conflicting:
			c.What = Conflicting
		case c.What == Conflicting:
		case f.Taken:
			c.What = Changed
		case c.What == Same:
			c.What = Kept
		}
	}
	switch c.What {
	case Conflicting:
		m.plan.Conflicting++
	case Changed:
		m.plan.Changed++
	default:
		m.plan.Same++
	}
	if c.What != Same {
		m.plan.Changes = append(m.plan.Changes, c)
	}
	m.remember(d)
}

// gone finds what an earlier import had and this one does not. Nothing is removed:
// a list that leaves something out may be a part of the list.
func (m *merger) gone() {
	for _, ref := range slices.Sorted(maps.Keys(m.was.Said)) {
		if _, still := m.used[ref]; still {
			continue
		}
		kind, id, _ := strings.Cut(ref, "/")
		if m.set == nil {
			continue
		}
		o, ok := m.set.Lookup(kind, id)
		if !ok {
			delete(m.plan.Memory.Said, ref) // a person removed it
			continue
		}
		if _, still := m.used[kind+"/"+o.ID]; still {
			continue
		}
		m.plan.Gone++
		m.plan.Changes = append(m.plan.Changes, Change{Kind: kind, ID: o.ID, Name: o.Name, What: Gone, File: o.File})
	}
}

type leaf struct {
	keys  []string
	value any
}

// leaves are the values of a definition, each with the way to it. A list is one value.
func leaves(d Definition) []leaf {
	out := []leaf{{[]string{"metadata", "name"}, d.Name}}
	for _, k := range slices.Sorted(maps.Keys(d.Labels)) {
		out = append(out, leaf{[]string{"metadata", "labels", k}, d.Labels[k]})
	}
	var walk func(keys []string, v any)
	walk = func(keys []string, v any) {
		if m, ok := v.(map[string]any); ok {
			for _, k := range slices.Sorted(maps.Keys(m)) {
				walk(append(slices.Clone(keys), k), m[k])
			}
			return
		}
		out = append(out, leaf{keys, v})
	}
	walk([]string{"spec"}, d.Spec)
	return out
}

func at(v any, keys []string) (any, bool) {
	for _, k := range keys {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[k]; !ok || v == nil {
			return nil, false
		}
	}
	return v, true
}

// canon writes a value so that equal values are equal texts.
func canon(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return fmt.Sprint(v)
	}
	return strings.TrimSpace(b.String())
}

// refField is a field of a kind that names other definitions.
type refField struct {
	keys  []string // the way to it; "*" is each key of a map
	kinds []string
	byKey bool // the keys of the map are ids
}

// point makes the references of a spec lead to what the proposed ids became.
func (m *merger) point(kind string, spec map[string]any) map[string]any {
	refs, ok := m.refs[kind]
	if !ok {
		if i := slices.IndexFunc(m.kinds, func(k def.Kind) bool { return k.Name == kind }); i >= 0 {
			refs = refsOf(reflect.TypeOf(m.kinds[i].Spec), nil, 0)
		}
		m.refs[kind] = refs
	}
	if spec == nil {
		return map[string]any{}
	}
	out := clone(spec)
	for _, r := range refs {
		m.pointAt(out, r.keys, r)
	}
	return out.(map[string]any)
}

func (m *merger) pointAt(v any, keys []string, r refField) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			m.pointAt(x, keys, r)
		}
	case map[string]any:
		if keys[0] == "*" {
			for _, k := range slices.Sorted(maps.Keys(v)) {
				m.pointAt(v[k], keys[1:], r)
			}
			return
		}
		if len(keys) > 1 {
			m.pointAt(v[keys[0]], keys[1:], r)
			return
		}
		switch x := v[keys[0]].(type) {
		case string:
			v[keys[0]] = m.becomes(r.kinds, x)
		case []any:
			var ids []any
			for _, id := range x {
				s, ok := id.(string)
				if became := m.becomes(r.kinds, s); ok && !slices.Contains(ids, any(became)) {
					ids = append(ids, became)
				}
			}
			v[keys[0]] = ids
		case map[string]any:
			if r.byKey {
				for _, id := range slices.Sorted(maps.Keys(x)) {
					if became := m.becomes(r.kinds, id); became != id {
						x[became] = x[id]
						delete(x, id)
					}
				}
			}
		}
	}
}

func (m *merger) becomes(kinds []string, id string) string {
	for _, k := range kinds {
		if now, ok := m.present[k+"/"+id]; ok {
			return now
		}
	}
	return id
}

func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = clone(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = clone(x)
		}
		return out
	}
	return v
}

func refsOf(t reflect.Type, keys []string, depth int) (out []refField) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() == reflect.Map {
		t, keys = t.Elem(), append(slices.Clone(keys), "*")
	}
	if t.Kind() != reflect.Struct || depth > 8 {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Anonymous || name == "" || name == "-" {
			continue
		}
		here := append(slices.Clone(keys), name)
		for _, part := range strings.Split(f.Tag.Get("def"), ",") {
			if kinds, ok := strings.CutPrefix(part, "ref="); ok {
				out = append(out, refField{keys: here, kinds: strings.Split(kinds, "|")})
			}
			if kinds, ok := strings.CutPrefix(part, "keyref="); ok {
				out = append(out, refField{keys: here, kinds: strings.Split(kinds, "|"), byKey: true})
			}
		}
		out = append(out, refsOf(f.Type, here, depth+1)...)
	}
	return out
}
