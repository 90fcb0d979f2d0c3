// Package policy decides whether an actor may do something. A decision is a pure
// function of the request and the rules: no clock, no database, no order of rules.
//
// What is guaranteed: what no rule allows is denied; a rule with Own never allows
// another party's thing, nor a thing that nobody owns; no rule allows data above its
// Max; and whatever a rule says, the actor's assurance must be what the data's class
// needs ([Required]). One kind of rule, with Sworn, takes a reason that was given for
// one thing and is in the journal in place of a second factor.
//
// Do not assume that an allowed request is lawful: agreement, consent and purpose
// are asked about by those who hold them.
package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
)

// Request is a question to the policy.
type Request struct {
	Actor   reeve.Actor
	Action  string // "record.send": a noun and a verb
	Party   string // id of the Organisation that owns the thing asked for, "" if nobody does
	Type    reeve.RecordType
	Classes []reeve.Class // classes of the fields actually shown or changed
	Purpose reeve.Purpose
	About   reeve.Ref // the one thing that is asked for, where rights are given for one
	Sworn   bool      // the actor gave a reason for it that the journal keeps
}

// Rule allows something. There are no rules that forbid.
type Rule struct {
	Name    string
	Actions []string // "record.send", or "record.*" for every action on records
	Kinds   []reeve.ActorKind
	Roles   []string // the actor has any of these; empty: none needed
	Own     bool     // only where Party is the actor's own
	Max     reeve.Class
	Sworn   bool   // only one thing at a time, for a reason that was given before: see [Request]
	Doc     string // one sentence for people: who may do what, and why
}

// Decision is the answer, and why.
type Decision struct {
	Allow   bool
	Rule    string   // name of the rule that allowed, "" if denied
	Reasons []string // why not, in plain words; for people
}

// Engine decides. It is safe for concurrent use.
type Engine struct {
	rules []Rule
	exact map[string][]int // action -> rules
	noun  map[string][]int // "record" -> rules for "record.*"
}

var kinds = []reeve.ActorKind{reeve.Anyone, reeve.Partner, reeve.Staff, reeve.Resident, reeve.Program}

// New returns an engine with these rules. It refuses rules that cannot be meant:
// without a name, actions or kinds, of an unknown kind or class, named twice, with
// an action that is not a noun and a verb, or with roles for someone who has none.
func New(rules ...Rule) (*Engine, error) {
	e := &Engine{exact: map[string][]int{}, noun: map[string][]int{}}
	names := map[string]bool{}
	var errs []error
	for i, r := range rules {
		if err := check(r); err != nil {
			errs = append(errs, fmt.Errorf("policy: rule %q: %w", r.Name, err))
		}
		if names[r.Name] {
			errs = append(errs, fmt.Errorf("policy: rule %q is there twice", r.Name))
		}
		names[r.Name] = true
		for _, a := range r.Actions {
			if noun, ok := strings.CutSuffix(a, ".*"); ok {
				e.noun[noun] = append(e.noun[noun], i)
			} else {
				e.exact[a] = append(e.exact[a], i)
			}
		}
		r.Actions, r.Kinds, r.Roles = slices.Clone(r.Actions), slices.Clone(r.Kinds), slices.Clone(r.Roles)
		e.rules = append(e.rules, r)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return e, nil
}

func check(r Rule) error {
	switch {
	case r.Name == "":
		return errors.New("it has no name")
	case len(r.Actions) == 0:
		return errors.New("it has no actions")
	case len(r.Kinds) == 0:
		return errors.New("it has no kinds of actor")
	case r.Max > reeve.Restricted:
		return fmt.Errorf("there is no class %v", r.Max)
	case len(r.Roles) > 0 && slices.ContainsFunc(r.Kinds, func(k reeve.ActorKind) bool { return k != reeve.Staff }):
		return errors.New("only staff have roles: give others a rule of their own")
	case r.Sworn && len(r.Roles) == 0:
		return errors.New("who may give a reason in place of a second factor is said by roles")
	case r.Own && slices.Contains(r.Kinds, reeve.Anyone):
		return errors.New("someone who is not signed in owns nothing")
	}
	for _, k := range r.Kinds {
		if !slices.Contains(kinds, k) {
			return fmt.Errorf("there is no kind of actor %q", k)
		}
	}
	for _, a := range r.Actions {
		if !ValidAction(strings.TrimSuffix(a, "*") + "x") {
			return fmt.Errorf("%q is not an action: they look like record.send or record.*", a)
		}
	}
	return nil
}

// ValidAction reports whether s is a noun, a dot and a verb: "record.send".
func ValidAction(s string) bool {
	noun, verb, ok := strings.Cut(s, ".")
	word := func(w string) bool {
		return w != "" && strings.Trim(w, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
	}
	return ok && word(noun) && word(verb)
}

// Decide answers r.
func (e *Engine) Decide(r Request) Decision {
	noun, _, _ := strings.Cut(r.Action, ".")
	top, known := highest(r.Classes)
	if !known {
		return Decision{Reasons: []string{"the data asked for has no class that is known here"}}
	}
	// A denial tells what came nearest: the farther a rule got, the more it says.
	const (
		unknownAction = iota
		wrongKind
		wrongRole
		notOwn
		tooHigh
		notSworn
		tooWeak
	)
	far, near := unknownAction, []string(nil)
	for _, list := range [2][]int{e.exact[r.Action], e.noun[noun]} {
		for _, i := range list {
			rule := &e.rules[i]
			step, reason, need := 0, "", Required(top)
			if rule.Sworn {
				need.Authentication = min(need.Authentication, 1)
			}
			switch {
			case !slices.Contains(rule.Kinds, r.Actor.Kind):
				step = wrongKind
			case len(rule.Roles) > 0 && !slices.ContainsFunc(rule.Roles, func(role string) bool { return slices.Contains(r.Actor.Roles, role) }):
				step, reason = wrongRole, "this needs the role "+orList(rule.Roles)
			case rule.Own && (r.Party == "" || r.Party != r.Actor.Party):
				step, reason = notOwn, "this belongs to another organisation"
			case top > rule.Max:
				step, reason = tooHigh, fmt.Sprintf("it holds %v data, and this may show no more than %v", top, rule.Max)
			case rule.Sworn && !(r.Sworn && r.About != ""):
				step, reason = notSworn, fmt.Sprintf("it holds %v data: say first why you have to see it", top)
			case !r.Actor.Assurance.Meets(need):
				step, reason = tooWeak, weak(r.Actor, need, top)
			default:
				return Decision{Allow: true, Rule: rule.Name}
			}
			if step > far {
				far, near = step, nil
			}
			if step == far && reason != "" && !slices.Contains(near, reason) {
				near = append(near, reason)
			}
		}
	}
	switch far {
	case unknownAction:
		near = []string{"no rule allows this"}
	case wrongKind:
		near = []string{"no rule allows this to " + who(r.Actor.Kind)}
	}
	return Decision{Reasons: near}
}

// Rules returns a copy of the rules, for pages that show them.
func (e *Engine) Rules() []Rule { return slices.Clone(e.rules) }

// highest is the highest class; known is false if one is none of the four.
func highest(classes []reeve.Class) (top reeve.Class, known bool) {
	for _, c := range classes {
		top = max(top, c)
	}
	return top, top <= reeve.Restricted
}

// Required is the assurance that data of these classes needs: that of the highest.
// A class that is none of the four needs more than anybody has.
func Required(classes ...reeve.Class) reeve.Assurance {
	switch top, _ := highest(classes); top {
	case reeve.Public:
		return reeve.Assurance{}
	case reeve.Internal:
		return reeve.Assurance{Identity: 1, Authentication: 1}
	case reeve.Confidential:
		return reeve.Assurance{Identity: 2, Authentication: 1}
	case reeve.Restricted:
		return reeve.Assurance{Identity: 2, Authentication: 2}
	}
	return reeve.Assurance{Identity: 255, Authentication: 255}
}

func weak(a reeve.Actor, need reeve.Assurance, top reeve.Class) string {
	switch {
	case a.Kind == reeve.Anyone:
		return "sign in first"
	case a.Assurance.Identity < need.Identity:
		return fmt.Sprintf("it holds %v data: first prove who you are", top)
	}
	return fmt.Sprintf("it holds %v data: sign in with a second factor", top)
}

func who(k reeve.ActorKind) string {
	switch k {
	case reeve.Anyone:
		return "someone who is not signed in"
	case reeve.Partner:
		return "a partner's program"
	case reeve.Staff:
		return "a member of staff"
	case reeve.Resident:
		return "a resident"
	case reeve.Program:
		return "a part of this program"
	}
	return "an actor of an unknown kind"
}

func orList(s []string) string {
	if len(s) == 1 {
		return s[0]
	}
	return strings.Join(s[:len(s)-1], ", ") + " or " + s[len(s)-1]
}
