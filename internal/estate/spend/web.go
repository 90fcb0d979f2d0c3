package spend

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// Curate is the action of matching a line of the ledger by hand.
const Curate = "estate.import"

// Desk is the pages about spend.
type Desk struct {
	register.Desk
	Body string // name of the public body
	Host string // of the site, for the ids of events in calendars
	// Match keeps what a person says about a line of the ledger: the contract that
	// it pays, "" to take back what was said.
	Match func(ctx context.Context, by, line, contract string) error

	mu   sync.Mutex
	last *Book
}

const home = "/staff/estate/spend"

var crumb = ui.Link{Text: "Spend", Href: home}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	m.Handle("GET "+home, register.Read, d.overview)
	m.Handle("GET "+home+"/unmatched", register.Read, d.unmatched)
	m.Handle("GET "+home+"/lines/{id}", register.Read, d.line)
	m.Handle("POST "+home+"/lines/{id}", Curate, d.say)
	m.Handle("GET "+home+"/suppliers", register.Read, d.suppliers)
	m.Handle("GET "+home+"/contracts", register.Read, d.contracts)
	m.Handle("GET "+home+"/contracts/{id}", register.Read, d.contract)
	m.Handle("GET "+home+"/calendar", register.Read, d.calendar)
	m.Handle("GET "+home+"/calendar.ics", register.Read, d.ics)
}

// book is the ledger of the estate that a request asks for.
func (d *Desk) book(r *http.Request) (*Book, error) {
	s, err := d.Snapshot(r)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	b := d.last
	d.mu.Unlock()
	if b != nil && b.Snapshot == s {
		return b, nil
	}
	b = Read(s)
	d.mu.Lock()
	d.last = b
	d.mu.Unlock()
	return b, nil
}

// report is the period that a request asks for: ?year=2026-27, or the last twelve
// months.
func (d *Desk) report(r *http.Request) (*Report, error) {
	b, err := d.book(r)
	if err != nil {
		return nil, err
	}
	year := r.URL.Query().Get("year")
	if year == "" {
		return b.Of(b.LastYear()), nil
	}
	p, ok := b.Year(year)
	if !ok {
		return nil, reeve.E(reeve.NotFound, "spend.year", "the ledger has no line of the year %q", year)
	}
	return b.Of(p), nil
}

func (d *Desk) show(w http.ResponseWriter, r *http.Request, s *register.Snapshot, title string, content templ.Component, crumbs ...ui.Link) error {
	return d.Render(w, r, s, web.Page{Title: title, Crumbs: append([]ui.Link{register.Crumb}, crumbs...)}, content)
}

func (d *Desk) overview(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	return d.show(w, r, rep.Snapshot, "Spend", overviewPage(rep))
}

func (d *Desk) unmatched(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	groups, at := rep.Open(), -1
	if n, err := strconv.Atoi(r.URL.Query().Get("group")); err == nil && n >= 0 && n < len(groups) {
		at = n
	}
	return d.show(w, r, rep.Snapshot, "Spend without a contract", unmatchedPage(rep, groups, at), crumb)
}

func (d *Desk) suppliers(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	return d.show(w, r, rep.Snapshot, "Suppliers", suppliersPage(rep), crumb)
}

func (d *Desk) contracts(w http.ResponseWriter, r *http.Request) error {
	rep, err := d.report(r)
	if err != nil {
		return err
	}
	return d.show(w, r, rep.Snapshot, "Supplier contracts", contractsPage(rep, seats(rep.Snapshot)), crumb)
}

func (d *Desk) contract(w http.ResponseWriter, r *http.Request) error {
	b, err := d.book(r)
	if err != nil {
		return err
	}
	k, ok := b.contract(r.PathValue("id"))
	if !ok {
		if now, ok := b.Renamed("SupplierContract", r.PathValue("id")); ok {
			return web.Redirect(w, r, home+"/contracts/"+url.PathEscape(now))
		}
		return reeve.E(reeve.NotFound, "spend.contract", "there is no supplier contract %q", r.PathValue("id"))
	}
	var lines []Match
	for _, x := range b.Matches {
		if x.Contract == k.ID || slices.Contains(x.Candidates, k.ID) {
			lines = append(lines, x)
		}
	}
	slices.SortStableFunc(lines, func(a, b Match) int { return b.On.Compare(a.On) })
	return d.show(w, r, b.Snapshot, k.Name, contractPage(b, k, seats(b.Snapshot)[k.ID], lines), crumb, ui.Link{Text: "Supplier contracts", Href: home + "/contracts"})
}

func (d *Desk) line(w http.ResponseWriter, r *http.Request) error {
	b, err := d.book(r)
	if err != nil {
		return err
	}
	x, ok := b.line(r.PathValue("id"))
	if !ok {
		return reeve.E(reeve.NotFound, "spend.line", "the ledger has no line %q", r.PathValue("id"))
	}
	return d.show(w, r, b.Snapshot, "Line of the ledger", linePage(b, x, d.Match != nil && !b.Past && d.May(r.Context(), Curate)), crumb, ui.Link{Text: "Without a contract", Href: home + "/unmatched"})
}

func (b *Book) line(id string) (Match, bool) {
	i := slices.IndexFunc(b.Matches, func(x Match) bool { return x.ID == id })
	if i < 0 {
		return Match{}, false
	}
	return b.Matches[i], true
}

// say keeps which contract a line pays.
func (d *Desk) say(w http.ResponseWriter, r *http.Request) error {
	b, err := d.book(r)
	if err != nil {
		return err
	}
	id := r.PathValue("id")
	if _, ok := b.line(id); !ok {
		return reeve.E(reeve.NotFound, "spend.say", "the ledger has no line %q", id)
	}
	if err := r.ParseForm(); err != nil {
		return reeve.E(reeve.Invalid, "spend.say", "the form cannot be read")
	}
	contract := r.PostForm.Get("contract")
	if _, ok := b.contract(contract); contract != "" && contract != NoContract && !ok {
		return reeve.E(reeve.Invalid, "spend.say", "there is no supplier contract %q", contract)
	}
	if d.Match == nil || b.Past {
		return reeve.E(reeve.Invalid, "spend.say", "the estate of an earlier day cannot be changed")
	}
	if err := d.Match(r.Context(), web.Actor(r.Context()).ID, id, contract); err != nil {
		return err
	}
	d.Mux.Flash(w, "Kept. Other lines of the same supplier follow it where they fit.")
	return web.Redirect(w, r, home+"/lines/"+url.PathEscape(id))
}

func (d *Desk) calendar(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	return d.show(w, r, s, "Renewals and notice dates", calendarPage(s, ahead(s, r.URL.Query().Get("show"))), crumb)
}

// ICS is the calendar for programs: from three months ago on.
func (d *Desk) ICS(s *register.Snapshot) ([]byte, error) {
	host := d.Host
	if host == "" {
		host = "reeve.invalid"
	}
	return Calendar(d.Body, host, Events(s, s.Today.AddDays(-Grace)), s.At)
}

func (d *Desk) ics(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	b, err := d.ICS(s)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/calendar; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="supplier-contracts.ics"`)
	_, err = w.Write(b)
	return err
}
