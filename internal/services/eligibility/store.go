package eligibility

import (
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

func householdOf(tx *store.Tx, claimant reeve.PersonID) (id string, err error) {
	err = tx.QueryRow(`select id from household where claimant = ?`, string(claimant)).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return id, err
}

func insertHousehold(tx *store.Tx, id string, claimant reeve.PersonID) error {
	_, err := tx.Exec(`insert into household (id, claimant, assessed_day, assessed_defs, created) values (?, ?, '', '', ?)`, id, string(claimant), tx.Now.UnixMilli())
	return err
}

func claimantOf(tx *store.Tx, household string) (p reeve.PersonID, err error) {
	err = tx.QueryRow(`select claimant from household where id = ?`, household).Scan(&p)
	return p, err
}

// toAssess returns households not assessed on day under the definitions.
func toAssess(tx *store.Tx, day, defs string, max int) ([]string, error) {
	rows, err := tx.Query(`select id from household where assessed_day <> ? or assessed_defs <> ? order by id limit ?`, day, defs, max)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func setAssessed(tx *store.Tx, id, day, defs string) error {
	_, err := tx.Exec(`update household set assessed_day = ?, assessed_defs = ? where id = ?`, day, defs, id)
	return err
}

func touchHouseholds(tx *store.Tx, p reeve.PersonID) error {
	_, err := tx.Exec(`update household set assessed_day = '' where id in (select household from household_member where person = ?)`, string(p))
	return err
}

type member struct {
	person reeve.PersonID
	role   string
	n      int64
}

func putMember(tx *store.Tx, household string, m member) error {
	_, err := tx.Exec(`insert into household_member (household, person, role, n) values (?, ?, ?, ?)
		on conflict (household, person) do update set role = excluded.role, n = excluded.n`, household, string(m.person), m.role, m.n)
	return err
}

// dropMembers forgets who was in the household by an older record.
func dropMembers(tx *store.Tx, household string, before int64) error {
	_, err := tx.Exec(`delete from household_member where household = ? and n < ?`, household, before)
	return err
}

func members(tx *store.Tx, household string) (ms []member, err error) {
	rows, err := tx.Query(`select person, role, n from household_member where household = ? order by role, person`, household)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var m member
		if err := rows.Scan(&m.person, &m.role, &m.n); err != nil {
			return nil, err
		}
		ms = append(ms, m)
	}
	return ms, rows.Err()
}

func repoint(tx *store.Tx, from, to reeve.PersonID) error {
	for _, q := range []string{
		`update household set claimant = ? where claimant = ? and not exists (select 1 from household h where h.claimant = ?)`,
		`update household_member set person = ? where person = ? and household not in (select household from household_member where person = ?)`,
		`update assessment set person = ? where person = ? and household not in (select household from assessment where person = ?)`,
	} {
		if _, err := tx.Exec(q, string(to), string(from), string(to)); err != nil {
			return err
		}
	}
	if _, err := tx.Exec(`delete from household_member where person = ?`, string(from)); err != nil {
		return err
	}
	_, err := tx.Exec(`delete from assessment where person = ?`, string(from))
	return err
}

type fact struct {
	name   string
	sealed []byte
	source string
	n      int64
	at     time.Time
}

func facts(tx *store.Tx, household string) (fs []fact, err error) {
	rows, err := tx.Query(`select name, sealed, source, n, at from household_fact where household = ? order by name`, household)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var f fact
		var at int64
		if err := rows.Scan(&f.name, &f.sealed, &f.source, &f.n, &at); err != nil {
			return nil, err
		}
		f.at = time.UnixMilli(at).UTC()
		fs = append(fs, f)
	}
	return fs, rows.Err()
}

// putFact keeps the fact of the newest record: an older one that arrives late
// changes nothing.
func putFact(tx *store.Tx, household string, f fact) error {
	_, err := tx.Exec(`insert into household_fact (household, name, sealed, source, n, at) values (?, ?, ?, ?, ?, ?)
		on conflict (household, name) do update set sealed = excluded.sealed, source = excluded.source, n = excluded.n, at = excluded.at
		where household_fact.n <= excluded.n`, household, f.name, f.sealed, f.source, f.n, f.at.UnixMilli())
	return err
}

func latestFact(tx *store.Tx, household string) (n int64, err error) {
	err = tx.QueryRow(`select coalesce(max(n), 0) from household_fact where household = ?`, household).Scan(&n)
	return n, err
}

const columns = `id, benefit, person, household, outcome, missing, sealed, day, changed, defs`

func scan(from func(...any) error) (a Assessment, err error) {
	var missing string
	var changed int64
	err = from(&a.ID, &a.Benefit, &a.Person, &a.Household, &a.Outcome, &missing, &a.sealed, &a.Day, &changed, &a.Set)
	a.Missing, a.Changed = strings.Fields(missing), time.UnixMilli(changed).UTC()
	return a, err
}

func list(rows *store.Rows, err error) ([]Assessment, error) {
	return store.List(rows, err, scan)
}

func getAssessment(tx *store.Tx, id int64) (Assessment, bool, error) {
	return store.Maybe(scan(tx.QueryRow(`select `+columns+` from assessment where id = ?`, id).Scan))
}

func findAssessment(tx *store.Tx, benefit string, p reeve.PersonID, household string) (Assessment, bool, error) {
	return store.Maybe(scan(tx.QueryRow(`select `+columns+` from assessment where benefit = ? and person = ? and household = ?`, benefit, string(p), household).Scan))
}

func ofPerson(tx *store.Tx, p reeve.PersonID) ([]Assessment, error) {
	return list(tx.Query(`select `+columns+` from assessment where person = ? order by id`, string(p)))
}

func byOutcome(tx *store.Tx, outcome, benefit string, max int) ([]Assessment, error) {
	if benefit == "" {
		return list(tx.Query(`select `+columns+` from assessment where outcome = ? order by changed desc, id limit ?`, outcome, max))
	}
	return list(tx.Query(`select `+columns+` from assessment where outcome = ? and benefit = ? order by changed desc, id limit ?`, outcome, benefit, max))
}

func counts(tx *store.Tx) (map[string]int, error) {
	rows, err := tx.Query(`select outcome, count(*) from assessment group by outcome`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]int{}
	for rows.Next() {
		var o string
		var n int
		if err := rows.Scan(&o, &n); err != nil {
			return nil, err
		}
		all[o] = n
	}
	return all, rows.Err()
}

func putAssessment(tx *store.Tx, a Assessment) (int64, error) {
	if a.ID == 0 {
		if err := tx.QueryRow(`select coalesce(max(id), 0) + 1 from assessment`).Scan(&a.ID); err != nil {
			return 0, err
		}
	}
	_, err := tx.Exec(`insert into assessment (id, benefit, person, household, outcome, missing, sealed, day, changed, defs) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		on conflict (benefit, person, household) do update set outcome = excluded.outcome, missing = excluded.missing, sealed = excluded.sealed, day = excluded.day, changed = excluded.changed, defs = excluded.defs`,
		a.ID, a.Benefit, string(a.Person), a.Household, a.Outcome, strings.Join(a.Missing, " "), a.sealed, a.Day, a.Changed.UnixMilli(), a.Set)
	return a.ID, err
}

type waiting struct {
	record reeve.RecordID
	n      int64
	source string
	sealed []byte
	at     time.Time
}

func putWaiting(tx *store.Tx, match int64, w waiting) error {
	_, err := tx.Exec(`insert into award_waiting (record, match_id, n, source, sealed, at) values (?, ?, ?, ?, ?, ?) on conflict do nothing`,
		string(w.record), match, w.n, w.source, w.sealed, w.at.UnixMilli())
	return err
}

// takeWaiting returns and forgets what waited for a match.
func takeWaiting(tx *store.Tx, match int64) (ws []waiting, err error) {
	rows, err := tx.Query(`select record, n, source, sealed, at from award_waiting where match_id = ? order by n`, match)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var w waiting
		var at int64
		if err := rows.Scan(&w.record, &w.n, &w.source, &w.sealed, &at); err != nil {
			return nil, err
		}
		w.at = time.UnixMilli(at).UTC()
		ws = append(ws, w)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	_, err = tx.Exec(`delete from award_waiting where match_id = ?`, match)
	return ws, err
}
