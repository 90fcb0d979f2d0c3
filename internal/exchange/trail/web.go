package trail

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Actions of this room's routes.
const (
	ActionRead  = "record.read"  // what became of one record, for its sender and for staff
	ActionStaff = "record.trail" // the same as pages, for staff
)

const (
	pageSize   = 50
	searchStep = 200   // records read at once when looking for some
	maxSearch  = 10000 // records looked at for one page
)

// Mount adds the API and the pages of the trail.
func (t *Teller) Mount(m *web.Mux) {
	p := pages{t, m}
	m.Nav(web.StaffArea, web.NavItem{Text: "Records", Href: "/staff/records", Action: ActionStaff, Order: 15})
	m.Handle("GET /v1/records/{id}", ActionRead, p.api)
	m.Handle("GET /staff/records", ActionStaff, p.list)
	m.Handle("GET /staff/records/{id}", ActionStaff, p.show)
	m.Handle("GET /partner/records/{id}", ActionRead, p.own)
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
	v := p.view(out)
	v.staff = true
	return p.m.Render(w, r, web.Page{Title: "Record " + string(out.ID), Active: "/staff/records",
		Crumbs: []ui.Link{{Text: "Records", Href: "/staff/records"}}}, trailPage(v))
}

// own shows a sender the trail of a record of its own.
func (p pages) own(w http.ResponseWriter, r *http.Request) error {
	out, err := p.tell(r, ActionRead)
	if err != nil {
		return err
	}
	return p.m.Render(w, r, web.Page{Title: "Record " + string(out.ID), Active: "/partner/",
		Crumbs: []ui.Link{{Text: "Your exchange", Href: "/partner/"}}}, trailPage(p.view(out)))
}

func (p pages) view(t Trail) view {
	return view{Trail: t, typeName: p.name("RecordType", string(t.Type)), name: p.name, zone: p.zone()}
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
	v := listView{Type: reeve.RecordType(r.URL.Query().Get("type")), Sender: r.URL.Query().Get("sender"), Wrong: wrong, Types: p.choices("RecordType", "All types"), Senders: p.choices("Organisation", "Anybody")}
	before, _ := strconv.ParseInt(r.URL.Query().Get("before"), 10, 64)
	recs, older, err := p.latest(ctx, v.Type, v.Sender, before)
	if err != nil {
		return err
	}
	for _, rec := range recs {
		v.Rows = append(v.Rows, []ui.Cell{ui.CellHTML(recordLink(rec.ID)), {Text: p.name("RecordType", string(rec.Type))},
			{Text: p.name("Organisation", rec.Sender)}, ui.CellHTML(ui.Time(rec.At.In(p.zone())))})
	}
	if older > 0 {
		q := url.Values{"before": {strconv.FormatInt(older, 10)}}
		if v.Type != "" {
			q.Set("type", string(v.Type))
		}
		if v.Sender != "" {
			q.Set("sender", v.Sender)
		}
		v.Older = "/staff/records?" + q.Encode()
	}
	return p.m.Render(w, r, web.Page{Title: "Records", Active: "/staff/records", Wide: true, Error: wrong != ""}, listPage(v))
}

// latest reads the records before a number (0: the end), newest first, that are of
// a type and sender ("" for any). Older is where the next page begins, 0 for
// none. It gives up searching after maxSearch records, and the next page goes on.
func (p pages) latest(ctx context.Context, t reeve.RecordType, sender string, before int64) (found []reclog.Record, older int64, err error) {
	last, err := p.t.Log.Last(ctx)
	if err != nil {
		return nil, 0, err
	}
	if before > 0 {
		last = min(last, before-1)
	}
	senders := p.t.lineage("Organisation", sender)
	for end := max(0, last-maxSearch); last > end; {
		from := max(end, last-searchStep)
		recs, err := p.read(ctx, t, from)
		if err != nil {
			return nil, 0, err
		}
		for i := len(recs) - 1; i >= 0; i-- {
			if rec := recs[i]; rec.N <= last && (sender == "" || slices.Contains(senders, rec.Sender)) {
				if len(found) == pageSize {
					return found, rec.N + 1, nil
				}
				found = append(found, rec)
			}
		}
		last = from
	}
	if last > 0 {
		older = last + 1
	}
	return found, older, nil
}

// read reads records of a type, under any id that it has or had, "" for all.
func (p pages) read(ctx context.Context, t reeve.RecordType, after int64) (recs []reclog.Record, err error) {
	if t == "" {
		return p.t.Log.Read(ctx, "", after, searchStep)
	}
	var types []reeve.RecordType
	for _, id := range p.t.lineage("RecordType", string(t)) {
		types = append(types, reeve.RecordType(id))
	}
	return p.t.Log.ReadTypes(ctx, types, after, searchStep)
}

// choices are what a list can be narrowed to, by name.
func (p pages) choices(kind, all string) []ui.SelectItem {
	items := []ui.SelectItem{{Text: all}}
	if p.t.List != nil {
		for id, name := range p.t.List(kind) {
			items = append(items, ui.SelectItem{Value: id, Text: name})
		}
	}
	slices.SortStableFunc(items[1:], func(a, b ui.SelectItem) int { return strings.Compare(a.Text, b.Text) })
	return items
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
