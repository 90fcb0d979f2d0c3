package eligibility

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// BenefitSpec is what `kind: Benefit` says: who may have something, in conditions
// that explain themselves, and how people are enrolled for it.
type BenefitSpec struct {
	Summary    string          `json:"summary" def:"required" doc:"What it is, in a sentence for residents."`
	For        string          `json:"for" def:"required,enum=child|claimant" doc:"Whom in a household it is for."`
	Conditions []Condition     `json:"conditions" def:"required,min=1" doc:"All must hold."`
	Needs      map[string]Need `json:"needs" doc:"For each fact that may be missing (household.income): what it is and how to give it."`
	Enrol      Enrol           `json:"enrol" doc:"How people are enrolled."`
	Ask        []string        `json:"ask" def:"ref=Template" doc:"Message to the claimant when a fact is missing; the first that reaches them is sent, once."`
	Review     string          `json:"review" def:"ref=CaseType" doc:"Case to open when someone who is enrolled may no longer be entitled, or cannot be told."`
	Help       string          `json:"help" def:"required" doc:"Whom to ask, for messages and pages."`
}

// Condition is one part of a rule.
type Condition struct {
	Name string `json:"name" def:"required" doc:"A short code; it stands in the journal."`
	If   string `json:"if" def:"required,cel" doc:"CEL over person, household, award and today."`
	Says string `json:"says" def:"required" doc:"What it means that it holds, in plain words."`
	Else string `json:"else" def:"required" doc:"What it means that it does not."`
}

// Need is a fact that may be missing.
type Need struct {
	Name string `json:"name" def:"required" doc:"What it is, for residents."`
	How  string `json:"how" def:"required" doc:"How to give it."`
	Unit string `json:"unit" def:"enum=pounds|date|number" doc:"What staff type in when they are told of it; without it they cannot."`
}

// Enrol says how people are enrolled.
type Enrol struct {
	How       string       `json:"how" def:"enum=automatic|none" doc:"automatic: without asking, with notice and a way to opt out. none: only tell staff."`
	Notice    def.Duration `json:"notice" doc:"How long after the message they are enrolled; 0 is at once."`
	Choose    def.Duration `json:"choose" doc:"How long the link to opt out works."`
	Templates []string     `json:"templates" def:"ref=Template" doc:"Messages in order of preference; the first that reaches the person is sent."`
}

// Kinds are the definitions of this room.
func Kinds() []def.Kind {
	return []def.Kind{{
		Name: "Benefit", Aliases: []string{"Entitlement"}, Spec: new(BenefitSpec), Check: checkBenefit,
		Doc: "Something people are entitled to: the rule, in conditions that explain themselves, and how they are enrolled.",
	}}
}

// inputs are the facts that a rule may use.
var inputs = map[string][]string{
	"person":    {"dateOfBirth"},
	"household": {"income", "children"},
	"award":     {"reference", "benefit", "starts", "ends"},
}

func newEnv() (*rules.Env, error) {
	vars := []rules.Var{{Name: "today", Type: rules.Date}}
	for _, name := range []string{"award", "household", "person"} {
		vars = append(vars, rules.Var{Name: name, Type: rules.Object, Fields: inputs[name]})
	}
	return rules.NewEnv(vars...)
}

func checkBenefit(c *def.Checker, o *def.Object) {
	s := o.Spec.(*BenefitSpec)
	env, err := newEnv()
	if err != nil {
		c.Problem("spec", "%v", err)
		return
	}
	seen := map[string]bool{}
	for i, cond := range s.Conditions {
		path := fmt.Sprintf("spec.conditions[%d]", i)
		if seen[cond.Name] {
			c.Problem(path+".name", "%q names two conditions", cond.Name)
		}
		seen[cond.Name] = true
		c.Compile(env, path+".if")
	}
	for path := range s.Needs {
		name, field, _ := strings.Cut(path, ".")
		if !slices.Contains(inputs[name], field) {
			c.Problem("spec.needs", "%q is not a fact: rules know %s", path, strings.Join(known(), ", "))
		}
	}
	if s.Enrol.How == "automatic" {
		if len(s.Enrol.Templates) == 0 {
			c.Problem("spec.enrol", "people who are enrolled are told: give templates")
		}
		if s.Enrol.Choose < def.Duration(24*60*60*1e9) {
			c.Problem("spec.enrol", "give people at least a day to opt out: choose: 28d")
		}
	}
}

func known() (all []string) {
	for name, fields := range inputs {
		for _, f := range fields {
			all = append(all, name+"."+f)
		}
	}
	slices.Sort(all)
	return all
}

// benefit is a definition ready to be evaluated.
type benefit struct {
	id, name string
	spec     *BenefitSpec
	programs []*rules.Program
}

func compile(s *def.Set) (all []*benefit, problems []def.Problem) {
	env, err := newEnv()
	if err != nil {
		return nil, []def.Problem{{Message: err.Error()}}
	}
	for _, o := range def.All[BenefitSpec](s) {
		b := &benefit{id: o.ID, name: o.Name, spec: o.Spec}
		for _, c := range o.Spec.Conditions {
			p, err := env.Compile(c.If, rules.Pos{File: o.File, Line: o.Line, Col: 1})
			if err != nil {
				problems = append(problems, def.Problem{File: o.File, Line: o.Line, Col: 1, Message: fmt.Sprintf("%s, condition %s: %v", o.ID, c.Name, err)})
				continue
			}
			b.programs = append(b.programs, p)
		}
		all = append(all, b)
	}
	return all, problems
}

// The outcomes of a rule.
const (
	Yes     = "yes"
	No      = "no"
	Unknown = "unknown"
)

// Reason is what one condition came to.
type Reason struct {
	Name    string   `json:"name"`
	Truth   string   `json:"truth"` // Yes, No or Unknown
	Text    string   `json:"text"`
	Missing []string `json:"missing,omitempty"`
}

// Answer is what a rule came to: no as soon as one condition fails, unknown while
// something is missing that matters, and why.
type Answer struct {
	Outcome string   `json:"outcome"`
	Reasons []Reason `json:"reasons"`
	Missing []string `json:"missing,omitempty"` // facts still needed, only for Unknown
}

// assess evaluates b over facts ("person", "household", "award" and "today").
func (b *benefit) assess(ctx context.Context, facts map[string]any) (a Answer, err error) {
	a.Outcome = Yes
	for i, p := range b.programs {
		c := b.spec.Conditions[i]
		res, err := p.Eval(ctx, facts)
		if err != nil {
			return a, fmt.Errorf("benefit %s, condition %s: %w", b.id, c.Name, err)
		}
		r := Reason{Name: c.Name}
		switch res.Truth {
		case rules.True:
			r.Truth, r.Text = Yes, c.Says
		case rules.False:
			r.Truth, r.Text = No, c.Else
			a.Outcome = No
		default:
			r.Truth, r.Text, r.Missing = Unknown, "We do not know yet whether: "+ui.LowerFirst(c.Says), res.Missing
			a.Missing = append(a.Missing, res.Missing...)
			if a.Outcome == Yes {
				a.Outcome = Unknown
			}
		}
		a.Reasons = append(a.Reasons, r)
	}
	if a.Outcome != Unknown {
		a.Missing = nil // what would not change the answer is not asked for
	}
	slices.Sort(a.Missing)
	a.Missing = slices.Compact(a.Missing)
	return a, nil
}

// need says in plain words what a missing fact is and how to give it.
func (b *benefit) need(path string) Need {
	if n, ok := b.spec.Needs[path]; ok {
		return n
	}
	return Need{Name: strings.ReplaceAll(path, ".", ": "), How: "Ask us: " + b.spec.Help}
}

// needs are those of an answer.
func (b *benefit) needs(missing []string) (all []Need) {
	for _, m := range missing {
		all = append(all, b.need(m))
	}
	return all
}
