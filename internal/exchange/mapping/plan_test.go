package mapping

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

// expression draws one of the kind that plans know, and some that they do not.
func expression(t *rapid.T, depth int) string {
	sub := func() string { return expression(t, depth-1) }
	path := "this" + strings.Join(rapid.SliceOfN(rapid.SampledFrom([]string{".a", ".b", ".c", ".d"}), 0, 3).Draw(t, "path"), "")
	if depth == 0 {
		return rapid.SampledFrom([]string{path, path, path, path, `"text é"`, `""`, `17`, `true`, `null`, `deleted()`, `meta("id")`, `meta("sender")`, `meta("at")`, `meta("type")`,
			`this.a.length()`, `-1`, `1.50`, `nothing()`}).Draw(t, "leaf")
	}
	return rapid.SampledFrom([]func() string{
		func() string { return sub() + " | " + sub() },
		func() string { return sub() + " + " + sub() },
		func() string { return "(" + sub() + ")" },
		func() string { return "(" + sub() + ").or(" + sub() + ")" },
		func() string { return path + ".catch(" + sub() + ")" },
		func() string {
			m := rapid.SampledFrom([]string{"uppercase()", "lowercase()", "trim()", `trim_prefix("te")`, `trim_suffix("xt")`, `replace_all("t", "T")`, `replace_all("", "-")`, `join(", ")`, `join("")`,
				`or("x")`, `catch("y")`, `uppercase().trim()`, `join(" ").lowercase()`, `not_empty()`}).Draw(t, "method")
			return rapid.SampledFrom([]string{path, path, "(" + sub() + ")"}).Draw(t, "of") + "." + m
		},
		sub, sub,
	}).Draw(t, "kind")()
}

func statements(t *rapid.T) string {
	if rapid.IntRange(0, 19).Draw(t, "all") == 0 {
		return "root = this"
	}
	var b strings.Builder
	for _, target := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"z", "a", "m.n", "m.a", "m.o.p", "b", "m"}), 1, 5, rapid.ID[string]).Draw(t, "targets") {
		fmt.Fprintf(&b, "root.%s = %s%s\n", target, expression(t, rapid.IntRange(0, 3).Draw(t, "depth")), rapid.SampledFrom([]string{"", "", " # said", "\n"}).Draw(t, "end"))
	}
	return b.String()
}

func body(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 5).Draw(t, "flat") == 0 {
		return rapid.SampledFrom([]string{`"text"`, `"  Te\nxt "`, `"<é&>"`, `""`, `"a\u2028b"`, "\"a\u2028\u007fb\"", `"ß ŉ"`, `"\u00e9\ud83d\ude00"`, `"\/"`, `1`, `-0`, `1.50`, `1e3`, `12345678901234567890`, `true`, `null`, `[]`, `{}`,
			`["a","b"]`, `["a",1]`, `["\"",null]`, `[ "x" , "y" ]`, `[["a"]]`, `{"z":1,"a":{"c":2,"b":[{"y":1,"x":2}]}}`}).Draw(t, "value")
	}
	var fields []string
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c", "d", "é", `x\"`}), 0, 5, rapid.ID[string]).Draw(t, "names") {
		fields = append(fields, `"`+name+`":`+rapid.SampledFrom([]string{"", "", " "}).Draw(t, "space")+body(t, depth-1))
	}
	return "{" + strings.Join(fields, ",") + "}"
}

// What a plan makes is what the interpreter makes.
func TestPlanIsTheMap(t *testing.T) {
	env := NewEnvironment()
	planned, ran := 0, 0
	meta := Meta{ID: "r1-7", Type: "rec-death.v1", N: 7, At: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	rapid.Check(t, func(t *rapid.T) {
		src := statements(t)
		m, err := env.Compile(src)
		if err != nil || m.plan == nil {
			return
		}
		planned++
		for i := range 6 {
			meta.Sender = [...]string{"", "org-<é>"}[i%2]
			doc := []byte(body(t, 3))
			out, ok := m.AppendRun(nil, doc, meta)
			if !ok {
				continue
			}
			ran++
			v, err := rawjson.Decode(doc)
			if err != nil {
				t.Fatal(err)
			}
			want, err := m.Run(v, meta)
			if errors.Is(err, ErrDeleted) || err != nil || string(out) != string(want) {
				t.Fatalf("map %s\ndocument %s\nplan    %s\nlibrary %s %v", src, doc, out, want, err)
			}
		}
	})
	t.Logf("%d maps had a plan, which ran on %d documents", planned, ran)
	if planned == 0 || ran == 0 {
		t.Errorf("%d maps had a plan, which ran on %d documents", planned, ran)
	}
}

// The maps that people write most have plans.
func TestPlanIsFound(t *testing.T) {
	for _, src := range []string{
		"root = this",
		"# who\nroot.reference = this.id\n\nroot.surname = this.person.name.family.uppercase()\nroot.from = this.old.lines.join(\", \")\nroot.postcode = this.new.postcode | deleted()\nroot.reason = this.reason | \"not given\"",
		"root.a.b = this.x.trim().lowercase() + \" \" + this.y\nroot.a.c = meta(\"id\")",
	} {
		if compile(t, src).plan == nil {
			t.Errorf("no plan for %s", src)
		}
	}
	for _, src := range []string{"root = this.a", "root.a = this.b.map_each(x -> x)", "root.a = if this.b == 1 { 2 }", "root = this\nroot.a = 1", "root.a = 1\nroot.a = 2", "root.a = 1\nroot.a.b = 2"} {
		if compile(t, src).plan != nil {
			t.Errorf("a plan for %s", src)
		}
	}
}

const benchDoc = `{"id":"chg-000000001","status":"final","person":{"name":{"given":"Ada","family":"Okafor"},"dateOfBirth":"1950-03-04"},"old":{"lines":["1 High Street","Ashcombe"]},` +
	`"new":{"lines":["Flat 1","2 Mill Close","Ashcombe"],"postcode":"AS1 2CD","uprn":"200000000002"},"movedOn":"2026-03-04","reason":"rent"}`

const benchMap = "root.reference = this.id\nroot.surname = this.person.name.family.uppercase()\nroot.forenames = this.person.name.given\nroot.born = this.person.dateOfBirth\nroot.from = this.old.lines.join(\", \")\n" +
	"root.to = this.new.lines.join(\", \")\nroot.postcode = this.new.postcode | deleted()\nroot.on = this.movedOn\nroot.reason = this.reason | \"not given\""

func BenchmarkPlan(b *testing.B) {
	m := compile(b, benchMap)
	b.Run("plan", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, ok := m.AppendRun(nil, []byte(benchDoc), Meta{}); !ok {
				b.Fatal("no")
			}
		}
	})
	b.Run("library", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v, err := rawjson.Decode([]byte(benchDoc))
			if err != nil {
				b.Fatal(err)
			}
			if _, err := m.Run(v, Meta{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
