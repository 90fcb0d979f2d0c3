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

// TestPercent rounds, and says all and nothing only where that is so.
func TestPercent(t *testing.T) {
	for _, c := range []struct {
		n, of int
		want  string
	}{{190, 297, "64%"}, {2, 3, "67%"}, {999, 1000, "99%"}, {1, 1000, "1%"}, {0, 3, "0%"}, {3, 3, "100%"}, {0, 0, "not known"}} {
		if got := words.Percent(c.n, c.of); got != c.want {
			t.Errorf("%d of %d is said to be %s, want %s", c.n, c.of, got, c.want)
		}
	}
}
