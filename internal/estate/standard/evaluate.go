package standard

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// Result is what a standard says of an entity.
type Result string

// The results. A standard that is not about an entity gives none.
const (
	Pass    Result = "pass"
	Fail    Result = "fail"
	Unknown Result = "unknown" // never counts as a pass
	Waived  Result = "waived"  // fails, and was allowed to until a date
)

// EndingDays is how many days before its end a waiver is flagged as ending.
const EndingDays = 60

// Subject is an entity as the rules see it.
type Subject struct {
	Kind, ID, Name string
	Self           map[string]any // metadata and spec as declared; what is absent is not known
	Facts          map[string]any // what is absent is not known
}

// Finding is what one standard says of one entity.
type Finding struct {
	Standard *Standard
	Kind, ID string // of the entity
	Name     string
	Result   Result
	Reason   string     // why, in words
	Evidence []Evidence // what the rule looked at, where the standard is not met
	Missing  []Missing  // what an unknown result lacks
	Waiver   *Waiver    // the waiver that counts, or the last that did
	Ending   bool       // the waiver that counts ends within EndingDays
	Ended    bool       // Waiver no longer counts
}

// Evidence is a value that a rule looked at.
type Evidence struct{ Path, Value string }

// Standard is a definition made ready for evaluation.
type Standard struct {
	def.Of[Spec]
	rule, where *rules.Program
	waivers     map[string][]*Waiver // by subject, latest end first
}

// Waiver is leave not to meet a standard until a date.
type Waiver = def.Of[WaiverSpec]

// Pack is the standards of a set of definitions, ready for evaluation. It does
// not change and may be used by many goroutines.
type Pack struct{ Standards []*Standard }

// Compile makes the standards and waivers of s ready. The loader has checked
// the rules before, so a problem here is rare.
func Compile(s *def.Set) (*Pack, []def.Problem) {
	p := new(Pack)
	var problems []def.Problem
	waivers := map[string][]*Waiver{}
	for _, w := range def.All[WaiverSpec](s) {
		waivers[w.Spec.Standard] = append(waivers[w.Spec.Standard], &w)
	}
	for _, o := range def.All[Spec](s) {
		std := &Standard{Of: o, waivers: map[string][]*Waiver{}}
		for _, w := range waivers[o.ID] {
			std.waivers[w.Spec.Subject] = append(std.waivers[w.Spec.Subject], w)
		}
		for _, ws := range std.waivers {
			slices.SortFunc(ws, func(a, b *Waiver) int { return b.Spec.Expires.Compare(a.Spec.Expires) })
		}
		if err := std.compile(); err != nil {
			problems = append(problems, def.Problem{File: o.File, Line: o.Line, Col: 1, Message: err.Error()})
			continue
		}
		p.Standards = append(p.Standards, std)
	}
	slices.SortFunc(p.Standards, func(a, b *Standard) int { return strings.Compare(a.ID, b.ID) })
	return p, problems
}

func (s *Standard) compile() error {
	env, err := environment(s.Spec.Applies.Kind)
	if err != nil {
		return err
	}
	at := rules.Pos{File: s.File, Line: s.Line, Col: 1}
	if s.rule, err = env.Compile(s.Spec.Rule, at); err != nil {
		return err
	}
	if s.Spec.Applies.Where != "" {
		s.where, err = env.Compile(s.Spec.Applies.Where, at)
	}
	return err
}

// Standard finds a standard by id.
func (p *Pack) Standard(id string) (*Standard, bool) {
	for _, s := range p.Standards {
		if s.ID == id {
			return s, true
		}
	}
	return nil, false
}

// Evaluate holds every subject to every standard about its kind, in the order
// of subjects and then of standards. It fails only when ctx ends or a rule is
// too costly; a rule that cannot be worked out for a subject is unknown.
func (p *Pack) Evaluate(ctx context.Context, subjects []Subject, now time.Time) ([]Finding, error) {
	var out []Finding
	today := def.DateOf(now)
	for _, sub := range subjects {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		vars := map[string]any{"self": sub.Self, "facts": sub.Facts, "now": now, "today": today}
		for _, std := range p.Standards {
			if std.Spec.Applies.Kind != sub.Kind {
				continue
			}
			f, about, err := std.evaluate(ctx, sub, vars, today)
			if err != nil {
				return nil, fmt.Errorf("standard %s of %s: %w", std.ID, sub.ID, err)
			}
			if about {
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// evaluate reports what the standard says of sub, and whether it is about it.
func (s *Standard) evaluate(ctx context.Context, sub Subject, vars map[string]any, today def.Date) (Finding, bool, error) {
	f := Finding{Standard: s, Kind: sub.Kind, ID: sub.ID, Name: sub.Name}
	var about rules.Result
	if s.where != nil {
		var err error
		if about, err = s.where.Eval(ctx, vars); err != nil {
			return f, false, err
		}
		if about.Truth == rules.False {
			return f, false, nil
		}
	} else {
		about.Truth = rules.True
	}
	r, err := s.rule.Eval(ctx, vars)
	if err != nil {
		return f, false, err
	}
	switch {
	case r.Truth == rules.True && about.Truth == rules.True:
		f.Result, f.Reason = Pass, "The standard is met."
	case about.Truth == rules.Unknown:
		f.Result, f.Missing = Unknown, s.missing(sub, about.Missing)
		f.Reason = "It is not known whether the standard is about it."
	case r.Truth == rules.Unknown:
		f.Result, f.Missing = Unknown, s.missing(sub, r.Missing)
		f.Reason = "It is not known whether the standard is met."
	default:
		f.Result, f.Reason = Fail, s.Spec.Failing
		f.Evidence = evidence(s.rule.Inputs(), sub)
	}
	if len(f.Missing) > 0 {
		docs := make([]string, len(f.Missing))
		for i, m := range f.Missing {
			docs[i] = m.Doc
		}
		f.Reason = "Not known: " + strings.Join(docs, "; ") + "."
	}
	s.waive(&f, today)
	return f, true, nil
}

// waive applies the waivers of the finding's entity. A waiver counts on the
// days from its grant to its end, both included.
func (s *Standard) waive(f *Finding, today def.Date) {
	for _, w := range s.waivers[f.ID] {
		if today.Before(w.Spec.Granted) {
			continue
		}
		f.Waiver = w // the latest end comes first
		f.Ended = w.Spec.Expires.Before(today)
		f.Ending = !f.Ended && w.Spec.Expires.Sub(today) <= EndingDays
		break
	}
	if f.Result == Fail && f.Waiver != nil && !f.Ended {
		f.Result = Waived
	}
}

func (s *Standard) missing(sub Subject, paths []string) []Missing {
	var out []Missing
	for _, p := range paths {
		m := describe(sub.Kind, p)
		if !slices.ContainsFunc(out, func(o Missing) bool { return o.Doc == m.Doc }) {
			out = append(out, m)
		}
	}
	return out
}

// evidence looks up the inputs of a rule in the subject, for people to read.
func evidence(inputs []string, sub Subject) []Evidence {
	var out []Evidence
	for _, path := range inputs {
		if path != "self" && path != "facts" && !strings.HasPrefix(path, "self.") && !strings.HasPrefix(path, "facts.") {
			continue
		}
		v, ok := lookup(map[string]any{"self": sub.Self, "facts": sub.Facts}, strings.Split(path, "."))
		e := Evidence{Path: path, Value: "not known"}
		if ok {
			e.Value = show(v)
		}
		out = append(out, e)
	}
	return out
}

func lookup(v any, path []string) (any, bool) {
	for _, key := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, false
		}
		if v, ok = m[key]; !ok {
			return nil, false
		}
	}
	return v, true
}

func show(v any) string {
	switch v := v.(type) {
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = show(x)
		}
		return strings.Join(parts, ", ")
	case bool:
		if v {
			return "yes"
		}
		return "no"
	}
	return fmt.Sprint(v)
}
