package def

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

type nodeKind uint8

const (
	isNull nodeKind = iota
	isBool
	isInt
	isFloat
	isText
	isList
	isMap
)

func (k nodeKind) String() string {
	return [...]string{"empty", "true or false", "a whole number", "a number", "text", "a list", "a group of fields"}[k]
}

// node is a YAML value with its place. Aliases share nodes; there are no cycles.
type node struct {
	kind      nodeKind
	style     byte   // of text: 0 plain, ' or ", | or >
	text      string // of a scalar: its value
	line, col int    // of the first character; of a text inside its quotes or block
	indent    int    // of a block text: column where further lines begin
	items     []*node
	keys      []key
	size      int // values in here, aliases counted as often as they are used
	height    int
}

type key struct {
	name      string
	line, col int
	val       *node
}

func (n *node) get(name string) *key {
	for i := range n.keys {
		if n.keys[i].name == name {
			return &n.keys[i]
		}
	}
	return nil
}

// plain is n as ordinary values: int64, float64, bool, string, []any, map[string]any, nil.
func (n *node) plain() any {
	switch n.kind {
	case isBool:
		return n.text == "true"
	case isInt:
		i, _ := strconv.ParseInt(n.text, 10, 64)
		return i
	case isFloat:
		f, _ := strconv.ParseFloat(n.text, 64)
		return f
	case isText:
		return n.text
	case isList:
		l := make([]any, len(n.items))
		for i, it := range n.items {
			l[i] = it.plain()
		}
		return l
	case isMap:
		m := make(map[string]any, len(n.keys))
		for _, k := range n.keys {
			m[k.name] = k.val.plain()
		}
		return m
	}
	return nil
}

// at is the place in source of the rune with this offset in n's text. Line breaks
// and indentation may have been folded away, so it counts what is not white space.
func (n *node) at(source []string, offset int) (line, col int) {
	want := 0
	for i, r := range []rune(n.text) {
		if i >= offset {
			break
		}
		if !unicode.IsSpace(r) {
			want++
		}
	}
	last := [2]int{n.line, n.col}
	for l := n.line; l <= len(source); l++ {
		runes := []rune(source[l-1])
		c := 0
		if l == n.line {
			c = n.col - 1
		}
		for ; c < len(runes); c++ {
			if unicode.IsSpace(runes[c]) {
				continue
			}
			last = [2]int{l, c + 1}
			if want == 0 {
				return l, c + 1
			}
			want--
			if n.style == '"' && runes[c] == '\\' || n.style == '\'' && runes[c] == '\'' {
				c++
			}
		}
	}
	return last[0], last[1]
}

// document is one YAML document of a file.
type document struct {
	file   string
	source []string // lines of the whole file
	root   *node    // nil if it could not be read
}

// split cuts a file at its "---" lines, so that a mistake in one document does not
// hide those in another. It gives the text and the number of lines before it.
func split(text string) (docs []string, before []int) {
	var cur strings.Builder
	start, content := 0, false
	flush := func(next int) {
		if content {
			docs, before = append(docs, cur.String()), append(before, start)
		}
		cur.Reset()
		start, content = next, false
	}
	for i, line := range strings.SplitAfter(text, "\n") {
		bare := strings.TrimRight(line, "\r\n \t")
		switch {
		case bare == "---" || strings.HasPrefix(line, "--- "):
			flush(i)
			line = "   " + line[3:]
			bare = strings.TrimSpace(bare[3:])
		case bare == "...":
			flush(i + 1)
			continue
		case !content && strings.HasPrefix(line, "%"): // a directive
			line = "#" + line[1:]
			bare = "#"
		}
		if t := strings.TrimSpace(bare); t != "" && t[0] != '#' {
			content = true
		}
		cur.WriteString(line)
	}
	flush(0)
	return docs, before
}

// builder turns a syntax tree into nodes.
type builder struct {
	file    string
	before  int // lines of the file before the document
	source  []string
	report  func(Problem)
	anchors map[string]*node
	count   int
	failed  bool
}

func (b *builder) problem(line, col int, format string, args ...any) {
	b.failed = true
	b.report(Problem{b.file, line, max(col, 1), fmt.Sprintf(format, args...)})
}

// parseDocument reads one document; nil if it cannot be read, which is reported.
func parseDocument(file, text string, before int, source []string, report func(Problem)) (root *node) {
	b := &builder{file: file, before: before, source: source, report: report, anchors: map[string]*node{}}
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
func (b *builder) node(n ast.Node, depth int) *node {
	line, col := b.before+1, 1
	if n != nil {
		line, col = b.place(n.GetToken())
	}
	out := &node{line: line, col: col, size: 1}
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
		out.kind, out.text = isBool, strconv.FormatBool(n.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		out.number(n.GetToken().Value)
	case *ast.StringNode:
		b.text(out, n)
	case *ast.LiteralNode:
		b.block(out, n)
	case *ast.SequenceNode:
		out.kind = isList
		for _, v := range n.Values {
			out.add(b.node(v, depth+1))
		}
	case *ast.MappingNode:
		out.kind = isMap
		b.mapping(out, n.Values, depth)
	case *ast.MappingValueNode:
		out.kind = isMap
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

func (n *node) add(item *node) {
	n.items = append(n.items, item)
	n.grow(item)
}

func (n *node) grow(child *node) {
	n.size = min(n.size+child.size, maxNodes+1)
	n.height = max(n.height, child.height+1)
}

// number keeps what is written the decimal way; anything else (007, 0x1F, .inf) is text.
func (n *node) number(s string) {
	n.kind, n.text = isText, s
	digits := strings.TrimLeft(s, "+-")
	if digits == "" || len(digits) > 1 && digits[0] == '0' && digits[1] != '.' || strings.Trim(digits, "0123456789.eE+-") != "" {
		return
	}
	if i, err := strconv.ParseInt(s, 10, 64); err == nil {
		n.kind, n.text = isInt, strconv.FormatInt(i, 10)
	} else if f, err := strconv.ParseFloat(s, 64); err == nil {
		n.kind, n.text = isFloat, strconv.FormatFloat(f, 'g', -1, 64)
	}
}

func (b *builder) text(out *node, n *ast.StringNode) {
	out.kind, out.text = isText, n.Value
	switch n.GetToken().Type {
	case token.SingleQuoteType:
		out.style = '\''
		out.col++
	case token.DoubleQuoteType:
		out.style = '"'
		out.col++
	}
}

// block reads a text that was written with | or >.
func (b *builder) block(out *node, n *ast.LiteralNode) {
	out.kind, out.style = isText, '|'
	if n.Start.Type == token.FoldedType {
		out.style = '>'
	}
	if n.Value == nil {
		return
	}
	out.text = n.Value.Value
	out.line++ // the text begins below the sign, with its empty lines
	at := out.line
	for at < len(b.source) && strings.TrimSpace(b.source[at-1]) == "" {
		at++
	}
	first := ""
	for _, l := range strings.Split(out.text, "\n") {
		if strings.TrimSpace(l) != "" {
			first = l
			break
		}
	}
	if at <= len(b.source) {
		out.col = max(len(leading(b.source[at-1]))-len(leading(first)), 0) + 1
	}
	out.indent = out.col
}

func (b *builder) tagged(n *ast.TagNode, line, col, depth int) *node {
	v := b.node(n.Value, depth+1)
	switch tag := n.Start.Value; tag {
	case "!!str":
		c := *v
		if c.kind != isList && c.kind != isMap {
			c.kind, c.text = isText, n.Value.GetToken().Value
		}
		return &c
	case "!!int", "!!float", "!!bool", "!!null", "!!map", "!!seq":
		return v
	default:
		b.problem(line, col, "tags such as %s are not used in definitions: remove it", tag)
		return v
	}
}

func (b *builder) mapping(out *node, values []*ast.MappingValueNode, depth int) {
	var merged []*node
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
		if i == 0 && line == out.line && col < out.col {
			out.col = col // a block mapping's token is its first colon
		}
		val := b.node(kv.Value, depth+1)
		if val.kind == isNull && kv.Value != nil && kv.Value.GetToken() != nil && kv.Value.GetToken().Type == token.ImplicitNullType {
			val.line, val.col = line, col
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
		out.keys = append(out.keys, key{name, line, col, val})
		out.grow(val)
	}
	for _, m := range merged {
		b.merge(out, m)
	}
}

// merge adds the fields of m, or of each of m's items, that out does not have (YAML's "<<").
func (b *builder) merge(out, m *node) {
	switch m.kind {
	case isMap:
		for _, k := range m.keys {
			if out.get(k.name) == nil {
				out.keys = append(out.keys, k)
				out.grow(k.val)
			}
		}
	case isList:
		for _, it := range m.items {
			if it.kind == isList {
				b.problem(it.line, it.col, "<< takes fields or a list of fields")
				return
			}
			b.merge(out, it)
		}
	default:
		b.problem(m.line, m.col, "<< takes fields: point it at an anchor that has some")
	}
}

// readable checks that a file is text before a parser sees it.
func readable(file string, text []byte) (string, *Problem) {
	s := strings.TrimPrefix(string(text), "\ufeff")
	line, col := 1, 1
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return "", &Problem{file, line, col, "this byte is not UTF-8: save the file as UTF-8"}
		case r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f:
			return "", &Problem{file, line, col, fmt.Sprintf("a control character (U+%04X) cannot be in a definition: remove it", r)}
		}
		if col++; r == '\n' {
			line, col = line+1, 1
		}
		i += n
	}
	return strings.ReplaceAll(s, "\r\n", "\n"), nil
}
