// Package process carries a record through a flow in several steps: an interface is
// asked and its answer used, then several systems are told, one after the other, and
// what was done is undone when a later step fails for good (a saga: Garcia-Molina and
// Salem, 1987).
//
// What is guaranteed. Each step is a Flow of its own, with its agreement: the record,
// and every answer, is cut down to it before its map sees anything. A step's body is
// stored, with the journal's entry that it is about to be disclosed, before the first
// attempt, and is the same at every attempt; its outcome is stored before the next
// step begins, so a process goes on where it was after a crash. Runs of one key of a
// strict record type go one after the other. A system that is slow holds up only the
// processes that it is a step of. What could not be undone waits for a person.
//
// What not to assume. Between a step and its undoing others may have seen the record:
// an undoing is one more message, not a rollback.
package process

import (
	"fmt"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// Spec is what a Process declares.
type Spec struct {
	Description string       `json:"description,omitempty" doc:"What it is for, in a sentence."`
	Record      string       `json:"record" def:"required,ref=RecordType" doc:"Every record of this type that is accepted begins a run."`
	Start       string       `json:"start,omitempty" def:"enum=now|beginning" doc:"Which records a new process begins with: those from now on (default), or all."`
	GiveUp      def.Duration `json:"giveUp,omitempty" doc:"How long a step is tried while its system takes nothing, before it has failed for good. Default 24h."`
	Steps       []Step       `json:"steps" def:"required,min=1,max=20" doc:"What is done, in this order, one step after the other."`
}

// Step is one step of a process.
type Step struct {
	Flow    string  `json:"flow" def:"required,ref=Flow" doc:"The flow (via: process) that carries the record in this step."`
	Answer  *Answer `json:"answer,omitempty" doc:"That the system is asked: later steps use what it answers."`
	Require string  `json:"require,omitempty" def:"cel" doc:"Expression (CEL) over answer that must hold; if it does not, the process fails and what was done is undone."`
	Undo    string  `json:"undo,omitempty" def:"ref=Flow" doc:"The flow (via: process) that undoes this step when a later one fails for good."`
}

// Answer is how the answer of a step is known to those that follow.
type Answer struct {
	Name   string `json:"name" def:"required" doc:"What maps call it: @answers.NAME."`
	Record string `json:"record" def:"required,ref=RecordType" doc:"The record type that it must match. A later step sees of it what its own agreement says about this type."`
}

// defaultGiveUp is how long a step is tried.
const defaultGiveUp = 24 * time.Hour

// Kind describes Process to the loader.
func Kind() def.Kind {
	return def.Kind{
		Name:  "Process",
		Doc:   "A flow in several steps: ask, tell several systems one after the other, and undo what was done when a step fails for good.",
		Spec:  new(Spec),
		Check: check,
	}
}

func answerEnv() (*rules.Env, error) {
	return rules.NewEnv(rules.Var{Name: "answer", Type: rules.Object})
}

func check(c *def.Checker, o *def.Object) {
	s := o.Spec.(*Spec)
	names, used := map[string]bool{}, map[string]bool{}
	for i, st := range s.Steps {
		at := fmt.Sprintf("spec.steps[%d]", i)
		checkFlow(c, s, at+".flow", st.Flow, used)
		if st.Undo != "" {
			checkFlow(c, s, at+".undo", st.Undo, used)
		}
		if st.Answer != nil {
			if names[st.Answer.Name] {
				c.Problem(at+".answer.name", "another step's answer has this name, too")
			}
			names[st.Answer.Name] = true
			checkAsked(c, at+".flow", st.Flow)
		}
		if st.Require == "" {
			continue
		}
		if st.Answer == nil {
			c.Problem(at+".require", "there is no answer to require something of: give the step an answer")
			continue
		}
		if env, err := answerEnv(); err != nil {
			c.Problem(at+".require", "%s", err)
		} else {
			c.Compile(env, at+".require")
		}
	}
}

// checkFlow holds a flow against the process that it is a step of.
func checkFlow(c *def.Checker, s *Spec, at, id string, used map[string]bool) {
	f, ok := c.Lookup("Flow", id)
	if !ok {
		return
	}
	spec := f.Spec.(*flow.Spec)
	if spec.Via != "process" {
		c.Problem(at, "%s must say via: process, so that it does not carry records by itself as well", id)
	}
	if c.Set.Present("RecordType", spec.Record) != c.Set.Present("RecordType", s.Record) {
		c.Problem(at, "%s carries %s, but the process begins with %s", id, spec.Record, s.Record)
	}
	if used[f.ID] {
		c.Problem(at, "%s is used in another step already: what became of it could not be told apart", id)
	}
	used[f.ID] = true
}

// checkAsked reports a step with an answer whose interface cannot be asked.
func checkAsked(c *def.Checker, at, id string) {
	f, ok := c.Lookup("Flow", id)
	if !ok {
		return
	}
	to, ok := c.Lookup("Interface", f.Spec.(*flow.Spec).To)
	if ok && to.Spec.(*iface.Spec).Style != "api" {
		c.Problem(at, "%s goes to %s, which gives no answer: only an interface of style: api does", id, to.ID)
	}
}

// Process is one process, ready to run.
type Process struct {
	ID, Name string
	Formerly []string
	Spec     *Spec
	Type     *contract.Type
	Steps    []ReadyStep
	giveUp   time.Duration
}

// ReadyStep is one step of it.
type ReadyStep struct {
	Flow, Undo *flow.Flow // Undo is nil where nothing is undone
	Answer     *Answer
	answer     *contract.Type
	require    *rules.Program
}

// Set is every process of a set of definitions, with its flows.
type Set struct {
	All   []*Process
	byID  map[string]*Process
	flows *flow.Set
}

// Get finds a process by its id.
func (s *Set) Get(id string) (*Process, bool) {
	p, ok := s.byID[id]
	return p, ok
}

// Having is the process that a flow is a step of, or undoes one of; nil for none.
func (s *Set) Having(flow string) *Process {
	for _, p := range s.All {
		for _, st := range p.Steps {
			if st.Flow.ID == flow || st.Undo != nil && st.Undo.ID == flow {
				return p
			}
		}
	}
	return nil
}

// Compile prepares the processes of a set.
func Compile(s *def.Set, types *contract.Set, flows *flow.Set) (*Set, []def.Problem) {
	set := &Set{byID: map[string]*Process{}, flows: flows}
	var problems []def.Problem
	for _, o := range def.All[Spec](s) {
		p, err := compile(o, types, flows)
		if err != nil {
			problems = append(problems, def.Problem{File: o.File, Line: o.Line, Col: 1, Message: fmt.Sprintf("process %s: %s", o.ID, err)})
			continue
		}
		set.All = append(set.All, p)
		set.byID[p.ID] = p
	}
	return set, problems
}

func compile(o def.Of[Spec], types *contract.Set, flows *flow.Set) (*Process, error) {
	p := &Process{ID: o.ID, Name: o.Name, Formerly: o.Formerly, Spec: o.Spec, giveUp: o.Spec.GiveUp.D()}
	if p.giveUp == 0 {
		p.giveUp = defaultGiveUp
	}
	var ok bool
	if p.Type, ok = types.Type(reeve.RecordType(o.Spec.Record)); !ok {
		return nil, fmt.Errorf("there is no record type %s", o.Spec.Record)
	}
	for _, st := range o.Spec.Steps {
		r := ReadyStep{Answer: st.Answer}
		if r.Flow, ok = flows.Get(st.Flow); !ok {
			return nil, fmt.Errorf("there is no flow %s", st.Flow)
		}
		if st.Undo != "" {
			if r.Undo, ok = flows.Get(st.Undo); !ok {
				return nil, fmt.Errorf("there is no flow %s", st.Undo)
			}
		}
		if st.Answer != nil {
			if r.answer, ok = types.Type(reeve.RecordType(st.Answer.Record)); !ok {
				return nil, fmt.Errorf("there is no record type %s", st.Answer.Record)
			}
		}
		if st.Require != "" {
			env, err := answerEnv()
			if err != nil {
				return nil, err
			}
			if r.require, err = env.Compile(st.Require, def.Pos{File: o.File, Line: o.Line, Col: 1}); err != nil {
				return nil, err
			}
		}
		p.Steps = append(p.Steps, r)
	}
	return p, nil
}

// sinkOf makes what a flow's bodies are sent through, and tells whether a repeat has
// one effect.
func sinkOf(f *flow.Flow, getenv func(string) string, host connector.Host, timeout time.Duration) (to connector.Sink, repeat string, err error) {
	const op = "exchange.process"
	spec := f.Interface()
	target, err := spec.Target(getenv)
	if err != nil {
		return nil, "", err
	}
	if target.Internal() || target.Connector.Sink == nil {
		return nil, "", reeve.E(reeve.Invalid, op, "%s cannot be a step of a process: it is a part of this program, or cannot be written to", f.To.Interface)
	}
	c := spec.Config(f.ID, target, host)
	c.InFlight, c.Timeout = inFlight, timeout
	if to, err = target.Connector.Sink(c); err != nil {
		return nil, "", reeve.E(reeve.Invalid, op, "%v", err) // a connector's errors are for people
	}
	if target.Connector.Once {
		return to, "", nil
	}
	return to, c.Repeat, nil
}
