package store_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// A dump of either database fills either database.
func TestDumpAndRestore(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		table(t, db)
		err := db.Migrate(t.Context(), "more", fstest.MapFS{"0001_more.sql": {Data: []byte(
			"create table odd (a text primary key, b {{blob}}, c bigint, d text); insert into odd (a, c) values ('from the migration', 1);")}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 1234 {
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				if _, err := put(tx, fmt.Sprintf("who %d ü\n\"", i)); err != nil {
					return err
				}
				blob := make([]byte, rand.N(300))
				for i := range blob {
					blob[i] = byte(rand.Int())
				}
				tx.Head().Edge = blob
				_, err := tx.Exec(`insert into odd (a, b, c, d) values (?, ?, ?, ?)`, fmt.Sprint(i), blob, -int64(i)<<40, nil)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		var dump bytes.Buffer
		if err := db.Dump(t.Context(), &dump); err != nil {
			t.Fatal(err)
		}
		want := contents(t, db)
		targets := map[string]store.Options{"to sqlite": {Path: filepath.Join(t.TempDir(), "new.db"), Now: time.Now}}
		targets["to postgres"] = store.Options{URL: storetest.Postgres(t), Now: time.Now}
		for name, o := range targets {
			t.Run(name, func(t *testing.T) {
				for i, cut := range []int{0, 10, dump.Len() / 2, dump.Len() - 1} {
					if _, err := store.Restore(t.Context(), o, bytes.NewReader(dump.Bytes()[:cut])); reeve.KindOf(err) != reeve.Invalid {
						t.Errorf("cut short (%d): %v", i, err)
					}
				}
				h, err := store.Restore(t.Context(), o, bytes.NewReader(dump.Bytes()))
				if err != nil {
					t.Fatal(err)
				}
				if h.Epoch != 2 || h.Record != 1235 {
					t.Errorf("head %+v", h)
				}
				back, err := store.Open(t.Context(), o)
				if err != nil {
					t.Fatal(err)
				}
				if got := contents(t, back); got != want {
					t.Errorf("contents differ:\n%.300s\n%.300s", got, want)
				}
				err = back.View(t.Context(), func(tx *store.Tx) error {
					if h := tx.Head(); h.Epoch != 2 || h.Record != 1235 {
						t.Errorf("head %+v", h)
					}
					epochs, err := tx.Epochs()
					if len(epochs) != 1 {
						t.Errorf("epochs %v", epochs)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
				table(t, back) // has been migrated
				if err := back.Update(t.Context(), func(tx *store.Tx) error { _, err := put(tx, "next"); return err }); err != nil {
					t.Error(err)
				}
				back.Close()
				if _, err := store.Restore(t.Context(), o, bytes.NewReader(dump.Bytes())); reeve.KindOf(err) != reeve.Conflict {
					t.Errorf("restored over a database in use: %v", err)
				}
			})
		}
	})
}

func contents(t *testing.T, db *store.DB) string {
	t.Helper()
	var b strings.Builder
	err := db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(`select a, b, c, d from odd order by c, a`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var a string
			var blob []byte
			var c int64
			var d *string
			if err := rows.Scan(&a, &blob, &c, &d); err != nil {
				return err
			}
			fmt.Fprintln(&b, a, blob, c, d)
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String() + strings.Join(items(t, db), "\n")
}

// A backup taken under load is of one moment.
func TestBackupUnderLoad(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		table(t, db)
		stop, done := make(chan struct{}), make(chan error)
		go func() {
			for {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				if err := db.Update(t.Context(), func(tx *store.Tx) error { put(tx, "a"); _, err := put(tx, "b"); return err }); err != nil {
					done <- err
					return
				}
			}
		}()
		file := filepath.Join(t.TempDir(), "backup.zst")
		for range 3 {
			if err := db.Backup(t.Context(), file); err != nil {
				t.Fatal(err)
			}
		}
		close(stop)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		o := store.Options{Path: filepath.Join(t.TempDir(), "new.db"), Now: time.Now}
		f := open(t, file)
		h, err := store.Restore(t.Context(), o, f)
		if err != nil {
			t.Fatal(err)
		}
		back, err := store.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer back.Close()
		if n := int64(len(items(t, back))); n != h.Record-1 || n%2 != 0 {
			t.Errorf("%d items, next number %d", n, h.Record)
		}
	})
}

func open(t *testing.T, file string) *os.File {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}
