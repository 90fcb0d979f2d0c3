package person

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Verdict says whether two descriptions are of one person.
type Verdict uint8

// The verdicts.
const (
	Different Verdict = iota
	Unsure            // a person decides
	Same
)

// compare decides whether known and told describe one person, and why, in a
// code that names fields and never values.
//
// Certain are name, date of birth and address together, or an identifier that
// this body gave with a date of birth that does not contradict it. No number of
// another sector is looked at. What agrees in part is unsure.
func (r *rules) compare(known, told Details) (Verdict, string) {
	name := sameName(known.Name, told.Name)
	born := known.DateOfBirth != "" && known.DateOfBirth == told.DateOfBirth
	bornUnknown := known.DateOfBirth == "" || told.DateOfBirth == ""
	address, addressKnown := sameAddress(known, told)
	if r.sharedIdentifier(known, told) {
		if (born || bornUnknown) && (name || similarName(known.Name, told.Name)) {
			return Same, "identifier"
		}
		return Unsure, "identifier-but-not-name-or-birth"
	}
	switch {
	case name && born && address && middleConflict(known.Name, told.Name):
		return Unsure, "middle-names-differ"
	case name && born && address:
		return Same, "name-birth-address"
	case name && born && addressKnown:
		return Unsure, "address-differs"
	case name && born:
		return Unsure, "no-address-to-compare"
	case born && address && similarName(known.Name, told.Name):
		return Unsure, "name-is-similar"
	case name && address && bornUnknown:
		return Unsure, "no-birth-to-compare"
	case name && address && closeDate(known.DateOfBirth, told.DateOfBirth):
		return Unsure, "birth-is-close"
	}
	return Different, ""
}

// whyText says a code of compare in plain words, for the person who decides.
func whyText(code string) string {
	switch code {
	case "identifier-but-not-name-or-birth":
		return "They share a number that we gave, but the name or date of birth is different."
	case "middle-names-differ":
		return "The name, date of birth and address are the same, but the middle names are not."
	case "address-differs":
		return "The name and date of birth are the same, but the address is different."
	case "no-address-to-compare":
		return "The name and date of birth are the same, but one of them has no address to compare."
	case "name-is-similar":
		return "The date of birth and address are the same, and the names are alike but not the same."
	case "no-birth-to-compare":
		return "The name and address are the same, but one of them has no date of birth."
	case "birth-is-close":
		return "The name and address are the same, and the dates of birth look like a slip of the pen."
	case "several":
		return "More than one person we know fits."
	}
	return "Part of what we know agrees."
}

// rules are what matching depends on besides the two descriptions.
type rules struct {
	own map[string]bool // identifier systems of this body
}

func (r *rules) sharedIdentifier(a, b Details) bool {
	for _, x := range a.Identifiers {
		for _, y := range b.Identifiers {
			if r.own[x.System] && x.System == y.System && x.Value != "" && fold(x.Value) == fold(y.Value) {
				return true
			}
		}
	}
	return false
}

// fold makes spellings of one word equal: no accents, no case, no punctuation.
func fold(s string) string {
	var b strings.Builder
	for _, r := range norm.NFKD.String(s) {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// given splits the given names: the first, and the others.
func given(n Name) (first string, middle []string) {
	for i, w := range strings.FieldsFunc(n.Given, func(r rune) bool { return unicode.IsSpace(r) || r == ',' }) {
		if f := fold(w); i == 0 {
			first = f
		} else if f != "" {
			middle = append(middle, f)
		}
	}
	return first, middle
}

func sameName(a, b Name) bool {
	x, _ := given(a)
	y, _ := given(b)
	return x == y && fold(a.Family) == fold(b.Family) && x+fold(a.Family) != ""
}

// middleConflict reports that both have middle names and none agrees, not even
// as an initial.
func middleConflict(a, b Name) bool {
	_, x := given(a)
	_, y := given(b)
	if len(x) == 0 || len(y) == 0 {
		return false
	}
	for _, m := range x {
		for _, n := range y {
			if m == n || (len(m) == 1 || len(n) == 1) && m[0] == n[0] {
				return false
			}
		}
	}
	return true
}

// similarName reports names that one person may go by: a slip, an initial, a
// changed family name, or the two names swapped.
func similarName(a, b Name) bool {
	x, xm := given(a)
	y, ym := given(b)
	f, g := fold(a.Family), fold(b.Family)
	alike := func(s, t string) bool {
		return s == t || s != "" && t != "" && ((len(s) == 1 || len(t) == 1) && s[0] == t[0] || jaroWinkler(s, t) >= 0.9)
	}
	if alike(x, y) && (alike(f, g) || x == y) {
		return true
	}
	if x == g && y == f {
		return true
	}
	for _, m := range append(xm, ym...) { // goes by a middle name
		if f == g && (m == x || m == y) {
			return true
		}
	}
	return false
}

// sameAddress reports whether a and b share an address, and whether both have
// one to compare.
func sameAddress(a, b Details) (same, known bool) {
	for _, x := range a.addresses() {
		for _, y := range b.addresses() {
			p, q := fold(x.Postcode), fold(y.Postcode)
			l, m := x.line(), y.line()
			if p != "" && q != "" || l != "" && m != "" {
				known = true
			}
			if p != "" && p == q || l != "" && l == m {
				return true, true
			}
		}
	}
	return false, known
}

// closeDate reports two civil dates that differ in one digit, or in day and
// month swapped.
func closeDate(a, b string) bool {
	if len(a) != 10 || len(b) != 10 {
		return false
	}
	if a[:5] == b[:5] && a[5:7] == b[8:] && a[8:] == b[5:7] {
		return true
	}
	n := 0
	for i := range a {
		if a[i] != b[i] {
			n++
		}
	}
	return n == 1
}

// jaroWinkler is the usual likeness of two words, 0 to 1.
func jaroWinkler(s, t string) float64 {
	a, b := []rune(s), []rune(t)
	if len(a) == 0 || len(b) == 0 {
		return 0
	}
	reach := max(len(a), len(b))/2 - 1
	inA, inB := make([]bool, len(a)), make([]bool, len(b))
	m := 0
	for i := range a {
		for j := max(0, i-reach); j < min(len(b), i+reach+1); j++ {
			if !inB[j] && a[i] == b[j] {
				inA[i], inB[j] = true, true
				m++
				break
			}
		}
	}
	if m == 0 {
		return 0
	}
	swaps, j := 0, 0
	for i := range a {
		if !inA[i] {
			continue
		}
		for !inB[j] {
			j++
		}
		if a[i] != b[j] {
			swaps++
		}
		j++
	}
	f := float64(m)
	jaro := (f/float64(len(a)) + f/float64(len(b)) + (f-float64(swaps)/2)/f) / 3
	prefix := 0
	for prefix < min(4, len(a), len(b)) && a[prefix] == b[prefix] {
		prefix++
	}
	return jaro + float64(prefix)*0.1*(1-jaro)
}
