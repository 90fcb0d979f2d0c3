package httpclient

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector"
)

// net stands for the internet: what would be asked, and what would answer.
type internet func(*http.Request) (code int, location string)

func (n internet) RoundTrip(r *http.Request) (*http.Response, error) {
	code, location := n(r)
	return &http.Response{StatusCode: code, Header: http.Header{"Location": {location}}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

// Credentials stay with the declared origin, and are not given again on the way back.
func TestCredentialsStay(t *testing.T) {
	var got []string
	hops := map[string]string{
		"https://api.example.org/a":      "https://api.example.org/b",
		"https://api.example.org/b":      "https://api.example.org:8443/c",
		"https://api.example.org:8443/c": "https://other.example.org/d",
		"https://other.example.org/d":    "https://api.example.org/e",
		"https://api.example.org/down":   "http://api.example.org/",
	}
	c, err := New("https://api.example.org", connector.Auth{Bearer: "env:T", APIKey: connector.APIKey{Header: "X-Key", Value: "env:T"}},
		connector.Host{Secret: func(connector.Ref) (string, error) { return "s", nil }}, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	c.client.Transport = internet(func(r *http.Request) (int, string) {
		signed := "without"
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Key") != "" {
			signed = "with"
		}
		got = append(got, r.URL.String()+" "+signed)
		if to := hops[r.URL.String()]; to != "" {
			return 302, to
		}
		return 200, ""
	})
	if _, _, err := c.Do(t.Context(), Request{Method: "GET", Path: "/a", Follow: true}); err != nil {
		t.Fatal(err)
	}
	want := `https://api.example.org/a with
https://api.example.org/b with
https://api.example.org:8443/c without
https://other.example.org/d without
https://api.example.org/e without`
	if strings.Join(got, "\n") != want {
		t.Errorf("got\n%s", strings.Join(got, "\n"))
	}
	if _, _, err := c.Do(t.Context(), Request{Method: "GET", Path: "/down", Follow: true}); err == nil || !strings.Contains(err.Error(), "from https to http") {
		t.Error(err)
	}
}

// A certificate signs a connection and not a request: whoever we are led to does not
// lead us back with it.
func TestNobodyElseLeadsOurCertificate(t *testing.T) {
	hops := map[string]string{
		"https://api.example.org/a":   "https://other.example.org/b",
		"https://other.example.org/b": "https://api.example.org/approve?id=7",
		"https://api.example.org/c":   "https://api.example.org/d",
	}
	c, err := New("https://api.example.org", connector.Auth{Certificate: "env:C", Key: "env:K"}, connector.Host{}, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	c.client.Transport = internet(func(r *http.Request) (int, string) {
		got = append(got, r.URL.String())
		if to := hops[r.URL.String()]; to != "" {
			return 302, to
		}
		return 200, ""
	})
	if _, _, err := c.Do(t.Context(), Request{Method: "GET", Path: "/a", Follow: true}); err == nil || !strings.Contains(err.Error(), "certificate") || len(got) != 2 {
		t.Errorf("%v after %q", err, got)
	}
	if _, _, err := c.Do(t.Context(), Request{Method: "GET", Path: "/c", Follow: true}); err != nil {
		t.Errorf("within the declared origin: %v", err)
	}
	if _, err := New("https://user:hunter2@api.example.org", connector.Auth{}, connector.Host{}, 1, 0); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password in an address: %v", err)
	}
}
