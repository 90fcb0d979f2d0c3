// Package quarantine keeps records that cannot go on by themselves until a person
// decides: a record that breaks its record type is held, one that a receiver
// refuses is parked.
//
// What is guaranteed. A held record is never lost and never in the way of others,
// except in a strict type of those with the same key, which wait for it and follow
// it in order. A corrected record is checked as if it had just come; it goes on
// under a new number, and the old id leads to it. Its body is sealed, and what was
// changed is journalled by the names of fields, never by values.
//
// What not to assume. A parked record stays in the log, and its flow decides what
// to do with it; this room only shows it and passes on what a person decides.
package quarantine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/once"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// State is where a held or parked record is.
type State string

// The states.
const (
	Open      State = "held"
	Released  State = "released" // of a parked record: tried again
	Discarded State = "discarded"
)

// Held is a record in quarantine.
type Held struct {
	N          int64
	ID         reeve.RecordID
	State      State
	Type       reeve.RecordType
	Sender     string // id of the Organisation
	Key        string // value of the type's key, ""
	Waits      reeve.RecordID
	Submission string
	Set        string
	Lane       once.Hash // of a strict type: what must stay in order
	Known      once.Hash // hash of sender, type and key, zero without a key
	Sent       once.Hash // digest of the body as it came
	At         time.Time
	Body       []byte
	Problems   []reeve.Problem
	Correction int64          // of many, that it is set aside for; 0 for none
	Became     reeve.RecordID // the id under which it went on
	Settled    time.Time
	SettledBy  string
	Reason     string
}

// Ward is the quarantine of one body.
type Ward struct {
	o       Options
	propose func(*store.Tx, Proposal) (int64, error)
}

// Options are what a ward stands on.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Log     *reclog.Log
	Bus     *bus.Bus
	Once    *once.Index
	Types   func() *contract.Set // in force
	Set     func() string        // hash of the definitions in force
	Parking Parking              // may be nil: then nothing can be parked
	// Settled is told how long a record was held that goes on now, for metrics.
	Settled func(t reeve.RecordType, held time.Duration)
	Zone    *time.Location // of times on pages; nil for UTC
	// Previews tells what flows would make of a record as it stands; nil: there are none.
	Previews func(ctx context.Context, h Held) []Preview
	// Name is what pages call a definition, by kind and id; nil: its id.
	Name func(kind, id string) string
	// Lineage is every id that a definition has or had, by kind and one of them, the
	// present one first; nil: none ever changed.
	Lineage func(kind, id string) []string
}

// Preview is what one flow would make of a held record.
type Preview struct {
	Flow, Name, Receiver string
	Decision             string // "sent", "filtered", ...
	Before               []byte // what the agreement leaves of it; nil for nothing
	After                []byte // what the receiver would get, nil for nothing
	Fields               []string
	Problems             []reeve.Problem
}

// SetPreviews names who knows what flows would make of a record. Call it before
// serving.
func (w *Ward) SetPreviews(fn func(ctx context.Context, h Held) []Preview) { w.o.Previews = fn }

// Parking is told what a person decided about a parked record.
type Parking interface {
	Retry(tx *store.Tx, flow string, n int64) error  // try it again soon
	GiveUp(tx *store.Tx, flow string, n int64) error // never again
}

// New makes the ward's tables.
func New(ctx context.Context, o Options) (*Ward, error) {
	if err := o.DB.Migrate(ctx, "quarantine", migrations); err != nil {
		return nil, err
	}
	w := &Ward{o: o}
	return w, w.Regroup(ctx)
}

// SetParking names who parks records. Call it before serving.
func (w *Ward) SetParking(p Parking) { w.o.Parking = p }

// Hold keeps a record whose number was reserved, and tells who cares. The caller
// writes the journal entry.
func (w *Ward) Hold(tx *store.Tx, h Held) error {
	h.State = Open
	if h.At.IsZero() {
		h.At = tx.Now
	}
	if err := w.insert(tx, h); err != nil {
		return err
	}
	_, err := w.o.Bus.Emit(tx, reeve.Event{Type: "record.held", About: about(h.ID)})
	return err
}

func about(id reeve.RecordID) reeve.Ref { return reeve.Ref("record/" + id) }

// Outcome is what became of a correction or a discard.
type Outcome struct {
	ID       reeve.RecordID // where the record is now; its old id while it is held
	Released bool
	Waits    reeve.RecordID  // it is good, but waits for this one
	Problems []reeve.Problem // it is still held because of these
	Followed int             // how many that waited for it went on with it
}

// Correct replaces the body of a held record. If it is good now it goes on, and
// those that wait for it alone follow; else it stays, with its new problems.
func (w *Ward) Correct(tx *store.Tx, actor reeve.Actor, id reeve.RecordID, body []byte) (Outcome, error) {
	h, err := w.free(tx, "quarantine.Correct", id)
	if err != nil {
		return Outcome{}, err
	}
	return w.correct(tx, actor, h, body, nil)
}

func (w *Ward) correct(tx *store.Tx, actor reeve.Actor, h Held, body []byte, why []string) (Outcome, error) {
	const op = "quarantine.Correct"
	id := h.ID
	v, err := rawjson.Decode(body)
	if err != nil {
		return Outcome{ID: id, Problems: []reeve.Problem{{Message: "is not well-formed JSON: " + err.Error()}}}, nil
	}
	old, err := rawjson.Decode(h.Body)
	if err != nil {
		return Outcome{}, fmt.Errorf("%s: %w", op, err)
	}
	changed, lane := append(why[:len(why):len(why)], changes(old, v)...), h.Lane
	h.Body = rawjson.AppendCompact(nil, body)
	t, ok := w.o.Types().Type(h.Type)
	if !ok {
		return Outcome{}, reeve.E(reeve.Conflict, op, "the record type %s is no longer defined: it can only be discarded", h.Type)
	}
	h.Key, h.Problems = t.CheckValue(v)
	w.place(&h, t)
	if h.Waits, err = w.before(tx, h); err != nil {
		return Outcome{}, err
	}
	if len(h.Problems) > 0 || h.Waits != "" {
		if err := w.update(tx, h); err != nil {
			return Outcome{}, err
		}
		if err := w.tell(tx, actor.ID, "corrected", h, append([]string{"still held"}, changed...)); err != nil {
			return Outcome{}, err
		}
		out := Outcome{ID: id, Problems: h.Problems, Waits: h.Waits}
		if h.Lane != lane { // its key changed: those of the old key need not wait for it
			out.Followed, err = w.follow(tx, actor.ID, lane)
		}
		return out, err
	}
	out, err := w.release(tx, actor.ID, h, t, changed)
	if err != nil {
		return Outcome{}, err
	}
	if out.Followed, err = w.follow(tx, actor.ID, lane); err != nil || h.Lane == lane {
		return out, err
	}
	n, err := w.follow(tx, actor.ID, h.Lane)
	out.Followed += n
	return out, err
}

// Newer is the record that came in later with the same key, "" for none. Sent on
// now, a held record would count as newer still.
func (w *Ward) Newer(tx *store.Tx, h Held) (reeve.RecordID, error) {
	if h.Known.Zero() {
		return "", nil
	}
	seen, ok, err := w.o.Once.Find(tx, nil, h.Known)
	if err != nil || !ok || seen.N <= h.N {
		return "", err
	}
	return seen.ID(), nil
}

// place fills in what follows from the record's key.
func (w *Ward) place(h *Held, t *contract.Type) {
	h.Known, h.Lane = once.Hash{}, once.Hash{}
	if h.Key == "" {
		return
	}
	h.Known = w.o.Once.Key(h.Sender, t.ID, h.Key)
	if t.Strict {
		h.Lane = h.Known
	}
}

// before is the last open record in the same lane that h must wait for.
func (w *Ward) before(tx *store.Tx, h Held) (reeve.RecordID, error) {
	if h.Lane.Zero() {
		return "", nil
	}
	in, err := lanes(tx, []once.Hash{h.Lane})
	if err != nil {
		return "", err
	}
	var waits reeve.RecordID
	for _, l := range in {
		if l.N < h.N {
			waits = l.ID
		}
	}
	return waits, nil
}

// release sends a good record on.
func (w *Ward) release(tx *store.Tx, by string, h Held, t *contract.Type, why []string) (Outcome, error) {
	digest := w.o.Once.Digest(h.Body)
	var replaces reeve.RecordID
	if !h.Known.Zero() {
		seen, ok, err := w.o.Once.Find(tx, nil, h.Known)
		if err != nil {
			return Outcome{}, err
		}
		if ok && seen.ID() != h.ID {
			if seen.Digest == digest {
				h.Became = seen.ID()
				return Outcome{ID: h.Became, Released: true}, w.settle(tx, by, "released", h, append([]string{"as a duplicate"}, why...))
			}
			replaces = seen.ID()
		}
	}
	recs := []reclog.Record{{
		Type: t.ID, Sender: h.Sender, Key: h.Key, Set: w.o.Set(), Submission: h.Submission,
		Replaces: replaces, ReleasedFrom: h.ID, Body: h.Body,
	}}
	if err := w.o.Log.Append(tx, recs); err != nil {
		return Outcome{}, err
	}
	r := recs[0]
	if !h.Known.Zero() {
		if err := w.o.Once.Put(tx, h.Known, once.Seen{N: r.N, Epoch: tx.Head().Epoch, At: tx.Now, Digest: digest, Sent: h.Sent}); err != nil {
			return Outcome{}, err
		}
	}
	h.Became = r.ID
	if err := w.settle(tx, by, "released", h, why); err != nil {
		return Outcome{}, err
	}
	if _, err := w.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: "accepted", About: about(r.ID), Set: r.Set,
		Why: []string{"released from " + string(h.ID)}, Digest: r.Digest}); err != nil {
		return Outcome{}, err
	}
	_, err := w.o.Bus.Emit(tx, reeve.Event{Type: "record.released", About: about(r.ID)})
	return Outcome{ID: r.ID, Released: true}, err
}

// settle closes a held record.
func (w *Ward) settle(tx *store.Tx, by, verb string, h Held, why []string) error {
	h.State, h.Settled, h.SettledBy = Released, tx.Now, by
	if verb == "discarded" {
		h.State = Discarded
	}
	h.Waits = ""
	if err := w.update(tx, h); err != nil {
		return err
	}
	if w.o.Settled != nil && h.State == Released {
		w.o.Settled(h.Type, tx.Now.Sub(h.At))
	}
	return w.tell(tx, by, verb, h, why)
}

func (w *Ward) tell(tx *store.Tx, by, verb string, h Held, why []string) error {
	_, err := w.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: verb, About: about(h.ID), Set: w.o.Set(), Why: why})
	return err
}

// follow releases, in order, those of a lane that waited and have nothing wrong,
// up to the first that has, or that is set aside for a correction.
func (w *Ward) follow(tx *store.Tx, by string, lane once.Hash) (n int, err error) {
	if lane.Zero() {
		return 0, nil
	}
	in, err := lanes(tx, []once.Hash{lane})
	if err != nil {
		return 0, err
	}
	for i, l := range in {
		h, err := w.load(tx, l.N)
		if err != nil {
			return n, err
		}
		t, ok := w.o.Types().Type(h.Type)
		if !ok {
			return n, nil
		}
		if h.Correction == 0 {
			h.Key, h.Problems = t.Check(h.Body)
		}
		if len(h.Problems) > 0 || h.Correction != 0 {
			h.Waits = ""
			if err := w.update(tx, h); err != nil {
				return n, err
			}
			for _, later := range in[i+1:] {
				if err := w.waitFor(tx, later.N, h.ID); err != nil {
					return n, err
				}
			}
			return n, nil
		}
		if _, err := w.release(tx, by, h, t, []string{"after " + string(h.Waits)}); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// Discard closes a held record for good. The reason is for people and stays with
// the record; the journal tells only that there is one.
func (w *Ward) Discard(tx *store.Tx, actor reeve.Actor, id reeve.RecordID, reason string) (Outcome, error) {
	const op = "quarantine.Discard"
	if reason == "" {
		return Outcome{}, reeve.E(reeve.Invalid, op, "give a reason")
	}
	h, err := w.free(tx, op, id)
	if err != nil {
		return Outcome{}, err
	}
	h.Reason = reason
	if err := w.settle(tx, actor.ID, "discarded", h, []string{"with a reason"}); err != nil {
		return Outcome{}, err
	}
	if _, err := w.o.Bus.Emit(tx, reeve.Event{Type: "record.discarded", About: about(h.ID)}); err != nil {
		return Outcome{}, err
	}
	followed, err := w.follow(tx, actor.ID, h.Lane)
	return Outcome{ID: id, Followed: followed}, err
}

// free loads a record that is still held and set aside for no correction.
func (w *Ward) free(tx *store.Tx, op string, id reeve.RecordID) (Held, error) {
	h, err := w.open(tx, op, id)
	if err == nil && h.Correction != 0 {
		err = reeve.E(reeve.Conflict, op, "%s is part of correction %d: release or undo that first", id, h.Correction)
	}
	return h, err
}

// open loads a record that is still held.
func (w *Ward) open(tx *store.Tx, op string, id reeve.RecordID) (Held, error) {
	h, err := w.GetTx(tx, id)
	if err != nil {
		return h, err
	}
	if h.State != Open {
		return h, reeve.E(reeve.Conflict, op, "%s is no longer held: somebody %s it on %s", id, h.State, h.Settled.Format("2 January 2006 15:04"))
	}
	return h, nil
}

// Get returns a record that is or was held, or an error of kind NotFound.
func (w *Ward) Get(ctx context.Context, id reeve.RecordID) (h Held, err error) {
	err = w.o.DB.View(ctx, func(tx *store.Tx) error {
		h, err = w.GetTx(tx, id)
		return err
	})
	return h, err
}

// GetTx is Get in a transaction.
func (w *Ward) GetTx(tx *store.Tx, id reeve.RecordID) (Held, error) {
	_, n, err := id.Parse()
	if err != nil {
		return Held{}, err
	}
	h, err := w.load(tx, n)
	if err == nil && h.ID != id {
		err = notHeld(id)
	}
	return h, err
}

func notHeld(id reeve.RecordID) error {
	return reeve.E(reeve.NotFound, "quarantine.Get", "there is no held record %s", id)
}

// changes lists where two records differ, by names that may be told.
func changes(a, b any) []string {
	var out []string
	diff("", a, b, agreement.SafeName, &out)
	slices.Sort(out)
	out = slices.Compact(out)
	if len(out) > 50 {
		out = append(out[:50], "and more")
	}
	return out
}

// diff tells where a and b differ; name is how the name of a field is written.
func diff(at string, a, b any, name func(string) string, out *[]string) {
	switch a := a.(type) {
	case map[string]any:
		if b, ok := b.(map[string]any); ok {
			for k, v := range a {
				if w, ok := b[k]; ok {
					diff(at+"/"+name(k), v, w, name, out)
				} else {
					*out = append(*out, at+"/"+name(k))
				}
			}
			for k := range b {
				if _, ok := a[k]; !ok {
					*out = append(*out, at+"/"+name(k))
				}
			}
			return
		}
	case []any:
		if b, ok := b.([]any); ok && len(a) == len(b) {
			for i := range a {
				diff(fmt.Sprintf("%s/%d", at, i), a[i], b[i], name, out)
			}
			return
		}
	default:
		switch b.(type) {
		case map[string]any, []any:
		default:
			if a == b {
				return
			}
		}
	}
	*out = append(*out, at)
}

// Parked is a record that a flow could not deliver.
type Parked struct {
	Flow     string
	N        int64
	ID       reeve.RecordID
	State    State
	Type     reeve.RecordType
	Sender   string
	Cause    string // "refused by receiver", "mapping failed", "filter unknown", "uncertain"
	At       time.Time
	Problems []reeve.Problem
	By       string
	Settled  time.Time
}

// Park shows a record of the log that a flow could not deliver beside those that
// are held. Parked again, it is shown again with its new problems. The caller
// writes the journal entry.
func (w *Ward) Park(tx *store.Tx, p Parked) error {
	if p.At.IsZero() {
		p.At = tx.Now
	}
	p.State = Open
	if err := w.putParked(tx, p); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"flow": p.Flow, "cause": p.Cause})
	if err != nil {
		return err
	}
	_, err = w.o.Bus.Emit(tx, reeve.Event{Type: "record.parked", About: about(p.ID), Body: body})
	return err
}

// Decide passes on what a person decided about a parked record: to try it again or
// to give it up.
func (w *Ward) Decide(tx *store.Tx, actor reeve.Actor, flow string, n int64, again bool) error {
	const op = "quarantine.Decide"
	p, err := w.parked(tx, flow, n)
	if err != nil {
		return err
	}
	if p.State != Open || w.o.Parking == nil {
		return reeve.E(reeve.Conflict, op, "%s no longer waits for a decision in %s", p.ID, flow)
	}
	verb, state := "given up", Discarded
	if again {
		verb, state = "tried again", Released
	}
	if err := settleParked(tx, flow, n, state, actor.ID); err != nil {
		return err
	}
	if _, err := w.o.Journal.Append(tx, journal.Entry{Actor: actor.ID, Verb: verb, About: about(p.ID), Set: w.o.Set(), Why: []string{"flow " + flow}}); err != nil {
		return err
	}
	flow = w.lineage("Flow", flow)[0] // it may be called otherwise since
	if again {
		return w.o.Parking.Retry(tx, flow, n)
	}
	return w.o.Parking.GiveUp(tx, flow, n)
}

// Blocked is what stands in the way of records of strict types.
type Blocked map[once.Hash]reeve.RecordID

// Blocking looks up which of the lanes hold an open record, and the last in each.
func (w *Ward) Blocking(tx *store.Tx, of []once.Hash) (Blocked, error) {
	in, err := lanes(tx, of)
	if err != nil || len(in) == 0 {
		return nil, err
	}
	b := make(Blocked)
	for _, l := range in {
		b[l.Lane] = l.ID
	}
	return b, nil
}
