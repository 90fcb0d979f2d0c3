package standard

import (
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

	columns map[string][]any
	index   map[string]int
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

// lookupSelf answers for a path below self by way of the whole entity.
func (t *Table) lookupSelf(i int, path string) (any, bool) {
	if t.At != nil {
		return t.At(i, path)
	}
	return lookup(t.Self(i), strings.Split(path, "."))
}
