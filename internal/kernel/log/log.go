// Package log keeps the records that were accepted, in the order of their numbers.
// It is the one place where bodies are kept; everything else refers to them.
//
// Records are kept in packs of one type, compressed and sealed. A record that
// Append took is there when its transaction is committed, and every reader by
// number sees it after all lower numbers.
package log

import (
	"context"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Record is one thing told to the body, in the shape of its type, cut down to
// what its sender may tell.
type Record struct {
	N            int64          // number; filled in by Append unless it was reserved
	ID           reeve.RecordID // filled in by Append
	Type         reeve.RecordType
	Sender       string         // id of the Organisation that told it
	Key          string         // value of the type's key, ""
	At           time.Time      // when it was accepted; filled in by Append when zero
	Set          string         // hash of the definitions in force
	Submission   string         // id of the submission it came in, ""
	Replaces     reeve.RecordID // the earlier version with the same key, ""
	ReleasedFrom reeve.RecordID // the id under which it was held, ""
	Digest       string         // filled in by Append: base64url(sha256(nonce, number, body)); the nonce is in the sealed pack
	Body         []byte         // never change it after Append or Read
}

// Log is the record log.
type Log struct {
}

// Open opens the log.
func Open(ctx context.Context, db *store.DB, keys *seal.Keys) (*Log, error) { panic("todo") }

// Reserve takes a number that no record of the log will have: that of a held
// record.
func (l *Log) Reserve(tx *store.Tx) int64 { panic("todo") }

// Append adds records and fills in their numbers, ids and digests, in place. They
// are written at the commit and can be read after it, not in the same
// transaction. Bodies must not be changed afterwards.
func (l *Log) Append(tx *store.Tx, recs []Record) error { panic("todo") }

// Get returns record n, or an error of kind NotFound.
func (l *Log) Get(ctx context.Context, n int64) (Record, error) { panic("todo") }

// GetTx is Get in a transaction.
func (l *Log) GetTx(tx *store.Tx, n int64) (Record, error) { panic("todo") }

// Read returns up to max records of a type ("" for all) with numbers above after,
// in order. Fewer than max means that there are no more for now.
func (l *Log) Read(ctx context.Context, t reeve.RecordType, after int64, max int) ([]Record, error) {
	panic("todo")
}

// ReadTx is Read in a transaction.
func (l *Log) ReadTx(tx *store.Tx, t reeve.RecordType, after int64, max int) ([]Record, error) {
	panic("todo")
}

// Tail calls fn for every record with a number above after that is there, in
// order.
func (l *Log) Tail(ctx context.Context, after int64, fn func(Record) error) error { panic("todo") }

// Last is the highest number given out, 0 for none.
func (l *Log) Last(ctx context.Context) (int64, error) { panic("todo") }
