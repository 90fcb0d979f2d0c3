package token

import (
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

const columns = `id, party, label, types, created, expires, revoked`

func insert(tx *store.Tx, t Token, hash string) error {
	_, err := tx.Exec(`insert into partner_token (id, hash, party, label, types, created, expires, revoked) values (?, ?, ?, ?, ?, ?, ?, 0)`,
		t.ID, hash, t.Party, t.Label, strings.Join(t.Types, " "), t.Created.UnixMilli(), t.Expires.UnixMilli())
	return err
}

func scan(from func(...any) error) (t Token, err error) {
	var types string
	var created, expires, revoked int64
	err = from(&t.ID, &t.Party, &t.Label, &types, &created, &expires, &revoked)
	t.Types = strings.Fields(types)
	t.Created, t.Expires = time.UnixMilli(created).UTC(), time.UnixMilli(expires).UTC()
	if revoked != 0 {
		t.Revoked = time.UnixMilli(revoked).UTC()
	}
	return t, err
}

func byHash(tx *store.Tx, hash string) (t Token, found bool, err error) {
	t, err = scan(tx.QueryRow(`select `+columns+` from partner_token where hash = ?`, hash).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return t, false, nil
	}
	return t, err == nil, err
}

func all(tx *store.Tx) (ts []Token, err error) {
	rows, err := tx.Query(`select ` + columns + ` from partner_token order by created, id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		t, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		ts = append(ts, t)
	}
	return ts, rows.Err()
}

func revoke(tx *store.Tx, id string) (n int64, err error) {
	res, err := tx.Exec(`update partner_token set revoked = ? where id = ? and revoked = 0`, tx.Now.UnixMilli(), id)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
