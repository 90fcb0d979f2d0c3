// Command opabench holds the same estate to the same 52 standards with Reeve and
// with the Open Policy Agent, in one process, and prints how long each takes. It
// is a module of its own, so that the program does not depend on OPA.
//
// Both get what they are best with: Reeve its tables, OPA one prepared query a
// standard and inputs that were parsed before the clock began. The results are
// compared one by one before anything is timed.
package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing/fstest"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/standard/sample"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

//go:embed rules/*.rego
var rules embed.FS

func main() {
	over := flag.Int("over", 20, "divide the large estate (10,000 systems, 50,000 interfaces and flows, 200,000 assets) by this")
	runs := flag.Int("runs", 5, "how often each is timed; medians are printed")
	flag.Parse()
	if err := run(context.Background(), *over, *runs); err != nil {
		fmt.Fprintln(os.Stderr, "opabench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, over, runs int) error {
	set, problems := def.Load(fstest.MapFS{}, def.NewRegistry(standard.Kinds()...))
	if len(problems) > 0 {
		return fmt.Errorf("%s", problems[0])
	}
	pack, err := standard.Library(set)
	if err != nil {
		return err
	}
	now := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	tables := sample.Estate(pack, over)
	outcome, err := pack.Judge(ctx, tables, now)
	if err != nil {
		return err
	}
	o, err := prepare(ctx, pack, tables, now)
	if err != nil {
		return err
	}
	n, err := o.agree(ctx, outcome)
	if err != nil {
		return err
	}
	reeve, err := median(runs, func() error { _, err := pack.Judge(ctx, tables, now); return err })
	if err != nil {
		return err
	}
	subjects := all(tables)
	alone, err := median(1, func() error { _, err := pack.Evaluate(ctx, subjects, now); return err })
	if err != nil {
		return err
	}
	opa, err := median(runs, func() error { return o.judge(ctx) })
	if err != nil {
		return err
	}
	fmt.Printf("52 standards, %d entities, %d evaluations, the same results; median of %d runs on %d processors\n", o.entities, n, runs, runtime.GOMAXPROCS(0))
	row := func(name string, d time.Duration) {
		fmt.Printf("%-78s %10s %10.0f evaluations/s\n", name, d.Round(10*time.Microsecond), float64(n)/d.Seconds())
	}
	row("Reeve", reeve)
	row("Reeve, every entity alone, nothing remembered, with reasons, on one processor", alone)
	row("OPA", opa)
	fmt.Printf("Reeve takes 1/%.0f of the time\n", opa.Seconds()/reeve.Seconds())
	return nil
}

// all is every entity, one by one.
func all(tables standard.Tables) (out []standard.Subject) {
	for _, t := range tables {
		for i, id := range t.IDs {
			out = append(out, standard.Subject{Kind: t.Kind, ID: id, Name: t.Names[i], Self: t.Self(i), Facts: t.Facts(i)})
		}
	}
	return out
}

// agent is the standards in Rego, with what they are held against.
type agent struct {
	queries  []rego.PreparedEvalQuery
	inputs   [][]ast.Value // of each standard; shared by those about the same kind
	entities int
}

// prepare compiles the rules and parses the inputs.
func prepare(ctx context.Context, pack *standard.Pack, tables standard.Tables, now time.Time) (*agent, error) {
	a := &agent{}
	byKind := map[string][]ast.Value{}
	for _, t := range tables {
		a.entities += len(t.IDs)
		for i := range t.IDs {
			v, err := ast.InterfaceToValue(map[string]any{"self": t.Self(i), "facts": t.Facts(i), "today": now.Format(time.DateOnly)})
			if err != nil {
				return nil, err
			}
			byKind[t.Kind] = append(byKind[t.Kind], v)
		}
	}
	for _, std := range pack.Standards {
		src, err := rules.ReadFile("rules/" + std.Code() + ".rego")
		if err != nil {
			return nil, err
		}
		name := strings.ReplaceAll(std.Code(), "-", "_")
		q, err := rego.New(rego.Query("data.standards."+name+".result"), rego.Module(std.Code()+".rego", string(src))).PrepareForEval(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", std.Code(), err)
		}
		a.queries, a.inputs = append(a.queries, q), append(a.inputs, byKind[std.Spec.Applies.Kind])
	}
	return a, nil
}

func (a *agent) one(ctx context.Context, std int, input ast.Value) (string, error) {
	rs, err := a.queries[std].Eval(ctx, rego.EvalParsedInput(input))
	if err != nil {
		return "", err
	}
	if len(rs) == 0 {
		return "", fmt.Errorf("no result")
	}
	s, _ := rs[0].Expressions[0].Value.(string)
	return s, nil
}

// agree compares every result, and counts them.
func (a *agent) agree(ctx context.Context, o *standard.Outcome) (n int, err error) {
	words := map[standard.Result]string{"": "none", standard.Pass: "pass", standard.Fail: "fail", standard.Unknown: "unknown"}
	for k := range o.Standings {
		s := &o.Standings[k]
		for i, in := range a.inputs[k] {
			got, err := a.one(ctx, k, in)
			if err != nil {
				return n, fmt.Errorf("%s: %w", s.Code(), err)
			}
			if want := words[s.Result(i)]; got != want {
				return n, fmt.Errorf("%s of %s: Reeve says %s, OPA %s", s.Code(), in, want, got)
			}
			n++
		}
	}
	return n, nil
}

// judge works everything out on all processors.
func (a *agent) judge(ctx context.Context) error {
	const chunk = 512
	type job struct{ std, from, to int }
	var jobs []job
	for k, in := range a.inputs {
		for from := 0; from < len(in); from += chunk {
			jobs = append(jobs, job{k, from, min(from+chunk, len(in))})
		}
	}
	var next atomic.Int64
	var work sync.WaitGroup
	var failed atomic.Pointer[error]
	for range runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(jobs); i = int(next.Add(1)) - 1 {
				for _, in := range a.inputs[jobs[i].std][jobs[i].from:jobs[i].to] {
					if _, err := a.one(ctx, jobs[i].std, in); err != nil {
						failed.Store(&err)
						return
					}
				}
			}
		})
	}
	work.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

func median(runs int, f func() error) (time.Duration, error) {
	var took []time.Duration
	for range runs {
		start := time.Now()
		if err := f(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(start))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}
