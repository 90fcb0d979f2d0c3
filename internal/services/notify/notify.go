// Package notify tells people what happened, by email, text or letter, through
// GOV.UK Notify or the body's own mail server.
//
// What is guaranteed. A message is written in the transaction that makes it true
// and sent by a worker afterwards. Before each attempt, in the transaction that
// claims it, the people it is to and of are looked at: nothing goes to or about
// someone who has died, and it waits while a death is reported but not sure.
// Every message carries our id as its reference; after an unclear outcome we ask
// whether it was taken before sending again. Accepted is not delivered: the two
// are different states, and delivery is learned by call-back or by asking.
//
// What not to assume. By SMTP nobody tells us of delivery, and after a broken
// connection at the end of a message nobody can: such a message is not sent again
// by itself. Text and address are sealed, and erased some days after the end.
package notify

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// The states of a message.
const (
	Queued           = "queued"
	Sending          = "sending"
	Accepted         = "accepted" // taken by the sender's system; not yet delivered
	Delivered        = "delivered"
	PermanentFailure = "permanent-failure" // there is no such address
	TemporaryFailure = "temporary-failure" // the address could not be reached for days
	TechnicalFailure = "technical-failure" // something between us and them is wrong
	Cancelled        = "cancelled"
)

// People is what this room asks of identity. Standing is "living",
// "reported-dead" or "dead"; a letter is a name and address, one line each.
type People interface {
	Standing(tx *store.Tx, id reeve.PersonID) (string, error)
	Contact(tx *store.Tx, id reeve.PersonID) (email, phone, letter string, err error)
}

// Order asks for a message.
type Order struct {
	Templates []string          // ids, in order of preference: the first whose channel reaches the person is used
	To        reeve.PersonID    // who gets it; "" if Email says
	Email     string            // where to, for someone who is not in the register
	Of        reeve.PersonID    // whom it is about, if their death must stop it
	About     reeve.Ref         // what it follows from: "enrolment/4"
	Fields    map[string]string // personalisation
	Once      string            // the same key is never sent twice
}

// Message is a message without its text.
type Message struct {
	ID       string // "m-…", the reference that the sender's system is given
	N        int64
	Template string
	Channel  string
	Person   reeve.PersonID
	Of       reeve.PersonID
	About    reeve.Ref
	State    string
	Reason   string // for staff; never personal data
	Tries    int
	Created  time.Time
	Changed  time.Time
	remote   string
	unclear  bool
	sealed   []byte
}

// Ref is how journal and events name it.
func (m Message) Ref() reeve.Ref { return reeve.Ref("message/" + m.ID) }

// Done reports that nothing more will happen to it by itself.
func (m Message) Done() bool {
	switch m.State {
	case Queued, Sending, Accepted:
		return false
	}
	return true
}

// text is what is sealed.
type text struct {
	To      string            `json:"to"`
	Fields  map[string]string `json:"fields,omitempty"`
	Subject string            `json:"subject,omitempty"`
	Body    string            `json:"body"`
}

// Options of a desk.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Bus     *bus.Bus
	Defs    *def.Live
	People  People
	Log     *slog.Logger

	Notify        Sender        // GOV.UK Notify, nil if it is not set up
	SMTP          Sender        // the mail server, nil if it is not set up
	CallbackToken string        // what Notify sends as bearer token; "" refuses call-backs
	EraseAfter    time.Duration // after the end of a message; 0 is 30 days
	PollAfter     time.Duration // without a call-back, ask after; 0 is 5 minutes
}

// Desk queues and sends messages.
type Desk struct {
	o    Options
	defs atomic.Pointer[def.Set]
}

// Open opens the desk.
func Open(ctx context.Context, o Options) (*Desk, error) {
	if o.EraseAfter == 0 {
		o.EraseAfter = 30 * 24 * time.Hour
	}
	if o.PollAfter == 0 {
		o.PollAfter = 5 * time.Minute
	}
	d := &Desk{o: o}
	if err := o.DB.Migrate(ctx, "services/notify", migrations); err != nil {
		return nil, err
	}
	// What waited in a backup may have been sent after that was made: it is asked about first.
	if err := o.DB.Update(ctx, func(tx *store.Tx) error {
		at, err := tx.Restored()
		if err != nil || at.IsZero() {
			return err
		}
		return doubt(tx, at)
	}); err != nil {
		return nil, err
	}
	o.Defs.OnActivate(func(s *def.Set) (func(), []def.Problem) { return func() { d.defs.Store(s) }, nil })
	return d, nil
}

// Queue writes a message to be sent. It returns "" without an error when there
// is nobody to send to any more, and the first one's id when Once was used before.
// A person who cannot be reached gives a failed message, which staff see.
func (d *Desk) Queue(tx *store.Tx, o Order) (id string, err error) {
	const op = "services.notify.Queue"
	for _, p := range []reeve.PersonID{o.To, o.Of} {
		dead, err := d.dead(tx, p)
		if err != nil || dead {
			return "", err
		}
	}
	if id, err := byOnce(tx, o.Once); err != nil || id != "" {
		return id, err
	}
	t, to, err := d.choose(tx, o)
	if err != nil {
		return "", err
	}
	m := Message{ID: "m-" + strings.ToLower(rand.Text()[:20]), Template: t.ID, Channel: t.Spec.Channel, Person: o.To, Of: o.Of, About: o.About, State: Queued}
	subject, missing := fill(t.Spec.Subject, o.Fields)
	body, more := fill(t.Spec.Body, o.Fields)
	if missing = append(missing, more...); len(missing) > 0 {
		return "", reeve.E(reeve.Invalid, op, "template %s needs %s", t.ID, strings.Join(missing, ", "))
	}
	if to == "" {
		m.State, m.Reason = TechnicalFailure, "no "+strings.ReplaceAll(m.Channel, "sms", "phone number")+" is known for this person"
	}
	fields := map[string]string{}
	for _, p := range t.Spec.Personalisation {
		fields[p] = o.Fields[p]
	}
	plain, err := json.Marshal(text{To: to, Fields: fields, Subject: subject, Body: body})
	if err != nil {
		return "", err
	}
	if m.sealed, err = d.o.Keys.Seal(plain, []byte("message/"+m.ID)); err != nil {
		return "", err
	}
	if err := insert(tx, m, o.Once); err != nil {
		return "", err
	}
	if err := d.note(tx, "notify", "queued message", m, t.ID); err != nil {
		return "", err
	}
	if m.State != Queued {
		_, err = d.o.Bus.Emit(tx, reeve.Event{Type: "message.failed", Subject: m.Person, About: m.Ref()})
	}
	return m.ID, err
}

// choose takes the first template whose channel reaches the person; the first of
// all if none does.
func (d *Desk) choose(tx *store.Tx, o Order) (t def.Of[TemplateSpec], to string, err error) {
	address := map[string]string{"email": o.Email}
	if o.To != "" {
		email, phone, letter, err := d.o.People.Contact(tx, o.To)
		if err != nil {
			return t, "", err
		}
		address = map[string]string{"email": email, "sms": phone, "letter": letter}
	}
	for i, id := range o.Templates {
		c, ok := def.Get[TemplateSpec](d.defs.Load(), id)
		if !ok {
			return t, "", reeve.E(reeve.Invalid, "services.notify.Queue", "there is no template %q", id)
		}
		if a := address[c.Spec.Channel]; a != "" {
			return c, a, nil
		}
		if i == 0 {
			t = c
		}
	}
	if t.Object == nil {
		return t, "", reeve.E(reeve.Invalid, "services.notify.Queue", "no template is given")
	}
	return t, "", nil
}

func (d *Desk) dead(tx *store.Tx, p reeve.PersonID) (bool, error) {
	if p == "" {
		return false, nil
	}
	s, err := d.o.People.Standing(tx, p)
	return s == "dead", err
}

// CancelFor cancels what was queued and not yet handed over, to or of any of the
// people. Why is a code.
func (d *Desk) CancelFor(tx *store.Tx, people []reeve.PersonID, why string) (int, error) {
	var ms []Message
	for _, p := range people {
		more, err := waitingFor(tx, p)
		if err != nil {
			return 0, err
		}
		for _, m := range more {
			if !slices.ContainsFunc(ms, func(o Message) bool { return o.ID == m.ID }) {
				ms = append(ms, m)
			}
		}
	}
	return len(ms), d.cancel(tx, ms, why)
}

// CancelAbout cancels what was queued about ref and not yet handed over.
func (d *Desk) CancelAbout(tx *store.Tx, ref reeve.Ref, why string) (int, error) {
	ms, err := waitingAbout(tx, ref)
	if err != nil {
		return 0, err
	}
	return len(ms), d.cancel(tx, ms, why)
}

func (d *Desk) cancel(tx *store.Tx, ms []Message, why string) error {
	for _, m := range ms {
		m.State, m.Reason = Cancelled, why
		if err := d.settle(tx, m, tx.Now, "cancelled message"); err != nil {
			return err
		}
	}
	return nil
}

// Forget frees the Once key of a message that was cancelled before it went out,
// so that it can be queued anew. It reports whether there was one.
func (d *Desk) Forget(tx *store.Tx, once string) (bool, error) {
	id, err := byOnce(tx, once)
	if err != nil || id == "" {
		return false, err
	}
	m, err := get(tx, id)
	if err != nil || m.State != Cancelled || m.remote != "" {
		return false, err
	}
	return true, setOnce(tx, id, id)
}

// Repoint makes the messages of one person those of another, after a merge.
func (d *Desk) Repoint(tx *store.Tx, from, to reeve.PersonID) error { return repoint(tx, from, to) }

// Counts of messages by state.
func (d *Desk) Counts(tx *store.Tx) (map[string]int, error) { return counts(tx) }

// settle writes a new state with its journal entry, and an event where others care.
func (d *Desk) settle(tx *store.Tx, m Message, due time.Time, verb string) error {
	if err := setState(tx, m, due); err != nil {
		return err
	}
	if verb == "" {
		return nil
	}
	var why []string
	if m.Reason != "" {
		why = []string{m.Reason}
	}
	if err := d.note(tx, "notify", verb, m, why...); err != nil {
		return err
	}
	typ := map[string]string{
		Accepted: "message.accepted", Delivered: "message.delivered", Cancelled: "message.cancelled",
		PermanentFailure: "message.failed", TemporaryFailure: "message.failed", TechnicalFailure: "message.failed",
	}[m.State]
	if typ == "" {
		return nil
	}
	_, err := d.o.Bus.Emit(tx, reeve.Event{Type: typ, Subject: m.Person, About: m.Ref()})
	return err
}

func (d *Desk) note(tx *store.Tx, actor, verb string, m Message, why ...string) error {
	e := journal.Entry{Actor: actor, Verb: verb, About: m.Ref(), Why: why}
	if m.Person != "" {
		c, err := d.o.Journal.Commitment(tx, m.Person)
		if err != nil {
			return err
		}
		e.Subject = c
	}
	_, err := d.o.Journal.Append(tx, e)
	return err
}

// open returns the text of m; ok is false once it is erased.
func (d *Desk) open(m Message) (t text, ok bool, err error) {
	if len(m.sealed) == 0 {
		return t, false, nil
	}
	plain, err := d.o.Keys.Open(m.sealed, []byte("message/"+m.ID))
	if err != nil {
		return t, false, fmt.Errorf("services/notify: opening %s: %w", m.ID, err)
	}
	return t, true, json.Unmarshal(plain, &t)
}
