// Package kernel gathers what every building block stands on. Only a block's
// Open receives a Kernel; the rooms within a block are given just what they need.
package kernel

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// Kernel is the ground floor, as app opened it.
type Kernel struct {
	DB      *store.DB
	Keys    *seal.Keys
	Journal *journal.Journal
	Log     *log.Log
	Bus     *bus.Bus
	Policy  *policy.Engine
	Defs    *def.Live
	Web     *web.Mux
	Slog    *slog.Logger
	Now     func() time.Time
	Metrics prometheus.Registerer
	Body    string                   // the public body's name
	Zone    *time.Location           // where the body's days begin and end
	Dir     string                   // the data directory, for files that are not in the database
	BaseURL string                   // how people reach this program: "https://reeve.example.gov.uk"
	Getenv  func(name string) string // where `env:NAME` references in definitions and settings are looked up

	workers []Worker
}

// Step does one round of a worker's work and reports how much it did. It must be
// safe to call again after an error, and must return when nothing is left to do
// now, even if something is due later.
type Step func(ctx context.Context) (did int, err error)

// Worker is work that goes on beside requests.
type Worker struct {
	Name string
	Step Step
	Rest time.Duration // between two steps
}

// Worker registers work. App runs each worker in its own loop, woken by commits
// and once a second; a test settles all of them until none finds anything to do.
func (k *Kernel) Worker(name string, step Step) {
	k.workers = append(k.workers, Worker{Name: name, Step: step})
}

// rest is how long a chore rests.
const rest = 50 * time.Millisecond

// Chore is Worker for what nobody waits for, such as counting. It rests between two
// steps, so that under load it does much at once and not a little after every commit.
func (k *Kernel) Chore(name string, step Step) {
	k.workers = append(k.workers, Worker{name, step, rest})
}

// Workers returns what was registered, in order.
func (k *Kernel) Workers() []Worker { return k.workers }
