package quarantine

import (
	"bytes"
	"net/url"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Bad is a record that is about to be held, and why.
type Bad struct {
	Body     []byte
	Problems []reeve.Problem
}

// Mended is a record that a rule of its source put right; zero for none.
type Mended struct {
	Body    []byte
	Rule    int64
	Changed []string // names of fields, for the journal
}

// Proposal is a correction that does not go on at once: a second person must approve
// it, or it is of many records and can be undone for a while.
type Proposal struct {
	Actor  reeve.Actor
	Type   *contract.Type
	Sender string
	Sees   reeve.Class // the highest class that the actor may see
	Items  []Proposed
}

// Proposed is a held record and what it would become.
type Proposed struct {
	Held Held
	Body []byte
}

// SetBench names who takes proposals, and answers with a number for them. Without
// one, everything goes on at once.
func (w *Ward) SetBench(propose func(*store.Tx, Proposal) (int64, error)) { w.propose = propose }

// mustPropose reports whether a corrected body may go on only after a second person
// approved it.
func (w *Ward) mustPropose(t *contract.Type, h Held, body []byte) (bool, error) {
	if w.propose == nil {
		return false, nil
	}
	old, err := rawjson.Decode(h.Body)
	if err != nil {
		return false, err
	}
	v, err := rawjson.Decode(body)
	if err != nil {
		return false, nil // Correct says what is wrong with it
	}
	return NeedsApproval(t, Differences(old, v)), nil
}

// unchanged is an error where a record is not what it was when a correction of it was
// worked out, and with it whether that needs approval.
func (w *Ward) unchanged(tx *store.Tx, h Held) error {
	now, err := w.GetTx(tx, h.ID)
	if err == nil && !bytes.Equal(now.Body, h.Body) {
		err = reeve.E(reeve.Conflict, "quarantine.correct", "%s was corrected by somebody else at the same moment: look at it again", h.ID)
	}
	return err
}

// sameOf is the change that a form made to h's wrong fields, for other records.
func sameOf(h Held, in url.Values) url.Values {
	only := url.Values{}
	for _, p := range h.Problems {
		for _, name := range []string{"f" + p.Path, "x" + p.Path} {
			if v, ok := in[name]; ok {
				only[name] = v
			}
		}
	}
	return only
}

// alike makes proposals of the same change to other records.
func (w *Ward) alike(tx *store.Tx, t *contract.Type, ids []reeve.RecordID, only url.Values, sees func(reeve.Class) bool) (out []Proposed, err error) {
	for _, id := range ids {
		o, err := w.GetTx(tx, id)
		if err != nil {
			return nil, err
		}
		if o.State != Open || o.Correction != 0 {
			continue
		}
		body, err := apply(t, o.Body, only, sees)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(body, o.Body) {
			out = append(out, Proposed{o, body})
		}
	}
	return out, nil
}
