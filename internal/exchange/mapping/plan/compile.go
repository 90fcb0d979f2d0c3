package plan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

// op is what an expression does.
type op uint8

const (
	opField op = iota
	opThis
	opLiteral
	opMeta
	opElse
	opCatch
	opAdd
	opUpper
	opLower
	opTrim
	opTrimPrefix
	opTrimSuffix
	opReplace
	opJoin
)

// expr is an expression.
type expr struct {
	op      op
	slot    int // of a field or fact
	literal value
	args    []string
	of      []*expr
}

// methods are what can be done to a text, with the number of literal texts that
// each takes.
var methods = map[string]struct {
	op   op
	args int
}{
	"uppercase": {opUpper, 0}, "lowercase": {opLower, 0}, "trim": {opTrim, 0}, "trim_prefix": {opTrimPrefix, 1},
	"trim_suffix": {opTrimSuffix, 1}, "replace_all": {opReplace, 2}, "join": {opJoin, 1},
}

// Compile makes a plan of a map that the interpreter can read. It is nil where
// the map is not one of the simple ones.
func Compile(src string) *Plan {
	toks, ok := scan(src)
	if !ok {
		return nil
	}
	c := &compiler{toks: toks, plan: &Plan{fields: &wanted{slot: -1}, root: &target{}}}
	for {
		for c.take("\n") {
		}
		if c.next().kind == 0 {
			break
		}
		if c.statement(); c.failed {
			return nil
		}
	}
	if c.plan.whole != (len(c.plan.root.below) == 0) { // root = this stands alone, and something stands there
		return nil
	}
	order(c.plan.root)
	return c.plan
}

// order sorts fields as they are written.
func order(t *target) {
	slices.SortFunc(t.below, func(a, b *target) int { return cmp.Compare(a.name, b.name) })
	for _, f := range t.below {
		order(f)
		f.name = string(append(rawjson.AppendText(nil, []byte(f.name)), ':'))
	}
}

// tok is a token: a name 'a', a text '"', a number '0', or itself.
type tok struct {
	kind byte
	text string
}

// scan takes a map apart; ok is false where it holds anything unusual.
func scan(src string) (toks []tok, ok bool) {
	for i := 0; i < len(src); {
		c := src[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r':
			i++
		case c == '#':
			for i < len(src) && src[i] != '\n' {
				i++
			}
		case c == '"':
			end := strings.IndexByte(src[i+1:], '"')
			if end < 0 || strings.ContainsAny(src[i+1:i+1+end], "\\\n\r") || strings.HasPrefix(src[i:], `"""`) {
				return nil, false
			}
			toks = append(toks, tok{'"', src[i+1 : i+1+end]})
			i += end + 2
		case letter(c):
			at := i
			for i < len(src) && (letter(src[i]) || digit(src[i])) {
				i++
			}
			toks = append(toks, tok{'a', src[at:i]})
		case digit(c):
			at := i
			for i < len(src) && digit(src[i]) {
				i++
			}
			if i-at > 15 || i-at > 1 && c == '0' {
				return nil, false
			}
			toks = append(toks, tok{'0', src[at:i]})
		case strings.IndexByte("\n.=|+(),", c) >= 0:
			toks = append(toks, tok{c, src[i : i+1]})
			i++
		default:
			return nil, false
		}
	}
	return toks, true
}

func letter(c byte) bool { return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

type compiler struct {
	toks   []tok
	at     int
	plan   *Plan
	failed bool
}

func (c *compiler) next() tok {
	if c.at < len(c.toks) {
		return c.toks[c.at]
	}
	return tok{}
}

// take passes over a token of these letters, if it is next.
func (c *compiler) take(text string) bool {
	if t := c.next(); t.kind != 0 && t.kind != '"' && t.text == text {
		c.at++
		return true
	}
	return false
}

func (c *compiler) must(text string) { c.failed = !c.take(text) || c.failed }

func (c *compiler) fail() *expr {
	c.failed = true
	return &expr{op: opLiteral, literal: value{kind: unknown}}
}

// statement is root.a.b = expression.
func (c *compiler) statement() {
	c.must("root")
	var path []string
	for c.take(".") {
		path = append(path, c.name())
	}
	c.must("=")
	e := c.sum()
	if c.next().kind != 0 {
		c.must("\n")
	}
	if c.failed {
		return
	}
	if len(path) == 0 {
		c.failed = e.op != opThis || c.plan.whole
		c.plan.whole = true
		return
	}
	c.set(path, e)
}

// set puts an expression where its value goes; each place is set once.
func (c *compiler) set(path []string, e *expr) {
	t := c.plan.root
	for i, name := range path {
		at := slices.IndexFunc(t.below, func(f *target) bool { return f.name == name })
		if at < 0 {
			t.below = append(t.below, &target{name: name})
			at = len(t.below) - 1
		} else if i == len(path)-1 {
			c.failed = true
		}
		if t = t.below[at]; t.value != nil {
			c.failed = true
		}
	}
	t.value = e
}

func (c *compiler) name() string {
	t := c.next()
	if t.kind != 'a' {
		c.failed = true
	}
	c.at++
	return t.text
}

func (c *compiler) sum() *expr {
	e := c.alternatives()
	for c.take("+") {
		e = &expr{op: opAdd, of: []*expr{e, c.alternatives()}}
	}
	return e
}

func (c *compiler) alternatives() *expr {
	e := c.term()
	for c.take("|") {
		e = &expr{op: opElse, of: []*expr{e, c.term()}}
	}
	return e
}

// term is a value and the methods called on it.
func (c *compiler) term() *expr {
	var e *expr
	switch t := c.next(); t.kind {
	case '"':
		c.at++
		e = &expr{op: opLiteral, literal: value{text, []byte(t.text)}}
	case '0':
		c.at++
		e = &expr{op: opLiteral, literal: value{token, []byte(t.text)}}
	case '(':
		c.at++
		e = c.sum()
		c.must(")")
	case 'a':
		c.at++
		e = c.word(t.text)
	default:
		return c.fail()
	}
	for !c.failed && c.take(".") {
		name := c.name()
		c.must("(")
		e = c.call(e, name)
		c.must(")")
	}
	return e
}

// word is what begins with a name.
func (c *compiler) word(name string) *expr {
	switch name {
	case "true", "false":
		return &expr{op: opLiteral, literal: value{token, []byte(name)}}
	case "null":
		return &expr{op: opLiteral, literal: value{kind: null}}
	case "deleted":
		c.must("(")
		c.must(")")
		return &expr{op: opLiteral, literal: value{kind: deleted}}
	case "meta":
		c.must("(")
		at := slices.Index(Names[:], c.text())
		c.must(")")
		if at < 0 {
			return c.fail()
		}
		c.plan.asks = true
		return &expr{op: opMeta, slot: at}
	case "this":
		return c.this()
	}
	return c.fail()
}

// this is the document or a field of it: names up to the first that is called.
func (c *compiler) this() *expr {
	w := c.plan.fields
	for c.next().kind == '.' && !(c.at+2 < len(c.toks) && c.toks[c.at+2].kind == '(') {
		c.at++
		name := c.name()
		at := slices.Index(w.names, name)
		if at < 0 {
			w.names, w.below = append(w.names, name), append(w.below, &wanted{slot: -1})
			at = len(w.names) - 1
		}
		w = w.below[at]
	}
	if w == c.plan.fields {
		return &expr{op: opThis}
	}
	if w.slot < 0 {
		w.slot = c.plan.slots
		c.plan.slots++
	}
	return &expr{op: opField, slot: w.slot}
}

// call is a method called on e.
func (c *compiler) call(e *expr, name string) *expr {
	switch name {
	case "or":
		return &expr{op: opElse, of: []*expr{e, c.sum()}}
	case "catch":
		return &expr{op: opCatch, of: []*expr{e, c.sum()}}
	}
	m, ok := methods[name]
	if !ok {
		return c.fail()
	}
	x := &expr{op: m.op, of: []*expr{e}}
	for i := range m.args {
		if i > 0 {
			c.must(",")
		}
		x.args = append(x.args, c.text())
	}
	return x
}

func (c *compiler) text() string {
	t := c.next()
	if t.kind != '"' {
		c.failed = true
	}
	c.at++
	return t.text
}
