// Package rehearsal runs a changed flow over records that really came in, and tells
// what would differ from the flow in force. Nothing is sent or stored.
//
// What is guaranteed. Both flows are run by the code that carries records, on the
// same records. What is told of a record is its number of differences by field and
// kind; values are masked, and only texts that stand in the map itself are shown.
//
// What not to assume. At most [MaxRecords] are looked at, the oldest first: the report
// says when there were more.
package rehearsal

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/example"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
)

// Bounds.
const (
	MaxRecords = 100_000
	step       = 500 // records read at once
	shown      = 10  // differences told one by one
)

// Report is what would differ.
type Report struct {
	Flow     string         `json:"flow"`
	Since    time.Time      `json:"since"`
	Records  int            `json:"records"` // that the flow, now or changed, deals with
	Same     int            `json:"same"`
	Differ   int            `json:"differ"`
	More     bool           `json:"more"`    // there were more records than are looked at
	Became   map[string]int `json:"became"`  // "sent, then filtered" to how many
	Fields   map[string]int `json:"fields"`  // JSON Pointer of a field to how many bodies differ in it
	Changes  []Change       `json:"changes"` // the newest few
	Problems []def.Problem  `json:"problems,omitempty"`
}

// Change is one record that would be dealt with in another way.
type Change struct {
	Record  reeve.RecordID       `json:"record"`
	Now     string               `json:"now"`  // what the flow in force made of it
	Then    string               `json:"then"` // what the changed one would
	Told    []reeve.Problem      `json:"problems,omitempty"`
	Differs []example.Difference `json:"differs,omitempty"` // masked: what is, and what would be
}

// Reader reads the log.
type Reader interface {
	Last(ctx context.Context) (int64, error)
	Read(ctx context.Context, t reeve.RecordType, after int64, max int) ([]reclog.Record, error)
	ReadTypes(ctx context.Context, types []reeve.RecordType, after int64, max int) ([]reclog.Record, error)
}

// Latest are the newest records of some types for which keep holds, the newest
// first: at most n, and few are looked at to find them.
func Latest(ctx context.Context, log Reader, types []reeve.RecordType, n int, keep func(*reclog.Record) bool) (found []reclog.Record, err error) {
	last, err := log.Last(ctx)
	if err != nil {
		return nil, err
	}
	for span := int64(step); ; span *= 4 {
		from := max(0, last-span)
		var recs []reclog.Record
		if recs, err = log.ReadTypes(ctx, types, from, 4*step); err != nil {
			return nil, err
		}
		found = nil
		for i := len(recs) - 1; i >= 0 && len(found) < n; i-- {
			if keep(&recs[i]) {
				found = append(found, recs[i])
			}
		}
		if len(found) == n || from == 0 || len(recs) == 4*step {
			return found, nil
		}
	}
}

// first is a number below that of the first record accepted at a moment or later.
func first(ctx context.Context, log Reader, since time.Time) (int64, error) {
	low := int64(0)
	high, err := log.Last(ctx)
	for err == nil && low < high {
		middle := (low + high) / 2
		var recs []reclog.Record
		if recs, err = log.Read(ctx, "", middle, 1); err != nil {
			return 0, err
		}
		if len(recs) == 0 || !recs[0].At.Before(since) {
			high = middle
		} else {
			low = recs[0].N
		}
	}
	return low, err
}

// Pair is a flow in force and as it would be. Now is nil where it is new.
type Pair struct {
	Before, After *flow.Set
	Now, Then     *flow.Flow
	Literals      map[string]bool // texts of both maps
}

// NewPair finds a flow in both sets.
func NewPair(before, after *flow.Set, id string, maps ...string) (p Pair, err error) {
	p = Pair{Before: before, After: after, Literals: Literals(strings.Join(maps, "\n"))}
	var ok bool
	if p.Then, ok = after.Get(id); !ok {
		return p, reeve.E(reeve.NotFound, "rehearsal", "there is no flow %q in the changed definitions", id)
	}
	p.Now, _ = before.Get(p.Then.ID)
	for _, old := range p.Then.Formerly {
		if p.Now == nil {
			p.Now, _ = before.Get(old)
		}
	}
	return p, nil
}

// Types are the ids of the records that the flow, in force or changed, carries.
func (p Pair) Types() []reeve.RecordType {
	types := p.Then.Type.IDs()
	if p.Now != nil {
		for _, t := range p.Now.Type.IDs() {
			if !slices.Contains(types, t) {
				types = append(types, t)
			}
		}
	}
	return types
}

// Both runs both on a record.
func (p Pair) Both(ctx context.Context, rec *reclog.Record) (now, then flow.Prepared) {
	now = flow.Prepared{Decision: flow.Elsewhere}
	if p.Now != nil {
		now = p.Before.Prepare(ctx, p.Now, rec.At, rec, nil)
	}
	return now, p.After.Prepare(ctx, p.Then, rec.At, rec, nil)
}

// NewReport is the report of a flow before any record is looked at.
func NewReport(flow string, since time.Time) Report {
	return Report{Flow: flow, Since: since, Became: map[string]int{}, Fields: map[string]int{}, Changes: []Change{}}
}

// Run rehearses a flow over what came since.
func Run(ctx context.Context, log Reader, p Pair, since time.Time) (Report, error) {
	r := NewReport(p.Then.ID, since)
	after, err := first(ctx, log, since)
	if err != nil {
		return r, err
	}
	for {
		recs, err := log.ReadTypes(ctx, p.Types(), after, step)
		if err != nil {
			return r, err
		}
		for i := range recs {
			if r.Records == MaxRecords {
				r.More = true
				return r, nil
			}
			p.Add(ctx, &r, &recs[i])
		}
		if len(recs) < step {
			return r, ctx.Err()
		}
		after = recs[len(recs)-1].N
	}
}

// Add counts one record.
func (p Pair) Add(ctx context.Context, r *Report, rec *reclog.Record) {
	now, then := p.Both(ctx, rec)
	if now.Decision == flow.Elsewhere && then.Decision == flow.Elsewhere || rec.At.Before(r.Since) {
		return
	}
	r.Records++
	c := p.change(rec, now, then)
	if c == nil {
		r.Same++
		return
	}
	r.Differ++
	r.Became[c.Now+", then "+c.Then]++
	for _, at := range fieldsOf(c.Differs) {
		r.Fields[at]++
	}
	if len(r.Changes) == shown {
		r.Changes = r.Changes[1:]
	}
	r.Changes = append(r.Changes, *c)
}

// change is nil where both make the same of a record.
func (p Pair) change(rec *reclog.Record, now, then flow.Prepared) *Change {
	c := Change{Record: rec.ID, Now: now.Decision.String(), Then: then.Decision.String(), Told: then.Problems}
	switch {
	case now.Decision == flow.Sent && then.Decision == flow.Sent:
		if c.Differs = p.Differences(now.Body, then.Body); len(c.Differs) == 0 {
			return nil
		}
	case now.Decision == then.Decision:
		return nil
	}
	return &c
}

// Differences are where two bodies differ, masked.
func (p Pair) Differences(now, then []byte) []example.Difference {
	out := example.Compare(now, then)
	for i := range out {
		out[i].Want, out[i].Got = p.masked(out[i].Want), p.masked(out[i].Got)
		out[i].Path = maskPath(out[i].Path)
	}
	return out
}

// Outlines are where two bodies differ: masked as they are, and only the kinds of
// values as they would be, see [Outline].
func (p Pair) Outlines(now, then []byte, known func(name string) bool) []example.Difference {
	out := example.Compare(now, then)
	for i := range out {
		out[i].Want, out[i].Got = p.masked(out[i].Want), strings.Join(strings.Fields(Outline([]byte(out[i].Got), known)), " ")
		toks := strings.Split(out[i].Path, "/")
		for j, tok := range toks {
			if _, err := strconv.ParseUint(tok, 10, 31); err != nil && tok != "" && !known(unescaped.Replace(tok)) {
				toks[j] = "…"
			}
		}
		out[i].Path = strings.Join(toks, "/")
	}
	return slices.CompactFunc(out, func(a, b example.Difference) bool { return a == b })
}

var unescaped = strings.NewReplacer("~1", "/", "~0", "~")

func (p Pair) masked(text string) string {
	if text == "" {
		return ""
	}
	s := Mask([]byte(text), func(_, value string) bool { return p.Literals[value] })
	return strings.Join(strings.Fields(s), " ")
}

func maskPath(path string) string {
	toks := strings.Split(path, "/")
	for i := range toks {
		toks[i] = maskName(toks[i])
	}
	return strings.Join(toks, "/")
}

var listIndex = regexp.MustCompile(`/[0-9]+(/|$)`)

// fieldsOf are the fields that differ, each once, list indexes left out.
func fieldsOf(ds []example.Difference) []string {
	seen := map[string]bool{}
	for _, d := range ds {
		at := d.Path
		for listIndex.MatchString(at) {
			at = listIndex.ReplaceAllString(at, "$1")
		}
		seen[at] = true
	}
	return slices.Sorted(maps.Keys(seen))
}

// Text is the report for people.
func (r Report) Text() string {
	var b strings.Builder
	for _, p := range r.Problems {
		fmt.Fprintln(&b, p)
	}
	if len(r.Problems) > 0 {
		return b.String()
	}
	more := ""
	if r.More {
		more = " There were more: these are the first."
	}
	since := ""
	if !r.Since.IsZero() {
		since = " since " + r.Since.Format("2 January 2006 15:04")
	}
	fmt.Fprintf(&b, "%s: %d records%s. %d would be dealt with as now, %d in another way.%s\n", r.Flow, r.Records, since, r.Same, r.Differ, more)
	for _, k := range slices.Sorted(maps.Keys(r.Became)) {
		fmt.Fprintf(&b, "  %6d %s\n", r.Became[k], k)
	}
	for _, k := range slices.Sorted(maps.Keys(r.Fields)) {
		name := k
		if name == "" {
			name = "/"
		}
		fmt.Fprintf(&b, "  %6d differ in %s\n", r.Fields[k], name)
	}
	for _, c := range r.Changes {
		fmt.Fprintf(&b, "\n%s was %s, would be %s\n", c.Record, c.Now, c.Then)
		for _, p := range c.Told {
			fmt.Fprintf(&b, "  %s\n", strings.TrimSpace(p.Path+" "+p.Message))
		}
		for _, d := range c.Differs {
			fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(d.String(), "\n", "\n  "))
		}
	}
	return b.String()
}
