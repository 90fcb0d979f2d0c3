package intake

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// May asks whether an actor's organisation may send a type at all, before its rows
// come, and returns what the type is called now. A refusal is journalled.
func (d *Desk) May(ctx context.Context, a reeve.Actor, t reeve.RecordType) (reeve.RecordType, error) {
	found, err := d.may(context.WithoutCancel(ctx), Call{Actor: a, Type: t})
	if err != nil {
		return "", err
	}
	return found.ID, nil
}

// Mark says how far the rows of a call are durable. It is handed over inside the
// transaction that makes them so.
type Mark struct {
	Done     int64  // number of the last row
	Position string // of the last row that has one, "" for none since the mark before
	Counts   Counts // of the rows since the mark before
	Sums     Sums   // of the same rows
	Faults   []Fault
}

// Sums are the sums of the rows, by what became of them. They are taken over the
// bytes that were committed, not over those that were read.
type Sums struct{ Accepted, Held, Duplicate, Refused Sum }

// Total is the sum of all of them.
func (s Sums) Total() Sum { return s.Accepted.Plus(s.Held).Plus(s.Duplicate).Plus(s.Refused) }

// Plus adds them up.
func (s Sums) Plus(o Sums) Sums {
	return Sums{s.Accepted.Plus(o.Accepted), s.Held.Plus(o.Held), s.Duplicate.Plus(o.Duplicate), s.Refused.Plus(o.Refused)}
}

// Fault is a row that was held or refused, and why. Field is a JSON Pointer, or the
// name of a column where there is no record; a fault holds no value of the row.
type Fault struct {
	Row     int64          `json:"row"`
	At      string         `json:"at,omitempty"`
	Status  string         `json:"status"`
	ID      reeve.RecordID `json:"id,omitempty"`
	Field   string         `json:"field,omitempty"`
	Message string         `json:"message"`
}

// mark is what a batch knows of the row that an item came from.
type mark struct {
	number              int64
	at, field, position string
	sum                 Sum
}

// readRows is read for rows that somebody else has found.
func (r *run) readRows(stop context.Context) error {
	r.order, r.landed, r.spare = make(chan *batch, atOnce), make(chan struct{}, 1), make(chan []item, atOnce)
	r.result.Shape = "lines"
	failed := make(chan struct{})
	committed := make(chan error, 1)
	go r.commitAll(failed, committed)
	err := r.eachRow(stop, failed)
	r.dispatch()
	close(r.order)
	if lost := <-committed; lost != nil {
		return lost
	}
	return err
}

// eachRow reads until the end, or until something fails.
func (r *run) eachRow(stop context.Context, failed <-chan struct{}) error {
	for {
		select {
		case <-failed:
			return nil
		case <-stop.Done():
			return context.Cause(stop)
		default:
		}
		if r.malformed.Load() > maxMalformed {
			r.result.Broken = fmt.Sprintf("more than %d rows are not records", maxMalformed)
			return nil
		}
		row, err := r.call.Rows.Next()
		var broken *format.Error
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &broken):
			r.result.Broken = broken.Error()
			return nil
		case err != nil:
			return err
		}
		if row.Number > r.call.First {
			r.takeRow(row)
		}
	}
}

// takeRow gathers a row into the batch.
func (r *run) takeRow(row format.Row) {
	body, tooLarge := row.Body, false
	if len(body) > contract.MaxBytes {
		body, tooLarge = nil, true
	}
	r.take(body, tooLarge)
	b := r.last
	b.rows = append(b.rows, mark{number: row.Number, at: row.At, field: row.Field, position: row.Position})
	switch it := &b.items[len(b.items)-1]; {
	case row.Problem != "":
		it.refuse(reeve.Invalid, "malformed", row.Problem)
		it.problems[0].Path = row.Field
		r.malformed.Add(1)
	case tooLarge:
		b.rows[len(b.rows)-1].sum = RowSum(row.Number, row.Body)
	}
	if len(b.items) >= batchRecords {
		r.dispatch()
	}
}

// sum adds up what is about to be checked and committed.
func (b *batch) sum() {
	for i := range b.rows {
		if m := &b.rows[i]; m.sum == (Sum{}) {
			m.sum = RowSum(m.number, b.buf[b.items[i].from:b.items[i].to])
		}
	}
}

// mark tells whoever asked, in the transaction, how far their rows are durable.
func (r *run) mark(tx *store.Tx, b *batch, c Counts) error {
	if r.call.Mark == nil || len(b.rows) == 0 {
		return nil
	}
	m := Mark{Done: b.rows[len(b.rows)-1].number, Counts: c}
	for i := range b.rows {
		row, it := &b.rows[i], &b.items[i]
		if row.position != "" {
			m.Position = row.position
		}
		switch it.status {
		case "accepted":
			m.Sums.Accepted = m.Sums.Accepted.Plus(row.sum)
			continue
		case "duplicate":
			m.Sums.Duplicate = m.Sums.Duplicate.Plus(row.sum)
			continue
		case "held":
			m.Sums.Held = m.Sums.Held.Plus(row.sum)
		default:
			m.Sums.Refused = m.Sums.Refused.Plus(row.sum)
		}
		for _, p := range it.problems {
			m.Faults = append(m.Faults, Fault{row.number, row.at, it.status, it.id, p.Path, p.Message})
		}
	}
	return r.call.Mark(tx, m)
}
