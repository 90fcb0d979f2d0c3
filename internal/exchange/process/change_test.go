package process_test

import (
	"bytes"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/process"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// What was made for one system is never sent to another, whatever the process has
// become while it waited.
func TestChangedStepsGetNoBodyOfAnother(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use("  - {flow: flow-tax}\n")
		r.town.set("/tax", always(503, ""))
		r.accept("M1")
		r.settle()
		r.use("  - {flow: flow-library}\n  - {flow: flow-tax}\n")
		r.town.set("/tax", nil)
		r.now = r.now.Add(time.Minute)
		r.settle()
		for _, s := range r.town.got["/library"] {
			if strings.Contains(s.body, "answers") {
				t.Errorf("the library got what was made for the tax office: %s", s.body)
			}
		}
		if len(r.town.got["/library"]) != 1 || len(r.town.got["/tax"]) != 1 {
			t.Errorf("taken: %v", r.town.got)
		}
	})
}

// Where nobody knows whether a step was done that is another by now, a person decides.
func TestChangedStepsLeaveWhatIsUnclearToAPerson(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use("  - {flow: flow-tax}\n")
		r.town.set("/tax", always(599, "")) // it took it, and said something else
		rec := r.accept("M1")[0]
		r.settle()
		r.use("  - {flow: flow-library}\n")
		r.now = r.now.Add(time.Minute)
		r.settle()
		if len(r.town.got["/library"]) != 0 {
			t.Error("nobody was asked")
		}
		if err := r.runner.Decide(t.Context(), reeve.Actor{ID: "staff/1"}, "proc-move", rec.N, process.Again, ""); err != nil {
			t.Fatal(err)
		}
		r.settle()
		if got := r.town.got["/library"]; len(got) != 1 || strings.Contains(got[0].body, "answers") {
			t.Errorf("%v", got)
		}
	})
}

// An agreement that ends while a run is under way ends it before its next step.
func TestNoStepAfterTheAgreementEnded(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(houseMove)
		r.town.set("/addresses", func(string) (int, string) {
			body := bytes.Replace(r.src["body.yaml"].Data, []byte("ends: 2026-12-31"), []byte("ends: 2026-01-31"), 1)
			r.src["body.yaml"] = &fstest.MapFile{Data: body}
			r.load()
			return 200, `{"uprn":"100","valid":true}`
		})
		r.accept("M1")
		r.settle()
		if got := r.town.paths(); len(got) != 1 {
			t.Errorf("told after the agreement ended: %q", got)
		}
	})
}

// However many runs wait for a person, others begin.
func TestRunsThatWaitForAPersonHoldUpNoOther(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use("  - {flow: flow-library}\n")
		recs := r.accept("M1")
		r.settle()
		r.check(r.db.Update(t.Context(), func(tx *store.Tx) error {
			for i := range 1000 {
				if _, err := tx.Exec(`insert into process_run (process, n, record, lane, state, step, generation, tries, due, since, began, settled, why, kept)
					values ('proc-move', ?, ?, '', 'stuck', 0, 0, 0, 0, 0, 1, 0, '', null)`, int64(1_000_000+i), string(recs[0].ID)); err != nil {
					return err
				}
			}
			return nil
		}))
		r.accept("M2")
		r.settle()
		if n := len(r.town.got["/library"]); n != 2 {
			t.Errorf("%d of 2 were told", n)
		}
	})
}
