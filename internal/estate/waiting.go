package estate

import (
	"context"
	"slices"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/custody"
	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/risk"
	"github.com/reeve-civic/reeve/internal/estate/spend"
	"github.com/reeve-civic/reeve/internal/estate/waiver"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// NoticeSoon is how many days before the last day for notice a contract is told of.
const NoticeSoon = 90

// Waiting is what of the estate waits for people, and for one of them.
type Waiting struct {
	Person   string // directory id of whoever looks, "" if not known
	Requests int    // for a decision or an answer of anybody
	Mine     int    // of these, for the boards that the person sits on
	Board    string // the first of those boards
	Checks   int    // requests that went live long enough ago to be compared with what was expected
	Tasks    int    // things that the person should say are right
	Waivers  int    // waivers that the person sees to and that end soon
	Patches  int    // exploited vulnerabilities past their day, by product
	KEV      bool   // whether Patches is known
	Notices  int    // contracts whose last day for notice comes soon, undecided
}

// Waiting works out what waits, with regard to whoever is signed in.
func (e *Estate) Waiting(ctx context.Context, a reeve.Actor) (w Waiting, err error) {
	s, err := e.At(ctx, def.Date{})
	if err != nil {
		return w, err
	}
	all, err := e.Requests.All(ctx, s.Set, time.Time{})
	if err != nil {
		return w, err
	}
	id, email := e.whois(ctx, a)
	w.Person = id
	for _, r := range all {
		if r.Waits() {
			w.Requests++
		}
		if due, ok := r.CheckDue(); ok && !due.After(s.Today) {
			w.Checks++
		}
	}
	by := gate.Decider{Actor: a.ID, Names: []string{id, email}}
	for _, b := range def.All[gate.BoardSpec](s.Set) {
		if !gate.Named(b) || !gate.Sits(b, by) {
			continue
		}
		agenda := slices.DeleteFunc(gate.Agenda(b, all, s.Today), func(r *gate.Request) bool { return gate.Owns(r, by) })
		if n := len(agenda); n > 0 {
			if w.Mine += n; w.Board == "" {
				w.Board = b.ID
			}
		}
	}
	if w.Person != "" {
		w.Tasks, w.Waivers = custody.Due(s, w.Person), len(waiver.Mine(s, w.Person))
	}
	r := e.risks.Get(s, func() *risk.Report { return risk.New(s) })
	w.KEV = r.KEV
	for _, x := range r.Installed {
		w.Patches += x.Past(s.Today)
	}
	for _, x := range spend.Events(s, s.Today) {
		if x.What == spend.NoticeDay && x.Days <= NoticeSoon && !x.Decided {
			w.Notices++
		}
	}
	return w, nil
}

// known is what definitions may call somebody: their id in the directory, their
// address.
func (e *Estate) known(ctx context.Context, a reeve.Actor) []string {
	id, email := e.whois(ctx, a)
	return slices.DeleteFunc([]string{id, email}, func(n string) bool { return n == "" })
}

// directoryID is who a signed-in person is in the body's directory, by the address;
// "" if the directory does not know it.
func (e *Estate) directoryID(ctx context.Context, a reeve.Actor) string {
	id, _ := e.whois(ctx, a)
	return id
}

// whois is the address of a signed-in person, and by it their id in the body's
// directory; "" for what is not known.
func (e *Estate) whois(ctx context.Context, a reeve.Actor) (id, email string) {
	if email = e.asks.Who(ctx, a.ID).Email; email == "" {
		return "", ""
	}
	s, err := e.At(ctx, def.Date{})
	if err != nil {
		return "", email
	}
	return s.Directory.Find(email).Person.ID, email
}
