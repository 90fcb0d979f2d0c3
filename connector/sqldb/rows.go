package sqldb

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/sqldb/value"
)

// node is a place in the record: a column, or an object that holds more.
type node struct {
	name   string // as JSON, with the colon; "" for the record itself
	field  string
	at     int // index into the columns read, or -1
	only   types
	inside []*node
}

// types is what the record type allows at a place; zero: anything.
type types struct{ text, number, boolean, structure, set bool }

func allowed(names []string) (t types) {
	for _, n := range names {
		t.set = true
		switch n {
		case "string":
			t.text = true
		case "number", "integer":
			t.number = true
		case "boolean":
			t.boolean = true
		case "object", "array":
			t.structure = true
		}
	}
	return t
}

// layout says which columns are read, and where they stand in a record.
type layout struct {
	d       *database
	cols    []column
	root    node
	ordered []int // indexes of cursor and unique columns among cols
}

// pointer is a name of a field, or a JSON Pointer, as its parts.
func pointer(field string) []string {
	if !strings.HasPrefix(field, "/") {
		return []string{field}
	}
	parts := strings.Split(field[1:], "/")
	for i, p := range parts {
		parts[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(p)
	}
	return parts
}

func pointerTo(parts []string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(p))
	}
	return b.String()
}

// layoutOf checks the settings against the columns that are there.
func (d *database) layoutOf(there []column, c connector.Config) (*layout, error) {
	l := &layout{d: d, root: node{at: -1}}
	find := func(name, why string) (int, error) {
		i := slices.IndexFunc(there, func(c column) bool { return c.name == name })
		if i < 0 {
			return 0, said(fmt.Sprintf("%s has no column %q, which %s names", d.what(), name, why))
		}
		if j := slices.IndexFunc(l.cols, func(c column) bool { return c.name == name }); j >= 0 {
			return j, nil
		}
		l.cols = append(l.cols, there[i])
		return len(l.cols) - 1, nil
	}
	seen := map[string]bool{}
	for _, c := range there {
		if c.name == "" || seen[c.name] {
			return nil, said(fmt.Sprintf("%s has two columns called %q, or one without a name: give each one of its own", d.what(), c.name))
		}
		seen[c.name] = true
	}
	fields := d.set.Columns
	if len(fields) == 0 {
		fields = map[string]string{}
		for _, c := range there {
			fields[c.name] = pointerTo([]string{c.name})
		}
	} else {
		for name := range fields {
			if _, err := find(name, "columns"); err != nil {
				return nil, err
			}
		}
	}
	for _, col := range there { // in the order of the table
		field, ok := fields[col.name]
		if !ok {
			continue
		}
		at, err := find(col.name, "columns")
		if err != nil {
			return nil, err
		}
		parts, only := pointer(field), types{}
		if c.Format.Types != nil {
			only = allowed(c.Format.Types(pointerTo(parts)))
		}
		if !l.root.put(parts, at, only) {
			return nil, said(fmt.Sprintf("columns puts %q into a field that another column is", col.name))
		}
	}
	names := d.set.Unique
	if d.set.Cursor != "" {
		names = append([]string{d.set.Cursor}, names...)
	}
	for i, name := range names {
		at, err := find(name, map[bool]string{true: "cursor", false: "unique"}[i == 0 && d.set.Cursor != ""])
		if err != nil {
			return nil, err
		}
		switch k := l.cols[at].kind; {
		case k == nested, k == document, k == bits, k == float && d.engine == mariadb:
			return nil, said(fmt.Sprintf("rows cannot be put in order by the column %q: take one of numbers, text or times", name))
		}
		l.ordered = append(l.ordered, at)
	}
	return l, nil
}

// put adds a column at a path; false if another is in the way.
func (n *node) put(path []string, at int, only types) bool {
	i := slices.IndexFunc(n.inside, func(x *node) bool { return x.field == path[0] })
	if i < 0 {
		n.inside = append(n.inside, &node{name: string(value.AppendString(nil, path[0])) + ":", field: path[0], at: -1})
		i = len(n.inside) - 1
	} else if len(path) == 1 || n.inside[i].at >= 0 {
		return false
	}
	if child := n.inside[i]; len(path) > 1 {
		return child.put(path[1:], at, only)
	} else {
		child.at, child.only = at, only
	}
	return true
}

// selected is the list of a SELECT.
func (l *layout) selected() string {
	exprs := make([]string, len(l.cols))
	for i, c := range l.cols {
		exprs[i] = l.d.read(c)
	}
	return strings.Join(exprs, ", ")
}

// record appends the values of a row as an object; what is NULL is left out. why and
// field say what cannot stand in a record.
func (l *layout) record(dst []byte, values []any) (out []byte, why, field string) {
	r := record{l: l, values: values}
	out, _ = r.object(append(dst, '{'), l.root.inside)
	return append(out, '}'), r.why, r.field
}

type record struct {
	l          *layout
	values     []any
	why, field string
}

func (r *record) object(dst []byte, nodes []*node) (out []byte, some bool) {
	for _, n := range nodes {
		before := len(dst)
		if some {
			dst = append(dst, ',')
		}
		dst = append(dst, n.name...)
		begin := len(dst)
		if n.at < 0 {
			ok := false
			if dst, ok = r.object(append(dst, '{'), n.inside); ok {
				dst = append(dst, '}')
			} else {
				dst = dst[:begin]
			}
		} else {
			var why string
			if dst, why = r.l.d.value(dst, r.l.cols[n.at], r.values[n.at]); why != "" && r.why == "" {
				r.why, r.field = why, r.l.cols[n.at].name
			}
			dst = n.only.fit(dst, begin)
		}
		if len(dst) == begin {
			dst = dst[:before]
			continue
		}
		some = true
	}
	return dst, some
}

// fit turns the value at the end of dst into what the record type allows, where the
// database has no type of that name: numbers that are text, 0 and 1 that are false and
// true, JSON that stands in a text.
func (t types) fit(dst []byte, begin int) []byte {
	v := dst[begin:]
	if !t.set || len(v) == 0 {
		return dst
	}
	switch c := v[0]; {
	case c == '"' && !t.text:
		var s string
		if json.Unmarshal(v, &s) != nil {
			return dst
		}
		trimmed := strings.TrimSpace(s)
		structured := strings.HasPrefix(trimmed, "{") || strings.HasPrefix(trimmed, "[")
		switch {
		case t.number && value.IsNumber(s), t.boolean && (s == "true" || s == "false"):
			return append(dst[:begin], s...)
		case t.boolean && (s == "0" || s == "1"):
			return fmt.Appendf(dst[:begin], "%t", s == "1")
		case t.structure && structured:
			if out, ok := value.AppendJSON(dst[:begin], s); ok {
				return out
			}
			return append(dst[:begin], value.AppendString(nil, s)...)
		}
	case (c == '-' || c >= '0' && c <= '9') && !t.number:
		switch s := string(v); {
		case t.boolean && (s == "0" || s == "1"):
			return fmt.Appendf(dst[:begin], "%t", s == "1")
		case t.text:
			return fmt.Appendf(dst[:begin], "%q", s)
		}
	}
	return dst
}

// position writes down where to go on after a row.
func (l *layout) position(values []any) (string, error) {
	list := make([]any, len(l.ordered))
	for i, at := range l.ordered {
		switch v := values[at].(type) {
		case nil:
			return "", said(fmt.Sprintf("the column %q has no value in a row: take other columns for unique", l.cols[at].name))
		case []byte:
			if l.cols[at].kind == binary || l.d.engine == sqlite {
				list[i] = map[string]string{"bytes": base64.StdEncoding.EncodeToString(v)}
			} else {
				list[i] = string(v)
			}
		case float32:
			list[i] = map[string]float64{"float": float64(v)}
		case float64:
			if math.IsInf(v, 0) {
				return "", said(fmt.Sprintf("the column %q is infinite in a row: rows cannot be put in order by it", l.cols[at].name))
			}
			list[i] = map[string]float64{"float": v}
		default:
			list[i] = v
		}
	}
	b, err := json.Marshal(list)
	return string(b), err
}

const errPosition = "where to go on is not known: cursor or unique were changed since rows were last read; an interface with another id begins anew"

// after reads a position back into values of parameters.
func (l *layout) after(position string) ([]any, error) {
	if position == "" {
		return nil, nil
	}
	d := json.NewDecoder(strings.NewReader(position))
	d.UseNumber()
	var list []any
	if err := d.Decode(&list); err != nil || len(list) != len(l.ordered) {
		return nil, said(errPosition)
	}
	for i, v := range list {
		switch v := v.(type) {
		case string:
		case json.Number:
			if n, err := v.Int64(); err == nil {
				list[i] = n
			} else if n, err := strconv.ParseUint(v.String(), 10, 64); err == nil {
				list[i] = n
			} else {
				return nil, said(errPosition)
			}
		case map[string]any:
			if s, ok := v["bytes"].(string); ok {
				b, err := base64.StdEncoding.DecodeString(s)
				if err != nil {
					return nil, said(errPosition)
				}
				list[i] = b
			} else if n, ok := v["float"].(json.Number); ok {
				f, err := n.Float64()
				if err != nil {
					return nil, said(errPosition)
				}
				list[i] = f
			}
		default:
			return nil, said(errPosition)
		}
	}
	return list, nil
}
