package estate

import (
	"context"
	"net/url"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/atlas"
	"github.com/reeve-civic/reeve/internal/estate/carbon"
	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/change"
	"github.com/reeve-civic/reeve/internal/estate/custody"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/exporter"
	"github.com/reeve-civic/reeve/internal/estate/fit"
	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/history"
	importdesk "github.com/reeve-civic/reeve/internal/estate/importer/desk"
	"github.com/reeve-civic/reeve/internal/estate/importer/sources"
	"github.com/reeve-civic/reeve/internal/estate/intake"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/owner"
	"github.com/reeve-civic/reeve/internal/estate/performance"
	"github.com/reeve-civic/reeve/internal/estate/portfolio"
	"github.com/reeve-civic/reeve/internal/estate/reader"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/risk"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/estate/scenario"
	"github.com/reeve-civic/reeve/internal/estate/search"
	"github.com/reeve-civic/reeve/internal/estate/spend"
	"github.com/reeve-civic/reeve/internal/estate/standing"
	"github.com/reeve-civic/reeve/internal/estate/subscription"
	"github.com/reeve-civic/reeve/internal/estate/waiver"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// fills are the rooms' facts, in the order in which they are written.
func fills() []func(*register.Snapshot) {
	return []func(*register.Snapshot){custody.Fill, owner.Fill, risk.Fill, fit.Fill, roadmap.Fill, spend.Fill, carbon.Fill, gate.Fill, catalogue.Fill}
}

// rooms opens what the rooms keep, and mounts their pages.
func (e *Estate) rooms(ctx context.Context) (err error) {
	k := e.k
	e.Requests, err = gate.NewKeeper(ctx, gate.Options{DB: k.DB, Keys: k.Keys, Journal: k.Journal, Bus: k.Bus, Zone: k.Zone, Dir: k.Dir})
	if err != nil {
		return err
	}
	k.Chore("estate/requests", e.Requests.Step)
	k.Chore("estate/snapshot", e.refresh)
	now := func() time.Time { return k.Now().In(k.Zone) }
	if e.Measures, err = performance.Open(ctx, k.DB, now, e.At, map[string]performance.Count{
		"carbon-kg": func(s *register.Snapshot) (float64, bool) { c := Carbon(s); return c.Kg, c.Covered > 0 },
	}); err != nil {
		return err
	}
	k.Chore("estate/measures", e.Measures.Step)
	o := e.asks.Edit
	o.Now, o.Set, o.Earlier, o.Reload = k.Now, k.Defs.Set, k.Defs.Earlier, k.Defs.Reload
	e.Editor = edit.New(o)

	e.Services, err = catalogue.NewKeeper(ctx, catalogue.Options{
		DB: k.DB, Keys: k.Keys, Journal: k.Journal, Now: k.Now, Zone: k.Zone, Sets: k.Defs.Activations, Earlier: k.Defs.Earlier,
		Checker: &catalogue.Checker{Agent: "Reeve of " + k.Body}, Schedule: e.asks.CheckLinks,
		Links: func() ([]string, error) { return catalogue.AllAddresses(k.Defs.Set(), def.DateOf(now())), nil },
	})
	if err != nil {
		return err
	}
	k.Chore("estate/services", e.Services.Step)
	if e.subscriptions, err = subscription.Open(ctx, subscription.Options{DB: k.DB, Journal: k.Journal, Zone: k.Zone, Works: e.asks.Works}); err != nil {
		return err
	}
	e.mount()
	return nil
}

// mount mounts the pages of all rooms.
func (e *Estate) mount() {
	k, now := e.k, func() time.Time { return e.k.Now().In(e.k.Zone) }
	desk := register.Desk{Mux: k.Web, At: e.At}
	(&portfolio.Desk{Desk: desk}).Mount(k.Web)
	(&fit.Desk{Desk: desk}).Mount(k.Web)
	(&atlas.Desk{Desk: desk}).Mount(k.Web)
	(&history.Desk{Desk: desk, Asks: history.Asks{Activations: k.Defs.Activations, WithSet: e.WithSet}, Now: now, Compare: change.Asks{Carbon: Carbon}.Compare}).Mount(k.Web)
	(&search.Desk{Desk: desk, Search: new(search.Search)}).Mount(k.Web)
	(&roadmap.Desk{Desk: desk, Measures: e.Measures.Series}).Mount(k.Web)
	(&performance.Desk{Desk: desk, Keeper: e.Measures}).Mount(k.Web)
	contracts := &spend.Desk{Desk: desk, Body: k.Body, Host: host(k.BaseURL), Match: e.match}
	contracts.Mount(k.Web)
	(&subscription.Desk{Desk: desk, Keeper: e.subscriptions, BaseURL: k.BaseURL, Calendar: func(ctx context.Context) ([]byte, error) {
		s, err := e.At(ctx, def.Date{})
		if err != nil {
			return nil, err
		}
		return contracts.ICS(s)
	}}).Mount(k.Web)
	(&custody.Desk{Desk: desk, Inventory: e.Inventory, Lost: e.asks.Lost, Who: e.directoryID}).Mount(k.Web)
	(&risk.Desk{Desk: desk, Inventory: e.Inventory}).Mount(k.Web)
	(&owner.Desk{Desk: desk}).Mount(k.Web)
	(&carbon.Desk{Desk: desk}).Mount(k.Web)
	(&waiver.Desk{Desk: desk, Problems: k.Defs.Problems}).Mount(k.Web)
	(&standing.Desk{Desk: desk, Edit: e.edit}).Mount(k.Web)
	(&scenario.Desk{Desk: desk, Comparer: scenario.Comparer{Draft: e.Draft, Carbon: Carbon}}).Mount(k.Web)
	(&intake.Desk{Desk: desk, Keeper: e.Requests, Name: e.name, Known: e.known, Draft: e.draft, Edit: e.edit}).Mount(k.Web)
	(&catalogue.Desk{Desk: desk, Keeper: e.Services, Body: k.Body, BaseURL: k.BaseURL, Name: e.name}).Mount(k.Web)
	(&reader.Desk{Desk: desk}).Mount(k.Web)
	(&exporter.Desk{Desk: desk, Body: k.Body, Version: e.asks.Version}).Mount(k.Web)
	(&edit.Desk{Desk: desk, Editor: e.Editor, Registry: e.asks.Edit.Registry, Page: words.Href, Effects: e.effects,
		Who: func(ctx context.Context, a reeve.Actor) edit.Person { return e.asks.Who(ctx, a.ID) }}).Mount(k.Web)
	(&importdesk.Desk{Desk: desk, Dir: k.Dir, Sources: sources.All(), Registry: e.asks.Edit.Registry, Now: k.Now, Folder: e.Editor.Folder, ReadOnly: e.Editor.ReadOnly,
		Write: e.write, Preview: e.Inventory.Preview, Import: e.Inventory.Import,
		Imports: func(ctx context.Context) ([]inventory.Done, error) { return e.Inventory.Imports(ctx, "", false, 20) }}).Mount(k.Web)
}

// effects says what a changed set would do to the estate, a sentence each.
func (e *Estate) effects(ctx context.Context, _, then *def.Set) ([]string, error) {
	before, err := e.At(ctx, def.Date{})
	if err != nil {
		return nil, err
	}
	after, err := e.Draft(ctx, then)
	if err != nil {
		return nil, err
	}
	return Compare(before, after).Effects(), nil
}

// write puts what an import brought into the folder of definitions.
func (e *Estate) write(ctx context.Context, message, proposal string, base, files map[string][]byte) (edit.Outcome, error) {
	return e.Editor.Write(ctx, e.asks.Who(ctx, web.Actor(ctx).ID), message, proposal, base, files)
}

func host(base string) string {
	if u, err := url.Parse(base); err == nil {
		return u.Hostname()
	}
	return base
}

func (e *Estate) name(ctx context.Context, actor string) string { return e.asks.Who(ctx, actor).Name }

// edit changes definitions in the name of whoever makes the request.
func (e *Estate) edit(ctx context.Context, message string, changes ...edit.Change) (edit.Outcome, error) {
	return e.Editor.Apply(ctx, e.asks.Who(ctx, web.Actor(ctx).ID), message, "", changes...)
}

// match keeps what a person says about the supplier contract of a ledger line.
func (e *Estate) match(ctx context.Context, by, line, contract string) error {
	_, err := e.Inventory.Put(ctx, by, nil, inventory.Line{ID: line, Contract: contract})
	return err
}

// draft is the estate as it would be with one more definition, which is not kept.
func (e *Estate) draft(ctx context.Context, kind, id, name string, set map[string]any) (*register.Snapshot, []def.Problem, error) {
	plan, err := e.Editor.Preview(ctx, "", edit.Change{Kind: kind, ID: id, Name: name, New: true, Set: set})
	if err != nil || len(plan.Problems) > 0 {
		return nil, plan.Problems, err
	}
	s, err := e.Draft(ctx, plan.After)
	return s, nil, err
}

// Carbon is what a snapshot emits a year, for comparing.
func Carbon(s *register.Snapshot) change.Carbon {
	f := carbon.Of(s)
	c := change.Carbon{Kg: f.Total.Kg, Low: f.Total.Low, High: f.Total.High, Of: len(f.Systems)}
	for _, x := range f.Systems {
		if x.Amount.Known {
			c.Covered++
		}
	}
	return c
}
