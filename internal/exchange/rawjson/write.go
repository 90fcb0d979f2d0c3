package rawjson

import (
	"bytes"
	"encoding/json"
	"slices"
)

// AppendText appends a text as encoding/json writes it with SetEscapeHTML(false).
func AppendText(dst, text []byte) []byte {
	if plainText(text) {
		dst = append(append(dst, '"'), text...)
		return append(dst, '"')
	}
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	_ = e.Encode(string(text)) // a text can always be written
	return append(dst, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// plainText reports whether encoding/json writes a text as it is. The two line
// separators of Unicode, E2 80 A8 and E2 80 A9, it writes as escapes.
func plainText(text []byte) bool {
	other := false
	for _, c := range text {
		if c < 0x20 || c == '"' || c == '\\' {
			return false
		}
		other = other || c == 0xe2
	}
	return !other || !bytes.Contains(text, []byte("\u2028")) && !bytes.Contains(text, []byte("\u2029"))
}

// AppendSorted appends src, which must be JSON that Decode accepts, as
// encoding/json would write what Decode reads: without space, fields sorted, texts
// with its escapes. It is false where it is not sure.
func AppendSorted(dst, src []byte) (out []byte, ok bool) {
	i := Space(src, 0)
	dst, i = appendSorted(dst, src, i)
	return dst, i >= 0 && Space(src, i) == len(src)
}

// spanOf is a field of an object: its name, with quotes, and where its value stands.
type spanOf struct {
	name     []byte
	from, to int
}

func appendSorted(dst, b []byte, i int) ([]byte, int) {
	if i >= len(b) {
		return dst, -1
	}
	switch b[i] {
	case '{':
		return appendObject(dst, b, i)
	case '[':
		return appendList(dst, b, i)
	}
	end := SkipValue(b, i)
	if end < 0 {
		return dst, -1
	}
	if b[i] != '"' {
		return append(dst, b[i:end]...), end
	}
	text, ok := Unquote(b[i+1 : end-1])
	if !ok {
		return dst, -1
	}
	return AppendText(dst, text), end
}

func appendList(dst, b []byte, i int) ([]byte, int) {
	dst = append(dst, '[')
	if i = Space(b, i+1); i < len(b) && b[i] == ']' {
		return append(dst, ']'), i + 1
	}
	for {
		if dst, i = appendSorted(dst, b, i); i < 0 {
			return dst, -1
		}
		if i = Space(b, i); i >= len(b) || b[i] != ',' && b[i] != ']' {
			return dst, -1
		}
		dst = append(dst, b[i])
		if b[i] == ']' {
			return dst, i + 1
		}
		i = Space(b, i+1)
	}
}

func appendObject(dst, b []byte, i int) ([]byte, int) {
	var few [16]spanOf
	fields := few[:0]
	i = Space(b, i+1)
	for i < len(b) && b[i] == '"' {
		at := i
		if i = SkipText(b, i); i > len(b) || !plainText(b[at+1:i-1]) {
			return dst, -1
		}
		name := b[at+1 : i-1]
		if i = Space(b, i); i >= len(b) || b[i] != ':' {
			return dst, -1
		}
		from := Space(b, i+1)
		if i = SkipValue(b, from); i < 0 {
			return dst, -1
		}
		fields = append(fields, spanOf{name, from, i})
		if i = Space(b, i); i >= len(b) || b[i] != ',' {
			break
		}
		i = Space(b, i+1)
	}
	if i >= len(b) || b[i] != '}' {
		return dst, -1
	}
	slices.SortFunc(fields, func(a, b spanOf) int { return bytes.Compare(a.name, b.name) })
	dst = append(dst, '{')
	for k, f := range fields {
		if k > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '"'), f.name...), '"', ':')
		end := 0
		if dst, end = appendSorted(dst, b, f.from); end != f.to {
			return dst, -1
		}
	}
	return append(dst, '}'), i + 1
}
