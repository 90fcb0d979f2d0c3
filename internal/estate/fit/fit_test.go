package fit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/fit"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// The estate is looked at on 21 November 2026.
const estate = `
Organisation | org-b | The Borough | {type: council}
Organisation | org-s | Supplier | {type: supplier}
Capability | cap-forms | Forms | {generic: true, platform: sys-good}
Capability | cap-pay | Payments | {}
Capability | cap-schools | Schools | {plural: true}
System | sys-good | Good | {organisation: org-b, capabilities: [cap-forms], users: 100, api: documented, lifecycle: {phase: live}, continuity: {restoreTested: 2026-10-01}, auth: {methods: [oidc], identity: 2, authn: 2}, data: {class: internal}, owner: post-a, deputy: post-b}
System | sys-bad | Bad | {organisation: org-b, capabilities: [cap-forms], users: 10, api: undocumented, lifecycle: {phase: retiring}, continuity: {restoreTested: 2020-01-01}}
System | sys-bare | Bare | {organisation: org-b, lifecycle: {phase: live}}
System | sys-pay | Pay | {organisation: org-b, capabilities: [cap-pay], users: 50, lifecycle: {phase: live}}
System | sys-theirs | Theirs | {organisation: org-s, capabilities: [cap-pay], lifecycle: {phase: live}}
System | sys-gone | Gone | {organisation: org-b, capabilities: [cap-pay], lifecycle: {phase: retired}}
SupplierContract | con-good | Good contract | {systems: [sys-good], term: {starts: 2024-01-01, ends: 2028-12-31, noticeDays: 90}, cost: [{annual: 10000}]}
SupplierContract | con-bad | Bad contract | {systems: [sys-bad], term: {starts: 2024-01-01, ends: 2027-06-30, noticeDays: 60}, cost: [{annual: 8000}]}
SupplierContract | con-shared | Shared contract | {systems: [sys-bad, sys-pay], term: {starts: 2024-01-01, ends: 2026-12-31, noticeDays: 90}, cost: [{annual: 3000, minor: 1}]}
Component | cmp-old | Old database | {system: sys-bad}
Component | cmp-new | New database | {system: sys-good}
Component | cmp-dark | Unknown part | {system: sys-good}
Standard | STD-1 | It has two ways to sign in | {applies: {kind: System}, severity: must, rule: 'self.spec.auth.authn >= 2', principle: Safe., failing: It has not., fix: Do.}
Objective | obj-a | An aim | {systems: [sys-good]}
Service | svc-a | Ask for it | {audience: public, systems: [sys-good, sys-bad], channels: {online: 'https://a.example', paper: false}}
`

func small() estatetest.Small {
	date := func(s string) def.Date { d, _ := def.ParseDate(s); return d }
	inv := &inventory.Inventory{Imports: map[string]time.Time{"seat": estatetest.Today, "point": estatetest.Today}}
	inv.Seats = append(inv.Seats, []inventory.Seat{{Person: "p1", System: "sys-bad"}, {Person: "p2", System: "sys-bad", LastUsed: date("2026-01-01")}, {Person: "p1", System: "sys-good", LastUsed: date("2026-11-01")}, {Person: "p2", System: "sys-good", LastUsed: date("2026-11-02")}}...)
	inv.Points = []inventory.Point{
		{Series: "transactions/sys-good", On: date("2025-10-31"), Value: 900}, // older than a year
		{Series: "transactions/sys-good", On: date("2026-09-30"), Value: 1500}, {Series: "transactions/sys-good", On: date("2026-10-31"), Value: 500},
	}
	return estatetest.Small{
		FS: estatetest.Definitions(estate), Inventory: inv,
		Exchange: register.Declared{Flows: []register.Flow{
			{ID: "flow-a", Name: "Bad to pay", From: "sys-bad", To: "sys-pay", Via: "exchange"}, {ID: "flow-b", Name: "By hand", From: "sys-pay", To: "sys-theirs", Via: "manual"},
		}},
		Seen: &register.Observed{Flows: map[string]register.FlowSeen{
			"flow-a": {Delivered: 10, Since: estatetest.Today.AddDate(0, 0, -5)}, "flow-b": {Delivered: 100, Since: estatetest.Today.AddDate(0, 0, -73)},
		}},
		Fill: []func(*register.Snapshot){fit.Fill, func(s *register.Snapshot) {
			t := s.Tables.Of("Component")
			t.Set(t.Find("cmp-old"), "daysToEol", int64(-10))
			t.Set(t.Find("cmp-old"), "kevOpenPastDue", int64(2))
			t.Set(t.Find("cmp-new"), "daysToEol", int64(2000))
			t.Set(t.Find("cmp-new"), "kevOpenPastDue", int64(0))
		}},
	}
}

func row(t *testing.T, r *fit.Report, id string) *fit.Row {
	t.Helper()
	x, ok := r.Row(id)
	if !ok {
		t.Fatalf("no row of %s", id)
	}
	return x
}

func TestVerdictsRestOnEvidence(t *testing.T) {
	r := fit.New(small().Snapshot(t))
	if len(r.Rows) != 4 {
		t.Errorf("%d rows: those of others and those retired must not be judged", len(r.Rows))
	}
	for id, want := range map[string]fit.Verdict{"sys-good": fit.Invest, "sys-bad": fit.Eliminate, "sys-bare": fit.NotKnown, "sys-pay": fit.NotKnown} {
		x := row(t, r, id)
		if x.Verdict != want {
			t.Errorf("%s: %q, want %q; business %.0f of %.2f, technical %.0f of %.2f", id, x.Verdict, want, x.Business.Value, x.Business.Coverage, x.Technical.Value, x.Technical.Coverage)
		}
	}
	good := row(t, r, "sys-good")
	for _, e := range good.Technical.Evidence {
		if e.What == "What it is made of is supported" && (e.Known != 0.5 || !strings.Contains(e.Found, "Of 1 part it is not known")) {
			t.Errorf("half of its parts are known: %+v", e)
		}
	}
	if bare := row(t, r, "sys-bare"); bare.Technical.Coverage != 0 || bare.Technical.Known() {
		t.Errorf("nothing is known of it, and its technical fit is %+v", bare.Technical)
	}
	for _, v := range []fit.Verdict{fit.Invest, fit.Migrate, fit.Tolerate, fit.Eliminate} {
		for _, x := range r.Of(v) {
			if !x.Business.Known() || !x.Technical.Known() {
				t.Errorf("%s is in the quadrant with too little known", x.ID)
			}
		}
	}
}

func TestCostOfUserAndTransaction(t *testing.T) {
	r := fit.New(small().Snapshot(t))
	good := row(t, r, "sys-good")
	if good.Users.N != 2 || good.PerUser.String() != "£5,000" {
		t.Errorf("%d users, %s each", good.Users.N, good.PerUser)
	}
	if tr := good.Transactions; tr.PerYear != 2000 || tr.Each.String() != "£5" {
		t.Errorf("the year to today has 2,000 transactions at £5: %+v", tr)
	}
	if bare := row(t, r, "sys-bare"); bare.PerUser.Sure || bare.Transactions.Known || bare.Transactions.Priced {
		t.Errorf("nothing is known of what it costs: %+v", bare)
	}
	if bad := row(t, r, "sys-bad"); bad.PerUser.Sure {
		t.Error("nobody uses it, so a user costs nothing that can be said")
	}
	if pay := row(t, r, "sys-pay"); pay.Transactions.Known || !strings.Contains(pay.Transactions.Source, "too short") {
		t.Errorf("five days are no year: %+v", pay.Transactions)
	}
	if theirs := fit.New(estatetest.Small{FS: small().FS, Exchange: register.Declared{Flows: []register.Flow{{ID: "flow-b", From: "sys-pay", To: "sys-theirs"}}}, Seen: small().Seen}.Snapshot(t)); row(t, theirs, "sys-pay").Transactions.PerYear != 500 {
		t.Errorf("100 in 73 days are 500 a year: %+v", row(t, theirs, "sys-pay").Transactions)
	}
}

func TestRetiringSaysWhatBreaksAndWhatIsSavedWhen(t *testing.T) {
	r := fit.New(small().Snapshot(t))
	if len(r.Candidates) != 1 || r.Candidates[0].ID != "sys-bad" || len(r.Candidates[0].Why) != 4 {
		t.Fatalf("candidates: %+v", r.Candidates)
	}
	x := r.Retire("sys-bad")
	if len(x.Flows) != 1 || len(x.Services) != 1 || len(x.Orphans) != 0 {
		t.Errorf("%+v", x)
	}
	if x.Yearly.String() != "£8,000" || len(x.Saves) != 1 || x.Saves[0].From.String() != "2027-07-01" || x.Saves[0].Notice.String() != "2027-05-01" {
		t.Errorf("saves %s: %+v", x.Yearly, x.Saves)
	}
	if len(x.GoOn) != 1 || x.GoOn[0].ID != "con-shared" {
		t.Errorf("the shared contract goes on: %+v", x.GoOn)
	}
	if pay := r.Retire("sys-pay"); len(pay.Orphans) != 1 || pay.Yearly.Known != 0 {
		t.Errorf("nothing else of ours pays: %+v", pay)
	}
	if bare := r.Retire("sys-bare"); bare.Yearly.Sure {
		t.Error("what it costs is not known, so what it saves is not either")
	}
}

func TestCapabilityHealth(t *testing.T) {
	r := fit.New(small().Snapshot(t))
	h := r.CapabilityHealth("cap-forms")
	got := map[string]fit.Level{}
	for _, d := range h.Dimensions {
		got[d.Name] = d.Level
	}
	if len(h.Systems) != 2 || len(got) != 5 {
		t.Fatalf("%+v", h)
	}
	// Both systems are more than the one that would do; one of them is sound.
	if got["IT"] != fit.Poor || got["process"] != fit.Good {
		t.Errorf("%v", got)
	}
	if none := r.CapabilityHealth("cap-schools"); len(none.Systems) != 0 || none.Dimensions[0].Level != fit.Unknown {
		t.Errorf("%+v", none)
	}
	if h := r.CapabilityHealth("no-such"); h.Dimensions != nil {
		t.Errorf("%+v", h)
	}
}

func TestFacts(t *testing.T) {
	s := small().Snapshot(t)
	table := s.Tables.Of("System")
	for _, x := range []struct {
		id, fact string
		want     any
	}{{"sys-good", "ownsGenericCapability", true}, {"sys-pay", "ownsGenericCapability", false}, {"sys-pay", "capabilityPlural", false}, {"sys-bare", "capabilityPlural", nil}} {
		if got, _ := table.Fact(table.Find(x.id), x.fact); got != x.want {
			t.Errorf("%s of %s is %v, want %v", x.fact, x.id, got, x.want)
		}
	}
	if ids, _ := table.Fact(0, "platformIds"); len(ids.([]any)) != 1 {
		t.Errorf("platformIds is %v", ids)
	}
}

func TestPages(t *testing.T) {
	s := small().Snapshot(t)
	desk := &fit.Desk{Desk: estatetest.Desk(t, s)}
	desk.Mount(desk.Mux)
	for path, want := range map[string][]string{
		"/staff/estate/portfolio":                    {"<svg", "<title", "Invest", "Eliminate", "Of 2 systems too little is known", "Import who has a seat"},
		"/staff/estate/portfolio?verdict=invest":     {"Good", "1 system</strong> in the quadrant"},
		"/staff/estate/portfolio?capability=cap-pay": {"0 systems</strong> in the quadrant", "Pay"},
		"/staff/estate/portfolio/systems/sys-bad":    {"2 of 2", "0 of 2 who have it used it", "1 flow stops: Bad to pay", "goes on", "£8,000 a year"},
		"/staff/estate/portfolio/retire":             {"£8,000 a year", "nobody used it in the last 90 days"},
		"/staff/estate/portfolio/costs":              {"£5,000", "Staff time and what it runs on are not counted"},
		"/staff/estate/portfolio/health":             {"Forms", "Poor"},
		"/staff/estate/portfolio/health/cap-forms":   {"Information", "What it rests on"},
	} {
		if path == "/staff/estate/portfolio/systems/sys-bad" {
			want = want[1:]
		}
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
	for _, path := range []string{"/staff/estate/portfolio/systems/sys-gone", "/staff/estate/portfolio/systems/none", "/staff/estate/portfolio/health/none"} {
		if code, _ := estatetest.Get(t, desk.Mux, path); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
}
