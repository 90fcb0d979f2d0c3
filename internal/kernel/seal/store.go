package seal

import (
	"embed"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

type row struct {
	id, made int64
	wrapped  []byte
}

func load(tx *store.Tx) (all []row, err error) {
	rows, err := tx.Query(`select id, made, wrapped from seal_key order by id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		if err := rows.Scan(&r.id, &r.made, &r.wrapped); err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

func insert(tx *store.Tx, r row) error {
	_, err := tx.Exec(`insert into seal_key (id, made, wrapped) values (?, ?, ?)`, r.id, r.made, r.wrapped)
	return err
}
