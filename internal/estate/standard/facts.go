package standard

import (
	"reflect"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Fact is a value that rules may read as facts.NAME. Whoever computes facts
// leaves a fact out when it is not known.
type Fact struct {
	Name string
	Type FactType
	Doc  string // what it says
	Ask  string // how it becomes known
}

// FactType says how a fact is read where somebody states it as evidence.
type FactType int

// The types of facts.
const (
	Number FactType = iota // a whole number, or one with a fraction
	YesNo
	Day  // stated as a day, kept as the days since then
	List // of ids
)

// Facts lists the facts that are computed of an entity of the kind, nil for a
// kind that standards cannot be about.
func Facts(kind string) []Fact { return facts[kind] }

// FactOf finds a fact of a kind.
func FactOf(kind, name string) (Fact, bool) {
	i := slices.IndexFunc(facts[kind], func(f Fact) bool { return f.Name == name })
	if i < 0 {
		return Fact{}, false
	}
	return facts[kind][i], true
}

// Missing is something that a rule needed and nobody has declared or observed.
type Missing struct {
	Path string // "facts.documentedInterfaces", "self.spec.hosting"
	Doc  string // what it is, in words
	Ask  string // how it becomes known
}

// describe puts the path of something missing of an entity into words.
func (s *Standard) describe(path string) Missing {
	m := Missing{Path: path, Doc: path, Ask: "declare " + strings.TrimPrefix(path, "self.")}
	if name, ok := strings.CutPrefix(path, "facts."); ok {
		if f, ok := FactOf(s.Spec.Applies.Kind, name); ok {
			m.Doc, m.Ask = f.Doc, f.Ask
		}
		return m
	}
	if rest, ok := strings.CutPrefix(path, "self.spec."); ok && s.about != nil {
		if doc := fieldDoc(s.about, strings.Split(rest, ".")); doc != "" {
			m.Doc = sentence(doc)
		}
	}
	if imported[s.Spec.Applies.Kind] != nil {
		m.Ask = "import it with the list that names " + strings.TrimPrefix(path, "self.spec.")
	}
	return m
}

// fieldDoc finds the doc of the field that path names, going as deep as it can.
func fieldDoc(t reflect.Type, path []string) string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || len(path) == 0 {
		return ""
	}
	for i := range t.NumField() {
		f := t.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == path[0] {
			if deeper := fieldDoc(f.Type, path[1:]); deeper != "" {
				return deeper
			}
			return f.Tag.Get("doc")
		}
	}
	return ""
}

// sentence turns "Where it runs: ..., ... ." into "where it runs": the first
// clause, to stand inside a sentence.
func sentence(doc string) string {
	doc = strings.TrimSuffix(doc, ".")
	for _, cut := range []string{": ", ";"} {
		if before, _, ok := strings.Cut(doc, cut); ok {
			doc = before
		}
	}
	if doc == "" {
		return ""
	}
	return strings.ToLower(doc[:1]) + doc[1:]
}

// imported are the fields of kinds that are imported or observed, and not declared.
var imported = map[string][]string{
	"ObservedFlow": {"spec.organisation", "spec.record"},
	"LedgerLine":   {"spec.supplier", "spec.amount", "spec.on", "spec.code", "spec.type"},
}

// fieldPaths lists what a rule may read below prefix: "spec.lifecycle.phase".
// Lists and maps are read whole.
func fieldPaths(prefix string, t reflect.Type) []string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || t == reflect.TypeFor[def.Date]() {
		return []string{prefix}
	}
	var paths []string
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		paths = append(paths, fieldPaths(prefix+"."+name, f.Type)...)
	}
	return paths
}
