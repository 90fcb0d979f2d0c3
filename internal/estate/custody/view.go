package custody

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// line says what an asset is.
func line(a inventory.Asset) string {
	return strings.TrimSpace(ui.Capital(word(cmp.Or(a.Type, "other"))) + ", " + strings.TrimSpace(a.Maker+" "+a.Model+" "+a.Tag))
}

// siteName is the name of a site, or the word itself for other fields.
func siteName(s *register.Snapshot, field, value string) string {
	if field != "site" {
		return ui.Capital(word(value))
	}
	for _, x := range s.Sites {
		if x.ID == value {
			return x.Name
		}
	}
	if value == "" {
		return "Not known"
	}
	return value
}

func stateItems(all string, states []string) []ui.SelectItem {
	items := []ui.SelectItem{{Text: all}}
	for _, s := range states {
		text := ui.Capital(word(s))
		if s == "unknown" {
			text = "Not known"
		}
		items = append(items, ui.SelectItem{Value: s, Text: text})
	}
	return items
}

func showItems() []ui.SelectItem {
	return []ui.SelectItem{
		{Text: "All"},
		{Value: "unseen", Text: fmt.Sprintf("Not seen for more than %d days", UnseenDays)},
		{Value: "nobody", Text: "Held by somebody who is no longer there"},
		{Value: "warranty", Text: "Whose warranty has ended or ends within 90 days"},
		{Value: "unencrypted", Text: "Not encrypted"},
		{Value: "noncompliant", Text: "Against the device policy"},
	}
}

func stateChoices(v detail) (items []ui.ChoiceItem) {
	for _, s := range v.Next {
		items = append(items, ui.ChoiceItem{Value: s, Text: ui.Capital(word(s))})
	}
	return items
}

func siteItems(s *register.Snapshot) []ui.SelectItem {
	items := []ui.SelectItem{{Text: "As it was"}}
	for _, x := range s.Sites {
		items = append(items, ui.SelectItem{Value: x.ID, Text: x.Name})
	}
	return items
}

func taskHref(s *register.Snapshot, t Task) string {
	return register.Href(s, words.Href(t.Kind, t.ID))
}

// rows are what is known of an asset.
func rows(v detail) []ui.SummaryRow {
	a := v.Asset
	text := func(s string) string { return cmp.Or(s, "Not known") }
	date := func(d def.Date) string {
		if d.IsZero() {
			return "Not known"
		}
		return words.Date(d)
	}
	yes := func(b *bool) string {
		switch {
		case b == nil:
			return "Not known"
		case *b:
			return "Yes"
		}
		return "No"
	}
	cost := "Not known"
	if a.Cost != 0 {
		cost = register.Money(a.Cost).String()
	}
	said := "Nobody has been asked yet"
	if v.Attestation != nil {
		said = "Right, on " + words.Date(v.Attestation.On)
		if w, ok := strings.CutPrefix(v.Attestation.Note, wrong); ok {
			said = "Wrong, on " + words.Date(v.Attestation.On) + ": " + w
		}
	}
	return []ui.SummaryRow{
		ui.RowHTML("State", stateTag(a.State)),
		ui.RowHTML("Holder", holder(v.Holder, v.SeesHolder)),
		ui.Row("Site", siteName(v.Snapshot, "site", a.Site)),
		ui.Row("Type", ui.Capital(word(a.Type))),
		ui.Row("Make and model", text(strings.TrimSpace(a.Maker+" "+a.Model))),
		ui.Row("Id", a.ID),
		ui.Row("Tag", text(a.Tag)),
		ui.Row("Serial number", text(a.Serial)),
		ui.Row("Operating system", text(strings.TrimSpace(a.OS+" "+a.OSVersion))),
		ui.Row("Encrypted", yes(a.Encrypted)),
		ui.Row("Keeps to the device policy", yes(a.Compliant)),
		ui.Row("Last seen", date(a.LastSeen)),
		ui.Row("Bought", date(a.Bought)),
		ui.Row("Cost", cost),
		ui.Row("Warranty ends", date(a.Warranty)),
		ui.RowHTML("Runs", links(v.Snapshot, v.Asset.Systems)),
		ui.Row("The owner says", said),
	}
}

// moments are the history of an asset, the newest first.
func moments(v detail) (out []ui.Moment) {
	for i, h := range v.History {
		m := ui.Moment{Title: h.Source, At: h.At}
		if h.Hand {
			m.Title = "Said here by " + h.Actor
		}
		now, ok := h.Item.(inventory.Asset)
		var before inventory.Asset
		if i+1 < len(v.History) {
			before, _ = v.History[i+1].Item.(inventory.Asset)
		}
		switch {
		case !ok:
			m.Tag, m.Tone = "Not in the list any more", ui.Quiet
		case i == len(v.History)-1 || before.ID == "":
			m.Tag, m.Tone = "First seen", ui.Info
		default:
			if lines := differences(v, before, now); len(lines) > 0 {
				m.Body = changesText(lines)
			}
		}
		out = append(out, m)
	}
	return out
}

// differences tells what changed between two versions, in words; who has a thing
// is told to those who may know.
func differences(v detail, a, b inventory.Asset) (out []string) {
	x, y := reflect.ValueOf(a), reflect.ValueOf(b)
	for i := range x.NumField() {
		name := x.Type().Field(i).Name
		before, after := show(x.Field(i)), show(y.Field(i))
		if before == after {
			continue
		}
		before, after = word(before), word(after) // of a state or a type
		if name == "Site" {
			before, after = siteName(v.Snapshot, "site", a.Site), siteName(v.Snapshot, "site", b.Site)
		}
		if name == "Holder" && !v.SeesHolder {
			out = append(out, "The holder changed")
			continue
		}
		out = append(out, fmt.Sprintf("%s: %s, before: %s", ui.Capital(ui.Words(fieldName(name))), after, before))
	}
	return out
}

func fieldName(s string) string {
	switch s {
	case "LastSeen":
		return "last-seen"
	case "OSVersion":
		return "version"
	case "OS":
		return "operating-system"
	case "Serial":
		return "serial-number"
	case "CarbonRef":
		return "source-of-carbon-figures"
	}
	return strings.ToLower(s)
}

func show(v reflect.Value) string {
	if v.IsZero() {
		return "not known"
	}
	switch x := v.Interface().(type) {
	case *bool:
		if *x {
			return "yes"
		}
		return "no"
	case def.Date:
		return words.Date(x)
	case []string:
		return strings.Join(x, ", ")
	case int64:
		return register.Money(x).String()
	default:
		return fmt.Sprint(x)
	}
}
