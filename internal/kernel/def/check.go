package def

import (
	"fmt"

	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// Pos is a place in a definition.
type Pos = rules.Pos

// Checker is what a kind's Check works with: one object and the set around it.
//
// Every object in Set is right in shape, and what it refers to is there too, so a
// reference can be followed without asking. Objects with mistakes have been left
// out: a check that needs all of them (that one exists, that a sum is 100) must
// first see that Whole is true.
type Checker struct {
	Set   *Set
	Whole bool

	loader *loader
	object *Object
}

// Problem reports something wrong at path, which is like "spec.records[0].type" or
// "metadata.id". A path that is not there is reported at its nearest parent. Say
// what to do, not only what is wrong.
func (c *Checker) Problem(path, format string, args ...any) {
	p := c.object.Pos(path)
	c.loader.report(Problem{p.File, p.Line, p.Col, fmt.Sprintf(format, args...)})
}

// Add reports a problem that something else found.
func (c *Checker) Add(p Problem) { c.loader.report(p) }

// Pos is the place of the value at path; for a text, of its first character.
func (c *Checker) Pos(path string) Pos { return c.object.Pos(path) }

// Lookup finds a definition by kind and id.
func (c *Checker) Lookup(kind, id string) (*Object, bool) { return c.Set.Lookup(kind, id) }

// File is the content of a file in the folder, and makes it part of the set. Do not
// change it. The error wraps fs.ErrNotExist.
func (c *Checker) File(name string) ([]byte, error) { return c.loader.file(name) }

// Once gives what make makes, made once for all checks of this load that ask with
// the same key: an index, where looking through the set for each object would take
// long. Keys are values of types of the asker's own.
func (c *Checker) Once(key any, make func() any) any {
	v, ok := c.loader.once[key]
	if !ok {
		v = make()
		c.loader.once[key] = v
	}
	return v
}

// Compile compiles the predicate at path and reports what is wrong with it at its
// own line and column. It returns nil then, and if there is nothing at path.
func (c *Checker) Compile(env *rules.Env, path string) *rules.Program {
	p, problem := c.object.Compile(env, path)
	if problem != nil {
		c.loader.report(*problem)
	}
	return p
}
