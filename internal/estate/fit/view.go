package fit

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve/internal/estate/chart"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// This file holds what the pages say. It knows nothing of requests.

const portfolioPath = "/staff/estate/portfolio"

func systemHref(id string) string { return portfolioPath + "/systems/" + url.PathEscape(id) }
func healthHref(id string) string { return portfolioPath + "/health/" + url.PathEscape(id) }

// filter chooses systems; its empty fields choose all.
type filter struct{ Capability, Organisation, Verdict, Sort string }

const (
	perPage = 100
	few     = 20 // rows of a list before one asks for more
)

func readFilter(q url.Values) filter {
	return filter{q.Get("capability"), q.Get("organisation"), q.Get("verdict"), q.Get("sort")}
}

func (f filter) href(page int) string {
	q := url.Values{}
	for name, v := range map[string]string{"capability": f.Capability, "organisation": f.Organisation, "verdict": f.Verdict, "sort": f.Sort} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if page > 1 {
		q.Set("page", fmt.Sprint(page))
	}
	if len(q) == 0 {
		return portfolioPath
	}
	return portfolioPath + "?" + q.Encode()
}

// listing is what a filter chose: in the quadrant, and of which too little is known.
type listing struct {
	In, Out     []*Row
	Shown       []*Row // a page of In
	First       int    // number of the first shown
	Page, Pages int
}

func (f filter) list(r *Report, page int) (l listing) {
	for _, row := range r.Rows {
		switch {
		case !f.chooses(r, row):
		case row.Verdict == NotKnown:
			l.Out = append(l.Out, row)
		default:
			l.In = append(l.In, row)
		}
	}
	slices.SortStableFunc(l.In, byFit)
	l.Pages = max(1, (len(l.In)+perPage-1)/perPage)
	l.Page = min(max(page, 1), l.Pages)
	l.First = (l.Page-1)*perPage + 1
	l.Shown = l.In[l.First-1 : min(l.Page*perPage, len(l.In))]
	return l
}

func (f filter) chooses(r *Report, row *Row) bool {
	has := func(c register.Capability) bool { return c.ID == f.Capability || c.Spec.Parent == f.Capability }
	switch {
	case f.Capability != "" && !slices.ContainsFunc(r.CapabilitiesOf(row.ID), has):
	case f.Organisation != "" && row.Spec.Organisation != f.Organisation:
	case f.Verdict == "unknown" && row.Verdict != NotKnown:
	case f.Verdict != "" && f.Verdict != "unknown" && string(row.Verdict) != f.Verdict:
	default:
		return true
	}
	return false
}

func verdictItems() []ui.SelectItem {
	return []ui.SelectItem{
		{Value: "", Text: "Any"}, {Value: "invest", Text: "Invest"}, {Value: "migrate", Text: "Migrate"},
		{Value: "tolerate", Text: "Tolerate"}, {Value: "eliminate", Text: "Eliminate"}, {Value: "unknown", Text: "Not known"},
	}
}

func capabilityItems(r *Report) []ui.SelectItem {
	var items []ui.SelectItem
	for _, c := range r.Capabilities {
		items = append(items, ui.SelectItem{Value: c.ID, Text: c.Name})
	}
	return sorted(items, "Anything")
}

func organisationItems(r *Report) []ui.SelectItem {
	var items []ui.SelectItem
	had := map[string]bool{"": true}
	for _, row := range r.Rows {
		if id := row.Spec.Organisation; !had[id] {
			had[id] = true
			items = append(items, ui.SelectItem{Value: id, Text: row.Organisation})
		}
	}
	return sorted(items, "Anyone's")
}

func sorted(items []ui.SelectItem, all string) []ui.SelectItem {
	slices.SortFunc(items, func(a, b ui.SelectItem) int { return strings.Compare(a.Text, b.Text) })
	return append([]ui.SelectItem{{Value: "", Text: all}}, items...)
}

func verdictTag(v Verdict) (string, ui.Tone) {
	switch v {
	case Invest:
		return "Invest", ui.Good
	case Migrate:
		return "Migrate", ui.Waiting
	case Tolerate:
		return "Tolerate", ui.Info
	case Eliminate:
		return "Eliminate", ui.Bad
	}
	return "Not known", ui.Quiet
}

// verdictText says what a verdict means.
func verdictText(v Verdict) string {
	switch v {
	case Invest:
		return "It serves us well and is sound: keep it and build on it."
	case Migrate:
		return "It serves us well, but what it is made of is not sound: move what it does onto something better."
	case Tolerate:
		return "It is sound, but serves us little: keep it as long as it costs little, and spend nothing on it."
	case Eliminate:
		return "It serves us little and is not sound: plan to do without it."
	}
	return "Too little is known to judge it."
}

func stats(r *Report) []ui.Stat {
	n := map[Verdict]int{}
	for _, row := range r.Rows {
		n[row.Verdict]++
	}
	var out []ui.Stat
	for _, v := range []Verdict{Invest, Migrate, Tolerate, Eliminate} {
		text, _ := verdictTag(v)
		out = append(out, ui.Stat{Label: strings.ToLower(text), Value: fmt.Sprint(n[v]), Href: filter{Verdict: string(v)}.href(1)})
	}
	return append(out, ui.Stat{Label: "not known", Value: fmt.Sprint(n[NotKnown]), Href: "#unknown", Note: fmt.Sprintf("of %d systems of ours in use", len(r.Rows)), Tone: ui.Quiet})
}

func quadrant(r *Report, l listing) templ.Component {
	c := chart.Quadrant{
		Head: chart.Head{ID: "time", Title: "Fit for the business and technical fit of systems",
			Desc: fmt.Sprintf("%s by fit for the business, from left to right, and technical fit, upwards. The table below has the same. Of %s too little is known, so they are not here.", ui.Capital(words.Count(len(l.In), "system", "systems")), words.Count(len(l.Out), "system", "systems"))},
		Across: "Fit for the business", Up: "Technical fit",
		LowLow: "Eliminate", Right: "Migrate", Top: "Tolerate", TopRight: "Invest",
	}
	for i, row := range l.In {
		c.Marks = append(c.Marks, chart.Mark{X: row.Business.Value, Y: row.Technical.Value, Name: row.Name, Key: fmt.Sprint(i + 1), Href: register.Href(r.Snapshot, systemHref(row.ID))})
	}
	return chart.DrawQuadrant(c)
}

// scoreText is a score with its coverage: "72 of 100, from 60% of the evidence".
func scoreText(s Score) string {
	if s.Coverage == 0 {
		return "Not known"
	}
	if !s.Known() {
		return fmt.Sprintf("Not known: only %.0f%% of the evidence is", s.Coverage*100)
	}
	if s.Coverage >= 0.995 {
		return fmt.Sprintf("%.0f of 100", s.Value)
	}
	return fmt.Sprintf("%.0f of 100, from %.0f%% of the evidence", s.Value, s.Coverage*100)
}

func evidenceTag(e Evidence) (string, ui.Tone) {
	switch {
	case e.Weight == 0:
		return "Not counted", ui.Quiet
	case e.Known == 0:
		return "Not known", ui.Quiet
	case e.Value >= 0.8:
		return "Good", ui.Good
	case e.Value >= 0.5:
		return "Fair", ui.Info
	}
	return "Poor", ui.Bad
}

func levelTag(l Level) (string, ui.Tone) {
	switch l {
	case Good:
		return "Good", ui.Good
	case Fair:
		return "Fair", ui.Waiting
	case Poor:
		return "Poor", ui.Bad
	}
	return "Not known", ui.Quiet
}

// missing is what to find out before a system can be judged.
func missing(row *Row) (out []string) {
	for _, s := range []Score{row.Business, row.Technical} {
		if s.Known() {
			continue
		}
		for _, e := range s.Evidence {
			if e.Known < 1 && e.Weight > 0 && !slices.Contains(out, e.Lacks) {
				out = append(out, e.Lacks)
			}
		}
	}
	return out
}

// gap is something that is not known of many systems.
type gap struct {
	What, How string
	Systems   int
}

// gaps are what is missing to judge the rows, the most frequent first.
func gaps(rows []*Row) (out []gap) {
	for _, row := range rows {
		had := map[string]bool{}
		for _, s := range []Score{row.Business, row.Technical} {
			for _, e := range s.Evidence {
				if s.Known() || e.Known > 0 || e.Weight == 0 || had[e.Lacks] {
					continue
				}
				had[e.Lacks] = true
				i := slices.IndexFunc(out, func(g gap) bool { return g.What == e.Lacks })
				if i < 0 {
					i = len(out)
					out = append(out, gap{What: e.Lacks, How: e.Found})
				}
				out[i].Systems++
			}
		}
	}
	slices.SortStableFunc(out, func(a, b gap) int { return b.Systems - a.Systems })
	return out
}

// counts says how much a piece of evidence counts.
func counts(e Evidence) string {
	switch e.Weight {
	case 0:
		return "Not counted"
	case 1:
		return "Once"
	case 2:
		return "Twice"
	}
	return fmt.Sprintf("%.0f times", e.Weight)
}

// breaks says what would break, in words.
func breaks(x Retiring) []string {
	var out []string
	if len(x.Flows) > 0 {
		names := make([]string, len(x.Flows))
		for i, f := range x.Flows {
			names[i] = words.Or(f.Name, f.ID)
		}
		out = append(out, words.Count(len(names), "flow stops: ", "flows stop: ")+words.Few(names, 4))
	}
	if len(x.Services) > 0 {
		out = append(out, words.Count(len(x.Services), "service needs it: ", "services need it: ")+words.Few(x.Services, 4))
	}
	for _, c := range x.Orphans {
		out = append(out, "nothing of ours would do "+c.Name+" any more")
	}
	if len(x.Users) > 0 {
		out = append(out, "a part of it is used by "+words.Few(x.Users, 4))
	}
	return out
}

// priced are rows by what a user, or a transaction, costs, the dearest first;
// those of which it is not known come last.
func priced(r *Report, f filter) (rows []*Row) {
	for _, row := range r.Rows {
		if f.chooses(r, row) {
			rows = append(rows, row)
		}
	}
	cost := func(row *Row) register.Money {
		if f.Sort == "transaction" {
			if !row.Transactions.Priced {
				return -1
			}
			return row.Transactions.Each
		}
		if !row.PerUser.Sure {
			return -1
		}
		return row.PerUser.Known
	}
	slices.SortStableFunc(rows, func(a, b *Row) int { return int(min(max(cost(b)-cost(a), -1), 1)) })
	return rows
}

func priceBars(r *Report, rows []*Row) templ.Component {
	c := chart.Bars{Head: chart.Head{ID: "per-user", Title: "What a user costs a year", Desc: "The dearest systems first. The table below has all."},
		Format: func(v float64) string { return register.Money(v).String() }}
	for _, row := range rows {
		if row.PerUser.Sure && len(c.Items) < 12 {
			c.Items = append(c.Items, chart.Bar{Label: row.Name, Value: float64(row.PerUser.Known), Known: true, Text: row.PerUser.String(), Href: register.Href(r.Snapshot, systemHref(row.ID))})
		}
	}
	return chart.DrawBars(c)
}

// madeOf says what a yearly cost is made of.
func madeOf(r *Report, row *Row) string {
	var parts []string
	for _, k := range r.ContractsOf[row.ID] {
		if !r.InForce(k) {
			continue
		}
		text := k.Name + ": " + register.CostOf(k).String()
		if n := len(k.Spec.Systems); n > 1 {
			text += fmt.Sprintf(", its share is one of %d", n)
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "No contract in force is declared for it"
	}
	return strings.Join(parts, "; ")
}

// healthRows are the capabilities that some system of ours provides, in the order
// of the tree.
func healthRows(r *Report) (out []Health) {
	var walk func(id string, depth int)
	walk = func(id string, depth int) {
		if depth > 12 {
			return
		}
		for _, c := range r.Children(id) {
			if h := r.CapabilityHealth(c.ID); len(h.Systems) > 0 {
				out = append(out, h)
			}
			walk(c.ID, depth+1)
		}
	}
	walk("", 0)
	return out
}
