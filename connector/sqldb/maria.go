package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"slices"

	"github.com/go-sql-driver/mysql"
)

// apart writes rows of MariaDB one by one, where some are there already. ON DUPLICATE KEY
// UPDATE would change the row of any unique index that a record happens to meet, not only
// of the key.
type apart struct {
	s        *Sink
	tx       *sql.Tx
	prepared map[string]*sql.Stmt // they end with the transaction
}

func isDuplicate(err error) bool {
	var my *mysql.MySQLError
	return errors.As(err, &my) && my.Number == 1062
}

func (a *apart) write(g *guard, lines []line) error {
	for _, ln := range lines {
		g.start()
		if err := a.one(g, ln); err != nil {
			return err
		}
	}
	return nil
}

func (a *apart) one(ctx context.Context, ln line) error {
	if a.s.set.Delivery == "" {
		if n, err := a.update(ctx, ln); err != nil || n > 0 {
			return err
		}
	}
	_, err := a.exec(ctx, a.s.insert([]line{ln}))
	if !isDuplicate(err) {
		return err
	}
	if a.s.set.Delivery != "" {
		return a.there(ctx, ln, err)
	}
	if n, uerr := a.update(ctx, ln); uerr != nil || n > 0 { // somebody was faster
		return uerr
	}
	return err // of another unique index
}

func (a *apart) exec(ctx context.Context, q *statement) (int64, error) {
	st, ok := a.prepared[q.String()]
	if !ok {
		var err error
		if st, err = a.tx.PrepareContext(ctx, q.String()); err != nil {
			return 0, err
		}
		a.prepared[q.String()] = st
	}
	res, err := st.ExecContext(ctx, q.args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// update changes the row of a record and returns how many rows there were.
func (a *apart) update(ctx context.Context, ln line) (int64, error) {
	q := &statement{engine: mariadb}
	key := a.s.set.Key
	words := "update " + a.s.table() + " set "
	for i, c := range ln.cols {
		if !slices.Contains(key, c.name) || len(ln.cols) == len(key) {
			q.WriteString(words + a.s.quote(c.name) + " = " + q.plain(ln.args[i]))
			words = ", "
		}
	}
	words = " where "
	for i, c := range ln.cols {
		if slices.Contains(key, c.name) {
			q.WriteString(words + a.s.quote(c.name) + " = " + q.param(c, ln.args[i]))
			words = " and "
		}
	}
	return a.exec(ctx, q)
}

// there finds out whether a row that could not be made is the repeat of one that is.
func (a *apart) there(ctx context.Context, ln line, otherwise error) error {
	i := slices.IndexFunc(ln.cols, func(c column) bool { return c.name == a.s.set.Delivery })
	n := 0
	err := a.tx.QueryRowContext(ctx, "select count(*) from "+a.s.table()+" where "+a.s.quote(a.s.set.Delivery)+" = ?", ln.args[i]).Scan(&n)
	if err == nil && n == 0 {
		err = otherwise
	}
	return err
}
