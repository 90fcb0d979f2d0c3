package intake

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"strconv"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

// keepReceipts is how long receipts can be asked for.
const keepReceipts = 90 * 24 * time.Hour

// Submission is what is known of one call that brought records.
type Submission struct {
	ID     string
	Sender string
	Type   reeve.RecordType
	At     time.Time
	State  string // "receiving", "complete", "broken"
	Counts Counts
}

func putSubmission(tx *store.Tx, s Submission) error {
	c := s.Counts
	_, err := tx.Exec(`insert into intake_submission (id, sender, type, at, state, records, accepted, held, duplicate, refused)
		values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do update set state = excluded.state, records = excluded.records,
		accepted = excluded.accepted, held = excluded.held, duplicate = excluded.duplicate, refused = excluded.refused`,
		s.ID, s.Sender, string(s.Type), s.At, s.State, c.Records, c.Accepted, c.Held, c.Duplicate, c.Refused)
	return err
}

func receiptsAAD(submission string, part int) []byte {
	return []byte("intake/" + submission + "/" + strconv.Itoa(part))
}

func (d *Desk) putReceipts(tx *store.Tx, submission string, part int, receipts []byte) error {
	b, err := seal.Pack(d.o.Keys, receipts, receiptsAAD(submission, part))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into intake_receipts (submission, part, receipts) values (?, ?, ?)`, submission, part, b)
	return err
}

// Submission returns what is known of a submission, or NotFound.
func (d *Desk) Submission(ctx context.Context, id string) (s Submission, err error) {
	err = d.o.DB.View(ctx, func(tx *store.Tx) error {
		var at int64
		c := &s.Counts
		err := tx.QueryRow(`select id, sender, type, at, state, records, accepted, held, duplicate, refused from intake_submission where id = ?`, id).
			Scan(&s.ID, &s.Sender, &s.Type, &at, &s.State, &c.Records, &c.Accepted, &c.Held, &c.Duplicate, &c.Refused)
		s.At = time.UnixMilli(at).UTC()
		s.Sender, s.Type = d.present(s.Sender, s.Type)
		return err
	})
	if errors.Is(err, sql.ErrNoRows) {
		err = reeve.E(reeve.NotFound, "intake.Submission", "there is no submission %q", id)
	}
	return s, err
}

// present is what a sender and a type are called now.
func (d *Desk) present(sender string, t reeve.RecordType) (string, reeve.RecordType) {
	a := d.o.Rules().Agreements
	return a.Party(sender), a.Type(t)
}

// Receipts calls fn with the receipts of a submission in order, many at a time: one
// JSON object a line.
func (d *Desk) Receipts(ctx context.Context, id string, fn func(lines []byte) error) error {
	for part := 0; ; part++ {
		var b []byte
		err := d.o.DB.View(ctx, func(tx *store.Tx) error {
			return tx.QueryRow(`select receipts from intake_receipts where submission = ? and part = ?`, id, part).Scan(&b)
		})
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		plain, err := seal.Unpack(d.o.Keys, b, receiptsAAD(id, part))
		if err != nil {
			return err
		}
		if err := fn(plain); err != nil {
			return err
		}
	}
}

// Step forgets receipts that are too old, a few at a time.
func (d *Desk) Step(ctx context.Context) (did int, err error) {
	before := d.o.DB.Now().Add(-keepReceipts)
	var old []string
	err = d.o.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`select id from intake_submission where at < ? order by at limit 50`, before)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return err
			}
			old = append(old, id)
		}
		return rows.Err()
	})
	if err != nil || len(old) == 0 {
		return 0, err
	}
	err = d.o.DB.Update(ctx, func(tx *store.Tx) error {
		for _, id := range old {
			if _, err := tx.Exec(`delete from intake_receipts where submission = ?`, id); err != nil {
				return err
			}
			if _, err := tx.Exec(`delete from intake_submission where id = ?`, id); err != nil {
				return err
			}
		}
		return nil
	})
	return len(old), err
}
