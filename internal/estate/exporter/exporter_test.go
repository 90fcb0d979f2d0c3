package exporter_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"io"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/xuri/excelize/v2"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/exporter"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/archimate"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
)

var day = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

const hostile = `apiVersion: reeve/v1
kind: System
metadata: {id: sys-hostile, name: '=HYPERLINK("http://evil.example","x") <b>&', labels: {collected: "Weekly"}}
spec: {description: "@SUM(1+1)\n-2+3", owner: post-secret-owner, product: "+cmd|' /C calc'!A0", audience: [public], hosting: on-premise}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-hidden, name: Emergency dispatch, labels: {publish: "no"}}
spec: {description: Never to be published}
---
apiVersion: reeve/v1
kind: Service
metadata: {id: svc-bins, name: Report a missed bin}
spec: {audience: public, systems: [sys-waste], channels: {online: "https://services.example/bins"}}
---
apiVersion: reeve/v1
kind: Service
metadata: {id: svc-laptops, name: Ask for a laptop}
spec: {audience: staff}
---
apiVersion: reeve/v1
kind: Asset
metadata: {id: ast-declared, name: "＝1+1"}
spec: {type: laptop, holder: person-of-secret-name}
`

// demo is the demo's estate with a few things that are hard to export.
func demo(t testing.TB) *register.Snapshot {
	t.Helper()
	files := estatetest.Demo(t, "../../../demo/body")
	files["hostile.yaml"] = &fstest.MapFile{Data: []byte(hostile)}
	confidential := reeve.Confidential
	return estatetest.Small{FS: files, At: day,
		Inventory: &inventory.Inventory{Assets: []inventory.Asset{{ID: "a1", Name: "L1", Type: "laptop", State: "in-use", Holder: "person-of-secret-name", Cost: 78900}}, Imports: map[string]time.Time{"asset": day}},
		Exchange: register.Declared{
			Interfaces: []register.Interface{{ID: "if-tax", Name: "Council tax, reviews", System: "sys-council-tax", Style: "api", Documented: true, Class: &confidential}, {ID: "if-benefits", Name: "Benefits", System: "sys-benefits", Style: "file"}},
			Flows:      []register.Flow{{ID: "flow-x", Name: "Awards & reviews", From: "sys-benefits", To: "sys-council-tax", Record: "rec-x", Via: "exchange", Every: 24 * time.Hour}},
		}}.Snapshot(t)
}

func write(t testing.TB, s *register.Snapshot, format string, o exporter.Options) []byte {
	t.Helper()
	f, err := exporter.Find(format)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if o.Body == "" {
		o.Body = "Ashcombe Borough Council"
	}
	if err := f.Write(&b, s, o); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unzip(t testing.TB, b []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if out[f.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		if path.IsAbs(f.Name) || strings.Contains(f.Name, "..") {
			t.Errorf("the zip has a file %q", f.Name)
		}
	}
	return out
}

func rows(t testing.TB, b []byte) [][]string {
	t.Helper()
	out, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var formula = regexp.MustCompile(`^[=+@\t|%＝＋－＠]|^-[^0-9.]|^-[0-9.]+[^0-9.]`)

// TestCSV checks that every list is there whole, and that no cell is a formula.
func TestCSV(t *testing.T) {
	s := demo(t)
	files := unzip(t, write(t, s, "csv", exporter.Options{}))
	for name, n := range map[string]int{"systems": len(s.Systems), "contracts": len(s.Contracts), "capabilities": len(s.Capabilities), "organisations": len(s.Organisations), "assets": 2, "interfaces": 2, "flows": 1, "services": 2, "standards": 6} {
		got := rows(t, files[name+".csv"])
		if len(got)-1 != n {
			t.Errorf("%s: %d rows, want %d", name, len(got)-1, n)
		}
		if one := rows(t, write(t, s, "csv", exporter.Options{Kind: name})); !slices.EqualFunc(one, got, slices.Equal[[]string]) {
			t.Errorf("%s alone is not what it is in the zip", name)
		}
	}
	for name, b := range files {
		for _, row := range rows(t, b) {
			for _, cell := range row {
				if formula.MatchString(cell) {
					t.Errorf("%s: a formula: %q", name, cell)
				}
			}
		}
		if bytes.Contains(b, []byte("secret-name")) {
			t.Errorf("%s says who has a device", name)
		}
	}
	if !bytes.Contains(files["findings.csv"], []byte("std-cloud,System,sys-hostile")) {
		t.Error("the findings lack those of a system")
	}
}

// TestXLSX reads the workbook back: the cells are those of the CSV files, and none
// is a formula.
func TestXLSX(t *testing.T) {
	s := demo(t)
	f, err := excelize.OpenReader(bytes.NewReader(write(t, s, "xlsx", exporter.Options{})))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if !slices.Equal(f.GetSheetList(), exporter.Sheets()) {
		t.Errorf("sheets %v", f.GetSheetList())
	}
	for _, name := range exporter.Sheets() {
		got, err := f.GetRows(name)
		if err != nil {
			t.Fatal(err)
		}
		want := rows(t, write(t, s, "csv", exporter.Options{Kind: name}))
		if len(got) != len(want) {
			t.Errorf("%s: %d rows, want %d", name, len(got), len(want))
		}
		for i, row := range got {
			for j, cell := range row {
				at, _ := excelize.CoordinatesToCellName(j+1, i+1)
				if x, _ := f.GetCellFormula(name, at); x != "" || formula.MatchString(cell) {
					t.Errorf("%s %s is a formula: %q %q", name, at, x, cell)
				}
				if w := want[i][j]; cell != w && strings.TrimRight(strings.TrimRight(w, "0"), ".") != cell {
					t.Errorf("%s %s is %q, want %q", name, at, cell, w)
				}
			}
		}
	}
}

type model struct {
	XMLName  xml.Name `xml:"http://www.opengroup.org/xsd/archimate/3.0/ model"`
	Elements []struct {
		ID   string `xml:"identifier,attr"`
		Type string `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`
		Name string `xml:"name"`
		Refs []struct {
			Ref string `xml:"propertyDefinitionRef,attr"`
		} `xml:"properties>property"`
	} `xml:"elements>element"`
	Relations []struct {
		ID     string `xml:"identifier,attr"`
		Source string `xml:"source,attr"`
		Target string `xml:"target,attr"`
		Type   string `xml:"http://www.w3.org/2001/XMLSchema-instance type,attr"`
	} `xml:"relationships>relationship"`
	Properties []struct {
		ID string `xml:"identifier,attr"`
	} `xml:"propertyDefinitions>propertyDefinition"`
	Order []struct{ XMLName xml.Name } `xml:",any"`
}

// TestArchiMate checks the model against what its schema asks for, and imports it
// back.
func TestArchiMate(t *testing.T) {
	s := demo(t)
	raw := write(t, s, "archimate", exporter.Options{})
	var m model
	if err := xml.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	ids, types := map[string]bool{}, map[string]int{}
	properties := map[string]bool{}
	ncname := regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9._-]*$`)
	for _, p := range m.Properties {
		ids[p.ID], properties[p.ID] = true, true
	}
	elements := map[string]bool{}
	for _, e := range m.Elements {
		if ids[e.ID] || !ncname.MatchString(e.ID) || e.Name == "" {
			t.Errorf("element %q named %q", e.ID, e.Name)
		}
		ids[e.ID], elements[e.ID] = true, true
		types[e.Type]++
		for _, p := range e.Refs {
			if !properties[p.Ref] {
				t.Errorf("%s has a property %q that is not defined", e.ID, p.Ref)
			}
		}
	}
	for _, r := range m.Relations {
		if ids[r.ID] || !elements[r.Source] || !elements[r.Target] || r.Type == "" {
			t.Errorf("relationship %+v", r)
		}
		ids[r.ID] = true
		types[r.Type]++
	}
	for kind, n := range map[string]int{"ApplicationComponent": len(s.Systems), "Capability": len(s.Capabilities), "BusinessActor": len(s.Organisations), "Contract": len(s.Contracts), "Flow": 1, "ApplicationInterface": 2, "BusinessService": 2} {
		if types[kind] != n {
			t.Errorf("%d of type %s, want %d", types[kind], kind, n)
		}
	}
	var order []string
	d := xml.NewDecoder(bytes.NewReader(raw))
	for depth := 0; ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		switch x := token.(type) {
		case xml.StartElement:
			if depth++; depth == 2 {
				order = append(order, x.Name.Local)
			}
		case xml.EndElement:
			depth--
		}
	}
	if want := []string{"name", "documentation", "elements", "relationships", "propertyDefinitions"}; !slices.Equal(order, want) {
		t.Errorf("children in the order %v, want %v", order, want)
	}
	reading, err := archimate.Source.Read(context.Background(), importer.Input{Name: "estate.xml", Reader: bytes.NewReader(raw)})
	if err != nil {
		t.Fatal(err)
	}
	kinds, names := map[string]int{}, map[string]bool{}
	for _, x := range reading.Definitions {
		kinds[x.Kind]++
		names[x.Name] = true
	}
	if kinds["System"] != len(s.Systems) || kinds["Capability"] != len(s.Capabilities) || kinds["Organisation"] != len(s.Organisations) || kinds["Interface"] != 2 {
		t.Errorf("read back: %v", kinds)
	}
	for _, x := range s.Systems {
		if !names[x.Name] {
			t.Errorf("%s was not read back", x.Name)
		}
	}
}

func TestJSON(t *testing.T) {
	s := demo(t)
	raw := write(t, s, "json", exporter.Options{})
	var got struct {
		Format      string
		On          string
		Definitions []struct {
			Kind     string
			Metadata struct{ ID string }
		}
		Assets   []map[string]any
		Facts    map[string]map[string]map[string]any
		Findings []map[string]string
		Imports  map[string]time.Time
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if got.Format != "reeve-estate/1" || got.On != "2026-11-21" || len(got.Definitions) != len(s.Set.Objects()) || len(got.Assets) != 2 || len(got.Findings) == 0 {
		t.Errorf("%s %s: %d definitions, %d assets, %d findings", got.Format, got.On, len(got.Definitions), len(got.Assets), len(got.Findings))
	}
	if got.Facts["System"]["sys-council-tax"]["interfaces"] != 1.0 || bytes.Contains(raw, []byte("secret-name")) {
		t.Errorf("facts %v", got.Facts["System"]["sys-council-tax"])
	}
}

var links = regexp.MustCompile(`href="([^"]*)"`)

// TestSite checks that the pages hold together by themselves, and that those for
// the public hold nothing that is not for them.
func TestSite(t *testing.T) {
	s := demo(t)
	for _, audience := range []string{"", exporter.Staff} {
		files := unzip(t, write(t, s, "site", exporter.Options{Audience: audience}))
		if len(files) < 60 {
			t.Errorf("%d pages", len(files))
		}
		for name, b := range files {
			page := string(b)
			for _, wrong := range []string{"<script", "javascript:", "<link", "@import", "src=", "=HYPERLINK(\"http", "<b>&"} {
				if strings.Contains(page, wrong) {
					t.Errorf("%s has %s", name, wrong)
				}
			}
			if !strings.Contains(page, "<h1>") || !strings.Contains(page, "<title>") {
				t.Errorf("%s has no heading", name)
			}
			for _, l := range links.FindAllStringSubmatch(page, -1) {
				to, anchor, _ := strings.Cut(l[1], "#")
				if strings.HasPrefix(to, "http") {
					continue
				}
				if to = path.Join(path.Dir(name), to); l[1] != "" && strings.HasPrefix(l[1], "#") {
					to = name
				}
				target, ok := files[to]
				if !ok || anchor != "" && !bytes.Contains(target, []byte(`id="`+anchor+`"`)) {
					t.Errorf("%s leads to %s, which is not there", name, l[1])
				}
			}
			if audience == exporter.Staff {
				continue
			}
			for _, wrong := range []string{"post-", "secret", "£", "on-premise", "on premise", "Emergency dispatch", "Ask for a laptop", "not met"} {
				if strings.Contains(page, wrong) {
					t.Errorf("%s, for the public, has %q", name, wrong)
				}
			}
		}
		if audience == exporter.Staff != strings.Contains(string(files["systems/sys-council-tax.html"]), "post-revenues-manager") {
			t.Errorf("the owner, for %q", audience)
		}
	}
}

func TestSB272(t *testing.T) {
	s := demo(t)
	files := unzip(t, write(t, s, "sb272", exporter.Options{}))
	got := rows(t, files["enterprise-systems.csv"])
	want := []string{"System", "Current system vendor", "Current system product", "System's purpose", "Categories, modes or fields of data", "Department that is the primary custodian", "How frequently system data is collected", "How frequently system data is updated"}
	if !slices.Equal(got[0], want) {
		t.Errorf("columns %q", got[0])
	}
	gaps, n := rows(t, files["not-known.csv"]), 0
	for _, row := range got[1:] {
		for _, cell := range row {
			if cell == "Not known" {
				n++
			} else if cell == "" || formula.MatchString(cell) {
				t.Errorf("a cell %q", cell)
			}
		}
		switch row[0] {
		case "Council tax":
			if row[1] != "Millbrook Civic Software" || row[5] != "Revenues" || row[6] != "At least every day" {
				t.Errorf("%q", row)
			}
		case "Emergency dispatch", "Hospital patient administration":
			t.Errorf("%s is listed", row[0])
		}
		if strings.HasPrefix(row[0], "'=HYPERLINK") && row[6] != "Weekly" {
			t.Errorf("%q", row)
		}
	}
	if n != len(gaps)-1 || n == 0 {
		t.Errorf("%d cells are not known, %d are listed", n, len(gaps)-1)
	}
}

// TestWrongWishes asks for what there is not.
func TestWrongWishes(t *testing.T) {
	if _, err := exporter.Find("docx"); reeve.KindOf(err) != reeve.NotFound || !strings.Contains(err.Error(), "archimate") {
		t.Error(err)
	}
	f, _ := exporter.Find("csv")
	if err := f.Check(exporter.Options{Kind: "secrets"}); reeve.KindOf(err) != reeve.Invalid {
		t.Error(err)
	}
	if err := f.Check(exporter.Options{Audience: "everyone"}); reeve.KindOf(err) != reeve.Invalid {
		t.Error(err)
	}
}
