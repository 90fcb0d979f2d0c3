// Package cell makes JSON objects out of rows of cells, and values out of texts.
package cell

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// MaxColumns is how many columns there may be.
const MaxColumns = 2000

// maxName is how many bytes the name of a column may have: it is told with every row
// that is wrong, and stands in every record.
const maxName = 500

// Kind is what a cell holds by itself; of several, what a record type allows in it.
type Kind uint8

// The kinds.
const (
	Text Kind = 1 << iota
	Number
	Boolean
	Nested // objects and lists
)

// Columns makes objects out of rows of cells.
type Columns struct {
	Names []string // as people know them
	root  []node
}

// node is a field: of a column, or a group of fields.
type node struct {
	key     string
	head    []byte // `"key":`
	column  int
	allowed Kind // 0: not known
	group   []node
}

// New prepares columns with these names: of fields, or JSON Pointers whose
// parts are keys; "" for a column that is not used.
func New(names []string, types func(string) []string) (*Columns, error) {
	if len(names) > MaxColumns {
		return nil, fmt.Errorf("there are %d columns: %d at most can be read", len(names), MaxColumns)
	}
	c := &Columns{Names: names}
	for i, name := range names {
		if name == "" {
			continue
		}
		if len(name) > maxName {
			return nil, fmt.Errorf("the name of column %d is longer than %d bytes", i+1, maxName)
		}
		path := []string{name}
		if name[0] == '/' {
			path = Pointer(name)
		}
		if len(path) > 32 {
			return nil, fmt.Errorf("the column %d points too deep", i+1)
		}
		if err := put(&c.root, path, i, types, ""); err != nil {
			return nil, fmt.Errorf("the column %q cannot be put beside the others: %w", name, err)
		}
	}
	return c, nil
}

func put(in *[]node, path []string, column int, types func(string) []string, at string) error {
	at += "/" + EscapePart.Replace(path[0])
	i := slices.IndexFunc(*in, func(n node) bool { return n.key == path[0] })
	if i < 0 {
		head := append(AppendText(nil, []byte(path[0])), ':')
		*in = append(*in, node{key: path[0], head: head, column: -1})
		i = len(*in) - 1
	} else if len(path) == 1 || (*in)[i].column >= 0 {
		return fmt.Errorf("two columns are for %s", at)
	}
	n := &(*in)[i]
	if len(path) > 1 {
		return put(&n.group, path[1:], column, types, at)
	}
	n.column = column
	if types != nil {
		n.allowed = Allowed(types(at))
	}
	return nil
}

// Allowed are the kinds that JSON types stand for.
func Allowed(types []string) (a Kind) {
	for _, t := range types {
		switch t {
		case "string":
			a |= Text
		case "number", "integer":
			a |= Number
		case "boolean":
			a |= Boolean
		case "object", "array":
			a |= Nested
		}
	}
	return a
}

// Append appends the object that a row makes. Cells with nothing in them are left out,
// and so are groups without a field. kinds is nil where all cells are text.
func (c *Columns) Append(dst []byte, cells [][]byte, kinds []Kind) []byte {
	dst, _ = group(dst, c.root, cells, kinds)
	return dst
}

func group(dst []byte, nodes []node, cells [][]byte, kinds []Kind) (out []byte, some bool) {
	dst = append(dst, '{')
	for i := range nodes {
		n := &nodes[i]
		mark := len(dst)
		if n.column >= 0 {
			if n.column >= len(cells) || len(cells[n.column]) == 0 {
				continue
			}
		}
		if some {
			dst = append(dst, ',')
		}
		dst = append(dst, n.head...)
		if n.column < 0 {
			var any bool
			if dst, any = group(dst, n.group, cells, kinds); !any {
				dst = dst[:mark]
				continue
			}
		} else {
			k := Text
			if kinds != nil {
				k = kinds[n.column]
			}
			dst = AppendCell(dst, cells[n.column], k, n.allowed)
		}
		some = true
	}
	return append(dst, '}'), some
}

// AppendCell appends a cell as what the record type allows; where that leaves a
// choice, as what it is by itself.
func AppendCell(dst, cell []byte, k Kind, a Kind) []byte {
	if a == 0 {
		a = k
	}
	if a&k != 0 && k != Text {
		return append(dst, cell...)
	}
	if a&Text == 0 {
		s := strings.TrimSpace(string(cell))
		switch {
		case a&Number != 0 && IsNumber(s):
			return append(dst, s...)
		case a&Boolean != 0:
			if b, ok := truth(s); ok {
				return strconv.AppendBool(dst, b)
			}
		case a&Nested != 0 && s != "" && (s[0] == '{' || s[0] == '[') && json.Valid([]byte(s)):
			return append(dst, s...)
		}
	}
	return AppendText(dst, cell)
}

func truth(s string) (value, ok bool) {
	switch strings.ToLower(s) {
	case "true", "yes", "y", "1":
		return true, true
	case "false", "no", "n", "0":
		return false, true
	}
	return false, false
}

// IsNumber reports whether s is a number as JSON writes it.
func IsNumber(s string) bool {
	digits := func() bool {
		n := 0
		for n < len(s) && s[n] >= '0' && s[n] <= '9' {
			n++
		}
		s = s[n:]
		return n > 0
	}
	s = strings.TrimPrefix(s, "-")
	if rest, ok := strings.CutPrefix(s, "0"); ok {
		s = rest
	} else if !digits() {
		return false
	}
	if rest, ok := strings.CutPrefix(s, "."); ok {
		if s = rest; !digits() {
			return false
		}
	}
	if s != "" && (s[0] == 'e' || s[0] == 'E') {
		s = s[1:]
		if s != "" && (s[0] == '+' || s[0] == '-') {
			s = s[1:]
		}
		if !digits() {
			return false
		}
	}
	return s == ""
}

// AppendText appends a JSON string of good UTF-8.
func AppendText(dst, s []byte) []byte {
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			const hex = "0123456789abcdef"
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	dst = append(dst, s[from:]...)
	return append(dst, '"')
}

// Headings names columns by the first row: a second one of a name, and one without,
// get a name of their own, so that nothing is lost.
func Headings(cells []string) []string {
	seen := map[string]int{}
	names := make([]string, len(cells))
	for i, c := range cells {
		c = strings.Join(strings.Fields(c), " ")
		if c == "" {
			c = "Column " + strconv.Itoa(i+1)
		}
		if seen[c]++; seen[c] > 1 {
			n := seen[c]
			for seen[fmt.Sprintf("%s (%d)", c, n)] > 0 {
				n++
			}
			c = fmt.Sprintf("%s (%d)", c, n)
			seen[c]++
		}
		names[i] = c
	}
	return names
}

// Pointer splits a JSON Pointer.
func Pointer(p string) []string {
	parts := strings.Split(strings.TrimPrefix(p, "/"), "/")
	for i, s := range parts {
		parts[i] = unescapePart.Replace(s)
	}
	return parts
}

var unescapePart = strings.NewReplacer("~1", "/", "~0", "~")

// EscapePart writes a key as a part of a JSON Pointer.
var EscapePart = strings.NewReplacer("~", "~0", "/", "~1")
