package connector

import (
	"context"

	"github.com/reeve-civic/reeve/connector/format"
)

// Source reads records out of one interface of one system. It holds no state that
// matters: what was taken, and how far a portion was read, is kept by the exchange.
//
//   - Read hands over what is there, oldest first, and returns when there is no
//     more for now. after is the Position of the last row that was taken for good,
//     "" at the very first; sources of named portions (files) get "" always.
//   - take returns nil once the portion is taken for good, or was before. When it
//     returns an error Read stops and returns that error as it is.
//   - Reading does not change the system, except through Portion.Done.
//   - A portion that is not complete yet (a file still being written) is not handed
//     over.
//   - An error is for people: what could not be read and why, without a secret and
//     without a value of a record. The next Read may well succeed.
//   - When ctx ends Read stops soon and returns its error.
type Source interface {
	Read(ctx context.Context, after string, take func(Portion) error) error
	Close() error
}

// Portion is one file, one answer or one run of a query.
type Portion struct {
	// Name is that of a file, without folder; "" for what has none. Two portions of
	// one Name and Version are the same: taken once, and gone on with, after a crash,
	// at the row that comes next. A portion without a name is gone on with by the
	// Position of its rows.
	Name    string
	Version string // of the contents: a hash, in hexadecimal
	Size    int64  // bytes, for progress; -1 if not known
	Total   int64  // rows that the system itself counts, for the reconciliation; -1 if it does not
	// Open begins to read the rows; it may be called again.
	Open func(ctx context.Context) (format.Reader, error)
	// Done is called when every row was taken for good, perhaps again after a crash:
	// the place to move a file away. nil if there is nothing to do.
	Done func(ctx context.Context) error
}

// Caller is a Sink that can be asked a question: the answer to one item is used.
type Caller interface {
	// Call sends the item once and returns the answer's body, JSON, when the outcome
	// is Delivered. It keeps the promises of Sink.Send for its outcome.
	Call(ctx context.Context, it Item) (answer []byte, r Result)
}
