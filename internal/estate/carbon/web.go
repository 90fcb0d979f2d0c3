package carbon

import (
	"net/http"
	"sync"

	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Desk is the pages about carbon.
type Desk struct {
	register.Desk

	mu    sync.Mutex
	of    *register.Snapshot
	now   *Footprint
	trend []Year
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /staff/estate/carbon", register.Read, d.overview)
}

// years is how far back the trend goes.
const years = 5

func (d *Desk) overview(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	d.mu.Lock()
	if d.of != s {
		d.of, d.now, d.trend = s, Of(s), Trend(s, years)
	}
	now, trend := d.now, d.trend
	d.mu.Unlock()
	return d.Render(w, r, s, web.Page{Title: "Carbon", Crumbs: []ui.Link{register.Crumb}}, overviewPage(s, now, trend))
}
