package fit

import (
	"net/http"
	"strconv"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the pages on fit, costs and health for staff.
type Desk struct {
	register.Desk
	reports register.Kept[*register.Snapshot, *Report]
}

// report is the fit of everything, worked out once for a snapshot.
func (d *Desk) report(s *register.Snapshot) *Report {
	return d.reports.Get(s, func() *Report { return New(s) })
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /staff/estate/portfolio", register.Read, d.quadrant)
	m.Handle("GET /staff/estate/portfolio/systems/{id}", register.Read, d.system)
	m.Handle("GET /staff/estate/portfolio/retire", register.Read, d.retire)
	m.Handle("GET /staff/estate/portfolio/costs", register.Read, d.costs)
	m.Handle("GET /staff/estate/portfolio/health", register.Read, d.healths)
	m.Handle("GET /staff/estate/portfolio/health/{id}", register.Read, d.health)
}

var portfolioCrumb = ui.Link{Text: "Portfolio", Href: portfolioPath}

func (d *Desk) show(w http.ResponseWriter, r *http.Request, title string, content func(*Report) templ.Component) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	crumbs := []ui.Link{register.Crumb}
	if r.URL.Path != portfolioPath {
		crumbs = append(crumbs, portfolioCrumb)
	}
	return d.Render(w, r, s, web.Page{Title: title, Crumbs: crumbs}, content(d.report(s)))
}

func (d *Desk) quadrant(w http.ResponseWriter, r *http.Request) error {
	f := readFilter(r.URL.Query())
	return d.show(w, r, "Portfolio", func(rep *Report) templ.Component {
		page, err := strconv.Atoi(r.URL.Query().Get("page"))
		if err != nil {
			page = 1
		}
		return quadrantPage(rep, f, f.list(rep, page))
	})
}

func (d *Desk) system(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if now, ok := s.Renamed("System", id); ok {
		return web.Redirect(w, r, register.Href(s, systemHref(now)))
	}
	rep := d.report(s)
	row, ok := rep.Row(id)
	if !ok {
		if x, ok := s.System(id); ok {
			return reeve.E(reeve.NotFound, "fit.system", "%s is not one of our systems in use, so its fit is not judged", x.Name)
		}
		return reeve.E(reeve.NotFound, "fit.system", "there is no system %q", id)
	}
	return d.Render(w, r, s, web.Page{Title: row.Name + ": fit", Crumbs: []ui.Link{register.Crumb, portfolioCrumb}}, systemPage(rep, row, rep.Retire(row.ID)))
}

func (d *Desk) retire(w http.ResponseWriter, r *http.Request) error {
	return d.show(w, r, "What could be retired", retirePage)
}

func (d *Desk) costs(w http.ResponseWriter, r *http.Request) error {
	f := readFilter(r.URL.Query())
	return d.show(w, r, "What a user and a transaction cost", func(rep *Report) templ.Component { return costsPage(rep, f) })
}

func (d *Desk) healths(w http.ResponseWriter, r *http.Request) error {
	return d.show(w, r, "Health of capabilities", healthsPage)
}

func (d *Desk) health(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if now, ok := s.Renamed("Capability", id); ok {
		return web.Redirect(w, r, register.Href(s, healthHref(now)))
	}
	c, ok := s.Capability(id)
	if !ok {
		return reeve.E(reeve.NotFound, "fit.health", "there is no capability %q", id)
	}
	rep := d.report(s)
	return d.Render(w, r, s, web.Page{Title: c.Name + ": health", Crumbs: []ui.Link{register.Crumb, portfolioCrumb, {Text: "Health of capabilities", Href: portfolioPath + "/health"}}}, healthPage(rep, rep.CapabilityHealth(c.ID)))
}
