package log

import (
	"database/sql"
	"embed"
	"errors"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// meta is a pack's row without its data.
type meta struct {
	last, first, count, rev int64
	typ                     reeve.RecordType
}

func insertPack(tx *store.Tx, m meta, data []byte) error {
	_, err := tx.Exec(`insert into log_pack (last, first, type, count, rev, data) values (?, ?, ?, ?, ?, ?)`,
		m.last, m.first, string(m.typ), m.count, m.rev, data)
	return err
}

// packs lists packs with numbers above after, in order.
func packs(tx *store.Tx, t reeve.RecordType, after int64, max int) (all []meta, err error) {
	var rows *store.Rows
	if t == "" {
		rows, err = tx.Query(`select last, first, type, count, rev from log_pack where last > ? order by last limit ?`, after, max)
	} else {
		rows, err = tx.Query(`select last, first, type, count, rev from log_pack where type = ? and last > ? order by last limit ?`, string(t), after, max)
	}
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var m meta
		if err := rows.Scan(&m.last, &m.first, &m.typ, &m.count, &m.rev); err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

// countAfter is how many records are in packs of a type that end above after.
func countAfter(tx *store.Tx, t reeve.RecordType, after int64) (n int64, err error) {
	err = tx.QueryRow(`select coalesce(sum(count), 0) from log_pack where type = ? and last > ?`, string(t), after).Scan(&n)
	return n, err
}

// packOf finds the pack that n would be in.
func packOf(tx *store.Tx, n int64) (m meta, ok bool, err error) {
	err = tx.QueryRow(`select last, first, type, count, rev from log_pack where last >= ? order by last limit 1`, n).
		Scan(&m.last, &m.first, &m.typ, &m.count, &m.rev)
	if errors.Is(err, sql.ErrNoRows) {
		return m, false, nil
	}
	return m, err == nil && m.first <= n, err
}

// eachData hands over the data of packs from one to another of a type.
func eachData(tx *store.Tx, t reeve.RecordType, from, to int64, fn func(last int64, data []byte) error) error {
	var rows *store.Rows
	var err error
	if t == "" {
		rows, err = tx.Query(`select last, data from log_pack where last >= ? and last <= ? order by last`, from, to)
	} else {
		rows, err = tx.Query(`select last, data from log_pack where type = ? and last >= ? and last <= ? order by last`, string(t), from, to)
	}
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var last int64
		var data []byte
		if err := rows.Scan(&last, &data); err != nil {
			return err
		}
		if err := fn(last, data); err != nil {
			return err
		}
	}
	return rows.Err()
}
