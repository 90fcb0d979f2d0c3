package casework

import (
	"database/sql"
	"errors"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

const columns = `id, type, person, about, state, role, assignee, named, flag, opened, due, closed, outcome, defs`

func scan(from func(...any) error) (c Case, err error) {
	var opened, due, closed int64
	err = from(&c.ID, &c.Type, &c.Person, &c.About, &c.State, &c.Role, &c.Assignee, &c.Named, &c.Flag, &opened, &due, &closed, &c.Outcome, &c.Set)
	c.Opened, c.Due = time.UnixMilli(opened).UTC(), time.UnixMilli(due).UTC()
	if closed != 0 {
		c.Closed = time.UnixMilli(closed).UTC()
	}
	return c, err
}

func list(rows *store.Rows, err error) ([]Case, error) {
	return store.List(rows, err, scan)
}

func insert(tx *store.Tx, c Case, once string) (id int64, err error) {
	if err := tx.QueryRow(`select coalesce(max(id), 0) + 1 from case_file`).Scan(&id); err != nil {
		return 0, err
	}
	_, err = tx.Exec(`insert into case_file (id, type, person, about, once_key, state, role, assignee, named, flag, opened, due, closed, outcome, defs)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', ?)`,
		id, c.Type, string(c.Person), string(c.About), once, c.State, c.Role, c.Assignee, c.Named, c.Flag, c.Opened.UnixMilli(), c.Due.UnixMilli(), c.Set)
	return id, err
}

func byOnce(tx *store.Tx, once string) (id int64, err error) {
	err = tx.QueryRow(`select id from case_file where once_key = ?`, once).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

func get(tx *store.Tx, id int64) (Case, error) {
	c, err := scan(tx.QueryRow(`select `+columns+` from case_file where id = ?`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return c, reeve.E(reeve.NotFound, "services.casework", "there is no case %d", id)
	}
	return c, err
}

func save(tx *store.Tx, c Case) error {
	closed := int64(0)
	if !c.Closed.IsZero() {
		closed = c.Closed.UnixMilli()
	}
	_, err := tx.Exec(`update case_file set state = ?, assignee = ?, flag = ?, due = ?, closed = ?, outcome = ? where id = ?`, c.State, c.Assignee, c.Flag, c.Due.UnixMilli(), closed, c.Outcome, c.ID)
	return err
}

func aboutRef(tx *store.Tx, ref reeve.Ref) ([]Case, error) {
	return list(tx.Query(`select `+columns+` from case_file where about = ? order by id`, string(ref)))
}

func ofPerson(tx *store.Tx, p reeve.PersonID) ([]Case, error) {
	return list(tx.Query(`select `+columns+` from case_file where person = ? order by id`, string(p)))
}

func repoint(tx *store.Tx, from, to reeve.PersonID) error {
	_, err := tx.Exec(`update case_file set person = ? where person = ?`, string(to), string(from))
	return err
}

// find lists cases for the worklist: open ones by what is due first, closed ones
// latest first.
func find(tx *store.Tx, f Filter, max, skip int) ([]Case, error) {
	where, args := f.where()
	order := ` order by due, id`
	if f.State == Closed {
		order = ` order by closed desc, id desc`
	}
	return list(tx.Query(`select `+columns+` from case_file where `+where+order+` limit ? offset ?`, append(args, max, skip)...))
}

func (f Filter) where() (string, []any) {
	where, args := `state = ?`, []any{f.State}
	if f.Type != "" {
		where, args = where+` and type = ?`, append(args, f.Type)
	}
	switch f.Whose {
	case "":
	case "nobody":
		where += ` and assignee = ''`
	default:
		where, args = where+` and assignee = ?`, append(args, f.Whose)
	}
	if f.Late > 0 {
		where, args = where+` and due < ?`, append(args, f.Late)
	}
	return where, args
}

func count(tx *store.Tx, f Filter) (n int, err error) {
	where, args := f.where()
	err = tx.QueryRow(`select count(*) from case_file where `+where, args...).Scan(&n)
	return n, err
}

func typesInUse(tx *store.Tx) (ts []string, err error) {
	rows, err := tx.Query(`select distinct type from case_file order by type`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var t string
		if err := rows.Scan(&t); err != nil {
			return nil, err
		}
		ts = append(ts, t)
	}
	return ts, rows.Err()
}

type row struct {
	n                  int64
	at                 time.Time
	kind, actor, state string
	sealed             []byte
}

func nextItem(tx *store.Tx, id int64) (n int64, err error) {
	err = tx.QueryRow(`select coalesce(max(n), 0) + 1 from case_item where case_id = ?`, id).Scan(&n)
	return n, err
}

func addItem(tx *store.Tx, id int64, r row) error {
	_, err := tx.Exec(`insert into case_item (case_id, n, at, kind, actor, state, sealed) values (?, ?, ?, ?, ?, ?, ?)`, id, r.n, r.at.UnixMilli(), r.kind, r.actor, r.state, r.sealed)
	return err
}

func items(tx *store.Tx, id int64) (rs []row, err error) {
	rows, err := tx.Query(`select n, at, kind, actor, state, sealed from case_item where case_id = ? order by n`, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r row
		var at int64
		if err := rows.Scan(&r.n, &at, &r.kind, &r.actor, &r.state, &r.sealed); err != nil {
			return nil, err
		}
		r.at = time.UnixMilli(at).UTC()
		rs = append(rs, r)
	}
	return rs, rows.Err()
}

func setTask(tx *store.Tx, id, n int64, from, to string) (changed bool, err error) {
	res, err := tx.Exec(`update case_item set state = ? where case_id = ? and n = ? and kind = 'task' and state = ?`, to, id, n, from)
	if err != nil {
		return false, err
	}
	k, err := res.RowsAffected()
	return k == 1, err
}
