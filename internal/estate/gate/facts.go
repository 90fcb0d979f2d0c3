package gate

import (
	"cmp"
	"slices"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Requests are the requests of a snapshot, by id: the kept ones that it was given
// and the declared ones.
func Requests(s *register.Snapshot) (all []*Request) {
	kept := map[string]bool{}
	for _, e := range s.Entities {
		if r, ok := e.Data.(*Request); ok {
			kept[e.ID] = true
			all = append(all, r)
		}
	}
	for _, o := range def.All[RequestSpec](s.Set) {
		if !kept[o.ID] {
			all = append(all, declared(o))
		}
	}
	slices.SortFunc(all, func(a, b *Request) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

// Fill writes the facts of intake requests and boards.
func Fill(s *register.Snapshot) {
	all := Requests(s)
	t := s.Tables.Of("IntakeRequest")
	for _, r := range all {
		i := t.Find(r.ID)
		if i < 0 {
			continue
		}
		if r.Waits() && r.Spec.Gate != nil {
			t.Set(i, "daysInGate", int64(r.Waited(s.Today)))
		}
		if n, ok := Target(s.Set, r.Gate()); ok && r.Waits() {
			t.Set(i, "gateTargetDays", int64(n))
		}
		if r.Spec.Kind == "pilot" {
			if from, ok := r.pilotStart(); ok {
				t.Set(i, "pilotAgeDays", int64(s.Today.Sub(from)))
			}
			if over, ok := r.PilotOver(s.Today); ok {
				t.Set(i, "pilotOverdue", over)
			}
		}
		if v, ok := Sensitive(s, r); ok {
			t.Set(i, "touchesSensitive", v)
		}
	}
	b := s.Tables.Of("Board")
	for _, o := range def.All[BoardSpec](s.Set) {
		i := b.Find(o.ID)
		st := Measure(o, all, s.Today)
		if share, ok := st.HighRiskShare(); ok && i >= 0 {
			b.Set(i, "minutesOnHighRiskShare", share)
		}
		if st.Decisions > 0 && i >= 0 {
			b.Set(i, "medianWaitDays", int64(st.MedianWait))
		}
	}
}

// Trying reports whether it is a pilot that may be tried: nobody has to decide
// about it before its last day.
func (r *Request) Trying() bool {
	return r.Spec.Kind == "pilot" && r.Gate() == Discovery && r.State == Open && r.Spec.Decided != nil && r.Spec.Decided.Outcome == "approved"
}

// Waited is for how many days somebody should have decided: since it came to its
// gate, and for a pilot that may be tried since its last day.
func (r *Request) Waited(today def.Date) int {
	if r.Trying() && r.Spec.Pilot != nil && r.Spec.Pilot.Ends != nil {
		return max(today.Sub(*r.Spec.Pilot.Ends), 0)
	}
	return r.Days(today)
}

// pilotStart is the day from which a pilot counts.
func (r *Request) pilotStart() (def.Date, bool) {
	if p := r.Spec.Pilot; p != nil && p.Starts != nil {
		return *p.Starts, true
	}
	if r.Spec.Gate != nil && r.Gate() == Discovery {
		return r.Spec.Gate.Entered, true
	}
	return def.Date{}, false
}

// PilotOver reports whether a pilot that still runs is past its last day; known
// is false where it has none.
func (r *Request) PilotOver(today def.Date) (over, known bool) {
	if r.Spec.Kind != "pilot" || r.Spec.Pilot == nil || r.Spec.Pilot.Ends == nil {
		return false, false
	}
	return r.Gate() == Discovery && r.Waits() && today.After(*r.Spec.Pilot.Ends), true
}

// Sensitive reports whether a request touches confidential or restricted data, by
// its answers and by the systems that it is about.
func Sensitive(s *register.Snapshot, r *Request) (touches, known bool) {
	a := r.Spec.Answers
	if a.Sensitive != nil && *a.Sensitive {
		return true, true
	}
	known = a.Sensitive != nil || a.PersonalData != nil && !*a.PersonalData
	for _, id := range append(slices.Clone(r.Spec.Creates), r.Spec.Systems...) {
		if class, ok := s.ClassOf(id); ok && class >= reeve.Confidential {
			return true, true
		}
	}
	return false, known
}

// target is within how many days a gate's board means to decide.
func Target(set *def.Set, gate string) (days int, ok bool) {
	for _, b := range BoardsAt(set, gate) {
		if n := b.Spec.TargetDays; n != nil && (!ok || *n < days) {
			days, ok = *n, true
		}
	}
	return days, ok
}

// Board is a governance board as declared.
type Board = def.Of[BoardSpec]

// BoardsAt are the boards that decide at a gate.
func BoardsAt(set *def.Set, gate string) (out []Board) {
	for _, b := range def.All[BoardSpec](set) {
		if slices.Contains(b.Spec.Decides, "gate/"+gate) {
			out = append(out, b)
		}
	}
	return out
}

// Figures are what a board's decisions cost and how long they took, over a year.
type Figures struct {
	Decisions  int
	Minutes    int // on these decisions
	HighRisk   int // of these minutes, on requests with a full review
	MedianWait int // days at the gate before the decision
	Cost       register.Money
	Rated      bool // every member has a rate, so Cost is known
}

// HighRiskShare is the share of the minutes that went to what is risky; not known
// where no minutes were written down.
func (f Figures) HighRiskShare() (float64, bool) {
	if f.Minutes == 0 {
		return 0, false
	}
	return float64(f.HighRisk) / float64(f.Minutes), true
}

// PerDecision is what a decision costs in members' time.
func (f Figures) PerDecision() (register.Money, bool) {
	if f.Decisions == 0 || !f.Rated || f.Minutes == 0 {
		return 0, false
	}
	return f.Cost / register.Money(f.Decisions), true
}

// Minute is a decision as the minutes of a board have it.
type Minute struct {
	Request *Request
	Step    Step
}

// Minutes are the decisions of a board, newest first.
func Minutes(board string, all []*Request) (out []Minute) {
	for _, r := range all {
		n := len(out)
		for _, s := range r.Steps {
			if s.Board == board && s.Verb == "decided" {
				out = append(out, Minute{r, s})
			}
		}
		if d := r.Spec.Decided; len(out) == n && len(r.Steps) == 0 && d != nil && d.By == board {
			s := Step{At: d.On.Time(r.Entered.Location()), Board: board, Outcome: d.Outcome, From: r.Gate(), To: r.Gate(), Reason: d.Reason, WaitedDays: -1}
			if r.Spec.Gate != nil && d.Outcome != "approved" {
				s.WaitedDays = d.On.Sub(r.Spec.Gate.Entered)
			}
			out = append(out, Minute{r, s})
		}
	}
	slices.SortStableFunc(out, func(a, b Minute) int { return b.Step.At.Compare(a.Step.At) })
	return out
}

// Measure is how a board did in the year up to today.
func Measure(b Board, all []*Request, today def.Date) (f Figures) {
	var waits []int
	var rate int64
	f.Rated = len(b.Spec.Members) > 0
	for _, m := range b.Spec.Members {
		rate += m.Rate
		f.Rated = f.Rated && m.Rate > 0
	}
	for _, m := range Minutes(b.ID, all) {
		if today.Sub(def.DateOf(m.Step.At)) > 365 || m.Step.WaitedDays < 0 {
			continue
		}
		f.Decisions++
		f.Minutes += m.Step.Minutes
		if m.Request.Spec.Review == Full {
			f.HighRisk += m.Step.Minutes
		}
		waits = append(waits, m.Step.WaitedDays)
	}
	f.MedianWait = median(waits)
	f.Cost = register.Money(rate * 100 * int64(f.Minutes) / 60)
	return f
}

// Agenda is what waits at the gates that a board decides: what waits longest past
// its risk first, so full reviews before light ones of the same age.
func Agenda(b Board, all []*Request, today def.Date) (out []*Request) {
	for _, r := range all {
		if r.State == Open && slices.Contains(b.Spec.Decides, "gate/"+r.Gate()) && r.Waits() && (!r.Trying() || r.Waited(today) > 0) {
			out = append(out, r)
		}
	}
	slices.SortStableFunc(out, func(a, c *Request) int {
		if n := urgency(c, today) - urgency(a, today); n != 0 {
			return n
		}
		return cmp.Compare(a.ID, c.ID)
	})
	return out
}

// urgency weighs age by risk: a day of a full review counts three, of a
// streamlined two, of a light one, and each has a start of ten days for each.
func urgency(r *Request, today def.Date) int {
	w := weight(r.Spec.Review) + 1
	if w == 0 {
		w = len(Reviews) // not triaged: nobody knows that it is harmless
	}
	return w * (r.Waited(today) + 10)
}

// Taken is how long requests of a review took from being asked to the end of
// their review: decided at the last gate before the work, or refused.
func Taken(all []*Request, review string) (medianDays, n int) {
	var days []int
	for _, r := range all {
		if r.Spec.Review != review || r.AskedBy == "" {
			continue
		}
		for _, s := range r.Steps {
			if s.Verb == "decided" && (s.Outcome == "refused" || s.Outcome == "approved" && (slices.Index(Gates, s.To) >= slices.Index(Gates, Procurement) || s.From == s.To)) {
				days = append(days, int(s.At.Sub(r.Asked).Hours()/24))
				break
			}
		}
	}
	return median(days), len(days)
}

func median(xs []int) int {
	if len(xs) == 0 {
		return 0
	}
	slices.Sort(xs)
	return xs[len(xs)/2]
}

// CheckDue is the day from which a request that went live is compared with what
// was expected of it.
func (r *Request) CheckDue() (def.Date, bool) {
	if r.State != InUse || r.Spec.Gate == nil {
		return def.Date{}, false
	}
	return r.Spec.Gate.Entered.AddDays(CheckDays), true
}

// Compared is one figure that was expected of a request, and what is there.
type Compared struct {
	What, Expected, Observed string
	Off                      bool // by more than a quarter
}

// Compare holds what went live to what was expected.
func Compare(s *register.Snapshot, r *Request) (out []Compared) {
	ids := append(slices.Clone(r.Spec.Creates), r.Spec.Systems...)
	users, usersKnown := 0, false
	var cost register.Cost
	flows, seen := 0, 0
	for _, id := range ids {
		id = s.Set.Present("System", id)
		x, ok := s.System(id)
		if !ok {
			continue
		}
		if n, ok := counted(s, x); ok {
			users, usersKnown = users+n, true
		}
		if c := s.YearlyOf(id); c.Sure {
			cost = register.Cost{Known: cost.Known + c.Known, Sure: true, Lacks: cost.Lacks || c.Lacks}
		}
		for _, f := range s.FlowsOf(id) {
			flows++
			if f.Seen != nil && f.Seen.Delivered > 0 {
				seen++
			}
		}
	}
	a := r.Spec.Answers
	one := Compared{What: "People who use it", Expected: "not said", Observed: "not known"}
	if a.Users != nil {
		one.Expected = Number(*a.Users)
	}
	if usersKnown {
		one.Observed = Number(users)
		one.Off = a.Users != nil && off(int64(*a.Users), int64(users))
	}
	out = append(out, one)
	two := Compared{What: "Cost a year", Expected: "not said", Observed: "not known"}
	if a.AnnualCost != nil {
		two.Expected = register.Money(*a.AnnualCost * 100).String()
	}
	if cost.Sure {
		two.Observed = cost.String()
		two.Off = a.AnnualCost != nil && off(*a.AnnualCost*100, int64(cost.Known))
	}
	out = append(out, two)
	three := Compared{What: "Connections to other systems", Expected: "not said", Observed: "not known"}
	if r.Flows != nil {
		three.Expected = Number(*r.Flows)
	}
	if len(ids) > 0 {
		three.Observed = Number(flows) + " declared, " + Number(seen) + " of them carry records"
		if s.Past {
			three.Observed = Number(flows) + " declared"
		}
		three.Off = r.Flows != nil && flows < *r.Flows
	}
	return append(out, three)
}

// counted is how many people use a system: those seen in the last 90 days where
// its seats were imported, else what was declared.
func counted(s *register.Snapshot, x register.System) (n int, ok bool) {
	for _, seat := range s.Inventory.Seats {
		if s.Set.Present("System", seat.System) == x.ID {
			ok = true
			if !seat.LastUsed.IsZero() && s.Today.Sub(seat.LastUsed) <= CheckDays {
				n++
			}
		}
	}
	if ok {
		return n, true
	}
	if x.Spec.Users != nil {
		return *x.Spec.Users, true
	}
	return 0, false
}

func off(want, got int64) bool {
	d := got - want
	if d < 0 {
		d = -d
	}
	return d*4 > want
}
