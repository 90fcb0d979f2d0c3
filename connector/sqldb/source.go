package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/format"
)

// pageRows is how many rows of a cursor one transaction reads.
const pageRows = 1000

// Source reads a table.
type Source struct {
	*database
	config connector.Config
	// wait lets time pass for late commits.
	wait func(ctx context.Context, d time.Duration) error
}

func newSource(c connector.Config) (*Source, error) {
	d, err := open(c, false)
	if err != nil {
		return nil, err
	}
	return &Source{d, c, wait}, nil
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Read implements [connector.Source].
func (s *Source) Read(ctx context.Context, after string, take func(connector.Portion) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.set.Cursor == "" {
		return s.full(ctx, take)
	}
	p, err := s.begin(ctx, after)
	if err != nil || p == nil {
		return s.plain(ctx, err)
	}
	if lag := s.set.lag(); lag > 0 {
		if err := s.wait(ctx, lag); err != nil {
			return err
		}
	}
	return take(connector.Portion{Size: -1, Total: -1, Open: func(ctx context.Context) (format.Reader, error) {
		return &pages{s: s, ctx: ctx, l: p.l, after: p.after, top: p.top}, nil
	}})
}

// plain is an error for people; that of a context stays what it is.
func (s *Source) plain(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, errSlow):
		return fmt.Errorf("%s: %s", s.what(), slow)
	}
	f := s.faultOf(err)
	if f.raised != "" || f.outcome == connector.Refused {
		return fmt.Errorf("%s cannot be read: the database fails on a row of it", s.what())
	}
	if strings.Contains(f.message, s.what()) {
		return errors.New(f.message)
	}
	return fmt.Errorf("%s cannot be read: %s", s.what(), f.message)
}

// guard ends a context when the database is silent for too long.
type guard struct {
	context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	limit  time.Duration
}

var errSlow = errors.New("no answer in time")

func guarded(ctx context.Context, limit time.Duration) *guard {
	g := &guard{limit: limit}
	g.Context, g.cancel = context.WithCancelCause(ctx)
	g.timer = time.AfterFunc(limit, func() { g.cancel(errSlow) })
	return g
}

func (g *guard) start() { g.timer.Reset(g.limit) }
func (g *guard) stop()  { g.timer.Stop() }
func (g *guard) end()   { g.timer.Stop(); g.cancel(nil) }

// why is the error itself, or that the database was silent.
func (g *guard) why(err error) error {
	if err != nil && errors.Is(context.Cause(g.Context), errSlow) {
		return errSlow
	}
	return err
}

// reading runs fn in a transaction that does not write.
func (s *Source) reading(ctx context.Context, fn func(g *guard, tx *sql.Tx) error) error {
	g := guarded(ctx, s.timeout)
	defer g.end()
	tx, err := s.database.begin(g, &sql.TxOptions{ReadOnly: true})
	if err == nil {
		err = fn(g, tx)
		_ = tx.Rollback() // nothing was written
	}
	return g.why(err)
}

type begun struct {
	l     *layout
	after []any
	top   any
}

// begin finds the highest cursor there is; nil if nothing is new.
func (s *Source) begin(ctx context.Context, position string) (b *begun, err error) {
	err = s.reading(ctx, func(g *guard, tx *sql.Tx) error {
		there, err := s.resultColumns(g, tx)
		if err != nil {
			return err
		}
		l, err := s.layoutOf(there, s.config)
		if err != nil {
			return err
		}
		after, err := l.after(position)
		if err != nil {
			return err
		}
		cursor := l.cols[l.ordered[0]]
		name := s.ref(cursor)
		q := &statement{engine: s.engine}
		q.WriteString("select " + s.read(cursor) + " from " + s.from() + " where " + name + " is not null")
		l.beyond(q, after)
		q.WriteString(" order by " + name + " desc limit 1")
		var top any
		switch err := tx.QueryRowContext(g, q.String(), q.args...).Scan(&top); {
		case errors.Is(err, sql.ErrNoRows):
			return nil
		case err != nil:
			return err
		}
		b = &begun{l, after, typed(cursor, s.engine, top)}
		return nil
	})
	return b, err
}

// typed is a value as it is given back as a parameter.
func typed(c column, e engine, v any) any {
	if b, ok := v.([]byte); ok && c.kind != binary && e != sqlite {
		return string(b)
	}
	return v
}

// beyond adds the condition for rows after these values: the first is greater, or it is
// the same and the next is greater, and so on.
func (l *layout) beyond(q *statement, after []any) {
	if after == nil {
		return
	}
	q.WriteString(" and " + l.d.ref(l.cols[l.ordered[0]]) + " >= " + q.param(l.cols[l.ordered[0]], after[0])) // what an index finds
	q.WriteString(" and (")
	for i, at := range l.ordered {
		name := l.d.ref(l.cols[at])
		if i > 0 {
			before := l.ordered[i-1]
			q.WriteString(" or (" + l.d.ref(l.cols[before]) + " = " + q.param(l.cols[before], after[i-1]) + " and (")
		}
		q.WriteString(name + " > " + q.param(l.cols[at], after[i]))
	}
	q.WriteString(strings.Repeat("))", len(l.ordered)-1) + ")")
}

// pages reads the rows up to the highest cursor, a page in each transaction.
type pages struct {
	s     *Source
	ctx   context.Context
	l     *layout
	after []any
	top   any
	last  string // position of the last row

	rows   *rows
	inPage int
	number int64
	ended  bool
}

// Next implements [format.Reader].
func (p *pages) Next() (format.Row, error) {
	for !p.ended {
		if p.rows == nil {
			if err := p.open(); err != nil {
				return format.Row{}, p.s.plain(p.ctx, err)
			}
		}
		values, err := p.rows.next()
		if errors.Is(err, io.EOF) {
			p.rows.close()
			p.rows, p.ended = nil, p.inPage < pageRows
			continue
		}
		if err != nil {
			p.rows.close()
			p.rows, p.ended = nil, true
			return format.Row{}, p.s.plain(p.ctx, err)
		}
		p.number++
		p.inPage++
		row := p.rows.row(p.number, values)
		if row.Position, err = p.l.position(values); err != nil {
			p.ended = true
			return format.Row{}, p.s.plain(p.ctx, err)
		}
		p.last = row.Position
		return row, nil
	}
	return format.Row{}, io.EOF
}

func (p *pages) open() error {
	l, q := p.l, &statement{engine: p.s.engine}
	if p.last != "" {
		var err error
		if p.after, err = l.after(p.last); err != nil {
			return err
		}
	}
	cursor := l.cols[l.ordered[0]]
	q.WriteString("select " + l.selected() + " from " + p.s.from() + " where " + p.s.ref(cursor) + " <= " + q.param(cursor, p.top))
	l.beyond(q, p.after)
	fmt.Fprintf(q, " order by %s limit %d", l.order(), pageRows)
	r, err := p.s.open(p.ctx, l, nil)
	if err != nil {
		return err
	}
	p.rows, p.inPage = r, 0
	return r.query(q)
}

// order is the columns that rows are put in order by.
func (l *layout) order() string {
	names := make([]string, len(l.ordered))
	for i, at := range l.ordered {
		names[i] = l.d.ref(l.cols[at])
	}
	return strings.Join(names, ", ")
}

// Close implements [format.Reader].
func (p *pages) Close() error {
	p.ended = true
	if p.rows != nil {
		p.rows.close()
		p.rows = nil
	}
	return nil
}

// rows are those of one statement, in a transaction.
type rows struct {
	l      *layout
	g      *guard
	tx     *sql.Tx
	own    bool // the transaction is of this statement alone
	sql    *sql.Rows
	values []any
	into   []any
	body   []byte
	done   bool
}

func (s *Source) open(ctx context.Context, l *layout, opts *sql.TxOptions) (*rows, error) {
	if opts == nil {
		opts = &sql.TxOptions{ReadOnly: true}
	}
	r := &rows{l: l, g: guarded(ctx, s.timeout), own: true}
	var err error
	if r.tx, err = s.database.begin(r.g, opts); err != nil {
		defer r.g.end()
		return nil, r.g.why(err)
	}
	return r, nil
}

func (r *rows) query(q *statement) error {
	r.g.start()
	defer r.g.stop()
	r.values, r.into, r.done = make([]any, len(r.l.cols)), make([]any, len(r.l.cols)), false
	for i := range r.values {
		r.into[i] = &r.values[i]
	}
	var err error
	r.sql, err = r.tx.QueryContext(r.g, q.String(), q.args...)
	return r.g.why(err)
}

// next returns the values of the next row, good until the next call.
func (r *rows) next() ([]any, error) {
	r.g.start()
	defer r.g.stop()
	if r.sql == nil {
		return nil, io.EOF
	}
	if !r.sql.Next() {
		r.done = true
		if err := r.sql.Err(); err != nil {
			return nil, r.g.why(err)
		}
		return nil, io.EOF
	}
	return r.values, r.g.why(r.sql.Scan(r.into...))
}

// row makes a record of values.
func (r *rows) row(number int64, values []any) format.Row {
	row := format.Row{Number: number, At: fmt.Sprintf("row %d of %s", number, r.l.d.what())}
	var why string
	if r.body, why, row.Field = r.l.record(r.body[:0], values); why != "" {
		row.Problem = fmt.Sprintf("the column %q %s", row.Field, why)
		return row
	}
	row.Body = r.body
	return row
}

func (r *rows) close() {
	if !r.done { // else the driver would read the rest of the table first
		r.g.end()
	}
	if r.sql != nil {
		_ = r.sql.Close() // its error was told by Next
	}
	_ = r.tx.Rollback() // nothing was written
	r.g.end()
}

// full reads everything, in one transaction that sees one moment, and has the database
// count the rows in it.
func (s *Source) full(ctx context.Context, take func(connector.Portion) error) error {
	m, err := s.moment(ctx)
	if err != nil {
		return s.plain(ctx, err)
	}
	defer func() { m.rows.close() }()
	return take(connector.Portion{Size: -1, Total: m.total, Open: func(ctx context.Context) (format.Reader, error) {
		return m, s.plain(ctx, m.begin())
	}})
}

// moment is a table as it was at one moment.
type moment struct {
	s      *Source
	ctx    context.Context
	rows   *rows
	total  int64
	number int64
	opened bool
}

func (s *Source) moment(ctx context.Context) (*moment, error) {
	r, err := s.open(ctx, nil, &sql.TxOptions{ReadOnly: true, Isolation: s.snapshot()})
	if err != nil {
		return nil, err
	}
	m := &moment{s: s, ctx: ctx, rows: r}
	there, err := s.resultColumns(r.g, r.tx)
	if err == nil {
		r.l, err = s.layoutOf(there, s.config)
	}
	if err == nil {
		r.g.start()
		err = r.tx.QueryRowContext(r.g, "select count(*) from "+s.from()).Scan(&m.total)
		r.g.stop()
	}
	if err != nil {
		defer r.close()
		return nil, r.g.why(err)
	}
	return m, nil
}

func (s *Source) snapshot() sql.IsolationLevel {
	if s.engine == sqlite {
		return sql.LevelDefault // it has no other
	}
	return sql.LevelRepeatableRead
}

// begin reads from the first row, also for a second time.
func (m *moment) begin() error {
	if m.opened && !m.rows.done { // the transaction was given up with the rest of the rows
		n, err := m.s.moment(m.ctx)
		if err != nil {
			return err
		}
		m.rows.close()
		if m.rows = n.rows; n.total != m.total {
			return said(m.s.what() + " has changed since it was counted: it is read anew next time")
		}
	}
	m.opened, m.number = true, 0
	q := &statement{engine: m.s.engine}
	q.WriteString("select " + m.rows.l.selected() + " from " + m.s.from())
	if len(m.rows.l.ordered) > 0 {
		q.WriteString(" order by " + m.rows.l.order())
	}
	return m.rows.query(q)
}

// Next implements [format.Reader].
func (m *moment) Next() (format.Row, error) {
	values, err := m.rows.next()
	if errors.Is(err, io.EOF) {
		return format.Row{}, io.EOF
	}
	if err != nil {
		return format.Row{}, m.s.plain(m.ctx, err)
	}
	m.number++
	row := m.rows.row(m.number, values)
	row.Position = strconv.FormatInt(m.number, 10) // nobody goes on from there: every extract is whole
	return row, nil
}

// Close implements [format.Reader].
func (m *moment) Close() error {
	if m.rows.sql == nil {
		return nil
	}
	if !m.rows.done {
		m.rows.g.end() // else the driver would read the rest of the table first
	}
	err := m.rows.sql.Close()
	m.rows.sql = nil
	if !m.rows.done {
		return nil
	}
	return err
}
