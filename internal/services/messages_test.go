package services_test

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/demo/notifysim"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/services/notify"
)

// queue queues a message about a death to someone who is not in the register.
func (h *house) queue(once string) {
	h.Helper()
	h.update(func(tx *store.Tx) error {
		_, err := h.s.Messages.Queue(tx, notify.Order{Templates: []string{"tpl-bereavement"}, Email: "ida@example.org", About: "life-event/1", Once: once,
			Fields: map[string]string{"name": "Ann", "contact name": "Ida"}})
		return err
	})
}

func (h *house) states(want ...string) {
	h.Helper()
	h.want("messages", h.rows(`select state, reason from message order by n`), want...)
}

func TestDeliveryStates(t *testing.T) {
	each(t, func(h *house) {
		for i, status := range []string{"delivered", "permanent-failure", "temporary-failure", "technical-failure", "sending"} {
			h.queue(fmt.Sprint(i))
			h.settle()
			h.states(h.rows(`select state, reason from message order by n`)...)
			n := h.fake.Sent()[i]
			if n.Subject = n.Personalisation["name"]; n.Subject != "Ann" || n.Template != "0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a01" || !strings.HasPrefix(n.Reference, "m-") {
				h.Errorf("%+v", n)
			}
			if err := h.fake.Deliver(n.ID, status); err != nil {
				h.Fatal(err)
			}
		}
		said := " said by the sending system"
		h.states("delivered ", "permanent-failure"+said, "temporary-failure"+said, "technical-failure"+said, "accepted ")
		// What has ended stays as it ended, whatever comes late.
		if err := h.fake.Deliver(h.fake.Sent()[0].ID, "permanent-failure"); err != nil {
			h.Fatal(err)
		}
		h.states("delivered ", "permanent-failure"+said, "temporary-failure"+said, "technical-failure"+said, "accepted ")
		// Without a call-back we ask.
		if err := h.fake.Set(h.fake.Sent()[4].ID, "delivered"); err != nil {
			h.Fatal(err)
		}
		h.pass(4 * time.Minute)
		h.states("delivered ", "permanent-failure"+said, "temporary-failure"+said, "technical-failure"+said, "accepted ")
		h.pass(2 * time.Minute)
		h.states("delivered ", "permanent-failure"+said, "temporary-failure"+said, "technical-failure"+said, "delivered ")
	})
}

func TestCallbackNeedsItsToken(t *testing.T) {
	each(t, func(h *house) {
		for _, auth := range []string{"", "Bearer ", "Bearer nonsense", "Basic call me back"} {
			req := httptest.NewRequest("POST", "/v1/notify/callback", strings.NewReader(`{"id":"x","status":"delivered"}`))
			req.Header.Set("Authorization", auth)
			w := httptest.NewRecorder()
			h.k.Web.ServeHTTP(w, req)
			if w.Code != 401 && w.Code != 403 {
				h.Errorf("%q: %d", auth, w.Code)
			}
		}
		req := httptest.NewRequest("POST", "/v1/notify/callback", strings.NewReader(`{"id":"not ours","reference":"m-x","status":"delivered"}`))
		req.Header.Set("Authorization", "Bearer call me back")
		w := httptest.NewRecorder()
		h.k.Web.ServeHTTP(w, req)
		if w.Code != 200 {
			h.Error("a message that is not ours:", w.Code, w.Body)
		}
	})
}

func TestSendingIsTriedAgain(t *testing.T) {
	each(t, func(h *house) {
		h.fake.FailNext(429, 500, 503)
		h.queue("a")
		h.settle()
		h.states("queued tried and will be tried again: Notify says that we send too fast or too much: RateLimitError (exceeded)")
		for range 10 {
			h.pass(time.Minute)
		}
		h.states("accepted ")
		if len(h.fake.Sent()) != 1 {
			h.Errorf("sent %d times", len(h.fake.Sent()))
		}
	})
}

func TestUnclearIsLookedUpBeforeSendingAgain(t *testing.T) {
	each(t, func(h *house) {
		h.fake.DropNext(1) // taken, and the connection broke before the answer
		h.queue("a")
		h.settle()
		h.want("state", h.rows(`select state from message`), "sending")
		for range 5 {
			h.pass(time.Minute)
		}
		h.states("accepted ")
		if send, _ := h.fake.Calls(); send != 1 || len(h.fake.Sent()) != 1 {
			h.Errorf("asked to send %d times, %d taken", send, len(h.fake.Sent()))
		}
	})
}

func TestRefusedIsToldToStaff(t *testing.T) {
	each(t, func(h *house) {
		h.signIn("caseworker")
		h.fake.FailNext(400, 403)
		h.queue("a")
		h.queue("b")
		h.settle()
		h.pass(time.Hour)
		h.states("technical-failure Notify refused it (400): BadRequestError (team-only API key)", "technical-failure Notify refused it (403): AuthError")
		h.has(h.get("/staff/messages"), "Failed", "team-only API key")
		id := h.rows(`select id from message order by n`)[0]
		h.has(h.get("/staff/messages/"+id), "ida@example.org", "We are sorry that Ann has died", "Send again")
		h.want("journal", h.verbs(reeve.Ref("message/"+id)), "notify: queued message", "notify: failed to send message", "staff/1: saw")
		h.post("/staff/messages/"+id+"/again", url.Values{})
		h.want("state", h.rows(`select state from message order by n`), "accepted", "technical-failure")
		if resp, _ := h.request("POST", "/staff/messages/"+id+"/again", url.Values{}); resp.StatusCode != 409 {
			h.Error("sent again though accepted:", resp.Status)
		}
	})
}

func TestGivesUpInTheEnd(t *testing.T) {
	each(t, func(h *house) {
		for range 40 {
			h.fake.FailNext(429)
		}
		h.queue("a")
		for range 30 {
			h.pass(time.Hour)
		}
		h.want("state", h.rows(`select state, tries from message`), "technical-failure 15")
	})
}

func TestOnceIsOnce(t *testing.T) {
	each(t, func(h *house) {
		h.queue("a")
		h.queue("a")
		h.settle()
		h.queue("a")
		h.settle()
		if n := len(h.fake.Sent()); n != 1 {
			h.Errorf("sent %d", n)
		}
	})
}

func TestTextIsErased(t *testing.T) {
	each(t, func(h *house) {
		h.queue("a")
		h.settle()
		if err := h.fake.Deliver(h.fake.Sent()[0].ID, "delivered"); err != nil {
			h.Fatal(err)
		}
		h.pass(29 * day)
		h.want("kept", h.rows(`select count(*) from message where sealed is null`), "0")
		h.pass(2 * day)
		h.want("kept", h.rows(`select count(*) from message where sealed is null`), "1")
		h.signIn("caseworker")
		h.has(h.get("/staff/messages/"+h.rows(`select id from message`)[0]), "The text and the address were erased")
	})
}

func TestNobodyToSendTo(t *testing.T) {
	each(t, func(h *house) {
		a := award("AW-00001", mum, 0, child)
		delete(a["claimant"].(m), "email")
		h.tell("awards", "org-benefits", a)
		h.messages("tpl-school-meals-letter accepted") // no email address: a letter
		h.want("to", h.sent(), "Max Miller\n1 High Street\nAshcombe\nAS2 2BB")
		b := award("AW-00002", someone("Nell", "Nowhere", "1980-01-01", ""), 0, someone("Nat", "Nowhere", "2017-01-01", ""))
		delete(b["claimant"].(m), "email")
		b["household"].(m)["address"] = m{}
		h.tell("awards", "org-benefits", b)
		h.want("state", h.rows(`select state, reason from message order by n desc limit 1`), "technical-failure no email is known for this person")
	})
}

// TestFake checks that the stand-in refuses what Notify would refuse.
func TestFake(t *testing.T) {
	now := start
	s := notifysim.New(func() time.Time { return now })
	s.Templates["0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a01"] = notifysim.Template{ID: "0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a01", Type: "email", Subject: "Hello ((name))", Body: "Bye ((name))"}
	srv := httptest.NewServer(s)
	defer srv.Close()
	client := func(key string, at time.Time) *notify.GOVUK {
		c, err := notify.NewGOVUK(notify.GOVUKOptions{BaseURL: srv.URL, APIKey: key, Now: func() time.Time { return at }})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	other := notifysim.New(func() time.Time { return now })
	good := notify.Outgoing{Reference: "m-1", Channel: "email", NotifyID: "0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7a01", To: "a@example.org", Fields: map[string]string{"name": "Ann"}}
	change := func(f func(*notify.Outgoing)) notify.Outgoing { o := good; f(&o); return o }
	for _, tc := range []struct {
		name string
		c    *notify.GOVUK
		m    notify.Outgoing
		want string
	}{
		{"good", client(s.APIKey(), now), good, ""},
		{"key of another service", client(other.APIKey(), now), good, "Notify refused it (403): AuthError"},
		{"another secret", client("x-"+s.ServiceID+"-"+other.Secret, now), good, "Notify refused it (403): AuthError"},
		{"clock a minute off", client(s.APIKey(), now.Add(-time.Minute)), good, "Notify refused it (403): AuthError (system clock)"},
		{"not an address", client(s.APIKey(), now), change(func(o *notify.Outgoing) { o.To = "nobody" }), "Notify refused it (400): ValidationError (not a valid email address)"},
		{"missing personalisation", client(s.APIKey(), now), change(func(o *notify.Outgoing) { o.Fields = nil }), "Notify refused it (400): BadRequestError (Missing personalisation)"},
		{"unknown template", client(s.APIKey(), now), change(func(o *notify.Outgoing) { o.NotifyID = "0c1bfa53-4bb0-4b0c-8d9a-4d2f5b1f7aff" }), "Notify refused it (400): BadRequestError (Template not found)"},
		{"short letter", client(s.APIKey(), now), change(func(o *notify.Outgoing) { o.Channel, o.To = "letter", "A\nB" }), "a letter needs an address of 3 to 7 lines with the name; this one has 2"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := tc.c.Send(t.Context(), tc.m)
			if got := fmt.Sprint(err); tc.want == "" && err != nil || tc.want != "" && got != tc.want {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if n := s.Sent(); len(n) != 1 || n[0].Body != "Bye Ann" {
		t.Errorf("%+v", n)
	}
	for _, key := range []string{"", "short", strings.Repeat("x", 80)} {
		if _, err := notify.NewGOVUK(notify.GOVUKOptions{APIKey: key, Now: time.Now}); reeve.KindOf(err) != reeve.Invalid {
			t.Errorf("key %q: %v", key, err)
		}
	}
}

// TestDeathWhileOthersAreSent: a message is looked at when its own turn comes, not
// when that of others before it did. Until then it is not taken for begun.
func TestDeathWhileOthersAreSent(t *testing.T) {
	each(t, func(h *house) {
		var of reeve.PersonID
		h.update(func(tx *store.Tx) (err error) {
			of, _, err = h.id.People.Find(tx, []byte(`{"name":{"given":"Ann","family":"Miller"},"dateOfBirth":"1950-03-04"}`), "org-x")
			return err
		})
		h.queue("first")
		h.update(func(tx *store.Tx) error {
			_, err := h.s.Messages.Queue(tx, notify.Order{Templates: []string{"tpl-bereavement"}, Email: "ida@example.org", Of: of, About: "life-event/2", Once: "second",
				Fields: map[string]string{"name": "Ann", "contact name": "Ida"}})
			return err
		})
		h.hear = func() {
			h.hear = nil
			h.want("begun", h.rows(`select count(*) from message where state = 'sending'`), "1")
			h.update(func(tx *store.Tx) error {
				_, err := h.s.Messages.CancelFor(tx, []reeve.PersonID{of}, "the person has died")
				return errors.Join(h.id.People.SetStanding(tx, of, "dead", "2026-11-01"), err)
			})
		}
		h.settle()
		h.states("accepted ", "cancelled the person has died")
		if n := len(h.fake.Sent()); n != 1 {
			h.Errorf("%d were sent", n)
		}
	})
}

// TestRestoredWhileAMessageWaited: what a backup has as waiting may have been sent
// since, so Notify is asked before it is sent again.
func TestRestoredWhileAMessageWaited(t *testing.T) {
	each(t, func(h *house) {
		h.queue("sent since")
		h.settle()
		h.queue("not sent")
		h.update(func(tx *store.Tx) error { // as the backup has them
			if _, err := tx.Exec(`update message set state = 'queued', remote = '', tries = 0, due = ?`, tx.Now); err != nil {
				return err
			}
			_, err := tx.Exec(`insert into store_epoch (epoch, at, record, entry, event) values (2, ?, 1, 1, 1)`, tx.Now.Add(time.Hour))
			return err
		})
		*turn[h] = turn[h].Add(2 * time.Hour)
		if _, err := notify.Open(h.ctx, notify.Options{DB: h.k.DB, Keys: h.k.Keys, Journal: h.k.Journal, Bus: h.k.Bus, Defs: h.k.Defs}); err != nil {
			h.Fatal(err)
		}
		h.settle()
		h.states("accepted ", "accepted ")
		if calls, _ := h.fake.Calls(); calls != 2 || len(h.fake.Sent()) != 2 {
			h.Errorf("%d sent in %d calls", len(h.fake.Sent()), calls)
		}
	})
}
