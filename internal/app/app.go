// Package app is where the blocks meet. It is the only package that imports
// more than one of them, and the program as main and the tests see it.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/app/offline"
	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// App is the whole house.
type App struct {
	config  Config
	k       *kernel.Kernel
	metrics *metrics
	blocks  blocks
}

// Open opens the house: ground floor first, then each block. Mistakes in the
// definitions are an error that lists them all.
func Open(ctx context.Context, c Config) (*App, error) {
	if err := c.defaults(); err != nil {
		return nil, err
	}
	a := &App{config: c, metrics: newMetrics()}
	if err := a.open(ctx); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	return a, nil
}

func (a *App) open(ctx context.Context) error {
	c := a.config
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return reeve.E(reeve.Invalid, "app.Open", "the data folder cannot be made: %w", err)
	}
	master, made, err := c.master()
	if err != nil {
		return err
	}
	if c.TLS.Certificate != "" {
		if _, err := (&certificate{cert: c.TLS.Certificate, key: c.TLS.Key}).get(nil); err != nil {
			return reeve.E(reeve.Invalid, "app.Open", "the certificate cannot be used: %w", err)
		}
	}
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return err
	}
	a.k = &kernel.Kernel{Slog: c.Log, Now: c.Now, Dir: c.Data, BaseURL: c.BaseURL, Getenv: c.Getenv, Body: c.Body, Zone: zone, Metrics: a.metrics.registry}
	if a.k.BaseURL == "" {
		a.k.BaseURL = "http://" + c.Listen
		if c.TLS.Certificate != "" {
			a.k.BaseURL = "https://" + c.Listen
		}
	}
	if err := a.openKernel(ctx, master, made); err != nil {
		return err
	}
	if err := a.openBlocks(ctx); err != nil {
		return err
	}
	a.k.Defs.LogProblems()
	a.mount()
	a.metrics.observe(a)
	return nil
}

// openKernel opens the ground floor, each part on those before it.
func (a *App) openKernel(ctx context.Context, master []byte, made bool) (err error) {
	c, k := a.config, a.k
	k.DB, err = store.Open(ctx, store.Options{Path: c.databaseFile(), URL: c.Database, Alone: true, Now: c.Now, Log: c.Log})
	if err != nil {
		return err
	}
	if k.Keys, err = seal.Open(ctx, k.DB, master); err != nil {
		if made && reeve.KindOf(err) == reeve.Invalid { // for nothing: there are keys under another one
			err = errors.Join(c.keyMissing(), os.Remove(c.masterFile()))
		}
		return err
	}
	k.Chore("keys", k.Keys.Rotate)
	if k.Journal, err = journal.Open(ctx, k.DB, journal.Options{Dir: c.Data, Key: k.Keys.Derive("journal signing")}); err != nil {
		return err
	}
	k.Chore("journal", k.Journal.Step)
	if k.Log, err = reclog.Open(ctx, k.DB, k.Keys); err != nil {
		return err
	}
	if k.Bus, err = bus.Open(ctx, k.DB, c.Log); err != nil {
		return err
	}
	k.Worker("bus", k.Bus.Step)
	if k.Policy, err = policy.New(rules()...); err != nil {
		return err
	}
	proxies, err := c.proxies()
	if err != nil {
		return err
	}
	o := web.Options{Policy: k.Policy, Log: c.Log, Now: c.Now, TrustedProxies: proxies, Secure: c.TLS.Certificate != "" || strings.HasPrefix(k.BaseURL, "https://"), Body: c.Body, Zone: k.Zone, Observe: a.metrics.request}
	if c.Demo {
		o.Demo = "This is a demonstration. The people are made up."
	}
	o.Name = a.actorName
	k.Web = web.New(o)
	defs := c.Defs
	if defs == nil {
		defs = os.DirFS(c.Definitions)
	}
	var problems []def.Problem
	k.Defs, problems, err = def.OpenLive(ctx, def.LiveOptions{DB: k.DB, Journal: k.Journal, Registry: offline.Registry(), FS: defs, Dir: c.Definitions, Log: c.Log})
	if k.Defs != nil {
		return err // a broken folder leaves the stored set in force; what is wrong is logged
	}
	return errors.Join(err, problemsError(problems))
}

// problemsError is the definitions' mistakes as one error, nil for none.
func problemsError(ps []def.Problem) error {
	if len(ps) == 0 {
		return nil
	}
	text := "the definitions have mistakes; `reeve check` shows them too:"
	for _, p := range ps {
		text += "\n  " + p.String()
	}
	return reeve.E(reeve.Invalid, "app.Open", "%s", text)
}

// Handler returns the front door.
func (a *App) Handler() http.Handler { return a.k.Web }

// BaseURL is how people reach the program.
func (a *App) BaseURL() string { return a.k.BaseURL }

// Reload takes up changed definitions, whole or not at all; each mistake is logged.
func (a *App) Reload(ctx context.Context) {
	if _, err := a.k.Defs.Reload(ctx); err != nil {
		a.config.Log.Error("the definitions could not be stored; the old ones stay in force", "err", err)
	}
}

// Run serves on ln and works until ctx ends.
func (a *App) Run(ctx context.Context, ln net.Listener) error {
	if err := a.k.Web.Assets(); err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	tlsLn, err := a.listenTLS(ln)
	if err != nil {
		return err
	}
	var wg sync.WaitGroup
	errs := make(chan error, 3)
	side := func(fn func(context.Context) error) {
		wg.Go(func() {
			if err := fn(ctx); err != nil && ctx.Err() == nil {
				errs <- err
				stop()
			}
		})
	}
	side(a.serveOperator)
	side(func(ctx context.Context) error { a.work(ctx); return nil })
	if a.config.Defs == nil {
		side(a.k.Defs.Watch)
	}
	err = web.Serve(ctx, tlsLn, a.k.Web, a.config.Log)
	stop()
	wg.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	_, e := a.k.Journal.Checkpoint(context.WithoutCancel(ctx)) // the last word about what was written
	return errors.Join(err, e)
}

// work runs every worker in a loop of its own: woken by commits, and once a
// second for what became due. A worker that fails waits longer each time, and
// holds up no other.
func (a *App) work(ctx context.Context) {
	var wg sync.WaitGroup
	for _, w := range a.k.Workers() {
		wake := a.k.DB.Committed()
		wg.Go(func() {
			const most = time.Minute
			pause := time.Second
			for ctx.Err() == nil {
				did, err := safely(ctx, w.Step)
				switch {
				case ctx.Err() != nil:
					return
				case err != nil:
					a.metrics.failed(w.Name)
					a.config.Log.Error("a worker failed and tries again", "worker", w.Name, "in", pause, "err", err)
					sleep(ctx, pause, nil)
					pause = min(2*pause, most)
					continue
				case did == 0:
					sleep(ctx, time.Second, wake)
				}
				if pause = time.Second; w.Rest > 0 {
					sleep(ctx, w.Rest, nil)
				}
			}
		})
	}
	wg.Wait()
}

func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-wake:
	}
}

// safely turns a panic of a step into an error.
func safely(ctx context.Context, step kernel.Step) (did int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return step(ctx)
}

// Settle runs all workers until none finds anything to do. Tests use it in
// place of Run.
func (a *App) Settle(ctx context.Context) error {
	for range 10_000 {
		total := 0
		for _, w := range a.k.Workers() {
			did, err := safely(ctx, w.Step)
			if err != nil {
				return fmt.Errorf("%s: %w", w.Name, err)
			}
			total += did
		}
		if total == 0 {
			return nil
		}
	}
	return errors.New("the house does not settle: a worker always finds something to do")
}

// Close closes the house.
func (a *App) Close() error {
	if a.k == nil || a.k.DB == nil {
		return nil
	}
	if a.blocks.exchange != nil {
		a.blocks.exchange.Wait() // what was begun is finished and written down
	}
	return a.k.DB.Close()
}

// VerifyJournal recomputes the journal of c's database, also while a program
// serves it.
func VerifyJournal(ctx context.Context, c Config, checkpoints []string) (journal.Report, error) {
	if err := c.defaults(); err != nil {
		return journal.Report{}, err
	}
	if has, err := c.hasDatabase(); c.Database == "" && (err != nil || !has) {
		return journal.Report{}, errors.Join(err, reeve.E(reeve.NotFound, "app.VerifyJournal", "there is no database in %s: give the program's data folder with --data", c.Data))
	}
	db, err := store.Open(ctx, store.Options{Path: c.databaseFile(), URL: c.Database, ReadOnly: true, Now: c.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return journal.Report{}, err
	}
	r, err := journal.Verify(ctx, db, journal.VerifyOptions{Checkpoints: checkpoints, Dir: filepath.Clean(c.Data)})
	return r, errors.Join(err, db.Close())
}
