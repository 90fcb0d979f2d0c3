package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
)

// bootstrap makes the store's own tables. PostgreSQL runs "create table if not
// exists" of two processes into each other, hence the lock.
func (db *DB) bootstrap(ctx context.Context) error {
	how := "begin immediate"
	if db.pg {
		how = "begin"
	}
	if err := db.beginAlone(ctx, how); err != nil {
		return err
	}
	tx := &Tx{Ctx: ctx, Now: db.Now(), g: &group{db: db, c: db.writer}}
	defer tx.end()
	var errs []error
	if db.pg {
		_, err := tx.Exec(`select pg_advisory_xact_lock(727665766501)`)
		errs = append(errs, err)
	}
	for _, q := range []string{
		`create table if not exists store_head (part bigint primary key, epoch bigint not null, record bigint not null,
			entry bigint not null, event bigint not null, edge {{blob}} not null)`,
		`create table if not exists store_migration (seq bigint primary key, owner text not null, name text not null,
			ddl text not null, at bigint not null, unique (owner, name))`,
		`create table if not exists store_epoch (epoch bigint primary key, at bigint not null, record bigint not null,
			entry bigint not null, event bigint not null)`,
	} {
		_, err := tx.Exec(db.ddl(q))
		errs = append(errs, err)
	}
	_, err := tx.Exec(`insert into store_head (part, epoch, record, entry, event, edge) values (0, 1, 1, 0, 1, ?) on conflict do nothing`, []byte{})
	if err := errors.Join(append(errs, err)...); err != nil {
		db.writer.rollback()
		return err
	}
	if err := db.writer.commit(ctx); err != nil {
		db.writer.rollback()
		return err
	}
	return nil
}

// takeOver is how long Open waits for the lock of a process that has just died:
// the server needs a moment to notice.
const takeOver = 10 * time.Second

func (db *DB) beginAlone(ctx context.Context, how string) error {
	over := time.NewTimer(takeOver)
	defer over.Stop()
	for {
		err := db.writer.begin(ctx, how)
		if !db.writer.alone || reeve.KindOf(err) != reeve.Conflict {
			return err
		}
		select {
		case <-over.C:
			return err
		case <-ctx.Done():
			return err
		case <-time.After(takeOver / 100):
		}
	}
}

// ddl fills in the words in which the two databases differ: {{blob}} is the type
// of bytes, {{id}} a bigint primary key (SQLite's own row number, the fastest key).
func (db *DB) ddl(s string) string {
	blob, id := "blob", "integer primary key"
	if db.pg {
		blob, id = "bytea", "bigint primary key"
	}
	return strings.NewReplacer("{{blob}}", blob, "{{id}}", id).Replace(s)
}

// Migrate applies the *.sql files of fsys that were not applied before, in the
// order of their names, each in a transaction. Names are numbered
// (0001_cases.sql) and kept apart by owner. A file that changed after it was
// applied is an error. The statements must run on both databases; {{blob}} stands
// for the type of bytes and {{id}} for "bigint primary key".
func (db *DB) Migrate(ctx context.Context, owner string, fsys fs.FS) error {
	files, err := fs.Glob(fsys, "*.sql")
	if err != nil {
		return err
	}
	slices.Sort(files)
	applied := map[string]string{}
	err = db.View(ctx, func(tx *Tx) error {
		rows, err := tx.Query(`select name, ddl from store_migration where owner = ?`, owner)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name, ddl string
			if err := rows.Scan(&name, &ddl); err != nil {
				return err
			}
			applied[name] = ddl
		}
		return rows.Err()
	})
	if err != nil {
		return err
	}
	for _, f := range files {
		b, err := fs.ReadFile(fsys, f)
		if err != nil {
			return err
		}
		if had, ok := applied[f]; ok {
			if had != string(b) {
				return reeve.E(reeve.Conflict, "store.Migrate", "migration %s/%s was changed after it had been applied to this database: add a new one instead", owner, f)
			}
			continue
		}
		if err := db.Update(ctx, func(tx *Tx) error { return tx.migrate(owner, f, string(b)) }); err != nil {
			return fmt.Errorf("migrating %s/%s: %w", owner, f, err)
		}
	}
	return nil
}

func (tx *Tx) migrate(owner, name, ddl string) error {
	// Another process may have been faster.
	res, err := tx.Exec(`insert into store_migration (seq, owner, name, ddl, at)
		values ((select coalesce(max(seq), 0) + 1 from store_migration), ?, ?, ?, ?) on conflict do nothing`, owner, name, ddl, tx.Now.UnixMilli())
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	return tx.script(ddl)
}

// script runs several statements, unprepared.
func (tx *Tx) script(ddl string) error {
	if err := tx.ready(); err != nil {
		return err
	}
	_, err := tx.g.c.c.ExecContext(tx.Ctx, tx.g.db.ddl(ddl))
	return tx.note(err)
}
