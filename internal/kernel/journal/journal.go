// Package journal keeps the record of what was done, so that nobody can change it
// unseen: a Merkle tree (golang.org/x/mod/sumdb/tlog) over numbered entries, with
// signed checkpoints that are also written outside the database.
//
// An entry holds no personal data: a person is a salted commitment, reasons name
// fields and codes and never values. Whoever holds an old checkpoint can prove
// that entries were changed, removed, put in another order or cut off. Whoever
// holds none, and trusts the database alone, finds only clumsy changes.
package journal

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Bounds of a row.
const (
	packEntries = 1000
	packBytes   = 1 << 20
)

const buffer = "journal"

// Entry is one line of the journal.
type Entry struct {
	N       int64     // its number, from 0; filled in by Append
	At      time.Time // filled in by Append when zero
	Actor   string    // id of who did it: "partner/org-x", "staff/3", "flow/flow-x"
	Verb    string    // "accepted", "refused", "disclosing", "saw"
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
	Key    []byte // 32-byte seed of the Ed25519 signing key; nil: kept in Dir/journal.key, made when missing; without Dir one for this process only
	Origin string // name of this journal in checkpoints, like "reeve.example.org/journal"; "" for "reeve/journal"
}

// Journal is the journal of one body.
type Journal struct {
	db       *store.DB
	o        Options
	signer   note.Signer
	verifier string
	epoch    int64 // of the database as it was opened
	enc      *zstd.Encoder
	dec      *zstd.Decoder

	// Only the committer's goroutine uses it: memory that is used again.
	room struct {
		data, plain, entries, hashes []byte
		ends                         []int
		gists                        []gist
	}
	tail tail

	mu   sync.Mutex // one checkpoint at a time
	last Checkpoint
}

// Open opens the journal.
func Open(ctx context.Context, db *store.DB, o Options) (*Journal, error) {
	if o.Origin == "" {
		o.Origin = "reeve/journal"
	}
	j := &Journal{db: db, o: o}
	var err error
	if j.enc, j.dec, err = codec(); err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, "journal", migrations); err != nil {
		return nil, err
	}
	if err := j.openKey(ctx); err != nil {
		return nil, err
	}
	if err := j.loadLast(ctx); err != nil {
		return nil, err
	}
	db.AddBuffer(buffer, func() store.Buffer { return &pending{j: j} })
	return j, nil
}

func codec() (*zstd.Encoder, *zstd.Decoder, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, nil, err
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(64<<20), zstd.WithDecoderConcurrency(2))
	return enc, dec, err
}

// usualEntry is about how many bytes an entry has.
const usualEntry = 320

// Append adds entries in the transaction that makes them true, and returns the
// number of the first; the others follow it. The entries are neither kept nor
// changed. They can be read after the commit.
func (j *Journal) Append(tx *store.Tx, es ...Entry) (first int64, err error) {
	h := tx.Head()
	first = h.Entry
	p := tx.Buffer(buffer).(*pending)
	was := len(p.data)
	if p.data == nil {
		p.data, p.ends, p.gists = j.room.data[:0], j.room.ends[:0], j.room.gists[:0]
		j.room.data, j.room.ends, j.room.gists = nil, nil, nil
	}
	p.data, p.ends, p.gists = slices.Grow(p.data, len(es)*usualEntry), slices.Grow(p.ends, len(es)), slices.Grow(p.gists, len(es))
	for i := range es {
		e := es[i]
		if e.Actor == "" || e.Verb == "" {
			return 0, fmt.Errorf("journal: an entry about %q without actor or verb", e.About)
		}
		if e.At.IsZero() {
			e.At = tx.Now
		}
		e.N = h.Entry
		h.Entry++
		p.data = appendEntry(p.data, &e)
		p.ends = append(p.ends, len(p.data))
		p.gists = append(p.gists, gistOf(&e))
	}
	tx.Weigh(len(p.data) - was)
	return first, nil
}

// pending is what a commit group appends: the bytes of all entries, where each
// ends, and the gist of each.
type pending struct {
	j     *Journal
	data  []byte
	ends  []int
	gists []gist
	first int64  // number of the first, once they are flushed
	room  []byte // for leaf
}

// leaf is tlog.RecordHash without taking memory each time.
func (p *pending) leaf(e []byte) tlog.Hash {
	p.room = append(append(p.room[:0], 0), e...)
	return sha256.Sum256(p.room)
}

func (p *pending) Mark() int { return len(p.ends) }

func (p *pending) Rewind(mark int) {
	p.ends, p.gists = p.ends[:mark], p.gists[:mark]
	if mark == 0 {
		p.data = p.data[:0]
	} else {
		p.data = p.data[:p.ends[mark-1]]
	}
}

func (p *pending) Flush(tx *store.Tx) error {
	if len(p.ends) == 0 {
		return nil
	}
	h := tx.Head()
	tree, err := parseEdge(h.Edge)
	if err != nil {
		return err
	}
	p.first = h.Entry - int64(len(p.ends))
	n, start := p.first, 0
	room := &p.j.room
	for i := 0; i < len(p.ends); {
		row := pack{first: n}
		row.hashes = slices.Grow(room.hashes[:0], 2*packEntries*tlog.HashSize)
		plain := slices.Grow(room.plain[:0], min(len(p.data)-start, packBytes)+packEntries*2)
		from, to := start, i
		for ; to < len(p.ends) && to-i < packEntries && (to == i || len(plain)+p.ends[to]-start <= packBytes); to++ {
			e := p.data[start:p.ends[to]]
			plain = append(binary.AppendUvarint(plain, uint64(len(e))), e...)
			start = p.ends[to]
		}
		packed := make(chan []byte, 1)
		go func() { packed <- p.j.enc.EncodeAll(plain, room.entries[:0]) }() // while they are hashed
		for ; i < to; i++ {
			tree, row.hashes = tree.grow(n, p.leaf(p.data[from:p.ends[i]]), row.hashes)
			from = p.ends[i]
			n++
		}
		row.last, row.entries = n-1, <-packed
		room.plain, room.entries, room.hashes = plain, row.entries, row.hashes
		row.sum = row.sumUp()
		if err := insertPack(tx, row); err != nil {
			return err
		}
	}
	h.Edge = tree.bytes()
	return nil
}

// Committed keeps the gists for those who follow the journal.
func (p *pending) Committed() {
	if len(p.gists) > 0 {
		p.j.tail.add(p.first, p.gists)
	}
	p.j.room.data, p.j.room.ends, p.j.room.gists = p.data, p.ends, p.gists // nobody needs them after this
}

// Commitment stands for a person in entries: a hash with a salt that is kept
// apart, so that forgetting the person can destroy it.
func (j *Journal) Commitment(tx *store.Tx, p reeve.PersonID) (string, error) {
	if p == "" {
		return "", nil
	}
	s, err := salt(tx, p)
	if err != nil {
		return "", err
	}
	if s == nil {
		s = make([]byte, 32)
		rand.Read(s) // never fails
		if err := insertSalt(tx, p, s); err != nil {
			return "", err
		}
	}
	sum := sha256.Sum256(append(s[:len(s):len(s)], p...))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// Forget destroys a person's salt: nobody can connect them with entries any more,
// and every proof still holds.
func (j *Journal) Forget(tx *store.Tx, p reeve.PersonID) error { return deleteSalt(tx, p) }

// Size is the number of entries.
func (j *Journal) Size(ctx context.Context) (n int64, err error) {
	err = j.db.View(ctx, func(tx *store.Tx) error { n = tx.Head().Entry; return nil })
	return n, err
}

// Read returns up to max entries from number from on.
func (j *Journal) Read(ctx context.Context, from int64, max int) (es []Entry, err error) {
	if max <= 0 {
		return nil, nil
	}
	err = j.db.View(ctx, func(tx *store.Tx) error {
		return j.each(tx, from, 1+min(max, 16000)/packEntries, func(n int64, b []byte) (bool, error) {
			e, err := parseEntry(b)
			es = append(es, e)
			return len(es) < max, err
		})
	})
	return es, err
}

// Tally is how many entries of one minute have a verb.
type Tally struct {
	Minute time.Time
	Verb   string
	Count  int64
}

// Tally counts up to max entries from number from on, by minute and verb, and
// returns how many they were. It reads nothing else of them.
func (j *Journal) Tally(ctx context.Context, from int64, max int) (ts []Tally, n int, err error) {
	if max <= 0 {
		return nil, 0, nil
	}
	if gists := j.tail.from(from, max); gists != nil {
		return tally(gists), len(gists), nil
	}
	err = j.db.View(ctx, func(tx *store.Tx) error {
		at := map[string]int{}
		var key []byte
		return j.each(tx, from, 1+min(max, 16000)/packEntries, func(_ int64, b []byte) (bool, error) {
			n++
			minute, verb, ok := verbOf(b)
			if !ok {
				e, err := parseEntry(b)
				if err != nil {
					return false, err
				}
				minute, verb = e.At.AppendFormat(nil, minuteLayout), []byte(e.Verb)
			}
			key = append(append(key[:0], minute...), verb...)
			i, known := at[string(key)]
			if !known {
				t, err := time.Parse(minuteLayout, string(minute))
				if err != nil {
					return false, fmt.Errorf("journal: an entry that cannot be read: %w", err)
				}
				i, ts = len(ts), append(ts, Tally{Minute: t, Verb: string(verb)})
				at[string(key)] = i
			}
			ts[i].Count++
			return n < max, nil
		})
	})
	return ts, n, err
}

func tally(gists []gist) (ts []Tally) {
	type cell struct {
		minute int64
		verb   string
	}
	at := map[cell]int{}
	for _, g := range gists {
		c := cell{g.minute, g.verb}
		i, known := at[c]
		if !known {
			i, ts = len(ts), append(ts, Tally{Minute: g.at(), Verb: g.verb})
			at[c] = i
		}
		ts[i].Count++
	}
	return ts
}

const minuteLayout = "2006-01-02T15:04"

// each hands over the bytes of entries from a number on, until fn says stop. It
// reads a few packs at a time.
func (j *Journal) each(tx *store.Tx, from int64, few int, fn func(n int64, b []byte) (more bool, err error)) error {
	return eachPack(tx, from, few, func(p pack) (bool, error) {
		plain, err := j.dec.DecodeAll(p.entries, nil)
		if err != nil {
			return false, fmt.Errorf("journal: entries %d to %d: %w", p.first, p.last, err)
		}
		es, err := split(plain)
		if err != nil {
			return false, fmt.Errorf("journal: entries %d to %d: %w", p.first, p.last, err)
		}
		for i, b := range es {
			n := p.first + int64(i)
			if n < from {
				continue
			}
			if more, err := fn(n, b); err != nil || !more {
				return false, err
			}
		}
		return true, nil
	})
}
