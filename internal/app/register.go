package app

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/services/casework"
)

// openEstate opens the estate with the answers to its questions.
func (a *App) openEstate(ctx context.Context) (err error) {
	c := a.config
	o := edit.Options{Registry: registry(), Upstream: c.Upstream.URL, FS: c.Defs}
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
	a.blocks.estate, err = estate.Open(ctx, a.k, estate.Asks{Exchange: declaredExchange{}, Observed: a.observed, Lost: a.lostDevice, Who: a.person, Version: Version(), CheckLinks: follow.D(), Edit: o})
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

// declaredExchange tells the estate what the exchange declares.
type declaredExchange struct{}

// Declared implements register.Exchange.
func (declaredExchange) Declared(set *def.Set) (d register.Declared) {
	level := map[string]reeve.Class{}
	for _, t := range def.All[contract.Spec](set) {
		level[t.ID] = highest(t.Spec.Classification)
		rt := register.RecordType{ID: t.ID, Name: t.Name, Level: level[t.ID], Personal: t.Spec.Classification.Personal, Object: t.Object}
		if t.Spec.Master != "" {
			rt.Masters = 1
		}
		d.RecordTypes = append(d.RecordTypes, rt)
	}
	at := map[string]register.Interface{}
	for _, i := range def.All[iface.Spec](set) {
		x := register.Interface{ID: i.ID, Name: i.Name, System: set.Present("System", i.Spec.System), Style: i.Spec.Style, Documented: i.Spec.Definition != "", Records: i.Spec.Records, Object: i.Object}
		for _, r := range i.Spec.Records {
			if c, ok := level[set.Present("RecordType", r)]; ok && (x.Class == nil || c > *x.Class) {
				x.Class = &c
			}
		}
		at[i.ID] = x
		d.Interfaces = append(d.Interfaces, x)
	}
	for _, f := range def.All[flow.Spec](set) {
		from, to := at[set.Present("Interface", f.Spec.From)], at[set.Present("Interface", f.Spec.To)]
		x := register.Flow{ID: f.ID, Name: f.Name, From: from.System, To: to.System, FromInterface: from.ID, ToInterface: to.ID, Record: f.Spec.Record, Agreement: f.Spec.Agreement,
			Purpose: f.Spec.Purpose, Via: f.Spec.Via, Every: f.Spec.Expect.Every.D(), Object: f.Object, Href: "/staff/flows/" + f.ID}
		if x.Via == "" {
			x.Via = "exchange"
		}
		if a, ok := def.Get[agreement.Spec](set, f.Spec.Agreement); ok {
			x.AgreementStarts, x.AgreementTo = a.Spec.Starts, a.Spec.Ends
		}
		d.Flows = append(d.Flows, x)
	}
	return d
}

// highest is the class of the most sensitive field of a record type.
func highest(c contract.Classification) reeve.Class {
	most := c.Level
	for _, class := range c.Fields {
		most = max(most, class)
	}
	return most
}

// observed tells the estate what went through the exchange up to now.
func (a *App) observed(ctx context.Context) (*register.Observed, error) {
	stats, err := a.blocks.exchange.Flows.Volumes(ctx)
	if err != nil {
		return nil, err
	}
	held, err := a.held(ctx)
	if err != nil {
		return nil, err
	}
	o, now := &register.Observed{Flows: map[string]register.FlowSeen{}}, a.k.Now()
	carried := map[[2]string]bool{}
	for _, s := range stats {
		carried[[2]string{s.From.Organisation, string(s.Type)}] = true
		if s.Via != "" && s.Via != "exchange" {
			o.Flows[s.Flow] = register.FlowSeen{State: inWords(s, now)}
			continue
		}
		o.Flows[s.Flow] = register.FlowSeen{Delivered: s.Delivered, Waiting: int64(s.Waiting), Held: int64(s.Uncertain) + held[[2]string{s.From.Organisation, string(s.Type)}],
			Last: s.LastSeen, Quiet: s.Quiet, State: inWords(s, now)}
	}
	seen, err := a.blocks.exchange.Intake.Seen(ctx)
	for _, s := range seen {
		if !carried[[2]string{s.Sender, string(s.Type)}] {
			o.Undeclared = append(o.Undeclared, register.Sent{Organisation: s.Sender, System: a.systemOf(s.Sender, s.Type), Record: string(s.Type), Records: s.Accepted + s.Refused + s.Held, Last: s.Last})
		}
	}
	return o, err
}
