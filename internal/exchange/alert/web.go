package alert

import (
	"net/http"

	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// ActionRead is the action of the page of alerts.
const ActionRead = "flow.read"

// Mount adds the page.
func (w *Watch) Mount(m *web.Mux) {
	m.Handle("GET /staff/flows/alerts", ActionRead, func(rw http.ResponseWriter, r *http.Request) error {
		open, err := w.Open(r.Context())
		if err != nil {
			return err
		}
		past, err := w.Past(r.Context())
		if err != nil {
			return err
		}
		page := web.Page{Title: "Alerts", Active: "/staff/flows", Crumbs: []ui.Link{{Text: "Flows", Href: "/staff/flows"}}}
		return m.Render(rw, r, page, alertsPage(w.rows(open), w.rows(past)))
	})
}

// row is an alert as the page shows it.
type row struct {
	Alert
	Name, Href string
}

func (w *Watch) rows(all []Alert) (rows []row) {
	for _, a := range all {
		rows = append(rows, row{a, w.o.Name(a.About), w.o.Href(a.About)})
	}
	return rows
}

func cells(rows []row) (out [][]ui.Cell) {
	for _, r := range rows {
		line := []ui.Cell{ui.CellHTML(ui.LinkTo(r.Name, r.Href)), {Text: r.Why}, ui.CellHTML(ui.Time(r.Raised))}
		if !r.Ended.IsZero() {
			line = append(line, ui.CellHTML(ui.Time(r.Ended)))
		}
		out = append(out, line)
	}
	return out
}
