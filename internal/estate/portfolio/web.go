package portfolio

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Action is what an actor must be allowed to see these pages.
const Action = "estate.read"

// Desk is the estate's pages for staff.
type Desk struct {
	Report func(ctx context.Context) (*Report, error) // the estate now
	Flows  Flows                                      // nil: the page of a system says that flows are not known

	mux *web.Mux
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	d.mux = m
	m.Nav(web.StaffArea, web.NavItem{Text: "Estate", Href: "/staff/estate", Action: Action, Order: 30})
	m.Handle("GET /staff/estate", Action, d.overview)
	m.Handle("GET /staff/estate/systems", Action, d.systems)
	m.Handle("GET /staff/estate/systems/{id}", Action, d.system)
	m.Handle("GET /staff/estate/standards/{id}", Action, d.standard)
	m.Handle("GET /staff/estate/capabilities", Action, d.capabilities)
	m.Handle("GET /staff/estate/capabilities/{id}", Action, d.capability)
}

var estateCrumb = ui.Link{Text: "Estate", Href: "/staff/estate"}

func (d *Desk) render(w http.ResponseWriter, r *http.Request, title string, content templ.Component, crumbs ...ui.Link) error {
	return d.mux.Render(w, r, web.Page{Title: title, Crumbs: crumbs, Active: "/staff/estate"}, content)
}

func (d *Desk) overview(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.Report(r.Context())
	if err != nil {
		return err
	}
	return d.render(w, r, "Estate", overviewPage(rep))
}

func (d *Desk) systems(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.Report(r.Context())
	if err != nil {
		return err
	}
	f := readFilter(r.URL.Query())
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		page = 1
	}
	return d.render(w, r, "Systems", systemsPage(rep, f, f.list(rep, page)), estateCrumb)
}

func (d *Desk) system(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.Report(r.Context())
	if err != nil {
		return err
	}
	row, ok := rep.Row(r.PathValue("id"))
	if !ok {
		if now, ok := rep.Renamed("System", r.PathValue("id")); ok {
			return web.Redirect(w, r, "/staff/estate/systems/"+url.PathEscape(now))
		}
		return reeve.E(reeve.NotFound, "estate.system", "there is no system %q", r.PathValue("id"))
	}
	var flows []FlowFact
	if d.Flows != nil {
		flows = d.Flows.Of(row.ID)
	}
	return d.render(w, r, row.Name, systemPage(rep, row, flows, d.Flows != nil), estateCrumb, ui.Link{Text: "Systems", Href: "/staff/estate/systems"})
}

func (d *Desk) standard(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.Report(r.Context())
	if err != nil {
		return err
	}
	for _, t := range rep.Standards {
		if t.ID == r.PathValue("id") {
			return d.render(w, r, t.Name, standardPage(rep, t), estateCrumb)
		}
	}
	return reeve.E(reeve.NotFound, "estate.standard", "there is no standard %q", r.PathValue("id"))
}

func (d *Desk) capabilities(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.Report(r.Context())
	if err != nil {
		return err
	}
	return d.render(w, r, "Capabilities", capabilitiesPage(rep), estateCrumb)
}

func (d *Desk) capability(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.Report(r.Context())
	if err != nil {
		return err
	}
	c, ok := rep.Capability(r.PathValue("id"))
	if !ok {
		if now, ok := rep.Renamed("Capability", r.PathValue("id")); ok {
			return web.Redirect(w, r, "/staff/estate/capabilities/"+url.PathEscape(now))
		}
		return reeve.E(reeve.NotFound, "estate.capability", "there is no capability %q", r.PathValue("id"))
	}
	return d.render(w, r, c.Name, capabilityPage(rep, c), estateCrumb, ui.Link{Text: "Capabilities", Href: "/staff/estate/capabilities"})
}

// pageHref is the address of a page of the list, with the same filter.
func (f filter) pageHref(page int) string {
	q := f.values()
	q.Set("page", fmt.Sprint(page))
	return "/staff/estate/systems?" + q.Encode()
}
