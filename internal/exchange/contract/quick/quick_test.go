package quick_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve/internal/exchange/contract/quick"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

func compile(text string) (*jsonschema.Schema, error) { return compileAs(jsonschema.Draft2020, text) }

func compileAs(d *jsonschema.Draft, text string) (*jsonschema.Schema, error) {
	v, err := rawjson.Decode([]byte(text))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(d)
	c.AssertFormat()
	if err := c.AddResource("reeve:///s.json", v); err != nil {
		return nil, err
	}
	return c.Compile("reeve:///s.json")
}

// holds says whether what Good says of a document is right.
func holds(p *quick.Program, s *jsonschema.Schema, doc []byte) error {
	ok, compact := p.Good(doc)
	v, err := rawjson.Decode(doc)
	valid := err == nil && s.Validate(v) == nil
	if ok && !valid {
		return fmt.Errorf("called good, and is not: %s", doc)
	}
	if ok && compact != (string(rawjson.AppendCompact(nil, doc)) == string(doc)) {
		return fmt.Errorf("compact is %v of %s", compact, doc)
	}
	return nil
}

var scalarSchemas = []string{
	`true`, `false`, `{}`, `{"type":"string"}`, `{"type":["string","null"]}`, `{"type":"integer"}`, `{"type":"number"}`, `{"type":"boolean"}`,
	`{"type":"integer","minimum":0,"maximum":10}`, `{"type":"number","exclusiveMinimum":0}`, `{"minimum":1.5}`, `{"multipleOf":2}`,
	`{"type":"string","minLength":2}`, `{"maxLength":3}`, `{"pattern":"^[a-c]+$"}`, `{"pattern":"b"}`, `{"pattern":"^a?b{1,2}c*$"}`, `{"type":"string","format":"date"}`,
	`{"type":"string","format":"email"}`, `{"format":"uuid"}`, `{"enum":["a","b","é"]}`, `{"enum":["a",1,null]}`, `{"const":"a"}`, `{"const":1.0}`, `{"type":"null"}`,
	`{"$ref":"#/$defs/tree"}`, `{"$ref":"#/$defs/short","minLength":1}`, `{"$ref":"#"}`,
}

// schema draws a schema that uses most keywords.
func schema(t *rapid.T, depth int) string {
	if depth == 0 {
		return rapid.SampledFrom(scalarSchemas).Draw(t, "scalar")
	}
	sub := func() string { return schema(t, rapid.IntRange(0, depth-1).Draw(t, "depth")) }
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return fmt.Sprintf(`{"type":"array","items":%s,"minItems":%d,"maxItems":3}`, sub(), rapid.IntRange(0, 2).Draw(t, "min"))
	case 1:
		return fmt.Sprintf(`{"prefixItems":[%s],"items":%s}`, sub(), sub())
	case 2:
		return fmt.Sprintf(`{"anyOf":[%s,%s]}`, sub(), sub())
	case 3:
		return fmt.Sprintf(`{"oneOf":[%s,%s]}`, sub(), sub())
	case 4:
		return fmt.Sprintf(`{"allOf":[%s],"not":%s}`, sub(), sub())
	case 5:
		return fmt.Sprintf(`{"if":%s,"then":%s,"else":%s}`, sub(), sub(), sub())
	case 6:
		return fmt.Sprintf(`{"type":"array","uniqueItems":true,"contains":%s}`, sub())
	case 7:
		return fmt.Sprintf(`{"properties":{"a":%s},"unevaluatedProperties":%s,"maxProperties":3}`, sub(), sub())
	}
	more := rapid.SampledFrom([]string{``, `,"additionalProperties":false`, `,"additionalProperties":` + sub(), `,"patternProperties":{"^[ab]":` + sub() + `}`,
		`,"propertyNames":{"maxLength":1}`, `,"dependentRequired":{"a":["b"]}`, `,"minProperties":1`, `,"additionalProperties":false,"patternProperties":{"c":` + sub() + `}`}).Draw(t, "more")
	need := rapid.SampledFrom([]string{``, `"a"`, `"a","z"`}).Draw(t, "required")
	return fmt.Sprintf(`{"type":"object","properties":{"a":%s,"b":%s},"required":[%s]%s}`, sub(), sub(), need, more)
}

// document draws JSON, often as the schema wants it, sometimes broken.
func document(t *rapid.T, depth int) string {
	sp := func() string { return rapid.SampledFrom([]string{"", "", "", "", " ", "\n\t"}).Draw(t, "space") }
	if depth == 0 || rapid.IntRange(0, 4).Draw(t, "leaf") == 0 {
		return rapid.SampledFrom([]string{`"a"`, `"b"`, `"abc"`, `"abbc"`, `""`, `"é"`, `"\u00e9"`, `"a\nb"`, `"2026-01-31"`, `"2026-02-30"`, `"2026-02-11"`, `"a@b.c"`, `0`, `1`, `-1`, `1.0`, `1e0`, `10`, `11`,
			`12345678901234567890`, `0.5`, `true`, `false`, `null`, `{}`, `[]`, `01`, `-`, `"` + "\x01" + `"`, `"` + "\xff" + `"`, `"\ud800"`, `"long enough to be looked at eight bytes at a time"`}).Draw(t, "scalar")
	}
	n := rapid.IntRange(0, 3).Draw(t, "n")
	var b strings.Builder
	if rapid.Bool().Draw(t, "list") {
		b.WriteString("[" + sp())
		for i := range n {
			if i > 0 {
				b.WriteString("," + sp())
			}
			b.WriteString(document(t, depth-1) + sp())
		}
		return b.String() + "]"
	}
	b.WriteString("{" + sp())
	for i := range n {
		if i > 0 {
			b.WriteString(sp() + "," + sp())
		}
		name := rapid.SampledFrom([]string{"a", "b", "c", "z", `\u0061`, "ab"}).Draw(t, "name")
		b.WriteString(`"` + name + `"` + sp() + ":" + sp() + document(t, depth-1) + sp())
	}
	return b.String() + "}"
}

func TestGoodIsGood(t *testing.T) {
	found, goods := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		text := schema(t, 3)
		if strings.HasPrefix(text, "{") {
			text = `{"$defs":{"short":{"maxLength":2},"tree":{"type":"object","properties":{"a":{"$ref":"#/$defs/tree"},"b":{"type":"array","items":{"$ref":"#/$defs/tree"}}}}},` + text[1:]
		}
		s, err := compile(strings.Replace(text, ",}", "}", 1))
		if err != nil {
			t.Skip(err)
		}
		p := quick.Compile(s)
		if p == nil {
			return
		}
		found++
		for range 12 {
			doc := sample(t)
			if ok, _ := p.Good(doc); ok {
				goods++
			}
			if err := holds(p, s, doc); err != nil {
				t.Fatalf("%v\nschema %s", err, text)
			}
		}
	})
	t.Logf("%d schemas compiled, %d documents called good", found, goods)
	if found == 0 || goods == 0 {
		t.Errorf("of the schemas %d were compiled, and %d documents called good", found, goods)
	}
}

func sample(t *rapid.T) []byte {
	doc := []byte(document(t, 3))
	switch rapid.IntRange(0, 9).Draw(t, "break") {
	case 0: // cut short
		return doc[:rapid.IntRange(0, len(doc)).Draw(t, "at")]
	case 1: // a byte changed
		if len(doc) > 0 {
			doc[rapid.IntRange(0, len(doc)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
	}
	return doc
}

// What is plain and valid is called good, or there would be no gain.
func TestGoodIsFound(t *testing.T) {
	for schema, docs := range map[string][]string{
		`{"type":"object","properties":{"a":{"type":"string","format":"date"},"n":{"type":"integer","minimum":0}},"additionalProperties":false,"required":["a"]}`: {
			`{"a":"2026-01-31"}`, `{"n":17,"a":"2026-01-02"}`, `{ "a" : "2028-02-29" }`},
		`{"oneOf":[{"properties":{"k":{"const":"x"}},"required":["k"]},{"properties":{"k":{"const":"y"}},"required":["k"]}]}`: {`{"k":"y","more":[1,{"é":"ü"}]}`},
		`{"properties":{"k":{"uniqueItems":true}}}`: {`{"k":[1,2,3],"t":"with \"escapes\" \u00e9"}`},
	} {
		s, err := compile(schema)
		if err != nil {
			t.Fatal(err)
		}
		p := quick.Compile(s)
		for _, doc := range docs {
			if ok, _ := p.Good([]byte(doc)); !ok {
				t.Errorf("%s is not called good by %s", doc, schema)
			}
		}
	}
}

// Schemas whose meaning depends on the way to them, or on themselves, are left to the library.
func TestStrange(t *testing.T) {
	for _, text := range []string{
		`{"$dynamicAnchor":"x","properties":{"a":{"$dynamicRef":"#x"}}}`,
		`{"allOf":[{"$ref":"#"}]}`,
		`{"properties":{"a":{"anyOf":[{"$ref":"#/properties/a"},true]}}}`,
		`{"uniqueItems":true}`,
	} {
		s, err := compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if quick.Compile(s) != nil {
			t.Errorf("compiled: %s", text)
		}
	}
	s, err := compile(`{"allOf":[{"properties":{"a":{"$ref":"#"}}}]}`)
	if err != nil || quick.Compile(s) == nil {
		t.Error("a schema that refers to itself for another value is not compiled", err)
	}
}

func TestForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SampledFrom([]string{"a", "ab", "[a-c]", "[^a]", `\d`, "a*", "[b-d]+", "c?", "[ab]{1,2}", "d{2}", "x*?", "."})
		pattern := "^" + strings.Join(rapid.SliceOfN(part, 0, 4).Draw(t, "parts"), "") + "$"
		quoted, _ := json.Marshal(pattern)
		s, err := compile(fmt.Sprintf(`{"type":"object","properties":{"a":{"type":"string","pattern":%s}}}`, quoted))
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			text := rapid.StringOfN(rapid.SampledFrom([]rune("aabbccdd1xé")), 0, 6, -1).Draw(t, "text")
			doc := fmt.Appendf(nil, `{"a":%q}`, text)
			ok, _ := quick.Compile(s).Good(doc)
			v, err := rawjson.Decode(doc)
			if err != nil {
				t.Fatal(err)
			}
			if valid := s.Validate(v) == nil; ok != valid {
				t.Fatalf("%s on %s: quick says %v, the library %v", pattern, doc, ok, valid)
			}
		}
	})
}

// The JSON Schema Test Suite: what is called good there is what the suite calls valid.
func TestSuite(t *testing.T) {
	files, err := filepath.Glob("../../testdata/real/json-schema-test-suite/*/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("there is no suite", err)
	}
	valid, found := 0, 0
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var groups []struct {
			Description string
			Schema      json.RawMessage
			Tests       []struct {
				Description string
				Data        json.RawMessage
				Valid       bool
			}
		}
		if err := json.Unmarshal(b, &groups); err != nil {
			t.Fatal(file, err)
		}
		for _, g := range groups {
			draft := jsonschema.Draft2020
			if strings.Contains(file, "draft7") {
				draft = jsonschema.Draft7
			}
			s, err := compileAs(draft, string(g.Schema))
			if err != nil {
				continue // it refers to other addresses
			}
			p := quick.Compile(s)
			if p == nil {
				continue
			}
			for _, test := range g.Tests {
				if err := holds(p, s, test.Data); err != nil {
					t.Errorf("%s: %s: %s: %v", filepath.Base(file), g.Description, test.Description, err)
				}
				ok, _ := p.Good(test.Data)
				if ok && !test.Valid && filepath.Base(file) != "format.json" { // formats are asserted here
					t.Errorf("%s: %s: %s: called good", filepath.Base(file), g.Description, test.Description)
				}
				if test.Valid {
					valid++
				}
				if ok {
					found++
				}
			}
		}
	}
	t.Logf("of %d valid documents %d are called good", valid, found)
	if found*10 < valid*8 {
		t.Errorf("of %d valid documents only %d are called good", valid, found)
	}
}
