package services_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/demo/notifysim"
	"github.com/reeve-civic/reeve/internal/identity"
	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/services"
	"github.com/reeve-civic/reeve/internal/services/notify"
)

// house is identity and services on a real database, with the demo's own
// definitions, a clock that tests turn and a stand-in for Notify.
type house struct {
	*testing.T
	ctx    context.Context
	k      *kernel.Kernel
	id     *identity.Identity
	s      *services.Services
	fake   *notifysim.Server
	hear   func() // called as Notify is asked to send something
	logged *bytes.Buffer
	n      int64
	cookie *http.Cookie
	front  string // address of the front door
}

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

func each(t *testing.T, fn func(h *house)) {
	t.Helper()
	now := start
	clock := func() time.Time { return now }
	storetest.EachClock(t, clock, func(t *testing.T, db *store.DB) {
		now = start
		h := &house{T: t, ctx: t.Context(), logged: &bytes.Buffer{}}
		h.open(db, clock)
		h.set(&now)
		fn(h)
	})
}

var turn = map[*house]*time.Time{}

func (h *house) set(now *time.Time) {
	turn[h] = now
	h.Cleanup(func() { delete(turn, h) })
}

func newLog() *bytes.Buffer { return &bytes.Buffer{} }

// pass lets time go by.
func (h *house) pass(d time.Duration) {
	h.Helper()
	*turn[h] = turn[h].Add(d)
	h.settle()
}

func (h *house) open(db *store.DB, clock func() time.Time) {
	h.Helper()
	ok := func(err error) {
		h.Helper()
		if err != nil {
			h.Fatal(err)
		}
	}
	log := slog.New(slog.NewTextHandler(h.logged, nil))
	keys, err := seal.Open(h.ctx, db, bytes.Repeat([]byte{7}, 32))
	ok(err)
	j, err := journal.Open(h.ctx, db, journal.Options{})
	ok(err)
	b, err := bus.Open(h.ctx, db, log)
	ok(err)
	defs, problems, err := def.OpenLive(h.ctx, def.LiveOptions{DB: db, Journal: j, Registry: def.NewRegistry(services.Kinds()...), FS: os.DirFS("../../demo/body/services"), Log: log})
	ok(err)
	for _, p := range problems {
		h.Error(p)
	}
	pol, err := policy.New(append(identity.Rules(), services.Rules()...)...)
	ok(err)
	h.k = &kernel.Kernel{DB: db, Keys: keys, Journal: j, Bus: b, Policy: pol, Defs: defs, Slog: log, Now: clock, BaseURL: "https://reeve.ashcombe.example",
		Web: web.New(web.Options{Policy: pol, Log: log, Now: clock, Body: "Ashcombe Borough Council"})}
	h.id, err = identity.Open(h.ctx, h.k, identity.Config{})
	ok(err)
	h.fake = notifysim.New(clock)
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if h.hear != nil && r.Method == http.MethodPost {
			h.hear()
		}
		h.fake.ServeHTTP(w, r)
	}))
	h.Cleanup(fake.Close)
	h.s, err = services.Open(h.ctx, h.k, services.Asks{
		People: h.id.People, Staff: h.id.Staff, Callback: "call me back",
		Notify: &notify.GOVUKOptions{BaseURL: fake.URL, APIKey: h.fake.APIKey()},
	})
	ok(err)
	front := httptest.NewServer(h.k.Web)
	h.Cleanup(front.Close)
	h.front = front.URL
	h.fake.CallbackURL, h.fake.CallbackToken = front.URL+"/v1/notify/callback", "call me back"
}

// settle lets everything happen that is due now.
func (h *house) settle() {
	h.Helper()
	for range 100 {
		did, err := h.k.Bus.Step(h.ctx)
		for _, w := range h.k.Workers() {
			if err != nil {
				break
			}
			var n int
			n, err = w.Step(h.ctx)
			did += n
		}
		if err != nil {
			h.Fatal(err)
		}
		if did == 0 {
			fs, err := h.k.Bus.Failing(h.ctx)
			if err != nil || len(fs) > 0 {
				h.Fatal(fs, err)
			}
			return
		}
	}
	h.Fatal("it never settles")
}

func (h *house) update(fn func(tx *store.Tx) error) {
	h.Helper()
	if err := h.k.DB.Update(h.ctx, fn); err != nil {
		h.Fatal(err)
	}
}

// tell delivers a record to a receiver and settles; it returns the problem, if any.
func (h *house) tell(receiver, sender string, body any) string {
	h.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		h.Fatal(err)
	}
	h.n++
	return h.deliver(receiver, reeve.Delivered{Record: reeve.NewRecordID(1, h.n), N: h.n, Sender: sender, At: h.k.Now(), Body: b})
}

func (h *house) deliver(receiver string, d reeve.Delivered) string {
	h.Helper()
	var problems map[int]string
	h.update(func(tx *store.Tx) (err error) {
		problems, err = h.s.Receivers()[receiver].Receive(tx, []reeve.Delivered{d})
		return err
	})
	h.settle()
	return problems[0]
}

type m = map[string]any

// someone describes a person.
func someone(given, family, born, postcode string) m {
	return m{"name": m{"given": given, "family": family}, "dateOfBirth": born, "address": m{"lines": []string{"1 High Street"}, "town": "Ashcombe", "postcode": postcode}}
}

// death is a record of a life event.
func death(standing, reference, on string, person m) m {
	d := m{"event": "death", "standing": standing, "occurredOn": on, "person": person}
	if reference != "" {
		d["reference"] = reference
		d["contact"] = m{"name": m{"given": "Ida", "family": "Informant"}, "email": "ida@example.org"}
	}
	return d
}

// award is a record of an award; income nil is unknown.
func award(number string, claimant m, income any, children ...m) m {
	var kids []m
	for _, c := range children {
		kids = append(kids, m{"name": c["name"], "dateOfBirth": c["dateOfBirth"]})
	}
	house := m{"address": claimant["address"], "children": kids}
	if income != nil {
		house["income"] = income
	}
	return m{"award": number, "madeUp": true, "benefit": "universal-credit", "starts": "2026-09-01",
		"claimant": m{"name": claimant["name"], "dateOfBirth": claimant["dateOfBirth"], "email": "parent@example.org"}, "household": house}
}

// line is a row of what is to be seen, for comparing.
func (h *house) rows(query string, args ...any) (out []string) {
	h.Helper()
	err := h.k.DB.View(h.ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		cols, err := rows.Columns()
		if err != nil {
			return err
		}
		for rows.Next() {
			vals := make([]any, len(cols))
			ptrs := make([]any, len(cols))
			for i := range vals {
				ptrs[i] = &vals[i]
			}
			if err := rows.Scan(ptrs...); err != nil {
				return err
			}
			var parts []string
			for _, v := range vals {
				if b, ok := v.([]byte); ok {
					v = string(b)
				}
				parts = append(parts, fmt.Sprint(v))
			}
			out = append(out, strings.Join(parts, " "))
		}
		return rows.Err()
	})
	if err != nil {
		h.Fatal(err)
	}
	return out
}

func (h *house) want(what string, got []string, want ...string) {
	h.Helper()
	if !slices.Equal(got, want) {
		h.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func (h *house) events(want ...string) {
	h.Helper()
	h.want("life events", h.rows(`select kind, state, history, sources from life_event order by id`), want...)
}

func (h *house) cases(want ...string) {
	h.Helper()
	h.want("cases", h.rows(`select type, state, flag from case_file order by id`), want...)
}

func (h *house) messages(want ...string) {
	h.Helper()
	h.want("messages", h.rows(`select template, state from message order by n`), want...)
}

func (h *house) enrolments(want ...string) {
	h.Helper()
	h.want("enrolments", h.rows(`select benefit, state from enrolment order by id`), want...)
}

func (h *house) sent() (all []string) {
	for _, n := range h.fake.Sent() {
		all = append(all, n.To)
	}
	return all
}

// verbs are the journal's lines about a reference.
func (h *house) verbs(about reeve.Ref) (all []string) {
	h.Helper()
	es, err := h.k.Journal.Read(h.ctx, 0, 10_000)
	if err != nil {
		h.Fatal(err)
	}
	for _, e := range es {
		if e.About == about {
			all = append(all, e.Actor+": "+e.Verb)
		}
	}
	return all
}

// signIn signs a member of staff in by a one-time link.
func (h *house) signIn(roles ...string) {
	h.Helper()
	path, _, err := h.id.Staff.Invite(h.ctx, "test", "jo@ashcombe.example", "Jo Okafor", roles)
	if err != nil {
		h.Fatal(err)
	}
	h.cookie = nil
	resp, _ := h.request("POST", path, nil)
	for _, c := range resp.Cookies() {
		if c.Name == "reeve-staff" {
			h.cookie = c
		}
	}
	if h.cookie == nil {
		h.Fatal("no session:", resp.Status)
	}
}

// request makes a request as a browser would; form nil sends none.
func (h *house) request(method, path string, form url.Values) (*http.Response, string) {
	h.Helper()
	req := httptest.NewRequestWithContext(h.ctx, method, path, strings.NewReader(form.Encode()))
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if h.cookie != nil {
		req.AddCookie(h.cookie)
	}
	w := httptest.NewRecorder()
	h.k.Web.ServeHTTP(w, req)
	resp := w.Result()
	return resp, w.Body.String()
}

// get returns a page and fails unless it is answered 200.
func (h *house) get(path string) string {
	h.Helper()
	resp, body := h.request("GET", path, nil)
	if resp.StatusCode != 200 {
		h.Fatalf("GET %s: %s\n%s", path, resp.Status, body)
	}
	return body
}

func (h *house) post(path string, form url.Values) {
	h.Helper()
	if resp, body := h.request("POST", path, form); resp.StatusCode != http.StatusSeeOther {
		h.Fatalf("POST %s: %s\n%s", path, resp.Status, body)
	}
	h.settle()
}

func (h *house) has(page string, words ...string) {
	h.Helper()
	for _, w := range words {
		if !strings.Contains(page, w) {
			h.Errorf("the page does not say %q:\n%s", w, page)
		}
	}
}
