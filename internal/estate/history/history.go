// Package history compares the estate of two days: what was declared, imported,
// met and spent then and later, and who changed what.
//
// A day is the estate as it was when the day ended. What is not known of a day
// (before the first definitions, before the first import) is said to be not
// known, and is never compared as if it were nothing.
package history

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// DefaultDays is how far back is compared when nobody says.
const DefaultDays = 30

// Edit is what somebody wrote about a change of the definitions.
type Edit struct {
	At          time.Time
	Who, Why    string
	Definitions []string // "System/sys-x", where it is known
}

// Taken is a set of definitions that was put in force.
type Taken struct {
	def.Activation
	Local  time.Time
	Day    def.Date
	Before string // hash of the set before it, "" for the first
}

// Period is what is compared.
type Period struct {
	From, To def.Date
	Now      bool     // To is today
	First    def.Date // the first day of which anything is known
	Taken    []Taken  // in the period, the newest first
}

// period finds what to compare. Days that are not given are [DefaultDays] before
// the other, and today; a first day of which nothing is known is the first that is.
func period(activations []def.Activation, from, to def.Date, now time.Time) (p Period, err error) {
	if len(activations) == 0 {
		return p, reeve.E(reeve.NotFound, "estate.changes", "no definitions were ever in force")
	}
	today := def.DateOf(now)
	p.First = def.DateOf(activations[len(activations)-1].At.In(now.Location()))
	if p.To = to; to.IsZero() || to.After(today) {
		p.To = today
	}
	if p.From = from; from.IsZero() {
		p.From = p.To.AddDays(-DefaultDays)
	}
	if p.From.Before(p.First) {
		p.From = p.First
	}
	if p.To.Before(p.From) {
		p.From, p.To = p.To, p.From
	}
	if p.From.Before(p.First) { // both were before anything
		p.From, p.To = p.First, p.First
	}
	p.Now = p.To == today
	for i, a := range activations {
		t := Taken{Activation: a, Local: a.At.In(now.Location())}
		t.Day = def.DateOf(t.Local)
		if i+1 < len(activations) {
			t.Before = activations[i+1].Hash
		}
		if (t.Day.After(p.From) || p.From == p.To && t.Day == p.From) && !t.Day.After(p.To) { // a day counts as it was when it ended
			p.Taken = append(p.Taken, t)
		}
	}
	return p, nil
}

// Tally is how many items of a type had been imported by then.
type Tally struct {
	Type                    string
	Before, After           int
	KnownBefore, KnownAfter bool
}

// tallies compares what was imported.
func tallies(before, after *inventory.Inventory) (out []Tally) {
	add := func(words string, t inventory.Type, n func(*inventory.Inventory) int) {
		x := Tally{Type: words, Before: n(before), After: n(after)}
		_, x.KnownBefore = before.Imports[string(t)]
		_, x.KnownAfter = after.Imports[string(t)]
		if x.KnownBefore || x.KnownAfter {
			out = append(out, x)
		}
	}
	add("Assets", inventory.TypeAsset, func(i *inventory.Inventory) int { return len(i.Assets) })
	add("People and posts in the directory", inventory.TypePerson, func(i *inventory.Inventory) int { return len(i.People) })
	add("Lines of the ledger", inventory.TypeLedger, func(i *inventory.Inventory) int { return len(i.Ledger) })
	add("Seats", inventory.TypeSeat, func(i *inventory.Inventory) int { return len(i.Seats) })
	add("Exploited vulnerabilities", inventory.TypeVulnerability, func(i *inventory.Inventory) int { return len(i.Vulnerabilities) })
	add("Release cycles", inventory.TypeCycle, func(i *inventory.Inventory) int { return len(i.Cycles) })
	add("Pieces of software", inventory.TypeSoftware, func(i *inventory.Inventory) int { return len(i.Software) })
	add("Attestations", inventory.TypeAttestation, func(i *inventory.Inventory) int { return len(i.Attestations) })
	add("Measured values", inventory.TypePoint, func(i *inventory.Inventory) int { return len(i.Points) })
	return out
}

// changedAssets counts the assets that came, went and differ. Both lists are in
// the order of their ids.
func changedAssets(before, after *register.Snapshot) (came, went, differ int) {
	a, b := before.Assets, after.Assets
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(a) == 0 || len(b) > 0 && a[0].ID > b[0].ID:
			came, b = came+1, b[1:]
		case len(b) == 0 || a[0].ID < b[0].ID:
			went, a = went+1, a[1:]
		default:
			x, y := a[0], b[0]
			if x.State != y.State || x.Holder != y.Holder || x.Site != y.Site || x.Name != y.Name || x.OSVersion != y.OSVersion || !slices.Equal(x.Systems, y.Systems) {
				differ++
			}
			a, b = a[1:], b[1:]
		}
	}
	return came, went, differ
}

// editors finds who edited a definition in the period, the last first.
func editors(edits []Edit, kind, id string) (who []string) {
	for _, e := range edits {
		if slices.Contains(e.Definitions, kind+"/"+id) && !slices.Contains(who, e.Who) {
			who = append(who, e.Who)
		}
	}
	return who
}

// newest puts edits in order.
func newest(edits []Edit) []Edit {
	slices.SortStableFunc(edits, func(a, b Edit) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Who, b.Who)) })
	return edits
}

// Asks are the questions that the page asks of others.
type Asks struct {
	// Activations are the sets put in force, the newest first.
	Activations func(ctx context.Context, max int) ([]def.Activation, error)
	// WithSet is the estate now, as it would be with a set that was once in force.
	WithSet func(ctx context.Context, hash string) (*register.Snapshot, error)
	// Edits tells who changed definitions in a time; nil where nobody writes it down.
	Edits func(ctx context.Context, from, to time.Time) ([]Edit, error)
}
