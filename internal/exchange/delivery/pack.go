package delivery

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
)

// Item is one frozen body of a record, on its way to one receiver.
type Item struct {
	N      int64
	Record reeve.RecordID
	Key    string // the record type's key value, ""
	Sender string // id of the Organisation that told it
	At     time.Time
	Digest string // of the record, for the journal
	Body   []byte // what is sent, byte for byte, at every attempt
}

// Terms are what a pack was made under; they are kept with it.
type Terms struct {
	Origin    string           `json:"origin"` // the flow's id when the pack was made
	Agreement string           `json:"agreement"`
	Purpose   reeve.Purpose    `json:"purpose"`
	Type      reeve.RecordType `json:"type"`  // of the records
	Shape     reeve.RecordType `json:"shape"` // of the bodies
	From      string           `json:"from"`  // Organisation that discloses
	To        string           `json:"to"`    // Organisation that receives
	Fields    []string         `json:"fields"`
	Set       string           `json:"set"`
	Replay    int64            `json:"replay,omitempty"`  // sent again as a new version, under this number
	Format    *format.Spec     `json:"format,omitempty"`  // of a file
	Columns   []string         `json:"columns,omitempty"` // of a CSV file, in packs of before there was a format
}

// State is where an item stands.
type State uint8

// The states.
const (
	Waiting   State = iota // to be sent
	Delivered              // the receiver has it
	Parked                 // the receiver refused it; see the held records
	Uncertain              // nobody knows whether it arrived; a person decides
	Behind                 // taken out again: it waits for an earlier record of its key
	Trying                 // an attempt was begun whose end is not known
)

var stateNames = [...]string{"waiting", "delivered", "parked", "uncertain", "behind", "trying"}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// owed reports whether something is still to be done about an item.
func (s State) owed() bool { return s == Waiting || s == Trying }

// itemState is the changing part of an item: 6 bytes in the pack's row.
type itemState struct {
	State State
	Tries uint8  // attempts that failed while others succeeded
	After uint32 // seconds from the making of the pack to the last change of State
}

const itemStateSize = 6

func encodeStates(ss []itemState) []byte {
	b := make([]byte, 0, len(ss)*itemStateSize)
	for _, s := range ss {
		b = append(b, byte(s.State), s.Tries)
		b = binary.LittleEndian.AppendUint32(b, s.After)
	}
	return b
}

func decodeStates(b []byte) ([]itemState, error) {
	if len(b)%itemStateSize != 0 {
		return nil, errors.New("delivery: the state of a pack is damaged")
	}
	ss := make([]itemState, len(b)/itemStateSize)
	for i := range ss {
		p := b[i*itemStateSize:]
		ss[i] = itemState{State(p[0]), p[1], binary.LittleEndian.Uint32(p[2:])}
	}
	return ss, nil
}

// EncodeNumbers writes growing numbers as differences.
func EncodeNumbers(ns []int64) []byte {
	b := binary.AppendUvarint(nil, uint64(len(ns)))
	var last int64
	for _, n := range ns {
		b = binary.AppendVarint(b, n-last)
		last = n
	}
	return b
}

// DecodeNumbers reads what EncodeNumbers wrote, and returns what follows it.
func DecodeNumbers(b []byte) (ns []int64, rest []byte, err error) {
	count, k := binary.Uvarint(b)
	if k <= 0 || count > uint64(len(b)) {
		return nil, nil, errors.New("delivery: the numbers of a pack are damaged")
	}
	b = b[k:]
	ns = make([]int64, count)
	var last int64
	for i := range ns {
		d, k := binary.Varint(b)
		if k <= 0 {
			return nil, nil, errors.New("delivery: the numbers of a pack are damaged")
		}
		b = b[k:]
		last += d
		ns[i] = last
	}
	return ns, b, nil
}

// Frozen is a pack, made and sealed, that is not stored yet.
type Frozen struct {
	flow, iface string
	terms       []byte
	items       []Item
	size        int // of the items, in memory
	body        []byte
	id          int64 // of the pack, once it is put
}

// Items of the pack. Do not change them.
func (f *Frozen) Items() []Item { return f.items }

// Freeze compresses and seals the bodies of items, which are in the order of
// their numbers. It does the heavy work, so it is done outside the transaction.
func (d *Desk) Freeze(flow, iface string, terms Terms, items []Item) (*Frozen, error) {
	if len(items) == 0 {
		return nil, errors.New("delivery: a pack of nothing")
	}
	terms.Origin = flow
	t, err := json.Marshal(terms)
	if err != nil {
		return nil, err
	}
	size := 0
	for _, it := range items {
		size += len(it.Body) + len(it.Key) + len(it.Sender) + len(it.Digest) + len(it.Record) + 40
	}
	b := make([]byte, 0, size)
	for _, it := range items {
		b = binary.AppendVarint(b, it.N)
		b = binary.AppendVarint(b, it.At.UnixMilli())
		for _, s := range []string{string(it.Record), it.Key, it.Sender, it.Digest} {
			b = appendString(b, s)
		}
		b = appendString(b, it.Body)
	}
	sealed, err := seal.PackBrief(d.o.Keys, b, aad(flow, items[0].N, items[len(items)-1].N))
	if err != nil {
		return nil, fmt.Errorf("delivery: sealing a pack of %s: %w", flow, err)
	}
	return &Frozen{flow: flow, iface: iface, terms: t, items: items, size: size, body: sealed}, nil
}

func aad(origin string, first, last int64) []byte {
	return fmt.Appendf(nil, "delivery/%s/%d/%d", origin, first, last)
}

func appendString[T string | []byte](b []byte, s T) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

var errDamaged = errors.New("delivery: the bodies of a pack are damaged")

func decodeItems(b []byte, count int) ([]Item, error) {
	items := make([]Item, 0, count)
	for len(b) > 0 {
		var it Item
		var k int
		if it.N, k = binary.Varint(b); k <= 0 {
			return nil, errDamaged
		}
		b = b[k:]
		ms, k := binary.Varint(b)
		if k <= 0 {
			return nil, errDamaged
		}
		b, it.At = b[k:], time.UnixMilli(ms).UTC()
		var parts [5][]byte
		for i := range parts {
			n, k := binary.Uvarint(b)
			if k <= 0 || n > uint64(len(b)-k) {
				return nil, errDamaged
			}
			parts[i], b = b[k:k+int(n):k+int(n)], b[k+int(n):]
		}
		it.Record, it.Key, it.Sender, it.Digest, it.Body = reeve.RecordID(parts[0]), string(parts[1]), string(parts[2]), string(parts[3]), parts[4]
		items = append(items, it)
	}
	if len(items) != count {
		return nil, errDamaged
	}
	return items, nil
}

// pack is a stored pack; items only when its bodies were loaded.
type pack struct {
	id          int64
	flow, iface string
	again       bool
	first, last int64
	made        time.Time
	terms       Terms
	numbers     []int64
	states      []itemState
	items       []Item
}

func (p *pack) owed() (n int) {
	for _, s := range p.states {
		if s.State.owed() {
			n++
		}
	}
	return n
}

// keep reports whether the bodies are still needed.
func (p *pack) keep() bool {
	return slices.ContainsFunc(p.states, func(s itemState) bool { return s.State.owed() || s.State == Uncertain })
}

// changed is the state of an item that changes now.
func (p *pack) changed(s itemState, to State, now time.Time) itemState {
	s.State = to
	s.After = uint32(min(max(now.Sub(p.made)/time.Second, 0), 1<<32-1))
	return s
}

// when is the time of the last change of item i, to a second.
func (p *pack) when(i int) time.Time {
	return p.made.Add(time.Duration(p.states[i].After) * time.Second)
}
