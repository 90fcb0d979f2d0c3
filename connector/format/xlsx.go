package format

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The bounds of a workbook.
const (
	maxWorkbook = 512 << 20 // bytes of the file
	maxParts    = 10_000    // files inside
	maxTexts    = 64 << 20  // bytes of the texts that its cells share
	maxShared   = 4 << 20   // how many they are
	maxStyles   = 70_000
	freeUnzip   = 8 << 20 // bytes that a part may always have when unpacked
	maxRatio    = 100     // and how many times its packed size above that
)

// xlsxReader reads one sheet of a workbook, row by row. Formulas are never worked
// out: a cell has the value that the spreadsheet program stored.
type xlsxReader struct {
	book  *workbook
	sheet *part
	name  string // of the sheet
	spec  Spec

	columns *columns
	begun   bool
	last    int // number of the row that was read last
	cells   [][]byte
	kinds   []kind
	spans   []span
	store   []byte // of the cells of the row
	wrong   string // with the row
	column  int    // in which
	body    []byte
	n       int64
	err     error
}

func newXLSX(spec Spec, r io.Reader, scratch string) (*xlsxReader, error) {
	book, err := openWorkbook(r, scratch)
	if err != nil {
		return nil, err
	}
	x := &xlsxReader{book: book, spec: spec}
	if len(spec.Columns) > 0 {
		if x.columns, err = newColumns(spec.Columns, spec.Types); err != nil {
			return nil, errors.Join(&Error{Message: err.Error()}, book.close())
		}
	}
	if err := x.open(); err != nil {
		return nil, errors.Join(err, book.close())
	}
	return x, nil
}

// open finds the sheet.
func (x *xlsxReader) open() error {
	at := 0
	if x.spec.Sheet != "" {
		for at = range x.book.sheets {
			if strings.EqualFold(x.book.sheets[at].name, x.spec.Sheet) {
				break
			}
		}
		if at >= len(x.book.sheets) || !strings.EqualFold(x.book.sheets[at].name, x.spec.Sheet) {
			return &Error{Message: "the workbook has no sheet of the name that is given"}
		}
	}
	if len(x.book.sheets) == 0 {
		return &Error{Message: "the workbook has no sheet"}
	}
	var err error
	x.name = x.book.sheets[at].name
	x.sheet, err = x.book.part(x.book.sheets[at].part)
	return err
}

// Close implements [Reader].
func (x *xlsxReader) Close() error {
	if x.sheet != nil {
		_ = x.sheet.c.Close()
	}
	return x.book.close()
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
		want := len(x.columns.names)
		for len(x.cells) > want && len(x.cells[len(x.cells)-1]) == 0 {
			x.cells = x.cells[:len(x.cells)-1]
		}
		switch {
		case x.wrong != "":
			if row.Problem = x.wrong; x.column < want {
				row.Field = x.columns.names[x.column]
			}
			return row, nil
		case len(x.cells) > want:
			row.Problem = fmt.Sprintf("the row has something in column %d; there are %s", len(x.cells), count(want, "column"))
			return row, nil
		}
		for len(x.kinds) < want {
			x.kinds = append(x.kinds, text)
		}
		x.body = x.columns.body(x.body[:0], x.cells, x.kinds)
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
	if x.columns, err = newColumns(headings(names), x.spec.Types); err != nil {
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
		t, err := x.sheet.token()
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
				if n, err := strconv.Atoi(attr(t, "r")); err == nil && n > 0 && n <= 1<<21 {
					x.last = n
				}
			case "c":
				c = sheetCell{kind: attr(t, "t"), column: next, text: c.text[:0]}
				c.style, _ = strconv.Atoi(attr(t, "s"))
				if n := columnOf(attr(t, "r")); n >= 0 {
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
	if c.column >= maxColumns || len(x.store)+len(c.text) > MaxRecord {
		x.fail(c, tooLarge)
		return nil
	}
	k, value, problem := text, c.text, ""
	switch c.kind {
	case "s":
		n, err := strconv.Atoi(string(c.text))
		if value, err = x.book.shared(n, err); err != nil {
			return err
		}
	case "e":
		problem = "the cell holds an error of the spreadsheet program"
	case "b":
		k, value = boolean, []byte("false")
		if string(c.text) == "1" || string(c.text) == "true" {
			value = []byte("true")
		}
	case "", "n":
		k, value, problem = x.number(c)
	}
	if problem == "" && len(x.store)+len(value) > MaxRecord {
		problem = tooLarge
	}
	if problem == "" && !utf8.Valid(value) {
		problem = "the text is not UTF-8"
	}
	if problem != "" {
		x.fail(c, problem)
		return nil
	}
	for len(x.spans) <= c.column {
		x.spans, x.kinds = append(x.spans, span{}), append(x.kinds, text)
	}
	from := len(x.store)
	x.store = append(x.store, value...)
	x.spans[c.column], x.kinds[c.column] = span{from: from, to: len(x.store)}, k
	return nil
}

// number is a number as people see it, or the date that it stands for.
func (x *xlsxReader) number(c *sheetCell) (kind, []byte, string) {
	f, err := strconv.ParseFloat(strings.TrimSpace(string(c.text)), 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return text, nil, "the cell holds a number that cannot be read"
	}
	if x.book.date(c.style) {
		s, ok := serialDate(f, x.book.from1904)
		if !ok {
			return text, nil, "the cell holds a date that is out of range"
		}
		return text, []byte(s), ""
	}
	how := byte('f')
	if a := math.Abs(f); a != 0 && (a < 1e-6 || a >= 1e21) {
		how = 'e'
	}
	return number, strconv.AppendFloat(nil, f, how, -1, 64), ""
}

// serialDate is the day, and the time of day, that a workbook counts from 1900 or 1904.
func serialDate(f float64, from1904 bool) (string, bool) {
	if f < 0 || f > 2_958_466 {
		return "", false
	}
	first := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case from1904:
		first = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case f < 60:
		first = first.AddDate(0, 0, 1) // 1900 had a 29 February, as they count
	}
	days, part := math.Modf(f)
	t := first.AddDate(0, 0, int(days)).Add(time.Duration(math.Round(part*86_400)) * time.Second)
	switch {
	case part == 0:
		return t.Format(time.DateOnly), true
	case f < 1:
		return t.Format(time.TimeOnly), true
	}
	return t.Format("2006-01-02T15:04:05"), true
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

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && (a.Name.Space == "" || name == "id") {
			return a.Value
		}
	}
	return ""
}

// workbook is an .xlsx file.
type workbook struct {
	spool    *os.File // nil for a small one
	size     int64
	zip      *zip.Reader
	files    map[string]*zip.File
	sheets   []struct{ name, part string }
	from1904 bool

	dates  []bool // styles that show a date
	styled bool   // dates was read
	texts  []byte // shared by cells
	ends   []uint32
	loaded bool // texts was read
}

// counting counts the parts that a zip file lists while it goes by.
type counting struct {
	r    io.Reader
	tail []byte
	n    int
	size int64
}

func (c *counting) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	mark := []byte("PK\x01\x02")
	seam := append(bytes.Clone(c.tail), b[:min(n, 3)]...)
	c.n += bytes.Count(seam, mark) + bytes.Count(b[:n], mark)
	c.tail = append(c.tail, b[max(0, n-3):n]...)
	c.tail = append(c.tail[:0], c.tail[max(0, len(c.tail)-3):]...)
	if c.size += int64(n); c.size > maxWorkbook || c.n > maxParts {
		return n, &Error{Message: fmt.Sprintf("the workbook is larger than %d MB, or has more than %d parts: save it as CSV", maxWorkbook>>20, maxParts)}
	}
	return n, err
}

func openWorkbook(r io.Reader, scratch string) (*workbook, error) {
	in := &counting{r: r}
	var kept bytes.Buffer
	n, err := io.CopyN(&kept, in, inMemory)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, stopped(err)
	}
	head := kept.Bytes()
	switch {
	case n == 0:
		return nil, &Error{Message: "the file is empty"}
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return nil, &Error{Message: "this is an old or a password-protected Excel file: save it as .xlsx without a password"}
	case !bytes.HasPrefix(head, []byte("PK")):
		return nil, &Error{Message: "this is not an .xlsx workbook"}
	}
	b := &workbook{size: n, files: map[string]*zip.File{}}
	var at io.ReaderAt = bytes.NewReader(head)
	if n == inMemory {
		if b.spool, err = spool(scratch, io.MultiReader(&kept, in)); err != nil {
			return nil, err
		}
		at, b.size = b.spool, in.size
	}
	if b.zip, err = zip.NewReader(at, b.size); err != nil {
		return nil, errors.Join(&Error{Message: "this is not a whole .xlsx workbook: its zip file is damaged"}, b.close())
	}
	for _, f := range b.zip.File {
		if b.files[f.Name] == nil {
			b.files[f.Name] = f
		}
	}
	if err := b.contents(); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *workbook) close() error {
	if b.spool == nil {
		return nil
	}
	return b.spool.Close()
}

// part is a file inside, while it is read.
type part struct {
	name string
	c    io.Closer
	d    *xml.Decoder
	m    *meter
}

// unpacked bounds what a part may become.
type unpacked struct {
	r    io.Reader
	left int64
}

func (u *unpacked) Read(b []byte) (int, error) {
	n, err := u.r.Read(b)
	if u.left -= int64(n); u.left < 0 {
		return 0, &Error{Message: "the workbook would be far larger when unpacked than it is: it is not read any further"}
	}
	return n, err
}

func (b *workbook) part(name string) (*part, error) {
	f := b.files[name]
	if f == nil {
		return nil, &Error{Message: "the workbook is damaged: a part that it names is not in it"}
	}
	r, err := f.Open()
	if err != nil {
		return nil, &Error{Message: "the workbook is damaged: a part of it cannot be opened"}
	}
	packed := min(int64(f.CompressedSize64&math.MaxInt64), b.size)
	p := &part{name: name, c: r, m: &meter{r: &unpacked{r, freeUnzip + maxRatio*packed}}}
	p.d = xml.NewDecoder(p.m)
	p.d.Entity = map[string]string{}
	return p, nil
}

func (p *part) token() (xml.Token, error) {
	for {
		p.m.left = maxToken
		t, err := p.d.RawToken()
		var e *Error
		switch {
		case errors.Is(err, io.EOF), errors.As(err, &e):
			return nil, err
		case err != nil:
			return nil, &Error{Message: "the workbook is damaged: " + path.Base(p.name) + " inside it is not good XML, or stops half-way"}
		}
		switch t.(type) {
		case xml.Directive:
			return nil, &Error{Message: "the workbook holds a document type, which is not read"}
		case xml.StartElement, xml.EndElement, xml.CharData:
			return t, nil
		}
	}
}

// each calls f for each element that begins in a part.
func (b *workbook) each(name string, f func(xml.StartElement) error) error {
	p, err := b.part(name)
	if err != nil {
		return err
	}
	defer p.c.Close()
	for {
		t, err := p.token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if start, ok := t.(xml.StartElement); ok {
			if err := f(start); err != nil {
				return err
			}
		}
	}
}

// contents lists the sheets.
func (b *workbook) contents() error {
	const main = "xl/workbook.xml"
	if b.files[main] == nil {
		return &Error{Message: "this is a zip file but not an .xlsx workbook"}
	}
	parts := map[string]string{}
	err := b.each("xl/_rels/workbook.xml.rels", func(e xml.StartElement) error {
		if e.Name.Local == "Relationship" && len(parts) < maxParts {
			to := attr(e, "Target")
			if !strings.HasPrefix(to, "/") {
				to = "/xl/" + to
			}
			parts[attr(e, "Id")] = strings.TrimPrefix(path.Clean(to), "/")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.each(main, func(e xml.StartElement) error {
		switch e.Name.Local {
		case "workbookPr":
			v := attr(e, "date1904")
			b.from1904 = v == "1" || v == "true"
		case "sheet":
			if to := parts[attr(e, "id")]; len(b.sheets) < maxParts && b.files[to] != nil && !strings.Contains(to, "chartsheets/") {
				b.sheets = append(b.sheets, struct{ name, part string }{attr(e, "name"), to})
			}
		}
		return nil
	})
}

// shared is a text that cells share.
func (b *workbook) shared(n int, err error) ([]byte, error) {
	if !b.loaded {
		b.loaded = true
		if err := b.load(); err != nil {
			return nil, err
		}
	}
	if err != nil || n < 0 || n >= len(b.ends) {
		return nil, &Error{Message: "the workbook is damaged: a cell names a text that is not in it"}
	}
	from := uint32(0)
	if n > 0 {
		from = b.ends[n-1]
	}
	return b.texts[from:b.ends[n]], nil
}

func (b *workbook) load() error {
	p, err := b.part("xl/sharedStrings.xml")
	if err != nil {
		return err
	}
	defer p.c.Close()
	open, skip := false, false
	for {
		t, err := p.token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := t.(type) {
		case xml.StartElement:
			open = t.Name.Local == "t"
			skip = skip || t.Name.Local == "rPh"
		case xml.CharData:
			if open && !skip {
				b.texts = append(b.texts, t...)
			}
		case xml.EndElement:
			switch open = false; t.Name.Local {
			case "rPh":
				skip = false
			case "si":
				b.ends = append(b.ends, uint32(len(b.texts)))
			}
		}
		if len(b.texts) > maxTexts || len(b.ends) > maxShared {
			return &Error{Message: "the workbook has too many different texts: save the sheet as CSV"}
		}
	}
}

// date reports whether cells of a style show a date or a time.
func (b *workbook) date(style int) bool {
	if style <= 0 && b.styled {
		return style == 0 && len(b.dates) > 0 && b.dates[0]
	}
	if !b.styled {
		b.styled = true
		custom := map[string]bool{}
		in := false
		_ = b.each("xl/styles.xml", func(e xml.StartElement) error { // without styles there are no dates
			switch e.Name.Local {
			case "numFmt":
				if len(custom) < maxStyles {
					custom[attr(e, "numFmtId")] = showsDate(attr(e, "formatCode"))
				}
			case "cellXfs":
				in = true
			case "cellStyles", "dxfs", "cellStyleXfs":
				in = false
			case "xf":
				if in && len(b.dates) < maxStyles {
					id := attr(e, "numFmtId")
					is, ok := custom[id]
					if n, err := strconv.Atoi(id); !ok && err == nil {
						is = n >= 14 && n <= 22 || n >= 27 && n <= 36 || n >= 45 && n <= 47 || n >= 50 && n <= 58
					}
					b.dates = append(b.dates, is)
				}
			}
			return nil
		})
	}
	return style >= 0 && style < len(b.dates) && b.dates[style]
}

// showsDate reports whether a number format has a day, a month, a year or a time in it.
func showsDate(code string) bool {
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case '\\', '_', '*':
			i++
		case '"':
			if j := strings.IndexByte(code[i+1:], '"'); j >= 0 {
				i += j + 1
			}
		case '[':
			j := strings.IndexByte(code[i:], ']')
			if j < 0 {
				return false
			}
			if inner := strings.ToLower(code[i+1 : i+j]); strings.Trim(inner, "hms") == "" && inner != "" {
				return true // [h]:mm
			}
			i += j
		case 'y', 'Y', 'd', 'D', 'm', 'M', 'h', 'H', 's', 'S':
			return true
		case ';':
			return false
		}
	}
	return false
}
