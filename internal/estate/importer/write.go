package importer

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// bare is a text that YAML reads as itself without quotation marks.
var bare = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$|^[0-9]{4}-[0-9]{2}-[0-9]{2}$`)

var reserved = map[string]bool{"true": true, "false": true, "null": true, "yes": true, "no": true, "on": true, "off": true, "y": true, "n": true}

func scalar(v any) string {
	switch v := v.(type) {
	case string:
		if bare.MatchString(v) && !reserved[strings.ToLower(v)] {
			return v
		}
		return sheet.Quote(v)
	case nil:
		return "null"
	}
	return fmt.Sprint(v)
}

// Document writes a definition as a YAML document, its fields in the order of the
// kind.
func Document(kinds []def.Kind, d Definition) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "---\napiVersion: %s\nkind: %s\nmetadata:\n  id: %s\n  name: %s\n", def.APIVersion, d.Kind, d.ID, sheet.Quote(d.Name))
	if len(d.Labels) > 0 {
		b.WriteString("  labels:\n")
		for _, k := range slices.Sorted(maps.Keys(d.Labels)) {
			fmt.Fprintf(&b, "    %s: %s\n", key(k), sheet.Quote(d.Labels[k]))
		}
	}
	var spec reflect.Type
	if i := slices.IndexFunc(kinds, func(k def.Kind) bool { return k.Name == d.Kind }); i >= 0 {
		spec = reflect.TypeOf(kinds[i].Spec).Elem()
	}
	if len(d.Spec) == 0 {
		b.WriteString("spec: {}\n")
		return []byte(b.String())
	}
	b.WriteString("spec:\n")
	mapping(&b, "  ", "  ", spec, d.Spec)
	return []byte(b.String())
}

func key(k string) string {
	if bare.MatchString(k) && !reserved[strings.ToLower(k)] {
		return k
	}
	return sheet.Quote(k)
}

// mapping writes the fields of a map; the first line has its own indent, for a
// list's dash.
func mapping(b *strings.Builder, first, indent string, t reflect.Type, m map[string]any) {
	order := fieldOrder(t)
	keys := slices.SortedFunc(maps.Keys(m), func(x, y string) int {
		return cmp.Or(cmp.Compare(order.at(x), order.at(y)), cmp.Compare(x, y))
	})
	for _, k := range keys {
		b.WriteString(first + key(k) + ":")
		first = indent
		value(b, indent, order.types[k], m[k])
	}
}

func value(b *strings.Builder, indent string, t reflect.Type, v any) {
	switch v := v.(type) {
	case map[string]any:
		if len(v) == 0 {
			b.WriteString(" {}\n")
			return
		}
		b.WriteString("\n")
		mapping(b, indent+"  ", indent+"  ", t, v)
	case []any:
		if !slices.ContainsFunc(v, func(x any) bool { _, m := x.(map[string]any); return m }) {
			parts := make([]string, len(v))
			for i, x := range v {
				parts[i] = scalar(x)
			}
			b.WriteString(" [" + strings.Join(parts, ", ") + "]\n")
			return
		}
		b.WriteString("\n")
		for _, x := range v {
			if m, ok := x.(map[string]any); ok && len(m) > 0 {
				mapping(b, indent+"- ", indent+"  ", t, m)
			} else {
				text, _ := json.Marshal(x) // JSON is YAML
				b.WriteString(indent + "- " + string(text) + "\n")
			}
		}
	default:
		b.WriteString(" " + scalar(v) + "\n")
	}
}

// order is where the fields of a struct stand, and their types.
type order struct {
	place map[string]int
	types map[string]reflect.Type
}

func (o order) at(name string) int {
	if i, ok := o.place[name]; ok {
		return i
	}
	return len(o.place)
}

func fieldOrder(t reflect.Type) order {
	o := order{map[string]int{}, map[string]reflect.Type{}}
	for t != nil && (t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map) {
		t = t.Elem()
	}
	if t == nil || t.Kind() != reflect.Struct {
		return o
	}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && !f.Anonymous && name != "" && name != "-" {
			o.place[name], o.types[name] = len(o.place), f.Type
		}
	}
	return o
}
