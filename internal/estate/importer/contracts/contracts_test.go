package contracts_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/contracts"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

var registry = def.NewRegistry(estate.Kinds()...)

// register has the headings that the transparency code asks for.
const register = `Contracts register,,,,,,,
Reference number,Title of agreement,Local authority department,Supplier name and details,Start date,End date,Sum to be paid,System
C-1,Revenues software,Finance,Yarrow Software Ltd,01/04/2024,31/03/2027,"£300,000",Revenues; Benefits
C-2,Mobile phones,Digital,Voxline plc,01/01/2025,31/12/2025,12000,
C-3,Rolling licence,Digital,yarrow software ltd,,,"£5,000",Revenues
C-1,Again,Finance,Another,01/04/2024,31/03/2027,1,
,,,Total,,,"£317,000",
C-4,Backwards,Finance,Voxline plc,01/01/2026,31/12/2025,=SUM(A1),
C-2,Mobile phones,Digital,Voxline plc,01/01/2025,31/12/2025,12000,
`

func run(t *testing.T, text string, folder fstest.MapFS) *importer.Prepared {
	t.Helper()
	if !contracts.Source.Detect([]byte(text), "x.csv") {
		t.Error("the register is not recognised")
	}
	p, err := importer.Prepare(context.Background(), contracts.Source, importer.Input{Name: "register.csv", Reader: strings.NewReader(text)}, folder, registry, importer.Nothing)
	if err != nil {
		t.Fatal(err)
	}
	if p.Rows != p.Taken+p.Repeated+p.Failed+p.Skipped {
		t.Errorf("%d rows are not %d taken, %d repeated, %d failed", p.Rows, p.Taken, p.Repeated, p.Failed)
	}
	for name, b := range p.Files {
		folder[name] = &fstest.MapFile{Data: b}
	}
	return p
}

func TestRegister(t *testing.T) {
	folder := fstest.MapFS{"us.yaml": {Data: []byte("apiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-old-revenues, name: Revenues}\nspec: {}\n")}}
	p := run(t, register, folder)
	if p.Rows != 7 || p.Taken != 4 || p.Failed != 2 || p.Repeated != 1 {
		t.Errorf("%d rows: %d taken, %d failed, %d repeated", p.Rows, p.Taken, p.Failed, p.Repeated)
	}
	set, problems := def.Load(folder, registry)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	one, _ := def.Get[supplier.Spec](set, "con-c-1")
	if minor, _ := one.Spec.Minor(); fmt.Sprint(one.Spec.Systems) != "[sys-old-revenues sys-benefits]" || minor != 10_000_000 || one.Spec.Supplier != "org-yarrow-software-ltd" || one.Labels["department"] != "Finance" {
		t.Errorf("%+v, %d, %v", one.Spec, minor, one.Labels)
	}
	if n := len(def.All[organisation.Spec](set)); n != 2 {
		t.Errorf("%d suppliers", n)
	}
	told := fmt.Sprint(p.Problems)
	for _, want := range []string{"row 3, Sum to be paid: £300,000 for 1095 days was taken as £100000.00 a year", "row 5, Sum to be paid: it is the value of the whole contract", "row 6, Reference number: row 3 has the same reference", "looks like a total", "neither date was used", "holds a formula as text"} {
		if !strings.Contains(told, want) {
			t.Errorf("not told: %s\nin %s", want, told)
		}
	}
	if again := run(t, register, folder); len(again.Files) != 0 {
		t.Errorf("the second time: %v", again.Changes)
	}
	newer := run(t, strings.Replace(register, "Mobile phones,Digital,Voxline plc,01/01/2025,31/12/2025", "Mobile phones,Digital,Voxline plc,01/01/2025,31/12/2026", 1), folder)
	if newer.Changed != 1 || !strings.Contains(string(folder["estate/imported-contracts.yaml"].Data), "ends: 2026-12-31") {
		t.Errorf("%d changed: %+v", newer.Changed, newer.Changes)
	}
}
