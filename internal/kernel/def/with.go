package def

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
)

// Overlay is a definition made, changed or taken away in thought. Set holds values
// by their path within the spec ("lifecycle.phase"), as an expression would see
// them; nil takes away what is there.
type Overlay struct {
	Kind, ID string
	Name     string // of a new one
	Set      map[string]any
	New      bool
	Remove   bool
}

// With is the set as it would be with some definitions different, for comparing;
// s stays as it is. A spec is decoded strictly, but what only [Load] can tell is
// not asked again: references, files and the kinds' own checks. So it is for
// trying out, never for putting into force. Its files are those of s.
func (s *Set) With(overlays ...Overlay) (*Set, error) {
	changed, gone := map[*Object]*Object{}, map[*Object]bool{}
	var added []*Object
	seal := sha256.New()
	fmt.Fprintln(seal, s.hash)
	for _, v := range overlays {
		if err := json.NewEncoder(seal).Encode(v); err != nil {
			return nil, fmt.Errorf("def: %s %q: %w", v.Kind, v.ID, err)
		}
		o, ok := s.Lookup(v.Kind, v.ID)
		switch {
		case v.New && ok:
			return nil, fmt.Errorf("def: there is already a %s %q", v.Kind, v.ID)
		case v.New:
			n, err := s.fresh(v)
			if err != nil {
				return nil, err
			}
			added = append(added, n)
		case !ok:
			return nil, fmt.Errorf("def: there is no %s %q", v.Kind, v.ID)
		case v.Remove:
			gone[o] = true
		default:
			from := o
			if earlier, twice := changed[o]; twice {
				from = earlier
			}
			n, err := s.with(from, v.Set)
			if err != nil {
				return nil, err
			}
			changed[o] = n
		}
	}
	objects := make([]*Object, 0, len(s.objects)+len(added))
	for _, o := range s.objects {
		if n, ok := changed[o]; ok {
			o = n
		} else if gone[o] {
			continue
		}
		objects = append(objects, o)
	}
	out := newSet(s.reg, append(objects, added...), s.files)
	out.hash = "sha256:" + hex.EncodeToString(seal.Sum(nil))
	return out, nil
}

func (s *Set) fresh(v Overlay) (*Object, error) {
	return s.written(map[string]any{"apiVersion": APIVersion, "kind": v.Kind, "metadata": map[string]any{"id": v.ID, "name": v.Name}, "spec": laid(nil, v.Set)})
}

// with is a copy of the definition with other values in its spec. It stays where
// it is in its file.
func (s *Set) with(o *Object, set map[string]any) (*Object, error) {
	value := maps.Clone(o.Value())
	spec, _ := value["spec"].(map[string]any)
	value["spec"] = laid(spec, set)
	n, err := s.written(value)
	if err == nil {
		n.File, n.Line = o.File, o.Line
	}
	return n, err
}

// written writes a definition down and reads it as if it came from a file.
func (s *Set) written(value map[string]any) (*Object, error) {
	var text bytes.Buffer
	e := json.NewEncoder(&text) // JSON is YAML
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return nil, fmt.Errorf("def: %w", err)
	}
	r := &reader{reg: s.reg, yaml: new(yamldoc.Reader), file: "in thought"}
	r.read(text.Bytes())
	if len(r.problems) > 0 {
		return nil, fmt.Errorf("def: %s", r.problems[0].Message)
	}
	return r.objects[0].Object, nil
}

// laid is a copy of a spec with the values of set in it.
func laid(spec, set map[string]any) map[string]any {
	if spec = maps.Clone(spec); spec == nil {
		spec = map[string]any{}
	}
	for _, path := range slices.Sorted(maps.Keys(set)) {
		put(spec, strings.Split(path, "."), set[path])
	}
	return spec
}

// put sets the value at path in m, whose inner maps are copied on the way.
func put(m map[string]any, path []string, v any) {
	if len(path) == 1 {
		if v == nil {
			delete(m, path[0])
		} else {
			m[path[0]] = v
		}
		return
	}
	inner, _ := m[path[0]].(map[string]any)
	if inner = maps.Clone(inner); inner == nil {
		inner = map[string]any{}
	}
	put(inner, path[1:], v)
	m[path[0]] = inner
}
