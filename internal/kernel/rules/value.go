package rules

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strconv"
	"time"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// object is a JSON object that knows where it is. Reading a field that is absent
// or null gives an unknown with the field's path. It is not a traits.Mapper on
// purpose: a Mapper cannot tell reading from testing with has().
type object struct {
	m      map[string]any
	parent *object // nil for a variable
	key    string  // name below the parent; of a variable, its name
	item   bool    // this is an item of the parent's list called key
}

func (o *object) path() string {
	p := o.key
	if o.parent != nil {
		p = o.parent.path() + "." + o.key
	}
	if o.item {
		p += "[]"
	}
	return p
}

// unknown is what reading something at path gives when it is not there.
func unknown(path string) *types.Unknown {
	return types.NewUnknown(0, types.NewAttributeTrail(path))
}

// Get implements traits.Indexer.
func (o *object) Get(index ref.Val) ref.Val {
	k, ok := index.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(index)
	}
	v, ok := o.m[string(k)]
	if !ok || v == nil {
		return unknown(o.path() + "." + string(k))
	}
	return toCEL(v, o, string(k))
}

// IsSet implements traits.FieldTester, for has().
func (o *object) IsSet(field ref.Val) ref.Val {
	k, ok := field.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(field)
	}
	return types.Bool(o.m[string(k)] != nil)
}

// Contains implements traits.Container, for `"x" in record`.
func (o *object) Contains(v ref.Val) ref.Val { return o.IsSet(v) }

// Size implements traits.Sizer.
func (o *object) Size() ref.Val { return types.Int(len(o.m)) }

// Iterator implements traits.Iterable: over the keys.
func (o *object) Iterator() traits.Iterator { return o.standard().Iterator() }

func (o *object) standard() traits.Mapper {
	return types.NewDynamicMap(adapter{within: o}, o.m)
}

// ConvertToNative implements ref.Val.
func (o *object) ConvertToNative(t reflect.Type) (any, error) { return o.standard().ConvertToNative(t) }

// ConvertToType implements ref.Val.
func (o *object) ConvertToType(t ref.Type) ref.Val { return o.standard().ConvertToType(t) }

// Equal implements ref.Val.
func (o *object) Equal(other ref.Val) ref.Val {
	if x, ok := other.(*object); ok {
		other = x.standard()
	}
	return o.standard().Equal(other)
}

// Type implements ref.Val.
func (o *object) Type() ref.Type { return types.MapType }

// Value implements ref.Val.
func (o *object) Value() any { return o.m }

// adapter turns Go values into CEL's. within and key say where they were found.
type adapter struct {
	within *object
	key    string
}

// NativeToValue implements types.Adapter.
func (a adapter) NativeToValue(v any) ref.Val {
	if val, ok := v.(ref.Val); ok {
		return val
	}
	if m, ok := v.(map[string]any); ok {
		return &object{m: m, parent: a.within, key: a.key, item: a.within != nil}
	}
	return toCEL(v, a.within, a.key)
}

// toCEL turns a Go value found at key of within into CEL's.
func toCEL(v any, within *object, key string) ref.Val {
	switch v := v.(type) {
	case ref.Val:
		return v
	case nil:
		return types.NullValue
	case string:
		return types.String(v)
	case bool:
		return types.Bool(v)
	case float64:
		return number(v)
	case json.Number:
		return jsonNumber(v)
	case int:
		return types.Int(v)
	case int64:
		return types.Int(v)
	case map[string]any:
		return &object{m: v, parent: within, key: key}
	case []any:
		return types.NewDynamicList(adapter{within, key}, v)
	case []string:
		return types.NewStringList(adapter{within, key}, v)
	case []map[string]any:
		return types.NewDynamicList(adapter{within, key}, v)
	case Day:
		return dayVal{v}
	case *Day:
		if v == nil {
			return types.NullValue
		}
		return dayVal{*v}
	case time.Time:
		return types.Timestamp{Time: v}
	}
	return reflected(v, within, key)
}

// reflected handles named types of plain kinds ("type PersonID string").
func reflected(v any, within *object, key string) ref.Val {
	r := reflect.ValueOf(v)
	switch {
	case r.CanInt():
		return types.Int(r.Int())
	case r.CanUint() && r.Uint() <= math.MaxInt64:
		return types.Int(r.Uint())
	case r.CanFloat():
		return number(r.Float())
	case r.Kind() == reflect.String:
		return types.String(r.String())
	case r.Kind() == reflect.Bool:
		return types.Bool(r.Bool())
	case r.Kind() == reflect.Slice:
		return types.NewDynamicList(adapter{within, key}, v)
	case r.Kind() == reflect.Map && r.Type().Key().Kind() == reflect.String:
		m := make(map[string]any, r.Len())
		for it := r.MapRange(); it.Next(); {
			m[it.Key().String()] = it.Value().Interface()
		}
		return &object{m: m, parent: within, key: key}
	}
	return types.NewErr("a value of type %T cannot be used in a rule", v)
}

// number gives an int for a number without a fraction, as JSON does not tell them apart.
func number(f float64) ref.Val {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return types.Int(f)
	}
	return types.Double(f)
}

func jsonNumber(n json.Number) ref.Val {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return types.Int(i)
	}
	f, err := strconv.ParseFloat(string(n), 64)
	if err != nil {
		return types.NewErr("this number is too large for a rule")
	}
	return number(f)
}

// fromCEL is the plain Go value of a result.
func fromCEL(v ref.Val) any {
	switch v := v.(type) {
	case types.Bool:
		return bool(v)
	case types.Int:
		return int64(v)
	case types.Uint:
		return int64(v)
	case types.Double:
		return float64(v)
	case types.String:
		return string(v)
	case types.Null:
		return nil
	case types.Timestamp:
		return v.Time
	case types.Duration:
		return v.Duration
	case dayVal:
		return v.Day
	case *object:
		return v.m
	case traits.Lister:
		n, _ := v.Size().(types.Int)
		out := make([]any, 0, int(n))
		for i := types.Int(0); i < n; i++ {
			out = append(out, fromCEL(v.Get(i)))
		}
		return out
	case traits.Mapper:
		out := map[string]any{}
		for it := v.Iterator(); it.HasNext() == types.True; {
			k := it.Next()
			if s, ok := k.(types.String); ok {
				out[string(s)] = fromCEL(v.Get(k))
			}
		}
		return out
	}
	return nil
}

var (
	dayType    = types.NewObjectType("reeve.Date", traits.ComparerType, traits.AdderType, traits.SubtractorType)
	periodType = types.NewObjectType("reeve.Period")
	errNative  = errors.New("a date has no other form in a rule")
)

// dayVal is a Day in CEL.
type dayVal struct{ Day }

// ConvertToNative implements ref.Val.
func (d dayVal) ConvertToNative(t reflect.Type) (any, error) {
	if t == reflect.TypeFor[Day]() {
		return d.Day, nil
	}
	return nil, errNative
}

// ConvertToType implements ref.Val.
func (d dayVal) ConvertToType(t ref.Type) ref.Val {
	if t == types.StringType {
		return types.String(d.String())
	}
	return types.NewErr("type conversion error")
}

// Equal implements ref.Val.
func (d dayVal) Equal(other ref.Val) ref.Val {
	o, ok := other.(dayVal)
	return types.Bool(ok && d == o)
}

// Type implements ref.Val.
func (d dayVal) Type() ref.Type { return dayType }

// Value implements ref.Val.
func (d dayVal) Value() any { return d.Day }

// Compare implements traits.Comparer.
func (d dayVal) Compare(other ref.Val) ref.Val {
	o, ok := other.(dayVal)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	return types.Int(d.Day.Compare(o.Day))
}

// Add implements traits.Adder.
func (d dayVal) Add(other ref.Val) ref.Val { return d.move(other, 1) }

// Subtract implements traits.Subtractor.
func (d dayVal) Subtract(other ref.Val) ref.Val {
	if o, ok := other.(dayVal); ok {
		return types.Int(d.Sub(o.Day))
	}
	return d.move(other, -1)
}

func (d dayVal) move(other ref.Val, sign int) ref.Val {
	p, ok := other.(periodVal)
	if !ok {
		return types.MaybeNoSuchOverloadErr(other)
	}
	r := d.Day.Add(sign*p.years, sign*p.months, sign*p.days)
	if !r.valid() {
		return types.NewErr("this date is outside the years 1 to 9999")
	}
	return dayVal{r}
}

// periodVal is what days(n), months(n) and years(n) give.
type periodVal struct{ years, months, days int }

// ConvertToNative implements ref.Val.
func (p periodVal) ConvertToNative(reflect.Type) (any, error) { return nil, errNative }

// ConvertToType implements ref.Val.
func (p periodVal) ConvertToType(ref.Type) ref.Val { return types.NewErr("type conversion error") }

// Equal implements ref.Val.
func (p periodVal) Equal(other ref.Val) ref.Val { return types.Bool(p == other) }

// Type implements ref.Val.
func (p periodVal) Type() ref.Type { return periodType }

// Value implements ref.Val.
func (p periodVal) Value() any { return p }
