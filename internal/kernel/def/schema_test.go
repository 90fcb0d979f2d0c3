package def_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"golang.org/x/tools/txtar"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def/describe"
)

func compile(t *testing.T, kind string) *jsonschema.Schema {
	t.Helper()
	b, err := describe.Schema(registry(), kind)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:schema", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("mem:schema")
	if err != nil {
		t.Fatalf("%s: %v\n%s", kind, err, b)
	}
	return s
}

// documents are those of an archive, as an editor sees them, with whether they load.
func documents(t *testing.T, archive string) (docs []any) {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", archive))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		if ext := filepath.Ext(f.Name); ext != ".yaml" && ext != ".yml" || strings.HasPrefix(f.Name, "openapi/") || strings.HasPrefix(f.Name, ".") {
			continue
		}
		for _, part := range strings.Split("\n"+strings.ReplaceAll(string(f.Data), "%YAML 1.2\n", ""), "\n---") {
			var v any
			if strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(part), "...")) == "" || yaml.Unmarshal([]byte(part), &v) != nil || v == nil {
				continue
			}
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
			docs = append(docs, v)
		}
	}
	return docs
}

func TestSchemaAgreesWithLoad(t *testing.T) {
	all := compile(t, "")
	docs := documents(t, "good.txtar")
	if len(docs) != 4 {
		t.Fatal(len(docs), docs)
	}
	for _, d := range docs {
		if err := all.Validate(d); err != nil {
			t.Errorf("%v: %v", d, err)
		}
		if kind, _ := d.(map[string]any)["kind"].(string); compile(t, kind).Validate(d) != nil {
			t.Errorf("its own schema refuses %v", d)
		}
	}
	for _, bad := range []string{
		`{"apiVersion": "reeve/v2", "kind": "Organisation", "metadata": {"id": "a"}, "spec": {"type": "council"}}`,
		`{"apiVersion": "reeve/v1", "kind": "Organisation", "metadata": {"id": "a"}, "spec": {"type": "councill"}}`,
		`{"apiVersion": "reeve/v1", "kind": "Organisation", "metadata": {"id": "a"}, "spec": {}}`,
		`{"apiVersion": "reeve/v1", "kind": "Organisation", "metadata": {"id": "a"}}`,
		`{"apiVersion": "reeve/v1", "kind": "Organisation", "metadata": {"id": "a b"}, "spec": {"type": "council"}}`,
		`{"apiVersion": "reeve/v1", "kind": "Organisation", "metadata": {"id": "a"}, "spec": {"type": "council", "x": 1}}`,
		`{"apiVersion": "reeve/v1", "kind": "Organisation", "metadata": {"id": "a"}, "spec": {"type": "council"}, "status": {}}`,
		`{"apiVersion": "reeve/v1", "kind": "Organisatio", "metadata": {"id": "a"}, "spec": {"type": "council"}}`,
		`{"apiVersion": "reeve/v1", "kind": "System", "metadata": {"id": "a"}, "spec": {"owner": "o", "lifecycle": {"phase": "live", "since": "soon"}}}`,
		`{"apiVersion": "reeve/v1", "kind": "System", "metadata": {"id": "a"}, "spec": {"owner": "o", "lifecycle": {"phase": "live"}, "users": -1}}`,
		`{"apiVersion": "reeve/v1", "kind": "System", "metadata": {"id": "a"}, "spec": {"owner": "o", "lifecycle": {"phase": "live"}, "class": "secret"}}`,
	} {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(bad))
		if err != nil {
			t.Fatal(err)
		}
		if all.Validate(v) == nil {
			t.Errorf("the schema takes %s", bad)
		}
	}
	if _, err := describe.Schema(registry(), "Sistem"); reeve.KindOf(err) != reeve.NotFound || !strings.Contains(err.Error(), "did you mean System?") {
		t.Error(err)
	}
}

func TestDocs(t *testing.T) {
	got := []byte(describe.Docs(registry()))
	path := filepath.Join("testdata", "docs.md")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got:\n%s", got)
	}
}
