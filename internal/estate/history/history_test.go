package history

import (
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

func date(s string) def.Date {
	d, err := def.ParseDate(s)
	if err != nil {
		panic(err)
	}
	return d
}

// TestPeriod puts sets in force at times on both sides of midnight and of the end
// of summer time, as clocks in London show them.
func TestPeriod(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Skip(err)
	}
	at := func(s string) time.Time {
		x, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	newestFirst := []def.Activation{
		{N: 5, Hash: "e", At: at("2026-10-25T00:30:00Z")}, // 00:30 on the 25th, the clocks not back yet: 01:30
		{N: 4, Hash: "d", At: at("2026-10-24T23:30:00Z")}, // half past midnight on the 25th in London
		{N: 3, Hash: "c", At: at("2026-10-24T22:59:59Z")}, // a second before the 24th ends
		{N: 2, Hash: "b", At: at("2026-10-01T12:00:00Z")},
		{N: 1, Hash: "a", At: at("2026-09-01T23:30:00Z")}, // the 2nd in London
	}
	now := at("2026-11-01T09:00:00Z").In(london)
	for _, c := range []struct {
		from, to         string
		wantFrom, wantTo string
		taken            string
	}{
		{"", "", "2026-10-02", "2026-11-01", "edc"},
		{"2026-10-24", "", "2026-10-24", "2026-11-01", "ed"},
		{"2026-10-23", "2026-10-24", "2026-10-23", "2026-10-24", "c"},
		{"2026-10-25", "2026-10-25", "2026-10-25", "2026-10-25", "ed"},
		{"2026-10-26", "2026-10-01", "2026-10-01", "2026-10-26", "edc"}, // the wrong way round
		{"2020-01-01", "2026-10-01", "2026-09-02", "2026-10-01", "b"},
		{"2020-01-01", "2021-01-01", "2026-09-02", "2026-09-02", "a"},
		{"2026-10-01", "2099-01-01", "2026-10-01", "2026-11-01", "edc"},
	} {
		var from, to def.Date
		if c.from != "" {
			from = date(c.from)
		}
		if c.to != "" {
			to = date(c.to)
		}
		p, err := period(newestFirst, from, to, now)
		if err != nil {
			t.Fatal(err)
		}
		taken := ""
		for _, x := range p.Taken {
			taken += x.Hash
		}
		if p.From != date(c.wantFrom) || p.To != date(c.wantTo) || taken != c.taken {
			t.Errorf("%s to %s: %s to %s, %q; want %s to %s, %q", c.from, c.to, p.From, p.To, taken, c.wantFrom, c.wantTo, c.taken)
		}
		for _, x := range p.Taken {
			if x.Hash == "d" && x.Before != "c" || x.Hash == "a" && x.Before != "" {
				t.Errorf("before %s was %q", x.Hash, x.Before)
			}
		}
	}
	if _, err := period(nil, def.Date{}, def.Date{}, now); err == nil {
		t.Error("a body without definitions has a past")
	}
}

func TestImports(t *testing.T) {
	before := &inventory.Inventory{Assets: []inventory.Asset{{ID: "a"}, {ID: "b", State: "stock"}}, Imports: map[string]time.Time{"asset": {}}}
	after := &inventory.Inventory{Assets: []inventory.Asset{{ID: "b", State: "in-use"}, {ID: "c"}, {ID: "d"}}, People: []inventory.Person{{ID: "p"}}, Imports: map[string]time.Time{"asset": {}, "person": {}}}
	got := tallies(before, after)
	if len(got) != 2 || got[0].Before != 2 || got[0].After != 3 || !got[0].KnownBefore || got[1].KnownBefore || got[1].After != 1 {
		t.Errorf("%+v", got)
	}
	came, went, differ := changedAssets(&register.Snapshot{Assets: before.Assets}, &register.Snapshot{Assets: after.Assets})
	if came != 2 || went != 1 || differ != 1 {
		t.Errorf("%d came, %d went, %d differ", came, went, differ)
	}
}

func TestFieldWords(t *testing.T) {
	for path, want := range map[string]string{"spec.lifecycle.phase": "lifecycle, phase", "metadata.name": "name", "spec.cost[0].annual": "cost, 0, annual", "spec.maxWaiver": "max waiver"} {
		if got := fieldWords(path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
