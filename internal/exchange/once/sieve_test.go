package once

import (
	"fmt"
	"testing"

	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// Every key that was written is found with the sieve, also by one made after a
// restart, and few others are looked up.
func TestSieve(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		x, err := Open(t.Context(), db, [32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		const n = keepTail + 2*chunk
		var hashes []Hash
		for len(hashes) < n {
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				for range 5000 {
					h := x.Key("org-x", "rec-x", fmt.Sprint(len(hashes)))
					if err := x.Put(tx, h, Seen{N: tx.Head().Record, Epoch: 1}); err != nil {
						return err
					}
					tx.Head().Record++
					hashes = append(hashes, h)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		// The last group is taken over when the next begins.
		if err := db.Update(t.Context(), func(tx *store.Tx) error { _, err := x.buffer(tx); return err }); err != nil {
			t.Fatal(err)
		}
		wrote := 0
		for {
			did, err := x.Step(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if wrote += did; did == 0 {
				break
			}
		}
		if wrote < n-keepTail {
			t.Fatalf("%d of %d keys were written", wrote, n)
		}
		again, err := Open(t.Context(), db, [32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := again.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, x := range []*Index{x, again} {
			if x.sieve == nil || x.sieve.keys != wrote {
				t.Fatalf("the sieve does not hold the %d keys that were written", wrote)
			}
			b, err := x.Ahead(t.Context(), hashes[:wrote])
			if err != nil || len(b.found) != wrote {
				t.Fatalf("%d of %d are found: %v", len(b.found), wrote, err)
			}
			other := 0
			for i := range 10_000 {
				if x.sieve.has(x.Key("org-y", "rec-x", fmt.Sprint(i))) {
					other++
				}
			}
			if other > 100 {
				t.Errorf("%d of 10,000 new keys would be looked up", other)
			}
		}
	})
}

// A sieve that is full is made anew.
func TestSieveGrows(t *testing.T) {
	db := storetest.Open(t, nil)
	x, err := Open(t.Context(), db, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	x.sieve = newSieve(100)
	var out []entry
	for i := range 200 {
		out = append(out, entry{x.Key("org-x", "rec-x", fmt.Sprint(i)), Seen{N: int64(i)}})
	}
	if err := x.sift(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	if x.sieve.room() < sieveLeast-64 || x.sieve.keys != len(out) {
		t.Errorf("it has room for %d and holds %d", x.sieve.room(), x.sieve.keys)
	}
	for _, e := range out {
		if !x.sieve.has(e.h) {
			t.Fatal("a key was lost")
		}
	}
}
