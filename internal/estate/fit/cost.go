package fit

import (
	"fmt"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
)

// TransactionSeries begins the name of an imported series that counts what a
// system did: transactions/sys-council-tax.
const TransactionSeries = "transactions/"

// users is how many people use a system: by when they last did, where that was
// imported; by what is declared, where not.
func (r *Report) users(x register.System) Users {
	if n := r.seats[x.ID]; n.given > 0 {
		return Users{N: n.active, Known: true, Seats: n.given, Source: fmt.Sprintf("%d of %d who have it used it in the last 90 days, as imported", n.active, n.given)}
	}
	if x.Spec.Users != nil {
		return Users{N: *x.Spec.Users, Known: true, Source: "as declared; nobody imported who uses it"}
	}
	return Users{Source: "nobody declared or imported how many use it"}
}

func perUser(yearly register.Cost, u Users) register.Cost {
	if !u.Known || u.N == 0 || !yearly.Sure {
		return register.Cost{}
	}
	return register.Cost{Known: yearly.Known / register.Money(u.N), Sure: true, Lacks: yearly.Lacks}
}

// transactions is what a system did in a year: as measured where a series of it
// was imported, else what its flows delivered.
func (r *Report) transactions(row *Row) (t Transactions) {
	defer func() {
		if t.Known && t.PerYear >= 1 && row.Yearly.Sure && !row.Yearly.Lacks {
			t.Each, t.Priced = register.Money(float64(row.Yearly.Known)/t.PerYear+0.5), true
		}
	}()
	if y, ok := r.counted[row.ID]; ok {
		return Transactions{PerYear: y.sum, Known: true, Source: fmt.Sprintf("measured: the sum of %s of the last year, as imported", words.Count(y.points, "period", "periods"))}
	}
	var delivered float64
	seen, short := 0, false
	for _, f := range r.FlowsOf(row.ID) {
		if f.Seen == nil {
			continue
		}
		seen++
		days := r.At.Sub(f.Seen.Since).Hours() / 24
		if f.Seen.Since.IsZero() || days < 28 {
			short = true
			continue
		}
		delivered += float64(f.Seen.Delivered) * 365 / days
	}
	switch {
	case seen == 0:
		t.Source = "nothing of it was measured or observed"
	case short:
		t.Source = fmt.Sprintf("observed in %s, for too short a time to say what a year is", words.Count(seen, "flow", "flows"))
	default:
		t = Transactions{PerYear: delivered, Known: true, Source: fmt.Sprintf("records delivered by %s, as observed, to the year", words.Count(seen, "flow", "flows"))}
	}
	return t
}
