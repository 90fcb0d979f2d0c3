package catalogue

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/words"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// The actions of this room.
const (
	actPublic   = "public.catalogue"
	actFeedback = "catalogue.feedback"
	actSettle   = "catalogue.settle"
	actCheck    = "catalogue.check"
)

// Desk is the pages of the catalogue.
type Desk struct {
	register.Desk
	*Keeper
	Body    string // the public body's name
	BaseURL string // how people reach this program
	// Name is what pages call an actor ("staff/3"); nil: the id.
	Name func(ctx context.Context, actor string) string
	// Office is what residents may know of an owner; nil: the directory's post,
	// and nothing where that is not known.
	Office func(s *register.Snapshot, owner string) string

	limit limiter
}

// Mount mounts the pages on m.
func (d *Desk) Mount(m *web.Mux) {
	d.Mux = m
	d.local = func(path string) bool { return mounted(m.Routes(), path) }
	m.Nav(web.Residents, web.NavItem{Text: "All services", Href: "/services", Action: actPublic, Order: 20})
	m.Handle("GET /services", actPublic, d.public)
	m.Handle("GET /services/whats-new", actPublic, d.publicNews)
	m.Handle("GET /services/feed.atom", actPublic, d.feed)
	m.Handle("GET /services/{id}", actPublic, d.publicOne)
	m.Handle("POST /services/{id}/feedback", actFeedback, d.say("public", "/services/"))
	m.Handle("GET /staff/services", register.Read, d.staff)
	m.Handle("GET /staff/services/whats-new", register.Read, d.staffNews)
	m.Handle("GET /staff/services/links", register.Read, d.linkList)
	m.Handle("POST /staff/services/links", actCheck, d.checkLinks)
	m.Handle("GET /staff/services/{id}", register.Read, d.staffOne)
	m.Handle("POST /staff/services/{id}/feedback", actFeedback, d.say("staff", "/staff/services/"))
	m.Handle("POST /staff/services/{id}/feedback/{n}", actSettle, d.settle)
}

// mounted reports whether a GET of a path leads to a page of this program.
func mounted(routes []web.Route, path string) bool {
	want := strings.Split(strings.Trim(path, "/"), "/")
	for _, r := range routes {
		pattern, ok := strings.CutPrefix(r.Pattern, "GET ")
		if !ok {
			continue
		}
		have := strings.Split(strings.Trim(strings.TrimSuffix(pattern, "{$}"), "/"), "/")
		if len(have) == len(want) && matches(have, want) {
			return true
		}
	}
	return false
}

func matches(have, want []string) bool {
	for i, h := range have {
		if !strings.HasPrefix(h, "{") && h != want[i] {
			return false
		}
	}
	return true
}

func (d *Desk) public(w http.ResponseWriter, r *http.Request) error {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	q := cut(r.URL.Query().Get("q"), 200)
	return d.Mux.Render(w, r, web.Page{Title: "All services", Active: "/services"}, publicList(q, Find(s.Set, s.Today, q, "public")))
}

func cut(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "")
	}
	return s
}

// find is a service by its id, one of the audiences only. now is the id it has now,
// if it was asked for by one it had before.
func find(set *def.Set, id string, audiences ...string) (x Service, err error) {
	x, ok := def.Get[Spec](set, id)
	if !ok || !slices.Contains(audiences, x.Spec.Audience) {
		return x, reeve.E(reeve.NotFound, "catalogue", "there is no such service")
	}
	return x, nil
}

func (d *Desk) publicOne(w http.ResponseWriter, r *http.Request) error {
	return d.publicPage(w, r, nil)
}

func (d *Desk) publicPage(w http.ResponseWriter, r *http.Request, errs ui.Errors) error {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	x, err := find(s.Set, r.PathValue("id"), "public")
	if err != nil {
		return err
	}
	if x.ID != r.PathValue("id") {
		return web.Redirect(w, r, "/services/"+url.PathEscape(x.ID))
	}
	v := publicView{X: x, S: s, Offered: Offered(x, s.Today), Office: d.office(s, x.Spec.Owner), Errors: errs, Said: r.PostFormValue("text"), Useful: r.PostFormValue("useful")}
	p := web.Page{Title: x.Name, Active: "/services", Crumbs: []ui.Link{{Text: "All services", Href: "/services"}}, Error: len(errs) > 0}
	if p.Error {
		p.Status = http.StatusBadRequest
	}
	return d.Mux.Render(w, r, p, publicPage(v))
}

func (d *Desk) office(s *register.Snapshot, owner string) string {
	if d.Office != nil {
		return d.Office(s, owner)
	}
	if p, ok, _ := s.Person(owner); ok {
		return p.Post
	}
	if strings.HasPrefix(owner, "post-") {
		return words.Post(owner)
	}
	return ""
}

func (d *Desk) publicNews(w http.ResponseWriter, r *http.Request) error {
	news, err := d.News(r.Context(), "public")
	if err != nil {
		return err
	}
	return d.Mux.Render(w, r, web.Page{Title: "What is new", Active: "/services", Crumbs: []ui.Link{{Text: "All services", Href: "/services"}}}, newsPage(news, "/services/", d.Mux.Local))
}

func (d *Desk) staffNews(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	news, err := d.News(r.Context(), "public", "staff", "partner")
	if err != nil {
		return err
	}
	return d.Render(w, r, s, web.Page{Title: "What is new", Crumbs: []ui.Link{register.Crumb, staffCrumb}}, newsPage(news, "/staff/services/", d.Mux.Local))
}

func (d *Desk) feed(w http.ResponseWriter, r *http.Request) error {
	news, err := d.News(r.Context(), "public")
	if err != nil {
		return err
	}
	b, err := Atom(news, d.BaseURL, d.Body, d.o.Now())
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/atom+xml; charset=utf-8")
	w.Header().Set("Cache-Control", "public, max-age=600")
	_, err = w.Write(b)
	return err
}

// say keeps feedback from one of the two doors.
func (d *Desk) say(audience, base string) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		s, err := d.At(r.Context(), def.Date{})
		if err != nil {
			return err
		}
		audiences := []string{"public"}
		if audience == "staff" {
			audiences = []string{"public", "staff", "partner"}
			if web.Actor(r.Context()).Kind != reeve.Staff {
				return reeve.E(reeve.Forbidden, "catalogue.say", "this page is for staff")
			}
		}
		x, err := find(s.Set, r.PathValue("id"), audiences...)
		if err != nil {
			return err
		}
		f := Feedback{Service: x.ID, Audience: audience, Useful: r.PostFormValue("useful"), Text: strings.TrimSpace(r.PostFormValue("text"))}
		var errs ui.Errors
		if f.Useful != "yes" && f.Useful != "no" {
			errs.Add("useful", "Say whether this page helped")
		}
		if len(f.Text) > 1200 {
			errs.Add("text", "Keep it under 1,200 characters")
		}
		if len(errs) == 0 && !d.limit.allow(d.o.Now(), web.ClientIP(r.Context()).String(), x.ID) {
			errs.Add("text", "We got a lot of answers just now: try again in ten minutes")
		}
		if len(errs) > 0 {
			if audience == "staff" {
				return d.staffPage(w, r, errs)
			}
			return d.publicPage(w, r, errs)
		}
		if err := d.o.DB.Update(r.Context(), func(tx *store.Tx) error { return d.Say(tx, f) }); err != nil {
			return err
		}
		d.Mux.Flash(w, "Thank you. Whoever looks after this service reads what you wrote.")
		return web.Redirect(w, r, base+url.PathEscape(x.ID))
	}
}

// limiter bounds how much is said: from one address, and about one service.
// Addresses are kept as salted hashes, in memory, for ten minutes.
type limiter struct {
	mu   sync.Mutex
	salt []byte
	seen map[[32]byte][]time.Time
}

const (
	limitWindow  = 10 * time.Minute
	limitAddress = 5
	limitService = 60
	limitKeys    = 20_000
)

func (l *limiter) allow(now time.Time, address, service string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.salt == nil || len(l.seen) > limitKeys {
		l.salt, l.seen = make([]byte, 32), map[[32]byte][]time.Time{}
		_, _ = rand.Read(l.salt) // never fails
	}
	ok := true
	for _, x := range []struct {
		key  string
		most int
	}{{"a/" + address, limitAddress}, {"s/" + service, limitService}} {
		key := sha256.Sum256(append(slices.Clone(l.salt), x.key...))
		recent := slices.DeleteFunc(l.seen[key], func(t time.Time) bool { return now.Sub(t) >= limitWindow })
		if ok = ok && len(recent) < x.most; ok {
			recent = append(recent, now)
		}
		l.seen[key] = recent
	}
	return ok
}

var staffCrumb = ui.Link{Text: "Services", Href: "/staff/services"}

func (d *Desk) staff(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	v := staffView{S: s, Query: cut(q.Get("q"), 200), Audience: q.Get("audience"), Show: q.Get("show")}
	audiences := []string{"public", "staff", "partner"}
	if slices.Contains(audiences, v.Audience) {
		audiences = []string{v.Audience}
	} else {
		v.Audience = ""
	}
	if err := d.o.DB.View(r.Context(), func(tx *store.Tx) error { v.Tallies, err = tallies(tx); return err }); err != nil {
		return err
	}
	for _, x := range Find(s.Set, s.Today, v.Query, audiences...) {
		row := staffRow{Service: x, Tally: v.Tallies[x.ID]}
		row.LinkOK, row.LinkKnown = d.RequestOK(x)
		v.count(row)
		if v.shows(row) {
			v.Rows = append(v.Rows, row)
		}
	}
	return d.Render(w, r, s, web.Page{Title: "Services", Crumbs: []ui.Link{register.Crumb}}, staffList(v))
}

func (d *Desk) staffOne(w http.ResponseWriter, r *http.Request) error { return d.staffPage(w, r, nil) }

func (d *Desk) staffPage(w http.ResponseWriter, r *http.Request, errs ui.Errors) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	x, err := find(s.Set, r.PathValue("id"), "public", "staff", "partner")
	if err != nil {
		return err
	}
	if x.ID != r.PathValue("id") {
		return web.Redirect(w, r, "/staff/services/"+url.PathEscape(x.ID))
	}
	v := staffOneView{S: s, X: x, Errors: errs, Said: r.PostFormValue("text"), Useful: r.PostFormValue("useful"), CanSettle: d.May(r.Context(), actSettle) && !s.Past, Stops: stops(s, x)}
	for _, a := range Addresses(x) {
		v.Links = append(v.Links, d.Link(a))
	}
	v.RequestOK, v.RequestKnown = d.RequestOK(x)
	if s.Outcome != nil {
		v.Findings = s.Outcome.Of("Service", x.ID)
	}
	if err := d.o.DB.View(r.Context(), func(tx *store.Tx) error { v.Feedback, err = d.feedback(tx, x.ID, 50); return err }); err != nil {
		return err
	}
	for i, f := range v.Feedback {
		if f.By != "" && d.Name != nil {
			v.Feedback[i].By = d.Name(r.Context(), f.By)
		}
	}
	p := web.Page{Title: x.Name, Crumbs: []ui.Link{register.Crumb, staffCrumb}, Error: len(errs) > 0}
	if p.Error {
		p.Status = http.StatusBadRequest
	}
	return d.Render(w, r, s, p, staffPage(v))
}

// stopped is a system that a service needs, and what else would stop with it.
type stopped struct {
	ID, Name string
	Others   []Service
}

// stops are the systems behind a service and the other services that need them.
func stops(s *register.Snapshot, x Service) (out []stopped) {
	for _, id := range x.Spec.Systems {
		id = s.Set.Present("System", id)
		st := stopped{ID: id, Name: id}
		if y, ok := s.System(id); ok {
			st.Name = or(y.Name, id)
		}
		for _, other := range def.All[Spec](s.Set) {
			if other.ID != x.ID && Offered(other, s.Today) && slices.ContainsFunc(other.Spec.Systems, func(o string) bool { return s.Set.Present("System", o) == id }) {
				st.Others = append(st.Others, other)
			}
		}
		out = append(out, st)
	}
	return out
}

func (d *Desk) settle(w http.ResponseWriter, r *http.Request) error {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	x, err := find(s.Set, r.PathValue("id"), "public", "staff", "partner")
	if err != nil {
		return err
	}
	n, err := strconv.ParseInt(r.PathValue("n"), 10, 64)
	if err != nil {
		return reeve.E(reeve.NotFound, "catalogue.settle", "there is no such feedback")
	}
	note := strings.TrimSpace(r.PostFormValue("note"))
	var errs ui.Errors
	if note == "" || len(note) > 1200 {
		errs.Add("note-"+r.PathValue("n"), "Say in up to 1,200 characters what was done about it")
		return d.staffPage(w, r, errs)
	}
	if err := d.o.DB.Update(r.Context(), func(tx *store.Tx) error { return d.Settle(tx, web.Actor(r.Context()).ID, x.ID, n, note) }); err != nil {
		return err
	}
	d.Mux.Flash(w, "Settled.")
	return web.Redirect(w, r, "/staff/services/"+url.PathEscape(x.ID))
}

func (d *Desk) linkList(w http.ResponseWriter, r *http.Request) error {
	s, err := d.Snapshot(r)
	if err != nil {
		return err
	}
	v := linksView{S: s, CanCheck: d.May(r.Context(), actCheck) && d.o.Checker != nil && !s.Past, Show: r.URL.Query().Get("show")}
	if err := d.o.DB.View(r.Context(), func(tx *store.Tx) error { v.Waiting, err = waiting(tx); return err }); err != nil {
		return err
	}
	for _, x := range Find(s.Set, s.Today, "", "public", "staff", "partner") {
		for _, a := range Addresses(x) {
			l := d.Link(a)
			v.add(l)
			if v.Show == "" || v.Show == strings.ReplaceAll(string(l.State), " ", "-") {
				v.Rows = append(v.Rows, linkRow{x, l})
			}
		}
	}
	return d.Render(w, r, s, web.Page{Title: "Links", Crumbs: []ui.Link{register.Crumb, staffCrumb}}, linksPage(v))
}

func (d *Desk) checkLinks(w http.ResponseWriter, r *http.Request) error {
	s, err := d.At(r.Context(), def.Date{})
	if err != nil {
		return err
	}
	urls := AllAddresses(s.Set, s.Today)
	if err := d.o.DB.Update(r.Context(), func(tx *store.Tx) error { return d.CheckLinks(tx, web.Actor(r.Context()).ID, urls) }); err != nil {
		return err
	}
	d.Mux.Flash(w, "The links are being followed, one at a time for each site. Come back in a few minutes.")
	return web.Redirect(w, r, "/staff/services/links")
}
