package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
)

type call struct {
	ctx   context.Context
	fn    func(*Tx) error
	state atomic.Int32 // waiting, begun or withdrawn
	done  chan error
}

const (
	waiting int32 = iota
	begun
	withdrawn
)

type insideKey struct{}

// Update queues fn for the committer and returns when its changes are durable.
// Functions of many callers share a transaction, each in a savepoint: an error or
// a panic undoes fn alone and is returned. ctx counts only until fn begins.
//
// fn runs on the committer's goroutine and holds up all writers: it must not
// touch the network, wait for anything, or call Update.
func (db *DB) Update(ctx context.Context, fn func(*Tx) error) error {
	if db.o.ReadOnly {
		return reeve.E(reeve.Forbidden, "store.Update", "the database was opened for reading only")
	}
	if ctx.Value(insideKey{}) == db {
		return errors.New("store: Update inside an Update: use its transaction")
	}
	c := &call{ctx: ctx, fn: fn, done: make(chan error, 1)}
	select {
	case <-db.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	default:
	}
	select {
	case db.queue <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.stop:
		return ErrClosed
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		if c.state.CompareAndSwap(waiting, withdrawn) {
			return ctx.Err()
		}
		return <-c.done
	case <-db.stopped:
		select {
		case err := <-c.done:
			return err
		default:
			return ErrClosed
		}
	}
}

// commitLoop is the committer.
func (db *DB) commitLoop() {
	orderly := false
	defer func() {
		if !orderly { // a function ended the goroutine, as t.FailNow does
			go db.commitLoop()
		}
	}()
	for {
		select {
		case c := <-db.queue:
			db.commitGroup(c)
		case <-db.stop:
			orderly = true
			db.writer.rollback()
			close(db.stopped)
			return
		}
	}
}

var errEnded = errors.New("store: a function ended the committer's goroutine")

// commitGroup runs next and whoever waits behind it in one transaction.
func (db *DB) commitGroup(next *call) {
	var g *group
	var good []*call
	err := errEnded
	defer func() {
		if err != nil && g != nil {
			g.c.rollback()
		}
		for _, c := range good {
			c.done <- err
		}
		if err == nil && len(good) > 0 {
			db.signal()
		}
	}()
	over := time.NewTimer(groupTime)
	defer over.Stop()
	for n := 1; ; n++ {
		if next.state.CompareAndSwap(waiting, begun) {
			if g == nil {
				if g, err = db.beginGroup(); err != nil {
					next.done <- err
					return
				}
				err = errEnded
			}
			// The first caller has nobody before it to protect: it needs no savepoint.
			cerr := g.run(next, len(good) > 0)
			if cerr == nil {
				good = append(good, next)
			} else {
				db.failed.Add(1)
				next.done <- cerr
				var broken *brokenError
				if errors.As(cerr, &broken) {
					err = fmt.Errorf("store: the transaction was lost: %w", cerr)
					return
				}
				if len(good) == 0 {
					g.c.rollback()
					g = nil
				}
			}
		}
		if n >= groupCalls || g != nil && g.weight >= groupWeight || !db.more(&next, over) {
			break
		}
	}
	if g == nil {
		err = nil
		return
	}
	err = g.commit()
	db.callers.Add(int64(len(good)))
}

func (db *DB) more(next **call, over *time.Timer) bool {
	select {
	case <-over.C:
		return false
	default:
	}
	select {
	case *next = <-db.queue:
		return true
	default:
		return false
	}
}

func (db *DB) beginGroup() (*group, error) {
	ctx := context.Background()
	how := "begin immediate"
	if db.pg {
		how = "begin"
	}
	if err := db.writer.begin(ctx, how); err != nil {
		if reeve.KindOf(err) == reeve.Conflict { // our connection broke, and another process is alone now
			err = reeve.E(reeve.Transient, "store", "the database cannot take the change now: %w", err)
		}
		return nil, unavailable(err)
	}
	g := &group{db: db, c: db.writer}
	head, err := loadHead(&Tx{Ctx: ctx, g: g}, true)
	if err != nil {
		db.writer.rollback()
		return nil, unavailable(err)
	}
	g.head, g.loaded = &head, head
	return g, nil
}

// run runs one caller's function, undoing it when it fails.
func (g *group) run(c *call, protect bool) error {
	tx := &Tx{Ctx: context.WithValue(context.WithoutCancel(c.ctx), insideKey{}, g.db), Now: g.db.Now(), g: g}
	settled := false
	defer func() {
		tx.end()
		if !settled {
			c.done <- errEnded
		}
	}()
	var err error
	if protect {
		err = tx.Savepoint(func() error { return c.fn(tx) })
	} else if err = guard(g.db.o.Log, func() error { return c.fn(tx) }); err == nil {
		err = g.unreported()
	}
	settled = true
	return err
}

// commit flushes the buffers, writes the head row and makes all durable.
func (g *group) commit() error {
	tx := &Tx{Ctx: context.Background(), Now: g.db.Now(), g: g}
	defer tx.end()
	for i := 0; i < len(g.buffers); i++ { // a flush may make a buffer be used for the first time
		if err := guard(g.db.o.Log, func() error { return g.buffers[i].b.Flush(tx) }); err != nil {
			return fmt.Errorf("store: flushing %s: %w", g.buffers[i].name, unavailable(err))
		}
	}
	if h := g.head; !h.same(&g.loaded) {
		if _, err := tx.Exec(`update store_head set epoch = ?, record = ?, entry = ?, event = ?, edge = ? where part = 0`,
			h.Epoch, h.Record, h.Entry, h.Event, h.Edge); err != nil {
			return unavailable(err)
		}
	}
	if err := g.unreported(); err != nil {
		return err
	}
	if err := g.c.commit(tx.Ctx); err != nil {
		return unavailable(err)
	}
	for _, n := range g.buffers {
		if b, ok := n.b.(interface{ Committed() }); ok {
			b.Committed()
		}
	}
	g.db.commits.Add(1)
	if g.db.o.OnFsync != nil {
		g.db.o.OnFsync()
	}
	return nil
}

// unavailable marks an error of the database itself: the caller may try the same
// again later.
func unavailable(err error) error {
	if reeve.KindOf(err) != reeve.Fault {
		return err
	}
	return &reeve.Error{Op: "store", Kind: reeve.Transient, Message: "the database cannot take the change now: " + err.Error(), Err: err}
}

// guard turns a panic into an error, and logs where it came from.
func guard(log *slog.Logger, fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			log.Error("panic in a transaction", "stack", string(debug.Stack()))
			err = fmt.Errorf("store: panic in a transaction: %v", r)
		}
	}()
	return fn()
}
