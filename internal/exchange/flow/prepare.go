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
		var w room
		for {
			from := int(next.Add(piece)) - piece
			if from >= len(recs) {
				return
			}
			for i := from; i < min(from+piece, len(recs)); i++ {
				out[i] = s.prepare(ctx, f, day, &recs[i], nil, &w)
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

// room is the memory that records are prepared in, one after the other.
type room struct {
	cut    []byte         // used again for each
	vars   map[string]any // of the filter, used again for each
	bodies []byte         // what was made of all
}

// roomBytes is how much is made at once for bodies.
const roomBytes = 64 << 10

// keep hands out what was appended to the bodies.
func (w *room) keep(bodies []byte) []byte {
	at := len(w.bodies)
	w.bodies = bodies
	return bodies[at:len(bodies):len(bodies)]
}

// prepare turns one record into what its receiver is to get. The cut comes first:
// nothing after it sees the record's own body.
func (s *Set) prepare(ctx context.Context, f *Flow, today def.Date, rec *reclog.Record, answers map[string]any, w *room) (res result) {
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
	cut, err := term.AppendCut(w.cut[:0], rec.Body)
	if err != nil {
		return parked("cut", "the record cannot be cut down to the agreement's fields")
	}
	if w.cut = cut; len(cut) == 0 {
		return parked("cut", "nothing remains of the record after the cut to the agreement's fields")
	}
	if f.filter != nil {
		doc, err := f.seen(cut)
		if err != nil {
			return parked("cut", "the record is not well-formed JSON after the cut")
		}
		if w.vars == nil {
			w.vars = map[string]any{"today": today}
		}
		w.vars["record"] = doc
		if res := f.keep(ctx, w.vars); res.decision != Sent {
			return res
		}
	}
	body, res := f.carry(cut, mapping.Meta{ID: rec.ID, Type: rec.Type, Sender: rec.Sender, At: rec.At, N: rec.N, Answers: answers}, w)
	if res.decision != Sent {
		return res
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

// carry maps what is left of a record after the cut.
func (f *Flow) carry(cut []byte, meta mapping.Meta, w *room) (body []byte, _ result) {
	if cap(w.bodies)-len(w.bodies) < len(cut) {
		w.bodies = make([]byte, 0, max(roomBytes, len(cut)))
	}
	if f.mapper == nil {
		return w.keep(append(w.bodies, cut...)), result{}
	}
	if bodies, ok := f.mapper.AppendRun(w.bodies, cut, meta); ok {
		return w.keep(bodies), result{}
	}
	doc, err := rawjson.Decode(cut)
	if err != nil {
		return nil, parked("cut", "the record is not well-formed JSON after the cut")
	}
	body, err = f.mapper.Run(doc, meta)
	switch {
	case errors.Is(err, mapping.ErrDeleted):
		return nil, result{decision: Filtered}
	case err != nil:
		return nil, parked("map", reeve.Message(err))
	}
	return body, result{}
}

// seen decodes what the filter reads.
func (f *Flow) seen(cut []byte) (any, error) {
	if doc, ok := rawjson.DecodeFields(cut, f.filtersBy); ok {
		return doc, nil
	}
	return rawjson.Decode(cut)
}

// filtersBy reports whether the filter reads a field of the record, or one below
// it. A name that begins like another, up to a point, may be meant: it is taken too.
func (f *Flow) filtersBy(name []byte) bool {
	for _, in := range f.reads {
		if in == "record" {
			return true
		}
		in, ok := strings.CutPrefix(in, "record.")
		if ok && strings.HasPrefix(in, string(name)) && (len(in) == len(name) || in[len(name)] == '.' || in[len(name)] == '[') {
			return true
		}
	}
	return false
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

func (f *Flow) keep(ctx context.Context, vars map[string]any) result {
	r, err := f.filter.Eval(ctx, vars)
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
