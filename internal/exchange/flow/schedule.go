package flow

import (
	"context"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// upTo is the number of the last record that a flow may carry now: head, or for a
// flow with a schedule the last that was there when it was last due. What comes
// later waits for the next time, and a time that was missed is made up for once.
func (r *Runner) upTo(ctx context.Context, f *Flow, head int64) (int64, error) {
	if f.schedule == nil {
		return head, nil
	}
	var opened time.Time
	var upto int64
	known := false
	if err := r.o.DB.View(ctx, func(tx *store.Tx) (err error) {
		opened, upto, known, err = readGate(tx, f.ID)
		return err
	}); err != nil {
		return 0, err
	}
	if known && r.o.Now().Before(f.schedule.Next(opened)) {
		return upto, nil
	}
	if known {
		upto = head
	}
	return upto, r.o.DB.Update(ctx, func(tx *store.Tx) error { return putGate(tx, f.ID, r.o.Now(), upto) })
}

// Next is when a flow with a schedule is due next; zero for others.
func (f *Flow) Next(now time.Time) time.Time {
	if f.schedule == nil {
		return time.Time{}
	}
	return f.schedule.Next(now)
}
