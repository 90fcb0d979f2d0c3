package web_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

func h2(s string) templ.Component { return templ.Raw(`<h2 class="govuk-heading-m">` + s + `</h2>`) }

func p(s string) templ.Component { return templ.Raw(`<p class="govuk-body">` + s + `</p>`) }

// around puts children into a component that takes them.
func around(outer templ.Component, children ...templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return outer.Render(templ.WithChildren(ctx, templ.Join(children...)), w)
	})
}

const sampleJSON = `{
  "registration": "ASH/2026/0012",
  "deceased": {"name": "Rowan Example", "dateOfBirth": "1941-02-30", "address": "1 The Street, Ashcombe, a line that is quite long so that it has to scroll"}
}`

const sampleMap = `<svg class="reeve-map" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 150" role="group" aria-label="Map">
<g class="flow flowing"><path fill="none" stroke="#1d70b8" stroke-width="2" d="M190 40 L 320 40"/></g>
<g class="system"><a href="/staff/"><polygon fill="white" stroke="black" points="20,15 190,15 190,65 20,65"/><text x="35" y="45">Register office</text></a></g>
<g class="system"><a href="/staff/"><polygon fill="white" stroke="black" points="330,15 450,15 450,65 330,65"/><text x="345" y="45">Council tax</text></a></g></svg>`

// gallery is a page with every component.
func gallery(withErrors bool) templ.Component {
	var errs ui.Errors
	if withErrors {
		errs.Add("name", "Enter a name")
		errs.Add("born-day", "Date of birth must be a real date")
		errs.Add("how", "Choose how we should reach you")
		errs.Add("why", "Say why in a few words")
	}
	var date ui.Part
	if withErrors {
		date = errs.For("born-day")
	}
	form := templ.Join(
		ui.Input(ui.InputOptions{Label: ui.Text("Name"), Hint: ui.Text("As it stands on the birth certificate"), Name: "name", ErrorMessage: errs.For("name"), Autocomplete: "name"}),
		ui.Input(ui.InputOptions{Label: ui.Text("Yearly cost"), Name: "cost", Prefix: ui.Text("£"), Suffix: ui.Text("a year"), Classes: "govuk-input--width-5", Inputmode: "decimal"}),
		ui.DateInput(ui.DateInputOptions{ID: "born", NamePrefix: "born", Fieldset: &ui.FieldsetOptions{Legend: ui.Text("Date of birth")}, Hint: ui.Text("For example, 27 3 2007"), ErrorMessage: date, Values: map[string]string{"born-day": "30", "born-month": "2", "born-year": "1941"}}),
		ui.Radios(ui.RadiosOptions{Name: "how", Fieldset: &ui.FieldsetOptions{Legend: ui.Part{Text: "How should we reach you?", Classes: "govuk-fieldset__legend--m"}}, ErrorMessage: errs.For("how"), Value: "email", Items: []ui.ChoiceItem{
			{Value: "email", Text: "Email", Conditional: ui.Input(ui.InputOptions{Label: ui.Text("Email address"), Name: "email", Type: "email", Autocomplete: "email"})},
			{Value: "letter", Text: "Letter", Hint: ui.Text("Takes about three days")}, {Divider: "or"}, {Value: "none", Text: "Not at all"}}}),
		ui.Checkboxes(ui.CheckboxesOptions{Name: "roles", Fieldset: &ui.FieldsetOptions{Legend: ui.Text("Roles")}, Values: []string{"architect"}, Items: []ui.ChoiceItem{{Value: "architect", Text: "Architect"}, {Value: "caseworker", Text: "Caseworker"}}}),
		ui.Select(ui.SelectOptions{Label: ui.Text("System"), Name: "system", Items: []ui.SelectItem{{Text: "Choose a system"}, {Value: "sys-council-tax", Text: "Council tax"}}}),
		ui.Textarea(ui.TextareaOptions{Label: ui.Text("Why?"), Name: "why", ErrorMessage: errs.For("why")}),
		templ.Raw(`<div class="govuk-button-group">`), ui.Button(ui.ButtonOptions{Text: "Correct and release"}), ui.Button(ui.ButtonOptions{Text: "Refuse", Classes: "govuk-button--secondary"}),
		ui.Button(ui.ButtonOptions{Text: "Delete", Classes: "govuk-button--warning"}), templ.Raw(`<a class="govuk-link" href="/">Leave it for now</a></div>`),
	)
	at := time.Date(2026, 1, 2, 15, 4, 0, 0, time.UTC)
	var rows [][]ui.Cell
	for i, tone := range []ui.Tone{ui.Good, ui.Waiting, ui.Bad, ui.Info, ui.Quiet, ui.Special} {
		rows = append(rows, []ui.Cell{{HTML: templ.Raw(fmt.Sprintf(`<a class="govuk-link" href="/staff/">r1-%d</a>`, i+40))}, {Text: "rec-death.v1"}, {Text: "Register office, shared with the neighbouring borough"},
			ui.CellHTML(ui.Status([]string{"Delivered", "Waiting", "Held", "Accepted", "Not for them", "Reversed"}[i], tone)), ui.Num(fmt.Sprint(i * 117)), {HTML: ui.Time(at)}})
	}
	head := []ui.Cell{{Text: "Record"}, {Text: "Type"}, {Text: "From"}, {Text: "State"}, {Text: "Bytes", Format: "numeric"}, {Text: "When"}}
	table := ui.TableOptions{Caption: "Records", CaptionClasses: "govuk-table__caption--m", Head: head, Rows: rows}
	stacked := table
	stacked.Caption, stacked.Classes, stacked.Rows = "Records, stacked on a phone", ui.StackClass, rows[:2]
	return templ.Join(
		errs.Summary(),
		templ.Raw(`<span class="govuk-caption-l">Held record</span><h1 class="govuk-heading-l">A gallery of components</h1>`),
		ui.Stats([]ui.Stat{{Label: "Records accepted", Value: "12,340", Note: "since midnight"}, {Label: "Held", Value: "12", Href: "/staff/Held", Tone: ui.Bad}, {Label: "Waiting", Value: "3", Href: "/staff/Records", Tone: ui.Waiting}, {Label: "Delivered", Value: "36,984", Tone: ui.Good}}),
		h2("Map"),
		templ.Raw(`<ul class="govuk-list reeve-map-key"><li><svg width="44" height="12" aria-hidden="true"><path d="M0 6h44" stroke="#1d70b8" stroke-width="2"/></svg> Declared and seen</li><li>Declared, but silent</li><li>Seen, but not declared</li></ul>`),
		around(ui.ScrollRegion("Map of systems"), templ.Raw(sampleMap)),
		around(ui.ScrollRegion("Records"), ui.Table(table)),
		ui.Table(stacked),
		ui.Pagination(ui.Pages(4, 12, func(n int) string { return fmt.Sprintf("/staff/Records?page=%d", n) })),
		h2("Trail"),
		ui.Timeline([]ui.Moment{
			{Title: "Accepted from the register office", At: at, Tag: "Accepted", Tone: ui.Info},
			{Title: "Council tax", At: at, Tag: "Delivered", Tone: ui.Good, Body: ui.SummaryList(ui.SummaryListOptions{Rows: []ui.SummaryRow{ui.Row("Purpose", "council-tax-exemption"), ui.Row("Fields", "/registration, /deceased/name, /deceased/dateOfDeath")}})},
			{Title: "Libraries", Tag: "Waiting", Tone: ui.Waiting, Body: p("The system answered 503; next attempt in 4 minutes.")}}),
		ui.SummaryList(ui.SummaryListOptions{Card: &ui.SummaryCard{Title: ui.CardTitle{Text: "What is wrong"}}, Rows: []ui.SummaryRow{
			{Key: ui.Text("/deceased/dateOfBirth"), Value: ui.Text("is not a date"), Actions: ui.Actions{Items: []ui.Link{{Text: "Change", Href: "/staff/", VisuallyHiddenText: "date of birth"}}}}, ui.RowHTML("Class", ui.ClassTag(reeve.Confidential, "OFFICIAL-SENSITIVE"))}}),
		ui.Code("The record as it came", sampleJSON),
		ui.InsetText(ui.Text("Corrections are journalled; the record gets a new number.")),
		ui.WarningText(ui.WarningTextOptions{Text: "A released record is delivered at once."}),
		ui.Details(ui.DetailsOptions{SummaryText: "What is a record type?", Text: "The shape of a record, and what its fields mean."}),
		ui.Tabs(ui.TabsOptions{IDPrefix: "t", Items: []ui.Tab{{Label: "Fields", Panel: ui.Text("Fields")}, {Label: "Flows", Panel: ui.Text("Flows")}}}),
		ui.TaskList(ui.TaskListOptions{Items: []ui.Task{{Title: ui.Text("Check the address"), Href: "/", Status: ui.TaskStatus{Tag: &ui.Part{Text: "Not started", Classes: "govuk-tag--blue"}}}, {Title: ui.Text("Tell libraries"), Status: ui.TaskStatus{Text: "Done"}}}}),
		ui.Empty("No held records."),
		h2("Form"), templ.Raw(`<form method="post" novalidate>`), form, templ.Raw(`</form>`),
		ui.Panel(ui.PanelOptions{TitleText: "You have opted out", HeadingLevel: 2, Text: "We will not enrol your child."}),
	)
}
