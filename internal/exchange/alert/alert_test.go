package alert_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/alert"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

func TestAlerts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := t.Context()
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		jn, err := journal.Open(ctx, db, journal.Options{Key: bytes.Repeat([]byte{3}, 32)})
		must(err)
		b, err := bus.Open(ctx, db, slog.New(slog.DiscardHandler))
		must(err)
		var events []string
		b.Subscribe("test", []string{"alert.raised", "alert.cleared"}, func(_ *store.Tx, ev reeve.Event) error {
			events = append(events, ev.Type+" "+string(ev.About))
			return nil
		})
		var found []alert.Finding
		now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
		open := func(reg prometheus.Registerer) *alert.Watch {
			w, err := alert.Open(ctx, alert.Options{DB: db, Journal: jn, Bus: b, Now: func() time.Time { return now }, Set: func() string { return "" }, Metrics: reg,
				Look: func(context.Context) ([]alert.Finding, error) { return found, nil }})
			must(err)
			return w
		}
		reg := prometheus.NewRegistry()
		w := open(reg)
		step := func(want int) {
			t.Helper()
			now = now.Add(time.Minute)
			n, err := w.Step(ctx)
			must(err)
			if n != want {
				t.Errorf("%d alerts began or ended, want %d", n, want)
			}
		}
		step(0)
		late := alert.Finding{About: "flow/flow-a", What: "late", Why: "Records wait"}
		silent := alert.Finding{About: "flow/flow-a", What: "silent", Why: "Nothing came"}
		found = []alert.Finding{late, silent}
		step(2)
		step(0)
		if all, err := reg.Gather(); err != nil || len(all) != 1 || all[0].GetName() != "reeve_alert" || len(all[0].GetMetric()) != 2 {
			t.Errorf("metrics: %v %v", all, err)
		}
		w = open(nil) // after a restart nothing is told twice
		step(0)
		found = found[:1]
		step(1)
		if all, err := w.Open(ctx); err != nil || len(all) != 1 || all[0].What != "late" {
			t.Errorf("%+v %v", all, err)
		}
		if all, err := w.Past(ctx); err != nil || len(all) != 1 || all[0].What != "silent" || all[0].Ended.IsZero() {
			t.Errorf("%+v %v", all, err)
		}
		found = nil
		step(1)
		for {
			n, err := b.Step(ctx)
			must(err)
			if n == 0 {
				break
			}
		}
		want := "alert.raised flow/flow-a, alert.raised flow/flow-a, alert.cleared flow/flow-a, alert.cleared flow/flow-a"
		if got := strings.Join(events, ", "); got != want {
			t.Errorf("events: %s", got)
		}
		es, err := jn.Read(ctx, 0, 10)
		must(err)
		if len(es) != 4 || es[0].Verb != "raised" || es[3].Verb != "cleared" {
			t.Errorf("the journal: %+v", es)
		}
	})
}
