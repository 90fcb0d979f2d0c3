package intake

import (
	"encoding/json"
	"strconv"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/once"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// item is one record on its way through the door.
type item struct {
	from, to int   // where its bytes are in the batch
	place    int64 // in the submission, from 0

	// set by check
	body     []byte // cut down, without space
	key      string
	known    once.Hash // hash of sender, type and key; zero without a key
	header   once.Hash // hash of the Idempotency-Key and the place; zero without one
	digest   once.Hash
	term     *agreement.Term
	cutOff   string // names of fields, for the journal
	problems []reeve.Problem

	// set by check where a rule of the source put it right
	mend quarantine.Mended
	was  []reeve.Problem // what was wrong with it
	now  once.Hash       // digest of body; digest is that of what came

	// why it is refused, set by check or commit
	kind reeve.Kind
	code string

	// set by commit
	status string
	id     reeve.RecordID
	seq    int64
}

func (it *item) refuse(kind reeve.Kind, code, message string) {
	it.kind, it.code, it.body = kind, code, nil
	it.problems = []reeve.Problem{{Message: message}}
}

// usualReceipt is about how many bytes a receipt has.
const usualReceipt = 72

// commit makes batches durable, all or none, and writes their receipts.
func (r *run) commit(load []*batch) error {
	var all Counts
	var lines []byte
	spool := r.count+len(load) > 1 && r.call.Mark == nil // the receipts of a short submission are not kept
	count := 0
	for _, b := range load {
		count += len(b.items)
	}
	err := r.d.o.DB.Update(r.ctx, func(tx *store.Tx) error {
		r.d.o.Log.Expect(tx, count)
		if err := r.d.o.Once.Expect(tx, count); err != nil {
			return err
		}
		all, lines = Counts{}, make([]byte, 0, count*usualReceipt)
		for _, b := range load {
			c, err := r.settle(tx, b)
			if err != nil {
				return err
			}
			all.plus(c)
			for i := range b.items {
				lines = b.items[i].receipt(lines)
			}
		}
		if err := see(tx, r.call.Actor.Party, r.call.Type, all); err != nil || !spool {
			return err
		}
		if !r.result.spooled {
			if err := r.spool(tx); err != nil {
				return err
			}
		}
		return r.d.putReceipts(tx, r.result.Submission, r.count, lines)
	})
	if err != nil {
		return err
	}
	res := r.result
	res.Counts.plus(all)
	for _, b := range load {
		res.note(b)
	}
	r.count++
	if spool {
		res.lines, res.spooled = nil, true
	} else {
		res.lines = lines
	}
	return nil
}

// spool begins to keep receipts in the database, with those of the first batches if
// there are any yet.
func (r *run) spool(tx *store.Tx) error {
	if err := putSubmission(tx, r.submission("receiving")); err != nil || r.count == 0 {
		return err
	}
	return r.d.putReceipts(tx, r.result.Submission, 0, r.result.lines)
}

// settle decides about a batch and says how far the rows have come.
func (r *run) settle(tx *store.Tx, b *batch) (c Counts, err error) {
	t, ok := b.rules.Types.Type(r.call.Type)
	if err := r.decide(tx, b, ok && t.Strict); err != nil {
		return c, err
	}
	for i := range b.items {
		c.add(b.items[i].status)
	}
	return c, r.mark(tx, b, c)
}

// note keeps why the first record was refused, and how many were outside.
func (r *Result) note(b *batch) {
	for i := range b.items {
		it := &b.items[i]
		if it.code != "" && r.FirstWhy == "" {
			r.First, r.FirstWhy = it.kind, it.problems[0].Message
		}
		if it.code == outside {
			r.Outside++
		}
	}
}

// decide settles every record of a batch, on the committer.
func (r *run) decide(tx *store.Tx, b *batch, strict bool) error {
	epoch := tx.Head().Epoch
	var blocked quarantine.Blocked
	if strict {
		lanes := make([]once.Hash, 0, len(b.items))
		for i := range b.items {
			if it := &b.items[i]; it.code == "" && !it.known.Zero() {
				lanes = append(lanes, it.known)
			}
		}
		var err error
		if blocked, err = r.d.o.Ward.Blocking(tx, lanes); err != nil {
			return err
		}
	}
	if blocked == nil {
		blocked = quarantine.Blocked{}
	}
	entries := make([]journal.Entry, 0, len(b.items))
	var refused []*item
	for i := range b.items {
		it := &b.items[i]
		e, err := r.decideOne(tx, b, it, epoch, strict, blocked)
		if err != nil {
			return err
		}
		if it.status == "refused" {
			refused = append(refused, it)
			it.seq = int64(len(entries)) // the entry's place, for now
		}
		if e.Verb != "" {
			entries = append(entries, e)
		}
	}
	if rules := used(b.items); rules != nil && r.d.o.Used != nil {
		if err := r.d.o.Used(tx, rules); err != nil {
			return err
		}
	}
	if len(entries) == 0 {
		return nil
	}
	first, err := r.d.o.Journal.Append(tx, entries...)
	if err != nil {
		return err
	}
	for _, it := range refused {
		it.id = RefusedID(epoch, first+it.seq)
		it.seq = 0
	}
	return nil
}

// decideOne settles one record and returns its journal entry; none for a duplicate.
func (r *run) decideOne(tx *store.Tx, b *batch, it *item, epoch int64, strict bool, blocked quarantine.Blocked) (journal.Entry, error) {
	x := r.d.o.Once
	var none journal.Entry
	if it.code != "" {
		return r.refused(b, it, epoch), nil
	}
	var replaces reeve.RecordID
	if !it.header.Zero() {
		seen, ok, err := x.Find(tx, b.ahead, it.header)
		if err != nil {
			return none, err
		}
		if ok && it.same(seen) {
			it.status, it.id, it.seq = "duplicate", seen.ID(), seen.N
			return none, nil
		}
		if ok {
			it.problems = []reeve.Problem{{Message: "was sent before with the same Idempotency-Key and other content: use a new key for new content"}}
			it.kind, it.code = reeve.Conflict, "conflict"
			return r.refused(b, it, epoch), nil
		}
	}
	if !it.known.Zero() {
		seen, ok, err := x.Find(tx, b.ahead, it.known)
		if err != nil {
			return none, err
		}
		if ok && it.same(seen) {
			it.status, it.id, it.seq = "duplicate", seen.ID(), seen.N
			return none, nil
		}
		if ok {
			replaces = seen.ID()
		}
	}
	if r.term != it.term {
		r.term, r.why = it.term, []string{"agreement " + it.term.Agreement}
	}
	e := journal.Entry{Actor: r.call.Actor.ID, Set: b.rules.Set, Purpose: it.term.Purpose(), Why: r.why[:1:1]}
	if it.cutOff != "" {
		e.Why = append(e.Why, it.cutOff)
	}
	if it.mend.Rule != 0 {
		e.Why = append(e.Why, "corrected by rule "+strconv.FormatInt(it.mend.Rule, 10))
		e.Why = append(e.Why, it.mend.Changed...)
	}
	submission := r.result.Submission
	if !it.header.Zero() {
		submission += "#" + strconv.FormatInt(it.place, 36)
	}
	waits, blockedByOther := blocked[it.known]
	if len(it.problems) > 0 || strict && blockedByOther && !it.known.Zero() {
		it.status = "held"
		it.seq = r.d.o.Log.Reserve(tx)
		it.id = reeve.NewRecordID(epoch, it.seq)
		h := quarantine.Held{N: it.seq, ID: it.id, Type: r.call.Type, Sender: r.call.Actor.Party, Key: it.key, Submission: submission,
			Set: b.rules.Set, Known: it.known, Sent: it.digest, Body: it.body, Problems: it.problems}
		if strict {
			h.Lane = it.known
			if blockedByOther {
				h.Waits = waits
			}
			if !it.known.Zero() {
				blocked[it.known] = it.id
			}
		}
		if err := r.d.o.Ward.Hold(tx, h); err != nil {
			return none, err
		}
		e.Verb = "held"
		if h.Waits != "" {
			it.problems = append(it.problems, reeve.Problem{Message: "waits for " + string(h.Waits) + ", an earlier record with the same key"})
		}
	} else {
		rec := &r.one[0]
		*rec = reclog.Record{Type: r.call.Type, Sender: r.call.Actor.Party, Key: it.key, Set: b.rules.Set, Submission: submission,
			Replaces: replaces, Body: it.body}
		if err := r.d.o.Log.Append(tx, r.one[:]); err != nil {
			return none, err
		}
		it.status, it.id, it.seq = "accepted", rec.ID, rec.N
		e.Verb, e.Digest = "accepted", rec.Digest
	}
	e.About = reeve.Ref("record/" + it.id)
	seen := it.seen(once.Seen{N: it.seq, Epoch: epoch, At: tx.Now})
	if !it.known.Zero() {
		if err := x.Put(tx, it.known, seen); err != nil {
			return none, err
		}
	}
	if !it.header.Zero() {
		seen.Header = true
		if err := x.Put(tx, it.header, seen); err != nil {
			return none, err
		}
	}
	return e, nil
}

func (r *run) refused(b *batch, it *item, epoch int64) journal.Entry {
	it.status = "refused"
	agreementID := ""
	if it.term != nil {
		agreementID = it.term.Agreement
	}
	return r.d.refusal(r.call, b.rules, epoch, r.result.Submission, r.call.Type, it.code, agreementID)
}

// RefusedID names a record that was refused, by the number of its journal entry.
func RefusedID(epoch, entry int64) reeve.RecordID {
	return reeve.RecordID("x" + strconv.FormatInt(epoch, 10) + "-" + strconv.FormatInt(entry, 10))
}

func (c *Counts) add(status string) {
	c.Records++
	switch status {
	case "accepted":
		c.Accepted++
	case "held":
		c.Held++
	case "duplicate":
		c.Duplicate++
	default:
		c.Refused++
	}
}

func (c *Counts) plus(o Counts) {
	c.Records += o.Records
	c.Accepted += o.Accepted
	c.Held += o.Held
	c.Duplicate += o.Duplicate
	c.Refused += o.Refused
}

// receipt appends the record's receipt, a line of JSON.
func (it *item) receipt(dst []byte) []byte {
	dst = append(dst, `{"id":"`...)
	dst = append(dst, it.id...)
	dst = append(dst, `","seq":`...)
	dst = strconv.AppendInt(dst, it.seq, 10)
	dst = append(dst, `,"status":"`...)
	dst = append(dst, it.status...)
	dst = append(dst, `","problems":`...)
	told := it.told()
	if len(told) == 0 || it.status == "duplicate" {
		return append(dst, "[]}\n"...)
	}
	problems, err := json.Marshal(told)
	if err != nil { // strings and structs only: cannot happen
		problems = []byte("[]")
	}
	dst = append(dst, problems...)
	return append(dst, "}\n"...)
}
