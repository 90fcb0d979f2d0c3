package scenario

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/change"
	"github.com/reeve-civic/reeve/internal/estate/chart"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// This file holds what the pages say. It knows nothing of requests.

const scenarioPath = "/staff/estate/scenarios"

var hostings = []string{"saas", "paas", "public-cloud", "private-cloud", "on-premise"}

func title(name string) string { return ui.Capital(ui.Words(name)) }

func scenarioHref(name string) string { return scenarioPath + "/" + url.PathEscape(name) }

// described is a scenario in the list.
type described struct {
	Name        string
	Items       int
	First, Last def.Date
	Conflicts   int
}

func scenarios(s *register.Snapshot) (out []described) {
	for _, name := range append([]string{roadmap.Baseline}, roadmap.Scenarios(s)...) {
		p := roadmap.New(s, name)
		d := described{Name: name, Conflicts: len(p.Conflicts)}
		for _, x := range p.Items {
			if roadmap.ScenarioOf(x) != name {
				continue
			}
			d.Items++
			if d.First.IsZero() || x.Spec.Starts.Before(d.First) {
				d.First = x.Spec.Starts
			}
			if d.Last.Before(x.Spec.Ends) {
				d.Last = x.Spec.Ends
			}
		}
		out = append(out, d)
	}
	return out
}

func systemItems(s *register.Snapshot, none string) []ui.SelectItem {
	out := []ui.SelectItem{{Value: "", Text: none}}
	for _, x := range s.Systems {
		if x.Spec.InUse() && s.Ours(x.Spec.Organisation) {
			out = append(out, ui.SelectItem{Value: x.ID, Text: x.Name})
		}
	}
	return out
}

func hostingItems() []ui.SelectItem {
	out := []ui.SelectItem{{Value: "", Text: "Choose"}}
	for _, h := range hostings {
		out = append(out, ui.SelectItem{Value: h, Text: words.Value(h)})
	}
	return out
}

// gone reports whether a system is not in use after the changes.
func gone(c *Comparison, system string) bool {
	x, ok := c.After.System(system)
	return !ok || !x.Spec.InUse()
}

// signed is a change of money with its direction in words.
func signed(m register.Money) string {
	switch {
	case m > 0:
		return m.String() + " more"
	case m < 0:
		return (-m).String() + " less"
	}
	return "no change"
}

func stats(c *Comparison) []ui.Stat {
	unknown, pass := 0, 0
	for _, s := range c.Standards {
		unknown, pass = unknown+len(s.NewlyUnknown), pass+len(s.NewlyPass)
	}
	cost := ui.Stat{Label: "a year", Value: signed(c.Cost.Change), Note: fmt.Sprintf("%s instead of %s", c.Cost.After, c.Cost.Before)}
	if !c.Cost.After.Sure || c.Cost.After.Lacks || c.Cost.Before.Lacks {
		cost.Label = "a year, of what is known"
	}
	if c.Cost.Change < 0 {
		cost.Tone = ui.Good
	}
	carbon := ui.Stat{Label: "carbon a year", Value: "Not known", Tone: ui.Quiet}
	if x := c.Carbon; x != nil && x.Before.Covered > 0 {
		carbon = ui.Stat{Label: "kg CO2e a year", Value: signedNumber(x.After.Kg - x.Before.Kg), Note: fmt.Sprintf("known of %d of %d systems", x.After.Covered, x.After.Of)}
	}
	return []ui.Stat{
		cost, carbon,
		bad(ui.Stat{Label: "newly fail a standard", Value: fmt.Sprint(c.NewlyFailing("")), Href: "#standards", Note: fmt.Sprintf("%d newly meet one, of %d it is newly not known", pass, unknown)}, c.NewlyFailing("")),
		bad(ui.Stat{Label: "would stop", Value: fmt.Sprint(len(c.Broken)), Href: "#broken", Note: fmt.Sprintf("%d would work again", len(c.Mended))}, len(c.Broken)),
		{Label: "capabilities that differ", Value: fmt.Sprint(len(c.Capabilities)), Href: "#capabilities"},
	}
}

func bad(s ui.Stat, n int) ui.Stat {
	if n > 0 {
		s.Tone = ui.Bad
	}
	return s
}

func signedNumber(v float64) string {
	switch {
	case v > 0:
		return chart.Number(v) + " more"
	case v < 0:
		return chart.Number(-v) + " less"
	}
	return "no change"
}

// entities lists what is about a standard, by name.
func entities(es []change.Entity) string {
	names := make([]string, len(es))
	for i, e := range es {
		names[i] = e.Name
	}
	slices.Sort(names)
	return words.Few(names, 6)
}

// healthText says what differs in the health of a capability.
func healthText(c change.Capability) (out []string) {
	if !slices.Equal(c.Before.Systems, c.After.Systems) {
		out = append(out, fmt.Sprintf("provided by %s instead of %s", words.Or(words.Few(c.After.Systems, 4), "nothing"), words.Or(words.Few(c.Before.Systems, 4), "nothing")))
	}
	for i, a := range c.After.Health {
		if i < len(c.Before.Health) && c.Before.Health[i].Level != a.Level {
			out = append(out, fmt.Sprintf("%s: %s instead of %s", a.Name, words.Or(a.Level, "not known"), words.Or(c.Before.Health[i].Level, "not known")))
		}
	}
	if c.Before.Fail != c.After.Fail {
		out = append(out, fmt.Sprintf("%s not met instead of %d", words.Count(c.After.Fail, "standard", "standards"), c.Before.Fail))
	}
	if len(out) == 0 {
		out = append(out, "of its standards or its health something else is known")
	}
	return out
}

func health(c change.Capability) string { return ui.Capital(strings.Join(healthText(c), "; ")) }

var kindNames = map[string]string{"Flow": "Flow", "Service": "Service", "SupplierContract": "Supplier contract", "Capability": "Capability", "System": "System", "Component": "Component"}
