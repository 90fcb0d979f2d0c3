package spend

import (
	"slices"
	"strings"
	"unicode"
)

// legal are the words at the end of a company's name that say what sort of
// company it is. Ledgers write them, leave them out or cut them off.
var legal = []string{"ltd", "limited", "plc", "llp", "lp", "inc", "incorporated", "corp", "corporation", "co", "company", "cic", "gmbh", "bv", "sa", "uk", "gb", "group", "holdings", "the"}

// short are words that ledgers cut short, and what they stand for.
var short = map[string]string{
	"sys": "systems", "syst": "systems", "system": "systems", "sw": "software", "svcs": "services", "serv": "services", "svc": "services", "service": "services",
	"tech": "technology", "technologies": "technology", "sol": "solutions", "solns": "solutions", "solution": "solutions", "dig": "digital", "intl": "international", "mgmt": "management", "comms": "communications",
}

// normal is a supplier's name without what ledgers write in different ways:
// case, punctuation, words such as Ltd, and what follows "t/a" is kept as well.
func normal(name string) string {
	words := words(name)
	for len(words) > 1 && slices.Contains(legal, words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	if len(words) > 1 && words[0] == "the" {
		words = words[1:]
	}
	return strings.Join(words, " ")
}

// marks takes out what stands inside words.
var marks = strings.NewReplacer("'", "", "’", "", ".", "", "&", " and ")

// words are the words of a text in lower case, "&" as "and", short forms in full.
func words(s string) []string {
	s = strings.ToLower(s)
	s = marks.Replace(s)
	out := strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	for i, w := range out {
		if full, ok := short[w]; ok {
			out[i] = full
		}
	}
	return out
}

// names are the names in which a ledger may write a supplier: the whole, and
// what stands before and after "trading as".
func names(s string) []string {
	low := strings.ToLower(s)
	for _, cut := range []string{" t/a ", " ta ", " trading as ", " c/o "} {
		if i := strings.Index(low, cut); i > 0 {
			return []string{normal(s[i+len(cut):]), normal(s[:i])}
		}
	}
	return []string{normal(s)}
}

// distance is how many letters must be added, taken out or changed to make a of
// b, or more than most as soon as it must be.
func distance(a, b string, most int) int {
	ra, rb := []rune(a), []rune(b)
	if d := len(ra) - len(rb); d > most || -d > most {
		return most + 1
	}
	row := make([]int, len(rb)+1)
	for j := range row {
		row[j] = j
	}
	for i := range ra {
		diagonal, least := row[0], i+1
		row[0] = i + 1
		for j := range rb {
			cost := diagonal
			if ra[i] != rb[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, cost)
			least = min(least, row[j+1])
		}
		if least > most {
			return most + 1
		}
	}
	return row[len(rb)]
}

// slip is how many letters a name may be off and still be the same: none in a
// short one, where another company is as near.
func slip(name string) int {
	switch n := len([]rune(name)); {
	case n < 8:
		return 0
	case n < 14:
		return 1
	}
	return 2
}
