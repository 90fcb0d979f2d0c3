package feed

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Actions of this room's routes; those of its API are the intake's.
const (
	ActionRead = "feed.read" // see feeds and files, and what is wrong with rows
	ActionRun  = "feed.run"  // have one looked at now
	ActionSend = "feed.send" // send a file in a page
	ActionHook = "hook.receive"
)

// Mount adds the API of files, the door for webhooks and the pages.
func (d *Desk) Mount(m *web.Mux) {
	d.mountAPI(m)
	d.mountHooks(m)
	p := pages{d, m, audience{home: ui.Link{Text: "Feeds", Href: "/staff/feeds"}, files: "/staff/files/", held: "/staff/held/", send: "/staff/files"}}
	m.Nav(web.StaffArea, web.NavItem{Text: "Feeds", Href: "/staff/feeds", Action: ActionRead, Order: 26})
	m.Handle("GET /staff/feeds", ActionRead, p.list)
	m.Handle("GET /staff/feeds/{id}", ActionRead, p.show)
	m.Handle("POST /staff/feeds/{id}/run", ActionRun, p.run)
	m.Handle("GET /staff/files/{id}", ActionRead, p.file)
	m.Handle("GET /staff/files/{id}/problems.csv", ActionRead, p.problems, web.Stream())
	m.Handle("GET /staff/files/new", ActionSend, p.upload)
	m.Handle("POST /staff/files", ActionSend, p.take, web.Stream())
	d.mountPartners(m)
}

// audience is for whom the pages of files are: staff for those of all
// organisations, or partners, each for its own.
type audience struct {
	own         bool // each for its own
	home        ui.Link
	files, held string // addresses of one file and of one held record, without its id
	send        string // where a file is sent to; of partners without its type
	most        int64  // bytes that a file in a page may have, 0: any
}

type pages struct {
	d *Desk
	m *web.Mux
	audience
}

const (
	filesShown  = 50
	faultsShown = 200
)

func (p pages) page(title string, crumbs ...ui.Link) web.Page {
	return web.Page{Title: title, Active: p.home.Href, Crumbs: append([]ui.Link{p.home}, crumbs...)}
}

// row is a feed as a page shows it.
type row struct {
	ID, Name, Of, System, Type, Sender string // Of is the id of its system
	When                               string
	State                              state
	Running                            bool
	File                               string // that is being read
	Next                               time.Time
}

// view is how the feeds stand, by name.
func (d *Desk) view() (rows []row) {
	d.mu.Lock()
	defer d.mu.Unlock()
	rules := d.o.Rules()
	for _, ln := range d.lanes {
		f := ln.feed
		r := row{ID: f.ID, Name: f.Name, Of: f.Spec.System, System: d.o.Name("System", f.Spec.System), Type: d.o.Name("RecordType", string(f.Type)), When: when(f),
			State: ln.state, Running: ln.running, File: ln.file}
		if org := d.sender(rules, f); org != "" {
			r.Sender = d.o.Name("Organisation", org)
		} else if r.State.Why == "" {
			r.State.Why = nobody
		}
		switch {
		case !ln.ready || r.Running:
		case r.State.Fails > 0:
			r.Next = r.State.Looked.Add(wait(r.State.Fails, f))
		case !r.State.Looked.IsZero():
			r.Next = f.next(r.State.Looked)
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.Name, b.Name) })
	return rows
}

// when is how often a feed is looked at, in words.
func when(f *Feed) string {
	if f.schedule != nil {
		return "at set times (" + f.Spec.Read.Schedule + ")"
	}
	switch e := f.every; {
	case e%time.Hour == 0:
		return plural(int64(e/time.Hour), "every hour", "every %d hours")
	case e%time.Minute == 0:
		return plural(int64(e/time.Minute), "every minute", "every %d minutes")
	case e%time.Second == 0:
		return plural(int64(e/time.Second), "every second", "every %d seconds")
	default:
		return "every " + e.String()
	}
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}

// status is how a feed stands as a coloured word.
func (r row) status() (text string, tone ui.Tone) {
	switch {
	case r.Running:
		return "Reading", ui.Info
	case r.State.Why != "":
		return "Cannot be read", ui.Bad
	case r.State.Well.IsZero():
		return "Not read yet", ui.Quiet
	}
	return "Well", ui.Good
}

// status is how a file stands as a coloured word.
func (f *File) status() (text string, tone ui.Tone) {
	switch {
	case f.State == Receiving:
		return "Receiving", ui.Info
	case f.State == Expired:
		return "Nobody finished it", ui.Bad
	case f.State == Broken:
		return "Broke off", ui.Bad
	case !f.Adds():
		return "Does not add up", ui.Bad
	case f.Counts.Held+f.Counts.Refused > 0:
		return "Complete, with problems", ui.Waiting
	}
	return "Complete", ui.Good
}

// title is what a file is called on pages.
func (f *File) title(loc *time.Location) string {
	if f.Name != "" {
		return f.Name
	}
	return "Read on " + ui.TimeText(f.Began.In(loc))
}

func (p pages) list(w http.ResponseWriter, r *http.Request) error {
	files, err := p.d.Files(r.Context(), "")
	if err != nil {
		return err
	}
	page := p.page("Feeds")
	page.Crumbs, page.Wide = nil, true
	return p.m.Render(w, r, page, listPage(listData{Feeds: p.d.view(), Files: p.rows(files), Now: p.d.o.Now()}))
}

// Files lists the newest files, of one feed or, with "", of all.
func (d *Desk) Files(ctx context.Context, feed string) (files []File, err error) {
	where, args := "1 = 1", []any{}
	if f, ok := d.Feed(feed); ok {
		where, args = "origin = ?", []any{f.root}
	}
	err = d.o.DB.View(ctx, func(tx *store.Tx) (err error) {
		files, err = d.listFiles(tx, where, args, filesShown)
		return err
	})
	return files, err
}

func (p pages) show(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	rows := p.d.view()
	i := slices.IndexFunc(rows, func(r row) bool { return r.ID == id })
	if i < 0 {
		return reeve.E(reeve.NotFound, "exchange.feed.show", "there is no feed %q", id)
	}
	files, err := p.d.Files(r.Context(), id)
	if err != nil {
		return err
	}
	return p.m.Render(w, r, p.page(rows[i].Name), feedPage(rows[i], p.rows(files), p.d.o.Now()))
}

func (p pages) run(w http.ResponseWriter, r *http.Request) error {
	id := r.PathValue("id")
	if err := p.d.Ask(r.Context(), id); err != nil {
		return err
	}
	p.m.Flash(w, "It is being looked at now.")
	return web.Redirect(w, r, "/staff/feeds/"+id)
}

// fileRow is a file as a list shows it.
type fileRow struct {
	File
	Title, TypeName, From string
	Href                  string
	Busy                  bool // its rows are being taken at this moment
}

// status is how it stands as a coloured word.
func (f *fileRow) status() (text string, tone ui.Tone) {
	if f.State == Receiving && !f.Busy {
		return "Waiting for the rest", ui.Waiting
	}
	return f.File.status()
}

func (p pages) rows(files []File) (rows []fileRow) {
	for i := range files {
		f := files[i]
		r := fileRow{File: f, Title: f.title(p.d.o.Zone), TypeName: p.d.o.Name("RecordType", string(f.Type)), From: p.d.o.Name("Organisation", f.Sender), Busy: p.d.sent(f.ID) >= 0, Href: p.files + f.ID}
		if f.Origin != "" {
			r.From = p.d.o.Name("Interface", f.Origin)
		}
		rows = append(rows, r)
	}
	return rows
}

func (p pages) file(w http.ResponseWriter, r *http.Request) error {
	f, err := p.find(r)
	if err != nil {
		return err
	}
	part, err := strconv.Atoi(r.URL.Query().Get("from"))
	if err != nil || part < 0 || part >= f.parts {
		part = 0
	}
	data := fileData{fileRow: p.rows([]File{*f})[0], audience: p.audience, Now: p.d.o.Now(), Sent: p.d.sent(f.ID), Zone: p.d.o.Zone}
	for data.Next = part; data.Next < f.parts && len(data.Faults) < faultsShown; data.Next++ {
		var lines []byte
		if err := p.d.o.DB.View(r.Context(), func(tx *store.Tx) (err error) {
			lines, err = p.d.faultLines(tx, f.ID, data.Next)
			return err
		}); err != nil {
			return err
		}
		for _, line := range intake.SplitLines(lines) {
			var one intake.Fault
			if err := json.Unmarshal(line, &one); err != nil {
				return err
			}
			data.Faults = append(data.Faults, one)
		}
	}
	if data.Next >= f.parts {
		data.Next = 0
	}
	data.Part = part
	return p.m.Render(w, r, p.page(data.Title), filePage(data))
}

// fileData is the page of a file.
type fileData struct {
	fileRow
	audience
	Faults     []intake.Fault
	Part, Next int   // parts of the faults; Next 0: no more
	Sent       int64 // bytes that came, -1 if not known
	Now        time.Time
	Zone       *time.Location
}

// share is how much of the file came, in per cent; -1 if not known.
func (f *fileData) share() int {
	switch {
	case f.State != Receiving:
		return -1
	case f.Total > 0:
		return int(min(100, f.Rows*100/f.Total))
	case f.Sent >= 0 && f.Size > 0:
		return int(min(100, f.Sent*100/f.Size))
	}
	return -1
}

type listData struct {
	Feeds []row
	Files []fileRow
	Now   time.Time
}
