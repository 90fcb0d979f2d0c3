package agreement

import (
	"bytes"

	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
)

// node is a place in the tree of fields that may be seen.
type node struct {
	all      bool // the whole subtree
	names    [][]byte
	children []*node
	byName   map[string]int // only where there are many
}

const manyNames = 8

func fieldTree(fields []string) *node {
	root := &node{}
	for _, f := range fields {
		n := root
		for _, tok := range contract.Tokens(contract.Pointer(f)) {
			n = n.child(tok)
		}
		n.all = true
	}
	root.index()
	return root
}

func (n *node) child(name string) *node {
	for i, have := range n.names {
		if string(have) == name {
			return n.children[i]
		}
	}
	c := &node{}
	n.names = append(n.names, []byte(name))
	n.children = append(n.children, c)
	return c
}

func (n *node) index() {
	if len(n.names) > manyNames {
		n.byName = make(map[string]int, len(n.names))
		for i, name := range n.names {
			n.byName[string(name)] = i
		}
	}
	for _, c := range n.children {
		c.index()
	}
}

func (n *node) find(name []byte) int {
	if n.byName != nil {
		if i, ok := n.byName[string(name)]; ok {
			return i
		}
		return -1
	}
	for i, have := range n.names {
		if bytes.Equal(have, name) {
			return i
		}
	}
	return -1
}

// Cut returns the parts of a record that the term's fields name, and the names of
// the record's own fields that are not among them. A field below an object or
// through the items of a list is a pointer without indexes: /names/family keeps
// family in every item of names. What is not named is left out as if it had not
// been sent; an object or item of which nothing remains is left out too.
//
// body must be JSON that rawjson.Decode accepts: other bytes give an error or a
// cut of some reading of them, never a panic. The result may share body's memory.
func (t *Term) Cut(body []byte) (cut []byte, dropped []string, err error) {
	if t.root.all {
		return body, nil, nil
	}
	c := cutter{b: body, tell: true}
	cut, err = c.record(make([]byte, 0, len(body)), t.root)
	return cut, c.dropped, err
}

// AppendCut is Cut into dst, without the names of what was dropped.
func (t *Term) AppendCut(dst, body []byte) ([]byte, error) {
	if t.root.all {
		return append(dst, body...), nil
	}
	c := cutter{b: body}
	return c.record(dst, t.root)
}

// Whole reports whether the term's fields are everything.
func (t *Term) Whole() bool { return t.root.all }

// cutter reads bytes once, from the left. It copies whole subtrees and skips
// others without looking at their values.
type cutter struct {
	b       []byte
	tell    bool
	dropped []string
}

type cutError struct{}

func (cutError) Error() string { return "agreement: the record is not well-formed JSON" }

func (c *cutter) record(dst []byte, root *node) ([]byte, error) {
	i := c.space(0)
	if i >= len(c.b) || c.b[i] != '{' {
		return nil, cutError{}
	}
	mark := len(dst)
	dst, i, kept, err := c.object(dst, i, root, 0)
	if err != nil {
		return nil, err
	}
	if c.space(i) != len(c.b) {
		return nil, cutError{}
	}
	if !kept {
		dst = append(dst[:mark], '{', '}')
	}
	return dst, nil
}

func (c *cutter) value(dst []byte, i int, n *node, depth int) (_ []byte, next int, kept bool, err error) {
	if i >= len(c.b) || depth > rawjson.MaxDepth {
		return nil, 0, false, cutError{}
	}
	switch {
	case n.all:
		end := c.skip(i)
		if end < 0 {
			return nil, 0, false, cutError{}
		}
		return append(dst, c.b[i:end]...), end, true, nil
	case c.b[i] == '{':
		return c.object(dst, i, n, depth)
	case c.b[i] == '[':
		return c.array(dst, i, n, depth)
	}
	end := c.skip(i)
	if end < 0 {
		return nil, 0, false, cutError{}
	}
	return dst, end, false, nil
}

func (c *cutter) object(dst []byte, i int, n *node, depth int) (_ []byte, next int, kept bool, err error) {
	mark := len(dst)
	dst = append(dst, '{')
	var seen uint64
	i = c.space(i + 1)
	if i < len(c.b) && c.b[i] == '}' {
		return dst[:mark], i + 1, false, nil
	}
	for {
		if i >= len(c.b) || c.b[i] != '"' {
			return nil, 0, false, cutError{}
		}
		keyAt := i
		i = rawjson.SkipText(c.b, i)
		if i > len(c.b) {
			return nil, 0, false, cutError{}
		}
		key := c.b[keyAt:i]
		name := key[1 : len(key)-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			var ok bool
			if name, ok = rawjson.Unquote(name); !ok {
				return nil, 0, false, cutError{}
			}
		}
		i = c.space(i)
		if i >= len(c.b) || c.b[i] != ':' {
			return nil, 0, false, cutError{}
		}
		i = c.space(i + 1)
		at, had := len(dst), kept
		found := n.find(name)
		took := false
		if found < 0 {
			i = c.skip(i)
			if i < 0 {
				return nil, 0, false, cutError{}
			}
		} else {
			// A field that counts given twice could be read in two ways.
			if bit := uint64(1) << (found & 63); found < 64 {
				if seen&bit != 0 {
					return nil, 0, false, cutError{}
				}
				seen |= bit
			}
			if had {
				dst = append(dst, ',')
			}
			dst = append(dst, key...)
			dst = append(dst, ':')
			dst, i, took, err = c.value(dst, i, n.children[found], depth+1)
			if err != nil {
				return nil, 0, false, err
			}
		}
		if took {
			kept = true
		} else {
			dst = dst[:at]
			if c.tell && depth == 0 {
				c.dropped = append(c.dropped, SafeName(string(name)))
			}
		}
		i = c.space(i)
		if i >= len(c.b) {
			return nil, 0, false, cutError{}
		}
		switch c.b[i] {
		case ',':
			i = c.space(i + 1)
		case '}':
			if !kept {
				return dst[:mark], i + 1, false, nil
			}
			return append(dst, '}'), i + 1, true, nil
		default:
			return nil, 0, false, cutError{}
		}
	}
}

func (c *cutter) array(dst []byte, i int, n *node, depth int) (_ []byte, next int, kept bool, err error) {
	mark := len(dst)
	dst = append(dst, '[')
	i = c.space(i + 1)
	if i < len(c.b) && c.b[i] == ']' {
		return dst[:mark], i + 1, false, nil
	}
	for {
		at := len(dst)
		if kept {
			dst = append(dst, ',')
		}
		var took bool
		dst, i, took, err = c.value(dst, i, n, depth+1)
		if err != nil {
			return nil, 0, false, err
		}
		if took {
			kept = true
		} else {
			dst = dst[:at]
		}
		i = c.space(i)
		if i >= len(c.b) {
			return nil, 0, false, cutError{}
		}
		switch c.b[i] {
		case ',':
			i = c.space(i + 1)
		case ']':
			if !kept {
				return dst[:mark], i + 1, false, nil
			}
			return append(dst, ']'), i + 1, true, nil
		default:
			return nil, 0, false, cutError{}
		}
	}
}

func (c *cutter) space(i int) int { return rawjson.Space(c.b, i) }

// skip returns the index after the value at i, -1 if it has no end.
func (c *cutter) skip(i int) int {
	if end := rawjson.SkipValue(c.b, i); end < len(c.b) {
		return end
	}
	return -1 // a value at the very end stands in no record
}

// SafeName is a field's name as it may stand in a message, a receipt or the
// journal: a name that looks like one. A stranger's record may have anything for
// a name, also a person's.
func SafeName(name string) string {
	if len(name) == 0 || len(name) > 64 {
		return "(another field)"
	}
	for i := range len(name) {
		c := name[i]
		if c != '_' && c != '-' && c != '.' && c != '$' && c != '@' &&
			(c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9' || i == 0) {
			return "(another field)"
		}
	}
	return name
}
