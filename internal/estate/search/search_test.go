package search_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/search"
)

// TestFind looks for what people type, also badly.
func TestFind(t *testing.T) {
	snap := estatetest.Large.Over(50).Snapshot(t)
	x := new(search.Search).Index(snap)
	name := func(kind, id string) string {
		o, ok := snap.Set.Lookup(kind, id)
		if !ok {
			t.Fatalf("no %s %s", kind, id)
		}
		return o.Name
	}
	for _, c := range []struct {
		query, kind, first string
		nearly             bool
	}{
		{name("System", "sys-7"), "System", "sys-7", false},
		{strings.ToUpper(name("System", "sys-7")), "System", "sys-7", false},
		{"sys-7", "System", "sys-7", false},
		{"Cóuncil  Táx", "", "", false},
		{"counc tax", "", "", false},
		{"cuoncil tax", "", "", true},
		{"librarys", "", "", true},
		{"brari", "", "", true}, // inside of a word
		{"ASH-000017", "Asset", "ASH-000017", false},
		{"supplier 3", "Supplier", "org-s3", false},
		{"con-3", "SupplierContract", "con-3", false},
		{"flow 12", "Flow", "flow-12", false},
		{"payment", "RecordType", "rec-payment.v1", false},
	} {
		f := x.Find(c.query, "", 20)
		if f.Total == 0 || len(f.Hits) == 0 || f.Nearly != c.nearly {
			t.Errorf("%q: %d found, nearly %v", c.query, f.Total, f.Nearly)
			continue
		}
		if c.first == "" {
			continue
		}
		if f := x.Find(c.query, c.kind, 5); len(f.Hits) == 0 || f.Hits[0].ID != c.first || f.Hits[0].Kind != c.kind {
			t.Errorf("%q: %+v, want %s first", c.query, f.Hits, c.first)
		}
	}
	for _, q := range []string{"", "   ", "!!", "zzzzqqqq", strings.Repeat("a", 10_000), "person-4711"} {
		if f := x.Find(q, "", 20); f.Total != 0 {
			t.Errorf("%.20q: %d found, the first %+v", q, f.Total, f.Hits[0])
		}
	}
	f := x.Find("housing", "", 3)
	n := 0
	for _, k := range f.Kinds {
		n += k.N
	}
	if n != f.Total || len(f.Hits) != 3 || f.Total < 4 {
		t.Errorf("housing: %d hits of %d, by kind %d", len(f.Hits), f.Total, n)
	}
	if f := x.Like("We want a new system for housing repairs for residents", "System", 5); len(f.Hits) == 0 || !strings.HasPrefix(f.Hits[0].Name, "Housing") {
		t.Errorf("nothing is like it: %+v", f.Hits)
	}
}

// TestIndexIsKept checks that what did not change is not indexed again.
func TestIndexIsKept(t *testing.T) {
	snap := estatetest.Large.Over(100).Snapshot(t)
	s := new(search.Search)
	s.Index(snap)
	if n := testing.AllocsPerRun(10, func() { s.Index(snap) }); n > 10 {
		t.Errorf("asking for an index again makes %v things", n)
	}
	later := register.New(register.Parts{Model: snap.Model, Inventory: &inventory.Inventory{Assets: []inventory.Asset{{ID: "NEW-1", Name: "Newest"}}}, At: estatetest.Today})
	if f := s.Index(later).Find("newest", "", 5); f.Total != 1 {
		t.Errorf("a new asset is not found: %+v", f)
	}
	if f := s.Index(snap).Find("newest", "", 5); f.Total != 0 && !f.Nearly {
		t.Errorf("it is found before it was imported: %+v", f)
	}
}

// BenchmarkSearch types queries at the size for which the speed is promised. An
// answer has to come within 50 ms.
func BenchmarkSearch(b *testing.B) {
	snap := estatetest.Large.Snapshot(b)
	b.Run("index", func(b *testing.B) {
		for b.Loop() {
			new(search.Search).Index(snap)
		}
	})
	x := new(search.Search).Index(snap)
	for _, q := range []string{"p", "housing", "council tax case", "cuoncil tax", "ash-1", "zzqqzzqq"} {
		b.Run(fmt.Sprintf("find/%s", strings.ReplaceAll(q, " ", "_")), func(b *testing.B) {
			for b.Loop() {
				x.Find(q, "", 20)
			}
		})
	}
}
