// Package supplier holds the kind SupplierContract: what the body has bought,
// from whom, until when and for how much.
//
// Money is declared in whole units of the body's currency, because that is how
// contracts are spoken of, and counted in minor units everywhere else.
package supplier

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Spec is what is declared of a supplier contract.
type Spec struct {
	Supplier  string    `json:"supplier,omitempty" def:"ref=Organisation" doc:"Id of the organisation that supplies."`
	Systems   []string  `json:"systems,omitempty" def:"ref=System" doc:"Ids of the systems that it pays for."`
	Reference string    `json:"reference,omitempty" doc:"Number in the contracts register."`
	Term      *Term     `json:"term,omitempty" doc:"From when until when it binds, and when notice must be given."`
	Seats     *int      `json:"seats,omitempty" def:"min=0" doc:"How many people may use it under the contract."`
	Cost      []Cost    `json:"cost,omitempty" doc:"What it costs a year, by kind of cost."`
	Exit      *Exit     `json:"exit,omitempty" doc:"How the body would leave."`
	Decision  *Decision `json:"decision,omitempty" doc:"What was decided for when its term ends."`
}

// Term is the time that a contract binds.
type Term struct {
	Starts     *def.Date `json:"starts,omitempty" doc:"First day."`
	Ends       *def.Date `json:"ends,omitempty" doc:"Last day."`
	NoticeDays *int      `json:"noticeDays,omitempty" def:"min=0" doc:"How many days before the end notice must be given; without notice it renews."`
	Renews     *bool     `json:"renews,omitempty" doc:"Whether it renews by itself unless notice is given."`
}

// Cost is one part of what a contract costs a year.
type Cost struct {
	Annual   int64              `json:"annual" def:"required,min=0,max=10000000000" doc:"Whole units of the body's currency a year (pounds)."`
	Minor    int64              `json:"minor,omitempty" def:"min=0,max=99" doc:"Hundredths on top of annual (pence)."`
	Pool     string             `json:"pool,omitempty" def:"enum=hardware|software|cloud|services|staff|telecoms|facilities|other" doc:"Kind of spend."`
	Tower    string             `json:"tower,omitempty" def:"enum=application|compute|storage|network|end-user|data|security|delivery|other" doc:"Part of the technology that it buys."`
	Allocate map[string]float64 `json:"allocate,omitempty" def:"keyref=Organisation" doc:"Share of the cost borne by each organisation, by its id; the shares add up to 1."`
}

// Exit says how the body would leave.
type Exit struct {
	DataExport string    `json:"dataExport,omitempty" doc:"Format in which all data can be taken out."`
	Tested     *def.Date `json:"tested,omitempty" doc:"Date on which that was last tried."`
}

// Decision is what the body decided to do when a term ends.
type Decision struct {
	What   string   `json:"what" def:"required,enum=renew|replace|end" doc:"renew: go on with the supplier; replace: buy something else; end: do without."`
	On     def.Date `json:"on" def:"required" doc:"Day on which it was decided."`
	By     string   `json:"by,omitempty" doc:"Directory id of the post, or name of the board, that decided."`
	Reason string   `json:"reason,omitempty" doc:"Why, in a sentence."`
}

// Minor is what the contract costs a year in minor units (pence), and whether
// that is known.
func (s *Spec) Minor() (minor int64, known bool) {
	for _, c := range s.Cost {
		minor += c.Annual*100 + c.Minor
	}
	return minor, len(s.Cost) > 0
}

// NoticeBy is the last day on which notice can be given. It is not known where
// the end or the notice period is not.
func (s *Spec) NoticeBy() (def.Date, bool) {
	if s.Term == nil || s.Term.Ends == nil || s.Term.NoticeDays == nil {
		return def.Date{}, false
	}
	return s.Term.Ends.AddDays(-*s.Term.NoticeDays), true
}

// Decided reports whether it was decided, by a day, what happens when the term ends.
func (s *Spec) Decided(by def.Date) bool { return s.Decision != nil && !s.Decision.On.After(by) }

// Kind describes SupplierContract to the loader.
func Kind() def.Kind {
	return def.Kind{
		Name:  "SupplierContract",
		Doc:   "A commercial contract under which a supplier provides systems.",
		Spec:  new(Spec),
		Check: check,
	}
}

func check(c *def.Checker, o *def.Object) {
	s := o.Spec.(*Spec)
	if t := s.Term; t != nil {
		switch {
		case t.Starts != nil && t.Ends != nil && t.Ends.Before(*t.Starts):
			c.Problem("spec.term.ends", "the term ends on %s, before it starts on %s", t.Ends, t.Starts)
		case t.Starts != nil && t.Ends != nil && t.NoticeDays != nil && *t.NoticeDays > t.Ends.Sub(*t.Starts)+1:
			c.Problem("spec.term.noticeDays", "notice of %d days is longer than the term of %d days", *t.NoticeDays, t.Ends.Sub(*t.Starts)+1)
		case s.Decision != nil && t.Starts != nil && s.Decision.On.Before(*t.Starts):
			c.Problem("spec.decision.on", "the decision of %s is about an earlier term: this one starts on %s", s.Decision.On, t.Starts)
		case t.NoticeDays != nil && t.Ends == nil:
			c.Problem("spec.term.noticeDays", "notice needs spec.term.ends to count back from")
		}
	}
	for i, k := range s.Cost {
		checkAllocation(c, i, k)
	}
	seen := map[string]bool{}
	for _, id := range s.Systems {
		if seen[id] {
			c.Problem("spec.systems", "the system %q is given twice", id)
		}
		seen[id] = true
	}
}

// checkAllocation holds the shares of one cost to a sum of 1, give or take a rounding in the third place.
func checkAllocation(c *def.Checker, i int, k Cost) {
	if len(k.Allocate) == 0 {
		return
	}
	path := fmt.Sprintf("spec.cost[%d].allocate", i)
	sum := 0.0
	for _, id := range slices.Sorted(maps.Keys(k.Allocate)) {
		share := k.Allocate[id]
		if share < 0 || share > 1 {
			c.Problem(path, "the share of %s is %g; it must lie between 0 and 1", id, share)
		}
		sum += share
	}
	if math.Abs(sum-1) > 0.001 {
		c.Problem(path, "the shares add up to %g, not to 1", sum)
	}
}
