// Package connector says what a connector must do: carry frozen bodies to a
// system that the exchange delivers to, and tell honestly what became of them.
//
// A connector holds no state that matters: what is still to be sent, what was
// sent and what to do about an unclear answer is the exchange's business. That
// makes a connector small: it has one method that does something. The kit in
// connectortest checks the promises below against a receiver that misbehaves.
package connector

import (
	"context"
	"sync"
	"time"
)

// Item is one body to deliver. It is the same at every attempt, byte for byte.
type Item struct {
	ID   string // names the delivery for ever: the receiver may recognise a repeat by it
	Key  string // the record type's own key value, "" if it has none; may be personal
	Body []byte // UTF-8 JSON; not to be changed
}

// Outcome is what became of one item in one attempt.
type Outcome uint8

// The outcomes.
const (
	Untried   Outcome = iota // not attempted this time; nothing left this machine
	Delivered                // the receiver has it for good, and said so
	Refused                  // the receiver read it and will never take it as it is
	Later                    // the receiver did not take it, for sure; try again
	Unclear                  // it may have been taken or not: the answer never came, or says nothing
)

func (o Outcome) String() string {
	return [...]string{"untried", "delivered", "refused", "later", "unclear"}[min(o, Unclear)]
}

// Result is the outcome of one item.
type Result struct {
	Outcome Outcome
	// Message says in plain words what the receiver said or what went wrong. It
	// is at most 300 bytes, holds no secret and nothing of the item's body.
	Message string
	// RetryAfter is how long the receiver asks to be left alone, or 0.
	RetryAfter time.Duration
}

// Sink carries items to one interface of one system.
//
//   - Send returns one result for each item, in the same order, and returns even
//     when the receiver does not answer.
//   - Delivered is said only when the receiver has said so, or when the bytes
//     will survive a power cut. When in doubt it says Unclear: a wrong Later
//     makes a second effect, a wrong Delivered loses a record.
//   - Sending an item again has one effect where the receiver can recognise the
//     repeat by the item's ID or address.
//   - Items of one call may be sent side by side, unless the sink was made for
//     strict order: then never two of one Key, and none after one of its Key
//     that was not Delivered.
//   - When ctx ends no further item is begun, but what was begun is finished.
//
// Whole reports that the items of one call stand or fall together (a file):
// the caller then repeats a call with exactly the same items.
type Sink interface {
	Send(ctx context.Context, items []Item) []Result
	Whole() bool
}

// Looker is a Sink that can ask the receiver whether it has an item, for
// receivers that cannot recognise a repeat by themselves.
type Looker interface {
	// Lookup reports whether the receiver has the item. An error means that it
	// could not be found out; its text keeps the promises of Result.Message.
	Lookup(ctx context.Context, it Item) (bool, error)
}

// Each sends items one by one through send, at most inFlight at a time. With
// ordered, items of one Key (other than "") go one after the other and stop at
// the first that is not Delivered. It stops beginning items when ctx ends, when
// a result asks to be left alone, or when max(inFlight, 3) in a row failed with
// Later or Unclear: the receiver is then taken to be down.
func Each(ctx context.Context, items []Item, inFlight int, ordered bool, send func(context.Context, Item) Result) []Result {
	e := &each{results: make([]Result, len(items)), limit: max(inFlight, 3)}
	var groups [][]int // indexes that go one after the other
	byKey := map[string]int{}
	for i, it := range items {
		if ordered && it.Key != "" {
			if g, ok := byKey[it.Key]; ok {
				groups[g] = append(groups[g], i)
				continue
			}
			byKey[it.Key] = len(groups)
		}
		groups = append(groups, []int{i})
	}
	e.groups = groups
	var wg sync.WaitGroup
	for range min(max(inFlight, 1), len(groups)) {
		wg.Go(func() {
			for group := e.take(ctx); group != nil; group = e.take(ctx) {
				for k, i := range group {
					if k > 0 && (ctx.Err() != nil || e.stopped()) {
						break
					}
					e.results[i] = send(ctx, items[i])
					if e.done(e.results[i]); e.results[i].Outcome != Delivered {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	return e.results
}

type each struct {
	results []Result
	limit   int

	mu     sync.Mutex
	groups [][]int // not taken yet
	failed int     // in a row
	stop   bool
}

// take is the next group, of which the first item is to be begun; nil where nothing more
// is. Nobody stops between the two: what is first in a call is always tried.
func (e *each) take(ctx context.Context) []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stop || ctx.Err() != nil || len(e.groups) == 0 {
		return nil
	}
	group := e.groups[0]
	e.groups = e.groups[1:]
	return group
}

func (e *each) stopped() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stop
}

func (e *each) done(r Result) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch r.Outcome {
	case Later, Unclear:
		e.failed++
	default:
		e.failed = 0
	}
	e.stop = e.stop || r.RetryAfter > 0 || e.failed >= e.limit
}
