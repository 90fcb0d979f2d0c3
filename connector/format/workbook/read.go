// Package workbook reads the parts of an .xlsx file, and writes one.
//
// What is guaranteed. A file is looked at part by part, as a stream; what it says of
// its own sizes is not believed; formulas are never worked out and never written.
package workbook

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

	"github.com/reeve-civic/reeve/connector/format/base"
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

// Book is an .xlsx file.
type Book struct {
	spool    *os.File // nil for a small one
	size     int64
	zip      *zip.Reader
	files    map[string]*zip.File
	Sheets   []Sheet
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
		return n, &base.Error{Message: fmt.Sprintf("the workbook is larger than %d MB, or has more than %d parts: save it as CSV", maxWorkbook>>20, maxParts)}
	}
	return n, err
}

// Open reads a workbook; scratch is a folder for a large one.
func Open(r io.Reader, scratch string) (*Book, error) {
	in := &counting{r: r}
	var kept bytes.Buffer
	n, err := io.CopyN(&kept, in, base.InMemory)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, base.Stopped(err)
	}
	head := kept.Bytes()
	switch {
	case n == 0:
		return nil, &base.Error{Message: "the file is empty"}
	case bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")):
		return nil, &base.Error{Message: "this is an old or a password-protected Excel file: save it as .xlsx without a password"}
	case !bytes.HasPrefix(head, []byte("PK")):
		return nil, &base.Error{Message: "this is not an .xlsx workbook"}
	}
	b := &Book{size: n, files: map[string]*zip.File{}}
	var at io.ReaderAt = bytes.NewReader(head)
	if n == base.InMemory {
		if b.spool, err = base.Spool(scratch, io.MultiReader(&kept, in)); err != nil {
			return nil, err
		}
		at, b.size = b.spool, in.size
	}
	if b.zip, err = zip.NewReader(at, b.size); err != nil {
		return nil, errors.Join(&base.Error{Message: "this is not a whole .xlsx workbook: its zip file is damaged"}, b.Close())
	}
	for _, f := range b.zip.File {
		if b.files[f.Name] == nil {
			b.files[f.Name] = f
		}
	}
	if err := b.contents(); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close gives up what is kept.
func (b *Book) Close() error {
	if b.spool == nil {
		return nil
	}
	return b.spool.Close()
}

// Sheet is one of a workbook.
type Sheet struct{ Name, part string }

// Part is a file inside, while it is read.
type Part struct {
	name string
	c    io.Closer
	d    *xml.Decoder
	m    *base.Meter
}

// unpacked bounds what a part may become.
type unpacked struct {
	r    io.Reader
	left int64
}

func (u *unpacked) Read(b []byte) (int, error) {
	n, err := u.r.Read(b)
	if u.left -= int64(n); u.left < 0 {
		return 0, &base.Error{Message: "the workbook would be far larger when unpacked than it is: it is not read any further"}
	}
	return n, err
}

func (b *Book) part(name string) (*Part, error) {
	f := b.files[name]
	if f == nil {
		return nil, &base.Error{Message: "the workbook is damaged: a part that it names is not in it"}
	}
	r, err := f.Open()
	if err != nil {
		return nil, &base.Error{Message: "the workbook is damaged: a part of it cannot be opened"}
	}
	packed := min(int64(f.CompressedSize64&math.MaxInt64), b.size)
	p := &Part{name: name, c: r, m: &base.Meter{R: &unpacked{r, freeUnzip + maxRatio*packed}}}
	p.d = xml.NewDecoder(p.m)
	p.d.Entity = map[string]string{}
	return p, nil
}

// Token gives the next start, end or text.
func (p *Part) Token() (xml.Token, error) {
	for {
		p.m.Left = base.MaxToken
		t, err := p.d.RawToken()
		var e *base.Error
		switch {
		case errors.Is(err, io.EOF), errors.As(err, &e):
			return nil, err
		case err != nil:
			return nil, &base.Error{Message: "the workbook is damaged: " + path.Base(p.name) + " inside it is not good XML, or stops half-way"}
		}
		switch t.(type) {
		case xml.Directive:
			return nil, &base.Error{Message: "the workbook holds a document type, which is not read"}
		case xml.StartElement, xml.EndElement, xml.CharData:
			return t, nil
		}
	}
}

// each calls f for each element that begins in a part.
func (b *Book) each(name string, f func(xml.StartElement) error) error {
	p, err := b.part(name)
	if err != nil {
		return err
	}
	defer p.c.Close()
	for {
		t, err := p.Token()
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
func (b *Book) contents() error {
	const main = "xl/workbook.xml"
	if b.files[main] == nil {
		return &base.Error{Message: "this is a zip file but not an .xlsx workbook"}
	}
	parts := map[string]string{}
	err := b.each("xl/_rels/workbook.xml.rels", func(e xml.StartElement) error {
		if e.Name.Local == "Relationship" && len(parts) < maxParts {
			to := Attr(e, "Target")
			if !strings.HasPrefix(to, "/") {
				to = "/xl/" + to
			}
			parts[Attr(e, "Id")] = strings.TrimPrefix(path.Clean(to), "/")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.each(main, func(e xml.StartElement) error {
		switch e.Name.Local {
		case "workbookPr":
			v := Attr(e, "date1904")
			b.from1904 = v == "1" || v == "true"
		case "sheet":
			if to := parts[Attr(e, "id")]; len(b.Sheets) < maxParts && b.files[to] != nil && !strings.Contains(to, "chartsheets/") {
				b.Sheets = append(b.Sheets, Sheet{Attr(e, "name"), to})
			}
		}
		return nil
	})
}

// Text is a text that cells share.
func (b *Book) Text(n int, err error) ([]byte, error) {
	if !b.loaded {
		b.loaded = true
		if err := b.load(); err != nil {
			return nil, err
		}
	}
	if err != nil || n < 0 || n >= len(b.ends) {
		return nil, &base.Error{Message: "the workbook is damaged: a cell names a text that is not in it"}
	}
	from := uint32(0)
	if n > 0 {
		from = b.ends[n-1]
	}
	return b.texts[from:b.ends[n]], nil
}

func (b *Book) load() error {
	p, err := b.part("xl/sharedStrings.xml")
	if err != nil {
		return err
	}
	defer p.c.Close()
	open, skip := false, false
	for {
		t, err := p.Token()
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
			return &base.Error{Message: "the workbook has too many different texts: save the sheet as CSV"}
		}
	}
}

// Dated reports whether cells of a style show a date or a time.
func (b *Book) Dated(style int) bool {
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
					custom[Attr(e, "numFmtId")] = showsDate(Attr(e, "formatCode"))
				}
			case "cellXfs":
				in = true
			case "cellStyles", "dxfs", "cellStyleXfs":
				in = false
			case "xf":
				if in && len(b.dates) < maxStyles {
					id := Attr(e, "numFmtId")
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

// Attr is an attribute of an element.
func Attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name && (a.Name.Space == "" || name == "id") {
			return a.Value
		}
	}
	return ""
}

// Date is the day, and the time of day, that a workbook counts from 1900 or 1904.
func (b *Book) Date(f float64) (string, bool) {
	if f < 0 || f > 2_958_466 {
		return "", false
	}
	first := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case b.from1904:
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

// Open begins to read a sheet.
func (b *Book) Open(s Sheet) (*Part, error) { return b.part(s.part) }

// Close ends it.
func (p *Part) Close() error { return p.c.Close() }
