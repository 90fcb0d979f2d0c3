package roadmap_test

import (
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// The estate is looked at on 21 November 2026.
const estate = `
Organisation | org-b | The Borough | {type: council}
Organisation | org-d | A department | {type: department, parent: org-b}
System | sys-old | Old | {organisation: org-d, lifecycle: {phase: live, successor: sys-next}}
System | sys-next | Next | {organisation: org-d, lifecycle: {phase: planned}}
System | sys-last | Last | {organisation: org-b, lifecycle: {phase: live, end: 2027-06-30, successor: sys-never}}
System | sys-never | Never | {organisation: org-b, lifecycle: {phase: planned}}
System | sys-other | Other | {organisation: org-b, lifecycle: {phase: live}}
Component | cmp-old | Its database | {system: sys-old}
SupplierContract | con-old | Old contract | {systems: [sys-old], term: {starts: 2024-01-01, ends: 2027-12-31, noticeDays: 365}, cost: [{annual: 12000, allocate: {org-d: 0.5, org-b: 0.5}}]}
SupplierContract | con-other | Other contract | {systems: [sys-other], term: {starts: 2026-10-01, ends: 2027-03-31, noticeDays: 30, renews: false}, cost: [{annual: 36500}]}
Service | svc-a | A service | {audience: public, systems: [sys-old]}
Objective | obj-a | First aim | {due: 2027-03-31, systems: [sys-other]}
Objective | obj-none | Aim without anything | {}
BudgetLine | bud-op | Running | {type: operating, year: 2026-27, amount: 20000, organisation: org-b, code: "51"}
BudgetLine | bud-cap | Building | {type: capital, year: 2026-27, amount: 5000}
RoadmapItem | rm-retire | Retire Old | {starts: 2027-02-01, ends: 2027-09-30, changes: [{subject: sys-old, phase: retired}], objectives: [obj-a], cost: [{line: bud-cap, amount: 6000}]}
RoadmapItem | rm-next | Bring in Next | {starts: 2027-01-01, ends: 2027-10-31, changes: [{subject: sys-next, phase: live}], state: agreed, cost: [{line: bud-op, amount: 1000}]}
RoadmapItem | rm-after | Then that | {starts: 2027-09-01, ends: 2028-01-31, after: [rm-next], changes: [{subject: sys-other, hosting: saas}]}
RoadmapItem | rm-alt | Another way | {scenario: other-way, starts: 2027-10-01, ends: 2028-03-31, changes: [{subject: sys-other, hosting: paas}]}
RoadmapItem | rm-late | Late one | {starts: 2026-01-01, ends: 2026-08-31, state: under-way}
RoadmapItem | rm-done | Done one | {starts: 2026-01-01, ends: 2026-08-31, state: done}
RoadmapItem | rm-stopped | Stopped one | {starts: 2026-01-01, ends: 2028-08-31, state: stopped, changes: [{subject: sys-other, phase: retired}], cost: [{line: bud-cap, amount: 99000}]}
`

func small() estatetest.Small {
	return estatetest.Small{
		FS:       estatetest.Definitions(estate),
		Exchange: register.Declared{Flows: []register.Flow{{ID: "flow-a", Name: "Old to other", From: "sys-old", To: "sys-other"}}},
		Fill: []func(*register.Snapshot){roadmap.Fill, func(s *register.Snapshot) {
			t := s.Tables.Of("Component")
			t.Set(t.Find("cmp-old"), "daysToEol", int64(130)) // 31 March 2027
		}},
		Inventory: &inventory.Inventory{Imports: map[string]time.Time{"ledger": estatetest.Today}, Ledger: []inventory.Line{
			{ID: "1", On: day("2026-03-31"), Code: "51", Amount: 1}, {ID: "2", On: day("2026-04-01"), Code: "51", Amount: 70000}, {ID: "3", On: day("2026-05-01"), Code: "52", Amount: 5},
		}},
	}
}

func day(s string) def.Date { d, _ := def.ParseDate(s); return d }

func TestConflicts(t *testing.T) {
	p := roadmap.New(small().Snapshot(t), "")
	want := map[string]string{ // what each says
		"gap/sys-old":               "ends on 31 March 2027 (support of Its database ends), 215 days before its successor Next is in use on 1 November 2027",
		"gap/sys-last":              "ends on 30 June 2027 (it is to be switched off), and nothing on the roadmap brings its successor Never into use",
		"notice/rm-retire/con-old":  "the last day for notice under Old contract is 31 December 2026",
		"pays-on/rm-retire/con-old": "paid for until 31 December 2027: 92 days for nothing",
		"needed/rm-retire/sys-old":  "1 flow (Old to other) and 1 service (A service) still rely on it",
		"order/rm-after/rm-next":    "starts on 1 September 2027, and Bring in Next, which it waits for, ends on 31 October 2027",
		"objective/obj-a/rm-retire": "is due on 31 March 2027, and Retire Old, which serves it, ends on 30 September 2027",
		"late/rm-late":              "was to end on 31 August 2026, 82 days ago, and is under way",
	}
	for _, c := range p.Conflicts {
		if w, ok := want[c.Key]; !ok {
			t.Errorf("not expected: %s: %s", c.Key, c.Text)
		} else if !strings.Contains(c.Text, w) {
			t.Errorf("%s says %q, want %q", c.Key, c.Text, w)
		}
		if roadmap.ConflictKinds[c.Kind] == "" || c.Fix == "" {
			t.Errorf("%s has no name or no fix", c.Key)
		}
		delete(want, c.Key)
	}
	for key := range want {
		t.Errorf("not found: %s", key)
	}

	p = roadmap.New(p.Snapshot, "other-way")
	if n := len(p.ConflictsOf("rm-alt")); n != 1 || p.ConflictsOf("rm-alt")[0].Kind != "differs" {
		t.Errorf("two items move the same system at the same time: %+v", p.ConflictsOf("rm-alt"))
	}
	if _, ok := roadmap.New(p.Snapshot, "").Item("rm-alt"); ok {
		t.Error("an item of a scenario is in the baseline")
	}
}

func TestAConflictGoesWhenItsCauseDoes(t *testing.T) {
	x := small()
	fixed := strings.NewReplacer(
		"starts: 2027-01-01, ends: 2027-10-31", "starts: 2026-12-01, ends: 2027-03-30",
		"starts: 2026-01-01, ends: 2026-08-31, state: under-way", "starts: 2026-01-01, ends: 2026-12-31, state: under-way",
		"renews: false", "renews: true", "due: 2027-03-31", "due: 2027-12-31",
	).Replace(estate)
	x.FS = estatetest.Definitions(fixed)
	for _, c := range roadmap.New(x.Snapshot(t), "").Conflicts {
		switch c.Key {
		case "gap/sys-old", "order/rm-after/rm-next", "late/rm-late", "objective/obj-a/rm-retire":
			t.Errorf("still there: %s: %s", c.Key, c.Text)
		}
	}
}

func TestBudgetsAndObjectives(t *testing.T) {
	p := roadmap.New(small().Snapshot(t), "")
	for _, b := range p.Budgets() {
		switch b.ID {
		case "bud-op":
			// The whole of Old contract is borne within the Borough; the other one binds for half of the year.
			if !b.Counted || b.Contracts.String() != "£30,200" || b.Agreed.String() != "£1,000" || b.Spent.String() != "£700" || !b.Ledger {
				t.Errorf("%s: contracts %s, agreed %s, spent %s", b.ID, b.Contracts, b.Agreed, b.Spent)
			}
			if b.Left() != -1120000 {
				t.Errorf("%s is left", b.Left())
			}
		case "bud-cap":
			if b.Counted || b.Ledger || b.Proposed.String() != "£6,000" || b.Left().String() != "-£1,000" {
				t.Errorf("%+v", b)
			}
		}
	}
	if needs := p.Needs(); len(needs) != 2 || needs[0].Type != "operating" || needs[0].Contracts.String() != "£30,200" {
		t.Errorf("%+v", needs)
	}
	for _, o := range p.Objectives {
		if s := p.SpendOf(o); s.None() != (o.ID == "obj-none") {
			t.Errorf("%s: %+v", o.ID, s)
		}
	}
	u := p.Unserving()
	if len(u.Systems) != 1 || u.Systems[0].ID != "sys-old" || u.Yearly.String() != "£12,000" || u.Asked.String() != "£1,000" {
		t.Errorf("%+v %s %s", u.Systems, u.Yearly, u.Asked)
	}
	table := p.Tables.Of("System")
	for id, want := range map[string]int64{"sys-old": 1, "sys-other": 1, "sys-last": 0} {
		if got, _ := table.Fact(table.Find(id), "roadmapItems"); got != want {
			t.Errorf("roadmapItems of %s is %v, want %d", id, got, want)
		}
	}
}

func TestYears(t *testing.T) {
	for text, want := range map[string]string{"2026-27": "2026-04-01 2027-03-31", "2026/27": "2026-04-01 2027-03-31", "1999-2000": "1999-04-01 2000-03-31", "2026": "2026-01-01 2026-12-31", "2026-28": "", "next": ""} {
		from, to, ok := roadmap.Year(text)
		if got := from.String() + " " + to.String(); ok != (want != "") || ok && got != want {
			t.Errorf("%s is %s, %v", text, got, ok)
		}
	}
}

func TestPages(t *testing.T) {
	s := small().Snapshot(t)
	desk := &roadmap.Desk{Desk: estatetest.Desk(t, s)}
	desk.Mount(desk.Mux)
	for path, want := range map[string][]string{
		"/staff/estate/roadmap":                    {"<svg", "Today", "Retire Old", "6 items", "8 conflicts", "app-chart__span--bad"},
		"/staff/estate/roadmap?state=done":         {"<strong>1 item</strong>", "Done one"},
		"/staff/estate/roadmap?scenario=other-way": {"Another way", "Plan: other way", "9 conflicts"},
		"/staff/estate/roadmap?by=owner":           {"Nobody named"},
		"/staff/estate/roadmap/items/rm-alt":       {"Other way", "moves to: Platform as a service"},
		"/staff/estate/roadmap/items/rm-retire":    {"£6,000 from", "First aim"},
		"/staff/estate/roadmap/budget":             {"<svg", "£11,200 too much", "£700"},
		"/staff/estate/objectives":                 {"First aim", "Nothing", "£12,000"},
		"/staff/estate/objectives/obj-none":        {"nobody can tell whether it is reached"},
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
	for _, path := range []string{"/staff/estate/roadmap?scenario=no", "/staff/estate/roadmap/items/no", "/staff/estate/objectives/no"} {
		if code, _ := estatetest.Get(t, desk.Mux, path); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
}
