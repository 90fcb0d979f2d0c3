package portfolio

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
)

// NoticeDays is how far ahead notice dates are shown.
const NoticeDays = 180

// Report is the estate on a day.
type Report struct {
	*Model
	Today      def.Date
	Rows       []*Row // every system, by name
	Yearly     Cost   // of the contracts in force, each once
	NoCost     []Contract
	Ownerless  []*Row // ours, in use and without an owner
	Duplicates []Duplicate
	Notices    []Notice // passed, or within NoticeDays; the earliest first
	Ended      []Notice // contracts that ended although a system they pay for is in use
	Standards  []Tally
	row        map[string]*Row
}

// Row is a system in a report.
type Row struct {
	System
	Organisation string // name
	Ours, InUse  bool
	Yearly       Cost // its even share of each contract in force
	Contracts    []Contract
	Interfaces   []InterfaceFact
	Facts        map[string]any
	Findings     []standard.Finding
}

// Count is how many standards gave the result.
func (r *Row) Count(result standard.Result) int {
	n := 0
	for _, f := range r.Findings {
		if f.Result == result {
			n++
		}
	}
	return n
}

// Finding is what one standard says of the system, if it is about it.
func (r *Row) Finding(std string) (standard.Finding, bool) {
	for _, f := range r.Findings {
		if f.Standard.ID == std {
			return f, true
		}
	}
	return standard.Finding{}, false
}

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

// Tally is how the estate stands against one standard.
type Tally struct {
	*standard.Standard
	Pass, Fail, Unknown, Waived int
	Ending                      int // of the waived, those whose waiver is about to end
	Findings                    []standard.Finding
}

// Report makes the report of the day of now, in now's time zone.
func (m *Model) Report(ctx context.Context, now time.Time, known Interfaces) (*Report, error) {
	r := &Report{Model: m, Today: def.DateOf(now), row: map[string]*Row{}}
	for _, x := range m.Systems {
		row := &Row{System: x, Ours: m.ours(x.Spec.Organisation), InUse: x.Spec.InUse(), Contracts: m.contracts[x.ID]}
		if x.Spec.Organisation != "" {
			row.Organisation = m.OrganisationName(x.Spec.Organisation)
		}
		if known != nil {
			row.Interfaces = known.Of(x.ID)
		}
		r.Rows, r.row[x.ID] = append(r.Rows, row), row
		if row.Ours && row.InUse && x.Spec.Owner == "" {
			r.Ownerless = append(r.Ownerless, row)
		}
	}
	r.money()
	r.duplicates()
	r.notices()
	if err := r.judge(ctx, now); err != nil {
		return nil, err
	}
	return r, nil
}

// Row finds a system by id.
func (r *Report) Row(id string) (*Row, bool) { x, ok := r.row[id]; return x, ok }

// inForce reports whether the contract binds today. One whose term is not known
// counts as in force.
func (r *Report) inForce(k Contract) bool {
	t := k.Spec.Term
	return t == nil || (t.Ends == nil || !t.Ends.Before(r.Today)) && (t.Starts == nil || !t.Starts.After(r.Today))
}

// money adds up the contracts in force, and gives each system its even share.
func (r *Report) money() {
	for _, k := range r.Model.Contracts {
		if !r.inForce(k) {
			continue
		}
		c := costOf(k)
		r.Yearly = r.Yearly.plus(c)
		if !c.Sure {
			r.NoCost = append(r.NoCost, k)
		}
		rows := r.rowsOf(k)
		for i, part := range c.Known.split(len(rows)) {
			rows[i].Yearly = rows[i].Yearly.plus(Cost{part, c.Sure, c.Lacks})
		}
	}
	for _, row := range r.Rows {
		if len(row.Contracts) == 0 {
			row.Yearly.Lacks = true
		}
	}
}

func costOf(k Contract) Cost {
	minor, known := k.Spec.Minor()
	return Cost{Known: Money(minor), Sure: known, Lacks: !known}
}

func (r *Report) rowsOf(k Contract) []*Row {
	rows := make([]*Row, len(r.pays[k.ID]))
	for i, id := range r.pays[k.ID] {
		rows[i] = r.row[id]
	}
	return rows
}

func (r *Report) duplicates() {
	for _, c := range r.Model.Capabilities {
		most, providers := c.Spec.Max(), r.providers[c.ID]
		if most == 0 || len(providers) <= most {
			continue
		}
		d := Duplicate{Capability: c, Allowed: most}
		for _, x := range providers {
			row := r.row[x.ID]
			d.Rows = append(d.Rows, row)
			d.Yearly = d.Yearly.plus(row.Yearly)
		}
		r.Duplicates = append(r.Duplicates, d)
	}
	slices.SortStableFunc(r.Duplicates, func(a, b Duplicate) int {
		return cmp.Or(cmp.Compare(b.Yearly.Known, a.Yearly.Known), strings.Compare(a.Capability.Name, b.Capability.Name))
	})
}

func (r *Report) notices() {
	for _, k := range r.Model.Contracts {
		n := Notice{Contract: k, Rows: r.rowsOf(k), Yearly: costOf(k)}
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
		if !ok || !r.inForce(k) {
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

// judge computes the facts and holds everything to the standards.
func (r *Report) judge(ctx context.Context, now time.Time) error {
	subjects := make([]standard.Subject, 0, len(r.Rows)+len(r.Model.Contracts))
	for _, row := range r.Rows {
		row.Facts = r.facts(row)
		subjects = append(subjects, standard.Subject{Kind: "System", ID: row.ID, Name: row.Name, Self: row.Value(), Facts: row.Facts})
	}
	for _, k := range r.Model.Contracts {
		subjects = append(subjects, standard.Subject{Kind: "SupplierContract", ID: k.ID, Name: k.Name, Self: k.Value(), Facts: r.contractFacts(k)})
	}
	findings, err := r.Pack.Evaluate(ctx, subjects, now)
	if err != nil {
		return err
	}
	tally := map[string]int{}
	for i, s := range r.Pack.Standards {
		tally[s.ID] = i
		r.Standards = append(r.Standards, Tally{Standard: s})
	}
	for _, f := range findings {
		if row, ok := r.row[f.ID]; ok && f.Kind == "System" {
			row.Findings = append(row.Findings, f)
		}
		t := &r.Standards[tally[f.Standard.ID]]
		t.Findings = append(t.Findings, f)
		switch f.Result {
		case standard.Pass:
			t.Pass++
		case standard.Fail:
			t.Fail++
		case standard.Unknown:
			t.Unknown++
		case standard.Waived:
			t.Waived++
			if f.Ending {
				t.Ending++
			}
		}
	}
	return nil
}

// facts are what the rules may know of a system; see [standard.Facts]. A fact
// that is not known is left out.
func (r *Report) facts(row *Row) map[string]any {
	s := row.Spec
	f := map[string]any{"ours": row.Ours, "inUse": row.InUse}
	documented := 0
	for _, i := range row.Interfaces {
		if i.Documented {
			documented++
		}
	}
	switch {
	case s.API == "documented":
		f["interfaces"], f["documentedInterfaces"] = max(1, len(row.Interfaces)), max(1, documented)
	case len(row.Interfaces) > 0:
		f["interfaces"], f["documentedInterfaces"] = len(row.Interfaces), documented
	case s.API == "undocumented":
		f["interfaces"], f["documentedInterfaces"] = 1, 0
	case s.API == "none":
		f["interfaces"], f["documentedInterfaces"] = 0, 0
	}
	if class, ok := r.class(row); ok {
		need := policy.Required(class)
		f["dataClass"], f["requiredIdentity"], f["requiredAuthn"] = int(class), int(need.Identity), int(need.Authentication)
	}
	if c := s.Channels; c != nil {
		switch {
		case c.Online != "":
			f["selfServiceChannels"] = 1
		case c.None:
			f["selfServiceChannels"] = 0
		}
	}
	if len(s.Capabilities) > 0 {
		r.capabilityFacts(row, f)
	}
	if row.Yearly.Sure && !row.Yearly.Lacks {
		f["annualCost"] = int64(row.Yearly.Known)
	}
	for _, k := range row.Contracts {
		if by, ok := k.Spec.NoticeBy(); ok && r.inForce(k) {
			days := by.Sub(r.Today)
			if was, ok := f["daysToNotice"].(int); !ok || days < was {
				f["daysToNotice"] = days
			}
		}
	}
	if c := s.Continuity; c != nil && c.RestoreTested != nil {
		f["restoreTestAgeDays"] = r.Today.Sub(*c.RestoreTested)
	}
	return f
}

// class is the highest class of the data that the system holds or exchanges.
func (r *Report) class(row *Row) (class reeve.Class, known bool) {
	if d := row.Spec.Data; d != nil && d.Class != nil {
		class, known = *d.Class, true
	}
	for _, i := range row.Interfaces {
		if i.Class != nil {
			class, known = max(class, *i.Class), true
		}
	}
	return class, known
}

// capabilityFacts tells whether a system does again what a shared one was chosen
// for. Where no platform was chosen for a building block, that is not known.
func (r *Report) capabilityFacts(row *Row, f map[string]any) {
	generic, again, open, peers := 0, 0, 0, 0
	for _, c := range r.has[row.ID] {
		if c.Spec.Generic {
			generic++
			switch platform, chosen := r.platform[c.ID]; {
			case !chosen:
				open++
			case platform != row.ID:
				again++
			}
		}
		if most, n := c.Spec.Max(), len(r.providers[c.ID]); most > 0 && n > most {
			peers += n - most
		}
	}
	f["genericCapabilities"], f["peersInCapability"] = generic, peers
	if again > 0 || open == 0 {
		f["sharedCapabilitiesDuplicated"] = again
	}
}

func (r *Report) contractFacts(k Contract) map[string]any {
	f := map[string]any{}
	if t := k.Spec.Term; t != nil && t.Ends != nil {
		f["daysToEnd"] = t.Ends.Sub(r.Today)
	}
	if by, ok := k.Spec.NoticeBy(); ok {
		f["daysToNotice"] = by.Sub(r.Today)
	}
	if minor, ok := k.Spec.Minor(); ok {
		f["annualCost"] = minor
	}
	if e := k.Spec.Exit; e != nil && e.Tested != nil {
		f["exitTestAgeDays"] = r.Today.Sub(*e.Tested)
	}
	return f
}
