package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector"
)

// SourceSetup is a system that records are read from, and how a source is made on it.
type SourceSetup struct {
	// Open makes a source, as a program that has just started would. The kit closes it.
	Open func(t *testing.T) connector.Source
	// Add puts records into the system, complete: a file more, an answer more, rows
	// more. Their bodies have the fields id, name (text) and amount (two decimals).
	Add func(t *testing.T, its []connector.Item)
	// Full tells that every Read hands over all that is there, from the beginning.
	Full bool
	// Secrets are values that no error may hold: passwords, keys, tokens.
	Secrets []string

	// What not every system can do is nil.

	// Begin adds records that are not complete yet; the function that it returns
	// completes them. Nothing of them may be handed over before.
	Begin func(t *testing.T, its []connector.Item) (complete func())
	// Down makes the system out of reach, or brings it back.
	Down func(t *testing.T, down bool)
	// Cut makes the connection break once in the middle of what is read next.
	Cut func(t *testing.T)
	// Bad adds its records and, between them, a row that cannot be one.
	Bad func(t *testing.T, its []connector.Item)
}

// Source runs the kit. Each subtest gets a new setup.
func Source(t *testing.T, setup func(t *testing.T) SourceSetup) {
	t.Helper()
	for name, check := range map[string]func(*testing.T, SourceSetup){
		"hands over each once, oldest first": reads,
		"nothing of nothing":                 readsNothing,
		"goes on after a crash":              goesOn,
		"a second look changes nothing":      looksAgain,
		"what comes later is read later":     readsLater,
		"an error of take comes back":        takeFails,
		"stops with its context":             readStops,
		"what is not complete waits":         waits,
		"out of reach is told":               outOfReach,
		"a cut connection loses nothing":     cut,
		"a bad row is told, others are read": badRow,
	} {
		t.Run(name, func(t *testing.T) { check(t, setup(t)) })
	}
}

var errCrash = errors.New("the exchange stopped here")

// Ledger takes portions as the exchange does, and remembers what it took across
// sources: each row once.
type Ledger struct {
	// Crash is how many rows more it takes before it fails; negative: it does not.
	Crash int
	// Forget leaves out Portion.Done, as a crash before it would.
	Forget bool

	Position string            // of the last row without a file
	Bodies   []json.RawMessage // of the rows, in the order in which they were taken
	Problems []string          // of the rows that hold no record
	taken    map[string]int64  // rows of each portion
	complete map[string]bool
}

// NewLedger is an empty one.
func NewLedger() *Ledger {
	return &Ledger{Crash: -1, taken: map[string]int64{}, complete: map[string]bool{}}
}

// Read lets a source hand over what is there.
func (l *Ledger) Read(ctx context.Context, t *testing.T, s connector.Source) error {
	return s.Read(ctx, l.Position, func(p connector.Portion) error { return l.take(ctx, t, p) })
}

func (l *Ledger) take(ctx context.Context, t *testing.T, p connector.Portion) error {
	key := p.Name + "\x00" + p.Version
	if p.Name != "" && p.Version == "" {
		t.Errorf("the portion %q has no version", p.Name)
	}
	if strings.ContainsAny(p.Name, "/\\\x00") {
		t.Errorf("the portion %q is named with a folder", p.Name)
	}
	if p.Name == "" || !l.complete[key] {
		if err := l.rows(ctx, t, p, key); err != nil {
			return err
		}
	}
	if p.Done != nil && !l.Forget {
		return p.Done(ctx)
	}
	return nil
}

func (l *Ledger) rows(ctx context.Context, t *testing.T, p connector.Portion, key string) (err error) {
	r, err := p.Open(ctx)
	if err != nil {
		return err
	}
	defer func() { // an error of take stays as it is
		if cerr := r.Close(); err == nil {
			err = cerr
		}
	}()
	for n := int64(1); ; n++ {
		row, err := r.Next()
		if err == io.EOF {
			l.complete[key] = p.Name != ""
			return nil
		}
		if err != nil {
			return err
		}
		if row.Number != n {
			t.Errorf("row %d says that it is row %d", n, row.Number)
		}
		if p.Name != "" && n <= l.taken[key] {
			continue
		}
		if l.Crash == 0 {
			return errCrash
		}
		l.Crash--
		l.row(t, p, row.Body, row.At, row.Problem)
		if p.Name != "" {
			l.taken[key] = n
		} else if l.Position = row.Position; row.Position == "" {
			t.Errorf("row %d of a portion without a name has no position", n)
		}
	}
}

func (l *Ledger) row(t *testing.T, p connector.Portion, body []byte, at, problem string) {
	switch {
	case problem != "":
		if body != nil || at == "" && p.Name != "" || strings.Contains(problem, "Canary") {
			t.Errorf("a bad row is told as %q at %q, with %d bytes of body: where, what, and no value of it", problem, at, len(body))
		}
		l.Problems = append(l.Problems, problem)
	case !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")):
		t.Errorf("the row at %q is not a JSON object", at)
	case !json.Valid(body): // looked at by who takes it
		l.Problems = append(l.Problems, "not JSON")
	default:
		l.Bodies = append(l.Bodies, bytes.Clone(body))
	}
}

type fields struct {
	ID, Name string
	Amount   any
}

func fieldsOf(t *testing.T, body []byte) (f fields) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if err := d.Decode(&f); err != nil {
		t.Errorf("a record: %v", err)
	}
	if r, ok := new(big.Rat).SetString(fmt.Sprint(f.Amount)); ok {
		f.Amount = r.FloatString(2) // 10.50 may come as text, or as 10.5 where a system keeps it so
	}
	return f
}

// holds checks that the ledger took exactly these, in this order.
func (l *Ledger) holds(t *testing.T, want []connector.Item) {
	t.Helper()
	if len(l.Bodies) != len(want) {
		t.Errorf("%d records were taken, want %d: %s", len(l.Bodies), len(want), bytes.Join(slices.Collect(func(yield func([]byte) bool) {
			for _, b := range l.Bodies[:min(len(l.Bodies), 40)] {
				if !yield(b) {
					return
				}
			}
		}), []byte(" ")))
		return
	}
	for i, it := range want {
		if got, sent := fieldsOf(t, l.Bodies[i]), fieldsOf(t, it.Body); got != sent {
			t.Errorf("record %d is %+v, want %+v", i, got, sent)
			return
		}
	}
}

func (s SourceSetup) open(t *testing.T) connector.Source {
	t.Helper()
	src := s.Open(t)
	t.Cleanup(func() { _ = src.Close() }) // closed before, mostly: twice must do no harm
	return src
}

// read opens a source, lets the ledger take what is there, and closes it.
func (s SourceSetup) read(t *testing.T, l *Ledger) error {
	t.Helper()
	src := s.open(t)
	err := l.Read(t.Context(), t, src)
	if cerr := src.Close(); cerr != nil && err == nil {
		t.Errorf("Close: %v", cerr)
	}
	s.plain(t, err)
	return err
}

func (s SourceSetup) mustRead(t *testing.T, l *Ledger) {
	t.Helper()
	if err := s.read(t, l); err != nil {
		t.Errorf("Read: %v", err)
	}
}

// plain checks the text of an error.
func (s SourceSetup) plain(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	text := err.Error()
	for _, secret := range append([]string{"Canary"}, s.Secrets...) {
		if secret != "" && strings.Contains(text, secret) {
			t.Errorf("the error holds a secret or a value of a record: %q", text)
		}
	}
	if text == "" || len(text) > 500 || strings.Contains(text, "\n") {
		t.Errorf("the error is not a sentence for people: %q", text)
	}
}

// add puts 3 portions of 7 records into the system.
func (s SourceSetup) add(t *testing.T) []connector.Item {
	its := Items(21)
	for part := range slices.Chunk(its, 7) {
		s.Add(t, part)
	}
	return its
}

func reads(t *testing.T, s SourceSetup) {
	its, l := s.add(t), NewLedger()
	s.mustRead(t, l)
	l.holds(t, its)
}

func readsNothing(t *testing.T, s SourceSetup) {
	l := NewLedger()
	s.mustRead(t, l)
	l.holds(t, nil)
}

func goesOn(t *testing.T, s SourceSetup) {
	if s.Full {
		t.Skip("a full extract begins again")
	}
	its, l := s.add(t), NewLedger()
	for _, rows := range []int{0, 1, 5, 1, 8} { // within portions, and at their ends
		l.Crash = rows
		if err := s.read(t, l); err != errCrash {
			t.Fatalf("after %d rows: %v, want the error of take as it is", rows, err)
		}
	}
	if l.Crash, l.Forget = -1, true; s.read(t, l) != nil {
		t.Error("it could not be read to the end")
	}
	l.Forget = false
	s.mustRead(t, l)
	l.holds(t, its)
}

func looksAgain(t *testing.T, s SourceSetup) {
	its, l := s.add(t), NewLedger()
	s.mustRead(t, l)
	if s.Full {
		l = NewLedger()
	}
	src := s.open(t)
	for range 3 { // the same source again and again, and another one before
		if err := l.Read(t.Context(), t, src); err != nil {
			t.Errorf("Read: %v", err)
		}
		if l.holds(t, its); s.Full {
			l = NewLedger()
		}
	}
}

func readsLater(t *testing.T, s SourceSetup) {
	its, l := Items(12), NewLedger()
	src := s.open(t)
	for i, part := range slices.Collect(slices.Chunk(its, 4)) {
		s.Add(t, part)
		if s.Full {
			l = NewLedger()
		}
		if err := l.Read(t.Context(), t, src); err != nil {
			t.Errorf("Read: %v", err)
		}
		l.holds(t, its[:4*(i+1)])
	}
}

func takeFails(t *testing.T, s SourceSetup) {
	s.add(t)
	src := s.open(t)
	calls := 0
	if err := src.Read(t.Context(), "", func(connector.Portion) error { calls++; return errCrash }); err != errCrash || calls != 1 {
		t.Errorf("%d calls of take and the error %v, want one and its error as it is", calls, err)
	}
}

func readStops(t *testing.T, s SourceSetup) {
	s.add(t)
	src := s.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	err := src.Read(ctx, "", func(p connector.Portion) error {
		calls++
		cancel()
		return nil
	})
	// What the source found before its context ended may be one portion in all.
	if calls > 1 || err != nil && !errors.Is(err, context.Canceled) || err == nil && calls == 0 {
		t.Errorf("%d calls of take and the error %v after the context ended", calls, err)
	}
	if err := src.Read(ctx, "", func(connector.Portion) error { calls = 9; return nil }); !errors.Is(err, context.Canceled) || calls == 9 {
		t.Errorf("a context that has ended: %v", err)
	}
	l := NewLedger()
	if err := l.Read(t.Context(), t, src); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func waits(t *testing.T, s SourceSetup) {
	if s.Begin == nil {
		t.Skip("nothing here can be half there")
	}
	its, l := Items(10), NewLedger()
	s.Add(t, its[:5])
	complete := s.Begin(t, its[5:])
	s.mustRead(t, l)
	l.holds(t, its[:5])
	if complete(); s.Full {
		l = NewLedger()
	}
	s.mustRead(t, l)
	l.holds(t, its)
}

func outOfReach(t *testing.T, s SourceSetup) {
	if s.Down == nil {
		t.Skip("it cannot be out of reach")
	}
	its, l := s.add(t), NewLedger()
	src := s.open(t)
	s.Down(t, true)
	for range 2 {
		err := l.Read(t.Context(), t, src)
		if err == nil {
			t.Error("no error while it is out of reach")
		}
		s.plain(t, err)
	}
	s.Down(t, false)
	if err := l.Read(t.Context(), t, src); err != nil {
		t.Errorf("when it is back: %v", err)
	}
	l.holds(t, its)
}

func cut(t *testing.T, s SourceSetup) {
	if s.Cut == nil {
		t.Skip("there is no connection that could break")
	}
	its, l := s.add(t), NewLedger()
	src := s.open(t)
	s.Cut(t)
	err := l.Read(t.Context(), t, src)
	if err == nil {
		t.Error("no error where the connection broke")
	}
	if s.plain(t, err); s.Full {
		l = NewLedger()
	}
	if err := l.Read(t.Context(), t, src); err != nil {
		t.Errorf("after the connection broke: %v", err)
	}
	l.holds(t, its)
}

func badRow(t *testing.T, s SourceSetup) {
	if s.Bad == nil {
		t.Skip("every row here is a record")
	}
	its, l := Items(6), NewLedger()
	s.Bad(t, its)
	s.mustRead(t, l)
	l.holds(t, its)
	if len(l.Problems) != 1 {
		t.Errorf("problems: %q, want one", l.Problems)
	}
}
