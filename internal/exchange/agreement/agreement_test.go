package agreement_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

type orgSpec struct {
	Type   string `json:"type"`
	Parent string `json:"parent"`
}

func load(yaml string) (*def.Set, *contract.Schemas, []def.Problem) {
	schemas := new(contract.Schemas)
	reg := def.NewRegistry(contract.Kind(schemas), agreement.Kind(schemas),
		def.Kind{Name: "Organisation", Spec: new(orgSpec)}, def.Kind{Name: "System", Spec: new(struct{})})
	set, problems := def.Load(fstest.MapFS{
		"a.yaml":      {Data: []byte(yaml)},
		"closed.json": {Data: []byte(`{"type":"object","additionalProperties":false,"properties":{"id":{"type":"string"},"who":{"type":"object"}}}`)},
		"bad.json":    {Data: []byte(`{"type":"objekt"}`)},
		"away.json":   {Data: []byte(`{"$ref":"https://example.com/schema.json"}`)},
	}, reg)
	return set, schemas, problems
}

const parties = `apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-body, name: Body}
spec: {type: council}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-team, name: Team}
spec: {type: department, parent: org-body}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-a, name: A, formerly: [org-was-a]}
spec: {type: partner}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-a.v1, name: A}
spec: {schema: closed.json, key: /id, classification: {level: internal}}
---
`

// Each mistake is told with its place, all at once.
func TestMistakes(t *testing.T) {
	_, _, problems := load(parties + `apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-a, name: A}
spec:
  from: org-a
  to: org-body
  records:
  - type: rec-a.v1
    fields: [/id, /nothing, /who/name, /id/deep]
    where: record.id ==
    purposes: [x]
  starts: 2030-01-01
  ends: 2029-12-31
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-b.v1, name: B}
spec: {schema: bad.json, classification: {level: internal}}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-c.v1, name: C}
spec: {schema: away.json, order: strict, lawfulBasis: {article6: a}, classification: {level: internal}}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-d.v1, name: D}
spec: {schema: closed.json, key: /nothing, about: [/who/name, /zz], classification: {level: internal}}
`)
	var got []string
	for _, p := range problems {
		if p.Line == 0 || p.Col == 0 || p.File != "a.yaml" {
			t.Errorf("no place: %s", p)
		}
		got = append(got, p.String())
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{
		"allows no field /nothing", "allows no field /id/deep", "ends on 2029-12-31, before it starts on 2030-01-01",
		"not valid JSON Schema", "definitions folder only, not to https://example.com/schema.json", "strict order needs a key",
		"consent (a)", "allows no field /zz",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("lacks %q", want)
		}
	}
	if strings.Contains(all, "/who/name") {
		t.Error("a field that may be there is called a mistake")
	}
	if len(problems) < 9 { // and the expression that does not compile
		t.Errorf("%d problems:\n%s", len(problems), all)
	}
}

func TestWindows(t *testing.T) {
	set, schemas, problems := load(parties + `apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-a, name: A}
spec:
  from: org-was-a
  to: org-team
  records:
  - {type: rec-a.v1, fields: [/id], purposes: [one], where: record.id == "x"}
  - {type: rec-a.v1, fields: [/], purposes: [two]}
  starts: 2026-03-29
  ends: 2026-10-25
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-b, name: B}
spec:
  from: org-body
  to: org-a
  records: [{type: rec-a.v1, fields: [/id], purposes: [one]}]
  starts: 2026-01-01
  ends: 2026-12-31
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	types, ps := schemas.Compile(set)
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	if _, ok := types.Type("rec-a.v1"); !ok {
		t.Fatal("no type")
	}
	zone, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Skip(err)
	}
	s, ps := agreement.Compile(set, agreement.Options{Zone: zone})
	if len(ps) > 0 {
		t.Fatal(ps)
	}
	for at, want := range map[string]string{
		"2026-03-28T23:59:59Z": "agreement-not-started",
		"2026-03-29T00:00:00Z": "",
		"2026-10-24T23:30:00Z": "", // already the last day in London, by summer time
		"2026-10-25T23:59:59Z": "",
		"2026-10-26T00:00:00Z": "agreement-ended",
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		terms, why := s.Intake(now, "org-a", "rec-a.v1")
		if code := ""; why != nil {
			if code = why.Code; code != want || why.Agreement != "agr-a" {
				t.Errorf("%s: %+v, want %q", at, why, want)
			}
		} else if want != "" || len(terms) != 2 {
			t.Errorf("%s: %d terms, want %q", at, len(terms), want)
		}
	}
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		from, to string
		purpose  reeve.Purpose
		ok       bool
	}{
		{"org-a", "org-team", "one", true}, {"org-a", "org-team", "two", true}, {"org-a", "org-team", "three", false},
		{"org-a", "org-body", "one", false}, {"org-body", "org-a", "one", true}, {"org-team", "org-a", "one", false},
	} {
		if term, why := s.Covers(now, c.from, c.to, "rec-a.v1", c.purpose); (term != nil) != c.ok || (why == "") != c.ok {
			t.Errorf("%+v: %v %s", c, term, why)
		}
	}
	if _, why := s.Intake(now, "org-body", "rec-a.v1"); why == nil || why.Code != "no-agreement" {
		t.Error("an agreement with somebody else lets records in")
	}
	if got := fmt.Sprint(s.Types(now, "org-a")); got != "[rec-a.v1]" {
		t.Error(got)
	}
	terms, _ := s.Intake(now, "org-a", "rec-a.v1")
	for rec, want := range map[string]rules.Truth{`x`: rules.True, `y`: rules.False} {
		if truth, _, err := terms[0].Admits(t.Context(), map[string]any{"id": rec}); err != nil || truth != want {
			t.Error(rec, truth, err)
		}
	}
	if truth, missing, err := terms[0].Admits(t.Context(), map[string]any{}); err != nil || truth != rules.Unknown || fmt.Sprint(missing) != "[id]" {
		t.Error(truth, missing, err)
	}
}
