// Package markup reads and writes records in XML.
//
// What is guaranteed. No entity and no document type is read; depth and sizes are
// bounded; errors hold nothing of the text.
package markup

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/connector/format/base"
	"github.com/reeve-civic/reeve/connector/format/cell"
)

const maxDepth = 64

// Reader makes an object of each element that is a record. A child element is a
// field, one that comes again a list, an attribute a field named @ and its name; the
// text beside them is #text. Namespaces are left out, and so is what is empty.
type Reader struct {
	d        *xml.Decoder
	lines    *base.Meter
	recordAt string
	types    func(string) []string
	begun    bool
	other    bool // an element that is not a record stands inside the root
	depth    int  // of open elements
	body     []byte
	n        int64
	err      error
}

// Record is an element that is one.
type Record struct {
	Line     int64
	Body     []byte // good until the next one
	TooLarge bool   // and so it has no body
}

// element is a part of a record.
type element struct {
	name     string
	attrs    []xml.Attr
	text     []byte
	children []*element
}

// NewReader reads from r. record is the name of the element that is a record, and
// types what the record type allows at a JSON Pointer.
func NewReader(r io.Reader, encoding, record string, types func(string) []string) (*Reader, error) {
	plain, changed, err := base.Decoded(encoding, r)
	if err != nil {
		return nil, err
	}
	x := &Reader{recordAt: record, types: types, lines: &base.Meter{R: plain, Left: base.MaxToken}}
	x.d = xml.NewDecoder(x.lines)
	x.d.Entity = map[string]string{}
	x.d.CharsetReader = func(name string, in io.Reader) (io.Reader, error) {
		if changed {
			return in, nil
		}
		enc, err := base.EncodingOf(name)
		if err != nil || enc == nil {
			return in, err
		}
		return enc.NewDecoder().Reader(in), nil
	}
	return x, nil
}

// token gives the next start, end or text.
func (x *Reader) token() (xml.Token, error) {
	for {
		x.lines.Left = base.MaxToken
		t, err := x.d.Token()
		if err != nil {
			return nil, x.fault(err)
		}
		switch t := t.(type) {
		case xml.StartElement:
			if x.depth++; x.depth > maxDepth {
				return nil, x.fault(fmt.Errorf("elements are nested more than %d deep", maxDepth))
			}
			if len(t.Attr) > 1000 {
				return nil, x.fault(errors.New("an element has more than 1,000 attributes"))
			}
			return t, nil
		case xml.EndElement:
			x.depth--
			return t, nil
		case xml.CharData:
			return t, nil
		case xml.Directive:
			return nil, x.fault(errors.New("it has a document type (<!...>): entities and document types are not read; take it out"))
		}
	}
}

func (x *Reader) fault(err error) error {
	line, _ := x.d.InputPos()
	var syntax *xml.SyntaxError
	var e *base.Error
	switch {
	case errors.Is(err, io.EOF):
		return err
	case errors.As(err, &e):
		return &base.Error{At: base.LineAt(int64(line)), Message: e.Message}
	case errors.As(err, &syntax):
		return &base.Error{At: base.LineAt(int64(syntax.Line)), Message: "this is not good XML: " + syntaxMessage(syntax.Msg)}
	case strings.HasPrefix(err.Error(), "xml: "):
		return &base.Error{At: base.LineAt(int64(line)), Message: "the XML cannot be read: its version or its encoding is not known"}
	}
	return &base.Error{At: base.LineAt(int64(line)), Message: err.Error()}
}

// syntaxMessage keeps what an XML message says of the syntax, without what stood in
// the file.
func syntaxMessage(m string) string {
	for _, known := range []string{"unexpected EOF", "attribute name without = in element", "unquoted or missing attribute value in element", "invalid UTF-8", "illegal character code", "unescaped < inside quoted string", "expected element name after <"} {
		if strings.HasPrefix(m, known) {
			if known == "unexpected EOF" {
				return "it stops half-way"
			}
			return known
		}
	}
	switch {
	case strings.HasPrefix(m, "invalid character entity"):
		return "an entity that is not known: only &amp; &lt; &gt; &quot; &apos; and numbers are read"
	case strings.Contains(m, "closed by"), strings.Contains(m, "unexpected end element"):
		return "an element is closed by the end of another"
	}
	return "a mark is out of place"
}

// Next gives the next record; io.EOF after the last. Another error is a *base.Error
// or that of the input.
func (x *Reader) Next() (Record, error) {
	if x.err != nil {
		return Record{}, x.err
	}
	for {
		t, err := x.token()
		if err != nil {
			if x.err = err; errors.Is(err, io.EOF) {
				x.err = x.end()
			}
			return Record{}, x.err
		}
		start, ok := t.(xml.StartElement)
		if !ok {
			continue
		}
		root := !x.begun
		x.begun = true
		switch {
		case x.recordAt != "" && start.Name.Local != x.recordAt:
			x.other = x.other || !root
			continue
		case x.recordAt == "" && root:
			row, more, err := x.root(start)
			if err != nil || !more {
				return row, err
			}
			continue
		}
		return x.record(start)
	}
}

func (x *Reader) end() error {
	switch {
	case !x.begun:
		return &base.Error{Message: "this is not XML: there is no element in it"}
	case x.other && x.n == 0:
		return &base.Error{Message: "no element is called " + x.recordAt + ", as recordAt says"}
	}
	return io.EOF
}

// root reads the first element inside the root: when it has a structure of its own,
// such elements are the records, and else the root is one.
func (x *Reader) root(start xml.StartElement) (row Record, more bool, err error) {
	root := &element{name: start.Name.Local, attrs: start.Attr}
	line, _ := x.d.InputPos()
	from := x.d.InputOffset()
	for {
		t, err := x.token()
		if err != nil {
			return Record{}, false, x.fail(err)
		}
		switch t := t.(type) {
		case xml.CharData:
			root.add(t)
		case xml.EndElement: // nothing inside
			if len(root.attrs) == 0 && len(strings.TrimSpace(string(root.text))) == 0 {
				return Record{}, true, nil
			}
			return x.row(root, line, false), false, nil
		case xml.StartElement:
			at, _ := x.d.InputPos()
			first, big, err := x.element(t, from)
			if err != nil {
				return Record{}, false, x.fail(err)
			}
			if big || len(first.children) > 0 || len(first.attributes()) > 0 {
				return x.row(first, at, big), false, nil
			}
			root.children = append(root.children, first)
			big, err = x.fill(root, from)
			if err != nil {
				return Record{}, false, x.fail(err)
			}
			return x.row(root, line, big), false, nil
		}
	}
}

func (x *Reader) record(start xml.StartElement) (Record, error) {
	line, _ := x.d.InputPos()
	e, big, err := x.element(start, x.d.InputOffset())
	if err != nil {
		return Record{}, x.fail(err)
	}
	return x.row(e, line, big), nil
}

func (x *Reader) fail(err error) error {
	if x.err = err; errors.Is(err, io.EOF) {
		x.err = &base.Error{Message: "the XML stops half-way"}
	}
	return x.err
}

func (x *Reader) row(e *element, line int, big bool) Record {
	x.n++
	row := Record{Line: int64(line)}
	if big {
		row.TooLarge = true
		return row
	}
	x.body, _ = e.object(x.body[:0], x.types, "")
	row.Body = x.body
	return row
}

// element reads up to its end. What began at from and is too large is passed over.
func (x *Reader) element(start xml.StartElement, from int64) (e *element, big bool, err error) {
	e = &element{name: start.Name.Local, attrs: start.Copy().Attr}
	big, err = x.fill(e, from)
	return e, big, err
}

func (x *Reader) fill(top *element, from int64) (big bool, err error) {
	open := []*element{top}
	for len(open) > 0 {
		t, err := x.token()
		if err != nil {
			return big, err
		}
		big = big || x.d.InputOffset()-from > base.MaxRecord
		in := open[len(open)-1]
		switch t := t.(type) {
		case xml.CharData:
			if !big {
				in.add(t)
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.StartElement:
			child := &element{name: t.Name.Local}
			if !big {
				child.attrs = t.Copy().Attr
				in.children = append(in.children, child)
			}
			open = append(open, child)
		}
		if big {
			*top = element{}
		}
	}
	return big, nil
}

func (e *element) add(t xml.CharData) { e.text = append(e.text, t...) }

// attributes are those that say something: not the ones of namespaces and schemas.
func (e *element) attributes() []xml.Attr {
	return slices.DeleteFunc(slices.Clone(e.attrs), func(a xml.Attr) bool {
		return a.Name.Space == "xmlns" || a.Name.Local == "xmlns" || a.Name.Space == "http://www.w3.org/2001/XMLSchema-instance" || a.Name.Space == "xsi" || a.Value == ""
	})
}

// value appends what the element says; nothing where it is empty.
func (e *element) value(dst []byte, types func(string) []string, at string) []byte {
	if len(e.children) == 0 && len(e.attributes()) == 0 {
		s := strings.TrimSpace(string(e.text))
		if s == "" {
			return dst
		}
		return cell.AppendCell(dst, []byte(s), cell.Text, allowedAt(types, at)&^cell.Nested)
	}
	out, some := e.object(dst, types, at)
	if !some {
		return dst
	}
	return out
}

func allowedAt(types func(string) []string, at string) cell.Kind {
	if types == nil {
		return 0
	}
	return cell.Allowed(types(at))
}

func (e *element) object(dst []byte, types func(string) []string, at string) (out []byte, some bool) {
	dst = append(dst, '{')
	field := func(name string, write func([]byte, string) []byte) {
		mark := len(dst)
		if some {
			dst = append(dst, ',')
		}
		dst = append(cell.AppendText(dst, []byte(name)), ':')
		before := len(dst)
		if dst = write(dst, at+"/"+cell.EscapePart.Replace(name)); len(dst) == before {
			dst = dst[:mark]
			return
		}
		some = true
	}
	seen := map[string]bool{}
	for _, a := range e.attributes() {
		if name := "@" + a.Name.Local; !seen[name] {
			seen[name] = true
			field(name, func(dst []byte, at string) []byte {
				return cell.AppendCell(dst, []byte(a.Value), cell.Text, allowedAt(types, at))
			})
		}
	}
	var order []string
	of := map[string][]*element{}
	for _, c := range e.children {
		if of[c.name] == nil {
			order = append(order, c.name)
		}
		of[c.name] = append(of[c.name], c)
	}
	for _, name := range order {
		field(name, func(dst []byte, at string) []byte {
			if a := allowedAt(types, at); len(of[name]) == 1 && (a&cell.Nested == 0 || !slices.Contains(types(at), "array") || slices.Contains(types(at), "object")) {
				return of[name][0].value(dst, types, at)
			}
			return listOf(dst, of[name], types, at)
		})
	}
	if s := strings.TrimSpace(string(e.text)); s != "" {
		field("#text", func(dst []byte, at string) []byte {
			return cell.AppendCell(dst, []byte(s), cell.Text, allowedAt(types, at))
		})
	}
	return append(dst, '}'), some
}

func listOf(dst []byte, items []*element, types func(string) []string, at string) []byte {
	mark, first := len(dst), true
	dst = append(dst, '[')
	for _, c := range items {
		before := len(dst)
		if !first {
			dst = append(dst, ',')
		}
		start := len(dst)
		if dst = c.value(dst, types, at+"/0"); len(dst) == start {
			dst = dst[:before]
			continue
		}
		first = false
	}
	if first {
		return dst[:mark]
	}
	return append(dst, ']')
}
