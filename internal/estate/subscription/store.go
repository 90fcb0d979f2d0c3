package subscription

import (
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

const columns = `id, staff, made, used`

func insert(tx *store.Tx, a Address, hash string) error {
	_, err := tx.Exec(`insert into estate_subscription (id, hash, staff, made, revoked, used) values (?, ?, ?, ?, 0, '')`, a.ID, hash, a.Staff, tx.Now)
	return err
}

func scan(from func(...any) error) (a Address, err error) {
	var made int64
	err = from(&a.ID, &a.Staff, &made, &a.Used)
	a.Made = time.UnixMilli(made).UTC()
	return a, err
}

func live(tx *store.Tx, staff string) (Address, bool, error) {
	return store.Maybe(scan(tx.QueryRow(`select `+columns+` from estate_subscription where staff = ? and revoked = 0`, staff).Scan))
}

func byHash(tx *store.Tx, hash string) (Address, bool, error) {
	return store.Maybe(scan(tx.QueryRow(`select `+columns+` from estate_subscription where hash = ? and revoked = 0`, hash).Scan))
}

func revoke(tx *store.Tx, id string) error {
	_, err := tx.Exec(`update estate_subscription set revoked = ? where id = ? and revoked = 0`, tx.Now, id)
	return err
}

// use notes the day of a reading; first says that it is the first of that day.
func use(tx *store.Tx, id, day string) (first bool, err error) {
	res, err := tx.Exec(`update estate_subscription set used = ? where id = ? and used <> ?`, day, id, day)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}
