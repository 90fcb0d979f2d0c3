// Package workshop is where a flow is changed and tried in a page: its fields are
// picked side by side, its map and filter are written, and it is run on its examples
// and on what really came, before and after. What is saved is a commit.
//
// What is guaranteed. Nothing that the page does reaches a receiver, or the flow in
// force, before it is saved; and nothing is saved with which the definitions would not
// load, or with which an example would fail. A change that somebody else made to the
// flow meanwhile is never overwritten. Real records are shown masked; their values
// only to who may see their class and says why, and the journal keeps both. A map is
// first read and run in a process of its own, where it can do no harm.
//
// What not to assume. That a change is in force once it is saved: where changes are
// agreed first, it is a proposal.
package workshop

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/example"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/rehearsal"
	"github.com/reeve-civic/reeve/internal/exchange/sandbox"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Editor keeps the definitions. Another block answers.
type Editor interface {
	// Try works out what a change would do, and does nothing.
	Try(ctx context.Context, c Change) (Plan, error)
	// Save makes it in an actor's name. Saved.Problems are why it was not.
	Save(ctx context.Context, actor, message string, c Change) (Saved, error)
	// ReadOnly says why nothing can be changed here; "" where it can.
	ReadOnly() string
}

// Change is a flow with what belongs to it in another way.
type Change struct {
	Flow  string
	Base  string            // hash of the set that the person looked at
	Set   map[string]any    // fields below spec; nil removes
	Files map[string][]byte // whole files beside the definition: its map, its examples
}

// Plan is what a change would do.
type Plan struct {
	After    *def.Set // nil with problems
	Files    []File
	Problems []def.Problem
}

// File is a file before and after; nil where there is none.
type File struct {
	Name          string
	Before, After []byte
}

// Saved is what became of a change.
type Saved struct {
	Commit   string
	Branch   string // where it waits to be agreed; "" where it is in force
	Problems []def.Problem
}

// Options of a desk.
type Options struct {
	DB      *store.DB
	Journal *journal.Journal
	Log     *reclog.Log
	Defs    func() *def.Set  // in force
	Flows   func() *flow.Set // in force
	Editor  Editor
	Box     *sandbox.Box
	Zone    *time.Location
	Now     func() time.Time
}

// Desk is the workshop.
type Desk struct{ o Options }

// New makes a desk.
func New(o Options) *Desk {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.Box == nil {
		o.Box = new(sandbox.Box)
	}
	return &Desk{o}
}

// draft is a flow as somebody is changing it.
type draft struct {
	Flow     *flow.Flow // in force
	Base     string
	Filter   string
	Map      string
	Examples map[string]example.Body // changed or new ones, by name

	set     *def.Set // in force
	file    string   // of the map
	was     string   // the map in force
	problem error    // with which it was not tried
	plan    Plan
	then    *flow.Set // as it would be; nil with problems
}

// begin is the draft of a flow as it is in force.
func (d *Desk) begin(id string) (*draft, error) {
	set := d.o.Defs()
	f, ok := d.o.Flows().Get(id)
	if !ok {
		return nil, reeve.E(reeve.NotFound, "workshop.begin", "there is no flow %q", id)
	}
	r := &draft{Flow: f, Base: set.Hash(), Filter: f.Spec.Filter, Map: rehearsal.MapOf(set, f.ID), Examples: map[string]example.Body{}, set: set, file: f.Spec.Map}
	if r.was = r.Map; r.file == "" {
		o, _ := set.Lookup("Flow", f.ID)
		r.file = path.Join(path.Dir(o.File), "maps", f.ID+".blobl")
	}
	return r, nil
}

// change is the draft as a change of definitions.
func (r *draft) change() (Change, error) {
	c := Change{Flow: r.Flow.ID, Base: r.Base, Set: map[string]any{}, Files: map[string][]byte{}}
	if filter := strings.TrimSpace(r.Filter); filter == "" && r.Flow.Spec.Filter != "" {
		c.Set["filter"] = nil
	} else if filter != r.Flow.Spec.Filter {
		c.Set["filter"] = filter
	}
	switch text := strings.TrimSpace(r.Map); {
	case r.Map == r.was:
	case text == "" && r.Flow.Spec.Map != "":
		c.Set["map"] = nil
	case text != "":
		c.Files[r.file] = []byte(strings.TrimRight(r.Map, "\n") + "\n")
		if r.Flow.Spec.Map == "" {
			c.Set["map"] = r.file
		}
	}
	for name, x := range r.Examples {
		b, err := x.File()
		if err != nil {
			return c, err
		}
		c.Files[example.Place(r.set, r.Flow.ID, name)] = b
	}
	return c, nil
}

// some reports whether anything is different.
func (c Change) some() bool { return len(c.Set)+len(c.Files) > 0 }

// try works out a draft: what it would change and how its flow would run. What is
// wrong with it is in the draft; the error is another.
func (d *Desk) try(ctx context.Context, r *draft, recs []reclog.Record) error {
	c, err := r.change()
	if err != nil {
		return err
	}
	if !c.some() {
		r.then, r.plan.After = d.o.Flows(), r.set
		return nil
	}
	if r.Map != r.was {
		if err := d.tame(ctx, r, recs); err != nil {
			if k := reeve.KindOf(err); k != reeve.Invalid && k != reeve.TooLarge {
				return err
			}
			r.problem = err
			return nil
		}
	}
	if r.plan, err = d.o.Editor.Try(ctx, c); err != nil {
		if k := reeve.KindOf(err); k == reeve.Invalid || k == reeve.Conflict || k == reeve.TooLarge {
			r.problem = err
			return nil
		}
		return err
	}
	if r.plan.After == nil {
		return nil
	}
	var problems []def.Problem
	if r.then, problems = example.Flows(r.plan.After, d.o.Zone); len(problems) > 0 {
		r.plan.Problems = problems
	}
	return nil
}

// tame reads and runs a map where it can do no harm, on all that it will be run on
// here.
func (d *Desk) tame(ctx context.Context, r *draft, recs []reclog.Record) error {
	if strings.TrimSpace(r.Map) == "" {
		return nil
	}
	var bodies []json.RawMessage
	for i := range recs {
		if cut := r.Flow.Cut(ctx, &recs[i]); len(cut) > 0 {
			bodies = append(bodies, cut)
		}
	}
	for _, x := range r.examples() {
		if cut := r.Flow.Cut(ctx, &reclog.Record{Body: x.Given, Type: r.Flow.Type.ID}); len(cut) > 0 {
			bodies = append(bodies, cut)
		}
	}
	if len(r.Map) > sandbox.MaxSource {
		return reeve.E(reeve.TooLarge, "workshop.tame", "a map of more than %d KiB is changed in its file, %s", sandbox.MaxSource>>10, r.file)
	}
	_, err := d.o.Box.Run(ctx, r.Map, bodies)
	if reeve.KindOf(err) == reeve.TooLarge {
		return reeve.E(reeve.TooLarge, "workshop.tame", "the map takes too long or makes too much: it was stopped, and nothing was tried")
	}
	return err
}

// examples are those of the flow, with the draft's own.
func (r *draft) examples() (list []example.Example) {
	all, _ := example.Read(r.set)
	for _, x := range all {
		if _, changed := r.Examples[x.Name]; x.Flow == r.Flow.ID && !changed {
			list = append(list, x)
		}
	}
	for name, b := range r.Examples {
		list = append(list, example.Example{Flow: r.Flow.ID, Name: name, File: example.Place(r.set, r.Flow.ID, name), Body: b})
	}
	slices.SortFunc(list, func(a, b example.Example) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// run runs the examples of a draft.
func (d *Desk) run(ctx context.Context, r *draft) (out []example.Result) {
	if r.then == nil {
		return nil
	}
	for _, x := range r.examples() {
		out = append(out, example.Run(ctx, r.then, x, d.o.Zone, d.o.Now()))
	}
	return out
}

// accept takes what a draft makes of an example as what is expected.
func (d *Desk) accept(ctx context.Context, r *draft, name string) error {
	if err := d.try(ctx, r, nil); err != nil {
		return err
	}
	if r.then == nil {
		return nil
	}
	for _, x := range r.examples() {
		if x.Name == name {
			r.Examples[name] = expected(x.Body, example.Run(ctx, r.then, x, d.o.Zone, d.o.Now()))
			return nil
		}
	}
	return reeve.E(reeve.NotFound, "workshop.accept", "there is no example %q", name)
}

// expected is an example that expects what came of it.
func expected(b example.Body, r example.Result) example.Body {
	b.Expect, b.Problems, b.Skipped = nil, nil, ""
	switch {
	case r.Became == flow.Sent.String():
		b.Expect = r.Got
	case len(r.Told) > 0:
		for _, p := range r.Told {
			b.Problems = append(b.Problems, example.Problem{Path: p.Path, Message: p.Message})
		}
	default:
		b.Skipped = r.Became
	}
	return b
}

// failing are the examples that are not as expected.
func failing(results []example.Result) (names []string) {
	for _, x := range results {
		if !x.OK {
			names = append(names, x.Example)
		}
	}
	return names
}

// save makes a draft's change, if it is right and its examples are.
func (d *Desk) save(ctx context.Context, actor, message string, r *draft) (Saved, error) {
	const op = "workshop.save"
	c, err := r.change()
	switch {
	case err != nil:
		return Saved{}, err
	case d.o.Editor.ReadOnly() != "":
		return Saved{}, reeve.E(reeve.Conflict, op, "%s", d.o.Editor.ReadOnly())
	case !c.some():
		return Saved{}, reeve.E(reeve.Invalid, op, "nothing would change: it says so already")
	}
	if err := d.try(ctx, r, nil); err != nil {
		return Saved{}, err
	}
	switch {
	case r.problem != nil:
		return Saved{}, r.problem
	case len(r.plan.Problems) > 0:
		return Saved{Problems: r.plan.Problems}, nil
	}
	if bad := failing(d.run(ctx, r)); len(bad) > 0 {
		return Saved{}, reeve.E(reeve.Invalid, op, "nothing was saved: not as expected are the examples %s. Change the map, or say that the new result is right", strings.Join(bad, ", "))
	}
	if message = strings.TrimSpace(message); message == "" {
		message = "Change Flow " + r.Flow.ID
	}
	return d.o.Editor.Save(ctx, actor, message, c)
}

// most is how many fields a side of the page lists.
const most = 400

// sources are the fields that the flow sees.
func (r *draft) sources() (fields []contract.Field, more bool) {
	fields, more = r.Flow.Type.Fields(most, r.Flow.Fields...)
	for _, p := range r.Flow.Fields { // of which the schema says nothing
		if p != "" && !slices.ContainsFunc(fields, func(f contract.Field) bool { return f.Path == p || strings.HasPrefix(f.Path, p+"/") }) {
			fields = append(fields, contract.Field{Path: p, Label: r.Flow.Type.Label(p), Class: r.Flow.Type.ClassOf(p)})
		}
	}
	slices.SortFunc(fields, byPath)
	return cutShort(fields, more)
}

// targets are the fields that the receiver gets, or may.
func (r *draft) targets() (fields []contract.Field, more bool) {
	if r.Flow.Target != nil {
		fields, more = r.Flow.Target.Fields(most)
		return cutShort(fields, more)
	}
	add := func(p string) {
		if p != "" && !slices.ContainsFunc(fields, func(f contract.Field) bool { return f.Path == p }) {
			fields = append(fields, contract.Field{Path: p, Label: r.Flow.Type.Label(p), Class: r.Flow.Type.ClassOf(p)})
		}
	}
	for _, c := range r.Flow.Interface().Columns {
		add("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(c))
	}
	for _, l := range read(r.Map) {
		add(l.Target)
	}
	if len(fields) == 0 || whole(r.Map) || strings.TrimSpace(r.Map) == "" {
		all, _ := r.sources()
		for _, f := range all {
			add(f.Path)
		}
	}
	slices.SortFunc(fields, byPath)
	return cutShort(fields, more)
}

func byPath(a, b contract.Field) int {
	return cmp.Or(slices.Compare(contract.Tokens(a.Path), contract.Tokens(b.Path)), strings.Compare(a.Path, b.Path))
}

func cutShort(fields []contract.Field, more bool) ([]contract.Field, bool) {
	if len(fields) > most {
		return fields[:most], true
	}
	return fields, more
}

// find is a field of a list by its path.
func find(fields []contract.Field, at string) (contract.Field, bool) {
	i := slices.IndexFunc(fields, func(f contract.Field) bool { return f.Path == at })
	if i < 0 {
		return contract.Field{}, false
	}
	return fields[i], true
}

// Reasons are why somebody may want to see real values, by the code that the journal
// keeps. They are not free text: that could name a person.
var Reasons = map[string]string{
	"change":    "To see whether a change of this flow is right",
	"fault":     "To find out what is wrong with a delivery",
	"complaint": "Somebody asked or complained about what was told of them",
	"audit":     "To check what is told under the agreement",
}

// reasons are the codes in their order.
func reasons() []string { return slices.Sorted(maps.Keys(Reasons)) }

// latest are the newest records that the flow deals with.
func (d *Desk) latest(ctx context.Context, r *draft, n int) ([]reclog.Record, error) {
	flows := d.o.Flows()
	return rehearsal.Latest(ctx, d.o.Log, r.Flow.Type.IDs(), n, func(rec *reclog.Record) bool {
		return flows.Prepare(ctx, r.Flow, rec.At, rec, nil).Decision != flow.Elsewhere
	})
}

// note keeps in the journal who tried a flow on real records or saw them.
func (d *Desk) note(ctx context.Context, actor string, r *draft, recs []reclog.Record, verb string, why ...string) error {
	es := []journal.Entry{{Actor: actor, Verb: verb, About: reeve.Ref("flow/" + r.Flow.ID), Purpose: r.Flow.Purpose, Set: r.Base, Why: why}}
	if verb == "saw" {
		for i := range recs {
			es = append(es, journal.Entry{Actor: actor, Verb: verb, About: reeve.Ref("record/" + string(recs[i].ID)), Purpose: r.Flow.Purpose, Set: r.Base, Why: append([]string{"example of " + r.Flow.ID}, why...)})
		}
	}
	return d.o.DB.Update(ctx, func(tx *store.Tx) error {
		_, err := d.o.Journal.Append(tx, es...)
		return err
	})
}

// indented is a body as people read it.
func indented(body []byte) string {
	var b bytes.Buffer
	if err := json.Indent(&b, body, "", "  "); err != nil {
		return ""
	}
	return b.String()
}
