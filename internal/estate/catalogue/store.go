package catalogue

import (
	"fmt"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

func links(tx *store.Tx) ([]Link, error) {
	rows, err := tx.Query(`select url, state, status, went_to, why, checked from catalogue_link`)
	return store.List(rows, err, func(from func(...any) error) (l Link, err error) {
		var checked int64
		err = from(&l.URL, &l.State, &l.Status, &l.To, &l.Why, &checked)
		l.Checked = store.Moment(checked)
		return l, err
	})
}

// want puts links on the list of those to follow.
func want(tx *store.Tx, urls []string) error {
	for _, u := range urls {
		if _, err := tx.Exec(`insert into catalogue_link (url, state, status, went_to, why, checked, wanted) values (?, ?, 0, '', '', 0, ?)
			on conflict (url) do update set wanted = excluded.wanted`, u, string(LinkUnchecked), tx.Now); err != nil {
			return err
		}
	}
	return nil
}

func wanted(tx *store.Tx, max int) ([]string, error) {
	rows, err := tx.Query(`select url from catalogue_link where wanted > 0 order by wanted, url limit ?`, max)
	return store.List(rows, err, func(from func(...any) error) (u string, err error) { return u, from(&u) })
}

func waiting(tx *store.Tx) (n int, err error) {
	err = tx.QueryRow(`select count(*) from catalogue_link where wanted > 0`).Scan(&n)
	return n, err
}

func saveLink(tx *store.Tx, l Link) error {
	_, err := tx.Exec(`update catalogue_link set state = ?, status = ?, went_to = ?, why = ?, checked = ?, wanted = 0 where url = ?`, string(l.State), l.Status, l.To, l.Why, l.Checked, l.URL)
	return err
}

func nextFeedback(tx *store.Tx) (id int64, err error) {
	err = tx.QueryRow(`select coalesce(max(id), 0) + 1 from catalogue_feedback`).Scan(&id)
	return id, err
}

func feedbackAAD(id int64, what string) []byte {
	return fmt.Appendf(nil, "catalogue_feedback/%d/%s", id, what)
}

func (k *Keeper) insertFeedback(tx *store.Tx, f Feedback) error {
	sealed, err := k.o.Keys.Seal([]byte(f.Text), feedbackAAD(f.ID, "text"))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into catalogue_feedback (id, service, at, audience, useful, settled, settled_by, sealed, note) values (?, ?, ?, ?, ?, 0, '', ?, null)`,
		f.ID, f.Service, f.At, f.Audience, f.Useful, sealed)
	return err
}

func (k *Keeper) settleFeedback(tx *store.Tx, by, service string, id int64, note string) (bool, error) {
	sealed, err := k.o.Keys.Seal([]byte(note), feedbackAAD(id, "note"))
	if err != nil {
		return false, err
	}
	res, err := tx.Exec(`update catalogue_feedback set settled = ?, settled_by = ?, note = ? where id = ? and service = ? and settled = 0`, tx.Now, by, sealed, id, service)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

type feedbackRow struct {
	Feedback
	sealed, note []byte
}

// feedback is what was said about a service, what is not settled first, newest
// first.
func (k *Keeper) feedback(tx *store.Tx, service string, max int) (out []Feedback, err error) {
	rows, err := tx.Query(`select id, service, at, audience, useful, settled, settled_by, sealed, note from catalogue_feedback where service = ?
		order by case when settled = 0 then 0 else 1 end, id desc limit ?`, service, max)
	all, err := store.List(rows, err, func(from func(...any) error) (r feedbackRow, err error) {
		var at, settled int64
		err = from(&r.ID, &r.Service, &at, &r.Audience, &r.Useful, &settled, &r.By, &r.sealed, &r.note)
		r.At, r.Settled = time.UnixMilli(at).UTC(), store.Moment(settled)
		return r, err
	})
	if err != nil {
		return nil, err
	}
	for _, r := range all {
		text, err := k.o.Keys.Open(r.sealed, feedbackAAD(r.ID, "text"))
		if err != nil {
			return nil, fmt.Errorf("catalogue: opening feedback %d: %w", r.ID, err)
		}
		r.Text = string(text)
		if len(r.note) > 0 {
			note, err := k.o.Keys.Open(r.note, feedbackAAD(r.ID, "note"))
			if err != nil {
				return nil, fmt.Errorf("catalogue: opening the note on feedback %d: %w", r.ID, err)
			}
			r.Note = string(note)
		}
		out = append(out, r.Feedback)
	}
	return out, nil
}

// tally is what people said of a service, in numbers.
type tally struct {
	service              string
	useful, all, waiting int
}

func tallies(tx *store.Tx) (map[string]tally, error) {
	rows, err := tx.Query(`select service, sum(case when useful = 'yes' then 1 else 0 end), count(*), sum(case when settled = 0 then 1 else 0 end) from catalogue_feedback group by service`)
	all, err := store.List(rows, err, func(from func(...any) error) (t tally, err error) {
		return t, from(&t.service, &t.useful, &t.all, &t.waiting)
	})
	out := map[string]tally{}
	for _, t := range all {
		out[t.service] = t
	}
	return out, err
}
