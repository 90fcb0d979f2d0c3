package def

import (
	"reflect"
	"strings"
)

// SpecType is the type of a kind's spec.
func (s *Set) SpecType(kind string) (reflect.Type, bool) {
	i, ok := s.reg.byName[kind]
	if !ok {
		return nil, false
	}
	return reflect.TypeOf(s.reg.kinds[i].Spec).Elem(), true
}

// Field reads one path of many definitions of a kind.
type Field struct {
	path    []string
	steps   []fieldStep     // into the spec; nil where only the document tells
	renamed map[string]bool // ids that may be written as they were before
}

type fieldStep struct {
	name  string
	index []int
	ref   bool
}

// Field gives a reader of a path of a kind's definitions: "spec.lifecycle.phase".
func (s *Set) Field(kind, path string) *Field {
	f := &Field{path: strings.Split(path, ".")}
	t, ok := s.SpecType(kind)
	if !ok || f.path[0] != "spec" {
		return f
	}
	for _, name := range f.path[1:] {
		for t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		at, ok := byJSON(t, name)
		if !ok {
			f.steps = nil
			return f
		}
		f.steps = append(f.steps, fieldStep{name, at.Index, strings.Contains(at.Tag.Get("def"), "ref=")})
		t = at.Type
	}
	if n := len(f.steps); n > 0 && f.steps[n-1].ref {
		f.renamed = map[string]bool{}
		for _, o := range s.Objects() {
			if len(o.Formerly) > 0 {
				f.renamed[o.ID] = true
			}
		}
	}
	return f
}

// byJSON finds a field that is read from YAML by this name, in a struct that
// embeds no other.
func byJSON(t reflect.Type, name string) (reflect.StructField, bool) {
	if t.Kind() != reflect.Struct || reflect.PointerTo(t).Implements(textUnmarshaler) {
		return reflect.StructField{}, false
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name && !f.Anonymous && f.IsExported() {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

// Of reads the field of a definition, as [Object.Value] has it. depth is how many
// names of the path are there: all of them, if v is known. It looks into the
// document only where the spec does not tell what was written.
func (f *Field) Of(o *Object) (v any, depth int) { return f.of(o, false) }

// Given tells how many names of the path are there, without reading the value.
func (f *Field) Given(o *Object) (depth int) {
	_, depth = f.of(o, true)
	return depth
}

func (f *Field) of(o *Object, given bool) (v any, depth int) {
	switch {
	case len(f.path) == 2 && f.path[0] == "metadata" && f.path[1] == "id":
		return o.ID, 2
	case len(f.path) == 2 && f.path[0] == "metadata" && f.path[1] == "name" && o.Name != o.ID: // else it may have none
		return o.Name, 2
	case f.steps == nil:
		return f.written(o)
	}
	at, source := reflect.ValueOf(o.Spec).Elem(), o.doc.Source()
	for i, step := range f.steps {
		at = at.FieldByIndex(step.index)
		if at.Kind() == reflect.Pointer {
			if at.IsNil() {
				return nil, i + 1
			}
			at = at.Elem()
		} else if at.IsZero() {
			if strings.Contains(source, step.name) || strings.Contains(source, `\`) {
				return f.written(o) // it may have been written down as false, 0 or empty
			}
			return nil, i + 1
		}
		if i < len(f.steps)-1 {
			continue
		}
		if given {
			return nil, len(f.path)
		}
		if v, ok := f.plain(at, source); ok {
			return v, len(f.path)
		}
	}
	return f.written(o)
}

// plain is a value of a spec as it was written, where that is sure.
func (f *Field) plain(v reflect.Value, source string) (any, bool) {
	asWritten := func(s string) (any, bool) { return s, !f.renamed[s] }
	switch x := v.Interface().(type) {
	case Date:
		s := x.String()
		return s, !strings.Contains(source, s+"T")
	case Class:
		s := x.String()
		return s, strings.Contains(source, s)
	case string:
		return asWritten(x)
	case bool:
		return x, true
	case int:
		return int64(x), true
	case int64:
		return x, true
	case float64:
		return x, true
	case []string:
		out := make([]any, len(x))
		for i, s := range x {
			if _, ok := asWritten(s); !ok {
				return nil, false
			}
			out[i] = s
		}
		return out, len(out) > 0
	}
	return nil, false
}

// written reads the field from the document.
func (f *Field) written(o *Object) (v any, depth int) {
	v = o.Value()
	for i, name := range f.path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, i
		}
		if v = m[name]; v == nil {
			return nil, i
		}
	}
	return v, len(f.path)
}
