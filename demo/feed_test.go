package demo

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/demo/data"
)

// book is a Sender that knows what it has seen, as intake does.
type book struct {
	seen map[string]string // registration: last body
	sent []data.Death
	fail bool
}

func (b *book) send(_ context.Context, _, recordType string, records []json.RawMessage) ([]string, error) {
	var out []string
	for _, r := range records {
		out = append(out, "accepted")
		if recordType != typeDeath {
			continue
		}
		var d data.Death
		if err := json.Unmarshal(r, &d); err != nil {
			return nil, err
		}
		if b.seen[d.Registration] != string(r) {
			b.seen[d.Registration] = string(r)
			b.sent = append(b.sent, d)
		}
	}
	if b.fail {
		return nil, errors.New("the connection was cut before the answer")
	}
	return out, nil
}

func TestAFeedThatIsCutGoesOnAndRepeatsNothing(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	b := &book{seen: map[string]string{}}
	for i := range 40 {
		f := &Feed{Send: b.send, Dir: dir, Now: func() time.Time { now = now.Add(time.Hour); return now }}
		if err := f.Open(); err != nil { // as a new process each time
			t.Fatal(err)
		}
		b.fail = i%3 == 1
		if did, err := f.Step(t.Context()); err == nil && !did {
			t.Fatal("nothing left to send")
		}
	}
	fresh := b.sent[124:]
	registered, reversed, children := map[string]bool{}, 0, 0
	for _, d := range fresh {
		switch {
		case d.Status == data.ReportedInError:
			reversed++
			if !registered[d.Registration] {
				t.Errorf("%s is reversed before it is registered", d.Registration)
			}
		case registered[d.Registration]:
			t.Errorf("%s is sent twice with different contents", d.Registration)
		}
		registered[d.Registration] = true
		if data.Age(d.Deceased.DateOfBirth, d.DateOfDeath) < 18 {
			children++
		}
	}
	if reversed != 1 || children == 0 || len(registered) < 20 {
		t.Errorf("%d fresh registrations, %d reversed, %d of children", len(registered), reversed, children)
	}
}
