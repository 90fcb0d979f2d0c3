// Package delivery carries frozen bodies to their receivers and keeps account of
// what became of each.
//
// What is guaranteed. A body is stored before the first attempt and is the same,
// byte for byte, at every attempt. The agreement is asked again before each
// attempt. A receiver that recognises repeats has one effect of each item, also
// when this program dies at any moment; for one that does not, an attempt is
// journalled before it is made, and one that ends unclear is never repeated
// unless a person says so. A receiver that is slow or down costs only its own
// flow. An item and its journal entry are settled in one transaction.
//
// What not to assume. Items of one key arrive in order only where the record type
// is strict; others overtake. Delivered means that the receiver said so.
package delivery

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/iface"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Bounds.
const (
	Ahead        = 8               // packs of a flow that may be owed before no more are made
	perCall      = 128             // items of one call of a sink
	inFlight     = 8               // requests at once to one interface
	maxTries     = 20              // failures of one item, while others succeed, before it is parked
	maxTriesHere = 5               // the same of a receiver in this program
	maxWait      = 5 * time.Minute // longest wait of our own between attempts
	timeout      = 15 * time.Second
)

// Receiver is a part of this program that takes deliveries. It acts in the
// transaction that settles them. A problem, by index, parks that item; an error
// undoes everything and is tried again later.
type Receiver interface {
	Receive(tx *store.Tx, d []reeve.Delivered) (problems map[int]string, err error)
}

// Refusal is an item that its receiver will not take.
type Refusal struct {
	Flow, Interface string
	N               int64
	Record          reeve.RecordID
	Problems        []reeve.Problem
}

// Options of a desk.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Log     *slog.Logger
	Now     func() time.Time
	Getenv  func(string) string
	// Park puts a refused item where people see and correct it.
	Park func(tx *store.Tx, r Refusal) error
	// Address is asked about every outbound address, after DNS; nil allows all.
	Address func(network, address string) error
	// Count is told of every outcome, for metrics; nil for nobody.
	Count func(flow, outcome string, n int)
	// Timeout of one request; 0 for 15 s.
	Timeout time.Duration
}

// Line is a flow as delivery sees it.
type Line struct {
	Flow      string
	Interface string // id
	Spec      *iface.Spec
	Ordered   bool // strict order of a key
}

// Desk delivers.
type Desk struct {
	o        Options
	salt     []byte
	recent   recent
	restored time.Time // when the database was filled from a backup; zero for never

	mu         sync.Mutex
	lines      map[string]*Line
	agreements *agreement.Set
	receivers  map[string]Receiver
	lanes      map[string]*lane // by flow: what is known of it since the start
	held       map[string]bool  // flows whose debts are known to be held
	finished   chan *lane
	running    int
}

// lane is what the desk remembers of one flow.
type lane struct {
	flow    string
	running bool
	fails   int       // rounds in a row in which nothing was taken
	since   time.Time // when the first of them was
	next    time.Time // no attempt before
	why     string    // what it waits for, for people
	chunk   int       // items in one call; halved when a receiver in this program fails
	sink    *sink
	did     int
	failed  map[int64]int // rounds in which an item failed, by its number
	broken  bool          // the database failed us; nothing is sent before it is well again
}

// Open makes the tables and returns a desk without lines.
func Open(ctx context.Context, o Options) (*Desk, error) {
	if err := o.DB.Migrate(ctx, "exchange/delivery", Migrations); err != nil {
		return nil, err
	}
	if o.Timeout <= 0 {
		o.Timeout = timeout
	}
	if o.Count == nil {
		o.Count = func(string, string, int) {}
	}
	var restored time.Time
	if err := o.DB.View(ctx, func(tx *store.Tx) (err error) { restored, err = tx.Restored(); return err }); err != nil {
		return nil, err
	}
	return &Desk{o: o, restored: restored, salt: o.Keys.Derive("delivery: keys of records"), lines: map[string]*Line{}, receivers: map[string]Receiver{},
		recent: recent{packs: map[int64]*Frozen{}}, lanes: map[string]*lane{}, held: map[string]bool{}, finished: make(chan *lane, 1)}, nil
}

// Receiver registers a part of this program under the NAME of internal:NAME.
func (d *Desk) Receiver(name string, r Receiver) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.receivers[name] = r
}

// Receivers are the names registered.
func (d *Desk) Receivers() (names []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for n := range d.receivers {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// SetLines puts the flows of a new set of definitions in force. What flows owe
// that are no longer there is held.
func (d *Desk) SetLines(lines []*Line, agreements *agreement.Set) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines, d.agreements = make(map[string]*Line, len(lines)), agreements
	for _, l := range lines {
		d.lines[l.Flow] = l
		if ln := d.lanes[l.Flow]; ln != nil {
			ln.next = time.Time{} // what was wrong may be right now
		}
	}
}

// Internal reports whether the receiver of a flow is a part of this program.
func (d *Desk) Internal(flow string) bool {
	l := d.line(flow)
	if l == nil {
		return false
	}
	t, err := l.Spec.Target(d.o.Getenv)
	return err == nil && t.Internal()
}

func (d *Desk) line(flow string) *Line {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.lines[flow]
}

// allowed asks the agreements, as they are now, about what was frozen earlier. It
// returns why nothing may be sent, or "".
func (d *Desk) allowed(t Terms) string {
	d.mu.Lock()
	set := d.agreements
	d.mu.Unlock()
	a, ok := set.Get(t.Agreement)
	if !ok {
		return fmt.Sprintf("agreement %s is no longer there", t.Agreement)
	}
	if ok, reason := set.Live(a, d.o.Now()); !ok {
		return reason
	}
	if t = d.present(t); a.From != t.From || a.To != t.To {
		return fmt.Sprintf("agreement %s is now between others", a.ID)
	}
	var fields []string
	for _, term := range a.Terms {
		if term.Type == t.Type && slices.Contains(term.Purposes, t.Purpose) {
			fields = append(fields, term.Fields...)
		}
	}
	if len(fields) == 0 {
		return fmt.Sprintf("agreement %s no longer covers %s for %s", a.ID, t.Type, t.Purpose)
	}
	if f := uncovered(fields, t.Fields); f != "" {
		return fmt.Sprintf("agreement %s no longer covers the field %s, which was prepared to be sent", a.ID, f)
	}
	return ""
}

// uncovered returns a field of want that is not inside one of have, or "".
func uncovered(have, want []string) string {
	for _, w := range want {
		if !slices.ContainsFunc(have, func(h string) bool { return h == "" || h == w || strings.HasPrefix(w, h+"/") }) {
			if w == "" {
				return "/"
			}
			return w
		}
	}
	return ""
}

// hash stands for a key in tables that people may read.
func (d *Desk) hash(key string) string {
	m := hmac.New(sha256.New, d.salt)
	m.Write([]byte(key))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// Owed is how many packs a flow has that are not settled.
func (d *Desk) Owed(tx *store.Tx, flow, iface string) (int, error) {
	packs, _, err := countOwed(tx, flow, iface)
	return packs, err
}

// Put stores a frozen pack in the transaction that journals its disclosure. With
// ordered, items whose key waits for an earlier record are set aside behind it,
// and returned: they are not disclosed yet. again is for records that the flow
// has passed before.
func (d *Desk) Put(tx *store.Tx, f *Frozen, ordered, again bool) (behind map[int64]bool, err error) {
	states := make([]itemState, len(f.items))
	owed := len(states)
	if ordered {
		if behind, err = d.setAside(tx, f, again); err != nil {
			return nil, err
		}
		for i, it := range f.items {
			if behind[it.N] {
				states[i].State = Behind
				owed--
			}
		}
	}
	tx.Weigh(len(f.body))
	if again {
		for _, it := range f.items {
			if !behind[it.N] {
				if err := deleteBehind(tx, f.flow, it.N); err != nil {
					return nil, err
				}
			}
		}
	}
	if owed == 0 {
		return behind, nil
	}
	f.id, err = insertPack(tx, f, again, states, owed)
	return behind, err
}

func (d *Desk) setAside(tx *store.Tx, f *Frozen, again bool) (map[int64]bool, error) {
	blocks, err := readBlocks(tx, f.flow)
	if err != nil {
		return nil, err
	}
	waiting := map[string]bool{}
	if !again {
		if waiting, err = behindHashes(tx, f.flow); err != nil {
			return nil, err
		}
	}
	if len(blocks) == 0 && len(waiting) == 0 {
		return nil, nil
	}
	behind := map[int64]bool{}
	for _, it := range f.items {
		if it.Key == "" {
			continue
		}
		h := d.hash(it.Key)
		if b, blocked := blocks[h]; blocked && b.n < it.N || waiting[h] {
			behind[it.N] = true
			if err := insertBehind(tx, f.flow, h, it.N, it.Record); err != nil {
				return nil, err
			}
		}
	}
	return behind, nil
}

// Block makes later records of a key wait for record n of a flow, which is parked
// or held. Call it before Put in the same transaction.
func (d *Desk) Block(tx *store.Tx, flow, key string, n int64, rec reeve.RecordID, why string) error {
	if key == "" {
		return nil
	}
	return insertBlock(tx, flow, d.hash(key), block{n, rec, why})
}

// Unblock lets go on what waits for a record, in one flow or, with "", in all.
func (d *Desk) Unblock(tx *store.Tx, flow string, rec reeve.RecordID) error {
	return deleteBlocks(tx, flow, rec)
}

// SetBehind puts record n of a flow aside, behind the others of its key, or, with
// no key, to be taken up again at once.
func (d *Desk) SetBehind(tx *store.Tx, flow, key string, n int64, rec reeve.RecordID) error {
	h := ""
	if key != "" {
		h = d.hash(key)
	}
	return insertBehind(tx, flow, h, n, rec)
}

// Waits reports whether records of any key wait behind one in this flow, and for
// which keys: Waiting(key) answers for one.
func (d *Desk) Waits(tx *store.Tx, flow string) (*Waits, error) {
	blocks, err := readBlocks(tx, flow)
	if err != nil {
		return nil, err
	}
	behind, err := behindHashes(tx, flow)
	return &Waits{d, blocks, behind}, err
}

// Waits is what keys of a flow wait for.
type Waits struct {
	d      *Desk
	blocks map[string]block
	behind map[string]bool
}

// Key reports whether record n of a key must wait for an earlier one.
func (w *Waits) Key(key string, n int64) bool {
	if key == "" || len(w.blocks) == 0 && len(w.behind) == 0 {
		return false
	}
	h := w.d.hash(key)
	b, ok := w.blocks[h]
	return ok && b.n < n || w.behind[h]
}

// Blocked is Key for a record that itself stood behind: only a parked, held or
// uncertain predecessor counts.
func (w *Waits) Blocked(key string, n int64) bool {
	if key == "" || len(w.blocks) == 0 {
		return false
	}
	b, ok := w.blocks[w.d.hash(key)]
	return ok && b.n < n
}

// Free lists records of a flow that were set aside and need not wait any more.
func (d *Desk) Free(tx *store.Tx, flow string, limit int) ([]int64, error) {
	return behindFree(tx, flow, limit)
}

// Passed takes a record off those set aside: the flow has dealt with it.
func (d *Desk) Passed(tx *store.Tx, flow string, n int64) error { return deleteBehind(tx, flow, n) }

// Rename gives what a flow owes, and its history, to the flow's new id.
func (d *Desk) Rename(tx *store.Tx, old, flow string) error { return rename(tx, old, flow) }

// RenameInterface gives what is owed to an interface to its new id.
func (d *Desk) RenameInterface(tx *store.Tx, old, ifc string) error {
	return renameInterface(tx, old, ifc)
}

// backoff is how long to wait after so many failures in a row, with jitter.
func backoff(fails int) time.Duration {
	w := min(time.Second<<min(max(fails-1, 0), 12), maxWait)
	return w - w/5 + rand.N(2*w/5+1)
}
