package roadmap

import (
	"context"
	"net/http"
	"slices"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/performance"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the pages of the roadmap, the objectives and the budgets for staff.
type Desk struct {
	register.Desk
	// Measures are the measures with their numbers; nil: those imported alone.
	Measures func(ctx context.Context, s *register.Snapshot) ([]performance.Series, error)
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /staff/estate/roadmap", register.Read, d.roadmap)
	m.Handle("GET /staff/estate/roadmap/items/{id}", register.Read, d.item)
	m.Handle("GET /staff/estate/roadmap/budget", register.Read, d.budget)
	m.Handle("GET /staff/estate/objectives", register.Read, d.objectives)
	m.Handle("GET /staff/estate/objectives/{id}", register.Read, d.objectivePage)
}

// plan is the plan that a request asks for.
func (d *Desk) plan(r *http.Request) (*Plan, error) {
	s, err := d.Snapshot(r)
	if err != nil {
		return nil, err
	}
	scenario := r.URL.Query().Get("scenario")
	if scenario != "" && scenario != Baseline && !slices.Contains(Scenarios(s), scenario) {
		return nil, reeve.E(reeve.NotFound, "roadmap.plan", "there is no scenario %q", scenario)
	}
	return New(s, scenario), nil
}

func (d *Desk) render(w http.ResponseWriter, r *http.Request, p *Plan, page web.Page, content templ.Component) error {
	page.Crumbs = append([]ui.Link{register.Crumb}, page.Crumbs...)
	return d.Render(w, r, p.Snapshot, page, content)
}

func (d *Desk) roadmap(w http.ResponseWriter, r *http.Request) error {
	p, err := d.plan(r)
	if err != nil {
		return err
	}
	f := readFilter(r.URL.Query())
	return d.render(w, r, p, web.Page{Title: "Roadmap", Wide: true}, roadmapPage(p, f, f.choose(p)))
}

func (d *Desk) item(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if now, ok := s.Renamed("RoadmapItem", id); ok {
		return web.Redirect(w, r, register.Href(s, itemHref(now)))
	}
	p := New(s, "")
	x, ok := p.Item(id)
	for _, name := range Scenarios(s) {
		if !ok {
			p = New(s, name)
			x, ok = p.Item(id)
		}
	}
	if !ok {
		return reeve.E(reeve.NotFound, "roadmap.item", "there is no roadmap item %q", id)
	}
	return d.render(w, r, p, web.Page{Title: x.Name, Crumbs: []ui.Link{{Text: "Roadmap", Href: roadmapPath}}}, itemPage(p, x))
}

func (d *Desk) budget(w http.ResponseWriter, r *http.Request) error {
	p, err := d.plan(r)
	if err != nil {
		return err
	}
	return d.render(w, r, p, web.Page{Title: "Budgets", Crumbs: []ui.Link{{Text: "Roadmap", Href: roadmapPath}}}, budgetPage(p))
}

func (d *Desk) series(r *http.Request, s *register.Snapshot) (map[string]performance.Series, error) {
	all := performance.Imported(s)
	if d.Measures != nil {
		var err error
		if all, err = d.Measures(r.Context(), s); err != nil {
			return nil, err
		}
	}
	out := map[string]performance.Series{}
	for _, x := range all {
		out[x.ID] = x
	}
	return out, nil
}

func (d *Desk) objectives(w http.ResponseWriter, r *http.Request) error {
	p, err := d.plan(r)
	if err != nil {
		return err
	}
	series, err := d.series(r, p.Snapshot)
	if err != nil {
		return err
	}
	return d.render(w, r, p, web.Page{Title: "Objectives"}, objectivesPage(p, series))
}

func (d *Desk) objectivePage(w http.ResponseWriter, r *http.Request) error {
	p, err := d.plan(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if now, ok := p.Renamed("Objective", id); ok {
		return web.Redirect(w, r, register.Href(p.Snapshot, objectiveHref(now)))
	}
	i := slices.IndexFunc(p.Objectives, func(o Objective) bool { return o.ID == id })
	if i < 0 {
		return reeve.E(reeve.NotFound, "roadmap.objective", "there is no objective %q", id)
	}
	series, err := d.series(r, p.Snapshot)
	if err != nil {
		return err
	}
	return d.render(w, r, p, web.Page{Title: p.Objectives[i].Name, Crumbs: []ui.Link{{Text: "Objectives", Href: "/staff/estate/objectives"}}}, oneObjective(p, p.Objectives[i], series))
}
