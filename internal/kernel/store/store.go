// Package store opens the database and runs transactions. It knows no tables but
// its own (store_*): every other table belongs to the package whose store.go
// names it.
//
// One committer runs all writes of a process. It gathers the callers that wait
// into a commit group: one transaction, one wait for the disk. What is
// guaranteed:
//
//   - [DB.Update] returns nil only after its changes are durable;
//   - a caller that fails or panics is undone alone, and nobody else with it;
//   - the head row is locked first in every group, also between processes on
//     PostgreSQL, so numbers taken from [Head] become visible in their order and
//     no cursor over them skips one.
//
// Do not assume that a function runs in a transaction of its own, or that an
// error other than the function's own means that nothing was committed: when the
// connection to PostgreSQL breaks during the commit, nobody can know.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/reeve-civic/reeve"
)

// Options says which database to open.
type Options struct {
	Path     string           // SQLite file; made when missing
	URL      string           // postgres://...; wins over Path
	ReadOnly bool             // views only: takes no lock and may open a database that another process serves
	Alone    bool             // PostgreSQL: no other process that says so may write here meanwhile; SQLite is always alone
	Now      func() time.Time // the clock; required
	Log      *slog.Logger     // nil for none
	OnFsync  func()           // called after each wait for the disk of a commit group
}

// Bounds of a commit group: what it gathers before it commits.
const (
	groupCalls  = 1000
	groupTime   = 25 * time.Millisecond
	groupWeight = 16 << 20 // bytes that callers told by Tx.Weigh
	readers     = 8
)

// ErrClosed is returned by a database that has been closed.
var ErrClosed = reeve.E(reeve.Transient, "store", "the database is closed")

// DB is an open database. Its methods may be called from many goroutines.
type DB struct {
	o       Options
	pg      bool
	lock    *os.File
	write   *sql.DB
	read    *sql.DB
	writer  *conn
	idle    chan *conn // readers, opened when first used
	queue   chan *call
	stop    chan struct{}
	stopped chan struct{}
	closing sync.Once

	released sync.Once
	closed   error // what closing it said

	makers  []maker
	mu      sync.Mutex // guards makers and signals
	signals []chan struct{}

	commits, callers, failed atomic.Int64
}

type maker struct {
	name string
	make func() Buffer
}

// Stats counts since the database was opened.
type Stats struct {
	Commits int64 // commit groups made durable
	Callers int64 // functions committed in them
	Failed  int64 // functions undone
	Fsyncs  int64 // waits for the disk by commits; SQLite's checkpoints come on top
}

// Open opens the database and makes its own tables. On SQLite a second process
// on the same file is refused with an error of kind Conflict; so it is on
// PostgreSQL where both are Alone.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Now == nil {
		return nil, errors.New("store: no clock")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	db := &DB{o: o, pg: o.URL != "", idle: make(chan *conn, readers), queue: make(chan *call, groupCalls),
		stop: make(chan struct{}), stopped: make(chan struct{})}
	if err := db.open(ctx); err != nil {
		db.release()
		return nil, err
	}
	if o.ReadOnly {
		close(db.stopped)
	} else {
		go db.commitLoop()
	}
	return db, nil
}

func (db *DB) open(ctx context.Context) error {
	var err error
	if !db.pg && !db.o.ReadOnly {
		if db.lock, err = lockFile(db.o.Path); err != nil {
			return err
		}
	}
	if db.write, db.read, err = openPools(db.o); err != nil {
		return err
	}
	for range readers {
		db.idle <- &conn{pool: db.read, pg: db.pg}
	}
	db.writer = &conn{pool: db.write, pg: db.pg}
	if db.pg {
		// A process that hangs must not keep the head row from the others for ever.
		// Nor may a connection that is gone keep the lock of a process that is Alone.
		db.writer.first = "set idle_in_transaction_session_timeout = '60s'; set tcp_keepalives_idle = 15; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3"
		db.writer.alone = db.o.Alone && !db.o.ReadOnly
	}
	if db.o.ReadOnly {
		err = db.View(ctx, func(tx *Tx) error {
			var n int64
			return tx.QueryRow(`select count(*) from store_head`).Scan(&n)
		})
	} else {
		err = db.bootstrap(ctx)
		if reeve.KindOf(err) == reeve.Conflict {
			return err
		}
	}
	if err != nil {
		return fmt.Errorf("store: opening %s: %w", db.name(), err)
	}
	return nil
}

// name is what errors call the database; never with a password.
func (db *DB) name() string {
	if db.pg {
		return "the PostgreSQL database"
	}
	return db.o.Path
}

// Close waits for the commit group and the views that run, refuses what is queued
// and closes the database. Whoever closes it a second time waits for the first.
func (db *DB) Close() error {
	db.closing.Do(func() { close(db.stop) })
	<-db.stopped
	db.released.Do(func() { db.closed = db.release() })
	return db.closed
}

func (db *DB) release() error {
	var errs []error
	if db.writer != nil {
		db.writer.close()
		for range readers {
			c := <-db.idle
			c.close()
			defer func() { db.idle <- c }() // a View that comes late gets an error from the closed pool
		}
	}
	for _, p := range []*sql.DB{db.read, db.write} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	if db.lock != nil {
		errs = append(errs, db.lock.Close())
		db.lock = nil
	}
	return errors.Join(errs...)
}

// Now is the time of the injected clock, in UTC and whole milliseconds, as the
// database keeps it.
func (db *DB) Now() time.Time { return db.o.Now().UTC().Truncate(time.Millisecond) }

// Postgres reports whether the database is PostgreSQL.
func (db *DB) Postgres() bool { return db.pg }

// Stats counts commits since the start.
func (db *DB) Stats() Stats {
	c := db.commits.Load()
	return Stats{Commits: c, Callers: db.callers.Load(), Failed: db.failed.Load(), Fsyncs: c}
}

// Committed returns a new subscription: it gets a signal after commits of this
// process, many of them as one. Subscribe once and keep it.
func (db *DB) Committed() <-chan struct{} {
	ch := make(chan struct{}, 1)
	db.mu.Lock()
	defer db.mu.Unlock()
	db.signals = append(db.signals, ch)
	return ch
}

func (db *DB) signal() {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, ch := range db.signals {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// AddBuffer makes every commit group have a buffer of this name, made when it is
// first asked for by [Tx.Buffer]. Call it before the first Update that uses it.
func (db *DB) AddBuffer(name string, make func() Buffer) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.makers = append(db.makers, maker{name, make})
}

func (db *DB) maker(name string) func() Buffer {
	db.mu.Lock()
	defer db.mu.Unlock()
	for _, m := range db.makers {
		if m.name == name {
			return m.make
		}
	}
	return nil
}

// View runs fn on a snapshot that it cannot change. It may be called inside an
// Update and then does not see that Update's changes. A View inside a View takes
// another connection: do not nest them deeply.
func (db *DB) View(ctx context.Context, fn func(*Tx) error) error {
	var c *conn
	select {
	case <-db.stop:
		return ErrClosed
	default:
	}
	select {
	case c = <-db.idle:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { db.idle <- c }()
	begin := "begin"
	if db.pg {
		begin = "begin isolation level repeatable read read only"
	}
	if err := c.begin(ctx, begin); err != nil {
		return fmt.Errorf("store: reading %s: %w", db.name(), err)
	}
	defer c.rollback()
	tx := &Tx{Ctx: ctx, Now: db.Now(), g: &group{db: db, c: c, view: true}}
	defer tx.end()
	return fn(tx)
}

// lockFile takes the lock that keeps a second process away. The kernel lets go
// of it when the process ends, however it ends.
func lockFile(path string) (*os.File, error) {
	if path == "" {
		return nil, reeve.E(reeve.Invalid, "store.Open", "no database file is named")
	}
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		who, _ := io.ReadAll(io.LimitReader(f, 20))
		f.Close()
		return nil, reeve.E(reeve.Conflict, "store.Open",
			"%s is in use by another process (%s): only one may serve a SQLite database; stop it, or use another data directory",
			path, strings.TrimSpace("pid "+string(who)))
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("store: writing %s.lock: %w", path, err)
	}
	return f, nil
}
