package change

import (
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
)

// standards says how the estate stands differently, a standard at a time.
func standards(before, after *register.Snapshot) (out []Standard) {
	if before.Outcome == nil || after.Outcome == nil {
		return nil
	}
	for i := range after.Outcome.Standings {
		now := &after.Outcome.Standings[i]
		s := Standard{ID: now.ID, Name: now.Name, Severity: now.Spec.Severity, Failing: now.Spec.Failing, Fix: now.Spec.Fix}
		var was *standard.Standing
		for _, id := range after.Set.Lineage("Standard", now.ID) {
			if w, ok := before.Outcome.Standing(id); ok {
				was = w
				break
			}
		}
		if was == nil {
			s.What = Added
		}
		s.compare(after, was, now)
		if s.What != "" || len(s.NewlyFail)+len(s.NewlyPass)+len(s.NewlyUnknown)+len(s.NewlyWaived) > 0 {
			out = append(out, s)
		}
	}
	for _, was := range before.Outcome.Standings {
		if _, still := after.Outcome.Standing(after.Set.Present("Standard", was.ID)); !still {
			out = append(out, Standard{ID: was.ID, Name: was.Name, Severity: was.Spec.Severity, Failing: was.Spec.Failing, Fix: was.Spec.Fix, What: Removed})
		}
	}
	return out
}

// compare lists the entities whose result differs.
func (s *Standard) compare(after *register.Snapshot, was, now *standard.Standing) {
	kind, t := now.Spec.Applies.Kind, now.Table()
	before := make(map[string]standard.Result, len(t.IDs))
	if was != nil {
		for i, id := range was.Table().IDs {
			if r := was.Result(i); r != "" {
				before[after.Set.Present(kind, id)] = r
			}
		}
	}
	for i, id := range t.IDs {
		r := now.Result(i)
		if r == "" || r == before[id] {
			continue
		}
		e := Entity{Kind: kind, ID: id, Name: t.Names[i], Before: before[id], After: r}
		switch r {
		case standard.Fail:
			s.NewlyFail = append(s.NewlyFail, e)
		case standard.Unknown:
			s.NewlyUnknown = append(s.NewlyUnknown, e)
		case standard.Waived:
			s.NewlyWaived = append(s.NewlyWaived, e)
		case standard.Pass:
			s.NewlyPass = append(s.NewlyPass, e)
		}
	}
}
