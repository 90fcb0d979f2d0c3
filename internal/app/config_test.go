package app_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/app"
)

// The table of settings in docs/operations.md says what the program reads.
// UPDATE_DOCS=1 writes it anew.
func TestSettingsAreDocumented(t *testing.T) {
	const file, begin, end = "../../docs/operations.md", "| setting | variable | what |\n|---|---|---|\n", "\n\n"
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	if !ok {
		t.Fatal("there is no table of settings in ", file)
	}
	table, after, _ := strings.Cut(rest, end)
	var rows []string
	settings(reflect.TypeFor[app.Config](), "", func(name, env, doc string) {
		rows = append(rows, fmt.Sprintf("| `%s` | `%s` | %s |", name, env, strings.ReplaceAll(doc, "|", `\|`)))
		if env == "" || doc == "" {
			t.Errorf("%s has no variable, or nothing says what it is", name)
		}
	})
	want := strings.Join(rows, "\n")
	if want == table {
		return
	}
	if os.Getenv("UPDATE_DOCS") == "" {
		t.Fatalf("the table of settings is not up to date: run this test with UPDATE_DOCS=1. It should be\n%s", want)
	}
	if err := os.WriteFile(file, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func settings(c reflect.Type, prefix string, fn func(name, env, doc string)) {
	for i := range c.NumField() {
		f := c.Field(i)
		name := f.Tag.Get("yaml")
		switch {
		case name == "-":
		case f.Type.Kind() == reflect.Struct:
			settings(f.Type, prefix+name+".", fn)
		default:
			fn(prefix+name, f.Tag.Get("env"), f.Tag.Get("doc"))
		}
	}
}

// Every setting can come from the environment, and the environment wins.
func TestEnvironmentWins(t *testing.T) {
	env := map[string]string{}
	settings(reflect.TypeFor[app.Config](), "", func(name, variable, _ string) { env[variable] = "env:" + variable })
	for k, v := range map[string]string{"REEVE_TIME_ZONE": "Europe/Dublin", "REEVE_LOG_LEVEL": "error", "REEVE_TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.0/24", "REEVE_SMTP_PLAIN": "true"} {
		env[k] = v
	}
	file := t.TempDir() + "/reeve.yaml"
	if err := os.WriteFile(file, []byte("listen: from-the-file:1\nbody: From the file\nsmtp: {plain: false}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := app.LoadConfig(file, func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "env:REEVE_LISTEN" || c.Body != "env:REEVE_BODY" || len(c.TrustedProxies) != 2 || !c.SMTP.Plain || c.Notify.CallbackToken != "env:REEVE_NOTIFY_CALLBACK_TOKEN" {
		t.Errorf("%+v", c)
	}
	env["REEVE_SMTP_PLAIN"] = "perhaps"
	if _, err := app.LoadConfig(file, func(name string) string { return env[name] }); err == nil || !strings.Contains(err.Error(), "REEVE_SMTP_PLAIN") {
		t.Error(err)
	}
}
