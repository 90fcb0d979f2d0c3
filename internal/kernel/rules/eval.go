package rules

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"
)

// Program is a compiled expression. It is safe for concurrent use.
type Program struct {
	src       string
	at        Pos
	tree      *ast.AST
	program   cel.Program
	vars      []Var
	inputs    []string
	asked     map[string]bool // whether only has() asks about a path
	predicate bool
	loops     bool
	pool      sync.Pool // of *activation
}

// Source is the expression as written.
func (p *Program) Source() string { return p.src }

// Inputs are the paths that the expression reads or asks about, sorted:
// "household.income", "household.children[].age".
func (p *Program) Inputs() []string { return slices.Clone(p.inputs) }

// OnlyAsked reports whether the expression asks of a path whether it is there, with
// has(), and never what it is.
func (p *Program) OnlyAsked(path string) bool { return p.asked[path] }

// activation gives an expression its variables.
type activation struct {
	vars    []Var
	in      map[string]any
	objects []object // one for each variable, so that none is allocated
	budget  budget
}

// ResolveName implements interpreter.Activation.
func (a *activation) ResolveName(name string) (any, bool) {
	for i := range a.vars {
		v := &a.vars[i]
		if v.Name != name {
			continue
		}
		x := a.in[name]
		if x == nil {
			return unknown(name), true
		}
		if m, ok := x.(map[string]any); ok {
			if m == nil {
				return unknown(name), true
			}
			a.objects[i] = object{m: m, key: name}
			return &a.objects[i], true
		}
		return a.typed(v, x), true
	}
	if name == budgetName {
		return &a.budget, true
	}
	return nil, false
}

// Parent implements interpreter.Activation.
func (a *activation) Parent() interpreter.Activation { return nil }

// typed is the value of a variable, or an error if it is not of the variable's type.
func (a *activation) typed(v *Var, x any) ref.Val {
	if v.Type == Date {
		switch d := x.(type) {
		case string:
			return toDate(types.String(d))
		case time.Time:
			return dayVal{DayOf(d)}
		}
	}
	val := toCEL(x, nil, v.Name)
	if types.IsError(val) {
		return val
	}
	if val == types.NullValue {
		return unknown(v.Name)
	}
	ok := true
	switch v.Type {
	case String:
		_, ok = val.(types.String)
	case Int:
		_, ok = val.(types.Int)
	case Bool:
		_, ok = val.(types.Bool)
	case Date:
		var d dayVal
		if d, ok = val.(dayVal); ok && d.IsZero() {
			return unknown(v.Name)
		}
	case Time:
		_, ok = val.(types.Timestamp)
	case Object:
		_, ok = val.(*object)
	}
	if !ok {
		return types.NewErr("%s is of another type than the rule expects", v.Name)
	}
	return val
}

// Eval evaluates the expression over vars, which it does not change. A variable
// that is absent or nil is unknown. The error is an [*Error], unless ctx ended;
// it holds no values.
func (p *Program) Eval(ctx context.Context, vars map[string]any) (Result, error) {
	a, ok := p.pool.Get().(*activation)
	if !ok {
		a = &activation{vars: p.vars, objects: make([]object, len(p.vars))}
	}
	a.in, a.budget.left = vars, maxSteps
	var out ref.Val
	var err error
	if p.loops {
		out, _, err = p.program.ContextEval(ctx, a)
	} else {
		out, _, err = p.program.Eval(a)
	}
	r, err := p.result(ctx, out, err)
	a.in = nil
	for i := range a.objects {
		a.objects[i] = object{} // the pool must not keep a record alive
	}
	p.pool.Put(a)
	return r, err
}

func (p *Program) result(ctx context.Context, out ref.Val, err error) (Result, error) {
	if err != nil {
		return p.failed(ctx, err)
	}
	switch v := out.(type) {
	case types.Bool:
		r := Result{Value: bool(v)}
		if v {
			r.Truth = True
		}
		return r, nil
	case *types.Unknown:
		return Result{Truth: Unknown, Missing: p.missing(v)}, nil
	}
	if p.predicate {
		return Result{Truth: Unknown}, p.at.errorf(1, 1, "%s gives something else than true or false", p.subject(p.tree.Expr()))
	}
	return Result{Value: fromCEL(out)}, nil
}

// missing are the paths of an unknown. Where something above was missing, they are
// the paths below it that the expression reads.
func (p *Program) missing(u *types.Unknown) []string {
	var out []string
	for _, id := range u.IDs() {
		trails, _ := u.GetAttributeTrails(id)
		for _, t := range trails {
			out = append(out, p.below(t.Variable())...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (p *Program) below(path string) []string {
	var out []string
	for _, in := range p.inputs {
		if in == path {
			return []string{path}
		}
		if strings.HasPrefix(in, path+".") || strings.HasPrefix(in, path+"[") {
			out = append(out, in)
		}
	}
	if out == nil {
		out = []string{path}
	}
	return out
}

// failed words an error. A list's item that is not there is an unknown like an absent field.
func (p *Program) failed(ctx context.Context, err error) (Result, error) {
	none := Result{Truth: Unknown}
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	at := p.tree.Expr()
	var ce *types.Err
	if errors.As(err, &ce) {
		if e := find(p.tree.Expr(), ce.NodeID()); e != nil {
			at = e
		}
	}
	line, col := p.place(at)
	m := err.Error()
	switch {
	case strings.Contains(m, "index out of bounds"):
		paths := p.paths(at)
		if len(paths) == 0 {
			paths = p.inputs
		}
		none.Missing = slices.Clone(paths)
		return none, nil
	case strings.Contains(m, notADate):
		if at.Kind() == ast.CallKind { // age(birth, on): only what is text can be wrong
			for _, a := range at.AsCall().Args() {
				if paths := p.paths(a); len(paths) > 0 && !p.tree.GetType(a.ID()).IsExactType(dayType) {
					return none, p.at.errorf(line, col, "%s is not a date that exists, written like 2026-01-31", strings.Join(paths, " or "))
				}
			}
		}
		return none, p.at.errorf(line, col, "%s is not a date that exists, written like 2026-01-31", p.subject(at))
	case strings.Contains(m, overBudget):
		return none, p.at.errorf(line, col, "this takes too long on this input: it was stopped")
	case strings.Contains(m, "division by zero"), strings.Contains(m, "modulus by zero"):
		return none, p.at.errorf(line, col, "%s: division by zero", p.subject(at))
	case strings.Contains(m, "overflow"):
		return none, p.at.errorf(line, col, "%s: the result is too large", p.subject(at))
	case strings.Contains(m, "no such overload"), strings.Contains(m, "type conversion"), strings.Contains(m, "no such key"), strings.Contains(m, "invalid syntax"):
		return none, p.at.errorf(line, col, "%s is of another type than the rule expects here", p.subject(at))
	case strings.Contains(m, "internal error"):
		return none, p.at.errorf(line, col, "this rule could not be evaluated on this input")
	}
	return none, p.at.errorf(line, col, "%s", m)
}

// subject names the inputs that an expression reads, for a message.
func (p *Program) subject(e ast.Expr) string {
	if paths := p.paths(e); len(paths) > 0 {
		return strings.Join(paths, " or ")
	}
	if len(p.inputs) > 0 {
		return strings.Join(p.inputs, " or ")
	}
	return "this"
}

// paths are the inputs that an expression within the program reads.
func (p *Program) paths(e ast.Expr) []string {
	w := &walker{p: p, locals: map[string]string{}, reads: map[string]bool{}, tests: map[string]bool{}}
	ast.PreOrderVisit(p.tree.Expr(), ast.NewExprVisitor(func(x ast.Expr) { // iteration variables around e
		if x.Kind() == ast.ComprehensionKind {
			c := x.AsComprehension()
			w.locals[c.AccuVar()] = ""
			if path, ok := pathOf(c.IterRange(), p.vars, w.locals); ok {
				w.locals[c.IterVar()] = path + "[]"
			} else {
				w.locals[c.IterVar()] = ""
			}
		}
	}))
	w.expr(e, 0)
	return w.inputs()
}

// find is the expression with this id.
func find(root ast.Expr, id int64) (found ast.Expr) {
	ast.PreOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		if e.ID() == id && found == nil {
			found = e
		}
	}))
	return found
}

// place is where an expression begins, from 1. CEL's own place of a call is its operator.
func (p *Program) place(e ast.Expr) (line, col int) {
	info := p.tree.SourceInfo()
	least := int32(-1)
	ast.PreOrderVisit(e, ast.NewExprVisitor(func(x ast.Expr) {
		if r, ok := info.GetOffsetRange(x.ID()); ok && (least < 0 || r.Start < least) {
			least = r.Start
		}
	}))
	if least < 0 {
		return 1, 1
	}
	if e.Kind() == ast.CallKind && !e.AsCall().IsMemberFunction() {
		if name := e.AsCall().FunctionName(); !isOperator(name) {
			if at := least - int32(len([]rune(name))); at >= 0 && strings.HasPrefix(string([]rune(p.src)[at:]), name) {
				least = at // CEL's place of a call is its parenthesis
			}
		}
	}
	loc := info.GetLocationByOffset(least)
	return loc.Line(), loc.Column() + 1
}

func isOperator(name string) bool {
	_, ok := operators.FindReverse(name)
	return ok
}
