package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"go.uber.org/goleak"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

func table(t testing.TB, db *store.DB) {
	t.Helper()
	err := db.Migrate(t.Context(), "test", fstest.MapFS{"0001_item.sql": {Data: []byte(
		"create table item (n {{id}}, who text not null, body {{blob}});\ncreate index item_who on item (who);")}})
	if err != nil {
		t.Fatal(err)
	}
}

func put(tx *store.Tx, who string) (int64, error) {
	h := tx.Head()
	n := h.Record
	h.Record++
	_, err := tx.Exec(`insert into item (n, who, body) values (?, ?, ?)`, n, who, []byte{1, 2})
	return n, err
}

func items(t testing.TB, db *store.DB) (all []string) {
	t.Helper()
	err := db.View(t.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(`select n, who from item order by n`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n int64
			var who string
			if err := rows.Scan(&n, &who); err != nil {
				return err
			}
			all = append(all, fmt.Sprintf("%d %s", n, who))
		}
		return rows.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// gather is a buffer that writes one row with all names it was given.
type gather struct{ who []string }

func (g *gather) Mark() int    { return len(g.who) }
func (g *gather) Rewind(m int) { g.who = g.who[:m] }
func (g *gather) Flush(tx *store.Tx) error {
	if slices.Contains(g.who, "poison") {
		return errors.New("cannot write poison")
	}
	_, err := put(tx, strings.Join(g.who, "+"))
	return err
}

func TestACallerIsUndoneAlone(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		table(t, db)
		db.AddBuffer("gather", func() store.Buffer { return new(gather) })
		boom := errors.New("boom")
		var wg sync.WaitGroup
		hold := make(chan struct{})
		// The first caller keeps the committer busy until all others wait behind it.
		began := make(chan struct{})
		wg.Go(func() { db.Update(t.Context(), func(*store.Tx) error { close(began); <-hold; return nil }) })
		<-began
		var mu sync.Mutex
		errs := map[int]error{}
		for i := range 9 {
			wg.Go(func() {
				err := db.Update(t.Context(), func(tx *store.Tx) error {
					tx.Buffer("gather").(*gather).who = append(tx.Buffer("gather").(*gather).who, fmt.Sprint(i))
					if _, err := put(tx, fmt.Sprint(i)); err != nil {
						return err
					}
					switch i % 3 {
					case 1:
						return boom
					case 2:
						panic("bang")
					}
					return nil
				})
				mu.Lock()
				errs[i] = err
				mu.Unlock()
			})
		}
		time.Sleep(20 * time.Millisecond)
		close(hold)
		wg.Wait()
		for i, err := range errs {
			switch i % 3 {
			case 0:
				if err != nil {
					t.Errorf("caller %d: %v", i, err)
				}
			case 1:
				if !errors.Is(err, boom) {
					t.Errorf("caller %d: got %v, want its own error", i, err)
				}
			case 2:
				if err == nil || !strings.Contains(err.Error(), "bang") {
					t.Errorf("caller %d: got %v, want its panic", i, err)
				}
			}
		}
		got := items(t, db)
		for i, line := range got {
			if !strings.HasPrefix(line, fmt.Sprintf("%d ", i+1)) {
				t.Errorf("numbers have a gap: %q", got)
			}
		}
		for i := range 9 {
			found := slices.ContainsFunc(got, func(line string) bool {
				_, who, _ := strings.Cut(line, " ")
				return slices.Contains(strings.Split(who, "+"), fmt.Sprint(i))
			})
			if found != (i%3 == 0) {
				t.Errorf("caller %d: found %v in %q", i, found, got)
			}
		}
		// Three rows of callers and one for each group's buffer. There are up to four groups: a
		// slow machine makes one of each caller, and of the first with some that fail.
		if len(got) < 4 || len(got) > 7 {
			t.Errorf("rows: %q", got)
		}
	})
}

func TestAFailingFlushFailsAll(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		table(t, db)
		db.AddBuffer("gather", func() store.Buffer { return new(gather) })
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			g := tx.Buffer("gather").(*gather)
			g.who = append(g.who, "poison")
			_, err := put(tx, "a")
			return err
		})
		if reeve.KindOf(err) != reeve.Transient {
			t.Errorf("got %v, want a transient error", err)
		}
		if got := items(t, db); len(got) > 0 {
			t.Errorf("left behind: %q", got)
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { _, err := put(tx, "b"); return err }); err != nil {
			t.Fatal(err)
		}
		if got := items(t, db); !slices.Equal(got, []string{"1 b"}) {
			t.Errorf("after recovery: %q", got)
		}
	})
}

func TestSavepoint(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		table(t, db)
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if _, err := put(tx, "a"); err != nil {
				return err
			}
			err := tx.Savepoint(func() error {
				put(tx, "b")
				err := tx.Savepoint(func() error {
					_, err := tx.Exec(`insert into nosuch (n) values (1)`)
					return err
				})
				if err == nil {
					t.Error("inner savepoint: no error")
				}
				put(tx, "c")
				panic("out")
			})
			if err == nil {
				t.Error("outer savepoint: no error")
			}
			_, err = put(tx, "d")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := items(t, db); !slices.Equal(got, []string{"1 a", "2 d"}) {
			t.Errorf("got %q", got)
		}
	})
}

// A transaction that the database has ended by itself is over for everybody in it,
// also for a function that keeps the error to itself: nothing runs outside it.
func TestALostTransactionIsLost(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		table(t, db)
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			if _, err := put(tx, "before"); err != nil {
				return err
			}
			err := tx.Savepoint(func() error {
				if _, err := tx.Exec("rollback"); err != nil { // as SQLite does on a full disk
					return err
				}
				return errors.New("full")
			})
			if !store.Lost(err) {
				t.Errorf("not told as lost: %v", err)
			}
			_, _ = put(tx, "outside") // what a function does that looks after each item by itself
			return nil
		})
		if err == nil {
			t.Error("no error")
		}
		if got := items(t, db); len(got) > 0 {
			t.Errorf("kept: %q", got)
		}
		if err := db.Update(t.Context(), func(tx *store.Tx) error { _, err := put(tx, "after"); return err }); err != nil || len(items(t, db)) != 1 {
			t.Errorf("after it: %v, %q", err, items(t, db))
		}
	})
}

// A statement error that a function keeps to itself would be undone in silence by
// PostgreSQL's commit.
func TestASwallowedStatementErrorIsAnError(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		table(t, db)
		for _, grouped := range []bool{false, true} {
			var wg sync.WaitGroup
			hold := make(chan struct{})
			if grouped {
				wg.Go(func() {
					db.Update(t.Context(), func(tx *store.Tx) error { <-hold; _, err := put(tx, "first"); return err })
				})
				time.AfterFunc(10*time.Millisecond, func() { close(hold) })
			}
			err := db.Update(t.Context(), func(tx *store.Tx) error {
				tx.Exec(`insert into nosuch (n) values (1)`)
				return nil
			})
			wg.Wait()
			if err == nil {
				t.Errorf("grouped %v: no error", grouped)
			}
		}
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Query(`select n from item`)
			if err != nil {
				return err
			}
			_, err = put(tx, "x")
			rows.Close()
			return err
		})
		if err == nil {
			t.Error("a statement inside an open result passed")
		}
	})
}

func TestQueuedCallersMayLeave(t *testing.T) {
	db := storetest.Open(t, nil)
	hold, began := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { db.Update(t.Context(), func(*store.Tx) error { close(began); <-hold; return nil }) })
	<-began
	ctx, cancel := context.WithCancel(t.Context())
	ran := false
	left := make(chan error)
	go func() { left <- db.Update(ctx, func(*store.Tx) error { ran = true; return nil }) }()
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(hold)
	wg.Wait()
	if err := db.Update(t.Context(), func(*store.Tx) error { return nil }); err != nil || ran {
		t.Errorf("ran %v, %v", ran, err)
	}
	// Once begun, the end of its context does not stop a function.
	ctx, cancel = context.WithCancel(t.Context())
	err := db.Update(ctx, func(tx *store.Tx) error { cancel(); _, err := tx.Exec(`select 1`); return err })
	if err != nil {
		t.Error(err)
	}
	if err := db.Update(t.Context(), func(tx *store.Tx) error { return db.Update(tx.Ctx, nil) }); err == nil {
		t.Error("Update inside an Update passed")
	}
	// A function that ends its goroutine, as t.FailNow does, does not end the committer.
	if err := db.Update(t.Context(), func(*store.Tx) error { runtime.Goexit(); return nil }); err == nil {
		t.Error("Goexit passed")
	}
	if err := db.Update(t.Context(), func(*store.Tx) error { return nil }); err != nil {
		t.Error(err)
	}
}

// A cursor over the numbers meets each one, in order, while many write.
func TestNoCursorSkips(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		table(t, db)
		const writers, each = 8, 60
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					err := db.Update(t.Context(), func(tx *store.Tx) error {
						if _, err := put(tx, fmt.Sprint(w)); err != nil {
							return err
						}
						if rand.N(5) == 0 {
							return errors.New("changed my mind")
						}
						return nil
					})
					_ = err
					_ = i
				}
			})
		}
		finished := make(chan struct{})
		go func() { wg.Wait(); close(finished) }()
		var cursor int64
		for last := false; ; {
			err := db.View(t.Context(), func(tx *store.Tx) error {
				rows, err := tx.Query(`select n from item where n > ? order by n`, cursor)
				if err != nil {
					return err
				}
				defer rows.Close()
				for rows.Next() {
					var n int64
					if err := rows.Scan(&n); err != nil {
						return err
					}
					if n != cursor+1 {
						return fmt.Errorf("after %d came %d", cursor, n)
					}
					cursor = n
				}
				return rows.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			if last {
				break
			}
			select {
			case <-finished:
				last = true
			default:
			}
		}
		if n := len(items(t, db)); int64(n) != cursor {
			t.Errorf("the cursor met %d of %d", cursor, n)
		}
		if s := db.Stats(); s.Commits >= s.Callers {
			t.Logf("no grouping seen: %+v", s)
		}
	})
}

// Two processes on one PostgreSQL database take numbers one after the other.
func TestTwoProcessesOnPostgres(t *testing.T) {
	url := storetest.Postgres(t)
	var dbs []*store.DB
	for range 2 {
		db, err := store.Open(t.Context(), store.Options{URL: url, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		dbs = append(dbs, db)
	}
	table(t, dbs[0])
	table(t, dbs[1])
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if err := dbs[i%2].Update(t.Context(), func(tx *store.Tx) error { _, err := put(tx, "x"); return err }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := items(t, dbs[0]); len(got) != 40 || got[39] != "40 x" {
		t.Errorf("got %d: %q", len(got), got)
	}
}

// Of two processes that must be alone on a PostgreSQL database the second does not
// start; it may when the first has ended, and the first then writes no more.
func TestAloneOnPostgres(t *testing.T) {
	o := store.Options{URL: storetest.Postgres(t), Now: time.Now, Alone: true}
	a, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if b, err := store.Open(t.Context(), o); reeve.KindOf(err) != reeve.Conflict {
		b.Close()
		t.Fatalf("a second one: %v", err)
	}
	if err := a.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`select pg_terminate_backend(pg_backend_pid())`)
		return err
	}); err == nil {
		t.Fatal("its connection did not break")
	}
	b, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := a.Update(t.Context(), func(*store.Tx) error { return nil }); reeve.KindOf(err) != reeve.Transient {
		t.Errorf("the first still writes: %v", err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err = a.Update(t.Context(), func(*store.Tx) error { return nil }); err == nil || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		t.Errorf("the first does not come back: %v", err)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a b?%#.db")
	o := store.Options{Path: file, Now: time.Now}
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	table(t, db)
	_, err = store.Open(t.Context(), o)
	if reeve.KindOf(err) != reeve.Conflict || !strings.Contains(err.Error(), file) {
		t.Errorf("got %v, want a conflict that names the file", err)
	}
	o.ReadOnly = true
	ro, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := ro.Update(t.Context(), func(*store.Tx) error { return nil }); reeve.KindOf(err) != reeve.Forbidden {
		t.Errorf("update of a read-only database: %v", err)
	}
	items(t, ro)
	ro.Close()
	db.Close()
	if err := db.Update(t.Context(), func(*store.Tx) error { return nil }); !errors.Is(err, store.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	o.ReadOnly = false
	if db, err = store.Open(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	db.Close()
}

func TestDiskFull(t *testing.T) {
	db := storetest.Open(t, nil)
	table(t, db)
	limit := func(pages int) {
		if err := db.Update(t.Context(), func(tx *store.Tx) error {
			var n int
			return tx.QueryRow(fmt.Sprintf(`pragma max_page_count = %d`, pages)).Scan(&n)
		}); err != nil {
			t.Fatal(err)
		}
	}
	limit(40)
	acked := 0
	var full error
	for range 100 {
		err := db.Update(t.Context(), func(tx *store.Tx) error {
			n, err := put(tx, "a")
			if err != nil {
				return err
			}
			_, err = tx.Exec(`update item set body = ? where n = ?`, make([]byte, 10_000), n)
			return err
		})
		if err != nil {
			full = err
			break
		}
		acked++
	}
	if full == nil {
		t.Fatal("the disk never got full")
	}
	limit(1 << 20)
	if err := db.Update(t.Context(), func(tx *store.Tx) error { _, err := put(tx, "b"); return err }); err != nil {
		t.Fatalf("with room again: %v", err)
	}
	if got := items(t, db); len(got) != acked+1 {
		t.Errorf("acknowledged %d, found %d", acked+1, len(got))
	}
}

func TestMigrate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		table(t, db)
		table(t, db)
		err := db.Migrate(t.Context(), "test", fstest.MapFS{"0001_item.sql": {Data: []byte("create table item (n {{id}})")}})
		if reeve.KindOf(err) != reeve.Conflict {
			t.Errorf("a changed migration: %v", err)
		}
		err = db.Migrate(t.Context(), "test", fstest.MapFS{"0002_bad.sql": {Data: []byte("create table other (n {{id}}); create tabel x")}})
		if err == nil {
			t.Error("a broken migration passed")
		}
		err = db.Migrate(t.Context(), "test", fstest.MapFS{"0002_bad.sql": {Data: []byte("create table other (n {{id}})")}})
		if err != nil {
			t.Errorf("after mending: %v", err)
		}
	})
}

func TestCommitted(t *testing.T) {
	db := storetest.Open(t, nil)
	ch := db.Committed()
	for range 3 {
		if err := db.Update(t.Context(), func(*store.Tx) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	// Callers are told before the signal is given, but one group after the other.
	if err := db.Update(t.Context(), func(*store.Tx) error { return errors.New("changed my mind") }); err == nil {
		t.Fatal("no error")
	}
	<-ch
	select {
	case <-ch:
		t.Error("signals were not made one")
	default:
	}
}

func BenchmarkUpdate(b *testing.B) {
	for _, callers := range []int{1, 32} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			db := storetest.Open(b, nil)
			table(b, db)
			b.ResetTimer()
			work := make(chan int)
			var wg sync.WaitGroup
			for range callers {
				wg.Go(func() {
					for range work {
						if err := db.Update(b.Context(), func(tx *store.Tx) error { _, err := put(tx, "x"); return err }); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for i := range b.N {
				work <- i
			}
			close(work)
			wg.Wait()
			b.ReportMetric(float64(db.Stats().Fsyncs)/float64(b.N), "fsyncs/op")
		})
	}
}

// The database server goes away and comes back: callers get errors meanwhile, and
// nobody needs to start anything again.
func TestPostgresComesBack(t *testing.T) {
	c := storetest.Private(t, false)
	db, err := store.Open(t.Context(), store.Options{URL: c.URL("postgres"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	table(t, db)
	c.Kill()
	err = db.Update(t.Context(), func(tx *store.Tx) error { _, err := put(tx, "lost"); return err })
	if reeve.KindOf(err) != reeve.Transient {
		t.Errorf("with the server gone: %v", err)
	}
	if err := db.View(t.Context(), func(tx *store.Tx) error { return nil }); err == nil {
		t.Error("a view with the server gone")
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), func(tx *store.Tx) error { _, err := put(tx, "kept"); return err }); err != nil {
		t.Fatal(err)
	}
	if got := items(t, db); !slices.Equal(got, []string{"1 kept"}) {
		t.Errorf("got %q", got)
	}
}

// Nothing is left running or open.
func TestCloseLeavesNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "reeve.db"), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	table(t, db)
	items(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 1000 { // what was told to end may need a moment for it
		if err = goleak.Find(before); err == nil {
			break
		}
	}
	if err != nil {
		t.Error(err)
	}
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if to, err := os.Readlink(fd); err == nil && strings.HasPrefix(to, filepath.Join(os.TempDir(), "TestCloseLeavesNothing")) {
			t.Errorf("still open: %s", to)
		}
	}
}

// What PostgreSQL cannot hold is wrong input on both databases, and harms nobody
// else in the group.
func TestTextThatCannotBeKept(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		for _, text := range []string{"a\x00b", "\xff"} {
			err := db.View(t.Context(), func(tx *store.Tx) error {
				var n int
				return tx.QueryRow("select count(*) from store_migration where name = ?", text).Scan(&n)
			})
			if reeve.KindOf(err) != reeve.Invalid {
				t.Errorf("asking for %q: %v", text, err)
			}
			err = db.Update(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec("delete from store_migration where name = ?", text)
				return err
			})
			if reeve.KindOf(err) != reeve.Invalid {
				t.Errorf("writing %q: %v", text, err)
			}
		}
	})
}
