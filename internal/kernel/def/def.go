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
	"strings"

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
//	  cel           an expression; its syntax is checked
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

// Registry is the kinds that a program knows.
type Registry struct {
	kinds  []*Kind
	byName map[string]*Kind
}

// NewRegistry gathers kinds. A kind named twice, or with a spec that cannot be
// read, is a mistake in the program and panics.
func NewRegistry(kinds ...Kind) *Registry { return &Registry{} }

// Kinds are the kinds in the order they were registered.
func (r *Registry) Kinds() []Kind { return nil }

// Kind finds a kind by its name or an alias.
func (r *Registry) Kind(name string) (Kind, bool) { return Kind{}, false }

// Object is one definition.
type Object struct {
	Kind, ID, Name string
	Formerly       []string          // ids it had before
	Labels         map[string]string // anything; for searching and grouping
	Spec           any               // a pointer to the kind's spec
	File           string
	Line           int // of the first line of the document
	raw            *node
}

// Value is the definition as plain values, as an expression sees it: metadata and
// spec as written, with dates as text and without defaults. It is shared: do not change it.
func (o *Object) Value() map[string]any { return nil }

// Problem is something wrong with the definitions.
type Problem struct {
	File      string
	Line, Col int // from 1; 0 if it is about the whole file or folder
	Message   string
}

// String is "file:line:col: message".
func (p Problem) String() string {
	s := rules.Pos{File: p.File, Line: p.Line, Col: p.Col}.String() + ": " + p.Message
	return strings.TrimPrefix(s, ":0:0: ")
}

type node struct{}

// Set is a whole, consistent set of definitions. It does not change.
type Set struct {
	hash    string
	objects []*Object
}

// Hash is the name of the set: "sha256:" and 64 hexadecimal digits, over the names
// and bytes of all its files.
func (s *Set) Hash() string { return s.hash }

// File is the content of a file of the set: a schema, a map. Do not change it.
// The error wraps fs.ErrNotExist.
func (s *Set) File(name string) ([]byte, error) { return nil, nil }

// Objects are all definitions, by kind in the order of the registry, then by id.
func (s *Set) Objects() []*Object { return s.objects }

// Lookup finds a definition by its id or an id it had before.
func (s *Set) Lookup(kind, id string) (*Object, bool) { return nil, false }

// Of is a definition with its spec's type.
type Of[T any] struct {
	*Object
	Spec *T
}

// All returns the definitions whose spec is a T, by id.
func All[T any](s *Set) []Of[T] {
	var out []Of[T]
	for _, o := range s.objects {
		if spec, ok := o.Spec.(*T); ok {
			out = append(out, Of[T]{o, spec})
		}
	}
	return out
}

// Get finds the definition whose spec is a T by its id or an id it had before.
func Get[T any](s *Set, id string) (Of[T], bool) { return Of[T]{}, false }
