package flow

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/delivery"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Leg is what became of one record on one flow, for whoever gave it or is in it.
type Leg struct {
	Flow         string        `json:"flow"`
	Name         string        `json:"name"`
	System       string        `json:"system"`       // id of the receiving System
	SystemName   string        `json:"systemName"`   // and its name
	Organisation string        `json:"organisation"` // id of the receiving Organisation, by the agreement
	Interface    string        `json:"interface"`
	Agreement    string        `json:"agreement"`
	Purpose      reeve.Purpose `json:"purpose"`
	Fields       []string      `json:"fields"` // what the receiver may see of it
	// State is delivered, waiting, parked, filtered, uncertain or held.
	State string     `json:"state"`
	Why   string     `json:"why,omitempty"` // what it waits for, in plain words
	At    *time.Time `json:"at,omitempty"`  // when it came to this state, to a second
}

// Trail tells what became of record n, of type t, on every flow that carries or
// carried its type, by the flows' ids.
func (r *Runner) Trail(ctx context.Context, n int64, t reeve.RecordType) (legs []Leg, err error) {
	set := r.Set()
	err = r.o.DB.View(ctx, func(tx *store.Tx) error {
		for _, f := range set.All {
			if !slices.Contains(f.Type.IDs(), t) || !f.Spec.Carried() {
				continue
			}
			leg, err := r.leg(tx, f, n)
			if err != nil {
				return err
			}
			legs = append(legs, leg)
		}
		gone, err := r.gone(tx, set, n, t)
		legs = append(legs, gone...)
		return err
	})
	return legs, err
}

func (r *Runner) leg(tx *store.Tx, f *Flow, n int64) (Leg, error) {
	leg := f.Leg()
	if d, at, ok, err := findAgain(tx, f.ID, n); ok || err != nil {
		leg.decided(d, at)
		return leg, err
	}
	if s, ok, err := r.o.Desk.Find(tx, f.ID, n); ok || err != nil {
		leg.standing(s)
		return leg, err
	}
	if d, at, ok, err := findDecision(tx, f.ID, n); ok || err != nil {
		leg.decided(d, at)
		return leg, err
	}
	cur, ok, err := readCursor(tx, f.ID)
	switch {
	case err != nil:
		return leg, err
	case ok && n <= cur.position:
		leg.State, leg.Why = "filtered", "it was accepted before this flow began"
	case cur.stopped != "":
		leg.Why = cur.stopped
	default:
		leg.Why = "its turn comes next"
	}
	return leg, nil
}

// gone are the legs of flows that are no longer defined.
func (r *Runner) gone(tx *store.Tx, set *Set, n int64, t reeve.RecordType) (legs []Leg, err error) {
	flows, err := r.o.Desk.Flows(tx)
	if err != nil {
		return nil, err
	}
	for _, id := range flows {
		if _, ok := set.Get(id); ok {
			continue
		}
		s, ok, err := r.o.Desk.Find(tx, id, n)
		if err != nil {
			return nil, err
		}
		if !ok || s.Terms.Type != set.agreements.Type(t) {
			continue
		}
		leg := Leg{Flow: id, Name: id}
		leg.standing(s)
		if leg.State == "waiting" {
			leg.State = "held"
		}
		legs = append(legs, leg)
	}
	return legs, nil
}

func (l *Leg) standing(s delivery.Standing) {
	l.Why = s.Why
	if s.Terms.Agreement != "" { // as it was when the body was frozen
		l.Agreement, l.Purpose, l.Fields, l.Organisation, l.Interface = s.Terms.Agreement, s.Terms.Purpose, names(s.Terms.Fields), s.Terms.To, s.Iface
	}
	if !s.At.IsZero() {
		l.At = &s.At
	}
	switch s.State {
	case delivery.Delivered, delivery.Parked, delivery.Uncertain:
		l.State = s.State.String()
	default:
		l.State = "waiting"
	}
}

func (l *Leg) decided(d Decision, at time.Time) {
	l.At, l.State = &at, "filtered"
	switch d {
	case Filtered:
		l.Why = "by this flow's filter it is not for them"
	case Outside:
		l.Why = "the agreement leaves it out"
	case Earlier:
		l.Why = "it was accepted before the day on which this flow starts"
	case Elsewhere:
		l.Why = "this flow carries what another organisation tells"
	case Parked:
		l.State, l.Why = "parked", "it could not be put into the receiver's shape; a person looks at it"
	}
}

// Stat is what a flow came to, for the map and the list of flows.
type Stat struct {
	Flow, Name string
	From, To   End
	Type       reeve.RecordType
	Agreement  string
	Purpose    reeve.Purpose
	Via        string    // exchange, direct or manual
	State      string    // running, stopped, waiting, held or drawn (not carried by Reeve)
	Why        string    // why it is not running, in plain words
	Since      time.Time // since when its receiver takes nothing; zero when it does
	Cursor     int64
	Lag        int64 // records accepted and not yet dealt with, about
	Delivered  int64
	Filtered   int64
	Parked     int64 // ever
	Waiting    int   // prepared or set aside, not settled
	Uncertain  int
	Begun      time.Time // since when its deliveries are counted; zero for never, or not known
	Known      time.Time // since when it is deployed; zero for not known
	LastSeen   time.Time // when it last carried something; zero for never
	Quiet      bool      // nothing for longer than its definition expects
	Delayed    bool      // behind for longer than its definition expects
}

// Volumes tells how every flow stands, those that Reeve does not carry included,
// by id.
func (r *Runner) Volumes(ctx context.Context) (stats []Stat, err error) {
	set := r.Set()
	now := r.o.Now()
	err = r.o.DB.View(ctx, func(tx *store.Tx) error {
		for _, f := range set.All {
			s, err := r.stat(tx, set, f, now)
			if err != nil {
				return err
			}
			stats = append(stats, s)
		}
		flows, err := r.o.Desk.Flows(tx)
		if err != nil {
			return err
		}
		for _, id := range flows {
			if _, ok := set.Get(id); ok {
				continue
			}
			d, err := r.o.Desk.Stat(tx, id)
			if err != nil {
				return err
			}
			s := Stat{Flow: id, Name: id, Via: "exchange", State: "held", Why: "the flow was removed"}
			if s.add(d); s.Waiting+s.Uncertain == 0 {
				continue
			}
			s.Why = fmt.Sprintf("the flow was removed: %d records that it still owed are held", s.Waiting)
			stats = append(stats, s)
		}
		return nil
	})
	slices.SortStableFunc(stats, func(a, b Stat) int { return cmpText(a.Flow, b.Flow) })
	return stats, err
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func (s *Stat) add(d delivery.Stat) {
	s.Delivered, s.Waiting, s.Uncertain = d.Delivered, d.Waiting+d.Behind, d.Uncertain
	s.Parked += d.Refused
	s.Begun, s.LastSeen = d.Begun, d.Last
}

func (r *Runner) stat(tx *store.Tx, set *Set, f *Flow, now time.Time) (s Stat, err error) {
	s = Stat{Flow: f.ID, Name: f.Name, From: f.From, To: f.To, Type: f.Type.ID, Agreement: f.Agreement.ID, Purpose: f.Purpose, Via: "exchange", State: "running"}
	if f.Spec.Via == "process" && r.o.Steps != nil {
		if s.Delivered, s.LastSeen, err = r.o.Steps(tx, f.ID); err != nil {
			return s, err
		}
		s.Quiet = f.Spec.Expect.silent(time.Time{}, s.LastSeen, now)
		return s, nil
	}
	if !f.Spec.Carried() {
		s.Via, s.State = f.Spec.Via, "drawn"
		return s, nil
	}
	cur, _, err := readCursor(tx, f.ID)
	if err != nil {
		return s, err
	}
	s.Cursor, s.Filtered, s.Parked = cur.position, cur.filtered, cur.parked
	r.mu.Lock()
	passed := cur.position
	if w := r.runs[f.ID]; w != nil && w.mu.TryLock() {
		passed = max(passed, w.passed)
		w.mu.Unlock()
	}
	r.mu.Unlock()
	for _, t := range f.Type.IDs() {
		n, err := r.o.Log.CountTx(tx, t, passed)
		if err != nil {
			return s, err
		}
		s.Lag += n
	}
	d, err := r.o.Desk.Stat(tx, f.ID)
	if err != nil {
		return s, err
	}
	s.add(d)
	if ok, reason := set.agreements.Live(f.Agreement, now); !ok {
		s.State, s.Why = "stopped", reason
	} else if d.Why != "" {
		s.State, s.Why, s.Since = "waiting", d.Why, d.Since
	}
	e := f.Spec.Expect
	s.Known = cur.since
	s.Quiet = e.silent(s.Known, s.LastSeen, now)
	if e.MaxLag > 0 && s.Lag+int64(s.Waiting) > 0 {
		since, err := r.waits(tx, f, passed, d)
		if err != nil {
			return s, err
		}
		s.Delayed = !since.IsZero() && now.Sub(since) > e.MaxLag.D()
	}
	return s, nil
}

// silent reports whether nothing came for longer than expected: since the last, or
// since the flow is deployed where nothing ever came, which has maxLag more to arrive.
func (e Expect) silent(known, last, now time.Time) bool {
	switch {
	case e.Every <= 0:
		return false
	case !last.IsZero():
		return now.Sub(last) > e.Every.D()
	}
	return !known.IsZero() && now.Sub(known) > e.Every.D()+e.MaxLag.D()
}

// waits is since when the oldest record waits that a flow could have carried; zero for
// none. What waits for the time of a schedule is not counted.
func (r *Runner) waits(tx *store.Tx, f *Flow, passed int64, d delivery.Stat) (since time.Time, err error) {
	upto := int64(math.MaxInt64)
	if f.schedule != nil {
		if _, upto, _, err = readGate(tx, f.ID); err != nil {
			return since, err
		}
	}
	since = d.Oldest
	earlier := func(at time.Time) {
		if since.IsZero() || at.Before(since) {
			since = at
		}
	}
	if d.First > 0 {
		rec, err := r.o.Log.GetTx(tx, d.First)
		if err != nil {
			return since, err
		}
		earlier(rec.At)
	}
	next, err := r.o.Log.ReadTypesTx(tx, f.Type.IDs(), passed, 1)
	if err != nil {
		return since, err
	}
	if len(next) > 0 && next[0].N <= upto {
		earlier(next[0].At)
	}
	return since, nil
}
