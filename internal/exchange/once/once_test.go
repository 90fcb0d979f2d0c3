package once

import (
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
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return write(tx, []entry{{h, seen}}, 1) }); err != nil {
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
