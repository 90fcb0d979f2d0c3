package openapi_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/openapi"
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

// TestFolder takes documents that nobody wrote for us, and one that is broken.
func TestFolder(t *testing.T) {
	real, err := os.ReadFile("testdata/real/kin-openapi/petstore.yaml")
	if err != nil {
		t.Fatal(err)
	}
	swagger, err := os.ReadFile("testdata/real/kin-openapi/petstore.json")
	if err != nil {
		t.Fatal(err)
	}
	docs := fstest.MapFS{
		"pets/openapi.yaml": {Data: real}, "old/petstore.json": {Data: swagger},
		"events.yml":  {Data: []byte("asyncapi: 2.6.0\ninfo: {title: Case events, version: 1.0.0}\n")},
		"broken.yaml": {Data: []byte("openapi: 3.0.0\ninfo: [\n")},
		"deep.json":   {Data: []byte(`{"openapi": "3.0.0", "x":` + strings.Repeat("[", 10_000))},
		"notes.yaml":  {Data: []byte("a: 1")},
	}
	folder := fstest.MapFS{"s.yaml": {Data: []byte("apiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-a, name: A}\nspec: {}\n")}}
	for round := range 2 {
		p, err := importer.Prepare(context.Background(), openapi.Source, importer.Input{Name: "apis", Folder: docs, Settings: map[string]string{"system": "sys-a"}}, folder, registry, importer.Nothing)
		if err != nil {
			t.Fatal(err)
		}
		if p.Rows != 5 || p.Taken != 3 || p.Failed != 2 || !strings.Contains(fmt.Sprint(p.Problems), "broken.yaml") || !strings.Contains(fmt.Sprint(p.Problems), "deep.json") {
			t.Errorf("%d documents, %d taken, %d failed: %v", p.Rows, p.Taken, p.Failed, p.Problems)
		}
		if round == 1 && (p.Same != 3 || len(p.Files) != 0) {
			t.Errorf("the second time %d are the same, and %d files are written", p.Same, len(p.Files))
		}
		for name, b := range p.Files {
			folder[name] = &fstest.MapFile{Data: b}
		}
	}
	set, problems := def.Load(folder, registry)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	ways := def.All[way](set)
	if len(ways) != 3 {
		t.Fatalf("%d interfaces", len(ways))
	}
	for _, w := range ways {
		kept := folder[w.Spec.Definition]
		if kept == nil || w.Spec.System != "sys-a" || w.Labels["version"] == "" {
			t.Errorf("%s: %+v %v", w.ID, w.Spec, w.Labels)
		}
	}
	if string(folder["estate/imported-openapi/pets-openapi.yaml"].Data) != string(real) {
		t.Error("the document was not kept as it came")
	}
}

func TestAlone(t *testing.T) {
	r, err := openapi.Source.Read(context.Background(), importer.Input{Name: "housing.yaml", Reader: strings.NewReader("openapi: 3.1.0\ninfo: {title: Housing, version: 2.0.0}\nservers: [{url: 'https://api.example.gov.uk'}]\n")})
	if err != nil || r.Taken != 1 || len(r.Definitions) != 2 || r.Definitions[1].Labels["server"] != "https://api.example.gov.uk" {
		t.Fatalf("%v, %+v", err, r)
	}
	for text, want := range map[string]string{"hello": "says", "": ""} {
		r, err := openapi.Source.Read(context.Background(), importer.Input{Name: "x", Reader: strings.NewReader(text)})
		if err == nil && r.Failed != 1 {
			t.Errorf("%q is taken: %v %s", text, r, want)
		}
	}
	r, err = openapi.Source.Read(context.Background(), importer.Input{Name: "x", Reader: io.LimitReader(zeros{}, 1<<30)})
	if err != nil || r.Failed != 1 || !strings.Contains(fmt.Sprint(r.Problems), "larger than 4 MB") {
		t.Errorf("%v %+v", err, r)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
