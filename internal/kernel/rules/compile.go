package rules

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/checker"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// Bounds on an expression. Costs are in CEL's own units: about one per step.
const (
	maxSource   = 8 << 10 // characters
	maxNesting  = 2       // lists within lists that one expression goes through
	maxEstimate = 500_000 // for inputs of the sizes below
	maxSteps    = 50_000  // of loops, when running
	assumeItems = 100     // in a list, when estimating
	assumeChars = 200     // in a text
)

// Env is a set of variables that expressions may use. It is safe for concurrent use.
type Env struct {
	cel  *cel.Env
	vars []Var
}

// NewEnv returns an environment with these variables and the functions of this package.
func NewEnv(vars ...Var) (*Env, error) {
	opts := []cel.EnvOption{
		cel.ClearMacros(), cel.Macros(macros()...), cel.CrossTypeNumericComparisons(true), cel.DefaultUTCTimeZone(true),
		cel.ParserRecursionLimit(60), cel.ParserExpressionSizeLimit(maxSource), cel.CustomTypeAdapter(adapter{}),
	}
	opts = append(append(opts, functions()...), loops()...)
	for _, v := range vars {
		t, ok := map[VarType]*cel.Type{Object: cel.MapType(cel.StringType, cel.DynType), String: cel.StringType, Int: cel.IntType,
			Bool: cel.BoolType, Date: dayType, Time: cel.TimestampType, List: cel.ListType(cel.DynType)}[v.Type]
		if !ok || v.Name == "" {
			return nil, fmt.Errorf("rules: variable %q has no name or an unknown type", v.Name)
		}
		opts = append(opts, cel.Variable(v.Name, t))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	return &Env{env, slices.Clone(vars)}, nil
}

// Compile compiles a predicate. The error is an [*Error].
func (e *Env) Compile(src string, at Pos) (*Program, error) { return e.compile(src, at, true) }

// CompileValue compiles an expression that may give any value. The error is an [*Error].
func (e *Env) CompileValue(src string, at Pos) (*Program, error) { return e.compile(src, at, false) }

// Syntax checks that src can be read as an expression, without knowing its
// variables. The error is an [*Error].
func Syntax(src string, at Pos) error {
	env, err := cel.NewCustomEnv(cel.Macros(macros()...), cel.ParserRecursionLimit(60), cel.ParserExpressionSizeLimit(maxSource))
	if err != nil {
		return at.errorf(1, 1, "%v", err)
	}
	if err := sizeError(src, at); err != nil {
		return err
	}
	if _, iss := env.Parse(src); iss.Err() != nil {
		return plainIssue(iss, at, nil)
	}
	return nil
}

// errorf is an error at a line and column, from 1, of the expression at p.
func (p Pos) errorf(line, col int, format string, args ...any) error {
	e := &Error{Pos: p, RelLine: line, RelCol: col, Message: fmt.Sprintf(format, args...)}
	if line <= 1 {
		e.Col += col - 1
	} else {
		e.Line += line - 1
		e.Col = max(p.Indent, 1) + col - 1
	}
	return e
}

func sizeError(src string, at Pos) error {
	if strings.TrimSpace(src) == "" {
		return at.errorf(1, 1, "this expression is empty: write a condition, such as record.age >= 18")
	}
	if len(src) > maxSource {
		return at.errorf(1, 1, "this expression is too long: at most %d characters are read", maxSource)
	}
	return nil
}

func (e *Env) compile(src string, at Pos, predicate bool) (*Program, error) {
	if err := sizeError(src, at); err != nil {
		return nil, err
	}
	tree, iss := e.cel.Compile(src)
	if iss.Err() != nil {
		return nil, plainIssue(iss, at, e.vars)
	}
	p := &Program{src: src, at: at, tree: tree.NativeRep(), vars: e.vars, predicate: predicate}
	if t := tree.OutputType(); predicate && !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, at.errorf(1, 1, "this gives %s: write a condition that is true or false", typeName(t.String()))
	}
	w := &walker{p: p, locals: map[string]string{}, reads: map[string]bool{}, tests: map[string]bool{}}
	w.expr(p.tree.Expr(), 0)
	if w.err != nil {
		return nil, w.err
	}
	p.inputs = w.inputs()
	p.asked = map[string]bool{}
	for path := range w.tests {
		p.asked[path] = !w.reads[path]
	}
	p.loops = w.loops
	opts := []cel.ProgramOption{cel.EvalOptions(cel.OptOptimize)}
	if p.loops { // anything else costs no more than its length and its inputs' sizes
		est, err := e.cel.EstimateCost(tree, estimator{})
		if err != nil {
			return nil, at.errorf(1, 1, "%v", err)
		}
		if est.Max > maxEstimate {
			return nil, at.errorf(1, 1, "this would take too long on large records: go through fewer lists")
		}
		opts = append(opts, cel.InterruptCheckFrequency(100))
	}
	var err error
	if p.program, err = e.cel.Program(tree, opts...); err != nil {
		return nil, at.errorf(1, 1, "%v", err)
	}
	return p, nil
}

// estimator assumes sizes of inputs.
type estimator struct{}

func (estimator) EstimateSize(n checker.AstNode) *checker.SizeEstimate {
	max := uint64(assumeItems)
	if n.Type() != nil && n.Type().Kind() == types.StringKind {
		max = assumeChars
	}
	return &checker.SizeEstimate{Min: 0, Max: max}
}

func (estimator) EstimateCallCost(function, overload string, target *checker.AstNode, args []checker.AstNode) *checker.CallEstimate {
	return nil
}

// walker goes over a checked expression: what it reads, and what CEL's checker lets through.
type walker struct {
	p      *Program
	locals map[string]string // iteration variables and their paths
	reads  map[string]bool
	tests  map[string]bool // only asked about with has()
	loops  bool
	err    error
}

func (w *walker) fail(e ast.Expr, format string, args ...any) {
	if w.err == nil {
		line, col := w.p.place(e)
		w.err = w.p.at.errorf(line, col, format, args...)
	}
}

func (w *walker) expr(e ast.Expr, nesting int) {
	if path, ok := pathOf(e, w.p.vars, w.locals); ok {
		if e.Kind() == ast.SelectKind && e.AsSelect().IsTestOnly() {
			w.tests[path] = true
		} else {
			w.reads[path] = true
		}
		w.known(e, path)
		return
	}
	switch e.Kind() {
	case ast.LiteralKind:
		if e.AsLiteral() == types.NullValue {
			w.fail(e, "nothing can be compared with null: write has(record.name) to ask whether it was given")
		}
	case ast.SelectKind:
		w.expr(e.AsSelect().Operand(), nesting)
	case ast.ListKind:
		for _, x := range e.AsList().Elements() {
			w.expr(x, nesting)
		}
	case ast.MapKind:
		for _, x := range e.AsMap().Entries() {
			w.expr(x.AsMapEntry().Key(), nesting)
			w.expr(x.AsMapEntry().Value(), nesting)
		}
	case ast.CallKind:
		w.call(e, nesting)
	case ast.ComprehensionKind:
		w.loop(e, nesting)
	}
}

func (w *walker) loop(e ast.Expr, nesting int) {
	w.loops = true
	c := e.AsComprehension()
	if nesting >= maxNesting {
		w.fail(c.IterRange(), "this goes through lists more than %d deep: write it more simply", maxNesting)
		return
	}
	w.expr(c.IterRange(), nesting)
	old, had := w.locals[c.IterVar()]
	path, _ := pathOf(c.IterRange(), w.p.vars, w.locals)
	if path != "" {
		path += "[]"
	}
	w.locals[c.IterVar()] = path
	oldAccu, hadAccu := w.locals[c.AccuVar()]
	w.locals[c.AccuVar()] = ""
	for _, x := range []ast.Expr{c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()} {
		w.expr(x, nesting+1)
	}
	restore(w.locals, c.IterVar(), old, had)
	restore(w.locals, c.AccuVar(), oldAccu, hadAccu)
}

func restore(m map[string]string, k, v string, had bool) {
	if had {
		m[k] = v
	} else {
		delete(m, k)
	}
}

func (w *walker) call(e ast.Expr, nesting int) {
	c := e.AsCall()
	args := c.Args()
	if c.IsMemberFunction() {
		w.expr(c.Target(), nesting)
	}
	for _, a := range args {
		w.expr(a, nesting)
	}
	switch c.FunctionName() {
	case "date", "age":
		for _, a := range args {
			if a.Kind() != ast.LiteralKind {
				continue
			}
			if s, ok := a.AsLiteral().(types.String); ok {
				if _, err := ParseDay(string(s)); err != nil {
					w.fail(a, "%q is not a date that exists: write it like 2026-01-31", string(s))
				}
			}
		}
	case operators.Equals, operators.NotEquals:
		a, b := w.p.tree.GetType(args[0].ID()), w.p.tree.GetType(args[1].ID())
		if a.IsExactType(dayType) != b.IsExactType(dayType) {
			w.fail(e, "a date in JSON is text: write date(...) around what is compared with a date")
		}
	case "matches":
		pattern := args[len(args)-1]
		if pattern.Kind() != ast.LiteralKind {
			w.fail(pattern, "the pattern of matches() must be written out: it cannot come from the data")
		} else if s, ok := pattern.AsLiteral().(types.String); ok {
			if _, err := regexp.Compile(string(s)); err != nil {
				w.fail(pattern, "this pattern cannot be read: %v", err)
			}
		}
	}
}

// known checks a path against the fields that its variable is known to have.
func (w *walker) known(e ast.Expr, path string) {
	for _, v := range w.p.vars {
		rest, ok := strings.CutPrefix(path, v.Name+".")
		if !ok || len(v.Fields) == 0 {
			continue
		}
		fits := func(f string) bool {
			return f == rest || strings.HasPrefix(f, rest+".") || strings.HasPrefix(f, rest+"[") || strings.HasPrefix(rest, f+".") || strings.HasPrefix(rest, f+"[")
		}
		if !slices.ContainsFunc(v.Fields, fits) {
			w.fail(e, "%s has no %s%s", v.Name, rest, DidYouMean(rest, v.Fields))
		}
	}
}

// inputs are the paths read. A path that was only asked about on the way to another is left out.
func (w *walker) inputs() []string {
	var out []string
	for p := range w.reads {
		out = append(out, p)
	}
	for p := range w.tests {
		deeper := func(m map[string]bool) bool {
			for q := range m {
				if strings.HasPrefix(q, p+".") || strings.HasPrefix(q, p+"[") {
					return true
				}
			}
			return false
		}
		if !w.reads[p] && !deeper(w.tests) && !deeper(w.reads) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// pathOf is the dotted path of an expression that only selects: record.children[].age.
func pathOf(e ast.Expr, vars []Var, locals map[string]string) (string, bool) {
	switch e.Kind() {
	case ast.IdentKind:
		name := strings.TrimPrefix(e.AsIdent(), ".")
		if p, ok := locals[name]; ok {
			return p, p != ""
		}
		return name, slices.ContainsFunc(vars, func(v Var) bool { return v.Name == name })
	case ast.SelectKind:
		p, ok := pathOf(e.AsSelect().Operand(), vars, locals)
		return p + "." + e.AsSelect().FieldName(), ok
	case ast.CallKind:
		c := e.AsCall()
		if c.FunctionName() == loopFunction {
			return pathOf(c.Args()[0], vars, locals)
		}
		if c.FunctionName() != operators.Index || c.Args()[1].Kind() != ast.LiteralKind {
			return "", false
		}
		p, ok := pathOf(c.Args()[0], vars, locals)
		if s, isText := c.Args()[1].AsLiteral().(types.String); isText {
			return p + "." + string(s), ok
		}
		return p + "[]", ok
	}
	return "", false
}

// plainIssue words CEL's first complaint.
func plainIssue(iss *cel.Issues, at Pos, vars []Var) error {
	first := iss.Errors()[0]
	for _, e := range iss.Errors() {
		if before(e.Location, first.Location) {
			first = e
		}
	}
	line, col := max(first.Location.Line(), 1), first.Location.Column()+1
	return at.errorf(line, max(col, 1), "%s", plainMessage(first.Message, vars))
}

func before(a, b common.Location) bool {
	return a.Line() < b.Line() || a.Line() == b.Line() && a.Column() < b.Column()
}

func plainMessage(m string, vars []Var) string {
	quoted := func(after string) string {
		_, rest, _ := strings.Cut(m, after)
		name, _, _ := strings.Cut(rest, "'")
		return name
	}
	switch {
	case strings.Contains(m, "undeclared reference to '"):
		name := strings.Trim(quoted("undeclared reference to '"), "_")
		names := []string{"date", "age", "days", "weeks", "months", "years", "pounds", "has", "size", "matches", "startsWith", "endsWith", "contains", "all", "exists", "filter", "map"}
		var known []string
		for _, v := range vars {
			known = append(known, v.Name)
		}
		if n := Nearest(name, append(known, names...)); n != "" {
			return fmt.Sprintf("there is no variable or function %q: did you mean %s?", name, n)
		}
		if len(known) > 0 {
			return fmt.Sprintf("there is no variable or function %q: the variables here are %s", name, strings.Join(known, ", "))
		}
		return fmt.Sprintf("there is no variable or function %q", name)
	case strings.Contains(m, "found no matching overload for '"):
		op := quoted("found no matching overload for '")
		_, args, _ := strings.Cut(m, "applied to '")
		var kinds []string
		for _, a := range strings.Split(strings.Trim(args, "().'"), ", ") {
			kinds = append(kinds, typeName(a))
		}
		if name, ok := operators.FindReverse(op); ok {
			return fmt.Sprintf("%s does not work between %s: convert one with date(), int(), double() or string()", name, strings.Join(kinds, " and "))
		}
		return fmt.Sprintf("%s() does not take %s", op, strings.Join(kinds, " and "))
	case strings.Contains(m, "token recognition error at: '= '"), strings.Contains(m, "token recognition error at: '='"):
		return "a single = compares nothing: write =="
	case strings.Contains(m, "recursion"):
		return "this is nested too deeply: write it more simply"
	case strings.HasPrefix(m, "Syntax error: "):
		what, _, _ := strings.Cut(strings.TrimPrefix(m, "Syntax error: "), " expecting ")
		if strings.Contains(what, "<EOF>") {
			return "this cannot be read: it ends too early"
		}
		if at := strings.IndexByte(what, '\''); at >= 0 && len(what) < 200 {
			return "this cannot be read: " + what[at:] + " does not fit here"
		}
		return "this cannot be read"
	case strings.HasPrefix(m, "expected type '"):
		return fmt.Sprintf("this must be %s, not %s", typeName(quoted("expected type '")), typeName(quoted("found '")))
	}
	return m
}

func typeName(t string) string {
	switch {
	case t == "int" || t == "uint":
		return "a whole number"
	case t == "double":
		return "a number with a fraction"
	case t == "string":
		return "text"
	case t == "bool":
		return "true or false"
	case t == "reeve.Date":
		return "a date"
	case t == "reeve.Period":
		return "a number of days, months or years"
	case t == "google.protobuf.Timestamp" || t == "timestamp":
		return "a time"
	case t == "google.protobuf.Duration" || t == "duration":
		return "a length of time"
	case strings.HasPrefix(t, "list"):
		return "a list"
	case strings.HasPrefix(t, "map"):
		return "a group of fields"
	case t == "null":
		return "null"
	}
	return t
}
