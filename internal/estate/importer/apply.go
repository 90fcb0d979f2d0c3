package importer

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/def/form"
	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
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
			doc, err := Document(p.reg, c.whole)
			if err != nil {
				return nil, err
			}
			added.Write(doc)
			continue
		}
		if !slices.ContainsFunc(c.Fields, func(f Field) bool { return f.Taken }) {
			continue
		}
		b, err := get(c.File)
		if err != nil {
			return nil, err
		}
		if out[c.File], err = p.patch(b, c); err != nil {
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
func (p *Plan) patch(file []byte, c *Change) ([]byte, error) {
	text := string(file)
	for _, d := range yamldoc.Split(text) {
		if !strings.Contains(d.Source(), c.ID) {
			continue
		}
		root := yamldoc.Parse(d.Text(), d.Before, strings.Split(text, "\n"), func(yamldoc.Problem) {})
		if root == nil {
			continue
		}
		want, _ := root.Plain().(map[string]any)
		meta, _ := want["metadata"].(map[string]any)
		if want["kind"] != c.Kind && !slices.ContainsFunc(p.reg.Kinds(), func(k def.Kind) bool { return k.Name == c.Kind && slices.Contains(k.Aliases, fmt.Sprint(want["kind"])) }) || meta["id"] != c.ID {
			continue
		}
		for _, f := range c.Fields {
			if f.Taken {
				set(want, f.keys, f.There)
			}
		}
		doc, err := form.Change(d, want, edit.Order(p.reg))
		if err != nil {
			return nil, reeve.E(reeve.Conflict, "import", "%w", err)
		}
		return []byte(text[:d.Offset] + doc + text[d.Offset+len(d.Source()):]), nil
	}
	return nil, reeve.E(reeve.Conflict, "import", "the definition is not where it was, or its file has line ends of another system: look at the preview again")
}

func set(m map[string]any, keys []string, v any) {
	for _, k := range keys[:len(keys)-1] {
		next, ok := m[k].(map[string]any)
		if !ok {
			next = map[string]any{}
			m[k] = next
		}
		m = next
	}
	m[keys[len(keys)-1]] = v
}

// Document writes a definition as a YAML document.
func Document(reg *def.Registry, d Definition) ([]byte, error) {
	meta := map[string]any{"id": d.ID, "name": d.Name}
	if len(d.Labels) > 0 {
		labels := map[string]any{}
		for k, v := range d.Labels {
			labels[k] = v
		}
		meta["labels"] = labels
	}
	spec := d.Spec
	if spec == nil {
		spec = map[string]any{}
	}
	doc, err := form.New(map[string]any{"apiVersion": def.APIVersion, "kind": d.Kind, "metadata": meta, "spec": spec}, edit.Order(reg))
	if err != nil {
		return nil, reeve.E(reeve.Invalid, "import", "%s %s: %w", d.Kind, d.ID, err)
	}
	return []byte("---\n" + strings.TrimPrefix(doc, "---\n")), nil
}

// Check loads the folder as it would be with the files, and returns what is wrong.
func Check(fsys fs.FS, files map[string][]byte, reg *def.Registry) (*def.Set, []def.Problem) {
	if _, err := fs.Stat(fsys, "."); errors.Is(err, fs.ErrNotExist) {
		fsys = embed.FS{} // nothing is there yet
	}
	return def.Load(edit.Laid(fsys, files), reg)
}

// Names are the files of a plan, sorted.
func Names(files map[string][]byte) []string { return slices.Sorted(maps.Keys(files)) }
