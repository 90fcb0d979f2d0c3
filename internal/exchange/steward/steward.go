// Package steward lets a data steward open one held record, or one correction, that
// has restricted fields in it: for a reason, for an hour, and noted in the journal.
//
// What is guaranteed. What was opened is opened for the one who gave the reason,
// for that one thing, until the hour is over. The reason is one of a list, so that
// the journal holds no personal data, and the entry is written with the right itself.
//
// What not to assume. That somebody opened a thing does not let them see it: the
// policy says who may, by a rule with Sworn. Nor does it replace the second person
// who approves a correction: that one opens it too.
package steward

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Lasts is how long a thing stays open.
const Lasts = time.Hour

// Reasons why somebody may open a thing, by the code that the journal keeps.
var Reasons = map[string]string{
	"correct":   "To correct a record that nobody else may see",
	"approve":   "To approve a correction of one, or to turn it down",
	"complaint": "Somebody asked or complained about what is held of them",
	"harm":      "Somebody may come to harm while it is held",
}

func codes() []string { return slices.Sorted(maps.Keys(Reasons)) }

// Options are what a register stands on.
type Options struct {
	DB      *store.DB
	Journal *journal.Journal
	Set     func() string // hash of the definitions in force
}

// Register knows what is open, to whom.
type Register struct{ o Options }

// New makes the register's table.
func New(ctx context.Context, o Options) (*Register, error) {
	return &Register{o}, o.DB.Migrate(ctx, "exchange/steward", migrations)
}

// Open opens a thing for an actor.
func (r *Register) Open(ctx context.Context, actor reeve.Actor, about reeve.Ref, reason string) error {
	if _, ok := Reasons[reason]; !ok {
		return reeve.E(reeve.Invalid, "steward.Open", "say why you have to see it")
	}
	return r.o.DB.Update(ctx, func(tx *store.Tx) error {
		if err := put(tx, actor.ID, about, tx.Now.Add(Lasts)); err != nil {
			return err
		}
		_, err := r.o.Journal.Append(tx, journal.Entry{Actor: actor.ID, Verb: "opened restricted fields of", About: about, Set: r.o.Set(), Why: []string{"reason " + reason}})
		return err
	})
}

// IsOpen reports whether a thing is open to an actor. What cannot be found out is not.
func (r *Register) IsOpen(ctx context.Context, actor reeve.Actor, about reeve.Ref) bool {
	if actor.Kind != reeve.Staff || about == "" {
		return false
	}
	open := false
	err := r.o.DB.View(ctx, func(tx *store.Tx) error {
		until, err := find(tx, actor.ID, about)
		open = err == nil && r.o.DB.Now().Before(until)
		return err
	})
	return open && err == nil
}
