package importer

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// field is what a column can say of a system.
type field string

const (
	fieldIgnore       field = "ignore"
	fieldName         field = "name"
	fieldReference    field = "reference"
	fieldDescription  field = "description"
	fieldOrganisation field = "organisation"
	fieldOwner        field = "owner"
	fieldDeputy       field = "deputy"
	fieldProduct      field = "product"
	fieldSupplier     field = "supplier"
	fieldCapabilities field = "capabilities"
	fieldHosting      field = "hosting"
	fieldPhase        field = "phase"
	fieldSince        field = "since"
	fieldEnd          field = "end"
	fieldAPI          field = "api"
	fieldAPIDocs      field = "apiDocumentation"
	fieldAuth         field = "auth"
	fieldMFA          field = "twoFactor"
	fieldClients      field = "clients"
	fieldAudience     field = "audience"
	fieldOnline       field = "onlineAddress"
	fieldClass        field = "class"
	fieldPersonal     field = "personalData"
	fieldUsers        field = "users"
	fieldRTO          field = "rtoHours"
	fieldRestore      field = "restoreTested"
	fieldContract     field = "contractReference"
	fieldTermStarts   field = "contractStarts"
	fieldTermEnds     field = "contractEnds"
	fieldNotice       field = "noticeDays"
	fieldCost         field = "annualCost"
	fieldCostK        field = "annualCostThousands"
	fieldSeats        field = "seats"
)

// synonyms are the headings that people give a field, normalised by [words]. The
// order decides when a heading could mean several.
var synonyms = []struct {
	field field
	exact string // whole headings, between bars
	part  string // phrases inside a heading that say enough
}{
	{fieldReference, "|id|system id|application id|app id|asset id|ref|reference|cmdb id|unique id|", ""},
	{fieldName, "|application|application name|system|system name|app|app name|name|solution|solution name|software|software name|name of system|name of application|service name|title|official name|business application|it system|", "system name|application name|name of the system"},
	{fieldDescription, "|description|purpose|what it does|summary|used for|function description|notes on use|", "description"},
	{fieldOrganisation, "|department|directorate|service|service area|organisation|organization|division|business unit|team|owning department|business area|", "department|directorate|service area"},
	{fieldDeputy, "|deputy|deputy owner|backup owner|secondary owner|", "deputy"},
	{fieldOwner, "|owner|business owner|system owner|product owner|service owner|information asset owner|iao|application owner|responsible person|maintainer|", "business owner|system owner|product owner"},
	{fieldSupplier, "|supplier|vendor|provider|manufacturer|software supplier|provider name|supplier name|vendor name|publisher|company|", "supplier|vendor"},
	{fieldProduct, "|product|product name|product version|version|edition|module|modules|", ""},
	{fieldCapabilities, "|capability|capabilities|business capability|business function|function|category|functional area|type of system|", "capabilit"},
	{fieldHosting, "|hosting|hosted|hosting model|hosting type|deployment|deployment model|location hosted|where hosted|cloud|infrastructure|platform|", "hosting|deployment"},
	{fieldPhase, "|status|lifecycle|life cycle|lifecycle status|phase|lifecycle stage|stage|state|current status|", "lifecycle|life cycle"},
	{fieldNotice, "|notice|notice period|notice days|notice period days|termination notice|", "notice period|notice"},
	{fieldTermStarts, "|contract start|contract start date|contract from|contract commencement|agreement start|", "contract start|contract commenc"},
	{fieldTermEnds, "|contract end|contract end date|contract expiry|contract expires|renewal|renewal date|contract renewal|contract renewal date|expiry|expiry date|contract to|agreement end|licence expiry|license expiry|", "contract end|contract expir|renewal date"},
	{fieldContract, "|contract|contract ref|contract reference|contract number|contract id|contract no|po number|", "contract ref|contract no|contract number"},
	{fieldSince, "|go live|go live date|live since|live date|implemented|implementation date|start date|installed|date installed|in use since|live from|", "go live|implementation date"},
	{fieldEnd, "|end date|end of life|decommission date|retirement date|end of support|planned end|eol|switch off|", "decommission|retirement|end of life"},
	{fieldCost, "|cost|annual cost|yearly cost|cost per year|annual spend|annual charge|annual fee|cost pa|cost p a|spend|licence cost|license cost|annual maintenance|price|annual value|annual contract value|tco|", "annual cost|yearly cost|cost per annum|annual spend|annual charge|per year"},
	{fieldSeats, "|seats|licences|licenses|number of licences|number of licenses|no of licences|licence count|", "number of licen|no of licen"},
	{fieldUsers, "|users|user count|number of users|no of users|active users|user base|named users|", "number of users|no of users"},
	{fieldAPIDocs, "|documentation|api documentation|api docs|api url|developer documentation|swagger|openapi|", "api doc"},
	{fieldAPI, "|api|api available|has api|apis|integration|open api|interfaces|", "api"},
	{fieldMFA, "|mfa|2fa|two factor|multi factor|mfa enabled|", "mfa|2fa|multi factor|two factor"},
	{fieldAuth, "|authentication|sign in|login|log in|sso|single sign on|login method|authentication method|identity provider|", "authentication|sign on"},
	{fieldClients, "|client|client type|access method|access|interface type|user interface|device|devices|", "client type|access method"},
	{fieldAudience, "|audience|users type|user type|used by|internal external|public facing|", "audience"},
	{fieldOnline, "|url|web address|website|link|online address|public url|portal url|", "public url|web address"},
	{fieldClass, "|classification|data classification|information classification|sensitivity|data sensitivity|security classification|protective marking|", "classification|sensitivity"},
	{fieldPersonal, "|personal data|contains personal data|pii|gdpr|holds personal data|", "personal data"},
	{fieldRTO, "|rto|rto hours|recovery time|recovery time objective|", "recovery time"},
	{fieldRestore, "|restore tested|last restore test|last dr test|dr test|dr tested|backup tested|", "restore test|dr test"},
}

// Fields are the names that a mapping may give to a column.
func Fields() []string {
	names := []string{string(fieldIgnore), string(fieldCostK)}
	for _, s := range synonyms {
		names = append(names, string(s.field))
	}
	slices.Sort(names)
	return names
}

// Mapping says what the columns of a spreadsheet mean. It is guessed from the
// headings, printed with the result, and can be kept, corrected and given.
type Mapping struct {
	Sheet   string   `yaml:"sheet,omitempty"`  // of a workbook; the first if empty
	Header  int      `yaml:"header,omitempty"` // number of the row with the headings; found if 0
	Dates   string   `yaml:"dates,omitempty"`  // "day-first" (if empty) or "month-first"
	Columns []Column `yaml:"columns"`
}

// Column is one column. Its name is the heading as it stands in the file; the
// second of two equal headings is "Notes (2)".
type Column struct {
	Heading string `yaml:"heading"`
	Field   string `yaml:"field"` // one of [Fields]
}

// ParseMapping reads a mapping that was kept as YAML.
func ParseMapping(data []byte) (*Mapping, error) {
	m := new(Mapping)
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.DisallowUnknownField()).Decode(m); err != nil {
		return nil, invalid("the mapping cannot be read: %s", yaml.FormatError(err, false, false))
	}
	if m.Dates != "" && m.Dates != "day-first" && m.Dates != "month-first" {
		return nil, invalid("the mapping says dates: %s; write day-first or month-first", m.Dates)
	}
	seen := map[string]bool{}
	for _, c := range m.Columns {
		if !slices.Contains(Fields(), c.Field) {
			return nil, invalid("the mapping gives the column %q the field %q; the fields are %s", c.Heading, c.Field, strings.Join(Fields(), ", "))
		}
		if c.Field != string(fieldIgnore) && seen[c.Field] {
			return nil, invalid("the mapping gives the field %q to two columns", c.Field)
		}
		seen[c.Field] = true
	}
	return m, nil
}

// YAML writes the mapping as [ParseMapping] reads it.
func (m Mapping) YAML() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What the columns mean. Fields: %s.\n", strings.Join(Fields(), ", "))
	if m.Sheet != "" {
		fmt.Fprintf(&b, "sheet: %s\n", quote(m.Sheet))
	}
	if m.Header > 0 {
		fmt.Fprintf(&b, "header: %d\n", m.Header)
	}
	if m.Dates != "" {
		fmt.Fprintf(&b, "dates: %s\n", m.Dates)
	}
	b.WriteString("columns:\n")
	for _, c := range m.Columns {
		fmt.Fprintf(&b, "- {heading: %s, field: %s}\n", quote(c.Heading), c.Field)
	}
	return b.Bytes()
}

var (
	thousands = regexp.MustCompile(`(?i)£ ?'?k\b|£ ?'?000'?s?|\bk£|\(k\)|'000|000s`)
	camel     = regexp.MustCompile(`([a-z])([A-Z])`)
	brackets  = regexp.MustCompile(`\([^)]*\)`)
)

// guess finds the field that a heading means, "" if it says nothing known. sure
// tells a whole heading from a phrase inside one.
func guess(heading string) (f field, sure bool) {
	heading = camel.ReplaceAllString(heading, "$1 $2") // startDate
	full, bare := words(heading), words(thousands.ReplaceAllString(brackets.ReplaceAllString(heading, " "), " "))
	for _, try := range []string{full, bare} {
		for _, s := range synonyms {
			if try != "" && strings.Contains(s.exact, "|"+try+"|") {
				return costUnit(s.field, heading), true
			}
		}
	}
	for _, s := range synonyms {
		for _, phrase := range strings.Split(s.part, "|") {
			if phrase != "" && strings.Contains(" "+full, " "+phrase) {
				return costUnit(s.field, heading), false
			}
		}
	}
	return "", false
}

func costUnit(f field, heading string) field {
	if f == fieldCost && thousands.MatchString(heading) {
		return fieldCostK
	}
	return f
}

// headings names the columns of a header row; equal names are numbered.
func headings(cells []string) []string {
	out := make([]string, len(cells))
	seen := map[string]int{}
	for i, c := range cells {
		h := clean(c)
		if h == "" {
			h = "column " + columnName(i)
		}
		seen[h]++
		if seen[h] > 1 {
			h = fmt.Sprintf("%s (%d)", h, seen[h])
		}
		out[i] = h
	}
	return out
}

// columnName is what a spreadsheet program calls column i: 0 is A, 26 is AA.
func columnName(i int) string {
	name := ""
	for i++; i > 0; i = (i - 1) / 26 {
		name = string(rune('A'+(i-1)%26)) + name
	}
	return name
}

// findHeader finds the row with the headings among the first rows: the one with
// the most headings that are understood.
func findHeader(rows []line) int {
	best, most := -1, 0
	for i, l := range rows[:min(len(rows), 25)] {
		score := 0
		seen := map[field]bool{}
		for _, c := range l.cells {
			f, sure := guess(c)
			if f == "" || seen[f] || len(c) > 60 {
				continue
			}
			seen[f] = true
			score++
			if sure {
				score++
			}
			if f == fieldName {
				score += 2
			}
		}
		if score > most {
			best, most = i, score
		}
	}
	return best
}

// propose guesses what the columns mean. Of two columns that could be the same
// field the surer, then the first, is taken; others says which were not.
func propose(names []string) (columns []Column, others map[string]string) {
	others = map[string]string{}
	taken := map[field]int{}
	exact := make([]bool, len(names))
	columns = make([]Column, len(names))
	for i, h := range names {
		f, sure := guess(h)
		columns[i] = Column{Heading: h, Field: string(fieldIgnore)}
		if f == "" {
			continue
		}
		was, used := taken[f]
		switch {
		case !used:
		case sure && !exact[was]:
			columns[was].Field = string(fieldIgnore)
			others[names[was]] = string(f)
		default:
			others[h] = string(f)
			continue
		}
		taken[f], exact[i], columns[i].Field = i, sure, string(f)
	}
	return columns, others
}
