package app_test

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// sql runs statements on the SQLite database NAME, which definitions reach at env:NAME.
// The rows of the last are stdout, a line a row.
func (s *story) sql(ts *testscript.TestScript, args []string) (err error) {
	ts.Stdout() // no row is an empty answer, not the one before
	file := ts.MkAbs(args[0] + ".db")
	s.setenv(ts, args[0], "sqlite://"+file)
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=busy_timeout(60000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(s.t.Context(), strings.Join(args[1:], " "))
	if err != nil {
		return err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return err
	}
	for rows.Next() {
		values, into := make([]sql.NullString, len(names)), make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return err
		}
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = v.String
		}
		fmt.Fprintln(ts.Stdout(), strings.Join(cells, "|"))
	}
	return rows.Err()
}
