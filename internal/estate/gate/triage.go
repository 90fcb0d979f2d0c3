package gate

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// The reviews.
const (
	Light       = "light"
	Streamlined = "streamlined"
	Full        = "full"
)

// Reviews are the reviews, lightest first.
var Reviews = []string{Light, Streamlined, Full}

// Reason is why a request is reviewed as it is.
type Reason struct {
	Rule    string   `json:"rule"`
	Review  string   `json:"review"`
	Text    string   `json:"text"`
	Missing []string `json:"missing,omitempty"` // the answers that nobody gave; the rule counts as if they were yes
}

// Triage is how a request is to be reviewed, and why.
type Triage struct {
	Review  string
	Reasons []Reason // heaviest first; none for a light review
}

// Rules are the rules of triage of a body.
type Rules []rule

type rule struct {
	id   string
	spec TriageSpec
	when *rules.Program
}

// own are the rules that hold where a body declares none.
var own = []rule{
	{id: "sensitive-data", spec: TriageSpec{`answers.sensitive`, Full, "It handles confidential or restricted data."}},
	{id: "machine-and-people", spec: TriageSpec{`kind != "retire" && answers.ai && (answers.personalData || answers.publicFacing)`, Full, "A machine would decide, write or talk where people are concerned."}},
	{id: "watching-people", spec: TriageSpec{`kind != "retire" && answers.sensors && answers.personalData`, Full, "Sensors or cameras would collect data about people."}},
	{id: "large-cost", spec: TriageSpec{`answers.annualCost >= 100000`, Full, "It costs 100,000 or more a year."}},
	{id: "personal-data", spec: TriageSpec{`answers.personalData`, Streamlined, "It handles data about people."}},
	{id: "new-supplier", spec: TriageSpec{`kind in ["buy", "pilot", "change"] && answers.newSupplier`, Streamlined, "The supplier is new to us."}},
	{id: "residents", spec: TriageSpec{`answers.publicFacing`, Streamlined, "Residents would notice."}},
	{id: "new-technology", spec: TriageSpec{`kind != "retire" && (answers.novelTech || answers.ai || answers.sensors)`, Streamlined, "The technology is new to us, or it uses artificial intelligence, sensors or cameras."}},
	{id: "cost", spec: TriageSpec{`answers.annualCost >= 10000`, Streamlined, "It costs 10,000 or more a year."}},
	{id: "many-users", spec: TriageSpec{`answers.users >= 250`, Streamlined, "250 people or more would use it."}},
}

// environment is what rules of triage may speak of.
func environment() (*rules.Env, error) {
	var fields []string
	t := reflect.TypeFor[Answers]()
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields = append(fields, name)
	}
	return rules.NewEnv(rules.Var{Name: "answers", Type: rules.Object, Fields: fields}, rules.Var{Name: "kind", Type: rules.String})
}

// CompileRules are the rules that a set declares, or Reeve's own.
func CompileRules(set *def.Set) (Rules, error) {
	env, err := environment()
	if err != nil {
		return nil, err
	}
	var rs Rules
	for _, o := range def.All[TriageSpec](set) {
		p, problem := o.Compile(env, "spec.when")
		if problem != nil {
			return nil, fmt.Errorf("gate: %s", problem)
		}
		rs = append(rs, rule{o.ID, *o.Spec, p})
	}
	if len(rs) > 0 {
		return rs, nil
	}
	for _, r := range own {
		if r.when, err = env.Compile(r.spec.When, rules.Pos{File: "own rules of triage"}); err != nil {
			return nil, err
		}
		rs = append(rs, r)
	}
	return rs, nil
}

// Triage decides how a request is reviewed: as the heaviest rule says that holds,
// or that would hold if what nobody answered were so.
func (rs Rules) Triage(ctx context.Context, kind string, a Answers) (Triage, error) {
	out := Triage{Review: Light}
	if a.PersonalData != nil && !*a.PersonalData && a.Sensitive == nil {
		no := false
		a.Sensitive = &no // none of no data is sensitive
	}
	b, err := json.Marshal(a)
	if err != nil {
		return out, err
	}
	answers := map[string]any{}
	if err := json.Unmarshal(b, &answers); err != nil {
		return out, err
	}
	for _, r := range rs {
		res, err := r.when.Eval(ctx, map[string]any{"answers": answers, "kind": kind})
		if err != nil {
			return out, err
		}
		if res.Truth == rules.False {
			continue
		}
		why := Reason{Rule: r.id, Review: r.spec.Review, Text: r.spec.Reason}
		if res.Truth == rules.Unknown {
			for _, m := range res.Missing {
				why.Missing = append(why.Missing, strings.TrimPrefix(m, "answers."))
			}
		}
		out.Reasons = append(out.Reasons, why)
		if weight(why.Review) > weight(out.Review) {
			out.Review = why.Review
		}
	}
	slices.SortStableFunc(out.Reasons, func(a, b Reason) int { return weight(b.Review) - weight(a.Review) })
	return out, nil
}

func weight(review string) int { return slices.Index(Reviews, review) }

// The gates that a request passes.
const (
	Discovery   = "discovery"
	Design      = "design"
	Standards   = "standards"
	Procurement = "procurement"
	Live        = "live"
	Closed      = "closed"
)

// Gates are the gates, in order.
var Gates = []string{Discovery, Design, Standards, Procurement, Live, Closed}

// Path is the gates that a request of a kind passes under a review. A pilot is
// tried in discovery whatever its review.
func Path(kind, review string) (path []string) {
	for _, g := range Gates {
		switch {
		case g == Design && review != Full,
			g == Discovery && review != Full && kind != "pilot",
			g == Standards && review == Light,
			g == Procurement && kind != "buy" && kind != "pilot":
		default:
			path = append(path, g)
		}
	}
	return path
}

// after is the gate after at on the path of a request.
func after(kind, review, at string) string {
	for _, g := range Path(kind, review) {
		if slices.Index(Gates, g) > slices.Index(Gates, at) {
			return g
		}
	}
	return Closed
}
