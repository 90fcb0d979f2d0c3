package process

import (
	"context"
	"slices"

	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// A process may be changed while its runs are under way: steps are moved, come and go.
// What became of a step is known by its flow, so each step is done once wherever it
// stands by then. A run is at an end when every step of the process, as it is now, was
// done. Where the step under way is there no more, a person says whether it was done.

// index is where the step of a flow stands by now, -1 if it is not there any more.
func (p *Process) index(id string) int {
	return slices.IndexFunc(p.Steps, func(st ReadyStep) bool { return is(st.Flow, id) })
}

// same reports whether two ids are those of one flow.
func (p *Process) same(a, b string) bool {
	return a == b || p.index(a) >= 0 && p.index(a) == p.index(b)
}

// settled reports whether a step, or its undoing, needs nothing more.
func settled(rows []stepRow, f *flow.Flow, undo bool) bool {
	return slices.ContainsFunc(rows, func(s stepRow) bool {
		return s.undo == undo && is(f, s.flow) && (s.state == "done" || s.state == "skipped")
	})
}

// happened reports whether a step was done, or may have been.
func (s stepRow) happened() bool { return !s.undo && (s.state == "done" || s.state == "maybe") }

// atFlow is the flow of the step that the run is at.
func (w *work) atFlow() string {
	if w.r.step >= 0 && w.r.step < len(w.p.Steps) {
		return w.p.Steps[w.r.step].Flow.ID
	}
	return w.r.at
}

// put writes down what became of a step, or of its undoing: in the place that the
// step had before, or in one that no other has.
func (w *work) put(tx *store.Tx, row stepRow) error {
	rows, err := stepsOf(tx, w.r.process, w.r.n)
	if err != nil {
		return err
	}
	step := row.flow
	if row.undo {
		step = w.atFlow()
	}
	row.step = -1
	free, last := w.r.step >= 0, -1
	for _, s := range rows {
		if !s.undo && w.p.same(s.flow, step) {
			row.step = s.step
		}
		free, last = free && s.step != w.r.step, max(last, s.step)
	}
	switch {
	case row.step >= 0:
	case free:
		row.step = w.r.step
	default:
		row.step = last + 1
	}
	return setStep(tx, w.r, row)
}

// locate puts the run at its step where the process was changed, or hands it to a
// person where that step is gone.
func (w *work) locate(ctx context.Context) error {
	r := w.r
	i := w.p.index(r.at)
	switch {
	case r.at == "" || i == r.step:
		return nil
	case i >= 0:
		return w.write(ctx, func(*store.Tx) error { r.step = i; return nil })
	case r.state == Undoing || r.kept.Body == nil: // nothing of it is under way
		return w.next(ctx)
	}
	gone := r.at
	return w.write(ctx, func(tx *store.Tx) error {
		r.step, r.state, r.tries = -1, Unsure, 0
		r.kept.Body, r.kept.Flow, r.kept.Trying, r.kept.Maybe = nil, "", false, false
		r.why = "the step " + gone + " was under way, and this process has it no more. Find out whether its system has the record; tried again, the run goes on without this step"
		if err := w.put(tx, stepRow{flow: gone, state: "unsure", why: r.why}); err != nil {
			return err
		}
		_, err := w.d.o.Journal.Append(tx, w.entry("uncertain", gone, "the step is gone"))
		return err
	})
}

// orphan is a step that was done and that the process has no more, so that nobody
// knows how it is undone.
func (p *Process) orphan(rows []stepRow) (flow string, found bool) {
	for _, s := range rows {
		undone := slices.ContainsFunc(rows, func(u stepRow) bool { return u.undo && u.step == s.step && (u.state == "done" || u.state == "skipped") })
		if s.happened() && p.index(s.flow) < 0 && !undone {
			return s.flow, true
		}
	}
	return "", false
}

// placed are the rows of a run as its steps stand by now.
func (p *Process) placed(rows []stepRow, err error) ([]stepRow, error) {
	for i, s := range rows {
		rows[i].step = slices.IndexFunc(p.Steps, func(st ReadyStep) bool {
			return !s.undo && is(st.Flow, s.flow) || s.undo && st.Undo != nil && is(st.Undo, s.flow)
		})
	}
	return rows, err
}
