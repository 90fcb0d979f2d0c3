package replay

import (
	"embed"
	"encoding/json"
	"fmt"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

const columns = `id, flow, state, selection, at, by_whom, position, last, taken, skipped, ended`

func (d *Desk) insert(tx *store.Tx, j *Job) error {
	if err := tx.QueryRow(`select coalesce(max(id), 0) + 1 from replay_job`).Scan(&j.ID); err != nil {
		return err
	}
	plain, err := json.Marshal(j.selection)
	if err != nil {
		return err
	}
	sealed, err := seal.Pack(d.o.Keys, plain, fmt.Appendf(nil, "replay/%d", j.ID))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into replay_job (`+columns+`) values (?, ?, ?, ?, ?, ?, ?, ?, 0, '{}', 0)`, j.ID, j.Flow, j.State, sealed, j.At, j.By, j.position, j.last)
	return err
}

func (d *Desk) save(tx *store.Tx, j Job) error {
	skipped, err := json.Marshal(j.Skipped)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`update replay_job set state = ?, position = ?, taken = ?, skipped = ?, ended = ? where id = ?`, j.State, j.position, j.Taken, string(skipped), store.Millis(j.Ended), j.ID)
	return err
}

func (d *Desk) scan(from func(...any) error) (j Job, err error) {
	var sealed []byte
	var at, ended int64
	var skipped string
	if err := from(&j.ID, &j.Flow, &j.State, &sealed, &at, &j.By, &j.position, &j.last, &j.Taken, &skipped, &ended); err != nil {
		return j, err
	}
	j.At, j.Ended = time.UnixMilli(at).UTC(), store.Moment(ended)
	if err := json.Unmarshal([]byte(skipped), &j.Skipped); err != nil {
		return j, err
	}
	plain, err := seal.Unpack(d.o.Keys, sealed, fmt.Appendf(nil, "replay/%d", j.ID))
	if err != nil {
		return j, err
	}
	return j, json.Unmarshal(plain, &j.selection)
}

func (d *Desk) get(tx *store.Tx, id int64) (Job, error) {
	j, ok, err := store.Maybe(d.scan(tx.QueryRow(`select `+columns+` from replay_job where id = ?`, id).Scan))
	if err == nil && !ok {
		err = reeve.E(reeve.NotFound, "replay.Get", "there is no replay %d", id)
	}
	return j, err
}

func (d *Desk) list(tx *store.Tx, running bool) ([]Job, error) {
	where := ` order by id desc limit 50`
	if running {
		where = ` where state = 'running' order by id`
	}
	rows, err := tx.Query(`select ` + columns + ` from replay_job` + where)
	return store.List(rows, err, d.scan)
}
