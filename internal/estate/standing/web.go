package standing

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Edit is the action of choosing and dropping standards.
const Edit = "estate.edit"

// Desk is the pages on standards for staff.
type Desk struct {
	register.Desk
	// Edit changes definitions in the name of whoever asks; nil where they cannot
	// be changed here.
	Edit func(ctx context.Context, message string, changes ...edit.Change) (edit.Outcome, error)

	library register.Kept[*register.Snapshot, libraryOutcome]
}

type libraryOutcome struct {
	outcome *standard.Outcome
	err     error
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET "+base, register.Read, d.index)
	m.Handle("GET "+base+"/{id}", register.Read, d.one)
	m.Handle("GET "+base+"/library/{code}", register.Read, d.offered)
	m.Handle("POST "+base+"/library/{code}/choose", Edit, d.choose)
	m.Handle("POST "+base+"/{id}/drop", Edit, d.drop)
}

var crumb = ui.Link{Text: "Standards", Href: base}

// judged is how s stands against the whole library, worked out once.
func (d *Desk) judged(ctx context.Context, s *register.Snapshot) (*standard.Outcome, error) {
	x := d.library.Get(s, func() libraryOutcome {
		o, err := Library(context.WithoutCancel(ctx), s)
		return libraryOutcome{o, err}
	})
	return x.outcome, x.err
}

func (d *Desk) may(ctx context.Context, s *register.Snapshot) bool {
	return d.Edit != nil && !s.Past && d.May(ctx, Edit)
}

func (d *Desk) index(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	o, err := d.judged(r.Context(), s)
	if err != nil {
		return err
	}
	return d.Render(w, r, s, web.Page{Title: "Standards", Crumbs: []ui.Link{register.Crumb}}, indexPage(s, o, d.may(r.Context(), s)))
}

func (d *Desk) one(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	t, ok := s.Outcome.Standing(id)
	if !ok {
		if now, ok := s.Renamed("Standard", id); ok {
			return web.Redirect(w, r, register.Href(s, words.StandardHref(now)))
		}
		return reeve.E(reeve.NotFound, "standing.one", "there is no standard %q", id)
	}
	return d.show(w, r, s, view{Snapshot: s, Standing: t, Listing: listing(r, t), May: d.may(r.Context(), s)}, crumb)
}

func (d *Desk) offered(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	o, err := d.judged(r.Context(), s)
	if err != nil {
		return err
	}
	std, ok := o.Pack.WithCode(r.PathValue("code"))
	if !ok {
		return reeve.E(reeve.NotFound, "standing.offered", "there is no standard %q in the library", r.PathValue("code"))
	}
	t, _ := o.Standing(std.ID)
	v := view{Snapshot: s, Standing: t, Listing: listing(r, t), May: d.may(r.Context(), s), Offered: true}
	if in, ok := chosen(s, std.Code()); ok {
		v.Chosen = in.ID
	}
	return d.show(w, r, s, v, crumb)
}

func (d *Desk) show(w http.ResponseWriter, r *http.Request, s *register.Snapshot, v view, crumbs ...ui.Link) error {
	return d.Render(w, r, s, web.Page{Title: v.Name, Crumbs: append([]ui.Link{register.Crumb}, crumbs...)}, standardPage(v))
}

// listing reads which findings of a standard are asked for.
func listing(r *http.Request, t *standard.Standing) list {
	l := list{Result: standard.Result(r.URL.Query().Get("result")), Total: t.About(), path: r.URL.Path}
	switch l.Result {
	case standard.Pass:
		l.Total = t.Pass
	case standard.Fail:
		l.Total = t.Fail
	case standard.Unknown:
		l.Total = t.Unknown
	case standard.Waived:
		l.Total = t.Waived
	default:
		l.Result = ""
	}
	page, err := strconv.Atoi(r.URL.Query().Get("page"))
	if err != nil {
		page = 1
	}
	l.Pages = max(1, (l.Total+perPage-1)/perPage)
	l.Page = min(max(page, 1), l.Pages)
	l.on = r.URL.Query().Get("on")
	skip, want := (l.Page-1)*perPage, perPage
	order := []standard.Result{standard.Fail, standard.Unknown, standard.Waived, standard.Pass} // what needs attention comes first
	if l.Result != "" {
		order = []standard.Result{l.Result}
	}
	for _, result := range order {
		if want == 0 {
			break
		}
		places := t.Places(skip, want, result)
		for _, i := range places {
			f, _ := t.Finding(i)
			l.Findings = append(l.Findings, f)
		}
		want -= len(places)
		skip = max(0, skip-map[standard.Result]int{standard.Pass: t.Pass, standard.Fail: t.Fail, standard.Unknown: t.Unknown, standard.Waived: t.Waived}[result])
	}
	return l
}

func (l list) href(page int) string {
	q := url.Values{}
	if l.Result != "" {
		q.Set("result", string(l.Result))
	}
	if l.on != "" {
		q.Set("on", l.on)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return l.path
	}
	return l.path + "?" + q.Encode()
}

func (d *Desk) choose(w http.ResponseWriter, r *http.Request) error {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	p, err := standard.Library(s.Set)
	if err != nil {
		return err
	}
	std, ok := p.WithCode(r.PathValue("code"))
	if !ok {
		return reeve.E(reeve.NotFound, "standing.choose", "there is no standard %q in the library", r.PathValue("code"))
	}
	if in, ok := chosen(s, std.Code()); ok {
		return web.Redirect(w, r, words.StandardHref(in.ID))
	}
	return d.apply(w, r, "Hold the estate to "+std.Code()+": "+std.Name, base+"#chosen", "“"+std.Name+"” is chosen.", choose(std))
}

func (d *Desk) drop(w http.ResponseWriter, r *http.Request) error {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	std, ok := s.Pack.Standard(r.PathValue("id"))
	if !ok {
		return reeve.E(reeve.NotFound, "standing.drop", "there is no standard %q", r.PathValue("id"))
	}
	return d.apply(w, r, "Drop the standard "+std.Name, base, "“"+std.Name+"” is dropped.", drop(std)...)
}

// apply makes a change of definitions and goes on to a page that shows it.
func (d *Desk) apply(w http.ResponseWriter, r *http.Request, message, next, done string, changes ...edit.Change) error {
	if d.Edit == nil {
		return reeve.E(reeve.Conflict, "standing", "the definitions cannot be changed here: change them in the folder that the program was started with")
	}
	out, err := d.Edit(r.Context(), message, changes...)
	if err != nil {
		return err
	}
	if len(out.Problems) > 0 {
		return reeve.E(reeve.Conflict, "standing", "the definitions would not be right with that: %s", slices.Clone(out.Problems)[0])
	}
	if out.Branch != "" {
		done = "It was proposed as the branch " + out.Branch + ", to be agreed there."
	}
	d.Mux.Flash(w, done)
	return web.Redirect(w, r, next)
}
