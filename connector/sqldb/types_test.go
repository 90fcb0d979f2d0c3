package sqldb

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector"
)

// typed is a type of a database: a value as its SQL says it, and as JSON says it.
type typedCase struct{ typ, sql, json string }

var typesOf = map[engine][]typedCase{
	postgres: {
		{"smallint", "-32768", `-32768`},
		{"integer", "2147483647", `2147483647`},
		{"bigint", "-9223372036854775808", `-9223372036854775808`},
		{"numeric", "12345678901234567890.1234567890123456789", `12345678901234567890.1234567890123456789`},
		{"numeric(10,2)", "10.5", `10.50`},
		{"real", "0.1", `0.1`},
		{"double precision", "1e300", `1e+300`},
		{"boolean", "true", `true`},
		{"text", "E'a\\n\"Å\\\\'", `"a\n\"Å\\"`},
		{"varchar(20)", "''", `""`},
		{"char(5)", "'ab'", `"ab"`},
		{"bytea", `'\x00ff'`, `"AP8="`},
		{"date", "'2024-02-29'", `"2024-02-29"`},
		{"time", "'23:59:59.5'", `"23:59:59.5"`},
		{"timestamp", "'2026-07-01 12:00:00.123456'", `"2026-07-01T12:00:00.123456+02:00"`},
		{"timestamptz", "'2026-07-01 12:00:00.123456+02'", `"2026-07-01T10:00:00.123456Z"`},
		{"interval", "'1 year 2 days 3 hours'", `"P1Y2DT3H"`},
		{"uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
		{"json", `'{"b": 1.10,  "a":[null]}'`, `{"b":1.10,"a":[null]}`},
		{"jsonb", `'{"a": {"b": 1.10}}'`, `{"a":{"b":1.10}}`},
		{"text[]", `'{a,"b c",NULL}'`, `["a","b c",null]`},
		{"integer[]", "'{{1,2},{3,4}}'", `[[1,2],[3,4]]`},
		{"mood", "'sad'", `"sad"`},
		{"mood[]", "'{sad,ok}'", `["sad","ok"]`},
		{"place", "row('Mill St', 4)", `{"nr":4,"street":"Mill St"}`},
		{"positive", "7", `7`},
		{"int4range", "'[1,5)'", `"[1,5)"`},
		{"inet", "'10.1.2.3'", `"10.1.2.3/32"`},
	},
	mariadb: {
		{"tinyint", "-128", `-128`},
		{"int", "2147483647", `2147483647`},
		{"bigint", "-9223372036854775808", `-9223372036854775808`},
		{"bigint unsigned", "18446744073709551615", `18446744073709551615`},
		{"decimal(40,19)", "12345678901234567890.1234567890123456789", `12345678901234567890.1234567890123456789`},
		{"decimal(10,2)", "10.5", `10.50`},
		{"float", "0.1", `0.1`},
		{"double", "1e300", `1e+300`},
		{"boolean", "true", `1`},
		{"bit(12)", "b'100000000001'", `2049`},
		{"varchar(40)", "'a\\n\"Å😀\\\\'", `"a\n\"Å😀\\"`},
		{"text", "''", `""`},
		{"char(5)", "'ab'", `"ab"`},
		{"blob", "x'00ff'", `"AP8="`},
		{"varbinary(10)", "x'00ff'", `"AP8="`},
		{"date", "'2024-02-29'", `"2024-02-29"`},
		{"time(1)", "'23:59:59.5'", `"23:59:59.5"`},
		{"year", "2026", `2026`},
		{"datetime(6)", "'2026-07-01 12:00:00.123456'", `"2026-07-01T12:00:00.123456+02:00"`},
		{"datetime", "'2026-01-01 12:00:00'", `"2026-01-01T12:00:00+01:00"`},
		{"timestamp(3) null", "'2026-07-01 12:00:00.5'", `"2026-07-01T12:00:00.5Z"`},
		{"enum('ok','sad')", "'sad'", `"sad"`},
		{"set('a','b')", "'a,b'", `"a,b"`},
		{"uuid", "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", `"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"`},
		{"json", `'{"a":[1.10]}'`, `"{\"a\":[1.10]}"`}, // which is text there
	},
	sqlite: {
		{"integer", "-9223372036854775808", `-9223372036854775808`},
		{"text", "'a\"Å'", `"a\"Å"`},
		{"text", "'10.50'", `"10.50"`},
		{"decimal(10,2)", "10.5", `10.5`},
		{"real", "0.1", `0.1`},
		{"boolean", "1", `true`},
		{"blob", "x'00ff'", `"AP8="`},
		{"date", "'2024-02-29'", `"2024-02-29"`},
		{"datetime", "'2026-07-01 12:00:00.5'", `"2026-07-01T12:00:00.5+02:00"`},
		{"timestamp", "'2026-07-01T14:00:00+02:00'", `"2026-07-01T14:00:00+02:00"`},
		{"json", `'{"a": 1.10}'`, `{"a":1.10}`},
		{"", "5", `5`},
		{"", "0.5", `0.5`},
		{"", "'5'", `"5"`},
		{"any", "'x'", `"x"`},
	},
}

// TestTypes: what is read is exact, and what is read and written is the same row.
func TestTypes(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		if r.engine == postgres {
			r.exec(t, "create type mood as enum ('ok', 'sad')")
			r.exec(t, "create type place as (street text, nr integer)")
			r.exec(t, "create domain positive as integer check (value > 0)")
		}
		cases := typesOf[r.engine]
		var defs, vals []string
		for i, c := range cases {
			defs, vals = append(defs, fmt.Sprintf("c%02d %s", i, c.typ)), append(vals, c.sql)
		}
		for _, table := range []string{"origin", "copy"} {
			r.exec(t, "create table "+table+" (id integer primary key, "+strings.Join(defs, ", ")+")")
		}
		r.exec(t, "insert into origin values (1, "+strings.Join(vals, ", ")+")")
		r.exec(t, "insert into origin (id) values (2)") // NULL everywhere
		s := Settings{Table: "origin", Unique: []string{"id"}, Zone: "Europe/Copenhagen"}
		got, _ := bodies(t, r.source(t, s), "")
		var row map[string]json.RawMessage
		if err := json.Unmarshal([]byte(got[0]), &row); err != nil {
			t.Fatalf("%s: %v", got[0], err)
		}
		for i, c := range cases {
			if v := string(row[fmt.Sprintf("c%02d", i)]); v != c.json {
				t.Errorf("%s %s is %s, want %s", c.typ, c.sql, v, c.json)
			}
		}
		if got[1] != `{"id":2}` {
			t.Errorf("what is NULL is left out: %s", got[1])
		}
		to := r.sink(t, Settings{Table: "copy", Key: []string{"id"}, Zone: s.Zone})
		for _, times := range []string{"first", "again"} {
			for _, b := range got {
				if res := one(t, to, "d", b); res.Outcome != connector.Delivered {
					t.Fatalf("%s: %+v", times, res)
				}
			}
		}
		s.Table = "copy"
		if back, _ := bodies(t, r.source(t, s), ""); !slices.Equal(back, got) {
			t.Errorf("written and read again:\n%q\nwant\n%q", back, got)
		}
	})
}

// TestFit: where a database has no type for it, the record type decides.
func TestFit(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table f (id integer primary key, yes integer, number varchar(20), nr integer, doc varchar(50))")
		r.exec(t, `insert into f values (1, 1, '10.50', 7, '{"a": 1}'), (2, 2, 'x', -3, '{"a"')`)
		c := r.config(Settings{Table: "f", Unique: []string{"id"}})
		c.Format.Types = func(p string) []string {
			return map[string][]string{"/yes": {"boolean"}, "/number": {"number", "null"}, "/nr": {"string"}, "/doc": {"object"}, "/id": {"integer"}}[p]
		}
		got, _ := bodies(t, r.sourceOf(t, c), "")
		want := []string{`{"id":1,"yes":true,"number":10.50,"nr":"7","doc":{"a":1}}`, `{"id":2,"yes":2,"number":"x","nr":"-3","doc":"{\"a\""}`}
		if !slices.Equal(got, want) {
			t.Errorf("%q\nwant\n%q", got, want)
		}
	})
}

// TestNested: columns can stand anywhere in a record, both ways.
func TestNested(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table n (id integer primary key, family varchar(20), given varchar(20), a1 varchar(20))")
		columns := map[string]string{"id": "id", "family": "/name/family", "given": "/name/given", "a1": "/address/lines~11/x~0y"}
		to := r.sink(t, Settings{Table: "n", Key: []string{"id"}, Columns: columns})
		for _, b := range []string{`{"id":1,"name":{"family":"Å","given":"B"},"address":{"lines/1":{"x~y":"Mill St"}},"more":true}`, `{"id":2,"name":{"family":"C"},"address":"none"}`} {
			if res := one(t, to, "1", b); res.Outcome != connector.Delivered {
				t.Fatal(res)
			}
		}
		got, _ := bodies(t, r.source(t, Settings{Table: "n", Unique: []string{"id"}, Columns: columns}), "")
		want := []string{`{"id":1,"name":{"family":"Å","given":"B"},"address":{"lines/1":{"x~y":"Mill St"}}}`, `{"id":2,"name":{"family":"C"}}`}
		if !slices.Equal(got, want) {
			t.Errorf("%q\nwant\n%q", got, want)
		}
	})
}

// hostileNames are names of tables, columns and fields.
var hostileNames = []string{`a"b`, "a`b", `'; drop table victims; --`, `x") ; select 1 --`, "select", "q", "naïve Å 名", "a b", `\`, "$1", "?", ":x", "@x", "%s", "a.b", "/*", "x'y", "new\nline", "\u202e", "id[]", "c0"}

// TestHostileNames: a name is a name, whatever stands in it.
func TestHostileNames(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table victims (id integer)")
		for i, name := range hostileNames {
			other := name + "2"
			q := "create table " + r.quote(name) + " (" + r.quote(name) + " integer primary key, " + r.quote(other) + " varchar(50))"
			if r.engine == postgres {
				q = strings.ReplaceAll(q, "varchar(50)", "text[]")
			}
			if _, err := r.DB.Exec(q); err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			field, _ := json.Marshal(name)
			field2, _ := json.Marshal(other)
			body := fmt.Sprintf(`{%s:%d,%s:"v"}`, field, i, field2)
			if r.engine == postgres {
				body = strings.Replace(body, `"v"`, `["v"]`, 1)
			}
			to := r.sink(t, Settings{Table: name, Key: []string{name}})
			for range 2 {
				if res := one(t, to, "1", body); res.Outcome != connector.Delivered {
					t.Errorf("%q: %+v", name, res)
				}
			}
			src := r.source(t, Settings{Table: name, Cursor: name, Unique: []string{name, other}[:1]})
			got, pos := bodies(t, src, "")
			var a, b map[string]any
			if len(got) != 1 || json.Unmarshal([]byte(got[0]), &a) != nil || json.Unmarshal([]byte(body), &b) != nil || fmt.Sprint(a) != fmt.Sprint(b) {
				t.Errorf("%q: %q, want %s", name, got, body)
			}
			if more, _ := bodies(t, src, pos); len(more) > 0 {
				t.Errorf("%q: read twice: %q", name, more)
			}
		}
		r.exec(t, "insert into victims values (1)")
	})
}

// TestHostileValues: a value is a value, as text, as key and as cursor.
func TestHostileValues(t *testing.T) {
	b, err := os.ReadFile("testdata/real/blns/blns.json")
	if err != nil {
		t.Fatal(err)
	}
	var naughty []string
	if err := json.Unmarshal(b, &naughty); err != nil {
		t.Fatal(err)
	}
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table v (id "+r.per("text", "varchar(600) collate utf8mb4_nopad_bin", "text")+" primary key, v text, nr integer)")
		to := r.sink(t, Settings{Table: "v", Key: []string{"id"}})
		want := map[string]bool{}
		var its []connector.Item
		for i, s := range naughty {
			body, _ := json.Marshal(map[string]any{"id": s, "v": s, "nr": i})
			want[s] = true
			its = append(its, connector.Item{ID: fmt.Sprint(i), Key: s, Body: body})
		}
		for range 2 {
			for i, res := range to.Send(t.Context(), its) {
				if res.Outcome != connector.Delivered {
					t.Errorf("%q: %+v", naughty[i], res)
				}
			}
		}
		src := r.source(t, Settings{Table: "v", Cursor: "v", Unique: []string{"id"}})
		got, pos := bodies(t, src, "")
		for _, b := range got {
			var row struct{ ID, V string }
			if err := json.Unmarshal([]byte(b), &row); err != nil || row.ID != row.V || !want[row.ID] {
				t.Errorf("%s: %v", b, err)
			}
			delete(want, row.ID)
		}
		if len(want) > 0 {
			t.Errorf("lost: %v", want)
		}
		if more, _ := bodies(t, src, pos); len(more) > 0 {
			t.Errorf("read twice: %q", more)
		}
		if r.engine == postgres { // what the database cannot keep is refused
			if res := one(t, to, "n", `{"id":"nul","v":"a\u0000b"}`); res.Outcome != connector.Refused {
				t.Errorf("NUL: %+v", res)
			}
		}
	})
}

// TestExact: a value that a column would change is refused, not changed.
func TestExact(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table e (id integer primary key, amount decimal(8,2), n integer, d date, short varchar(3), b "+r.per("bytea", "blob", "blob")+", t "+r.per("timestamptz", "timestamp(6) null", "datetime")+")")
		to := r.sink(t, Settings{Table: "e", Key: []string{"id"}})
		refused := []string{`{"id":1,"b":"not base64!"}`, `{"id":1,"d":"2026-01-01T10:00:00Z"}`, `{"id":1,"amount":1e999999999}`, `{"id":null}`, `{"n":1}`, `{"id":1,"nothing":"x"}`, `[]`}
		taken := []string{`{"id":2,"amount":1e2}`, `{"id":3,"amount":"10.50"}`, `{"id":4,"amount":10.500}`, `{"id":5,"t":"2026-07-01T12:00:00+02:00"}`, `{"id":6,"d":null,"n":null}`}
		if r.engine != sqlite { // which keeps anything in any column
			refused = append(refused, `{"id":1,"amount":10.505}`, `{"id":1,"n":1.5}`, `{"id":1,"short":"abcd"}`, `{"id":1,"d":"2026-02-30"}`, `{"id":1,"n":3000000000}`, `{"id":1,"n":"x"}`, `{"id":1,"amount":123456789.00}`, `{"id":1,"t":"soon"}`, `{"id":1,"amount":{"a":1}}`)
		}
		for _, b := range refused {
			if res := one(t, to, "1", b); res.Outcome != connector.Refused || len(res.Message) > 300 {
				t.Errorf("%s: %+v", b, res)
			}
		}
		for _, b := range taken {
			if res := one(t, to, "1", b); res.Outcome != connector.Delivered {
				t.Errorf("%s: %+v", b, res)
			}
		}
		got, _ := bodies(t, r.source(t, Settings{Table: "e", Unique: []string{"id"}, Zone: "UTC"}), "")
		want := []string{`{"id":2,"amount":100.00}`, `{"id":3,"amount":10.50}`, `{"id":4,"amount":10.50}`, `{"id":5,"t":"2026-07-01T10:00:00Z"}`, `{"id":6}`}
		if r.engine == sqlite {
			for i := range want {
				want[i] = strings.NewReplacer("100.00", "100", "10.50", "10.5").Replace(want[i])
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q\nwant\n%q", got, want)
		}
	})
}
