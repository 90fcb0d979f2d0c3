package process_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// other is a second process for the same records.
const other = "---\napiVersion: reeve/v1\nkind: Process\nmetadata: {id: proc-other, name: Other}\n" +
	"spec: {record: rec-move.v1, start: beginning, steps: [{flow: flow-library}]}\n"

// through is a sink made of a function.
type through func(it connector.Item) connector.Result

func (through) Whole() bool { return false }

func (fn through) Send(_ context.Context, items []connector.Item) []connector.Result {
	return []connector.Result{fn(items[0])}
}

// A system that never answers holds up the processes that it is a step of, and no other.
func TestASilentSystemHoldsUpNoOtherProcess(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(taxStep, other)
		asked, answer := make(chan bool, 100), make(chan bool)
		r.runner.Through("flow-tax", through(func(connector.Item) connector.Result {
			asked <- true
			<-answer
			return connector.Result{Outcome: connector.Delivered}
		}), "key")
		taken := func(want int) {
			t.Helper()
			for end := time.Now().Add(5 * time.Minute); len(r.town.paths()) < want; {
				if _, err := r.runner.Step(t.Context()); err != nil {
					t.Fatal(err)
				}
				if time.Now().After(end) {
					t.Fatalf("taken: %q, want %d", r.town.paths(), want)
				}
			}
		}
		r.accept("M1", "M2")
		taken(2)
		<-asked
		r.accept("M3")
		taken(3)
		close(answer)
		r.settle()
		if state, why := r.stands(); state != "done" {
			t.Error(state, why)
		}
	})
}

// A run that cannot be dealt with holds up no other, of its process or of another.
func TestARunThatFailsHoldsUpNoOther(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(taxStep, other)
		recs := r.accept("M1", "M2")
		r.runner.Through("flow-tax", through(func(it connector.Item) connector.Result {
			if it.ID == string(recs[0].ID) {
				panic("the connector gave up")
			}
			return connector.Result{Outcome: connector.Delivered}
		}), "key")
		r.check(r.db.Update(t.Context(), func(tx *store.Tx) error { // its record is gone from the log
			_, err := tx.Exec(`insert into process_run (process, n, record, lane, state, step, generation, tries, due, since, began, settled, why, kept)
				values ('proc-other', 1000, 'r1-1000', '', 'running', 0, 0, 0, 0, 0, 1, 0, '', null)`)
			return err
		}))
		r.settle()
		states := map[string]string{}
		r.check(r.db.View(t.Context(), func(tx *store.Tx) error {
			rows, err := tx.Query(`select process, record, state, why from process_run`)
			_, err = store.List(rows, err, func(from func(...any) error) (struct{}, error) {
				var process, record, state, why string
				err := from(&process, &record, &state, &why)
				states[process+" "+record] = strings.TrimSpace(state + " " + why)
				return struct{}{}, err
			})
			return err
		}))
		failed := "running something went wrong here; see the log"
		for of, want := range map[string]string{
			"proc-move " + string(recs[0].ID): failed, "proc-move " + string(recs[1].ID): "done", "proc-other r1-1000": failed,
			"proc-other " + string(recs[0].ID): "done", "proc-other " + string(recs[1].ID): "done",
		} {
			if states[of] != want {
				t.Errorf("%s is %q, want %q", of, states[of], want)
			}
		}
	})
}

// What was not tried leaves no doubt, also where a repeat would do harm.
func TestWhatWasNotTriedIsTried(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use("  - {flow: flow-odd}\n")
		tries := 0
		r.runner.Through("flow-odd", through(func(connector.Item) connector.Result {
			if tries++; tries == 1 {
				return connector.Result{Outcome: connector.Untried} // the program is being stopped
			}
			return connector.Result{Outcome: connector.Delivered}
		}), "none")
		r.accept("M1")
		r.settle()
		if state, why := r.stands(); state != "done" || tries != 2 {
			t.Error(state, why, tries)
		}
	})
}

// The trail of a record knows a step whose flow has another id by now.
func TestTrailKnowsRenamedFlows(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(libraryStep)
		rec := r.accept("M1")[0]
		r.settle()
		yaml := string(r.src["body.yaml"].Data)
		yaml = strings.Replace(yaml, "{id: flow-library, ", "{id: flow-books, formerly: [flow-library], ", 1)
		r.src["body.yaml"].Data = []byte(strings.Replace(yaml, "{flow: flow-library}", "{flow: flow-books}", 1))
		r.load()
		legs, err := r.runner.Trail(t.Context(), rec.N, rec.Type)
		r.check(err)
		if len(legs) != 1 || legs[0].Flow != "flow-books" || legs[0].State != "delivered" {
			t.Errorf("%+v", []flow.Leg(legs))
		}
	})
}
