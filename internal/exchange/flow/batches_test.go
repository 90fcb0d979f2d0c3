package flow_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// One step takes up several batches. A batch that cannot be committed takes those
// behind it back with it, though they were prepared, and nothing is lost, told twice
// or out of order when it can.
func TestABatchThatCannotBeCommitted(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		dir := t.TempDir()
		r.env["TAX"] = "file://" + dir
		r.noPark = errors.New("the disk is full")
		r.use("strict", toTax(`
style: file
address: env:TAX
format: ndjson
records: [rec-exemption.v1]
repeat: key`, `map: death.blobl
target: rec-exemption.v1`), map[string]string{"death.blobl": `root.who = this.name
root.id = this.id`})
		bodies := deaths(3500)
		bodies[2700] = strings.Replace(bodies[2700], `"name":"Person 2701",`, ``, 1) // its map fails
		recs := r.accept(bodies...)
		if _, err := r.runner.Step(t.Context()); err == nil || !strings.Contains(err.Error(), "the disk is full") {
			t.Fatalf("the step says %v", err)
		}
		if n := r.count("disclosing", ""); n != 2000 {
			t.Fatalf("%d records passed the one that could not be parked", n)
		}
		r.noPark = nil
		r.settle()
		if s := r.stat(); s.Delivered != 3499 || s.Parked != 1 {
			t.Errorf("%+v", s)
		}
		got := lines(t, dir)
		for i, l := range got {
			n := i
			if i >= 2700 {
				n++
			}
			if !strings.Contains(l, `"id":"d`+strings.TrimPrefix(recs[n].Key, "R")+`"`) {
				t.Fatalf("line %d is %s, not of %s", i, l, recs[n].Key)
			}
		}
		if len(got) != 3499 || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 3499 {
			t.Errorf("%d lines were written", len(got))
		}
		if a, b := r.count("disclosing", ""), r.count("delivered", ""); a != 3499 || b != 3499 {
			t.Errorf("%d disclosed and %d delivered in the journal", a, b)
		}
	})
}
