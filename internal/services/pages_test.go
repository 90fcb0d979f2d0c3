package services_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

// TestPages looks at every page of identity and services in a browser: axe, both
// widths, without scripts. With REEVE_SHOTS it leaves pictures.
func TestPages(t *testing.T) {
	c := webtest.Browser(t)
	now := start
	clock := func() time.Time { return now }
	h := &house{T: t, ctx: t.Context(), logged: newLog()}
	h.open(storetest.Open(t, clock), clock)
	h.set(&now)

	knowAnn(h)
	h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0001", "2026-10-30", other))
	h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0002", "2026-10-28", someone("Bob", "Baker", "1940-01-01", "AS1 9ZZ")))
	h.tell("life-events", "org-hospital", death("informal", "", "2026-10-28", someone("Bob", "Baker", "1940-01-01", "AS1 9ZZ")))
	h.tell("life-events", "org-register-office", death("registered", "ASH-2026-0003", "2026-10-28", someone("Eve", "Early", "1960-01-01", "AS1 8ZZ")))
	h.tell("life-events", "org-register-office", death("reported-in-error", "ASH-2026-0003", "2026-10-28", someone("Eve", "Early", "1960-01-01", "AS1 8ZZ")))
	h.tell("awards", "org-benefits", award("AW-00001", mum, 0, child))
	link := h.link()
	h.tell("awards", "org-benefits", award("AW-00002", someone("Lee", "Long", "1988-01-01", "AS4 4ZZ"), nil, someone("Pip", "Long", "2017-01-01", "AS4 4ZZ")))
	h.fake.FailNext(400)
	h.queue("x")
	h.settle()
	signInLink, _, err := h.id.Staff.Invite(h.ctx, "cli", "sam@ashcombe.example", "Sam", []string{"admin"})
	if err != nil {
		t.Fatal(err)
	}
	h.signIn("caseworker")
	h.post("/staff/cases/1/assign", url.Values{"to": {"me"}})
	h.post("/staff/cases/1/notes", url.Values{"text": {"Spoke to his daughter. She will send the keys back."}})
	h.post("/staff/cases/1/tasks/2", url.Values{"done": {"yes"}})
	staff := []*http.Cookie{h.cookie}
	failed := h.rows(`select id from message where state = 'technical-failure'`)[0]
	for _, p := range []struct {
		name, path string
		cookies    []*http.Cookie
		want       int64
	}{
		{"sign-in", "/staff/sign-in", nil, 200},
		{"sign-in-link", signInLink, nil, 200},
		{"sign-out", "/staff/sign-out", staff, 200},
		{"matches", "/staff/people/matches", staff, 200},
		{"match", "/staff/people/matches/1", staff, 200},
		{"cases", "/staff/cases", staff, 200},
		{"case", "/staff/cases/1", staff, 200},
		{"case-reversed", "/staff/cases/2", staff, 200},
		{"life-events", "/staff/life-events", staff, 200},
		{"life-event", "/staff/life-events/1", staff, 200},
		{"entitlements", "/staff/entitlements", staff, 200},
		{"entitlement", "/staff/entitlements/2", staff, 200},
		{"messages", "/staff/messages", staff, 200},
		{"message", "/staff/messages/" + failed, staff, 200},
		{"benefits", "/entitlements", nil, 200},
		{"check", "/entitlements/ben-free-school-meals", nil, 200},
		{"opt-out", link, nil, 200},
		{"opt-out-unknown", "/opt-out/nonsense", nil, 404},
	} {
		c.Check(t, p.name, webtest.Visit{URL: h.front + p.path, Cookies: p.cookies}, p.want)
	}
}
