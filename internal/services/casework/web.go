package casework

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

const perPage = 50

// Mount adds the worklist and the pages of cases.
func (d *Desk) Mount(m *web.Mux) {
	p := &pages{d, m}
	m.Nav(web.StaffArea, web.NavItem{Text: "Cases", Href: "/staff/cases", Action: "case.read", Order: 50})
	m.Handle("GET /staff/cases", "case.read", p.list)
	m.Handle("GET /staff/cases/{id}", "case.read", p.show)
	for name, do := range map[string]func(*store.Tx, *http.Request, string, int64) error{
		"notes": func(tx *store.Tx, r *http.Request, by string, id int64) error {
			return d.note(tx, by, id, r.PostFormValue("text"))
		},
		"assign": func(tx *store.Tx, r *http.Request, by string, id int64) error {
			if r.PostFormValue("to") == "me" {
				return d.assign(tx, by, id, by)
			}
			return d.assign(tx, by, id, "")
		},
		"tasks/{n}": func(tx *store.Tx, r *http.Request, by string, id int64) error {
			n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
			if err != nil {
				return reeve.E(reeve.NotFound, "services.casework", "there is no such task")
			}
			return d.tick(tx, by, id, n, r.PostFormValue("done") == "yes")
		},
		"close": func(tx *store.Tx, r *http.Request, by string, id int64) error {
			return d.finish(tx, by, id, r.PostFormValue("outcome"))
		},
		"reopen": func(tx *store.Tx, _ *http.Request, by string, id int64) error { return d.reopen(tx, by, id) },
	} {
		m.Handle("POST /staff/cases/{id}/"+name, "case.work", p.do(do))
	}
}

type pages struct {
	d *Desk
	m *web.Mux
}

func (p *pages) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	me := web.Actor(r.Context()).ID
	f := Filter{State: Opened, Type: q.Get("type"), Whose: q.Get("whose")}
	if q.Get("state") == Closed {
		f.State = Closed
	}
	if f.Whose == "me" {
		f.Whose = me
	} else if f.Whose != "nobody" {
		f.Whose = ""
	}
	page, _ := strconv.Atoi(q.Get("page"))
	page = max(page, 1)
	v := listView{Filter: f, Mine: me, Types: []ui.SelectItem{{Value: "", Text: "All kinds"}}}
	err := p.d.o.DB.View(r.Context(), func(tx *store.Tx) error {
		types, err := typesInUse(tx)
		if err != nil {
			return err
		}
		for _, t := range types {
			v.Types = append(v.Types, ui.SelectItem{Value: t, Text: p.typeName(t)})
		}
		cs, err := find(tx, f, perPage, (page-1)*perPage)
		if err != nil {
			return err
		}
		for _, c := range cs {
			row, err := p.row(tx, c)
			if err != nil {
				return err
			}
			v.Rows = append(v.Rows, row)
		}
		total, err := count(tx, f)
		if err != nil {
			return err
		}
		v.Heading = fmt.Sprintf("%d %s", total, plural(total, f.State+" case"))
		v.More = ui.Pages(page, (total+perPage-1)/perPage, func(n int) string {
			return "/staff/cases?" + url.Values{"state": {f.State}, "type": {f.Type}, "whose": {q.Get("whose")}, "page": {strconv.Itoa(n)}}.Encode()
		})
		v.Stats, err = p.d.Stats(tx, me)
		return err
	})
	if err != nil {
		return err
	}
	return p.m.Render(w, r, web.Page{Title: "Cases", Wide: true}, listPage(v))
}

// Stats are the figures of the worklist: open, overdue, nobody's and mine.
func (d *Desk) Stats(tx *store.Tx, me string) (stats []ui.Stat, err error) {
	for _, s := range []struct {
		label, href string
		f           Filter
		tone        ui.Tone
	}{
		{"open", "/staff/cases", Filter{State: Opened}, ""},
		{"overdue", "/staff/cases", Filter{State: Opened, Late: tx.Now.UnixMilli()}, ui.Bad},
		{"with nobody yet", "/staff/cases?whose=nobody", Filter{State: Opened, Whose: "nobody"}, ""},
		{"mine", "/staff/cases?whose=me", Filter{State: Opened, Whose: me}, ""},
	} {
		n, err := count(tx, s.f)
		if err != nil {
			return nil, err
		}
		if n == 0 {
			s.tone = ""
		}
		stats = append(stats, ui.Stat{Label: s.label, Value: strconv.Itoa(n), Href: s.href, Tone: s.tone})
	}
	return stats, nil
}

func (p *pages) row(tx *store.Tx, c Case) ([]ui.Cell, error) {
	name, err := p.person(tx, c.Person)
	if err != nil {
		return nil, err
	}
	worker, err := p.worker(tx, c)
	if err != nil {
		return nil, err
	}
	return []ui.Cell{
		ui.CellHTML(caseLink(c, p.typeName(c.Type))), {Text: name}, {Text: worker},
		{Text: ui.DateText(c.Due.In(p.d.o.Zone))}, ui.CellHTML(stateTag(c, c.Due.Before(tx.Now))),
	}, nil
}

func (p *pages) person(tx *store.Tx, id reeve.PersonID) (string, error) {
	if id == "" {
		return "Nobody in particular", nil
	}
	return p.d.o.People.Name(tx, id)
}

func (p *pages) worker(tx *store.Tx, c Case) (string, error) {
	switch {
	case c.Assignee != "":
		return p.d.o.Staff.Name(tx, c.Assignee)
	case c.Named != "":
		return "For " + c.Named, nil
	}
	return "Nobody yet", nil
}

func (p *pages) typeName(id string) string {
	if t, ok := def.Get[TypeSpec](p.d.defs.Load(), id); ok {
		return t.Name
	}
	return id
}

func (p *pages) show(w http.ResponseWriter, r *http.Request) error { return p.render(w, r, nil, "") }

func (p *pages) render(w http.ResponseWriter, r *http.Request, errs ui.Errors, note string) error {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return reeve.E(reeve.NotFound, "services.casework", "there is no such case")
	}
	var v caseView
	err = p.d.o.DB.Update(r.Context(), func(tx *store.Tx) error { // to look is to leave a trace
		if v, err = p.view(tx, r, id); err != nil {
			return err
		}
		return p.d.changed(tx, web.Actor(r.Context()).ID, "saw", "", v.Case)
	})
	if err != nil {
		return err
	}
	v.Errors, v.Note = errs, note
	page := web.Page{Title: v.TypeName + " " + strconv.FormatInt(id, 10), Back: "/staff/cases", Error: len(errs) > 0}
	if page.Error {
		page.Status = http.StatusBadRequest
	}
	return p.m.Render(w, r, page, casePage(v))
}

func (p *pages) view(tx *store.Tx, r *http.Request, id int64) (v caseView, err error) {
	if v.Case, err = get(tx, id); err != nil {
		return v, err
	}
	me := web.Actor(r.Context())
	v.Late = v.Case.State == Opened && v.Due.Before(tx.Now)
	v.Mine = v.Assignee == me.ID
	v.CanWork = p.m.Decide(r.Context(), policy.Request{Action: "case.work"}) == nil
	if v.Person, err = p.person(tx, v.Case.Person); err != nil {
		return v, err
	}
	if v.Worker, err = p.worker(tx, v.Case); err != nil {
		return v, err
	}
	v.TypeName = p.typeName(v.Type)
	if t, ok := def.Get[TypeSpec](p.d.defs.Load(), v.Type); ok {
		v.Purpose = t.Spec.Purpose
		for _, o := range t.Spec.Outcomes {
			v.Outcomes = append(v.Outcomes, ui.ChoiceItem{Value: o, Text: o})
		}
	}
	zone := p.d.o.Zone
	v.Summary = []ui.SummaryRow{ui.Row("Person", v.Person)}
	if v.Case.Person != "" {
		born, err := p.d.o.People.Born(tx, v.Case.Person)
		if err != nil {
			return v, err
		}
		if t, err := time.Parse(time.DateOnly, born); err == nil {
			v.Summary = append(v.Summary, ui.Row("Date of birth", ui.DateText(t)))
		}
	}
	if href, text := cause(v.About); href != "" {
		v.Summary = append(v.Summary, ui.RowHTML("Because of", ui.LinkTo(text, href)))
	}
	v.Summary = append(v.Summary, ui.Row("Worked on by", v.Worker), ui.Row("Opened", ui.TimeText(v.Opened.In(zone))))
	if v.State == Opened {
		v.Summary = append(v.Summary, ui.Row("Due", ui.DateText(v.Due.In(zone))))
	} else {
		v.Summary = append(v.Summary, ui.Row("Closed", ui.TimeText(v.Closed.In(zone))), ui.Row("Outcome", v.Outcome))
	}
	all, err := p.d.timeline(tx, id)
	if err != nil {
		return v, err
	}
	for _, it := range all {
		if it.Kind == "task" {
			v.Tasks = append(v.Tasks, it)
			continue
		}
		who, err := p.who(tx, it.Actor)
		if err != nil {
			return v, err
		}
		text := it.Text
		if to, ok := strings.CutPrefix(text, "Taken by "); ok {
			name, err := p.who(tx, to)
			if err != nil {
				return v, err
			}
			text = "Taken by " + name
		}
		m := ui.Moment{Title: who, At: it.At.In(zone), Body: plain(text)}
		if it.Kind == "note" {
			m.Tag, m.Tone = "Note", ui.Quiet
		}
		v.Moments = append(v.Moments, m)
	}
	return v, nil
}

// who is the name of an actor for people.
func (p *pages) who(tx *store.Tx, actor string) (string, error) {
	if strings.HasPrefix(actor, "staff/") {
		return p.d.o.Staff.Name(tx, actor)
	}
	return "Reeve", nil
}

// do runs one change of a case and shows the case again.
func (p *pages) do(fn func(*store.Tx, *http.Request, string, int64) error) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
		if err != nil {
			return reeve.E(reeve.NotFound, "services.casework", "there is no such case")
		}
		if err := r.ParseForm(); err != nil {
			return reeve.E(reeve.Invalid, "services.casework", "the form cannot be read")
		}
		by := web.Actor(r.Context()).ID
		err = p.d.o.DB.Update(r.Context(), func(tx *store.Tx) error { return fn(tx, r, by, id) })
		field := map[string]string{"notes": "text", "close": "outcome"}[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
		if kind := reeve.KindOf(err); err != nil && field != "" && (kind == reeve.Invalid || kind == reeve.Conflict) {
			var errs ui.Errors
			errs.Add(field, "%s", ui.Capital(reeve.Message(err)))
			return p.render(w, r, errs, r.PostFormValue("text"))
		}
		if err != nil {
			return err
		}
		return web.Redirect(w, r, fmt.Sprintf("/staff/cases/%d", id))
	}
}

// cause is the page of what a case is about, "" if it has none.
func cause(about reeve.Ref) (href, text string) {
	kind, id, _ := strings.Cut(string(about), "/")
	switch kind {
	case "life-event":
		return "/staff/life-events/" + id, "Life event " + id
	case "entitlement":
		return "/staff/entitlements/" + id, "Entitlement " + id
	}
	return "", ""
}

func whoseValue(v listView) string {
	if v.Filter.Whose == v.Mine && v.Mine != "" {
		return "me"
	}
	return v.Filter.Whose
}

func path(id int64, rest string) templ.SafeURL {
	return templ.SafeURL(fmt.Sprintf("/staff/cases/%d/%s", id, rest))
}

func flagText(flag string) string {
	if flag == "reported-in-error" {
		return "Reported in error"
	}
	return flag
}

func flagHelp(flag string) string {
	if flag == "reported-in-error" {
		return "What opened this case was reported in error. Check that nothing was done that must be put right, and say sorry where it was."
	}
	return flag
}

func plural(n int, s string) string {
	if n == 1 {
		return s
	}
	return s + "s"
}
