package store_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Several may close a database at the same time: each returns when it is closed.
func TestCloseByMany(t *testing.T) {
	path := filepath.Join(t.TempDir(), "reeve.db")
	for range 50 {
		db, err := store.Open(t.Context(), store.Options{Path: path, Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
}
