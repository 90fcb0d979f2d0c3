package exporter

import (
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// formatsList is the formats for staff, or for the public, each with its link.
func formatsList(s *register.Snapshot, public bool) ui.SummaryListOptions {
	var o ui.SummaryListOptions
	row := func(title, doc, href, file string) {
		o.Rows = append(o.Rows, ui.SummaryRow{Key: ui.Text(title), Value: ui.Text(doc), Actions: ui.Actions{Items: []ui.Link{{Text: "Download", Href: register.Href(s, href), VisuallyHiddenText: file}}}})
	}
	for _, f := range Formats() {
		if f.Public == public {
			row(f.Title, f.Doc, home+"/"+f.Name, f.File)
		}
		if f.Name == "site" && !public {
			row(f.Title, "The same pages for staff, with owners, costs and how systems stand.", home+"/site?audience="+Staff, "the pages for staff")
		}
	}
	return o
}

// listName is the name of a list as a title.
func listName(name string) string {
	return ui.Capital(ui.Words(name))
}
