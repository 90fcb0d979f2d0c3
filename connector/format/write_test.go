package format_test

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/xuri/excelize/v2"

	"github.com/reeve-civic/reeve/connector/format"
)

func write(t *testing.T, spec format.Spec, bodies ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := format.NewWriter(spec, &out)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bodies {
		if err := w.Write([]byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestWrite(t *testing.T) {
	no := false
	body := `{"a": "x;y", "b": {"c": 1.50, "d": [true, null]}, "n": null, "t": false}`
	columns := []string{"a", "/b/c", "/b/d", "/b/d/0", "n", "t", "gone"}
	for _, c := range []struct {
		spec format.Spec
		want string
	}{
		{format.Spec{}, "{\"a\":\"x;y\",\"b\":{\"c\":1.50,\"d\":[true,null]},\"n\":null,\"t\":false}\n"},
		{format.Spec{Name: "csv", Columns: columns}, "a,c,d,0,n,t,gone\nx;y,1.50,\"[true,null]\",true,,false,\n"},
		{format.Spec{Name: "csv", Columns: columns, Delimiter: ";", Headings: &no}, "\"x;y\";1.50;[true,null];true;;false;\n"},
		{format.Spec{Name: "xml", Record: "r"}, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<records>\n<r><a>x;y</a><b><c>1.50</c><d>true</d></b><t>false</t></r>\n</records>\n"},
	} {
		if got := string(write(t, c.spec, body)); got != c.want {
			t.Errorf("%+v wrote %q", c.spec, got)
		}
	}
	if got := write(t, format.Spec{Name: "csv", Columns: []string{"a"}, Encoding: "windows-1252"}, `{"a":"é€"}`); string(got) != "a\n\xe9\x80\n" {
		t.Errorf("windows-1252: %q", got)
	}
	if got := write(t, format.Spec{Name: "csv", Columns: []string{"a"}, Encoding: "utf-16"}, `{"a":"é"}`); string(got) != "\xff\xfea\x00\n\x00\xe9\x00\n\x00" {
		t.Errorf("utf-16: %q", got)
	}
	w, err := format.NewWriter(format.Spec{Name: "csv", Columns: []string{"a"}, Encoding: "iso-8859-1"}, io.Discard)
	if err == nil {
		err = w.Write([]byte(`{"a":"日本"}`))
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil || strings.Contains(err.Error(), "日") {
		t.Errorf("a character that the encoding does not have: %v", err)
	}
	for _, spec := range []format.Spec{csv(), xlsx, {Name: "xml", Record: "a b"}, {Name: "pdf"}, {Name: "xlsx", Columns: []string{"a"}, Sheet: "a/b"}} {
		if _, err := format.NewWriter(spec, io.Discard); err == nil {
			t.Errorf("%+v makes a writer", spec)
		}
	}
}

// TestRoundTrip writes records in every format, reads them again and finds them.
func TestRoundTrip(t *testing.T) {
	bodies := []string{`{"a":"x\"y\nz, é ü","n":12,"t":true}`, `{"a":" <&> ","n":-0.5}`, `{"a":"=1+1"}`, `{"resourceType":"Patient","a":"1"}`}
	types := func(p string) []string {
		return map[string][]string{"/n": {"number"}, "/t": {"boolean"}}[p]
	}
	for _, spec := range []format.Spec{{}, {Name: "ndjson"}, {Name: "xml"}, {Name: "xlsx"}, {Name: "csv"}, {Name: "csv", Delimiter: "tab", Encoding: "utf-16"}} {
		spec.Types = types
		in := bodies[:3]
		if spec.Name == "csv" {
			in = bodies[:2] // a formula does not come back as it was
		}
		if spec.Name == "csv" || spec.Name == "xlsx" {
			spec.Columns = []string{"a", "n", "t"}
		}
		out := write(t, spec, in...)
		rd, err := format.NewReader(spec, bytes.NewReader(out), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range in {
			row, err := rd.Next()
			if spec.Name == "xml" {
				want = strings.ReplaceAll(want, `" <&> "`, `"<&>"`)
			}
			if err != nil || string(row.Body) != want {
				t.Errorf("%s: %s %s %v, want %s", spec.Name, row.Body, row.Problem, err, want)
			}
		}
		if _, err := rd.Next(); err != io.EOF {
			t.Errorf("%s ends with %v", spec.Name, err)
		}
		_ = rd.Close()
		if again := write(t, spec, in...); !bytes.Equal(out, again) {
			t.Errorf("%s: the same records made other bytes", spec.Name)
		}
	}
}

// TestNoFormulas is promise 19: nothing that is written begins as a formula does.
func TestNoFormulas(t *testing.T) {
	for text, want := range map[string]string{
		"=cmd|' /C calc'!A0": "'=cmd|' /C calc'!A0", "@SUM(A1)": "'@SUM(A1)", "+1+2": "'+1+2", "-1-2": "'-1-2", " =1": "' =1",
		"\t=1": "'\t=1", "\r=1": "'\r=1", "＝1": "'＝1", "-a": "'-a", "+": "'+", "-": "'-", "+44 7700 +1": "'+44 7700 +1", "+-1": "'+-1",
		"-12.50": "-12.50", "+44 7700 900123": "+44 7700 900123", "+5": "+5", "a=b": "a=b", "-1e5": "-1e5",
	} {
		body := `{"a":` + quoted(text) + `}`
		out := write(t, csv("a"), body)
		if got := show(t, csv(), bytes.NewReader(out)); got != "1 line 2: {\"a\":"+quoted(want)+"}\n" {
			t.Errorf("%q: %s", text, got)
		}
		if out := string(write(t, csv("a", "/x/=b"), `{}`)); out != "a,'=b\n,\n" {
			t.Errorf("headings: %q", out)
		}
		out = write(t, format.Spec{Name: "xlsx", Columns: []string{"a", "=b"}}, body)
		f, err := excelize.OpenReader(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := f.GetCellValue("Records", "A2"); err != nil || strings.ReplaceAll(got, "\r", "") != strings.ReplaceAll(text, "\r", "") {
			t.Errorf("a workbook holds %q for %q, %v", got, text, err)
		}
		for _, cell := range []string{"A1", "B1", "A2"} {
			if formula, _ := f.GetCellFormula("Records", cell); formula != "" {
				t.Errorf("%s holds a formula", cell)
			}
		}
		_ = f.Close()
		z, err := zip.NewReader(bytes.NewReader(out), int64(len(out)))
		if err != nil {
			t.Fatal(err)
		}
		sheet, err := z.Open("xl/worksheets/sheet1.xml")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(sheet); err != nil || bytes.Contains(b, []byte("<f")) {
			t.Errorf("%s %v", b, err)
		}
	}
}

func quoted(s string) string {
	return `"` + strings.NewReplacer("\t", `\t`, "\r", `\r`, `"`, `\"`).Replace(s) + `"`
}

func TestGuess(t *testing.T) {
	for _, c := range []struct{ name, head, want string }{
		{"a.csv", "a;b\n1;2\n", "csv ; "}, {"a.csv", "a,b\n1,caf\xe9\n", "csv  windows-1252"}, {"a.txt", "a\tb\n", "csv tab "},
		{"a.csv", "\xff\xfea\x00", "csv  "}, {"a.csv", "a\x00,\x00b\x00", "csv  utf-16"}, {"a.json", " [{", "json  "}, {"a.ndjson", "{}", "ndjson  "}, {"a.jsonl", "{}", "ndjson  "},
		{"a", "{\"resourceType\": \"Bundle\"", "fhir  "}, {"a.xml", "\xef\xbb\xbf<?xml", "xml  "}, {"a", "PK\x03\x04", "xlsx  "}, {"a.csv", "", "csv  "}, {"a", "", "json  "}, {"a.csv", "<x>,b", "csv  "},
	} {
		s := format.Guess(c.name, []byte(c.head))
		if got := s.Name + " " + s.Delimiter + " " + s.Encoding; got != c.want {
			t.Errorf("Guess(%q, %q) = %q, want %q", c.name, c.head, got, c.want)
		}
	}
}
