package scenario

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the pages of scenarios for staff. They are about now: a day of the past
// has no scenarios.
type Desk struct {
	register.Desk
	Comparer
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /staff/estate/scenarios", register.Read, d.list)
	m.Handle("GET /staff/estate/scenarios/try", register.Read, d.try)
	m.Handle("GET /staff/estate/scenarios/{name}", register.Read, d.scenario)
}

var scenarioCrumb = ui.Link{Text: "Scenarios", Href: scenarioPath}

func (d *Desk) list(w http.ResponseWriter, r *http.Request) error {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	return d.Render(w, r, s, web.Page{Title: "Scenarios", Crumbs: []ui.Link{register.Crumb}}, listPage(s))
}

func (d *Desk) scenario(w http.ResponseWriter, r *http.Request) error {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	name := r.PathValue("name")
	if name != roadmap.Baseline && !slices.Contains(roadmap.Scenarios(s), name) {
		return reeve.E(reeve.NotFound, "scenario.scenario", "there is no scenario %q: an item of the roadmap names the one that it belongs to", name)
	}
	q := r.URL.Query()
	var by def.Date
	if text := strings.TrimSpace(q.Get("by")); text != "" {
		if by, err = def.ParseDate(text); err != nil {
			return reeve.E(reeve.Invalid, "scenario.by", "by=%q is not a day: write it like 2027-03-31", text)
		}
	}
	c, err := d.Scenario(r.Context(), s, name, by, q.Get("against") == "baseline" && name != roadmap.Baseline)
	if err != nil {
		return err
	}
	return d.Render(w, r, s, web.Page{Title: title(name), Crumbs: []ui.Link{register.Crumb, scenarioCrumb}}, scenarioPage(c, q.Get("by"), q.Get("against")))
}

// maxTried is how many changes can be tried at once.
const maxTried = 20

func (d *Desk) try(w http.ResponseWriter, r *http.Request) error {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	t, errs := readTrial(s, r.URL.Query())
	page := web.Page{Title: "Try a change", Crumbs: []ui.Link{register.Crumb, scenarioCrumb}, Error: len(errs) > 0}
	if len(errs) > 0 {
		page.Status = http.StatusBadRequest
	}
	if len(t.Changes) == 0 || len(errs) > 0 {
		return d.Render(w, r, s, page, tryPage(s, t, errs, nil))
	}
	c, err := d.Try(r.Context(), s, t.Changes)
	if err != nil {
		return err
	}
	return d.Render(w, r, s, page, tryPage(s, t, errs, c))
}

// trial is what somebody tries: read from the address, so that it can be passed on.
type trial struct {
	Retire                []string
	Move, To, Cost, Pound string
	Changes               []roadmap.Change
}

func readTrial(s *register.Snapshot, q url.Values) (t trial, errs ui.Errors) {
	t = trial{Move: q.Get("move"), To: q.Get("to"), Cost: q.Get("cost"), Pound: strings.TrimSpace(q.Get("annual"))}
	known := func(field, id string) bool {
		if _, ok := s.System(s.Set.Present("System", id)); ok {
			return true
		}
		errs.Add(field, "There is no system “%s”", id)
		return false
	}
	for _, id := range q["retire"] {
		if id != "" && !slices.Contains(t.Retire, id) && known("retire", id) {
			t.Retire = append(t.Retire, id)
			t.Changes = append(t.Changes, roadmap.Change{Subject: s.Set.Present("System", id), Phase: "retired"})
		}
	}
	if len(t.Retire) > maxTried {
		errs.Add("retire", "Choose at most %d systems", maxTried)
	}
	switch {
	case t.Move == "" && t.To == "":
	case t.Move == "":
		errs.Add("move", "Choose the system that moves")
	case !slices.Contains(hostings, t.To):
		errs.Add("to", "Choose where it moves to")
	case known("move", t.Move):
		t.Changes = append(t.Changes, roadmap.Change{Subject: s.Set.Present("System", t.Move), Hosting: t.To})
	}
	if t.Cost == "" && t.Pound == "" {
		return t, errs
	}
	pounds, err := strconv.ParseInt(strings.NewReplacer(",", "", "£", "", " ", "").Replace(t.Pound), 10, 64)
	switch {
	case t.Cost == "":
		errs.Add("cost", "Choose the system whose cost changes")
	case err != nil || pounds < 0 || pounds > 10_000_000_000:
		errs.Add("annual", "Enter what it then costs a year in whole pounds, like 12000")
	case known("cost", t.Cost):
		t.Changes = append(t.Changes, roadmap.Change{Subject: s.Set.Present("System", t.Cost), Annual: &pounds})
	}
	return t, errs
}
