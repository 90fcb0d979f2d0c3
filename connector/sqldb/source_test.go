package sqldb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/format"
)

// TestTies: rows that share a value of the cursor are read once each, in one order, also
// where a page ends among them.
func TestTies(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		const n = pageRows*2 + 7
		r.exec(t, "create table e (a varchar(10), b integer, changed integer, primary key (a, b))")
		var vals []string
		for i := range n {
			vals = append(vals, fmt.Sprintf("('%c', %d, %d)", 'x'+i%3, i, i/1500))
		}
		r.exec(t, "insert into e values "+strings.Join(vals, ", "))
		src := r.source(t, Settings{Table: "e", Cursor: "changed", Unique: []string{"a", "b"}})
		all, last := bodies(t, src, "")
		if len(all) != n {
			t.Fatalf("%d rows, want %d", len(all), n)
		}
		if sorted := slices.Compact(slices.Sorted(slices.Values(all))); len(sorted) != n {
			t.Errorf("%d different rows", len(sorted))
		}
		if more, _ := bodies(t, src, last); len(more) > 0 {
			t.Errorf("read again: %q", more)
		}
		r.exec(t, "insert into e values ('zz', 1, 1)") // after the last one of its tie
		r.exec(t, "update e set changed = 2 where b = 5")
		if more, _ := bodies(t, src, last); !slices.Equal(more, []string{`{"a":"zz","b":1,"changed":1}`, `{"a":"z","b":5,"changed":2}`}) {
			t.Errorf("what is new: %q", more)
		}
		// From every row of the tie on, what follows is what follows.
		for i, pos := range positions(t, src)[:20] {
			if rest, _ := bodies(t, src, pos); len(rest) != n-i {
				t.Errorf("after row %d: %d rows, want %d", i, len(rest), n-i)
			}
		}
	})
}

func positions(t *testing.T, src *Source) (all []string) {
	t.Helper()
	if err := eachRow(t.Context(), src, "", func(row format.Row) { all = append(all, row.Position) }); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCursorTypes: going on is exact for every type that rows can be put in order by.
func TestCursorTypes(t *testing.T) {
	lists := map[engine]map[string][]string{
		postgres: {"bigint": {"9007199254740992", "9007199254740993", "9007199254740994"}, "numeric": {"1.0000000000000000000001", "1.0000000000000000000002"}, "timestamptz": {"'2026-01-01 00:00:00.000001+00'", "'2026-01-01 00:00:00.000002+00'"},
			"timestamp": {"'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"}, "date": {"'2026-01-01'", "'2026-01-02'"}, "text": {"''", "'Å'", "'å''\"'"}, "uuid": {"'00000000-0000-0000-0000-000000000001'", "'00000000-0000-0000-0000-000000000002'"}, "bytea": {`'\x00'`, `'\x01'`}, "double precision": {"0.1", "0.30000000000000004"}},
		mariadb: {"bigint": {"9007199254740992", "9007199254740993", "9007199254740994"}, "bigint unsigned": {"18446744073709551613", "18446744073709551614", "18446744073709551615"}, "decimal(40,22)": {"1.0000000000000000000001", "1.0000000000000000000002"},
			"timestamp(6) null": {"'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"}, "datetime(6)": {"'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"}, "date": {"'2026-01-01'", "'2026-01-02'"}, "varchar(10)": {"''", "'A'", "'b''\"'"}, "binary(2)": {"x'00ff'", "x'01ff'"}},
		sqlite: {"integer": {"9007199254740992", "9007199254740993"}, "real": {"0.1", "0.30000000000000004"}, "text": {"''", "'A'", "'b'"}, "datetime": {"'2026-01-01 00:00:00.000001'", "'2026-01-01 00:00:00.000002'"}, "blob": {"x'00'", "x'01'"}, "": {"1", "2", "'a'", "x'00'"}},
	}
	each(t, func(t *testing.T, r *rig) {
		n := 0
		for typ, values := range lists[r.engine] {
			n++
			table := fmt.Sprintf("c%d", n)
			r.exec(t, fmt.Sprintf("create table %s (c %s, u %s)", table, typ, typ))
			for _, v := range values {
				r.exec(t, fmt.Sprintf("insert into %s values (%s, %s), (%s, null), (null, %s)", table, v, v, v, v))
			}
			src := r.source(t, Settings{Query: "select c, u from " + table + " where u is not null", Cursor: "c", Unique: []string{"u"}})
			src2 := r.source(t, Settings{Table: table, Cursor: "c", Unique: []string{"c"}})
			all := positions(t, src)
			if len(all) != len(values) {
				t.Errorf("%s: %d rows, want %d", typ, len(all), len(values))
			}
			for i, pos := range all {
				if rest, _ := bodies(t, src, pos); len(rest) != len(values)-1-i {
					t.Errorf("%s: after row %d (%s): %q", typ, i, pos, rest)
				}
			}
			if got := positions(t, src2); len(got) == 0 {
				t.Errorf("%s: nothing", typ)
			}
		}
	})
}

// TestLateCommit: a row with a lower cursor that is committed while Read waits is read
// with the others, and in order.
func TestLateCommit(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		if r.engine == sqlite {
			t.Skip("one writer at a time: nothing is committed late")
		}
		r.exec(t, "create table l (nr integer primary key)")
		r.exec(t, "insert into l values (1)")
		tx, err := r.DB.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("insert into l values (2)"); err != nil {
			t.Fatal(err)
		}
		r.exec(t, "insert into l values (3)")
		lag := connector.Duration(7 * time.Second)
		src := r.source(t, Settings{Table: "l", Cursor: "nr", Unique: []string{"nr"}, Lag: &lag})
		waited := 0
		src.wait = func(_ context.Context, d time.Duration) error {
			if waited++; d != time.Duration(lag) {
				t.Errorf("waits %v", d)
			}
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
			r.exec(t, "insert into l values (4)") // came later: the next look is for it
			return nil
		}
		got, pos := bodies(t, src, "")
		if want := []string{`{"nr":1}`, `{"nr":2}`, `{"nr":3}`}; !slices.Equal(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
		src.wait = func(context.Context, time.Duration) error { waited++; return nil }
		if got, pos = bodies(t, src, pos); !slices.Equal(got, []string{`{"nr":4}`}) {
			t.Errorf("then %q", got)
		}
		if got, _ = bodies(t, src, pos); len(got) > 0 || waited != 2 {
			t.Errorf("%q after waiting %d times, want no wait where nothing is new", got, waited)
		}
		src.wait = wait
		r.exec(t, "insert into l values (5)")
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(20*time.Millisecond, cancel)
		if err := src.Read(ctx, pos, func(connector.Portion) error { return errors.New("taken") }); !errors.Is(err, context.Canceled) {
			t.Errorf("stopped while it waits: %v", err)
		}
	})
}

// TestFull: the rows and their number are those of one moment, also while others write.
func TestFull(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table f (nr integer primary key, v varchar(10))")
		r.exec(t, "insert into f values (1, 'a'), (2, 'b'), (3, null)")
		src := r.source(t, Settings{Table: "f", Unique: []string{"nr"}})
		for range 2 {
			var got []string
			err := src.Read(t.Context(), "", func(p connector.Portion) error {
				if p.Total != 3 || p.Name != "" {
					t.Errorf("%+v", p)
				}
				for open := range 3 {
					rd, err := p.Open(t.Context())
					if err != nil {
						return err
					}
					for n := 0; ; n++ {
						row, err := rd.Next()
						if err == io.EOF {
							break
						}
						if err != nil {
							return err
						}
						if open == 0 && n == 0 { // somebody writes meanwhile
							r.exec(t, "insert into f values (0, 'x')")
							r.exec(t, "delete from f where nr = 2")
						}
						if open == 2 {
							got = append(got, string(row.Body))
						}
					}
					if err := rd.Close(); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if want := []string{`{"nr":1,"v":"a"}`, `{"nr":2,"v":"b"}`, `{"nr":3}`}; !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
			r.exec(t, "delete from f where nr = 0")
			r.exec(t, "insert into f values (2, 'b')")
		}
		err := src.Read(t.Context(), "", func(p connector.Portion) error { // given up, and begun again
			for _, rows := range []int{1, 3} {
				rd, err := p.Open(t.Context())
				if err != nil {
					return err
				}
				for range rows {
					if _, err := rd.Next(); err != nil {
						return err
					}
				}
				if err := rd.Close(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func readError(t *testing.T, src *Source) error {
	t.Helper()
	err := eachRow(t.Context(), src, "", func(format.Row) {})
	if err == nil {
		t.Error("no error")
		return errors.New("none")
	}
	if len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "127.0.0.1") || strings.Contains(err.Error(), "Canary") {
		t.Errorf("not for people: %q", err)
	}
	return err
}

// TestToldPlainly: what is wrong with a table is said so that somebody can do something.
func TestToldPlainly(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table gone (nr integer primary key, v varchar(100))")
		r.exec(t, "insert into gone values (1, 'Canary')")
		cursor := Settings{Table: "gone", Cursor: "nr", Unique: []string{"nr"}}
		src, full, to := r.source(t, cursor), r.source(t, Settings{Table: "gone"}), r.sink(t, Settings{Table: "gone", Key: []string{"nr"}})
		if got, _ := bodies(t, src, ""); len(got) != 1 {
			t.Fatal(got)
		}
		if res := one(t, to, "1", `{"nr":2}`); res.Outcome != connector.Delivered {
			t.Fatal(res)
		}
		says := func(err error, words ...string) {
			t.Helper()
			for _, w := range words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
		}
		says(readError(t, r.source(t, Settings{Table: "gone", Cursor: "changed", Unique: []string{"nr"}})), `no column "changed"`, "cursor")
		says(readError(t, r.source(t, Settings{Query: "select nr, v from nowhere", Cursor: "nr", Unique: []string{"nr"}})), "a table of the query is not in the database")
		if r.engine != sqlite { // which gives the second one another name
			says(readError(t, r.source(t, Settings{Query: "select nr as a, v as a from gone"})), "two columns")
		}
		says(readError(t, r.source(t, Settings{Table: "main.gone"})), "write it as schema")
		if err := src.Read(t.Context(), `["1"]`, nil); err == nil || !strings.Contains(err.Error(), "begins anew") {
			t.Errorf("a position of other columns: %v", err)
		}
		res := one(t, to, "1", `{"nr":"Canary"}`)
		if r.engine != sqlite && (res.Outcome != connector.Refused || strings.Contains(res.Message, "Canary")) {
			t.Errorf("%+v", res)
		}

		r.exec(t, "alter table gone rename column v to w")
		if got, _ := bodies(t, src, ""); !slices.Contains(got, `{"nr":1,"w":"Canary"}`) {
			t.Errorf("after a column was renamed: %q", got)
		}
		if res := one(t, to, "1", `{"nr":2,"w":"x"}`); res.Outcome != connector.Delivered {
			if res = one(t, to, "1", `{"nr":2,"w":"x"}`); res.Outcome != connector.Delivered {
				t.Errorf("after a column was renamed: %+v", res)
			}
		}
		r.exec(t, "drop table gone")
		says(readError(t, src), "the table gone is not in the database")
		says(readError(t, full), "the table gone is not in the database")
		for range 2 {
			if res := one(t, to, "1", `{"nr":2}`); res.Outcome != connector.Later || !strings.Contains(res.Message, "the table gone is not in the database") {
				t.Errorf("%+v", res)
			}
		}
		r.exec(t, "create table gone (nr integer primary key, v varchar(100))")
		if res := one(t, to, "1", `{"nr":2}`); res.Outcome != connector.Delivered {
			t.Errorf("when it is back: %+v", res)
		}
	})
}

// TestNoEntry: without the right to do it we are told so, without the password.
func TestNoEntry(t *testing.T) {
	t.Setenv("DB_PASSWORD", "s3cret")
	for _, e := range []engine{postgres, mariadb} {
		t.Run(string(e), func(t *testing.T) {
			r := newRig(t, e)
			r.exec(t, "create table t (nr integer primary key)")
			r.exec(t, "insert into t values (1)")
			s := Settings{Table: "t", Cursor: "nr", Unique: []string{"nr"}}
			c := r.config(s)
			c.Auth = connector.Auth{User: "nobody-here", Password: "env:DB_PASSWORD"}
			if err := readError(t, r.sourceOf(t, c)); !strings.Contains(err.Error(), badLogin) || strings.Contains(err.Error(), "s3cret") {
				t.Error(err)
			}
			c.Auth.User = "env:DB_USER"
			c.Host.Secret = func(ref connector.Ref) (string, error) { return "", fmt.Errorf("a secret is not set: give %s", ref) }
			if err := readError(t, r.sourceOf(t, c)); !strings.Contains(err.Error(), "env:DB_USER") {
				t.Error(err)
			}
			c = r.config(s)
			c.Host.Address = func(_, _ string) error { return errors.New("no") }
			if err := readError(t, r.sourceOf(t, c)); !strings.Contains(err.Error(), "may not be connected to") {
				t.Error(err)
			}
			c = r.config(s)
			c.Address += "x"
			if err := readError(t, r.sourceOf(t, c)); !strings.Contains(err.Error(), "no database of this name") {
				t.Error(err)
			}
			name := fmt.Sprintf("reader%d", os.Getpid())
			r.exec(t, r.per("create role "+name+" login password 's3cret'", "create user "+name+"@'127.0.0.1' identified by 's3cret'", ""))
			t.Cleanup(func() {
				r.exec(t, r.per("drop owned by "+name, "select 1", ""))
				r.exec(t, r.per("drop role "+name, "drop user "+name+"@'127.0.0.1'", ""))
			})
			c = r.config(s)
			c.Auth = connector.Auth{User: name, Password: "env:DB_PASSWORD"}
			if r.engine == mariadb {
				r.exec(t, "create table other (nr integer)")
				r.exec(t, "grant select on other to "+name+"@'127.0.0.1'")
			}
			if err := readError(t, r.sourceOf(t, c)); !strings.Contains(err.Error(), "no right") {
				t.Error(err)
			}
			r.exec(t, "grant select on t to "+name+r.per("", "@'127.0.0.1'", ""))
			if got, _ := bodies(t, r.sourceOf(t, c), ""); len(got) != 1 {
				t.Errorf("%q", got)
			}
		})
	}
}

// TestReadsOnly: a query that writes does not write.
func TestReadsOnly(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table t (nr integer primary key)")
		queries := []string{"select 1 as nr) as q limit 0; insert into t values (1); select * from (select 1 as nr", "delete from t"}
		if r.engine == postgres {
			r.exec(t, "create function w() returns integer language sql as 'insert into t values (7) returning nr'")
			queries = append(queries, "select w() as nr")
		}
		if r.engine == mariadb {
			r.exec(t, "create function w() returns integer begin insert into t values (7); return 1; end")
			queries = append(queries, "select w() as nr")
		}
		for _, q := range queries {
			_ = r.source(t, Settings{Query: q}).Read(t.Context(), "", func(p connector.Portion) error {
				if rd, err := p.Open(t.Context()); err == nil {
					_, _ = rd.Next()
					rd.Close()
				}
				return nil
			})
		}
		n := 0
		if err := r.DB.QueryRow("select count(*) from t").Scan(&n); err != nil || n != 0 {
			t.Errorf("%d rows were written, %v", n, err)
		}
	})
}

// TestSilence: a database that takes too long is given up, and says so.
func TestSilence(t *testing.T) {
	slowly := map[engine]string{postgres: "select 1 as nr, pg_sleep(60)::text as s", mariadb: "select 1 as nr, sleep(60) as s",
		sqlite: "with recursive n(nr) as (select 1 union all select nr + 1 from n) select max(nr) as nr from n"}
	each(t, func(t *testing.T, r *rig) {
		s := Settings{Query: slowly[r.engine], Timeout: connector.Duration(3 * time.Second)} // long enough to connect
		if err := readError(t, r.source(t, s)); !strings.Contains(err.Error(), slow) {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		s.Timeout = 0
		src := r.source(t, s)
		err := eachRow(ctx, src, "", func(format.Row) {})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("stopped: %v", err)
		}
	})
}
