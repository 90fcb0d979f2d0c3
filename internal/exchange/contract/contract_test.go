package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

const deathSchema = `{
  "type": "object", "additionalProperties": false,
  "required": ["registration", "deceased"],
  "properties": {
    "registration": {"type": "string", "pattern": "^[A-Z]{3}[0-9]+$"},
    "status": {"enum": ["registered", "reversed"]},
    "contact": {"type": "string", "format": "email"},
    "fee": {"type": "integer", "minimum": 0, "maximum": 1000},
    "deceased": {"$ref": "parts/person.json"},
    "informants": {"type": "array", "minItems": 1, "items": {"$ref": "parts/person.json"}}
  }
}`

const personSchema = `{
  "type": "object", "title": "Person", "required": ["name"],
  "properties": {
    "name": {"type": "string", "minLength": 1, "title": "Full name"},
    "dateOfBirth": {"type": "string", "format": "date"},
    "address": {"oneOf": [
      {"type": "object", "properties": {"kind": {"const": "uk"}, "postcode": {"type": "string", "maxLength": 8}}, "required": ["kind", "postcode"]},
      {"type": "object", "properties": {"kind": {"const": "abroad"}, "country": {"type": "string"}}, "required": ["kind", "country"]}
    ]}
  }
}`

func files(m map[string]string) func(string) ([]byte, error) {
	return func(name string) ([]byte, error) {
		if s, ok := m[name]; ok {
			return []byte(s), nil
		}
		return nil, fs.ErrNotExist
	}
}

func testType(t testing.TB, spec *Spec, m map[string]string) *Type {
	t.Helper()
	o := &def.Object{Kind: "RecordType", ID: "rec-death.v1", Name: "Death", Spec: spec}
	typ, err := new(Schemas).Type(o, files(m))
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func death(t testing.TB) *Type {
	return testType(t, &Spec{
		Schema: "schemas/death.json", Key: "/registration",
		Classification: Classification{Level: reeve.Confidential, Fields: map[string]def.Class{"/deceased/dateOfBirth": reeve.Restricted, "/fee": reeve.Internal}},
	}, map[string]string{"schemas/death.json": deathSchema, "schemas/parts/person.json": personSchema})
}

func TestCheck(t *testing.T) {
	typ := death(t)
	for name, c := range map[string]struct {
		in   string
		key  string
		want []string
	}{
		"good":         {`{"registration":"ABC1","deceased":{"name":"A","dateOfBirth":"1950-02-28"}}`, "ABC1", nil},
		"missing":      {`{"registration":"ABC1"}`, "ABC1", []string{"/deceased is missing; it is required"}},
		"no key":       {`{"deceased":{"name":"A"}}`, "", []string{"/registration is missing; it is the key that names the record"}},
		"several":      {`{"registration":"ABC1","fee":-1,"status":"gone","contact":"nobody","deceased":{"name":"","dateOfBirth":"31/01/1950"}}`, "ABC1", []string{"/contact must be an email address, like name@example.com", "/deceased/dateOfBirth must be a date, written like 2026-01-31", "/deceased/name must not be empty", "/fee must be 0 or more", `/status must be one of: "registered", "reversed"`}},
		"date":         {`{"registration":"ABC1","deceased":{"name":"A","dateOfBirth":"2023-02-29"}}`, "ABC1", []string{"/deceased/dateOfBirth must be a date, written like 2026-01-31"}},
		"wrong type":   {`{"registration":"ABC1","deceased":[]}`, "ABC1", []string{"/deceased must be an object, not a list"}},
		"more fields":  {`{"registration":"ABC1","deceased":{"name":"A"},"ssn":"999-12-3456"}`, "ABC1", []string{"/ssn is not a field of this record type"}},
		"alternatives": {`{"registration":"ABC1","deceased":{"name":"A","address":{"kind":"uk","postcode":"N1 1AA AND MORE"}}}`, "ABC1", []string{"/deceased/address/postcode must have at most 8 characters"}},
		"in a list":    {`{"registration":"ABC1","deceased":{"name":"A"},"informants":[{"name":"B"},{}]}`, "ABC1", []string{"/informants/1/name is missing; it is required"}},
		"not object":   {`[1]`, "", []string{" must be an object: { ... }"}},
		"not json":     {`{"registration":}`, "", []string{" is not well-formed JSON: a value was expected here: an object, a list, text in double quotes, a number, true, false or null (at byte 17)"}},
	} {
		key, ps := typ.Check([]byte(c.in))
		var got []string
		for _, p := range ps {
			got = append(got, p.Path+" "+p.Message)
		}
		if key != c.key || strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s: key %q\n%s\nwant %q\n%s", name, key, strings.Join(got, "\n"), c.key, strings.Join(c.want, "\n"))
		}
	}
}

// No sentence repeats what stood in the record.
func TestCheckTellsNoValue(t *testing.T) {
	typ := death(t)
	const canary = "CANARY7731"
	for _, v := range []string{`"` + canary + `"`, `["` + canary + `"]`, `{"name":"` + canary + `"}`, `7731773177317731`} {
		for _, f := range []string{"registration", "status", "contact", "fee", "deceased", "informants"} {
			rec := map[string]any{"registration": "ABC1", "deceased": map[string]any{"name": "A", "dateOfBirth": canary, "address": canary}}
			rec[f] = json.RawMessage(v)
			b, err := json.Marshal(rec)
			if err != nil {
				t.Fatal(err)
			}
			_, ps := typ.Check(b)
			for _, p := range ps {
				if strings.Contains(p.Path+p.Message, "7731") {
					t.Errorf("%s: %s %s", f, p.Path, p.Message)
				}
			}
		}
	}
}

func TestHostileRecords(t *testing.T) {
	typ := death(t)
	for name, in := range map[string]string{
		"deep":      strings.Repeat(`{"deceased":`, 100_000),
		"huge name": `{"registration":"ABC1","deceased":{"name":"A"},"` + strings.Repeat("x", 500_000) + `":1}`,
		"large":     `{"registration":"` + strings.Repeat("x", MaxBytes) + `"}`,
		"number":    `{"registration":"ABC1","deceased":{"name":"A"},"fee":1e400}`,
		"fields":    `{` + strings.Repeat(`"a":1,`, 1000) + `"b":1}`,
	} {
		_, ps := typ.Check([]byte(in))
		if len(ps) == 0 || len(ps) > maxProblems+1 {
			t.Errorf("%s: %d problems", name, len(ps))
		}
		for _, p := range ps {
			if len(p.Path)+len(p.Message) > 2000 {
				t.Errorf("%s: a problem of %d bytes", name, len(p.Path)+len(p.Message))
			}
		}
	}
}

func TestSchemaStaysInFolder(t *testing.T) {
	for name, schema := range map[string]string{
		"network":   `{"$ref":"https://example.com/x.json"}`,
		"file":      `{"$ref":"file:///etc/passwd"}`,
		"absent":    `{"$ref":"nothing.json"}`,
		"invalid":   `{"type":"strin"}`,
		"json":      `{"type":`,
		"pattern":   `{"pattern":"(?=x)"}`,
		"no target": `{"$ref":"#/definitions/x"}`,
	} {
		_, err := new(Schemas).Type(&def.Object{ID: "rec-x", Spec: &Spec{Schema: "x.json"}}, files(map[string]string{"x.json": schema}))
		if err == nil {
			t.Errorf("%s: compiled", name)
		} else {
			t.Log(name, err)
		}
	}
	// A loop is found when a record is checked.
	typ := testType(t, &Spec{Schema: "x.json"}, map[string]string{"x.json": `{"$ref":"#"}`})
	if _, ps := typ.Check([]byte(`{}`)); len(ps) == 0 {
		t.Error("an endless schema takes a record")
	}
	// Up the tree leads nowhere: the folder is the root.
	typ = testType(t, &Spec{Schema: "a/x.json"}, map[string]string{"a/x.json": `{"$ref":"../../../y.json"}`, "y.json": `{"type":"object"}`})
	if _, ps := typ.Check([]byte(`{}`)); len(ps) != 0 {
		t.Error(ps)
	}
}

func TestDialect(t *testing.T) {
	// In draft-07 what stands beside a $ref does not count; in 2020-12 it does.
	for draft, problems := range map[string]int{"": 1, `"$schema":"http://json-schema.org/draft-07/schema#",`: 0} {
		typ := testType(t, &Spec{Schema: "x.json"}, map[string]string{
			"x.json": `{` + draft + `"properties":{"a":{"$ref":"#/definitions/s","maxLength":1}},"definitions":{"s":{"type":"string"}}}`})
		if _, ps := typ.Check([]byte(`{"a":"long"}`)); len(ps) != problems {
			t.Errorf("%s: %v", draft, ps)
		}
	}
}

func TestHasAndLabel(t *testing.T) {
	typ := death(t)
	for p, want := range map[string]Certainty{
		"/registration": Yes, "/ssn": No, "/deceased/name": Yes, "/deceased/other": Maybe, "/registration/x": No,
		"/informants/name": Yes, "/informants/name/x": No, "/deceased/address/postcode": Yes, "": Yes, "deceased": Yes,
	} {
		if got := typ.Has(p); got != want {
			t.Errorf("Has(%s) = %d, want %d", p, got, want)
		}
	}
	for p, want := range map[string]string{
		"/deceased/name": "Full name", "/deceased/dateOfBirth": "Date of birth", "/informants/1/name": "Full name", "/fee": "Fee", "/x/0": "X 1",
	} {
		if got := typ.Label(p); got != want {
			t.Errorf("Label(%s) = %q, want %q", p, got, want)
		}
	}
}

func TestClasses(t *testing.T) {
	typ := death(t)
	for p, want := range map[string]reeve.Class{
		"/registration": reeve.Confidential, "/deceased/dateOfBirth": reeve.Restricted, "/deceased": reeve.Confidential, "/fee": reeve.Internal,
		"/deceased/dateOfBirth/year": reeve.Restricted,
	} {
		if got := typ.ClassOf(p); got != want {
			t.Errorf("ClassOf(%s) = %s, want %s", p, got, want)
		}
	}
	if got := typ.Classes("/deceased"); len(got) != 2 || got[1] != reeve.Restricted {
		t.Errorf("Classes(/deceased) = %v", got)
	}
	listed := &Type{Level: reeve.Internal, classes: map[string]reeve.Class{"/people/address/line": reeve.Restricted}}
	for _, p := range []string{"/people", "/people/0", "/people/3/address", "/people/3/address/line/0"} {
		if got := listed.Classes(p); got[len(got)-1] != reeve.Restricted {
			t.Errorf("Classes(%s) = %v: what stands in it may not be seen", p, got)
		}
	}
}

// A number in a pointer may be an index of a list or the name of a field.
func TestClassOfNumbers(t *testing.T) {
	typ := &Type{Level: reeve.Internal, classes: map[string]reeve.Class{"/0": reeve.Restricted, "/years/2024/income": reeve.Restricted, "/years/2025": reeve.Confidential,
		"/people/7/8/ssn": reeve.Restricted, "/tags": reeve.Confidential, "/open/1": reeve.Public}}
	for p, want := range map[string]reeve.Class{
		"/0": reeve.Restricted, "/0/x": reeve.Restricted, "/1": reeve.Internal, "/years/2024": reeve.Internal, "/years/2024/income": reeve.Restricted,
		"/years/3/2024/income": reeve.Restricted, "/years/2024/0/income/1": reeve.Restricted, "/years/2025/x": reeve.Confidential, "/years/2026/income": reeve.Internal,
		"/people/7/8/ssn": reeve.Restricted, "/people/7/1/8/0/ssn": reeve.Restricted, "/people/8/7/ssn": reeve.Internal, "/tags/0": reeve.Confidential,
		"/open/1": reeve.Public, "/open/1/x": reeve.Internal, "/00": reeve.Internal,
	} {
		if got := typ.ClassOf(p); got != want {
			t.Errorf("ClassOf(%s) = %s, want %s", p, got, want)
		}
	}
	for _, p := range []string{"", "/years", "/years/2024", "/years/1/2024", "/people/7", "/people/7/3/8"} {
		if got := typ.Classes(p); got[len(got)-1] != reeve.Restricted {
			t.Errorf("Classes(%s) = %v: what stands in it may not be seen", p, got)
		}
	}
	if whole := (&Type{classes: map[string]reeve.Class{"": reeve.Restricted}}); whole.ClassOf("/a/0") != reeve.Restricted {
		t.Error("the class of the whole record is not that of a field")
	}
}

func planning(t testing.TB) (*Type, map[string][]byte) {
	schema, err := os.ReadFile("../testdata/real/planning/application.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	typ := testType(t, &Spec{Schema: "application.json"}, map[string]string{"application.json": string(schema)})
	names, err := filepath.Glob("../testdata/real/planning/examples/*.json")
	if err != nil || len(names) != 13 {
		t.Fatal(names, err)
	}
	recs := map[string][]byte{}
	for _, n := range names {
		if recs[filepath.Base(n)], err = os.ReadFile(n); err != nil {
			t.Fatal(err)
		}
	}
	return typ, recs
}

func TestPlanningApplications(t *testing.T) {
	typ, recs := planning(t)
	for name, rec := range recs {
		if _, ps := typ.Check(rec); len(ps) > 0 {
			t.Errorf("%s: %v", name, ps)
		}
	}
	rec := bytes.Replace(recs["landDrainageConsent.json"], []byte(`"applicant"`), []byte(`"aplicant"`), 1)
	_, ps := typ.Check(rec)
	if len(ps) == 0 || len(ps) > 5 {
		t.Errorf("a misspelt field gives %v", ps)
	}
	t.Log(ps)
}

func BenchmarkCheck(b *testing.B) {
	typ := death(b)
	rec := []byte(`{"registration":"ABC1234","status":"registered","fee":35,"contact":"a@example.com","deceased":{"name":"` + strings.Repeat("Somebody ", 20) +
		`","dateOfBirth":"1950-01-01","address":{"kind":"uk","postcode":"N1 1AA","line1":"` + strings.Repeat("Street ", 20) + `"}},"informants":[{"name":"` +
		strings.Repeat("Other ", 30) + `","dateOfBirth":"1980-01-01","address":{"kind":"abroad","country":"` + strings.Repeat("France ", 30) + `"}}]}`)
	b.SetBytes(int64(len(rec)))
	b.ReportAllocs()
	for b.Loop() {
		if _, ps := typ.Check(rec); ps != nil {
			b.Fatal(ps)
		}
	}
}

func BenchmarkValidateOnly(b *testing.B) {
	typ, recs := planning(b)
	v, err := rawjson.Decode(recs["landDrainageConsent.json"])
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, ps := typ.CheckValue(v); ps != nil {
			b.Fatal(ps)
		}
	}
}

func BenchmarkCompilePlanning(b *testing.B) {
	for b.Loop() {
		planning(b)
	}
}

// What is good is found out without decoding it, with the same key.
func TestGood(t *testing.T) {
	typ := death(t)
	for doc, want := range map[string]string{
		`{"registration":"ABC1","deceased":{"name":"Ann"}}`:                             "ABC1 true true",
		`{"deceased": {"name":"Ann","dateOfBirth":"1920-02-29"},"registration":"ABC2"}`: "ABC2 false true",
		`{"registration":"ABC","deceased":{"name":"Ann"}}`:                              " false false",
		`{"registration":"ABC1"}`:                                                       " false false",
	} {
		key, compact, ok := typ.Good([]byte(doc))
		if got := fmt.Sprintln(key, compact && ok, ok); strings.TrimSuffix(got, "\n") != want {
			t.Errorf("%s: %q, want %q", doc, got, want)
		}
		if checked, problems := typ.Check([]byte(doc)); ok && checked != key || ok != (len(problems) == 0) {
			t.Errorf("%s: Check says %q, %v", doc, checked, problems)
		}
	}
}
