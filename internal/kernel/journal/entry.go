package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/reeve-civic/reeve"
)

const timeLayout = "2006-01-02T15:04:05.000Z"

// appendEntry writes the canonical bytes of an entry, which the tree is made of:
// JSON with these fields in this order, without spaces, empty ones left out from
// "subject" on.
func appendEntry(b []byte, e *Entry) []byte {
	b = append(b, `{"n":`...)
	b = strconv.AppendInt(b, e.N, 10)
	b = append(b, `,"at":"`...)
	b = e.At.UTC().AppendFormat(b, timeLayout)
	b = append(b, `","actor":`...)
	b = appendString(b, e.Actor)
	b = append(b, `,"verb":`...)
	b = appendString(b, e.Verb)
	b = appendField(b, `,"subject":`, e.Subject)
	b = appendField(b, `,"about":`, string(e.About))
	b = appendField(b, `,"purpose":`, string(e.Purpose))
	b = appendField(b, `,"set":`, e.Set)
	if len(e.Why) > 0 {
		b = append(b, `,"why":[`...)
		for i, w := range e.Why {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, w)
		}
		b = append(b, ']')
	}
	b = appendField(b, `,"digest":`, e.Digest)
	return append(b, '}')
}

func appendField(b []byte, name, s string) []byte {
	if s == "" {
		return b
	}
	return appendString(append(b, name...), s)
}

const hex = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r) // what is not UTF-8 becomes U+FFFD
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}

func parseEntry(b []byte) (e Entry, err error) {
	var j struct {
		N       int64         `json:"n"`
		At      string        `json:"at"`
		Actor   string        `json:"actor"`
		Verb    string        `json:"verb"`
		Subject string        `json:"subject"`
		About   reeve.Ref     `json:"about"`
		Purpose reeve.Purpose `json:"purpose"`
		Set     string        `json:"set"`
		Why     []string      `json:"why"`
		Digest  string        `json:"digest"`
	}
	if err := json.Unmarshal(b, &j); err != nil {
		return e, fmt.Errorf("journal: an entry that cannot be read: %w", err)
	}
	e = Entry{N: j.N, Actor: j.Actor, Verb: j.Verb, Subject: j.Subject, About: j.About, Purpose: j.Purpose, Set: j.Set, Why: j.Why, Digest: j.Digest}
	if e.At, err = time.Parse(timeLayout, j.At); err != nil {
		return e, fmt.Errorf("journal: an entry that cannot be read: %w", err)
	}
	return e, nil
}

// numberOf reads the number at the start of an entry, -1 when there is none.
func numberOf(b []byte) int64 {
	rest, ok := bytes.CutPrefix(b, []byte(`{"n":`))
	if !ok {
		return -1
	}
	digits, _, ok := bytes.Cut(rest, []byte(","))
	if !ok {
		return -1
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// aboutOf finds what an entry is about without decoding the rest. Quotes inside
// values are escaped, so the name of the field is found nowhere else.
func aboutOf(b []byte) reeve.Ref {
	const name = `,"about":`
	i := bytes.Index(b, []byte(name))
	if i < 0 {
		return ""
	}
	b = b[i+len(name):]
	for end := 1; end < len(b); end++ {
		switch b[end] {
		case '\\':
			end++
		case '"':
			var s string
			if json.Unmarshal(b[:end+1], &s) != nil {
				return ""
			}
			return reeve.Ref(s)
		}
	}
	return ""
}

var errPack = errors.New("journal: a pack that cannot be read")

// split takes the entries of a pack apart: each is its length and its bytes.
func split(b []byte) (entries [][]byte, err error) {
	for len(b) > 0 {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			return entries, errPack
		}
		entries = append(entries, b[w:w+int(n)])
		b = b[w+int(n):]
	}
	return entries, nil
}
