package sheet

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// File is a file that is read once.
type File struct {
	Reader io.Reader
	Name   string // for messages
}

// Lines reads the rows of a list by field, and gathers what was not understood.
type Lines struct {
	*List
	Tell func(row int, column, message string)

	at       map[string]int // columns, by field
	formulas map[string]int // cells with a formula, by column
	blanks   int            // cells that say that nobody knows
}

// Lines prepares to read the rows of the list. What was not understood is told.
func (l *List) Lines(tell func(row int, column, message string)) *Lines {
	out := &Lines{List: l, Tell: tell, at: map[string]int{}, formulas: map[string]int{}}
	for i, c := range l.Mapping.Columns {
		if c.Field != Ignore {
			out.at[c.Field] = i
		}
	}
	return out
}

// Line is a row by field.
type Line struct {
	N     int
	of    *Lines
	value map[string]string
}

// Formula is what a spreadsheet program would work out: =..., @SUM, +A1.
var Formula = regexp.MustCompile(`^([=@]|[+\-][A-Za-z(@=])`)

// Read sorts a row by the mapping, and tells what does not fit in it.
func (ls *Lines) Read(l Row) *Line {
	out := &Line{N: l.N, of: ls, value: map[string]string{}}
	for i, c := range ls.Mapping.Columns {
		if c.Field == Ignore {
			continue
		}
		v := ""
		if i < len(l.Cells) {
			v = Clean(l.Cells[i])
		}
		switch {
		case l.Formulas[i] && v == "":
			ls.Tell(l.N, ls.Names[i], "the cell holds a formula without a stored value; formulas are not worked out")
			continue
		case l.Formulas[i]:
			ls.formulas[ls.Names[i]]++
		}
		switch {
		case v == "":
		case Formula.MatchString(v):
			ls.Tell(l.N, ls.Names[i], "the cell holds a formula as text; it was not used")
		case !Known(v):
			ls.blanks++
		default:
			out.value[c.Field] = v
		}
	}
	extra := 0
	for _, c := range l.Cells[min(len(l.Cells), len(ls.Names)):] {
		if Clean(c) != "" {
			extra++
		}
	}
	if extra > 0 {
		ls.Tell(l.N, "", fmt.Sprintf("the row has %s beyond the last heading; they were not used", Plural(extra, "cell")))
	}
	if ls.Table.Text && len(l.Cells) < len(ls.Names) {
		ls.Tell(l.N, "", fmt.Sprintf("the row has %s where there are %d headings; the rest was taken as empty", Plural(len(l.Cells), "cell"), len(ls.Names)))
	}
	return out
}

// Closing are notes about all rows that were read.
func (ls *Lines) Closing() (notes []string) {
	for _, column := range slices.Sorted(maps.Keys(ls.formulas)) {
		notes = append(notes, fmt.Sprintf("The column %q has formulas in %s. They were not worked out: the values stored in the file were taken.", column, Plural(ls.formulas[column], "cell")))
	}
	if ls.blanks > 0 {
		notes = append(notes, fmt.Sprintf("%s said \"TBC\", \"n/a\", \"unknown\" or the like; they were taken as not known.", Plural(ls.blanks, "cell")))
	}
	return notes
}

// Plural is "1 row", "2 rows".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Get gives what the row says in a field, "" if nothing.
func (l *Line) Get(field string) string { return l.value[field] }

// Heading is the name of the column of a field, "" if there is none.
func (l *Line) Heading(field string) string {
	if i, ok := l.of.at[field]; ok {
		return l.of.Names[i]
	}
	return ""
}

// Say reports something not understood in a field.
func (l *Line) Say(field, format string, args ...any) {
	l.of.Tell(l.N, l.Heading(field), fmt.Sprintf(format, args...))
}

// Date reads a date, nil if there is none; end says that a month alone means its
// last day.
func (l *Line) Date(field string, end bool) *def.Date {
	v := l.Get(field)
	if v == "" {
		return nil
	}
	d, note, err := Date(v, l.of.Mapping.Dates == "month-first", l.of.Table.Is1904, end)
	if err != nil {
		l.Say(field, "%v", err)
		return nil
	}
	if note != "" {
		l.Say(field, "%s", note)
	}
	return &d
}

// Number reads a number with read ([Count], a closure over [Span]), nil if there is none.
func (l *Line) Number(field string, read func(string) (int, error)) *int {
	v := l.Get(field)
	if v == "" {
		return nil
	}
	n, err := read(v)
	if err != nil {
		l.Say(field, "%v", err)
		return nil
	}
	return &n
}

// Yes reads yes or no, nil if there is neither.
func (l *Line) Yes(field string) *bool {
	v := l.Get(field)
	if v == "" {
		return nil
	}
	yes, err := Yes(v)
	if err != nil {
		l.Say(field, "%v", err)
		return nil
	}
	return &yes
}

// Address reads a web address, "" if there is none.
func (l *Line) Address(field string) string {
	v := l.Get(field)
	if v == "" {
		return ""
	}
	a, err := Address(v)
	if err != nil {
		l.Say(field, "%v", err)
		return ""
	}
	return a
}

// Person makes a directory id of a name or a mail address. The directory that
// will check it comes later; the name itself is not kept.
func (l *Line) Person(field string) string {
	v := l.Get(field)
	if v == "" {
		return ""
	}
	if _, err := Address(v); err == nil {
		l.Say(field, "%q is a web address, not a person; it was not used", v)
		return ""
	}
	if people := several.Split(v, -1); len(people) > 1 {
		l.Say(field, "it names %d people; the first was taken", len(people))
		v = people[0]
	}
	if m := mailbox.FindStringSubmatch(v); m != nil {
		v = m[1]
	}
	return "person-" + Slug(v)
}

var (
	several = regexp.MustCompile(`\s*[;/|]\s*|\s+(?:and|&)\s+`)
	mailbox = regexp.MustCompile(`([A-Za-z0-9._%+\-]+)@[A-Za-z0-9.\-]+`)
)

// Short cuts a text to a number of characters, and tells.
func (l *Line) Short(field, text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	l.Say(field, "the text has %d characters; the first %d were taken", len(runes), most)
	return strings.TrimSpace(string(runes[:most]))
}
