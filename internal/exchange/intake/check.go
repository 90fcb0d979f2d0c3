package intake

import (
	"context"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/agreement"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/once"
	"github.com/reeve-civic/reeve/internal/exchange/rawjson"
	"github.com/reeve-civic/reeve/internal/kernel/rules"
)

// check does the costly work on a batch, outside any transaction: is it inside the
// agreement, is it well-formed, does it fit its type; and looks its keys up ahead.
func (r *run) check(b *batch) error {
	b.rules = r.d.o.Rules()
	t, ok := b.rules.Types.Type(r.call.Type)
	terms, why := b.rules.Agreements.Intake(r.d.o.DB.Now(), r.call.Actor.Party, r.call.Type)
	if !ok && why == nil {
		why = &agreement.Refusal{Code: "no-type", Reason: "the record type is no longer defined"}
	}
	hashes := make([]once.Hash, 0, len(b.items))
	for i := range b.items {
		it := &b.items[i]
		switch {
		case it.code != "":
			continue
		case why != nil:
			it.refuse(reeve.Forbidden, why.Code, why.Reason)
			continue
		}
		raw := b.buf[it.from:it.to:it.to]
		if !it.plain(t, terms, raw) {
			if err := r.decode(it, t, terms, raw); err != nil {
				return err
			}
			if it.code != "" {
				continue
			}
		}
		it.digest = r.d.o.Once.Digest(it.body)
		if it.key != "" {
			it.known = r.d.o.Once.Key(r.call.Actor.Party, t.ID, it.key)
			hashes = append(hashes, it.known)
		}
		if !r.header.Zero() {
			it.header = r.d.o.Once.Place(r.header, it.place)
			hashes = append(hashes, it.header)
		}
	}
	hashes = r.mend(b, t, hashes)
	b.buf = nil // what is good shares its memory
	if len(hashes) == 0 {
		return nil
	}
	var err error
	b.ahead, err = r.d.o.Once.Ahead(r.ctx, hashes)
	return err
}

// plain takes a record in without decoding it: one that is certainly good, and
// whose agreement asks nothing of its values. It is false, and nothing is done,
// for any other: decode finds out what to do about it.
func (it *item) plain(t *contract.Type, terms []*agreement.Term, raw []byte) bool {
	term := terms[0]
	if term.Where != nil {
		return false
	}
	body := raw
	var dropped []string
	if !term.Whole() {
		end, compact := rawjson.ScanValue(raw, 0, 0)
		if end != len(raw) || !compact || raw[0] != '{' {
			return false
		}
		var err error
		if body, dropped, err = term.Cut(raw); err != nil {
			return false
		}
	}
	key, compact, ok := t.Good(body)
	if !ok {
		return false
	}
	if !compact {
		body = rawjson.AppendCompact(make([]byte, 0, len(body)), body)
	}
	it.term, it.body, it.key, it.cutOff = term, body, key, names(dropped)
	return true
}

// decode takes a record in, whatever it is. Where it is refused, that is said in
// the item.
func (r *run) decode(it *item, t *contract.Type, terms []*agreement.Term, raw []byte) error {
	v, err := rawjson.Decode(raw)
	if err != nil {
		it.refuse(reeve.Invalid, "malformed", "is not well-formed JSON: "+err.Error())
		r.malformed.Add(1)
		return nil
	}
	if _, ok := v.(map[string]any); !ok {
		it.refuse(reeve.Invalid, "malformed", "must be an object: { ... }")
		r.malformed.Add(1)
		return nil
	}
	if !it.inside(r.ctx, terms, v) {
		return nil
	}
	body := rawjson.AppendCompact(make([]byte, 0, len(raw)), raw)
	if !it.term.Whole() {
		cut, dropped, err := it.term.Cut(body)
		if err != nil {
			it.refuse(reeve.Invalid, "malformed", "is not well-formed JSON")
			return nil
		}
		if len(cut) < len(body) {
			if v, err = rawjson.Decode(cut); err != nil {
				return err
			}
		}
		body, it.cutOff = cut, names(dropped)
	}
	it.body = body
	it.key, it.problems = t.CheckValue(v)
	return nil
}

// outside is the code of a record for which no agreement's condition holds.
const outside = "outside-agreement"

// inside finds the first term that the record is inside of, or refuses it.
func (it *item) inside(ctx context.Context, terms []*agreement.Term, v any) bool {
	message := ""
	for _, t := range terms {
		truth, missing, err := t.Admits(ctx, v)
		switch {
		case err != nil:
			message = "cannot be compared with the condition of agreement " + t.Agreement
		case truth == rules.True:
			it.term = t
			return true
		case truth == rules.Unknown && len(missing) > 0:
			message = "is outside agreement " + t.Agreement + ", which decides by " + strings.Join(missing, ", ")
		default:
			message = "is outside agreement " + t.Agreement + ": its condition does not hold"
		}
	}
	it.refuse(reeve.Forbidden, outside, message)
	return false
}

// names lists what was cut off, each name once.
func names(dropped []string) string {
	const most = 20
	if len(dropped) == 0 {
		return ""
	}
	if len(dropped) > most {
		dropped = append(dropped[:most:most], "…")
	}
	return "cut off " + strings.Join(dropped, " ")
}
