// Package form writes definitions: whole documents in one form, and changes of
// documents that people wrote, which leave alone what is not changed.
//
// What is guaranteed. What is written is read again before it is given back, and
// means exactly what was asked for; a document for which that cannot be had is left
// as it is, and said so. No comment is lost. Writing twice is writing once.
package form

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
)

// Widths, in columns.
const (
	wide   = 100 // a line with fields or items side by side
	folded = 84  // a line of long text
	short  = 60  // a text that may stand beside others
)

// Order gives the names of fields in their order: those of the group at path in a
// definition of a kind, where path is like "spec.cost[]". nil where it has none.
type Order func(kind, path string) []string

// printer writes values in the one form. Comments are found by the lines they stood in.
type printer struct {
	b     strings.Builder
	lead  map[int][]string // comments above a line
	trail map[int]string   // comment at the end of a line
	order Order
	kind  string
	lines []string // of the file
}

// Node makes plain values into a node: strings, bools, numbers, lists and maps of
// these; nil stands for nothing. Fields are in alphabetical order.
func Node(v any) (*yamldoc.Node, error) {
	switch v := v.(type) {
	case nil:
		return &yamldoc.Node{}, nil
	case string:
		return &yamldoc.Node{Kind: yamldoc.Text, Text: v}, nil
	case bool:
		return &yamldoc.Node{Kind: yamldoc.Bool, Text: strconv.FormatBool(v)}, nil
	case int:
		return &yamldoc.Node{Kind: yamldoc.Int, Text: strconv.Itoa(v)}, nil
	case int64:
		return &yamldoc.Node{Kind: yamldoc.Int, Text: strconv.FormatInt(v, 10)}, nil
	case float64:
		return &yamldoc.Node{Kind: yamldoc.Float, Text: decimal(v)}, nil
	case []string:
		n := &yamldoc.Node{Kind: yamldoc.List}
		for _, s := range v {
			n.Items = append(n.Items, &yamldoc.Node{Kind: yamldoc.Text, Text: s})
		}
		return n, nil
	case []any:
		n := &yamldoc.Node{Kind: yamldoc.List}
		for _, x := range v {
			item, err := Node(x)
			if err != nil {
				return nil, err
			}
			n.Items = append(n.Items, item)
		}
		return n, nil
	case map[string]string:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[k] = x
		}
		return Node(m)
	case map[string]any:
		n := &yamldoc.Node{Kind: yamldoc.Map}
		names := make([]string, 0, len(v))
		for k := range v {
			names = append(names, k)
		}
		slices.Sort(names)
		for _, k := range names {
			val, err := Node(v[k])
			if err != nil {
				return nil, err
			}
			n.Keys = append(n.Keys, yamldoc.Key{Name: k, Val: val})
		}
		return n, nil
	}
	return nil, fmt.Errorf("form: a %T cannot stand in a definition", v)
}

// decimal writes a number so that it is read as one with a point.
func decimal(f float64) string {
	s := strconv.FormatFloat(f, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// sorted puts fields in their order: those that have none stay behind, as they were.
func (p *printer) sorted(n *yamldoc.Node, path string) []yamldoc.Key {
	var names []string
	switch path {
	case "":
		names = []string{"apiVersion", "kind", "metadata", "spec"}
	case "metadata":
		names = []string{"id", "name", "formerly", "labels"}
	default:
		if p.order != nil {
			names = p.order(p.kind, path)
		}
	}
	keys := slices.Clone(n.Keys)
	place := func(k yamldoc.Key) int {
		if i := slices.Index(names, k.Name); i >= 0 {
			return i
		}
		return len(names)
	}
	slices.SortStableFunc(keys, func(a, b yamldoc.Key) int { return place(a) - place(b) })
	return keys
}

func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// fields writes a group, a field a line. first says that the line has begun.
func (p *printer) fields(n *yamldoc.Node, indent int, path string, first bool) {
	for _, k := range p.sorted(n, path) {
		if !first {
			p.above(k.Line, indent)
			p.spaces(indent)
		}
		first = false
		p.b.WriteString(name(k.Name))
		p.b.WriteByte(':')
		p.after(k.Val, indent, indent+utf8.RuneCountInString(name(k.Name))+2, under(path, k.Name), k.Line)
	}
}

func (p *printer) above(line, indent int) {
	for _, c := range p.lead[line] {
		p.spaces(indent)
		p.b.WriteString(c)
		p.b.WriteByte('\n')
	}
	delete(p.lead, line)
}

func (p *printer) spaces(n int) { p.b.WriteString(strings.Repeat(" ", n)) }

// end ends a line that stood, or ended, in this line of the source.
func (p *printer) end(line int) {
	if c, ok := p.trail[line]; ok {
		p.b.WriteString("  " + c)
		delete(p.trail, line)
	}
	p.b.WriteByte('\n')
}

// after writes a value behind a name or a dash, and ends the line. col is where it begins.
func (p *printer) after(n *yamldoc.Node, indent, col int, path string, line int) {
	top := path == "spec"
	switch {
	case n.Kind == yamldoc.Null:
		p.end(line)
	case n.Kind == yamldoc.Text && block(n.Text):
		p.text(n.Text, indent+2, line)
	case n.Kind == yamldoc.Text && utf8.RuneCountInString(n.Text)+col > wide && foldable(n.Text):
		p.fold(p.breaks(n), indent+2, line)
	default:
		if s, ok := p.inline(n, path); ok && !(top && len(n.Keys) > 0) && p.beside(n, line) &&
			(n.Kind != yamldoc.Map && n.Kind != yamldoc.List || utf8.RuneCountInString(s)+col <= wide || len(n.Items)+len(n.Keys) == 0) {
			p.b.WriteString(" " + s)
			p.end(max(line, last(n)))
			return
		}
		p.end(line)
		if n.Kind == yamldoc.Map {
			p.fields(n, indent+2, path, false)
		} else {
			p.list(n, indent, path)
		}
	}
}

// list writes a list, an item a line, dashes below the name that it belongs to.
func (p *printer) list(n *yamldoc.Node, indent int, path string) {
	for _, it := range n.Items {
		p.above(it.Line, indent)
		p.spaces(indent)
		p.b.WriteByte('-')
		s, ok := p.inline(it, path+"[]")
		if it.Kind == yamldoc.Map && len(it.Keys) > 0 && (!ok || !p.beside(it, it.Line) || utf8.RuneCountInString(s)+indent+2 > wide) {
			p.b.WriteByte(' ')
			p.fields(it, indent+2, path+"[]", true)
			continue
		}
		if it.Kind == yamldoc.List && len(it.Items) > 0 && (!ok || !p.beside(it, it.Line)) {
			p.end(0)
			p.list(it, indent+2, path+"[]")
			continue
		}
		p.after(it, indent, indent+2, path+"[]", it.Line)
	}
}

// beside reports whether no comment stands between a value's lines.
func (p *printer) beside(n *yamldoc.Node, line int) bool {
	end := last(n)
	for l := line; l <= end; l++ {
		if l > line && len(p.lead[l]) > 0 {
			return false
		}
		if _, ok := p.trail[l]; ok && l < end {
			return false
		}
	}
	return true
}

// last is the last line in which a part of n begins.
func last(n *yamldoc.Node) int {
	line := n.Line
	for _, it := range n.Items {
		line = max(line, last(it))
	}
	for _, k := range n.Keys {
		line = max(line, k.Line, last(k.Val))
	}
	return line
}

// inline is a value in one line; not ok where it would be hard to read there.
func (p *printer) inline(n *yamldoc.Node, path string) (s string, ok bool) {
	switch n.Kind {
	case yamldoc.Map:
		if len(n.Keys) == 0 {
			return "{}", true
		}
		var parts []string
		for _, k := range p.sorted(n, path) {
			v, ok := p.inline(k.Val, under(path, k.Name))
			if !ok || v == "" || k.Val.Kind == yamldoc.Text && len(k.Val.Text) > short || len(k.Val.Keys) > 0 && len(n.Keys) > 3 {
				return "", false
			}
			parts = append(parts, name(k.Name)+": "+within(k.Val, v))
		}
		return "{" + strings.Join(parts, ", ") + "}", true
	case yamldoc.List:
		if len(n.Items) == 0 {
			return "[]", true
		}
		var parts []string
		for _, it := range n.Items {
			v, ok := p.inline(it, path+"[]")
			if !ok || v == "" || it.Kind == yamldoc.Text && (len(it.Text) > short || strings.Contains(it.Text, ", ")) || it.Kind == yamldoc.Map && len(n.Items) > 1 {
				return "", false
			}
			parts = append(parts, within(it, v))
		}
		return "[" + strings.Join(parts, ", ") + "]", true
	case yamldoc.Text:
		return Text(n.Text), !block(n.Text)
	case yamldoc.Null:
		return "", false
	}
	return scalar(n), true
}

// within is a value between braces or brackets.
func within(n *yamldoc.Node, s string) string {
	if n.Kind == yamldoc.Text && s == n.Text && !bare("k: ["+s+"]\n", s, false) {
		return quote(s)
	}
	return s
}

func scalar(n *yamldoc.Node) string {
	if n.Kind == yamldoc.Float {
		if f, err := strconv.ParseFloat(n.Text, 64); err == nil {
			return decimal(f)
		}
	}
	return n.Text
}

// flow is any value in one line, however long.
func flow(n *yamldoc.Node) string {
	var parts []string
	switch n.Kind {
	case yamldoc.Map:
		for _, k := range n.Keys {
			if k.Val.Kind == yamldoc.Null {
				parts = append(parts, name(k.Name)+": null")
				continue
			}
			parts = append(parts, name(k.Name)+": "+within(k.Val, flow(k.Val)))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case yamldoc.List:
		for _, it := range n.Items {
			parts = append(parts, within(it, flow(it)))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case yamldoc.Text:
		return Text(n.Text)
	case yamldoc.Null:
		return "null"
	}
	return scalar(n)
}

// name is a field's name, in quotes if it needs them.
func name(s string) string {
	for i, c := range s {
		if !(c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || i > 0 && (c >= '0' && c <= '9' || strings.ContainsRune("-./", c))) {
			return quote(s)
		}
	}
	if s == "" || odd(s) {
		return quote(s)
	}
	return s
}

// Text is a text in one line, without quotes where it is surely read as itself.
func Text(s string) string {
	if s != "" && len(s) < 4096 && !odd(s) && bare("k: "+s+"\n", s, true) {
		return s
	}
	return quote(s)
}

// odd reports what others who read YAML take for something else than text.
func odd(s string) bool {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null", "~":
		return true
	}
	if len(s) == 10 && s[4] == '-' && s[7] == '-' {
		return false
	}
	return s != "" && strings.Trim(s, "0123456789_.+-:eE") == "" || strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0o") || strings.HasPrefix(s, "0b")
}

// bare reports whether doc, which holds s as it is, is read as holding the text s.
func bare(doc, s string, block bool) bool {
	if strings.ContainsAny(s, "\"\\") || !printable(s) || strings.ContainsAny(s[:1], "<{}[],") {
		return false // some readers take it as it is, others for the mark of a list or group
	}
	n := read(doc)
	if n == nil || n.Kind != yamldoc.Map || len(n.Keys) != 1 || n.Keys[0].Name != "k" {
		return false
	}
	v := n.Keys[0].Val
	if !block {
		if v.Kind != yamldoc.List || len(v.Items) != 1 {
			return false
		}
		v = v.Items[0]
	}
	return v.Kind == yamldoc.Text && v.Style() == 0 && v.Text == s
}

// quote puts a text in quotes.
func quote(s string) string {
	if !strings.ContainsAny(s, "\"\\") && printable(s) {
		return `"` + s + `"`
	}
	if printable(s) {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == ' ' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08X`, r)
		default:
			fmt.Fprintf(&b, `\u%04X`, r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func printable(s string) bool {
	for _, r := range s {
		if r != ' ' && !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// block reports a text of several lines that can stand below a |.
func block(s string) bool {
	body := strings.TrimSuffix(s, "\n")
	if !strings.Contains(body, "\n") && body == s || body == "" || strings.HasSuffix(body, "\n") || !utf8.ValidString(s) {
		return false
	}
	for i, l := range strings.Split(body, "\n") {
		if strings.TrimRight(l, " ") != l || i == 0 && (l == "" || l[0] == ' ') || !printable(l) || strings.HasPrefix(strings.TrimLeft(l, " "), "#") {
			return false
		}
	}
	return true
}

func (p *printer) text(s string, indent, line int) {
	sign := " |"
	if !strings.HasSuffix(s, "\n") {
		sign = " |-"
	}
	p.b.WriteString(sign)
	p.end(line)
	for l := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		if l != "" {
			p.spaces(indent)
			p.b.WriteString(l)
		}
		p.b.WriteByte('\n')
	}
}

// foldable reports a text that may be broken into lines at its spaces.
func foldable(s string) bool {
	if !printable(s) || strings.Contains(s, "  ") || strings.TrimSpace(s) != s || !strings.Contains(s, " ") {
		return false
	}
	for w := range strings.SplitSeq(s, " ") {
		if w == "" || w[0] == '#' || utf8.RuneCountInString(w) > wide {
			return false
		}
	}
	return true
}

// breaks are the lines of a text: where its author broke it, if it was folded.
func (p *printer) breaks(n *yamldoc.Node) (lines []string) {
	if n.Style() == '>' {
		for l := n.Line; l <= len(p.lines); l++ {
			line := p.lines[l-1]
			if len(line) < n.Indent || strings.TrimSpace(line[:n.Indent-1]) != "" || utf8.RuneCountInString(line) > wide {
				break
			}
			lines = append(lines, strings.TrimSpace(line))
		}
		if strings.Join(lines, " ") == n.Text {
			return lines
		}
	}
	return wrap(n.Text, folded)
}

// wrap breaks a text at its spaces.
func wrap(s string, width int) (lines []string) {
	cur := ""
	for w := range strings.SplitSeq(s, " ") {
		if cur != "" && utf8.RuneCountInString(cur)+1+utf8.RuneCountInString(w) > width {
			lines, cur = append(lines, cur), w
		} else if cur == "" {
			cur = w
		} else {
			cur += " " + w
		}
	}
	return append(lines, cur)
}

func (p *printer) fold(lines []string, indent, line int) {
	p.b.WriteString(" >-")
	p.end(line)
	for _, l := range lines {
		p.spaces(indent)
		p.b.WriteString(l + "\n")
	}
}
