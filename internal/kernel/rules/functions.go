package rules

import (
	"math"
	"reflect"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"cel.dev/cel-go/parser"
)

// maxPeriod bounds days(n) and its like, so that no sum overflows.
const maxPeriod = 4_000_000

// functions are what this package adds to CEL.
func functions() []cel.EnvOption {
	date := func(op, id string, result *cel.Type, args ...*cel.Type) cel.EnvOption {
		return cel.Function(op, cel.Overload(id, args, result))
	}
	opts := []cel.EnvOption{
		date(operators.Less, "less_date", cel.BoolType, dayType, dayType),
		date(operators.LessEquals, "less_equals_date", cel.BoolType, dayType, dayType),
		date(operators.Greater, "greater_date", cel.BoolType, dayType, dayType),
		date(operators.GreaterEquals, "greater_equals_date", cel.BoolType, dayType, dayType),
		date(operators.Add, "add_date_period", dayType, dayType, periodType),
		cel.Function(operators.Subtract, cel.Overload("subtract_date_date", []*cel.Type{dayType, dayType}, cel.IntType),
			cel.Overload("subtract_date_period", []*cel.Type{dayType, periodType}, dayType)),
		cel.Function("string", cel.Overload("string_date", []*cel.Type{dayType}, cel.StringType,
			cel.UnaryBinding(func(v ref.Val) ref.Val { return v.ConvertToType(types.StringType) }))),
		cel.Function("date", cel.Overload("date_string", []*cel.Type{cel.StringType}, dayType),
			cel.Overload("date_date", []*cel.Type{dayType}, dayType), cel.SingletonUnaryBinding(toDate)),
		cel.Function("age",
			cel.Overload("age_date_date", []*cel.Type{dayType, dayType}, cel.IntType),
			cel.Overload("age_string_date", []*cel.Type{cel.StringType, dayType}, cel.IntType),
			cel.Overload("age_date_string", []*cel.Type{dayType, cel.StringType}, cel.IntType),
			cel.Overload("age_string_string", []*cel.Type{cel.StringType, cel.StringType}, cel.IntType),
			cel.SingletonBinaryBinding(func(a, b ref.Val) ref.Val {
				birth, on := toDate(a), toDate(b)
				x, ok1 := birth.(dayVal)
				y, ok2 := on.(dayVal)
				switch {
				case ok1 && ok2:
					return types.Int(Age(x.Day, y.Day))
				case ok1:
					return on
				}
				return birth
			})),
		cel.Function("pounds", cel.Overload("pounds_int", []*cel.Type{cel.IntType}, cel.IntType),
			cel.Overload("pounds_double", []*cel.Type{cel.DoubleType}, cel.IntType), cel.SingletonUnaryBinding(pounds)),
	}
	period := func(name string, f func(n int) periodVal) {
		opts = append(opts, cel.Function(name, cel.Overload(name+"_int", []*cel.Type{cel.IntType}, periodType),
			cel.SingletonUnaryBinding(func(v ref.Val) ref.Val {
				n, ok := v.(types.Int)
				if !ok {
					return types.MaybeNoSuchOverloadErr(v)
				}
				if n > maxPeriod || n < -maxPeriod {
					return types.NewErr("this many %s are outside the years 1 to 9999", name)
				}
				return f(int(n))
			})))
	}
	period("days", func(n int) periodVal { return periodVal{days: n} })
	period("weeks", func(n int) periodVal { return periodVal{days: 7 * n} })
	period("months", func(n int) periodVal { return periodVal{months: n} })
	period("years", func(n int) periodVal { return periodVal{years: n} })
	part := func(name string, f func(d Day) int) {
		opts = append(opts, cel.Function(name, cel.MemberOverload("date_"+name, []*cel.Type{dayType}, cel.IntType),
			cel.SingletonUnaryBinding(func(v ref.Val) ref.Val {
				d, ok := v.(dayVal)
				if !ok {
					return types.MaybeNoSuchOverloadErr(v)
				}
				return types.Int(f(d.Day))
			})))
	}
	part("year", func(d Day) int { return d.Year })
	part("month", func(d Day) int { return int(d.Month) })
	part("day", func(d Day) int { return d.Day })
	part("weekday", func(d Day) int { return d.Weekday() })
	return opts
}

// notADate is the message of a failed date(); the place tells which.
const notADate = "not a date"

func toDate(v ref.Val) ref.Val {
	switch v := v.(type) {
	case dayVal:
		return v
	case types.String:
		d, err := ParseDay(string(v))
		if err != nil {
			return types.NewErr(notADate)
		}
		return dayVal{d}
	}
	return types.MaybeNoSuchOverloadErr(v)
}

// pounds gives pence: pounds(12) is 1200, pounds(12.5) is 1250.
func pounds(v ref.Val) ref.Val {
	switch v := v.(type) {
	case types.Int:
		if v > math.MaxInt64/100 || v < math.MinInt64/100 {
			return types.NewErr("this sum is too large")
		}
		return v * 100
	case types.Double:
		p := math.Round(float64(v) * 100)
		if math.IsNaN(p) || math.Abs(p) >= 1<<53 {
			return types.NewErr("this sum is too large")
		}
		return types.Int(p)
	}
	return types.MaybeNoSuchOverloadErr(v)
}

// A loop first asks for as many steps as its list has items; the macros below see
// to it. CEL's own cost tracking takes time that grows with the square of the steps.
const (
	loopFunction = "@loop"
	budgetName   = "@budget"
	overBudget   = "over budget"
)

var budgetType = types.NewObjectType("reeve.Budget")

// budget is the number of steps left to one evaluation.
type budget struct{ left int64 }

// ConvertToNative implements ref.Val.
func (b *budget) ConvertToNative(reflect.Type) (any, error) { return nil, errNative }

// ConvertToType implements ref.Val.
func (b *budget) ConvertToType(ref.Type) ref.Val { return types.NewErr("type conversion error") }

// Equal implements ref.Val.
func (b *budget) Equal(other ref.Val) ref.Val { return types.Bool(b == other) }

// Type implements ref.Val.
func (b *budget) Type() ref.Type { return budgetType }

// Value implements ref.Val.
func (b *budget) Value() any { return b }

func loops() []cel.EnvOption {
	t, k, v := cel.TypeParamType("T"), cel.TypeParamType("K"), cel.TypeParamType("V")
	return []cel.EnvOption{
		cel.Variable(budgetName, budgetType),
		cel.Function(loopFunction,
			cel.Overload("loop_list", []*cel.Type{cel.ListType(t), budgetType}, cel.ListType(t)),
			cel.Overload("loop_map", []*cel.Type{cel.MapType(k, v), budgetType}, cel.MapType(k, v)),
			cel.SingletonBinaryBinding(func(list, left ref.Val) ref.Val {
				sized, ok := list.(traits.Sizer)
				b, ok2 := left.(*budget)
				if !ok || !ok2 {
					return types.MaybeNoSuchOverloadErr(list)
				}
				n, _ := sized.Size().(types.Int)
				if b.left -= int64(n) + 1; b.left < 0 {
					return types.NewErr(overBudget)
				}
				return list
			})),
	}
}

// macros are CEL's, with loops that count and a has() that asks about every step on
// the way: what lies below something that was not given was not given either.
func macros() []cel.Macro {
	loop := func(name string, args int, expand cel.MacroFactory) cel.Macro {
		return cel.ReceiverMacro(name, args, func(h cel.MacroExprFactory, target ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
			return expand(h, h.NewCall(loopFunction, target, h.NewIdent(budgetName)), args)
		})
	}
	return []cel.Macro{
		loop("all", 2, parser.MakeAll), loop("exists", 2, parser.MakeExists), loop("exists_one", 2, parser.MakeExistsOne),
		loop("map", 2, parser.MakeMap), loop("map", 3, parser.MakeMap), loop("filter", 2, parser.MakeFilter),
		cel.GlobalMacro("has", 1, expandHas),
	}
}

func expandHas(h cel.MacroExprFactory, _ ast.Expr, args []ast.Expr) (ast.Expr, *cel.Error) {
	if args[0].Kind() != ast.SelectKind {
		return nil, h.NewError(args[0].ID(), "has() takes a path that ends in a field: has(record.name)")
	}
	at := args[0].AsSelect()
	test := h.NewPresenceTest(at.Operand(), at.FieldName())
	for at.Operand().Kind() == ast.SelectKind && !at.Operand().AsSelect().IsTestOnly() {
		at = at.Operand().AsSelect()
		test = h.NewCall(operators.LogicalAnd, h.NewPresenceTest(h.Copy(at.Operand()), at.FieldName()), test)
	}
	return test, nil
}
