// Package rawjson reads JSON that strangers wrote. It is stricter than
// encoding/json where two readers could understand the same bytes differently
// (a key given twice, invalid UTF-8, half a surrogate pair) and it is bounded
// (nesting, length of a number), so that whatever comes after it may be simple.
//
// Its errors say what is wrong and where, and never repeat a value.
package rawjson

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// Bounds of one document.
const (
	MaxDepth  = 64  // objects and arrays inside one another
	maxNumber = 100 // characters of a number
	maxExp    = 400 // exponent of a number, either sign
)

// Error says why a document is not JSON that we accept.
type Error struct {
	Offset  int    // byte at which it was noticed, from 0
	Message string // plain words; never holds a value
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s (at byte %d)", e.Message, e.Offset+1)
}

// Decode reads one JSON value that fills b. Objects become map[string]any,
// numbers json.Number, which keeps every digit. The strings of the result do
// not share memory with b. The error is an *Error.
func Decode(b []byte) (any, error) {
	d := decoder{s: string(b)}
	d.space()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	d.space()
	if d.i < len(d.s) {
		return nil, d.fail("there is something after the end of the record")
	}
	return v, nil
}

type decoder struct {
	s string
	i int
}

func (d *decoder) fail(format string, args ...any) error {
	return &Error{Offset: d.i, Message: fmt.Sprintf(format, args...)}
}

func (d *decoder) space() {
	for d.i < len(d.s) {
		switch d.s[d.i] {
		case ' ', '\t', '\n', '\r':
			d.i++
		default:
			return
		}
	}
}

func (d *decoder) value(depth int) (any, error) {
	if d.i >= len(d.s) {
		return nil, d.fail("the record stops before its end")
	}
	switch c := d.s[d.i]; c {
	case '{':
		return d.object(depth)
	case '[':
		return d.array(depth)
	case '"':
		return d.str()
	case 't':
		return true, d.word("true")
	case 'f':
		return false, d.word("false")
	case 'n':
		return nil, d.word("null")
	default:
		if c == '-' || c >= '0' && c <= '9' {
			return d.number()
		}
		return nil, d.fail("a value was expected here: an object, a list, text in double quotes, a number, true, false or null")
	}
}

func (d *decoder) word(w string) error {
	if !strings.HasPrefix(d.s[d.i:], w) {
		return d.fail("a value was expected here: text must stand in double quotes")
	}
	d.i += len(w)
	return nil
}

func (d *decoder) object(depth int) (any, error) {
	if depth >= MaxDepth {
		return nil, d.fail("objects and lists are nested more than %d deep", MaxDepth)
	}
	m := make(map[string]any)
	d.i++
	d.space()
	if d.i < len(d.s) && d.s[d.i] == '}' {
		d.i++
		return m, nil
	}
	for {
		if d.i >= len(d.s) {
			return nil, d.fail("the record stops before its end")
		}
		if d.s[d.i] != '"' {
			return nil, d.fail("a field name in double quotes was expected here")
		}
		at := d.i
		k, err := d.str()
		if err != nil {
			return nil, err
		}
		d.space()
		if d.i >= len(d.s) || d.s[d.i] != ':' {
			return nil, d.fail("a colon was expected here, after the field name")
		}
		d.i++
		d.space()
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		n := len(m)
		m[k] = v
		if len(m) == n {
			d.i = at
			return nil, d.fail("a field name is given twice in the same object")
		}
		d.space()
		if d.i >= len(d.s) {
			return nil, d.fail("the record stops before its end")
		}
		switch d.s[d.i] {
		case ',':
			d.i++
			d.space()
		case '}':
			d.i++
			return m, nil
		default:
			return nil, d.fail("a comma or a closing brace was expected here")
		}
	}
}

func (d *decoder) array(depth int) (any, error) {
	if depth >= MaxDepth {
		return nil, d.fail("objects and lists are nested more than %d deep", MaxDepth)
	}
	a := []any{}
	d.i++
	d.space()
	if d.i < len(d.s) && d.s[d.i] == ']' {
		d.i++
		return a, nil
	}
	for {
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		a = append(a, v)
		d.space()
		if d.i >= len(d.s) {
			return nil, d.fail("the record stops before its end")
		}
		switch d.s[d.i] {
		case ',':
			d.i++
			d.space()
		case ']':
			d.i++
			return a, nil
		default:
			return nil, d.fail("a comma or a closing bracket was expected here")
		}
	}
}

// str reads a string; without escapes it is a slice of the document.
func (d *decoder) str() (string, error) {
	start := d.i + 1
	ascii := true
	for i := start; i < len(d.s); i++ {
		c := d.s[i]
		switch {
		case c == '"':
			s := d.s[start:i]
			if !ascii && !utf8.ValidString(s) {
				return "", d.fail("text is not valid UTF-8")
			}
			d.i = i + 1
			return s, nil
		case c == '\\':
			return d.escaped(start, i)
		case c < 0x20:
			d.i = i
			return "", d.fail("a line break or control character stands inside text: write it as an escape, such as \\n")
		case c >= 0x80:
			ascii = false
		}
	}
	d.i = len(d.s)
	return "", d.fail("text has no closing double quote")
}

func (d *decoder) escaped(start, i int) (string, error) {
	buf := append(make([]byte, 0, i-start+32), d.s[start:i]...)
	for i < len(d.s) {
		c := d.s[i]
		switch {
		case c == '"':
			if !utf8.Valid(buf) {
				return "", d.fail("text is not valid UTF-8")
			}
			d.i = i + 1
			return unsafe.String(unsafe.SliceData(buf), len(buf)), nil
		case c < 0x20:
			d.i = i
			return "", d.fail("a line break or control character stands inside text: write it as an escape, such as \\n")
		case c != '\\':
			buf = append(buf, c)
			i++
		default:
			r, n := unescape(d.s[i:])
			if n == 0 {
				d.i = i
				return "", d.fail("text holds an escape that JSON does not know, or half a character")
			}
			buf = utf8.AppendRune(buf, r)
			i += n
		}
	}
	d.i = len(d.s)
	return "", d.fail("text has no closing double quote")
}

// unescape reads the escape at the start of s; n is 0 if there is none or it
// is half a surrogate pair.
func unescape(s string) (r rune, n int) {
	if len(s) < 2 {
		return 0, 0
	}
	switch s[1] {
	case '"', '\\', '/':
		return rune(s[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r, ok := hex4(s[2:])
		if !ok {
			return 0, 0
		}
		if !utf16.IsSurrogate(r) {
			return r, 6
		}
		if len(s) < 12 || s[6] != '\\' || s[7] != 'u' {
			return 0, 0
		}
		low, ok := hex4(s[8:])
		if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
			return 0, 0
		}
		return r, 12
	}
	return 0, 0
}

func hex4(s string) (rune, bool) {
	if len(s) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

func (d *decoder) number() (any, error) {
	start := d.i
	if d.peek() == '-' {
		d.i++
	}
	switch c := d.peek(); {
	case c == '0':
		d.i++
	case c >= '1' && c <= '9':
		d.digits()
	default:
		return nil, d.fail("a digit was expected here")
	}
	if d.peek() == '.' {
		d.i++
		if d.digits() == 0 {
			return nil, d.fail("a digit was expected after the decimal point")
		}
	}
	if c := d.peek(); c == 'e' || c == 'E' {
		d.i++
		if c := d.peek(); c == '+' || c == '-' {
			d.i++
		}
		at, exp := d.i, 0
		for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
			exp = min(exp*10+int(c-'0'), maxExp+1)
			d.i++
		}
		if d.i == at {
			return nil, d.fail("a digit was expected in the exponent")
		}
		if exp > maxExp {
			return nil, d.fail("a number is too large or too small")
		}
	}
	if d.i-start > maxNumber {
		return nil, d.fail("a number has more than %d characters", maxNumber)
	}
	return json.Number(d.s[start:d.i]), nil
}

// peek returns the next byte, 0 at the end: no number holds one.
func (d *decoder) peek() byte {
	if d.i < len(d.s) {
		return d.s[d.i]
	}
	return 0
}

func (d *decoder) digits() (n int) {
	for c := d.peek(); c >= '0' && c <= '9'; c = d.peek() {
		d.i++
		n++
	}
	return n
}

// AppendCompact appends src, which must be JSON that Decode accepts, to dst
// without the space between its tokens.
func AppendCompact(dst, src []byte) []byte {
	from := 0
	for i := 0; i < len(src); {
		switch src[i] {
		case '"':
			i = SkipString(src, i)
		case ' ', '\t', '\n', '\r':
			dst = append(dst, src[from:i]...)
			for i < len(src) && (src[i] == ' ' || src[i] == '\t' || src[i] == '\n' || src[i] == '\r') {
				i++
			}
			from = i
		default:
			i++
		}
	}
	return append(dst, src[from:]...)
}

// SkipString returns the index after the string that opens at b[i], or len(b)+1
// if it has no end. It never reads outside b.
func SkipString(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return len(b) + 1
}

// Unquote returns the text between the quotes of a JSON string, escapes
// resolved; ok is false where an escape is not one. Without escapes no memory
// is taken: the result then shares raw.
func Unquote(raw []byte) (text []byte, ok bool) {
	i := 0
	for i < len(raw) && raw[i] != '\\' {
		i++
	}
	if i == len(raw) {
		return raw, true
	}
	buf := append(make([]byte, 0, len(raw)), raw[:i]...)
	for i < len(raw) {
		if raw[i] != '\\' {
			buf = append(buf, raw[i])
			i++
			continue
		}
		r, n := unescape(string(raw[i:min(i+12, len(raw))]))
		if n == 0 {
			return nil, false
		}
		buf = utf8.AppendRune(buf, r)
		i += n
	}
	return buf, true
}
