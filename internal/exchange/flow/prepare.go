package flow

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/mapping"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// Decision is what a flow made of a record.
type Decision uint8

// The decisions.
const (
	Sent      Decision = iota // frozen and handed to delivery
	Filtered                  // the filter, or the map, says that it is not for them
	Outside                   // the agreement's own condition leaves it out
	Earlier                   // accepted before the day on which the flow starts
	Parked                    // it could not be filtered, mapped or checked
	Elsewhere                 // another organisation told it than the one that the flow begins at
)

// result of preparing one record.
type result struct {
	decision Decision
	body     []byte
	problems []reeve.Problem
	code     string // of a parked record, for the journal
}

// prepareAll prepares records on all cores; results are in their order.
func (s *Set) prepareAll(ctx context.Context, f *Flow, now time.Time, recs []reclog.Record) []result {
	out := make([]result, len(recs))
	day := def.DateOf(now.In(s.zone))
	const piece = 32
	var next atomic.Int64
	work := func() {
		for {
			from := int(next.Add(piece)) - piece
			if from >= len(recs) {
				return
			}
			for i := from; i < min(from+piece, len(recs)); i++ {
				out[i] = s.prepare(ctx, f, day, &recs[i], nil)
			}
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), (len(recs)+piece-1)/piece) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
	return out
}

// prepare turns one record into what its receiver is to get. The cut comes first:
// nothing after it sees the record's own body.
func (s *Set) prepare(ctx context.Context, f *Flow, today def.Date, rec *reclog.Record, answers map[string]any) (res result) {
	defer func() {
		if recover() != nil { // a library that gives up on one record must not stop the others
			res = parked("fault", "the flow failed on this record")
		}
	}()
	if f.start.day != nil && def.DateOf(rec.At.In(s.zone)).Before(*f.start.day) {
		return result{decision: Earlier}
	}
	if f.senders != nil && !f.senders[rec.Sender] {
		return result{decision: Elsewhere}
	}
	term, no := f.term(ctx, rec)
	if term == nil {
		return no
	}
	cut, err := term.AppendCut(nil, rec.Body)
	if err != nil {
		return parked("cut", "the record cannot be cut down to the agreement's fields")
	}
	if len(cut) == 0 {
		return parked("cut", "nothing remains of the record after the cut to the agreement's fields")
	}
	var doc any
	if f.filter != nil || f.mapper != nil {
		if doc, err = rawjson.Decode(cut); err != nil {
			return parked("cut", "the record is not well-formed JSON after the cut")
		}
	}
	if f.filter != nil {
		if res := f.keep(ctx, doc, today); res.decision != Sent {
			return res
		}
	}
	body := cut
	if f.mapper != nil {
		body, err = f.mapper.Run(doc, mapping.Meta{ID: rec.ID, Type: rec.Type, Sender: rec.Sender, At: rec.At, N: rec.N, Answers: answers})
		if errors.Is(err, mapping.ErrDeleted) {
			return result{decision: Filtered}
		}
		if err != nil {
			return parked("map", reeve.Message(err))
		}
	}
	if len(f.iface.Columns) > 0 && !bytes.HasPrefix(body, []byte("{")) { // it would fail the whole file
		return parked("map", "the map made no object of it, which a row of a CSV file is made of")
	}
	if f.Target != nil {
		if _, problems := f.Target.Check(body); len(problems) > 0 {
			for i := range problems {
				problems[i].Message = "after mapping: " + problems[i].Message
			}
			return result{decision: Parked, problems: problems, code: "target"}
		}
	}
	return result{decision: Sent, body: body}
}

// term is the first of the agreement's terms whose condition the record meets.
func (f *Flow) term(ctx context.Context, rec *reclog.Record) (*agreement.Term, result) {
	if t := f.terms[0]; t.Where == nil {
		return t, result{}
	}
	doc, err := rawjson.Decode(rec.Body) // only the agreement's own condition sees it
	if err != nil {
		return nil, parked("agreement", "the record is not well-formed JSON")
	}
	unknown := []string{}
	for _, t := range f.terms {
		truth, missing, err := t.Admits(ctx, doc)
		switch {
		case err != nil:
			return nil, parked("agreement", "the agreement's condition cannot be evaluated on this record")
		case truth == rules.True:
			return t, result{}
		case truth == rules.Unknown:
			unknown = append(unknown, missing...)
		}
	}
	if len(unknown) > 0 {
		return nil, needs("agreement", unknown, "must be known to tell whether the agreement covers this record")
	}
	return nil, result{decision: Outside}
}

func (f *Flow) keep(ctx context.Context, doc any, today def.Date) result {
	r, err := f.filter.Eval(ctx, map[string]any{"record": doc, "today": today})
	switch {
	case err != nil:
		var re *rules.Error
		if errors.As(err, &re) {
			return parked("filter", "the flow's filter failed: "+re.Message)
		}
		return parked("filter", "the flow's filter failed on this record")
	case r.Truth == rules.False:
		return result{decision: Filtered}
	case r.Truth == rules.Unknown:
		return needs("filter", r.Missing, "must be known to tell whether this record is for the receiver")
	}
	return result{decision: Sent}
}

func parked(code, message string) result {
	return result{decision: Parked, code: code, problems: []reeve.Problem{{Message: message}}}
}

func needs(code string, missing []string, message string) result {
	res := result{decision: Parked, code: code}
	slices.Sort(missing)
	for _, m := range slices.Compact(missing) {
		path := ""
		if m = strings.TrimPrefix(m, "record"); m != "" {
			path = "/" + strings.ReplaceAll(strings.TrimPrefix(m, "."), ".", "/")
		}
		res.problems = append(res.problems, reeve.Problem{Path: path, Message: message})
	}
	if len(res.problems) == 0 {
		res.problems = []reeve.Problem{{Message: message}}
	}
	return res
}
