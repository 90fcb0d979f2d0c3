package format_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/reeve-civic/reeve/connector/format"
)

var xlsx = format.Spec{Name: "xlsx"}

// book is a workbook as another program writes it.
func book(t testing.TB, sheets map[string][][]any) []byte {
	t.Helper()
	f := excelize.NewFile()
	defer f.Close()
	date, err := f.NewStyle(&excelize.Style{NumFmt: 14})
	if err != nil {
		t.Fatal(err)
	}
	for name, rows := range sheets {
		if _, err := f.NewSheet(name); err != nil {
			t.Fatal(err)
		}
		for i, row := range rows {
			for j, v := range row {
				at, _ := excelize.CoordinatesToCellName(j+1, i+1)
				if s, ok := v.(string); ok && strings.HasPrefix(s, "=") {
					_ = f.SetCellFormula(name, at, s)
					continue
				}
				if err := f.SetCellValue(name, at, v); err != nil {
					t.Fatal(err)
				}
				if _, ok := v.(time.Time); ok {
					_ = f.SetCellStyle(name, at, at, date)
				}
			}
		}
	}
	_ = f.DeleteSheet("Sheet1")
	var out bytes.Buffer
	if err := f.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestXLSX(t *testing.T) {
	b := book(t, map[string][][]any{"Deaths": {
		{"Name", "Died", "Age", "Paid", "Note", "Note"},
		{"Zoë & Co", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), 81, true, 4.35, " x "},
		{},
		{"B", nil, "007", false},
		{"C", nil, nil, nil, nil, nil, "beyond"},
		{"D", "=NOW()"},
		{"E", time.Date(2024, 2, 29, 13, 30, 0, 0, time.UTC), 1e9},
	}})
	want := `1 sheet Deaths, row 2: {"Name":"Zoë & Co","Died":"2024-02-29","Age":81,"Paid":true,"Note":4.35,"Note (2)":" x "}
2 sheet Deaths, row 4: {"Name":"B","Age":"007","Paid":false}
3 sheet Deaths, row 5: the row has something in column 7; there are 6 columns
4 sheet Deaths, row 6: (Died) the cell holds a formula without a stored value: open the file, save it and send it again
5 sheet Deaths, row 7: {"Name":"E","Died":"2024-02-29T13:30:00","Age":1000000000}
`
	if got := show(t, xlsx, bytes.NewReader(b)); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := show(t, xlsx, iotest.OneByteReader(bytes.NewReader(b))); got != want {
		t.Errorf("byte by byte:\n%s", got)
	}
	types := func(p string) []string {
		return map[string][]string{"/age": {"string"}, "/paid": {"string"}, "/name": {"string"}}[p]
	}
	spec := format.Spec{Name: "xlsx", Sheet: "deaths", Columns: []string{"name", "died", "age", "paid", "note", ""}, Types: types}
	if got := show(t, spec, bytes.NewReader(b)); !strings.HasPrefix(got, `1 sheet Deaths, row 2: {"name":"Zoë & Co","died":"2024-02-29","age":"81","paid":"true","note":4.35}`+"\n") {
		t.Errorf("with columns: %s", got)
	}
	for in, want := range map[string]string{
		"":                          "error: the file is empty\n",
		"a,b\n":                     "error: this is not an .xlsx workbook\n",
		"\xd0\xcf\x11\xe0\xa1\xb1":  "error: this is an old or a password-protected Excel file: save it as .xlsx without a password\n",
		string(b[:len(b)/2]):        "error: this is not a whole .xlsx workbook: its zip file is damaged\n",
		string(zipped(t, "a", "b")): "error: this is a zip file but not an .xlsx workbook\n",
	} {
		if got := show(t, xlsx, strings.NewReader(in)); got != want {
			t.Errorf("%.20q: %s", in, got)
		}
	}
	if got := show(t, format.Spec{Name: "xlsx", Sheet: "Births"}, bytes.NewReader(b)); got != "error: the workbook has no sheet of the name that is given\n" {
		t.Error(got)
	}
}

func zipped(t testing.TB, parts ...string) []byte { return packed(t, zip.Deflate, parts...) }

func packed(t testing.TB, method uint16, parts ...string) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i := 0; i < len(parts); i += 2 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: parts[i], Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(parts[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sheetOf is a workbook with this sheet and these shared texts.
func sheetOf(t testing.TB, sheet, shared string) []byte {
	return zipped(t,
		"xl/workbook.xml", `<workbook xmlns:r="r"><sheets><sheet name="S" r:id="a"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="a" Target="worksheets/s.xml"/></Relationships>`,
		"xl/worksheets/s.xml", sheet, "xl/sharedStrings.xml", shared)
}

// A name that is told with every row that is wrong must not be what makes it large.
func TestLongNames(t *testing.T) {
	long := strings.Repeat("n", 600<<10)
	sheet := `<worksheet><sheetData><row><c t="str"><v>h</v></c></row>` + strings.Repeat(`<row><c t="e"><v>#REF!</v></c></row>`, 50) + `</sheetData></worksheet>`
	book := zipped(t, "xl/workbook.xml", `<workbook xmlns:r="r"><sheets><sheet name="`+long+`" r:id="a"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels", `<Relationships><Relationship Id="a" Target="worksheets/s.xml"/></Relationships>`, "xl/worksheets/s.xml", sheet)
	for name, c := range map[string]struct {
		spec format.Spec
		in   []byte
	}{
		"sheet":   {xlsx, book},
		"heading": {csv(), []byte("a;" + long + "\n" + strings.Repeat("1;\xff\n", 50))},
		"named":   {format.Spec{Name: "csv", Columns: []string{"a", long}}, []byte("a,b\n1,2,3\n")},
	} {
		r, err := format.NewReader(c.spec, bytes.NewReader(c.in), t.TempDir())
		size := 0
		for err == nil {
			var row format.Row
			row, err = r.Next()
			size += len(row.At) + len(row.Field) + len(row.Problem)
		}
		if size += len(err.Error()); size > 20_000 {
			t.Errorf("%s: %d bytes are told", name, size)
		}
		if r != nil {
			_ = r.Close()
		}
	}
}

func TestXLSXHostile(t *testing.T) {
	rows := strings.Repeat(`<row><c t="s"><v>0</v></c></row>`, 500_000)
	long := strings.Repeat("x", 5<<20)
	for name, c := range map[string]struct{ sheet, shared, want string }{
		"bomb":           {`<worksheet><sheetData>` + rows, `<sst><si><t>a</t></si></sst>`, "far larger when unpacked"},
		"long text":      {`<worksheet><sheetData><row><c t="s"><v>0</v></c></row></sheetData></worksheet>`, `<sst><si><t>` + long, "more than 2 MB"},
		"long attribute": {`<worksheet><sheetData><row a="` + long, ``, "more than 2 MB"},
		"no text":        {`<worksheet><sheetData><row><c t="s"><v>7</v></c></row></sheetData></worksheet>`, `<sst/>`, "names a text that is not in it"},
		"entity":         {`<!DOCTYPE x [<!ENTITY a "b">]><worksheet><sheetData><row><c t="str"><v>&a;</v></c></row>`, ``, "document type"},
		"far column":     {`<worksheet><sheetData><row><c r="A1" t="str"><v>h</v></c></row><row><c r="XFD1" t="str"><v>a</v></c></row></sheetData></worksheet>`, ``, "larger than 1 MiB"},
		"error":          {`<worksheet><sheetData><row><c t="str"><v>h</v></c></row><row><c t="e"><v>#REF!</v></c></row></sheetData></worksheet>`, ``, "(h) the cell holds an error"},
	} {
		if got := show(t, xlsx, bytes.NewReader(sheetOf(t, c.sheet, c.shared))); !strings.Contains(got, c.want) {
			t.Errorf("%s: %.300s", name, got[max(0, len(got)-300):])
		}
	}
	var parts []string
	for i := range 10_100 {
		parts = append(parts, fmt.Sprint(i), "")
	}
	if got := show(t, xlsx, bytes.NewReader(zipped(t, parts...))); !strings.Contains(got, "more than 10000 parts") {
		t.Error(got)
	}
}
