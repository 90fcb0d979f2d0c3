// Package journal keeps the record of what was done, so that nobody can change it
// unseen: a Merkle tree (golang.org/x/mod/sumdb/tlog) over numbered entries, with
// signed checkpoints that are also written outside the database.
//
// An entry holds no personal data: a person is a salted commitment, reasons name
// fields and codes and never values. Whoever holds an old checkpoint can prove
// that entries were changed, removed, put in another order or cut off.
package journal

import (
	"context"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Entry is one line of the journal.
type Entry struct {
	N       int64     // its number, from 0; filled in by Append
	At      time.Time // filled in by Append when zero
	Actor   string    // id of who did it: "partner/org-x", "staff/3", "flow/flow-x"
	Verb    string    // past or present: "accepted", "refused", "disclosing", "saw"
	Subject string    // commitment of a person, see Commitment; or ""
	About   reeve.Ref
	Purpose reeve.Purpose
	Set     string   // hash of the definitions in force
	Why     []string // names of fields and codes, never values
	Digest  string   // of the record meant, as the log gives it
}

// Options of a journal.
type Options struct {
	Dir    string // checkpoints are also kept in Dir/checkpoints; "" for the database only
	Key    []byte // 32-byte seed of the Ed25519 signing key; nil: kept in Dir/journal.key, made when missing
	Origin string // name of this journal in checkpoints, like "reeve.example.org/journal"; "" for "reeve/journal"
}

// Journal is the journal of one body.
type Journal struct {
}

// Open opens the journal.
func Open(ctx context.Context, db *store.DB, o Options) (*Journal, error) { panic("todo") }

// Append adds entries in the transaction that makes them true, and returns the
// number of the first; the others follow it. The entries are not kept or changed.
func (j *Journal) Append(tx *store.Tx, es ...Entry) (first int64, err error) { panic("todo") }

// Commitment stands for a person in entries: a hash with a salt that is kept
// apart, so that forgetting the person can destroy it.
func (j *Journal) Commitment(tx *store.Tx, p reeve.PersonID) (string, error) { panic("todo") }

// Forget destroys a person's salt: nobody can connect them with entries any more,
// and every proof still holds.
func (j *Journal) Forget(tx *store.Tx, p reeve.PersonID) error { panic("todo") }

// Checkpoint is a signed statement of how long the journal was and what its tree
// hash was, in the C2SP tlog-checkpoint format.
type Checkpoint struct {
	Origin string
	Size   int64
	Root   tlog.Hash
	At     time.Time
	Text   string // the signed note
}

// Checkpoint signs the journal as it stands, when it grew since the last
// checkpoint, and returns the newest one.
func (j *Journal) Checkpoint(ctx context.Context) (Checkpoint, error) { panic("todo") }

// Step is the journal's worker: it brings the index of About up to date and signs
// a checkpoint when the last one is a while ago. It reports what it did.
func (j *Journal) Step(ctx context.Context) (did int, err error) { panic("todo") }

// VerifierKey is the public key of checkpoints, as golang.org/x/mod/sumdb/note
// writes it.
func (j *Journal) VerifierKey() string { panic("todo") }

// Size is the number of entries.
func (j *Journal) Size(ctx context.Context) (int64, error) { panic("todo") }

// Read returns up to max entries from number from on.
func (j *Journal) Read(ctx context.Context, from int64, max int) ([]Entry, error) { panic("todo") }

// About returns the newest max entries about ref, oldest first.
func (j *Journal) About(ctx context.Context, ref reeve.Ref, max int) ([]Entry, error) { panic("todo") }

// ProveInclusion proves that entry n is in the tree of a size; check it with
// tlog.CheckRecord.
func (j *Journal) ProveInclusion(ctx context.Context, n, size int64) (tlog.RecordProof, error) {
	panic("todo")
}

// ProveConsistency proves that the tree of size old is the start of that of size
// new; check it with tlog.CheckTree.
func (j *Journal) ProveConsistency(ctx context.Context, old, new int64) (tlog.TreeProof, error) {
	panic("todo")
}

// VerifyOptions says against what to verify.
type VerifyOptions struct {
	Checkpoints []string // files, folders, or the texts of checkpoints; those in the database are always checked
	Verifier    string   // public key, see VerifierKey; "" takes it from Dir/checkpoints or the database
	Dir         string   // data directory, whose checkpoints are checked too; or ""
}

// Report is what verifying found.
type Report struct {
	Entries     int64     // entries read
	Checkpoints int       // checkpoints that hold
	Root        tlog.Hash // tree hash as computed from the entries
	FirstBad    int64     // number of the first bad entry; -1 when all is well
	LastBad     int64     // the bad entry lies between FirstBad and this, where it cannot be told exactly
	Problem     string    // what is wrong, in words; "" when all is well
	Notes       []string  // what a reader should know besides
}

// Verify reads every entry and computes everything anew. The error is that of
// reading; what is wrong with the journal stands in the report.
func Verify(ctx context.Context, db *store.DB, o VerifyOptions) (Report, error) { panic("todo") }
