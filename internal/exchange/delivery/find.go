package delivery

import (
	"context"
	"fmt"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Standing is where one record stands in one flow.
type Standing struct {
	State State
	At    time.Time // of the last change, to a second
	Why   string    // what it waits for, in plain words
	Terms Terms
	Iface string
}

// Find returns where record n stands in a flow; ok is false when no pack of the
// flow holds it and it waits behind no other.
func (d *Desk) Find(tx *store.Tx, flow string, n int64) (s Standing, ok bool, err error) {
	b, err := behindBlock(tx, flow, n)
	if err != nil {
		return s, false, err
	}
	if b != nil {
		s = Standing{State: Behind, Why: b.why}
		if b.record != "" {
			s.Why = fmt.Sprintf("an earlier record of the same key, %s, %s", b.record, b.why)
		}
		return s, true, nil
	}
	p, i, err := findPack(tx, flow, n)
	if err != nil || p == nil {
		return s, false, err
	}
	s = Standing{State: p.states[i].State, At: p.when(i), Terms: d.present(p.terms), Iface: p.iface}
	switch s.State {
	case Waiting, Trying:
		s.Why = d.reason(flow, p)
	case Uncertain:
		s.Why = "the answer was lost: nobody knows whether it arrived, and a person decides"
	case Parked:
		s.Why = "the receiver refused it"
	case Behind: // it was taken up again since, or it would stand behind
		return s, false, nil
	}
	return s, true, nil
}

// present puts what was frozen under the ids that its parties and types have now.
func (d *Desk) present(t Terms) Terms {
	d.mu.Lock()
	set := d.agreements
	d.mu.Unlock()
	t.From, t.To, t.Type, t.Shape = set.Party(t.From), set.Party(t.To), set.Type(t.Type), set.Type(t.Shape)
	return t
}

// reason is what an owed pack waits for.
func (d *Desk) reason(flow string, p *pack) string {
	d.mu.Lock()
	l, ln := d.lines[flow], d.lanes[flow]
	var why string
	if ln != nil {
		why = ln.why
	}
	d.mu.Unlock()
	switch {
	case l == nil:
		return "the flow was removed: what it still owed is held"
	case l.Interface != p.iface:
		return "the flow has another receiver now: what was made for the old one is held"
	}
	if w := d.allowed(p.terms); w != "" {
		return w
	}
	if why != "" {
		return "the receiver does not take it now: " + why
	}
	return "its turn comes next"
}

// Stat counts what a flow's deliveries came to.
type Stat struct {
	Delivered int64
	Refused   int64 // ever parked because the receiver would not take them
	Waiting   int   // frozen and not settled
	Behind    int   // waiting for an earlier record of their key
	Uncertain int
	Oldest    time.Time // when the oldest that is frozen and not settled was frozen; zero for none
	First     int64     // number of the first that waits for an earlier one; 0 for none
	Begun     time.Time // when something was first settled; zero for never, or not known
	Last      time.Time // when something was last settled; zero for never
	Why       string    // what it waits for; "" when nothing is in the way
	Since     time.Time // since when, as far as this run of the program knows
	Held      bool      // removed, and still owing
}

// Stat of one flow.
func (d *Desk) Stat(tx *store.Tx, flow string) (s Stat, err error) {
	t, err := readTotal(tx, flow)
	if err != nil {
		return s, err
	}
	s.Delivered, s.Refused, s.Held = t.delivered, t.parked, t.held
	if t.delivered > 0 || t.parked > 0 {
		s.Begun, s.Last = t.begun, t.last
	}
	if s.Waiting, s.Behind, s.Uncertain, err = counts(tx, flow); err != nil {
		return s, err
	}
	if s.Oldest, s.First, err = oldest(tx, flow); err != nil {
		return s, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if ln := d.lanes[flow]; ln != nil && s.Waiting > 0 {
		if s.Why = ln.why; ln.fails > 0 {
			s.Since = ln.since
		}
	}
	return s, nil
}

// Flows are the ids of all flows that ever owed anything, present or not.
func (d *Desk) Flows(tx *store.Tx) ([]string, error) { return allFlows(tx) }

// Uncertain lists deliveries that wait for a person's decision, oldest first.
func (d *Desk) Uncertain(ctx context.Context) (out []Unsure, err error) {
	err = d.o.DB.View(ctx, func(tx *store.Tx) error {
		out, err = allUnsure(tx, 1000)
		return err
	})
	return out, err
}

// Decide settles an uncertain delivery as a person says: it arrived, or it is to
// be sent again. A decision that was taken already is an error of kind Conflict.
func (d *Desk) Decide(ctx context.Context, actor reeve.Actor, flow string, n int64, arrived bool) error {
	const op = "exchange.delivery.Decide"
	return d.o.DB.Update(ctx, func(tx *store.Tx) error {
		found, err := getUnsure(tx, flow, n)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return reeve.E(reeve.Conflict, op, "nothing is uncertain here any more: somebody has decided already")
		}
		u := found[0]
		p, err := getPack(tx, u.pack)
		if err != nil {
			return err
		}
		at := -1
		for i, m := range p.numbers {
			if m == n && p.states[i].State == Uncertain {
				at = i
			}
		}
		if at < 0 {
			return fmt.Errorf("delivery: record %d of %s is not in pack %d", n, flow, u.pack)
		}
		verb, to, delivered := "send-again", Waiting, 0
		if arrived {
			verb, to, delivered = "settled-arrived", Delivered, 1
		}
		p.states[at] = p.changed(p.states[at], to, tx.Now)
		if err := saveStates(tx, p); err != nil {
			return err
		}
		if err := deleteUnsure(tx, flow, n); err != nil {
			return err
		}
		if err := deleteBlocks(tx, flow, u.Record); err != nil {
			return err
		}
		if err := addTotal(tx, flow, delivered, 0); err != nil {
			return err
		}
		_, err = d.o.Journal.Append(tx, journal.Entry{At: tx.Now, Actor: actor.ID, Verb: verb, About: reeve.Ref("record/" + string(u.Record)),
			Purpose: p.terms.Purpose, Set: p.terms.Set, Why: []string{flow, p.terms.Agreement, p.terms.To}})
		return err
	})
}
