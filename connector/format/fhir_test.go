package format_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector/format"
)

var fhir = format.Spec{Name: "fhir"}

func TestFHIR(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{"resourceType":"Bundle","type":"transaction","entry":[
			{"fullUrl":"urn:uuid:0a","resource":{"resourceType":"Observation","id":"o","subject":{"reference": "urn:uuid:0b"},"focus":[{"reference":"#x"}],"note":"urn:uuid:0b"}},
			{"fullUrl":"urn:uuid:0b","resource":{"resourceType":"Patient"}},
			{"request":{"method":"DELETE","url":"Patient/1"}},
			{"resource":{"id":"1"}},
			{"fullUrl":"https://pas.example/fhir/Patient/9","resource":{"resourceType":"Patient","id":"9","link":[{"other":{"reference":"https://pas.example/fhir/Patient/9"}}]}}],"total":5}`,
			"1 entry 1: {\"resourceType\":\"Observation\",\"id\":\"o\",\"subject\":{\"reference\": \"Patient/0b\"},\"focus\":[{\"reference\":\"#x\"}],\"note\":\"urn:uuid:0b\"}\n" +
				"2 entry 2: {\"id\":\"0b\",\"resourceType\":\"Patient\"}\n3 entry 3: (/resource) the entry holds no resource\n" +
				"4 entry 4: (/resource/resourceType) the resource does not say what it is\n" +
				"5 entry 5: {\"resourceType\":\"Patient\",\"id\":\"9\",\"link\":[{\"other\":{\"reference\":\"Patient/9\"}}]}\n"},
		{`{"entry":[],"resourceType":"Bundle"}`, ""},
		{`{"resourceType":"Bundle","type":"searchset","total":0}`, ""},
		{`{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Patient"}}`, "1 entry 1: {\"resourceType\":\"Patient\"}\nerror: line 1: the list has no end: a closing bracket is missing\n"},
		{"{\"resourceType\":\"Patient\",\"id\":\"1\"}\n{\"resourceType\":\"Patient\",\"id\":\"2\"}\n", "1 line 1: {\"resourceType\":\"Patient\",\"id\":\"1\"}\n2 line 2: {\"resourceType\":\"Patient\",\"id\":\"2\"}\n"},
		{`<Bundle xmlns="http://hl7.org/fhir"/>`, "error: FHIR in XML is not read: ask for JSON\n"},
		{``, ""},
	} {
		check(t, fhir, c.in, c.want)
	}
}

// TestFHIRReal reads a Bundle as a hospital sends it: every resource comes out, and
// every reference among them leads to one of them.
func TestFHIRReal(t *testing.T) {
	b, err := os.ReadFile("testdata/real/fhir/bundle.json")
	if err != nil {
		t.Fatal(err)
	}
	var bundle struct {
		Entry []struct{ Resource json.RawMessage }
	}
	if err := json.Unmarshal(b, &bundle); err != nil {
		t.Fatal(err)
	}
	// Larger than what is kept in memory, so that the disk is used too.
	for _, in := range [][]byte{b, append(bytes.Repeat([]byte(" "), 5<<20), b...)} {
		rd, err := format.NewReader(fhir, bytes.NewReader(in), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		ids, refs, n := map[string]bool{}, []string{}, 0
		for {
			row, err := rd.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || row.Problem != "" {
				t.Fatal(err, row.Problem)
			}
			var r struct{ ResourceType, ID string }
			if err := json.Unmarshal(row.Body, &r); err != nil {
				t.Fatal(err)
			}
			ids[r.ResourceType+"/"+r.ID] = true
			for _, m := range regexp.MustCompile(`"reference"\s*:\s*"([^"#?]+)"`).FindAllSubmatch(row.Body, -1) {
				refs = append(refs, string(m[1]))
			}
			n++
		}
		if err := rd.Close(); err != nil {
			t.Error(err)
		}
		if n != len(bundle.Entry) || n == 0 || len(refs) == 0 {
			t.Fatalf("%d resources with %d references of %d entries", n, len(refs), len(bundle.Entry))
		}
		for _, ref := range refs {
			if !ids[ref] {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		t.Logf("%d resources, %d references", n, len(refs))
	}
}

func TestFHIRWrite(t *testing.T) {
	var out bytes.Buffer
	w, err := format.NewWriter(fhir, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{`{"resourceType":"Patient","id":"1"}`, `{"resourceType":"Patient","id":"2"}`} {
		if err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Write([]byte(`{"a":1}`)); err == nil {
		t.Error("what is no resource was written")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if got := show(t, fhir, &out); strings.Count(got, "Patient") != 2 || strings.Contains(got, "error") {
		t.Error(got)
	}
}

// What a Bundle says of where its resources are does not fill the memory.
func TestLongAddressesInABundle(t *testing.T) {
	const entries = 120
	long := strings.Repeat("x", 900<<10)
	in := io.MultiReader(strings.NewReader(`{"resourceType":"Bundle","entry":[`), &repeated{n: entries, what: func(i int) string {
		comma := ","
		if i == 0 {
			comma = ""
		}
		return fmt.Sprintf(`%s{"fullUrl":"http://a/%d%s","resource":{"resourceType":"Patient","id":"%d"}}`, comma, i, long, i)
	}}, strings.NewReader(`]}`))
	r, err := format.NewReader(fhir, in, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapAlloc > 40<<20 {
		t.Errorf("%d MB are kept", m.HeapAlloc>>20)
	}
	n := 0
	for ; ; n++ {
		if _, err := r.Next(); err != nil {
			break
		}
	}
	if n != entries {
		t.Errorf("%d entries", n)
	}
}

// repeated is a text that is made while it is read.
type repeated struct {
	n, i int
	what func(i int) string
	left string
}

func (r *repeated) Read(b []byte) (int, error) {
	if r.left == "" {
		if r.i == r.n {
			return 0, io.EOF
		}
		r.left = r.what(r.i)
		r.i++
	}
	n := copy(b, r.left)
	r.left = r.left[n:]
	return n, nil
}
