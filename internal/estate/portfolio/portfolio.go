// Package portfolio answers what the body has: its systems with what they cost,
// who owns them, what they do twice, when notice must be given, and how they
// stand against the standards.
//
// A [Model] is one set of definitions made ready; a [Report] is that model on a
// day. What nobody has declared or observed is reported as not known, never as
// nothing or as fine. Money is added up in integers.
package portfolio

import (
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Interfaces tells what is described of the interfaces of a system. The
// exchange knows; app connects the two.
type Interfaces interface {
	Of(system string) []InterfaceFact
}

// InterfaceFact is what the estate needs to know of an interface.
type InterfaceFact struct {
	ID, Name   string
	Style      string // "api", "event", "file", "db", "ui-scrape", "manual", "internal"
	Documented bool   // it has a published definition
	Records    []string
	Class      *reeve.Class // highest class of the records it carries; nil if not known
}

// Flows tells which flows a system takes part in.
type Flows interface {
	Of(system string) []FlowFact
}

// FlowFact is what the page of a system shows of a flow.
type FlowFact struct {
	ID, Name  string
	Outward   bool   // from the system; otherwise to it
	Other     string // id of the system at the other end
	OtherName string
	Record    string // id of the record type
	Agreement string // id of the agreement it runs under
	Purpose   string
	State     string // in words: "12 delivered, last 2 minutes ago"
	Href      string // page of the flow, "" if there is none
}

// The definitions by type, for short.
type (
	Organisation = def.Of[organisation.Spec]
	System       = def.Of[system.Spec]
	Capability   = def.Of[capability.Spec]
	Contract     = def.Of[supplier.Spec]
)

// Model is a set of definitions made ready for reports. It does not change and
// may be used by many goroutines.
type Model struct {
	Organisations map[string]Organisation
	Systems       []System // by name
	Capabilities  []Capability
	Contracts     []Contract
	Pack          *standard.Pack

	set        *def.Set
	formerly   map[string]string // present ids of organisations, by the ids they had before
	system     map[string]System
	capability map[string]Capability
	contracts  map[string][]Contract // by system
	pays       map[string][]string   // ids of the systems that a contract pays for
	has        map[string][]Capability
	providers  map[string][]System // our systems in use, by capability
	platform   map[string]string   // id of the system chosen for a generic capability
}

// Compile makes a set ready.
func Compile(s *def.Set) (*Model, []def.Problem) {
	pack, problems := standard.Compile(s)
	m := &Model{
		Organisations: map[string]Organisation{},
		Systems:       def.All[system.Spec](s),
		Capabilities:  def.All[capability.Spec](s),
		Contracts:     def.All[supplier.Spec](s),
		Pack:          pack,
		set:           s,
		formerly:      map[string]string{},
		system:        map[string]System{},
		capability:    map[string]Capability{},
		contracts:     map[string][]Contract{},
		pays:          map[string][]string{},
		has:           map[string][]Capability{},
		providers:     map[string][]System{},
		platform:      map[string]string{},
	}
	for _, o := range def.All[organisation.Spec](s) {
		m.Organisations[o.ID] = o
		for _, id := range o.Formerly {
			m.formerly[id] = o.ID
		}
	}
	for _, c := range m.Capabilities {
		m.capability[c.ID] = c
		if x, ok := def.Get[system.Spec](s, c.Spec.Platform); ok {
			m.platform[c.ID] = x.ID
		}
	}
	slices.SortStableFunc(m.Systems, func(a, b System) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	for _, x := range m.Systems {
		m.system[x.ID] = x
		for _, id := range x.Spec.Capabilities {
			c, _ := def.Get[capability.Spec](s, id) // by the id it has now
			m.has[x.ID] = append(m.has[x.ID], c)
			if x.Spec.InUse() && m.ours(x.Spec.Organisation) {
				m.providers[c.ID] = append(m.providers[c.ID], x)
			}
		}
	}
	for _, k := range m.Contracts {
		for _, id := range k.Spec.Systems {
			x, _ := def.Get[system.Spec](s, id)
			m.pays[k.ID] = append(m.pays[k.ID], x.ID)
			m.contracts[x.ID] = append(m.contracts[x.ID], k)
		}
	}
	return m, problems
}

// ours reports whether an organisation is the body itself or a part of it. A
// system whose organisation nobody has declared is in our list, so it is ours.
func (m *Model) ours(id string) bool {
	if id == "" {
		return true
	}
	for range len(m.Organisations) { // the loader refuses loops; this bounds a walk all the same
		o, ok := m.organisation(id)
		switch {
		case !ok || o.Spec.Type == "partner" || o.Spec.Type == "supplier":
			return false
		case o.Spec.Parent == "" || o.Spec.Type == "council":
			return true
		}
		id = o.Spec.Parent
	}
	return false
}

// System finds a system by id.
func (m *Model) System(id string) (System, bool) { x, ok := m.system[id]; return x, ok }

// Capability finds a capability by id.
func (m *Model) Capability(id string) (Capability, bool) { c, ok := m.capability[id]; return c, ok }

// Renamed gives the present id of a definition that had the id before.
func (m *Model) Renamed(kind, id string) (string, bool) {
	o, ok := m.set.Lookup(kind, id)
	if !ok || o.ID == id {
		return "", false
	}
	return o.ID, true
}

// CapabilitiesOf are the capabilities that a system provides, as it declares them.
func (m *Model) CapabilitiesOf(system string) []Capability { return m.has[system] }

// PlatformOf is the system chosen to provide a generic capability to everyone.
func (m *Model) PlatformOf(capability string) (System, bool) { return m.System(m.platform[capability]) }

// Children are the capabilities directly below id, by name; "" gives the roots.
func (m *Model) Children(id string) []Capability {
	var out []Capability
	for _, c := range m.Capabilities {
		if c.Spec.Parent == id {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Capability) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// OrganisationName is the name of an organisation, or its id if it has none.
func (m *Model) OrganisationName(id string) string {
	if o, ok := m.organisation(id); ok && o.Name != "" {
		return o.Name
	}
	return id
}

func (m *Model) organisation(id string) (Organisation, bool) {
	if now, ok := m.formerly[id]; ok {
		id = now
	}
	o, ok := m.Organisations[id]
	return o, ok
}
