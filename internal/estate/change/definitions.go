package change

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// definitions are the definitions that differ, by kind and id.
func definitions(before, after *def.Set) (out []Definition) {
	if before.Hash() == after.Hash() {
		return nil
	}
	seen := map[*def.Object]bool{}
	for _, o := range after.Objects() {
		old := ancestor(before, after, o)
		if old == nil {
			out = append(out, Definition{Kind: o.Kind, ID: o.ID, Name: o.Name, What: Added, File: o.File, Line: o.Line})
			continue
		}
		seen[old] = true
		if fields := fieldsOf(old, o); len(fields) > 0 {
			out = append(out, Definition{Kind: o.Kind, ID: o.ID, Name: o.Name, What: Changed, Fields: fields, File: o.File, Line: o.Line})
		}
	}
	for _, o := range before.Objects() {
		if !seen[o] {
			out = append(out, Definition{Kind: o.Kind, ID: o.ID, Name: o.Name, What: Removed, File: o.File, Line: o.Line})
		}
	}
	slices.SortStableFunc(out, func(a, b Definition) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) })
	return out
}

// ancestor is the same definition before, by the id that it has or had.
func ancestor(before, after *def.Set, o *def.Object) *def.Object {
	for _, id := range after.Lineage(o.Kind, o.ID) {
		if old, ok := before.Lookup(o.Kind, id); ok {
			return old
		}
	}
	return nil
}

// fieldsOf are the fields that differ between two versions of a definition.
func fieldsOf(a, b *def.Object) []Field {
	if a == b || a.ID == b.ID && a.Name == b.Name && slices.Equal(a.Formerly, b.Formerly) && maps.Equal(a.Labels, b.Labels) && reflect.DeepEqual(a.Spec, b.Spec) {
		return nil // of most definitions nothing else need be read
	}
	var out []Field
	diff("metadata", a.Value()["metadata"], b.Value()["metadata"], &out)
	diff("spec", a.Value()["spec"], b.Value()["spec"], &out)
	for i := range out {
		if b.Kind == "Asset" && out[i].Path == "spec.holder" { // who has a device is not for everybody who may see what changed
			out[i].Before, out[i].After = somebody(out[i].Before, "somebody"), somebody(out[i].After, "somebody else")
		}
	}
	return out
}

func somebody(name, instead string) string {
	if name == "" {
		return ""
	}
	return instead
}

// diff adds the leaves that differ. A list of plain values is compared whole, as
// its order is not worth a line for each place.
func diff(at string, a, b any, out *[]Field) {
	if ma, ok := a.(map[string]any); ok || a == nil {
		mb, ok := b.(map[string]any)
		if (ok || b == nil) && (ma != nil || mb != nil) {
			keys := map[string]bool{}
			for k := range ma {
				keys[k] = true
			}
			for k := range mb {
				keys[k] = true
			}
			for _, k := range slices.Sorted(maps.Keys(keys)) {
				diff(at+"."+k, ma[k], mb[k], out)
			}
			return
		}
	}
	la, oka := a.([]any)
	lb, okb := b.([]any)
	if oka && okb && (structured(la) || structured(lb)) {
		for i := range max(len(la), len(lb)) {
			diff(fmt.Sprintf("%s[%d]", at, i), item(la, i), item(lb, i), out)
		}
		return
	}
	if sa, sb := text(a), text(b); sa != sb {
		*out = append(*out, Field{Path: at, Before: sa, After: sb})
	}
}

func item(l []any, i int) any {
	if i < len(l) {
		return l[i]
	}
	return nil
}

func structured(l []any) bool {
	for _, x := range l {
		switch x.(type) {
		case map[string]any, []any:
			return true
		}
	}
	return false
}

// text is a value in one line, "" for what is not there.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case []any:
		if !structured(v) {
			parts := make([]string, len(v))
			for i, x := range v {
				parts[i] = text(x)
			}
			return strings.Join(parts, ", ")
		}
	case map[string]any:
	default:
		return fmt.Sprint(v)
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// files are the files beside the definitions that differ.
func files(before, after *def.Set) (out []File) {
	if before.Hash() == after.Hash() {
		return nil
	}
	holds := func(s *def.Set) map[string]bool {
		m := map[string]bool{}
		for _, o := range s.Objects() {
			m[o.File] = true
		}
		return m
	}
	defsBefore, defsAfter := holds(before), holds(after)
	plain := func(name string) bool {
		return !defsBefore[name] && !defsAfter[name]
	}
	for _, name := range after.Files() {
		if !plain(name) {
			continue
		}
		b, _ := after.File(name)
		a, err := before.File(name)
		switch {
		case err != nil:
			out = append(out, File{name, Added})
		case !bytes.Equal(a, b):
			out = append(out, File{name, Changed})
		}
	}
	for _, name := range before.Files() {
		if _, err := after.File(name); err != nil && plain(name) {
			out = append(out, File{name, Removed})
		}
	}
	slices.SortFunc(out, func(a, b File) int { return cmp.Compare(a.Name, b.Name) })
	return out
}
