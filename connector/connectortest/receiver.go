package connectortest

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Receiver is an HTTP system that misbehaves on demand. It takes any method and
// path but GET; GET /has/{id} answers whether it has had an effect of that id.
type Receiver struct {
	Server *httptest.Server
	// Recognise tells a repeat, by its Idempotency-Key or, for PUT, its address.
	Recognise bool
	// RetryAfter is the header of a busy answer.
	RetryAfter string
	// Judge, when set, decides each request by its number from 1 and its body,
	// in place of the mode.
	Judge func(n int, id string, body []byte) Mode

	mu       sync.Mutex
	mode     Mode
	requests int
	effects  []Effect
	seen     map[string]bool
	paths    []string
	quiet    chan struct{} // closed to end silent requests
}

// NewReceiver starts a receiver that stops with the test.
func NewReceiver(t testing.TB) *Receiver {
	r := &Receiver{Recognise: true, seen: map[string]bool{}, quiet: make(chan struct{})}
	r.Server = httptest.NewServer(r)
	t.Cleanup(func() { close(r.quiet); r.Server.CloseClientConnections(); r.Server.Close() })
	return r
}

// Behave sets the mode; Down closes the door, and there is no way back to it.
func (r *Receiver) Behave(m Mode) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mode = m
	return m != Down
}

// Effects so far.
func (r *Receiver) Effects() []Effect {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Effect(nil), r.effects...)
}

// Requests so far, effects or not.
func (r *Receiver) Requests() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests
}

// Paths of the requests so far, with their methods: "PUT /deaths/7".
func (r *Receiver) Paths() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.paths...)
}

// ServeHTTP is the receiver's door.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(io.LimitReader(req.Body, 4<<20))
	if err != nil {
		return
	}
	if req.Method == http.MethodGet {
		r.mu.Lock()
		has := r.seen[strings.TrimPrefix(req.URL.Path, "/has/")]
		r.mu.Unlock()
		if !has {
			w.WriteHeader(http.StatusNotFound)
		}
		return
	}
	id := req.Header.Get("Idempotency-Key")
	if id == "" {
		var b struct{ ID string }
		_ = json.Unmarshal(body, &b)
		id = b.ID
	}
	mode := r.arrived(req, id, body)
	switch mode {
	case Busy, Down:
		if r.RetryAfter != "" {
			w.Header().Set("Retry-After", r.RetryAfter)
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	case Broken:
		w.WriteHeader(http.StatusInternalServerError)
		return
	case Refusing:
		var b map[string]any
		_ = json.Unmarshal(body, &b)
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnprocessableEntity)
		name, _ := b["name"].(string)
		_ = json.NewEncoder(w).Encode(map[string]string{"title": "No", "detail": "we do not take " + name})
		return
	}
	r.take(req, id, body)
	switch mode {
	case DyingAfterTake:
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
	case SilentAfterTake:
		select {
		case <-r.quiet:
		case <-req.Context().Done():
		case <-time.After(time.Minute):
		}
	default:
		w.WriteHeader(http.StatusCreated)
	}
}

func (r *Receiver) arrived(req *http.Request, id string, body []byte) Mode {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests++
	r.paths = append(r.paths, req.Method+" "+req.URL.EscapedPath())
	if r.Judge != nil {
		return r.Judge(r.requests, id, body)
	}
	return r.mode
}

func (r *Receiver) take(req *http.Request, id string, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	by := id
	if req.Method == http.MethodPut {
		by = req.URL.EscapedPath()
	}
	if r.seen[by] && r.Recognise {
		return
	}
	r.seen[by], r.seen[id] = true, true
	r.effects = append(r.effects, Effect{id, string(body)})
}
