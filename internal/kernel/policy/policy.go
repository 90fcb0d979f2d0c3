// Package policy decides whether an actor may do something. A decision is a pure
// function of the request and the rules: no clock, no database, no order of rules.
//
// What is guaranteed: what no rule allows is denied; a rule with Own never allows
// another party's thing; no rule allows data above its Max; and whatever a rule
// says, the actor's assurance must be what the data's class needs ([Required]).
package policy

import "github.com/reeve-civic/reeve"

// Request is a question to the policy.
type Request struct {
	Actor   reeve.Actor
	Action  string // "record.send": a noun and a verb
	Party   string // id of the Organisation that owns the thing asked for, "" if nobody does
	Type    reeve.RecordType
	Classes []reeve.Class // classes of the fields actually shown or changed
	Purpose reeve.Purpose
}

// Rule allows something. There are no rules that forbid.
type Rule struct {
	Name    string
	Actions []string // "record.send", or "record.*" for every action on records
	Kinds   []reeve.ActorKind
	Roles   []string // the actor has any of these; empty: none needed
	Own     bool     // only where Party is the actor's own
	Max     reeve.Class
	Doc     string // one sentence for people: who may do what, and why
}

// Decision is the answer, and why.
type Decision struct {
	Allow   bool
	Rule    string   // name of the rule that allowed, "" if denied
	Reasons []string // why not, in plain words; for people
}

// Engine decides. It is safe for concurrent use.
type Engine struct{ rules []Rule }

// New returns an engine with these rules, or an error that names a rule that
// cannot be meant (no actions, no kinds, an unknown kind).
func New(rules ...Rule) (*Engine, error) { return &Engine{rules: rules}, nil }

// Decide answers r.
func (e *Engine) Decide(r Request) Decision { return Decision{} }

// Rules returns a copy of the rules, for pages that show them.
func (e *Engine) Rules() []Rule { return append([]Rule(nil), e.rules...) }

// Required is the assurance that data of these classes needs: that of the highest.
func Required(classes ...reeve.Class) reeve.Assurance {
	var max reeve.Class
	for _, c := range classes {
		if c > max {
			max = c
		}
	}
	switch max {
	case reeve.Public:
		return reeve.Assurance{}
	case reeve.Internal:
		return reeve.Assurance{Identity: 1, Authentication: 1}
	case reeve.Confidential:
		return reeve.Assurance{Identity: 2, Authentication: 1}
	}
	return reeve.Assurance{Identity: 2, Authentication: 2}
}
