package store

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/klauspost/compress/zstd"

	"github.com/reeve-civic/reeve"
)

// A dump is zstd over JSON lines, the same for both databases:
//
//	{"reeve":1,"at":"2026-03-01T12:00:00Z"}
//	{"table":"store_migration","columns":["seq","owner","name","ddl","at"]}
//	[1,"log","0001_log.sql","create table ...",1772366400000]
//	...
//	{"rows":123,"sha256":"..."}
//
// A value is null, an integer, a string, {"b":"base64"} for bytes or
// {"f":"1.5"} for a floating-point number. The first table tells how to make all
// others. The sum covers all lines before it.
const dumpVersion = 1

type dumpLine struct {
	Reeve   int       `json:"reeve,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Table   string    `json:"table,omitempty"`
	Columns []string  `json:"columns,omitempty"`
	Rows    *int64    `json:"rows,omitempty"`
	SHA256  string    `json:"sha256,omitempty"`
}

type dumpValue struct {
	B []byte `json:"b,omitempty"`
	F string `json:"f,omitempty"`
}

// Backup writes a dump to a file, whole or not at all. It can be taken while the
// database is used.
func (db *DB) Backup(ctx context.Context, file string) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".backup-*")
	if err != nil {
		return fmt.Errorf("store: backup: %w", err)
	}
	defer os.Remove(f.Name())
	err = db.Dump(ctx, f)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = errors.Join(os.Rename(f.Name(), file), syncDir(filepath.Dir(file)))
	}
	if err != nil {
		return fmt.Errorf("store: backup to %s: %w", file, err)
	}
	return nil
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Dump writes everything in the database as of one moment.
func (db *DB) Dump(ctx context.Context, w io.Writer) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return err
	}
	d := &dumper{w: bufio.NewWriterSize(z, 1<<16), sum: sha256.New()}
	err = db.View(ctx, func(tx *Tx) error {
		d.line(dumpLine{Reeve: dumpVersion, At: tx.Now})
		names, err := tables(tx)
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := d.table(tx, name); err != nil {
				return fmt.Errorf("table %s: %w", name, err)
			}
		}
		d.line(dumpLine{Rows: &d.rows, SHA256: hex.EncodeToString(d.sum.Sum(nil))})
		return d.err
	})
	if err = errors.Join(err, d.w.Flush(), z.Close()); err != nil {
		return fmt.Errorf("store: dump: %w", err)
	}
	return nil
}

// tables lists all tables, that of migrations first.
func tables(tx *Tx) (names []string, err error) {
	q := `select name from sqlite_schema where type = 'table' and name not like 'sqlite_%' order by name`
	if tx.Postgres() {
		q = `select table_name::text from information_schema.tables where table_schema = current_schema() and table_type = 'BASE TABLE' order by 1`
	}
	rows, err := tx.Query(q)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		if s == migrationTable {
			names = slices.Insert(names, 0, s)
		} else {
			names = append(names, s)
		}
	}
	return names, rows.Err()
}

const migrationTable = "store_migration"

type dumper struct {
	w    *bufio.Writer
	sum  hash.Hash
	rows int64
	buf  []byte
	err  error
}

func (d *dumper) line(v any) {
	b, err := json.Marshal(v)
	d.write(append(b, '\n'), err)
}

func (d *dumper) write(b []byte, err error) {
	if d.err == nil {
		d.err = err
	}
	if d.err == nil {
		d.sum.Write(b)
		_, d.err = d.w.Write(b)
	}
}

func (d *dumper) table(tx *Tx, name string) error {
	rows, err := tx.Query(`select * from ` + quote(name))
	if err != nil {
		return err
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		return err
	}
	d.line(dumpLine{Table: name, Columns: cols})
	vals, ptrs := make([]any, len(cols)), make([]any, len(cols))
	for i := range vals {
		ptrs[i] = &vals[i]
	}
	for rows.Next() && d.err == nil {
		if err := rows.Scan(ptrs...); err != nil {
			return err
		}
		b := append(d.buf[:0], '[')
		for i, v := range vals {
			if i > 0 {
				b = append(b, ',')
			}
			if b, err = appendValue(b, v); err != nil {
				return fmt.Errorf("column %s: %w", cols[i], err)
			}
		}
		d.buf = append(b, ']', '\n')
		d.write(d.buf, nil)
		d.rows++
	}
	return errors.Join(rows.Err(), d.err)
}

func appendValue(b []byte, v any) ([]byte, error) {
	var x any
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case int64:
		return strconv.AppendInt(b, v, 10), nil
	case string:
		if x = v; !utf8.ValidString(v) {
			x = dumpValue{B: []byte(v)}
		}
	case []byte:
		if len(v) == 0 {
			return append(b, `{"b":""}`...), nil
		}
		x = dumpValue{B: v}
	case float64:
		x = dumpValue{F: strconv.FormatFloat(v, 'g', -1, 64)}
	default:
		return b, fmt.Errorf("a value of type %T is in no portable table", v)
	}
	j, err := json.Marshal(x)
	return append(b, j...), err
}

// quote writes a name from a dump into SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Restore fills a new, empty database from a dump, of either database, and raises
// the epoch, so that ids given out since the dump was taken are not given out
// again. It is all or nothing. The database is closed again when it returns.
func Restore(ctx context.Context, o Options, r io.Reader) (h Head, err error) {
	z, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return h, err
	}
	defer z.Close()
	db, err := Open(ctx, o)
	if err != nil {
		return h, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	err = db.Update(ctx, func(tx *Tx) error {
		names, err := tables(tx)
		if err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow(`select count(*) from store_migration`).Scan(&n); err != nil {
			return err
		}
		if n > 0 || slices.ContainsFunc(names, func(s string) bool { return !strings.HasPrefix(s, "store_") }) {
			return reeve.E(reeve.Conflict, "store.Restore", "%s is not empty: restore into a new database", db.name())
		}
		rs := &restorer{tx: tx, r: bufio.NewReaderSize(z, 1<<16), sum: sha256.New()}
		if err := rs.run(); err != nil {
			return err
		}
		h, err = rs.raise()
		return err
	})
	if err != nil {
		return h, fmt.Errorf("store: restore: %w", err)
	}
	return h, nil
}

type restorer struct {
	tx    *Tx
	r     *bufio.Reader
	sum   hash.Hash
	rows  int64
	table string
	cols  []string
	kinds []string // type of each column in this database
	args  []any    // values of rows not yet written
}

func badDump(format string, args ...any) error {
	return reeve.E(reeve.Invalid, "store.Restore", "the backup is damaged or not one: "+format, args...)
}

func (rs *restorer) run() error {
	for n := 0; ; n++ {
		line, err := rs.r.ReadBytes('\n')
		if err != nil {
			return badDump("it ends early or cannot be read (%v)", err)
		}
		if line[0] == '[' && rs.table != "" {
			if err := rs.row(line); err != nil {
				return err
			}
			rs.sum.Write(line)
			continue
		}
		var l dumpLine
		if err := json.Unmarshal(line, &l); err != nil {
			return badDump("line %d: %v", n+1, err)
		}
		switch {
		case n == 0 && l.Reeve != dumpVersion:
			return badDump("version %d is not known here", l.Reeve)
		case n == 0:
		case l.Rows != nil:
			if err := rs.finish(); err != nil {
				return err
			}
			if *l.Rows != rs.rows || l.SHA256 != hex.EncodeToString(rs.sum.Sum(nil)) {
				return badDump("its check sum does not hold")
			}
			return nil
		case l.Table != "":
			if err := rs.finish(); err != nil {
				return err
			}
			if err := rs.begin(l); err != nil {
				return err
			}
		default:
			return badDump("line %d", n+1)
		}
		rs.sum.Write(line)
	}
}

func (rs *restorer) begin(l dumpLine) error {
	if rs.table == "" && l.Table != migrationTable {
		return badDump("it does not begin with the migrations")
	}
	rs.table, rs.cols, rs.kinds = l.Table, l.Columns, nil
	// Migrations and the opening of this database may have left rows.
	if _, err := rs.tx.Exec(`delete from ` + quote(rs.table)); err != nil {
		return err
	}
	names := make([]string, len(rs.cols))
	for i, c := range rs.cols {
		names[i] = quote(c)
	}
	rows, err := rs.tx.Query(`select ` + strings.Join(names, ", ") + ` from ` + quote(rs.table) + ` where 1 = 0`)
	if err != nil {
		return err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	for _, t := range types {
		rs.kinds = append(rs.kinds, strings.ToLower(t.DatabaseTypeName()))
	}
	return nil
}

func (rs *restorer) row(line []byte) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber()
	var vals []any
	if err := dec.Decode(&vals); err != nil || len(vals) != len(rs.cols) {
		return badDump("a row of %s cannot be read", rs.table)
	}
	for i, v := range vals {
		x, err := rs.value(v, rs.kinds[i])
		if err != nil {
			return badDump("table %s, column %s: %v", rs.table, rs.cols[i], err)
		}
		rs.args = append(rs.args, x)
	}
	rs.rows++
	if len(rs.args) >= 500 {
		return rs.flush()
	}
	return nil
}

// value reads a value as the column of this database wants it: SQLite keeps bytes
// in a text column when it is given some, PostgreSQL does not.
func (rs *restorer) value(v any, kind string) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case json.Number:
		n, err := v.Int64()
		return n, err
	case string:
		if kind == "blob" || kind == "bytea" {
			return []byte(v), nil
		}
		return v, nil
	case map[string]any:
		if f, ok := v["f"].(string); ok {
			return strconv.ParseFloat(f, 64)
		}
		s, ok := v["b"].(string)
		if !ok {
			return nil, errors.New("an unknown kind of value")
		}
		j, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		b := []byte{}
		if err := json.Unmarshal(j, &b); err != nil {
			return nil, err
		}
		if kind == "text" {
			return string(b), nil
		}
		return b, nil
	}
	return nil, fmt.Errorf("an unknown kind of value")
}

func (rs *restorer) flush() error {
	if len(rs.args) == 0 {
		return nil
	}
	names := make([]string, len(rs.cols))
	for i, c := range rs.cols {
		names[i] = quote(c)
	}
	one := "(?" + strings.Repeat(", ?", len(rs.cols)-1) + ")"
	n := len(rs.args) / len(rs.cols)
	q := `insert into ` + quote(rs.table) + ` (` + strings.Join(names, ", ") + `) values ` + one + strings.Repeat(", "+one, n-1)
	_, err := rs.tx.Exec(q, rs.args...)
	clear(rs.args)
	rs.args = rs.args[:0]
	return err
}

// finish ends a table; after that of migrations come the tables that they make.
func (rs *restorer) finish() error {
	if err := rs.flush(); err != nil {
		return err
	}
	if rs.table != migrationTable {
		return nil
	}
	rows, err := rs.tx.Query(`select ddl from store_migration order by seq`)
	if err != nil {
		return err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return err
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, ddl := range all {
		if err := rs.tx.script(ddl); err != nil {
			return fmt.Errorf("making the tables: %w", err)
		}
	}
	return nil
}

// raise begins a new epoch in the restored database.
func (rs *restorer) raise() (Head, error) {
	h, err := loadHead(rs.tx, false)
	if errors.Is(err, sql.ErrNoRows) {
		return h, badDump("it has no head row")
	}
	if err != nil {
		return h, err
	}
	h.Epoch++
	if _, err := rs.tx.Exec(`insert into store_epoch (epoch, at, record, entry, event) values (?, ?, ?, ?, ?)`,
		h.Epoch, rs.tx.Now, h.Record, h.Entry, h.Event); err != nil {
		return h, err
	}
	*rs.tx.Head() = h
	return h, nil
}
