// Package spend answers where the money for technology goes: it matches the lines
// of the general ledger to supplier contracts, and says what is left over.
//
// Every match says why. What fits no contract, or several, is shown with what it
// adds up to; nothing is guessed. Shares are cut in whole pence that add up.
package spend

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Money is the register's, for short.
type Money = register.Money

// yearStarts is the month in which a financial year begins.
const yearStarts = time.April

// Book is the ledger with its matches: the whole of it, once for a snapshot.
type Book struct {
	*register.Snapshot
	Matches  []Match // of Inventory.Ledger, line by line
	Imported bool    // a ledger was imported; without one nothing is known of spend
	First    def.Date
	Last     def.Date // day of the last line
	Years    []string // financial years with lines, the latest first

	byID map[string]register.Contract
}

// Read matches the ledger of a snapshot.
func Read(s *register.Snapshot) *Book {
	_, imported := s.Inventory.Imports["ledger"]
	b := &Book{Snapshot: s, Matches: make([]Match, len(s.Inventory.Ledger)), Imported: imported || len(s.Inventory.Ledger) > 0}
	m, years := newMatcher(s), map[string]bool{}
	b.byID = m.contract
	for i := range s.Inventory.Ledger {
		l := &s.Inventory.Ledger[i]
		b.Matches[i] = m.match(l)
		if b.First.IsZero() || l.On.Before(b.First) {
			b.First = l.On
		}
		if l.On.After(b.Last) {
			b.Last = l.On
		}
		years[YearOf(l.On)] = true
	}
	b.Years = slices.Sorted(maps.Keys(years))
	slices.Reverse(b.Years)
	return b
}

// YearOf is the financial year of a day: 2026-27.
func YearOf(d def.Date) string {
	y := d.Year
	if d.Month < yearStarts {
		y--
	}
	return fmt.Sprintf("%d-%02d", y, (y+1)%100)
}

// Period is a stretch of days, both included.
type Period struct {
	Name     string // "2026-27", or "the last 12 months"
	From, To def.Date
	Whole    bool // the ledger reaches to its end
}

// Contains reports whether a day is in the period.
func (p Period) Contains(d def.Date) bool { return !d.Before(p.From) && !d.After(p.To) }

// Year is the financial year of that name, up to the last line of the ledger; ok
// is false if the ledger has no line of it.
func (b *Book) Year(name string) (Period, bool) {
	if !slices.Contains(b.Years, name) {
		return Period{}, false
	}
	var y int
	if _, err := fmt.Sscanf(name, "%d-", &y); err != nil {
		return Period{}, false
	}
	p := Period{Name: name, From: def.Date{Year: y, Month: yearStarts, Day: 1}, Whole: true}
	p.To = p.From.Add(1, 0, -1)
	if b.Last.Before(p.To.AddDays(-31)) {
		p.To, p.Whole = monthEnd(b.Last), false
	}
	return p, true
}

// LastYear is the twelve months up to the month of the last line.
func (b *Book) LastYear() Period {
	to := monthEnd(b.Last)
	from := to.AddDays(1).Add(-1, 0, 0)
	return Period{Name: "the last 12 months", From: from, To: to, Whole: true}
}

func monthEnd(d def.Date) def.Date {
	return def.Date{Year: d.Year, Month: d.Month, Day: 1}.Add(0, 1, 0).AddDays(-1)
}

// Share is a part of the spend.
type Share struct {
	ID, Name string // ID is "" for what has none
	Amount   Money
	Lines    int
	Part     float64 // of the whole, 0 where it is negative
}

// Month is the spend of a month.
type Month struct {
	Of      def.Date // its first day
	Amount  Money
	Lines   int
	Matched Money
}

// Report is the spend of a period.
type Report struct {
	*Book
	Period
	Lines                                []Match
	Total, Matched, Unclear, Unmatched   Money
	MatchedLines, UnclearLines, NotLines int
	Without                              Money // a person said that it pays no contract
	WithoutLines                         int
	Operating, Capital, NoType           Money
	Credits                              Money // negative, and part of the total
	Suppliers                            []Share
	Towers, Pools, Organisations         []Share
	Months                               []Month
	Contracts                            map[string]Money // paid, by contract
	HHI                                  Concentration
}

// Of adds up a period.
func (b *Book) Of(p Period) *Report {
	r := &Report{Book: b, Period: p, Contracts: map[string]Money{}}
	suppliers, towers, pools, parts := tally{}, tally{}, tally{}, tally{}
	months := map[def.Date]*Month{}
	for d := (def.Date{Year: p.From.Year, Month: p.From.Month, Day: 1}); !d.After(p.To); d = d.Add(0, 1, 0) {
		months[d] = &Month{Of: d}
	}
	for _, x := range b.Matches {
		if !p.Contains(x.On) {
			continue
		}
		amount := Money(x.Amount)
		r.Lines, r.Total = append(r.Lines, x), r.Total+amount
		if amount < 0 {
			r.Credits += amount
		}
		switch x.Type {
		case "operating":
			r.Operating += amount
		case "capital":
			r.Capital += amount
		default:
			r.NoType += amount
		}
		month := months[def.Date{Year: x.On.Year, Month: x.On.Month, Day: 1}]
		month.Amount, month.Lines = month.Amount+amount, month.Lines+1
		key := x.Supplier
		if key == "" {
			key = "?" + normal(x.Name)
		}
		suppliers.add(key, x.Name, amount)
		switch x.State {
		case Matched:
			r.Matched, r.MatchedLines = r.Matched+amount, r.MatchedLines+1
			r.Contracts[x.Contract] += amount
			month.Matched += amount
			b.allocate(x, towers, pools, parts)
			continue
		case Unclear:
			r.Unclear, r.UnclearLines = r.Unclear+amount, r.UnclearLines+1
		case NoneDue: // settled, though under no contract
			r.Without, r.WithoutLines = r.Without+amount, r.WithoutLines+1
		default:
			r.Unmatched, r.NotLines = r.Unmatched+amount, r.NotLines+1
		}
		for _, t := range []tally{towers, pools, parts} {
			t.add("", "Not known: no contract was found for it", amount)
		}
	}
	r.Suppliers, r.Towers, r.Pools, r.Organisations = suppliers.shares(), towers.shares(), pools.shares(), parts.shares()
	for i := range r.Suppliers {
		if strings.HasPrefix(r.Suppliers[i].ID, "?") {
			r.Suppliers[i].ID = ""
		}
	}
	for _, m := range months {
		r.Months = append(r.Months, *m)
	}
	slices.SortFunc(r.Months, func(a, b Month) int { return a.Of.Compare(b.Of) })
	r.HHI = Concentrate(r.Suppliers)
	return r
}

// MatchedPart is the share of the money, credits counted as money, whose contract
// is known; what a person said pays no contract is left out.
func (r *Report) MatchedPart() float64 {
	var all, known float64
	for _, x := range r.Lines {
		if x.State == NoneDue {
			continue
		}
		a := math.Abs(float64(x.Amount))
		all += a
		if x.State == Matched {
			known += a
		}
	}
	if all == 0 {
		return 0
	}
	return known / all
}

type tally map[string]*Share

func (t tally) add(id, name string, m Money) {
	s, ok := t[id]
	if !ok {
		s = &Share{ID: id, Name: name}
		t[id] = s
	}
	s.Amount, s.Lines = s.Amount+m, s.Lines+1
}

// shares are the largest first; parts are of what is not negative.
func (t tally) shares() []Share {
	var out []Share
	var all float64
	for _, s := range t {
		out = append(out, *s)
		all += max(0, float64(s.Amount))
	}
	for i := range out {
		if all > 0 {
			out[i].Part = max(0, float64(out[i].Amount)) / all
		}
	}
	slices.SortFunc(out, func(a, b Share) int {
		return cmp.Or(cmp.Compare(b.Amount, a.Amount), strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID))
	})
	return out
}

// allocate shares a line out as the contract says: between the parts of its cost
// by what they cost, and each part between organisations. Where the contract does
// not say who bears it, the organisations whose systems it pays for do, evenly.
func (b *Book) allocate(x Match, towers, pools, parts tally) {
	k, _ := b.contract(x.Contract)
	amount := Money(x.Amount)
	if len(k.Spec.Cost) == 0 {
		towers.add("-", "Not said in the contract", amount)
		pools.add("-", "Not said in the contract", amount)
		b.organisations(k, nil, amount, parts)
		return
	}
	weights := make([]float64, len(k.Spec.Cost))
	for i, c := range k.Spec.Cost {
		weights[i] = float64(c.Annual*100 + c.Minor)
	}
	for i, part := range Split(amount, weights) {
		c := k.Spec.Cost[i]
		said(towers, c.Tower, part)
		said(pools, c.Pool, part)
		b.organisations(k, c.Allocate, part, parts)
	}
}

func said(t tally, id string, m Money) {
	if id == "" {
		t.add("-", "Not said in the contract", m)
		return
	}
	t.add(id, ui.Capital(ui.Words(id)), m)
}

func (b *Book) organisations(k register.Contract, shares map[string]float64, amount Money, parts tally) {
	ids, weights := []string(nil), []float64(nil)
	for _, id := range slices.Sorted(maps.Keys(shares)) {
		ids, weights = append(ids, b.Set.Present("Organisation", id)), append(weights, shares[id])
	}
	if len(ids) == 0 {
		for _, id := range b.Pays[k.ID] {
			if x, ok := b.System(id); ok && x.Spec.Organisation != "" {
				ids, weights = append(ids, b.Set.Present("Organisation", x.Spec.Organisation)), append(weights, 1)
			}
		}
	}
	if len(ids) == 0 {
		parts.add("-", "Not said in the contract", amount)
		return
	}
	for i, part := range Split(amount, weights) {
		parts.add(ids[i], b.OrganisationName(ids[i]), part)
	}
}

// Split cuts m by weights into whole pence that add up to it. Without weight the
// parts are even.
func Split(m Money, weights []float64) []Money {
	var sum float64
	for _, w := range weights {
		sum += w
	}
	out, left := make([]Money, len(weights)), m
	for i, w := range weights {
		if i == len(weights)-1 {
			out[i] = left
			break
		}
		part := 1 / float64(len(weights))
		if sum > 0 {
			part = w / sum
		}
		out[i] = Money(math.Round(float64(m) * part))
		left -= out[i]
	}
	return out
}

func (b *Book) contract(id string) (register.Contract, bool) {
	k, ok := b.byID[id]
	return k, ok
}

// Committed is what the contract binds the body to pay in a period: what it costs
// a year, for the days on which it runs. ok is false where the cost is not known.
func Committed(k register.Contract, p Period) (m Money, ok bool) {
	minor, ok := k.Spec.Minor()
	if !ok {
		return 0, false
	}
	from, to := p.From, p.To
	if t := k.Spec.Term; t != nil {
		if t.Starts != nil && t.Starts.After(from) {
			from = *t.Starts
		}
		if t.Ends != nil && t.Ends.Before(to) {
			to = *t.Ends
		}
	}
	if to.Before(from) {
		return 0, true
	}
	return Money(math.Round(float64(minor) * float64(to.Sub(from)+1) / float64(p.From.Add(1, 0, 0).Sub(p.From)))), true
}

// Group is the lines of one supplier that have no contract.
type Group struct {
	Name      string // as the ledger writes it first
	Supplier  string // id, where the name was recognised
	Why       string
	State     State
	Amount    Money
	Lines     []Match
	From, To  def.Date
	Spellings []string // where it is written in several ways
}

// Open are the lines without a contract in groups of one supplier, the largest
// first.
func (r *Report) Open() []Group {
	at := map[string]*Group{}
	for _, x := range r.Lines {
		if x.State == Matched || x.State == NoneDue {
			continue
		}
		key := string(x.State) + x.Supplier
		if x.Supplier == "" {
			key = "?" + normal(x.Line.Supplier)
		}
		g, ok := at[key]
		if !ok {
			g = &Group{Name: x.Name, Supplier: x.Supplier, Why: x.Why, State: x.State, From: x.On, To: x.On}
			at[key] = g
		}
		if g.Name == "" {
			g.Name = "No supplier named"
		}
		g.Amount, g.Lines = g.Amount+Money(x.Amount), append(g.Lines, x)
		if x.On.Before(g.From) {
			g.From = x.On
		}
		if x.On.After(g.To) {
			g.To = x.On
		}
		if s := strings.TrimSpace(x.Line.Supplier); !slices.Contains(g.Spellings, s) {
			g.Spellings = append(g.Spellings, s)
		}
	}
	out := make([]Group, 0, len(at))
	for _, g := range at {
		slices.SortFunc(g.Lines, func(a, b Match) int { return cmp.Or(cmp.Compare(b.Amount, a.Amount), strings.Compare(a.ID, b.ID)) })
		slices.Sort(g.Spellings)
		out = append(out, *g)
	}
	slices.SortFunc(out, func(a, b Group) int {
		return cmp.Or(cmp.Compare(b.Amount, a.Amount), strings.Compare(a.Name, b.Name), strings.Compare(string(a.State), string(b.State)))
	})
	return out
}
