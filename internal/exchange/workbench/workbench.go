// Package workbench corrects many held records at once, and has corrections
// approved by a second person.
//
// What is guaranteed. A correction is tried on all records of a group before any of
// them is touched. Applied, it sets the records aside as they are, with what they
// would become beside them; until it is released it can be undone, and then nothing
// of it remains. Only its release changes records, in the order of their numbers
// and each as if a person had corrected it on its page: it is checked again, a
// strict type's order is kept, the journal names what changed and no values. Where
// a field's class asks it, whoever approves is another person than whoever
// corrected. A correction sees and changes only what its author may see.
//
// What not to assume. What a correction would become is worked out when it is
// applied: records that come in later are not part of it. A rule kept from a
// correction is tried on each new record, and one that it does not put right is
// held as if there were no rule.
package workbench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/exchange/sandbox"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Bounds.
const (
	maxRecords = 5000 // of one correction
	page       = 200  // records tried at once
	perTx      = 100  // records released in one transaction
	examples   = 10
	hold       = 15 * time.Minute // how long an applied correction can be undone
)

// State is where a correction is.
type State string

// The states.
const (
	Making    State = "making"    // its records are being set aside
	Proposed  State = "proposed"  // waits for a second person
	Applied   State = "applied"   // can be undone until it is due
	Releasing State = "releasing" // its records are going on
	Released  State = "released"
	Undone    State = "undone"
)

// Correction is a correction of one or many records.
type Correction struct {
	ID         int64
	State      State
	Type       reeve.RecordType
	Sender     string
	Mistake    string      // what it corrects, by its id; "" for a single record
	Source     string      // the map; "" when it was made in a form
	Keep       bool        // becomes a rule when it is released
	Sees       reeve.Class // the highest class that its author may see
	Top        reeve.Class // the highest class that it changes
	Approve    bool        // a second person must approve it
	Made       time.Time
	MadeBy     string
	Approved   time.Time
	ApprovedBy string
	Due        time.Time // when it is released if nobody undoes it
	Ended      time.Time
	EndedBy    string
	Total      int // records
	WentOn     int // of them, once it is released
}

// Options are what a bench stands on.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Ward    *quarantine.Ward
	Types   func() *contract.Set // in force
	Set     func() string        // hash of the definitions in force
	Box     *sandbox.Box         // rules have another process of its command, so that nobody waits for somebody else's try
	Bus     *bus.Bus             // nil: nobody is told of rules that were stopped
	Log     *slog.Logger
	Hold    time.Duration  // 0 for 15 minutes
	Zone    *time.Location // of times on pages; nil for UTC
	// Name is what pages call a definition, by kind and id; nil: its id.
	Name func(kind, id string) string
	// Lineage is every id that a definition has or had, the present one first; nil:
	// none ever changed.
	Lineage func(kind, id string) []string
}

// Bench is the workbench of one body.
type Bench struct {
	o     Options
	rules atomic.Pointer[[]Rule] // those that are on
	door  *sandbox.Box           // that rules run in
}

// New makes the tables, takes back what was being made when the program last ended,
// and takes corrections of single records from the ward.
func New(ctx context.Context, o Options) (*Bench, error) {
	if err := o.DB.Migrate(ctx, "workbench", migrations); err != nil {
		return nil, err
	}
	if o.Hold <= 0 {
		o.Hold = hold
	}
	b := &Bench{o: o, door: &sandbox.Box{Command: o.Box.Command, Quick: true}}
	err := o.DB.Update(ctx, func(tx *store.Tx) error {
		half, err := b.inState(tx, Making)
		for _, c := range half {
			if err := b.takeBack(tx, c, "program"); err != nil {
				return err
			}
		}
		return err
	})
	if err == nil {
		err = b.loadRules(ctx)
	}
	o.Ward.SetBench(b.propose)
	return b, err
}

func about(id int64) reeve.Ref { return reeve.Ref(fmt.Sprintf("correction/%d", id)) }

func (b *Bench) tell(tx *store.Tx, by, verb string, id int64, why ...string) error {
	_, err := b.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: verb, About: about(id), Set: b.o.Set(), Why: why})
	return err
}

// made is what a correction would make of one record.
type made struct {
	held     quarantine.Held
	body     []byte
	before   any
	after    any
	changed  []string // JSON Pointers
	problems []reeve.Problem
	err      string // why there is no body
}

func (m *made) passes() bool { return m.err == "" && len(m.problems) == 0 && len(m.changed) > 0 }

// run tries a map on records, without what is above a class.
func (b *Bench) run(ctx context.Context, box *sandbox.Box, t *contract.Type, source string, sees reeve.Class, hs []quarantine.Held) ([]made, error) {
	out := make([]made, len(hs))
	veils := make([]veil, len(hs))
	bodies := make([]json.RawMessage, len(hs))
	for i, h := range hs {
		out[i].held = h
		v, err := rawjson.Decode(h.Body)
		if err != nil {
			return nil, err
		}
		out[i].before = v
		veils[i] = veil{t: t, sees: sees}
		if bodies[i], err = veils[i].cover(h.Body); err != nil {
			return nil, err
		}
	}
	results, err := box.Run(ctx, source, bodies)
	if err != nil {
		return nil, err
	}
	for i := range out {
		b.judge(t, &out[i], veils[i], results[i])
	}
	return out, nil
}

// judge says what is still wrong with a record as the map made it.
func (b *Bench) judge(t *contract.Type, m *made, v veil, r sandbox.Result) {
	if m.err = r.Error; m.err != "" {
		return
	}
	if m.after, m.err = v.uncover(r.Body); m.err != "" {
		return
	}
	m.changed = quarantine.Differences(m.before, m.after)
	for _, p := range m.changed {
		if slices.Max(t.Classes(p)) > v.sees {
			m.err = "the correction changes a field that you may not see"
			return
		}
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m.after); err != nil {
		m.err = "the correction makes something that cannot be kept"
		return
	}
	m.body = bytes.TrimSpace(buf.Bytes())
	if len(m.body) > contract.MaxBytes {
		m.err = "the correction makes it larger than 1 MiB, the limit for one record"
		return
	}
	_, m.problems = t.CheckValue(m.after)
}

// Trial is what a correction would do to the records of a group.
type Trial struct {
	Looked    int // records it was tried on
	Passing   int // would be in order
	Unchanged int // it does nothing to them
	Approve   bool
	Failures  []Reason // why others would not be in order, the most frequent first
	Examples  []Example
}

// Reason is why records would not be in order, and how many.
type Reason struct {
	Text  string
	Count int
}

// Example is a record that a correction puts right.
type Example struct {
	ID      reeve.RecordID
	Changes []Change
}

// Change is one field before and after.
type Change struct{ Path, Before, After string }

// Hidden stands for a value that whoever looks may not see.
const Hidden = "hidden"

// Try tries a correction on all records of a group that are open, and journals whose
// values were shown. sees is the highest class that the actor may see.
func (b *Bench) Try(ctx context.Context, actor reeve.Actor, mistake, source string, sees reeve.Class) (Trial, error) {
	var out Trial
	reasons := map[string]int{}
	t, err := b.each(ctx, mistake, source, sees, func(t *contract.Type, ms []made) (bool, error) {
		for i := range ms {
			m := &ms[i]
			out.Looked++
			switch {
			case m.err != "":
				reasons[m.err]++
			case len(m.changed) == 0:
				out.Unchanged++
			case len(m.problems) > 0:
				reasons[problemText(m.problems[0])]++
			default:
				out.Passing++
				out.Approve = out.Approve || quarantine.NeedsApproval(t, m.changed)
				if len(out.Examples) < examples {
					out.Examples = append(out.Examples, exampleOf(t, m.held.ID, m.before, m.after, m.changed, sees))
				}
			}
		}
		return true, nil
	})
	if err != nil {
		return out, err
	}
	for text, n := range reasons {
		out.Failures = append(out.Failures, Reason{text, n})
	}
	slices.SortFunc(out.Failures, func(a, b Reason) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.Text, b.Text)
	})
	out.Failures = out.Failures[:min(len(out.Failures), examples)]
	return out, b.o.DB.Update(ctx, func(tx *store.Tx) error {
		entries := []journal.Entry{{Actor: actor.ID, Verb: "tried", About: reeve.Ref("mistake/" + mistake), Set: b.o.Set(),
			Why: []string{"a correction", string(t.ID), fmt.Sprintf("%d of %d would be in order", out.Passing, out.Looked)}}}
		for _, e := range out.Examples {
			entries = append(entries, journal.Entry{Actor: actor.ID, Verb: "saw", About: reeve.Ref("record/" + e.ID), Set: b.o.Set(), Why: []string{"example of a correction"}})
		}
		_, err := b.o.Journal.Append(tx, entries...)
		return err
	})
}

func problemText(p reeve.Problem) string {
	return strings.TrimSpace(quarantine.Place(p.Path) + " " + p.Message)
}

// each runs a map on the open records of a group, some at a time, until fn has
// enough.
func (b *Bench) each(ctx context.Context, mistake, source string, sees reeve.Class, fn func(t *contract.Type, ms []made) (more bool, err error)) (*contract.Type, error) {
	m, err := b.o.Ward.Mistake(ctx, mistake)
	if err != nil {
		return nil, err
	}
	t, ok := b.o.Types().Type(m.Type)
	if !ok {
		return nil, reeve.E(reeve.Conflict, "workbench", "the record type %s is no longer defined: its records can only be discarded", m.Type)
	}
	looked := 0
	for after := int64(0); looked < maxRecords; {
		hs, err := b.o.Ward.Having(ctx, mistake, after, page)
		if err != nil {
			return nil, err
		}
		ms, err := b.run(ctx, b.o.Box, t, source, sees, hs) // of none too: the map may be wrong
		if err != nil {
			return nil, err
		}
		more, err := fn(t, ms)
		if err != nil || !more || len(hs) == 0 {
			return t, err
		}
		looked, after = looked+len(hs), hs[len(hs)-1].N
	}
	return t, nil
}

// exampleOf shows what changes in a record, without values above a class.
func exampleOf(t *contract.Type, id reeve.RecordID, before, after any, changed []string, sees reeve.Class) Example {
	e := Example{ID: id}
	for _, p := range changed[:min(len(changed), 8)] {
		c := Change{Path: p, Before: text(before, p), After: text(after, p)}
		if slices.Max(t.Classes(p)) > sees {
			c.Before, c.After = Hidden, Hidden
		}
		e.Changes = append(e.Changes, c)
	}
	return e
}

// text is the value at a place, shortened, "" for none.
func text(v any, pointer string) string {
	v, ok := quarantine.Lookup(v, contract.Tokens(pointer))
	if !ok {
		return ""
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return ""
	}
	s := strings.TrimSpace(buf.String())
	if r := []rune(s); len(r) > 200 {
		s = string(r[:200]) + "…"
	}
	return s
}

// Apply sets aside the records of a group that the correction puts right, with what
// they become. They go on when it is released.
func (b *Bench) Apply(ctx context.Context, actor reeve.Actor, mistake, source string, sees reeve.Class, keep bool) (Correction, error) {
	const op = "workbench.Apply"
	ctx = context.WithoutCancel(ctx)
	m, err := b.o.Ward.Mistake(ctx, mistake)
	if err != nil {
		return Correction{}, err
	}
	c := Correction{State: Making, Type: m.Type, Sender: m.Sender, Mistake: mistake, Source: source, Keep: keep, Sees: sees, MadeBy: actor.ID}
	if err := b.o.DB.Update(ctx, func(tx *store.Tx) error { return b.insert(tx, &c) }); err != nil {
		return c, err
	}
	var fields []string
	_, err = b.each(ctx, mistake, source, sees, func(t *contract.Type, ms []made) (bool, error) {
		return true, b.o.DB.Update(ctx, func(tx *store.Tx) error {
			fresh := c // what a transaction adds counts once it is committed
			for i := range ms {
				if err := b.setAside(tx, &fresh, t, &ms[i], &fields); err != nil {
					return err
				}
			}
			c.Total, c.Top, c.Approve = fresh.Total, fresh.Top, fresh.Approve
			return nil
		})
	})
	if err == nil && c.Total == 0 {
		err = reeve.E(reeve.Invalid, op, "none of the records would be in order: nothing was changed")
	}
	if err != nil {
		undo := b.o.DB.Update(ctx, func(tx *store.Tx) error { return b.takeBack(tx, c, actor.ID) })
		if undo != nil {
			return c, fmt.Errorf("%s: %w, and after %w", op, undo, err)
		}
		return c, err
	}
	return c, b.o.DB.Update(ctx, func(tx *store.Tx) error { return b.begin(tx, &c, fields) })
}

// setAside makes a record part of a correction, if it is put right and still as it
// was when that was found out.
func (b *Bench) setAside(tx *store.Tx, c *Correction, t *contract.Type, m *made, fields *[]string) error {
	if !m.passes() || c.Total >= maxRecords {
		return nil
	}
	now, err := b.o.Ward.GetTx(tx, m.held.ID)
	if err != nil || now.State != quarantine.Open || now.Correction != 0 || !bytes.Equal(now.Body, m.held.Body) {
		return err
	}
	if _, err := b.o.Ward.Claim(tx, m.held.ID, c.ID); err != nil {
		return err
	}
	c.Total++
	for _, p := range m.changed {
		c.Top = max(c.Top, slices.Max(t.Classes(p)))
		if f := quarantine.SafePlace(p); !slices.Contains(*fields, f) && len(*fields) < 20 {
			*fields = append(*fields, f)
		}
	}
	c.Approve = c.Approve || quarantine.NeedsApproval(t, m.changed)
	return b.insertItem(tx, c.ID, m.held.N, m.held.ID, m.body)
}

// begin ends the making of a correction: it waits for approval, or for its release.
func (b *Bench) begin(tx *store.Tx, c *Correction, fields []string) error {
	c.State, c.Due = Applied, tx.Now.Add(b.o.Hold)
	verb := "applied"
	if c.Approve {
		c.State, verb = Proposed, "proposed"
	}
	if err := b.save(tx, *c); err != nil {
		return err
	}
	slices.Sort(fields)
	return b.tell(tx, c.MadeBy, verb, c.ID, append([]string{fmt.Sprintf("%d records", c.Total), string(c.Type)}, fields...)...)
}

// propose takes what a person entered into a form: of one record, or the same of
// many. It implements what the ward asks of a bench.
func (b *Bench) propose(tx *store.Tx, p quarantine.Proposal) (int64, error) {
	c := Correction{State: Making, Type: p.Type.ID, Sender: p.Sender, Sees: p.Sees, MadeBy: p.Actor.ID}
	if err := b.insert(tx, &c); err != nil {
		return 0, err
	}
	var fields []string
	for _, it := range p.Items {
		before, err := rawjson.Decode(it.Held.Body)
		if err != nil {
			return 0, err
		}
		after, err := rawjson.Decode(it.Body)
		if err != nil {
			return 0, err
		}
		m := made{held: it.Held, body: rawjson.AppendCompact(nil, it.Body), changed: quarantine.Differences(before, after)}
		if _, m.problems = p.Type.CheckValue(after); !m.passes() {
			continue
		}
		if err := b.setAside(tx, &c, p.Type, &m, &fields); err != nil {
			return 0, err
		}
	}
	if c.Total == 0 {
		return 0, reeve.E(reeve.Invalid, "workbench.Propose", "nothing would be in order: nothing was changed")
	}
	return c.ID, b.begin(tx, &c, fields)
}

// Approve is the word of a second person. A correction of one record goes on at
// once, one of many can be undone for a while.
func (b *Bench) Approve(ctx context.Context, actor reeve.Actor, id int64) error {
	const op = "workbench.Approve"
	now := false
	err := b.o.DB.Update(ctx, func(tx *store.Tx) error {
		c, err := b.get(tx, id)
		switch {
		case err != nil:
			return err
		case c.State != Proposed:
			return reeve.E(reeve.Conflict, op, "correction %d waits for no approval", id)
		case c.MadeBy == actor.ID:
			return reeve.E(reeve.Forbidden, op, "a correction is approved by another person than made it")
		}
		c.State, c.Approved, c.ApprovedBy, c.Due = Applied, tx.Now, actor.ID, tx.Now.Add(b.o.Hold)
		if now = c.Total == 1 && c.Source == ""; now {
			c.State = Releasing
		}
		if err := b.save(tx, c); err != nil {
			return err
		}
		return b.tell(tx, actor.ID, "approved", id)
	})
	if err != nil || !now {
		return err
	}
	return b.finish(ctx, id)
}

// Undo takes a correction back that is not released: its records are as they were.
func (b *Bench) Undo(ctx context.Context, actor reeve.Actor, id int64) error {
	return b.o.DB.Update(ctx, func(tx *store.Tx) error {
		c, err := b.get(tx, id)
		if err != nil {
			return err
		}
		if c.State != Proposed && c.State != Applied {
			return reeve.E(reeve.Conflict, "workbench.Undo", "correction %d can no longer be undone: it is %s", id, c.State)
		}
		if err := b.takeBack(tx, c, actor.ID); err != nil {
			return err
		}
		return b.tell(tx, actor.ID, "undone", id)
	})
}

func (b *Bench) takeBack(tx *store.Tx, c Correction, by string) error {
	items, err := b.items(tx, c.ID, maxRecords+1, false)
	if err != nil {
		return err
	}
	for _, it := range items {
		if err := b.o.Ward.LetGo(tx, it.record, c.ID); err != nil {
			return err
		}
	}
	if err := settleItems(tx, c.ID, "undone"); err != nil {
		return err
	}
	c.State, c.Ended, c.EndedBy = Undone, tx.Now, by
	return b.save(tx, c)
}

// Release sends the records of an applied correction on, now.
func (b *Bench) Release(ctx context.Context, actor reeve.Actor, id int64) error {
	if err := b.o.DB.Update(ctx, func(tx *store.Tx) error { return b.startRelease(tx, actor.ID, id) }); err != nil {
		return err
	}
	return b.finish(ctx, id)
}

func (b *Bench) startRelease(tx *store.Tx, by string, id int64) error {
	c, err := b.get(tx, id)
	if err != nil {
		return err
	}
	if c.State != Applied {
		return reeve.E(reeve.Conflict, "workbench.Release", "correction %d cannot be released: it is %s", id, c.State)
	}
	c.State, c.EndedBy = Releasing, by
	return b.save(tx, c)
}

// finish sends records of a correction on until none is left.
func (b *Bench) finish(ctx context.Context, id int64) error {
	ctx = context.WithoutCancel(ctx)
	for {
		more := false
		err := b.o.DB.Update(ctx, func(tx *store.Tx) (err error) {
			more, err = b.some(tx, id)
			return err
		})
		if err != nil {
			return err
		}
		if !more {
			return b.loadRules(ctx)
		}
	}
}

// some sends a few records of a correction on, in the order of their numbers.
func (b *Bench) some(tx *store.Tx, id int64) (more bool, err error) {
	c, err := b.get(tx, id)
	if err != nil || c.State != Releasing {
		return false, err
	}
	items, err := b.items(tx, id, perTx, true)
	if err != nil {
		return false, err
	}
	actor := reeve.Actor{ID: c.MadeBy}
	why := []string{fmt.Sprintf("correction %d", id)}
	if c.ApprovedBy != "" {
		why = append(why, "approved by "+c.ApprovedBy)
	}
	for _, it := range items {
		state := "held"
		out, err := b.o.Ward.CorrectClaimed(tx, actor, it.record, id, it.body, why...)
		switch {
		case err != nil && reeve.KindOf(err) != reeve.Conflict:
			return false, err
		case err != nil: // its type is gone: it stays as it is
			if err := b.o.Ward.LetGo(tx, it.record, id); err != nil {
				return false, err
			}
		case out.Released:
			state = "released"
			c.WentOn++
		case len(out.Problems) == 0:
			state = "waits"
		}
		if err := settleItem(tx, id, it.n, state); err != nil {
			return false, err
		}
	}
	if len(items) == perTx {
		return true, b.save(tx, c)
	}
	c.State, c.Ended = Released, tx.Now
	if c.EndedBy == "" {
		c.EndedBy = c.ApprovedBy
	}
	if c.Keep {
		if err := b.keepRule(tx, c); err != nil {
			return false, err
		}
	}
	if err := b.save(tx, c); err != nil {
		return false, err
	}
	return false, b.tell(tx, c.EndedBy, "released", id, fmt.Sprintf("%d of %d went on", c.WentOn, c.Total))
}

// Step releases corrections that are due, and goes on with those whose release was
// begun when the program last ended.
func (b *Bench) Step(ctx context.Context) (did int, err error) {
	var due, begun []Correction
	err = b.o.DB.View(ctx, func(tx *store.Tx) error {
		if due, err = b.due(tx); err == nil {
			begun, err = b.inState(tx, Releasing)
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	var errs []error // one that cannot go on keeps no other back
	for _, c := range due {
		err := b.Release(ctx, reeve.Actor{ID: c.MadeBy}, c.ID)
		if reeve.KindOf(err) == reeve.Conflict { // somebody was quicker
			err = nil
		}
		errs, did = append(errs, err), did+1
	}
	for _, c := range begun {
		errs, did = append(errs, b.finish(ctx, c.ID)), did+1
	}
	return did, errors.Join(errs...)
}

// Get is a correction, or NotFound.
func (b *Bench) Get(ctx context.Context, id int64) (c Correction, err error) {
	err = b.o.DB.View(ctx, func(tx *store.Tx) error {
		c, err = b.get(tx, id)
		return err
	})
	return c, err
}

// List is what is open, then what ended last.
func (b *Bench) List(ctx context.Context) (open, ended []Correction, err error) {
	err = b.o.DB.View(ctx, func(tx *store.Tx) error {
		if open, err = b.inState(tx, Proposed, Applied, Releasing); err != nil {
			return err
		}
		ended, err = b.lately(tx, 50)
		return err
	})
	return open, ended, err
}

// Examples are the first records of an open correction, before and after, without
// values above a class.
func (b *Bench) Examples(ctx context.Context, c Correction, sees reeve.Class) (out []Example, err error) {
	t, ok := b.o.Types().Type(c.Type)
	if !ok {
		return nil, nil
	}
	err = b.o.DB.View(ctx, func(tx *store.Tx) error {
		items, err := b.items(tx, c.ID, examples, true)
		for _, it := range items {
			h, err := b.o.Ward.GetTx(tx, it.record)
			if err != nil {
				return err
			}
			before, err := rawjson.Decode(h.Body)
			if err != nil {
				return err
			}
			after, err := rawjson.Decode(it.body)
			if err != nil {
				return err
			}
			out = append(out, exampleOf(t, h.ID, before, after, quarantine.Differences(before, after), sees))
		}
		return err
	})
	return out, err
}

func (b *Bench) present(kind, id string) string {
	if b.o.Lineage == nil || id == "" {
		return id
	}
	return b.o.Lineage(kind, id)[0]
}
