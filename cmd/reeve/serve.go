package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

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
	a, err := app.Open(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	ln, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return err
	}
	fmt.Printf("ready %s\n", a.BaseURL())
	return run(ctx, a, ln)
}

// run serves until ctx is done; SIGHUP takes up changed definitions.
func run(ctx context.Context, a *app.App, ln net.Listener) error {
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
