package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/reeve-civic/reeve/demo/data"
)

// The record types that the demo's senders send.
const (
	typeDeath       = "rec-death.v1"
	typePatient     = "rec-fhir-patient.v1"
	typeAward       = "rec-benefit-award.v1"
	typeApplication = "rec-planning-application.v1"
	typeMove        = "rec-address-change.v1"
)

// Sender sends records of one type for a partner and returns the status of each,
// in order: accepted, held, duplicate or refused. An error means that it is not
// known what became of them.
type Sender func(ctx context.Context, partner, recordType string, records []json.RawMessage) (statuses []string, err error)

// Feed plays the four senders of the demo. What it has sent is kept in
// DIR/feed.json; started again it goes on from there, and what may have been sent
// before it stopped is sent again: Reeve knows it as a duplicate.
type Feed struct {
	Send  Sender
	Dir   string
	Now   func() time.Time
	Every time.Duration // between fresh deaths; default 5 s
	Log   *slog.Logger

	patients []data.Patient
	state    feedState
}

// feedState is what feed.json holds.
type feedState struct {
	History  bool        `json:"history"`            // everything of the past was sent
	Fresh    int         `json:"fresh"`              // how many fresh deaths were sent
	Sending  *data.Death `json:"sending,omitempty"`  // perhaps sent, not known to be
	Mistake  *data.Death `json:"mistake,omitempty"`  // registered in error, to be reversed
	Reversed bool        `json:"reversed,omitempty"` // the mistake was reversed
}

// Which of the fresh deaths was registered in error, and after which one it is
// found out.
const (
	mistakeAt  = 4
	reversedAt = 6
)

// Open reads the input and what an earlier run has sent.
func (f *Feed) Open() (err error) {
	if f.Every == 0 {
		f.Every = 5 * time.Second
	}
	if f.Log == nil {
		f.Log = slog.New(slog.DiscardHandler)
	}
	if f.patients, err = data.Patients(); err != nil {
		return err
	}
	_, err = readJSON(filepath.Join(f.Dir, "feed.json"), &f.state)
	return err
}

// Run sends the history and then a fresh death every few seconds, until ctx ends
// or nobody is left. What fails is tried again.
func (f *Feed) Run(ctx context.Context) error {
	if err := f.Open(); err != nil {
		return err
	}
	for ctx.Err() == nil {
		did, err := f.Step(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			f.Log.Warn("the demo's senders try again", "err", err)
		case err == nil && !did:
			f.Log.Info("the demo has told everything that it has to tell")
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(f.Every):
		}
	}
	return nil
}

// Step sends what is next: the whole history, or one fresh death. did is false
// when there is nothing left.
func (f *Feed) Step(ctx context.Context) (did bool, err error) {
	if !f.state.History {
		if _, err := f.History(ctx); err != nil {
			return false, err
		}
		f.state.History = true
		return true, f.save()
	}
	return f.fresh(ctx)
}

// Tally counts receipts: record type, then status.
type Tally map[string]map[string]int

// History sends everything of the past: the registrations of deaths, the
// hospital's patients, the awards, a few moves for which nobody has declared a flow
// yet, and the planning applications with five broken copies.
func (f *Feed) History(ctx context.Context) (Tally, error) {
	tally := Tally{}
	send := func(partner, recordType string, records []json.RawMessage) error {
		statuses, err := f.Send(ctx, partner, recordType, records)
		if err != nil {
			return fmt.Errorf("demo.Feed: %s: %w", recordType, err)
		}
		tally[recordType] = map[string]int{}
		for _, s := range statuses {
			tally[recordType][s]++
		}
		f.Log.Info("sent", "records", len(records), "type", recordType, "receipts", tally[recordType])
		return nil
	}
	deaths, err := data.History(f.patients)
	if err != nil {
		return nil, err
	}
	if err := send("org-register-office", typeDeath, bodies(deaths, data.Death.JSON)); err != nil {
		return nil, err
	}
	resources := bodies(f.patients, func(p data.Patient) json.RawMessage { return p.Resource })
	if err := send("org-hospital-trust", typePatient, resources); err != nil {
		return nil, err
	}
	if err := send("org-benefits", typeAward, bodies(data.Awards(f.patients), data.Award.JSON)); err != nil {
		return nil, err
	}
	if err := send("org-benefits", typeMove, data.Moves()); err != nil {
		return nil, err
	}
	whole, err := data.Applications()
	if err != nil {
		return nil, err
	}
	broken, err := data.BrokenApplications(whole)
	if err != nil {
		return nil, err
	}
	all := append(whole, bodies(broken, func(b data.Broken) json.RawMessage { return b.Body })...)
	return tally, send("org-planning-portal", typeApplication, all)
}

func bodies[T any](in []T, body func(T) json.RawMessage) []json.RawMessage {
	out := make([]json.RawMessage, len(in))
	for i, v := range in {
		out[i] = body(v)
	}
	return out
}

// fresh registers one more death today, or reverses the one that was a mistake.
func (f *Feed) fresh(ctx context.Context) (bool, error) {
	if f.state.Sending == nil {
		next, ok := f.next()
		if !ok {
			return false, nil
		}
		f.state.Sending = &next
		if err := f.save(); err != nil { // before it is sent: it must be the same when it is sent again
			return false, err
		}
	}
	d := *f.state.Sending
	if _, err := f.Send(ctx, "org-register-office", typeDeath, []json.RawMessage{d.JSON()}); err != nil {
		return false, err
	}
	if d.Status == data.ReportedInError {
		f.state.Mistake, f.state.Reversed = nil, true
	} else if f.state.Fresh++; f.state.Fresh == mistakeAt {
		f.state.Mistake = &d
	}
	f.state.Sending = nil
	return true, f.save()
}

func (f *Feed) next() (data.Death, bool) {
	if f.state.Mistake != nil && f.state.Fresh >= reversedAt {
		return f.state.Mistake.InError(), true
	}
	order := freshOrder(f.patients)
	if f.state.Fresh >= len(order) {
		return data.Death{}, false
	}
	return data.Fresh(order[f.state.Fresh], f.Now(), f.state.Fresh+1), true
}

// freshOrder is the order in which the living die: as in the file, but the third
// is a pupil of whom the services know, to show what is not sent to the family of
// a child and what is cancelled.
func freshOrder(ps []data.Patient) []data.Patient {
	living := data.Living(ps)
	var pupil int
	for i, p := range living {
		if data.Pupil(p) {
			pupil = i
			break
		}
	}
	out := make([]data.Patient, 0, len(living))
	for i, p := range living {
		if len(out) == 2 {
			out = append(out, living[pupil])
		}
		if i != pupil {
			out = append(out, p)
		}
	}
	return out
}

func (f *Feed) save() error {
	b, err := json.Marshal(f.state)
	if err != nil {
		return fmt.Errorf("demo.Feed: %w", err)
	}
	return replaceFile(filepath.Join(f.Dir, "feed.json"), b)
}
