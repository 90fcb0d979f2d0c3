package storetest

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// Postgres returns the URL of a new, empty PostgreSQL database. It skips the test
// where PostgreSQL is not installed, and fails it when REEVE_REQUIRE_POSTGRES=1.
func Postgres(t testing.TB) string {
	t.Helper()
	c, err := shared()
	present(t, err, "PostgreSQL", "REEVE_REQUIRE_POSTGRES")
	name := fmt.Sprintf("t%d_%d", os.Getpid(), c.n.Add(1))
	if err := c.exec("create database " + name); err != nil {
		t.Fatal(err)
	}
	// Registered before the database is opened, so it runs after it was closed.
	t.Cleanup(func() {
		if err := c.exec("drop database " + name + " with (force)"); err != nil {
			t.Log(err)
		}
	})
	return c.URL(name)
}

// Private starts a cluster for one test alone, which may kill and start it.
func Private(t testing.TB, fsync bool) *Cluster {
	t.Helper()
	_, err := binaries()
	present(t, err, "PostgreSQL", "REEVE_REQUIRE_POSTGRES")
	dir, err := os.MkdirTemp("", "reeve-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	c, err := StartCluster(dir, fsync)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Kill)
	return c
}

// shared is the cluster of this test binary.
var shared = sync.OnceValues(func() (*Cluster, error) {
	dir, err := os.MkdirTemp("", "reeve-pg-")
	if err != nil {
		return nil, err
	}
	c, err := StartCluster(dir, false)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return c, c.sweep()
})

// Cluster is a private PostgreSQL server. It dies with this process.
type Cluster struct {
	server
	n  atomic.Int64
	db *sql.DB
	fs bool
}

// StartCluster makes and starts a cluster in an empty or earlier used folder.
// With fsync it waits for the disk as in production.
func StartCluster(dir string, fsync bool) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	c := &Cluster{server: server{Dir: dir}, fs: fsync}
	if err := c.own("postgres"); err != nil {
		return nil, err
	}
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(data); err != nil {
		out, err := c.command(filepath.Join(bin, "initdb"), "-D", data, "-U", "reeve", "-A", "trust", "-N", "-E", "UTF8", "--no-locale").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("initdb: %w: %s", err, out)
		}
	}
	err = c.Start()
	for tries := 0; c.again(err, tries); tries++ {
		c.db = nil
		err = c.Start()
	}
	return c, err
}

// Start starts the server and waits until it answers.
func (c *Cluster) Start() error {
	bin, err := binaries()
	if err != nil {
		return err
	}
	if err := c.pickPort(); err != nil {
		return err
	}
	fs := "off"
	if c.fs {
		fs = "on"
	}
	c.cmd = c.command(filepath.Join(bin, "postgres"), "-D", filepath.Join(c.Dir, "data"), "-p", strconv.Itoa(c.port), "-k", c.Dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync="+fs, "-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "autovacuum=off")
	if err := c.run(); err != nil {
		return err
	}
	if c.db == nil {
		if c.db, err = sql.Open("pgx", c.URL("postgres")); err != nil {
			return err
		}
	}
	return c.wait(c.db, "PostgreSQL", "show data_directory")
}

// Encrypt lets the server encrypt connections, and returns the authority (PEM) that its
// certificate comes from.
func (c *Cluster) Encrypt() (authority []byte, err error) {
	if authority, err = c.certificate(filepath.Join(c.Dir, "data")); err == nil {
		err = c.exec("alter system set ssl = on")
	}
	if err == nil {
		err = c.exec("select pg_reload_conf()")
	}
	return authority, err
}

// URL names a database of the cluster.
func (c *Cluster) URL(db string) string {
	u := url.URL{Scheme: "postgres", User: url.User("reeve"), Host: "127.0.0.1:" + strconv.Itoa(c.port), Path: "/" + db, RawQuery: "sslmode=disable"}
	return u.String()
}

func (c *Cluster) exec(q string) error {
	_, err := c.db.Exec(q)
	return err
}

func binaries() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) > 0 {
		slices.Sort(found)
		return filepath.Dir(found[len(found)-1]), nil
	}
	if p, err := exec.LookPath("postgres"); err == nil {
		return filepath.Dir(p), nil
	}
	return "", errAbsent
}
