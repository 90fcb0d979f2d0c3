package portfolio

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Action is what an actor must be allowed to see these pages.
const Action = register.Read

// Desk is the portfolio's pages for staff.
type Desk struct{ register.Desk }

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Nav(web.StaffArea, web.NavItem{Text: "Estate", Href: "/staff/estate", Action: Action, Order: 30})
	m.Handle("GET /staff/estate", Action, d.overview)
	m.Handle("GET /staff/estate/systems", Action, d.systems)
	m.Handle("GET /staff/estate/systems/{id}", Action, d.system)
	m.Handle("GET /staff/estate/capabilities", Action, d.capabilities)
	m.Handle("GET /staff/estate/capabilities/{id}", Action, d.capability)
}

// report is the estate that a request asks for.
func (d *Desk) report(r *http.Request) (*Report, error) {
	s, err := d.Snapshot(r)
	if err != nil {
		return nil, err
	}
	return New(s), nil
}

var estateCrumb = register.Crumb

func (d *Desk) render(w http.ResponseWriter, r *http.Request, rep *Report, title string, content templ.Component, crumbs ...ui.Link) error {
	return d.Render(w, r, rep.Snapshot, web.Page{Title: title, Crumbs: crumbs}, content)
}

func (d *Desk) overview(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	return d.render(w, r, rep, "Estate", overviewPage(rep, d.Has))
}

func (d *Desk) systems(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	f := readFilter(r.URL.Query())
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		page = 1
	}
	return d.render(w, r, rep, "Systems", systemsPage(rep, f, f.list(rep, page)), estateCrumb)
}

func (d *Desk) system(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	row, ok := rep.Row(r.PathValue("id"))
	if !ok {
		if now, ok := rep.Renamed("System", r.PathValue("id")); ok {
			return web.Redirect(w, r, register.Href(rep.Snapshot, words.SystemHref(now)))
		}
		return reeve.E(reeve.NotFound, "estate.system", "there is no system %q", r.PathValue("id"))
	}
	return d.render(w, r, rep, row.Name, systemPage(rep, row, d.more(r, rep, row.ID)), estateCrumb, ui.Link{Text: "Systems", Href: "/staff/estate/systems"})
}

// more is what else whoever asks can do about a system.
func (d *Desk) more(r *http.Request, rep *Report, id string) (out []ui.Link) {
	id = url.PathEscape(id)
	if d.Has("/staff/estate/edit/{kind}/{id}") && !rep.Past && d.May(r.Context(), "estate.edit") {
		out = append(out, ui.Link{Text: "Change what is declared", Href: "/staff/estate/edit/System/" + id})
	}
	if d.Has("/staff/estate/history/{kind}/{id}") {
		out = append(out, ui.Link{Text: "Who changed it, and when", Href: "/staff/estate/history/System/" + id})
	}
	if d.Has("/staff/estate/scenarios/try") {
		out = append(out, ui.Link{Text: "What would change without it", Href: "/staff/estate/scenarios/try?retire=" + id})
	}
	return out
}

func (d *Desk) capabilities(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	return d.render(w, r, rep, "Capabilities", capabilitiesPage(rep), estateCrumb)
}

func (d *Desk) capability(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	c, ok := rep.Capability(r.PathValue("id"))
	if !ok {
		if now, ok := rep.Renamed("Capability", r.PathValue("id")); ok {
			return web.Redirect(w, r, register.Href(rep.Snapshot, words.CapabilityHref(now)))
		}
		return reeve.E(reeve.NotFound, "estate.capability", "there is no capability %q", r.PathValue("id"))
	}
	return d.render(w, r, rep, c.Name, capabilityPage(rep, c), estateCrumb, ui.Link{Text: "Capabilities", Href: "/staff/estate/capabilities"})
}

// pageHref is the address of a page of the list, with the same filter.
func (f filter) pageHref(page int) string {
	q := f.values()
	q.Set("page", fmt.Sprint(page))
	return "/staff/estate/systems?" + q.Encode()
}
