package estate_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/portfolio"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

var update = flag.Bool("update", false, "write the golden files anew")

// day is when the demo estate is looked at in these tests.
var day = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// demo reads the estate's part of the demo body. The rest of the folder needs
// the kinds of the other blocks.
func demo(t testing.TB) fstest.MapFS {
	t.Helper()
	const root = "../../demo/body"
	out := fstest.MapFS{}
	for _, pattern := range []string{"organisations.yaml", "capabilities.yaml", "contracts.yaml", "standards.yaml", "waivers.yaml", "systems/*.yaml"} {
		names, err := fs.Glob(os.DirFS(root), pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			data, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			out[name] = &fstest.MapFile{Data: data}
		}
	}
	return out
}

func load(t testing.TB, fsys fs.FS) *def.Set {
	t.Helper()
	set, problems := def.Load(fsys, def.NewRegistry(estate.Kinds()...))
	for _, p := range problems {
		t.Error(p)
	}
	if len(problems) > 0 {
		t.FailNow()
	}
	return set
}

// described stands in for the exchange: the interfaces that the demo describes.
type described struct {
	interfaces []register.Interface
	flows      []register.Flow
}

func (d described) Declared(*def.Set) register.Declared {
	return register.Declared{Interfaces: d.interfaces, Flows: slices.Clone(d.flows)}
}

func demoInterfaces() described {
	confidential, restricted := reeve.Confidential, reeve.Restricted
	api := func(system, id string, class *reeve.Class) register.Interface {
		return register.Interface{ID: id, Name: id, System: system, Style: "api", Documented: true, Class: class}
	}
	return described{
		interfaces: []register.Interface{
			api("sys-register-office", "if-register-office", &confidential),
			api("sys-hospital-pas", "if-hospital-pas", &restricted),
			api("sys-council-tax", "if-council-tax-reviews", &confidential),
			api("sys-benefits", "if-benefits", &restricted),
			api("sys-electoral-register", "if-electoral-register-information", &confidential),
			api("sys-planning-back-office", "if-planning-cases", &confidential),
			api("sys-planning-portal", "if-planning-portal", &confidential),
			{ID: "if-libraries-files", Name: "Libraries, nightly files", System: "sys-libraries", Style: "file", Class: &confidential},
			{ID: "if-life-events", Name: "Services, life events", System: "sys-reeve", Style: "internal"},
		},
		flows: []register.Flow{{
			ID: "flow-deaths-council-tax", Name: "Deaths to council tax", From: "sys-register-office", To: "sys-council-tax",
			Record: "rec-death.v1", Agreement: "agr-deaths-council-tax", Purpose: "council-tax-exemption-review", Seen: &register.FlowSeen{Delivered: 116},
		}},
	}
}

// snapshot is the estate of a set at a moment.
func snapshot(t testing.TB, set *def.Set, now time.Time, exchange register.Exchange) *register.Snapshot {
	t.Helper()
	m, problems := register.Compile(set)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	p := register.Parts{Model: m, At: now}
	if exchange != nil {
		p.Declared = exchange.Declared(set)
	}
	s := register.New(p)
	if err := s.Judge(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

func report(t testing.TB, set *def.Set, now time.Time, exchange register.Exchange) *portfolio.Report {
	t.Helper()
	return portfolio.New(snapshot(t, set, now, exchange))
}

// TestDemoEstate holds the demo estate to what is expected of it, all of it: a
// change of a rule or a definition shows here.
func TestDemoEstate(t *testing.T) {
	r := report(t, load(t, demo(t)), day, demoInterfaces())
	var b bytes.Buffer
	fmt.Fprintf(&b, "%d systems, yearly cost %s\n", len(r.Rows), r.Yearly)
	for _, k := range r.NoCost {
		fmt.Fprintf(&b, "no cost: %s\n", k.ID)
	}
	for _, x := range r.Ownerless {
		fmt.Fprintf(&b, "no owner: %s\n", x.ID)
	}
	for _, d := range r.Duplicates {
		fmt.Fprintf(&b, "%d systems (%d allowed) %s, %s:", len(d.Rows), d.Allowed, d.Capability.ID, d.Yearly)
		for _, x := range d.Rows {
			fmt.Fprintf(&b, " %s", x.ID)
		}
		b.WriteString("\n")
	}
	for _, n := range r.Notices {
		fmt.Fprintf(&b, "notice %s %s %d days, %s\n", n.Contract.ID, n.By, n.Days, n.Yearly)
	}
	for _, n := range r.Ended {
		fmt.Fprintf(&b, "ended %s %s %d days, %s\n", n.Contract.ID, n.By, n.Days, n.Yearly)
	}
	for _, s := range r.Outcome.Standings {
		fmt.Fprintf(&b, "\n%s: %d pass, %d fail, %d unknown, %d waived, %d ending\n", s.ID, s.Pass, s.Fail, s.Unknown, s.Waived, s.Ending)
		for _, f := range s.Findings(0) {
			if f.Result == standard.Pass {
				continue
			}
			fmt.Fprintf(&b, "  %s %s", f.Result, f.ID)
			for _, m := range f.Missing {
				fmt.Fprintf(&b, " [%s: %s]", m.Path, m.Ask)
			}
			if f.Waiver != nil {
				fmt.Fprintf(&b, " (%s until %s, ended %t, ending %t)", f.Waiver.ID, f.Waiver.Spec.Expires, f.Ended, f.Ending)
			}
			b.WriteString("\n")
		}
	}
	golden(t, "testdata/demo.golden", b.Bytes())
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs (run with -update if that is meant); got:\n%s", name, got)
	}
}

// TestMoneyAddsUp checks that each contract is counted once and that the even
// shares of the systems lose no penny.
func TestMoneyAddsUp(t *testing.T) {
	r := report(t, load(t, demo(t)), day, nil)
	var shares register.Money
	for _, x := range r.Rows {
		shares += x.Yearly.Known
	}
	if shares != r.Yearly.Known || !r.Yearly.Lacks {
		t.Errorf("the shares add up to %s, the contracts to %s", shares, r.Yearly)
	}
}

// TestUnknownNeverPasses takes every optional statement away from a system: no
// standard may pass then that passed on evidence.
func TestUnknownNeverPasses(t *testing.T) {
	files := demo(t)
	files["systems/zz.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-zz, name: Nobody knows}\nspec: {}\n")}
	r := report(t, load(t, files), day, nil)
	x, ok := r.Row("sys-zz")
	if !ok || len(x.Findings()) != len(r.Outcome.Standings) {
		t.Fatalf("%d findings of %d standards", len(x.Findings()), len(r.Outcome.Standings))
	}
	for _, f := range x.Findings() {
		if f.Result != standard.Unknown || len(f.Missing) == 0 || f.Missing[0].Ask == "" {
			t.Errorf("%s: %s, missing %v", f.Standard.ID, f.Result, f.Missing)
		}
	}
	if x.Yearly.Sure || x.Yearly.String() != "not known" {
		t.Errorf("it costs %s", x.Yearly)
	}
}

// TestWaiverEnds follows one waiver over time.
func TestWaiverEnds(t *testing.T) {
	set := load(t, demo(t))
	for _, c := range []struct {
		on            string
		result        standard.Result
		ending, ended bool
		waiver        bool
	}{
		{"2026-01-14", standard.Fail, false, false, false}, // the day before it was granted
		{"2026-01-15", standard.Waived, false, false, true},
		{"2026-10-31", standard.Waived, false, false, true},
		{"2026-11-01", standard.Waived, true, false, true},
		{"2026-12-31", standard.Waived, true, false, true},
		{"2027-01-01", standard.Fail, false, true, true},
	} {
		now, err := time.Parse(time.DateOnly, c.on)
		if err != nil {
			t.Fatal(err)
		}
		x, _ := report(t, set, now, nil).Row("sys-children")
		fs := x.Findings()
		i := slices.IndexFunc(fs, func(f standard.Finding) bool { return f.Standard.ID == "std-clients" })
		if i < 0 {
			t.Fatalf("on %s: nothing is said of std-clients", c.on)
		}
		if f := fs[i]; f.Result != c.result || f.Ending != c.ending || f.Ended != c.ended || (f.Waiver != nil) != c.waiver {
			t.Errorf("on %s: %s, ending %t, ended %t, waiver %t", c.on, f.Result, f.Ending, f.Ended, f.Waiver != nil)
		}
	}
}

// TestMistakes writes every mistake that the estate's kinds can find into one
// folder, and expects each to be told in its place.
func TestMistakes(t *testing.T) {
	data, err := os.ReadFile("testdata/mistakes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, problems := def.Load(fstest.MapFS{"mistakes.yaml": {Data: data}}, def.NewRegistry(estate.Kinds()...))
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&b, p)
	}
	golden(t, "testdata/mistakes.golden", []byte(b.String()))
	// Each line marked "# wrong" in the file is told.
	for i, line := range strings.Split(string(data), "\n") {
		if strings.Contains(line, "# wrong") && !strings.Contains(b.String(), fmt.Sprintf("mistakes.yaml:%d:", i+1)) {
			t.Errorf("line %d is wrong and was not told: %s", i+1, line)
		}
	}
}
