package importer

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
)

// Source is a sort of file that can be imported. It reads; what comes of it is
// merged into the definitions, or taken into the inventory, by others.
type Source struct {
	Name       string            // what a command calls it: archimate
	Title      string            // what a page calls it: ArchiMate model
	Doc        string            // which file, from where, and what it becomes: a sentence or two
	Becomes    string            // definitions, or the list it fills: "systems and suppliers", "devices"
	Files      []string          // endings of the names: .csv
	List       bool              // fills the inventory, not the definitions
	Folder     bool              // takes a folder too, or a zip of one
	Unit       string            // what the counts count: "row", "element", "document"
	Vocabulary *sheet.Vocabulary // of its columns; nil if a file has no headings of its own
	Settings   []Setting         // what it must be told besides the file
	// Detect says whether a file that begins with head is one of these. The name is
	// the file's. It is asked of the sources in order; the first yes decides.
	Detect func(head []byte, name string) bool
	// Read reads a file. The error, Invalid or TooLarge, is for a file of which
	// nothing can be used; what is wrong with a part of it is a problem in the reading.
	Read func(ctx context.Context, in Input) (*Reading, error)
}

// Setting is something that a source must be told.
type Setting struct {
	Name, Label, Hint string
	Required          bool
	YesNo             bool // the answer is "yes", or nothing for no
}

// Input is what is to be read: a file or, where the source takes one, a folder.
type Input struct {
	Name     string // of the file or folder, for messages
	Reader   io.Reader
	Folder   fs.FS             // nil for a file
	Mapping  *sheet.Mapping    // what the columns mean; nil to guess
	Settings map[string]string // by [Setting.Name]
	Progress func(done int)    // called now and then with the rows done; nil for nobody
}

// RowProblem is something that was not understood.
type RowProblem struct {
	Row     int    `json:"row"`    // as the spreadsheet program numbers it; a line of other files; 0 for none
	Column  string `json:"column"` // heading, or what the line is about; "" for the whole row
	Message string `json:"message"`
}

func (p RowProblem) String() string {
	where := "row " + fmt.Sprint(p.Row)
	if p.Row == 0 {
		where = ""
	}
	switch {
	case p.Column != "" && where != "":
		where += ", " + p.Column
	case p.Column != "":
		where = p.Column
	}
	if where == "" {
		return p.Message
	}
	return where + ": " + p.Message
}

// Reading is what a file says. Rows == Taken + Repeated + Failed + Skipped.
type Reading struct {
	Source  string            // name of the source
	File    string            // that was read
	Unit    string            // what the counts count
	Mapping *sheet.Mapping    // what the columns were taken for; nil if there are none
	Header  []string          // columns, in order
	Samples map[string]string // a value of each column that has one, by heading

	Rows     int // with something in them, below the headings
	Taken    int // became a definition or an item, or a part of one
	Repeated int // equal to an earlier one
	Failed   int // could not be used: each has its problem
	Skipped  int // rightly left out: of another council, of a sort that has no place here

	Problems []RowProblem // by row, then column
	Notes    []string     // about the file as a whole

	Definitions []Definition
	Attached    map[string][]byte // files that definitions name, by name in the folder of the import

	List  inventory.Import // whose list it is, for items
	Items []inventory.Item
}

// Units is what counts count, to begin a sentence with: "Rows", "Entries".
func Units(word string) string {
	word = cmp.Or(word, "row")
	if stem, ok := strings.CutSuffix(word, "y"); ok {
		word = stem + "ie"
	}
	return strings.ToUpper(word[:1]) + word[1:] + "s"
}

// Definition is a definition as a file proposes it. Ids are proposals: the merge
// finds what is there already under another id.
type Definition struct {
	Kind, ID, Name string
	Labels         map[string]string
	Spec           map[string]any // as YAML would give it
	Row            int            // that it stands in, 0 if there is none
	// Keys are what it is known by beside its id, the strongest first: labels
	// ("label:reference=APP-17") and identifiers of an organisation ("identifier:gss=E07000223").
	Keys []string
	// Minor says that it is here because others name it: it adds to what is there
	// and never changes it.
	Minor bool
	// Default are fields of which the file does not speak: they fill a gap, and
	// never change what is there. Written as "spec.type".
	Default []string
}

// Define proposes a definition with the spec of a kind, a pointer to a struct.
func Define(kind, id, name string, row int, spec any) Definition {
	b, err := json.Marshal(spec)
	if err != nil {
		panic(fmt.Sprintf("importer: a spec of %s does not encode: %v", kind, err)) // specs are plain structs
	}
	values := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&values); err != nil {
		panic(fmt.Sprintf("importer: a spec of %s is not an object: %v", kind, err))
	}
	tidy(values)
	return Definition{Kind: kind, ID: id, Name: name, Row: row, Spec: values}
}

// tidy drops groups of fields in which nothing is said, and makes numbers plain.
func tidy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if x = tidy(x); x == nil {
				delete(v, k)
			} else {
				v[k] = x
			}
		}
		if len(v) == 0 {
			return nil
		}
	case []any:
		for i, x := range v {
			v[i] = tidy(x)
		}
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	}
	return v
}

// Label sets a label, and makes it something that the definition is known by.
func (d *Definition) Label(key, value string) {
	if value == "" {
		return
	}
	if d.Labels == nil {
		d.Labels = map[string]string{}
	}
	d.Labels[key] = value
	d.Keys = append(d.Keys, "label:"+key+"="+value)
}

// Identifier is a key of an organisation: its number in a register.
func (d *Definition) Identifier(scheme, value string) {
	if value != "" {
		d.Keys = append(d.Keys, "identifier:"+scheme+"="+value)
	}
}

// Problem reports something that was not understood.
func (r *Reading) Problem(row int, column, format string, args ...any) {
	r.Problems = append(r.Problems, RowProblem{row, column, fmt.Sprintf(format, args...)})
}

// Note says something about the file as a whole.
func (r *Reading) Note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// Fail counts a row that could not be used, and says why.
func (r *Reading) Fail(row int, column, format string, args ...any) {
	r.Failed++
	r.Problem(row, column, format, args...)
}

// Sort brings the problems into the order of rows.
func (r *Reading) Sort() {
	slices.SortStableFunc(r.Problems, func(a, b RowProblem) int {
		return cmp.Compare(a.Row, b.Row)
	})
}

// Open reads the columns of a list, and prepares a reading of it.
func Open(v *sheet.Vocabulary, in Input) (*Reading, *sheet.Lines, error) {
	if in.Reader == nil {
		return nil, nil, reeve.E(reeve.Invalid, "import", "%s is a folder; this takes a file", in.Name)
	}
	list, err := v.Open(&sheet.File{Reader: in.Reader, Name: in.Name}, in.Mapping)
	if err != nil {
		return nil, nil, err
	}
	r := Columns(in.Name, list)
	lines := list.Lines(func(row int, column, message string) { r.Problem(row, column, "%s", message) })
	return r, lines, nil
}

// Columns is a reading of a list of which only the columns were looked at.
func Columns(file string, list *sheet.List) *Reading {
	r := &Reading{File: file, Mapping: &list.Mapping, Header: list.Names, Notes: list.Notes, Samples: map[string]string{}}
	for i, h := range list.Names {
		for _, row := range list.Rows[:min(len(list.Rows), 50)] {
			if i < len(row.Cells) && strings.TrimSpace(row.Cells[i]) != "" {
				r.Samples[h] = shorten(sheet.Clean(row.Cells[i]), 60)
				break
			}
		}
	}
	return r
}

func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// Each reads the rows of a list one by one: rows that are the same as an earlier
// one are told and left out. take says whether a row was taken; one that was not
// has been counted by it.
func (r *Reading) Each(lines *sheet.Lines, progress func(int), take func(*sheet.Line) bool) {
	seen := map[string]int{}
	for i, row := range lines.Rows {
		r.Rows++
		whole := strings.Join(row.Cells, "\x1f")
		if first, again := seen[whole]; again {
			r.Repeated++
			r.Problem(row.N, "", "the row is the same as row %d; it was taken once", first)
			continue
		}
		seen[whole] = row.N
		if take(lines.Read(row)) {
			r.Taken++
		}
		if progress != nil && i%1000 == 999 {
			progress(i + 1)
		}
	}
	r.Notes = append(r.Notes, lines.Closing()...)
	r.Sort()
}
