package def

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
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
			n, err := from.with(v.Set)
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
	kind, ok := s.reg.byName[v.Kind]
	if !ok {
		return nil, fmt.Errorf("def: there is no kind %q", v.Kind)
	}
	o := &Object{Kind: s.reg.kinds[kind].Name, ID: v.ID, Name: v.Name, Spec: s.reg.kinds[kind].Spec, kind: kind, lines: func() []string { return nil }}
	o.value.Store(&map[string]any{"apiVersion": APIVersion, "kind": o.Kind, "metadata": map[string]any{"id": v.ID, "name": v.Name}, "spec": map[string]any{}})
	return o.with(v.Set)
}

// with is a copy of the definition with other values in its spec.
func (o *Object) with(set map[string]any) (*Object, error) {
	n := &Object{Kind: o.Kind, ID: o.ID, Name: o.Name, Formerly: o.Formerly, Labels: o.Labels, File: o.File, Line: o.Line, kind: o.kind, doc: o.doc, lines: o.lines}
	n.root.Store(o.root.Load())
	value := maps.Clone(o.Value())
	spec, _ := value["spec"].(map[string]any)
	spec = maps.Clone(spec)
	if spec == nil {
		spec = map[string]any{}
	}
	for _, path := range slices.Sorted(maps.Keys(set)) {
		put(spec, strings.Split(path, "."), set[path])
	}
	value["spec"] = spec
	text, err := json.Marshal(spec)
	if err != nil {
		return nil, fmt.Errorf("def: %s %q: %w", o.Kind, o.ID, err)
	}
	typed := reflect.New(reflect.TypeOf(o.Spec).Elem()).Interface()
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(typed); err != nil {
		return nil, fmt.Errorf("def: %s %q: %w", o.Kind, o.ID, err)
	}
	n.Spec = typed
	n.value.Store(&value)
	return n, nil
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
