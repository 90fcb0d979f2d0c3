package flow

import (
	"database/sql"
	"embed"
	"errors"
	"time"

	"github.com/reeve-civic/reeve/internal/exchange/delivery"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// cursor is how far a flow has come.
type cursor struct {
	position               int64 // number of the last record it dealt with
	sent, filtered, parked int64
	seen                   time.Time // when it last dealt with a record; zero for never
	since                  time.Time // when it was deployed; zero for not known
	stopped                string    // why it stands still, ""
}

func readCursor(tx *store.Tx, flow string) (c cursor, ok bool, err error) {
	var seen, since int64
	err = tx.QueryRow(`select position, sent, filtered, parked, seen, stopped, since from flow_cursor where flow = ?`, flow).
		Scan(&c.position, &c.sent, &c.filtered, &c.parked, &seen, &c.stopped, &since)
	c.seen, c.since = store.Moment(seen), store.Moment(since)
	return store.Maybe(c, err)
}

func insertCursor(tx *store.Tx, flow string, position int64) error {
	_, err := tx.Exec(`insert into flow_cursor (flow, position, sent, filtered, parked, seen, stopped, since) values (?,?,0,0,0,0,'',?)`, flow, position, tx.Now)
	return err
}

func saveCursor(tx *store.Tx, flow string, c cursor) error {
	_, err := tx.Exec(`update flow_cursor set position = ?, sent = ?, filtered = ?, parked = ?, seen = ? where flow = ?`,
		c.position, c.sent, c.filtered, c.parked, tx.Now, flow)
	return err
}

func saveStopped(tx *store.Tx, flow, why string) error {
	_, err := tx.Exec(`update flow_cursor set stopped = ? where flow = ?`, why, flow)
	return err
}

func renameFlow(tx *store.Tx, old, flow string) error {
	for _, table := range []string{"cursor", "decision", "again", "replay", "gate"} {
		if _, err := tx.Exec(`update flow_`+table+` set flow = ? where flow = ?`, flow, old); err != nil {
			return err
		}
	}
	return nil
}

// insertDecisions keeps which records of a batch went nowhere, and why.
func insertDecisions(tx *store.Tx, flow string, first, last int64, by map[Decision][]int64) error {
	var bits []byte
	for d := Filtered; d <= Elsewhere; d++ {
		bits = append(bits, delivery.EncodeNumbers(by[d])...)
	}
	_, err := tx.Exec(`insert into flow_decision (flow, last, first, at, bits) values (?,?,?,?,?)`, flow, last, first, tx.Now, bits)
	return err
}

// findDecision is what the flow made of record n when it first came past, if it
// was not sent.
func findDecision(tx *store.Tx, flow string, n int64) (d Decision, at time.Time, ok bool, err error) {
	var first, ms int64
	var bits []byte
	err = tx.QueryRow(`select first, at, bits from flow_decision where flow = ? and last >= ? order by last limit 1`, flow, n).Scan(&first, &ms, &bits)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, at, false, nil
	}
	if err != nil || first > n {
		return 0, at, false, err
	}
	for d = Filtered; d <= Elsewhere; d++ {
		var ns []int64
		if ns, bits, err = delivery.DecodeNumbers(bits); err != nil {
			return 0, at, false, err
		}
		for _, m := range ns {
			if m == n {
				return d, time.UnixMilli(ms).UTC(), true, nil
			}
		}
	}
	return 0, at, false, nil
}

func setAgain(tx *store.Tx, flow string, n int64, d Decision) error {
	_, err := tx.Exec(`insert into flow_again (flow, n, decision, at) values (?,?,?,?)
		on conflict (flow, n) do update set decision = excluded.decision, at = excluded.at`, flow, n, int(d), tx.Now)
	return err
}

func clearAgain(tx *store.Tx, flow string, n int64) error {
	_, err := tx.Exec(`delete from flow_again where flow = ? and n = ?`, flow, n)
	return err
}

func findAgain(tx *store.Tx, flow string, n int64) (d Decision, at time.Time, ok bool, err error) {
	var ms int64
	var x int
	err = tx.QueryRow(`select decision, at from flow_again where flow = ? and n = ?`, flow, n).Scan(&x, &ms)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, at, false, nil
	}
	return Decision(x), time.UnixMilli(ms).UTC(), err == nil, err
}

func setReplay(tx *store.Tx, flow string, n, number int64) error {
	_, err := tx.Exec(`insert into flow_replay (flow, n, replay) values (?,?,?) on conflict (flow, n) do update set replay = excluded.replay`, flow, n, number)
	return err
}

// replays are the numbers under which records are sent again, by their own.
func replays(tx *store.Tx, flow string, ns []int64) (map[int64]int64, error) {
	out := map[int64]int64{}
	for _, n := range ns {
		var number int64
		err := tx.QueryRow(`select replay from flow_replay where flow = ? and n = ?`, flow, n).Scan(&number)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out[n] = number
	}
	return out, nil
}
