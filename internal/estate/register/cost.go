package register

// costs adds up the contracts in force, each once, and gives each system its even
// share of them.
func (s *Snapshot) costs() {
	s.yearly = map[string]Cost{}
	for _, k := range s.Contracts {
		if !s.InForce(k) {
			continue
		}
		c := CostOf(k)
		s.Yearly = s.Yearly.Plus(c)
		if !c.Sure {
			s.NoCost = append(s.NoCost, k)
		}
		systems := s.Pays[k.ID]
		for i, part := range c.Known.Split(len(systems)) {
			s.yearly[systems[i]] = s.yearly[systems[i]].Plus(Cost{part, c.Sure, c.Lacks})
		}
	}
	for _, x := range s.Systems {
		if len(s.ContractsOf[x.ID]) == 0 {
			c := s.yearly[x.ID]
			c.Lacks = true
			s.yearly[x.ID] = c
		}
	}
}

// YearlyOf is a system's even share of each contract in force that pays for it.
func (s *Snapshot) YearlyOf(system string) Cost { return s.yearly[system] }

// InForce reports whether the contract binds today. One whose term is not known
// counts as in force.
func (s *Snapshot) InForce(k Contract) bool {
	t := k.Spec.Term
	return t == nil || (t.Ends == nil || !t.Ends.Before(s.Today)) && (t.Starts == nil || !t.Starts.After(s.Today))
}

// CostOf is what a contract costs a year.
func CostOf(k Contract) Cost {
	minor, known := k.Spec.Minor()
	return Cost{Known: Money(minor), Sure: known, Lacks: !known}
}
