// Package estate assembles the estate: what the body has, what it costs, and how
// it stands against the body's own standards.
package estate

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/asset"
	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/carbon"
	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/performance"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/risk"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/estate/site"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/subscription"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Kinds are the kinds of definition that the estate reads.
func Kinds() []def.Kind {
	return slices.Concat(
		[]def.Kind{organisation.Kind(), site.Kind(), capability.Kind(), system.Kind(), component.Kind(), asset.Kind(), supplier.Kind()},
		roadmap.Kinds(), gate.Kinds(), []def.Kind{catalogue.Kind(), performance.Kind(), carbon.Kind()}, standard.Kinds())
}

// Asks are the questions that the estate asks of other blocks, and its settings.
type Asks struct {
	Exchange register.Exchange
	Observed func(ctx context.Context) (*register.Observed, error) // what went through the exchange up to now
	// Lost opens a case for an asset that was lost or stolen, in the transaction
	// that says so.
	Lost       func(tx *store.Tx, by string, a inventory.Asset, stolen bool, note string) (caseRef string, err error)
	Who        func(ctx context.Context, actor string) edit.Person // name and address of an actor ("staff/3")
	Works      func(ctx context.Context, actor string) bool        // still a member of staff; nil: everybody is
	Version    string                                              // of the program
	CheckLinks time.Duration                                       // how often the links of services are followed; 0: only when somebody asks
	Edit       edit.Options                                        // where definitions are changed; the rest is filled in
}

// Estate is the block, opened.
type Estate struct {
	Inventory *inventory.Store
	Requests  *gate.Keeper
	Measures  *performance.Keeper
	Editor    *edit.Editor
	Services  *catalogue.Keeper

	k    *kernel.Kernel
	asks Asks

	subscriptions *subscription.Keeper

	making sync.Mutex  // held while the snapshot of now is made
	stale  atomic.Bool // somebody was given one that lacks the last observations

	mu    sync.Mutex
	now   kept
	past  map[def.Date]kept
	model *register.Model // of the set in force
	risks register.Kept[*register.Snapshot, *risk.Report]
}

// kept is a snapshot with what it was made of, to tell whether it is still right.
type kept struct {
	snapshot *register.Snapshot
	model    *register.Model
	version  int64 // of the inventory
	requests int64 // version of the intake requests
	commits  int64
	made     time.Time
	took     time.Duration
}

// Open builds the block on k and mounts its pages.
func Open(ctx context.Context, k *kernel.Kernel, asks Asks) (*Estate, error) {
	e := &Estate{k: k, asks: asks, past: map[def.Date]kept{}}
	var err error
	if e.Inventory, err = inventory.Open(ctx, k.DB, k.Keys, k.Journal); err != nil {
		return nil, err
	}
	problems := k.Defs.OnActivate(func(s *def.Set) (func(), []def.Problem) {
		m, problems := register.Compile(s)
		return func() {
			e.mu.Lock()
			defer e.mu.Unlock()
			e.model = m
		}, problems
	})
	if len(problems) > 0 {
		return nil, fmt.Errorf("estate: %s", problems[0])
	}
	return e, e.rooms(ctx)
}

// At is the estate at the end of a day; the zero date, and today, stand for now.
// It is made anew when something it is made of has changed. Where making it takes
// long, what was observed may be more than twenty times as old as that.
func (e *Estate) At(ctx context.Context, on def.Date) (*register.Snapshot, error) {
	now := e.k.Now().In(e.k.Zone)
	if on.IsZero() || on == def.DateOf(now) {
		return e.current(ctx, now)
	}
	if on.After(def.DateOf(now)) {
		return nil, reeve.E(reeve.Invalid, "estate.At", "%s has not come yet: the roadmap says what is planned", on)
	}
	e.mu.Lock()
	k, ok := e.past[on]
	e.mu.Unlock()
	if ok {
		return k.snapshot, nil
	}
	s, err := e.earlier(ctx, on)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.past) >= 4 {
		clear(e.past)
	}
	e.past[on] = kept{snapshot: s}
	return s, nil
}

// current is the estate now. What people change (definitions, inventory, requests,
// the day) is in it always, and whoever asks waits for it. Of what was observed
// since, a large estate is made anew beside the requests, which get the last one;
// who comes when nobody has looked for long waits for it.
func (e *Estate) current(ctx context.Context, now time.Time) (*register.Snapshot, error) {
	k, right, err := e.last(ctx, now)
	switch {
	case err != nil:
		return nil, err
	case right && k.commits == e.k.DB.Stats().Commits:
		return k.snapshot, nil
	case right && k.took > slow:
		switch age := now.Sub(k.made); {
		case age >= 40*k.took:
			return e.make(ctx, k.snapshot)
		case age >= 20*k.took:
			e.stale.Store(true)
		}
		return k.snapshot, nil
	}
	return e.make(ctx, nil)
}

// slow is what making a snapshot may take for everybody to wait for it.
const slow = 200 * time.Millisecond

// last is the last snapshot, and whether it has all that people changed.
func (e *Estate) last(ctx context.Context, now time.Time) (k kept, right bool, err error) {
	inv, err := e.Inventory.Now(ctx)
	if err != nil {
		return k, false, err
	}
	requests, err := e.Requests.Version(ctx)
	if err != nil {
		return k, false, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	k = e.now
	return k, k.snapshot != nil && k.model == e.model && k.version == inv.Version && k.requests == requests && k.snapshot.Today == def.DateOf(now), nil
}

// make makes the snapshot of now, one at a time: whoever waited takes what another
// made meanwhile, unless that is old, the one that is known to be too old.
func (e *Estate) make(ctx context.Context, old *register.Snapshot) (*register.Snapshot, error) {
	e.making.Lock()
	defer e.making.Unlock()
	now := e.k.Now().In(e.k.Zone)
	commits := e.k.DB.Stats().Commits // before anything is read: what comes later is not in it
	if k, right, err := e.last(ctx, now); err != nil || right && k.snapshot != old && (k.commits == commits || k.took > slow) {
		return k.snapshot, err
	}
	inv, err := e.Inventory.Now(ctx)
	if err != nil {
		return nil, err
	}
	requests, err := e.Requests.Version(ctx)
	if err != nil {
		return nil, err
	}
	e.mu.Lock()
	m := e.model
	e.mu.Unlock()
	s, err := e.snapshot(ctx, m, inv, now, true)
	if err != nil {
		return nil, err
	}
	done := e.k.Now()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now = kept{snapshot: s, model: m, version: inv.Version, requests: requests, commits: commits, made: done, took: done.Sub(now)}
	return s, nil
}

// refresh makes anew what is only missing the last observations.
func (e *Estate) refresh(ctx context.Context) (did int, err error) {
	if !e.stale.Swap(false) {
		return 0, nil
	}
	e.mu.Lock()
	old := e.now.snapshot
	e.mu.Unlock()
	_, err = e.make(ctx, old)
	return 1, err
}

// earlier is the estate as it was when the day ended.
func (e *Estate) earlier(ctx context.Context, on def.Date) (*register.Snapshot, error) {
	end := on.AddDays(1).Time(e.k.Zone).Add(-time.Millisecond) // times are kept to the millisecond
	activations, err := e.k.Defs.Activations(ctx, 100_000)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(activations, func(a def.Activation) bool { return !a.At.After(end) })
	if i < 0 {
		return nil, reeve.E(reeve.NotFound, "estate.At", "nothing is known of %s: the first definitions were put in force later", on)
	}
	m, err := e.modelOf(ctx, activations[i].Hash)
	if err != nil {
		return nil, err
	}
	inv, err := e.Inventory.At(ctx, end)
	if err != nil {
		return nil, err
	}
	return e.snapshot(ctx, m, inv, end, false)
}

// modelOf is a set that was once in force, made ready. It is read again only where
// no day that is still at hand had the same.
func (e *Estate) modelOf(ctx context.Context, hash string) (*register.Model, error) {
	if m := e.atHand(hash); m != nil {
		return m, nil
	}
	set, err := e.k.Defs.Earlier(ctx, hash)
	if err != nil {
		return nil, err
	}
	m, problems := register.Compile(set)
	if len(problems) > 0 {
		return nil, fmt.Errorf("estate: %s", problems[0])
	}
	return m, nil
}

func (e *Estate) atHand(hash string) *register.Model {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.model.Set.Hash() == hash {
		return e.model
	}
	for _, k := range e.past {
		if k.snapshot.Set.Hash() == hash {
			return k.snapshot.Model
		}
	}
	return nil
}

// WithSet is the estate now as it would be with a set that was once in force.
func (e *Estate) WithSet(ctx context.Context, hash string) (*register.Snapshot, error) {
	m, err := e.modelOf(ctx, hash)
	if err != nil {
		return nil, err
	}
	return e.Draft(ctx, m.Set)
}

// Draft is the estate now as it would be with another set of definitions.
func (e *Estate) Draft(ctx context.Context, set *def.Set) (*register.Snapshot, error) {
	m, problems := register.Compile(set)
	if len(problems) > 0 {
		return nil, reeve.E(reeve.Invalid, "estate.Draft", "%s", problems[0])
	}
	inv, err := e.Inventory.Now(ctx)
	if err != nil {
		return nil, err
	}
	return e.snapshot(ctx, m, inv, e.k.Now().In(e.k.Zone), true)
}

func (e *Estate) snapshot(ctx context.Context, m *register.Model, inv *inventory.Inventory, at time.Time, observe bool) (*register.Snapshot, error) {
	p := register.Parts{Model: m, Inventory: inv, At: at, Past: !observe}
	if e.asks.Exchange != nil {
		p.Declared = e.asks.Exchange.Declared(m.Set)
	}
	if observe && e.asks.Observed != nil {
		seen, err := e.asks.Observed(ctx)
		if err != nil {
			return nil, err
		}
		p.Observed = seen
	}
	var before time.Time // the requests as they were; zero for now
	if !observe {
		before = at
	}
	var err error
	if p.Entities, err = e.Requests.Entities(ctx, before); err != nil {
		return nil, err
	}
	s := register.New(p)
	return s, s.Judge(ctx, append(fills(), e.Services.FillLinks)...)
}
