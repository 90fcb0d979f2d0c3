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
	"strings"

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
	given := o.Mapping
	if given == nil {
		given = new(Mapping)
	}
	t, err := read(r, name, given.Sheet)
	if err != nil {
		return Result{}, err
	}
	head := findHeader(t.rows)
	if given.Header > 0 {
		head = slices.IndexFunc(t.rows, func(l line) bool { return l.n == given.Header })
	}
	if head < 0 {
		if len(t.rows) == 0 {
			return Result{}, invalid("%s has no rows", name)
		}
		return Result{}, invalid("%s: no row of headings was found; the first row reads %s. Give a mapping that names the row (header) and its columns", name, sample(t.rows[0].cells))
	}
	res := Result{Notes: t.notes}
	res.Mapping = Mapping{Sheet: t.sheet, Header: t.rows[head].n, Dates: given.Dates}
	names := headings(t.rows[head].cells)
	if err := res.decide(names, given.Columns); err != nil {
		return Result{}, fmt.Errorf("%s: %w", name, err)
	}
	b := newBuilder(&res, o, t)
	for _, l := range t.rows[head+1:] {
		b.row(l, names)
	}
	b.finish(name)
	slices.SortStableFunc(res.Problems, func(a, b RowProblem) int { return cmp.Compare(a.Row, b.Row) })
	return res, nil
}

// decide settles what the columns mean, from what was given and else from the
// headings, and notes the columns that are not used.
func (res *Result) decide(names []string, given []Column) error {
	proposed, others := propose(names)
	if len(given) > 0 {
		for _, c := range given {
			if !slices.Contains(names, c.Heading) {
				res.Notes = append(res.Notes, fmt.Sprintf("The mapping names a column %q that is not in the file.", c.Heading))
			}
		}
		for i, h := range names {
			at := slices.IndexFunc(given, func(c Column) bool { return c.Heading == h })
			if at >= 0 {
				proposed[i] = given[at]
				continue
			}
			proposed[i] = Column{h, string(fieldIgnore)}
			res.Notes = append(res.Notes, fmt.Sprintf("The column %q is not in the mapping; it was not used.", h))
		}
	} else {
		for _, c := range proposed {
			if f, ok := others[c.Heading]; ok {
				res.Notes = append(res.Notes, fmt.Sprintf("The column %q could be %q too, but another column was taken for it; it was not used.", c.Heading, f))
			} else if c.Field == string(fieldIgnore) {
				res.Notes = append(res.Notes, fmt.Sprintf("The column %q was not understood; it was not used.", c.Heading))
			}
		}
	}
	res.Mapping.Columns = proposed
	if !slices.ContainsFunc(proposed, func(c Column) bool { return c.Field == string(fieldName) }) {
		return invalid("no column was recognised as the name of the system; the headings in row %d are %s. Give a mapping that says which it is", res.Mapping.Header, sample(names))
	}
	return nil
}

func sample(cells []string) string {
	var out []string
	for _, c := range cells[:min(len(cells), 12)] {
		if c = clean(c); len(c) > 40 {
			c = c[:40] + "…"
		}
		out = append(out, quote(c))
	}
	if len(cells) > 12 {
		out = append(out, fmt.Sprintf("and %d more", len(cells)-12))
	}
	return strings.Join(out, ", ")
}
