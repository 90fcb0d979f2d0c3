package format

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/reeve-civic/reeve/connector/format/base"
	"github.com/reeve-civic/reeve/connector/format/cell"
)

var errNotObject = errors.New("a record is not a JSON object")

// jsonWriter writes one object a line.
type jsonWriter struct {
	w   io.Writer
	buf bytes.Buffer
}

func (w *jsonWriter) Write(body []byte) error {
	w.buf.Reset()
	if err := json.Compact(&w.buf, body); err != nil {
		return errors.New("a record is not JSON")
	}
	w.buf.WriteByte('\n')
	_, err := w.w.Write(w.buf.Bytes())
	return err
}

func (w *jsonWriter) Close() error { return nil }

// csvWriter writes rows of cells that no spreadsheet program takes for formulas.
type csvWriter struct {
	w    *csv.Writer
	enc  io.Closer // the encoding's last bytes
	row  row
	head bool // the headings are still to be written
}

func newCSVWriter(spec Spec, w io.Writer) (*csvWriter, error) {
	comma, err := delimiter(spec.Delimiter, ',')
	if err != nil {
		return nil, err
	}
	out := &csvWriter{head: spec.Headings == nil || *spec.Headings}
	if out.row, err = newRow(spec.Columns); err != nil {
		return nil, err
	}
	enc, err := base.EncodingOf(spec.Encoding)
	if err != nil {
		return nil, err
	}
	if enc != nil {
		if strings.HasPrefix(strings.ToLower(spec.Encoding), "utf-16") {
			enc = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
		}
		t := transform.NewWriter(w, enc.NewEncoder())
		w, out.enc = t, t
	}
	out.w = csv.NewWriter(w)
	out.w.Comma = rune(comma)
	return out, nil
}

func (w *csvWriter) Write(body []byte) error {
	if w.head {
		w.head = false
		if err := w.w.Write(w.row.headings()); err != nil {
			return err
		}
	}
	cells, err := w.row.cells(body)
	if err != nil {
		return err
	}
	out := make([]string, len(cells))
	for i, c := range cells {
		if out[i] = c.text; c.kind == cell.Text {
			out[i] = guard(c.text)
		}
	}
	return w.w.Write(out)
}

func (w *csvWriter) Close() error {
	if w.head {
		w.head = false
		if err := w.w.Write(w.row.headings()); err != nil {
			return err
		}
	}
	w.w.Flush()
	err := w.w.Error()
	if err == nil && w.enc != nil {
		err = w.enc.Close()
	}
	if err != nil && w.enc != nil && strings.Contains(err.Error(), "encoding:") {
		return errors.New("a record holds a character that the encoding of the file does not have")
	}
	return err
}

// row takes the cells of its columns out of records.
type row struct {
	columns []string
	paths   [][]string
}

type value struct {
	text string
	kind cell.Kind
}

func newRow(columns []string) (row, error) {
	r := row{columns: columns}
	if len(columns) == 0 {
		return r, &Error{Message: "columns are needed to write: the fields, in the order of the columns"}
	}
	for _, c := range columns {
		path := []string{c}
		if strings.HasPrefix(c, "/") {
			path = cell.Pointer(c)
		}
		r.paths = append(r.paths, path)
	}
	return r, nil
}

func (r *row) headings() []string {
	head := make([]string, len(r.columns))
	for i, c := range r.columns {
		head[i] = guard(r.paths[i][len(r.paths[i])-1])
		if !strings.HasPrefix(c, "/") {
			head[i] = guard(c)
		}
	}
	return head
}

func (r *row) cells(body []byte) ([]value, error) {
	if out, ok := r.plain(body); ok {
		return out, nil
	}
	return r.decoded(body)
}

func (r *row) decoded(body []byte) ([]value, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil || doc == nil {
		return nil, errNotObject
	}
	out := make([]value, len(r.paths))
	for i, path := range r.paths {
		var v any = doc
		for _, part := range path {
			switch in := v.(type) {
			case map[string]any:
				v = in[part]
			case []any:
				n, err := strconv.Atoi(part)
				if v = nil; err == nil && n >= 0 && n < len(in) {
					v = in[n]
				}
			default:
				v = nil
			}
		}
		switch v := v.(type) {
		case nil:
		case string:
			out[i] = value{v, cell.Text}
		case json.Number:
			out[i] = value{v.String(), cell.Number}
		case bool:
			out[i] = value{strconv.FormatBool(v), cell.Boolean}
		default:
			b, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			out[i] = value{string(b), cell.Nested}
		}
	}
	return out, nil
}

// guard keeps a spreadsheet program from running a text as a formula: it puts an
// apostrophe before it, unless the text is no more than a number or the number of a
// telephone.
func guard(s string) string {
	if s == "" {
		return s
	}
	begins := s[0] == '\t' || s[0] == '\r' || s[0] == '\n'
	switch first := strings.TrimLeft(s, " \u00a0"); {
	case first == "":
	case strings.IndexByte("=@", first[0]) >= 0:
		begins = true
	case first[0] == '+' || first[0] == '-':
		begins = begins || !plainNumber(first)
	default:
		for _, wide := range []string{"＝", "＋", "－", "＠"} {
			begins = begins || strings.HasPrefix(first, wide)
		}
	}
	if begins {
		return "'" + s
	}
	return s
}

// plainNumber is a sign and digits, in one piece or, after a plus, in groups; it
// holds nothing to work out.
func plainNumber(s string) bool {
	if cell.IsNumber(strings.TrimPrefix(s, "+")) && !strings.HasPrefix(s, "+-") {
		return true
	}
	if s[0] != '+' || len(s) < 2 {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c != ' ' || i == 1) {
			return false
		}
	}
	return true
}
