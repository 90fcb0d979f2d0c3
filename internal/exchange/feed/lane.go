package feed

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/feed/hook"
	"github.com/reeve-civic/reeve/internal/exchange/feed/parts"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Bounds.
const (
	atOnce       = 4 // interfaces that are read from at the same time
	defaultEvery = time.Minute
	firstWait    = 5 * time.Second // after a look that failed; doubled each time
	longestWait  = 5 * time.Minute
	keepFaults   = 90 * 24 * time.Hour
	tidyEvery    = time.Hour
	nobody       = "no agreement lets this system's organisation give it"
)

// Set is every feed and webhook of a set of definitions.
type Set struct {
	All   []*Feed
	Hooks map[string]*hook.Hook // by every id that the interface has or had
}

// Feed is an Interface that Reeve reads from.
type Feed struct {
	ID, Name string
	Spec     *iface.Spec
	Type     reeve.RecordType
	Givers   []string // the system's organisation, and what it is a part of

	root     string
	every    time.Duration
	schedule cron.Schedule // in place of every
}

// Compile gathers the feeds of a set.
func Compile(s *def.Set, zone *time.Location) (*Set, []def.Problem) {
	out := &Set{Hooks: map[string]*hook.Hook{}}
	for _, o := range def.All[iface.Spec](s) {
		if h := hook.Of(s, o.ID, o.Spec); h != nil {
			out.Hooks[h.ID] = h
			for _, id := range s.Lineage("Interface", h.ID) {
				out.Hooks[id] = h
			}
		}
		if o.Spec.Read == nil {
			continue
		}
		f := &Feed{ID: o.ID, Name: cmp.Or(o.Name, o.ID), Spec: o.Spec, Type: reeve.RecordType(s.Present("RecordType", o.Spec.Read.Record)),
			Givers: iface.Givers(s, o.ID), root: o.ID, every: time.Duration(o.Spec.Read.Every)}
		if ids := s.Lineage("Interface", o.ID); len(ids) > 0 {
			f.root = ids[len(ids)-1]
		}
		if o.Spec.Read.Schedule != "" {
			sched, err := iface.ParseSchedule(o.Spec.Read.Schedule, zone)
			if err != nil { // told by the check of the kind
				return nil, []def.Problem{{Message: o.ID + ": " + err.Error()}}
			}
			f.schedule = sched
		}
		f.every = cmp.Or(f.every, defaultEvery)
		out.All = append(out.All, f)
	}
	return out, nil
}

// next is when a feed is due after a look.
func (f *Feed) next(looked time.Time) time.Time {
	if f.schedule != nil {
		return f.schedule.Next(looked)
	}
	return looked.Add(f.every)
}

// lane is what the desk knows of one feed.
type lane struct {
	feed    *Feed
	state   state
	ready   bool // the state was read
	running bool
	cancel  context.CancelFunc
	did     int64
	file    string // that is being read
	gone    bool   // the feed was removed

	source connector.Source // kept from look to look: it may remember when to leave a system alone
	of     *Feed            // what it was made for
	where  string           // and the address
}

// shut closes the source. The caller holds the lock, or is the only one left.
func (ln *lane) shut() error {
	if ln.source == nil {
		return nil
	}
	err := ln.source.Close()
	ln.source = nil
	return err
}

// Use puts the feeds of a set in force. What is being read from one that is gone
// stops.
func (d *Desk) Use(s *Set) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.lanes
	d.set, d.lanes = s, make(map[string]*lane, len(s.All))
	for _, f := range s.All {
		ln := old[f.root]
		if ln == nil {
			ln = &lane{}
		}
		delete(old, f.root)
		if ln.feed != nil && ln.state.Why != "" {
			ln.state.Looked = time.Time{} // what was wrong may be right now
		}
		ln.feed = f
		d.lanes[f.root] = ln
	}
	for _, ln := range old {
		if ln.gone = true; ln.cancel != nil {
			ln.cancel()
		} else if err := ln.shut(); err != nil {
			d.o.Slog.Warn("a connection could not be closed", "interface", ln.feed.ID, "error", err)
		}
	}
}

// Wait returns when nothing is being read any more, and lets go of connections.
func (d *Desk) Wait() {
	d.wg.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ln := range d.lanes {
		if err := ln.shut(); err != nil {
			d.o.Slog.Warn("a connection could not be closed", "interface", ln.feed.ID, "error", err)
		}
	}
}

// Step begins to read what is due, and reports how many looks ended that brought
// something.
func (d *Desk) Step(ctx context.Context) (int, error) {
	if err := d.settle(ctx); err != nil {
		return 0, err
	}
	d.begins(ctx)
	d.receiveUploads(ctx)
	did, running := d.ended()
	switch {
	case running == 0 && did == 0:
		return d.tidy(ctx)
	case running == 0: // what they brought has not been told yet
		return did, nil
	}
	t := time.NewTimer(200 * time.Millisecond)
	defer t.Stop()
	select {
	case <-d.finished:
	case <-t.C:
	case <-ctx.Done():
		return did, nil
	}
	more, running := d.ended()
	return did + more + running, nil
}

// ended is how much the looks that ended since the last call brought, and how many are
// under way.
func (d *Desk) ended() (did, running int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	did, d.did = d.did, 0
	return did, d.running
}

// tidy drops what is too old.
func (d *Desk) tidy(ctx context.Context) (n int, err error) {
	now := d.o.Now()
	if since := now.Sub(d.tidied); since >= 0 && since < tidyEvery {
		return 0, nil
	}
	if n, err = d.expire(ctx, now); n > 0 || err != nil {
		return n, err
	}
	before, old := now.Add(-keepFaults), false
	if err = d.o.DB.View(ctx, func(tx *store.Tx) error { old, err = anyOld(tx, before); return err }); err != nil || !old {
		if err == nil {
			d.tidied = now
		}
		return 0, err
	}
	err = d.o.DB.Update(ctx, func(tx *store.Tx) error { n, err = forget(tx, before, 50); return err })
	return n, err
}

// settle reads what is remembered of feeds that are new.
func (d *Desk) settle(ctx context.Context) error {
	d.mu.Lock()
	fresh := map[*Feed]*lane{}
	for _, ln := range d.lanes {
		if !ln.ready {
			fresh[ln.feed] = ln
		}
	}
	d.mu.Unlock()
	for f, ln := range fresh {
		var s state
		err := d.o.DB.Update(ctx, func(tx *store.Tx) error {
			var ok bool
			var err error
			if s, ok, err = d.readState(tx, f.root); err != nil || ok {
				return err
			}
			looked := time.Time{}
			if f.schedule != nil { // the first time is the next of its schedule
				looked = tx.Now
			}
			s = state{Looked: looked}
			return d.makeState(tx, f.root, looked)
		})
		if err != nil {
			return err
		}
		d.mu.Lock()
		ln.state, ln.ready = s, true
		d.mu.Unlock()
	}
	return nil
}

// due reports whether a lane should be looked at now. The caller holds the lock.
func (ln *lane) due(now time.Time) bool {
	s := &ln.state
	switch {
	case !ln.ready || ln.running:
		return false
	case !s.Asked.IsZero() || s.Looked.IsZero() && ln.feed.schedule == nil:
		return true
	case s.Fails > 0:
		return !now.Before(s.Looked.Add(wait(s.Fails, ln.feed)))
	}
	return !now.Before(ln.feed.next(s.Looked))
}

// wait is how long to wait after a number of failures.
func wait(fails int, f *Feed) time.Duration {
	w := firstWait << min(fails-1, 10)
	if f.schedule == nil {
		w = max(w, min(f.every, longestWait))
	}
	return min(w, longestWait)
}

// begins starts what is due, as far as there is room.
func (d *Desk) begins(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Now()
	var due []*lane
	for _, ln := range d.lanes {
		if ln.due(now) {
			due = append(due, ln)
		}
	}
	slices.SortFunc(due, func(a, b *lane) int { // the one that waits longest first
		return cmp.Or(a.state.Looked.Compare(b.state.Looked), cmp.Compare(a.feed.root, b.feed.root))
	})
	for _, ln := range due {
		if d.running >= atOnce {
			return
		}
		lctx, cancel := context.WithCancel(ctx)
		ln.running, ln.cancel, ln.did, ln.file = true, cancel, 0, ""
		d.running++
		d.wg.Go(func() { d.run(lctx, ln, ln.feed, ln.state) })
	}
}

// run looks once, and writes down how it went.
func (d *Desk) run(ctx context.Context, ln *lane, f *Feed, s state) {
	asked := s.Asked
	err := d.look(ctx, ln, f, s.Position)
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		err = nil // stopped by us: it is due again at the next start
	} else {
		why := ""
		if err != nil {
			why = plain(err)
			d.o.Slog.Warn("an interface could not be read", "interface", f.ID, "error", err)
		}
		s.Fails++
		s.Asked, s.Why, s.Looked = time.Time{}, why, d.o.Now()
		werr := d.o.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
			if err := putLook(tx, f.root, s.Looked, why, s.Fails); err != nil {
				return err
			}
			return answered(tx, f.root, asked)
		})
		if werr != nil {
			d.o.Slog.Warn("how a look went could not be written down", "interface", f.ID, "error", werr)
		}
		if why == "" {
			s.Fails, s.Well = 0, s.Looked
		}
	}
	if verr := d.o.DB.View(context.WithoutCancel(ctx), func(tx *store.Tx) error { // the position moved on
		now, ok, err := d.readState(tx, f.root)
		if ok {
			s.Position, s.Taken = now.Position, now.Taken
		}
		return err
	}); verr != nil && ctx.Err() == nil {
		d.o.Slog.Warn("where a feed goes on could not be read", "interface", f.ID, "error", verr)
	}
	d.mu.Lock()
	ln.cancel()
	if ln.state.Asked != asked { // somebody asked while it was looked at: what is new may not have been there yet
		s.Asked = ln.state.Asked
	}
	ln.state, ln.running, ln.cancel = s, false, nil
	if ln.gone {
		if err := ln.shut(); err != nil {
			d.o.Slog.Warn("a connection could not be closed", "interface", f.ID, "error", err)
		}
	}
	d.running--
	d.did += int(ln.did)
	d.mu.Unlock()
	select {
	case d.finished <- struct{}{}:
	default:
	}
}

// pause waits, or returns the error of ctx.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// plain is an error in words for people.
func plain(err error) string { return cmp.Or(reeve.Message(err), err.Error()) }

// guard turns a panic of what is deferred with it into an error.
func (d *Desk) guard(err *error, what, id string) {
	if p := recover(); p != nil {
		d.o.Slog.Error("panic while reading", what, id, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = reeve.E(reeve.Fault, "exchange.feed", "reading it failed by a fault of ours; the log says more")
	}
}

// look reads what is there.
func (d *Desk) look(ctx context.Context, ln *lane, f *Feed, position string) (err error) {
	const op = "exchange.feed.look"
	defer d.guard(&err, "interface", f.ID)
	rules := d.o.Rules()
	t, ok := rules.Types.Type(f.Type)
	if !ok {
		return reeve.E(reeve.NotFound, op, "the record type %s is not defined", f.Type)
	}
	sender := d.sender(rules, f)
	if sender == "" {
		return reeve.E(reeve.Forbidden, op, nobody)
	}
	target, err := f.Spec.Target(d.o.Getenv)
	switch {
	case err != nil:
		return err
	case target.Connector == nil || target.Connector.Source == nil:
		return reeve.E(reeve.Invalid, op, "nothing can be read at this address: reeve connectors lists what can")
	}
	src, err := d.source(ln, f, target, t)
	if err != nil {
		return err
	}
	if err := d.leave(ctx, f.root); err != nil {
		return err
	}
	from := origin{feed: f, lane: ln, sender: sender, actor: reeve.Actor{ID: "interface/" + f.ID, Kind: reeve.Program, Party: sender}}
	return src.Read(ctx, position, func(p connector.Portion) error { return d.take(ctx, &from, p) })
}

// source is what a feed is read by: that of the look before, where nothing changed.
func (d *Desk) source(ln *lane, f *Feed, target iface.Target, t *contract.Type) (connector.Source, error) {
	if ln.source != nil && ln.of == f && ln.where == target.Where {
		return ln.source, nil
	}
	if err := ln.shut(); err != nil {
		d.o.Slog.Warn("a connection could not be closed", "interface", f.ID, "error", err)
	}
	config := f.Spec.Config(f.ID, target, connector.Host{Secret: iface.Secret(d.o.Getenv), Address: d.o.Address, Now: d.o.Now, Scratch: d.o.Scratch})
	config.Format.Types = typesOf(t)
	src, err := target.Connector.Source(config)
	if err != nil {
		return nil, err
	}
	ln.source, ln.of, ln.where = src, f, target.Where
	return src, nil
}

// leave ends runs of a poll that were stopped half-way: the next goes on after the
// last row that was taken, and is another.
func (d *Desk) leave(ctx context.Context, root string) error {
	var stopped []File
	err := d.o.DB.View(ctx, func(tx *store.Tx) (err error) {
		stopped, err = d.listFiles(tx, `origin = ? and version = '' and state = ?`, []any{root, Receiving}, 100)
		return err
	})
	for i := range stopped {
		stopped[i].Total = -1
		err = errors.Join(err, d.end(ctx, &stopped[i], ""))
	}
	return err
}

// sender is who gives: the system's organisation, or the first that it is a part of
// and that an agreement lets give this.
func (d *Desk) sender(rules *intake.Rules, f *Feed) string {
	return d.giver(rules, f.Givers, f.Type)
}

func (d *Desk) giver(rules *intake.Rules, orgs []string, t reeve.RecordType) string {
	for _, org := range orgs {
		if _, why := rules.Agreements.Intake(d.o.DB.Now(), org, t); why == nil {
			return org
		}
	}
	return ""
}

// typesOf tells a reader of text what types a field of the record type may have.
func typesOf(t *contract.Type) func(pointer string) []string { return t.Takes }

// origin is where a portion comes from.
type origin struct {
	feed   *Feed
	lane   *lane
	sender string
	actor  reeve.Actor
}

// take takes a portion for good.
func (d *Desk) take(ctx context.Context, from *origin, p connector.Portion) (err error) {
	f := &File{Origin: from.feed.root, Sender: from.sender, Type: from.feed.Type, Actor: from.actor.ID, Name: p.Name, Version: p.Version,
		Spec: from.feed.Spec.Spec, Size: p.Size, Total: p.Total, State: Receiving}
	if p.Name == "" {
		f.ID, f.Version = newID(), ""
	} else {
		total := f.Total
		if _, err := d.enter(ctx, f); err != nil {
			return err
		}
		f.Total = total
	}
	switch {
	case f.State == Broken:
		return nil // told when it broke off; it stays where it is
	case f.State == Receiving:
		if err := d.takeRows(ctx, from, f, p); err != nil || f.State == Broken {
			return err
		}
	}
	if p.Done != nil && f.Adds() { // what does not add up stays where it is, for people to look at
		return p.Done(ctx)
	}
	return nil
}

func (d *Desk) takeRows(ctx context.Context, from *origin, f *File, p connector.Portion) (err error) {
	release, ok := d.claim(f.ID)
	if !ok {
		return reeve.E(reeve.Conflict, "exchange.feed.take", "the file is being read already")
	}
	defer release()
	d.mu.Lock()
	from.lane.file = f.ID
	d.mu.Unlock()
	r, err := p.Open(ctx)
	if err != nil {
		return err
	}
	before := f.Rows
	position := func(tx *store.Tx, at string) error {
		if p.Name != "" {
			return nil
		}
		return d.putPosition(tx, from.feed.root, at)
	}
	broken, err := d.pour(ctx, f, from.actor, r, parts.Until{}, position)
	cerr := r.Close()
	d.mu.Lock()
	from.lane.did += f.Rows - before
	d.mu.Unlock()
	if err != nil {
		return err
	}
	if broken == "" && cerr != nil {
		return cerr
	}
	if f.Rows > before {
		if err := d.o.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error { return putTaken(tx, from.feed.root) }); err != nil {
			return err
		}
	}
	if err := d.end(ctx, f, broken); err != nil {
		return err
	}
	if broken != "" && p.Name == "" {
		return reeve.E(reeve.Invalid, "exchange.feed.take", "%s", broken)
	}
	return nil
}

// Unread tells which interfaces could not be read several times in a row, and why.
func (d *Desk) Unread() map[string]string {
	const several = 3
	d.mu.Lock()
	defer d.mu.Unlock()
	out := map[string]string{}
	for _, ln := range d.lanes {
		if ln.state.Fails >= several {
			out[ln.feed.ID] = ln.state.Why
		}
	}
	return out
}

// Ask asks for a look at a feed now.
func (d *Desk) Ask(ctx context.Context, id string) error {
	f, ok := d.Feed(id)
	if !ok {
		return reeve.E(reeve.NotFound, "exchange.feed.Ask", "there is no feed %q", id)
	}
	now := d.o.Now()
	if err := d.o.DB.Update(ctx, func(tx *store.Tx) error { return putAsked(tx, f.root, now) }); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if ln := d.lanes[f.root]; ln != nil {
		ln.state.Asked = now
	}
	return nil
}

// Feed finds a feed in force.
func (d *Desk) Feed(id string) (*Feed, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if i := slices.IndexFunc(d.set.All, func(f *Feed) bool { return f.ID == id }); i >= 0 {
		return d.set.All[i], true
	}
	return nil, false
}
