package inventory

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Now is the inventory as it stands. It is kept in memory.
func (s *Store) Now(ctx context.Context) (*Inventory, error) {
	if inv := s.now.Load(); inv != nil {
		return inv, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.load(ctx)
}

// load reads the inventory unless it is in memory. The caller holds the lock.
func (s *Store) load(ctx context.Context) (*Inventory, error) {
	if inv := s.now.Load(); inv != nil {
		return inv, nil
	}
	inv, err := s.read(ctx, func(tx *store.Tx) (int64, error) { return lastImport(tx) }, false)
	if err == nil {
		s.now.Store(inv)
	}
	return inv, err
}

// At is the inventory as it was at a time.
func (s *Store) At(ctx context.Context, at time.Time) (*Inventory, error) {
	inv, err := s.read(ctx, func(tx *store.Tx) (int64, error) { return newestImport(tx, at) }, true)
	if err == nil {
		inv.At = at
	}
	return inv, err
}

// read reads what was after an import.
func (s *Store) read(ctx context.Context, which func(*store.Tx) (int64, error), past bool) (*Inventory, error) {
	inv := new(Inventory)
	now, was := map[Type][]sealedBucket{}, map[Type]map[int64][]sealedBucket{}
	err := s.db.View(ctx, func(tx *store.Tx) (err error) {
		if inv.Version, err = which(tx); err != nil {
			return err
		}
		if inv.Imports, err = imported(tx, inv.Version); err != nil {
			return err
		}
		for t := range s.lists {
			if now[t], err = currentBuckets(tx, t); err != nil || !past {
				if err != nil {
					return err
				}
				continue
			}
			since, err := wasSince(tx, t, inv.Version)
			if err != nil {
				return err
			}
			was[t] = map[int64][]sealedBucket{}
			for _, b := range since {
				was[t][b.bucket] = append(was[t][b.bucket], b)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for t, l := range s.lists {
		err := l.fill(inv, len(now[t]), func(i int) ([]byte, [][]byte, error) {
			b := now[t][i]
			return s.open(t, []sealedBucket{b}, was[t][b.bucket])
		})
		if err != nil {
			return nil, fmt.Errorf("inventory: reading %s: %w", t, err)
		}
	}
	return inv, nil
}

// open unpacks a bucket and what it was.
func (s *Store) open(t Type, now, was []sealedBucket) (block []byte, before [][]byte, err error) {
	for _, b := range now {
		if block, err = seal.Unpack(s.keys, b.sealed, aad(t, b.bucket)); err != nil {
			return nil, nil, err
		}
	}
	for _, b := range was {
		plain, err := seal.Unpack(s.keys, b.sealed, aadWas(t, b.bucket, b.imp))
		if err != nil {
			return nil, nil, err
		}
		before = append(before, plain)
	}
	return block, before, nil
}

// History is what an item was, the newest first. It is empty for one that never
// was.
func (s *Store) History(ctx context.Context, t Type, key string) (out []Version, err error) {
	l, ok := s.lists[t]
	if !ok {
		return nil, reeve.E(reeve.NotFound, "inventory.history", "there is no list of %q", string(t))
	}
	var now, was []sealedBucket
	rows := map[int64]importRow{}
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		if now, err = currentBucket(tx, t, bucketOf(key)); err != nil {
			return err
		}
		if was, err = wasIn(tx, t, bucketOf(key)); err != nil {
			return err
		}
		for _, b := range was {
			if rows[b.imp], err = importOf(tx, t, b.imp); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	block, before, err := s.open(t, now, was)
	if err != nil {
		return nil, err
	}
	states, err := l.versions(block, before, key)
	if err != nil {
		return nil, err
	}
	for i, b := range was { // states[i] is what was from this import on
		if sameLayers(states[i].layers, states[i+1].layers) {
			continue
		}
		d, err := s.done(rows[b.imp])
		if err != nil {
			return nil, err
		}
		out = append(out, Version{Done: d, Item: states[i].item, Layers: states[i].layers})
	}
	return out, nil
}

func sameLayers(a, b []Layer) bool {
	return slices.EqualFunc(a, b, func(a, b Layer) bool { return a.Source == b.Source && a.Number == b.Number })
}

// Layers is what each source says of an item.
func (s *Store) Layers(ctx context.Context, t Type, key string) ([]Layer, error) {
	l, ok := s.lists[t]
	if !ok {
		return nil, reeve.E(reeve.NotFound, "inventory.layers", "there is no list of %q", string(t))
	}
	var now []sealedBucket
	err := s.db.View(ctx, func(tx *store.Tx) (err error) { now, err = currentBucket(tx, t, bucketOf(key)); return err })
	if err != nil {
		return nil, err
	}
	block, _, err := s.open(t, now, nil)
	if err != nil {
		return nil, err
	}
	states, err := l.versions(block, nil, key)
	if err != nil {
		return nil, err
	}
	return states[0].layers, nil
}

// Said is what a person said here of an item, nil for nothing. Start from it
// before [Store.Put], which keeps only what it is given.
func (s *Store) Said(ctx context.Context, t Type, key string) (Item, error) {
	layers, err := s.Layers(ctx, t, key)
	for _, l := range layers {
		if l.Source == Hand {
			return l.Item, nil
		}
	}
	return nil, err
}

// Imports are the last imports, newest first; those of one type unless it is "",
// and with what persons said here only if hand says so.
func (s *Store) Imports(ctx context.Context, t Type, hand bool, max int) (out []Done, err error) {
	var rows []importRow
	if err = s.db.View(ctx, func(tx *store.Tx) (err error) { rows, err = lastImports(tx, t, hand, max); return err }); err != nil {
		return nil, err
	}
	for _, r := range rows {
		d, err := s.done(r)
		if err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, nil
}

func (s *Store) done(r importRow) (d Done, err error) {
	plain, err := seal.Unpack(s.keys, r.sealed, aad("import", r.id))
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(plain, &d); err != nil {
		return d, fmt.Errorf("inventory: import %d: %w", r.id, err)
	}
	d.Number, d.Type, d.At, d.Actor, d.Hand, d.Count, d.Digest = r.id, r.typ, r.at, r.actor, r.hand, r.count, r.digest
	return d, nil
}

// Types are the types of item, in the order of their names.
func Types() []Type { return slices.Sorted(maps.Keys(lists())) }
