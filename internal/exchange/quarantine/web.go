package quarantine

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Actions of this room's routes.
const (
	ActionRead    = "held.read"
	ActionCorrect = "held.correct"
)

const (
	maxForm  = 4 << 20
	pageSize = 50
)

// Mount adds the pages of the quarantine.
func (w *Ward) Mount(m *web.Mux) {
	p := pages{w, m}
	m.Nav(web.StaffArea, web.NavItem{Text: "Held", Href: "/staff/held", Action: ActionRead, Order: 20})
	m.Handle("GET /staff/held", ActionRead, p.list)
	m.Handle("GET /staff/held/{id}", ActionRead, p.show)
	m.Handle("POST /staff/held/{id}/correct", ActionCorrect, p.correct, web.MaxBody(maxForm))
	m.Handle("POST /staff/held/{id}/json", ActionCorrect, p.whole, web.MaxBody(maxForm))
	m.Handle("POST /staff/held", ActionCorrect, p.recheck)
	m.Handle("POST /staff/held/{id}/discard", ActionCorrect, p.discard)
	m.Handle("GET /staff/parked/{flow}/{n}", ActionRead, p.parked)
	m.Handle("POST /staff/parked/{flow}/{n}", ActionCorrect, p.decide)
}

type pages struct {
	w *Ward
	m *web.Mux
}

func (p pages) page(title string, failed bool) web.Page {
	return web.Page{Title: title, Active: "/staff/held", Crumbs: []ui.Link{{Text: "Held", Href: "/staff/held"}}, Error: failed}
}

// sees tells which classes of a type the actor of a request may see for an action.
func (p pages) sees(ctx context.Context, action string, t *contract.Type, h Held) func(reeve.Class) bool {
	known := map[reeve.Class]bool{}
	return func(c reeve.Class) bool {
		ok, asked := known[c]
		if !asked {
			ok = p.m.Decide(ctx, policy.Request{Action: action, Party: h.Sender, Type: t.ID, Classes: []reeve.Class{c}, About: about(h.ID)}) == nil
			known[c] = ok
		}
		return ok
	}
}

func (p pages) list(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	after, err := strconv.ParseInt(q.Get("after"), 10, 64)
	if err != nil {
		after = 0
	}
	f := Filter{Type: reeve.RecordType(q.Get("type")), Sender: q.Get("sender"), After: after, Max: pageSize + 1}
	d := listData{Type: f.Type, Sender: f.Sender, now: p.w.o.DB.Now(), w: p.w}
	if d.Counts, err = p.w.Counts(r.Context(), ""); err != nil {
		return err
	}
	if d.Mistakes, err = p.w.Mistakes(r.Context(), "", 30); err != nil {
		return err
	}
	times, err := p.w.TimeToCorrect(r.Context(), d.now.AddDate(0, 0, -30), "")
	if err != nil {
		return err
	}
	d.Times = times[""]
	if d.Held, err = p.w.List(r.Context(), f); err != nil {
		return err
	}
	if len(d.Held) > pageSize {
		d.Held = d.Held[:pageSize]
		d.Next = listHref(f.Type, f.Sender, d.Held[pageSize-1].N)
	}
	f.After, f.Max = 0, 200
	if d.Parked, err = p.w.ListParked(r.Context(), f); err != nil {
		return err
	}
	return p.m.Render(w, r, web.Page{Title: "Held records", Active: "/staff/held", Wide: true}, listPage(d))
}

func listHref(t reeve.RecordType, sender string, after int64) string {
	q := url.Values{}
	if t != "" {
		q.Set("type", string(t))
	}
	if sender != "" {
		q.Set("sender", sender)
	}
	if after > 0 {
		q.Set("after", strconv.FormatInt(after, 10))
	}
	if len(q) == 0 {
		return "/staff/held"
	}
	return "/staff/held?" + q.Encode()
}

// held loads the record of a request and its type. A type that is gone has none.
func (p pages) held(r *http.Request) (Held, *contract.Type, error) {
	h, err := p.w.Get(r.Context(), reeve.RecordID(r.PathValue("id")))
	if err != nil {
		return h, nil, err
	}
	t, ok := p.w.o.Types().Type(h.Type)
	if !ok {
		t = &contract.Type{ID: h.Type, Name: string(h.Type), Level: reeve.Restricted}
	}
	return h, t, nil
}

func (p pages) show(w http.ResponseWriter, r *http.Request) error {
	h, t, err := p.held(r)
	if err != nil {
		return err
	}
	return p.render(w, r, h, t)
}

// render shows a held record, and notes in the journal who saw it.
func (p pages) render(w http.ResponseWriter, r *http.Request, h Held, t *contract.Type) error {
	f := form{}
	if h.State == Open {
		var err error
		if f, err = makeForm(t, h.Body, h.Problems, p.sees(r.Context(), ActionRead, t, h)); err != nil {
			return err
		}
		alike, err := p.w.Alike(r.Context(), h)
		if err != nil {
			return err
		}
		f.Alike = len(alike)
		err = p.w.o.DB.Update(r.Context(), func(tx *store.Tx) (err error) {
			if f.Newer, err = p.w.Newer(tx, h); err != nil {
				return err
			}
			_, err = p.w.o.Journal.Append(tx, journal.Entry{Actor: web.Actor(r.Context()).ID, Verb: "saw", About: about(h.ID), Set: p.w.o.Set(), Why: []string{"held record"}})
			return err
		})
		if err != nil {
			return err
		}
	}
	failed := h.Correction == 0 && len(f.Wrong)+len(f.Others) > 0
	return p.m.Render(w, r, p.page("Held record "+string(h.ID), failed), heldPage(h, f, p.previews(r.Context(), h, t), p.w.o.DB.Now(), t.Name, p.w.name("Organisation", h.Sender), p.w.name("Staff", h.SettledBy), p.w.zone()))
}

// previews are what receivers would get of an open record, without values that the
// actor may not see: a map could put them into any field, so that who may not see all
// that the receiver sees is shown no result.
func (p pages) previews(ctx context.Context, h Held, t *contract.Type) (out []previewRow) {
	if p.w.o.Previews == nil || h.State != Open {
		return nil
	}
	for _, v := range p.w.o.Previews(ctx, h) {
		row := previewRow{Preview: v, Masked: p.m.Decide(ctx, policy.Request{Action: ActionRead, Party: h.Sender, Type: t.ID, Classes: t.Classes(v.Fields...), About: about(h.ID)}) != nil}
		out = append(out, row)
	}
	return out
}

func (p pages) correct(w http.ResponseWriter, r *http.Request) error {
	h, t, err := p.held(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return reeve.E(reeve.Invalid, "quarantine.correct", "the form cannot be read")
	}
	sees := p.sees(r.Context(), ActionCorrect, t, h)
	body, err := apply(t, h.Body, r.PostForm, sees)
	if err != nil {
		return err
	}
	if r.PostForm.Get("all") == "" || p.w.propose == nil {
		return p.save(w, r, h, t, body)
	}
	ids, err := p.w.Alike(r.Context(), h)
	if err != nil {
		return err
	}
	return p.offer(w, r, h, t, body, func(tx *store.Tx) ([]Proposed, error) {
		return p.w.alike(tx, t, ids, sameOf(h, r.PostForm), sees)
	})
}

// offer makes a proposal of a correction, and of what others gives besides.
func (p pages) offer(w http.ResponseWriter, r *http.Request, h Held, t *contract.Type, body []byte, others func(*store.Tx) ([]Proposed, error)) error {
	if _, problems := t.Check(body); len(problems) > 0 { // nothing is saved; what was typed stays in the form
		h.Body, h.Problems = body, problems
		return p.render(w, r, h, t)
	}
	var correction int64
	err := p.w.o.DB.Update(r.Context(), func(tx *store.Tx) error {
		now, err := p.w.free(tx, "quarantine.offer", h.ID)
		if err == nil {
			err = p.w.unchanged(tx, h)
		}
		if err != nil {
			return err
		}
		prop := Proposal{Actor: web.Actor(r.Context()), Type: t, Sender: h.Sender, Sees: Top(p.sees(r.Context(), ActionCorrect, t, h)), Items: []Proposed{{now, body}}}
		if others != nil {
			more, err := others(tx)
			if err != nil {
				return err
			}
			prop.Items = append(prop.Items, more...)
		}
		correction, err = p.w.propose(tx, prop)
		return err
	})
	if err != nil {
		return err
	}
	return web.Redirect(w, r, fmt.Sprintf("/staff/corrections/%d", correction))
}

// Top is the highest class that somebody sees who sees all below it.
func Top(sees func(reeve.Class) bool) reeve.Class {
	top := reeve.Public
	for c := reeve.Public; c <= reeve.Restricted && sees(c); c++ {
		top = c
	}
	return top
}

// recheck checks the chosen records again.
func (p pages) recheck(w http.ResponseWriter, r *http.Request) error {
	f := Filter{Type: reeve.RecordType(r.PostFormValue("type")), Sender: r.PostFormValue("sender")}
	looked, released, err := p.w.Recheck(r.Context(), web.Actor(r.Context()), f)
	if err != nil {
		return err
	}
	p.m.Flash(w, fmt.Sprintf("%d records were checked again, %d of them went on.", looked, released))
	return web.Redirect(w, r, listHref(f.Type, f.Sender, 0))
}

// whole takes the record as JSON, from who may see all of it.
func (p pages) whole(w http.ResponseWriter, r *http.Request) error {
	h, t, err := p.held(r)
	if err != nil {
		return err
	}
	if err := p.m.Decide(r.Context(), policy.Request{Action: ActionCorrect, Party: h.Sender, Type: t.ID, Classes: t.Classes(), About: about(h.ID)}); err != nil {
		return err
	}
	return p.save(w, r, h, t, []byte(r.PostFormValue("json")))
}

// save corrects a record, or offers the correction to a second person.
func (p pages) save(w http.ResponseWriter, r *http.Request, h Held, t *contract.Type, body []byte) error {
	var out Outcome
	if must, err := p.w.mustPropose(t, h, body); err != nil {
		return err
	} else if must {
		return p.offer(w, r, h, t, body, nil)
	}
	err := p.w.o.DB.Update(r.Context(), func(tx *store.Tx) (err error) {
		if err := p.w.unchanged(tx, h); err != nil {
			return err
		}
		out, err = p.w.Correct(tx, web.Actor(r.Context()), h.ID, body)
		return err
	})
	switch {
	case err != nil:
		return err
	case out.Released:
		text := fmt.Sprintf("%s is in order and went on as %s.", h.ID, out.ID)
		if out.Followed > 0 {
			text += fmt.Sprintf(" %d that waited for it followed.", out.Followed)
		}
		p.m.Flash(w, text)
		return web.Redirect(w, r, "/staff/held")
	case len(out.Problems) == 0:
		p.m.Flash(w, fmt.Sprintf("%s is in order now and waits for %s.", h.ID, out.Waits))
	case len(out.Problems) == 1 && out.Problems[0].Path == "" && strings.Contains(out.Problems[0].Message, "well-formed"):
		h.Problems = out.Problems // nothing was saved
		return p.render(w, r, h, t)
	}
	return web.Redirect(w, r, "/staff/held/"+string(h.ID))
}

func (p pages) discard(w http.ResponseWriter, r *http.Request) error {
	id := reeve.RecordID(r.PathValue("id"))
	reason := strings.TrimSpace(r.PostFormValue("reason"))
	if reason == "" {
		p.m.Flash(w, "Say why the record is not needed.")
		return web.Redirect(w, r, "/staff/held/"+url.PathEscape(string(id)))
	}
	err := p.w.o.DB.Update(r.Context(), func(tx *store.Tx) error {
		_, err := p.w.Discard(tx, web.Actor(r.Context()), id, reason)
		return err
	})
	if err != nil {
		return err
	}
	p.m.Flash(w, string(id)+" was discarded.")
	return web.Redirect(w, r, "/staff/held")
}

func (p pages) number(r *http.Request) (flow string, n int64, err error) {
	flow = r.PathValue("flow")
	n, err = strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil {
		err = reeve.E(reeve.NotFound, "quarantine.parked", "there is no such parked record")
	}
	return flow, n, err
}

func (p pages) parked(w http.ResponseWriter, r *http.Request) error {
	flow, n, err := p.number(r)
	if err != nil {
		return err
	}
	k, err := p.w.Parked(r.Context(), flow, n)
	if err != nil {
		return err
	}
	href := "/staff/flows/" + k.Flow
	if p.w.name("Process", k.Flow) != k.Flow {
		href = fmt.Sprintf("/staff/processes/%s/%d", k.Flow, k.N)
	}
	return p.m.Render(w, r, p.page("Parked record "+string(k.ID), false), parkedPage(k, p.w.name("RecordType", string(k.Type)),
		p.w.name("Organisation", k.Sender), p.w.name("Flow", k.Flow), href, p.w.name("Staff", k.By), p.w.o.DB.Now(), p.w.zone()))
}

func (p pages) decide(w http.ResponseWriter, r *http.Request) error {
	flow, n, err := p.number(r)
	if err != nil {
		return err
	}
	decision := r.PostFormValue("decision")
	if decision != "again" && decision != "give-up" {
		return reeve.E(reeve.Invalid, "quarantine.decide", "choose to try again or to give up")
	}
	err = p.w.o.DB.Update(r.Context(), func(tx *store.Tx) error {
		return p.w.Decide(tx, web.Actor(r.Context()), flow, n, decision == "again")
	})
	if err != nil {
		return err
	}
	p.m.Flash(w, "Your decision was noted.")
	return web.Redirect(w, r, "/staff/held")
}

func (w *Ward) name(kind, id string) string {
	if w.o.Name == nil {
		return id
	}
	return w.o.Name(kind, id)
}

func (w *Ward) zone() *time.Location {
	if w.o.Zone == nil {
		return time.UTC
	}
	return w.o.Zone
}
