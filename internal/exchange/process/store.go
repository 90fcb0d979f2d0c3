package process

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// State is where a run stands.
type State string

// The states of a run.
const (
	Running State = "running" // a step is being done, or to be done
	Undoing State = "undoing" // a step failed for good; what was done is being undone
	Unsure  State = "unsure"  // nobody knows whether a step was done; a person decides
	Stuck   State = "stuck"   // something could not be undone; a person deals with it
	Done    State = "done"    // every step was done
	Undone  State = "undone"  // it failed, and all that was done was undone
)

// ended reports whether nothing is left to do about a run.
func (s State) ended() bool { return s == Done || s == Undone }

// run is one record on its way through one process.
type run struct {
	process    string
	n          int64
	record     reeve.RecordID
	lane       string
	state      State
	step       int    // where it stands in the process, -1 if that has it no more
	at         string // and its flow, "" before the first
	generation int
	tries      int
	due, since time.Time // next attempt; when the step was begun
	began      time.Time
	settled    time.Time
	why        string
	kept       kept
}

// kept is the part of a run that holds what was told: it is sealed.
type kept struct {
	Body    []byte            `json:"body,omitempty"`    // of the step under way, frozen
	Flow    string            `json:"flow,omitempty"`    // id of the flow that Body was made for
	Trying  bool              `json:"trying,omitempty"`  // an attempt was begun whose end is not known
	Maybe   bool              `json:"maybe,omitempty"`   // an attempt of this step ended unclear: it may have been done
	Answers map[string][]byte `json:"answers,omitempty"` // by name
}

func (r *run) aad() []byte { return fmt.Appendf(nil, "process %s %d", r.process, r.n) }

const runColumns = `process, n, record, lane, state, step, generation, tries, due, since, began, settled, why, kept, at_flow`

func (d *Runner) scan(from func(...any) error) (r *run, err error) {
	r = new(run)
	var due, since, began, settled int64
	var sealed []byte
	if err := from(&r.process, &r.n, &r.record, &r.lane, &r.state, &r.step, &r.generation, &r.tries, &due, &since, &began, &settled, &r.why, &sealed, &r.at); err != nil {
		return nil, err
	}
	r.due, r.since, r.began, r.settled = store.Moment(due), store.Moment(since), store.Moment(began), store.Moment(settled)
	if len(sealed) == 0 {
		return r, nil
	}
	plain, err := d.o.Keys.Open(sealed, r.aad())
	if err != nil {
		return nil, err
	}
	return r, json.Unmarshal(plain, &r.kept)
}

func readPosition(tx *store.Tx, process string) (n int64, ok bool, err error) {
	err = tx.QueryRow(`select position from process_cursor where process = ?`, process).Scan(&n)
	return store.Maybe(n, err)
}

func setPosition(tx *store.Tx, process string, n int64) error {
	_, err := tx.Exec(`insert into process_cursor (process, position) values (?, ?) on conflict (process) do update set position = excluded.position`, process, n)
	return err
}

func rename(tx *store.Tx, old, id string) error {
	for _, table := range []string{"cursor", "run", "step"} {
		if _, err := tx.Exec(`update process_`+table+` set process = ? where process = ?`, id, old); err != nil {
			return err
		}
	}
	return nil
}

func insertRun(tx *store.Tx, r *run) error {
	_, err := tx.Exec(`insert into process_run (`+runColumns+`) values (?,?,?,?,?,0,0,0,0,0,?,0,'',null,'')`,
		r.process, r.n, string(r.record), r.lane, string(Running), store.Millis(tx.Now))
	return err
}

func (d *Runner) save(tx *store.Tx, r *run) error {
	var sealed []byte
	if r.kept.Body != nil || r.kept.Answers != nil || r.kept.Maybe {
		plain, err := json.Marshal(r.kept)
		if err != nil {
			return err
		}
		if sealed, err = d.o.Keys.Seal(plain, r.aad()); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`update process_run set state = ?, step = ?, generation = ?, tries = ?, due = ?, since = ?, settled = ?, why = ?, kept = ?, at_flow = ? where process = ? and n = ?`,
		string(r.state), r.step, r.generation, r.tries, store.Millis(r.due), store.Millis(r.since), store.Millis(r.settled), r.why, sealed, r.at, r.process, r.n)
	return err
}

// dueRuns are runs of a process that can go on now, oldest first; where a run of the
// same lane came earlier and has not ended, it goes first.
func (d *Runner) dueRuns(tx *store.Tx, process string, now time.Time, limit int) ([]*run, error) {
	rows, err := tx.Query(`select `+runColumns+` from process_run r where process = ? and state in ('running', 'undoing') and due <= ?
		and (lane = '' or not exists (select 1 from process_run e where e.process = r.process and e.lane = r.lane and e.n < r.n and e.state in ('running', 'undoing', 'unsure', 'stuck')))
		order by n limit ?`, process, store.Millis(now), limit)
	return store.List(rows, err, d.scan)
}

func (d *Runner) runOf(tx *store.Tx, process string, n int64) (*run, error) {
	r, err := d.scan(tx.QueryRow(`select `+runColumns+` from process_run where process = ? and n = ?`, process, n).Scan)
	r, ok, err := store.Maybe(r, err)
	if err == nil && !ok {
		err = reeve.E(reeve.NotFound, "exchange.process", "there is no run of %s with the number %d", process, n)
	}
	return r, err
}

// listRuns are the runs of a process, newest first; those that need a person first of all.
func (d *Runner) listRuns(tx *store.Tx, process string, limit int) ([]*run, error) {
	rows, err := tx.Query(`select `+runColumns+` from process_run where process = ?
		order by case when state in ('unsure', 'stuck') then 0 else 1 end, n desc limit ?`, process, limit)
	return store.List(rows, err, d.scan)
}

// countOpen counts runs that go on by themselves: those that wait for a person hold up
// no other.
func countOpen(tx *store.Tx, process string) (n int, err error) {
	err = tx.QueryRow(`select count(*) from process_run where process = ? and state in ('running', 'undoing')`, process).Scan(&n)
	return n, err
}

// counts of the runs of a process, by state.
func counts(tx *store.Tx, process string) (map[State]int64, error) {
	rows, err := tx.Query(`select state, count(*) from process_run where process = ? group by state`, process)
	out := map[State]int64{}
	_, err = store.List(rows, err, func(from func(...any) error) (struct{}, error) {
		var s State
		var n int64
		err := from(&s, &n)
		out[s] = n
		return struct{}{}, err
	})
	return out, err
}

// stepRow is what became of one step of a run.
type stepRow struct {
	step  int
	undo  bool
	flow  string
	state string // done, skipped, refused, maybe
	why   string
	at    time.Time
}

func setStep(tx *store.Tx, r *run, s stepRow) error {
	undo := 0
	if s.undo {
		undo = 1
	}
	_, err := tx.Exec(`insert into process_step (process, n, step, undo, flow, state, why, at) values (?,?,?,?,?,?,?,?)
		on conflict (process, n, step, undo) do update set flow = excluded.flow, state = excluded.state, why = excluded.why, at = excluded.at`,
		r.process, r.n, s.step, undo, s.flow, s.state, s.why, store.Millis(tx.Now))
	return err
}

func clearSteps(tx *store.Tx, r *run) error {
	_, err := tx.Exec(`delete from process_step where process = ? and n = ?`, r.process, r.n)
	return err
}

func stepsOf(tx *store.Tx, process string, n int64) ([]stepRow, error) {
	rows, err := tx.Query(`select step, undo, flow, state, why, at from process_step where process = ? and n = ? order by step, undo`, process, n)
	return store.List(rows, err, func(from func(...any) error) (s stepRow, err error) {
		var undo int
		var at int64
		err = from(&s.step, &undo, &s.flow, &s.state, &s.why, &at)
		s.undo, s.at = undo == 1, store.Moment(at)
		return s, err
	})
}

// carried is how often a flow was done as a step, and when last.
func carried(tx *store.Tx, flow string) (n int64, last time.Time, err error) {
	var at int64
	err = tx.QueryRow(`select count(*), coalesce(max(at), 0) from process_step where flow = ? and state = 'done'`, flow).Scan(&n, &at)
	return n, store.Moment(at), err
}

// errMoved says that a run is not any more where it was read.
var errMoved = errors.New("the run has moved on")
