package data

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

func TestPatientsAreWhatTheSourceSays(t *testing.T) {
	ps, err := Patients()
	if err != nil {
		t.Fatal(err)
	}
	dead := Dead(ps)
	if len(ps) != 615 || len(dead) != 124 || len(Living(ps)) != 491 {
		t.Fatalf("%d patients, %d dead", len(ps), len(dead))
	}
	adults := 0
	for _, p := range dead {
		if Age(p.Born, p.Died) >= 18 {
			adults++
		}
	}
	if adults != 116 {
		t.Fatalf("%d of the dead were adults, want 116", adults)
	}
}

func TestRegistrations(t *testing.T) {
	ps, err := Patients()
	if err != nil {
		t.Fatal(err)
	}
	ds, err := History(ps)
	if err != nil {
		t.Fatal(err)
	}
	sch := schema(t, "../body/exchange/schemas/death.json")
	seen := map[string]bool{}
	for _, d := range ds {
		if seen[d.Registration] {
			t.Fatalf("the number %s is given twice", d.Registration)
		}
		seen[d.Registration] = true
		valid(t, sch, d.JSON())
		valid(t, sch, d.InError().JSON())
	}
	if len(seen) != 124 {
		t.Fatalf("%d registrations, want 124", len(seen))
	}
}

func TestAwards(t *testing.T) {
	ps, err := Patients()
	if err != nil {
		t.Fatal(err)
	}
	sch := schema(t, "../body/exchange/schemas/benefit-award.json")
	as := Awards(ps)
	unknown := 0
	for _, a := range as {
		valid(t, sch, a.JSON())
		if !a.MadeUp {
			t.Fatalf("%s does not say that it is made up", a.Award)
		}
		if a.Household.Income == nil {
			unknown++
		}
	}
	if len(as) != AwardCount || unknown != 6 {
		t.Fatalf("%d awards, %d with no income known", len(as), unknown)
	}
}

func TestApplications(t *testing.T) {
	sch := schema(t, "../body/exchange/schemas/planning/application.json")
	as, err := Applications()
	if err != nil {
		t.Fatal(err)
	}
	if len(as) != 13 {
		t.Fatalf("%d applications, want 13", len(as))
	}
	for _, a := range as {
		valid(t, sch, a)
	}
	bs, err := BrokenApplications(as)
	if err != nil {
		t.Fatal(err)
	}
	if len(bs) != 5 {
		t.Fatalf("%d broken copies, want 5", len(bs))
	}
	for _, b := range bs {
		v, _ := jsonschema.UnmarshalJSON(bytes.NewReader(b.Body))
		if err := sch.Validate(v); err == nil {
			t.Errorf("nothing is wrong with the copy where %s", b.Wrong)
		}
		valid(t, sch, b.Fixed)
	}
}

func schema(t *testing.T, file string) *jsonschema.Schema {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("mem:///"+filepath.Base(file), doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:///" + filepath.Base(file))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func valid(t *testing.T, s *jsonschema.Schema, body json.RawMessage) {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(v); err != nil {
		t.Fatalf("%v\n%.300s", err, body)
	}
}
