package delivery

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// freshness is how old an answer of the agreements may be when an attempt begins.
const freshness = 2 * time.Second

// look is how long Step waits for lanes before it reports that they still run.
const look = 50 * time.Millisecond

// Step starts a lane for every flow that owes something that is due, waits a
// moment for any to finish, and reports how much was done or is going on; 0 when
// nothing is left to do now. When ctx ends it waits for all lanes: what was begun
// is finished. Call it from one goroutine.
func (d *Desk) Step(ctx context.Context) (int, error) {
	if ctx.Err() == nil {
		if err := d.start(ctx); err != nil {
			return 0, err
		}
	}
	did := 0
	timer := time.NewTimer(look)
	defer timer.Stop()
	for {
		d.mu.Lock()
		running := d.running
		d.mu.Unlock()
		if running == 0 {
			return did, nil
		}
		expired, ended := timer.C, ctx.Done()
		if ctx.Err() != nil {
			expired, ended = nil, nil
		}
		select {
		case <-ended:
		case ln := <-d.finished:
			d.mu.Lock()
			ln.running = false
			d.running--
			did += ln.did
			running = d.running
			d.mu.Unlock()
			if ctx.Err() == nil {
				return did + running, nil
			}
		case <-expired:
			return did + running, nil
		}
	}
}

func (d *Desk) start(ctx context.Context) error {
	var all []owing
	if err := d.o.DB.View(ctx, func(tx *store.Tx) (err error) {
		all, err = owingFlows(tx)
		return err
	}); err != nil {
		return err
	}
	if err := d.noteHeld(ctx, all); err != nil {
		return err
	}
	now := d.o.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, o := range all {
		l := d.lines[o.flow]
		if l == nil || l.Interface != o.iface {
			continue
		}
		ln := d.lanes[o.flow]
		if ln == nil {
			ln = &lane{flow: o.flow, failed: map[int64]int{}}
			d.lanes[o.flow] = ln
		}
		if ln.running || now.Before(ln.next) {
			continue
		}
		ln.running, ln.did = true, 0
		d.running++
		go func() {
			if err := d.safely(ctx, ln, l); err != nil {
				ln.broken = true
				d.wait(ln, "something went wrong here; see the log", 0)
				d.o.Log.Error("delivery failed", "flow", ln.flow, "error", err)
			}
			d.finished <- ln
		}()
	}
	return nil
}

// Wait waits until no lane runs. Call it when the context of Step has ended and
// Step is not called again, before the database is closed.
func (d *Desk) Wait() { _, _ = d.Step(ended()) }

func ended() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// noteHeld journals, once, that what a removed flow owes is held, and that it goes
// on when the flow is there again.
func (d *Desk) noteHeld(ctx context.Context, all []owing) error {
	type note struct {
		flow string
		held bool
	}
	var notes []note
	d.mu.Lock()
	for _, o := range all {
		l := d.lines[o.flow]
		if held := l == nil || l.Interface != o.iface; held != d.held[o.flow] {
			notes = append(notes, note{o.flow, held})
		}
	}
	d.mu.Unlock()
	for _, n := range notes {
		err := d.o.DB.Update(ctx, func(tx *store.Tx) error {
			t, err := readTotal(tx, n.flow)
			if err != nil || t.held == n.held {
				return err
			}
			verb := "holding"
			if !n.held {
				verb = "resumed"
			}
			if _, err := d.o.Journal.Append(tx, journal.Entry{At: tx.Now, Actor: "delivery", Verb: verb, About: reeve.Ref("flow/" + n.flow)}); err != nil {
				return err
			}
			return setHeld(tx, n.flow, n.held)
		})
		if err != nil {
			return err
		}
		d.mu.Lock()
		d.held[n.flow] = n.held
		d.mu.Unlock()
	}
	return nil
}

// wait puts the lane off. After is what the receiver asked for, 0 for nothing.
func (d *Desk) wait(ln *lane, why string, after time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if ln.fails++; ln.fails == 1 {
		ln.since = d.o.Now()
	}
	ln.why, ln.next = why, d.o.Now().Add(max(after, backoff(ln.fails)))
}

func (d *Desk) well(ln *lane) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ln.fails, ln.why, ln.next = 0, "", time.Time{}
}

// hold says why the lane rests without its having failed; it looks again soon.
func (d *Desk) hold(ln *lane, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ln.why, ln.next = why, d.o.Now().Add(time.Second)
}

// ref is one item of a loaded pack.
type ref struct {
	p *pack
	i int
}

func (r ref) item() *Item       { return &r.p.items[r.i] }
func (r ref) state() *itemState { return &r.p.states[r.i] }

// safely is run; a fault of ours, or of a connector, costs this flow alone.
func (d *Desk) safely(ctx context.Context, ln *lane, l *Line) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return d.run(ctx, ln, l)
}

// run delivers what a flow owes until nothing is left, the receiver cannot take
// more, or ctx ends.
func (d *Desk) run(ctx context.Context, ln *lane, l *Line) error {
	var packs []*pack
	for ctx.Err() == nil {
		if d.line(l.Flow) != l {
			return nil // the definitions changed
		}
		s, err := d.sinkOf(ln, l)
		if err != nil {
			d.wait(ln, reeve.Message(err), 0)
			return nil
		}
		if len(packs) < Ahead || l.Ordered { // strict: the last round may have blocked a key
			if packs, err = d.load(ctx, l, packs); err != nil {
				return err
			}
		}
		if len(packs) == 0 {
			clear(ln.failed)
			return nil
		}
		now, why := d.sendable(l, packs)
		if len(now) == 0 {
			d.hold(ln, why)
			return nil
		}
		if err := d.recover(ctx, s, l, now); err != nil {
			return err
		}
		if ln.broken { // nothing leaves while its outcome could not be written down
			if err := d.probe(ctx, l); err != nil {
				return err
			}
			ln.broken = false
		}
		n, more, err := d.round(ctx, ln, s, owedOf(now))
		if ln.did += n; err != nil || !more {
			return err
		}
		packs = owedOf(packs)
	}
	return nil
}

// probe writes an entry, to find out whether the journal can be written again.
func (d *Desk) probe(ctx context.Context, l *Line) error {
	return d.o.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		_, err := d.o.Journal.Append(tx, journal.Entry{At: tx.Now, Actor: "delivery", Verb: "resuming", About: reeve.Ref("flow/" + l.Flow)})
		return err
	})
}

// sendable is the packs that the agreements allow at this moment; where order is
// strict, those before the first that they do not.
func (d *Desk) sendable(l *Line, packs []*pack) (out []*pack, why string) {
	for _, p := range packs {
		w := d.allowed(p.terms)
		if w == "" {
			out = append(out, p)
			continue
		}
		if why = w; l.Ordered {
			break
		}
	}
	return out, why
}

func owedOf(packs []*pack) (out []*pack) {
	for _, p := range packs {
		if p.owed() > 0 {
			out = append(out, p)
		}
	}
	return out
}

// load reads further packs that are owed, with their bodies, and takes out of
// them what waits behind an earlier record of its key.
func (d *Desk) load(ctx context.Context, l *Line, have []*pack) ([]*pack, error) {
	loaded := map[int64]*pack{}
	for _, p := range have {
		loaded[p.id] = p
	}
	var blocks map[string]block
	var aside map[string]int64
	var packs []*pack
	err := d.o.DB.View(ctx, func(tx *store.Tx) error {
		owed, err := owedPacks(tx, l.Flow, l.Interface, Ahead)
		if err != nil {
			return err
		}
		for _, p := range owed {
			if known := loaded[p.id]; known != nil {
				packs = append(packs, known)
				continue
			}
			if p.items = d.recent.take(p.id); p.items == nil {
				if err := d.loadItems(tx, p); err != nil {
					return err
				}
			}
			packs = append(packs, p)
		}
		if !l.Ordered {
			return nil
		}
		if blocks, err = readBlocks(tx, l.Flow); err == nil {
			aside, err = firstBehind(tx, l.Flow)
		}
		return err
	})
	if err != nil || len(blocks) == 0 && len(aside) == 0 {
		return packs, err
	}
	var set []ref
	for _, p := range packs {
		for i := range p.items {
			it := &p.items[i]
			if it.Key == "" || p.states[i].State != Waiting {
				continue
			}
			h := d.hash(it.Key)
			b, blocked := blocks[h]
			n, waits := aside[h] // an earlier one stands aside and is prepared anew: it goes first
			if blocked && b.n < it.N || waits && n < it.N {
				set = append(set, ref{p, i})
			}
		}
	}
	return owedOf(packs), d.settle(ctx, l, set, func(tx *store.Tx, c *change) error {
		for _, r := range set {
			if err := c.behind(tx, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// recover deals with attempts whose end this program did not live to see, and
// with those that the backup it was restored from does not know of.
func (d *Desk) recover(ctx context.Context, s *sink, l *Line, packs []*pack) error {
	var trying, doubtful []ref
	for _, p := range packs {
		for i, st := range p.states {
			switch {
			case st.State == Trying:
				trying = append(trying, ref{p, i})
			case st.State == Waiting && p.when(i).Before(d.restored):
				doubtful = append(doubtful, ref{p, i})
			}
		}
	}
	if s.doubts() {
		if err := d.settle(ctx, l, doubtful, func(tx *store.Tx, c *change) error {
			for _, r := range doubtful {
				if s.repeat() == "lookup" {
					c.set(r, Trying)
				} else if err := c.unsure(tx, r, "a backup was restored: it may have been sent after that was made"); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	if len(trying) == 0 || s.repeat() == "lookup" { // round asks before it sends
		return nil
	}
	return d.settle(ctx, l, trying, func(tx *store.Tx, c *change) error {
		for _, r := range trying {
			if s.repeat() != "none" {
				c.set(r, Waiting) // the interface recognises repeats now
				continue
			}
			if err := c.unsure(tx, r, "Reeve stopped while it was sending this"); err != nil {
				return err
			}
		}
		return nil
	})
}

// pick chooses the items of the next call: those that have not failed since the
// start first, so that some that always fail stand in nobody's way. Where order
// is strict, items of one key stay in order, and the sink keeps it.
func (ln *lane) pick(l *Line, packs []*pack, limit int) (out []ref) {
	ranks, keys := map[ref]int{}, map[string]int{}
	for _, p := range packs {
		for i := range p.states {
			if !p.states[i].State.owed() {
				continue
			}
			r, it := ref{p, i}, &p.items[i]
			rank := ln.failed[it.N]
			if l.Ordered && it.Key != "" {
				if first, ok := keys[it.Key]; ok {
					rank = first
				} else {
					keys[it.Key] = rank
				}
			}
			out = append(out, r)
			if rank > 0 {
				ranks[r] = rank
			}
		}
	}
	if len(ranks) > 0 {
		slices.SortStableFunc(out, func(a, b ref) int { return ranks[a] - ranks[b] })
	}
	return out[:min(limit, len(out))]
}

// hand gives items to a part of this program, in the transaction that settles them.
func (d *Desk) hand(ctx context.Context, ln *lane, s *sink, packs []*pack) (int, bool, error) {
	limit := len(packs[0].states)
	if ln.chunk > 0 {
		limit = ln.chunk
	}
	rs := ln.pick(s.line, packs[:1], limit)
	for i, r := range rs {
		if ln.failed[r.item().N] != ln.failed[rs[0].item().N] {
			rs = rs[:i] // what fails alone is not mixed with what may be well
			break
		}
	}
	if s.line.Ordered { // it may refuse the first of a key: the second is not in the same call
		seen := map[string]bool{}
		for i, r := range rs {
			if k := r.item().Key; k != "" && seen[k] {
				rs = rs[:i]
				break
			}
			seen[r.item().Key] = true
		}
	}
	ds, shape := make([]reeve.Delivered, len(rs)), d.present(packs[0].terms).Shape
	for i, r := range rs {
		it := r.item()
		ds[i] = reeve.Delivered{Record: it.Record, N: it.N, Type: shape, Flow: s.line.Flow, Sender: it.Sender, At: it.At, Body: it.Body}
	}
	var refused map[int]string
	err := d.settle(ctx, s.line, rs, func(tx *store.Tx, c *change) (err error) {
		if refused, err = s.receiver.Receive(tx, ds); err != nil {
			return &receiverError{err}
		}
		for i, r := range rs {
			res := connector.Result{Outcome: connector.Delivered}
			if m, bad := refused[i]; bad {
				res = connector.Result{Outcome: connector.Refused, Message: m}
			}
			if err := c.outcome(tx, s, r, res, true); err != nil {
				return err
			}
		}
		return nil
	})
	var re *receiverError
	if errors.As(err, &re) {
		d.o.Log.Warn("a receiver in this program failed", "flow", ln.flow, "items", len(rs), "error", re.error)
		return d.handFailed(ctx, ln, s, rs)
	}
	if err != nil {
		return 0, false, err
	}
	d.o.Count(s.line.Flow, connector.Delivered.String(), len(rs)-len(refused))
	if ln.chunk > 0 && ln.chunk < limitChunk {
		ln.chunk *= 2
	} else {
		ln.chunk = 0
	}
	d.well(ln)
	return len(rs), true, nil
}

const limitChunk = 512

type receiverError struct{ error }

// handFailed makes the next call smaller, until the one item that fails is alone;
// that one is tried again a few times after the others, then parked.
func (d *Desk) handFailed(ctx context.Context, ln *lane, s *sink, rs []ref) (int, bool, error) {
	if len(rs) > 1 {
		ln.chunk = len(rs) / 2
		return 0, true, nil
	}
	ln.failed[rs[0].item().N]++
	res := connector.Result{Outcome: connector.Later, Message: "this part of Reeve failed on it"}
	if err := d.settle(ctx, s.line, rs, func(tx *store.Tx, c *change) error {
		return c.outcome(tx, s, rs[0], res, true)
	}); err != nil {
		return 0, false, err
	}
	for i := range rs[0].p.states {
		if other := (ref{rs[0].p, i}); other.state().State.owed() && ln.failed[other.item().N] < ln.failed[rs[0].item().N] {
			return 0, true, nil
		}
	}
	d.wait(ln, "a part of Reeve fails on a record; see the log", 0)
	return 0, false, nil
}

// change gathers what one transaction does to items, and is applied to the packs
// in memory only once it is committed.
type change struct {
	d         *Desk
	l         *Line
	now       time.Time
	actor     string
	states    map[ref]itemState
	fresh     map[*pack]*pack // as stored, with the changes
	entries   []journal.Entry
	pack      *pack    // of the last entry
	why       []string // what it says of that
	delivered int
	parked    int
}

// settle changes items in one transaction: all of it, or nothing.
func (d *Desk) settle(ctx context.Context, l *Line, rs []ref, fn func(tx *store.Tx, c *change) error) error {
	if len(rs) == 0 {
		return nil
	}
	var done *change
	err := d.o.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) (err error) {
		c := &change{d: d, l: l, now: tx.Now, actor: "flow/" + l.Flow, states: make(map[ref]itemState, len(rs)), fresh: map[*pack]*pack{}}
		c.entries = make([]journal.Entry, 0, len(rs))
		if err := fn(tx, c); err != nil {
			return err
		}
		if len(c.entries) > 0 {
			if _, err := d.o.Journal.Append(tx, c.entries...); err != nil {
				return err
			}
		}
		if c.delivered > 0 || c.parked > 0 {
			if err := addTotal(tx, l.Flow, c.delivered, c.parked); err != nil {
				return err
			}
		}
		for r, st := range c.states {
			p := c.fresh[r.p]
			if p == nil { // a person may have decided about an item meanwhile
				if p, err = getPack(tx, r.p.id); err != nil {
					return err
				}
				c.fresh[r.p] = p
			}
			p.states[r.i] = st
		}
		for _, p := range c.fresh {
			if err := saveStates(tx, p); err != nil {
				return err
			}
		}
		done = c
		return nil
	})
	if err != nil {
		return err
	}
	for p, fresh := range done.fresh {
		p.states = fresh.states
	}
	return nil
}

func (c *change) current(r ref) itemState {
	if st, ok := c.states[r]; ok {
		return st
	}
	return *r.state()
}

func (c *change) set(r ref, to State) {
	if st := c.current(r); st.State != to {
		c.states[r] = r.p.changed(st, to, c.now)
	}
}

// entry journals something about an item.
func (c *change) entry(r ref, verb string, why ...string) {
	it, t := r.item(), &r.p.terms
	if c.pack != r.p {
		c.pack, c.why = r.p, []string{t.Agreement, t.To, c.l.Interface}
	}
	c.entries = append(c.entries, journal.Entry{At: c.now, Actor: c.actor, Verb: verb, About: reeve.Ref("record/" + string(it.Record)),
		Purpose: t.Purpose, Set: t.Set, Why: append(c.why[:3:3], why...), Digest: it.Digest})
}

// outcome settles one item as the interface's way with repeats wants it.
func (c *change) outcome(tx *store.Tx, s *sink, r ref, res connector.Result, others bool) error {
	repeat := s.repeat()
	switch res.Outcome {
	case connector.Delivered:
		c.set(r, Delivered)
		c.delivered++
		c.entry(r, "delivered")
		return nil
	case connector.Refused:
		return c.refused(tx, r, res.Message)
	case connector.Untried:
		c.set(r, Waiting)
		return nil
	case connector.Unclear:
		if repeat == "none" {
			return c.unsure(tx, r, res.Message)
		}
	}
	st := c.current(r)
	if others && st.Tries < 255 {
		st.Tries++
	}
	if repeat == "none" || repeat == "lookup" && res.Outcome == connector.Later {
		st.State = Waiting
	}
	c.states[r] = st
	limit := uint8(maxTries)
	if s.receiver != nil {
		limit = maxTriesHere
	}
	if others && st.Tries >= limit {
		return c.refused(tx, r, "the receiver failed on this record again and again while it took others: "+res.Message)
	}
	return nil
}

func (c *change) refused(tx *store.Tx, r ref, message string) error {
	it := r.item()
	c.set(r, Parked)
	c.parked++
	c.entry(r, "parked", "receiver")
	err := c.d.o.Park(tx, Refusal{Flow: c.l.Flow, Interface: c.l.Interface, N: it.N, Record: it.Record,
		Problems: []reeve.Problem{{Message: "refused by the receiver: " + message}}})
	if err != nil {
		return err
	}
	return c.block(tx, r, "was refused by the receiver")
}

func (c *change) unsure(tx *store.Tx, r ref, why string) error {
	it := r.item()
	c.set(r, Uncertain)
	c.entry(r, "uncertain")
	if err := insertUnsure(tx, Unsure{Flow: c.l.Flow, N: it.N, Record: it.Record, At: c.now, Why: why, pack: r.p.id}); err != nil {
		return err
	}
	return c.block(tx, r, "is uncertain: nobody knows whether it arrived")
}

func (c *change) block(tx *store.Tx, r ref, why string) error {
	if !c.l.Ordered {
		return nil
	}
	it := r.item()
	return c.d.Block(tx, c.l.Flow, it.Key, it.N, it.Record, why)
}

func (c *change) behind(tx *store.Tx, r ref) error {
	it := r.item()
	c.set(r, Behind)
	return insertBehind(tx, c.l.Flow, c.d.hash(it.Key), it.N, it.Record)
}
