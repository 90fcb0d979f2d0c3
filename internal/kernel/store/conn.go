package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/stdlib" // also registers the "pgx" driver
	_ "modernc.org/sqlite"           // registers the "sqlite" driver

	"github.com/reeve-civic/reeve"
)

// openPools opens the pool of the one writer and that of the readers.
func openPools(o Options) (write, read *sql.DB, err error) {
	if o.URL != "" {
		if write, err = sql.Open("pgx", o.URL); err == nil {
			read, err = sql.Open("pgx", o.URL)
		}
	} else {
		// The file name may hold characters that mean something in a URI.
		file := "file:" + (&url.URL{Path: o.Path}).EscapedPath()
		// A large WAL spares checkpoints under load; FULL waits for the disk at every commit.
		if write, err = sql.Open("sqlite", file+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(wal)&_pragma=synchronous(full)"+
			"&_pragma=foreign_keys(1)&_pragma=wal_autocheckpoint(4000)&_pragma=journal_size_limit(67108864)&_pragma=cache_size(-32768)&_pragma=secure_delete(fast)"); err == nil {
			read, err = sql.Open("sqlite", file+"?_pragma=busy_timeout(10000)&_pragma=query_only(1)&_pragma=cache_size(-8192)")
		}
	}
	if err != nil {
		return write, read, fmt.Errorf("store: %w", err)
	}
	write.SetMaxOpenConns(1)
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return write, read, nil
}

// conn is a connection with the statements prepared on it. It is used by one
// goroutine at a time, and opened again after it broke.
type conn struct {
	pool  *sql.DB
	pg    bool
	c     *sql.Conn
	stmts map[string]*sql.Stmt
	first string // run on each new connection
	alone bool   // it is of use only while no other such connection to the database is open
}

// maxStmts bounds the prepared statements of a connection; more than that are
// prepared each time.
const maxStmts = 500

func (c *conn) begin(ctx context.Context, how string) error {
	for try := 0; ; try++ {
		if c.c == nil {
			var err error
			if c.c, err = c.pool.Conn(ctx); err != nil {
				return err
			}
			c.stmts = map[string]*sql.Stmt{}
			if c.first != "" {
				if _, err := c.exec(ctx, c.first); err != nil {
					c.close()
					return err
				}
			}
			if c.alone {
				if err := c.claim(ctx); err != nil {
					c.close()
					return err
				}
			}
		}
		_, err := c.exec(ctx, how)
		if err == nil {
			return nil
		}
		c.rollback()
		if c.c != nil || try > 0 || ctx.Err() != nil {
			return err
		}
	}
}

// claim takes the lock that keeps the writers of other processes away. PostgreSQL
// lets go of it when the connection ends, so whoever writes on it is alone, also
// after it broke and another process was faster.
func (c *conn) claim(ctx context.Context) error {
	var got bool
	err := c.c.QueryRowContext(ctx, `select pg_try_advisory_lock(727665766, hashtext(coalesce(current_schema()::text, '')))`).Scan(&got)
	if err == nil && !got {
		err = reeve.E(reeve.Conflict, "store.Open", "the PostgreSQL database is in use by another process: only one may serve it; stop it, or use another database")
	}
	return err
}

// commit makes the transaction durable. PostgreSQL answers ROLLBACK, and no
// error, to a commit of a transaction in which a statement failed.
func (c *conn) commit(ctx context.Context) error {
	if !c.pg {
		_, err := c.exec(ctx, "commit")
		return err
	}
	return c.c.Raw(func(dc any) error {
		tag, err := dc.(*stdlib.Conn).Conn().Exec(ctx, "commit")
		if err == nil && tag.String() != "COMMIT" {
			err = errors.New("the transaction was aborted: " + tag.String())
		}
		return err
	})
}

// rollback ends the transaction, and drops the connection when it cannot.
func (c *conn) rollback() {
	if c.c == nil {
		return
	}
	if _, err := c.exec(context.Background(), "rollback"); err != nil && !strings.Contains(err.Error(), "no transaction is active") {
		c.close()
	}
}

func (c *conn) close() {
	if c.c == nil {
		return
	}
	for _, s := range c.stmts {
		s.Close()
	}
	// A connection in an unknown state must not go back to the pool.
	c.c.Raw(func(any) error { return errBroken })
	c.c.Close()
	c.c, c.stmts = nil, nil
}

func (c *conn) exec(ctx context.Context, q string, args ...any) (sql.Result, error) {
	if s := c.stmt(ctx, q); s != nil {
		return s.ExecContext(ctx, args...)
	}
	return c.c.ExecContext(ctx, c.rebind(q), args...)
}

func (c *conn) query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	if s := c.stmt(ctx, q); s != nil {
		return s.QueryContext(ctx, args...)
	}
	return c.c.QueryContext(ctx, c.rebind(q), args...)
}

// stmt returns q prepared, or nil when it is not worth it or cannot be. pgx keeps
// prepared statements itself.
func (c *conn) stmt(ctx context.Context, q string) *sql.Stmt {
	if c.pg {
		return nil
	}
	s := c.stmts[q]
	if s == nil && len(c.stmts) < maxStmts {
		var err error
		if s, err = c.c.PrepareContext(ctx, q); err != nil {
			return nil // running it gives the error
		}
		c.stmts[q] = s
	}
	return s
}

func (c *conn) rebind(q string) string {
	if !c.pg {
		return q
	}
	return rebind(q)
}

// bound keeps what rebind has made of the program's statements, which are few.
var bound sync.Map

// rebind writes ? placeholders as $1, $2, leaving quoted text alone.
func rebind(q string) string {
	if !strings.Contains(q, "?") {
		return q
	}
	if s, ok := bound.Load(q); ok {
		return s.(string)
	}
	var b strings.Builder
	n, quote := 0, byte(0)
	for i := range len(q) {
		switch ch := q[i]; {
		case quote != 0:
			if ch == quote {
				quote = 0
			}
			b.WriteByte(ch)
		case ch == '\'' || ch == '"':
			quote = ch
			b.WriteByte(ch)
		case ch == '?':
			n++
			b.WriteString("$" + strconv.Itoa(n))
		default:
			b.WriteByte(ch)
		}
	}
	if len(q) < 4000 { // multi-row inserts come in many lengths: rebinding them is cheap beside running them
		bound.Store(q, b.String())
	}
	return b.String()
}
