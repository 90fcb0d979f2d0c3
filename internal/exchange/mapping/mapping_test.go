package mapping

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func compile(t testing.TB, src string) *Map {
	t.Helper()
	m, err := NewEnvironment().Compile(src)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func run(t testing.TB, src, body string) (string, error) {
	t.Helper()
	doc, err := Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	out, err := compile(t, src).Run(doc, Meta{ID: "r1-7", Type: "rec-death.v1", Sender: "org-a", N: 7,
		At: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)})
	return string(out), err
}

func TestRun(t *testing.T) {
	for _, c := range []struct{ name, src, body, want string }{
		{"everything", `root = this`, `{"b":1,"a":"<x>"}`, `{"a":"<x>","b":1}`},
		{"numbers keep their digits", `root = this`, `{"n":12345678901234567890,"m":1.10}`, `{"m":1.10,"n":12345678901234567890}`},
		{"another shape", "root.surname = this.name.split(\" \").index(-1)\nroot.born = this.dob.ts_parse(\"2006-01-02\").ts_format(\"02/01/2006\")",
			`{"name":"Ada Lovelace","dob":"1815-12-10"}`, `{"born":"10/12/1815","surname":"Lovelace"}`},
		{"metadata", `root = {"id": meta("id"), "type": @type, "at": @at, "from": @sender, "n": @n}`, `{}`,
			`{"at":"2026-11-21T12:00:00Z","from":"org-a","id":"r1-7","n":7,"type":"rec-death.v1"}`},
		{"absent is null", `root.x = this.nope`, `{}`, `{"x":null}`},
		{"deleted field", `root.x = if this.nope == null { deleted() }
root.y = 1`, `{}`, `{"y":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := run(t, c.src, c.body)
			if err != nil || got != c.want {
				t.Errorf("got %s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestRunFails(t *testing.T) {
	if _, err := run(t, `root = deleted()`, `{}`); !errors.Is(err, ErrDeleted) {
		t.Errorf("deleted root: %v", err)
	}
	_, err := run(t, "root.a = 1\nroot.x = this.name.number()", `{"name":"Quillfeather"}`)
	if err == nil || strings.Contains(err.Error(), "Quillfeather") || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("an error names the line and no value: %v", err)
	}
	for body, value := range map[string]string{`{"name":4711081.5}`: "4711081", `{"name":true}`: "true", `{"name":"a\"b Quill\" x \"c"}`: "Quill", `{"name":"a\nQuill"}`: "Quill", `{"name":-1e30}`: "30"} {
		for _, src := range []string{"root.x = this.name.keys()", "root.x = this.name.uppercase().number()", "root.x = this.name.not()", "root.x = this.name.map_each(x -> x)", "root.x = this.name - {}", "root.x = this.name.parse_json()", `root.x = this.name.ts_strptime("%Y")`, "root.x = this.name.parse_duration()", "root.x = this.name.ts_unix()"} {
			if _, err := run(t, src, body); err != nil && strings.Contains(err.Error(), value) {
				t.Errorf("an error of %s holds the value %s: %v", src, value, err)
			}
		}
	}
	_, err = run(t, `root.x = this.name + 5`, `{"name":"Quillfeather"}`)
	if err == nil || strings.Contains(err.Error(), "Quillfeather") {
		t.Errorf("an error holds no value: %v", err)
	}
}

// What could read the machine, differ from run to run or run without end does
// not compile.
func TestNotAllowed(t *testing.T) {
	for _, src := range []string{
		`root = env("HOME")`, `root = file("/etc/passwd")`, `root = hostname()`, `root = now()`, `root = uuid_v4()`,
		`root = random_int()`, `root = range(0, 1000000000)`, `root = "x".repeat(1000000000)`, `root = content()`,
		`root = this.bloblang("root = 1")`, `root = this.decompress("gzip")`, `import "x.blobl"`, `from "x.blobl"`,
		`root = counter()`, `root = this.json_schema("{}")`, `root = batch_size()`, ``, `root = `,
		`map a { root = this.apply("a") }` + "\nroot = this.nonesuch()",
	} {
		if m, err := NewEnvironment().Compile(src); err == nil {
			t.Errorf("%q compiles: %v", src, m)
		} else if e := new(Error); !errors.As(err, &e) || e.Line < 1 || e.Col < 1 {
			t.Errorf("%q: no position in %v", src, err)
		}
	}
	if _, err := run(t, "map a { root = this.apply(\"a\") }\nroot = this.apply(\"a\")", `{}`); err == nil {
		t.Error("endless recursion ends without an error")
	}
}

// Every name on the two lists is one the language has, so that a spelling
// mistake here does not quietly take a method away.
func TestListsAreReal(t *testing.T) {
	for name := range methods {
		if _, err := NewEnvironment().env.Parse("root = this." + name + "()"); err != nil && strings.Contains(err.Error(), "unrecognised") {
			t.Errorf("method %s: %v", name, err)
		}
	}
}

func BenchmarkRun(b *testing.B) {
	m := compile(b, "root.ref = this.id\nroot.name = this.name.uppercase()\nroot.address = this.address\nroot.x = this.notes.slice(0, 20)")
	body := []byte(fmt.Sprintf(`{"id":"x","name":"Ada","address":{"line":"1 High St","postcode":"AB1 2CD"},"notes":%q}`, strings.Repeat("word ", 160)))
	b.ReportAllocs()
	for b.Loop() {
		doc, err := Decode(body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := m.Run(doc, Meta{ID: "r1-1"}); err != nil {
			b.Fatal(err)
		}
	}
}
