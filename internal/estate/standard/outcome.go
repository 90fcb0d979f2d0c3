package standard

import (
	"context"
	"time"
)

// Outcome is how every entity stands against every standard about its kind.
type Outcome struct {
	Pack      *Pack
	Standings []Standing // in the order of Pack.Standards

	at time.Time
}

// Standing is how the entities of a kind stand against one standard.
type Standing struct {
	*Standard
	Pass, Fail, Unknown, Waived int
	Ending                      int // of the waived, those whose waiver is about to end
	table                       *Table
	findings                    map[int]Finding
}

// Judge holds everything in ts to the standards. now is in the body's time zone.
func (p *Pack) Judge(ctx context.Context, ts Tables, now time.Time) (*Outcome, error) {
	o := &Outcome{Pack: p, at: now}
	for _, std := range p.Standards {
		s := Standing{Standard: std, table: ts.Of(std.Spec.Applies.Kind), findings: map[int]Finding{}}
		for i, id := range s.table.IDs {
			fs, err := (&Pack{Standards: []*Standard{std}}).Evaluate(ctx, []Subject{{Kind: s.table.Kind, ID: id, Name: s.table.Names[i], Self: s.table.Self(i), Facts: s.table.Facts(i)}}, now)
			if err != nil {
				return nil, err
			}
			for _, f := range fs {
				s.findings[i] = f
				switch f.Result {
				case Pass:
					s.Pass++
				case Fail:
					s.Fail++
				case Unknown:
					s.Unknown++
				case Waived:
					s.Waived++
					if f.Ending {
						s.Ending++
					}
				}
			}
		}
		o.Standings = append(o.Standings, s)
	}
	return o, nil
}

// Standing finds how the estate stands against a standard.
func (o *Outcome) Standing(std string) (*Standing, bool) {
	for i := range o.Standings {
		if o.Standings[i].ID == std {
			return &o.Standings[i], true
		}
	}
	return nil, false
}

// Of is what every standard says of one entity, in the order of standards.
func (o *Outcome) Of(kind, id string) (out []Finding) {
	for _, s := range o.Standings {
		if s.Spec.Applies.Kind != kind {
			continue
		}
		if f, ok := s.Finding(s.table.Find(id)); ok {
			out = append(out, f)
		}
	}
	return out
}

// Finding is what the standard says of entity i of its table, if it is about it.
func (s *Standing) Finding(i int) (Finding, bool) { f, ok := s.findings[i]; return f, ok }

// Findings are the findings with one of these results, in the order of the
// table; all results if none is given. At most max are made; 0 for all.
func (s *Standing) Findings(max int, results ...Result) (out []Finding) {
	for i := range s.table.IDs {
		f, ok := s.findings[i]
		if !ok || len(results) > 0 && !contains(results, f.Result) {
			continue
		}
		if out = append(out, f); len(out) == max {
			break
		}
	}
	return out
}

func contains(rs []Result, r Result) bool {
	for _, x := range rs {
		if x == r {
			return true
		}
	}
	return false
}

// Table is what the standard was held against.
func (s *Standing) Table() *Table { return s.table }

// Result is what the standard says of entity i of its table, "" if it is not
// about it.
func (s *Standing) Result(i int) Result { return s.findings[i].Result }

// Count counts what the standards say of one entity.
func (o *Outcome) Count(kind, id string) map[Result]int {
	out := map[Result]int{}
	for i := range o.Standings {
		if s := &o.Standings[i]; s.Spec.Applies.Kind == kind {
			if r := s.Result(s.table.Find(id)); r != "" {
				out[r]++
			}
		}
	}
	return out
}
