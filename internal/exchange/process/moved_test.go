package process_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/process"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

const (
	taxStep      = "  - {flow: flow-tax, undo: flow-tax-undo}\n"
	registerStep = "  - {flow: flow-register, undo: flow-register-undo}\n"
	libraryStep  = "  - {flow: flow-library}\n"
)

// stands is the state of the only run, and why.
func (r *rig) stands() (state, why string) {
	r.t.Helper()
	r.check(r.db.View(r.t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow(`select state, why from process_run`).Scan(&state, &why)
	}))
	return state, why
}

// later has what waits tried again.
func (r *rig) later() {
	r.now = r.now.Add(10 * time.Minute)
	r.settle()
}

// Steps that are moved while a run is under way are each done once, those that come
// are done, too, and what was done is undone wherever it stands.
func TestMovedStepsAreDoneOnce(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string
		want          []string
	}{
		"turned round":     {taxStep + registerStep + libraryStep, libraryStep + registerStep + taxStep, []string{"/library", "/register", "/tax"}},
		"moved to the end": {taxStep + registerStep + libraryStep, registerStep + libraryStep + taxStep, []string{"/library", "/register", "/tax"}},
		"one came before":  {taxStep + registerStep, libraryStep + taxStep + registerStep, []string{"/library", "/register", "/tax"}},
		"the last is gone": {taxStep + registerStep + libraryStep, taxStep + registerStep, []string{"/register", "/tax"}},
		"the done is gone": {taxStep + registerStep + libraryStep, registerStep + libraryStep, []string{"/library", "/register", "/tax"}},
	} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				r.use(c.before)
				r.town.set("/register", always(503, ""))
				r.accept("M1")
				r.settle()
				if state, why := r.stands(); state != "running" {
					t.Fatal(state, why)
				}
				r.use(c.after)
				r.town.set("/register", nil)
				r.later()
				state, why := r.stands()
				got := []string{}
				for _, at := range []string{"/library", "/register", "/tax"} {
					for range r.town.got[at] {
						got = append(got, at)
					}
				}
				if state != "done" || !slices.Equal(got, c.want) {
					t.Errorf("%s %s: %q, want %q", state, why, got, c.want)
				}
			})
		})
	}
}

// What was done before the steps were moved is undone when a later step fails.
func TestMovedStepsAreUndone(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(taxStep + registerStep + libraryStep)
		r.town.set("/library", always(503, ""))
		r.accept("M1")
		r.settle()
		r.use(libraryStep + registerStep + taxStep)
		r.town.set("/library", always(422, ""))
		r.later()
		state, why := r.stands()
		if state != "undone" || len(r.town.got["/tax/undo"]) != 1 || len(r.town.got["/register/undo"]) != 1 || len(r.town.got["/tax"]) != 1 {
			t.Errorf("%s %s: %v", state, why, r.town.got)
		}
	})
}

// Where the step under way is gone a person is told so, and says whether it was done.
func TestStepUnderWayIsGone(t *testing.T) {
	for _, what := range []process.Decision{process.Again, process.Arrived} {
		t.Run(string(what), func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				r.use(taxStep + registerStep + libraryStep)
				r.town.set("/register", always(503, ""))
				rec := r.accept("M1")[0]
				r.settle()
				r.use(taxStep + libraryStep)
				r.later()
				state, why := r.stands()
				if state != "unsure" || !strings.Contains(why, "flow-register was under way, and this process has it no more") || len(r.town.got["/library"]) != 0 {
					t.Fatal(state, why, r.town.got)
				}
				r.later()
				if again, _ := r.stands(); again != "unsure" {
					t.Fatal("it does not wait for a person:", again)
				}
				if err := r.runner.Decide(t.Context(), reeve.Actor{ID: "staff/1"}, "proc-move", rec.N, what, ""); err != nil {
					t.Fatal(err)
				}
				r.settle()
				if state, why = r.stands(); state != "done" || len(r.town.got["/library"]) != 1 || len(r.town.got["/tax"]) != 1 {
					t.Errorf("%s %s: %v", state, why, r.town.got)
				}
			})
		})
	}
}

// What was done by a step that is gone is not forgotten when a later one fails: a
// person undoes it by hand.
func TestDoneStepIsGone(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(taxStep + registerStep + libraryStep)
		r.town.set("/library", always(503, ""))
		rec := r.accept("M1")[0]
		r.settle()
		r.use(registerStep + libraryStep)
		r.town.set("/library", always(422, ""))
		r.later()
		state, why := r.stands()
		if state != "stuck" || !strings.Contains(why, "flow-tax was done, and this process has it no more") || len(r.town.got["/register/undo"]) != 1 {
			t.Fatal(state, why, fmt.Sprint(r.town.got))
		}
		decide := func(what process.Decision, reason string) error {
			return r.runner.Decide(t.Context(), reeve.Actor{ID: "staff/1"}, "proc-move", rec.N, what, reason)
		}
		if err := decide(process.ByHand, ""); reeve.KindOf(err) != reeve.Invalid {
			t.Errorf("without a reason: %v", err)
		}
		if err := decide(process.Again, ""); err != nil {
			t.Fatal(err)
		}
		r.settle()
		if state, _ := r.stands(); state != "stuck" {
			t.Errorf("tried again it is %s", state)
		}
		if err := decide(process.ByHand, "called the tax office"); err != nil {
			t.Fatal(err)
		}
		r.settle()
		if state, why := r.stands(); state != "undone" {
			t.Errorf("%s %s", state, why)
		}
	})
}
