package importer

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// cells is a row by field.
type cells struct {
	b     *builder
	n     int
	at    map[field]int
	names []string
	value map[field]string
}

// cells sorts a row by the mapping, and tells what does not fit in it.
func (b *builder) cells(l line, names []string) *cells {
	r := &cells{b: b, n: l.n, names: names, at: map[field]int{}, value: map[field]string{}}
	for i, c := range b.res.Mapping.Columns {
		f := field(c.Field)
		if f == fieldIgnore {
			continue
		}
		r.at[f] = i
		v := ""
		if i < len(l.cells) {
			v = clean(l.cells[i])
		}
		switch {
		case l.formulas[i] && v == "":
			b.problem(l.n, names[i], "the cell holds a formula without a stored value; formulas are not worked out")
			continue
		case l.formulas[i]:
			b.formulas[names[i]]++
		}
		switch {
		case v == "":
		case formula.MatchString(v):
			b.problem(l.n, names[i], "the cell holds a formula as text; it was not used")
		case !known(v):
			b.blanks++
		default:
			r.value[f] = v
		}
	}
	extra := 0
	for _, c := range l.cells[min(len(l.cells), len(names)):] {
		if clean(c) != "" {
			extra++
		}
	}
	if extra > 0 {
		b.problem(l.n, "", "the row has %s beyond the last heading; they were not used", plural(extra, "cell"))
	}
	if b.t.text && len(l.cells) < len(names) {
		b.problem(l.n, "", "the row has %s where there are %d headings; the rest was taken as empty", plural(len(l.cells), "cell"), len(names))
	}
	return r
}

// formula is what a spreadsheet program would work out: =..., @SUM, +A1.
var formula = regexp.MustCompile(`^([=@]|[+\-][A-Za-z(@=])`)

var mailbox = regexp.MustCompile(`([A-Za-z0-9._%+\-]+)@[A-Za-z0-9.\-]+`)

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// take gives what the row says in a field, "" if nothing.
func (r *cells) take(f field) string { return r.value[f] }

func (r *cells) peek(f field) string { return r.value[f] }

// heading is the name of the column of a field, "" if there is none.
func (r *cells) heading(f field) string {
	if i, ok := r.at[f]; ok {
		return r.names[i]
	}
	return ""
}

func (r *cells) tell(f field, format string, args ...any) {
	r.b.problem(r.n, r.heading(f), format, args...)
}

// choose reads one word of the field's vocabulary.
func (r *cells) choose(f field) string {
	v := r.take(f)
	if v == "" {
		return ""
	}
	word, err := choice(f, v)
	if err != nil {
		r.tell(f, "%v", err)
	}
	return word
}

// several reads words of the field's vocabulary.
func (r *cells) several(f field) []string {
	v := r.take(f)
	if v == "" {
		return nil
	}
	if word, err := choice(f, v); err == nil {
		return []string{word}
	}
	var out []string
	for _, part := range list(v) {
		word, err := choice(f, part)
		if err != nil {
			r.tell(f, "%v", err)
		} else if !slices.Contains(out, word) {
			out = append(out, word)
		}
	}
	return out
}

// date reads a date; end says that a month alone means its last day.
func (r *cells) date(f field, end bool) *def.Date {
	v := r.take(f)
	if v == "" {
		return nil
	}
	d, note, err := date(v, r.b.res.Mapping.Dates == "month-first", r.b.t.is1904, end)
	if err != nil {
		r.tell(f, "%v", err)
		return nil
	}
	if note != "" {
		r.tell(f, "%s", note)
	}
	return &d
}

func number(r *cells, f field, v string, read func(string) (int, error)) *int {
	n, err := read(v)
	if err != nil {
		r.tell(f, "%v", err)
		return nil
	}
	return &n
}

// person makes a directory id of a name or a mail address. The directory that
// will check it comes later; the name itself is not kept.
func (r *cells) person(f field) string {
	v := r.take(f)
	if v == "" {
		return ""
	}
	if _, err := address(v); err == nil {
		r.tell(f, "%q is a web address, not a person; it was not used", v)
		return ""
	}
	if people := regexp.MustCompile(`\s*[;/|]\s*|\s+(?:and|&)\s+`).Split(v, -1); len(people) > 1 {
		r.tell(f, "it names %d people; the first was taken", len(people))
		v = people[0]
	}
	if m := mailbox.FindStringSubmatch(v); m != nil {
		v = m[1]
	}
	return "person-" + slug(v)
}
