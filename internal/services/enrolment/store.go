package enrolment

import (
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

const columns = `id, benefit, person, recipient, household, state, before_stop, stopped_by, starts, choose_until, opened, changed, defs`

func scan(from func(...any) error) (e Enrolment, err error) {
	var starts, until, opened, changed int64
	err = from(&e.ID, &e.Benefit, &e.Person, &e.Recipient, &e.Household, &e.State, &e.beforeStop, &e.stoppedBy, &starts, &until, &opened, &changed, &e.Set)
	for to, ms := range map[*time.Time]int64{&e.Starts: starts, &e.ChooseUntil: until, &e.Opened: opened, &e.Changed: changed} {
		*to = time.UnixMilli(ms).UTC()
	}
	return e, err
}

func list(rows *store.Rows, err error) ([]Enrolment, error) {
	return store.List(rows, err, scan)
}

func insert(tx *store.Tx, e Enrolment, tokenHash string) (id int64, err error) {
	if err := tx.QueryRow(`select coalesce(max(id), 0) + 1 from enrolment`).Scan(&id); err != nil {
		return 0, err
	}
	ms := tx.Now.UnixMilli()
	_, err = tx.Exec(`insert into enrolment (id, benefit, person, recipient, household, state, before_stop, stopped_by, starts, choose_until, token_hash, opened, changed, defs)
		values (?, ?, ?, ?, ?, ?, '', '', ?, ?, ?, ?, ?, ?)`,
		id, e.Benefit, string(e.Person), string(e.Recipient), e.Household, e.State, e.Starts.UnixMilli(), e.ChooseUntil.UnixMilli(), tokenHash, ms, ms, e.Set)
	return id, err
}

func get(tx *store.Tx, id int64) (Enrolment, bool, error) {
	return store.Maybe(scan(tx.QueryRow(`select `+columns+` from enrolment where id = ?`, id).Scan))
}

func byToken(tx *store.Tx, hash string) (Enrolment, bool, error) {
	return store.Maybe(scan(tx.QueryRow(`select `+columns+` from enrolment where token_hash = ?`, hash).Scan))
}

func byPerson(tx *store.Tx, benefit string, p reeve.PersonID) (Enrolment, bool, error) {
	return store.Maybe(scan(tx.QueryRow(`select `+columns+` from enrolment where benefit = ? and person = ?`, benefit, string(p)).Scan))
}

func ofPerson(tx *store.Tx, p reeve.PersonID) ([]Enrolment, error) {
	return list(tx.Query(`select `+columns+` from enrolment where person = ? order by id`, string(p)))
}

// concerning returns the enrolments of a person, and those they are told of.
func concerning(tx *store.Tx, p reeve.PersonID) ([]Enrolment, error) {
	return list(tx.Query(`select `+columns+` from enrolment where person = ? or recipient = ? order by id`, string(p), string(p)))
}

func stoppedBy(tx *store.Tx, ref reeve.Ref) ([]Enrolment, error) {
	return list(tx.Query(`select `+columns+` from enrolment where stopped_by = ? order by id`, string(ref)))
}

func save(tx *store.Tx, e Enrolment) error {
	_, err := tx.Exec(`update enrolment set state = ?, before_stop = ?, stopped_by = ?, starts = ?, choose_until = ?, changed = ? where id = ?`,
		e.State, e.beforeStop, string(e.stoppedBy), e.Starts.UnixMilli(), e.ChooseUntil.UnixMilli(), tx.Now.UnixMilli(), e.ID)
	return err
}

func setToken(tx *store.Tx, id int64, hash string) error {
	_, err := tx.Exec(`update enrolment set token_hash = ? where id = ?`, hash, id)
	return err
}

func repointPerson(tx *store.Tx, id int64, to reeve.PersonID) error {
	_, err := tx.Exec(`update enrolment set person = ? where id = ?`, string(to), id)
	return err
}

func repointRecipient(tx *store.Tx, from, to reeve.PersonID) error {
	_, err := tx.Exec(`update enrolment set recipient = ? where recipient = ?`, string(to), string(from))
	return err
}

func counts(tx *store.Tx) (map[string]int, error) {
	rows, err := tx.Query(`select state, count(*) from enrolment group by state`)
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
