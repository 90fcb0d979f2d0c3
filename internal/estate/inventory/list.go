package inventory

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// buckets is into how many rows the items of a type are spread, by their keys. An
// import writes those rows again in which something changed.
const buckets = 256

func bucketOf(key string) int64 {
	h := fnv.New32a()
	h.Write([]byte(key)) // never fails
	return int64(h.Sum32() % buckets)
}

// layer is what one source says of an item.
type layer[T any] struct {
	LayerSource string
	LayerImport int64 // the import that said it first
	Item        T
}

// text is a row of one word.
type text struct{ Text string }

// list is a type of item: where its items are in an Inventory, and how they are
// kept.
type list[T Item] struct {
	typ  Type
	of   func(*Inventory) *[]T
	cols []column // of a layer
	own  []column // of an item
}

// lister is a list of whatever type.
type lister interface {
	name() Type
	fill(inv *Inventory, n int, open func(i int) (now []byte, was [][]byte, err error)) error
	change(now []byte, items []Item, how laying) (changed, error)
	apply(next, last *Inventory, done []changed)
	digest(items []Item) []byte
	versions(now []byte, was [][]byte, key string) ([]state, error)
}

func newList[T Item](typ Type, of func(*Inventory) *[]T) list[T] {
	return list[T]{typ, of, columnsOf(reflect.TypeFor[layer[T]](), nil), columnsOf(reflect.TypeFor[T](), nil)}
}

// lists are all types of item.
func lists() map[Type]lister {
	out := map[Type]lister{}
	for _, l := range []lister{
		newList(TypeAsset, func(i *Inventory) *[]Asset { return &i.Assets }),
		newList(TypePerson, func(i *Inventory) *[]Person { return &i.People }),
		newList(TypeLedger, func(i *Inventory) *[]Line { return &i.Ledger }),
		newList(TypeSeat, func(i *Inventory) *[]Seat { return &i.Seats }),
		newList(TypeVulnerability, func(i *Inventory) *[]Vulnerability { return &i.Vulnerabilities }),
		newList(TypeCycle, func(i *Inventory) *[]Cycle { return &i.Cycles }),
		newList(TypeSoftware, func(i *Inventory) *[]Software { return &i.Software }),
		newList(TypeIdentity, func(i *Inventory) *[]Identity { return &i.Identities }),
		newList(TypeAttestation, func(i *Inventory) *[]Attestation { return &i.Attestations }),
		newList(TypePoint, func(i *Inventory) *[]Point { return &i.Points }),
		newList(TypeEvidence, func(i *Inventory) *[]Evidence { return &i.Evidence }),
	} {
		out[l.name()] = l
	}
	return out
}

// TypeOf is the type of an item.
func TypeOf(x Item) Type {
	switch x.(type) {
	case Asset:
		return TypeAsset
	case Person:
		return TypePerson
	case Line:
		return TypeLedger
	case Seat:
		return TypeSeat
	case Vulnerability:
		return TypeVulnerability
	case Cycle:
		return TypeCycle
	case Software:
		return TypeSoftware
	case Identity:
		return TypeIdentity
	case Attestation:
		return TypeAttestation
	case Point:
		return TypePoint
	case Evidence:
		return TypeEvidence
	}
	panic(fmt.Sprintf("inventory: %T is not an item that is kept", x))
}

func (l list[T]) name() Type { return l.typ }

// layers reads a bucket: what every source says, by key.
func (l list[T]) layers(block []byte) ([]layer[T], error) {
	if block == nil {
		return nil, nil
	}
	return decode[layer[T]](l.cols, block)
}

// was is what a bucket's items were before an import changed them: those without
// a layer were not there.
func (l list[T]) encodeWas(keys []string, before map[string][]layer[T]) []byte {
	rows, all := make([]text, len(keys)), []layer[T]{}
	for i, k := range keys {
		rows[i].Text = k
		all = append(all, before[k]...)
	}
	head := encode(columnsOf(reflect.TypeFor[text](), nil), rows)
	return append(appendText(nil, string(head)), encode(l.cols, all)...)
}

func (l list[T]) decodeWas(b []byte) (keys []text, before map[string][]layer[T], err error) {
	r := &reader{b: b}
	head := r.bytes(r.number())
	if r.err != nil {
		return nil, nil, r.err
	}
	if keys, err = decode[text](columnsOf(reflect.TypeFor[text](), nil), head); err != nil {
		return nil, nil, err
	}
	all, err := decode[layer[T]](l.cols, r.b)
	return keys, byKey(all), err
}

func byKey[T Item](all []layer[T]) map[string][]layer[T] {
	out := make(map[string][]layer[T], len(all))
	for _, x := range all {
		k := x.Item.Key()
		out[k] = append(out[k], x)
	}
	return out
}

// combine lays what the sources say over each other: what was said last is on top,
// what a person said here above all, and an empty field lets through what is
// below.
func (l list[T]) combine(layers []layer[T]) T {
	if len(layers) == 1 {
		return layers[0].Item
	}
	layers = slices.Clone(layers)
	slices.SortStableFunc(layers, func(a, b layer[T]) int {
		if ah, bh := a.LayerSource == Hand, b.LayerSource == Hand; ah != bh {
			return int(bit(ah)) - int(bit(bh))
		}
		return cmp.Compare(a.LayerImport, b.LayerImport)
	})
	out := layers[0].Item
	to := reflect.ValueOf(&out).Elem()
	for i := range layers[1:] {
		from := reflect.ValueOf(&layers[i+1].Item).Elem()
		for _, c := range l.own {
			v := from.FieldByIndex(c.path)
			if !v.IsZero() || c.kind == boolColumn && layers[i+1].LayerSource != Hand {
				to.FieldByIndex(c.path).Set(v)
			}
		}
	}
	return out
}

// fill reads n buckets at once and puts the items into the inventory, in the
// order of their keys. was takes back the imports since then, the newest first.
func (l list[T]) fill(inv *Inventory, n int, open func(i int) ([]byte, [][]byte, error)) error {
	parts, errs := make([][]T, n), make([]error, n)
	each(n, func(i int) {
		now, was, err := open(i)
		if err == nil {
			parts[i], err = l.items(now, was)
		}
		errs[i] = err
	})
	total := 0
	for i := range parts {
		if errs[i] != nil {
			return errs[i]
		}
		total += len(parts[i])
	}
	type place struct {
		key      string
		part, at int32
	}
	places := make([]place, 0, total)
	for p, part := range parts {
		for i := range part {
			places = append(places, place{part[i].Key(), int32(p), int32(i)})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.key, b.key) })
	all := make([]T, total)
	for i, p := range places {
		all[i] = parts[p.part][p.at]
	}
	*l.of(inv) = all
	return nil
}

// items are the items of a bucket, after taking back what was done since.
func (l list[T]) items(now []byte, was [][]byte) ([]T, error) {
	layers, err := l.layers(now)
	if err != nil {
		return nil, err
	}
	if len(was) > 0 {
		all := byKey(layers)
		for _, b := range was {
			keys, before, err := l.decodeWas(b)
			if err != nil {
				return nil, err
			}
			for _, k := range keys {
				if all[k.Text] = before[k.Text]; len(all[k.Text]) == 0 {
					delete(all, k.Text)
				}
			}
		}
		out := make([]T, 0, len(all))
		for _, ls := range all {
			out = append(out, l.combine(ls))
		}
		return out, nil
	}
	out := make([]T, 0, len(layers))
	for i := 0; i < len(layers); { // layers of one item stand together
		k, end := layers[i].Item.Key(), i+1
		for end < len(layers) && layers[end].Item.Key() == k {
			end++
		}
		out = append(out, l.combine(layers[i:end]))
		i = end
	}
	return out, nil
}

// each runs fn for 0 to n-1 on all processors.
func each(n int, fn func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				fn(i)
			}
		})
	}
	wg.Wait()
}

// laying is how items are laid over what is there.
type laying struct {
	source string
	number int64
	whole  bool            // what the source said before and does not say now is taken back
	keys   map[string]bool // of the whole list, all buckets
}

// changed is what an import does to a bucket.
type changed struct {
	bucket   int64
	now, was []byte // nil: nothing changes
	count    Count
	rows     []Change
	items    map[string]Item // nil: gone
}

func (l list[T]) change(now []byte, items []Item, how laying) (c changed, err error) {
	layers, err := l.layers(now)
	if err != nil {
		return c, err
	}
	all, before := byKey(layers), map[string][]layer[T]{}
	c.items = map[string]Item{}
	touched := []string{}
	set := func(key string, next []layer[T]) {
		was := all[key]
		before[key] = was
		touched = append(touched, key)
		row := Change{Type: l.typ, Key: key, What: "changed"}
		if len(next) == 0 {
			delete(all, key)
			row.What = "gone"
			c.count.Gone++
			c.items[key] = nil
		} else {
			all[key] = next
			item := l.combine(next)
			c.items[key] = item
			if len(was) == 0 {
				row.What = "added"
				c.count.Added++
			} else if row.Fields = l.differ(l.combine(was), item); len(row.Fields) == 0 {
				c.count.Same++ // another source says the same
				return
			} else {
				c.count.Changed++
			}
		}
		c.rows = append(c.rows, row)
	}
	for _, x := range items {
		item, key := x.(T), x.Key()
		at := slices.IndexFunc(all[key], func(s layer[T]) bool { return s.LayerSource == how.source })
		if at >= 0 && reflect.DeepEqual(all[key][at].Item, item) {
			c.count.Same++
			continue
		}
		next := slices.Clone(all[key])
		if at >= 0 {
			next = slices.Delete(next, at, at+1)
		}
		set(key, append(next, layer[T]{how.source, how.number, item}))
	}
	if how.whole {
		for key, ls := range all {
			at := slices.IndexFunc(ls, func(s layer[T]) bool { return s.LayerSource == how.source })
			if at >= 0 && !how.keys[key] {
				set(key, slices.Delete(slices.Clone(ls), at, at+1))
			}
		}
	}
	if len(touched) == 0 {
		return c, nil
	}
	slices.Sort(touched)
	keys := make([]string, 0, len(all))
	for k := range all {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	flat := make([]layer[T], 0, len(layers)+len(items))
	for _, k := range keys {
		flat = append(flat, all[k]...)
	}
	c.now, c.was = encode(l.cols, flat), l.encodeWas(touched, before)
	return c, nil
}

// differ names the fields in which two items differ.
func (l list[T]) differ(a, b T) (names []string) {
	va, vb := reflect.ValueOf(&a).Elem(), reflect.ValueOf(&b).Elem()
	for _, c := range l.own {
		if !reflect.DeepEqual(va.FieldByIndex(c.path).Interface(), vb.FieldByIndex(c.path).Interface()) {
			names = append(names, c.name)
		}
	}
	return names
}

// apply makes next's list out of last's and what was done to the buckets.
func (l list[T]) apply(next, last *Inventory, done []changed) {
	changes := map[string]Item{}
	for _, c := range done {
		for k, x := range c.items {
			changes[k] = x
		}
	}
	keys := make([]string, 0, len(changes))
	for k := range changes {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	old := *l.of(last)
	all := make([]T, 0, len(old)+len(keys))
	for _, k := range keys {
		// Up to the key as it was, then what became of it.
		n, found := slices.BinarySearchFunc(old, k, func(x T, k string) int { return cmp.Compare(x.Key(), k) })
		all = append(all, old[:n]...)
		if found {
			n++
		}
		old = old[n:]
		if x := changes[k]; x != nil {
			all = append(all, x.(T))
		}
	}
	*l.of(next) = append(all, old...)
}

// digest is the bytes of a list, the same for the same items.
func (l list[T]) digest(items []Item) []byte {
	own := make([]T, len(items))
	for i, x := range items {
		own[i] = x.(T)
	}
	slices.SortFunc(own, func(a, b T) int { return cmp.Compare(a.Key(), b.Key()) })
	return encode(l.own, own)
}

// state is an item as it was between two imports; without layers it was not there.
type state struct {
	item   Item
	layers []Layer
}

// versions gives what an item is, and what it was before each of the imports in
// was; the same state again where an import did not touch it.
func (l list[T]) versions(now []byte, was [][]byte, key string) ([]state, error) {
	layers, err := l.layers(now)
	if err != nil {
		return nil, err
	}
	at := byKey(layers)[key]
	out := []state{l.state(at)}
	for _, b := range was {
		keys, before, err := l.decodeWas(b)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(keys, func(t text) bool { return t.Text == key }) {
			at = before[key]
			out = append(out, l.state(at))
		} else {
			out = append(out, state{layers: out[len(out)-1].layers, item: out[len(out)-1].item})
		}
	}
	return out, nil
}

func (l list[T]) state(ls []layer[T]) (s state) {
	for _, x := range ls {
		s.layers = append(s.layers, Layer{Source: x.LayerSource, Number: x.LayerImport, Item: x.Item})
	}
	if len(ls) > 0 {
		s.item = l.combine(ls)
	}
	return s
}
