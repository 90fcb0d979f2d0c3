package suggest

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// mapText writes the proposal as a map.
func mapText(out *Suggestion, s *suggester) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Proposed from the headings and values of %s. Read every line before it is used.\n", plainLine(out.File))
	for _, f := range out.Fields {
		root := "root"
		for _, t := range contract.Tokens(f.Path) {
			root += "." + segment(t)
		}
		note := fmt.Sprintf("# %s (%.0f%%)", Sure(f.Confidence), f.Confidence*100)
		if f.How != "" {
			note += ": " + f.How
		}
		fmt.Fprintf(&b, "\n%s\n%s = %s\n", note, root, f.expr)
	}
	if len(out.Missing) > 0 {
		b.WriteString("\n# No column was found for these, which every record must have:\n")
		for _, m := range out.Missing {
			fmt.Fprintf(&b, "#   %s\n", m)
		}
	}
	if len(out.Unused) > 0 {
		b.WriteString("\n# Columns that are not used:\n")
		for _, u := range out.Unused {
			fmt.Fprintf(&b, "#   %s\n", plainLine(u))
		}
	}
	return b.String()
}

// plainLine is a text for a comment or a message: one short line.
func plainLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 80 {
		s = string(r[:80]) + "…"
	}
	return s
}

// slug is a name for ids.
func slug(s string) string {
	s = strings.TrimSuffix(path.Base(s), path.Ext(s))
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	out := strings.Trim(b.String(), "-")
	if len(out) > 40 {
		out = strings.Trim(out[:40], "-")
	}
	if out == "" {
		return "file"
	}
	return out
}

// files are what the folder of definitions needs: the flow, the record type of the
// file's rows with its schema, and the map.
func (s *suggester) files(o Options, out *Suggestion, source string) []File {
	name := slug(o.Name)
	record := "rec-" + name + ".v1"
	schema, mapFile := "exchange/schemas/"+name+".json", "exchange/maps/"+name+".blobl"
	if isWhole(out.Fields) {
		return []File{{"exchange/" + name + ".yaml", s.flow(o, out, name, out.Type, "")}}
	}
	return []File{
		{"exchange/" + name + ".yaml", s.recordType(o.Set, out, record, schema) + "---\n" + s.flow(o, out, name, record, mapFile)},
		{schema, s.schema(out)},
		{mapFile, source},
	}
}

func (s *suggester) flow(o Options, out *Suggestion, name, record, mapFile string) string {
	var b strings.Builder
	sure := 0.0
	for _, f := range out.Fields {
		sure += f.Confidence
	}
	fmt.Fprintf(&b, "# Fields: %d, on the whole %s (%.0f%%). Of %d rows looked at, %d become records that %s takes.\n", len(out.Fields), Sure(sure/float64(max(1, len(out.Fields)))), 100*sure/float64(max(1, len(out.Fields))), out.Rows, out.Good, out.Type)
	b.WriteString("apiVersion: reeve/v1\nkind: Flow\n")
	fmt.Fprintf(&b, "metadata: {id: flow-%s, name: %s}\nspec:\n", name, quoteText("From "+plainLine(out.File)))
	fmt.Fprintf(&b, "  from: if-%s  # TODO for a person: the interface that gives the file (%s)\n", name, formatText(out))
	switch to := receivers(o.Set, out.Type); len(to) {
	case 1:
		fmt.Fprintf(&b, "  to: %s\n", to[0])
	case 0:
		b.WriteString("  to: if-receiver  # TODO for a person: the interface that takes the records\n")
	default:
		fmt.Fprintf(&b, "  to: %s  # or %s\n", to[0], strings.Join(to[1:], ", "))
	}
	fmt.Fprintf(&b, "  record: %s\n", record)
	if mapFile != "" {
		fmt.Fprintf(&b, "  target: %s\n", out.Type)
	}
	fmt.Fprintf(&b, "  agreement: agr-%s  # TODO for a person: agree on it, with these fields: [%s]\n", name, strings.Join(s.used(out), ", "))
	b.WriteString("  purpose: to-be-agreed  # TODO for a person: one of the agreement's\n")
	if mapFile != "" {
		fmt.Fprintf(&b, "  map: %s\n", mapFile)
	}
	return b.String()
}

func formatText(out *Suggestion) string {
	f := "format: " + out.Format.Name
	if out.Format.Delimiter != "" {
		f += ", delimiter: " + quoteText(out.Format.Delimiter)
	}
	if out.Format.Encoding != "" {
		f += ", encoding: " + out.Format.Encoding
	}
	if out.Format.Record != "" {
		f += ", recordAt: " + out.Format.Record
	}
	if out.Format.Sheet != "" {
		f += ", sheet: " + quoteText(out.Format.Sheet)
	}
	return f
}

// used are the fields of the file that the map reads.
func (s *suggester) used(out *Suggestion) (fields []string) {
	for _, f := range out.Fields {
		for _, c := range f.sources {
			p := c.pointer()
			if isWhole(out.Fields) {
				p = (&column{tokens: c.tokens[:1]}).pointer()
			}
			if !slices.Contains(fields, quoteField(p)) {
				fields = append(fields, quoteField(p))
			}
		}
	}
	return fields
}

func quoteField(p string) string {
	if strings.ContainsAny(p, " ,:#[]{}\"'&*!|>%@`") {
		return quoteText(p)
	}
	return p
}

// receivers are the interfaces that take records of a type.
func receivers(set *def.Set, t string) (ids []string) {
	if set == nil {
		return nil
	}
	for _, i := range def.All[iface.Spec](set) {
		if i.Spec.Read == nil && i.Spec.Address != "" && slices.ContainsFunc(i.Spec.Records, func(r string) bool { return set.Present("RecordType", r) == set.Present("RecordType", t) }) {
			ids = append(ids, i.ID)
		}
	}
	return ids
}

// recordType declares the rows of the file, with the classes that its columns have as
// fields of the target.
func (s *suggester) recordType(set *def.Set, out *Suggestion, record, schema string) string {
	class := map[string]reeve.Class{}
	level := reeve.Class(0)
	for _, f := range s.fields {
		level = max(level, f.Class)
	}
	base := level
	for _, f := range out.Fields {
		for _, c := range f.sources {
			class[c.pointer()] = max(class[c.pointer()], s.t.ClassOf(f.Path))
			base = min(base, s.t.ClassOf(f.Path))
		}
	}
	if len(out.Unused) > 0 {
		base = max(base, s.t.ClassOf("")) // nobody said what the others are
	}
	var b strings.Builder
	b.WriteString("# The rows of the file as they come. Classes are those of the fields that they become.\n")
	fmt.Fprintf(&b, "apiVersion: reeve/v1\nkind: RecordType\nmetadata: {id: %s, name: %s}\nspec:\n  schema: %s\n", record, quoteText("Rows of "+plainLine(out.File)), schema)
	if key := s.key(out); key != "" {
		fmt.Fprintf(&b, "  key: %s\n", quoteField(key))
	}
	fmt.Fprintf(&b, "  classification:\n    level: %s\n", base)
	if s.t.Personal {
		b.WriteString("    personal: true\n")
	}
	begun := false
	for _, p := range slices.Sorted(maps.Keys(class)) {
		if class[p] > base {
			if !begun {
				b.WriteString("    fields:\n")
				begun = true
			}
			fmt.Fprintf(&b, "      %s: %s\n", quoteText(p), class[p])
		}
	}
	inherit(&b, set, out.Type, s.key(out) != "")
	return b.String()
}

// inherit writes what holds for the rows because it holds for what they become: what
// allows them, for how long they are kept, who corrects them, and their order.
func inherit(b *strings.Builder, set *def.Set, target string, keyed bool) {
	if set == nil {
		return
	}
	o, ok := set.Lookup("RecordType", target)
	if !ok {
		return
	}
	spec := o.Spec.(*contract.Spec)
	if l := spec.LawfulBasis; l.Article6 != "" {
		fmt.Fprintf(b, "  lawfulBasis: {article6: %s", l.Article6)
		if l.Article9 != "" {
			fmt.Fprintf(b, ", article9: %s", l.Article9)
		}
		fmt.Fprintf(b, "}  # of %s\n", target)
	} else if spec.Classification.Personal {
		b.WriteString("  # TODO for a person: lawfulBasis, which the record type that they become has not either\n")
	}
	if spec.Approval != "" {
		fmt.Fprintf(b, "  approval: %s\n", spec.Approval)
	}
	if r := spec.Retention; r.Rule != "" {
		fmt.Fprintf(b, "  retention: {rule: %s, authority: %s}\n", quoteText(r.Rule), quoteText(r.Authority))
	}
	if spec.Order == "strict" && keyed {
		b.WriteString("  order: strict\n")
	}
}

// key is the column that becomes the key of the type as it stands, or "".
func (s *suggester) key(out *Suggestion) string {
	for _, f := range out.Fields {
		if s.t.Key != "" && f.Path == s.t.Key && f.How == "" && len(f.sources) == 1 {
			return f.sources[0].pointer()
		}
	}
	return ""
}

// node is a part of the schema of the rows.
type node struct {
	types []string
	props map[string]*node
	items *node
	must  []string
}

// schema says what the rows look like: texts are texts, and what every row had is
// asked for.
func (s *suggester) schema(out *Suggestion) string {
	root := &node{props: map[string]*node{}}
	for _, c := range s.profile.columns {
		n := root
		for i, t := range c.tokens {
			if t == first {
				if n.items == nil {
					n.items = &node{}
				}
				n = n.items
				continue
			}
			if n.props == nil {
				n.props = map[string]*node{}
			}
			if n.props[t] == nil {
				n.props[t] = &node{}
			}
			if i == 0 && c.filled == s.profile.rows && !slices.Contains(n.must, t) {
				n.must = append(n.must, t)
			}
			n = n.props[t]
		}
		if c.mixed {
			continue
		}
		if c.list {
			n.items = &node{}
			n = n.items
		}
		for _, v := range c.values {
			t := "string"
			switch v.(type) {
			case json.Number:
				t = "number"
			case bool:
				t = "boolean"
			}
			if !slices.Contains(n.types, t) {
				n.types = append(n.types, t)
			}
		}
	}
	doc := root.json()
	doc["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	doc["title"] = "Rows of " + out.File
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return ""
	}
	return string(b) + "\n"
}

func (n *node) json() map[string]any {
	switch {
	case n.items != nil:
		return map[string]any{"type": "array", "items": n.items.json()}
	case n.props != nil:
		props := map[string]any{}
		for k, p := range n.props {
			props[k] = p.json()
		}
		out := map[string]any{"type": "object", "properties": props}
		if len(n.must) > 0 {
			slices.Sort(n.must)
			out["required"] = n.must
		}
		return out
	case len(n.types) == 1:
		return map[string]any{"type": n.types[0]}
	case len(n.types) > 1:
		return map[string]any{"type": n.types}
	}
	return map[string]any{}
}
