package staff

import (
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

type row struct {
	id     int64
	sealed []byte
	roles  []string
	left   bool
}

const columns = `id, sealed, roles, left_at`

func scan(from func(...any) error) (r row, err error) {
	var roles string
	var left int64
	err = from(&r.id, &r.sealed, &roles, &left)
	r.roles, r.left = strings.Fields(roles), left != 0
	return r, err
}

func byEmail(tx *store.Tx, hash string) (row, bool, error) {
	return maybe(scan(tx.QueryRow(`select `+columns+` from staff where email_hash = ?`, hash).Scan))
}

func byID(tx *store.Tx, id int64) (row, bool, error) {
	return maybe(scan(tx.QueryRow(`select `+columns+` from staff where id = ?`, id).Scan))
}

func maybe[T any](v T, err error) (T, bool, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return v, false, nil
	}
	return v, err == nil, err
}

func nextID(tx *store.Tx) (id int64, err error) {
	err = tx.QueryRow(`select coalesce(max(id), 0) + 1 from staff`).Scan(&id)
	return id, err
}

func insert(tx *store.Tx, id int64, emailHash string, sealed []byte, roles []string) error {
	_, err := tx.Exec(`insert into staff (id, email_hash, sealed, roles, created, left_at) values (?, ?, ?, ?, ?, 0)`, id, emailHash, sealed, strings.Join(roles, " "), tx.Now.UnixMilli())
	return err
}

func update(tx *store.Tx, id int64, sealed []byte, roles []string) error {
	_, err := tx.Exec(`update staff set sealed = ?, roles = ?, left_at = 0 where id = ?`, sealed, strings.Join(roles, " "), id)
	return err
}

func leave(tx *store.Tx, id int64) error {
	_, err := tx.Exec(`update staff set left_at = ? where id = ?`, tx.Now.UnixMilli(), id)
	return err
}

func all(tx *store.Tx) (rs []row, err error) {
	rows, err := tx.Query(`select ` + columns + ` from staff order by id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		rs = append(rs, r)
	}
	return rs, rows.Err()
}

func insertLink(tx *store.Tx, hash string, staff int64, expires time.Time) error {
	_, err := tx.Exec(`insert into staff_link (hash, staff, created, expires, used) values (?, ?, ?, ?, 0)`, hash, staff, tx.Now.UnixMilli(), expires.UnixMilli())
	return err
}

type link struct {
	staff   int64
	expires time.Time
	used    bool
}

func getLink(tx *store.Tx, hash string) (link, bool, error) {
	var l link
	var expires, used int64
	err := tx.QueryRow(`select staff, expires, used from staff_link where hash = ?`, hash).Scan(&l.staff, &expires, &used)
	l.expires, l.used = time.UnixMilli(expires).UTC(), used != 0
	return maybe(l, err)
}

func useLink(tx *store.Tx, hash string) error {
	_, err := tx.Exec(`update staff_link set used = ? where hash = ?`, tx.Now.UnixMilli(), hash)
	return err
}

func dropLinks(tx *store.Tx, staff int64) error {
	_, err := tx.Exec(`delete from staff_link where staff = ?`, staff)
	return err
}

type session struct {
	staff         int64
	created, seen time.Time
	ended         bool
}

func insertSession(tx *store.Tx, hash string, staff int64) error {
	ms := tx.Now.UnixMilli()
	_, err := tx.Exec(`insert into staff_session (hash, staff, created, seen, ended) values (?, ?, ?, ?, 0)`, hash, staff, ms, ms)
	return err
}

func getSession(tx *store.Tx, hash string) (session, bool, error) {
	var s session
	var created, seen, ended int64
	err := tx.QueryRow(`select staff, created, seen, ended from staff_session where hash = ?`, hash).Scan(&s.staff, &created, &seen, &ended)
	s.created, s.seen, s.ended = time.UnixMilli(created).UTC(), time.UnixMilli(seen).UTC(), ended != 0
	return maybe(s, err)
}

func touchSession(tx *store.Tx, hash string) error {
	_, err := tx.Exec(`update staff_session set seen = ? where hash = ? and ended = 0`, tx.Now.UnixMilli(), hash)
	return err
}

func endSession(tx *store.Tx, hash string) error {
	_, err := tx.Exec(`update staff_session set ended = ? where hash = ? and ended = 0`, tx.Now.UnixMilli(), hash)
	return err
}

func endSessions(tx *store.Tx, staff int64) error {
	_, err := tx.Exec(`update staff_session set ended = ? where staff = ? and ended = 0`, tx.Now.UnixMilli(), staff)
	return err
}

// prune forgets sessions and links that can never be used again.
func prune(tx *store.Tx, before time.Time) error {
	if _, err := tx.Exec(`delete from staff_session where created < ?`, before.UnixMilli()); err != nil {
		return err
	}
	_, err := tx.Exec(`delete from staff_link where expires < ?`, before.UnixMilli())
	return err
}
