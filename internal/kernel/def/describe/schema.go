// Package describe tells people and editors what definitions may hold: as JSON
// Schema, and as a reference in Markdown.
package describe

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

const (
	datePattern     = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`
	durationPattern = `^([0-9]+[smhdw])+$`
	idPattern       = `^[A-Za-z0-9][A-Za-z0-9.-]*$`
)

type schema = map[string]any

// Schema is the JSON Schema (2020-12) of a kind's documents, for editors. "" stands
// for any kind. The error is NotFound if there is no such kind.
//
// It says what Load says of shape; what refers to what only Load can tell.
func Schema(reg *def.Registry, kind string) ([]byte, error) {
	w := schemaWriter{defs: schema{}, names: map[reflect.Type]string{}}
	var root schema
	if kind == "" {
		root = w.anyKind(reg)
	} else {
		k, ok := reg.Kind(kind)
		if !ok {
			var names []string
			for _, k := range reg.Kinds() {
				names = append(names, k.Name)
			}
			return nil, reeve.E(reeve.NotFound, "describe.Schema", "there is no kind %q%s", kind, rules.DidYouMean(kind, names))
		}
		root = w.document(reg, k)
		root["title"] = k.Name
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

func (w *schemaWriter) anyKind(reg *def.Registry) schema {
	var names []string
	var all []any
	for _, k := range reg.Kinds() {
		spelled := append([]string{k.Name}, k.Aliases...)
		names = append(names, spelled...)
		all = append(all, schema{
			"if":   schema{"properties": schema{"kind": schema{"enum": spelled}}, "required": []string{"kind"}},
			"then": w.document(reg, k),
		})
	}
	return schema{"title": "A definition", "type": "object", "required": []string{"apiVersion", "kind", "metadata"},
		"properties": schema{"kind": schema{"enum": names, "description": "What sort of definition this is."}}, "allOf": all}
}

func (w *schemaWriter) document(reg *def.Registry, k def.Kind) schema {
	fields := reg.Properties(k.Name)
	m := w.object(reg.Metadata())
	m["properties"].(schema)["id"].(schema)["pattern"] = idPattern
	out := schema{
		"type": "object", "description": sentence(k.Doc), "additionalProperties": false,
		"required": []string{"apiVersion", "kind", "metadata"},
		"properties": schema{
			"apiVersion": schema{"const": def.APIVersion, "description": "The version of this form."},
			"kind":       schema{"enum": append([]string{k.Name}, k.Aliases...), "description": sentence(k.Doc)},
			"metadata":   m,
			"spec":       w.object(fields),
		},
	}
	if slices.ContainsFunc(fields, func(f def.Property) bool { return f.Required }) {
		out["required"] = []string{"apiVersion", "kind", "metadata", "spec"}
	}
	return out
}

func (w *schemaWriter) object(fields []def.Property) schema {
	props := schema{}
	var required []string
	for _, f := range fields {
		props[f.Name] = w.field(f)
		if f.Required {
			required = append(required, f.Name)
		}
	}
	out := schema{"type": "object", "properties": props, "additionalProperties": false}
	if required != nil {
		out["required"] = required
	}
	return out
}

func (w *schemaWriter) field(f def.Property) schema {
	out := w.value(f)
	if d := description(f); d != "" {
		out["description"] = d
	}
	low, high := "", ""
	switch f.Type {
	case "int", "number":
		low, high = "minimum", "maximum"
	case "text":
		low, high = "minLength", "maxLength"
	case "list":
		low, high = "minItems", "maxItems"
	case "map":
		low, high = "minProperties", "maxProperties"
	}
	if f.Min != nil && low != "" {
		out[low] = *f.Min
	} else if f.Required && f.Type == "text" {
		out["minLength"] = 1
	}
	if f.Max != nil && high != "" {
		out[high] = *f.Max
	}
	if !f.Required { // an empty field counts as absent
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

func (w *schemaWriter) value(f def.Property) schema {
	switch f.Type {
	case "text":
		out := schema{"type": "string"}
		if f.Enum != nil {
			out["enum"] = slices.Clone(f.Enum)
		}
		if f.Refs != nil {
			out["pattern"] = idPattern
		}
		return out
	case "date":
		return schema{"type": "string", "pattern": datePattern}
	case "duration":
		return schema{"type": "string", "pattern": durationPattern}
	case "scalar":
		return schema{"type": []string{"string", "number", "boolean", "null"}}
	case "class":
		return schema{"type": "string", "enum": slices.Clone(f.Enum)}
	case "bool":
		return schema{"type": "boolean"}
	case "int":
		return schema{"type": "integer"}
	case "number":
		return schema{"type": "number"}
	case "list":
		return schema{"type": "array", "items": w.value(f.Elem())}
	case "map":
		return schema{"type": "object", "additionalProperties": w.value(f.Elem())}
	case "group":
		return schema{"$ref": "#/$defs/" + w.named(f)}
	}
	return schema{}
}

// named puts a struct under $defs, so that one that contains itself ends.
func (w *schemaWriter) named(f def.Property) string {
	if name, ok := w.names[f.Go]; ok {
		return name
	}
	name := f.Go.Name()
	for i := 2; w.defs[name] != nil || name == ""; i++ {
		name = f.Go.Name() + strconv.Itoa(i)
	}
	w.names[f.Go], w.defs[name] = name, true
	w.defs[name] = w.object(f.Properties())
	return name
}

// description is a field's documentation, and what its tags mean to a reader.
func description(f def.Property) string {
	var out []string
	if f.Doc != "" {
		out = append(out, sentence(f.Doc))
	}
	if f.Refs != nil {
		out = append(out, "The id of "+def.Article(rules.OrList(f.Refs))+".")
	}
	if f.KeyRefs != nil {
		out = append(out, "By the id of "+def.Article(rules.OrList(f.KeyRefs))+".")
	}
	if f.File {
		out = append(out, "A file of the folder, from its root.")
	}
	if f.CEL {
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
func Docs(reg *def.Registry) string {
	var b strings.Builder
	b.WriteString("Every definition is a YAML document with `apiVersion: " + def.APIVersion + "`, a `kind`, `metadata` and a `spec`:\n\n")
	table(&b, "metadata", reg.Metadata())
	for _, k := range reg.Kinds() {
		fmt.Fprintf(&b, "\n## %s\n\n", k.Name)
		if k.Doc != "" {
			b.WriteString(sentence(k.Doc) + "\n\n")
		}
		if len(k.Aliases) > 0 {
			fmt.Fprintf(&b, "Also read as `%s`.\n\n", strings.Join(k.Aliases, "`, `"))
		}
		table(&b, "spec", reg.Properties(k.Name))
	}
	return b.String()
}

func table(b *strings.Builder, path string, fields []def.Property) {
	if len(fields) == 0 {
		b.WriteString("It has no fields.\n")
		return
	}
	b.WriteString(Table(Fields(path, fields)))
}

// Field is a field for people: with its whole path, and its type in words.
type Field struct {
	Path     string `json:"path"`
	Type     string `json:"type"`
	Required bool   `json:"required,omitempty"`
	Doc      string `json:"doc"`
}

// Fields lists fields and those below them.
func Fields(path string, fields []def.Property) []Field { return below(path, fields, nil) }

func below(path string, fields []def.Property, within []reflect.Type) (all []Field) {
	for _, f := range fields {
		all = append(all, Field{path + "." + f.Name, typeWord(f), f.Required, description(f)})
		sub, at := f, path+"."+f.Name
		for sub.Type == "list" || sub.Type == "map" {
			if at += "[]"; sub.Type == "map" {
				at = at[:len(at)-2] + ".*"
			}
			sub = sub.Elem()
		}
		if sub.Type == "group" && !slices.Contains(within, sub.Go) {
			all = append(all, below(at, sub.Properties(), append(slices.Clone(within), sub.Go))...)
		}
	}
	return all
}

// Table is a list of fields in Markdown.
func Table(fields []Field) string {
	var b strings.Builder
	b.WriteString("| Field | Type | Required | What it is |\n|---|---|---|---|\n")
	for _, f := range fields {
		required := ""
		if f.Required {
			required = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.Path, f.Type, required, strings.ReplaceAll(f.Doc, "|", "\\|"))
	}
	return b.String()
}

// typeWord is a field's type in words.
func typeWord(f def.Property) string {
	format := func(x *float64) string { return strconv.FormatFloat(*x, 'f', -1, 64) }
	out := words(f)
	switch {
	case f.Type != "int" && f.Type != "number":
	case f.Min != nil && f.Max != nil:
		out += ", " + format(f.Min) + " to " + format(f.Max)
	case f.Min != nil:
		out += ", at least " + format(f.Min)
	case f.Max != nil:
		out += ", at most " + format(f.Max)
	}
	return out
}

func words(f def.Property) string {
	switch f.Type {
	case "list":
		return "list of " + words(f.Elem())
	case "map":
		return "fields of any name, each " + words(f.Elem())
	case "group":
		return "fields below"
	case "class":
		return "`" + strings.Join(f.Enum, "`, `") + "`"
	case "bool":
		return "true or false"
	case "int":
		return "whole number"
	case "number":
		return "number"
	case "date":
		return "date, 2026-01-31"
	case "duration":
		return "length of time: 30s, 15m, 1h, 14d"
	case "anything":
		return "anything"
	}
	switch {
	case f.Type != "text":
	case f.Enum != nil:
		return "`" + strings.Join(f.Enum, "`, `") + "`"
	case f.Refs != nil:
		return "id"
	case f.File:
		return "file name"
	case f.CEL:
		return "expression"
	}
	return "text"
}
