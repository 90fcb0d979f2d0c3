package risk_test

import (
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/risk"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// TestBillsOfTheFolder checks that what a component's own file lists counts, and
// that a file that cannot be read is told.
func TestBillsOfTheFolder(t *testing.T) {
	const bill = `{"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "components": [{"type": "library", "name": "log4j-core", "group": "org.apache.logging.log4j", "version": "2.14.1"}]}`
	const defs = "apiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-a, name: A}\nspec: {}\n---\napiVersion: reeve/v1\nkind: Component\nmetadata: {id: cmp-a, name: Part}\nspec: {system: sys-a, sbom: a.cdx.json}\n---\napiVersion: reeve/v1\nkind: Component\nmetadata: {id: cmp-b, name: Other}\nspec: {system: sys-a, sbom: b.cdx.json}\n"
	set, problems := def.Load(fstest.MapFS{"a.yaml": {Data: []byte(defs)}, "a.cdx.json": {Data: []byte(bill)}, "b.cdx.json": {Data: []byte("{broken")}}, def.NewRegistry(estatetest.Kinds()...))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	m, problems := register.Compile(set)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r := risk.New(register.New(register.Parts{Model: m, Inventory: &inventory.Inventory{}, At: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)}))
	parts := r.OfComponent("cmp-a")
	if last := len(parts) - 1; last < 0 || parts[last].Name != "org.apache.logging.log4j/log4j-core" || parts[last].Version != "2.14.1" {
		t.Errorf("made of %v", parts)
	}
	if r.Unread["b.cdx.json"] == "" || r.Unread["a.cdx.json"] != "" {
		t.Errorf("not read: %v", r.Unread)
	}
}
