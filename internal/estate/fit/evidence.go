package fit

import (
	"fmt"
	"slices"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// The weights are how much each piece counts against the others of its score:
// what people do and what attackers can do three times, what is a matter of order
// once.

// business scores what the system does for the body.
func (r *Report) business(row *Row) {
	s := &row.Business
	use := Evidence{What: "People who have it use it", Lacks: "who uses it", Weight: 3, Found: "Import who has a seat and when it was last used."}
	if n := r.seats[row.ID]; n.given > 0 {
		use.Known, use.Value = 1, min(float64(n.active)/float64(n.given)/0.8, 1) // four in five is as good as all: people are ill, new, away
		use.Found = fmt.Sprintf("%d of %d who have it used it in the last 90 days.", n.active, n.given)
	}
	s.add(use)

	aims := Evidence{What: "It serves what we want to reach", Lacks: "objectives", Weight: 2, Found: "Declare objectives, and the systems that serve each."}
	if r.declared.objectives {
		aims.Known, aims.Found = 1, "No objective names it."
		if names := r.objectives[row.ID]; len(names) > 0 {
			aims.Value, aims.Found = 1, "It serves: "+words.Few(names, 3)+"."
		}
	}
	s.add(aims)
	s.add(r.price(row))
	s.add(r.alone(row))

	needed := Evidence{What: "Services need it", Lacks: "services", Weight: 2, Found: "Declare services, and the systems that each needs."}
	if r.declared.services {
		needed.Known, needed.Found = 1, "No service in the catalogue needs it."
		if vs := r.services[row.ID]; len(vs) > 0 {
			names := make([]string, len(vs))
			for i, v := range vs {
				names[i] = v.Name
			}
			needed.Value, needed.Found = 1, "Needed by: "+words.Few(names, 3)+"."
		}
	}
	s.add(needed)
	s.sum()
}

// price holds the cost of a user against that of systems which do the same.
func (r *Report) price(row *Row) Evidence {
	e := Evidence{What: "It costs no more a user than systems that do the same", Lacks: "its cost or its users", Weight: 2}
	if !row.PerUser.Sure || row.PerUser.Lacks {
		e.Found = "What it costs, or how many use it, is not known."
		return e
	}
	var peers []int64
	seen := map[string]bool{row.ID: true}
	for _, c := range r.CapabilitiesOf(row.ID) {
		for _, x := range r.Providers[c.ID] {
			if other, ok := r.row[x.ID]; ok && !seen[x.ID] && other.PerUser.Sure && !other.PerUser.Lacks {
				seen[x.ID] = true
				peers = append(peers, int64(other.PerUser.Known))
			}
		}
	}
	if len(peers) == 0 {
		e.Weight, e.Found = 0, fmt.Sprintf("%s a user; there is nothing to hold it against.", row.PerUser)
		return e
	}
	slices.Sort(peers)
	middle := register.Money(peers[len(peers)/2])
	ratio := float64(row.PerUser.Known) / max(float64(middle), 1)
	e.Known, e.Value = 1, min(max((2-ratio)/1.5, 0), 1) // half the price is full marks, twice is none
	e.Found = fmt.Sprintf("%s a user; the middle of %s is %s.", row.PerUser, words.Count(len(peers), "other", "others"), middle)
	return e
}

// alone asks whether other systems do the same, and whether this is the one to keep.
func (r *Report) alone(row *Row) Evidence {
	e := Evidence{What: "No other system does the same, or this is the one that was chosen", Lacks: "what it does for us", Weight: 2, Found: "Declare what it does for us (its capabilities)."}
	if len(row.Spec.Capabilities) == 0 {
		return e
	}
	var again, chosen []string
	of := r.CapabilitiesOf(row.ID)
	for _, c := range of {
		switch most, n := c.Spec.Max(), len(r.Providers[c.ID]); {
		case most == 0 || n <= most:
		case r.Platforms[c.ID] == row.ID:
			chosen = append(chosen, c.Name)
		default:
			again = append(again, fmt.Sprintf("%s do %s, where %d would do", words.Count(n, "system", "systems"), c.Name, most))
		}
	}
	e.Known, e.Value = 1, 1-float64(len(again))/float64(max(len(of), 1))
	switch {
	case len(again) > 0:
		e.Found = ui.Capital(words.List(again)) + "."
	case len(chosen) > 0:
		e.Found = "It is the one that was chosen for " + words.List(chosen) + "."
	default:
		e.Found = "Nothing else does what it does beyond what is needed."
	}
	return e
}

// technical scores what the system is made of.
func (r *Report) technical(row *Row) {
	s := &row.Technical
	s.add(r.endOfLife(row))
	s.add(r.weaknesses(row))
	s.add(r.standards(row))

	table := r.Tables.Of("System")
	at := table.Find(row.ID)
	documented := Evidence{What: "Its interfaces are documented", Lacks: "its interfaces", Weight: 1, Found: "Describe its interfaces, or say that there are none."}
	all, known := whole(table, at, "interfaces")
	if n, ok := whole(table, at, "documentedInterfaces"); ok && known {
		documented.Known, documented.Found = 1, "It has no interface."
		if all > 0 {
			documented.Value, documented.Found = float64(n)/float64(all), fmt.Sprintf("%d of %s.", n, words.Count(int(all), "interface is documented", "interfaces are documented"))
		}
	}
	s.add(documented)
	restored := Evidence{What: "A restore was tried within a year", Lacks: "its last restore", Weight: 1, Found: "Say when a restore was last tried."}
	if days, ok := whole(table, at, "restoreTestAgeDays"); ok {
		restored.Known, restored.Found = 1, "Last tried "+words.Days(-int(days))+"."
		switch {
		case days <= 365:
			restored.Value = 1
		case days <= 730:
			restored.Value = 0.5
		}
	}
	s.add(restored)
	s.sum()
}

// endOfLife is how long the maker still supports what the system is made of.
func (r *Report) endOfLife(row *Row) Evidence {
	e := Evidence{What: "What it is made of is supported", Lacks: "its parts and how long they are supported", Weight: 3, Found: "Declare its components and their products, and import the list of ends of life."}
	table := r.Tables.Of("Component")
	parts, known, least, name := r.ComponentsOf(row.ID), 0, int64(0), ""
	for _, c := range parts {
		if days, ok := whole(table, table.Find(c.ID), "daysToEol"); ok {
			if known == 0 || days < least {
				least, name = days, c.Name
			}
			known++
		}
	}
	if known == 0 {
		return hosted(row, parts, e)
	}
	e.Known = float64(known) / float64(len(parts))
	switch {
	case least < 0:
		e.Value = 0
	case least <= 180:
		e.Value = 0.3
	case least <= 730:
		e.Value = 0.7
	default:
		e.Value = 1
	}
	e.Found = fmt.Sprintf("Support of %s ends or ended %s, the first of %s.", name, words.Days(int(least)), words.Count(known, "part", "parts"))
	if least < 0 {
		e.Found = fmt.Sprintf("Support of %s ended %s.", name, words.Days(int(least)))
	} else if known == 1 {
		e.Found = fmt.Sprintf("Support of %s ends %s.", name, words.Days(int(least)))
	}
	if more := len(parts) - known; more > 0 {
		e.Found += fmt.Sprintf(" Of %s it is not known.", words.Count(more, "part", "parts"))
	}
	return e
}

const weaknessesText = "No exploited weakness is open past its date"

// weaknesses are those that are known to be exploited and should be closed by now.
func (r *Report) weaknesses(row *Row) Evidence {
	e := Evidence{What: weaknessesText, Lacks: "its parts and how long they are supported", Weight: 3, Found: "Declare its components and their products, and import the list of exploited weaknesses."}
	table := r.Tables.Of("Component")
	parts, known, open := r.ComponentsOf(row.ID), 0, int64(0)
	for _, c := range parts {
		if n, ok := whole(table, table.Find(c.ID), "kevOpenPastDue"); ok {
			known++
			open += n
		}
	}
	if known == 0 {
		return hosted(row, parts, e)
	}
	e.Known = float64(known) / float64(len(parts))
	e.Found = fmt.Sprintf("None, in %s of %d looked at.", words.Count(known, "part", "parts"), len(parts))
	if e.Value = 1; open > 0 {
		e.Known, e.Value, e.Found = 1, 0, fmt.Sprintf("%s past the date by which it should be closed.", words.Count(int(open), "is open", "are open"))
	}
	return e
}

// hosted leaves a piece out where a supplier runs the system as a service and
// nothing in it is ours to keep up.
func hosted(row *Row, parts []register.Component, e Evidence) Evidence {
	if row.Spec.Hosting == "saas" && len(parts) == 0 {
		e.Weight, e.Found = 0, "Its supplier runs it as a service; no part of it is ours to keep up."
	}
	return e
}

// standards are those about the system, what must be met counting three times as
// much as what is for information. One waived counts half: it is accepted, not met.
func (r *Report) standards(row *Row) Evidence {
	e := Evidence{What: "It meets the standards", Lacks: "how it stands to the standards", Weight: 3, Found: "No standard is about it."}
	var all, known, good float64
	met, fail, unknown := 0, 0, 0
	for i := range r.Outcome.Standings {
		st := &r.Outcome.Standings[i]
		t := st.Table()
		if t.Kind != "System" {
			continue
		}
		result, w := st.Result(t.Find(row.ID)), 1.0
		switch {
		case result == "":
			continue
		case st.Spec.Severity == "must":
			w = 3
		case st.Spec.Severity == "should":
			w = 2
		}
		all += w
		switch result {
		case standard.Pass:
			known, good, met = known+w, good+w, met+1
		case standard.Waived:
			known, good = known+w, good+w/2
		case standard.Fail:
			known, fail = known+w, fail+1
		default:
			unknown++
		}
	}
	if all == 0 {
		e.Weight = 0
		return e
	}
	e.Known = known / all
	e.Found = fmt.Sprintf("%d met, %d not met, of %d it is not known.", met, fail, unknown)
	if known > 0 {
		e.Value = good / known
	}
	return e
}

// whole reads a fact that is a whole number.
func whole(t *standard.Table, i int, fact string) (int64, bool) {
	if i < 0 {
		return 0, false
	}
	v, ok := t.Fact(i, fact)
	if !ok {
		return 0, false
	}
	n, ok := v.(int64)
	return n, ok
}
