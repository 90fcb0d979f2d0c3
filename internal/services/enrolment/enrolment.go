// Package enrolment enrols people for what they are entitled to without their
// asking, tells them, and lets them say no.
//
// A person is enrolled once for a benefit, at once or after some days' notice. A
// message says so and holds a link of its own, by which they can opt out, and in
// again, until a date; to look at the link's page changes nothing, because
// programs that check mail look at every link. Nobody who has died is enrolled:
// what was under way stops in the transaction in which the death becomes known,
// and goes on if that turns out to be wrong.
package enrolment

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/services/notify"
)

//go:embed *.sql
var migrations embed.FS

// The states of an enrolment.
const (
	Notice   = "notice"    // will be enrolled at the end of the notice
	Active   = "active"    // is enrolled
	OptedOut = "opted-out" // said no
	Stopped  = "stopped"   // by a death, or because the entitlement ended
)

// People is what this room asks of identity.
type People interface {
	Standing(tx *store.Tx, id reeve.PersonID) (string, error)
	GivenName(tx *store.Tx, id reeve.PersonID) (string, error)
}

// Enrolment of one person for one benefit.
type Enrolment struct {
	ID          int64
	Benefit     string
	Person      reeve.PersonID
	Recipient   reeve.PersonID // who is told: the person, or who cares for them
	Household   string
	State       string
	Starts      time.Time
	ChooseUntil time.Time // one can opt out, and in again, before this
	Opened      time.Time
	Changed     time.Time
	Set         string
	beforeStop  string
	stoppedBy   reeve.Ref
}

// Ref is how journal and events name it.
func (e Enrolment) Ref() reeve.Ref { return reeve.Ref(fmt.Sprintf("enrolment/%d", e.ID)) }

// Terms are how people are enrolled for a benefit.
type Terms struct {
	Benefit   string // id
	Name      string // as people know it
	Notice    time.Duration
	Choose    time.Duration
	Templates []string // in order of preference
	Set       string   // hash of the definitions
	Help      string   // whom to ask
}

// Options of a desk.
type Options struct {
	DB      *store.DB
	Journal *journal.Journal
	Bus     *bus.Bus
	Notify  *notify.Desk
	People  People
	BaseURL string
	Zone    *time.Location
	// Terms returns the terms of a benefit in force, false if there is none.
	Terms func(benefit string) (Terms, bool)
}

// Desk enrols.
type Desk struct{ o Options }

// Open opens the desk.
func Open(ctx context.Context, o Options) (*Desk, error) {
	d := &Desk{o}
	if err := o.DB.Migrate(ctx, "services/enrolment", migrations); err != nil {
		return nil, err
	}
	o.Bus.Subscribe("services/enrolment", []string{"enrolment.due"}, d.onDue)
	return d, nil
}

// Enrol enrols the person, or does nothing if they are, were, or said no. It
// returns false when nothing was done.
func (d *Desk) Enrol(tx *store.Tx, t Terms, person, recipient reeve.PersonID, household string) (bool, error) {
	if s, err := d.o.People.Standing(tx, person); err != nil || s != "living" {
		return false, err
	}
	if _, found, err := byPerson(tx, t.Benefit, person); err != nil || found {
		return false, err
	}
	secret := newSecret()
	e := Enrolment{Benefit: t.Benefit, Person: person, Recipient: recipient, Household: household, State: Active, Starts: tx.Now.Add(t.Notice), ChooseUntil: d.endOfDay(tx.Now.Add(t.Choose)), Set: t.Set}
	if t.Notice > 0 {
		e.State = Notice
	}
	var err error
	if e.ID, err = insert(tx, e, digest(secret)); err != nil {
		return false, err
	}
	if err := d.tell(tx, e, t, secret); err != nil {
		return false, err
	}
	if e.State == Notice {
		if err := d.note(tx, "enrolment", "will enrol for "+t.Benefit, e); err != nil {
			return false, err
		}
		return true, d.schedule(tx, e)
	}
	return true, d.became(tx, "enrolment", "enrolled for "+t.Benefit, "enrolment.started", e)
}

func (d *Desk) schedule(tx *store.Tx, e Enrolment) error {
	_, err := d.o.Bus.Emit(tx, reeve.Event{Type: "enrolment.due", NotBefore: e.Starts, Subject: e.Person, About: e.Ref()})
	return err
}

func (d *Desk) tell(tx *store.Tx, e Enrolment, t Terms, secret string) error {
	if len(t.Templates) == 0 {
		return nil
	}
	name, err := d.o.People.GivenName(tx, e.Person)
	if err != nil {
		return err
	}
	_, err = d.o.Notify.Queue(tx, notify.Order{
		Templates: t.Templates, To: e.Recipient, Of: e.Person, About: e.Ref(), Once: string(e.Ref()) + " told",
		Fields: map[string]string{
			"name": name, "benefit": t.Name, "starts": d.day(e.Starts), "choose until": d.lastDay(e.ChooseUntil),
			"opt out link": strings.TrimRight(d.o.BaseURL, "/") + "/opt-out/" + secret, "help": t.Help,
		},
	})
	return err
}

// onDue ends a notice.
func (d *Desk) onDue(tx *store.Tx, ev reeve.Event) error {
	e, found, err := d.byRef(tx, ev.About)
	if err != nil || !found || e.State != Notice {
		return err
	}
	if tx.Now.Before(e.Starts) {
		return d.schedule(tx, e)
	}
	s, err := d.o.People.Standing(tx, e.Person)
	switch {
	case err != nil:
		return err
	case s == "reported-dead": // wait until that is sure
		_, err := d.o.Bus.Emit(tx, reeve.Event{Type: "enrolment.due", NotBefore: tx.Now.Add(24 * time.Hour), Subject: e.Person, About: e.Ref()})
		return err
	case s != "living":
		return d.stop(tx, e, "person/"+reeve.Ref(e.Person), "the person has died")
	}
	e.State = Active
	if err := save(tx, e); err != nil {
		return err
	}
	return d.became(tx, "enrolment", "enrolled for "+e.Benefit, "enrolment.started", e)
}

func (d *Desk) byRef(tx *store.Tx, ref reeve.Ref) (Enrolment, bool, error) {
	var id int64
	if _, err := fmt.Sscanf(string(ref), "enrolment/%d", &id); err != nil {
		return Enrolment{}, false, fmt.Errorf("services/enrolment: %q is not an enrolment", ref)
	}
	return get(tx, id)
}

// StopFor stops what is under way for the person because of cause, and what was
// to begin for somebody else whom only they had been told of. It returns how many
// it stopped. Why is a code.
func (d *Desk) StopFor(tx *store.Tx, people []reeve.PersonID, cause reeve.Ref, why string) (n int, err error) {
	for _, p := range people {
		es, err := concerning(tx, p)
		if err != nil {
			return n, err
		}
		for _, e := range es {
			if e.State != Notice && (e.State != Active || e.Person != p) {
				continue
			}
			n++
			if err := d.stop(tx, e, cause, why); err != nil {
				return n, err
			}
		}
	}
	return n, nil
}

// End stops one enrolment, because the entitlement ended and a person said so.
func (d *Desk) End(tx *store.Tx, by, benefit string, p reeve.PersonID) error {
	e, found, err := byPerson(tx, benefit, p)
	if err != nil || !found || e.State != Notice && e.State != Active {
		return err
	}
	return d.stop(tx, e, "actor/"+reeve.Ref(by), "no longer entitled")
}

func (d *Desk) stop(tx *store.Tx, e Enrolment, cause reeve.Ref, why string) error {
	e.beforeStop, e.stoppedBy, e.State = e.State, cause, Stopped
	if err := save(tx, e); err != nil {
		return err
	}
	if err := d.o.Bus.Cancel(tx, e.Ref(), "enrolment.due"); err != nil {
		return err
	}
	return d.became(tx, "enrolment", "stopped "+e.Benefit, "enrolment.stopped", e, why)
}

// Resume undoes what StopFor did because of cause. A notice that would have
// ended meanwhile ends now; the time to choose starts again where it ran out
// while the enrolment was stopped.
func (d *Desk) Resume(tx *store.Tx, cause reeve.Ref, why string) (n int, err error) {
	es, err := stoppedBy(tx, cause)
	if err != nil {
		return 0, err
	}
	for _, e := range es {
		if e.State != Stopped {
			continue
		}
		n++
		stopped := e.Changed
		if e.ChooseUntil.After(stopped) { // the days that were left are left again
			e.ChooseUntil = d.endOfDay(tx.Now.Add(e.ChooseUntil.Sub(stopped)))
		}
		e.State, e.beforeStop, e.stoppedBy = e.beforeStop, "", ""
		if err := save(tx, e); err != nil {
			return n, err
		}
		if e.State == Notice {
			if err := d.schedule(tx, e); err != nil {
				return n, err
			}
		}
		if err := d.retell(tx, e); err != nil {
			return n, err
		}
		if err := d.became(tx, "enrolment", "resumed "+e.Benefit, "enrolment.resumed", e, why); err != nil {
			return n, err
		}
	}
	return n, nil
}

// retell sends the message again if it was cancelled before it went out: the
// person was never told. The new link replaces the one that nobody has.
func (d *Desk) retell(tx *store.Tx, e Enrolment) error {
	t, ok := d.o.Terms(e.Benefit)
	if !ok {
		return nil
	}
	free, err := d.o.Notify.Forget(tx, string(e.Ref())+" told")
	if err != nil || !free {
		return err
	}
	secret := newSecret()
	if err := setToken(tx, e.ID, digest(secret)); err != nil {
		return err
	}
	return d.tell(tx, e, t, secret)
}

// Of returns the enrolments of a person.
func (d *Desk) Of(tx *store.Tx, p reeve.PersonID) ([]Enrolment, error) { return ofPerson(tx, p) }

// Counts of enrolments by state.
func (d *Desk) Counts(tx *store.Tx) (map[string]int, error) { return counts(tx) }

// Repoint makes the enrolments of one person those of another, after a merge.
// Where both have one for the same benefit, the one that was there stays and the
// other stops.
func (d *Desk) Repoint(tx *store.Tx, from, to reeve.PersonID) error {
	es, err := ofPerson(tx, from)
	if err != nil {
		return err
	}
	for _, e := range es {
		_, both, err := byPerson(tx, e.Benefit, to)
		if err != nil {
			return err
		}
		if !both {
			err = repointPerson(tx, e.ID, to)
		} else if e.State == Notice || e.State == Active {
			if err = d.stop(tx, e, "person/"+reeve.Ref(to), "enrolled already"); err == nil {
				_, err = d.o.Notify.CancelAbout(tx, e.Ref(), "enrolled already")
			}
		}
		if err != nil {
			return err
		}
	}
	return repointRecipient(tx, from, to)
}

// View is what the opt-out page shows.
type View struct {
	Enrolment
	Name    string // the benefit
	Given   string // first name only: whoever has the link sees it
	Help    string
	Open    bool // one can still choose
	Until   string
	StartOn string
}

// look returns what a link leads to, without changing anything.
func (d *Desk) look(tx *store.Tx, secret string) (v View, err error) {
	e, found, err := byToken(tx, digest(secret))
	if err != nil {
		return v, err
	}
	if !found {
		return v, reeve.E(reeve.NotFound, "services.enrolment.look", "this link is not known: check that you copied all of it, or use the newest message we sent")
	}
	v = View{Enrolment: e, Name: e.Benefit, Until: d.lastDay(e.ChooseUntil), StartOn: d.day(e.Starts)}
	if t, ok := d.o.Terms(e.Benefit); ok {
		v.Name, v.Help = t.Name, t.Help
	}
	v.Open = tx.Now.Before(e.ChooseUntil) && e.State != Stopped
	v.Given, err = d.o.People.GivenName(tx, e.Person)
	return v, err
}

// choose opts out, or in again. Doing it twice does nothing more.
func (d *Desk) choose(tx *store.Tx, secret string, in bool) error {
	v, err := d.look(tx, secret)
	if err != nil {
		return err
	}
	e := v.Enrolment
	if !v.Open {
		return reeve.E(reeve.Conflict, "services.enrolment.choose", "this could be chosen until %s", v.Until)
	}
	switch {
	case !in && e.State != OptedOut:
		e.State = OptedOut
		if err := save(tx, e); err != nil {
			return err
		}
		if err := d.o.Bus.Cancel(tx, e.Ref(), "enrolment.due"); err != nil {
			return err
		}
		return d.became(tx, "resident/link", "opted out of "+e.Benefit, "enrolment.opted-out", e)
	case in && e.State == OptedOut:
		if s, err := d.o.People.Standing(tx, e.Person); err != nil || s != "living" {
			return err
		}
		if e.State = Active; tx.Now.Before(e.Starts) {
			e.State = Notice
		}
		if err := save(tx, e); err != nil {
			return err
		}
		if e.State == Notice {
			if err := d.schedule(tx, e); err != nil {
				return err
			}
			return d.note(tx, "resident/link", "opted in again to "+e.Benefit, e)
		}
		return d.became(tx, "resident/link", "opted in again to "+e.Benefit, "enrolment.started", e)
	}
	return nil
}

func (d *Desk) note(tx *store.Tx, by, verb string, e Enrolment, why ...string) error {
	s, err := d.o.Journal.Commitment(tx, e.Person)
	if err != nil {
		return err
	}
	_, err = d.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: verb, Subject: s, About: e.Ref(), Set: e.Set, Why: why})
	return err
}

// became journals a new state and tells of it.
func (d *Desk) became(tx *store.Tx, by, verb, typ string, e Enrolment, why ...string) error {
	if err := d.note(tx, by, verb, e, why...); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"benefit": e.Benefit})
	if err != nil {
		return err
	}
	_, err = d.o.Bus.Emit(tx, reeve.Event{Type: typ, Subject: e.Person, About: e.Ref(), Body: body})
	return err
}

func (d *Desk) day(t time.Time) string { return t.In(d.o.Zone).Format("2 January 2006") }

// lastDay is the day that ends at t.
func (d *Desk) lastDay(t time.Time) string { return d.day(t.Add(-time.Millisecond)) }

// endOfDay is when the day of t ends where the body is.
func (d *Desk) endOfDay(t time.Time) time.Time {
	y, m, day := t.In(d.o.Zone).Date()
	return time.Date(y, m, day+1, 0, 0, 0, 0, d.o.Zone)
}

func newSecret() string {
	b := make([]byte, 24)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

func digest(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}
