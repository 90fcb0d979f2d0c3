package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/sources"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
)

// ImportList asks to take a list into the inventory.
type ImportList struct {
	Source   string            `json:"source"`
	File     string            `json:"file"` // absolute; the program that runs reads it
	Mapping  string            `json:"mapping"`
	Settings map[string]string `json:"settings"`
	Preview  bool              `json:"preview"`
	Gone     int               `json:"gone"` // so many items may go
}

// ImportedList is what became of a list.
type ImportedList struct {
	Source   string                `json:"source"`
	Rows     int                   `json:"rows"`
	Taken    int                   `json:"taken"`
	Repeated int                   `json:"repeated"`
	Failed   int                   `json:"failed"`
	Skipped  int                   `json:"skipped"`
	Items    int                   `json:"items"`
	Added    int                   `json:"added"`
	Changed  int                   `json:"changed"`
	Same     int                   `json:"same"`
	Gone     int                   `json:"gone"`
	Losing   int                   `json:"losing,omitempty"` // of these, so many that somebody has to agree
	Warning  string                `json:"warning,omitempty"`
	Problems []importer.RowProblem `json:"problems"`
	Notes    []string              `json:"notes"`
	Unit     string                `json:"unit"`
	Preview  bool                  `json:"preview"`
}

// importList reads a file that is here and takes it into the inventory.
func (a *App) importList(ctx context.Context, in ImportList) (ImportedList, error) {
	src, input, file, err := sources.Open(sources.All(), in.Source, in.File)
	if err != nil {
		return ImportedList{}, err
	}
	defer file.Close()
	if !src.List {
		return ImportedList{}, reeve.E(reeve.Invalid, "import", "%s become definitions: leave out --data, and give the folder of definitions with --into", src.Title)
	}
	input.Settings = in.Settings
	if in.Mapping != "" && src.Vocabulary != nil {
		if input.Mapping, err = src.Vocabulary.ParseMapping([]byte(in.Mapping)); err != nil {
			return ImportedList{}, err
		}
	}
	r, err := src.Read(ctx, input)
	if err != nil {
		return ImportedList{}, importer.Asking(err)
	}
	r.List.MayGo = in.Gone
	do := a.blocks.estate.Inventory.Preview
	if !in.Preview {
		do = func(ctx context.Context, imp inventory.Import, items []inventory.Item) (inventory.Changes, error) {
			return a.blocks.estate.Inventory.Import(ctx, operatorID, imp, items)
		}
	}
	c, err := do(ctx, r.List, r.Items)
	if err != nil {
		return ImportedList{}, err
	}
	return ImportedList{
		Source: src.Name, Rows: r.Rows, Taken: r.Taken, Repeated: r.Repeated, Failed: r.Failed, Skipped: r.Skipped, Unit: src.Unit, Preview: in.Preview,
		Items: len(r.Items), Added: c.Added, Changed: c.Changed, Same: c.Same, Gone: c.Gone, Losing: c.Losing(), Warning: c.Warning(),
		Problems: append([]importer.RowProblem{}, r.Problems...), Notes: append([]string{}, r.Notes...),
	}, nil
}

// Text is the report for people.
func (l ImportedList) Text() string {
	var b strings.Builder
	for _, n := range l.Notes {
		fmt.Fprintln(&b, n)
	}
	for _, p := range l.Problems {
		fmt.Fprintln(&b, p)
	}
	fmt.Fprintf(&b, "%s: %d, of which %d were taken, %d repeated, %d could not be used, %d left out.\n", importer.Units(l.Unit), l.Rows, l.Taken, l.Repeated, l.Failed, l.Skipped)
	verb := "Imported"
	if l.Preview {
		verb = "Would be imported"
	}
	fmt.Fprintf(&b, "%s: %d items, of which %d are new, %d change, %d are the same; %d go.\n", verb, l.Items, l.Added, l.Changed, l.Same, l.Gone)
	if l.Preview && l.Losing > 0 {
		fmt.Fprintf(&b, "It would take away %s: that is only done with --gone %d. If the file is a part of the list, say --set partial=yes.\n", l.Warning, l.Losing)
	}
	return b.String()
}
