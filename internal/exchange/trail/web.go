package trail

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Actions of this room's routes.
const (
	ActionRead  = "record.read"  // what became of one record, for its sender and for staff
	ActionStaff = "record.trail" // the same as pages, for staff
)

const pageSize = 50

// Mount adds the API and the pages of the trail.
func (t *Teller) Mount(m *web.Mux) {
	p := pages{t, m}
	m.Nav(web.StaffArea, web.NavItem{Text: "Records", Href: "/staff/records", Action: ActionStaff, Order: 15})
	m.Handle("GET /v1/records/{id}", ActionRead, p.api)
	m.Handle("GET /staff/records", ActionStaff, p.list)
	m.Handle("GET /staff/records/{id}", ActionStaff, p.show)
}

type pages struct {
	t *Teller
	m *web.Mux
}

// tell tells a trail to whom it may be told; whether it is there is nobody else's business.
func (p pages) tell(r *http.Request, action string) (Trail, error) {
	id := reeve.RecordID(r.PathValue("id"))
	out, err := p.t.Tell(r.Context(), id)
	if err != nil {
		return out, err
	}
	err = p.m.Decide(r.Context(), policy.Request{Action: action, Party: out.Sender, Type: out.Type})
	if err != nil && reeve.KindOf(err) != reeve.Unauthenticated {
		err = reeve.E(reeve.NotFound, "trail.Tell", "there is no record %s", id)
	}
	return out, err
}

func (p pages) api(w http.ResponseWriter, r *http.Request) error {
	out, err := p.tell(r, ActionRead)
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return web.JSON(w, http.StatusOK, out)
}

// staff lets in whom a rule allows to see everybody's records, not only their own.
func (p pages) staff(r *http.Request) error {
	return p.m.Decide(r.Context(), policy.Request{Action: ActionStaff})
}

func (p pages) show(w http.ResponseWriter, r *http.Request) error {
	if err := p.staff(r); err != nil {
		return err
	}
	out, err := p.tell(r, ActionStaff)
	if err != nil {
		return err
	}
	v := view{Trail: out, typeName: p.name("RecordType", string(out.Type)), name: p.name, zone: p.zone()}
	return p.m.Render(w, r, web.Page{Title: "Record " + string(out.ID), Active: "/staff/records",
		Crumbs: []ui.Link{{Text: "Records", Href: "/staff/records"}}}, trailPage(v))
}

func (p pages) list(w http.ResponseWriter, r *http.Request) error {
	if err := p.staff(r); err != nil {
		return err
	}
	ctx, wrong := r.Context(), ""
	if id := strings.TrimSpace(r.URL.Query().Get("id")); id != "" {
		_, err := p.t.Tell(ctx, reeve.RecordID(id))
		switch reeve.KindOf(err) {
		case reeve.NotFound, reeve.Invalid:
			wrong = "There is no such record"
		default:
			if err != nil {
				return err
			}
			return web.Redirect(w, r, "/staff/records/"+url.PathEscape(id))
		}
	}
	last, err := p.t.Log.Last(ctx)
	if err != nil {
		return err
	}
	if before, err := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64); err == nil && before > 0 {
		last = min(last, before-1)
	}
	from := max(0, last-pageSize)
	recs, err := p.t.Log.Read(ctx, "", from, pageSize)
	if err != nil {
		return err
	}
	var rows [][]ui.Cell
	for i := len(recs) - 1; i >= 0; i-- {
		rec := recs[i]
		if rec.N > last {
			continue
		}
		rows = append(rows, []ui.Cell{ui.CellHTML(recordLink(rec.ID)), {Text: p.name("RecordType", string(rec.Type))},
			{Text: p.name("Organisation", rec.Sender)}, ui.CellHTML(ui.Time(rec.At.In(p.zone())))})
	}
	older := ""
	if from > 0 {
		older = "/staff/records?before=" + strconv.FormatInt(from+1, 10)
	}
	return p.m.Render(w, r, web.Page{Title: "Records", Active: "/staff/records", Wide: true, Error: wrong != ""}, listPage(rows, older, wrong))
}

func (p pages) name(kind, id string) string {
	if p.t.Name == nil {
		return id
	}
	return p.t.Name(kind, id)
}

func (p pages) zone() *time.Location {
	if p.t.Zone == nil {
		return time.UTC
	}
	return p.t.Zone
}
