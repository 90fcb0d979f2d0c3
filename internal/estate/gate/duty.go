package gate

import (
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Decider is somebody who would decide.
type Decider struct {
	Actor string   // "staff/3"
	Names []string // what definitions may call them: their id in the directory, their address
}

// is reports whether a definition that names somebody means this person.
func (d Decider) is(name string) bool {
	return name != "" && slices.ContainsFunc(d.Names, func(n string) bool { return strings.EqualFold(n, name) })
}

// Why somebody may not decide, as the journal has it.
const (
	OwnRequest = "own-request"
	NoMember   = "not-a-member"
)

// Bar is why somebody may not decide about a request.
type Bar struct{ Code, Text string }

// Owns reports whether a request is the decider's own: made by them, or in their
// name.
func Owns(r *Request, d Decider) bool {
	return r.AskedBy != "" && r.AskedBy == d.Actor || d.is(r.Spec.Owner)
}

// Sits reports whether somebody may record the decisions of a board: a member, or
// its secretary. Of a board that names nobody it is not known who sits on it, so
// everybody does who may decide at all.
func Sits(b Board, d Decider) bool {
	return !Named(b) || d.is(b.Spec.Secretary) || slices.ContainsFunc(b.Spec.Members, func(m Member) bool { return d.is(m.Person) })
}

// Named reports whether a board says who sits on it, and not only in which role.
func Named(b Board) bool {
	return b.Spec.Secretary != "" || slices.ContainsFunc(b.Spec.Members, func(m Member) bool { return m.Person != "" })
}

// Barred says why somebody may not decide about a request for a board ("" where
// none decides at its gate); nil where they may. Nobody decides about what they
// asked for themselves.
func Barred(set *def.Set, r *Request, board string, d Decider) *Bar {
	if Owns(r, d) {
		return &Bar{OwnRequest, "You asked for this yourself, or it is in your name: somebody else decides about it."}
	}
	b, ok := def.Get[BoardSpec](set, board)
	if board == "" || !ok || Sits(b, d) {
		return nil
	}
	text := "Only its members write down what " + b.Name + " decides, and you are not one of them."
	if len(d.Names) == 0 {
		text = "Only its members write down what " + b.Name + " decides, and nothing says which of them you are: your account has no address that the directory knows."
	}
	return &Bar{NoMember, text}
}

// Refused notes in the journal that somebody would have decided and may not.
func (k *Keeper) Refused(tx *store.Tx, r *Request, board, by string, bar *Bar) error {
	why := []string{bar.Code, "gate/" + r.Gate()}
	if board != "" {
		why = append(why, "board/"+board)
	}
	_, err := k.o.Journal.Append(tx, journal.Entry{Actor: by, Verb: "was refused deciding request", About: reeve.Ref("request/" + r.ID), Why: why})
	return err
}
