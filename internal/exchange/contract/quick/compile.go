package quick

import (
	"math"
	"math/big"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Types of values, as a set.
const (
	null = 1 << iota
	boolean
	number
	whole
	text
	list
	object
	every = null | boolean | number | whole | text | list | object
)

var typeNames = map[string]int{"null": null, "boolean": boolean, "number": number, "integer": whole, "string": text, "array": list, "object": object}

// node is one schema.
type node struct {
	schema *jsonschema.Schema
	ask    bool // the library judges it
	types  int
	text   *textRules // nil: any text; and so on
	number *numberRules
	list   *listRules
	object *objectRules

	more   bool // any of those below, which hold for the same value
	all    []*node
	groups []group
	not    *node
	cond   *node // if
	then   *node
	els    *node
}

// group is alternatives of which at least one must fit.
type group struct {
	of  []*node
	one bool // and no other
}

type textRules struct {
	least, most int // characters
	choices     []string
	pattern     func(string) bool
	form        func([]byte) bool
	format      *jsonschema.Format
}

type numberRules struct{ least, most int64 }

type listRules struct {
	least, most int
	first       []*node
	items       *node
}

type objectRules struct {
	least, most int // fields
	names       []string
	values      []*node // nil: only required
	required    uint64  // by place in names
	patterns    []pattern
	others      *node // nil: anything
}

type pattern struct {
	match func(string) bool
	value *node
}

// find returns the place of a name, -1 for none. Fields often come in the order
// of the last record, so the place after the last one found is tried first.
func (o *objectRules) find(name []byte, hint int) int {
	if hint < len(o.names) && o.names[hint] == string(name) {
		return hint
	}
	for i, n := range o.names {
		if n == string(name) {
			return i
		}
	}
	return -1
}

// fits judges a text without escapes.
func (t *textRules) fits(b []byte, ascii bool) verdict {
	if t.least > 0 || t.most < math.MaxInt {
		n := len(b)
		if !ascii {
			n = utf8.RuneCount(b)
		}
		if n < t.least || n > t.most {
			return bad
		}
	}
	if t.choices != nil && !slices.ContainsFunc(t.choices, func(s string) bool { return s == string(b) }) {
		return bad
	}
	if t.form != nil && !t.form(b) || t.pattern != nil && !t.pattern(string(b)) {
		return bad
	}
	if t.format != nil && !(t.format.Name == "date" && usualDate(b)) && t.format.Validate(string(b)) != nil {
		return bad
	}
	return good
}

// usualDate reports whether b is a date on one of the first 28 days of a month.
func usualDate(b []byte) bool {
	if len(b) != len(time.DateOnly) || b[4] != '-' || b[7] != '-' {
		return false
	}
	for _, i := range [...]int{0, 1, 2, 3, 5, 6, 8, 9} {
		if b[i]-'0' > 9 {
			return false
		}
	}
	month, day := (b[5]-'0')*10+b[6]-'0', (b[8]-'0')*10+b[9]-'0'
	return month >= 1 && month <= 12 && day >= 1 && day <= 28
}

// Compile prepares a schema. It is nil for one that is better left to the library:
// what the schema says here depends on how it was come to, or on itself.
func Compile(s *jsonschema.Schema) *Program {
	if strange(s) {
		return nil
	}
	c := compiler{}
	root := c.node(s)
	if root.ask {
		return nil
	}
	return &Program{root}
}

type compiler map[*jsonschema.Schema]*node

// node compiles a schema.
func (c compiler) node(s *jsonschema.Schema) *node {
	if s == nil {
		return nil
	}
	if n, ok := c[s]; ok {
		return n
	}
	n := &node{schema: s, types: every}
	c[s] = n
	if s.Bool != nil {
		if !*s.Bool {
			n.types = 0
		}
		return n
	}
	if s.Types != nil && !s.Types.IsEmpty() {
		n.types = 0
		for _, name := range s.Types.ToStrings() {
			n.types |= typeNames[name]
		}
	}
	if n.ask = unknown(s) || !c.scalars(n); n.ask {
		return n
	}
	n.list = c.list(s)
	if n.object, n.ask = c.object(s); n.ask {
		return n
	}
	c.rest(n)
	return n
}

func (c compiler) rest(n *node) {
	s := n.schema
	if s.Ref != nil {
		n.all = append(n.all, c.node(s.Ref))
	}
	for _, sub := range s.AllOf {
		n.all = append(n.all, c.node(sub))
	}
	for _, g := range []struct {
		of  []*jsonschema.Schema
		one bool
	}{{s.AnyOf, false}, {s.OneOf, true}} {
		if len(g.of) > 0 {
			n.groups = append(n.groups, group{c.nodes(g.of), g.one})
		}
	}
	n.not, n.cond = c.node(s.Not), c.node(s.If)
	if n.cond != nil {
		n.then, n.els = c.node(s.Then), c.node(s.Else)
	}
	n.more = len(n.all)+len(n.groups) > 0 || n.not != nil || n.cond != nil
}

func (c compiler) nodes(ss []*jsonschema.Schema) (out []*node) {
	for _, s := range ss {
		out = append(out, c.node(s))
	}
	return out
}

// unknown reports whether a schema says something that is not known here.
func unknown(s *jsonschema.Schema) bool {
	_, several := s.Items.([]*jsonschema.Schema)
	return several || len(s.Extensions) > 0 || s.AdditionalItems != nil || s.UniqueItems ||
		s.Contains != nil || s.MinContains != nil || s.MaxContains != nil ||
		s.UnevaluatedItems != nil || s.UnevaluatedProperties != nil || s.PropertyNames != nil ||
		len(s.Dependencies) > 0 || len(s.DependentRequired) > 0 || len(s.DependentSchemas) > 0 ||
		s.ContentEncoding != nil || s.ContentMediaType != nil || s.ContentSchema != nil || s.MultipleOf != nil ||
		s.Ref != nil && s.DraftVersion < 2019
}

// scalars prepares what is said of texts and numbers; it is false where that is
// not known here.
func (c compiler) scalars(n *node) bool {
	s := n.schema
	t := &textRules{most: math.MaxInt}
	if s.MinLength != nil {
		t.least = *s.MinLength
	}
	if s.MaxLength != nil {
		t.most = *s.MaxLength
	}
	fixed := [][]any{}
	if s.Enum != nil {
		fixed = append(fixed, s.Enum.Values)
	}
	if s.Const != nil {
		fixed = append(fixed, []any{*s.Const})
	}
	for _, values := range fixed {
		n.types &= text
		var choices []string
		for _, v := range values {
			choice, ok := v.(string)
			if !ok {
				return false
			}
			if t.choices == nil || slices.Contains(t.choices, choice) {
				choices = append(choices, choice)
			}
		}
		if t.choices = choices; len(choices) == 0 {
			return false
		}
	}
	if s.Pattern != nil {
		if t.form = form(s.Pattern.String()); t.form == nil {
			t.pattern = s.Pattern.MatchString
		}
	}
	if s.Format != nil {
		if n.types != text {
			return false
		}
		t.format = s.Format
	}
	if t.least > 0 || t.most < math.MaxInt || t.choices != nil || t.form != nil || t.pattern != nil || t.format != nil {
		n.text = t
	}
	return numbers(n)
}

func numbers(n *node) bool {
	s := n.schema
	r := &numberRules{least: math.MinInt64, most: math.MaxInt64}
	set := false
	for _, b := range []struct {
		bound     *big.Rat
		upper, ex bool
	}{{s.Minimum, false, false}, {s.ExclusiveMinimum, false, true}, {s.Maximum, true, false}, {s.ExclusiveMaximum, true, true}} {
		if b.bound == nil {
			continue
		}
		if !b.bound.IsInt() || !b.bound.Num().IsInt64() {
			return false
		}
		x := b.bound.Num().Int64()
		if x > 1<<60 || x < -1<<60 {
			return false
		}
		set = true
		switch {
		case b.upper && b.ex:
			r.most = min(r.most, x-1)
		case b.upper:
			r.most = min(r.most, x)
		case b.ex:
			r.least = max(r.least, x+1)
		default:
			r.least = max(r.least, x)
		}
	}
	if set {
		n.number = r
	}
	return true
}

func (c compiler) list(s *jsonschema.Schema) *listRules {
	l := &listRules{most: math.MaxInt}
	if s.MinItems != nil {
		l.least = *s.MinItems
	}
	if s.MaxItems != nil {
		l.most = *s.MaxItems
	}
	if s.DraftVersion < 2020 {
		items, _ := s.Items.(*jsonschema.Schema)
		l.items = c.node(items)
	} else {
		l.first, l.items = c.nodes(s.PrefixItems), c.node(s.Items2020)
	}
	if l.least == 0 && l.most == math.MaxInt && l.first == nil && l.items == nil {
		return nil
	}
	return l
}

// maxNames is how many fields a schema may name.
const maxNames = 64

func (c compiler) object(s *jsonschema.Schema) (o *objectRules, ask bool) {
	o = &objectRules{most: math.MaxInt}
	if s.MinProperties != nil {
		o.least = *s.MinProperties
	}
	if s.MaxProperties != nil {
		o.most = *s.MaxProperties
	}
	for name := range s.Properties {
		o.names = append(o.names, name)
	}
	for _, name := range s.Required {
		if !slices.Contains(o.names, name) {
			o.names = append(o.names, name)
		}
	}
	slices.Sort(o.names)
	if len(o.names) > maxNames {
		return nil, true
	}
	for i, name := range o.names {
		o.values = append(o.values, c.node(s.Properties[name]))
		if slices.Contains(s.Required, name) {
			o.required |= 1 << i
		}
	}
	for re, sub := range s.PatternProperties {
		o.patterns = append(o.patterns, pattern{re.MatchString, c.node(sub)})
	}
	switch a := s.AdditionalProperties.(type) {
	case bool:
		if !a {
			o.others = &node{schema: s}
		}
	case *jsonschema.Schema:
		o.others = c.node(a)
	}
	if o.least == 0 && o.most == math.MaxInt && len(o.names)+len(o.patterns) == 0 && o.others == nil {
		return nil, false
	}
	return o, false
}

// strange reports whether anywhere in a schema there is what depends on the way by
// which it was come to, or a schema that holds for the same value as itself.
func strange(s *jsonschema.Schema) bool {
	w := walk{done: map[*jsonschema.Schema]bool{}, todo: []*jsonschema.Schema{s}}
	for len(w.todo) > 0 && !w.strange {
		next := w.todo[len(w.todo)-1]
		w.todo = w.todo[:len(w.todo)-1]
		if _, begun := w.done[next]; !begun {
			w.schema(next)
		}
	}
	return w.strange
}

// walk goes through the schemas of one value, and remembers those of others.
type walk struct {
	done    map[*jsonschema.Schema]bool // false as long as it is under way
	todo    []*jsonschema.Schema
	strange bool
}

func (w *walk) schema(s *jsonschema.Schema) {
	if done, begun := w.done[s]; begun {
		w.strange = w.strange || !done
		return
	}
	w.strange = w.strange || s.DynamicRef != nil || s.RecursiveRef != nil
	w.done[s] = false
	for _, sub := range same(s) {
		w.schema(sub)
	}
	w.done[s] = true
	w.todo = append(w.todo, parts(s)...)
}

// same are the schemas that hold for the same value.
func same(s *jsonschema.Schema) []*jsonschema.Schema {
	out := slices.Concat(s.AllOf, s.AnyOf, s.OneOf, []*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else})
	for _, sub := range s.DependentSchemas {
		out = append(out, sub)
	}
	for _, sub := range s.Dependencies {
		sub, _ := sub.(*jsonschema.Schema)
		out = append(out, sub)
	}
	return slices.DeleteFunc(out, func(s *jsonschema.Schema) bool { return s == nil })
}

// parts are the schemas that hold for values inside.
func parts(s *jsonschema.Schema) []*jsonschema.Schema {
	out := append(slices.Clone(s.PrefixItems), s.Items2020, s.Contains, s.PropertyNames, s.UnevaluatedItems, s.UnevaluatedProperties, s.ContentSchema)
	for _, of := range []any{s.Items, s.AdditionalItems, s.AdditionalProperties} {
		switch of := of.(type) {
		case *jsonschema.Schema:
			out = append(out, of)
		case []*jsonschema.Schema:
			out = append(out, of...)
		}
	}
	for _, sub := range s.Properties {
		out = append(out, sub)
	}
	for _, sub := range s.PatternProperties {
		out = append(out, sub)
	}
	return slices.DeleteFunc(out, func(s *jsonschema.Schema) bool { return s == nil })
}
