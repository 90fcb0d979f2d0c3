package workbench

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Rule is a correction that is made again, by itself, to what a sender sends next
// with the same mistake.
type Rule struct {
	ID         int64
	On         bool
	Type       reeve.RecordType
	Sender     string
	Mistake    string
	Problem    reeve.Problem // what the mistake is
	Source     string
	Sees       reeve.Class // the highest class that its author may see
	Correction int64       // that it was kept from
	Made       time.Time
	MadeBy     string
	ApprovedBy string
	Used       int64
	Last       time.Time
	Changed    time.Time // when it was switched on or off
	ChangedBy  string
	Strikes    int    // how often it took too long since it was switched on
	Why        string // the program switched it off
}

// maxStrikes is how often a rule may take too long before it is switched off. Once may
// be a record like no other; a rule that does so again would hold others up.
const maxStrikes = 3

// keepRule makes a rule of a correction that is released. A rule for the same
// mistake of the same sender is replaced by it.
func (b *Bench) keepRule(tx *store.Tx, c Correction) error {
	m, err := b.o.Ward.MistakeTx(tx, c.Mistake)
	if err != nil {
		return err
	}
	all, err := b.allRules(tx)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.On && r.Mistake == c.Mistake {
			if err := b.switchTo(tx, r.ID, false, c.EndedBy, "replaced"); err != nil {
				return err
			}
		}
	}
	r := Rule{Type: c.Type, Sender: c.Sender, Mistake: c.Mistake, Problem: reeve.Problem{Path: m.Path, Message: m.Message}, Source: c.Source,
		Sees: c.Sees, Correction: c.ID, MadeBy: c.MadeBy, ApprovedBy: c.ApprovedBy}
	if err := b.insertRule(tx, &r); err != nil {
		return err
	}
	return b.tellRule(tx, c.EndedBy, "kept", r.ID, fmt.Sprintf("from correction %d", c.ID), string(c.Type), c.Sender)
}

func (b *Bench) tellRule(tx *store.Tx, by, verb string, id int64, why ...string) error {
	_, err := b.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: verb, About: reeve.Ref(fmt.Sprintf("rule/%d", id)), Set: b.o.Set(), Why: why})
	return err
}

func (b *Bench) switchTo(tx *store.Tx, id int64, on bool, by string, why ...string) error {
	stopped := ""
	if by == program {
		stopped = strings.Join(why, ", ")
	}
	if err := switchRule(tx, id, on, by, stopped); err != nil {
		return err
	}
	verb := "switched off"
	if on {
		verb = "switched on"
	}
	return b.tellRule(tx, by, verb, id, why...)
}

// Switch switches a rule on or off.
func (b *Bench) Switch(ctx context.Context, actor reeve.Actor, id int64, on bool) error {
	err := b.o.DB.Update(ctx, func(tx *store.Tx) error {
		r, err := b.getRule(tx, id)
		if err != nil || r.On == on {
			return err
		}
		return b.switchTo(tx, id, on, actor.ID)
	})
	if err != nil {
		return err
	}
	return b.loadRules(ctx)
}

// Rules are all rules, or those of one sender.
func (b *Bench) Rules(ctx context.Context, party string) (out []Rule, err error) {
	err = b.o.DB.View(ctx, func(tx *store.Tx) error {
		all, err := b.allRules(tx)
		for _, r := range all {
			if party == "" || r.Sender == party {
				out = append(out, r)
			}
		}
		return err
	})
	return out, err
}

// loadRules takes up which rules are on.
func (b *Bench) loadRules(ctx context.Context) error {
	var on []Rule
	err := b.o.DB.View(ctx, func(tx *store.Tx) error {
		all, err := b.allRules(tx)
		for _, r := range all {
			if r.On {
				on = append(on, r)
			}
		}
		return err
	})
	if err == nil {
		b.rules.Store(&on)
	}
	return err
}

// Mend puts records right that would be held, where a rule of their sender does so.
// Of those that none puts right, it returns a zero one. It never fails: what it
// cannot do is left to a person.
func (b *Bench) Mend(ctx context.Context, sender string, t *contract.Type, bad []quarantine.Bad) []quarantine.Mended {
	out := make([]quarantine.Mended, len(bad))
	on := b.rules.Load()
	if on == nil || len(*on) == 0 {
		return out
	}
	sender = b.present("Organisation", sender)
	typ := b.present("RecordType", string(t.ID))
	var ids []map[string]bool // of the mistakes of each, once they are asked for
	for _, r := range *on {
		// A rule has the ids that were in force when rules were taken up.
		if b.present("RecordType", string(r.Type)) != typ || b.present("Organisation", r.Sender) != sender {
			continue
		}
		if ids == nil {
			ids = b.mistakes(t, sender, bad)
		}
		var hs []quarantine.Held
		var at []int
		for i, x := range bad {
			if out[i].Rule == 0 && ids[i][r.Mistake] {
				hs, at = append(hs, quarantine.Held{Body: x.Body}), append(at, i)
			}
		}
		if len(hs) == 0 {
			continue
		}
		ms, err := b.run(ctx, b.door, t, r.Source, r.Sees, hs)
		if err != nil {
			b.stop(ctx, r, err)
			continue
		}
		for j, m := range ms {
			// A map may do to this record what it did to none that it was tried on.
			if m.passes() && (r.ApprovedBy != "" || !quarantine.NeedsApproval(t, m.changed)) {
				out[at[j]] = quarantine.Mended{Body: m.body, Rule: r.ID}
				for _, p := range m.changed[:min(len(m.changed), 20)] {
					out[at[j]].Changed = append(out[at[j]].Changed, quarantine.SafePlace(p))
				}
			}
		}
	}
	return out
}

// mistakes are the ids of what is wrong with each record.
func (b *Bench) mistakes(t *contract.Type, sender string, bad []quarantine.Bad) []map[string]bool {
	out := make([]map[string]bool, len(bad))
	for i, x := range bad {
		out[i] = make(map[string]bool, len(x.Problems))
		for _, p := range x.Problems {
			out[i][b.o.Ward.MistakeID(t.ID, sender, p)] = true
		}
	}
	return out
}

// program is who switches a rule off that cannot be carried out.
const program = "program"

// stop deals with a rule that could not be carried out: what it would have put right
// is held. One that no longer compiles is switched off, and one that takes too long
// again and again: it would do so with every record.
func (b *Bench) stop(ctx context.Context, r Rule, why error) {
	k := reeve.KindOf(why)
	b.o.Log.Warn("a rule could not be carried out", "rule", r.ID, "error", why)
	if k != reeve.TooLarge && k != reeve.Invalid {
		return
	}
	ctx = context.WithoutCancel(ctx)
	off := false
	err := b.o.DB.Update(ctx, func(tx *store.Tx) error {
		text := "it could not be carried out"
		if k == reeve.TooLarge {
			n, err := strikeRule(tx, r.ID)
			if err != nil || n < maxStrikes {
				return err
			}
			text = fmt.Sprintf("it took too long %d times", n)
		}
		now, err := b.getRule(tx, r.ID)
		if err != nil || !now.On {
			return err
		}
		off = true
		if err := b.switchTo(tx, r.ID, false, program, text); err != nil || b.o.Bus == nil {
			return err
		}
		_, err = b.o.Bus.Emit(tx, reeve.Event{Type: "rule.stopped", About: reeve.Ref(fmt.Sprintf("rule/%d", r.ID))})
		return err
	})
	if err == nil && off {
		err = b.loadRules(ctx)
	}
	if err != nil {
		b.o.Log.Error("a rule could not be switched off", "rule", r.ID, "error", err)
	}
}

// Stopped are the rules that the program switched off not longer ago than that, and
// that nobody switched on again.
func (b *Bench) Stopped(ctx context.Context, ago time.Duration) (out []Rule, err error) {
	all, err := b.Rules(ctx, "")
	for _, r := range all {
		if !r.On && r.Why != "" && b.o.DB.Now().Sub(r.Changed) < ago {
			out = append(out, r)
		}
	}
	return out, err
}

// Used counts what rules put right, in the transaction that takes the records in.
func (b *Bench) Used(tx *store.Tx, rules map[int64]int) error {
	for id, n := range rules {
		if err := countRule(tx, id, n); err != nil {
			return err
		}
	}
	return nil
}
