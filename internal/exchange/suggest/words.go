package suggest

import (
	"regexp"
	"strings"
	"unicode"
)

// synonyms are ways to say one thing, a line each; the first is how it is kept.
// Words of several parts come before their parts are looked at.
var synonyms = parse(`
birthdate|date of birth|birth date|dob|born|birthday
deathdate|date of death|death date|dod|died|deceased date|deceased on|died on
family|surname|last name|family name|lastname|familyname
given|forename|forenames|first name|given name|given names|first names|firstname|christian name
fullname|full name|name of person
postcode|post code|postal code|zip|zip code|zipcode|pcode
email|e mail|email address|mail address
phone|telephone|tel|mobile|telephone number|phone number|mobile number|contact number
lines|line|address line|street|road|address lines
town|city|post town|locality|town or city
county|shire
country|nation
national insurance|nino|ni number|national insurance number
nhs number|nhs no
uprn|unique property reference number
sex|gender
title|salutation|honorific
reference|ref|case ref|our ref
registration|registration number|reg no|registration no
identifier|id|number|no|num|code|nr
amount|value|sum|total|price|cost|fee
start|starts|from|begin|begins|commencement|commenced|start date|valid from|effective from
end|ends|to|until|finish|expiry|expires|end date|valid to
on|date|day
registered|registered on|date registered|registration date|date of registration
received|received on|date received
moved|moved on|date of move|move date
closed|closed on|date closed
opened|opened on|date opened
status|state|stage
kind|type|category
description|desc|details|detail|summary|proposal
notes|note|comment|comments|remarks
organisation|organization|org|company|employer
supplier|vendor|provider
authority|council|local authority|la
district|registration district|sub district
deceased|dead|late
person|individual|customer|client|citizen|resident
url|link|website|web|web address|homepage|page
latitude|lat
longitude|lng|lon|long
easting|x
northing|y
employee|staff|worker|employee number|payroll number
pupil|student|learner|upn
team|department|dept|unit|service
home|property|dwelling|premises
relationship|relation
informant|informed by|registrant
benefit|award type
pence|pennies|minor units
`)

func parse(table string) map[string]string {
	m := map[string]string{}
	for _, line := range strings.Split(strings.TrimSpace(table), "\n") {
		words := strings.Split(line, "|")
		for _, w := range words {
			m[w] = words[0]
		}
	}
	return m
}

// filler says nothing by itself.
var filler = map[string]bool{"the": true, "of": true, "a": true, "an": true, "and": true, "or": true, "is": true, "s": true, "in": true, "at": true, "for": true, "by": true}

// light says little: many things have one.
var light = map[string]bool{"identifier": true, "on": true, "name": true, "kind": true, "status": true, "description": true, "value": true, "number": true}

var camel = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// words are what a name is made of, each as it is kept.
func words(name string) []string {
	var parts []string
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if _, known := synonyms[strings.ToLower(part)]; !known { // not DoB
			part = camel.ReplaceAllString(part, "$1 $2")
		}
		parts = append(parts, strings.Fields(strings.ToLower(part))...)
	}
	var out []string
	for i := 0; i < len(parts); {
		n := 1
		word := parts[i]
		for k := min(4, len(parts)-i); k > 0; k-- {
			if kept, ok := synonyms[strings.Join(parts[i:i+k], " ")]; ok {
				word, n = kept, k
				break
			}
		}
		if word == parts[i] {
			if kept, ok := synonyms[strings.TrimSuffix(word, "s")]; ok && len(word) > 3 {
				word = kept
			}
			if bare := strings.TrimRight(word, "0123456789"); bare != "" && bare != word { // address1
				if kept, ok := synonyms[bare]; ok {
					bare = kept
				}
				word = bare
			}
		}
		if i += n; !filler[word] {
			out = append(out, strings.Fields(word)...)
		}
	}
	return out
}

// alike is how much two names say the same, 0 to 1: that of a column, and that of a
// field with the objects that it stands in.
func alike(column, leaf, above []string) float64 {
	if len(column) == 0 || len(leaf) == 0 {
		return 0
	}
	match := func(w string, in []string) float64 {
		best := 0.0
		for _, other := range in {
			best = max(best, same(w, other))
		}
		return best
	}
	share := func(of, in, more []string, less float64) float64 {
		got, all := 0.0, 0.0
		for _, w := range of {
			weight := 1.0
			if light[w] {
				weight = 0.4
			}
			all += weight
			got += weight * max(match(w, in), less*match(w, more))
		}
		return got / all
	}
	of, back := share(leaf, column, nil, 0), share(column, leaf, above, 0.9)
	score := of * (0.35 + 0.65*back)
	if len(above) > 0 && of > 0 { // "deceased surname" is said of the deceased's rather than of the informant's
		score += 0.12 * share(above[len(above)-1:], column, nil, 0)
	}
	return min(score, 1)
}

// same is how much two words are one: misspelt, cut short.
func same(a, b string) float64 {
	if a == b {
		return 1
	}
	short, long := a, b
	if len(short) > len(long) {
		short, long = long, short
	}
	if len(short) >= 4 && strings.HasPrefix(long, short) {
		return 0.85
	}
	if len(short) >= 5 && distance(a, b) <= 1+len(short)/8 {
		return 0.8
	}
	return 0
}

// distance is how many letters must change for one word to be the other.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
