package sqldb

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
)

func TestKitSource(t *testing.T) {
	for name, s := range map[string]Settings{
		"cursor": {Table: "notices", Columns: map[string]string{"id": "id", "name": "/name", "amount": "amount"}, Cursor: "changed", Unique: []string{"nr"}},
		"query":  {Query: "select id, name, amount, changed, nr from notices where id is not null -- all", Columns: map[string]string{"id": "id", "name": "name", "amount": "amount"}, Cursor: "changed", Unique: []string{"nr"}},
		"full":   {Table: "notices", Columns: map[string]string{"id": "id", "name": "name", "amount": "amount"}, Unique: []string{"nr"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range []engine{postgres, mariadb, sqlite} {
				t.Run(string(e), func(t *testing.T) {
					connectortest.Source(t, func(t *testing.T) connectortest.SourceSetup { return kitSource(t, e, s) })
				})
			}
		})
	}
}

func kitSource(t *testing.T, e engine, s Settings) connectortest.SourceSetup {
	r := newRig(t, e)
	r.exec(t, "create table notices (nr integer primary key, id varchar(40), name varchar(200), amount numeric(10,2), changed "+r.per("timestamptz", "datetime(6)", "datetime")+")")
	proxy := r.through(t)
	n := 0
	setup := connectortest.SourceSetup{
		Full:    s.Cursor == "",
		Secrets: []string{"127.0.0.1", "kit-secret", "root@"},
		Open: func(t *testing.T) connector.Source {
			t.Setenv("KIT_PASSWORD", "kit-secret")
			c := r.config(s)
			if r.engine == postgres { // it trusts everybody here; MariaDB's root has none
				c.Auth.Password = "env:KIT_PASSWORD"
			}
			return r.sourceOf(t, c)
		},
		Add: func(t *testing.T, its []connector.Item) {
			for _, it := range its {
				n++
				var b struct {
					ID, Name string
					Amount   json.Number
				}
				if err := json.Unmarshal(it.Body, &b); err != nil {
					t.Fatal(err)
				}
				// Three rows share each value of the cursor.
				at := time.Date(2026, 3, 1, 12, 0, (n-1)/3, 0, time.UTC).Format("2006-01-02 15:04:05")
				r.exec(t, "insert into notices (nr, id, name, amount, changed) values (?, ?, ?, ?, ?)", n, b.ID, b.Name, b.Amount.String(), at)
			}
		},
	}
	if proxy != nil {
		setup.Down = func(_ *testing.T, down bool) { proxy.Down(down) }
		setup.Cut = func(*testing.T) {
			done := false
			proxy.CutWhen(func() bool { // the answer to the second query of rows, or late in the first
				done = done || proxy.Bytes() > 1200
				return done
			}, false)
		}
	} else {
		setup.Down = func(t *testing.T, down bool) {
			from, to := r.file, r.file+".away"
			if !down {
				from, to = to, from
			}
			if err := os.Rename(from, to); err != nil {
				t.Fatal(err)
			}
		}
	}
	return setup
}

func TestKitSink(t *testing.T) {
	for name, s := range map[string]Settings{
		"upsert":  {Table: "notices", Key: []string{"id"}},
		"staging": {Table: "notices", Delivery: "delivery", Body: "body", Columns: map[string]string{"name": "name"}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, e := range []engine{postgres, mariadb, sqlite} {
				t.Run(string(e), func(t *testing.T) {
					connectortest.Sink(t, func(t *testing.T) connectortest.Setup { return kitSink(t, e, s) })
				})
			}
		})
	}
}

func kitSink(t *testing.T, e engine, s Settings) connectortest.Setup {
	r := newRig(t, e)
	if s.Key != nil {
		r.exec(t, "create table notices (id varchar(40) primary key, name varchar(200), amount "+r.per("numeric(10,2)", "decimal(10,2)", "text")+")")
	} else {
		r.exec(t, "create table notices (nr "+r.per("serial", "integer auto_increment", "integer")+" primary key, delivery varchar(80) unique, name varchar(200), body text)")
	}
	proxy := r.through(t)
	hasty := s
	hasty.Timeout, s.Timeout = connector.Duration(2*time.Second), connector.Duration(2*time.Minute)
	to, soon := r.sink(t, s), r.sink(t, hasty)
	healthy := func() {}
	return connectortest.Setup{Sink: to, Hasty: soon, Waits: true, Repeats: true,
		Effects: func() (all []connectortest.Effect) {
			healthy()
			healthy = func() {}
			return r.effects(t, s)
		},
		Behave: func(m connectortest.Mode) bool {
			healthy()
			healthy = func() {}
			undo, ok := r.misbehave(t, map[bool]*Sink{true: soon, false: to}[m == connectortest.SilentAfterTake], proxy, m)
			if ok {
				healthy = undo
			}
			return ok
		},
	}
}

func (r *rig) effects(t *testing.T, s Settings) (all []connectortest.Effect) {
	t.Helper()
	q := "select id, name, amount from notices"
	if s.Key == nil {
		q = "select delivery, name, body from notices"
	}
	rows, err := r.DB.Query(q)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var id, name, third string
		if err := rows.Scan(&id, &name, &third); err != nil {
			t.Fatal(err)
		}
		if s.Key != nil {
			third = fmt.Sprintf(`{"id":%q,"name":%q,"amount":%s}`, id, name, third)
		}
		all = append(all, connectortest.Effect{ID: id, Body: third})
	}
	return all
}

// misbehave makes the database behave so, and returns what makes it well again.
func (r *rig) misbehave(t *testing.T, to *Sink, proxy *connectortest.Proxy, m connectortest.Mode) (well func(), ok bool) {
	nothing := func() {}
	switch {
	case m == connectortest.Healthy:
		return nothing, true
	case m == connectortest.Down && proxy != nil:
		proxy.Down(true)
		return func() { proxy.Down(false) }, true
	case m == connectortest.Busy:
		conn, err := r.DB.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range map[engine][]string{postgres: {"begin", "lock table notices"}, mariadb: {"lock tables notices write"}, sqlite: {"begin immediate"}}[r.engine] {
			if _, err := conn.ExecContext(context.Background(), q); err != nil {
				t.Fatal(err)
			}
		}
		return func() {
			if _, err := conn.ExecContext(context.Background(), r.per("rollback", "unlock tables", "rollback")); err != nil {
				t.Error(err)
			}
			conn.Close()
		}, true
	case m == connectortest.Refusing:
		r.refuseAll(t)
		return nothing, true
	case (m == connectortest.DyingAfterTake || m == connectortest.SilentAfterTake) && proxy != nil:
		to.look(context.Background())    // so that only the transaction passes
		r.exec(t, "delete from notices") // so that a row that is there was taken now
		proxy.CutWhen(r.committed(t), m == connectortest.SilentAfterTake)
		return func() { proxy.CutWhen(nil, false); proxy.Break() }, true
	}
	return nothing, false
}

// refuseAll makes the database's own rule refuse every row, and say its values.
func (r *rig) refuseAll(t *testing.T) {
	switch r.engine {
	case postgres:
		r.exec(t, `create function no() returns trigger language plpgsql as $$ begin raise exception 'we do not take %', new.name; end $$`)
		r.exec(t, `create trigger no before insert on notices for each row execute function no()`)
	case mariadb:
		r.exec(t, `create trigger no before insert on notices for each row begin declare m varchar(100); set m = concat('we do not take ', new.name); signal sqlstate '45000' set message_text = m; end`)
	default:
		r.exec(t, `create trigger no before insert on notices begin select raise(abort, 'we do not take this'); end`)
	}
}

// committed tells whether rows have come to be there, seen from outside.
func (r *rig) committed(t *testing.T) func() bool {
	before := 0
	if err := r.DB.QueryRow("select count(*) from notices").Scan(&before); err != nil {
		t.Fatal(err)
	}
	var seen atomic.Bool
	return func() bool {
		n := 0
		if err := r.DB.QueryRow("select count(*) from notices").Scan(&n); err == nil && n > before {
			seen.Store(true)
		}
		return seen.Load()
	}
}
