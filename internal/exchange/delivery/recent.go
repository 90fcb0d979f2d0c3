package delivery

import (
	"slices"
	"sync"
)

// recentBytes bounds the bodies that are kept for the lanes.
const recentBytes = 8 << 20

// recent has the items of packs that were just made: whoever sends them at once need
// not read them back.
type recent struct {
	mu    sync.Mutex
	packs map[int64]*Frozen
	order []int64 // oldest first; of those that were taken, too
	bytes int
}

// Keep remembers packs whose transaction is committed.
func (d *Desk) Keep(packs []*Frozen) {
	r := &d.recent
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, f := range packs {
		if f.id == 0 { // all of it was set aside
			continue
		}
		r.packs[f.id] = f
		r.order = append(r.order, f.id)
		r.bytes += f.size
	}
	for r.bytes > recentBytes {
		r.drop(r.order[0])
		r.order = r.order[1:]
	}
	if len(r.order) > 2*len(r.packs)+100 {
		r.order = slices.DeleteFunc(r.order, func(id int64) bool { return r.packs[id] == nil })
	}
}

// take returns the items of a pack, once; nil where they must be read.
func (r *recent) take(id int64) []Item {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.packs[id]
	if f == nil {
		return nil
	}
	r.drop(id)
	return f.items
}

func (r *recent) drop(id int64) {
	if f := r.packs[id]; f != nil {
		r.bytes -= f.size
		delete(r.packs, id)
	}
}
