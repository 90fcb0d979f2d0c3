package sqldb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/internal/plain"
)

// Sink writes to a table.
type Sink struct {
	*database
	ordered bool

	mu   sync.Mutex
	plan *plan // nil until the table was looked at
}

func newSink(c connector.Config) (*Sink, error) {
	s := settings(c)
	switch {
	case s.Table == "":
		return nil, errors.New("sql: to write, say which table")
	case len(s.Key) == 0 && s.Delivery == "":
		return nil, errors.New("sql: to write, say with key which row a record is, or with delivery that the table is a staging table")
	}
	d, err := open(c, true)
	if err != nil {
		return nil, err
	}
	return &Sink{database: d, ordered: c.Ordered}, nil
}

// Whole is false: a record that is refused does not keep the others back.
func (s *Sink) Whole() bool { return false }

// Send implements [connector.Sink]: one transaction for all. If a record is the reason
// why it fails, each has one of its own, so that only that one is refused.
func (s *Sink) Send(ctx context.Context, items []connector.Item) []connector.Result {
	rs := make([]connector.Result, len(items))
	if len(items) == 0 || ctx.Err() != nil {
		return rs
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx = context.WithoutCancel(ctx) // what was begun is finished
	if err := s.look(ctx); err != nil {
		f := s.faultOf(err)
		for i := range rs {
			rs[i] = connector.Result{Outcome: connector.Later, Message: plain.Clip(f.message)}
		}
		return rs
	}
	lines := s.lines(items, rs)
	if len(lines) == 0 {
		return rs
	}
	f := s.attempt(ctx, lines)
	if f.outcome != connector.Refused {
		for _, ln := range lines {
			rs[ln.item] = f.result(items[ln.item])
		}
	} else {
		s.separately(ctx, lines, items, rs)
	}
	if slices.ContainsFunc(rs, func(r connector.Result) bool { return r.Outcome != connector.Delivered }) {
		s.plan = nil // the table may have changed
	}
	return rs
}

// lines are the rows to write; what cannot be one is refused.
func (s *Sink) lines(items []connector.Item, rs []connector.Result) (lines []line) {
	stuck := map[string]bool{}
	for i, it := range items {
		if s.ordered && it.Key != "" && stuck[it.Key] {
			continue
		}
		ln, why := s.plan.line(it.ID, it.Body)
		if why != "" {
			rs[i] = connector.Result{Outcome: connector.Refused, Message: plain.Clip(why)}
			stuck[it.Key] = true
			continue
		}
		ln.item = i
		lines = append(lines, ln)
	}
	return lines
}

// separately writes each row in a transaction of its own, until something else than a row is
// the matter.
func (s *Sink) separately(ctx context.Context, lines []line, items []connector.Item, rs []connector.Result) {
	stuck := map[string]bool{}
	for _, ln := range lines {
		it := items[ln.item]
		if s.ordered && it.Key != "" && stuck[it.Key] {
			continue
		}
		f := s.attempt(ctx, []line{ln})
		rs[ln.item] = f.result(it)
		switch f.outcome {
		case connector.Refused:
			stuck[it.Key] = true
		case connector.Later, connector.Unclear:
			return
		}
	}
}

func (f fault) result(it connector.Item) connector.Result {
	message := f.message
	if f.raised != "" {
		message += ": " + plain.WithoutValues(f.raised, it.Body)
	}
	return connector.Result{Outcome: f.outcome, Message: plain.Clip(message)}
}

// look makes the plan, where there is none.
func (s *Sink) look(ctx context.Context) (err error) {
	if s.plan != nil {
		return nil
	}
	g := guarded(ctx, s.timeout)
	defer g.end()
	s.plan, err = s.newPlan(g)
	if err != nil {
		s.plan = nil
	}
	if errors.Is(g.why(err), errSlow) {
		return said(slow)
	}
	return err
}

// attempt writes rows in one transaction.
func (s *Sink) attempt(ctx context.Context, lines []line) fault {
	g := guarded(ctx, s.timeout)
	defer g.end()
	opts := &sql.TxOptions{}
	if s.engine == mariadb {
		opts.Isolation = sql.LevelReadCommitted // no locks on rows that are not there
	}
	tx, err := s.begin(g, opts)
	if err == nil {
		err = s.write(g, tx, lines)
	}
	if err != nil { // no COMMIT was sent: whatever became of the connection, nothing is written
		if tx != nil {
			_ = tx.Rollback()
		}
		if errors.Is(g.why(err), errSlow) {
			return fault{outcome: connector.Later, message: slow}
		}
		return s.faultOf(err)
	}
	if err = tx.Commit(); err == nil {
		return fault{outcome: connector.Delivered}
	}
	f := s.faultOf(err)
	if !undone(err) {
		if errors.Is(g.why(err), errSlow) {
			f.message = slow
		}
		return fault{outcome: connector.Unclear, message: "no answer whether the transaction is committed: " + f.message}
	}
	return f
}

// most parameters of one statement.
const maxParams = 30000

func (s *Sink) write(g *guard, tx *sql.Tx, lines []line) error {
	maria := &apart{s: s, tx: tx, prepared: map[string]*sql.Stmt{}}
	for len(lines) > 0 {
		n := s.together(lines)
		g.start()
		q := s.insert(lines[:n])
		_, err := tx.ExecContext(g, q.String(), q.args...)
		if s.engine == mariadb && isDuplicate(err) { // nothing of the statement was done
			err = maria.write(g, lines[:n])
		}
		if err != nil {
			return err
		}
		lines = lines[n:]
	}
	return nil
}

// together is how many rows go into one statement: they have the same columns, and no
// row is there twice.
func (s *Sink) together(lines []line) int {
	seen := map[string]bool{}
	names := func(ln line) (list []string) {
		for _, c := range ln.cols {
			list = append(list, c.name)
		}
		return list
	}
	first := names(lines[0])
	for n, ln := range lines {
		id := ""
		for i, c := range ln.cols {
			if slices.Contains(s.identity(), c.name) {
				id += fmt.Sprintf("%T %v\x00", ln.args[i], ln.args[i])
			}
		}
		if seen[id] || (n+1)*len(first) > maxParams || n > 0 && !slices.Equal(first, names(ln)) {
			return max(n, 1)
		}
		seen[id] = true
	}
	return len(lines)
}

// insert writes rows. PostgreSQL and SQLite say in the same words what to do with those
// that are there; for MariaDB see apart.
func (s *Sink) insert(lines []line) *statement {
	q := &statement{engine: s.engine}
	cols := lines[0].cols
	names := make([]string, len(cols))
	for i, c := range cols {
		names[i] = c.name
	}
	q.WriteString("insert into " + s.table() + " (" + s.quoteAll(names) + ") values ")
	for n, ln := range lines {
		if n > 0 {
			q.WriteString(", ")
		}
		q.WriteByte('(')
		for i, c := range cols {
			if i > 0 {
				q.WriteString(", ")
			}
			p := q.plain(ln.args[i])
			if s.engine == postgres && c.kind == nested { // JSON as the array or row that the column is
				p = "(jsonb_populate_record(null::" + s.table() + ", jsonb_build_object(" + literal(c.name) + ", " + p + "::jsonb)))." + s.quote(c.name)
			}
			q.WriteString(p)
		}
		q.WriteByte(')')
	}
	if s.engine == mariadb {
		return q
	}
	q.WriteString(" on conflict (" + s.quoteAll(s.identity()) + ") do ")
	var sets []string
	for _, name := range names {
		if !slices.Contains(s.identity(), name) {
			sets = append(sets, s.quote(name)+" = excluded."+s.quote(name))
		}
	}
	if s.set.Delivery != "" || len(sets) == 0 {
		q.WriteString("nothing")
	} else {
		q.WriteString("update set " + strings.Join(sets, ", "))
	}
	return q
}

// literal is a name of a column, out of the catalogue, as a text of PostgreSQL.
func literal(name string) string { return "'" + strings.ReplaceAll(name, "'", "''") + "'" }
