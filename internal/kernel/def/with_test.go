package def_test

import (
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

type withSpec struct {
	Hosting string   `json:"hosting,omitempty"`
	Life    withLife `json:"life,omitempty"`
	Parts   []string `json:"parts,omitempty"`
}

type withLife struct {
	Phase string    `json:"phase,omitempty"`
	End   *def.Date `json:"end,omitempty"`
}

func TestWithLaysOverAndLeavesTheSetAlone(t *testing.T) {
	reg := def.NewRegistry(def.Kind{Name: "Thing", Doc: "A thing.", Spec: new(withSpec)})
	set, problems := def.Load(fstest.MapFS{"a.yaml": {Data: []byte(`apiVersion: reeve/v1
kind: Thing
metadata: {id: a, name: A, formerly: [old-a]}
spec: {hosting: here, life: {phase: live, end: 2027-01-31}, parts: [x, y]}
---
apiVersion: reeve/v1
kind: Thing
metadata: {id: b, name: B}
spec: {hosting: there}
`)}}, reg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	got, err := set.With(
		def.Overlay{Kind: "Thing", ID: "old-a", Set: map[string]any{"hosting": "cloud", "life.phase": "retired"}},
		def.Overlay{Kind: "Thing", ID: "a", Set: map[string]any{"parts": nil}},
		def.Overlay{Kind: "Thing", ID: "b", Remove: true},
		def.Overlay{Kind: "Thing", ID: "c", Name: "C", New: true, Set: map[string]any{"life.phase": "planned"}},
	)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := def.Get[withSpec](got, "old-a")
	if a.Spec.Hosting != "cloud" || a.Spec.Life.Phase != "retired" || a.Spec.Life.End.String() != "2027-01-31" || a.Spec.Parts != nil {
		t.Errorf("a is %+v", a.Spec)
	}
	if life := a.Value()["spec"].(map[string]any)["life"].(map[string]any); life["phase"] != "retired" || life["end"] == nil {
		t.Errorf("an expression sees %v", life)
	}
	if _, ok := got.Lookup("Thing", "b"); ok || len(got.Objects()) != 2 {
		t.Error("b is still there")
	}
	if c, ok := def.Get[withSpec](got, "c"); !ok || c.Name != "C" || c.Spec.Life.Phase != "planned" {
		t.Error("c is not there")
	}
	if was, _ := def.Get[withSpec](set, "a"); was.Spec.Hosting != "here" || was.Spec.Life.Phase != "live" || len(was.Spec.Parts) != 2 || len(set.Objects()) != 2 {
		t.Errorf("the set itself changed: %+v", was.Spec)
	}
	if was := set.Objects()[0].Value()["spec"].(map[string]any); was["hosting"] != "here" || was["life"].(map[string]any)["phase"] != "live" {
		t.Errorf("the values of the set itself changed: %v", was)
	}
	if got.Hash() == set.Hash() {
		t.Error("both sets have the same hash")
	}
	for _, wrong := range []def.Overlay{{Kind: "Thing", ID: "z"}, {Kind: "Thing", ID: "a", New: true}, {Kind: "Nothing", ID: "a", New: true}, {Kind: "Thing", ID: "a", Set: map[string]any{"nosuch": 1}}, {Kind: "Thing", ID: "a", Set: map[string]any{"life.end": "soon"}}} {
		if _, err := set.With(wrong); err == nil {
			t.Errorf("%+v is taken", wrong)
		}
	}
}
