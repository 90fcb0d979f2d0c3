// Package suggest proposes how the rows of a file become records of a type: which
// column is which field, and how its values must be written. It goes by names and
// their synonyms, by what the values look like, and above all by asking the record
// type itself whether it would take them.
//
// What is guaranteed. Nothing is sent, stored or changed. What is proposed compiles,
// and was run on the rows that were looked at: how many of them the record type takes
// is counted, not guessed. The time it takes is bounded by rows, columns and fields.
//
// What not to assume. A proposal is for a person to read: a date of registration and
// a date of death look the same. Fields in lists of objects are not proposed.
package suggest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/mapping"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Options says what to look at.
type Options struct {
	Name string // of the file
	Spec format.Spec
	Rows format.Reader
	Set  *def.Set
	Type *contract.Type
	Most int // rows to look at; 0: 1,000
	Show int // rows to show; 0: 3
}

// Suggestion is a proposal.
type Suggestion struct {
	File    string      `json:"file"`
	Format  format.Spec `json:"format"`
	Type    string      `json:"type"`
	Fields  []Field     `json:"fields"`
	Missing []string    `json:"missing"` // fields that every record must have, and no column is
	Unused  []string    `json:"unused"`  // columns
	Rows    int         `json:"rows"`    // that were looked at
	Good    int         `json:"good"`    // of them would be taken
	Broken  int         `json:"unreadable"`
	Told    []Broken    `json:"unreadableRows,omitempty"` // the first of them
	First   []Example   `json:"first"`
	Why     []Reason    `json:"problems"`         // of those that would not be taken
	Files   []File      `json:"definitions"`      // what to put into the folder of definitions
	More    bool        `json:"moreFields"`       // the record type has more fields than were looked at
	Stopped string      `json:"stopped,omitzero"` // why the file could not be read to the end
}

// Field is a field of the record type, and what it is made of.
type Field struct {
	Path       string   `json:"path"`
	Columns    []string `json:"columns,omitempty"`
	Constant   any      `json:"constant,omitempty"`
	How        string   `json:"how,omitempty"`
	Confidence float64  `json:"confidence"`
	Required   bool     `json:"required"`

	expr    string
	sources []*column
}

// Broken is a row that cannot be read.
type Broken struct {
	At      string `json:"at"`
	Field   string `json:"field,omitempty"`
	Problem string `json:"problem"`
}

// Example is what a row becomes.
type Example struct {
	At       string          `json:"at"`
	Row      json.RawMessage `json:"row"`
	Record   json.RawMessage `json:"record,omitempty"`
	Problems []reeve.Problem `json:"problems,omitempty"`
}

// Reason is a problem that rows have.
type Reason struct {
	Path    string `json:"path"`
	Message string `json:"message"`
	Rows    int    `json:"rows"`
	First   string `json:"first"` // row that has it
}

// File is a part of a proposal: a file of a folder of definitions.
type File struct {
	Path string `json:"path"`
	Text string `json:"text"`
}

// Sure says a confidence in words.
func Sure(c float64) string {
	switch {
	case c >= 0.8:
		return "sure"
	case c >= 0.6:
		return "likely"
	}
	return "perhaps"
}

// kept is a row that was looked at.
type kept struct {
	at   string
	body []byte
}

// Suggest looks at the first rows of a file and proposes.
func Suggest(ctx context.Context, o Options) (*Suggestion, error) {
	const op = "exchange.suggest"
	s := &suggester{t: o.Type, env: mapping.NewEnvironment(), free: map[string]bool{}, profile: &profile{at: map[string]*column{}}}
	out := &Suggestion{File: path.Base(o.Name), Format: o.Spec, Type: string(o.Type.ID)}
	rows, err := s.read(ctx, o, out)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		why := "the file holds no row that can be read"
		switch {
		case out.Stopped != "":
			why = out.Stopped
		case len(out.Told) > 0:
			why += ": " + out.Told[0].At + ": " + out.Told[0].Problem
		}
		return nil, reeve.E(reeve.Invalid, op, "%s", why)
	}
	s.fields, out.More = o.Type.Fields(maxFields)
	s.library()
	if s.already(rows) {
		out.Fields = []Field{{Path: "", How: "the rows are such records as they are", Confidence: 0.99, Required: true, expr: "this", sources: s.profile.columns}}
	} else {
		found := s.assign(s.pairs())
		s.leftover(found)
		out.Fields = s.propose(found)
	}
	for _, c := range s.profile.columns {
		if !c.taken && !isWhole(out.Fields) {
			out.Unused = append(out.Unused, c.label())
		}
	}
	for _, f := range s.fields {
		if f.Required && !slices.ContainsFunc(out.Fields, func(p Field) bool { return p.Path == f.Path || p.Path == "" }) {
			out.Missing = append(out.Missing, f.Path)
		}
	}
	source := mapText(out, s)
	if len(out.Fields) > 0 {
		if err := s.try(ctx, o, out, source, rows); err != nil {
			return nil, err
		}
	}
	out.Files = s.files(o, out, source)
	return out, nil
}

func isWhole(fields []Field) bool { return len(fields) == 1 && fields[0].Path == "" }

// already reports whether most rows are records of the type without a map.
func (s *suggester) already(rows []kept) bool {
	good, tried := 0, 0
	for _, row := range rows[:min(len(rows), 50)] {
		tried++
		if _, problems := s.t.Check(row.body); len(problems) == 0 {
			good++
		}
	}
	return good*2 > tried
}

func (s *suggester) read(ctx context.Context, o Options, out *Suggestion) (rows []kept, err error) {
	most := o.Most
	if most <= 0 {
		most = 1000
	}
	size := 0
	for len(rows) < most && size < 32<<20 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		row, err := o.Rows.Next()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			out.Stopped = err.Error()
			return rows, nil
		}
		if row.Problem == "" {
			if err := s.profile.add(row.Body); err != nil {
				row.Problem = err.Error()
			}
		}
		if row.Problem != "" {
			out.Broken++
			if out.Rows++; out.Rows >= 2*most {
				return rows, nil
			}
			if len(out.Told) < 5 {
				out.Told = append(out.Told, Broken{row.At, row.Field, row.Problem})
			}
			continue
		}
		out.Rows++
		size += len(row.Body)
		rows = append(rows, kept{row.At, slices.Clone(row.Body)})
	}
	return rows, nil
}

// propose puts the pairs, what is made of several columns, and constants in the order
// of the fields.
func (s *suggester) propose(found map[string]pair) (out []Field) {
	whole := s.wholes(found)
	for i := range s.fields {
		f := &s.fields[i]
		switch p, ok := found[f.Path]; {
		case ok:
			expr := p.how.write(p.column.expr())
			if p.how.say == "" {
				expr = strings.TrimSuffix(strings.TrimPrefix(expr, "("), " | null)") + " | deleted()"
			} else {
				expr = fmt.Sprintf("if %s == null { deleted() } else { %s }", p.column.expr(), expr)
			}
			out = append(out, Field{Path: f.Path, Columns: []string{p.column.label()}, How: p.how.say, Confidence: round(p.score), Required: f.Required, expr: expr, sources: []*column{p.column}})
		case whole[f.Path] != nil:
			out = append(out, *whole[f.Path])
		}
	}
	for i := range s.fields {
		f := &s.fields[i]
		value := f.Const
		if value == nil && len(f.Choices) == 1 {
			value = f.Choices[0]
		}
		if value == nil || f.Listed || !f.Required || slices.ContainsFunc(out, func(o Field) bool { return o.Path == f.Path }) {
			continue
		}
		b, err := json.Marshal(value)
		if err != nil {
			continue
		}
		out = append(out, Field{Path: f.Path, Constant: value, How: "the only value that it may have", Confidence: 0.99, Required: f.Required, expr: string(b)})
	}
	out = append(out, s.copies()...)
	slices.SortStableFunc(out, func(a, b Field) int { return slices.Compare(contract.Tokens(a.Path), contract.Tokens(b.Path)) })
	return out
}

// copies are the lists of objects that stand in the file under the name that the
// record type has for them.
func (s *suggester) copies() (out []Field) {
	for _, f := range s.fields {
		toks := contract.Tokens(f.Path)
		if !f.Listed || len(f.Lists) == 0 || f.Lists[0] > len(toks) || f.Lists[0] < 1 {
			continue
		}
		list := toks[:f.Lists[0]]
		path := ""
		for _, t := range list {
			path += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(t)
		}
		if slices.ContainsFunc(out, func(o Field) bool { return o.Path == path }) {
			continue
		}
		field := Field{Path: path, How: "the list as it is", Confidence: 0.7}
		for _, c := range s.profile.columns {
			if len(c.tokens) > len(list) && slices.Equal(c.tokens[:len(list)], list) && c.tokens[len(list)] == first && !c.taken {
				c.taken = true
				field.sources = append(field.sources, c)
			}
		}
		if len(field.sources) > 0 {
			field.Columns = []string{path}
			field.expr = (&column{tokens: list}).place() + " | deleted()"
			out = append(out, field)
		}
	}
	return out
}

// round keeps two places, and leaves room for doubt.
func round(f float64) float64 { return math.Round(min(f, 0.99)*100) / 100 }

// wholes are fields made of several columns, or of a part of one: lines of an address,
// a name in one piece or in two.
func (s *suggester) wholes(found map[string]pair) map[string]*Field {
	out := map[string]*Field{}
	for i := range s.fields {
		f := &s.fields[i]
		toks := contract.Tokens(f.Path)
		leaf := words(toks[len(toks)-1])
		if _, done := found[f.Path]; done || f.Listed || f.Const != nil {
			continue
		}
		about := ""
		if len(toks) > 1 {
			about = toks[0]
		}
		switch {
		case slices.Contains(f.Takes, "array"):
			s.list(f, leaf, out)
		case slices.Contains(leaf, "name") || slices.Contains(leaf, "fullname") || slices.Contains(leaf, "holder") || slices.Contains(leaf, "applicant"):
			given, family := s.beside(words(about), "given"), s.beside(words(about), "family")
			if given != nil && family != nil && !given.taken && !family.taken && s.anyText(f) {
				out[f.Path] = s.joined(f, []*column{given, family}, `" "`, 0.7)
			}
		case slices.Contains(leaf, "address"):
			all := s.has(true, "lines", "address", "town", "postcode")
			sure := 0.65
			lines := together(all)
			if len(lines) < len(all) {
				sure = least // there are several addresses
			}
			if len(lines) > 1 && s.anyText(f) {
				out[f.Path] = s.joined(f, lines, `", "`, sure)
			}
		case slices.Contains(leaf, "family"), slices.Contains(leaf, "given"):
			s.part(f, toks, leaf, found, out)
		}
	}
	return out
}

// beside is a column of a word, rather one that speaks of the same thing.
func (s *suggester) beside(about []string, word string) *column {
	columns := s.has(true, word)
	for _, c := range columns {
		for _, w := range about {
			if slices.Contains(c.words, w) {
				return c
			}
		}
	}
	if len(columns) == 1 {
		return columns[0]
	}
	return nil
}

// together are those of some columns that are texts and stand beside the first.
func together(columns []*column) (out []*column) {
	for _, c := range columns {
		_, isText := c.values[0].(string)
		if isText && (len(out) == 0 || slices.Equal(c.tokens[:len(c.tokens)-1], out[0].tokens[:len(out[0].tokens)-1])) {
			out = append(out, c)
		}
	}
	return out
}

func (s *suggester) joined(f *contract.Field, columns []*column, between string, sure float64) *Field {
	out := &Field{Path: f.Path, How: "put together", Confidence: sure, Required: f.Required, sources: columns}
	var parts []string
	for _, c := range columns {
		c.taken = true
		out.Columns = append(out.Columns, c.label())
		parts = append(parts, c.expr())
	}
	out.expr = "[" + strings.Join(parts, ", ") + `].filter(v -> v != null).join(` + between + `)`
	return out
}

// list makes a list of texts of the columns that its name says.
func (s *suggester) list(f *contract.Field, leaf []string, out map[string]*Field) {
	columns := s.has(true, leaf...)
	if slices.Contains(leaf, "lines") {
		columns = s.has(true, "lines", "address")
	}
	columns = together(columns)
	if len(columns) == 0 || !s.fit(f, []any{"Zzyzx"}) {
		return
	}
	if i := slices.IndexFunc(columns, func(c *column) bool { return c.list }); i >= 0 {
		c := columns[i]
		c.taken = true
		out[f.Path] = &Field{Path: f.Path, Columns: []string{c.label()}, Confidence: 0.85, Required: f.Required, sources: []*column{c}, expr: c.place() + " | deleted()"}
		if c.mixed {
			out[f.Path].expr = fmt.Sprintf("if %[1]s == null { deleted() } else { [%[1]s].flatten() }", c.place())
		}
		return
	}
	p := s.joined(f, columns, `""`, 0.75)
	p.expr = strings.TrimSuffix(p.expr, `.join("")`)
	p.How = "as a list"
	out[f.Path] = p
}

// part takes the family name, or what stands before it, out of a name in one piece.
func (s *suggester) part(f *contract.Field, toks, leaf []string, found map[string]pair, out map[string]*Field) {
	var full *column
	for _, c := range s.profile.columns {
		is := slices.Contains(c.words, "fullname") || slices.Contains(c.words, "name")
		for _, w := range words(strings.Join(toks[:len(toks)-1], " ")) {
			is = is && (len(c.words) < 2 || slices.Contains(c.words, w)) || slices.Equal(c.words, []string{w})
		}
		if is && (!c.taken || c.seen["\x00name"]) && spaced(c) {
			full = c
			break
		}
	}
	if full == nil || !s.anyText(f) {
		return
	}
	full.taken = true
	full.seen["\x00name"] = true
	p := &Field{Path: f.Path, Columns: []string{full.label()}, Confidence: 0.5, Required: f.Required, sources: []*column{full}}
	p.How = "all but the last word of a name"
	p.expr = `.slice(0, -1).join(" ")`
	if slices.Contains(leaf, "family") {
		p.How, p.expr = "the last word of a name", ".index(-1)"
	}
	p.expr = fmt.Sprintf(`if %s == null { deleted() } else { %s.trim().split(" ")%s }`, full.expr(), full.expr(), p.expr)
	out[f.Path] = p
}

// spaced reports whether most values are of several words.
func spaced(c *column) bool {
	n := 0
	for _, v := range c.values {
		if s, ok := v.(string); ok && strings.Contains(strings.TrimSpace(s), " ") {
			n++
		}
	}
	return n*2 > len(c.values)
}

// try runs the map on the rows.
func (s *suggester) try(ctx context.Context, o Options, out *Suggestion, source string, rows []kept) error {
	m, err := s.env.Compile(source)
	if err != nil {
		return reeve.E(reeve.Fault, "exchange.suggest", "the proposed map does not compile: %s", err)
	}
	show := o.Show
	if show <= 0 {
		show = 3
	}
	why := map[string]int{}
	for i, row := range rows {
		if err := ctx.Err(); err != nil {
			return err
		}
		var ex Example
		doc, err := mapping.Decode(row.body)
		if err != nil {
			return err
		}
		if ex.Record, err = m.Run(doc, mapping.Meta{}); err != nil {
			ex.Problems = []reeve.Problem{{Message: reeve.Message(err)}}
		} else {
			_, ex.Problems = s.t.Check(ex.Record)
		}
		if len(ex.Problems) == 0 {
			out.Good++
		}
		for _, p := range ex.Problems {
			key := p.Path + "\x00" + p.Message
			at, ok := why[key]
			if !ok {
				if len(out.Why) == 20 {
					continue
				}
				at = len(out.Why)
				why[key] = at
				out.Why = append(out.Why, Reason{Path: p.Path, Message: p.Message, First: row.at})
			}
			out.Why[at].Rows++
		}
		if i < show {
			ex.At, ex.Row = row.at, row.body
			out.First = append(out.First, ex)
		}
	}
	return nil
}
