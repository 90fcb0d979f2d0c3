package rawjson

import (
	"bytes"
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDecodeRefuses(t *testing.T) {
	for name, in := range map[string]string{
		"empty":          "",
		"cut off":        `{"a":1`,
		"trailing comma": `{"a":1,}`,
		"comma in list":  `[1,]`,
		"two values":     `{"a":1} {"b":2}`,
		"key twice":      `{"a":1,"a":1}`,
		"escaped twice":  `{"a":1,"\u0061":1}`,
		"bad utf-8":      "{\"a\":\"\xff\"}",
		"bad utf-8 esc":  "{\"a\":\"\\n\xff\"}",
		"bad utf-8 key":  "{\"\xc3\x28\":1}",
		"lone surrogate": `["\ud800"]`,
		"low surrogate":  `["\udc00\ud800"]`,
		"control":        "[\"a\nb\"]",
		"single quotes":  `{'a':1}`,
		"leading zero":   `[01]`,
		"plus":           `[+1]`,
		"dot":            `[1.]`,
		"exponent":       `[1e]`,
		"huge exponent":  `[1e999999999999999999999]`,
		"long number":    `[` + strings.Repeat("1", 200) + `]`,
		"NaN":            `[NaN]`,
		"bad escape":     `["\x41"]`,
		"short escape":   `["\u00"]`,
		"deep":           strings.Repeat("[", 100_000),
		"deep object":    strings.Repeat(`{"a":`, 100_000),
		"bom":            "\ufeff{}",
		"word":           `[tru]`,
	} {
		v, err := Decode([]byte(in))
		if err == nil {
			t.Errorf("%s: accepted as %v", name, v)
		} else if e, ok := err.(*Error); !ok || e.Message == "" || e.Offset < 0 || e.Offset > len(in) {
			t.Errorf("%s: error %#v", name, err)
		}
	}
}

// Whatever encoding/json writes is read back as encoding/json reads it.
func TestDecodeAsStandard(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b, err := json.Marshal(anyJSON(4).Draw(t, "v"))
		if err != nil {
			t.Skip()
		}
		if rapid.Bool().Draw(t, "indent") {
			var buf bytes.Buffer
			if err := json.Indent(&buf, b, "\r\n", "\t "); err != nil {
				t.Fatal(err)
			}
			b = buf.Bytes()
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		if want := standard(t, b); !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: got %v want %v", b, got, want)
		}
		small := AppendCompact(nil, b)
		var buf bytes.Buffer
		if err := json.Compact(&buf, b); err != nil || !bytes.Equal(small, buf.Bytes()) {
			t.Fatalf("compact %s: got %s", b, small)
		}
	})
}

// What Decode accepts, encoding/json accepts too, and means the same.
func TestDecodeMutated(t *testing.T) {
	seed := []byte(`{"a":[1,2.5e3,-0,"x\u00e9\ud83d\ude00\n"],"b":{"c":null,"d":[true,false,{}]},"é":""}`)
	rapid.Check(t, func(t *rapid.T) {
		b := bytes.Clone(seed)
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			if len(b) == 0 {
				break
			}
			i := rapid.IntRange(0, len(b)-1).Draw(t, "at")
			switch rapid.IntRange(0, 2).Draw(t, "how") {
			case 0:
				b[i] = rapid.Byte().Draw(t, "byte")
			case 1:
				b = append(b[:i], b[i+1:]...)
			default:
				b = b[:i+1]
			}
		}
		got, err := Decode(b)
		if err != nil {
			return
		}
		if want := standard(t, b); !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: got %v want %v", b, got, want)
		}
	})
}

func standard(t *rapid.T, b []byte) any {
	var v any
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("encoding/json refuses %q: %v", b, err)
	}
	return v
}

func anyJSON(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.String().AsAny(), rapid.Int().AsAny(), rapid.Float64().AsAny(), rapid.Bool().AsAny(), rapid.Just[any](nil))
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf,
		rapid.MapOfN(rapid.String(), anyJSON(depth-1), 0, 4).AsAny(),
		rapid.SliceOfN(anyJSON(depth-1), 0, 4).AsAny())
}

func BenchmarkDecode(b *testing.B) {
	rec, err := os.ReadFile("../testdata/real/fhir/patient.json")
	if err != nil {
		b.Skip(err)
	}
	b.SetBytes(int64(len(rec)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(rec); err != nil {
			b.Fatal(err)
		}
	}
}

// TestSuite is the parsing half of github.com/nst/JSONTestSuite: y_ must be read,
// n_ must not, i_ is up to the reader. We are stricter where two readers could
// understand the same bytes differently, and bounded.
func TestSuite(t *testing.T) {
	const dir = "../testdata/real/json-test-suite/"
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	stricter := map[string]bool{"y_object_duplicated_key.json": true, "y_object_duplicated_key_and_value.json": true}
	seen := 0
	for _, f := range files {
		b, err := os.ReadFile(dir + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		_, err = Decode(b)
		switch {
		case strings.HasPrefix(f.Name(), "y_") && (err != nil) != stricter[f.Name()]:
			t.Errorf("%s: %v", f.Name(), err)
		case strings.HasPrefix(f.Name(), "n_") && err == nil:
			t.Errorf("%s was read", f.Name())
		case strings.HasSuffix(f.Name(), ".json"):
			seen++
		}
	}
	if seen < 300 {
		t.Errorf("only %d files", seen)
	}
}
