// Package measure counts what was done, by day. It counts the journal, so the
// figures on the front page and what can be proved are the same.
package measure

import (
	"context"
	"embed"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Migrations are the room's tables.
//
//go:embed *.sql
var Migrations embed.FS

// batch is how many entries are counted in one transaction.
const batch = 15_000

// Counter counts journal entries by verb and civil day.
type Counter struct {
	DB      *store.DB
	Journal *journal.Journal
	Zone    *time.Location
}

// Step counts the entries that are new and reports how many they were.
func (c *Counter) Step(ctx context.Context) (did int, err error) {
	var next int64
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		next, err = cursor(tx)
		return err
	})
	if err != nil {
		return 0, err
	}
	tallies, n, err := c.Journal.Tally(ctx, next, batch)
	if err != nil || n == 0 {
		return 0, err
	}
	type cell struct{ day, verb string }
	counts := map[cell]int64{}
	for _, t := range tallies { // no zone's day begins within a minute
		counts[cell{t.Minute.In(c.Zone).Format(time.DateOnly), t.Verb}] += t.Count
	}
	err = c.DB.Update(ctx, func(tx *store.Tx) error {
		if now, err := cursor(tx); err != nil || now != next {
			return err // another process counted them
		}
		for k, count := range counts {
			if err := add(tx, k.day, k.verb, count); err != nil {
				return err
			}
		}
		return setCursor(tx, next+int64(n))
	})
	return n, err
}

// On returns the counts by verb of the civil day of t.
func (c *Counter) On(ctx context.Context, t time.Time) (counts map[string]int64, err error) {
	err = c.DB.View(ctx, func(tx *store.Tx) error {
		counts, err = onDay(tx, t.In(c.Zone).Format(time.DateOnly))
		return err
	})
	return counts, err
}
