package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/demo"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// TestSlowSnapshot looks at an estate that takes seconds to bring together: what
// was only observed is added beside the requests, unless nobody has looked for long;
// what people change is there at once.
func TestSlowSnapshot(t *testing.T) {
	data, err := os.MkdirTemp("", "slow") // short: the operator's socket lives in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(data) })
	var seconds atomic.Int64 // the clock moves whenever somebody looks at it
	clock := func() time.Time {
		return time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC).Add(time.Duration(seconds.Add(1)) * time.Second)
	}
	a, err := Open(t.Context(), Config{Data: data, Defs: demo.Body(), Now: clock, Log: slog.New(slog.DiscardHandler),
		Getenv: func(string) string { return "file://" + data }})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	at := func() any {
		s, err := a.blocks.estate.At(t.Context(), def.Date{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	before := seconds.Load()
	first := at()
	took := seconds.Load() - before - 2 // looked at once before it was made, and once when that began
	change := func() {
		if err := a.Operator().Call(t.Context(), "token/create", CreateToken{Party: "org-planning-portal", Seconds: 60}, nil); err != nil {
			t.Fatal(err)
		}
	}
	change()
	seconds.Add(25 * took)
	if at() != first {
		t.Error("a page waited for what was only observed")
	}
	if _, err := a.estateRefresh(t); err != nil {
		t.Fatal(err)
	}
	second := at()
	if second == first {
		t.Error("what was observed is never shown")
	}
	change()
	seconds.Add(50 * took)
	third := at()
	if third == second {
		t.Error("who comes after long sees what was long ago")
	}
	list := filepath.Join(data, "register.csv")
	if err := os.WriteFile(list, []byte("Asset tag,Device type,Make,Model,Serial number\nABC-1,Laptop,Dell Inc.,Latitude 7430,94PBFAE6\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.Operator().Call(t.Context(), "import", ImportList{Source: "auto", File: list}, nil); err != nil {
		t.Fatal(err)
	}
	if at() == third {
		t.Error("what was imported is not there at once")
	}
}

// estateRefresh runs the worker that brings the estate together.
func (a *App) estateRefresh(t *testing.T) (int, error) {
	t.Helper()
	for _, w := range a.k.Workers() {
		if w.Name == "estate/snapshot" {
			return w.Step(t.Context())
		}
	}
	t.Fatal("there is no such worker")
	return 0, nil
}
