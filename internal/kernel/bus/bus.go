// Package bus carries events from the transaction in which they became true to
// the handlers that care. Each consumer has a durable name and a cursor over the
// numbered events; the cursor moves in the transaction of the handler's effects,
// so an event takes effect once for each consumer.
//
// An event that a handler fails on is tried again later and holds up no other:
// do not assume that events arrive in order after a failure.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

const (
	readAhead = 500 // events looked at in a transaction
	batch     = 50  // events handled in a transaction: it holds up all writers
	maxTries  = 12
	firstWait = time.Second
	longest   = time.Hour
	errorText = 500 // bytes of an error that are kept
)

// Handler reacts to an event inside tx. It must not reach outside tx: an effect
// on the world is a row that a worker acts on later. Its error is kept and shown
// to staff: name fields and codes in it, never values.
type Handler func(tx *store.Tx, ev reeve.Event) error

// Bus carries the events of one body.
type Bus struct {
	db  *store.DB
	log *slog.Logger

	mu   sync.Mutex // one round at a time
	subs []*sub
}

type sub struct {
	consumer string
	types    []string
	handle   Handler
	fromNow  bool
	seen     int64 // up to here nothing is left to hand over
	ready    bool  // seen has been read
}

// Open opens the bus.
func Open(ctx context.Context, db *store.DB, log *slog.Logger) (*Bus, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Bus{db: db, log: log}, db.Migrate(ctx, "bus", migrations)
}

// Emit writes ev in the transaction that makes it true. ID and, when zero, Time
// are filled in. With NotBefore, handlers see it no earlier.
func (b *Bus) Emit(tx *store.Tx, ev reeve.Event) (reeve.EventID, error) {
	if ev.Type == "" {
		return 0, errors.New("bus: an event without a type")
	}
	h := tx.Head()
	ev.ID = reeve.EventID(h.Event)
	h.Event++
	if ev.Time.IsZero() {
		ev.Time = tx.Now
	}
	return ev.ID, insertEvent(tx, ev)
}

// Option changes how a consumer begins.
type Option func(*sub)

// FromNow makes a consumer that was never seen before begin with the events still
// to come, instead of the first one ever.
func FromNow() Option { return func(s *sub) { s.fromNow = true } }

// Subscribe calls h for events of the types ("case.opened", or "case.*" for a
// group, "*" for all) under a durable consumer name. Call it before the first Step.
// It panics when the name is taken.
func (b *Bus) Subscribe(consumer string, types []string, h Handler, opts ...Option) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.subs {
		if s.consumer == consumer {
			panic("bus: two consumers named " + consumer)
		}
	}
	s := &sub{consumer: consumer, types: types, handle: h}
	for _, o := range opts {
		o(s)
	}
	b.subs = append(b.subs, s)
}

// Consumers are the names of all that subscribed.
func (b *Bus) Consumers() (names []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.subs {
		names = append(names, s.consumer)
	}
	return names
}

func (s *sub) wants(typ string) bool {
	for _, t := range s.types {
		group, ok := strings.CutSuffix(t, "*")
		if t == typ || ok && strings.HasPrefix(typ, group) {
			return true
		}
	}
	return false
}

// Step hands over what is due, one round over all consumers, and reports how many
// events were handled, well or not. A worker calls it again until it is 0. An
// error is that of the database; the other consumers had their round.
func (b *Bus) Step(ctx context.Context) (handled int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var errs []error
	for _, s := range b.subs {
		for _, round := range []func(context.Context, *sub) (int, error){b.fresh, b.again} {
			n, err := round(ctx, s)
			handled += n
			if err != nil {
				errs = append(errs, fmt.Errorf("bus: %s: %w", s.consumer, err))
			}
		}
	}
	return handled, errors.Join(errs...)
}

// fresh hands over events that the consumer has not met.
func (b *Bus) fresh(ctx context.Context, s *sub) (handled int, err error) {
	waiting, err := b.look(ctx, s)
	if err != nil || !waiting {
		return 0, err
	}
	var last int64
	err = b.db.Update(ctx, func(tx *store.Tx) error {
		handled = 0
		var err error
		if last, err = b.begin(tx, s); err != nil {
			return err
		}
		evs, err := events(tx, last, readAhead)
		if err != nil {
			return err
		}
		for _, ev := range evs {
			if handled == batch {
				break
			}
			last = int64(ev.ID)
			if !s.wants(ev.Type) {
				continue
			}
			handled++
			if err := b.hand(tx, s, retry{consumer: s.consumer, stored: ev}); err != nil {
				return err
			}
		}
		return setCursor(tx, s.consumer, last)
	})
	if err != nil {
		return 0, err
	}
	s.seen, s.ready = last, true
	return handled, nil
}

// look passes over events that the consumer does not want, and reports whether a
// transaction is needed: one is wanted, or many were passed over.
func (b *Bus) look(ctx context.Context, s *sub) (waiting bool, err error) {
	if !s.ready {
		return true, nil
	}
	err = b.db.View(ctx, func(tx *store.Tx) error {
		if tx.Head().Event-1 == s.seen {
			return nil
		}
		evs, err := events(tx, s.seen, readAhead)
		for _, ev := range evs {
			if s.wants(ev.Type) {
				waiting = true
				return nil
			}
		}
		if len(evs) == readAhead {
			waiting = true
		} else if len(evs) > 0 {
			s.seen = int64(evs[len(evs)-1].ID)
		}
		return err
	})
	return waiting, err
}

// begin reads the consumer's cursor, or makes it.
func (b *Bus) begin(tx *store.Tx, s *sub) (int64, error) {
	n, ok, err := cursor(tx, s.consumer)
	if err == nil && !ok && s.fromNow {
		n = tx.Head().Event - 1
	}
	return n, err
}

// hand lets the consumer handle one event in a savepoint, and notes when to try
// again.
func (b *Bus) hand(tx *store.Tx, s *sub, r retry) error {
	now := tx.Now.UnixMilli()
	switch {
	case r.cancelled:
		return b.settle(tx, r)
	case r.NotBefore.UnixMilli() > now && !r.NotBefore.IsZero():
		r.due = r.NotBefore.UnixMilli()
		return putRetry(tx, r)
	}
	err := tx.Savepoint(func() error { return s.handle(tx, r.Event) })
	if err == nil {
		return b.settle(tx, r)
	}
	if store.Lost(err) {
		return err
	}
	r.tries++
	r.dead = r.tries >= maxTries
	r.due = now + wait(r.tries).Milliseconds()
	r.err = err.Error()
	if len(r.err) > errorText {
		r.err = strings.ToValidUTF8(r.err[:errorText], "")
	}
	b.log.Warn("an event could not be handled", "consumer", s.consumer, "event", int64(r.ID), "type", r.Type, "tries", r.tries, "dead", r.dead)
	return putRetry(tx, r)
}

func (b *Bus) settle(tx *store.Tx, r retry) error {
	if r.due == 0 {
		return nil // it was not waiting
	}
	return deleteRetry(tx, r.consumer, r.ID)
}

func wait(tries int) time.Duration {
	return min(firstWait<<(tries-1), longest)
}

// again hands over events that failed before, or were not due.
func (b *Bus) again(ctx context.Context, s *sub) (handled int, err error) {
	var rs []retry
	if err := b.db.View(ctx, func(tx *store.Tx) (err error) { rs, err = due(tx, s.consumer, 1); return err }); err != nil || len(rs) == 0 {
		return 0, err
	}
	err = b.db.Update(ctx, func(tx *store.Tx) error {
		handled = 0
		rs, err := due(tx, s.consumer, batch)
		if err != nil {
			return err
		}
		for _, r := range rs {
			handled++
			if err := b.hand(tx, s, r); err != nil {
				return err
			}
		}
		return nil
	})
	return handled, err
}

// Cancel drops events about ref that are not yet due, of the types, or of all
// types when none is given. Handlers of events that are due check for themselves.
func (b *Bus) Cancel(tx *store.Tx, about reeve.Ref, types ...string) error {
	return cancel(tx, about, types)
}

// Failure is an event that a consumer could not handle.
type Failure struct {
	Consumer string
	Event    reeve.Event
	Tries    int
	Dead     bool // no more tries until Retry
	Next     time.Time
	Error    string
}

// Failing lists what consumers could not handle, oldest first, 1,000 at most.
func (b *Bus) Failing(ctx context.Context) (all []Failure, err error) {
	err = b.db.View(ctx, func(tx *store.Tx) error {
		rs, err := failed(tx)
		for _, r := range rs {
			all = append(all, Failure{r.consumer, r.Event, r.tries, r.dead, store.Moment(r.due), r.err})
		}
		return err
	})
	return all, err
}

// Retry makes a failing or dead event due at once. It is not found when it is
// neither.
func (b *Bus) Retry(tx *store.Tx, consumer string, id reeve.EventID) error {
	found, err := revive(tx, consumer, id)
	if err == nil && !found {
		err = reeve.E(reeve.NotFound, "bus.Retry", "event %d does not wait for %s", id, consumer)
	}
	return err
}
