package bus

import (
	"database/sql"
	"embed"
	"errors"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// stored is an event as it is kept.
type stored struct {
	reeve.Event
	cancelled bool
}

func insertEvent(tx *store.Tx, ev reeve.Event) error {
	_, err := tx.Exec(`insert into bus_event (n, type, at, due, subject, about, cause, body) values (?, ?, ?, ?, ?, ?, ?, ?)`,
		int64(ev.ID), ev.Type, ev.Time.UnixMilli(), store.Millis(ev.NotBefore), string(ev.Subject), string(ev.About), int64(ev.Cause), string(ev.Body))
	return err
}

const eventColumns = `e.n, e.type, e.at, e.due, e.subject, e.about, e.cause, e.body, e.cancelled`

// events reads events after a number, in order.
func events(tx *store.Tx, after int64, limit int) ([]stored, error) {
	rows, err := tx.Query(`select `+eventColumns+` from bus_event e where e.n > ? order by e.n limit ?`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []stored
	for rows.Next() {
		ev, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, ev)
	}
	return all, rows.Err()
}

func scan(rows *store.Rows, more ...any) (ev stored, err error) {
	var at, due, cancelled int64
	var body string
	err = rows.Scan(append([]any{&ev.ID, &ev.Type, &at, &due, &ev.Subject, &ev.About, &ev.Cause, &body, &cancelled}, more...)...)
	ev.Time, ev.NotBefore, ev.cancelled = store.Moment(at), store.Moment(due), cancelled != 0
	if body != "" {
		ev.Body = []byte(body)
	}
	return ev, err
}

func cursor(tx *store.Tx, consumer string) (n int64, ok bool, err error) {
	err = tx.QueryRow(`select n from bus_cursor where consumer = ?`, consumer).Scan(&n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return n, err == nil, err
}

func setCursor(tx *store.Tx, consumer string, n int64) error {
	_, err := tx.Exec(`insert into bus_cursor (consumer, n) values (?, ?) on conflict (consumer) do update set n = excluded.n`, consumer, n)
	return err
}

// retry is an event that waits for a consumer: it is not due yet, or failed.
type retry struct {
	consumer string
	tries    int
	due      int64
	dead     bool
	err      string
	stored
}

func putRetry(tx *store.Tx, r retry) error {
	_, err := tx.Exec(`insert into bus_retry (consumer, event, tries, due, dead, error) values (?, ?, ?, ?, ?, ?)
		on conflict (consumer, event) do update set tries = excluded.tries, due = excluded.due, dead = excluded.dead, error = excluded.error`,
		r.consumer, int64(r.ID), r.tries, r.due, r.dead, r.err)
	return err
}

func deleteRetry(tx *store.Tx, consumer string, id reeve.EventID) error {
	_, err := tx.Exec(`delete from bus_retry where consumer = ? and event = ?`, consumer, int64(id))
	return err
}

func due(tx *store.Tx, consumer string, limit int) ([]retry, error) {
	return retries(tx, `r.consumer = ? and r.dead = 0 and r.due <= ? order by r.due, r.event limit ?`, consumer, tx.Now.UnixMilli(), limit)
}

func failed(tx *store.Tx) ([]retry, error) {
	return retries(tx, `r.tries > 0 order by r.event, r.consumer limit 1000`)
}

func retries(tx *store.Tx, where string, args ...any) (all []retry, err error) {
	rows, err := tx.Query(`select `+eventColumns+`, r.consumer, r.tries, r.due, r.dead, r.error
		from bus_retry r join bus_event e on e.n = r.event where `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r retry
		var dead int64
		if r.stored, err = scan(rows, &r.consumer, &r.tries, &r.due, &dead, &r.err); err != nil {
			return nil, err
		}
		r.dead = dead != 0
		all = append(all, r)
	}
	return all, rows.Err()
}

func revive(tx *store.Tx, consumer string, id reeve.EventID) (found bool, err error) {
	res, err := tx.Exec(`update bus_retry set due = ?, dead = 0 where consumer = ? and event = ?`, tx.Now.UnixMilli(), consumer, int64(id))
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

func cancel(tx *store.Tx, about reeve.Ref, types []string) error {
	q, args := `update bus_event set cancelled = 1 where about = ? and due > ?`, []any{string(about), tx.Now.UnixMilli()}
	if len(types) > 0 {
		q += ` and type in (?` + strings.Repeat(`, ?`, len(types)-1) + `)`
		for _, t := range types {
			args = append(args, t)
		}
	}
	_, err := tx.Exec(q, args...)
	return err
}
