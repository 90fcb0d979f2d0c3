package format

import (
	"bytes"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/reeve-civic/reeve/connector/format/base"
	"github.com/reeve-civic/reeve/connector/format/cell"
)

// maxWasted is how many bytes may be read again, because a quotation mark opened and
// did not close, before the file is given up.
const maxWasted = 64 << 20

// csvReader reads rows of cells. A row that cannot be read ends with its first line,
// and the next begins after it, so that one mark out of place costs one row.
type csvReader struct {
	in      *input
	spec    Spec
	changed bool // from another encoding
	comma   byte
	cr      bool // lines end with a carriage return alone
	begun   bool
	stop    [256]bool

	columns *cell.Columns
	spans   []span
	cells   [][]byte
	plain   []byte // of cells that had doubled marks
	body    []byte
	n       int64
	reached int // by the scan of a row, from the beginning of the window
	wasted  int
	err     error
}

// span is where a cell stands in the window; doubled says that marks in it are.
type span struct {
	from, to int
	doubled  bool
}

func newCSV(spec Spec, r io.Reader) (*csvReader, error) {
	c := &csvReader{spec: spec}
	decodedText, changed, err := base.Decoded(spec.Encoding, r)
	if err != nil {
		return nil, err
	}
	if c.comma, err = delimiter(spec.Delimiter, 0); err != nil {
		return nil, err
	}
	c.in, c.changed = newInput(decodedText), changed
	if len(spec.Columns) > 0 {
		if c.columns, err = cell.New(spec.Columns, spec.Types); err != nil {
			return nil, &Error{Message: err.Error()}
		}
	}
	return c, nil
}

func delimiter(s string, otherwise byte) (byte, error) {
	switch {
	case s == "":
		return otherwise, nil
	case s == "tab" || s == "\t":
		return '\t', nil
	case len(s) == 1 && s[0] > ' ' && s[0] < 0x7f && s != `"`:
		return s[0], nil
	}
	return 0, &Error{Message: "the delimiter is one character, such as ; or |, or the word tab"}
}

func (r *csvReader) Close() error { return nil }

// begin looks at the first lines.
func (r *csvReader) begin() error {
	for n := 0; n < 64<<10 && r.in.has(n); n = len(r.in.window()) {
	}
	if err := r.in.failed(); err != nil {
		return err
	}
	head := r.in.window()
	head = head[:min(len(head), 64<<10)]
	if bytes.IndexByte(head, 0) >= 0 {
		return r.in.fail("this is not a text file in the encoding that is expected: it holds bytes of zero")
	}
	r.cr = bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0
	if r.comma == 0 {
		var skip int
		r.comma, skip = delimiterOf(head)
		r.in.take(skip)
	}
	for _, b := range []byte{r.comma, '\n', '\r'} {
		r.stop[b] = b != '\r' || r.cr
	}
	if r.spec.Headings != nil && !*r.spec.Headings {
		if r.columns == nil {
			return &Error{Message: "a file without headings needs columns: the fields, in the order of the columns"}
		}
		return nil
	}
	for {
		at := r.in.line
		cells, problem, _ := r.next()
		switch {
		case problem != "":
			return &Error{At: base.LineAt(at), Message: "the headings cannot be read: " + problem}
		case cells == nil:
			if err := r.in.failed(); err != nil {
				return err
			}
			return io.EOF
		case blank(cells):
			continue
		case r.columns != nil:
			return nil
		}
		names := make([]string, len(cells))
		for i, c := range cells {
			names[i] = string(c)
		}
		var err error
		if r.columns, err = cell.New(cell.Headings(names), r.spec.Types); err != nil {
			return &Error{At: base.LineAt(at), Message: err.Error()}
		}
		return nil
	}
}

func blank(cells [][]byte) bool {
	for _, c := range cells {
		if len(c) > 0 {
			return false
		}
	}
	return true
}

// Next implements [Reader]. Rows with nothing in them are passed over.
func (r *csvReader) Next() (Row, error) {
	if r.err == nil && !r.begun {
		r.begun = true
		r.err = r.begin()
	}
	for r.err == nil {
		at := r.in.line
		cells, problem, field := r.next()
		if problem == "" {
			if cells == nil {
				if r.err = r.in.failed(); r.err == nil {
					r.err = io.EOF
				}
				break
			}
			if blank(cells) {
				continue
			}
			problem = r.ragged(cells)
		}
		r.n++
		row := Row{Number: r.n, At: base.LineAt(at), Problem: problem}
		if problem != "" {
			if field >= 0 && field < len(r.columns.Names) {
				row.Field = r.columns.Names[field]
			}
			if r.wasted > maxWasted {
				r.err = &Error{At: row.At, Message: "too many quotation marks open and never close: this is not CSV that can be read"}
			}
			return row, nil
		}
		r.body = r.columns.Append(r.body[:0], cells, nil)
		row.Body = r.body
		return row, nil
	}
	return Row{}, r.err
}

// ragged says what is wrong with the number of cells; empty ones at the end do no
// harm.
func (r *csvReader) ragged(cells [][]byte) string {
	want := len(r.columns.Names)
	for len(cells) > want && len(cells[len(cells)-1]) == 0 {
		cells = cells[:len(cells)-1]
	}
	if len(cells) == want {
		return ""
	}
	return fmt.Sprintf("the row has %s where there are %s", count(len(cells), "cell"), count(want, "column"))
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// next takes a row; nil cells and no problem at the end. field is the column of the
// problem, or -1.
func (r *csvReader) next() (cells [][]byte, problem string, field int) {
	if !r.in.has(0) {
		return nil, "", -1
	}
	size, marks, problem := r.scan()
	if problem != "" {
		field = len(r.spans)
		if problem == base.TooLarge {
			field = -1
		}
		r.wasted += max(0, r.reached-r.skipLine())
		return nil, problem, field
	}
	row := r.in.buf[r.in.pos : r.in.pos+size]
	r.in.pos += size
	switch {
	case r.cr:
		r.in.line += int64(bytes.Count(row, []byte("\r")))
	case marks:
		r.in.line += int64(bytes.Count(row, newline))
	default:
		r.in.line++
	}
	cells, plain := r.cells[:0], r.plain[:0]
	for _, s := range r.spans {
		cell := row[s.from:s.to]
		if s.doubled {
			from := len(plain)
			for i := 0; i < len(cell); i++ {
				plain = append(plain, cell[i])
				if cell[i] == '"' {
					i++
				}
			}
			cell = plain[from:]
		}
		cells = append(cells, cell)
	}
	r.cells, r.plain = cells, plain
	if problem, field = r.unreadable(row, cells); problem != "" {
		return nil, problem, field
	}
	return cells, "", -1
}

func (r *csvReader) unreadable(row []byte, cells [][]byte) (string, int) {
	switch {
	case r.changed && bytes.Contains(row, []byte("\uFFFD")):
		for i, c := range cells {
			if bytes.Contains(c, []byte("\uFFFD")) {
				return "a character is not one of the file's encoding", i
			}
		}
	case !utf8.Valid(row):
		for i, c := range cells {
			if !utf8.Valid(c) {
				return "the text is not UTF-8: say which encoding the file has (windows-1252, for example)", i
			}
		}
	}
	return "", -1
}

// skipLine passes over the line that begins the window, and no more of it.
func (r *csvReader) skipLine() (size int) {
	end := byte('\n')
	if r.cr {
		end = '\r'
	}
	for r.in.has(0) {
		if i := bytes.IndexByte(r.in.window(), end); i >= 0 {
			r.in.pos += i + 1
			r.in.line++
			return size + i + 1
		}
		size += len(r.in.window())
		r.in.pos = r.in.end
	}
	return size
}

// scan finds the cells of the row that begins the window, and its size with the end
// of its line. marks says that cells stand in quotation marks.
func (r *csvReader) scan() (size int, marks bool, problem string) {
	in := r.in
	r.spans = r.spans[:0]
	n := 0
	for {
		r.reached = n
		if n > MaxRecord {
			return 0, marks, base.TooLarge
		}
		if len(r.spans) > cell.MaxColumns {
			return 0, marks, "the row has more cells than can be read"
		}
		if !in.has(n) { // after a last comma
			r.spans = append(r.spans, span{from: n, to: n})
			return n, marks, ""
		}
		if in.buf[in.pos+n] == '"' {
			marks = true
			next, end, problem := r.quoted(n + 1)
			if end || problem != "" {
				return next, marks, problem
			}
			n = next
			continue
		}
		i := n
		for {
			w := in.window()
			for i < len(w) && !r.stop[w[i]] {
				i++
			}
			if i < len(w) {
				break
			}
			if i > MaxRecord {
				return 0, marks, base.TooLarge
			}
			if !in.more() {
				r.spans = append(r.spans, span{from: n, to: i})
				return i, marks, ""
			}
		}
		c := in.buf[in.pos+i]
		to := i
		if c == '\n' && to > n && in.buf[in.pos+to-1] == '\r' {
			to--
		}
		if to > MaxRecord {
			return 0, marks, base.TooLarge
		}
		r.spans = append(r.spans, span{from: n, to: to})
		if n = i + 1; c != r.comma {
			return n, marks, ""
		}
	}
}

// quoted finds the end of a cell whose first mark stands before n. next is where the
// next cell begins, or, with end, the next row.
func (r *csvReader) quoted(n int) (next int, end bool, problem string) {
	in := r.in
	s := span{from: n}
	for i := n; ; {
		r.reached = i
		j := bytes.IndexByte(in.window()[i:], '"')
		if j < 0 {
			if i = len(in.window()); i > MaxRecord || !in.more() {
				r.reached = i
				return 0, false, "a quotation mark opens and does not close"
			}
			continue
		}
		i += j
		s.to = i
		if !in.has(i + 1) {
			r.spans = append(r.spans, s)
			return i + 1, true, ""
		}
		switch c := in.buf[in.pos+i+1]; {
		case c == '"':
			s.doubled = true
			i += 2
			continue
		case c == r.comma:
			r.spans = append(r.spans, s)
			return i + 2, false, ""
		case c == '\n', c == '\r' && r.cr:
			r.spans = append(r.spans, s)
			return i + 2, true, ""
		case c == '\r' && (!in.has(i+2) || in.buf[in.pos+i+2] == '\n'):
			r.spans = append(r.spans, s)
			return min(i+3, len(in.window())), true, ""
		}
		return 0, false, "a quotation mark is out of place: one inside a text is written twice"
	}
}
