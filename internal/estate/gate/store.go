package gate

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

func lastNumber(tx *store.Tx) (n int64, err error) {
	err = tx.QueryRow(`select coalesce(max(n), 0) from gate_request`).Scan(&n)
	return n, err
}

func steps(tx *store.Tx) (n int64, err error) {
	err = tx.QueryRow(`select count(*) from gate_step`).Scan(&n)
	return n, err
}

func (k *Keeper) seal(v any, aad string) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return k.o.Keys.Seal(b, []byte(aad))
}

func (k *Keeper) insert(tx *store.Tx, r *Request, n int64) error {
	b, err := k.sealed(r)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into gate_request (id, n, asked_by, asked, kind, review, at_gate, state, entered, sealed) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, n, r.AskedBy, r.Asked, r.Spec.Kind, r.Spec.Review, r.Gate(), r.State, r.Entered, b)
	return err
}

func (k *Keeper) sealed(r *Request) ([]byte, error) {
	return k.seal(body{r.Name, r.Spec, r.Draft, r.Privacy, r.Flows, r.Reasons, r.Failing}, "gate_request/"+r.ID)
}

func (k *Keeper) save(tx *store.Tx, r *Request, s Step) error {
	b, err := k.sealed(r)
	if err != nil {
		return err
	}
	if _, err := tx.Exec(`update gate_request set review = ?, at_gate = ?, state = ?, entered = ?, sealed = ? where id = ?`,
		r.Spec.Review, r.Gate(), r.State, r.Entered, b, r.ID); err != nil {
		return err
	}
	reason, err := k.seal(s.Reason, stepAAD(r.ID, s.N))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into gate_step (request, n, at, actor, verb, board, outcome, from_gate, to_gate, state, minutes, waited_days, sealed) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		r.ID, s.N, s.At, s.Actor, s.Verb, s.Board, s.Outcome, s.From, s.To, s.State, s.Minutes, s.WaitedDays, reason)
	return err
}

func stepAAD(id string, n int64) string { return fmt.Sprintf("gate_step/%s/%d", id, n) }

const requestColumns = `id, asked_by, asked, state, entered, sealed`

type kept struct {
	r      *Request
	sealed []byte
}

func scanRequest(from func(...any) error) (x kept, err error) {
	var asked, entered int64
	x.r = &Request{Kept: true}
	err = from(&x.r.ID, &x.r.AskedBy, &asked, &x.r.State, &entered, &x.sealed)
	x.r.Asked, x.r.Entered = time.UnixMilli(asked).UTC(), time.UnixMilli(entered).UTC()
	return x, err
}

func (k *Keeper) open(x kept) (*Request, error) {
	plain, err := k.o.Keys.Open(x.sealed, []byte("gate_request/"+x.r.ID))
	if err != nil {
		return nil, fmt.Errorf("gate: opening request %s: %w", x.r.ID, err)
	}
	var b body
	if err := json.Unmarshal(plain, &b); err != nil {
		return nil, fmt.Errorf("gate: reading request %s: %w", x.r.ID, err)
	}
	x.r.Name, x.r.Spec, x.r.Draft, x.r.Privacy, x.r.Flows, x.r.Reasons, x.r.Failing = b.Name, b.Spec, b.Draft, b.Privacy, b.Flows, b.Reasons, b.Failing
	return x.r, nil
}

func (k *Keeper) get(tx *store.Tx, id string) (*Request, bool, error) {
	x, ok, err := store.Maybe(scanRequest(tx.QueryRow(`select `+requestColumns+` from gate_request where id = ?`, id).Scan))
	if err != nil || !ok {
		return nil, false, err
	}
	r, err := k.open(x)
	if err != nil {
		return nil, false, err
	}
	all, err := k.steps(tx, `where request = ?`, id)
	r.Steps = all[id]
	return r, true, err
}

// list are the kept requests at a moment, the zero time standing for now: those
// that were made by then, where they stood then.
func (k *Keeper) list(tx *store.Tx, at time.Time) (all []*Request, err error) {
	if at.IsZero() {
		at = tx.Now
	}
	rows, err := tx.Query(`select ` + requestColumns + ` from gate_request order by id`)
	xs, err := store.List(rows, err, scanRequest)
	if err != nil {
		return nil, err
	}
	steps, err := k.steps(tx, `where at <= ?`, at)
	if err != nil {
		return nil, err
	}
	for _, x := range xs {
		r, err := k.open(x)
		if err != nil {
			return nil, err
		}
		if r.Steps = steps[r.ID]; len(r.Steps) == 0 {
			continue // it came later
		}
		r.rewind(k.o.Zone)
		all = append(all, r)
	}
	return all, nil
}

// rewind puts a request where its last step left it.
func (r *Request) rewind(zone *time.Location) {
	last := r.Steps[len(r.Steps)-1]
	if d := r.Spec.Decided; d != nil && d.On.After(def.DateOf(last.At.In(zone))) {
		r.Spec.Decided = nil // that came later
	}
	entered := time.Time{}
	for _, s := range r.Steps {
		if entered.IsZero() || s.From != s.To {
			entered = s.At
		}
		if s.Verb == "decided" {
			by := s.Board
			if by == "" {
				by = s.Actor
			}
			r.Spec.Decided = &Decided{Outcome: s.Outcome, By: by, On: def.DateOf(s.At.In(zone)), Reason: s.Reason}
		}
	}
	if r.State = last.State; last.To == r.Gate() {
		return
	}
	r.Entered = entered
	r.Spec.Gate = &Gate{At: last.To, Entered: def.DateOf(entered.In(zone))}
}

type sealedStep struct {
	request string
	s       Step
	reason  []byte
}

func (k *Keeper) steps(tx *store.Tx, where string, args ...any) (map[string][]Step, error) {
	rows, err := tx.Query(`select request, n, at, actor, verb, board, outcome, from_gate, to_gate, state, minutes, waited_days, sealed from gate_step `+where+` order by request, n`, args...)
	xs, err := store.List(rows, err, func(from func(...any) error) (x sealedStep, err error) {
		var at int64
		err = from(&x.request, &x.s.N, &at, &x.s.Actor, &x.s.Verb, &x.s.Board, &x.s.Outcome, &x.s.From, &x.s.To, &x.s.State, &x.s.Minutes, &x.s.WaitedDays, &x.reason)
		x.s.At = time.UnixMilli(at).UTC()
		return x, err
	})
	if err != nil {
		return nil, err
	}
	out := map[string][]Step{}
	for _, x := range xs {
		plain, err := k.o.Keys.Open(x.reason, []byte(stepAAD(x.request, x.s.N)))
		if err != nil {
			return nil, fmt.Errorf("gate: opening step %d of %s: %w", x.s.N, x.request, err)
		}
		if err := json.Unmarshal(plain, &x.s.Reason); err != nil {
			return nil, err
		}
		out[x.request] = append(out[x.request], x.s)
	}
	return out, nil
}
