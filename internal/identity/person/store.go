package person

import (
	"database/sql"
	"errors"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

type row struct {
	id       reeve.PersonID
	alias    reeve.PersonID
	standing string
	sealed   []byte
}

func insertPerson(tx *store.Tx, id reeve.PersonID, sealed []byte) error {
	_, err := tx.Exec(`insert into person (id, alias_of, standing, sealed, created) values (?, '', ?, ?, ?)`, string(id), Living, sealed, tx.Now.UnixMilli())
	return err
}

func getPerson(tx *store.Tx, id reeve.PersonID) (p row, err error) {
	err = tx.QueryRow(`select id, alias_of, standing, sealed from person where id = ?`, string(id)).Scan(&p.id, &p.alias, &p.standing, &p.sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return p, reeve.E(reeve.NotFound, "identity.person", "there is no person %s", id)
	}
	return p, err
}

func setSealed(tx *store.Tx, id reeve.PersonID, sealed []byte) error {
	_, err := tx.Exec(`update person set sealed = ? where id = ?`, sealed, string(id))
	return err
}

func setStanding(tx *store.Tx, id reeve.PersonID, standing string) error {
	_, err := tx.Exec(`update person set standing = ? where id = ?`, standing, string(id))
	return err
}

// setAlias makes id, and whatever was an alias of it, an alias of into.
func setAlias(tx *store.Tx, id, into reeve.PersonID) error {
	_, err := tx.Exec(`update person set alias_of = ? where id = ? or alias_of = ?`, string(into), string(id), string(id))
	return err
}

func scanIDs(rows *store.Rows, err error) (ids []reeve.PersonID, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id reeve.PersonID
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func addKey(tx *store.Tx, hash string, id reeve.PersonID) error {
	_, err := tx.Exec(`insert into person_key (hash, person) values (?, ?) on conflict do nothing`, hash, string(id))
	return err
}

func dropKeys(tx *store.Tx, id reeve.PersonID) error {
	_, err := tx.Exec(`delete from person_key where person = ?`, string(id))
	return err
}

func byKey(tx *store.Tx, hash string) ([]reeve.PersonID, error) {
	return scanIDs(tx.Query(`select person from person_key where hash = ? order by person limit 50`, hash))
}

func insertMatch(tx *store.Tx, person reeve.PersonID, why, source string) (id int64, err error) {
	if err := tx.QueryRow(`select coalesce(max(id), 0) + 1 from person_match`).Scan(&id); err != nil {
		return 0, err
	}
	_, err = tx.Exec(`insert into person_match (id, person, why, source, state, same_as, opened, decided, decided_by) values (?, ?, ?, ?, 'open', '', ?, 0, '')`,
		id, string(person), why, source, tx.Now.UnixMilli())
	return id, err
}

func addCandidate(tx *store.Tx, match int64, person reeve.PersonID, why string) error {
	_, err := tx.Exec(`insert into person_candidate (match_id, person, why) values (?, ?, ?) on conflict do nothing`, match, string(person), why)
	return err
}

func openMatchOf(tx *store.Tx, person reeve.PersonID) (id int64, err error) {
	err = tx.QueryRow(`select id from person_match where person = ? and state = 'open' order by id limit 1`, string(person)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

func countOpen(tx *store.Tx) (n int, err error) {
	err = tx.QueryRow(`select count(*) from person_match where state = 'open'`).Scan(&n)
	return n, err
}

const matchColumns = `id, person, why, source, state, same_as, opened, decided, decided_by`

func scanMatch(scan func(...any) error) (m Match, err error) {
	var opened, decided int64
	err = scan(&m.ID, &m.Person, &m.Why, &m.Source, &m.State, &m.SameAs, &opened, &decided, &m.DecidedBy)
	m.Opened = time.UnixMilli(opened).UTC()
	if decided != 0 {
		m.Decided = time.UnixMilli(decided).UTC()
	}
	return m, err
}

func getMatch(tx *store.Tx, id int64) (Match, error) {
	m, err := scanMatch(tx.QueryRow(`select `+matchColumns+` from person_match where id = ?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return m, reeve.E(reeve.NotFound, "identity.person.Match", "there is no match %d", id)
	}
	return m, err
}

func listMatches(tx *store.Tx, open bool, limit int) (ms []Match, err error) {
	q := `select ` + matchColumns + ` from person_match where state = 'open' order by id limit ?`
	if !open {
		q = `select ` + matchColumns + ` from person_match where state <> 'open' order by decided desc limit ?`
	}
	rows, err := tx.Query(q, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		m, err := scanMatch(rows.Scan)
		if err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, rows.Err()
}

func candidates(tx *store.Tx, match int64) (cs []candidate, err error) {
	rows, err := tx.Query(`select person, why from person_candidate where match_id = ? order by person`, match)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var c candidate
		if err := rows.Scan(&c.id, &c.why); err != nil {
			return nil, err
		}
		cs = append(cs, c)
	}
	return cs, rows.Err()
}

func decideMatch(tx *store.Tx, id int64, state string, same reeve.PersonID, by string) error {
	_, err := tx.Exec(`update person_match set state = ?, same_as = ?, decided = ?, decided_by = ? where id = ?`, state, string(same), tx.Now.UnixMilli(), by, id)
	return err
}
