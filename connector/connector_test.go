package connector

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

func items(keys ...string) (its []Item) {
	for i, k := range keys {
		its = append(its, Item{ID: fmt.Sprint(i), Key: k})
	}
	return its
}

func outcomes(rs []Result) (os []Outcome) {
	for _, r := range rs {
		os = append(os, r.Outcome)
	}
	return os
}

func TestEachKeepsOrderOfAKey(t *testing.T) {
	var mu sync.Mutex
	seen := map[string][]string{}
	busy := map[string]bool{}
	rs := Each(t.Context(), items("a", "b", "a", "c", "a", "b", ""), 8, true, func(_ context.Context, it Item) Result {
		mu.Lock()
		if busy[it.Key] {
			t.Errorf("two of key %s at once", it.Key)
		}
		busy[it.Key] = true
		seen[it.Key] = append(seen[it.Key], it.ID)
		mu.Unlock()
		defer func() { mu.Lock(); busy[it.Key] = false; mu.Unlock() }()
		if it.ID == "1" {
			return Result{Outcome: Refused}
		}
		return Result{Outcome: Delivered}
	})
	want := []Outcome{Delivered, Refused, Delivered, Delivered, Delivered, Untried, Delivered}
	if got := outcomes(rs); !slices.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
	if !slices.Equal(seen["a"], []string{"0", "2", "4"}) {
		t.Errorf("order of a: %v", seen["a"])
	}
}

func TestEachStops(t *testing.T) {
	down := func(_ context.Context, _ Item) Result { return Result{Outcome: Later} }
	rs := Each(t.Context(), items(make([]string, 50)...), 1, false, down)
	if tried := 50 - count(rs, Untried); tried != 3 {
		t.Errorf("a receiver that is down was tried %d times", tried)
	}
	asks := func(_ context.Context, it Item) Result {
		if it.ID == "2" {
			return Result{Outcome: Later, RetryAfter: time.Minute}
		}
		return Result{Outcome: Delivered}
	}
	if rs = Each(t.Context(), items(make([]string, 50)...), 1, false, asks); count(rs, Delivered) != 2 {
		t.Errorf("went on after being asked to wait: %v", outcomes(rs))
	}
	ctx, cancel := context.WithCancel(t.Context())
	rs = Each(ctx, items(make([]string, 50)...), 1, false, func(context.Context, Item) Result {
		cancel()
		return Result{Outcome: Delivered}
	})
	if count(rs, Delivered) != 1 {
		t.Errorf("began items after ctx ended: %v", outcomes(rs))
	}
	if rs = Each(t.Context(), nil, 8, false, down); len(rs) != 0 {
		t.Errorf("results of nothing: %v", rs)
	}
}

// What is first in a call is tried, however soon another one asks to be left alone.
func TestEachTriesTheFirst(t *testing.T) {
	for range 20_000 {
		rs := Each(t.Context(), items("", "", ""), 2, false, func(_ context.Context, it Item) Result {
			if it.ID == "0" {
				return Result{Outcome: Delivered}
			}
			return Result{Outcome: Later, RetryAfter: time.Minute}
		})
		if rs[0].Outcome != Delivered {
			t.Fatalf("outcomes %v", outcomes(rs))
		}
	}
}

func count(rs []Result, o Outcome) (n int) {
	for _, r := range rs {
		if r.Outcome == o {
			n++
		}
	}
	return n
}
