package web

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// The areas of the site. Each has its own navigation and its own way to sign in.
const (
	Residents = "resident"
	StaffArea = "staff"
	Partners  = "partner"
)

// Page is what the layout puts around the content of a page.
type Page struct {
	Title  string    // of the browser's tab; the content has the h1
	Area   string    // "staff", "partner" or "resident"; "" : by the path
	Active string    // href of the navigation item; "": the longest that begins the path
	Back   string    // href of a back link, "" for none
	Crumbs []ui.Link // breadcrumbs; they replace the back link
	Wide   bool      // use the whole width: maps, wide tables
	Flash  string    // a notice for this page; see [Mux.Flash] for the next
	Error  bool      // the page shows errors: "Error: " before the title
	Lang   string    // language of the content, "" is "en"
	Status int       // 200 unless given
}

// NavItem is an item of an area's navigation. It is shown to actors whom the
// policy allows Action; "" shows it to everybody in the area.
type NavItem struct {
	Text, Href, Action string
	Order              int
}

// Nav adds an item to an area's navigation.
func (m *Mux) Nav(area string, item NavItem) {
	m.nav[area] = append(m.nav[area], item)
	slices.SortStableFunc(m.nav[area], func(a, b NavItem) int { return a.Order - b.Order })
}

// SignIn says where people of an area sign in: a GET page there that needs a
// sign-in redirects to it with the page in the "next" parameter (check it with
// [LocalPath]). SignOut, if given, takes a POST from a button in the header.
func (m *Mux) SignIn(area, signIn, signOut string) {
	m.signIn[area], m.signOut[area] = signIn, signOut
}

// areaOf is the area of a path.
func areaOf(path string) string {
	for _, area := range []string{StaffArea, Partners} {
		if path == "/"+area || strings.HasPrefix(path, "/"+area+"/") {
			return area
		}
	}
	return Residents
}

// layoutData is what the layout templ shows.
type layoutData struct {
	Page
	Body, Demo, Home    string
	Nav                 []ui.NavItem
	SignedIn            string // who, "" for nobody
	SignOut             string
	Style, Script, Boot string // addresses of assets, "" when not built
	Icon                string
	AreaName            string
}

// Render answers with content inside the layout.
func (m *Mux) Render(w http.ResponseWriter, r *http.Request, p Page, content templ.Component) error {
	if p.Area == "" {
		p.Area = areaOf(r.URL.Path)
	}
	if flash := m.takeFlash(w, r); p.Flash == "" {
		p.Flash = flash
	}
	d := m.layoutData(r, p)
	buf := m.buffers.Get().(*bytes.Buffer)
	defer m.buffers.Put(buf)
	buf.Reset()
	if err := layout(d, content).Render(ui.WithZone(r.Context(), m.o.Zone), buf); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Accept-Encoding")
	status := p.Status
	if status == 0 {
		status = http.StatusOK
	}
	if !acceptsGzip(r) || buf.Len() < 1400 {
		w.WriteHeader(status)
		_, err := w.Write(buf.Bytes())
		return ignoreGone(err)
	}
	h.Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	z := gzip.NewWriter(w)
	_, err := z.Write(buf.Bytes())
	return ignoreGone(firstOf(err, z.Close()))
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func acceptsGzip(r *http.Request) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" && strings.ReplaceAll(q, " ", "") != "q=0" {
			return true
		}
	}
	return false
}

func (m *Mux) layoutData(r *http.Request, p Page) layoutData {
	actor := Actor(r.Context())
	d := layoutData{
		Page: p, Body: m.o.Body, Demo: m.o.Demo, Home: "/",
		Style: m.assets.href("app.css"), Script: m.assets.href("app.js"), Boot: m.assets.href("boot.js"), Icon: m.assets.href("icon.svg"),
	}
	if d.Lang == "" {
		d.Lang = "en"
	}
	switch p.Area {
	case StaffArea:
		d.Home, d.AreaName = "/staff/", "Staff"
	case Partners:
		d.Home, d.AreaName = "/partner/", "Partners"
	}
	if actor.ID != "" && m.signOut[p.Area] != "" && !strangerTo(p.Area, actor.Kind) {
		d.SignedIn, d.SignOut = actor.ID, m.signOut[p.Area]
		if m.o.Name != nil {
			d.SignedIn = m.o.Name(r.Context(), actor)
		}
	}
	best := -1
	for _, it := range m.nav[p.Area] {
		if it.Action != "" && !m.o.Policy.Decide(policy.Request{Actor: actor, Action: it.Action, Party: actor.Party}).Allow {
			continue
		}
		d.Nav = append(d.Nav, ui.NavItem{Text: it.Text, Href: it.Href})
		n := len(d.Nav) - 1
		if it.Href == p.Active || p.Active == "" && under(r.URL.Path, it.Href) && (best < 0 || len(it.Href) > len(d.Nav[best].Href)) {
			best = n
		}
	}
	if best >= 0 {
		d.Nav[best].Active = true
		d.Nav[best].Current = d.Nav[best].Href == r.URL.Path
	}
	return d
}

// under reports whether path is href or a page below it.
func under(path, href string) bool {
	if path == href {
		return true
	}
	if href == "/" || href == "/staff/" || href == "/partner/" {
		return false // the front page of an area is not a section
	}
	return strings.HasPrefix(path, strings.TrimSuffix(href, "/")+"/")
}

const flashCookie = "reeve-flash"

// Flash shows message once on the next page: call it before [Redirect]. It is
// kept in a signed cookie; put no more personal data in it than the page before
// showed.
func (m *Mux) Flash(w http.ResponseWriter, message string) {
	v := base64.RawURLEncoding.EncodeToString([]byte(message))
	http.SetCookie(w, &http.Cookie{
		Name: flashCookie, Value: v + "." + m.sign(v), Path: "/", MaxAge: 60,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: m.o.Secure,
	})
}

func (m *Mux) takeFlash(w http.ResponseWriter, r *http.Request) string {
	c, err := r.Cookie(flashCookie)
	if err != nil {
		return ""
	}
	http.SetCookie(w, &http.Cookie{Name: flashCookie, Path: "/", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: m.o.Secure})
	v, sum, _ := strings.Cut(c.Value, ".")
	raw, err := base64.RawURLEncoding.DecodeString(v)
	if err != nil || !hmac.Equal([]byte(sum), []byte(m.sign(v))) {
		return ""
	}
	return string(raw)
}

func (m *Mux) sign(v string) string {
	mac := hmac.New(sha256.New, m.secret)
	_, _ = io.WriteString(mac, v) // a hash never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// errorPage answers with a plain page in the words GOV.UK uses.
func (m *Mux) errorPage(w *response, r *http.Request, a answer) {
	p := Page{Title: a.title, Status: a.status}
	e := errorText{Title: a.title, Detail: a.detail, RequestID: RequestID(r.Context())}
	switch {
	case a.status == http.StatusNotFound:
		e.Title = "Page not found"
		e.Help = "If you typed the web address, check it is correct. If you pasted the web address, check you copied the entire address."
	case a.status == http.StatusForbidden:
		e.Title = "You cannot see this page"
		e.Help = "If you think you should be able to, ask whoever looks after this service."
		if area := areaOf(r.URL.Path); strangerTo(area, Actor(r.Context()).Kind) {
			e.Detail = map[string]string{StaffArea: "it is for our staff", Partners: "it is for organisations that exchange records with us"}[area]
			e.Help, e.SignIn = "If you are one of them, sign in.", m.signIn[area]
		}
	case a.status == http.StatusUnauthorized:
		e.Title = "You need to sign in"
		e.SignIn = m.signIn[areaOf(r.URL.Path)]
	case a.status == http.StatusServiceUnavailable:
		e.Title = "Sorry, the service is busy"
		e.Help = "Try again in a moment. Nothing you sent before was lost."
	case a.status >= 500:
		e.Title = "Sorry, there is a problem with the service"
		e.Help = "Try again later."
		e.ShowID = true
	}
	p.Title = e.Title
	if err := m.Render(w, r, p, errorBody(e)); err != nil {
		m.o.Log.ErrorContext(context.WithoutCancel(r.Context()), "error page failed", "request", e.RequestID, "err", err)
		http.Error(w, e.Title, a.status)
	}
}

// strangerTo reports whether an area of the site is for others than this kind of actor.
func strangerTo(area string, k reeve.ActorKind) bool {
	return area == StaffArea && k != reeve.Staff || area == Partners && k != reeve.Partner
}

// errorText is what an error page says.
type errorText struct {
	Title, Detail, Help, RequestID, SignIn string
	ShowID                                 bool
}
