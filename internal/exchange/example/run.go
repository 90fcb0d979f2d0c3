package example

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
)

// Flows compiles the flows of a set, as a running program would.
func Flows(set *def.Set, zone *time.Location) (*flow.Set, []def.Problem) {
	types, problems := contract.Compile(set)
	if len(problems) > 0 {
		return nil, problems
	}
	agreements, problems := agreement.Compile(set, agreement.Options{Zone: zone})
	if len(problems) > 0 {
		return nil, problems
	}
	return flow.Compile(set, types, agreements, zone)
}

// Result is what came of an example.
type Result struct {
	Flow    string          `json:"flow"`
	Example string          `json:"example"`
	File    string          `json:"file"`
	About   string          `json:"about,omitempty"`
	OK      bool            `json:"ok"`
	Wrong   string          `json:"wrong,omitempty"`   // in a sentence, what is not as expected
	Differs []Difference    `json:"differs,omitempty"` // field by field
	Became  string          `json:"became"`            // sent, filtered, outside, earlier, elsewhere, parked or held
	Got     json.RawMessage `json:"got,omitempty"`     // what the receiver would get
	Told    []reeve.Problem `json:"problems,omitempty"`
}

// held is what becomes of an example that fails its own record type: no flow sees it.
const held = "held"

// Run runs an example. now is the day where it names none.
func Run(ctx context.Context, flows *flow.Set, x Example, zone *time.Location, now time.Time) Result {
	r := Result{Flow: x.Flow, Example: x.Name, File: x.File, About: x.About}
	f, ok := flows.Get(x.Flow)
	if !ok {
		r.Wrong = "There is no flow " + x.Flow + "."
		return r
	}
	r.Became, r.Got, r.Told = become(ctx, flows, f, x, zone, now)
	r.judge(x)
	return r
}

// become sends an example the way that a record goes.
func become(ctx context.Context, flows *flow.Set, f *flow.Flow, x Example, zone *time.Location, now time.Time) (string, json.RawMessage, []reeve.Problem) {
	at := now
	if t, err := moment(x.At, zone); x.At != "" && err == nil {
		at = t
	}
	key, problems := f.Type.Check(x.Given)
	if len(problems) > 0 {
		return held, nil, problems
	}
	rec := &reclog.Record{N: 1, ID: reeve.NewRecordID(1, 1), Type: f.Type.ID, Sender: x.Sender, Key: key, At: at, Body: rawjson.AppendCompact(nil, x.Given)}
	if rec.Sender == "" {
		rec.Sender = f.From.Organisation
	}
	var answers []flow.Answer
	for name, a := range x.Answers {
		answers = append(answers, flow.Answer{Name: name, Type: reeve.RecordType(a.Type), Body: a.Body})
	}
	made := flows.Prepare(ctx, f, at, rec, answers)
	return made.Decision.String(), json.RawMessage(made.Body), made.Problems
}

// judge compares what came of an example with what was expected.
func (r *Result) judge(x Example) {
	switch {
	case x.Skipped != "":
		if r.Became != x.Skipped {
			r.Wrong = fmt.Sprintf("It should be %s; %s", plain(x.Skipped), r.became())
		}
	case x.Problems != nil:
		r.judgeProblems(x.Problems)
	case r.Became != flow.Sent.String():
		r.Wrong = "It should be sent; " + r.became()
	default:
		if r.Differs = Compare(x.Expect, r.Got); len(r.Differs) > 0 {
			r.Wrong = "What the receiver would get is another."
		}
	}
	r.OK = r.Wrong == ""
}

func (r *Result) judgeProblems(want []Problem) {
	if r.Became != held && r.Became != flow.Parked.String() {
		r.Wrong = "Problems should be told of it; " + r.became()
		return
	}
	told := slices.Clone(r.Told)
	for _, w := range want {
		i := slices.IndexFunc(told, func(p reeve.Problem) bool {
			return p.Path == w.Path && (w.Message == "" || strings.Contains(p.Message, w.Message))
		})
		if i < 0 {
			r.Differs = append(r.Differs, Difference{Path: w.Path, Want: "problem: " + w.Message})
			continue
		}
		told = slices.Delete(told, i, i+1)
	}
	for _, p := range told {
		r.Differs = append(r.Differs, Difference{Path: p.Path, Got: "problem: " + p.Message})
	}
	if len(r.Differs) > 0 {
		r.Wrong = "Other problems are told."
	}
}

// plain is a decision in plain words.
func plain(decision string) string {
	switch decision {
	case flow.Sent.String():
		return "sent"
	case flow.Filtered.String():
		return "filtered out"
	case flow.Outside.String():
		return "left out by the agreement"
	case flow.Earlier.String():
		return "passed over, as it came before the flow's start"
	case flow.Elsewhere.String():
		return "passed over, as another organisation told it"
	case held:
		return "held at the door"
	}
	return "parked"
}

func (r *Result) became() string {
	s := "it was " + plain(r.Became)
	for i, p := range r.Told {
		if i == 0 {
			s += ":"
		}
		if i == 3 {
			return s + fmt.Sprintf(" and %d more problems", len(r.Told)-i)
		}
		s += strings.TrimRight(" "+p.Path, " ") + " " + p.Message + ";"
	}
	return strings.TrimSuffix(s, ";") + "."
}

// Report is what came of all examples of a folder.
type Report struct {
	OK       bool          `json:"ok"`
	Examples int           `json:"examples"`
	Failed   int           `json:"failed"`
	Without  []string      `json:"without"` // flows that Reeve carries and that have no example
	Results  []Result      `json:"results"`
	Problems []def.Problem `json:"problems"` // of files that cannot be read as examples
}

// RunAll runs the examples of a set: all, or those of some flows.
func RunAll(ctx context.Context, set *def.Set, flows *flow.Set, only []string, zone *time.Location, now time.Time) Report {
	found, problems := Read(set)
	r := Report{Without: []string{}, Results: []Result{}, Problems: append([]def.Problem{}, problems...)}
	wanted := func(id string) bool { return len(only) == 0 || slices.Contains(only, id) }
	has := map[string]bool{}
	for _, x := range found {
		if has[x.Flow] = true; !wanted(x.Flow) {
			continue
		}
		res := Run(ctx, flows, x, zone, now)
		if r.Examples++; !res.OK {
			r.Failed++
		}
		r.Results = append(r.Results, res)
	}
	for _, f := range flows.All {
		if wanted(f.ID) && !has[f.ID] && (f.Spec.Carried() || f.Spec.Via == "process") {
			r.Without = append(r.Without, f.ID)
		}
	}
	r.OK = r.Failed == 0 && len(r.Problems) == 0
	return r
}

// Text is the report for people.
func (r Report) Text() string {
	var b strings.Builder
	for _, p := range r.Problems {
		fmt.Fprintln(&b, p)
	}
	flows := map[string]bool{}
	for _, x := range r.Results {
		if flows[x.Flow] = true; x.OK {
			continue
		}
		fmt.Fprintf(&b, "FAIL %s %s (%s)\n", x.Flow, x.Example, x.File)
		if x.About != "" {
			fmt.Fprintf(&b, "     %s\n", x.About)
		}
		fmt.Fprintf(&b, "     %s\n", x.Wrong)
		for _, d := range x.Differs {
			for line := range strings.Lines(d.String()) {
				fmt.Fprintf(&b, "       %s\n", strings.TrimRight(line, "\n"))
			}
		}
	}
	if len(r.Without) > 0 {
		fmt.Fprintf(&b, "Without an example: %s.\n", strings.Join(r.Without, ", "))
	}
	fmt.Fprintf(&b, "%s of %s: %d as expected, %d not.\n", number(r.Examples, "example"), number(len(flows), "flow"), r.Examples-r.Failed, r.Failed)
	return b.String()
}

func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
