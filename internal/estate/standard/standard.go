// Package standard holds the kinds Standard and Waiver and the one evaluator of
// standards, which the pages, the command line and later the gates all use.
//
// A standard is a principle in plain words and a CEL expression over one entity:
//
//	self    the entity as declared: self.metadata.id, self.spec.hosting
//	facts   values computed for it beforehand: facts.documentedInterfaces
//	now     the time of the evaluation
//	today   its civil date
//
// What an expression needs and nobody has declared or observed makes the result
// unknown, with the names of what is missing. Unknown is never a pass. Rules
// see one entity; nothing in them loops over the estate.
package standard

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// Spec is what is declared of a standard.
type Spec struct {
	Principle string        `json:"principle" def:"required" doc:"Why the standard exists, in words that anyone understands."`
	Source    []string      `json:"source,omitempty" doc:"Published strategies or laws that ask for it."`
	Applies   Applies       `json:"applies" def:"required" doc:"What the standard is about."`
	Severity  string        `json:"severity" def:"required,enum=must|should|info" doc:"How much it matters: must, should, or for information."`
	Rule      string        `json:"rule" def:"required,cel" doc:"CEL over self, facts, now and today that is true where the standard is met."`
	Failing   string        `json:"failing" def:"required" doc:"What is the matter where the standard is not met, in a plain sentence."`
	Fix       string        `json:"fix" def:"required" doc:"What the owner can do about it."`
	MaxWaiver *def.Duration `json:"maxWaiver,omitempty" doc:"How long a waiver may last; without it the standard cannot be waived."`
}

// Applies says which entities a standard is about.
type Applies struct {
	Kind  string `json:"kind" def:"required,enum=System|Component|Interface|Flow|ObservedFlow|Service|RecordType|Asset|SupplierContract|LedgerLine|Organisation|IntakeRequest|Board|Standard|Waiver" doc:"Kind of entity."`
	Where string `json:"where,omitempty" def:"cel" doc:"CEL that is true of the entities meant; all of the kind if not given."`
}

// WaiverSpec is what is declared of a waiver.
type WaiverSpec struct {
	Standard   string   `json:"standard" def:"required,ref=Standard" doc:"Id of the standard that need not be met for a time."`
	Subject    string   `json:"subject" def:"required" doc:"Id of the entity that need not meet it."`
	Reason     string   `json:"reason" def:"required" doc:"Why that was agreed."`
	ApprovedBy string   `json:"approvedBy" def:"required,person" doc:"Directory id of the person or post that agreed."`
	Owner      string   `json:"owner,omitempty" def:"person" doc:"Directory id of who sees to it that it is not needed any more; the owner of the entity if not given."`
	Granted    def.Date `json:"granted" def:"required" doc:"Date on which it was agreed."`
	Expires    def.Date `json:"expires" def:"required" doc:"Last day on which it counts; at most the standard's maxWaiver after it was granted."`
}

// Kinds describes Standard and Waiver to the loader.
func Kinds() []def.Kind {
	return []def.Kind{
		{
			Name:  "Standard",
			Doc:   "A rule that everything of a kind is held to, with the principle behind it.",
			Spec:  new(Spec),
			Check: checkStandard,
		},
		{
			Name:  "Waiver",
			Doc:   "Leave for one entity not to meet one standard until a date.",
			Spec:  new(WaiverSpec),
			Check: checkWaiver,
		},
	}
}

func checkStandard(c *def.Checker, o *def.Object) {
	s := o.Spec.(*Spec)
	env, ok := c.Once(envKey(s.Applies.Kind), func() any {
		t, _ := c.Set.SpecType(s.Applies.Kind)
		env, err := environment(s.Applies.Kind, t)
		if err != nil {
			return err
		}
		return env
	}).(*rules.Env)
	if !ok {
		c.Problem("spec.applies.kind", "nothing is known of a %s that a rule could ask about", s.Applies.Kind)
		return
	}
	c.Compile(env, "spec.rule")
	c.Compile(env, "spec.applies.where")
	if s.MaxWaiver != nil && days(*s.MaxWaiver) < 1 {
		c.Problem("spec.maxWaiver", "a waiver lasts at least a day: leave maxWaiver out if the standard cannot be waived")
	}
}

// AboutWaiver reports whether a problem is that a waiver cannot be had as it is
// written.
func AboutWaiver(p def.Problem) bool {
	return strings.HasPrefix(p.Message, "the waiver ") || strings.Contains(p.Message, "cannot be waived: ")
}

func checkWaiver(c *def.Checker, o *def.Object) {
	w := o.Spec.(*WaiverSpec)
	std, ok := c.Lookup("Standard", w.Standard)
	if !ok {
		return // told by the reference check
	}
	s := std.Spec.(*Spec)
	if _, ok := c.Lookup(s.Applies.Kind, w.Subject); !ok && !elsewhere(s.Applies.Kind) {
		c.Problem("spec.subject", "there is no %s %q, and the standard %s is about a %s", s.Applies.Kind, w.Subject, std.ID, s.Applies.Kind)
	}
	if w.Expires.Before(w.Granted) {
		c.Problem("spec.expires", "the waiver ends on %s, before it was granted on %s", w.Expires, w.Granted)
		return
	}
	if s.MaxWaiver == nil {
		c.Problem("spec.standard", "the standard %s cannot be waived: it has no maxWaiver", std.ID)
		return
	}
	if lasts, most := w.Expires.Sub(w.Granted), days(*s.MaxWaiver); lasts > most {
		c.Problem("spec.expires", "the waiver lasts %d days; %s allows at most %d, so until %s", lasts, std.ID, most, w.Granted.AddDays(most))
	}
}

// elsewhere reports whether things of the kind are, or can be, kept elsewhere than
// in definitions, so that nobody can say here that one is not there.
func elsewhere(kind string) bool {
	switch kind {
	case "Asset", "LedgerLine", "ObservedFlow", "IntakeRequest":
		return true
	}
	return false
}

// envKey keys the environments of one load by the kind that they are about.
type envKey string

// environment is what the rules of standards about kind may speak of. spec is the
// type of what is declared of the kind, nil if that is not known here.
func environment(kind string, spec reflect.Type) (*rules.Env, error) {
	facts := Facts(kind)
	if facts == nil {
		return nil, fmt.Errorf("no facts are known of a %s", kind)
	}
	names := make([]string, len(facts))
	for i, f := range facts {
		names[i] = f.Name
	}
	self := slices.Clone(imported[kind])
	if spec != nil {
		self = fieldPaths("spec", spec)
	}
	if self != nil {
		self = append(self, "kind", "metadata.id", "metadata.name", "metadata.labels", "metadata.formerly")
	}
	return rules.NewEnv(
		rules.Var{Name: "self", Type: rules.Object, Fields: self},
		rules.Var{Name: "facts", Type: rules.Object, Fields: names},
		rules.Var{Name: "now", Type: rules.Time},
		rules.Var{Name: "today", Type: rules.Date},
	)
}

func days(d def.Duration) int { return int(d.D() / (24 * time.Hour)) }
