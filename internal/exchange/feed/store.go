package feed

import (
	"bytes"
	"embed"
	"encoding/json"
	"strconv"
	"time"

	"github.com/reeve-civic/reeve/internal/exchange/intake"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

const fileColumns = `id, origin, sender, type, actor, name, spec, version, size, total, state, taken, accepted, held, duplicate, refused,
	read_sum, accepted_sum, held_sum, duplicate_sum, refused_sum, faults, parts, why, began, moved, ended`

func (d *Desk) scanFile(scan func(...any) error) (f File, err error) {
	var name, read, accepted, held, duplicate, refused []byte
	var spec string
	var began, moved, ended int64
	c := &f.Counts
	if err = scan(&f.ID, &f.Origin, &f.Sender, &f.Type, &f.Actor, &name, &spec, &f.Version, &f.Size, &f.Total, &f.State, &f.Rows,
		&c.Accepted, &c.Held, &c.Duplicate, &c.Refused, &read, &accepted, &held, &duplicate, &refused, &f.Faults, &f.parts, &f.Why, &began, &moved, &ended); err != nil {
		return f, err
	}
	f.Began, f.Moved, f.Ended = store.Moment(began), store.Moment(moved), store.Moment(ended)
	f.Read = intake.ReadSum(read)
	f.Sums = intake.Sums{Accepted: intake.ReadSum(accepted), Held: intake.ReadSum(held), Duplicate: intake.ReadSum(duplicate), Refused: intake.ReadSum(refused)}
	if err := json.Unmarshal([]byte(spec), &f.Spec); err != nil {
		return f, err
	}
	plain, err := d.o.Keys.Open(name, aad(f.ID, "name"))
	f.Name = string(plain)
	c.Records = f.Rows
	return f, err
}

func aad(id, what string) []byte { return []byte("feed/" + id + "/" + what) }

func (d *Desk) findFile(tx *store.Tx, id string) (File, bool, error) {
	return store.Maybe(d.scanFile(tx.QueryRow(`select `+fileColumns+` from feed_file where id = ?`, id).Scan))
}

func (d *Desk) findKnown(tx *store.Tx, known []byte) (File, bool, error) {
	return store.Maybe(d.scanFile(tx.QueryRow(`select `+fileColumns+` from feed_file where known = ?`, known).Scan))
}

func (d *Desk) insertFile(tx *store.Tx, f *File) error {
	name, err := d.o.Keys.Seal([]byte(f.Name), aad(f.ID, "name"))
	if err != nil {
		return err
	}
	spec, err := json.Marshal(f.Spec)
	if err != nil {
		return err
	}
	known := d.known(f)
	if f.Name == "" { // each run of a poll is another
		known = []byte(f.ID)
	}
	none := intake.Sum{}.Bytes()
	_, err = tx.Exec(`insert into feed_file (known, `+fileColumns+`) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 0, 0, 0, 0, ?, ?, ?, ?, ?, 0, 0, '', ?, ?, 0)`,
		known, f.ID, f.Origin, f.Sender, string(f.Type), f.Actor, name, string(spec), f.Version, f.Size, f.Total, f.State,
		none, none, none, none, none, tx.Now, tx.Now)
	return err
}

func (d *Desk) moveFile(tx *store.Tx, f *File) error {
	c, s := f.Counts, f.Sums
	_, err := tx.Exec(`update feed_file set taken = ?, accepted = ?, held = ?, duplicate = ?, refused = ?, read_sum = ?, accepted_sum = ?, held_sum = ?,
		duplicate_sum = ?, refused_sum = ?, faults = ?, parts = ?, moved = ? where id = ?`, f.Rows, c.Accepted, c.Held, c.Duplicate, c.Refused, f.Read.Bytes(),
		s.Accepted.Bytes(), s.Held.Bytes(), s.Duplicate.Bytes(), s.Refused.Bytes(), f.Faults, f.parts, f.Moved, f.ID)
	return err
}

func (d *Desk) endFile(tx *store.Tx, f *File) error {
	if _, err := tx.Exec(`delete from feed_part where file = ?`, f.ID); err != nil {
		return err
	}
	_, err := tx.Exec(`update feed_file set state = ?, total = ?, why = ?, ended = ? where id = ?`, f.State, f.Total, f.Why, f.Ended, f.ID)
	return err
}

func (d *Desk) putFaults(tx *store.Tx, id string, part int, faults []intake.Fault) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, f := range faults {
		if err := enc.Encode(f); err != nil {
			return err
		}
	}
	packed, err := seal.Pack(d.o.Keys, b.Bytes(), aad(id, strconv.Itoa(part)))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into feed_fault (file, part, faults) values (?, ?, ?)`, id, part, packed)
	return err
}

// faultLines are the faults of one part: one JSON object a line.
func (d *Desk) faultLines(tx *store.Tx, id string, part int) ([]byte, error) {
	var b []byte
	if err := tx.QueryRow(`select faults from feed_fault where file = ? and part = ?`, id, part).Scan(&b); err != nil {
		return nil, err
	}
	return seal.Unpack(d.o.Keys, b, aad(id, strconv.Itoa(part)))
}

// listFiles lists files, the newest first.
func (d *Desk) listFiles(tx *store.Tx, where string, args []any, limit int) ([]File, error) {
	rows, err := tx.Query(`select `+fileColumns+` from feed_file where `+where+` order by began desc, id limit ?`, append(args, limit)...)
	return store.List(rows, err, func(from func(...any) error) (File, error) { return d.scanFile(from) })
}

// filesOf lists the files of a sender under any id that it had.
func (d *Desk) filesOf(tx *store.Tx, ids []string, limit int) ([]File, error) {
	in, args := store.In("sender", ids)
	return d.listFiles(tx, in, args, limit)
}

// forget drops what is too old of files that ended: faults, and runs of polls. The
// ledger of files stays, so that none is ever taken twice.
func forget(tx *store.Tx, before time.Time, limit int) (int, error) {
	rows, err := tx.Query(`select id from feed_file where ended > 0 and ended < ? and (parts > 0 or version = '') order by ended limit ?`, before, limit)
	ids, err := store.List(rows, err, func(from func(...any) error) (id string, err error) { err = from(&id); return id, err })
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		for _, q := range []string{`delete from feed_fault where file = ?`, `update feed_file set parts = 0 where id = ?`, `delete from feed_file where id = ? and version = ''`} {
			if _, err := tx.Exec(q, id); err != nil {
				return 0, err
			}
		}
	}
	return len(ids), nil
}

// anyOld reports whether there is something to forget.
func anyOld(tx *store.Tx, before time.Time) (bool, error) {
	rows, err := tx.Query(`select id from feed_file where ended > 0 and ended < ? and (parts > 0 or version = '') limit 1`, before)
	ids, err := store.List(rows, err, func(from func(...any) error) (id string, err error) { err = from(&id); return id, err })
	return len(ids) > 0, err
}

// state is what is remembered of an interface.
type state struct {
	Position string
	Looked   time.Time // when the last look ended
	Well     time.Time // when the last look that went well ended
	Taken    time.Time // when rows were last taken
	Fails    int       // looks in a row that failed
	Why      string    // and why
	Asked    time.Time // when somebody asked for a look that did not begin yet
}

func (d *Desk) readState(tx *store.Tx, id string) (s state, ok bool, err error) {
	var position []byte
	var looked, well, taken, asked int64
	err = tx.QueryRow(`select position, looked, well, taken, fails, why, asked from feed_state where interface = ?`, id).
		Scan(&position, &looked, &well, &taken, &s.Fails, &s.Why, &asked)
	if s, ok, err = store.Maybe(s, err); err != nil || !ok {
		return s, false, err
	}
	s.Looked, s.Well, s.Taken, s.Asked = store.Moment(looked), store.Moment(well), store.Moment(taken), store.Moment(asked)
	plain, err := d.o.Keys.Open(position, aad(id, "position"))
	s.Position = string(plain)
	return s, true, err
}

// makeState writes an interface down that was not known before.
func (d *Desk) makeState(tx *store.Tx, id string, looked time.Time) error {
	position, err := d.o.Keys.Seal(nil, aad(id, "position"))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`insert into feed_state (interface, position, looked, well, taken, fails, why, asked) values (?, ?, ?, 0, 0, 0, '', 0)
		on conflict (interface) do nothing`, id, position, store.Millis(looked))
	return err
}

func (d *Desk) putPosition(tx *store.Tx, id, position string) error {
	b, err := d.o.Keys.Seal([]byte(position), aad(id, "position"))
	if err != nil {
		return err
	}
	_, err = tx.Exec(`update feed_state set position = ?, taken = ? where interface = ?`, b, tx.Now, id)
	return err
}

func putTaken(tx *store.Tx, id string) error {
	_, err := tx.Exec(`update feed_state set taken = ? where interface = ?`, tx.Now, id)
	return err
}

// putLook writes down how a look ended.
func putLook(tx *store.Tx, id string, at time.Time, why string, fails int) error {
	if why == "" {
		_, err := tx.Exec(`update feed_state set looked = ?, well = ?, fails = 0, why = '' where interface = ?`, at, at, id)
		return err
	}
	_, err := tx.Exec(`update feed_state set looked = ?, fails = ?, why = ? where interface = ?`, at, fails, why, id)
	return err
}

func putAsked(tx *store.Tx, id string, at time.Time) error {
	_, err := tx.Exec(`update feed_state set asked = ? where interface = ?`, at, id)
	return err
}

// answered writes down that there was a look since somebody asked, unless somebody has
// asked again.
func answered(tx *store.Tx, id string, asked time.Time) error {
	_, err := tx.Exec(`update feed_state set asked = 0 where interface = ? and asked = ?`, id, store.Millis(asked))
	return err
}
