package measure

import (
	"database/sql"
	"errors"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

func cursor(tx *store.Tx) (next int64, err error) {
	err = tx.QueryRow(`select next from measure_cursor where id = 0`).Scan(&next)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return next, err
}

func setCursor(tx *store.Tx, next int64) error {
	_, err := tx.Exec(`insert into measure_cursor (id, next) values (0, ?) on conflict (id) do update set next = excluded.next`, next)
	return err
}

func add(tx *store.Tx, day, name string, n int64) error {
	_, err := tx.Exec(`insert into measure_daily (day, name, n) values (?, ?, ?)
		on conflict (day, name) do update set n = measure_daily.n + excluded.n`, day, name, n)
	return err
}

func onDay(tx *store.Tx, day string) (map[string]int64, error) {
	rows, err := tx.Query(`select name, n from measure_daily where day = ?`, day)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	counts := map[string]int64{}
	for rows.Next() {
		var name string
		var n int64
		if err := rows.Scan(&name, &n); err != nil {
			return nil, err
		}
		counts[name] = n
	}
	return counts, rows.Err()
}
