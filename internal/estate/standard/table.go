package standard

import (
	"maps"
	"slices"
	"strings"
)

// Table is the entities of a kind with their facts, a column a fact: what the
// standards about that kind are held against. It is filled by one goroutine and
// then only read.
type Table struct {
	Kind  string
	IDs   []string
	Names []string
	// Self is entity i as declared or imported, with metadata and spec, as rules
	// see it. What is absent is not known.
	Self func(i int) map[string]any
	// At, if not nil, answers for one path below self ("spec.state") without
	// making the whole of it; ok is false for what is not known.
	At func(i int, path string) (v any, ok bool)

	// Field, if not nil, gives a reader of one path below self. depth is how many
	// names of the path are there: all of them, if v is known. With given, v is not
	// asked for.
	Field func(path string, given bool) func(i int) (v any, depth int)
	// Place is where entity i is declared; no file for what is imported.
	Place func(i int) (file string, line int)

	columns map[string][]any
	sources map[cell]string
	index   map[string]int
}

// cell is a fact of an entity.
type cell struct {
	i    int
	fact string
}

// NewTable makes a table of the entities with these ids, in this order.
func NewTable(kind string, ids, names []string, self func(i int) map[string]any) *Table {
	t := &Table{Kind: kind, IDs: ids, Names: names, Self: self, columns: map[string][]any{}, index: make(map[string]int, len(ids))}
	for i, id := range ids {
		t.index[id] = i
	}
	return t
}

// Find gives the place of an id in the table, -1 if it is not there.
func (t *Table) Find(id string) int {
	if i, ok := t.index[id]; ok {
		return i
	}
	return -1
}

// Column is the column of a fact, made if it is not there; nil in it stands for
// not known. Use int64, float64, bool, string or []any.
func (t *Table) Column(fact string) []any {
	c, ok := t.columns[fact]
	if !ok {
		c = make([]any, len(t.IDs))
		t.columns[fact] = c
	}
	return c
}

// Set says a fact of entity i.
func (t *Table) Set(i int, fact string, v any) { t.Column(fact)[i] = v }

// Fact is a fact of entity i, and whether it is known.
func (t *Table) Fact(i int, fact string) (any, bool) {
	c, ok := t.columns[fact]
	if !ok || c[i] == nil {
		return nil, false
	}
	return c[i], true
}

// Facts are all known facts of entity i.
func (t *Table) Facts(i int) map[string]any {
	out := map[string]any{}
	for name, c := range t.columns {
		if c[i] != nil {
			out[name] = c[i]
		}
	}
	return out
}

// Tables are the tables of all kinds that standards can be about.
type Tables []*Table

// Of finds the table of a kind; an empty one if there is none.
func (ts Tables) Of(kind string) *Table {
	if i := slices.IndexFunc(ts, func(t *Table) bool { return t.Kind == kind }); i >= 0 {
		return ts[i]
	}
	return NewTable(kind, nil, nil, func(int) map[string]any { return nil })
}

// State says a fact of entity i that somebody states, and who.
func (t *Table) State(i int, fact string, v any, source string) {
	t.Column(fact)[i] = v
	if t.sources == nil {
		t.sources = map[cell]string{}
	}
	t.sources[cell{i, fact}] = source
}

// Source is who stated a fact of entity i, "" if it was computed.
func (t *Table) Source(i int, fact string) string { return t.sources[cell{i, fact}] }

// Stated counts the facts that rest on what somebody states.
func (t *Table) Stated() int { return len(t.sources) }

// reader reads one path below self of an entity.
func (t *Table) reader(path string, asked bool) func(i int) (v any, depth int) {
	if t.Field != nil {
		return t.Field(path, asked)
	}
	names := strings.Split(path, ".")
	if t.At != nil {
		return func(i int) (any, int) {
			if v, ok := t.At(i, path); ok {
				return v, len(names)
			}
			return nil, 1
		}
	}
	return func(i int) (any, int) { return Read(t.Self(i), names) }
}

// Read follows a path into an entity. depth is how many names of it are there.
func Read(self map[string]any, names []string) (v any, depth int) {
	v = self
	for i, name := range names {
		m, ok := v.(map[string]any)
		if !ok {
			return nil, i
		}
		if v = m[name]; v == nil {
			return nil, i
		}
	}
	return v, len(names)
}

// with is the table with one more column; the table itself does not change.
func (t *Table) with(fact string, column []any) *Table {
	c := *t
	c.columns = maps.Clone(t.columns)
	c.columns[fact] = column
	return &c
}
