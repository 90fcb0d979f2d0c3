package form

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
)

// Left is a document that was left as it is, and why.
type Left struct {
	Line int
	Why  string
}

// NoDefinition is why a document was left that is no definition.
const NoDefinition = "it is no definition"

func (l Left) String() string { return fmt.Sprintf("line %d: %s", l.Line, l.Why) }

// Format writes a file of definitions in the one form: fields in the order of
// their kind, two spaces, short groups in a line, long text folded. The order of
// the documents and all comments stay. A file that cannot be read is left whole.
func Format(file []byte, order Order) (out []byte, left []Left) {
	text, bad := yamldoc.Readable(file)
	if bad != nil {
		return file, []Left{{bad.Line, bad.Message}}
	}
	lines := strings.Split(text, "\n")
	var b strings.Builder
	at := 0
	for i, d := range yamldoc.Split(text) {
		b.WriteString(text[at:d.Offset])
		at = d.Offset + len(d.Source())
		doc, why := one(d, lines, order)
		if why != "" {
			left = append(left, Left{d.Before + 1, why})
			doc = d.Source()
		} else if i > 0 || b.Len() > 0 {
			b.WriteString("---\n")
		}
		if b.WriteString(doc); !strings.HasSuffix(doc, "\n") {
			b.WriteByte('\n')
		}
	}
	b.WriteString(text[at:])
	return []byte(b.String()), left
}

// one is a document in the one form, without the line that begins it.
func one(d yamldoc.Doc, lines []string, order Order) (doc, why string) {
	root := yamldoc.Parse(d.Text(), d.Before, lines, func(p yamldoc.Problem) {
		if why == "" {
			why = p.Message
		}
	})
	switch {
	case root == nil && why == "":
		return "", "it is empty"
	case root == nil:
		return "", why
	case root.Kind != yamldoc.Map || root.Get("kind") == nil:
		return "", NoDefinition
	case !d.Plain() || yamldoc.Shares(d.Text()):
		return "", "it has anchors, aliases, tags or directives, which only stay as they are written"
	case strings.HasPrefix(d.Source(), "--- "):
		return "", "it begins on the line of its ---"
	}
	p := printer{order: order, kind: root.Get("kind").Val.Text, lines: lines, lead: map[int][]string{}, trail: map[int]string{}}
	tail := p.attach(d, lines, root)
	p.fields(root, 0, "", false)
	for _, c := range tail {
		p.b.WriteString(c + "\n")
	}
	if len(p.lead)+len(p.trail) > 0 {
		return "", "a comment stands where nothing can be written around it"
	}
	doc = p.b.String()
	if !same(root, doc) {
		return "", "it cannot be written in another way without a change of meaning"
	}
	return doc, ""
}

// attach finds the lines of values that comments belong to; tail are those behind all.
func (p *printer) attach(d yamldoc.Doc, lines []string, root *yamldoc.Node) (tail []string) {
	starts := map[int]bool{}
	end := 0
	var mark func(n *yamldoc.Node)
	mark = func(n *yamldoc.Node) {
		end = max(end, n.Line)
		for _, it := range n.Items {
			starts[it.Line] = true
			mark(it)
		}
		for _, k := range n.Keys {
			starts[k.Line] = true
			end = max(end, k.Line)
			mark(k.Val)
		}
	}
	mark(root)
	first := root.Line
	for _, k := range root.Keys {
		first = min(first, k.Line)
	}
	for _, c := range yamldoc.Comments(d, lines) {
		if !c.Alone {
			p.trail[c.Line] = c.Text
			continue
		}
		line := c.Line + 1
		for line <= end && !starts[line] {
			line++
		}
		switch {
		case line <= first: // the head of the document, whatever comes first in it
			p.b.WriteString(c.Text + "\n")
		case line <= end:
			p.lead[line] = append(p.lead[line], c.Text)
		default:
			tail = append(tail, c.Text)
		}
	}
	return tail
}

// same reports whether doc is read as what root is.
func same(root *yamldoc.Node, doc string) bool {
	again := read(doc)
	return again != nil && reflect.DeepEqual(again.Plain(), root.Plain())
}

// read is the one document that text holds; nil if it is not one.
func read(text string) *yamldoc.Node {
	docs := yamldoc.Split(text)
	if _, bad := yamldoc.Readable([]byte(text)); bad != nil || len(docs) != 1 {
		return nil
	}
	lines := func() []string { return strings.Split(text, "\n") }
	n, _ := new(yamldoc.Reader).Read(docs[0], lines, func(yamldoc.Problem) {})
	return n
}
