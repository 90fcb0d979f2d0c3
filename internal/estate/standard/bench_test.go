package standard_test

import (
	"context"
	"testing"

	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/standard/sample"
)

// BenchmarkJudge holds 10,000 systems, 50,000 interfaces and flows and 200,000
// assets, beside the rest, to all 52 standards.
func BenchmarkJudge(b *testing.B) {
	p := library(b)
	ts := sample.Estate(p, 1)
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
