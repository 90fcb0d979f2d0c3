package def

import (
	"reflect"
	"slices"
)

// Property describes a field of a kind to pages and tools.
type Property struct {
	Name, Doc           string
	Type                string // text, scalar, class, bool, int, number, list, map, group, anything; date, duration
	Required, File, CEL bool
	Person              bool     // it names somebody in the directory
	Refs, KeyRefs, Enum []string // of an item, where it is a list or map
	Min, Max            *float64
	Go                  reflect.Type

	shape *shape
	field *field
}

// Properties are the fields of a kind's spec, in their order; nil if there is no such kind.
func (r *Registry) Properties(kind string) []Property {
	i, ok := r.byName[kind]
	if !ok {
		return nil
	}
	return r.shapes[i].properties()
}

// Metadata are the fields of every definition's metadata.
func (r *Registry) Metadata() []Property { return r.meta.properties() }

// Properties are the fields of a group.
func (p Property) Properties() []Property { return p.shape.properties() }

// Elem is an item of a list, or a value of a map.
func (p Property) Elem() Property { return p.field.property(p.shape.elem) }

func (s *shape) properties() (out []Property) {
	for _, f := range s.fields {
		out = append(out, f.property(f.shape))
	}
	return out
}

func (f *field) property(s *shape) Property {
	p := Property{Name: f.name, Doc: f.doc, Required: f.required, File: f.file, CEL: f.cel, Person: f.person, Refs: f.refs, KeyRefs: f.keyRefs, Enum: f.enum, Min: f.min, Max: f.max, Go: s.typ, shape: s, field: f}
	p.Type = [...]string{"text", "scalar", "class", "bool", "int", "number", "list", "map", "group", "anything"}[s.kind]
	switch s.typ {
	case dateType:
		p.Type = "date"
	case durationType:
		p.Type = "duration"
	case classType:
		p.Enum = slices.Clone(classes)
	}
	return p
}

var classes = []string{"public", "internal", "confidential", "restricted"}
