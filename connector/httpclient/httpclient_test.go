package httpclient_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/httpclient"
)

type secrets map[connector.Ref]string

func (s secrets) host() connector.Host {
	return connector.Host{Secret: func(r connector.Ref) (string, error) {
		if v, ok := s[r]; ok {
			return v, nil
		}
		return "", errors.New("a secret is not set: give " + string(r))
	}}
}

func client(t *testing.T, address string, auth connector.Auth, host connector.Host) *httpclient.Client {
	t.Helper()
	c, err := httpclient.New(address, auth, host, 4, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func get(t *testing.T, c *httpclient.Client, path string) (int, string, error) {
	t.Helper()
	resp, _, err := c.Do(t.Context(), httpclient.Request{Method: "GET", Path: path, Follow: true})
	if err != nil {
		return 0, "", errors.New(httpclient.Reason(err))
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), err
}

// shows answers with what came of our credentials.
var shows = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	cn := ""
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		cn = r.TLS.PeerCertificates[0].Subject.CommonName
	}
	user, password, _ := r.BasicAuth()
	fmt.Fprintf(w, "%s|%s|%s|%s:%s|%s", r.Proto, r.Header.Get("Authorization"), r.Header.Get("X-Api-Key"), user, password, cn)
})

func TestMutualTLS(t *testing.T) {
	ours, other := connectortest.NewAuthority(t), connectortest.NewAuthority(t)
	srv := httptest.NewUnstartedServer(shows)
	srv.TLS = ours.Server(t, true, "127.0.0.1")
	srv.EnableHTTP2, srv.Config.ErrorLog = true, log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	cert, key := ours.Issue(t, "reeve client")
	strange, strangeKey := other.Issue(t, "somebody")
	s := secrets{"env:CA": ours.PEM, "env:CERT": cert, "env:KEY": key}
	auth := connector.Auth{Authority: "env:CA", Certificate: "env:CERT", Key: "env:KEY"}
	c := client(t, srv.URL, auth, s.host())
	if code, body, err := get(t, c, "/"); err != nil || code != 200 || !strings.HasPrefix(body, "HTTP/2.0|") || !strings.HasSuffix(body, "|reeve client") {
		t.Errorf("%d %q %v", code, body, err)
	}
	// A certificate that was changed is used without a new client, once there is a new connection.
	s["env:CERT"], s["env:KEY"] = strange, strangeKey
	c.Close()
	if _, body, err := get(t, c, "/"); err == nil || strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("somebody else's certificate: %q %v", body, err)
	}
	for name, wrong := range map[string]secrets{
		"no certificate known there": {"env:CA": other.PEM, "env:CERT": cert, "env:KEY": key},
		"another key":                {"env:CA": ours.PEM, "env:CERT": cert, "env:KEY": strangeKey},
		"not a certificate":          {"env:CA": "hunter2", "env:CERT": cert, "env:KEY": key},
		"a secret is missing":        {"env:CA": ours.PEM, "env:CERT": cert},
	} {
		_, wrote, err := client(t, srv.URL, auth, wrong.host()).Do(t.Context(), httpclient.Request{Method: "POST", Body: []byte("{}")})
		if err == nil || wrote {
			t.Errorf("%s: wrote %v, %v", name, wrote, err)
		} else if m := httpclient.Reason(err); strings.Contains(m, "hunter2") || strings.Contains(m, "PRIVATE") || strings.Contains(m, "BEGIN") {
			t.Errorf("%s: the error tells the secret: %s", name, m)
		}
	}
	if _, _, err := get(t, client(t, srv.URL, connector.Auth{Authority: "env:CA"}, s.host()), "/"); err == nil {
		t.Error("taken without a certificate")
	}
	if _, _, err := get(t, client(t, srv.URL, connector.Auth{}, s.host()), "/"); err == nil || !strings.Contains(err.Error(), "auth.authority") {
		t.Errorf("an authority that is not known: %v", err)
	}
}

func TestKeyAndPassword(t *testing.T) {
	srv := httptest.NewServer(shows)
	defer srv.Close()
	s := secrets{"env:K": "k-1", "env:U": "reeve", "env:P": "p:w"}
	c := client(t, srv.URL, connector.Auth{APIKey: connector.APIKey{Header: "X-API-Key", Value: "env:K"}, User: "env:U", Password: "env:P"}, s.host())
	if _, body, err := get(t, c, "/"); err != nil || !strings.Contains(body, "|k-1|reeve:p:w|") {
		t.Errorf("%q %v", body, err)
	}
	s["env:K"] = "k-2"
	if _, body, err := get(t, c, "/"); err != nil || !strings.Contains(body, "|k-2|") {
		t.Errorf("a key that was changed: %q %v", body, err)
	}
	s["env:K"] = "k-3\r\nX-Other: 1"
	if _, _, err := get(t, c, "/"); err == nil || strings.Contains(err.Error(), "k-3") {
		t.Errorf("a key with a line break: %v", err)
	}
}

// giver is an authorization server.
type giver struct {
	mu      sync.Mutex
	given   int
	live    map[string]bool
	lasts   int
	seen    url.Values
	refuses string // answers with this error
	then    string
}

func (g *giver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	id, secret, _ := r.BasicAuth()
	id, _ = url.QueryUnescape(id)
	secret, _ = url.QueryUnescape(secret)
	_ = r.ParseForm()
	g.seen = r.PostForm
	switch {
	case g.then != "":
		http.Redirect(w, r, g.then, http.StatusTemporaryRedirect)
	case g.refuses != "" || id != "cli:ent" || secret != "s&cret" || r.PostForm.Get("grant_type") != "client_credentials":
		w.Header().Set("Retry-After", "11")
		w.WriteHeader(400)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": g.refuses, "error_description": "s&cret is wrong"})
	default:
		g.given++
		token := fmt.Sprintf("token-%d", g.given)
		g.live[token] = true
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token, "token_type": "bearer", "expires_in": g.lasts})
	}
}

func TestOAuth(t *testing.T) {
	g := &giver{live: map[string]bool{}, lasts: 600}
	idp := httptest.NewServer(g)
	defer idp.Close()
	hits := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits++
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		g.mu.Lock()
		ok := g.live[token]
		g.mu.Unlock()
		if !ok {
			w.WriteHeader(401)
			return
		}
		fmt.Fprint(w, token)
	}))
	defer srv.Close()
	s := secrets{"env:SECRET": "s&cret", "env:TOKENS": idp.URL + "/token", "env:CLIENT": "cli:ent"}
	host := s.host()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	host.Now = func() time.Time { return now }
	c := client(t, srv.URL, connector.Auth{OAuth: connector.OAuth{TokenURL: "env:TOKENS", Client: "env:CLIENT", Secret: "env:SECRET", Scope: "deaths.write x"}}, host)
	want := func(token string, givenNow int) {
		t.Helper()
		if _, body, err := get(t, c, "/"); err != nil || body != token || g.given != givenNow {
			t.Errorf("token %q, want %q; %d given, want %d; %v", body, token, g.given, givenNow, err)
		}
	}
	want("token-1", 1)
	want("token-1", 1) // kept
	if g.seen.Get("scope") != "deaths.write x" {
		t.Errorf("%v", g.seen)
	}
	now = now.Add(9*time.Minute + 45*time.Second)
	want("token-2", 2) // shortly before its end
	g.mu.Lock()
	g.live = map[string]bool{}
	g.mu.Unlock()
	want("token-3", 3) // refused before its end: once more
	g.mu.Lock()
	g.live = nil
	g.live = map[string]bool{}
	g.refuses = "invalid_client"
	g.mu.Unlock()
	hits = 0
	_, wrote, err := c.Do(t.Context(), httpclient.Request{Method: "POST", Body: []byte("{}")})
	var auth *httpclient.AuthError
	if !errors.As(err, &auth) || wrote || auth.After != 11*time.Second || hits != 1 || !strings.Contains(err.Error(), "invalid_client") || strings.Contains(err.Error(), "s&cret") {
		t.Errorf("no token: wrote %v, %d requests, %v", wrote, hits, err)
	}
	// The secret follows no redirect.
	g.mu.Lock()
	g.refuses, g.then = "", srv.URL
	g.mu.Unlock()
	if _, _, err = get(t, c, "/"); err == nil || hits != 1 {
		t.Errorf("redirect of the authorization server: %v, %d", err, hits)
	}
}

// A request that is under way when many want a token asks for one only.
func TestOAuthOnce(t *testing.T) {
	g := &giver{live: map[string]bool{}}
	idp := httptest.NewServer(g)
	defer idp.Close()
	srv := httptest.NewServer(shows)
	defer srv.Close()
	s := secrets{"env:S": "s&cret"}
	c := client(t, srv.URL, connector.Auth{OAuth: connector.OAuth{TokenURL: idp.URL, Client: "cli:ent", Secret: "env:S"}}, s.host())
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if resp, _, err := c.Do(context.Background(), httpclient.Request{Method: "GET"}); err != nil {
				t.Error(err)
			} else {
				httpclient.Drain(resp)
			}
		})
	}
	wg.Wait()
	if g.given != 1 {
		t.Errorf("%d tokens", g.given)
	}
}

// Every hop is checked after DNS; somebody listens at each address that must not be
// reached.
func TestRedirects(t *testing.T) {
	dns := connectortest.NewDNS(t)
	inside := 0
	metadata := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside++ }))
	defer metadata.Close()
	_, port, _ := net.SplitHostPort(metadata.Listener.Addr().String())
	dns.Set("here.example.org", []string{"127.0.0.1"})
	dns.Set("meta.example.org", []string{"169.254.169.254"})
	dns.Set("intern.example.org", []string{"10.0.0.1"})
	dns.Set("rebind.example.org", []string{"203.0.113.7"}, []string{"127.0.0.1"})
	to := ""
	var seen []string
	mux := http.NewServeMux()
	mux.HandleFunc("/go", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", to)
		w.WriteHeader(http.StatusFound)
	})
	mux.HandleFunc("/in/circles", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/in/circles", http.StatusTemporaryRedirect)
	})
	mux.HandleFunc("/data", func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header.Get("Authorization"))
		fmt.Fprint(w, "data")
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	s := secrets{"env:T": "s3cret"}
	var asked []string
	host := s.host()
	host.Address = func(_, address string) error { asked = append(asked, address); return nil }
	c := client(t, srv.URL, connector.Auth{Bearer: "env:T"}, host)
	for _, target := range []string{
		metadata.URL, "http://localhost:" + port, "http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://2130706433:" + port, "http://127.1:" + port,
		"http://0x7f.0.0.1:" + port, "//127.0.0.1:" + port + "/x", "http://0.0.0.0:" + port, "http://here.example.org:" + port, "http://meta.example.org/latest/meta-data",
		"http://intern.example.org", "http://169.254.169.254/", "http://[fd00:ec2::254]/", "http://rebind.example.org:" + port, "http://10.0.0.1/",
		"file:///etc/passwd", "gopher://127.0.0.1:" + port, "http://user:pw@example.org/", "http://a b/", "",
	} {
		to = target
		_, _, err := get(t, c, "/go")
		if err == nil {
			t.Errorf("a redirect to %s is followed", target)
		} else if strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "169.254") {
			t.Errorf("%s: the error says too much: %v", target, err)
		}
	}
	if inside != 0 {
		t.Errorf("%d requests reached what is inside", inside)
	}
	for _, target := range []string{"/data", srv.URL + "/data"} {
		to = target
		if _, body, err := get(t, c, "/go"); err != nil || body != "data" {
			t.Errorf("%s: %q %v", target, body, err)
		}
	}
	if strings.Join(seen, ",") != "Bearer s3cret,Bearer s3cret" || len(asked) == 0 {
		t.Errorf("credentials %q, asked about %q", seen, asked)
	}
	if _, _, err := get(t, c, "/in/circles"); err == nil || !strings.Contains(err.Error(), "more than 5") {
		t.Errorf("circles: %v", err)
	}
	to = "/data"
	resp, _, err := c.Do(t.Context(), httpclient.Request{Method: "POST", Path: "/go", Body: []byte("{}")})
	if err != nil || resp.StatusCode != 302 {
		t.Errorf("a POST follows: %v", err)
	}
}

// The declared address itself may lead inside by DNS, too.
func TestDeclaredNameThatLeadsInside(t *testing.T) {
	dns := connectortest.NewDNS(t)
	hits := 0
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits++ }))
	defer srv.Close()
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	for name, to := range map[string]string{"loop.example.org": "127.0.0.1", "six.example.org": "::1", "meta.example.org": "169.254.169.254"} {
		dns.Set(name, []string{to})
		c := client(t, "http://"+net.JoinHostPort(name, port), connector.Auth{}, connector.Host{})
		if _, wrote, err := c.Do(t.Context(), httpclient.Request{Method: "POST", Body: []byte("{}")}); err == nil || wrote || hits != 0 {
			t.Errorf("%s: wrote %v, %v", name, wrote, err)
		}
	}
}

// Proxies of the environment are not used: they would be asked in place of the system.
func TestNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	srv := httptest.NewServer(shows)
	defer srv.Close()
	if code, _, err := get(t, client(t, srv.URL, connector.Auth{}, connector.Host{}), "/"); err != nil || code != 200 {
		t.Error(code, err)
	}
}

func TestWithin(t *testing.T) {
	c := client(t, "https://api.example.org/v1", connector.Auth{}, connector.Host{})
	for link, want := range map[string]string{
		"?page=2": "/people?page=2", "/v1/people?page=2": "/people?page=2", "https://API.example.org:443/v1/x%2Fy": "/x%2Fy", "places": "/places",
		"/v2/people": "", "https://evil.example.org/v1/": "", "http://api.example.org/v1/": "", "//evil.example.org/v1": "", "../v10/x": "", "/v10": "",
		"https://u:p@api.example.org/v1/x": "", "::": "",
	} {
		got, ok := c.Within("/people?page=1", link)
		if got != want || ok != (want != "") {
			t.Errorf("%s: %q %v, want %q", link, got, ok, want)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"": 0, "5": 5 * time.Second, "-5": 0, "99999999": time.Hour, "x": 0,
		"Sun, 01 Mar 2026 12:00:30 GMT": 30 * time.Second, "Sun, 01 Mar 2026 11:00:00 GMT": 0,
	} {
		h := http.Header{"Date": {"Sun, 01 Mar 2026 12:00:00 GMT"}, "Retry-After": {value}}
		if got := httpclient.RetryAfter(h); got != want {
			t.Errorf("%s: %v", value, got)
		}
	}
}
