// Package casework keeps cases: a piece of work that a person has to do for or
// about one person, from what opened it to how it ended.
//
// A case is opened once for what it is about, keeps the set of definitions it was
// opened under, and has a timeline of what happened, tasks and notes. What staff
// write is sealed. To look at a case leaves a trace in the journal.
package casework

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// The states of a case and of a task in it.
const (
	Opened = "open"
	Closed = "closed"

	todo    = "todo"
	done    = "done"
	dropped = "dropped"
)

// TypeSpec is what `kind: CaseType` says.
type TypeSpec struct {
	Purpose  string       `json:"purpose" def:"required" doc:"What the case is for, in a sentence for whoever works on it."`
	Due      def.Duration `json:"due" def:"required" doc:"How long the work may take."`
	Role     string       `json:"role" def:"enum=caseworker|governance|admin" doc:"Who works on it; caseworker unless said otherwise."`
	Named    string       `json:"named" doc:"Name of the person whom it is given to, for cases that only they handle."`
	Email    string       `json:"email" doc:"Work address of the named person; the case is assigned to them if they are staff here."`
	Tasks    []string     `json:"tasks" doc:"What has to be done, in order."`
	Outcomes []string     `json:"outcomes" def:"required,min=1" doc:"How it can end."`
}

// Kinds are the definitions of this room.
func Kinds() []def.Kind {
	return []def.Kind{{
		Name: "CaseType", Spec: new(TypeSpec),
		Doc: "A sort of case: who works on it, what has to be done, and by when.",
	}}
}

// People is what this room asks of identity about who cases are for.
type People interface {
	Name(tx *store.Tx, id reeve.PersonID) (string, error)
	Born(tx *store.Tx, id reeve.PersonID) (string, error)
}

// Staff is what this room asks of identity about who works on them. ByEmail
// returns "" when nobody has the address.
type Staff interface {
	ByEmail(tx *store.Tx, email string) (id string, err error)
	Name(tx *store.Tx, id string) (string, error)
}

// Case is one case.
type Case struct {
	ID       int64
	Type     string
	Person   reeve.PersonID
	About    reeve.Ref
	State    string
	Role     string
	Assignee string // "staff/3", "" for nobody yet
	Named    string // who should handle it, by name
	Flag     string // a code shown at the top: "reported-in-error"
	Opened   time.Time
	Due      time.Time
	Closed   time.Time
	Outcome  string
	Set      string // hash of the definitions it was opened under
}

// Ref is how journal and events name it.
func (c Case) Ref() reeve.Ref { return reeve.Ref(fmt.Sprintf("case/%d", c.ID)) }

// Filter chooses cases for a worklist.
type Filter struct {
	State string // Opened or Closed
	Type  string // "" for all
	Whose string // "" for all, "nobody", or an actor's id
	Late  int64  // if not 0: due before this time in Unix milliseconds
}

// New asks for a case.
type New struct {
	Type   string
	Person reeve.PersonID
	About  reeve.Ref
	Once   string   // "" is type and About: the same is opened once
	Why    string   // for the timeline, in plain words
	Tasks  []string // besides those of the type
	Flag   string
}

// Item is something on the timeline of a case.
type Item struct {
	N     int64
	At    time.Time
	Kind  string // "event", "note", "task"
	Actor string
	State string // of a task
	Text  string
}

// Options of a desk.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Bus     *bus.Bus
	Defs    *def.Live
	People  People
	Staff   Staff
	Zone    *time.Location
}

// Desk keeps the cases.
type Desk struct {
	o    Options
	defs atomic.Pointer[def.Set]
}

// Open opens the desk.
func Open(ctx context.Context, o Options) (*Desk, error) {
	d := &Desk{o: o}
	if err := o.DB.Migrate(ctx, "services/casework", migrations); err != nil {
		return nil, err
	}
	o.Defs.OnActivate(func(s *def.Set) (func(), []def.Problem) { return func() { d.defs.Store(s) }, nil })
	return d, nil
}

// Open opens a case, or returns the one that is already there for the same thing.
func (d *Desk) Open(tx *store.Tx, by string, n New) (Case, error) {
	t, ok := def.Get[TypeSpec](d.defs.Load(), n.Type)
	if !ok {
		return Case{}, reeve.E(reeve.Invalid, "services.casework.Open", "there is no case type %q", n.Type)
	}
	if n.Once == "" {
		n.Once = n.Type + " " + string(n.About)
	}
	if id, err := byOnce(tx, n.Once); err != nil || id != 0 {
		if err != nil {
			return Case{}, err
		}
		return get(tx, id)
	}
	c := Case{Type: t.ID, Person: n.Person, About: n.About, State: Opened, Role: t.Spec.Role, Named: t.Spec.Named, Flag: n.Flag, Opened: tx.Now, Due: tx.Now.Add(t.Spec.Due.D()), Set: d.defs.Load().Hash()}
	if c.Role == "" {
		c.Role = "caseworker"
	}
	var err error
	if t.Spec.Email != "" {
		if c.Assignee, err = d.o.Staff.ByEmail(tx, t.Spec.Email); err != nil {
			return c, err
		}
	}
	if c.ID, err = insert(tx, c, n.Once); err != nil {
		return c, err
	}
	if n.Why != "" {
		if err := d.add(tx, c, "event", by, "", n.Why); err != nil {
			return c, err
		}
	}
	for _, task := range append(slices.Clone(t.Spec.Tasks), n.Tasks...) {
		if err := d.add(tx, c, "task", by, todo, task); err != nil {
			return c, err
		}
	}
	return c, d.changed(tx, by, "opened case", "case.opened", c, c.Type)
}

// Tell adds what happened to the timeline of a case.
func (d *Desk) Tell(tx *store.Tx, by string, c Case, text string) error {
	return d.add(tx, c, "event", by, "", text)
}

// Reverse marks the cases about ref: what opened them was wrong. Each is
// reopened if it was closed, and gets the tasks.
func (d *Desk) Reverse(tx *store.Tx, by string, ref reeve.Ref, flag, why string, tasks []string) ([]Case, error) {
	cs, err := aboutRef(tx, ref)
	if err != nil {
		return nil, err
	}
	for i, c := range cs {
		if c.Flag == flag {
			continue
		}
		verb := "marked case: " + flag
		if c.State == Closed {
			verb = "reopened case: " + flag
		}
		c.State, c.Flag, c.Closed, c.Outcome = Opened, flag, time.Time{}, ""
		if c.Due.Before(tx.Now) {
			c.Due = tx.Now.Add(24 * time.Hour)
		}
		if err := save(tx, c); err != nil {
			return nil, err
		}
		rs, err := items(tx, c.ID)
		if err != nil {
			return nil, err
		}
		for _, r := range rs { // what there was to do is not to be done any more
			if r.kind == "task" && r.state == todo {
				if _, err := setTask(tx, c.ID, r.n, todo, dropped); err != nil {
					return nil, err
				}
			}
		}
		if err := d.add(tx, c, "event", by, "", why); err != nil {
			return nil, err
		}
		for _, t := range tasks {
			if err := d.add(tx, c, "task", by, todo, t); err != nil {
				return nil, err
			}
		}
		if err := d.changed(tx, by, verb, "case.reversed", c); err != nil {
			return nil, err
		}
		cs[i] = c
	}
	return cs, nil
}

// CloseAbout closes what is open about ref, because it settled itself.
func (d *Desk) CloseAbout(tx *store.Tx, by string, typ string, ref reeve.Ref, outcome string) error {
	cs, err := aboutRef(tx, ref)
	if err != nil {
		return err
	}
	for _, c := range cs {
		if c.State == Opened && c.Type == typ {
			if err := d.close(tx, by, c, outcome); err != nil {
				return err
			}
		}
	}
	return nil
}

// Get returns a case.
func (d *Desk) Get(tx *store.Tx, id int64) (Case, error) { return get(tx, id) }

// Of returns the cases of a person, oldest first.
func (d *Desk) Of(tx *store.Tx, p reeve.PersonID) ([]Case, error) { return ofPerson(tx, p) }

// Count counts cases.
func (d *Desk) Count(tx *store.Tx, f Filter) (int, error) { return count(tx, f) }

// Repoint makes the cases of one person those of another, after a merge.
func (d *Desk) Repoint(tx *store.Tx, from, to reeve.PersonID) error { return repoint(tx, from, to) }

// note writes what staff noticed.
func (d *Desk) note(tx *store.Tx, by string, id int64, text string) error {
	c, err := d.open(tx, id)
	if err != nil {
		return err
	}
	text = strings.TrimSpace(text)
	if text == "" {
		return reeve.E(reeve.Invalid, "services.casework.note", "write the note first")
	}
	if len(text) > 20_000 {
		return reeve.E(reeve.Invalid, "services.casework.note", "the note is too long: keep it under 20,000 characters")
	}
	if err := d.add(tx, c, "note", by, "", text); err != nil {
		return err
	}
	return d.changed(tx, by, "wrote a note", "", c)
}

// assign gives the case to someone, "" to nobody.
func (d *Desk) assign(tx *store.Tx, by string, id int64, to string) error {
	c, err := d.open(tx, id)
	if err != nil || c.Assignee == to {
		return err
	}
	c.Assignee = to
	if err := save(tx, c); err != nil {
		return err
	}
	text := "Taken by " + to
	if to == "" {
		text = "Given back to the worklist"
	}
	if err := d.add(tx, c, "event", by, "", text); err != nil {
		return err
	}
	return d.changed(tx, by, "assigned case", "case.assigned", c)
}

// tick marks a task done, or not done after all.
func (d *Desk) tick(tx *store.Tx, by string, id, n int64, isDone bool) error {
	c, err := d.open(tx, id)
	if err != nil {
		return err
	}
	from, to, verb := todo, done, "did a task"
	if !isDone {
		from, to, verb = done, todo, "found a task not done"
	}
	ok, err := setTask(tx, id, n, from, to)
	if err != nil || !ok {
		return err
	}
	return d.changed(tx, by, verb, "", c)
}

// finish closes the case with one of its outcomes. Tasks left over must be done
// or the reason given in a note first.
func (d *Desk) finish(tx *store.Tx, by string, id int64, outcome string) error {
	c, err := d.open(tx, id)
	if err != nil {
		return err
	}
	t, ok := def.Get[TypeSpec](d.defs.Load(), c.Type)
	if ok && !slices.Contains(t.Spec.Outcomes, outcome) {
		return reeve.E(reeve.Invalid, "services.casework.finish", "choose how the case ended")
	}
	rs, err := items(tx, id)
	if err != nil {
		return err
	}
	left := 0
	for _, r := range rs {
		if r.kind == "task" && r.state == todo {
			left++
		}
	}
	if left > 0 {
		return reeve.E(reeve.Conflict, "services.casework.finish", "%d of the tasks are not done: mark them done before you close the case", left)
	}
	return d.close(tx, by, c, outcome)
}

func (d *Desk) close(tx *store.Tx, by string, c Case, outcome string) error {
	c.State, c.Closed, c.Outcome = Closed, tx.Now, outcome
	if err := save(tx, c); err != nil {
		return err
	}
	if err := d.add(tx, c, "event", by, "", "Closed: "+outcome); err != nil {
		return err
	}
	return d.changed(tx, by, "closed case", "case.closed", c)
}

// reopen opens a closed case again.
func (d *Desk) reopen(tx *store.Tx, by string, id int64) error {
	c, err := get(tx, id)
	if err != nil || c.State == Opened {
		return err
	}
	c.State, c.Closed, c.Outcome = Opened, time.Time{}, ""
	if err := save(tx, c); err != nil {
		return err
	}
	if err := d.add(tx, c, "event", by, "", "Opened again"); err != nil {
		return err
	}
	return d.changed(tx, by, "reopened case", "case.reopened", c)
}

// open returns a case that can still be worked on.
func (d *Desk) open(tx *store.Tx, id int64) (Case, error) {
	c, err := get(tx, id)
	if err == nil && c.State != Opened {
		err = reeve.E(reeve.Conflict, "services.casework", "this case is closed: open it again to change it")
	}
	return c, err
}

func (d *Desk) add(tx *store.Tx, c Case, kind, actor, state, text string) error {
	n, err := nextItem(tx, c.ID)
	if err != nil {
		return err
	}
	sealed, err := d.o.Keys.Seal([]byte(text), itemAAD(c.ID, n))
	if err != nil {
		return err
	}
	return addItem(tx, c.ID, row{n: n, at: tx.Now, kind: kind, actor: actor, state: state, sealed: sealed})
}

// timeline returns what happened, oldest first.
func (d *Desk) timeline(tx *store.Tx, id int64) ([]Item, error) {
	rs, err := items(tx, id)
	if err != nil {
		return nil, err
	}
	all := make([]Item, len(rs))
	for i, r := range rs {
		plain, err := d.o.Keys.Open(r.sealed, itemAAD(id, r.n))
		if err != nil {
			return nil, fmt.Errorf("services/casework: opening item %d of case %d: %w", r.n, id, err)
		}
		all[i] = Item{N: r.n, At: r.at, Kind: r.kind, Actor: r.actor, State: r.state, Text: string(plain)}
	}
	return all, nil
}

func itemAAD(id, n int64) []byte { return fmt.Appendf(nil, "case_item/%d/%d", id, n) }

// changed journals what was done and, if typ is given, tells of it.
func (d *Desk) changed(tx *store.Tx, by, verb, typ string, c Case, why ...string) error {
	e := journal.Entry{Actor: by, Verb: verb, About: c.Ref(), Set: c.Set, Why: why}
	if c.Person != "" {
		s, err := d.o.Journal.Commitment(tx, c.Person)
		if err != nil {
			return err
		}
		e.Subject = s
	}
	if _, err := d.o.Journal.Append(tx, e); err != nil {
		return err
	}
	if typ == "" {
		return nil
	}
	_, err := d.o.Bus.Emit(tx, reeve.Event{Type: typ, Subject: c.Person, About: c.Ref()})
	return err
}
