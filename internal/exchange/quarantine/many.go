package quarantine

import (
	"context"
	"slices"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Bounds of what is done to many records at once.
const (
	maxMany   = 1000 // records that one decision of a person reaches
	manyPerTx = 100
)

// Alike are the other open records of the same type and sender with exactly the
// same problems, oldest first, up to maxMany.
func (w *Ward) Alike(ctx context.Context, h Held) (ids []reeve.RecordID, err error) {
	if len(h.Problems) == 0 {
		return nil, nil
	}
	for after := int64(0); ; {
		hs, err := w.List(ctx, Filter{Type: h.Type, Sender: h.Sender, After: after, Max: 500})
		if err != nil || len(hs) == 0 {
			return ids, err
		}
		for _, o := range hs {
			after = o.N
			if o.ID != h.ID && o.Correction == 0 && slices.Equal(o.Problems, h.Problems) {
				if ids = append(ids, o.ID); len(ids) == maxMany {
					return ids, nil
				}
			}
		}
	}
}

// Recheck checks open records again, as the record types are now, and sends on
// those that are in order; for when it was the definition that was wrong. It looks
// at up to maxMany of a type and sender, oldest first.
func (w *Ward) Recheck(ctx context.Context, actor reeve.Actor, f Filter) (looked, released int, err error) {
	f.Max = manyPerTx
	for looked < maxMany {
		hs, err := w.List(ctx, f)
		if err != nil || len(hs) == 0 {
			return looked, released, err
		}
		done := 0
		err = w.o.DB.Update(ctx, func(tx *store.Tx) error {
			done = 0
			for _, h := range hs {
				ok, err := w.recheck(tx, actor, h.ID)
				if err != nil {
					return err
				}
				if ok {
					done++
				}
			}
			return nil
		})
		if err != nil {
			return looked, released, err
		}
		released += done
		looked += len(hs)
		f.After = hs[len(hs)-1].N
	}
	return looked, released, nil
}

// recheck sends an open record on if it is in order now. Nothing is journalled if not.
func (w *Ward) recheck(tx *store.Tx, actor reeve.Actor, id reeve.RecordID) (bool, error) {
	h, err := w.GetTx(tx, id)
	if err != nil || h.State != Open || h.Correction != 0 {
		return false, err // another of its lane took it along, or it is being corrected
	}
	t, ok := w.o.Types().Type(h.Type)
	if !ok {
		return false, nil
	}
	key, problems := t.Check(h.Body)
	waits, err := w.before(tx, h)
	if err != nil {
		return false, err
	}
	if len(problems) == 0 && waits == "" && key == h.Key {
		out, err := w.Correct(tx, actor, id, h.Body)
		return out.Released, err
	}
	if slices.Equal(problems, h.Problems) {
		return false, nil
	}
	h.Problems = problems
	return false, w.update(tx, h)
}
