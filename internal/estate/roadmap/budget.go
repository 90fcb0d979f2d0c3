package roadmap

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Budget is a budget line with what is planned and spent from it.
type Budget struct {
	Line
	From, To  def.Date // of its year; zero where the year cannot be read
	Amount    register.Money
	Contracts register.Cost  // of the organisation's share of contracts in force in the year; operating lines with an organisation only
	Counted   bool           // Contracts could be worked out
	Agreed    register.Money // items that are agreed, under way or done
	Proposed  register.Money // items that are not decided
	Spent     register.Money // lines of the ledger with the code of the line
	Ledger    bool           // the ledger was imported, and the line has a code
	Items     []Item
}

// Left is what is not planned for: below nought where more is planned than there is.
func (b Budget) Left() register.Money {
	return b.Amount - b.Contracts.Known - b.Agreed - b.Proposed
}

// Need is what a year needs from one of the two budgets.
type Need struct {
	Year, Type                          string
	Amount, Contracts, Agreed, Proposed register.Money
	Lines                               int
	ContractsLack                       bool // of some contract it is not known what it costs
}

// Left is what is not planned for.
func (n Need) Left() register.Money { return n.Amount - n.Contracts - n.Agreed - n.Proposed }

// Budgets works the budget lines out.
func (p *Plan) Budgets() (out []Budget) {
	_, imported := p.Inventory.Imports[string(inventory.TypeLedger)]
	lines := map[string]map[string]int{} // operating lines of a year, by organisation
	for _, l := range p.Lines {
		if l.Spec.Type == "operating" && l.Spec.Organisation != "" {
			if lines[l.Spec.Year] == nil {
				lines[l.Spec.Year] = map[string]int{}
			}
			lines[l.Spec.Year][l.Spec.Organisation]++
		}
	}
	for _, l := range p.Lines {
		b := Budget{Line: l, Amount: register.Money(l.Spec.Amount * 100)}
		b.From, b.To, _ = Year(l.Spec.Year)
		for _, x := range p.Items {
			for _, c := range x.Spec.Cost {
				if c.Line != l.ID || State(x) == "stopped" {
					continue
				}
				b.Items = append(b.Items, x)
				if m := register.Money(c.Amount * 100); State(x) == "proposed" {
					b.Proposed += m
				} else {
					b.Agreed += m
				}
			}
		}
		if l.Spec.Type == "operating" && lines[l.Spec.Year][l.Spec.Organisation] == 1 && !b.From.IsZero() {
			b.Contracts, b.Counted = p.contractsOf(l.Spec.Organisation, lines[l.Spec.Year], b.From, b.To), true
		}
		if b.Ledger = imported && l.Spec.Code != "" && !b.From.IsZero(); b.Ledger {
			for _, x := range p.Inventory.Ledger {
				if x.Code == l.Spec.Code && !x.On.Before(b.From) && !b.To.Before(x.On) {
					b.Spent += register.Money(x.Amount)
				}
			}
		}
		out = append(out, b)
	}
	return out
}

// Needs adds the lines up by year and type. The contracts of a year are counted
// whole, whichever line bears them.
func (p *Plan) Needs() (out []Need) {
	for _, b := range p.Budgets() {
		i := slices.IndexFunc(out, func(n Need) bool { return n.Year == b.Spec.Year && n.Type == b.Spec.Type })
		if i < 0 {
			i = len(out)
			n := Need{Year: b.Spec.Year, Type: b.Spec.Type}
			if n.Type == "operating" && !b.From.IsZero() {
				c := p.contractsOf("", nil, b.From, b.To)
				n.Contracts, n.ContractsLack = c.Known, c.Lacks
			}
			out = append(out, n)
		}
		out[i].Lines++
		out[i].Amount += b.Amount
		out[i].Agreed += b.Agreed
		out[i].Proposed += b.Proposed
	}
	slices.SortStableFunc(out, func(a, b Need) int {
		return cmp.Or(strings.Compare(a.Year, b.Year), strings.Compare(b.Type, a.Type))
	})
	return out
}

// contractsOf is what contracts cost an organisation, or everybody for "", from one
// day to another, by the days on which they bind. Its parts count with it, but for
// those that have a line of their own. One that renews
// by itself, or of which it is not said, goes on.
func (p *Plan) contractsOf(organisation string, lines map[string]int, from, to def.Date) (sum register.Cost) {
	sum.Sure = true
	for _, k := range p.Contracts {
		days := bound(k, from, to)
		if days == 0 {
			continue
		}
		share := 1.0
		if organisation != "" {
			if share = p.share(k, organisation, lines); share == 0 {
				continue
			}
		}
		c := register.CostOf(k)
		c.Known = register.Money(float64(c.Known)*share*float64(days)/float64(to.Sub(from)+1) + 0.5)
		sum = sum.Plus(c)
	}
	return sum
}

// bound is on how many days from one day to another a contract binds.
func bound(k register.Contract, from, to def.Date) int {
	if t := k.Spec.Term; t != nil {
		if t.Starts != nil {
			from = later(from, *t.Starts)
		}
		if t.Ends != nil && t.Renews != nil && !*t.Renews && t.Ends.Before(to) {
			to = *t.Ends
		}
	}
	return max(0, to.Sub(from)+1)
}

// share is the part of a contract that an organisation's line bears: as allocated,
// else by the systems that it pays for.
func (p *Plan) share(k register.Contract, organisation string, lines map[string]int) float64 {
	var share, all float64
	for _, c := range k.Spec.Cost {
		w := float64(c.Annual)
		all += w
		if len(c.Allocate) > 0 {
			for id, part := range c.Allocate {
				if p.bearer(id, lines) == organisation {
					share += w * part
				}
			}
			continue
		}
		systems := p.Pays[k.ID]
		for _, id := range systems {
			if x, ok := p.System(id); ok && p.bearer(x.Spec.Organisation, lines) == organisation {
				share += w / float64(len(systems))
			}
		}
	}
	if all == 0 {
		return 0
	}
	return share / all
}

// bearer is the nearest organisation, from id upwards, that has a line; "" if none.
func (p *Plan) bearer(id string, lines map[string]int) string {
	for range len(p.Organisations) + 1 {
		if lines[id] > 0 {
			return id
		}
		o, ok := p.Organisations[p.Set.Present("Organisation", id)]
		if !ok || o.Spec.Parent == "" {
			return ""
		}
		id = o.Spec.Parent
	}
	return ""
}

// Year reads a financial year: 2026-27 (April to March), or 2026 (the calendar's).
func Year(text string) (from, to def.Date, ok bool) {
	first, second, two := strings.Cut(strings.ReplaceAll(text, "/", "-"), "-")
	y, err := strconv.Atoi(first)
	if err != nil || y < 1900 || y > 9000 {
		return from, to, false
	}
	if !two {
		return def.Date{Year: y, Month: time.January, Day: 1}, def.Date{Year: y, Month: time.December, Day: 31}, true
	}
	z, err := strconv.Atoi(second)
	if err != nil || z != y+1 && z != (y+1)%100 {
		return from, to, false
	}
	return def.Date{Year: y, Month: time.April, Day: 1}, def.Date{Year: y + 1, Month: time.March, Day: 31}, true
}

// Unserving is spend that serves no objective.
type Unserving struct {
	Systems []register.System // ours in use that serve none, the dearest first
	Yearly  register.Cost
	Items   []Item // that serve none
	Asked   register.Money
}

// Unserving finds the spend that serves no objective.
func (p *Plan) Unserving() (u Unserving) {
	serves := map[string]bool{}
	for _, o := range p.Objectives {
		for _, id := range p.SystemsOf(o) {
			serves[id] = true
		}
	}
	u.Yearly.Sure = true
	for _, x := range p.Systems {
		if c := p.YearlyOf(x.ID); x.Spec.InUse() && p.Ours(x.Spec.Organisation) && !serves[x.ID] && c.Sure {
			u.Systems = append(u.Systems, x)
			u.Yearly = u.Yearly.Plus(c)
		}
	}
	slices.SortStableFunc(u.Systems, func(a, b register.System) int { return cmp.Compare(p.YearlyOf(b.ID).Known, p.YearlyOf(a.ID).Known) })
	for _, x := range p.Items {
		if len(x.Spec.Objectives) == 0 && Open(x) {
			u.Items = append(u.Items, x)
			u.Asked += CostOf(x)
		}
	}
	return u
}

// CostOf is what an item costs in all.
func CostOf(x Item) (sum register.Money) {
	for _, c := range x.Spec.Cost {
		sum += register.Money(c.Amount * 100)
	}
	return sum
}

// Spend is what an objective is served with.
type Spend struct {
	Yearly register.Cost  // of the systems that serve it
	Items  register.Money // of its items
}

// SpendOf is what serves an objective. A system that serves several counts whole
// for each.
func (p *Plan) SpendOf(o Objective) (s Spend) {
	unknown := false
	for _, id := range p.SystemsOf(o) {
		switch c := p.YearlyOf(id); {
		case !c.Sure:
			unknown = true
		case !s.Yearly.Sure:
			s.Yearly = c
		default:
			s.Yearly = s.Yearly.Plus(c)
		}
	}
	s.Yearly.Lacks = s.Yearly.Lacks || unknown
	for _, x := range p.Serving(o.ID) {
		if State(x) != "stopped" {
			s.Items += CostOf(x)
		}
	}
	return s
}

// None reports whether nothing at all is spent.
func (s Spend) None() bool { return !s.Yearly.Sure && s.Items == 0 }

// servicesOf are the names of the services that need a system.
func (p *Plan) servicesOf(system string) (names []string) {
	for _, v := range def.All[catalogue.Spec](p.Set) {
		if (v.Spec.Withdrawn == nil || v.Spec.Withdrawn.After(p.Today)) && slices.Contains(v.Spec.Systems, system) {
			names = append(names, v.Name)
		}
	}
	return names
}
