package ui

import "github.com/a-h/templ"

// ButtonOptions are those of [Button]: a button, or a link that looks like one
// when Href is given. Type is "submit" unless said otherwise.
type ButtonOptions struct {
	Text               string
	HTML               templ.Component
	Type, Name, Value  string
	Href               string
	ID, Classes        string
	Attributes         templ.Attributes
	Disabled           bool
	PreventDoubleClick *bool
	IsStartButton      bool
}

// FormGroup are options of the element around a form control.
type FormGroup struct {
	Classes                   string
	Attributes                templ.Attributes
	BeforeInput, AfterInput   Part // around a single control
	BeforeInputs, AfterInputs Part // around a group of controls
}

// InputOptions are those of [Input]. ID is Name unless given.
type InputOptions struct {
	Label, Hint, ErrorMessage Part
	ID, Name, Value, Type     string
	Classes, DescribedBy      string
	Attributes                templ.Attributes
	Prefix, Suffix            Part
	InputWrapper              Part // Classes and Attributes only
	FormGroup                 FormGroup
	Autocomplete              string
	Autocapitalize            string
	Pattern, Inputmode        string
	Spellcheck                *bool
	Disabled                  bool
}

// TextareaOptions are those of [Textarea]. Rows is 5 unless given.
type TextareaOptions struct {
	Label, Hint, ErrorMessage Part
	ID, Name, Value           string
	Rows                      int
	Classes, DescribedBy      string
	Attributes                templ.Attributes
	FormGroup                 FormGroup
	Autocomplete              string
	Spellcheck                *bool
	Disabled                  bool
}

// SelectOptions are those of [Select]. Value chooses the option selected.
type SelectOptions struct {
	Label, Hint, ErrorMessage Part
	ID, Name, Value           string
	Items                     []SelectItem
	Classes, DescribedBy      string
	Attributes                templ.Attributes
	FormGroup                 FormGroup
	Disabled                  bool
}

// SelectItem is one option of a [Select]. Its value is always written.
type SelectItem struct {
	Value, Text string
	Selected    *bool // nil: whether Value is the select's value
	Disabled    bool
	Attributes  templ.Attributes
}

// FieldsetOptions are those of [Fieldset].
type FieldsetOptions struct {
	Legend               Part
	DescribedBy, Classes string
	Role                 string
	Attributes           templ.Attributes
	HTML                 templ.Component
}

// ChoiceItem is one radio button or checkbox. With Divider it is a word between
// two of them ("or").
type ChoiceItem struct {
	Value       string
	Text        string
	HTML        templ.Component
	ID, Name    string // Name only of a checkbox; both default from the group
	Hint        Part
	Label       Part            // Classes and Attributes only
	Checked     *bool           // nil: whether Value is among the group's values
	Conditional templ.Component // shown when chosen; always shown without JavaScript
	Behaviour   string          // "exclusive": unticks the others
	Divider     string
	Disabled    bool
	Attributes  templ.Attributes
}

// RadiosOptions are those of [Radios]. Value chooses the item checked.
type RadiosOptions struct {
	Fieldset           *FieldsetOptions // nil: no fieldset
	Hint, ErrorMessage Part
	Name, IDPrefix     string // IDPrefix is Name unless given; the first item's id is IDPrefix
	Value              string
	Items              []ChoiceItem
	Classes            string // "govuk-radios--inline", "govuk-radios--small"
	Attributes         templ.Attributes
	FormGroup          FormGroup
}

// CheckboxesOptions are those of [Checkboxes]. Values choose the items checked.
type CheckboxesOptions struct {
	Fieldset           *FieldsetOptions // nil: no fieldset
	Hint, ErrorMessage Part
	Name, IDPrefix     string
	DescribedBy        string
	Values             []string
	Items              []ChoiceItem
	Classes            string
	Attributes         templ.Attributes
	FormGroup          FormGroup
}

// DateInputOptions are those of [DateInput]: day, month and year. Without
// Items, Day, Month and Year are shown. Field names are NamePrefix-day and so
// on; Values are read under those names.
type DateInputOptions struct {
	Fieldset           *FieldsetOptions
	Hint, ErrorMessage Part
	ID, NamePrefix     string
	Values             map[string]string
	Day, Month, Year   *DateItem
	Items              []DateItem
	Classes            string
	Attributes         templ.Attributes
	FormGroup          FormGroup
}

// DateItem is one field of a [DateInput].
type DateItem struct {
	Name, ID, Label, Value string
	Classes                string
	Error                  *bool // nil: every field when the date has an error and no field says which
	Inputmode, Pattern     string
	Autocomplete           string
	Attributes             templ.Attributes
}

// ErrorSummaryOptions are those of [ErrorSummary]. See [Errors] for the usual way.
type ErrorSummaryOptions struct {
	TitleText        string
	TitleHTML        templ.Component
	DescriptionText  string
	DescriptionHTML  templ.Component
	ErrorList        []Link
	DisableAutoFocus *bool
	Classes          string
	Attributes       templ.Attributes
}

// Link is a link in a list: an error, a crumb, an action of a summary list.
// Without Href it is plain text. VisuallyHiddenText tells screen readers which
// of many equal links this is: "Change" + "name of Ashcombe".
type Link struct {
	Text               string
	HTML               templ.Component
	Href               string
	VisuallyHiddenText string
	Classes            string
	Attributes         templ.Attributes
}

// SummaryListOptions are those of [SummaryList].
type SummaryListOptions struct {
	Rows       []SummaryRow
	Card       *SummaryCard
	Classes    string // "govuk-summary-list--no-border"
	Attributes templ.Attributes
}

// SummaryRow is a row of a [SummaryList].
type SummaryRow struct {
	Key, Value Part
	Classes    string
	Actions    Actions
}

// Row is a SummaryRow of two plain texts.
func Row(key, value string) SummaryRow { return SummaryRow{Key: Text(key), Value: Text(value)} }

// RowHTML is a SummaryRow of a plain key and a component.
func RowHTML(key string, value templ.Component) SummaryRow {
	return SummaryRow{Key: Text(key), Value: HTML(value)}
}

// Actions are the links beside a row or card.
type Actions struct {
	Items   []Link
	Classes string
}

// SummaryCard puts a title around a [SummaryList].
type SummaryCard struct {
	Title      CardTitle
	Actions    Actions
	Classes    string
	Attributes templ.Attributes
}

// CardTitle is the title of a [SummaryCard]; HeadingLevel is 2 unless given.
type CardTitle struct {
	Text         string
	HTML         templ.Component
	HeadingLevel int
	Classes      string
}

// TableOptions are those of [Table]. For a table with many columns see
// [ScrollRegion] or the class "app-table--stack".
type TableOptions struct {
	Caption, CaptionClasses string
	Head                    []Cell
	Rows                    [][]Cell
	FirstCellIsHeader       bool
	Classes                 string
	Attributes              templ.Attributes
}

// Cell is a cell of a [Table]. Format "numeric" aligns to the right.
type Cell struct {
	Text             string
	HTML             templ.Component
	Format           string
	Classes          string
	Colspan, Rowspan int
	Attributes       templ.Attributes
}

// Cells is a row of plain text cells.
func Cells(texts ...string) []Cell {
	row := make([]Cell, len(texts))
	for i, t := range texts {
		row[i].Text = t
	}
	return row
}

// CellHTML is a cell holding a component.
func CellHTML(c templ.Component) Cell { return Cell{HTML: c} }

// Num is a numeric cell.
func Num(text string) Cell { return Cell{Text: text, Format: "numeric"} }

// TabsOptions are those of [Tabs].
type TabsOptions struct {
	ID, IDPrefix, Title string
	Items               []Tab
	Classes             string
	Attributes          templ.Attributes
}

// Tab is one tab. Panel.HTML is shown as it is, Panel.Text in a paragraph.
type Tab struct {
	ID, Label  string
	Attributes templ.Attributes
	Panel      Part
}

// PaginationOptions are those of [Pagination]; see [Pages] for numbered pages.
type PaginationOptions struct {
	Items          []PageItem
	Previous, Next *PageLink
	LandmarkLabel  string
	Classes        string
	Attributes     templ.Attributes
}

// PageItem is one numbered page, or an ellipsis.
type PageItem struct {
	Number             string
	Href               string
	VisuallyHiddenText string
	Current, Ellipsis  bool
	Attributes         templ.Attributes
}

// PageLink leads to the page before or after; LabelText says what is there.
type PageLink struct {
	Text, Href, LabelText string
	HTML                  templ.Component
	Attributes            templ.Attributes
}

// BackLinkOptions are those of [BackLink]; Text is "Back" unless given.
type BackLinkOptions struct {
	Text       string
	HTML       templ.Component
	Href       string
	Classes    string
	Attributes templ.Attributes
}

// BreadcrumbsOptions are those of [Breadcrumbs].
type BreadcrumbsOptions struct {
	Items            []Link
	CollapseOnMobile bool
	LabelText        string
	Classes          string
	Attributes       templ.Attributes
}

// DetailsOptions are those of [Details].
type DetailsOptions struct {
	SummaryText string
	SummaryHTML templ.Component
	Text        string
	HTML        templ.Component
	Open        bool
	ID, Classes string
	Attributes  templ.Attributes
}

// WarningTextOptions are those of [WarningText].
type WarningTextOptions struct {
	Text             string
	HTML             templ.Component
	IconFallbackText string // "Warning" unless given
	Classes          string
	Attributes       templ.Attributes
}

// NotificationBannerOptions are those of [NotificationBanner]. Type "success"
// makes it green and an alert.
type NotificationBannerOptions struct {
	Text              string
	HTML              templ.Component
	TitleText         string
	TitleHTML         templ.Component
	TitleHeadingLevel int
	TitleID           string
	Type, Role        string
	DisableAutoFocus  *bool
	Classes           string
	Attributes        templ.Attributes
}

// PanelOptions are those of [Panel]: what was done, on a confirmation page, or
// with the class "govuk-panel--interruption" something to read before going on.
type PanelOptions struct {
	TitleText    string
	TitleHTML    templ.Component
	HeadingLevel int
	Text         string
	HTML         templ.Component
	Actions      *PanelActions // of an interruption only
	Classes      string
	Attributes   templ.Attributes
}

// PanelActions are the buttons and links of a [Panel].
type PanelActions struct {
	Items      []PanelAction
	Classes    string
	Attributes templ.Attributes
}

// PanelAction is a button, or with Href and no Type "button" a link.
type PanelAction struct {
	Text, Type, Href string
	Classes          string
	Attributes       templ.Attributes
}

// PhaseBannerOptions are those of [PhaseBanner].
type PhaseBannerOptions struct {
	Tag        Part
	Text       string
	HTML       templ.Component
	Classes    string
	Attributes templ.Attributes
}

// SkipLinkOptions are those of [SkipLink].
type SkipLinkOptions struct {
	Text       string
	HTML       templ.Component
	Href       string
	Classes    string
	Attributes templ.Attributes
}

// ServiceNavigationOptions are those of [ServiceNavigation].
type ServiceNavigationOptions struct {
	ServiceName, ServiceURL         string
	Navigation                      []NavItem
	NavigationID, NavigationLabel   string
	NavigationClasses               string
	MenuButtonText, MenuButtonLabel string
	CollapseNavigationOnMobile      *bool
	AriaLabel                       string
	Classes                         string
	Attributes                      templ.Attributes
	Slots                           NavSlots
}

// NavSlots are places for more in a [ServiceNavigation].
type NavSlots struct {
	Start, NavigationStart, NavigationEnd templ.Component
	End                                   NavEnd
}

// NavEnd is what stands at the end of a [ServiceNavigation]: below it, or with
// Align "inline" beside it.
type NavEnd struct {
	HTML  templ.Component
	Align string
}

// NavItem is one link of a [ServiceNavigation]. Current is this very page,
// Active the section it belongs to.
type NavItem struct {
	Text            string
	HTML            templ.Component
	Href            string
	Current, Active bool
	Attributes      templ.Attributes
}

// TaskListOptions are those of [TaskList].
type TaskListOptions struct {
	IDPrefix   string
	Items      []Task
	Classes    string
	Attributes templ.Attributes
}

// Task is one task of a [TaskList].
type Task struct {
	Title   Part
	Hint    Part
	Href    string
	Status  TaskStatus
	Classes string
}

// TaskStatus says how far a task is; Tag, if given, is shown as a tag.
type TaskStatus struct {
	Tag     *Part
	Text    string
	HTML    templ.Component
	Classes string
}
