package staff

import (
	"net/http"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// Mount adds the pages to sign in and out, and the way to tell who is signed in.
func (r *Register) Mount(m *web.Mux) {
	m.Authenticate(r.authenticate)
	m.SignIn(web.StaffArea, "/staff/sign-in", "/staff/sign-out")
	m.Handle("GET /staff/sign-in", "staff.sign-in", func(w http.ResponseWriter, req *http.Request) error {
		return m.Render(w, req, web.Page{Title: "Sign in"}, signInHelp())
	})
	m.Handle("GET /staff/sign-in/{token}", "staff.sign-in", func(w http.ResponseWriter, req *http.Request) error {
		if err := r.look(req.Context(), req.PathValue("token")); err != nil {
			return showSpent(m, w, req, err)
		}
		return m.Render(w, req, web.Page{Title: "Sign in"}, confirm())
	})
	m.Handle("POST /staff/sign-in/{token}", "staff.sign-in", func(w http.ResponseWriter, req *http.Request) error {
		cookie, err := r.consume(req.Context(), req.PathValue("token"))
		if err != nil {
			return showSpent(m, w, req, err)
		}
		http.SetCookie(w, r.cookie(cookie, int(AbsoluteLimit.Seconds())))
		return web.Redirect(w, req, "/staff/")
	})
	m.Handle("GET /staff/sign-out", "staff.sign-out", func(w http.ResponseWriter, req *http.Request) error {
		return m.Render(w, req, web.Page{Title: "Sign out", Back: "/staff/"}, signOutPage())
	})
	m.Handle("POST /staff/sign-out", "staff.sign-out", func(w http.ResponseWriter, req *http.Request) error {
		if c, err := req.Cookie(r.cookieName()); err == nil {
			if err := r.signOut(req.Context(), c.Value, req.PostFormValue("everywhere") == "yes"); err != nil {
				return err
			}
		}
		http.SetCookie(w, r.cookie("", -1))
		m.Flash(w, "You are signed out.")
		return web.Redirect(w, req, "/staff/sign-in")
	})
}

// showSpent explains a link that does not work; a fault stays a fault.
func showSpent(m *web.Mux, w http.ResponseWriter, req *http.Request, err error) error {
	status := map[reeve.Kind]int{reeve.NotFound: http.StatusNotFound, reeve.Conflict: http.StatusGone}[reeve.KindOf(err)]
	if status == 0 {
		return err
	}
	return m.Render(w, req, web.Page{Title: "This link does not work any more", Status: status}, spent("Sorry, "+reeve.Message(err)+"."))
}

func (r *Register) authenticate(req *http.Request) (reeve.Actor, bool, error) {
	c, err := req.Cookie(r.cookieName())
	if err != nil || c.Value == "" {
		return reeve.Actor{}, false, nil
	}
	return r.session(req.Context(), c.Value)
}

// cookieName binds the cookie to this host where there is TLS.
func (r *Register) cookieName() string {
	if r.secure {
		return "__Host-reeve-staff"
	}
	return "reeve-staff"
}

func (r *Register) cookie(value string, maxAge int) *http.Cookie {
	return &http.Cookie{Name: r.cookieName(), Value: value, Path: "/", MaxAge: maxAge, HttpOnly: true, Secure: r.secure, SameSite: http.SameSiteLaxMode}
}
