package token

import (
	"net/http"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// actionSession is the action of the pages where partners sign in and out.
const actionSession = "session.partner"

// sessionLimit is how long a browser keeps a token.
const sessionLimit = time.Hour

// partnerPages is where the browser sends the cookie: nowhere else.
const partnerPages = "/partner/"

// Mount adds the way to tell a partner's program by its token, and the pages
// where a partner's people sign in with one. Other bearer tokens are left to
// others: ours begin with [Prefix]. Secure says that people come by TLS only.
func (r *Register) Mount(m *web.Mux, secure bool) {
	p := pages{r, m, secure}
	m.Authenticate(r.authenticate)
	m.Authenticate(p.authenticate)
	m.SignIn(web.Partners, "/partner/sign-in", "/partner/sign-out")
	m.Handle("GET /partner/sign-in", actionSession, p.form)
	m.Handle("POST /partner/sign-in", actionSession, p.signIn)
	m.Handle("POST /partner/sign-out", actionSession, p.signOut)
}

func (r *Register) authenticate(req *http.Request) (a reeve.Actor, ok bool, err error) {
	scheme, secret, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	secret = strings.TrimSpace(secret)
	if !strings.EqualFold(scheme, "Bearer") || !strings.HasPrefix(secret, Prefix) {
		return a, false, nil
	}
	t, err := r.Check(req.Context(), secret)
	if err != nil {
		return a, false, err
	}
	if err := r.sends(t, req); err != nil {
		return a, false, err
	}
	return t.actor(), true, nil
}

// sends keeps a token that is for some record types from sending others.
func (r *Register) sends(t Token, req *http.Request) error {
	typ, sends := strings.CutPrefix(req.URL.Path, "/v1/records/")
	if !sends { // a file is announced under its type; its rows then go to an address that only the announcer is told
		typ, sends = strings.CutPrefix(req.URL.Path, "/v1/files/")
		sends = sends && !strings.Contains(typ, "/")
	}
	sends = sends && req.Method == http.MethodPost
	if !sends { // in a page, the form is not shown either
		typ, sends = strings.CutPrefix(req.URL.Path, partnerPages+"send/")
	}
	if sends && !t.May(reeve.RecordType(r.present("RecordType", typ))) {
		return reeve.E(reeve.Forbidden, "identity.token", "this token is not for records of that type")
	}
	return nil
}

// pages let people of a partner in with its token. The browser keeps the token
// itself, out of the reach of scripts and of other sites, and every request looks
// it up again: a revoked token ends the session with the next page.
type pages struct {
	r      *Register
	m      *web.Mux
	secure bool
}

// authenticate knows people by the cookie, on the partners' pages only: elsewhere
// they may be signed in as somebody else. A token that works no more is nobody's.
func (p pages) authenticate(req *http.Request) (a reeve.Actor, ok bool, err error) {
	if !strings.HasPrefix(req.URL.Path, partnerPages) {
		return a, false, nil
	}
	c, err := req.Cookie(p.cookieName())
	if err != nil || c.Value == "" {
		return a, false, nil
	}
	t, err := p.r.Check(req.Context(), c.Value)
	switch {
	case reeve.KindOf(err) == reeve.Unauthenticated:
		return a, false, nil
	case err != nil:
		return a, false, err
	}
	if err := p.r.sends(t, req); err != nil {
		return a, false, err
	}
	return t.actor(), true, nil
}

func (p pages) form(w http.ResponseWriter, req *http.Request) error {
	return p.m.Render(w, req, web.Page{Title: "Sign in"}, signInPage(next(req.URL.Query().Get("next")), ui.Errors{}))
}

func (p pages) signIn(w http.ResponseWriter, req *http.Request) error {
	secret, to := strings.TrimSpace(req.PostFormValue("token")), next(req.PostFormValue("next"))
	t, err := p.r.Check(req.Context(), secret)
	if reeve.KindOf(err) == reeve.Unauthenticated {
		var wrong ui.Errors
		why := reeve.Message(err)
		if secret == "" {
			why = "enter the token"
		}
		wrong.Add("token", "%s", ui.Capital(why))
		return p.m.Render(w, req, web.Page{Title: "Sign in", Error: true, Status: http.StatusUnprocessableEntity}, signInPage(to, wrong))
	}
	if err != nil {
		return err
	}
	err = p.r.db.Update(req.Context(), func(tx *store.Tx) error {
		_, err := p.r.log.Append(tx, journal.Entry{Actor: t.ID, Verb: "signed in"})
		return err
	})
	if err != nil {
		return err
	}
	http.SetCookie(w, p.cookie(secret, int(sessionLimit.Seconds())))
	return web.Redirect(w, req, to)
}

func (p pages) signOut(w http.ResponseWriter, req *http.Request) error {
	http.SetCookie(w, p.cookie("", -1))
	p.m.Flash(w, "You are signed out.")
	return web.Redirect(w, req, "/partner/sign-in")
}

// next is the page to go on to: only one of the partners' own.
func next(to string) string {
	if !web.LocalPath(to) || !strings.HasPrefix(to, partnerPages) || strings.Contains(to, "..") {
		return partnerPages
	}
	return to
}

func (p pages) cookieName() string {
	if p.secure {
		return "__Secure-reeve-partner"
	}
	return "reeve-partner"
}

func (p pages) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: p.cookieName(), Value: value, Path: partnerPages, MaxAge: maxAge, HttpOnly: true, Secure: p.secure, SameSite: http.SameSiteStrictMode}
}
