package rules_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

func env(t testing.TB, vars ...rules.Var) *rules.Env {
	t.Helper()
	if vars == nil {
		vars = []rules.Var{{Name: "record", Type: rules.Object}, {Name: "household", Type: rules.Object}, {Name: "today", Type: rules.Date},
			{Name: "n", Type: rules.Int}, {Name: "name", Type: rules.String}, {Name: "flag", Type: rules.Bool}, {Name: "now", Type: rules.Time}, {Name: "list", Type: rules.List}}
	}
	e, err := rules.NewEnv(vars...)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func decoded(t testing.TB, s string, numbers bool) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(s))
	if numbers {
		d.UseNumber()
	}
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

const body = `{"name": "Ada", "dob": "1941-02-28", "leap": "1980-02-29", "bad": "1941-02-30", "at": "2020-05-01T23:30:00+01:00",
 "income": 120000, "whole": 5.0, "rate": 0.5, "none": null, "flag": true, "big": 9007199254740993,
 "address": {"postcode": "AB1 2CD"}, "children": [{"age": 3}, {"name": "x"}, {"age": 7}], "ages": [1, 2, 3], "empty": {}}`

func TestThreeValues(t *testing.T) {
	for _, c := range []struct {
		src     string
		want    rules.Truth
		missing string
	}{
		{`record.name == "Ada"`, rules.True, ""},
		{`record.name != "Ada"`, rules.False, ""},
		{`record.absent == 1`, rules.Unknown, "record.absent"},
		{`record.none == 1`, rules.Unknown, "record.none"},
		{`false && record.absent`, rules.False, ""},
		{`record.absent && false`, rules.False, ""},
		{`record.absent == 1 && record.name == "B"`, rules.False, ""},
		{`true || record.absent`, rules.True, ""},
		{`record.absent == 1 || record.flag`, rules.True, ""},
		{`record.absent == 1 && record.gone == 2`, rules.Unknown, "record.absent record.gone"},
		{`!record.absent`, rules.Unknown, "record.absent"},
		{`record.absent ? true : true`, rules.Unknown, "record.absent"},
		{`record.absent + 1 > 2`, rules.Unknown, "record.absent"},
		{`record.absent.deeper == 1`, rules.Unknown, "record.absent.deeper"},
		{`record.empty.x == 1`, rules.Unknown, "record.empty.x"},
		{`household.income < 100`, rules.Unknown, "household.income"},
		{`household.income < 100 && household.size > 2`, rules.Unknown, "household.income household.size"},
		{`n > 1`, rules.Unknown, "n"},
		{`today > date("2020-01-01")`, rules.Unknown, "today"},
		{`has(record.name)`, rules.True, ""},
		{`has(record.absent)`, rules.False, ""},
		{`has(record.none)`, rules.False, ""},
		{`has(record.absent.deeper.still)`, rules.False, ""},
		{`has(record.address.postcode)`, rules.True, ""},
		{`has(record.address.street)`, rules.False, ""},
		{`has(household.income)`, rules.Unknown, "household.income"},
		{`!has(record.absent) || record.absent > 1`, rules.True, ""},
		{`record["absent"] == 1`, rules.Unknown, "record.absent"},
		{`"name" in record`, rules.True, ""},
		{`"absent" in record`, rules.False, ""},
		{`"none" in record`, rules.False, ""},
		{`size(record.children) == 3`, rules.True, ""},
		{`record.children.exists(c, c.age > 5)`, rules.True, ""},
		{`record.children.exists(c, c.age > 8)`, rules.Unknown, "record.children[].age"},
		{`record.children.all(c, c.age > 5)`, rules.False, ""},
		{`record.children.all(c, c.age > 1)`, rules.Unknown, "record.children[].age"},
		{`record.children.filter(c, has(c.age)).all(c, c.age > 1)`, rules.True, ""},
		{`record.absent.exists(c, c.age > 8)`, rules.Unknown, "record.absent"},
		{`record.children[0].age == 3`, rules.True, ""},
		{`record.children[1].age == 3`, rules.Unknown, "record.children[].age"},
		{`record.children[9].age == 3`, rules.Unknown, "record.children[].age"},
		{`record.children[9].age == 3 || true`, rules.True, ""},
		{`record.name in ["Ada", "Bob"]`, rules.True, ""},
		{`record.absent in ["Ada", "Bob"]`, rules.Unknown, "record.absent"},
		{`2 in record.ages`, rules.True, ""},
		{`record.address == record.address`, rules.True, ""},
		{`record.whole == 5`, rules.True, ""},
		{`record.whole == 5.0`, rules.True, ""},
		{`record.whole + 1 == 6`, rules.True, ""},
		{`record.rate < 1`, rules.True, ""},
		{`record.income > 99.5`, rules.True, ""},
		{`double(record.income) / 7.0 > 1.0`, rules.True, ""},
		{`record.income == pounds(1200)`, rules.True, ""},
		{`pounds(12.50) == 1250`, rules.True, ""},
	} {
		for _, numbers := range []bool{true, false} {
			p, err := env(t).Compile(c.src, rules.Pos{File: "f", Line: 1, Col: 1})
			if err != nil {
				t.Errorf("%s: %v", c.src, err)
				break
			}
			r, err := p.Eval(context.Background(), map[string]any{"record": decoded(t, body, numbers), "household": nil})
			if err != nil || r.Truth != c.want || strings.Join(r.Missing, " ") != c.missing {
				t.Errorf("%s: %v %v %v, want %v %q", c.src, r.Truth, r.Missing, err, c.want, c.missing)
			}
		}
	}
}

func TestDates(t *testing.T) {
	for _, src := range []string{
		`date(record.dob) < date("2026-01-31")`,
		`age(record.dob, "2026-02-27") == 84 && age(record.dob, date("2026-02-28")) == 85`,
		`age(record.leap, "1998-02-28") == 17 && age(record.leap, "1998-03-01") == 18 && age(record.leap, "2000-02-29") == 20`,
		`date(record.leap) + years(18) == date("1998-03-01")`,
		`date(record.leap) + years(20) == date("2000-02-29")`,
		`date("2026-01-31") + months(1) == date("2026-02-28")`,
		`date("2026-01-31") + days(1) == date("2026-02-01") && date("2026-03-01") - weeks(1) == date("2026-02-22")`,
		`date("2026-03-01") - date("2026-02-01") == 28`,
		`date("2024-03-01") - date("2024-02-28") == 2`,
		`date(record.at) == date("2020-05-01")`,
		`date(record.dob).year() == 1941 && date(record.dob).month() == 2 && date(record.dob).day() == 28 && date("2026-01-31").weekday() == 6`,
		`today >= date("2026-01-31") && today < date("2026-02-01")`,
		`string(today) == "2026-01-31"`,
		`date("2026-01-31") - years(3) == date("2023-01-31")`,
		`date("2024-01-15") - months(13) == date("2022-12-15")`,
	} {
		p, err := env(t).Compile(src, rules.Pos{})
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		r, err := p.Eval(context.Background(), map[string]any{"record": decoded(t, body, false), "today": rules.Day{Year: 2026, Month: 1, Day: 31}})
		if err != nil || r.Truth != rules.True {
			t.Errorf("%s: %v %v %v", src, r.Truth, r.Missing, err)
		}
	}
}

func TestDayMatchesTheStandardLibrary(t *testing.T) {
	for d := (rules.Day{Year: 1899, Month: 12, Day: 25}); d.Year < 2105; d = d.AddDays(1) {
		want := d.Time(time.UTC)
		if got, err := rules.ParseDay(d.String()); err != nil || got != d || want.Format(time.DateOnly) != d.String() {
			t.Fatal(d, got, err)
		}
	}
	for _, s := range []string{"", "2026-1-31", "2026-02-29", "0000-01-01", "2026-13-01", "2026-00-10", "2026-01-32", "2026-01-31x", "2026-01-31T99", "+026-01-01", "２０２６-01-01"} {
		if d, err := rules.ParseDay(s); err == nil {
			t.Errorf("%q: %v", s, d)
		}
	}
}

func TestCompileErrorsHaveTheirPlace(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{`recrod.a == 1`, `f.yaml:12:9: there is no variable or function "recrod": did you mean record?`},
		{`record.a == 1 && agee(record.a, today) > 3`, `f.yaml:12:30: there is no variable or function "agee": did you mean age?`},
		{`name == 1`, `f.yaml:12:14: == does not work between text and a whole number: convert one with date(), int(), double() or string()`},
		{"record.a == 1 &&\n  n == \"x\"", `f.yaml:13:5: == does not work between a whole number and text: convert one with date(), int(), double() or string()`},
		{`record.a = 1`, `f.yaml:12:18: a single = compares nothing: write ==`},
		{`record.a ==`, `f.yaml:12:20: this cannot be read: it ends too early`},
		{``, `f.yaml:12:9: this expression is empty: write a condition, such as record.age >= 18`},
		{`n + 1`, `f.yaml:12:9: this gives a whole number: write a condition that is true or false`},
		{`n > 1 && record.a == null`, `f.yaml:12:30: nothing can be compared with null: write has(record.name) to ask whether it was given`},
		{`n > 1 && record.dob == today`, `f.yaml:12:18: a date in JSON is text: write date(...) around what is compared with a date`},
		{`today > date("2026-02-30")`, `f.yaml:12:22: "2026-02-30" is not a date that exists: write it like 2026-01-31`},
		{`record.a.matches(record.b)`, `f.yaml:12:26: the pattern of matches() must be written out: it cannot come from the data`},
		{`record.a.matches("(")`, `f.yaml:12:26: this pattern cannot be read: error parsing regexp: missing closing ): ` + "`(`"},
		{`has(record)`, `f.yaml:12:13: has() takes a path that ends in a field: has(record.name)`},
		{`list.exists(a, list.exists(b, list.exists(c, a == b && b == c)))`, `f.yaml:12:39: this goes through lists more than 2 deep: write it more simply`},
		{`list.exists(a, list.exists(b, record.s.matches("(a+)+$") && record.t.matches("(a+)+$") && record.u.matches("(a+)+(a+)+(a+)+$")))`, `f.yaml:12:9: this would take too long on large records: go through fewer lists`},
		{strings.Repeat("(", 300) + "true" + strings.Repeat(")", 300), `f.yaml:12:`},
		{strings.Repeat("!", 9000) + "true", `f.yaml:12:9: this expression is too long: at most 8192 characters are read`},
		{strings.Repeat("[", 5000), `f.yaml:12:`},
	} {
		_, err := env(t).Compile(c.src, rules.Pos{File: "f.yaml", Line: 12, Col: 9, Indent: 1})
		var re *rules.Error
		if !errors.As(err, &re) {
			t.Errorf("%.80q: no error", c.src)
		} else if exact := err.Error() == c.want; !exact && !(strings.HasPrefix(err.Error(), c.want) && strings.HasSuffix(c.want, ": ") || c.want == "f.yaml:12:" && strings.HasPrefix(err.Error(), c.want)) {
			t.Errorf("%.80q:\n got %v\nwant %v", c.src, err, c.want)
		}
	}
}

func TestKnownFields(t *testing.T) {
	e := env(t, rules.Var{Name: "p", Type: rules.Object, Fields: []string{"age", "household.size", "children[].age"}})
	for src, want := range map[string]string{
		`p.age > 1`: "", `p.household.size > 1`: "", `has(p.household)`: "", `p.household.size.x == 1`: "", `p.children.exists(c, c.age > 1)`: "",
		`p.agee > 1`:         "p has no agee: did you mean age?",
		`p.household.sz > 1`: "p has no household.sz",
	} {
		_, err := e.Compile(src, rules.Pos{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", src, err)
		}
	}
}

func TestEvaluationErrorsNamePathsAndNoValues(t *testing.T) {
	for _, c := range []struct{ src, want string }{
		{`age(record.bad, today) > 3`, "f:3:5: record.bad is not a date that exists, written like 2026-01-31"},
		{`true && date(record.name) > today`, "f:3:13: record.name is not a date that exists, written like 2026-01-31"},
		{`record.name > 5`, "f:3:5: record.name is of another type than the rule expects here"},
		{`record.name`, "f:3:5: record.name gives something else than true or false"},
		{`1 / (record.whole - 5) > 1`, "f:3:5: record.whole: division by zero"},
		{`record.children.exists(c, has(c.name) && c.name > 3)`, "f:3:46: record.children[].name is of another type than the rule expects here"},
		{`record.big * record.big > 1`, "f:3:5: record.big: the result is too large"},
		{`int(record.name) > 1`, "f:3:5: record.name is of another type than the rule expects here"},
		{`today + days(record.big) > today`, "f:3:13: this many days are outside the years 1 to 9999"},
	} {
		p, err := env(t).Compile(c.src, rules.Pos{File: "f", Line: 3, Col: 5})
		if err != nil {
			t.Errorf("%s: %v", c.src, err)
			continue
		}
		r, err := p.Eval(context.Background(), map[string]any{"record": decoded(t, body, true), "today": "2026-01-31"})
		if err == nil || err.Error() != c.want || r.Truth == rules.True {
			t.Errorf("%s:\n got %v %v %v\nwant %v", c.src, err, r.Truth, r.Missing, c.want)
		}
	}
	p, _ := env(t).Compile(`name == "x"`, rules.Pos{})
	if _, err := p.Eval(context.Background(), map[string]any{"name": 5}); err == nil || !strings.Contains(err.Error(), "name is of another type") {
		t.Error(err)
	}
}

func TestCostIsBoundedWhenRunning(t *testing.T) {
	p, err := env(t).Compile(`list.all(a, list.all(b, a != b || true))`, rules.Pos{File: "f", Line: 1, Col: 1})
	if err != nil {
		t.Fatal(err)
	}
	long := make([]any, 20_000)
	for i := range long {
		long[i] = i
	}
	if _, err := p.Eval(context.Background(), map[string]any{"list": long}); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Eval(ctx, map[string]any{"list": long}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestInputsAndValues(t *testing.T) {
	p, err := env(t).CompileValue(`has(record.a.b) && record.children.exists(c, c.age > 3) && household["size"] > n ? today + days(1) : today`, rules.Pos{})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(p.Inputs(), " "); got != "household.size n record.a.b record.children record.children[].age today" {
		t.Error(got)
	}
	for src, want := range map[string]any{
		`n + 1`: int64(3), `record.rate`: 0.5, `record.ages.map(a, a * 2)`: []any{int64(2), int64(4), int64(6)},
		`{"a": name}`: map[string]any{"a": "x"}, `today`: rules.Day{Year: 2026, Month: 1, Day: 31}, `now`: time.Unix(0, 0).UTC(), `flag`: true,
		`record.address`: map[string]any{"postcode": "AB1 2CD"},
	} {
		p, err := env(t).CompileValue(src, rules.Pos{})
		if err != nil {
			t.Fatal(src, err)
		}
		r, err := p.Eval(context.Background(), map[string]any{"n": 2, "name": "x", "flag": true, "now": time.Unix(0, 0).UTC(), "today": "2026-01-31", "record": decoded(t, body, true)})
		if err != nil || !reflect.DeepEqual(r.Value, want) {
			t.Errorf("%s: %#v %v", src, r.Value, err)
		}
	}
}

func TestSyntax(t *testing.T) {
	if err := rules.Syntax(`anything.at.all == 1 && unknown(2)`, rules.Pos{}); err != nil {
		t.Error(err)
	}
	if err := rules.Syntax(`a == (`, rules.Pos{File: "f", Line: 2, Col: 3}); err == nil || !strings.HasPrefix(err.Error(), "f:2:9: ") {
		t.Error(err)
	}
}

func TestConcurrentUse(t *testing.T) {
	p, err := env(t).Compile(`record.n == n && !has(record.gone)`, rules.Pos{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	for g := range 8 {
		go func() {
			ok := true
			for i := range 2000 {
				r, err := p.Eval(context.Background(), map[string]any{"record": map[string]any{"n": float64(g*10000 + i)}, "n": g*10000 + i})
				ok = ok && err == nil && r.Truth == rules.True
			}
			done <- ok
		}()
	}
	for range 8 {
		if !<-done {
			t.Error("wrong answer")
		}
	}
}

func FuzzCompileAndEval(f *testing.F) {
	f.Add(`record.children.exists(c, c.age > 8)`, body)
	f.Add(`age(record.bad, today) > 3 || has(record.a.b)`, `{"bad": 1}`)
	e := env(f)
	f.Fuzz(func(t *testing.T, src, in string) {
		p, err := e.CompileValue(src, rules.Pos{})
		if err != nil {
			return
		}
		var m map[string]any
		json.Unmarshal([]byte(in), &m)
		if _, err := p.Eval(context.Background(), map[string]any{"record": m, "today": "2026-01-31"}); err != nil && strings.Contains(err.Error(), "internal error") {
			t.Error(err)
		}
	})
}

func BenchmarkEval(b *testing.B) {
	in := map[string]any{"record": decoded(b, body, false), "today": rules.Day{Year: 2026, Month: 1, Day: 31}}
	for _, c := range []struct{ name, src string }{
		{"three clauses", `record.name == "Ada" && record.income > 1000 && has(record.address.postcode)`},
		{"age", `age(record.dob, today) >= 18`},
		{"unknown", `record.absent > 1 && record.flag`},
		{"list", `record.children.exists(c, has(c.age) && c.age > 5)`},
	} {
		p, err := env(b).Compile(c.src, rules.Pos{})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Eval(context.Background(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestHostileExpressionsEndSoon(t *testing.T) {
	e := env(t)
	for _, unit := range []string{"a&&", "record.a&&", "record.a||", "record.a?", "record.a?record.b:", "!", "-", "- 1 ", "(", "[", "{", "{1:", "record.", "a.", "f(", "has(", `"`, "1+", "record.a+", "'''", "\\", "\x00", "é", "[1,", "1 in ", "record.x.all(a,", "b'\\x"} {
		for _, end := range []string{"", "true", "1"} {
			src := strings.Repeat(unit, 8000/len(unit)) + end
			if p, err := e.Compile(src, rules.Pos{}); err == nil {
				p.Eval(context.Background(), map[string]any{"record": map[string]any{}})
			}
		}
	}
}

// Every row of a table in docs/expressions.md is an expression and its answer.
func TestTheExamplesOfTheDocumentation(t *testing.T) {
	text, err := os.ReadFile("../../../docs/expressions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json\n")
	record, rest, ok := strings.Cut(rest, "```\n")
	if !ok {
		t.Fatal("no record")
	}
	in := map[string]any{"record": decoded(t, record, true), "today": rules.Day{Year: 2026, Month: 1, Day: 31}}
	n := 0
	for _, line := range strings.Split(rest, "\n") {
		src, want, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` | ")
		if !ok || !strings.HasPrefix(line, "| `") {
			continue
		}
		n++
		p, err := env(t).Compile(strings.ReplaceAll(src, `\|`, "|"), rules.Pos{})
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		r, err := p.Eval(context.Background(), in)
		got := r.Truth.String()
		if r.Truth == rules.Unknown {
			got += ": " + strings.Join(r.Missing, ", ")
		}
		if got += " |"; err != nil || got != want {
			t.Errorf("%s: %s %v, the documentation says %s", src, got, err, want)
		}
	}
	if n < 25 {
		t.Errorf("only %d examples were found", n)
	}
}
