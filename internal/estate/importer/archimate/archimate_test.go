package archimate_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"golang.org/x/text/encoding/unicode"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/archimate"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// way stands for the exchange's kind Interface, which the estate does not know.
type way struct {
	System      string `json:"system" def:"required,ref=System"`
	Style       string `json:"style"`
	Description string `json:"description"`
}

var registry = def.NewRegistry(append(estate.Kinds(), def.Kind{Name: "Interface", Spec: new(way)})...)

func file(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func run(t *testing.T, name string, data []byte, folder fstest.MapFS) *importer.Prepared {
	t.Helper()
	if !archimate.Source.Detect(data[:min(len(data), 64<<10)], name) {
		t.Errorf("%s is not recognised", name)
	}
	p, err := importer.Prepare(context.Background(), archimate.Source, importer.Input{Name: name, Reader: bytes.NewReader(data)}, folder, registry, importer.Nothing)
	if err != nil {
		t.Fatal(err)
	}
	if p.Rows != p.Taken+p.Failed+p.Skipped+p.Repeated {
		t.Errorf("%d elements are not %d taken, %d failed, %d left out", p.Rows, p.Taken, p.Failed, p.Skipped)
	}
	for name, b := range p.Files {
		folder[name] = &fstest.MapFile{Data: b}
	}
	return p
}

// TestModel reads one model in both forms: the second finds what the first brought.
func TestModel(t *testing.T) {
	folder := fstest.MapFS{}
	p := run(t, "council.xml", file(t, "council.xml"), folder)
	if p.Rows != 16 || p.Taken != 11 || p.Failed != 2 || p.Skipped != 3 {
		t.Errorf("%d elements: %d taken, %d failed, %d left out", p.Rows, p.Taken, p.Failed, p.Skipped)
	}
	told := fmt.Sprint(p.Problems)
	for _, want := range []string{"no application component has this interface", "no relation leads from this Device", `from "Payments portal" to "Revenues & benefits"`} {
		if !strings.Contains(told, want) {
			t.Errorf("not told: %s\n%s", want, told)
		}
	}
	if notes := fmt.Sprint(p.Notes); !strings.Contains(notes, "1 BusinessProcess, 1 Goal, 1 TechnologyService") || !strings.Contains(notes, "not in the file, were not used: 1.") {
		t.Error(notes)
	}
	set, problems := def.Load(folder, registry)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	app, _ := def.Get[system.Spec](set, "sys-revenues-and-benefits")
	bill, _ := def.Get[capability.Spec](set, "cap-bill")
	sql, _ := def.Get[component.Spec](set, "cmp-sql-server-2019")
	council, _ := def.Get[organisation.Spec](set, "org-ashcombe-borough-council")
	department, _ := def.Get[organisation.Spec](set, "org-revenues")
	if app.Spec.Description != "Bills, receipts & recovery." || fmt.Sprint(app.Spec.Capabilities) != "[cap-bill cap-recover-debt]" || app.Spec.Organisation != "org-revenues" ||
		app.Labels["Supplier"] != "Yarrow" || app.Labels["Annual cost"] != "=1+1" || app.Labels["import/archimate"] != "app1" {
		t.Errorf("%+v %v", app.Spec, app.Labels)
	}
	if bill.Name != "Bill" || bill.Spec.Parent != "cap-collect-council-tax" || sql.Spec.System != "sys-payments-portal" || fmt.Sprint(sql.Spec.UsedBy) != "[sys-revenues-and-benefits]" {
		t.Errorf("%+v, %+v", bill, sql.Spec)
	}
	if council.Spec.Type != "council" || department.Spec.Type != "department" || department.Spec.Parent != council.ID {
		t.Errorf("%+v, %+v", council.Spec, department.Spec)
	}
	second := run(t, "council.archimate", file(t, "council.archimate"), folder)
	if second.Same != 11 || second.Added+second.Changed+second.Conflicting != 0 {
		t.Errorf("Archi's form: %d same, %d added, %d changed, %d in conflict: %v", second.Same, second.Added, second.Changed, second.Conflicting, second.Changes)
	}
	zipped := run(t, "council.archimate", zipOf(t, "model.xml", file(t, "council.archimate")), folder)
	utf16, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().Bytes(bytes.Replace(file(t, "council.xml"), []byte("UTF-8"), []byte("UTF-16"), 1))
	if err != nil {
		t.Fatal(err)
	}
	wide := run(t, "council.xml", utf16, folder)
	if zipped.Same != 11 || wide.Same != 11 {
		t.Errorf("zipped %d same, UTF-16 %d same", zipped.Same, wide.Same)
	}
}

// TestRenamed finds an element again by its identifier when its name changed.
func TestRenamed(t *testing.T) {
	folder := fstest.MapFS{}
	run(t, "council.xml", file(t, "council.xml"), folder)
	p := run(t, "council.xml", bytes.ReplaceAll(file(t, "council.xml"), []byte("Payments portal"), []byte("Pay online")), folder)
	if p.Changed != 1 || p.Added != 0 || p.Changes[0].By != "label:import/archimate" || p.Changes[0].Fields[0].Path != "metadata.name" {
		t.Fatalf("%+v", p.Changes)
	}
	set, problems := def.Load(folder, registry)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if x, ok := def.Get[system.Spec](set, "sys-payments-portal"); !ok || x.Name != "Pay online" {
		t.Errorf("%+v", x)
	}
}

// TestRing cuts capabilities that are parts of each other, and tells.
func TestRing(t *testing.T) {
	ring := `<model xmlns="http://www.opengroup.org/xsd/archimate/3.0/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" identifier="m"><name>M</name><elements>
<element identifier="a" xsi:type="Capability"><name>A</name></element>
<element identifier="b" xsi:type="Capability"><name>B</name></element>
<element identifier="c" xsi:type="Capability"><name>C</name></element></elements><relationships>
<relationship identifier="1" source="a" target="b" xsi:type="Composition"/><relationship identifier="2" source="b" target="c" xsi:type="Composition"/><relationship identifier="3" source="c" target="a" xsi:type="Composition"/></relationships></model>`
	p := run(t, "ring.xml", []byte(ring), fstest.MapFS{})
	if p.Taken != 3 || !strings.Contains(fmt.Sprint(p.Problems), "row 2, A: it is a part of itself") {
		t.Errorf("%d taken, %v", p.Taken, p.Problems)
	}
}

func TestRefused(t *testing.T) {
	const head = `<model xmlns="http://www.opengroup.org/xsd/archimate/3.0/"><name>M</name>`
	for name, c := range map[string]struct {
		data io.Reader
		want string
		kind reeve.Kind
	}{
		"empty":           {strings.NewReader(""), "is empty", reeve.Invalid},
		"billion laughs":  {strings.NewReader(`<!DOCTYPE m [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><model>&b;</model>`), "line 1 declares a document type", reeve.Invalid},
		"external entity": {strings.NewReader("<?xml version=\"1.0\"?>\n<!DOCTYPE m [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>\n<model>&x;</model>"), "line 2 declares a document type", reeve.Invalid},
		"an entity":       {strings.NewReader(head + "&x;</model>"), "cannot be read as XML", reeve.Invalid},
		"deep":            {strings.NewReader(head + strings.Repeat("<a>", 5000)), "nested more than 200", reeve.TooLarge},
		"huge attribute":  {strings.NewReader(`<model name="` + strings.Repeat("x", 1<<20) + `"/>`), "attribute of 1024 kB", reeve.TooLarge},
		"huge text":       {strings.NewReader(head + strings.Repeat("x", 1<<20) + "</model>"), "text of more than", reeve.TooLarge},
		"1 GB":            {io.LimitReader(spaces{}, 1<<30), "larger than 64 MB", reeve.TooLarge},
		"other XML":       {strings.NewReader("<html/>"), "begins with <html>", reeve.Invalid},
		"cut off":         {strings.NewReader(head), "cannot be read as XML", reeve.Invalid},
		"junk":            {bytes.NewReader([]byte{0, 1, 2, 0xff}), "cannot be read as XML", reeve.Invalid},
		"no elements":     {strings.NewReader(head + "</model>"), "has no elements", reeve.Invalid},
		"encoding":        {strings.NewReader(`<?xml version="1.0" encoding="EBCDIC"?><model/>`), "EBCDIC", reeve.Invalid},
		"another zip":     {bytes.NewReader(zipOf(t, "a.txt", []byte("a"))), "not one that Archi wrote", reeve.Invalid},
		"zip bomb":        {bytes.NewReader(zipOf(t, "model.xml", bytes.Repeat([]byte(" "), 70<<20))), "when unpacked", reeve.TooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := archimate.Source.Read(context.Background(), importer.Input{Name: "model", Reader: c.data})
			if err == nil || !strings.Contains(err.Error(), c.want) || reeve.KindOf(err) != c.kind {
				t.Errorf("got %v", err)
			}
		})
	}
}

type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

func zipOf(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
