package app

import (
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/exchange"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/def/describe"
	"github.com/reeve-civic/reeve/internal/services"
)

// registry is every kind of definition that the blocks read.
func registry() *def.Registry {
	return def.NewRegistry(slices.Concat(estate.Kinds(), exchange.Kinds(), services.Kinds())...)
}

// Problem is a mistake in definitions, and where it stands.
type Problem = def.Problem

// Kinds are the names of all kinds of definition.
func Kinds() (names []string) {
	for _, k := range registry().Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// Schema is the JSON Schema of a kind, for editors.
func Schema(kind string) ([]byte, error) {
	b, err := describe.Schema(registry(), kind)
	if reeve.KindOf(err) == reeve.NotFound {
		err = reeve.E(reeve.NotFound, "app.Schema", "%s. The kinds are %s", reeve.Message(err), strings.Join(Kinds(), ", "))
	}
	return b, err
}

// Reference is the reference of all kinds in Markdown.
func Reference() string { return string(describe.Docs(registry())) }

// Summary counts definitions by kind.
type Summary map[string]int

func (s Summary) String() string {
	var kinds []string
	total := 0
	for k, n := range s {
		kinds = append(kinds, fmt.Sprintf("%d %s", n, k))
		total += n
	}
	slices.SortFunc(kinds, func(a, b string) int {
		return strings.Compare(a[strings.Index(a, " "):], b[strings.Index(b, " "):])
	})
	return fmt.Sprintf("%d definitions, no problems: %s.", total, strings.Join(kinds, ", "))
}
