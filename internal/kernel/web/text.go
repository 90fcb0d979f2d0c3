package web

import (
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
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
	s = ui.Capital(s)
	if !strings.ContainsAny(s[len(s)-1:], ".!?") {
		s += "."
	}
	return s
}
