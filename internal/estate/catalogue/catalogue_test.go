package catalogue_test

import (
	"context"
	"encoding/xml"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

const services = `
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-town, name: Ashcombe Borough Council}
spec: {type: council}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-waste, name: Waste rounds}
spec: {organisation: org-town, owner: post-waste-manager}
---
apiVersion: reeve/v1
kind: Service
metadata: {id: svc-bins, name: Report a missed bin, formerly: [svc-rubbish]}
spec:
  description: Tell us if your bin was not emptied on its day.
  audience: public
  owner: post-waste-manager
  organisation: org-town
  systems: [sys-waste]
  channels: {online: "http://bins.example.gov.uk/missed", phone: true, paper: false}
  request: http://bins.example.gov.uk/missed
  support: waste@ashcombe.example
  hours: Monday to Friday, 9am to 5pm
  words: [rubbish, refuse]
  updated: 2026-10-01
  research: {last: 2026-03-01, participants: 9}
---
apiVersion: reeve/v1
kind: Service
metadata: {id: svc-skip, name: Permit for a skip}
spec: {audience: public, description: Put a skip on the road., systems: [sys-waste], request: /services, withdrawn: 2026-12-31}
---
apiVersion: reeve/v1
kind: Service
metadata: {id: svc-old, name: Garden waste stickers}
spec: {audience: public, withdrawn: 2026-01-01}
---
apiVersion: reeve/v1
kind: Service
metadata: {id: svc-laptop, name: Ask for a laptop}
spec: {audience: staff, owner: post-service-desk-manager, request: "/staff/services?audience=staff", systems: [sys-waste]}
---
apiVersion: reeve/v1
kind: Service
metadata: {id: svc-lost, name: Report a lost phone}
spec: {audience: staff, request: /nowhere/at/all}
`

// checker reaches one server whatever it asks for.
func checker(address string) *catalogue.Checker {
	return &catalogue.Checker{Pause: time.Millisecond, Limit: time.Minute, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", address)
	}}
}

type house struct {
	*testing.T
	now    time.Time
	set    *def.Set
	acts   []def.Activation
	sets   map[string]*def.Set
	keeper *catalogue.Keeper
	site   *httptest.Server
	links  *httptest.Server
}

func load(t testing.TB, text string) *def.Set {
	t.Helper()
	set, problems := def.Load(fstest.MapFS{"x.yaml": {Data: []byte(text)}}, def.NewRegistry(estate.Kinds()...))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set
}

// use puts a set in force.
func (h *house) use(text string) {
	h.set = load(h, text)
	h.sets[h.set.Hash()] = h.set
	h.acts = append([]def.Activation{{N: int64(len(h.acts) + 1), Hash: h.set.Hash(), At: h.now}}, h.acts...)
}

func (h *house) at(ctx context.Context, on def.Date) (*register.Snapshot, error) {
	m, problems := register.Compile(h.set)
	if len(problems) > 0 {
		h.Fatal(problems)
	}
	s := register.New(register.Parts{Model: m, At: h.now})
	return s, s.Judge(ctx, catalogue.Fill, h.keeper.FillLinks)
}

func open(t *testing.T, db *store.DB, h *house) {
	t.Helper()
	h.T, h.sets, h.acts = t, map[string]*def.Set{}, nil
	h.use(services)
	keys, err := seal.Open(t.Context(), db, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(t.Context(), db, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h.links = httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(h.links.Close)
	h.keeper, err = catalogue.NewKeeper(t.Context(), catalogue.Options{
		DB: db, Keys: keys, Journal: j, Now: func() time.Time { return h.now },
		Sets:    func(context.Context, int) ([]def.Activation, error) { return h.acts, nil },
		Earlier: func(_ context.Context, hash string) (*def.Set, error) { return h.sets[hash], nil },
		Checker: checker(h.links.Listener.Addr().String()),
		Links:   func() ([]string, error) { return catalogue.AllAddresses(h.set, def.DateOf(h.now)), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	everybody := []reeve.ActorKind{reeve.Anyone, reeve.Staff}
	p, err := policy.New(policy.Rule{Name: "public", Actions: []string{"public.catalogue", "catalogue.feedback"}, Kinds: everybody},
		policy.Rule{Name: "staff", Actions: []string{"estate.read", "catalogue.settle", "catalogue.check"}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal})
	if err != nil {
		t.Fatal(err)
	}
	mux := web.New(web.Options{Policy: p, Now: func() time.Time { return h.now }, Log: slog.New(slog.DiscardHandler), Body: "Ashcombe Borough Council"})
	mux.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		_, err := r.Cookie("who")
		return reeve.Actor{ID: "staff/3", Kind: reeve.Staff, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, err == nil, nil
	})
	(&catalogue.Desk{Desk: register.Desk{Mux: mux, At: h.at}, Keeper: h.keeper, Body: "Ashcombe Borough Council", BaseURL: "https://services.ashcombe.example"}).Mount(mux)
	h.site = httptest.NewServer(mux)
	t.Cleanup(h.site.Close)
}

func (h *house) ask(staff bool, method, path string, form url.Values) (int, string) {
	h.Helper()
	req, err := http.NewRequest(method, h.site.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		h.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if staff {
		req.AddCookie(&http.Cookie{Name: "who", Value: "x"})
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		h.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.Fatal(err)
	}
	return resp.StatusCode, strings.Join(strings.Fields(string(b)), " ")
}

// says checks what a page says; "!x" that it does not say x.
func (h *house) says(staff bool, path string, want ...string) {
	h.Helper()
	status, body := h.ask(staff, "GET", path, nil)
	if status != 200 {
		h.Errorf("%s: status %d", path, status)
	}
	for _, w := range want {
		if not, ok := strings.CutPrefix(w, "!"); ok == strings.Contains(body, not) {
			h.Errorf("%s: %q", path, w)
		}
	}
}

func each(t *testing.T, fn func(h *house)) {
	h := &house{now: start}
	storetest.EachClock(t, func() time.Time { return h.now }, func(t *testing.T, db *store.DB) {
		h.now = start
		open(t, db, h)
		fn(h)
	})
}

func TestCatalogueForResidents(t *testing.T) {
	each(t, func(h *house) {
		h.says(false, "/services", "Report a missed bin", "Permit for a skip", "!Garden waste stickers", "!laptop")
		h.says(false, "/services?q=rubbish+bins", "1 service<", "Report a missed bin", "!Permit for a skip")
		h.says(false, "/services?q=%22%3E%3Cscript%3E", "0 services<", "!<script>")
		h.says(false, "/services/svc-bins", "Tell us if your bin was not emptied", "Waste manager", "Monday to Friday", "mailto:waste@ashcombe.example", "Online and by phone", "Start now", "Do not give names")
		h.says(false, "/services/svc-old", "It ended on 1 January 2026", "!Start now")
		if status, _ := h.ask(false, "GET", "/services/svc-laptop", nil); status != 404 {
			h.Error("residents see what is for staff", status)
		}
		if status, _ := h.ask(false, "GET", "/services/svc-rubbish", nil); status != 303 {
			h.Error("an id it had before does not lead to it", status)
		}
		h.says(true, "/staff/services", "Ask for a laptop", "Report a missed bin", "Not known", "Works", "Broken")
		h.says(true, "/staff/services/svc-bins", "Waste rounds", "If it stops, this service stops and so do", "Permit for a skip", "Ask for a laptop", "32 days ago", "9 people")
		if status, _ := h.ask(false, "GET", "/staff/services", nil); status != 401 {
			h.Error("strangers see what staff see", status)
		}
	})
}

func TestFeedback(t *testing.T) {
	each(t, func(h *house) {
		say := func(useful, text string) int {
			status, _ := h.ask(false, "POST", "/services/svc-bins/feedback", url.Values{"useful": {useful}, "text": {text}})
			return status
		}
		if status, body := h.ask(false, "POST", "/services/svc-bins/feedback", url.Values{"text": {"kept <b>"}}); status != 400 || !strings.Contains(body, `href="#useful"`) || !strings.Contains(body, "kept &lt;b&gt;") {
			h.Error(status, body)
		}
		if status := say("no", strings.Repeat("x", 1201)); status != 400 {
			h.Error(status)
		}
		if status := say("no", "The phone number is wrong."); status != 303 {
			h.Error(status)
		}
		if status := say("yes", ""); status != 303 {
			h.Error(status)
		}
		h.says(false, "/services/svc-bins", "!The phone number is wrong.")
		h.says(true, "/staff/services", "helped 1 of 2; 2 to settle")
		h.says(true, "/staff/services/svc-bins", "The phone number is wrong.", "It did not help", "It helped")
		if status, _ := h.ask(false, "POST", "/staff/services/svc-bins/feedback/1", url.Values{"note": {"x"}}); status == 303 {
			h.Error("a stranger settles", status)
		}
		if status, _ := h.ask(true, "POST", "/staff/services/svc-bins/feedback/1", url.Values{}); status != 400 {
			h.Error("settled without a word", status)
		}
		for i, want := range []int{303, 409} {
			if status, _ := h.ask(true, "POST", "/staff/services/svc-bins/feedback/1", url.Values{"note": {"Corrected."}}); status != want {
				h.Error(i, status)
			}
		}
		h.says(true, "/staff/services/svc-bins", "Settled: Corrected. (staff/3)")
		// Enough is enough, for ten minutes.
		for range 3 {
			say("no", "x")
		}
		if status := say("no", "x"); status != 400 {
			h.Error("not limited", status)
		}
		h.now = h.now.Add(10 * time.Minute)
		if status := say("no", "x"); status != 303 {
			h.Error("limited for ever", status)
		}
	})
}

func TestNews(t *testing.T) {
	each(t, func(h *house) {
		h.says(false, "/services/whats-new", "Nothing has changed")
		h.now = h.now.Add(24 * time.Hour)
		next := strings.Replace(services, "9am to 5pm", "8am to 6pm", 1)
		next = strings.Replace(next, "withdrawn: 2026-12-31}", "withdrawn: 2026-11-01}", 1)
		next += "---\napiVersion: reeve/v1\nkind: Service\nmetadata: {id: svc-pitch, name: Book a pitch}\nspec: {audience: public}\n---\napiVersion: reeve/v1\nkind: Service\nmetadata: {id: svc-desk, name: Book a desk}\nspec: {audience: staff}\n"
		h.use(next)
		h.says(false, "/services/whats-new", "Book a pitch", "It is new.", "Changed: its hours.", "It is withdrawn from 2026-11-01.", "3 November 2026", "!Book a desk", "!Garden")
		h.says(true, "/staff/services/whats-new", "Book a pitch", "Book a desk")
		h.now = h.now.Add(24 * time.Hour)
		h.use(services)
		h.says(false, "/services/whats-new", "It is no longer offered.")
		status, body := h.ask(false, "GET", "/services/feed.atom", nil)
		var feed struct {
			XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
			Updated string   `xml:"updated"`
			Entries []struct {
				ID string `xml:"id"`
			} `xml:"entry"`
		}
		if err := xml.Unmarshal([]byte(body), &feed); status != 200 || err != nil {
			h.Fatal(status, err)
		}
		ids := map[string]bool{}
		for _, e := range feed.Entries {
			ids[e.ID] = true
		}
		if len(feed.Entries) != 6 || len(ids) != 6 || feed.Updated != "2026-11-04T09:00:00Z" {
			h.Errorf("%d entries, %d ids, updated %s: %s", len(feed.Entries), len(ids), feed.Updated, body)
		}
	})
}

func TestLinksAndFacts(t *testing.T) {
	each(t, func(h *house) {
		facts := func(id string) map[string]any {
			s, err := h.at(h.Context(), def.Date{})
			if err != nil {
				h.Fatal(err)
			}
			t := s.Tables.Of("Service")
			return t.Facts(t.Find(id))
		}
		if f := facts("svc-bins"); f["requestLinkOk"] != nil || f["updatedAgeDays"] != int64(32) || f["researchAgeDays"] != int64(246) {
			h.Error(f)
		}
		if facts("svc-laptop")["requestLinkOk"] != true || facts("svc-lost")["requestLinkOk"] != false || facts("svc-old")["requestLinkOk"] != false {
			h.Error("links to pages of this program are not known")
		}
		if n, err := h.keeper.Step(h.Context()); n != 0 || err != nil {
			h.Error("links are followed though nobody asked", n, err)
		}
		if status, _ := h.ask(false, "POST", "/staff/services/links", url.Values{}); status == 303 {
			h.Error("a stranger has links followed")
		}
		if status, _ := h.ask(true, "POST", "/staff/services/links", url.Values{}); status != 303 {
			h.Error(status)
		}
		h.says(true, "/staff/services/links", "1 link is being followed")
		if n, err := h.keeper.Step(h.Context()); n != 1 || err != nil {
			h.Error(n, err)
		}
		if n, err := h.keeper.Step(h.Context()); n != 0 || err != nil {
			h.Error("followed again", n, err)
		}
		if f := facts("svc-bins"); f["requestLinkOk"] != false {
			h.Error(f)
		}
		h.says(true, "/staff/services/links", "The site says that the page is not there", "Gone", "!being followed")
		h.says(true, "/staff/services?show=broken", "Report a missed bin", "!Ask for a laptop")
	})
}

func TestPages(t *testing.T) {
	c := webtest.Browser(t)
	h := &house{now: start}
	open(t, storetest.Open(t, func() time.Time { return h.now }), h)
	h.ask(false, "POST", "/services/svc-bins/feedback", url.Values{"useful": {"no"}, "text": {"The phone number is wrong."}})
	h.ask(true, "POST", "/staff/services/links", url.Values{})
	if _, err := h.keeper.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	h.now = h.now.Add(time.Hour)
	h.use(strings.Replace(services, "9am to 5pm", "8am to 6pm", 1))
	who := []*http.Cookie{{Name: "who", Value: "x"}}
	for name, path := range map[string]string{"services": "/services", "service": "/services/svc-bins", "whats-new": "/services/whats-new"} {
		c.Check(t, name, webtest.Visit{URL: h.site.URL + path}, 200)
	}
	for name, path := range map[string]string{"staff-services": "/staff/services", "staff-service": "/staff/services/svc-bins", "staff-links": "/staff/services/links", "staff-whats-new": "/staff/services/whats-new"} {
		c.Check(t, name, webtest.Visit{URL: h.site.URL + path, Cookies: who}, 200)
	}
}
