// Package estate assembles the estate: what the body has, what it costs, and how
// it stands against the body's own standards.
package estate

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/asset"
	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/carbon"
	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/performance"
	"github.com/reeve-civic/reeve/internal/estate/portfolio"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/estate/site"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Kinds are the kinds of definition that the estate reads.
func Kinds() []def.Kind {
	return slices.Concat(
		[]def.Kind{organisation.Kind(), site.Kind(), capability.Kind(), system.Kind(), component.Kind(), asset.Kind(), supplier.Kind()},
		roadmap.Kinds(), gate.Kinds(), []def.Kind{catalogue.Kind(), performance.Kind(), carbon.Kind()}, standard.Kinds())
}

// Asks are the questions that the estate asks of other blocks.
type Asks struct {
	Exchange register.Exchange
	Observed func(ctx context.Context) (*register.Observed, error) // what went through the exchange up to now
}

// Estate is the block, opened.
type Estate struct {
	Inventory *inventory.Store

	k    *kernel.Kernel
	asks Asks

	mu    sync.Mutex
	now   kept
	past  map[def.Date]kept
	model *register.Model // of the set in force
}

// kept is a snapshot with what it was made of, to tell whether it is still right.
type kept struct {
	snapshot *register.Snapshot
	model    *register.Model
	version  int64 // of the inventory
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
	desk := register.Desk{Mux: k.Web, At: e.At}
	(&portfolio.Desk{Desk: desk}).Mount(k.Web)
	return e, nil
}

// fills are the rooms' facts, in the order in which they are written.
func (e *Estate) fills() []func(*register.Snapshot) { return nil }

// At is the estate at the end of a day; the zero date, and today, stand for now.
// It is made anew when something it is made of has changed. Where making it takes
// long, it may be up to twenty times as old as that.
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

func (e *Estate) current(ctx context.Context, now time.Time) (*register.Snapshot, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	inv, err := e.Inventory.Now(ctx)
	if err != nil {
		return nil, err
	}
	k, commits := e.now, e.k.DB.Stats().Commits
	same := k.snapshot != nil && k.model == e.model && k.version == inv.Version && k.snapshot.Today == def.DateOf(now)
	if same && (k.commits == commits || now.Sub(k.made) < 20*k.took && k.took > 20*time.Millisecond) {
		return k.snapshot, nil
	}
	s, err := e.snapshot(ctx, e.model, inv, now, true)
	if err != nil {
		return nil, err
	}
	done := e.k.Now()
	e.now = kept{snapshot: s, model: e.model, version: inv.Version, commits: commits, made: done, took: done.Sub(now)}
	return s, nil
}

// earlier is the estate as it was when the day ended.
func (e *Estate) earlier(ctx context.Context, on def.Date) (*register.Snapshot, error) {
	end := on.AddDays(1).Time(e.k.Zone).Add(-time.Second)
	activations, err := e.k.Defs.Activations(ctx, 100_000)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(activations, func(a def.Activation) bool { return !a.At.After(end) })
	if i < 0 {
		return nil, reeve.E(reeve.NotFound, "estate.At", "nothing is known of %s: the first definitions were put in force later", on)
	}
	set, err := e.k.Defs.Earlier(ctx, activations[i].Hash)
	if err != nil {
		return nil, err
	}
	m, problems := register.Compile(set)
	if len(problems) > 0 {
		return nil, fmt.Errorf("estate: %s", problems[0])
	}
	inv, err := e.Inventory.At(ctx, end)
	if err != nil {
		return nil, err
	}
	return e.snapshot(ctx, m, inv, end, false)
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
	s := register.New(p)
	return s, s.Judge(ctx, e.fills()...)
}
