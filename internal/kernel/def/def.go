// Package def reads definitions: the folder of YAML that says what the body has
// and how it works. Each block of the house contributes its kinds.
//
// What is guaranteed. Loading is strict and tells everything that is wrong at
// once, each with file, line and column and what to do about it. It is bounded in
// size, depth and number, whatever the folder holds. A set that loads is whole:
// every reference leads to something, every file that is named is in the set.
//
// What not to assume. A kind's own rules are run by its Check, after the shape and
// the references were found right; what the definitions mean is up to the blocks.
package def

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// APIVersion is what every definition begins with.
const APIVersion = "reeve/v1"

// Kind is a sort of definition, and how its spec is read.
//
// Spec is a pointer to a struct; nothing is stored in it. Its fields carry tags:
//
//	json:"name"     the name in YAML
//	doc:"sentence"  what it is, for the editor and the docs
//	def:"..."       separated by commas:
//	  required      must be there
//	  ref=System    the id of a definition; ref=System|Organisation for either;
//	                on a list each item, on a map each value
//	  keyref=KIND   on a map: each key is an id
//	  enum=a|b|c    one of these; on a list each item
//	  min=0, max=3  bounds of a number; of the length of a string, list or map
//	  file          the name of a file in the folder, relative to its root
//	  acyclic       with ref: following this field never comes back
//	  cel           an expression; its syntax is checked
//	  person        somebody in the body's directory, by their id there; not checked,
//	                for the directory is imported and changes by itself
//
// Types: string, bool, int, int64, float64, [Date], [Duration], [Class], anything
// with UnmarshalText, any, and slices, maps with string keys, pointers and structs of these.
// An embedded struct's fields count as the outer one's.
type Kind struct {
	Name    string
	Aliases []string // other spellings: Organization
	Doc     string   // one or two sentences
	Spec    any
	// Check adds what only the block can know. It runs once per object, with the
	// whole set at hand, if nothing was wrong with the shape of any object.
	Check func(c *Checker, o *Object)
}

// Registry is the kinds that a program knows. It does not change.
type Registry struct {
	kinds  []Kind
	shapes []*shape
	byName map[string]int // names and aliases
	meta   *shape         // of metadata
}

// NewRegistry gathers kinds. A kind named twice, or with a spec that cannot be
// read or refers to a kind that is not there, is a mistake in the program and panics.
func NewRegistry(kinds ...Kind) *Registry {
	r := &Registry{kinds: kinds, byName: map[string]int{}}
	memo := shapes{}
	for i, k := range kinds {
		for _, name := range append([]string{k.Name}, k.Aliases...) {
			if _, dup := r.byName[name]; dup || name == "" {
				panic(fmt.Sprintf("def: kind %q is registered twice or has no name", name))
			}
			r.byName[name] = i
		}
		t := reflect.TypeOf(k.Spec)
		if t == nil || t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
			panic(fmt.Sprintf("def: kind %s: Spec is %T, want a pointer to a struct", k.Name, k.Spec))
		}
		s, err := memo.of(t)
		if err != nil {
			panic(fmt.Sprintf("def: kind %s: %v", k.Name, err))
		}
		r.shapes = append(r.shapes, s)
	}
	for _, s := range memo {
		for _, f := range s.fields {
			resolve := func(names []string) (kinds []int) {
				for _, ref := range names {
					i, ok := r.byName[ref]
					if !ok {
						panic(fmt.Sprintf("def: %v.%s refers to kind %q, which is not registered", s.typ, f.name, ref))
					}
					kinds = append(kinds, i)
				}
				return kinds
			}
			f.refKinds, f.keyRefKinds = resolve(f.refs), resolve(f.keyRefs)
		}
	}
	var err error
	if r.meta, err = (shapes{}).of(reflect.TypeFor[metadata]()); err != nil {
		panic(err)
	}
	return r
}

// Kinds are the kinds in the order they were registered.
func (r *Registry) Kinds() []Kind { return slices.Clone(r.kinds) }

// Kind finds a kind by its name or an alias.
func (r *Registry) Kind(name string) (Kind, bool) {
	i, ok := r.byName[name]
	if !ok {
		return Kind{}, false
	}
	return r.kinds[i], true
}

func (r *Registry) names() []string {
	out := make([]string, len(r.kinds))
	for i, k := range r.kinds {
		out[i] = k.Name
	}
	return out
}

// Object is one definition.
type Object struct {
	Kind, ID, Name string
	Formerly       []string          // ids it had before
	Labels         map[string]string // anything; for searching and grouping
	Spec           any               // a pointer to the kind's spec
	File           string
	Line           int // of the first line of the document

	kind  int // in the registry
	doc   yamldoc.Doc
	lines func() []string // of the file, for positions
	root  atomic.Pointer[yamldoc.Node]
	value atomic.Pointer[map[string]any]
}

// tree is the document as values with their places. It is read when it is first
// asked for: of most documents nobody asks.
func (o *Object) tree() *yamldoc.Node {
	if n := o.root.Load(); n != nil {
		return n
	}
	n, _ := new(yamldoc.Reader).Read(o.doc, o.lines, func(yamldoc.Problem) {})
	o.root.CompareAndSwap(nil, n)
	return o.root.Load()
}

// Value is the definition as plain values, as an expression sees it: kind, metadata
// and spec as written, with dates as text and without what was left out. It is
// shared: do not change it.
func (o *Object) Value() map[string]any {
	if v := o.value.Load(); v != nil {
		return *v
	}
	v, _ := o.tree().Plain().(map[string]any)
	v["kind"] = o.Kind
	o.value.CompareAndSwap(nil, &v)
	return *o.value.Load()
}

// Pos is the place of the value at path, which is like "spec.records[0].type"; for
// a text, of its first character. A path that is not there gives its nearest parent.
func (o *Object) Pos(path string) Pos {
	n, _ := o.find(path)
	return Pos{File: o.File, Line: n.Line, Col: n.Col, Indent: n.Indent}
}

// Text is the text at path as written, "" if there is none.
func (o *Object) Text(path string) string {
	if n, whole := o.find(path); whole && n.Kind == yamldoc.Text {
		return n.Text
	}
	return ""
}

// Compile compiles the predicate at path. An error is at its own line and column
// in the file, also where YAML folded lines. The program is nil if there is nothing at path.
func (o *Object) Compile(env *rules.Env, path string) (*rules.Program, *Problem) {
	n, whole := o.find(path)
	if !whole || n.Kind != yamldoc.Text || n.Text == "" {
		return nil, nil
	}
	p, err := env.Compile(n.Text, rules.Pos{File: o.File, Line: n.Line, Col: n.Col, Indent: n.Indent})
	if err == nil {
		return p, nil
	}
	return nil, o.expressionProblem(n, path, err)
}

// expressionProblem puts an error of an expression at its place in the file.
func (o *Object) expressionProblem(n *yamldoc.Node, path string, err error) *Problem {
	out := &Problem{o.File, n.Line, n.Col, path + ": " + err.Error()}
	var re *rules.Error
	if errors.As(err, &re) {
		offset := re.RelCol - 1
		lines := strings.Split(n.Text, "\n")
		for i := 0; i < re.RelLine-1 && i < len(lines); i++ {
			offset += len([]rune(lines[i])) + 1
		}
		out.Line, out.Col = n.At(o.lines(), offset)
		out.Message = path + ": " + re.Message
	}
	return out
}

// find follows a path as far as it goes. whole says that it went to the end.
func (o *Object) find(path string) (n *yamldoc.Node, whole bool) {
	n = o.tree()
	for path != "" {
		name := path
		if i := strings.IndexAny(path, ".["); i > 0 {
			name, path = path[:i], path[i:]
		} else if path[0] == '[' {
			end := strings.IndexByte(path, ']')
			if end < 0 {
				return n, false
			}
			i, err := strconv.Atoi(path[1:end])
			if err != nil || n.Kind != yamldoc.List || i < 0 || i >= len(n.Items) {
				return n, false
			}
			n, path = n.Items[i], strings.TrimPrefix(path[end+1:], ".")
			continue
		} else {
			path = ""
		}
		path = strings.TrimPrefix(path, ".")
		k := n.Get(name)
		if k == nil && path != "" { // a map's key may hold dots: take the longest that fits
			for i := range n.Keys {
				rest, ok := strings.CutPrefix(name+"."+path, n.Keys[i].Name)
				if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') && (k == nil || len(k.Name) < len(n.Keys[i].Name)) {
					k = &n.Keys[i]
				}
			}
			if k != nil {
				path = strings.TrimPrefix(strings.TrimPrefix(name+"."+path, k.Name), ".")
			}
		}
		if k == nil {
			return n, false
		}
		if k.Val.Kind == yamldoc.Null {
			return &yamldoc.Node{Line: k.Line, Col: k.Col}, path == ""
		}
		n = k.Val
	}
	return n, true
}

// Problem is something wrong with the definitions.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // from 1; 0 if it is about the whole file or folder
	Col     int    `json:"col"`
	Message string `json:"message"`
}

// String is "file:line:col: message".
func (p Problem) String() string {
	s := rules.Pos{File: p.File, Line: p.Line, Col: p.Col}.String() + ": " + p.Message
	return strings.TrimPrefix(s, ":0:0: ")
}

// Set is a whole, consistent set of definitions. It does not change.
type Set struct {
	reg     *Registry
	hash    string
	objects []*Object
	byID    []map[string]*Object // of each kind, by present and former ids
	byType  map[reflect.Type][]*Object
	files   map[string][]byte
}

// Hash is the name of the set: "sha256:" and 64 hexadecimal digits, over the names
// and bytes of all its files.
func (s *Set) Hash() string { return s.hash }

// Files are the names of the set's files, sorted.
func (s *Set) Files() []string { return slices.Sorted(maps.Keys(s.files)) }

// File is the content of a file of the set: a schema, a map. Do not change it. The
// set holds its definitions, the files they name, and every .json and .blobl file of
// the folder. The error wraps fs.ErrNotExist.
func (s *Set) File(name string) ([]byte, error) {
	if b, ok := s.files[path.Clean(name)]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("there is no file %q among the definitions: %w", name, fs.ErrNotExist)
}

// Objects are all definitions, by kind in the order of the registry, then by id.
// Do not change the slice.
func (s *Set) Objects() []*Object { return s.objects }

// Lookup finds a definition by its id or an id it had before.
func (s *Set) Lookup(kind, id string) (*Object, bool) {
	i, ok := s.reg.byName[kind]
	if !ok {
		return nil, false
	}
	o, ok := s.byID[i][id]
	return o, ok
}

// Lineage is every id that a definition has or had, the present one first. An id
// that is not known is a lineage of its own. What was written down under any of
// them belongs to the definition.
func (s *Set) Lineage(kind, id string) []string {
	if o, ok := s.Lookup(kind, id); ok {
		return append([]string{o.ID}, o.Formerly...)
	}
	return []string{id}
}

// Present is the present id of a definition, by it or one it had before; an id
// that is not known stays as it is.
func (s *Set) Present(kind, id string) string {
	if o, ok := s.Lookup(kind, id); ok {
		return o.ID
	}
	return id
}

// Of is a definition with its spec's type.
type Of[T any] struct {
	*Object
	Spec *T
}

// All returns the definitions whose spec is a T, by id.
func All[T any](s *Set) []Of[T] {
	objects := s.byType[reflect.TypeFor[T]()]
	out := make([]Of[T], len(objects))
	for i, o := range objects {
		out[i] = Of[T]{o, o.Spec.(*T)}
	}
	return out
}

// Get finds the definition whose spec is a T by its id or an id it had before.
func Get[T any](s *Set, id string) (Of[T], bool) {
	if objects := s.byType[reflect.TypeFor[T]()]; len(objects) > 0 {
		if o, ok := s.Lookup(objects[0].Kind, id); ok {
			return Of[T]{o, o.Spec.(*T)}, true
		}
	}
	return Of[T]{}, false
}

// newSet orders objects and gathers the ways to find them.
func newSet(reg *Registry, objects []*Object, files map[string][]byte) *Set {
	s := &Set{reg: reg, objects: slices.Clone(objects), byID: make([]map[string]*Object, len(reg.kinds)), byType: map[reflect.Type][]*Object{}, files: files}
	for i := range s.byID {
		s.byID[i] = map[string]*Object{}
	}
	slices.SortFunc(s.objects, func(a, b *Object) int { return cmp.Or(a.kind-b.kind, cmp.Compare(a.ID, b.ID)) })
	for _, o := range s.objects {
		for _, id := range o.Formerly {
			s.byID[o.kind][id] = o
		}
		t := reflect.TypeOf(o.Spec).Elem()
		s.byType[t] = append(s.byType[t], o)
	}
	for _, o := range s.objects {
		s.byID[o.kind][o.ID] = o
	}
	return s
}

// Source is the document as it is written in its file.
func (o *Object) Source() string { return o.doc.Source() }
