package feed

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/feed/parts"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// keepUnfinished is how long a file that was announced waits for its next row.
const keepUnfinished = 14 * 24 * time.Hour

// expire ends files that nobody finishes. What was taken of them stays.
func (d *Desk) expire(ctx context.Context, now time.Time) (n int, err error) {
	var left []File
	if err = d.o.DB.View(ctx, func(tx *store.Tx) (err error) {
		left, err = d.unfinished(tx, now.Add(-keepUnfinished), 50)
		return err
	}); err != nil {
		return 0, err
	}
	for i := range left {
		f := &left[i]
		release, ok := d.claim(f.ID)
		if !ok {
			continue // it is being sent at this moment
		}
		f.State = Expired
		err = d.end(ctx, f, fmt.Sprintf("nothing of it came for %d days. %s. Announced again, it goes on after them", int(keepUnfinished.Hours()/24), f.stays()))
		release()
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// reopen takes up a file that is announced again after it had expired.
func (d *Desk) reopen(tx *store.Tx, f *File) error {
	if f.State != Expired {
		return nil
	}
	f.State, f.Why, f.Ended, f.Moved = Receiving, "", time.Time{}, tx.Now
	if err := reopenFile(tx, f.ID); err != nil {
		return err
	}
	_, err := d.o.Journal.Append(tx, journal.Entry{Actor: f.Actor, Verb: "taken up again", About: reeve.Ref("file/" + f.ID), Set: d.o.Rules().Set,
		Why: []string{"type " + string(f.Type), "sender " + f.Sender}})
	return err
}

// stays says what became of the rows of a file of which no more is taken.
func (f *File) stays() string {
	c := f.Counts
	return fmt.Sprintf("Its %d rows that came were taken and stay: %d accepted, %d held, %d duplicate, %d refused", f.Rows, c.Accepted, c.Held, c.Duplicate, c.Refused)
}

// other says that a file is not the one that was announced; "" if it is.
func (f *File) other(sum string) string {
	if want, _, _ := strings.Cut(f.Version, " "); sum == want {
		return ""
	}
	return "the bytes that came are not those of the SHA-256 that was announced: something was changed, left out or sent twice. " + f.stays() +
		". Find out which file is right, and send it under its own SHA-256"
}

// partsOf is how far a file came in whole parts.
func (d *Desk) partsOf(ctx context.Context, f *File) (*parts.Until, error) {
	var at parts.Until
	err := d.o.DB.View(ctx, func(tx *store.Tx) (err error) { at, err = d.wholeParts(tx, f.ID); return err })
	return &at, err
}

// partCame writes down that a part came as a whole. What is not written down when the
// program stops is sent again.
func (d *Desk) partCame(ctx context.Context, f *File, body *parts.Body) error {
	hash, err := body.State()
	if err != nil {
		return err
	}
	at := parts.Until{Rows: f.Rows, Read: f.Read, Hash: hash}
	return d.o.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return d.putParts(tx, f.ID, at) })
}
