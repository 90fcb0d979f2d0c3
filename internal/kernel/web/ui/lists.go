package ui

import (
	"fmt"
	"strings"

	"github.com/a-h/templ"
)

func (t *CardTitle) given() bool { return t != nil && (t.Text != "" || t.HTML != nil) }

func (o SummaryListOptions) anyActions() bool {
	for _, r := range o.Rows {
		if len(r.Actions.Items) > 0 {
			return true
		}
	}
	return false
}

func (c Cell) format(part string) string {
	return when(c.Format != "", "govuk-table__"+part+"--"+c.Format)
}

func (c Cell) attrs() templ.Attributes {
	return attrs(c.Attributes, "colspan", c.Colspan, "rowspan", c.Rowspan)
}

// StackClass makes the rows of a [Table] stand under one another on a phone, each
// cell with its column's name.
const StackClass = "app-table--stack"

func (o TableOptions) stacks() bool { return strings.Contains(o.Classes, StackClass) }

// role is attributes with the ARIA role that a table which stacks must give its
// parts: as blocks they are no table to a screen reader any more.
func (o TableOptions) role(name string, a templ.Attributes) templ.Attributes {
	return attrs(a, "role", when(o.stacks(), name))
}

// cellAttrs are a cell's attributes; a table that stacks repeats the column's name.
func (o TableOptions) cellAttrs(i int, c Cell) templ.Attributes {
	a := o.role("cell", c.attrs())
	if o.stacks() && i < len(o.Head) && o.Head[i].Text != "" {
		a["data-label"] = o.Head[i].Text
	}
	return a
}

func (o PaginationOptions) block() bool {
	return len(o.Items) == 0 && (o.Next != nil || o.Previous != nil)
}

func (o ServiceNavigationOptions) menu() string { return or(o.MenuButtonText, "Menu") }

func (o ServiceNavigationOptions) collapses() bool {
	return chosen(o.CollapseNavigationOnMobile, len(o.Navigation) > 1)
}

func (it NavItem) ariaCurrent() string {
	if it.Current {
		return "page"
	}
	return when(it.Active, "true")
}

func (o TaskListOptions) taskID(i int) string {
	return fmt.Sprintf("%s-%d", or(o.IDPrefix, "task-list"), i+1)
}
