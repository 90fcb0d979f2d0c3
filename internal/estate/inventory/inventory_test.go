package inventory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func (c *clock) next() time.Time { c.t = c.t.Add(24 * time.Hour); return c.t }

func open(t testing.TB, db *store.DB) *inventory.Store { return openWith(t, db, 7) }

// openWith opens the store under a master key of its own.
func openWith(t testing.TB, db *store.DB, key byte) *inventory.Store {
	t.Helper()
	keys, err := seal.Open(t.Context(), db, bytes.Repeat([]byte{key}, 32))
	if err != nil {
		t.Fatal(err)
	}
	jrn, err := journal.Open(t.Context(), db, journal.Options{Key: keys.Derive("journal")})
	if err != nil {
		t.Fatal(err)
	}
	s, err := inventory.Open(t.Context(), db, keys, jrn)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func day(s string) def.Date {
	d, err := def.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

func must[T any](v T, err error) func(t testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func laptops(n int, seen string) (items []inventory.Item) {
	yes := true
	for i := range n {
		items = append(items, inventory.Asset{
			ID: fmt.Sprintf("dev-%06d", i), Name: fmt.Sprintf("LT%06d", i), Type: "laptop", Maker: "Dell Inc.", Model: "Latitude 5440",
			Serial: fmt.Sprintf("S%07d", i*7), Holder: fmt.Sprintf("person%d@example.gov.uk", i), OS: "Windows", OSVersion: "10.0.22631.4037",
			LastSeen: day(seen), Bought: day("2024-06-01"), Encrypted: &yes, Systems: []string{"sys-mdm"}, Cost: 81200,
		})
	}
	return items
}

// each runs a test on both databases with a clock of its own.
func each(t *testing.T, fn func(t *testing.T, db *store.DB, c *clock)) {
	c := &clock{time.Date(2026, 11, 1, 9, 0, 0, 0, time.UTC)}
	storetest.EachClock(t, c.now, func(t *testing.T, db *store.DB) { fn(t, db, c) })
}

func TestImportIsRepeatable(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, c *clock) {
		s := open(t, db)
		list := laptops(300, "2026-10-30")
		imp := inventory.Import{Source: "Intune", File: "devices.csv", Whole: true}
		if got := must(s.Preview(t.Context(), imp, list))(t); got.Added != 300 || got.Number != 0 {
			t.Fatalf("preview %+v", got.Count)
		}
		if inv := must(s.Now(t.Context()))(t); len(inv.Assets) != 0 || len(inv.Imports) != 0 {
			t.Fatal("a preview changed something")
		}
		if got := must(s.Import(t.Context(), "staff/1", imp, list))(t); got.Added != 300 {
			t.Fatalf("first %+v", got.Count)
		}
		first := c.t
		c.next()
		if got := must(s.Import(t.Context(), "staff/1", imp, list))(t); got.Same != 300 || got.Added+got.Changed+got.Gone != 0 {
			t.Fatalf("again %+v", got.Count)
		}
		c.next()
		newer := append(laptops(299, "2026-11-02")[:150], list[150:299]...) // 150 seen since, the last one gone
		got := must(s.Import(t.Context(), "staff/1", imp, newer))(t)
		if got.Changed != 150 || got.Same != 149 || got.Gone != 1 {
			t.Fatalf("newer %+v", got.Count)
		}
		if r := got.Rows[0]; r.What != "changed" || !reflect.DeepEqual(r.Fields, []string{"LastSeen"}) {
			t.Errorf("told as %+v", r)
		}
		for name, s := range map[string]*inventory.Store{"kept": s, "read again": open(t, db)} {
			inv := must(s.Now(t.Context()))(t)
			if len(inv.Assets) != 299 || inv.Assets[0].LastSeen != day("2026-11-02") || inv.Assets[298].LastSeen != day("2026-10-30") {
				t.Errorf("%s: %d assets, %+v", name, len(inv.Assets), inv.Assets[0])
			}
			if !reflect.DeepEqual(inventory.Item(inv.Assets[200]), list[200]) {
				t.Errorf("%s: an item came back as %+v", name, inv.Assets[200])
			}
			for i := range inv.Assets[1:] {
				if inv.Assets[i].ID >= inv.Assets[i+1].ID {
					t.Fatalf("%s: out of order at %d", name, i)
				}
			}
			if !inv.Imports["asset"].Equal(c.t) || !inv.Imports["person"].IsZero() {
				t.Errorf("%s: imports %v", name, inv.Imports)
			}
			past := must(s.At(t.Context(), first.Add(time.Hour)))(t)
			if len(past.Assets) != 300 || past.Assets[0].LastSeen != day("2026-10-30") || !past.Imports["asset"].Equal(first) {
				t.Errorf("%s: the first day has %d assets, %v", name, len(past.Assets), past.Imports)
			}
			if before := must(s.At(t.Context(), first.Add(-time.Hour)))(t); len(before.Assets) != 0 || len(before.Imports) != 0 {
				t.Errorf("%s: the day before has %d assets", name, len(before.Assets))
			}
		}
		h := must(s.History(t.Context(), inventory.TypeAsset, "dev-000000"))(t)
		if len(h) != 2 || h[0].Item.(inventory.Asset).LastSeen != day("2026-11-02") || h[1].Source != "Intune" || h[1].File != "devices.csv" {
			t.Errorf("history %+v", h)
		}
		if h = must(s.History(t.Context(), inventory.TypeAsset, "dev-000299"))(t); len(h) != 2 || h[0].Item != nil || h[1].Item == nil {
			t.Errorf("history of what is gone: %+v", h)
		}
		if done := must(s.Imports(t.Context(), "", false, 10))(t); len(done) != 3 || done[0].Count.Gone != 1 || done[2].Actor != "staff/1" {
			t.Errorf("imports %+v", done)
		}
	})
}

// TestSourcesAreLaidOverEachOther takes what several sources say of one thing.
func TestSourcesAreLaidOverEachOther(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, c *clock) {
		s, ctx := open(t, db), context.Background()
		one := func(source string, a inventory.Asset) inventory.Changes {
			t.Helper()
			c.next()
			a.ID = "a"
			return must(s.Import(ctx, "staff/1", inventory.Import{Source: source, Whole: true}, []inventory.Item{a}))(t)
		}
		is := func(want inventory.Asset) {
			t.Helper()
			want.ID = "a"
			for _, s := range []*inventory.Store{s, open(t, db)} {
				inv := must(s.Now(ctx))(t)
				if len(inv.Assets) != 1 || !reflect.DeepEqual(inv.Assets[0], want) {
					t.Errorf("it is %+v, not %+v", inv.Assets, want)
				}
			}
		}
		one("Register", inventory.Asset{Name: "Old", Cost: 900, State: "in-use"})
		one("Intune", inventory.Asset{Name: "New", OS: "Windows"})
		is(inventory.Asset{Name: "New", OS: "Windows", Cost: 900, State: "in-use"}) // an empty field erases nothing
		if got := one("Other", inventory.Asset{OS: "Windows"}); got.Same != 1 {
			t.Errorf("who says the same changes nothing: %+v", got.Count)
		}
		one("Intune", inventory.Asset{Name: "New"}) // a source takes back what it said
		one("Other", inventory.Asset{Site: "site-a"})
		is(inventory.Asset{Name: "New", Cost: 900, State: "in-use", Site: "site-a"})

		must(s.Put(ctx, "staff/2", nil, inventory.Asset{ID: "a", State: "lost"}))(t)
		one("Register", inventory.Asset{Name: "Old", Cost: 901, State: "stock"})
		is(inventory.Asset{Name: "Old", Cost: 901, State: "lost", Site: "site-a"}) // what a person said here stands
		if said := must(s.Said(ctx, inventory.TypeAsset, "a"))(t); said.(inventory.Asset).State != "lost" {
			t.Errorf("said %+v", said)
		}
		if ls := must(s.Layers(ctx, inventory.TypeAsset, "a"))(t); len(ls) != 4 {
			t.Errorf("layers %+v", ls)
		}
		// A whole list of another thing takes back what the source said.
		c.next()
		must(s.Import(ctx, "staff/1", inventory.Import{Source: "Register", Whole: true}, []inventory.Item{inventory.Asset{ID: "b"}}))(t)
		inv := must(s.Now(ctx))(t)
		if len(inv.Assets) != 2 || inv.Assets[0].Cost != 0 || inv.Assets[0].Name != "New" {
			t.Errorf("after it was taken back: %+v", inv.Assets)
		}
	})
}

// TestSerialNumbersJoinLists takes a device that two lists know by two ids.
func TestSerialNumbersJoinLists(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, c *clock) {
		s := open(t, db)
		from := func(source string, items ...inventory.Item) inventory.Changes {
			t.Helper()
			c.next()
			return must(s.Import(t.Context(), "staff/1", inventory.Import{Source: source, Whole: true}, items))(t)
		}
		devices := []inventory.Item{
			inventory.Asset{ID: "guid-1", Serial: "5CG1234XYZ", OS: "Windows"},
			inventory.Asset{ID: "guid-2", Serial: "0", OS: "Windows"}, // no serial number at all
			inventory.Asset{ID: "guid-3", Serial: "System Serial Number"},
			inventory.Asset{ID: "guid-4", Serial: "System Serial Number"},
		}
		from("Intune", devices...)
		got := from("Register", inventory.Asset{ID: "LT-1", Tag: "LT-1", Serial: "5cg1234xyz ", Cost: 100}, inventory.Asset{ID: "LT-2", Serial: "0"}, inventory.Asset{ID: "LT-3", Serial: "System Serial Number"})
		if got.Joined != 1 || got.Changed != 1 || got.Added != 2 {
			t.Errorf("%+v", got)
		}
		if got = from("Intune", devices...); got.Changed+got.Added+got.Gone != 0 {
			t.Errorf("again: %+v", got)
		}
		inv := must(s.Now(t.Context()))(t)
		if a := inv.Assets[2]; len(inv.Assets) != 6 || a.ID != "guid-1" || a.Tag != "LT-1" || a.OS != "Windows" || a.Cost != 100 {
			t.Errorf("%+v", inv.Assets)
		}
	})
}

func TestPutIsOneTransaction(t *testing.T) {
	each(t, func(t *testing.T, db *store.DB, c *clock) {
		s := open(t, db)
		boom := errors.New("the case could not be opened")
		if _, err := s.Put(t.Context(), "staff/1", func(*store.Tx) error { return boom }, inventory.Asset{ID: "a", State: "lost"}); !errors.Is(err, boom) {
			t.Fatal(err)
		}
		for _, s := range []*inventory.Store{s, open(t, db)} {
			if inv := must(s.Now(t.Context()))(t); len(inv.Assets) != 0 || inv.Version != 0 {
				t.Errorf("half of it was done: %+v", inv)
			}
		}
		must(s.Put(t.Context(), "staff/1", nil, inventory.Attestation{Kind: "System", ID: "sys-a", By: "post-x", On: day("2026-11-01")}, inventory.Identity{Vendor: "microsoft", Name: "sql server", CPE: "microsoft:sql_server"}))(t)
		inv := must(s.Now(t.Context()))(t)
		if len(inv.Attestations) != 1 || len(inv.Identities) != 1 || len(inv.Imports) != 0 {
			t.Errorf("%+v", inv)
		}
	})
}

func TestImportRefuses(t *testing.T) {
	s := open(t, storetest.Open(t, nil))
	for name, call := range map[string]func() error{
		"an empty list": func() error {
			_, err := s.Import(t.Context(), "staff/1", inventory.Import{Source: "X", Whole: true}, nil)
			return err
		},
		"no source": func() error {
			_, err := s.Import(t.Context(), "staff/1", inventory.Import{}, laptops(1, "2026-01-01"))
			return err
		},
		"the source of persons": func() error {
			_, err := s.Import(t.Context(), "staff/1", inventory.Import{Source: inventory.Hand}, laptops(1, "2026-01-01"))
			return err
		},
		"no id": func() error {
			_, err := s.Import(t.Context(), "staff/1", inventory.Import{Source: "X"}, []inventory.Item{inventory.Asset{Name: "x"}})
			return err
		},
	} {
		if err := call(); reeve.KindOf(err) != reeve.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSealed looks for what was imported in the database as it stands.
func TestSealed(t *testing.T) {
	db := storetest.Open(t, nil)
	s := open(t, db)
	must(s.Import(t.Context(), "staff/1", inventory.Import{Source: "Directory of Ashcombe", File: "people-of-ashcombe.csv"},
		[]inventory.Item{inventory.Person{ID: "jo.quist@example.gov.uk", Name: "Jo Quist", Active: true}}))(t)
	var dump bytes.Buffer
	err := db.View(t.Context(), func(tx *store.Tx) error {
		for _, q := range []string{`select sealed from inventory_now`, `select sealed from inventory_was`, `select sealed from inventory_import`, `select digest from inventory_import`} {
			var b []byte
			if err := tx.QueryRow(q).Scan(&b); err != nil {
				return err
			}
			dump.Write(b)
		}
		return nil
	})
	if err != nil || dump.Len() == 0 {
		t.Fatal(err)
	}
	for _, secret := range []string{"Quist", "jo.q", "Ashcombe", "people-of"} {
		if bytes.Contains(dump.Bytes(), []byte(secret)) {
			t.Errorf("%q can be read", secret)
		}
	}
}

// TestNobodyIsFoundByTrying: the digest of a list stands in the journal, which
// outsiders may read; whoever guesses what a short list says cannot check it there.
func TestNobodyIsFoundByTrying(t *testing.T) {
	digest := func(key byte) string {
		s := openWith(t, storetest.Open(t, nil), key)
		must(s.Put(t.Context(), "staff/1", nil, inventory.Asset{ID: "a1", Holder: "jo.quist@example.gov.uk"}))(t)
		return must(s.Imports(t.Context(), "", true, 1))(t)[0].Digest
	}
	if a := digest(7); a != digest(7) || a == digest(8) {
		t.Error("the digest can be worked out without the key")
	}
}

// TestEveryTypeComesBack keeps an item of every type with every field set.
func TestEveryTypeComesBack(t *testing.T) {
	db := storetest.Open(t, nil)
	s := open(t, db)
	yes := true
	items := []inventory.Item{
		inventory.Asset{ID: "1", Tag: "tag", Name: "n", Type: "t", Maker: "m", Model: "mo", Serial: "s", State: "in-use", Holder: "h", Site: "si", Contract: "c", Systems: []string{"a", "b"}, OS: "o", OSVersion: "1", Bought: day("2020-01-02"), Warranty: day("2021-01-02"), LastSeen: day("2022-12-31"), Cost: -5, Encrypted: &yes, Compliant: new(bool), CarbonRef: "x"},
		inventory.Person{ID: "p", Name: "n", Email: "e", Post: "po", Organisation: "o", Active: true},
		inventory.Line{ID: "l", On: day("2026-01-01"), Supplier: "s", Reference: "r", Description: "d", Code: "c", Type: "t", Amount: -1200, Contract: "k"},
		inventory.Seat{Person: "p", System: "s", Contract: "c", LastUsed: day("2026-01-01"), Offsite: &yes, Method: "oidc"},
		inventory.Vulnerability{CVE: "CVE-1", Vendor: "v", Product: "p", Name: "n", Added: day("2026-01-01"), Due: day("2026-01-02"), Ransomware: true},
		inventory.Cycle{Product: "p", Cycle: "1", Release: day("2026-01-01"), End: day("2026-01-02"), Ended: new(bool), Latest: "1.2"},
		inventory.Software{On: "a", Name: "n", Vendor: "v", Version: "1", CPE: "c", PURL: "p"},
		inventory.Identity{Vendor: "v", Name: "n", CPE: "c", EOL: "e", None: true, By: "b"},
		inventory.Attestation{Kind: "System", ID: "i", By: "b", On: day("2026-01-01"), Note: "n"},
		inventory.Point{Series: "s", On: day("2026-01-01"), Value: 1.25},
		inventory.Evidence{Kind: "System", ID: "i", Fact: "f", Value: "v", On: day("2026-01-01"), Source: "s"},
	}
	if len(items) != len(inventory.Types()) {
		t.Fatalf("%d types are tried of %d", len(items), len(inventory.Types()))
	}
	must(s.Import(t.Context(), "staff/1", inventory.Import{Source: "all"}, items))(t)
	kept, again := must(s.Now(t.Context()))(t), must(open(t, db).Now(t.Context()))(t)
	if !reflect.DeepEqual(kept, again) {
		t.Errorf("kept %+v\nread %+v", kept, again)
	}
	all := []inventory.Item{again.Assets[0], again.People[0], again.Ledger[0], again.Seats[0], again.Vulnerabilities[0], again.Cycles[0], again.Software[0], again.Identities[0], again.Attestations[0], again.Points[0], again.Evidence[0]}
	for i := range items {
		if !reflect.DeepEqual(items[i], all[i]) {
			t.Errorf("%+v came back as %+v", items[i], all[i])
		}
	}
}

// BenchmarkLoad reads 200,000 assets.
func BenchmarkLoad(b *testing.B) {
	db := storetest.Open(b, nil)
	s := open(b, db)
	list := laptops(200_000, "2026-10-30")
	start := time.Now()
	if _, err := s.Import(b.Context(), "staff/1", inventory.Import{Source: "Intune", Whole: true}, list); err != nil {
		b.Fatal(err)
	}
	b.Logf("the import took %s", time.Since(start))
	for b.Loop() {
		inv, err := open(b, db).Now(b.Context())
		if err != nil || len(inv.Assets) != len(list) {
			b.Fatal(err, len(inv.Assets))
		}
	}
}
