package once

import (
	"errors"
	"testing"

	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// A key is found also at the very moment in which it moves from memory to the index.
func TestFindWhileAKeyMoves(t *testing.T) {
	db := storetest.Open(t, nil)
	x, err := Open(t.Context(), db, [32]byte{1})
	if err != nil {
		t.Fatal(err)
	}
	h, seen := x.Key("org-x", "rec-x", "k"), Seen{N: 1, Epoch: 1, Digest: x.Digest([]byte("{}"))}
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return errors.Join(write(tx, []entry{{h, seen}}), writeMark(tx, 1)) }); err != nil {
		t.Fatal(err)
	}
	x.written = true
	err = db.Update(t.Context(), func(tx *store.Tx) error {
		for i := range 20_000 {
			x.tail[h] = seen
			b := &Batch{hashes: []Hash{h}, found: map[Hash]Seen{}, dropped: x.dropped} // asked before it was written
			begin, moved := make(chan bool), make(chan bool)
			go func() { // what Step does once it is committed
				<-begin
				x.mu.Lock()
				delete(x.tail, h)
				x.dropped++
				x.mu.Unlock()
				close(moved)
			}()
			close(begin)
			_, ok, err := x.Find(tx, b, h)
			<-moved
			if err != nil || !ok {
				t.Errorf("lost in round %d: %v", i, err)
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Records without a key do not make each start read them all again.
func TestRecordsWithoutAKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		x, err := Open(t.Context(), db, [32]byte{1})
		if err != nil {
			t.Fatal(err)
		}
		upto := func() int64 {
			for range 5 {
				if _, err := x.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			n, err := x.Upto(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		pass := func(n int64) {
			if err := db.Update(t.Context(), func(tx *store.Tx) error { tx.Head().Record += n; return nil }); err != nil {
				t.Fatal(err)
			}
		}
		pass(mostLag)
		if n := upto(); n != 0 {
			t.Errorf("passed over up to %d at once", n)
		}
		h := x.Key("org-x", "rec-x", "k")
		if err := db.Update(t.Context(), func(tx *store.Tx) error {
			n := tx.Head().Record
			tx.Head().Record++
			return x.Put(tx, h, Seen{N: n, Epoch: 1, Digest: x.Digest([]byte("{}"))})
		}); err != nil {
			t.Fatal(err)
		}
		pass(10)
		if n := upto(); n != 0 && n != mostLag+1 && n != mostLag+11 {
			t.Errorf("up to %d", n)
		}
		pass(mostLag)
		if n := upto(); n < mostLag+1 {
			t.Errorf("up to %d", n)
		}
		again, err := Open(t.Context(), db, [32]byte{1}) // remembers nothing by itself
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error {
			if s, ok, err := again.Find(tx, nil, h); err != nil || !ok || s.N != mostLag+1 {
				t.Errorf("%+v %v %v", s, ok, err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	})
}
