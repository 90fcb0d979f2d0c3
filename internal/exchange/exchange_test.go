package exchange_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
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
metadata: {id: org-other, name: The other}
spec: {type: partner}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-back, name: Back office}
spec: {organisation: org-body}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-front, name: Front}
spec: {organisation: org-sender}
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-front, name: Front}
spec: {system: sys-front, style: api}
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-back, name: Back}
spec: {system: sys-back, style: api, address: "env:BACK_URL", repeat: key}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-move.v1, name: Change of address}
spec:
  schema: move.json
  key: /ref
  order: strict
  classification: {level: confidential, personal: true, fields: {/nino: restricted}}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-application.v1, name: Planning application}
spec:
  schema: application.json
  key: /metadata/id
  classification: {level: internal}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-in, name: In}
spec:
  from: org-sender
  to: org-body
  records:
  - {type: rec-move.v1, fields: [/ref, /person, /nino, /count, /status, /lines], purposes: [moving]}
  - {type: rec-application.v1, fields: [/], purposes: [planning]}
  starts: 2020-01-01
  ends: 2030-01-01
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-on, name: On}
spec:
  from: org-sender
  to: org-body
  records: [{type: rec-move.v1, fields: [/ref, /person/name], purposes: [billing]}]
  starts: 2020-01-01
  ends: 2030-01-01
---
apiVersion: reeve/v1
kind: Flow
metadata: {id: flow-back, name: To the back office}
spec: {from: if-front, to: if-back, record: rec-move.v1, agreement: agr-on, purpose: billing, start: beginning}
`

const moveSchema = `{"type":"object","required":["ref","person","count"],"properties":{
  "ref":{"type":"string"},"nino":{"type":"string"},
  "count":{"type":"integer","minimum":1,"title":"How many people"},
  "status":{"enum":["new","old"]},
  "lines":{"type":"array","items":{"type":"string","minLength":2}},
  "person":{"type":"object","required":["name","born"],"additionalProperties":false,"properties":{
    "name":{"type":"string","title":"Full name"},"born":{"type":"string","format":"date","title":"Date of birth"}}}}}`

type orgSpec struct {
	Type string `json:"type"`
}
type sysSpec struct {
	Organisation string `json:"organisation" def:"ref=Organisation"`
}

type house struct {
	t    testing.TB
	k    *kernel.Kernel
	x    *exchange.Exchange
	src  fstest.MapFS
	mu   sync.Mutex
	back []string // bodies that the back office took
	keys map[string]bool
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t testing.TB, db *store.DB) *house {
	t.Helper()
	return openWith(t, db, definitions)
}

func openWith(t testing.TB, db *store.DB, definitions string) *house {
	t.Helper()
	return openAsking(t, db, definitions, exchange.Asks{})
}

func openAsking(t testing.TB, db *store.DB, definitions string, asks exchange.Asks) *house {
	t.Helper()
	h := &house{t: t, keys: map[string]bool{}}
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		defer h.mu.Unlock()
		h.back = append(h.back, string(b))
		h.keys[r.Header.Get("Idempotency-Key")] = true
	}))
	t.Cleanup(back.Close)
	ctx, log := t.Context(), slog.New(slog.DiscardHandler)
	k := &kernel.Kernel{DB: db, Slog: log, Now: db.Now, Dir: t.TempDir(), Body: "The body", Zone: time.UTC, BaseURL: "http://reeve.test"}
	k.Getenv = func(name string) string {
		if name == "BACK_URL" {
			return back.URL
		}
		return ""
	}
	var err error
	k.Keys, err = seal.Open(ctx, db, bytes.Repeat([]byte{1}, 32))
	must(t, err)
	k.Journal, err = journal.Open(ctx, db, journal.Options{Key: bytes.Repeat([]byte{3}, 32), Dir: k.Dir})
	must(t, err)
	k.Log, err = reclog.Open(ctx, db, k.Keys)
	must(t, err)
	k.Bus, err = bus.Open(ctx, db, log)
	must(t, err)
	partner, staff := []reeve.ActorKind{reeve.Partner}, []reeve.ActorKind{reeve.Staff}
	k.Policy, err = policy.New(
		policy.Rule{Name: "partner", Actions: []string{"record.*", "submission.*", "partner.*"}, Kinds: partner, Own: true, Max: reeve.Restricted},
		policy.Rule{Name: "staff", Actions: []string{"held.*", "record.read", "record.trail"}, Kinds: staff, Roles: []string{"integration"}, Max: reeve.Restricted})
	must(t, err)
	k.Web = web.New(web.Options{Policy: k.Policy, Log: log, Now: k.Now, Zone: k.Zone})
	k.Web.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		kind, name, _ := strings.Cut(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), ":")
		switch kind {
		case "partner":
			return reeve.Actor{ID: "partner/" + name, Kind: reeve.Partner, Party: name, Assurance: reeve.Assurance{Identity: 2, Authentication: 2}}, true, nil
		case "staff":
			role, id, _ := strings.Cut(name, ":")
			return reeve.Actor{ID: "staff/" + cmp.Or(id, "1"), Kind: reeve.Staff, Roles: []string{role}, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, true, nil
		}
		return reeve.Actor{}, false, nil
	})
	application, err := os.ReadFile("testdata/real/planning/application.schema.json")
	must(t, err)
	reg := def.NewRegistry(append(exchange.Kinds(), def.Kind{Name: "Organisation", Spec: new(orgSpec)}, def.Kind{Name: "System", Spec: new(sysSpec)})...)
	var problems []def.Problem
	h.src = fstest.MapFS{"all.yaml": {Data: []byte(definitions)}, "move.json": {Data: []byte(moveSchema)}, "application.json": {Data: application}}
	k.Defs, problems, err = def.OpenLive(ctx, def.LiveOptions{DB: db, Journal: k.Journal, Registry: reg, Log: log, FS: h.src})
	must(t, err)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	h.k = k
	h.x, err = exchange.Open(ctx, k, asks)
	must(t, err)
	return h
}

// change puts other definitions in force, as a running program does.
func (h *house) change(definitions string) {
	h.t.Helper()
	h.src["all.yaml"].Data = []byte(definitions)
	problems, err := h.k.Defs.Reload(h.t.Context())
	must(h.t, err)
	if len(problems) > 0 {
		h.t.Fatal(problems)
	}
}

func (h *house) do(method, path, who string, form url.Values, body string) *httptest.ResponseRecorder {
	h.t.Helper()
	in := io.Reader(strings.NewReader(body))
	if form != nil {
		in = strings.NewReader(form.Encode())
	}
	r := httptest.NewRequest(method, path, in)
	r.Header.Set("Authorization", "Bearer "+who)
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	h.k.Web.ServeHTTP(w, r)
	return w
}

type receipt struct {
	ID       reeve.RecordID
	Seq      int64
	Status   string
	Problems []reeve.Problem
}

func (h *house) send(typ, body string) []receipt {
	h.t.Helper()
	w := h.do("POST", "/v1/records/"+typ, "partner:org-sender", nil, body)
	if w.Code != 202 {
		h.t.Fatal(w.Code, w.Body)
	}
	var out []receipt
	dec := json.NewDecoder(w.Body)
	for dec.More() {
		var r receipt
		must(h.t, dec.Decode(&r))
		out = append(out, r)
	}
	return out
}

func (h *house) settle() {
	h.t.Helper()
	for range 100_000 { // a busy machine is slow, and what is under way counts as something to do
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

type trailJSON struct {
	Status                string
	ForwardedTo, WaitsFor reeve.RecordID
	ReleasedFrom          reeve.RecordID
	Problems              []reeve.Problem
	Reasons               []string
	Deliveries            []struct {
		Flow, State, System, Agreement, Why string
		Fields                              []string
	}
	Journal []int64
}

func (h *house) trail(id reeve.RecordID, who string) (int, trailJSON) {
	h.t.Helper()
	w := h.do("GET", "/v1/records/"+string(id), who, nil, "")
	var out trailJSON
	if w.Code == 200 {
		must(h.t, json.Unmarshal(w.Body.Bytes(), &out))
	}
	return w.Code, out
}

const staff = "staff:integration"

// A record that breaks its type is held, corrected on the page, and goes on; what
// waited for it follows in order.
func TestCorrectOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		h := open(t, db)
		rs := h.send("rec-move.v1", `{"ref":"a","count":"2","nino":"QQ123456C","person":{"name":"Kim","extra":1}}`+"\n"+
			`{"ref":"a","count":3,"person":{"name":"Kim","born":"1980-01-01"}}`+"\n"+
			`{"ref":"b","count":1,"person":{"name":"Lee","born":"1980-01-01"}}`)
		if fmt.Sprint(rs[0].Status, rs[1].Status, rs[2].Status) != "heldheldaccepted" {
			t.Fatalf("%+v", rs)
		}
		if len(rs[1].Problems) != 1 || !strings.Contains(rs[1].Problems[0].Message, string(rs[0].ID)) {
			t.Errorf("%+v", rs[1])
		}
		h.settle()
		if len(h.back) != 1 || h.back[0] != `{"ref":"b","person":{"name":"Lee"}}` {
			t.Errorf("back office has %q", h.back)
		}
		page := h.do("GET", "/staff/held", staff, nil, "")
		if page.Code != 200 || !strings.Contains(page.Body.String(), "Change of address") || !strings.Contains(page.Body.String(), string(rs[0].ID)) {
			t.Fatal(page.Code, page.Body)
		}
		at := "/staff/held/" + string(rs[0].ID)
		page = h.do("GET", at, staff, nil, "")
		body := page.Body.String()
		for _, want := range []string{"There is a problem", "How many people must be a whole number, not text", "Date of birth (Person) is missing", "Is missing; it is required", "Remove Extra", "hidden. Data stewards may open it"} {
			if !strings.Contains(body, want) {
				t.Errorf("the page lacks %q", want)
			}
		}
		if strings.Contains(body, "QQ123456C") || strings.Contains(body, "Edit the record as JSON") {
			t.Error("a restricted field shows")
		}
		// Half a correction keeps it held, with what is left to do; a field that is not seen cannot be changed.
		w := h.do("POST", at+"/correct", staff, url.Values{"f/count": {"2"}, "x/person/extra": {"remove"}, "f/nino": {"gone"}}, "")
		if w.Code != 303 || w.Header().Get("Location") != at {
			t.Fatal(w.Code, w.Body)
		}
		held, err := h.x.Quarantine.Get(t.Context(), rs[0].ID)
		must(t, err)
		if string(held.Body) != `{"count":2,"nino":"QQ123456C","person":{"name":"Kim"},"ref":"a"}` || len(held.Problems) != 1 {
			t.Errorf("%s %v", held.Body, held.Problems)
		}
		// The rest sends it on, and the one that waited after it.
		w = h.do("POST", at+"/correct", staff, url.Values{"f/person/born": {"1980-01-01"}}, "")
		if w.Code != 303 || w.Header().Get("Location") != "/staff/held" {
			t.Fatal(w.Code, w.Body)
		}
		h.settle()
		if len(h.back) != 3 {
			t.Fatalf("back office has %q", h.back)
		}
		code, tr := h.trail(rs[0].ID, "partner:org-sender")
		if code != 200 || tr.Status != "released" || tr.ForwardedTo == "" || len(tr.Deliveries) != 1 || tr.Deliveries[0].State != "delivered" || tr.Deliveries[0].System != "sys-back" {
			t.Errorf("%d %+v", code, tr)
		}
		_, next := h.trail(rs[1].ID, "partner:org-sender")
		_, on := h.trail(tr.ForwardedTo, "partner:org-sender")
		if on.ReleasedFrom != rs[0].ID || len(on.Journal) == 0 || next.ForwardedTo == "" {
			t.Errorf("%+v %+v", on, next)
		}
		_, n1, _ := tr.ForwardedTo.Parse()
		if _, n2, _ := next.ForwardedTo.Parse(); n2 <= n1 {
			t.Error("the one that waited overtook")
		}
		// What was sent first is recognised, also as it was sent.
		again := h.send("rec-move.v1", `{"ref":"b","count":1,"person":{"name":"Lee","born":"1980-01-01"}}`)
		if again[0].Status != "duplicate" {
			t.Errorf("%+v", again)
		}
		if w := h.do("POST", at+"/correct", staff, url.Values{}, ""); w.Code != 409 {
			t.Error("corrected twice:", w.Code)
		}
		h.noValues("Kim", "Lee", "QQ123456C", "1980-01-01")
	})
}

// noValues looks for values in the journal.
func (h *house) noValues(values ...string) {
	h.t.Helper()
	es, err := h.k.Journal.Read(h.t.Context(), 0, 10_000)
	must(h.t, err)
	text := fmt.Sprintf("%+v", es)
	for _, v := range values {
		if strings.Contains(text, v) {
			h.t.Errorf("the journal holds %q", v)
		}
	}
	if !strings.Contains(text, "/person/born") {
		h.t.Error("the journal does not name the field that was changed")
	}
}

// One decision of a person corrects many records with the same problem.
func TestCorrectMany(t *testing.T) {
	h := open(t, storetest.Open(t, nil))
	var body strings.Builder
	const n = 250
	for i := range n {
		fmt.Fprintf(&body, `{"ref":"m%d","count":1,"status":"nwe","person":{"name":"P%d","born":"1980-01-01"}}`+"\n", i, i)
	}
	rs := h.send("rec-move.v1", body.String()+`{"ref":"other","count":1,"status":"nwe","person":{"name":"P","born":"1980"}}`)
	at := "/staff/held/" + string(rs[0].ID)
	if w := h.do("GET", at, staff, nil, ""); !strings.Contains(w.Body.String(), "the 249 other records with exactly this problem") {
		t.Error("it is not offered:", w.Body)
	}
	w := h.do("POST", at+"/correct", staff, url.Values{"f/status": {"new"}, "f/person/name": {"P0"}, "all": {"yes"}}, "")
	correction := w.Header().Get("Location")
	if w.Code != 303 || correction != "/staff/corrections/1" {
		t.Fatal(w.Code, w.Header(), w.Body)
	}
	h.settle()
	if len(h.back) != 0 {
		t.Errorf("%d went on before it was released", len(h.back))
	}
	if w := h.do("POST", correction, staff, url.Values{"decision": {"release"}}, ""); w.Code != 303 {
		t.Fatal(w.Code, w.Body)
	}
	h.settle()
	if len(h.back) != n {
		t.Errorf("%d went on", len(h.back))
	}
	if !strings.Contains(strings.Join(h.back, ""), `"name":"P249"`) {
		t.Error("more was changed than what was wrong")
	}
	open, err := h.x.Quarantine.List(t.Context(), quarantine.Filter{})
	must(t, err)
	if len(open) != 1 || open[0].ID != rs[n].ID {
		t.Errorf("%d still held", len(open))
	}
	if w := h.do("POST", "/staff/held", staff, url.Values{"type": {"rec-move.v1"}}, ""); w.Code != 303 {
		t.Error(w.Code, w.Body)
	}
}

func TestDiscard(t *testing.T) {
	h := open(t, storetest.Open(t, nil))
	rs := h.send("rec-move.v1", `{"ref":"a"}`+"\n"+`{"ref":"a","count":3,"person":{"name":"Kim","born":"1980-01-01"}}`)
	at := "/staff/held/" + string(rs[0].ID)
	if w := h.do("POST", at+"/discard", staff, url.Values{"reason": {" "}}, ""); w.Code != 303 || w.Header().Get("Location") != at {
		t.Error("without a reason:", w.Code, w.Header())
	}
	if w := h.do("POST", at+"/discard", staff, url.Values{"reason": {"Jane rang"}}, ""); w.Code != 303 {
		t.Fatal(w.Code, w.Body)
	}
	h.settle()
	if len(h.back) != 1 {
		t.Error("what waited did not follow:", h.back)
	}
	if _, tr := h.trail(rs[0].ID, "partner:org-sender"); tr.Status != "discarded" {
		t.Errorf("%+v", tr)
	}
	es, err := h.k.Journal.Read(t.Context(), 0, 1000)
	must(t, err)
	if strings.Contains(fmt.Sprint(es), "Jane") {
		t.Error("the reason stands in the journal")
	}
	if w := h.do("GET", at, staff, nil, ""); w.Code != 200 || !strings.Contains(w.Body.String(), "Jane rang") {
		t.Error("the reason is lost", w.Code)
	}
}

func TestWhoSeesWhat(t *testing.T) {
	h := open(t, storetest.Open(t, nil))
	rs := h.send("rec-move.v1", `{"ref":"a"}`+"\n"+`{"ref":"b","count":1,"person":{"name":"Lee","born":"1980-01-01"}}`+"\n"+`{"ref":`)
	for _, r := range rs {
		if code, _ := h.trail(r.ID, "partner:org-sender"); code != 200 {
			t.Errorf("%s: %d for its sender", r.ID, code)
		}
		if code, _ := h.trail(r.ID, "partner:org-other"); code != 404 {
			t.Errorf("%s: %d for another", r.ID, code)
		}
		if code, _ := h.trail(r.ID, staff); code != 200 {
			t.Errorf("%s: %d for staff", r.ID, code)
		}
		if code, _ := h.trail(r.ID, ""); code != 401 {
			t.Errorf("%s: %d for nobody", r.ID, code)
		}
	}
	if _, tr := h.trail(rs[2].ID, "partner:org-sender"); tr.Status != "refused" || len(tr.Reasons) == 0 {
		t.Errorf("%+v", tr)
	}
	for _, id := range []reeve.RecordID{"r1-999", "r2-1", "x1-999", "x1-0", "x2-3", "nonsense", "x", "r1--1"} {
		if code, _ := h.trail(id, "partner:org-sender"); code != 404 && code != 400 {
			t.Errorf("%s: %d", id, code)
		}
	}
	for _, path := range []string{"/staff/held", "/staff/held/" + string(rs[0].ID)} {
		if w := h.do("GET", path, "partner:org-sender", nil, ""); w.Code != 403 {
			t.Errorf("%s: %d for a partner", path, w.Code)
		}
		if w := h.do("GET", path, "staff:caseworker", nil, ""); w.Code != 403 {
			t.Errorf("%s: %d for another role", path, w.Code)
		}
	}
}

func TestRecordPages(t *testing.T) {
	h := open(t, storetest.Open(t, nil))
	rs := h.send("rec-move.v1", `{"ref":"a"}`+"\n"+`{"ref":"b","count":1,"person":{"name":"Lee","born":"1980-01-01"}}`+"\n"+`{"ref":`)
	h.settle()
	for path, want := range map[string]string{
		"/staff/records":                     "/staff/records/" + string(rs[1].ID),
		"/staff/records/" + string(rs[0].ID): "Nobody yet",
		"/staff/records/" + string(rs[1].ID): "Back office",
		"/staff/records/" + string(rs[2].ID): "malformed",
		"/staff/records?id=r1-77":            "There is no such record",
		"/staff/records?before=2":            "Records",
	} {
		if w := h.do("GET", path, staff, nil, ""); w.Code != 200 || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d, lacks %q", path, w.Code, want)
			t.Log(w.Body)
		}
	}
	if w := h.do("GET", "/staff/records?id="+string(rs[1].ID), staff, nil, ""); w.Code != 303 {
		t.Error(w.Code)
	}
	for _, path := range []string{"/staff/records", "/staff/records/" + string(rs[1].ID)} {
		if w := h.do("GET", path, "partner:org-sender", nil, ""); w.Code != 403 {
			t.Errorf("%s: %d for a partner", path, w.Code)
		}
	}
}

// The published examples come in; broken copies are held and corrected as JSON.
func TestPlanning(t *testing.T) {
	h := open(t, storetest.Open(t, nil))
	names, err := filepath.Glob("testdata/real/planning/examples/*.json")
	must(t, err)
	for _, n := range names {
		b, err := os.ReadFile(n)
		must(t, err)
		if rs := h.send("rec-application.v1", string(b)); len(rs) != 1 || rs[0].Status != "accepted" {
			t.Fatalf("%s: %+v", n, rs)
		}
	}
	b, err := os.ReadFile(names[0])
	must(t, err)
	for broken, with := range map[string]string{
		`"schema": "https`:  `"schema": "nohttps`,
		`"type": {`:         `"typ": {`,
		`"submittedAt": "`:  `"submittedAt": "x`,
		`"organisation": "`: `"organisation": 7, "x": "`,
		`"firstName": "`:    `"firstName": null, "first": "`,
	} {
		rec := strings.Replace(string(b), broken, with, 1)
		if rec == string(b) {
			t.Logf("nothing to break: %s", broken)
			continue
		}
		rs := h.send("rec-application.v1", rec)
		if rs[0].Status != "held" || len(rs[0].Problems) == 0 || len(rs[0].Problems) > 5 {
			t.Errorf("%s: %s %+v", broken, rs[0].Status, rs[0].Problems)
			continue
		}
		t.Log(rs[0].Problems)
		page := h.do("GET", "/staff/held/"+string(rs[0].ID), staff, nil, "")
		if page.Code != 200 || page.Body.Len() > 2<<20 {
			t.Error(page.Code, page.Body.Len())
		}
		w := h.do("POST", "/staff/held/"+string(rs[0].ID)+"/json", staff, url.Values{"json": {string(b[:len(b)/2])}}, "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), "well-formed") {
			t.Error("half a record:", w.Code)
		}
		w = h.do("POST", "/staff/held/"+string(rs[0].ID)+"/json", staff, url.Values{"json": {string(b)}}, "")
		if w.Code != 303 {
			t.Fatal(w.Code, w.Body)
		}
		if held, err := h.x.Quarantine.Get(t.Context(), rs[0].ID); err != nil || held.Became == "" {
			t.Error(held.State, held.Became, err)
		}
	}
}

func TestRestartKeepsWhatIsHeld(t *testing.T) {
	dir := t.TempDir()
	db, err := store.Open(t.Context(), store.Options{Path: dir + "/reeve.db", Now: time.Now})
	must(t, err)
	h := open(t, db)
	sent := `{"ref":"a"}`
	first := h.send("rec-move.v1", sent)
	must(t, db.Close())
	db, err = store.Open(t.Context(), store.Options{Path: dir + "/reeve.db", Now: time.Now})
	must(t, err)
	h = open(t, db)
	w := h.do("POST", "/staff/held/"+string(first[0].ID)+"/correct", staff, url.Values{"f/count": {"1"}, "x/person": {"remove"}}, "")
	if w.Code != 303 {
		t.Fatal(w.Code, w.Body)
	}
	w = h.do("POST", "/staff/held/"+string(first[0].ID)+"/json", staff, url.Values{"json": {`{"ref":"a","count":1,"person":{"name":"A","born":"1980-01-01"}}`}}, "")
	if w.Code != 403 {
		t.Error("JSON with a restricted class by one-time link:", w.Code)
	}
	h.correct(first[0].ID, `{"ref":"a","count":1,"person":{"name":"A","born":"1980-01-01"}}`)
	must(t, db.Close())
	db, err = store.Open(t.Context(), store.Options{Path: dir + "/reeve.db", Now: time.Now})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	h = open(t, db)
	again := h.send("rec-move.v1", sent+"\n"+`{"ref":"a","count":1,"person":{"name":"A","born":"1980-01-01"}}`)
	if again[0].Status != "duplicate" || again[1].Status != "duplicate" || again[0].ID == first[0].ID {
		t.Errorf("%+v", again)
	}
}

func (h *house) correct(id reeve.RecordID, body string) {
	h.t.Helper()
	err := h.k.DB.Update(h.t.Context(), func(tx *store.Tx) error {
		out, err := h.x.Quarantine.Correct(tx, reeve.Actor{ID: "staff/1"}, id, []byte(body))
		if err == nil && !out.Released {
			h.t.Errorf("%+v", out)
		}
		return err
	})
	must(h.t, err)
}
