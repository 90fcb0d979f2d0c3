package def_test

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/tools/txtar"

	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

var update = flag.Bool("update", false, "write what tests found into their testdata")

// The kinds of these tests.
type (
	party struct {
		Type        string            `json:"type" def:"required,enum=council|department|partner|supplier" doc:"what sort of organisation it is."`
		Parent      string            `json:"parent" def:"ref=Organisation,acyclic" doc:"the organisation it is part of."`
		Identifiers map[string]string `json:"identifiers"`
	}
	phase struct {
		Phase string    `json:"phase" def:"required,enum=planned|live|retiring|retired"`
		Since def.Date  `json:"since"`
		End   *def.Date `json:"end"`
	}
	system struct {
		Owner     string             `json:"owner" def:"required,ref=Organisation" doc:"the organisation that answers for it."`
		Hosting   string             `json:"hosting" def:"enum=saas|paas|on-premise"`
		Lifecycle phase              `json:"lifecycle" def:"required"`
		Clients   []string           `json:"clients" def:"enum=browser|app,max=2"`
		Users     int                `json:"users" def:"min=0,max=100000"`
		Share     map[string]float64 `json:"share" def:"keyref=Organisation"`
		Successor *string            `json:"successor" def:"ref=System"`
		Class     def.Class          `json:"class"`
		Every     def.Duration       `json:"every"`
		Public    bool               `json:"public"`
		Schema    string             `json:"schema" def:"file"`
		Extra     any                `json:"extra"`
		Uses      []use              `json:"uses"`
	}
	use struct {
		System string `json:"system" def:"required,ref=System"`
		Where  string `json:"where" def:"cel" doc:"which of its records."`
	}
)

func registry() *def.Registry {
	env, err := rules.NewEnv(rules.Var{Name: "record", Type: rules.Object}, rules.Var{Name: "today", Type: rules.Date})
	if err != nil {
		panic(err)
	}
	return def.NewRegistry(
		def.Kind{Name: "Organisation", Aliases: []string{"Organization"}, Doc: "A body, a part of one, or somebody it deals with.", Spec: new(party)},
		def.Kind{Name: "System", Doc: "A program that the body runs or uses.", Spec: new(system), Check: func(c *def.Checker, o *def.Object) {
			s := o.Spec.(*system)
			if e := s.Lifecycle.End; e != nil && e.Before(s.Lifecycle.Since) {
				c.Problem("spec.lifecycle.end", "it ends before it begins: correct one of the dates")
			}
			for i := range s.Uses {
				c.Compile(env, fmt.Sprintf("spec.uses[%d].where", i))
			}
		}},
	)
}

func folder(t *testing.T, archive string) fs.FS {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", archive))
	if err != nil {
		t.Fatal(err)
	}
	fsys, err := txtar.FS(a)
	if err != nil {
		t.Fatal(err)
	}
	return fsys
}

func lines(problems []def.Problem) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, p)
	}
	return b.String()
}

// one loads a single file.
func one(text string) (*def.Set, []def.Problem) {
	return def.Load(fstest.MapFS{"a.yaml": {Data: []byte(text)}}, registry())
}

func TestAFolderWithTwentyMistakesShowsAllTwenty(t *testing.T) {
	path := filepath.Join("testdata", "twenty.txtar")
	a, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var want *txtar.File
	var in txtar.Archive
	for i := range a.Files {
		if a.Files[i].Name == "want" {
			want = &a.Files[i]
		} else {
			in.Files = append(in.Files, a.Files[i])
		}
	}
	fsys, err := txtar.FS(&in)
	if err != nil {
		t.Fatal(err)
	}
	set, problems := def.Load(fsys, registry())
	got := lines(problems)
	if *update {
		want.Data = []byte(got)
		if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got != string(want.Data) || set != nil {
		t.Errorf("got:\n%s\nwant:\n%s", got, want.Data)
	}
	if len(problems) < 20 {
		t.Errorf("%d problems", len(problems))
	}
	for _, p := range problems {
		if p.File == "" || p.Line < 1 || p.Col < 1 {
			t.Errorf("no place: %+v", p)
		}
	}
}

func TestGoodFolder(t *testing.T) {
	set, problems := def.Load(folder(t, "good.txtar"), registry())
	if problems != nil {
		t.Fatal(lines(problems))
	}
	s, ok := def.Get[system](set, "sys-frameworki")
	if !ok || s.ID != "sys-mosaic" || s.Name != "Mosaic" || s.Labels["theme"] != "people" {
		t.Fatalf("%+v", s)
	}
	end := def.Date{Year: 2027, Month: 3, Day: 31}
	want := &system{Owner: "org-asc", Hosting: "saas", Lifecycle: phase{"live", def.Date{Year: 2016, Month: 4, Day: 1}, &end},
		Clients: []string{"browser"}, Users: 640, Share: map[string]float64{"org-asc": 0.7, "org-council": 0.3}, Class: 2,
		Every: def.Duration(90 * time.Minute), Public: true, Schema: "schemas/a.json",
		Extra: map[string]any{"n": int64(7), "f": 1.5, "l": []any{"007", true, nil}, "d": "2026-01-31"},
		Uses:  []use{{System: "sys-old", Where: "\nrecord.a == 1 &&\nrecord.b == 2\n"}}}
	if !reflect.DeepEqual(s.Spec, want) {
		t.Errorf("got  %+v\nwant %+v", s.Spec, want)
	}
	if all := def.All[party](set); len(all) != 2 || all[0].ID != "org-asc" || all[0].Kind != "Organisation" {
		t.Errorf("%+v", all)
	}
	if o, _ := set.Lookup("System", "sys-old"); *o.Spec.(*system).Successor != "sys-mosaic" {
		t.Error("a reference by a former id should become the present id")
	}
	if v := s.Value()["spec"].(map[string]any)["lifecycle"].(map[string]any)["since"]; v != "2016-04-01" {
		t.Errorf("Value: %v", v)
	}
	if b, err := set.File("schemas/a.json"); err != nil || string(b) != "{}\n" {
		t.Errorf("File: %q %v", b, err)
	}
	if _, err := set.File("nothing.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("File: %v", err)
	}
	if p := s.Pos("spec.uses[0].where"); p.Line != 26 || p.Col != 7 {
		t.Errorf("Pos: %v", p)
	}
}

func TestHashIsOverNamesAndBytes(t *testing.T) {
	base := fstest.MapFS{"a.yaml": {Data: []byte(head + "spec: {type: council}\n")}, "s.json": {Data: []byte("{}")}, "README.md": {Data: []byte("x")}}
	h := func(f fstest.MapFS) string {
		s, p := def.Load(f, registry())
		if p != nil {
			t.Fatal(lines(p))
		}
		return s.Hash()
	}
	first := h(base)
	if !strings.HasPrefix(first, "sha256:") || len(first) != 71 || first != h(base) {
		t.Error(first)
	}
	base["README.md"] = &fstest.MapFile{Data: []byte("y")}
	if h(base) != first {
		t.Error("a file that is no part of the set changed its hash")
	}
	base["s.json"] = &fstest.MapFile{Data: []byte("{ }")}
	if h(base) == first {
		t.Error("a schema changed and the hash did not")
	}
}

const head = "apiVersion: reeve/v1\nkind: Organisation\nmetadata: {id: org-a}\n"

func TestMessages(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"a: [1, 2\nb: 3\n", "a.yaml:2:1: not valid YAML: ',' or ']' must be specified: close what was opened"},
		{head + "spec:\n\ttype: council\n", "a.yaml:5:1: not valid YAML: a tab cannot indent YAML: use spaces"},
		{head + "spec: {type: council}\nstatus: {}\n", "a.yaml:5:1: status is worked out by the program and never written: remove it"},
		{head + "spec: {type: council, identifiers: {gss: 12}}\n", "a.yaml:4:42: spec.identifiers.gss must be text: put quotes around 12"},
		{head + "spec: {type: council}\n---\n" + head + "spec: {type: council}\n", `a.yaml:8:16: the Organisation "org-a" is already in a.yaml:1: ids are for ever, give this one its own`},
		{head + "spec: {type: council, parent: org-a}\n", "a.yaml:4:31: spec.parent leads back to itself: org-a > org-a. Take one of these away"},
		{head + "spec: *x\n", "a.yaml:4:7: there is no anchor &x before this: an alias repeats something above it"},
		{head + "spec: &x [*x]\n", "a.yaml:4:11: there is no anchor &x before this: an alias repeats something above it"},
		{head + "spec: !exec {type: council}\n", "a.yaml:4:7: tags such as !exec are not used in definitions: remove it"},
		{head + "spec: {type: council}\nx: \"a\xff\"\n", "a.yaml:5:6: this byte is not UTF-8: save the file as UTF-8"},
		{head + "spec: {type: council}\nx: \"a\x00\"\n", "a.yaml:5:6: a control character (U+0000) cannot be in a definition: remove it"},
		{head, "a.yaml:1:1: spec.type is missing: what sort of organisation it is"},
		{head + "spec:\n", "a.yaml:4:1: spec.type is missing: what sort of organisation it is"},
		{head + "spec: text\n", `a.yaml:4:7: spec must be a group of fields, not "text"`},
		{"- a\n", "a.yaml:1:1: a definition is a group of fields: apiVersion, kind, metadata and spec"},
		{strings.Replace(head, "id: org-a", "id: org_a", 1) + "spec: {type: council}\n", `a.yaml:3:16: metadata.id "org_a" may only hold letters, digits, dots and dashes, and begins with a letter or digit`},
	} {
		set, problems := one(c.in)
		if got := strings.TrimSpace(lines(problems)); got != c.want || set != nil {
			t.Errorf("%q\n got %s\nwant %s", c.in, got, c.want)
		}
	}
}

func TestHostileInputEndsSoonWithAProblem(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'z'; c++ {
		bomb += fmt.Sprintf("%c: &%c [%s]\n", c, c, strings.Repeat(fmt.Sprintf("*%c, ", c-1), 9))
	}
	for name, text := range map[string]string{
		"brackets":       strings.Repeat("[", 100_000),
		"closed":         "x: " + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
		"braces":         strings.Repeat("{a: ", 100_000),
		"dashes":         strings.Repeat("- ", 100_000),
		"keys in keys":   strings.Repeat("? ", 100_000),
		"stairs":         stairs(2_000),
		"alias bomb":     bomb,
		"same key":       strings.Repeat("a: 1\n", 100_000),
		"many keys":      manyKeys(100_000),
		"anchors":        strings.Repeat("&a ", 100_000),
		"tags":           strings.Repeat("!a ", 100_000),
		"quotes":         strings.Repeat("'a' ", 100_000),
		"colons":         strings.Repeat("a: ", 50_000),
		"too large":      "a: " + strings.Repeat("x", 5<<20),
		"open quote":     "a: \"" + strings.Repeat("x\n ", 100_000),
		"nothing closed": head + "spec: {type: council, parent: [",
		"nul":            "\x00\x00",
		"utf-16":         "\xff\xfea\x00p\x00i\x00",
	} {
		t.Run(name, func(t *testing.T) {
			set, problems := one(text)
			if set != nil || len(problems) == 0 {
				t.Errorf("loaded")
			}
			if p := problems[0]; len(p.Message) > 400 {
				t.Errorf("a long message: %s", p.Message[:400])
			}
		})
	}
}

func stairs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "a%d: 1\n", i)
	}
	return b.String()
}

func FuzzLoad(f *testing.F) {
	for _, name := range []string{"good.txtar", "twenty.txtar"} {
		a, err := txtar.ParseFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range a.Files {
			f.Add(file.Data)
		}
	}
	reg := registry()
	f.Fuzz(func(t *testing.T, text []byte) {
		set, problems := def.Load(fstest.MapFS{"a.yaml": {Data: bytes.Clone(text)}}, reg)
		if (set == nil) == (len(problems) == 0) {
			t.Errorf("set %v with problems %v", set, problems)
		}
	})
}

func TestFoldersThatCannotBeRead(t *testing.T) {
	if set, problems := def.Load(os.DirFS(filepath.Join(t.TempDir(), "none")), registry()); set != nil || len(problems) != 1 || !strings.Contains(problems[0].String(), "no such file") {
		t.Errorf("%v", problems)
	}
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "..data"), 0o755)
	os.WriteFile(filepath.Join(dir, "..data", "x.yaml"), []byte(head+"spec: {type: council}\n"), 0o644)
	if err := os.Symlink(filepath.Join("..data", "x.yaml"), filepath.Join(dir, "x.yaml")); err != nil {
		t.Skip(err)
	}
	os.Symlink(dir, filepath.Join(dir, "loop"))
	set, problems := def.Load(os.DirFS(dir), registry())
	if problems != nil || !slices.Equal(set.Files(), []string{"x.yaml"}) {
		t.Errorf("a mounted volume should load: %v", problems)
	}
}

func TestDuration(t *testing.T) {
	for in, want := range map[string]string{"15m": "15m", "1h30m": "1h30m", "90m": "1h30m", "14d": "14d", "2w": "14d", "30s": "30s", "1d12h": "36h", "0s": "0s"} {
		if d, err := def.ParseDuration(in); err != nil || d.String() != want {
			t.Errorf("%s: %v %v, want %s", in, d, err, want)
		}
	}
	for _, in := range []string{"", "15", "m", "1.5h", "-1h", "1y", "99999999999999999999d", "999999999w", "1 h"} {
		if d, err := def.ParseDuration(in); err == nil {
			t.Errorf("%q: %v", in, d)
		}
	}
}

func TestExpressionsInEveryStyleHaveTheirPlace(t *testing.T) {
	base := "apiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-a}\nspec:\n  owner: org-a\n  lifecycle: {phase: live}\n  uses:\n  - system: sys-a\n    where: "
	org := "\n---\n" + head + "spec: {type: council}\n"
	for style, c := range map[string]struct{ in, want string }{
		"plain":            {"record.a == 1 && recrod.b == 2", "9:29"},
		"single":           {"'record.a == ''x'' && recrod.b == 2'", "9:34"},
		"double":           {`"record.a == \"x\" && recrod.b == 2"`, "9:34"},
		"literal":          {"|\n      record.a == 1 &&\n        recrod.b == 2", "11:9"},
		"literal, emptied": {"|\n\n      record.a == 1 &&\n\n      recrod.b == 2\n", "13:7"},
		"folded":           {">-\n      record.a == 1\n      && record.c == 3\n      && recrod.b == 2", "12:10"},
		"plain, folded":    {"record.a == 1\n      && record.c == 3\n      && recrod.b == 2", "11:10"},
		"double, folded":   {"\"record.a == 1\n      && recrod.b == 2\"", "10:10"},
		"not ASCII":        {"record.a == 'é€😀' && recrod.b == 2", "9:33"},
	} {
		_, problems := one(base + c.in + org)
		if len(problems) != 1 || fmt.Sprintf("%d:%d", problems[0].Line, problems[0].Col) != c.want || !strings.Contains(problems[0].Message, `"recrod"`) {
			t.Errorf("%s: %v, want %s", style, problems, c.want)
		}
	}
}
