// Package change compares the estate before and after a change of its
// definitions: what is declared differently, which standards are met or not met
// that were not before, what it costs and emits, what would stop, and who would
// newly see which fields.
//
// Nothing is guessed. What is not known before or after is said to be not known,
// and is never counted as better.
package change

import (
	"cmp"
	"slices"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Difference is what differs between two snapshots of the estate.
type Difference struct {
	Before       string        `json:"before"` // hash of the set of definitions
	After        string        `json:"after"`
	On           def.Date      `json:"on"` // the day for which both were judged
	Definitions  []Definition  `json:"definitions"`
	Files        []File        `json:"files"` // schemas, maps and documents beside the definitions
	Standards    []Standard    `json:"standards"`
	Cost         CostChange    `json:"cost"`
	Carbon       *CarbonChange `json:"carbon,omitempty"` // nil: nobody works it out here
	Broken       []Fault       `json:"broken"`           // dependencies that held before and do not after
	Mended       []Fault       `json:"mended"`           // the other way round
	Capabilities []Capability  `json:"capabilities"`
	Disclosures  []Disclosure  `json:"disclosures"` // who newly sees which fields
	Withdrawn    []Disclosure  `json:"withdrawn"`   // who no longer does
}

// What became of a definition or file.
const (
	Added   = "added"
	Changed = "changed"
	Removed = "removed"
)

// Definition is a definition that was added, changed or removed.
type Definition struct {
	Kind   string  `json:"kind"`
	ID     string  `json:"id"` // after, or before if it is removed
	Name   string  `json:"name"`
	What   string  `json:"what"` // Added, Changed or Removed
	Fields []Field `json:"fields,omitempty"`
	File   string  `json:"file,omitempty"`
	Line   int     `json:"line,omitempty"`
}

// Field is a field that differs; "" stands for not there.
type Field struct {
	Path   string `json:"path"` // spec.lifecycle.phase
	Before string `json:"before"`
	After  string `json:"after"`
}

// File is a file beside the definitions that was added, changed or removed.
type File struct {
	Name string `json:"name"`
	What string `json:"what"`
}

// Standard is how the estate stands differently against one standard.
type Standard struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	Severity     string   `json:"severity"`
	What         string   `json:"what,omitempty"` // Added or Removed, if the standard itself was
	NewlyFail    []Entity `json:"newlyFail"`
	NewlyUnknown []Entity `json:"newlyUnknown"`
	NewlyPass    []Entity `json:"newlyPass"`
	NewlyWaived  []Entity `json:"newlyWaived"`
	Failing      string   `json:"failing"`
	Fix          string   `json:"fix"`
}

// Entity is something whose result differs. Before is "" for what is new.
type Entity struct {
	Kind   string          `json:"kind"`
	ID     string          `json:"id"`
	Name   string          `json:"name"`
	Before standard.Result `json:"before,omitempty"`
	After  standard.Result `json:"after"`
}

// CostChange is what the supplier contracts in force cost a year.
type CostChange struct {
	Before  register.Cost  `json:"before"`
	After   register.Cost  `json:"after"`
	Change  register.Money `json:"change"` // of what is known
	Systems []SystemCost   `json:"systems"`
}

// SystemCost is a system whose share of the yearly cost differs.
type SystemCost struct {
	ID     string        `json:"id"`
	Name   string        `json:"name"`
	Before register.Cost `json:"before"`
	After  register.Cost `json:"after"`
}

// Carbon is what a snapshot emits a year, in kg CO2e, and of how much of the
// estate that is known.
type Carbon struct {
	Kg      float64 `json:"kg"`
	Low     float64 `json:"low"`
	High    float64 `json:"high"`
	Covered int     `json:"covered"` // systems of which it is known
	Of      int     `json:"of"`
}

// CarbonChange is the yearly carbon before and after.
type CarbonChange struct {
	Before Carbon `json:"before"`
	After  Carbon `json:"after"`
}

// Capability is a capability that is provided differently.
type Capability struct {
	ID     string        `json:"id"`
	Name   string        `json:"name"`
	Before CapabilitySum `json:"before"`
	After  CapabilitySum `json:"after"`
}

// CapabilitySum is how well a capability is provided.
type CapabilitySum struct {
	Systems []string `json:"systems"` // names of our systems in use that provide it
	Fail    int      `json:"fail"`    // standards that these do not meet
	Unknown int      `json:"unknown"`
	Health  []Aspect `json:"health,omitempty"`
}

// Aspect is one side of a capability's health.
type Aspect struct {
	Name  string `json:"name"`  // process, people, information, IT, security
	Level string `json:"level"` // good, fair, poor or "" for not known
	Why   string `json:"why,omitempty"`
}

// Asks are the questions that other rooms answer. Without an answer that part of
// a difference is left out.
type Asks struct {
	Carbon func(s *register.Snapshot) Carbon
	Health func(s *register.Snapshot, capability string) []Aspect
}

// Compare says what differs between two snapshots.
func Compare(before, after *register.Snapshot) *Difference { return Asks{}.Compare(before, after) }

// Compare says what differs between two snapshots.
func (a Asks) Compare(before, after *register.Snapshot) *Difference {
	d := &Difference{Before: before.Set.Hash(), After: after.Set.Hash(), On: after.Today}
	d.Definitions, d.Files = definitions(before.Set, after.Set), files(before.Set, after.Set)
	d.Standards = standards(before, after)
	d.Cost = costs(before, after)
	if a.Carbon != nil {
		d.Carbon = &CarbonChange{a.Carbon(before), a.Carbon(after)}
	}
	d.Broken, d.Mended = broken(before, after)
	d.Capabilities = a.capabilities(before, after)
	d.Disclosures, d.Withdrawn = disclosures(before, after)
	return d
}

// Same reports whether nothing at all differs.
func (d *Difference) Same() bool {
	return d.Before == d.After && len(d.Standards) == 0 && len(d.Broken) == 0
}

// NewlyFailing counts the findings of a severity that newly fail; of any if it is "".
func (d *Difference) NewlyFailing(severity string) int {
	n := 0
	for _, s := range d.Standards {
		if severity == "" || s.Severity == severity {
			n += len(s.NewlyFail)
		}
	}
	return n
}

// Worse reports whether something gets worse: a standard that must be met newly
// fails, something that is relied on would stop, or somebody newly sees fields.
func (d *Difference) Worse() bool {
	return d.NewlyFailing("must") > 0 || len(d.Broken) > 0 || len(d.Disclosures) > 0
}

func costs(before, after *register.Snapshot) CostChange {
	c := CostChange{Before: before.Yearly, After: after.Yearly, Change: after.Yearly.Known - before.Yearly.Known}
	for _, x := range after.Systems {
		line := SystemCost{ID: x.ID, Name: x.Name, After: after.YearlyOf(x.ID)}
		if old, ok := earlier(before, after, x); ok {
			line.Before = before.YearlyOf(old.ID)
		}
		if line.Before != line.After && (line.Before.Sure || line.After.Sure) {
			c.Systems = append(c.Systems, line)
		}
	}
	for _, x := range before.Systems {
		if _, still := after.System(after.Set.Present("System", x.ID)); !still && before.YearlyOf(x.ID).Sure {
			c.Systems = append(c.Systems, SystemCost{ID: x.ID, Name: x.Name, Before: before.YearlyOf(x.ID)})
		}
	}
	slices.SortFunc(c.Systems, func(a, b SystemCost) int { return cmp.Compare(a.ID, b.ID) })
	return c
}

// earlier finds a system of after in before, also by an id that it had.
func earlier(before, after *register.Snapshot, x register.System) (register.System, bool) {
	for _, id := range after.Set.Lineage("System", x.ID) {
		if old, ok := before.System(id); ok {
			return old, true
		}
	}
	return register.System{}, false
}

func (a Asks) capabilities(before, after *register.Snapshot) (out []Capability) {
	was := map[string]bool{}
	compare := func(id, name, idBefore string) {
		c := Capability{ID: id, Name: name, Before: a.sum(before, idBefore), After: a.sum(after, id)}
		if !slices.Equal(c.Before.Systems, c.After.Systems) || c.Before.Fail != c.After.Fail || c.Before.Unknown != c.After.Unknown || !slices.EqualFunc(c.Before.Health, c.After.Health, func(a, b Aspect) bool { return a.Name == b.Name && a.Level == b.Level }) {
			out = append(out, c)
		}
	}
	for _, c := range after.Capabilities {
		old := c.ID
		for _, id := range after.Set.Lineage("Capability", c.ID) {
			if _, ok := before.Capability(id); ok {
				old = id
				break
			}
		}
		was[old] = true
		compare(c.ID, c.Name, old)
	}
	for _, c := range before.Capabilities {
		if !was[c.ID] {
			compare(c.ID, c.Name, c.ID)
		}
	}
	slices.SortFunc(out, func(a, b Capability) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

func (a Asks) sum(s *register.Snapshot, id string) (sum CapabilitySum) {
	if _, ok := s.Capability(id); !ok {
		return sum
	}
	for _, x := range s.Providers[id] {
		sum.Systems = append(sum.Systems, x.Name)
		if s.Outcome == nil {
			continue
		}
		n := s.Outcome.Count("System", x.ID)
		sum.Fail, sum.Unknown = sum.Fail+n[standard.Fail], sum.Unknown+n[standard.Unknown]
	}
	if a.Health != nil {
		sum.Health = a.Health(s, id)
	}
	return sum
}
