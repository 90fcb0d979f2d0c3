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
	"log/slog"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Handler reacts to an event inside tx. It must not reach outside tx: an effect
// on the world is a row that a worker acts on later.
type Handler func(tx *store.Tx, ev reeve.Event) error

// Bus carries the events of one body.
type Bus struct {
}

// Open opens the bus.
func Open(ctx context.Context, db *store.DB, log *slog.Logger) (*Bus, error) { panic("todo") }

// Emit writes ev in the transaction that makes it true. ID and, when zero, Time
// are filled in. With NotBefore, handlers see it no earlier.
func (b *Bus) Emit(tx *store.Tx, ev reeve.Event) (reeve.EventID, error) { panic("todo") }

// Option changes how a consumer begins.
type Option func()

// FromNow makes a consumer that was never seen before begin with the events still
// to come, instead of the first one ever.
func FromNow() Option { panic("todo") }

// Subscribe calls h for events of the types ("case.opened", or "case.*" for a
// group, "*" for all) under a durable consumer name. Call it before the first Step.
func (b *Bus) Subscribe(consumer string, types []string, h Handler, opts ...Option) { panic("todo") }

// Step hands over what is due, one round over all consumers, and reports how many
// events were handled, well or not. A worker calls it again until it is 0.
func (b *Bus) Step(ctx context.Context) (handled int, err error) { panic("todo") }

// Cancel drops events about ref that are not yet due, of the types, or of all
// types when none is given.
func (b *Bus) Cancel(tx *store.Tx, about reeve.Ref, types ...string) error { panic("todo") }

// Failure is an event that a consumer could not handle.
type Failure struct {
	Consumer string
	Event    reeve.Event
	Tries    int
	Dead     bool // no more tries until Retry
	Next     time.Time
	Error    string
}

// Failing lists what consumers could not handle, oldest first.
func (b *Bus) Failing(ctx context.Context) ([]Failure, error) { panic("todo") }

// Retry makes a failing or dead event due at once.
func (b *Bus) Retry(tx *store.Tx, consumer string, id reeve.EventID) error { panic("todo") }
