package mapping

import (
	"strings"
	"testing"
)

// What is told of a failure holds no value of the record: not what the map throws,
// nor names, formats and zones that the language repeats, nor what pretends to be its
// own words. What stands in the map may be told.
func TestNoValueIsTold(t *testing.T) {
	const body = `{"secret":"Quillfeather","n":4711081,"Quillfeather":{"a":null},"list":["Quillfeather"]}`
	for _, src := range []string{
		`root.x = throw(this.secret)`,
		`root.x = throw("it is " + this.secret)`,
		`root.x = throw("expected " + this.secret.lowercase() + " value, got null")`,
		"root.x = throw(\"field `this.\" + this.secret + \"`: value is null\")",
		`root.x = throw("failed assignment (line " + this.n.string() + "): value is null")`,
		`root.x = throw("value is null" + this.secret)`,
		`root.x = throw("cannot add types string (from " + this.secret + ") and null (from x)")`,
		"root.x = throw(\"expected number value, got string from field `\" + this.secret + \"`\")",
		`root.x = "2026-01-02T00:00:00Z".ts_tz(this.secret)`,
		`root.x = "a".hash(this.secret)`, `root.x = "a".encode(this.secret)`, `root.x = "a".decode(this.secret)`,
		`root.x = this.secret.parse_duration_iso8601()`,
		`root.x = "2026".ts_strptime(this.secret)`, `root.x = this.secret.ts_parse("2006")`, `root.x = this.secret.parse_csv().index(5)`,
		`root.x = this.secret.parse_json()`, `root.x = this.list.index(this.n)`, `root.x = this.apply(this.secret)`,
		`root.x = "a".re_find_all(this.secret + "(")`, `root.x = json(this.secret + ".a").not_null()`,
		`root.x = meta(this.secret).not_null()`, `root.x = this.get(this.secret).uppercase()`, `root.x = this.get(this.secret).a.not_null()`,
		`root.x = this.map_each(i -> i.value.number())`, `root.x = this.list.map_each(i -> throw(i))`,
		"map m {\n  root = throw(this.secret)\n}\nroot.x = this.apply(\"m\")",
		`root.x = if this.n > 3 { throw(this.secret) } else { throw("fine") }`,
	} {
		_, err := run(t, src, body)
		switch {
		case err == nil:
			t.Logf("%s makes something", src)
		case strings.Contains(strings.ToLower(err.Error()), "quill") || strings.Contains(err.Error(), "4711"):
			t.Errorf("%s tells a value: %v", src, err)
		case !strings.Contains(err.Error(), "line "):
			t.Errorf("%s does not tell where: %v", src, err)
		}
	}
	for src, want := range map[string]string{
		"root.a = 1\nroot.x = this.secret.number().abs() + throw(\"not now\")":                                       "(line 2)",
		"root.a = 1\n\nroot.x = if this.n > 3 {\n  throw(\"more than \\\"three\\\"\")\n}\nroot.b = throw(\"other\")": `(line 3): it gives up or fails on this record; the map says there: more than "three"`,
		`root.x = this.n.keys()`:         "expected object value, got number from field `this.n`",
		`root.x = this.gone.not_null()`:  "field `this.gone`: value is null",
		`root.x = this.n + this.secret`:  "cannot add types number and string",
		`root.x = throw("a " + "text")`:  "gives up or fails on this record",
		`root.x = this.list.uppercase()`: "expected string value, got array",
	} {
		if _, err := run(t, src, body); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", src, err, want)
		}
	}
}
