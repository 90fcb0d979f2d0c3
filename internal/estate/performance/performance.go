package performance

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Measure is a measure as declared.
type Measure = def.Of[Spec]

// Point is the number of a day, or of the period that ends on it.
type Point struct {
	On    def.Date
	Value float64
}

// State is how a measure stands to its target.
type State string

// The states.
const (
	Met      State = "met"
	NotMet   State = "not met"
	NoTarget State = "no target"
	NoNumber State = "no number"
)

// Series is a measure with its numbers, a number a period.
type Series struct {
	Measure
	Points  []Point // the last of each period, the oldest first
	State   State
	Missing []def.Date // first days of the periods between the first and the last that have no number
	Late    int        // periods that are over since the last number; 0 where it is there
	Better  int        // 1 better than the one before, -1 worse, 0 the same or nothing to compare
}

// Last is the newest number.
func (s Series) Last() (Point, bool) {
	if len(s.Points) == 0 {
		return Point{}, false
	}
	return s.Points[len(s.Points)-1], true
}

// Keeper keeps the numbers that the program counts itself, by day, so that there
// is a trend. It is safe for use by many goroutines.
type Keeper struct {
	db  *store.DB
	now func() time.Time
	at  func(ctx context.Context, on def.Date) (*register.Snapshot, error)
	ask map[string]Count

	mu   sync.Mutex
	last time.Time // when numbers were kept last
}

// Count counts something in a snapshot; ok is false where it is not known.
type Count func(s *register.Snapshot) (value float64, ok bool)

// Every is how often numbers are counted again: the last of a day counts for it.
const Every = time.Hour

// Open readies the room. counts are answers to computed sources that other rooms
// know, by name; they go before the room's own. now is in the body's time zone.
func Open(ctx context.Context, db *store.DB, now func() time.Time, at func(context.Context, def.Date) (*register.Snapshot, error), counts map[string]Count) (*Keeper, error) {
	if err := db.Migrate(ctx, "performance", migrations); err != nil {
		return nil, err
	}
	k := &Keeper{db: db, now: now, at: at, ask: Own()}
	maps.Copy(k.ask, counts)
	return k, nil
}

// Step counts everything that the program can count, if that is due.
func (k *Keeper) Step(ctx context.Context) (did int, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if now.Sub(k.last) < Every && def.DateOf(now) == def.DateOf(k.last) {
		return 0, nil
	}
	s, err := k.at(ctx, def.Date{})
	if err != nil {
		return 0, err
	}
	day := def.DateOf(now)
	err = k.db.Update(ctx, func(tx *store.Tx) error {
		for _, name := range slices.Sorted(maps.Keys(k.ask)) {
			v, ok := k.ask[name](s)
			if !ok {
				continue
			}
			did++
			if err := putPoint(tx, name, Point{day, v}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	k.last = now
	return did, nil
}

// Series are the measures of a snapshot with their numbers, by name.
func (k *Keeper) Series(ctx context.Context, s *register.Snapshot) ([]Series, error) {
	kept := map[string][]Point{}
	err := k.db.View(ctx, func(tx *store.Tx) error {
		clear(kept)
		rows, err := points(tx, s.Today)
		for _, r := range rows {
			kept[r.series] = append(kept[r.series], r.Point)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if !s.Past {
		for name, count := range k.ask { // what is so now goes before what was counted earlier today
			if v, ok := count(s); ok {
				ps := kept[name]
				if n := len(ps); n > 0 && ps[n-1].On == s.Today {
					ps = ps[:n-1]
				}
				kept[name] = append(ps, Point{s.Today, v})
			}
		}
	}
	return all(s, kept), nil
}

// Imported are the measures of a snapshot with the numbers that were imported
// alone.
func Imported(s *register.Snapshot) []Series { return all(s, nil) }

func all(s *register.Snapshot, kept map[string][]Point) []Series {
	series := map[string][]Point{}
	for _, p := range s.Inventory.Points { // in the order of their keys: by series and day
		if !p.On.After(s.Today) {
			series[p.Series] = append(series[p.Series], Point{p.On, p.Value})
		}
	}
	var out []Series
	for _, m := range def.All[Spec](s.Set) {
		ps := kept[m.Spec.Source.Computed]
		if m.Spec.Source.Import != "" {
			ps = series[m.Spec.Source.Import]
		}
		out = append(out, judge(m, ps, s.Today))
	}
	slices.SortStableFunc(out, func(a, b Series) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// judge puts points into periods and holds the last to the target.
func judge(m Measure, ps []Point, today def.Date) Series {
	s := Series{Measure: m}
	slices.SortStableFunc(ps, func(a, b Point) int { return a.On.Compare(b.On) })
	for _, p := range ps {
		if n := len(s.Points); n > 0 && begin(s.Points[n-1].On, m.Spec.Every) == begin(p.On, m.Spec.Every) {
			s.Points[n-1] = p
			continue
		}
		s.Points = append(s.Points, p)
	}
	last, ok := s.Last()
	if !ok {
		s.State = NoNumber
		return s
	}
	for i, p := range s.Points[1:] {
		at := next(begin(s.Points[i].On, m.Spec.Every), m.Spec.Every)
		for to := begin(p.On, m.Spec.Every); at.Before(to) && len(s.Missing) < 1000; at = next(at, m.Spec.Every) {
			s.Missing = append(s.Missing, at)
		}
	}
	// The period that runs now may still have no number.
	for at := next(begin(last.On, m.Spec.Every), m.Spec.Every); s.Late < 1000 && !next(at, m.Spec.Every).After(today); at = next(at, m.Spec.Every) {
		s.Late++
	}
	t := m.Spec.Target
	s.State = NoTarget
	if t == nil {
		return s
	}
	sign := 1.0
	if t.Better == "lower" {
		sign = -1
	}
	s.State = NotMet
	if sign*(last.Value-t.Value) >= 0 {
		s.State = Met
	}
	if n := len(s.Points); n > 1 {
		s.Better = cmp.Compare(sign*last.Value, sign*s.Points[n-2].Value)
	}
	return s
}

// begin is the first day of the period that a day lies in.
func begin(d def.Date, every string) def.Date {
	switch every {
	case "day":
		return d
	case "week":
		return d.AddDays(1 - d.Weekday())
	case "quarter":
		return def.Date{Year: d.Year, Month: (d.Month-1)/3*3 + 1, Day: 1}
	case "year":
		return def.Date{Year: d.Year, Month: time.January, Day: 1}
	}
	return def.Date{Year: d.Year, Month: d.Month, Day: 1}
}

// next is the first day of the period after the one that begins on a day.
func next(d def.Date, every string) def.Date {
	switch every {
	case "day":
		return d.AddDays(1)
	case "week":
		return d.AddDays(7)
	case "quarter":
		return d.Add(0, 3, 0)
	case "year":
		return d.Add(1, 0, 0)
	}
	return d.Add(0, 1, 0)
}

// Own are the counts that follow from a snapshot alone.
func Own() map[string]Count {
	return map[string]Count{
		"standards-pass-share":    func(s *register.Snapshot) (float64, bool) { return share(s, standard.Pass) },
		"standards-unknown-share": func(s *register.Snapshot) (float64, bool) { return share(s, standard.Unknown) },
		"intake-median-days":      func(s *register.Snapshot) (float64, bool) { return median(s.Tables.Of("IntakeRequest"), "daysInGate") },
		"board-median-days":       func(s *register.Snapshot) (float64, bool) { return median(s.Tables.Of("Board"), "medianWaitDays") },
		"yearly-cost":             func(s *register.Snapshot) (float64, bool) { return float64(s.Yearly.Known) / 100, s.Yearly.Sure },
		"unmatched-spend":         unmatched,
		"records-delivered": func(s *register.Snapshot) (float64, bool) {
			return seen(s, func(f *register.FlowSeen) int64 { return f.Delivered })
		},
		"held-records": func(s *register.Snapshot) (float64, bool) {
			n, known := seen(s, func(f *register.FlowSeen) int64 { return f.Held })
			for _, h := range s.Held {
				n += float64(h.Records)
			}
			return n, known
		},
	}
}

func share(s *register.Snapshot, what standard.Result) (float64, bool) {
	n, of := 0, 0
	for _, t := range s.Outcome.Standings {
		of += t.Pass + t.Fail + t.Unknown + t.Waived
		switch what {
		case standard.Pass:
			n += t.Pass
		case standard.Unknown:
			n += t.Unknown
		}
	}
	if of == 0 {
		return 0, false
	}
	return 100 * float64(n) / float64(of), true
}

func median(t *standard.Table, fact string) (float64, bool) {
	var vs []float64
	for i := range t.IDs {
		switch v, _ := t.Fact(i, fact); v := v.(type) {
		case int64:
			vs = append(vs, float64(v))
		case float64:
			vs = append(vs, v)
		}
	}
	if len(vs) == 0 {
		return 0, false
	}
	slices.Sort(vs)
	if n := len(vs); n%2 == 0 {
		return (vs[n/2-1] + vs[n/2]) / 2, true
	}
	return vs[len(vs)/2], true
}

// unmatched is the spend of the year to the last line of the ledger that is
// matched to no supplier contract, in whole units of money.
func unmatched(s *register.Snapshot) (float64, bool) {
	lines, t := s.Inventory.Ledger, s.Tables.Of("LedgerLine")
	if len(lines) == 0 {
		return 0, false
	}
	var last def.Date
	for _, l := range lines {
		if l.On.After(last) {
			last = l.On
		}
	}
	from, sum, known := last.Add(-1, 0, 0), int64(0), false
	for _, l := range lines {
		i := t.Find(l.ID)
		if i < 0 || !l.On.After(from) {
			continue
		}
		if v, ok := t.Fact(i, "matchedContract"); ok {
			known = true
			if v == false {
				sum += l.Amount
			}
		}
	}
	return float64(sum) / 100, known
}

func seen(s *register.Snapshot, of func(*register.FlowSeen) int64) (sum float64, known bool) {
	for _, f := range s.Flows {
		if f.Seen != nil {
			sum, known = sum+float64(of(f.Seen)), true
		}
	}
	return sum, known
}
