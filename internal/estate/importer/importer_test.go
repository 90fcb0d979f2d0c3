package importer_test

import (
	"archive/zip"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/xuri/excelize/v2"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

var registry = def.NewRegistry(estate.Kinds()...)

var update = flag.Bool("update", false, "write the golden files anew")

func load(t testing.TB, definitions []byte) *def.Set {
	t.Helper()
	set, problems := def.Load(fstest.MapFS{"imported.yaml": {Data: definitions}}, def.NewRegistry(estate.Kinds()...))
	if len(problems) > 0 {
		t.Fatalf("what was imported does not load: %d problems, first %s\n%s", len(problems), problems[0], definitions)
	}
	return set
}

// read reads a list of systems.
func read(data io.Reader, name string, in importer.Input) (*importer.Reading, error) {
	in.Reader, in.Name = data, name
	return importer.Systems.Read(context.Background(), in)
}

// take imports text and checks what must hold of every import.
func take(t testing.TB, data []byte, in importer.Input) *importer.Reading {
	t.Helper()
	r, err := read(bytes.NewReader(data), "list.csv", in)
	if err != nil {
		t.Fatal(err)
	}
	check(t, r)
	return r
}

// written is what a reading proposes, as YAML.
func written(r *importer.Reading) []byte {
	var b []byte
	for _, d := range r.Definitions {
		doc, err := importer.Document(registry, d)
		if err != nil {
			panic(err)
		}
		b = append(b, doc...)
	}
	return b
}

func count(r *importer.Reading, kind string) (n int) {
	for _, d := range r.Definitions {
		if d.Kind == kind {
			n++
		}
	}
	return n
}

func check(t testing.TB, r *importer.Reading) *def.Set {
	t.Helper()
	if r.Rows != r.Taken+r.Repeated+r.Failed+r.Skipped {
		t.Fatalf("%d rows, but %d taken, %d repeated, %d failed, %d skipped", r.Rows, r.Taken, r.Repeated, r.Failed, r.Skipped)
	}
	set := load(t, written(r))
	if n := len(def.All[system.Spec](set)); n != r.Taken {
		t.Fatalf("%d systems were taken and %d written", r.Taken, n)
	}
	if again, err := importer.ParseMapping(r.Mapping.YAML()); err != nil || fmt.Sprint(*again) != fmt.Sprint(*r.Mapping) {
		t.Fatalf("the mapping does not come back as it was: %v", err)
	}
	return set
}

// TestMessyList is a spreadsheet as they are, and everything that comes of it.
func TestMessyList(t *testing.T) {
	data, err := os.ReadFile("testdata/messy.csv")
	if err != nil {
		t.Fatal(err)
	}
	r := take(t, data, importer.Input{})
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d rows: %d systems, %d repeated, %d failed\n", r.Rows, r.Taken, r.Repeated, r.Failed)
	for _, n := range r.Notes {
		fmt.Fprintln(&b, "note:", n)
	}
	for _, p := range r.Problems {
		fmt.Fprintln(&b, p)
	}
	fmt.Fprintf(&b, "\n%s\n%s", r.Mapping.YAML(), written(r))
	if *update {
		if err := os.WriteFile("testdata/messy.golden", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/messy.golden")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, b.Bytes()) {
		t.Errorf("got:\n%s", b.Bytes())
	}
}

// TestCatalogue takes the catalogue of the UK government's APIs, which nobody
// made for us: 231 rows, of 31 providers.
func TestCatalogue(t *testing.T) {
	data, err := os.ReadFile("testdata/real/apis/catalogue.csv")
	if err != nil {
		t.Fatal(err)
	}
	guessed := take(t, data, importer.Input{})
	if guessed.Rows != 231 || guessed.Taken != 231 {
		t.Errorf("%d rows, %d systems", guessed.Rows, guessed.Taken)
	}
	// The provider of an API is whose it is: correct the guess, as a person would.
	m := guessed.Mapping
	for i, c := range m.Columns {
		if c.Heading == "provider" {
			m.Columns[i].Field = "organisation"
		}
	}
	kept, err := importer.ParseMapping(m.YAML())
	if err != nil {
		t.Fatal(err)
	}
	r := take(t, data, importer.Input{Mapping: kept})
	set := check(t, r)
	documented, since, organisations := 0, 0, map[string]bool{}
	for _, x := range def.All[system.Spec](set) {
		organisations[x.Spec.Organisation] = true
		if x.Spec.API == "documented" {
			documented++
		}
		if x.Spec.Lifecycle != nil && x.Spec.Lifecycle.Since != nil {
			since++
		}
	}
	told := map[string]int{}
	for _, p := range r.Problems {
		told[p.Column]++
	}
	// Of the 19 starts given, "in service" (twice) and 2023-31-01 are not dates.
	if r.Taken != 231 || count(r, "SupplierContract") != 0 || since != 16 || told["startDate"] != 3 || documented+told["documentation"] != 214 || len(organisations) != count(r, "Organisation") {
		t.Errorf("%d systems, %d contracts, %d with a start, %d documented, told %v, %d and %d organisations",
			r.Taken, count(r, "SupplierContract"), since, documented, told, len(organisations), count(r, "Organisation"))
	}
	again := take(t, data, importer.Input{Mapping: kept})
	if !bytes.Equal(written(again), written(r)) {
		t.Error("the same list gave other definitions")
	}
	// A second import beside the first finds all of them there.
	plan := importer.Merge(set, registry, again, importer.Memory{}, importer.Nothing)
	if plan.Same != len(again.Definitions) || len(plan.Changes) != 0 {
		t.Errorf("the second time: %d same of %d, %v", plan.Same, len(again.Definitions), plan.Changes)
	}
}

// TestCouncils takes a list that is not about systems at all.
func TestCouncils(t *testing.T) {
	data, err := os.ReadFile("testdata/real/councils/uk_local_authorities_current.csv")
	if err != nil {
		t.Fatal(err)
	}
	r := take(t, data, importer.Input{})
	if r.Rows != 470 || r.Taken != 470 {
		t.Errorf("%d rows, %d systems, %d failed", r.Rows, r.Taken, r.Failed)
	}
	unused := 0
	for _, c := range r.Mapping.Columns {
		if c.Field == "ignore" {
			unused++
		}
	}
	if unused != len(r.Notes) {
		t.Errorf("%d columns are not used and %d were told: %q", unused, len(r.Notes), r.Notes)
	}
	t.Logf("%d rows, %d systems, %d problems", r.Rows, r.Taken, len(r.Problems))
}

// TestEncodings reads the same list in every form that spreadsheet programs write.
func TestEncodings(t *testing.T) {
	const list = "Application,Business owner,Annual cost (£)\nCafé bookings,Zoë Ånder,\"£1,200.50\"\n"
	semicolons := "Application;Business owner;Annual cost (£)\nCafé bookings;Zoë Ånder;£1,200.50\n"
	latin, err := charmap.Windows1252.NewEncoder().String(list)
	if err != nil {
		t.Fatal(err)
	}
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(strings.ReplaceAll(semicolons, ";", "\t"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"UTF-8": list, "mark": "\ufeff" + list, "Windows-1252": latin, "UTF-16 tabs": utf16, "semicolons": semicolons,
		"tabs": strings.ReplaceAll(semicolons, ";", "\t"), "bars": strings.ReplaceAll(semicolons, ";", "|"),
		"sep": "sep=;\r\n" + strings.ReplaceAll(semicolons, "\n", "\r\n"), "old Mac": strings.ReplaceAll(semicolons, "\n", "\r"),
	} {
		t.Run(name, func(t *testing.T) {
			set := check(t, take(t, []byte(text), importer.Input{}))
			x, ok := def.Get[system.Spec](set, "sys-cafe-bookings")
			k, _ := def.Get[supplier.Spec](set, "con-cafe-bookings")
			if !ok || x.Name != "Café bookings" || x.Spec.Owner != "person-zoe-ander" || k.Object == nil || k.Spec.Cost[0].Annual != 1200 || k.Spec.Cost[0].Minor != 50 {
				t.Errorf("got %+v and %+v", x, k)
			}
		})
	}
}

// TestWorkbook reads a workbook with dates, amounts and formulas as Excel keeps them.
func TestWorkbook(t *testing.T) {
	f := excelize.NewFile()
	defer f.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(f.SetSheetRow("Sheet1", "A1", &[]any{"Our systems"}))
	must(f.SetSheetRow("Sheet1", "A3", &[]any{"System name", "Vendor", "Go-live", "Contract end", "Annual cost (£k)", "Users", "Hosting"}))
	must(f.SetSheetRow("Sheet1", "A4", &[]any{"Finance", "Yarrow", 44287, 46477, 225.5, 280, "SaaS"}))
	must(f.SetSheetRow("Sheet1", "A5", &[]any{"Parking", "Ridgeway", "01/11/2019", "2027-05-31", nil, 37.0, "on-prem"}))
	must(f.SetCellFormula("Sheet1", "E5", "SUM(E4:E4)"))
	must(f.SetSheetRow("Sheet1", "A6", &[]any{"", "", "", "", "", "", ""}))
	style, err := f.NewStyle(&excelize.Style{NumFmt: 14})
	must(err)
	must(f.SetCellStyle("Sheet1", "C4", "D4", style))
	_, err = f.NewSheet("Notes")
	must(err)
	var b bytes.Buffer
	must(f.Write(&b))
	r, err := read(&b, "list.xlsx", importer.Input{})
	must(err)
	set := check(t, r)
	x, _ := def.Get[system.Spec](set, "sys-finance")
	k, _ := def.Get[supplier.Spec](set, "con-finance")
	if got := fmt.Sprintf("%v %v %v %d %s", x.Spec.Lifecycle.Since, k.Spec.Term.Ends, k.Spec.Cost, *x.Spec.Users, x.Spec.Hosting); got != "2021-04-01 2027-03-31 [{225500 0   map[]}] 280 saas" {
		t.Error(got)
	}
	if p := fmt.Sprint(r.Problems); !strings.Contains(p, "row 5, Annual cost (£k): the cell holds a formula") {
		t.Error(p)
	}
	if n := strings.Join(r.Notes, "\n"); !strings.Contains(n, "2 sheets") {
		t.Error(n)
	}
	if r.Rows != 2 || r.Mapping.Header != 3 {
		t.Errorf("%d rows below row %d", r.Rows, r.Mapping.Header)
	}
}

// TestDepartmentsHaveAParent makes departments parts of the organisation that is
// given, and uses those that are there.
func TestDepartmentsHaveAParent(t *testing.T) {
	existing := load(t, []byte("apiVersion: reeve/v1\nkind: Organisation\nmetadata: {id: org-a, name: A council}\nspec: {type: council}\n---\napiVersion: reeve/v1\nkind: Organisation\nmetadata: {id: org-homes, name: Housing}\nspec: {type: department, parent: org-a}\n"))
	r, err := read(strings.NewReader("System,Department\nOne,housing\nTwo,Roads\n"), "x", importer.Input{Settings: map[string]string{"organisation": "org-a"}})
	if err != nil {
		t.Fatal(err)
	}
	r.Source = "systems"
	files, err := importer.Merge(existing, registry, r, importer.Memory{}, importer.Nothing).Write(fstest.MapFS{}, importer.PlaceOf("systems"))
	if err != nil {
		t.Fatal(err)
	}
	both := append([]byte("apiVersion: reeve/v1\nkind: Organisation\nmetadata: {id: org-a, name: A council}\nspec: {type: council}\n---\napiVersion: reeve/v1\nkind: Organisation\nmetadata: {id: org-homes, name: Housing}\nspec: {type: department, parent: org-a}\n"), files["estate/imported-systems.yaml"]...)
	set := load(t, both)
	one, _ := def.Get[system.Spec](set, "sys-one")
	roads, ok := def.Get[organisation.Spec](set, "org-roads")
	if one.Spec.Organisation != "org-homes" || !ok || roads.Spec.Parent != "org-a" {
		t.Errorf("%+v, %+v", one.Spec, roads)
	}
}

// TestRefused holds the importer to its bounds: each file is refused with a
// message that says why, and quickly.
func TestRefused(t *testing.T) {
	bomb := func(fill int64) []byte {
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		w, _ := z.Create("xl/workbook.xml")
		_, _ = w.Write([]byte("<workbook/>"))
		w, _ = z.Create("xl/worksheets/sheet1.xml")
		_, _ = io.CopyN(w, zeros{}, fill)
		_ = z.Close()
		return b.Bytes()
	}
	wide := func() []byte {
		f := excelize.NewFile()
		defer f.Close()
		_ = f.SetCellValue("Sheet1", "A1", "System")
		_ = f.SetCellValue("Sheet1", "XFD1", "Owner")
		var b bytes.Buffer
		_ = f.Write(&b)
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		data io.Reader
		want string
		kind reeve.Kind
	}{
		"empty":            {strings.NewReader(""), "is empty", reeve.Invalid},
		"zip bomb":         {bytes.NewReader(bomb(300 << 20)), "when unpacked", reeve.TooLarge},
		"a zip":            {bytes.NewReader(zipOf("a.txt", "hello")), "not an .xlsx workbook", reeve.Invalid},
		"half a zip":       {bytes.NewReader(bomb(1000)[:200]), "not a whole .xlsx", reeve.Invalid},
		"entities":         {bytes.NewReader(zipOf("xl/workbook.xml", `<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><workbook>&b;</workbook>`)), "cannot be read", reeve.Invalid},
		"old Excel":        {strings.NewReader("\xd0\xcf\x11\xe0rest"), "old or a password-protected", reeve.Invalid},
		"a picture":        {strings.NewReader("\x89PNG\r\n\x00\x00"), "not a text file", reeve.Invalid},
		"50,000 columns":   {strings.NewReader("System" + strings.Repeat(",", 50_000) + "\n"), "has 50001 columns", reeve.TooLarge},
		"a wide sheet":     {bytes.NewReader(wide()), "has 16384 columns", reeve.TooLarge},
		"1 GB":             {io.LimitReader(zeros{}, 1<<30), "larger than", reeve.TooLarge},
		"an open quote":    {strings.NewReader("System,Owner\n\"" + strings.Repeat("a,b\n", 50_000)), "is a quotation mark missing", reeve.TooLarge},
		"no headings":      {strings.NewReader("1,2,3\n4,5,6\n"), "no row of headings", reeve.Invalid},
		"no name":          {strings.NewReader("Vendor,Owner,Hosting\na,b,c\n"), "no column was recognised as the name", reeve.Invalid},
		"nothing but rows": {strings.NewReader("\n\n\n"), "has no rows", reeve.Invalid},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(c.data, "list", importer.Input{})
			if err == nil || !strings.Contains(err.Error(), c.want) || reeve.KindOf(err) != c.kind {
				t.Errorf("got %v", err)
			}
		})
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func zipOf(name, text string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, _ := z.Create(name)
	_, _ = io.WriteString(w, text)
	_ = z.Close()
	return b.Bytes()
}

// TestMappingMistakes refuses a mapping that cannot be meant.
func TestMappingMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"columns: [{heading: A, field: nmae}]":                            "the fields are",
		"columns: [{heading: A, field: name}, {heading: B, field: name}]": "to two columns",
		"dates: american\ncolumns: []":                                    "day-first or month-first",
		"colums: []":                                                      "cannot be read",
	} {
		if _, err := importer.ParseMapping([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestAnyList feeds made-up lists: whatever is in the cells, every row is
// accounted for and the definitions load.
func TestAnyList(t *testing.T) {
	cell := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{"", "TBC", "Council tax", "Revenues; Benefits", "31/12/2027", "01/04/2016", "£12,000.50", "90", "SaaS", "live", "yes", "2027-03-31", "44927", "=1+1", "a: b", "- x", "#1", "null", "~", "null: {", "\"", "'", "on", "org-a", "Ω", "\n---\nkind: System"}),
	)
	heads := []string{"System", "Owner", "Department", "Vendor", "Hosting", "Go-live", "End date", "Contract start", "Contract end", "Notice period", "Annual cost", "Status", "Capabilities", "Users", "MFA", "Authentication", "Classification", "RTO", "Seats", "Contract ref", "Description", "URL"}
	rapid.Check(t, func(t *rapid.T) {
		f := excelize.NewFile()
		defer f.Close()
		if err := f.SetSheetRow("Sheet1", "A1", &heads); err != nil {
			t.Fatal(err)
		}
		rows := rapid.SliceOfN(rapid.SliceOfN(cell, 1, len(heads)), 0, 8).Draw(t, "rows")
		for i, row := range rows {
			if err := f.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+2), &row); err != nil {
				t.Fatal(err)
			}
		}
		var b bytes.Buffer
		if err := f.Write(&b); err != nil {
			t.Fatal(err)
		}
		r, err := read(&b, "list.xlsx", importer.Input{})
		if err != nil {
			t.Skip("a workbook that excelize does not read again: ", err)
		}
		if r.Rows != r.Taken+r.Repeated+r.Failed+r.Skipped {
			t.Fatalf("rows do not add up: %+v", r)
		}
		if _, problems := def.Load(fstest.MapFS{"x.yaml": {Data: written(r)}}, def.NewRegistry(estate.Kinds()...)); len(problems) > 0 {
			t.Fatalf("%s\n%s", problems[0], written(r))
		}
	})
}

// TestSharedContract joins the rows that name one contract, and tells what they
// say differently.
func TestSharedContract(t *testing.T) {
	r := take(t, []byte("System,Vendor,Contract ref,Contract end,Annual cost,Seats\nOne,Acme,C-1,31/12/2027,100,5\nTwo,Acme,C-1,31/12/2028,50.25,5\nThree,Acme,,31/12/2027,7,\nFour,Other,C-1,,,9\n"), importer.Input{})
	set := check(t, r)
	k, _ := def.Get[supplier.Spec](set, "con-one")
	if minor, _ := k.Spec.Minor(); minor != 15025 || fmt.Sprint(k.Spec.Systems) != "[sys-one sys-two]" || k.Spec.Term.Ends.String() != "2027-12-31" || count(r, "SupplierContract") != 3 {
		t.Errorf("%+v, %d contracts", k.Spec, count(r, "SupplierContract"))
	}
	if got := fmt.Sprint(r.Problems); !strings.Contains(got, "row 3, Annual cost: the contract C-1 stands in an earlier row too; the two costs were added up") || !strings.Contains(got, "row 3, Contract end: the contract C-1 has other dates") || len(r.Problems) != 2 {
		t.Error(got)
	}
}
