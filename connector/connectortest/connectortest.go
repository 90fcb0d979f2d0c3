// Package connectortest checks that a connector keeps the promises of
// [connector.Sink], against a receiver that misbehaves.
package connectortest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
)

// Mode is how a receiver behaves.
type Mode int

// The modes. A receiver that cannot behave so answers false to Setup.Behave.
const (
	Healthy         Mode = iota
	Down                 // nobody listens
	Busy                 // says that it cannot take anything now
	Refusing             // says that it will never take the item, and repeats the item's values while at it
	DyingAfterTake       // takes the item and breaks off before it answers
	SilentAfterTake      // takes the item and does not answer
	Broken               // takes nothing and says that something went wrong inside
)

// Effect is one thing that the receiver has done because of an item.
type Effect struct{ ID, Body string }

// Setup is a sink and the receiver behind it.
type Setup struct {
	Sink connector.Sink
	// Hasty is a sink on the same receiver that gives up after a second or two: the
	// one that meets silence. Sink waits as long as a busy machine may need.
	Hasty connector.Sink
	// Waits tells that a busy receiver does not say so but lets wait, as one that keeps a
	// table locked does: Hasty meets that, too.
	Waits bool
	// Effects that the receiver has had, in any order. A receiver that
	// recognises repeats has one for each item, however often it was sent.
	Effects func() []Effect
	// Behave makes the receiver behave so from now on.
	Behave func(Mode) bool
	// Repeats tells that the receiver recognises repeats.
	Repeats bool
}

// Sink runs the kit. Each subtest gets a new setup.
func Sink(t *testing.T, setup func(t *testing.T) Setup) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, Setup){
		"takes each once and unchanged": takes,
		"a repeat has one effect":       repeats,
		"nothing of nothing":            empty,
		"stops with its context":        stops,
		"later is for sure":             later,
		"a refusal is told":             refusal,
		"unclear is told as unclear":    unclear,
	} {
		t.Run(name, func(t *testing.T) { check(t, setup(t)) })
	}
}

// Items makes n items with canary values: ids "r1-1" and so on.
func Items(n int) (its []connector.Item) {
	for i := range n {
		its = append(its, connector.Item{ID: fmt.Sprintf("r1-%d", i+1), Key: fmt.Sprintf("k/%d", i+1),
			Body: fmt.Appendf(nil, `{"id":"r1-%d","name":"Canary%dÅ","amount":10%02d.50}`, i+1, i+1, i)})
	}
	return its
}

func all(t *testing.T, rs []connector.Result, n int, want ...connector.Outcome) {
	t.Helper()
	if len(rs) != n {
		t.Fatalf("%d results for %d items", len(rs), n)
	}
	for i, r := range rs {
		if !slices.Contains(want, r.Outcome) {
			t.Errorf("item %d: %v %q, want %v", i, r.Outcome, r.Message, want)
		}
		if len(r.Message) > 300 || strings.Contains(r.Message, "Canary") {
			t.Errorf("item %d: message too long or with a value of the body: %q", i, r.Message)
		}
		if r.Outcome != connector.Delivered && r.Outcome != connector.Untried && r.Message == "" {
			t.Errorf("item %d: %v without a reason", i, r.Outcome)
		}
	}
}

func (s Setup) hasty() connector.Sink {
	if s.Hasty == nil {
		return s.Sink
	}
	return s.Hasty
}

func (s Setup) effects(t *testing.T, want []connector.Item) {
	t.Helper()
	got := s.Effects()
	if len(got) != len(want) {
		t.Errorf("%d effects, want %d: %v", len(got), len(want), got)
	}
	for _, it := range want {
		if !slices.Contains(got, Effect{it.ID, string(it.Body)}) {
			t.Errorf("no effect of %s as it was sent", it.ID)
		}
	}
}

func takes(t *testing.T, s Setup) {
	its := Items(25)
	all(t, s.Sink.Send(t.Context(), its), 25, connector.Delivered)
	s.effects(t, its)
}

func repeats(t *testing.T, s Setup) {
	if !s.Repeats {
		t.Skip("the receiver cannot recognise repeats")
	}
	its := Items(5)
	for range 3 {
		all(t, s.Sink.Send(t.Context(), its), 5, connector.Delivered)
	}
	s.effects(t, its)
}

func empty(t *testing.T, s Setup) {
	all(t, s.Sink.Send(t.Context(), nil), 0)
	s.effects(t, nil)
}

func stops(t *testing.T, s Setup) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	all(t, s.Sink.Send(ctx, Items(3)), 3, connector.Untried)
	s.effects(t, nil)
}

func later(t *testing.T, s Setup) {
	for _, m := range []Mode{Down, Busy} {
		if !s.Behave(m) {
			continue
		}
		its, to := Items(6), s.Sink
		if s.Waits && m == Busy {
			to = s.hasty()
		}
		rs := to.Send(t.Context(), its)
		all(t, rs, 6, connector.Later, connector.Untried)
		if rs[0].Outcome != connector.Later {
			t.Errorf("mode %d: the first item was not tried: %v", m, rs[0])
		}
		if rs[0].RetryAfter < 0 || rs[0].RetryAfter > time.Hour {
			t.Errorf("mode %d: RetryAfter %v", m, rs[0].RetryAfter)
		}
		s.effects(t, nil)
	}
	s.Behave(Healthy)
	its := Items(6)
	all(t, s.Sink.Send(t.Context(), its), 6, connector.Delivered)
	s.effects(t, its)
}

func refusal(t *testing.T, s Setup) {
	if !s.Behave(Refusing) {
		t.Skip("the receiver cannot refuse")
	}
	all(t, s.Sink.Send(t.Context(), Items(5)), 5, connector.Refused)
	s.effects(t, nil)
}

func unclear(t *testing.T, s Setup) {
	done := false
	for _, m := range []Mode{Broken, DyingAfterTake, SilentAfterTake} {
		if !s.Behave(m) {
			continue
		}
		done = true
		its := Items(1)
		to := s.Sink
		if m == SilentAfterTake {
			to = s.hasty()
		}
		rs := to.Send(t.Context(), its)
		for n := 0; n < 10 && m == SilentAfterTake && len(rs) == 1 && rs[0].Outcome == connector.Later && len(s.Effects()) == 0; n++ {
			s.Behave(m) // on a busy machine its time was over before anything was said
			rs = to.Send(t.Context(), its)
		}
		all(t, rs, 1, connector.Unclear)
		if m == Broken {
			continue
		}
		if s.Behave(Healthy); s.Repeats {
			all(t, s.Sink.Send(t.Context(), its), 1, connector.Delivered)
			s.effects(t, its)
		}
		if l, ok := s.Sink.(connector.Looker); ok {
			has, err := l.Lookup(t.Context(), its[0])
			for end := time.Now().Add(5 * time.Minute); err == nil && !has && time.Now().Before(end); has, err = l.Lookup(t.Context(), its[0]) {
				time.Sleep(10 * time.Millisecond) // the receiver may still be about to take it
			}
			if err == nil && !has {
				t.Errorf("mode %d: lookup does not find what was taken", m)
			}
			if has, err := l.Lookup(t.Context(), Items(9)[8]); err == nil && has {
				t.Errorf("mode %d: lookup finds what was never sent", m)
			}
		}
	}
	if !done {
		t.Skip("no answer of the receiver is unclear")
	}
}
