// Package published reads three lists that are published about the public sector
// of the United Kingdom: the catalogue of government APIs, the list of local
// authorities, and the links to the services of councils.
//
// What is guaranteed: every row is taken, left out with the reason counted, or told
// as a problem. What not to assume: that the lists are right or up to date; they
// are read from a file, never fetched.
package published

import (
	"context"
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/system"
)

// Sources are the published lists.
func Sources() []importer.Source {
	return []importer.Source{APIs, Councils, Services}
}

// headed recognises a CSV file by columns that its first line must have.
func headed(columns ...string) func([]byte, string) bool {
	return func(head []byte, _ string) bool {
		line, _, _ := strings.Cut(strings.TrimPrefix(string(head), "\ufeff"), "\n")
		cells, err := csv.NewReader(strings.NewReader(line)).Read()
		if err != nil {
			return false
		}
		has := map[string]bool{}
		for _, c := range cells {
			has[strings.TrimSpace(c)] = true
		}
		for _, c := range columns {
			if !has[c] {
				return false
			}
		}
		return true
	}
}

// APIs is the catalogue of the UK government's APIs.
var APIs = importer.Source{
	Name: "api-catalogue", Title: "UK government API catalogue", Becomes: "systems, their interfaces and the organisations that provide them", Unit: "row",
	Doc:   "catalogue.csv of the repository co-cddo/api-catalogue: one API a row. Each becomes a system with an interface, under the organisation that provides it.",
	Files: []string{".csv"}, Vocabulary: apiColumns, Detect: headed("dateAdded", "documentation", "provider"), Read: readAPIs,
}

var apiColumns = &sheet.Vocabulary{Of: "API", Key: "name", Meanings: sheet.Means([][3]string{
	{"name", "|name|title|", ""}, {"url", "|url|address|", ""}, {"description", "|description|", ""}, {"documentation", "|documentation|docs|", ""},
	{"provider", "|provider|organisation|", ""}, {"licence", "|license|licence|", ""}, {"area", "|area served|", ""}, {"contact", "|maintainer|contact|", ""},
	{"starts", "|start date|", ""}, {"ends", "|end date|", ""}, {"added", "|date added|", ""}, {"updated", "|date updated|", ""},
})}

func readAPIs(_ context.Context, in importer.Input) (*importer.Reading, error) {
	r, lines, err := importer.Open(apiColumns, in)
	if err != nil {
		return nil, err
	}
	seen, providers := map[string]int{}, map[string]bool{}
	r.Each(lines, in.Progress, func(l *sheet.Line) bool {
		name, provider := l.Get("name"), l.Get("provider")
		if name == "" {
			r.Fail(l.N, "name", "there is no name, so nothing was made")
			return false
		}
		number := sheet.Slug(provider) + "/" + sheet.Slug(name)
		if first, twice := seen[number]; twice {
			r.Fail(l.N, "name", "row %d has an API of the same name and provider, which counts", first)
			return false
		}
		seen[number] = l.N
		id := sheet.Slug(name)
		owner := ""
		if provider != "" {
			owner = "org-" + sheet.Slug(provider)
			if !providers[owner] {
				providers[owner] = true
				d := importer.Define("Organisation", owner, titled(provider), l.N, organisation.Spec{Type: "partner"})
				d.Minor = true
				r.Definitions = append(r.Definitions, d)
			}
		}
		r.Definitions = append(r.Definitions, api(l, "sys-"+id, name, owner, number)...)
		return true
	})
	return r, nil
}

func api(l *sheet.Line, id, name, owner, number string) []importer.Definition {
	s := system.Spec{Description: l.Short("description", l.Get("description"), 4000), Organisation: owner, Audience: []string{"partner"}}
	documentation := l.Address("documentation")
	if documentation != "" {
		s.API = "documented"
	}
	cycle := system.Lifecycle{Since: l.Date("starts", false), End: l.Date("ends", true)}
	if cycle.Since != nil && cycle.End != nil && cycle.End.Before(*cycle.Since) {
		l.Say("ends", "%s is before the start on %s; neither date was used", cycle.End, cycle.Since)
		cycle = system.Lifecycle{}
	}
	if cycle != (system.Lifecycle{}) {
		s.Lifecycle = &cycle
	}
	d := importer.Define("System", id, name, l.N, s)
	d.Label("import/api-catalogue", number)
	way := map[string]any{"system": id, "style": "api"}
	if documentation != "" {
		way["definition"] = documentation
	}
	i := importer.Definition{Kind: "Interface", ID: "if-" + strings.TrimPrefix(id, "sys-"), Name: name, Row: l.N, Spec: way, Default: []string{"spec.style"}}
	i.Label("import/api-catalogue", number)
	for label, field := range map[string]string{"url": "url", "licence": "licence"} {
		if v := l.Get(field); v != "" {
			i.Labels[label] = v
		}
	}
	return []importer.Definition{d, i}
}

// titled makes a name of a word of an address: "food-standards-agency".
func titled(slug string) string {
	words := strings.Fields(strings.ReplaceAll(slug, "-", " "))
	for i, w := range words {
		if w != "of" && w != "and" && w != "the" && w != "for" {
			words[i] = strings.ToUpper(w[:1]) + w[1:]
		}
	}
	return strings.Join(words, " ")
}

// Councils is the list of the UK's local authorities.
var Councils = importer.Source{
	Name: "councils", Title: "UK local authorities", Becomes: "organisations: partners, with the numbers that others know them by", Unit: "row",
	Doc:   "uk_local_authorities_current.csv of mySociety. Authorities that have been replaced are left out and counted.",
	Files: []string{".csv"}, Vocabulary: councilColumns, Detect: headed("local-authority-code", "official-name", "gss-code"), Read: readCouncils,
}

var councilColumns = &sheet.Vocabulary{Of: "council", Key: "name", Meanings: sheet.Means([][3]string{
	{"code", "|local authority code|", ""}, {"name", "|official name|", ""}, {"short", "|nice name|", ""}, {"gss", "|gss code|", ""},
	{"starts", "|start date|", ""}, {"ends", "|end date|", ""}, {"replacedBy", "|replaced by|", ""}, {"nation", "|nation|", ""}, {"region", "|region|", ""},
	{"type", "|local authority type name|", ""}, {"current", "|current authority|", ""}, {"slug", "|gov uk slug|", ""},
})}

func readCouncils(_ context.Context, in importer.Input) (*importer.Reading, error) {
	r, lines, err := importer.Open(councilColumns, in)
	if err != nil {
		return nil, err
	}
	seen := map[string]int{}
	ended := 0
	r.Each(lines, in.Progress, func(l *sheet.Line) bool {
		name, code := l.Get("name"), l.Get("code")
		switch current, err := sheet.Yes(l.Get("current")); {
		case name == "":
			r.Fail(l.N, "official-name", "there is no name, so no organisation was made")
			return false
		case code == "":
			r.Fail(l.N, "local-authority-code", "there is no code, so it could not be found again; no organisation was made")
			return false
		case seen[code] != 0:
			r.Fail(l.N, "local-authority-code", "row %d has the same code, and counts", seen[code])
			return false
		case err == nil && !current:
			ended++
			r.Skipped++
			return false
		}
		seen[code] = l.N
		spec := organisation.Spec{Type: "partner", Identifiers: map[string]string{"local-authority": code}}
		gss := l.Get("gss")
		if gss == "" {
			r.Problem(l.N, "gss-code", "there is no number of the national statistics; it is known by its code %s alone", code)
		} else {
			spec.Identifiers["gss"] = gss
		}
		d := importer.Define("Organisation", "org-"+sheet.Slug(name), name, l.N, spec)
		d.Default = []string{"spec.type"} // it may be the body itself
		d.Identifier("gss", gss)
		d.Label("import/councils", code)
		for _, f := range []string{"nation", "type"} {
			if v := l.Get(f); v != "" {
				d.Labels[f] = v
			}
		}
		r.Definitions = append(r.Definitions, d)
		return true
	})
	if ended > 0 {
		r.Note("%d authorities in the list are no more; they were left out.", ended)
	}
	return r, nil
}

func quantity(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
