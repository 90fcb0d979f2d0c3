// Package intake is the one door through which records enter, whatever brought
// them: an API call, a file, a poll, a form, an event.
//
// What is guaranteed. A receipt is given for every record, in order, and only once
// what it says is durable: accepted and held records are kept, duplicates lead to
// the record that came first, refused ones are journalled and not kept. Before
// anything is stored, journalled or told, a record is cut down to the fields of the
// agreement it comes under. A record is kept once however often it is sent with the
// same key, also when it is sent twice at the same moment. Memory does not grow
// with the body.
//
// What not to assume. A submission is not a transaction: where a body breaks off,
// what came before stays and has its receipts. That a record is accepted says
// nothing yet about who will get it; flows decide that later.
package intake

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/once"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Bounds of one submission. A batch is about what the log keeps in one pack.
const (
	batchRecords = 1000
	batchBytes   = 1 << 20
	firstRead    = 4 << 10 // most calls bring one small record
	readSize     = 64 << 10
	maxMalformed = 100_000 // records that are not JSON, before the rest is not read
)

// Rules is what the definitions in force say about intake.
type Rules struct {
	Types      *contract.Set
	Agreements *agreement.Set
	Set        string // hash of the definitions
}

// Options are what a desk stands on.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Log     *reclog.Log
	Once    *once.Index
	Ward    *quarantine.Ward
	Rules   func() *Rules // in force
	Observe func(t reeve.RecordType, c Counts)
	// Mend puts records right that would be held, by rules of their source; nil: there
	// are none. Used counts what it did, in the transaction that takes them in.
	Mend func(ctx context.Context, sender string, t *contract.Type, bad []quarantine.Bad) []quarantine.Mended
	Used func(tx *store.Tx, rules map[int64]int) error
}

// Desk takes records in.
type Desk struct {
	o     Options
	slots chan struct{} // how many batches are checked at the same time
}

// New makes the desk's tables.
func New(ctx context.Context, o Options) (*Desk, error) {
	if err := o.DB.Migrate(ctx, "intake", migrations); err != nil {
		return nil, err
	}
	return &Desk{o: o, slots: make(chan struct{}, runtime.GOMAXPROCS(0))}, nil
}

// Recall tells the index of what was told before and is not written there yet, from
// the log and the quarantine. Call it once, before the first Submit.
func Recall(ctx context.Context, x *once.Index, log *reclog.Log, w *quarantine.Ward) error {
	upto, err := x.Upto(ctx)
	if err != nil {
		return err
	}
	remember := func(id reeve.RecordID, known once.Hash, submission string, s once.Seen) error {
		var err error
		if s.Epoch, _, err = id.Parse(); err != nil {
			return err
		}
		if !known.Zero() {
			x.Remember(known, s)
		}
		if header, place, ok := parseSubmission(submission); ok {
			s.Header = true
			x.Remember(x.Place(header, place), s)
		}
		return nil
	}
	if err := w.Since(ctx, upto, func(h quarantine.Held) error {
		return remember(h.ID, h.Known, h.Submission, once.Seen{N: h.N, At: h.At, Digest: h.Sent})
	}); err != nil {
		return err
	}
	err = log.Tail(ctx, upto, func(r reclog.Record) error {
		var known once.Hash
		if r.Key != "" {
			known = x.Key(r.Sender, r.Type, r.Key)
		}
		s := once.Seen{N: r.N, At: r.At, Digest: x.Digest(r.Body)}
		submission := r.Submission
		if r.ReleasedFrom != "" {
			submission = "" // the header's key leads to the held record
			h, err := w.Get(ctx, r.ReleasedFrom)
			if err != nil {
				return err
			}
			s.Sent = h.Sent
		}
		return remember(r.ID, known, submission, s)
	})
	x.Remembered()
	return err
}

// Call is one submission.
type Call struct {
	Actor    reeve.Actor // its Party is the sender
	Type     reeve.RecordType
	Header   string    // the Idempotency-Key, ""
	Declared bool      // the caller says that each line is a record
	Body     io.Reader // read to its end, or until it fails

	// Rows takes the place of Body: rows of a file or a poll. Those up to First are
	// passed over. Mark, if any, is called in the transaction of every commit; an
	// error of it undoes the commit. It may be called again for the same rows, and
	// then its first call did nothing. Receipts are not kept: it is told of faults.
	Rows  format.Reader
	First int64
	Mark  func(tx *store.Tx, m Mark) error
	// Submission names the call in its records and in the journal; "" for a new name.
	Submission string
}

// Counts is what became of the records of a submission.
type Counts struct {
	Records   int64 `json:"records"`
	Accepted  int64 `json:"accepted"`
	Held      int64 `json:"held"`
	Duplicate int64 `json:"duplicate"`
	Refused   int64 `json:"refused"`
}

// Kept is how many records left something behind that the sender may rely on.
func (c Counts) Kept() int64 { return c.Accepted + c.Held + c.Duplicate }

// Result is the outcome of a submission.
type Result struct {
	Submission string
	Shape      string // "object", "list", "lines"
	Counts     Counts
	Broken     string     // why the body could not be read to its end, ""
	First      reeve.Kind // kind of the first refusal, Fault for none
	FirstWhy   string     // and its reason
	Outside    int64      // how many were refused because the agreement's condition does not hold

	lines   []byte // the receipts, while they are few
	spooled bool   // they are in the database
}

// Spooled reports whether the receipts can be asked for again.
func (r *Result) Spooled() bool { return r.spooled }

// Submit takes in the records of a body. It reads all of it, whatever is in it, and
// returns when everything that is kept is durable. An error is about the call as a
// whole (who may send what, or a database that does not answer); then r still
// counts what was kept before it.
func (d *Desk) Submit(ctx context.Context, c Call) (r *Result, err error) {
	stop := ctx
	ctx = context.WithoutCancel(ctx) // what was read is kept, whether or not the caller still listens
	r = &Result{Submission: cmp.Or(c.Submission, "sub-"+strings.ToLower(rand.Text()))}
	t, err := d.may(ctx, c)
	if err != nil {
		if c.Body != nil {
			_, _ = io.Copy(io.Discard, c.Body) // so that the caller gets to read the answer
		}
		return r, err
	}
	c.Type = t.ID
	run := &run{d: d, ctx: ctx, call: c, result: r}
	if c.Header != "" {
		run.header = d.o.Once.Header(c.Actor.Party, c.Type, c.Header)
		r.Submission += "." + base64.RawURLEncoding.EncodeToString(run.header[:])
	}
	if c.Rows != nil {
		err = run.readRows(stop)
	} else {
		err = run.read()
	}
	if err == nil && r.spooled {
		err = run.finish()
	}
	if d.o.Observe != nil {
		d.o.Observe(c.Type, r.Counts)
	}
	return r, err
}

// parseSubmission finds the header's hash and the place in a record's submission.
func parseSubmission(s string) (header once.Hash, place int64, ok bool) {
	s, at, _ := strings.Cut(s, "#")
	_, h, found := strings.Cut(s, ".")
	if !found {
		return header, 0, false
	}
	b, err := base64.RawURLEncoding.DecodeString(h)
	if err != nil || len(b) != len(header) {
		return header, 0, false
	}
	copy(header[:], b)
	place, err = strconv.ParseInt(at, 36, 64)
	return header, place, err == nil
}

// may answers who and whether, before anything is read. A refusal for want of an
// agreement is journalled.
func (d *Desk) may(ctx context.Context, c Call) (*contract.Type, error) {
	const op = "intake.Submit"
	rules := d.o.Rules()
	now := d.o.DB.Now()
	if c.Actor.Party == "" {
		return nil, reeve.E(reeve.Forbidden, op, "only an organisation can send records: use its token")
	}
	if len(c.Header) > 200 || strings.ContainsFunc(c.Header, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return nil, reeve.E(reeve.Invalid, op, "an Idempotency-Key has up to 200 visible ASCII characters")
	}
	t, ok := rules.Types.Type(c.Type)
	if !ok {
		may := "this partner may send nothing at present"
		if types := rules.Agreements.Types(now, c.Actor.Party); len(types) > 0 {
			names := make([]string, len(types))
			for i, t := range types {
				names[i] = string(t)
			}
			may = "this partner may send " + strings.Join(names, ", ")
		}
		return nil, reeve.E(reeve.NotFound, op, "there is no record type of this name: %s", may)
	}
	_, why := rules.Agreements.Intake(now, c.Actor.Party, t.ID)
	if why == nil {
		return t, nil
	}
	err := d.o.DB.Update(ctx, func(tx *store.Tx) error {
		if _, err := d.o.Journal.Append(tx, d.refusal(c, rules, tx.Head().Epoch, "", t.ID, why.Code, why.Agreement)); err != nil {
			return err
		}
		return see(tx, c.Actor.Party, t.ID, Counts{Refused: 1})
	})
	if err != nil {
		return nil, err
	}
	return nil, reeve.E(reeve.Forbidden, op, "%s", why.Reason)
}

// refusal is the journal entry of what was refused. It names the sender, so that
// only they can ask about it later.
func (d *Desk) refusal(c Call, rules *Rules, epoch int64, submission string, t reeve.RecordType, code, agreementID string) journal.Entry {
	e := journal.Entry{Actor: c.Actor.ID, Verb: "refused", Set: rules.Set, Why: []string{code, "type " + string(t), "sender " + c.Actor.Party}}
	if submission != "" {
		e.About = reeve.Ref("submission/" + submission)
	}
	if agreementID != "" {
		e.Why = append(e.Why, "agreement "+agreementID)
	}
	if epoch > 1 { // after a restore numbers of entries may have been given out before
		e.Why = append(e.Why, "epoch "+strconv.FormatInt(epoch, 10))
	}
	return e
}

// run is one submission under way: a reader, a splitter, checkers and a committer,
// with a few batches between them.
type run struct {
	d      *Desk
	ctx    context.Context
	call   Call
	result *Result
	header once.Hash

	records   int64         // found so far
	flying    atomic.Int64  // batches between dispatch and commit
	landed    chan struct{} // a batch was committed
	spare     chan []item   // of batches that were committed, to be used again
	batch     *batch
	last      *batch // that took the last record
	order     chan *batch
	malformed atomic.Int64

	// the committer's
	count int              // batches committed
	one   [1]reclog.Record // on its way to the log
	term  *agreement.Term  // of the last record
	why   []string         // what its entry says of that
}

// batch is a number of records that are checked and committed together.
type batch struct {
	buf   []byte
	items []item
	rows  []mark // of the items, where they are rows
	rules *Rules
	ahead *once.Batch
	ready chan error
}

// read runs the pipeline to the end of the body.
func (r *run) read() error {
	chunks := make(chan []byte, 8)
	free := make(chan []byte, 10)
	bodyErr := make(chan error, 1)
	stop := make(chan struct{})
	go pump(r.call.Body, chunks, free, bodyErr)

	r.order, r.landed, r.spare = make(chan *batch, atOnce), make(chan struct{}, 1), make(chan []item, atOnce)
	committed := make(chan error, 1)
	go r.commitAll(stop, committed)

	s := &splitter{declared: r.call.Declared, emit: r.take}
	stopped := false
	for c := range r.chunks(chunks) {
		select {
		case <-stop:
			stopped = true
		default:
		}
		if !stopped && s.broken == "" {
			s.feed(c)
			if r.malformed.Load() > maxMalformed {
				s.broken = fmt.Sprintf("more than %d records are not well-formed JSON", maxMalformed)
			}
		}
		free <- c[:cap(c)]
	}
	err := <-bodyErr
	if !stopped {
		s.end(err == nil)
		r.dispatch()
	}
	close(r.order)
	failed := <-committed
	r.result.Broken = s.broken
	r.result.Shape = [...]string{"lines", "lines", "list", "object"}[s.shape]
	if s.shape != list && r.result.Counts.Records <= 1 && !r.call.Declared {
		r.result.Shape = "object"
	}
	if s.shape == values && r.result.Counts.Records > 1 {
		r.result.Shape = "lines"
	}
	return failed
}

// commitAll commits batches in order, and closes stop at the first that fails.
func (r *run) commitAll(stop chan<- struct{}, committed chan<- error) {
	var failed error
	var next *batch
	for {
		b := next
		if b == nil {
			var ok bool
			if b, ok = <-r.order; !ok {
				break
			}
		}
		load, err := []*batch{b}, <-b.ready
		next = nil
		if failed == nil && err == nil {
			load, next = r.gather(load)
			err = r.commit(load)
		}
		if failed == nil && err != nil {
			failed = err
			close(stop)
		}
		for _, b := range load {
			clear(b.items)
			select {
			case r.spare <- b.items[:0]:
			default:
			}
			b.items = nil
		}
		r.flying.Add(-int64(len(load)))
		select {
		case r.landed <- struct{}{}:
		default:
		}
	}
	committed <- failed
}

// atOnce is how many batches are committed together at most, where the database is
// slower than what comes in: it waits for the disk once for all of them.
const atOnce = 4

// gather adds the batches that are checked already. The first that is not, or that
// failed, is next.
func (r *run) gather(load []*batch) (_ []*batch, next *batch) {
	for len(load) < atOnce {
		select {
		case b, ok := <-r.order:
			if !ok {
				return load, nil
			}
			select {
			case err := <-b.ready:
				if err != nil {
					b.ready <- err
					return load, b
				}
			default:
				return load, b
			}
			load = append(load, b)
		default:
			return load, nil
		}
	}
	return load, nil
}

// chunks yields the parts of the body; where none is at hand and nothing is under
// way, what was found so far is sent on rather than kept waiting.
func (r *run) chunks(in <-chan []byte) func(yield func([]byte) bool) {
	return func(yield func([]byte) bool) {
		for {
			var c []byte
			var ok bool
			select {
			case c, ok = <-in:
			default:
				if r.flying.Load() == 0 {
					r.dispatch()
				}
				select {
				case c, ok = <-in:
				case <-r.landed: // look again: it may have been the last under way
					continue
				}
			}
			if !ok || !yield(c) {
				return
			}
		}
	}
}

// pump reads the body into buffers that come back through free.
func pump(body io.Reader, out chan<- []byte, free chan []byte, done chan<- error) {
	defer close(out)
	size, made := firstRead, 0
	for {
		var buf []byte
		select {
		case buf = <-free:
		default:
			if made < cap(free) {
				made++
				buf = make([]byte, size)
				size = readSize
			} else {
				buf = <-free
			}
		}
		n, err := body.Read(buf)
		if n > 0 {
			out <- buf[:n]
		} else {
			free <- buf
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			done <- err
			return
		}
	}
}

// take gathers a record into the batch.
func (r *run) take(rec []byte, tooLarge bool) {
	if r.batch != nil && len(r.batch.buf)+len(rec) > batchBytes {
		r.dispatch()
	}
	if r.batch == nil {
		r.batch = &batch{ready: make(chan error, 1)}
		if r.records > 0 { // a long submission: its batches are full
			r.batch.buf = make([]byte, 0, batchBytes)
			select {
			case r.batch.items = <-r.spare:
			default:
				r.batch.items = make([]item, 0, batchRecords)
			}
		}
	}
	b := r.batch
	r.last = b
	at := len(b.buf)
	b.buf = append(b.buf, rec...)
	b.items = append(b.items, item{from: at, to: len(b.buf), place: r.records})
	if tooLarge {
		b.items[len(b.items)-1].refuse(reeve.TooLarge, "too-large", "is larger than 1 MiB, the limit for one record")
	}
	r.records++
	if len(b.items) >= batchRecords && r.call.Rows == nil {
		r.dispatch()
	}
}

// dispatch sends the batch to be checked and committed.
func (r *run) dispatch() {
	b := r.batch
	if b == nil {
		return
	}
	r.batch = nil
	r.flying.Add(1)
	r.order <- b
	r.d.slots <- struct{}{}
	go func() {
		defer func() { <-r.d.slots }()
		b.ready <- r.safely(b)
	}()
}

// safely is check; a fault of ours on a strange record fails the batch, not the process.
func (r *run) safely(b *batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("intake: panic while checking: %v", p)
		}
	}()
	b.sum()
	return r.check(b)
}

// finish writes down how a spooled submission ended.
func (r *run) finish() error {
	s := r.submission("complete")
	if r.result.Broken != "" {
		s.State = "broken"
	}
	return r.d.o.DB.Update(r.ctx, func(tx *store.Tx) error { return putSubmission(tx, s) })
}

func (r *run) submission(state string) Submission {
	return Submission{ID: r.result.Submission, Sender: r.call.Actor.Party, Type: r.call.Type, At: r.d.o.DB.Now(), State: state, Counts: r.result.Counts}
}

// Keep makes sure that the receipts can be asked for later.
func (d *Desk) Keep(ctx context.Context, c Call, r *Result) error {
	if r.spooled || r.Counts.Records == 0 {
		return nil
	}
	s := Submission{ID: r.Submission, Sender: c.Actor.Party, Type: c.Type, At: d.o.DB.Now(), State: "complete", Counts: r.Counts}
	if r.Broken != "" {
		s.State = "broken"
	}
	err := d.o.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if err := putSubmission(tx, s); err != nil {
			return err
		}
		return d.putReceipts(tx, s.ID, 0, r.lines)
	})
	r.spooled = err == nil
	return err
}

// EachLine calls fn with the receipts of a result, in order, many at a time.
func (d *Desk) EachLine(ctx context.Context, r *Result, fn func(lines []byte) error) error {
	if r.spooled {
		return d.Receipts(ctx, r.Submission, fn)
	}
	if len(r.lines) == 0 {
		return nil
	}
	return fn(r.lines)
}

// SplitLines cuts receipts into single ones.
func SplitLines(lines []byte) [][]byte {
	return bytes.Split(bytes.TrimSuffix(lines, []byte("\n")), []byte("\n"))
}
