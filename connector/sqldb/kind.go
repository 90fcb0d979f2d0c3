package sqldb

import (
	"context"
	"database/sql"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/reeve-civic/reeve/connector/sqldb/value"
)

// kind is what a column holds, as far as JSON is concerned.
type kind uint8

const (
	text    kind = iota
	integer      // no fraction
	decimal      // exact, with a scale
	float
	boolean
	binary
	day     // a date
	civil   // a time that says no zone
	instant // a time that is one moment
	document
	nested // what is not a single value: arrays and rows of PostgreSQL
	bits
)

// column is one of a table or a result.
type column struct {
	name    string
	kind    kind
	scale   int  // of a decimal; -1 if any number of digits
	unknown bool // of PostgreSQL: a type of somebody's own
	typ     string
}

// kindOf tells the kind by the name that the database gives the type.
func (e engine) kindOf(typ string) kind {
	typ, _, _ = strings.Cut(strings.ToUpper(typ), "(")
	typ = strings.TrimSpace(strings.TrimPrefix(typ, "UNSIGNED "))
	switch e {
	case postgres:
		return postgresKind(typ)
	case mariadb:
		return mariaKind(typ)
	}
	switch { // SQLite: what was written in CREATE TABLE, anything
	case strings.HasPrefix(typ, "BOOL"):
		return boolean
	case typ == "DATETIME", strings.HasPrefix(typ, "TIMESTAMP"):
		return civil
	case typ == "DATE":
		return day
	case strings.HasPrefix(typ, "JSON"):
		return document
	case strings.Contains(typ, "INT"):
		return integer
	case strings.Contains(typ, "BLOB"), typ == "BYTEA", typ == "VARBINARY", typ == "BINARY":
		return binary
	case typ == "DECIMAL", typ == "NUMERIC", typ == "": // of no type: it keeps what it gets
		return decimal
	case strings.Contains(typ, "REAL"), strings.Contains(typ, "FLOA"), strings.Contains(typ, "DOUB"):
		return float
	}
	return text
}

func postgresKind(typ string) kind {
	switch typ {
	case "INT2", "INT4", "INT8", "OID":
		return integer
	case "NUMERIC":
		return decimal
	case "FLOAT4", "FLOAT8":
		return float
	case "BOOL":
		return boolean
	case "BYTEA":
		return binary
	case "DATE":
		return day
	case "TIMESTAMP":
		return civil
	case "TIMESTAMPTZ":
		return instant
	case "JSON", "JSONB":
		return document
	case "RECORD":
		return nested
	}
	if strings.HasPrefix(typ, "_") {
		return nested
	}
	return text
}

func mariaKind(typ string) kind {
	switch typ {
	case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "INTEGER", "BIGINT", "YEAR":
		return integer
	case "DECIMAL":
		return decimal
	case "FLOAT", "DOUBLE":
		return float
	case "BIT":
		return bits
	case "DATE":
		return day
	case "DATETIME":
		return civil
	case "TIMESTAMP":
		return instant
	case "JSON":
		return document
	case "BINARY", "VARBINARY", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "GEOMETRY":
		return binary
	}
	return text
}

// querier is a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// resultColumns asks what columns a source has, without reading a row.
func (d *database) resultColumns(ctx context.Context, q querier) ([]column, error) {
	rows, err := q.QueryContext(ctx, "select * from "+d.from()+" limit 0")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	var cols []column
	for _, t := range types {
		c := column{name: t.Name(), typ: t.DatabaseTypeName(), scale: -1}
		c.kind = d.kindOf(c.typ)
		if _, scale, ok := t.DecimalSize(); ok && c.kind == decimal {
			c.scale = int(scale)
		}
		_, err := strconv.Atoi(c.typ)
		c.unknown = d.engine == postgres && err == nil
		cols = append(cols, c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	for i := range cols {
		if cols[i].unknown {
			if err := d.own(ctx, q, &cols[i]); err != nil {
				return nil, err
			}
		}
	}
	return cols, nil
}

// own looks up a type that somebody has defined.
func (d *database) own(ctx context.Context, q querier, c *column) error {
	rows, err := q.QueryContext(ctx, "select typcategory::text, typtype::text from pg_catalog.pg_type where oid = $1", c.typ)
	if err != nil {
		return err
	}
	defer rows.Close()
	var category, typ string
	for rows.Next() {
		if err := rows.Scan(&category, &typ); err != nil {
			return err
		}
	}
	if category == "A" || typ == "c" {
		c.kind = nested
	}
	return rows.Err()
}

// read is the expression that a column is read by: as text where the database's own text
// is exact, and so that the driver does not make a time of it.
func (d *database) read(c column) string {
	q := d.ref(c)
	switch {
	case d.engine == sqlite:
		return "+" + q
	case d.engine != postgres || c.kind == binary:
		return q
	case c.kind == nested:
		return "to_jsonb(" + q + ")::text"
	}
	return q + "::text"
}

// value appends a value of a column as JSON. why says why it cannot be one; a value that
// is NULL appends nothing.
func (d *database) value(dst []byte, c column, v any) (out []byte, why string) {
	switch v := v.(type) {
	case nil:
		return dst, ""
	case int64:
		if c.kind == boolean && (v == 0 || v == 1) {
			return strconv.AppendBool(dst, v == 1), ""
		}
		return strconv.AppendInt(dst, v, 10), ""
	case uint64:
		return strconv.AppendUint(dst, v, 10), ""
	case float32:
		return value.AppendFloat(dst, float64(v), 32)
	case float64:
		return value.AppendFloat(dst, v, 64)
	case bool:
		return strconv.AppendBool(dst, v), ""
	case string:
		return d.words(dst, c, v)
	case []byte:
		switch {
		case c.kind == bits && len(v) <= 8:
			n := uint64(0)
			for _, b := range v {
				n = n<<8 | uint64(b)
			}
			return strconv.AppendUint(dst, n, 10), ""
		case c.kind == binary, d.engine == sqlite:
			dst = append(dst, '"')
			dst = base64.StdEncoding.AppendEncode(dst, v)
			return append(dst, '"'), ""
		}
		return d.words(dst, c, string(v))
	}
	return dst, "holds a value of a type that is not known"
}

// words appends a value that the database gives as text.
func (d *database) words(dst []byte, c column, s string) ([]byte, string) {
	switch c.kind {
	case integer, decimal, float:
		if value.IsNumber(s) && c.typ != "" {
			return append(dst, s...), ""
		}
		if s == "NaN" || strings.HasSuffix(s, "Infinity") {
			return dst, "holds a number that JSON does not have (NaN or infinity)"
		}
	case boolean:
		if s == "true" || s == "false" {
			return append(dst, s...), ""
		}
	case instant:
		if t, ok := value.ParseTime(s, time.UTC); ok {
			s = t.UTC().Format(time.RFC3339Nano)
		}
	case civil:
		if t, ok := value.ParseTime(s, d.zone); ok {
			s = t.Format(time.RFC3339Nano)
		}
	case document, nested:
		if out, ok := value.AppendJSON(dst, s); ok {
			return out, ""
		}
	}
	if !utf8.ValidString(s) {
		return dst, "holds text that is not UTF-8"
	}
	return value.AppendString(dst, s), ""
}
