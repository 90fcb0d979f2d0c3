package sim

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver

	"github.com/reeve-civic/reeve/demo/data"
)

// openDatabase opens a system's own database, with its tables, and returns the address
// that others reach it at.
func openDatabase(ctx context.Context, dir, name, schema string) (db *sql.DB, address string, err error) {
	file, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return nil, "", fmt.Errorf("sim.openDatabase: %w", err)
	}
	if db, err = sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(10000)"); err == nil {
		_, err = db.ExecContext(ctx, schema)
	}
	if err != nil {
		return nil, "", fmt.Errorf("sim.openDatabase: %s: %w", name, err)
	}
	return db, (&url.URL{Scheme: "sqlite", Path: file}).String(), nil
}

// housing has a table of moves, which others may read.
func housing(ctx context.Context, dir string) (address string, err error) {
	db, address, err := openDatabase(ctx, dir, "housing.db", `create table if not exists moves (
		reference text primary key,
		made_up boolean not null,
		moved_on date not null,
		tenant text not null,
		from_line text not null,
		from_postcode text not null,
		to_line text not null,
		to_postcode text not null,
		changed integer not null
	)`)
	if err != nil {
		return "", err
	}
	defer db.Close()
	for i, m := range data.HouseMoves() {
		if _, err := db.ExecContext(ctx, `insert into moves values (?, true, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
			m.Reference, m.MovedOn, m.Tenant, m.FromLine, m.FromPostcode, m.ToLine, m.ToPostcode, i+1); err != nil {
			return "", fmt.Errorf("sim.housing: %w", err)
		}
	}
	return address, nil
}

// reports has a table of payments, which others write into.
func reports(ctx context.Context, dir string) (address string, err error) {
	db, address, err := openDatabase(ctx, dir, "reports.db", `create table if not exists parking_payments (
		ticket text primary key,
		machine text not null,
		paid_on date not null,
		pence integer not null
	)`)
	if err != nil {
		return "", err
	}
	return address, db.Close()
}
