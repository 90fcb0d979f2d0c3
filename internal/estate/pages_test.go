package estate_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/portfolio"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standing"
	"github.com/reeve-civic/reeve/internal/estate/waiver"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

// site serves the estate's pages to an architect.
func site(t testing.TB, fsys fstest.MapFS) (*httptest.Server, *web.Mux) {
	t.Helper()
	now := func() time.Time { return day }
	at := snapshot(t, load(t, fsys), now(), demoInterfaces())
	p, err := policy.New(policy.Rule{
		Name: "estate", Actions: []string{portfolio.Action}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal, Doc: "staff see the estate",
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := web.New(web.Options{Policy: p, Now: now, Log: slog.New(slog.DiscardHandler), Body: "Ashcombe Borough Council"})
	mux.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		c, err := r.Cookie("who")
		return reeve.Actor{ID: "staff/3", Kind: reeve.Staff, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, err == nil && c.Value == "architect", nil
	})
	desk := register.Desk{Mux: mux, At: func(context.Context, def.Date) (*register.Snapshot, error) { return at, nil }}
	(&portfolio.Desk{Desk: desk}).Mount(mux)
	(&standing.Desk{Desk: desk}).Mount(mux)
	(&waiver.Desk{Desk: desk}).Mount(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s, mux
}

var architect = &http.Cookie{Name: "who", Value: "architect"}

func get(t testing.TB, address string, cookies ...*http.Cookie) (int, string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies {
		req.AddCookie(c)
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
	return resp.StatusCode, string(body)
}

var href = regexp.MustCompile(`href="([^"]+)"`)

// TestEveryLinkLeadsSomewhere starts at the estate and follows every link to a
// page of the estate: all must be there, and what a number counts must be in the
// list that it leads to.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	s, _ := site(t, demo(t))
	seen := map[string]bool{}
	todo := []string{"/staff/estate"}
	for len(todo) > 0 {
		at := todo[0]
		todo = todo[1:]
		status, body := get(t, s.URL+at, architect)
		if status != http.StatusOK || !strings.Contains(body, "<h1") {
			t.Errorf("%s: status %d", at, status)
		}
		for _, m := range href.FindAllStringSubmatch(body, -1) {
			to, _, _ := strings.Cut(html.UnescapeString(m[1]), "#")
			elsewhere := strings.HasPrefix(to, "/staff/estate/export/") || strings.HasPrefix(to, "/staff/estate/spend/") // rooms that are not mounted here
			if strings.HasPrefix(to, "/staff/estate") && !elsewhere && !seen[to] {
				seen[to] = true
				todo = append(todo, to)
			}
		}
	}
	if len(seen) < 64+6+60 {
		t.Errorf("only %d pages were reached", len(seen))
	}
}

// TestNumbersAreTheLists checks that each count of a standard is the length of
// the list behind it.
func TestNumbersAreTheLists(t *testing.T) {
	fsys := demo(t)
	s, _ := site(t, fsys)
	r := report(t, load(t, fsys), day, demoInterfaces())
	for _, x := range r.Outcome.Standings {
		for result, n := range map[string]int{"fail": x.Fail, "unknown": x.Unknown, "waived": x.Waived, "pass": x.Pass} {
			list(t, s.URL, url.Values{"standard": {x.ID}, "result": {result}}, n)
		}
	}
	list(t, s.URL, url.Values{"owner": {"missing"}}, len(r.Ownerless))
	list(t, s.URL, url.Values{"q": {"PLANNING"}}, 2)
	list(t, s.URL, url.Values{"hosting": {"unknown"}}, 2)
	list(t, s.URL, url.Values{"capability": {"cap-council-tax"}, "hosting": {"on-premise"}}, 1)
	list(t, s.URL, url.Values{"capability": {"cap-nothing"}}, 0)
	list(t, s.URL, url.Values{"organisation": {"org-register-office"}}, 1)
	list(t, s.URL, url.Values{"page": {"-7"}}, 64)
}

func list(t *testing.T, base string, q url.Values, n int) {
	t.Helper()
	_, body := get(t, base+"/staff/estate/systems?"+q.Encode(), architect)
	want := fmt.Sprintf("<strong>%d systems</strong>", n)
	if n == 1 {
		want = "<strong>1 system</strong>"
	}
	if rows := strings.Count(body, `<th scope="row"`); !strings.Contains(body, want) || rows != n {
		t.Errorf("%s: %d rows, want %d", q.Encode(), rows, n)
	}
}

// TestWhatThePagesSay looks for what a reader must find on them.
func TestWhatThePagesSay(t *testing.T) {
	files := demo(t)
	files["systems/zz.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-zz, name: 'Nobody <knows>', formerly: [sys-before]}\nspec: {}\n")}
	s, _ := site(t, files)
	for path, want := range map[string][]string{
		"/staff/estate":                                         {"£3,326,733", "at least: 3 contracts have no cost", "Notice dates", "passed", "Ended, but still relied on"},
		"/staff/estate/systems/sys-council-tax":                 {"61,000 homes", "Not met", "What to do:", "It can only be used from a machine on which it was installed.", ">Register office</a>", "£412,000", "shared by 3 systems", "116 delivered"},
		"/staff/estate/systems/sys-homelessness":                {"The waiver wav-003 ended on 13 September 2026 and no longer counts."},
		"/staff/estate/systems/sys-children":                    {"Waived, ending soon", "Waived until 31 December 2026, which is soon"},
		"/staff/estate/systems/sys-hospital-pas":                {"not to us"},
		"/staff/estate/systems/sys-zz":                          {"Nobody &lt;knows&gt;", "Not known", "To know it:", "what the system costs is not known"},
		"/staff/estate/standards/std-security":                  {"We check people as strongly as the data they see is sensitive", "facts.requiredIdentity", "At most 90 days"},
		"/staff/estate/capabilities/cap-reporting":              {"Not chosen yet", "Reporting"},
		"/staff/estate/capabilities":                            {"Building block", "More than needed", "no system of ours"},
		"/staff/estate/systems?q=%22%3E%3Cscript%3Ealert(1)":    {"&#34;&gt;&lt;script&gt;", "No system is like that."},
		"/staff/estate/systems?standard=std-cloud&result=fail":  {"“In the cloud", "Show all"},
		"/staff/estate/systems?cost=unknown&hosting=on-premise": {"Our own premises"},
	} {
		status, body := get(t, s.URL+path, architect)
		if status != http.StatusOK {
			t.Errorf("%s: status %d", path, status)
		}
		text := strings.Join(strings.Fields(body), " ")
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%s does not say %q", path, w)
			}
		}
	}
	for path, want := range map[string]int{
		"/staff/estate/systems/sys-nothing":      404,
		"/staff/estate/standards/std-nothing":    404,
		"/staff/estate/capabilities/cap-nothing": 404,
		"/staff/estate/systems/sys-before":       303, // its id before: to the one it has now
	} {
		if status, _ := get(t, s.URL+path, architect); status != want {
			t.Errorf("%s: status %d, want %d", path, status, want)
		}
	}
}

// TestStrangersSeeNothing asks for every route without signing in.
func TestStrangersSeeNothing(t *testing.T) {
	s, mux := site(t, demo(t))
	for _, route := range mux.Routes() {
		path, ok := strings.CutPrefix(route.Pattern, "GET ")
		if !ok || !strings.HasPrefix(path, "/staff/estate") {
			continue
		}
		status, body := get(t, s.URL+strings.ReplaceAll(path, "{id}", "sys-council-tax"))
		if status == http.StatusOK || strings.Contains(body, "Council tax") {
			t.Errorf("%s: status %d for a stranger", path, status)
		}
	}
}

// TestPagesInABrowser looks at the pages on a phone, on a desk and without scripts.
func TestPagesInABrowser(t *testing.T) {
	s, mux := site(t, demo(t))
	if err := mux.Assets(); err != nil {
		t.Skip(err)
	}
	b := webtest.Browser(t)
	for name, path := range map[string]string{
		"estate": "/staff/estate", "estate-systems": "/staff/estate/systems?standard=std-security&result=fail", "estate-system": "/staff/estate/systems/sys-council-tax",
		"estate-standard": "/staff/estate/standards/std-security", "estate-standards": "/staff/estate/standards", "estate-library": "/staff/estate/standards/library/SEC-01?result=fail", "estate-capabilities": "/staff/estate/capabilities", "estate-capability": "/staff/estate/capabilities/cap-payments",
	} {
		b.Check(t, name, webtest.Visit{URL: s.URL + path, Cookies: []*http.Cookie{architect}}, http.StatusOK)
	}
}
