package edit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/edit/refs"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Action is the action of changing definitions.
const Action = "estate.edit"

// holders is the action of seeing who has a device.
const holders = "asset.holders"

// Desk has the pages on which definitions are changed.
type Desk struct {
	register.Desk
	Editor   *Editor
	Registry *def.Registry
	// Who is the person behind a signed-in actor, for the commit.
	Who func(ctx context.Context, a reeve.Actor) Person
	// Effects says what a set would change for the estate, a sentence each; nil says nothing.
	Effects func(ctx context.Context, now, then *def.Set) ([]string, error)
	// Page is the address of a definition's own page; "" or nil where it has none.
	Page func(kind, id string) string
}

// Mount adds the pages.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET /staff/estate/edit", Action, d.kinds)
	m.Handle("GET /staff/estate/edit/{kind}/{id}", Action, d.show)
	m.Handle("POST /staff/estate/edit/{kind}/{id}", Action, d.submit, web.MaxBody(4<<20))
	m.Handle("GET /staff/estate/new/{kind}", Action, d.show)
	m.Handle("POST /staff/estate/new/{kind}", Action, d.submit, web.MaxBody(4<<20))
	m.Handle("GET /staff/estate/history/{kind}/{id}", register.Read, d.history)
}

// task is one form: what it is about, as it is now and as it was sent.
type task struct {
	Kind      def.Kind
	Object    *def.Object // nil for a new one
	Base      string
	Raw       bool
	Removing  bool
	Form      url.Values
	Errors    ui.Errors
	Inputs    []input
	Lists     []refs.Datalist
	Text      string // the document, for editing it raw
	Proposes  bool
	ReadOnly  string
	Here      string // the form's own address
	Plan      Plan
	Diffs     []diff
	Effects   []string
	Clash     *Clash
	OtherPage string

	refs *refs.Finder
}

// Title is the heading of the page.
func (t *task) Title() string {
	switch {
	case t.Object == nil:
		return "Add " + strings.ToLower(def.Article(ui.Words(label(t.Kind.Name))))
	case t.Removing:
		return "Remove " + t.Object.Name
	}
	return "Change " + t.Object.Name
}

// value is what was sent for a field, or else what is there.
func (t *task) value(name string) string {
	if t.Form != nil {
		return t.Form.Get(name)
	}
	if t.Object == nil {
		return ""
	}
	switch name {
	case "id":
		return t.Object.ID
	case "name":
		return t.Object.Name
	case "formerly":
		return strings.Join(t.Object.Formerly, ", ")
	}
	return ""
}

// begin finds what a request is about.
func (d *Desk) begin(r *http.Request) (*task, error) {
	k, ok := d.Registry.Kind(r.PathValue("kind"))
	if !ok {
		return nil, reeve.E(reeve.NotFound, "edit", "there is no kind %q of definition", r.PathValue("kind"))
	}
	set := d.Editor.o.Set()
	now, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return nil, err
	}
	t := &task{Kind: k, refs: refs.New(set, now), Base: set.Hash(), Proposes: d.Editor.Proposes(), ReadOnly: d.Editor.ReadOnly(), Here: r.URL.Path, Raw: r.URL.Query().Get("as") == "text"}
	if id := r.PathValue("id"); id != "" {
		o, ok := set.Lookup(k.Name, id)
		if !ok {
			return nil, reeve.E(reeve.NotFound, "edit", "there is no %s %s", k.Name, id)
		}
		t.Object = o
		t.Text = strings.TrimPrefix(o.Source(), "---\n")
		if d.Page != nil {
			t.OtherPage = d.Page(k.Name, o.ID)
		}
	} else {
		t.Text = blank(k, d.Registry)
	}
	return t, nil
}

// blank is the beginning of a new definition as text.
func blank(k def.Kind, reg *def.Registry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: %s\nkind: %s\nmetadata: {id: , name: }\nspec:\n", def.APIVersion, k.Name)
	for _, p := range reg.Properties(k.Name) {
		if p.Required {
			fmt.Fprintf(&b, "  %s: \n", p.Name)
		}
	}
	return b.String()
}

// fill makes the inputs of a form.
func (d *Desk) fill(t *task) {
	m := formMaker{refs: t.refs, form: t.Form}
	var spec map[string]any
	if t.Object != nil {
		spec, _ = t.Object.Value()["spec"].(map[string]any)
	}
	t.Inputs = m.inputs(d.Registry.Properties(t.Kind.Name), "spec", spec, 0)
	t.Lists = t.refs.Lists()
}

func (d *Desk) show(w http.ResponseWriter, r *http.Request) error {
	t, err := d.begin(r)
	if err != nil {
		return err
	}
	if t.Removing = r.URL.Query().Get("do") == "remove" && t.Object != nil; t.Removing {
		return d.render(w, r, t, removePage(t))
	}
	d.fill(t)
	return d.render(w, r, t, formPage(t))
}

func (d *Desk) render(w http.ResponseWriter, r *http.Request, t *task, c templ.Component) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	crumbs := []ui.Link{register.Crumb, {Text: "Change definitions", Href: "/staff/estate/edit"}}
	p := web.Page{Title: t.Title(), Crumbs: crumbs, Error: len(t.Errors) > 0}
	if len(t.Errors) > 0 {
		p.Status = http.StatusUnprocessableEntity
	}
	return d.Desk.Render(w, r, s, p, c)
}

// submit takes a form: it previews it, goes back to it, or saves it.
func (d *Desk) submit(w http.ResponseWriter, r *http.Request) error {
	t, err := d.begin(r)
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return reeve.E(reeve.Invalid, "edit", "the form could not be read: %w", err)
	}
	t.Form = r.PostForm
	t.Raw, t.Removing = t.Form.Has("raw"), t.Form.Get("do") == "remove" || t.Form.Has("removing")
	if base := t.Form.Get("base"); base != "" {
		t.Base = base
	}
	if t.Raw {
		t.Text = clean(t.Form.Get("raw"))
	}
	again := func() error {
		d.fill(t)
		if t.Removing {
			return d.render(w, r, t, removePage(t))
		}
		return d.render(w, r, t, formPage(t))
	}
	c, some := d.asked(t)
	switch do := t.Form.Get("do"); {
	case do == "back":
		t.Errors = nil
		return again()
	case len(t.Errors) > 0: // and whatever else is wrong, at once
		if t.Plan, err = d.Editor.Preview(r.Context(), t.Base, c); err != nil && !failed(t, err) {
			return err
		} else if err == nil {
			failed(t, nil)
		}
		return again()
	case !some:
		t.Errors.Add("", "Nothing would change: it says so already")
		return again()
	case do == "save":
		return d.save(w, r, t, c, again)
	}
	t.Plan, err = d.Editor.Preview(r.Context(), t.Base, c)
	if failed(t, err) {
		return again()
	} else if err != nil {
		return err
	}
	t.Diffs = diffs(t.Plan.Files)
	if d.Effects != nil && t.Plan.After != nil {
		if t.Effects, err = d.Effects(r.Context(), d.Editor.o.Set(), t.Plan.After); err != nil {
			return err
		}
	}
	return d.render(w, r, t, previewPage(t))
}

func (d *Desk) save(w http.ResponseWriter, r *http.Request, t *task, c Change, again func() error) error {
	who := Person{Name: web.Actor(r.Context()).ID}
	if d.Who != nil {
		who = d.Who(r.Context(), web.Actor(r.Context()))
	}
	out, err := d.Editor.Apply(r.Context(), who, t.Form.Get("message"), t.Base, c)
	t.Plan.Problems = out.Problems
	if out.Commit == "" && failed(t, err) {
		return again()
	} else if err != nil {
		return err
	}
	switch {
	case out.Branch != "":
		d.Mux.Flash(w, "Your change was sent to be agreed, as "+out.Branch+". Until then nothing changes here.")
	case len(out.Problems) > 0:
		d.Mux.Flash(w, "Your change is saved, but the definitions as a whole have problems, so that the old ones are still used: "+out.Problems[0].String())
	default:
		d.Mux.Flash(w, "Your change is saved and in force.")
	}
	to := "/staff/estate/edit"
	if !c.Remove {
		id := c.ID
		if c.Rename != "" && out.Branch == "" {
			id = c.Rename
		}
		if out.Branch == "" || !c.New {
			to = "/staff/estate/edit/" + url.PathEscape(t.Kind.Name) + "/" + url.PathEscape(id)
		}
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// failed puts what is wrong into the form's errors; it is false for what a form
// cannot show.
func failed(t *task, err error) bool {
	for _, p := range t.Plan.Problems {
		t.problem(p)
	}
	if err != nil {
		errors.As(err, &t.Clash)
		switch reeve.KindOf(err) {
		case reeve.Invalid, reeve.Conflict, reeve.TooLarge, reeve.Transient:
			t.Errors.Add("", "%s", ui.Capital(reeve.Message(err)))
		default:
			return false
		}
	}
	return len(t.Errors) > 0
}

var anID = regexp.MustCompile(`\bid:\s*["']?([A-Za-z0-9.-]+)`)

var startsWithPath = regexp.MustCompile(`^(spec|metadata)([.\[][A-Za-z0-9_.\-\[\]]*)?`)

// problem shows a problem of the definitions at the field that it is about.
func (t *task) problem(p def.Problem) {
	path := startsWithPath.FindString(p.Message)
	text := p.Message
	field := ""
	switch {
	case t.Raw:
		field = "raw"
	case path == "metadata.id":
		field, text = "id", "Id"+strings.TrimPrefix(text, path)
	case path == "metadata.name":
		field, text = "name", "Name"+strings.TrimPrefix(text, path)
	case path != "":
		rest := strings.TrimPrefix(text, path)
		last := path[strings.LastIndexAny(path, ".")+1:]
		if i := strings.IndexByte(last, '['); i > 0 {
			last = last[:i]
		}
		field, text = fieldID(path), label(last)+rest
	}
	if field == "" || t.Raw {
		text += fmt.Sprintf(" (%s, line %d)", p.File, p.Line)
	}
	t.Errors.Add(field, "%s", text)
}

// asked is the change that a form asks for; some is false if there is none.
func (d *Desk) asked(t *task) (c Change, some bool) {
	c = Change{Kind: t.Kind.Name, Set: map[string]any{}}
	id, name := strings.TrimSpace(t.Form.Get("id")), strings.TrimSpace(t.Form.Get("name"))
	if t.Object == nil {
		c.New, c.ID, c.Name, c.File = true, id, name, strings.TrimSpace(t.Form.Get("file"))
		some = true
	} else {
		c.ID = t.Object.ID
	}
	if t.Removing {
		c.Remove = true
		return c, t.Object != nil
	}
	if t.Raw {
		if c.Raw = t.Text; strings.TrimSpace(c.Raw) == "" {
			t.Errors.Add("raw", "Write the definition, or remove it on the page for that")
		}
		if m := anID.FindStringSubmatch(c.Raw); c.New && m != nil {
			c.ID = m[1]
		}
		return c, some || t.Object != nil && strings.TrimRight(c.Raw, "\n") != strings.TrimRight(strings.TrimPrefix(t.Object.Source(), "---\n"), "\n")
	}
	if id == "" {
		t.Errors.Add("id", "Write an id: letters, digits, dots and dashes")
	}
	if t.Object != nil && id != t.Object.ID {
		c.Rename, some = id, true
	}
	if t.Object != nil && name != t.Object.Name {
		if c.Name, some = name, true; name == "" {
			c.Set["metadata.name"] = nil
		}
	}
	s := sent{form: t.Form, refs: t.refs}
	var spec map[string]any
	if t.Object != nil {
		spec, _ = t.Object.Value()["spec"].(map[string]any)
	}
	s.changes(d.Registry.Properties(t.Kind.Name), "spec", spec, c.Set)
	t.Errors = append(t.Errors, s.errors...)
	return c, some || len(c.Set) > 0
}

// kinds lists what can be changed and added.
func (d *Desk) kinds(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	v := kindsView{ReadOnly: d.Editor.ReadOnly(), Proposes: d.Editor.Proposes(), Kind: r.URL.Query().Get("kind")}
	set := d.Editor.o.Set()
	for _, k := range d.Registry.Kinds() {
		n := 0
		for _, o := range set.Objects() {
			if o.Kind != k.Name {
				continue
			}
			if n++; v.Kind == k.Name && len(v.Objects) < 1000 {
				v.Objects = append(v.Objects, o)
			}
		}
		v.Kinds = append(v.Kinds, kindRow{k, n})
	}
	slices.SortFunc(v.Objects, func(a, b *def.Object) int { return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)) })
	return d.Desk.Render(w, r, s, web.Page{Title: "Change definitions", Crumbs: []ui.Link{register.Crumb}}, kindsPage(v))
}

func (d *Desk) history(w http.ResponseWriter, r *http.Request) error {
	t, err := d.begin(r)
	if err != nil {
		return err
	}
	if t.Kind.Name == "Asset" && !d.May(r.Context(), holders) {
		return reeve.E(reeve.Forbidden, "edit.history", "who has a device is in its definition, and not for everybody: ask those who look after devices")
	}
	v := historyView{task: t}
	if t.ReadOnly == "" {
		if v.Revisions, err = d.Editor.History(r.Context(), t.Kind.Name, t.Object.ID, 100); err != nil {
			return err
		}
	}
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	return d.Desk.Render(w, r, s, web.Page{Title: "History of " + t.Object.Name, Crumbs: []ui.Link{register.Crumb}}, historyPage(v))
}

// diff is what changes in a file.
type diff struct {
	Name  string
	Lines []ui.DiffLine
}

func diffs(files []File) (out []diff) {
	for _, f := range files {
		out = append(out, diff{f.Name, ui.DiffText(string(f.Before), string(f.After))})
	}
	return out
}

// hidden are the fields of a form as they were sent, to be sent again.
func (t *task) hidden() (out [][2]string) {
	for name, values := range t.Form {
		if name == "do" || name == "message" || name == "base" {
			continue
		}
		for _, v := range values {
			out = append(out, [2]string{name, v})
		}
	}
	slices.SortStableFunc(out, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) }) // the values of one stay in their order
	return out
}
