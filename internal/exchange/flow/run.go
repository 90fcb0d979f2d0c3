package flow

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/delivery"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Bounds.
const (
	batch     = 2000    // records read at once: the door takes as many in, and they must not fall behind
	packItems = 1000    // in one pack
	batches   = 4       // of a flow in one step: others have their turn too
	packBytes = 1 << 20 // of bodies in one pack
)

// Stuck is a record that a flow could not filter, map or check.
type Stuck struct {
	Flow     string
	N        int64
	Record   reeve.RecordID
	Problems []reeve.Problem
}

// Options of a runner.
type Options struct {
	DB      *store.DB
	Log     *reclog.Log
	Journal *journal.Journal
	Desk    *delivery.Desk
	Slog    *slog.Logger
	Now     func() time.Time
	// Park puts a record that is stuck where people see it.
	Park func(tx *store.Tx, s Stuck) error
	// Steps tells how often a flow was done as a step of a process, and when last; may be nil.
	Steps func(tx *store.Tx, flow string) (n int64, last time.Time, err error)
	// Around is what the pages of flows know of other rooms.
	Around Around
}

// Runner runs the flows of the set in force.
type Runner struct {
	o Options

	mu   sync.Mutex
	set  *Set
	runs map[string]*run
}

// run is what the runner remembers of one flow.
type run struct {
	mu     sync.Mutex // one step at a time
	flow   *Flow
	ready  bool  // its cursor is there, under its own id
	passed int64 // no record of its type up to this number is left; not stored
}

// Open makes the tables and returns a runner without flows.
func Open(ctx context.Context, o Options) (*Runner, error) {
	if err := o.DB.Migrate(ctx, "exchange/flow", migrations); err != nil {
		return nil, err
	}
	return &Runner{o: o, set: &Set{byID: map[string]*Flow{}}, runs: map[string]*run{}}, nil
}

// Use puts a set in force. Flows that are in it keep their cursors, also under
// another id if they name the former one; what a flow that is gone still owes is
// held.
func (r *Runner) Use(set *Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	runs := map[string]*run{}
	var lines []*delivery.Line
	for _, f := range set.All {
		if !f.Spec.Carried() {
			continue
		}
		runs[f.ID] = &run{flow: f}
		lines = append(lines, &delivery.Line{Flow: f.ID, Interface: f.To.Interface, Spec: f.iface, Ordered: f.Type.Strict})
	}
	r.set, r.runs = set, runs
	r.o.Desk.SetLines(lines, set.agreements)
}

// Set is the set in force.
func (r *Runner) Set() *Set {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set
}

// Step moves every flow on by a few batches at most, and reports how many records
// were dealt with.
func (r *Runner) Step(ctx context.Context) (int, error) {
	r.mu.Lock()
	set, runs := r.set, make([]*run, 0, len(r.runs))
	for _, f := range r.set.All {
		if w := r.runs[f.ID]; w != nil {
			runs = append(runs, w)
		}
	}
	r.mu.Unlock()
	head, err := r.o.Log.Last(ctx)
	if err != nil {
		return 0, err
	}
	done := make([]int, len(runs))
	errs := make([]error, len(runs))
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, w := range runs {
		g.Go(func() error {
			w.mu.Lock()
			defer w.mu.Unlock()
			if ctx.Err() != nil {
				return nil
			}
			if done[i], errs[i] = r.step(ctx, set, w, head); errs[i] != nil && ctx.Err() == nil {
				r.o.Slog.Error("flow failed", "flow", w.flow.ID, "error", errs[i])
			}
			return nil
		})
	}
	_ = g.Wait() // errors are in errs: one flow's stops no other
	did := 0
	for _, n := range done {
		did += n
	}
	return did, errors.Join(errs...)
}

// step moves one flow on by a few batches: while one is committed, the next is read
// and prepared.
func (r *Runner) step(ctx context.Context, set *Set, w *run, head int64) (did int, err error) {
	f := w.flow
	if !w.ready {
		if err := r.settleIn(ctx, f); err != nil {
			return 0, err
		}
		w.ready = true
	}
	if head, err = r.upTo(ctx, f, head); err != nil {
		return 0, err
	}
	var under *commit
	defer func() {
		if err = errors.Join(err, under.wait()); err != nil {
			did = 0
		}
	}()
	for range batches {
		l, err := r.read(ctx, set, w, head, under)
		if err != nil {
			return did, err
		}
		if len(l.recs) == 0 {
			return did, nil
		}
		p, err := r.prepare(ctx, set, f, l)
		if err != nil {
			return did, err
		}
		if err := under.wait(); err != nil {
			under = nil
			return did, err
		}
		under = r.begin(ctx, p)
		if did += len(l.recs); l.again {
			return did, nil
		}
	}
	return did, nil
}

// load is what a flow takes up at once.
type load struct {
	cur      cursor
	recs     []reclog.Record
	again    bool            // they stood behind others, or are tried again
	versions map[int64]int64 // the numbers of those that are sent again as new versions
}

// read reads what comes next; under is the batch before, where it is not committed
// yet. Nothing means that there is nothing, or that the flow must wait.
func (r *Runner) read(ctx context.Context, set *Set, w *run, head int64, under *commit) (l load, err error) {
	f, stopped, owed, wait := w.flow, "", 0, false
	if ok, reason := set.agreements.Live(f.Agreement, r.o.Now()); !ok {
		stopped = reason
	}
	err = r.o.DB.View(ctx, func(tx *store.Tx) (err error) {
		var ok bool
		if l.cur, ok, err = readCursor(tx, f.ID); err != nil || !ok {
			return err
		}
		if owed, err = r.o.Desk.Owed(tx, f.ID, f.To.Interface); err != nil {
			return err
		}
		if under != nil { // it may be seen already or not
			l.cur.position, owed = under.position, owed+under.packs
		}
		if wait = stopped != "" || owed >= delivery.Ahead; wait {
			return nil
		}
		free, err := r.o.Desk.Free(tx, f.ID, packItems/2)
		if err != nil {
			return err
		}
		// What stood aside is sent on after all that is under way of its key: when
		// nothing is, nothing later can overtake it.
		if wait = len(free) > 0 && (under != nil || f.Type.Strict && owed > 0); wait {
			return nil
		}
		for _, n := range free {
			rec, err := r.o.Log.GetTx(tx, n)
			if err != nil {
				return err
			}
			l.recs = append(l.recs, rec)
		}
		l.again = len(free) > 0
		if l.versions, err = replays(tx, f.ID, free); err != nil {
			return err
		}
		if l.again || max(l.cur.position, w.passed) >= head {
			return nil
		}
		l.recs, err = r.o.Log.ReadTypesTx(tx, f.Type.IDs(), max(l.cur.position, w.passed), batch)
		for f.schedule != nil && len(l.recs) > 0 && l.recs[len(l.recs)-1].N > head {
			l.recs = l.recs[:len(l.recs)-1]
		}
		return err
	})
	if err != nil {
		return load{}, err
	}
	set.rename(f, l.recs)
	if under == nil && l.cur.stopped != stopped {
		if err := r.tellStopped(ctx, set, f, stopped); err != nil {
			return load{}, err
		}
	}
	if !wait && len(l.recs) == 0 && under == nil {
		w.passed = max(w.passed, head)
	}
	return l, nil
}

// rename puts records under the present ids of their type and sender, whatever
// these were when the records came.
func (s *Set) rename(f *Flow, recs []reclog.Record) {
	for i := range recs {
		recs[i].Type, recs[i].Sender = f.Type.ID, s.agreements.Party(recs[i].Sender)
	}
}

// settleIn gives a flow its cursor: its own, that of the id it had before, or a
// new one where the definition says.
func (r *Runner) settleIn(ctx context.Context, f *Flow) error {
	return r.o.DB.Update(ctx, func(tx *store.Tx) error {
		for _, old := range f.ifaces {
			if err := r.o.Desk.RenameInterface(tx, old, f.To.Interface); err != nil {
				return err
			}
		}
		if _, ok, err := readCursor(tx, f.ID); ok || err != nil {
			return err
		}
		for _, old := range f.Formerly {
			_, ok, err := readCursor(tx, old)
			if err != nil {
				return err
			}
			if ok {
				return errors.Join(renameFlow(tx, old, f.ID), r.o.Desk.Rename(tx, old, f.ID))
			}
		}
		var position int64
		if f.start.now {
			position = tx.Head().Record - 1
		}
		return insertCursor(tx, f.ID, position)
	})
}

// tellStopped notes, once, that a flow stands still or goes on.
func (r *Runner) tellStopped(ctx context.Context, set *Set, f *Flow, why string) error {
	return r.o.DB.Update(ctx, func(tx *store.Tx) error {
		verb := "stopped"
		if why == "" {
			verb = "resumed"
		}
		if err := saveStopped(tx, f.ID, why); err != nil {
			return err
		}
		_, err := r.o.Journal.Append(tx, journal.Entry{At: tx.Now, Actor: "flow/" + f.ID, Verb: verb, About: reeve.Ref("flow/" + f.ID),
			Purpose: f.Purpose, Set: set.Hash, Why: []string{f.Agreement.ID}})
		return err
	})
}

// prepared is a load with all that needs no transaction done.
type prepared struct {
	load
	set     *Set
	flow    *Flow
	results []result
	packs   []*delivery.Frozen
	entries []journal.Entry // by the record's place
}

func (r *Runner) prepare(ctx context.Context, set *Set, f *Flow, l load) (*prepared, error) {
	results := set.prepareAll(ctx, f, r.o.Now(), l.recs)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	packs, err := r.freeze(set, f, l.recs, results, l.versions)
	if err != nil {
		return nil, err
	}
	entries := make([]journal.Entry, len(l.recs))
	for i := range l.recs {
		switch results[i].decision {
		case Sent:
			entries[i] = f.entry(set, &l.recs[i], "disclosing", f.why)
		case Parked:
			entries[i] = f.entry(set, &l.recs[i], "parked", []string{f.Agreement.ID, results[i].code})
		}
	}
	return &prepared{l, set, f, results, packs, entries}, nil
}

// commit is a load on its way to the disk.
type commit struct {
	position int64 // of the cursor, when it is there
	packs    int
	done     chan struct{}
	err      error
}

func (c *commit) wait() error {
	if c == nil {
		return nil
	}
	<-c.done
	return c.err
}

// begin begins to commit a load.
func (r *Runner) begin(ctx context.Context, p *prepared) *commit {
	c := &commit{position: p.recs[len(p.recs)-1].N, packs: len(p.packs), done: make(chan struct{})}
	go func() {
		defer close(c.done)
		if c.err = r.pass(ctx, p); c.err == nil {
			r.o.Desk.Keep(p.packs)
		}
	}()
	return c
}

// pass does with a load what needs a transaction.
func (r *Runner) pass(ctx context.Context, p *prepared) error {
	return r.o.DB.Update(ctx, func(tx *store.Tx) error {
		now, ok, err := readCursor(tx, p.flow.ID)
		if err != nil {
			return err
		}
		if !ok || !p.again && now.position > p.cur.position {
			return reeve.E(reeve.Conflict, "exchange.flow", "the cursor of %s moved", p.flow.ID)
		}
		if ok, reason := p.set.agreements.Live(p.flow.Agreement, r.o.Now()); !ok {
			return reeve.E(reeve.Transient, "exchange.flow", "%s", reason)
		}
		b := &passing{r: r, tx: tx, f: p.flow, again: p.again, cur: &now}
		return b.all(p.recs, p.results, p.packs, p.entries)
	})
}

func (f *Flow) entry(set *Set, rec *reclog.Record, verb string, why []string) journal.Entry {
	return journal.Entry{Actor: "flow/" + f.ID, Verb: verb, About: reeve.Ref("record/" + string(rec.ID)), Purpose: f.Purpose,
		Set: set.Hash, Why: why, Digest: rec.Digest}
}

// freeze packs and seals what is to be sent.
func (r *Runner) freeze(set *Set, f *Flow, recs []reclog.Record, results []result, versions map[int64]int64) (packs []*delivery.Frozen, err error) {
	terms := delivery.Terms{Agreement: f.Agreement.ID, Purpose: f.Purpose, Type: f.Type.ID, Shape: f.Type.ID,
		From: f.Agreement.From, To: f.Agreement.To, Fields: f.Fields, Set: set.Hash}
	if f.iface.Spec.Name != "" || len(f.iface.Columns) > 0 {
		terms.Format = &f.iface.Spec
	}
	if f.Target != nil {
		terms.Shape = f.Target.ID
	}
	var items []delivery.Item
	size := 0
	flush := func() error {
		if len(items) == 0 {
			return nil
		}
		p, err := r.o.Desk.Freeze(f.ID, f.To.Interface, terms, items)
		packs, items, size = append(packs, p), nil, 0
		return err
	}
	for i := range recs {
		if results[i].decision != Sent {
			continue
		}
		rec := &recs[i]
		if v := versions[rec.N]; v != terms.Replay {
			if err := flush(); err != nil {
				return nil, err
			}
			terms.Replay = v
		}
		if size += len(results[i].body); size > packBytes || len(items) == packItems {
			if err := flush(); err != nil {
				return nil, err
			}
			size = len(results[i].body)
		}
		if items == nil {
			items = make([]delivery.Item, 0, min(len(recs)-i, packItems))
		}
		items = append(items, delivery.Item{N: rec.N, Record: rec.ID, Key: rec.Key, Sender: rec.Sender, At: rec.At, Digest: rec.Digest, Body: results[i].body})
	}
	return packs, flush()
}

// passing is one transaction of pass.
type passing struct {
	r     *Runner
	tx    *store.Tx
	f     *Flow
	again bool
	cur   *cursor
}

func (b *passing) all(recs []reclog.Record, results []result, packs []*delivery.Frozen, entries []journal.Entry) error {
	desk, strict := b.r.o.Desk, b.f.Type.Strict
	stuck, err := b.park(recs, results, entries)
	if err != nil {
		return err
	}
	put := make([]journal.Entry, 0, len(entries))
	put = append(put, stuck...)
	at := 0 // packs are in the order of the records
	for _, p := range packs {
		behind, err := desk.Put(b.tx, p, strict, b.again)
		if err != nil {
			return err
		}
		for _, it := range p.Items() {
			for recs[at].N != it.N {
				at++
			}
			if !behind[it.N] {
				put = append(put, entries[at])
				b.cur.sent++
			}
		}
	}
	if len(put) > 0 {
		if _, err := b.r.o.Journal.Append(b.tx, put...); err != nil {
			return err
		}
	}
	by := map[Decision][]int64{}
	for i := range recs {
		switch d := results[i].decision; d {
		case Sent:
			continue
		case Filtered, Outside, Earlier, Elsewhere:
			b.cur.filtered++
			if !b.again {
				by[d] = append(by[d], recs[i].N)
				continue
			}
			if err := errors.Join(desk.Passed(b.tx, b.f.ID, recs[i].N), setAgain(b.tx, b.f.ID, recs[i].N, d)); err != nil {
				return err
			}
		case Parked:
			by[d] = append(by[d], recs[i].N)
		}
	}
	if !b.again {
		b.cur.position = recs[len(recs)-1].N
		if len(by) > 0 {
			if err := insertDecisions(b.tx, b.f.ID, recs[0].N, b.cur.position, by); err != nil {
				return err
			}
		}
	}
	return saveCursor(b.tx, b.f.ID, *b.cur)
}

// park sets aside what could not be prepared, and returns the entries for it.
// Where order is strict, what comes behind a parked record of its key waits.
func (b *passing) park(recs []reclog.Record, results []result, entries []journal.Entry) (put []journal.Entry, err error) {
	desk, strict := b.r.o.Desk, b.f.Type.Strict
	var waits *delivery.Waits
	blocked := map[string]bool{}
	for i := range recs {
		rec := &recs[i]
		if results[i].decision != Parked {
			continue
		}
		if strict && rec.Key != "" {
			if waits == nil {
				if waits, err = desk.Waits(b.tx, b.f.ID); err != nil {
					return nil, err
				}
			}
			must := blocked[rec.Key] || waits.Blocked(rec.Key, rec.N) || !b.again && waits.Key(rec.Key, rec.N)
			if must { // its turn has not come
				if err := desk.SetBehind(b.tx, b.f.ID, rec.Key, rec.N, rec.ID); err != nil {
					return nil, err
				}
				continue
			}
			if err := desk.Block(b.tx, b.f.ID, rec.Key, rec.N, rec.ID, "is parked"); err != nil {
				return nil, err
			}
			blocked[rec.Key] = true
		}
		if b.again {
			if err := errors.Join(desk.Passed(b.tx, b.f.ID, rec.N), setAgain(b.tx, b.f.ID, rec.N, Parked)); err != nil {
				return nil, err
			}
		}
		if err := b.r.o.Park(b.tx, Stuck{Flow: b.f.ID, N: rec.N, Record: rec.ID, Problems: results[i].problems}); err != nil {
			return nil, err
		}
		put = append(put, entries[i])
		b.cur.parked++
	}
	return put, nil
}

// Retry makes a flow take up a parked record again, as the definitions are now.
// The quarantine calls it when a person decides so.
func (r *Runner) Retry(tx *store.Tx, flow string, n int64) error {
	rec, err := r.o.Log.GetTx(tx, n)
	if err != nil {
		return err
	}
	return errors.Join(clearAgain(tx, flow, n), r.o.Desk.Unblock(tx, flow, rec.ID), r.o.Desk.SetBehind(tx, flow, rec.Key, n, rec.ID))
}

// GiveUp lets go on what waited behind a parked record that will never be sent.
func (r *Runner) GiveUp(tx *store.Tx, flow string, n int64) error {
	rec, err := r.o.Log.GetTx(tx, n)
	if err != nil {
		return err
	}
	return r.o.Desk.Unblock(tx, flow, rec.ID)
}
