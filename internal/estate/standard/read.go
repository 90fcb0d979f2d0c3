package standard

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// inputs are what two programs together look at, read from the table instead of
// from whole entities: a rule is a pure function of them.
type inputs struct {
	whole bool // something is read as a whole: no short cut
	in    []input
}

// input is one path that is read.
type input struct {
	names []string // of what is read: self, spec, cost
	read  func(i int) (v any, depth int)
}

// given stands for a value of which only has() asks, and which was not read.
const given = true

// reads works out how to read what a standard looks at from a table.
func (s *Standard) reads(t *Table) inputs {
	var in inputs
	var kept []string
	for _, path := range s.Inputs() {
		base := baseOf(path)
		if base == "now" || base == "today" || slices.ContainsFunc(kept, func(k string) bool { return k == base || strings.HasPrefix(base, k+".") }) {
			continue
		}
		names := strings.Split(base, ".")
		if len(names) == 1 || names[0] == "self" && len(names) == 2 {
			return inputs{whole: true}
		}
		kept = append(kept, base)
		if names[0] == "facts" {
			column := t.columns[names[1]]
			in.in = append(in.in, input{names[:2], func(i int) (any, int) {
				if column == nil || column[i] == nil {
					return nil, 0
				}
				return column[i], 1
			}})
			continue
		}
		in.in = append(in.in, input{names, t.reader(strings.Join(names[1:], "."), s.onlyAsked(base))})
	}
	return in
}

// Inputs are the paths that the standard looks at, sorted.
func (s *Standard) Inputs() []string {
	paths := s.rule.Inputs()
	if s.where != nil {
		paths = append(paths, s.where.Inputs()...)
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// onlyAsked reports whether the standard never needs to know what a path is, nor
// what is below it.
func (s *Standard) onlyAsked(path string) bool {
	reads := func(p *rules.Program) bool {
		return p != nil && slices.ContainsFunc(p.Inputs(), func(in string) bool {
			rest, below := strings.CutPrefix(in, path)
			return below && (rest == "" && !p.OnlyAsked(path) || rest != "" && (rest[0] == '.' || rest[0] == '['))
		})
	}
	return !reads(s.rule) && !reads(s.where)
}

// baseOf is the path up to the first list that is gone into.
func baseOf(path string) string {
	base, _, _ := strings.Cut(path, "[")
	return base
}

// key adds what the inputs are for entity i. Two entities with the same key get
// the same answer.
func (in *inputs) key(b []byte, i int) []byte {
	for k := range in.in {
		x := &in.in[k]
		v, depth := x.read(i)
		if depth < len(x.names)-1 || v == nil {
			b = append(b, 'x', byte(depth)) // has() can tell how much of the path is there
			continue
		}
		b = appendValue(b, v)
	}
	return b
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(binary.AppendUvarint(append(b, 's'), uint64(len(v))), v...)
	case bool:
		if v {
			return append(b, 't')
		}
		return append(b, 'f')
	case int64:
		return binary.LittleEndian.AppendUint64(append(b, 'i'), uint64(v))
	case int:
		return binary.LittleEndian.AppendUint64(append(b, 'i'), uint64(v))
	case float64:
		return binary.LittleEndian.AppendUint64(append(b, 'd'), math.Float64bits(v))
	case []any:
		b = binary.AppendUvarint(append(b, 'l'), uint64(len(v)))
		for _, x := range v {
			b = appendValue(b, x)
		}
		return b
	case map[string]any:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		b = binary.AppendUvarint(append(b, 'm'), uint64(len(v)))
		for _, k := range keys {
			b = appendValue(appendValue(b, k), v[k])
		}
		return b
	case nil:
		return append(b, 'n')
	}
	s := fmt.Sprintf("%T %v", v, v)
	return append(binary.AppendUvarint(append(b, '?'), uint64(len(s))), s...)
}

// vars are the variables of an evaluation for entity i: only what is looked at.
func (in *inputs) vars(t *Table, i int) (self, facts map[string]any) {
	if in.whole {
		return t.Self(i), t.Facts(i)
	}
	self, facts = map[string]any{}, map[string]any{}
	for k := range in.in {
		x := &in.in[k]
		v, depth := x.read(i)
		at := self
		if x.names[0] == "facts" {
			at = facts
		}
		for d, name := range x.names[1:] {
			if d >= depth {
				break
			}
			if d == len(x.names)-2 {
				if at[name] = v; v == nil {
					at[name] = given
				}
				break
			}
			next, ok := at[name].(map[string]any)
			if !ok {
				next = map[string]any{}
				at[name] = next
			}
			at = next
		}
	}
	return self, facts
}
