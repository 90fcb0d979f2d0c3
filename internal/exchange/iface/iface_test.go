package iface

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

func TestTarget(t *testing.T) {
	env := map[string]string{"URL": "https://council.example/api/", "DIR": "file:///srv/out/", "BAD": "https://u:hunter2@x/"}
	for _, c := range []struct{ address, connector, where string }{
		{"env:URL", "http", "https://council.example/api"},
		{"http://127.0.0.1:80", "http", "http://127.0.0.1:80"},
		{"env:DIR", "file", "file:///srv/out"},
		{"internal:life-events", "", "life-events"},
		{"env:NOT_SET", "", ""}, {"env:BAD", "", ""}, {"env:lower", "", ""}, {"", "", ""}, {"file://host/x", "", ""},
		{"gopher://x", "", ""}, {"internal:", "", ""}, {"internal:A B", "", ""}, {"https://x/?token=1", "", ""}, {"file:x", "", ""}, {"https:///x", "", ""},
	} {
		got, err := (&Spec{Address: c.address}).Target(func(n string) string { return env[n] })
		name := ""
		if got.Connector != nil {
			name = got.Connector.Name
		}
		if name != c.connector || got.Where != c.where || (err == nil) != (c.where != "") {
			t.Errorf("%s: %v %v", c.address, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", c.address, err)
		}
	}
}

func TestSecret(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	get := Secret(func(n string) string { return map[string]string{"TOKEN": "x1"}[n] })
	for _, c := range []struct{ ref, want string }{{"env:TOKEN", "x1"}, {"file:" + file, "hunter2"}, {"env:NONE", ""}, {"file:/nowhere", ""}, {"x1", ""}} {
		if v, err := get(connector.Ref(c.ref)); v != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", c.ref, v, err)
		}
	}
	if _, err := get("env:NONE"); err == nil || !strings.Contains(err.Error(), "NONE") {
		t.Errorf("%v", err)
	}
}

func TestCheck(t *testing.T) {
	type empty struct{}
	reg := def.NewRegistry(Kind(), def.Kind{Name: "System", Spec: new(empty)}, def.Kind{Name: "RecordType", Spec: new(struct{ X string })})
	for _, c := range []struct{ spec, want string }{
		{"style: api\n  address: env:X\n  repeat: key", ""},
		{"style: api\n  address: env:X\n  repeat: put\n  path: /d/{key}", ""},
		{"style: file\n  address: env:X\n  read: {record: rec-a.v1, schedule: every day}", "is not a schedule"},
		{"style: file\n  address: file:///x\n  format: csv\n  columns: [a, /b/c]", ""},
		{"style: internal\n  address: internal:life-events", ""},
		{"style: api\n  address: internal:life-events", "go together"},
		{"style: api\n  address: https://u:p@x", "password"},
		{"style: api\n  auth: {bearer: abc}", "secret must not stand"},
		{"style: api\n  repeat: lookup", "spec.lookup"},
		{"style: api\n  address: env:X\n  repeat: put", "address of its own"},
		{"style: api\n  path: /d/{name}", "{name} is not known"},
		{"style: api\n  path: d", "begin with /"},
		{"style: file\n  format: csv", "columns"},
		{"style: file\n  columns: [a]", "format: csv"},
	} {
		src := "apiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-a, name: A}\nspec: {}\n---\napiVersion: reeve/v1\nkind: RecordType\nmetadata: {id: rec-a.v1, name: A}\nspec: {}\n---\napiVersion: reeve/v1\nkind: Interface\nmetadata: {id: if-a, name: A}\nspec:\n  system: sys-a\n  " + c.spec + "\n"
		_, problems := def.Load(fstest.MapFS{"a.yaml": {Data: []byte(src)}}, reg)
		got := ""
		for _, p := range problems {
			got += p.String() + "\n"
		}
		if c.want == "" && got != "" || c.want != "" && (!strings.Contains(got, c.want) || !strings.HasPrefix(got, "a.yaml:")) {
			t.Errorf("%s:\n got %s want %q", c.spec, got, c.want)
		}
	}
}
