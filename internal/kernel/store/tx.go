package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/reeve-civic/reeve"
)

var errBroken = driver.ErrBadConn

// Head is the one row that numbers come from. It is locked first in each commit
// group and written last; changes are undone with the savepoint they were made in.
type Head struct {
	Epoch  int64  // raised by a restore; starts at 1
	Record int64  // number of the next record; starts at 1
	Entry  int64  // number of the next journal entry, so also how many there are; starts at 0
	Event  int64  // number of the next event; starts at 1
	Edge   []byte // edge of the journal's tree; replace it, never write into it
}

// Buffer gathers what one package has to say during a commit group, and writes it
// as packed rows just before the commit. A fresh one is made for each group. One
// that has a method Committed hears that what it wrote is durable; it is told on
// the committer's goroutine, before any caller.
type Buffer interface {
	Mark() int          // how much it holds
	Rewind(mark int)    // forget what came after mark
	Flush(tx *Tx) error // write it; an error fails the whole group
}

// group is the state of one transaction, shared by the callers in it.
type group struct {
	db      *DB
	c       *conn
	view    bool
	head    *Head
	loaded  Head
	buffers []named // in the order in which they were first used
	open    *Rows   // a result that is still being read
	failed  error   // a statement failed and nothing has been rolled back since
	lost    error   // the transaction is gone: SQLite would run what follows outside any
	depth   int
	weight  int
}

type named struct {
	name string
	b    Buffer
}

// Tx is a transaction as one function sees it. It must not be used after the
// function returned, nor by two goroutines.
//
// Two rules keep both databases alike: close (or read to the end) the rows of one
// query before the next statement, and return the error of a statement that
// failed, or run it in a Savepoint.
type Tx struct {
	Ctx context.Context // of the caller, for its values; never cancelled in an Update
	Now time.Time       // UTC, whole milliseconds; stands still during the function

	g    *group
	done bool
}

var errDone = errors.New("store: the transaction was used after its function returned")

// Exec runs a statement with ? placeholders. Arguments: integers, strings,
// []byte, nil, bool (kept as 0 or 1) and time.Time (kept as unix ms).
func (tx *Tx) Exec(q string, args ...any) (sql.Result, error) {
	if err := tx.ready(); err != nil {
		return nil, err
	}
	args, err := plain(args)
	if err != nil {
		return nil, tx.note(err)
	}
	res, err := tx.g.c.exec(tx.Ctx, q, args...)
	return res, tx.note(err)
}

// Query runs a query. Close its rows, or read them to the end, before the next
// statement.
func (tx *Tx) Query(q string, args ...any) (*Rows, error) {
	if err := tx.ready(); err != nil {
		return nil, err
	}
	args, err := plain(args)
	if err != nil {
		return nil, tx.note(err)
	}
	rows, err := tx.g.c.query(tx.Ctx, q, args...)
	if err != nil {
		return nil, tx.note(err)
	}
	r := &Rows{Rows: rows, tx: tx}
	tx.g.open = r
	return r, nil
}

// QueryRow runs a query that gives one row; Scan returns sql.ErrNoRows when there
// is none.
func (tx *Tx) QueryRow(q string, args ...any) *Row {
	r, err := tx.Query(q, args...)
	return &Row{r, err}
}

// Rows is a result being read.
type Rows struct {
	*sql.Rows
	tx     *Tx
	closed bool
}

// Next is as in database/sql.
func (r *Rows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.tx.note(r.Rows.Err())
	r.shut()
	return false
}

// Close is as in database/sql.
func (r *Rows) Close() error {
	r.shut()
	return r.Rows.Close()
}

func (r *Rows) shut() {
	r.closed = true
	if r.tx.g.open == r {
		r.tx.g.open = nil
	}
}

// Row is the result of QueryRow.
type Row struct {
	r   *Rows
	err error
}

// Scan is as in database/sql.
func (r *Row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.r.Close()
	if !r.r.Next() {
		if err := r.r.Err(); err != nil {
			return err
		}
		return sql.ErrNoRows
	}
	return r.r.Scan(dest...)
}

func (tx *Tx) ready() error {
	switch {
	case tx.done:
		return errDone
	case tx.g.lost != nil:
		return tx.g.lost
	case tx.g.open != nil:
		return tx.note(errors.New("store: a statement before the rows of the last query were closed"))
	}
	return nil
}

// note remembers that a statement failed: PostgreSQL then refuses all others
// until a rollback, and would answer a commit by undoing everything in silence.
func (tx *Tx) note(err error) error {
	if err != nil && tx.g.failed == nil {
		tx.g.failed = err
	}
	return err
}

func (tx *Tx) end() {
	if r := tx.g.open; r != nil {
		r.Close()
	}
	tx.done = true
}

// errText is about text that PostgreSQL cannot hold. SQLite could, but what one
// database takes the other takes too.
var errText = reeve.E(reeve.Invalid, "store", "it holds text that is not valid UTF-8, or a character of code 0, which cannot be kept")

// plain gives both databases the same kinds of argument.
func plain(args []any) ([]any, error) {
	for i, a := range args {
		switch v := a.(type) {
		case string:
			if !utf8.ValidString(v) || strings.IndexByte(v, 0) >= 0 {
				return nil, errText
			}
		case bool:
			args[i] = int64(0)
			if v {
				args[i] = int64(1)
			}
		case time.Time:
			args[i] = v.UnixMilli()
		}
	}
	return args, nil
}

// Postgres reports whether the database is PostgreSQL.
func (tx *Tx) Postgres() bool { return tx.g.db.pg }

// DB is the database of the transaction.
func (tx *Tx) DB() *DB { return tx.g.db }

// Head returns the head row. In an Update it may be changed; in a View it is a
// copy.
func (tx *Tx) Head() *Head {
	if tx.g.head == nil {
		h, err := loadHead(tx, false)
		if err != nil {
			tx.note(err)
			return &h
		}
		tx.g.head = &h
	}
	return tx.g.head
}

// Buffer returns this group's buffer of a name that was added by [DB.AddBuffer].
// It panics in a View and for a name that was not added.
func (tx *Tx) Buffer(name string) Buffer {
	g := tx.g
	for _, n := range g.buffers {
		if n.name == name {
			return n.b
		}
	}
	mk := g.db.maker(name)
	if mk == nil || g.view {
		panic("store: no buffer " + name + " here")
	}
	b := mk()
	g.buffers = append(g.buffers, named{name, b})
	return b
}

// Weigh tells how many bytes were added to buffers; a heavy group commits sooner.
func (tx *Tx) Weigh(bytes int) { tx.g.weight += bytes }

// Savepoint runs fn; when it fails or panics, everything that it changed is
// undone, in SQL, in the head row and in buffers, and its error is returned. In a
// View it only runs fn.
func (tx *Tx) Savepoint(fn func() error) error {
	g := tx.g
	if g.view {
		return fn()
	}
	if err := tx.ready(); err != nil {
		return err
	}
	if g.failed != nil {
		return fmt.Errorf("store: savepoint after a failed statement: %w", g.failed)
	}
	g.depth++
	defer func() { g.depth-- }()
	name := "s" + strconv.Itoa(g.depth)
	if _, err := tx.Exec("savepoint " + name); err != nil {
		return err
	}
	undo := g.mark()
	err := guard(g.db.o.Log, fn)
	if g.open != nil {
		g.open.Close()
	}
	if err == nil {
		err = g.unreported()
	}
	if err == nil {
		_, err = tx.Exec("release " + name)
		return err
	}
	undo()
	g.failed = nil
	_, rerr := tx.Exec("rollback to " + name)
	if rerr == nil {
		_, rerr = tx.Exec("release " + name)
	}
	if rerr != nil {
		if g.lost == nil { // also for callers that keep the error to themselves
			g.lost = &brokenError{errors.Join(err, rerr)}
		}
		return g.lost
	}
	return err
}

// brokenError says that the transaction as a whole is lost, as when SQLite undid
// it by itself on a full disk.
type brokenError struct{ error }

func (e *brokenError) Unwrap() error { return e.error }

// mark returns a function that takes head row and buffers back to now.
func (g *group) mark() (undo func()) {
	head, weight := *g.head, g.weight
	marks := make([]int, len(g.buffers))
	for i, n := range g.buffers {
		marks[i] = n.b.Mark()
	}
	return func() {
		*g.head, g.weight = head, weight
		for i, n := range g.buffers {
			if i < len(marks) {
				n.b.Rewind(marks[i])
			} else {
				n.b.Rewind(0)
			}
		}
	}
}

// unreported is the error of a statement that a function kept to itself.
func (g *group) unreported() error {
	if g.lost != nil {
		return g.lost
	}
	if g.failed == nil {
		return nil
	}
	return fmt.Errorf("store: a statement failed and its error was not returned: %w", g.failed)
}

func loadHead(tx *Tx, lock bool) (h Head, err error) {
	q := `select epoch, record, entry, event, edge from store_head where part = 0`
	if lock && tx.g.db.pg {
		q += ` for update`
	}
	err = tx.QueryRow(q).Scan(&h.Epoch, &h.Record, &h.Entry, &h.Event, &h.Edge)
	if err != nil {
		err = fmt.Errorf("store: reading the head row: %w", err)
	}
	if h.Edge == nil {
		h.Edge = []byte{} // SQLite reads no bytes as nil, which would be written as null
	}
	return h, err
}

// Epochs gives, for each epoch that a restore began, how many journal entries the
// database had then. The first epoch is not among them.
func (tx *Tx) Epochs() (map[int64]int64, error) {
	rows, err := tx.Query(`select epoch, entry from store_epoch`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[int64]int64{}
	for rows.Next() {
		var epoch, entry int64
		if err := rows.Scan(&epoch, &entry); err != nil {
			return nil, err
		}
		all[epoch] = entry
	}
	return all, rows.Err()
}

// Restored is when the database was last filled from a backup, zero for never:
// what is not settled in it since before may have been done all the same.
func (tx *Tx) Restored() (at time.Time, err error) {
	var ms sql.NullInt64
	if err = tx.QueryRow(`select max(at) from store_epoch`).Scan(&ms); err == nil && ms.Valid {
		at = time.UnixMilli(ms.Int64).UTC()
	}
	return at, err
}

func (h *Head) same(o *Head) bool {
	return h.Epoch == o.Epoch && h.Record == o.Record && h.Entry == o.Entry && h.Event == o.Event && string(h.Edge) == string(o.Edge)
}

// Lost reports whether err, of a Savepoint, says that the whole transaction is
// lost and not only what the savepoint held: return it.
func Lost(err error) bool {
	var broken *brokenError
	return errors.As(err, &broken)
}
