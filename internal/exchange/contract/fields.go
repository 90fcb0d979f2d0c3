package contract

import (
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/reeve-civic/reeve"
)

// Field is a value that a record of a type may hold: text, a number, a truth value,
// or a list or object of which the schema says nothing more.
type Field struct {
	Path     string // JSON Pointer without list indexes
	Label    string
	Takes    []string // JSON types; none: any
	Format   string   // "date", "date-time", "email", ...
	Choices  []string
	Const    any   // the only value that it may have, where the schema names one
	Required bool  // in every record, as far as the schema tells
	Listed   bool  // within a list
	Lists    []int // before which steps of the path a list stands
	Class    reeve.Class
}

// maxNested is how many objects within one another are followed.
const maxNested = 12

// Fields are the fields that the schema names, in the order of their paths, at most
// max; more says that there are others. With pointers only those are told that stand
// there or below: JSON Pointers without list indexes, "" for all.
func (t *Type) Fields(max int, under ...string) (fields []Field, more bool) {
	w := walker{t: t, max: max, under: under, at: map[string]int{}}
	w.schema(t.schema, nil, true, nil, 0)
	slices.SortFunc(w.fields, func(a, b Field) int { return slices.Compare(Tokens(a.Path), Tokens(b.Path)) })
	return w.fields, w.more
}

type walker struct {
	t      *Type
	max    int
	under  []string
	fields []Field
	at     map[string]int // index in fields, by path
	more   bool
	steps  int
}

const maxSteps = 20_000 // of a schema that refers to itself in many ways

func (w *walker) schema(s *jsonschema.Schema, toks []string, required bool, lists []int, depth int) {
	if w.steps++; s == nil || s.Bool != nil || depth > maxWalk || len(toks) > maxNested || w.steps > maxSteps {
		w.more = w.more || w.steps > maxSteps
		return
	}
	if !w.wanted(join(toks)) {
		return
	}
	if len(toks) > 0 && (s.Types != nil || s.Enum != nil || s.Const != nil || s.Format != nil) && w.leaf(s) {
		w.add(s, toks, required, lists)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		w.schema(s.Properties[name], append(slices.Clone(toks), name), required && len(lists) == 0 && slices.Contains(s.Required, name), lists, depth+1)
	}
	for _, item := range items(s) {
		w.schema(item, toks, required, append(slices.Clone(lists), len(toks)), depth+1)
	}
	for _, sub := range together(s) {
		w.schema(sub, toks, required, lists, depth+1)
	}
	for _, group := range [][]*jsonschema.Schema{s.AnyOf, s.OneOf} {
		for _, sub := range group {
			w.schema(sub, toks, false, lists, depth+1)
		}
	}
}

// wanted reports whether a field stands at, above or below one that is asked for.
func (w *walker) wanted(at string) bool {
	return len(w.under) == 0 || slices.ContainsFunc(w.under, func(p string) bool {
		return strings.HasPrefix(p+"/", at+"/") || strings.HasPrefix(at+"/", p+"/")
	})
}

// leaf reports whether nothing below s is named.
func (w *walker) leaf(s *jsonschema.Schema) bool {
	if len(s.Properties) > 0 || len(s.AllOf)+len(s.AnyOf)+len(s.OneOf) > 0 || s.Ref != nil {
		return false
	}
	for _, item := range items(s) {
		if item != nil && item.Bool == nil {
			return false
		}
	}
	return true
}

func (w *walker) add(s *jsonschema.Schema, toks []string, required bool, lists []int) {
	path := join(toks)
	if i, ok := w.at[path]; ok { // said in several places of the schema
		w.fields[i].Required = w.fields[i].Required || required
		return
	}
	if len(w.fields) == w.max {
		w.more = true
		return
	}
	f := Field{Path: path, Label: w.t.Label(path), Choices: w.t.Choices(path), Required: required, Listed: len(lists) > 0 && lists[0] < len(toks), Lists: lists, Class: w.t.ClassOf(path)}
	if s.Title != "" {
		f.Label = s.Title
	}
	if s.Types != nil {
		f.Takes = s.Types.ToStrings()
	}
	if s.Format != nil {
		f.Format = s.Format.Name
	}
	if s.Const != nil {
		f.Const = *s.Const
	}
	if slices.Contains(lists, len(toks)) { // a list of plain values
		f.Takes, f.Format, f.Choices = []string{"array"}, "", nil
	}
	w.at[path] = len(w.fields)
	w.fields = append(w.fields, f)
}
