package format

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/reeve-civic/reeve/connector/format/base"
)

// input is a window on what is read. buf[pos:end] is there; more can be had, and
// then the window may move: hold on to offsets from pos, not to slices.
type input struct {
	r        io.Reader
	buf      []byte
	pos, end int
	line     int64 // of buf[pos], from 1
	err      error // of r
}

func newInput(r io.Reader) *input { return &input{r: r, buf: make([]byte, 64<<10), line: 1} }

func (in *input) window() []byte { return in.buf[in.pos:in.end] }

// more reads on; false at the end or when reading failed.
func (in *input) more() bool {
	if in.err != nil {
		return false
	}
	if in.end == len(in.buf) {
		to := in.buf
		if in.end-in.pos > len(in.buf)/2 {
			to = make([]byte, 2*len(in.buf))
		}
		in.end = copy(to, in.window())
		in.pos, in.buf = 0, to
	}
	for range 100 {
		n, err := in.r.Read(in.buf[in.end:])
		in.end += n
		in.err = err
		if n > 0 || err != nil {
			return n > 0
		}
	}
	in.err = io.ErrNoProgress
	return false
}

// has reports whether the window has a byte n after its beginning, reading on for it.
func (in *input) has(n int) bool {
	for in.pos+n >= in.end {
		if !in.more() {
			return false
		}
	}
	return true
}

// take moves the window past n bytes and returns them; they are good until more.
func (in *input) take(n int) []byte {
	b := in.buf[in.pos : in.pos+n]
	in.pos += n
	in.line += int64(bytes.Count(b, newline))
	return b
}

var newline = []byte("\n")

// failed is the error of reading, nil at a proper end.
func (in *input) failed() error {
	if in.err == nil || errors.Is(in.err, io.EOF) {
		return nil
	}
	return base.Stopped(in.err)
}

func (in *input) fail(format string, args ...any) error {
	if err := in.failed(); err != nil {
		return err
	}
	return &Error{At: base.LineAt(in.line), Message: fmt.Sprintf(format, args...)}
}

// space passes over what JSON takes for space; false at the end.
func (in *input) space() bool {
	for {
		w := in.window()
		i := 0
		for i < len(w) && (w[i] == ' ' || w[i] == '\n' || w[i] == '\r' || w[i] == '\t') {
			i++
		}
		in.take(i)
		if i < len(w) {
			return true
		}
		if !in.more() {
			return false
		}
	}
}

// value passes over a JSON value, of which only the structure is looked at. What is
// larger than MaxRecord, or not to be kept, is not returned; big says that it was
// too large.
func (in *input) value(keep bool) (raw []byte, big bool, err error) {
	n, depth := 0, 0
	inString, escaped := false, false
	for {
		w := in.window()[n:]
		for i := 0; i < len(w); i++ {
			c := w[i]
			switch {
			case inString:
				switch {
				case escaped:
					escaped = false
				case c == '\\':
					escaped = true
				case c == '"':
					if inString = false; depth == 0 {
						return in.whole(n+i+1, keep, big)
					}
				}
			case c == '"':
				inString = true
			case c == '{' || c == '[':
				depth++
			case c == '}' || c == ']':
				if depth--; depth == 0 {
					return in.whole(n+i+1, keep, big)
				}
				if depth < 0 { // the end of what a bare word stands in
					return in.whole(n+i, keep, big)
				}
			case depth == 0 && (c == ',' || c == ' ' || c == '\n' || c == '\r' || c == '\t'):
				return in.whole(n+i, keep, big)
			}
		}
		if n += len(w); !keep || n > MaxRecord {
			big = big || keep
			in.take(n)
			n = 0
		}
		if !in.more() {
			if in.failed() == nil && depth == 0 && !inString {
				return in.whole(n, keep, big)
			}
			return nil, big, in.fail("the last record has no end: a closing brace or bracket is missing")
		}
	}
}

func (in *input) whole(n int, keep, big bool) ([]byte, bool, error) {
	b := in.take(n)
	if !keep || big || len(b) > MaxRecord {
		return nil, keep, nil
	}
	return b, false, nil
}
