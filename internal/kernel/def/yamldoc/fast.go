package yamldoc

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// Bounds of the quick reader. What is larger is left to the other one, which has
// bounds of its own.
const (
	quickNodes  = 4_000
	quickDepth  = 24
	quickKeys   = 200 // of one group
	quickIndent = 100
)

// Reader reads documents of one goroutine, one after the other. Most are written
// plainly, and of those it makes the very nodes that [Parse] makes, many times
// faster; TestBothReadersAgree holds the two to each other. Whatever it does not
// surely understand it leaves to Parse, mistakes always.
//
// With Reuse, the nodes of a document are overwritten by the next one.
type Reader struct {
	Reuse bool

	s     string // the document
	line  int    // from 1
	ls    int    // where the line begins
	i     int    // where its first character that is no space is
	eol   int    // where it ends
	next  int    // where the next line begins
	count int
	wide  bool // not all of it is ASCII

	nodes []Node // the chunk in use
	used  int
	keep  [][]Node // all chunks
	chunk int
	keys  arena[Key]
	items arena[*Node]
}

// arena hands out short slices that are cut from long ones.
type arena[T any] struct {
	stack []T // of the values being read
	slab  []T
}

// take moves the values above mark from the stack into a slice of their own.
func (a *arena[T]) take(mark int) []T {
	n := len(a.stack) - mark
	if len(a.slab)+n > cap(a.slab) {
		a.slab = make([]T, 0, max(n, min(64+2*cap(a.slab), 1024)))
	}
	from := len(a.slab)
	a.slab = append(a.slab, a.stack[mark:]...)
	a.stack = a.stack[:mark]
	return a.slab[from:len(a.slab):len(a.slab)]
}

// Read is the document, as Parse gives it. own says that its nodes are not
// overwritten by the next one.
func (r *Reader) Read(d Doc, source func() []string, report func(Problem)) (root *Node, own bool) {
	if root := r.quick(d); root != nil {
		return root, !r.Reuse
	}
	return Parse(d.Text(), d.Before, source(), report), true
}

// quick reads the document, or gives nil for "not mine".
func (r *Reader) quick(d Doc) (root *Node) {
	defer func() {
		if recover() != nil { // a fault in here must not stop the program
			root = nil
		}
	}()
	if d.directive {
		return nil
	}
	if r.Reuse {
		r.keys.slab, r.items.slab = r.keys.slab[:0], r.items.slab[:0]
	} else {
		r.keep, r.keys, r.items = nil, arena[Key]{}, arena[*Node]{}
	}
	r.nodes, r.used, r.chunk = nil, 0, 0
	r.keys.stack, r.items.stack = r.keys.stack[:0], r.items.stack[:0]
	r.s, r.count, r.wide = d.source, 0, false
	if !r.fit() {
		return nil
	}
	r.line, r.next = d.Before, 0
	if strings.HasPrefix(r.s, "---") {
		if len(r.s) < 4 || r.s[3] != '\n' {
			return nil
		}
		r.line, r.next = r.line+1, 4
	}
	if !r.advance() || r.i != r.ls {
		return nil
	}
	if root = r.fields(0, 0); r.i >= 0 {
		return nil // something is left
	}
	return root
}

// fit reports whether all characters are ones that mean nothing but themselves.
func (r *Reader) fit() bool {
	for i := 0; i < len(r.s); i++ {
		if c := r.s[i]; c >= utf8.RuneSelf {
			r.wide = true
		} else if c < ' ' && c != '\n' || c == 0x7f {
			return false
		}
	}
	if r.wide {
		for _, c := range r.s {
			if c >= utf8.RuneSelf && (!unicode.IsPrint(c) || unicode.IsSpace(c)) {
				return false
			}
		}
	}
	return true
}

// advance goes to the next line that says something. At the end i is -1.
func (r *Reader) advance() bool {
	for r.next < len(r.s) {
		r.ls = r.next
		r.line++
		if n := strings.IndexByte(r.s[r.ls:], '\n'); n >= 0 {
			r.eol, r.next = r.ls+n, r.ls+n+1
		} else {
			r.eol, r.next = len(r.s), len(r.s)
		}
		i := r.ls
		for i < r.eol && r.s[i] == ' ' {
			i++
		}
		if i < r.eol && r.s[i] != '#' {
			r.i = i
			return true
		}
		if r.count++; r.count > quickNodes {
			return false
		}
	}
	r.i = -1
	return true
}

// col is the column of the offset i in the line.
func (r *Reader) col(i int) int {
	if r.wide {
		return utf8.RuneCountInString(r.s[r.ls:i]) + 1
	}
	return i - r.ls + 1
}

func (r *Reader) node(kind Kind, line, col int) *Node {
	r.count++
	if r.used == len(r.nodes) {
		if r.chunk++; r.chunk > len(r.keep) {
			r.keep = append(r.keep, make([]Node, min(32<<len(r.keep), 512)))
		}
		r.nodes, r.used = r.keep[r.chunk-1], 0
	}
	n := &r.nodes[r.used]
	r.used++
	*n = Node{Kind: kind, Line: line, Col: col}
	return n
}

// fields reads a group whose names begin at the indentation; nil if it is not mine.
func (r *Reader) fields(indent, depth int) *Node {
	if depth > quickDepth || indent > quickIndent || r.count > quickNodes {
		return nil
	}
	n := r.node(Map, r.line, r.col(r.i))
	mark := len(r.keys.stack)
	for r.i >= 0 && r.i-r.ls == indent {
		if r.count > quickNodes || len(r.keys.stack)-mark > quickKeys {
			return nil
		}
		from := r.i
		name := r.name(r.eol)
		if name == "" {
			return nil
		}
		for _, k := range r.keys.stack[mark:] {
			if k.Name == name {
				return nil
			}
		}
		key := Key{Name: name, Line: r.line, Col: r.col(from)}
		if key.Val = r.after(key, indent, depth); key.Val == nil {
			return nil
		}
		r.keys.stack = append(r.keys.stack, key)
	}
	if r.i >= 0 && r.i-r.ls > indent {
		return nil
	}
	n.Keys = r.keys.take(mark)
	return n
}

// name reads a plain name and its colon; "" if it is not mine.
func (r *Reader) name(end int) string {
	from, i := r.i, r.i
	if c := r.s[i]; !letter(c) && c != '_' {
		return ""
	}
	for i < end && (letter(r.s[i]) || digit(r.s[i]) || strings.IndexByte("_.-/", r.s[i]) >= 0) {
		i++
	}
	if i >= end || r.s[i] != ':' || i+1 < end && r.s[i+1] != ' ' {
		return ""
	}
	name := r.s[from:i]
	if r.i = i + 1; reserved(name) {
		return ""
	}
	return name
}

// after reads what stands behind a field's name, on its line or below.
func (r *Reader) after(key Key, indent, depth int) *Node {
	r.spaces(r.eol)
	if r.i < r.eol {
		return r.rest(indent, depth, r.ls+indent)
	}
	if !r.advance() {
		return nil
	}
	switch {
	case r.i < 0 || r.i-r.ls < indent, r.i-r.ls == indent && !r.dash():
		return r.node(Null, key.Line, key.Col)
	case r.dash():
		return r.list(r.i-r.ls, depth+1)
	case r.i-r.ls > indent:
		return r.fields(r.i-r.ls, depth+1)
	}
	return nil
}

func (r *Reader) spaces(end int) {
	for r.i < end && r.s[r.i] == ' ' {
		r.i++
	}
}

func (r *Reader) dash() bool { return r.s[r.i] == '-' && r.i+1 < r.eol && r.s[r.i+1] == ' ' }

// list reads a list whose dashes are at the indentation.
func (r *Reader) list(indent, depth int) *Node {
	if depth > quickDepth || indent > quickIndent || r.count > quickNodes {
		return nil
	}
	n := r.node(List, r.line, r.col(r.i))
	mark := len(r.items.stack)
	for r.i >= 0 && r.i-r.ls == indent && r.dash() {
		r.i++
		r.spaces(r.eol)
		if r.i == r.eol || r.dash() || r.count > quickNodes {
			return nil
		}
		var item *Node
		at := r.i
		if name := r.name(r.eol); name != "" {
			r.i = at
			item = r.fields(at-r.ls, depth+1)
		} else {
			r.i = at
			item = r.rest(indent, depth, at)
		}
		if item == nil {
			return nil
		}
		r.items.stack = append(r.items.stack, item)
	}
	if r.i >= 0 && r.i-r.ls > indent {
		return nil
	}
	n.Items = r.items.take(mark)
	return n
}

// rest reads a value that begins on this line and is the line's last, and goes on to
// the next line.
func (r *Reader) rest(indent, depth, delim int) *Node {
	c := r.s[r.i]
	var n *Node
	switch {
	case c == '|' || c == '>':
		return r.block(indent)
	case c == '"' || c == '\'':
		n = r.quoted()
	case c == '{' || c == '[':
		n = r.flow(depth + 1)
	default:
		n = r.plain()
	}
	if n == nil {
		return nil
	}
	if r.i < r.eol { // a comment
		from := r.i
		r.spaces(r.eol)
		if r.i == from || r.i == r.eol || r.s[r.i] != '#' {
			return nil
		}
		r.count++
	}
	if !r.advance() || r.i >= 0 && r.i-r.ls > indent {
		return nil
	}
	return n
}

// plain reads text without quotes up to the end of the line or a comment.
func (r *Reader) plain() *Node {
	from := r.i
	if !begins(r.s[from]) {
		return nil
	}
	end := r.eol
	for i := from; i < end; i++ {
		switch r.s[i] {
		case ':':
			if i+1 == end || r.s[i+1] == ' ' {
				return nil
			}
		case '#':
			if r.s[i-1] == ' ' {
				end = i
			}
		}
	}
	if end < r.eol {
		for r.s[end-1] == ' ' {
			end--
		}
	} else if r.s[end-1] == ' ' {
		return nil
	}
	r.i = end
	return r.scalar(r.s[from:end], from)
}

// begins reports whether a plain text may begin so.
func begins(c byte) bool {
	return letter(c) || digit(c) || c >= utf8.RuneSelf || strings.IndexByte("/(+.$_", c) >= 0
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func digit(c byte) bool  { return c >= '0' && c <= '9' }

// reserved reports words that are not text.
func reserved(s string) bool {
	if len(s) > 5 || strings.IndexByte("tTfFnN.~", s[0]) < 0 {
		return false
	}
	switch s {
	case "true", "True", "TRUE", "false", "False", "FALSE", "null", "Null", "NULL":
		return true
	}
	return s[0] == '.' || s[0] == '~'
}

// scalar makes the node of a plain text, which may be a number or another word.
func (r *Reader) scalar(text string, at int) *Node {
	n := r.node(Text, r.line, r.col(at))
	n.Text = text
	c := text[0]
	switch {
	case reserved(text):
		switch text {
		case "true":
			n.Kind = Bool
		case "false":
			n.Kind = Bool
		default:
			return nil
		}
	case digit(c) || c == '+' || c == '.':
		if date(text) {
			break
		}
		if small(text) {
			n.Kind = Int
		} else if token.ToNumber(text) != nil {
			n.number(text)
		} else if _, err := strconv.ParseFloat(text, 64); err == nil || strings.Trim(text, "0123456789_.+-") == "" {
			return nil
		}
	}
	return n
}

// small reports a number that is written the only way it can be.
func small(s string) bool {
	if len(s) > 18 || s[0] == '0' && len(s) > 1 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !digit(s[i]) {
			return false
		}
	}
	return true
}

// date reports what is written like 2026-01-31.
func date(s string) bool {
	if len(s) != 10 || s[4] != '-' || s[7] != '-' {
		return false
	}
	for i := 0; i < 10; i++ {
		if i != 4 && i != 7 && !digit(s[i]) {
			return false
		}
	}
	return true
}

// quoted reads text in quotes that ends on its line.
func (r *Reader) quoted() *Node {
	q, from := r.s[r.i], r.i+1
	n := r.node(Text, r.line, r.col(from))
	n.style = q
	bare := true
	for i := from; i < r.eol; i++ {
		switch c := r.s[i]; {
		case c == '\\' && q == '"':
			if i++; i >= r.eol || strings.IndexByte(`"\n`, r.s[i]) < 0 {
				return nil
			}
			bare = false
		case c == q && q == '\'' && i+1 < r.eol && r.s[i+1] == q:
			i++
			bare = false
		case c == q:
			r.i = i + 1
			if n.Text = r.s[from:i]; !bare {
				n.Text = unquote(n.Text, q)
			}
			return n
		}
	}
	return nil
}

func unquote(s string, q byte) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if q == '"' && c == '\\' {
			if i++; s[i] == 'n' {
				b.WriteByte('\n')
				continue
			}
			c = s[i]
		} else if c == q {
			i++
		}
		b.WriteByte(c)
	}
	return b.String()
}

// flow reads {...} or [...] that ends on its line.
func (r *Reader) flow(depth int) *Node {
	if depth > quickDepth || r.count > quickNodes {
		return nil
	}
	if r.s[r.i] == '{' {
		return r.flowFields(depth)
	}
	n := r.node(List, r.line, r.col(r.i))
	mark := len(r.items.stack)
	r.i++
	for r.spaces(r.eol); r.i < r.eol; {
		if r.s[r.i] == ']' && len(r.items.stack) == mark {
			r.i++
			return n
		}
		item := r.flowValue(depth, false)
		if item == nil || r.count > quickNodes {
			return nil
		}
		r.items.stack = append(r.items.stack, item)
		if r.spaces(r.eol); r.i == r.eol {
			return nil
		}
		switch r.s[r.i] {
		case ']':
			r.i++
			n.Items = r.items.take(mark)
			return n
		case ',':
			r.i++
			r.spaces(r.eol)
		default:
			return nil
		}
	}
	return nil
}

func (r *Reader) flowFields(depth int) *Node {
	n := r.node(Map, r.line, r.col(r.i))
	mark := len(r.keys.stack)
	r.i++
	for r.spaces(r.eol); r.i < r.eol; {
		if r.s[r.i] == '}' && len(r.keys.stack) == mark {
			r.i++
			return n
		}
		key := Key{Line: r.line, Col: r.col(r.i)}
		if key.Name = r.name(r.eol); key.Name == "" {
			return nil
		}
		for _, k := range r.keys.stack[mark:] {
			if k.Name == key.Name {
				return nil
			}
		}
		if r.spaces(r.eol); r.i == r.eol {
			return nil
		}
		if key.Val = r.flowValue(depth, true); key.Val == nil || len(r.keys.stack)-mark > quickKeys {
			return nil
		}
		r.keys.stack = append(r.keys.stack, key)
		if r.spaces(r.eol); r.i == r.eol {
			return nil
		}
		switch r.s[r.i] {
		case '}':
			r.i++
			n.Keys = r.keys.take(mark)
			return n
		case ',':
			r.i++
			r.spaces(r.eol)
		default:
			return nil
		}
	}
	return nil
}

// flowValue reads a value within braces or brackets. ofKey says that it stands
// behind a name, where a colon within it is itself.
func (r *Reader) flowValue(depth int, ofKey bool) *Node {
	c := r.s[r.i]
	switch {
	case c == '{' || c == '[':
		return r.flow(depth + 1)
	case c == '"' || c == '\'':
		return r.quoted()
	case !begins(c):
		return nil
	}
	from, i := r.i, r.i
scan:
	for ; i < r.eol; i++ {
		switch r.s[i] {
		case ',', ']', '}':
			break scan
		case ':':
			if !ofKey || i+1 == r.eol || strings.IndexByte(" ,]}", r.s[i+1]) >= 0 {
				return nil
			}
		case '{', '[', '#', '"', '\'', '|', '>', '<', '*', '&', '!', '?', '%', '@', '`':
			return nil
		}
	}
	end := i
	for r.s[end-1] == ' ' {
		end--
	}
	r.i = i
	return r.scalar(r.s[from:end], from)
}

// block reads a text that begins with | or > and goes on below.
func (r *Reader) block(indent int) *Node {
	sign, line := r.s[r.i], r.line
	mode := r.s[r.i+1 : r.eol]
	if mode != "" && mode != "-" || r.next >= len(r.s) {
		return nil
	}
	n := r.node(Text, line+1, 0)
	n.style = sign
	var b strings.Builder
	at, lines, empty := -1, 0, false
	for r.next < len(r.s) {
		from := r.next
		end := strings.IndexByte(r.s[from:], '\n')
		if end < 0 {
			return nil
		}
		end += from
		i := from
		for i < end && r.s[i] == ' ' {
			i++
		}
		if i == end {
			if i != from || lines == 0 {
				return nil
			}
			b.WriteByte('\n')
			r.line, r.next, empty = r.line+1, end+1, true
			continue
		}
		if i-from <= indent {
			break
		}
		if at < 0 {
			at = i - from
		}
		if i-from < at || sign == '>' && (i-from > at || empty) || r.s[end-1] == ' ' || r.s[i] == '#' {
			return nil
		}
		if lines > 0 && sign == '>' {
			b.WriteByte(' ')
		}
		b.WriteString(r.s[from+at : end])
		if sign == '|' {
			b.WriteByte('\n')
		}
		lines++
		r.line, r.next = r.line+1, end+1
	}
	if lines == 0 || at > quickIndent {
		return nil
	}
	if n.Text = strings.TrimRight(b.String(), "\n"); mode == "" {
		n.Text += "\n"
	}
	n.Col, n.Indent = at+1, at+1
	if r.count += lines; !r.advance() || r.i >= 0 && r.i-r.ls > indent {
		return nil
	}
	return n
}
