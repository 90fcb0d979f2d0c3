package journal

import (
	"database/sql"
	"embed"
	"errors"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// pack is a row of the journal.
type pack struct {
	first, last          int64
	hashes, entries, sum []byte
}

func insertPack(tx *store.Tx, p pack) error {
	_, err := tx.Exec(`insert into journal_pack (last, first, hashes, entries, sum) values (?, ?, ?, ?, ?)`,
		p.last, p.first, p.hashes, p.entries, p.sum)
	return err
}

// eachPack hands over the packs that hold entries from a number on, in order,
// until fn says stop. It asks for a few at a time: PostgreSQL sends all of a
// result, also what is not wanted any more.
func eachPack(tx *store.Tx, from int64, few int, fn func(pack) (more bool, err error)) error {
	for {
		n, more := 0, true
		err := somePacks(tx, from, few, func(p pack) (err error) {
			n, from = n+1, p.last+1
			if more {
				more, err = fn(p)
			}
			return err
		})
		if err != nil || !more || n < few {
			return err
		}
	}
}

func somePacks(tx *store.Tx, from int64, limit int, fn func(pack) error) error {
	rows, err := tx.Query(`select last, first, hashes, entries, sum from journal_pack where last >= ? order by last limit ?`, from, limit)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var p pack
		if err := rows.Scan(&p.last, &p.first, &p.hashes, &p.entries, &p.sum); err != nil {
			return err
		}
		if err := fn(p); err != nil {
			return err
		}
	}
	return rows.Err()
}

func hashesOf(tx *store.Tx, n int64) (p pack, err error) {
	err = tx.QueryRow(`select last, first, hashes from journal_pack where last >= ? order by last limit 1`, n).Scan(&p.last, &p.first, &p.hashes)
	return p, err
}

func insertCheckpoint(tx *store.Tx, c Checkpoint) error {
	_, err := tx.Exec(`insert into journal_checkpoint (seq, size, at, text)
		values ((select coalesce(max(seq), 0) + 1 from journal_checkpoint), ?, ?, ?)`, c.Size, c.At.UnixMilli(), c.Text)
	return err
}

func lastCheckpoint(tx *store.Tx) (text string, at time.Time, err error) {
	var ms int64
	err = tx.QueryRow(`select text, at from journal_checkpoint order by seq desc limit 1`).Scan(&text, &ms)
	if errors.Is(err, sql.ErrNoRows) {
		return "", time.Time{}, nil
	}
	return text, time.UnixMilli(ms).UTC(), err
}

func checkpoints(tx *store.Tx) (texts []string, err error) {
	return list(tx, `select text from journal_checkpoint order by seq`)
}

func putVerifier(tx *store.Tx, v string) error {
	_, err := tx.Exec(`insert into journal_key (verifier) values (?) on conflict do nothing`, v)
	return err
}

func verifiers(tx *store.Tx) ([]string, error) {
	return list(tx, `select verifier from journal_key order by verifier`)
}

func list(tx *store.Tx, q string) (all []string, err error) {
	rows, err := tx.Query(q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, rows.Err()
}

func salt(tx *store.Tx, p reeve.PersonID) (s []byte, err error) {
	err = tx.QueryRow(`select salt from journal_salt where person = ?`, string(p)).Scan(&s)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return s, err
}

func insertSalt(tx *store.Tx, p reeve.PersonID, s []byte) error {
	_, err := tx.Exec(`insert into journal_salt (person, salt) values (?, ?)`, string(p), s)
	return err
}

func deleteSalt(tx *store.Tx, p reeve.PersonID) error {
	_, err := tx.Exec(`delete from journal_salt where person = ?`, string(p))
	return err
}

// run is a part of a sorted run of the index.
type run struct {
	level, first, last, part int64
	lo, hi                   int64
	data                     []byte
}

func insertRun(tx *store.Tx, r run) error {
	_, err := tx.Exec(`insert into journal_about (level, first, part, last, lo, hi, data) values (?, ?, ?, ?, ?, ?, ?)`,
		r.level, r.first, r.part, r.last, r.lo, r.hi, r.data)
	return err
}

// indexed is the number of the first entry that the index does not have yet.
func indexed(tx *store.Tx) (n int64, err error) {
	err = tx.QueryRow(`select coalesce(max(last), -1) + 1 from journal_about`).Scan(&n)
	return n, err
}

// parts finds the parts that may hold a hash, newest entries first.
func parts(tx *store.Tx, hash int64) ([]run, error) {
	return runs(tx, `select level, first, part, last, data from journal_about where lo <= ? and hi >= ? order by first desc, part`, hash, hash)
}

// level lists the parts of a level, oldest first.
func level(tx *store.Tx, n int64) ([]run, error) {
	return runs(tx, `select level, first, part, last, data from journal_about where level = ? order by first, part`, n)
}

func runs(tx *store.Tx, q string, args ...any) (all []run, err error) {
	rows, err := tx.Query(q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r run
		if err := rows.Scan(&r.level, &r.first, &r.part, &r.last, &r.data); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

func countRuns(tx *store.Tx, n int64) (count int, err error) {
	err = tx.QueryRow(`select count(distinct first) from journal_about where level = ?`, n).Scan(&count)
	return count, err
}

func deleteRuns(tx *store.Tx, n, upTo int64) error {
	_, err := tx.Exec(`delete from journal_about where level = ? and last <= ?`, n, upTo)
	return err
}
