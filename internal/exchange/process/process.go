package process

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Bounds.
const (
	inFlight = 8    // runs of a process that are worked on at once
	maxOpen  = 1000 // runs of a process that go on by themselves, before no more begin
	batch    = 100
	maxWait  = 5 * time.Minute
	timeout  = 15 * time.Second
	look     = 100 * time.Millisecond // how long Step waits before it reports what is under way
)

// Options of a runner.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Log     *reclog.Log
	Journal *journal.Journal
	Slog    *slog.Logger
	Now     func() time.Time
	Getenv  func(string) string
	// Address is asked about every outbound address, after DNS; nil allows all.
	Address func(network, address string) error
	// Park puts a record whose run failed, and was undone, where people see it.
	Park func(tx *store.Tx, f Failed) error
	// Timeout of one request; 0 for 15 s.
	Timeout time.Duration
}

// Failed is a run that came to nothing.
type Failed struct {
	Process  string
	N        int64
	Record   reeve.RecordID
	Problems []reeve.Problem
}

// Runner runs the processes of the set in force.
type Runner struct {
	o    Options
	salt []byte

	mu    sync.Mutex
	set   *Set
	ready map[string]bool  // processes whose cursor is there
	sinks map[string]*sink // by flow

	wg     sync.WaitGroup
	busy   map[string]bool // processes that are worked on at this moment
	did    int             // since Step last told
	failed error           // since then
	woke   chan struct{}   // one of them is finished
}

// sink is what a flow's bodies are sent through.
type sink struct {
	of     *flow.Flow
	to     connector.Sink
	repeat string
}

// Open makes the tables and returns a runner without processes.
func Open(ctx context.Context, o Options) (*Runner, error) {
	if err := o.DB.Migrate(ctx, "exchange/process", migrations); err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = timeout
	}
	return &Runner{o: o, salt: o.Keys.Derive("process: keys of records"), set: &Set{byID: map[string]*Process{}}, ready: map[string]bool{}, sinks: map[string]*sink{},
		busy: map[string]bool{}, woke: make(chan struct{}, 1)}, nil
}

// Use puts a set in force. A run that is under way goes on with the process as it is
// now, at the step of the same flow; where there is none, a person is asked. A process
// that is gone keeps its runs until it is there again.
func (d *Runner) Use(set *Set) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.set, d.ready = set, map[string]bool{}
}

// Set is the set in force.
func (d *Runner) Set() *Set {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.set
}

// sinkFor returns what a flow's bodies are sent through, made anew when the
// definitions changed.
func (d *Runner) sinkFor(f *flow.Flow) (*sink, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.sinks[f.ID]
	if old != nil && old.of == f {
		return old, nil
	}
	to, repeat, err := sinkOf(f, d.o.Getenv, connector.Host{Secret: iface.Secret(d.o.Getenv), Address: d.o.Address, Now: d.o.Now}, d.o.Timeout)
	if err != nil {
		return nil, err
	}
	if old != nil {
		if c, ok := old.to.(io.Closer); ok {
			_ = c.Close() // what was begun is finished
		}
	}
	s := &sink{f, to, repeat}
	d.sinks[f.ID] = s
	return s, nil
}

// Step works on every process that is not worked on, beside the others: a system that
// is slow holds up only the processes that it is a step of. Step waits a moment for any
// to finish, and reports how much was done or is going on; 0 when nothing is left to do
// now. When ctx ends it waits for all: what was begun is finished. Call it from one
// goroutine.
func (d *Runner) Step(ctx context.Context) (int, error) {
	if ctx.Err() == nil {
		d.start(ctx)
	}
	timer := time.NewTimer(look)
	defer timer.Stop()
	for {
		d.mu.Lock()
		busy, did, err := len(d.busy), d.did, d.failed
		d.did, d.failed = 0, nil
		d.mu.Unlock()
		if busy == 0 || did > 0 || err != nil {
			return did + busy, err
		}
		select {
		case <-d.woke:
		case <-timer.C:
			return busy, nil
		case <-ctx.Done():
			d.wg.Wait()
		}
	}
}

// Wait returns when nothing is worked on any more. Call it when the context of Step has
// ended, before the database is closed.
func (d *Runner) Wait() { d.wg.Wait() }

// start begins to work on processes: begins runs for records that came in, and moves on
// every run that is due.
func (d *Runner) start(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	set, busy := d.set, func(id string) bool { return d.busy[id] }
	for _, p := range set.All {
		if busy(p.ID) || slices.ContainsFunc(p.Formerly, busy) {
			continue
		}
		d.busy[p.ID] = true
		d.wg.Go(func() {
			begun, err := d.begin(ctx, p)
			moved, merr := d.moveOn(ctx, set, p)
			d.mu.Lock()
			delete(d.busy, p.ID)
			d.did, d.failed = d.did+begun+moved, errors.Join(d.failed, err, merr)
			d.mu.Unlock()
			select {
			case d.woke <- struct{}{}:
			default:
			}
		})
	}
}

// begin makes runs of the records that came in since.
func (d *Runner) begin(ctx context.Context, p *Process) (did int, err error) {
	d.mu.Lock()
	known := d.ready // of the set in force: another takes its place with the next
	ready := known[p.ID]
	d.mu.Unlock()
	if !ready {
		if err := d.settleIn(ctx, p); err != nil {
			return 0, err
		}
		d.mu.Lock()
		known[p.ID] = true
		d.mu.Unlock()
	}
	var recs []reclog.Record
	var position int64
	err = d.o.DB.View(ctx, func(tx *store.Tx) error {
		open, err := countOpen(tx, p.ID)
		if err != nil || open >= maxOpen {
			return err
		}
		if position, _, err = readPosition(tx, p.ID); err != nil {
			return err
		}
		recs, err = d.o.Log.ReadTypesTx(tx, p.Type.IDs(), position, batch)
		return err
	})
	if err != nil || len(recs) == 0 {
		return 0, err
	}
	return len(recs), d.o.DB.Update(ctx, func(tx *store.Tx) error {
		now, _, err := readPosition(tx, p.ID)
		if err != nil || now != position {
			return errors.Join(err, errMoved)
		}
		for _, rec := range recs {
			r := &run{process: p.ID, n: rec.N, record: rec.ID}
			if p.Type.Strict && rec.Key != "" {
				r.lane = d.hash(rec.Key)
			}
			if err := insertRun(tx, r); err != nil {
				return err
			}
		}
		return setPosition(tx, p.ID, recs[len(recs)-1].N)
	})
}

// hash stands for a key in a table that people may read.
func (d *Runner) hash(key string) string {
	m := hmac.New(sha256.New, d.salt)
	m.Write([]byte(key))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// settleIn gives a process its cursor: its own, that of the id it had before, or a
// new one where the definition says.
func (d *Runner) settleIn(ctx context.Context, p *Process) error {
	return d.o.DB.Update(ctx, func(tx *store.Tx) error {
		if _, ok, err := readPosition(tx, p.ID); ok || err != nil {
			return err
		}
		for _, old := range p.Formerly {
			if _, ok, err := readPosition(tx, old); err != nil {
				return err
			} else if ok {
				return rename(tx, old, p.ID)
			}
		}
		var position int64
		if p.Spec.Start != "beginning" {
			position = tx.Head().Record - 1
		}
		return setPosition(tx, p.ID, position)
	})
}

// moveOn works on the runs of a process that are due, several at once.
func (d *Runner) moveOn(ctx context.Context, set *Set, p *Process) (did int, err error) {
	var due []*run
	if err := d.o.DB.View(ctx, func(tx *store.Tx) (err error) {
		due, err = d.dueRuns(tx, p.ID, d.o.Now(), batch)
		return err
	}); err != nil {
		return 0, err
	}
	taken := map[string]bool{}
	var g errgroup.Group
	g.SetLimit(inFlight)
	for _, r := range due {
		if r.lane != "" && taken[r.lane] {
			continue // it came later: its turn is next time
		}
		taken[r.lane] = true
		did++
		g.Go(func() error {
			w := &work{d: d, set: set, p: p, r: r}
			err := w.safely(ctx)
			if err == nil || ctx.Err() != nil || errors.Is(err, errMoved) {
				return nil
			}
			d.o.Slog.Error("a run of a process failed", "process", p.ID, "record", r.record, "error", err)
			return w.rest(ctx, "something went wrong here; see the log", w.pause()) // the others go on
		})
	}
	return did, g.Wait()
}

// Trail tells what became of record n, of type t, at every step of the processes that
// carry its type.
func (d *Runner) Trail(ctx context.Context, n int64, t reeve.RecordType) (legs []flow.Leg, err error) {
	set := d.Set()
	err = d.o.DB.View(ctx, func(tx *store.Tx) error {
		for _, p := range set.All {
			if !slices.Contains(p.Type.IDs(), t) {
				continue
			}
			r, err := d.runOf(tx, p.ID, n)
			if reeve.KindOf(err) == reeve.NotFound {
				continue // it has not begun, or came before the process did
			}
			if err != nil {
				return err
			}
			rows, err := stepsOf(tx, p.ID, n)
			if err != nil {
				return err
			}
			legs = append(legs, p.legs(r, rows)...)
		}
		return nil
	})
	return legs, err
}

// legs are the steps of a run, and what was undone.
func (p *Process) legs(r *run, rows []stepRow) (legs []flow.Leg) {
	for i, st := range p.Steps {
		for _, f := range []*flow.Flow{st.Flow, st.Undo} {
			if f == nil {
				continue
			}
			leg := f.Leg()
			told := slices.IndexFunc(rows, func(s stepRow) bool { return is(f, s.flow) })
			switch {
			case told >= 0:
				s := &rows[told]
				leg.State, leg.Why, leg.At = stepStates[s.state], s.why, &s.at
			case f == st.Undo || r.state.ended() || r.state == Undoing:
				continue // nothing was sent, and nothing will be
			case i == r.step:
				leg.Why = r.why
			default:
				leg.Why = "an earlier step of " + p.Name + " comes first"
			}
			legs = append(legs, leg)
		}
	}
	return legs
}

// stepStates are the states of steps as those of flows.
var stepStates = map[string]string{"done": "delivered", "skipped": "filtered", "failed": "parked", "maybe": "uncertain", "unsure": "uncertain"}

// Carried tells how a flow stands that is a step of processes.
func (d *Runner) Carried(tx *store.Tx, flow string) (n int64, last time.Time, err error) {
	return carried(tx, flow)
}

// Retry begins a run again from its first step, when a person decides so. It is a new
// generation: systems see it as something new, not as a repeat of what was undone.
func (d *Runner) Retry(tx *store.Tx, process string, n int64) error {
	r, err := d.runOf(tx, process, n)
	if err != nil {
		return err
	}
	if !r.state.ended() {
		return reeve.E(reeve.Conflict, "exchange.process.Retry", "%s is still under way in %s", r.record, process)
	}
	if err := clearSteps(tx, r); err != nil {
		return err
	}
	r.state, r.step, r.at, r.tries, r.why, r.kept = Running, 0, "", 0, "", kept{}
	r.generation++
	r.due, r.since, r.settled = time.Time{}, time.Time{}, time.Time{}
	return d.save(tx, r)
}
