package def_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, db *store.DB, dir string) (*def.Live, []def.Problem, *journal.Journal, error) {
	t.Helper()
	j, err := journal.Open(context.Background(), db, journal.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	l, problems, err := def.OpenLive(context.Background(), def.LiveOptions{DB: db, Journal: j, Registry: registry(), Dir: dir, Poll: 5 * time.Millisecond})
	return l, problems, j, err
}

func TestLive(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		dir := filepath.Join(t.TempDir(), "defs")
		if l, problems, _, err := open(t, db, dir); l != nil || problems != nil || err == nil || !strings.Contains(err.Error(), "give a folder") {
			t.Fatalf("nothing at all: %v %v %v", l, problems, err)
		}
		os.Mkdir(dir, 0o755)
		write(t, dir, "a.yaml", "apiVersion: reeve/v1\n")
		if l, problems, _, err := open(t, db, dir); l != nil || len(problems) == 0 || err != nil {
			t.Fatalf("mistakes and nothing before: %v %v %v", l, problems, err)
		}
		write(t, dir, "a.yaml", head+"spec: {type: council}\n")
		l, problems, j, err := open(t, db, dir)
		if problems != nil || err != nil {
			t.Fatal(problems, err)
		}
		first := l.Set().Hash()

		var one, two string
		refuse := false
		l.OnActivate(func(s *def.Set) (func(), []def.Problem) { return func() { one = s.Hash() }, nil })
		l.OnActivate(func(s *def.Set) (func(), []def.Problem) {
			if refuse {
				return func() { t.Error("applied") }, []def.Problem{{File: "a.yaml", Line: 1, Col: 1, Message: "no"}}
			}
			return func() { two = s.Hash() }, nil
		})
		if one != first || two != first {
			t.Fatal("a new consumer is asked about the present set")
		}
		if p, err := l.Reload(ctx); p != nil || err != nil {
			t.Fatal(p, err)
		}

		write(t, dir, "b.yaml", strings.Replace(head, "org-a", "org-b", 1)+"spec: {type: councill}\n")
		if p, err := l.Reload(ctx); len(p) != 1 || err != nil || l.Set().Hash() != first || len(l.Problems()) != 1 {
			t.Fatalf("a mistake should keep the old set: %v %v", p, err)
		}
		write(t, dir, "b.yaml", strings.Replace(head, "org-a", "org-b", 1)+"spec: {type: council}\n")
		refuse = true
		if p, err := l.Reload(ctx); len(p) != 1 || err != nil || l.Set().Hash() != first || one != first {
			t.Fatalf("one consumer's problem should keep the old set for all: %v %v", p, err)
		}
		refuse = false
		if p, err := l.Reload(ctx); p != nil || err != nil || l.Set().Hash() == first || one != two || one != l.Set().Hash() || len(l.Problems()) != 0 {
			t.Fatalf("%v %v", p, err)
		}
		second := l.Set().Hash()

		if old, err := l.Earlier(ctx, first); err != nil || old.Hash() != first || len(old.Objects()) != 1 {
			t.Errorf("an earlier set: %v", err)
		}
		if _, err := l.Earlier(ctx, "sha256:0"); err == nil {
			t.Error("a set that never was")
		}
		entries, err := j.Read(ctx, 0, 10)
		if err != nil || len(entries) != 2 || entries[0].Set != first || entries[1].Set != second || entries[1].Verb != "activated" {
			t.Errorf("%+v %v", entries, err)
		}
		if a, err := l.Activations(ctx, 10); err != nil || len(a) != 2 || a[0].Hash != second || a[0].At.IsZero() {
			t.Errorf("%+v %v", a, err)
		}

		write(t, dir, "b.yaml", "nonsense")
		if again, p, _, err := open(t, db, dir); err != nil || len(p) == 0 || again.Set().Hash() != second || len(again.Set().Objects()) != 2 {
			t.Errorf("a restart with mistakes should keep the last set: %v %v", p, err)
		}
		os.RemoveAll(dir)
		again, p, j, err := open(t, db, dir)
		if err != nil || p != nil || again.Set().Hash() != second {
			t.Errorf("a restart without a folder should keep the last set: %v %v", p, err)
		}
		if p, err := again.Reload(ctx); p != nil || err != nil || again.Set().Hash() != second {
			t.Errorf("%v %v", p, err)
		}
		if entries, _ := j.Read(ctx, 0, 10); len(entries) != 2 {
			t.Errorf("staying in force is no activation: %+v", entries)
		}
	})
}

func TestWatch(t *testing.T) {
	db := storetest.Open(t, time.Now)
	dir := t.TempDir()
	write(t, dir, "a.yaml", head+"spec: {type: council}\n")
	l, _, _, err := open(t, db, dir)
	if err != nil {
		t.Fatal(err)
	}
	applied := make(chan string, 10)
	l.OnActivate(func(s *def.Set) (func(), []def.Problem) { return func() { applied <- s.Hash() }, nil })
	first := <-applied
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- l.Watch(ctx) }()
	write(t, dir, "b.yaml", strings.Replace(head, "org-a", "org-b", 1)+"spec: {type: partner}\n")
	if <-applied == first {
		t.Error("the same set again")
	}
	write(t, dir, "schema.json", "{}")
	<-applied
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Every mistake of a broken folder is logged with where it stands, up to a bound.
func TestMistakesAreLogged(t *testing.T) {
	db := storetest.Open(t, time.Now)
	dir := t.TempDir()
	write(t, dir, "a.yaml", head+"spec: {type: council}\n")
	j, err := journal.Open(context.Background(), db, journal.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	l, _, err := def.OpenLive(context.Background(), def.LiveOptions{DB: db, Journal: j, Registry: registry(), Dir: dir, Log: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range map[int]int{2: 2, 70: 50} {
		out.Reset()
		for i := range n {
			write(t, dir, fmt.Sprintf("b%02d.yaml", i), strings.Replace(head, "org-a", fmt.Sprint("org-b", i), 1)+"spec: {type: councill}\n")
		}
		if p, err := l.Reload(context.Background()); len(p) != n || err != nil {
			t.Fatal(p, err)
		}
		if got := strings.Count(out.String(), "a mistake in the definitions"); got != want || !strings.Contains(out.String(), "file=b01.yaml line=4 col=") {
			t.Errorf("%d mistakes, %d logged:\n%s", n, got, out.String())
		}
		if n > want && !strings.Contains(out.String(), "left=20") {
			t.Error("it does not say how many are left")
		}
		for i := range n {
			os.Remove(filepath.Join(dir, fmt.Sprintf("b%02d.yaml", i)))
		}
	}
	l.LogProblems()
}
