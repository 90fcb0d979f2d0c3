// Package feed brings records in by the many: files in folders and on servers,
// polls of interfaces and databases, and files that are sent.
//
// What is guaranteed. Every row is taken exactly once, whatever stops the program
// and whenever: how far a file or a poll is taken is written in the transaction
// that takes its rows. A file that is there twice is taken once; a file goes on
// after a crash at the row that comes next. At its end the rows that were read are
// held against those that were accepted, held, refused or duplicates, by number
// and by a hash that the reading and the committing side add up on their own.
// Memory does not grow with a file. What is wrong is told with file, row and field.
//
// What not to assume. A file is not a transaction: what came before a mistake
// stays. Rows are handed on as they are taken, not when their file is complete.
package feed

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/exchange/feed/parts"
	"github.com/reeve-civic/reeve/internal/exchange/feed/spool"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Options are what a desk stands on.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Bus     *bus.Bus
	Intake  *intake.Desk
	Rules   func() *intake.Rules
	Slog    *slog.Logger
	Now     func() time.Time
	Zone    *time.Location
	Getenv  func(string) string
	// Address is asked about every outbound address, after DNS; nil allows all.
	Address func(network, address string) error
	Scratch string // a folder for files of a moment
	// Name tells what a definition is called; List gives the names of a kind by id.
	Name func(kind, id string) string
	// Lineage gives every id that a definition has or had, the present one first.
	Lineage func(kind, id string) []string
	List    func(kind string) map[string]string
}

// Desk takes files and feeds in.
type Desk struct {
	o    Options
	salt []byte

	mu       sync.Mutex
	set      *Set
	lanes    map[string]*lane
	busy     map[string]*atomic.Int64 // bytes that came of files that rows are taken from at this moment
	running  int
	did      int           // what looks brought that ended, until Step tells it
	finished chan struct{} // a look ended
	wg       sync.WaitGroup

	tidied    time.Time // when nothing old was left; Step's own
	uploads   []uploaded
	waiting   map[string]int // files that were sent in pages and are on the disk, by who sent them
	uploading bool
}

// Open makes the tables and returns a desk that reads nothing yet.
func Open(ctx context.Context, o Options) (*Desk, error) {
	if err := o.DB.Migrate(ctx, "exchange/feed", migrations); err != nil {
		return nil, err
	}
	if err := spool.Drop(o.Scratch); err != nil {
		return nil, err
	}
	return &Desk{o: o, salt: o.Keys.Derive("feed: names of files"), set: &Set{}, lanes: map[string]*lane{}, busy: map[string]*atomic.Int64{}, waiting: map[string]int{}, finished: make(chan struct{}, 1)}, nil
}

// The states of a file.
const (
	Receiving = "receiving" // some of its rows may still come
	Complete  = "complete"  // all of its rows were taken
	Broken    = "broken"    // it cannot be read to its end, or is not what was announced
	Expired   = "expired"   // nobody sent the rest of it
)

// File is a file, or a run of a poll, and what became of its rows.
type File struct {
	ID      string
	Origin  string // first id of the Interface that it was read from; "" if it was sent
	Sender  string // id of the Organisation
	Type    reeve.RecordType
	Actor   string // who sent it, or what read it
	Name    string // "" for a run of a poll
	Version string
	Spec    format.Spec
	Size    int64 // bytes, -1 if not known
	Total   int64 // rows that the system counts itself, -1 if it does not
	State   string
	Rows    int64         // taken so far
	Counts  intake.Counts // what became of them
	Read    intake.Sum    // sum of the rows, as they were read
	Sums    intake.Sums   // and as they were committed
	Faults  int64
	Why     string // why it is broken, or does not add up
	Began   time.Time
	Moved   time.Time // when the last row was taken
	Ended   time.Time

	parts int
}

// Adds reports whether what was read is what was taken, by number and by hash, and
// as many as the system itself counts.
func (f *File) Adds() bool {
	c := f.Counts
	return f.Rows == c.Accepted+c.Held+c.Duplicate+c.Refused && f.Read == f.Sums.Total() && (f.Total < 0 || f.Total == f.Rows)
}

// known is what makes a file the same file again.
func (d *Desk) known(f *File) []byte {
	m := hmac.New(sha256.New, d.salt)
	parts := []string{f.Origin, f.Name, f.Version}
	if f.Origin == "" {
		parts = []string{"", d.root("Organisation", f.Sender), d.root("RecordType", string(f.Type)), f.Name, f.Version}
	}
	for _, s := range parts {
		_, _ = m.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
	}
	return m.Sum(nil)
}

// root is the id that a definition had first: what is remembered of it under that
// is found when it is called otherwise.
func (d *Desk) root(kind, id string) string {
	if ids := d.o.Lineage(kind, id); len(ids) > 0 {
		return ids[len(ids)-1]
	}
	return id
}

// newID names a file.
func newID() string { return "file-" + strings.ToLower(rand.Text()) }

// enter finds a file in the ledger, or writes it there. fresh tells that it is new.
func (d *Desk) enter(ctx context.Context, f *File) (fresh bool, err error) {
	err = d.o.DB.Update(ctx, func(tx *store.Tx) error {
		found, ok, err := d.findKnown(tx, d.known(f))
		if err != nil {
			return err
		}
		if fresh = !ok; ok {
			found.Spec.Types = f.Spec.Types
			*f = found
			return d.reopen(tx, f)
		}
		return d.begin(tx, f)
	})
	return fresh, err
}

// begin writes a new file down.
func (d *Desk) begin(tx *store.Tx, f *File) error {
	if f.ID == "" {
		f.ID = newID()
	}
	f.State, f.Began, f.Moved = Receiving, tx.Now, tx.Now
	return d.insertFile(tx, f)
}

// claim keeps two from pouring one file at the same time.
func (d *Desk) claim(id string) (release func(), ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[id] != nil {
		return nil, false
	}
	d.busy[id] = new(atomic.Int64)
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.busy, id)
	}, true
}

// arriving counts the bytes of a file that is claimed.
func (d *Desk) arriving(id string) *atomic.Int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.busy[id]
}

// sent is how many bytes came of a file that is being sent; -1 if it is not.
func (d *Desk) sent(id string) int64 {
	if n := d.arriving(id); n != nil {
		return n.Load()
	}
	return -1
}

// pour takes the rows of a file that come after those that were taken before. from is
// what came before the reader's first row: nothing for a reader of the whole file.
// position, if not nil, writes down where a poll goes on. It returns why the
// file cannot be read to its end, "" if it can; f then says what was taken.
func (d *Desk) pour(ctx context.Context, f *File, actor reeve.Actor, r format.Reader, from parts.Until, position func(tx *store.Tx, p string) error) (broken string, err error) {
	rd := parts.Add(r, from, f.Rows, f.Read)
	fresh := *f
	call := intake.Call{Actor: actor, Type: f.Type, Rows: rd, First: f.Rows, Submission: f.ID}
	call.Mark = func(tx *store.Tx, m intake.Mark) error {
		now, ok, err := d.findFile(tx, f.ID)
		if err != nil {
			return err
		}
		if !ok { // a run of a poll is written down with its first rows
			now = fresh
			if err := d.begin(tx, &now); err != nil {
				return err
			}
		}
		if now.Rows+m.Counts.Records != m.Done {
			return reeve.E(reeve.Conflict, "exchange.feed.pour", "rows of this file were taken by somebody else at the same time")
		}
		now.Rows, now.Sums, now.Read, now.Moved = m.Done, now.Sums.Plus(m.Sums), rd.UpTo(m.Done), tx.Now
		now.Counts.Accepted += m.Counts.Accepted
		now.Counts.Held += m.Counts.Held
		now.Counts.Duplicate += m.Counts.Duplicate
		now.Counts.Refused += m.Counts.Refused
		if len(m.Faults) > 0 {
			if err := d.putFaults(tx, f.ID, now.parts, m.Faults); err != nil {
				return err
			}
			now.Faults += int64(len(m.Faults))
			now.parts++
		}
		if position != nil && m.Position != "" {
			if err := position(tx, m.Position); err != nil {
				return err
			}
		}
		return d.moveFile(tx, &now)
	}
	res, err := d.o.Intake.Submit(ctx, call)
	if verr := d.o.DB.View(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		now, ok, err := d.findFile(tx, f.ID)
		if ok {
			now.Spec.Types, now.Total = f.Spec.Types, f.Total
			*f = now
		}
		return err
	}); verr != nil && err == nil {
		err = verr
	}
	if err == nil && rd.Read() != f.Rows && res.Broken == "" {
		return "its rows were read, and not all of them were taken", nil
	}
	return res.Broken, err
}

// end writes down that nothing more comes of a file. With a poll that brought
// nothing there is nothing to write.
func (d *Desk) end(ctx context.Context, f *File, broken string) error {
	if f.Began.IsZero() {
		return nil
	}
	return d.o.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		now, ok, err := d.findFile(tx, f.ID)
		if err != nil || !ok || now.State != Receiving {
			return err
		}
		now.Total, now.Ended, now.State, now.Why = f.Total, tx.Now, Complete, broken
		switch {
		case f.State == Expired:
			now.State = Expired
		case broken != "":
			now.State = Broken
		case now.Total >= 0 && now.Total != now.Rows:
			now.Why = "the system counted " + strconv.FormatInt(now.Total, 10) + " rows itself, and " + strconv.FormatInt(now.Rows, 10) + " came"
		case !now.Adds():
			now.Why = "what was read is not what was taken"
		}
		if err := d.endFile(tx, &now); err != nil {
			return err
		}
		now.Spec.Types = f.Spec.Types
		*f = now
		return d.note(tx, &now)
	})
}

// note tells the journal and the bus what became of a file.
func (d *Desk) note(tx *store.Tx, f *File) error {
	c := f.Counts
	count := func(n int64, what string) string { return strconv.FormatInt(n, 10) + " " + what }
	verb := map[string]string{Complete: "completed", Broken: "broke off", Expired: "expired"}[f.State]
	actor := f.Actor
	if f.State == Expired {
		actor = "program"
	}
	e := journal.Entry{Actor: actor, Verb: verb, About: reeve.Ref("file/" + f.ID), Set: d.o.Rules().Set,
		Why: []string{"type " + string(f.Type), "sender " + f.Sender, count(f.Rows, "rows"), count(c.Accepted, "accepted"), count(c.Held, "held"),
			count(c.Duplicate, "duplicate"), count(c.Refused, "refused"), "sum " + f.Read.String()}}
	if !f.Adds() {
		e.Why = append(e.Why, "does not add up")
	}
	if _, err := d.o.Journal.Append(tx, e); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"origin": f.Origin, "sender": f.Sender, "type": f.Type, "rows": f.Rows, "adds": f.Adds()})
	if err != nil {
		return err
	}
	_, err = d.o.Bus.Emit(tx, reeve.Event{Type: "file." + f.State, About: reeve.Ref("file/" + f.ID), Body: body})
	return err
}
