package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// backup streams everything in the database as of one moment. The master key is
// not in it. When reading fails half-way the answer is cut off, which the end of
// the dump, its count and sum, shows.
func (a *App) backup(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := a.k.DB.Dump(r.Context(), w); err != nil {
		a.config.Log.Error("a backup was not finished", "err", err)
		panic(http.ErrAbortHandler)
	}
}

// Restored says what a restore brought back.
type Restored struct {
	Records, Entries, Epoch int64
	Journal                 journal.Report
}

func (r Restored) String() string {
	return fmt.Sprintf("Restored: record numbers up to %d, %d journal entries, which hold. Ids given out from now on begin with r%d-.", r.Records, r.Entries, r.Epoch)
}

// Restore fills c's empty data folder or database from a backup, checks that the
// master key opens it, and verifies the journal.
func Restore(ctx context.Context, c Config, file string) (out Restored, err error) {
	if err := c.defaults(); err != nil {
		return out, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return out, err
	}
	key := filepath.Join(c.Data, "master.key")
	if _, err := os.Stat(key); c.MasterKey == "" && errors.Is(err, fs.ErrNotExist) {
		return out, reeve.E(reeve.Invalid, "app.Restore", "a backup cannot be read without the master key it was made under: put it at %s, or say where it is with master_key", key)
	}
	master, _, err := c.master()
	if err != nil {
		return out, err
	}
	f, err := os.Open(file)
	if err != nil {
		return out, err
	}
	defer f.Close()
	o := store.Options{Path: c.databaseFile(), URL: c.Database, Now: c.Now, Log: c.Log}
	head, err := store.Restore(ctx, o, f)
	if err != nil {
		return out, err
	}
	out = Restored{Records: head.Record - 1, Entries: head.Entry, Epoch: head.Epoch}
	db, err := store.Open(ctx, o)
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := seal.Open(ctx, db, master); err != nil {
		return out, err
	}
	if out.Journal, err = journal.Verify(ctx, db, journal.VerifyOptions{}); err == nil && out.Journal.FirstBad >= 0 {
		err = reeve.E(reeve.Invalid, "app.Restore", "the backup was restored, but its journal does not hold: entry %d: %s", out.Journal.FirstBad, out.Journal.Problem)
	}
	return out, err
}
