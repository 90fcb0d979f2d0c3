package standard

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
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

// Evidence is a value that a rule looked at. Source is who stated it, "" if it is
// declared or computed.
type Evidence struct{ Path, Value, Source string }

// Standard is a definition made ready for evaluation.
type Standard struct {
	def.Of[Spec]
	rule, where *rules.Program
	about       reflect.Type         // of the spec of what it is about; nil if that is not declared
	waivers     map[string][]*Waiver // by subject, latest end first
}

// Waiver is leave not to meet a standard until a date.
type Waiver = def.Of[WaiverSpec]

// Pack is the standards of a set of definitions, ready for evaluation. It does
// not change and may be used by many goroutines.
type Pack struct{ Standards []*Standard }

// Compile makes the standards and waivers of s ready. The loader has checked
// the rules before, so a problem here is rare.
func Compile(s *def.Set) (*Pack, []def.Problem) { return compile(s, s) }

// compile makes the standards of s ready for what is declared in about.
func compile(s, about *def.Set) (*Pack, []def.Problem) {
	p := new(Pack)
	var problems []def.Problem
	waivers := map[string][]*Waiver{}
	for _, w := range def.All[WaiverSpec](about) {
		id := about.Present("Standard", w.Spec.Standard)
		waivers[id] = append(waivers[id], &w)
	}
	environments := map[string]*rules.Env{}
	for _, o := range def.All[Spec](s) {
		kind := o.Spec.Applies.Kind
		std := &Standard{Of: o, waivers: map[string][]*Waiver{}}
		std.about, _ = about.SpecType(kind)
		for _, w := range waivers[o.ID] {
			id := about.Present(kind, w.Spec.Subject)
			std.waivers[id] = append(std.waivers[id], w)
		}
		for _, ws := range std.waivers {
			slices.SortFunc(ws, func(a, b *Waiver) int { return b.Spec.Expires.Compare(a.Spec.Expires) })
		}
		env, ok := environments[kind]
		if !ok {
			var err error
			if env, err = environment(kind, std.about); err != nil {
				problems = append(problems, def.Problem{File: o.File, Line: o.Line, Col: 1, Message: err.Error()})
				continue
			}
			environments[kind] = env
		}
		var wrong [2]*def.Problem
		std.rule, wrong[0] = o.Compile(env, "spec.rule")
		std.where, wrong[1] = o.Compile(env, "spec.applies.where")
		for _, w := range wrong {
			if w != nil {
				problems = append(problems, *w)
			}
		}
		if std.rule != nil && wrong[1] == nil {
			p.Standards = append(p.Standards, std)
		}
	}
	slices.SortFunc(p.Standards, func(a, b *Standard) int { return strings.Compare(a.ID, b.ID) })
	return p, problems
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
// of subjects and then of standards. It fails only when ctx ends; a rule that
// cannot be worked out for a subject is unknown. It is for a few subjects that are
// not in the estate: [Pack.Judge] is the way for all that are.
func (p *Pack) Evaluate(ctx context.Context, subjects []Subject, now time.Time) ([]Finding, error) {
	var out []Finding
	for _, sub := range subjects {
		t := NewTable(sub.Kind, []string{sub.ID}, []string{sub.Name}, func(int) map[string]any { return sub.Self })
		for name, v := range sub.Facts {
			t.Set(0, name, v)
		}
		for _, std := range p.Standards {
			if std.Spec.Applies.Kind != sub.Kind {
				continue
			}
			s := Standing{Standard: std, table: t, at: now, inputs: inputs{whole: true}, results: make([]code, 1)}
			if err := s.between(ctx, 0, 1); err != nil {
				return nil, err
			}
			if f, about := s.Finding(0); about {
				out = append(out, f)
			}
		}
	}
	return out, nil
}

// verdict is what a rule gives for what it looked at, before any waiver.
type verdict struct {
	code    code
	reason  string // of an unknown
	missing []Missing
}

// verdict works the standard out. A pass needs both that the standard is about the
// entity and that the rule holds, each beyond doubt.
func (s *Standard) verdict(ctx context.Context, vars map[string]any) verdict {
	about := rules.Result{Truth: rules.True}
	if s.where != nil {
		var err error
		if about, err = s.where.Eval(ctx, vars); err != nil {
			return s.cannot(err)
		}
		if about.Truth == rules.False {
			return verdict{}
		}
	}
	r, err := s.rule.Eval(ctx, vars)
	switch {
	case about.Truth == rules.Unknown:
		return s.lacks(about.Missing, "It is not known whether the standard is about it.")
	case err != nil:
		return s.cannot(err)
	case r.Truth == rules.Unknown:
		return s.lacks(r.Missing, "It is not known whether the standard is met.")
	case r.Truth == rules.True:
		return verdict{code: passes}
	}
	return verdict{code: fails}
}

// lacks is the verdict where something is missing.
func (s *Standard) lacks(paths []string, reason string) verdict {
	v := verdict{code: notKnown, reason: reason}
	var docs []string
	for _, p := range paths {
		m := s.describe(p)
		if !slices.ContainsFunc(v.missing, func(o Missing) bool { return o.Doc == m.Doc }) {
			v.missing = append(v.missing, m)
			docs = append(docs, m.Doc)
		}
	}
	if len(docs) > 0 {
		v.reason = "Not known: " + strings.Join(docs, "; ") + "."
	}
	return v
}

// cannot is the verdict where a rule cannot be worked out.
func (s *Standard) cannot(err error) verdict {
	text := err.Error()
	var e *rules.Error
	if errors.As(err, &e) {
		text = e.Message
	}
	return verdict{code: notKnown, reason: "The rule cannot be worked out here: " + text + "."}
}

// waiver is the waiver of a subject that counts, or the last that did. A waiver
// counts on the days from its grant to its end, both included.
func (s *Standard) waiver(id string, today def.Date) (w *Waiver, ended, soon bool) {
	for _, w := range s.waivers[id] { // the latest end comes first
		if today.Before(w.Spec.Granted) {
			continue
		}
		ended = w.Spec.Expires.Before(today)
		return w, ended, !ended && w.Spec.Expires.Sub(today) <= EndingDays
	}
	return nil, false, false
}

// evidence is what the rule looked at of entity i, for people to read.
func (s *Standing) evidence(i int) (out []Evidence) {
	for _, path := range s.rule.Inputs() {
		names := strings.Split(baseOf(path), ".")
		if names[0] != "self" && names[0] != "facts" {
			continue
		}
		e := Evidence{Path: path, Value: "not known"}
		switch {
		case names[0] == "facts" && len(names) > 1:
			if v, ok := s.table.Fact(i, names[1]); ok {
				e.Value, e.Source = show(v), s.table.Source(i, names[1])
			}
		case len(names) > 2:
			asked := s.rule.OnlyAsked(path)
			if v, depth := s.table.reader(strings.Join(names[1:], "."), asked)(i); depth < len(names)-1 {
				if asked {
					e.Value = "not given"
				}
			} else if asked {
				e.Value = "given"
			} else {
				e.Value = show(v)
			}
		}
		out = append(out, e)
	}
	return out
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
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// Waivers are the waivers of the standard, also those that have ended, by subject
// and then the latest end first.
func (s *Standard) Waivers() (out []*Waiver) {
	for _, id := range slices.Sorted(maps.Keys(s.waivers)) {
		out = append(out, s.waivers[id]...)
	}
	return out
}
