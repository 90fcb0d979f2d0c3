// Package yamldoc reads YAML documents as values that know their place in the file.
//
// What is guaranteed: whatever the bytes are, reading ends soon, does not panic and
// either gives a value or reports what is wrong at a line and column. Size, depth
// and what aliases amount to are bounded. There are no cycles.
//
// It reads what definitions need and refuses the rest: tags other than those of
// plain values, field names that are not text, the same field twice.
package yamldoc

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on a document. The parser's time grows with the square of the number of
// keys, anchors and tags, and its stack with depth, so they are counted before it starts.
const (
	maxTokens  = 20_000
	maxAnchors = 200 // and tags
	maxDepth   = 64
	maxColumn  = 400 // of a block key or list dash: a bound on block nesting
	maxNodes   = 50_000
)

// Kind is the sort of a value.
type Kind uint8

// The kinds of value.
const (
	Null Kind = iota
	Bool
	Int
	Float
	Text
	List
	Map
)

// String is for messages: "a list".
func (k Kind) String() string {
	return [...]string{"empty", "true or false", "a whole number", "a number", "text", "a list", "a group of fields"}[k]
}

// Node is a YAML value with its place. Aliases share nodes; there are no cycles.
type Node struct {
	Kind      Kind
	Text      string // of a scalar: its value
	Line, Col int    // from 1, of the first character; of a text inside its quotes or block
	Indent    int    // of a block text: the column where further lines begin
	Items     []*Node
	Keys      []Key
	style     byte // of text: 0 plain, ' or ", | or >
	size      int  // values in here, aliases counted as often as they are used
	height    int
}

// Key is a field of a group: its name with its place, and its value.
type Key struct {
	Name      string
	Line, Col int
	Val       *Node
}

// Get finds a field by its name; nil if there is none.
func (n *Node) Get(name string) *Key {
	for i := range n.Keys {
		if n.Keys[i].Name == name {
			return &n.Keys[i]
		}
	}
	return nil
}

// Plain is n as ordinary values: int64, float64, bool, string, []any, map[string]any, nil.
func (n *Node) Plain() any {
	switch n.Kind {
	case Bool:
		return n.Text == "true"
	case Int:
		i, _ := strconv.ParseInt(n.Text, 10, 64)
		return i
	case Float:
		f, _ := strconv.ParseFloat(n.Text, 64)
		return f
	case Text:
		return n.Text
	case List:
		l := make([]any, len(n.Items))
		for i, it := range n.Items {
			l[i] = it.Plain()
		}
		return l
	case Map:
		m := make(map[string]any, len(n.Keys))
		for _, k := range n.Keys {
			m[k.Name] = k.Val.Plain()
		}
		return m
	}
	return nil
}

// Style is how a text is written: 0 plain, ' or ", | or >.
func (n *Node) Style() byte { return n.style }

// At is the place in source of the rune with this offset in n's text. Line breaks
// and indentation may have been folded away, so it counts what is not white space.
// The end of the text is behind its last rune.
func (n *Node) At(source []string, offset int) (line, col int) {
	want, past := 0, 0
	text := []rune(n.Text)
	for i, r := range text {
		if i < offset && !unicode.IsSpace(r) {
			want++
		}
	}
	if offset >= len(text) && want > 0 { // just behind the last one, not where the next thing begins
		want, past = want-1, 1
	}
	last := [2]int{n.Line, n.Col}
	for l := n.Line; l <= len(source); l++ {
		runes := []rune(source[l-1])
		c := 0
		if l == n.Line {
			c = n.Col - 1
		}
		for ; c < len(runes); c++ {
			if unicode.IsSpace(runes[c]) {
				continue
			}
			last = [2]int{l, c + 1}
			if want == 0 {
				return l, c + 1 + past
			}
			want--
			if n.style == '"' && runes[c] == '\\' || n.style == '\'' && runes[c] == '\'' {
				c++
			}
		}
	}
	return last[0], last[1]
}

// Problem is something that cannot be read, and what to do about it.
type Problem struct {
	Line, Col int // from 1
	Message   string
}

// Doc is a document in a file.
type Doc struct {
	Before    int    // lines of the file before it
	Offset    int    // bytes of the file before it
	source    string // as written, with the line that begins it
	marked    bool   // that line is ---
	directive bool   // there are directives
}

// Plain reports whether the document has no directives.
func (d Doc) Plain() bool { return !d.directive }

// Source is the document as it is in the file, with the --- that begins it.
func (d Doc) Source() string { return d.source }

// Text is the document without the signs of its beginning, which spaces replace.
func (d Doc) Text() string {
	s := d.source
	if d.marked {
		s = "   " + s[3:]
	}
	if !d.directive {
		return s
	}
	var b strings.Builder
	content := false
	for line := range strings.SplitAfterSeq(s, "\n") {
		if !content && strings.HasPrefix(line, "%") {
			line = "#" + line[1:]
		}
		content = content || says(line)
		b.WriteString(line)
	}
	return b.String()
}

// says reports whether a line is more than white space and a comment.
func says(line string) bool {
	t := strings.TrimSpace(line)
	return t != "" && t[0] != '#'
}

// Split cuts a file at its "---" lines, so that a mistake in one document does not
// hide those in another.
func Split(text string) (docs []Doc) {
	var d Doc
	from, content := 0, false
	flush := func(at, next, line int) {
		if content {
			d.source, d.Offset = text[from:at], from
			docs = append(docs, d)
		}
		d, from, content = Doc{Before: line}, next, false
	}
	for at, i := 0, 0; at < len(text); i++ {
		next := len(text)
		if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
			next = at + n + 1
		}
		line := text[at:next]
		switch c := line[0]; {
		case c == '-' && (strings.HasPrefix(line, "--- ") || strings.TrimRight(line, "\r\n \t") == "---"):
			flush(at, at, i)
			d.marked = true
			content = says(line[3:])
		case c == '.' && strings.TrimRight(line, "\r\n \t") == "...":
			flush(at, next, i+1)
		case c == '%' && !content:
			d.directive = true
		case !content:
			content = says(line)
		}
		at = next
	}
	flush(len(text), len(text), 0)
	return docs
}

// builder turns a syntax tree into nodes.
type builder struct {
	before  int // lines of the file before the document
	source  []string
	report  func(Problem)
	anchors map[string]*Node
	count   int
	failed  bool
}

func (b *builder) problem(line, col int, format string, args ...any) {
	b.failed = true
	b.report(Problem{line, max(col, 1), fmt.Sprintf(format, args...)})
}

// Parse reads one document that has before lines above it in its file, whose lines
// are source. It gives nil if the document cannot be read, which is reported.
func Parse(text string, before int, source []string, report func(Problem)) (root *Node) {
	b := &builder{before: before, source: source, report: report, anchors: map[string]*Node{}}
	defer func() {
		if r := recover(); r != nil { // the parser has no promise not to panic
			b.problem(before+1, 1, "this document cannot be read as YAML: write it more simply")
			root = nil
		}
	}()
	tokens := lexer.Tokenize(text)
	if !b.bounded(tokens) {
		return nil
	}
	f, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		b.syntax(err)
		return nil
	}
	for _, d := range f.Docs {
		if d.Body == nil {
			continue
		}
		if d.Body.Type() == ast.DirectiveType || d.Body.Type() == ast.CommentType {
			continue
		}
		if root == nil {
			root = b.node(d.Body, 0)
		}
	}
	if b.failed {
		return nil
	}
	return root
}

// Comment is a remark in a document.
type Comment struct {
	Line, Col int
	Text      string // with its #
	Alone     bool   // nothing stands before it in its line
}

// Comments are the remarks in a document of a file with these lines, from the top.
func Comments(d Doc, lines []string) (out []Comment) {
	defer func() {
		if recover() != nil {
			out = nil
		}
	}()
	for _, t := range lexer.Tokenize(d.Text()) {
		if t.Type != token.CommentType || t.Position == nil {
			continue
		}
		c := Comment{Line: d.Before + t.Position.Line, Col: t.Position.Column}
		if c.Line > len(lines) {
			continue
		}
		runes := []rune(lines[c.Line-1])
		at := min(max(c.Col-1, 0), len(runes))
		for at > 0 && (at == len(runes) || runes[at] != '#') {
			at--
		}
		c.Col, c.Text = at+1, strings.TrimRight(string(runes[at:]), " \t")
		c.Alone = strings.TrimSpace(string(runes[:at])) == ""
		out = append(out, c)
	}
	return out
}

// bounded counts what the parser cannot take much of.
func (b *builder) bounded(tokens token.Tokens) bool {
	depth, anchors := 0, 0
	for i, t := range tokens {
		line, col := b.place(t)
		switch t.Type {
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.AnchorType, token.TagType, token.AliasType:
			anchors++
		case token.SequenceEntryType, token.MappingKeyType, token.MappingValueType:
			if t.Type == token.MappingValueType && i > 0 {
				_, col = b.place(tokens[i-1])
			}
			if depth <= 0 && col > maxColumn {
				b.problem(line, col, "this is nested too deeply: at most %d levels are read", maxDepth)
				return false
			}
		}
		if depth > maxDepth {
			b.problem(line, col, "this is nested too deeply: at most %d levels are read", maxDepth)
			return false
		}
		if i >= maxTokens {
			b.problem(line, col, "this document is too long: split it into several, separated by a line with ---")
			return false
		}
		if anchors > maxAnchors {
			b.problem(line, col, "too many anchors, aliases and tags in one document: at most %d are read", maxAnchors)
			return false
		}
	}
	return true
}

func (b *builder) place(t *token.Token) (line, col int) {
	if t == nil || t.Position == nil {
		return b.before + 1, 1
	}
	return b.before + max(t.Position.Line, 1), max(t.Position.Column, 1)
}

// syntax words a parser's error so that it says what to do.
func (b *builder) syntax(err error) {
	var se *yaml.SyntaxError
	if !errors.As(err, &se) {
		b.problem(b.before+1, 1, "this document cannot be read as YAML")
		return
	}
	line, col := b.place(se.Token)
	m := se.Message
	switch {
	case line <= len(b.source) && strings.Contains(leading(b.source[line-1]), "\t"), strings.Contains(m, "tab character"), strings.Contains(m, "character '\t'"):
		col = strings.IndexByte(b.source[line-1], '\t') + 1
		m = "a tab cannot indent YAML: use spaces"
	case strings.Contains(m, "mapping value is not allowed"):
		m = `a colon is not allowed here: indent this line like the ones around it, or put the text in quotes if it contains ": "`
	case strings.Contains(m, "non-map value"), strings.Contains(m, "unexpected key name"):
		m = "a field name and a colon are expected here: write it as name: value"
	case strings.Contains(m, "end character"), strings.Contains(m, "could not find flow"), strings.Contains(m, "must be specified"):
		m += ": close what was opened"
	case strings.Contains(m, "reserved character"):
		m += ": put the text in quotes"
	case strings.Contains(m, "value is not allowed in this context"):
		m = "this does not fit here: indent it like the lines around it"
	case strings.Contains(m, "unknown escape"):
		m += `: write \\ for a backslash, or use single quotes`
	case strings.Contains(m, "invalid key"):
		m = "a field name must be plain text"
	}
	b.problem(line, col, "not valid YAML: %s", m)
}

func leading(s string) string { return s[:len(s)-len(strings.TrimLeft(s, " \t"))] }

// node builds n. It never returns nil.
func (b *builder) node(n ast.Node, depth int) *Node {
	line, col := b.before+1, 1
	if n != nil {
		line, col = b.place(n.GetToken())
	}
	out := &Node{Line: line, Col: col, size: 1}
	b.count++
	if depth > maxDepth || b.count > maxNodes {
		if !b.failed {
			b.problem(line, col, "this is nested too deeply or too long: at most %d levels and %d values are read", maxDepth, maxNodes)
		}
		return out
	}
	switch n := n.(type) {
	case nil, *ast.NullNode:
	case *ast.BoolNode:
		out.Kind, out.Text = Bool, strconv.FormatBool(n.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.number(n.GetToken().Value)
	case *ast.StringNode:
		b.text(out, n)
	case *ast.LiteralNode:
		b.block(out, n)
	case *ast.SequenceNode:
		out.Kind = List
		for _, v := range n.Values {
			out.add(b.node(v, depth+1))
		}
	case *ast.MappingNode:
		out.Kind = Map
		b.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		out.Kind = Map
		b.mapping(out, []*ast.MappingValueNode{n}, depth)
	case *ast.AnchorNode:
		v := b.node(n.Value, depth+1)
		b.anchors[n.Name.GetToken().Value] = v
		return v
	case *ast.AliasNode:
		name := n.Value.GetToken().Value
		v, ok := b.anchors[name]
		if !ok {
			b.problem(line, col, "there is no anchor &%s before this: an alias repeats something above it", name)
			return out
		}
		return v
	case *ast.TagNode:
		return b.tagged(n, line, col, depth)
	default:
		b.problem(line, col, "this is not used in definitions: write plain fields, lists and text")
	}
	if (out.size > maxNodes || out.height > maxDepth) && !b.failed {
		b.problem(line, col, "with its aliases this holds too many values or levels: at most %d and %d are read", maxNodes, maxDepth)
	}
	return out
}

func (n *Node) add(item *Node) {
	n.Items = append(n.Items, item)
	n.grow(item)
}

func (n *Node) grow(child *Node) {
	n.size = min(n.size+child.size, maxNodes+1)
	n.height = max(n.height, child.height+1)
}

// number keeps what is written the decimal way; anything else (007, 0x1F, .inf) is text.
func (n *Node) number(s string) {
	n.Kind, n.Text = Text, s
	digits := strings.TrimLeft(s, "+-")
	if digits == "" || len(digits) > 1 && digits[0] == '0' && digits[1] != '.' || strings.Trim(digits, "0123456789.eE+-") != "" {
		return
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		n.Kind, n.Text = Int, strconv.FormatInt(i, 10)
	} else if f, err := strconv.ParseFloat(s, 64); err == nil {
		n.Kind, n.Text = Float, strconv.FormatFloat(f, 'g', -1, 64)
	}
}

func (b *builder) text(out *Node, n *ast.StringNode) {
	out.Kind, out.Text = Text, n.Value
	switch n.GetToken().Type {
	case token.SingleQuoteType:
		out.style = '\''
		out.Col++
	case token.DoubleQuoteType:
		out.style = '"'
		out.Col++
	}
}

// block reads a text that was written with | or >.
func (b *builder) block(out *Node, n *ast.LiteralNode) {
	out.Kind, out.style = Text, '|'
	if n.Start.Type == token.FoldedType {
		out.style = '>'
	}
	if n.Value == nil {
		return
	}
	out.Text = n.Value.Value
	out.Line++ // the text begins below the sign, with its empty lines
	at := out.Line
	for at < len(b.source) && strings.TrimSpace(b.source[at-1]) == "" {
		at++
	}
	first := ""
	for _, l := range strings.Split(out.Text, "\n") {
		if strings.TrimSpace(l) != "" {
			first = l
			break
		}
	}
	if at <= len(b.source) {
		out.Col = max(len(leading(b.source[at-1]))-len(leading(first)), 0) + 1
	}
	out.Indent = out.Col
}

func (b *builder) tagged(n *ast.TagNode, line, col, depth int) *Node {
	v := b.node(n.Value, depth+1)
	switch tag := n.Start.Value; tag {
	case "!!str":
		c := *v
		if c.Kind != List && c.Kind != Map {
			c.Kind, c.Text = Text, n.Value.GetToken().Value
		}
		return &c
	case "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq":
		return v
	default:
		b.problem(line, col, "tags such as %s are not used in definitions: remove it", tag)
		return v
	}
}

func (b *builder) mapping(out *Node, values []*ast.MappingValueNode, depth int) {
	var merged []*Node
	seen := make(map[string]int, len(values))
	for i, kv := range values {
		if kv.Key == nil {
			continue
		}
		kt := kv.Key.GetToken()
		kn := ast.Node(kv.Key)
		if mk, ok := kn.(*ast.MappingKeyNode); ok && mk.Value != nil {
			kn, kt = mk.Value, mk.Value.GetToken()
		}
		line, col := b.place(kt)
		if i == 0 && line == out.Line && col < out.Col {
			out.Col = col // a block mapping's token is its first colon
		}
		val := b.node(kv.Value, depth+1)
		if val.Kind == Null && kv.Value != nil && kv.Value.GetToken() != nil && kv.Value.GetToken().Type == token.ImplicitNullType {
			val.Line, val.Col = line, col
		}
		if _, ok := kn.(*ast.MergeKeyNode); ok {
			merged = append(merged, val)
			continue
		}
		name := kt.Value
		if _, ok := kn.(ast.ScalarNode); !ok {
			b.problem(line, col, "a field name must be plain text")
			continue
		}
		if first, dup := seen[name]; dup {
			b.problem(line, col, "%q is here twice; the first is in line %d: remove one", name, first)
			continue
		}
		seen[name] = line
		out.Keys = append(out.Keys, Key{name, line, col, val})
		out.grow(val)
	}
	for _, m := range merged {
		b.merge(out, m)
	}
}

// merge adds the fields of m, or of each of m's items, that out does not have (YAML's "<<").
func (b *builder) merge(out, m *Node) {
	switch m.Kind {
	case Map:
		for _, k := range m.Keys {
			if out.Get(k.Name) == nil {
				out.Keys = append(out.Keys, k)
				out.grow(k.Val)
			}
		}
	case List:
		for _, it := range m.Items {
			if it.Kind == List {
				b.problem(it.Line, it.Col, "<< takes fields or a list of fields")
				return
			}
			b.merge(out, it)
		}
	default:
		b.problem(m.Line, m.Col, "<< takes fields: point it at an anchor that has some")
	}
}

// Readable checks that a file is text before a parser sees it.
func Readable(text []byte) (string, *Problem) {
	s := strings.TrimPrefix(string(text), "\ufeff")
	line, col := 1, 1
	for i := 0; i < len(s); {
		if c := s[i]; c >= ' ' && c < 0x7f { // nearly all of it
			i, col = i+1, col+1
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return "", &Problem{line, col, "this byte is not UTF-8: save the file as UTF-8"}
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f:
			return "", &Problem{line, col, fmt.Sprintf("a control character (U+%04X) cannot be in a definition: remove it", r)}
		}
		if col++; r == '\n' {
			line, col = line+1, 1
		}
		i += n
	}
	return strings.ReplaceAll(s, "\r\n", "\n"), nil
}

// Shares reports whether a document has anchors, aliases, tags or merged fields: parts
// that belong to more than one place.
func Shares(text string) bool {
	for _, t := range lexer.Tokenize(text) {
		switch t.Type {
		case token.AnchorType, token.AliasType, token.TagType, token.MergeKeyType:
			return true
		}
	}
	return false
}
