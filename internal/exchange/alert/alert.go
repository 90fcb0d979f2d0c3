// Package alert notices what is late: a flow that carries nothing for longer than its
// definition expects, one that is behind, an interface that cannot be read.
//
// What is guaranteed. An alert is raised once and cleared once: each with an entry in
// the journal and an event, in one transaction with what the pages show. It lasts over
// a restart.
//
// What not to assume. What is well between two looks, some seconds apart, is not
// noticed.
package alert

import (
	"context"
	"embed"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// Bounds.
const (
	every = 10 * time.Second    // between looks
	keep  = 90 * 24 * time.Hour // of alerts that are over
	shown = 100                 // of them on the page
)

// Finding is something that is not as it should be now.
type Finding struct {
	About reeve.Ref // "flow/flow-x", "interface/if-x"
	What  string    // a short code: "silent", "late", "unread"
	Why   string    // in words; it may hold no value of a record
}

// Options of a watch.
type Options struct {
	DB      *store.DB
	Journal *journal.Journal
	Bus     *bus.Bus
	Now     func() time.Time
	Set     func() string // hash of the definitions in force
	Metrics prometheus.Registerer
	// Look tells what is not as it should be.
	Look func(ctx context.Context) ([]Finding, error)
	// Name and Href tell what something is called and where its page is.
	Name func(about reeve.Ref) string
	Href func(about reeve.Ref) string
}

// Watch raises and clears alerts.
type Watch struct {
	o     Options
	gauge *prometheus.GaugeVec

	mu     sync.Mutex
	looked time.Time
}

// Alert is one that is or was raised.
type Alert struct {
	Finding
	Raised, Ended time.Time // Ended is zero while it lasts
}

// Open makes the table.
func Open(ctx context.Context, o Options) (*Watch, error) {
	if err := o.DB.Migrate(ctx, "exchange/alert", migrations); err != nil {
		return nil, err
	}
	w := &Watch{o: o, gauge: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "reeve_alert", Help: "1 while something is late or cannot be read."}, []string{"about", "what"})}
	if o.Metrics != nil {
		if err := o.Metrics.Register(w.gauge); err != nil {
			return nil, err
		}
	}
	w.measure(nil)
	return w, nil
}

// measure sets the metric to what was found; where all is well it stands at nought,
// so that whoever watches it sees that somebody looks.
func (w *Watch) measure(found []Finding) {
	w.gauge.Reset()
	if len(found) == 0 {
		w.gauge.WithLabelValues("", "").Set(0)
	}
	for _, f := range found {
		w.gauge.WithLabelValues(string(f.About), f.What).Set(1)
	}
}

// Step looks, at most every few seconds, and reports how many alerts were raised or
// cleared.
func (w *Watch) Step(ctx context.Context) (did int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.o.Now()
	if since := now.Sub(w.looked); since >= 0 && since < every && !w.looked.IsZero() {
		return 0, nil
	}
	found, err := w.o.Look(ctx)
	if err != nil {
		return 0, err
	}
	open, err := w.Open(ctx)
	if err != nil {
		return 0, err
	}
	w.looked = now
	same := func(a Finding) func(Finding) bool {
		return func(b Finding) bool { return a.About == b.About && a.What == b.What }
	}
	var fresh []Finding
	w.measure(found)
	for _, f := range found {
		if !slices.ContainsFunc(open, func(a Alert) bool { return same(f)(a.Finding) }) {
			fresh = append(fresh, f)
		}
	}
	open = slices.DeleteFunc(open, func(a Alert) bool { return slices.ContainsFunc(found, same(a.Finding)) })
	if len(fresh)+len(open) == 0 {
		return 0, nil
	}
	return len(fresh) + len(open), w.o.DB.Update(ctx, func(tx *store.Tx) error {
		for _, f := range fresh {
			if err := insert(tx, f); err != nil {
				return err
			}
			if err := w.tell(tx, f, "raised"); err != nil {
				return err
			}
		}
		for _, a := range open {
			if err := end(tx, a); err != nil {
				return err
			}
			if err := w.tell(tx, a.Finding, "cleared"); err != nil {
				return err
			}
		}
		return forget(tx, tx.Now.Add(-keep))
	})
}

// tell says in the journal and on the bus that an alert begins or is over.
func (w *Watch) tell(tx *store.Tx, f Finding, verb string) error {
	_, err := w.o.Journal.Append(tx, journal.Entry{Actor: "alert", Verb: verb, About: f.About, Set: w.o.Set(), Why: []string{f.What}})
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]string{"what": f.What})
	if err != nil {
		return err
	}
	_, err = w.o.Bus.Emit(tx, reeve.Event{Type: "alert." + verb, About: f.About, Body: body})
	return err
}
