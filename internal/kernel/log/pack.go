package log

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
)

// Digest is base64url(sha256(nonce, number as 8 bytes big-endian, body)). Without
// the nonce, which is kept with the sealed record, a digest tells nothing about
// the body, however few bodies are possible.
func Digest(nonce []byte, n int64, body []byte) string {
	var sum [sha256.Size]byte
	h := sha256.New()
	var head [nonceBytes + 8]byte
	b := binary.BigEndian.AppendUint64(append(head[:0], nonce...), uint64(n))
	h.Write(b)
	h.Write(body)
	return base64.RawURLEncoding.EncodeToString(h.Sum(sum[:0]))
}

// A pack is: version, epoch, count, nonce, then for each record: number less the
// one before, time in unix ms, which fields are as in the record before, the other
// fields, the body. Numbers and lengths are uvarints.
const packVersion = 1

const (
	sameSender = 1 << iota
	sameSet
	sameSubmission
)

func encode(b []byte, recs []Record, epoch int64, nonce []byte, bytes int) []byte {
	b = slices.Grow(b, bytes+len(recs)*160+nonceBytes+32)
	b = append(b, packVersion)
	b = binary.AppendUvarint(b, uint64(epoch))
	b = binary.AppendUvarint(b, uint64(len(recs)))
	b = append(b, nonce...)
	var was Record
	for i := range recs {
		r := &recs[i]
		b = binary.AppendUvarint(b, uint64(r.N-was.N))
		b = binary.AppendUvarint(b, uint64(r.At.UnixMilli()))
		var same byte
		if r.Sender == was.Sender {
			same |= sameSender
		}
		if r.Set == was.Set {
			same |= sameSet
		}
		if r.Submission == was.Submission {
			same |= sameSubmission
		}
		b = append(b, same)
		if same&sameSender == 0 {
			b = appendText(b, r.Sender)
		}
		if same&sameSet == 0 {
			b = appendText(b, r.Set)
		}
		if same&sameSubmission == 0 {
			b = appendText(b, r.Submission)
		}
		b = appendText(b, r.Key)
		b = appendText(b, string(r.Replaces))
		b = appendText(b, string(r.ReleasedFrom))
		b = appendText(b, r.Digest)
		b = binary.AppendUvarint(b, uint64(len(r.Body)))
		b = append(b, r.Body...)
		was = *r
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errPack = errors.New("a pack that cannot be read")

// reader reads a pack; bad is set once something does not fit.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) num() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) text() string { return string(r.take(r.num())) }

// decode reads a pack; bodies are parts of b.
func decode(b []byte, m meta) ([]Record, error) {
	r := &reader{b: b}
	if v := r.take(1); r.bad || v[0] != packVersion {
		return nil, errPack
	}
	epoch := int64(r.num())
	count := r.num()
	nonce := r.take(nonceBytes)
	if r.bad || count == 0 || count != uint64(m.count) {
		return nil, errPack
	}
	recs := make([]Record, count)
	var was Record
	for i := range recs {
		rec := Record{Type: m.typ, Nonce: nonce}
		rec.N = was.N + int64(r.num())
		rec.ID = reeve.NewRecordID(epoch, rec.N)
		rec.At = time.UnixMilli(int64(r.num())).UTC()
		same := r.take(1)
		if r.bad {
			return nil, errPack
		}
		rec.Sender, rec.Set, rec.Submission = was.Sender, was.Set, was.Submission
		if same[0]&sameSender == 0 {
			rec.Sender = r.text()
		}
		if same[0]&sameSet == 0 {
			rec.Set = r.text()
		}
		if same[0]&sameSubmission == 0 {
			rec.Submission = r.text()
		}
		rec.Key = r.text()
		rec.Replaces = reeve.RecordID(r.text())
		rec.ReleasedFrom = reeve.RecordID(r.text())
		rec.Digest = r.text()
		rec.Body = r.take(r.num())
		recs[i], was = rec, rec
	}
	if r.bad || len(r.b) > 0 || recs[0].N != m.first || was.N != m.last {
		return nil, errPack
	}
	return recs, nil
}

// cacheBytes bounds the packs kept in memory: several flows read the same packs
// one after the other.
const cacheBytes = 24 << 20

// cache keeps packs that were read, oldest out first.
type cache struct {
	mu    sync.Mutex
	packs map[int64]cached
	order []int64
	bytes int
}

type cached struct {
	rev   int64
	recs  []Record
	bytes int
}

func (c *cache) get(m meta) []Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, ok := c.packs[m.last]; ok && p.rev == m.rev {
		return p.recs
	}
	return nil
}

func (c *cache) put(m meta, recs []Record, bytes int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.packs == nil {
		c.packs = map[int64]cached{}
	}
	bytes += len(recs) * 256
	if old, ok := c.packs[m.last]; ok {
		c.bytes -= old.bytes
	} else {
		c.order = append(c.order, m.last)
	}
	c.packs[m.last] = cached{m.rev, recs, bytes}
	c.bytes += bytes
	for c.bytes > cacheBytes && len(c.order) > 1 {
		c.bytes -= c.packs[c.order[0]].bytes
		delete(c.packs, c.order[0])
		c.order = c.order[1:]
	}
}
