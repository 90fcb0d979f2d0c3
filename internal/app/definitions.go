package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/exchange"
	"github.com/reeve-civic/reeve/internal/kernel/def"
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
	b, err := def.Schema(registry(), kind)
	if reeve.KindOf(err) == reeve.NotFound {
		err = reeve.E(reeve.NotFound, "app.Schema", "%s. The kinds are %s", reeve.Message(err), strings.Join(Kinds(), ", "))
	}
	return b, err
}

// Reference is the reference of all kinds in Markdown.
func Reference() string { return string(def.Docs(registry())) }

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

// ImportReport is what became of a spreadsheet.
type ImportReport struct {
	Files    map[string][]byte     `json:"-"` // by name, to be written
	Rows     int                   `json:"rows"`
	Systems  int                   `json:"systems"`
	Repeated int                   `json:"repeated"`
	Existing int                   `json:"existing"`
	Failed   int                   `json:"failed"`
	Besides  string                `json:"besides"` // definitions made beside the systems
	Problems []importer.RowProblem `json:"problems"`
	Notes    []string              `json:"notes"`
	mapping  string
}

// ImportSystems turns a spreadsheet into definitions; what is defined in out
// already is kept as it is.
func ImportSystems(file, mappingFile, out string) (ImportReport, error) {
	var o importer.Options
	if mappingFile != "" {
		b, err := os.ReadFile(mappingFile)
		if err != nil {
			return ImportReport{}, err
		}
		if o.Mapping, err = importer.ParseMapping(b); err != nil {
			return ImportReport{}, err
		}
	}
	name, err := freeName(out)
	if err != nil {
		return ImportReport{}, err
	}
	if i, err := os.Stat(out); err == nil && i.IsDir() {
		set, problems := def.Load(os.DirFS(out), registry())
		if len(problems) > 0 {
			return ImportReport{}, reeve.E(reeve.Invalid, "app.ImportSystems", "%w", problemsError(problems))
		}
		o.Existing = set
	}
	f, err := os.Open(file)
	if err != nil {
		return ImportReport{}, err
	}
	defer f.Close()
	r, err := importer.Systems(f, file, o)
	if err != nil {
		return ImportReport{}, err
	}
	report := ImportReport{Rows: r.Rows, Systems: r.Systems, Repeated: r.Repeated, Existing: r.Existing, Failed: r.Failed, Problems: r.Problems, Notes: r.Notes, mapping: string(r.Mapping.YAML()),
		Besides: fmt.Sprintf("%d organisations, %d capabilities, %d supplier contracts", r.Organisations, r.Capabilities, r.Contracts),
		Files:   map[string][]byte{name + ".mapping": r.Mapping.YAML()}}
	if r.Systems > 0 {
		report.Files[name+".yaml"] = r.Definitions
	}
	return report, nil
}

// freeName is a name that no earlier import has used: what was imported is never
// written over.
func freeName(dir string) (string, error) {
	for n := 1; ; n++ {
		name := "systems-imported"
		if n > 1 {
			name += fmt.Sprint("-", n)
		}
		_, a := os.Stat(filepath.Join(dir, name+".yaml"))
		_, b := os.Stat(filepath.Join(dir, name+".mapping"))
		if errors.Is(a, fs.ErrNotExist) && errors.Is(b, fs.ErrNotExist) {
			return name, nil
		}
		if err := errors.Join(a, b); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
}

// Text is the report for people.
func (r ImportReport) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "What the columns were taken for (keep it, correct it, and give it with --mapping):\n\n%s\n", r.mapping)
	for _, n := range r.Notes {
		fmt.Fprintln(&b, n)
	}
	for _, p := range r.Problems {
		fmt.Fprintln(&b, p)
	}
	fmt.Fprintf(&b, "\n%d rows: %d became systems, %d were repeated, %d are defined already, %d could not be used.\nBesides: %s.\n",
		r.Rows, r.Systems, r.Repeated, r.Existing, r.Failed, r.Besides)
	return b.String()
}
