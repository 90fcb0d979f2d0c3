package register

import (
	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
)

// Fill writes the facts that follow from the register alone; see
// [standard.Facts] for what each says. A fact that is not known is left out.
func Fill(s *Snapshot) {
	t := s.Tables.Of("System")
	for i, id := range t.IDs {
		x, _ := s.System(id)
		put := func(fact string, v any) { t.Set(i, fact, v) }
		put("ours", s.Ours(x.Spec.Organisation))
		put("inUse", x.Spec.InUse())
		s.interfaceFacts(x, put)
		s.flowCounts(id, put)
		if class, ok := s.ClassOf(id); ok {
			need := policy.Required(class)
			put("dataClass", int64(class))
			put("requiredIdentity", int64(need.Identity))
			put("requiredAuthn", int64(need.Authentication))
		}
		if c := x.Spec.Channels; c != nil {
			switch {
			case c.Online != "":
				put("selfServiceChannels", int64(1))
			case c.None:
				put("selfServiceChannels", int64(0))
			}
		}
		if len(x.Spec.Capabilities) > 0 {
			s.capabilityFacts(id, put)
		}
		if c := s.YearlyOf(id); c.Sure && !c.Lacks {
			put("annualCost", int64(c.Known))
		}
		s.noticeFacts(id, put)
		if c := x.Spec.Continuity; c != nil && c.RestoreTested != nil {
			put("restoreTestAgeDays", int64(s.Today.Sub(*c.RestoreTested)))
		}
	}
	s.contractFacts()
	s.exchangeFacts()
	s.waiverFacts()
}

func (s *Snapshot) interfaceFacts(x System, put func(string, any)) {
	all, documented := s.InterfacesOf(x.ID), 0
	for _, i := range all {
		if i.Documented {
			documented++
		}
	}
	n, of := int64(documented), int64(len(all))
	switch {
	case x.Spec.API == "documented":
		n, of = max(1, n), max(1, of)
	case len(all) > 0:
	case x.Spec.API == "undocumented":
		of = 1
	case x.Spec.API == "":
		return
	}
	put("interfaces", of)
	put("documentedInterfaces", n)
}

// ClassOf is the highest class of the data that a system holds or exchanges.
func (s *Snapshot) ClassOf(system string) (class reeve.Class, known bool) {
	if x, ok := s.System(system); ok && x.Spec.Data != nil && x.Spec.Data.Class != nil {
		class, known = *x.Spec.Data.Class, true
	}
	for _, i := range s.InterfacesOf(system) {
		if i.Class != nil {
			class, known = max(class, *i.Class), true
		}
	}
	return class, known
}

// capabilityFacts tells whether a system does again what a shared one was chosen
// for. Where no platform was chosen for a building block, that is not known.
func (s *Snapshot) capabilityFacts(system string, put func(string, any)) {
	generic, again, open, peers, plural := 0, 0, 0, 0, true
	var platforms []any
	for _, c := range s.CapabilitiesOf(system) {
		plural = plural && c.Spec.Plural
		if platform, chosen := s.Platforms[c.ID]; chosen {
			platforms = append(platforms, platform)
		}
		if c.Spec.Generic {
			generic++
			switch platform, chosen := s.Platforms[c.ID]; {
			case !chosen:
				open++
			case platform != system:
				again++
			}
		}
		if most, n := c.Spec.Max(), len(s.Providers[c.ID]); most > 0 && n > most {
			peers += n - most
		}
	}
	put("genericCapabilities", int64(generic))
	put("ownsGenericCapability", generic > 0)
	put("capabilityPlural", plural)
	put("peersInCapability", int64(peers))
	if open == 0 || again == 0 && len(platforms) > 0 {
		put("platformIds", platforms)
	}
	if again > 0 || open == 0 {
		put("sharedCapabilitiesDuplicated", int64(again))
	}
}

func (s *Snapshot) noticeFacts(system string, put func(string, any)) {
	least, found := 0, false
	for _, k := range s.ContractsOf[system] {
		if by, ok := k.Spec.NoticeBy(); ok && s.InForce(k) {
			if days := by.Sub(s.Today); !found || days < least {
				least, found = days, true
			}
		}
	}
	if found {
		put("daysToNotice", int64(least))
	}
}

func (s *Snapshot) contractFacts() {
	t := s.Tables.Of("SupplierContract")
	for _, k := range s.Contracts {
		i := t.Find(k.ID)
		if term := k.Spec.Term; term != nil && term.Ends != nil {
			t.Set(i, "daysToEnd", int64(term.Ends.Sub(s.Today)))
		}
		if by, ok := k.Spec.NoticeBy(); ok {
			t.Set(i, "daysToNotice", int64(by.Sub(s.Today)))
		}
		if minor, ok := k.Spec.Minor(); ok {
			t.Set(i, "annualCost", minor)
		}
		if e := k.Spec.Exit; e != nil && e.Tested != nil {
			t.Set(i, "exitTestAgeDays", int64(s.Today.Sub(*e.Tested)))
		}
	}
}
