// Package once recognises what was told before: it is the memory behind
// idempotency. It maps the hash of a key to the record that came with it last.
//
// What is guaranteed. Find and Put run on the committer, so of two senders of the
// same key the second finds the first, whether it was committed long ago, in this
// commit group or a moment before in the same transaction; what is undone is
// forgotten. A restart forgets nothing: what is not yet in the index is told again
// by the records themselves.
//
// What not to assume. Hashes are keyed with a secret, so that the index of a
// database that was lost does not confirm guesses at personal data; they cannot be
// compared with those of another body.
package once

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Window is how long the key of an Idempotency-Key header is remembered. The key
// of a record type is remembered for as long as the index is kept.
const Window = 90 * 24 * time.Hour

// How much is kept in memory before it is written, and how much at once.
const (
	chunk     = 10_000
	mostChunk = 40_000 // where the index is large
	keepTail  = 2 * chunk
	perUpdate = 5_000 // of them: all writers wait meanwhile
	perQuery  = 400
	// mostLag is how many record numbers the index may be behind though little waits
	// to be written: all records from there on are read again at the next start.
	mostLag = 100_000
)

// Hash names a key, or the content of a record.
type Hash [16]byte

func (h Hash) parts() (a, b int64) {
	return int64(binary.BigEndian.Uint64(h[:8])), int64(binary.BigEndian.Uint64(h[8:]))
}

// hashOf puts together what parts took apart.
func hashOf(a, b int64) (h Hash) {
	binary.BigEndian.PutUint64(h[:8], uint64(a))
	binary.BigEndian.PutUint64(h[8:], uint64(b))
	return h
}

// Zero reports whether h is no hash.
func (h Hash) Zero() bool { return h == Hash{} }

// Seen is what is known of a key: the record that came with it last.
type Seen struct {
	N      int64 // its number
	Epoch  int64
	At     time.Time
	Header bool // the key was a header's: it is forgotten after Window
	Digest Hash // of its content
	Sent   Hash // of the content as it was sent, where a person corrected it; else zero
}

// ID is the id of the record.
func (s Seen) ID() reeve.RecordID { return reeve.NewRecordID(s.Epoch, s.N) }

// Same reports whether content with this digest is what came before.
func (s Seen) Same(digest Hash) bool { return s.Digest == digest || !s.Sent.Zero() && s.Sent == digest }

// Index is the memory of one body.
type Index struct {
	db     *store.DB
	secret [32]byte
	names  atomic.Pointer[map[string]string] // first ids by "kind/id", of what was renamed; see Rename

	// Only the committer's goroutine uses these.
	gen    int64
	staged *stage

	mu      sync.Mutex
	tail    map[Hash]Seen // committed, not yet written or written just now
	fifo    []entry       // what of tail is to be written, in the order of numbers
	dropped int64         // how often something left the tail
	written bool          // whether anything was ever written to the index
	sieve   *sieve        // of what is in the index, and may be more; nil for none
	tooMany bool          // the index is too large for a sieve
}

type entry struct {
	h    Hash
	seen Seen
}

// stage is what a commit group told, until it is known that it was committed.
type stage struct {
	gen     int64
	entries []entry
}

const bufferName = "once"

// Open opens the index. secret should follow from the master key. Call Remember
// for everything after Upto before the first Find.
func Open(ctx context.Context, db *store.DB, secret [32]byte) (*Index, error) {
	if err := db.Migrate(ctx, "once", migrations); err != nil {
		return nil, err
	}
	x := &Index{db: db, secret: secret, tail: make(map[Hash]Seen)}
	db.AddBuffer(bufferName, func() store.Buffer { return &buffer{x: x} })
	err := db.View(ctx, func(tx *store.Tx) (err error) {
		names, err := readNames(tx)
		if err != nil {
			return err
		}
		x.names.Store(&names)
		var upto int64
		upto, x.gen, err = readMark(tx)
		x.written = upto > 0
		return err
	})
	return x, err
}

// Key names a record by its sender, type and the value of the type's key. Sender
// and type may be named by any id that they have or had.
func (x *Index) Key(sender string, t reeve.RecordType, key string) Hash {
	return x.hash('k', x.first(sendersKind, sender), x.first(typesKind, string(t)), key)
}

// Header names a submission by its sender, type and Idempotency-Key.
func (x *Index) Header(sender string, t reeve.RecordType, header string) Hash {
	return x.hash('h', x.first(sendersKind, sender), x.first(typesKind, string(t)), header)
}

// Place names the record at a place in the submission that header names.
func (x *Index) Place(header Hash, place int64) Hash {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], uint64(place))
	return x.hash('p', string(header[:]), string(b[:]), "")
}

// Digest stands for a record's content.
func (x *Index) Digest(body []byte) Hash {
	h := sha256.New()
	h.Write(x.secret[:])
	h.Write([]byte{'d'})
	h.Write(body)
	var sum [32]byte
	return Hash(h.Sum(sum[:0])[:16])
}

func (x *Index) hash(kind byte, parts ...string) Hash {
	buf := make([]byte, 0, 256)
	buf = append(append(buf, x.secret[:]...), kind)
	for _, p := range parts {
		buf = binary.AppendUvarint(buf, uint64(len(p)))
		buf = append(buf, p...)
	}
	sum := sha256.Sum256(buf)
	return Hash(sum[:16])
}

// Batch is what was looked up ahead of a transaction, outside it.
type Batch struct {
	hashes  []Hash
	found   map[Hash]Seen
	dropped int64
}

// Ahead looks hashes up in the index before the transaction that will ask Find for
// them, so that the committer need not.
func (x *Index) Ahead(ctx context.Context, hashes []Hash) (*Batch, error) {
	b := &Batch{hashes: hashes}
	x.mu.Lock()
	b.dropped = x.dropped
	written := x.written
	x.mu.Unlock()
	if !written {
		b.found = map[Hash]Seen{}
		return b, nil
	}
	if hashes = x.mayHave(hashes); len(hashes) == 0 {
		b.found = map[Hash]Seen{}
		return b, nil
	}
	err := x.db.View(ctx, func(tx *store.Tx) (err error) {
		b.found, err = lookUp(tx, hashes)
		return err
	})
	return b, err
}

// renew looks up again where something moved from memory to the index since.
func (x *Index) renew(tx *store.Tx, b *Batch) error {
	x.mu.Lock()
	now, written := x.dropped, x.written
	x.mu.Unlock()
	if b.found != nil && b.dropped == now {
		return nil
	}
	if !written {
		b.found, b.dropped = map[Hash]Seen{}, now
		return nil
	}
	found, err := lookUp(tx, x.mayHave(b.hashes))
	if err != nil {
		return err
	}
	b.found, b.dropped = found, now
	return nil
}

// Find returns what is known of a key, on the committer. b is what Ahead gave for
// it, or nil.
func (x *Index) Find(tx *store.Tx, b *Batch, h Hash) (Seen, bool, error) {
	if b == nil {
		b = &Batch{hashes: []Hash{h}}
	}
	buf, err := x.buffer(tx)
	if err != nil {
		return Seen{}, false, err
	}
	var s Seen
	at, ok := buf.now[h]
	if ok {
		s = buf.entries[at-1].seen
	} else {
		// First in memory, then in the index: what moves does so in this direction.
		x.mu.Lock()
		s, ok = x.tail[h]
		x.mu.Unlock()
	}
	if !ok {
		if err := x.renew(tx, b); err != nil {
			return Seen{}, false, err
		}
		s, ok = b.found[h]
	}
	if ok && s.Header && tx.Now.Sub(s.At) > Window {
		return Seen{}, false, nil
	}
	return s, ok, nil
}

// Expect makes room for keys that are about to be Put one by one.
func (x *Index) Expect(tx *store.Tx, count int) error {
	buf, err := x.buffer(tx)
	if err != nil {
		return err
	}
	if len(buf.now) == 0 {
		buf.now = make(map[Hash]int, count)
	}
	buf.entries, buf.before = slices.Grow(buf.entries, count), slices.Grow(buf.before, count)
	return nil
}

// Put remembers that a record came with a key, once the transaction is committed.
// Numbers must grow from call to call.
func (x *Index) Put(tx *store.Tx, h Hash, s Seen) error {
	buf, err := x.buffer(tx)
	if err != nil {
		return err
	}
	buf.before = append(buf.before, buf.now[h])
	buf.entries = append(buf.entries, entry{h, s})
	buf.now[h] = len(buf.entries)
	return nil
}

func (x *Index) buffer(tx *store.Tx) (*buffer, error) {
	buf := tx.Buffer(bufferName).(*buffer)
	if buf.now == nil {
		if err := x.resolve(tx); err != nil {
			return nil, err
		}
		buf.now = map[Hash]int{}
	}
	return buf, nil
}

// resolve takes over what the last commit group told, if it was committed.
func (x *Index) resolve(tx *store.Tx) error {
	if x.staged == nil {
		return nil
	}
	_, gen, err := readMark(tx)
	if err != nil {
		return err
	}
	if gen == x.staged.gen {
		x.mu.Lock()
		for _, e := range x.staged.entries {
			x.tail[e.h] = e.seen
		}
		x.fifo = append(x.fifo, x.staged.entries...)
		x.mu.Unlock()
	}
	x.staged = nil
	return nil
}

// buffer is what the callers of one commit group told.
type buffer struct {
	x       *Index
	entries []entry
	now     map[Hash]int // the place of a key's last entry, from 1
	before  []int        // that of the one before it, by place; 0 for none
}

func (b *buffer) Mark() int { return len(b.entries) }

func (b *buffer) Rewind(mark int) {
	for i := len(b.entries) - 1; i >= mark; i-- {
		if b.now[b.entries[i].h] = b.before[i]; b.before[i] == 0 {
			delete(b.now, b.entries[i].h)
		}
	}
	b.entries, b.before = b.entries[:mark], b.before[:mark]
}

func (b *buffer) Flush(tx *store.Tx) error {
	if len(b.entries) == 0 {
		return nil
	}
	b.x.gen++
	if err := writeGen(tx, b.x.gen); err != nil {
		return err
	}
	b.x.staged = &stage{b.x.gen, b.entries}
	return nil
}

// Upto is the number up to which everything is in the index.
func (x *Index) Upto(ctx context.Context) (n int64, err error) {
	err = x.db.View(ctx, func(tx *store.Tx) error {
		n, _, err = readMark(tx)
		return err
	})
	return n, err
}

// Remember tells the index, as it is opened, of a record after Upto; in any order.
func (x *Index) Remember(h Hash, s Seen) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if old, ok := x.tail[h]; ok && old.N > s.N {
		return
	}
	x.tail[h] = s
	x.fifo = append(x.fifo, entry{h, s})
}

// Remembered ends the calls of Remember.
func (x *Index) Remembered() {
	x.mu.Lock()
	defer x.mu.Unlock()
	slices.SortStableFunc(x.fifo, func(a, b entry) int { return cmp.Compare(a.seen.N, b.seen.N) })
}

// late reports whether the index is far behind the records.
func (x *Index) late(ctx context.Context) (late bool, err error) {
	err = x.db.View(ctx, func(tx *store.Tx) error {
		upto, _, err := readMark(tx)
		late = tx.Head().Record-1-upto > mostLag
		return err
	})
	return late, err
}

// skip passes over records that came without any key.
func (x *Index) skip(ctx context.Context) error {
	return x.db.Update(ctx, func(tx *store.Tx) error {
		buf, err := x.buffer(tx)
		if err != nil {
			return err
		}
		x.mu.Lock()
		waiting := len(x.fifo)
		x.mu.Unlock()
		if waiting+len(buf.entries) > 0 {
			return nil
		}
		return writeMark(tx, tx.Head().Record-1)
	})
}

// forget drops keys of headers that are past their window, a few at a time.
func (x *Index) forget(ctx context.Context) (did int, err error) {
	before := x.db.Now().Add(-Window)
	var old []int64
	err = x.db.View(ctx, func(tx *store.Tx) (err error) {
		old, err = past(tx, before)
		return err
	})
	if err != nil || len(old) == 0 {
		return 0, err
	}
	return len(old), x.db.Update(ctx, func(tx *store.Tx) error { return drop(tx, old, before) })
}

// much is how many keys are written at once: they are in no order that the index
// knows, and in a large one only among many do several fall on the same page.
func (x *Index) much() int {
	if x.sieve == nil {
		return chunk
	}
	return max(chunk, min(x.sieve.keys/32, mostChunk))
}

// Step writes what is oldest in memory to the index, where there is much of it.
// It reports how many keys it wrote.
func (x *Index) Step(ctx context.Context) (did int, err error) {
	x.mu.Lock()
	waiting, much, sieved := len(x.fifo), x.much(), x.sieve != nil || x.tooMany
	x.mu.Unlock()
	if !sieved {
		if err := x.sift(ctx, nil); err != nil {
			return 0, err
		}
	}
	if waiting <= 2*much {
		late, err := x.late(ctx)
		switch {
		case err != nil:
			return 0, err
		case !late:
			return x.forget(ctx)
		case waiting == 0:
			return 0, x.skip(ctx)
		}
	}
	x.mu.Lock()
	// All keys of the last number go together: a header's and a type's may share it.
	n := min(much, len(x.fifo))
	for n < len(x.fifo) && x.fifo[n].seen.N == x.fifo[n-1].seen.N {
		n++
	}
	upto := x.fifo[n-1].seen.N
	out := make([]entry, 0, n)
	for _, e := range x.fifo[:n] {
		if x.tail[e.h].N == e.seen.N { // else a later one will be written
			out = append(out, e)
		}
	}
	x.mu.Unlock()
	slices.SortFunc(out, func(a, b entry) int {
		ka, _ := a.h.parts()
		kb, _ := b.h.parts()
		return cmp.Compare(ka, kb)
	})
	if err := x.sift(ctx, out); err != nil {
		return 0, err
	}
	// Until all of it is there the mark stays: after a crash the rest is recalled, and
	// what is written twice is the same.
	for part := range slices.Chunk(out, perUpdate) {
		if err := x.db.Update(ctx, func(tx *store.Tx) error { return write(tx, part) }); err != nil {
			return 0, err
		}
	}
	if err := x.db.Update(ctx, func(tx *store.Tx) error { return writeMark(tx, upto) }); err != nil {
		return 0, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.fifo = x.fifo[:copy(x.fifo, x.fifo[n:])]
	for _, e := range out {
		if x.tail[e.h].N == e.seen.N {
			delete(x.tail, e.h)
		}
	}
	x.dropped++
	x.written = true
	return len(out), nil
}
