package carbon

import (
	"fmt"
	"strings"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve/internal/estate/chart"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// kg is an amount in kilogrammes or tonnes.
func kg(v float64) string {
	switch a := max(v, -v); {
	case a >= 10_000:
		return chart.Number(float64(int(v/100+0.5))/10) + " t"
	case a >= 1000:
		return fmt.Sprintf("%.2f t", v/1000)
	}
	return chart.Number(v) + " kg"
}

// String is the amount in words.
func (a Amount) String() string {
	switch {
	case !a.Known:
		return "Not known"
	case a.Lacks:
		return "At least " + kg(a.Kg)
	}
	return kg(a.Kg)
}

// Range is the range of the amount in words; sources without a range count with
// their one value.
func (a Amount) Range() string {
	if !a.Known {
		return ""
	}
	if a.High-a.Low < 0.005*a.Kg {
		return "No range published"
	}
	return kg(a.Low) + " to " + kg(a.High)
}

func percent(n, of int) string {
	if of == 0 {
		return "Not known"
	}
	return fmt.Sprintf("%d%%", n*100/of)
}

func stats(f *Footprint) []ui.Stat {
	full := 0
	for _, x := range f.Systems {
		if x.Known == x.Expected {
			full++
		}
	}
	money := "Not known"
	if f.Money > 0 {
		money = fmt.Sprintf("%d%%", f.MoneyKnown*100/f.Money)
	}
	return []ui.Stat{
		{Label: "CO2 equivalent a year", Value: f.Total.String(), Note: f.Total.Range() + ", counting what has no published range as it is"},
		{Label: "Devices covered", Value: percent(f.AssetsKnown, f.Assets), Note: fmt.Sprintf("%s of %s in service", chart.Number(float64(f.AssetsKnown)), chart.Number(float64(f.Assets)))},
		{Label: "Contract money covered", Value: money, Note: fmt.Sprintf("%d of %d contracts in force", f.ContractsKnown, f.Contracts)},
		{Label: "Systems covered in full", Value: percent(full, len(f.Systems)), Note: fmt.Sprintf("%d of %d in use", full, len(f.Systems))},
	}
}

var sources = []string{Making, Electricity, Hosted, Bought}

func sourcesChart(f *Footprint) templ.Component {
	c := chart.Bars{Head: chart.Head{ID: "carbon-sources", Title: "Emissions a year by source", Desc: "Each bar is the figure, the line across it its range; the table below has the numbers."}, Format: kg}
	for _, name := range sources {
		a, ok := f.Sources[name]
		if !ok {
			continue
		}
		b := chart.Bar{Label: name, Value: a.Kg, Known: a.Known, Text: a.String()}
		if a.High > a.Low {
			b.Low, b.High = a.Low, a.High
		}
		c.Items = append(c.Items, b)
	}
	return chart.DrawBars(c)
}

func table(caption string, head ...ui.Cell) ui.TableOptions {
	return ui.TableOptions{Caption: caption, CaptionClasses: "govuk-visually-hidden", FirstCellIsHeader: true, Classes: "app-table--stack", Head: head}
}

func first(text string) ui.Cell { return ui.Cell{Text: text, Classes: "govuk-!-font-weight-regular"} }

func text(s string) ui.Cell { return ui.Cell{Text: s} }

func sourcesTable(f *Footprint) ui.TableOptions {
	o := table("Emissions a year by source", text("Source"), ui.Num("A year"), ui.Num("Range"), text("Worked out from"))
	how := map[string]string{Making: "What making each device causes, over the years that it is kept", Electricity: "What each device in use draws, and the grid of the country where it is",
		Hosted: "A figure for one user, and how many there are", Bought: "What the contracts in force cost a year, and a figure for one pound"}
	for _, name := range sources {
		if a, ok := f.Sources[name]; ok {
			o.Rows = append(o.Rows, []ui.Cell{first(name), ui.Num(a.String()), ui.Num(a.Range()), text(how[name])})
		}
	}
	o.Rows = append(o.Rows, []ui.Cell{text("Together"), ui.Num(f.Total.String()), ui.Num(f.Total.Range()), text("")})
	return o
}

// typeText is a type of device in words.
func typeText(name string) string {
	if text := map[string]string{"vm": "Virtual machine", "network": "Network device"}[name]; text != "" {
		return text
	}
	return ui.Capital(name)
}

func typesTable(f *Footprint) ui.TableOptions {
	o := table("Devices by type", text("Type"), ui.Num("In service"), ui.Num("With figures"), ui.Num("Making, a year"), ui.Num("Electricity, a year"), ui.Num("Range of both"))
	for _, t := range f.Types {
		o.Rows = append(o.Rows, []ui.Cell{first(typeText(t.Name)), ui.Num(chart.Number(float64(t.Count))), ui.Num(chart.Number(float64(t.Known))), ui.Num(t.Making.String()), ui.Num(t.Electricity.String()), ui.Num(t.Making.Plus(t.Electricity).Range())})
	}
	return o
}

// most is how many systems are shown, and more how many others are folded away.
const (
	most = 12
	more = 40
)

func systemsTable(s *register.Snapshot, caption string, some []System) ui.TableOptions {
	o := table(caption, text("System"), ui.Num("A year"), ui.Num("Range"), ui.Num("For one user"), ui.Num("For one transaction"), ui.Num("Covered"), text("Not known"))
	for _, x := range some {
		o.Rows = append(o.Rows, []ui.Cell{
			{HTML: ui.LinkTo(x.Name, register.Href(s, words.SystemHref(x.ID))), Classes: "govuk-!-font-weight-regular"},
			ui.Num(x.Amount.String()), ui.Num(x.Amount.Range()), ui.Num(x.PerUser().String()), ui.Num(grams(x.PerTransaction())), ui.Num(percent(x.Known, x.Expected)), text(strings.Join(x.Missing, "; "))})
	}
	return o
}

// grams is a small amount.
func grams(a Amount) string {
	if a.Known && a.Kg < 1 {
		return chart.Number(a.Kg*1000) + " g"
	}
	return a.String()
}

func cutsTable(s *register.Snapshot, cuts []Cut) ui.TableOptions {
	o := table("What would lower the footprint", text("What"), text("Why"), ui.Num("Saves a year"), ui.Num("Range"))
	for _, c := range cuts[:min(12, len(cuts))] {
		what := first(c.What)
		if c.Href != "" {
			what = ui.Cell{HTML: ui.LinkTo(c.What, register.Href(s, c.Href)), Classes: "govuk-!-font-weight-regular"}
		}
		o.Rows = append(o.Rows, []ui.Cell{what, text(c.Why), ui.Num(c.Saves.String()), ui.Num(c.Saves.Range())})
	}
	return o
}

func trendChart(trend []Year) templ.Component {
	c := chart.Line{Head: chart.Head{ID: "carbon-trend", Title: "Emissions a year, at the end of each year", Desc: "Worked out from what is known today; the table below has the numbers."}, Format: kg}
	for _, y := range trend {
		c.Points = append(c.Points, chart.Point{Label: yearText(y), Value: y.Total.Kg, Known: y.Total.Known})
	}
	return chart.Draw(c)
}

func yearText(y Year) string {
	if y.Now {
		return "Today"
	}
	return fmt.Sprint(y.Year)
}

func trendTable(trend []Year) ui.TableOptions {
	o := table("Emissions by year", text("Year"), ui.Num("A year"), ui.Num("Range"))
	for _, y := range trend {
		o.Rows = append(o.Rows, []ui.Cell{first(yearText(y)), ui.Num(y.Total.String()), ui.Num(y.Total.Range())})
	}
	return o
}

var units = map[string]string{"grid": "kg for one kWh", "embodied": "kg to make one", "power": "kWh a year", "spend": "kg for one pound", "cloud": "kg a year for one user"}

func factorsTable(f *Footprint) ui.TableOptions {
	o := table("Factors used", text("Factor"), ui.Num("Value"), ui.Num("Range"), ui.Num("Year"), text("Source"))
	for _, x := range f.Used {
		o.Rows = append(o.Rows, factorRow(x.Name, x.Spec, rangeOf(x)))
		for _, other := range x.Others {
			o.Rows = append(o.Rows, factorRow("For comparison: "+other.Name, other.Spec, ""))
		}
	}
	return o
}

func factorRow(name string, s *FactorSpec, span string) []ui.Cell {
	return []ui.Cell{first(name), ui.Num(fmt.Sprintf("%g %s", s.Value, units[s.About])), ui.Num(span), ui.Num(fmt.Sprint(s.Year)), text(s.Source)}
}

func rangeOf(x *Factor) string {
	if !x.Ranged {
		return "Not published"
	}
	span := fmt.Sprintf("%g to %g", x.Low, x.High)
	if len(x.Others) > 0 && x.Low > 0 {
		span += fmt.Sprintf(": sources differ %.1f times", x.High/x.Low)
	}
	return span
}

func country(f *Footprint) string {
	if f.Country == "" {
		return ""
	}
	return " (" + f.Country + " where the site is not known)"
}
