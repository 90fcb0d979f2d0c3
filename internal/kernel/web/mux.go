// Package web is the front door: routing, the pipeline every request goes
// through, errors, pages and their layout.
//
// A route cannot be mounted without an action, and no handler runs before the
// policy has allowed that action to the actor. The pipeline is: request id,
// recovery, client address behind trusted proxies, security headers,
// cross-origin protection, authentication, decision, handler, one table from
// kinds of error to answers. On /v1, /x, /oauth2 and /.well-known errors are
// problem+json (RFC 9457), elsewhere plain pages. Logs hold the route's pattern
// and never the path, the query, a body or a name.
//
// What a handler must not assume: that the route's decision suffices. It is made
// before anything is read; where data has an owner, a type or classes, the
// handler asks again with [Mux.Decide].
package web

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
)

// Options are what a Mux needs.
type Options struct {
	Policy         *policy.Engine   // required
	Log            *slog.Logger     // nil: slog.Default
	Now            func() time.Time // required
	TrustedProxies []netip.Prefix   // whose X-Forwarded-* and X-Request-Id are believed
	Origins        []string         // the site's own origins ("https://reeve.example.org"), where a proxy changes Host
	Secure         bool             // served over TLS: HSTS, Secure cookies
	Body           string           // the public body's name, "Ashcombe Borough Council"
	Zone           *time.Location   // the body's local time, in which pages show times; nil: UTC
	Demo           string           // text of the banner on every page, "" for none
	// Name is what the header calls whoever is signed in; nil: the actor's id.
	Name func(context.Context, reeve.Actor) string
	// Observe is called once for every request with the route's pattern
	// ("POST /v1/records/{type}", or "none") for metrics.
	Observe func(route string, status int, took time.Duration)
}

// MaxForm is the limit of a request body in bytes unless the route says otherwise.
const MaxForm = 1 << 20

// Handler is an HTTP handler that returns its error; the Mux answers it. After a
// handler has begun its answer, an error breaks the connection, so that half an
// answer is never taken for a whole one.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Route is a mounted route.
type Route struct{ Pattern, Action string }

type route struct {
	Route
	handler Handler
	maxBody int64 // 0: no limit, and no time limit for the whole body or answer
}

// RouteOption changes how a route is mounted.
type RouteOption func(*route)

// MaxBody sets the limit of a route's request body in bytes.
func MaxBody(n int64) RouteOption { return func(r *route) { r.maxBody = n } }

// Stream takes the limits off a route's body and answer: no size limit and no
// time limit as long as something moves every [StreamIdle].
func Stream() RouteOption { return func(r *route) { r.maxBody = 0 } }

// StreamIdle is how long a stream may stand still before it is cut.
const StreamIdle = 2 * time.Minute

// Mux mounts handlers behind the pipeline. Mount everything before serving.
type Mux struct {
	o       Options
	mux     *http.ServeMux
	cross   *http.CrossOriginProtection
	routes  []Route
	auth    []func(*http.Request) (reeve.Actor, bool, error)
	sworn   func(ctx context.Context, actor reeve.Actor, about reeve.Ref) bool
	nav     map[string][]NavItem
	signIn  map[string]string
	signOut map[string]string
	secret  []byte // signs flash cookies; a restart forgets those under way
	assets  assets
	buffers sync.Pool
}

// New returns an empty Mux.
func New(o Options) *Mux {
	if o.Policy == nil || o.Now == nil {
		panic("web: Options need a Policy and a Now")
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	m := &Mux{
		o: o, mux: http.NewServeMux(), cross: http.NewCrossOriginProtection(),
		nav: map[string][]NavItem{}, signIn: map[string]string{}, signOut: map[string]string{},
		secret: make([]byte, 32), assets: loadAssets(dist),
	}
	for _, origin := range o.Origins {
		if err := m.cross.AddTrustedOrigin(origin); err != nil {
			panic("web: " + err.Error())
		}
	}
	m.buffers.New = func() any { return new(bytes.Buffer) }
	_, _ = rand.Read(m.secret) // never fails
	if m.assets.err != nil {
		o.Log.Warn(m.assets.err.Error())
	}
	return m
}

// Handle mounts h at pattern, which is as in [http.ServeMux]. action names what
// the policy decides before h runs. It panics without an action, and on a
// pattern that conflicts with another.
func (m *Mux) Handle(pattern, action string, h Handler, options ...RouteOption) {
	if action == "" {
		panic("web: route without an action: " + pattern)
	}
	rt := &route{Route: Route{pattern, action}, handler: h, maxBody: MaxForm}
	for _, o := range options {
		o(rt)
	}
	m.routes = append(m.routes, rt.Route)
	m.mux.Handle(pattern, rt)
}

// ServeHTTP makes a route an [http.Handler], so that the ServeMux can find it;
// the Mux runs it.
func (rt *route) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if x, ok := r.Context().Value(exchangeKey{}).(*exchange); ok {
		x.err = x.mux.run(rt, x, w, r)
	}
}

// Routes lists what was mounted, in order.
func (m *Mux) Routes() []Route { return slices.Clone(m.routes) }

// Local is t in the body's local time, as [ui.Time] shows it.
func (m *Mux) Local(t time.Time) time.Time { return t.In(m.o.Zone) }

// Secure reports whether cookies must be Secure.
func (m *Mux) Secure() bool { return m.o.Secure }

// Authenticate adds a way to tell who makes a request. The ways are tried in the
// order added: ok means that this is the actor; an error that credentials were
// given and are no good (answered 401). If none says ok the actor is Anyone.
func (m *Mux) Authenticate(fn func(r *http.Request) (actor reeve.Actor, ok bool, err error)) {
	m.auth = append(m.auth, fn)
}

// Sworn says how to find out whether an actor gave a reason to see one thing: see
// [policy.Rule].
func (m *Mux) Sworn(fn func(ctx context.Context, actor reeve.Actor, about reeve.Ref) bool) {
	m.sworn = fn
}

const opDecide = "web.Decide"

// Decide asks the policy about what a handler has found out. The actor is the
// one in ctx unless req names one. The error is Unauthenticated where signing in
// may help and Forbidden otherwise, with the policy's reasons.
func (m *Mux) Decide(ctx context.Context, req policy.Request) error {
	if req.Actor.Kind == "" {
		req.Actor = Actor(ctx)
	}
	d := m.o.Policy.Decide(req)
	if !d.Allow && req.About != "" && m.sworn != nil && m.sworn(ctx, req.Actor, req.About) {
		req.Sworn = true
		d = m.o.Policy.Decide(req)
	}
	if d.Allow {
		return nil
	}
	why := strings.Join(d.Reasons, "; ")
	if why == "" {
		why = "no rule allows it"
	}
	kind := reeve.Forbidden
	if req.Actor.Kind == reeve.Anyone {
		kind = reeve.Unauthenticated
	}
	return reeve.E(kind, opDecide, "%s", why)
}

// ServeHTTP runs the pipeline.
func (m *Mux) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := m.o.Now()
	x := &exchange{mux: m, route: "none", actor: reeve.Actor{Kind: reeve.Anyone}}
	m.locate(x, r)
	rw := &response{ResponseWriter: w}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				m.finish(x, rw, r, start)
				panic(p)
			}
			x.err = fmt.Errorf("panic: %v", p)
			m.logPanic(x, r)
		}
		abort := false
		if x.err != nil {
			abort = m.fail(x, rw, r)
		}
		m.finish(x, rw, r, start)
		if abort {
			panic(http.ErrAbortHandler)
		}
	}()
	m.headers(rw.Header(), x)
	if m.serveAsset(rw, r) {
		x.route = "GET /assets/{name}"
		return
	}
	if !bearer(r) { // a browser cannot be made to send this header from another site
		if err := m.cross.Check(r); err != nil {
			x.err = reeve.E(reeve.Forbidden, "web.cross", "the request came from another site")
			return
		}
	}
	if x.err = m.authenticate(x, r); x.err != nil {
		return
	}
	if _, pattern := m.mux.Handler(r); pattern == "" {
		x.err = m.noRoute(rw, r)
		return
	}
	m.mux.ServeHTTP(rw, r)
}

func (m *Mux) authenticate(x *exchange, r *http.Request) error {
	for _, fn := range m.auth {
		actor, ok, err := fn(r)
		if err != nil {
			return err
		}
		if ok {
			x.actor = actor
			return nil
		}
	}
	return nil
}

// run is the end of the pipeline: the decision, the limits, the handler.
func (m *Mux) run(rt *route, x *exchange, w http.ResponseWriter, r *http.Request) error {
	x.route = rt.Pattern
	// The owner of what is asked for is not known yet: the best case is the actor's own.
	if err := m.Decide(r.Context(), policy.Request{Action: rt.Action, Party: x.actor.Party}); err != nil {
		return err
	}
	r.Body = requestBody{r.Body}
	if rt.maxBody > 0 {
		r.Body = http.MaxBytesReader(w, r.Body, rt.maxBody)
		return rt.handler(w, r)
	}
	w, stop := keepAlive(w, r, StreamIdle)
	defer stop()
	return rt.handler(w, r)
}

// noRoute is the answer where no pattern matches: 405 where another method
// would, otherwise 404.
func (m *Mux) noRoute(w http.ResponseWriter, r *http.Request) error {
	h, _ := m.mux.Handler(r)
	probe := &probe{header: http.Header{}}
	h.ServeHTTP(probe, r)
	if probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", probe.header.Get("Allow"))
		return &Fail{Status: probe.status, Err: reeve.E(reeve.Invalid, "web.route", "this address takes %s", probe.header.Get("Allow"))}
	}
	return reeve.E(reeve.NotFound, "web.route", "there is nothing at this address")
}

// probe takes an answer only for its status and headers.
type probe struct {
	header http.Header
	status int
}

func (p *probe) Header() http.Header         { return p.header }
func (p *probe) WriteHeader(status int)      { p.status = status }
func (p *probe) Write(b []byte) (int, error) { return len(b), nil }

// headers are set on every answer; a handler may change them.
func (m *Mux) headers(h http.Header, x *exchange) {
	h.Set("X-Request-Id", x.id)
	h.Set("Content-Security-Policy", "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
	if m.o.Secure || x.secure {
		h.Set("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
	}
}

func (m *Mux) logPanic(x *exchange, r *http.Request) {
	m.o.Log.ErrorContext(r.Context(), "handler panicked", "request", x.id, "route", x.route, "stack", stack())
}

// finish writes the access log and the metrics.
func (m *Mux) finish(x *exchange, rw *response, r *http.Request, start time.Time) {
	took := m.o.Now().Sub(start)
	status := rw.status
	if status == 0 {
		status = http.StatusOK
	}
	if m.o.Observe != nil {
		m.o.Observe(x.route, status, took)
	}
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelWarn
	}
	m.o.Log.LogAttrs(r.Context(), level, "request", slog.String("request", x.id), slog.String("method", methodName(r.Method)),
		slog.String("route", x.route), slog.Int("status", status), slog.Int64("bytes", rw.bytes),
		slog.String("actor", x.actor.ID), slog.Duration("took", took))
}
