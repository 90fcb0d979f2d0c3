package importer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// shelf is a folder of definitions that imports are carried out in.
type shelf struct {
	t      *testing.T
	folder fstest.MapFS
}

func (s shelf) run(list string, take importer.Choose) *importer.Prepared {
	s.t.Helper()
	p, err := importer.Prepare(context.Background(), importer.Systems, importer.Input{Name: "list.csv", Reader: strings.NewReader(list)}, s.folder, registry, take)
	if err != nil {
		s.t.Fatal(err)
	}
	if n := p.Added + p.Changed + p.Same + p.Conflicting + p.Doubled; n != len(p.Definitions) {
		s.t.Errorf("%d definitions, %d accounted for", len(p.Definitions), n)
	}
	for name, b := range p.Files {
		s.folder[name] = &fstest.MapFile{Data: b}
	}
	return p
}

// edit changes a text in a file, as a person does.
func (s shelf) edit(file, old, now string) {
	s.t.Helper()
	text := string(s.folder[file].Data)
	if !strings.Contains(text, old) {
		s.t.Fatalf("%q is not in\n%s", old, text)
	}
	s.folder[file] = &fstest.MapFile{Data: []byte(strings.Replace(text, old, now, 1))}
}

func (s shelf) hosting(id string) string {
	set, problems := def.Load(s.folder, registry)
	if len(problems) > 0 {
		s.t.Fatal(problems)
	}
	x, ok := def.Get[system.Spec](set, id)
	if !ok {
		return "no such system"
	}
	return x.Spec.Hosting
}

const file = "estate/imported-systems.yaml"

// TestThreeWays takes what a list changed, keeps what a person changed, and asks
// where both did.
func TestThreeWays(t *testing.T) {
	s := shelf{t, fstest.MapFS{}}
	s.run("App ID,System,Hosting\nA1,Rents,on prem\nA2,Fines,on prem\nA3,Trees,on prem\n", importer.Nothing)
	s.edit(file, "hosting: on-premise", "hosting: paas # by hand") // Fines: the file is in the order of ids
	if got := s.hosting("sys-fines"); got != "paas" {
		t.Fatal(got)
	}
	// The list still says what it said: what the person wrote stays, and nobody is asked.
	if p := s.run("App ID,System,Hosting\nA1,Rents,on prem\nA2,Fines,on prem\nA3,Trees,on prem\n", importer.Nothing); len(p.Files) != 0 || p.Conflicting != 0 || p.Changes[0].What != importer.Kept {
		t.Errorf("%v", p.Changes)
	}
	// The list changed all three: two follow, one is asked about.
	p := s.run("App ID,System,Hosting\nA1,Rents,SaaS\nA2,Fines,SaaS\nA3,Trees,SaaS\n", importer.Nothing)
	if p.Changed != 2 || p.Conflicting != 1 || s.hosting("sys-rents") != "saas" || s.hosting("sys-fines") != "paas" {
		t.Errorf("%+v", p.Changes)
	}
	// Taking the list's value keeps the person's comment.
	s.run("App ID,System,Hosting\nA2,Fines,Azure\n", func(f string) bool { return f == "System/sys-fines spec.hosting" })
	if s.hosting("sys-fines") != "public-cloud" || !strings.Contains(string(s.folder[file].Data), "hosting: public-cloud # by hand") {
		t.Errorf("%s", s.folder[file].Data)
	}
}

// TestFound finds a system again after its name, or its id, changed.
func TestFound(t *testing.T) {
	s := shelf{t, fstest.MapFS{}}
	s.run("App ID,System\nA1,Rents\n", importer.Nothing)
	s.edit(file, "id: sys-rents,", "id: sys-homes-rents, formerly: [sys-rents],")
	p := s.run("App ID,System\nA1,Rents and arrears\n", importer.Nothing)
	if p.Added != 0 || len(p.Changes) != 1 || p.Changes[0].ID != "sys-homes-rents" || p.Changes[0].By != "label:reference" {
		t.Fatalf("%+v", p.Changes)
	}
	// Another number is another system, even of the same name.
	if p = s.run("App ID,System\nA1,Rents and arrears\nB7,Rents and arrears\n", importer.Nothing); p.Added != 1 {
		t.Errorf("%+v", p.Changes)
	}
}

// TestGone tells what the list has no more, removes nothing, and forgets what a
// person removed.
func TestGone(t *testing.T) {
	s := shelf{t, fstest.MapFS{}}
	s.run("System,Hosting\nRents,SaaS\nFines,SaaS\n", importer.Nothing)
	p := s.run("System,Hosting\nRents,SaaS\n", importer.Nothing)
	if p.Gone != 1 || s.hosting("sys-fines") != "saas" {
		t.Errorf("%+v", p.Changes)
	}
	text := string(s.folder[file].Data)
	parts := strings.SplitAfter(text, "---\n")
	for _, doc := range parts {
		if strings.Contains(doc, "sys-fines") {
			text = strings.Replace(text, "---\n"+doc, "---\n", 1)
		}
	}
	s.folder[file] = &fstest.MapFile{Data: []byte(text)}
	if p = s.run("System,Hosting\nRents,SaaS\n", importer.Nothing); p.Gone != 0 || s.hosting("sys-fines") != "no such system" {
		t.Errorf("%+v\n%s", p.Changes, text)
	}
}

// TestWhole refuses an import whose outcome does not load, and one into
// definitions that do not.
func TestWhole(t *testing.T) {
	list := "System,Department\nRents,Homes\n"
	for name, folder := range map[string]fstest.MapFS{
		"broken":           {"x.yaml": {Data: []byte("kind: [")}},
		"a ring":           {"x.yaml": {Data: []byte("apiVersion: reeve/v1\nkind: Capability\nmetadata: {id: cap-a, name: A}\nspec: {parent: cap-b}\n---\napiVersion: reeve/v1\nkind: Capability\nmetadata: {id: cap-b, name: B}\nspec: {parent: cap-a}\n")}},
		"a broken mapping": {"estate/imported-systems.mapping": {Data: []byte("columns: [")}},
		"a broken memory":  {"estate/imported-systems.said": {Data: []byte("{")}},
	} {
		_, err := importer.Prepare(context.Background(), importer.Systems, importer.Input{Name: "l.csv", Reader: strings.NewReader(list)}, folder, registry, importer.Nothing)
		if err == nil {
			t.Errorf("%s: it is imported", name)
		} else if name == "a ring" && !strings.Contains(err.Error(), "cap-a > cap-b > cap-a") {
			t.Errorf("the ring is not named: %v", err)
		}
	}
}

// TestFormulasAreData keeps cells that begin as formulas do out of the definitions,
// and values that only look so as they are.
func TestFormulasAreData(t *testing.T) {
	s := shelf{t, fstest.MapFS{}}
	p := s.run("System,Description,Product\nRents,=HYPERLINK(\"http://x.example\";\"a\"),@SUM(A1)\n\"+cmd|' /C calc'!A0\",-2+3,plain\n", importer.Nothing)
	if p.Taken != 1 || p.Failed != 1 || strings.Contains(string(s.folder[file].Data), "HYPERLINK") || !strings.Contains(fmt.Sprint(p.Problems), "holds a formula as text") {
		t.Errorf("%d taken, %d failed: %v\n%s", p.Taken, p.Failed, p.Problems, s.folder[file].Data)
	}
}
