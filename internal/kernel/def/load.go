package def

import (
	"bytes"
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
	"slices"
	"strings"

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
	l := &loader{fsys: fsys, reg: reg, files: map[string][]byte{}, byFile: map[string][]Problem{}, lost: map[string]bool{}, once: map[any]any{}}
	l.readAll(l.walk())
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
	once    map[any]any
	lost    map[string]bool // ids in documents that could not be read, so that nobody is told that they are not there
}

// loaded is an object with what its references and files need.
type loaded struct {
	*Object
	bad   bool
	refs  []reference
	files []named // values tagged file
	cels  []named // values tagged cel
}

func (o *loaded) problem(out func(Problem), line, col int, format string, args ...any) {
	o.bad = true
	out(Problem{o.File, line, col, fmt.Sprintf(format, args...)})
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
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a file: %w", name, fs.ErrNotExist)
	}
	buf := bytes.NewBuffer(make([]byte, 0, min(max(info.Size(), 0), maxFile)+bytes.MinRead))
	if _, err := buf.ReadFrom(io.LimitReader(f, maxFile+1)); err != nil {
		return nil, err
	}
	b := buf.Bytes()
	if len(b) > maxFile {
		return nil, fmt.Errorf("%q is larger than %d MiB", name, maxFile>>20)
	}
	if l.total += len(b); l.total > maxFolder {
		return nil, fmt.Errorf("the files of the folder are larger than %d MiB together", maxFolder>>20)
	}
	l.files[name] = b
	return b, nil
}

// passOver forgets what was read of YAML files that definitions name: they are not definitions.
func (l *loader) passOver() {
	other := map[string]bool{}
	for _, o := range l.objects {
		for _, f := range o.files {
			if f.node.Text != o.File {
				other[f.node.Text] = true
			}
		}
	}
	if len(other) == 0 {
		return
	}
	l.objects = slices.DeleteFunc(l.objects, func(o *loaded) bool { return other[o.File] })
	maps.DeleteFunc(l.byFile, func(name string, _ []Problem) bool { return other[name] })
}

// connect checks ids, references and files, and returns the objects that are right
// in shape and refer only to such.
func (l *loader) connect() []*Object {
	ids := l.ids()
	syntax := map[string]error{} // of expressions, many of which are the same
	for _, o := range l.objects {
		for i := range o.refs {
			o.refs[i].target = l.resolve(o, &o.refs[i], ids)
		}
		for _, f := range o.files {
			l.named(o, f)
		}
		for _, c := range o.cels {
			err, ok := syntax[c.node.Text]
			if !ok {
				err = rules.Syntax(c.node.Text, rules.Pos{})
				syntax[c.node.Text] = err
			}
			if err != nil {
				o.bad = true
				l.report(*o.expressionProblem(&c.node, c.path, err))
			}
		}
	}
	l.cycles(ids)
	leansOnBad := func(r reference) bool { return r.target != nil && r.target.bad }
	for again := slices.ContainsFunc(l.objects, func(o *loaded) bool { return o.bad }); again; {
		again = false
		for _, o := range l.objects {
			if !o.bad && slices.ContainsFunc(o.refs, leansOnBad) {
				o.bad, again = true, true
			}
		}
	}
	good := make([]*Object, 0, len(l.objects))
	for _, o := range l.objects {
		if !o.bad {
			good = append(good, o.Object)
		}
	}
	return good
}

// ids are the objects of each kind by their ids, present and former.
type ids []map[string]*loaded

// ids finds every object, and reports ids used twice.
func (l *loader) ids() ids {
	ids := make(ids, len(l.reg.kinds))
	for i := range ids {
		ids[i] = map[string]*loaded{}
	}
	take := func(o *loaded, id string, former int) {
		if id == "" {
			return
		}
		first := ids[o.kind][id]
		if first == nil {
			ids[o.kind][id] = o
			return
		}
		path := "metadata.id"
		if former >= 0 {
			path = fmt.Sprintf("metadata.formerly[%d]", former)
		} else if first == o {
			return
		}
		p := o.Pos(path)
		o.problem(l.report, p.Line, p.Col, "the %s %q is already in %s:%d: ids are for ever, give this one its own", o.Kind, id, first.File, first.Line)
	}
	for _, o := range l.objects {
		take(o, o.ID, -1)
	}
	for _, o := range l.objects {
		for i, id := range o.Formerly {
			take(o, id, i)
		}
	}
	return ids
}

// find is what a reference leads to.
func (ids ids) find(r *reference) *loaded {
	for _, kind := range r.kinds {
		if t := ids[kind][r.id]; t != nil {
			return t
		}
	}
	return nil
}

// resolve follows a reference and puts the present id in the place of a former one.
func (l *loader) resolve(o *loaded, r *reference, ids ids) *loaded {
	if t := ids.find(r); t != nil {
		if t.ID != r.id && r.set != nil {
			r.set(t.ID)
			r.id = t.ID
		}
		return t
	}
	if l.lost[r.id] {
		o.bad = true
		return nil
	}
	var names []string
	for _, kind := range r.kinds {
		names = append(names, slices.Collect(maps.Keys(ids[kind]))...)
	}
	slices.Sort(names)
	hint := rules.DidYouMean(r.id, names)
	if hint == "" {
		hint = ": define it, or name one that is"
	}
	for kind, m := range ids {
		if m[r.id] != nil && !slices.Contains(r.kinds, kind) {
			hint = fmt.Sprintf(": %s is %s, and this must be %s", r.id, Article(l.reg.kinds[kind].Name), Article(rules.OrList(r.names)))
		}
	}
	o.problem(l.report, r.line, r.col, "%s: there is no %s %q%s", r.path, rules.OrList(r.names), r.id, hint)
	return nil
}

// Article puts "a" or "an" before a word.
func Article(word string) string {
	if word != "" && strings.ContainsRune("AEIOUaeiou", rune(word[0])) {
		return "an " + word
	}
	return "a " + word
}

func (l *loader) named(o *loaded, f named) {
	_, err := l.file(f.node.Text)
	if err == nil {
		return
	}
	hint := onlyNearest(f.node.Text, l.names)
	if !errors.Is(err, fs.ErrNotExist) {
		o.problem(l.report, f.node.Line, f.node.Col, "%s: %s", f.path, reason(err))
	} else if !fs.ValidPath(f.node.Text) || f.node.Text == "." {
		o.problem(l.report, f.node.Line, f.node.Col, "%s: %q is not a file's name within the folder: write it from the folder's root, without ./ or ../", f.path, f.node.Text)
	} else if hint != "" {
		o.problem(l.report, f.node.Line, f.node.Col, "%s: there is no file %q%s", f.path, f.node.Text, hint)
	} else {
		o.problem(l.report, f.node.Line, f.node.Col, "%s: there is no file %q: names are from the folder's root", f.path, f.node.Text)
	}
}

// cycles reports each ring of references that must not be one, once.
func (l *loader) cycles(ids ids) {
	next := map[*loaded]*reference{}
	for _, o := range l.objects {
		for i := range o.refs {
			if o.refs[i].acyclic {
				next[o] = &o.refs[i]
			}
		}
	}
	done := map[*loaded]int{} // the walk that saw it
	for i, o := range l.objects {
		for at := o; at != nil && done[at] == 0; {
			r, ok := next[at]
			if !ok {
				break
			}
			done[at] = i + 1
			to := ids.find(r)
			if to != nil && done[to] == i+1 {
				ring := []string{to.ID}
				for x := ids.find(next[to]); x != nil && x != to && len(ring) < 10; x = ids.find(next[x]) {
					ring = append(ring, x.ID)
				}
				at.problem(l.report, r.line, r.col, "%s leads back to itself: %s. Take one of these away", r.path, strings.Join(append(ring, to.ID), " > "))
			}
			at = to
		}
	}
}

// check runs the kinds' own checks.
func (l *loader) check(set *Set, whole bool) {
	for _, o := range set.objects {
		k := &l.reg.kinds[o.kind]
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
