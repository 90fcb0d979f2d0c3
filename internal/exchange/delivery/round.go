package delivery

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// filesAtOnce is how many files are written before it is written down, once for all
// of them, that they were.
const filesAtOnce = 4

// attempt is what a call said of its items.
type attempt struct {
	rs      []ref
	results []connector.Result
	unknown map[int]bool // by index: it was begun before, and is not known how that ended
	again   bool         // another round is worth while though nothing was sent: what kept this one from it is gone
}

// plus is both attempts; nothing of b is unknown.
func (a attempt) plus(b attempt) attempt {
	a.rs, a.results = append(a.rs, b.rs...), append(a.results, b.results...)
	return a
}

// well reports whether the receiver has everything.
func (a attempt) well() bool {
	return !slices.ContainsFunc(a.results, func(r connector.Result) bool { return r.Outcome != connector.Delivered })
}

// round makes one call, or writes a few files. more tells whether to go on at once.
func (d *Desk) round(ctx context.Context, ln *lane, s *sink, packs []*pack) (did int, more bool, err error) {
	switch {
	case len(packs) == 0:
		return 0, true, nil
	case s.receiver != nil:
		return d.hand(ctx, ln, s, packs)
	}
	begin, cancel := context.WithTimeout(ctx, freshness)
	defer cancel()
	if s.to.Whole() {
		return d.files(ctx, begin, ln, s, packs)
	}
	a, err := d.try(ctx, begin, s, s.to, ln.pick(s.line, packs, s.perCall()))
	if err != nil {
		return 0, false, err
	}
	return d.outcomes(ctx, ln, s, a)
}

// files writes each pack as one file, until one is not taken. What went well before
// is settled apart from that, as if it had been another round.
func (d *Desk) files(ctx, begin context.Context, ln *lane, s *sink, packs []*pack) (did int, more bool, err error) {
	var good, bad attempt
	for i, p := range packs[:min(filesAtOnce, len(packs))] {
		to, err := s.whole(p)
		if err == nil {
			bad, err = d.try(ctx, begin, s, to, ln.pick(s.line, packs[i:i+1], len(p.states)))
		}
		if err != nil && i == 0 {
			return 0, false, err
		}
		if err != nil || !bad.well() {
			break
		}
		good, bad = good.plus(bad), attempt{}
		if s.doubts() || begin.Err() != nil {
			break
		}
	}
	if more = true; len(good.rs) > 0 {
		if did, more, err = d.outcomes(ctx, ln, s, good); err != nil {
			return did, false, err
		}
	}
	if len(bad.rs) > 0 {
		var n int
		n, more, err = d.outcomes(ctx, ln, s, bad)
		did += n
	}
	return did, more, err
}

// try sends items, as far as they may be sent now. It begins nothing after begin has ended.
func (d *Desk) try(ctx, begin context.Context, s *sink, to connector.Sink, rs []ref) (a attempt, err error) {
	unknown := map[int]bool{}
	if s.doubts() {
		for i, r := range rs {
			unknown[i] = r.state().State == Trying
		}
		if err := d.attempting(ctx, s, rs); err != nil {
			return a, err
		}
	}
	results := make([]connector.Result, len(rs))
	failed := map[string]bool{} // keys of which one is not to be sent in this round
	absent := false
	items, at := make([]connector.Item, 0, len(rs)), make([]int, 0, len(rs)) // of those that are sent, and where they are in rs
	for i, r := range rs {
		it := connItem(r)
		skip := it.Key != "" && failed[it.Key] && s.line.Ordered
		if unknown[i] && !skip && begin.Err() == nil {
			has, err := s.has(ctx, it)
			if err != nil {
				failed[it.Key] = true
				results[i] = connector.Result{Outcome: connector.Unclear, Message: err.Error()}
				continue
			}
			if unknown[i] = false; has {
				results[i] = connector.Result{Outcome: connector.Delivered}
				continue
			}
			if skip = s.line.Ordered; skip { // the next round knows what stands before it
				failed[it.Key], absent = true, true
			}
		}
		if !skip && !unknown[i] {
			items, at = append(items, it), append(at, i)
		}
	}
	for i, r := range to.Send(begin, items) {
		results[at[i]] = r
	}
	late := begin.Err() != nil // a slow machine did not come to it: what was allowed then is asked again
	return attempt{rs, results, unknown, absent || late}, nil
}

func connItem(r ref) connector.Item {
	it, id := r.item(), string(r.item().Record)
	if v := r.p.terms.Replay; v > 0 { // no repeat of what the receiver has
		id += ".replay" + strconv.FormatInt(v, 10)
	}
	return connector.Item{ID: id, Key: it.Key, Body: it.Body}
}

// attempting writes down that an attempt begins, before it does.
func (d *Desk) attempting(ctx context.Context, s *sink, rs []ref) error {
	return d.settle(ctx, s.line, rs, func(tx *store.Tx, c *change) error {
		for _, r := range rs {
			if r.state().State == Waiting {
				c.set(r, Trying)
			}
			if s.repeat() == "none" {
				c.entry(r, "attempting")
			}
		}
		return nil
	})
}

// outcomes settles what was attempted.
func (d *Desk) outcomes(ctx context.Context, ln *lane, s *sink, a attempt) (did int, more bool, err error) {
	rs, results := a.rs, a.results
	var delivered, failed int
	var after time.Duration
	why := ""
	for i, res := range results {
		switch res.Outcome {
		case connector.Delivered, connector.Refused:
			delivered++
			delete(ln.failed, rs[i].item().N)
		case connector.Later, connector.Unclear:
			failed++
			ln.failed[rs[i].item().N]++
			why, after = res.Message, max(after, res.RetryAfter)
		}
	}
	err = d.settle(ctx, s.line, rs, func(tx *store.Tx, c *change) error {
		for i, r := range rs {
			if a.unknown[i] && results[i].Outcome == connector.Untried {
				continue // it is asked about first
			}
			if err := c.outcome(tx, s, r, results[i], delivered > 0); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	counts := map[connector.Outcome]int{}
	for _, r := range results {
		counts[r.Outcome]++
	}
	for outcome, n := range counts {
		d.o.Count(s.line.Flow, outcome.String(), n)
	}
	unsure := failed > 0 && s.repeat() == "none"
	switch {
	case delivered > 0 && after == 0:
		d.well(ln)
		return delivered, true, nil
	case failed > 0:
		if delivered > 0 {
			d.well(ln)
		}
		d.wait(ln, why, after)
		if unsure {
			delivered++ // something was settled: it is uncertain now
		}
		return delivered, false, nil
	}
	return delivered, a.again && ctx.Err() == nil, nil // nothing was tried
}
