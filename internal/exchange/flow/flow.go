// Package flow carries accepted records towards the systems that should have
// them: the kind Flow, and the worker that reads the log for each flow, cuts every
// record down to what the receiver's agreement names, and only then filters, maps
// and checks it.
//
// What is guaranteed. Nothing of a record that the agreement does not name can
// reach a filter, a map, a target's check, a message about a failure or a
// receiver, whatever the map says: it is gone from the bytes before they are
// decoded. Every flow needs an agreement that is in force; without one its cursor
// stands still, and it goes on from there when there is one again. A prepared
// body, the journal's entry that it is about to be disclosed, and the cursor are
// written in one transaction. A record that cannot be filtered, mapped or checked
// is parked and in nobody's way.
//
// What not to assume. A flow reads each record once; a definition that changes
// later does not apply to records it has passed, unless a person asks for one to
// be tried again.
package flow

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/exchange/mapping"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// Spec is what a Flow declares.
type Spec struct {
	From        string `json:"from" def:"required,ref=Interface" doc:"The interface that the records come from."`
	To          string `json:"to" def:"required,ref=Interface" doc:"The interface that they go to."`
	Record      string `json:"record" def:"required,ref=RecordType" doc:"The record type that is carried."`
	Target      string `json:"target,omitempty" def:"ref=RecordType" doc:"The record type that the mapped bodies must match."`
	Agreement   string `json:"agreement" def:"required,ref=Agreement" doc:"What allows it: its fields are all that the filter, the map and the receiver see."`
	Purpose     string `json:"purpose" def:"required" doc:"What the receiver uses it for; one of the agreement's."`
	Description string `json:"description,omitempty" doc:"What the flow is for, in a sentence."`
	Start       string `json:"start,omitempty" doc:"Where a new flow begins: now (default), beginning, or a date."`
	Filter      string `json:"filter,omitempty" doc:"Expression (CEL) over record, cut down, and today: only records for which it holds are carried."`
	Map         string `json:"map,omitempty" def:"file" doc:"The map (Bloblang): a file of the definitions folder. None: the record as it is after the cut."`
	Via         string `json:"via,omitempty" def:"enum=exchange|process|direct|manual" doc:"exchange (default): Reeve carries it. process: it is a step of a Process, which says when. direct, manual: it happens elsewhere and is only drawn on the map."`
	Schedule    string `json:"schedule,omitempty" doc:"When it carries what has come (cron: minute hour day month weekday), in the body's own time: \"0 18 * * 1-5\". Default: at once."`
	Expect      Expect `json:"expect,omitempty" doc:"What is usual, so that silence can be noticed."`
}

// Expect says what is usual of a flow.
type Expect struct {
	Every  def.Duration `json:"every,omitempty" doc:"A record is expected at least this often."`
	MaxLag def.Duration `json:"maxLag,omitempty" doc:"A record is expected to be delivered within this time."`
}

// Carried reports whether Reeve carries the flow itself.
func (s *Spec) Carried() bool { return s.Via == "" || s.Via == "exchange" }

// Kind describes Flow to the loader.
func Kind() def.Kind {
	return def.Kind{
		Name:  "Flow",
		Doc:   "Records of one type on their way from one system to another, under an agreement.",
		Spec:  new(Spec),
		Check: check,
	}
}

func filterEnv() (*rules.Env, error) {
	return rules.NewEnv(rules.Var{Name: "record", Type: rules.Object}, rules.Var{Name: "today", Type: rules.Date})
}

func check(c *def.Checker, o *def.Object) {
	s := o.Spec.(*Spec)
	fields := checkAgreement(c, s)
	checkParties(c, s)
	if s.Filter != "" {
		checkFilter(c, fields)
	}
	if s.Map != "" {
		if src, err := c.File(s.Map); err == nil {
			if _, err := mapping.NewEnvironment().Compile(string(src)); err != nil {
				c.Problem("spec.map", "%s does not compile: %s", s.Map, err)
			}
		}
	}
	if _, err := parseStart(s.Start); err != nil {
		c.Problem("spec.start", "%s", err)
	}
	if s.Schedule != "" {
		if _, err := iface.ParseSchedule(s.Schedule, time.UTC); err != nil {
			c.Problem("spec.schedule", "%s", err)
		} else if !s.Carried() {
			c.Problem("spec.schedule", "a schedule is for a flow that Reeve carries by itself")
		}
	}
	if s.Carried() || s.Via == "process" {
		checkReceiver(c, o, s)
	}
}

// checkAgreement returns the fields that the agreement lets the flow see.
func checkAgreement(c *def.Checker, s *Spec) (fields []string) {
	ao, ok := c.Lookup("Agreement", s.Agreement)
	if !ok {
		return nil
	}
	covered, purposes := false, []string{}
	for _, t := range ao.Spec.(*agreement.Spec).Records {
		if c.Set.Present("RecordType", t.Type) != c.Set.Present("RecordType", s.Record) {
			continue
		}
		covered = true
		if slices.Contains(t.Purposes, s.Purpose) {
			for _, f := range t.Fields {
				fields = append(fields, contract.Pointer(f))
			}
		}
		purposes = append(purposes, t.Purposes...)
	}
	switch {
	case !covered:
		c.Problem("spec.agreement", "the agreement %s does not cover %s", s.Agreement, s.Record)
	case len(fields) == 0:
		c.Problem("spec.purpose", "the agreement %s covers %s for %s, not for %s", s.Agreement, s.Record, strings.Join(purposes, ", "), s.Purpose)
	}
	return fields
}

// checkParties holds the agreement's parties against the systems at both ends.
func checkParties(c *def.Checker, s *Spec) {
	ao, ok := c.Lookup("Agreement", s.Agreement)
	if !ok {
		return
	}
	a := ao.Spec.(*agreement.Spec)
	from, to := organisationOf(c.Set, s.From), organisationOf(c.Set, s.To)
	if to == "" {
		c.Problem("spec.to", "the system of %s has no organisation, so nobody can tell whether the agreement covers it: give it one", s.To)
	} else if !partOf(c.Set, to, a.To) {
		c.Problem("spec.agreement", "the agreement %s is with %s, but %s belongs to %s", s.Agreement, a.To, s.To, to)
	}
	if from != "" && !partOf(c.Set, from, a.From) && !ourselves(c.Set, a.From) {
		c.Problem("spec.agreement", "under the agreement %s it is %s that gives, but %s belongs to %s", s.Agreement, a.From, s.From, from)
	}
}

func checkFilter(c *def.Checker, fields []string) {
	env, err := filterEnv()
	if err != nil {
		c.Problem("spec.filter", "%s", err)
		return
	}
	p := c.Compile(env, "spec.filter")
	if p == nil || fields == nil {
		return
	}
	for _, in := range p.Inputs() {
		path, ok := strings.CutPrefix(in, "record.")
		if !ok || strings.ContainsAny(path, "[*") {
			continue
		}
		at := "/" + strings.ReplaceAll(path, ".", "/")
		if !slices.ContainsFunc(fields, func(f string) bool {
			return f == "" || f == at || strings.HasPrefix(at, f+"/") || strings.HasPrefix(f, at+"/")
		}) {
			c.Problem("spec.filter", "the filter reads %s, which the agreement does not name: it would never be known", in)
		}
	}
}

func checkReceiver(c *def.Checker, o *def.Object, s *Spec) {
	to, ok := c.Lookup("Interface", s.To)
	if !ok {
		return
	}
	spec := to.Spec.(*iface.Spec)
	switch spec.Style {
	case "ui-scrape", "manual":
		c.Problem("spec.to", "%s is of style %s: Reeve cannot deliver to it; write via: direct or via: manual", s.To, spec.Style)
	default:
		if spec.Address == "" {
			c.Problem("spec.to", "%s has no address to deliver to", s.To)
		}
	}
	if !s.Carried() {
		return
	}
	for _, other := range carriers(c)[delivered{to.ID, c.Set.Present("RecordType", s.Record)}] {
		if other < o.ID {
			c.Problem("spec.to", "%s carries %s to %s already: the receiver could not tell a second copy from a repeat; use an interface of its own", other, s.Record, s.To)
		}
	}
}

// delivered is what reaches whom.
type delivered struct{ to, record string }

// carriers are the ids of the flows that Reeve carries, by what they deliver.
func carriers(c *def.Checker) map[delivered][]string {
	return c.Once(delivered{}, func() any {
		by := map[delivered][]string{}
		for _, f := range def.All[Spec](c.Set) {
			if f.Spec.Carried() {
				d := delivered{c.Set.Present("Interface", f.Spec.To), c.Set.Present("RecordType", f.Spec.Record)}
				by[d] = append(by[d], f.ID)
			}
		}
		return by
	}).(map[delivered][]string)
}

// The estate's kinds are read as plain values: blocks do not import each other.

func text(o *def.Object, path ...string) string {
	v := any(o.Value())
	for _, p := range path {
		m, _ := v.(map[string]any)
		v = m[p]
	}
	s, _ := v.(string)
	return s
}

// organisationOf is the organisation that the system of an interface belongs to.
func organisationOf(s *def.Set, ifc string) string {
	if io, ok := s.Lookup("Interface", ifc); ok {
		if so, ok := s.Lookup("System", io.Spec.(*iface.Spec).System); ok {
			return s.Present("Organisation", text(so, "spec", "organisation"))
		}
	}
	return ""
}

// partOf reports whether org is party or a part of it that decides nothing for
// itself: a separate controller is a party of its own.
func partOf(s *def.Set, org, party string) bool {
	party = s.Present("Organisation", party)
	for range 20 {
		o, ok := s.Lookup("Organisation", org)
		if !ok {
			return org == party
		}
		if o.ID == party {
			return true
		}
		spec, _ := o.Value()["spec"].(map[string]any)
		if sep, _ := spec["controller"].(bool); sep {
			return false
		}
		if org = text(o, "spec", "parent"); org == "" {
			return false
		}
	}
	return false
}

// sendersOf are the organisations whose records begin at a system of org: org,
// what it is a part of, and its own parts. It is nil where org is not known.
func sendersOf(s *def.Set, org string) map[string]bool {
	if org == "" {
		return nil
	}
	of := map[string]bool{org: true}
	for _, o := range s.Objects() {
		if o.Kind == "Organisation" && (partOf(s, org, o.ID) || partOf(s, o.ID, org)) {
			of[o.ID] = true
		}
	}
	return of
}

// ourselves reports whether org is the body or a part of it, which may pass on
// what it was told.
func ourselves(s *def.Set, org string) bool {
	for range 20 {
		o, ok := s.Lookup("Organisation", org)
		if !ok {
			return false
		}
		if text(o, "spec", "type") == "council" {
			return true
		}
		if org = text(o, "spec", "parent"); org == "" {
			return false
		}
	}
	return false
}

// start is where a new flow begins.
type start struct {
	now bool
	day *def.Date // records accepted before this day are passed over
}

func parseStart(s string) (start, error) {
	switch s {
	case "", "now":
		return start{now: true}, nil
	case "beginning":
		return start{}, nil
	}
	d, err := def.ParseDate(s)
	if err != nil {
		return start{}, fmt.Errorf("%q is not a start: write now, beginning or a date like 2026-01-31", s)
	}
	return start{day: &d}, nil
}

// Flow is one flow, ready to run.
type Flow struct {
	ID, Name  string
	Formerly  []string
	Spec      *Spec
	From, To  End
	Type      *contract.Type
	Target    *contract.Type // nil: any shape
	Agreement *agreement.Agreement
	Purpose   reeve.Purpose
	Fields    []string // names of all fields that the agreement lets it see

	schedule cron.Schedule   // nil: at once
	senders  map[string]bool // organisations whose records it carries; nil: the system at its beginning has none
	terms    []*agreement.Term
	start    start
	filter   *rules.Program
	reads    []string // paths that the filter reads: nothing else is decoded for it
	mapper   *mapping.Map
	iface    *iface.Spec
	ifaces   []string // former ids of the interface
	why      []string // what entries of the journal say of each disclosure
	source   string   // of the map, "" for none
}

// End is one end of a flow.
type End struct {
	Interface, Name       string
	System, Organisation  string // ids
	SystemName, PartyName string
}

// Set is every flow of a set of definitions.
type Set struct {
	Hash       string
	All        []*Flow // by id; also those that Reeve does not carry
	byID       map[string]*Flow
	agreements *agreement.Set
	zone       *time.Location
}

// Get finds a flow by its id.
func (s *Set) Get(id string) (*Flow, bool) {
	f, ok := s.byID[id]
	return f, ok
}

// Compile prepares the flows of a set, with its record types and agreements.
func Compile(s *def.Set, types *contract.Set, agreements *agreement.Set, zone *time.Location) (*Set, []def.Problem) {
	if zone == nil {
		zone = time.UTC
	}
	set := &Set{Hash: s.Hash(), byID: map[string]*Flow{}, agreements: agreements, zone: zone}
	env, err := filterEnv()
	if err != nil {
		return nil, []def.Problem{{Message: err.Error()}}
	}
	maps, senders := mapping.NewEnvironment(), map[string]map[string]bool{}
	var problems []def.Problem
	for _, o := range def.All[Spec](s) {
		f, err := compile(s, o, types, agreements, env, maps)
		if err == nil && o.Spec.Schedule != "" {
			f.schedule, err = iface.ParseSchedule(o.Spec.Schedule, zone)
		}
		if err != nil {
			problems = append(problems, def.Problem{File: o.File, Line: o.Line, Col: 1, Message: fmt.Sprintf("flow %s: %s", o.ID, err)})
			continue
		}
		org := f.From.Organisation
		if _, ok := senders[org]; !ok { // many flows begin at one organisation
			senders[org] = sendersOf(s, org)
		}
		f.senders = senders[org]
		set.All = append(set.All, f)
		set.byID[f.ID] = f
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return set, nil
}

func compile(s *def.Set, o def.Of[Spec], types *contract.Set, agreements *agreement.Set, env *rules.Env, maps *mapping.Environment) (*Flow, error) {
	f := &Flow{ID: o.ID, Name: o.Name, Formerly: o.Formerly, Spec: o.Spec, Purpose: reeve.Purpose(o.Spec.Purpose),
		From: endOf(s, o.Spec.From), To: endOf(s, o.Spec.To)}
	var ok bool
	if f.Type, ok = types.Type(reeve.RecordType(o.Spec.Record)); !ok {
		return nil, fmt.Errorf("there is no record type %s", o.Spec.Record)
	}
	if o.Spec.Target != "" {
		if f.Target, ok = types.Type(reeve.RecordType(o.Spec.Target)); !ok {
			return nil, fmt.Errorf("there is no record type %s", o.Spec.Target)
		}
	}
	if f.Agreement, ok = agreements.Get(o.Spec.Agreement); !ok {
		return nil, fmt.Errorf("there is no agreement %s", o.Spec.Agreement)
	}
	for _, t := range f.Agreement.Terms {
		if t.Type == f.Type.ID && slices.Contains(t.Purposes, f.Purpose) {
			f.terms = append(f.terms, t)
			for _, field := range t.Fields {
				if !slices.Contains(f.Fields, field) {
					f.Fields = append(f.Fields, field)
				}
			}
		}
	}
	if len(f.terms) == 0 {
		return nil, fmt.Errorf("the agreement %s does not cover %s for %s", f.Agreement.ID, f.Type.ID, f.Purpose)
	}
	to, ok := s.Lookup("Interface", o.Spec.To)
	if !ok {
		return nil, fmt.Errorf("there is no interface %s", o.Spec.To)
	}
	f.iface, f.ifaces = to.Spec.(*iface.Spec), to.Formerly
	f.why = append([]string{f.Agreement.ID, f.Agreement.To, f.To.Interface}, names(f.Fields)...)
	var err error
	if f.start, err = parseStart(o.Spec.Start); err != nil {
		return nil, err
	}
	if o.Spec.Filter != "" {
		if f.filter, err = env.Compile(o.Spec.Filter, def.Pos{File: o.File, Line: o.Line, Col: 1}); err != nil {
			return nil, err
		}
		f.reads = f.filter.Inputs()
	}
	if o.Spec.Map != "" {
		src, err := s.File(o.Spec.Map)
		if err != nil {
			return nil, err
		}
		f.source = string(src)
		if f.mapper, err = maps.Compile(f.source); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Spec.Map, err)
		}
	}
	return f, nil
}

// names are fields as the journal and pages tell them.
func names(fields []string) (out []string) {
	for _, f := range fields {
		if f == "" {
			f = "/"
		}
		out = append(out, f)
	}
	return out
}

func endOf(s *def.Set, ifc string) End {
	e := End{Interface: s.Present("Interface", ifc)}
	if io, ok := s.Lookup("Interface", ifc); ok {
		e.Name = io.Name
		e.System = s.Present("System", io.Spec.(*iface.Spec).System)
		if so, ok := s.Lookup("System", e.System); ok {
			e.SystemName = so.Name
		}
	}
	e.Organisation = organisationOf(s, ifc)
	if oo, ok := s.Lookup("Organisation", e.Organisation); ok {
		e.PartyName = oo.Name
	}
	return e
}
