package alert

import (
	"context"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Open lists the alerts that last, the oldest first.
func (w *Watch) Open(ctx context.Context) ([]Alert, error) {
	return w.list(ctx, `ended = 0 order by raised, about, what`)
}

// Past lists alerts that are over, the newest first.
func (w *Watch) Past(ctx context.Context) ([]Alert, error) {
	return w.list(ctx, `ended > 0 order by ended desc, about, what limit ?`, shown)
}

func (w *Watch) list(ctx context.Context, where string, args ...any) (all []Alert, err error) {
	err = w.o.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`select about, what, raised, why, ended from alert where `+where, args...)
		all, err = store.List(rows, err, func(from func(...any) error) (a Alert, err error) {
			var about string
			var raised, ended int64
			err = from(&about, &a.What, &raised, &a.Why, &ended)
			a.About, a.Raised, a.Ended = reeve.Ref(about), time.UnixMilli(raised).UTC(), store.Moment(ended)
			return a, err
		})
		return err
	})
	return all, err
}

func insert(tx *store.Tx, f Finding) error {
	_, err := tx.Exec(`insert into alert (about, what, raised, why, ended) values (?, ?, ?, ?, 0)
		on conflict (about, what, raised) do update set ended = 0, why = excluded.why`, string(f.About), f.What, tx.Now, f.Why)
	return err
}

func end(tx *store.Tx, a Alert) error {
	_, err := tx.Exec(`update alert set ended = ? where about = ? and what = ? and raised = ?`, tx.Now, string(a.About), a.What, a.Raised)
	return err
}

func forget(tx *store.Tx, before time.Time) error {
	_, err := tx.Exec(`delete from alert where ended > 0 and ended < ?`, before)
	return err
}
