package archimate

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"github.com/reeve-civic/reeve"
)

// Bounds of a model.
const (
	maxBytes = 64 << 20
	maxNodes = 3_000_000
	maxDepth = 200
	maxText  = 256 << 10 // of a value or an attribute
)

// node is an element of the file.
type node struct {
	name     string // without its namespace
	attrs    []xml.Attr
	children []*node
	text     string
	line     int
}

func (n *node) attr(name string) string {
	for _, a := range n.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// worded is the text of a child that may be there in several languages: English if
// there is one, else the first.
func (n *node) worded(names ...string) string {
	first := ""
	for _, name := range names {
		for _, c := range n.children {
			if c.name != name {
				continue
			}
			text := strings.TrimSpace(c.text)
			if strings.HasPrefix(c.attr("lang"), "en") && text != "" {
				return text
			}
			if first == "" {
				first = text
			}
		}
	}
	return first
}

func invalid(format string, args ...any) error {
	return reeve.E(reeve.Invalid, "import", format, args...)
}

func tooLarge(format string, args ...any) error {
	return reeve.E(reeve.TooLarge, "import", format, args...)
}

// parse reads XML without a document type: no entity is ever expanded or fetched.
func parse(data []byte, name string) (*node, error) {
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")), bytes.HasPrefix(data, []byte("\xfe\xff")):
		text, err := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder().Bytes(data)
		if err != nil {
			return nil, invalid("%s cannot be read as text: %w", name, err)
		}
		data = text
	default:
		data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	}
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = charset
	root := &node{}
	stack := []*node{root}
	for nodes := 0; ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		line, _ := d.InputPos()
		if err != nil {
			return nil, invalid("%s cannot be read as XML: %w", name, err)
		}
		top := stack[len(stack)-1]
		switch tok := tok.(type) {
		case xml.Directive:
			return nil, invalid("%s: line %d declares a document type; models have none, and entities are not expanded", name, line)
		case xml.StartElement:
			if nodes++; nodes > maxNodes {
				return nil, tooLarge("%s has more than %d elements", name, maxNodes)
			}
			if len(stack) > maxDepth {
				return nil, tooLarge("%s: line %d is nested more than %d levels deep", name, line, maxDepth)
			}
			for _, a := range tok.Attr {
				if len(a.Value) > maxText {
					return nil, tooLarge("%s: line %d has an attribute of %d kB; %d kB is the most", name, line, len(a.Value)>>10, maxText>>10)
				}
			}
			n := &node{name: tok.Name.Local, attrs: tok.Copy().Attr, line: line}
			top.children = append(top.children, n)
			stack = append(stack, n)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			if len(top.text)+len(tok) > maxText {
				return nil, tooLarge("%s: line %d has a text of more than %d kB", name, line, maxText>>10)
			}
			if len(stack) > 1 {
				top.text += string(tok)
			}
		}
	}
	if len(root.children) != 1 {
		return nil, invalid("%s is not an XML file", name)
	}
	return root.children[0], nil
}

func charset(label string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(label) {
	case "utf-16", "utf-8", "us-ascii": // what comes here is UTF-8 already
		return r, nil
	case "windows-1252", "iso-8859-1", "latin1":
		return charmap.Windows1252.NewDecoder().Reader(r), nil
	}
	return nil, fmt.Errorf("the encoding %q is not read: save the model as UTF-8", label)
}
