package words_test

import (
	"testing"

	"github.com/reeve-civic/reeve/internal/estate/words"
)

// TestHref leads to the page of a thing by its kind, and nowhere where there is none.
func TestHref(t *testing.T) {
	for _, c := range []struct{ kind, id, want string }{
		{"System", "sys-rents", "/staff/estate/systems/sys-rents"},
		{"SupplierContract", "con-1", "/staff/estate/spend/contracts/con-1"},
		{"Asset", "HAW/0001", "/staff/estate/assets/HAW%2F0001"},
		{"Interface", "if-1", ""},
	} {
		if got := words.Href(c.kind, c.id); got != c.want {
			t.Errorf("%s %s leads to %q, want %q", c.kind, c.id, got, c.want)
		}
	}
}
