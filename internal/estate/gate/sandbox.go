package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Environment asks for the discovery environment of a pilot: a body of its own
// with made-up data, to be served beside this one. The worker makes it.
func (k *Keeper) Environment(tx *store.Tx, s *register.Snapshot, r *Request, by string) error {
	const op = "gate.Environment"
	r, err := k.fresh(tx, r)
	if err != nil {
		return err
	}
	p := r.Spec.Pilot
	switch {
	case k.o.Dir == "":
		return reeve.E(reeve.Invalid, op, "this program keeps no files, so it cannot make an environment: start it with a data folder")
	case r.Spec.Kind != "pilot" || r.Gate() != Discovery || !r.Waits():
		return reeve.E(reeve.Conflict, op, "only a pilot in discovery has an environment")
	case p == nil || p.Ends == nil:
		return reeve.E(reeve.Invalid, op, "a pilot needs a last day before it gets an environment")
	case p.Ends.Before(s.Today):
		return reeve.E(reeve.Conflict, op, "the pilot ended on %s", p.Ends)
	case r.Folder() != "":
		return reeve.E(reeve.Conflict, op, "the environment is there already")
	}
	if touches, known := Sensitive(s, r); touches || !known {
		return reeve.E(reeve.Conflict, op, "the pilot touches confidential data, or nobody has said that it does not: a discovery environment is for made-up data only")
	}
	starts := s.Today
	if p.Starts != nil && p.Starts.After(starts) {
		starts = *p.Starts
	}
	if p.Ends.Sub(starts) > MaxPilotDays {
		return reeve.E(reeve.Invalid, op, "a pilot ends within a year: it would last until %s", p.Ends)
	}
	c := *p
	c.Starts, c.Environment = &starts, filepath.Join("pilots", r.ID)
	r.Spec.Pilot = &c
	return k.step(tx, r, Step{Actor: by, Verb: "environment", From: r.Gate(), To: r.Gate()})
}

// Folder is where the environment of a pilot was asked for, below the keeper's
// folder; "" if it was not.
func (r *Request) Folder() string {
	if r.Spec.Pilot == nil {
		return ""
	}
	return r.Spec.Pilot.Environment
}

// Ended reports whether the pilot's environment was closed.
func (r *Request) Ended() bool {
	return slices.ContainsFunc(r.Steps, func(s Step) bool { return s.Verb == "ended" })
}

// Folder is where the environment of a pilot stands; "" if it has none.
func (k *Keeper) Folder(r *Request) string {
	if k.o.Dir == "" || r.Folder() == "" {
		return ""
	}
	return filepath.Join(k.o.Dir, r.Folder())
}

// Step is the worker: it makes the environments that were asked for, and closes
// those of pilots that are over.
func (k *Keeper) Step(ctx context.Context) (did int, err error) {
	if k.o.Dir == "" {
		return 0, nil
	}
	var all []*Request
	var today def.Date
	err = k.o.DB.View(ctx, func(tx *store.Tx) error {
		n, err := steps(tx)
		if err != nil {
			return err
		}
		today = def.DateOf(tx.Now.In(k.o.Zone))
		mark := fmt.Sprint(n, today)
		if old := k.seen.Swap(&mark); old != nil && *old == mark {
			return nil
		}
		all, err = k.list(tx, tx.Now)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, r := range all {
		if r.Folder() == "" || r.Ended() {
			continue
		}
		if r.Waits() && r.Gate() == Discovery && !today.After(*r.Spec.Pilot.Ends) {
			made, err := k.build(r)
			if err != nil {
				k.seen.Store(nil)
				return did, err
			}
			if made {
				did++
			}
			continue
		}
		if err := k.shut(ctx, r); err != nil {
			k.seen.Store(nil)
			return did, err
		}
		did++
	}
	return did, nil
}

// build writes the folder beside its place and moves it there, so that it is
// whole or not there.
func (k *Keeper) build(r *Request) (made bool, err error) {
	dir := k.Folder(r)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	tmp := dir + ".new"
	if err := os.RemoveAll(tmp); err != nil {
		return false, err
	}
	for name, content := range Sandbox(r, dir) {
		file := filepath.Join(tmp, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return false, err
		}
		if err := os.WriteFile(file, []byte(content), 0o640); err != nil {
			return false, err
		}
	}
	return true, os.Rename(tmp, dir)
}

// shut closes an environment: its definitions are put aside, so that nobody
// serves it any more. What was tried stays to be read.
func (k *Keeper) shut(ctx context.Context, r *Request) error {
	dir := k.Folder(r)
	err := os.Rename(filepath.Join(dir, "body"), filepath.Join(dir, "body-ended"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return k.o.DB.Update(ctx, func(tx *store.Tx) error {
		r, err := k.must(tx, r.ID)
		if err != nil || r.Ended() {
			return err
		}
		return k.step(tx, r, Step{Actor: ByRule, Verb: "ended", From: r.Gate(), To: r.Gate(), Reason: "The pilot is over, so its environment is closed."})
	})
}

// Sandbox is the discovery environment of a pilot: file names and contents. All
// people and things in it are made up.
func Sandbox(r *Request, dir string) map[string]string {
	quote := strconv.Quote
	p := r.Spec.Pilot
	name := quote(r.Name)
	draft := r.Draft
	spec := []string{"organisation: org-pilot", "owner: post-pilot", "lifecycle: {phase: pilot}", "data: {class: internal, personal: false}"}
	if draft.Hosting != "" {
		spec = append(spec, "hosting: "+draft.Hosting)
	}
	if draft.Product != "" {
		spec = append(spec, "product: "+quote(draft.Product))
	}
	if len(draft.Clients) > 0 {
		spec = append(spec, "clients: ["+strings.Join(draft.Clients, ", ")+"]")
	}
	var people strings.Builder
	for i := range 20 {
		b, err := json.Marshal(map[string]any{"number": fmt.Sprintf("MADE-UP-%04d", i+1), "on": p.Starts.AddDays(-i).String(), "where": fmt.Sprintf("%d Example Street", i+1), "what": []string{"pothole", "street light", "litter", "noise"}[i%4]})
		if err != nil {
			panic(err) // strings and numbers only
		}
		people.Write(append(b, '\n'))
	}
	return map[string]string{
		"README.md":           fmt.Sprintf(sandboxReadme, r.Name, r.ID, p.Ends, filepath.Join(dir, "body"), filepath.Join(dir, "body"), filepath.Join(dir, "data", "served")),
		"body/body.yaml":      fmt.Sprintf(sandboxBody, r.ID, p.Ends, quote(r.Name+" (sandbox)"), name, strings.Join(spec, "\n  "), p.Starts, p.Ends),
		"body/sample.json":    sandboxSchema,
		"data/made-up.ndjson": people.String(),
	}
}

// What a sandbox holds: the words that say what it is, its definitions, and the
// schema of the one record type.
const (
	sandboxReadme = `# %s: a place to try it

This folder is a public body of its own, made for the pilot %s. Everything in it
is made up. It ends on **%s**: after that day the body is put aside and the
request shows as overdue.

    reeve check %s
    reeve serve --definitions %s --data %s --listen 127.0.0.1:8090

- Put no confidential or restricted data here, and nothing about real people.
- Change what you like: it is yours until it ends, and nothing else depends on it.
- Send it something: data/made-up.ndjson holds twenty records of the type rec-sample.v1.
`
	sandboxBody = `# The sandbox of the pilot %s. All of it is made up. It ends on %s.
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-pilot, name: %s}
spec: {type: council}
---
apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-neighbour, name: A made-up neighbour}
spec: {type: partner}
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-pilot, name: %s}
spec:
  %s
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-neighbour, name: What the neighbour sends from}
spec: {organisation: org-neighbour, hosting: saas}
---
apiVersion: reeve/v1
kind: RecordType
metadata: {id: rec-sample.v1, name: Made-up report}
spec:
  schema: sample.json
  key: /number
  classification: {level: internal, personal: false}
  master: sys-neighbour
---
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-neighbour, name: "The neighbour, reports"}
spec: {system: sys-neighbour, style: api, records: [rec-sample.v1]}
---
# Let this be taken to a folder: env:PILOT_FOLDER says which.
apiVersion: reeve/v1
kind: Interface
metadata: {id: if-pilot, name: "The pilot, files"}
spec:
  system: sys-pilot
  style: file
  address: env:PILOT_FOLDER
  format: csv
  columns: [number, on, where, what]
  repeat: key
---
apiVersion: reeve/v1
kind: Agreement
metadata: {id: agr-pilot, name: Made-up reports for the pilot}
spec:
  from: org-neighbour
  to: org-pilot
  records:
  - {type: rec-sample.v1, fields: [/number, /on, /where, /what], purposes: [pilot]}
  starts: %s
  ends: %s
`
	sandboxSchema = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["number", "on", "what"],
  "additionalProperties": false,
  "properties": {
    "number": {"type": "string"},
    "on": {"type": "string", "format": "date"},
    "where": {"type": "string"},
    "what": {"enum": ["pothole", "street light", "litter", "noise"]}
  }
}
`
)
