package feed_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange"
	"github.com/reeve-civic/reeve/internal/exchange/feed"
	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

const definitions = `
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-body, name: The body}
spec: {type: council}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-sender, name: The sender}
spec: {type: partner}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-branch, name: A branch of it}
spec: {type: partner, parent: org-sender}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-other, name: The other}
spec: {type: partner}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-branch, name: Branch}
spec: {organisation: org-branch}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-other, name: Other}
spec: {organisation: org-other}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-thing.v1, name: Thing}
spec:
  schema: thing.json
  key: /id
  classification: {level: internal}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-other.v1, name: Other thing}
spec:
  schema: thing.json
  classification: {level: internal}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-things, name: Things}
spec:
  from: org-sender
  to: org-body
  records: [{type: rec-thing.v1, fields: [/id, /n, /name], purposes: [test]}]
  starts: 2020-01-01
  ends: 2030-01-01
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-folder, name: Folder}
spec:
  system: sys-branch
  style: file
  address: "env:FOLDER"
  settings: {file: {settle: 1ms, after: move}}
  read: {record: rec-thing.v1, every: 1m}
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-nobody, name: Nobody}
spec:
  system: sys-other
  style: file
  address: "env:OTHER"
  format: csv
  read: {record: rec-other.v1, schedule: "0 6 * * 1-5"}
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-poll, name: Poll}
spec:
  system: sys-branch
  style: api
  address: "env:POLL"
  settings: {http: {cursor: since, from: /n}}
  read: {record: rec-thing.v1, every: 1h}
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-hook, name: Hook}
spec:
  system: sys-branch
  style: api
  address: https://hooks.example.org
  settings: {http: {webhook: {verify: hmac, secret: "env:HOOK_SECRET"}}}
  records: [rec-thing.v1]
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-token, name: Token}
spec:
  system: sys-branch
  style: api
  address: https://hooks.example.org
  settings: {http: {webhook: {verify: token, secret: "env:HOOK_SECRET", limit: 200}}}
  records: [rec-thing.v1]
`

const thingSchema = `{"type":"object","properties":{"id":{"type":"string"},"n":{"type":"integer"},"name":{"type":"string"}},"required":["id","n"]}`

type orgSpec struct {
	Type   string `json:"type"`
	Parent string `json:"parent"`
}
type sysSpec struct {
	Organisation string `json:"organisation" def:"ref=Organisation"`
}

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)} } // a Monday

const hookSecret = "a secret of the hook, long enough"

// house is an exchange on a database, as a program that has just started has it.
type house struct {
	t      testing.TB
	k      *kernel.Kernel
	x      *exchange.Exchange
	clock  *clock
	folder string // that if-folder reads from
	env    map[string]string
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// start opens the exchange; dir is kept across starts.
func start(t testing.TB, db *store.DB, c *clock, dir string) *house {
	t.Helper()
	ctx, log := t.Context(), slog.New(slog.DiscardHandler)
	h := &house{t: t, clock: c, folder: filepath.Join(dir, "in"), env: map[string]string{}}
	must(t, os.MkdirAll(h.folder, 0o700))
	k := &kernel.Kernel{DB: db, Slog: log, Now: c.now, Dir: dir, Body: "The body", Zone: time.UTC, BaseURL: "http://reeve.test"}
	k.Getenv = func(name string) string {
		if v := h.env[name]; v != "" {
			return v
		}
		return map[string]string{"FOLDER": "file://" + h.folder, "OTHER": "file://" + dir + "/other", "HOOK_SECRET": hookSecret}[name]
	}
	var err error
	k.Keys, err = seal.Open(ctx, db, bytes.Repeat([]byte{1}, 32))
	must(t, err)
	k.Journal, err = journal.Open(ctx, db, journal.Options{Key: bytes.Repeat([]byte{3}, 32), Dir: dir})
	must(t, err)
	k.Log, err = reclog.Open(ctx, db, k.Keys)
	must(t, err)
	k.Bus, err = bus.Open(ctx, db, log)
	must(t, err)
	k.Policy, err = policy.New(
		policy.Rule{Name: "partner", Actions: []string{"record.*", "submission.*", "partner.*"}, Kinds: []reeve.ActorKind{reeve.Partner}, Own: true, Max: reeve.Restricted},
		policy.Rule{Name: "hooks", Actions: []string{"hook.receive"}, Kinds: []reeve.ActorKind{reeve.Anyone, reeve.Partner}, Max: reeve.Restricted},
		policy.Rule{Name: "staff", Actions: []string{"feed.*", "submission.read", "held.*"}, Kinds: []reeve.ActorKind{reeve.Staff}, Roles: []string{"integration"}, Max: reeve.Restricted})
	must(t, err)
	k.Web = web.New(web.Options{Policy: k.Policy, Log: log, Now: k.Now, Zone: k.Zone})
	k.Web.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		who := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if c, err := r.Cookie("who"); err == nil {
			who = c.Value
		}
		kind, name, _ := strings.Cut(who, ":")
		switch kind {
		case "partner":
			return reeve.Actor{ID: "partner/" + name, Kind: reeve.Partner, Party: name, Assurance: reeve.Assurance{Identity: 2, Authentication: 2}}, true, nil
		case "staff":
			return reeve.Actor{ID: "staff/1", Kind: reeve.Staff, Roles: []string{name}, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, true, nil
		}
		return reeve.Actor{}, false, nil
	})
	reg := def.NewRegistry(append(exchange.Kinds(), def.Kind{Name: "Organisation", Spec: new(orgSpec)}, def.Kind{Name: "System", Spec: new(sysSpec)})...)
	var problems []def.Problem
	k.Defs, problems, err = def.OpenLive(ctx, def.LiveOptions{DB: db, Journal: k.Journal, Registry: reg, Log: log,
		FS: fstest.MapFS{"all.yaml": {Data: []byte(definitions)}, "thing.json": {Data: []byte(thingSchema)}}})
	must(t, err)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	h.k = k
	h.x, err = exchange.Open(ctx, k, exchange.Asks{})
	must(t, err)
	t.Cleanup(h.x.Wait)
	return h
}

// serve answers over the network, until the test ends.
func (h *house) serve() string {
	s := httptest.NewServer(h.k.Web)
	h.t.Cleanup(s.Close)
	return s.URL
}

func (h *house) do(method, path, who string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	r := httptest.NewRequest(method, path, body)
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.k.Web.ServeHTTP(w, r)
	return w
}

// settle runs all workers until none finds anything to do.
func (h *house) settle() {
	h.t.Helper()
	for range 10_000 {
		total := 0
		for _, w := range h.k.Workers() {
			n, err := w.Step(h.t.Context())
			must(h.t, err)
			total += n
		}
		if total == 0 {
			return
		}
	}
	h.t.Fatal("it does not settle")
}

// put writes a file into the folder.
func (h *house) put(name, text string) {
	h.t.Helper()
	must(h.t, os.WriteFile(filepath.Join(h.folder, name), []byte(text), 0o600))
	old := h.clock.now().Add(-time.Hour)
	must(h.t, os.Chtimes(filepath.Join(h.folder, name), old, old))
}

// look has the folder read.
func (h *house) look() {
	h.t.Helper()
	must(h.t, h.x.Feeds.Ask(h.t.Context(), "if-folder"))
	h.settle()
}

// files are those of the ledger, the newest first.
func (h *house) files() []feed.File {
	h.t.Helper()
	files, err := h.x.Feeds.Files(h.t.Context(), "")
	must(h.t, err)
	return files
}

// records are the bodies that were accepted, in order.
func (h *house) records() (bodies []string) {
	h.t.Helper()
	after := int64(0)
	for {
		recs, err := h.k.Log.Read(h.t.Context(), "rec-thing.v1", after, 1000)
		must(h.t, err)
		if len(recs) == 0 {
			return bodies
		}
		for _, r := range recs {
			bodies, after = append(bodies, string(r.Body)), r.N
		}
	}
}

// journalled are the verbs of the journal's entries about files, with their reasons.
func (h *house) journalled() (lines []string) {
	h.t.Helper()
	size, err := h.k.Journal.Size(h.t.Context())
	must(h.t, err)
	es, err := h.k.Journal.Read(h.t.Context(), 0, int(size))
	must(h.t, err)
	for _, e := range es {
		if strings.HasPrefix(string(e.About), "file/") {
			lines = append(lines, e.Verb+": "+strings.Join(e.Why, ", "))
		}
	}
	return lines
}

// status reads an answer.
func status(t testing.TB, w *httptest.ResponseRecorder, code int) (s feed.Status) {
	t.Helper()
	if w.Code != code {
		t.Fatalf("answered with %d: %s", w.Code, w.Body)
	}
	must(t, json.Unmarshal(w.Body.Bytes(), &s))
	return s
}
