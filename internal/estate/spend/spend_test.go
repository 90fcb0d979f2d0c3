package spend_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/emersion/go-ical"

	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/spend"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

const small = `apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-acme, name: Acme Civic Software Ltd}
spec: {type: supplier, tradesAs: [Permit Pal]}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-zebra, name: Zebra}
spec: {type: supplier}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-zebro, name: Zebro}
spec: {type: supplier}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-permits, name: Parking permits}
spec: {product: PermitPal Enterprise}
---
apiVersion: reeve/v1
kind: SupplierContract
metadata: {id: con-permits, name: Permits, formerly: [con-old-permits]}
spec: {supplier: org-acme, reference: CT/2024/77, systems: [sys-permits], seats: 10, term: {starts: 2024-04-01, ends: 2027-03-31, noticeDays: 90}, cost: [{annual: 12000, pool: software, allocate: {}}]}
---
apiVersion: reeve/v1
kind: SupplierContract
metadata: {id: con-trees, name: Tree survey}
spec: {supplier: org-acme, term: {starts: 2024-04-01, ends: 2026-03-31}, cost: [{annual: 5000}]}
---
apiVersion: reeve/v1
kind: SupplierContract
metadata: {id: con-zebra, name: Crossings}
spec: {supplier: org-zebra, term: {starts: 2020-04-01, ends: 2022-03-31}}
---
apiVersion: reeve/v1
kind: SupplierContract
metadata: {id: con-nobody, name: Nobody knows whose}
spec: {}
`

func line(id, on, supplier, description string, amount int64) inventory.Line {
	d, _ := def.ParseDate(on)
	return inventory.Line{ID: id, On: d, Supplier: supplier, Description: description, Amount: amount}
}

// TestMatches says line by line what is matched, and why.
func TestMatches(t *testing.T) {
	by := func(l inventory.Line, contract string) inventory.Line { l.Contract = contract; return l }
	ref := func(l inventory.Line, r string) inventory.Line { l.Reference = r; return l }
	for name, c := range map[string]struct {
		line     inventory.Line
		more     []inventory.Line // besides
		contract string
		state    spend.State
		why      string
	}{
		"a person":                {line: by(line("1", "2025-05-01", "WHOEVER", "", 1), "con-trees"), contract: "con-trees", why: "a person matched it"},
		"a person, renamed since": {line: by(line("1", "2025-05-01", "WHOEVER", "", 1), "con-old-permits"), contract: "con-permits", why: "a person"},
		"a person: none":          {line: by(line("1", "2025-05-01", "Zebra Ltd", "", 1), spend.NoContract), state: spend.NoneDue, why: "a person said that it pays no contract"},
		"a person, gone since":    {line: by(line("1", "2025-05-01", "WHOEVER", "", 1), "con-gone"), state: spend.Unmatched, why: "no supplier of that name"},
		"reference":               {line: ref(line("1", "2025-05-01", "", "", 1), "ct-2024-77"), contract: "con-permits", why: "the number of the contract"},
		"reference in the text":   {line: line("1", "2025-05-01", "ACME", "Ref CT/2024/77 May", 1), contract: "con-permits", why: "the number of the contract"},
		"description":             {line: line("1", "2025-05-01", "ACME CIVIC SOFTWARE LIMITED", "Tree survey, year 2", 1), contract: "con-trees", why: "the description names it"},
		"product of the system":   {line: line("1", "2025-05-01", "Acme Civic Software", "permitpal upgrade", 1), contract: "con-permits", why: "the description names it"},
		"amount with VAT":         {line: line("1", "2025-05-01", "Acme Civic SW plc", "Invoice", 120000), contract: "con-permits", why: "the amount is what it costs"},
		"credit":                  {line: line("1", "2025-05-01", "Acme Civic SW plc", "Invoice", -100000), contract: "con-permits", why: "the amount is what it costs"},
		"two fit":                 {line: line("1", "2025-05-01", "ACME CIVIC SOFTWARE", "Invoice", 777), state: spend.Unclear, why: "2 of its contracts fit"},
		"one has ended":           {line: line("1", "2026-09-01", "ACME CIVIC SOFTWARE", "Invoice", 777), contract: "con-permits", why: "its only contract then"},
		"trading name":            {line: line("1", "2026-09-01", "Somebody Holdings t/a Permit Pal", "Invoice", 777), contract: "con-permits", why: "the name is the supplier's"},
		"a slip of the pen":       {line: line("1", "2026-09-01", "ACME CIVIL SOFTWARE LTD", "", 777), contract: "con-permits", why: "1 letter off"},
		"cut off":                 {line: line("1", "2026-09-01", "ACME CIVIC SOFTW", "", 777), contract: "con-permits", why: ""},
		"short names are exact":   {line: line("1", "2021-09-01", "ZEBRU", "", 777), state: spend.Unmatched, why: "no supplier of that name"},
		"term over":               {line: line("1", "2025-09-01", "Zebra Ltd", "", 777), state: spend.Unmatched, why: "none of its contracts runs on 2025-09-01"},
		"bill after the end":      {line: line("1", "2022-05-30", "Zebra Ltd", "", 777), contract: "con-zebra", why: "its only contract then"},
		"supplier, no contract":   {line: line("1", "2025-09-01", "zebro", "", 777), state: spend.Unmatched, why: "no contract with it is declared"},
		"nobody":                  {line: line("1", "2025-09-01", " ", "Journal", 777), state: spend.Unmatched, why: "names no supplier"},
		"learnt":                  {line: line("1", "2026-09-01", "Strange Name Ltd", "x", 777), more: []inventory.Line{by(line("2", "2026-08-01", "STRANGE NAME", "y", 9), "con-permits")}, contract: "con-permits", why: "a person matched another line of this supplier"},
		"learnt by description":   {line: line("1", "2025-09-01", "ACME CIVIC SOFTWARE", "Invoice 12 Sept", 777), more: []inventory.Line{by(line("2", "2025-08-01", "Acme Civic Software Ltd", "Invoice 11 Aug", 9), "con-trees")}, contract: "con-trees", why: "same description"},
		"learnt in two ways":      {line: line("1", "2025-09-01", "Strange", "z", 777), more: []inventory.Line{by(line("2", "2025-08-01", "Strange", "y", 9), "con-trees"), by(line("3", "2025-08-01", "Strange", "x", 9), "con-permits")}, state: spend.Unclear, why: "2 of its contracts fit"},
	} {
		t.Run(name, func(t *testing.T) {
			b := spend.Read(snapshot(t, fstest.MapFS{"a.yaml": {Data: []byte(small)}}, &inventory.Inventory{Ledger: append([]inventory.Line{c.line}, c.more...)}))
			got, want := b.Matches[0], c.state
			if want == "" {
				want = spend.Matched
			}
			if got.Contract != c.contract || got.State != want || !strings.Contains(got.Why, c.why) || got.Why == "" {
				t.Errorf("%s %q: %s; want %s %q: …%s…", got.State, got.Contract, got.Why, want, c.contract, c.why)
			}
		})
	}
}

// TestNothingIsKnownWithoutLists checks that no list gives no fact.
func TestNothingIsKnownWithoutLists(t *testing.T) {
	files := fstest.MapFS{"a.yaml": {Data: []byte(small)}}
	s := snapshot(t, files, nil, spend.Fill)
	for kind, facts := range map[string][]string{"SupplierContract": {"seatsAssigned", "seatsActive90d"}, "Organisation": {"spendShare"}} {
		table := s.Tables.Of(kind)
		for i := range table.IDs {
			for _, f := range facts {
				if v, ok := table.Fact(i, f); ok {
					t.Errorf("%s %s: %s is %v", kind, table.IDs[i], f, v)
				}
			}
		}
	}
	d := func(s string) def.Date { x, _ := def.ParseDate(s); return x }
	s = snapshot(t, files, &inventory.Inventory{Ledger: []inventory.Line{line("1", "2026-09-01", "ACME CIVIC SOFTWARE", "", 5), line("2", "2026-09-01", "Other", "", 15)},
		Seats: []inventory.Seat{{Person: "a", System: "sys-permits", LastUsed: d("2026-11-01")}, {Person: "b", System: "sys-permits", LastUsed: d("2026-01-01")}, {Person: "c", System: "sys-permits"}, {Person: "d", System: "sys-elsewhere"}}}, spend.Fill)
	for _, c := range []struct {
		kind, id, fact string
		want           any
	}{{"SupplierContract", "con-permits", "seatsAssigned", int64(3)}, {"SupplierContract", "con-permits", "seatsActive90d", int64(1)}, {"SupplierContract", "con-trees", "seatsAssigned", nil},
		{"SupplierContract", "con-permits", "decisionRecorded", false}, {"Organisation", "org-acme", "spendShare", 0.25}, {"Organisation", "org-zebra", "spendShare", nil},
		{"LedgerLine", "1", "matchedContract", true}, {"LedgerLine", "2", "matchedContract", false}} {
		table := s.Tables.Of(c.kind)
		if got, _ := table.Fact(table.Find(c.id), c.fact); got != c.want {
			t.Errorf("%s of %s is %v, want %v", c.fact, c.id, got, c.want)
		}
	}
}

func TestSplitAddsUp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		m, weights := spend.Money(r.Int64N(2_000_000)-1_000_000), make([]float64, 1+r.IntN(7))
		for i := range weights {
			weights[i] = float64(r.IntN(4)) * r.Float64()
		}
		var sum spend.Money
		for _, part := range spend.Split(m, weights) {
			sum += part
		}
		if sum != m {
			t.Fatalf("%s by %v gives %s", m, weights, sum)
		}
	}
}

func TestConcentration(t *testing.T) {
	parts := func(ps ...float64) (out []spend.Share) {
		for _, p := range ps {
			out = append(out, spend.Share{Part: p})
		}
		return out
	}
	for want, c := range map[int]spend.Concentration{
		10_000: spend.Concentrate(parts(1)), 5_000: spend.Concentrate(parts(0.5, 0.5)), 2_500: spend.Concentrate(parts(0.25, 0.25, 0.25, 0.25, 0)),
	} {
		if c.HHI != want || c.Band != "Highly concentrated" {
			t.Errorf("%+v, want %d", c, want)
		}
	}
	if c := spend.Concentrate(parts(slices.Repeat([]float64{0.1}, 10)...)); c.HHI != 1000 || c.Band != "Moderately concentrated" {
		t.Errorf("%+v", c)
	}
	if c := spend.Concentrate(nil); c.Known {
		t.Errorf("of nothing: %+v", c)
	}
}

// TestCalendarIsRead writes the calendar and reads it back: what RFC 5545 asks of
// an event is there, and it stays the same event when its day moves.
func TestCalendarIsRead(t *testing.T) {
	read := func(files fstest.MapFS) (*ical.Calendar, map[string]ical.Event) {
		s := snapshot(t, files, nil)
		raw, err := spend.Calendar("Ashcombe", "reeve.example", spend.Events(s, s.Today.AddDays(-spend.Grace)), s.At)
		if err != nil {
			t.Fatal(err)
		}
		for l := range bytes.SplitSeq(bytes.TrimSuffix(raw, []byte("\r\n")), []byte("\r\n")) {
			if len(l) > 75 || len(l) == 0 || bytes.ContainsAny(l, "\r\n") {
				t.Errorf("a line that is too long or not ended by CRLF: %q", l)
			}
		}
		cal, err := ical.NewDecoder(bytes.NewReader(raw)).Decode()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]ical.Event{}
		for _, e := range cal.Events() {
			uid, _ := e.Props.Text(ical.PropUID)
			if _, twice := out[uid]; twice || uid == "" {
				t.Errorf("uid %q is there twice", uid)
			}
			if e.Props.Get(ical.PropDateTimeStamp) == nil {
				t.Errorf("%s has no DTSTAMP", uid)
			}
			out[uid] = e
		}
		return cal, out
	}
	files := demo(t)
	_, before := read(files)
	if len(before) < 50 {
		t.Errorf("only %d events", len(before))
	}
	notice := before["con-maps-notice@reeve.example"]
	start, err := notice.DateTimeStart(time.UTC)
	if err != nil || start.Format(time.DateOnly) != "2028-01-31" {
		t.Errorf("notice of con-maps on %s, %v", start, err)
	}
	if len(notice.Children) != 2 {
		t.Fatalf("%d alarms", len(notice.Children))
	}
	if d, err := notice.Children[0].Props.Get(ical.PropTrigger).Duration(); err != nil || d != -60*24*time.Hour {
		t.Errorf("first alarm at %s, %v", d, err)
	}
	if gis := before["con-procurement-notice@reeve.example"]; len(gis.Children) != 0 {
		t.Error("a contract that was decided about still reminds")
	}
	moved := bytes.Replace(files["contracts.yaml"].Data, []byte("ends: 2028-04-30, noticeDays: 90"), []byte("ends: 2029-04-30, noticeDays: 30"), 1)
	files["contracts.yaml"] = &fstest.MapFile{Data: moved}
	_, after := read(files)
	if !slices.Equal(sorted(before), sorted(after)) {
		t.Error("the uids changed with a day")
	}
	e := after["con-maps-notice@reeve.example"]
	if start, _ := e.DateTimeStart(time.UTC); start.Format(time.DateOnly) != "2029-03-31" {
		t.Errorf("moved to %s", start)
	}
	raw, err := spend.Calendar("Nobody", "x.example", nil, day)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ical.NewDecoder(bytes.NewReader(raw)).Decode(); err != nil {
		t.Errorf("empty: %v", err)
	}
}
