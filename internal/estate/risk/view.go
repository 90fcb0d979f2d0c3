package risk

import (
	"fmt"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

type componentSpec = component.Spec

func (v view) stats() []ui.Stat {
	open, past, ended := 0, 0, 0
	for _, i := range v.Exposed {
		open += i.Open()
		past += i.Past(v.Today)
	}
	for _, i := range v.Ending {
		if days, _ := i.Days(v.Today); days < 0 {
			ended++
		}
	}
	known := func(ok bool, n int) string {
		if !ok {
			return "Not known"
		}
		return fmt.Sprint(n)
	}
	out := []ui.Stat{
		{Label: "past due", Value: known(v.KEV, past), Note: "exploited vulnerabilities, by product", Href: "#exploited"},
		{Label: "open", Value: known(v.KEV, open), Note: "exploited vulnerabilities, by product", Href: "#exploited"},
		{Label: "out of support", Value: known(v.EOL, ended), Note: "products in a version", Href: "#ending"},
		{Label: "products recognised", Value: fmt.Sprintf("%d of %d", v.Joined, v.Names), Note: "the others are not known to be safe"},
	}
	if past > 0 {
		out[0].Tone = ui.Bad
	}
	if ended > 0 {
		out[2].Tone = ui.Bad
	}
	if v.MayCurate {
		out[3].Href = productsPath
	}
	return out
}

func title(i *Installed) string {
	name := i.Name
	if first, _, _ := strings.Cut(i.Vendor, " "); !strings.HasPrefix(strings.ToLower(name), strings.ToLower(first)) {
		name = i.Vendor + " " + name
	}
	if !strings.HasSuffix(name, i.Version) {
		name += " " + i.Version
	}
	return strings.TrimSpace(name)
}

func (s Suggestion) text() string {
	switch {
	case s.EOL == "":
		return s.CPE
	case s.CPE == "":
		return s.EOL
	}
	return s.EOL + " (" + s.CPE + ")"
}

func (i Identity) text() string {
	switch {
	case i.None:
		return "No list knows it"
	case !i.Joined():
		return ""
	}
	return Suggestion{CPE: i.CPE, EOL: i.EOL}.text()
}

// choices are what a name can be said to mean.
func choices(id string, suggestions []Suggestion) (items []ui.ChoiceItem) {
	for n, s := range suggestions {
		items = append(items, ui.ChoiceItem{Value: s.CPE + "|" + s.EOL, Text: s.text(), ID: fmt.Sprintf("%s-%d", id, n)})
	}
	return append(items,
		ui.ChoiceItem{Value: "other", Text: "Another product", ID: id + "-other", Conditional: otherProduct(id)},
		ui.ChoiceItem{Value: "none", Text: "No list knows it", ID: id + "-none"})
}

func systemName(v view) string {
	x, _ := v.Report.Snapshot.System(v.System)
	return x.Name
}

// key tells an installed product from the others in a form.
func (i *Installed) key() string {
	first := Place{}
	if len(i.Places) > 0 {
		first = i.Places[0]
	}
	return strings.Join([]string{i.Identity.CPE, i.Version, first.Kind, first.ID}, "|")
}

// openItems are the vulnerabilities of a product that can be dealt with.
func (i *Installed) openItems() (items []ui.SelectItem) {
	for _, t := range i.Threats {
		if t.Closed == "" {
			items = append(items, ui.SelectItem{Value: t.CVE, Text: t.CVE})
		}
	}
	return items
}

// placeItems are where a product is.
func (i *Installed) placeItems() []ui.SelectItem {
	items := []ui.SelectItem{}
	if len(i.Places) > 1 {
		items = append(items, ui.SelectItem{Value: "all", Text: fmt.Sprintf("All %d places", len(i.Places))})
	}
	for _, p := range i.Places[:min(len(i.Places), 50)] {
		items = append(items, ui.SelectItem{Value: p.Kind + "/" + p.ID, Text: words.Or(p.Name, p.ID)})
	}
	return items
}

// text says where a name is, and in which versions.
func (n *Name) text() string {
	text := words.Count(n.Places, "place", "places")
	if len(n.Versions) > 0 {
		text += ", version " + strings.Join(n.Versions, ", ")
	}
	return text
}
