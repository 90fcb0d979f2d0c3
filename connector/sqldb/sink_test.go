package sqldb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
)

func outcomes(rs []connector.Result) (all []connector.Outcome) {
	for _, r := range rs {
		all = append(all, r.Outcome)
	}
	return all
}

func (r *rig) strings(t testing.TB, q string) (all []string) {
	t.Helper()
	rows, err := r.DB.Query(q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		s := ""
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// TestPoison: a record that the database refuses holds nobody back but its own key.
func TestPoison(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table p (id integer primary key, v varchar(100) check (v <> 'bad'))")
		c := r.config(Settings{Table: "p", Key: []string{"id"}})
		c.Ordered = true
		to, err := newSink(c)
		if err != nil {
			t.Fatal(err)
		}
		defer to.Close()
		item := func(key, body string) connector.Item {
			return connector.Item{ID: body, Key: key, Body: []byte(body)}
		}
		rs := to.Send(t.Context(), []connector.Item{
			item("1", `{"id":1,"v":"a"}`), item("2", `{"id":2,"v":"bad"}`), item("2", `{"id":2,"v":"after"}`), item("1", `{"id":1,"v":"b"}`),
			item("3", `{"no":true}`), item("3", `{"id":3,"v":"after"}`), item("", `{"id":4,"v":"d"}`)})
		want := []connector.Outcome{connector.Delivered, connector.Refused, connector.Untried, connector.Delivered, connector.Refused, connector.Untried, connector.Delivered}
		if got := outcomes(rs); !slices.Equal(got, want) {
			t.Errorf("%v, want %v: %v", got, want, rs)
		}
		if got := r.strings(t, "select v from p order by id"); !slices.Equal(got, []string{"b", "d"}) {
			t.Errorf("%q", got)
		}
	})
}

// TestUpsert: the last of a key stands, columns that a record does not have stay as they
// are, and those that are named under columns are emptied.
func TestUpsert(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table u (own "+r.per("serial", "integer auto_increment", "integer")+" primary key, area varchar(10), nr integer, v varchar(10), w varchar(10) default 'none', unique (area, nr))")
		to := r.sink(t, Settings{Table: "u", Key: []string{"nr", "area"}})
		var its []connector.Item
		for i := range 40 {
			its = append(its, connector.Item{ID: fmt.Sprint(i), Body: fmt.Appendf(nil, `{"area":"a%d","nr":1,"v":"v%d"}`, i%4, i)})
		}
		its = append(its, connector.Item{ID: "x", Body: []byte(`{"area":"a0","nr":1,"w":"w"}`)})
		for range 2 {
			if rs := to.Send(t.Context(), its); slices.ContainsFunc(rs, func(r connector.Result) bool { return r.Outcome != connector.Delivered }) {
				t.Fatal(rs)
			}
		}
		if got := r.strings(t, "select v from u order by area"); !slices.Equal(got, []string{"v36", "v37", "v38", "v39"}) {
			t.Errorf("%q", got)
		}
		if got := r.strings(t, "select w from u order by area"); !slices.Equal(got, []string{"w", "none", "none", "none"}) {
			t.Errorf("%q", got)
		}
		to = r.sink(t, Settings{Table: "u", Key: []string{"nr", "area"}, Columns: map[string]string{"nr": "nr", "area": "area", "v": "v"}})
		if res := one(t, to, "1", `{"area":"a0","nr":1}`); res.Outcome != connector.Delivered {
			t.Error(res)
		}
		if got := r.strings(t, "select coalesce(v, 'empty') from u where area = 'a0'"); !slices.Equal(got, []string{"empty"}) {
			t.Errorf("%q", got)
		}
		only := r.sink(t, Settings{Table: "u", Key: []string{"nr", "area"}, Columns: map[string]string{"nr": "nr", "area": "area"}})
		for range 2 { // nothing but the key
			if res := one(t, only, "1", `{"area":"b","nr":1}`); res.Outcome != connector.Delivered {
				t.Error(res)
			}
		}
	})
}

// TestOtherIndex: a record never changes a row that it only shares another unique value with.
func TestOtherIndex(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table o (id integer primary key, mail varchar(50) unique, d varchar(50) unique)")
		r.exec(t, "insert into o values (1, 'a@x', 'one')")
		to := r.sink(t, Settings{Table: "o", Key: []string{"id"}})
		if res := one(t, to, "1", `{"id":2,"mail":"a@x"}`); res.Outcome != connector.Refused || !strings.Contains(res.Message, duplicate) {
			t.Errorf("%+v", res)
		}
		staged := r.sink(t, Settings{Table: "o", Delivery: "d", Columns: map[string]string{"id": "id", "mail": "mail"}})
		if res := one(t, staged, "two", `{"id":2,"mail":"a@x"}`); res.Outcome != connector.Refused {
			t.Errorf("%+v", res)
		}
		if res := one(t, staged, "one", `{"id":2,"mail":"b@x"}`); res.Outcome != connector.Delivered { // is there already
			t.Errorf("%+v", res)
		}
		if got := r.strings(t, "select mail from o"); !slices.Equal(got, []string{"a@x"}) {
			t.Errorf("%q", got)
		}
	})
}

// TestUnfit: a table that cannot keep the promises is not written.
func TestUnfit(t *testing.T) {
	each(t, func(t *testing.T, r *rig) {
		r.exec(t, "create table n (id integer, v varchar(10))")
		for _, s := range []Settings{{Table: "n", Key: []string{"id"}}, {Table: "n", Delivery: "v", Columns: map[string]string{"id": "id"}}} {
			if res := one(t, r.sink(t, s), "1", `{"id":1}`); res.Outcome != connector.Later || !strings.Contains(res.Message, "no unique index") {
				t.Errorf("%+v", res)
			}
		}
		if res := one(t, r.sink(t, Settings{Table: "n", Key: []string{"nr"}}), "1", `{"id":1}`); res.Outcome != connector.Later || !strings.Contains(res.Message, `no column "nr"`) {
			t.Errorf("%+v", res)
		}
		if r.engine == mariadb {
			r.exec(t, "create table m (id integer primary key) engine=MyISAM")
			if res := one(t, r.sink(t, Settings{Table: "m", Key: []string{"id"}}), "1", `{"id":1}`); res.Outcome != connector.Later || !strings.Contains(res.Message, "without transactions") {
				t.Errorf("%+v", res)
			}
		}
	})
}

// TestDeferred: what the database says only at the end is of one record all the same.
func TestDeferred(t *testing.T) {
	for _, e := range []engine{postgres, sqlite} {
		t.Run(string(e), func(t *testing.T) {
			r := newRig(t, e)
			r.exec(t, "create table parent (id integer primary key)")
			r.exec(t, "create table child (id integer primary key, p integer references parent (id) deferrable initially deferred)")
			r.exec(t, "insert into parent values (1)")
			to := r.sink(t, Settings{Table: "child", Key: []string{"id"}})
			rs := to.Send(t.Context(), []connector.Item{{ID: "1", Body: []byte(`{"id":1,"p":1}`)}, {ID: "2", Body: []byte(`{"id":2,"p":2}`)}, {ID: "3", Body: []byte(`{"id":3,"p":1}`)}})
			if got := outcomes(rs); !slices.Equal(got, []connector.Outcome{connector.Delivered, connector.Refused, connector.Delivered}) {
				t.Error(rs)
			}
		})
	}
}

// TestKilled: a connection that is killed in the middle of a transaction leaves nothing
// behind, is told as not taken, and the repeat has one effect.
func TestKilled(t *testing.T) {
	for _, e := range []engine{postgres, mariadb} {
		t.Run(string(e), func(t *testing.T) {
			r := newRig(t, e)
			r.exec(t, "create table k (id integer primary key, v varchar(20))")
			r.exec(t, "insert into k values (99, 'locked')")
			to := r.sink(t, Settings{Table: "k", Key: []string{"id"}})
			if res := one(t, to, "0", `{"id":0}`); res.Outcome != connector.Delivered {
				t.Fatal(res)
			}
			its := []connector.Item{{ID: "1", Body: []byte(`{"id":1,"v":"x"}`)}, {ID: "2", Body: []byte(`{"id":2}`)}, {ID: "3", Body: []byte(`{"id":99,"v":"y"}`)}}
			lock, err := r.DB.Begin() // it waits here, with its first rows written
			if err != nil {
				t.Fatal(err)
			}
			if _, err := lock.Exec("update k set v = 'mine' where id = 99"); err != nil {
				t.Fatal(err)
			}
			var rs []connector.Result
			for killed := false; !killed; { // once more where it did not wait for long enough
				done := make(chan []connector.Result, 1)
				go func() { done <- to.Send(context.Background(), its) }()
				killed = r.killWaiting(t, done)
				rs = <-done
			}
			if err := lock.Rollback(); err != nil {
				t.Fatal(err)
			}
			if got := outcomes(rs); !slices.Equal(got, []connector.Outcome{connector.Later, connector.Later, connector.Later}) {
				t.Errorf("%+v", rs)
			}
			if got := r.strings(t, "select id from k order by id"); !slices.Equal(got, []string{"0", "99"}) {
				t.Errorf("left behind: %q", got)
			}
			for range 2 {
				if rs := to.Send(t.Context(), its); !slices.Equal(outcomes(rs), []connector.Outcome{connector.Delivered, connector.Delivered, connector.Delivered}) {
					t.Errorf("%+v", rs)
				}
			}
			if got := r.strings(t, "select id from k order by id"); !slices.Equal(got, []string{"0", "1", "2", "99"}) {
				t.Errorf("%q", got)
			}
		})
	}
}

// killWaiting waits for a connection that waits for a lock, and kills it: false where
// it gave up before.
func (r *rig) killWaiting(t *testing.T, done chan []connector.Result) bool {
	t.Helper()
	q := r.per("select pid from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()",
		"select p.id from information_schema.processlist p where p.db = database() and p.command = 'Execute' and p.info like 'insert%' and p.time_ms > 100", "")
	for len(done) == 0 {
		if ids := r.strings(t, q); len(ids) > 0 {
			if r.engine == mariadb {
				_, err := r.DB.Exec("kill " + ids[0])
				return err == nil // else it is gone
			}
			var killed bool
			if err := r.DB.QueryRow("select pg_terminate_backend($1)", ids[0]).Scan(&killed); err != nil {
				t.Fatal(err)
			}
			return killed
		}
		time.Sleep(20 * time.Millisecond)
	}
	return false
}

// TestUnclearOnce: many calls, of which many are cut off at COMMIT; every record is there
// once, as it was sent.
func TestUnclearOnce(t *testing.T) {
	for _, e := range []engine{postgres, mariadb} {
		t.Run(string(e), func(t *testing.T) {
			r := newRig(t, e)
			r.exec(t, "create table s (nr "+r.per("serial", "integer auto_increment", "")+" primary key, delivery varchar(20) unique, body text)")
			proxy := r.through(t)
			to := r.sink(t, Settings{Table: "s", Delivery: "delivery", Body: "body"})
			seen := map[connector.Outcome]int{}
			for call := range 150 {
				its := []connector.Item{{ID: fmt.Sprint("a", call), Body: fmt.Appendf(nil, `{"n":%d}`, call)}, {ID: fmt.Sprint("b", call), Body: []byte(`{}`)}}
				proxy.CutAfter(int64(call * 3)) // somewhere, also after the COMMIT
				for range 20 {
					rs := to.Send(t.Context(), its)
					if seen[rs[0].Outcome]++; rs[0].Outcome == connector.Delivered && rs[1].Outcome == connector.Delivered {
						break
					}
				}
			}
			if n := r.strings(t, "select count(*) from s")[0]; n != "300" {
				t.Errorf("%s rows, want 300", n)
			}
			if n := r.strings(t, "select count(distinct delivery) from s")[0]; n != "300" {
				t.Errorf("%s deliveries, want 300", n)
			}
			if seen[connector.Later] == 0 || seen[connector.Unclear] == 0 || seen[connector.Refused] > 0 {
				t.Errorf("what was seen: %v", seen)
			}
		})
	}
}

// TestCheck: what cannot work is told before anything runs.
func TestCheck(t *testing.T) {
	if _, err := Connector.Source(connector.Config{Address: "postgres://h/d", Settings: &Settings{Table: "t"}}); err == nil || !strings.Contains(err.Error(), "auth.user") {
		t.Errorf("without a user: %v", err)
	}
	for want, c := range map[string]connector.Config{
		"table":   {Settings: &Settings{}},
		"query":   {Settings: &Settings{Query: "select 1;"}},
		"unique":  {Settings: &Settings{Table: "t", Cursor: "c"}},
		"lag":     {Settings: &Settings{Table: "t", Lag: new(connector.Duration)}},
		"key":     {Settings: &Settings{Table: "t", Key: []string{"a"}, Columns: map[string]string{"b": "b"}}},
		"key[1]":  {Settings: &Settings{Table: "t", Key: []string{"a", "a"}}},
		"cursor":  {Settings: &Settings{Table: "t", Cursor: "a\x00b", Unique: []string{"u"}}},
		"zone":    {Settings: &Settings{Table: "t", Zone: "Moon/Base"}},
		"":        {Settings: &Settings{Table: "t"}, Address: "postgres://host"},
		"columns": {Settings: &Settings{Table: "t", Columns: map[string]string{"": "x"}}},
	} {
		var paths []string
		Connector.Check(c, func(path, message string) {
			if paths = append(paths, path); message == "" {
				t.Errorf("%s: no message", path)
			}
		})
		if !slices.Contains(paths, want) {
			t.Errorf("problems at %q, want one at %q", paths, want)
		}
	}
	for _, address := range []string{"postgres://h/d", "postgresql://h:1/d", "mariadb://[::1]/d", "mysql://h/d", "sqlite:///a/b.db", ""} {
		Connector.Check(connector.Config{Address: address, Auth: connector.Auth{User: "u"}, Settings: &Settings{Table: "t", Cursor: "c", Unique: []string{"u"}, Key: []string{"u"}}}, func(path, message string) {
			t.Errorf("%s: %s: %s", address, path, message)
		})
	}
	for _, s := range []Settings{{Query: "select 1"}, {Table: "t"}} {
		if _, err := Connector.Sink(connector.Config{Address: "sqlite:///x", Settings: &s}); err == nil {
			t.Errorf("%+v can be written", s)
		}
	}
}
