package lifeevent

import (
	"fmt"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

const columns = `id, kind, person, state, history, occurred, sources, opened, changed, defs`

// shelf is where life events stand. When one happened is sealed: that somebody has
// died on a day says much about them.
type shelf struct{ keys *seal.Keys }

func (s shelf) scan(from func(...any) error) (e Event, err error) {
	var history, opened, changed int64
	var occurred []byte
	if err := from(&e.ID, &e.Kind, &e.Person, &e.State, &history, &occurred, &e.Sources, &opened, &changed, &e.Set); err != nil {
		return e, err
	}
	day, err := s.keys.Open(occurred, sealedFor(e.ID))
	e.History, e.Occurred = history != 0, string(day)
	e.Opened, e.Changed = time.UnixMilli(opened).UTC(), time.UnixMilli(changed).UTC()
	return e, err
}

func sealedFor(id int64) []byte { return fmt.Appendf(nil, "life_event/%d", id) }

func (s shelf) list(rows *store.Rows, err error) ([]Event, error) {
	return store.List(rows, err, s.scan)
}

func (s shelf) find(tx *store.Tx, kind string, p reeve.PersonID) (Event, bool, error) {
	return store.Maybe(s.scan(tx.QueryRow(`select `+columns+` from life_event where kind = ? and person = ?`, kind, string(p)).Scan))
}

func (s shelf) get(tx *store.Tx, id int64) (Event, bool, error) {
	return store.Maybe(s.scan(tx.QueryRow(`select `+columns+` from life_event where id = ?`, id).Scan))
}

func (s shelf) ofPerson(tx *store.Tx, p reeve.PersonID) ([]Event, error) {
	return s.list(tx.Query(`select `+columns+` from life_event where person = ? order by id`, string(p)))
}

func (s shelf) latest(tx *store.Tx, state string, max int) ([]Event, error) {
	if state == "" {
		return s.list(tx.Query(`select `+columns+` from life_event order by changed desc, id desc limit ?`, max))
	}
	return s.list(tx.Query(`select `+columns+` from life_event where state = ? order by changed desc, id desc limit ?`, state, max))
}

func (s shelf) insert(tx *store.Tx, e Event) (id int64, err error) {
	if err := tx.QueryRow(`select coalesce(max(id), 0) + 1 from life_event`).Scan(&id); err != nil {
		return 0, err
	}
	occurred, err := s.keys.Seal([]byte(e.Occurred), sealedFor(id))
	if err != nil {
		return 0, err
	}
	ms := tx.Now.UnixMilli()
	_, err = tx.Exec(`insert into life_event (id, kind, person, state, history, occurred, sources, opened, changed, defs) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		id, e.Kind, string(e.Person), e.State, flag(e.History), occurred, e.Sources, ms, ms, e.Set)
	return id, err
}

func (s shelf) save(tx *store.Tx, e Event) error {
	occurred, err := s.keys.Seal([]byte(e.Occurred), sealedFor(e.ID))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`update life_event set state = ?, history = ?, occurred = ?, sources = ?, changed = ?, defs = ? where id = ?`,
		e.State, flag(e.History), occurred, e.Sources, tx.Now.UnixMilli(), e.Set, e.ID)
	return err
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

func repoint(tx *store.Tx, id int64, to reeve.PersonID) error {
	_, err := tx.Exec(`update life_event set person = ? where id = ?`, string(to), id)
	return err
}

func drop(tx *store.Tx, id, into int64) error {
	if _, err := tx.Exec(`update life_event_source set life_event = ? where life_event = ?`, into, id); err != nil {
		return err
	}
	_, err := tx.Exec(`delete from life_event where id = ?`, id)
	return err
}

func counts(tx *store.Tx) (map[string]int, error) {
	rows, err := tx.Query(`select state, history, count(*) from life_event group by state, history`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]int{}
	for rows.Next() {
		var s string
		var history int64
		var n int
		if err := rows.Scan(&s, &history, &n); err != nil {
			return nil, err
		}
		if history != 0 {
			all["history"] += n
		} else {
			all[s] += n
		}
	}
	return all, rows.Err()
}

type source struct {
	record   reeve.RecordID
	standing string
	source   string
	at       time.Time
	sealed   []byte
}

func seen(tx *store.Tx, record reeve.RecordID) (bool, error) {
	var n int
	err := tx.QueryRow(`select (select count(*) from life_event_source where record = ?) + (select count(*) from life_event_waiting where record = ?)`, string(record), string(record)).Scan(&n)
	return n > 0, err
}

func addSource(tx *store.Tx, id int64, s source) error {
	_, err := tx.Exec(`insert into life_event_source (life_event, record, standing, source, at, sealed) values (?, ?, ?, ?, ?, ?)`,
		id, string(s.record), s.standing, s.source, s.at.UnixMilli(), s.sealed)
	return err
}

func sources(tx *store.Tx, id int64) (ss []source, err error) {
	rows, err := tx.Query(`select record, standing, source, at, sealed from life_event_source where life_event = ? order by at, record`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s source
		var at int64
		if err := rows.Scan(&s.record, &s.standing, &s.source, &at, &s.sealed); err != nil {
			return nil, err
		}
		s.at = time.UnixMilli(at).UTC()
		ss = append(ss, s)
	}
	return ss, rows.Err()
}

type waiting struct {
	record reeve.RecordID
	n      int64
	source string
	at     time.Time
	sealed []byte
}

func putWaiting(tx *store.Tx, match int64, w waiting) error {
	_, err := tx.Exec(`insert into life_event_waiting (record, match_id, n, source, at, sealed) values (?, ?, ?, ?, ?, ?) on conflict do nothing`,
		string(w.record), match, w.n, w.source, w.at.UnixMilli(), w.sealed)
	return err
}

// takeWaiting returns and forgets what waited for a match, in the order it came.
func takeWaiting(tx *store.Tx, match int64) (ws []waiting, err error) {
	rows, err := tx.Query(`select record, n, source, at, sealed from life_event_waiting where match_id = ? order by n`, match)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var w waiting
		var at int64
		if err := rows.Scan(&w.record, &w.n, &w.source, &at, &w.sealed); err != nil {
			return nil, err
		}
		w.at = time.UnixMilli(at).UTC()
		ws = append(ws, w)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	_, err = tx.Exec(`delete from life_event_waiting where match_id = ?`, match)
	return ws, err
}

func countWaiting(tx *store.Tx) (n int, err error) {
	err = tx.QueryRow(`select count(*) from life_event_waiting`).Scan(&n)
	return n, err
}
