package scenario_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/estate/change"
	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/fit"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/estate/scenario"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

const estate = `
Organisation | org-b | The Borough | {type: council}
Capability | cap-a | Doing A | {}
Capability | cap-b | Doing B | {}
System | sys-a | A | {organisation: org-b, capabilities: [cap-a], hosting: on-premise, lifecycle: {phase: live}}
System | sys-b | B | {organisation: org-b, capabilities: [cap-b], hosting: saas, lifecycle: {phase: live}}
System | sys-c | C | {organisation: org-b, lifecycle: {phase: live}}
SupplierContract | con-a | A contract | {systems: [sys-a], term: {starts: 2024-01-01, ends: 2027-06-30, noticeDays: 60}, cost: [{annual: 8000}]}
SupplierContract | con-ab | Shared contract | {systems: [sys-a, sys-b], cost: [{annual: 2000}]}
Standard | STD-1 | It runs in a cloud | {applies: {kind: System}, severity: must, rule: 'self.spec.hosting in ["saas", "public-cloud"]', principle: P., failing: It does not., fix: Move.}
RoadmapItem | rm-one | Move A | {scenario: cloud, starts: 2027-01-01, ends: 2027-03-31, changes: [{subject: sys-a, hosting: saas, annual: 5000}]}
RoadmapItem | rm-two | Retire B | {scenario: cloud, starts: 2027-01-01, ends: 2028-03-31, changes: [{subject: sys-b, phase: retired}]}
RoadmapItem | rm-base | Cheaper A | {starts: 2027-01-01, ends: 2027-02-28, changes: [{subject: con-a, annual: 7000}]}
`

func rig(t *testing.T) (*scenario.Comparer, *register.Snapshot) {
	x := estatetest.Small{FS: estatetest.Definitions(estate), Fill: []func(*register.Snapshot){fit.Fill, roadmap.Fill},
		Exchange: register.Declared{Flows: []register.Flow{{ID: "flow-a", Name: "A to B", From: "sys-a", To: "sys-b"}}}}
	carbon := func(s *register.Snapshot) (c change.Carbon) {
		for _, k := range s.Systems {
			if c.Of++; k.Spec.InUse() && k.Spec.Hosting != "" {
				c.Covered++
				c.Kg += map[string]float64{"on-premise": 1000, "saas": 100}[k.Spec.Hosting]
			}
		}
		return c
	}
	return &scenario.Comparer{Draft: x.Draft, Carbon: carbon}, x.Snapshot(t)
}

func TestScenarioComparedWithToday(t *testing.T) {
	c, s := rig(t)
	got, err := c.Scenario(t.Context(), s, "cloud", def.Date{}, false)
	if err != nil {
		t.Fatal(err)
	}
	// A: £9,000 (8,000 and half of the shared 2,000) becomes 5,000; the shared contract goes on.
	if got.Cost.Before.String() != "£10,000" || got.Cost.After.String() != "£6,000" {
		t.Errorf("%s becomes %s", got.Cost.Before, got.Cost.After)
	}
	if got.Carbon.Before.Kg != 1100 || got.Carbon.After.Kg != 100 {
		t.Errorf("%+v", got.Carbon)
	}
	if len(got.Standards) != 1 || len(got.Standards[0].NewlyPass) != 1 || got.Standards[0].NewlyPass[0].ID != "sys-a" {
		t.Errorf("A newly runs in a cloud: %+v", got.Standards)
	}
	broken := map[string]bool{}
	for _, f := range got.Broken {
		broken[f.Kind+" "+f.ID] = true
	}
	if !broken["Flow flow-a"] || !broken["Capability cap-b"] {
		t.Errorf("broken: %v", broken)
	}
	if len(got.Items) != 3 || len(got.Later) != 0 {
		t.Errorf("items %v, later %v", got.Items, got.Later)
	}
	if s.Yearly.String() != "£10,000" {
		t.Error("the estate itself changed")
	}

	soon, err := c.Scenario(t.Context(), s, "cloud", date("2027-12-31"), true)
	if err != nil {
		t.Fatal(err)
	}
	if len(soon.Items) != 1 || len(soon.Later) != 1 || len(soon.Broken) != 0 || soon.Cost.Before.String() != "£9,000" || soon.Cost.After.String() != "£6,000" {
		t.Errorf("with the baseline done, by then only A has moved: %+v %s %s", soon.Items, soon.Cost.Before, soon.Cost.After)
	}
}

func date(s string) def.Date { d, _ := def.ParseDate(s); return d }

func TestTry(t *testing.T) {
	c, s := rig(t)
	got, err := c.Try(t.Context(), s, []roadmap.Change{{Subject: "sys-a", Phase: "retired"}, {Subject: "sys-b", Phase: "retired"}})
	if err != nil {
		t.Fatal(err)
	}
	if got.Cost.After.Known != 0 || len(got.Notes) != 2 {
		t.Errorf("both contracts pay for nothing then: %s, %+v", got.Cost.After, got.Notes)
	}
	if !strings.Contains(got.Notes[0].Text, "if notice is given by 1 May 2027") {
		t.Errorf("%+v", got.Notes)
	}
	one, err := c.Try(t.Context(), s, []roadmap.Change{{Subject: "sys-b", Phase: "retired"}})
	if err != nil || one.Cost.Change != 0 || len(one.Notes) != 1 || !strings.Contains(one.Notes[0].Text, "It goes on") {
		t.Errorf("%v %s %+v", err, one.Cost.Change, one.Notes)
	}
	twelve := int64(12)
	if c3, err := c.Try(t.Context(), s, []roadmap.Change{{Subject: "sys-c", Annual: &twelve}}); err != nil || c3.Cost.Change != 1200 {
		t.Errorf("a system without a contract then costs £12: %v", err)
	}
}

func TestPages(t *testing.T) {
	c, s := rig(t)
	desk := &scenario.Desk{Desk: estatetest.Desk(t, s), Comparer: *c}
	desk.Mount(desk.Mux)
	for path, want := range map[string][]string{
		"/staff/estate/scenarios":                                   {"Baseline", "Cloud", "Try a change"},
		"/staff/estate/scenarios/cloud":                             {"£4,000 less", "1,000 less", "A to B", "Doing B", "It runs in a cloud"},
		"/staff/estate/scenarios/cloud?by=2027-12-31":               {"Not counted: done later", "Retire B"},
		"/staff/estate/scenarios/baseline":                          {"£1,000 less"},
		"/staff/estate/scenarios/try":                               {"Retire a system"},
		"/staff/estate/scenarios/try?retire=sys-a&retire=sys-b":     {"A is retired", "B is retired", "£10,000 less"},
		"/staff/estate/scenarios/try?move=sys-a&to=saas":            {"moves to: software as a service", "kg CO2e"},
		"/staff/estate/scenarios/try?cost=sys-c&annual=%C2%A31,200": {"£1,200 more"},
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
	for path, want := range map[string]int{
		"/staff/estate/scenarios/none": 404, "/staff/estate/scenarios/cloud?by=soon": 400, "/staff/estate/scenarios/try?retire=" + url.QueryEscape(`"><b>`): 400,
		"/staff/estate/scenarios/try?move=sys-a&to=moon": 400, "/staff/estate/scenarios/try?cost=sys-a&annual=-1": 400, "/staff/estate/scenarios/try?annual=5": 400,
	} {
		if code, body := estatetest.Get(t, desk.Mux, path); code != want || strings.Contains(body, `"><b>`) {
			t.Errorf("%s: %d, want %d", path, code, want)
		}
	}
}
