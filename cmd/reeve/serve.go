package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/app"
)

type serveCmd struct {
	where
	Listen      string `help:"Address to listen on." placeholder:"ADDR"`
	Definitions string `help:"Folder of definitions." type:"path" placeholder:"DIR"`
}

func (s serveCmd) Run(ctx context.Context) error {
	c, err := s.config()
	if err != nil {
		return err
	}
	if s.Listen != "" {
		c.Listen = s.Listen
	}
	if s.Definitions != "" {
		c.Definitions = s.Definitions
	}
	if c.Database == "" && absent(c.Definitions) && absent(c.Data) { // before anything is made
		return reeve.E(reeve.NotFound, "serve", "there is no folder of definitions %q, and no data folder %q of a program that ran before: give one with --definitions; examples/first is a small one", c.Definitions, c.Data)
	}
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return cannotListen(c.Listen, err)
	}
	defer ln.Close()
	c.Listen = reachable(ln.Addr())
	a, err := app.Open(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	fmt.Printf("ready %s\n", a.BaseURL())
	return run(ctx, a, ln)
}

func absent(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// reachable is an address by which this machine reaches a listener.
func reachable(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if ip, err := netip.ParseAddr(host); err == nil && ip.IsUnspecified() {
		host = "localhost"
	}
	if err != nil {
		return a.String()
	}
	return net.JoinHostPort(host, port)
}

// cannotListen says what to do about an address that cannot be listened on.
func cannotListen(addr string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return reeve.E(reeve.Invalid, "listen", "another program listens on %s: stop it, or choose another address with --listen", addr)
	case errors.Is(err, syscall.EACCES):
		return reeve.E(reeve.Invalid, "listen", "this user may not listen on %s: ports below 1024 need a right; choose another with --listen", addr)
	}
	return reeve.E(reeve.Invalid, "listen", "cannot listen on %q: it must be an address of this machine, host:port (%w)", addr, err)
}

// memory is what the collector keeps the heap below, whatever is sent at once;
// GOMEMLIMIT says otherwise. The whole program then stays under 300 MB.
const memory = 176 << 20

// run serves until ctx is done; SIGHUP takes up changed definitions.
func run(ctx context.Context, a *app.App, ln net.Listener) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memory)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
				a.Reload(ctx)
			}
		}
	}()
	return a.Run(ctx, ln)
}
