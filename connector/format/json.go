package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"

	"github.com/reeve-civic/reeve/connector/format/base"
	"github.com/reeve-civic/reeve/connector/format/cell"
)

// jsonReader reads objects: one a line, in a list, one after the other however they
// are broken into lines, or in a list somewhere inside a document. It looks at
// structure only: that what stands in the braces is good JSON is for who takes it.
type jsonReader struct {
	in       *input
	declared bool     // each line is a record, whatever the first looks like
	at       []string // keys that lead to the list
	shape    shape
	optional bool // it need not be there
	first    bool // no item of the list was read
	depth    int  // of the list in its document
	n        int64
	err      error
}

// shape is how a file holds its records.
type shape uint8

const (
	unknown shape = iota
	lines
	list
	values
	single // one object inside a document
	tail   // the rest of the document around it
	ended
)

const notJSON = "this is not JSON: it must begin with { or ["

func newJSON(spec Spec, r io.Reader) (*jsonReader, error) {
	text, _, err := base.Decoded(spec.Encoding, r)
	if err != nil {
		return nil, err
	}
	j := &jsonReader{in: newInput(text), declared: spec.Name == "ndjson", first: true}
	if spec.Record != "" && spec.Name != "fhir" {
		if spec.Record[0] != '/' {
			return nil, &Error{Message: "recordAt of JSON is a JSON Pointer: it begins with /"}
		}
		j.at = cell.Pointer(spec.Record)
	}
	return j, nil
}

func (r *jsonReader) Close() error { return nil }

// Next implements [Reader].
func (r *jsonReader) Next() (Row, error) {
	if r.err != nil {
		return Row{}, r.err
	}
	if r.shape == unknown {
		r.err = r.begin()
	}
	var row Row
	for r.err == nil {
		var raw []byte
		var big bool
		at := r.in.line
		switch r.shape {
		case lines:
			raw, big, r.err = r.nextLine()
		case list:
			raw, big, r.err = r.nextItem(&at)
		case values:
			raw, big, r.err = r.nextValue(&at)
		case single:
			raw, big, r.err = r.in.value(true)
			r.shape = tail
		case tail:
			r.err, r.shape = r.rest(), ended
		case ended:
			r.err = io.EOF
		}
		if r.err == nil && (big || len(raw) > 0) {
			r.n++
			row = Row{Number: r.n, At: base.LineAt(at), Body: raw}
			if r.shape == list {
				row.At = "item " + strconv.FormatInt(r.n, 10) + ", " + row.At
			}
			switch {
			case big:
				row.Problem, row.Body = base.TooLarge, nil
			case raw[0] != '{':
				row.Problem, row.Body = "the record is not a JSON object", nil
			}
			return row, nil
		}
	}
	return Row{}, r.err
}

// begin finds out the shape: a list, or what the first line looks like.
func (r *jsonReader) begin() error {
	if !r.in.space() {
		if r.shape = ended; r.at != nil {
			return r.in.fail("there is nothing in it")
		}
		return r.in.failed()
	}
	if r.at != nil {
		return r.find()
	}
	switch c := r.in.window()[0]; {
	case c == '[' && !r.declared:
		r.in.take(1)
		r.shape = list
		return nil
	case c != '{' && !r.declared:
		return r.in.fail(notJSON)
	}
	n := 0
	for {
		i := bytes.IndexByte(r.in.window()[n:], '\n')
		if i >= 0 {
			n += i
			break
		}
		if n = len(r.in.window()); n > MaxRecord || !r.in.more() {
			break
		}
	}
	first := bytes.TrimSpace(r.in.window()[:n])
	whole := n <= MaxRecord && balanced(first)
	if r.shape = values; whole || r.declared && !bytes.Equal(first, []byte("{")) {
		r.shape = lines
	}
	return nil
}

func balanced(b []byte) bool {
	depth, inString, escaped := 0, false, false
	for _, c := range b {
		switch {
		case escaped:
			escaped = false
		case inString:
			inString, escaped = c != '"', c == '\\'
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return depth <= 0 && !inString
}

func (r *jsonReader) nextLine() (raw []byte, big bool, err error) {
	n := 0
	for {
		w := r.in.window()
		if i := bytes.IndexByte(w[n:], '\n'); i >= 0 {
			n += i + 1
			break
		}
		if n = len(w); n > MaxRecord+2 { // a line may end in \r\n
			r.in.take(n)
			big, n = true, 0
		}
		if !r.in.more() {
			if err := r.in.failed(); err != nil {
				return nil, false, err
			}
			if n = len(r.in.window()); n == 0 && !big {
				return nil, false, io.EOF
			}
			break
		}
	}
	raw = bytes.TrimSpace(r.in.take(n))
	return raw, big || len(raw) > MaxRecord, nil
}

func (r *jsonReader) nextValue(at *int64) ([]byte, bool, error) {
	if !r.in.space() {
		if err := r.in.failed(); err != nil {
			return nil, false, err
		}
		return nil, false, io.EOF
	}
	if *at = r.in.line; r.in.window()[0] != '{' {
		return nil, false, r.in.fail("something that is not an object stands between the records")
	}
	return r.in.value(true)
}

func (r *jsonReader) nextItem(at *int64) ([]byte, bool, error) {
	if !r.in.space() {
		return nil, false, r.in.fail("the list has no end: a closing bracket is missing")
	}
	c := r.in.window()[0]
	switch {
	case c == ']':
		r.in.take(1)
		r.shape = ended
		return nil, false, r.rest()
	case r.first:
	case c != ',':
		return nil, false, r.in.fail("a comma or a closing bracket was expected between the records of the list")
	default:
		if r.in.take(1); !r.in.space() {
			return nil, false, r.in.fail("the list has no end: a closing bracket is missing")
		}
		c = r.in.window()[0]
	}
	if c == ',' || c == ']' || c == '}' || c == ':' {
		return nil, false, r.in.fail("a record was expected in the list, not a comma or its end")
	}
	r.first = false
	*at = r.in.line
	return r.in.value(true)
}

// rest sees that the document around the list ends as it should.
func (r *jsonReader) rest() error {
	for r.depth > 0 {
		if !r.in.space() {
			return r.in.fail("the document stops half-way")
		}
		switch c := r.in.window()[0]; c {
		case '}', ']':
			r.in.take(1)
			r.depth--
		case ',', ':':
			r.in.take(1)
		default:
			if _, _, err := r.in.value(false); err != nil {
				return err
			}
		}
	}
	if r.in.space() {
		return r.in.fail("there is something after the end of the list")
	}
	return r.in.failed()
}

// find goes down to the list that recordAt points to.
func (r *jsonReader) find() error {
	for _, key := range r.at {
		if !r.in.space() || r.in.window()[0] != '{' {
			return r.in.fail("there is no list at recordAt: what should hold it is not an object")
		}
		r.in.take(1)
		r.depth++
		switch err := r.in.member(key); {
		case errors.Is(err, errNoKey) && r.optional:
			r.depth--
			r.shape = tail
			return nil
		case errors.Is(err, errNoKey):
			return r.in.fail("there is no list at recordAt: %s is not there", strconv.Quote(key))
		case err != nil:
			return err
		}
	}
	if !r.in.space() {
		return r.in.fail("the document stops half-way")
	}
	switch r.in.window()[0] {
	case '[':
		r.in.take(1)
		r.shape = list
		return nil
	case '{':
		r.shape = single
		return nil
	}
	return r.in.fail("there is no list at recordAt")
}

var errNoKey = errors.New("there are no more keys")

// member goes to the value of a key of the object whose brace was taken.
func (in *input) member(key string) error {
	for {
		found, err := in.key(func(k []byte) bool { return string(k) == key })
		if err != nil || found {
			return err
		}
		if !in.space() {
			return in.fail("the document stops half-way")
		}
		if _, _, err := in.value(false); err != nil {
			return err
		}
	}
}

// key takes the next key of an object and its colon, and says whether it is the one
// looked for; the error is errNoKey at the end of the object.
func (in *input) key(is func([]byte) bool) (bool, error) {
	if !in.space() {
		return false, in.fail("the document stops half-way")
	}
	if in.window()[0] == ',' {
		if in.take(1); !in.space() {
			return false, in.fail("the document stops half-way")
		}
	}
	switch in.window()[0] {
	case '}':
		in.take(1)
		return false, errNoKey
	case '"':
	default:
		return false, in.fail("a key in quotation marks was expected")
	}
	raw, big, err := in.value(true)
	if err != nil {
		return false, err
	}
	found := !big && is(unquoted(raw))
	if !in.space() || in.window()[0] != ':' {
		return false, in.fail("a colon was expected after a key")
	}
	in.take(1)
	return found, nil
}

// unquoted is the text of a JSON string; nil if it is not one.
func unquoted(raw []byte) []byte {
	if bytes.IndexByte(raw, '\\') < 0 && len(raw) > 1 {
		return raw[1 : len(raw)-1]
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return nil
	}
	return []byte(s)
}
