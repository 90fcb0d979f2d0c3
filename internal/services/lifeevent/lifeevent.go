// Package lifeevent keeps what happened to people, told once: one life event for
// a person and a kind of event, whoever tells us of it and however often.
//
// An event is confirmed by a registration. An informal notice alone is not proof:
// it corroborates a registration, whichever comes first, or becomes a review for
// a person after some days. An event found to be reported in error is undone,
// once: what it stopped goes on, what it queued is cancelled, its cases are
// marked, and staff are told. What happened long ago is recorded and nobody is
// bothered with it.
//
// When a death is known, in that same transaction, everything stops that was
// queued or under way for the person: messages, enrolments, events to come.
package lifeevent

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/services/casework"
	"github.com/reeve-civic/reeve/internal/services/eligibility"
	"github.com/reeve-civic/reeve/internal/services/enrolment"
	"github.com/reeve-civic/reeve/internal/services/notify"
)

//go:embed *.sql
var migrations embed.FS

// The states of a life event.
const (
	Noticed   = "noticed"   // someone said so; not proof
	Confirmed = "confirmed" // registered
	Reversed  = "reversed"  // reported in error
)

// What a record says of the event's standing.
const (
	registered = "registered"
	informal   = "informal"
	inError    = "reported-in-error"
)

// EventSpec is what `kind: LifeEvent` says.
type EventSpec struct {
	Event       string       `json:"event" def:"required" doc:"The word that records use for it: death."`
	Death       bool         `json:"death" doc:"Whether the person has died: nothing is sent to them or done for them any more."`
	ActsFor     def.Duration `json:"actsFor" def:"required" doc:"An event longer ago than this is history: recorded, without cases or messages."`
	ReviewAfter def.Duration `json:"reviewAfter" def:"required" doc:"How long an informal notice may stand alone before a person looks at it."`
	Opens       string       `json:"opens" def:"ref=CaseType" doc:"Case to open when it is confirmed."`
	Review      string       `json:"review" def:"required,ref=CaseType" doc:"Case to open when it is not clear what happened."`
	Child       *ChildRule   `json:"child" doc:"What is different for a child."`
	Messages    []Message    `json:"messages" doc:"Messages that are sent when it is confirmed."`
	Reversal    Reversal     `json:"reversal" def:"required" doc:"What is to be done when it was reported in error."`
}

// ChildRule says how the event is handled for a child: by a person, without any
// routine message.
type ChildRule struct {
	Under int    `json:"under" def:"required,min=1,max=25" doc:"Age in years below which it holds."`
	Opens string `json:"opens" def:"required,ref=CaseType" doc:"Case to open instead; its type names who handles it."`
}

// Message is sent to whoever told of the event.
type Message struct {
	Templates []string `json:"templates" def:"required,min=1,ref=Template" doc:"Templates; the first that reaches them is used."`
	To        string   `json:"to" def:"required,enum=contact" doc:"contact: whom the record names as the one to write to."`
}

// Reversal says what staff do when an event was reported in error.
type Reversal struct {
	Case  string   `json:"case" def:"required,ref=CaseType" doc:"Case to open when there is none to mark."`
	Tasks []string `json:"tasks" doc:"Tasks for the cases that the event had opened."`
}

// Kinds are the definitions of this room.
func Kinds() []def.Kind {
	return []def.Kind{{
		Name: "LifeEvent", Spec: new(EventSpec), Check: check,
		Doc: "Something that happens to a person and that many services need to know: what it opens, whom it tells, and what undoes it.",
	}}
}

func check(c *def.Checker, o *def.Object) {
	s := o.Spec.(*EventSpec)
	for _, other := range def.All[EventSpec](c.Set) {
		if other.ID < o.ID && other.Spec.Event == s.Event {
			c.Problem("spec.event", "%s already stands for the event %q", other.ID, s.Event)
		}
	}
	if s.Death && s.Child == nil {
		c.Problem("spec", "a death needs a rule for children: say in child who handles it, so that no routine message is sent")
	}
}

// People is what this room asks of identity.
type People interface {
	Find(tx *store.Tx, told json.RawMessage, source string) (id reeve.PersonID, match int64, err error)
	SetStanding(tx *store.Tx, id reeve.PersonID, standing, on string) error
	Standing(tx *store.Tx, id reeve.PersonID) (string, error)
	Born(tx *store.Tx, id reeve.PersonID) (string, error)
	Name(tx *store.Tx, id reeve.PersonID) (string, error)
}

// Event is a life event.
type Event struct {
	ID       int64
	Kind     string
	Person   reeve.PersonID
	State    string
	History  bool
	Occurred string // civil date
	Sources  int
	Opened   time.Time
	Changed  time.Time
	Set      string
}

// Ref is how journal and events name it.
func (e Event) Ref() reeve.Ref { return reeve.Ref(fmt.Sprintf("life-event/%d", e.ID)) }

// Options of a desk.
type Options struct {
	DB          *store.DB
	Keys        *seal.Keys
	Journal     *journal.Journal
	Bus         *bus.Bus
	Defs        *def.Live
	People      People
	Cases       *casework.Desk
	Enrolment   *enrolment.Desk
	Notify      *notify.Desk
	Eligibility *eligibility.Desk
	Log         *slog.Logger
	Zone        *time.Location
}

// Desk takes life events in.
type Desk struct {
	o    Options
	defs atomic.Pointer[def.Set]
}

// Open opens the desk.
func Open(ctx context.Context, o Options) (*Desk, error) {
	d := &Desk{o: o}
	if err := o.DB.Migrate(ctx, "services/lifeevent", migrations); err != nil {
		return nil, err
	}
	o.Defs.OnActivate(func(s *def.Set) (func(), []def.Problem) { return func() { d.defs.Store(s) }, nil })
	o.Bus.Subscribe("services/lifeevent", []string{"person.matched", "lifeevent.review-due"}, d.onEvent)
	return d, nil
}

func (d *Desk) events() shelf { return shelf{d.o.Keys} }

// told is a record of a life event.
type told struct {
	Event      string          `json:"event"`
	Standing   string          `json:"standing"`
	Reference  string          `json:"reference"`
	OccurredOn string          `json:"occurredOn"`
	Person     json.RawMessage `json:"person"`
	Contact    *struct {
		Name struct {
			Given  string `json:"given"`
			Family string `json:"family"`
		} `json:"name"`
		Email string `json:"email"`
	} `json:"contact"`
}

// what is kept, sealed, of each source.
type kept struct {
	Reference  string `json:"reference,omitempty"`
	OccurredOn string `json:"occurredOn"`
}

// Receive takes records that a flow delivers inside this program. Each stands for
// itself: a problem with one is told by its index and touches no other.
func (d *Desk) Receive(tx *store.Tx, all []reeve.Delivered) (map[int]string, error) {
	problems := map[int]string{}
	for i, r := range all {
		err := tx.Savepoint(func() error { return d.take(tx, r.Record, r.N, r.Sender, r.Body) })
		switch {
		case err == nil:
		case tx.Ctx.Err() != nil:
			return nil, err
		case reeve.KindOf(err) == reeve.Fault:
			d.o.Log.Error("a life event could not be taken in", "record", r.Record, "error", err)
			problems[i] = "it could not be taken in because of a fault here; the log has the details"
		default:
			problems[i] = reeve.Message(err)
		}
	}
	return problems, nil
}

func (d *Desk) take(tx *store.Tx, record reeve.RecordID, n int64, sender string, body json.RawMessage) error {
	if was, err := seen(tx, record); err != nil || was {
		return err
	}
	t, spec, err := d.parse(body)
	if err != nil {
		return err
	}
	p, match, err := d.o.People.Find(tx, t.Person, sender)
	if err != nil {
		return err
	}
	if match != 0 {
		sealed, err := d.o.Keys.Seal(body, []byte("life_event_waiting/"+string(record)))
		if err != nil {
			return err
		}
		return putWaiting(tx, match, waiting{record, n, sender, tx.Now, sealed})
	}
	return d.apply(tx, spec, t, p, record, sender)
}

func (d *Desk) parse(body json.RawMessage) (t told, spec def.Of[EventSpec], err error) {
	const op = "services.lifeevent.Receive"
	if err := json.Unmarshal(body, &t); err != nil {
		return t, spec, reeve.E(reeve.Invalid, op, "it is not a life event: a field has the wrong type")
	}
	for _, o := range def.All[EventSpec](d.defs.Load()) {
		if o.Spec.Event == t.Event {
			spec = o
		}
	}
	if spec.Object == nil {
		return t, spec, reeve.E(reeve.Invalid, op, "no LifeEvent is defined for this event")
	}
	if _, err := def.ParseDate(t.OccurredOn); err != nil {
		return t, spec, reeve.E(reeve.Invalid, op, "occurredOn is not a date: write it like 2026-01-31")
	}
	switch t.Standing {
	case registered, informal, inError:
		return t, spec, nil
	}
	return t, spec, reeve.E(reeve.Invalid, op, "standing is registered, informal or reported-in-error")
}

// apply brings what is told together with what is known.
func (d *Desk) apply(tx *store.Tx, spec def.Of[EventSpec], t told, p reeve.PersonID, record reeve.RecordID, sender string) error {
	e, found, err := d.events().find(tx, spec.ID, p)
	if err != nil {
		return err
	}
	earlier := []kept(nil)
	if !found {
		e = Event{Kind: spec.ID, Person: p, Occurred: t.OccurredOn, Set: d.defs.Load().Hash()}
		if e.ID, err = d.events().insert(tx, e); err != nil {
			return err
		}
	} else if earlier, err = d.kept(tx, e.ID); err != nil {
		return err
	}
	if err := d.addSource(tx, e, t, record, sender); err != nil {
		return err
	}
	e.Sources++
	switch t.Standing {
	case registered:
		return d.register(tx, spec, t, e, earlier, sender)
	case informal:
		return d.notice(tx, spec, t, e, sender)
	}
	return d.reverse(tx, spec, e, found, sender)
}

func (d *Desk) addSource(tx *store.Tx, e Event, t told, record reeve.RecordID, sender string) error {
	plain, err := json.Marshal(kept{t.Reference, t.OccurredOn})
	if err != nil {
		return err
	}
	sealed, err := d.o.Keys.Seal(plain, []byte("life_event_source/"+string(record)))
	if err != nil {
		return err
	}
	return addSource(tx, e.ID, source{record, t.Standing, sender, tx.Now, sealed})
}

func (d *Desk) kept(tx *store.Tx, id int64) (all []kept, err error) {
	ss, err := sources(tx, id)
	if err != nil {
		return nil, err
	}
	for _, s := range ss {
		plain, err := d.o.Keys.Open(s.sealed, []byte("life_event_source/"+string(s.record)))
		if err != nil {
			return nil, err
		}
		var k kept
		if err := json.Unmarshal(plain, &k); err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

// register confirms e. One that is confirmed stays as it is; one that was
// reversed is confirmed anew only by another registration.
func (d *Desk) register(tx *store.Tx, spec def.Of[EventSpec], t told, e Event, earlier []kept, sender string) error {
	if e.State == Confirmed {
		return d.corroborate(tx, e, sender)
	}
	if e.State == Reversed {
		for _, k := range earlier {
			if k.Reference == t.Reference {
				return d.corroborate(tx, e, sender) // told late of what was already found wrong
			}
		}
	}
	noticed := e.State == Noticed
	e.State, e.Occurred, e.Set = Confirmed, t.OccurredOn, d.defs.Load().Hash()
	e.History = d.long(tx.Now, t.OccurredOn, spec.Spec.ActsFor.D())
	if err := d.events().save(tx, e); err != nil {
		return err
	}
	if noticed {
		if err := d.o.Bus.Cancel(tx, e.Ref(), "lifeevent.review-due"); err != nil {
			return err
		}
		if err := d.o.Cases.CloseAbout(tx, "lifeevent", spec.Spec.Review, e.Ref(), "Confirmed by a registration"); err != nil {
			return err
		}
	}
	why := []string{"source " + sender}
	if e.History {
		why = append(why, "history")
	}
	if err := d.changed(tx, "confirmed "+spec.ID, "lifeevent.confirmed", e, why...); err != nil {
		return err
	}
	if spec.Spec.Death {
		if err := d.died(tx, e); err != nil {
			return err
		}
	}
	if e.History {
		return nil
	}
	return d.respond(tx, spec, t, e)
}

// died stops everything for the person, now.
func (d *Desk) died(tx *store.Tx, e Event) error {
	if err := d.o.People.SetStanding(tx, e.Person, "dead", e.Occurred); err != nil {
		return err
	}
	people := []reeve.PersonID{e.Person}
	stopped, err := d.o.Enrolment.StopFor(tx, people, e.Ref(), "the person has died")
	if err != nil {
		return err
	}
	cancelled, err := d.o.Notify.CancelFor(tx, people, "the person has died")
	if err != nil {
		return err
	}
	if err := d.o.Bus.Cancel(tx, "person/"+reeve.Ref(e.Person)); err != nil {
		return err
	}
	if err := d.o.Eligibility.Touch(tx, e.Person); err != nil { // others in the household may need a person to look
		return err
	}
	if stopped+cancelled == 0 {
		return nil
	}
	return d.note(tx, "stopped what was under way", e, fmt.Sprintf("enrolments %d", stopped), fmt.Sprintf("messages %d", cancelled))
}

// respond opens the case and sends the messages. For a child there is no message;
// for someone whose age is not known there is none either.
func (d *Desk) respond(tx *store.Tx, spec def.Of[EventSpec], t told, e Event) error {
	age, known, err := d.age(tx, e)
	if err != nil {
		return err
	}
	s := spec.Spec
	if s.Child != nil && known && age < s.Child.Under {
		_, err := d.o.Cases.Open(tx, "lifeevent", casework.New{Type: s.Child.Opens, Person: e.Person, About: e.Ref(), Why: "Registered. This concerns a child: no message was sent, and none will be."})
		return err
	}
	if s.Opens != "" {
		why := "Registered."
		if !known {
			why = "Registered. The age is not known, so no message was sent."
		}
		if _, err := d.o.Cases.Open(tx, "lifeevent", casework.New{Type: s.Opens, Person: e.Person, About: e.Ref(), Why: why}); err != nil {
			return err
		}
	}
	if !known || t.Contact == nil || t.Contact.Email == "" {
		return nil
	}
	name, err := d.o.People.Name(tx, e.Person)
	if err != nil {
		return err
	}
	for i, m := range s.Messages {
		_, err := d.o.Notify.Queue(tx, notify.Order{
			Templates: m.Templates, Email: t.Contact.Email, About: e.Ref(), Once: fmt.Sprintf("%s message %d told %d", e.Ref(), i, e.Sources),
			Fields: map[string]string{"contact name": strings.TrimSpace(t.Contact.Name.Given + " " + t.Contact.Name.Family), "name": name},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *Desk) age(tx *store.Tx, e Event) (years int, known bool, err error) {
	s, err := d.o.People.Born(tx, e.Person)
	if err != nil || s == "" {
		return 0, false, err
	}
	born, err := def.ParseDate(s)
	if err != nil {
		return 0, false, nil
	}
	on, err := def.ParseDate(e.Occurred)
	if err != nil {
		return 0, false, nil
	}
	years = on.Year - born.Year
	if on.Month < born.Month || on.Month == born.Month && on.Day < born.Day {
		years--
	}
	return years, true, nil
}

// notice takes an informal notice.
func (d *Desk) notice(tx *store.Tx, spec def.Of[EventSpec], t told, e Event, sender string) error {
	switch e.State {
	case Confirmed, Noticed:
		return d.corroborate(tx, e, sender)
	case Reversed:
		if err := d.corroborate(tx, e, sender); err != nil {
			return err
		}
		return d.review(tx, spec, e, "A notice came after the registration was found to be in error. Find out what is right.")
	}
	e.State, e.History = Noticed, d.long(tx.Now, t.OccurredOn, spec.Spec.ActsFor.D())
	if err := d.events().save(tx, e); err != nil {
		return err
	}
	if err := d.changed(tx, "noticed "+spec.ID, "lifeevent.noticed", e, "source "+sender); err != nil {
		return err
	}
	if spec.Spec.Death {
		if err := d.o.People.SetStanding(tx, e.Person, "reported-dead", e.Occurred); err != nil {
			return err
		}
	}
	if e.History {
		return nil
	}
	_, err := d.o.Bus.Emit(tx, reeve.Event{Type: "lifeevent.review-due", NotBefore: tx.Now.Add(spec.Spec.ReviewAfter.D()), Subject: e.Person, About: e.Ref()})
	return err
}

// corroborate counts one more source; nothing else changes.
func (d *Desk) corroborate(tx *store.Tx, e Event, sender string) error {
	if err := d.events().save(tx, e); err != nil {
		return err
	}
	return d.note(tx, "corroborated "+e.Kind, e, "source "+sender, "state "+e.State)
}

// reverse undoes e, once.
func (d *Desk) reverse(tx *store.Tx, spec def.Of[EventSpec], e Event, found bool, sender string) error {
	if e.State == Reversed {
		return d.corroborate(tx, e, sender)
	}
	was := e.State
	e.State = Reversed
	if err := d.events().save(tx, e); err != nil {
		return err
	}
	if err := d.changed(tx, "reversed "+spec.ID, "lifeevent.reversed", e, "source "+sender); err != nil {
		return err
	}
	if err := d.o.Bus.Cancel(tx, e.Ref(), "lifeevent.review-due"); err != nil {
		return err
	}
	if !found {
		// The error is told before the event itself: there is nothing to undo, and
		// when the event arrives it changes nothing.
		return nil
	}
	if spec.Spec.Death {
		if err := d.o.People.SetStanding(tx, e.Person, "living", ""); err != nil {
			return err
		}
	}
	if _, err := d.o.Notify.CancelAbout(tx, e.Ref(), "reported in error"); err != nil {
		return err
	}
	resumed, err := d.o.Enrolment.Resume(tx, e.Ref(), "reported in error")
	if err != nil {
		return err
	}
	if err := d.o.Eligibility.Touch(tx, e.Person); err != nil {
		return err
	}
	why := "This was reported in error. Reeve has undone what it did: messages that were not sent yet are cancelled" + map[bool]string{
		true: fmt.Sprintf(", and what was stopped goes on (enrolments: %d).", resumed), false: "."}[resumed > 0]
	cs, err := d.o.Cases.Reverse(tx, "lifeevent", e.Ref(), "reported-in-error", why, spec.Spec.Reversal.Tasks)
	if err != nil || len(cs) > 0 || e.History || was == Noticed && resumed == 0 {
		return err
	}
	_, err = d.o.Cases.Open(tx, "lifeevent", casework.New{Type: spec.Spec.Reversal.Case, Person: e.Person, About: e.Ref(), Why: why, Flag: "reported-in-error", Tasks: spec.Spec.Reversal.Tasks})
	return err
}

func (d *Desk) review(tx *store.Tx, spec def.Of[EventSpec], e Event, why string) error {
	_, err := d.o.Cases.Open(tx, "lifeevent", casework.New{Type: spec.Spec.Review, Person: e.Person, About: e.Ref(), Once: fmt.Sprintf("%s %s %s", spec.Spec.Review, e.Ref(), e.State), Why: why})
	return err
}

// long reports whether the day is longer ago than d.
func (d *Desk) long(now time.Time, day string, ago time.Duration) bool {
	on, err := def.ParseDate(day)
	return err == nil && on.Before(def.DateOf(now.Add(-ago).In(d.o.Zone)))
}

func (d *Desk) onEvent(tx *store.Tx, ev reeve.Event) error {
	if ev.Type == "person.matched" {
		return d.onMatched(tx, ev)
	}
	id, err := strconv.ParseInt(strings.TrimPrefix(string(ev.About), "life-event/"), 10, 64)
	if err != nil {
		return fmt.Errorf("services/lifeevent: %q is not a life event", ev.About)
	}
	e, found, err := d.events().get(tx, id)
	if err != nil || !found || e.State != Noticed {
		return err
	}
	spec, ok := def.Get[EventSpec](d.defs.Load(), e.Kind)
	if !ok {
		return fmt.Errorf("services/lifeevent: %s is not defined any more", e.Kind)
	}
	return d.review(tx, spec, e, fmt.Sprintf("A notice came %s ago and no registration followed. Until this is decided, messages to this person wait.", spec.Spec.ReviewAfter))
}

// onMatched goes on with what waited for a person to decide who is meant.
func (d *Desk) onMatched(tx *store.Tx, ev reeve.Event) error {
	match, err := strconv.ParseInt(strings.TrimPrefix(string(ev.About), "match/"), 10, 64)
	if err != nil {
		return fmt.Errorf("services/lifeevent: %q is not a match", ev.About)
	}
	var body struct {
		Into reeve.PersonID `json:"into"`
	}
	if err := json.Unmarshal(ev.Body, &body); err != nil {
		return err
	}
	if body.Into != "" {
		if err := d.merge(tx, ev.Subject, body.Into); err != nil {
			return err
		}
	}
	ws, err := takeWaiting(tx, match)
	if err != nil {
		return err
	}
	for _, w := range ws {
		plain, err := d.o.Keys.Open(w.sealed, []byte("life_event_waiting/"+string(w.record)))
		if err != nil {
			return err
		}
		if err := d.take(tx, w.record, w.n, w.source, plain); err != nil {
			return err
		}
	}
	return nil
}

// merge brings together what is kept of two people who are one. If the one who
// stays has died, what was under way for the other stops.
func (d *Desk) merge(tx *store.Tx, from, into reeve.PersonID) error {
	es, err := d.events().ofPerson(tx, from)
	if err != nil {
		return err
	}
	for _, e := range es {
		other, both, err := d.events().find(tx, e.Kind, into)
		if err != nil {
			return err
		}
		if both {
			other.Sources += e.Sources
			if e.State == Confirmed && other.State == Noticed {
				other.State, other.Occurred, other.History = e.State, e.Occurred, e.History
			}
			if err := d.events().save(tx, other); err != nil {
				return err
			}
			err = drop(tx, e.ID, other.ID)
		} else {
			err = repoint(tx, e.ID, into)
		}
		if err != nil {
			return err
		}
	}
	for _, f := range []func(*store.Tx, reeve.PersonID, reeve.PersonID) error{d.o.Cases.Repoint, d.o.Enrolment.Repoint, d.o.Notify.Repoint} {
		if err := f(tx, from, into); err != nil {
			return err
		}
	}
	s, err := d.o.People.Standing(tx, into)
	if err != nil || s != "dead" {
		return err
	}
	es, err = d.events().ofPerson(tx, into)
	if err != nil {
		return err
	}
	for _, e := range es {
		if e.State == Confirmed {
			if err := d.died(tx, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// Counts of life events by state; those of long ago under "history".
func (d *Desk) Counts(tx *store.Tx) (map[string]int, error) { return counts(tx) }

// Waiting counts records that wait until a person decides who is meant.
func (d *Desk) Waiting(tx *store.Tx) (int, error) { return countWaiting(tx) }

// Of returns the life events of a person.
func (d *Desk) Of(tx *store.Tx, p reeve.PersonID) ([]Event, error) { return d.events().ofPerson(tx, p) }

func (d *Desk) note(tx *store.Tx, verb string, e Event, why ...string) error {
	return d.noteBy(tx, "lifeevent", verb, e, why...)
}

func (d *Desk) noteBy(tx *store.Tx, by, verb string, e Event, why ...string) error {
	s, err := d.o.Journal.Commitment(tx, e.Person)
	if err != nil {
		return err
	}
	_, err = d.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: verb, Subject: s, About: e.Ref(), Set: e.Set, Why: why})
	return err
}

func (d *Desk) changed(tx *store.Tx, verb, typ string, e Event, why ...string) error {
	if err := d.note(tx, verb, e, why...); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"kind": e.Kind, "history": e.History})
	if err != nil {
		return err
	}
	_, err = d.o.Bus.Emit(tx, reeve.Event{Type: typ, Subject: e.Person, About: e.Ref(), Body: body})
	return err
}
