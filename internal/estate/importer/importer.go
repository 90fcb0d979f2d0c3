// Package importer turns an architect's spreadsheet into definitions.
//
// What is guaranteed: any headings are taken, by guess or by a mapping that is
// given; every row becomes a system or is told with the reason; every value that
// was not understood is told with its row and column, and nothing is dropped in
// silence; formulas are never evaluated; the definitions load. Ids are made from
// names, so the same list gives the same ids again. A file that is too large or
// made to do harm is refused.
//
// What not to assume: that what the spreadsheet says is true.
package importer

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Options are how to import. The zero value guesses everything.
type Options struct {
	Mapping      *Mapping // what the columns mean; nil to guess from the headings
	Existing     *def.Set // definitions that are there already; their ids are kept and not written again
	Organisation string   // id of the organisation that departments in the list belong to, "" if none
}

// Result is what came of an import. Rows == Systems + Repeated + Existing + Failed.
type Result struct {
	Definitions []byte // YAML: systems, and the organisations, capabilities and contracts they name
	Mapping     Mapping
	Rows        int // rows with something in them, below the headings
	Systems     int // rows that became a system: what was understood
	Repeated    int // rows equal to an earlier one
	Existing    int // rows whose system is defined already
	Failed      int // rows that could not become a system

	Organisations, Capabilities, Contracts int // definitions made beside the systems

	Problems []RowProblem // by row, then column
	Notes    []string     // about the file as a whole
}

// RowProblem is something that was not understood.
type RowProblem struct {
	Row     int    `json:"row"`    // as the spreadsheet program numbers it
	Column  string `json:"column"` // heading, "" for the whole row
	Message string `json:"message"`
}

func (p RowProblem) String() string {
	if p.Column == "" {
		return fmt.Sprintf("row %d: %s", p.Row, p.Message)
	}
	return fmt.Sprintf("row %d, %s: %s", p.Row, p.Column, p.Message)
}

// Systems reads a .csv or .xlsx file, one system a row. The error, Invalid or
// TooLarge, is for a file of which nothing can be used; name is the file's, for
// messages.
func Systems(r io.Reader, name string, o Options) (Result, error) {
	list, err := systems.Open(&sheet.File{Reader: r, Name: name}, o.Mapping)
	if err != nil {
		return Result{}, err
	}
	res := Result{Notes: list.Notes, Mapping: list.Mapping}
	b := newBuilder(&res, o, list)
	for _, l := range list.Rows {
		b.row(l)
	}
	b.finish(name)
	slices.SortStableFunc(res.Problems, func(a, b RowProblem) int { return cmp.Compare(a.Row, b.Row) })
	return res, nil
}
