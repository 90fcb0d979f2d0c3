package delivery

import (
	"database/sql"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Migrations make the room's tables.
//
//go:embed *.sql
var Migrations embed.FS

const packColumns = `pack, flow, iface, again, first, last, made, terms, numbers, state`

type scanner interface{ Scan(...any) error }

func scanPack(row scanner) (*pack, error) {
	p := &pack{}
	var again, made int64
	var terms string
	var numbers, states []byte
	if err := row.Scan(&p.id, &p.flow, &p.iface, &again, &p.first, &p.last, &made, &terms, &numbers, &states); err != nil {
		return nil, err
	}
	p.again, p.made = again != 0, time.UnixMilli(made).UTC()
	err := json.Unmarshal([]byte(terms), &p.terms)
	if err == nil {
		p.numbers, _, err = DecodeNumbers(numbers)
	}
	if err == nil {
		p.states, err = decodeStates(states)
	}
	if err == nil && len(p.states) != len(p.numbers) {
		err = errDamaged
	}
	if err != nil {
		return nil, fmt.Errorf("delivery: pack %d: %w", p.id, err)
	}
	return p, nil
}

func insertPack(tx *store.Tx, f *Frozen, again bool, states []itemState, owed int) (int64, error) {
	var id int64
	if err := tx.QueryRow(`select coalesce(max(pack), 0) + 1 from delivery_pack`).Scan(&id); err != nil {
		return 0, err
	}
	ns := make([]int64, len(f.items))
	for i, it := range f.items {
		ns[i] = it.N
	}
	_, err := tx.Exec(`insert into delivery_pack (`+packColumns+`, owed) values (?,?,?,?,?,?,?,?,?,?,?)`,
		id, f.flow, f.iface, again, ns[0], ns[len(ns)-1], tx.Now, string(f.terms), EncodeNumbers(ns), encodeStates(states), owed)
	if err == nil && owed > 0 {
		_, err = tx.Exec(`insert into delivery_body (pack, body) values (?,?)`, id, f.body)
	}
	if err == nil && again {
		for i, n := range ns {
			if states[i].State == Behind {
				continue
			}
			if _, err = tx.Exec(`insert into delivery_again (flow, n, pack) values (?,?,?) on conflict (flow, n) do update set pack = excluded.pack`, f.flow, n, id); err != nil {
				break
			}
		}
	}
	return id, err
}

// saveStates writes the states of a pack, and lets go of its bodies when nobody
// needs them any more.
func saveStates(tx *store.Tx, p *pack) error {
	_, err := tx.Exec(`update delivery_pack set state = ?, owed = ? where pack = ?`, encodeStates(p.states), p.owed(), p.id)
	if err == nil && !p.keep() {
		_, err = tx.Exec(`delete from delivery_body where pack = ?`, p.id)
	}
	return err
}

func queryPacks(tx *store.Tx, q string, args ...any) ([]*pack, error) {
	rows, err := tx.Query(q, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ps []*pack
	for rows.Next() {
		p, err := scanPack(rows)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, rows.Err()
}

func getPack(tx *store.Tx, id int64) (*pack, error) {
	return scanPack(tx.QueryRow(`select `+packColumns+` from delivery_pack where pack = ?`, id))
}

func owedPacks(tx *store.Tx, flow, iface string, limit int) ([]*pack, error) {
	return queryPacks(tx, `select `+packColumns+` from delivery_pack where flow = ? and owed > 0 and iface = ? order by pack limit ?`, flow, iface, limit)
}

func (d *Desk) loadItems(tx *store.Tx, p *pack) error {
	var body []byte
	if err := tx.QueryRow(`select body from delivery_body where pack = ?`, p.id).Scan(&body); err != nil {
		return fmt.Errorf("delivery: bodies of pack %d: %w", p.id, err)
	}
	plain, err := seal.Unpack(d.o.Keys, body, aad(p.terms.Origin, p.first, p.last))
	if err != nil {
		return fmt.Errorf("delivery: bodies of pack %d: %w", p.id, err)
	}
	p.items, err = decodeItems(plain, len(p.numbers))
	return err
}

// findPack returns the pack that holds record n for the flow, nil if none does.
func findPack(tx *store.Tx, flow string, n int64) (*pack, int, error) {
	var id int64
	err := tx.QueryRow(`select pack from delivery_again where flow = ? and n = ?`, flow, n).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = tx.QueryRow(`select pack from delivery_pack where flow = ? and again = 0 and last >= ? order by last limit 1`, flow, n).Scan(&id)
	}
	if errors.Is(err, sql.ErrNoRows) {
		return nil, 0, nil
	}
	if err != nil {
		return nil, 0, err
	}
	p, err := getPack(tx, id)
	if err != nil {
		return nil, 0, err
	}
	for i, m := range p.numbers {
		if m == n {
			return p, i, nil
		}
	}
	return nil, 0, nil
}

func countOwed(tx *store.Tx, flow, iface string) (packs, items int, err error) {
	err = tx.QueryRow(`select count(*), coalesce(sum(owed), 0) from delivery_pack where flow = ? and owed > 0 and iface = ?`, flow, iface).Scan(&packs, &items)
	return packs, items, err
}

// owing lists the flows that still owe something, with the interfaces they owe it to.
type owing struct {
	flow, iface string
	items       int
}

func owingFlows(tx *store.Tx) ([]owing, error) {
	rows, err := tx.Query(`select flow, iface, sum(owed) from delivery_pack where owed > 0 group by flow, iface order by flow, iface`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []owing
	for rows.Next() {
		var o owing
		if err := rows.Scan(&o.flow, &o.iface, &o.items); err != nil {
			return nil, err
		}
		out = append(out, o)
	}
	return out, rows.Err()
}

// block is a key that waits for a record.
type block struct {
	n      int64
	record reeve.RecordID
	why    string
}

func readBlocks(tx *store.Tx, flow string) (map[string]block, error) {
	rows, err := tx.Query(`select keyhash, n, record, why from delivery_block where flow = ?`, flow)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	m := map[string]block{}
	for rows.Next() {
		var h, rec string
		var b block
		if err := rows.Scan(&h, &b.n, &rec, &b.why); err != nil {
			return nil, err
		}
		b.record = reeve.RecordID(rec)
		m[h] = b
	}
	return m, rows.Err()
}

func insertBlock(tx *store.Tx, flow, hash string, b block) error {
	_, err := tx.Exec(`insert into delivery_block (flow, keyhash, n, record, why) values (?,?,?,?,?) on conflict do nothing`, flow, hash, b.n, string(b.record), b.why)
	return err
}

func deleteBlocks(tx *store.Tx, flow string, rec reeve.RecordID) error {
	if flow == "" {
		_, err := tx.Exec(`delete from delivery_block where record = ?`, string(rec))
		return err
	}
	_, err := tx.Exec(`delete from delivery_block where flow = ? and record = ?`, flow, string(rec))
	return err
}

func behindHashes(tx *store.Tx, flow string) (map[string]bool, error) {
	rows, err := tx.Query(`select distinct keyhash from delivery_behind where flow = ?`, flow)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	m := map[string]bool{}
	for rows.Next() {
		var h string
		if err := rows.Scan(&h); err != nil {
			return nil, err
		}
		m[h] = true
	}
	return m, rows.Err()
}

// firstBehind is, by key, the number of the first record that stands aside.
func firstBehind(tx *store.Tx, flow string) (map[string]int64, error) {
	rows, err := tx.Query(`select keyhash, min(n) from delivery_behind where flow = ? group by keyhash`, flow)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	m := map[string]int64{}
	for rows.Next() {
		var h string
		var n int64
		if err := rows.Scan(&h, &n); err != nil {
			return nil, err
		}
		m[h] = n
	}
	return m, rows.Err()
}

func insertBehind(tx *store.Tx, flow, hash string, n int64, rec reeve.RecordID) error {
	_, err := tx.Exec(`insert into delivery_behind (flow, n, record, keyhash) values (?,?,?,?) on conflict do nothing`, flow, n, string(rec), hash)
	return err
}

func deleteBehind(tx *store.Tx, flow string, n int64) error {
	_, err := tx.Exec(`delete from delivery_behind where flow = ? and n = ?`, flow, n)
	return err
}

// behindFree lists numbers that wait behind nothing any more.
func behindFree(tx *store.Tx, flow string, limit int) ([]int64, error) {
	rows, err := tx.Query(`select n from delivery_behind b where flow = ? and not exists (
		select 1 from delivery_block k where k.flow = b.flow and k.keyhash = b.keyhash and k.n < b.n) order by n limit ?`, flow, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ns []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		ns = append(ns, n)
	}
	return ns, rows.Err()
}

// behindBlock is what record n waits for, nil if it does not.
func behindBlock(tx *store.Tx, flow string, n int64) (*block, error) {
	var hash string
	err := tx.QueryRow(`select keyhash from delivery_behind where flow = ? and n = ?`, flow, n).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	b := &block{why: "its turn comes next"}
	var rec string
	err = tx.QueryRow(`select n, record, why from delivery_block where flow = ? and keyhash = ?`, flow, hash).Scan(&b.n, &rec, &b.why)
	if errors.Is(err, sql.ErrNoRows) {
		return b, nil
	}
	b.record = reeve.RecordID(rec)
	return b, err
}

func addTotal(tx *store.Tx, flow string, delivered, parked int) error {
	_, err := tx.Exec(`insert into delivery_total (flow, delivered, parked, last, held, begun) values (?,?,?,?,0,?) on conflict (flow) do update set
		delivered = delivery_total.delivered + excluded.delivered, parked = delivery_total.parked + excluded.parked, last = excluded.last,
		begun = case when delivery_total.delivered + delivery_total.parked = 0 then excluded.begun else delivery_total.begun end`,
		flow, delivered, parked, tx.Now, tx.Now)
	return err
}

func readTotal(tx *store.Tx, flow string) (t total, err error) {
	var last, held, begun int64
	err = tx.QueryRow(`select delivered, parked, last, held, begun from delivery_total where flow = ?`, flow).Scan(&t.delivered, &t.parked, &last, &held, &begun)
	if errors.Is(err, sql.ErrNoRows) {
		return t, nil
	}
	t.begun, t.last, t.held = store.Moment(begun), time.UnixMilli(last).UTC(), held != 0
	return t, err
}

type total struct {
	delivered, parked int64
	begun, last       time.Time
	held              bool
}

func setHeld(tx *store.Tx, flow string, held bool) error {
	_, err := tx.Exec(`insert into delivery_total (flow, delivered, parked, last, held) values (?,0,0,?,?) on conflict (flow) do update set held = excluded.held`,
		flow, tx.Now, held)
	return err
}

// Unsure is a delivery of which nobody knows whether it arrived.
type Unsure struct {
	Flow   string
	N      int64
	Record reeve.RecordID
	At     time.Time
	Why    string
	pack   int64
}

func insertUnsure(tx *store.Tx, u Unsure) error {
	_, err := tx.Exec(`insert into delivery_uncertain (flow, n, record, pack, at, why) values (?,?,?,?,?,?)
		on conflict (flow, n) do update set pack = excluded.pack, at = excluded.at, why = excluded.why`, u.Flow, u.N, string(u.Record), u.pack, u.At, u.Why)
	return err
}

func listUnsure(tx *store.Tx, where string, args ...any) ([]Unsure, error) {
	rows, err := tx.Query(`select flow, n, record, pack, at, why from delivery_uncertain `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Unsure
	for rows.Next() {
		var u Unsure
		var rec string
		var at int64
		if err := rows.Scan(&u.Flow, &u.N, &rec, &u.pack, &at, &u.Why); err != nil {
			return nil, err
		}
		u.Record, u.At = reeve.RecordID(rec), time.UnixMilli(at).UTC()
		out = append(out, u)
	}
	return out, rows.Err()
}

func deleteUnsure(tx *store.Tx, flow string, n int64) error {
	_, err := tx.Exec(`delete from delivery_uncertain where flow = ? and n = ?`, flow, n)
	return err
}

func allUnsure(tx *store.Tx, limit int) ([]Unsure, error) {
	return listUnsure(tx, `order by at, flow, n limit ?`, limit)
}

func getUnsure(tx *store.Tx, flow string, n int64) ([]Unsure, error) {
	return listUnsure(tx, `where flow = ? and n = ?`, flow, n)
}

// counts of a flow: items owed, set aside, uncertain.
func counts(tx *store.Tx, flow string) (owed, behind, uncertain int, err error) {
	err = tx.QueryRow(`select (select coalesce(sum(owed), 0) from delivery_pack where flow = ? and owed > 0),
		(select count(*) from delivery_behind where flow = ?), (select count(*) from delivery_uncertain where flow = ?)`, flow, flow, flow).
		Scan(&owed, &behind, &uncertain)
	return owed, behind, uncertain, err
}

// oldest of a flow: when the oldest pack that is owed was made, zero for none, and the
// first number that was set aside, 0 for none.
func oldest(tx *store.Tx, flow string) (made time.Time, behind int64, err error) {
	var ms int64
	err = tx.QueryRow(`select (select coalesce(min(made), 0) from delivery_pack where flow = ? and owed > 0),
		(select coalesce(min(n), 0) from delivery_behind where flow = ?)`, flow, flow).Scan(&ms, &behind)
	return store.Moment(ms), behind, err
}

func allFlows(tx *store.Tx) ([]string, error) {
	rows, err := tx.Query(`select flow from delivery_total union select flow from delivery_pack where owed > 0 order by 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var f string
		if err := rows.Scan(&f); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, rows.Err()
}

// rename gives what a flow has to its new name.
func rename(tx *store.Tx, old, flow string) error {
	for _, table := range []string{"pack", "again", "uncertain", "block", "behind", "total"} {
		if _, err := tx.Exec(`update delivery_`+table+` set flow = ? where flow = ?`, flow, old); err != nil {
			return err
		}
	}
	_, err := tx.Exec(`update delivery_total set held = 0 where flow = ?`, flow)
	return err
}

func renameInterface(tx *store.Tx, old, ifc string) error {
	_, err := tx.Exec(`update delivery_pack set iface = ? where iface = ? and owed > 0`, ifc, old)
	return err
}
