// Package format reads and writes records as they stand in files and bodies: JSON,
// NDJSON, CSV, XML, XLSX and FHIR Bundles.
//
// What is guaranteed. A reader streams: its memory does not grow with the input,
// whatever is in it. Size, depth and number are bounded; no entity is resolved and
// nothing outside the input is read. What cannot be a record is told by row, with
// what is wrong, and the rows after it are read.
//
// What not to assume. A row that can be read fits its record type: that is checked
// later.
package format

import (
	"cmp"

	"github.com/reeve-civic/reeve/connector/format/base"
)

// Spec says how records stand in a file or body. Its fields stand among those of an
// Interface.
type Spec struct {
	Name      string   `json:"format,omitempty" def:"enum=json|ndjson|csv|xml|xlsx|fhir" doc:"Of the bodies or files. Default json; in a file one object a line."`
	Columns   []string `json:"columns,omitempty" doc:"Columns of a CSV or XLSX file: names of fields, or JSON Pointers. To write they are needed; to read they take the place of the headings."`
	Headings  *bool    `json:"headings,omitempty" doc:"Whether the first row holds headings. Default true."`
	Delimiter string   `json:"delimiter,omitempty" doc:"Of a CSV file: a character, or tab. Default: a comma to write; found out to read."`
	Encoding  string   `json:"encoding,omitempty" doc:"Of a text file: utf-8 (default), windows-1252, iso-8859-1, utf-16. A byte-order mark is believed."`
	Record    string   `json:"recordAt,omitempty" doc:"What holds one record: the name of an XML element, or a JSON Pointer to the list. Default: the children of the root, or the root."`
	Sheet     string   `json:"sheet,omitempty" doc:"Name of the sheet of a workbook. Default the first."`

	// Types gives the JSON types that the record type allows at a JSON Pointer, so that
	// text of an untyped format becomes a number or a boolean where only that fits;
	// nil: everything stays text.
	Types func(pointer string) []string `json:"-"`
}

// With is s with what said says besides, for a file whose spec was guessed and whose
// sender knows more.
func (s Spec) With(said Spec) Spec {
	s.Delimiter, s.Encoding = cmp.Or(said.Delimiter, s.Delimiter), cmp.Or(said.Encoding, s.Encoding)
	s.Record, s.Sheet = cmp.Or(said.Record, s.Record), cmp.Or(said.Sheet, s.Sheet)
	if len(said.Columns) > 0 {
		s.Columns = said.Columns
	}
	if said.Headings != nil {
		s.Headings = said.Headings
	}
	return s
}

// Row is one record as it stood in its file.
type Row struct {
	Body []byte // a JSON object; good until the next call of Next
	// Number counts rows from 1, also those with a Problem, headings not.
	Number int64
	// At says where it stands, for people: "line 17", "sheet Deaths, row 4".
	At string
	// Problem says why there is no record in it, and Field in which field; Body is nil.
	Problem, Field string
	// Position, of rows that no file holds, is where to go on after this one.
	Position string
}

// Reader gives rows, one after the other.
type Reader interface {
	// Next returns io.EOF after the last row. Another error is about the input as a
	// whole, from here on: *Error says where.
	Next() (Row, error)
	Close() error
}

// Writer writes records one after the other.
type Writer interface {
	Write(body []byte) error // a JSON object
	Close() error            // ends the file; does not close what it writes to
}

// Error is what is wrong with an input as a whole.
type Error = base.Error

// MaxRecord is how many bytes a record may have in its file, and so how much of a
// file is in memory at once.
const MaxRecord = base.MaxRecord
