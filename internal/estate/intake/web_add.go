package intake

import (
	"cmp"
	"net/http"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// actEdit is the action of changing definitions.
const actEdit = "estate.edit"

// phase is where in its life the system stands that a request brings.
func phase(r *gate.Request) string {
	switch {
	case r.State == gate.InUse || r.State == gate.Done:
		return "live"
	case r.Trying():
		return "pilot"
	}
	return "planned"
}

// toStart are the systems that a request brought and that are still declared to be
// at an earlier point of their lives than the request is.
func toStart(s *register.Snapshot, r *gate.Request) (out []register.System) {
	want := phase(r)
	for _, id := range r.Spec.Creates {
		if x, ok := s.System(id); ok && (want == "live" && (x.Spec.Phase() == "planned" || x.Spec.Phase() == "pilot") || want == "pilot" && x.Spec.Phase() == "planned") {
			out = append(out, x)
		}
	}
	return out
}

// add puts what was approved on the map, as a definition in the name of whoever
// does it; or, where it is there, moves it on in its life.
func (d *Desk) add(w http.ResponseWriter, r *http.Request) error {
	s, _, x, err := d.one(r)
	if err != nil {
		return err
	}
	if s.Past || d.Edit == nil {
		return reeve.E(reeve.Invalid, "gate.add", "the definitions cannot be changed here")
	}
	if !x.Approved() {
		return reeve.E(reeve.Conflict, "gate.add", "only what was approved is put on the map")
	}
	want, on, system := phase(x), s.Today.String(), ""
	var changes []edit.Change
	for _, o := range toStart(s, x) {
		changes = append(changes, edit.Change{Kind: "System", ID: o.ID, Set: map[string]any{"lifecycle.phase": want, "lifecycle.since": on}})
	}
	if len(x.Spec.Creates) == 0 {
		name := strings.TrimSpace(r.PostFormValue("name"))
		var errs ui.Errors
		switch slug := sheet.Slug(name); {
		case name == "" || slug == "":
			errs.Add("name", "Say what people call it")
		case len(name) > 200:
			errs.Add("name", "Keep it under 200 characters")
		default:
			system = "sys-" + slug
		}
		if o, there := s.Set.Lookup("System", system); there && system != "" && o.Labels["request"] != x.ID {
			errs.Add("name", "There is a system %s already: give it another name", cmp.Or(o.Name, o.ID))
		} else if !there && system != "" {
			set := asSystem(x.Draft, x.Spec)
			set["lifecycle.phase"], set["metadata.labels"] = want, map[string]any{"request": x.ID}
			if want != "planned" {
				set["lifecycle.since"] = on
			}
			changes = append(changes, edit.Change{Kind: "System", ID: system, Name: name, New: true, Set: set})
		}
		if len(errs) > 0 {
			return d.page(w, r, errs)
		}
	}
	said := "It is on the map, and will be compared with what was expected."
	if len(changes) > 0 {
		out, err := d.Edit(r.Context(), "Put "+x.Name+" on the map: request "+x.ID, changes...)
		if k := reeve.KindOf(err); err != nil && (k == reeve.Invalid || k == reeve.Conflict) {
			out.Problems = append(out.Problems, problem(err))
		} else if err != nil {
			return err
		}
		if len(out.Problems) > 0 {
			var errs ui.Errors
			errs.Add("name", "It cannot be put on the map: %s", out.Problems[0].Message)
			return d.page(w, r, errs)
		}
		if out.Branch != "" {
			d.Mux.Flash(w, "It is proposed as "+out.Branch+". When that is agreed, come back and add it here.")
			return web.Redirect(w, r, href(x.ID))
		}
	}
	if system != "" {
		by := web.Actor(r.Context()).ID
		if err := d.Update(r.Context(), func(tx *store.Tx) error { return d.Added(tx, x, by, system) }); err != nil {
			return err
		}
	}
	d.Mux.Flash(w, said)
	return web.Redirect(w, r, href(x.ID))
}

func problem(err error) def.Problem { return def.Problem{Message: reeve.Message(err)} }
