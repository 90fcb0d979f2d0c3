package format_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/reeve-civic/reeve/connector/format"
)

// show reads everything: a line for each row, and the error at the end.
func show(t *testing.T, spec format.Spec, r io.Reader) string {
	t.Helper()
	rd, err := format.NewReader(spec, r, t.TempDir())
	if err != nil {
		return "error: " + err.Error() + "\n"
	}
	var out strings.Builder
	for {
		row, err := rd.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			fmt.Fprintf(&out, "error: %v\n", err)
			break
		}
		fmt.Fprintf(&out, "%d %s: ", row.Number, row.At)
		if row.Problem != "" {
			if row.Field != "" {
				fmt.Fprintf(&out, "(%s) ", row.Field)
			}
			fmt.Fprintf(&out, "%s\n", row.Problem)
			if row.Body != nil {
				t.Error("a row with a problem has a body")
			}
			continue
		}
		fmt.Fprintf(&out, "%s\n", row.Body)
	}
	if err := rd.Close(); err != nil {
		t.Error("Close:", err)
	}
	return out.String()
}

// check reads an input whole and byte by byte, which must give the same.
func check(t *testing.T, spec format.Spec, in, want string) {
	t.Helper()
	want = strings.TrimPrefix(want, "\n")
	if got := show(t, spec, strings.NewReader(in)); got != want {
		t.Errorf("%q read as %+v:\n%s\nwant:\n%s", in, spec, got, want)
	}
	if got := show(t, spec, iotest.OneByteReader(strings.NewReader(in))); got != want {
		t.Errorf("%q read byte by byte as %+v:\n%s\nwant:\n%s", in, spec, got, want)
	}
}

func csv(columns ...string) format.Spec { return format.Spec{Name: "csv", Columns: columns} }

func TestCSV(t *testing.T) {
	no := false
	types := func(p string) []string {
		return map[string][]string{"/n": {"integer", "null"}, "/b": {"boolean"}, "/s": {"string", "integer"}, "/l": {"array"}}[p]
	}
	for _, c := range []struct {
		spec     format.Spec
		in, want string
	}{
		{csv(), "a,b\n1,2\n", "1 line 2: {\"a\":\"1\",\"b\":\"2\"}\n"},
		{csv(), "\xef\xbb\xbfa;b\r\n1;2\r\n", "1 line 2: {\"a\":\"1\",\"b\":\"2\"}\n"},
		{csv(), "a\tb\n1\t2", "1 line 2: {\"a\":\"1\",\"b\":\"2\"}\n"},
		{csv(), "sep=|\na|b\n1|2", "1 line 3: {\"a\":\"1\",\"b\":\"2\"}\n"},
		{csv(), "a,b\r1,2\r3,4", "1 line 2: {\"a\":\"1\",\"b\":\"2\"}\n2 line 3: {\"a\":\"3\",\"b\":\"4\"}\n"},
		{csv(), "a,b\n\"x\n\"\"y\"\"\",2\n3,\n", "1 line 2: {\"a\":\"x\\n\\\"y\\\"\",\"b\":\"2\"}\n2 line 4: {\"a\":\"3\"}\n"},
		{csv(), "a,b\n1,5\" pipe\n", "1 line 2: {\"a\":\"1\",\"b\":\"5\\\" pipe\"}\n"},
		{csv(), "a,b\n\n,\n1,2,,\n", "1 line 4: {\"a\":\"1\",\"b\":\"2\"}\n"},
		{csv(), "", ""},
		{csv(), "a,b", ""},
		// Rows that cannot be read are told; those after them are read.
		{csv(), "a,b\n1\n1,2,3\n4,5\n", "1 line 2: the row has 1 cell where there are 2 columns\n2 line 3: the row has 3 cells where there are 2 columns\n3 line 4: {\"a\":\"4\",\"b\":\"5\"}\n"},
		{csv(), "a,b\n1,\"2\n3,4\n", "1 line 2: (b) a quotation mark opens and does not close\n2 line 3: {\"a\":\"3\",\"b\":\"4\"}\n"},
		{csv(), "a,b\n1,\"2\"x\n3,4\n", "1 line 2: (b) a quotation mark is out of place: one inside a text is written twice\n2 line 3: {\"a\":\"3\",\"b\":\"4\"}\n"},
		{csv(), "a,b\n1,caf\xe9\n3,4\n", "1 line 2: (b) the text is not UTF-8: say which encoding the file has (windows-1252, for example)\n2 line 3: {\"a\":\"3\",\"b\":\"4\"}\n"},
		{format.Spec{Name: "csv", Encoding: "windows-1252"}, "a,b\n1,caf\xe9 \x80\n\x81,4\n", "1 line 2: {\"a\":\"1\",\"b\":\"café €\"}\n2 line 3: (a) a character is not one of the file's encoding\n"},
		{format.Spec{Name: "csv", Encoding: "utf-16"}, "a\x00,\x00b\x00\n\x001\x00,\x00\xe9\x00\n\x00", "1 line 2: {\"a\":\"1\",\"b\":\"é\"}\n"},
		{csv(), "\xfe\xff\x00a\x00,\x00b\x00\n\x001\x00,\x002", "1 line 2: {\"a\":\"1\",\"b\":\"2\"}\n"},
		{csv(), "a\x00,\x00b\x00\n\x00", "error: line 1: this is not a text file in the encoding that is expected: it holds bytes of zero\n"},
		// Headings.
		{csv(), "note,note,,note\n1,2,3,4\n", "1 line 2: {\"note\":\"1\",\"note (2)\":\"2\",\"Column 3\":\"3\",\"note (3)\":\"4\"}\n"},
		{csv("x", "", "/y/z", "/y/w"), "a,b,c,d\n1,2,3,4\n1,2,,\n", "1 line 2: {\"x\":\"1\",\"y\":{\"z\":\"3\",\"w\":\"4\"}}\n2 line 3: {\"x\":\"1\"}\n"},
		{csv(), "/y/z,/y\n1,2\n", "error: line 1: the column \"/y\" cannot be put beside the others: two columns are for /y\n"},
		{format.Spec{Name: "csv", Headings: &no, Columns: []string{"a", "b"}}, "1,2\n", "1 line 1: {\"a\":\"1\",\"b\":\"2\"}\n"},
		{format.Spec{Name: "csv", Headings: &no}, "1,2\n", "error: a file without headings needs columns: the fields, in the order of the columns\n"},
		// Types.
		{format.Spec{Name: "csv", Types: types}, "n,b,s,l,t\n 12 ,Yes,7,\"[1,2]\",9\n007,maybe,x,[,y\n", "1 line 2: {\"n\":12,\"b\":true,\"s\":\"7\",\"l\":[1,2],\"t\":\"9\"}\n2 line 3: {\"n\":\"007\",\"b\":\"maybe\",\"s\":\"x\",\"l\":\"[\",\"t\":\"y\"}\n"},
		{format.Spec{Name: "csv", Delimiter: ";;"}, "a", "error: the delimiter is one character, such as ; or |, or the word tab\n"},
		{format.Spec{Name: "csv", Encoding: "ebcdic"}, "a", "error: the encoding is not known: it is utf-8, windows-1252, iso-8859-1 or utf-16\n"},
	} {
		check(t, c.spec, c.in, c.want)
	}
}

func TestCSVBounds(t *testing.T) {
	long := strings.Repeat("x", format.MaxRecord+1)
	got := show(t, csv(), strings.NewReader("a,b\n"+long+",1\n2,3\n\""+long+"\n4,5\n"))
	want := "1 line 2: the record is larger than 1 MiB\n2 line 3: {\"a\":\"2\",\"b\":\"3\"}\n3 line 4: (a) a quotation mark opens and does not close\n4 line 5: {\"a\":\"4\",\"b\":\"5\"}\n"
	if got != want {
		t.Errorf("got %.600s", got)
	}
	// Every line opens a text that never ends: given up, not looked at for ever.
	got = show(t, csv(), strings.NewReader("a,b\n"+strings.Repeat("a\",\",x\n", 1_000_000)))
	if !strings.HasSuffix(got, "too many quotation marks open and never close: this is not CSV that can be read\n") {
		t.Errorf("ends %q", got[max(0, len(got)-200):])
	}
	broken := errors.New("cable")
	if got := show(t, csv(), io.MultiReader(strings.NewReader("a,b\n1,2\n"), iotest.ErrReader(broken))); !strings.Contains(got, "cable") {
		t.Errorf("a broken input: %s", got)
	}
}

func BenchmarkCSV(b *testing.B) {
	var in bytes.Buffer
	in.WriteString("id,surname,forename,dob,street,town,postcode,band,amount,note\n")
	for i := range 20_000 {
		fmt.Fprintf(&in, "%d,Smith,Jane,1970-01-02,%d High Street,Ashcombe,AB1 2CD,D,%d.50,\"left, and came back\"\n", i, i%100, i%1000)
	}
	b.SetBytes(int64(in.Len()))
	b.ReportAllocs()
	rows := 0
	for b.Loop() {
		rd, err := format.NewReader(csv(), bytes.NewReader(in.Bytes()), "")
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := rd.Next(); err != nil {
				break
			}
			rows++
		}
	}
	b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
}

// TestSpectrum reads csv-spectrum. It differs in one thing: an empty cell is no field
// of a record, where the suite has an empty text.
func TestSpectrum(t *testing.T) {
	const dir = "testdata/real/csv-spectrum/"
	files, err := filepath.Glob(dir + "csvs/*.csv")
	if err != nil || len(files) < 12 {
		t.Fatal("the suite is not there", err)
	}
	for _, name := range files {
		name := strings.TrimSuffix(filepath.Base(name), ".csv")
		in, err := os.ReadFile(dir + "csvs/" + name + ".csv")
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(dir + "json/" + name + ".json")
		if err != nil {
			t.Fatal(err)
		}
		var want []map[string]any
		if b = bytes.TrimSpace(b); b[0] == '{' { // one record
			b = append(append([]byte("["), b...), ']')
		}
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		rd, err := format.NewReader(csv(), bytes.NewReader(in), "")
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			for k, v := range w {
				if v == "" {
					delete(w, k)
				}
			}
			var got map[string]any
			row, err := rd.Next()
			if w["Contact Phone Number"] != nil { // the suite itself has two
				row.Body = bytes.Replace(row.Body, []byte("2095257564"), []byte("1234567890"), 1)
			}
			if err != nil || json.Unmarshal(row.Body, &got) != nil || !reflect.DeepEqual(got, w) {
				t.Errorf("%s: %s %s %v, want %v", name, row.Body, row.Problem, err, w)
			}
		}
		if _, err := rd.Next(); err != io.EOF {
			t.Errorf("%s goes on: %v", name, err)
		}
	}
}

// TestPublished reads files as public bodies publish them.
func TestPublished(t *testing.T) {
	const real = "../../internal/estate/importer/testdata/real/"
	for name, want := range map[string]struct{ rows, bad int }{
		"councils/uk_local_authorities_current.csv": {470, 0}, "services/lgsl_lgil_links.csv": {0, -1}, "apis/catalogue.csv": {-1, 0},
	} {
		f, err := os.Open(real + name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rd, err := format.NewReader(csv(), f, "")
		if err != nil {
			t.Fatal(err)
		}
		good, bad := 0, 0
		for {
			row, err := rd.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(name, err)
			}
			if row.Problem != "" {
				bad++
			} else {
				good++
			}
		}
		t.Logf("%s: %d rows, %d cannot be read", name, good, bad)
		if want.rows >= 0 && good != want.rows || want.bad >= 0 && bad != want.bad || good+bad == 0 {
			t.Errorf("%s: %d rows, %d cannot be read", name, good, bad)
		}
	}
}
