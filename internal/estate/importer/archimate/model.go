package archimate

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
)

// element is an element of the ArchiMate language.
type element struct {
	id, typ, name, text string // typ as ArchiMate 3 calls it: ApplicationComponent
	properties          [][2]string
	line                int
}

// relation leads from one element to another.
type relation struct {
	id, typ, from, to, name string // typ as ArchiMate 3 calls it, without Relationship
	line                    int
}

type model struct {
	name      string
	elements  []element
	relations []relation
	byID      map[string]*element
}

// read reads either form.
func read(r io.Reader, name string) (*model, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxBytes {
		return nil, tooLarge("%s is larger than %d MB", name, maxBytes>>20)
	}
	if len(data) == 0 {
		return nil, invalid("%s is empty", name)
	}
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) { // Archi keeps a model with pictures in a zip
		if data, err = unpack(data, name); err != nil {
			return nil, err
		}
	}
	root, err := parse(data, name)
	if err != nil {
		return nil, err
	}
	if root.name != "model" {
		return nil, invalid("%s is not an ArchiMate model: it begins with <%s>", name, root.name)
	}
	m := &model{byID: map[string]*element{}}
	if root.child("folder") != nil || root.child("elements") == nil && root.attr("version") != "" {
		m.archi(root)
	} else {
		m.exchange(root)
	}
	for i := range m.elements {
		m.byID[m.elements[i].id] = &m.elements[i]
	}
	return m, nil
}

func unpack(data []byte, name string) ([]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, invalid("%s is not a whole file: %w", name, err)
	}
	f, err := z.Open("model.xml")
	if err != nil {
		return nil, invalid("%s is a zip file, but not one that Archi wrote: it has no model.xml", name)
	}
	defer f.Close()
	out, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, invalid("%s: model.xml inside it is damaged: %w", name, err)
	}
	if len(out) > maxBytes {
		return nil, tooLarge("%s would be more than %d MB when unpacked, so it was not read", name, maxBytes>>20)
	}
	return out, nil
}

// older are the names that ArchiMate 2 gave.
var older = map[string]string{
	"UsedBy": "Serving", "Used by": "Serving", "Realisation": "Realization", "Specialisation": "Specialization",
	"InfrastructureService": "TechnologyService", "InfrastructureInterface": "TechnologyInterface", "InfrastructureFunction": "TechnologyFunction",
	"Network": "CommunicationNetwork", "CommunicationPath": "Path",
}

func typed(t string) string {
	if i := strings.LastIndex(t, ":"); i >= 0 {
		t = t[i+1:]
	}
	if t != "Relationship" {
		t = strings.TrimSuffix(t, "Relationship")
	}
	if now, ok := older[t]; ok {
		return now
	}
	return t
}

// id drops what Archi puts before ids when it writes the exchange format, so that a
// model is found again whichever way it comes.
func id(s string) string { return strings.TrimPrefix(strings.TrimSpace(s), "id-") }

// exchange reads the Open Group's exchange format, of ArchiMate 3 and 2.1.
func (m *model) exchange(root *node) {
	m.name = root.worded("name")
	keys := map[string]string{}
	for _, list := range []string{"propertyDefinitions", "propertydefs"} {
		if defs := root.child(list); defs != nil {
			for _, d := range defs.children {
				name := d.worded("name")
				if name == "" {
					name = d.attr("name")
				}
				keys[d.attr("identifier")] = name
			}
		}
	}
	if list := root.child("elements"); list != nil {
		for _, n := range list.children {
			if n.name != "element" {
				continue
			}
			e := element{id: id(n.attr("identifier")), typ: typed(n.attr("type")), name: sheet.Clean(n.worded("name", "label")), text: n.worded("documentation"), line: n.line}
			if p := n.child("properties"); p != nil {
				for _, x := range p.children {
					key := keys[first(x.attr("propertyDefinitionRef"), x.attr("identifierref"))]
					e.properties = append(e.properties, [2]string{key, x.worded("value")})
				}
			}
			m.elements = append(m.elements, e)
		}
	}
	if list := root.child("relationships"); list != nil {
		for _, n := range list.children {
			if n.name == "relationship" {
				m.relations = append(m.relations, relation{id(n.attr("identifier")), typed(n.attr("type")), id(n.attr("source")), id(n.attr("target")), sheet.Clean(n.worded("name", "label")), n.line})
			}
		}
	}
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// archi reads Archi's own form: folders of elements and relations.
func (m *model) archi(root *node) {
	m.name = root.attr("name")
	var walk func(n *node, kind string)
	walk = func(n *node, kind string) {
		for _, c := range n.children {
			switch {
			case c.name == "folder":
				k := kind
				if t := c.attr("type"); t != "" {
					k = t
				}
				if k != "diagrams" {
					walk(c, k)
				}
			case c.name != "element":
			case c.attr("source") != "" && c.attr("target") != "":
				m.relations = append(m.relations, relation{id(c.attr("id")), typed(c.attr("type")), id(c.attr("source")), id(c.attr("target")), sheet.Clean(c.attr("name")), c.line})
			case strings.Contains(c.attr("type"), "Diagram"), strings.Contains(c.attr("type"), "Sketch"), strings.Contains(c.attr("type"), "Canvas"):
			default:
				e := element{id: id(c.attr("id")), typ: typed(c.attr("type")), name: sheet.Clean(c.attr("name")), text: c.worded("documentation"), line: c.line}
				for _, p := range c.children {
					if p.name == "property" {
						e.properties = append(e.properties, [2]string{p.attr("key"), p.attr("value")})
					}
				}
				m.elements = append(m.elements, e)
			}
		}
	}
	walk(root, "")
}
