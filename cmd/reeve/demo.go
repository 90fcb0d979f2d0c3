package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/reeve-civic/reeve/client"
	"github.com/reeve-civic/reeve/demo"
	"github.com/reeve-civic/reeve/demo/notifysim"
	"github.com/reeve-civic/reeve/demo/sim"
	"github.com/reeve-civic/reeve/internal/app"
)

type demoCmd struct {
	Listen   string        `help:"Address to listen on." default:"127.0.0.1:8080" placeholder:"ADDR"`
	Data     string        `help:"Data folder; a demo started again on it goes on." type:"path" default:"demo-data" placeholder:"DIR"`
	Database string        `help:"postgres://… to use PostgreSQL." placeholder:"URL"`
	Every    time.Duration `help:"Time between fresh deaths." default:"5s"`
	Verbose  bool          `help:"Log what the program does, not only what goes wrong."`
}

// Run starts the simulated systems, the program, and the senders, in this order.
func (d demoCmd) Run(ctx context.Context) error {
	level := slog.LevelWarn
	if d.Verbose {
		level = slog.LevelInfo
	}
	if l := os.Getenv("REEVE_LOG_LEVEL"); l != "" {
		if err := level.UnmarshalText([]byte(l)); err != nil {
			return fmt.Errorf("REEVE_LOG_LEVEL: %q is not a level; use debug, info, warn or error", l)
		}
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	if err := os.MkdirAll(d.Data, 0o700); err != nil {
		return err
	}
	ln, err := net.Listen("tcp", d.Listen)
	if err != nil {
		return cannotListen(d.Listen, err)
	}
	defer ln.Close()
	base := "http://" + reachable(ln.Addr())
	town, err := sim.Start(ctx, sim.Options{Dir: filepath.Join(d.Data, "systems"), Seed: 1, Log: log})
	if err != nil {
		return err
	}
	defer town.Close()
	notify, err := startNotify(ctx, filepath.Join(d.Data, "systems", "notify"), base)
	if err != nil {
		return err
	}
	defer notify.server.Close()
	env := town.Env()
	env["NOTIFY_KEY"], env["NOTIFY_CALLBACK"] = notify.server.APIKey(), notify.server.CallbackToken
	body, lists, err := demo.Unpack(d.Data)
	if err != nil {
		return err
	}
	c := app.Config{Listen: d.Listen, BaseURL: base, Data: d.Data, Database: d.Database, Body: "Ashcombe Borough Council", Demo: true, Definitions: body, Log: log, MapWorker: mapWorker(),
		Getenv: func(name string) string {
			if v, ok := env[name]; ok {
				return v
			}
			return os.Getenv(name)
		}}
	c.Notify.URL, c.Notify.Key, c.Notify.CallbackToken = notify.url, "env:NOTIFY_KEY", "env:NOTIFY_CALLBACK"
	a, err := app.Open(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := takeIn(ctx, a, lists); err != nil {
		return err
	}
	file, err := d.introduce(ctx, a, base, append(town.Systems, notify.system()))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- run(ctx, a, ln) }()
	fmt.Printf("ready %s\n", base)
	fmt.Printf("sign in as staff (works once): %s\n", file.StaffSignIn)
	fmt.Printf("as a colleague, who approves corrections: %s\n", file.Second)
	feed := demo.Feed{Dir: d.Data, Now: time.Now, Every: d.Every, Log: log, Send: senders(base, file)}
	feedErr := feed.Run(ctx)
	if feedErr != nil {
		stop()
	}
	return errors.Join(feedErr, <-done)
}

// takeIn imports the lists of the estate; the same ones again change nothing.
func takeIn(ctx context.Context, a *app.App, folder string) error {
	op := a.Operator()
	_, names := demo.Lists()
	for _, name := range names {
		if err := op.Call(ctx, "import", app.ImportList{Source: "auto", File: filepath.Join(folder, name)}, nil); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// introduce gives the partners their tokens and staff a way in, and writes
// demo.json. Tokens of an earlier run stay in use.
func (d demoCmd) introduce(ctx context.Context, a *app.App, base string, systems []sim.System) (demo.File, error) {
	old, _, err := demo.ReadFile(d.Data)
	if err != nil {
		return old, err
	}
	op, tokens := a.Operator(), map[string]string{}
	for _, p := range demo.Partners() {
		if tokens[p.ID] = old.Partners[p.ID].Token; tokens[p.ID] != "" {
			continue
		}
		var t app.NewToken
		if err := op.Call(ctx, "token/create", app.CreateToken{Party: p.ID, Label: "demo", Seconds: 5 * 365 * 86400}, &t); err != nil {
			return old, err
		}
		tokens[p.ID] = t.Token
	}
	var in app.Invitation
	if err := op.Call(ctx, "staff/invite", app.InviteStaff{Email: "alex@ashcombe.example", Roles: []string{"caseworker", "architect", "integration", "governance", "steward", "admin"}}, &in); err != nil {
		return old, err
	}
	var second app.Invitation
	if err := op.Call(ctx, "staff/invite", app.InviteStaff{Email: "sam@ashcombe.example", Roles: []string{"caseworker", "integration", "steward"}}, &second); err != nil {
		return old, err
	}
	file := demo.NewFile(base, in.Link, second.Link, tokens, systems)
	return file, file.Write(d.Data)
}

// senders sends through the public API with each partner's own token.
func senders(base string, file demo.File) demo.Sender {
	return func(ctx context.Context, partner, recordType string, records []json.RawMessage) ([]string, error) {
		c := client.Client{BaseURL: base, Token: file.Partners[partner].Token}
		receipts, err := c.Send(ctx, recordType, records)
		statuses := make([]string, len(receipts))
		for i, r := range receipts {
			statuses[i] = r.Status
		}
		return statuses, err
	}
}

// notifyStandIn is the stand-in for GOV.UK Notify.
type notifyStandIn struct {
	server *notifysim.Server
	url    string
}

// startNotify serves the stand-in until ctx ends; it remembers in dir. Its messages
// are delivered a moment after it took them, and it tells so by call-back.
func startNotify(ctx context.Context, dir, base string) (*notifyStandIn, error) {
	s, err := notifysim.Open(dir, time.Now)
	if err != nil {
		return nil, err
	}
	s.CallbackURL, s.CallbackToken = base+"/v1/notify/callback", "demo-callback-"+s.Secret
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	n := &notifyStandIn{server: s, url: "http://" + ln.Addr().String()}
	mux := http.NewServeMux()
	mux.Handle("/", s)
	mux.HandleFunc("GET /received", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(append([]notifysim.Notification{}, s.Sent()...))
	})
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = srv.Serve(ln) }()
	context.AfterFunc(ctx, func() { srv.Close() })
	go n.deliver(ctx)
	return n, nil
}

func (n *notifyStandIn) system() sim.System {
	return sim.System{ID: "sys-notify", Received: n.url + "/received"}
}

func (n *notifyStandIn) deliver(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
		for _, m := range n.server.Sent() {
			if m.Completed.IsZero() {
				_ = n.server.Deliver(m.ID, "delivered") // told again at the next poll where it fails
			}
		}
	}
}
