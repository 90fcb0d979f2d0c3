package portfolio

import (
	"cmp"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/standard"
)

// NoticeDays is how far ahead notice dates are shown.
const NoticeDays = 180

// Report is the estate on a day.
type Report struct {
	*register.Snapshot
	Rows       []*Row // every system, by name
	Ownerless  []*Row // ours, in use and without an owner
	Duplicates []Duplicate
	Notices    []Notice // undecided, and passed or within NoticeDays; the earliest first
	Ended      []Notice // contracts that ended although a system they pay for is in use
	row        map[string]*Row
}

// Row is a system in a report.
type Row struct {
	System
	Organisation string // name
	Ours, InUse  bool
	Yearly       Cost // its even share of each contract in force
	Contracts    []Contract
	in           *register.Snapshot
}

// Interfaces are those of the system.
func (r *Row) Interfaces() []register.Interface { return r.in.InterfacesOf(r.ID) }

// Findings is what the standards say of the system, with reasons. Making them
// costs far more than [Row.Counts].
func (r *Row) Findings() []standard.Finding { return r.in.Outcome.Of("System", r.ID) }

// Counts is how many standards gave each result.
func (r *Row) Counts() map[standard.Result]int { return r.in.Outcome.Count("System", r.ID) }

// Duplicate is a capability that more systems in use provide than it should have.
type Duplicate struct {
	Capability Capability
	Rows       []*Row
	Allowed    int
	Yearly     Cost // of all of them together
}

// Notice is the last day on which notice can be given under a contract.
type Notice struct {
	Contract Contract
	Supplier string // name, "" if not known
	By       def.Date
	Days     int // until By, negative when past
	Rows     []*Row
	Yearly   Cost
}

// Passed reports whether it is too late for this term.
func (n Notice) Passed() bool { return n.Days < 0 }

// New makes the report of a snapshot whose standards were judged.
func New(s *register.Snapshot) *Report {
	r := &Report{Snapshot: s, row: map[string]*Row{}}
	for _, x := range s.Systems {
		row := &Row{System: x, Ours: s.Ours(x.Spec.Organisation), InUse: x.Spec.InUse(), Contracts: s.ContractsOf[x.ID], Yearly: s.YearlyOf(x.ID), in: s}
		if x.Spec.Organisation != "" {
			row.Organisation = s.OrganisationName(x.Spec.Organisation)
		}
		r.Rows, r.row[x.ID] = append(r.Rows, row), row
		if row.Ours && row.InUse && x.Spec.Owner == "" {
			r.Ownerless = append(r.Ownerless, row)
		}
	}
	r.duplicates()
	r.notices()
	return r
}

// Row finds a system by id.
func (r *Report) Row(id string) (*Row, bool) { x, ok := r.row[id]; return x, ok }

func (r *Report) rowsOf(k Contract) []*Row {
	rows := make([]*Row, len(r.Pays[k.ID]))
	for i, id := range r.Pays[k.ID] {
		rows[i] = r.row[id]
	}
	return rows
}

func (r *Report) duplicates() {
	for _, c := range r.Capabilities {
		most, providers := c.Spec.Max(), r.Providers[c.ID]
		if most == 0 || len(providers) <= most {
			continue
		}
		d := Duplicate{Capability: c, Allowed: most}
		for _, x := range providers {
			row := r.row[x.ID]
			d.Rows = append(d.Rows, row)
			d.Yearly = d.Yearly.Plus(row.Yearly)
		}
		r.Duplicates = append(r.Duplicates, d)
	}
	slices.SortStableFunc(r.Duplicates, func(a, b Duplicate) int {
		return cmp.Or(cmp.Compare(b.Yearly.Known, a.Yearly.Known), strings.Compare(a.Capability.Name, b.Capability.Name))
	})
}

func (r *Report) notices() {
	for _, k := range r.Contracts {
		n := Notice{Contract: k, Rows: r.rowsOf(k), Yearly: register.CostOf(k)}
		if k.Spec.Supplier != "" {
			n.Supplier = r.OrganisationName(k.Spec.Supplier)
		}
		if t := k.Spec.Term; t != nil && t.Ends != nil && t.Ends.Before(r.Today) {
			if slices.ContainsFunc(n.Rows, func(x *Row) bool { return x.InUse }) {
				n.By, n.Days = *t.Ends, t.Ends.Sub(r.Today)
				r.Ended = append(r.Ended, n)
			}
			continue
		}
		by, ok := k.Spec.NoticeBy()
		if !ok || !r.InForce(k) || k.Spec.Decided(r.Today) {
			continue
		}
		if n.By, n.Days = by, by.Sub(r.Today); n.Days <= NoticeDays {
			r.Notices = append(r.Notices, n)
		}
	}
	earliest := func(a, b Notice) int {
		return cmp.Or(a.By.Compare(b.By), strings.Compare(a.Contract.ID, b.Contract.ID))
	}
	slices.SortFunc(r.Notices, earliest)
	slices.SortFunc(r.Ended, earliest)
}
