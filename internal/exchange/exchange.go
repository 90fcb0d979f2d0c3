// Package exchange assembles the exchange: record types and agreements, the door
// through which records come in, the quarantine, the flows that carry records to
// other systems, and the trail that tells what became of each.
package exchange

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/alert"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/delivery"
	"github.com/reeve-civic/reeve/internal/exchange/feed"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/exchange/once"
	"github.com/reeve-civic/reeve/internal/exchange/openapi"
	"github.com/reeve-civic/reeve/internal/exchange/process"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/exchange/replay"
	"github.com/reeve-civic/reeve/internal/exchange/sandbox"
	"github.com/reeve-civic/reeve/internal/exchange/steward"
	"github.com/reeve-civic/reeve/internal/exchange/trail"
	"github.com/reeve-civic/reeve/internal/exchange/workbench"
	"github.com/reeve-civic/reeve/internal/exchange/workshop"
	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Kinds are the kinds of definition that the exchange reads.
func Kinds() []def.Kind {
	schemas := new(contract.Schemas)
	return []def.Kind{contract.Kind(schemas), agreement.Kind(schemas), iface.Kind(), flow.Kind(), process.Kind()}
}

// Asks are the questions that the exchange asks of other blocks, and what it is
// told. Every field may be left out.
type Asks struct {
	// Receivers are parts of this program that take deliveries, by the NAME of an
	// interface's address internal:NAME.
	Receivers map[string]delivery.Receiver
	// Address is asked about every outbound address, after DNS; nil allows all.
	Address func(network, address string) error
	// Received is told what became of records that came in, for metrics.
	Received func(t reeve.RecordType, c intake.Counts)
	// MapWorker is the command that calls sandbox.Serve, in which maps that people typed
	// are run; nil: in this process.
	MapWorker []string
	// Corrected is told how long a record was held that went on, for metrics.
	Corrected func(t reeve.RecordType, held time.Duration)
	// Delivered is told of outcomes of deliveries, for metrics.
	Delivered func(flow, outcome string, n int)
	// Staff is what pages call a member of staff, by id; nil: the id.
	Staff func(id string) string
	// Editor keeps the definitions, for those who change flows; nil: nobody does.
	Editor workshop.Editor
}

// Exchange is the block, opened.
type Exchange struct {
	Once       *once.Index
	Quarantine *quarantine.Ward
	Workbench  *workbench.Bench
	Stewards   *steward.Register
	Intake     *intake.Desk
	Feeds      *feed.Desk
	Alerts     *alert.Watch
	Delivery   *delivery.Desk
	Flows      *flow.Runner
	Replays    *replay.Desk
	Processes  *process.Runner
	Trail      *trail.Teller

	rules atomic.Pointer[intake.Rules]
}

// Rules are the record types and agreements in force.
func (x *Exchange) Rules() *intake.Rules { return x.rules.Load() }

// Open builds the block on k, mounts its pages and API, and registers its workers.
func Open(ctx context.Context, k *kernel.Kernel, asks Asks) (*Exchange, error) {
	x := &Exchange{}
	x.rules.Store(&intake.Rules{Types: &contract.Set{}, Agreements: &agreement.Set{}})
	if err := x.openDoor(ctx, k, asks); err != nil {
		return nil, err
	}
	if err := x.openFeeds(ctx, k, asks); err != nil {
		return nil, err
	}
	if err := x.openFlows(ctx, k, asks); err != nil {
		return nil, err
	}
	if err := x.openAlerts(ctx, k); err != nil {
		return nil, err
	}
	if err := x.activate(ctx, k); err != nil {
		return nil, err
	}
	x.Trail = &trail.Teller{Log: k.Log, Ward: x.Quarantine, Journal: k.Journal, Flows: carriers{x}, Name: names(k), List: lists(k), Lineage: lineage(k), Zone: k.Zone}
	x.Intake.Mount(k.Web)
	x.Quarantine.Mount(k.Web)
	x.Workbench.Mount(k.Web)
	x.Stewards.Mount(k.Web)
	(&openapi.Publisher{Defs: k.Defs, Body: k.Body, BaseURL: k.BaseURL}).Mount(k.Web)
	x.Trail.Mount(k.Web)
	x.Flows.Mount(k.Web)
	if asks.Editor != nil {
		workshop.New(workshop.Options{DB: k.DB, Journal: k.Journal, Log: k.Log, Defs: k.Defs.Set, Flows: x.Flows.Set, Editor: asks.Editor,
			Box: &sandbox.Box{Command: asks.MapWorker}, Zone: k.Zone, Now: k.Now}).Mount(k.Web)
	}
	x.Processes.Mount(k.Web)
	k.Chore("intake", x.Intake.Step)
	k.Chore("once", x.Once.Step)
	return x, nil
}

// openDoor opens what takes records in.
func (x *Exchange) openDoor(ctx context.Context, k *kernel.Kernel, asks Asks) (err error) {
	var secret [32]byte
	copy(secret[:], k.Keys.Derive("exchange: what was told before"))
	if x.Once, err = once.Open(ctx, k.DB, secret); err != nil {
		return err
	}
	x.Quarantine, err = quarantine.New(ctx, quarantine.Options{DB: k.DB, Keys: k.Keys, Journal: k.Journal, Log: k.Log, Bus: k.Bus, Once: x.Once,
		Types: func() *contract.Set { return x.Rules().Types }, Set: func() string { return x.Rules().Set },
		Zone: k.Zone, Name: asks.names(k), Lineage: lineage(k), Settled: asks.Corrected})
	if err != nil {
		return err
	}
	x.Workbench, err = workbench.New(ctx, workbench.Options{DB: k.DB, Keys: k.Keys, Journal: k.Journal, Ward: x.Quarantine, Log: k.Slog,
		Types: func() *contract.Set { return x.Rules().Types }, Set: func() string { return x.Rules().Set },
		Box: &sandbox.Box{Command: asks.MapWorker}, Bus: k.Bus, Zone: k.Zone, Name: asks.names(k), Lineage: lineage(k)})
	if err != nil {
		return err
	}
	k.Worker("workbench", x.Workbench.Step)
	x.Stewards, err = steward.New(ctx, steward.Options{DB: k.DB, Journal: k.Journal, Set: func() string { return x.Rules().Set }})
	if err != nil {
		return err
	}
	if err := intake.Recall(ctx, x.Once, k.Log, x.Quarantine); err != nil {
		return fmt.Errorf("exchange: recalling what was told before: %w", err)
	}
	x.Intake, err = intake.New(ctx, intake.Options{DB: k.DB, Keys: k.Keys, Journal: k.Journal, Log: k.Log, Once: x.Once, Ward: x.Quarantine,
		Rules: x.Rules, Observe: asks.Received, Mend: x.Workbench.Mend, Used: x.Workbench.Used})
	return err
}

// openFlows opens what carries records on.
func (x *Exchange) openFlows(ctx context.Context, k *kernel.Kernel, asks Asks) (err error) {
	x.Delivery, err = delivery.Open(ctx, delivery.Options{DB: k.DB, Keys: k.Keys, Journal: k.Journal, Log: k.Slog, Now: k.Now, Getenv: k.Getenv,
		Address: asks.Address, Count: asks.Delivered,
		Park: func(tx *store.Tx, r delivery.Refusal) error {
			return x.park(tx, k, quarantine.Parked{Flow: r.Flow, N: r.N, ID: r.Record, Cause: "refused by the receiver", Problems: r.Problems})
		}})
	if err != nil {
		return err
	}
	for name, r := range asks.Receivers {
		x.Delivery.Receiver(name, r)
	}
	x.Processes, err = process.Open(ctx, process.Options{DB: k.DB, Keys: k.Keys, Log: k.Log, Journal: k.Journal, Slog: k.Slog, Now: k.Now, Getenv: k.Getenv,
		Address: asks.Address,
		Park: func(tx *store.Tx, f process.Failed) error {
			return x.park(tx, k, quarantine.Parked{Flow: f.Process, N: f.N, ID: f.Record, Cause: "could not be completed, and was undone", Problems: f.Problems})
		}})
	if err != nil {
		return err
	}
	x.Flows, err = flow.Open(ctx, flow.Options{DB: k.DB, Log: k.Log, Journal: k.Journal, Desk: x.Delivery, Slog: k.Slog, Now: k.Now, Steps: x.Processes.Carried, Around: x.around(),
		Park: func(tx *store.Tx, s flow.Stuck) error {
			return x.park(tx, k, quarantine.Parked{Flow: s.Flow, N: s.N, ID: s.Record, Cause: "could not be prepared", Problems: s.Problems})
		}})
	if err != nil {
		return err
	}
	x.Quarantine.SetParking(carriers{x})
	x.Quarantine.SetPreviews(x.previews(k))
	x.Replays, err = replay.New(ctx, replay.Options{DB: k.DB, Keys: k.Keys, Journal: k.Journal, Log: k.Log, Once: x.Once, Flows: x.Flows, Slog: k.Slog,
		Now: k.Defs.Set, Earlier: func(ctx context.Context, hash string) (*flow.Set, *def.Set, error) { return earlier(ctx, k, hash) }})
	if err != nil {
		return err
	}
	k.Worker("replay", x.Replays.Step)
	k.Worker("flows", x.Flows.Step)
	k.Worker("processes", x.Processes.Step)
	k.Worker("delivery", x.Delivery.Step)
	return nil
}

// park shows a record that a flow could not deliver beside those that are held.
func (x *Exchange) park(tx *store.Tx, k *kernel.Kernel, p quarantine.Parked) error {
	rec, err := k.Log.GetTx(tx, p.N)
	if err != nil {
		return err
	}
	p.Type, p.Sender = rec.Type, rec.Sender
	return x.Quarantine.Park(tx, p)
}

// carriers are the flows, in one step or several: what carries a record on.
type carriers struct{ x *Exchange }

// Retry implements [quarantine.Parking].
func (c carriers) Retry(tx *store.Tx, id string, n int64) error {
	if _, ok := c.x.Processes.Set().Get(id); ok {
		return c.x.Processes.Retry(tx, id, n)
	}
	return c.x.Flows.Retry(tx, id, n)
}

// GiveUp implements [quarantine.Parking].
func (c carriers) GiveUp(tx *store.Tx, id string, n int64) error {
	if _, ok := c.x.Processes.Set().Get(id); ok {
		return nil // what was done was undone already
	}
	return c.x.Flows.GiveUp(tx, id, n)
}

// Trail implements [trail.Flows].
func (c carriers) Trail(ctx context.Context, n int64, t reeve.RecordType) ([]flow.Leg, error) {
	legs, err := c.x.Flows.Trail(ctx, n, t)
	if err != nil {
		return nil, err
	}
	more, err := c.x.Processes.Trail(ctx, n, t)
	return append(legs, more...), err
}

// activate follows the definitions: a new set is compiled as a whole, then put in
// force everywhere in the exchange.
func (x *Exchange) activate(ctx context.Context, k *kernel.Kernel) error {
	ctx = context.WithoutCancel(ctx) // sets come later, too
	schemas := new(contract.Schemas)
	problems := k.Defs.OnActivate(func(s *def.Set) (func(), []def.Problem) {
		types, problems := schemas.Compile(s)
		if len(problems) > 0 {
			return nil, problems
		}
		agreements, problems := agreement.Compile(s, agreement.Options{Zone: k.Zone})
		if len(problems) > 0 {
			return nil, problems
		}
		flows, problems := flow.Compile(s, types, agreements, k.Zone)
		if len(problems) > 0 {
			return nil, problems
		}
		processes, problems := process.Compile(s, types, flows)
		if len(problems) > 0 {
			return nil, problems
		}
		feeds, problems := feed.Compile(s, k.Zone)
		if len(problems) > 0 {
			return nil, problems
		}
		return func() {
			x.Processes.Use(processes)
			x.rules.Store(&intake.Rules{Types: types, Agreements: agreements, Set: s.Hash()})
			x.Flows.Use(flows)
			x.Feeds.Use(feeds)
			if err := x.Once.Rename(ctx, s); err != nil { // in force all the same, and stored at the next start
				k.Slog.Error("the names of renamed types and senders could not be stored", "error", err)
			}
		}, nil
	})
	if len(problems) > 0 {
		return fmt.Errorf("exchange: %s", problems[0])
	}
	return nil
}

// earlier is the flows of definitions that were in force.
func earlier(ctx context.Context, k *kernel.Kernel, hash string) (*flow.Set, *def.Set, error) {
	s, err := k.Defs.Earlier(ctx, hash)
	if err != nil {
		return nil, nil, err
	}
	types, problems := contract.Compile(s)
	var agreements *agreement.Set
	if len(problems) == 0 {
		agreements, problems = agreement.Compile(s, agreement.Options{Zone: k.Zone})
	}
	var flows *flow.Set
	if len(problems) == 0 {
		flows, problems = flow.Compile(s, types, agreements, k.Zone)
	}
	if len(problems) > 0 {
		return nil, nil, fmt.Errorf("exchange: earlier definitions: %s", problems[0])
	}
	return flows, s, nil
}

// names tells what a definition is called, and who a member of staff is.
func (a Asks) names(k *kernel.Kernel) func(kind, id string) string {
	of := names(k)
	return func(kind, id string) string {
		if kind == "Staff" && a.Staff != nil {
			return a.Staff(id)
		}
		return of(kind, id)
	}
}

// names tells what a definition is called, or its id where it is not there. A flow
// may be one in several steps.
func names(k *kernel.Kernel) func(kind, id string) string {
	return func(kind, id string) string {
		if _, ok := k.Defs.Set().Lookup("Process", id); ok && kind == "Flow" {
			kind = "Process"
		}
		if o, ok := k.Defs.Set().Lookup(kind, id); ok && o.Name != "" {
			return o.Name
		}
		return id
	}
}

// lineage gives every id that a definition has or had, the present one first.
func lineage(k *kernel.Kernel) func(kind, id string) []string {
	return func(kind, id string) []string { return k.Defs.Set().Lineage(kind, id) }
}

// lists gives the names of record types, and of the organisations that give
// something under an agreement, by id.
func lists(k *kernel.Kernel) func(kind string) map[string]string {
	return func(kind string) map[string]string {
		out, name := map[string]string{}, names(k)
		if kind == "Organisation" {
			for _, a := range def.All[agreement.Spec](k.Defs.Set()) {
				out[k.Defs.Set().Present(kind, a.Spec.From)] = name(kind, a.Spec.From)
			}
			return out
		}
		for _, o := range k.Defs.Set().Objects() {
			if o.Kind == kind {
				out[o.ID] = o.Name
			}
		}
		return out
	}
}
