package intake

import (
	"fmt"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/once"
	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// mend lets rules of the source put right what would be held, and adds the hashes
// that are to be looked up for it. What a rule makes stays inside the agreement, or
// the record is held as it came.
func (r *run) mend(b *batch, t *contract.Type, hashes []once.Hash) []once.Hash {
	if r.d.o.Mend == nil || t == nil {
		return hashes
	}
	var bad []quarantine.Bad
	var at []*item
	for i := range b.items {
		if it := &b.items[i]; it.code == "" && len(it.problems) > 0 {
			bad, at = append(bad, quarantine.Bad{Body: it.body, Problems: it.problems}), append(at, it)
		}
	}
	if len(bad) == 0 {
		return hashes
	}
	for i, m := range r.d.o.Mend(r.ctx, r.call.Actor.Party, t, bad) {
		it := at[i]
		if m.Rule == 0 || !r.mended(it, t, m) {
			continue
		}
		if it.key != "" {
			hashes = append(hashes, it.known)
		}
	}
	return hashes
}

// mended takes over what a rule made of a record, if it may.
func (r *run) mended(it *item, t *contract.Type, m quarantine.Mended) bool {
	v, err := rawjson.Decode(m.Body)
	if err != nil {
		return false
	}
	if truth, _, err := it.term.Admits(r.ctx, v); err != nil || truth != rules.True {
		return false
	}
	body := rawjson.AppendCompact(nil, m.Body)
	if !it.term.Whole() {
		if cut, _, err := it.term.Cut(body); err != nil || len(cut) != len(body) {
			return false
		}
	}
	key, problems := t.CheckValue(v)
	if len(problems) > 0 {
		return false
	}
	it.mend, it.was, it.problems, it.body, it.key = m, it.problems, nil, body, key
	it.now, it.known = r.d.o.Once.Digest(body), once.Hash{}
	if key != "" {
		it.known = r.d.o.Once.Key(r.call.Actor.Party, t.ID, key)
	}
	return true
}

// same reports whether the record that came with its key before is this one.
func (it *item) same(seen once.Seen) bool {
	return seen.Same(it.digest) || it.mend.Rule != 0 && seen.Same(it.now)
}

// seen is what is remembered of the record's content.
func (it *item) seen(s once.Seen) once.Seen {
	s.Digest = it.digest
	if it.mend.Rule != 0 {
		s.Digest, s.Sent = it.now, it.digest
	}
	return s
}

// told are the problems that the receipt tells of: those that a rule put right, too,
// so that they can be put right where they begin.
func (it *item) told() []reeve.Problem {
	if it.mend.Rule == 0 {
		return it.problems
	}
	out := make([]reeve.Problem, 0, len(it.was)+len(it.problems))
	for _, p := range it.was {
		out = append(out, reeve.Problem{Path: p.Path, Message: fmt.Sprintf("%s; rule %d put it right", p.Message, it.mend.Rule)})
	}
	return append(out, it.problems...)
}

// used is how many records of a batch each rule put right.
func used(items []item) map[int64]int {
	var out map[int64]int
	for i := range items {
		if it := &items[i]; it.mend.Rule != 0 && (it.status == "accepted" || it.status == "held") {
			if out == nil {
				out = map[int64]int{}
			}
			out[it.mend.Rule]++
		}
	}
	return out
}
