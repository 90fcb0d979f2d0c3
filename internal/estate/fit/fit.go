// Package fit judges how well each system serves the body: its fit for the
// business and its technical fit, each from evidence, and what follows from the
// two (tolerate, invest, migrate or eliminate, as Gartner's TIME model names it).
// It finds what could be retired, what that would break and save, what systems
// cost a user and a transaction, and how healthy capabilities are.
//
// Every score rests on pieces of evidence that the page shows, each known or not.
// A system of which too little is known has no place in the quadrant: it is listed
// as not known. Nothing here asks anybody; all of it follows from the snapshot.
package fit

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/catalogue"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Verdict is what the two scores of a system say together.
type Verdict string

// The verdicts. NotKnown is the empty one.
const (
	Invest    Verdict = "invest"
	Migrate   Verdict = "migrate"
	Tolerate  Verdict = "tolerate"
	Eliminate Verdict = "eliminate"
	NotKnown  Verdict = ""
)

// Evidence is one thing that a score rests on.
type Evidence struct {
	What   string  // "People who have it use it"
	Found  string  // "180 of 210 seats were used in the last 90 days"; what to do where not known
	Lacks  string  // what to find out where it is not known: "who uses it"
	Weight float64 // how much it counts; 0 where it says nothing about this system
	Known  float64 // share of it that is known, 0 to 1
	Value  float64 // 0 bad to 1 good
}

// Score is evidence added up.
type Score struct {
	Value    float64 // 0 to 100, over what is known
	Coverage float64 // share of the evidence that is known, by weight
	Evidence []Evidence
}

// Enough is the least coverage with which a score counts.
const Enough = 0.5

// Known reports whether enough is known for the score to count.
func (s Score) Known() bool { return s.Coverage >= Enough }

func (s *Score) add(e Evidence) { s.Evidence = append(s.Evidence, e) }

func (s *Score) sum() {
	var known, all, value float64
	for _, e := range s.Evidence {
		all += e.Weight
		known += e.Weight * e.Known
		value += e.Weight * e.Known * e.Value
	}
	if all > 0 {
		s.Coverage = known / all
	}
	if known > 0 {
		s.Value = 100 * value / known
	}
}

// Row is a system with its scores.
type Row struct {
	register.System
	Organisation        string
	Business, Technical Score
	Verdict             Verdict
	Yearly              register.Cost
	Users               Users
	PerUser             register.Cost
	Transactions        Transactions
}

// Users is how many people use a system, and how that is known.
type Users struct {
	N      int
	Known  bool
	Seats  int    // bought or given; 0 where not known
	Source string // in words
}

// Transactions is what a system did in a year, and how that is known.
type Transactions struct {
	PerYear float64
	Known   bool
	Source  string
	Each    register.Money // cost of one, where both are known
	Priced  bool
}

// Report is the fit of all our systems in use.
type Report struct {
	*register.Snapshot
	Rows       []*Row // by name
	Candidates []Candidate
	row        map[string]*Row
	services   map[string][]def.Of[catalogue.Spec]
	objectives map[string][]string // names of the objectives that a system serves
	seats      map[string]seats
	counted    map[string]year // transactions measured in the year to today, by system
	declared   struct{ objectives, services bool }
}

type seats struct{ given, active int }

type year struct {
	sum    float64
	points int
}

// New works out the fit of everything in a snapshot whose standards were judged.
func New(s *register.Snapshot) *Report {
	r := &Report{Snapshot: s, row: map[string]*Row{}}
	r.index()
	for _, x := range s.Systems {
		if !x.Spec.InUse() || !s.Ours(x.Spec.Organisation) {
			continue
		}
		row := &Row{System: x, Yearly: s.YearlyOf(x.ID), Users: r.users(x)}
		if x.Spec.Organisation != "" {
			row.Organisation = s.OrganisationName(x.Spec.Organisation)
		}
		row.PerUser = perUser(row.Yearly, row.Users)
		row.Transactions = r.transactions(row)
		r.Rows, r.row[x.ID] = append(r.Rows, row), row
	}
	for _, row := range r.Rows {
		r.business(row)
		r.technical(row)
		row.Verdict = verdict(row.Business, row.Technical)
	}
	r.candidates()
	return r
}

// Row finds one of our systems in use.
func (r *Report) Row(id string) (*Row, bool) { x, ok := r.row[id]; return x, ok }

func verdict(business, technical Score) Verdict {
	if !business.Known() || !technical.Known() {
		return NotKnown
	}
	switch good, sound := business.Value >= 50, technical.Value >= 50; {
	case good && sound:
		return Invest
	case good:
		return Migrate
	case sound:
		return Tolerate
	}
	return Eliminate
}

// index gathers what is said elsewhere about systems.
func (r *Report) index() {
	r.services, r.objectives, r.seats, r.counted = map[string][]def.Of[catalogue.Spec]{}, map[string][]string{}, map[string]seats{}, map[string]year{}
	for _, v := range def.All[catalogue.Spec](r.Set) {
		if v.Spec.Withdrawn != nil && !v.Spec.Withdrawn.After(r.Today) {
			continue
		}
		r.declared.services = true
		for _, id := range v.Spec.Systems {
			id = r.Set.Present("System", id)
			r.services[id] = append(r.services[id], v)
		}
	}
	for _, o := range def.All[roadmap.ObjectiveSpec](r.Set) {
		r.declared.objectives = true
		for _, id := range o.Spec.Systems {
			id = r.Set.Present("System", id)
			r.objectives[id] = append(r.objectives[id], o.Name)
		}
	}
	for id := range r.objectives {
		slices.Sort(r.objectives[id])
	}
	if _, imported := r.Inventory.Imports[string(inventory.TypeSeat)]; imported {
		since := r.Today.AddDays(-90)
		for _, seat := range r.Inventory.Seats {
			id := r.Set.Present("System", seat.System)
			n := r.seats[id]
			n.given++
			if seat.LastUsed.After(since) {
				n.active++
			}
			r.seats[id] = n
		}
	}
	from := r.Today.Add(-1, 0, 0)
	for _, pt := range r.Inventory.Points {
		if id, ok := strings.CutPrefix(pt.Series, TransactionSeries); ok && pt.On.After(from) && !pt.On.After(r.Today) {
			id = r.Set.Present("System", id)
			y := r.counted[id]
			r.counted[id] = year{y.sum + pt.Value, y.points + 1}
		}
	}
}

// Of are the rows with a verdict, the worst first.
func (r *Report) Of(v Verdict) (out []*Row) {
	for _, row := range r.Rows {
		if row.Verdict == v {
			out = append(out, row)
		}
	}
	return out
}

// byFit orders rows with the least fit first.
func byFit(a, b *Row) int {
	return cmp.Or(cmp.Compare(a.Business.Value+a.Technical.Value, b.Business.Value+b.Technical.Value), strings.Compare(a.Name, b.Name))
}
