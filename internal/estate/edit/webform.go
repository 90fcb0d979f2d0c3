package edit

import (
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/reeve-civic/reeve/internal/estate/edit/refs"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/web/ui"
)

// input is a field of a form that was made from the kind it is about.
type input struct {
	Path        string // its name in the form: "spec.cost[0].annual"
	Label, Hint string
	Narrow      bool   // a date or a number
	Type        string // text, long, select, radios, checks, lines, pairs, group, items, fixed
	Value       string
	Values      []string
	Options     []ui.SelectItem
	List        string    // id of the datalist to choose from; "" for none
	Fields      []input   // of a group
	Items       [][]input // of a list of groups, with an empty one at the end
}

// ID is the field's id on the page.
func (in input) ID() string { return fieldID(in.Path) }

func fieldID(path string) string {
	return "f-" + strings.NewReplacer(".", "-", "[", "-", "]", "", "/", "-", " ", "-").Replace(path)
}

// most of what a select offers; beyond it the id is written.
const mostOffered = 400

// form makes inputs for the fields of a kind.
type formMaker struct {
	refs *refs.Finder
	form url.Values // what was sent; nil for the values as they are
}

func (m *formMaker) inputs(props []def.Property, prefix string, value map[string]any, depth int) (out []input) {
	for _, p := range props {
		out = append(out, m.input(p, prefix+"."+p.Name, value[p.Name], depth))
	}
	return out
}

func (m *formMaker) input(p def.Property, path string, value any, depth int) input {
	in := input{Path: path, Label: label(p.Name), Hint: hint(p), Value: shown(value)}
	if !p.Required {
		in.Label += " (optional)"
	}
	if m.form != nil {
		in.Value = clean(m.form.Get(path))
	}
	switch p.Type {
	case "text", "class":
		in.Type = "text"
		switch {
		case p.Enum != nil:
			m.choose(&in, p.Enum, nil, p.Required)
		case refs.Kinds(p) != nil:
			m.offer(&in, p)
		case p.CEL || len(in.Value) > 70 || strings.Contains(in.Value, "\n") || long(p.Name):
			in.Type = "long"
		}
	case "bool":
		in.Type = "select"
		in.Options = []ui.SelectItem{{Value: "", Text: "Not said"}, {Value: "true", Text: "Yes"}, {Value: "false", Text: "No"}}
	case "int", "number", "date", "duration", "scalar":
		in.Type, in.Narrow = "text", p.Type != "scalar"
	case "group":
		in.Type = "group"
		v, _ := value.(map[string]any)
		if in.Type = "group"; depth > 4 {
			in.Type = "fixed"
			break
		}
		in.Fields = m.inputs(p.Properties(), path, v, depth+1)
	case "list":
		m.list(&in, p, path, value, depth)
	case "map":
		if in.Type = "pairs"; !plainType(p.Elem().Type) {
			in.Type = "fixed"
			break
		}
		if v, ok := value.(map[string]any); ok && m.form == nil {
			var lines []string
			for _, k := range slices.Sorted(maps.Keys(v)) {
				name := k
				if p.KeyRefs != nil {
					name = m.refs.Shown(p.KeyRefs, k)
				}
				lines = append(lines, name+": "+shown(v[k]))
			}
			in.Value = strings.Join(lines, "\n")
		}
	default:
		in.Type = "fixed"
	}
	return in
}

func (m *formMaker) list(in *input, p def.Property, path string, value any, depth int) {
	items, _ := value.([]any)
	elem := p.Elem()
	switch {
	case p.Enum != nil && elem.Type == "text":
		in.Type = "checks"
		for _, x := range p.Enum {
			in.Options = append(in.Options, ui.SelectItem{Value: x, Text: word(x)})
		}
		for _, x := range items {
			in.Values = append(in.Values, shown(x))
		}
		if m.form != nil {
			in.Values = m.form[path]
		}
	case p.Refs != nil && elem.Type == "text":
		m.offerMany(in, p, path, items)
	case plainType(elem.Type):
		in.Type = "lines"
		if m.form == nil {
			var lines []string
			for _, x := range items {
				s := shown(x)
				if strings.Contains(s, "\n") {
					in.Type = "fixed"
				}
				lines = append(lines, s)
			}
			in.Value = strings.Join(lines, "\n")
		}
	case elem.Type == "group" && depth < 3:
		in.Type = "items"
		n := len(items)
		if m.form != nil {
			n, _ = strconv.Atoi(m.form.Get("n:" + path))
			n = min(max(n-1, 0), 200)
		}
		for i := range n + 1 {
			var v map[string]any
			if i < len(items) {
				v, _ = items[i].(map[string]any)
			}
			in.Items = append(in.Items, m.inputs(elem.Properties(), fmt.Sprintf("%s[%d]", path, i), v, depth+1))
		}
	default:
		in.Type = "fixed"
	}
}

func plainType(t string) bool { return t != "list" && t != "map" && t != "group" && t != "anything" }

func long(name string) bool {
	return slices.Contains([]string{"description", "notes", "principle", "purpose", "failing", "fix", "rule", "where", "reason"}, name)
}

// choose offers a few values.
func (m *formMaker) choose(in *input, values []string, names map[string]string, required bool) {
	in.Type = "radios"
	if len(values) > 6 {
		in.Type = "select"
	}
	if !required || in.Type == "select" {
		in.Options = append(in.Options, ui.SelectItem{Value: "", Text: "Not said"})
	}
	found := in.Value == ""
	for _, x := range values {
		text := names[x]
		if text == "" {
			text = word(x)
		}
		in.Options = append(in.Options, ui.SelectItem{Value: x, Text: text})
		found = found || x == in.Value
	}
	if !found {
		in.Options = append(in.Options, ui.SelectItem{Value: in.Value, Text: in.Value})
	}
}

// labels are the fields whose names are not words that everybody knows.
var labels = map[string]string{
	"auth": "Signing in", "authn": "Strength of signing in", "identity": "Proof of identity", "api": "Connections for other systems (API)",
	"rtoHours": "Hours until it must be back", "clients": "Used with", "audience": "Used by", "dataExport": "Data can be taken out as",
}

// label is a field's name in words: "noticeDays" is "Notice days".
func label(name string) string {
	if plain := labels[name]; plain != "" {
		return plain
	}
	var b strings.Builder
	for i, r := range name {
		switch {
		case i == 0:
			b.WriteRune(unicode.ToUpper(r))
		case unicode.IsUpper(r):
			b.WriteByte(' ')
			b.WriteRune(unicode.ToLower(r))
		default:
			b.WriteRune(r)
		}
	}
	return known(ui.Words(b.String()))
}

// known writes abbreviations as people do.
func known(s string) string {
	words := strings.Fields(s)
	for i, w := range words {
		switch low := strings.ToLower(w); low {
		case "saas", "paas":
			words[i] = map[string]string{"saas": "SaaS", "paas": "PaaS"}[low]
		case "oidc", "saml", "ldap", "api", "rto", "rpo", "id", "url", "kev", "cpe", "hmo", "csv", "json", "db", "ui", "dpia", "ai":
			words[i] = strings.ToUpper(w)
		}
	}
	return strings.Join(words, " ")
}

// word is a value in words.
func word(s string) string {
	if s == "" {
		return s
	}
	return ui.Capital(known(ui.Words(s)))
}

func hint(p def.Property) string {
	var out []string
	if p.Doc != "" {
		s := ui.Capital(p.Doc)
		if !strings.HasSuffix(s, ".") {
			s += "."
		}
		out = append(out, s)
	}
	switch {
	case p.Type == "date":
		out = append(out, "For example, 2026-01-31.")
	case p.Type == "duration":
		out = append(out, "For example, 15m, 1h or 14d.")
	case p.Type == "list" && p.Refs != nil:
		out = append(out, "Type a part of the name and choose, or write the id. Empty one to take it away.")
	case p.Type == "list" && p.Enum == nil && plainType(p.Elem().Type):
		out = append(out, "One on each line.")
	case p.Type == "map":
		out = append(out, "One on each line, like name: value.")
	case p.CEL:
		out = append(out, "An expression in CEL.")
	}
	return strings.Join(out, " ")
}

// shown is a plain value as a form shows it.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// sent reads a form: what differs from the values as they are, by path.
type sent struct {
	form   url.Values
	refs   *refs.Finder
	errors ui.Errors
}

// changes puts into set what was changed.
func (s *sent) changes(props []def.Property, prefix string, now map[string]any, set map[string]any) {
	for _, p := range props {
		path := prefix + "." + p.Name
		if p.Type == "group" {
			v, _ := now[p.Name].(map[string]any)
			s.changes(p.Properties(), path, v, set)
			continue
		}
		if v, ok := s.value(p, path); ok && !same(v, now[p.Name]) {
			set[path] = v
		}
	}
}

// same reports whether a value that was sent is the one that is there, as far as a
// browser can tell.
func same(v, now any) bool {
	if reflect.DeepEqual(v, now) {
		return true
	}
	if s, ok := now.(string); ok {
		t, _ := v.(string)
		return strings.TrimSpace(s) == t || clean(s) == t
	}
	l, ok := now.([]any)
	return ok && len(l) == 0 && v == nil
}

// value is what was sent for a field; ok says that the form had it. An empty one is nil.
func (s *sent) value(p def.Property, path string) (v any, ok bool) {
	switch p.Type {
	case "group":
		out := map[string]any{}
		for _, q := range p.Properties() {
			if v, has := s.value(q, path+"."+q.Name); has {
				if ok = true; v != nil {
					out[q.Name] = v
				}
			}
		}
		if len(out) == 0 {
			return nil, ok
		}
		return out, ok
	case "list":
		return s.list(p, path)
	case "map":
		if !s.form.Has(path) {
			return nil, false
		}
		out := map[string]any{}
		for l := range strings.Lines(clean(s.form.Get(path))) {
			if l = strings.TrimSpace(l); l == "" {
				continue
			}
			k, x, found := strings.Cut(l, ":")
			if i := strings.LastIndex(l, ":"); p.KeyRefs != nil && i > 0 { // a name may have one, too
				k, x, found = l[:i], l[i+1:], true
			}
			if k = strings.TrimSpace(k); !found || k == "" {
				s.errors.Add(fieldID(path), "%s: write each line like name: value", label(p.Name))
				continue
			}
			if y := s.scalar(p.Elem(), path, strings.TrimSpace(x)); y != nil {
				out[s.reference(p.KeyRefs, label(p.Name), path, k)] = y
			}
		}
		if len(out) == 0 {
			return nil, true
		}
		return out, true
	case "anything":
		return nil, false
	}
	if !s.form.Has(path) {
		return nil, false
	}
	return s.scalar(p, path, strings.TrimSpace(clean(s.form.Get(path)))), true
}

func (s *sent) list(p def.Property, path string) (any, bool) {
	elem := p.Elem()
	var out []any
	switch {
	case p.Enum != nil && elem.Type == "text":
		if !s.form.Has("has:" + path) {
			return nil, false
		}
		for _, x := range s.form[path] {
			out = append(out, x)
		}
	case plainType(elem.Type):
		if !s.form.Has(path) {
			return nil, false
		}
		for _, l := range several(s.form[path]) {
			out = append(out, s.scalar(elem, path, l))
		}
	case elem.Type == "group" && s.form.Has("n:"+path):
		n, _ := strconv.Atoi(s.form.Get("n:" + path))
		for i := range min(max(n, 0), 201) {
			if v, ok := s.value(elem, fmt.Sprintf("%s[%d]", path, i)); ok && v != nil {
				out = append(out, v)
			}
		}
	default:
		return nil, false
	}
	if len(out) == 0 {
		return nil, true
	}
	return out, true
}

// scalar is one value of a form; nil if it is empty.
func (s *sent) scalar(p def.Property, path, text string) any {
	if text == "" {
		return nil
	}
	switch p.Type {
	case "bool":
		return text == "true"
	case "int":
		n, err := strconv.ParseInt(strings.ReplaceAll(text, ",", ""), 10, 64)
		if err != nil {
			s.errors.Add(fieldID(path), "%s must be a whole number, like 12", label(p.Name))
			return nil
		}
		return n
	case "number":
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return n
		}
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || f != f || f-f != 0 {
			s.errors.Add(fieldID(path), "%s must be a number, like 0.5", label(p.Name))
			return nil
		}
		return f
	}
	return s.reference(refs.Kinds(p), label(p.Name), path, text)
}
