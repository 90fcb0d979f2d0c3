package exporter_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/exporter"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

var staff = &http.Cookie{Name: "who", Value: "staff"}

func site(t testing.TB) (*httptest.Server, *web.Mux) {
	t.Helper()
	at := demo(t)
	p, err := policy.New(policy.Rule{Name: "read", Actions: []string{register.Read}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal, Doc: "staff"})
	if err != nil {
		t.Fatal(err)
	}
	mux := web.New(web.Options{Policy: p, Now: func() time.Time { return day }, Log: slog.New(slog.DiscardHandler), Body: "Ashcombe Borough Council"})
	mux.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		_, err := r.Cookie("who")
		return reeve.Actor{ID: "staff/3", Kind: reeve.Staff, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, err == nil, nil
	})
	(&exporter.Desk{Desk: register.Desk{Mux: mux, At: func(context.Context, def.Date) (*register.Snapshot, error) { return at, nil }}, Body: "Ashcombe Borough Council"}).Mount(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s, mux
}

func get(t testing.TB, address string, cookies ...*http.Cookie) (*http.Response, []byte) {
	t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cookies {
		req.AddCookie(c)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, b
}

// TestDownloads takes every format from the page, and strangers get none.
func TestDownloads(t *testing.T) {
	s, _ := site(t)
	_, page := get(t, s.URL+"/staff/estate/export", staff)
	paths := []string{"csv?kind=systems", "site?audience=staff"}
	for _, f := range exporter.Formats() {
		paths = append(paths, f.Name)
	}
	for _, path := range paths {
		if !bytes.Contains(page, []byte(`href="/staff/estate/export/`+path+`"`)) {
			t.Errorf("the page does not lead to %s", path)
		}
		resp, b := get(t, s.URL+"/staff/estate/export/"+path, staff)
		if resp.StatusCode != http.StatusOK || len(b) < 100 || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment; filename=") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: status %d, %d bytes, %q", path, resp.StatusCode, len(b), resp.Header.Get("Content-Disposition"))
		}
		if resp, b := get(t, s.URL+"/staff/estate/export/"+path); resp.StatusCode == http.StatusOK || bytes.Contains(b, []byte("Council tax")) {
			t.Errorf("%s: status %d for a stranger", path, resp.StatusCode)
		}
	}
	for path, want := range map[string]int{"docx": 404, "csv?kind=secrets": 400, "site?audience=all": 400} {
		if resp, _ := get(t, s.URL+"/staff/estate/export/"+path, staff); resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func TestPageInABrowser(t *testing.T) {
	s, mux := site(t)
	if err := mux.Assets(); err != nil {
		t.Skip(err)
	}
	webtest.Browser(t).Check(t, "export", webtest.Visit{URL: s.URL + "/staff/estate/export", Cookies: []*http.Cookie{staff}}, http.StatusOK)
}
