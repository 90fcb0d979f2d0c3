package performance

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve/internal/estate/chart"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// This file holds what the pages say. It knows nothing of requests.

func measureHref(id string) string { return "/staff/estate/measures/" + url.PathEscape(id) }

// shownPeriods is how many periods a chart and its table show.
const shownPeriods = 36

// Text is a number with its unit: "12 days", "85%", "£1,200".
func (s Series) Text(v float64) string {
	switch unit := s.Spec.Unit; {
	case unit == "":
		return chart.Number(v)
	case unit == "%":
		return chart.Number(v) + "%"
	case strings.ContainsAny(unit, "£$€") && len([]rune(unit)) == 1:
		return unit + chart.Number(v)
	default:
		return chart.Number(v) + " " + unit
	}
}

// TargetText is the target in words, "" if there is none.
func (s Series) TargetText() string {
	t := s.Spec.Target
	if t == nil {
		return ""
	}
	text := s.Text(t.Value) + map[string]string{"higher": " or more", "lower": " or less"}[t.Better]
	if t.By != nil {
		text += " by " + words.Date(*t.By)
	}
	return text
}

// Tag is the state in words, with its tone.
func (s Series) Tag() (string, ui.Tone) {
	switch s.State {
	case Met:
		return "Met", ui.Good
	case NotMet:
		if t := s.Spec.Target; t.By != nil && len(s.Points) > 0 && s.Points[len(s.Points)-1].On.Before(*t.By) {
			return "Not met yet", ui.Waiting
		}
		return "Not met", ui.Bad
	case NoTarget:
		return "No target", ui.Quiet
	}
	return "No number", ui.Quiet
}

// Behind says what is late or missing, "" where nothing is.
func (s Series) Behind() string {
	var parts []string
	if s.Late > 0 {
		parts = append(parts, fmt.Sprintf("No number came for the last %s.", words.Count(s.Late, period(s.Spec.Every), period(s.Spec.Every)+"s")))
	}
	if n := len(s.Missing); n > 0 {
		var names []string
		for _, d := range s.Missing {
			names = append(names, label(d, s.Spec.Every))
		}
		parts = append(parts, "Missing between: "+words.Few(names, 4)+".")
	}
	return strings.Join(parts, " ")
}

// moved says how the last number stands to the one before, "" if that cannot be said.
func moved(s Series) string {
	if len(s.Points) < 2 {
		return ""
	}
	before := s.Points[len(s.Points)-2]
	last, _ := s.Last()
	text := fmt.Sprintf("%s before that", s.Text(before.Value))
	switch {
	case last.Value == before.Value:
		return "the same as before"
	case s.Better > 0:
		return "better: " + text
	case s.Better < 0:
		return "worse: " + text
	}
	return text
}

// lastText says of when the last number is, and how it moved.
func lastText(s Series, last Point) string {
	text := "on " + words.Date(last.On)
	if m := moved(s); m != "" {
		text += ", " + m
	}
	return text + "."
}

func period(every string) string { return words.Or(every, "month") }

// label names the period that a day lies in.
func label(d def.Date, every string) string {
	t := d.Time(time.UTC)
	switch every {
	case "day", "week":
		return t.Format("2 Jan 2006")
	case "quarter":
		return fmt.Sprintf("Q%d %d", (int(d.Month)-1)/3+1, d.Year)
	case "year":
		return fmt.Sprint(d.Year)
	}
	return t.Format("Jan 2006")
}

func sourceText(s Series) string {
	if s.Spec.Source.Import != "" {
		return "Imported, as the series " + s.Spec.Source.Import
	}
	return "Counted by Reeve: " + counted[s.Spec.Source.Computed]
}

// counted says what the program counts.
var counted = map[string]string{
	"standards-pass-share":    "of all that standards are held to, the share that meets them, in %",
	"standards-unknown-share": "of all that standards are held to, the share of which it is not known, in %",
	"intake-median-days":      "the middle of the days that requests wait at a gate",
	"board-median-days":       "the middle of the days that boards take to decide",
	"yearly-cost":             "what the supplier contracts in force cost a year, as far as it is known",
	"carbon-kg":               "what the estate emits a year, in kg CO2e, as far as it is known",
	"unmatched-spend":         "what the ledger's last year spent that is matched to no supplier contract",
	"records-delivered":       "the records that flows have delivered up to then",
	"held-records":            "the records that are held for somebody to look at",
}

// shown are the periods of a chart, the ones without a number too.
func shown(s Series) (out []chart.Point, table []Point) {
	if len(s.Points) == 0 {
		return nil, nil
	}
	at, i := begin(s.Points[0].On, s.Spec.Every), 0
	last, _ := s.Last()
	for ; !last.On.Before(at) && len(out) < 5000; at = next(at, s.Spec.Every) {
		p := chart.Point{Label: label(at, s.Spec.Every)}
		row := Point{On: at}
		if i < len(s.Points) && begin(s.Points[i].On, s.Spec.Every) == at {
			p.Value, p.Known, row = s.Points[i].Value, true, s.Points[i]
			i++
		} else {
			row.On = def.Date{}
		}
		out, table = append(out, p), append(table, row)
	}
	if n := len(out) - shownPeriods; n > 0 {
		out, table = out[n:], table[n:]
	}
	return out, table
}

func draw(s Series) templ.Component {
	points, _ := shown(s)
	last, ok := s.Last()
	if !ok {
		return templ.NopComponent
	}
	c := chart.Line{Head: chart.Head{ID: "measure", Title: s.Name}, Points: points, Format: s.Text}
	if len([]rune(s.Spec.Unit)) > 1 {
		c.Format = chart.Number // the unit is in the text above
	}
	tag, _ := s.Tag()
	c.Desc = fmt.Sprintf("%s %ss, the last %s: %s. ", fmt.Sprint(len(points)), period(s.Spec.Every), words.Date(last.On), s.Text(last.Value))
	if t := s.Spec.Target; t != nil {
		c.Target, c.Aim = &t.Value, "Target: "+s.Text(t.Value)
		c.Desc += "Target: " + s.TargetText() + ", " + strings.ToLower(tag) + "."
	}
	return chart.Draw(c)
}

func stats(all []Series) []ui.Stat {
	n, late := map[State]int{}, 0
	for _, s := range all {
		n[s.State]++
		if s.Late > 0 {
			late++
		}
	}
	out := []ui.Stat{
		{Label: "targets met", Value: fmt.Sprint(n[Met]), Tone: ui.Good},
		{Label: "not met", Value: fmt.Sprint(n[NotMet])},
		{Label: "without a target", Value: fmt.Sprint(n[NoTarget])},
		{Label: "without a number", Value: fmt.Sprint(n[NoNumber]), Note: words.Count(late, "more is late", "more are late")},
	}
	if n[NotMet] > 0 {
		out[1].Tone = ui.Bad
	}
	return out
}
