package def

import "github.com/reeve-civic/reeve/internal/kernel/rules"

// Pos is a place in a definition.
type Pos = rules.Pos

// Checker is what a kind's Check works with: one object and the set around it.
type Checker struct {
	Set *Set // everything; whole in shape, not yet checked
}

// Problem reports something wrong at path, which is like "spec.records[0].type" or
// "metadata.id". A path that is not there is reported at its nearest parent. Say
// what to do, not only what is wrong.
func (c *Checker) Problem(path, format string, args ...any) {}

// Pos is the place of the value at path; for a text, of its first character.
func (c *Checker) Pos(path string) Pos { return Pos{} }

// Lookup finds a definition by kind and id.
func (c *Checker) Lookup(kind, id string) (*Object, bool) { return c.Set.Lookup(kind, id) }

// File is the content of a file in the folder, and makes it part of the set. The
// error wraps fs.ErrNotExist.
func (c *Checker) File(name string) ([]byte, error) { return nil, nil }

// Compile compiles the predicate at path and reports what is wrong with it at its
// own line and column. It returns nil then, and if there is nothing at path.
func (c *Checker) Compile(env *rules.Env, path string) *rules.Program { return nil }
