package agreement

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

func term(fields ...string) *Term { return &Term{Fields: fields, root: fieldTree(fields)} }

func TestCut(t *testing.T) {
	for name, c := range map[string]struct {
		fields   []string
		in, want string
		dropped  []string
	}{
		"some":             {[]string{"/a", "/c"}, `{"a":1,"b":2,"c":{"d":[3]}}`, `{"a":1,"c":{"d":[3]}}`, []string{"b"}},
		"bare name":        {[]string{"a"}, `{"a":1,"b":2}`, `{"a":1}`, []string{"b"}},
		"everything":       {[]string{"/"}, `{"a":1}`, `{"a":1}`, nil},
		"nothing":          {[]string{"/z"}, `{"a":1,"b":[]}`, `{}`, []string{"a", "b"}},
		"through lists":    {[]string{"/n/f"}, `{"n":[{"f":1,"g":2},{"g":3},[{"f":4}],5]}`, `{"n":[{"f":1},[{"f":4}]]}`, nil},
		"nothing inside":   {[]string{"/n/f"}, `{"n":[{"g":3}],"m":1}`, `{}`, []string{"n", "m"}},
		"scalar on path":   {[]string{"/n/f"}, `{"n":"secret"}`, `{}`, []string{"n"}},
		"escaped key":      {[]string{"/name"}, `{"\u006eame":1,"x":2}`, `{"\u006eame":1}`, []string{"x"}},
		"pointer escapes":  {[]string{"/a~1b", "/c~0d"}, `{"a/b":1,"c~d":2,"a":3}`, `{"a/b":1,"c~d":2}`, []string{"a"}},
		"quotes in text":   {[]string{"/b"}, `{"a":"x\",\"b\":\"y","b":"\\","c":"\\\""}`, `{"b":"\\"}`, []string{"a", "c"}},
		"space":            {[]string{"/b"}, " { \"a\" : [ 1 , { } ] ,\r\n\t\"b\" : { \"x\" : 1 } } ", `{"b":{ "x" : 1 }}`, []string{"a"}},
		"parent and child": {[]string{"/a/b", "/a"}, `{"a":{"b":1,"c":2}}`, `{"a":{"b":1,"c":2}}`, nil},
		"odd names":        {[]string{"/b"}, `{"Jane Doe":1,"b":2,"":3}`, `{"b":2}`, []string{"(another field)", "(another field)"}},
		"same name below":  {[]string{"/a/b"}, `{"b":1,"a":{"a":{"b":2},"b":3}}`, `{"a":{"b":3}}`, []string{"b"}},
	} {
		got, dropped, err := term(c.fields...).Cut([]byte(c.in))
		if err != nil || string(got) != c.want || !reflect.DeepEqual(dropped, c.dropped) {
			t.Errorf("%s: got %s %q %v, want %s %q", name, got, dropped, err, c.want, c.dropped)
		}
	}
}

func TestCutRefuses(t *testing.T) {
	for _, in := range []string{
		``, `[]`, `1`, `{`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1}}`, `{"a":"`, `{"a":"\"}`, `{a:1}`, `{"b":}`, `{"b":[}`,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `{"\q":1}`, strings.Repeat(`{"n":`, 100_000), `{"n":` + strings.Repeat("[", 100_000),
	} {
		if got, _, err := term("/a", "/n/x").Cut([]byte(in)); err == nil {
			t.Errorf("%.40s: cut to %s", in, got)
		}
	}
}

// The scanner keeps what decoding and picking keeps, for any record and any fields.
func TestCutAsDecoded(t *testing.T) {
	names := rapid.SampledFrom([]string{"a", "b", "name", "é", "a/b", "~", "", "0", "\"", "\\", "\n", "😀"})
	var value func(depth int) *rapid.Generator[any]
	value = func(depth int) *rapid.Generator[any] {
		leaf := rapid.OneOf(rapid.String().AsAny(), rapid.Int().AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil), rapid.Just[any](`"},{"name":1`))
		if depth == 0 {
			return leaf
		}
		return rapid.OneOf(leaf, rapid.MapOfN(names, value(depth-1), 0, 4).AsAny(), rapid.SliceOfN(value(depth-1), 0, 3).AsAny())
	}
	rapid.Check(t, func(t *rapid.T) {
		rec := rapid.MapOfN(names, value(3), 0, 5).Draw(t, "record")
		b, err := json.Marshal(rec)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.Bool().Draw(t, "ascii") {
			b = asciiOnly(b)
		}
		if rapid.Bool().Draw(t, "indent") {
			var buf bytes.Buffer
			if err := json.Indent(&buf, b, " ", "\t"); err != nil {
				t.Fatal(err)
			}
			b = buf.Bytes()
		}
		var fields []string
		for _, toks := range rapid.SliceOfN(rapid.SliceOfN(names, 1, 3), 1, 12).Draw(t, "fields") {
			f := ""
			for _, tok := range toks {
				f += "/" + strings.ReplaceAll(strings.ReplaceAll(tok, "~", "~0"), "/", "~1")
			}
			if f != "/" {
				fields = append(fields, f)
			}
		}
		if len(fields) == 0 {
			return
		}
		cut, _, err := term(fields...).Cut(b)
		if err != nil {
			t.Fatalf("cut %q: %v", b, err)
		}
		got, err := rawjson.Decode(cut)
		if err != nil {
			t.Fatalf("cut %q gave %q: %v", b, cut, err)
		}
		whole, err := rawjson.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if want := pick(whole, fields); !reflect.DeepEqual(got, want) {
			t.Fatalf("cut %q by %q: got %s want %v", b, fields, cut, want)
		}
		again, err := term(fields...).AppendCut(nil, b)
		if err != nil || !bytes.Equal(again, cut) {
			t.Fatalf("AppendCut gave %s, %v", again, err)
		}
	})
}

// Whatever the bytes are, the scanner ends and does not panic; where it gives JSON
// from JSON, it is what decoding gives.
func TestCutHostile(t *testing.T) {
	lines, err := os.ReadFile("../testdata/real/fhir/patients.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	recs := bytes.Split(bytes.TrimSpace(lines), []byte("\n"))
	tm := term("/name/family", "/birthDate", "/deceasedDateTime", "/address/postalCode")
	rapid.Check(t, func(t *rapid.T) {
		b := bytes.Clone(recs[rapid.IntRange(0, len(recs)-1).Draw(t, "record")])
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			if len(b) == 0 {
				break
			}
			i := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				b[i] = rapid.SampledFrom([]byte("{}[]\",:\\ \x00\xff1au")).Draw(t, "byte")
			case 1:
				b = append(b[:i], b[i+1:]...)
			default:
				b = b[:i+1]
			}
		}
		cut, _, err := tm.Cut(b)
		whole, derr := rawjson.Decode(b)
		if _, object := whole.(map[string]any); derr != nil || !object {
			return
		}
		if err != nil {
			t.Fatalf("cannot cut good JSON: %v", err)
		}
		got, err := rawjson.Decode(cut)
		if err != nil {
			t.Fatalf("cut is not JSON: %v", err)
		}
		if want := pick(whole, tm.Fields); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v want %v", got, want)
		}
		if bytes.Contains(cut, []byte("us-ssn")) {
			t.Fatal("an identifier passed")
		}
	})
}

func pick(record any, fields []string) any {
	paths := make([][]string, len(fields))
	for i, f := range fields {
		paths[i] = contract.Tokens(f)
	}
	v, ok := pickValue(record, paths)
	if !ok {
		return map[string]any{}
	}
	return v
}

func pickValue(v any, paths [][]string) (any, bool) {
	for _, p := range paths {
		if len(p) == 0 {
			return v, true
		}
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, sub := range v {
			var rest [][]string
			for _, p := range paths {
				if p[0] == k {
					rest = append(rest, p[1:])
				}
			}
			if rest == nil {
				continue
			}
			if s, ok := pickValue(sub, rest); ok {
				out[k] = s
			}
		}
		return out, len(out) > 0
	case []any:
		out := []any{}
		for _, sub := range v {
			if s, ok := pickValue(sub, paths); ok {
				out = append(out, s)
			}
		}
		return out, len(out) > 0
	}
	return nil, false
}

func asciiOnly(b []byte) []byte {
	var out []byte
	for _, r := range string(b) {
		if r < 0x80 {
			out = append(out, byte(r))
			continue
		}
		if r > 0xffff {
			r -= 0x10000
			out = appendU(out, 0xd800+(r>>10))
			out = appendU(out, 0xdc00+(r&0x3ff))
			continue
		}
		out = appendU(out, r)
	}
	return out
}

func appendU(b []byte, r rune) []byte {
	const hex = "0123456789abcdef"
	return append(b, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
}

func BenchmarkCut(b *testing.B) {
	rec, err := os.ReadFile("../testdata/real/fhir/patient.json")
	if err != nil {
		b.Fatal(err)
	}
	rec = bytes.TrimSpace(rec)
	tm := term("/name/family", "/birthDate", "/deceasedDateTime", "/address/postalCode")
	var dst []byte
	b.SetBytes(int64(len(rec)))
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = tm.AppendCut(dst[:0], rec); err != nil {
			b.Fatal(err)
		}
	}
}
