package importer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Place is where a source keeps what it imports, in the folder of definitions.
type Place struct{ base string }

// PlaceOf is the place of a source: estate/imported-archimate.
func PlaceOf(source string) Place { return Place{"estate/imported-" + source} }

// Definitions is the file for definitions that are new.
func (p Place) Definitions() string { return p.base + ".yaml" }

// Mapping is the file that keeps what the columns mean.
func (p Place) Mapping() string { return p.base + ".mapping" }

// Memory is the file that keeps what the last import said.
func (p Place) Memory() string { return p.base + ".said" }

// Attached is the folder for files that definitions name.
func (p Place) Attached() string { return p.base }

const maxKept = 64 << 20

// Kept reads what the last import of a source left: the mapping as it stands in
// its file, nil if there is none, and what was said.
func (p Place) Kept(fsys fs.FS) (mapping []byte, m Memory, err error) {
	b, err := readFile(fsys, p.Memory())
	if err != nil {
		return nil, m, err
	}
	if b != nil {
		if err := json.Unmarshal(b, &m); err != nil {
			return nil, m, reeve.E(reeve.Invalid, "import", "%s, which keeps what the last import said, cannot be read: restore it, or remove it and decide every difference again: %w", p.Memory(), err)
		}
	}
	mapping, err = readFile(fsys, p.Mapping())
	return mapping, m, err
}

func readFile(fsys fs.FS, name string) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if info.Size() > maxKept {
		return nil, reeve.E(reeve.TooLarge, "import", "%s is larger than %d MB", name, maxKept>>20)
	}
	return fs.ReadFile(fsys, name)
}

// Write gives the files that carry a plan out, by name, as they are to be. fsys is
// the folder of definitions that the plan was made for. Without a change there is
// none.
func (p *Plan) Write(fsys fs.FS, place Place) (map[string][]byte, error) {
	out := map[string][]byte{}
	get := func(name string) ([]byte, error) {
		if b, ok := out[name]; ok {
			return b, nil
		}
		return readFile(fsys, name)
	}
	for name, b := range p.Attached {
		out[path.Join(place.Attached(), name)] = b
	}
	var added bytes.Buffer
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.What == Added {
			added.Write(Document(p.kinds, c.whole))
			continue
		}
		if !slices.ContainsFunc(c.Fields, func(f Field) bool { return f.Taken }) {
			continue
		}
		b, err := get(c.File)
		if err != nil {
			return nil, err
		}
		if out[c.File], err = patch(b, c); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", c.File, c.Ref(), err)
		}
	}
	if added.Len() > 0 {
		b, err := get(place.Definitions())
		if err != nil {
			return nil, err
		}
		if len(b) == 0 {
			b = fmt.Appendf(nil, "# Imported from %s. Edit it as you like: the next import leaves your changes as they are.\n", sheet.Clean(p.File))
		} else if !bytes.HasSuffix(b, []byte("\n")) {
			b = append(b, '\n')
		}
		out[place.Definitions()] = append(bytes.Clone(b), added.Bytes()...)
	}
	if len(p.Definitions) > 0 {
		b, err := json.MarshalIndent(p.Memory, "", " ")
		if err != nil {
			return nil, err
		}
		out[place.Memory()] = append(b, '\n')
	}
	if p.Mapping != nil {
		out[place.Mapping()] = p.Mapping.YAML()
	}
	for name, b := range out {
		if old, err := readFile(fsys, name); err != nil {
			return nil, err
		} else if old != nil && bytes.Equal(old, b) {
			delete(out, name)
		}
	}
	return out, nil
}

// patch sets the fields of one definition in a file, and leaves the rest of the
// file as it is.
func patch(file []byte, c *Change) ([]byte, error) {
	parts := documents(file)
	for i, doc := range parts {
		f, err := parser.ParseBytes([]byte(doc), parser.ParseComments)
		if err != nil || len(f.Docs) != 1 {
			continue
		}
		root, ok := f.Docs[0].Body.(*ast.MappingNode)
		if !ok || text(root, "kind") != c.Kind || text(child(root, "metadata"), "id") != c.ID {
			continue
		}
		for _, field := range c.Fields {
			if !field.Taken {
				continue
			}
			if err := set(root, field.keys, field.There); err != nil {
				return nil, fmt.Errorf("%s: %w", field.Path, err)
			}
		}
		parts[i] = strings.TrimRight(f.String(), "\n") + "\n"
		return []byte(strings.Join(parts, "")), nil
	}
	return nil, reeve.E(reeve.Conflict, "import", "the definition is not where it was: look at the preview again")
}

// documents cuts a file before each line of three dashes.
func documents(file []byte) []string {
	var out []string
	start := 0
	for i := 0; i < len(file); {
		end := bytes.IndexByte(file[i:], '\n')
		if end < 0 {
			break
		}
		i += end + 1
		if bytes.HasPrefix(file[i:], []byte("---")) {
			out = append(out, string(file[start:i]))
			start = i
		}
	}
	return append(out, string(file[start:]))
}

func child(m *ast.MappingNode, key string) *ast.MappingNode {
	if m == nil {
		return nil
	}
	for _, v := range m.Values {
		if name(v) == key {
			c, _ := v.Value.(*ast.MappingNode)
			return c
		}
	}
	return nil
}

func name(v *ast.MappingValueNode) string {
	if s, ok := v.Key.(*ast.StringNode); ok {
		return s.Value
	}
	return v.Key.String()
}

func text(m *ast.MappingNode, key string) string {
	if m == nil {
		return ""
	}
	for _, v := range m.Values {
		if name(v) == key {
			if s, ok := v.Value.(*ast.StringNode); ok {
				return s.Value
			}
			return v.Value.String()
		}
	}
	return ""
}

// set puts a value at the end of a way of keys, and makes what is missing of it.
func set(m *ast.MappingNode, keys []string, v any) error {
	for _, has := range m.Values {
		if name(has) != keys[0] {
			continue
		}
		if len(keys) > 1 {
			if next, ok := has.Value.(*ast.MappingNode); ok && len(next.Values) > 0 {
				return set(next, keys[1:], v)
			}
			v, keys = nest(keys[1:], v), keys[:1]
		}
		made, err := entry(keys[0], v, m.IsFlowStyle)
		if err != nil {
			return err
		}
		comment := has.Value.GetComment()
		made.Value.AddColumn(has.Key.GetToken().Position.Column - 1)
		has.Value = made.Value
		if comment != nil {
			_ = has.Value.SetComment(comment)
		}
		return nil
	}
	made, err := entry(keys[0], nest(keys[1:], v), m.IsFlowStyle)
	if err != nil {
		return err
	}
	if len(m.Values) > 0 {
		made.AddColumn(m.Values[0].Key.GetToken().Position.Column - 1)
	}
	m.Values = append(m.Values, made)
	return nil
}

func nest(keys []string, v any) any {
	for _, k := range slices.Backward(keys) {
		v = map[string]any{k: v}
	}
	return v
}

// entry makes the node of "key: value".
func entry(k string, v any, flow bool) (*ast.MappingValueNode, error) {
	var b strings.Builder
	if flow {
		text, err := json.Marshal(map[string]any{k: v})
		if err != nil {
			return nil, err
		}
		b.Write(text)
	} else {
		mapping(&b, "", "", nil, map[string]any{k: v})
	}
	f, err := parser.ParseBytes([]byte(b.String()), 0)
	if err != nil {
		return nil, fmt.Errorf("the value cannot be written: %s", yaml.FormatError(err, false, false))
	}
	switch body := f.Docs[0].Body.(type) {
	case *ast.MappingNode:
		return body.Values[0], nil
	case *ast.MappingValueNode:
		return body, nil
	}
	return nil, fmt.Errorf("the value cannot be written as YAML")
}

// Check loads the folder as it would be with the files, and returns what is wrong.
func Check(fsys fs.FS, files map[string][]byte, reg *def.Registry) (*def.Set, []def.Problem) {
	return def.Load(overlay(fsys, files), reg)
}

// Names are the files of a plan, sorted.
func Names(files map[string][]byte) []string { return slices.Sorted(maps.Keys(files)) }
