// Package agreement says who may tell whom what: the kind Agreement. It is what
// lets a record in at the door and what lets a flow run.
//
// What is guaranteed. An agreement allows nothing before its first day, nothing
// after its last, and no field that it does not name. Both days are civil dates in
// the body's time zone, and the last day still counts. The fields are cut out of a
// record's bytes, so what is not named is never decoded, let alone mapped.
//
// What not to assume. An agreement in force at acceptance may have ended when a
// delivery is tried: ask again each time.
package agreement

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// Spec is what an Agreement declares.
type Spec struct {
	From    string     `json:"from" def:"required,ref=Organisation" doc:"The organisation that gives."`
	To      string     `json:"to" def:"required,ref=Organisation" doc:"The organisation that receives."`
	Records []TermSpec `json:"records" def:"required,min=1" doc:"What may be given. Where several cover a record type, the first whose where holds counts."`
	Starts  def.Date   `json:"starts" def:"required" doc:"First day, in the body's time zone."`
	Ends    def.Date   `json:"ends" def:"required" doc:"Last day, which still counts."`
	DPIA    string     `json:"dpia" doc:"Where the data protection impact assessment is kept."`
	Basis   string     `json:"basis" doc:"The law or contract that the agreement rests on, in words."`
}

// TermSpec is one record type of an agreement.
type TermSpec struct {
	Type     string   `json:"type" def:"required,ref=RecordType" doc:"The record type."`
	Fields   []string `json:"fields" def:"required,min=1" doc:"JSON Pointers without list indexes; a pointer to an object means all of it, / the whole record."`
	Where    string   `json:"where" doc:"Expression (CEL) over the record as given, which must hold: has(record.deceasedDateTime)."`
	Purposes []string `json:"purposes" def:"required,min=1" doc:"What the data may be used for."`
}

// Kind is the kind Agreement.
func Kind(schemas *contract.Schemas) def.Kind {
	return def.Kind{
		Name: "Agreement",
		Doc:  "What one organisation may tell another: which fields of which record types, for what, and until when.",
		Spec: new(Spec),
		Check: func(c *def.Checker, o *def.Object) {
			check(schemas, c, o)
		},
	}
}

func check(schemas *contract.Schemas, c *def.Checker, o *def.Object) {
	spec := o.Spec.(*Spec)
	if spec.Ends.Before(spec.Starts) {
		c.Problem("spec.ends", "the agreement ends on %s, before it starts on %s", spec.Ends, spec.Starts)
	}
	env, err := recordEnv()
	if err != nil {
		c.Problem("spec", "%s", err)
		return
	}
	for i, ts := range spec.Records {
		at := fmt.Sprintf("spec.records[%d]", i)
		if ts.Where != "" {
			c.Compile(env, at+".where")
		}
		ro, ok := c.Lookup("RecordType", ts.Type)
		if !ok {
			continue
		}
		t, err := schemas.Type(ro, c.File)
		if err != nil {
			continue // told where the record type is checked
		}
		for k, f := range ts.Fields {
			if t.Has(f) == contract.No {
				c.Problem(fmt.Sprintf("%s.fields[%d]", at, k), "the schema of %s allows no field %s", ts.Type, f)
			}
		}
	}
}

func recordEnv() (*rules.Env, error) {
	return rules.NewEnv(rules.Var{Name: "record", Type: rules.Object})
}

// Set is every agreement in force, whether or not it is live today.
type Set struct {
	zone *time.Location
	ours func(org string) bool
	defs *def.Set     // for ids that were renamed
	all  []*Agreement // by id
	byID map[string]*Agreement
}

// Options of a set.
type Options struct {
	Zone *time.Location        // the body's; nil for UTC
	Ours func(org string) bool // whether an organisation is the body itself or a part of it; nil: as the definitions say
}

// Agreement is one agreement.
type Agreement struct {
	ID, Name     string
	From, To     string // ids of Organisations
	Starts, Ends def.Date
	Terms        []*Term
}

// Term is what an agreement allows of one record type. It is safe for concurrent use.
type Term struct {
	Agreement string // its id
	From, To  string
	Type      reeve.RecordType
	Fields    []string // JSON Pointers without list indexes; "" is the whole record
	Purposes  []reeve.Purpose
	Where     *rules.Program // nil: every record
	Ends      def.Date       // last day

	root *node
}

// Compile prepares the agreements of a set.
func Compile(s *def.Set, o Options) (*Set, []def.Problem) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Ours == nil {
		o.Ours = func(org string) bool { return ourselves(s, org) }
	}
	set := &Set{zone: o.Zone, ours: o.Ours, defs: s, byID: make(map[string]*Agreement)}
	var problems []def.Problem
	env, err := recordEnv()
	if err != nil {
		return nil, []def.Problem{{Message: err.Error()}}
	}
	for _, d := range def.All[Spec](s) {
		a := &Agreement{ID: d.ID, Name: d.Name, From: s.Present("Organisation", d.Spec.From), To: s.Present("Organisation", d.Spec.To),
			Starts: d.Spec.Starts, Ends: d.Spec.Ends}
		for _, ts := range d.Spec.Records {
			t, err := newTerm(env, a, ts, d.Object)
			if err != nil {
				problems = append(problems, def.Problem{File: d.File, Line: d.Line, Col: 1, Message: err.Error()})
				continue
			}
			t.Type = reeve.RecordType(s.Present("RecordType", ts.Type))
			a.Terms = append(a.Terms, t)
		}
		set.all = append(set.all, a)
		set.byID[a.ID] = a
		for _, old := range d.Formerly {
			set.byID[old] = a
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return set, nil
}

// ourselves reports whether an organisation is the body or a part of it: one of
// type council, or one below such. Organisation is another block's kind and is
// read as plain values.
func ourselves(s *def.Set, org string) bool {
	for range 20 {
		o, ok := s.Lookup("Organisation", org)
		if !ok {
			return false
		}
		spec, _ := o.Value()["spec"].(map[string]any)
		if spec["type"] == "council" {
			return true
		}
		if org, ok = spec["parent"].(string); !ok {
			return false
		}
	}
	return false
}

func newTerm(env *rules.Env, a *Agreement, ts TermSpec, o *def.Object) (*Term, error) {
	t := &Term{Agreement: a.ID, From: a.From, To: a.To, Ends: a.Ends}
	for _, f := range ts.Fields {
		t.Fields = append(t.Fields, contract.Pointer(f))
	}
	for _, p := range ts.Purposes {
		t.Purposes = append(t.Purposes, reeve.Purpose(p))
	}
	t.root = fieldTree(t.Fields)
	if ts.Where != "" {
		p, err := env.Compile(ts.Where, rules.Pos{File: o.File, Line: o.Line, Col: 1})
		if err != nil {
			return nil, err
		}
		t.Where = p
	}
	return t, nil
}

// All returns every agreement, by id.
func (s *Set) All() []*Agreement { return s.all }

// Get finds an agreement by its id or an id it had before.
func (s *Set) Get(id string) (*Agreement, bool) {
	a, ok := s.byID[id]
	return a, ok
}

// Party is the present id of an organisation, which agreements name it by.
func (s *Set) Party(org string) string {
	if s == nil || s.defs == nil {
		return org
	}
	return s.defs.Present("Organisation", org)
}

// Type is the present id of a record type, which terms name it by.
func (s *Set) Type(t reeve.RecordType) reeve.RecordType {
	if s == nil || s.defs == nil {
		return t
	}
	return reeve.RecordType(s.defs.Present("RecordType", string(t)))
}

// Live reports whether the agreement is in force at an instant, and if not why, in
// words that name its days.
func (s *Set) Live(a *Agreement, at time.Time) (ok bool, reason string) {
	day := def.DateOf(at.In(s.zone))
	switch {
	case day.Before(a.Starts):
		return false, fmt.Sprintf("agreement %s starts on %s", a.ID, a.Starts)
	case day.After(a.Ends):
		return false, fmt.Sprintf("agreement %s ended on %s", a.ID, a.Ends)
	}
	return true, ""
}

// Covers finds the first term in force that lets from tell to about records of a
// type for a purpose ("" for any), or says why there is none.
func (s *Set) Covers(at time.Time, from, to string, t reeve.RecordType, purpose reeve.Purpose) (*Term, string) {
	from, to, t = s.Party(from), s.Party(to), s.Type(t)
	terms, why := s.find(at, t, func(a *Agreement, term *Term) bool {
		return a.From == from && a.To == to && (purpose == "" || slices.Contains(term.Purposes, purpose))
	})
	if len(terms) == 0 {
		if why == nil {
			return nil, fmt.Sprintf("no agreement lets %s give %s to %s for this purpose", from, t, to)
		}
		return nil, why.Reason
	}
	return terms[0], ""
}

// Refusal says why nothing may be told.
type Refusal struct {
	Agreement string // the one that would cover it if it were in force, ""
	Code      string // "no-agreement", "agreement-ended", "agreement-not-started"
	Reason    string // for people
}

// Intake returns the terms in force under which a sender may tell the body records
// of a type, in the order of the agreements' ids, or why there is none.
func (s *Set) Intake(at time.Time, sender string, t reeve.RecordType) ([]*Term, *Refusal) {
	sender, t = s.Party(sender), s.Type(t)
	terms, why := s.find(at, t, func(a *Agreement, _ *Term) bool { return a.From == sender && s.ours(a.To) })
	if len(terms) == 0 && why == nil {
		why = &Refusal{Code: "no-agreement", Reason: fmt.Sprintf("no agreement lets %s send %s", sender, t)}
	}
	if len(terms) > 0 {
		return terms, nil
	}
	return nil, why
}

func (s *Set) find(at time.Time, t reeve.RecordType, fits func(*Agreement, *Term) bool) (terms []*Term, why *Refusal) {
	for _, a := range s.all {
		for _, term := range a.Terms {
			if term.Type != t || !fits(a, term) {
				continue
			}
			ok, reason := s.Live(a, at)
			if ok {
				terms = append(terms, term)
				continue
			}
			code := "agreement-ended"
			if def.DateOf(at.In(s.zone)).Before(a.Starts) {
				code = "agreement-not-started"
			}
			why = &Refusal{Agreement: a.ID, Code: code, Reason: reason}
		}
	}
	return terms, why
}

// Types lists the record types that a sender may tell the body now, by id.
func (s *Set) Types(at time.Time, sender string) []reeve.RecordType {
	var out []reeve.RecordType
	sender = s.Party(sender)
	for _, a := range s.all {
		if ok, _ := s.Live(a, at); !ok || a.From != sender || !s.ours(a.To) {
			continue
		}
		for _, t := range a.Terms {
			if !slices.Contains(out, t.Type) {
				out = append(out, t.Type)
			}
		}
	}
	slices.Sort(out)
	return out
}

// Admits reports whether a decoded record is inside the term: without a where all
// are. Unknown is not inside; missing then names the fields that would tell.
func (t *Term) Admits(ctx context.Context, record any) (truth rules.Truth, missing []string, err error) {
	if t.Where == nil {
		return rules.True, nil, nil
	}
	r, err := t.Where.Eval(ctx, map[string]any{"record": record})
	if err != nil {
		return rules.Unknown, nil, err
	}
	for i, m := range r.Missing {
		r.Missing[i] = strings.TrimPrefix(m, "record.")
	}
	return r.Truth, r.Missing, nil
}

// For reports whether the term is for a purpose.
func (t *Term) For(p reeve.Purpose) bool { return slices.Contains(t.Purposes, p) }

// Purpose is the term's only purpose, or "" where it has several: then each flow
// says which one it serves.
func (t *Term) Purpose() reeve.Purpose {
	if len(t.Purposes) == 1 {
		return t.Purposes[0]
	}
	return ""
}
