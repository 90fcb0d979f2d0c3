package bus_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// world is a bus with a clock that a test moves, and a table of effects.
type world struct {
	*testing.T
	db  *store.DB
	bus *bus.Bus
	now *time.Time
}

func each(t *testing.T, fn func(w *world)) {
	now := time.Now()
	storetest.EachClock(t, func() time.Time { return now }, func(t *testing.T, db *store.DB) {
		now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		err := db.Migrate(t.Context(), "test", fstest.MapFS{"0001.sql": {Data: []byte("create table effect (id {{id}}, what text not null)")}})
		if err != nil {
			t.Fatal(err)
		}
		w := &world{t, db, nil, &now}
		w.restart()
		fn(w)
	})
}

// restart is a new process on the same database.
func (w *world) restart() {
	w.Helper()
	b, err := bus.Open(w.Context(), w.db, nil)
	if err != nil {
		w.Fatal(err)
	}
	w.bus = b
}

func (w *world) emit(evs ...reeve.Event) {
	w.Helper()
	w.update(func(tx *store.Tx) error {
		for _, ev := range evs {
			if _, err := w.bus.Emit(tx, ev); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) update(fn func(tx *store.Tx) error) {
	w.Helper()
	if err := w.db.Update(w.Context(), fn); err != nil {
		w.Fatal(err)
	}
}

func (w *world) settle() (handled int) {
	w.Helper()
	for {
		n, err := w.bus.Step(w.Context())
		if err != nil {
			w.Fatal(err)
		}
		if handled += n; n == 0 {
			return handled
		}
	}
}

func effect(tx *store.Tx, what string) error {
	_, err := tx.Exec(`insert into effect (id, what) values ((select coalesce(max(id), 0) + 1 from effect), ?)`, what)
	return err
}

func (w *world) effects() (all []string) {
	w.Helper()
	err := w.db.View(w.Context(), func(tx *store.Tx) error {
		rows, err := tx.Query(`select what from effect order by id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return err
			}
			all = append(all, s)
		}
		return rows.Err()
	})
	if err != nil {
		w.Fatal(err)
	}
	return all
}

func (w *world) want(want ...string) {
	w.Helper()
	if got := w.effects(); !slices.Equal(got, want) {
		w.Errorf("effects %q, want %q", got, want)
	}
}

func note(name string) bus.Handler {
	return func(tx *store.Tx, ev reeve.Event) error {
		return effect(tx, fmt.Sprint(name, " ", ev.Type, " ", ev.About))
	}
}

func TestEachConsumerOnce(t *testing.T) {
	each(t, func(w *world) {
		w.emit(reeve.Event{Type: "case.opened", About: "case/1"}, reeve.Event{Type: "notice.sent", About: "notice/1"})
		subscribe := func() {
			w.bus.Subscribe("a", []string{"case.opened"}, note("a"))
			w.bus.Subscribe("b", []string{"case.*", "notice.sent"}, note("b"))
			w.bus.Subscribe("late", []string{"*"}, note("late"), bus.FromNow())
		}
		subscribe()
		w.settle()
		w.want("a case.opened case/1", "b case.opened case/1", "b notice.sent notice/1")
		w.restart()
		subscribe()
		w.emit(reeve.Event{Type: "case.closed", About: "case/1"})
		w.settle()
		w.want("a case.opened case/1", "b case.opened case/1", "b notice.sent notice/1", "b case.closed case/1", "late case.closed case/1")
		if n := w.settle(); n != 0 {
			w.Errorf("handled %d more", n)
		}
	})
}

func TestManyEventsKeepTheirOrder(t *testing.T) {
	each(t, func(w *world) {
		var want []string
		for i := range 1300 {
			w.emit(reeve.Event{Type: fmt.Sprint("t", i%2), About: reeve.Ref(fmt.Sprint(i))})
			if i%2 == 1 && i < 1200 {
				want = append(want, fmt.Sprint("x t1 ", i))
			}
			if i == 1199 {
				w.bus.Subscribe("x", []string{"t1"}, note("x"))
				w.bus.Subscribe("none", []string{"other"}, note("none"))
				w.settle()
			}
		}
		w.want(want...)
	})
}

func TestAFailureStopsNobodyElse(t *testing.T) {
	each(t, func(w *world) {
		broken := true
		w.bus.Subscribe("a", []string{"x"}, func(tx *store.Tx, ev reeve.Event) error {
			if err := effect(tx, string("a "+ev.About)); err != nil {
				return err
			}
			switch {
			case ev.About == "2" && broken:
				return errors.New("not now: " + strings.Repeat("é", 400))
			case ev.About == "3" && broken:
				panic("oh")
			case ev.About == "4" && broken:
				_, err := tx.Exec(`insert into nosuch (n) values (1)`)
				return err
			}
			return nil
		})
		w.bus.Subscribe("b", []string{"x"}, func(tx *store.Tx, ev reeve.Event) error { return effect(tx, string("b "+ev.About)) })
		for i := range 5 {
			w.emit(reeve.Event{Type: "x", About: reeve.Ref(fmt.Sprint(i + 1))})
		}
		w.settle()
		w.want("a 1", "a 5", "b 1", "b 2", "b 3", "b 4", "b 5")
		fs, err := w.bus.Failing(w.Context())
		if err != nil || len(fs) != 3 || fs[0].Event.About != "2" || fs[0].Tries != 1 || fs[0].Dead || fs[0].Consumer != "a" {
			t.Fatalf("%+v, %v", fs, err)
		}
		*w.now = w.now.Add(time.Second)
		if n := w.settle(); n != 3 {
			t.Errorf("after a second: %d", n)
		}
		for range 20 {
			*w.now = w.now.Add(2 * time.Hour)
			w.settle()
		}
		if fs, err = w.bus.Failing(w.Context()); err != nil || len(fs) != 3 || !fs[1].Dead || fs[1].Tries != 12 {
			t.Fatalf("after all tries: %+v, %v", fs, err)
		}
		broken = false
		w.update(func(tx *store.Tx) error { return w.bus.Retry(tx, "a", fs[0].Event.ID) })
		w.settle()
		w.want("a 1", "a 5", "b 1", "b 2", "b 3", "b 4", "b 5", "a 2")
		err = w.db.Update(w.Context(), func(tx *store.Tx) error { return w.bus.Retry(tx, "a", 999) })
		if reeve.KindOf(err) != reeve.NotFound {
			t.Error(err)
		}
	})
}

func TestNotBeforeAndCancel(t *testing.T) {
	each(t, func(w *world) {
		w.bus.Subscribe("a", []string{"*"}, note("a"))
		later := w.now.Add(time.Hour)
		w.emit(reeve.Event{Type: "remind", About: "case/1", NotBefore: later},
			reeve.Event{Type: "remind", About: "case/2", NotBefore: later},
			reeve.Event{Type: "close", About: "case/2", NotBefore: later},
			reeve.Event{Type: "remind", About: "case/3", NotBefore: later},
			reeve.Event{Type: "open", About: "case/3"})
		w.settle()
		w.want("a open case/3")
		w.update(func(tx *store.Tx) error {
			return errors.Join(w.bus.Cancel(tx, "case/2", "remind"), w.bus.Cancel(tx, "case/3"))
		})
		w.settle()
		w.restart()
		w.bus.Subscribe("a", []string{"*"}, note("a"))
		*w.now = later
		w.settle()
		w.want("a open case/3", "a remind case/1", "a close case/2")
		// What is due can no longer be cancelled, and an event is not handed over twice.
		w.update(func(tx *store.Tx) error { return w.bus.Cancel(tx, "case/1") })
		if n := w.settle(); n != 0 {
			t.Errorf("handled %d more", n)
		}
	})
}

func TestAnEventOfAFailedTransactionIsNone(t *testing.T) {
	each(t, func(w *world) {
		w.bus.Subscribe("a", []string{"*"}, note("a"))
		w.db.Update(w.Context(), func(tx *store.Tx) error {
			w.bus.Emit(tx, reeve.Event{Type: "x", About: "gone"})
			return errors.New("no")
		})
		w.emit(reeve.Event{Type: "x", About: "kept"})
		w.settle()
		w.want("a x kept")
	})
}
