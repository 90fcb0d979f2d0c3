package app

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/app/offline"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/services/casework"
)

// openEstate opens the estate with the answers to its questions.
func (a *App) openEstate(ctx context.Context) (err error) {
	c := a.config
	o := edit.Options{Registry: offline.Registry(), Upstream: c.Upstream.URL, FS: c.Defs}
	if c.Defs == nil {
		o.Dir = c.Definitions
	}
	if o.Token, err = c.secret("upstream.token", c.Upstream.Token); err != nil {
		return err
	}
	var follow def.Duration
	if c.CheckLinks != "" {
		if follow, err = def.ParseDuration(c.CheckLinks); err != nil {
			return reeve.E(reeve.Invalid, "app.Config", "check_links: %w", err)
		}
	}
	a.blocks.estate, err = estate.Open(ctx, a.k, estate.Asks{Exchange: offline.Exchange{}, Observed: a.observed, Lost: a.lostDevice, Who: a.person, Works: a.works, Version: offline.Version(), CheckLinks: follow.D(), Edit: o})
	return err
}

// lostDevice is the type of case that a lost or stolen asset opens.
const lostDevice = "case-lost-device"

func (a *App) lostDevice(tx *store.Tx, by string, x inventory.Asset, stolen bool, note string) (string, error) {
	if _, ok := a.k.Defs.Set().Lookup("CaseType", lostDevice); !ok {
		return "", reeve.E(reeve.Invalid, "app.lostDevice", "nobody handles lost devices yet: declare a CaseType with the id %s", lostDevice)
	}
	why := cmp.Or(x.Name, x.ID) + " was reported lost."
	if stolen {
		why = cmp.Or(x.Name, x.ID) + " was reported stolen."
	}
	if note != "" {
		why += " " + note
	}
	c, err := a.blocks.services.Cases.Open(tx, by, casework.New{Type: lostDevice, About: reeve.Ref("asset/" + x.ID), Once: fmt.Sprint(lostDevice, " ", x.ID, " ", tx.Now.Format(time.DateOnly)), Why: why})
	return string(c.Ref()), err
}

// person is who changes something, as git names people.
func (a *App) person(ctx context.Context, actor string) (p edit.Person) {
	err := a.k.DB.View(ctx, func(tx *store.Tx) error {
		m, err := a.blocks.identity.Staff.Member(tx, actor)
		p = edit.Person{Name: m.Name, Email: m.Email}
		return err
	})
	if err != nil || p.Name == "" {
		p.Name = cmp.Or(p.Email, actor)
	}
	return p
}

// works reports whether somebody is still a member of staff.
func (a *App) works(ctx context.Context, actor string) bool {
	left := true
	err := a.k.DB.View(ctx, func(tx *store.Tx) error {
		m, err := a.blocks.identity.Staff.Member(tx, actor)
		left = m.Left
		return err
	})
	return err == nil && !left
}

// observed tells the estate what went through the exchange up to now.
func (a *App) observed(ctx context.Context) (*register.Observed, error) {
	stats, err := a.blocks.exchange.Flows.Volumes(ctx)
	if err != nil {
		return nil, err
	}
	o, parked := &register.Observed{Flows: map[string]register.FlowSeen{}}, map[string]int{}
	counts, err := a.blocks.exchange.Quarantine.Counts(ctx, "")
	if err != nil {
		return nil, err
	}
	for _, c := range counts {
		if c.Held > 0 {
			o.Held = append(o.Held, register.Sent{Organisation: c.Sender, System: a.systemOf(c.Sender, c.Type), Record: string(c.Type), Records: int64(c.Held), Last: c.Oldest})
		}
		for id, n := range c.Flows {
			parked[a.k.Defs.Set().Present("Flow", id)] += n
		}
	}
	carried := map[[2]string]bool{}
	for _, s := range stats {
		carried[[2]string{s.From.Organisation, string(s.Type)}] = true
		if s.Via != "" && s.Via != "exchange" {
			continue
		}
		o.Flows[s.Flow] = register.FlowSeen{Delivered: s.Delivered, Waiting: int64(s.Waiting), Held: int64(s.Uncertain + parked[s.Flow]), Since: s.Begun, Last: s.LastSeen, Quiet: s.Quiet, Why: s.Why}
	}
	seen, err := a.blocks.exchange.Intake.Seen(ctx)
	for _, s := range seen {
		if !carried[[2]string{s.Sender, string(s.Type)}] {
			o.Undeclared = append(o.Undeclared, register.Sent{Organisation: s.Sender, System: a.systemOf(s.Sender, s.Type), Record: string(s.Type), Records: s.Accepted + s.Refused + s.Held, Since: s.First, Last: s.Last})
		}
	}
	return o, err
}
