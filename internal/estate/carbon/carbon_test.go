package carbon_test

import (
	"math"
	"os"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/carbon"
	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

var day = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

func snapshot(t testing.TB, files fstest.MapFS, inv *inventory.Inventory, fill ...func(*register.Snapshot)) *register.Snapshot {
	t.Helper()
	return estatetest.Small{FS: files, Inventory: inv, Fill: fill, At: day}.Snapshot(t)
}

func published(t testing.TB) []byte {
	t.Helper()
	b, err := os.ReadFile("../../../demo/body/estate/carbon.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const body = `apiVersion: reeve/v1
kind: Site
metadata: {id: site-hall}
spec: {country: GBR}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-ledger, name: Ledger}
spec: {hosting: on-premise, users: 100}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-forms, name: Forms}
spec: {hosting: saas, users: 50}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-dark, name: Dark}
spec: {}
---
apiVersion: reeve/v1
kind: SupplierContract
metadata: {id: con-ledger, name: Ledger}
spec: {systems: [sys-ledger], cost: [{annual: 10000, pool: software}, {annual: 5000, pool: hardware}]}
---
apiVersion: reeve/v1
kind: SupplierContract
metadata: {id: con-forms, name: Forms}
spec: {systems: [sys-forms], term: {starts: 2026-06-01}, cost: [{annual: 2000, pool: software}, {annual: 100, pool: telecoms}]}
---
apiVersion: reeve/v1
kind: SupplierContract
metadata: {id: con-old, name: Old}
spec: {systems: [sys-forms], term: {ends: 2025-12-31}, cost: [{annual: 8000, pool: software}]}
`

func on(s string) def.Date { d, _ := def.ParseDate(s); return d }

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 0.005 {
		t.Errorf("%s is %.3f, want %.3f", what, got, want)
	}
}

// TestPublishedFactors works a small estate out by hand with the factors that the
// demo declares.
func TestPublishedFactors(t *testing.T) {
	inv := &inventory.Inventory{Assets: []inventory.Asset{
		{ID: "a1", Type: "laptop", State: "in-use", Bought: on("2024-05-01"), Site: "site-hall"},
		{ID: "a2", Type: "laptop", State: "in-use", Bought: on("2019-05-01")}, // its making was counted by 2023
		{ID: "a3", Type: "laptop", State: "stock", Bought: on("2026-05-01")},
		{ID: "a4", Type: "laptop", State: "stolen"},
		{ID: "a5", Type: "printer", State: "in-use"}, // no factor: not known
		{ID: "s1", Type: "server", State: "in-use", Bought: on("2025-05-01"), Systems: []string{"sys-ledger"}, Contract: "con-ledger"},
	}, Points: []inventory.Point{{Series: "transactions/sys-ledger", On: on("2026-09-30"), Value: 4000}, {Series: "transactions/sys-ledger", On: on("2024-09-30"), Value: 9000}}}
	s := snapshot(t, fstest.MapFS{"a.yaml": {Data: []byte(body)}, "carbon.yaml": {Data: published(t)}}, inv, carbon.Fill)
	f := carbon.Of(s)
	near(t, "making", f.Sources[carbon.Making].Kg, 236.0/4*2+1215.0/5)
	near(t, "electricity", f.Sources[carbon.Electricity].Kg, (18.78*2+1528.62)*0.20707)
	near(t, "lowest electricity", f.Sources[carbon.Electricity].Low, (13*2+852.8)*0.176)
	near(t, "highest electricity", f.Sources[carbon.Electricity].High, (27.56*2+2764.22)*0.602137)
	near(t, "bought", f.Sources[carbon.Bought].Kg, (10000+2000)*0.1) // the server is counted by itself, the old contract is over
	if !f.Sources[carbon.Making].Lacks || !f.Sources[carbon.Bought].Lacks || !f.Total.Lacks {
		t.Error("what is not known is not said to lack")
	}
	if f.Assets != 5 || f.AssetsKnown != 4 || f.Contracts != 2 || f.ContractsKnown != 1 {
		t.Errorf("covered: %d of %d devices, %d of %d contracts", f.AssetsKnown, f.Assets, f.ContractsKnown, f.Contracts)
	}
	ledger, _ := f.System("sys-ledger")
	near(t, "the ledger", ledger.Amount.Kg, 1215.0/5+1528.62*0.20707+1000)
	near(t, "the ledger for one user", ledger.PerUser().Kg, ledger.Amount.Kg/100)
	near(t, "the ledger for one transaction", ledger.PerTransaction().Kg, ledger.Amount.Kg/4000)
	if f.Asset("a5").Known || f.Asset("nothing").Known || !f.Asset("a2").Known {
		t.Error("an asset without a factor is known, or one with it is not")
	}
	var sum float64
	for _, x := range f.Systems {
		sum += x.Amount.Kg
	}
	if sum > f.Total.Kg+0.01 {
		t.Errorf("the systems add up to %f, more than all: %f", sum, f.Total.Kg)
	}
	table := s.Tables.Of("System")
	for fact, want := range map[string]map[string]any{
		"carbonCoverage": {"sys-ledger": 1.0, "sys-forms": 0.5, "sys-dark": 0.0},
		"kgCo2ePerUser":  {"sys-forms": 4.0, "sys-dark": nil}, "kgCo2ePerUserLastYear": {"sys-forms": nil, "sys-dark": nil},
	} {
		for id, want := range want {
			if got, _ := table.Fact(table.Find(id), fact); got != want {
				t.Errorf("%s of %s is %v, want %v", fact, id, got, want)
			}
		}
	}
	cuts := f.Cuts()
	if len(cuts) == 0 || cuts[0].What != "Keep each server 6 years in place of 5" {
		t.Fatalf("%+v", cuts)
	}
	near(t, "a year more for the server", cuts[0].Saves.Kg, 1215.0/5-1215.0/6)
	for i := 1; i < len(cuts); i++ {
		if cuts[i].Saves.Kg > cuts[i-1].Saves.Kg {
			t.Error("the cuts are not in order")
		}
	}
	trend := carbon.Trend(s, 3)
	if len(trend) != 3 || trend[0].Year != 2024 || trend[2].Total != f.Total {
		t.Fatalf("%+v", trend)
	}
	near(t, "what the server of 2025 added", trend[1].Total.Kg-trend[0].Total.Kg, 1215.0/5+1528.62*0.20707)
}

// TestUsersTakeThePlaceOfMoney checks that hosted software with a figure for one
// user is not counted by its money too.
func TestUsersTakeThePlaceOfMoney(t *testing.T) {
	cloud := "apiVersion: reeve/v1\nkind: CarbonFactor\nmetadata: {id: co2-saas}\nspec: {about: cloud, of: saas, value: 3, low: 1, high: 9, year: 2025, source: made up for this test}\n"
	f := carbon.Of(snapshot(t, fstest.MapFS{"a.yaml": {Data: []byte(body)}, "b.yaml": {Data: []byte(cloud)}, "carbon.yaml": {Data: published(t)}}, nil))
	near(t, "hosted", f.Sources[carbon.Hosted].Kg, 150)
	near(t, "hosted at most", f.Sources[carbon.Hosted].High, 450)
	near(t, "bought", f.Sources[carbon.Bought].Kg, 10000*0.1+5000*0.536)
}

// TestNothingIsNotNought checks that without factors, or without an estate,
// nothing is known.
func TestNothingIsNotNought(t *testing.T) {
	s := snapshot(t, fstest.MapFS{"a.yaml": {Data: []byte(body)}}, &inventory.Inventory{Assets: []inventory.Asset{{ID: "a", Type: "laptop", State: "in-use"}}}, carbon.Fill)
	if f := carbon.Of(s); f.Total.Known || !strings.HasPrefix(f.Total.String(), "Not known") || f.Factors {
		t.Errorf("%+v", f.Total)
	}
	if _, ok := s.Tables.Of("System").Fact(0, "carbonCoverage"); ok {
		t.Error("coverage is known without factors")
	}
}

// TestSourcesDisagree holds the range of the grid to the sources that are declared.
func TestSourcesDisagree(t *testing.T) {
	inv := &inventory.Inventory{Assets: []inventory.Asset{{ID: "a", Type: "server", State: "in-use"}}}
	f := carbon.Of(snapshot(t, fstest.MapFS{"a.yaml": {Data: []byte(body)}, "carbon.yaml": {Data: published(t)}}, inv))
	for _, x := range f.Used {
		if x.Spec.About == "grid" {
			if x.ID != "co2-grid-gbr-desnz-2024" || len(x.Others) != 4 || x.High/x.Low < 2.8 {
				t.Errorf("%s with %d others, %g to %g", x.ID, len(x.Others), x.Low, x.High)
			}
			return
		}
	}
	t.Error("no grid factor was used")
}
