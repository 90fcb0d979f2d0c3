package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/importer/sources"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Action is the action of importing.
const Action = "estate.import"

const home = "/staff/estate/import"

// Crumb is where the pages of an import hang.
var Crumb = ui.Link{Text: "Import", Href: home}

// Desk has the pages of importing.
type Desk struct {
	register.Desk
	Dir      string // an existing folder that has room for files on their way; "" for the system's
	Sources  []importer.Source
	Registry *def.Registry
	Now      func() time.Time

	Folder   func() fs.FS  // of the definitions, as it is now
	ReadOnly func() string // why definitions cannot be changed; "" where they can
	// Write puts files into the folder of definitions as one commit of whoever asks.
	Write func(ctx context.Context, message, proposal string, base, files map[string][]byte) (edit.Outcome, error)
	// Preview and Import take a list into the inventory.
	Preview func(ctx context.Context, imp inventory.Import, items []inventory.Item) (inventory.Changes, error)
	Import  func(ctx context.Context, by string, imp inventory.Import, items []inventory.Item) (inventory.Changes, error)
	Imports func(ctx context.Context) ([]inventory.Done, error) // the latest first; nil for none

	held held
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET "+home, Action, d.home)
	m.Handle("POST "+home, Action, d.upload, web.MaxBody(maxUpload+1<<20))
	m.Handle("GET "+home+"/{id}", Action, d.show)
	m.Handle("POST "+home+"/{id}", Action, d.decide)
}

// start is what the first page shows.
type start struct {
	Sources  []importer.Source
	ReadOnly string
	Done     []inventory.Done
	Kept     map[string]importer.Memory // of sources that were imported before
	Errors   ui.Errors
	Chosen   string
}

func (d *Desk) home(w http.ResponseWriter, r *http.Request) error {
	return d.homePage(w, r, start{Chosen: r.URL.Query().Get("source")})
}

func (d *Desk) homePage(w http.ResponseWriter, r *http.Request, v start) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	v.Sources, v.Kept = d.Sources, map[string]importer.Memory{}
	if d.ReadOnly != nil {
		v.ReadOnly = d.ReadOnly()
	}
	if d.Imports != nil {
		if v.Done, err = d.Imports(r.Context()); err != nil {
			return err
		}
	}
	for _, src := range d.Sources {
		if src.List {
			continue
		}
		if _, m, err := importer.PlaceOf(src.Name).Kept(d.Folder()); err == nil && m.Source != "" {
			v.Kept[src.Name] = m
		}
	}
	p := web.Page{Title: "Import", Crumbs: []ui.Link{register.Crumb}, Error: len(v.Errors) > 0}
	if p.Error {
		p.Status = http.StatusUnprocessableEntity
	}
	return d.Render(w, r, s, p, homePage(v))
}

// upload streams a file to disk, whatever its size says, and stops at the bound.
func (d *Desk) upload(w http.ResponseWriter, r *http.Request) error {
	parts, err := r.MultipartReader()
	if err != nil {
		return reeve.E(reeve.Invalid, "import", "choose a file and send the form")
	}
	u := &upload{by: web.Actor(r.Context()).ID, at: d.Now(), settings: map[string]string{}}
	again := func(field, format string, args ...any) error {
		if u.file != nil {
			d.held.done(u)
		}
		v := start{Chosen: u.source}
		v.Errors.Add(field, format, args...)
		return d.homePage(w, r, v)
	}
	for {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return reeve.E(reeve.Invalid, "import", "the file did not arrive whole: send it again: %w", err)
		}
		if err := d.part(u, part); err != nil {
			if k := reeve.KindOf(err); k == reeve.TooLarge || k == reeve.Invalid {
				return again("file", "%s", reeve.Message(err))
			}
			return err
		}
	}
	if u.file == nil || u.size == 0 {
		return again("file", "Choose a file with something in it")
	}
	src, _, err := sources.From(d.Sources, u.source, u.file, u.size, u.name)
	if err != nil {
		return again("file", "%s", reeve.Message(err))
	}
	u.source = src.Name
	return web.Redirect(w, r, home+"/"+u.id)
}

func (d *Desk) part(u *upload, part *multipart.Part) error {
	name := part.FormName()
	if name == "file" {
		if part.FileName() == "" || u.file != nil {
			return nil
		}
		u.name = path.Base(strings.ReplaceAll(part.FileName(), `\`, "/"))
		return d.held.keep(d.Dir, part, u)
	}
	b, err := io.ReadAll(io.LimitReader(part, 4097))
	if err != nil {
		return err
	}
	if len(b) > 4096 {
		return reeve.E(reeve.Invalid, "import", "an answer in the form is too long")
	}
	if name == "source" {
		u.source = string(b)
	} else if setting, ok := strings.CutPrefix(name, "set-"); ok && len(u.settings) < 20 {
		u.settings[setting] = strings.TrimSpace(string(b))
	}
	return nil
}

// view is what the preview shows.
type view struct {
	ID       string
	Source   importer.Source
	File     string
	Set      map[string]string // settings
	Reading  *importer.Reading // nil where nothing could be read
	Plan     *importer.Prepared
	Changes  inventory.Changes // of a list
	Failure  string            // why nothing can be imported as it stands
	Unsaid   bool              // because a person must say which column is which
	Stale    bool              // the definitions changed while somebody looked
	Take     map[string]bool
	State    string // of the definitions, or the inventory, that were looked at
	ReadOnly string
	Errors   ui.Errors
}

func (d *Desk) show(w http.ResponseWriter, r *http.Request) error {
	u, err := d.held.take(r.PathValue("id"), web.Actor(r.Context()).ID, d.Now())
	if err != nil {
		return err
	}
	defer u.busy.Unlock()
	v, err := d.look(r.Context(), u, nil)
	if err != nil {
		return err
	}
	return d.preview(w, r, v)
}

func (d *Desk) preview(w http.ResponseWriter, r *http.Request, v *view) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	p := web.Page{Title: "Import " + v.File, Crumbs: []ui.Link{register.Crumb, Crumb}}
	if v.Failure != "" || v.Stale || len(v.Errors) > 0 {
		p.Error, p.Status = true, http.StatusUnprocessableEntity
	}
	return d.Render(w, r, s, p, previewPage(v))
}

// look reads a file and works out what it would change.
func (d *Desk) look(ctx context.Context, u *upload, take map[string]bool) (*view, error) {
	src, in, err := sources.From(d.Sources, u.source, u.file, u.size, u.name)
	if err != nil {
		return nil, err
	}
	v := &view{ID: u.id, Source: src, File: u.name, Set: u.settings, Take: take}
	in.Settings = u.settings
	fail := func(err error) (*view, error) {
		var unsaid *sheet.Unsaid
		if errors.As(err, &unsaid) { // the page asks
			v.Unsaid, v.Reading = true, importer.Columns(u.name, unsaid.List)
		}
		switch reeve.KindOf(err) {
		case reeve.Invalid, reeve.TooLarge, reeve.Conflict, reeve.NotFound:
			if v.Failure = reeve.Message(err); !strings.HasPrefix(v.Failure, u.name) { // the name of a file stays as it is
				v.Failure = ui.Capital(v.Failure)
			}
			return v, nil
		}
		return nil, err
	}
	if u.mapping != nil {
		if in.Mapping, err = src.Vocabulary.ParseMapping(u.mapping); err != nil {
			return fail(err)
		}
	}
	if src.List {
		if v.Reading, err = src.Read(ctx, in); err != nil {
			return fail(err)
		}
		v.Reading.Source, v.Reading.Unit = src.Name, src.Unit
		if len(v.Reading.Items) == 0 {
			v.Failure = "There is nothing in the file that can be imported."
			return v, nil
		}
		if v.Changes, err = d.Preview(ctx, v.Reading.List, v.Reading.Items); err != nil {
			return fail(err)
		}
		return v, nil
	}
	if d.ReadOnly != nil {
		v.ReadOnly = d.ReadOnly()
	}
	v.Plan, err = importer.Prepare(ctx, src, in, d.Folder(), d.Registry, func(field string) bool { return take[field] })
	if err != nil {
		return fail(err)
	}
	v.Reading, v.State = v.Plan.Reading, v.Plan.Base
	return v, nil
}

// decide takes up what a person said of an import: what the columns mean, which
// values to take; or does it, or drops it.
func (d *Desk) decide(w http.ResponseWriter, r *http.Request) error {
	u, err := d.held.take(r.PathValue("id"), web.Actor(r.Context()).ID, d.Now())
	if err != nil {
		return err
	}
	defer u.busy.Unlock()
	if err := r.ParseForm(); err != nil {
		return reeve.E(reeve.Invalid, "import", "the form cannot be read: %w", err)
	}
	if r.PostForm.Get("do") == "drop" {
		d.held.done(u)
		d.Mux.Flash(w, "Nothing was imported.")
		return web.Redirect(w, r, home)
	}
	src, err := sources.Find(d.Sources, u.source)
	if err != nil {
		return err
	}
	take := map[string]bool{}
	for _, f := range r.PostForm["take"] {
		take[f] = true
	}
	for _, s := range src.Settings {
		if r.PostForm.Has("set-" + s.Name) {
			u.settings[s.Name] = strings.TrimSpace(r.PostForm.Get("set-" + s.Name))
		}
	}
	if src.Vocabulary != nil && r.PostForm.Has("column") {
		m, err := mapped(src.Vocabulary, r.PostForm)
		if err != nil {
			v, e := d.look(r.Context(), u, take)
			if e != nil {
				return e
			}
			v.Errors.Add("columns", "%s", reeve.Message(err))
			return d.preview(w, r, v)
		}
		u.mapping = m.YAML()
	}
	v, err := d.look(r.Context(), u, take)
	if err != nil {
		return err
	}
	if r.PostForm.Get("do") != "import" || v.Failure != "" {
		return d.preview(w, r, v)
	}
	if v.Stale = !src.List && r.PostForm.Get("state") != v.State; v.Stale {
		return d.preview(w, r, v)
	}
	return d.carryOut(w, r, u, v)
}

// mapped is the mapping that the form says.
func mapped(vocabulary *sheet.Vocabulary, form url.Values) (*sheet.Mapping, error) {
	m := &sheet.Mapping{Sheet: form.Get("sheet"), Dates: form.Get("dates")}
	if _, err := fmt.Sscan(form.Get("header"), &m.Header); err != nil {
		m.Header = 0
	}
	fields := form["field"]
	for i, h := range form["column"] {
		if i < len(fields) {
			m.Columns = append(m.Columns, sheet.Column{Heading: h, Field: cmp.Or(fields[i], sheet.Ignore)})
		}
	}
	return m, vocabulary.Check(m)
}

func (d *Desk) carryOut(w http.ResponseWriter, r *http.Request, u *upload, v *view) error {
	if v.Source.List {
		list := v.Reading.List
		if n, err := strconv.Atoi(r.PostForm.Get("gone")); err == nil {
			list.MayGo = n // as many as were shown, so that no more go than were agreed to
		}
		if n := v.Changes.Losing(); list.Whole && n > list.MayGo {
			v.Errors.Add("gone", "Say that %s may go, or that the file is only a part of the list", v.Changes.Warning())
			return d.preview(w, r, v)
		}
		c, err := d.Import(r.Context(), web.Actor(r.Context()).ID, list, v.Reading.Items)
		if reeve.KindOf(err) == reeve.Conflict {
			v.Failure = reeve.Message(err)
			return d.preview(w, r, v)
		}
		if err != nil {
			return err
		}
		d.held.done(u)
		d.Mux.Flash(w, fmt.Sprintf("%s was imported: %d new, %d changed, %d the same, %d gone.", u.name, c.Added, c.Changed, c.Same, c.Gone))
		return web.Redirect(w, r, home)
	}
	if len(v.Plan.Files) == 0 {
		d.held.done(u)
		d.Mux.Flash(w, "Everything in "+u.name+" is here already: nothing changed.")
		return web.Redirect(w, r, home)
	}
	base := map[string][]byte{}
	for name := range v.Plan.Files {
		b, err := fs.ReadFile(d.Folder(), name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		base[name] = b
	}
	out, err := d.Write(r.Context(), fmt.Sprintf("Import %s from %s: %d added, %d changed", v.Source.Name, u.name, v.Plan.Added, v.Plan.Changed), "import-"+v.Source.Name, base, v.Plan.Files)
	switch {
	case reeve.KindOf(err) == reeve.Conflict:
		v.Failure = reeve.Message(err)
		return d.preview(w, r, v)
	case err != nil:
		return err
	case out.Commit == "" && len(out.Problems) > 0:
		v.Failure = "It does not fit together with the definitions: " + out.Problems[0].String()
		return d.preview(w, r, v)
	}
	d.held.done(u)
	said := fmt.Sprintf("%s was imported: %d definitions are new, %d changed.", u.name, v.Plan.Added, v.Plan.Changed)
	if out.Branch != "" {
		said = fmt.Sprintf("%s was sent as the proposal %s. It is in force when it is taken up.", u.name, out.Branch)
	}
	d.Mux.Flash(w, said)
	return web.Redirect(w, r, home)
}

// fieldsOf are what a column can be said to mean, for a list to choose from.
func fieldsOf(v *sheet.Vocabulary, chosen string) []ui.SelectItem {
	items := []ui.SelectItem{{Value: sheet.Ignore, Text: "Not used"}}
	for _, f := range v.Fields() {
		if f != sheet.Ignore {
			items = append(items, ui.SelectItem{Value: f, Text: fieldText(f)})
		}
	}
	if !slices.ContainsFunc(items, func(i ui.SelectItem) bool { return i.Value == chosen }) {
		items[0].Value = chosen
	}
	return items
}
