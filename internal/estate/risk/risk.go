// Package risk tells which of the products that the body has are exploited in the
// wild or out of support, until when that must be dealt with, and where they are.
//
// Lists call the same product by many names. A table of identities joins them to
// the names of the CPE and of endoflife.date; people curate it in the page, and
// what they say holds for every later list. What joins to nothing is counted and
// shown: it is not known to be safe.
//
// What not to assume: the list of exploited vulnerabilities names products and not
// their versions. An entry counts as open for a product until something tells
// that it is not: the release is newer than the entry, the newest of its cycle is
// installed, or a person says that it was dealt with.
package risk

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// FixDays is within how many days an exploited vulnerability must be dealt with:
// Cyber Essentials asks for 14 days.
const FixDays = 14

// SoonDays is how long before the end of support a product is shown.
const SoonDays = 180

// Identity is which product a name means.
type Identity struct {
	CPE  string // vendor:product
	EOL  string // product of endoflife.date
	None bool   // a person said that no list knows it
	How  string // declared, said, list, name
	By   string
}

// Joined reports whether the name is settled.
func (i Identity) Joined() bool { return i.CPE != "" || i.EOL != "" || i.None }

// catalogue is what is published about products, by name.
type catalogue struct {
	said   map[[2]string]inventory.Identity // by vendor and name, normalised
	kev    map[string][]inventory.Vulnerability
	cycles map[string][]inventory.Cycle
	eolOf  map[string]string // by CPE
	cpeOf  map[string]string // by product of endoflife.date
	kevAt  time.Time         // when the list was imported, zero for never
	eolAt  time.Time
}

func newCatalogue(inv *inventory.Inventory) *catalogue {
	c := &catalogue{
		said: map[[2]string]inventory.Identity{}, kev: map[string][]inventory.Vulnerability{}, cycles: map[string][]inventory.Cycle{}, eolOf: map[string]string{}, cpeOf: map[string]string{},
		kevAt: inv.Imports[string(inventory.TypeVulnerability)], eolAt: inv.Imports[string(inventory.TypeCycle)],
	}
	for _, i := range inv.Identities {
		key := [2]string{Normal(i.Vendor), Normal(i.Name)}
		if was, ok := c.said[key]; !ok || was.By == "" {
			c.said[key] = i
		}
		if i.CPE != "" && i.EOL != "" {
			c.eolOf[i.CPE], c.cpeOf[i.EOL] = i.EOL, i.CPE
		}
	}
	for _, x := range inv.Cycles {
		c.cycles[x.Product] = append(c.cycles[x.Product], x)
	}
	for _, v := range inv.Vulnerabilities {
		cpe := c.cpeOfEntry(v)
		c.kev[cpe] = append(c.kev[cpe], v)
	}
	return c
}

// cpeOfEntry is the product of an entry of the list of exploited vulnerabilities:
// what was said of its names, else the names as the CPE would write them.
func (c *catalogue) cpeOfEntry(v inventory.Vulnerability) string {
	if i := c.look(v.Vendor, v.Product); i.CPE != "" {
		return i.CPE
	}
	return underscore(v.Vendor) + ":" + underscore(v.Product)
}

// look finds what was said, or a list says, of a name.
func (c *catalogue) look(vendor, name string) inventory.Identity {
	v, n := Normal(vendor), Normal(name)
	for _, key := range [][2]string{{v, n}, {"", n}, {"", v + " " + n}} {
		if i, ok := c.said[key]; ok && (i.By != "" || key[1] != n || key[0] != "" || v == "" || strings.HasPrefix(i.CPE, underscore(vendor))) {
			return i
		}
	}
	return inventory.Identity{}
}

// identify says which product a name means.
func (c *catalogue) identify(vendor, name, cpe, eol string) (id Identity) {
	switch {
	case cpe != "" || eol != "":
		id = Identity{CPE: cpe, EOL: eol, How: "declared"}
	default:
		i := c.look(vendor, name)
		id = Identity{CPE: i.CPE, EOL: i.EOL, None: i.None, By: i.By}
		switch {
		case i.By != "":
			id.How = "said"
		case i.Name != "":
			id.How = "list"
		}
	}
	if id.None {
		return id
	}
	if id.CPE == "" && id.EOL == "" {
		for _, s := range []string{name, vendor + " " + name} {
			if slug := strings.ReplaceAll(Normal(s), " ", "-"); c.cycles[slug] != nil {
				id.EOL, id.How = slug, "name"
				break
			}
		}
		if both := underscore(vendor) + ":" + underscore(name); id.EOL == "" && vendor != "" && c.kev[both] != nil {
			id.CPE, id.How = both, "name"
		}
	}
	if id.EOL == "" {
		id.EOL = c.eolOf[id.CPE]
	}
	if id.CPE == "" {
		id.CPE = c.cpeOf[id.EOL]
	}
	return id
}

// noise is what says nothing about which product a name means.
var noise = map[string]bool{
	"inc": true, "ltd": true, "llc": true, "corp": true, "corporation": true, "limited": true, "gmbh": true, "the": true, "foundation": true, "software": true, "project": true, "technologies": true,
	"x64": true, "x86": true, "64": true, "32": true, "bit": true, "64bit": true, "en": true, "us": true, "gb": true, "edition": true, "version": true, "for": true, "and": true,
}

// Normal is a name as names are compared: lower case, words only, without what
// companies and installers add.
func Normal(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r > 127 || r == '.' || r == '+' || r == '#')
	})
	out := words[:0]
	for _, w := range words {
		if w = strings.Trim(w, "."); w != "" && !noise[w] && !version(w) {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		return strings.ToLower(strings.TrimSpace(s))
	}
	return strings.Join(out, " ")
}

// version reports whether a word is a version: digits with a point between them.
func version(w string) bool {
	return strings.Contains(w, ".") && strings.Trim(w, "0123456789.") == ""
}

func underscore(s string) string { return strings.ReplaceAll(Normal(s), " ", "_") }

// Release is the cycle that an installed version belongs to.
type Release struct {
	inventory.Cycle
	Guess  bool // several cycles fit, as editions do: the one that ends first was taken
	Latest bool // the newest release of the cycle is installed
}

// release finds the cycle of a version. cycle, if given, is its name.
func (c *catalogue) release(product, cycle, version string) (r Release, ok bool) {
	installed := digits(version)
	var fit []inventory.Cycle
	var longest int
	for _, x := range c.cycles[product] {
		n := 0
		switch name, latest := digits(x.Cycle), digits(x.Latest); {
		case cycle != "":
			if x.Cycle == cycle {
				n = 1
			}
		case len(latest) > 1 && begins(installed, latest): // the newest of a cycle, and Windows by its build
			n = 100
		case len(name) > 0 && begins(installed, name):
			n = len(name)
		}
		if n == 0 || n < longest {
			continue
		}
		if n > longest {
			fit, longest = nil, n
		}
		fit = append(fit, x)
	}
	if len(fit) == 0 {
		return r, false
	}
	if len(fit) > 1 && longest < 100 { // service packs: the first whose newest release is not older
		slices.SortStableFunc(fit, func(a, b inventory.Cycle) int { return slices.Compare(digits(a.Latest), digits(b.Latest)) })
		at := slices.IndexFunc(fit, func(x inventory.Cycle) bool { return slices.Compare(digits(x.Latest), installed) >= 0 })
		if at < 0 {
			at = len(fit) - 1
		}
		fit = fit[at : at+1]
	}
	slices.SortFunc(fit, func(a, b inventory.Cycle) int {
		return cmp.Or(bool2(!numbered(a.Cycle))-bool2(!numbered(b.Cycle)), bool2(a.End.IsZero())-bool2(b.End.IsZero()), a.End.Compare(b.End))
	})
	r = Release{Cycle: fit[0], Guess: len(fit) > 1 && !numbered(fit[0].Cycle)}
	latest := digits(r.Cycle.Latest)
	r.Latest = numbered(strings.SplitN(r.Cycle.Cycle, "-sp", 2)[0]) && begins(latest, digits(r.Cycle.Cycle)) && len(latest) > 1 && len(installed) <= len(latest) && slices.Compare(installed, latest) >= 0
	return r, true
}

// numbered reports whether the name of a cycle is a number: "16", "8.5", "2019".
func numbered(s string) bool { return s != "" && strings.Trim(s, "0123456789.") == "" }

// digits are the numbers of a version: "10.0.22631.4037" and "Ubuntu 24.04.3 LTS"
// alike.
func digits(s string) (out []int) {
	for _, w := range strings.Fields(s) {
		if w[0] < '0' || w[0] > '9' {
			continue
		}
		if end := strings.IndexFunc(w, func(r rune) bool { return r != '.' && (r < '0' || r > '9') }); end > 0 {
			w = w[:end]
		}
		for part := range strings.SplitSeq(w, ".") {
			n, err := strconv.Atoi(part)
			if err != nil {
				break
			}
			out = append(out, n)
		}
		return out
	}
	return nil
}

func begins(all, head []int) bool {
	return len(all) >= len(head) && slices.Equal(all[:len(head)], head)
}

// Threat is an exploited vulnerability of something that the body has.
type Threat struct {
	inventory.Vulnerability
	Due    def.Date // the earlier of the list's day and 14 days after it was added
	Closed string   // why it is not open, "" if it is
}

// threats are the entries about a product, the first due first.
func (c *catalogue) threats(id Identity, r Release, known bool, done func(cve string) string) (out []Threat) {
	for _, v := range c.kev[id.CPE] {
		t := Threat{Vulnerability: v, Due: v.Added.AddDays(FixDays)}
		if !v.Due.IsZero() && v.Due.Before(t.Due) {
			t.Due = v.Due
		}
		switch said := done(v.CVE); {
		case said != "":
			t.Closed = said
		case known && !r.Release.IsZero() && v.Added.Before(r.Release):
			t.Closed = "the release is newer"
		case known && r.Latest && !c.eolAt.IsZero() && v.Added.Before(def.DateOf(c.eolAt)):
			t.Closed = "the newest release is installed"
		}
		out = append(out, t)
	}
	slices.SortFunc(out, func(a, b Threat) int {
		return cmp.Or(bool2(a.Closed != "")-bool2(b.Closed != ""), a.Due.Compare(b.Due), cmp.Compare(a.CVE, b.CVE))
	})
	return out
}

func bool2(b bool) int {
	if b {
		return 1
	}
	return 0
}
