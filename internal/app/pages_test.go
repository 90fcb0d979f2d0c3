package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/reeve-civic/reeve/client"
	"github.com/reeve-civic/reeve/demo"
	"github.com/reeve-civic/reeve/demo/notifysim"
	"github.com/reeve-civic/reeve/internal/app"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

// TestPages opens the house with the demo's definitions and input and reads every
// page of it, as staff, as a partner and as a resident: no link is dead, every
// page that the program serves is read, the main things can be done with forms
// alone, and a browser finds nothing wrong, on a phone and on a desk. A page that
// no link leads to and that is not listed here fails.
func TestPages(t *testing.T) {
	if testing.Short() {
		t.Skip("it reads every page")
	}
	v := openVillage(t)
	staff, partner, resident := v.guest(), v.guest(), v.guest()
	signIn := v.invite()
	staff.get(signIn)
	staff.submit("/staff/", nil)
	partner.get("/partner/sign-in")
	partner.submit("/partner/", url.Values{"token": {v.tokens["org-planning-portal"]}})
	optOut := v.optOut()

	v.withoutScripts(staff, partner, resident, optOut)
	partner.file("/partner/send/rec-planning-application.v1")

	pages := map[string]*guest{"/staff/sign-in": resident, "/partner/sign-in": resident, v.invite(): resident, optOut: resident,
		"/staff/deliveries/uncertain": staff, "/staff/sign-out": staff, "/staff/estate/search": staff, "/staff/estate/scenarios/try": staff, "/staff/estate/import/nothing": staff, "/staff/open/record/r1-1": staff, "/staff/map": staff}
	routes := unread(v.a.Handler().(*web.Mux).Routes())
	for _, start := range []struct {
		at string
		by *guest
	}{{"/", resident}, {"/staff/", staff}, {"/partner/", partner}} {
		maps.Copy(pages, crawl(t, start.at, start.by))
	}
	chosen := map[string]*guest{"/nowhere": staff, "/staff/cases/999999": staff}
	for _, p := range slices.Sorted(maps.Keys(pages)) {
		path, _, query := strings.Cut(p, "?")
		var is string // the pattern that says most of the path
		for route, re := range routes {
			if re.MatchString(path) && !query && !notPage.MatchString(path) && (is == "" || strings.Count(route, "{") < strings.Count(is, "{")) {
				is = route
			}
		}
		if is != "" {
			chosen[p] = pages[p]
			delete(routes, is)
		}
	}
	for route := range routes {
		t.Errorf("%s: no link leads to a page of it, and the test does not know one", route)
	}
	look(t, v.url, chosen)
}

// withoutScripts does the main things with forms alone: corrects a held record,
// closes a case, opts out.
func (v *village) withoutScripts(staff, partner, resident *guest, optOut string) {
	v.backOffice.set("refuse") // so that what is corrected is parked next
	held := partner.first("/partner/", "/partner/records/")
	staff.get(strings.Replace(held, "/partner/records/", "/staff/held/", 1))
	staff.submit("/staff/held", url.Values{"f/data/applicant/email": {"applicant@example.org"}})
	v.settle()
	if text := staff.get("/staff/held"); !strings.Contains(text, "/staff/parked/") {
		v.Error("what was corrected did not go on, and was not parked where the receiver refused it")
	}
	mistake := regexp.MustCompile(`href="(/staff/mistakes/[^"]+)">Data, property, squirrels`).FindStringSubmatch(staff.text)
	if mistake == nil {
		v.Fatal("no group is of the record with squirrels")
	}
	staff.get(mistake[1])
	staff.form("Try it on all of them").submit("/staff/mistakes/", url.Values{"source": {"root = this\nroot.data.property.squirrels = deleted()\nroot.data.user.role = \"applicant\"\nroot.data.application.declaration.accurate = true\nroot.files = []"}})
	action, correction := staff.form("Apply it to the").parse()
	correction.Set("do", "apply")
	if text := staff.read(staff.http.PostForm(action.String(), correction)); !strings.Contains(text, "Release now") {
		v.Error("a correction of many was not applied")
	}
	staff.get(staff.first("/staff/cases", "/staff/cases/"))
	for strings.Contains(staff.text, "Mark as done") {
		staff.form("Mark as done").submit("", url.Values{"done": {"yes"}})
	}
	outcome := regexp.MustCompile(`name="outcome"[^>]*value="([^"]+)"`).FindStringSubmatch(staff.text)
	if outcome == nil {
		v.Fatal("a case offers no way to close it")
	}
	staff.form("/close").submit("", url.Values{"outcome": outcome[1:]})
	if !strings.Contains(staff.text, "Closed") {
		v.Error("the case was not closed")
	}
	resident.get(optOut)
	resident.submit("", url.Values{"choice": {"out"}})
	if !strings.Contains(resident.text, "You opted out") {
		v.Error("nobody was opted out")
	}
}

// file sends a file in the form of a page.
func (g *guest) file(at string) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "applications.ndjson")
	if err == nil {
		_, err = io.WriteString(part, "{}\nnot a record\n")
	}
	if err := errors.Join(err, form.Close()); err != nil {
		g.v.Fatal(err)
	}
	g.read(g.http.Post(g.v.url+at, form.FormDataContentType(), &body))
	g.v.settle()
}

// notPage are files, and parts of pages.
var notPage = regexp.MustCompile(`\.(svg|ics|atom|md|csv|json)$|/export/|/search/hits$|/requests/similar$`)

// unread are the patterns of the pages that the program serves, still to be read.
func unread(routes []web.Route) map[string]*regexp.Regexp {
	out := map[string]*regexp.Regexp{}
	for _, r := range routes {
		path, ok := strings.CutPrefix(r.Pattern, "GET ")
		for _, other := range []string{"/v1/", "/x/", "/oauth2/", "/.well-known/", "/assets/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/calendar/"} {
			ok = ok && !strings.HasPrefix(path, other)
		}
		ok = ok && !notPage.MatchString(path)
		if ok {
			out[r.Pattern] = regexp.MustCompile("^" + regexp.MustCompile(`\\\{[^}]*\\\}`).ReplaceAllString(regexp.QuoteMeta(strings.TrimSuffix(path, "{$}")), "[^/]+") + "$")
		}
	}
	return out
}

// crawl follows links of this site from a page and returns the pages, with who
// reads them. Of pages that differ only in a number it reads a few.
func crawl(t *testing.T, start string, by *guest) map[string]*guest {
	const few = 3
	number := regexp.MustCompile(`[a-z]?[0-9][0-9a-z.-]*|m-[a-z0-9]+|(sys|cap|flow|ben|std|con|org|rm|obj|mea|bud|req|svc|site|ast|board|cmp|if|rec|agr|post|person|srv)-[a-z0-9.-]+`)
	area := strings.SplitN(start, "/", 3)[1]
	done, alike, from := map[string]*guest{}, map[string]int{}, map[string]string{start: "the start"}
	for todo := []string{start}; len(todo) > 0; todo = todo[1:] {
		p := todo[0]
		shape := number.ReplaceAllString(p, "N")
		if alike[shape]++; done[p] != nil || alike[shape] > few {
			continue
		}
		done[p] = by
		text := by.get(p)
		if by.status != http.StatusOK {
			t.Errorf("%s leads to %s: %d", from[p], p, by.status)
		}
		for _, m := range regexp.MustCompile(`href="([^"]+)"`).FindAllStringSubmatch(text, -1) {
			to, err := by.at.Parse(html.UnescapeString(m[1]))
			switch {
			case err != nil:
				t.Errorf("%s: %q is no address", p, m[1])
			case to.Host != by.at.Host || strings.HasPrefix(to.Path, "/assets/"):
			case to.Path == by.at.Path && to.Fragment != "" && !strings.Contains(text, `id="`+to.Fragment+`"`):
				t.Errorf("%s has nothing called #%s", p, to.Fragment)
			case from[to.RequestURI()] == "" && (area == "" || strings.HasPrefix(to.Path, start)):
				from[to.RequestURI()] = p
				if area != "" || !strings.HasPrefix(to.Path, "/staff/") && !strings.HasPrefix(to.Path, "/partner/") {
					todo = append(todo, to.RequestURI())
				}
			}
		}
	}
	return done
}

// look shows every page to a browser, two at a time.
func look(t *testing.T, base string, pages map[string]*guest) {
	c := webtest.Browser(t)
	todo := make(chan string)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for p := range todo {
				want := int64(http.StatusOK)
				if strings.Contains(p, "nowhere") || strings.Contains(p, "nothing") || strings.Contains(p, "999999") {
					want = http.StatusNotFound
				}
				for _, wrong := range c.Glance(webtest.Visit{URL: base + p, Cookies: pages[p].cookies(p)}, want) {
					t.Errorf("%s: %s", p, wrong)
				}
			}
		})
	}
	for _, p := range slices.Sorted(maps.Keys(pages)) {
		todo <- p
	}
	close(todo)
	wg.Wait()
	t.Logf("%d pages were looked at", len(pages))
}

// village is the demo's house in process, with simple receivers.
type village struct {
	*testing.T
	a          *app.App
	url        string
	tokens     map[string]string
	backOffice *peer
	notify     *notifysim.Server
}

func openVillage(t *testing.T) *village {
	v := &village{T: t, tokens: map[string]string{}, backOffice: &peer{how: "ok", keys: map[string]bool{}}}
	data, err := os.MkdirTemp("", "pages") // short: the operator's socket lives in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	serve := func(h http.Handler) string {
		s := httptest.NewServer(h)
		t.Cleanup(s.Close)
		return s.URL
	}
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	v.notify = notifysim.New(clock)
	env := map[string]string{
		"COUNCIL_TAX_URL": serve(&peer{how: "ok", keys: map[string]bool{}}), "ELECTORAL_REGISTER_URL": serve(&peer{how: "ok", keys: map[string]bool{}}),
		"PLANNING_BACK_OFFICE_URL": serve(v.backOffice), "LIBRARIES_DIR": "file://" + t.TempDir(), "NOTIFY_KEY": v.notify.APIKey(),
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { v.a.Handler().ServeHTTP(w, r) }))
	c := app.Config{Data: data, Defs: demo.Body(), Body: "Ashcombe Borough Council", Demo: true, Now: clock, BaseURL: "http://" + server.Listener.Addr().String(),
		Getenv: func(name string) string { return env[name] }, Log: slog.New(slog.DiscardHandler)}
	c.Notify.URL, c.Notify.Key = serve(v.notify), "env:NOTIFY_KEY"
	if v.a, err = app.Open(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	lists, names := demo.Lists()
	if err := os.CopyFS(filepath.Join(data, "lists"), lists); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := v.a.Operator().Call(t.Context(), "import", app.ImportList{Source: "auto", File: filepath.Join(data, "lists", name)}, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	server.Start()
	v.url = server.URL
	t.Cleanup(func() {
		server.Close()
		if err := v.a.Close(); err != nil {
			t.Error(err)
		}
	})
	v.feed(clock)
	return v
}

// feed plays the demo's senders: all of the past, a few fresh deaths with a
// mistake that is reversed, and somebody of whom it is not sure who is meant.
func (v *village) feed(clock func() time.Time) {
	for _, p := range demo.Partners() {
		var made app.NewToken
		if err := v.a.Operator().Call(v.Context(), "token/create", app.CreateToken{Party: p.ID, Label: "pages", Seconds: 86400}, &made); err != nil {
			v.Fatal(err)
		}
		v.tokens[p.ID] = made.Token
	}
	send := func(ctx context.Context, partner, recordType string, records []json.RawMessage) (statuses []string, err error) {
		c := client.Client{BaseURL: v.url, Token: v.tokens[partner]}
		receipts, err := c.Send(ctx, recordType, records)
		for _, r := range receipts {
			statuses = append(statuses, r.Status)
		}
		return statuses, err
	}
	feed := demo.Feed{Dir: v.TempDir(), Now: clock, Send: send}
	if err := feed.Open(); err != nil {
		v.Fatal(err)
	}
	for range 9 {
		if _, err := feed.Step(v.Context()); err != nil {
			v.Fatal(err)
		}
		v.settle()
	}
	for _, told := range []struct{ partner, typ, record string }{
		{"org-benefits", "rec-benefit-award.v1", `{"award":"AW-09001","madeUp":true,"benefit":"universal-credit","starts":"2026-09-01","claimant":{"name":{"given":"Max","family":"Miller"},"dateOfBirth":"1985-05-05","email":"parent@example.org"},"household":{"address":{"lines":["2 Low Road"],"town":"Ashcombe","postcode":"AS2 2BB"},"income":500000,"children":[{"name":{"given":"Kit","family":"Miller"},"dateOfBirth":"2016-06-06"}]}}`},
		{"org-register-office", "rec-death.v1", `{"registration":"ASH-2026-9003","status":"registered","registeredOn":"2026-11-01","dateOfDeath":"2026-10-30","deceased":{"name":{"given":"Max","family":"Miller"},"dateOfBirth":"1985-05-05","address":{"lines":["1 High Street"],"town":"Ashcombe","postcode":"ZZ9 9ZZ"}},"informant":{"name":{"given":"Ida","family":"Informant"},"email":"ida@example.org"}}`},
	} {
		if got, err := send(v.Context(), told.partner, told.typ, []json.RawMessage{json.RawMessage(told.record)}); err != nil || got[0] != "accepted" {
			v.Fatalf("%s: %v %v", told.typ, got, err)
		}
		v.settle()
	}
	v.many(send)
}

// many plays a file with a row that is held and one that is refused, and a record
// that goes through a flow in several steps.
func (v *village) many(send func(context.Context, string, string, []json.RawMessage) ([]string, error)) {
	for _, party := range []string{"org-parking", "org-housing"} {
		var made app.NewToken
		if err := v.a.Operator().Call(v.Context(), "token/create", app.CreateToken{Party: party, Label: "pages", Seconds: 86400}, &made); err != nil {
			v.Fatal(err)
		}
		v.tokens[party] = made.Token
	}
	c := client.Client{BaseURL: v.url, Token: v.tokens["org-parking"]}
	rows := "ticket,machine,paidOn,pence\nT00001,North,2026-11-01,120\nT00002,,2026-11-01,80\nT00003,North\n"
	status, err := c.SendFile(v.Context(), client.File{Type: "rec-parking-payment.v1", Name: "payments.csv", Body: strings.NewReader(rows)})
	if err != nil || status.Held != 1 || status.Refused != 1 {
		v.Fatalf("the file of payments: %+v %v", status, err)
	}
	move := `{"reference":"HM-0001","madeUp":true,"movedOn":"2026-11-01","tenant":"Max Miller","toLine":"2 Low Road","toPostcode":"AS2 2BB"}`
	if got, err := send(v.Context(), "org-housing", "rec-house-move.v1", []json.RawMessage{json.RawMessage(move)}); err != nil || got[0] != "accepted" {
		v.Fatalf("the house move: %v %v", got, err)
	}
	v.settle()
}

func (v *village) settle() {
	v.Helper()
	if err := v.a.Settle(v.Context()); err != nil {
		v.Fatal(err)
	}
}

// invite is the path of a link that signs in a member of staff.
func (v *village) invite() string {
	var in app.Invitation
	roles := []string{"caseworker", "architect", "integration", "governance", "steward", "admin"}
	if err := v.a.Operator().Call(v.Context(), "staff/invite", app.InviteStaff{Email: "alex@ashcombe.example", Roles: roles}, &in); err != nil {
		v.Fatal(err)
	}
	return strings.TrimPrefix(in.Link, v.url)
}

// optOut is the path of a link that a message gave to the parent of somebody who
// still lives.
func (v *village) optOut() string {
	link := regexp.MustCompile(`/opt-out/[A-Za-z0-9_-]+`)
	for _, n := range v.notify.Sent() {
		if m := link.FindString(fmt.Sprint(n)); m != "" && n.To == "parent@example.org" {
			return m
		}
	}
	v.Fatal("no message has a link to opt out")
	return ""
}

func (p *peer) set(how string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.how = how
}

// guest is a browser without scripts.
type guest struct {
	v      *village
	http   *http.Client
	jar    *cookiejar.Jar
	at     *url.URL
	text   string
	status int
	part   string // of the form to submit next
}

func (v *village) guest() *guest {
	jar, err := cookiejar.New(nil)
	if err != nil {
		v.Fatal(err)
	}
	return &guest{v: v, jar: jar, http: &http.Client{Jar: jar}}
}

func (b *guest) cookies(path string) []*http.Cookie {
	u, _ := url.Parse(b.v.url + path)
	return b.jar.Cookies(u)
}

func (b *guest) read(resp *http.Response, err error) string {
	b.v.Helper()
	if err != nil {
		b.v.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.v.Fatal(err)
	}
	b.at, b.text, b.status = resp.Request.URL, string(raw), resp.StatusCode
	return b.text
}

func (b *guest) get(path string) string {
	b.v.Helper()
	return b.read(b.http.Get(b.v.url + path))
}

// first is the first link on a page that begins like this.
func (b *guest) first(path, begins string) string {
	b.v.Helper()
	m := regexp.MustCompile(`href="(` + regexp.QuoteMeta(begins) + `[^"?]+)"`).FindStringSubmatch(b.get(path))
	if m == nil {
		b.v.Fatalf("%s has no link to %s", path, begins)
	}
	return m[1]
}

// form chooses the form that has part in it, its action or a button.
func (b *guest) form(part string) *guest { b.part = part; return b }

// submit fills in a form of the page within its main part, as it stands with with
// changed, and expects to land on a page below want.
func (b *guest) submit(want string, with url.Values) {
	b.v.Helper()
	action, fields := b.parse()
	for name, values := range with {
		if _, there := fields[name]; !there {
			b.v.Fatalf("the form on %s has no field %q", b.at.Path, name)
		}
		fields[name] = values
	}
	part := b.part
	b.part = ""
	b.read(b.http.PostForm(action.String(), fields))
	if b.status != http.StatusOK || !strings.HasPrefix(b.at.Path, want) {
		said := regexp.MustCompile(`(?s)error-summary__list.*?</ul>`).FindString(b.text)
		b.v.Fatalf("the form %q of %s led to %s: %d %s", part, action.Path, b.at.Path, b.status, said)
	}
}

// parse finds the form and what it would send: of choices and buttons only the
// names, for with to choose.
func (b *guest) parse() (*url.URL, url.Values) {
	b.v.Helper()
	doc, err := html.Parse(strings.NewReader(b.text))
	if err != nil {
		b.v.Fatal(err)
	}
	for main := range doc.Descendants() {
		if main.Data != "main" {
			continue
		}
		for f := range main.Descendants() {
			if f.Data != "form" || attribute(f, "method") != "post" || !strings.Contains(source(f), b.part) {
				continue
			}
			action, err := b.at.Parse(attribute(f, "action"))
			if err != nil {
				b.v.Fatal(err)
			}
			return action, values(f)
		}
	}
	b.v.Fatalf("%s has no form %q", b.at.Path, b.part)
	return nil, nil
}

// source is a node as HTML.
func source(n *html.Node) string {
	var s strings.Builder
	_ = html.Render(&s, n) // a strings.Builder takes everything
	return s.String()
}

func values(form *html.Node) url.Values {
	fields := url.Values{}
	for n := range form.Descendants() {
		name, kind := attribute(n, "name"), attribute(n, "type")
		switch {
		case name == "":
		case n.Data == "button" || kind == "radio" || kind == "checkbox":
			if fields[name] == nil {
				fields[name] = nil
			}
		case n.Data == "input":
			fields.Set(name, attribute(n, "value"))
		case n.Data == "textarea" && n.FirstChild != nil:
			fields.Set(name, n.FirstChild.Data)
		case n.Data == "textarea":
			fields.Set(name, "")
		case n.Data == "select":
			for o := range n.Descendants() {
				if o.Data == "option" && (!fields.Has(name) || slices.ContainsFunc(o.Attr, func(a html.Attribute) bool { return a.Key == "selected" })) {
					fields.Set(name, attribute(o, "value"))
				}
			}
		}
	}
	return fields
}

func attribute(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}
