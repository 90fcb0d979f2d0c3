// Package trail tells whoever sent a record what became of it: whether it was
// accepted, to whom each flow carried which of its fields under which agreement,
// and what is still to come and why.
//
// It shows no more of a record than names of fields. What must not be assumed: that
// a delivery which is told as delivered was also read there.
package trail

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
)

// Flows knows what flows did, or will do, with record n of type t.
type Flows interface {
	Trail(ctx context.Context, n int64, t reeve.RecordType) ([]flow.Leg, error)
}

// Trail is the story of one record.
type Trail struct {
	ID           reeve.RecordID   `json:"id"`
	Seq          int64            `json:"seq,omitempty"`
	Type         reeve.RecordType `json:"type,omitempty"`
	Sender       string           `json:"sender"`
	Status       string           `json:"status"` // accepted, held, released, discarded, refused
	At           time.Time        `json:"at"`
	Submission   string           `json:"submission,omitempty"`
	Replaces     reeve.RecordID   `json:"replaces,omitempty"`     // the earlier version with the same key
	ReleasedFrom reeve.RecordID   `json:"releasedFrom,omitempty"` // the id under which it was held
	ForwardedTo  reeve.RecordID   `json:"forwardedTo,omitempty"`  // the id under which it went on
	WaitsFor     reeve.RecordID   `json:"waitsFor,omitempty"`
	Problems     []reeve.Problem  `json:"problems,omitempty"`
	Reasons      []string         `json:"reasons,omitempty"` // of a refusal
	Deliveries   []flow.Leg       `json:"deliveries"`
	Journal      []int64          `json:"journal"` // numbers of the entries about it
}

// Teller tells trails.
type Teller struct {
	Log     *reclog.Log
	Ward    *quarantine.Ward
	Journal *journal.Journal
	Flows   Flows // nil: there are none
	// Name is what pages call a definition, by kind and id; nil: its id.
	Name func(kind, id string) string
	// List is the names of all definitions of a kind by id, to choose from; may be nil.
	List func(kind string) map[string]string
	// Lineage is every id that a definition has or had, by kind and one of them, the
	// present one first; nil: none ever changed.
	Lineage func(kind, id string) []string
	Zone    *time.Location // of times on pages; nil for UTC
}

const maxEntries = 100 // journal entries told of one record

// Tell returns the story of a record, by any id that a receipt gave. It is for the
// caller to see that whoever asks may know.
func (t *Teller) Tell(ctx context.Context, id reeve.RecordID) (Trail, error) {
	out, err := t.tell(ctx, id)
	out.Type, out.Sender = reeve.RecordType(t.lineage("RecordType", string(out.Type))[0]), t.lineage("Organisation", out.Sender)[0]
	return out, err
}

func (t *Teller) lineage(kind, id string) []string {
	if t.Lineage == nil {
		return []string{id}
	}
	return t.Lineage(kind, id)
}

func (t *Teller) tell(ctx context.Context, id reeve.RecordID) (Trail, error) {
	const op = "trail.Tell"
	if strings.HasPrefix(string(id), "x") {
		return t.refused(ctx, id)
	}
	_, n, err := id.Parse()
	if err != nil {
		return Trail{}, err
	}
	rec, err := t.Log.Get(ctx, n)
	switch {
	case reeve.KindOf(err) == reeve.NotFound:
		return t.held(ctx, id)
	case err != nil:
		return Trail{}, err
	case rec.ID != id:
		return Trail{}, reeve.E(reeve.NotFound, op, "there is no record %s", id)
	}
	out := Trail{ID: id, Seq: n, Type: rec.Type, Sender: rec.Sender, Status: "accepted", At: rec.At, Submission: submission(rec.Submission),
		Replaces: rec.Replaces, ReleasedFrom: rec.ReleasedFrom, Deliveries: []flow.Leg{}}
	if t.Flows != nil {
		legs, err := t.Flows.Trail(ctx, rec.N, rec.Type)
		if err != nil {
			return Trail{}, err
		}
		out.Deliveries = append(out.Deliveries, legs...)
	}
	out.Journal, err = t.entries(ctx, id)
	return out, err
}

// submission is without the place in it.
func submission(s string) string {
	s, _, _ = strings.Cut(s, "#")
	return s
}

func (t *Teller) entries(ctx context.Context, id reeve.RecordID) ([]int64, error) {
	es, err := t.Journal.About(ctx, reeve.Ref("record/"+id), maxEntries)
	out := make([]int64, 0, len(es))
	for _, e := range es {
		out = append(out, e.N)
	}
	return out, err
}

func (t *Teller) held(ctx context.Context, id reeve.RecordID) (Trail, error) {
	h, err := t.Ward.Get(ctx, id)
	if err != nil {
		if reeve.KindOf(err) == reeve.NotFound {
			err = reeve.E(reeve.NotFound, "trail.Tell", "there is no record %s", id)
		}
		return Trail{}, err
	}
	out := Trail{ID: id, Seq: h.N, Type: h.Type, Sender: h.Sender, Status: string(h.State), At: h.At, Submission: submission(h.Submission),
		WaitsFor: h.Waits, Problems: h.Problems, ForwardedTo: h.Became, Deliveries: []flow.Leg{}}
	if h.Became != "" {
		next, err := t.Tell(ctx, h.Became)
		if err != nil {
			return Trail{}, err
		}
		out.Problems, out.Deliveries = nil, next.Deliveries
	}
	out.Journal, err = t.entries(ctx, id)
	return out, err
}

// refused tells of a record of which only the refusal was kept, in the journal.
func (t *Teller) refused(ctx context.Context, id reeve.RecordID) (Trail, error) {
	none := reeve.E(reeve.NotFound, "trail.Tell", "there is no record %s", id)
	epoch, entry, ok := strings.Cut(strings.TrimPrefix(string(id), "x"), "-")
	e, err1 := strconv.ParseInt(epoch, 10, 64)
	n, err2 := strconv.ParseInt(entry, 10, 64)
	if !ok || err1 != nil || err2 != nil || n < 0 || intake.RefusedID(e, n) != id {
		return Trail{}, none
	}
	es, err := t.Journal.Read(ctx, n, 1)
	if err != nil {
		return Trail{}, err
	}
	if len(es) == 0 || es[0].N != n || es[0].Verb != "refused" {
		return Trail{}, none
	}
	out := Trail{ID: id, Status: "refused", At: es[0].At, Submission: strings.TrimPrefix(string(es[0].About), "submission/"),
		Deliveries: []flow.Leg{}, Journal: []int64{n}}
	given := "1"
	for _, why := range es[0].Why {
		if s, ok := strings.CutPrefix(why, "sender "); ok {
			out.Sender = s
		} else if s, ok := strings.CutPrefix(why, "epoch "); ok {
			given = s
		} else if s, ok := strings.CutPrefix(why, "type "); ok {
			out.Type = reeve.RecordType(s)
		} else {
			out.Reasons = append(out.Reasons, why)
		}
	}
	slices.Sort(out.Reasons)
	if out.Sender == "" || given != epoch {
		return Trail{}, none
	}
	return out, nil
}
