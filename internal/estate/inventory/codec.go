package inventory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Items are kept column by column, many in a row of the database: text is written
// once however many items have it, which makes 200,000 assets small and quick to
// read. A block is
//
//	rows, columns, then of each column: name, kind, length, data
//
// A column without any value is left out, and one that the program no longer
// knows is passed over, so fields may come and go.

type columnKind byte

const (
	textColumn  columnKind = 1
	intColumn   columnKind = 2
	floatColumn columnKind = 3
	boolColumn  columnKind = 4
	maybeColumn columnKind = 5 // *bool
	listColumn  columnKind = 6 // []string
	dateColumn  columnKind = 7
)

// column is a field of an item type.
type column struct {
	name string
	kind columnKind
	path []int
}

// columnsOf lists the fields of a type, those of structs inside it too.
func columnsOf(t reflect.Type, path []int) (cols []column) {
	for i := range t.NumField() {
		f := t.Field(i)
		c := column{name: f.Name, path: append(append([]int(nil), path...), i)}
		switch {
		case f.Type == reflect.TypeFor[def.Date]():
			c.kind = dateColumn
		case f.Type == reflect.TypeFor[*bool]():
			c.kind = maybeColumn
		case f.Type == reflect.TypeFor[[]string]():
			c.kind = listColumn
		case f.Type.Kind() == reflect.String:
			c.kind = textColumn
		case f.Type.Kind() == reflect.Int64:
			c.kind = intColumn
		case f.Type.Kind() == reflect.Float64:
			c.kind = floatColumn
		case f.Type.Kind() == reflect.Bool:
			c.kind = boolColumn
		case f.Type.Kind() == reflect.Struct:
			cols = append(cols, columnsOf(f.Type, c.path)...)
			continue
		default:
			panic("inventory: no column for a " + f.Type.String())
		}
		cols = append(cols, c)
	}
	return cols
}

// encode writes rows as a block.
func encode[T any](cols []column, rows []T) []byte {
	out := binary.AppendUvarint(nil, uint64(len(rows)))
	all := reflect.ValueOf(rows)
	var body []byte
	n := 0
	for _, c := range cols {
		data, any := c.write(all)
		if !any {
			continue
		}
		n++
		body = appendText(body, c.name)
		body = append(body, byte(c.kind))
		body = binary.AppendUvarint(body, uint64(len(data)))
		body = append(body, data...)
	}
	return append(binary.AppendUvarint(out, uint64(n)), body...)
}

func (c column) write(all reflect.Value) (data []byte, any bool) {
	var dict []byte
	words, known := 0, map[string]uint64{}
	word := func(s string) uint64 {
		at, ok := known[s]
		if !ok {
			at = uint64(words)
			known[s] = at
			words++
			dict = appendText(dict, s)
		}
		return at
	}
	for i := range all.Len() {
		v := all.Index(i).FieldByIndex(c.path)
		any = any || !v.IsZero()
		switch c.kind {
		case textColumn:
			data = binary.AppendUvarint(data, word(v.String()))
		case intColumn:
			data = binary.AppendVarint(data, v.Int())
		case floatColumn:
			data = binary.BigEndian.AppendUint64(data, math.Float64bits(v.Float()))
		case boolColumn:
			data = append(data, bit(v.Bool()))
		case maybeColumn:
			if v.IsNil() {
				data = append(data, 2)
			} else {
				data = append(data, bit(v.Elem().Bool()))
			}
		case listColumn:
			data = binary.AppendUvarint(data, uint64(v.Len()))
			for k := range v.Len() {
				data = binary.AppendUvarint(data, word(v.Index(k).String()))
			}
		case dateColumn:
			d := v.Addr().Interface().(*def.Date)
			data = binary.AppendUvarint(data, uint64(d.Year)<<9|uint64(d.Month)<<5|uint64(d.Day))
		}
	}
	if c.kind == textColumn || c.kind == listColumn {
		data = append(append(binary.AppendUvarint(nil, uint64(words)), dict...), data...)
	}
	return data, any
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

var errBlock = errors.New("inventory: a kept list is damaged")

// decode reads a block that encode wrote.
func decode[T any](cols []column, block []byte) ([]T, error) {
	r := &reader{b: block}
	n, k := r.number(), r.number()
	if r.err != nil || n > uint64(len(block))*64+1024 {
		return nil, errBlock
	}
	rows := make([]T, n)
	all := reflect.ValueOf(rows)
	for range k {
		name, kind := r.text(), columnKind(r.byte())
		data := r.bytes(r.number())
		if r.err != nil {
			return nil, r.err
		}
		for _, c := range cols {
			if c.name != name {
				continue
			}
			if c.kind != kind {
				return nil, fmt.Errorf("inventory: %s is kept as another sort of value", name)
			}
			if err := c.read(all, data); err != nil {
				return nil, err
			}
		}
	}
	return rows, r.err
}

func (c column) read(all reflect.Value, data []byte) error {
	r := &reader{b: data}
	var words []string
	if c.kind == textColumn || c.kind == listColumn {
		n := r.number()
		if n > uint64(len(data)) {
			return errBlock
		}
		words = make([]string, n)
		for i := range words {
			words[i] = r.text()
		}
	}
	word := func() string {
		at := r.number()
		if at >= uint64(len(words)) {
			r.err = errBlock
			return ""
		}
		return words[at]
	}
	no, yes := false, true
	maybe := [...]reflect.Value{reflect.ValueOf(&no), reflect.ValueOf(&yes)}
	for i := range all.Len() {
		v := all.Index(i)
		for _, k := range c.path {
			v = v.Field(k)
		}
		switch c.kind {
		case textColumn:
			if s := word(); s != "" {
				v.SetString(s)
			}
		case intColumn:
			v.SetInt(r.signed())
		case floatColumn:
			if b := r.bytes(8); len(b) == 8 {
				v.SetFloat(math.Float64frombits(binary.BigEndian.Uint64(b)))
			}
		case boolColumn:
			v.SetBool(r.byte() == 1)
		case maybeColumn:
			if b := r.byte(); b < 2 {
				v.Set(maybe[b])
			}
		case listColumn:
			n := r.number()
			if n > uint64(len(data)) {
				return errBlock
			}
			if n == 0 {
				continue
			}
			list := make([]string, n)
			for k := range list {
				list[k] = word()
			}
			v.Set(reflect.ValueOf(list))
		case dateColumn:
			if n := r.number(); n != 0 {
				*v.Addr().Interface().(*def.Date) = def.Date{Year: int(n >> 9), Month: time.Month(n >> 5 & 15), Day: int(n & 31)}
			}
		}
		if r.err != nil {
			return r.err
		}
	}
	return nil
}

// reader reads numbers and text until something is wrong.
type reader struct {
	b   []byte
	err error
}

func (r *reader) number() uint64 {
	n, k := binary.Uvarint(r.b)
	if k <= 0 {
		r.err = errBlock
		return 0
	}
	r.b = r.b[k:]
	return n
}

func (r *reader) signed() int64 {
	n, k := binary.Varint(r.b)
	if k <= 0 {
		r.err = errBlock
		return 0
	}
	r.b = r.b[k:]
	return n
}

func (r *reader) byte() byte {
	if b := r.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 255
}

func (r *reader) bytes(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.b)) {
		r.err = errBlock
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) text() string { return string(r.bytes(r.number())) }
