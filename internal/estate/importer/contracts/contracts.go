// Package contracts reads the register of contracts that a body keeps or publishes:
// one supplier contract a row, under any headings.
//
// What is guaranteed: every row becomes a supplier contract or is told with the
// reason; every value that was not understood is told with its row and column. What
// not to assume: that two names are two suppliers; names that read the same are one.
package contracts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
)

// Source is the register of contracts.
var Source = importer.Source{
	Name: "contracts", Title: "Contracts register", Becomes: "supplier contracts, and the suppliers and systems that they name", Unit: "row",
	Doc:   "A register of contracts with one a row, under any headings: also the one that the transparency code asks councils to publish.",
	Files: []string{".csv", ".xlsx"}, Vocabulary: columns, Read: read,
	Detect: func(head []byte, name string) bool {
		return columns.Detects(head, name, 4) && !strings.Contains(strings.ToLower(string(head[:min(len(head), 400)])), "application")
	},
}

var columns = &sheet.Vocabulary{Of: "contract", Key: "supplier", More: []string{"annualThousands", "totalThousands"}, Adjust: thousands, Meanings: sheet.Means([][3]string{
	{"reference", "|reference|reference number|contract reference|contract reference number|contract ref|contract number|contract no|contract id|ref|id|", "contract ref|contract number|reference number"},
	{"title", "|title|title of agreement|contract title|contract name|agreement|contract|name|", "contract title|title of agreement|contract name"},
	{"supplier", "|supplier|supplier name|supplier name and details|vendor|contractor|company|provider|awarded supplier|awarded supplier s|", "supplier|vendor|contractor"},
	{"company", "|companies house|company number|company registration number|registration number|", "company number|companies house"},
	{"starts", "|start|start date|contract start|contract start date|commencement|commencement date|from|", "start date|commence"},
	{"review", "|review date|", "review date"},
	{"ends", "|end|end date|contract end|contract end date|expiry|expiry date|to|", "end date|expir"},
	{"notice", "|notice|notice period|notice days|notice period days|", "notice"},
	{"renews", "|renews|auto renew|automatic renewal|renews automatically|evergreen|", "auto renew|automatic renew"},
	{"annual", "|annual value|annual cost|yearly value|cost per year|annual contract value|annual spend|", "annual|per year|per annum"},
	{"total", "|value|contract value|total value|total contract value|sum to be paid|award value|", "contract value|total value"},
	{"seats", "|seats|licences|licenses|number of licences|users|", "number of licen"},
	{"systems", "|system|systems|application|applications|software|", "system"},
	{"department", "|department|directorate|service|local authority department|", "department"},
	{"description", "|description|description of goods|description of the goods and or services being provided|details|", "description"},
})}

func thousands(field, heading string) string {
	if (field == "annual" || field == "total") && sheet.Thousands.MatchString(heading) {
		return field + "Thousands"
	}
	return field
}

type reader struct {
	r    *importer.Reading
	used map[string]bool
	made map[string]string // ids of what contracts name, by kind and words of the name
	refs map[string]int    // rows, by reference
}

func read(_ context.Context, in importer.Input) (*importer.Reading, error) {
	r, lines, err := importer.Open(columns, in)
	if err != nil {
		return nil, err
	}
	b := &reader{r: r, used: map[string]bool{}, made: map[string]string{}, refs: map[string]int{}}
	r.Each(lines, in.Progress, b.row)
	return r, nil
}

func (b *reader) row(l *sheet.Line) bool {
	who, title, reference := l.Get("supplier"), l.Get("title"), l.Get("reference")
	switch {
	case who == "":
		b.r.Fail(l.N, l.Heading("supplier"), "there is no supplier, so no contract was made")
		return false
	case slices.Contains([]string{"total", "totals", "grand total"}, sheet.Words(who)):
		b.r.Fail(l.N, l.Heading("supplier"), "the row looks like a total, so no contract was made")
		return false
	case reference != "" && b.refs[reference] != 0:
		b.r.Fail(l.N, l.Heading("reference"), "row %d has the same reference, and counts", b.refs[reference])
		return false
	}
	if reference != "" {
		b.refs[reference] = l.N
	}
	spec := supplier.Spec{Supplier: b.supplier(l, who), Reference: reference}
	for _, name := range sheet.Split(l.Get("systems")) {
		if id := b.name(l.N, "System", "sys-", name, system.Spec{}); !slices.Contains(spec.Systems, id) {
			spec.Systems = append(spec.Systems, id)
		}
	}
	spec.Seats = l.Number("seats", sheet.Count)
	spec.Term = term(l)
	spec.Cost = cost(l, spec.Term)
	if title == "" {
		if title = reference; title == "" {
			title = "Contract"
		}
		title += " with " + who
	}
	base := reference
	if base == "" {
		base = who + " " + title
	}
	id := "con-" + sheet.Slug(base)
	for n := 2; b.used[id]; n++ {
		id = fmt.Sprintf("con-%s-%d", sheet.Slug(base), n)
	}
	b.used[id] = true
	d := importer.Define("SupplierContract", id, l.Short("title", title, 200), l.N, spec)
	if reference != "" {
		d.Keys = append(d.Keys, "spec:reference="+reference)
	}
	for _, f := range []string{"department", "description"} {
		if v := l.Get(f); v != "" {
			if d.Labels == nil {
				d.Labels = map[string]string{}
			}
			d.Labels[f] = l.Short(f, v, 500)
		}
	}
	b.r.Definitions = append(b.r.Definitions, d)
	return true
}

// supplier finds or makes the organisation that supplies.
func (b *reader) supplier(l *sheet.Line, who string) string {
	spec := organisation.Spec{Type: "supplier"}
	number := strings.ToUpper(strings.ReplaceAll(l.Get("company"), " ", ""))
	if number != "" {
		spec.Identifiers = map[string]string{"companies-house": number}
	}
	key := "Organisation/" + sheet.Words(who)
	_, had := b.made[key]
	id := b.name(l.N, "Organisation", "org-", who, spec)
	if !had && number != "" {
		b.r.Definitions[len(b.r.Definitions)-1].Identifier("companies-house", number)
	}
	return id
}

// name finds or makes what a contract names.
func (b *reader) name(row int, kind, prefix, name string, spec any) string {
	key := kind + "/" + sheet.Words(name)
	if id, ok := b.made[key]; ok {
		return id
	}
	id := prefix + sheet.Slug(name)
	for n := 2; b.used[id]; n++ {
		id = fmt.Sprintf("%s%s-%d", prefix, sheet.Slug(name), n)
	}
	b.used[id], b.made[key] = true, id
	d := importer.Define(kind, id, name, row, spec)
	d.Minor = true
	b.r.Definitions = append(b.r.Definitions, d)
	return id
}

func term(l *sheet.Line) *supplier.Term {
	t := supplier.Term{Starts: l.Date("starts", false), Ends: l.Date("ends", true), Renews: l.Yes("renews")}
	t.NoticeDays = l.Number("notice", func(s string) (int, error) { return sheet.Span(s, "day") })
	switch {
	case t.Starts != nil && t.Ends != nil && t.Ends.Before(*t.Starts):
		l.Say("ends", "%s is before the start on %s; neither date was used", t.Ends, t.Starts)
		t.Starts, t.Ends, t.NoticeDays = nil, nil, nil
	case t.NoticeDays != nil && t.Ends == nil:
		l.Say("notice", "without the end of the contract the notice says nothing; it was not used")
		t.NoticeDays = nil
	case t.NoticeDays != nil && t.Starts != nil && *t.NoticeDays > t.Ends.Sub(*t.Starts)+1:
		l.Say("notice", "notice of %d days is longer than the contract; it was not used", *t.NoticeDays)
		t.NoticeDays = nil
	}
	if t == (supplier.Term{}) {
		return nil
	}
	return &t
}

// cost is what a year costs. A value for the whole term is shared out over its
// years where both of its ends are known, and told.
func cost(l *sheet.Line, t *supplier.Term) []supplier.Cost {
	for _, f := range []struct {
		field string
		times int64
		whole bool
	}{{"annual", 1, false}, {"annualThousands", 1000, false}, {"total", 1, true}, {"totalThousands", 1000, true}} {
		v := l.Get(f.field)
		if v == "" {
			continue
		}
		minor, err := sheet.Money(v, f.times)
		if err != nil {
			l.Say(f.field, "%v", err)
			continue
		}
		if f.whole {
			if t == nil || t.Starts == nil || t.Ends == nil {
				l.Say(f.field, "it is the value of the whole contract, and how many years that is, is not known; it was not used")
				continue
			}
			days := int64(t.Ends.Sub(*t.Starts) + 1)
			year := minor
			if days > 366 {
				year = minor * 365 / days
			}
			l.Say(f.field, "%s for %d days was taken as £%d.%02d a year", v, days, year/100, year%100)
			minor = year
		}
		return []supplier.Cost{{Annual: minor / 100, Minor: minor % 100}}
	}
	return nil
}
