package register

import (
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

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
	Set           *def.Set
	Organisations map[string]Organisation
	Systems       []System // by name
	Capabilities  []Capability
	Contracts     []Contract
	Pack          *standard.Pack

	formerly    map[string]string // present ids of organisations, by the ids they had before
	system      map[string]System
	capability  map[string]Capability
	ContractsOf map[string][]Contract // by system
	Pays        map[string][]string   // ids of the systems that a contract pays for
	has         map[string][]Capability
	Providers   map[string][]System // our systems in use, by capability
	Platforms   map[string]string   // id of the system chosen for a generic capability

	bills Kept[string, Bills]
}

// Bills are what files of the set say that components are made of.
type Bills struct {
	Parts  []inventory.Software
	Unread map[string]string // why a file could not be read, by its name
}

// Bills are the bills of materials of the set, read once.
func (m *Model) Bills(read func(*def.Set) Bills) Bills {
	return m.bills.Get("", func() Bills { return read(m.Set) })
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
		Set:           s,
		formerly:      map[string]string{},
		system:        map[string]System{},
		capability:    map[string]Capability{},
		ContractsOf:   map[string][]Contract{},
		Pays:          map[string][]string{},
		has:           map[string][]Capability{},
		Providers:     map[string][]System{},
		Platforms:     map[string]string{},
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
			m.Platforms[c.ID] = x.ID
		}
	}
	slices.SortStableFunc(m.Systems, func(a, b System) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	for _, x := range m.Systems {
		m.system[x.ID] = x
		for _, id := range x.Spec.Capabilities {
			c, _ := def.Get[capability.Spec](s, id) // by the id it has now
			m.has[x.ID] = append(m.has[x.ID], c)
			if x.Spec.InUse() && m.Ours(x.Spec.Organisation) {
				m.Providers[c.ID] = append(m.Providers[c.ID], x)
			}
		}
	}
	for _, k := range m.Contracts {
		for _, id := range k.Spec.Systems {
			x, _ := def.Get[system.Spec](s, id)
			m.Pays[k.ID] = append(m.Pays[k.ID], x.ID)
			m.ContractsOf[x.ID] = append(m.ContractsOf[x.ID], k)
		}
	}
	return m, problems
}

// Ours reports whether an organisation is the body itself or a part of it. A
// system whose organisation nobody has declared is in our list, so it is ours.
func (m *Model) Ours(id string) bool {
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
	o, ok := m.Set.Lookup(kind, id)
	if !ok || o.ID == id {
		return "", false
	}
	return o.ID, true
}

// CapabilitiesOf are the capabilities that a system provides, as it declares them.
func (m *Model) CapabilitiesOf(system string) []Capability { return m.has[system] }

// PlatformOf is the system chosen to provide a generic capability to everyone.
func (m *Model) PlatformOf(capability string) (System, bool) {
	return m.System(m.Platforms[capability])
}

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
