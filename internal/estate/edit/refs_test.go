package edit

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

type thing struct {
	Parent string `json:"parent,omitempty" def:"ref=Thing"`
}

// TestReferencesByName reads what a form shows, an id, or a name that only one has.
func TestReferencesByName(t *testing.T) {
	files := ""
	for _, x := range [][2]string{{"t-a", "Alpha"}, {"t-b", "Beta (new)"}, {"t-c", "Twice"}, {"t-d", "Twice"}} {
		files += "---\napiVersion: reeve/v1\nkind: Thing\nmetadata: {id: " + x[0] + ", name: \"" + x[1] + "\", formerly: [old-" + x[0] + "]}\nspec: {}\n"
	}
	set, problems := def.Load(fstest.MapFS{"a.yaml": {Data: []byte(files)}}, def.NewRegistry(def.Kind{Name: "Thing", Spec: new(thing)}))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r, kinds := refer(set), []string{"Thing"}
	for text, want := range map[string]string{
		"t-a": "t-a", "Alpha (t-a)": "t-a", "alpha": "t-a", "Alpha": "t-a", "Beta (new)": "t-b", "Beta (new) (t-b)": "t-b",
		"old-t-a": "old-t-a", "Alpha (old-t-a)": "old-t-a", // as it is written: nothing changes by looking at it
		"": "", "Gamma": "Gamma", "Gamma (t-z)": "Gamma (t-z)", "Twice (t-d)": "t-d",
	} {
		if got, several := r.read(kinds, text); got != want || len(several) > 1 {
			t.Errorf("%q is read as %q, %q", text, got, several)
		}
	}
	if _, several := r.read(kinds, "Twice"); strings.Join(several, " ") != "t-c t-d" {
		t.Errorf("a name of two: %q", several)
	}
	for _, id := range []string{"t-a", "t-b", "old-t-a"} {
		if got, _ := r.read(kinds, r.shown(kinds, id)); got != id {
			t.Errorf("%s is shown as %q, and read back as %s", id, r.shown(kinds, id), got)
		}
	}
	if got := r.shown(kinds, "nothing"); got != "nothing" {
		t.Errorf("%q", got)
	}
}
