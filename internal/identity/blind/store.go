package blind

import (
	"database/sql"
	"errors"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

func load(tx *store.Tx) (sealed []byte, err error) {
	err = tx.QueryRow(`select sealed from blind_key where id = 1`).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return sealed, err
}

func save(tx *store.Tx, sealed []byte) error {
	_, err := tx.Exec(`insert into blind_key (id, sealed) values (1, ?)`, sealed)
	return err
}
