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
// What not to assume. Money is integer minor units: pounds(12) is 1200. A number
// without a fraction is an int whatever wrote it (5, 5.0), any other a double; the
// two compare, and mixed arithmetic needs double(x). Dates are civil dates: see
// [Day]. null cannot be compared with; use has().
package rules

import (
	"context"
	"fmt"
)

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

// Env is a set of variables that expressions may use. It is safe for concurrent use.
type Env struct{ vars []Var }

// Program is a compiled expression. It is safe for concurrent use.
type Program struct{ src string }

// NewEnv returns an environment with these variables and the functions of this package.
func NewEnv(vars ...Var) (*Env, error) { return &Env{vars: vars}, nil }

// Compile compiles a predicate. The error is an [*Error].
func (e *Env) Compile(src string, at Pos) (*Program, error) { return &Program{src: src}, nil }

// CompileValue compiles an expression that may give any value. The error is an [*Error].
func (e *Env) CompileValue(src string, at Pos) (*Program, error) { return &Program{src: src}, nil }

// Source is the expression as written.
func (p *Program) Source() string { return p.src }

// Inputs are the paths that the expression reads, sorted: "household.income".
func (p *Program) Inputs() []string { return nil }

// Eval evaluates the expression over vars, which it does not change. A variable
// that is absent or nil is unknown. The error is an [*Error].
func (p *Program) Eval(ctx context.Context, vars map[string]any) (Result, error) {
	return Result{Truth: Unknown}, nil
}

// Syntax checks that src can be read as an expression, without knowing its variables. The error is an [*Error].
func Syntax(src string, at Pos) error { return nil }
