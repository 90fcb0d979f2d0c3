package process_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/exchange/process"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// town is every system of the house move behind one server: what each was sent, by
// path, and how it answers.
type town struct {
	mu     sync.Mutex
	got    map[string][]sent // by path
	answer map[string]func(id string) (status int, body string)
	order  []string // paths with what they took, in order
}

type sent struct{ id, body string }

func (s *town) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	id := r.Header.Get("Idempotency-Key")
	s.mu.Lock()
	status, body := 201, ""
	if r.URL.Path == "/addresses" {
		status, body = 200, `{"uprn":"100","valid":true,"owner":"SECRETOWNER"}`
	}
	if fn := s.answer[r.URL.Path]; fn != nil {
		status, body = fn(id)
	}
	if status < 300 || status == 599 {
		known := slices.ContainsFunc(s.got[r.URL.Path], func(x sent) bool { return x.id == id && id != "" })
		if !known {
			s.got[r.URL.Path] = append(s.got[r.URL.Path], sent{id, string(b)})
			s.order = append(s.order, r.URL.Path+" "+id)
		}
	}
	s.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func (s *town) set(path string, fn func(id string) (int, string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer[path] = fn
}

func (s *town) paths() (out []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

func always(status int, body string) func(string) (int, string) {
	return func(string) (int, string) { return status, body }
}

type rig struct {
	t      *testing.T
	file   string
	url    string
	now    time.Time
	db     *store.DB
	jn     *journal.Journal
	log    *reclog.Log
	runner *process.Runner
	town   *town
	env    map[string]string
	src    fstest.MapFS
	schema contract.Schemas
	parked []process.Failed
}

func each(t *testing.T, fn func(t *testing.T, r *rig)) {
	for _, c := range []struct{ name, url string }{{"sqlite", ""}, {"postgres", "?"}} {
		t.Run(c.name, func(t *testing.T) {
			r := &rig{t: t, file: filepath.Join(t.TempDir(), "reeve.db"), now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC),
				town: &town{got: map[string][]sent{}, answer: map[string]func(string) (int, string){}}}
			if c.url != "" {
				r.url = storetest.Postgres(t)
			}
			srv := httptest.NewServer(r.town)
			t.Cleanup(srv.Close)
			r.env = map[string]string{"TOWN": srv.URL}
			r.open()
			t.Cleanup(func() { r.db.Close() })
			fn(t, r)
		})
	}
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) open() {
	r.t.Helper()
	ctx := r.t.Context()
	var err error
	r.db, err = store.Open(ctx, store.Options{Path: r.file, URL: r.url, Now: func() time.Time { return r.now }})
	r.check(err)
	keys, err := seal.Open(ctx, r.db, bytes.Repeat([]byte{7}, 32))
	r.check(err)
	r.jn, err = journal.Open(ctx, r.db, journal.Options{Key: bytes.Repeat([]byte{9}, 32)})
	r.check(err)
	r.log, err = reclog.Open(ctx, r.db, keys)
	r.check(err)
	r.runner, err = process.Open(ctx, process.Options{DB: r.db, Keys: keys, Log: r.log, Journal: r.jn, Slog: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return r.now }, Getenv: func(n string) string { return r.env[n] }, Timeout: time.Minute,
		Park: func(_ *store.Tx, f process.Failed) error { r.parked = append(r.parked, f); return nil }})
	r.check(err)
	if r.src != nil {
		r.load()
	}
}

type (
	orgSpec struct {
		Type   string `json:"type"`
		Parent string `json:"parent" def:"ref=Organisation"`
	}
	sysSpec struct {
		Organisation string `json:"organisation" def:"ref=Organisation"`
	}
)

const head = `
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-body, name: Ashcombe}
spec: {type: council}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-town, name: The town}
spec: {organisation: org-body}
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-housing, name: Housing}
spec: {system: sys-town, style: api}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-move.v1, name: Move}
spec: {schema: move.json, key: /ref, order: strict, classification: {level: confidential, personal: true}}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-address.v1, name: Address}
spec: {schema: address.json, classification: {level: confidential, personal: true}}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-moves, name: Moves}
spec:
  from: org-body
  to: org-body
  records:
  - {type: rec-move.v1, fields: [/ref, /to], purposes: [check, billing, voting]}
  - {type: rec-address.v1, fields: [/uprn], purposes: [billing]}
  starts: 2025-01-01
  ends: 2026-12-31
`

// step is a flow of the process and the interface that it goes to.
func step(id, path, purpose, more, ifc string) string {
	return fmt.Sprintf(`
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-%[1]s, name: The %[1]s}
spec: {system: sys-town, style: api, address: env:TOWN, path: %[2]s%[5]s}
---
apiVersion: reeve/v1
kind: Flow
metadata: {id: flow-%[1]s, name: To the %[1]s}
spec: {from: if-housing, to: if-%[1]s, record: rec-move.v1, agreement: agr-moves, purpose: %[3]s, via: process%[4]s}
`, id, path, purpose, more, ifc)
}

const key = ", repeat: key"

// use puts the house move in force: ask for the address, then tell tax, register and library.
func (r *rig) use(steps string, more ...string) {
	r.t.Helper()
	yaml := head + step("addresses", "/addresses", "check", "", key) +
		step("tax", "/tax", "billing", ", map: tax.blobl", key) + step("tax-undo", "/tax/undo", "billing", "", key) +
		step("register", "/register", "voting", ", map: register.blobl", key) + step("register-undo", "/register/undo", "voting", "", key) +
		step("library", "/library", "voting", "", key) + step("odd", "/odd", "voting", "", ", repeat: none") +
		"---\napiVersion: reeve/v1\nkind: Process\nmetadata: {id: proc-move, name: House move}\nspec:\n  record: rec-move.v1\n  start: beginning\n  giveUp: 1h\n  steps:\n" + steps
	r.src = fstest.MapFS{
		"body.yaml":      {Data: []byte(yaml + strings.Join(more, ""))},
		"move.json":      {Data: []byte(`{"type":"object","properties":{"ref":{"type":"string"},"to":{"type":"string"},"secret":{"type":"string"}}}`)},
		"address.json":   {Data: []byte(`{"type":"object","required":["valid"],"properties":{"uprn":{"type":"string"},"valid":{"type":"boolean"},"owner":{"type":"string"}}}`)},
		"tax.blobl":      {Data: []byte("root = this\nroot.answers = @answers")},
		"register.blobl": {Data: []byte("root = this\nroot.answers = @answers")},
	}
	r.load()
}

const houseMove = `  - {flow: flow-addresses, answer: {name: address, record: rec-address.v1}, require: answer.valid}
  - {flow: flow-tax, undo: flow-tax-undo}
  - {flow: flow-register, undo: flow-register-undo}
  - {flow: flow-library}
`

func (r *rig) load() {
	r.t.Helper()
	set, problems := def.Load(r.src, def.NewRegistry(contract.Kind(&r.schema), agreement.Kind(&r.schema), iface.Kind(), flow.Kind(), process.Kind(),
		def.Kind{Name: "Organisation", Spec: new(orgSpec)}, def.Kind{Name: "System", Spec: new(sysSpec)}))
	if len(problems) > 0 {
		r.t.Fatalf("definitions: %v", problems)
	}
	types, problems := contract.Compile(set)
	r.none(problems)
	agreements, problems := agreement.Compile(set, agreement.Options{})
	r.none(problems)
	flows, problems := flow.Compile(set, types, agreements, nil)
	r.none(problems)
	all, problems := process.Compile(set, types, flows)
	r.none(problems)
	r.runner.Use(all)
}

func (r *rig) none(problems []def.Problem) {
	r.t.Helper()
	if len(problems) > 0 {
		r.t.Fatal(problems)
	}
}

func (r *rig) accept(refs ...string) (recs []reclog.Record) {
	r.t.Helper()
	for _, ref := range refs {
		recs = append(recs, reclog.Record{Type: "rec-move.v1", Sender: "org-body", Key: ref, Set: "s",
			Body: fmt.Appendf(nil, `{"ref":%q,"secret":"SECRET","to":"1 High Street"}`, ref)})
	}
	r.check(r.db.Update(r.t.Context(), func(tx *store.Tx) error { return r.log.Append(tx, recs) }))
	return recs
}

func (r *rig) settle() {
	r.t.Helper()
	for range 1000 {
		n, err := r.runner.Step(r.t.Context())
		r.check(err)
		if n == 0 {
			return
		}
	}
	r.t.Fatal("it does not settle")
}

// verbs are what the journal says, in order.
func (r *rig) verbs() (out []string) {
	r.t.Helper()
	size, err := r.jn.Size(r.t.Context())
	r.check(err)
	es, err := r.jn.Read(r.t.Context(), 0, int(size))
	r.check(err)
	for _, e := range es {
		out = append(out, e.Verb)
	}
	return out
}

func (r *rig) want(what string, got, want []string) {
	r.t.Helper()
	if !slices.Equal(got, want) {
		r.t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func TestEveryStepInOrderWithTheAnswerWhereTheAgreementNamesIt(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(houseMove)
		id := string(r.accept("M1")[0].ID)
		r.settle()
		r.want("taken", r.town.paths(), []string{"/addresses " + id, "/tax " + id, "/register " + id, "/library " + id})
		r.want("tax", []string{r.town.got["/tax"][0].body}, []string{`{"answers":{"address":{"uprn":"100"}},"ref":"M1","to":"1 High Street"}`})
		r.want("register", []string{r.town.got["/register"][0].body}, []string{`{"answers":{},"ref":"M1","to":"1 High Street"}`})
		r.want("journal", r.verbs(), []string{"disclosing", "delivered", "disclosing", "delivered", "disclosing", "delivered", "disclosing", "delivered", "completed"})
		if all := fmt.Sprint(r.town.got); strings.Contains(all, "SECRET") {
			t.Error("something left that no agreement names:", all)
		}
	})
}

func TestWhatWasDoneIsUndoneWhenALaterStepIsRefused(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(houseMove)
		r.town.set("/library", always(422, `{"detail":"no such reader"}`))
		id := string(r.accept("M1")[0].ID)
		r.settle()
		r.want("taken", r.town.paths(), []string{"/addresses " + id, "/tax " + id, "/register " + id, "/register/undo " + id + ".undo", "/tax/undo " + id + ".undo"})
		if len(r.parked) != 1 || !strings.Contains(r.parked[0].Problems[0].Message, "no such reader") {
			t.Fatalf("parked: %+v", r.parked)
		}
		// Tried again, it is something new to every system.
		r.town.set("/library", nil)
		r.check(r.db.Update(t.Context(), func(tx *store.Tx) error { return r.runner.Retry(tx, "proc-move", r.parked[0].N) }))
		r.settle()
		r.want("taken again", r.town.paths()[5:], []string{"/addresses " + id + ".1", "/tax " + id + ".1", "/register " + id + ".1", "/library " + id + ".1"})
	})
}

func TestAnAnswerThatWillNotDoStopsTheProcess(t *testing.T) {
	for name, body := range map[string]string{"not required": `{"valid":false}`, "not its type": `{"uprn":7}`, "not JSON": `<html>`, "nothing": ``} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig) {
				r.use(houseMove)
				r.town.set("/addresses", always(200, body))
				r.accept("M1")
				r.settle()
				if got := r.town.paths(); len(got) > 1 {
					t.Errorf("told all the same: %q", got)
				}
				if len(r.parked) != 1 && name != "nothing" && name != "not JSON" { // the connector may call these unclear
					t.Errorf("parked: %+v", r.parked)
				}
			})
		})
	}
}

func TestASystemThatIsAway(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(houseMove)
		r.town.set("/register", always(503, ""))
		id := string(r.accept("M1")[0].ID)
		r.settle()
		r.want("taken", r.town.paths(), []string{"/addresses " + id, "/tax " + id})
		r.now = r.now.Add(10 * time.Minute)
		r.town.set("/register", nil)
		r.settle()
		r.want("taken later", r.town.paths()[2:], []string{"/register " + id, "/library " + id})

		// For too long: it has failed for good, and what may have been done is undone.
		r.town.set("/library", always(500, ""))
		id = string(r.accept("M2")[0].ID)
		r.settle()
		for range 20 {
			r.now = r.now.Add(6 * time.Minute)
			r.settle()
		}
		r.want("undone", r.town.paths()[len(r.town.paths())-2:], []string{"/register/undo " + id + ".undo", "/tax/undo " + id + ".undo"})
		if len(r.parked) != 1 {
			t.Errorf("parked: %+v", r.parked)
		}
	})
}

func TestRunsOfOneKeyGoOneAfterTheOther(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(houseMove)
		r.town.set("/library", func(id string) (int, string) {
			if strings.HasSuffix(id, "-1") {
				return 503, ""
			}
			return 201, ""
		})
		r.accept("SAME", "SAME", "OTHER")
		r.settle()
		var libraries []string
		for _, p := range r.town.paths() {
			if strings.HasPrefix(p, "/library") {
				libraries = append(libraries, p)
			}
		}
		if len(libraries) != 1 || !strings.HasSuffix(libraries[0], "-3") {
			t.Errorf("the first of its key is away, and these went on: %q", libraries)
		}
	})
}

func TestItGoesOnWhereItWasAfterACrash(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(houseMove)
		for at := range 4 { // the system takes it; we die before we write that down
			path := []string{"/addresses", "/tax", "/register", "/library"}[at]
			ctx, die := context.WithCancel(t.Context())
			died := false
			r.town.set(path, func(string) (int, string) {
				if !died {
					died = true
					r.db.Close()
					die()
				}
				if path == "/addresses" {
					return 200, `{"uprn":"100","valid":true}`
				}
				return 201, ""
			})
			id := string(r.accept(fmt.Sprint("M", at))[0].ID)
			for ctx.Err() == nil {
				_, _ = r.runner.Step(ctx)
			}
			r.runner.Wait()
			r.open()
			r.settle()
			n := map[string]int{}
			for _, p := range r.town.paths() {
				if strings.HasSuffix(p, " "+id) {
					n[p]++
				}
			}
			if len(n) != 4 || n["/tax "+id] != 1 || n["/library "+id] != 1 {
				t.Errorf("killed at %s: effects %v", path, n)
			}
			r.town.set(path, nil)
		}
		if len(r.parked) > 0 {
			t.Errorf("parked: %+v", r.parked)
		}
	})
}

func TestAnUnclearAnswerOfASystemThatKnowsNoRepeat(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use("  - {flow: flow-tax, undo: flow-tax-undo}\n  - {flow: flow-odd, undo: flow-register-undo}\n  - {flow: flow-library}\n")
		r.town.set("/odd", always(599, ""))
		recs := r.accept("M1", "M2")
		r.settle()
		r.now = r.now.Add(48 * time.Hour)
		r.settle()
		if n := len(r.town.got["/odd"]); n != 2 {
			t.Fatalf("sent %d times, want 2", n)
		}
		staff := reeve.Actor{ID: "staff/1", Kind: reeve.Staff}
		r.check(r.runner.Decide(t.Context(), staff, "proc-move", recs[0].N, process.Arrived, ""))
		if err := r.runner.Decide(t.Context(), staff, "proc-move", recs[0].N, process.Arrived, ""); reeve.KindOf(err) != reeve.Conflict {
			t.Error("decided twice:", err)
		}
		r.town.set("/odd", always(422, ""))
		r.check(r.runner.Decide(t.Context(), staff, "proc-move", recs[1].N, process.Again, ""))
		r.settle()
		if len(r.town.got["/library"]) != 1 || len(r.town.got["/tax/undo"]) != 1 || len(r.town.got["/register/undo"]) != 0 {
			t.Errorf("library %v, undone %v and %v", r.town.got["/library"], r.town.got["/tax/undo"], r.town.got["/register/undo"])
		}
	})
}

func TestWhatCannotBeUndoneWaitsForAPerson(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(houseMove)
		r.town.set("/library", always(422, ""))
		r.town.set("/register/undo", always(422, ""))
		rec := r.accept("M1")[0]
		r.settle()
		if len(r.town.got["/tax/undo"]) != 0 || len(r.parked) != 0 {
			t.Fatal("it went on", r.town.paths())
		}
		staff := reeve.Actor{ID: "staff/1", Kind: reeve.Staff}
		if err := r.runner.Decide(t.Context(), staff, "proc-move", rec.N, process.ByHand, ""); reeve.KindOf(err) != reeve.Invalid {
			t.Error("without a reason:", err)
		}
		r.check(r.runner.Decide(t.Context(), staff, "proc-move", rec.N, process.ByHand, "taken off the list by telephone"))
		r.settle()
		if len(r.town.got["/tax/undo"]) != 1 || len(r.parked) != 1 {
			t.Error("it did not go on", r.town.paths(), r.parked)
		}
	})
}

func TestNothingLeavesWithoutAJournal(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(houseMove)
		rename := func(from, to string) {
			r.check(r.db.Update(t.Context(), func(tx *store.Tx) error {
				_, err := tx.Exec("alter table " + from + " rename to " + to)
				return err
			}))
		}
		rename("journal_pack", "journal_pack_gone")
		r.accept("M1")
		for range 3 {
			_, _ = r.runner.Step(t.Context())
		}
		r.runner.Wait()
		if got := r.town.paths(); len(got) > 0 {
			t.Errorf("without a journal: %q", got)
		}
		rename("journal_pack_gone", "journal_pack")
		r.later()
		if got := r.town.paths(); len(got) != 4 {
			t.Errorf("with the journal back: %q", got)
		}
	})
}

func TestAnAgreementThatEndedStopsIt(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(houseMove)
		r.accept("M1")
		r.now = time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)
		r.settle()
		if got := r.town.paths(); len(got) > 0 {
			t.Errorf("without an agreement: %q", got)
		}
	})
}

func TestWhatIsKeptIsSealed(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.use(houseMove)
		r.town.set("/tax", always(503, ""))
		r.accept("M1")
		r.settle()
		var kept []byte
		r.check(r.db.View(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow(`select kept from process_run`).Scan(&kept)
		}))
		if len(kept) == 0 || bytes.Contains(kept, []byte("High Street")) || json.Valid(kept) {
			t.Errorf("%q", kept)
		}
	})
}

func TestMistakesAreTold(t *testing.T) {
	r := &rig{t: t}
	for _, c := range []struct{ steps, want string }{
		{"  - {flow: flow-tax, require: answer.valid}\n", "there is no answer"},
		{"  - {flow: flow-tax}\n  - {flow: flow-tax}\n", "used in another step"},
		{"  - {flow: flow-addresses, answer: {name: a, record: rec-address.v1}, require: answer.valid +}\n", "body.yaml"},
		{"  - {flow: flow-carried}\n", "via: process"},
		{"  []\n", "at least"},
	} {
		yaml := head + step("addresses", "/addresses", "check", "", key) + step("tax", "/tax", "billing", "", key) + strings.Replace(step("carried", "/c", "billing", "", key), "via: process", "via: exchange", 1) +
			"---\napiVersion: reeve/v1\nkind: Process\nmetadata: {id: proc-move, name: House move}\nspec:\n  record: rec-move.v1\n  steps:\n" + c.steps
		src := fstest.MapFS{"body.yaml": {Data: []byte(yaml)}, "move.json": {Data: []byte(`{"type":"object","properties":{"ref":{"type":"string"},"to":{"type":"string"}}}`)},
			"address.json": {Data: []byte(`{"type":"object","properties":{"uprn":{"type":"string"},"valid":{"type":"boolean"}}}`)}}
		_, problems := def.Load(src, def.NewRegistry(contract.Kind(&r.schema), agreement.Kind(&r.schema), iface.Kind(), flow.Kind(), process.Kind(),
			def.Kind{Name: "Organisation", Spec: new(orgSpec)}, def.Kind{Name: "System", Spec: new(sysSpec)}))
		got := fmt.Sprint(problems)
		if !strings.Contains(got, c.want) {
			t.Errorf("%s:\n got %s\nwant %q", c.steps, got, c.want)
		}
	}
}
