package web

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
)

// exchange is what the pipeline knows of one request and its answer.
type exchange struct {
	mux    *Mux
	id     string
	client netip.Addr
	secure bool
	actor  reeve.Actor
	route  string
	err    error
}

type exchangeKey struct{}

func of(ctx context.Context) *exchange {
	if x, ok := ctx.Value(exchangeKey{}).(*exchange); ok {
		return x
	}
	return &exchange{actor: reeve.Actor{Kind: reeve.Anyone}}
}

// Actor is who makes the request; its kind is Anyone where nobody is signed in.
func Actor(ctx context.Context) reeve.Actor { return of(ctx).actor }

// RequestID is the id of the request, also in the X-Request-Id header, the log
// and the instance of a problem.
func RequestID(ctx context.Context) string { return of(ctx).id }

// ClientIP is the address of the client, as the trusted proxies tell it. It is
// personal data: for rate limits, not for logs.
func ClientIP(ctx context.Context) netip.Addr { return of(ctx).client }

// locate finds the client's address, the scheme and the request's id. Only
// proxies that are trusted are believed.
func (m *Mux) locate(x *exchange, r *http.Request) {
	if ap, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		x.client = ap.Addr().Unmap()
	}
	x.secure = r.TLS != nil
	if m.trusted(x.client) {
		if id := r.Header.Get("X-Request-Id"); plainID(id) {
			x.id = id
		}
		x.secure = x.secure || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0 && m.trusted(x.client); i-- {
			hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
			if err != nil {
				break
			}
			x.client = hop.Unmap()
		}
	}
	if x.id == "" {
		x.id = strings.ToLower(rand.Text()[:16])
	}
}

func (m *Mux) trusted(a netip.Addr) bool {
	for _, p := range m.o.TrustedProxies {
		if a.IsValid() && p.Contains(a) {
			return true
		}
	}
	return false
}

// plainID reports whether an id of a proxy may be written to logs and headers.
func plainID(id string) bool {
	for _, c := range id {
		if c != '-' && c != '_' && c != '.' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return id != "" && len(id) <= 64
}

// bearer reports whether the request has a bearer token. Other credentials in the
// Authorization header are sent by browsers by themselves, also from other sites.
func bearer(r *http.Request) bool {
	scheme, _, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	return ok && strings.EqualFold(scheme, "Bearer")
}

func methodName(s string) string {
	switch s {
	case "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS":
		return s
	}
	return "other"
}

func stack() string { return string(debug.Stack()) }

// response remembers what was answered. Unwrap lets http.ResponseController
// reach the connection (flush, full duplex, deadlines).
type response struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(status int) {
	if w.status == 0 && status >= 200 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// past is a deadline that has gone by.
var past = time.Unix(1, 0)

// keepAlive takes the server's time limits off a stream and cuts it when nothing
// moves in either direction for idle. stop ends the watch.
func keepAlive(w http.ResponseWriter, r *http.Request, idle time.Duration) (_ http.ResponseWriter, stop func()) {
	rc := http.NewResponseController(w)
	// Both fail only on a writer without deadlines, such as a recorder in a test.
	_ = rc.SetReadDeadline(time.Time{})
	_ = rc.SetWriteDeadline(time.Time{})
	cut := &watchdog{idle: idle}
	cut.timer = time.AfterFunc(cut.idle, func() {
		_ = rc.SetReadDeadline(past) // the handler may still answer that the body stopped
		cut.last(func() { _ = rc.SetWriteDeadline(past) })
	})
	r.Body = &watchedBody{r.Body, cut}
	return &watchedWriter{w, cut}, cut.stop
}

// watchdog bites when it is not touched for idle.
type watchdog struct {
	mu    sync.Mutex
	idle  time.Duration
	timer *time.Timer
	done  bool
}

func (d *watchdog) touch() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.done {
		d.timer.Reset(d.idle)
	}
}

// last bites once more after another idle.
func (d *watchdog) last(bite func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.done {
		d.timer = time.AfterFunc(d.idle, bite)
	}
}

func (d *watchdog) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = true
	d.timer.Stop()
}

// bodyError is a body that could not be read to its end: the client stopped, hung
// up or broke the encoding.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "reading the body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// requestBody marks the errors of reading a body as the client's.
type requestBody struct{ io.ReadCloser }

func (b requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = &bodyError{err}
	}
	return n, err
}

type watchedBody struct {
	io.ReadCloser
	dog *watchdog
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.dog.touch()
	return n, err
}

type watchedWriter struct {
	http.ResponseWriter
	dog *watchdog
}

func (w *watchedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.dog.touch()
	return n, err
}
