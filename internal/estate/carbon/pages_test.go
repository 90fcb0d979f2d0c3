package carbon_test

import (
	"context"
	"fmt"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/carbon"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

// demo is the estate's part of the demo body, and devices for it.
func demo(t testing.TB) (fstest.MapFS, *inventory.Inventory) {
	t.Helper()
	out := fstest.MapFS{"carbon.yaml": {Data: published(t)}}
	for _, pattern := range []string{"organisations.yaml", "capabilities.yaml", "contracts.yaml", "systems/*.yaml"} {
		names, err := filepath.Glob("../../../demo/body/" + pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			out[filepath.Base(name)] = &fstest.MapFile{Data: data}
		}
	}
	inv := new(inventory.Inventory)
	for i := range 400 {
		a := inventory.Asset{ID: fmt.Sprintf("a%03d", i), Type: []string{"laptop", "laptop", "phone", "desktop", "printer"}[i%5], State: "in-use", Bought: on(fmt.Sprintf("%d-03-01", 2019+i%8))}
		if i%9 == 0 {
			a.LastSeen = on("2026-05-01")
		}
		if i < 6 {
			a.Type, a.Systems = "server", []string{"sys-council-tax", "sys-business-rates"}
		}
		inv.Assets = append(inv.Assets, a)
	}
	return out, inv
}

func site(t testing.TB, files fstest.MapFS, inv *inventory.Inventory) (*httptest.Server, *web.Mux) {
	t.Helper()
	at := snapshot(t, files, inv, carbon.Fill)
	p, err := policy.New(policy.Rule{Name: "read", Actions: []string{register.Read}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal, Doc: "staff"})
	if err != nil {
		t.Fatal(err)
	}
	mux := web.New(web.Options{Policy: p, Now: func() time.Time { return day }, Log: slog.New(slog.DiscardHandler), Body: "Ashcombe Borough Council"})
	mux.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		_, err := r.Cookie("who")
		return reeve.Actor{ID: "staff/3", Kind: reeve.Staff, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, err == nil, nil
	})
	(&carbon.Desk{Desk: register.Desk{Mux: mux, At: func(context.Context, def.Date) (*register.Snapshot, error) { return at, nil }}}).Mount(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s, mux
}

var staff = &http.Cookie{Name: "who", Value: "staff"}

func get(t testing.TB, address string) string {
	t.Helper()
	req, err := http.NewRequest("GET", address, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.AddCookie(staff)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("status %d, %v", resp.StatusCode, err)
	}
	return strings.Join(strings.Fields(html.UnescapeString(string(b))), " ")
}

func TestWhatThePageSays(t *testing.T) {
	files, inv := demo(t)
	s, _ := site(t, files, inv)
	body := get(t, s.URL+"/staff/estate/carbon")
	for _, want := range []string{"sources differ 3.4 times", "At least", "Keep each laptop 5 years in place of 4", "For comparison: UK electricity, operating margin, UNFCCC 2021", "No range published", "the machines that it runs on",
		"Boavizta environmental footprint data", "GBR where the site is not known", "were not seen for 90 days", "For one transaction"} {
		if !strings.Contains(body, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	delete(files, "carbon.yaml")
	bare, _ := site(t, files, nil)
	if body := get(t, bare.URL+"/staff/estate/carbon"); !strings.Contains(body, "No carbon factors are declared") || strings.Contains(body, "0 kg") {
		t.Error("without factors it says something else")
	}
}

func TestPageInABrowser(t *testing.T) {
	files, inv := demo(t)
	s, mux := site(t, files, inv)
	if err := mux.Assets(); err != nil {
		t.Skip(err)
	}
	webtest.Browser(t).Check(t, "carbon", webtest.Visit{URL: s.URL + "/staff/estate/carbon", Cookies: []*http.Cookie{staff}}, http.StatusOK)
}
