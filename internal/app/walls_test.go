package app_test

import (
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/app"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// Who may use which route. A route without a line here fails the test, as does a
// line without its route. "staff" are all roles of staff, "sender" is the partner
// with an agreement, * is everybody.
const walls = `
GET /{$}                                    *
GET /healthz                                *
GET /readyz                                 *
GET /metrics                                *
GET /openapi.json                           *
GET /v1/schemas/{type}                      *
GET /entitlements                           *
GET /entitlements/{id}                      *
POST /entitlements/{id}                     *
GET /opt-out/{token}                        *
POST /opt-out/{token}                       *
GET /staff/sign-in                          *
GET /staff/sign-in/{token}                  *
POST /staff/sign-in/{token}                 *
GET /partner/sign-in                        *
POST /partner/sign-in                       *
POST /partner/sign-out                      *

POST /v1/records/{type}                     sender
GET /v1/records/{id}                        partner caseworker integration admin
GET /v1/submissions/{id}/receipts           partner caseworker integration admin
POST /v1/files/{type}                       sender
GET /v1/files/{id}                          partner caseworker integration admin
GET /v1/files/{id}/faults                   partner caseworker integration admin
POST /v1/files/{id}/rows                    partner
POST /v1/files/{id}/end                     partner
POST /v1/hooks/{interface}                  nobody
POST /v1/notify/callback                    nobody
GET /partner/{$}                            partner
GET /partner/records/{id}                   partner caseworker integration admin

GET /staff/{$}                              staff
GET /staff/map                              staff
GET /staff/estate                           staff
GET /staff/estate/systems                   staff
GET /staff/estate/systems/{id}              staff
GET /staff/estate/standards/{id}            staff
GET /staff/estate/capabilities              staff
GET /staff/estate/capabilities/{id}         staff
GET /staff/estate/portfolio                 staff
GET /staff/estate/portfolio/systems/{id}    staff
GET /staff/estate/portfolio/retire          staff
GET /staff/estate/portfolio/costs           staff
GET /staff/estate/portfolio/health          staff
GET /staff/estate/portfolio/health/{id}     staff
GET /staff/estate/map                       staff
GET /staff/estate/map.svg                   staff
GET /staff/estate/changes                   staff
GET /staff/estate/search                    staff
GET /staff/estate/search/hits               staff
GET /staff/estate/roadmap                   staff
GET /staff/estate/roadmap/items/{id}        staff
GET /staff/estate/roadmap/budget            staff
GET /staff/estate/objectives                staff
GET /staff/estate/objectives/{id}           staff
GET /staff/estate/measures                  staff
GET /staff/estate/measures/{id}             staff
GET /staff/estate/waivers                   staff
GET /staff/estate/waivers.json              staff
GET /staff/estate/spend                     staff
GET /staff/estate/spend/unmatched           staff
GET /staff/estate/spend/lines/{id}          staff
POST /staff/estate/spend/lines/{id}         architect integration admin
GET /staff/estate/spend/suppliers           staff
GET /staff/estate/spend/contracts           staff
GET /staff/estate/spend/contracts/{id}      staff
GET /staff/estate/spend/calendar            staff
GET /staff/estate/spend/calendar.ics        staff
GET /staff/estate/spend/calendar/subscribe  staff
POST /staff/estate/spend/calendar/subscribe staff
GET /calendar/{file}                        *
GET /staff/estate/assets                    staff
GET /staff/estate/assets/{id}               staff
POST /staff/estate/assets/{id}/state        architect integration admin
POST /staff/estate/assets/{id}/lost         staff
GET /staff/estate/seats                     staff
GET /staff/estate/attest                    staff
POST /staff/estate/attest                   staff
GET /staff/estate/risk                      staff
POST /staff/estate/risk/done                architect integration admin
GET /staff/estate/products                  architect integration admin
POST /staff/estate/products                 architect integration admin
GET /staff/estate/owners                    staff
GET /staff/estate/carbon                    staff
GET /staff/estate/standards                 staff
GET /staff/estate/standards/library/{code}  staff
POST /staff/estate/standards/library/{code}/choose architect integration admin
POST /staff/estate/standards/{id}/drop      architect integration admin
GET /staff/estate/scenarios                 staff
GET /staff/estate/scenarios/try             staff
GET /staff/estate/scenarios/{name}          staff
GET /staff/requests                         staff
GET /staff/requests/new                     staff
POST /staff/requests/new                    staff
GET /staff/requests/similar                 staff
GET /staff/requests/emerging                staff
GET /staff/requests/{id}                    staff
GET /staff/requests/{id}/dpia               staff
GET /staff/requests/{id}/dpia.md            staff
POST /staff/requests/{id}/decide            architect governance admin
POST /staff/requests/{id}/answer            staff
POST /staff/requests/{id}/withdraw          staff
POST /staff/requests/{id}/check             staff
POST /staff/requests/{id}/environment       staff
POST /staff/requests/{id}/system            architect integration admin
GET /staff/boards                           staff
GET /staff/boards/{id}                      staff
POST /staff/boards/{id}/decide              architect governance admin
GET /services                               *
GET /services/whats-new                     *
GET /services/feed.atom                     *
GET /services/{id}                          *
POST /services/{id}/feedback                *
GET /staff/services                         staff
GET /staff/services/whats-new               staff
GET /staff/services/links                   staff
POST /staff/services/links                  architect integration admin
GET /staff/services/{id}                    staff
POST /staff/services/{id}/feedback          staff
POST /staff/services/{id}/feedback/{n}      staff
GET /staff/estate/for                       staff
GET /staff/estate/for/{reader}              staff
GET /staff/estate/export                    staff
GET /staff/estate/export/{format}           staff
GET /staff/estate/edit                      architect integration admin
GET /staff/estate/edit/{kind}/{id}          architect integration admin
POST /staff/estate/edit/{kind}/{id}         architect integration admin
GET /staff/estate/new/{kind}                architect integration admin
POST /staff/estate/new/{kind}               architect integration admin
GET /staff/estate/history/{kind}/{id}       staff
GET /staff/estate/import                    architect integration admin
POST /staff/estate/import                   architect integration admin
GET /staff/estate/import/{id}               architect integration admin
POST /staff/estate/import/{id}              architect integration admin
GET /staff/flows                            staff
GET /staff/flows/{id}                       staff
GET /staff/flows/alerts                     staff
GET /staff/flows/{id}/edit                  architect integration admin
POST /staff/flows/{id}/edit                 architect integration admin
POST /staff/flows/{id}/examples             integration admin
GET /staff/journal                          governance integration admin
POST /staff/journal/verify                  governance integration admin
GET /staff/deliveries/uncertain             caseworker integration admin
POST /staff/deliveries/{flow}/{n}           caseworker integration admin
GET /staff/processes                        staff
GET /staff/processes/{id}                   staff
GET /staff/processes/{id}/{n}               caseworker integration admin
POST /staff/processes/{id}/{n}              caseworker integration admin
GET /staff/feeds                            caseworker integration admin
GET /staff/feeds/{id}                       caseworker integration admin
POST /staff/feeds/{id}/run                  caseworker integration admin
GET /staff/files/new                        caseworker integration admin
POST /staff/files                           caseworker integration admin
GET /staff/files/{id}                       caseworker integration admin
GET /staff/files/{id}/problems.csv          caseworker integration admin
GET /partner/files                          partner
GET /partner/files/{id}                     partner
GET /partner/files/{id}/problems.csv        partner
GET /partner/send/{type}                    sender
POST /partner/send/{type}                   sender
GET /staff/held                             caseworker integration admin steward
GET /staff/held/{id}                        caseworker integration admin steward
POST /staff/held                            caseworker integration admin steward
POST /staff/held/{id}/correct               caseworker integration admin steward
POST /staff/held/{id}/json                  caseworker integration admin steward
POST /staff/held/{id}/discard               caseworker integration admin steward
GET /staff/mistakes/{id}                    caseworker integration admin steward
POST /staff/mistakes/{id}                   caseworker integration admin steward
GET /staff/corrections                      caseworker integration admin steward
GET /staff/corrections/{id}                 caseworker integration admin steward
POST /staff/corrections/{id}                caseworker integration admin steward
POST /staff/corrections/{id}/approve        caseworker integration admin steward
POST /staff/rules/{id}                      caseworker integration admin steward
GET /staff/open/{kind}/{id}                 steward
POST /staff/open/{kind}/{id}                steward
GET /partner/corrections                    partner
GET /partner/corrections.csv                partner
GET /staff/parked/{flow}/{n}                caseworker integration admin steward
POST /staff/parked/{flow}/{n}               caseworker integration admin steward
GET /staff/records                          caseworker integration admin
GET /staff/records/{id}                     caseworker integration admin
GET /staff/people/matches                   caseworker governance admin
GET /staff/people/matches/{id}              caseworker governance admin
POST /staff/people/matches/{id}             caseworker governance admin
GET /staff/entitlements                     caseworker governance admin
GET /staff/entitlements/{id}                caseworker governance admin
POST /staff/entitlements/{id}               caseworker admin
GET /staff/life-events                      caseworker governance admin
GET /staff/life-events/{id}                 caseworker governance admin
GET /staff/messages                         caseworker governance admin
GET /staff/messages/{id}                    caseworker governance admin
POST /staff/messages/{id}/again             caseworker admin
GET /staff/cases                            caseworker governance admin
GET /staff/cases/{id}                       caseworker governance admin
POST /staff/cases/{id}/assign               caseworker admin
POST /staff/cases/{id}/tasks/{n}            caseworker admin
POST /staff/cases/{id}/notes                caseworker admin
POST /staff/cases/{id}/reopen               caseworker admin
POST /staff/cases/{id}/close                caseworker admin
GET /staff/sign-out                         staff
POST /staff/sign-out                        staff
`

var staffRoles = []string{"caseworker", "architect", "integration", "governance", "steward", "admin"}

// caller is somebody at the front door.
type caller struct {
	name   string
	token  string
	client *http.Client
}

// may reports whether the words of a line mean the caller.
func (v caller) may(words []string) bool {
	for _, w := range words {
		if w == "*" || w == v.name || w == "sender" && v.name == "partner org-school" || w == "partner" && strings.HasPrefix(v.name, "partner") || w == "staff" && slices.Contains(staffRoles, v.name) {
			return true
		}
	}
	return false
}

func (v caller) ask(t *testing.T, method, url, body string) (int, string, http.Header) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if v.token != "" {
		req.Header.Set("Authorization", "Bearer "+v.token)
	}
	if method == http.MethodPost && !strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	res, err := v.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text), res.Header
}

// walled is a house with everybody who comes to it.
type walled struct {
	a       *app.App
	url     string
	callers []caller
}

func openWalled(t *testing.T) *walled {
	t.Helper()
	defs := filepath.Join(t.TempDir(), "defs")
	if err := os.CopyFS(defs, os.DirFS("../../examples/first")); err != nil {
		t.Fatal(err)
	}
	other := "apiVersion: reeve/v1\nkind: Organisation\nmetadata: {id: org-other, name: Another}\nspec: {type: partner}\n"
	if err := os.WriteFile(filepath.Join(defs, "other.yaml"), []byte(other), 0o644); err != nil {
		t.Fatal(err)
	}
	w := &walled{}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { w.a.Handler().ServeHTTP(rw, r) }))
	w.url = "http://" + server.Listener.Addr().String()
	var err error
	w.a, err = app.Open(t.Context(), app.Config{Data: t.TempDir(), Defs: os.DirFS(defs), BaseURL: w.url, Log: slog.New(slog.DiscardHandler),
		Getenv: func(string) string { return "file://" + t.TempDir() }})
	if err != nil {
		t.Fatal(err)
	}
	server.Start()
	t.Cleanup(func() {
		server.Close()
		if err := w.a.Close(); err != nil {
			t.Error(err)
		}
	})
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	w.callers = []caller{{name: "anyone", client: &http.Client{CheckRedirect: stay}}}
	for _, org := range []string{"org-school", "org-other"} {
		var tok app.NewToken
		if err := w.a.Operator().Call(t.Context(), "token/create", app.CreateToken{Party: org, Seconds: 3600}, &tok); err != nil {
			t.Fatal(err)
		}
		w.callers = append(w.callers, caller{name: "partner " + org, token: tok.Token, client: &http.Client{CheckRedirect: stay}})
	}
	for _, role := range staffRoles {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		v := caller{name: role, client: &http.Client{CheckRedirect: stay, Jar: jar}}
		var in app.Invitation
		if err := w.a.Operator().Call(t.Context(), "staff/invite", app.InviteStaff{Email: role + "@town.example", Roles: []string{role}}, &in); err != nil {
			t.Fatal(err)
		}
		if code, text, _ := v.ask(t, http.MethodPost, in.Link, ""); code != http.StatusSeeOther {
			t.Fatal(role, code, text)
		}
		w.callers = append(w.callers, v)
	}
	return w
}

var placeholder = regexp.MustCompile(`\{[^}]+\}`)

// TestWalls asks every route as everybody: those who may are not turned away,
// all others are, with an answer that fits the area.
func TestWalls(t *testing.T) {
	cases := map[string][]string{}
	for line := range strings.Lines(walls) {
		if f := strings.Fields(line); len(f) > 2 {
			cases[f[0]+" "+f[1]] = f[2:]
		}
	}
	w := openWalled(t)
	routes := w.a.Routes()
	slices.SortStableFunc(routes, func(a, b web.Route) int { // whoever signs out is somebody else afterwards
		return strings.Index(a.Pattern, "sign-out") - strings.Index(b.Pattern, "sign-out")
	})
	for _, r := range routes {
		words, ok := cases[r.Pattern]
		if !ok {
			t.Errorf("%s (%s) is new: say in walls who may use it", r.Pattern, r.Action)
			continue
		}
		delete(cases, r.Pattern)
		method, path, _ := strings.Cut(r.Pattern, " ")
		path = placeholder.ReplaceAllStringFunc(path, func(s string) string {
			return map[string]string{"{$}": "", "{n}": "1", "{type}": "rec-pupil.v1"}[s] + map[bool]string{true: "r1-99"}[s != "{$}" && s != "{n}" && s != "{type}"]
		})
		for _, v := range w.callers {
			code, text, header := v.ask(t, method, w.url+path, "a=b")
			turnedAway := code == 401 || code == 403 || code == 303 && strings.Contains(header.Get("Location"), "sign-in?")
			switch {
			case code >= 500:
				t.Errorf("%s as %s: %d %s", r.Pattern, v.name, code, text)
			case v.may(words) == turnedAway && !strings.Contains(r.Pattern, "sign-in"):
				t.Errorf("%s as %s: %d, and the walls say %v", r.Pattern, v.name, code, words)
			case turnedAway && v.name != "anyone" && code != 403 && words[0] != "nobody":
				t.Errorf("%s as %s: %d, want 403: they are known and may not", r.Pattern, v.name, code)
			case turnedAway && v.name == "anyone" && method == "GET" && strings.HasPrefix(path, "/staff/") && code != 303:
				t.Errorf("%s: %d: who is not signed in is led to where they can", r.Pattern, code)
			}
		}
	}
	for pattern := range maps.Keys(cases) {
		t.Errorf("walls tells of %s, which is not there", pattern)
	}
}

// TestForeignThings asks for what is another's.
func TestForeignThings(t *testing.T) {
	w := openWalled(t)
	mine, other := w.callers[1], w.callers[2]
	secret := "Quetzalcoatlus"
	code, text, _ := mine.ask(t, "POST", w.url+"/v1/records/rec-pupil.v1",
		`{"pupil":"P0001","name":{"given":"Ada","family":"`+secret+`"},"starts":"2026-09-01"}`+"\n"+`{"pupil":"P0002","name":{"given":"`+secret+`"}}`+"\n"+`{"pupil":`+"\n")
	if code != 202 || !strings.Contains(text, `"r1-1"`) || !strings.Contains(text, `"r1-2"`) {
		t.Fatal(code, text)
	}
	var big strings.Builder
	for range 2100 {
		big.WriteString(`{"pupil":"P0001"}` + "\n")
	}
	_, _, header := mine.ask(t, "POST", w.url+"/v1/records/rec-pupil.v1", big.String())
	receipts := regexp.MustCompile(`</v1/submissions/[^>]+>`).FindString(header.Get("Link"))
	if receipts == "" {
		t.Fatal("no link to the receipts", header)
	}
	if err := w.a.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	refused := regexp.MustCompile(`"x1-[0-9]+"`).FindString(text)
	_, text, header = mine.ask(t, "POST", w.url+"/v1/files/rec-pupil.v1", `{"name":"`+secret+`.ndjson","sha256":"`+strings.Repeat("0", 64)+`"}`)
	file := header.Get("Location")
	if file == "" {
		t.Fatal("no file", text)
	}
	for _, path := range []string{file, file + "/faults", "/partner" + strings.TrimPrefix(file, "/v1"), "/partner" + strings.TrimPrefix(file, "/v1") + "/problems.csv", "/v1/records/r1-1", "/v1/records/r1-2", "/v1/records/" + strings.Trim(refused, `"`), strings.Trim(receipts, "<>"), "/partner/records/r1-1", "/partner/records/r1-2"} {
		if code, text, _ := mine.ask(t, "GET", w.url+path, ""); code != 200 {
			t.Errorf("%s of its sender: %d %s", path, code, text)
		}
		for _, v := range w.callers {
			code, text, _ := v.ask(t, "GET", w.url+path, "")
			staff := v.may([]string{"caseworker", "integration", "admin"})
			if v.name == mine.name || staff {
				continue
			}
			if code == 200 || strings.Contains(text, secret) || v.name == other.name && code != 404 {
				t.Errorf("%s as %s: %d %s", path, v.name, code, text)
			}
		}
	}
	// What is not another's is answered no differently from what is not there.
	_, a, _ := other.ask(t, "GET", w.url+"/v1/records/r1-1", "")
	_, b, _ := other.ask(t, "GET", w.url+"/v1/records/r1-9999", "")
	hide := regexp.MustCompile(`"instance":"[^"]*"|r1-[0-9]+`)
	if hide.ReplaceAllString(a, "") != hide.ReplaceAllString(b, "") {
		t.Errorf("told apart:\n%s\n%s", a, b)
	}
	code, text, _ = other.ask(t, "GET", w.url+"/partner/", "")
	if code != 200 || strings.Contains(text, "r1-1") || strings.Contains(text, secret) {
		t.Errorf("%d %s", code, text)
	}
	// A sender may not send in another's name, nor what it has no agreement for.
	if code, text, _ := other.ask(t, "POST", w.url+"/v1/records/rec-pupil.v1", `{"pupil":"P0003"}`); code != 403 {
		t.Errorf("%d %s", code, text)
	}
}

// TestOddRequests asks every route for what cannot be, in path, query and form:
// the answer is never a fault of ours.
func TestOddRequests(t *testing.T) {
	w := openWalled(t)
	odd := []string{"%00", "%ff%fe", "r1-1%00", "..%2f..%2fetc%2fpasswd", "-1", "99999999999999999999", "%27%20or%201%3D1--", "%3Cscript%3E", strings.Repeat("x", 5000), "%E2%80%AE", "{{.}}", "%0d%0aX-Header:%20x"}
	query := "?page=%00&q=%ff&after=-1&before=99999999999999999999&type=%00&state=%ff&sort=%27&from=2026-02-30&status=x&n=1e9&role=%00&owner=%ff&capability=%00&id=%00&%00=1"
	names := []string{"id", "n", "reason", "body", "name", "note", "outcome", "choice", "decision", "token", "match", "task", "to", "email", "why", "value", "/name/family", "json", "record", "select", "held", "next"}
	for _, r := range w.a.Routes() {
		if strings.Contains(r.Pattern, "sign-out") {
			continue
		}
		method, path, _ := strings.Cut(r.Pattern, " ")
		for _, o := range odd {
			var form strings.Builder
			for _, n := range names {
				form.WriteString(n + "=" + o + "&")
			}
			p := placeholder.ReplaceAllStringFunc(path, func(s string) string { return map[bool]string{false: o}[s == "{$}"] })
			for _, v := range []caller{w.callers[1], w.callers[len(w.callers)-1]} { // a partner and the administrator
				if code, text, header := v.ask(t, method, w.url+p+query, form.String()); code >= 500 || header.Get("X-Header") != "" || strings.Contains(text, "<script>") {
					t.Errorf("%s with %.40s as %s: %d %.300s", r.Pattern, o, v.name, code, text)
				}
			}
		}
		if method == "POST" && !strings.HasPrefix(path, "/v1/records") {
			if code, _, _ := w.callers[len(w.callers)-1].ask(t, method, w.url+placeholder.ReplaceAllString(path, "1"), "a="+strings.Repeat("x", 20<<20)); code >= 500 {
				t.Errorf("%s with a form of 20 MB: %d", r.Pattern, code)
			}
		}
	}
}
