package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
)

// rig is a real, empty database of one engine.
type rig struct {
	engine
	DB      *sql.DB // for the test's own statements
	address string
	addr    string // host:port of the server, "" for a file
	user    string
	file    string
}

func newRig(t testing.TB, e engine) *rig {
	t.Helper()
	r := &rig{engine: e}
	switch e {
	case postgres:
		u, err := url.Parse(storetest.Postgres(t))
		if err != nil {
			t.Fatal(err)
		}
		if r.DB, err = sql.Open("pgx", u.String()+"&timezone=UTC"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.DB.Close() })
		r.addr, r.user, r.address = u.Host, u.User.Username(), "postgres://"+u.Host+u.Path
	case mariadb:
		m := storetest.Maria(t)
		r.DB, r.addr, r.user, r.address = m.DB, m.Addr, "root", "mariadb://"+m.Addr+"/"+m.Database
	default:
		r.file = filepath.Join(t.TempDir(), "tärget #1?.db")
		r.address = "sqlite://" + (&url.URL{Path: r.file}).EscapedPath()
		var err error
		if r.DB, err = sql.Open("sqlite", "file:"+(&url.URL{Path: r.file}).EscapedPath()+"?_pragma=busy_timeout(300000)"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { r.DB.Close() })
		r.exec(t, "pragma journal_mode = wal")
	}
	return r
}

// each runs fn on every engine.
func each(t *testing.T, fn func(t *testing.T, r *rig)) {
	for _, e := range []engine{postgres, mariadb, sqlite} {
		t.Run(string(e), func(t *testing.T) { fn(t, newRig(t, e)) })
	}
}

func (r *rig) exec(t testing.TB, q string, args ...any) {
	t.Helper()
	if _, err := r.DB.ExecContext(context.Background(), r.marks(q), args...); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

// marks writes ? as the engine wants it.
func (r *rig) marks(q string) string {
	if r.engine != postgres {
		return q
	}
	for n := 1; strings.Contains(q, "?"); n++ {
		q = strings.Replace(q, "?", fmt.Sprintf("$%d", n), 1)
	}
	return q
}

// per picks the word of an engine.
func (r *rig) per(pg, maria, lite string) string {
	return map[engine]string{postgres: pg, mariadb: maria, sqlite: lite}[r.engine]
}

func (r *rig) config(s Settings) connector.Config {
	if s.Cursor != "" && s.Lag == nil {
		s.Lag = new(connector.Duration)
	}
	return connector.Config{ID: "if-1", Address: r.address, Settings: &s, Auth: connector.Auth{User: r.user},
		Host: connector.Host{Now: time.Now, Secret: func(ref connector.Ref) (string, error) {
			return os.Getenv(strings.TrimPrefix(string(ref), "env:")), nil
		}}}
}

// through puts a proxy between us and the server; nil for a file.
func (r *rig) through(t testing.TB) *connectortest.Proxy {
	if r.addr == "" {
		return nil
	}
	p := connectortest.NewProxy(t, r.addr)
	r.address = strings.Replace(r.address, r.addr, p.Addr, 1)
	return p
}

func (r *rig) source(t testing.TB, s Settings) *Source {
	t.Helper()
	return r.sourceOf(t, r.config(s))
}

func (r *rig) sourceOf(t testing.TB, c connector.Config) *Source {
	t.Helper()
	src, err := newSource(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

func (r *rig) sink(t testing.TB, s Settings) *Sink {
	t.Helper()
	to, err := newSink(r.config(s))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { to.Close() })
	return to
}

// one is what a single item becomes.
func one(t testing.TB, to connector.Sink, id, body string) connector.Result {
	t.Helper()
	return to.Send(t.Context(), []connector.Item{{ID: id, Key: id, Body: []byte(body)}})[0]
}

// eachRow hands over every row that is there after position.
func eachRow(ctx context.Context, src connector.Source, after string, fn func(format.Row)) error {
	return src.Read(ctx, after, func(p connector.Portion) error {
		r, err := p.Open(ctx)
		if err != nil {
			return err
		}
		defer r.Close()
		for {
			row, err := r.Next()
			if err == io.EOF {
				return nil
			}
			if err != nil {
				return err
			}
			fn(row)
		}
	})
}

// bodies reads everything that is there after position, and returns where to go on.
func bodies(t testing.TB, src connector.Source, after string) (all []string, position string) {
	t.Helper()
	position = after
	if err := eachRow(t.Context(), src, after, func(row format.Row) {
		position = row.Position
		if row.Problem != "" {
			all = append(all, "problem: "+row.Problem)
		} else {
			all = append(all, string(row.Body))
		}
	}); err != nil {
		t.Fatal(err)
	}
	return all, position
}
