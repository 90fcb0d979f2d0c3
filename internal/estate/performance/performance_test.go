package performance_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/performance"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

const estate = `
System | sys-a | A | {lifecycle: {phase: live}}
SupplierContract | con-a | A contract | {systems: [sys-a], cost: [{annual: 1200}]}
Measure | mea-tickets | Tickets | {source: {import: tickets/days}, unit: days, target: {value: 2, better: lower}, owner: post-desk}
Measure | mea-late | Late | {source: {import: late}, target: {value: 50, better: higher, by: 2027-01-31}, unit: "%"}
Measure | mea-cost | Cost | {source: {computed: yearly-cost}, unit: £, every: day}
Measure | mea-carbon | Carbon | {source: {computed: carbon-kg}}
Measure | mea-none | Nothing yet | {source: {import: none}, target: {value: 1, better: higher}}
`

func day(s string) def.Date { d, _ := def.ParseDate(s); return d }

func small() estatetest.Small {
	return estatetest.Small{FS: estatetest.Definitions(estate), Inventory: &inventory.Inventory{Imports: map[string]time.Time{}, Points: []inventory.Point{
		{Series: "late", On: day("2026-06-30"), Value: 40}, {Series: "late", On: day("2026-07-31"), Value: 48},
		{Series: "tickets/days", On: day("2026-07-31"), Value: 3}, {Series: "tickets/days", On: day("2026-09-30"), Value: 2.5}, {Series: "tickets/days", On: day("2026-10-31"), Value: 2},
		{Series: "tickets/days", On: day("2026-12-31"), Value: 9}, // has not come yet
	}}}
}

func find(t *testing.T, all []performance.Series, id string) performance.Series {
	t.Helper()
	for _, s := range all {
		if s.ID == id {
			return s
		}
	}
	t.Fatalf("no measure %s", id)
	return performance.Series{}
}

func TestJudge(t *testing.T) {
	all := performance.Imported(small().Snapshot(t))
	tickets := find(t, all, "mea-tickets")
	if last, _ := tickets.Last(); tickets.State != performance.Met || last.Value != 2 || tickets.Better != 1 || tickets.Late != 0 {
		t.Errorf("%+v", tickets)
	}
	if len(tickets.Missing) != 1 || tickets.Missing[0] != day("2026-08-01") || !strings.Contains(tickets.Behind(), "Aug 2026") {
		t.Errorf("August is missing: %v", tickets.Missing)
	}
	late := find(t, all, "mea-late")
	if late.State != performance.NotMet || late.Late != 3 || !strings.Contains(late.Behind(), "last 3 months") {
		t.Errorf("%+v: %s", late, late.Behind())
	}
	if text, _ := late.Tag(); text != "Not met yet" {
		t.Errorf("there is still time: %s", text)
	}
	if none := find(t, all, "mea-none"); none.State != performance.NoNumber {
		t.Errorf("%+v", none)
	}
}

func TestKeeperKeepsADayEach(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		x := small()
		now := estatetest.Today
		at := func(context.Context, def.Date) (*register.Snapshot, error) {
			x.At = now
			return x.Snapshot(t), nil
		}
		k, err := performance.Open(t.Context(), db, func() time.Time { return now }, at, map[string]performance.Count{"carbon-kg": func(*register.Snapshot) (float64, bool) { return 0, false }})
		if err != nil {
			t.Fatal(err)
		}
		step := func(want int) {
			t.Helper()
			if did, err := k.Step(t.Context()); err != nil || did != want {
				t.Fatalf("did %d, want %d; %v", did, want, err)
			}
		}
		step(1) // only the cost is known: there are no standards, flows, requests
		step(0)
		x.FS = estatetest.Definitions(strings.Replace(estate, "1200", "2400", 1))
		now = now.Add(2 * time.Hour)
		step(1) // later on the same day: takes its place
		now = now.AddDate(0, 0, 2)
		x.FS = estatetest.Definitions(strings.Replace(estate, "1200", "600", 1))
		step(1)
		s, _ := at(t.Context(), def.Date{})
		all, err := k.Series(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		cost := find(t, all, "mea-cost")
		if len(cost.Points) != 2 || cost.Points[0].Value != 2400 || cost.Points[1].Value != 600 || len(cost.Missing) != 1 || cost.State != performance.NoTarget {
			t.Errorf("%+v, missing %v", cost.Points, cost.Missing)
		}
		if carbon := find(t, all, "mea-carbon"); carbon.State != performance.NoNumber {
			t.Errorf("what is not known was kept: %+v", carbon)
		}

		desk := &performance.Desk{Desk: estatetest.Desk(t, s), Keeper: k}
		desk.Mount(desk.Mux)
		for path, want := range map[string][]string{
			"/staff/estate/measures":             {"Tickets", "2 days", "2 days or less", "better: 2.5 days before that", "Late", "No number", "Desk"},
			"/staff/estate/measures/mea-tickets": {"<svg", "Target: 2 days", "Missing between: Aug 2026", "Jul 2026", "Not known"},
			"/staff/estate/measures/mea-cost":    {"£600", "£2,400", "what the supplier contracts in force cost a year"},
			"/staff/estate/measures/mea-none":    {"Nobody has imported or counted a number yet"},
		} {
			code, body := estatetest.Get(t, desk.Mux, path)
			if code != 200 {
				t.Errorf("%s: %d", path, code)
			}
			for _, w := range want {
				if !strings.Contains(body, w) {
					t.Errorf("%s does not say %q", path, w)
				}
			}
		}
		if code, _ := estatetest.Get(t, desk.Mux, "/staff/estate/measures/no"); code != 404 {
			t.Errorf("a measure that is not there: %d", code)
		}
	})
}
