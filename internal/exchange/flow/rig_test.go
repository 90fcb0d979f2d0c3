package flow_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/delivery"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// The kinds of the estate, as far as flows read them.
type (
	orgSpec struct {
		Type       string `json:"type"`
		Parent     string `json:"parent" def:"ref=Organisation"`
		Controller bool   `json:"controller"`
	}
	sysSpec struct {
		Organisation string `json:"organisation" def:"ref=Organisation"`
	}
)

// rig is an exchange without doors: records are put into its log.
type rig struct {
	t      testing.TB
	url    string // PostgreSQL, "" for SQLite
	file   string
	db     *store.DB
	now    time.Time
	log    *reclog.Log
	jn     *journal.Journal
	desk   *delivery.Desk
	runner *flow.Runner
	env    map[string]string
	logged bytes.Buffer
	src    fstest.MapFS
	schema contract.Schemas
	recv   map[string]delivery.Receiver

	mu     sync.Mutex
	parked []parked
	noPark error // what parking fails with

	counted func(outcome string) // of deliveries; nil: nobody
}

type parked struct {
	flow     string
	record   reeve.RecordID
	n        int64
	problems string
}

// each runs fn on both databases.
func each(t *testing.T, fn func(t *testing.T, r *rig)) {
	t.Run("sqlite", func(t *testing.T) { fn(t, newRig(t, "")) })
	t.Run("postgres", func(t *testing.T) { fn(t, newRig(t, storetest.Postgres(t))) })
}

func newRig(t testing.TB, url string) *rig {
	r := &rig{t: t, url: url, file: filepath.Join(t.TempDir(), "reeve.db"), now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
		env: map[string]string{}, recv: map[string]delivery.Receiver{}}
	r.open()
	t.Cleanup(func() { r.db.Close() })
	return r
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now
}

func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// open opens everything on the database as it is, as a start of the program does.
func (r *rig) open() {
	r.t.Helper()
	ctx := r.t.Context()
	var err error
	r.db, err = store.Open(ctx, store.Options{Path: r.file, URL: r.url, Now: r.clock})
	r.check(err)
	keys, err := seal.Open(ctx, r.db, bytes.Repeat([]byte{7}, 32))
	r.check(err)
	r.jn, err = journal.Open(ctx, r.db, journal.Options{Key: bytes.Repeat([]byte{9}, 32)})
	r.check(err)
	r.log, err = reclog.Open(ctx, r.db, keys)
	r.check(err)
	logger := slog.New(slog.NewTextHandler(&locked{w: &r.logged}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r.desk, err = delivery.Open(ctx, delivery.Options{DB: r.db, Keys: keys, Journal: r.jn, Log: logger, Now: r.clock,
		Getenv: func(n string) string { return r.env[n] }, Timeout: time.Minute,
		Count: func(_, outcome string, _ int) {
			if r.counted != nil {
				r.counted(outcome)
			}
		},
		Park: func(_ *store.Tx, x delivery.Refusal) error { return r.park(x.Flow, x.Record, x.N, x.Problems) }})
	r.check(err)
	for n, recv := range r.recv {
		r.desk.Receiver(n, recv)
	}
	r.runner, err = flow.Open(ctx, flow.Options{DB: r.db, Log: r.log, Journal: r.jn, Desk: r.desk, Slog: logger, Now: r.clock,
		Park: func(_ *store.Tx, x flow.Stuck) error { return r.park(x.Flow, x.Record, x.N, x.Problems) }})
	r.check(err)
	if r.src != nil {
		r.load()
	}
}

type locked struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// kill ends the program as it stands and starts it again. What was being sent arrives
// before that, as it is the same process; nothing of it is written down.
func (r *rig) kill() {
	r.t.Helper()
	_ = r.db.Close()
	r.desk.Wait()
	r.open()
}

// carry lets the desk do what is due, to its end.
func (r *rig) carry() {
	r.t.Helper()
	_, err := r.desk.Step(r.t.Context())
	r.check(err)
	r.desk.Wait()
}

func (r *rig) park(f string, rec reeve.RecordID, n int64, ps []reeve.Problem) error {
	b, err := json.Marshal(ps)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.noPark != nil {
		return r.noPark
	}
	r.parked = append(r.parked, parked{f, rec, n, string(b)})
	return err
}

// base is a body with a register office that tells it of deaths, and its council
// tax, which is told of them.
const base = `
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-body, name: Ashcombe}
spec: {type: council}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-tax, name: Revenues}
spec: {type: department, parent: org-body}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-ero, name: Electoral registration officer}
spec: {type: department, parent: org-body, controller: true}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-register, name: Register office}
spec: {type: partner}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-register, name: Register}
spec: {organisation: org-register}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-tax, name: Council tax}
spec: {organisation: org-tax}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-ero, name: Electoral register}
spec: {organisation: org-ero}
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-register, name: Register}
spec: {system: sys-register, style: api}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-death.v1, name: Death}
spec:
  schema: death.json
  key: /registration
  order: ORDER
  classification: {level: confidential, personal: true}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-exemption.v1, name: Exemption}
spec: {schema: exemption.json, classification: {level: confidential, personal: true}}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-tax, name: Deaths to council tax}
spec:
  from: org-body
  to: org-body
  records:
  - {type: rec-death.v1, fields: [/id, /registration, /name, /address/postcode], purposes: [exemption]}
  starts: 2025-01-01
  ends: 2026-12-31
`

const deathSchema = `{"type":"object","required":["registration"],"properties":{"id":{"type":"string"},"registration":{"type":"string"},
"name":{"type":"string"},"ssn":{"type":"string"},"cause":{"type":"string"},"address":{"type":"object","properties":{"line":{"type":"string"},"postcode":{"type":"string"}}}}}`

const exemptionSchema = `{"type":"object","required":["who"],"additionalProperties":false,"properties":{"who":{"type":"string","minLength":1},"id":{"type":"string"},"ref":{"type":"string"},"pc":{"type":["string","null"]}}}`

func toTax(spec, flowSpec string) string {
	return `
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-tax, name: Council tax}
spec:
  system: sys-tax
` + indent(spec) + `
---
apiVersion: reeve/v1
kind: Flow
metadata: {id: flow-tax, name: Deaths to council tax}
spec:
  from: if-register
  to: if-tax
  record: rec-death.v1
  agreement: agr-tax
  purpose: exemption
  start: beginning
` + indent(flowSpec)
}

func indent(s string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") + "\n"
}

func (r *rig) registry() *def.Registry {
	return def.NewRegistry(contract.Kind(&r.schema), agreement.Kind(&r.schema), iface.Kind(), flow.Kind(),
		def.Kind{Name: "Organisation", Spec: new(orgSpec)}, def.Kind{Name: "System", Spec: new(sysSpec)})
}

// use puts definitions in force: YAML, and files by name.
func (r *rig) use(order, yaml string, files map[string]string) {
	r.t.Helper()
	r.src = fstest.MapFS{
		"body.yaml":      {Data: []byte(strings.Replace(base, "ORDER", order, 1) + yaml)},
		"death.json":     {Data: []byte(deathSchema)},
		"exemption.json": {Data: []byte(exemptionSchema)},
	}
	for n, c := range files {
		r.src[n] = &fstest.MapFile{Data: []byte(c)}
	}
	r.load()
}

func (r *rig) load() {
	r.t.Helper()
	set, problems := def.Load(r.src, r.registry())
	if len(problems) > 0 {
		r.t.Fatalf("definitions: %v", problems)
	}
	types, problems := contract.Compile(set)
	if problems == nil {
		var agreements *agreement.Set
		if agreements, problems = agreement.Compile(set, agreement.Options{}); problems == nil {
			var flows *flow.Set
			if flows, problems = flow.Compile(set, types, agreements, nil); problems == nil {
				r.runner.Use(flows)
			}
		}
	}
	if problems != nil {
		r.t.Fatalf("compile: %v", problems)
	}
}

// accept puts records into the log, each body with its key.
func (r *rig) accept(bodies ...string) []reclog.Record {
	r.t.Helper()
	recs := make([]reclog.Record, len(bodies))
	for i, b := range bodies {
		var k struct{ Registration string }
		r.check(json.Unmarshal([]byte(b), &k))
		recs[i] = reclog.Record{Type: "rec-death.v1", Sender: "org-register", Key: k.Registration, Set: "s", Body: []byte(b)}
	}
	r.check(r.db.Update(r.t.Context(), func(tx *store.Tx) error { return r.log.Append(tx, recs) }))
	return recs
}

func death(n int) string {
	return fmt.Sprintf(`{"id":"d%d","registration":"R%d","name":"Person %d","ssn":"SECRET-%d","cause":"SECRETCAUSE","address":{"line":"SECRETLINE","postcode":"AB%d 2CD"}}`, n, n, n, n, n)
}

func deaths(n int) (out []string) {
	for i := range n {
		out = append(out, death(i+1))
	}
	return out
}

// settle runs the workers until neither finds anything to do.
func (r *rig) settle() {
	r.t.Helper()
	for range 100_000 { // hours: a busy machine is slow, and a lane under way counts as something to do
		a, err := r.runner.Step(r.t.Context())
		r.check(err)
		b, err := r.desk.Step(r.t.Context())
		r.check(err)
		if a+b == 0 {
			return
		}
	}
	r.t.Fatalf("the workers never settle\n%s", r.logged.String())
}

// settleOver settles, and lets the clock run past waits of up to an hour.
func (r *rig) settleOver() {
	r.t.Helper()
	for range 60 {
		r.settle()
		r.pass(time.Minute)
	}
	r.settle()
}

func (r *rig) leg(rec reclog.Record) flow.Leg {
	r.t.Helper()
	legs, err := r.runner.Trail(r.t.Context(), rec.N, rec.Type)
	r.check(err)
	if len(legs) != 1 {
		r.t.Fatalf("%d legs of %s: %+v", len(legs), rec.ID, legs)
	}
	return legs[0]
}

func (r *rig) entries() []journal.Entry {
	r.t.Helper()
	es, err := r.jn.Read(r.t.Context(), 0, 100000)
	r.check(err)
	return es
}

func (r *rig) count(verb string, about reeve.RecordID) (n int) {
	for _, e := range r.entries() {
		if e.Verb == verb && (about == "" || e.About == reeve.Ref("record/"+about)) {
			n++
		}
	}
	return n
}

func (r *rig) stat() flow.Stat {
	r.t.Helper()
	ss, err := r.runner.Volumes(r.t.Context())
	r.check(err)
	if len(ss) != 1 {
		r.t.Fatalf("%d flows: %+v", len(ss), ss)
	}
	return ss[0]
}

// lines of all files in a folder.
func lines(t testing.TB, dir string) (out []string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, strings.Split(strings.TrimSpace(string(b)), "\n")...)
	}
	return out
}
