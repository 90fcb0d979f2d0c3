package rawjson_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

// scanned says whether ScanValue is right about a document.
func scanned(t interface{ Errorf(string, ...any) }, b []byte) (ok bool) {
	end, compact := rawjson.ScanValue(b, 0, 0)
	if end < 0 {
		return false
	}
	if _, err := rawjson.Decode(b[:end]); err != nil {
		t.Errorf("scanned, and not accepted: %q: %v", b[:end], err)
	}
	if compact != bytes.Equal(rawjson.AppendCompact(nil, b[:end]), b[:end]) {
		t.Errorf("compact is %v of %q", compact, b[:end])
	}
	if skipped := rawjson.SkipValue(b[:end], 0); skipped != end {
		t.Errorf("skipped to %d, not %d: %q", skipped, end, b)
	}
	return true
}

func TestScanSuite(t *testing.T) {
	files, err := filepath.Glob("../testdata/real/json-test-suite/*.json")
	if err != nil || len(files) == 0 {
		t.Fatal("there is no suite", err)
	}
	all, found := 0, 0
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.TrimSpace(b)
		_, err = rawjson.Decode(b)
		ok := scanned(t, b)
		if end, _ := rawjson.ScanValue(b, 0, 0); ok && end == len(b) && err != nil {
			t.Errorf("%s: scanned to its end, and not accepted", f)
		}
		if err == nil {
			all++
			if ok {
				found++
			}
		}
	}
	if t.Logf("of %d good documents %d are scanned", all, found); found*10 < all*7 {
		t.Errorf("of %d good documents only %d are scanned", all, found)
	}
}

func TestScan(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := value(t, 4)
		if rapid.Bool().Draw(t, "break") && len(doc) > 0 {
			doc[rapid.IntRange(0, len(doc)-1).Draw(t, "at")] = rapid.SampledFrom([]byte("\"\\{}[],: 0e.-\x01\x1f \xc3\xa9\xff")).Draw(t, "byte")
		}
		scanned(t, doc)
	})
}

// value draws JSON with texts of all lengths.
func value(t *rapid.T, depth int) []byte {
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 {
		kind %= 3
	}
	switch kind {
	case 0:
		b, err := json.Marshal(rapid.StringOfN(rapid.SampledFrom([]rune("abcdefghijklmnop    é€\U0001f600\"\\\n\u007f\u0080")), 0, 40, -1).Draw(t, "text"))
		if err != nil {
			t.Fatal(err)
		}
		return b
	case 1:
		b, _ := json.Marshal(rapid.Float64().Draw(t, "number"))
		return b
	case 2:
		return []byte(rapid.SampledFrom([]string{"true", "false", "null", "0", "-12", "3.50", "1E5", "\"\"", "[ ]", "{ }"}).Draw(t, "word"))
	}
	var b []byte
	n := rapid.IntRange(0, 4).Draw(t, "n")
	for i := range n {
		if i > 0 {
			b = append(b, rapid.SampledFrom([]string{",", ", ", " ,"}).Draw(t, "comma")...)
		}
		if kind > 3 {
			b = append(b, rapid.SampledFrom([]string{`"a":`, `"b" :`, `"c": `, `"d":`, `"\u0061":`}).Draw(t, "name")...)
		}
		b = append(b, value(t, depth-1)...)
	}
	if kind > 3 {
		return append(append([]byte{'{'}, b...), '}')
	}
	return append(append([]byte{'['}, b...), ']')
}

func TestFind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := value(t, 4)
		path := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 3).Draw(t, "path")
		v, err := rawjson.Decode(doc)
		if err != nil || bytes.Contains(doc, []byte(`\u0061":`)) {
			return
		}
		there := true
		for _, name := range path {
			m, _ := v.(map[string]any)
			if v, there = m[name]; !there {
				break
			}
		}
		found := rawjson.Find(doc, path)
		if there != (found != nil) {
			t.Fatalf("%v in %s: %q", path, doc, found)
		}
		if there {
			got, err := rawjson.Decode(found)
			want, _ := json.Marshal(v)
			if have, _ := json.Marshal(got); err != nil || !bytes.Equal(have, want) {
				t.Fatalf("%v in %s: %q", path, doc, found)
			}
		}
	})
}

func BenchmarkScanValue(b *testing.B) {
	doc := []byte(`{"id":"chg-000000001","person":{"name":{"given":"Ada","family":"Okafor"},"dateOfBirth":"1950-03-04"},"note":"` + string(bytes.Repeat([]byte("The tenancy was checked. "), 15)) + `","household":[{"age":9},{"age":10}]}`)
	b.SetBytes(int64(len(doc)))
	for b.Loop() {
		rawjson.ScanValue(doc, 0, 0)
	}
}
