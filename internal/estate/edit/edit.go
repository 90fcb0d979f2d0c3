// Package edit changes definitions for people who work in pages. A change is a
// commit in the git repository of the definitions folder, with the person as its
// author; or, where changes are to be agreed first, a branch pushed upstream.
//
// What is guaranteed. Only the bytes concerned change: comments, other fields and
// other documents stay as they are. Nothing is written that would not load. A
// change that somebody else made to the same definition since the person looked is
// never overwritten: both are shown. What was changed in a file by hand and not
// committed is committed first, by itself and under its own message, or, where
// changes are proposed, refused; what is staged, or changed in other files, is
// neither lost nor included. A crash leaves either the old file or the new one
// whole; a new file that was not committed any more counts as changed by hand.
//
// What not to assume. Folders without a repository get one. Definitions that are
// built into the program cannot be changed.
package edit

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/def/form"
	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
)

// Options are what an Editor needs.
type Options struct {
	Dir      string // the definitions folder; "" where they are built in: nothing can be changed
	FS       fs.FS  // the built-in definitions, so that changes can be tried at least
	Upstream string // where to push proposals: a git URL; "" commits to the folder's own repository
	Token    string // for an upstream over https; "" for none
	Registry *def.Registry
	Now      func() time.Time
	// Set is the set in force; Earlier reads one that once was.
	Set     func() *def.Set
	Earlier func(ctx context.Context, hash string) (*def.Set, error)
	// Reload takes up the folder after a commit.
	Reload func(ctx context.Context) ([]def.Problem, error)
}

// Editor changes definitions. It is safe for concurrent use.
type Editor struct {
	o  Options
	mu sync.Mutex // one change at a time
}

// New makes an editor.
func New(o Options) *Editor { return &Editor{o: o} }

// ReadOnly says why nothing can be changed here; "" where it can.
func (e *Editor) ReadOnly() string {
	if e.o.Dir == "" {
		return "These definitions are read only: they are built into the program. Start it with --definitions and a folder to change them."
	}
	return ""
}

// Proposes reports whether changes are pushed upstream to be agreed, rather than
// put in force.
func (e *Editor) Proposes() bool { return e.o.Upstream != "" }

// Change is one definition made, changed or removed by a person.
type Change struct {
	Kind, ID string
	Name     string         // "" leaves it; of a new one, what people call it
	Set      map[string]any // paths below spec ("lifecycle.phase") or from the root ("spec.owner", "metadata.labels") to their new values; nil removes
	Rename   string         // a new id; the present one is kept in formerly
	New      bool
	File     string // for a new one: where it goes; "" is estate/<kind>s.yaml
	Remove   bool
	Raw      string // instead of Set: the whole document as text
	// Beside are whole files that belong to the definition, its map or its examples,
	// by their names within the folder; nil removes one.
	Beside map[string][]byte
}

// Person is who makes a change.
type Person struct{ Name, Email string }

// File is a file before and after a change.
type File struct {
	Name          string
	Before, After []byte // nil: not there
}

// Plan is what a change would do.
type Plan struct {
	Files    []File
	Problems []def.Problem // with which it would not load
	After    *def.Set      // the set with the change; nil with problems
}

// Outcome is what became of a change.
type Outcome struct {
	Commit   string        // of the change
	Branch   string        // that was pushed; "" where the change is in force
	Problems []def.Problem // because of which nothing was done
}

// Clash is the error of a change to something that somebody else changed meanwhile.
type Clash struct {
	Kind, ID  string
	Then, Now string // the definition when the person looked, and now; "" if it is not there
}

func (c *Clash) Error() string {
	return fmt.Sprintf("%s %s was changed by somebody else while you looked at it: nothing was saved. Look at what it is now, and make your change again", c.Kind, c.ID)
}

func readOnly(e *Editor) error {
	return reeve.E(reeve.Conflict, "edit", "%s", e.ReadOnly())
}

// Preview works out what changes would do, and does nothing. base is the hash of
// the set that the person looked at; "" for any.
func (e *Editor) Preview(ctx context.Context, base string, changes ...Change) (Plan, error) {
	if e.o.Dir == "" && e.o.FS == nil {
		return Plan{}, readOnly(e)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.plan(ctx, base, changes)
}

// Apply makes changes: all or none. base is the hash of the set that the person
// looked at; "" for any. The error is a Conflict that wraps a [Clash] where
// somebody else changed the same.
func (e *Editor) Apply(ctx context.Context, who Person, message, base string, changes ...Change) (Outcome, error) {
	if e.ReadOnly() != "" {
		return Outcome{}, readOnly(e)
	}
	if len(changes) == 0 {
		return Outcome{}, reeve.E(reeve.Invalid, "edit.Apply", "there is nothing to change")
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	p, err := e.plan(ctx, base, changes)
	if err != nil || len(p.Problems) > 0 {
		return Outcome{Problems: p.Problems}, err
	}
	p.Files = slices.DeleteFunc(p.Files, func(f File) bool { return string(f.Before) == string(f.After) && f.Before != nil })
	if len(p.Files) == 0 {
		return Outcome{}, reeve.E(reeve.Invalid, "edit.Apply", "nothing would change: it says so already")
	}
	if message = strings.TrimSpace(message); message == "" {
		message = summary(changes)
	}
	return e.keep(ctx, who, message, strings.ToLower(changes[0].Kind)+"-"+changes[0].ID, p.Files)
}

// keep puts files in force, or proposes them.
func (e *Editor) keep(ctx context.Context, who Person, message, proposal string, files []File) (Outcome, error) {
	r, err := openRepository(e.o.Dir, e.o.Now)
	if err != nil {
		return Outcome{}, err
	}
	if e.Proposes() {
		return r.propose(ctx, e.o.Upstream, e.o.Token, who, message, "propose/"+proposal, files)
	}
	out, err := r.commit(who, message, files)
	if err == nil && e.o.Reload != nil {
		out.Problems, err = e.o.Reload(ctx)
	}
	return out, err
}

// summary is a commit message for changes that nobody described.
func summary(changes []Change) string {
	c := changes[0]
	verb := "Change"
	switch {
	case c.New:
		verb = "Add"
	case c.Remove:
		verb = "Remove"
	case c.Rename != "":
		verb = "Rename"
	}
	s := verb + " " + c.Kind + " " + c.ID
	if n := len(changes) - 1; n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return s
}

func (e *Editor) plan(ctx context.Context, base string, changes []Change) (Plan, error) {
	f, err := openFolder(e.o.Dir, e.o.FS)
	if err != nil {
		return Plan{}, err
	}
	defer f.close()
	set, problems := e.current(f)
	if set == nil {
		return Plan{Problems: problems}, nil
	}
	if base != "" && base != set.Hash() {
		for _, c := range changes {
			if err := e.clash(ctx, base, set, c); err != nil {
				return Plan{}, err
			}
		}
	}
	for _, c := range changes {
		if err := e.besideClash(ctx, base, f, c); err != nil {
			return Plan{}, err
		}
		if err := e.change(f, set, c); err != nil {
			return Plan{}, err
		}
		if err := beside(f, c); err != nil {
			return Plan{}, err
		}
	}
	p := Plan{Files: f.changes()}
	for _, x := range p.Files {
		if len(x.After) > 4<<20 {
			return Plan{}, reeve.E(reeve.TooLarge, "edit.Apply", "%s would be larger than 4 MiB: put new definitions into another file", x.Name)
		}
	}
	p.After, p.Problems = def.Load(f, e.o.Registry)
	return p, nil
}

// current is the set as the folder has it: the one in force, if the folder has not
// changed since.
func (e *Editor) current(f *folder) (*def.Set, []def.Problem) {
	if e.o.Set != nil {
		if s := e.o.Set(); s != nil && f.same(s) {
			return s, nil
		}
	}
	return def.Load(f, e.o.Registry)
}

// clash reports a change by somebody else to the definition that c is about.
func (e *Editor) clash(ctx context.Context, base string, now *def.Set, c Change) error {
	mine, ok := now.Lookup(c.Kind, c.ID)
	out := &Clash{Kind: c.Kind, ID: c.ID}
	if ok {
		out.Now = mine.Source()
	}
	var then *def.Object
	if e.o.Earlier != nil {
		if old, err := e.o.Earlier(ctx, base); err == nil {
			then, _ = old.Lookup(c.Kind, c.ID)
		} else if reeve.KindOf(err) != reeve.NotFound {
			return err
		}
	}
	if then != nil {
		out.Then = then.Source()
	}
	if then == nil && mine == nil || then != nil && mine != nil && reflect.DeepEqual(then.Value(), mine.Value()) {
		return nil
	}
	return reeve.E(reeve.Conflict, "edit.Apply", "%w", out)
}

// besideClash reports a change by somebody else to a file beside a definition.
func (e *Editor) besideClash(ctx context.Context, base string, f *folder, c Change) error {
	if base == "" || e.o.Earlier == nil || len(c.Beside) == 0 {
		return nil
	}
	then, err := e.o.Earlier(ctx, base)
	if reeve.KindOf(err) == reeve.NotFound {
		return nil
	} else if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(c.Beside)) {
		was, _ := then.File(name)
		is, err := f.read(name)
		if err != nil && !isNotExist(err) {
			return err
		}
		if string(was) != string(is) {
			return reeve.E(reeve.Conflict, "edit.Apply", "%w", &Clash{Kind: c.Kind, ID: c.ID, Then: string(was), Now: string(is)})
		}
	}
	return nil
}

// beside puts the files of a change that are no definitions in place.
func beside(f *folder, c Change) error {
	for _, name := range slices.Sorted(maps.Keys(c.Beside)) {
		if ext := path.Ext(name); !plainName(name) || ext != ".blobl" && ext != ".json" {
			return reeve.E(reeve.Invalid, "edit", "%q cannot be a file beside a definition: write a name within the folder that ends in .blobl or .json", name)
		}
		if err := f.write(name, string(c.Beside[name])); err != nil {
			return err
		}
	}
	return nil
}

// change makes one change in the files of f.
func (e *Editor) change(f *folder, set *def.Set, c Change) error {
	k, ok := e.o.Registry.Kind(c.Kind)
	if !ok {
		return reeve.E(reeve.NotFound, "edit", "there is no kind %q of definition", c.Kind)
	}
	order := e.order()
	if c.New {
		return add(f, set, k, c, order)
	}
	o, ok := set.Lookup(k.Name, c.ID)
	if !ok {
		return reeve.E(reeve.NotFound, "edit", "there is no %s %s any more", c.Kind, c.ID)
	}
	text, err := f.read(o.File)
	if err != nil {
		return err
	}
	docs, at, value, err := find(string(text), k, o.ID)
	if err != nil {
		return reeve.E(reeve.Conflict, "edit", "%s %s cannot be found in %s: %w", k.Name, o.ID, o.File, err)
	}
	if err := alone(c.Raw); err != nil {
		return err
	}
	d := docs[at]
	if c.Remove {
		return f.write(o.File, without(string(text), docs, at))
	}
	doc := c.Raw
	if doc != "" {
		doc = "---\n" + strings.TrimRight(strings.TrimPrefix(clean(doc), "---\n"), "\n") + "\n"
		if !strings.HasPrefix(d.Source(), "---") {
			doc = doc[4:]
		}
	} else if doc, err = form.Change(d, wanted(value, o.ID, c), order); err != nil {
		return reeve.E(reeve.Conflict, "edit", "%w. It is in %s, line %d", err, o.File, o.Line)
	}
	return f.write(o.File, string(text[:d.Offset])+doc+string(text[d.Offset+len(d.Source()):]))
}

// order is the order of the fields of every kind.
func (e *Editor) order() form.Order { return Order(e.o.Registry) }

// Order is the order of the fields of a registry's kinds.
func Order(reg *def.Registry) form.Order {
	return func(kind, where string) []string {
		fields := reg.Properties(kind)
		for i, part := range strings.Split(where, ".") {
			part, depth := strings.ReplaceAll(part, "[]", ""), strings.Count(part, "[]")
			if i == 0 {
				if part != "spec" {
					return nil
				}
				continue
			}
			n := slices.IndexFunc(fields, func(p def.Property) bool { return p.Name == part })
			if n < 0 {
				return nil
			}
			p := fields[n]
			for range depth {
				if p.Type != "list" {
					return nil
				}
				p = p.Elem()
			}
			if p.Type != "group" {
				return nil
			}
			fields = p.Properties()
		}
		var names []string
		for _, p := range fields {
			names = append(names, p.Name)
		}
		return names
	}
}

// add writes a new definition at the end of its file.
func add(f *folder, set *def.Set, k def.Kind, c Change, order form.Order) error {
	name := c.File
	if name == "" {
		name = "estate/" + strings.ToLower(k.Name) + "s.yaml"
	}
	if err := fit(name); err != nil {
		return err
	}
	if err := alone(c.Raw); err != nil {
		return err
	}
	if o, ok := set.Lookup(k.Name, c.ID); ok {
		return reeve.E(reeve.Conflict, "edit", "there is a %s %s already, in %s: ids are for ever, choose another", k.Name, c.ID, o.File)
	}
	doc := clean(c.Raw)
	if doc == "" {
		value := map[string]any{"apiVersion": def.APIVersion, "kind": k.Name, "metadata": map[string]any{"id": c.ID}, "spec": map[string]any{}}
		if c.Name != "" {
			value["metadata"].(map[string]any)["name"] = c.Name
		}
		set1(value, c.Set)
		var err error
		if doc, err = form.New(value, order); err != nil {
			return reeve.E(reeve.Invalid, "edit", "%w", err)
		}
	}
	text, err := f.read(name)
	if err != nil && !isNotExist(err) {
		return err
	}
	if s := string(text); s != "" {
		if !strings.HasSuffix(s, "\n") {
			s += "\n"
		}
		doc = s + "---\n" + strings.TrimPrefix(doc, "---\n")
	}
	return f.write(name, strings.TrimRight(doc, "\n")+"\n")
}

// fit reports a name that a new file of definitions must not have.
func fit(name string) error {
	if !plainName(name) || path.Ext(name) != ".yaml" && path.Ext(name) != ".yml" {
		return reeve.E(reeve.Invalid, "edit", "%q cannot be the file of a definition: write a name within the folder like estate/systems.yaml", name)
	}
	return nil
}

// plainName reports whether a name stays within the folder and looks the same
// everywhere.
func plainName(name string) bool {
	ok := fs.ValidPath(name) && len(name) < 200
	for part := range strings.SplitSeq(name, "/") {
		ok = ok && part != "" && part[0] != '.' && strings.Trim(part, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._- ") == ""
	}
	return ok
}

// alone reports a text that is more than one document.
func alone(raw string) error {
	if text, bad := yamldoc.Readable([]byte(raw)); raw != "" && bad != nil {
		return reeve.E(reeve.Invalid, "edit", "line %d: %s", bad.Line, bad.Message)
	} else if raw != "" && len(yamldoc.Split(text)) != 1 {
		return reeve.E(reeve.Invalid, "edit", "this must be one definition: take away the lines with ---, and add others on their own")
	}
	return nil
}

// clean is text as a browser sends it, with line ends of its own.
func clean(s string) string { return strings.ReplaceAll(s, "\r\n", "\n") }

// wanted is a definition's value with a change.
func wanted(value map[string]any, id string, c Change) map[string]any {
	want := deep(value).(map[string]any)
	meta, _ := want["metadata"].(map[string]any)
	if c.Name != "" {
		meta["name"] = c.Name
	}
	if c.Rename != "" && c.Rename != id {
		former, _ := meta["formerly"].([]any)
		meta["formerly"] = append(slices.Clone(former), id)
		meta["id"] = c.Rename
	}
	set1(want, c.Set)
	return want
}

// set1 puts values at their paths.
func set1(value map[string]any, set map[string]any) {
	paths := make([]string, 0, len(set))
	for p := range set {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		parts := strings.Split(p, ".")
		if parts[0] != "spec" && parts[0] != "metadata" {
			parts = append([]string{"spec"}, parts...)
		}
		at, up := value, []map[string]any{}
		for _, name := range parts[:len(parts)-1] {
			next, ok := at[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				if set[p] != nil {
					at[name] = next
				}
			}
			up = append(up, at)
			at = next
		}
		if last := parts[len(parts)-1]; set[p] != nil {
			at[last] = set[p]
			continue
		} else {
			delete(at, last)
		}
		for i := len(up) - 1; i > 0 && len(at) == 0; i-- { // a group that holds nothing any more
			delete(up[i], parts[i])
			at = up[i]
		}
	}
}

func deep(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = deep(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = deep(v[i])
		}
		return out
	}
	return v
}
