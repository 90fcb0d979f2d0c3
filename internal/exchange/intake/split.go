package intake

import (
	"bytes"

	"github.com/reeve-civic/reeve/internal/exchange/contract"
)

// shape is how a body holds its records.
type shape uint8

const (
	unknown shape = iota
	lines         // one record a line (NDJSON)
	list          // one JSON array
	values        // one object after another, each over as many lines as it likes
)

// splitter finds the records in a body, whose parts it is fed in any sizes. It
// looks at structure only: whether a record is good JSON is found out later, and in
// parallel. It holds no more than one record of the permitted size.
type splitter struct {
	declared bool // the header says that each line is a record
	shape    shape
	emit     func(rec []byte, tooLarge bool)

	part     []byte // the record so far
	tooLarge bool   // and its bytes are no longer kept
	begun    bool   // the first byte that is not space was seen
	bom      int    // bytes of a byte order mark passed over
	depth    int
	inString bool
	escaped  bool
	state    listState
	broken   string // why the rest of the body cannot be read, in plain words
}

// listState is what may come next between the records of a list.
type listState uint8

const (
	wantFirst listState = iota // a record or the end
	wantValue                  // a record
	inScalar
	inNested
	wantComma // a comma or the end
	ended
)

// Why a body cannot be read.
const (
	notJSON       = "the body is not JSON: it must begin with { or ["
	firstTooLarge = "the first record is larger than 1 MiB"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// feed takes the next part of the body. It does nothing once the body is broken.
func (s *splitter) feed(b []byte) {
	for len(b) > 0 && s.broken == "" {
		switch s.shape {
		case unknown:
			b = s.decide(b)
		case lines:
			b = s.line(b)
		default:
			b = s.scan(b)
		}
	}
}

// end takes the end of the body; whole is false when it was cut off.
func (s *splitter) end(whole bool) {
	if s.broken != "" {
		return
	}
	if !whole {
		s.broken = "the body stops half-way"
		return
	}
	if s.shape == unknown {
		if len(s.part) == 0 && !s.tooLarge {
			return
		}
		s.settle() // one line without a line break
	}
	switch {
	case s.shape == lines:
		s.line([]byte("\n"))
	case s.shape == list && s.state != ended:
		s.broken = "the list has no end: a closing bracket is missing"
	case s.shape == values && s.state == inNested:
		s.broken = "the last record has no end: a closing brace is missing"
	}
}

func (s *splitter) keep(b []byte) {
	if s.tooLarge {
		return
	}
	if len(s.part)+len(b) > contract.MaxBytes+2 { // a line may end in \r
		s.tooLarge = true
		s.part = s.part[:0]
		return
	}
	s.part = append(s.part, b...)
}

func (s *splitter) send() {
	rec := bytes.TrimSpace(s.part)
	switch {
	case s.tooLarge || len(rec) > contract.MaxBytes:
		s.emit(nil, true)
	case len(rec) > 0:
		s.emit(rec, false)
	}
	s.part, s.tooLarge = s.part[:0], false
}

// decide finds out the shape from the first line.
func (s *splitter) decide(b []byte) []byte {
	if !s.begun {
		for len(b) > 0 && s.bom < len(byteOrderMark) && b[0] == byteOrderMark[s.bom] {
			b, s.bom = b[1:], s.bom+1
		}
		if len(b) == 0 {
			return nil
		}
		if s.bom > 0 && s.bom < len(byteOrderMark) { // half a mark is none
			s.broken = notJSON
			return nil
		}
		s.bom = len(byteOrderMark) // it stands at the very beginning or nowhere
		b = bytes.TrimLeft(b, " \t\r\n")
		if len(b) == 0 {
			return nil
		}
		s.begun = true
		switch {
		case b[0] == '[':
			s.shape = list
			return b[1:]
		case b[0] != '{' && !s.declared:
			s.broken = notJSON
			return nil
		}
	}
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		s.keep(b)
		if s.tooLarge {
			s.shape = values
			if s.declared {
				s.shape = lines
			} else {
				s.broken = firstTooLarge
			}
		}
		return nil
	}
	s.keep(b[:i+1])
	s.settle()
	return b[i+1:]
}

// settle decides by the first line, which is kept: a whole object, or only the
// beginning of one that is written over several lines.
func (s *splitter) settle() {
	first := bytes.Clone(s.part)
	tooLarge := s.tooLarge
	s.part, s.tooLarge = s.part[:0], false
	open := bytes.Equal(bytes.TrimSpace(first), []byte("{"))
	if tooLarge || balanced(first) || s.declared && !open {
		s.shape = lines
		s.tooLarge = tooLarge
		s.keep(first)
		s.send()
		return
	}
	s.shape = values
	s.state = wantFirst
	for b := first; len(b) > 0 && s.broken == ""; {
		b = s.scan(b)
	}
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

func (s *splitter) line(b []byte) []byte {
	i := bytes.IndexByte(b, '\n')
	if i < 0 {
		s.keep(b)
		return nil
	}
	s.keep(b[:i])
	s.send()
	return b[i+1:]
}

// scan passes over the structure of a list or of values, up to the end of a record
// or of b, and returns what is left.
func (s *splitter) scan(b []byte) []byte {
	switch s.state {
	case inNested:
		return s.nested(b)
	case inScalar:
		i := bytes.IndexAny(b, ",] \t\r\n")
		if i < 0 {
			s.keep(b)
			return nil
		}
		s.keep(b[:i])
		s.send()
		s.state = wantComma
		return b[i:]
	}
	b = bytes.TrimLeft(b, " \t\r\n")
	if len(b) == 0 {
		return nil
	}
	c := b[0]
	switch {
	case s.state == ended:
		s.broken = "there is something after the end of the list"
	case s.state == wantComma && c == ',':
		s.state = wantValue
		return b[1:]
	case s.shape == list && c == ']' && s.state != wantValue:
		s.state = ended
		return b[1:]
	case s.state == wantComma:
		s.broken = "a comma or a closing bracket was expected between the records of the list"
	case s.shape == list && (c == ',' || c == ']'):
		s.broken = "a record was expected in the list, not a comma or its end"
	case c == '{' || s.shape == list && c == '[':
		s.state = inNested
		return b
	case s.shape == values:
		s.broken = "something that is not an object stands between the records"
	case c == '"':
		s.state, s.inString = inNested, false
		return b
	default:
		s.state = inScalar
		return b
	}
	return nil
}

// nested passes over an object, a list or a text.
func (s *splitter) nested(b []byte) []byte {
	for i, c := range b {
		switch {
		case s.escaped:
			s.escaped = false
			continue
		case s.inString:
			if c == '\\' {
				s.escaped = true
			}
			if c != '"' {
				continue
			}
			s.inString = false
		case c == '"':
			s.inString = true
			continue
		case c == '{' || c == '[':
			s.depth++
			continue
		case c == '}' || c == ']':
			s.depth--
		default:
			continue
		}
		if s.depth <= 0 {
			s.depth = 0
			s.keep(b[:i+1])
			s.send()
			s.state = wantFirst
			if s.shape == list {
				s.state = wantComma
			}
			return b[i+1:]
		}
	}
	s.keep(b)
	return nil
}
