// Package replay sends records of the log again to one flow, as the definitions are
// now: a range of them, those of a sender, or those that a query finds.
//
// What is guaranteed. What is sent again goes the same way as at first: through the
// cut, the filter, the map, the agreement, the journal and a strict type's order. Its
// receiver gets it as a new version, so that it does not take it for a repeat of
// what it has; and gets each record once a replay, also if the program dies at any
// moment. A record of a type with a key is left out where a newer one with its key
// was accepted since: the receiver's state never goes back.
//
// What not to assume. A receiver that does not recognise repeats acts on a record a
// second time: that is what was asked for. What is under way, parked or uncertain is
// left to those who decide about it.
package replay

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/once"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/exchange/rehearsal"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Bounds.
const (
	perStep  = 200     // records looked at in one transaction
	mostWait = 1000    // records that may stand aside in a flow before more are added
	maxTry   = 100_000 // records that a dry run looks at
)

// Selection is what is to be sent again. Empty fields choose everything.
type Selection struct {
	Flow   string           `json:"flow"`
	Type   reeve.RecordType `json:"type,omitempty"` // must be the flow's
	Sender string           `json:"sender,omitempty"`
	From   reeve.RecordID   `json:"from,omitempty"` // first and last, both included
	To     reeve.RecordID   `json:"to,omitempty"`
	Since  time.Time        `json:"since,omitzero"`
	Until  time.Time        `json:"until,omitzero"`
	Where  string           `json:"where,omitempty"` // CEL over record, cut down to the agreement
}

// Job is a replay.
type Job struct {
	ID        int64          `json:"id"`
	Flow      string         `json:"flow"`
	State     string         `json:"state"` // running, done, stopped
	At        time.Time      `json:"at"`
	By        string         `json:"by"`
	Taken     int64          `json:"taken"`   // records sent again
	Skipped   map[string]int `json:"skipped"` // why others were not, and how many
	Ended     time.Time      `json:"ended,omitzero"`
	selection Selection
	position  int64
	last      int64
}

// Trial is what a replay would do.
type Trial struct {
	Selected int              `json:"selected"`
	Skipped  map[string]int   `json:"skipped"`
	More     bool             `json:"more"` // there are more than are looked at
	Report   rehearsal.Report `json:"report"`
}

// Options are what a desk stands on.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Log     *reclog.Log
	Once    *once.Index
	Flows   *flow.Runner
	Slog    *slog.Logger
	// Earlier is the flows of definitions that were in force, by their hash.
	Earlier func(ctx context.Context, hash string) (*flow.Set, *def.Set, error)
	// Now is the definitions in force.
	Now func() *def.Set
}

// Desk takes replays.
type Desk struct{ o Options }

// New makes the desk's table.
func New(ctx context.Context, o Options) (*Desk, error) {
	if err := o.DB.Migrate(ctx, "replay", migrations); err != nil {
		return nil, err
	}
	return &Desk{o}, nil
}

// choice is a selection, understood.
type choice struct {
	s        Selection
	set      *flow.Set
	f        *flow.Flow
	from, to int64 // numbers, both included; to 0: no end
	where    *rules.Program
}

func (d *Desk) understand(s Selection) (*choice, error) {
	const op = "replay"
	c := &choice{s: s, set: d.o.Flows.Set()}
	var ok bool
	if c.f, ok = c.set.Get(s.Flow); !ok {
		return nil, reeve.E(reeve.NotFound, op, "there is no flow %q", s.Flow)
	}
	if err := d.o.Flows.Replayable(c.f); err != nil {
		return nil, err
	}
	if s.Type != "" && !slices.Contains(c.f.Type.IDs(), s.Type) {
		return nil, reeve.E(reeve.Invalid, op, "the flow %s carries %s, not %s", c.f.ID, c.f.Type.ID, s.Type)
	}
	var err error
	if c.from, err = numberOf(s.From); err != nil {
		return nil, err
	}
	if c.to, err = numberOf(s.To); err != nil {
		return nil, err
	}
	if s.Where != "" {
		env, err := rules.NewEnv(rules.Var{Name: "record", Type: rules.Object})
		if err != nil {
			return nil, err
		}
		if c.where, err = env.Compile(s.Where, def.Pos{}); err != nil {
			return nil, reeve.E(reeve.Invalid, op, "the query cannot be read: %s", err)
		}
	}
	return c, nil
}

// numberOf is the number of a record, 0 for none.
func numberOf(id reeve.RecordID) (int64, error) {
	if id == "" {
		return 0, nil
	}
	_, n, err := id.Parse()
	if err != nil {
		return 0, reeve.E(reeve.Invalid, "replay", "%q is not the id of a record: they look like r1-42", id)
	}
	return n, nil
}

// wants reports whether a record is chosen.
func (c *choice) wants(ctx context.Context, rec *reclog.Record) bool {
	switch {
	case rec.N < c.from, c.to > 0 && rec.N > c.to,
		c.s.Sender != "" && rec.Sender != c.s.Sender,
		!c.s.Since.IsZero() && rec.At.Before(c.s.Since),
		!c.s.Until.IsZero() && !rec.At.Before(c.s.Until):
		return false
	case c.where == nil:
		return true
	}
	cut := c.f.Cut(ctx, rec)
	if cut == nil {
		return false
	}
	doc, err := rawjson.Decode(cut)
	if err != nil {
		return false
	}
	r, err := c.where.Eval(ctx, map[string]any{"record": doc})
	return err == nil && r.Truth == rules.True
}

// chosen are the records that are chosen. It is found out before the transaction that
// takes them up: cutting down and asking a query is work that others need not wait for.
func (c *choice) chosen(ctx context.Context, recs []reclog.Record) (out []reclog.Record) {
	for i := range recs {
		if c.wants(ctx, &recs[i]) {
			out = append(out, recs[i])
		}
	}
	return out
}

// sort tells which of the chosen records can be sent again, and why others cannot.
func (d *Desk) sort(tx *store.Tx, c *choice, recs []reclog.Record, skipped map[string]int) (good []reclog.Record, sets []string, err error) {
	for i := range recs {
		rec := &recs[i]
		newer, err := d.newer(tx, c, rec)
		if err != nil {
			return nil, nil, err
		}
		if newer {
			skipped["a newer record with the same key was accepted since"]++
			continue
		}
		s, err := d.o.Flows.Dealt(tx, c.f, rec.N)
		if err != nil {
			return nil, nil, err
		}
		if s.Not != "" {
			skipped[s.Not]++
			continue
		}
		if s.Set == "" {
			s.Set = rec.Set
		}
		good, sets = append(good, *rec), append(sets, s.Set)
	}
	return good, sets, nil
}

// newer reports whether a later record with the same key was accepted.
func (d *Desk) newer(tx *store.Tx, c *choice, rec *reclog.Record) (bool, error) {
	if rec.Key == "" {
		return false, nil
	}
	seen, ok, err := d.o.Once.Find(tx, nil, d.o.Once.Key(rec.Sender, rec.Type, rec.Key))
	if err != nil || !ok || seen.N <= rec.N {
		return false, err
	}
	_, err = d.o.Log.GetTx(tx, seen.N)
	if reeve.KindOf(err) != reeve.NotFound {
		return err == nil, err
	}
	// The latest is held or was discarded: is there one between?
	for after := rec.N; ; {
		recs, err := d.o.Log.ReadTypesTx(tx, c.f.Type.IDs(), after, 1000)
		if err != nil || len(recs) == 0 {
			return false, err
		}
		for _, r := range recs {
			if r.N > seen.N { // the latest of this key
				return false, nil
			}
			if r.Key == rec.Key && r.Sender == rec.Sender {
				return true, nil
			}
		}
		after = recs[len(recs)-1].N
	}
}

// Try tells what a replay would send, and how that differs from what the flow made
// of the same records at first. Nothing is sent.
func (d *Desk) Try(ctx context.Context, actor reeve.Actor, s Selection) (Trial, error) {
	c, err := d.understand(s)
	if err != nil {
		return Trial{}, err
	}
	out := Trial{Skipped: map[string]int{}, Report: rehearsal.NewReport(c.f.ID, time.Time{})}
	pairs := map[string]rehearsal.Pair{}
	for after, looked := max(c.from-1, 0), 0; ; {
		recs, err := d.o.Log.ReadTypes(ctx, c.f.Type.IDs(), after, perStep)
		if err != nil {
			return out, err
		}
		var good []reclog.Record
		var sets []string
		skipped := map[string]int{}
		chosen := c.chosen(ctx, recs)
		err = d.o.DB.Update(ctx, func(tx *store.Tx) (err error) { // what was told before is known on the committer
			clear(skipped)
			good, sets, err = d.sort(tx, c, chosen, skipped)
			return err
		})
		if err != nil {
			return out, err
		}
		for why, n := range skipped {
			out.Skipped[why] += n
		}
		for i := range good {
			p, ok := pairs[sets[i]]
			if !ok {
				if p, err = d.pair(ctx, c, sets[i]); err != nil {
					return out, err
				}
				pairs[sets[i]] = p
			}
			p.Add(ctx, &out.Report, &good[i])
		}
		out.Selected += len(good)
		looked += len(recs)
		if len(recs) < perStep || c.to > 0 && recs[len(recs)-1].N >= c.to {
			break
		}
		if looked >= maxTry {
			out.More, out.Report.More = true, true
			break
		}
		after = recs[len(recs)-1].N
	}
	return out, d.o.DB.Update(ctx, func(tx *store.Tx) error {
		return d.tell(tx, actor.ID, "tried a replay", c.f.ID, fmt.Sprintf("%d records, %d differ", out.Selected, out.Report.Differ))
	})
}

// pair is the flow as it was under a set of definitions, and as it is.
func (d *Desk) pair(ctx context.Context, c *choice, hash string) (rehearsal.Pair, error) {
	before, defs, err := d.o.Earlier(ctx, hash)
	if err != nil { // of definitions that can no longer be read nothing is known
		d.o.Slog.Warn("earlier definitions cannot be compared with", "set", hash, "error", err)
		return rehearsal.NewPair(&flow.Set{}, c.set, c.f.ID, rehearsal.MapOf(d.o.Now(), c.f.ID))
	}
	return rehearsal.NewPair(before, c.set, c.f.ID, rehearsal.MapOf(defs, c.f.ID), rehearsal.MapOf(d.o.Now(), c.f.ID))
}

func (d *Desk) tell(tx *store.Tx, by, verb, flowID string, why ...string) error {
	_, err := d.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: verb, About: reeve.Ref("flow/" + flowID), Set: d.o.Now().Hash(), Why: why})
	return err
}

// Start begins a replay of what is in the log now. It is carried out beside all else.
func (d *Desk) Start(ctx context.Context, actor reeve.Actor, s Selection) (Job, error) {
	c, err := d.understand(s)
	if err != nil {
		return Job{}, err
	}
	j := Job{Flow: c.f.ID, State: "running", By: actor.ID, Skipped: map[string]int{}, selection: s, position: max(c.from-1, 0)}
	err = d.o.DB.Update(ctx, func(tx *store.Tx) error {
		j.At, j.last = tx.Now, tx.Head().Record-1
		if c.to > 0 {
			j.last = min(j.last, c.to)
		}
		if err := d.insert(tx, &j); err != nil {
			return err
		}
		return d.tell(tx, actor.ID, "replaying", c.f.ID, d.names(j)...)
	})
	return j, err
}

// names say what of a selection the journal may hold: never a query, which may name
// a value.
func (d *Desk) names(j Job) []string {
	s, out := j.selection, []string{fmt.Sprintf("replay %d", j.ID)}
	for name, v := range map[string]string{"from ": string(s.From), "to ": string(s.To), "sender ": s.Sender} {
		if v != "" {
			out = append(out, name+v)
		}
	}
	if s.Where != "" {
		out = append(out, "with a query")
	}
	return out
}

// Stop ends a replay; what was taken up by then is still sent.
func (d *Desk) Stop(ctx context.Context, actor reeve.Actor, id int64) error {
	return d.o.DB.Update(ctx, func(tx *store.Tx) error {
		j, err := d.get(tx, id)
		if err != nil {
			return err
		}
		if j.State != "running" {
			return reeve.E(reeve.Conflict, "replay.Stop", "replay %d is %s", id, j.State)
		}
		j.State, j.Ended = "stopped", tx.Now
		if err := d.save(tx, j); err != nil {
			return err
		}
		return d.tell(tx, actor.ID, "stopped a replay", j.Flow, fmt.Sprintf("replay %d", id))
	})
}

// List is the latest replays, the newest first.
func (d *Desk) List(ctx context.Context) (out []Job, err error) {
	err = d.o.DB.View(ctx, func(tx *store.Tx) error {
		out, err = d.list(tx, false)
		return err
	})
	return out, err
}

// Step takes up some records of every replay that runs.
func (d *Desk) Step(ctx context.Context) (did int, err error) {
	var running []Job
	if err := d.o.DB.View(ctx, func(tx *store.Tx) (err error) {
		running, err = d.list(tx, true)
		return err
	}); err != nil {
		return 0, err
	}
	for _, j := range running {
		n, err := d.step(ctx, j)
		if err != nil {
			return did, fmt.Errorf("replay %d: %w", j.ID, err)
		}
		did += n
	}
	return did, nil
}

func (d *Desk) step(ctx context.Context, j Job) (did int, err error) {
	c, err := d.understand(j.selection)
	if k := reeve.KindOf(err); err != nil && (k == reeve.NotFound || k == reeve.Conflict || k == reeve.Invalid) {
		d.o.Slog.Warn("a replay was stopped: its flow is no longer what it was", "replay", j.ID, "error", err)
		return 1, d.Stop(ctx, reeve.Actor{ID: "program"}, j.ID)
	} else if err != nil {
		return 0, err
	}
	var recs []reclog.Record
	waits := 0
	if err := d.o.DB.View(ctx, func(tx *store.Tx) (err error) {
		if waits, err = d.o.Flows.Behind(tx, c.f); err == nil && waits < mostWait {
			recs, err = d.o.Log.ReadTypesTx(tx, c.f.Type.IDs(), j.position, perStep)
		}
		return err
	}); err != nil || waits >= mostWait {
		return 0, err
	}
	end := len(recs) < perStep
	if i := slices.IndexFunc(recs, func(r reclog.Record) bool { return r.N > j.last }); i >= 0 { // it came after the replay began
		recs, end = recs[:i], true
	}
	chosen := c.chosen(ctx, recs)
	return len(recs) + 1, d.o.DB.Update(ctx, func(tx *store.Tx) error {
		now, err := d.get(tx, j.ID)
		if err != nil || now.State != "running" || now.position != j.position {
			return err
		}
		good, _, err := d.sort(tx, c, chosen, now.Skipped)
		if err != nil {
			return err
		}
		if err := d.o.Flows.Replay(tx, c.f, now.ID, good); err != nil {
			return err
		}
		now.Taken += int64(len(good))
		if len(recs) > 0 {
			now.position = recs[len(recs)-1].N
		}
		if end || now.position >= now.last {
			now.State, now.Ended = "done", tx.Now
			if err := d.tell(tx, now.By, "replayed", now.Flow, fmt.Sprintf("replay %d", now.ID), fmt.Sprintf("%d records", now.Taken)); err != nil {
				return err
			}
		}
		return d.save(tx, now)
	})
}

// Text is a trial for people.
func (t Trial) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d records can be sent again. Beside what the flow made of them at first, this is what it would make of them now:\n\n%s", t.Selected, t.Report.Text())
	writeSkipped(&b, t.Skipped)
	return b.String()
}

func writeSkipped(b *strings.Builder, skipped map[string]int) {
	for _, why := range slices.Sorted(maps.Keys(skipped)) {
		fmt.Fprintf(b, "Not sent again, %d: %s\n", skipped[why], why)
	}
}

// Text is a replay for people.
func (j Job) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Replay %d to %s is %s: %d records were taken up.\n", j.ID, j.Flow, j.State, j.Taken)
	writeSkipped(&b, j.Skipped)
	return b.String()
}
