package intake

import (
	"context"
	"slices"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Seen is what one sender told of one type since the beginning.
type Seen struct {
	Sender string // id of the Organisation
	Type   reeve.RecordType
	Counts
	First time.Time // zero: not known
	Last  time.Time
}

// see adds a batch to what was seen.
func see(tx *store.Tx, sender string, t reeve.RecordType, c Counts) error {
	_, err := tx.Exec(`insert into intake_seen (sender, type, accepted, held, duplicate, refused, last, first) values (?, ?, ?, ?, ?, ?, ?, ?)
		on conflict (sender, type) do update set accepted = intake_seen.accepted + excluded.accepted, held = intake_seen.held + excluded.held,
		duplicate = intake_seen.duplicate + excluded.duplicate, refused = intake_seen.refused + excluded.refused, last = excluded.last`,
		sender, string(t), c.Accepted, c.Held, c.Duplicate, c.Refused, tx.Now, tx.Now)
	return err
}

// Seen lists what every sender told, by sender and type; what was told under an
// id that changed is counted under the present one.
func (d *Desk) Seen(ctx context.Context) (seen []Seen, err error) {
	err = d.o.DB.View(ctx, func(tx *store.Tx) error {
		rows, err := tx.Query(`select sender, type, accepted, held, duplicate, refused, last, first from intake_seen order by sender, type`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var s Seen
			var t string
			var last, first int64
			if err := rows.Scan(&s.Sender, &t, &s.Accepted, &s.Held, &s.Duplicate, &s.Refused, &last, &first); err != nil {
				return err
			}
			s.First, s.Last = store.Moment(first), time.UnixMilli(last).UTC()
			s.Sender, s.Type = d.present(s.Sender, reeve.RecordType(t))
			s.Records = s.Accepted + s.Held + s.Duplicate + s.Refused
			if i := slices.IndexFunc(seen, func(o Seen) bool { return o.Sender == s.Sender && o.Type == s.Type }); i >= 0 {
				seen[i].plus(s.Counts)
				if s.Last.After(seen[i].Last) {
					seen[i].Last = s.Last
				}
				if s.First.IsZero() || s.First.Before(seen[i].First) {
					seen[i].First = s.First
				}
				continue
			}
			seen = append(seen, s)
		}
		return rows.Err()
	})
	return seen, err
}
