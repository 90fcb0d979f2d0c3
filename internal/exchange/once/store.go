package once

import (
	"embed"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/internal/kernel/store"
)

//go:embed *.sql
var migrations embed.FS

func readMark(tx *store.Tx) (upto, gen int64, err error) {
	err = tx.QueryRow(`select upto, gen from once_mark where part = 0`).Scan(&upto, &gen)
	return upto, gen, err
}

func writeGen(tx *store.Tx, gen int64) error {
	_, err := tx.Exec(`update once_mark set gen = ? where part = 0`, gen)
	return err
}

func lookUp(tx *store.Tx, hashes []Hash) (map[Hash]Seen, error) {
	found := make(map[Hash]Seen)
	for len(hashes) > 0 {
		part := hashes[:min(perQuery, len(hashes))]
		hashes = hashes[len(part):]
		second := make(map[int64]Hash, len(part))
		args := make([]any, len(part))
		for i, h := range part {
			a, _ := h.parts()
			second[a] = h
			args[i] = a
		}
		rows, err := tx.Query(`select h, h2, n, epoch, at, header, digest, sent from once_keys where h in (?`+
			strings.Repeat(", ?", len(args)-1)+`)`, args...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var a, b, at, header int64
			var s Seen
			var digest, sent []byte
			if err := rows.Scan(&a, &b, &s.N, &s.Epoch, &at, &header, &digest, &sent); err != nil {
				rows.Close()
				return nil, err
			}
			h := second[a]
			if _, want := h.parts(); b != want {
				continue
			}
			s.At, s.Header = time.UnixMilli(at).UTC(), header != 0
			copy(s.Digest[:], digest)
			copy(s.Sent[:], sent)
			found[h] = s
		}
		if err := rows.Err(); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// write adds entries, sorted by hash.
func write(tx *store.Tx, entries []entry) error {
	const columns, perInsert = 8, 100
	args := make([]any, 0, columns*perInsert)
	for len(entries) > 0 {
		part := entries[:min(perInsert, len(entries))]
		entries = entries[len(part):]
		args = args[:0]
		for _, e := range part {
			a, b := e.h.parts()
			sent := []byte{}
			if !e.seen.Sent.Zero() {
				sent = e.seen.Sent[:]
			}
			args = append(args, a, b, e.seen.N, e.seen.Epoch, e.seen.At.UnixMilli(), e.seen.Header, e.seen.Digest[:], sent)
		}
		if _, err := tx.Exec(`insert into once_keys (h, h2, n, epoch, at, header, digest, sent) values (?, ?, ?, ?, ?, ?, ?, ?)`+
			strings.Repeat(`, (?, ?, ?, ?, ?, ?, ?, ?)`, len(part)-1)+
			` on conflict (h) do update set h2 = excluded.h2, n = excluded.n, epoch = excluded.epoch, at = excluded.at, header = excluded.header,
			digest = excluded.digest, sent = excluded.sent`, args...); err != nil {
			return err
		}
	}
	return nil
}

// writeMark says up to which number all are there.
func writeMark(tx *store.Tx, upto int64) error {
	_, err := tx.Exec(`update once_mark set upto = ? where part = 0`, upto)
	return err
}

// past are the places of some headers' keys from before a time.
func past(tx *store.Tx, before time.Time) ([]int64, error) {
	rows, err := tx.Query(`select h from once_keys where header = 1 and at < ? order by at limit 1000`, before)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []int64
	for rows.Next() {
		var h int64
		if err := rows.Scan(&h); err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, rows.Err()
}

// drop forgets keys, except those that were used again meanwhile.
func drop(tx *store.Tx, keys []int64, before time.Time) error {
	for _, h := range keys {
		if _, err := tx.Exec(`delete from once_keys where h = ? and header = 1 and at < ?`, h, before); err != nil {
			return err
		}
	}
	return nil
}

func readNames(tx *store.Tx) (map[string]string, error) {
	rows, err := tx.Query(`select name, first from once_names`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	names := map[string]string{}
	for rows.Next() {
		var name, first string
		if err := rows.Scan(&name, &first); err != nil {
			return nil, err
		}
		names[name] = first
	}
	return names, rows.Err()
}

func writeName(tx *store.Tx, name, first string) error {
	_, err := tx.Exec(`insert into once_names (name, first) values (?, ?) on conflict (name) do update set first = excluded.first`, name, first)
	return err
}

// countKeys counts the keys that are in the index, up to a limit.
func countKeys(tx *store.Tx, limit int) (n int, err error) {
	err = tx.QueryRow(`select count(*) from (select 1 from once_keys limit ?) as part`, limit).Scan(&n)
	return n, err
}

// eachKey calls fn with the keys that are in the index.
func eachKey(tx *store.Tx, fn func(Hash)) error {
	rows, err := tx.Query(`select h, h2 from once_keys`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var a, b int64
		if err := rows.Scan(&a, &b); err != nil {
			return err
		}
		fn(hashOf(a, b))
	}
	return rows.Err()
}
