package flow

import (
	"errors"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/delivery"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Dealt is whether and how a flow dealt with a record that may be sent again.
type Dealt struct {
	Set string // hash of the definitions under which it was prepared; "" when not known
	Not string // why it is not sent again, "" for that it can be
}

// Dealt tells whether record n can be sent again by a flow: not while it is under
// way, or while a person has to decide about it.
func (r *Runner) Dealt(tx *store.Tx, f *Flow, n int64) (Dealt, error) {
	cur, ok, err := readCursor(tx, f.ID)
	if err != nil || !ok || n > cur.position {
		return Dealt{Not: "its turn comes next"}, err
	}
	if d, _, ok, err := findAgain(tx, f.ID, n); ok || err != nil {
		return dealt(d), err
	}
	s, ok, err := r.o.Desk.Find(tx, f.ID, n)
	if err != nil {
		return Dealt{}, err
	}
	if ok {
		switch s.State {
		case delivery.Delivered:
			return Dealt{Set: s.Terms.Set}, nil
		case delivery.Parked:
			return dealt(Parked), nil
		case delivery.Uncertain:
			return Dealt{Not: "nobody knows whether it arrived: decide that first"}, nil
		}
		return Dealt{Not: "it is on its way"}, nil
	}
	d, _, _, err := findDecision(tx, f.ID, n)
	return dealt(d), err
}

func dealt(d Decision) Dealt {
	if d == Parked {
		return Dealt{Not: "it is parked: try it again on its page"}
	}
	return Dealt{}
}

// Replayable is an error that says why nothing of a flow can be sent again.
func (r *Runner) Replayable(f *Flow) error {
	const op = "exchange.flow.Replay"
	switch {
	case !f.Spec.Carried():
		return reeve.E(reeve.Conflict, op, "Reeve does not carry the flow %s by itself", f.ID)
	case r.o.Desk.Internal(f.ID):
		return reeve.E(reeve.Conflict, op, "the receiver of %s is a part of this program: it has what it was told, and would act on it twice", f.ID)
	}
	return nil
}

// Replay makes a flow take records up again that it has dealt with, as the
// definitions are now and, for its receiver, as new versions under a number. They go
// through the cut, the filter, the map and the agreement as ever. Call it with
// records for which Dealt has nothing to say, in the order of their numbers.
func (r *Runner) Replay(tx *store.Tx, f *Flow, number int64, recs []reclog.Record) error {
	for i := range recs {
		key := recs[i].Key
		if !f.Type.Strict {
			key = ""
		}
		if err := errors.Join(setReplay(tx, f.ID, recs[i].N, number), clearAgain(tx, f.ID, recs[i].N),
			r.o.Desk.SetBehind(tx, f.ID, key, recs[i].N, recs[i].ID)); err != nil {
			return err
		}
	}
	return nil
}

// Behind is how many records of a flow stand aside or are owed.
func (r *Runner) Behind(tx *store.Tx, f *Flow) (int, error) {
	s, err := r.o.Desk.Stat(tx, f.ID)
	return s.Waiting + s.Behind, err
}
