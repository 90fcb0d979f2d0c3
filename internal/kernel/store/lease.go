package store

import (
	"database/sql"
	"errors"
	"time"

	"github.com/reeve-civic/reeve"
)

// Lease is the right to do one named job until a time. Fence grows with each new
// holder, so that one who slept through the end of its lease is found out.
type Lease struct {
	Name, Holder string
	Fence        int64
	Until        time.Time
}

// TakeLease takes or renews the lease of a name for d. It fails with Conflict
// while another holds it.
func (tx *Tx) TakeLease(name, holder string, d time.Duration) (Lease, error) {
	l := Lease{Name: name, Holder: holder, Until: tx.Now.Add(d)}
	var who string
	var until int64
	err := tx.QueryRow(`select holder, fence, until from store_lease where name = ?`, name).Scan(&who, &l.Fence, &until)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		l.Fence = 1
		_, err = tx.Exec(`insert into store_lease (name, holder, fence, until) values (?, ?, ?, ?)`, name, holder, l.Fence, l.Until.UnixMilli())
		return l, err
	case err != nil:
		return l, err
	case who != holder && until > tx.Now.UnixMilli():
		return l, reeve.E(reeve.Conflict, "store.TakeLease", "%s holds %s until %s", who, name, time.UnixMilli(until).UTC().Format(time.RFC3339))
	case who != holder || until <= tx.Now.UnixMilli():
		l.Fence++
	}
	_, err = tx.Exec(`update store_lease set holder = ?, fence = ?, until = ? where name = ?`, holder, l.Fence, l.Until.UnixMilli(), name)
	return l, err
}

// CheckLease fails with Conflict when the lease went to another holder or ended.
// Call it in the transaction that writes what the lease protects.
func (tx *Tx) CheckLease(l Lease) error {
	var fence, until int64
	err := tx.QueryRow(`select fence, until from store_lease where name = ?`, l.Name).Scan(&fence, &until)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if fence != l.Fence || until <= tx.Now.UnixMilli() {
		return reeve.E(reeve.Conflict, "store.CheckLease", "the lease of %s is no longer held by %s", l.Name, l.Holder)
	}
	return nil
}

// DropLease gives the lease back early.
func (tx *Tx) DropLease(l Lease) error {
	_, err := tx.Exec(`update store_lease set until = 0 where name = ? and fence = ?`, l.Name, l.Fence)
	return err
}
