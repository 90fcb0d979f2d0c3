// Command systems runs the demo's simulated systems in a process of their own, so
// that they count what reaches them while whoever sends is killed and started
// again. It prints one line of JSON, the systems with their addresses, and runs
// until its standard input ends.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"io"
	"log/slog"
	"os"

	"github.com/reeve-civic/reeve/demo/sim"
)

func main() {
	dir := flag.String("dir", "systems", "folder in which each system keeps what it has taken")
	seed := flag.Uint64("seed", 1, "seed of their misbehaviour")
	calm := flag.Bool("calm", false, "no misbehaviour")
	flag.Parse()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	town, err := sim.Start(context.Background(), sim.Options{Dir: *dir, Seed: *seed, Calm: *calm, Log: log})
	if err == nil {
		defer town.Close()
		err = json.NewEncoder(os.Stdout).Encode(town.Systems)
	}
	if err != nil {
		log.Error("the systems do not run", "error", err)
		os.Exit(1)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until whoever started us is gone
}
