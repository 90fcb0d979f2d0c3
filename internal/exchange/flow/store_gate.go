package flow

import (
	"database/sql"
	"errors"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

func readGate(tx *store.Tx, flow string) (at time.Time, upto int64, ok bool, err error) {
	var ms int64
	err = tx.QueryRow(`select at, upto from flow_gate where flow = ?`, flow).Scan(&ms, &upto)
	if errors.Is(err, sql.ErrNoRows) {
		return at, 0, false, nil
	}
	return time.UnixMilli(ms).UTC(), upto, err == nil, err
}

func putGate(tx *store.Tx, flow string, at time.Time, upto int64) error {
	_, err := tx.Exec(`insert into flow_gate (flow, at, upto) values (?, ?, ?) on conflict (flow) do update set at = excluded.at, upto = excluded.upto`, flow, at, upto)
	return err
}
