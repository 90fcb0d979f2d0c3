package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var errAbsent = errors.New("is not installed")

// present skips a test where a server is not installed, or fails it if it is required.
func present(t testing.TB, err error, name, require string) {
	t.Helper()
	if errors.Is(err, errAbsent) && os.Getenv(require) != "1" {
		t.Skipf("%s is not installed: make test installs it", name)
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}

// server is a private database server in a folder. It dies with this process.
type server struct {
	Dir   string
	port  int
	cred  *syscall.Credential
	cmd   *exec.Cmd
	ended chan struct{} // closed when the server process is gone

	sweeper *os.File // kept open as long as this process lives
}

// own gives the folder to a user that the server may run as, where we are root.
func (c *server) own(name string) (err error) {
	if os.Getuid() != 0 { // the server refuses to run as root
		return nil
	}
	if c.cred, err = credential(name); err != nil {
		return err
	}
	for d := c.Dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) {
		os.Chmod(d, 0o755)
	}
	return os.Chown(c.Dir, int(c.cred.Uid), int(c.cred.Gid))
}

// pickPort finds a free port, once. It is below those that a system hands out to whoever
// asks for any: nobody gets it before the server does, nor while it is killed.
func (c *server) pickPort() error {
	if c.port != 0 {
		return nil
	}
	for range 1000 {
		port := 11_000 + rand.IntN(20_000)
		if l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port)); err == nil {
			c.port = port
			return l.Close()
		}
	}
	return errors.New("no port is free")
}

// Addr is where it listens.
func (c *server) Addr() string { return "127.0.0.1:" + strconv.Itoa(c.port) }

// run starts cmd.
func (c *server) run() error {
	log, err := os.OpenFile(filepath.Join(c.Dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
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
	return <-started
}

// taken is what a server says, and we of it, whose port somebody else has.
const taken = "address already in use"

// again reports whether a server that did not start may start at another port.
func (c *server) again(err error, tries int) bool {
	if err == nil || tries == 5 || !strings.Contains(strings.ToLower(err.Error()), taken) {
		return false
	}
	c.port = 0
	return true
}

// answers asks the server for its folder: that of another test's may have the port.
func (c *server) answers(db *sql.DB, folder string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var got string
	if err := db.QueryRowContext(ctx, folder).Scan(&got); err != nil {
		return err
	}
	ours, err1 := os.Stat(filepath.Join(c.Dir, "data"))
	theirs, err2 := os.Stat(got)
	if err1 != nil || err2 != nil || !os.SameFile(ours, theirs) {
		return errors.New(taken)
	}
	return nil
}

// wait waits until it answers, with its folder.
func (c *server) wait(db *sql.DB, name, folder string) (err error) {
wait:
	for range 6000 { // five minutes: a busy machine is slow
		err = c.answers(db, folder)
		if err == nil {
			return nil
		}
		select {
		case <-c.ended: // it says why
			break wait
		case <-time.After(50 * time.Millisecond):
		}
	}
	c.Kill()
	b, _ := os.ReadFile(filepath.Join(c.Dir, "server.log"))
	return fmt.Errorf("%s does not answer: %w: %s", name, err, b)
}

// sweep starts a process that stops the server and removes its folder when this
// one ends, however it ends: its standard input is then at its end.
func (c *server) sweep() error {
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

// Kill ends the server and all its processes at once, as kill -9 does.
func (c *server) Kill() {
	pid := c.cmd.Process.Pid
	syscall.Kill(pid, syscall.SIGSTOP) // nobody is born between the look at its children and its end
	for range 1000 {
		if s := state(pid); s == 'T' || s == 'Z' || s == 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	all := append([]int{pid}, children(pid)...)
	for _, p := range all {
		syscall.Kill(p, syscall.SIGKILL)
	}
	<-c.ended
	for _, p := range all[1:] { // they hold the shared memory until they are gone
		for alive(p) {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// alive tells whether a process runs. One that has ended and that nobody has asked about
// does not: not every machine's first process asks.
func alive(pid int) bool {
	return syscall.Kill(pid, 0) == nil && state(pid) != 'Z'
}

// state is what a process does, as /proc says it with a letter; 0 where it says nothing.
func state(pid int) byte {
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	// "pid (name) state ppid ...": the name may hold anything but is in brackets.
	i := strings.LastIndexByte(string(b), ')')
	if err != nil || i < 0 || i+2 >= len(b) {
		return 0
	}
	return b[i+2]
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

func (c *server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = c.Dir
	// SIGQUIT makes the server's processes stop at once and leave nothing behind.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: c.cred, Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	return cmd
}

func credential(first string) (*syscall.Credential, error) {
	for _, name := range []string{first, "nobody"} {
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
	return nil, errors.New("no user to run the server as: it refuses root")
}
