package def

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

const (
	datePattern     = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	durationPattern = `^([0-9]+[smhdw])+$`
	idPattern       = `^[A-Za-z0-9][A-Za-z0-9.-]*$`
)

var classes = []string{"public", "internal", "confidential", "restricted"}

type schema = map[string]any

// Schema is the JSON Schema (2020-12) of a kind's documents, for editors. "" stands
// for any kind. The error is NotFound if there is no such kind.
//
// It says what Load says of shape; what refers to what only Load can tell.
func Schema(reg *Registry, kind string) ([]byte, error) {
	w := schemaWriter{defs: schema{}, names: map[reflect.Type]string{}}
	var root schema
	if kind == "" {
		root = w.anyKind(reg)
	} else {
		i, ok := reg.byName[kind]
		if !ok {
			return nil, reeve.E(reeve.NotFound, "def.Schema", "there is no kind %q%s", kind, rules.DidYouMean(kind, reg.names()))
		}
		root = w.document(reg.kinds[i], reg.shapes[i])
		root["title"] = reg.kinds[i].Name
	}
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	if len(w.defs) > 0 {
		root["$defs"] = w.defs
	}
	b, err := json.MarshalIndent(root, "", "  ")
	return append(b, '\n'), err
}

// schemaWriter gathers the structs that are used, each once.
type schemaWriter struct {
	defs  schema
	names map[reflect.Type]string
}

func (w *schemaWriter) anyKind(reg *Registry) schema {
	var names []string
	var all []any
	for i, k := range reg.kinds {
		spelled := append([]string{k.Name}, k.Aliases...)
		names = append(names, spelled...)
		all = append(all, schema{
			"if":   schema{"properties": schema{"kind": schema{"enum": spelled}}, "required": []string{"kind"}},
			"then": w.document(k, reg.shapes[i]),
		})
	}
	return schema{"title": "A definition", "type": "object", "required": []string{"apiVersion", "kind", "metadata"},
		"properties": schema{"kind": schema{"enum": names, "description": "What sort of definition this is."}}, "allOf": all}
}

func (w *schemaWriter) document(k Kind, s *shape) schema {
	meta, err := shapes{}.of(reflect.TypeFor[metadata]())
	if err != nil {
		panic(err)
	}
	m := w.object(meta)
	m["properties"].(schema)["id"].(schema)["pattern"] = idPattern
	out := schema{
		"type": "object", "description": sentence(k.Doc), "additionalProperties": false,
		"required": []string{"apiVersion", "kind", "metadata"},
		"properties": schema{
			"apiVersion": schema{"const": APIVersion, "description": "The version of this form."},
			"kind":       schema{"enum": append([]string{k.Name}, k.Aliases...), "description": sentence(k.Doc)},
			"metadata":   m,
			"spec":       w.object(s),
		},
	}
	if slices.ContainsFunc(s.fields, func(f *field) bool { return f.required }) {
		out["required"] = []string{"apiVersion", "kind", "metadata", "spec"}
	}
	return out
}

func (w *schemaWriter) object(s *shape) schema {
	props := schema{}
	var required []string
	for _, f := range s.fields {
		props[f.name] = w.field(f)
		if f.required {
			required = append(required, f.name)
		}
	}
	out := schema{"type": "object", "properties": props, "additionalProperties": false}
	if required != nil {
		out["required"] = required
	}
	return out
}

func (w *schemaWriter) field(f *field) schema {
	out := w.value(f.shape, f)
	if d := description(f); d != "" {
		out["description"] = d
	}
	low, high := "", ""
	switch f.shape.kind {
	case intShape, floatShape:
		low, high = "minimum", "maximum"
	case textShape:
		low, high = "minLength", "maxLength"
	case listShape:
		low, high = "minItems", "maxItems"
	case mapShape:
		low, high = "minProperties", "maxProperties"
	}
	if f.min != nil && low != "" {
		out[low] = *f.min
	} else if f.required && f.shape.kind == textShape {
		out["minLength"] = 1
	}
	if f.max != nil && high != "" {
		out[high] = *f.max
	}
	if !f.required { // an empty field counts as absent
		if t, ok := out["type"].(string); ok {
			out["type"] = []string{t, "null"}
			if e, ok := out["enum"].([]string); ok {
				var with []any
				for _, x := range e {
					with = append(with, x)
				}
				out["enum"] = append(with, nil)
			}
		}
	}
	return out
}

func (w *schemaWriter) value(s *shape, f *field) schema {
	switch s.kind {
	case textShape:
		out := schema{"type": "string"}
		if f != nil && f.enum != nil {
			out["enum"] = slices.Clone(f.enum)
		}
		if f != nil && f.refs != nil {
			out["pattern"] = idPattern
		}
		return out
	case scalarShape:
		switch s.typ {
		case dateType:
			return schema{"type": "string", "pattern": datePattern}
		case durationType:
			return schema{"type": "string", "pattern": durationPattern}
		}
		return schema{"type": []string{"string", "number", "boolean", "null"}}
	case classShape:
		return schema{"type": "string", "enum": slices.Clone(classes)}
	case boolShape:
		return schema{"type": "boolean"}
	case intShape:
		return schema{"type": "integer"}
	case floatShape:
		return schema{"type": "number"}
	case listShape:
		return schema{"type": "array", "items": w.value(s.elem, f)}
	case mapShape:
		return schema{"type": "object", "additionalProperties": w.value(s.elem, f)}
	case structShape:
		return schema{"$ref": "#/$defs/" + w.named(s)}
	}
	return schema{}
}

// named puts a struct under $defs, so that one that contains itself ends.
func (w *schemaWriter) named(s *shape) string {
	if name, ok := w.names[s.typ]; ok {
		return name
	}
	name := s.typ.Name()
	for i := 2; w.defs[name] != nil || name == ""; i++ {
		name = s.typ.Name() + strconv.Itoa(i)
	}
	w.names[s.typ], w.defs[name] = name, true
	w.defs[name] = w.object(s)
	return name
}

// description is a field's documentation, and what its tags mean to a reader.
func description(f *field) string {
	var out []string
	if f.doc != "" {
		out = append(out, sentence(f.doc))
	}
	if f.refs != nil {
		out = append(out, "The id of "+article(rules.OrList(f.refs))+".")
	}
	if f.keyRefs != nil {
		out = append(out, "By the id of "+article(rules.OrList(f.keyRefs))+".")
	}
	if f.file {
		out = append(out, "A file of the folder, from its root.")
	}
	if f.cel {
		out = append(out, "An expression in CEL.")
	}
	return strings.Join(out, " ")
}

// sentence begins with a capital and ends with a full stop.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") && !strings.HasSuffix(s, ")") {
		s += "."
	}
	return s
}

// Docs describes all kinds in Markdown: one section a kind, one row a field.
func Docs(reg *Registry) string {
	var b strings.Builder
	meta, err := shapes{}.of(reflect.TypeFor[metadata]())
	if err != nil {
		panic(err)
	}
	b.WriteString("Every definition is a YAML document with `apiVersion: " + APIVersion + "`, a `kind`, `metadata` and a `spec`:\n\n")
	table(&b, "metadata", meta)
	for i, k := range reg.kinds {
		fmt.Fprintf(&b, "\n## %s\n\n", k.Name)
		if k.Doc != "" {
			b.WriteString(sentence(k.Doc) + "\n\n")
		}
		if len(k.Aliases) > 0 {
			fmt.Fprintf(&b, "Also read as `%s`.\n\n", strings.Join(k.Aliases, "`, `"))
		}
		table(&b, "spec", reg.shapes[i])
	}
	return b.String()
}

func table(b *strings.Builder, path string, s *shape) {
	if len(s.fields) == 0 {
		b.WriteString("It has no fields.\n")
		return
	}
	b.WriteString("| Field | Type | Required | What it is |\n|---|---|---|---|\n")
	rows(b, path, s, nil)
}

func rows(b *strings.Builder, path string, s *shape, within []*shape) {
	within = append(within, s)
	for _, f := range s.fields {
		required := ""
		if f.required {
			required = "yes"
		}
		fmt.Fprintf(b, "| `%s.%s` | %s | %s | %s |\n", path, f.name, typeWord(f), required, strings.ReplaceAll(description(f), "|", "\\|"))
		sub, at := f.shape, path+"."+f.name
		for sub.kind == listShape || sub.kind == mapShape {
			if at += "[]"; sub.kind == mapShape {
				at = at[:len(at)-2] + ".*"
			}
			sub = sub.elem
		}
		if sub.kind == structShape && !slices.Contains(within, sub) {
			rows(b, at, sub, within)
		}
	}
}

// typeWord is a field's type in words.
func typeWord(f *field) string {
	format := func(x *float64) string { return strconv.FormatFloat(*x, 'f', -1, 64) }
	var of func(s *shape) string
	of = func(s *shape) string {
		switch s.kind {
		case listShape:
			return "list of " + of(s.elem)
		case mapShape:
			return "fields of any name, each " + of(s.elem)
		case structShape:
			return "fields below"
		case classShape:
			return "`" + strings.Join(classes, "`, `") + "`"
		case textShape:
			switch {
			case f.enum != nil:
				return "`" + strings.Join(f.enum, "`, `") + "`"
			case f.refs != nil:
				return "id"
			case f.file:
				return "file name"
			case f.cel:
				return "expression"
			}
		case scalarShape:
			switch s.typ {
			case dateType:
				return "date, 2026-01-31"
			case durationType:
				return "length of time: 30s, 15m, 1h, 14d"
			}
		case anyShape:
			return "anything"
		}
		return strings.TrimPrefix(shapeName(s), "a ")
	}
	out := of(f.shape)
	switch {
	case f.shape.kind != intShape && f.shape.kind != floatShape:
	case f.min != nil && f.max != nil:
		out += ", " + format(f.min) + " to " + format(f.max)
	case f.min != nil:
		out += ", at least " + format(f.min)
	case f.max != nil:
		out += ", at most " + format(f.max)
	}
	return out
}
