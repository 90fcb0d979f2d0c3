// Package offline is what the commands do with a folder of definitions where no
// program runs: they check it, plan a change, test it, print it in one form, import
// into it and export what it says.
//
// What is guaranteed. Nothing here opens a database, waits for the network or knows
// more than the folder says; the same folder and day always give the same answer.
package offline

import (
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/exchange"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/def/describe"
	"github.com/reeve-civic/reeve/internal/services"
)

// Registry is every kind of definition that the blocks read.
func Registry() *def.Registry {
	return def.NewRegistry(slices.Concat(estate.Kinds(), exchange.Kinds(), services.Kinds())...)
}

// Problem is a mistake in definitions, and where it stands.
type Problem = def.Problem

// Kinds are the names of all kinds of definition.
func Kinds() (names []string) {
	for _, k := range Registry().Kinds() {
		names = append(names, k.Name)
	}
	return names
}

// Schema is the JSON Schema of a kind, for editors.
func Schema(kind string) ([]byte, error) {
	b, err := describe.Schema(Registry(), kind)
	if reeve.KindOf(err) == reeve.NotFound {
		err = reeve.E(reeve.NotFound, "offline.Schema", "%s. The kinds are %s", reeve.Message(err), strings.Join(Kinds(), ", "))
	}
	return b, err
}

// Reference is the reference of all kinds in Markdown.
func Reference() string { return string(describe.Docs(Registry())) }

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

// Check loads a folder of definitions of all kinds and compiles them as a
// running program would.
func Check(folder fs.FS) (Summary, []Problem) {
	set, problems := def.Load(folder, Registry())
	if len(problems) > 0 {
		return nil, problems
	}
	s := Summary{}
	for _, o := range set.Objects() {
		s[o.Kind]++
	}
	return s, nil
}

// Version is the version of the program as it was built.
func Version() string {
	if i, ok := debug.ReadBuildInfo(); ok && i.Main.Version != "" {
		return i.Main.Version
	}
	return "devel"
}
