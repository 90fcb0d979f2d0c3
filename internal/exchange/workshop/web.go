package workshop

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/example"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Actions of this room's routes.
const (
	ActionEdit     = "flow.edit"     // change and try a flow
	ActionExamples = "flow.examples" // on real records, and see their values for a reason
)

const (
	maxForm = 4 << 20
	records = 5 // real records that the page shows
	maxAdd  = 50
)

// Mount adds the pages.
func (d *Desk) Mount(m *web.Mux) {
	p := pages{d, m}
	m.Handle("GET /staff/flows/{id}/edit", ActionEdit, p.show)
	m.Handle("POST /staff/flows/{id}/edit", ActionEdit, p.submit, web.MaxBody(maxForm))
	m.Handle("POST /staff/flows/{id}/examples", ActionExamples, p.reveal, web.MaxBody(maxForm))
}

type pages struct {
	d *Desk
	m *web.Mux
}

func (p pages) show(w http.ResponseWriter, r *http.Request) error {
	v, err := p.open(r)
	if err != nil {
		return err
	}
	return p.render(w, r, v, nil)
}

// open is the page of the flow that a request is about.
func (p pages) open(r *http.Request) (*editView, error) {
	dr, err := p.d.begin(r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	return &editView{draft: dr, ReadOnly: p.d.o.Editor.ReadOnly()}, nil
}

// read takes the draft from a form.
func (p pages) read(r *http.Request) (*editView, error) {
	v, err := p.open(r)
	if err != nil {
		return nil, err
	}
	if err := r.ParseForm(); err != nil {
		return nil, reeve.E(reeve.Invalid, "workshop.read", "the form cannot be read")
	}
	f := r.PostForm
	if base := f.Get("base"); base != "" {
		v.Base = base
	}
	if f.Has("filter") {
		v.Filter = clean(f.Get("filter"))
	}
	if f.Has("map") {
		v.Map = clean(f.Get("map"))
		if strings.TrimRight(v.Map, "\n") == strings.TrimRight(v.was, "\n") { // a browser takes the last line end
			v.Map = v.was
		}
	}
	v.Picked, v.Message, v.Name, v.Given = f.Get("from"), f.Get("message"), strings.TrimSpace(f.Get("name")), clean(f.Get("given"))
	for field, values := range f {
		name, ok := strings.CutPrefix(field, "example:")
		if !ok || example.Name(name) != "" || len(v.Examples) == maxAdd {
			continue
		}
		b, bad := example.Parse([]byte(values[0]))
		if bad != nil {
			return nil, reeve.E(reeve.Invalid, "workshop.read", "the example %s cannot be read: %s", name, bad.Message)
		}
		v.Examples[name] = b
	}
	return v, nil
}

// clean is text as a browser sends it, with line ends of its own.
func clean(s string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), "\uFFFD")
}

func (p pages) submit(w http.ResponseWriter, r *http.Request) error {
	v, err := p.read(r)
	if err != nil {
		return err
	}
	do, about, _ := strings.Cut(r.PostFormValue("do"), ":")
	switch do {
	case "save":
		return p.save(w, r, v)
	case "put", "drop", "same":
		p.pick(v, do, about)
	case "accept":
		if err := p.d.accept(r.Context(), v.draft, about); err != nil {
			return err
		}
		v.Told = "What the flow makes of " + about + " is expected now. It is saved with your change."
	case "forget":
		delete(v.Examples, about)
	case "add":
		if err := p.add(r.Context(), v); err != nil {
			return err
		}
	}
	return p.render(w, r, v, nil)
}

// pick changes the map by a pair of fields.
func (p pages) pick(v *editView, do, about string) {
	from, _ := v.sources()
	to, _ := v.targets()
	var err error
	switch do {
	case "drop":
		v.Map, err = drop(v.Map, about)
	case "same":
		var targets, n = to, 0
		if v.Map, n = same(v.Map, from, targets); n == 0 {
			v.Errors.Add("fields", "No other field has the same name on both sides")
		} else {
			v.Told = count(n, "field") + " of the same name are put together."
		}
	default:
		s, ok := find(from, v.Picked)
		t, there := find(to, about)
		switch {
		case !ok:
			v.Errors.Add("fields", "First choose the field that goes there, on the left")
		case !there:
			v.Errors.Add("fields", "The receiver has no such field")
		default:
			if v.Map, err = put(v.Map, s, t); err == nil {
				v.Told = ui.Capital(ui.FieldText(s.Path)) + " goes into " + ui.FieldText(t.Path) + "."
			}
		}
	}
	if err != nil {
		v.Errors.Add("fields", "%s", ui.Capital(reeve.Message(err)))
	}
}

// add makes an example of what somebody typed.
func (p pages) add(ctx context.Context, v *editView) error {
	if why := example.Name(v.Name); why != "" {
		v.Errors.Add("name", "The name %s", why)
	}
	if !json.Valid([]byte(v.Given)) {
		v.Errors.Add("given", "Write the record as JSON: { … }")
	}
	if len(v.Examples) == maxAdd {
		v.Errors.Add("name", "Save first: there are %d changed examples already", maxAdd)
	}
	if len(v.Errors) > 0 {
		return nil
	}
	for _, x := range v.examples() {
		if x.Name == v.Name {
			v.Errors.Add("name", "There is an example with this name already")
			return nil
		}
	}
	v.Examples[v.Name] = example.Body{Given: json.RawMessage(v.Given), Skipped: "filtered"}
	if err := p.d.accept(ctx, v.draft, v.Name); err != nil {
		return err
	}
	if v.then == nil { // the change is not right yet, so that nothing came of it
		delete(v.Examples, v.Name)
		return nil
	}
	v.Told = "The example " + v.Name + " expects what the flow makes of it now. Look whether that is right; it is saved with your change."
	v.Name, v.Given = "", ""
	return nil
}

// reveal shows real values to who may see them and says why.
func (p pages) reveal(w http.ResponseWriter, r *http.Request) error {
	v, err := p.read(r)
	if err != nil {
		return err
	}
	reason := r.PostFormValue("reason")
	if _, ok := Reasons[reason]; !ok {
		v.Errors.Add("reason", "Say why you want to see the values")
		return p.render(w, r, v, nil)
	}
	v.Revealed = reason
	known := map[reeve.Class]bool{}
	return p.render(w, r, v, func(c reeve.Class) bool {
		ok, asked := known[c]
		if !asked {
			ok = p.m.Decide(r.Context(), policy.Request{Action: ActionExamples, Type: v.draft.Flow.Type.ID, Classes: []reeve.Class{c}, Purpose: v.draft.Flow.Purpose}) == nil
			known[c] = ok
		}
		return ok
	})
}

// real are the records on which the flow is tried, for who may.
func (p pages) real(r *http.Request, v *editView) ([]reclog.Record, error) {
	switch {
	case p.m.Decide(r.Context(), policy.Request{Action: ActionExamples, Type: v.draft.Flow.Type.ID}) != nil:
		v.Real = "Records that came in are shown to those who may see them."
	case !v.draft.Flow.Spec.Carried():
		v.Real = "Reeve does not carry this flow by itself: there are no records to try it on. Its examples show what it does."
	default:
		recs, err := p.d.latest(r.Context(), v.draft, records)
		if len(recs) == 0 {
			v.Real = "No record has come in for this flow yet."
		}
		return recs, err
	}
	return nil, nil
}

// render tries the draft and shows it; sees says which real values are shown.
func (p pages) render(w http.ResponseWriter, r *http.Request, v *editView, sees func(reeve.Class) bool) error {
	ctx, actor := r.Context(), web.Actor(r.Context()).ID
	recs, err := p.real(r, v)
	if err != nil {
		return err
	}
	if err := p.d.try(ctx, v.draft, recs); err != nil {
		return err
	}
	v.told()
	v.Results = p.d.run(ctx, v.draft)
	if err := v.tryOn(ctx, p.d, recs, sees); err != nil {
		return err
	}
	if v.Change, err = v.change(); err != nil {
		return err
	}
	switch {
	case len(recs) == 0:
	case v.Revealed != "":
		err = p.d.note(ctx, actor, v.draft, recs, "saw", "reason "+v.Revealed)
	case v.Change.some():
		err = p.d.note(ctx, actor, v.draft, nil, "tried", "values masked")
	}
	if err != nil {
		return err
	}
	v.fill()
	for _, f := range v.plan.Files {
		v.Diffs = append(v.Diffs, fileDiff{f.Name, ui.DiffText(string(f.Before), string(f.After))})
	}
	page := web.Page{Title: "Change " + v.draft.Flow.Name, Active: "/staff/flows", Wide: true, Error: len(v.Errors) > 0,
		Crumbs: []ui.Link{{Text: "Flows", Href: "/staff/flows"}, {Text: v.draft.Flow.Name, Href: v.here()}}}
	if len(v.Errors) > 0 {
		page.Status = http.StatusUnprocessableEntity
	}
	w.Header().Set("Cache-Control", "no-store")
	return p.m.Render(w, r, page, editPage(v))
}

func (p pages) save(w http.ResponseWriter, r *http.Request, v *editView) error {
	out, err := p.d.save(r.Context(), web.Actor(r.Context()).ID, v.Message, v.draft)
	if err != nil {
		switch reeve.KindOf(err) {
		case reeve.Invalid, reeve.Conflict, reeve.TooLarge, reeve.Transient:
			if v.problem == nil {
				v.Errors.Add("", "%s", ui.Capital(reeve.Message(err)))
			}
			return p.render(w, r, v, nil)
		}
		return err
	}
	if out.Commit == "" {
		return p.render(w, r, v, nil) // which tells the problems
	}
	text := "Your change is saved and in force: it passed the check, and its examples."
	switch {
	case out.Branch != "":
		text = "Your change passed the check and its examples, and was sent to be agreed, as " + out.Branch + ". Until then nothing changes here."
	case len(out.Problems) > 0:
		text = "Your change is saved, but the definitions as a whole have problems, so that the old ones are still used: " + out.Problems[0].String()
	}
	p.m.Flash(w, text)
	return web.Redirect(w, r, "/staff/flows/"+url.PathEscape(v.draft.Flow.ID))
}
