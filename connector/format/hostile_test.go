package format_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector/format"
)

// canary is a value of the seeds that no error may repeat.
const canary = "Eleanor-of-the-canaries"

const malformed = 10_000

// TestMalformed is promise 16: whatever is wrong with an input, reading it ends, with
// rows in order, problems that repeat no value, and bodies that are JSON.
func TestMalformed(t *testing.T) {
	workbook := book(t, map[string][][]any{"S": {{"name", "n"}, {canary, 1}, {"b", true}, {canary, 2.5}}})
	bundle := `{"resourceType":"Bundle","entry":[{"fullUrl":"urn:uuid:0a","resource":{"resourceType":"Patient","name":"` + canary + `"}},` +
		`{"resource":{"resourceType":"Observation","subject":{"reference":"urn:uuid:0a"}}}]}`
	for name, seed := range map[string]struct {
		spec format.Spec
		in   string
	}{
		"list":     {format.Spec{}, `[{"a":"` + canary + `"},{"b":[1,{"c":"\"]}"}]},{"d":null}]`},
		"ndjson":   {format.Spec{Name: "ndjson"}, `{"a":"` + canary + "\"}\n{\"b\":1}\r\n\n{\"c\":[]}\n"},
		"values":   {format.Spec{}, "{\n\"a\":\"" + canary + "\"}\n{\n\"b\":1}"},
		"recordAt": {format.Spec{Record: "/x/y"}, `{"w":[{"y":1}],"x":{"v":"}","y":[{"a":"` + canary + `"},{"b":1}]},"z":{}}`},
		"csv":      {csv(), "name;n;/x/y\r\n" + canary + ";1;\r\n\"a \"\"b\"\"\nc\";2;\"" + canary + "\"\r\n"},
		"utf-16":   {csv(), "\xff\xfen\x00,\x00m\x00\n\x001\x00,\x002\x00\n\x00"},
		"xml":      {format.Spec{Name: "xml"}, `<?xml version="1.0" encoding="windows-1252"?><r><p id="1"><n>` + canary + `</n><c/><c>x &lt; y</c></p><!-- x --><p><![CDATA[` + canary + `]]></p></r>`},
		"element":  {format.Spec{Name: "xml", Record: "p"}, `<r><q><p a="` + canary + `"/></q><p>` + canary + `</p></r>`},
		"fhir":     {fhir, bundle},
		"xlsx":     {xlsx, string(workbook)},
		"sheet": {xlsx, string(sheetOf(t, `<worksheet><sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>a</t></is></c></row><row r="2"><c r="A2" t="s"><v>0</v></c><c t="n"><v>1</v></c></row></sheetData></worksheet>`,
			`<sst><si><t>`+canary+`</t></si></sst>`))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := rand.New(rand.NewPCG(7, 16))
			scratch := t.TempDir()
			n := malformed
			if testing.Short() {
				n /= 10
			}
			for range n {
				in := []byte(seed.in)
				if seed.spec.Name == "xlsx" && r.IntN(2) == 0 {
					in = inside(t, r, in)
				} else {
					in = mutated(r, in)
				}
				through(t, seed.spec, in, scratch)
			}
			if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
				t.Errorf("%d files are left behind, %v", len(left), err)
			}
		})
	}
}

// through reads an input to its end and holds the reader to what it promises.
func through(t *testing.T, spec format.Spec, in []byte, scratch string) {
	t.Helper()
	told := func(s string) {
		if strings.Contains(s, canary) {
			t.Errorf("%q says a value: %s", in, s)
		}
	}
	rd, err := format.NewReader(spec, bytes.NewReader(in), scratch)
	if err != nil {
		told(err.Error())
		return
	}
	defer rd.Close()
	for n := int64(1); ; n++ {
		row, err := rd.Next()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			var e *format.Error
			if told(err.Error()); !errors.As(err, &e) {
				t.Errorf("%q ends with %T: %v", in, err, err)
			}
			if _, again := rd.Next(); again == nil {
				t.Errorf("%q goes on after an error", in)
			}
			return
		}
		told(row.Problem)
		switch isText := spec.Name == "csv" || spec.Name == "xml" || spec.Name == "xlsx"; {
		case row.Number != n || row.At == "":
			t.Errorf("%q: row %d at %q is told as %d", in, n, row.At, row.Number)
		case (row.Problem == "") != (row.Body != nil):
			t.Errorf("%q: row %d has a body and a problem, or neither", in, n)
		case row.Body != nil && isText && !json.Valid(row.Body):
			t.Errorf("%q: %q is not JSON", in, row.Body)
		case row.Body != nil && row.Body[0] != '{':
			t.Errorf("%q: %q is no object", in, row.Body)
		}
	}
}

var pieces = []string{"\"", "{", "}", "[", "]", ",", ":", ";", "\n", "\r", "\\", "\x00", "\xff", "\xef\xbb\xbf", "<", ">", "</", "&a;", "<!DOCTYPE a [", "]]>", "'", "=", "\\u", "\\ud800", "1e999", "-", "PK\x01\x02", "\xff\xfe", "<r>", "/"}

// mutated breaks an input in a few places.
func mutated(r *rand.Rand, in []byte) []byte {
	in = bytes.Clone(in)
	for range 1 + r.IntN(4) {
		if len(in) == 0 {
			break
		}
		at := r.IntN(len(in))
		switch r.IntN(6) {
		case 0:
			in[at] ^= 1 << r.IntN(8)
		case 1:
			in = append(in[:at:at], append([]byte(pieces[r.IntN(len(pieces))]), in[at:]...)...)
		case 2:
			in = in[:at]
		case 3:
			to := min(len(in), at+1+r.IntN(8))
			in = append(in[:at:at], in[to:]...)
		case 4:
			to := min(len(in), at+r.IntN(40))
			in = append(in[:to:to], append(bytes.Repeat(in[at:to], 1+r.IntN(5)), in[to:]...)...)
		case 5:
			in[at] = byte(r.IntN(256))
		}
	}
	return in
}

// inside breaks a part of a workbook and packs it again.
func inside(t *testing.T, r *rand.Rand, in []byte) []byte {
	z, err := zip.NewReader(bytes.NewReader(in), int64(len(in)))
	if err != nil {
		t.Fatal(err)
	}
	var parts []string
	broken := r.IntN(len(z.File))
	for i, f := range z.File {
		if i != broken && (strings.Contains(f.Name, "theme") || strings.Contains(f.Name, "docProps")) {
			continue
		}
		rd, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(rd)
		if err != nil {
			t.Fatal(err)
		}
		if i == broken {
			b = mutated(r, b)
		}
		parts = append(parts, f.Name, string(b))
	}
	return packed(t, zip.Store, parts...)
}

// endless is an input without an end, of which a bounded part is read.
type endless struct {
	head, part string
	left       int
	rest       []byte
}

func (e *endless) Read(b []byte) (int, error) {
	if e.rest == nil {
		e.rest = []byte(e.head)
	}
	if len(e.rest) == 0 {
		if e.left <= 0 {
			return 0, io.EOF
		}
		e.rest = []byte(strings.Repeat(e.part, max(1, 64<<10/len(e.part))))
	}
	n := copy(b, e.rest)
	e.rest = e.rest[n:]
	e.left -= n
	return n, nil
}

// TestFlat reads large inputs, good and bad, within the memory of a few records.
func TestFlat(t *testing.T) {
	const size = 12 << 20
	for name, c := range map[string]struct {
		spec format.Spec
		in   *endless
	}{
		"csv":              {csv(), &endless{head: "a,b\n", part: "1,2\n"}},
		"one cell":         {csv(), &endless{head: "a,b\n", part: "x"}},
		"open mark":        {csv(), &endless{head: "a,b\n\"", part: "x\n"}},
		"cells":            {csv(), &endless{head: "a,b\n", part: ","}},
		"headings":         {csv(), &endless{part: "a,"}},
		"ndjson":           {format.Spec{}, &endless{part: "{\"a\":1}\n"}},
		"one line":         {format.Spec{}, &endless{head: "{", part: "\"a\":1,"}},
		"list":             {format.Spec{}, &endless{head: "[{}", part: ",{\"a\":1}"}},
		"deep":             {format.Spec{}, &endless{head: "[", part: "{\"a\":["}},
		"one text":         {format.Spec{}, &endless{head: "[{\"a\":\"", part: "x"}},
		"before recordAt":  {format.Spec{Record: "/x"}, &endless{head: "{\"a\":\"", part: "x"}},
		"after recordAt":   {format.Spec{Record: "/x"}, &endless{head: "{\"x\":[{}],\"y\":[1", part: ",[]"}},
		"space":            {format.Spec{}, &endless{part: " \n"}},
		"xml":              {format.Spec{Name: "xml"}, &endless{head: "<r>", part: "<p><a>1</a></p>"}},
		"one element":      {format.Spec{Name: "xml"}, &endless{head: "<r><p>", part: "<a>1</a>"}},
		"fields of a root": {format.Spec{Name: "xml"}, &endless{head: "<r>", part: "<a>1</a>"}},
		"one xml text":     {format.Spec{Name: "xml"}, &endless{head: "<r><p>", part: "x"}},
		"comment":          {format.Spec{Name: "xml"}, &endless{head: "<r><!--", part: "x"}},
		"attributes":       {format.Spec{Name: "xml"}, &endless{head: "<r><p", part: " a='1'"}},
		"bundle":           {fhir, &endless{head: "{\"resourceType\":\"Bundle\",\"entry\":[{}", part: ",{\"resource\":{\"resourceType\":\"Patient\",\"name\":\"" + strings.Repeat("x", 2000) + "\"}}"}},
		"not zip":          {xlsx, &endless{head: "PK\x03\x04", part: strings.Repeat("x", 1000)}},
	} {
		t.Run(name, func(t *testing.T) {
			c.in.left = size
			rd, err := format.NewReader(c.spec, c.in, t.TempDir())
			if err != nil {
				return
			}
			defer rd.Close()
			var m runtime.MemStats
			for n := 0; ; n++ {
				_, err := rd.Next()
				if n%100_000 == 0 || err != nil {
					runtime.GC()
					if runtime.ReadMemStats(&m); m.HeapAlloc > 48<<20 {
						t.Fatalf("%d MB are in use after %d rows", m.HeapAlloc>>20, n)
					}
				}
				if err != nil {
					return
				}
			}
		})
	}
}
