package sqldb

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/format"
)

// fill makes a table of n rows of about a kilobyte.
func (r *rig) fill(t testing.TB, n int) {
	t.Helper()
	r.exec(t, "create table large (nr integer primary key, changed integer, name varchar(50), amount "+r.per("numeric(12,2)", "decimal(12,2)", "decimal(12,2)")+", at "+r.per("timestamptz", "timestamp(6) null", "datetime")+", note varchar(1000))")
	r.exec(t, "create index by_change on large (changed, nr)")
	rows := map[engine]string{
		postgres: fmt.Sprintf("select g, g / 10, 'name ' || g, g / 100.0, timestamptz '2026-01-01 00:00:00+00' + g * interval '1 second', repeat('x', 900) from generate_series(1, %d) g", n),
		mariadb:  fmt.Sprintf("select seq, seq div 10, concat('name ', seq), seq / 100, timestampadd(second, seq, '2026-01-01'), repeat('x', 900) from seq_1_to_%d", n),
		sqlite:   fmt.Sprintf("with recursive s(g) as (select 1 union all select g + 1 from s where g < %d) select g, g / 10, 'name ' || g, g / 100.0, datetime(1767225600 + g, 'unixepoch'), printf('%%.900c', 'x') from s", n),
	}
	r.exec(t, "insert into large "+rows[r.engine])
}

// readLarge reads everything and returns how many rows there were and how much memory was
// in use at most.
func readLarge(t testing.TB, src *Source, n int) (rows int64, peak uint64) {
	t.Helper()
	var before, m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	err := eachRow(t.Context(), src, "", func(row format.Row) {
		rows++
		if len(row.Body) < 900 {
			t.Fatalf("%s", row.Body)
		}
		if rows%int64(n/20) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc-min(before.HeapAlloc, m.HeapAlloc))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return rows, peak
}

var largeSettings = map[string]Settings{
	"cursor": {Table: "large", Cursor: "changed", Unique: []string{"nr"}},
	"full":   {Table: "large"},
}

// TestFlatMemory: memory does not grow with the table.
func TestFlatMemory(t *testing.T) {
	const n, limit = 20_000, 5 << 20 // of 20 MB
	each(t, func(t *testing.T, r *rig) {
		r.fill(t, n)
		for name, s := range largeSettings {
			if rows, peak := readLarge(t, r.source(t, s), n); rows != n || peak > limit {
				t.Errorf("%s: %d rows with %d bytes of memory, want %d with less than %d", name, rows, peak, n, limit)
			}
		}
	})
}

// BenchmarkRead reads a million rows of a kilobyte.
func BenchmarkRead(b *testing.B) {
	const n = 1_000_000
	for _, e := range []engine{postgres, mariadb, sqlite} {
		b.Run(string(e), func(b *testing.B) {
			r := newRig(b, e)
			r.fill(b, n)
			for name, s := range largeSettings {
				b.Run(name, func(b *testing.B) {
					var total int64
					for b.Loop() {
						rows, peak := readLarge(b, r.source(b, s), n)
						total += rows
						b.ReportMetric(float64(peak)/1e6, "peak-MB")
					}
					b.ReportMetric(float64(total)/b.Elapsed().Seconds(), "rows/s")
				})
			}
		})
	}
}

// BenchmarkWrite writes records in calls of 128.
func BenchmarkWrite(b *testing.B) {
	for _, e := range []engine{postgres, mariadb, sqlite} {
		for name, s := range map[string]Settings{"upsert": {Table: "w", Key: []string{"id"}}, "staging": {Table: "w", Delivery: "id", Body: "v"}} {
			b.Run(string(e)+"/"+name, func(b *testing.B) {
				r := newRig(b, e)
				r.exec(b, "create table w (id varchar(40) primary key, v text, amount decimal(10,2))")
				to := r.sink(b, s)
				its := make([]connector.Item, 128)
				n := 0
				for b.Loop() {
					for i := range its {
						n++
						its[i] = connector.Item{ID: fmt.Sprint(n), Body: fmt.Appendf(nil, `{"id":"%d","v":"some text","amount":10.50}`, n)}
					}
					for _, res := range to.Send(b.Context(), its) {
						if res.Outcome != connector.Delivered {
							b.Fatal(res)
						}
					}
				}
				b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}
