package spend_test

import (
	"context"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/spend"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

// site serves the pages about the demo's spend; what a person matches shows at
// once.
func site(t testing.TB, inv *inventory.Inventory) (*httptest.Server, *web.Mux) {
	t.Helper()
	files := demo(t)
	at := snapshot(t, files, inv, spend.Fill)
	p, err := policy.New(
		policy.Rule{Name: "read", Actions: []string{register.Read}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal, Doc: "staff"},
		policy.Rule{Name: "curate", Actions: []string{spend.Curate}, Kinds: []reeve.ActorKind{reeve.Staff}, Roles: []string{"architect"}, Max: reeve.Internal, Doc: "architects"})
	if err != nil {
		t.Fatal(err)
	}
	mux := web.New(web.Options{Policy: p, Now: func() time.Time { return day }, Log: slog.New(slog.DiscardHandler), Body: "Ashcombe Borough Council"})
	mux.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		c, err := r.Cookie("who")
		if err != nil {
			return reeve.Actor{}, false, nil
		}
		return reeve.Actor{ID: "staff/3", Kind: reeve.Staff, Roles: []string{c.Value}, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, true, nil
	})
	desk := &spend.Desk{Desk: register.Desk{Mux: mux, At: func(context.Context, def.Date) (*register.Snapshot, error) { return at, nil }}, Body: "Ashcombe Borough Council", Host: "reeve.example",
		Match: func(_ context.Context, by, line, contract string) error {
			again := *at.Inventory
			again.Ledger = append([]inventory.Line(nil), again.Ledger...)
			for i := range again.Ledger {
				if again.Ledger[i].ID == line {
					again.Ledger[i].Contract = contract
				}
			}
			at = snapshot(t, files, &again, spend.Fill)
			return nil
		}}
	desk.Mount(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s, mux
}

func ask(t testing.TB, method, address, role string, form url.Values) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if role != "" {
		req.AddCookie(&http.Cookie{Name: "who", Value: role})
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.Join(strings.Fields(html.UnescapeString(string(body))), " ")
}

func imported(t testing.TB) *inventory.Inventory {
	used := def.DateOf(day.AddDate(0, 0, -20))
	inv := &inventory.Inventory{Ledger: ledger(t), Imports: map[string]time.Time{"ledger": day}}
	for i := range 60 {
		inv.Seats = append(inv.Seats, inventory.Seat{Person: string(rune('a'+i%26)) + string(rune('a'+i/26)), System: "sys-contact", LastUsed: used})
	}
	return inv
}

var hrefs = regexp.MustCompile(`href="(/staff/estate/spend[^"#]*)"`)

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	s, _ := site(t, imported(t))
	seen, todo := map[string]bool{}, []string{"/staff/estate/spend"}
	for len(todo) > 0 && len(seen) < 400 {
		at := todo[0]
		todo = todo[1:]
		status, body := ask(t, "GET", s.URL+at, "architect", nil)
		if status != http.StatusOK {
			t.Errorf("%s: status %d", at, status)
		}
		for _, m := range hrefs.FindAllStringSubmatch(body, -1) {
			other := strings.HasSuffix(m[1], "/calendar/subscribe") // the room of addresses serves it
			if !seen[m[1]] && !other && !strings.Contains(m[1], "/lines/") {
				seen[m[1]] = true
				todo = append(todo, m[1])
			}
		}
	}
	if len(seen) < 44+20 {
		t.Errorf("only %d pages were reached", len(seen))
	}
}

func TestWhatThePagesSay(t *testing.T) {
	s, _ := site(t, imported(t))
	for path, want := range map[string][]string{
		"":                           {"£3,850,393", "Matched to a contract", "Yarrow Office", "Not known: no contract was found for it"},
		"?year=2025-26":              {"1 April 2025 to 31 March 2026"},
		"?year=2026-27":              {"The ledger does not reach further"},
		"/unmatched":                 {"KESTREL IT SUPPLY LTD", "No supplier of that name is declared", "4 of its contracts fit"},
		"/unmatched?group=1":         {"Show all suppliers"},
		"/suppliers":                 {"Moderately concentrated.", "as if the money went to 8.2 suppliers", "Merger Guidelines"},
		"/contracts":                 {"Not known", "more", "less", "40 of 100"},
		"/contracts/con-contact":     {"£38,400 a year, if the cost is by the seat", "Seats used in 90 days", "None recorded"},
		"/contracts/con-gis-desktop": {"End, decided on 15 September 2026 by Digital board"},
		"/contracts/con-fraud":       {"Not known"},
		"/lines/AP240001":            {"7,333.33", "The likely ones come first"},
		"/calendar":                  {"December 2026", "Last day for notice", "Download for your calendar program"},
	} {
		status, body := ask(t, "GET", s.URL+"/staff/estate/spend"+path, "architect", nil)
		if status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		for _, w := range want {
			if !strings.Contains(body, w) {
				t.Errorf("%s does not say %q", path, w)
			}
		}
	}
	if status, body := ask(t, "GET", s.URL+"/staff/estate/spend/calendar.ics", "architect", nil); status != 200 || !strings.HasPrefix(body, "BEGIN:VCALENDAR") {
		t.Errorf("calendar.ics: %d %.40s", status, body)
	}
	for path, want := range map[string]int{"?year=1999-00": 404, "?year=x": 404, "/contracts/no": 404, "/lines/no": 404, "/unmatched?group=9999": 200} {
		if status, _ := ask(t, "GET", s.URL+"/staff/estate/spend"+path, "architect", nil); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
	bare, _ := site(t, nil)
	for _, path := range []string{"", "/unmatched", "/suppliers", "/contracts", "/contracts/con-hr", "/calendar"} {
		if status, body := ask(t, "GET", bare.URL+"/staff/estate/spend"+path, "architect", nil); status != 200 || strings.Contains(body, "£0 of") {
			t.Errorf("%s without a ledger: status %d", path, status)
		}
	}
}

// TestAPersonMatches matches a line by hand: the line follows, and so do others of
// the same supplier.
func TestAPersonMatches(t *testing.T) {
	s, _ := site(t, imported(t))
	_, before := ask(t, "GET", s.URL+"/staff/estate/spend/unmatched?year=2026-27", "architect", nil)
	m := regexp.MustCompile(`unmatched\?group=(\d+)&year=2026-27">KESTREL`).FindStringSubmatch(before)
	if m == nil {
		t.Fatal("Kestrel is not listed")
	}
	_, group := ask(t, "GET", s.URL+"/staff/estate/spend/unmatched?year=2026-27&group="+m[1], "architect", nil)
	line := regexp.MustCompile(`/lines/(AP\d+)`).FindStringSubmatch(group)[1]
	address := s.URL + "/staff/estate/spend/lines/" + line
	if _, page := ask(t, "GET", address, "caseworker", nil); strings.Contains(page, ">Keep<") {
		t.Error("a caseworker is offered to match")
	}
	if status, _ := ask(t, "POST", address, "caseworker", url.Values{"contract": {"con-documents"}}); status != http.StatusForbidden {
		t.Errorf("a caseworker matches: status %d", status)
	}
	if status, _ := ask(t, "POST", address, "architect", url.Values{"contract": {"con-nothing"}}); status != http.StatusBadRequest {
		t.Errorf("a contract that is not there: status %d", status)
	}
	if status, _ := ask(t, "POST", address, "architect", url.Values{"contract": {"con-documents"}}); status != http.StatusSeeOther {
		t.Errorf("status %d", status)
	}
	if _, after := ask(t, "GET", address, "architect", nil); !strings.Contains(after, "A person matched it") {
		t.Error("the line does not say that a person matched it")
	}
	if _, after := ask(t, "GET", s.URL+"/staff/estate/spend/unmatched", "architect", nil); strings.Contains(after, "KESTREL") {
		t.Error("other lines of the supplier did not follow")
	}
}

func TestStrangersSeeNothing(t *testing.T) {
	s, mux := site(t, imported(t))
	for _, route := range mux.Routes() {
		if path, ok := strings.CutPrefix(route.Pattern, "GET "); ok {
			if status, _ := ask(t, "GET", s.URL+strings.ReplaceAll(path, "{id}", "con-hr"), "", nil); status == http.StatusOK {
				t.Errorf("%s: status %d for a stranger", path, status)
			}
		}
	}
}

func TestPagesInABrowser(t *testing.T) {
	s, mux := site(t, imported(t))
	if err := mux.Assets(); err != nil {
		t.Skip(err)
	}
	b := webtest.Browser(t)
	for name, path := range map[string]string{"spend": "", "spend-unmatched": "/unmatched", "spend-suppliers": "/suppliers", "spend-contracts": "/contracts", "spend-contract": "/contracts/con-contact", "spend-calendar": "/calendar", "spend-line": "/lines/AP240001"} {
		b.Check(t, name, webtest.Visit{URL: s.URL + "/staff/estate/spend" + path, Cookies: []*http.Cookie{{Name: "who", Value: "architect"}}}, http.StatusOK)
	}
}
