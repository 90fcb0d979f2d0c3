package carbon

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
)

type cost = supplier.Cost

// inForce reports whether a contract binds on the day of the footprint.
func (f *Footprint) inForce(k register.Contract) bool {
	t := k.Spec.Term
	return t == nil || (t.Ends == nil || !t.Ends.Before(f.On)) && (t.Starts == nil || !t.Starts.After(f.On))
}

// contracts adds what is bought, by the money paid for it a year and the factor of
// its kind, in even shares to the systems that it pays for.
func (f *Footprint) contracts() {
	devices := map[string]bool{} // contracts whose devices are counted one by one, also before they were bought
	for i := range f.s.Assets {
		a := &f.s.Assets[i]
		if a.Contract != "" && inService(a) && (f.assets[i].Known || a.Bought.After(f.On)) {
			devices[f.s.Set.Present("SupplierContract", a.Contract)] = true
		}
	}
	for _, k := range f.s.Contracts {
		if !f.inForce(k) {
			continue
		}
		f.Contracts++
		whole := len(k.Spec.Cost) > 0
		var sum Amount
		var counted, paid int64
		for _, c := range k.Spec.Cost {
			minor := c.Annual*100 + c.Minor
			paid += minor
			if f.skips(k, c, devices[k.ID]) {
				counted += minor
				continue
			}
			g := f.use(f.fs.find("spend", c.Pool))
			if g == nil {
				whole, sum.Lacks = false, true
				continue
			}
			counted += minor
			sum = sum.Plus(g.amount(float64(minor) / 100))
		}
		if len(k.Spec.Cost) == 0 {
			sum = lacking
		}
		f.Money, f.MoneyKnown = f.Money+register.Money(paid), f.MoneyKnown+register.Money(counted)
		if whole {
			f.ContractsKnown++
		}
		f.add(Bought, sum)
		systems := f.s.Pays[k.ID]
		for _, id := range systems {
			f.part(id, Bought, sum.Times(1/float64(len(systems))))
			if i, ok := f.system[id]; ok {
				f.Systems[i].Expected++
				if whole {
					f.Systems[i].Known++
				} else {
					f.Systems[i].Missing = append(f.Systems[i].Missing, fmt.Sprintf("what %q costs, or a factor for that kind of cost", k.Name))
				}
			}
		}
	}
}

// skips reports whether a part of a contract's cost is left out because the same
// is counted from things: hardware whose devices are in the inventory, and
// software or cloud where every system that it pays for is counted by its users.
func (f *Footprint) skips(k register.Contract, c cost, devices bool) bool {
	switch c.Pool {
	case "hardware":
		return devices
	case "software", "cloud":
		systems := f.s.Pays[k.ID]
		return len(systems) > 0 && !slices.ContainsFunc(systems, func(id string) bool {
			x, ok := f.s.System(id)
			return !ok || f.perUser(x) == nil
		})
	}
	return false
}

// Cut is something that would lower the footprint.
type Cut struct {
	What  string
	Why   string
	Href  string
	Saves Amount // a year
}

// retire is how many systems to retire are named at most.
const retire = 5

// Cuts are what would lower the footprint most, the most first.
func (f *Footprint) Cuts() []Cut {
	var out []Cut
	retired := 0
	for _, t := range f.Types {
		if t.Making.Kg <= 0 || t.Years <= 0 {
			continue
		}
		out = append(out, Cut{What: fmt.Sprintf("Keep each %s %g years in place of %g", t.Name, t.Years+1, t.Years),
			Why: "Making them is spread over one year more; " + within(t.Spread) + " within their years now", Saves: t.Making.Times(1 / (t.Years + 1))})
	}
	t := f.s.Tables.Of("System")
	for _, x := range f.Systems {
		sys, _ := f.s.System(x.ID)
		why := ""
		if sys.Spec.Phase() == "retiring" {
			why = "It is being retired"
		} else if v, ok := t.Fact(t.Find(x.ID), "peersInCapability"); ok && v.(int64) > 0 && !f.platform(x.ID) {
			why = "Other systems do the same"
		}
		if why != "" && x.Amount.Known && x.Amount.Kg > 0 && retired < retire {
			retired++
			out = append(out, Cut{What: "Retire " + x.Name, Why: why, Href: "/staff/estate/systems/" + x.ID, Saves: x.Amount})
		}
		if g := f.fs.find("cloud", "saas"); g != nil && x.Users > 0 && (sys.Spec.Hosting == "on-premise" || sys.Spec.Hosting == "private-cloud") {
			now, then := x.Parts[Making].Plus(x.Parts[Electricity]), g.amount(x.Users)
			if saved := now.Kg - then.Kg; now.Known && saved > 0 {
				out = append(out, Cut{What: "Move " + x.Name + " to software that others host", Why: "By the factor for one user of hosted software", Href: "/staff/estate/systems/" + x.ID,
					Saves: Amount{Kg: saved, Low: max(0, now.Low-then.High), High: max(0, now.High-then.Low), Known: true}})
			}
		}
	}
	if c, ok := f.unseen(); ok {
		out = append(out, c)
	}
	slices.SortStableFunc(out, func(a, b Cut) int { return cmp.Compare(b.Saves.Kg, a.Saves.Kg) })
	return out
}

func (f *Footprint) platform(system string) bool {
	for _, id := range f.s.Platforms {
		if id == system {
			return true
		}
	}
	return false
}

// unseen is switching off what is in use by the list, and was not seen for 90 days.
func (f *Footprint) unseen() (Cut, bool) {
	var sum Amount
	n := 0
	for i, a := range f.s.Assets {
		if a.State == "in-use" && !a.LastSeen.IsZero() && f.On.Sub(a.LastSeen) > 90 {
			n++
			sum = sum.Plus(f.assets[i])
		}
	}
	return Cut{What: "Give devices to somebody else that nobody has used", Why: fmt.Sprintf("%d are in use by the list and were not seen for 90 days", n), Href: "/staff/estate/assets", Saves: sum}, n > 0 && sum.Kg > 0
}

// Year is the footprint at the end of a year.
type Year struct {
	Year  int
	Total Amount
	Now   bool // the year is not over: today
}

// Trend is the footprint at the end of each of the last years, as [OfOn] works it
// out, and today.
func Trend(s *register.Snapshot, years int) []Year {
	var out []Year
	for y := s.Today.Year - years + 1; y < s.Today.Year; y++ {
		day := s.Today
		day.Year, day.Month, day.Day = y, 12, 31
		out = append(out, Year{Year: y, Total: OfOn(s, day).Total})
	}
	return append(out, Year{Year: s.Today.Year, Total: Of(s).Total, Now: true})
}

// Fill writes the facts about carbon of systems. What a user of one emitted a year
// ago is not worked out: today's inventory does not tell who used what then, so
// that is known where somebody has evidence of it.
func Fill(s *register.Snapshot) {
	now := Of(s)
	if !now.Factors {
		return
	}
	t := s.Tables.Of("System")
	for i, id := range t.IDs {
		x, ok := now.System(id)
		if !ok {
			continue
		}
		t.Set(i, "carbonCoverage", x.Coverage())
		if a := x.PerUser(); a.Known {
			t.Set(i, "kgCo2ePerUser", a.Kg)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func within(n int) string {
	if n == 1 {
		return "1 is"
	}
	return fmt.Sprintf("%d are", n)
}
