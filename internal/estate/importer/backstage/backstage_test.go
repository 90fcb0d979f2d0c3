package backstage_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/backstage"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// way stands for the exchange's kind Interface, which the estate does not know.
type way struct {
	System      string `json:"system" def:"required,ref=System"`
	Style       string `json:"style"`
	Description string `json:"description"`
	Definition  string `json:"definition"`
}

var registry = def.NewRegistry(append(estate.Kinds(), def.Kind{Name: "Interface", Spec: new(way)})...)

func TestCatalogue(t *testing.T) {
	b, err := os.ReadFile("testdata/catalog-info.yaml")
	if err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{}
	run := func(in importer.Input) *importer.Prepared {
		t.Helper()
		p, err := importer.Prepare(context.Background(), backstage.Source, in, folder, registry, importer.Nothing)
		if err != nil {
			t.Fatal(err)
		}
		if p.Rows != 13 || p.Taken != 8 || p.Skipped != 1 || p.Failed != 4 {
			t.Errorf("%d entities: %d taken, %d left out, %d failed: %v", p.Rows, p.Taken, p.Skipped, p.Failed, p.Problems)
		}
		for name, b := range p.Files {
			folder[name] = &fstest.MapFile{Data: b}
		}
		return p
	}
	p := run(importer.Input{Name: "catalog-info.yaml", Reader: strings.NewReader(string(b))})
	told := fmt.Sprint(p.Problems)
	for _, want := range []string{"which system provides this API", "is in line 24", "no kind or no metadata.name"} {
		if !strings.Contains(told, want) {
			t.Errorf("not told: %s in %s", want, told)
		}
	}
	set, problems := def.Load(folder, registry)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	tax, _ := def.Get[system.Spec](set, "sys-council-tax")
	site, _ := def.Get[system.Spec](set, "sys-website")
	db, _ := def.Get[component.Spec](set, "cmp-bills-db")
	bills, _ := def.Get[way](set, "if-bills")
	team, _ := def.Get[organisation.Spec](set, "org-revenues-team")
	if tax.Spec.Organisation != "org-revenues-team" || fmt.Sprint(tax.Spec.Capabilities) != "[cap-revenues]" || tax.Labels["cost-centre"] != "4711" || tax.Labels["tags"] != "tax, billing" {
		t.Errorf("%+v %v", tax.Spec, tax.Labels)
	}
	if site.Spec.Owner != "person-jo-bloggs" || site.Spec.Phase() != "live" || db.Spec.System != "sys-council-tax" || team.Spec.Parent != "org-finance" {
		t.Errorf("%+v, %+v, %+v", site.Spec, db.Spec, team.Spec)
	}
	if bills.Spec.System != "sys-council-tax" || bills.Spec.Definition != "estate/imported-backstage/default-bills.yaml" || folder[bills.Spec.Definition] == nil {
		t.Errorf("%+v", bills.Spec)
	}
	// The same as a folder changes nothing.
	again := run(importer.Input{Name: "repo", Folder: fstest.MapFS{"a/catalog-info.yaml": {Data: b}, "node_modules/x/catalog-info.yaml": {Data: b}, "other.yaml": {Data: []byte("a: 1")}}})
	if again.Same != 8 || len(again.Changes) != 0 {
		t.Errorf("%d same, %v", again.Same, again.Changes)
	}
}

func TestHostile(t *testing.T) {
	const head = "apiVersion: backstage.io/v1alpha1\nkind: System\nmetadata:\n  name: a\n  x: "
	bomb := head + "1\na: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	for name, c := range map[string]struct {
		data io.Reader
		want string
	}{
		"deep":   {strings.NewReader(head + strings.Repeat("[", 100_000)), ""},
		"bomb":   {strings.NewReader(bomb), ""},
		"binary": {strings.NewReader(head + "\x00\x01"), ""},
		"empty":  {strings.NewReader(""), "no entity"},
		"huge":   {io.LimitReader(zeros{}, 1<<30), "larger than 4 MB"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := backstage.Source.Read(context.Background(), importer.Input{Name: "x", Reader: c.data})
			switch {
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got %v", err)
			case c.want == "" && (err != nil || r.Failed != 1 || len(r.Problems) != 1):
				t.Errorf("got %v, %+v", err, r)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
