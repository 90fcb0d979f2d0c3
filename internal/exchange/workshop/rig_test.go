package workshop_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"golang.org/x/net/html"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/example"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/exchange/workshop"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// The kinds of the estate, as far as flows read them.
type (
	orgSpec struct {
		Type   string `json:"type"`
		Parent string `json:"parent" def:"ref=Organisation"`
	}
	sysSpec struct {
		Organisation string `json:"organisation" def:"ref=Organisation"`
	}
)

const body = `apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-town, name: Town}
spec: {type: council}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-register, name: Register office}
spec: {parent: org-town}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-tax, name: Revenues}
spec: {parent: org-town}
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
kind: RecordType
metadata: {id: rec-death.v1, name: Death}
spec:
  schema: death.json
  key: /registration
  classification: {level: internal, personal: true, fields: {/name: confidential}}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-review.v1, name: Review}
spec: {schema: review.json}
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-register, name: Register}
spec: {system: sys-register, style: api}
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-tax, name: Council tax}
spec: {system: sys-tax, style: api, address: "env:TAX"}
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-tax, name: Deaths for council tax}
spec:
  from: org-town
  to: org-tax
  records:
  - {type: rec-death.v1, fields: [/registration, /status, /name, /died, /address/postcode], purposes: [review]}
  starts: 2020-01-01
  ends: 2036-12-31
---
apiVersion: reeve/v1
kind: Flow
metadata: {id: flow-tax, name: Deaths to council tax}
spec:
  from: if-register
  to: if-tax
  record: rec-death.v1
  target: rec-review.v1
  agreement: agr-tax
  purpose: review
  start: beginning
  filter: record.status == "registered"   # mistakes are not told
  map: maps/tax.blobl
`

const taxMap = `# To a task of an officer.
root.reference = this.registration
root.task = "review" # always
root.holder = this.name.given + " " + this.name.family
`

var files = map[string]string{
	"body.yaml": body,
	"death.json": `{"type": "object", "required": ["registration", "status", "name"], "additionalProperties": false, "properties": {
		"registration": {"type": "string"}, "status": {"enum": ["registered", "in-error"]},
		"name": {"type": "object", "required": ["given", "family"], "properties": {"given": {"type": "string"}, "family": {"type": "string"}}},
		"died": {"type": "string", "format": "date"}, "secret": {"type": "string"},
		"address": {"type": "object", "properties": {"postcode": {"type": "string"}, "line": {"type": "string"}}}}}`,
	"review.json": `{"type": "object", "required": ["reference", "task", "holder"], "additionalProperties": false, "properties": {
		"reference": {"type": "string"}, "task": {"type": "string"}, "holder": {"type": "string"},
		"diedOn": {"type": "string", "format": "date"}, "account": {"type": "object", "properties": {"postcode": {"type": "string"}}},
		"notes": {"type": "array", "items": {"type": "object", "properties": {"text": {"type": "string"}}}}}}`,
	"maps/tax.blobl": taxMap,
	"examples/flow-tax/registered.json": `{"about": "An adult", "given": {"registration": "R1", "status": "registered", "name": {"given": "Ann", "family": "Example"}, "died": "2026-01-31"},
		"expect": {"reference": "R1", "task": "review", "holder": "Ann Example"}}`,
	"examples/flow-tax/mistake.json": `{"given": {"registration": "R1", "status": "in-error", "name": {"given": "Ann", "family": "Example"}}, "skipped": "filtered"}`,
}

// rig is a workshop with a folder in memory.
type rig struct {
	t       testing.TB
	db      *store.DB
	log     *reclog.Log
	jn      *journal.Journal
	mux     *web.Mux
	reg     *def.Registry
	folder  fstest.MapFS
	earlier map[string]*def.Set
	set     *def.Set
	flows   *flow.Set
	saves   []workshop.Change
	message string
	closed  string // why nothing can be changed
	roles   []string
}

func newRig(t testing.TB) *rig {
	t.Helper()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	clock := func() time.Time { return now }
	r := &rig{t: t, folder: fstest.MapFS{}, earlier: map[string]*def.Set{}, roles: []string{"integration"}}
	for n, c := range files {
		r.folder[n] = &fstest.MapFile{Data: []byte(c)}
	}
	schemas := new(contract.Schemas)
	r.reg = def.NewRegistry(contract.Kind(schemas), agreement.Kind(schemas), iface.Kind(), flow.Kind(),
		def.Kind{Name: "Organisation", Spec: new(orgSpec)}, def.Kind{Name: "System", Spec: new(sysSpec)})
	ctx := t.Context()
	var err error
	r.db, err = store.Open(ctx, store.Options{Path: filepath.Join(t.TempDir(), "reeve.db"), Now: clock})
	r.check(err)
	t.Cleanup(func() { r.db.Close() })
	keys, err := seal.Open(ctx, r.db, bytes.Repeat([]byte{7}, 32))
	r.check(err)
	r.jn, err = journal.Open(ctx, r.db, journal.Options{Key: bytes.Repeat([]byte{9}, 32)})
	r.check(err)
	r.log, err = reclog.Open(ctx, r.db, keys)
	r.check(err)
	r.use()
	pol, err := policy.New(
		policy.Rule{Name: "edit", Actions: []string{"flow.edit"}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal},
		policy.Rule{Name: "examples", Actions: []string{"flow.examples"}, Kinds: []reeve.ActorKind{reeve.Staff}, Roles: []string{"integration"}, Max: reeve.Confidential},
		policy.Rule{Name: "internal", Actions: []string{"flow.examples"}, Kinds: []reeve.ActorKind{reeve.Staff}, Roles: []string{"apprentice"}, Max: reeve.Internal})
	r.check(err)
	r.mux = web.New(web.Options{Policy: pol, Now: clock, Log: slog.New(slog.DiscardHandler), Body: "Town"})
	r.mux.Authenticate(func(*http.Request) (reeve.Actor, bool, error) {
		return reeve.Actor{ID: "staff/1", Kind: reeve.Staff, Roles: r.roles, Assurance: reeve.Assurance{Identity: 2, Authentication: 2}}, true, nil
	})
	workshop.New(workshop.Options{DB: r.db, Journal: r.jn, Log: r.log, Defs: func() *def.Set { return r.set }, Flows: func() *flow.Set { return r.flows },
		Editor: r, Now: clock}).Mount(r.mux)
	return r
}

func (r *rig) check(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// use puts the folder in force.
func (r *rig) use() {
	r.t.Helper()
	set, problems := def.Load(r.folder, r.reg)
	if len(problems) > 0 {
		r.t.Fatal(problems)
	}
	r.set, r.earlier[set.Hash()] = set, set
	if r.flows, problems = example.Flows(set, time.UTC); len(problems) > 0 {
		r.t.Fatal(problems)
	}
}

// The rig is the editor, too: of the folder in memory.

func (r *rig) ReadOnly() string { return r.closed }

func (r *rig) laid(c workshop.Change) (fstest.MapFS, error) {
	out := maps.Clone(r.folder)
	base := r.earlier[c.Base]
	for name, text := range c.Files {
		was, err := base.File(name)
		if err != nil {
			was = nil
		}
		if f := r.folder[name]; f != nil && string(f.Data) != string(was) {
			return nil, reeve.E(reeve.Conflict, "rig", "%s was changed by somebody else", name)
		}
		out[name] = &fstest.MapFile{Data: text}
	}
	yaml := string(r.folder["body.yaml"].Data)
	for field, v := range c.Set {
		lines := slices.DeleteFunc(strings.Split(yaml, "\n"), func(l string) bool { return strings.HasPrefix(l, "  "+field+":") })
		if yaml = strings.Join(lines, "\n"); v != nil {
			yaml = strings.TrimRight(yaml, "\n") + fmt.Sprintf("\n  %s: %q\n", field, v)
		}
	}
	out["body.yaml"] = &fstest.MapFile{Data: []byte(yaml)}
	return out, nil
}

func (r *rig) Try(_ context.Context, c workshop.Change) (p workshop.Plan, err error) {
	folder, err := r.laid(c)
	if err != nil {
		return p, err
	}
	for _, name := range slices.Sorted(maps.Keys(folder)) {
		was, _ := fs.ReadFile(r.folder, name)
		if is := folder[name].Data; string(is) != string(was) {
			p.Files = append(p.Files, workshop.File{Name: name, Before: was, After: is})
		}
	}
	p.After, p.Problems = def.Load(folder, r.reg)
	return p, nil
}

func (r *rig) Save(ctx context.Context, actor, message string, c workshop.Change) (workshop.Saved, error) {
	p, err := r.Try(ctx, c)
	if err != nil || len(p.Problems) > 0 {
		return workshop.Saved{Problems: p.Problems}, err
	}
	r.folder, err = r.laid(c)
	r.saves, r.message = append(r.saves, c), actor+": "+message
	r.use()
	return workshop.Saved{Commit: "c0ffee"}, err
}

func (r *rig) accept(bodies ...string) {
	r.t.Helper()
	recs := make([]reclog.Record, len(bodies))
	for i, b := range bodies {
		recs[i] = reclog.Record{Type: "rec-death.v1", Sender: "org-register", Key: fmt.Sprint(i), Set: "s", Body: []byte(b)}
	}
	r.check(r.db.Update(r.t.Context(), func(tx *store.Tx) error { return r.log.Append(tx, recs) }))
}

// page is a page as a browser without scripts sees it: its text, and its form.
type page struct {
	r    *rig
	code int
	html string
	form url.Values
	to   string
}

func (r *rig) ask(method, path string, form url.Values) *page {
	r.t.Helper()
	req := httptest.NewRequest(method, path, strings.NewReader(form.Encode()))
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	r.mux.ServeHTTP(w, req)
	p := &page{r: r, code: w.Code, html: w.Body.String(), form: url.Values{}, to: w.Header().Get("Location")}
	doc, err := html.Parse(strings.NewReader(p.html))
	r.check(err)
	for n := range doc.Descendants() {
		at := map[string]string{}
		for _, a := range n.Attr {
			at[a.Key] = a.Val
		}
		switch {
		case n.Data == "textarea" && n.FirstChild != nil:
			p.form.Set(at["name"], strings.TrimPrefix(n.FirstChild.Data, "\n"))
		case n.Data == "textarea":
			p.form.Set(at["name"], "")
		case n.Data == "input" && at["type"] == "radio":
			if _, on := at["checked"]; on {
				p.form.Set(at["name"], at["value"])
			}
		case n.Data == "input":
			p.form.Set(at["name"], at["value"])
		}
	}
	return p
}

// press sends the form with some fields set.
func (p *page) press(do string, sets ...string) *page {
	p.r.t.Helper()
	form := maps.Clone(p.form)
	for i := 0; i < len(sets); i += 2 {
		form.Set(sets[i], sets[i+1])
	}
	form.Set("do", do)
	path := "/staff/flows/flow-tax/edit"
	if do == "show" {
		path = "/staff/flows/flow-tax/examples"
	}
	return p.r.ask("POST", path, form)
}

func (p *page) has(wants ...string) *page {
	p.r.t.Helper()
	text := html.UnescapeString(p.html)
	for _, w := range wants {
		if !strings.Contains(text, w) {
			p.r.t.Errorf("%q is not on the page (%d)", w, p.code)
		}
	}
	return p
}

func (p *page) lacks(not ...string) *page {
	p.r.t.Helper()
	text := html.UnescapeString(p.html)
	for _, w := range not {
		if strings.Contains(text, w) {
			p.r.t.Errorf("%q is on the page", w)
		}
	}
	return p
}
