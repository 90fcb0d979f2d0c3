package scenario_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/fit"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/performance"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/estate/scenario"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

// demo serves the pages on the demo body, with its measures, and with the seats
// of its first systems.
func demo(t *testing.T) *web.Mux {
	t.Helper()
	x := estatetest.Small{FS: estatetest.Demo(t, "../../../demo/body"), Fill: []func(*register.Snapshot){fit.Fill, roadmap.Fill},
		Inventory: &inventory.Inventory{Imports: map[string]time.Time{"point": estatetest.Today, "seat": estatetest.Today}},
		Exchange:  register.Declared{Flows: []register.Flow{{ID: "flow-forms", Name: "Forms to the desk", From: "sys-eforms", To: "sys-contact", Via: "exchange"}}}}
	f, err := os.Open("../../../demo/data/estate/measures.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[1:] {
		v, err := strconv.ParseFloat(r[2], 64)
		if err != nil {
			t.Fatal(err)
		}
		x.Inventory.Points = append(x.Inventory.Points, inventory.Point{Series: r[0], On: date(r[1]), Value: v})
	}
	for i, id := range []string{"sys-council-tax", "sys-benefits", "sys-eforms", "sys-contact", "sys-paypoint", "sys-gis-desktop", "sys-maps", "sys-intranet", "sys-citizen-account", "sys-hr"} {
		for p := range 20 {
			seat := inventory.Seat{System: id, Person: fmt.Sprintf("person-%d", p)}
			if p%10 >= i%9 {
				seat.LastUsed = date("2026-11-01")
			}
			x.Inventory.Seats = append(x.Inventory.Seats, seat)
		}
	}
	s := x.Snapshot(t)
	desk := estatetest.Desk(t, s)
	keeper, err := performance.Open(t.Context(), storetest.Open(t, nil), func() time.Time { return s.At }, func(context.Context, def.Date) (*register.Snapshot, error) { return s, nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	(&fit.Desk{Desk: desk}).Mount(desk.Mux)
	(&roadmap.Desk{Desk: desk, Measures: keeper.Series}).Mount(desk.Mux)
	(&performance.Desk{Desk: desk, Keeper: keeper}).Mount(desk.Mux)
	(&scenario.Desk{Desk: desk, Comparer: scenario.Comparer{Draft: x.Draft}}).Mount(desk.Mux)
	return desk.Mux
}

var href = regexp.MustCompile(`href="(/staff/estate/(?:portfolio|roadmap|objectives|measures|scenarios)[^"#]*)`)

// TestEveryLinkLeadsSomewhere follows all links within these rooms.
func TestEveryLinkLeadsSomewhere(t *testing.T) {
	mux := demo(t)
	todo, seen := []string{"/staff/estate/portfolio", "/staff/estate/roadmap", "/staff/estate/objectives", "/staff/estate/measures", "/staff/estate/scenarios"}, map[string]bool{}
	for len(todo) > 0 && len(seen) < 600 {
		path := todo[0]
		if todo = todo[1:]; seen[path] {
			continue
		}
		seen[path] = true
		code, body := estatetest.Get(t, mux, path)
		if code != http.StatusOK {
			t.Errorf("%s: %d", path, code)
		}
		for _, m := range href.FindAllStringSubmatch(body, -1) {
			todo = append(todo, strings.ReplaceAll(m[1], "&amp;", "&"))
		}
		for _, wrong := range []string{"%!", "NaN", "on-premise<", ">post-", "moves to: saas"} {
			if at := strings.Index(body, wrong); at >= 0 {
				t.Errorf("%s shows %q", path, body[max(0, at-60):min(len(body), at+60)])
			}
		}
	}
	if len(seen) < 80 {
		t.Errorf("only %d pages: %v", len(seen), slices.Sorted(maps.Keys(seen)))
	}
}

func TestPagesInABrowser(t *testing.T) {
	mux := demo(t)
	if err := mux.Assets(); err != nil {
		t.Skip(err)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	b := webtest.Browser(t)
	for name, path := range map[string]string{
		"portfolio": "/staff/estate/portfolio", "portfolio-system": "/staff/estate/portfolio/systems/sys-eforms", "portfolio-retire": "/staff/estate/portfolio/retire",
		"portfolio-costs": "/staff/estate/portfolio/costs", "portfolio-health": "/staff/estate/portfolio/health", "portfolio-health-one": "/staff/estate/portfolio/health/cap-generic",
		"roadmap": "/staff/estate/roadmap", "roadmap-item": "/staff/estate/roadmap/items/rm-payments", "budget": "/staff/estate/roadmap/budget",
		"objectives": "/staff/estate/objectives", "objective": "/staff/estate/objectives/obj-tell-us-once", "measures": "/staff/estate/measures", "measure": "/staff/estate/measures/mea-procurement",
		"scenarios": "/staff/estate/scenarios", "scenario": "/staff/estate/scenarios/cloud-first", "scenario-try": "/staff/estate/scenarios/try?retire=sys-eforms",
		"scenario-try-wrong": "/staff/estate/scenarios/try?annual=many",
	} {
		want := int64(http.StatusOK)
		if name == "scenario-try-wrong" {
			want = http.StatusBadRequest
		}
		b.Check(t, name, webtest.Visit{URL: s.URL + path, Cookies: []*http.Cookie{estatetest.Architect}}, want)
	}
}
