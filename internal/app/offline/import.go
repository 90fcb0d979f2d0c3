package offline

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/sources"
)

// ImportOptions say what is imported into which folder of definitions.
type ImportOptions struct {
	Source   string // name, or "auto"
	File     string // or a folder
	Into     string // folder of definitions; made if it is not there
	Mapping  string // file that says what the columns mean; "" to guess or take the last one
	Settings map[string]string
	Take     []string // fields in conflict to take from the file, "all" for all
	Preview  bool     // write nothing
	Progress func(done int)
}

// ImportReport is what becomes of an import, and of each definition.
type ImportReport struct {
	Source      string                `json:"source"`
	Rows        int                   `json:"rows"`
	Taken       int                   `json:"taken"`
	Repeated    int                   `json:"repeated"`
	Failed      int                   `json:"failed"`
	Skipped     int                   `json:"skipped"`
	Definitions int                   `json:"definitions"` // in the file
	Added       int                   `json:"added"`
	Changed     int                   `json:"changed"`
	Same        int                   `json:"same"`
	Conflicting int                   `json:"conflicting"`
	Doubled     int                   `json:"doubled"`
	Gone        int                   `json:"gone"`
	Changes     []importer.Change     `json:"changes"`
	Problems    []importer.RowProblem `json:"problems"`
	Notes       []string              `json:"notes"`
	Files       []string              `json:"files"` // written, or that would be

	prepared *importer.Prepared
	preview  bool
}

// ImportSources names what can be imported, with a sentence each.
func ImportSources() string {
	var b strings.Builder
	for _, s := range sources.All() {
		fmt.Fprintf(&b, "  %-18s %s\n", s.Name, s.Doc)
	}
	return b.String()
}

// Import reads a file and merges what it says into a folder of definitions.
func Import(ctx context.Context, o ImportOptions) (ImportReport, error) {
	src, in, file, err := sources.Open(sources.All(), o.Source, o.File)
	if err != nil {
		return ImportReport{}, err
	}
	defer file.Close()
	if src.List {
		return ImportReport{}, reeve.E(reeve.Invalid, "offline.Import", "%s go into the inventory of a running program: give its folder with --data", src.Becomes)
	}
	in.Settings, in.Progress = o.Settings, o.Progress
	if o.Mapping != "" {
		if src.Vocabulary == nil {
			return ImportReport{}, reeve.E(reeve.Invalid, "offline.Import", "%s has no columns that a mapping could explain", src.Title)
		}
		b, err := os.ReadFile(o.Mapping)
		if err != nil {
			return ImportReport{}, err
		}
		if in.Mapping, err = src.Vocabulary.ParseMapping(b); err != nil {
			return ImportReport{}, err
		}
	}
	p, err := importer.Prepare(ctx, src, in, os.DirFS(o.Into), Registry(), importer.These(o.Take...))
	if err != nil {
		return ImportReport{}, importer.Asking(err)
	}
	if !o.Preview {
		if err := writeFiles(o.Into, p.Files); err != nil {
			return ImportReport{}, err
		}
	}
	return ImportReport{
		Source: src.Name, Rows: p.Rows, Taken: p.Taken, Repeated: p.Repeated, Failed: p.Failed, Skipped: p.Skipped,
		Definitions: len(p.Definitions), Added: p.Added, Changed: p.Changed, Same: p.Same, Conflicting: p.Conflicting, Doubled: p.Doubled, Gone: p.Gone,
		Changes: append([]importer.Change{}, p.Changes...), Problems: append([]importer.RowProblem{}, p.Problems...), Notes: append([]string{}, p.Notes...),
		Files: append([]string{}, importer.Names(p.Files)...), prepared: p, preview: o.Preview,
	}, nil
}

// writeFiles puts all files in place, each whole.
func writeFiles(folder string, files map[string][]byte) error {
	var temporary []string
	defer func() {
		for _, t := range temporary {
			_ = os.Remove(t)
		}
	}()
	for _, name := range importer.Names(files) {
		to := filepath.Join(folder, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		f, err := os.CreateTemp(filepath.Dir(to), ".import-*")
		if err != nil {
			return err
		}
		temporary = append(temporary, f.Name())
		_, err = f.Write(files[name])
		if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
			return err
		}
	}
	for i, name := range importer.Names(files) {
		if err := os.Rename(temporary[i], filepath.Join(folder, filepath.FromSlash(name))); err != nil {
			return err
		}
	}
	return nil
}

// maxListed is how many definitions a report names one by one.
const maxListed = 50

// Text is the report for people.
func (r ImportReport) Text() string {
	var b strings.Builder
	if m := r.prepared.Mapping; m != nil {
		fmt.Fprintf(&b, "What the columns were taken for (kept in %s; correct it, and import again):\n\n%s\n", r.prepared.Place.Mapping(), m.YAML())
	}
	for _, n := range r.Notes {
		fmt.Fprintln(&b, n)
	}
	for _, p := range r.Problems {
		fmt.Fprintln(&b, p)
	}
	if len(r.Notes)+len(r.Problems) > 0 {
		b.WriteString("\n")
	}
	for i, c := range r.Changes {
		if i == maxListed {
			fmt.Fprintf(&b, "and %d more; --json names them all\n", len(r.Changes)-maxListed)
			break
		}
		fmt.Fprintf(&b, "%s %s (%s)\n", c.What, c.Ref(), c.Name)
		for _, f := range c.Fields {
			fmt.Fprintf(&b, "  %s %s: here %s, in the file %s\n", f.What, f.Path, shown(f.Here), shown(f.There))
		}
	}
	fmt.Fprintf(&b, "\n%s: %d, of which %d were taken, %d repeated, %d could not be used, %d left out.\n", importer.Units(r.prepared.Unit), r.Rows, r.Taken, r.Repeated, r.Failed, r.Skipped)
	fmt.Fprintf(&b, "Definitions in it: %d, of which %d are new, %d change, %d are the same, %d wait for a decision, %d were named more than once.\n",
		r.Definitions, r.Added, r.Changed, r.Same, r.Conflicting, r.Doubled)
	if r.Gone > 0 {
		fmt.Fprintf(&b, "%d that an earlier import brought are not in it; they stay until somebody removes them.\n", r.Gone)
	}
	if r.Conflicting > 0 {
		b.WriteString("What waits for a decision stays as it is here; take the file's value with --take \"KIND/ID FIELD\", or all with --take all.\n")
	}
	switch {
	case len(r.Files) == 0:
		b.WriteString("Nothing changes.\n")
	case r.preview:
		fmt.Fprintf(&b, "Would be written: %s.\n", strings.Join(r.Files, ", "))
	default:
		fmt.Fprintf(&b, "Written: %s.\n", strings.Join(r.Files, ", "))
	}
	return b.String()
}

func shown(v any) string {
	if v == nil {
		return "nothing"
	}
	return strings.TrimSpace(fmt.Sprint(v))
}
