package main

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	_ "modernc.org/sqlite"
)

// A journal is written by the running program. Then someone who may write the
// database, but has not the signing key, changes it with SQL; and the program,
// asked, ends with 1 and names the entry.
func TestJournalVerify(t *testing.T) {
	b := besiege(t, "")
	send := func(from, to int) {
		for i := from; i < to; i += 5 {
			var body strings.Builder
			for j := i; j < i+5; j++ {
				fmt.Fprintf(&body, "{\"id\":%d}\n", j)
			}
			if d := b.post("rec-any.v1", b.token, "application/x-ndjson", strings.NewReader(body.String())); d.statuses() != "5 accepted" {
				t.Fatal(d.status, d.body)
			}
		}
	}
	send(0, 20)
	b.settled()
	out := command(t, b.r, "journal", "verify") // while it runs
	if !strings.HasPrefix(out, "The journal holds: ") {
		t.Error(out)
	}
	b.r.Stop()
	early := snapshot(t, b.r.Data)
	must(t, b.r.Start(t.Context()))
	send(20, 60)
	b.settled()
	b.r.Stop()
	kept := filepath.Join(t.TempDir(), "kept.txt") // a checkpoint in somebody else's hands
	latest, err := os.ReadFile(filepath.Join(b.r.Data, "checkpoints", "latest.txt"))
	must(t, err)
	must(t, os.WriteFile(kept, latest, 0o644))
	var report struct {
		OK          bool
		Entries     int64
		Checkpoints int
		FirstBad    *int64 `json:"first_bad"`
		Problem     string
	}
	must(t, json.Unmarshal([]byte(command(t, b.r, "journal", "verify", "--json", "--checkpoint", kept)), &report))
	if !report.OK || report.FirstBad != nil || report.Checkpoints < 2 {
		t.Fatalf("%+v", report)
	}
	size := report.Entries
	whole := snapshot(t, b.r.Data)

	for name, c := range map[string]struct {
		tamper func(t *testing.T, db *journalDB)
		data   string // the data folder to begin with
		bare   bool   // the checkpoints beside the database are taken away too
		first  int64  // the entry to be named; -1 for any
		want   string
	}{
		"changed": {func(t *testing.T, db *journalDB) {
			db.change(31, func(es [][]byte, i int) [][]byte {
				es[i] = bytes.Replace(es[i], []byte(`"verb":"`), []byte(`"verb":"un`), 1)
				return es
			})
		}, whole, false, 31, "was changed"},
		"a byte of a row changed": {func(t *testing.T, db *journalDB) {
			db.exec("update journal_pack set entries = substr(entries, 1, 20) || x'00' || substr(entries, 22) where first <= 31 and last >= 31")
		}, whole, false, -1, ""},
		"removed": {func(t *testing.T, db *journalDB) {
			db.change(32, func(es [][]byte, i int) [][]byte { return slices.Delete(es, i, i+1) })
		}, whole, false, 32, ""},
		"a row removed": {func(t *testing.T, db *journalDB) {
			db.exec("delete from journal_pack where first <= 31 and last >= 31")
		}, whole, false, -1, "is missing"},
		"swapped": {func(t *testing.T, db *journalDB) {
			db.change(31, func(es [][]byte, i int) [][]byte {
				i = min(i, len(es)-2)
				es[i], es[i+1] = es[i+1], es[i]
				return es
			})
		}, whole, false, -1, "stands entry"},
		"two rows swapped": {func(t *testing.T, db *journalDB) {
			db.exec(`update journal_pack set entries = case last
				when (select min(last) from journal_pack where last > 20) then (select entries from journal_pack where last > 20 order by last limit 1 offset 1)
				else (select entries from journal_pack where last > 20 order by last limit 1) end
				where last in (select last from journal_pack where last > 20 order by last limit 2)`)
		}, whole, false, -1, ""},
		"put in": {func(t *testing.T, db *journalDB) {
			db.change(33, func(es [][]byte, i int) [][]byte { return slices.Insert(es, i, es[i]) })
		}, whole, false, 34, ""},
		"truncated": {func(t *testing.T, db *journalDB) {
			db.exec("delete from journal_pack where last >= 40")
			db.exec("delete from journal_checkpoint where size > 40")
			db.exec("update store_head set entry = (select max(last)+1 from journal_pack)")
		}, whole, true, -1, "and all after it are missing"},
		"rolled back to a database of before": {func(*testing.T, *journalDB) {}, early, true, -1, "and all after it are missing"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := snapshot(t, c.data)
			db := openJournal(t, dir)
			c.tamper(t, db)
			must(t, db.Close())
			if c.bare {
				must(t, os.RemoveAll(filepath.Join(dir, "checkpoints")))
			}
			js, code := verify(t, "--json", "--data", dir, "--checkpoint", kept)
			r := report
			if err := json.Unmarshal([]byte(js), &r); err != nil || code != 1 || r.OK || r.FirstBad == nil {
				t.Fatalf("exit %d: %s", code, js)
			}
			if *r.FirstBad < 0 || *r.FirstBad >= size || c.first >= 0 && *r.FirstBad != c.first || !strings.Contains(r.Problem, c.want) {
				t.Errorf("entry %d: %s, want %d: %s", *r.FirstBad, r.Problem, c.first, c.want)
			}
			if name == "changed" {
				out, code := verify(t, "--data", dir)
				if code != 1 || !strings.HasPrefix(out, "The journal does not hold. First bad entry: 31.\nEntry 31 was changed") {
					t.Errorf("exit %d: %s", code, out)
				}
			}
		})
	}
	t.Run("a checkpoint of another journal", func(t *testing.T) {
		other := besiege(t, "")
		other.r.Stop()
		out, code := verify(t, "--data", whole, "--checkpoint", filepath.Join(other.r.Data, "checkpoints", "latest.txt"))
		if code != 1 || !strings.Contains(out, "not signed by this journal's key") {
			t.Errorf("exit %d: %s", code, out)
		}
	})
}

func verify(t *testing.T, args ...string) (string, int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program(t), append([]string{"journal", "verify"}, args...)...)
	out, err := cmd.Output()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// snapshot copies a data folder that no program uses.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(shortDir(t), "d")
	_ = os.Remove(filepath.Join(dir, "reeve.sock"))
	must(t, os.CopyFS(to, os.DirFS(dir)))
	return to
}

// journalDB is the database in the hands of whoever may write it.
type journalDB struct {
	*sql.DB
	t *testing.T
}

func openJournal(t *testing.T, dir string) *journalDB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "reeve.db"))
	must(t, err)
	return &journalDB{db, t}
}

func (db *journalDB) exec(q string, args ...any) {
	db.t.Helper()
	res, err := db.Exec(q, args...)
	must(db.t, err)
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		db.t.Fatal("nothing was changed by ", q, err)
	}
}

// change rewrites the row that entry n is in: each entry in it is its length and
// its bytes, all together compressed.
func (db *journalDB) change(n int64, fn func(es [][]byte, i int) [][]byte) {
	db.t.Helper()
	var first int64
	var packed []byte
	must(db.t, db.QueryRow("select first, entries from journal_pack where first <= ? and last >= ?", n, n).Scan(&first, &packed))
	dec, err := zstd.NewReader(nil)
	must(db.t, err)
	defer dec.Close()
	plain, err := dec.DecodeAll(packed, nil)
	must(db.t, err)
	var es [][]byte
	for len(plain) > 0 {
		size, w := binary.Uvarint(plain)
		es = append(es, plain[w:w+int(size)])
		plain = plain[w+int(size):]
	}
	var out []byte
	for _, e := range fn(es, int(n-first)) {
		out = append(binary.AppendUvarint(out, uint64(len(e))), e...)
	}
	enc, err := zstd.NewWriter(nil)
	must(db.t, err)
	defer enc.Close()
	db.exec("update journal_pack set entries = ? where first = ?", enc.EncodeAll(out, nil), first)
}
