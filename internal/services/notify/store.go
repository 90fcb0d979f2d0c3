package notify

import (
	"database/sql"
	"errors"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

const columns = `id, n, template, channel, person, of_person, about, state, reason, tries, unclear, remote, sealed, created, changed`

func scan(from func(...any) error) (m Message, err error) {
	var unclear, created, changed int64
	err = from(&m.ID, &m.N, &m.Template, &m.Channel, &m.Person, &m.Of, &m.About, &m.State, &m.Reason, &m.Tries, &unclear, &m.remote, &m.sealed, &created, &changed)
	m.unclear = unclear != 0
	m.Created, m.Changed = time.UnixMilli(created).UTC(), time.UnixMilli(changed).UTC()
	return m, err
}

func list(rows *store.Rows, err error) ([]Message, error) {
	return store.List(rows, err, scan)
}

func insert(tx *store.Tx, m Message, once string) error {
	var n int64
	if err := tx.QueryRow(`select coalesce(max(n), 0) + 1 from message`).Scan(&n); err != nil {
		return err
	}
	if once == "" {
		once = m.ID
	}
	ms := tx.Now.UnixMilli()
	_, err := tx.Exec(`insert into message (id, n, template, channel, person, of_person, about, once_key, state, reason, tries, unclear, due, remote, sealed, created, changed)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, '', ?, ?, ?)`,
		m.ID, n, m.Template, m.Channel, string(m.Person), string(m.Of), string(m.About), once, m.State, m.Reason, ms, m.sealed, ms, ms)
	return err
}

func byOnce(tx *store.Tx, once string) (id string, err error) {
	if once == "" {
		return "", nil
	}
	err = tx.QueryRow(`select id from message where once_key = ?`, once).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

func setOnce(tx *store.Tx, id, once string) error {
	_, err := tx.Exec(`update message set once_key = ? where id = ?`, once, id)
	return err
}

func get(tx *store.Tx, id string) (Message, error) {
	m, err := scan(tx.QueryRow(`select `+columns+` from message where id = ?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return m, reeve.E(reeve.NotFound, "services.notify", "there is no message %s", id)
	}
	return m, err
}

func byRemote(tx *store.Tx, remote string) (Message, bool, error) {
	m, err := scan(tx.QueryRow(`select `+columns+` from message where remote = ?`, remote).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return m, false, nil
	}
	return m, err == nil, err
}

// due returns messages to send: queued ones, and those whose claim ran out.
func due(tx *store.Tx, max int) ([]Message, error) {
	return list(tx.Query(`select `+columns+` from message where state in ('queued', 'sending') and due <= ? order by n limit ?`, tx.Now.UnixMilli(), max))
}

// toAsk returns accepted messages whose delivery should be asked about.
func toAsk(tx *store.Tx, max int) ([]Message, error) {
	return list(tx.Query(`select `+columns+` from message where state = 'accepted' and due <= ? order by n limit ?`, tx.Now.UnixMilli(), max))
}

func waitingFor(tx *store.Tx, p reeve.PersonID) ([]Message, error) {
	return list(tx.Query(`select `+columns+` from message where state = 'queued' and (person = ? or of_person = ?) order by n`, string(p), string(p)))
}

func waitingAbout(tx *store.Tx, ref reeve.Ref) ([]Message, error) {
	return list(tx.Query(`select `+columns+` from message where state = 'queued' and about = ? order by n`, string(ref)))
}

func latest(tx *store.Tx, state string, before int64, max int) ([]Message, error) {
	if before == 0 {
		before = 1 << 62
	}
	if state == "" {
		return list(tx.Query(`select `+columns+` from message where n < ? order by n desc limit ?`, before, max))
	}
	return list(tx.Query(`select `+columns+` from message where state = ? and n < ? order by n desc limit ?`, state, before, max))
}

// doubt takes what was queued before a time for perhaps sent.
func doubt(tx *store.Tx, before time.Time) error {
	_, err := tx.Exec(`update message set state = 'sending', unclear = 1, changed = ? where state = 'queued' and created < ? and changed < ?`, tx.Now, before, before)
	return err
}

func setState(tx *store.Tx, m Message, due time.Time) error {
	unclear := 0
	if m.unclear {
		unclear = 1
	}
	_, err := tx.Exec(`update message set state = ?, reason = ?, tries = ?, unclear = ?, due = ?, remote = ?, changed = ? where id = ?`,
		m.State, m.Reason, m.Tries, unclear, due.UnixMilli(), m.remote, tx.Now.UnixMilli(), m.ID)
	return err
}

func repoint(tx *store.Tx, from, to reeve.PersonID) error {
	if _, err := tx.Exec(`update message set person = ? where person = ?`, string(to), string(from)); err != nil {
		return err
	}
	_, err := tx.Exec(`update message set of_person = ? where of_person = ?`, string(to), string(from))
	return err
}

func counts(tx *store.Tx) (map[string]int, error) {
	rows, err := tx.Query(`select state, count(*) from message group by state`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]int{}
	for rows.Next() {
		var s string
		var n int
		if err := rows.Scan(&s, &n); err != nil {
			return nil, err
		}
		all[s] = n
	}
	return all, rows.Err()
}

// toErase finds a few ended messages from before a time whose text is still kept.
func toErase(tx *store.Tx, before time.Time) (found bool, err error) {
	var n int
	err = tx.QueryRow(`select count(*) from message where changed < ? and sealed is not null and state not in ('queued', 'sending')`, before.UnixMilli()).Scan(&n)
	return n > 0, err
}

// erase forgets text and address of messages that ended before a time, and of
// those of which no delivery was ever learned.
func erase(tx *store.Tx, before time.Time) (n int64, err error) {
	res, err := tx.Exec(`update message set sealed = null where changed < ? and sealed is not null and state not in ('queued', 'sending')`, before.UnixMilli())
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
