package process

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// work is one run being moved on.
type work struct {
	d   *Runner
	set *Set
	p   *Process
	r   *run
	rec reclog.Record
}

// safely is move; a fault of ours, or of a connector, costs this run alone.
func (w *work) safely(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return w.move(ctx)
}

// move moves the run on, step by step, until it ends or must wait.
func (w *work) move(ctx context.Context) (err error) {
	if w.rec, err = w.d.o.Log.Get(ctx, w.r.n); err != nil {
		return err
	}
	if err = w.locate(ctx); err != nil {
		return err
	}
	// With definitions that are no longer in force nothing is begun: an agreement may
	// have ended with them.
	for ctx.Err() == nil && w.d.Set() == w.set && (w.r.state == Running || w.r.state == Undoing) {
		f := w.flow()
		if f == nil {
			if err := w.next(ctx); err != nil {
				return err
			}
			continue
		}
		if waits, err := w.step(ctx, f); err != nil || waits {
			return err
		}
	}
	return nil
}

// flow is what the step under way, or its undoing, goes through; nil when there is
// nothing to do at this step.
func (w *work) flow() *flow.Flow {
	if w.r.step < 0 || w.r.step >= len(w.p.Steps) {
		return nil
	}
	if w.r.state == Undoing {
		return w.p.Steps[w.r.step].Undo
	}
	return w.p.Steps[w.r.step].Flow
}

// next goes over a step at which there is nothing to do, and ends the run after the last.
func (w *work) next(ctx context.Context) error {
	return w.write(ctx, func(tx *store.Tx) error { return w.advance(tx) })
}

// advance puts the run at its next step: the first that was not done, or the last
// that was done and not undone.
func (w *work) advance(tx *store.Tx) error {
	r := w.r
	r.tries, r.due, r.since = 0, time.Time{}, time.Time{}
	r.kept.Body, r.kept.Flow, r.kept.Trying, r.kept.Maybe = nil, "", false, false
	rows, err := stepsOf(tx, r.process, r.n)
	if err != nil {
		return err
	}
	if r.state == Running {
		for r.step = 0; r.step < len(w.p.Steps); r.step++ {
			if !settled(rows, w.p.Steps[r.step].Flow, false) {
				return nil
			}
		}
		return w.end(tx, Done, "completed")
	}
	for r.step = len(w.p.Steps) - 1; r.step >= 0; r.step-- {
		st := w.p.Steps[r.step]
		did := slices.ContainsFunc(rows, func(s stepRow) bool { return s.happened() && is(st.Flow, s.flow) })
		if did && st.Undo != nil && !settled(rows, st.Undo, true) {
			return nil
		}
	}
	if gone, found := w.p.orphan(rows); found {
		r.state, r.at = Stuck, gone
		r.why = "the step " + gone + " was done, and this process has it no more: it does not say how it is undone. Undo it by hand"
		_, err := w.d.o.Journal.Append(tx, w.entry("stuck", gone, "the step is gone"))
		return err
	}
	if err := w.end(tx, Undone, "undone"); err != nil {
		return err
	}
	return w.d.o.Park(tx, Failed{Process: r.process, N: r.n, Record: r.record, Problems: []reeve.Problem{{Message: r.why}}})
}

// is reports whether a flow has an id, or had it.
func is(f *flow.Flow, id string) bool { return f.ID == id || slices.Contains(f.Formerly, id) }

func (w *work) end(tx *store.Tx, s State, verb string) error {
	w.r.state, w.r.settled, w.r.kept = s, tx.Now, kept{}
	_, err := w.d.o.Journal.Append(tx, w.entry(verb))
	return err
}

// entry is about the run as a whole.
func (w *work) entry(verb string, why ...string) journal.Entry {
	return journal.Entry{Actor: "process/" + w.p.ID, Verb: verb, About: reeve.Ref("record/" + string(w.r.record)), Set: w.set.flows.Hash,
		Why: append([]string{"process " + w.p.ID}, why...), Digest: w.rec.Digest}
}

// write changes the run in one transaction. If that fails, the run is as it was.
func (w *work) write(ctx context.Context, fn func(tx *store.Tx) error) error {
	before := *w.r
	err := w.d.o.DB.Update(ctx, func(tx *store.Tx) error {
		*w.r = before
		now, err := w.d.runOf(tx, w.r.process, w.r.n)
		if err != nil {
			return err
		}
		if now.state != before.state || now.step != before.step || now.generation != before.generation {
			return errMoved
		}
		if err := fn(tx); err != nil {
			return err
		}
		return w.keep(tx)
	})
	if err != nil {
		*w.r = before
	}
	return err
}

// step does one step once, or what undoes it. waits tells that the run must rest.
func (w *work) step(ctx context.Context, f *flow.Flow) (waits bool, err error) {
	if ok, why := w.set.flows.Live(f, w.d.o.Now()); !ok {
		return true, w.rest(ctx, why, time.Minute)
	}
	s, err := w.d.sinkFor(f)
	if err != nil {
		return true, w.rest(ctx, reeve.Message(err), w.pause())
	}
	if w.r.kept.Body != nil && !is(f, w.r.kept.Flow) {
		return w.r.kept.Trying || w.r.kept.Maybe, w.remake(ctx, f)
	}
	again := w.r.kept.Body != nil
	if !again {
		if ready, err := w.freeze(ctx, f); err != nil || !ready {
			return false, err
		}
	}
	if w.r.kept.Trying { // this program did not live to see the end of it
		return true, w.unsure(ctx, f, "Reeve stopped while it was sending this")
	}
	if again || s.repeat == "none" { // nothing leaves while nothing can be written down
		if err := w.write(ctx, func(tx *store.Tx) error {
			w.r.kept.Trying = s.repeat == "none"
			_, err := w.d.o.Journal.Append(tx, w.set.flows.Entry(f, &w.rec, "attempting"))
			return err
		}); err != nil {
			return true, err
		}
	}
	answer, res := w.send(ctx, s)
	return w.outcome(context.WithoutCancel(ctx), f, s, answer, res)
}

// remake gives up a body that was made for another flow: the process was changed
// meanwhile, and nobody gets what was made for somebody else.
func (w *work) remake(ctx context.Context, f *flow.Flow) error {
	maybe := w.r.kept.Trying || w.r.kept.Maybe
	if err := w.write(ctx, func(*store.Tx) error {
		w.r.kept.Body, w.r.kept.Flow, w.r.kept.Trying, w.r.kept.Maybe = nil, "", false, false
		w.r.tries, w.r.since = 0, time.Time{}
		return nil
	}); err != nil || !maybe {
		return err
	}
	return w.unsure(ctx, f, "the process was changed while nobody knew whether the step that stood here had been done")
}

// freeze makes the step's body and stores it, with the entry that it is about to be
// disclosed. ready is false where there is nothing to send.
func (w *work) freeze(ctx context.Context, f *flow.Flow) (ready bool, err error) {
	var answers []flow.Answer
	for _, st := range w.p.Steps {
		if st.Answer != nil && w.r.kept.Answers[st.Answer.Name] != nil {
			answers = append(answers, flow.Answer{Name: st.Answer.Name, Type: st.answer.ID, Body: w.r.kept.Answers[st.Answer.Name]})
		}
	}
	made := w.set.flows.Prepare(ctx, f, w.d.o.Now(), &w.rec, answers)
	err = w.write(ctx, func(tx *store.Tx) error {
		switch made.Decision {
		case flow.Sent:
			ready = true
			w.r.kept.Body, w.r.kept.Flow, w.r.since = made.Body, f.ID, tx.Now
			_, err := w.d.o.Journal.Append(tx, w.set.flows.Entry(f, &w.rec, "disclosing"))
			return err
		case flow.Parked:
			return w.fail(tx, f, "it could not be prepared: "+problemText(made.Problems))
		}
		if err := w.put(tx, stepRow{undo: w.r.state == Undoing, flow: f.ID, state: "skipped", why: "it is not for this system"}); err != nil {
			return err
		}
		return w.advance(tx)
	})
	return ready, err
}

func problemText(ps []reeve.Problem) string {
	if len(ps) == 0 {
		return "nobody said why"
	}
	if ps[0].Path != "" {
		return ps[0].Path + ": " + ps[0].Message
	}
	return ps[0].Message
}

// send makes one attempt. The id of what is sent tells generations, and what undoes,
// apart from what they undo: no system may take the one for a repeat of the other.
func (w *work) send(ctx context.Context, s *sink) (answer []byte, r connector.Result) {
	id := string(w.r.record)
	if w.r.generation > 0 {
		id += "." + strconv.Itoa(w.r.generation)
	}
	if w.r.state == Undoing {
		id += ".undo"
	}
	it := connector.Item{ID: id, Key: w.rec.Key, Body: w.r.kept.Body}
	if w.r.state == Running && w.p.Steps[w.r.step].Answer != nil {
		c, ok := s.to.(connector.Caller)
		if !ok {
			return nil, connector.Result{Outcome: connector.Refused, Message: "its connector gives no answer"}
		}
		return c.Call(ctx, it)
	}
	return nil, s.to.Send(ctx, []connector.Item{it})[0]
}

// outcome writes down what became of an attempt.
func (w *work) outcome(ctx context.Context, f *flow.Flow, s *sink, answer []byte, res connector.Result) (waits bool, err error) {
	switch res.Outcome {
	case connector.Untried:
		return true, w.write(ctx, func(*store.Tx) error { w.r.kept.Trying = false; return nil })
	case connector.Delivered:
		return false, w.done(ctx, f, answer)
	case connector.Refused:
		return false, w.write(ctx, func(tx *store.Tx) error { return w.refused(tx, f, res.Message) })
	case connector.Unclear:
		if s.repeat == "none" {
			return true, w.unsure(ctx, f, res.Message)
		}
	}
	w.r.kept.Maybe = w.r.kept.Maybe || res.Outcome == connector.Unclear
	w.r.kept.Trying = false
	if w.r.state == Running && !w.r.since.IsZero() && w.d.o.Now().Sub(w.r.since) >= w.p.giveUp {
		return false, w.write(ctx, func(tx *store.Tx) error {
			return w.fail(tx, f, fmt.Sprintf("%s took nothing for %s: %s", f.To.SystemName, w.p.giveUp, res.Message))
		})
	}
	return true, w.rest(ctx, res.Message, max(res.RetryAfter, w.pause()))
}

// pause is how long to wait after so many attempts.
func (w *work) pause() time.Duration { return min(time.Second<<min(w.r.tries, 12), maxWait) }

// rest puts the run off.
func (w *work) rest(ctx context.Context, why string, pause time.Duration) error {
	return w.write(ctx, func(tx *store.Tx) error {
		w.r.tries++
		w.r.why, w.r.due = why, tx.Now.Add(pause)
		return nil
	})
}

// done is a step that its system took.
func (w *work) done(ctx context.Context, f *flow.Flow, answer []byte) error {
	bad := ""
	if st := w.p.Steps[w.r.step]; w.r.state == Running && st.Answer != nil {
		bad = w.judge(ctx, st, answer)
	}
	return w.write(ctx, func(tx *store.Tx) error {
		if _, err := w.d.o.Journal.Append(tx, w.set.flows.Entry(f, &w.rec, "delivered")); err != nil {
			return err
		}
		if err := w.put(tx, stepRow{undo: w.r.state == Undoing, flow: f.ID, state: "done"}); err != nil {
			return err
		}
		if w.r.state == Running {
			w.r.why = ""
			if bad != "" {
				return w.fail(tx, f, bad)
			}
			if st := w.p.Steps[w.r.step]; st.Answer != nil {
				if w.r.kept.Answers == nil {
					w.r.kept.Answers = map[string][]byte{}
				}
				w.r.kept.Answers[st.Answer.Name] = answer
			}
		}
		return w.advance(tx)
	})
}

// judge holds an answer against its record type and what is required of it. It
// returns what is wrong, without values.
func (w *work) judge(ctx context.Context, st ReadyStep, answer []byte) string {
	system := st.Flow.To.SystemName
	v, err := rawjson.Decode(answer)
	if err != nil {
		return system + " gave an answer that is not well-formed JSON"
	}
	if _, problems := st.answer.CheckValue(v); len(problems) > 0 {
		return system + " gave an answer that does not fit its record type: " + problemText(problems)
	}
	if st.require == nil {
		return ""
	}
	res, err := st.require.Eval(ctx, map[string]any{"answer": v})
	switch {
	case err != nil:
		return "what is required of the answer of " + system + " cannot be evaluated"
	case res.Truth != rules.True:
		return "the answer of " + system + " is not what this process requires: " + st.require.Source()
	}
	return ""
}

// refused is a step, or an undoing, that its system will never take.
func (w *work) refused(tx *store.Tx, f *flow.Flow, message string) error {
	if _, err := w.d.o.Journal.Append(tx, w.set.flows.Entry(f, &w.rec, "refused by the receiver")); err != nil {
		return err
	}
	return w.fail(tx, f, f.To.SystemName+" refused it: "+message)
}

// fail begins to undo what was done. Where it is an undoing that failed, a person must
// deal with it.
func (w *work) fail(tx *store.Tx, f *flow.Flow, why string) error {
	r := w.r
	row := stepRow{undo: r.state == Undoing, flow: f.ID, state: "failed", why: why}
	switch {
	case r.state == Undoing:
		r.state, r.why = Stuck, why
		if _, err := w.d.o.Journal.Append(tx, w.entry("stuck", f.ID)); err != nil {
			return err
		}
		return w.put(tx, row)
	case r.kept.Maybe: // it may have been done all the same: it is undone, too
		row.state = "maybe"
	}
	rows, err := stepsOf(tx, r.process, r.n)
	if err != nil {
		return err
	}
	done := false // its own step was done, but its answer will not do
	for _, s := range rows {
		done = done || !s.undo && s.state == "done" && is(f, s.flow)
	}
	if !done {
		if err := w.put(tx, row); err != nil {
			return err
		}
	}
	if _, err := w.d.o.Journal.Append(tx, w.entry("undoing", f.ID)); err != nil {
		return err
	}
	r.state, r.why = Undoing, why
	return w.advance(tx)
}

// unsure leaves it to a person to find out whether a step was done.
func (w *work) unsure(ctx context.Context, f *flow.Flow, why string) error {
	return w.write(ctx, func(tx *store.Tx) error {
		w.r.why, w.r.kept.Trying = why, false
		row := stepRow{undo: w.r.state == Undoing, flow: f.ID, state: "unsure", why: why}
		w.r.state = Unsure
		if err := w.put(tx, row); err != nil {
			return err
		}
		_, err := w.d.o.Journal.Append(tx, w.set.flows.Entry(f, &w.rec, "uncertain"))
		return err
	})
}

// Decision is what a person says about a run that waits for one.
type Decision string

// The decisions.
const (
	Arrived Decision = "arrived" // unsure: the system has it
	Again   Decision = "again"   // unsure or stuck: try it once more
	ByHand  Decision = "by hand" // stuck: it was undone in another way
)

// Decide goes on with a run that waits for a person. reason is needed for ByHand; it
// names no value.
func (d *Runner) Decide(ctx context.Context, actor reeve.Actor, process string, n int64, what Decision, reason string) error {
	const op = "exchange.process.Decide"
	set := d.Set()
	p, ok := set.Get(process)
	if !ok {
		return reeve.E(reeve.NotFound, op, "there is no process %q", process)
	}
	rec, err := d.o.Log.Get(ctx, n)
	if err != nil {
		return err
	}
	return d.o.DB.Update(ctx, func(tx *store.Tx) error {
		r, err := d.runOf(tx, process, n)
		if err != nil {
			return err
		}
		gone := r.at != "" && p.index(r.at) < 0
		switch {
		case gone:
			r.step = -1
		case r.at != "":
			r.step = p.index(r.at)
		}
		if r.state != Unsure && r.state != Stuck || !gone && (r.step < 0 || r.step >= len(p.Steps)) {
			return reeve.E(reeve.Conflict, op, "%s no longer waits for a decision in %s", r.record, process)
		}
		w := &work{d: d, set: set, p: p, r: r, rec: rec}
		return w.decided(tx, actor, what, reason)
	})
}

// decided carries a person's decision out.
func (w *work) decided(tx *store.Tx, actor reeve.Actor, what Decision, reason string) error {
	const op = "exchange.process.Decide"
	r := w.r
	rows, err := stepsOf(tx, r.process, r.n)
	if err != nil {
		return err
	}
	undo := r.state == Stuck
	for _, s := range rows {
		undo = undo || s.undo && s.state == "unsure"
	}
	was := r.state
	r.state, r.due, r.tries = Running, time.Time{}, 0
	if undo {
		r.state = Undoing
	}
	f, row := w.flow(), stepRow{undo: undo, flow: r.at, state: "done", why: "a person found out that it arrived"}
	if f != nil {
		row.flow = f.ID
	}
	gone := r.step < 0
	switch {
	case what == Again && gone && !undo:
		row.state, row.why = "skipped", "the process has this step no more"
	case what == Again:
	case what == Arrived && was == Unsure:
		if !undo && !gone && w.p.Steps[r.step].Answer != nil {
			return reeve.E(reeve.Invalid, op, "this step needs the system's answer: let it be asked again")
		}
	case what == ByHand && was == Stuck:
		if reason == "" {
			return reeve.E(reeve.Invalid, op, "say how it was undone")
		}
		row.why = reason
	default:
		return reeve.E(reeve.Invalid, op, "choose one of the decisions")
	}
	e := w.entry(string(what), row.flow)
	e.Actor, e.At = actor.ID, tx.Now
	if _, err := w.d.o.Journal.Append(tx, e); err != nil {
		return err
	}
	if what != Again || gone {
		if what == Again && undo { // it is found again, or waits as it did
			return errors.Join(w.advance(tx), w.keep(tx))
		}
		if err := w.put(tx, row); err != nil {
			return err
		}
		if err := w.advance(tx); err != nil {
			return err
		}
	}
	return w.keep(tx)
}

// keep saves the run with the step that it is at.
func (w *work) keep(tx *store.Tx) error {
	w.r.at = w.atFlow()
	return w.d.save(tx, w.r)
}
