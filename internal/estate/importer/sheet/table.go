// Package sheet reads lists that people keep: CSV in whatever form spreadsheet
// programs write it, and .xlsx workbooks; and the values of their cells.
//
// What is guaranteed. Reading is bounded whatever the file holds; formulas are
// never evaluated; a row keeps the number that a spreadsheet program shows.
package sheet

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/reeve-civic/reeve"
)

// The bounds of a spreadsheet. They are far above any list that
// people keep, and low enough that a hostile file cannot hurt.
const (
	maxBytes    = 64 << 20  // of the file
	maxUnzipped = 256 << 20 // of a workbook taken out of its zip
	maxParts    = 10_000    // files in a workbook
	firstRows   = 25        // among which the headings are
	maxRows     = 250_000   // rows with something in them
	maxColumns  = 500
	maxCell     = 64 << 10 // bytes in one cell
)

// Table is a sheet as text. Row numbers are as a spreadsheet program shows them.
type Table struct {
	Sheet  string // of a workbook
	Rows   []Row  // those with something in them
	Is1904 bool   // serial dates count from 1904
	Text   bool   // CSV: every row should have all cells
	Notes  []string
}

// Row is a row of a table.
type Row struct {
	N        int // as a spreadsheet program numbers it, from 1
	Cells    []string
	Formulas map[int]bool // columns, from 0, that hold a formula
}

func (l Row) blank() bool {
	for _, c := range l.Cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return len(l.Formulas) == 0
}

func invalid(format string, args ...any) error {
	return reeve.E(reeve.Invalid, "import", format, args...)
}

// Read takes a whole file. What it is, is seen from its first bytes; the name is
// only for messages.
func Read(r io.Reader, name, sheet string) (*Table, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxBytes {
		return nil, reeve.E(reeve.TooLarge, "import", "%s is larger than %d MB: split it, or leave out the sheets and columns that are not needed", name, maxBytes>>20)
	}
	switch {
	case len(data) == 0:
		return nil, invalid("%s is empty", name)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		return readWorkbook(data, name, sheet)
	case bytes.HasPrefix(data, []byte("\xd0\xcf\x11\xe0")):
		return nil, invalid("%s is an old or a password-protected Excel file: save it as .xlsx or .csv", name)
	}
	return readText(data, name)
}

// Begin are the first rows of a workbook as CSV, to find out what it is.
func Begin(r io.Reader, name string) ([]byte, error) {
	t, err := Read(r, name, "")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range t.Rows[:min(len(t.Rows), firstRows)] {
		if err := w.Write(row.Cells); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// readText reads CSV in UTF-8, UTF-16 with a mark, or Windows-1252, with commas,
// semicolons, tabs or bars between the cells.
func readText(data []byte, name string) (*Table, error) {
	t := &Table{Text: true}
	var err error
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		data, err = unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(data)
	case utf8.Valid(data):
		data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	default:
		data, err = charmap.Windows1252.NewDecoder().Bytes(data)
		t.Notes = append(t.Notes, "The file is not UTF-8; it was read as Windows-1252.")
	}
	if err != nil {
		return nil, invalid("%s cannot be read as text: %w", name, err)
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return nil, invalid("%s is not a text file: save the list as .csv or .xlsx", name)
	}
	if !bytes.Contains(data, []byte("\n")) {
		data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n")) // as Macs once wrote
	}
	comma, data := delimiter(data)
	for _, lazy := range []bool{false, true} {
		t.Rows, err = parseCSV(data, comma, lazy)
		if err == nil {
			return t, nil
		}
		var broken *csv.ParseError
		if !errors.As(err, &broken) {
			return nil, err
		}
		if !lazy {
			t.Notes = append(t.Notes, fmt.Sprintf("A quotation mark is out of place (line %d); from there on, cells were read as they stand.", broken.Line))
		}
	}
	return nil, invalid("%s cannot be read as CSV: %w", name, err)
}

func parseCSV(data []byte, comma rune, lazy bool) ([]Row, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes = comma, -1, lazy
	var rows []Row
	row, last := 0, 0 // number of the row, and the line on which it ended
	for {
		cells, err := r.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		start, _ := r.FieldPos(0)
		row += start - last // blank lines are rows too
		last = start
		for _, c := range cells {
			last += strings.Count(c, "\n")
		}
		if rows, err = appendRow(rows, Row{N: row, Cells: cells}); err != nil {
			return nil, err
		}
	}
}

// appendRow keeps a row if there is something in it, within the bounds.
func appendRow(rows []Row, l Row) ([]Row, error) {
	if len(l.Cells) > maxColumns {
		return nil, reeve.E(reeve.TooLarge, "import", "row %d has %d columns; a list has at most %d", l.N, len(l.Cells), maxColumns)
	}
	for i, c := range l.Cells {
		if len(c) > maxCell {
			return nil, reeve.E(reeve.TooLarge, "import", "row %d, column %d holds %d kB of text (is a quotation mark missing?); a cell may hold %d kB", l.N, i+1, len(c)>>10, maxCell>>10)
		}
	}
	if l.blank() {
		return rows, nil
	}
	if len(rows) == maxRows {
		return nil, reeve.E(reeve.TooLarge, "import", "there are more than %d rows: split the file", maxRows)
	}
	return append(rows, l), nil
}

// delimiter finds what stands between cells: what Excel's "sep=" line says, or
// what the first lines have most evenly outside quotation marks.
func delimiter(data []byte) (rune, []byte) {
	if first, rest, _ := bytes.Cut(data, []byte("\n")); len(first) <= 6 && bytes.HasPrefix(bytes.ToLower(first), []byte("sep=")) && len(first) > 4 {
		return rune(first[4]), rest
	}
	head := data[:min(len(data), 64<<10)]
	best, most := ',', 0
	for _, c := range []byte{',', ';', '\t', '|'} {
		counts, quoted, n := []int{}, false, 0
		for _, b := range head {
			switch {
			case b == '"':
				quoted = !quoted
			case quoted:
			case b == c:
				n++
			case b == '\n':
				counts, n = append(counts, n), 0
			}
			if len(counts) == 20 {
				break
			}
		}
		counts = append(counts, n)
		// The most lines with as many as the fullest line, times that number.
		fullest, lines := 0, 0
		for _, n := range counts {
			fullest = max(fullest, n)
		}
		for _, n := range counts {
			if n == fullest {
				lines++
			}
		}
		if score := fullest * lines; score > most {
			best, most = rune(c), score
		}
	}
	return best, data
}

// readWorkbook reads one sheet of an .xlsx file. Formulas are never evaluated:
// the cell keeps the value that the spreadsheet program stored, and is marked.
func readWorkbook(data []byte, name, sheet string) (*Table, error) {
	z, err := checkZip(data, name)
	if err != nil {
		return nil, err
	}
	f, err := excelize.OpenReader(bytes.NewReader(data), excelize.Options{
		RawCellValue: true, UnzipSizeLimit: maxUnzipped, UnzipXMLSizeLimit: maxUnzipped,
	})
	if err != nil {
		return nil, invalid("%s cannot be read as an Excel workbook: %w", name, err)
	}
	defer f.Close()
	sheets := f.GetSheetList()
	if len(sheets) == 0 {
		return nil, invalid("%s has no sheet", name)
	}
	t := &Table{Sheet: sheet}
	if sheet == "" {
		t.Sheet = sheets[0]
		if len(sheets) > 1 {
			t.Notes = append(t.Notes, fmt.Sprintf("The workbook has %d sheets; %q was read. Name another in the mapping: %s.", len(sheets), t.Sheet, strings.Join(sheets[1:min(len(sheets), 20)], ", ")))
		}
	} else if i, err := f.GetSheetIndex(sheet); err != nil || i < 0 {
		return nil, invalid("%s has no sheet %q; it has %s", name, sheet, strings.Join(sheets, ", "))
	}
	if p, err := f.GetWorkbookProps(); err == nil && p.Date1904 != nil {
		t.Is1904 = *p.Date1904
	}
	formulas, err := findFormulas(z, t.Sheet)
	if err != nil {
		return nil, invalid("%s: sheet %q cannot be read: %w", name, t.Sheet, err)
	}
	rows, err := f.Rows(t.Sheet)
	if err != nil {
		return nil, invalid("%s: sheet %q cannot be read: %w", name, t.Sheet, err)
	}
	defer rows.Close()
	for n := 1; rows.Next(); n++ {
		cells, err := rows.Columns()
		if err != nil {
			return nil, invalid("%s: row %d cannot be read: %w", name, n, err)
		}
		if t.Rows, err = appendRow(t.Rows, Row{N: n, Cells: cells, Formulas: formulas[n]}); err != nil {
			return nil, err
		}
	}
	if err := rows.Error(); err != nil {
		return nil, invalid("%s: sheet %q cannot be read: %w", name, t.Sheet, err)
	}
	return t, nil
}

// checkZip unpacks everything once, to nowhere, and so finds a zip bomb whatever
// sizes it claims.
func checkZip(data []byte, name string) (*zip.Reader, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, invalid("%s is not a whole .xlsx file: %w", name, err)
	}
	if len(z.File) > maxParts {
		return nil, reeve.E(reeve.TooLarge, "import", "%s has %d parts inside; a workbook has far fewer", name, len(z.File))
	}
	left := int64(maxUnzipped)
	workbook := false
	for _, part := range z.File {
		workbook = workbook || part.Name == "xl/workbook.xml"
		r, err := part.Open()
		if err != nil {
			return nil, invalid("%s: %s inside it cannot be opened: %w", name, part.Name, err)
		}
		n, err := io.Copy(io.Discard, io.LimitReader(r, left+1))
		r.Close()
		if left -= n; left < 0 {
			return nil, reeve.E(reeve.TooLarge, "import", "%s would be more than %d MB when unpacked, so it was not opened", name, maxUnzipped>>20)
		}
		if err != nil {
			return nil, invalid("%s: %s inside it is damaged: %w", name, part.Name, err)
		}
	}
	if !workbook {
		return nil, invalid("%s is a zip file but not an .xlsx workbook", name)
	}
	return z, nil
}

// findFormulas lists the cells of a sheet that hold a formula, by row (from 1)
// and column (from 0).
func findFormulas(z *zip.Reader, sheet string) (map[int]map[int]bool, error) {
	part, err := sheetPart(z, sheet)
	if err != nil {
		return nil, err
	}
	r, err := z.Open(part)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out := map[int]map[int]bool{}
	d := xml.NewDecoder(r)
	cell := ""
	for {
		tok, err := d.RawToken()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		start, ok := tok.(xml.StartElement)
		switch {
		case !ok:
		case start.Name.Local == "c":
			cell = attr(start, "r")
		case start.Name.Local == "f" && cell != "":
			col, row, err := excelize.CellNameToCoordinates(cell)
			if err != nil {
				return nil, err
			}
			if out[row] == nil {
				out[row] = map[int]bool{}
			}
			out[row][col-1] = true
		}
	}
}

// sheetPart finds the file inside a workbook that holds the named sheet.
func sheetPart(z *zip.Reader, sheet string) (string, error) {
	var id, target string
	err := eachElement(z, "xl/workbook.xml", func(e xml.StartElement) {
		if e.Name.Local == "sheet" && attr(e, "name") == sheet {
			id = attr(e, "id")
		}
	})
	if err == nil {
		err = eachElement(z, "xl/_rels/workbook.xml.rels", func(e xml.StartElement) {
			if e.Name.Local == "Relationship" && attr(e, "Id") == id {
				target = attr(e, "Target")
			}
		})
	}
	switch {
	case err != nil:
		return "", err
	case id == "" || target == "":
		return "", fmt.Errorf("the workbook does not say where the sheet is")
	case strings.HasPrefix(target, "/"):
		return strings.TrimPrefix(target, "/"), nil
	}
	return path.Join("xl", target), nil
}

func eachElement(z *zip.Reader, part string, fn func(xml.StartElement)) error {
	r, err := z.Open(part)
	if err != nil {
		return err
	}
	defer r.Close()
	d := xml.NewDecoder(r)
	for {
		tok, err := d.RawToken()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if e, ok := tok.(xml.StartElement); ok {
			fn(e)
		}
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
