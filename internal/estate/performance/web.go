package performance

import (
	"net/http"
	"slices"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the pages of measures for staff.
type Desk struct {
	register.Desk
	Keeper *Keeper
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /staff/estate/measures", register.Read, d.measures)
	m.Handle("GET /staff/estate/measures/{id}", register.Read, d.measure)
}

func (d *Desk) measures(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	all, err := d.Keeper.Series(r.Context(), s)
	if err != nil {
		return err
	}
	return d.Render(w, r, s, web.Page{Title: "Measures", Crumbs: []ui.Link{register.Crumb}}, measuresPage(s, all))
}

func (d *Desk) measure(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if now, ok := s.Renamed("Measure", id); ok {
		return web.Redirect(w, r, register.Href(s, measureHref(now)))
	}
	all, err := d.Keeper.Series(r.Context(), s)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(m Series) bool { return m.ID == id })
	if i < 0 {
		return reeve.E(reeve.NotFound, "performance.measure", "there is no measure %q", id)
	}
	return d.Render(w, r, s, web.Page{Title: all[i].Name, Crumbs: []ui.Link{register.Crumb, {Text: "Measures", Href: "/staff/estate/measures"}}}, measurePage(s, all[i]))
}
