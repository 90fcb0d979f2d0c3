package portfolio

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// This file holds what the pages say: words, numbers and the options of
// components. It knows nothing of requests.

// waiverText says what a waiver means for a finding, "" if there is none.
func waiverText(f standard.Finding) string {
	switch w := f.Waiver; {
	case w == nil:
		return ""
	case f.Ended:
		return fmt.Sprintf("The waiver %s ended on %s and no longer counts.", w.ID, words.Date(w.Spec.Expires))
	case f.Ending:
		return fmt.Sprintf("Waived until %s, which is soon: %s", words.Date(w.Spec.Expires), w.Spec.Reason)
	default:
		return fmt.Sprintf("Waived until %s: %s", words.Date(w.Spec.Expires), w.Spec.Reason)
	}
}

// few is how many rows of a list the overview shows before one asks for more.
const few = 5

// overviewStats are the figures at the top of the estate.
func overviewStats(r *Report) []ui.Stat {
	inUse, judged, pass, unknown, waived := 0, 0, 0, 0, 0
	for _, row := range r.Rows {
		if row.InUse {
			inUse++
		}
	}
	for _, t := range r.Outcome.Standings {
		judged += t.Pass + t.Fail + t.Waived
		pass, unknown, waived = pass+t.Pass, unknown+t.Unknown, waived+t.Waived
	}
	href := func(f filter) string { return register.Href(r.Snapshot, f.href()) }
	cost := ui.Stat{Label: "a year", Value: r.Yearly.Known.String(), Href: href(filter{Phase: "in-use"}), Note: "of the supplier contracts in force"}
	switch {
	case !r.Yearly.Sure:
		cost.Value = "Not known"
	case r.Yearly.Lacks:
		cost.Note = "at least: " + words.Count(len(r.NoCost), "contract has", "contracts have") + " no cost"
		cost.Href = "#costs"
	}
	met := ui.Stat{Label: "of checks met", Value: "Not known", Href: register.Href(r.Snapshot, standardsPath), Note: "no standard is in force"}
	if judged > 0 {
		met.Value, met.Note = words.Percent(pass, judged), fmt.Sprintf("%d of %d that could be made; %d waived", pass, judged, waived)
	}
	missing := ui.Stat{Label: "checks not known", Value: fmt.Sprint(unknown), Href: href(filter{Result: standard.Unknown}), Note: "never counted as met"}
	if unknown > 0 {
		missing.Tone = ui.Quiet
	}
	return []ui.Stat{
		{Label: "systems in use", Value: fmt.Sprint(inUse), Href: href(filter{Phase: "in-use"}), Note: fmt.Sprintf("of %d in the list", len(r.Rows))},
		cost, met, missing,
	}
}

// gap is something that nobody has told about some systems.
type gap struct {
	What string
	N    int
	Href string
}

// gaps counts what is not known of our systems in use.
func gaps(r *Report) []gap {
	var hosting, phase, class, cost, caps int
	for _, row := range r.Rows {
		n := func(unknown bool) int {
			if unknown {
				return 1
			}
			return 0
		}
		hosting += n(row.Spec.Hosting == "")
		phase += n(row.Spec.Phase() == "")
		class += n(r.className(row) == "unknown")
		cost += n(!row.Yearly.Sure || row.Yearly.Lacks)
		caps += n(len(row.Spec.Capabilities) == 0)
	}
	out := []gap{
		{"what it costs a year, or a part of it", cost, filter{Cost: "unknown"}.href()},
		{"where it runs", hosting, filter{Hosting: "unknown"}.href()},
		{"how sensitive its data is", class, filter{Class: "unknown"}.href()},
		{"whether it is in use", phase, filter{Phase: "unknown"}.href()},
		{"what it does for us", caps, filter{Capability: "unknown"}.href()},
	}
	return slices.DeleteFunc(out, func(g gap) bool { return g.N == 0 })
}

// choice is a select of the list's filter.
func choice(name, label, value, all string, items []ui.SelectItem) templ.Component {
	return ui.Select(ui.SelectOptions{
		Name: name, Label: ui.Text(label), Value: value, Classes: "app-filter__select",
		Items: append([]ui.SelectItem{{Value: "", Text: all}}, items...),
	})
}

func capabilityItems(r *Report) []ui.SelectItem {
	var items []ui.SelectItem
	for _, c := range r.Capabilities {
		items = append(items, ui.SelectItem{Value: c.ID, Text: c.Name})
	}
	slices.SortFunc(items, func(a, b ui.SelectItem) int { return strings.Compare(a.Text, b.Text) })
	return append(items, ui.SelectItem{Value: "unknown", Text: "Not known"})
}

func organisationItems(r *Report) []ui.SelectItem {
	used := map[string]string{}
	for _, row := range r.Rows {
		if id := row.Spec.Organisation; id != "" {
			used[id] = r.OrganisationName(id)
		}
	}
	var items []ui.SelectItem
	for _, id := range slices.Sorted(maps.Keys(used)) {
		items = append(items, ui.SelectItem{Value: id, Text: used[id]})
	}
	slices.SortFunc(items, func(a, b ui.SelectItem) int { return strings.Compare(a.Text, b.Text) })
	return append(items, ui.SelectItem{Value: "unknown", Text: "Not known"})
}

func wordItems(values ...string) []ui.SelectItem {
	var items []ui.SelectItem
	for _, v := range values {
		items = append(items, ui.SelectItem{Value: v, Text: ui.Capital(words.Value(v))})
	}
	return items
}

func standardItems(r *Report) []ui.SelectItem {
	var items []ui.SelectItem
	for _, t := range r.Outcome.Standings {
		items = append(items, ui.SelectItem{Value: t.ID, Text: t.Name})
	}
	return items
}

func resultItems() []ui.SelectItem {
	return []ui.SelectItem{
		{Value: string(standard.Fail), Text: "Not met"}, {Value: string(standard.Unknown), Text: "Not known"},
		{Value: string(standard.Waived), Text: "Waived"}, {Value: string(standard.Pass), Text: "Met"},
	}
}

// filterText says in words what a filter chooses, "" if everything.
func filterText(r *Report, f filter) string {
	var parts []string
	add := func(format string, args ...any) { parts = append(parts, fmt.Sprintf(format, args...)) }
	if f.Text != "" {
		add("that mention “%s”", f.Text)
	}
	if c, ok := r.Capability(f.Capability); ok {
		add("that do %s", c.Name)
	} else if f.Capability != "" {
		add("of which nobody has said what they do")
	}
	if f.Hosting != "" {
		add("hosting: %s", words.Value(f.Hosting))
	}
	if f.Phase != "" {
		add("%s", map[string]string{"in-use": "in use", "unknown": "whose phase is not known"}[f.Phase]+map[bool]string{true: "phase: " + f.Phase}[f.Phase != "in-use" && f.Phase != "unknown"])
	}
	if f.Organisation != "" {
		add("of %s", words.Or(r.OrganisationName(f.Organisation), "nobody known"))
	}
	if f.Owner != "" {
		add("without an owner")
	}
	if f.Cost != "" {
		add("of which the cost is not known, or only in part")
	}
	if f.Class != "" {
		add("class of data: %s", strings.ToLower(f.Class))
	}
	if f.Result != "" || f.Standard != "" {
		name := "any standard"
		for _, t := range r.Outcome.Standings {
			if t.ID == f.Standard {
				name = "“" + t.Name + "”"
			}
		}
		for _, it := range resultItems() {
			if it.Value == string(f.Result) {
				name += ": " + strings.ToLower(it.Text)
			}
		}
		add("%s", name)
	}
	return strings.Join(parts, "; ")
}

// worst sorts findings with what needs attention first.
func worst(fs []standard.Finding) []standard.Finding {
	rank := map[standard.Result]int{standard.Fail: 0, standard.Unknown: 1, standard.Waived: 2, standard.Pass: 3}
	out := slices.Clone(fs)
	slices.SortStableFunc(out, func(a, b standard.Finding) int { return cmp.Compare(rank[a.Result], rank[b.Result]) })
	return out
}

// levels says a sign-in's levels in words.
func levels(identity, authn *int) string {
	var parts []string
	if identity != nil {
		parts = append(parts, "people: "+[]string{"not checked", "named", "checked", "proved in person or as well"}[*identity])
	}
	if authn != nil {
		parts = append(parts, "sign-in: "+[]string{"none", "one factor", "two factors", "phishing-resistant"}[*authn])
	}
	return strings.Join(parts, "; ")
}

func apiText(v string) string {
	switch v {
	case "documented":
		return "It has a documented API; it is not described interface by interface yet."
	case "undocumented":
		return "It has an API that is not documented."
	case "none":
		return "It has no API."
	}
	return "Not known: nobody has described its interfaces, or said that there are none."
}

// evidenceText is what a rule looked at, in words.
func evidenceText(f standard.Finding) string {
	var parts []string
	for _, e := range f.Evidence {
		parts = append(parts, words.Looked(e.Path, e.Value))
	}
	return strings.Join(parts, "; ")
}
