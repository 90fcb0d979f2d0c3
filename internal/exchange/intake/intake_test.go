package intake_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/exchange/once"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
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
metadata: {id: org-body, name: Body}
spec: {type: council}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-sender, name: Sender}
spec: {type: partner}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-other, name: Other}
spec: {type: partner}
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
metadata: {id: rec-strict.v1, name: Strict}
spec:
  schema: thing.json
  key: /id
  order: strict
  classification: {level: internal}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-loose.v1, name: Loose, formerly: [rec-old.v1]}
spec:
  schema: any.json
  classification: {level: internal}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-patient.v1, name: Patient}
spec:
  schema: patient.json
  key: /id
  classification: {level: confidential, personal: true}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-secret.v1, name: Secret}
spec:
  schema: any.json
  classification: {level: internal}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-things, name: Things}
spec:
  from: org-sender
  to: org-body
  records:
  - {type: rec-thing.v1, fields: [/id, /n, /name], purposes: [test]}
  - {type: rec-strict.v1, fields: [/], purposes: [test]}
  - {type: rec-loose.v1, fields: [/], purposes: [test]}
  - {type: rec-patient.v1, fields: [/id, /name/family, /birthDate, /deceasedDateTime], where: has(record.deceasedDateTime), purposes: [test]}
  starts: 2020-01-01
  ends: 2030-06-30
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-ended, name: Ended}
spec:
  from: org-sender
  to: org-body
  records: [{type: rec-secret.v1, fields: [/], purposes: [test]}]
  starts: 2020-01-01
  ends: 2021-01-01
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-elsewhere, name: Elsewhere}
spec:
  from: org-other
  to: org-sender
  records: [{type: rec-thing.v1, fields: [/], purposes: [test]}]
  starts: 2020-01-01
  ends: 2030-01-01
`

type orgSpec struct {
	Type   string `json:"type"`
	Parent string `json:"parent"`
}

func loadRules(t testing.TB) *intake.Rules {
	t.Helper()
	schemas := new(contract.Schemas)
	reg := def.NewRegistry(contract.Kind(schemas), agreement.Kind(schemas),
		def.Kind{Name: "Organisation", Spec: new(orgSpec)}, def.Kind{Name: "System", Spec: new(struct{})})
	set, problems := def.Load(fstest.MapFS{
		"all.yaml":     {Data: []byte(definitions)},
		"thing.json":   {Data: []byte(`{"type":"object","properties":{"id":{"type":["string","integer"]},"n":{"type":"integer"},"name":{"type":"string"}},"required":["n"]}`)},
		"any.json":     {Data: []byte(`{"type":"object"}`)},
		"patient.json": {Data: []byte(`{"type":"object","required":["id","deceasedDateTime"],"properties":{"birthDate":{"format":"date"},"deceasedDateTime":{"type":"string","format":"date-time"},"name":{"type":"array"}}}`)},
	}, reg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	types, ps := schemas.Compile(set)
	agreements, ps2 := agreement.Compile(set, agreement.Options{})
	if len(ps)+len(ps2) > 0 {
		t.Fatal(ps, ps2)
	}
	return &intake.Rules{Types: types, Agreements: agreements, Set: set.Hash()}
}

// door is an intake on a real database.
type door struct {
	t     testing.TB
	db    *store.DB
	log   *reclog.Log
	j     *journal.Journal
	ward  *quarantine.Ward
	index *once.Index
	desk  *intake.Desk
	mux   *web.Mux
	rules atomic.Pointer[intake.Rules]
}

var start = time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)

type clock struct{ atomic.Int64 }

func (c *clock) now() time.Time { return start.Add(time.Duration(c.Load())) }

// open opens a house in dir; at may be nil.
func open(t testing.TB, dir string, at *clock) *door {
	t.Helper()
	if at == nil {
		at = &clock{}
	}
	db, err := store.Open(t.Context(), store.Options{Path: filepath.Join(dir, "reeve.db"), Now: at.now})
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return openDB(t, db, dir)
}

func openDB(t testing.TB, db *store.DB, dir string) *door {
	t.Helper()
	d := &door{t: t, db: db}
	ctx := t.Context()
	keys, err := seal.Open(ctx, db, bytes.Repeat([]byte{7}, 32))
	must(t, err)
	d.j, err = journal.Open(ctx, db, journal.Options{Key: bytes.Repeat([]byte{3}, 32), Dir: dir})
	must(t, err)
	d.log, err = reclog.Open(ctx, db, keys)
	must(t, err)
	b, err := bus.Open(ctx, db, slog.New(slog.DiscardHandler))
	must(t, err)
	d.rules.Store(loadRules(t))
	d.index, err = once.Open(ctx, db, [32]byte(keys.Derive("once")))
	must(t, err)
	d.ward, err = quarantine.New(ctx, quarantine.Options{DB: db, Keys: keys, Journal: d.j, Log: d.log, Bus: b, Once: d.index,
		Types: func() *contract.Set { return d.rules.Load().Types }, Set: func() string { return d.rules.Load().Set }})
	must(t, err)
	must(t, intake.Recall(ctx, d.index, d.log, d.ward))
	d.desk, err = intake.New(ctx, intake.Options{DB: db, Keys: keys, Journal: d.j, Log: d.log, Once: d.index, Ward: d.ward, Rules: d.rules.Load})
	must(t, err)
	pol, err := policy.New(
		policy.Rule{Name: "partner", Actions: []string{"record.*", "submission.*"}, Kinds: []reeve.ActorKind{reeve.Partner}, Own: true, Max: reeve.Restricted})
	must(t, err)
	d.mux = web.New(web.Options{Policy: pol, Log: slog.New(slog.DiscardHandler), Now: db.Now})
	d.mux.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		party := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if party == "" {
			return reeve.Actor{}, false, nil
		}
		return reeve.Actor{ID: "partner/" + party, Kind: reeve.Partner, Party: party, Assurance: reeve.Assurance{Identity: 2, Authentication: 2}}, true, nil
	})
	d.desk.Mount(d.mux)
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

type receipt struct {
	ID       string
	Seq      int64
	Status   string
	Problems []reeve.Problem
}

type answer struct {
	status   int
	body     string
	receipts []receipt
	problem  struct {
		Detail   string
		Counts   intake.Counts
		Receipts string
		Refused  []receipt
	}
}

type req struct {
	party, typ, contentType, key string
	body                         io.Reader
}

func (d *door) send(typ, body string, with ...string) answer {
	r := req{party: "org-sender", typ: typ, contentType: "application/x-ndjson", body: strings.NewReader(body)}
	for _, w := range with {
		switch name, v, _ := strings.Cut(w, "="); name {
		case "party":
			r.party = v
		case "type":
			r.contentType = v
		case "key":
			r.key = v
		}
	}
	return d.do(r)
}

func (d *door) do(r req) answer {
	d.t.Helper()
	hr := httptest.NewRequest("POST", "/v1/records/"+r.typ, r.body)
	hr.Header.Set("Content-Type", r.contentType)
	if r.party != "" {
		hr.Header.Set("Authorization", "Bearer "+r.party)
	}
	if r.key != "" {
		hr.Header.Set("Idempotency-Key", r.key)
	}
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, hr)
	return d.parse(w.Code, w.Body.Bytes())
}

func (d *door) parse(status int, body []byte) answer {
	d.t.Helper()
	a := answer{status: status, body: string(body)}
	if status >= 300 {
		if err := json.Unmarshal(body, &a.problem); err != nil {
			d.t.Fatalf("%d %s: %v", status, body, err)
		}
		return a
	}
	if bytes.HasPrefix(body, []byte("[")) {
		if err := json.Unmarshal(body, &a.receipts); err != nil {
			d.t.Fatalf("%s: %v", body, err)
		}
		return a
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	for {
		var r receipt
		if err := dec.Decode(&r); errors.Is(err, io.EOF) {
			return a
		} else if err != nil {
			d.t.Fatalf("%s: %v", body, err)
		}
		a.receipts = append(a.receipts, r)
	}
}

func (d *door) get(path, party string) (int, string) {
	hr := httptest.NewRequest("GET", path, nil)
	hr.Header.Set("Authorization", "Bearer "+party)
	w := httptest.NewRecorder()
	d.mux.ServeHTTP(w, hr)
	return w.Code, w.Body.String()
}

func (a answer) statuses() string {
	var out []string
	for _, r := range a.receipts {
		out = append(out, r.Status)
	}
	return strings.Join(out, " ")
}

func (d *door) bodies() []string {
	d.t.Helper()
	recs, err := d.log.Read(d.t.Context(), "", 0, 1_000_000)
	must(d.t, err)
	var out []string
	for _, r := range recs {
		out = append(out, string(r.Body))
	}
	return out
}

func (d *door) verbs() map[string]int {
	d.t.Helper()
	es, err := d.j.Read(d.t.Context(), 0, 10_000_000)
	must(d.t, err)
	out := map[string]int{}
	for _, e := range es {
		out[e.Verb]++
	}
	return out
}

func TestShapes(t *testing.T) {
	for name, c := range map[string]struct {
		body, contentType string
		status            int
		want              string
	}{
		"object":            {`{"id":"a","n":1}`, "application/json", 202, "accepted"},
		"list":              {`[{"id":"a","n":1},{"id":"b","n":2}]`, "application/json", 202, "accepted accepted"},
		"lines":             {"{\"id\":\"a\",\"n\":1}\n{\"id\":\"b\",\"n\":2}\n", "application/x-ndjson", 202, "accepted accepted"},
		"lines as json":     {"{\"id\":\"a\",\"n\":1}\n{\"id\":\"b\",\"n\":2}", "application/json", 202, "accepted accepted"},
		"list as lines":     {`[{"id":"a","n":1}]`, "application/x-ndjson", 202, "accepted"},
		"written over":      {"{\n  \"id\": \"a\",\n  \"n\": 1\n}\n", "application/json", 202, "accepted"},
		"over, as lines":    {"{\n  \"id\": \"a\",\n  \"n\": 1\n}\n", "application/x-ndjson", 202, "accepted"},
		"two written over":  {"{\n\"id\":\"a\",\"n\":1\n}\n{\n\"id\":\"b\",\"n\":1\n}", "application/json", 202, "accepted accepted"},
		"mark, CRLF, blank": {"\ufeff{\"id\":\"a\",\"n\":1}\r\n\r\n  \r\n{\"id\":\"b\",\"n\":2}\r\n\n", "application/x-ndjson", 202, "accepted accepted"},
		"form type":         {`{"id":"a","n":1}`, "application/x-www-form-urlencoded", 202, "accepted"},
		"empty list":        {`[]`, "application/json", 400, ""},
		"nothing":           {``, "application/json", 400, ""},
		"space":             {" \n\n ", "application/json", 400, ""},
		"garbage":           {"\x00\x01\x02PK", "application/octet-stream", 400, ""},
		"xml":               {"<a/>", "application/json", 400, ""},
		"malformed":         {`{"id":}`, "application/json", 400, ""},
		"open object":       {`{"id":"a",`, "application/json", 400, ""},
		"open list":         {`[{"id":"a","n":1},`, "application/json", 400, ""},
		"trailing comma":    {`[{"id":"a","n":1},]`, "application/json", 400, ""},
		"comma after line":  {"{\"id\":\"a\",\"n\":1},\n{\"id\":\"b\",\"n\":1}", "application/x-ndjson", 202, "refused accepted"},
		"one bad line":      {"{\"id\":\"a\",\"n\":1}\n{\"id\":\n{\"id\":\"b\",\"n\":2}", "application/x-ndjson", 202, "accepted refused accepted"},
		"first line bad":    {"garbage\n{\"id\":\"b\",\"n\":2}", "application/x-ndjson", 202, "refused accepted"},
		"list items":        {`[1,"x",{"id":"a","n":1},[[]],null,{"id":"b","n":}]`, "application/json", 202, "refused refused accepted refused refused refused"},
		"number line":       {"17\n", "application/x-ndjson", 400, ""},
		"invalid utf-8":     {"{\"id\":\"\xff\",\"n\":1}\n{\"id\":\"b\",\"n\":1}", "application/x-ndjson", 202, "refused accepted"},
		"key twice":         {"{\"id\":\"a\",\"id\":\"a\",\"n\":1}\n{\"id\":\"b\",\"n\":1}", "application/x-ndjson", 202, "refused accepted"},
		"deep":              {`{"id":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + "}\n{\"id\":\"b\",\"n\":1}", "application/x-ndjson", 202, "refused accepted"},
		"deep and open":     {strings.Repeat(`{"a":`, 100_000), "application/json", 400, ""},
		"deep list":         {strings.Repeat(`[`, 100_000), "application/json", 400, ""},
		"large line":        {"{\"id\":\"" + strings.Repeat("x", 2<<20) + "\"}\n{\"id\":\"b\",\"n\":1}", "application/x-ndjson", 202, "refused accepted"},
		"large in list":     {`[{"id":"` + strings.Repeat("x", 2<<20) + `"},{"id":"b","n":1}]`, "application/json", 202, "refused accepted"},
		"only large":        {"{\"id\":\"" + strings.Repeat("x", 2<<20) + "\"}\n", "application/x-ndjson", 413, ""},
		"large alone":       {`{"id":"` + strings.Repeat("x", 2<<20) + `"}`, "application/json", 413, ""},
		"held":              {`{"id":"a"}`, "application/json", 202, "held"},
		"no key":            {`{"n":1}`, "application/json", 202, "held"},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t, t.TempDir(), nil)
			a := d.send("rec-thing.v1", c.body, "type="+c.contentType)
			if a.status != c.status || a.statuses() != c.want {
				t.Fatalf("%d %s, want %d %s\n%.1000s", a.status, a.statuses(), c.status, c.want, a.body)
			}
			if a.status >= 300 && a.problem.Detail == "" {
				t.Errorf("no detail: %s", a.body)
			}
			want := strings.Count(c.want, "accepted")
			if name == "open list" || name == "trailing comma" { // what came before the break is kept
				want = 1
			}
			if got := len(d.bodies()); got != want || c.status != 202 && int(a.problem.Counts.Kept()) != want {
				t.Errorf("%d records in the log, want %d: %s", got, want, a.body)
			}
		})
	}
}

func TestWhoMaySendWhat(t *testing.T) {
	at := &clock{}
	d := open(t, t.TempDir(), at)
	for name, c := range map[string]struct {
		typ, with string
		status    int
		detail    string
	}{
		"no token":     {"rec-thing.v1", "party=", 401, ""},
		"unknown type": {"rec-nothing.v1", "", 404, "rec-loose.v1, rec-patient.v1, rec-strict.v1, rec-thing.v1"},
		"no agreement": {"rec-thing.v1", "party=org-third", 403, "no agreement lets org-third send rec-thing.v1"},
		"not with us":  {"rec-thing.v1", "party=org-other", 403, "no agreement"},
		"ended":        {"rec-secret.v1", "", 403, "agreement agr-ended ended on 2021-01-01"},
		"former name":  {"rec-old.v1", "", 202, ""},
	} {
		a := d.send(c.typ, `{"id":"a","n":1}`, c.with)
		if c.with == "party=" {
			a = d.send(c.typ, `{}`, c.with)
		}
		if a.status != c.status || !strings.Contains(a.problem.Detail, c.detail) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	if v := d.verbs(); v["refused"] != 3 || v["accepted"] != 1 {
		t.Errorf("journal: %v", v)
	}
	// The last day still counts, in the body's time zone; the next does not.
	at.Store(int64(time.Date(2030, 6, 30, 23, 59, 0, 0, time.UTC).Sub(start)))
	if a := d.send("rec-loose.v1", `{}`); a.status != 202 {
		t.Error("last day:", a.body)
	}
	at.Store(int64(time.Date(2030, 7, 1, 0, 1, 0, 0, time.UTC).Sub(start)))
	if a := d.send("rec-loose.v1", `{}`); a.status != 403 {
		t.Error("day after:", a.body)
	}
}

func TestCutBeforeAnythingIsStored(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, nil)
	a := d.send("rec-thing.v1", `{"id":"a","n":1,"ssn":"CANARY-1","name":{"CANARY-2":1}}`+"\n"+
		`{"id":"b","n":1,"ssn":"CANARY-3"}`+"\n"+`{"id":"c","n":"CANARY-4","ssn":`+"\n"+`{ "id" : "d", "n": 1 }`)
	if a.statuses() != "held accepted refused accepted" {
		t.Fatal(a.body)
	}
	if got := fmt.Sprint(d.bodies()); got != `[{"id":"b","n":1} {"id":"d","n":1}]` {
		t.Error(got)
	}
	if strings.Contains(a.body, "CANARY") {
		t.Error("a receipt tells a value:", a.body)
	}
	es, err := d.j.Read(t.Context(), 0, 100)
	must(t, err)
	if s := fmt.Sprintf("%+v", es); strings.Contains(s, "CANARY") || !strings.Contains(s, "cut off ssn") {
		t.Error(s)
	}
	h, err := d.ward.Get(t.Context(), reeve.RecordID(a.receipts[0].ID))
	must(t, err)
	if string(h.Body) != `{"id":"a","n":1,"name":{"CANARY-2":1}}` {
		t.Errorf("held %s", h.Body)
	}
	d.db.Close()
	for _, f := range []string{"reeve.db", "reeve.db-wal"} {
		if b, err := os.ReadFile(filepath.Join(dir, f)); err == nil && bytes.Contains(b, []byte("CANARY")) {
			t.Error("a value stands in", f)
		}
	}
}

// The hospital sends all its patients; only notices of death may come in.
func TestPatients(t *testing.T) {
	d := open(t, t.TempDir(), nil)
	body, err := os.ReadFile("../testdata/real/fhir/patients.ndjson")
	must(t, err)
	a := d.send("rec-patient.v1", string(body))
	counts := map[string]int{}
	for _, r := range a.receipts {
		counts[r.Status]++
	}
	if counts["accepted"] != 10 || counts["refused"] != 50 {
		t.Fatalf("%d %v", a.status, counts)
	}
	for _, b := range d.bodies() {
		for _, bad := range []string{"us-ssn", "us-core-race", "999-", "identifier", "telecom"} {
			if strings.Contains(b, bad) {
				t.Errorf("%s in %s", bad, b)
			}
		}
	}
	if v := d.verbs(); v["accepted"] != 10 || v["refused"] != 50 {
		t.Error(v)
	}
	if r := a.receipts; !strings.HasPrefix(r[0].ID, "x1-") && !strings.HasPrefix(r[0].ID, "r1-") {
		t.Error(r[0])
	}
}
