package quarantine

import (
	"context"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// mostMistakes is how many kinds of mistake one record is listed under.
const mostMistakes = 8

// Mistake is one thing that is wrong with open records of a type and sender.
type Mistake struct {
	ID      string
	Type    reeve.RecordType
	Sender  string // id of the Organisation
	Path    string // JSON Pointer, with * for every place in a list
	Message string
	Count   int // open records that have it
	Oldest  time.Time
}

// Place is where a problem stands, whichever item of a list it is in.
func Place(path string) string {
	toks := strings.Split(path, "/")
	for i, t := range toks {
		if _, err := strconv.ParseUint(t, 10, 31); err == nil {
			toks[i] = "*"
		}
	}
	return strings.Join(toks, "/")
}

// SafePlace is [Place] as the journal may tell it.
func SafePlace(path string) string {
	out := ""
	for _, tok := range contract.Tokens(Place(path)) {
		if tok != "*" {
			tok = agreement.SafeName(tok)
		}
		out += "/" + tok
	}
	return out
}

// MistakeID names what is wrong with a record of a type and sender.
func (w *Ward) MistakeID(t reeve.RecordType, sender string, p reeve.Problem) string {
	h := w.o.Once.Key(sender, t, "mistake\n"+Place(p.Path)+"\n"+p.Message)
	return hex.EncodeToString(h[:])
}

// mistakes are the kinds of mistake of a record, by their ids.
func (w *Ward) mistakes(h Held) map[string]reeve.Problem {
	out := map[string]reeve.Problem{}
	for _, p := range h.Problems {
		if len(out) == mostMistakes {
			break
		}
		out[w.MistakeID(h.Type, h.Sender, p)] = reeve.Problem{Path: Place(p.Path), Message: p.Message}
	}
	return out
}

// Mistakes are what is wrong with open records, the most frequent first; party ""
// is everybody's.
func (w *Ward) Mistakes(ctx context.Context, party string, limit int) (out []Mistake, err error) {
	err = w.o.DB.View(ctx, func(tx *store.Tx) error {
		out, err = w.listMistakes(tx, party, limit)
		return err
	})
	return out, err
}

// Mistake is one kind of mistake, with how many records have it now; NotFound if
// none ever did.
func (w *Ward) Mistake(ctx context.Context, id string) (m Mistake, err error) {
	err = w.o.DB.View(ctx, func(tx *store.Tx) error {
		m, err = w.MistakeTx(tx, id)
		return err
	})
	return m, err
}

// Having are open records that have a mistake and are set aside for no correction,
// oldest first, with numbers above after.
func (w *Ward) Having(ctx context.Context, mistake string, after int64, limit int) (out []Held, err error) {
	err = w.o.DB.View(ctx, func(tx *store.Tx) error {
		out, err = w.having(tx, mistake, after, limit)
		return err
	})
	return out, err
}

// Regroup lists records under their mistakes that were held before there were such
// lists. Call it once, before serving.
func (w *Ward) Regroup(ctx context.Context) error {
	for after := int64(0); ; {
		var hs []Held
		if err := w.o.DB.View(ctx, func(tx *store.Tx) (err error) {
			hs, err = w.unlisted(tx, after)
			return err
		}); err != nil || len(hs) == 0 {
			return err
		}
		if err := w.o.DB.Update(ctx, func(tx *store.Tx) error {
			for _, h := range hs {
				if err := w.relist(tx, h); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			return err
		}
		after = hs[len(hs)-1].N
	}
}

// Claim sets a held record aside for a correction: until it is let go, nobody
// corrects it otherwise or discards it, and nothing of its key goes on before it.
func (w *Ward) Claim(tx *store.Tx, id reeve.RecordID, correction int64) (Held, error) {
	h, err := w.free(tx, "quarantine.Claim", id)
	if err != nil {
		return h, err
	}
	h.Correction = correction
	return h, setCorrection(tx, h.N, correction)
}

// LetGo ends what Claim began; the record is as it was. It goes on if it has nothing
// wrong and what it waited for has gone on meanwhile.
func (w *Ward) LetGo(tx *store.Tx, id reeve.RecordID, correction int64) error {
	h, err := w.GetTx(tx, id)
	if err != nil || h.Correction != correction {
		return err
	}
	if err := setCorrection(tx, h.N, 0); err != nil || h.State != Open || len(h.Problems) > 0 {
		return err
	}
	_, err = w.follow(tx, "program", h.Lane)
	return err
}

// CorrectClaimed is Correct for a record that was set aside for a correction. why
// is journalled besides the names of what changed.
func (w *Ward) CorrectClaimed(tx *store.Tx, actor reeve.Actor, id reeve.RecordID, correction int64, body []byte, why ...string) (Outcome, error) {
	const op = "quarantine.CorrectClaimed"
	h, err := w.GetTx(tx, id)
	if err != nil {
		return Outcome{}, err
	}
	if h.State != Open || h.Correction != correction {
		return Outcome{}, reeve.E(reeve.Conflict, op, "%s is not set aside for correction %d", id, correction)
	}
	if err := setCorrection(tx, h.N, 0); err != nil {
		return Outcome{}, err
	}
	h.Correction = 0
	return w.correct(tx, actor, h, body, why)
}

// Differences are the places at which two bodies differ, as JSON Pointers: names
// as they are in the records, not for the journal.
func Differences(a, b any) []string {
	var out []string
	diff("", a, b, Escape, &out)
	slices.Sort(out)
	return slices.Compact(out)
}

// NeedsApproval reports whether a change of these fields must be approved by a
// second person, by the class from which on the record type asks it.
func NeedsApproval(t *contract.Type, changed []string) bool {
	for _, p := range changed {
		for _, c := range t.Classes(p) {
			if t.Approved(c) {
				return true
			}
		}
	}
	return false
}

// Times is how long records were held before they went on.
type Times struct {
	Count        int
	Median, Most time.Duration // Most: of nine in ten
}

// TimeToCorrect is how long those records were held that went on since a moment,
// by type; "" is all together. Of very many it looks at the latest.
func (w *Ward) TimeToCorrect(ctx context.Context, since time.Time, party string) (out map[reeve.RecordType]Times, err error) {
	took := map[reeve.RecordType][]time.Duration{}
	err = w.o.DB.View(ctx, func(tx *store.Tx) error {
		took, err = w.took(tx, since, party)
		return err
	})
	out = map[reeve.RecordType]Times{}
	for t, ds := range took {
		slices.Sort(ds)
		out[t] = Times{len(ds), ds[len(ds)/2], ds[len(ds)*9/10]}
	}
	return out, err
}
