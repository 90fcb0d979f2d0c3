package format

import (
	"archive/zip"
	"bytes"
	"cmp"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/reeve-civic/reeve/connector/format/cell"
	"github.com/reeve-civic/reeve/connector/format/markup"
)

// What a sheet can hold.
const (
	maxSheetRows = 1_048_576
	maxCellText  = 32_767
)

// xlsxWriter writes a workbook of one sheet. Texts are texts: there is no formula in
// it, whatever a record holds. Numbers of more digits than a spreadsheet program
// keeps are texts too.
type xlsxWriter struct {
	row   row
	zip   *zip.Writer
	sheet io.Writer
	head  bool
	n     int
	buf   bytes.Buffer
}

var workbookParts = []struct{ name, text string }{
	{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>`},
	{"_rels/.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>`},
	{"xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="SHEET" sheetId="1" r:id="rId1"/></sheets></workbook>`},
	{"xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>`},
}

func newXLSXWriter(spec Spec, w io.Writer) (*xlsxWriter, error) {
	name := cmp.Or(spec.Sheet, "Records")
	if utf8.RuneCountInString(name) > 31 || strings.ContainsAny(name, `[]:*?/\'`) {
		return nil, &Error{Message: `the name of a sheet has 31 characters at most, and none of []:*?/\'`}
	}
	r, err := newRow(spec.Columns)
	if err != nil {
		return nil, err
	}
	x := &xlsxWriter{row: r, zip: zip.NewWriter(w), head: spec.Headings == nil || *spec.Headings}
	for _, p := range workbookParts {
		if x.sheet, err = x.zip.Create(p.name); err != nil {
			return nil, err
		}
		var sheet bytes.Buffer
		if err := xml.EscapeText(&sheet, []byte(name)); err != nil {
			return nil, err
		}
		if _, err := io.WriteString(x.sheet, xml.Header+strings.Replace(p.text, "SHEET", sheet.String(), 1)); err != nil {
			return nil, err
		}
	}
	if x.sheet, err = x.zip.Create("xl/worksheets/sheet1.xml"); err != nil {
		return nil, err
	}
	_, err = io.WriteString(x.sheet, xml.Header+`<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`)
	return x, err
}

func (x *xlsxWriter) Write(body []byte) error {
	if err := x.headings(); err != nil {
		return err
	}
	cells, err := x.row.cells(body)
	if err != nil {
		return err
	}
	return x.write(cells)
}

func (x *xlsxWriter) headings() error {
	if !x.head {
		return nil
	}
	x.head = false
	cells := make([]value, len(x.row.paths))
	for i, p := range x.row.paths {
		cells[i] = value{p[len(p)-1], cell.Text}
	}
	return x.write(cells)
}

func (x *xlsxWriter) write(cells []value) error {
	if x.n++; x.n > maxSheetRows {
		return errors.New("a sheet holds 1,048,576 rows at most: write CSV")
	}
	x.buf.Reset()
	n := strconv.Itoa(x.n)
	x.buf.WriteString(`<row r="` + n + `">`)
	for i, c := range cells {
		at := ` r="` + columnName(i) + n + `"`
		switch {
		case c.text == "":
		case c.kind == cell.Boolean:
			value := "0"
			if c.text == "true" {
				value = "1"
			}
			x.buf.WriteString(`<c` + at + ` t="b"><v>` + value + `</v></c>`)
		case c.kind == cell.Number && exact(c.text):
			x.buf.WriteString(`<c` + at + `><v>` + c.text + `</v></c>`)
		default:
			if utf8.RuneCountInString(c.text) > maxCellText {
				return errors.New("a text is longer than a cell of a sheet may be: write CSV")
			}
			x.buf.WriteString(`<c` + at + ` t="inlineStr"><is><t xml:space="preserve">`)
			if err := markup.Text(&x.buf, c.text); err != nil {
				return err
			}
			x.buf.WriteString(`</t></is></c>`)
		}
	}
	x.buf.WriteString("</row>")
	_, err := x.sheet.Write(x.buf.Bytes())
	return err
}

// exact reports whether a spreadsheet program keeps all digits of a number.
func exact(s string) bool {
	digits := 0
	for _, c := range strings.TrimLeft(s, "-0.") {
		if c == 'e' || c == 'E' {
			return false
		}
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	return digits <= 15
}

func columnName(i int) string {
	name := ""
	for i++; i > 0; i = (i - 1) / 26 {
		name = string(rune('A'+(i-1)%26)) + name
	}
	return name
}

func (x *xlsxWriter) Close() error {
	if err := x.headings(); err != nil {
		return err
	}
	if _, err := io.WriteString(x.sheet, "</sheetData></worksheet>"); err != nil {
		return err
	}
	return x.zip.Close()
}
