package standard

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Outcome is how every entity stands against every standard about its kind.
// It does not change and may be used by many goroutines.
type Outcome struct {
	Pack      *Pack
	Standings []Standing // in the order of Pack.Standards

	byKind map[string][]int // places in Standings
	shared *Table           // of standards, with how much of each is not known; nil if none is about standards
}

// Shares is the table of standards, with of what part of the things it is about
// nobody knows whether each of these is met.
func (o *Outcome) Shares(ts Tables) *Table {
	if o.shared != nil {
		return o.shared
	}
	return o.shares(ts.Of("Standard"))
}

// Standing is how the entities of a kind stand against one standard.
type Standing struct {
	*Standard
	Pass, Fail, Unknown, Waived int
	Ending                      int // of the waived, those whose waiver is about to end

	table   *Table
	inputs  inputs
	at      time.Time
	results []code // of each entity of the table
}

// code is a result in a byte. A finding is made of it when somebody asks.
type code uint8

const (
	notAbout code = iota
	passes
	fails
	notKnown
	waived
	ending
)

// results puts codes into words; "" is not about it.
var results = [...]Result{"", Pass, Fail, Unknown, Waived, Waived}

// chunk is how many entities are judged by one standard at a time.
const chunk = 8192

// Judge holds everything in ts to the standards. now is in the body's time zone.
// It fails only when ctx ends. Standards about standards are judged last, because
// they are about how the others came out.
func (p *Pack) Judge(ctx context.Context, ts Tables, now time.Time) (*Outcome, error) {
	o := &Outcome{Pack: p, Standings: make([]Standing, len(p.Standards)), byKind: map[string][]int{}}
	var first, last []*Standing
	for i, std := range p.Standards {
		kind := std.Spec.Applies.Kind
		o.byKind[kind] = append(o.byKind[kind], i)
		s := &o.Standings[i]
		s.Standard, s.at, s.table = std, now, ts.Of(kind)
		if kind == "Standard" {
			last = append(last, s)
		} else {
			first = append(first, s)
		}
	}
	if err := judge(ctx, first); err != nil {
		return nil, err
	}
	if len(last) > 0 {
		o.shared = o.shares(ts.Of("Standard"))
		for _, s := range last {
			s.table = o.shared
		}
		if err := judge(ctx, last); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// shares adds to the table of standards of what part of the things it is about
// nobody knows whether a standard is met.
func (o *Outcome) shares(t *Table) *Table {
	column := make([]any, len(t.IDs))
	copy(column, t.columns["unknownShare"]) // what is known of standards that are not judged here
	for i := range o.Standings {
		s := &o.Standings[i]
		if about := s.About(); s.Spec.Applies.Kind != "Standard" && about > 0 {
			if at := t.Find(s.ID); at >= 0 {
				column[at] = float64(s.Unknown) / float64(about)
			}
		}
	}
	return t.with("unknownShare", column)
}

// About is how many entities the standard is about.
func (s *Standing) About() int { return s.Pass + s.Fail + s.Unknown + s.Waived }

// judge fills the standings, several at a time.
func judge(ctx context.Context, all []*Standing) error {
	type job struct {
		s        *Standing
		from, to int
	}
	var jobs []job
	for _, s := range all {
		s.inputs = s.reads(s.table)
		s.results = make([]code, len(s.table.IDs))
		for from := 0; from < len(s.results); from += chunk {
			jobs = append(jobs, job{s, from, min(from+chunk, len(s.results))})
		}
	}
	var next atomic.Int64
	var work sync.WaitGroup
	var failed atomic.Pointer[error]
	for range min(runtime.GOMAXPROCS(0), len(jobs)) {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(jobs) && failed.Load() == nil; i = int(next.Add(1)) - 1 {
				j := jobs[i]
				if err := j.s.between(ctx, j.from, j.to); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	work.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	for _, s := range all {
		s.count()
	}
	return nil
}

// between judges the entities from one place to another. Rules are pure functions
// of what they look at, so each different look is worked out once.
func (s *Standing) between(ctx context.Context, from, to int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	today := def.DateOf(s.at)
	memo := map[string]code{}
	var key []byte
	for i := from; i < to; i++ {
		var c code
		if s.inputs.whole {
			c, _ = s.evaluateAt(ctx, i, today)
		} else {
			key = s.inputs.key(key[:0], i)
			var ok bool
			if c, ok = memo[string(key)]; !ok {
				c, _ = s.evaluateAt(ctx, i, today)
				memo[string(key)] = c
			}
		}
		if c == fails && len(s.waivers) > 0 {
			if w, over, soon := s.waiver(s.table.IDs[i], today); w != nil && !over {
				c = waived
				if soon {
					c = ending
				}
			}
		}
		s.results[i] = c
	}
	return ctx.Err()
}

func (s *Standing) evaluateAt(ctx context.Context, i int, today def.Date) (code, verdict) {
	self, facts := s.inputs.vars(s.table, i)
	v := s.verdict(ctx, map[string]any{"self": self, "facts": facts, "now": s.at, "today": today})
	return v.code, v
}

func (s *Standing) count() {
	for _, c := range s.results {
		switch c {
		case passes:
			s.Pass++
		case fails:
			s.Fail++
		case notKnown:
			s.Unknown++
		case waived:
			s.Waived++
		case ending:
			s.Waived++
			s.Ending++
		}
	}
}

// Standing finds how the estate stands against a standard.
func (o *Outcome) Standing(std string) (*Standing, bool) {
	for i := range o.Standings {
		if o.Standings[i].ID == std {
			return &o.Standings[i], true
		}
	}
	return nil, false
}

// Of is what every standard says of one entity, in the order of standards.
func (o *Outcome) Of(kind, id string) (out []Finding) {
	for _, i := range o.byKind[kind] {
		s := &o.Standings[i]
		if f, ok := s.Finding(s.table.Find(id)); ok {
			out = append(out, f)
		}
	}
	return out
}

// Count counts what the standards say of one entity. It costs far less than [Outcome.Of].
func (o *Outcome) Count(kind, id string) map[Result]int {
	out := map[Result]int{}
	for _, i := range o.byKind[kind] {
		if r := o.Standings[i].Result(o.Standings[i].table.Find(id)); r != "" {
			out[r]++
		}
	}
	return out
}

// Total counts all findings with a result.
func (o *Outcome) Total(r Result) (n int) {
	for i := range o.Standings {
		switch s := &o.Standings[i]; r {
		case Pass:
			n += s.Pass
		case Fail:
			n += s.Fail
		case Unknown:
			n += s.Unknown
		case Waived:
			n += s.Waived
		}
	}
	return n
}

// Table is what the standard was held against.
func (s *Standing) Table() *Table { return s.table }

// Result is what the standard says of entity i of its table, "" if it is not
// about it.
func (s *Standing) Result(i int) Result {
	if i < 0 || i >= len(s.results) {
		return ""
	}
	return results[s.results[i]]
}

// Finding is what the standard says of entity i of its table, if it is about it.
func (s *Standing) Finding(i int) (Finding, bool) {
	if s.Result(i) == "" {
		return Finding{}, false
	}
	t, today := s.table, def.DateOf(s.at)
	f := Finding{Standard: s.Standard, Kind: t.Kind, ID: t.IDs[i], Name: t.Names[i], Result: s.Result(i)}
	f.Waiver, f.Ended, f.Ending = s.waiver(f.ID, today)
	switch f.Result {
	case Pass:
		f.Reason = "The standard is met."
		if s.table.Stated() > 0 { // what only people say is told, also where it is fine
			f.Evidence = slices.DeleteFunc(s.evidence(i), func(e Evidence) bool { return e.Source == "" })
		}
	case Unknown:
		_, v := s.evaluateAt(context.Background(), i, today)
		f.Reason, f.Missing = v.reason, v.missing
	default:
		f.Reason, f.Evidence = s.Spec.Failing, s.evidence(i)
	}
	return f, true
}

// Findings are the findings with one of these results, in the order of the
// table; all results if none is given. At most max are made; 0 for all.
func (s *Standing) Findings(max int, results ...Result) (out []Finding) {
	for _, i := range s.Places(0, max, results...) {
		f, _ := s.Finding(i)
		out = append(out, f)
	}
	return out
}

// Places are the places in the table of the entities with one of these results,
// all results if none is given: at most max after the first skip; max 0 is all.
func (s *Standing) Places(skip, max int, want ...Result) (out []int) {
	for i := range s.results {
		r := s.Result(i)
		if r == "" || len(want) > 0 && !contains(want, r) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if out = append(out, i); len(out) == max {
			break
		}
	}
	return out
}

func contains(rs []Result, r Result) bool {
	for _, x := range rs {
		if x == r {
			return true
		}
	}
	return false
}
