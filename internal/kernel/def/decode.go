package def

import (
	"encoding"
	"fmt"
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
	obj   *Object
	ok    bool
	out   func(Problem)
	refs  []reference
	files []named // values tagged file
	cels  []named // values tagged cel
}

// reference is an id in a spec that must lead somewhere.
type reference struct {
	path    string
	node    *yamldoc.Node
	kinds   []string
	id      string
	acyclic bool
	set     func(id string) // replaces an id it had before by its present one; nil for a map's key
}

type named struct {
	path string
	node *yamldoc.Node
}

func (d *decoder) problem(n *yamldoc.Node, format string, args ...any) {
	d.ok = false
	d.out(Problem{d.obj.File, n.Line, n.Col, fmt.Sprintf(format, args...)})
}

func (d *decoder) problemAt(k yamldoc.Key, format string, args ...any) {
	d.problem(&yamldoc.Node{Line: k.Line, Col: k.Col}, format, args...)
}

// value reads n into v. f is the field it belongs to; inner says that n is an item or map value of that field.
func (d *decoder) value(n *yamldoc.Node, s *shape, f *field, v reflect.Value, path string, inner bool) {
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
		d.fields(n, s, v, path)
	case listShape:
		d.list(n, s, f, v, path)
	case mapShape:
		d.mapping(n, s, f, v, path)
	case anyShape:
		if p := n.Plain(); p != nil {
			v.Set(reflect.ValueOf(p))
		}
	case boolShape:
		if n.Kind != yamldoc.Bool {
			d.problem(n, "%s must be true or false, not %s", path, d.what(n))
			return
		}
		v.SetBool(n.Text == "true")
	case intShape, floatShape:
		d.number(n, s, f, v, path, inner)
	case classShape:
		c, err := reeve.ParseClass(n.Text)
		if n.Kind != yamldoc.Text || err != nil {
			d.problem(n, "%s is %s, which is not a class%s", path, d.what(n), rules.DidYouMean(n.Text, []string{"public", "internal", "confidential", "restricted"}))
			return
		}
		v.Set(reflect.ValueOf(c))
	case scalarShape:
		if n.Kind == yamldoc.List || n.Kind == yamldoc.Map {
			d.problem(n, "%s must be %s, not %s", path, shapeName(s), d.what(n))
			return
		}
		if err := v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(n.Text)); err != nil && s.typ == dateType {
			d.problem(n, "%s is %s: it must be a date that exists, written like 2026-01-31", path, d.what(n))
		} else if err != nil && s.typ == durationType {
			d.problem(n, "%s: %v", path, err)
		} else if err != nil {
			d.problem(n, "%s must be %s: %v", path, shapeName(s), err)
		}
	case textShape:
		d.text(n, f, v, path, inner)
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

func (d *decoder) fields(n *yamldoc.Node, s *shape, v reflect.Value, path string) {
	if n.Kind != yamldoc.Map {
		d.problem(n, "%s must be a group of fields, not %s", path, d.what(n))
		return
	}
	for _, k := range n.Keys {
		f := s.byName[k.Name]
		if f == nil {
			d.problemAt(k, "%s has no field %q%s", path, k.Name, rules.DidYouMean(k.Name, s.names()))
			continue
		}
		d.value(k.Val, f.shape, f, v.FieldByIndex(f.index), path+"."+f.name, false)
	}
	for _, f := range s.fields {
		if !f.required {
			continue
		}
		k := n.Get(f.name)
		if k == nil {
			d.problem(n, "%s.%s is missing%s", path, f.name, because(f.doc))
		} else if k.Val.Kind == yamldoc.Null {
			d.problemAt(*k, "%s.%s is empty%s", path, f.name, because(f.doc))
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

func (d *decoder) list(n *yamldoc.Node, s *shape, f *field, v reflect.Value, path string) {
	if n.Kind != yamldoc.List {
		d.problem(n, "%s must be a list, not %s: begin each item with a dash, or write [one, two]", path, d.what(n))
		return
	}
	d.bounds(n, f, float64(len(n.Items)), path, "items")
	list := reflect.MakeSlice(v.Type(), len(n.Items), len(n.Items))
	v.Set(list)
	for i, it := range n.Items {
		p := path + "[" + strconv.Itoa(i) + "]"
		if it.Kind == yamldoc.Null {
			d.problem(it, "%s is empty: fill it in or remove it", p)
			continue
		}
		d.value(it, s.elem, f, v.Index(i), p, true)
	}
}

func (d *decoder) mapping(n *yamldoc.Node, s *shape, f *field, v reflect.Value, path string) {
	if n.Kind != yamldoc.Map {
		d.problem(n, "%s must be a group of fields, not %s", path, d.what(n))
		return
	}
	d.bounds(n, f, float64(len(n.Keys)), path, "entries")
	t := v.Type()
	m := reflect.MakeMapWithSize(t, len(n.Keys))
	v.Set(m)
	for _, k := range n.Keys {
		if f != nil && f.keyRefs != nil {
			d.refs = append(d.refs, reference{path: path, node: &yamldoc.Node{Line: k.Line, Col: k.Col}, kinds: f.keyRefs, id: k.Name})
		}
		name := reflect.ValueOf(k.Name).Convert(t.Key())
		val := reflect.New(t.Elem()).Elem()
		from := len(d.refs)
		d.value(k.Val, s.elem, f, val, path+"."+k.Name, true)
		m.SetMapIndex(name, val)
		for i := from; i < len(d.refs); i++ { // a map's values are copies: put them back when an id changes
			if set := d.refs[i].set; set != nil {
				d.refs[i].set = func(id string) { set(id); m.SetMapIndex(name, val) }
			}
		}
	}
}

func (d *decoder) number(n *yamldoc.Node, s *shape, f *field, v reflect.Value, path string, inner bool) {
	if n.Kind != yamldoc.Int && (n.Kind != yamldoc.Float || s.kind == intShape) {
		d.problem(n, "%s must be %s, not %s", path, shapeName(s), d.what(n))
		return
	}
	x, _ := strconv.ParseFloat(n.Text, 64)
	if s.kind == floatShape {
		v.SetFloat(x)
	} else {
		i, err := strconv.ParseInt(n.Text, 10, 64)
		if err != nil || v.OverflowInt(i) {
			d.problem(n, "%s is too large a number", path)
			return
		}
		v.SetInt(i)
	}
	if !inner {
		d.bounds(n, f, x, path, "")
	}
}

// bounds checks min and max of a number, or of a length if unit is not empty.
func (d *decoder) bounds(n *yamldoc.Node, f *field, x float64, path, unit string) {
	if f == nil {
		return
	}
	format := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
	switch {
	case math.IsNaN(x):
	case f.min != nil && x < *f.min && unit == "":
		d.problem(n, "%s is %s: it must be at least %s", path, n.Text, format(*f.min))
	case f.max != nil && x > *f.max && unit == "":
		d.problem(n, "%s is %s: it must be at most %s", path, n.Text, format(*f.max))
	case f.min != nil && x < *f.min:
		d.problem(n, "%s needs at least %s %s", path, format(*f.min), unit)
	case f.max != nil && x > *f.max:
		d.problem(n, "%s takes at most %s %s", path, format(*f.max), unit)
	}
}

func (d *decoder) text(n *yamldoc.Node, f *field, v reflect.Value, path string, inner bool) {
	if n.Kind != yamldoc.Text {
		if n.Kind == yamldoc.Int || n.Kind == yamldoc.Float || n.Kind == yamldoc.Bool {
			d.problem(n, "%s must be text: put quotes around %s", path, n.Text)
		} else {
			d.problem(n, "%s must be text, not %s", path, d.what(n))
		}
		return
	}
	v.SetString(n.Text)
	if f == nil {
		return
	}
	if f.required && n.Text == "" && !inner {
		d.problem(n, "%s is empty%s", path, because(f.doc))
		return
	}
	if !inner {
		d.bounds(n, f, float64(utf8.RuneCountInString(n.Text)), path, "characters")
	}
	if f.enum != nil && !contains(f.enum, n.Text) {
		d.problem(n, "%s is %s, which is not one of %s%s", path, d.what(n), rules.OrList(f.enum), onlyNearest(n.Text, f.enum))
	}
	if f.refs != nil {
		d.refs = append(d.refs, reference{path, n, f.refs, n.Text, f.acyclic && !inner, v.SetString})
	}
	if f.file {
		d.files = append(d.files, named{path, n})
	}
	if f.cel {
		d.cels = append(d.cels, named{path, n})
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
