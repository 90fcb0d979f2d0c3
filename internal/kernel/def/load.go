package def

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// Bounds on a folder.
const (
	maxFiles    = 20_000
	maxFile     = 4 << 20
	maxFolder   = 64 << 20
	maxProblems = 1_000 // more are counted, not listed
)

// Load reads every .yaml and .yml file below fsys, several documents a file if
// need be. Names that begin with a dot are passed over, and so are YAML files that
// are something else: an OpenAPI document, or a file that a definition names. The
// set is nil if there is any problem. Problems are in the order of files and lines.
func Load(fsys fs.FS, reg *Registry) (*Set, []Problem) {
	l := &loader{fsys: fsys, reg: reg, files: map[string][]byte{}, byFile: map[string][]Problem{},
		lost: map[string]bool{}, anID: regexp.MustCompile(`\bid:\s*["']?([A-Za-z0-9.-]+)`)}
	names := l.walk()
	for _, name := range names {
		l.read(name)
	}
	l.passOver()
	good := l.connect()
	set := newSet(reg, good, l.files)
	l.check(set, len(good) == len(l.objects) && l.count() == 0)
	if problems := l.problems(); len(problems) > 0 {
		return nil, problems
	}
	set.hash = hash(l.files)
	return set, nil
}

type loader struct {
	fsys    fs.FS
	reg     *Registry
	names   []string          // every file of the folder
	files   map[string][]byte // those that the set holds
	total   int
	objects []*loaded
	byFile  map[string][]Problem
	lost    map[string]bool // ids in documents that could not be read, so that nobody is told that they are not there
	anID    *regexp.Regexp
}

// loaded is an object with what its references and files need.
type loaded struct {
	*Object
	d decoder
}

func (l *loader) report(p Problem) { l.byFile[p.File] = append(l.byFile[p.File], p) }

func (l *loader) count() int {
	n := 0
	for _, ps := range l.byFile {
		n += len(ps)
	}
	return n
}

func (l *loader) problems() []Problem {
	var out []Problem
	for _, ps := range l.byFile {
		out = append(out, ps...)
	}
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Message, b.Message))
	})
	out = slices.Compact(out)
	if n := len(out); n > maxProblems {
		out = append(out[:maxProblems], Problem{Message: fmt.Sprintf("and %d more problems", n-maxProblems)})
	}
	return out
}

// walk lists the definition files and takes in the schemas and maps.
func (l *loader) walk() (definitions []string) {
	err := fs.WalkDir(l.fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			if name == "." {
				return err
			}
			l.report(Problem{File: name, Message: "this cannot be read: " + reason(err)})
			return nil
		}
		if name != "." && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if d.Type()&fs.ModeSymlink != 0 { // as in a mounted volume: the file it points at counts
			if info, err := fs.Stat(l.fsys, name); err != nil || !info.Mode().IsRegular() {
				return nil
			}
		} else if !d.Type().IsRegular() {
			return nil
		}
		if l.names = append(l.names, name); len(l.names) > maxFiles {
			return fmt.Errorf("more than %d files: point at the folder of definitions alone", maxFiles)
		}
		switch path.Ext(name) {
		case ".yaml", ".yml":
			definitions = append(definitions, name)
		case ".json", ".blobl":
			if info, err := d.Info(); err == nil && info.Size() <= maxFile {
				_, err := l.file(name)
				return err
			}
		}
		return nil
	})
	if err != nil {
		l.report(Problem{Message: "the folder of definitions cannot be read: " + reason(err)})
	}
	return definitions
}

func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}

// file reads a file into the set.
func (l *loader) file(name string) ([]byte, error) {
	if b, ok := l.files[name]; ok {
		return b, nil
	}
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("%q is not a name within the folder: write it from the folder's root, without ./ or ../: %w", name, fs.ErrNotExist)
	}
	f, err := l.fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a file: %w", name, fs.ErrNotExist)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%q is larger than %d MiB", name, maxFile>>20)
	}
	if l.total += len(b); l.total > maxFolder {
		return nil, fmt.Errorf("the files of the folder are larger than %d MiB together", maxFolder>>20)
	}
	l.files[name] = b
	return b, nil
}

// read reads the definitions of a file.
func (l *loader) read(name string) {
	b, err := l.file(name)
	if err != nil {
		l.report(Problem{File: name, Message: "this file cannot be read: " + reason(err)})
		return
	}
	at := func(p yamldoc.Problem) { l.report(Problem{name, p.Line, p.Col, p.Message}) }
	text, bad := yamldoc.Readable(b)
	if bad != nil {
		at(*bad)
		return
	}
	source := strings.Split(text, "\n")
	docs, before := yamldoc.Split(text)
	for i, doc := range docs {
		root := yamldoc.Parse(doc, before[i], source, at)
		if root == nil {
			for _, m := range l.anID.FindAllStringSubmatch(doc, 5) {
				l.lost[m[1]] = true
			}
			continue
		}
		if root.Kind == yamldoc.Map && root.Get("kind") == nil && (root.Get("openapi") != nil || root.Get("swagger") != nil || root.Get("asyncapi") != nil) {
			continue
		}
		l.object(name, root, source)
	}
}

// passOver forgets what was read of YAML files that definitions name: they are not definitions.
func (l *loader) passOver() {
	other := map[string]bool{}
	for _, o := range l.objects {
		for _, f := range o.d.files {
			if f.node.Text != o.File {
				other[f.node.Text] = true
			}
		}
	}
	l.objects = slices.DeleteFunc(l.objects, func(o *loaded) bool { return other[o.File] })
	maps.DeleteFunc(l.byFile, func(name string, _ []Problem) bool { return other[name] })
}

// connect checks ids, references and files, and returns the objects that are right
// in shape and refer only to such.
func (l *loader) connect() []*Object {
	ids := l.ids()
	to := map[*Object][]*Object{}
	for _, o := range l.objects {
		for i := range o.d.refs {
			if target := l.resolve(o, &o.d.refs[i], ids); target != nil {
				to[o.Object] = append(to[o.Object], target)
			}
		}
		for _, f := range o.d.files {
			l.named(o, f)
		}
		for _, c := range o.d.cels {
			if err := rules.Syntax(c.node.Text, rules.Pos{}); err != nil {
				o.d.ok = false
				l.report(*o.expressionProblem(c.node, c.path, err))
			}
		}
	}
	l.cycles(ids)
	bad := map[*Object]bool{}
	for _, o := range l.objects {
		bad[o.Object] = !o.d.ok
	}
	for again := true; again; {
		again = false
		for o, targets := range to {
			if !bad[o] && slices.ContainsFunc(targets, func(t *Object) bool { return bad[t] }) {
				bad[o], again = true, true
			}
		}
	}
	var good []*Object
	for _, o := range l.objects {
		if !bad[o.Object] {
			good = append(good, o.Object)
		}
	}
	return good
}

// ids finds every object by kind and id, present or former, and reports ids used twice.
func (l *loader) ids() map[string]map[string]*loaded {
	ids := map[string]map[string]*loaded{}
	take := func(o *loaded, id, path string) {
		if id == "" {
			return
		}
		if ids[o.Kind] == nil {
			ids[o.Kind] = map[string]*loaded{}
		}
		first := ids[o.Kind][id]
		if first == nil {
			ids[o.Kind][id] = o
			return
		}
		if first == o && path == "metadata.id" {
			return
		}
		p := o.Pos(path)
		o.d.ok = false
		l.report(Problem{p.File, p.Line, p.Col, fmt.Sprintf("the %s %q is already in %s:%d: ids are for ever, give this one its own", o.Kind, id, first.File, first.Line)})
	}
	for _, o := range l.objects {
		take(o, o.ID, "metadata.id")
	}
	for _, o := range l.objects {
		for i, id := range o.Formerly {
			take(o, id, fmt.Sprintf("metadata.formerly[%d]", i))
		}
	}
	return ids
}

// resolve follows a reference and puts the present id in the place of a former one.
func (l *loader) resolve(o *loaded, r *reference, ids map[string]map[string]*loaded) *Object {
	for _, kind := range r.kinds {
		if t := ids[l.canonical(kind)][r.id]; t != nil {
			if t.ID != r.id && r.set != nil {
				r.set(t.ID)
				r.id = t.ID
			}
			return t.Object
		}
	}
	if l.lost[r.id] {
		o.d.ok = false
		return nil
	}
	var names []string
	for _, kind := range r.kinds {
		names = append(names, slices.Collect(maps.Keys(ids[l.canonical(kind)]))...)
	}
	slices.Sort(names)
	hint := rules.DidYouMean(r.id, names)
	if hint == "" {
		hint = ": define it, or name one that is"
	}
	for kind, m := range ids {
		if m[r.id] != nil && !contains(r.kinds, kind) {
			hint = fmt.Sprintf(": %s is %s, and this must be %s", r.id, article(kind), article(rules.OrList(r.kinds)))
		}
	}
	o.d.problem(r.node, "%s: there is no %s %q%s", r.path, rules.OrList(r.kinds), r.id, hint)
	return nil
}

// article puts "a" or "an" before a word.
func article(word string) string {
	if word != "" && strings.ContainsRune("AEIOUaeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

func (l *loader) canonical(kind string) string { return l.reg.kinds[l.reg.byName[kind]].Name }

func (l *loader) named(o *loaded, f named) {
	_, err := l.file(f.node.Text)
	if err == nil {
		return
	}
	hint := onlyNearest(f.node.Text, l.names)
	if !errors.Is(err, fs.ErrNotExist) {
		o.d.problem(f.node, "%s: %s", f.path, reason(err))
	} else if !fs.ValidPath(f.node.Text) || f.node.Text == "." {
		o.d.problem(f.node, "%s: %q is not a file's name within the folder: write it from the folder's root, without ./ or ../", f.path, f.node.Text)
	} else if hint != "" {
		o.d.problem(f.node, "%s: there is no file %q%s", f.path, f.node.Text, hint)
	} else {
		o.d.problem(f.node, "%s: there is no file %q: names are from the folder's root", f.path, f.node.Text)
	}
}

// cycles reports each ring of references that must not be one, once.
func (l *loader) cycles(ids map[string]map[string]*loaded) {
	next := map[*loaded]reference{}
	target := func(o *loaded, r reference) *loaded {
		for _, kind := range r.kinds {
			if t := ids[l.canonical(kind)][r.id]; t != nil {
				return t
			}
		}
		return nil
	}
	for _, o := range l.objects {
		for _, r := range o.d.refs {
			if r.acyclic {
				next[o] = r
			}
		}
	}
	done := map[*loaded]int{} // the walk that saw it
	for i, o := range l.objects {
		for at := o; at != nil && done[at] == 0; {
			done[at] = i + 1
			r, ok := next[at]
			if !ok {
				break
			}
			to := target(at, r)
			if to != nil && done[to] == i+1 {
				ring := []string{to.ID}
				for x := target(to, next[to]); x != nil && x != to && len(ring) < 10; x = target(x, next[x]) {
					ring = append(ring, x.ID)
				}
				at.d.problem(r.node, "%s leads back to itself: %s. Take one of these away", r.path, strings.Join(append(ring, to.ID), " > "))
			}
			at = to
		}
	}
}

// check runs the kinds' own checks.
func (l *loader) check(set *Set, whole bool) {
	for _, o := range set.objects {
		k := l.reg.kinds[l.reg.byName[o.Kind]]
		if k.Check == nil {
			continue
		}
		func() {
			defer func() {
				if r := recover(); r != nil {
					l.report(Problem{o.File, o.Line, 1, fmt.Sprintf("this %s could not be checked: that is a fault of the program, please report it (%v)", o.Kind, r)})
				}
			}()
			k.Check(&Checker{Set: set, Whole: whole, loader: l, object: o}, o)
		}()
	}
}

// hash names a set of files.
func hash(files map[string][]byte) string {
	h := sha256.New()
	write := func(b []byte) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(b)))
		h.Write(n[:])
		h.Write(b)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		write([]byte(name))
		write(files[name])
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// object reads the envelope and the spec of one definition.
func (l *loader) object(file string, root *yamldoc.Node, source []string) {
	o := &loaded{Object: &Object{File: file, Line: root.Line, root: root, source: source}}
	o.d = decoder{obj: o.Object, ok: true, out: l.report}
	d := &o.d
	if root.Kind != yamldoc.Map {
		d.problem(root, "a definition is a group of fields: apiVersion, kind, metadata and spec")
		return
	}
	envelope := []string{"apiVersion", "kind", "metadata", "spec"}
	for _, k := range root.Keys {
		switch {
		case k.Name == "status":
			d.problemAt(k, "status is worked out by the program and never written: remove it")
		case !contains(envelope, k.Name):
			d.problemAt(k, "a definition has no field %q%s", k.Name, rules.DidYouMean(k.Name, envelope))
		}
	}
	if k := root.Get("apiVersion"); k == nil {
		d.problem(root, "apiVersion is missing: write apiVersion: %s", APIVersion)
	} else if k.Val.Text != APIVersion {
		d.problem(k.Val, "apiVersion is %s: write %s", d.what(k.Val), APIVersion)
	}
	kind := -1
	if k := root.Get("kind"); k == nil {
		d.problem(root, "kind is missing%s", rules.DidYouMean("", l.reg.names()))
	} else if i, ok := l.reg.byName[k.Val.Text]; !ok || k.Val.Kind != yamldoc.Text {
		d.problem(k.Val, "there is no kind %s%s", d.what(k.Val), rules.DidYouMean(k.Val.Text, l.reg.names()))
	} else {
		kind, o.Kind = i, l.reg.kinds[i].Name
	}
	l.metadata(o, root)
	if kind < 0 {
		l.lost[o.ID] = true
	} else {
		l.spec(o, root, kind)
		o.value, _ = root.Plain().(map[string]any)
		o.value["kind"] = o.Kind
		l.objects = append(l.objects, o)
	}
}

func (l *loader) spec(o *loaded, root *yamldoc.Node, kind int) {
	spec := reflect.New(l.reg.shapes[kind].typ)
	o.Spec = spec.Interface()
	k := root.Get("spec")
	if k == nil || k.Val.Kind == yamldoc.Null {
		at, empty := root, &yamldoc.Node{Kind: yamldoc.Map, Line: root.Line, Col: root.Col}
		if k != nil {
			at, empty.Line, empty.Col = &yamldoc.Node{Line: k.Line, Col: k.Col}, k.Line, k.Col
		}
		before := o.d.ok
		o.d.fields(empty, l.reg.shapes[kind], spec.Elem(), "spec")
		if k == nil && before == o.d.ok && len(l.reg.shapes[kind].fields) > 0 {
			o.d.problem(at, "spec is missing: write spec: {} if there is nothing to say")
		}
		return
	}
	o.d.value(k.Val, l.reg.shapes[kind], nil, spec.Elem(), "spec", false)
}

// metadata is how every definition begins.
type metadata struct {
	ID       string            `json:"id" def:"required,max=100" doc:"the name that everything else refers to it by, for ever: letters, digits, dots and dashes"`
	Name     string            `json:"name" def:"max=200" doc:"what people call it"`
	Formerly []string          `json:"formerly" doc:"ids it had before, oldest first; its history stays with it"`
	Labels   map[string]string `json:"labels" doc:"anything, for searching and grouping"`
}

func (l *loader) metadata(o *loaded, root *yamldoc.Node) {
	k := root.Get("metadata")
	if k == nil {
		o.d.problem(root, "metadata is missing: write metadata: {id: ..., name: ...}")
		return
	}
	if k.Val.Kind == yamldoc.Null {
		o.d.problemAt(*k, "metadata is empty: write metadata: {id: ..., name: ...}")
		return
	}
	s, err := shapes{}.of(reflect.TypeFor[metadata]())
	if err != nil {
		panic(err)
	}
	var m metadata
	o.d.value(k.Val, s, nil, reflect.ValueOf(&m).Elem(), "metadata", false)
	o.ID, o.Name, o.Formerly, o.Labels = m.ID, m.Name, m.Formerly, m.Labels
	if o.Name == "" {
		o.Name = o.ID
	}
	for i, id := range append([]string{m.ID}, m.Formerly...) {
		if at := badInID(id); at >= 0 {
			p := "metadata.id"
			if i > 0 {
				p = fmt.Sprintf("metadata.formerly[%d]", i-1)
			}
			n, _ := o.find(p)
			o.d.problem(n, "%s %q may only hold letters, digits, dots and dashes, and begins with a letter or digit", p, id)
		}
	}
}

// badInID is the offset of the first byte that cannot be in an id, or -1.
func badInID(id string) int {
	for i := 0; i < len(id); i++ {
		c := id[i]
		ok := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || i > 0 && (c == '-' || c == '.')
		if !ok {
			return i
		}
	}
	return -1
}
