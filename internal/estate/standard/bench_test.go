package standard_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/reeve-civic/reeve/internal/estate/standard"
)

// volumes are how many of each kind a large estate has.
var volumes = map[string]int{
	"System": 10_000, "Component": 10_000, "SupplierContract": 10_000, "Interface": 20_000, "Flow": 30_000, "ObservedFlow": 100, "Service": 1_000, "RecordType": 500,
	"Asset": 200_000, "LedgerLine": 50_000, "Organisation": 500, "IntakeRequest": 500, "Board": 10, "Standard": 52, "Waiver": 100,
}

// estate is tables of things made of the examples of the library, turn by turn,
// with numbers that vary from one to the next.
func estate(p *standard.Pack) (ts standard.Tables) {
	for kind, n := range volumes {
		var selves []map[string]any
		for i := range 37 {
			spec := map[string]any{}
			for _, std := range p.Standards {
				if std.Spec.Applies.Kind == kind {
					x := examples[std.Code()]
					merge(spec, [3][2]map[string]any{x.pass, x.fail, x.unknown}[(i+len(std.ID))%3][0])
				}
			}
			selves = append(selves, map[string]any{"metadata": m("id", "x"), "spec": spec})
		}
		ids, names := make([]string, n), make([]string, n)
		for i := range ids {
			ids[i], names[i] = fmt.Sprintf("%s-%06d", kind, i), "Name"
		}
		t := standard.NewTable(kind, ids, names, func(i int) map[string]any { return selves[i%len(selves)] })
		for _, std := range p.Standards {
			if std.Spec.Applies.Kind != kind {
				continue
			}
			x := examples[std.Code()]
			for i := range n {
				for name, v := range [3][2]map[string]any{x.pass, x.fail, x.unknown}[i%3][1] {
					if k, ok := v.(int); ok {
						v = int64(k + i%97) // as days vary
					}
					t.Set(i, name, v)
				}
				if kind == "System" {
					t.Set(i, "ours", true)
					t.Set(i, "inUse", i%11 > 0)
				}
			}
		}
		ts = append(ts, t)
	}
	return ts
}

func merge(into, from map[string]any) {
	for k, v := range from {
		a, okA := into[k].(map[string]any)
		b, okB := v.(map[string]any)
		if okA && okB {
			a = clone(a)
			merge(a, b)
			v = a
		}
		into[k] = v
	}
}

func clone(m map[string]any) map[string]any {
	out := map[string]any{}
	merge(out, m)
	return out
}

// BenchmarkJudge holds 10,000 systems, 50,000 interfaces and flows and 200,000
// assets, beside the rest, to all 52 standards.
func BenchmarkJudge(b *testing.B) {
	p := library(b)
	ts := estate(p)
	b.ReportAllocs()
	findings := 0
	for b.Loop() {
		o, err := p.Judge(context.Background(), ts, now)
		if err != nil {
			b.Fatal(err)
		}
		findings = 0
		for i := range o.Standings {
			findings += o.Standings[i].About()
		}
	}
	b.ReportMetric(float64(findings), "findings")
	b.ReportMetric(float64(findings)*float64(b.N)/b.Elapsed().Seconds(), "findings/s")
}

// BenchmarkLibrary makes the library ready.
func BenchmarkLibrary(b *testing.B) {
	set := empty(b)
	for b.Loop() {
		if _, err := standard.Library(set); err != nil {
			b.Fatal(err)
		}
	}
}
