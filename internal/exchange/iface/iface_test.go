package iface

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

func TestTarget(t *testing.T) {
	env := map[string]string{"URL": "https://council.example/api/", "DIR": "file:///srv/out/", "BAD": "https://u:hunter2@x/"}
	for _, c := range []struct {
		address string
		kind    TargetKind
		where   string
	}{
		{"env:URL", HTTP, "https://council.example/api"},
		{"http://127.0.0.1:80", HTTP, "http://127.0.0.1:80"},
		{"env:DIR", Folder, "/srv/out"},
		{"internal:life-events", Internal, "life-events"},
		{"env:NOT_SET", None, ""}, {"env:BAD", None, ""}, {"env:lower", None, ""}, {"", None, ""}, {"file://host/x", None, ""},
		{"ftp://x", None, ""}, {"internal:", None, ""}, {"internal:A B", None, ""}, {"https://x/?token=1", None, ""}, {"file:x", None, ""},
	} {
		got, err := (&Spec{Address: c.address}).Target(func(n string) string { return env[n] })
		if got.Kind != c.kind || got.Where != c.where || (err == nil) != (c.kind != None) {
			t.Errorf("%s: %v %v", c.address, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows the password: %v", c.address, err)
		}
	}
}

func TestToken(t *testing.T) {
	get := (&Spec{Auth: Auth{Bearer: "env:TOKEN"}}).Token(func(n string) string { return map[string]string{"TOKEN": "x1"}[n] })
	if v, err := get(); v != "x1" || err != nil {
		t.Errorf("%q, %v", v, err)
	}
	if get = (&Spec{Auth: Auth{Bearer: "env:NONE"}}).Token(func(string) string { return "" }); get == nil {
		t.Fatal("no token function")
	}
	if _, err := get(); err == nil || !strings.Contains(err.Error(), "NONE") {
		t.Errorf("%v", err)
	}
	if (&Spec{}).Token(nil) != nil {
		t.Error("a token where none is needed")
	}
}

func TestCheck(t *testing.T) {
	type empty struct{}
	reg := def.NewRegistry(Kind(), def.Kind{Name: "System", Spec: new(empty)}, def.Kind{Name: "RecordType", Spec: new(struct{ X string })})
	for _, c := range []struct{ spec, want string }{
		{"style: api\n  address: env:X\n  repeat: key", ""},
		{"style: api\n  address: env:X\n  repeat: put\n  path: /d/{key}", ""},
		{"style: file\n  address: file:///x\n  format: csv\n  columns: [a, /b/c]", ""},
		{"style: internal\n  address: internal:life-events", ""},
		{"style: api\n  address: internal:life-events", "go together"},
		{"style: api\n  address: https://u:p@x", "password"},
		{"style: api\n  auth: {bearer: abc}", "token must not stand"},
		{"style: api\n  repeat: lookup", "spec.lookup"},
		{"style: api\n  address: env:X\n  repeat: put", "address of its own"},
		{"style: api\n  path: /d/{name}", "{name} is not known"},
		{"style: api\n  path: d", "begin with /"},
		{"style: file\n  format: csv", "columns"},
		{"style: file\n  columns: [a]", "format: csv"},
	} {
		src := "apiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-a, name: A}\nspec: {}\n---\napiVersion: reeve/v1\nkind: Interface\nmetadata: {id: if-a, name: A}\nspec:\n  system: sys-a\n  " + c.spec + "\n"
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
