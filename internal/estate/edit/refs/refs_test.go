package refs

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
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
	r, kinds := New(set, nil), []string{"Thing"}
	for text, want := range map[string]string{
		"t-a": "t-a", "Alpha (t-a)": "t-a", "alpha": "t-a", "Alpha": "t-a", "Beta (new)": "t-b", "Beta (new) (t-b)": "t-b",
		"old-t-a": "old-t-a", "Alpha (old-t-a)": "old-t-a", // as it is written: nothing changes by looking at it
		"": "", "Gamma": "Gamma", "Gamma (t-z)": "Gamma (t-z)", "Twice (t-d)": "t-d",
	} {
		if got, several := r.Read(kinds, text); got != want || len(several) > 1 {
			t.Errorf("%q is read as %q, %q", text, got, several)
		}
	}
	if _, several := r.Read(kinds, "Twice"); strings.Join(several, " ") != "t-c t-d" {
		t.Errorf("a name of two: %q", several)
	}
	for _, id := range []string{"t-a", "t-b", "old-t-a"} {
		if got, _ := r.Read(kinds, r.Shown(kinds, id)); got != id {
			t.Errorf("%s is shown as %q, and read back as %s", id, r.Shown(kinds, id), got)
		}
	}
	if got := r.Shown(kinds, "nothing"); got != "nothing" {
		t.Errorf("%q", got)
	}
}

// TestPeopleByName finds people of the directory, and leaves who is not in it as they are.
func TestPeopleByName(t *testing.T) {
	inv := &inventory.Inventory{People: []inventory.Person{
		{ID: "person-jo", Name: "Jo Reed", Email: "jo@ferrybridge.example", Active: true},
		{ID: "person-left", Name: "Lee Gone"},
		{ID: "post-cio", Name: "Chief information officer", Active: true},
	}}
	set, _ := def.Load(fstest.MapFS{}, def.NewRegistry(def.Kind{Name: "Thing", Spec: new(thing)}))
	r, kinds := New(set, &register.Snapshot{Inventory: inv, Directory: inventory.NewDirectory(inv)}), []string{person}
	for text, want := range map[string]string{
		"person-jo": "person-jo", "Jo Reed (person-jo)": "person-jo", "jo reed": "person-jo", "chief information officer": "post-cio",
		"jo@ferrybridge.example": "jo@ferrybridge.example", "Somebody New": "Somebody New", "Lee Gone": "Lee Gone", "Lee Gone (person-left)": "person-left",
	} {
		if got, several := r.Read(kinds, text); got != want || len(several) > 1 {
			t.Errorf("%q is read as %q, %q", text, got, several)
		}
	}
	for _, id := range []string{"person-jo", "person-left", "post-cio", "jo@ferrybridge.example", "post-unknown"} {
		if got, _ := r.Read(kinds, r.Shown(kinds, id)); got != id {
			t.Errorf("%s is shown as %q, and read back as %s", id, r.Shown(kinds, id), got)
		}
	}
	if got := r.Shown(kinds, "person-left"); got != "Lee Gone (person-left)" {
		t.Errorf("who has left is shown as %q", got)
	}
	r.List(kinds)
	if l := r.Lists(); len(l) != 1 || len(l[0].Items) != 2 || l[0].Items[0].ID != "post-cio" {
		t.Errorf("offered: %v", l)
	}
}
