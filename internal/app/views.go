package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
	"github.com/reeve-civic/reeve/internal/portal"
	"github.com/reeve-civic/reeve/internal/services/eligibility"
)

// today is what the front page of staff shows, a group a block.
func (a *App) today() []func(context.Context) (portal.Group, error) {
	return []func(context.Context) (portal.Group, error){a.todayExchange, a.todayServices, a.todayEstate}
}

func count(n int64) string { return fmt.Sprint(n) }

func (a *App) todayExchange(ctx context.Context) (portal.Group, error) {
	g := portal.Group{Title: "Exchange"}
	done, err := a.blocks.data.Measure.On(ctx, a.k.Now())
	if err != nil {
		return g, err
	}
	counts, err := a.blocks.exchange.Quarantine.Counts(ctx, "")
	if err != nil {
		return g, err
	}
	held, parked := 0, 0
	for _, c := range counts {
		held += c.Held
		parked += c.Parked
	}
	stats, err := a.blocks.exchange.Flows.Volumes(ctx)
	if err != nil {
		return g, err
	}
	waiting, uncertain := 0, 0
	for _, s := range stats {
		waiting += s.Waiting
		uncertain += s.Uncertain
	}
	bad := func(n int) ui.Tone {
		if n > 0 {
			return ui.Bad
		}
		return ""
	}
	g.Stats = []ui.Stat{
		{Label: "Records accepted today", Value: count(done["accepted"])},
		{Label: "Refused today", Value: count(done["refused"])},
		{Label: "Delivered today", Value: count(done["delivered"]), Href: "/staff/flows"},
		{Label: "Waiting to be delivered", Value: count(int64(waiting)), Href: "/staff/flows"},
		{Label: "Held for correction", Value: count(int64(held)), Href: "/staff/held", Tone: bad(held)},
		{Label: "Could not be delivered", Value: count(int64(parked)), Href: "/staff/held", Tone: bad(parked)},
		{Label: "Uncertain: a person decides", Value: count(int64(uncertain)), Href: "/staff/flows", Tone: bad(uncertain)},
	}
	return g, nil
}

func (a *App) todayServices(ctx context.Context) (portal.Group, error) {
	g := portal.Group{Title: "Services"}
	err := a.k.DB.View(ctx, func(tx *store.Tx) error {
		matches, err := a.blocks.identity.People.OpenMatches(tx)
		if err != nil {
			return err
		}
		cases, err := a.blocks.services.Cases.Stats(tx, web.Actor(ctx).ID)
		if err != nil {
			return err
		}
		messages, err := a.blocks.services.Messages.Stats(tx)
		g.Stats = append(append(cases, ui.Stat{Label: "People to tell apart", Value: count(int64(matches)), Href: "/staff/people/matches"}), messages...)
		return err
	})
	return g, err
}

func (a *App) todayEstate(ctx context.Context) (portal.Group, error) {
	g := portal.Group{Title: "Estate"}
	r, err := a.blocks.estate.Report(ctx)
	if err != nil {
		return g, err
	}
	failing := 0
	for _, t := range r.Standards {
		failing += t.Fail
	}
	g.Stats = []ui.Stat{
		{Label: "Systems", Value: count(int64(len(r.Rows))), Href: "/staff/estate"},
		{Label: "Without an owner", Value: count(int64(len(r.Ownerless))), Href: "/staff/estate/systems?owner=missing"},
		{Label: "Standards failed", Value: count(int64(failing)), Href: "/staff/estate/systems?result=fail"},
	}
	return g, nil
}

// offers is what residents can do and be given.
func (a *App) offers(context.Context) (offers []portal.Offer, err error) {
	for _, b := range def.All[eligibility.BenefitSpec](a.k.Defs.Set()) {
		offers = append(offers, portal.Offer{Name: b.Name, Text: b.Spec.Summary, Href: "/entitlements/" + b.ID})
	}
	return offers, nil
}

// partnerView is what one organisation sees of its own exchange.
func (a *App) partnerView(ctx context.Context, party string) (v portal.PartnerView, err error) {
	v.Name = a.organisationName(party)
	seen, err := a.blocks.exchange.Intake.Seen(ctx)
	if err != nil {
		return v, err
	}
	for _, ag := range def.All[agreement.Spec](a.k.Defs.Set()) {
		if ag.Spec.From != party && ag.Spec.To != party {
			continue
		}
		var what []string
		for _, r := range ag.Spec.Records {
			what = append(what, a.typeName(reeve.RecordType(r.Type)))
			if ag.Spec.From != party {
				continue
			}
			t := portal.PartnerType{ID: r.Type, Name: a.typeName(reeve.RecordType(r.Type))}
			for _, s := range seen {
				if s.Sender == party && string(s.Type) == r.Type {
					t.Accepted, t.Held, t.Refused, t.LastSeen = s.Accepted, s.Held, s.Refused, s.Last
				}
			}
			v.Types = append(v.Types, t)
		}
		v.Agreements = append(v.Agreements, portal.PartnerAgreement{ID: ag.ID, Name: ag.Name, Ends: ag.Spec.Ends.String(), What: strings.Join(what, ", ")})
	}
	held, err := a.blocks.exchange.Quarantine.List(ctx, quarantine.Filter{Sender: party})
	if err != nil {
		return v, err
	}
	for _, h := range held {
		p := portal.PartnerHeld{ID: string(h.ID), Type: a.typeName(h.Type), At: h.At}
		for _, x := range h.Problems {
			p.Problems = append(p.Problems, strings.TrimPrefix(x.Path+": "+x.Message, ": "))
		}
		v.Held = append(v.Held, p)
	}
	stats, err := a.blocks.exchange.Flows.Volumes(ctx)
	for _, s := range stats {
		if s.To.Organisation == party {
			v.Received = append(v.Received, portal.PartnerFlow{Name: s.Name, System: s.To.SystemName, Type: a.typeName(s.Type), Agreement: s.Agreement, Delivered: s.Delivered, Waiting: int64(s.Waiting), LastSeen: s.LastSeen})
		}
	}
	return v, err
}
