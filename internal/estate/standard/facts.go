package standard

import (
	"reflect"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Fact is a value that rules may read as facts.NAME. Whoever computes facts
// leaves a fact out when it is not known.
type Fact struct {
	Name string
	Doc  string // what it says
	Ask  string // how it becomes known
}

// Facts lists the facts that are computed of an entity of the kind, nil for a
// kind that standards cannot be about.
func Facts(kind string) []Fact {
	switch kind {
	case "System":
		return []Fact{
			{"ours", "whether the system belongs to the body itself or a part of it", "declare spec.organisation"},
			{"inUse", "whether people rely on the system today", "declare spec.lifecycle.phase"},
			{"interfaces", "how many interfaces of the system are described", "describe its interfaces, or declare spec.api"},
			{"documentedInterfaces", "how many of its interfaces have a published definition", "describe its interfaces, or declare spec.api"},
			{"dataClass", "the class of the most sensitive data that it holds or exchanges, 0 to 3", "declare spec.data.class, or the record types of its interfaces"},
			{"requiredIdentity", "how well people must be proved to be who they say, for the data it holds", "declare spec.data.class, or the record types of its interfaces"},
			{"requiredAuthn", "how strongly people must sign in, for the data it holds", "declare spec.data.class, or the record types of its interfaces"},
			{"selfServiceChannels", "how many ways there are for people to do it for themselves", "declare spec.channels: its online address, or none"},
			{"genericCapabilities", "how many shared building blocks the system provides", "declare spec.capabilities"},
			{"sharedCapabilitiesDuplicated", "how many building blocks it has of its own although a shared one was chosen", "declare spec.capabilities, and the platform of each generic capability"},
			{"peersInCapability", "how many other systems in use do the same, beyond what is allowed", "declare spec.capabilities"},
			{"annualCost", "what it costs a year in minor units, its share of each contract", "declare the cost of its supplier contracts"},
			{"daysToNotice", "days until the first notice date of its contracts, negative when past", "declare the term and notice of its supplier contracts"},
			{"restoreTestAgeDays", "days since a restore was last tried", "declare spec.continuity.restoreTested"},
		}
	case "SupplierContract":
		return []Fact{
			{"daysToEnd", "days until the contract ends, negative when past", "declare spec.term.ends"},
			{"daysToNotice", "days until the last day for notice, negative when past", "declare spec.term.ends and spec.term.noticeDays"},
			{"annualCost", "what it costs a year in minor units", "declare spec.cost"},
			{"exitTestAgeDays", "days since leaving was last tried", "declare spec.exit.tested"},
		}
	}
	return nil
}

// Missing is something that a rule needed and nobody has declared or observed.
type Missing struct {
	Path string // "facts.documentedInterfaces", "self.spec.hosting"
	Doc  string // what it is, in words
	Ask  string // how it becomes known
}

// describe puts the path of something missing of an entity into words.
func describe(kind, path string) Missing {
	m := Missing{Path: path, Doc: path, Ask: "declare " + strings.TrimPrefix(path, "self.")}
	if name, ok := strings.CutPrefix(path, "facts."); ok {
		for _, f := range Facts(kind) {
			if f.Name == name {
				m.Doc, m.Ask = f.Doc, f.Ask
			}
		}
		return m
	}
	t := specType(kind)
	if rest, ok := strings.CutPrefix(path, "self.spec."); ok && t != nil {
		if doc := fieldDoc(t, strings.Split(rest, ".")); doc != "" {
			m.Doc = sentence(doc)
		}
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

// specType is the type of a kind's spec.
func specType(kind string) reflect.Type {
	switch kind {
	case "System":
		return reflect.TypeFor[system.Spec]()
	case "SupplierContract":
		return reflect.TypeFor[supplier.Spec]()
	}
	return nil
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
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		paths = append(paths, fieldPaths(prefix+"."+name, f.Type)...)
	}
	return paths
}
