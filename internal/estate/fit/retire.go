package fit

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Candidate is a system that could be retired.
type Candidate struct {
	*Row
	Why []string // the reasons for which it is one
	Retiring
}

// Retiring is what it would mean to retire a system.
type Retiring struct {
	Flows    []register.Flow
	Services []string // names
	Orphans  []register.Capability
	Users    []string // systems that use one of its components
	GoOn     []Contract
	Saves    []Saving
	Yearly   register.Cost // of all savings
}

// Contract is a supplier contract that goes on although the system is retired.
type Contract struct {
	register.Contract
	Why string
}

// Saving is what ends with a contract.
type Saving struct {
	register.Contract
	Yearly register.Cost
	From   def.Date // first day without it; zero where not known
	Notice def.Date // last day to say so; zero where not known
	Passed bool     // it renews before anything can be saved
	When   string   // in words
}

// Breaks is how many things rely on the system.
func (x Retiring) Breaks() int {
	return len(x.Flows) + len(x.Services) + len(x.Orphans) + len(x.Users)
}

// Retire works out what retiring a system would break, and save, and when.
func (r *Report) Retire(id string) (x Retiring) {
	x.Flows = r.FlowsOf(id)
	for _, v := range r.services[id] {
		x.Services = append(x.Services, v.Name)
	}
	for _, c := range r.CapabilitiesOf(id) {
		if ps := r.Providers[c.ID]; len(ps) == 1 && ps[0].ID == id {
			x.Orphans = append(x.Orphans, c)
		}
	}
	for _, c := range r.ComponentsOf(id) {
		if r.Set.Present("System", c.Spec.System) != id {
			continue
		}
		for _, user := range c.Spec.UsedBy {
			if y, ok := r.System(r.Set.Present("System", user)); ok && y.Spec.InUse() {
				x.Users = append(x.Users, y.Name)
			}
		}
	}
	slices.Sort(x.Users)
	x.Users = slices.Compact(x.Users)
	x.Yearly = register.Cost{Sure: true}
	found := false
	for _, k := range r.ContractsOf[id] {
		if !r.InForce(k) {
			continue
		}
		found = true
		if others := r.othersInUse(k, id); len(others) > 0 {
			x.GoOn = append(x.GoOn, Contract{k, "it also pays for " + words.Few(others, 3) + ", which would bear its cost"})
			continue
		}
		s := r.saving(k)
		x.Saves = append(x.Saves, s)
		x.Yearly = x.Yearly.Plus(s.Yearly)
	}
	if !found {
		x.Yearly = register.Cost{} // what it costs is not known, so what it saves is not either
	}
	return x
}

func (r *Report) othersInUse(k register.Contract, id string) (names []string) {
	for _, other := range r.Pays[k.ID] {
		if x, ok := r.System(other); ok && other != id && x.Spec.InUse() {
			names = append(names, x.Name)
		}
	}
	return names
}

func (r *Report) saving(k register.Contract) Saving {
	s := Saving{Contract: k, Yearly: register.CostOf(k)}
	t := k.Spec.Term
	if t == nil || t.Ends == nil {
		s.When = "when it can be ended is not known"
		return s
	}
	s.From = t.Ends.AddDays(1)
	by, ok := k.Spec.NoticeBy()
	switch {
	case !ok:
		s.When = fmt.Sprintf("from %s, if it can be ended then: the notice to give is not known", words.Date(s.From))
	case by.Before(r.Today) && t.Renews != nil && !*t.Renews:
		s.When = fmt.Sprintf("from %s: it does not renew by itself", words.Date(s.From))
	case by.Before(r.Today):
		s.Notice, s.Passed = by, true
		s.When = fmt.Sprintf("not before it renews on %s: the last day for notice was %s", words.Date(s.From), words.Date(by))
	default:
		s.Notice = by
		s.When = fmt.Sprintf("from %s, if notice is given by %s (%s)", words.Date(s.From), words.Date(by), words.Days(by.Sub(r.Today)))
	}
	return s
}

// candidates are the systems for which there is a reason to retire them, those
// that save most first.
func (r *Report) candidates() {
	for _, row := range r.Rows {
		var why []string
		if row.Verdict == Eliminate {
			why = append(why, "neither its fit for the business nor its technical fit is good")
		}
		if row.Spec.Phase() == "retiring" {
			why = append(why, "it is declared to be retiring")
		}
		if text := r.doneElsewhere(row); text != "" {
			why = append(why, text)
		}
		if n := r.seats[row.ID]; n.given > 0 && n.active == 0 {
			why = append(why, "nobody used it in the last 90 days")
		}
		if len(why) > 0 {
			r.Candidates = append(r.Candidates, Candidate{row, why, r.Retire(row.ID)})
		}
	}
	slices.SortStableFunc(r.Candidates, func(a, b Candidate) int {
		return cmp.Or(cmp.Compare(b.Retiring.Yearly.Known, a.Retiring.Yearly.Known), cmp.Compare(a.Breaks(), b.Breaks()), strings.Compare(a.Name, b.Name))
	})
}

// When says from when on a contract could be saved, in words.
func (r *Report) When(k register.Contract) string { return r.saving(k).When }

// doneElsewhere says that for everything a system does, another was chosen to do
// it for everyone; "" if that is so only of a part of it.
func (r *Report) doneElsewhere(row *Row) string {
	var parts []string
	for _, c := range r.CapabilitiesOf(row.ID) {
		platform, chosen := r.PlatformOf(c.ID)
		if most := c.Spec.Max(); !chosen || platform.ID == row.ID || most == 0 || len(r.Providers[c.ID]) <= most {
			return ""
		}
		parts = append(parts, fmt.Sprintf("%s was chosen to do %s for everyone", platform.Name, c.Name))
	}
	return words.List(parts)
}
