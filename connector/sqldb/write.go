package sqldb

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/reeve-civic/reeve/connector/sqldb/value"
)

// plan is what is known of the table that is written.
type plan struct {
	d     *database
	cols  []column            // of the table, in its order
	paths map[string][]string // where each column is found in a record; nil: by its own name
}

// tableColumns asks the catalogue, so that a user who may only insert can write.
func (d *database) tableColumns(ctx context.Context, q querier) (cols []column, err error) {
	var query string
	var args []any
	switch d.engine {
	case postgres:
		query = `select a.attname, upper(coalesce(b.typname, t.typname)), case when t.typtype = 'd' then t.typtypmod else a.atttypmod end, coalesce(b.typcategory, t.typcategory)::text || coalesce(b.typtype, t.typtype)::text, a.attgenerated <> ''
			from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid left join pg_catalog.pg_type b on t.typtype = 'd' and b.oid = t.typbasetype
			where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped order by a.attnum`
		args = []any{d.table()}
	case mariadb:
		query = `select column_name, data_type, coalesce(numeric_scale, -1), '', extra like '%GENERATED%' from information_schema.columns
			where table_schema = coalesce(nullif(?, ''), database()) and table_name = ? order by ordinal_position`
		args = []any{d.set.Schema, d.set.Table}
	default:
		query = `select name, type, -1, '', hidden > 1 from pragma_table_xinfo(?, ?) order by cid`
		args = []any{d.set.Table, d.set.Schema}
		if d.set.Schema == "" {
			query, args = `select name, type, -1, '', hidden > 1 from pragma_table_xinfo(?) order by cid`, args[:1]
		}
	}
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		c, own, made := column{}, "", false
		if err := rows.Scan(&c.name, &c.typ, &c.scale, &own, &made); err != nil {
			return nil, err
		}
		if c.kind = d.kindOf(c.typ); strings.HasPrefix(own, "A") || strings.HasSuffix(own, "c") {
			c.kind = nested
		}
		if d.engine == postgres {
			c.scale = postgresScale(c.scale)
		}
		if !made {
			cols = append(cols, c)
		}
	}
	return cols, rows.Err()
}

// postgresScale reads the modifier of a numeric column.
func postgresScale(mod int) int {
	if mod < 4 {
		return -1
	}
	return (mod - 4) & 0x7ff
}

// newPlan looks at the table, and says plainly what is wrong with it.
func (d *database) newPlan(ctx context.Context) (*plan, error) {
	p := &plan{d: d}
	var err error
	if p.cols, err = d.tableColumns(ctx, d.db); err != nil {
		return nil, err
	}
	if len(p.cols) == 0 {
		return nil, said(d.gone())
	}
	wanted := append([]string{}, d.identity()...)
	if d.set.Body != "" {
		wanted = append(wanted, d.set.Body)
	}
	if len(d.set.Columns) > 0 {
		p.paths = map[string][]string{}
		for name, field := range d.set.Columns {
			p.paths[name], wanted = pointer(field), append(wanted, name)
		}
	}
	slices.Sort(wanted)
	for _, name := range wanted {
		if _, ok := p.column(name); !ok {
			return nil, said(fmt.Sprintf("%s has no column %q that can be written", d.what(), name))
		}
	}
	if d.engine == mariadb {
		return p, d.fitsMariaDB(ctx)
	}
	return p, nil
}

func (p *plan) column(name string) (column, bool) {
	if i := slices.IndexFunc(p.cols, func(c column) bool { return c.name == name }); i >= 0 {
		return p.cols[i], true
	}
	return column{}, false
}

// fitsMariaDB finds out what the others say by themselves: whether a unique index is on
// the key, and whether the table can take back what was written.
func (d *database) fitsMariaDB(ctx context.Context) error {
	transactions := ""
	err := d.db.QueryRowContext(ctx, `select coalesce(e.transactions, '') from information_schema.tables t left join information_schema.engines e on e.engine = t.engine
		where t.table_schema = coalesce(nullif(?, ''), database()) and t.table_name = ?`, d.set.Schema, d.set.Table).Scan(&transactions)
	if err != nil {
		return err
	}
	if transactions != "YES" {
		return said(d.what() + " is kept by an engine without transactions: alter table ... engine=InnoDB")
	}
	rows, err := d.db.QueryContext(ctx, `select index_name, column_name, coalesce(sub_part, 0) from information_schema.statistics
		where table_schema = coalesce(nullif(?, ''), database()) and table_name = ? and non_unique = 0`, d.set.Schema, d.set.Table)
	if err != nil {
		return err
	}
	defer rows.Close()
	indexes := map[string][]string{}
	for rows.Next() {
		var index, col string
		part := 0
		if err := rows.Scan(&index, &col, &part); err != nil {
			return err
		}
		if part > 0 {
			col += "\x00part" // of the column only
		}
		indexes[index] = append(indexes[index], col)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	want := slices.Sorted(slices.Values(d.identity()))
	for _, cols := range indexes {
		if slices.Sort(cols); slices.Equal(cols, want) {
			return nil
		}
	}
	return said(d.noIndex())
}

// line is a record as a row of the table.
type line struct {
	item int
	cols []column
	args []any
}

// line puts a record into columns; why says in plain words why it cannot be one.
func (p *plan) line(id string, body []byte) (ln line, why string) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(body, &doc); err != nil {
		return ln, "the record is not a JSON object"
	}
	set := p.d.set
	used := 0
	for _, c := range p.cols {
		var raw json.RawMessage
		ok := true
		switch path := p.paths[c.name]; {
		case c.name == set.Delivery:
			ln.cols, ln.args = append(ln.cols, c), append(ln.args, id)
			continue
		case c.name == set.Body:
			ln.cols, ln.args = append(ln.cols, c), append(ln.args, string(body))
			continue
		case p.paths == nil:
			if raw, ok = doc[c.name]; ok {
				used++
			}
		case path == nil:
			ok = false
		default:
			raw = lookup(doc, path)
		}
		if !ok {
			continue
		}
		v, why := p.d.parameter(c, raw)
		if why != "" {
			return ln, fmt.Sprintf("the column %q: %s", c.name, why)
		}
		if v == nil && slices.Contains(set.Key, c.name) {
			return ln, fmt.Sprintf("the record has no value for the column %q of the key", c.name)
		}
		ln.cols, ln.args = append(ln.cols, c), append(ln.args, v)
	}
	if p.paths == nil && used < len(doc) && set.Body == "" {
		return ln, fmt.Sprintf("%s has no column for %d of the record's fields: name the fields to write under columns", p.d.what(), len(doc)-used)
	}
	for _, k := range set.Key {
		if !slices.ContainsFunc(ln.cols, func(c column) bool { return c.name == k }) {
			return ln, fmt.Sprintf("the record has no value for the column %q of the key", k)
		}
	}
	return ln, ""
}

func lookup(doc map[string]json.RawMessage, path []string) json.RawMessage {
	raw := doc[path[0]]
	for _, part := range path[1:] {
		var inner map[string]json.RawMessage
		if json.Unmarshal(raw, &inner) != nil {
			return nil
		}
		raw = inner[part]
	}
	return raw
}

// parameter makes a parameter of a JSON value.
func (d *database) parameter(c column, raw json.RawMessage) (v any, why string) {
	raw = bytes.TrimSpace(raw)
	switch {
	case len(raw) == 0, string(raw) == "null":
		return nil, ""
	case c.kind == document && d.engine != mariadb, c.kind == nested:
		return string(raw), ""
	case raw[0] == '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, "is not text"
		}
		return d.textParameter(c, s)
	case raw[0] == 't', raw[0] == 'f':
		if c.kind == text || d.engine == postgres {
			return string(raw), ""
		}
		return map[byte]int64{'t': 1, 'f': 0}[raw[0]], ""
	case raw[0] == '{', raw[0] == '[':
		if c.kind != text && c.kind != document {
			return nil, "takes one value, not an object or a list"
		}
		return string(raw), ""
	}
	return d.numberParameter(c, string(raw))
}

func (d *database) textParameter(c column, s string) (any, string) {
	switch c.kind {
	case binary:
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return nil, "takes bytes, as base64"
		}
		return b, ""
	case integer, decimal:
		if value.IsNumber(s) && c.typ != "" {
			return d.numberParameter(c, s)
		}
	case day:
		if _, err := time.Parse(time.RFC3339Nano, s); err == nil {
			return nil, "takes a day, not a time"
		}
	case civil, instant:
		zone := d.zone
		if _, err := time.Parse("2006-01-02", s); err == nil {
			return nil, "takes a time, not a day"
		}
		t, ok := value.ParseTime(s, zone)
		if !ok {
			return s, "" // the database knows more ways to write a time, or refuses it
		}
		if c.kind == instant {
			zone = time.UTC
		}
		layout := "2006-01-02 15:04:05.999999"
		if d.engine == sqlite {
			layout = "2006-01-02 15:04:05.999999999"
		}
		return t.In(zone).Format(layout), ""
	}
	return s, ""
}

// numberParameter keeps every digit: a number that its column would round is refused.
func (d *database) numberParameter(c column, s string) (any, string) {
	if c.kind == text || c.kind == float || c.kind == document {
		return s, ""
	}
	plain, fraction, ok := value.Expand(s)
	if !ok {
		return nil, "a number is too large or too small"
	}
	switch scale := c.scale; {
	case (c.kind == integer || c.kind == bits) && fraction > 0 && d.engine != sqlite:
		return nil, "takes whole numbers"
	case c.kind == decimal && scale >= 0 && fraction > scale:
		return nil, fmt.Sprintf("keeps %d decimals, and the number has more", scale)
	}
	if n, err := strconv.ParseInt(plain, 10, 64); err == nil && d.engine != postgres {
		return n, ""
	}
	if f, err := strconv.ParseFloat(plain, 64); err == nil && d.engine == sqlite && strconv.FormatFloat(f, 'f', -1, 64) == plain {
		return f, ""
	}
	return plain, ""
}
