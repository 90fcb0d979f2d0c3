package change_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/asset"
	"github.com/reeve-civic/reeve/internal/estate/change"
	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// The exchange's kinds, as far as a comparison looks at them.
type (
	agreement struct {
		Starts  def.Date `json:"starts"`
		Ends    def.Date `json:"ends"`
		Records []any    `json:"records"`
	}
	flow struct {
		From      string `json:"from" def:"ref=System"`
		To        string `json:"to" def:"ref=System"`
		Record    string `json:"record"`
		Agreement string `json:"agreement" def:"ref=Agreement"`
		Purpose   string `json:"purpose"`
	}
)

// exchange reads flows as the real one does.
type exchange struct{}

func (exchange) Declared(set *def.Set) (d register.Declared) {
	for _, f := range def.All[flow](set) {
		x := register.Flow{ID: f.ID, Name: f.Name, From: f.Spec.From, To: f.Spec.To, Record: f.Spec.Record, Agreement: f.Spec.Agreement, Purpose: f.Spec.Purpose, Via: "exchange", Object: f.Object}
		if a, ok := def.Get[agreement](set, f.Spec.Agreement); ok {
			x.AgreementStarts, x.AgreementTo = a.Spec.Starts, a.Spec.Ends
		}
		d.Flows = append(d.Flows, x)
	}
	return d
}

const folder = `apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-us, name: The Borough}
spec: {type: council}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-nhs, name: The hospital}
spec: {type: partner}
---
apiVersion: reeve/v1
kind: Capability
metadata: {id: cap-tax, name: Council tax}
spec: {}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-tax, name: Council tax}
spec: {organisation: org-us, capabilities: [cap-tax], hosting: on-premise, lifecycle: {phase: live}}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-desk, name: Front desk}
spec: {organisation: org-us, hosting: saas, lifecycle: {phase: live}}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-pas, name: Patients}
spec: {organisation: org-nhs}
---
apiVersion: reeve/v1
kind: SupplierContract
metadata: {id: con-tax, name: Tax licence}
spec: {systems: [sys-tax], term: {starts: 2020-01-01, ends: 2030-01-01}, cost: [{annual: 1000}]}
---
apiVersion: reeve/v1
kind: Service
metadata: {id: svc-tax, name: Pay council tax}
spec: {audience: public, systems: [sys-tax]}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr, name: Sharing}
spec:
  starts: 2020-01-01
  ends: 2030-01-01
  records: [{type: rec-person.v1, fields: [/name, /address], purposes: [care]}]
---
apiVersion: reeve/v1
kind: Flow
metadata: {id: flow-tax-pas, name: To the hospital}
spec: {from: sys-tax, to: sys-pas, record: rec-person.v1, agreement: agr, purpose: care}
---
apiVersion: reeve/v1
kind: Standard
metadata: {id: std-cloud, name: In the cloud}
spec:
  principle: We run little ourselves.
  applies: {kind: System, where: 'facts.ours && facts.inUse'}
  severity: must
  rule: self.spec.hosting == "saas"
  failing: It runs here.
  fix: Move it.
  maxWaiver: 365d
`

func snapshot(t *testing.T, text string) *register.Snapshot {
	t.Helper()
	kinds := append(estatetest.Kinds(), asset.Kind(), def.Kind{Name: "Agreement", Spec: new(agreement)}, def.Kind{Name: "Flow", Spec: new(flow)})
	set, problems := def.Load(fstest.MapFS{"all.yaml": {Data: []byte(text)}}, def.NewRegistry(kinds...))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	m, problems := register.Compile(set)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s := register.New(register.Parts{Model: m, Declared: exchange{}.Declared(set), At: time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)})
	if err := s.Judge(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCompare makes one change at a time, and expects what it brings about.
func TestCompare(t *testing.T) {
	before := snapshot(t, folder)
	for name, c := range map[string]struct {
		edit  []string // pairs: what is replaced, and by what
		want  []string // lines of the text
		not   []string
		worse bool
	}{
		"nothing": {nil, []string{"Nothing changes."}, nil, false},
		"renamed": {[]string{"{id: sys-desk, name: Front desk}", "{id: sys-counter, name: Front desk, formerly: [sys-desk]}"},
			[]string{"0 added, 1 changed, 0 removed", "metadata.id: sys-desk -> sys-counter"}, []string{"not met", "newly"}, false},
		"moved": {[]string{"hosting: on-premise", "hosting: saas"},
			[]string{"spec.hosting: on-premise -> saas", "0 newly not met, 0 newly not known, 0 newly waived, 1 newly met", "met: Council tax (sys-tax)", "standards not met 1 before, 0 after"}, []string{"stop"}, false},
		"worse hosting": {[]string{"organisation: org-us, hosting: saas", "organisation: org-us, hosting: paas"},
			[]string{"1 newly not met", "not met: Front desk (sys-desk). It runs here."}, nil, true},
		"forgotten": {[]string{"organisation: org-us, hosting: saas", "organisation: org-us"},
			[]string{"spec.hosting: saas -> (not given)", "1 newly not known", "not known: Front desk (sys-desk)"}, []string{"1 newly not met"}, false},
		"retired": {[]string{"hosting: on-premise, lifecycle: {phase: live}", "hosting: on-premise, lifecycle: {phase: retired}"},
			[]string{"Capability Council tax (cap-tax): No system in use provides it any more", "Flow To the hospital (flow-tax-pas): It comes from Council tax, which is not in use.", "Service Pay council tax (svc-tax): It needs Council tax",
				"SupplierContract Tax licence (con-tax): It is in force and pays for nothing that is in use.", "1 flows rely on it, and no successor is named"}, nil, true},
		"dearer":    {[]string{"annual: 1000", "annual: 1500"}, []string{"£1,000 before, £1,500 after (+£500", "Council tax: £1,000 before, £1,500 after"}, nil, false},
		"seen more": {[]string{"[/name, /address]", "[/name, /address, /income]"}, []string{"Who newly sees what: 1", "Patients (The hospital): /income of rec-person.v1, by flow-tax-pas under agr"}, []string{"no longer sees"}, true},
		"seen less": {[]string{"[/name, /address]", "[/name]"}, []string{"Who no longer sees what: 1", "/address of rec-person.v1"}, []string{"newly sees"}, false},
		"below":     {[]string{"[/name, /address]", "[/name, /address/city]"}, []string{"no longer sees what: 1", "/address of"}, []string{"newly sees"}, false},
		"the whole": {[]string{"[/name, /address]", "[/]"}, []string{"Patients (The hospital): the whole of rec-person.v1"}, nil, true},
		"lapsed": {[]string{"ends: 2030-01-01\n  records", "ends: 2026-01-01\n  records"},
			[]string{"Its agreement agr ended on 2026-01-01, so nothing flows.", "no longer sees what: 1"}, nil, true},
		"no standard": {[]string{folder[strings.Index(folder, "---\napiVersion: reeve/v1\nkind: Standard"):], ""}, []string{"- Standard std-cloud In the cloud", "Standard In the cloud (must) no longer holds."}, nil, false},
		"waived": {[]string{"  maxWaiver: 365d\n", "  maxWaiver: 365d\n---\napiVersion: reeve/v1\nkind: Waiver\nmetadata: {id: wav, name: Leave}\nspec: {standard: std-cloud, subject: sys-tax, reason: Until the move., approvedBy: post-cio, granted: 2026-06-01, expires: 2027-01-31}\n"},
			[]string{"+ Waiver wav Leave", "1 newly waived"}, []string{"1 newly met"}, false},
		"unpaid": {[]string{"systems: [sys-tax], term", "systems: [sys-desk], term"}, []string{"System Council tax (sys-tax): It is in use, and no supplier contract pays for it any more."}, nil, true},
		"lost flow": {[]string{"---\napiVersion: reeve/v1\nkind: Flow\nmetadata: {id: flow-tax-pas, name: To the hospital}\nspec: {from: sys-tax, to: sys-pas, record: rec-person.v1, agreement: agr, purpose: care}\n", ""},
			[]string{"It is gone, and nothing else takes rec-person.v1 from Council tax to Patients."}, nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			text := folder
			for i := 0; i < len(c.edit); i += 2 {
				if !strings.Contains(text, c.edit[i]) {
					t.Fatalf("there is no %q", c.edit[i])
				}
				text = strings.Replace(text, c.edit[i], c.edit[i+1], 1)
			}
			d := change.Compare(before, snapshot(t, text))
			got := d.Text()
			for _, w := range c.want {
				if !strings.Contains(got, w) {
					t.Errorf("it does not say %q:\n%s", w, got)
				}
			}
			for _, w := range c.not {
				if strings.Contains(got, w) {
					t.Errorf("it says %q:\n%s", w, got)
				}
			}
			if d.Worse() != c.worse {
				t.Errorf("worse: %t, want %t:\n%s", d.Worse(), c.worse, got)
			}
			if _, err := json.Marshal(d); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestThereAndBack compares both ways: what is newly broken one way is mended the
// other, and who newly sees one way no longer sees the other.
func TestThereAndBack(t *testing.T) {
	a := snapshot(t, folder)
	b := snapshot(t, strings.Replace(strings.Replace(folder, "[/name, /address]", "[/name, /income]", 1), "hosting: on-premise, lifecycle: {phase: live}", "hosting: saas, lifecycle: {phase: retired}", 1))
	there, back := change.Compare(a, b), change.Compare(b, a)
	if fmt.Sprint(there.Disclosures) != fmt.Sprint(back.Withdrawn) || fmt.Sprint(there.Withdrawn) != fmt.Sprint(back.Disclosures) {
		t.Errorf("%v %v\n%v %v", there.Disclosures, there.Withdrawn, back.Disclosures, back.Withdrawn)
	}
	if there.Cost.Change != -back.Cost.Change || len(there.Definitions) != len(back.Definitions) {
		t.Errorf("%+v %+v", there.Cost, back.Cost)
	}
	mended := func(f change.Fault) bool {
		return slices.ContainsFunc(back.Mended, func(g change.Fault) bool { return f.Kind == g.Kind && f.ID == g.ID && f.Text == g.Text })
	}
	for _, f := range there.Broken {
		if f.Kind == "Flow" && !mended(f) {
			t.Errorf("%v is not mended on the way back: %v", f, back.Mended)
		}
	}
}

// BenchmarkCompare compares an estate of 10,000 systems with itself.
func BenchmarkCompare(b *testing.B) {
	s := estatetest.Large.Snapshot(b)
	again := estatetest.Large.Snapshot(b)
	for b.Loop() {
		change.Compare(s, again)
	}
}

// TestWhoHasADeviceIsNotTold: that a holder changed may be seen by all who see
// changes, and not who it was.
func TestWhoHasADeviceIsNotTold(t *testing.T) {
	device := folder + "---\napiVersion: reeve/v1\nkind: Asset\nmetadata: {id: ast-1, name: Laptop}\nspec: {type: laptop, holder: first-name}\n"
	got := fmt.Sprintf("%+v", change.Asks{}.Compare(snapshot(t, device), snapshot(t, strings.Replace(device, "first-name", "second-name", 1))).Definitions)
	if !strings.Contains(got, "spec.holder") || strings.Contains(got, "first-name") || strings.Contains(got, "second-name") {
		t.Error(got)
	}
}
