package quarantine

import (
	"context"
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/once"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// sealed is what of a held record is kept sealed.
type sealed struct {
	Body     json.RawMessage `json:"body"`
	Key      string          `json:"key,omitempty"`
	Problems []reeve.Problem `json:"problems,omitempty"`
}

func (w *Ward) pack(h Held) ([]byte, error) {
	b, err := json.Marshal(sealed{h.Body, h.Key, h.Problems})
	if err != nil {
		return nil, err
	}
	return seal.Pack(w.o.Keys, b, []byte("quarantine/"+h.ID))
}

func (w *Ward) unpack(id reeve.RecordID, b []byte, h *Held) error {
	plain, err := seal.Unpack(w.o.Keys, b, []byte("quarantine/"+id))
	if err != nil {
		return err
	}
	var s sealed
	if err := json.Unmarshal(plain, &s); err != nil {
		return err
	}
	h.Body, h.Key, h.Problems = s.Body, s.Key, s.Problems
	return nil
}

func hashOrNull(h once.Hash) any {
	if h.Zero() {
		return nil
	}
	return h[:]
}

func (w *Ward) insert(tx *store.Tx, h Held) error {
	body, err := w.pack(h)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into quarantine_held
		(n, id, state, type, sender, waits, submission, set_hash, lane, known, sent, at, problems, body, became, settled, settled_by)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', 0, '')`,
		h.N, string(h.ID), string(h.State), string(h.Type), h.Sender, string(h.Waits), h.Submission, h.Set,
		hashOrNull(h.Lane), hashOrNull(h.Known), h.Sent[:], h.At, len(h.Problems), body)
	if err != nil {
		return err
	}
	return w.enlist(tx, h)
}

func (w *Ward) update(tx *store.Tx, h Held) error {
	body, err := w.pack(h)
	if err != nil {
		return err
	}
	var reason any
	if h.Reason != "" {
		if reason, err = seal.Pack(w.o.Keys, []byte(h.Reason), []byte("quarantine/reason/"+h.ID)); err != nil {
			return err
		}
	}
	var settled int64
	if !h.Settled.IsZero() {
		settled = h.Settled.UnixMilli()
	}
	_, err = tx.Exec(`update quarantine_held set state = ?, waits = ?, lane = ?, known = ?, problems = ?, body = ?, became = ?, settled = ?,
		settled_by = ?, reason = ? where n = ?`, string(h.State), string(h.Waits), hashOrNull(h.Lane), hashOrNull(h.Known), len(h.Problems), body,
		string(h.Became), settled, h.SettledBy, reason, h.N)
	if err != nil {
		return err
	}
	return w.relist(tx, h)
}

func (w *Ward) waitFor(tx *store.Tx, n int64, id reeve.RecordID) error {
	_, err := tx.Exec(`update quarantine_held set waits = ? where n = ?`, string(id), n)
	return err
}

const heldColumns = `n, id, state, type, sender, waits, submission, set_hash, lane, known, sent, at, body, became, settled, settled_by, reason, correction`

type scanner interface{ Scan(dest ...any) error }

func (w *Ward) scan(r scanner) (Held, error) {
	var h Held
	var at, settled int64
	var lane, known, sent, body, reason []byte
	err := r.Scan(&h.N, &h.ID, &h.State, &h.Type, &h.Sender, &h.Waits, &h.Submission, &h.Set, &lane, &known, &sent, &at, &body,
		&h.Became, &settled, &h.SettledBy, &reason, &h.Correction)
	if err != nil {
		return h, err
	}
	h.Type, h.Sender = w.present(h.Type, h.Sender)
	copy(h.Lane[:], lane)
	copy(h.Known[:], known)
	copy(h.Sent[:], sent)
	h.At = time.UnixMilli(at).UTC()
	if settled != 0 {
		h.Settled = time.UnixMilli(settled).UTC()
	}
	if len(reason) > 0 {
		plain, err := seal.Unpack(w.o.Keys, reason, []byte("quarantine/reason/"+h.ID))
		if err != nil {
			return h, err
		}
		h.Reason = string(plain)
	}
	return h, w.unpack(h.ID, body, &h)
}

func (w *Ward) load(tx *store.Tx, n int64) (Held, error) {
	h, err := w.scan(tx.QueryRow(`select `+heldColumns+` from quarantine_held where n = ?`, n))
	if errors.Is(err, sql.ErrNoRows) {
		return h, reeve.E(reeve.NotFound, "quarantine.Get", "no held record has number %d", n)
	}
	return h, err
}

// laneItem is an open record of a strict type.
type laneItem struct {
	N    int64
	ID   reeve.RecordID
	Lane once.Hash
}

// lanes are the open records of some lanes, oldest first.
func lanes(tx *store.Tx, of []once.Hash) ([]laneItem, error) {
	var out []laneItem
	for len(of) > 0 {
		part := of[:min(400, len(of))]
		of = of[len(part):]
		lanes := make([][]byte, len(part))
		for i := range part {
			lanes[i] = part[i][:]
		}
		in, args := store.In("lane", lanes)
		rows, err := tx.Query(`select n, id, lane from quarantine_held where `+in+` and state = 'held' order by n`, args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var l laneItem
			var lane []byte
			if err := rows.Scan(&l.N, &l.ID, &lane); err != nil {
				rows.Close()
				return nil, err
			}
			copy(l.Lane[:], lane)
			out = append(out, l)
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Filter chooses what a list shows; empty fields choose everything.
type Filter struct {
	State  State // "" is Open
	Type   reeve.RecordType
	Sender string
	After  int64 // numbers above this
	Max    int   // 0: 50
}

// lineage is every id that a definition has or had, the present one first.
func (w *Ward) lineage(kind, id string) []string {
	if w.o.Lineage == nil {
		return []string{id}
	}
	return w.o.Lineage(kind, id)
}

// present is what a type and a sender are called now.
func (w *Ward) present(t reeve.RecordType, sender string) (reeve.RecordType, string) {
	return reeve.RecordType(w.lineage("RecordType", string(t))[0]), w.lineage("Organisation", sender)[0]
}

// among is one more condition: that a column holds one of several ids.
func among(column string, ids []string) (string, []any) {
	in, args := store.In(column, ids)
	return " and " + in, args
}

func (w *Ward) where(f Filter) (string, []any) {
	if f.State == "" {
		f.State = Open
	}
	q, args := ` where state = ?`, []any{string(f.State)}
	if f.Type != "" {
		in, ids := among("type", w.lineage("RecordType", string(f.Type)))
		q, args = q+in, append(args, ids...)
	}
	if f.Sender != "" {
		in, ids := among("sender", w.lineage("Organisation", f.Sender))
		q, args = q+in, append(args, ids...)
	}
	if f.Max <= 0 {
		f.Max = 50
	}
	return q + ` and n > ? order by n limit ?`, append(args, f.After, f.Max)
}

// List returns held records, oldest first.
func (w *Ward) List(ctx context.Context, f Filter) (out []Held, err error) {
	where, args := w.where(f)
	err = w.o.DB.View(ctx, func(tx *store.Tx) error {
		out, err = w.list(tx, `select `+heldColumns+` from quarantine_held`+where, args...)
		return err
	})
	return out, err
}

func (w *Ward) list(tx *store.Tx, q string, args ...any) ([]Held, error) {
	rows, err := tx.Query(q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Held
	for rows.Next() {
		h, err := w.scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, rows.Err()
}

// Since calls fn for every record that was held under a number above after.
func (w *Ward) Since(ctx context.Context, after int64, fn func(Held) error) error {
	for {
		var hs []Held
		err := w.o.DB.View(ctx, func(tx *store.Tx) (err error) {
			hs, err = w.list(tx, `select `+heldColumns+` from quarantine_held where n > ? order by n limit 500`, after)
			return err
		})
		if err != nil || len(hs) == 0 {
			return err
		}
		for _, h := range hs {
			if err := fn(h); err != nil {
				return err
			}
			after = h.N
		}
	}
}

// Count is how many records of a sender and type are held or parked.
type Count struct {
	Type   reeve.RecordType
	Sender string
	Held   int
	Parked int
	Flows  map[string]int // the parked ones by flow
	Oldest time.Time
}

// Counts tells what is open, by type and sender; party "" is everybody.
func (w *Ward) Counts(ctx context.Context, party string) (out []Count, err error) {
	err = w.o.DB.View(ctx, func(tx *store.Tx) error {
		out, err = w.counts(tx, party)
		return err
	})
	return out, err
}

func (w *Ward) counts(tx *store.Tx, party string) ([]Count, error) {
	only, args := "", []any{}
	if party != "" {
		only, args = among("sender", w.lineage("Organisation", party))
		args = append(args, args...)
	}
	rows, err := tx.Query(`select type, sender, flow, sum(n), min(at) from (
		select type, sender, '' as flow, 1 as n, at from quarantine_held where state = 'held'`+only+`
		union all select type, sender, flow, 1 as n, at from quarantine_parked where state = 'held'`+only+`) as open_ones
		group by type, sender, flow order by type, sender, flow`, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Count
	for rows.Next() {
		c, flow, n, at := Count{Flows: map[string]int{}}, "", 0, int64(0)
		if err := rows.Scan(&c.Type, &c.Sender, &flow, &n, &at); err != nil {
			return nil, err
		}
		c.Type, c.Sender = w.present(c.Type, c.Sender)
		i := slices.IndexFunc(out, func(o Count) bool { return o.Type == c.Type && o.Sender == c.Sender })
		if i < 0 {
			i, out = len(out), append(out, c)
		}
		o, oldest := &out[i], time.UnixMilli(at).UTC()
		if o.Oldest.IsZero() || oldest.Before(o.Oldest) {
			o.Oldest = oldest
		}
		if flow == "" {
			o.Held += n
		} else {
			o.Parked, o.Flows[flow] = o.Parked+n, o.Flows[flow]+n
		}
	}
	return out, rows.Err()
}

func (w *Ward) putParked(tx *store.Tx, p Parked) error {
	plain, err := json.Marshal(p.Problems)
	if err != nil {
		return err
	}
	problems, err := seal.Pack(w.o.Keys, plain, []byte("quarantine/parked/"+p.ID))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into quarantine_parked (flow, n, id, state, type, sender, cause, at, problems, settled, settled_by)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '') on conflict (flow, n) do update set state = excluded.state, cause = excluded.cause, at = excluded.at,
		problems = excluded.problems, settled = 0, settled_by = ''`,
		p.Flow, p.N, string(p.ID), string(p.State), string(p.Type), p.Sender, p.Cause, p.At, problems)
	return err
}

func settleParked(tx *store.Tx, flow string, n int64, s State, by string) error {
	_, err := tx.Exec(`update quarantine_parked set state = ?, settled = ?, settled_by = ? where flow = ? and n = ? and state = 'held'`,
		string(s), tx.Now, by, flow, n)
	return err
}

const parkedColumns = `flow, n, id, state, type, sender, cause, at, problems, settled, settled_by`

func (w *Ward) scanParked(r scanner) (Parked, error) {
	var p Parked
	var at, settled int64
	var problems []byte
	if err := r.Scan(&p.Flow, &p.N, &p.ID, &p.State, &p.Type, &p.Sender, &p.Cause, &at, &problems, &settled, &p.By); err != nil {
		return p, err
	}
	p.Type, p.Sender = w.present(p.Type, p.Sender)
	p.At = time.UnixMilli(at).UTC()
	if settled != 0 {
		p.Settled = time.UnixMilli(settled).UTC()
	}
	plain, err := seal.Unpack(w.o.Keys, problems, []byte("quarantine/parked/"+p.ID))
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(plain, &p.Problems)
}

func (w *Ward) parked(tx *store.Tx, flow string, n int64) (Parked, error) {
	p, err := w.scanParked(tx.QueryRow(`select `+parkedColumns+` from quarantine_parked where flow = ? and n = ?`, flow, n))
	if errors.Is(err, sql.ErrNoRows) {
		return p, reeve.E(reeve.NotFound, "quarantine.Parked", "record %d is not parked in %s", n, flow)
	}
	return p, err
}

// Parked returns a record that is or was parked in a flow, or NotFound.
func (w *Ward) Parked(ctx context.Context, flow string, n int64) (p Parked, err error) {
	err = w.o.DB.View(ctx, func(tx *store.Tx) error {
		p, err = w.parked(tx, flow, n)
		return err
	})
	return p, err
}

// ListParked returns parked records, oldest number first.
func (w *Ward) ListParked(ctx context.Context, f Filter) (out []Parked, err error) {
	where, args := w.where(f)
	err = w.o.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`select `+parkedColumns+` from quarantine_parked`+where, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			p, err := w.scanParked(rows)
			if err != nil {
				return err
			}
			out = append(out, p)
		}
		return rows.Err()
	})
	return out, err
}
