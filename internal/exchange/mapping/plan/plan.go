// Package plan runs simple maps over the bytes of a document, and decodes nothing.
//
// Most maps do little: they give fields other names and places, change the case
// of a text, put texts together, fill in what is missing. Compile knows these and
// makes a plan of them. What a plan makes is what the language's own interpreter
// would make, byte for byte: a test compares them on random maps and documents.
// For every other map there is no plan, and where a document has something that
// the plan does not expect, Run says so: the interpreter does it then, or says
// what is wrong.
package plan

import (
	"bytes"
	"strings"
	"sync"

	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

// Plan is a compiled map. It is safe for concurrent use.
type Plan struct {
	fields *wanted // of the document
	slots  int
	root   *target
	whole  bool // the map is root = this
	asks   bool // for facts
}

// Asks reports whether the map asks for facts: without, Run needs none.
func (p *Plan) Asks() bool { return p.asks }

// Meta are the facts that a map may ask for, by the places of Names.
type Meta [4]string

// Names are the names of these facts.
var Names = [len(Meta{})]string{"id", "type", "at", "sender"}

// wanted is a place in the tree of the fields that a map reads.
type wanted struct {
	slot  int // -1: only what is below
	names []string
	below []*wanted
}

// target is a place in the tree of the fields that a map sets.
type target struct {
	name  string // with quotes and colon
	value *expr  // nil: an object
	below []*target
}

// Run appends what the map makes of a document, which must be JSON that
// rawjson.Decode accepts. Where ok is false, ask the interpreter.
func (p *Plan) Run(dst, doc []byte, meta *Meta) (out []byte, ok bool) {
	start := rawjson.Space(doc, 0)
	if start == len(doc) || doc[start] != '{' {
		return dst, false
	}
	if p.whole {
		return rawjson.AppendSorted(dst, doc)
	}
	r := pool.Get().(*run)
	defer pool.Put(r)
	if cap(r.slots) < p.slots {
		r.slots = make([]span, p.slots)
	}
	r.doc, r.meta, r.slots, r.scratch = doc, meta, r.slots[:p.slots], r.scratch[:0]
	clear(r.slots)
	if r.read(p.fields, start) < 0 {
		return dst, false
	}
	dst, _, ok = r.object(dst, p.root)
	r.doc, r.meta = nil, nil
	return dst, ok
}

// run is what one run needs.
type run struct {
	doc     []byte
	meta    *Meta
	slots   []span
	scratch []byte
}

// span is where a value stands in the document; to is 0 where there is none.
type span struct{ from, to int }

var pool = sync.Pool{New: func() any { return new(run) }}

// read finds the wanted fields of the object at i and returns the index after it,
// -1 where something is not as expected.
func (r *run) read(w *wanted, i int) int {
	b := r.doc
	i = rawjson.Space(b, i+1)
	if i < len(b) && b[i] == '}' {
		return i + 1
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return -1
		}
		at := i
		if i = rawjson.SkipText(b, i); i > len(b) {
			return -1
		}
		name := b[at+1 : i-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			return -1
		}
		if i = rawjson.Space(b, i); i >= len(b) || b[i] != ':' {
			return -1
		}
		if i = rawjson.Space(b, i+1); i >= len(b) {
			return -1
		}
		if i = r.field(w.find(name), i); i < 0 {
			return -1
		}
		if i = rawjson.Space(b, i); i >= len(b) {
			return -1
		}
		switch b[i] {
		case ',':
			i = rawjson.Space(b, i+1)
		case '}':
			return i + 1
		default:
			return -1
		}
	}
}

// field reads the value at i, which is wanted as w says, or not at all.
func (r *run) field(w *wanted, i int) (end int) {
	switch {
	case w == nil || w.below == nil:
		end = rawjson.SkipValue(r.doc, i)
	case r.doc[i] == '{':
		end = r.read(w, i)
	case r.doc[i] == '[': // a path through a list means something of its own
		return -1
	default:
		end = rawjson.SkipValue(r.doc, i)
	}
	if w != nil && w.slot >= 0 && end >= 0 {
		r.slots[w.slot] = span{i, end}
	}
	return end
}

func (w *wanted) find(name []byte) *wanted {
	for i, have := range w.names {
		if have == string(name) {
			return w.below[i]
		}
	}
	return nil
}

// object appends the fields of a target. An object of which no field is set is
// not set either.
func (r *run) object(dst []byte, t *target) (out []byte, any, ok bool) {
	dst = append(dst, '{')
	for _, f := range t.below {
		mark := len(dst)
		if any {
			dst = append(dst, ',')
		}
		dst = append(dst, f.name...)
		set := false
		if f.value == nil {
			dst, set, ok = r.object(dst, f)
		} else {
			dst, set, ok = r.value(dst, f.value)
		}
		if !ok {
			return dst, false, false
		}
		if !set {
			dst = dst[:mark]
		}
		any = any || set
	}
	return append(dst, '}'), any, true
}

// value appends what an expression gives; set is false where it is deleted.
func (r *run) value(dst []byte, e *expr) (out []byte, set, ok bool) {
	switch v := r.eval(e); v.kind {
	case deleted:
		return dst, false, true
	case null:
		return append(dst, "null"...), true, true
	case text:
		return rawjson.AppendText(dst, v.b), true, true
	case token:
		dst, ok = rawjson.AppendSorted(dst, v.b)
		return dst, true, ok
	}
	return dst, false, false
}

// kind of a value.
type kind uint8

const (
	failed  kind = iota // the interpreter would fail for certain
	unknown             // nobody knows here
	null
	deleted
	text  // b is the text
	token // b is JSON: a text with escapes, or anything but null
)

type value struct {
	kind kind
	b    []byte
}

// eval evaluates an expression.
func (r *run) eval(e *expr) value {
	switch e.op {
	case opField:
		s := r.slots[e.slot]
		if s.to == 0 {
			return value{kind: null}
		}
		return plain(r.doc[s.from:s.to])
	case opThis:
		return value{token, r.doc}
	case opLiteral:
		return e.literal
	case opMeta:
		if r.meta[e.slot] == "" {
			return value{kind: null}
		}
		return value{text, []byte(r.meta[e.slot])}
	case opElse:
		v := r.eval(e.of[0])
		if v.kind == failed || v.kind == null || v.kind == deleted {
			return r.eval(e.of[1])
		}
		return v
	case opCatch:
		v := r.eval(e.of[0])
		if v.kind == failed {
			return r.eval(e.of[1])
		}
		return v
	case opAdd:
		a, b := r.eval(e.of[0]), r.eval(e.of[1])
		if a.kind != text || b.kind != text {
			return value{kind: unknown}
		}
		return r.keep(a.b, b.b)
	}
	v := r.eval(e.of[0])
	switch {
	case v.kind == failed || v.kind == unknown:
		return v
	case v.kind == deleted: // the interpreter hands it on in ways of its own
		return value{kind: unknown}
	case e.op == opJoin:
		return r.join(v, e.args[0])
	case v.kind == text:
		return r.method(e, v.b)
	}
	return value{kind: failed} // the others take texts only
}

// plain makes a value of a token.
func plain(b []byte) value {
	switch {
	case b[0] == 'n':
		return value{kind: null}
	case b[0] != '"':
		return value{token, b}
	}
	inner := b[1 : len(b)-1]
	if bytes.IndexByte(inner, '\\') >= 0 {
		var ok bool
		if inner, ok = rawjson.Unquote(inner); !ok {
			return value{kind: unknown}
		}
	}
	return value{text, inner}
}

// keep puts texts together where they stay until the run ends.
func (r *run) keep(parts ...[]byte) value {
	at := len(r.scratch)
	for _, p := range parts {
		r.scratch = append(r.scratch, p...)
	}
	return value{text, r.scratch[at:len(r.scratch):len(r.scratch)]}
}

func (r *run) method(e *expr, b []byte) value {
	switch e.op {
	case opUpper:
		return r.mapped(b, 'a', 'z', strings.ToUpper)
	case opLower:
		return r.mapped(b, 'A', 'Z', strings.ToLower)
	case opTrim:
		return value{text, bytes.TrimSpace(b)}
	case opTrimPrefix:
		return value{text, bytes.TrimPrefix(b, []byte(e.args[0]))}
	case opTrimSuffix:
		return value{text, bytes.TrimSuffix(b, []byte(e.args[0]))}
	case opReplace:
		return value{text, []byte(strings.ReplaceAll(string(b), e.args[0], e.args[1]))}
	}
	return value{kind: unknown}
}

// mapped changes the case of a text; other is for one that is not all ASCII.
func (r *run) mapped(b []byte, from, to byte, other func(string) string) value {
	v := r.keep(b)
	for i, c := range v.b {
		switch {
		case c >= 0x80:
			return value{text, []byte(other(string(b)))}
		case c >= from && c <= to:
			v.b[i] = c ^ 0x20
		}
	}
	return v
}

func (r *run) join(v value, with string) value {
	if v.kind != token || v.b[0] != '[' {
		return value{kind: failed}
	}
	at, b := len(r.scratch), v.b
	i := rawjson.Space(b, 1)
	for n := 0; b[i] != ']'; n++ {
		if b[i] != '"' {
			return value{kind: failed}
		}
		end := rawjson.SkipText(b, i)
		part := plain(b[i:end])
		if part.kind != text {
			return value{kind: unknown}
		}
		if n > 0 {
			r.scratch = append(r.scratch, with...)
		}
		r.scratch = append(r.scratch, part.b...)
		if i = rawjson.Space(b, end); b[i] == ',' {
			i = rawjson.Space(b, i+1)
		}
	}
	return value{text, r.scratch[at:len(r.scratch):len(r.scratch)]}
}
