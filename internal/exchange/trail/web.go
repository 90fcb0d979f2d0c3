package trail

import (
	"net/http"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// ActionRead is the action of this room's route.
const ActionRead = "record.read"

// Mount adds the route of the trail.
func (t *Teller) Mount(m *web.Mux) {
	m.Handle("GET /v1/records/{id}", ActionRead, func(w http.ResponseWriter, r *http.Request) error {
		out, err := t.Tell(r.Context(), reeve.RecordID(r.PathValue("id")))
		if err != nil {
			return err
		}
		if err := m.Decide(r.Context(), policy.Request{Action: ActionRead, Party: out.Sender, Type: out.Type}); err != nil {
			if reeve.KindOf(err) != reeve.Unauthenticated { // whether it is there is nobody else's business
				err = reeve.E(reeve.NotFound, "trail.Tell", "there is no record %s", out.ID)
			}
			return err
		}
		w.Header().Set("Cache-Control", "no-store")
		return web.JSON(w, http.StatusOK, out)
	})
}
