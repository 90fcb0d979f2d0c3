package app

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
)

func TestOutbound(t *testing.T) {
	for address, want := range map[string]bool{
		"192.0.2.7:443": true, "10.1.2.3:80": true, "127.0.0.1:8080": true, "[::1]:80": true, "[fd12::1]:443": true,
		"169.254.169.254:80": false, "[::ffff:169.254.169.254]:80": false, "[fe80::1%eth0]:80": false, "[fd00:ec2::254]:80": false,
		"0.0.0.0:80": false, "[::]:80": false, "224.0.0.1:80": false, "/run/socket": false,
	} {
		if got := outbound("tcp", address) == nil; got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
}

// Behind a proxy that ends TLS, cookies are for HTTPS only, and what the proxy
// passes on does not come from this machine.
func TestBehindAProxy(t *testing.T) {
	a, err := Open(t.Context(), Config{Data: t.TempDir(), Defs: fstest.MapFS{"none.yaml": {}}, BaseURL: "https://reeve.example.org", Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ask := func(header ...string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.RemoteAddr = "127.0.0.1:5000"
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, r)
		return w
	}
	if w := ask(); w.Code != http.StatusOK || w.Header().Get("Strict-Transport-Security") == "" {
		t.Error(w.Code, w.Header())
	}
	if w := ask("X-Forwarded-For", "203.0.113.9"); w.Code != http.StatusForbidden {
		t.Error("through a proxy:", w.Code)
	}
}
