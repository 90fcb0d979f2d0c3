package inventory_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// TestWholeListOfOneRow has a list that broke off take away what it no longer names:
// not before somebody says how many.
func TestWholeListOfOneRow(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, c *clock) {
		s := open(t, db)
		imp := inventory.Import{Source: "Intune", Whole: true}
		list := laptops(300, "2026-10-30")
		must(s.Import(t.Context(), "staff/1", imp, list))(t)
		must(s.Import(t.Context(), "staff/1", inventory.Import{Source: "Jamf"}, []inventory.Item{inventory.Asset{ID: "mac-1", Name: "Mac"}}))(t)
		for _, x := range []struct{ left, asks int }{{1, 299}, {239, 61}, {240, 0}, {294, 0}} {
			c.next()
			p := must(s.Preview(t.Context(), imp, list[:x.left]))(t)
			if p.Losing() != x.asks || p.Gone != 300-x.left || x.asks > 0 && p.Warning() != fmt.Sprintf("%d of 300 devices", x.asks) {
				t.Errorf("%d left: %d of %d gone ask for a word, %q", x.left, p.Losing(), p.Gone, p.Warning())
			}
		}
		_, err := s.Import(t.Context(), "staff/1", imp, list[:1])
		if reeve.KindOf(err) != reeve.Conflict || !strings.Contains(err.Error(), "299 of 300 devices") {
			t.Fatal(err)
		}
		few := imp
		few.MayGo = 298 // fewer than would go
		if _, err := s.Import(t.Context(), "staff/1", few, list[:1]); reeve.KindOf(err) != reeve.Conflict {
			t.Fatal(err)
		}
		if inv := must(s.Now(t.Context()))(t); len(inv.Assets) != 301 {
			t.Fatalf("%d devices after what was refused", len(inv.Assets))
		}
		imp.MayGo = 299
		if got := must(s.Import(t.Context(), "staff/1", imp, list[:1]))(t); got.Gone != 299 {
			t.Errorf("%+v", got.Count)
		}
		if inv := must(s.Now(t.Context()))(t); len(inv.Assets) != 2 { // what another source says stays
			t.Errorf("%d devices", len(inv.Assets))
		}
	})
}
