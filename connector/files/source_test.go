package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/format"
)

// shelf is a folder in memory. before is called ahead of each step, with its name; an
// error of it is the step's.
type shelf struct {
	files  map[string]string
	marks  map[string]int
	n      int
	before func(step string) error
}

func newShelf() *shelf { return &shelf{files: map[string]string{}, marks: map[string]int{}} }

func (s *shelf) put(name, content string) {
	s.n++
	s.files[name], s.marks[name] = content, s.n
}

func (s *shelf) step(name string) error {
	if s.before != nil {
		return s.before(name)
	}
	return nil
}

func (s *shelf) entry(name string) Entry {
	return Entry{Name: name, Size: int64(len(s.files[name])), When: int64(s.marks[name]), Mark: fmt.Sprint(s.marks[name]), Day: "20260131"}
}

func (s *shelf) List(context.Context) (list []Entry, err error) {
	for name := range s.files {
		if !strings.Contains(name, "/") {
			list = append(list, s.entry(name))
		}
	}
	return list, s.step("list")
}

func (s *shelf) Fetch(_ context.Context, e Entry, w io.Writer) error {
	if err := s.step("fetch"); err != nil {
		return err
	}
	if !e.same(s.entry(e.Name)) {
		return ErrChanged
	}
	_, err := io.WriteString(w, s.files[e.Name])
	return err
}

func (s *shelf) Stat(_ context.Context, name string) (Entry, error) {
	if err := s.step("stat"); err != nil {
		return Entry{}, err
	}
	if _, ok := s.files[name]; !ok {
		return Entry{}, fs.ErrNotExist
	}
	return s.entry(name), nil
}

func (s *shelf) Rename(_ context.Context, from, to string) error {
	if err := s.step("rename"); err != nil {
		return err
	}
	if _, ok := s.files[from]; !ok {
		return fs.ErrNotExist
	}
	if _, ok := s.files[to]; ok {
		return errors.New("something else was moved away")
	}
	s.files[to], s.marks[to] = s.files[from], s.marks[from]
	delete(s.files, from)
	return s.step("renamed")
}

func (s *shelf) Remove(_ context.Context, name string) error {
	if err := s.step("remove"); err != nil {
		return err
	}
	delete(s.files, name)
	return nil
}

func on(s *shelf, settings Settings) *Source {
	src := NewSource(s, connector.Config{Format: format.Spec{Name: "ndjson"}}, settings, nil)
	src.wait = func(context.Context, time.Duration) error { return nil }
	return src
}

// book keeps what was taken, each version once.
type book struct {
	versions map[string]bool
	rows     []string
}

func (b *book) take(ctx context.Context, p connector.Portion) error {
	if b.versions == nil {
		b.versions = map[string]bool{}
	}
	if key := p.Name + p.Version; !b.versions[key] {
		r, err := p.Open(ctx)
		if err != nil {
			return err
		}
		var rows []string
		for {
			row, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				return err
			}
			rows = append(rows, string(row.Body))
		}
		if err := r.Close(); err != nil {
			return err
		}
		b.versions[key], b.rows = true, append(b.rows, rows...)
	}
	if p.Done != nil {
		return p.Done(ctx)
	}
	return nil
}

func (b *book) read(t *testing.T, s *Source) error {
	return s.Read(t.Context(), "", func(p connector.Portion) error { return b.take(t.Context(), p) })
}

// A file that grows is not read until it has stayed as it was.
func TestGrowing(t *testing.T) {
	sh, b := newShelf(), &book{}
	src := on(sh, Settings{})
	sh.put("grows", `{"n":1}`+"\n")
	grow := true
	src.wait = func(context.Context, time.Duration) error {
		if grow {
			sh.put("grows", sh.files["grows"]+`{"n":1}`+"\n")
		}
		return nil
	}
	for range 5 {
		if err := b.read(t, src); err != nil || len(b.rows) != 0 {
			t.Fatalf("%v, %d rows of a file that grows", err, len(b.rows))
		}
	}
	grow = false
	if err := b.read(t, src); err != nil || len(b.rows) != 6 {
		t.Errorf("%v, %d rows", err, len(b.rows))
	}
}

// A look that finds nothing new waits for nothing.
func TestNoNeedlessWait(t *testing.T) {
	sh, b := newShelf(), &book{}
	src, waits := on(sh, Settings{}), 0
	src.wait = func(context.Context, time.Duration) error { waits++; return nil }
	sh.put("a", "{}\n")
	for range 4 {
		if err := b.read(t, src); err != nil {
			t.Fatal(err)
		}
	}
	fetches := 0
	sh.before = func(step string) error {
		if step == "fetch" {
			fetches++
		}
		return nil
	}
	if err := b.read(t, src); err != nil || waits != 1 || fetches != 0 {
		t.Errorf("%v, %d waits, %d fetches", err, waits, fetches)
	}
}

// A file of the same name and contents is taken once; or, with daily, once a day.
func TestSentTwice(t *testing.T) {
	for daily, want := range map[bool]int{false: 1, true: 2} {
		sh, b := newShelf(), &book{}
		day := "20260130"
		in := struct{ Inbox }{dated{sh, &day}}
		src := NewSource(in, connector.Config{Format: format.Spec{Name: "ndjson"}}, Settings{After: "move", Daily: daily}, nil)
		src.wait = func(context.Context, time.Duration) error { return nil }
		for _, day = range []string{"20260130", "20260130", "20260131"} {
			sh.put("deaths.ndjson", "{}\n")
			if err := b.read(t, src); err != nil {
				t.Fatal(err)
			}
		}
		if len(b.rows) != want {
			t.Errorf("daily %v: %d rows, want %d", daily, len(b.rows), want)
		}
		if len(sh.files) != 3 { // each in the folder done, under a name of its own
			t.Errorf("in the end: %v", slices.Collect(maps.Keys(sh.files)))
		}
	}
}

type dated struct {
	*shelf
	day *string
}

func (d dated) List(ctx context.Context) ([]Entry, error) {
	list, err := d.shelf.List(ctx)
	for i := range list {
		list[i].Day = *d.day
	}
	return list, err
}

// A sender that puts another file under the name at any moment, and crashes at any step:
// every file that was ever complete in the folder is taken exactly once, and nothing
// that was not taken is deleted.
func TestNothingLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		sh, b, sent := newShelf(), &book{}, 0
		settings := Settings{After: rapid.SampledFrom([]string{"keep", "move", "delete"}).Draw(rt, "after")}
		crash := errors.New("crash")
		send := func() { // as a careful sender does: only where its last one is gone
			name := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "name")
			if _, there := sh.files[name]; !there {
				sent++
				sh.put(name, fmt.Sprintf("{\"n\":%d}\n", sent))
			}
		}
		events := rapid.SliceOfN(rapid.IntRange(0, 9), 0, 60).Draw(rt, "events")
		sh.before = func(step string) error {
			if len(events) == 0 {
				return nil
			}
			e := events[0]
			events = events[1:]
			switch {
			case e == 0:
				return crash
			case e < 4 && step != "list":
				send()
			}
			return nil
		}
		src := on(sh, settings)
		for range 12 {
			send()
			if err := src.Read(t.Context(), "", func(p connector.Portion) error { return b.take(t.Context(), p) }); err != nil {
				if !errors.Is(err, crash) {
					rt.Fatalf("Read: %v", err)
				}
				src = on(sh, settings) // the program starts again
			}
		}
		events, sh.before = nil, nil
		for range 3 {
			if err := src.Read(t.Context(), "", func(p connector.Portion) error { return b.take(t.Context(), p) }); err != nil {
				rt.Fatalf("Read: %v", err)
			}
		}
		rows := slices.Sorted(slices.Values(b.rows))
		if once := slices.Compact(slices.Clone(rows)); len(once) != len(rows) || len(rows) != sent {
			rt.Fatalf("sent %d, taken %v", sent, rows)
		}
		for name := range sh.files {
			if settings.After == "delete" || settings.After == "move" && !strings.HasPrefix(name, "done/") {
				rt.Fatalf("left: %s", name)
			}
		}
	})
}

// A file that is replaced in the very moment of being moved or deleted is not lost.
func TestReplacedInTheLastMoment(t *testing.T) {
	for _, after := range []string{"move", "delete"} {
		sh, b := newShelf(), &book{}
		sh.put("a", `{"n":1}`+"\n")
		done := false
		sh.before = func(step string) error {
			if step == "rename" && !done {
				done = true
				sh.put("a", `{"n":2}`+"\n")
			}
			return nil
		}
		src := on(sh, Settings{After: after})
		for range 3 {
			if err := b.read(t, src); err != nil {
				t.Error(err)
			}
		}
		if len(b.rows) != 2 {
			t.Errorf("%s: taken %v", after, b.rows)
		}
	}
}

func TestValid(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "/", "a\\b", "a\x00", "a\n", "\xff", "\u202e", "\u200b", strings.Repeat("x", 256)} {
		if Valid(name) == nil {
			t.Errorf("%q is let through", name)
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		name := Plain(rapid.String().Draw(rt, "name"))
		if name != "" && len(name) < 256 && Valid(name) != nil {
			rt.Errorf("%q", name)
		}
	})
}

// A file that is not what its name says keeps no other from being read; a format that
// cannot be is nobody's fault but the interface's.
func TestNotAWorkbook(t *testing.T) {
	sh := newShelf()
	sh.put("a.xlsx", "PK no workbook")
	sh.put("b.xlsx", "nor this")
	var told []error
	src := NewSource(sh, connector.Config{Format: format.Spec{Name: "xlsx"}}, Settings{}, nil)
	src.wait = func(context.Context, time.Duration) error { return nil }
	err := src.Read(t.Context(), "", func(p connector.Portion) error {
		r, err := p.Open(t.Context())
		if err != nil {
			return err
		}
		_, err = r.Next()
		told = append(told, err)
		return r.Close()
	})
	var wrong *format.Error
	if err != nil || len(told) != 2 || !errors.As(told[0], &wrong) || !errors.As(told[1], &wrong) {
		t.Errorf("%v, told %v", err, told)
	}
	for _, spec := range []format.Spec{{Name: "csv", Delimiter: "ab"}, {Name: "xml", Encoding: "klingon"}, {Name: "parquet"}} {
		src := NewSource(sh, connector.Config{Format: spec}, Settings{}, nil)
		src.wait = func(context.Context, time.Duration) error { return nil }
		if err := src.Read(t.Context(), "", func(connector.Portion) error { t.Error("a file was taken"); return nil }); err == nil {
			t.Errorf("%+v: no error", spec)
		}
	}
}
