package format

import (
	"strings"
	"unicode/utf8"

	"github.com/reeve-civic/reeve/connector/format/cell"
)

// plain is cells without decoding, for the usual body: an object of texts without
// escapes, numbers, true, false and null, whose columns are its own fields. It is
// false for any other, which cells decodes.
func (r *row) plain(body []byte) (out []value, ok bool) {
	if !r.flat() || !utf8.Valid(body) {
		return nil, false
	}
	all := string(body) // the cells are parts of it
	out = make([]value, len(r.paths))
	i := space(all, 0)
	if i == len(all) || all[i] != '{' {
		return nil, false
	}
	if i = space(all, i+1); i < len(all) && all[i] == '}' {
		return out, space(all, i+1) == len(all)
	}
	for {
		name, end := plainText(all, i)
		if end < 0 {
			return nil, false
		}
		if i = space(all, end); i == len(all) || all[i] != ':' {
			return nil, false
		}
		c, end := plainCell(all, space(all, i+1))
		if end < 0 {
			return nil, false
		}
		r.put(out, name, c)
		if i = space(all, end); i == len(all) {
			return nil, false
		}
		switch all[i] {
		case ',':
			i = space(all, i+1)
		case '}':
			return out, space(all, i+1) == len(all)
		default:
			return nil, false
		}
	}
}

// flat reports whether all columns are fields of the record itself.
func (r *row) flat() bool {
	for _, path := range r.paths {
		if len(path) != 1 {
			return false
		}
	}
	return true
}

// put sets the cells of the columns of a field.
func (r *row) put(out []value, name string, c value) {
	for i, path := range r.paths {
		if path[0] == name {
			out[i] = c
		}
	}
}

func space(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\n' || s[i] == '\r' || s[i] == '\t') {
		i++
	}
	return i
}

// plainText reads the text at i; the index after it is -1 if it has escapes, or is none.
func plainText(s string, i int) (string, int) {
	if i == len(s) || s[i] != '"' {
		return "", -1
	}
	for end := i + 1; end < len(s); end++ {
		switch c := s[end]; {
		case c == '"':
			return s[i+1 : end], end + 1
		case c == '\\' || c < ' ':
			return "", -1
		}
	}
	return "", -1
}

func plainCell(s string, i int) (value, int) {
	if i == len(s) {
		return value{}, -1
	}
	switch s[i] {
	case '"':
		t, end := plainText(s, i)
		return value{t, cell.Text}, end
	case '{', '[':
		return value{}, -1
	}
	end := i
	for end < len(s) && (s[end] == '-' || s[end] == '.' || s[end] >= '0' && s[end] <= '9' || s[end] >= 'a' && s[end] <= 'z') {
		end++
	}
	switch word := s[i:end]; {
	case word == "null":
		return value{}, end
	case word == "true", word == "false":
		return value{word, cell.Boolean}, end
	case isDecimal(word):
		return value{word, cell.Number}, end
	}
	return value{}, -1
}

// isDecimal reports whether s is a JSON number without an exponent.
func isDecimal(s string) bool {
	whole, part, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return digits(whole) && (whole == "0" || whole[0] != '0') && (!point || digits(part))
}

func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
