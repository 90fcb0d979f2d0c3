package flow

import (
	"context"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
)

// Answer is what a system answered in an earlier step of a process.
type Answer struct {
	Name string // as maps know it: @answers.NAME
	Type reeve.RecordType
	Body []byte // JSON
}

// Prepared is what a flow makes of one record as a step of a process.
type Prepared struct {
	Decision Decision
	Body     []byte // of Sent
	Problems []reeve.Problem
}

// Prepare cuts, filters, maps and checks one record for a flow that is a step of a
// process. An answer is cut down, too, to what the flow's agreement says about its
// type for the flow's purpose: the map sees what remains, as @answers.NAME, and
// nothing of an answer that the agreement does not name.
func (s *Set) Prepare(ctx context.Context, f *Flow, now time.Time, rec *reclog.Record, answers []Answer) Prepared {
	seen := map[string]any{}
	for _, a := range answers {
		for _, t := range f.Agreement.Terms {
			if t.Type != s.agreements.Type(a.Type) || !t.For(f.Purpose) {
				continue
			}
			if cut, err := t.AppendCut(nil, a.Body); err == nil && len(cut) > 0 {
				if v, err := rawjson.Decode(cut); err == nil {
					seen[a.Name] = v
				}
			}
			break
		}
	}
	one := []reclog.Record{*rec}
	s.rename(f, one)
	res := s.prepare(ctx, f, def.DateOf(now.In(s.zone)), &one[0], seen, new(room))
	return Prepared{res.decision, res.body, res.problems}
}

// Live reports whether the flow's agreement allows it at this moment, and why not.
func (s *Set) Live(f *Flow, at time.Time) (ok bool, reason string) {
	return s.agreements.Live(f.Agreement, at)
}

// Entry is a journal entry about a record and this flow, under its agreement.
func (s *Set) Entry(f *Flow, rec *reclog.Record, verb string, why ...string) journal.Entry {
	if verb == "disclosing" {
		return f.entry(s, rec, verb, f.why)
	}
	return f.entry(s, rec, verb, append([]string{f.Agreement.ID, f.Agreement.To, f.To.Interface}, why...))
}

// Interface is the definition of the interface that the flow goes to.
func (f *Flow) Interface() *iface.Spec { return f.iface }

// Leg is a leg of this flow for which nothing was done yet.
func (f *Flow) Leg() Leg {
	return Leg{Flow: f.ID, Name: f.Name, System: f.To.System, SystemName: f.To.SystemName, Organisation: f.Agreement.To,
		Interface: f.To.Interface, Agreement: f.Agreement.ID, Purpose: f.Purpose, Fields: names(f.Fields), State: "waiting"}
}
