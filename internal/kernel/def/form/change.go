package form

import (
	"cmp"
	"errors"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
)

// ErrByHand says that a document is written in a way that only a person can change.
var ErrByHand = errors.New("this definition is written in a way that cannot be changed here without rewriting what others wrote (anchors, aliases, tags, or a comment in an unusual place): change it in its file")

// New is the text of a new document. The values are those that [Node] takes.
func New(value map[string]any, order Order) (string, error) {
	root, err := Node(value)
	if err != nil {
		return "", err
	}
	p := printer{order: order}
	if k := root.Get("kind"); k != nil {
		p.kind = k.Val.Text
	}
	p.fields(root, 0, "", false)
	if !same(root, p.b.String()) {
		return "", ErrByHand
	}
	return p.b.String(), nil
}

// Change is the text of the document as in its file, changed so that its value is
// want. Everything that is the same in want, and all comments outside what is taken
// away, stay byte for byte.
func Change(d yamldoc.Doc, want map[string]any, order Order) (string, error) {
	text := d.Text()
	d.Before = 0
	lines := strings.Split(text, "\n")
	root := yamldoc.Parse(text, 0, lines, func(yamldoc.Problem) {})
	goal, err := Node(want)
	if err != nil {
		return "", err
	}
	if root == nil || root.Kind != yamldoc.Map || !d.Plain() || yamldoc.Shares(text) {
		return "", ErrByHand
	}
	c := &changer{s: text, lines: lines, order: order, comments: yamldoc.Comments(d, lines)}
	at := 0
	for _, l := range lines {
		c.starts = append(c.starts, at)
		at += len(l) + 1
	}
	if k := goal.Get("kind"); k != nil {
		c.kind = k.Val.Text
	}
	c.group(root, goal, "", len(text))
	out := c.apply(d.Source())
	if !same(goal, out) {
		return "", ErrByHand
	}
	return out, nil
}

// changer gathers the places that change.
type changer struct {
	s        string
	lines    []string
	starts   []int // offset of each line
	comments []yamldoc.Comment
	order    Order
	kind     string
	edits    []edit
}

type edit struct {
	from, to int
	text     string
}

func (c *changer) apply(s string) string {
	slices.SortStableFunc(c.edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	at := 0
	for _, e := range c.edits {
		if e.from < at {
			return "" // they overlap, which the caller finds out
		}
		b.WriteString(s[at:e.from])
		b.WriteString(e.text)
		at = e.to
	}
	b.WriteString(s[at:])
	return b.String()
}

// offset is where a line and column are in the text.
func (c *changer) offset(line, col int) int {
	l := c.lines[line-1]
	for range col - 1 {
		_, n := utf8.DecodeRuneInString(l)
		l = l[n:]
	}
	return c.starts[line-1] + len(c.lines[line-1]) - len(l)
}

func (c *changer) lineEnd(at int) int {
	if n := strings.IndexByte(c.s[at:], '\n'); n >= 0 {
		return at + n
	}
	return len(c.s)
}

func (c *changer) lineStart(at int) int { return strings.LastIndexByte(c.s[:at], '\n') + 1 }

// content is the end of the last line before limit that says something.
func (c *changer) content(from, limit int) int {
	end := from
	for at := from; at < limit; {
		e := c.lineEnd(at)
		if t := strings.TrimSpace(c.s[at:e]); t != "" && t[0] != '#' {
			end = e
		}
		at = e + 1
	}
	return end
}

// span is where the value behind a name (which ends at from) or dash stands.
func (c *changer) span(n *yamldoc.Node, from, limit int) (begin, end int) {
	i := from
	for i < len(c.s) && c.s[i] == ' ' {
		i++
	}
	if i >= len(c.s) || c.s[i] == '\n' || c.s[i] == '#' {
		if n.Kind == yamldoc.Null {
			return from, from
		}
		return from, c.content(c.lineEnd(i)+1, limit)
	}
	switch c.s[i] {
	case '|', '>':
		end := c.lineEnd(i)
		for at := end + 1; at < limit; {
			e := c.lineEnd(at)
			line := c.s[at:e]
			if t := strings.TrimLeft(line, " "); t != "" && len(line)-len(t) < n.Indent-1 {
				break
			} else if t != "" {
				end = e
			}
			at = e + 1
		}
		return i, end
	case '{', '[':
		return i, c.closing(i)
	case '"', '\'':
		return i, c.unquoted(i)
	}
	end = c.content(i, limit)
	if line := c.s[c.lineStart(end):end]; strings.Contains(line, " #") {
		cut := strings.LastIndex(line[:strings.Index(line, " #")+1], " #")
		if cut < 0 {
			cut = strings.Index(line, " #")
		}
		end = c.lineStart(end) + cut
	}
	return i, i + len(strings.TrimRight(c.s[i:end], " "))
}

// unquoted is where the quotes that begin at i end.
func (c *changer) unquoted(i int) int {
	q := c.s[i]
	for i++; i < len(c.s); i++ {
		switch {
		case q == '"' && c.s[i] == '\\':
			i++
		case c.s[i] == q && q == '\'' && i+1 < len(c.s) && c.s[i+1] == q:
			i++
		case c.s[i] == q:
			return i + 1
		}
	}
	return len(c.s)
}

// closing is where the braces or brackets that begin at i end.
func (c *changer) closing(i int) int {
	depth := 0
	for ; i < len(c.s); i++ {
		switch ch := c.s[i]; {
		case ch == '{' || ch == '[':
			depth++
		case ch == '}' || ch == ']':
			if depth--; depth == 0 {
				return i + 1
			}
		case (ch == '"' || ch == '\'') && strings.IndexByte(" ,[{:\n", c.s[i-1]) >= 0:
			i = c.unquoted(i) - 1
		case ch == '#' && (c.s[i-1] == ' ' || c.s[i-1] == '\n'):
			i = c.lineEnd(i)
		}
	}
	return len(c.s)
}

// behind is where the name of a field ends, with its colon.
func (c *changer) behind(k yamldoc.Key) int {
	at := c.offset(k.Line, k.Col)
	if c.s[at] == '"' || c.s[at] == '\'' {
		at = c.unquoted(at)
	} else {
		at += len(k.Name)
	}
	if n := strings.IndexByte(c.s[at:], ':'); n >= 0 {
		return at + n + 1
	}
	return len(c.s)
}

func inBlock(c *changer, n *yamldoc.Node) bool {
	at := c.offset(n.Line, n.Col)
	return at < len(c.s) && c.s[at] != '{' && c.s[at] != '['
}

func equal(a, b *yamldoc.Node) bool { return reflect.DeepEqual(a.Plain(), b.Plain()) }

// value changes one value. from is where its name or dash ends.
func (c *changer) value(n, want *yamldoc.Node, path string, indent, from, limit int) {
	switch {
	case equal(n, want):
	case n.Kind == yamldoc.Map && want.Kind == yamldoc.Map && len(want.Keys) > 0 && len(n.Keys) > 0 && inBlock(c, n):
		c.group(n, want, path, limit)
	case n.Kind == yamldoc.List && want.Kind == yamldoc.List && len(want.Items) > 0 && len(n.Items) > 0 && inBlock(c, n):
		c.items(n, want, path, limit)
	case (n.Kind == yamldoc.Map || n.Kind == yamldoc.List) && c.tokens(n, want):
	default:
		c.replace(n, want, path, indent, from, limit)
	}
}

// tokens changes plain values within braces and brackets where they stand, if that
// is all there is to change.
func (c *changer) tokens(n, want *yamldoc.Node) bool {
	if inBlock(c, n) || n.Kind != want.Kind || len(n.Keys) != len(want.Keys) || len(n.Items) != len(want.Items) {
		return false
	}
	mark := len(c.edits)
	pair := func(a, b *yamldoc.Node) bool {
		if equal(a, b) {
			return true
		}
		if a.Kind == yamldoc.Map || a.Kind == yamldoc.List {
			return c.tokens(a, b)
		}
		at := c.offset(a.Line, a.Col)
		switch {
		case b.Kind < yamldoc.Bool || b.Kind > yamldoc.Text || a.Kind == yamldoc.Null:
			return false
		case a.Style() == '"' || a.Style() == '\'':
			c.edits = append(c.edits, edit{at - 1, c.unquoted(at - 1), within(b, flow(b))})
		case strings.HasPrefix(c.s[at:], a.Text) && at+len(a.Text) < len(c.s) && strings.IndexByte(" ,]}", c.s[at+len(a.Text)]) >= 0:
			c.edits = append(c.edits, edit{at, at + len(a.Text), within(b, flow(b))})
		default:
			return false
		}
		return true
	}
	for i := range n.Items {
		if !pair(n.Items[i], want.Items[i]) {
			c.edits = c.edits[:mark]
			return false
		}
	}
	for _, k := range n.Keys {
		w := want.Get(k.Name)
		if w == nil || !pair(k.Val, w.Val) {
			c.edits = c.edits[:mark]
			return false
		}
	}
	return true
}

// replace writes a value anew. Comments within the old one go above its line.
func (c *changer) replace(n, want *yamldoc.Node, path string, indent, from, limit int) {
	begin, end := c.span(n, from, limit)
	for _, k := range c.comments {
		if at := c.offset(k.Line, k.Col); at >= begin && at < end {
			line := c.lineStart(from)
			c.edits = append(c.edits, edit{line, line, strings.Repeat(" ", indent) + k.Text + "\n"})
		}
	}
	want = arranged(n, want, c, path)
	p := printer{order: c.order, kind: c.kind}
	tail := end < len(c.s) && strings.TrimSpace(c.s[end:c.lineEnd(end)]) != ""
	beside := begin > from && n.Kind != yamldoc.Text && (n.Kind == yamldoc.Map || n.Kind == yamldoc.List)
	if want.Kind != yamldoc.Null && (tail || beside) {
		p.b.WriteString(" " + flow(want))
	} else {
		p.after(want, indent, indent+utf8.RuneCountInString(c.s[c.lineStart(from):from])+1, path, 0)
	}
	c.edits = append(c.edits, edit{from, end, strings.TrimSuffix(p.b.String(), "\n")})
}

// arranged puts the fields of want in the order that n has them in.
func arranged(n, want *yamldoc.Node, c *changer, path string) *yamldoc.Node {
	if want.Kind != yamldoc.Map {
		return want
	}
	p := printer{order: c.order, kind: c.kind}
	out := *want
	out.Keys = p.sorted(want, path)
	slices.SortStableFunc(out.Keys, func(a, b yamldoc.Key) int {
		return place(n, a.Name) - place(n, b.Name)
	})
	return &out
}

func place(n *yamldoc.Node, name string) int {
	for i := range n.Keys {
		if n.Keys[i].Name == name {
			return i
		}
	}
	return len(n.Keys)
}

// group changes a group whose fields stand on lines of their own.
func (c *changer) group(n, want *yamldoc.Node, path string, limit int) {
	indent := n.Col - 1
	ends := make([]int, len(n.Keys)) // where the lines of each field end
	for i, k := range n.Keys {
		next := limit
		if i+1 < len(n.Keys) {
			next = c.starts[n.Keys[i+1].Line-1]
		}
		from := c.behind(k)
		_, end := c.span(k.Val, from, next)
		ends[i] = min(c.lineEnd(end)+1, len(c.s))
		w := want.Get(k.Name)
		if w != nil {
			c.value(k.Val, w.Val, under(path, k.Name), indent, from, next)
			continue
		}
		begin := c.lineStart(from)
		if at := c.offset(k.Line, k.Col); strings.TrimSpace(c.s[begin:at]) != "" { // behind a dash
			begin = at
			if i+1 < len(n.Keys) {
				c.edits = append(c.edits, edit{begin, c.offset(n.Keys[i+1].Line, n.Keys[i+1].Col), ""})
				continue
			}
		}
		c.edits = append(c.edits, edit{begin, ends[i], ""})
	}
	p := printer{order: c.order, kind: c.kind}
	all := p.sorted(want, path)
	for i, k := range all {
		if n.Get(k.Name) != nil {
			continue
		}
		at := ends[len(ends)-1]
		for j := i - 1; j >= 0; j-- { // behind the field that comes before it
			if x := place(n, all[j].Name); x < len(ends) {
				at = ends[x]
				break
			}
		}
		q := printer{order: c.order, kind: c.kind}
		if at > 0 && c.s[at-1] != '\n' {
			q.b.WriteByte('\n')
		}
		q.spaces(indent)
		q.b.WriteString(name(k.Name) + ":")
		q.after(k.Val, indent, indent+len(k.Name)+2, under(path, k.Name), 0)
		c.edits = append(c.edits, edit{at, at, q.b.String()})
	}
}

// items changes a list whose items stand on lines of their own.
func (c *changer) items(n, want *yamldoc.Node, path string, limit int) {
	indent := n.Col - 1
	begins, ends := make([]int, len(n.Items)), make([]int, len(n.Items))
	for i, it := range n.Items {
		next := limit
		if i+1 < len(n.Items) {
			next = c.starts[n.Items[i+1].Line-1]
		}
		dash := c.starts[it.Line-1] + indent
		if dash >= len(c.s) || c.s[dash] != '-' {
			c.edits = append(c.edits, edit{1, 0, ""}) // not one that can be changed here
			return
		}
		begins[i], ends[i] = c.lineStart(dash), min(c.content(c.lineStart(dash), next)+1, len(c.s))
		if it.Style() == '|' || it.Style() == '>' {
			_, end := c.span(it, dash+1, next)
			ends[i] = min(end+1, len(c.s))
		}
		if len(n.Items) == len(want.Items) {
			c.value(it, want.Items[i], path+"[]", indent, dash+1, next)
		}
	}
	if len(n.Items) == len(want.Items) {
		return
	}
	var b strings.Builder
	used := make([]bool, len(n.Items))
	for _, w := range want.Items {
		found := slices.IndexFunc(n.Items, func(it *yamldoc.Node) bool { return equal(it, w) })
		for found >= 0 && used[found] {
			next := slices.IndexFunc(n.Items[found+1:], func(it *yamldoc.Node) bool { return equal(it, w) })
			if next < 0 {
				found = -1
				break
			}
			found += 1 + next
		}
		if found >= 0 {
			used[found] = true
			from := begins[found]
			if found > 0 {
				from = ends[found-1]
			}
			b.WriteString(c.s[from:ends[found]])
			if !strings.HasSuffix(b.String(), "\n") {
				b.WriteByte('\n')
			}
			continue
		}
		p := printer{order: c.order, kind: c.kind}
		p.list(&yamldoc.Node{Kind: yamldoc.List, Items: []*yamldoc.Node{w}}, indent, path)
		b.WriteString(p.b.String())
	}
	c.edits = append(c.edits, edit{begins[0], ends[len(ends)-1], b.String()})
}
