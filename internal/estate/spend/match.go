package spend

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// State says how a line of the ledger stands to the supplier contracts.
type State string

// The states.
const (
	Matched   State = "matched"
	Unclear   State = "unclear"   // several contracts fit equally well
	Unmatched State = "unmatched" // none does
	NoneDue   State = "none"      // a person says that it pays no contract
)

// NoContract stands for the contract of a line that a person says pays none: a
// refund, a grant, a purchase on its own.
const NoContract = "none"

// Match is a line of the ledger and the contract that it pays.
type Match struct {
	*inventory.Line
	State      State
	Contract   string   // id, "" unless matched
	Supplier   string   // id of the organisation, "" if not recognised
	Name       string   // of the supplier: of the organisation, else as the ledger writes it
	Candidates []string // ids of the contracts that fit an unclear line
	Why        string   // how it was matched, or why not
	Person     bool     // a person said so
}

// Grace is how many days before its term and after it a contract is still paid:
// bills come early and late.
const Grace = 92

// matcher matches lines with contracts. It is made for one snapshot.
type matcher struct {
	s          *register.Snapshot
	contract   map[string]register.Contract
	bySupplier map[string][]register.Contract
	byRef      map[string][]string // contracts, by their reference in capitals and digits
	suppliers  map[string][]string // organisations, by normal name
	known      []string            // the normal names, sorted
	found      map[string]found    // by name as the ledger writes it
	learnt     map[string][]string // contracts that persons gave, by normal name
	exact      map[string][]string // the same, by name and description
	about      map[string][]string // words that tell a contract from others
}

// found is the supplier that a name was recognised as.
type found struct{ id, why string }

func newMatcher(s *register.Snapshot) *matcher {
	m := &matcher{s: s, contract: map[string]register.Contract{}, bySupplier: map[string][]register.Contract{}, byRef: map[string][]string{},
		suppliers: map[string][]string{}, found: map[string]found{}, learnt: map[string][]string{}, exact: map[string][]string{}, about: map[string][]string{}}
	for _, k := range s.Contracts {
		m.contract[k.ID] = k
		if k.Spec.Supplier != "" {
			id := s.Set.Present("Organisation", k.Spec.Supplier)
			m.bySupplier[id] = append(m.bySupplier[id], k)
		}
		if r := reference(k.Spec.Reference); r != "" {
			m.byRef[r] = append(m.byRef[r], k.ID)
		}
	}
	for id, o := range s.Organisations {
		if len(m.bySupplier[id]) == 0 && o.Spec.Type != "supplier" {
			continue
		}
		for _, name := range append([]string{o.Name}, o.Spec.TradesAs...) {
			if n := normal(name); n != "" && !slices.Contains(m.suppliers[n], id) {
				m.suppliers[n] = append(m.suppliers[n], id)
			}
		}
	}
	m.known = slices.Sorted(maps.Keys(m.suppliers))
	for _, l := range s.Inventory.Ledger {
		id, ok := m.given(l)
		if !ok {
			continue
		}
		name := normal(l.Supplier)
		note(m.learnt, name, id)
		note(m.exact, name+"\x1f"+description(l.Description), id)
	}
	return m
}

func note(in map[string][]string, key, id string) {
	if !slices.Contains(in[key], id) {
		in[key] = append(in[key], id)
	}
}

// given is the contract that a person matched a line with.
func (m *matcher) given(l inventory.Line) (id string, ok bool) {
	if l.Contract == "" {
		return "", false
	}
	id = m.s.Set.Present("SupplierContract", l.Contract)
	_, ok = m.contract[id]
	return id, ok
}

// match matches a line: by what a person said, by a reference, by what was
// learnt from persons about the same supplier, then by the supplier's name, the
// term, the words and the amount. What fits two contracts is unclear.
func (m *matcher) match(l *inventory.Line) Match {
	out := Match{Line: l, State: Unmatched}
	who := m.supplier(l.Supplier)
	out.Supplier, out.Name = who.id, strings.TrimSpace(l.Supplier)
	if who.id != "" {
		out.Name = m.s.OrganisationName(who.id)
	}
	if l.Contract == NoContract {
		out.Person, out.State, out.Why = true, NoneDue, "a person said that it pays no contract"
		return out
	}
	if id, ok := m.given(*l); ok {
		out.Person = true
		return m.settle(out, id, "a person matched it")
	}
	if out, ok := m.byReference(l, out); ok {
		return out
	}
	name := ""
	if len(m.learnt) > 0 {
		name = normal(l.Supplier)
	}
	if len(m.learnt[name]) > 0 && l.Description != "" {
		if ids := m.exact[name+"\x1f"+description(l.Description)]; len(ids) == 1 {
			return m.settle(out, ids[0], "a person matched another line of this supplier with the same description")
		}
	}
	var fits []register.Contract
	why := who.why
	if who.id != "" {
		fits = m.bySupplier[who.id]
	}
	if ids := m.learnt[name]; len(ids) > 0 {
		if who.id == "" {
			why = "a person matched another line of this supplier"
		}
		for _, id := range ids {
			if k := m.contract[id]; !slices.ContainsFunc(fits, func(f register.Contract) bool { return f.ID == id }) {
				fits = append(slices.Clone(fits), k)
			}
		}
	}
	switch {
	case strings.TrimSpace(l.Supplier) == "":
		out.Why = "the ledger names no supplier"
		return out
	case len(fits) == 0 && who.id != "":
		out.Why = why + ", but no contract with it is declared"
		return out
	case len(fits) == 0:
		out.Why = "no supplier of that name is declared"
		return out
	}
	in := slices.DeleteFunc(slices.Clone(fits), func(k register.Contract) bool { return !inTerm(k, l.On) })
	if len(in) == 0 {
		out.Why = fmt.Sprintf("%s, but none of its contracts runs on %s", why, l.On)
		return out
	}
	return m.narrow(l, out, in, why)
}

// narrow chooses between contracts that fit.
func (m *matcher) narrow(l *inventory.Line, out Match, fits []register.Contract, why string) Match {
	if len(fits) == 1 {
		return m.settle(out, fits[0].ID, why+", and this is its only contract then")
	}
	best, most := []register.Contract(nil), 0
	text := words(l.Description)
	for _, k := range fits {
		n := m.shared(k, text)
		switch {
		case n > most:
			best, most = []register.Contract{k}, n
		case n == most:
			best = append(best, k)
		}
	}
	if most > 0 {
		if fits = best; len(fits) == 1 {
			return m.settle(out, fits[0].ID, why+", and the description names it")
		}
	}
	var by []register.Contract
	for _, k := range fits {
		if minor, ok := k.Spec.Minor(); ok && instalment(l.Amount, minor) {
			by = append(by, k)
		}
	}
	if len(by) == 1 {
		return m.settle(out, by[0].ID, why+", and the amount is what it costs")
	}
	out.State = Unclear
	for _, k := range fits {
		out.Candidates = append(out.Candidates, k.ID)
	}
	out.Why = fmt.Sprintf("%s, and %d of its contracts fit", why, len(fits))
	return out
}

func (m *matcher) settle(out Match, id, why string) Match {
	out.State, out.Contract, out.Why = Matched, id, why
	if k := m.contract[id]; k.Spec.Supplier != "" {
		out.Supplier = m.s.Set.Present("Organisation", k.Spec.Supplier)
		out.Name = m.s.OrganisationName(out.Supplier)
	}
	return out
}

func (m *matcher) byReference(l *inventory.Line, out Match) (Match, bool) {
	if len(m.byRef) == 0 {
		return out, false
	}
	ids := m.byRef[reference(l.Reference)]
	if l.Reference == "" || len(ids) == 0 {
		for _, w := range strings.Fields(l.Description) {
			if r := reference(w); len(r) >= 5 && len(m.byRef[r]) > 0 {
				ids = m.byRef[r]
				break
			}
		}
	}
	switch len(ids) {
	case 0:
		return out, false
	case 1:
		return m.settle(out, ids[0], "it gives the number of the contract"), true
	}
	out.State, out.Candidates, out.Why = Unclear, ids, fmt.Sprintf("%d contracts have the number that it gives", len(ids))
	return out, true
}

// supplier recognises the supplier that a ledger names.
func (m *matcher) supplier(name string) found {
	if f, ok := m.found[name]; ok {
		return f
	}
	var f found
	for _, n := range names(name) {
		if f = m.recognise(n); f.id != "" {
			break
		}
	}
	m.found[name] = f
	return f
}

func (m *matcher) recognise(name string) found {
	if name == "" {
		return found{}
	}
	if ids := m.suppliers[name]; len(ids) > 0 {
		return one(ids, "the name is the supplier's")
	}
	var near, cut []string
	least := slip(name) + 1
	for _, k := range m.known {
		most := min(slip(name), slip(k))
		if d := distance(name, k, most); d <= most && d < least {
			near, least = slices.Clone(m.suppliers[k]), d
		} else if d <= most && d == least {
			near = append(near, m.suppliers[k]...)
		}
		if len(name) >= 8 && strings.HasPrefix(k, name) || len(k) >= 8 && strings.HasPrefix(name, k+" ") {
			cut = append(cut, m.suppliers[k]...)
		}
	}
	if len(near) > 0 {
		return one(near, fmt.Sprintf("the name is %d %s off the supplier's", least, plural(least, "letter", "letters")))
	}
	return one(cut, "the name begins as the supplier's does")
}

func one(ids []string, why string) found {
	slices.Sort(ids)
	if ids = slices.Compact(ids); len(ids) == 1 {
		return found{ids[0], why}
	}
	return found{}
}

// shared counts the words that a text has in common with what a contract is
// called and pays for.
func (m *matcher) shared(k register.Contract, text []string) int {
	about, ok := m.about[k.ID]
	if !ok {
		all := words(k.Name)
		for _, id := range m.s.Pays[k.ID] {
			if x, ok := m.s.System(id); ok {
				all = append(append(all, words(x.Name)...), words(x.Spec.Product)...)
			}
		}
		slices.Sort(all)
		about = slices.DeleteFunc(slices.Compact(all), func(w string) bool { return len(w) < 4 || slices.Contains(common, w) })
		m.about[k.ID] = about
	}
	n := 0
	for _, w := range about {
		if slices.Contains(text, w) {
			n++
		}
	}
	return n
}

// common are words that say nothing of which contract a line pays.
var common = []string{"software", "systems", "services", "licence", "licences", "support", "annual", "maintenance", "hosting", "subscription", "invoice", "credit", "with", "from", "council", "management", "online", "digital", "technology", "solutions", "platform", "suite", "desk"}

// instalment reports whether an amount is what a contract costs in a year, half a
// year, a quarter or a month, with or without VAT of 20%, give or take 1%.
func instalment(amount, annual int64) bool {
	if amount < 0 {
		amount = -amount
	}
	for _, parts := range []int64{1, 2, 4, 12} {
		for _, percent := range []int64{100, 120} {
			want := annual * percent / 100 / parts
			if d := amount - want; want > 0 && d <= want/100 && -d <= want/100 {
				return true
			}
		}
	}
	return false
}

func inTerm(k register.Contract, on def.Date) bool {
	t := k.Spec.Term
	return t == nil || (t.Starts == nil || !on.Before(t.Starts.AddDays(-Grace))) && (t.Ends == nil || !on.After(t.Ends.AddDays(Grace)))
}

// reference is a number in capitals and digits alone.
func reference(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToUpper(r)
		}
		return -1
	}, s)
}

// description is a description without digits, which change from bill to bill.
func description(s string) string {
	var out []string
	for _, w := range words(s) {
		if !strings.ContainsFunc(w, unicode.IsDigit) && !slices.Contains(months, w) {
			out = append(out, w)
		}
	}
	return strings.Join(out, " ")
}

var months = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "january", "february", "march", "april", "june", "july", "august", "september", "october", "november", "december"}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
