package sheet

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// Ignore is the field of a column that is not used.
const Ignore = "ignore"

// Meaning is a field and the headings that people give it, normalised by [Words].
type Meaning struct {
	Field string
	Exact string // whole headings, between bars: "|supplier|vendor|"
	Part  string // phrases inside a heading that say enough, with bars between
}

// Vocabulary is what the columns of a sort of list can say. The order of the
// meanings decides where a heading could mean several.
type Vocabulary struct {
	Of       string // what a row is: "system"
	Key      string // the field that a list cannot do without; "" if there is none
	Meanings []Meaning
	More     []string                           // fields that no heading means by itself
	Adjust   func(field, heading string) string // what a heading says besides the field: thousands of pounds; nil for nothing
}

// Fields are the names that a mapping may give to a column.
func (v *Vocabulary) Fields() []string {
	names := append([]string{Ignore}, v.More...)
	for _, m := range v.Meanings {
		if !slices.Contains(names, m.Field) {
			names = append(names, m.Field)
		}
	}
	slices.Sort(names)
	return names
}

// Mapping says what the columns of a list mean. It can be kept as YAML, corrected
// by hand, and given to the next import.
type Mapping struct {
	Sheet   string   `yaml:"sheet,omitempty" json:"sheet,omitempty"`   // of a workbook; the first if empty
	Header  int      `yaml:"header,omitempty" json:"header,omitempty"` // number of the row with the headings; found if 0
	Dates   string   `yaml:"dates,omitempty" json:"dates,omitempty"`   // "day-first" (if empty) or "month-first"
	Columns []Column `yaml:"columns" json:"columns"`

	fields []string // that a column may be given
}

// Column is one column. Its name is the heading as it stands in the file; the
// second of two equal headings is "Notes (2)".
type Column struct {
	Heading string `yaml:"heading" json:"heading"`
	Field   string `yaml:"field" json:"field"`
}

// ParseMapping reads a mapping that was kept as YAML.
func (v *Vocabulary) ParseMapping(data []byte) (*Mapping, error) {
	m := new(Mapping)
	if err := yaml.NewDecoder(bytes.NewReader(data), yaml.DisallowUnknownField()).Decode(m); err != nil {
		return nil, invalid("the mapping cannot be read: %s", yaml.FormatError(err, false, false))
	}
	return m, v.Check(m)
}

// Means lists meanings: the field, whole headings, phrases inside a heading.
func Means(rows [][3]string) (out []Meaning) {
	for _, r := range rows {
		out = append(out, Meaning{Field: r[0], Exact: r[1], Part: r[2]})
	}
	return out
}

// Check says what is wrong with a mapping that did not come from ParseMapping.
func (v *Vocabulary) Check(m *Mapping) error {
	if m.Dates != "" && m.Dates != "day-first" && m.Dates != "month-first" {
		return invalid("the mapping says dates: %s; write day-first or month-first", m.Dates)
	}
	seen, fields := map[string]bool{}, v.Fields()
	m.fields = fields
	for _, c := range m.Columns {
		if !slices.Contains(fields, c.Field) {
			return invalid("the mapping gives the column %q the field %q; the fields are %s", c.Heading, c.Field, strings.Join(fields, ", "))
		}
		if c.Field != Ignore && seen[c.Field] {
			return invalid("the mapping gives the field %q to two columns", c.Field)
		}
		seen[c.Field] = true
	}
	return nil
}

// YAML writes the mapping as ParseMapping reads it.
func (m Mapping) YAML() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# What the columns mean. Fields: %s.\n", strings.Join(m.fields, ", "))
	if m.Sheet != "" {
		fmt.Fprintf(&b, "sheet: %s\n", Quote(m.Sheet))
	}
	if m.Header > 0 {
		fmt.Fprintf(&b, "header: %d\n", m.Header)
	}
	if m.Dates != "" {
		fmt.Fprintf(&b, "dates: %s\n", m.Dates)
	}
	b.WriteString("columns:\n")
	for _, c := range m.Columns {
		fmt.Fprintf(&b, "- {heading: %s, field: %s}\n", Quote(c.Heading), c.Field)
	}
	return b.Bytes()
}

// Quote writes a text so that YAML reads it back as it is, whatever is in it.
func Quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// Thousands matches a heading that counts in thousands of pounds.
var Thousands = regexp.MustCompile(`(?i)£ ?'?k\b|£ ?'?000'?s?|\bk£|\(k\)|'000|000s`)

var (
	camel    = regexp.MustCompile(`([a-z])([A-Z])`)
	brackets = regexp.MustCompile(`\([^)]*\)`)
)

// Guess finds the field that a heading means, "" if it says nothing known. sure
// tells a whole heading from a phrase inside one.
func (v *Vocabulary) Guess(heading string) (field string, sure bool) {
	heading = camel.ReplaceAllString(heading, "$1 $2") // startDate
	full, bare := Words(heading), Words(Thousands.ReplaceAllString(brackets.ReplaceAllString(heading, " "), " "))
	for _, try := range []string{full, bare} {
		for _, m := range v.Meanings {
			if try != "" && strings.Contains(m.Exact, "|"+try+"|") {
				return v.adjust(m.Field, heading), true
			}
		}
	}
	for _, m := range v.Meanings {
		for _, phrase := range strings.Split(m.Part, "|") {
			if phrase != "" && strings.Contains(" "+full, " "+phrase) {
				return v.adjust(m.Field, heading), false
			}
		}
	}
	return "", false
}

func (v *Vocabulary) adjust(field, heading string) string {
	if v.Adjust == nil {
		return field
	}
	return v.Adjust(field, heading)
}

// findHeader finds the row with the headings among the first rows: the one with
// the most headings that are understood.
func (v *Vocabulary) findHeader(rows []Row) int {
	best, most := -1, 0
	for i, l := range rows[:min(len(rows), firstRows)] {
		score := 0
		seen := map[string]bool{}
		for _, c := range l.Cells {
			f, sure := v.Guess(c)
			if f == "" || seen[f] || len(c) > 60 {
				continue
			}
			seen[f] = true
			score++
			if sure {
				score++
			}
			if f == v.Key {
				score += 2
			}
		}
		if score > most {
			best, most = i, score
		}
	}
	return best
}

// propose guesses what the columns mean. Of two columns that could be the same
// field the surer, then the first, is taken; others says which were not.
func (v *Vocabulary) propose(names []string) (columns []Column, others map[string]string) {
	others = map[string]string{}
	taken := map[string]int{}
	exact := make([]bool, len(names))
	columns = make([]Column, len(names))
	for i, h := range names {
		f, sure := v.Guess(h)
		columns[i] = Column{Heading: h, Field: Ignore}
		if f == "" {
			continue
		}
		was, used := taken[f]
		switch {
		case !used:
		case sure && !exact[was]:
			columns[was].Field = Ignore
			others[names[was]] = f
		default:
			others[h] = f
			continue
		}
		taken[f], exact[i], columns[i].Field = i, sure, f
	}
	return columns, others
}

// List is a table whose columns are understood.
type List struct {
	Table   *Table
	Mapping Mapping
	Names   []string // of the columns
	Notes   []string
	Rows    []Row // below the headings
}

// Unsaid is why a list cannot be used before a person says which of its columns is
// the one that it cannot do without.
type Unsaid struct {
	List *List // with what its other columns were taken for
	err  error
}

func (u *Unsaid) Error() string { return u.err.Error() }

// Unwrap is what it says, as an error of the program.
func (u *Unsaid) Unwrap() error { return u.err }

// Open reads a file as a list. A mapping that is given decides what the columns
// mean; without one it is guessed. The error, Invalid or TooLarge, is for a file of
// which nothing can be used.
func (v *Vocabulary) Open(in *File, given *Mapping) (*List, error) {
	if given == nil {
		given = new(Mapping)
	}
	t, err := Read(in.Reader, in.Name, given.Sheet)
	if err != nil {
		return nil, err
	}
	if len(t.Rows) == 0 {
		return nil, invalid("%s has no rows", in.Name)
	}
	head := v.findHeader(t.Rows)
	if given.Header > 0 {
		head = slices.IndexFunc(t.Rows, func(l Row) bool { return l.N == given.Header })
	}
	if head < 0 {
		return nil, invalid("%s: no row of headings was found; the first row reads %s. Give a mapping that names the row (header) and its columns", in.Name, Sample(t.Rows[0].Cells))
	}
	l := &List{Table: t, Notes: t.Notes, Names: Headings(t.Rows[head].Cells), Rows: t.Rows[head+1:],
		Mapping: Mapping{Sheet: t.Sheet, Header: t.Rows[head].N, Dates: given.Dates, fields: v.Fields()}}
	if err := v.decide(l, given.Columns); err != nil {
		return nil, fmt.Errorf("%s: %w", in.Name, err)
	}
	return l, nil
}

// decide settles what the columns mean, from what was given and else from the
// headings, and notes the columns that are not used.
func (v *Vocabulary) decide(l *List, given []Column) error {
	note := func(format string, args ...any) { l.Notes = append(l.Notes, fmt.Sprintf(format, args...)) }
	proposed, others := v.propose(l.Names)
	if len(given) > 0 {
		for _, c := range given {
			if !slices.Contains(l.Names, c.Heading) {
				note("The mapping names a column %q that is not in the file.", c.Heading)
			}
		}
		for i, h := range l.Names {
			at := slices.IndexFunc(given, func(c Column) bool { return c.Heading == h })
			if at >= 0 {
				proposed[i] = given[at]
				continue
			}
			proposed[i] = Column{h, Ignore}
			note("The column %q is not in the mapping; it was not used.", h)
		}
	} else {
		for _, c := range proposed {
			if f, ok := others[c.Heading]; ok {
				note("The column %q could be %q too, but another column was taken for it; it was not used.", c.Heading, f)
			} else if c.Field == Ignore {
				note("The column %q was not understood; it was not used.", c.Heading)
			}
		}
	}
	l.Mapping.Columns = proposed
	if v.Key != "" && !slices.ContainsFunc(proposed, func(c Column) bool { return c.Field == v.Key }) {
		return &Unsaid{l, invalid("no column was recognised as the %s of the %s; the headings in row %d are %s: say which it is", v.Key, v.Of, l.Mapping.Header, Sample(l.Names))}
	}
	return nil
}

// Detects reports whether a text file that begins with head is likely such a list:
// the column that it cannot do without is there, and at least so many fields are
// understood. A workbook shows its headings only when it is read.
func (v *Vocabulary) Detects(head []byte, name string, least int) bool {
	if bytes.IndexByte(head, 0) >= 0 || bytes.HasPrefix(bytes.TrimSpace(head), []byte("<")) || bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")) {
		return false
	}
	if i := bytes.LastIndexByte(head, '\n'); i > 0 {
		head = head[:i]
	}
	t, err := readText(head, name)
	if err != nil {
		return false
	}
	row := v.findHeader(t.Rows)
	if row < 0 {
		return false
	}
	found, key := 0, v.Key == ""
	columns, _ := v.propose(Headings(t.Rows[row].Cells))
	for _, c := range columns {
		if c.Field != Ignore {
			found++
		}
		key = key || c.Field == v.Key
	}
	return key && found >= least
}

// Sample shows the first cells of a row.
func Sample(cells []string) string {
	var out []string
	for _, c := range cells[:min(len(cells), 12)] {
		if c = Clean(c); len(c) > 40 {
			c = strings.ToValidUTF8(c[:40], "") + "…"
		}
		out = append(out, Quote(c))
	}
	if len(cells) > 12 {
		out = append(out, fmt.Sprintf("and %d more", len(cells)-12))
	}
	return strings.Join(out, ", ")
}
