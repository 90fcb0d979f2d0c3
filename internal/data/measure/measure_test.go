package measure

import (
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// A day begins and ends in the body's zone: half past midnight in London in
// summer is still yesterday in UTC.
func TestCountsByCivilDay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		if err := db.Migrate(ctx, "data/measure", Migrations); err != nil {
			t.Fatal(err)
		}
		j, err := journal.Open(ctx, db, journal.Options{})
		if err != nil {
			t.Fatal(err)
		}
		london, err := time.LoadLocation("Europe/London")
		if err != nil {
			t.Fatal(err)
		}
		c := &Counter{DB: db, Journal: j, Zone: london}
		late := time.Date(2026, 6, 30, 23, 30, 0, 0, time.UTC) // 1 July, 00:30 in London
		append := func(es ...journal.Entry) {
			t.Helper()
			if err := db.Update(ctx, func(tx *store.Tx) error { _, err := j.Append(tx, es...); return err }); err != nil {
				t.Fatal(err)
			}
			for {
				n, err := c.Step(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if n == 0 {
					return
				}
			}
		}
		append(journal.Entry{Actor: "someone", Verb: "accepted", At: late}, journal.Entry{Actor: "someone", Verb: "held", At: late.Add(-time.Hour)})
		append(journal.Entry{Actor: "someone", Verb: "accepted", At: late})
		june, err := c.On(ctx, late.Add(-time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		july, err := c.On(ctx, late)
		if err != nil {
			t.Fatal(err)
		}
		if june["held"] != 1 || june["accepted"] != 0 || july["accepted"] != 2 {
			t.Errorf("30 June: %v, 1 July: %v; want 1 held, then 2 accepted", june, july)
		}
	})
}
