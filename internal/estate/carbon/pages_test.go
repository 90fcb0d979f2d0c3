package carbon_test

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/internal/estate/carbon"
	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

// demo is the estate's part of the demo body, and devices for it.
func demo(t testing.TB) (fstest.MapFS, *inventory.Inventory) {
	t.Helper()
	files := estatetest.Demo(t, "../../../demo/body")
	files["estate/carbon.yaml"] = &fstest.MapFile{Data: published(t)}
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
	return files, inv
}

// desk shows the page of an estate.
func desk(t testing.TB, files fstest.MapFS, inv *inventory.Inventory) *web.Mux {
	t.Helper()
	d := estatetest.Desk(t, snapshot(t, files, inv, carbon.Fill))
	(&carbon.Desk{Desk: d}).Mount(d.Mux)
	return d.Mux
}

func page(t testing.TB, mux *web.Mux) string {
	t.Helper()
	status, body := estatetest.Get(t, mux, "/staff/estate/carbon")
	if status != http.StatusOK {
		t.Fatalf("status %d", status)
	}
	return strings.Join(strings.Fields(html.UnescapeString(body)), " ")
}

func TestWhatThePageSays(t *testing.T) {
	files, inv := demo(t)
	body := page(t, desk(t, files, inv))
	for _, want := range []string{"sources differ 3.4 times", "At least", "Keep each laptop 5 years in place of 4", "For comparison: UK electricity, operating margin, UNFCCC 2021", "No range published", "the machines that it runs on",
		"Boavizta environmental footprint data", "GBR where the site is not known", "were not seen for 90 days", "For one transaction"} {
		if !strings.Contains(body, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	delete(files, "estate/carbon.yaml")
	if body := page(t, desk(t, files, nil)); !strings.Contains(body, "No carbon factors are declared") || strings.Contains(body, "0 kg") {
		t.Error("without factors it says something else")
	}
}

func TestPageInABrowser(t *testing.T) {
	files, inv := demo(t)
	mux := desk(t, files, inv)
	if err := mux.Assets(); err != nil {
		t.Skip(err)
	}
	s := httptest.NewServer(mux)
	defer s.Close()
	webtest.Browser(t).Check(t, "carbon", webtest.Visit{URL: s.URL + "/staff/estate/carbon", Cookies: []*http.Cookie{estatetest.Architect}}, http.StatusOK)
}
