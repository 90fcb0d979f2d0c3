// Package sshd runs a private OpenSSH server for tests, as the user of the test: the
// program that Debian installs, on a free port of 127.0.0.1, with keys of its own. It
// reads nothing of the machine's own configuration.
package sshd

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
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

	"golang.org/x/crypto/ssh"

	"github.com/reeve-civic/reeve/connector/connectortest"
)

// Server is a running server.
type Server struct {
	Addr    string // host:port
	User    string // who may sign in
	Dir     string // a folder for files
	Key     string // private key of the user (PEM)
	HostKey string // public key of the server, as a line of authorized_keys
	Pid     int

	folder string // of its own
	cmd    *exec.Cmd
	ended  chan struct{}
}

// Start starts a server that stops with the test. It skips the test where OpenSSH's
// server is not installed, and fails it when REEVE_REQUIRE_SSHD=1.
//
// prefix is a command that runs the server, if any; %DIR stands for Server.Dir.
func Start(t testing.TB, prefix ...string) *Server {
	t.Helper()
	bin, err := binary()
	if errors.Is(err, errAbsent) && os.Getenv("REEVE_REQUIRE_SSHD") != "1" {
		t.Skip("OpenSSH's server is not installed: make test installs it")
	}
	if err != nil {
		t.Fatal(err)
	}
	s, err := prepare(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for tries := 1; ; tries++ {
		s.Addr = connectortest.FreeAddress(t)
		if err = s.start(bin, prefix); err == nil {
			break
		}
		if !strings.Contains(err.Error(), "Address already in use") || tries == 5 {
			t.Fatal(err)
		}
	}
	t.Cleanup(s.Stop)
	return s
}

var errAbsent = errors.New("sshd: not installed")

func binary() (string, error) {
	for _, p := range []string{"/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"} {
		if st, err := os.Stat(p); err == nil && st.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", errAbsent
}

func prepare(dir string) (*Server, error) {
	u, err := user.Current()
	if err != nil {
		return nil, err
	}
	s := &Server{User: u.Username, Dir: filepath.Join(dir, "files"), folder: dir}
	if err := os.Mkdir(s.Dir, 0o755); err != nil {
		return nil, err
	}
	if os.Getuid() == 0 { // an empty folder that a server of root's wants; Debian makes it when the machine starts
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			return nil, err
		}
	}
	if _, s.HostKey, err = s.key("host"); err != nil {
		return nil, err
	}
	var pub string
	if s.Key, pub, err = s.key("user"); err != nil {
		return nil, err
	}
	return s, os.WriteFile(filepath.Join(dir, "authorized"), []byte(pub), 0o600)
}

// key makes a key pair and writes the private half.
func (s *Server) key(name string) (private, public string, err error) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", "", err
	}
	block, err := ssh.MarshalPrivateKey(priv, "reeve test")
	if err != nil {
		return "", "", err
	}
	p, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", "", err
	}
	b := pem.EncodeToMemory(block)
	return string(b), string(ssh.MarshalAuthorizedKey(p)), os.WriteFile(filepath.Join(s.folder, name), b, 0o600)
}

const config = `ListenAddress %[1]s
HostKey %[2]s/host
AuthorizedKeysFile %[2]s/authorized
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding no
X11Forwarding no
PrintMotd no
MaxStartups 100
LoginGraceTime 0
UseDNS no
LogLevel VERBOSE
Subsystem sftp internal-sftp
ForceCommand internal-sftp
`

func (s *Server) start(bin string, prefix []string) error {
	_, port, _ := net.SplitHostPort(s.Addr)
	if err := os.WriteFile(filepath.Join(s.folder, "config"), fmt.Appendf(nil, config+"Port "+port+"\n", "127.0.0.1", s.folder), 0o600); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(s.folder, "log"))
	if err != nil {
		return err
	}
	defer log.Close()
	args := append([]string{bin}, "-D", "-e", "-f", filepath.Join(s.folder, "config"))
	if len(prefix) > 0 {
		command := append([]string(nil), prefix...)
		for i := range command {
			command[i] = strings.ReplaceAll(command[i], "%DIR", s.Dir)
		}
		args = append(command, args...)
	}
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	started := make(chan error)
	s.ended = make(chan struct{})
	go func() {
		defer close(s.ended)
		runtime.LockOSThread() // the parent-death signal is tied to this thread
		err := s.cmd.Start()
		started <- err
		if err == nil {
			_ = s.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.Pid = s.cmd.Process.Pid
	for range 12_000 { // five minutes: a busy machine is slow
		if c, err := net.Dial("tcp", s.Addr); err == nil {
			return c.Close()
		}
		select {
		case <-s.ended:
			return fmt.Errorf("sshd ended: %s", s.Log())
		case <-time.After(25 * time.Millisecond):
		}
	}
	s.Stop()
	return fmt.Errorf("sshd does not answer: %s", s.Log())
}

// Stop kills the server and the processes of its connections.
func (s *Server) Stop() {
	for _, p := range append([]int{s.Pid}, children(s.Pid)...) {
		_ = syscall.Kill(p, syscall.SIGKILL)
	}
	<-s.ended
}

// Log is what the server has said.
func (s *Server) Log() string {
	b, _ := os.ReadFile(filepath.Join(s.folder, "log"))
	return string(b)
}

// children are the processes below one, of all generations.
func children(pid int) (all []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, f := range stats {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		// "pid (name) state ppid ...": the name may hold anything but is in brackets.
		fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			if n, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
				all = append(append(all, n), children(n)...)
			}
		}
	}
	return all
}
