package once

import (
	"context"
	"encoding/binary"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// sieve is a Bloom filter of the keys in the index: nearly all keys that come are
// new, and it tells so without asking the database. Keys are hashes already, so
// their own bits serve. It is given up where the index is too large for it.
type sieve struct {
	bits []uint64
	keys int
}

const (
	sieveBits  = 12 // for each key: one new key in 300 is looked up all the same
	sieveProbe = 6
	sieveLeast = 1 << 19 // keys that the smallest sieve is made for
	sieveMost  = 1 << 23 // and the largest: 12 MB
)

func newSieve(keys int) *sieve {
	return &sieve{bits: make([]uint64, (keys*sieveBits+63)/64)}
}

// room is how many keys the sieve was made for.
func (s *sieve) room() int { return len(s.bits) * 64 / sieveBits }

// places calls fn with the bits of a key, until it returns false.
func (s *sieve) places(h Hash, fn func(word int, bit uint64) bool) {
	a, b := binary.LittleEndian.Uint64(h[:8]), binary.LittleEndian.Uint64(h[8:])|1
	for range sieveProbe {
		at := a % uint64(len(s.bits)*64)
		if !fn(int(at>>6), 1<<(at&63)) {
			return
		}
		a += b
	}
}

func (s *sieve) add(h Hash) {
	s.places(h, func(word int, bit uint64) bool {
		s.bits[word] |= bit
		return true
	})
	s.keys++
}

// has reports whether a key may have been added.
func (s *sieve) has(h Hash) bool {
	all := true
	s.places(h, func(word int, bit uint64) bool {
		all = s.bits[word]&bit != 0
		return all
	})
	return all
}

// loadSieve makes a sieve of all keys that are in the index, with room for as many
// again; nil where they are too many.
func loadSieve(tx *store.Tx) (*sieve, error) {
	n, err := countKeys(tx, sieveMost/2+1)
	if err != nil || n > sieveMost/2 {
		return nil, err
	}
	s := newSieve(max(2*n, sieveLeast))
	return s, eachKey(tx, s.add)
}

// sift adds keys that are about to be written, and makes a new sieve where there is
// none yet or it is full. Only Step calls it: nobody else adds to the index.
func (x *Index) sift(ctx context.Context, out []entry) error {
	x.mu.Lock()
	s, given := x.sieve, x.tooMany
	x.mu.Unlock()
	if !given && (s == nil || s.keys+len(out) > s.room()) {
		err := x.db.View(ctx, func(tx *store.Tx) (err error) { s, err = loadSieve(tx); return err })
		if err != nil {
			return err
		}
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.sieve, x.tooMany = s, s == nil
	if s != nil {
		for _, e := range out {
			s.add(e.h)
		}
	}
	return nil
}

// mayHave leaves out the hashes that are certainly not in the index.
func (x *Index) mayHave(hashes []Hash) (out []Hash) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.sieve == nil {
		return hashes
	}
	for _, h := range hashes {
		if x.sieve.has(h) {
			out = append(out, h)
		}
	}
	return out
}
