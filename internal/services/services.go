// Package services assembles the services block: what the body does for people
// when something happens to them.
package services

import (
	"context"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/services/casework"
	"github.com/reeve-civic/reeve/internal/services/eligibility"
	"github.com/reeve-civic/reeve/internal/services/enrolment"
	"github.com/reeve-civic/reeve/internal/services/lifeevent"
	"github.com/reeve-civic/reeve/internal/services/notify"
)

// People is what this block asks about people; the identity block answers.
type People interface {
	lifeevent.People
	eligibility.People
	enrolment.People
	notify.People
	casework.People
}

// Asks is what this block asks of others, and its settings.
type Asks struct {
	People     People
	Staff      casework.Staff
	Zone       *time.Location         // of the body: where days begin
	SourceName func(id string) string // the name of an organisation, for pages
	Notify     *notify.GOVUKOptions   // nil: GOV.UK Notify is not used; Now is filled in
	SMTP       *notify.SMTPOptions    // nil: no mail server is used
	Callback   string                 // bearer token of Notify's call-backs, "" refuses them
	EraseAfter time.Duration          // text of messages, after their end; 0 is 30 days
	PollAfter  time.Duration          // ask Notify about delivery after; 0 is 5 minutes
}

// Receiver takes what a flow delivers inside this program. It is what the
// exchange's internal interfaces call, in the transaction of the outcome.
type Receiver interface {
	Receive(tx *store.Tx, d []reeve.Delivered) (problems map[int]string, err error)
}

// Services is what the app runs.
type Services struct {
	LifeEvents   *lifeevent.Desk
	Entitlements *eligibility.Desk
	Enrolments   *enrolment.Desk
	Cases        *casework.Desk
	Messages     *notify.Desk
}

// Receivers are what `address: internal:NAME` can lead to here, by NAME.
func (s *Services) Receivers() map[string]Receiver {
	return map[string]Receiver{"life-events": s.LifeEvents, "awards": s.Entitlements}
}

// Kinds are the definitions of this block.
func Kinds() (all []def.Kind) {
	for _, ks := range [][]def.Kind{lifeevent.Kinds(), eligibility.Kinds(), casework.Kinds(), notify.Kinds()} {
		all = append(all, ks...)
	}
	return all
}

// Open builds the block on k, registers its workers and mounts its pages.
func Open(ctx context.Context, k *kernel.Kernel, ask Asks) (s *Services, err error) {
	if ask.Zone == nil {
		ask.Zone = time.UTC
	}
	if ask.SourceName == nil {
		ask.SourceName = func(id string) string { return id }
	}
	s = &Services{}
	no := notify.Options{
		DB: k.DB, Keys: k.Keys, Journal: k.Journal, Bus: k.Bus, Defs: k.Defs, People: ask.People, Log: k.Slog,
		CallbackToken: ask.Callback, EraseAfter: ask.EraseAfter, PollAfter: ask.PollAfter,
	}
	if ask.Notify != nil {
		o := *ask.Notify
		o.Now = k.Now
		if no.Notify, err = notify.NewGOVUK(o); err != nil {
			return nil, err
		}
	}
	if ask.SMTP != nil {
		if no.SMTP, err = notify.NewSMTP(*ask.SMTP); err != nil {
			return nil, err
		}
	}
	if s.Messages, err = notify.Open(ctx, no); err != nil {
		return nil, err
	}
	if s.Cases, err = casework.Open(ctx, casework.Options{
		DB: k.DB, Keys: k.Keys, Journal: k.Journal, Bus: k.Bus, Defs: k.Defs, People: ask.People, Staff: ask.Staff, Zone: ask.Zone,
	}); err != nil {
		return nil, err
	}
	if s.Enrolments, err = enrolment.Open(ctx, enrolment.Options{
		DB: k.DB, Journal: k.Journal, Bus: k.Bus, Notify: s.Messages, People: ask.People, BaseURL: k.BaseURL, Zone: ask.Zone,
		Terms: func(benefit string) (enrolment.Terms, bool) { return s.Entitlements.Terms(benefit) },
	}); err != nil {
		return nil, err
	}
	if s.Entitlements, err = eligibility.Open(ctx, eligibility.Options{
		DB: k.DB, Keys: k.Keys, Journal: k.Journal, Bus: k.Bus, Defs: k.Defs, People: ask.People,
		Enrolment: s.Enrolments, Cases: s.Cases, Notify: s.Messages, Log: k.Slog, Zone: ask.Zone,
	}); err != nil {
		return nil, err
	}
	if s.LifeEvents, err = lifeevent.Open(ctx, lifeevent.Options{
		DB: k.DB, Keys: k.Keys, Journal: k.Journal, Bus: k.Bus, Defs: k.Defs, People: ask.People,
		Cases: s.Cases, Enrolment: s.Enrolments, Notify: s.Messages, Eligibility: s.Entitlements, Log: k.Slog, Zone: ask.Zone,
	}); err != nil {
		return nil, err
	}
	k.Worker("services/notify", s.Messages.Step)
	k.Chore("services/eligibility", s.Entitlements.Step)
	s.LifeEvents.Mount(k.Web, ask.SourceName)
	s.Cases.Mount(k.Web)
	s.Entitlements.Mount(k.Web)
	s.Enrolments.Mount(k.Web)
	s.Messages.Mount(k.Web, ask.Zone)
	return s, nil
}

// Rules are what the policy allows here.
func Rules() []policy.Rule {
	everybody := []reeve.ActorKind{reeve.Anyone, reeve.Resident, reeve.Staff, reeve.Partner}
	staff := []reeve.ActorKind{reeve.Staff}
	return []policy.Rule{
		{Name: "services-public", Actions: []string{"enrolment.choose", "entitlement.check", "notify.callback"}, Kinds: everybody,
			Doc: "Anybody can check what they may be entitled to, use the link they were sent, and Notify can call back with its token."},
		{Name: "services-casework", Actions: []string{"case.*", "entitlement.*", "life-event.*", "message.*"}, Kinds: staff, Roles: []string{"caseworker", "admin"}, Max: reeve.Confidential,
			Doc: "Caseworkers see and work on cases, entitlements, life events and messages."},
		{Name: "services-oversight", Actions: []string{"case.read", "entitlement.read", "life-event.read", "message.read"}, Kinds: staff, Roles: []string{"governance"}, Max: reeve.Confidential,
			Doc: "Information governance can look at what was done for people, and leaves a trace."},
	}
}
