package workbench

import (
	"context"
	"strconv"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Report tells the owner of a source what is wrong with what it sends and what we
// put right, so that it can be put right where it begins. It holds no record.
type Report struct {
	Rules    []Rule
	Mistakes []quarantine.Mistake // of records that wait now
	Times    quarantine.Times     // of the last 30 days
}

// Report is the report for an organisation.
func (b *Bench) Report(ctx context.Context, party string) (r Report, err error) {
	if party == "" {
		return r, reeve.E(reeve.Forbidden, "workbench.Report", "a report is for an organisation")
	}
	if r.Rules, err = b.Rules(ctx, party); err != nil {
		return r, err
	}
	if r.Mistakes, err = b.o.Ward.Mistakes(ctx, party, 100); err != nil {
		return r, err
	}
	times, err := b.o.Ward.TimeToCorrect(ctx, b.o.DB.Now().AddDate(0, 0, -30), party)
	r.Times = times[""]
	return r, err
}

// Rows are the report as a table: what, record type, field, problem, records, since,
// correction.
func (r Report) Rows() (rows [][]string) {
	for _, x := range r.Rules {
		what := "corrected by a rule"
		if !x.On {
			what = "rule, switched off"
		}
		rows = append(rows, []string{what, string(x.Type), x.Problem.Path, x.Problem.Message, strconv.FormatInt(x.Used, 10), x.Made.Format(time.DateOnly), x.Source})
	}
	for _, m := range r.Mistakes {
		rows = append(rows, []string{"waits for correction", string(m.Type), m.Path, m.Message, strconv.Itoa(m.Count), m.Oldest.Format(time.DateOnly), ""})
	}
	return rows
}

// Look is Examples for a person: that values were shown is journalled.
func (b *Bench) Look(ctx context.Context, actor reeve.Actor, c Correction, sees reeve.Class) ([]Example, error) {
	out, err := b.Examples(ctx, c, sees)
	if err != nil || len(out) == 0 {
		return out, err
	}
	return out, b.o.DB.Update(ctx, func(tx *store.Tx) error {
		var entries []journal.Entry
		for _, e := range out {
			entries = append(entries, journal.Entry{Actor: actor.ID, Verb: "saw", About: reeve.Ref("record/" + e.ID), Set: b.o.Set(), Why: []string{"held record", string(about(c.ID))}})
		}
		_, err := b.o.Journal.Append(tx, entries...)
		return err
	})
}
