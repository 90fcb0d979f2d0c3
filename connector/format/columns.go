package format

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const maxColumns = 2000

// allowed is what the record type allows in a column.
type allowed uint8

const (
	text allowed = 1 << iota
	number
	boolean
	nested // objects and lists
)

// kind is what a cell holds by itself.
type kind = allowed

// columns makes objects out of rows of cells.
type columns struct {
	names []string // as people know them
	root  []node
}

// node is a field: of a column, or a group of fields.
type node struct {
	key     string
	head    []byte // `"key":`
	column  int
	allowed allowed // 0: not known
	group   []node
}

// newColumns prepares columns with these names: of fields, or JSON Pointers whose
// parts are keys; "" for a column that is not used.
func newColumns(names []string, types func(string) []string) (*columns, error) {
	if len(names) > maxColumns {
		return nil, fmt.Errorf("there are %d columns: %d at most can be read", len(names), maxColumns)
	}
	c := &columns{names: names}
	for i, name := range names {
		if name == "" {
			continue
		}
		path := []string{name}
		if name[0] == '/' {
			path = pointer(name)
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
	at += "/" + escapePart.Replace(path[0])
	i := slices.IndexFunc(*in, func(n node) bool { return n.key == path[0] })
	if i < 0 {
		head := append(appendText(nil, []byte(path[0])), ':')
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
		n.allowed = allowedBy(types(at))
	}
	return nil
}

func allowedBy(types []string) (a allowed) {
	for _, t := range types {
		switch t {
		case "string":
			a |= text
		case "number", "integer":
			a |= number
		case "boolean":
			a |= boolean
		case "object", "array":
			a |= nested
		}
	}
	return a
}

// body appends the object that a row makes. Cells with nothing in them are left out,
// and so are groups without a field. kinds is nil where all cells are text.
func (c *columns) body(dst []byte, cells [][]byte, kinds []kind) []byte {
	dst, _ = group(dst, c.root, cells, kinds)
	return dst
}

func group(dst []byte, nodes []node, cells [][]byte, kinds []kind) (out []byte, some bool) {
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
			k := text
			if kinds != nil {
				k = kinds[n.column]
			}
			dst = appendCell(dst, cells[n.column], k, n.allowed)
		}
		some = true
	}
	return append(dst, '}'), some
}

// appendCell appends a cell as what the record type allows; where that leaves a
// choice, as what it is by itself.
func appendCell(dst, cell []byte, k kind, a allowed) []byte {
	if a == 0 {
		a = k
	}
	if a&k != 0 && k != text {
		return append(dst, cell...)
	}
	if a&text == 0 {
		s := strings.TrimSpace(string(cell))
		switch {
		case a&number != 0 && isNumber(s):
			return append(dst, s...)
		case a&boolean != 0:
			if b, ok := truth(s); ok {
				return strconv.AppendBool(dst, b)
			}
		case a&nested != 0 && s != "" && (s[0] == '{' || s[0] == '[') && json.Valid([]byte(s)):
			return append(dst, s...)
		}
	}
	return appendText(dst, cell)
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

// isNumber reports whether s is a number as JSON writes it.
func isNumber(s string) bool {
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

// appendText appends a JSON string of good UTF-8.
func appendText(dst, s []byte) []byte {
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

// headings names columns by the first row: a second one of a name, and one without,
// get a name of their own, so that nothing is lost.
func headings(cells []string) []string {
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
