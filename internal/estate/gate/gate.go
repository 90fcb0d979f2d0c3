// Package gate holds how the body decides what is bought, built, changed and
// retired: intake requests, the gates they pass, the boards that decide.
//
// A request is declared, or asked for in the page and then kept in the database
// with everything that happened to it. How it is reviewed follows from rules over
// its answers; an answer that nobody gave never makes a review lighter. A decision
// is journalled in the transaction that makes it.
package gate

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// The states of a request.
const (
	Open      = "open"      // it waits for a decision, or for the work to be done
	Asked     = "asked"     // whoever asked has to say more
	InUse     = "live"      // it is live, and has yet to be compared with what was expected
	Done      = "done"      // and has been
	Refused   = "refused"   //
	Withdrawn = "withdrawn" //
)

// The bounds of pilots and of what comes after, and who acts where a rule does.
const (
	MaxPilotDays = 365
	CheckDays    = 90 // after going live, it is compared with what was expected
	ByRule       = "reeve"
)

// Draft is what a request would add to the estate, as far as whoever asks knows.
type Draft struct {
	Product string   `json:"product,omitempty"`
	Hosting string   `json:"hosting,omitempty"`
	SignIn  []string `json:"signIn,omitempty"`
	Clients []string `json:"clients,omitempty"`
	API     string   `json:"api,omitempty"`
}

// Privacy is what was said for the assessment of the impact on privacy.
type Privacy struct {
	Data    string `json:"data,omitempty"`    // which data about whom
	Why     string `json:"why,omitempty"`     // what the technology is for
	Risks   string `json:"risks,omitempty"`   // what could go wrong
	Measure string `json:"measure,omitempty"` // the policy, or what is done about it
}

// Live is a request that is kept in the database.
type Request struct {
	ID, Name string
	Spec     RequestSpec
	Draft    Draft
	Privacy  Privacy
	Flows    *int // connections that are expected
	Reasons  []Reason
	Failing  []string // standards that its draft did not meet when it was asked for

	Kept    bool   // in the database; else only declared
	AskedBy string // actor; "" of one that is only declared
	Asked   time.Time
	State   string
	Entered time.Time // came to its present gate
	Steps   []Step    // oldest first
}

// Step is something that happened to a request.
type Step struct {
	N              int64
	At             time.Time
	Actor          string
	Verb           string // asked, decided, answered, moved, checked, withdrew, environment, ended
	Board, Outcome string
	From, To       string // gates
	State          string // after it
	Minutes        int    // of the board's time
	WaitedDays     int    // at the gate before it
	Reason         string
}

// body is what is sealed of a request.
type body struct {
	Name    string      `json:"name"`
	Spec    RequestSpec `json:"spec"`
	Draft   Draft       `json:"draft"`
	Privacy Privacy     `json:"privacy"`
	Flows   *int        `json:"flows,omitempty"`
	Reasons []Reason    `json:"reasons,omitempty"`
	Failing []string    `json:"failing,omitempty"`
}

// Gate is the gate that the request waits at.
func (r *Request) Gate() string {
	if r.Spec.Gate == nil {
		return Discovery
	}
	return r.Spec.Gate.At
}

// Waits reports whether somebody has to decide, answer or do something about it.
func (r *Request) Waits() bool {
	return (r.State == Open || r.State == Asked) && r.Gate() != Closed
}

// Days is how long it has been at its gate.
func (r *Request) Days(today def.Date) int {
	if r.Spec.Gate == nil {
		return 0
	}
	return max(today.Sub(r.Spec.Gate.Entered), 0)
}

// Options of a keeper of requests.
type Options struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Bus     *bus.Bus
	Zone    *time.Location
	Dir     string // folder for the discovery environments of pilots; "" for none
}

// Keeper keeps the requests that were made in the page.
type Keeper struct {
	o     Options
	rules atomic.Pointer[compiled]
	seen  atomic.Pointer[string] // up to what the worker has looked
}

type compiled struct {
	hash  string
	rules Rules
}

// NewKeeper opens the keeper.
func NewKeeper(ctx context.Context, o Options) (*Keeper, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	return &Keeper{o: o}, o.DB.Migrate(ctx, "estate/gate", migrations)
}

// Update changes requests: fn runs in one transaction.
func (k *Keeper) Update(ctx context.Context, fn func(*store.Tx) error) error {
	return k.o.DB.Update(ctx, fn)
}

// Rules are the rules of triage of a set.
func (k *Keeper) Rules(set *def.Set) (Rules, error) {
	if c := k.rules.Load(); c != nil && c.hash == set.Hash() {
		return c.rules, nil
	}
	rs, err := CompileRules(set)
	if err == nil {
		k.rules.Store(&compiled{set.Hash(), rs})
	}
	return rs, err
}

// All are the requests of a set and of the database at a moment (the zero time:
// now), by id. What is kept wins over what is declared under the same id.
func (k *Keeper) All(ctx context.Context, set *def.Set, at time.Time) (all []*Request, err error) {
	kept := map[string]bool{}
	err = k.o.DB.View(ctx, func(tx *store.Tx) error {
		all, err = k.list(tx, at)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		kept[r.ID] = true
	}
	for _, o := range def.All[RequestSpec](set) {
		if !kept[o.ID] {
			all = append(all, declared(o))
		}
	}
	slices.SortFunc(all, func(a, b *Request) int { return strings.Compare(a.ID, b.ID) })
	return all, nil
}

// declared is a request as its definition tells it.
func declared(o def.Of[RequestSpec]) *Request {
	r := &Request{ID: o.ID, Name: o.Name, Spec: *o.Spec, State: Open}
	if g := o.Spec.Gate; g != nil {
		r.Entered = g.Entered.Time(time.UTC)
		if g.At == Closed {
			r.State = InUse
		}
	}
	if d := o.Spec.Decided; d != nil {
		switch d.Outcome {
		case "refused":
			r.State = Refused
		case "withdrawn":
			r.State = Withdrawn
		case "more-needed":
			r.State = Asked
		}
	}
	return r
}

// Entities are the kept requests of a moment as the register takes them.
func (k *Keeper) Entities(ctx context.Context, at time.Time) (out []register.Entity, err error) {
	var all []*Request
	if err := k.o.DB.View(ctx, func(tx *store.Tx) error { all, err = k.list(tx, at); return err }); err != nil {
		return nil, err
	}
	for _, r := range all {
		b, err := json.Marshal(r.Spec)
		if err != nil {
			return nil, err
		}
		spec := map[string]any{}
		if err := json.Unmarshal(b, &spec); err != nil {
			return nil, err
		}
		out = append(out, register.Entity{Kind: "IntakeRequest", ID: r.ID, Name: r.Name, Data: r,
			Self: map[string]any{"kind": "IntakeRequest", "metadata": map[string]any{"id": r.ID, "name": r.Name}, "spec": spec}})
	}
	return out, nil
}

// Version changes with everything that happens to a request.
func (k *Keeper) Version(ctx context.Context) (n int64, err error) {
	err = k.o.DB.View(ctx, func(tx *store.Tx) error { n, err = steps(tx); return err })
	return n, err
}

// New is a request to make.
type New struct {
	Request        // without id and state
	Triage  Triage // as the rules say
	Taken   func(id string) bool
	By      string
	Failing []string // "must" standards that the draft does not meet, or of which it is not known
}

// Create makes a request. One with a light review that fails no standard is
// approved at once.
func (k *Keeper) Create(tx *store.Tx, n New) (*Request, error) {
	r := n.Request
	today := def.DateOf(tx.Now.In(k.o.Zone))
	last, err := lastNumber(tx)
	if err != nil {
		return nil, err
	}
	num := last + 1
	for r.ID = ""; r.ID == "" || n.Taken != nil && n.Taken(r.ID); num++ {
		r.ID = fmt.Sprintf("req-%d-%03d", today.Year, num)
	}
	r.Kept, r.AskedBy, r.Asked, r.State, r.Entered = true, n.By, tx.Now, Open, tx.Now
	r.Spec.Review, r.Reasons, r.Failing = n.Triage.Review, n.Triage.Reasons, n.Failing
	if r.Spec.Review == Light && len(r.Failing) > 0 {
		r.Spec.Review = Streamlined
		r.Reasons = []Reason{{Rule: "standards", Review: Streamlined, Text: "It would not meet a standard that must be met, or nobody knows whether it would."}}
	}
	r.Spec.Gate = &Gate{At: Path(r.Spec.Kind, r.Spec.Review)[0], Entered: today}
	if err := k.insert(tx, &r, num-1); err != nil {
		return nil, err
	}
	codes := []string{"kind/" + r.Spec.Kind, "review/" + r.Spec.Review}
	for _, why := range r.Reasons {
		codes = append(codes, "rule/"+why.Rule)
	}
	if err := k.step(tx, &r, Step{Actor: n.By, Verb: "asked", From: r.Gate(), To: r.Gate()}, codes...); err != nil {
		return nil, err
	}
	if r.Spec.Review != Light {
		return &r, nil
	}
	why := "The risk is low: no rule of triage holds, every question that they ask was answered, and no standard is failed."
	return &r, k.decide(tx, &r, Step{Actor: ByRule, Outcome: "approved", Reason: why}, true)
}

// Decision is what a board, or somebody who may, decides about a request.
type Decision struct {
	Request  *Request
	By       Decider
	Set      *def.Set // that says who sits on the board
	Board    string   // "" where no board decides at the gate
	Outcome  string   // approved, refused, more-needed
	Reason   string
	Minutes  int
	Expected string // gate at which the request was seen, so that nobody decides twice
}

// Decide records a decision and moves the request on. Who may not is told why by
// [Barred].
func (k *Keeper) Decide(tx *store.Tx, d Decision) error {
	r, err := k.fresh(tx, d.Request)
	if err != nil {
		return err
	}
	if !r.Waits() || d.Expected != "" && d.Expected != r.Gate() {
		return reeve.E(reeve.Conflict, "gate.Decide", "somebody has decided this meanwhile: look at it again")
	}
	if r.State == Asked && len(r.Steps) > 0 { // one that is only declared so has nobody who could answer
		return reeve.E(reeve.Conflict, "gate.Decide", "whoever asked was told that more is needed, and has not answered yet")
	}
	if bar := Barred(d.Set, r, d.Board, d.By); bar != nil {
		return reeve.E(reeve.Forbidden, "gate.Decide", "%s", bar.Text)
	}
	return k.decide(tx, r, Step{Actor: d.By.Actor, Board: d.Board, Outcome: d.Outcome, Reason: d.Reason, Minutes: d.Minutes}, false)
}

// fresh is the request as it is kept now; one that is only declared is taken in.
func (k *Keeper) fresh(tx *store.Tx, r *Request) (*Request, error) {
	now, ok, err := k.get(tx, r.ID)
	if err != nil || ok {
		return now, err
	}
	c := *r
	c.Kept, c.Asked, c.AskedBy = true, tx.Now, ""
	if c.Spec.Gate == nil {
		c.Spec.Gate = &Gate{At: Discovery, Entered: def.DateOf(tx.Now.In(k.o.Zone))}
	}
	c.Entered = c.Spec.Gate.Entered.Time(k.o.Zone)
	n, err := lastNumber(tx)
	if err != nil {
		return nil, err
	}
	return &c, k.insert(tx, &c, n+1)
}

func (k *Keeper) decide(tx *store.Tx, r *Request, s Step, rule bool) error {
	today := def.DateOf(tx.Now.In(k.o.Zone))
	s.Verb, s.From, s.To, s.State, s.WaitedDays = "decided", r.Gate(), r.Gate(), r.State, r.Waited(today)
	by := s.Board
	if by == "" {
		by = s.Actor
	}
	r.Spec.Decided = &Decided{Outcome: s.Outcome, By: by, On: today, Reason: s.Reason}
	switch s.Outcome {
	case "approved":
		r.State = Open
		switch {
		case rule && r.Spec.Kind == "pilot": // it may be tried; whether it is bought is another decision
		case r.Gate() == Live:
			s.To, r.State = Closed, InUse
		case rule:
			s.To = after(r.Spec.Kind, r.Spec.Review, Standards)
		default:
			s.To = after(r.Spec.Kind, r.Spec.Review, r.Gate())
		}
	case "refused":
		s.To, r.State = Closed, Refused
	case "more-needed":
		r.State = Asked
	default:
		return reeve.E(reeve.Invalid, "gate.Decide", "choose what is decided")
	}
	if s.To != s.From {
		r.Spec.Gate, r.Entered = &Gate{At: s.To, Entered: today}, tx.Now
	}
	return k.step(tx, r, s, "outcome/"+s.Outcome, "gate/"+s.From)
}

// Answer is what whoever asked says when more was needed.
func (k *Keeper) Answer(tx *store.Tx, id, by, text string) error {
	r, err := k.must(tx, id)
	if err != nil {
		return err
	}
	if r.State != Asked {
		return reeve.E(reeve.Conflict, "gate.Answer", "nothing is asked about this request")
	}
	r.State = Open
	return k.step(tx, r, Step{Actor: by, Verb: "answered", From: r.Gate(), To: r.Gate(), Reason: text})
}

// Withdraw ends a request that nobody wants any more.
func (k *Keeper) Withdraw(tx *store.Tx, id, by, why string) error {
	r, err := k.must(tx, id)
	if err != nil {
		return err
	}
	if !r.Waits() {
		return reeve.E(reeve.Conflict, "gate.Withdraw", "this request is decided")
	}
	s := Step{Actor: by, Verb: "withdrew", From: r.Gate(), To: Closed, Reason: why}
	r.State, r.Entered = Withdrawn, tx.Now
	r.Spec.Gate = &Gate{At: Closed, Entered: def.DateOf(tx.Now.In(k.o.Zone))}
	return k.step(tx, r, s)
}

// Check records how what went live compares with what was expected.
func (k *Keeper) Check(tx *store.Tx, r *Request, by, finding string) error {
	r, err := k.fresh(tx, r)
	if err != nil {
		return err
	}
	if r.State != InUse {
		return reeve.E(reeve.Conflict, "gate.Check", "this request is not waiting to be compared with what was expected")
	}
	r.State = Done
	return k.step(tx, r, Step{Actor: by, Verb: "checked", From: r.Gate(), To: r.Gate(), Reason: finding})
}

func (k *Keeper) must(tx *store.Tx, id string) (*Request, error) {
	r, ok, err := k.get(tx, id)
	if err == nil && !ok {
		err = reeve.E(reeve.NotFound, "gate", "there is no request %q", id)
	}
	return r, err
}

// step writes what happened, the request as it is after it, the entry in the
// journal and the event.
func (k *Keeper) step(tx *store.Tx, r *Request, s Step, codes ...string) error {
	s.N, s.At, s.State = int64(len(r.Steps)+1), tx.Now, r.State
	if err := k.save(tx, r, s); err != nil {
		return err
	}
	r.Steps = append(r.Steps, s)
	ref := reeve.Ref("request/" + r.ID)
	if s.Board != "" {
		codes = append(codes, "board/"+s.Board)
	}
	if _, err := k.o.Journal.Append(tx, journal.Entry{Actor: s.Actor, Verb: s.Verb + " request", About: ref, Why: codes}); err != nil {
		return err
	}
	_, err := k.o.Bus.Emit(tx, reeve.Event{Type: "request." + s.Verb, About: ref})
	return err
}

// Added notes the system that now stands in the definitions for what was asked for,
// so that what was expected can be held to what is observed.
func (k *Keeper) Added(tx *store.Tx, r *Request, by, system string) error {
	r, err := k.fresh(tx, r)
	if err != nil {
		return err
	}
	if slices.Contains(r.Spec.Creates, system) {
		return nil
	}
	r.Spec.Creates = append(slices.Clone(r.Spec.Creates), system)
	return k.step(tx, r, Step{Actor: by, Verb: "added", From: r.Gate(), To: r.Gate()}, "system/"+system)
}

// Approved reports whether what was asked for may be had, so that it belongs on
// the map.
func (r *Request) Approved() bool {
	return slices.Contains([]string{"buy", "build", "pilot"}, r.Spec.Kind) && r.State != Refused && r.State != Withdrawn && r.Spec.Decided != nil && r.Spec.Decided.Outcome == "approved"
}
