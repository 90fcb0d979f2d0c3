// Package log keeps the records that were accepted, in the order of their numbers.
// It is the one place where bodies are kept; everything else refers to them.
//
// Records are kept in packs of one type, compressed and sealed. A record that
// Append took is there when its transaction is committed, and every reader by
// number sees it after all lower numbers.
package log

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Bounds of a pack; a pack with one record may be larger.
const (
	packRecords = 1000
	packBytes   = 1 << 20
	nonceBytes  = 32
)

const buffer = "log"

// Record is one thing told to the body, in the shape of its type, cut down to
// what its sender may tell.
type Record struct {
	N            int64          // number; filled in by Append
	ID           reeve.RecordID // filled in by Append
	Type         reeve.RecordType
	Sender       string         // id of the Organisation that told it
	Key          string         // value of the type's key, ""
	At           time.Time      // when it was accepted; filled in by Append when zero
	Set          string         // hash of the definitions in force
	Submission   string         // id of the submission it came in, ""
	Replaces     reeve.RecordID // the earlier version with the same key, ""
	ReleasedFrom reeve.RecordID // the id under which it was held, ""
	Digest       string         // filled in by Append, see Digest
	Nonce        []byte         // what the digest was made with; shared by records, never change it
	Body         []byte         // never change it after Append or Read
}

// Log is the record log.
type Log struct {
	db    *store.DB
	keys  *seal.Keys
	cache cache
	plain sync.Pool // of *[]byte, that packs are written into before they are sealed
}

// room is memory for a pack.
func (l *Log) room() []byte {
	if b, ok := l.plain.Get().(*[]byte); ok {
		return (*b)[:0]
	}
	return nil
}

// Open opens the log.
func Open(ctx context.Context, db *store.DB, keys *seal.Keys) (*Log, error) {
	if err := db.Migrate(ctx, "log", migrations); err != nil {
		return nil, err
	}
	l := &Log{db: db, keys: keys}
	db.AddBuffer(buffer, func() store.Buffer {
		p := &pending{l: l, nonce: make([]byte, nonceBytes)}
		rand.Read(p.nonce) // never fails
		return p
	})
	return l, nil
}

// Reserve takes a number that no record of the log will have: that of a held
// record.
func (l *Log) Reserve(tx *store.Tx) int64 {
	h := tx.Head()
	n := h.Record
	h.Record++
	return n
}

// Expect makes room for records that are about to be appended one by one.
func (l *Log) Expect(tx *store.Tx, count int) {
	p := tx.Buffer(buffer).(*pending)
	p.recs = slices.Grow(p.recs, count)
}

// Append adds records and fills in their numbers, ids and digests, in place. They
// are written at the commit and can be read after it, not in the same
// transaction. Bodies must not be changed afterwards.
func (l *Log) Append(tx *store.Tx, recs []Record) error {
	h := tx.Head()
	p := tx.Buffer(buffer).(*pending)
	p.epoch = h.Epoch
	weight := 0
	for i := range recs {
		r := &recs[i]
		if r.Type == "" {
			return fmt.Errorf("log: a record without a type")
		}
		r.N = h.Record
		h.Record++
		r.ID = reeve.NewRecordID(h.Epoch, r.N)
		if r.At.IsZero() {
			r.At = tx.Now
		}
		r.At = time.UnixMilli(r.At.UnixMilli()).UTC() // as it will be read
		r.Nonce = p.nonce
		r.Digest = Digest(p.nonce, r.N, r.Body)
		weight += len(r.Body)
	}
	p.recs = append(p.recs, recs...)
	tx.Weigh(weight)
	return nil
}

// pending is what a commit group appends.
type pending struct {
	l     *Log
	epoch int64
	nonce []byte
	recs  []Record
	fresh []fresh
}

// fresh is a pack as it is written.
type fresh struct {
	m     meta
	recs  []Record
	bytes int
	data  []byte // sealed, until it is written
}

// Committed puts what was written where flows, which read it next, find it.
func (p *pending) Committed() {
	for _, f := range p.fresh {
		p.l.cache.put(f.m, f.recs, f.bytes)
	}
}

func (p *pending) Mark() int { return len(p.recs) }

func (p *pending) Rewind(mark int) {
	clear(p.recs[mark:])
	p.recs = p.recs[:mark]
}

func (p *pending) Flush(tx *store.Tx) error {
	for recs := p.recs; len(recs) > 0; {
		n, bytes := 1, len(recs[0].Body)
		for n < len(recs) && n < packRecords && recs[n].Type == recs[0].Type && bytes+len(recs[n].Body) <= packBytes {
			bytes += len(recs[n].Body)
			n++
		}
		m := meta{first: recs[0].N, last: recs[n-1].N, typ: recs[0].Type, count: int64(n)}
		p.fresh = append(p.fresh, fresh{m: m, recs: recs[:n:n], bytes: bytes})
		recs = recs[n:]
	}
	var g errgroup.Group // all writers wait for this: it is worth all cores
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range p.fresh {
		g.Go(func() error { return p.pack(&p.fresh[i]) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range p.fresh {
		f := &p.fresh[i]
		if err := insertPack(tx, f.m, f.data); err != nil {
			return err
		}
		f.data = nil
	}
	return nil
}

// pack compresses and seals.
func (p *pending) pack(f *fresh) (err error) {
	plain := encode(p.l.room(), f.recs, p.epoch, p.nonce, f.bytes)
	f.data, err = seal.Pack(p.l.keys, plain, f.m.aad())
	p.l.plain.Put(&plain)
	return err
}

// aad binds a pack to its place.
func (m meta) aad() []byte { return fmt.Appendf(nil, "log %d %d %s", m.first, m.last, m.typ) }

// Get returns record n, or an error of kind NotFound.
func (l *Log) Get(ctx context.Context, n int64) (r Record, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error { r, err = l.GetTx(tx, n); return err })
	return r, err
}

// GetTx is Get in a transaction.
func (l *Log) GetTx(tx *store.Tx, n int64) (Record, error) {
	m, ok, err := packOf(tx, n)
	if err != nil {
		return Record{}, fmt.Errorf("log: record %d: %w", n, err)
	}
	if ok {
		recs, err := l.pack(tx, m)
		if err != nil {
			return Record{}, err
		}
		if i, ok := find(recs, n); ok {
			return recs[i], nil
		}
	}
	return Record{}, reeve.E(reeve.NotFound, "log.Get", "there is no record %d", n)
}

// find returns the place of the first record with a number of at least n, and
// whether it is n.
func find(recs []Record, n int64) (int, bool) {
	return slices.BinarySearchFunc(recs, n, func(r Record, n int64) int { return int(r.N - n) })
}

// pack reads one pack, or takes it from the cache.
func (l *Log) pack(tx *store.Tx, m meta) (recs []Record, err error) {
	if recs = l.cache.get(m); recs != nil {
		return recs, nil
	}
	err = eachData(tx, "", m.last, m.last, func(_ int64, data []byte) error {
		recs, err = l.unpack(m, data)
		return err
	})
	return recs, err
}

func (l *Log) unpack(m meta, data []byte) ([]Record, error) {
	plain, err := seal.Unpack(l.keys, data, m.aad())
	if err != nil {
		return nil, fmt.Errorf("log: records %d to %d: %w", m.first, m.last, err)
	}
	recs, err := decode(plain, m)
	if err != nil {
		return nil, fmt.Errorf("log: records %d to %d: %w", m.first, m.last, err)
	}
	l.cache.put(m, recs, len(plain))
	return recs, nil
}

// Read returns up to max records of a type ("" for all) with numbers above after,
// in order. Fewer than max means that there are no more for now.
func (l *Log) Read(ctx context.Context, t reeve.RecordType, after int64, max int) (recs []Record, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error { recs, err = l.ReadTx(tx, t, after, max); return err })
	return recs, err
}

// ReadTx is Read in a transaction.
func (l *Log) ReadTx(tx *store.Tx, t reeve.RecordType, after int64, limit int) ([]Record, error) {
	const ahead = 64
	var out []Record
	for len(out) < limit {
		ms, err := packs(tx, t, after, min(ahead, limit-len(out)))
		if err != nil {
			return nil, fmt.Errorf("log: reading: %w", err)
		}
		if len(ms) == 0 {
			break
		}
		// No more packs than the limit needs: their first may have begun before after.
		have := len(out)
		for i, m := range ms {
			if have >= limit {
				ms = ms[:i]
				break
			}
			if have += int(m.count); m.first <= after {
				have -= int(min(m.count, after-m.first+1))
			}
		}
		read, err := l.packs(tx, t, ms)
		if err != nil {
			return nil, err
		}
		out = slices.Grow(out, min(limit, have)-len(out))
		for _, recs := range read {
			i, _ := find(recs, after+1)
			out = append(out, recs[i:min(len(recs), i+limit-len(out))]...)
			after = max(after, recs[len(recs)-1].N)
		}
	}
	return out, nil
}

// ReadTypes is ReadTypesTx in a transaction of its own.
func (l *Log) ReadTypes(ctx context.Context, types []reeve.RecordType, after int64, max int) (recs []Record, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error { recs, err = l.ReadTypesTx(tx, types, after, max); return err })
	return recs, err
}

// ReadTypesTx is ReadTx for records of any of several types, by number: one read
// for each. It is for a type that had other ids before.
func (l *Log) ReadTypesTx(tx *store.Tx, types []reeve.RecordType, after int64, limit int) ([]Record, error) {
	if len(types) == 1 {
		return l.ReadTx(tx, types[0], after, limit)
	}
	var out []Record
	for _, t := range types {
		recs, err := l.ReadTx(tx, t, after, limit)
		if err != nil {
			return nil, err
		}
		out = append(out, recs...)
	}
	slices.SortFunc(out, func(a, b Record) int { return cmp.Compare(a.N, b.N) })
	return out[:min(limit, len(out))], nil
}

// packs reads several packs with one statement, leaving out what the cache has.
func (l *Log) packs(tx *store.Tx, t reeve.RecordType, ms []meta) ([][]Record, error) {
	out := make([][]Record, len(ms))
	at := make(map[int64]int, len(ms))
	from, to := int64(-1), int64(-1)
	for i, m := range ms {
		if out[i] = l.cache.get(m); out[i] == nil {
			at[m.last] = i
			if from < 0 {
				from = m.last
			}
			to = m.last
		}
	}
	if from < 0 {
		return out, nil
	}
	err := eachData(tx, t, from, to, func(last int64, data []byte) (err error) {
		if i, ok := at[last]; ok {
			out[i], err = l.unpack(ms[i], data)
		}
		return err
	})
	return out, err
}

// CountTx is about how many records of a type have numbers above after: of the
// pack that after stands in, all are counted.
func (l *Log) CountTx(tx *store.Tx, t reeve.RecordType, after int64) (int64, error) {
	return countAfter(tx, t, after)
}

// Tail calls fn for every record with a number above after that is there, in
// order.
func (l *Log) Tail(ctx context.Context, after int64, fn func(Record) error) error {
	for {
		recs, err := l.Read(ctx, "", after, packRecords)
		if err != nil {
			return err
		}
		for _, r := range recs {
			if err := fn(r); err != nil {
				return err
			}
			after = r.N
		}
		if len(recs) < packRecords {
			return nil
		}
	}
}

// Last is the highest number given out, 0 for none.
func (l *Log) Last(ctx context.Context) (n int64, err error) {
	err = l.db.View(ctx, func(tx *store.Tx) error { n = tx.Head().Record - 1; return nil })
	return n, err
}
