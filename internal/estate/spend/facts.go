package spend

import (
	"math"

	"github.com/reeve-civic/reeve/internal/estate/register"
)

// Active is how many days ago a seat may have been used last to count as used.
const Active = 90

// Seats are the seats of a contract: bought, given to people, and used.
type Seats struct {
	Bought        int
	BoughtKnown   bool
	Assigned      int
	Known         bool // a list of seats covers the contract
	Active        int
	ActiveKnown   bool // the list says when seats were used; one that has no day never was
	Idle          int  // bought and not used
	IdleMoney     Money
	IdleMoneySure bool // what the contract costs is known
}

// seats counts the seats of every contract. A seat belongs to the contract that
// its list names, else to the only contract in force that pays for its system.
func seats(s *register.Snapshot) map[string]Seats {
	out := map[string]Seats{}
	people := map[string]map[string]bool{} // by contract: whether somebody used it
	dated := map[string]bool{}
	for _, x := range s.Inventory.Seats {
		id := ""
		if x.Contract != "" {
			id = s.Set.Present("SupplierContract", x.Contract)
		} else {
			n := 0
			for _, k := range s.ContractsOf[s.Set.Present("System", x.System)] {
				if s.InForce(k) && k.Spec.Seats != nil {
					id, n = k.ID, n+1
				}
			}
			if n != 1 {
				continue
			}
		}
		if people[id] == nil {
			people[id] = map[string]bool{}
		}
		used := !x.LastUsed.IsZero() && s.Today.Sub(x.LastUsed) <= Active
		people[id][x.Person] = people[id][x.Person] || used
		dated[id] = dated[id] || !x.LastUsed.IsZero()
	}
	for _, k := range s.Contracts {
		var n Seats
		if k.Spec.Seats != nil {
			n.Bought, n.BoughtKnown = *k.Spec.Seats, true
		}
		if p, ok := people[k.ID]; ok {
			n.Known, n.Assigned, n.ActiveKnown = true, len(p), dated[k.ID]
			for _, used := range p {
				if used {
					n.Active++
				}
			}
		}
		if n.BoughtKnown && n.ActiveKnown && n.Bought > 0 {
			n.Idle = max(0, n.Bought-n.Active)
			if minor, ok := k.Spec.Minor(); ok {
				n.IdleMoneySure = true
				n.IdleMoney = Money(math.Round(float64(minor) * float64(n.Idle) / float64(n.Bought)))
			}
		}
		out[k.ID] = n
	}
	return out
}

// Fill writes the facts about spend: of supplier contracts, of lines of the
// ledger, and the share of the last twelve months that went to each supplier.
func Fill(s *register.Snapshot) {
	t, all := s.Tables.Of("SupplierContract"), seats(s)
	for _, k := range s.Contracts {
		i, n := t.Find(k.ID), all[k.ID]
		if n.Known {
			t.Set(i, "seatsAssigned", int64(n.Assigned))
		}
		if n.ActiveKnown {
			t.Set(i, "seatsActive90d", int64(n.Active))
		}
		t.Set(i, "decisionRecorded", k.Spec.Decided(s.Today))
	}
	b := Read(s)
	if !b.Imported || len(b.Matches) == 0 {
		return
	}
	lines := s.Tables.Of("LedgerLine")
	column := lines.Column("matchedContract")
	for i, x := range b.Matches {
		column[i] = x.State == Matched
	}
	organisations := s.Tables.Of("Organisation")
	for _, x := range b.Of(b.LastYear()).Suppliers {
		if i := organisations.Find(x.ID); i >= 0 {
			organisations.Set(i, "spendShare", x.Part)
		}
	}
}
