package exporter_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/exporter"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

func site(t testing.TB) (*httptest.Server, *web.Mux) {
	t.Helper()
	d := estatetest.Desk(t, demo(t))
	(&exporter.Desk{Desk: d, Body: "Ashcombe Borough Council"}).Mount(d.Mux)
	s := httptest.NewServer(d.Mux)
	t.Cleanup(s.Close)
	return s, d.Mux
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
	_, page := get(t, s.URL+"/staff/estate/export", estatetest.Architect)
	paths := []string{"csv?kind=systems", "site?audience=staff"}
	for _, f := range exporter.Formats() {
		paths = append(paths, f.Name)
	}
	for _, path := range paths {
		if !bytes.Contains(page, []byte(`href="/staff/estate/export/`+path+`"`)) {
			t.Errorf("the page does not lead to %s", path)
		}
		resp, b := get(t, s.URL+"/staff/estate/export/"+path, estatetest.Architect)
		if resp.StatusCode != http.StatusOK || len(b) < 100 || !strings.HasPrefix(resp.Header.Get("Content-Disposition"), "attachment; filename=") || resp.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: status %d, %d bytes, %q", path, resp.StatusCode, len(b), resp.Header.Get("Content-Disposition"))
		}
		if resp, b := get(t, s.URL+"/staff/estate/export/"+path); resp.StatusCode == http.StatusOK || bytes.Contains(b, []byte("Council tax")) {
			t.Errorf("%s: status %d for a stranger", path, resp.StatusCode)
		}
	}
	for path, want := range map[string]int{"docx": 404, "csv?kind=secrets": 400, "site?audience=all": 400} {
		if resp, _ := get(t, s.URL+"/staff/estate/export/"+path, estatetest.Architect); resp.StatusCode != want {
			t.Errorf("%s: status %d, want %d", path, resp.StatusCode, want)
		}
	}
}

func TestPageInABrowser(t *testing.T) {
	s, mux := site(t)
	if err := mux.Assets(); err != nil {
		t.Skip(err)
	}
	webtest.Browser(t).Check(t, "export", webtest.Visit{URL: s.URL + "/staff/estate/export", Cookies: []*http.Cookie{estatetest.Architect}}, http.StatusOK)
}
