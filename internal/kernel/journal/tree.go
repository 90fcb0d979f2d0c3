package journal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// edge is the right edge of the tree: the roots of its complete subtrees, largest
// first, one for each bit set in the size. It is all that appending needs.
type edge []tlog.Hash

func parseEdge(b []byte) (edge, error) {
	if len(b)%tlog.HashSize != 0 {
		return nil, fmt.Errorf("journal: the edge in the head row is damaged")
	}
	e := make(edge, len(b)/tlog.HashSize, len(b)/tlog.HashSize+2)
	for i := range e {
		copy(e[i][:], b[i*tlog.HashSize:])
	}
	return e, nil
}

func (e edge) bytes() []byte {
	b := make([]byte, 0, len(e)*tlog.HashSize)
	for _, h := range e {
		b = append(b, h[:]...)
	}
	return b
}

// grow adds the leaf of entry n, and appends to hashes what tlog stores for it.
func (e edge) grow(n int64, leaf tlog.Hash, hashes []byte) (edge, []byte) {
	h := leaf
	hashes = append(hashes, h[:]...)
	for ; n&1 == 1; n >>= 1 {
		h = tlog.NodeHash(e[len(e)-1], h)
		e = e[:len(e)-1]
		hashes = append(hashes, h[:]...)
	}
	return append(e, h), hashes
}

// root is the hash of the whole tree.
func (e edge) root() tlog.Hash {
	if len(e) == 0 {
		return sha256.Sum256(nil)
	}
	h := e[len(e)-1]
	for i := len(e) - 2; i >= 0; i-- {
		h = tlog.NodeHash(e[i], h)
	}
	return h
}

// sumUp guards a row against changes that do not change what it says.
func (p *pack) sumUp() []byte {
	h := sha256.New()
	var b [24]byte
	binary.BigEndian.PutUint64(b[:], uint64(p.first))
	binary.BigEndian.PutUint64(b[8:], uint64(p.last))
	binary.BigEndian.PutUint64(b[16:], uint64(len(p.hashes)))
	h.Write(b[:])
	h.Write(p.hashes)
	h.Write(p.entries)
	return h.Sum(nil)
}

// hashReader reads stored hashes by tlog's numbers, which run in the order in
// which entries were added.
func hashReader(tx *store.Tx) tlog.HashReader {
	have := pack{last: -1}
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out := make([]tlog.Hash, len(indexes))
		for i, x := range indexes {
			level, n := tlog.SplitStoredHashIndex(x)
			entry := (n+1)<<level - 1 // the entry that completed the subtree
			if entry < have.first || entry > have.last {
				var err error
				if have, err = hashesOf(tx, entry); err != nil {
					return nil, fmt.Errorf("journal: reading the hash of entry %d: %w", entry, err)
				}
			}
			at := (x - tlog.StoredHashIndex(0, have.first)) * tlog.HashSize
			if at < 0 || at+tlog.HashSize > int64(len(have.hashes)) {
				return nil, fmt.Errorf("journal: the hash of entry %d is missing", entry)
			}
			copy(out[i][:], have.hashes[at:])
		}
		return out, nil
	})
}

// ProveInclusion proves that entry n is in the tree of a size; check it with
// tlog.CheckRecord and the entry's LeafHash.
func (j *Journal) ProveInclusion(ctx context.Context, n, size int64) (p tlog.RecordProof, err error) {
	err = j.prove(ctx, n+1, size, func(r tlog.HashReader) error {
		p, err = tlog.ProveRecord(size, n, r)
		return err
	})
	return p, err
}

// ProveConsistency proves that the tree of size old is the start of that of size
// now; check it with tlog.CheckTree.
func (j *Journal) ProveConsistency(ctx context.Context, old, now int64) (p tlog.TreeProof, err error) {
	err = j.prove(ctx, old, now, func(r tlog.HashReader) error {
		p, err = tlog.ProveTree(now, old, r)
		return err
	})
	return p, err
}

func (j *Journal) prove(ctx context.Context, part, size int64, fn func(tlog.HashReader) error) error {
	return j.db.View(ctx, func(tx *store.Tx) error {
		if have := tx.Head().Entry; part < 1 || part > size || size > have {
			return reeve.E(reeve.Invalid, "journal.Prove", "the journal has %d entries: %d of %d cannot be proved", have, part, size)
		}
		return fn(hashReader(tx))
	})
}

// LeafHash is the hash of an entry as a leaf of the tree.
func (e Entry) LeafHash() tlog.Hash { return tlog.RecordHash(appendEntry(nil, &e)) }
