package app

import (
	"context"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/portfolio"
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
	return []func(context.Context) (portal.Group, error){a.todayWaiting, a.todayExchange, a.todayCases, a.todayMessages, a.todayEstate}
}

// todayWaiting is what waits for a person, so that the rest need not be looked at.
func (a *App) todayWaiting(ctx context.Context) (portal.Group, error) {
	g := portal.Group{Title: "Waiting for a person", Empty: "Nothing waits for anybody."}
	counts, err := a.blocks.exchange.Quarantine.Counts(ctx, "")
	if err != nil {
		return g, err
	}
	stats, err := a.blocks.exchange.Flows.Volumes(ctx)
	if err != nil {
		return g, err
	}
	held, parked, uncertain, matches := 0, 0, 0, 0
	for _, c := range counts {
		held += c.Held
		parked += c.Parked
	}
	for _, s := range stats {
		uncertain += s.Uncertain
	}
	alerts, err := a.blocks.exchange.Alerts.Open(ctx)
	if err != nil {
		return g, err
	}
	err = a.k.DB.View(ctx, func(tx *store.Tx) (err error) {
		matches, err = a.blocks.identity.People.OpenMatches(tx)
		return err
	})
	for _, s := range []struct {
		n           int
		label, href string
	}{
		{held, "held: please correct", "/staff/held"},
		{parked, "could not be delivered", "/staff/held#parked"},
		{uncertain, "uncertain whether they arrived", "/staff/deliveries/uncertain"},
		{len(alerts), "late, silent or unread", "/staff/flows/alerts"},
		{matches, "people to tell apart", "/staff/people/matches"},
	} {
		if s.n > 0 {
			g.Stats = append(g.Stats, ui.Stat{Label: s.label, Value: ui.Count(int64(s.n)), Href: s.href, Tone: ui.Bad})
		}
	}
	if err != nil {
		return g, err
	}
	of, err := a.estateWaiting(ctx)
	g.Stats = append(g.Stats, of...)
	return g, err
}

// estateWaiting is what of the estate waits for a person.
func (a *App) estateWaiting(ctx context.Context) (out []ui.Stat, err error) {
	w, err := a.blocks.estate.Waiting(ctx, web.Actor(ctx))
	for _, s := range []struct {
		n           int
		label, href string
		tone        ui.Tone
	}{
		{w.Mine, "on the agenda of your boards", "/staff/boards/" + w.Board, ui.Bad},
		{w.Requests, "requests wait for a decision or an answer", "/staff/requests", ""},
		{w.Tasks, "to confirm as right, by you", "/staff/estate/attest", ui.Bad},
		{w.Waivers, "waivers of yours that end soon", "/staff/estate/attest#waivers", ui.Bad},
		{w.Checks, "gone live: compare with what was expected", "/staff/requests", ""},
		{w.Patches, "exploited vulnerabilities past due, by product", "/staff/estate/risk", ui.Bad},
		{w.Notices, "notices to decide on within 90 days", "/staff/estate/spend/calendar", ""},
	} {
		if s.n > 0 {
			out = append(out, ui.Stat{Label: s.label, Value: ui.Count(int64(s.n)), Href: s.href, Tone: s.tone})
		}
	}
	return out, err
}

func (a *App) todayExchange(ctx context.Context) (portal.Group, error) {
	g := portal.Group{Title: "Exchange, since midnight"}
	done, err := a.blocks.data.Measure.On(ctx, a.k.Now())
	if err != nil {
		return g, err
	}
	stats, err := a.blocks.exchange.Flows.Volumes(ctx)
	waiting := 0
	for _, s := range stats {
		waiting += s.Waiting
	}
	g.Stats = []ui.Stat{
		{Label: "accepted", Value: ui.Count(done["accepted"]), Href: "/staff/records"},
		{Label: "delivered", Value: ui.Count(done["delivered"]), Href: "/staff/flows"},
		{Label: "on their way", Value: ui.Count(int64(waiting)), Href: "/staff/flows"},
		{Label: "refused", Value: ui.Count(done["refused"]), Note: "outside the agreement, or not readable"},
	}
	return g, err
}

func (a *App) todayCases(ctx context.Context) (portal.Group, error) {
	g := portal.Group{Title: "Cases"}
	err := a.k.DB.View(ctx, func(tx *store.Tx) (err error) {
		g.Stats, err = a.blocks.services.Cases.Stats(tx, web.Actor(ctx).ID)
		return err
	})
	return g, err
}

func (a *App) todayMessages(ctx context.Context) (portal.Group, error) {
	g := portal.Group{Title: "Messages to people"}
	err := a.k.DB.View(ctx, func(tx *store.Tx) (err error) {
		g.Stats, err = a.blocks.services.Messages.Stats(tx)
		return err
	})
	return g, err
}

func (a *App) todayEstate(ctx context.Context) (portal.Group, error) {
	g := portal.Group{Title: "Estate"}
	s, err := a.blocks.estate.At(ctx, def.Date{})
	if err != nil {
		return g, err
	}
	r, failing := portfolio.New(s), 0
	for _, t := range s.Outcome.Standings {
		failing += t.Fail
	}
	g.Stats = []ui.Stat{
		{Label: "systems", Value: ui.Count(int64(len(r.Rows))), Href: "/staff/estate"},
		{Label: "without an owner", Value: ui.Count(int64(len(r.Ownerless))), Href: "/staff/estate/systems?owner=missing"},
		{Label: "checks against standards not met", Value: ui.Count(int64(failing)), Href: "/staff/estate/standards"},
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
		v.Agreements = append(v.Agreements, portal.PartnerAgreement{ID: ag.ID, Name: ag.Name, Ends: ui.DateText(ag.Spec.Ends.Time(time.UTC)), What: strings.Join(what, ", ")})
	}
	held, err := a.blocks.exchange.Quarantine.List(ctx, quarantine.Filter{Sender: party})
	if err != nil {
		return v, err
	}
	for _, h := range held {
		p := portal.PartnerHeld{ID: string(h.ID), Type: a.typeName(h.Type), At: h.At}
		for _, x := range h.Problems {
			text := x.Message
			if x.Path != "" {
				text = ui.FieldText(x.Path) + ": " + text
			}
			p.Problems = append(p.Problems, text)
		}
		v.Held = append(v.Held, p)
	}
	if v.Latest, err = a.latestOf(ctx, party); err != nil {
		return v, err
	}
	stats, err := a.blocks.exchange.Flows.Volumes(ctx)
	for _, s := range stats {
		if s.To.Organisation == party {
			v.Received = append(v.Received, portal.PartnerFlow{Name: s.Name, System: s.To.SystemName, Type: a.typeName(s.Type), Agreement: a.definitionName(s.Agreement), Delivered: s.Delivered, Waiting: int64(s.Waiting), LastSeen: s.LastSeen})
		}
	}
	return v, err
}

// The latest records of a partner: how many are shown, and how many of all are
// looked through for them.
const latestShown, latestSearched = 10, 2000

func (a *App) latestOf(ctx context.Context, party string) (out []portal.PartnerRecord, err error) {
	last, err := a.k.Log.Last(ctx)
	if err != nil {
		return nil, err
	}
	recs, err := a.k.Log.Read(ctx, "", max(0, last-latestSearched), latestSearched)
	for i := len(recs) - 1; i >= 0 && len(out) < latestShown; i-- {
		if r := recs[i]; a.k.Defs.Set().Present("Organisation", r.Sender) == party {
			out = append(out, portal.PartnerRecord{ID: string(r.ID), Type: a.typeName(r.Type), At: r.At})
		}
	}
	return out, err
}

// definitionName is the name of any definition by its id, or the id.
func (a *App) definitionName(id string) string {
	for _, o := range a.k.Defs.Set().Objects() {
		if o.ID == id && o.Name != "" {
			return o.Name
		}
	}
	return id
}
