package ui

import "testing"

// TestFirstLetter begins texts with a capital and a small letter, also those that
// begin with a letter outside ASCII, as Welsh names do.
func TestFirstLetter(t *testing.T) {
	for _, c := range []struct{ text, capital, lower string }{
		{"", "", ""},
		{"a", "A", "a"},
		{"council tax", "Council tax", "council tax"},
		{"Council Tax", "Council Tax", "council Tax"},
		{"ŵyl y banc", "Ŵyl y banc", "ŵyl y banc"},
		{"Écoles", "Écoles", "écoles"},
		{"3 systems", "3 systems", "3 systems"},
	} {
		if got := Capital(c.text); got != c.capital {
			t.Errorf("Capital(%q) is %q, want %q", c.text, got, c.capital)
		}
		if got := LowerFirst(c.text); got != c.lower {
			t.Errorf("LowerFirst(%q) is %q, want %q", c.text, got, c.lower)
		}
	}
}
