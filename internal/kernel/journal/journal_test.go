package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"
	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

var key = bytes.Repeat([]byte{9}, 32)

func open(t testing.TB, db *store.DB, dir string) *Journal {
	t.Helper()
	j, err := Open(t.Context(), db, Options{Dir: dir, Key: key, Origin: "reeve.example.org/journal"})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func entries(n int) []Entry {
	es := make([]Entry, n)
	for i := range es {
		es[i] = Entry{Actor: "partner/org-x", Verb: "accepted", About: reeve.Ref(fmt.Sprintf("record/r1-%d", i%50)), Purpose: "direct-care",
			Set: "abc", Why: []string{"/name", "agr-x"}, Digest: "d"}
	}
	return es
}

func add(t testing.TB, j *Journal, n int) {
	t.Helper()
	if err := j.db.Update(context.Background(), func(tx *store.Tx) error { _, err := j.Append(tx, entries(n)...); return err }); err != nil {
		t.Fatal(err)
	}
}

func TestEntriesAreCanonical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String()
		e := Entry{N: rapid.Int64Min(0).Draw(t, "n"), At: time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "at")).UTC(),
			Actor: s.Draw(t, "actor"), Verb: s.Draw(t, "verb"), Subject: s.Draw(t, "subject"), About: reeve.Ref(s.Draw(t, "about")),
			Purpose: reeve.Purpose(s.Draw(t, "purpose")), Set: s.Draw(t, "set"), Why: rapid.SliceOf(s).Draw(t, "why"), Digest: s.Draw(t, "digest")}
		b := appendEntry(nil, &e)
		got, err := parseEntry(b)
		if err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if again := appendEntry(nil, &got); !bytes.Equal(again, b) {
			t.Fatalf("%s became %s", b, again)
		}
		if numberOf(b) != e.N || aboutOf(b) != got.About || got.About != e.About {
			t.Fatalf("found number %d and about %q in %s", numberOf(b), aboutOf(b), b)
		}
	})
}

// The edge gives what tlog gives with all hashes at hand.
func TestEdgeAgreesWithTlog(t *testing.T) {
	var stored []tlog.Hash
	r := tlog.HashReaderFunc(func(xs []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(xs))
		for i, x := range xs {
			out[i] = stored[x]
		}
		return out, nil
	})
	var e edge
	for n := range int64(300) {
		want, err := tlog.TreeHash(n, r)
		if err != nil || e.root() != want {
			t.Fatalf("size %d: root differs (%v)", n, err)
		}
		data := fmt.Append(nil, n)
		hs, err := tlog.StoredHashes(n, data, r)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		e, got = e.grow(n, tlog.RecordHash(data), nil)
		stored = append(stored, hs...)
		if !bytes.Equal(got, edge(hs).bytes()) {
			t.Fatalf("entry %d: other hashes", n)
		}
	}
}

func TestAppendReadProve(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		j := open(t, db, t.TempDir())
		boom := errors.New("boom")
		var wg sync.WaitGroup
		for i, n := range []int{1, 3, 2500, 7, 1, 1, 40} {
			wg.Go(func() {
				err := db.Update(context.Background(), func(tx *store.Tx) error {
					tx.Savepoint(func() error { j.Append(tx, entries(5)...); return boom })
					first, err := j.Append(tx, entries(n)...)
					if err == nil && tx.Head().Entry != first+int64(n) {
						t.Errorf("first %d, %d entries, head %d", first, n, tx.Head().Entry)
					}
					if i == 3 {
						return boom
					}
					return err
				})
				if (err != nil) != (i == 3) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		const size = 1 + 3 + 2500 + 1 + 1 + 40
		if n, err := j.Size(t.Context()); n != size || err != nil {
			t.Fatalf("size %d, %v", n, err)
		}
		es, err := j.Read(t.Context(), 0, size+1)
		if err != nil || len(es) != size {
			t.Fatalf("read %d, %v", len(es), err)
		}
		for i, e := range es {
			if e.N != int64(i) {
				t.Fatalf("entry %d says %d", i, e.N)
			}
		}
		if es, err = j.Read(t.Context(), 2000, 10); err != nil || len(es) != 10 || es[0].N != 2000 {
			t.Errorf("read %d entries from 2000: %v", len(es), err)
		}
		root := func(n int64) (h tlog.Hash) {
			if err := db.View(t.Context(), func(tx *store.Tx) (err error) { h, err = tlog.TreeHash(n, hashReader(tx)); return err }); err != nil {
				t.Fatal(err)
			}
			return h
		}
		for range 50 {
			n := rand.Int64N(size)
			to := n + 1 + rand.Int64N(size-n)
			p, err := j.ProveInclusion(t.Context(), n, to)
			if err != nil {
				t.Fatal(err)
			}
			e, err := j.Read(t.Context(), n, 1)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckRecord(p, to, root(to), n, e[0].LeafHash()); err != nil {
				t.Errorf("entry %d of %d: %v", n, to, err)
			}
			c, err := j.ProveConsistency(t.Context(), n+1, to)
			if err != nil {
				t.Fatal(err)
			}
			if err := tlog.CheckTree(c, to, root(to), n+1, root(n+1)); err != nil {
				t.Errorf("%d to %d: %v", n+1, to, err)
			}
		}
		c, err := j.Checkpoint(t.Context())
		if err != nil || c.Root != root(size) {
			t.Errorf("checkpoint %+v, %v", c, err)
		}
		if _, err := j.ProveInclusion(t.Context(), size, size+1); reeve.KindOf(err) != reeve.Invalid {
			t.Errorf("proof of what is not there: %v", err)
		}
	})
}

func TestAboutFindsAll(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	storetest.EachClock(t, func() time.Time { return now }, func(t *testing.T, db *store.DB) {
		j := open(t, db, t.TempDir())
		want := map[reeve.Ref][]int64{}
		for n := int64(0); n < 14*runLeast; {
			es := entries(700)
			for i := range es {
				es[i].About = reeve.Ref(fmt.Sprint("case/", rand.N(3000)))
				if rand.N(3) == 0 {
					es[i].About = ""
				} else {
					want[es[i].About] = append(want[es[i].About], n)
				}
				n++
			}
			if err := db.Update(t.Context(), func(tx *store.Tx) error { _, err := j.Append(tx, es...); return err }); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Step(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var top int
		if err := db.View(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(`select max(level) from journal_about`).Scan(&top)
		}); err != nil || top == 0 {
			t.Errorf("no merge was seen: %v", err)
		}
		for i := range 200 {
			ref := reeve.Ref(fmt.Sprint("case/", i))
			ns := want[ref]
			es, err := j.About(t.Context(), ref, 4)
			if err != nil {
				t.Fatal(err)
			}
			ns = ns[max(0, len(ns)-4):]
			if len(es) != len(ns) {
				t.Fatalf("%s: %d entries, want %d", ref, len(es), len(ns))
			}
			for k, e := range es {
				if e.N != ns[k] || e.About != ref {
					t.Errorf("%s: entry %d about %s, want %d", ref, e.N, e.About, ns[k])
				}
			}
		}
	})
}

func TestCommitment(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		j := open(t, db, t.TempDir())
		var a, b, again, after string
		err := db.Update(t.Context(), func(tx *store.Tx) (err error) {
			a, _ = j.Commitment(tx, "p-1")
			b, _ = j.Commitment(tx, "p-2")
			again, _ = j.Commitment(tx, "p-1")
			if err := j.Forget(tx, "p-1"); err != nil {
				return err
			}
			after, err = j.Commitment(tx, "p-1")
			return err
		})
		if err != nil || a == b || a != again || a == after || strings.Contains(a, "p-1") {
			t.Errorf("%q %q %q %q %v", a, b, again, after, err)
		}
	})
}

// rewrite lets an attacker change entries in the database. With recompute the
// attacker also writes all hashes, numbers of rows and the head row anew.
func rewrite(t *testing.T, j *Journal, recompute bool, fn func(es [][]byte) [][]byte) {
	t.Helper()
	err := j.db.Update(t.Context(), func(tx *store.Tx) error {
		var rows []pack
		if err := eachPack(tx, 0, 1000, func(p pack) (bool, error) { rows = append(rows, p); return true, nil }); err != nil {
			return err
		}
		var all [][]byte
		counts := []int{}
		for _, p := range rows {
			plain, err := j.dec.DecodeAll(p.entries, nil)
			if err != nil {
				return err
			}
			es, err := split(plain)
			if err != nil {
				return err
			}
			all = append(all, es...)
			counts = append(counts, len(es))
		}
		all = fn(all)
		if _, err := tx.Exec(`delete from journal_pack`); err != nil {
			return err
		}
		var tree edge
		n := int64(0)
		for i, p := range rows {
			take := min(counts[i], len(all))
			if take == 0 {
				break
			}
			var plain, hashes []byte
			for _, e := range all[:take] {
				plain = append(binary.AppendUvarint(plain, uint64(len(e))), e...)
				tree, hashes = tree.grow(n, tlog.RecordHash(e), hashes)
				n++
			}
			all = all[take:]
			p.entries = j.enc.EncodeAll(plain, nil)
			if recompute {
				p.hashes, p.last = hashes, p.first+int64(take)-1
			}
			p.sum = p.sumUp()
			if err := insertPack(tx, p); err != nil {
				return err
			}
		}
		if recompute {
			tx.Head().Entry, tx.Head().Edge = n, tree.bytes()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// renumber gives an entry another number, as a careful attacker does.
func renumber(e []byte, from, to int64) []byte {
	return bytes.Replace(e, fmt.Appendf(nil, `{"n":%d,`, from), fmt.Appendf(nil, `{"n":%d,`, to), 1)
}

func TestTamperingShows(t *testing.T) {
	// 300 entries in six rows, signed at 50, 100 and so on.
	const bad = 123
	change := func(es [][]byte) [][]byte {
		es[bad] = bytes.Replace(es[bad], []byte("direct-care"), []byte("directcare2"), 1)
		return es
	}
	remove := func(es [][]byte) [][]byte { return append(es[:bad:bad], es[bad+1:]...) }
	swap := func(es [][]byte) [][]byte { es[bad], es[bad+9] = es[bad+9], es[bad]; return es }
	cut := func(es [][]byte) [][]byte { return es[:bad] }
	cases := []struct {
		name      string
		recompute bool
		fn        func(es [][]byte) [][]byte
		first     int64
		last      int64
		says      string
	}{
		{"changed", false, change, bad, bad, "changed"},
		{"changed with hashes", true, change, 100, 149, "between"},
		{"removed", false, remove, bad, bad, "stands entry 124"},
		{"removed with hashes", true, remove, bad, bad, "stands entry 124"},
		{"removed with hashes and numbers", true, func(es [][]byte) [][]byte {
			es = remove(es)
			for i := bad; i < len(es); i++ {
				es[i] = renumber(es[i], int64(i+1), int64(i))
			}
			return es
		}, 100, 149, "between"},
		{"swapped", false, swap, bad, bad, "stands entry 132"},
		{"swapped with hashes and numbers", true, func(es [][]byte) [][]byte {
			es = swap(es)
			es[bad], es[bad+9] = renumber(es[bad], bad+9, bad), renumber(es[bad+9], bad, bad+9)
			es[bad] = bytes.Replace(es[bad], []byte("direct-care"), []byte("other"), 1)
			return es
		}, 100, 149, "between"},
		{"truncated", false, cut, bad, bad, "missing"},
		{"truncated with hashes", true, cut, bad, 149, "signed at 150"},
		{"emptied", true, func([][]byte) [][]byte { return nil }, 0, 49, "missing"},
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		dir := t.TempDir()
		j := open(t, db, dir)
		for range 6 {
			add(t, j, 50)
			if _, err := j.Checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		verify := func(o VerifyOptions) Report {
			t.Helper()
			r, err := Verify(t.Context(), db, o)
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		// Six checkpoints in the database, six in the day's file, and the latest.
		if r := verify(VerifyOptions{Dir: dir}); !r.OK() || r.FirstBad != -1 || r.Entries != 300 || r.Checkpoints != 13 {
			t.Fatalf("before: %+v", r)
		}
		var was []pack
		head := save(t, db, &was)
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				defer restore(t, db, head, was)
				rewrite(t, j, c.recompute, c.fn)
				for _, o := range []VerifyOptions{{Dir: dir}, {Verifier: j.VerifierKey(), Checkpoints: []string{filepath.Join(dir, "checkpoints")}}} {
					if r := verify(o); r.FirstBad != c.first || r.LastBad != c.last || !strings.Contains(r.Problem, c.says) {
						t.Errorf("got %d to %d, %q; want %d to %d, %q", r.FirstBad, r.LastBad, r.Problem, c.first, c.last, c.says)
					}
				}
				if c.recompute {
					if _, err := j.Checkpoint(t.Context()); reeve.KindOf(err) != reeve.Conflict {
						t.Errorf("signed all the same: %v", err)
					}
				}
			})
		}
		t.Run("rolled back and grown again", func(t *testing.T) {
			defer restore(t, db, head, was)
			rewrite(t, j, true, func(es [][]byte) [][]byte { return es[:200] })
			if err := db.Update(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec(`delete from journal_checkpoint where size > 200`)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			add(t, j, 50)
			add(t, j, 70)
			old, err := os.ReadFile(filepath.Join(dir, "checkpoints", latestFile))
			if err != nil {
				t.Fatal(err)
			}
			r := verify(VerifyOptions{Verifier: j.VerifierKey(), Checkpoints: []string{string(old)}})
			if r.FirstBad != 200 || r.LastBad != 299 {
				t.Errorf("%+v", r)
			}
		})
		t.Run("a row taken out", func(t *testing.T) {
			defer restore(t, db, head, was)
			if err := db.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.Exec(`delete from journal_pack where first = 100`); return err }); err != nil {
				t.Fatal(err)
			}
			if r := verify(VerifyOptions{Dir: dir}); r.FirstBad != 100 || r.LastBad != 149 {
				t.Errorf("%+v", r)
			}
		})
		t.Run("a forged checkpoint", func(t *testing.T) {
			forged, err := Open(t.Context(), storetest.Open(t, nil), Options{Key: bytes.Repeat([]byte{1}, 32), Origin: "reeve.example.org/journal"})
			if err != nil {
				t.Fatal(err)
			}
			add(t, forged, 3)
			c, err := forged.Checkpoint(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if r := verify(VerifyOptions{Dir: dir, Checkpoints: []string{c.Text}}); r.OK() || !strings.Contains(r.Problem, "not signed") {
				t.Errorf("%+v", r)
			}
		})
	})
}

func save(t *testing.T, db *store.DB, rows *[]pack) (h store.Head) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error {
		h = *tx.Head()
		return eachPack(tx, 0, 1000, func(p pack) (bool, error) { *rows = append(*rows, p); return true, nil })
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func restore(t *testing.T, db *store.DB, h store.Head, rows []pack) {
	t.Helper()
	err := db.Update(t.Context(), func(tx *store.Tx) error {
		*tx.Head() = h
		if _, err := tx.Exec(`delete from journal_pack`); err != nil {
			return err
		}
		for _, p := range rows {
			if err := insertPack(tx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Every byte of a row counts.
func TestEveryFlippedByteShows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		dir := t.TempDir()
		j := open(t, db, dir)
		add(t, j, 20)
		add(t, j, 30)
		var was []pack
		head := save(t, db, &was)
		rapid.Check(t, func(rt *rapid.T) {
			rows := make([]pack, len(was))
			for i, p := range was {
				rows[i] = pack{p.first, p.last, bytes.Clone(p.hashes), bytes.Clone(p.entries), bytes.Clone(p.sum)}
			}
			p := &rows[rapid.IntRange(0, 1).Draw(rt, "row")]
			b := rapid.SampledFrom([][]byte{p.hashes, p.entries, p.sum}).Draw(rt, "column")
			b[rapid.IntRange(0, len(b)-1).Draw(rt, "byte")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
			restore(t, db, head, rows)
			r, err := Verify(context.Background(), db, VerifyOptions{Dir: dir})
			if err != nil {
				rt.Fatal(err)
			}
			if r.OK() || r.FirstBad < p.first || r.FirstBad > p.last {
				rt.Fatalf("in row %d: %+v", p.first, r)
			}
		})
	})
}

// What a power cut leaves of a checkpoint file does not hide the others.
func TestACheckpointFileThatWasCutShort(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	dir := t.TempDir()
	db := storetest.Open(t, func() time.Time { return now })
	j := open(t, db, dir)
	add(t, j, 3)
	first, err := j.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "checkpoints", "2026-03-01.txt")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for cut := range len(first.Text) {
		if err := os.WriteFile(file, append(b[:len(b):len(b)], ("\n\n" + first.Text)[:cut]...), 0o644); err != nil {
			t.Fatal(err)
		}
		j := open(t, db, dir)
		add(t, j, 1)
		if _, err := j.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, err := Verify(t.Context(), db, VerifyOptions{Dir: dir})
		if err != nil || !r.OK() {
			t.Fatalf("cut at %d: %+v, %v", cut, r, err)
		}
	}
}

func TestTheKeyIsKept(t *testing.T) {
	dir := t.TempDir()
	db := storetest.Open(t, nil)
	var keys []string
	for range 2 {
		j, err := Open(t.Context(), db, Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, j.VerifierKey())
	}
	if keys[0] != keys[1] {
		t.Errorf("%q then %q", keys[0], keys[1])
	}
	st, err := os.Stat(filepath.Join(dir, "journal.key"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st, err)
	}
}

func BenchmarkAppend(b *testing.B) {
	db := storetest.Open(b, nil)
	j := open(b, db, b.TempDir())
	batch := entries(1000)
	for i := range batch {
		batch[i].Digest = fmt.Sprintf("%x%x%x", rand.Int64(), rand.Int64(), rand.Int64())
	}
	b.ResetTimer()
	start := time.Now()
	for n := 0; n < b.N; n += len(batch) {
		if err := db.Update(b.Context(), func(tx *store.Tx) error {
			_, err := j.Append(tx, batch[:min(len(batch), b.N-n)]...)
			return err
		}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "entries/s")
	b.ReportMetric(float64(db.Stats().Fsyncs), "fsyncs")
}

// A restore is told apart from a roll-back, and what it lost is named.
func TestVerifyAfterARestore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		dir := t.TempDir()
		j := open(t, db, dir)
		add(t, j, 20)
		if _, err := j.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
		var backup bytes.Buffer
		if err := db.Dump(t.Context(), &backup); err != nil {
			t.Fatal(err)
		}
		add(t, j, 10)
		lost, err := j.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o := store.Options{Path: filepath.Join(t.TempDir(), "new.db"), Now: time.Now}
		if _, err := store.Restore(t.Context(), o, &backup); err != nil {
			t.Fatal(err)
		}
		back, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer back.Close()
		j = open(t, back, dir) // the folder of checkpoints outlived the database
		add(t, j, 40)
		c, err := j.Checkpoint(t.Context())
		if err != nil || c.Size != 60 || c.Epoch() != 2 {
			t.Fatalf("%+v, %v", c, err)
		}
		r, err := Verify(t.Context(), back, VerifyOptions{Dir: dir})
		if err != nil || !r.OK() || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "entries 20 to 29 of epoch 1") {
			t.Errorf("%+v, %v", r, err)
		}
		r, err = Verify(t.Context(), back, VerifyOptions{Dir: dir, Checkpoints: []string{lost.Text}})
		if err != nil || r.FirstBad != 20 || r.LastBad != 29 {
			t.Errorf("to who was promised more: %+v, %v", r, err)
		}
	})
}

// A clock that was far ahead does not keep the journal from being signed.
func TestSignedAfterTheClockWentBack(t *testing.T) {
	now := time.Date(2027, 6, 1, 12, 0, 0, 0, time.UTC)
	db := storetest.Open(t, func() time.Time { return now })
	j, err := Open(t.Context(), db, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.Update(t.Context(), func(tx *store.Tx) error { _, err := j.Append(tx, Entry{Actor: "x", Verb: "y"}); return err }); err != nil {
			t.Fatal(err)
		}
		if _, err := j.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = now.AddDate(-1, 0, 0)
	}
	if c := j.Last(); c.Size != 2 {
		t.Errorf("signed at %d of 2 entries", c.Size)
	}
}

// Who changes entries and passes it off as a restore gets no signature for it from
// the program that runs.
func TestNoEpochBeginsInARunningProgram(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		j := open(t, db, t.TempDir())
		add(t, j, 3)
		first, err := j.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`insert into store_epoch (epoch, at, record, entry, event) values (2, 0, 1, 1, 1)`)
			tx.Head().Epoch = 2
			return err
		}); err != nil {
			t.Fatal(err)
		}
		add(t, j, 1)
		if c, err := j.Checkpoint(t.Context()); reeve.KindOf(err) != reeve.Conflict || c.Size != first.Size {
			t.Errorf("signed %d entries: %v", c.Size, err)
		}
	})
}
