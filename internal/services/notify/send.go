package notify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Outgoing is a message as a sender's system is given it.
type Outgoing struct {
	Reference string // ours; the same at every attempt
	Channel   string
	NotifyID  string
	To        string // address, number, or lines of a letter
	Subject   string
	Body      string
	Fields    map[string]string
}

// Sender hands messages to the system that delivers them. Errors are [Failure].
type Sender interface {
	// Send returns the id that the other side gave the message.
	Send(ctx context.Context, m Outgoing) (remote string, err error)
	// Find returns the id of a message sent under our reference; ok is false when
	// there is none, and the error is ErrCannotTell when the system cannot know.
	Find(ctx context.Context, m Outgoing) (remote string, ok bool, err error)
	// Status returns one of this package's states, or "" while nothing is known.
	Status(ctx context.Context, remote string) (state string, err error)
}

// ErrCannotTell says that a sender keeps no record that could be asked.
var ErrCannotTell = errors.New("the sending system cannot be asked")

// Failure says what a failed attempt means.
type Failure struct {
	Refused bool          // the same again would be refused again: tell staff
	Unclear bool          // it may have been taken
	After   time.Duration // not before, 0 for the usual wait
	Reason  string        // without personal data
}

func (f *Failure) Error() string { return f.Reason }

const (
	claimFor = 2 * time.Minute // longer than any attempt may take
	maxTries = 15              // with the usual waits, about ten hours
	atOnce   = 20
)

// Step sends what is due, asks about what was accepted and erases what is old.
// A worker calls it; it returns how much it did.
func (d *Desk) Step(ctx context.Context) (did int, err error) {
	sent, err := d.sendDue(ctx)
	if err != nil {
		return sent, err
	}
	asked, err := d.askDue(ctx)
	if err != nil {
		return sent + asked, err
	}
	erased, err := d.eraseOld(ctx)
	return sent + asked + erased, err
}

// sendDue claims and sends one message after the other: those that wait behind a
// slow one can still be cancelled, and are not taken for begun if the program dies.
func (d *Desk) sendDue(ctx context.Context) (did int, err error) {
	for ; did < atOnce && ctx.Err() == nil; did++ {
		some := false
		err := d.o.DB.View(ctx, func(tx *store.Tx) error {
			ms, err := due(tx, 1)
			some = len(ms) > 0
			return err
		})
		if err != nil || !some {
			return did, err
		}
		var mine *Message
		err = d.o.DB.Update(ctx, func(tx *store.Tx) error {
			mine = nil
			ms, err := due(tx, 1)
			if err != nil || len(ms) == 0 {
				return err
			}
			ok, err := d.claim(tx, &ms[0])
			if ok {
				mine = &ms[0]
			}
			return err
		})
		if err != nil {
			return did, err
		}
		if mine != nil {
			if err := d.attempt(ctx, *mine); err != nil {
				return did, err
			}
		}
	}
	return did, nil
}

// claim takes m for an attempt, unless whom it concerns has died or may have.
func (d *Desk) claim(tx *store.Tx, m *Message) (bool, error) {
	if m.State == Sending { // the claim of an attempt that never came back
		m.unclear = true
	}
	worst, err := d.worst(tx, m)
	if err != nil {
		return false, err
	}
	switch {
	case worst == "dead" && !m.unclear:
		m.State, m.Reason = Cancelled, "the person has died"
		return false, d.settle(tx, *m, tx.Now, "cancelled message")
	case worst == "reported-dead" && !m.unclear:
		m.State, m.Reason = Queued, "waits: a death is reported but not confirmed"
		return false, d.settle(tx, *m, tx.Now.Add(time.Hour), "")
	}
	if d.senderOf(*m) == nil {
		m.State, m.Reason = Queued, "waits: nothing is set up that could send "+m.Channel
		return false, d.settle(tx, *m, tx.Now.Add(time.Hour), "")
	}
	m.State, m.Reason = Sending, ""
	m.Tries++
	return true, d.settle(tx, *m, tx.Now.Add(claimFor), "")
}

// worst is the standing that matters most of those whom m is to and of.
func (d *Desk) worst(tx *store.Tx, m *Message) (string, error) {
	worst := "living"
	for _, p := range []reeve.PersonID{m.Person, m.Of} {
		if p == "" {
			continue
		}
		s, err := d.o.People.Standing(tx, p)
		if err != nil {
			return "", err
		}
		if s == "dead" || worst == "living" {
			worst = s
		}
	}
	return worst, nil
}

// senderOf is who sends m: Notify if its template is there, the mail server for
// other email.
func (d *Desk) senderOf(m Message) Sender {
	t, ok := d.template(m.Template)
	if ok && t.NotifyID != "" && d.o.Notify != nil {
		return d.o.Notify
	}
	if m.Channel == "email" && d.o.SMTP != nil {
		return d.o.SMTP
	}
	return nil
}

func (d *Desk) attempt(ctx context.Context, m Message) error {
	t, ok, err := d.open(m)
	if err != nil || !ok {
		return err
	}
	spec, _ := d.template(m.Template)
	out := Outgoing{Reference: m.ID, Channel: m.Channel, NotifyID: spec.NotifyID, To: t.To, Subject: t.Subject, Body: t.Body, Fields: t.Fields}
	s := d.senderOf(m)
	if s == nil { // the definitions changed since the claim
		return d.later(ctx, m, &Failure{Reason: "nothing is set up that could send it"})
	}
	ctx, stop := context.WithTimeout(ctx, claimFor/2)
	defer stop()
	remote := ""
	if m.unclear {
		found := false
		remote, found, err = s.Find(ctx, out)
		switch {
		case errors.Is(err, ErrCannotTell):
			return d.refused(ctx, m, "unclear whether it was sent; not sent again by itself")
		case err != nil:
			return d.later(ctx, m, &Failure{Unclear: true, Reason: "it could not be found out whether it was taken"})
		case found:
			return d.accepted(ctx, m, remote)
		}
		m.unclear = false
		if stop, err := d.stillAllowed(ctx, &m); err != nil || stop {
			return err
		}
	}
	remote, err = s.Send(ctx, out)
	var f *Failure
	switch {
	case err == nil:
		return d.accepted(ctx, m, remote)
	case errors.As(err, &f) && f.Refused:
		return d.refused(ctx, m, f.Reason)
	case errors.As(err, &f):
		return d.later(ctx, m, f)
	}
	return d.later(ctx, m, &Failure{Unclear: true, Reason: "the connection failed"})
}

// stillAllowed looks again, after finding out that an unclear attempt was not
// taken: in between the person may have died.
func (d *Desk) stillAllowed(ctx context.Context, m *Message) (stop bool, err error) {
	err = d.o.DB.Update(ctx, func(tx *store.Tx) error {
		worst, err := d.worst(tx, m)
		if err != nil || worst == "living" {
			return err
		}
		stop = true
		if worst == "dead" {
			m.State, m.Reason = Cancelled, "the person has died"
			return d.settle(tx, *m, tx.Now, "cancelled message")
		}
		m.State = Queued
		return d.settle(tx, *m, tx.Now.Add(time.Hour), "")
	})
	return stop, err
}

func (d *Desk) accepted(ctx context.Context, m Message, remote string) error {
	return d.o.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		now, err := get(tx, m.ID)
		if err != nil {
			return err
		}
		if now.Done() { // a call-back was faster than the answer
			now.remote = remote
			return setState(tx, now, tx.Now)
		}
		m.State, m.Reason, m.remote, m.unclear = Accepted, "", remote, false
		return d.settle(tx, m, tx.Now.Add(d.o.PollAfter), "sent message")
	})
}

func (d *Desk) refused(ctx context.Context, m Message, reason string) error {
	return d.o.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if now, err := get(tx, m.ID); err != nil || now.Done() { // a call-back knew more
			return err
		}
		m.State, m.Reason = TechnicalFailure, reason
		return d.settle(tx, m, tx.Now, "failed to send message")
	})
}

func (d *Desk) later(ctx context.Context, m Message, f *Failure) error {
	if m.Tries >= maxTries {
		return d.refused(ctx, m, fmt.Sprintf("given up after %d attempts: %s", m.Tries, f.Reason))
	}
	wait := min(time.Second<<min(m.Tries, 12), time.Hour)
	return d.o.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if now, err := get(tx, m.ID); err != nil || now.Done() { // a call-back knew more
			return err
		}
		m.State, m.Reason, m.unclear = Queued, "tried and will be tried again: "+f.Reason, f.Unclear
		if m.unclear {
			m.State = Sending // it may be on its way: nobody may cancel it as if it were not
		}
		return d.settle(tx, m, tx.Now.Add(max(wait, f.After)), "")
	})
}

func (d *Desk) askDue(ctx context.Context) (did int, err error) {
	var ms []Message
	err = d.o.DB.View(ctx, func(tx *store.Tx) error {
		ms, err = toAsk(tx, atOnce)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, m := range ms {
		state := ""
		if s := d.senderOf(m); s != nil && m.remote != "" {
			state, err = s.Status(ctx, m.remote)
		}
		if errors.Is(err, ErrCannotTell) {
			state, err = "", nil
		}
		if err != nil {
			state = ""
		}
		if err := d.learn(ctx, m.ID, state); err != nil {
			return did, err
		}
		did++
	}
	return did, nil
}

// learn takes in what is said of a message: a state, or "" for nothing new. What
// has ended stays as it ended.
func (d *Desk) learn(ctx context.Context, id, state string) error {
	return d.o.DB.Update(ctx, func(tx *store.Tx) error {
		m, err := get(tx, id)
		if err != nil || m.Done() {
			return err
		}
		switch state {
		case Delivered:
			m.State, m.Reason = state, ""
			return d.settle(tx, m, tx.Now, "delivered message")
		case PermanentFailure, TemporaryFailure, TechnicalFailure, Cancelled:
			m.State, m.Reason = state, "said by the sending system"
			return d.settle(tx, m, tx.Now, "could not deliver message")
		}
		if m.State != Accepted {
			return nil
		}
		// Ask less and less often; after a week nothing more will be said.
		age := tx.Now.Sub(m.Created)
		wait := max(d.o.PollAfter, age/4)
		if age > 7*24*time.Hour {
			m.Reason = "accepted a week ago; nobody told us whether it was delivered"
			wait = 100 * 365 * 24 * time.Hour
		}
		return d.settle(tx, m, tx.Now.Add(wait), "")
	})
}

func (d *Desk) eraseOld(ctx context.Context) (did int, err error) {
	found := false
	err = d.o.DB.View(ctx, func(tx *store.Tx) error {
		found, err = toErase(tx, tx.Now.Add(-d.o.EraseAfter))
		return err
	})
	if err != nil || !found {
		return 0, err
	}
	err = d.o.DB.Update(ctx, func(tx *store.Tx) error {
		n, err := erase(tx, tx.Now.Add(-d.o.EraseAfter))
		did = int(n)
		return err
	})
	return did, err
}

// again queues a failed message once more, because a member of staff says so.
func (d *Desk) again(tx *store.Tx, actor, id string) error {
	m, err := get(tx, id)
	if err != nil {
		return err
	}
	if m.State != TechnicalFailure && m.State != TemporaryFailure || len(m.sealed) == 0 {
		return errCannotAgain(m.State)
	}
	t, ok, err := d.open(m)
	if err != nil {
		return err
	}
	if !ok || t.To == "" {
		return errCannotAgain("without an address")
	}
	m.State, m.Reason, m.Tries, m.unclear, m.remote = Queued, "", 0, false, ""
	if err := setState(tx, m, tx.Now); err != nil {
		return err
	}
	return d.note(tx, actor, "asked to send a message again", m)
}

func errCannotAgain(why string) error {
	return reeve.E(reeve.Conflict, "services.notify.again", "this message is %s: it cannot be sent again", why)
}

func (d *Desk) template(id string) (TemplateSpec, bool) {
	t, ok := def.Get[TemplateSpec](d.defs.Load(), id)
	if !ok {
		return TemplateSpec{}, false
	}
	return *t.Spec, true
}
