package journal

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// What is told from memory is what the database tells.
func TestTheTailSaysWhatIsWritten(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	storetest.EachClock(t, func() time.Time { return now }, func(t *testing.T, db *store.DB) {
		j := open(t, db, "")
		verbs := []string{"accepted", "disclosing", "delivered"}
		for range 12 {
			es := entries(1 + rand.N(900))
			for i := range es {
				es[i].Verb, es[i].About = verbs[rand.N(3)], reeve.Ref(fmt.Sprint("record/", rand.N(40)))
				es[i].At = now.Add(time.Duration(rand.N(200)) * time.Second)
				if rand.N(4) == 0 {
					es[i].About = ""
				}
			}
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				_ = tx.Savepoint(func() error { // told in vain
					_, err := j.Append(tx, entries(3)...)
					return fmt.Errorf("undone: %w", err)
				})
				_, err := j.Append(tx, es...)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		other := open(t, db, "") // it has not seen anybody write
		size, err := j.Size(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		count := func(j *Journal, from int64, most int) (map[Tally]int64, int) {
			ts, n, err := j.Tally(t.Context(), from, most)
			if err != nil {
				t.Fatal(err)
			}
			all := map[Tally]int64{}
			for _, c := range ts {
				all[Tally{Minute: c.Minute, Verb: c.Verb}] += c.Count
			}
			return all, n
		}
		for range 50 {
			from, most := rand.N(size+1), 1+rand.N(3000)
			got, n := count(j, from, most)
			want, m := count(other, from, most)
			if n != m || !maps.Equal(got, want) {
				t.Fatalf("from %d, at most %d: %d %v, the database says %d %v", from, most, n, got, m, want)
			}
		}
		es, err := other.Read(t.Context(), 0, int(size))
		if err != nil {
			t.Fatal(err)
		}
		for i, g := range j.tail.from(0, int(size)) {
			if want := gistOf(&es[i]); g != want {
				t.Fatalf("entry %d: %+v, want %+v", i, g, want)
			}
		}
	})
}

func TestTheTailIsBoundedAndHasNoGap(t *testing.T) {
	var l tail
	gists := func(first int64, n int) (out []gist) {
		for i := range n {
			out = append(out, gist{about: first + int64(i)})
		}
		return out
	}
	n := int64(0)
	for range 200 {
		l.add(n, gists(n, 1000))
		n += 1000
	}
	if len(l.gists) > tailEntries*5/4 || len(l.gists) < tailEntries {
		t.Errorf("%d are kept", len(l.gists))
	}
	if l.from(0, 10) != nil || l.from(n, 10) != nil {
		t.Error("it tells what it does not have")
	}
	got := l.from(n-1500, 2000)
	for i, g := range got {
		if g.about != n-1500+int64(i) {
			t.Fatalf("entry %d is in the place of %d", g.about, n-1500+int64(i))
		}
	}
	if len(got) != 1500 {
		t.Errorf("%d told", len(got))
	}
	l.add(n+5, gists(n+5, 2)) // somebody else wrote five
	if l.from(n-1, 10) != nil || len(l.from(n+5, 10)) != 2 {
		t.Errorf("after a gap: %d from %d", len(l.gists), l.first)
	}
}
