package workbench

import (
	"embed"
	"encoding/json"
	"fmt"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

const correctionColumns = `id, state, type, sender, mistake, source, keep, sees, top, approve, made, made_by, approved, approved_by, due, ended, ended_by, total, went_on`

func (b *Bench) sealed(text, name string, id int64) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	return seal.Pack(b.o.Keys, []byte(text), fmt.Appendf(nil, "workbench/%s/%d", name, id))
}

func (b *Bench) opened(packed []byte, name string, id int64) (string, error) {
	if len(packed) == 0 {
		return "", nil
	}
	plain, err := seal.Unpack(b.o.Keys, packed, fmt.Appendf(nil, "workbench/%s/%d", name, id))
	return string(plain), err
}

// insert begins a correction and fills in its id and when it was made.
func (b *Bench) insert(tx *store.Tx, c *Correction) error {
	if err := tx.QueryRow(`select coalesce(max(id), 0) + 1 from workbench_correction`).Scan(&c.ID); err != nil {
		return err
	}
	c.Made = tx.Now
	source, err := b.sealed(c.Source, "correction", c.ID)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into workbench_correction (`+correctionColumns+`) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', 0, 0, '', 0, 0)`,
		c.ID, string(c.State), string(c.Type), c.Sender, c.Mistake, source, c.Keep, int(c.Sees), int(c.Top), c.Approve, c.Made, c.MadeBy)
	return err
}

func (b *Bench) save(tx *store.Tx, c Correction) error {
	_, err := tx.Exec(`update workbench_correction set state = ?, top = ?, approve = ?, approved = ?, approved_by = ?, due = ?, ended = ?, ended_by = ?,
		total = ?, went_on = ? where id = ?`, string(c.State), int(c.Top), c.Approve, store.Millis(c.Approved), c.ApprovedBy, store.Millis(c.Due), store.Millis(c.Ended),
		c.EndedBy, c.Total, c.WentOn, c.ID)
	return err
}

func (b *Bench) scan(from func(...any) error) (c Correction, err error) {
	var source []byte
	var keep, sees, top, approve, made, approved, due, ended int64
	if err := from(&c.ID, &c.State, &c.Type, &c.Sender, &c.Mistake, &source, &keep, &sees, &top, &approve, &made, &c.MadeBy, &approved, &c.ApprovedBy,
		&due, &ended, &c.EndedBy, &c.Total, &c.WentOn); err != nil {
		return c, err
	}
	c.Type, c.Sender = reeve.RecordType(b.present("RecordType", string(c.Type))), b.present("Organisation", c.Sender)
	c.Keep, c.Approve, c.Sees, c.Top = keep != 0, approve != 0, reeve.Class(sees), reeve.Class(top)
	c.Made, c.Approved, c.Due, c.Ended = store.Moment(made), store.Moment(approved), store.Moment(due), store.Moment(ended)
	c.Source, err = b.opened(source, "correction", c.ID)
	return c, err
}

func (b *Bench) get(tx *store.Tx, id int64) (Correction, error) {
	c, ok, err := store.Maybe(b.scan(tx.QueryRow(`select `+correctionColumns+` from workbench_correction where id = ?`, id).Scan))
	if err == nil && !ok {
		err = reeve.E(reeve.NotFound, "workbench.Get", "there is no correction %d", id)
	}
	return c, err
}

func (b *Bench) inState(tx *store.Tx, states ...State) ([]Correction, error) {
	in, args := store.In("state", states)
	rows, err := tx.Query(`select `+correctionColumns+` from workbench_correction where `+in+` order by id`, args...)
	return store.List(rows, err, b.scan)
}

func (b *Bench) lately(tx *store.Tx, limit int) ([]Correction, error) {
	rows, err := tx.Query(`select `+correctionColumns+` from workbench_correction where state in ('released', 'undone') and total > 0 order by id desc limit ?`, limit)
	return store.List(rows, err, b.scan)
}

// due are applied corrections whose time has come.
func (b *Bench) due(tx *store.Tx) ([]Correction, error) {
	rows, err := tx.Query(`select `+correctionColumns+` from workbench_correction where state = 'applied' and due <= ? order by id`, tx.Now)
	return store.List(rows, err, b.scan)
}

// item is a record of a correction.
type item struct {
	n      int64
	record reeve.RecordID
	state  string
	body   []byte
}

func bodyAAD(correction int64, record reeve.RecordID) []byte {
	return fmt.Appendf(nil, "workbench/item/%d/%s", correction, record)
}

func (b *Bench) insertItem(tx *store.Tx, correction, n int64, record reeve.RecordID, body []byte) error {
	sealed, err := seal.Pack(b.o.Keys, body, bodyAAD(correction, record))
	if err != nil {
		return err
	}
	tx.Weigh(len(sealed))
	_, err = tx.Exec(`insert into workbench_item (correction, n, record, state, body) values (?, ?, ?, 'pending', ?)`, correction, n, string(record), sealed)
	return err
}

// items are the records of a correction that are not settled, by their numbers.
func (b *Bench) items(tx *store.Tx, correction int64, limit int, bodies bool) ([]item, error) {
	body := "body"
	if !bodies {
		body = "null"
	}
	rows, err := tx.Query(`select n, record, state, `+body+` from workbench_item where correction = ? and state = 'pending' order by n limit ?`, correction, limit)
	return store.List(rows, err, func(from func(...any) error) (it item, err error) {
		var sealed []byte
		if err := from(&it.n, &it.record, &it.state, &sealed); err != nil || !bodies {
			return it, err
		}
		it.body, err = seal.Unpack(b.o.Keys, sealed, bodyAAD(correction, it.record))
		return it, err
	})
}

func settleItem(tx *store.Tx, correction, n int64, state string) error {
	_, err := tx.Exec(`update workbench_item set state = ?, body = null where correction = ? and n = ?`, state, correction, n)
	return err
}

func settleItems(tx *store.Tx, correction int64, state string) error {
	_, err := tx.Exec(`update workbench_item set state = ?, body = null where correction = ? and state = 'pending'`, state, correction)
	return err
}

const ruleColumns = `id, state, type, sender, mistake, problem, source, sees, correction, made, made_by, approved_by, used, last, changed, changed_by, strikes, why`

func (b *Bench) insertRule(tx *store.Tx, r *Rule) error {
	if err := tx.QueryRow(`select coalesce(max(id), 0) + 1 from workbench_rule`).Scan(&r.ID); err != nil {
		return err
	}
	r.Made = tx.Now
	plain, err := json.Marshal(r.Problem)
	if err != nil {
		return err
	}
	problem, err := b.sealed(string(plain), "problem", r.ID)
	if err != nil {
		return err
	}
	source, err := b.sealed(r.Source, "rule", r.ID)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into workbench_rule (`+ruleColumns+`) values (?, 'on', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?, 0, '')`,
		r.ID, string(r.Type), r.Sender, r.Mistake, problem, source, int(r.Sees), r.Correction, r.Made, r.MadeBy, r.ApprovedBy, r.Made, r.MadeBy)
	return err
}

func (b *Bench) scanRule(from func(...any) error) (r Rule, err error) {
	var state string
	var problem, source []byte
	var sees, made, last, changed int64
	if err := from(&r.ID, &state, &r.Type, &r.Sender, &r.Mistake, &problem, &source, &sees, &r.Correction, &made, &r.MadeBy, &r.ApprovedBy, &r.Used, &last,
		&changed, &r.ChangedBy, &r.Strikes, &r.Why); err != nil {
		return r, err
	}
	r.Type, r.Sender = reeve.RecordType(b.present("RecordType", string(r.Type))), b.present("Organisation", r.Sender)
	r.On, r.Sees, r.Made, r.Last, r.Changed = state == "on", reeve.Class(sees), store.Moment(made), store.Moment(last), store.Moment(changed)
	plain, err := b.opened(problem, "problem", r.ID)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(plain), &r.Problem); err != nil {
		return r, err
	}
	r.Source, err = b.opened(source, "rule", r.ID)
	return r, err
}

func (b *Bench) allRules(tx *store.Tx) ([]Rule, error) {
	rows, err := tx.Query(`select ` + ruleColumns + ` from workbench_rule order by id`)
	return store.List(rows, err, b.scanRule)
}

func (b *Bench) getRule(tx *store.Tx, id int64) (Rule, error) {
	r, ok, err := store.Maybe(b.scanRule(tx.QueryRow(`select `+ruleColumns+` from workbench_rule where id = ?`, id).Scan))
	if err == nil && !ok {
		err = reeve.E(reeve.NotFound, "workbench.Rule", "there is no rule %d", id)
	}
	return r, err
}

// switchRule switches a rule on or off; why is told where the program did it.
func switchRule(tx *store.Tx, id int64, on bool, by, why string) error {
	state := "off"
	if on {
		state = "on"
	}
	_, err := tx.Exec(`update workbench_rule set state = ?, changed = ?, changed_by = ?, strikes = 0, why = ? where id = ?`, state, tx.Now, by, why, id)
	return err
}

// strikeRule counts that a rule took too long, and tells how often it did since it was
// switched on.
func strikeRule(tx *store.Tx, id int64) (n int, err error) {
	if _, err := tx.Exec(`update workbench_rule set strikes = strikes + 1 where id = ? and state = 'on'`, id); err != nil {
		return 0, err
	}
	err = tx.QueryRow(`select strikes from workbench_rule where id = ?`, id).Scan(&n)
	return n, err
}

func countRule(tx *store.Tx, id int64, n int) error {
	_, err := tx.Exec(`update workbench_rule set used = used + ?, last = ? where id = ?`, n, tx.Now, id)
	return err
}
