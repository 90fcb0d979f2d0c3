package format

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/reeve-civic/reeve/connector/format/base"
	"github.com/reeve-civic/reeve/connector/format/cell"
	"github.com/reeve-civic/reeve/connector/format/workbook"
)

// xlsxReader reads one sheet of a workbook, row by row. Formulas are never worked
// out: a cell has the value that the spreadsheet program stored.
type xlsxReader struct {
	book  *workbook.Book
	sheet *workbook.Part
	name  string // of the sheet
	spec  Spec

	columns *cell.Columns
	begun   bool
	last    int // number of the row that was read last
	cells   [][]byte
	kinds   []cell.Kind
	spans   []span
	store   []byte // of the cells of the row
	wrong   string // with the row
	column  int    // in which
	body    []byte
	n       int64
	err     error
}

func newXLSX(spec Spec, r io.Reader, scratch string) (*xlsxReader, error) {
	book, err := workbook.Open(r, scratch)
	if err != nil {
		return nil, err
	}
	x := &xlsxReader{book: book, spec: spec}
	if len(spec.Columns) > 0 {
		if x.columns, err = cell.New(spec.Columns, spec.Types); err != nil {
			return nil, errors.Join(&Error{Message: err.Error()}, book.Close())
		}
	}
	if err := x.open(); err != nil {
		return nil, errors.Join(err, book.Close())
	}
	return x, nil
}

// longestSheet is how much of a sheet's name is told with a row; programs allow 31.
const longestSheet = 31

// open finds the sheet.
func (x *xlsxReader) open() error {
	at := 0
	if x.spec.Sheet != "" {
		for at = range x.book.Sheets {
			if strings.EqualFold(x.book.Sheets[at].Name, x.spec.Sheet) {
				break
			}
		}
		if at >= len(x.book.Sheets) || !strings.EqualFold(x.book.Sheets[at].Name, x.spec.Sheet) {
			return &Error{Message: "the workbook has no sheet of the name that is given"}
		}
	}
	if len(x.book.Sheets) == 0 {
		return &Error{Message: "the workbook has no sheet"}
	}
	var err error
	x.name = x.book.Sheets[at].Name
	if r := []rune(x.name); len(r) > longestSheet {
		x.name = string(r[:longestSheet]) + "…"
	}
	x.sheet, err = x.book.Open(x.book.Sheets[at])
	return err
}

// Close implements [Reader].
func (x *xlsxReader) Close() error {
	if x.sheet != nil {
		_ = x.sheet.Close()
	}
	return x.book.Close()
}

func (x *xlsxReader) at() string { return fmt.Sprintf("sheet %s, row %d", x.name, x.last) }

// Next implements [Reader].
func (x *xlsxReader) Next() (Row, error) {
	for x.err == nil {
		if x.err = x.read(); x.err != nil {
			break
		}
		if blank(x.cells) && x.wrong == "" {
			continue
		}
		if !x.begun {
			x.begun = true
			if x.spec.Headings == nil || *x.spec.Headings {
				x.err = x.head()
				continue
			}
			if x.columns == nil {
				x.err = &Error{Message: "a file without headings needs columns: the fields, in the order of the columns"}
				break
			}
		}
		x.n++
		row := Row{Number: x.n, At: x.at()}
		want := len(x.columns.Names)
		for len(x.cells) > want && len(x.cells[len(x.cells)-1]) == 0 {
			x.cells = x.cells[:len(x.cells)-1]
		}
		switch {
		case x.wrong != "":
			if row.Problem = x.wrong; x.column < want {
				row.Field = x.columns.Names[x.column]
			}
			return row, nil
		case len(x.cells) > want:
			row.Problem = fmt.Sprintf("the row has something in column %d; there are %s", len(x.cells), count(want, "column"))
			return row, nil
		}
		for len(x.kinds) < want {
			x.kinds = append(x.kinds, cell.Text)
		}
		x.body = x.columns.Append(x.body[:0], x.cells, x.kinds)
		row.Body = x.body
		return row, nil
	}
	var e *Error
	if errors.As(x.err, &e) && e.At == "" && x.last > 0 {
		x.err = &Error{At: x.at(), Message: e.Message}
	}
	return Row{}, x.err
}

func (x *xlsxReader) head() error {
	if x.wrong != "" {
		return &Error{Message: "the headings cannot be read: " + x.wrong}
	}
	if x.columns != nil {
		return nil
	}
	names := make([]string, len(x.cells))
	for i, c := range x.cells {
		names[i] = string(c)
	}
	var err error
	if x.columns, err = cell.New(cell.Headings(names), x.spec.Types); err != nil {
		return &Error{Message: err.Error()}
	}
	return nil
}

// read reads the next row into cells and kinds; io.EOF after the last.
func (x *xlsxReader) read() error {
	x.spans, x.kinds, x.store, x.wrong, x.column = x.spans[:0], x.kinds[:0], x.store[:0], "", 0
	var c sheetCell
	next, in := 0, false // the next column; within a row
	for {
		t, err := x.sheet.Token()
		if err != nil {
			if errors.Is(err, io.EOF) && in {
				return &Error{Message: "the sheet stops half-way"}
			}
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			switch t.Name.Local {
			case "row":
				in = true
				x.last++
				if n, err := strconv.Atoi(workbook.Attr(t, "r")); err == nil && n > 0 && n <= 1<<21 {
					x.last = n
				}
			case "c":
				c = sheetCell{kind: workbook.Attr(t, "t"), column: next, text: c.text[:0]}
				c.style, _ = strconv.Atoi(workbook.Attr(t, "s"))
				if n := columnOf(workbook.Attr(t, "r")); n >= 0 {
					c.column = n
				}
				next = c.column + 1
			case "f":
				c.formula = true
			case "v", "t":
				c.open = true
			case "rPh":
				c.skip = true
			}
		case xml.CharData:
			if c.open && !c.skip && len(c.text) <= MaxRecord {
				c.text = append(c.text, t...)
			}
		case xml.EndElement:
			switch t.Name.Local {
			case "v", "t":
				c.open = false
			case "rPh":
				c.skip = false
			case "c":
				if in {
					if err := x.put(&c); err != nil {
						return err
					}
				}
			case "row":
				x.cells = x.cells[:0]
				for _, s := range x.spans {
					x.cells = append(x.cells, x.store[s.from:s.to])
				}
				return nil
			case "sheetData":
				return io.EOF
			}
		}
	}
}

// sheetCell is a cell while it is read.
type sheetCell struct {
	kind    string
	style   int
	column  int
	text    []byte
	formula bool
	open    bool // a value is being read
	skip    bool // how it is pronounced is not
}

func (x *xlsxReader) fail(c *sheetCell, problem string) {
	if x.wrong == "" {
		x.wrong, x.column = problem, c.column
	}
}

// put puts a cell into the row.
func (x *xlsxReader) put(c *sheetCell) error {
	if len(c.text) == 0 {
		if c.formula {
			x.fail(c, "the cell holds a formula without a stored value: open the file, save it and send it again")
		}
		return nil
	}
	if c.column >= cell.MaxColumns || len(x.store)+len(c.text) > MaxRecord {
		x.fail(c, base.TooLarge)
		return nil
	}
	k, value, problem := cell.Text, c.text, ""
	switch c.kind {
	case "s":
		n, err := strconv.Atoi(string(c.text))
		if value, err = x.book.Text(n, err); err != nil {
			return err
		}
	case "e":
		problem = "the cell holds an error of the spreadsheet program"
	case "b":
		k, value = cell.Boolean, []byte("false")
		if string(c.text) == "1" || string(c.text) == "true" {
			value = []byte("true")
		}
	case "", "n":
		k, value, problem = x.number(c)
	}
	if problem == "" && len(x.store)+len(value) > MaxRecord {
		problem = base.TooLarge
	}
	if problem == "" && !utf8.Valid(value) {
		problem = "the text is not UTF-8"
	}
	if problem != "" {
		x.fail(c, problem)
		return nil
	}
	for len(x.spans) <= c.column {
		x.spans, x.kinds = append(x.spans, span{}), append(x.kinds, cell.Text)
	}
	from := len(x.store)
	x.store = append(x.store, value...)
	x.spans[c.column], x.kinds[c.column] = span{from: from, to: len(x.store)}, k
	return nil
}

// number is a number as people see it, or the date that it stands for.
func (x *xlsxReader) number(c *sheetCell) (cell.Kind, []byte, string) {
	f, err := strconv.ParseFloat(strings.TrimSpace(string(c.text)), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return cell.Text, nil, "the cell holds a number that cannot be read"
	}
	if x.book.Dated(c.style) {
		s, ok := x.book.Date(f)
		if !ok {
			return cell.Text, nil, "the cell holds a date that is out of range"
		}
		return cell.Text, []byte(s), ""
	}
	how := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		how = 'e'
	}
	return cell.Number, strconv.AppendFloat(nil, f, how, -1, 64), ""
}

// columnOf is the column of a cell's name, from 0; -1 where there is none.
func columnOf(name string) int {
	n := 0
	for i := 0; i < len(name) && i < 4; i++ {
		c := name[i] &^ 0x20
		if c < 'A' || c > 'Z' {
			return n - 1
		}
		n = n*26 + int(c-'A') + 1
	}
	return -1
}
