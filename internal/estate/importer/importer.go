// Package importer is the frame of every import: a source reads a file, and what
// it says is merged into what is defined. It holds the first of the sources: an
// architect's spreadsheet of systems.
//
// What is guaranteed. Every row is taken or told with the reason, and the counts
// add up; every value that was not understood is told with its place; formulas are
// never evaluated. Importing the same list again changes nothing; a newer one
// changes only the fields that it has, and never in silence what a person changed
// since. A file that is too large or made to do harm is refused.
//
// What not to assume: that what the file says is true.
package importer

import (
	"context"
	"strings"
)

// Systems reads the list of systems that somebody keeps.
var Systems = Source{
	Name: "systems", Title: "List of systems", Becomes: "systems, and the organisations, capabilities and supplier contracts that they name",
	Doc:   "A spreadsheet with one system or application a row, under any headings.",
	Files: []string{".csv", ".xlsx"}, Unit: "row", Vocabulary: systems,
	Settings: []Setting{{Name: "organisation", Label: "Id of the organisation that the departments in the list belong to", Hint: "Leave it empty if you do not know."}},
	Detect:   func(head []byte, name string) bool { return systems.Detects(head, name, 3) },
	Read:     readSystems,
}

func readSystems(_ context.Context, in Input) (*Reading, error) {
	r, lines, err := Open(systems, in)
	if err != nil {
		return nil, err
	}
	b := newBuilder(r, strings.TrimSpace(in.Settings["organisation"]))
	r.Each(lines, in.Progress, b.row)
	r.Definitions = b.definitions()
	return r, nil
}
