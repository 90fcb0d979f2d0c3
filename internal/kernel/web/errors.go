package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/reeve-civic/reeve"
)

// statuses is the one table from kinds of error to HTTP.
var statuses = map[reeve.Kind]int{
	reeve.Fault: 500, reeve.Invalid: 400, reeve.Unauthenticated: 401, reeve.Forbidden: 403,
	reeve.NotFound: 404, reeve.Conflict: 409, reeve.TooLarge: 413, reeve.Transient: 503,
}

// Fail is an error that says more about its answer than its kind does. Where
// Status is 0 the kind's is used. Problems and More go into the problem+json;
// More must not use the names that RFC 9457 defines.
type Fail struct {
	Status   int
	Err      error
	Problems []reeve.Problem
	More     map[string]any
}

func (f *Fail) Error() string { return f.Err.Error() }

// Unwrap returns the cause.
func (f *Fail) Unwrap() error { return f.Err }

// IsAPI reports whether errors under path are problem+json.
func IsAPI(path string) bool {
	for _, p := range []string{"/v1", "/x", "/oauth2", "/.well-known"} {
		if path == p || strings.HasPrefix(path, p+"/") {
			return true
		}
	}
	return false
}

// answer is an error made ready for the user.
type answer struct {
	status int
	kind   string // "not-found"
	title  string
	detail string // "" for a fault
	fail   *Fail
}

func explain(err error) answer {
	var a answer
	kind := reeve.KindOf(err)
	var tooLarge *http.MaxBytesError
	if kind == reeve.Fault && errors.As(err, &tooLarge) {
		err = reeve.E(reeve.TooLarge, "web.body", "the body is larger than %d bytes", tooLarge.Limit)
		kind = reeve.TooLarge
	}
	var stopped *bodyError
	if kind == reeve.Fault && errors.As(err, &stopped) {
		err = reeve.E(reeve.Invalid, "web.body", "the body ended before it was whole")
		kind = reeve.Invalid
	}
	a.status, a.detail = statuses[kind], reeve.Message(err)
	if errors.As(err, &a.fail) && a.fail.Status != 0 {
		a.status = a.fail.Status
	}
	switch kind {
	case reeve.Invalid:
		a.kind, a.title = "invalid", "The request is not valid"
	case reeve.Unauthenticated:
		a.kind, a.title = "unauthenticated", "You are not signed in"
	case reeve.Forbidden:
		a.kind, a.title = "forbidden", "You may not do this"
	case reeve.NotFound:
		a.kind, a.title = "not-found", "Not found"
	case reeve.Conflict:
		a.kind, a.title = "conflict", "It conflicts with what is there"
	case reeve.TooLarge:
		a.kind, a.title = "too-large", "The request is too large"
	case reeve.Transient:
		a.kind, a.title = "try-again", "Try again later"
	default:
		a.kind, a.title = "fault", "Sorry, there is a problem with the service"
	}
	if a.status == http.StatusMethodNotAllowed {
		a.kind, a.title = "method-not-allowed", "Method not allowed"
	}
	return a
}

// fail answers x.err. It reports whether the connection must be broken because
// the answer has begun.
func (m *Mux) fail(x *exchange, w *response, r *http.Request) (abort bool) {
	err := x.err
	if errors.Is(err, context.Canceled) && r.Context().Err() != nil {
		err = reeve.E(reeve.Invalid, "web.gone", "the connection was closed before there was an answer")
	}
	var e *reeve.Error
	if errors.As(err, &e) && e.Kind == reeve.Unauthenticated && e.Op == opDecide && r.Header.Get("Authorization") != "" {
		err = reeve.E(reeve.Unauthenticated, opDecide, "the token that was given is not known here")
	}
	a := explain(err)
	if a.status >= 500 {
		m.o.Log.ErrorContext(r.Context(), "request failed", "request", x.id, "route", x.route, "err", err)
	}
	if w.status != 0 {
		return true
	}
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Del("Content-Encoding")
	h.Del("Content-Length")
	if a.status == http.StatusServiceUnavailable && h.Get("Retry-After") == "" {
		h.Set("Retry-After", "5")
	}
	if IsAPI(r.URL.Path) {
		if a.status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", "Bearer")
		}
		m.problem(w, r, a)
		return false
	}
	if a.status == http.StatusUnauthorized && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		if to := m.signIn[areaOf(r.URL.Path)]; to != "" && to != r.URL.Path {
			http.Redirect(w, r, to+"?next="+url.QueryEscape(r.URL.RequestURI()), http.StatusSeeOther)
			return false
		}
	}
	m.errorPage(w, r, a)
	return false
}

// problem answers with RFC 9457 problem+json.
func (m *Mux) problem(w http.ResponseWriter, r *http.Request, a answer) {
	p := map[string]any{"type": "urn:reeve:problem:" + a.kind, "title": a.title, "status": a.status, "instance": RequestID(r.Context())}
	if a.detail != "" {
		p["detail"] = a.detail
	}
	if a.fail != nil {
		for k, v := range a.fail.More {
			if _, taken := p[k]; !taken {
				p[k] = v
			}
		}
		if len(a.fail.Problems) > 0 {
			p["problems"] = a.fail.Problems
		}
	}
	body, err := json.Marshal(p)
	if err != nil { // only a value in More can do this
		body = []byte(`{"type":"about:blank","status":500}`)
		a.status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(a.status)
	_, _ = w.Write(append(body, '\n')) // the client may have gone
}

// JSON answers with v.
func JSON(w http.ResponseWriter, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, err = w.Write(append(body, '\n'))
	return ignoreGone(err)
}

// ignoreGone drops an error of writing an answer: the client has gone, and there
// is nobody left to tell.
func ignoreGone(error) error { return nil }

// Redirect answers a form with the page to look at next (303). to must be a path
// of this site.
func Redirect(w http.ResponseWriter, r *http.Request, to string) error {
	if !LocalPath(to) {
		return reeve.E(reeve.Invalid, "web.Redirect", "can only lead to a page of this site")
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// LocalPath reports whether to is a path of this site, safe to redirect to:
// check what came in a "next" parameter with it.
func LocalPath(to string) bool {
	u, err := url.Parse(to)
	return err == nil && u.Scheme == "" && u.Host == "" && strings.HasPrefix(to, "/") &&
		!strings.HasPrefix(to, "//") && !strings.ContainsAny(to, "\\\r\n\t")
}
