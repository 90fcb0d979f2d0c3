package standard_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/standard/sample"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

var now = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// empty is a set of definitions without anything in it.
func empty(t testing.TB) *def.Set {
	t.Helper()
	set, problems := def.Load(fsys(nil), def.NewRegistry(standard.Kinds()...))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set
}

func library(t testing.TB) *standard.Pack {
	t.Helper()
	p, err := standard.Library(empty(t))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLibrary holds each standard of the library to its three sample.Cases.
func TestLibrary(t *testing.T) {
	p := library(t)
	if len(p.Standards) != 52 || len(sample.Cases) != 52 {
		t.Fatalf("%d standards, %d sample.Cases", len(p.Standards), len(sample.Cases))
	}
	for _, std := range p.Standards {
		x, ok := sample.Cases[std.Code()]
		if !ok {
			t.Errorf("%s has no example", std.Code())
		}
		if std.Spec.Principle == "" || !strings.HasSuffix(std.Spec.Failing, ".") || !strings.HasSuffix(std.Spec.Fix, ".") || len(std.Spec.Source) == 0 {
			t.Errorf("%s is not explained", std.Code())
		}
		if !strings.HasPrefix(std.ID, "std-"+strings.ToLower(std.Code())+"-") {
			t.Errorf("%s has the id %s", std.Code(), std.ID)
		}
		for want, example := range map[standard.Result][2]map[string]any{standard.Pass: x.Pass, standard.Fail: x.Fail, standard.Unknown: x.Unknown} {
			if want == standard.Unknown && std.Code() == "INT-04" {
				continue // a flow that says nothing of how it is carried is carried by the exchange
			}
			sub := sample.Subject(std.Spec.Applies.Kind, example)
			one := &standard.Pack{Standards: []*standard.Standard{std}}
			fs, err := one.Evaluate(context.Background(), []standard.Subject{sub}, now)
			if err != nil || len(fs) != 1 {
				t.Fatalf("%s: %d findings, %v", std.Code(), len(fs), err)
			}
			f := fs[0]
			if f.Result != want {
				t.Errorf("%s of %v: %s, want %s (%s)", std.Code(), example, f.Result, want, f.Reason)
			}
			switch {
			case want == standard.Unknown && (len(f.Missing) == 0 || strings.HasPrefix(f.Missing[0].Doc, "facts.") || f.Missing[0].Ask == ""):
				t.Errorf("%s does not say what is missing: %+v", std.Code(), f.Missing)
			case want == standard.Fail && (f.Reason != std.Spec.Failing || len(f.Evidence) == 0):
				t.Errorf("%s does not say why: %s %v", std.Code(), f.Reason, f.Evidence)
			}
		}
	}
}

// TestUnknownNeverPasses takes something away from what passes, many times over:
// whatever is missing, what was not a pass does not become one by not knowing,
// and a pass that needs it becomes unknown.
func TestUnknownNeverPasses(t *testing.T) {
	p := library(t)
	rapid.Check(t, func(t *rapid.T) {
		std := rapid.SampledFrom(p.Standards).Draw(t, "standard")
		full := sample.Subject(std.Spec.Applies.Kind, rapid.SampledFrom([][2]map[string]any{sample.Cases[std.Code()].Pass, sample.Cases[std.Code()].Fail}).Draw(t, "example"))
		one := &standard.Pack{Standards: []*standard.Standard{std}}
		judge := func(s standard.Subject) standard.Result {
			fs, err := one.Evaluate(context.Background(), []standard.Subject{s}, now)
			if err != nil {
				t.Fatal(err)
			}
			if len(fs) == 0 {
				return ""
			}
			return fs[0].Result
		}
		less := full
		less.Facts = maps.Clone(full.Facts)
		for _, name := range slices.Sorted(maps.Keys(full.Facts)) {
			if rapid.Bool().Draw(t, "drop "+name) {
				delete(less.Facts, name)
			}
		}
		before, after := judge(full), judge(less)
		if before == standard.Fail && after == standard.Pass {
			t.Fatalf("%s fails of %v and passes of less: %v", std.Code(), full.Facts, less.Facts)
		}
		if len(less.Facts) == 0 && after == standard.Pass && len(full.Facts) > 0 && !slices.Contains([]string{"INT-02", "INT-04", "AST-01", "CUS-04"}, std.Code()) {
			t.Fatalf("%s passes although no fact is known", std.Code())
		}
	})
}

// TestMemoIsPlain judges a table of random things the fast way and one by one.
func TestMemoIsPlain(t *testing.T) {
	p := library(t)
	values := []any{nil, nil, int64(0), int64(1), int64(400), 0.5, true, false, sample.List("x"), "2026-01-01"}
	specs := map[string][]any{
		"lifecycle": {nil, sample.M("phase", "live"), sample.M("phase", "retiring"), sample.M("phase", "retiring", "end", "2027-01-01"), map[string]any{}},
		"hosting":   {nil, "saas", "on-premise"}, "clients": {nil, sample.List("browser"), sample.List("desktop")}, "auth": {nil, map[string]any{}, sample.M("methods", sample.List("oidc"), "authn", int64(2)), sample.M("identity", int64(1), "authn", int64(3))},
		"cost": {nil, map[string]any{}, sample.M("supplierFee", true), sample.M("supplierFee", false)}, "via": {nil, "manual", "direct"}, "state": {nil, "in-use", "stock"}, "audience": {nil, "public", "staff"},
		"channels": {nil, sample.M("online", "https://a.example"), sample.M("paper", true), map[string]any{}}, "exit": {nil, map[string]any{}, sample.M("dataExport", "csv")}, "seats": {nil, int64(0), int64(100)}, "kind": {nil, "pilot", "buy"},
		"gate": {nil, sample.M("at", "design")}, "retention": {nil, sample.M("rule", "8y")}, "classification": {nil, sample.M("personal", true), sample.M("personal", false)}, "targetDays": {nil, int64(10)}, "type": {nil, "supplier", "team"},
		"withdrawn": {nil, "2026-01-01"}, "decided": {nil, sample.M("outcome", "approved")}, "expires": {nil, "2026-11-20", "2026-12-01"}, "applies": {nil, sample.M("kind", "System"), sample.M("kind", "Standard")},
	}
	rapid.Check(t, func(t *rapid.T) {
		std := rapid.SampledFrom(p.Standards).Draw(t, "standard")
		kind := std.Spec.Applies.Kind
		if kind == "Standard" {
			return // its fact is worked out while judging
		}
		n := rapid.IntRange(1, 30).Draw(t, "n")
		subs := make([]standard.Subject, n)
		ids, names := make([]string, n), make([]string, n)
		for i := range subs {
			spec, facts := map[string]any{}, map[string]any{}
			for _, path := range std.Inputs() {
				parts := strings.Split(path, ".")
				if parts[0] == "facts" {
					if v := rapid.SampledFrom(values).Draw(t, path); v != nil {
						facts[parts[1]] = v
					}
				} else if len(parts) > 2 && parts[1] == "spec" {
					if v := rapid.SampledFrom(specs[parts[2]]).Draw(t, path); v != nil {
						spec[parts[2]] = v
					}
				}
			}
			ids[i], names[i] = fmt.Sprint("x", i), fmt.Sprint("X", i)
			subs[i] = standard.Subject{Kind: kind, ID: ids[i], Name: names[i], Self: map[string]any{"metadata": sample.M("id", ids[i]), "spec": spec}, Facts: facts}
		}
		table := standard.NewTable(kind, ids, names, func(i int) map[string]any { return subs[i].Self })
		for i, s := range subs {
			for name, v := range s.Facts {
				table.Set(i, name, v)
			}
		}
		one := &standard.Pack{Standards: []*standard.Standard{std}}
		fast, err := one.Judge(context.Background(), standard.Tables{table}, now)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range subs {
			fs, err := one.Evaluate(context.Background(), []standard.Subject{s}, now)
			if err != nil {
				t.Fatal(err)
			}
			f, ok := fast.Standings[0].Finding(i)
			if ok != (len(fs) == 1) || ok && fmt.Sprintf("%+v", f) != fmt.Sprintf("%+v", fs[0]) {
				t.Fatalf("%s of %v %v:\n%+v\n%+v", std.Code(), s.Self, s.Facts, f, fs)
			}
		}
	})
}
