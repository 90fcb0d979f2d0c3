package web

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

func (d layoutData) fullTitle() string {
	parts := []string{d.Title}
	if d.Error {
		parts[0] = "Error: " + d.Title
	}
	if d.AreaName != "" {
		parts = append(parts, d.AreaName)
	}
	if d.Body != "" {
		parts = append(parts, d.Body)
	}
	return strings.Join(parts, " – ")
}

// sentence makes a message of an error read as one.
func sentence(s string) string {
	first, size := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(first)) + s[size:]
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}
