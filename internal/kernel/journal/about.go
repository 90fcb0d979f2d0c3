package journal

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// The index of what entries are about is written behind, as sorted runs: rows of
// (hash of the ref, entry number) pairs, which cost a small part of an index row
// for each entry. Eight runs of a level are merged into one of the next, up to
// the top level. Entries that are not yet in a run are looked through one by one.
const (
	runEntries = 8192 // entries in a run of level 0 at most
	runLeast   = 1024 // fewer are left to be looked through
	runFan     = 8
	topLevel   = 2
	partPairs  = 4096
	pairBytes  = 12
)

type pair struct{ hash, n int64 }

// hashOf is a hash of 63 bits, so that it compares the same in every database.
func hashOf(ref reeve.Ref) int64 {
	sum := sha256.Sum256([]byte(ref))
	return int64(binary.BigEndian.Uint64(sum[:]) >> 1)
}

func encodePairs(ps []pair, first int64) []byte {
	b := make([]byte, 0, len(ps)*pairBytes)
	for _, p := range ps {
		b = binary.BigEndian.AppendUint64(b, uint64(p.hash))
		b = binary.BigEndian.AppendUint32(b, uint32(p.n-first))
	}
	return b
}

func decodePairs(b []byte, first int64, ps []pair) []pair {
	for ; len(b) >= pairBytes; b = b[pairBytes:] {
		ps = append(ps, pair{int64(binary.BigEndian.Uint64(b)), first + int64(binary.BigEndian.Uint32(b[8:]))})
	}
	return ps
}

func sortPairs(ps []pair) {
	slices.SortFunc(ps, comparePairs)
}

func comparePairs(a, b pair) int {
	if c := cmp.Compare(a.hash, b.hash); c != 0 {
		return c
	}
	return cmp.Compare(a.n, b.n)
}

// mergePairs makes one sorted list of several, two at a time.
func mergePairs(lists [][]pair) []pair {
	for len(lists) > 1 {
		var half [][]pair
		for i := 0; i < len(lists); i += 2 {
			if i+1 == len(lists) {
				half = append(half, lists[i])
				break
			}
			half = append(half, mergeTwo(lists[i], lists[i+1]))
		}
		lists = half
	}
	if len(lists) == 0 {
		return nil
	}
	return lists[0]
}

func mergeTwo(a, b []pair) []pair {
	out := make([]pair, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if comparePairs(a[0], b[0]) <= 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// cut makes the rows of a run of sorted pairs.
func cut(ps []pair, level, first, last int64) []run {
	var out []run
	for part := int64(0); part == 0 || len(ps) > 0; part++ {
		n := min(len(ps), partPairs)
		r := run{level: level, first: first, last: last, part: part, data: encodePairs(ps[:n], first)}
		if n > 0 {
			r.lo, r.hi = ps[0].hash, ps[n-1].hash
		}
		out, ps = append(out, r), ps[n:]
	}
	return out
}

// index adds one run when enough entries wait, and merges runs.
func (j *Journal) index(ctx context.Context) (did int, err error) {
	var from, to int64
	var ps []pair
	err = j.db.View(ctx, func(tx *store.Tx) error {
		if from, err = indexed(tx); err != nil || tx.Head().Entry-from < runLeast {
			return err
		}
		to = from
		if gists := j.tail.from(from, runEntries); gists != nil {
			to = from + int64(len(gists))
			ps = make([]pair, 0, len(gists))
			for i, g := range gists {
				if g.about != nothing {
					ps = append(ps, pair{g.about, from + int64(i)})
				}
			}
			return nil
		}
		return j.each(tx, from, 32, func(n int64, b []byte) (bool, error) {
			to = n + 1
			if ref := aboutOf(b); ref != "" {
				ps = append(ps, pair{hashOf(ref), n})
			}
			return n+1-from < runEntries, nil
		})
	})
	if err != nil {
		return 0, fmt.Errorf("journal: indexing: %w", err)
	}
	if to > from {
		sortPairs(ps)
		if err := j.putRuns(ctx, from, cut(ps, 0, from, to-1)); err != nil {
			return 0, err
		}
		did++
	}
	for level := int64(0); level < topLevel; level++ {
		n, err := j.merge(ctx, level)
		did += n
		if err != nil {
			return did, err
		}
	}
	return did, nil
}

func (j *Journal) putRuns(ctx context.Context, from int64, rows []run) error {
	return j.db.Update(ctx, func(tx *store.Tx) error {
		if now, err := indexed(tx); err != nil || now != from {
			return err // another process was faster
		}
		for _, r := range rows {
			if err := insertRun(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// merge makes one run of all runs of a level, when there are enough.
func (j *Journal) merge(ctx context.Context, n int64) (did int, err error) {
	var rows []run
	err = j.db.View(ctx, func(tx *store.Tx) error {
		if count, err := countRuns(tx, n); err != nil || count < runFan {
			return err
		}
		rows, err = level(tx, n)
		return err
	})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	lists := map[int64][]pair{} // by run: its rows are in the order of their parts
	var begins []int64
	for _, r := range rows {
		if lists[r.first] == nil {
			begins = append(begins, r.first)
		}
		lists[r.first] = decodePairs(r.data, r.first, lists[r.first])
	}
	var sorted [][]pair
	for _, first := range begins {
		sorted = append(sorted, lists[first])
	}
	first, last := rows[0].first, rows[len(rows)-1].last
	merged := cut(mergePairs(sorted), n+1, first, last)
	err = j.db.Update(ctx, func(tx *store.Tx) error {
		did = 0
		if count, err := countRuns(tx, n); err != nil || count < runFan {
			return err // another process was faster
		}
		if err := deleteRuns(tx, n, last); err != nil {
			return err
		}
		for _, r := range merged {
			if err := insertRun(tx, r); err != nil {
				return err
			}
		}
		did = 1
		return nil
	})
	return did, err
}

// About returns the newest max entries about ref, oldest first.
func (j *Journal) About(ctx context.Context, ref reeve.Ref, max int) (es []Entry, err error) {
	err = j.db.View(ctx, func(tx *store.Tx) error {
		es = nil
		from, err := indexed(tx)
		if err != nil {
			return err
		}
		// What is not indexed yet is newest.
		err = j.each(tx, from, 32, func(n int64, b []byte) (bool, error) {
			if aboutOf(b) != ref {
				return true, nil
			}
			e, err := parseEntry(b)
			es = append(es, e)
			return true, err
		})
		if err != nil || len(es) >= max {
			return err
		}
		hash := hashOf(ref)
		rows, err := parts(tx, hash)
		if err != nil {
			return err
		}
		var ns []int64
		for _, r := range rows {
			ps := decodePairs(r.data, r.first, nil)
			i, _ := slices.BinarySearchFunc(ps, hash, func(p pair, h int64) int { return cmp.Compare(p.hash, h) })
			for ; i < len(ps) && ps[i].hash == hash; i++ {
				ns = append(ns, ps[i].n)
			}
		}
		slices.Sort(ns)
		older, err := j.newest(tx, ns, ref, max-len(es))
		es = append(older, es...)
		return err
	})
	if len(es) > max {
		es = es[len(es)-max:]
	}
	return es, err
}

// newest reads the last entries of ns that are about ref, oldest first.
func (j *Journal) newest(tx *store.Tx, ns []int64, ref reeve.Ref, max int) (es []Entry, err error) {
	for i := len(ns) - 1; i >= 0 && len(es) < max; i-- {
		err := j.each(tx, ns[i], 1, func(_ int64, b []byte) (bool, error) {
			if aboutOf(b) != ref { // another ref with the same hash
				return false, nil
			}
			e, err := parseEntry(b)
			es = append(es, e)
			return false, err
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Reverse(es)
	return es, nil
}
