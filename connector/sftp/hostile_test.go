package sftp

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/connectortest/sshd"
	"github.com/reeve-civic/reeve/connector/files"
)

// odd is an SFTP server of our own, for what OpenSSH's would not do.
type odd struct {
	*sshd.Server
	mu      sync.Mutex
	names   []string
	size    func(name string) int64
	mode    func(name string) fs.FileMode
	date    func(name string) time.Time
	read    func(name string, b []byte, off int64) (int, error)
	asked   []string
	endless bool
}

type oddEntry struct {
	name string
	s    *odd
}

func (e oddEntry) Name() string { return e.name }
func (e oddEntry) Size() int64 {
	if e.s.size == nil {
		return 2
	}
	return e.s.size(e.name)
}
func (e oddEntry) Mode() fs.FileMode {
	if e.s.mode == nil {
		return 0o600
	}
	return e.s.mode(e.name)
}
func (e oddEntry) ModTime() time.Time {
	if e.s.date == nil {
		return time.Unix(1700000000, 0)
	}
	return e.s.date(e.name)
}
func (e oddEntry) IsDir() bool { return e.Mode().IsDir() }
func (e oddEntry) Sys() any    { return nil }

type oddList struct {
	names   []string
	s       *odd
	endless bool
}

func (l oddList) ListAt(out []os.FileInfo, at int64) (n int, err error) {
	for ; n < len(out); n++ {
		i := int(at) + n
		switch {
		case l.endless:
			out[n] = oddEntry{fmt.Sprintf("%0200d.ndjson", i), l.s}
		case i < len(l.names):
			out[n] = oddEntry{l.names[i], l.s}
		default:
			return n, io.EOF
		}
	}
	return n, nil
}

func (s *odd) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.Filepath[strings.LastIndexByte(r.Filepath, '/')+1:]
	if r.Method == "List" {
		return oddList{s.names, s, s.endless}, nil
	}
	for _, n := range s.names {
		if n == name {
			return oddList{[]string{name}, s, false}, nil
		}
	}
	return nil, fs.ErrNotExist
}

type oddFile struct {
	name string
	s    *odd
}

func (f oddFile) ReadAt(b []byte, off int64) (int, error) { return f.s.read(f.name, b, off) }

func (s *odd) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	s.mu.Lock()
	s.asked = append(s.asked, r.Filepath)
	s.mu.Unlock()
	return oddFile{r.Filepath[strings.LastIndexByte(r.Filepath, '/')+1:], s}, nil
}
func (s *odd) Filewrite(*sftp.Request) (io.WriterAt, error) { return nil, errors.New("canary: no") }
func (s *odd) Filecmd(*sftp.Request) error                  { return errors.New("canary: no") }

// start starts it. sign says how a user signs in; nil: anybody does.
func (s *odd) start(t *testing.T, sign func(*ssh.ServerConfig)) *odd {
	t.Helper()
	_, host, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(host)
	if err != nil {
		t.Fatal(err)
	}
	pub, user, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_ = pub
	block, err := ssh.MarshalPrivateKey(user, "")
	if err != nil {
		t.Fatal(err)
	}
	conf := &ssh.ServerConfig{NoClientAuth: sign == nil}
	if sign != nil {
		sign(conf)
	}
	conf.AddHostKey(signer)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { s.serve(c, conf) })
		}
	})
	t.Cleanup(func() { l.Close(); wg.Wait() })
	s.Server = &sshd.Server{Addr: l.Addr().String(), User: "u", Dir: "/", Key: string(pem.EncodeToMemory(block)), HostKey: string(ssh.MarshalAuthorizedKey(signer.PublicKey()))}
	return s
}

func (s *odd) serve(c net.Conn, conf *ssh.ServerConfig) {
	defer c.Close()
	sc, chans, reqs, err := ssh.NewServerConn(c, conf)
	if err != nil {
		return
	}
	defer sc.Close()
	go ssh.DiscardRequests(reqs)
	for nc := range chans {
		ch, reqs, err := nc.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range reqs {
				_ = r.Reply(r.Type == "subsystem", nil)
			}
		}()
		_ = sftp.NewRequestServer(ch, sftp.Handlers{FileGet: s, FilePut: s, FileCmd: s, FileList: s}).Serve()
		_ = ch.Close()
	}
}

func text(b string) func(string, []byte, int64) (int, error) {
	return func(_ string, to []byte, off int64) (int, error) { return strings.NewReader(b).ReadAt(to, off) }
}

func TestPasswords(t *testing.T) {
	const password = "canary pa$$word"
	plain := func(c *ssh.ServerConfig) {
		c.PasswordCallback = func(m ssh.ConnMetadata, p []byte) (*ssh.Permissions, error) {
			if m.User() == "u" && string(p) == password {
				return nil, nil
			}
			return nil, errors.New("no")
		}
	}
	asking := func(c *ssh.ServerConfig) {
		c.KeyboardInteractiveCallback = func(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			got, err := ask("", "", []string{"Your favourite colour: ", "Password: "}, []bool{true, false})
			if err == nil && got[0] == "" && got[1] == password {
				return nil, nil
			}
			return nil, errors.New("no")
		}
	}
	for name, sign := range map[string]func(*ssh.ServerConfig){"password": plain, "keyboard-interactive": asking} {
		t.Run(name, func(t *testing.T) {
			s := (&odd{}).start(t, sign)
			for given, ok := range map[string]bool{password: true, "canary wrong": false} {
				c := config(s.Server, s.Addr, files.Settings{})
				c.Auth.Key, c.Auth.Password = "", "env:PASSWORD"
				c.Host.Secret = secrets{"env:PASSWORD": given, "env:HOSTKEY": s.HostKey}.get
				err := source(t, c).Read(t.Context(), "", func(connector.Portion) error { return nil })
				if (err == nil) != ok || err != nil && (!strings.Contains(err.Error(), "did not let us in") || strings.Contains(err.Error(), "canary")) {
					t.Errorf("%q: %v", given, err)
				}
			}
		})
	}
}

// A private key with a passphrase.
func TestPassphrase(t *testing.T) {
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKeyWithPassphrase(priv, "", []byte("canary"))
	if err != nil {
		t.Fatal(err)
	}
	want, _ := ssh.NewPublicKey(pub)
	s := (&odd{}).start(t, func(c *ssh.ServerConfig) {
		c.PublicKeyCallback = func(_ ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
			if bytes.Equal(k.Marshal(), want.Marshal()) {
				return nil, nil
			}
			return nil, errors.New("no")
		}
	})
	for phrase, ok := range map[string]bool{"canary": true, "wrong": false} {
		c := config(s.Server, s.Addr, files.Settings{})
		c.Auth.Password = "env:PASSWORD"
		c.Host.Secret = secrets{"env:KEY": string(pem.EncodeToMemory(block)), "env:PASSWORD": phrase, "env:HOSTKEY": s.HostKey}.get
		err := source(t, c).Read(t.Context(), "", func(connector.Portion) error { return nil })
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", phrase, err)
		}
	}
}

// Names that a server makes up lead nowhere.
func TestHostileNames(t *testing.T) {
	s := (&odd{names: []string{"../../etc/passwd", "..", ".", "/etc/shadow", "a\nb", "a\x00b", "c\\..\\d", "\xff\xfe", strings.Repeat("x", 300), "", "fine", "link", "pipe", "folder", "minus"}, read: text("{}"),
		mode: func(name string) fs.FileMode {
			switch name {
			case "link":
				return fs.ModeSymlink | 0o777
			case "pipe":
				return fs.ModeNamedPipe | 0o600
			case "folder":
				return fs.ModeDir | 0o700
			}
			return 0o600
		},
		size: func(name string) int64 {
			if name == "minus" {
				return -1
			}
			return 2
		}}).start(t, nil)
	l := connectortest.NewLedger()
	err := l.Read(t.Context(), t, source(t, config(s.Server, s.Addr, files.Settings{})))
	if err == nil || !strings.Contains(err.Error(), "more files cannot be read") || strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 500 {
		t.Errorf("the error %q", err)
	}
	for _, name := range s.asked {
		if strings.Contains(name, "..") || strings.Contains(name, "/etc") || strings.Count(name, "/") > 1 {
			t.Errorf("asked for %q", name)
		}
	}
	if len(l.Bodies) == 0 {
		t.Error("the file that is fine was not read")
	}
}

// A listing and a file without end cost a bounded amount of memory and of disk.
func TestEndless(t *testing.T) {
	s := (&odd{endless: true}).start(t, nil)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := source(t, config(s.Server, s.Addr, files.Settings{})).Read(t.Context(), "", func(connector.Portion) error { return nil })
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("%v", err)
	}
	t.Logf("an endless listing: %d MB taken in all, by the server too", (after.TotalAlloc-before.TotalAlloc)>>20)

	s = (&odd{names: []string{"huge.ndjson", "grows.ndjson"}, size: func(name string) int64 {
		if name == "huge.ndjson" {
			return 1 << 60
		}
		return 1000
	}, read: func(_ string, b []byte, _ int64) (int, error) { return len(b), nil }}).start(t, nil)
	got := int64(0)
	err = source(t, config(s.Server, s.Addr, files.Settings{})).Read(t.Context(), "", func(p connector.Portion) error { got += p.Size; return nil })
	if err == nil || !strings.Contains(err.Error(), "larger than") || got != 1000 {
		t.Errorf("%v, %d bytes", err, got)
	}
}

// A server may give less than it is asked for; what is read is whole all the same.
func TestShortReads(t *testing.T) {
	content := connectortest.Lines(connectortest.Items(5000))
	s := (&odd{names: []string{"a.ndjson"}, size: func(string) int64 { return int64(len(content)) },
		read: func(_ string, b []byte, off int64) (int, error) {
			return strings.NewReader(content).ReadAt(b[:min(len(b), 1+len(b)/3)], off)
		}}).start(t, nil)
	l := connectortest.NewLedger()
	if err := l.Read(t.Context(), t, source(t, config(s.Server, s.Addr, files.Settings{}))); err != nil || len(l.Bodies) != 5000 {
		t.Errorf("%v, %d records", err, len(l.Bodies))
	}
}

// What changes while it is read waits for another look.
func TestChangesWhileRead(t *testing.T) {
	var mu sync.Mutex
	content, reads := connectortest.Lines(connectortest.Items(3)), 0
	s := (&odd{names: []string{"a.ndjson"}}).start(t, nil)
	s.date = func(string) time.Time {
		mu.Lock()
		defer mu.Unlock()
		return time.Unix(1700000000+int64(reads), 0)
	}
	s.size = func(string) int64 {
		mu.Lock()
		defer mu.Unlock()
		return int64(len(content))
	}
	s.read = func(_ string, b []byte, off int64) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if reads++; reads > 2 {
			reads = 3
		}
		return strings.NewReader(content).ReadAt(b, off)
	}
	in, l := source(t, config(s.Server, s.Addr, files.Settings{})), connectortest.NewLedger()
	for range 2 {
		if err := l.Read(t.Context(), t, in); err != nil || len(l.Bodies) != 0 {
			t.Errorf("%v, %d records of a file that changed while it was read", err, len(l.Bodies))
		}
	}
	for range 2 {
		if err := l.Read(t.Context(), t, in); err != nil {
			t.Error(err)
		}
	}
	if len(l.Bodies) != 3 {
		t.Errorf("%d records", len(l.Bodies))
	}
}

// What a server says about an error may hold anything, and stays with it.
func TestServersWords(t *testing.T) {
	s := (&odd{}).start(t, nil)
	for range 2 {
		rs := sink(t, config(s.Server, s.Addr, files.Settings{})).Send(t.Context(), connectortest.Items(1))
		if rs[0].Outcome != connector.Later || strings.Contains(rs[0].Message, "anary") {
			t.Errorf("%+v", rs[0])
		}
	}
}

// Something else than an SFTP server listens.
func TestOtherServers(t *testing.T) {
	for name, says := range map[string]string{"web": "HTTP/1.1 400 Bad Request\r\n\r\n", "mail": "220 mail.example ESMTP\r\n", "nothing": "", "noise": strings.Repeat("\x00\xff", 1<<20), "half": "SSH-2.0-x\r\n"} {
		t.Run(name, func(t *testing.T) {
			s := (&odd{}).start(t, nil)
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					wg.Go(func() {
						_, _ = io.WriteString(c, says)
						_ = c.(*net.TCPConn).CloseWrite()
						_, _ = io.Copy(io.Discard, c)
						_ = c.Close()
					})
				}
			})
			t.Cleanup(func() { l.Close(); wg.Wait() })
			in := source(t, config(s.Server, l.Addr().String(), files.Settings{}))
			err = in.Read(t.Context(), "", func(connector.Portion) error { return nil })
			if err == nil || len(err.Error()) > 300 || strings.ContainsAny(err.Error(), "\n\x00") || !strings.HasPrefix(err.Error(), "the SFTP server: ") {
				t.Errorf("%q", err)
			}
			t.Log(err)
		})
	}
}
