package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

func clock() time.Time { return time.Unix(1_760_000_000, 0) }

// site is a Mux with a route for every kind of outcome, and what it logged.
type site struct {
	*web.Mux
	log      bytes.Buffer
	observed []string
}

func newSite(t *testing.T, change func(*web.Options)) *site {
	t.Helper()
	p, err := policy.New(
		policy.Rule{Name: "public", Actions: []string{"open.see"}, Kinds: []reeve.ActorKind{reeve.Anyone, reeve.Partner, reeve.Staff}, Max: reeve.Public, Doc: "everybody"},
		policy.Rule{Name: "staff", Actions: []string{"staff.see", "staff.change"}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Confidential, Doc: "staff"},
		policy.Rule{Name: "own", Actions: []string{"record.read"}, Kinds: []reeve.ActorKind{reeve.Partner}, Own: true, Max: reeve.Restricted, Doc: "a partner its own"},
	)
	if err != nil {
		t.Fatal(err)
	}
	s := &site{}
	o := web.Options{
		Policy: p, Now: clock, Body: "Ashcombe", Log: slog.New(slog.NewJSONHandler(&s.log, nil)),
		Observe: func(route string, status int, took time.Duration) {
			s.observed = append(s.observed, fmt.Sprintf("%s %d", route, status))
		},
	}
	if change != nil {
		change(&o)
	}
	s.Mux = web.New(o)
	s.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		switch token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); {
		case !found:
			return reeve.Actor{}, false, nil
		case token == "nhs":
			return reeve.Actor{ID: "partner/1", Kind: reeve.Partner, Party: "org-nhs", Assurance: reeve.Assurance{Identity: 2, Authentication: 2}}, true, nil
		}
		return reeve.Actor{}, false, reeve.E(reeve.Unauthenticated, "test", "the token is not known")
	})
	s.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		_, err := r.Cookie("staff")
		return reeve.Actor{ID: "staff/3", Kind: reeve.Staff, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, err == nil, nil
	})
	s.SignIn(web.StaffArea, "/staff/sign-in", "/staff/sign-out")
	fails := func(err error) web.Handler { return func(http.ResponseWriter, *http.Request) error { return err } }
	for kind, name := range map[reeve.Kind]string{reeve.Invalid: "invalid", reeve.NotFound: "missing", reeve.Conflict: "conflict", reeve.TooLarge: "large", reeve.Transient: "later", reeve.Forbidden: "forbidden"} {
		s.Handle("GET /v1/"+name, "open.see", fails(reeve.E(kind, "test", "told plainly")))
		s.Handle("GET /"+name, "open.see", fails(reeve.E(kind, "test", "told plainly")))
	}
	s.Handle("GET /v1/fault", "open.see", fails(errors.New("secret of the house")))
	s.Handle("GET /fault", "open.see", fails(errors.New("secret of the house")))
	s.Handle("GET /v1/panic", "open.see", func(http.ResponseWriter, *http.Request) error { panic("secret of the house") })
	s.Handle("GET /v1/problems", "open.see", fails(&web.Fail{
		Status: 422, Err: reeve.E(reeve.Invalid, "test", "two things are wrong"), More: map[string]any{"receipts": "/v1/submissions/7", "status": 1},
		Problems: []reeve.Problem{{Path: "/a", Message: "is missing"}, {Path: "/b", Message: "is no date"}},
	}))
	echo := func(w http.ResponseWriter, r *http.Request) error {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		return web.JSON(w, 200, map[string]any{"bytes": len(body), "actor": web.Actor(r.Context()).ID, "client": web.ClientIP(r.Context()).String()})
	}
	s.Handle("POST /v1/form", "open.see", echo)
	s.Handle("POST /v1/stream", "open.see", echo, web.Stream())
	s.Handle("POST /form", "open.see", echo)
	s.Handle("GET /v1/records/{id}", "record.read", func(w http.ResponseWriter, r *http.Request) error {
		if err := s.Decide(r.Context(), policy.Request{Action: "record.read", Party: r.PathValue("id")}); err != nil {
			return err
		}
		return web.JSON(w, 200, "yours")
	})
	page := func(w http.ResponseWriter, r *http.Request) error {
		return s.Render(w, r, web.Page{Title: "A page"}, templ.Raw("<h1>Hello</h1>"+strings.Repeat("<p>text</p>", 500)))
	}
	s.Handle("GET /staff/{$}", "staff.see", page)
	s.Handle("GET /staff/held/{id}", "staff.see", page)
	s.Handle("POST /staff/change", "staff.change", func(w http.ResponseWriter, r *http.Request) error {
		s.Flash(w, "It is <done>.")
		return web.Redirect(w, r, "/staff/")
	})
	s.Handle("GET /{$}", "open.see", page)
	s.Handle("GET /half", "open.see", func(w http.ResponseWriter, r *http.Request) error {
		_, _ = io.WriteString(w, "half an ")
		return errors.New("no more")
	})
	s.Nav(web.StaffArea, web.NavItem{Text: "Held", Href: "/staff/held", Action: "staff.see", Order: 2})
	s.Nav(web.StaffArea, web.NavItem{Text: "Today", Href: "/staff/", Action: "staff.see", Order: 1})
	s.Nav(web.StaffArea, web.NavItem{Text: "Keys", Href: "/staff/keys", Action: "keys.see", Order: 3})
	return s
}

func (s *site) do(method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestRouteWithoutActionPanics(t *testing.T) {
	s := newSite(t, nil)
	defer func() {
		if p := recover(); p == nil || !strings.Contains(fmt.Sprint(p), "GET /free") {
			t.Errorf("a route without an action was mounted: %v", p)
		}
	}()
	s.Handle("GET /free", "", func(http.ResponseWriter, *http.Request) error { return nil })
}

func TestErrors(t *testing.T) {
	s := newSite(t, nil)
	for name, want := range map[string]int{
		"invalid": 400, "missing": 404, "conflict": 409, "large": 413, "later": 503, "forbidden": 403, "fault": 500, "panic": 500, "problems": 422, "nothing-here": 404,
	} {
		t.Run(name, func(t *testing.T) {
			w := s.do("GET", "/v1/"+name)
			var p struct {
				Type, Title, Detail, Instance, Receipts string
				Status                                  int
				Problems                                []reeve.Problem
			}
			if w.Code != want || w.Header().Get("Content-Type") != "application/problem+json" {
				t.Fatalf("%d %s, want %d problem+json", w.Code, w.Header().Get("Content-Type"), want)
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil {
				t.Fatal(err)
			}
			if p.Status != want || p.Title == "" || !strings.HasPrefix(p.Type, "urn:reeve:problem:") || p.Instance != w.Header().Get("X-Request-Id") {
				t.Errorf("%+v", p)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Error("a fault told its details")
			}
			if name == "problems" && (len(p.Problems) != 2 || p.Receipts == "") {
				t.Errorf("problems are missing: %s", w.Body)
			}
			if name == "later" && w.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			if name == "panic" || name == "problems" {
				return
			}
			w = s.do("GET", "/"+name)
			if w.Code != want || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
				t.Errorf("page: %d %s", w.Code, w.Header().Get("Content-Type"))
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Error("a fault told its details on the page")
			}
		})
	}
}

func TestMethods(t *testing.T) {
	s := newSite(t, nil)
	w := s.do("DELETE", "/v1/form")
	if w.Code != 405 || w.Header().Get("Allow") != "POST" || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %q %s", w.Code, w.Header().Get("Allow"), w.Body)
	}
	if w := s.do("DELETE", "/staff/change"); w.Code != 405 || !strings.Contains(w.Body.String(), "<html") {
		t.Errorf("page: %d", w.Code)
	}
	if w := s.do("GET", "/staff", "Cookie", "staff=1"); w.Header().Get("Location") != "/staff/" {
		t.Errorf("/staff: %d %s", w.Code, w.Header().Get("Location"))
	}
	if w := s.do("HEAD", "/"); w.Code != 200 {
		t.Errorf("HEAD: %d", w.Code)
	}
}

func TestPolicyBeforeHandler(t *testing.T) {
	s := newSite(t, nil)
	for _, c := range []struct {
		path   string
		header []string
		want   int
	}{
		{"/v1/records/org-nhs", nil, 401},
		{"/v1/records/org-nhs", []string{"Authorization", "Bearer wrong"}, 401},
		{"/v1/records/org-nhs", []string{"Authorization", "Bearer nhs"}, 200},
		{"/v1/records/org-other", []string{"Authorization", "Bearer nhs"}, 403},
		{"/staff/", nil, 303},
		{"/staff/", []string{"Cookie", "staff=1"}, 200},
		{"/staff/", []string{"Authorization", "Bearer nhs"}, 403},
	} {
		w := s.do("GET", c.path, c.header...)
		if w.Code != c.want {
			t.Errorf("%s %v: %d, want %d", c.path, c.header, w.Code, c.want)
		}
		if c.want == 401 && w.Header().Get("WWW-Authenticate") != "Bearer" {
			t.Error("401 without WWW-Authenticate")
		}
		if c.want == 303 && w.Header().Get("Location") != "/staff/sign-in?next=%2Fstaff%2F" {
			t.Errorf("to %s", w.Header().Get("Location"))
		}
	}
}

func TestHeaders(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.Secure = true })
	for _, path := range []string{"/", "/v1/fault", "/nothing"} {
		h := s.do("GET", path).Header()
		csp := h.Get("Content-Security-Policy")
		if strings.Contains(csp, "unsafe") || !strings.Contains(csp, "default-src 'self'") || !strings.Contains(csp, "frame-ancestors 'none'") {
			t.Errorf("%s: %s", path, csp)
		}
		for _, name := range []string{"X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy", "Cross-Origin-Opener-Policy", "Strict-Transport-Security", "X-Request-Id"} {
			if h.Get(name) == "" {
				t.Errorf("%s: no %s", path, name)
			}
		}
		if h.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: Cache-Control %s", path, h.Get("Cache-Control"))
		}
	}
}

func TestCrossOrigin(t *testing.T) {
	s := newSite(t, nil)
	from := func(header ...string) int { return s.do("POST", "/form", header...).Code }
	if c := from("Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); c != 403 {
		t.Errorf("a form of another site was taken: %d", c)
	}
	if c := from("Origin", "http://example.com", "Sec-Fetch-Site", "same-origin"); c != 200 {
		t.Errorf("our own form was refused: %d", c)
	}
	if c := from("Authorization", "Bearer nhs", "Origin", "https://partner.example", "Sec-Fetch-Site", "cross-site"); c != 200 {
		t.Errorf("a bearer token was refused: %d", c)
	}
	if c := from("Authorization", "Basic YTpi", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"); c != 403 {
		t.Errorf("a form of another site with a password that the browser keeps was taken: %d", c)
	}
	if c := from(); c != 200 {
		t.Errorf("a program without a browser was refused: %d", c)
	}
}

func TestBodyLimits(t *testing.T) {
	s := newSite(t, nil)
	post := func(path string, n int) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", path, strings.NewReader(strings.Repeat("x", n)))
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w
	}
	if w := post("/v1/form", web.MaxForm); w.Code != 200 {
		t.Errorf("at the limit: %d", w.Code)
	}
	if w := post("/v1/form", web.MaxForm+1); w.Code != 413 || !strings.Contains(w.Body.String(), "1048576") {
		t.Errorf("above the limit: %d %s", w.Code, w.Body)
	}
	r := httptest.NewRequest("POST", "/v1/stream", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, r); w.Code != 400 {
		t.Errorf("a body that stops: %d %s", w.Code, w.Body)
	}
	if w := post("/v1/stream", 3*web.MaxForm); w.Code != 200 {
		t.Errorf("stream: %d", w.Code)
	}
}

func TestProxies(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")} })
	ask := func(remote string, header ...string) (client, id string) {
		r := httptest.NewRequest("POST", "/form", nil)
		r.RemoteAddr = remote
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		var got struct{ Client string }
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		return got.Client, w.Header().Get("X-Request-Id")
	}
	if c, id := ask("10.1.1.1:99", "X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.2.2.2", "X-Request-Id", "from-proxy"); c != "192.0.2.7" || id != "from-proxy" {
		t.Errorf("behind a proxy: %s %s", c, id)
	}
	if c, id := ask("192.0.2.1:99", "X-Forwarded-For", "1.2.3.4", "X-Request-Id", "forged"); c != "192.0.2.1" || id == "forged" {
		t.Errorf("a stranger's headers were believed: %s %s", c, id)
	}
	if _, id := ask("10.1.1.1:99", "X-Request-Id", "a\"b"); id == "a\"b" {
		t.Error("a strange request id was taken over")
	}
}

func TestLogHasNoPersonalData(t *testing.T) {
	s := newSite(t, nil)
	s.do("GET", "/staff/held/Rowan-Example?name=Rowan", "Cookie", "staff=1")
	s.do("GET", "/nothing/Rowan?q=Rowan")
	s.do("GET", "/v1/fault?q=Rowan")
	if strings.Contains(s.log.String(), "Rowan") {
		t.Errorf("the log has what was asked for:\n%s", s.log.String())
	}
	if !strings.Contains(s.log.String(), `"route":"GET /staff/held/{id}"`) || !strings.Contains(s.log.String(), `"actor":"staff/3"`) {
		t.Errorf("the log lacks the route or the actor:\n%s", s.log.String())
	}
	want := "[GET /staff/held/{id} 200 none 404 GET /v1/fault 500]"
	if got := fmt.Sprint(s.observed); got != want {
		t.Errorf("observed %s, want %s", got, want)
	}
}

func TestLayoutAndFlash(t *testing.T) {
	s := newSite(t, nil)
	w := s.do("GET", "/staff/held/7", "Cookie", "staff=1")
	body := w.Body.String()
	for _, want := range []string{`<html lang="en"`, "Skip to main content", "<title>A page – Staff – Ashcombe</title>", `href="/staff/held" aria-current="true"`, "Sign out"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(body, "Keys") {
		t.Error("the page shows a section that the policy denies")
	}
	if strings.Index(body, "Today") > strings.Index(body, ">Held") {
		t.Error("sections are not in order")
	}
	if strings.Contains(body, "style=") || strings.Contains(body, "<style") || strings.Contains(body, "<script>") {
		t.Error("the page has inline style or script")
	}
	w = s.do("POST", "/staff/change", "Cookie", "staff=1")
	if w.Code != 303 || w.Header().Get("Location") != "/staff/" {
		t.Fatalf("%d %s", w.Code, w.Header().Get("Location"))
	}
	flash := w.Result().Cookies()[0]
	w = s.do("GET", "/staff/", "Cookie", "staff=1; "+flash.Name+"="+flash.Value)
	if !strings.Contains(w.Body.String(), "It is &lt;done&gt;.") || w.Result().Cookies()[0].MaxAge >= 0 {
		t.Error("the notice was not shown once")
	}
	w = s.do("GET", "/staff/", "Cookie", "staff=1; "+flash.Name+"=Zm9yZ2Vk."+strings.Split(flash.Value, ".")[1])
	if strings.Contains(w.Body.String(), "forged") {
		t.Error("a forged notice was shown")
	}
}

func TestTimesAreLocal(t *testing.T) {
	s := newSite(t, func(o *web.Options) { o.Zone = time.FixedZone("BST", 3600) })
	s.Handle("GET /time", "open.see", func(w http.ResponseWriter, r *http.Request) error {
		return s.Render(w, r, web.Page{Title: "Time"}, ui.Time(time.Date(2026, 7, 31, 23, 30, 0, 0, time.UTC)))
	})
	if body := s.do("GET", "/time").Body.String(); !strings.Contains(body, "1 August 2026 at 12:30am") {
		t.Errorf("the page shows another time: %s", body)
	}
}

func TestCompression(t *testing.T) {
	s := newSite(t, nil)
	if w := s.do("GET", "/", "Accept-Encoding", "br, gzip;q=0.8"); w.Header().Get("Content-Encoding") != "gzip" || w.Body.Len() > 2000 {
		t.Errorf("%s, %d bytes", w.Header().Get("Content-Encoding"), w.Body.Len())
	}
	if w := s.do("GET", "/", "Accept-Encoding", "gzip;q=0"); w.Header().Get("Content-Encoding") != "" {
		t.Error("compressed against the client's wish")
	}
}

func TestRedirectStaysHere(t *testing.T) {
	for to, want := range map[string]bool{
		"/staff/": true, "/staff/held?page=2": true, "": false, "//evil.example/": false, "https://evil.example/": false,
		`/\evil.example`: false, "staff": false, "/\n/evil.example": false, "javascript:alert(1)": false,
	} {
		if web.LocalPath(to) != want {
			t.Errorf("LocalPath(%q) is %v", to, !want)
		}
	}
}

func TestAssets(t *testing.T) {
	s := newSite(t, nil)
	if err := s.Assets(); err != nil {
		t.Skip(err)
	}
	body := s.do("GET", "/").Body.String()
	i := strings.Index(body, "/assets/app-")
	if i < 0 {
		t.Fatal("the page has no style sheet")
	}
	path := body[i : i+strings.IndexByte(body[i:], '"')]
	w := s.do("GET", path, "Accept-Encoding", "gzip")
	h := w.Header()
	if w.Code != 200 || h.Get("Content-Encoding") != "gzip" || !strings.Contains(h.Get("Cache-Control"), "immutable") || !strings.HasPrefix(h.Get("Content-Type"), "text/css") {
		t.Errorf("%s: %d %v", path, w.Code, h)
	}
	css := s.do("GET", path).Body.String()
	for _, never := range []string{"GDS Transport", "@font-face", "crest", "url("} {
		if strings.Contains(css, never) {
			t.Errorf("the style sheet has %q", never)
		}
	}
	for _, path := range []string{"/assets/manifest.json", "/assets/../dist/manifest.json", path + ".gz", "/assets/"} {
		if w := s.do("GET", path); w.Code == 200 {
			t.Errorf("%s was served", path)
		}
	}
}

// TestServe runs the real server: half an answer breaks the connection, and the
// end of the context lets requests finish.
func TestServe(t *testing.T) {
	s := newSite(t, nil)
	entered, leave := make(chan struct{}), make(chan struct{})
	s.Handle("GET /slow", "open.see", func(w http.ResponseWriter, r *http.Request) error {
		close(entered)
		<-leave
		return web.JSON(w, 200, "done")
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- web.Serve(ctx, l, s, slog.New(slog.DiscardHandler)) }()
	base := "http://" + l.Addr().String()
	resp, err := http.Get(base + "/half")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	if err == nil {
		t.Error("half an answer was taken for a whole one")
	}
	slow := make(chan error, 1)
	go func() {
		resp, err := http.Get(base + "/slow")
		if err == nil {
			_ = resp.Body.Close()
		}
		slow <- err
	}()
	<-entered
	cancel()
	close(leave)
	if err := <-slow; err != nil {
		t.Errorf("a request under way was cut: %v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
