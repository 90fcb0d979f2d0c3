package rehearsal

import (
	"bytes"
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// counted counts how often the log is read.
type counted struct {
	*reclog.Log
	reads atomic.Int64
}

func (c *counted) Read(ctx context.Context, t reeve.RecordType, after int64, max int) ([]reclog.Record, error) {
	c.reads.Add(1)
	return c.Log.Read(ctx, t, after, max)
}

func (c *counted) ReadTypes(ctx context.Context, t []reeve.RecordType, after int64, max int) ([]reclog.Record, error) {
	c.reads.Add(1)
	return c.Log.ReadTypes(ctx, t, after, max)
}

// What came since a moment, and the newest of a type, are found with few reads,
// however rare the type is and however much came before.
func TestFindsWithFewReads(t *testing.T) {
	for name, url := range map[string]func() string{"sqlite": func() string { return "" }, "postgres": func() string { return storetest.Postgres(t) }} {
		t.Run(name, func(t *testing.T) {
			begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
			o := store.Options{URL: url(), Now: func() time.Time { return begin }}
			if o.URL == "" {
				o.Path = filepath.Join(t.TempDir(), "reeve.db")
			}
			db, err := store.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			keys, err := seal.Open(t.Context(), db, bytes.Repeat([]byte{7}, 32))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := reclog.Open(t.Context(), db, keys)
			if err != nil {
				t.Fatal(err)
			}
			l := &counted{Log: plain}
			const each, packs = 500, 20
			for i := range packs { // a record a second; one in 2,000 is of the rare type
				recs := make([]reclog.Record, each)
				for k := range recs {
					n := i*each + k
					recs[k] = reclog.Record{Type: "rec-common.v1", Sender: "org-a", Set: "s", At: begin.Add(time.Duration(n) * time.Second), Body: []byte(`{}`)}
					if n%2000 == 1 {
						recs[k].Type = "rec-rare.v1"
					}
				}
				for _, typ := range []reeve.RecordType{"rec-common.v1", "rec-rare.v1"} {
					var part []reclog.Record
					for _, r := range recs {
						if r.Type == typ {
							part = append(part, r)
						}
					}
					if err := db.Update(t.Context(), func(tx *store.Tx) error { return plain.Append(tx, part) }); err != nil {
						t.Fatal(err)
					}
				}
			}
			all := func(*reclog.Record) bool { return true }
			got, err := Latest(t.Context(), l, []reeve.RecordType{"rec-rare.v1"}, 3, all)
			if err != nil || len(got) != 3 || !got[0].At.After(got[1].At) || !got[1].At.After(got[2].At) {
				t.Fatalf("%v %v", err, got)
			}
			if n := l.reads.Swap(0); n > 8 {
				t.Errorf("%d reads for three rare records", n)
			}
			if got, err := Latest(t.Context(), l, []reeve.RecordType{"rec-none.v1"}, 3, all); err != nil || len(got) > 0 {
				t.Error(got, err)
			}
			l.reads.Store(0)
			for _, ago := range []time.Duration{0, time.Second, time.Hour, 24 * time.Hour} {
				since := begin.Add(each*packs*time.Second - ago)
				at, err := first(t.Context(), l, since)
				if err != nil {
					t.Fatal(err)
				}
				left, err := plain.Read(t.Context(), "", at, each*packs)
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for _, r := range left {
					if !r.At.Before(since) {
						n++
					}
				}
				if want := min(int(ago/time.Second), each*packs); n < want || len(left) > n+each {
					t.Errorf("since %s ago: %d of %d, %d read for it", ago, n, want, len(left))
				}
			}
			if n := l.reads.Load(); n > 80 {
				t.Errorf("%d reads to find four moments", n)
			}
		})
	}
}
