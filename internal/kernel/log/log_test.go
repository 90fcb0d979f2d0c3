package log_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

func open(t testing.TB, db *store.DB) *log.Log {
	t.Helper()
	keys, err := seal.Open(t.Context(), db, bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	l, err := log.Open(t.Context(), db, keys)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func same(a, b log.Record) error {
	switch {
	case a.N != b.N, a.ID != b.ID, a.Type != b.Type, a.Sender != b.Sender, a.Key != b.Key, !a.At.Equal(b.At), a.Set != b.Set,
		a.Submission != b.Submission, a.Replaces != b.Replaces, a.ReleasedFrom != b.ReleasedFrom, a.Digest != b.Digest:
		return fmt.Errorf("got %+v, want %+v", a, b)
	case !bytes.Equal(a.Body, b.Body):
		return fmt.Errorf("record %d: body differs", a.N)
	case log.Digest(a.Nonce, a.N, a.Body) != a.Digest:
		return fmt.Errorf("record %d: digest does not hold", a.N)
	}
	return nil
}

var errMind = errors.New("changed my mind")

// What is read is what was acknowledged, whatever was appended together with it.
func TestReadGivesWhatWasAcknowledged(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		l := open(t, db)
		var acked []log.Record
		var mu sync.Mutex
		rapid.Check(t, func(rt *rapid.T) {
			callers := rapid.IntRange(1, 5).Draw(rt, "callers")
			var wg sync.WaitGroup
			var start int64
			if n := len(acked); n > 0 {
				start = acked[n-1].N
			}
			for c := range callers {
				n := rapid.SampledFrom([]int{1, 1, 2, 7, 300, 1500}).Draw(rt, "records")
				size := rapid.SampledFrom([]int{0, 10, 1000}).Draw(rt, "size")
				how := rapid.SampledFrom([]string{"well", "well", "fail", "inner", "hold"}).Draw(rt, "how")
				recs := make([]log.Record, n)
				for i := range recs {
					recs[i] = log.Record{Type: reeve.RecordType(fmt.Sprintf("rec-%d.v1", c%2)), Sender: fmt.Sprintf("org-%d", i%3), Key: fmt.Sprint(i),
						Set: "set-1", Submission: fmt.Sprint(c), Body: bytes.Repeat([]byte{byte('a' + i%20)}, size)}
				}
				wg.Go(func() {
					err := db.Update(context.Background(), func(tx *store.Tx) error {
						if how == "inner" {
							tx.Savepoint(func() error {
								l.Append(tx, []log.Record{{Type: "rec-gone.v1", Body: []byte("gone")}})
								return errMind
							})
						}
						if how == "hold" {
							l.Reserve(tx)
						}
						if err := l.Append(tx, recs); err != nil {
							return err
						}
						if how == "fail" {
							return errMind
						}
						return nil
					})
					if how == "fail" {
						if !errors.Is(err, errMind) {
							rt.Error(err)
						}
						return
					}
					if err != nil {
						rt.Error(err)
						return
					}
					mu.Lock()
					defer mu.Unlock()
					acked = append(acked, recs...)
				})
			}
			wg.Wait()
			sortByNumber(acked)
			check(rt, l, acked, "", start)
			check(rt, l, acked, "rec-1.v1", start)
			if len(acked) > 0 {
				want := acked[rapid.IntRange(0, len(acked)-1).Draw(rt, "one")]
				got, err := l.Get(context.Background(), want.N)
				if err == nil {
					err = same(got, want)
				}
				if err != nil {
					rt.Fatal(err)
				}
			}
		})
		fresh := open(t, db) // nothing in its cache
		check(t, fresh, acked, "", 0)
		check(t, fresh, acked, "rec-0.v1", 0)
		last, err := l.Last(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Get(t.Context(), last+1); reeve.KindOf(err) != reeve.NotFound {
			t.Errorf("a record that is not there: %v", err)
		}
	})
}

func sortByNumber(recs []log.Record) {
	for i := 1; i < len(recs); i++ { // appended in runs: nearly sorted
		for j := i; j > 0 && recs[j].N < recs[j-1].N; j-- {
			recs[j], recs[j-1] = recs[j-1], recs[j]
		}
	}
}

type fataler interface{ Fatalf(string, ...any) }

func check(t fataler, l *log.Log, acked []log.Record, typ reeve.RecordType, after int64) {
	var want []log.Record
	for _, r := range acked {
		if r.N > after && (typ == "" || r.Type == typ) {
			want = append(want, r)
		}
	}
	var got []log.Record
	for cursor := after; ; {
		max := 1 + rand.N(1200)
		recs, err := l.Read(context.Background(), typ, cursor, max)
		if err != nil {
			t.Fatalf("%v", err)
		}
		got = append(got, recs...)
		if len(recs) < max {
			break
		}
		cursor = recs[len(recs)-1].N
	}
	if len(got) != len(want) {
		t.Fatalf("read %d records of type %q after %d, want %d", len(got), typ, after, len(want))
	}
	for i := range got {
		if err := same(got[i], want[i]); err != nil {
			t.Fatalf("%v", err)
		}
	}
}

// A reader that follows the log while many write misses nothing.
func TestNoCursorSkips(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		l := open(t, db)
		var wg sync.WaitGroup
		var mu sync.Mutex
		acked := map[int64]bool{}
		for w := range 6 {
			wg.Go(func() {
				for range 40 {
					recs := make([]log.Record, 1+rand.N(4))
					for i := range recs {
						recs[i] = log.Record{Type: reeve.RecordType(fmt.Sprint("rec-", w%3)), Body: []byte("{}")}
					}
					err := db.Update(context.Background(), func(tx *store.Tx) error {
						l.Reserve(tx)
						if err := l.Append(tx, recs); err != nil || rand.N(4) == 0 {
							return errMind
						}
						return nil
					})
					if err == nil {
						mu.Lock()
						for _, r := range recs {
							acked[r.N] = true
						}
						mu.Unlock()
					} else if !errors.Is(err, errMind) {
						t.Error(err)
					}
				}
			})
		}
		finished := make(chan struct{})
		go func() { wg.Wait(); close(finished) }()
		seen := map[int64]bool{}
		var cursor int64
		for last := false; ; {
			recs, err := l.Read(t.Context(), "", cursor, 50)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range recs {
				if r.N <= cursor {
					t.Fatalf("after %d came %d", cursor, r.N)
				}
				cursor, seen[r.N] = r.N, true
			}
			if last && len(recs) == 0 {
				break
			}
			select {
			case <-finished:
				last = true
			default:
			}
		}
		for n := range acked {
			if !seen[n] {
				t.Errorf("record %d was acknowledged and never met", n)
			}
		}
		if len(seen) != len(acked) {
			t.Errorf("met %d, acknowledged %d", len(seen), len(acked))
		}
		n := 0
		if err := l.Tail(t.Context(), 0, func(log.Record) error { n++; return nil }); err != nil || n != len(acked) {
			t.Errorf("Tail met %d: %v", n, err)
		}
	})
}

func TestADamagedPackIsNeverServed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		l := open(t, db)
		recs := []log.Record{{Type: "rec-a", Body: []byte(`{"a":1}`)}, {Type: "rec-a", Body: []byte(`{"a":2}`)}}
		update := func(fn func(tx *store.Tx) error) {
			t.Helper()
			if err := db.Update(t.Context(), fn); err != nil {
				t.Fatal(err)
			}
		}
		update(func(tx *store.Tx) error { return l.Append(tx, recs) })
		var data []byte
		update(func(tx *store.Tx) error { return tx.QueryRow(`select data from log_pack`).Scan(&data) })
		for i := range data {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << rand.N(8)
			update(func(tx *store.Tx) error {
				if _, err := tx.Exec(`update log_pack set data = ?, rev = rev + 1`, bad); err != nil {
					return err
				}
				if _, err := l.ReadTx(tx, "", 0, 10); err == nil {
					t.Errorf("byte %d changed, and served", i)
				}
				return nil
			})
		}
		update(func(tx *store.Tx) error {
			_, err := tx.Exec(`update log_pack set data = ?, first = first - 1, rev = rev + 1`, data)
			return err
		})
		if _, err := l.Get(t.Context(), 1); err == nil {
			t.Error("a pack in another place was served")
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	db := storetest.Open(b, nil)
	l := open(b, db)
	body := func(i int) []byte {
		return fmt.Appendf(nil, `{"registration":"R%08d","deceased":{"name":"Person %d","note":"%x"},"rest":"%s"}`, i, i*7919, rand.Int64(), bytes.Repeat([]byte("lorem ipsum "), 70))
	}
	batch := make([]log.Record, 1000)
	for i := range batch {
		batch[i] = log.Record{Type: "rec-a", Sender: "org-a", Set: "set", Key: fmt.Sprint(i), Body: body(i)}
	}
	b.ResetTimer()
	start := time.Now()
	for n := 0; n < b.N; n += len(batch) {
		if err := db.Update(b.Context(), func(tx *store.Tx) error { return l.Append(tx, batch[:min(len(batch), b.N-n)]) }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "records/s")
	b.ReportMetric(float64(db.Stats().Fsyncs), "fsyncs")
}
