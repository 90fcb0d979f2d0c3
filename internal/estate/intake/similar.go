package intake

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
)

// Match is something that may already do what is asked for.
type Match struct {
	Kind, ID, Name string
	What           string // in words: "Shared system", "System", "Request"
	Why            string
	Href           string
	score          float64
}

// document is something that can be found.
type document struct {
	Match
	words map[string]float64 // by how much each counts
}

// Similar finds what the body has that may do what text says: shared systems,
// systems, capabilities, components and other requests, best first. A capability,
// if given, brings up what provides it.
func Similar(s *register.Snapshot, all []*gate.Request, text, capability string, max int) []Match {
	query := map[string]bool{}
	for _, w := range terms(text) {
		query[w] = true
	}
	if len(query) == 0 && capability == "" {
		return nil
	}
	docs := documents(s, all)
	in := map[string]int{}
	for _, d := range docs {
		for w := range query {
			if d.words[w] > 0 {
				in[w]++
			}
		}
	}
	found := []Match{}
	for _, d := range docs {
		hits := 0
		for w := range query {
			if v := d.words[w]; v > 0 {
				hits++
				d.score += v / (v + 1) * math.Log(1+float64(len(docs))/float64(in[w]))
			}
		}
		d.score *= math.Sqrt(float64(hits))
		if capability != "" && d.Kind == "System" && provides(s, d.ID, capability) {
			d.score += 4
			if s.Platforms[capability] == d.ID {
				d.score += 4
			}
		}
		if d.score > 0 {
			found = append(found, d.Match)
		}
	}
	slices.SortStableFunc(found, func(a, b Match) int {
		return cmp.Or(-cmp.Compare(a.score, b.score), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	if len(found) > 0 { // what shares one common word with the text is not like it
		least := found[0].score / 5
		found = slices.DeleteFunc(found, func(m Match) bool { return m.score < least })
	}
	return found[:min(len(found), max)]
}

func provides(s *register.Snapshot, system, capability string) bool {
	return slices.ContainsFunc(s.CapabilitiesOf(system), func(c register.Capability) bool { return c.ID == capability })
}

func documents(s *register.Snapshot, all []*gate.Request) []document {
	var docs []document
	for _, x := range s.Systems {
		if x.Spec.Phase() == "retired" {
			continue
		}
		d := document{Match: Match{Kind: "System", ID: x.ID, Name: x.Name, What: "System", Href: "/staff/estate/systems/" + url.PathEscape(x.ID)}, words: map[string]float64{}}
		var does []string
		for _, c := range s.CapabilitiesOf(x.ID) {
			d.add(c.Name, 2)
			does = append(does, c.Name)
			if s.Platforms[c.ID] == x.ID {
				d.What = "Shared system"
			}
		}
		if d.Why = x.Spec.Description; d.Why == "" && len(does) > 0 {
			d.Why = "Does: " + strings.Join(does, ", ")
		}
		d.add(x.Name, 3)
		d.add(x.Spec.Description, 1)
		d.add(x.Spec.Product, 2)
		docs = append(docs, d)
	}
	for _, c := range s.Capabilities {
		n := len(s.Providers[c.ID])
		if n == 0 {
			continue
		}
		d := document{Match: Match{Kind: "Capability", ID: c.ID, Name: c.Name, What: "What we can do", Href: "/staff/estate/capabilities/" + url.PathEscape(c.ID),
			Why: fmt.Sprintf("%s of ours %s it", words.Count(n, "system", "systems"), map[bool]string{true: "does", false: "do"}[n == 1])}, words: map[string]float64{}}
		if p, ok := s.PlatformOf(c.ID); ok {
			d.What, d.Why = "Shared building block", p.Name+" does it for everybody"
		}
		d.add(c.Name, 3)
		docs = append(docs, d)
	}
	for _, c := range s.Components {
		d := document{Match: Match{Kind: "Component", ID: c.ID, Name: c.Name, What: "Component", Href: "/staff/estate/systems/" + url.PathEscape(c.Spec.System)}, words: map[string]float64{}}
		if x, ok := s.System(c.Spec.System); ok {
			d.Why = "Part of " + x.Name
		}
		d.add(c.Name, 3)
		docs = append(docs, d)
	}
	for _, r := range all {
		d := document{Match: Match{Kind: "IntakeRequest", ID: r.ID, Name: r.Name, What: "Request", Href: href(r.ID), Why: stateText(r)}, words: map[string]float64{}}
		d.add(r.Name, 3)
		d.add(r.Spec.Description, 1)
		for _, id := range r.Spec.Capabilities {
			if c, ok := s.Capability(id); ok {
				d.add(c.Name, 2)
			}
		}
		docs = append(docs, d)
	}
	return docs
}

func (d *document) add(text string, weight float64) {
	for _, w := range terms(text) {
		d.words[w] += weight
	}
}

var stop = map[string]bool{"a": true, "an": true, "and": true, "are": true, "as": true, "at": true, "be": true, "by": true, "can": true, "do": true, "for": true, "from": true,
	"has": true, "have": true, "i": true, "in": true, "is": true, "it": true, "its": true, "new": true, "need": true, "of": true, "on": true, "or": true, "our": true, "so": true,
	"system": true, "that": true, "the": true, "their": true, "them": true, "they": true, "this": true, "to": true, "us": true, "use": true, "want": true, "we": true, "which": true, "who": true, "will": true, "with": true, "would": true, "people": true}

// terms are the words of a text that say something, cut to their stems.
func terms(text string) (out []string) {
	for _, w := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if stop[w] || len(w) < 2 {
			continue
		}
		for _, end := range []string{"ings", "ing", "ies", "ments", "ment", "es", "ed", "s"} {
			if strings.HasSuffix(w, end) && len(w)-len(end) >= 3 {
				w = strings.TrimSuffix(w, end)
				break
			}
		}
		out = append(out, strings.TrimSuffix(strings.TrimSuffix(w, "e"), "y"))
	}
	return out
}
