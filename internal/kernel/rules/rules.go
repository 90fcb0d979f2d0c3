// Package rules compiles and evaluates predicates: filters, eligibility,
// standards. They are written in CEL (https://cel.dev) and give one of three
// answers: yes, no, or "not known yet" together with the inputs that are missing.
//
// What is guaranteed. An input that is absent, or null, is unknown and never
// counts as true: `false && unknown` is false, `true || unknown` is true, and
// everything else that needs it is unknown. has(x.y) says whether y was given; it
// is unknown only if x itself, a variable, was not given. Time and memory are
// bounded, when compiling and when running. An error names the place in the
// definition and the path of the input, never the input's value.
//
// Beside CEL's own functions and macros there are date("2026-01-31"), days(n),
// weeks(n), months(n), years(n), d.year(), d.month(), d.day(), d.weekday() (1 is
// Monday), age(birth, on) and pounds(12.50). Dates compare, date + days(7) is a date and
// date - date the number of days. A date in JSON is text: write date(record.dateOfBirth).
//
// What not to assume. Money is integer minor units: pounds(12) is 1200. A number
// without a fraction is an int whatever wrote it (5, 5.0), any other a double; the
// two compare, and mixed arithmetic needs double(x). Dates are civil dates: see
// [Day]. null cannot be compared with; use has().
package rules

import "fmt"

// Pos is a place in a definition: the line and column, from 1, of the first
// character of an expression. The column counts characters.
type Pos struct {
	File string
	Line int
	Col  int
	// Indent is the column at which further lines of the expression begin (a YAML
	// block scalar's indentation plus one); 0 stands for 1.
	Indent int
}

// String is "file:line:col".
func (p Pos) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col) }

// VarType is the type of a variable.
type VarType uint8

// The types of variable, and what Eval takes for them.
const (
	Object VarType = iota // map[string]any with decoded JSON in it
	String                // string
	Int                   // any Go integer
	Bool                  // bool
	Date                  // Day, or "2026-01-31"
	Time                  // time.Time
	List                  // []any, []string or []map[string]any
)

// Var declares a variable of an [Env].
type Var struct {
	Name string
	Type VarType
	// Fields are the known dotted paths below an Object ("income",
	// "household.size"). If there are any, reading another is a compile error.
	Fields []string
}

// Error is what is wrong with an expression, and where.
type Error struct {
	Pos
	// RelLine and RelCol, from 1, are the place inside the expression itself.
	RelLine, RelCol int
	Message         string
}

func (e *Error) Error() string { return e.Pos.String() + ": " + e.Message }

// Truth is a three-valued answer. Its zero value is False.
type Truth int8

// The answers.
const (
	False Truth = iota
	True
	Unknown
)

func (t Truth) String() string {
	return [...]string{"false", "true", "unknown"}[t]
}

// Result is the outcome of an evaluation.
type Result struct {
	Truth Truth
	// Value is a plain Go value (bool, int64, float64, string, Day, time.Time,
	// []any, map[string]any); nil if the result is unknown.
	Value any
	// Missing are the paths of the inputs that would have to be known, sorted:
	// "household.income". Only for Unknown.
	Missing []string
}
