package inventory

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Hand is the source of what a person said here. It stands above what lists say,
// until a person says otherwise.
const Hand = "by hand"

// MaxItems bounds one import.
const MaxItems = 2_000_000

// Import is a list that is taken in.
type Import struct {
	Source string // who keeps the list: "Intune", "Directory"; what it said before is replaced
	File   string // name of the file, for people
	// Whole says that the list names everything the source knows: what it said
	// before and does not say now is taken back. Otherwise it is kept.
	Whole bool
	MayGo int // so many items may go, whoever imports says; see [Changes.Losses]
}

// Count is how many items an import touched, by what came of them. Same are those
// that it left as they were.
type Count struct{ Added, Changed, Same, Gone int }

// Change is what became of one item. The key may name a person.
type Change struct {
	Type   Type
	Key    string
	What   string   // added, changed, gone
	Fields []string // that changed
}

// Changes is what came, or would come, of an import.
type Changes struct {
	Number   int64 // of the import; 0 of a preview
	Count          // of all types together
	ByType   map[Type]Count
	Repeated int      // items that were twice in the list: the last one counts
	Joined   int      // assets that another source knows by another id, recognised by their serial number
	Rows     []Change // the first MaxRows, by type and key
}

// MaxRows is how many changes are told one by one.
const MaxRows = 200

// Done is an import that was made.
type Done struct {
	Number       int64
	Type         Type
	At           time.Time
	Actor        string
	Source, File string
	Whole        bool
	Hand         bool // a person said it here
	Count        Count
	Digest       string
}

// Layer is what one source says of an item.
type Layer struct {
	Source string
	Number int64 // of the import that said it
	Item   Item
}

// Version is what an item was from an import on.
type Version struct {
	Done
	Item   Item // nil: it was not there any more
	Layers []Layer
}

// Store keeps the inventory.
//
// What is guaranteed: an import is done whole or not at all; the same list again
// changes nothing; what a source said is replaced by what it says now, and never
// by what another source leaves empty; any earlier moment can be read back; keys,
// values and file names are sealed. What not to assume: that it is quick to read
// a moment with many changes after it.
type Store struct {
	db    *store.DB
	keys  *seal.Keys
	jrn   *journal.Journal
	lists map[Type]lister

	mu  sync.Mutex // one import at a time
	now atomic.Pointer[Inventory]
}

// Open opens the store.
func Open(ctx context.Context, db *store.DB, keys *seal.Keys, jrn *journal.Journal) (*Store, error) {
	if err := db.Migrate(ctx, "inventory", migrations); err != nil {
		return nil, err
	}
	return &Store{db: db, keys: keys, jrn: jrn, lists: lists()}, nil
}

// Preview tells what an import would do.
func (s *Store) Preview(ctx context.Context, imp Import, items []Item) (Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, _, err := s.plan(ctx, imp, items)
	return c, err
}

// Import takes a list in. Items of several types may be mixed.
func (s *Store) Import(ctx context.Context, by string, imp Import, items []Item) (Changes, error) {
	if imp.Source == Hand || imp.Source == "" {
		return Changes{}, reeve.E(reeve.Invalid, opImport, "say who keeps the list: its source has no name")
	}
	return s.lay(ctx, by, imp, items, nil)
}

// Put keeps what a person says of single items: it stands in place of what was
// said here of them before, and above what lists say; an empty field lets through
// what they say. also, if not nil, runs in the same transaction.
func (s *Store) Put(ctx context.Context, by string, also func(*store.Tx) error, items ...Item) (Changes, error) {
	return s.lay(ctx, by, Import{Source: Hand}, items, also)
}

const opImport = "inventory.import"

// work is what is to be written for one type.
type work struct {
	typ   Type
	count Count
	hash  string
	done  []changed
}

func (s *Store) lay(ctx context.Context, by string, imp Import, items []Item, also func(*store.Tx) error) (Changes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, err := s.load(ctx)
	if err != nil {
		return Changes{}, err
	}
	c, works, err := s.plan(ctx, imp, items)
	if err != nil {
		return c, err
	}
	if err := guard(imp, c); err != nil {
		return c, err
	}
	meta, err := json.Marshal(Done{Source: imp.Source, File: imp.File, Whole: imp.Whole})
	if err != nil {
		return c, err
	}
	number := last.Version + 1
	sealed, err := s.seal(works, number)
	if err != nil {
		return c, err
	}
	head, err := seal.Pack(s.keys, meta, aad("import", number))
	if err != nil {
		return c, err
	}
	var at time.Time
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		at = tx.Now
		entry := journal.Entry{Actor: by, Verb: "imported", About: reeve.Ref(fmt.Sprintf("import/%d", number))}
		if imp.Source == Hand {
			entry.Verb = "recorded"
		}
		for i, w := range works {
			if err := insertImport(tx, importRow{id: number, typ: w.typ, at: at, hand: imp.Source == Hand, actor: by, count: w.count, digest: w.hash, sealed: head}); err != nil {
				return err
			}
			for _, b := range sealed[i] {
				if err := putBucket(tx, w.typ, b[0], b[1]); err != nil {
					return err
				}
			}
			entry.Why = append(entry.Why, string(w.typ), fmt.Sprintf("added-%d", w.count.Added), fmt.Sprintf("changed-%d", w.count.Changed), fmt.Sprintf("gone-%d", w.count.Gone))
			entry.Digest = w.hash
		}
		if also != nil {
			if err := also(tx); err != nil {
				return err
			}
		}
		_, err := s.jrn.Append(tx, entry)
		return err
	})
	if err != nil {
		return c, err
	}
	c.Number = number
	next := *last
	next.Version, next.Imports = number, maps.Clone(last.Imports)
	for _, w := range works {
		if imp.Source != Hand {
			next.Imports[string(w.typ)] = at
		}
		s.lists[w.typ].apply(&next, last, w.done)
	}
	s.now.Store(&next)
	return c, nil
}

// plan works out what an import does, without doing it.
func (s *Store) plan(ctx context.Context, imp Import, items []Item) (c Changes, works []work, err error) {
	c.ByType = map[Type]Count{}
	if len(items) > MaxItems {
		return c, nil, reeve.E(reeve.TooLarge, opImport, "the list has %d items; one import takes %d at most: split it", len(items), MaxItems)
	}
	if len(items) == 0 {
		return c, nil, reeve.E(reeve.Invalid, opImport, "the list is empty, so nothing was imported")
	}
	last, err := s.load(ctx)
	if err != nil {
		return c, nil, err
	}
	types := map[Type]map[string]Item{}
	join := joiner(last, imp)
	for i, x := range items {
		t := TypeOf(x)
		if a, ok := x.(Asset); ok {
			if id, ok := join(a); ok {
				a.ID = id
				x = a
				c.Joined++
			}
		}
		key := x.Key()
		if key == "" || len(key) > 1000 {
			return c, nil, reeve.E(reeve.Invalid, opImport, "item %d of the list has no id, or one longer than 1,000 characters", i+1)
		}
		if types[t] == nil {
			types[t] = make(map[string]Item, len(items))
		}
		types[t][key] = x
	}
	for _, t := range slices.Sorted(maps.Keys(types)) {
		c.Repeated -= len(types[t])
		w, rows, err := s.planType(ctx, t, types[t], laying{source: imp.Source, number: last.Version + 1, whole: imp.Whole})
		if err != nil {
			return c, nil, err
		}
		works = append(works, w)
		c.ByType[t] = w.count
		c.Count.add(w.count)
		c.Rows = append(c.Rows, rows...)
	}
	c.Repeated += len(items)
	c.Rows = c.Rows[:min(len(c.Rows), MaxRows)]
	return c, works, nil
}

func (c *Count) add(o Count) {
	c.Added += o.Added
	c.Changed += o.Changed
	c.Same += o.Same
	c.Gone += o.Gone
}

func (s *Store) planType(ctx context.Context, t Type, items map[string]Item, how laying) (w work, rows []Change, err error) {
	l := s.lists[t]
	w.typ = t
	split := map[int64][]Item{}
	how.keys = make(map[string]bool, len(items))
	all := make([]Item, 0, len(items))
	for _, k := range slices.Sorted(maps.Keys(items)) {
		split[bucketOf(k)] = append(split[bucketOf(k)], items[k])
		how.keys[k] = true
		all = append(all, items[k])
	}
	sum := hmac.New(sha256.New, s.keys.Derive("inventory digest")) // keyed: nobody can find out from it whom a short list names by trying
	sum.Write(l.digest(all))
	w.hash = base64.RawURLEncoding.EncodeToString(sum.Sum(nil))
	var have []sealedBucket
	err = s.db.View(ctx, func(tx *store.Tx) (err error) {
		if len(split) == 1 && !how.whole {
			for b := range split {
				have, err = currentBucket(tx, t, b)
			}
			return err
		}
		have, err = currentBuckets(tx, t)
		return err
	})
	if err != nil {
		return w, nil, err
	}
	now := map[int64][]byte{}
	for _, b := range have {
		if _, ok := split[b.bucket]; !ok && how.whole {
			split[b.bucket] = nil
		}
		now[b.bucket] = b.sealed
	}
	numbers := slices.Sorted(maps.Keys(split))
	done, errs := make([]changed, len(numbers)), make([]error, len(numbers))
	each(len(numbers), func(i int) {
		n := numbers[i]
		var block []byte
		if sealed := now[n]; sealed != nil {
			if block, errs[i] = seal.Unpack(s.keys, sealed, aad(t, n)); errs[i] != nil {
				return
			}
		}
		done[i], errs[i] = l.change(block, split[n], how)
		done[i].bucket = n
	})
	for i, d := range done {
		if errs[i] != nil {
			return w, nil, errs[i]
		}
		w.count.add(d.count)
		rows = append(rows, d.rows...)
		if d.now != nil {
			w.done = append(w.done, d)
		}
	}
	slices.SortFunc(rows, func(a, b Change) int { return cmp.Compare(a.Key, b.Key) })
	return w, rows, nil
}

// aad binds a sealed row to its place.
func aad(t Type, n int64) []byte { return fmt.Appendf(nil, "inventory/%s/%d", t, n) }

func aadWas(t Type, bucket, imp int64) []byte {
	return fmt.Appendf(nil, "inventory/%s/%d/%d", t, bucket, imp)
}

// seal packs what is to be written: of each type and bucket, how it is now and
// what it was.
func (s *Store) seal(works []work, number int64) ([][][2]sealedBucket, error) {
	out := make([][][2]sealedBucket, len(works))
	for i, w := range works {
		out[i] = make([][2]sealedBucket, len(w.done))
		errs := make([]error, len(w.done))
		each(len(w.done), func(k int) {
			d := w.done[k]
			now, err1 := seal.Pack(s.keys, d.now, aad(w.typ, d.bucket))
			was, err2 := seal.Pack(s.keys, d.was, aadWas(w.typ, d.bucket, number))
			errs[k] = errors.Join(err1, err2)
			out[i][k] = [2]sealedBucket{{bucket: d.bucket, sealed: now}, {bucket: d.bucket, imp: number, sealed: was}}
		})
		if err := errors.Join(errs...); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// joiner finds the id by which the inventory knows an asset that a list calls by
// another: the one with the same serial number, if there is just one.
func joiner(last *Inventory, imp Import) func(Asset) (id string, ok bool) {
	var by map[string]string
	return func(a Asset) (string, bool) {
		s := serial(a.Serial)
		if imp.Source == Hand || s == "" {
			return "", false
		}
		if by == nil {
			by = make(map[string]string, len(last.Assets))
			for _, x := range last.Assets {
				if k := serial(x.Serial); k != "" {
					if _, twice := by[k]; twice {
						by[k] = ""
					} else {
						by[k] = x.ID
					}
				}
			}
		}
		id := by[s]
		if id == "" || id == a.ID {
			return "", false
		}
		if _, known := slices.BinarySearchFunc(last.Assets, a.ID, func(x Asset, id string) int { return cmp.Compare(x.ID, id) }); known {
			return "", false
		}
		return id, true
	}
}

// serial is a serial number as it is compared, "" for what is none.
func serial(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) < 5 || strings.Contains(s, " ") || strings.Trim(s, s[:1]) == "" || s == "default" || s == "unknown" {
		return "" // "0", "To be filled by O.E.M.", "0000000"
	}
	return s
}
