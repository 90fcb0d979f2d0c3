package ui

import (
	"time"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
)

func stub(...any) templ.Component { return templ.NopComponent }

// Input is a text field.
func Input(o InputOptions) templ.Component { return stub(o) }

// Textarea is a text field of several lines.
func Textarea(o TextareaOptions) templ.Component { return stub(o) }

// Select is a drop-down list; prefer Radios where there are few choices.
func Select(o SelectOptions) templ.Component { return stub(o) }

// Radios choose one of several.
func Radios(o RadiosOptions) templ.Component { return stub(o) }

// Checkboxes choose any of several.
func Checkboxes(o CheckboxesOptions) templ.Component { return stub(o) }

// DateInput asks for a day, month and year.
func DateInput(o DateInputOptions) templ.Component { return stub(o) }

// SummaryList shows keys and values.
func SummaryList(o SummaryListOptions) templ.Component { return stub(o) }

// Table shows rows and columns.
func Table(o TableOptions) templ.Component { return stub(o) }

// Tabs show one of several panels; without JavaScript all, one after another.
func Tabs(o TabsOptions) templ.Component { return stub(o) }

// Pagination leads to other pages of a list.
func Pagination(o PaginationOptions) templ.Component { return stub(o) }

// ServiceNavigation names the service and its sections.
func ServiceNavigation(o ServiceNavigationOptions) templ.Component { return stub(o) }

// TaskList lists tasks and how far they are.
func TaskList(o TaskListOptions) templ.Component { return stub(o) }

// ScrollRegion lets its children (a wide table or drawing) scroll sideways on a
// small screen, also by keyboard; label names it for screen readers.
// Use it with children: @ui.ScrollRegion("Flows") { ... }
func ScrollRegion(label string) templ.Component { return stub(label) }

// Status is a tag with a tone: @ui.Status("Delivered", ui.Good).
func Status(text string, tone Tone) templ.Component { return stub(text, tone) }

// ClassTag shows a classification under a marking; marking "" shows the class's own name.
func ClassTag(c reeve.Class, marking string) templ.Component { return stub(c, marking) }

// Stats are the figures at the top of a page.
func Stats(items []Stat) templ.Component { return stub(items) }

// Timeline shows moments in order: the trail of a record, the history of a case.
func Timeline(items []Moment) templ.Component { return stub(items) }

// Time shows a moment in words, "2 January 2026 at 3:04pm"; nothing for a zero time.
func Time(t time.Time) templ.Component { return stub(t) }

// Date shows a day in words, "2 January 2026"; nothing for a zero time.
func Date(t time.Time) templ.Component { return stub(t) }

// Code shows text as it is, in a scrolling box: a record's JSON, a definition.
func Code(label, text string) templ.Component { return stub(label, text) }

// Empty says in place of a list that there is nothing in it.
func Empty(text string) templ.Component { return stub(text) }
