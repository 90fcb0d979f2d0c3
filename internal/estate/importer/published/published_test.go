package published_test

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/published"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// way stands for the exchange's kind Interface, which the estate does not know.
type way struct {
	System     string `json:"system" def:"required,ref=System"`
	Style      string `json:"style"`
	Definition string `json:"definition"`
}

var registry = def.NewRegistry(append(estate.Kinds(), def.Kind{Name: "Interface", Spec: new(way)})...)

// run prepares an import of a real file into a folder, and carries it out.
func run(t *testing.T, src importer.Source, file string, folder fstest.MapFS, settings map[string]string) *importer.Prepared {
	t.Helper()
	b, err := os.ReadFile("../testdata/real/" + file)
	if err != nil {
		t.Fatal(err)
	}
	if !src.Detect(b[:4096], file) {
		t.Errorf("%s is not recognised", file)
	}
	for _, other := range published.Sources() {
		if other.Name != src.Name && other.Detect(b[:4096], file) {
			t.Errorf("%s is taken for %s", file, other.Name)
		}
	}
	p, err := importer.Prepare(context.Background(), src, importer.Input{Name: file, Reader: bytes.NewReader(b), Settings: settings}, folder, registry, importer.Nothing)
	if err != nil {
		t.Fatal(err)
	}
	if p.Rows != p.Taken+p.Repeated+p.Failed+p.Skipped {
		t.Errorf("%d rows are not %d taken, %d repeated, %d failed and %d left out", p.Rows, p.Taken, p.Repeated, p.Failed, p.Skipped)
	}
	if n := p.Added + p.Changed + p.Same + p.Conflicting + p.Doubled; n != len(p.Definitions) {
		t.Errorf("%d definitions in the file, %d accounted for", len(p.Definitions), n)
	}
	for name, b := range p.Files {
		folder[name] = &fstest.MapFile{Data: b}
	}
	return p
}

// again imports the same file once more: nothing may change.
func again(t *testing.T, src importer.Source, file string, folder fstest.MapFS, settings map[string]string) {
	t.Helper()
	if p := run(t, src, file, folder, settings); len(p.Files) != 0 || p.Same != len(p.Definitions) {
		t.Errorf("the second time %d files are written, %d of %d are the same", len(p.Files), p.Same, len(p.Definitions))
	}
}

func TestAPICatalogue(t *testing.T) {
	folder := fstest.MapFS{}
	p := run(t, published.APIs, "apis/catalogue.csv", folder, nil)
	if p.Rows != 231 || p.Taken != 231 || p.Failed != 0 {
		t.Errorf("%d rows, %d taken, %d failed", p.Rows, p.Taken, p.Failed)
	}
	set, _ := def.Load(folder, registry)
	systems, ways, providers := def.All[system.Spec](set), def.All[way](set), def.All[organisation.Spec](set)
	if len(systems) != 231 || len(ways) != 231 || len(providers) != 33 {
		t.Errorf("%d systems, %d interfaces, %d providers", len(systems), len(ways), len(providers))
	}
	told := map[string]int{}
	for _, x := range p.Problems {
		if x.Row == 0 {
			t.Errorf("a problem without its row: %s", x)
		}
		told[x.Column]++
	}
	// Of the 19 starts given, "in service" (twice) and 2023-31-01 are not dates.
	if told["startDate"] != 3 {
		t.Errorf("told: %v", told)
	}
	again(t, published.APIs, "apis/catalogue.csv", folder, nil)
}

func TestCouncils(t *testing.T) {
	// The body itself is in the list: it stays what it is, and gets its numbers.
	folder := fstest.MapFS{"us.yaml": {Data: []byte("apiVersion: reeve/v1\nkind: Organisation\nmetadata: {id: org-us, name: Stockport}\nspec: {type: council, identifiers: {gss: E08000007}} # us\n")}}
	p := run(t, published.Councils, "councils/uk_local_authorities_current.csv", folder, nil)
	if p.Rows != 470 || p.Taken != 397 || p.Skipped != 73 || p.Failed != 0 {
		t.Errorf("%d rows, %d taken, %d left out, %d failed", p.Rows, p.Taken, p.Skipped, p.Failed)
	}
	set, _ := def.Load(folder, registry)
	all := def.All[organisation.Spec](set)
	us, _ := def.Get[organisation.Spec](set, "org-us")
	if len(all) != 397 || us.Spec.Type != "council" || us.Labels["import/councils"] != "SKP" || us.Name != "Stockport" || p.Conflicting != 1 {
		t.Errorf("%d organisations, %d conflicts; ours: %+v %v", len(all), p.Conflicting, us.Spec, us.Labels)
	}
	if !strings.Contains(string(folder["us.yaml"].Data), "# us") {
		t.Errorf("the comment was lost:\n%s", folder["us.yaml"].Data)
	}
	second := run(t, published.Councils, "councils/uk_local_authorities_current.csv", folder, nil)
	if len(second.Files) != 0 || second.Same != 397 {
		t.Errorf("the second time %d files are written and %d are the same", len(second.Files), second.Same)
	}
}

func TestServiceLinks(t *testing.T) {
	folder := fstest.MapFS{}
	settings := map[string]string{"council": "stockport"}
	p := run(t, published.Services, "services/lgsl_lgil_links.csv", folder, settings)
	if p.Rows != 7405 || p.Skipped != 7405-47 || p.Taken+p.Repeated+p.Failed != 47 {
		t.Errorf("%d rows, %d taken, %d repeated, %d failed, %d left out", p.Rows, p.Taken, p.Repeated, p.Failed, p.Skipped)
	}
	set, _ := def.Load(folder, registry)
	services := def.All[catalogue.Spec](set)
	if len(services) != p.Added || len(services) < 40 {
		t.Errorf("%d services, %d added", len(services), p.Added)
	}
	for _, s := range services {
		if len(s.Spec.LGSL) != 1 || !strings.HasPrefix(s.Spec.Channels.Online, "http") || s.Spec.Audience != "public" {
			t.Errorf("%s: %+v", s.ID, s.Spec)
		}
	}
	again(t, published.Services, "services/lgsl_lgil_links.csv", folder, settings)
}

// TestManyCouncils takes the links of one council after another: each row
// has its place, and what is left over is told.
func TestManyCouncils(t *testing.T) {
	b, err := os.ReadFile("../testdata/real/services/lgsl_lgil_links.csv")
	if err != nil {
		t.Fatal(err)
	}
	councils, rows := map[string]bool{}, 0
	for _, line := range strings.Split(string(b), "\n")[1:] {
		if name, _, ok := strings.Cut(line, ","); ok && name < "c" {
			councils[name] = true
			rows++
		}
	}
	taken, failed, repeated := 0, 0, 0
	for c := range councils {
		r, err := published.Services.Read(context.Background(), importer.Input{Name: "links.csv", Reader: bytes.NewReader(b), Settings: map[string]string{"council": c}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Rows != 7405 {
			t.Fatalf("%s: %d rows", c, r.Rows)
		}
		taken, failed, repeated = taken+r.Taken, failed+r.Failed, repeated+r.Repeated
	}
	if taken+failed+repeated != rows || rows < 800 {
		t.Errorf("%d taken, %d failed and %d repeated are not %d", taken, failed, repeated, rows)
	}
	t.Logf("%d councils: %d taken, %d failed, %d repeated", len(councils), taken, failed, repeated)
}

func TestWrongSettings(t *testing.T) {
	for council, want := range map[string]string{"": "say which council", "atlantis": `no council "atlantis"`} {
		_, err := published.Services.Read(context.Background(), importer.Input{Name: "x", Reader: strings.NewReader("la,lgsl,lgil,link\nadur,a-b,reporting,http://x.example/?a,b,2,8\n"), Settings: map[string]string{"council": council}})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "adur") {
			t.Errorf("%q: %v", council, err)
		}
	}
	r, err := published.Services.Read(context.Background(), importer.Input{Name: "x", Reader: strings.NewReader("la,lgsl,lgil,link\nadur,a-b,reporting,http://x.example/?a,b,2,8\nadur,c,reporting\nadur,d,reporting,nowhere,3,8\nadur,e,reporting,http://x.example,three,8\n"), Settings: map[string]string{"council": "adur"}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Taken != 1 || r.Failed != 3 || r.Definitions[0].Spec["channels"].(map[string]any)["online"] != "http://x.example/?a,b" {
		t.Errorf("%+v", r)
	}
}
