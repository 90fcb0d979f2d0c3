package spend_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/spend"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

var update = flag.Bool("update", false, "write the golden files anew")

const root = "../../../demo/"

var day = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// demo is the estate's part of the demo body.
func demo(t testing.TB) fstest.MapFS { return estatetest.Demo(t, root+"body") }

// ledger is the demo's ledger.
func ledger(t testing.TB) []inventory.Line {
	t.Helper()
	f, err := os.Open(root + "data/estate/ledger.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []inventory.Line
	for _, r := range rows[1:] {
		on, err := time.Parse("02/01/2006", r[1])
		if err != nil {
			t.Fatal(err)
		}
		text := strings.NewReplacer(",", "", ".", "", "(", "-", ")", "").Replace(r[7])
		amount, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		kind := map[string]string{"Revenue": "operating", "Capital": "capital"}[r[6]]
		out = append(out, inventory.Line{ID: r[0], On: def.DateOf(on), Supplier: r[2], Reference: r[3], Description: r[4], Code: r[5], Type: kind, Amount: amount})
	}
	return out
}

func snapshot(t testing.TB, files fstest.MapFS, inv *inventory.Inventory, fill ...func(*register.Snapshot)) *register.Snapshot {
	t.Helper()
	return estatetest.Small{FS: files, Inventory: inv, Fill: fill, At: day}.Snapshot(t)
}

// TestDemoLedger holds what is made of the demo's ledger to what is expected, all
// of it.
func TestDemoLedger(t *testing.T) {
	s := snapshot(t, demo(t), &inventory.Inventory{Ledger: ledger(t), Imports: map[string]time.Time{"ledger": day}}, spend.Fill)
	b := spend.Read(s)
	var out bytes.Buffer
	for _, name := range append([]string{""}, b.Years...) {
		p, _ := b.Year(name)
		if name == "" {
			p = b.LastYear()
		}
		r := b.Of(p)
		fmt.Fprintf(&out, "%s, %s to %s: %d lines, %s; operating %s, capital %s, neither %s; credits %s\n", p.Name, p.From, p.To, len(r.Lines), r.Total, r.Operating, r.Capital, r.NoType, r.Credits)
		fmt.Fprintf(&out, "  matched %d %s, unclear %d %s, none %d %s; %.1f%% of the money\n", r.MatchedLines, r.Matched, r.UnclearLines, r.Unclear, r.NotLines, r.Unmatched, 100*r.MatchedPart())
		fmt.Fprintf(&out, "  HHI %d, %s, as %.1f equal ones of %d; largest %s %.3f\n", r.HHI.HHI, r.HHI.Band, r.HHI.Equal, r.HHI.Suppliers, r.HHI.Largest.Name, r.HHI.Largest.Part)
		for _, list := range [][]spend.Share{r.Suppliers, r.Towers, r.Pools, r.Organisations} {
			var sum spend.Money
			for _, x := range list {
				sum += x.Amount
			}
			if sum != r.Total {
				t.Errorf("%s: parts add up to %s, not to %s", p.Name, sum, r.Total)
			}
		}
		if sum := r.Matched + r.Unclear + r.Unmatched; sum != r.Total || r.Operating+r.Capital+r.NoType != r.Total {
			t.Errorf("%s: %s + ... is not %s", p.Name, sum, r.Total)
		}
	}
	r := b.Of(b.LastYear())
	for _, x := range r.Suppliers {
		fmt.Fprintf(&out, "supplier %s %s: %s in %d lines\n", x.ID, x.Name, x.Amount, x.Lines)
	}
	for _, x := range append(r.Towers, r.Organisations...) {
		fmt.Fprintf(&out, "part %s: %s\n", x.Name, x.Amount)
	}
	for _, g := range r.Open() {
		fmt.Fprintf(&out, "open %s %s: %s in %d lines: %s %q\n", g.State, g.Name, g.Amount, len(g.Lines), g.Why, g.Spellings)
	}
	why := map[string]int{}
	for _, x := range b.Matches {
		why[x.Why]++
	}
	for _, k := range sorted(why) {
		fmt.Fprintf(&out, "why %4d %s\n", why[k], k)
	}
	for _, e := range spend.Events(s, s.Today) {
		if e.Days < 150 {
			fmt.Fprintf(&out, "on %s: %s, %s, %s, decided %t\n", e.On, e.Title(), e.Supplier, e.Cost, e.Decided)
		}
	}
	golden(t, "testdata/demo.golden", out.Bytes())
	if part := b.Of(b.LastYear()).MatchedPart(); part < 0.85 || part == 1 {
		t.Errorf("%.3f of the money is matched", part)
	}
	for fact, want := range map[string]any{"decisionRecorded": true, "daysToNotice": int64(-52)} {
		table := s.Tables.Of("SupplierContract")
		if got, _ := table.Fact(table.Find("con-revenues"), fact); got != want {
			t.Errorf("%s of con-revenues is %v, want %v", fact, got, want)
		}
	}
	table := s.Tables.Of("Organisation")
	if got, ok := table.Fact(table.Find("org-millbrook"), "spendShare"); !ok || got.(float64) <= 0 || got.(float64) >= 1 {
		t.Errorf("spendShare of org-millbrook is %v", got)
	}
	if got, ok := table.Fact(table.Find("org-thornford"), "spendShare"); ok {
		t.Errorf("spendShare of a partner that got nothing is %v", got)
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what came out; run with -update and look at the difference\n%s", name, got)
	}
}
