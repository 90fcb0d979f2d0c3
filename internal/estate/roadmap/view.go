package roadmap

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve/internal/estate/chart"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// This file holds what the pages say. It knows nothing of requests.

const roadmapPath = "/staff/estate/roadmap"

func itemHref(id string) string      { return roadmapPath + "/items/" + url.PathEscape(id) }
func objectiveHref(id string) string { return "/staff/estate/objectives/" + url.PathEscape(id) }

// filter chooses items; its empty fields choose all.
type filter struct{ By, Scenario, State, Capability, Objective, Owner string }

func readFilter(q url.Values) filter {
	return filter{q.Get("by"), q.Get("scenario"), q.Get("state"), q.Get("capability"), q.Get("objective"), q.Get("owner")}
}

func (f filter) choose(p *Plan) (out []Item) {
	for _, x := range p.Items {
		switch {
		case f.State == "open" && !Open(x):
		case f.State != "" && f.State != "open" && State(x) != f.State:
		case f.Objective != "" && !slices.Contains(x.Spec.Objectives, f.Objective):
		case f.Owner != "" && x.Spec.Owner != f.Owner:
		case f.Capability != "" && !slices.Contains(p.capabilitiesOf(x), f.Capability):
		default:
			out = append(out, x)
		}
	}
	return out
}

// capabilitiesOf are the ids of the capabilities that an item touches, through the
// systems that it changes.
func (p *Plan) capabilitiesOf(x Item) (ids []string) {
	for _, c := range x.Spec.Changes {
		for _, k := range p.CapabilitiesOf(c.Subject) {
			if !slices.Contains(ids, k.ID) {
				ids = append(ids, k.ID)
			}
		}
		for _, id := range c.Capabilities {
			if !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// lane is the row of the time line that an item is drawn in.
func (f filter) lane(p *Plan, x Item) string {
	switch f.By {
	case "owner":
		return words.Or(words.Post(x.Spec.Owner), "Nobody named")
	case "objective":
		for _, o := range p.Objectives {
			if slices.Contains(x.Spec.Objectives, o.ID) {
				return o.Name
			}
		}
		return "No objective"
	case "scenario":
		return ui.Capital(ui.Words(ScenarioOf(x)))
	}
	for _, id := range p.capabilitiesOf(x) {
		if c, ok := p.Capability(id); ok {
			return c.Name
		}
	}
	return "Other"
}

func timeline(p *Plan, f filter, items []Item) templ.Component {
	c := chart.Timeline{Head: chart.Head{ID: "roadmap", Title: "Roadmap", Desc: fmt.Sprintf("%s over time. The table below has the same. Red ones are part of a conflict, grey ones are done or stopped.", ui.Capital(words.Count(len(items), "item", "items")))}, Today: p.Today}
	bad := map[string]bool{}
	for _, x := range p.Conflicts {
		for _, id := range x.Items {
			bad[id] = true
		}
	}
	for i, x := range items {
		if i == 0 || x.Spec.Starts.Before(c.From) {
			c.From = x.Spec.Starts
		}
		c.To = later(c.To, x.Spec.Ends)
		s := chart.Span{ID: x.ID, Name: x.Name, Starts: x.Spec.Starts, Ends: x.Spec.Ends, Href: register.Href(p.Snapshot, itemHref(x.ID)), After: x.Spec.After}
		switch {
		case !Open(x):
			s.Class = "done"
		case bad[x.ID]:
			s.Class = "bad"
		}
		name := f.lane(p, x)
		at := slices.IndexFunc(c.Lanes, func(l chart.Lane) bool { return l.Name == name })
		if at < 0 {
			at = len(c.Lanes)
			c.Lanes = append(c.Lanes, chart.Lane{Name: name})
		}
		c.Lanes[at].Spans = append(c.Lanes[at].Spans, s)
	}
	slices.SortStableFunc(c.Lanes, func(a, b chart.Lane) int { return strings.Compare(a.Name, b.Name) })
	c.From, c.To = quarterStart(c.From), quarterStart(c.To).Add(0, 3, 0)
	return chart.DrawTimeline(c)
}

func quarterStart(d def.Date) def.Date {
	return def.Date{Year: d.Year, Month: (d.Month-1)/3*3 + 1, Day: 1}
}

func stateTag(x Item) (string, ui.Tone) {
	text := ui.Capital(words.Value(State(x)))
	return text, map[string]ui.Tone{"proposed": ui.Quiet, "agreed": ui.Info, "under-way": ui.Special, "done": ui.Good, "stopped": ui.Quiet}[State(x)]
}

// changeText says a change in words.
func changeText(p *Plan, c Change) string {
	name, _ := p.subject(c.Subject)
	var parts []string
	if c.Phase != "" {
		parts = append(parts, map[string]string{"planned": "is planned", "pilot": "is tried out", "live": "goes live", "retiring": "begins to retire", "retired": "is retired"}[c.Phase])
	}
	if c.Hosting != "" {
		parts = append(parts, "moves to: "+words.Value(c.Hosting))
	}
	if c.Annual != nil {
		parts = append(parts, "then costs "+amount(c.Annual)+" a year")
	}
	if len(c.Capabilities) > 0 {
		var names []string
		for _, id := range c.Capabilities {
			if k, ok := p.Capability(id); ok {
				names = append(names, k.Name)
			}
		}
		parts = append(parts, "then does "+words.List(names))
	}
	return name + " " + words.Or(words.List(parts), "changes")
}

func changesText(p *Plan, x Item) string {
	var out []string
	for _, c := range x.Spec.Changes {
		out = append(out, changeText(p, c))
	}
	return strings.Join(out, "; ")
}

func items(all string, more ...ui.SelectItem) []ui.SelectItem {
	return append([]ui.SelectItem{{Value: "", Text: all}}, more...)
}

func scenarioItems(p *Plan) []ui.SelectItem {
	out := items("The baseline alone")
	for _, name := range Scenarios(p.Snapshot) {
		out = append(out, ui.SelectItem{Value: name, Text: "With " + ui.Words(name)})
	}
	return out
}

func capabilityItems(p *Plan) []ui.SelectItem {
	var out []ui.SelectItem
	had := map[string]bool{}
	for _, x := range p.Items {
		for _, id := range p.capabilitiesOf(x) {
			if c, ok := p.Capability(id); ok && !had[id] {
				had[id] = true
				out = append(out, ui.SelectItem{Value: id, Text: c.Name})
			}
		}
	}
	slices.SortFunc(out, func(a, b ui.SelectItem) int { return strings.Compare(a.Text, b.Text) })
	return items("Anything", out...)
}

func ownerItems(p *Plan) []ui.SelectItem {
	var out []ui.SelectItem
	had := map[string]bool{"": true}
	for _, x := range p.Items {
		if id := x.Spec.Owner; !had[id] {
			had[id] = true
			out = append(out, ui.SelectItem{Value: id, Text: words.Post(id)})
		}
	}
	slices.SortFunc(out, func(a, b ui.SelectItem) int { return strings.Compare(a.Text, b.Text) })
	return items("Anybody", out...)
}

func objectiveItems(p *Plan) []ui.SelectItem {
	out := items("Any, or none")
	for _, o := range p.Objectives {
		out = append(out, ui.SelectItem{Value: o.ID, Text: o.Name})
	}
	return out
}

func stateItems() []ui.SelectItem {
	out := items("Any", ui.SelectItem{Value: "open", Text: "Still to be done"})
	for _, s := range []string{"proposed", "agreed", "under-way", "done", "stopped"} {
		out = append(out, ui.SelectItem{Value: s, Text: ui.Capital(words.Value(s))})
	}
	return out
}

// leftText says what is left of a budget, or by how much too much is planned.
func leftText(m register.Money) string {
	if m < 0 {
		return (-m).String() + " too much"
	}
	return m.String() + " left"
}

// spendText is what serves an objective in words.
func spendText(s Spend) string {
	var parts []string
	if s.Yearly.Sure {
		parts = append(parts, s.Yearly.String()+" a year of systems")
	}
	if s.Items > 0 {
		parts = append(parts, s.Items.String()+" of items")
	}
	return words.Or(words.List(parts), "Nothing")
}

func budgetBars(bs []Need) templ.Component {
	c := chart.Bars{Head: chart.Head{ID: "budget", Title: "What is planned against what there is", Desc: "For each year and budget, what is set aside and what is planned. The table below has the same."},
		Format: func(v float64) string { return register.Money(v).String() }}
	for _, n := range bs {
		name := n.Year + ", " + n.Type
		c.Items = append(c.Items, chart.Bar{Label: name + ": set aside", Value: float64(n.Amount), Known: true},
			chart.Bar{Label: name + ": planned", Value: float64(n.Contracts + n.Agreed + n.Proposed), Known: true})
	}
	return chart.DrawBars(c)
}
