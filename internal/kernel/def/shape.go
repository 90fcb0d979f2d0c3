package def

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

type shapeKind uint8

const (
	textShape   shapeKind = iota // string
	scalarShape                  // written as text, read with UnmarshalText: Date, Duration
	classShape
	boolShape
	intShape
	floatShape
	listShape
	mapShape
	structShape
	anyShape
)

// shape is how values of a Go type are read, worked out once per type.
type shape struct {
	kind   shapeKind
	typ    reflect.Type
	elem   *shape // of a list or map
	fields []*field
	byName map[string]*field
}

// field is a field of a struct, with its tags.
type field struct {
	name        string
	index       []int
	doc         string
	required    bool
	refs        []string
	keyRefs     []string
	refKinds    []int // the same in the registry
	keyRefKinds []int
	enum        []string
	min, max    *float64
	file        bool
	cel         bool
	person      bool
	acyclic     bool
	shape       *shape
}

func (s *shape) names() []string {
	out := make([]string, len(s.fields))
	for i, f := range s.fields {
		out[i] = f.name
	}
	return out
}

var (
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
	classType       = reflect.TypeFor[Class]()
	dateType        = reflect.TypeFor[Date]()
	durationType    = reflect.TypeFor[Duration]()
)

// shapes works out shapes; a type that contains itself finds its own shape there.
type shapes map[reflect.Type]*shape

func (m shapes) of(t reflect.Type) (*shape, error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if s, ok := m[t]; ok {
		return s, nil
	}
	s := &shape{typ: t}
	m[t] = s
	var err error
	switch {
	case t == classType:
		s.kind = classShape
	case reflect.PointerTo(t).Implements(textUnmarshaler):
		s.kind = scalarShape
	default:
		switch t.Kind() {
		case reflect.String:
			s.kind = textShape
		case reflect.Bool:
			s.kind = boolShape
		case reflect.Int, reflect.Int64:
			s.kind = intShape
		case reflect.Float64:
			s.kind = floatShape
		case reflect.Slice:
			s.kind = listShape
			s.elem, err = m.of(t.Elem())
		case reflect.Map:
			if t.Key().Kind() != reflect.String {
				return nil, fmt.Errorf("%v: a map's keys must be strings", t)
			}
			s.kind = mapShape
			s.elem, err = m.of(t.Elem())
		case reflect.Interface:
			if t.NumMethod() > 0 {
				return nil, fmt.Errorf("%v cannot be read from YAML", t)
			}
			s.kind = anyShape
		case reflect.Struct:
			s.kind, s.byName = structShape, map[string]*field{}
			err = m.structFields(s, t, nil)
		default:
			return nil, fmt.Errorf("%v cannot be read from YAML", t)
		}
	}
	return s, err
}

func (m shapes) structFields(s *shape, t reflect.Type, index []int) error {
	for i := range t.NumField() {
		sf := t.Field(i)
		at := append(slices.Clone(index), i)
		tag, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if sf.Anonymous && tag == "" && sf.Type.Kind() == reflect.Struct {
			if err := m.structFields(s, sf.Type, at); err != nil {
				return err
			}
			continue
		}
		if !sf.IsExported() || tag == "-" {
			continue
		}
		if tag == "" {
			tag = strings.ToLower(sf.Name[:1]) + sf.Name[1:]
		}
		f := &field{name: tag, index: at, doc: sf.Tag.Get("doc")}
		var err error
		if f.shape, err = m.of(sf.Type); err != nil {
			return fmt.Errorf("%v.%s: %w", t, sf.Name, err)
		}
		if err := f.tags(sf.Tag.Get("def")); err != nil {
			return fmt.Errorf("%v.%s: %w", t, sf.Name, err)
		}
		if s.byName[tag] != nil {
			return fmt.Errorf("%v has two fields %q", t, tag)
		}
		s.fields, s.byName[tag] = append(s.fields, f), f
	}
	return nil
}

func (f *field) tags(tag string) error {
	if tag == "" {
		return nil
	}
	for _, part := range strings.Split(tag, ",") {
		name, val, has := strings.Cut(strings.TrimSpace(part), "=")
		switch {
		case name == "required" && !has:
			f.required = true
		case name == "file" && !has:
			f.file = true
		case name == "cel" && !has:
			f.cel = true
		case name == "person" && !has:
			f.person = true
		case name == "acyclic" && !has:
			f.acyclic = true
		case name == "ref" && val != "":
			f.refs = strings.Split(val, "|")
		case name == "keyref" && val != "":
			f.keyRefs = strings.Split(val, "|")
		case name == "enum" && val != "":
			f.enum = strings.Split(val, "|")
		case name == "min", name == "max":
			n, err := strconv.ParseFloat(val, 64)
			if err != nil {
				return fmt.Errorf("def tag %q: %w", part, err)
			}
			if name == "min" {
				f.min = &n
			} else {
				f.max = &n
			}
		default:
			return fmt.Errorf("def tag %q is not known", part)
		}
	}
	return nil
}
