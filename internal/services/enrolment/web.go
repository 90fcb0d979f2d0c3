package enrolment

import (
	"net/http"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// Mount adds the page on which people opt out. It needs no sign-in: the link is
// the key. To look at it changes nothing.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /opt-out/{token}", "enrolment.choose", func(w http.ResponseWriter, r *http.Request) error {
		var v View
		err := d.o.DB.View(r.Context(), func(tx *store.Tx) (err error) {
			v, err = d.look(tx, r.PathValue("token"))
			return err
		})
		if err != nil {
			return err
		}
		w.Header().Set("Referrer-Policy", "no-referrer")
		return m.Render(w, r, web.Page{Title: v.Name, Area: web.Residents}, optOutPage(v))
	})
	m.Handle("POST /opt-out/{token}", "enrolment.choose", func(w http.ResponseWriter, r *http.Request) error {
		choice := r.PostFormValue("choice")
		if choice != "in" && choice != "out" {
			return reeve.E(reeve.Invalid, "services.enrolment", "choose to opt out or in")
		}
		err := d.o.DB.Update(r.Context(), func(tx *store.Tx) error {
			return d.choose(tx, r.PathValue("token"), choice == "in")
		})
		switch {
		case reeve.KindOf(err) == reeve.Conflict: // the page says that the date has passed
		case err != nil:
			return err
		case choice == "in":
			m.Flash(w, "You opted in again.")
		default:
			m.Flash(w, "You opted out.")
		}
		return web.Redirect(w, r, "/opt-out/"+r.PathValue("token"))
	})
}
