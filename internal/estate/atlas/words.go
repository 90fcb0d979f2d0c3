package atlas

import (
	"fmt"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// This file holds what the map says in words.

func comma(n int) string { return ui.Count(int64(n)) }

// Coverage says how much of what is declared Reeve can see, and what it saw.
func (c Count) Coverage() string {
	declared := c.Total() - c.Undeclared
	if c.Total() == 0 {
		return "No flow is declared or seen here."
	}
	carried := declared - c.Elsewhere
	var parts []string
	switch {
	case declared == 0:
	case carried == 0:
		parts = append(parts, "None of "+words.Count(declared, "flow", "flows")+" is carried by Reeve, so nobody can say from here whether they happen.")
	case c.Unwatched == carried:
		parts = append(parts, fmt.Sprintf("%s of %s carried by Reeve. What was observed on that day is not kept.", comma(carried), words.Count(declared, "flow is", "flows are")))
	default:
		text := fmt.Sprintf("%s of %s carried by Reeve: %s seen", comma(carried), words.Count(declared, "flow is", "flows are"), words.Count(c.Seen, "was", "were"))
		if c.Silent > 0 {
			text += ", " + words.Count(c.Silent, "is silent", "are silent")
		}
		if c.Never > 0 {
			text += ", " + comma(c.Never) + " never carried anything"
		}
		parts = append(parts, text+".")
	}
	if c.Elsewhere > 0 && carried > 0 {
		parts = append(parts, words.Count(c.Elsewhere, "happens elsewhere and cannot be seen.", "happen elsewhere and cannot be seen."))
	}
	if c.Undeclared > 0 {
		parts = append(parts, words.Count(c.Undeclared, "more is seen that nobody declared.", "more are seen that nobody declared."))
	}
	return strings.Join(parts, " ")
}

// Words is a line's flows by state: "5 declared and seen, 2 declared, but silent".
func (c Count) Words() string {
	var parts []string
	for _, s := range States {
		if n := c.Of(s); n > 0 {
			parts = append(parts, strings.ToLower(s.Words())+map[bool]string{true: ": " + comma(n)}[c.Total() > 1])
		}
	}
	return ui.Capital(strings.Join(parts, "; "))
}

// what are the record types of a line in words.
func (l Line) what(most int) string {
	if len(l.Records) <= most {
		return strings.Join(l.Records, ", ")
	}
	return strings.Join(l.Records[:most], ", ") + fmt.Sprintf(" and %d more", len(l.Records)-most)
}

// label is what stands on a line of a drawing, short or at length.
func (l Line) label(long bool) string {
	state := map[State]string{Silent: "silent", Never: "never carried", Undeclared: "not declared", Elsewhere: "elsewhere"}[l.State()]
	if l.Flow == nil {
		n := comma(l.Total())
		if odd := l.Of(l.State()); state != "" && odd < l.Total() {
			state = comma(odd) + " " + state
		}
		switch {
		case long && l.both:
			n += " both ways"
		case long:
			n += " flows"
		}
		if state == "" {
			return n
		}
		return n + ", " + state
	}
	if !long {
		return state
	}
	text := l.what(1)
	if len([]rune(text)) > 26 {
		text = string([]rune(text)[:25]) + "…"
	}
	if state != "" {
		text += ", " + state
	}
	return text
}

// note is what was seen of a line of a drawing: how many, how many stand still,
// and when the last one went.
func (l Line) note(long bool, now time.Time) string {
	if !long || l.Seen+l.Silent+l.Undeclared == 0 {
		return ""
	}
	text := ui.Count(l.Delivered) + map[bool]string{true: " seen", false: " delivered"}[l.State() == Undeclared]
	if l.Held > 0 {
		text += ", " + ui.Count(l.Held) + " held"
	}
	if l.Last.IsZero() {
		return text
	}
	return text + ", " + ui.Ago(now, l.Last)
}

var styles = map[string]string{"api": "API", "db": "Database", "ui-scrape": "Screens", "manual": "By hand", "event": "Events", "file": "Files", "internal": "Inside Reeve"}

// styleWord is how an interface is used.
func styleWord(s string) string { return words.Or(styles[s], words.Or(s, "Not known")) }

// word puts a value of a definition into words.
func word(v string) string { return ui.Capital(words.Value(words.Or(v, "unknown"))) }
