package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Postgres returns the URL of a new, empty PostgreSQL database. It skips the test
// where PostgreSQL is not installed, and fails it when REEVE_REQUIRE_POSTGRES=1.
func Postgres(t testing.TB) string {
	t.Helper()
	c, err := shared()
	present(t, err)
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
	present(t, err)
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

func present(t testing.TB, err error) {
	t.Helper()
	if errors.Is(err, errAbsent) && os.Getenv("REEVE_REQUIRE_POSTGRES") != "1" {
		t.Skip("PostgreSQL is not installed: make test installs it")
	}
	if err != nil {
		t.Fatal(err)
	}
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

// sweep starts a process that stops the server and removes its folder when this
// one ends, however it ends: its standard input is then at its end.
func (c *Cluster) sweep() error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer r.Close()
	cmd := exec.Command("/bin/sh", "-c", `read x; kill -QUIT "$1" 2>/dev/null; while kill -0 "$1" 2>/dev/null; do sleep 0.1; done; rm -rf "$2"`,
		"sweep", strconv.Itoa(c.cmd.Process.Pid), c.Dir)
	cmd.Stdin = r
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.sweeper = w
	return cmd.Start()
}

var errAbsent = errors.New("PostgreSQL is not installed")

// Cluster is a private PostgreSQL server. It dies with this process.
type Cluster struct {
	Dir   string
	port  int
	cred  *syscall.Credential
	cmd   *exec.Cmd
	ended chan struct{} // closed when the server process is gone
	n     atomic.Int64
	db    *sql.DB
	fs    bool

	sweeper *os.File // kept open as long as this process lives
}

// StartCluster makes and starts a cluster in an empty or earlier used folder.
// With fsync it waits for the disk as in production.
func StartCluster(dir string, fsync bool) (*Cluster, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	c := &Cluster{Dir: dir, fs: fsync}
	if os.Getuid() == 0 { // the server refuses to run as root
		if c.cred, err = credential(); err != nil {
			return nil, err
		}
		for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
			os.Chmod(d, 0o755)
		}
		if err := os.Chown(dir, int(c.cred.Uid), int(c.cred.Gid)); err != nil {
			return nil, err
		}
	}
	data := filepath.Join(dir, "data")
	if _, err := os.Stat(data); err != nil {
		out, err := c.command(filepath.Join(bin, "initdb"), "-D", data, "-U", "reeve", "-A", "trust", "-N", "-E", "UTF8", "--no-locale").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("initdb: %w: %s", err, out)
		}
	}
	return c, c.Start()
}

// Start starts the server and waits until it answers.
func (c *Cluster) Start() error {
	bin, err := binaries()
	if err != nil {
		return err
	}
	if c.port == 0 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		c.port = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	fs := "off"
	if c.fs {
		fs = "on"
	}
	log, err := os.OpenFile(filepath.Join(c.Dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	c.cmd = c.command(filepath.Join(bin, "postgres"), "-D", filepath.Join(c.Dir, "data"), "-p", strconv.Itoa(c.port), "-k", c.Dir,
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync="+fs, "-c", "max_connections=200", "-c", "shared_buffers=64MB", "-c", "autovacuum=off")
	c.cmd.Stdout, c.cmd.Stderr = log, log
	started := make(chan error)
	c.ended = make(chan struct{})
	go func() {
		defer close(c.ended)
		// The parent-death signal is tied to the thread that starts the child: keep it.
		runtime.LockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	if c.db == nil {
		if c.db, err = sql.Open("pgx", c.URL("postgres")); err != nil {
			return err
		}
	}
	for range 300 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		err = c.db.PingContext(ctx)
		cancel()
		if err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.Kill()
	b, _ := os.ReadFile(filepath.Join(c.Dir, "server.log"))
	return fmt.Errorf("PostgreSQL does not answer: %w: %s", err, b)
}

// Kill ends the server and all its processes at once, as kill -9 does.
func (c *Cluster) Kill() {
	pid := c.cmd.Process.Pid
	all := append([]int{pid}, children(pid)...)
	for _, p := range all {
		syscall.Kill(p, syscall.SIGKILL)
	}
	<-c.ended
	for _, p := range all[1:] { // they hold the shared memory until they are gone
		for syscall.Kill(p, 0) == nil {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func children(pid int) (all []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		// "pid (name) state ppid ...": the name may hold anything but is in brackets.
		i := strings.LastIndexByte(string(b), ')')
		fields := strings.Fields(string(b[i+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			if n, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
				all = append(all, n)
			}
		}
	}
	return all
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

func (c *Cluster) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = c.Dir
	// SIGQUIT makes the server's processes stop at once and leave nothing behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	return cmd
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

func credential() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err := errors.Join(err1, err2); err != nil {
			return nil, err
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.New("no user to run PostgreSQL as: the server refuses root")
}
