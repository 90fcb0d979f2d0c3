package estatetest_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// TestTheSameEveryTime makes an estate twice.
func TestTheSameEveryTime(t *testing.T) {
	size := estatetest.Large.Over(200)
	a, b := size.Definitions(), size.Definitions()
	for name, f := range a {
		if !bytes.Equal(f.Data, b[name].Data) {
			t.Errorf("%s differs", name)
		}
	}
	if !reflect.DeepEqual(size.Declared(nil), size.Declared(nil)) || !reflect.DeepEqual(size.Inventory(), size.Inventory()) {
		t.Error("interfaces, flows or assets differ")
	}
	s := size.Snapshot(t)
	if len(s.Systems) != size.Systems || len(s.Flows) != size.Flows || len(s.Assets) != size.Assets {
		t.Errorf("%d systems, %d flows, %d assets, want %+v", len(s.Systems), len(s.Flows), len(s.Assets), size)
	}
}

// BenchmarkSnapshot reads and joins the estate for which the speed is promised,
// without the standards.
func BenchmarkSnapshot(b *testing.B) {
	size := estatetest.Large
	fsys, inv := size.Definitions(), size.Inventory()
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			if _, problems := def.Load(fsys, def.NewRegistry(estatetest.Kinds()...)); len(problems) > 0 {
				b.Fatal(problems[0])
			}
		}
	})
	set, _ := def.Load(fsys, def.NewRegistry(estatetest.Kinds()...))
	declared, observed := size.Declared(set), size.Observed()
	b.Run("join", func(b *testing.B) {
		for b.Loop() {
			m, _ := register.Compile(set)
			register.New(register.Parts{Model: m, Inventory: inv, Declared: declared, Observed: observed, At: estatetest.Today})
		}
	})
}
