package storetest

import (
	"bytes"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// MariaDB is a private MariaDB server, and an empty database of it for one test. The user
// root signs in without a password.
type MariaDB struct {
	Addr     string // host:port
	Database string
	DB       *sql.DB // for the test's own statements
	// Authority (PEM) is what the server's certificate comes from; it takes connections in
	// clear, too.
	Authority []byte
}

// Maria returns a new, empty database of a private MariaDB server. It skips the test
// where MariaDB is not installed, and fails it when REEVE_REQUIRE_MARIADB=1.
func Maria(t testing.TB) MariaDB {
	t.Helper()
	m, err := sharedMaria()
	present(t, err, "MariaDB", "REEVE_REQUIRE_MARIADB")
	d := MariaDB{Addr: m.Addr(), Database: fmt.Sprintf("t%d", m.n.Add(1)), Authority: m.authority}
	if _, err := m.db.Exec("create database " + d.Database + " character set utf8mb4"); err != nil {
		t.Fatal(err)
	}
	if d.DB, err = m.open(d.Database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		d.DB.Close()
		if _, err := m.db.Exec("drop database " + d.Database); err != nil {
			t.Log(err)
		}
	})
	return d
}

type maria struct {
	server
	db        *sql.DB
	n         atomic.Int64
	authority []byte
}

// sharedMaria is the server of this test binary.
var sharedMaria = sync.OnceValues(func() (*maria, error) {
	bin, err := mariaBinary()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "reeve-maria-")
	if err != nil {
		return nil, err
	}
	m, err := startMaria(bin, dir)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return m, m.sweep()
})

// mariaBinary finds the server, whose package needs no service to be of use.
func mariaBinary() (string, error) {
	for _, f := range []string{"/usr/sbin/mariadbd", "/usr/libexec/mariadbd", "/opt/homebrew/bin/mariadbd", "/usr/local/bin/mariadbd"} {
		if _, err := os.Stat(f); err == nil {
			return f, nil
		}
	}
	if p, err := exec.LookPath("mariadbd"); err == nil {
		return p, nil
	}
	return "", errAbsent
}

func startMaria(bin, dir string) (*maria, error) {
	m := &maria{server: server{Dir: dir}}
	if err := m.own("mysql"); err != nil {
		return nil, err
	}
	if err := m.bootstrap(bin); err != nil {
		return nil, err
	}
	var err error
	if m.authority, err = m.certificate(m.Dir); err != nil {
		return nil, err
	}
	err = m.start(bin)
	for tries := 0; m.again(err, tries); tries++ {
		err = m.start(bin)
	}
	return m, err
}

func (m *maria) start(bin string) (err error) {
	if err := m.pickPort(); err != nil {
		return err
	}
	m.cmd = m.command(bin, append(m.args(), "--port="+strconv.Itoa(m.port), "--bind-address=127.0.0.1", "--socket="+filepath.Join(m.Dir, "s"),
		"--skip-name-resolve",
		"--ssl-cert="+filepath.Join(m.Dir, "server.crt"), "--ssl-key="+filepath.Join(m.Dir, "server.key"), "--max-connections=200", "--performance-schema=off")...)
	if err := m.run(); err != nil {
		return err
	}
	if m.db, err = m.open(""); err != nil {
		return err
	}
	return m.wait(m.db, "MariaDB", "select @@datadir")
}

func (m *maria) args() []string {
	return []string{"--no-defaults", "--datadir=" + filepath.Join(m.Dir, "data"), "--tmpdir=" + m.Dir, "--innodb-flush-log-at-trx-commit=0",
		"--innodb-flush-method=nosync", "--innodb-log-file-size=16M", "--innodb-buffer-pool-size=64M"}
}

// bootstrap makes the tables of the system, as mariadb-install-db does, which needs more
// packages than the server's own.
func (m *maria) bootstrap(bin string) error {
	share := "/usr/share/mysql"
	for _, f := range []string{"/usr/share/mariadb", filepath.Join(filepath.Dir(filepath.Dir(bin)), "share/mysql"), filepath.Join(filepath.Dir(filepath.Dir(bin)), "share/mariadb")} {
		if _, err := os.Stat(filepath.Join(f, "mysql_system_tables.sql")); err == nil {
			share = f
		}
	}
	if err := os.MkdirAll(filepath.Join(m.Dir, "data"), 0o755); err != nil {
		return err
	}
	if m.cred != nil {
		if err := os.Chown(filepath.Join(m.Dir, "data"), int(m.cred.Uid), int(m.cred.Gid)); err != nil {
			return err
		}
	}
	script := bytes.NewBufferString("create database mysql;\nuse mysql;\nset @skip_auth_anonymous=1;\nset @auth_root_socket=NULL;\n")
	for _, f := range []string{"mysql_system_tables.sql", "mysql_performance_tables.sql", "mysql_system_tables_data.sql"} {
		b, err := os.ReadFile(filepath.Join(share, f))
		if err != nil {
			return err
		}
		script.Write(b)
	}
	cmd := m.command(bin, append(m.args(), "--bootstrap", "--log-warnings=0")...)
	cmd.Stdin = script
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the system tables: %w: %s", err, out)
	}
	return nil
}

func (m *maria) open(database string) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.DBName, c.Logger = "tcp", m.Addr(), "root", database, &mysql.NopLogger{}
	c.Collation, c.Params = "utf8mb4_general_ci", map[string]string{"time_zone": "'+00:00'"}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}
