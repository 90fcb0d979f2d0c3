package quarantine

import (
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// relist lists a record under its mistakes as long as it is open.
func (w *Ward) relist(tx *store.Tx, h Held) error {
	if _, err := tx.Exec(`delete from quarantine_mistake where n = ?`, h.N); err != nil || h.State != Open {
		return err
	}
	return w.enlist(tx, h)
}

func (w *Ward) enlist(tx *store.Tx, h Held) error {
	for id, p := range w.mistakes(h) {
		if _, err := tx.Exec(`insert into quarantine_mistake (mistake, n, at) values (?, ?, ?) on conflict do nothing`, id, h.N, h.At); err != nil {
			return err
		}
		var known int
		err := tx.QueryRow(`select 1 from quarantine_label where mistake = ?`, id).Scan(&known)
		if err == nil {
			continue
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		plain, err := json.Marshal(p)
		if err != nil {
			return err
		}
		label, err := seal.Pack(w.o.Keys, plain, []byte("quarantine/mistake/"+id))
		if err != nil {
			return err
		}
		if _, err := tx.Exec(`insert into quarantine_label (mistake, type, sender, label) values (?, ?, ?, ?) on conflict do nothing`,
			id, string(h.Type), h.Sender, label); err != nil {
			return err
		}
	}
	return nil
}

func (w *Ward) scanMistake(from func(...any) error) (Mistake, error) {
	var m Mistake
	var label []byte
	var oldest int64
	if err := from(&m.ID, &m.Type, &m.Sender, &label, &m.Count, &oldest); err != nil {
		return m, err
	}
	if oldest > 0 {
		m.Oldest = time.UnixMilli(oldest).UTC()
	}
	m.Type, m.Sender = w.present(m.Type, m.Sender)
	plain, err := seal.Unpack(w.o.Keys, label, []byte("quarantine/mistake/"+m.ID))
	if err != nil {
		return m, err
	}
	var p reeve.Problem
	err = json.Unmarshal(plain, &p)
	m.Path, m.Message = p.Path, p.Message
	return m, err
}

func (w *Ward) listMistakes(tx *store.Tx, party string, limit int) ([]Mistake, error) {
	only, args := "", []any{}
	if party != "" {
		only, args = among("l.sender", w.lineage("Organisation", party))
	}
	rows, err := tx.Query(`select l.mistake, l.type, l.sender, l.label, c.open_ones, c.oldest from
		(select mistake, count(*) as open_ones, min(at) as oldest from quarantine_mistake group by mistake) c
		join quarantine_label l on l.mistake = c.mistake where 1 = 1`+only+` order by c.open_ones desc, c.oldest, l.mistake limit ?`, append(args, limit)...)
	return store.List(rows, err, w.scanMistake)
}

// MistakeTx is Mistake in a transaction.
func (w *Ward) MistakeTx(tx *store.Tx, id string) (Mistake, error) {
	m, ok, err := store.Maybe(w.scanMistake(tx.QueryRow(`select l.mistake, l.type, l.sender, l.label,
		(select count(*) from quarantine_mistake m where m.mistake = l.mistake),
		(select coalesce(min(m.at), 0) from quarantine_mistake m where m.mistake = l.mistake)
		from quarantine_label l where l.mistake = ?`, id).Scan))
	if err == nil && !ok {
		err = reeve.E(reeve.NotFound, "quarantine.Mistake", "there is no such group of held records")
	}
	return m, err
}

func (w *Ward) having(tx *store.Tx, mistake string, after int64, limit int) ([]Held, error) {
	return w.list(tx, `select `+heldColumns+` from quarantine_held where n in
		(select n from quarantine_mistake where mistake = ? and n > ?) and state = 'held' and correction = 0 order by n limit ?`, mistake, after, limit)
}

// unlisted are open records with problems that are listed under none.
func (w *Ward) unlisted(tx *store.Tx, after int64) ([]Held, error) {
	return w.list(tx, `select `+heldColumns+` from quarantine_held where state = 'held' and problems > 0 and n > ?
		and not exists (select 1 from quarantine_mistake m where m.n = quarantine_held.n) order by n limit 500`, after)
}

func setCorrection(tx *store.Tx, n, correction int64) error {
	_, err := tx.Exec(`update quarantine_held set correction = ? where n = ?`, correction, n)
	return err
}

// took is how long records were held that went on since a moment.
func (w *Ward) took(tx *store.Tx, since time.Time, party string) (map[reeve.RecordType][]time.Duration, error) {
	only, args := "", []any{since}
	if party != "" {
		in, ids := among("sender", w.lineage("Organisation", party))
		only, args = in, append(args, ids...)
	}
	rows, err := tx.Query(`select type, at, settled from quarantine_held where settled > 0 and settled >= ? and state = 'released'`+only+
		` order by settled desc limit 20000`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[reeve.RecordType][]time.Duration{}
	for rows.Next() {
		var t reeve.RecordType
		var at, settled int64
		if err := rows.Scan(&t, &at, &settled); err != nil {
			return nil, err
		}
		t, _ = w.present(t, "")
		d := time.Duration(settled-at) * time.Millisecond
		out[t], out[""] = append(out[t], d), append(out[""], d)
	}
	return out, rows.Err()
}
