// Package storetest opens real databases for tests.
package storetest

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Open opens a new SQLite database that lives as long as the test. clock nil
// means the real time.
func Open(t testing.TB, clock func() time.Time) *store.DB {
	t.Helper()
	return open(t, store.Options{Path: filepath.Join(t.TempDir(), "reeve.db"), Now: clock})
}

func open(t testing.TB, o store.Options) *store.DB {
	t.Helper()
	if o.Now == nil {
		o.Now = time.Now
	}
	db, err := store.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// Each runs fn as a sub-test on a new SQLite database and, where PostgreSQL is
// installed, on a new database of a private cluster. REEVE_REQUIRE_POSTGRES=1
// makes its absence a failure.
func Each(t *testing.T, fn func(t *testing.T, db *store.DB)) {
	t.Helper()
	EachClock(t, nil, fn)
}

// EachClock is Each with a clock.
func EachClock(t *testing.T, clock func() time.Time, fn func(t *testing.T, db *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { fn(t, Open(t, clock)) })
	t.Run("postgres", func(t *testing.T) { fn(t, open(t, store.Options{URL: Postgres(t), Now: clock})) })
}
