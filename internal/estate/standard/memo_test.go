package standard_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/standard/sample"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

type thing struct {
	Cost struct {
		Annual int64 `json:"annual"`
	} `json:"cost"`
	Clients   []string `json:"clients"`
	Lifecycle struct {
		End *def.Date `json:"end"`
	} `json:"lifecycle"`
	Uses []struct {
		System string `json:"system"`
	} `json:"uses"`
}

// TestMemoOfAnyRule holds the fast way to the plain one for rules and conditions
// that look at the same things in different ways.
func TestMemoOfAnyRule(t *testing.T) {
	parts := []string{`has(self.spec.cost)`, `has(self.spec.cost.annual)`, `self.spec.cost.annual > 5`, `self.spec.cost == {"annual": 9}`, `self.spec.clients.exists(c, c == "app")`, `"app" in self.spec.clients`,
		`has(self.metadata.labels)`, `has(self.metadata.labels.tier)`, `self.metadata.labels.tier == "1"`, `facts.flowsTotal > 3`, `has(facts.flowsTotal)`, `self.metadata.id != "a"`, `self.spec.lifecycle.end < today`, `self.spec.uses[0].system == "x"`, `has(self.spec.uses)`,
		`self.spec.uses.exists(u, u.system == "x")`, `size(self.spec.uses) > 1`}
	things := []map[string]any{
		{}, {"cost": map[string]any{}}, {"cost": sample.M("annual", int64(9))}, {"cost": sample.M("annual", int64(2), "fee", true)}, {"clients": sample.List()}, {"clients": sample.List("app", "web")}, {"clients": sample.List("web")},
		{"lifecycle": sample.M("end", "2026-01-01")}, {"lifecycle": sample.M("end", "2027-01-01")}, {"uses": []any{}}, {"uses": []any{sample.M("system", "x")}}, {"uses": []any{sample.M("system", "y"), sample.M("system", "x")}}, {"cost": int64(7)},
	}
	labels := []map[string]any{nil, {}, sample.M("tier", "1"), sample.M("tier", "2")}
	var ids []string
	var selves, facts []map[string]any
	for i, spec := range things {
		for k, l := range labels {
			id := fmt.Sprint("x", i, "-", k)
			meta := map[string]any{"id": id, "name": id}
			if l != nil {
				meta["labels"] = l
			}
			ids, selves = append(ids, id), append(selves, map[string]any{"metadata": meta, "spec": spec})
			facts = append(facts, map[string]any{})
			if k%2 == 1 {
				facts[len(facts)-1]["flowsTotal"] = int64(i)
			}
		}
	}
	registry := def.NewRegistry(append(standard.Kinds(), def.Kind{Name: "System", Spec: new(thing)})...)
	tried := 0
	for _, where := range append(parts, "") {
		for _, rule := range parts {
			condition := ""
			if where != "" {
				condition = "where: |-\n      " + where
			}
			text := fmt.Sprintf("apiVersion: reeve/v1\nkind: Standard\nmetadata: {id: std-a, name: A}\nspec:\n  principle: p\n  failing: f\n  fix: x\n  severity: must\n  applies:\n    kind: System\n    %s\n  rule: |-\n    %s\n", condition, rule)
			set, problems := def.Load(fsys(map[string]string{"a.yaml": text}), registry)
			if len(problems) > 0 {
				t.Log(problems[0])
				continue
			}
			pack, problems := standard.Compile(set)
			if len(problems) > 0 {
				continue
			}
			tried++
			table := standard.NewTable("System", ids, ids, func(i int) map[string]any { return selves[i] })
			for i := range facts {
				for k, v := range facts[i] {
					table.Set(i, k, v)
				}
			}
			table.Field = func(path string, given bool) func(int) (any, int) {
				return func(i int) (any, int) {
					v, depth := standard.Read(selves[i], strings.Split(path, "."))
					if given {
						return nil, depth
					}
					return v, depth
				}
			}
			fast, err := pack.Judge(context.Background(), standard.Tables{table}, now)
			if err != nil {
				t.Fatal(err)
			}
			for i := range ids {
				plain, err := pack.Evaluate(context.Background(), []standard.Subject{{Kind: "System", ID: ids[i], Name: ids[i], Self: selves[i], Facts: facts[i]}}, now)
				if err != nil {
					t.Fatal(err)
				}
				want := standard.Result("")
				if len(plain) == 1 {
					want = plain[0].Result
				}
				if got := fast.Standings[0].Result(i); got != want {
					t.Errorf("where %q, rule %q of %v %v: %q, and %q the plain way", where, rule, selves[i], facts[i], got, want)
					break
				}
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d pairs compiled", tried)
	}
}
