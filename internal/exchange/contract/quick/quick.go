// Package quick finds out fast that a record is good: it runs a schema over the
// record's bytes and decodes nothing.
//
// What is guaranteed. What Good calls good is JSON that rawjson.Decode accepts and
// that the schema's library calls valid. Both are held to by tests with random
// schemas and records and by the JSON Schema Test Suite.
//
// What not to assume. That Good says no tells nothing: the record may be bad, or
// not plain enough. Ask the library then; it also says what is wrong. Where a part
// of a schema is not known here, the library judges that part of the record alone.
package quick

import (
	"bytes"
	"slices"

	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

// Program is a schema ready to run. It is safe for concurrent use.
type Program struct{ root *node }

// verdict on one value under one schema.
type verdict uint8

const (
	unsure verdict = iota
	bad            // the library would call it invalid
	good           // and valid
)

// Good reports whether body is well-formed and valid, for sure. compact says
// whether there is no space between its tokens; it means nothing without good.
func (p *Program) Good(body []byte) (ok, compact bool) {
	defer func() {
		if recover() != nil { // a fault of the library: let whoever asks it next deal with it
			ok = false
		}
	}()
	c := checker{b: body, compact: true}
	i := c.space(0)
	end, v := c.value(p.root, i, 0)
	if v != good {
		return false, false
	}
	return c.space(end) == len(body), c.compact
}

// checker is one run.
type checker struct {
	b       []byte
	compact bool
}

func (c *checker) space(i int) int {
	if i < len(c.b) && c.b[i] > ' ' {
		return i
	}
	to := rawjson.Space(c.b, i)
	c.compact = c.compact && to == i
	return to
}

// value judges the value at i that stands depth objects and lists deep. The index
// after it means something only for what is good.
func (c *checker) value(n *node, i, depth int) (end int, v verdict) {
	if n.ask {
		return c.ask(n, i, depth)
	}
	if end, v = c.own(n, i, depth); v != good || !n.more {
		return end, v
	}
	return end, c.rest(n, i, depth)
}

// own judges by the schema's own rules for the value's type.
func (c *checker) own(n *node, i, depth int) (end int, v verdict) {
	if i >= len(c.b) {
		return 0, unsure
	}
	switch ch := c.b[i]; ch {
	case '"':
		if n.types&text == 0 {
			return 0, bad
		}
		return c.text(n, i, depth)
	case '{':
		switch {
		case n.types&object == 0:
			return 0, bad
		case depth >= rawjson.MaxDepth:
			return 0, unsure
		case n.object == nil:
			return c.plain(i, depth)
		}
		return c.object(n.object, i, depth)
	case '[':
		switch {
		case n.types&list == 0:
			return 0, bad
		case depth >= rawjson.MaxDepth:
			return 0, unsure
		case n.list == nil:
			return c.plain(i, depth)
		}
		return c.list(n.list, i, depth)
	case 't', 'f':
		if n.types&boolean == 0 {
			return 0, bad
		}
		return c.plain(i, depth)
	case 'n':
		if n.types&null == 0 {
			return 0, bad
		}
		return c.plain(i, depth)
	}
	return c.number(n, i, depth)
}

// plain passes over a value of any kind.
func (c *checker) plain(i, depth int) (end int, v verdict) {
	end, compact := rawjson.ScanValue(c.b, i, depth)
	if end < 0 {
		return 0, unsure
	}
	c.compact = c.compact && compact
	return end, good
}

// ask lets the library judge one value.
func (c *checker) ask(n *node, i, depth int) (end int, v verdict) {
	if end, v = c.plain(i, depth); v != good {
		return 0, unsure
	}
	x, err := rawjson.Decode(c.b[i:end])
	if err != nil {
		return 0, unsure
	}
	if n.schema.Validate(x) != nil {
		return 0, bad
	}
	return end, good
}

// rest judges by the schemas that hold for the same value.
func (c *checker) rest(n *node, i, depth int) verdict {
	for _, all := range n.all {
		if _, v := c.value(all, i, depth); v != good {
			return v
		}
	}
	for _, group := range n.groups {
		fits := 0
		for _, one := range group.of {
			_, v := c.value(one, i, depth)
			if v == unsure {
				return unsure
			}
			if v == good {
				fits++
			}
		}
		if fits == 0 || group.one && fits > 1 {
			return bad
		}
	}
	if n.not != nil {
		switch _, v := c.value(n.not, i, depth); v {
		case unsure:
			return unsure
		case good:
			return bad
		}
	}
	if n.cond == nil {
		return good
	}
	then := n.then
	switch _, v := c.value(n.cond, i, depth); v {
	case unsure:
		return unsure
	case bad:
		then = n.els
	}
	if then == nil {
		return good
	}
	_, v := c.value(then, i, depth)
	return v
}

func (c *checker) text(n *node, i, depth int) (end int, v verdict) {
	end, ascii := rawjson.ScanString(c.b, i)
	if end < 0 {
		if n.text == nil {
			return c.plain(i, depth)
		}
		return c.ask(n, i, depth) // it has escapes
	}
	if n.text == nil {
		return end, good
	}
	return end, n.text.fits(c.b[i+1:end-1], ascii)
}

func (c *checker) number(n *node, i, depth int) (end int, v verdict) {
	end, integer := rawjson.ScanNumber(c.b, i)
	switch {
	case end < 0:
		return c.ask(n, i, depth)
	case n.types&number == 0 && n.types&whole == 0:
		return 0, bad
	case n.types&number != 0 && n.number == nil:
		return end, good
	case !integer || end-i > 18:
		return c.ask(n, i, depth)
	case n.number == nil:
		return end, good
	}
	x := int64(0)
	digits := c.b[i:end]
	if digits[0] == '-' {
		digits = digits[1:]
	}
	for _, d := range digits {
		x = x*10 + int64(d-'0')
	}
	if c.b[i] == '-' {
		x = -x
	}
	return end, judge(x >= n.number.least && x <= n.number.most)
}

func judge(ok bool) verdict {
	if ok {
		return good
	}
	return bad
}

func (c *checker) list(l *listRules, i, depth int) (end int, v verdict) {
	count := 0
	if i = c.space(i + 1); i < len(c.b) && c.b[i] == ']' {
		return i + 1, judge(l.least <= 0)
	}
	for {
		item := l.items
		if count < len(l.first) {
			item = l.first[count]
		}
		if item == nil {
			i, v = c.plain(i, depth+1)
		} else {
			i, v = c.value(item, i, depth+1)
		}
		if v != good {
			return 0, v
		}
		count++
		if i = c.space(i); i >= len(c.b) {
			return 0, unsure
		}
		switch c.b[i] {
		case ',':
			i = c.space(i + 1)
		case ']':
			return i + 1, judge(count >= l.least && count <= l.most)
		default:
			return 0, unsure
		}
	}
}

// mostOthers is how many fields that a schema does not name an object may have.
const mostOthers = 24

func (c *checker) object(o *objectRules, i, depth int) (end int, v verdict) {
	var seen uint64
	var others [mostOthers][]byte
	count, hint, more := 0, 0, 0
	if i = c.space(i + 1); i < len(c.b) && c.b[i] == '}' {
		return i + 1, judge(o.required == 0 && o.least <= 0)
	}
	for {
		if i >= len(c.b) || c.b[i] != '"' {
			return 0, unsure
		}
		at := i
		if i, _ = rawjson.ScanString(c.b, i); i < 0 {
			return 0, unsure
		}
		name := c.b[at+1 : i-1]
		if i = c.space(i); i >= len(c.b) || c.b[i] != ':' {
			return 0, unsure
		}
		i = c.space(i + 1)
		found := o.find(name, hint)
		if found >= 0 {
			if seen&(1<<found) != 0 {
				return 0, unsure
			}
			seen |= 1 << found
			hint = found + 1
		} else {
			if more == mostOthers || slices.ContainsFunc(others[:more], func(have []byte) bool { return bytes.Equal(have, name) }) {
				return 0, unsure
			}
			others[more] = name
			more++
		}
		if i, v = c.field(o, found, name, i, depth+1); v != good {
			return 0, v
		}
		count++
		if i = c.space(i); i >= len(c.b) {
			return 0, unsure
		}
		switch c.b[i] {
		case ',':
			i = c.space(i + 1)
		case '}':
			return i + 1, judge(seen&o.required == o.required && count >= o.least && count <= o.most)
		default:
			return 0, unsure
		}
	}
}

// field judges the value of one field by all schemas that hold for it.
func (c *checker) field(o *objectRules, found int, name []byte, i, depth int) (end int, v verdict) {
	var by *node
	known := false
	if found >= 0 {
		by = o.values[found]
		known = by != nil
	}
	if !known && len(o.patterns) == 0 {
		by, known = o.others, true
	}
	if by != nil {
		end, v = c.value(by, i, depth)
	} else {
		end, v = c.plain(i, depth)
	}
	if v != good {
		return 0, v
	}
	for _, p := range o.patterns {
		if !p.match(string(name)) {
			continue
		}
		known = true
		if _, v := c.value(p.value, i, depth); v != good {
			return 0, v
		}
	}
	if !known && o.others != nil {
		if _, v := c.value(o.others, i, depth); v != good {
			return 0, v
		}
	}
	return end, good
}
