package def

import (
	"encoding"
	"math"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// decoder reads one object's spec. It goes on after a problem.
type decoder struct {
	obj  *loaded
	out  func(Problem)
	path []step // to the value being read
}

// step is a field's name, with index -1, or an index in a list.
type step struct {
	name  string
	index int
}

func (d *decoder) begin(name string) { d.path = append(d.path[:0], step{name, -1}) }
func (d *decoder) enter(name string) { d.path = append(d.path, step{name, -1}) }
func (d *decoder) enterItem(i int)   { d.path = append(d.path, step{index: i}) }
func (d *decoder) leave()            { d.path = d.path[:len(d.path)-1] }

// where is the path to the value being read.
func (d *decoder) where() string {
	var room [96]byte
	b := room[:0]
	for i, s := range d.path {
		switch {
		case s.index >= 0:
			b = append(strconv.AppendInt(append(b, '['), int64(s.index), 10), ']')
		case i == 0:
			b = append(b, s.name...)
		default:
			b = append(append(b, '.'), s.name...)
		}
	}
	return string(b)
}

// reference is an id in a spec that must lead somewhere.
type reference struct {
	path      string
	line, col int
	names     []string // of the kinds that it may lead to
	kinds     []int    // the same in the registry
	id        string
	acyclic   bool
	set       func(id string) // replaces an id it had before by its present one; nil for a map's key
	target    *loaded
}

// named is a text that has to be looked at when all is read.
type named struct {
	path string
	node yamldoc.Node
}

func (d *decoder) problem(n *yamldoc.Node, format string, args ...any) {
	d.obj.problem(d.out, n.Line, n.Col, format, args...)
}

func (d *decoder) problemAt(k yamldoc.Key, format string, args ...any) {
	d.obj.problem(d.out, k.Line, k.Col, format, args...)
}

// value reads n into v. f is the field it belongs to; inner says that n is an item or map value of that field.
func (d *decoder) value(n *yamldoc.Node, s *shape, f *field, v reflect.Value, inner bool) {
	if n.Kind == yamldoc.Null {
		return // absent
	}
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		v = v.Elem()
	}
	switch s.kind {
	case structShape:
		d.fields(n, s, v)
	case listShape:
		d.list(n, s, f, v)
	case mapShape:
		d.mapping(n, s, f, v)
	case anyShape:
		if p := n.Plain(); p != nil {
			v.Set(reflect.ValueOf(p))
		}
	case boolShape:
		if n.Kind != yamldoc.Bool {
			d.problem(n, "%s must be true or false, not %s", d.where(), d.what(n))
			return
		}
		v.SetBool(n.Text == "true")
	case intShape, floatShape:
		d.number(n, s, f, v, inner)
	case classShape:
		c, err := reeve.ParseClass(n.Text)
		if n.Kind != yamldoc.Text || err != nil {
			d.problem(n, "%s is %s, which is not a class%s", d.where(), d.what(n), rules.DidYouMean(n.Text, []string{"public", "internal", "confidential", "restricted"}))
			return
		}
		v.Set(reflect.ValueOf(c))
	case scalarShape:
		if n.Kind == yamldoc.List || n.Kind == yamldoc.Map {
			d.problem(n, "%s must be %s, not %s", d.where(), shapeName(s), d.what(n))
			return
		}
		if s.typ == dateType {
			if day, err := ParseDate(n.Text); err == nil {
				*v.Addr().Interface().(*Date) = day
				return
			}
		}
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Text)); err != nil && s.typ == dateType {
			d.problem(n, "%s is %s: it must be a date that exists, written like 2026-01-31", d.where(), d.what(n))
		} else if err != nil && s.typ == durationType {
			d.problem(n, "%s: %v", d.where(), err)
		} else if err != nil {
			d.problem(n, "%s must be %s: %v", d.where(), shapeName(s), err)
		}
	case textShape:
		d.text(n, f, v, inner)
	}
}

// what words a value that does not fit, without repeating long text.
func (d *decoder) what(n *yamldoc.Node) string {
	switch n.Kind {
	case yamldoc.Text, yamldoc.Int, yamldoc.Float:
		if n.Text == "" {
			return "empty text"
		}
		if len(n.Text) <= 60 {
			return strconv.Quote(n.Text)
		}
	case yamldoc.Bool:
		return n.Text
	}
	return n.Kind.String()
}

func shapeName(s *shape) string {
	switch s.kind {
	case textShape:
		return "text"
	case boolShape:
		return "true or false"
	case intShape:
		return "a whole number"
	case floatShape:
		return "a number"
	case listShape:
		return "a list"
	case mapShape, structShape:
		return "a group of fields"
	case classShape:
		return "a class"
	case scalarShape:
		switch s.typ {
		case dateType:
			return "a date"
		case durationType:
			return "a length of time"
		}
		return "text"
	}
	return "anything"
}

func (d *decoder) fields(n *yamldoc.Node, s *shape, v reflect.Value) {
	if n.Kind != yamldoc.Map {
		d.problem(n, "%s must be a group of fields, not %s", d.where(), d.what(n))
		return
	}
	for _, k := range n.Keys {
		f := s.byName[k.Name]
		if f == nil {
			d.problemAt(k, "%s has no field %q%s", d.where(), k.Name, rules.DidYouMean(k.Name, s.names()))
			continue
		}
		d.enter(f.name)
		if len(f.index) == 1 {
			d.value(k.Val, f.shape, f, v.Field(f.index[0]), false)
		} else {
			d.value(k.Val, f.shape, f, v.FieldByIndex(f.index), false)
		}
		d.leave()
	}
	for _, f := range s.fields {
		if !f.required {
			continue
		}
		k := n.Get(f.name)
		if k == nil {
			d.problem(n, "%s.%s is missing%s", d.where(), f.name, because(f.doc))
		} else if k.Val.Kind == yamldoc.Null {
			d.problemAt(*k, "%s.%s is empty%s", d.where(), f.name, because(f.doc))
		}
	}
}

// because turns a field's documentation into the end of a message.
func because(doc string) string {
	if doc == "" {
		return ": add it"
	}
	return ": " + strings.TrimSuffix(doc, ".")
}

func (d *decoder) list(n *yamldoc.Node, s *shape, f *field, v reflect.Value) {
	if n.Kind != yamldoc.List {
		d.problem(n, "%s must be a list, not %s: begin each item with a dash, or write [one, two]", d.where(), d.what(n))
		return
	}
	d.bounds(n, f, float64(len(n.Items)), "items")
	list := reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items))
	v.Set(list)
	for i, it := range n.Items {
		d.enterItem(i)
		if it.Kind == yamldoc.Null {
			d.problem(it, "%s is empty: fill it in or remove it", d.where())
		} else {
			d.value(it, s.elem, f, v.Index(i), true)
		}
		d.leave()
	}
}

func (d *decoder) mapping(n *yamldoc.Node, s *shape, f *field, v reflect.Value) {
	if n.Kind != yamldoc.Map {
		d.problem(n, "%s must be a group of fields, not %s", d.where(), d.what(n))
		return
	}
	d.bounds(n, f, float64(len(n.Keys)), "entries")
	t := v.Type()
	m := reflect.MakeMapWithSize(t, len(n.Keys))
	v.Set(m)
	for _, k := range n.Keys {
		if f != nil && f.keyRefs != nil {
			d.obj.refs = append(d.obj.refs, reference{path: d.where(), line: k.Line, col: k.Col, names: f.keyRefs, kinds: f.keyRefKinds, id: k.Name})
		}
		name := reflect.ValueOf(k.Name).Convert(t.Key())
		val := reflect.New(t.Elem()).Elem()
		from := len(d.obj.refs)
		d.enter(k.Name)
		d.value(k.Val, s.elem, f, val, true)
		d.leave()
		m.SetMapIndex(name, val)
		for i := from; i < len(d.obj.refs); i++ { // a map's values are copies: put them back when an id changes
			if set := d.obj.refs[i].set; set != nil {
				d.obj.refs[i].set = func(id string) { set(id); m.SetMapIndex(name, val) }
			}
		}
	}
}

func (d *decoder) number(n *yamldoc.Node, s *shape, f *field, v reflect.Value, inner bool) {
	if n.Kind != yamldoc.Int && (n.Kind != yamldoc.Float || s.kind == intShape) {
		d.problem(n, "%s must be %s, not %s", d.where(), shapeName(s), d.what(n))
		return
	}
	x, _ := strconv.ParseFloat(n.Text, 64)
	if s.kind == floatShape {
		v.SetFloat(x)
	} else {
		i, err := strconv.ParseInt(n.Text, 10, 64)
		if err != nil || v.OverflowInt(i) {
			d.problem(n, "%s is too large a number", d.where())
			return
		}
		v.SetInt(i)
	}
	if !inner {
		d.bounds(n, f, x, "")
	}
}

// bounds checks min and max of a number, or of a length if unit is not empty.
func (d *decoder) bounds(n *yamldoc.Node, f *field, x float64, unit string) {
	if f == nil {
		return
	}
	format := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
	switch {
	case math.IsNaN(x):
	case f.min != nil && x < *f.min && unit == "":
		d.problem(n, "%s is %s: it must be at least %s", d.where(), n.Text, format(*f.min))
	case f.max != nil && x > *f.max && unit == "":
		d.problem(n, "%s is %s: it must be at most %s", d.where(), n.Text, format(*f.max))
	case f.min != nil && x < *f.min:
		d.problem(n, "%s needs at least %s %s", d.where(), format(*f.min), unit)
	case f.max != nil && x > *f.max:
		d.problem(n, "%s takes at most %s %s", d.where(), format(*f.max), unit)
	}
}

func (d *decoder) text(n *yamldoc.Node, f *field, v reflect.Value, inner bool) {
	if n.Kind != yamldoc.Text {
		if n.Kind == yamldoc.Int || n.Kind == yamldoc.Float || n.Kind == yamldoc.Bool {
			d.problem(n, "%s must be text: put quotes around %s", d.where(), n.Text)
		} else {
			d.problem(n, "%s must be text, not %s", d.where(), d.what(n))
		}
		return
	}
	v.SetString(n.Text)
	if f == nil {
		return
	}
	if f.required && n.Text == "" && !inner {
		d.problem(n, "%s is empty%s", d.where(), because(f.doc))
		return
	}
	if !inner {
		d.bounds(n, f, float64(utf8.RuneCountInString(n.Text)), "characters")
	}
	if f.enum != nil && !contains(f.enum, n.Text) {
		d.problem(n, "%s is %s, which is not one of %s%s", d.where(), d.what(n), rules.OrList(f.enum), onlyNearest(n.Text, f.enum))
	}
	if f.refs != nil {
		d.obj.refs = append(d.obj.refs, reference{path: d.where(), line: n.Line, col: n.Col, names: f.refs, kinds: f.refKinds, id: n.Text, acyclic: f.acyclic && !inner, set: v.SetString})
	}
	if f.file {
		d.obj.files = append(d.obj.files, named{d.where(), *n})
	}
	if f.cel {
		d.obj.cels = append(d.obj.cels, named{d.where(), *n})
	}
}

func onlyNearest(s string, names []string) string {
	if n := rules.Nearest(s, names); n != "" {
		return ": did you mean " + n + "?"
	}
	return ""
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}
