package sftp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/connectortest/sshd"
	"github.com/reeve-civic/reeve/connector/files"
	"github.com/reeve-civic/reeve/connector/format"
)

func TestMain(m *testing.M) { connectortest.Main(m) }

// secrets that a config may refer to.
type secrets map[connector.Ref]string

func (s secrets) get(r connector.Ref) (string, error) {
	if v := s[r]; v != "" {
		return strings.TrimRight(v, "\n"), nil
	}
	return "", fmt.Errorf("a secret is not set: give %s", r)
}

// config reaches a server at host:port.
func config(s *sshd.Server, addr string, settings files.Settings) connector.Config {
	if settings.Settle == 0 {
		settings.Settle = connector.Duration(time.Millisecond)
	}
	known := secrets{"env:KEY": s.Key, "env:HOSTKEY": s.HostKey}
	return connector.Config{ID: "flow-x", Address: "sftp://" + addr + s.Dir, Format: format.Spec{Name: "ndjson"}, Settings: &Settings{settings},
		Auth: connector.Auth{User: s.User, Key: "env:KEY", HostKey: "env:HOSTKEY"}, Timeout: 2 * time.Minute,
		Host: connector.Host{Secret: known.get, Now: time.Now}}
}

func source(t *testing.T, c connector.Config) connector.Source {
	t.Helper()
	s, err := Connector.Source(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func sink(t *testing.T, c connector.Config) *files.Sink {
	t.Helper()
	s, err := Connector.Sink(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.(*files.Sink).Close() })
	return s.(*files.Sink)
}

func TestSourceKit(t *testing.T) {
	server := sshd.Start(t)
	for _, after := range []string{"keep", "move", "delete"} {
		t.Run(after, func(t *testing.T) {
			connectortest.Source(t, func(t *testing.T) connectortest.SourceSetup {
				s := *server
				s.Dir = t.TempDir()
				proxy, n := connectortest.NewProxy(t, s.Addr), 0
				next := func() string { n++; return fmt.Sprintf("deaths-%03d.ndjson", n) }
				return connectortest.SourceSetup{
					Open: func(t *testing.T) connector.Source {
						return source(t, config(&s, proxy.Addr, files.Settings{After: after}))
					},
					Add: func(t *testing.T, its []connector.Item) {
						connectortest.Put(t, s.Dir, next(), connectortest.Lines(its))
					},
					Begin: func(t *testing.T, its []connector.Item) func() {
						return connectortest.BeginFile(t, s.Dir, next(), connectortest.Lines(its))
					},
					Down: func(_ *testing.T, down bool) { proxy.Down(down) },
					Cut:  func(*testing.T) { proxy.CutAfter(4500) },
					Bad: func(t *testing.T, its []connector.Item) {
						connectortest.Put(t, s.Dir, next(), connectortest.Lines(its[:2])+"{\"name\":\"Canary\n"+connectortest.Lines(its[2:]))
					},
					Secrets: []string{strings.Split(s.Key, "\n")[3]},
				}
			})
		})
	}
}

func TestSinkKit(t *testing.T) {
	server := sshd.Start(t)
	connectortest.Sink(t, func(t *testing.T) connectortest.Setup {
		s := *server
		s.Dir = t.TempDir()
		proxy := connectortest.NewProxy(t, s.Addr)
		c := config(&s, proxy.Addr, files.Settings{})
		hasty := c
		hasty.Timeout = 2 * time.Second
		there := func() bool { names, _ := connectortest.Files(t, s.Dir); return len(names) > 0 }
		return connectortest.Setup{
			Sink: sink(t, c), Hasty: sink(t, hasty), Repeats: true,
			Effects: func() []connectortest.Effect {
				_, contents := connectortest.Files(t, s.Dir)
				return connectortest.EffectsOf(t, contents...)
			},
			Behave: func(m connectortest.Mode) bool {
				switch m {
				case connectortest.Down:
					proxy.Down(true)
				case connectortest.Healthy:
					proxy.Down(false)
					proxy.CutWhen(nil, false)
				case connectortest.DyingAfterTake:
					proxy.CutWhen(there, false)
				case connectortest.SilentAfterTake:
					names, _ := connectortest.Files(t, s.Dir)
					for _, name := range names { // of the mode before
						os.Remove(filepath.Join(s.Dir, name))
					}
					proxy.CutWhen(there, true)
				default:
					return false
				}
				return true
			},
		}
	})
}

// The connection breaks at any point of reading and of writing: nothing is lost, nothing
// is there twice, and no half file has its name.
func TestCutAnywhere(t *testing.T) {
	server := sshd.Start(t)
	its := connectortest.Items(20)
	r := rand.New(rand.NewPCG(1, 2))
	big := strings.Repeat(" ", 300<<10) // makes a file long
	for i, point := range []int64{0, 30, 1000, 2500, 3500, 4200, 4700, 5200, 6000, 10000, 50000, 100000, 250000, 299000, 305000, r.Int64N(300000), r.Int64N(300000), r.Int64N(300000)} {
		t.Run(fmt.Sprint(point), func(t *testing.T) {
			s := *server
			s.Dir = t.TempDir()
			proxy := connectortest.NewProxy(t, s.Addr)
			connectortest.Put(t, s.Dir, "a.ndjson", connectortest.Lines(its[:10])+big+"\n")
			connectortest.Put(t, s.Dir, "b.ndjson", connectortest.Lines(its[10:]))
			in := source(t, config(&s, proxy.Addr, files.Settings{After: []string{"keep", "move", "delete"}[i%3]}))
			l := connectortest.NewLedger()
			proxy.CutAfter(point)
			var err error
			for range 4 {
				if err = l.Read(t.Context(), t, in); err == nil {
					break
				}
				if !strings.Contains(err.Error(), "the connection broke") {
					t.Errorf("the error %q", err)
				}
			}
			if err != nil || len(l.Bodies) != 20 || !bytes.Contains(l.Bodies[19], []byte("r1-20")) {
				t.Errorf("%v, %d records", err, len(l.Bodies))
			}

			out := *server
			out.Dir = t.TempDir()
			w := sink(t, config(&out, proxy.Addr, files.Settings{}))
			proxy.CutAfter(point % 9000)
			for range 4 {
				rs := w.Send(t.Context(), its)
				if names, contents := connectortest.Files(t, out.Dir); len(names) > 0 {
					if len(names) > 1 || contents[0] != connectortest.Lines(its) {
						t.Errorf("files %v with %d bytes", names, len(contents[0]))
					}
				} else if rs[0].Outcome == connector.Delivered {
					t.Error("delivered, and nothing is there")
				}
				if rs[0].Outcome == connector.Delivered {
					return
				}
			}
			t.Error("never delivered")
		})
	}
}

// A server that keeps the connection and says nothing more is not waited for.
func TestSilence(t *testing.T) {
	s := sshd.Start(t)
	proxy := connectortest.NewProxy(t, s.Addr)
	connectortest.Put(t, s.Dir, "a.ndjson", connectortest.Lines(connectortest.Items(9000)))
	c := config(s, proxy.Addr, files.Settings{})
	patient := source(t, c)
	c.Timeout = time.Second
	in := source(t, c)
	for _, from := range []int64{0, 2000, 50000} {
		already := proxy.Bytes()
		proxy.CutWhen(func() bool { return proxy.Bytes()-already > from }, true)
		if err := in.Read(t.Context(), "", func(connector.Portion) error { return nil }); err == nil || !strings.Contains(err.Error(), "in time") {
			t.Errorf("silence after %d bytes: %v", from, err)
		}
	}
	proxy.CutWhen(nil, false)
	l := connectortest.NewLedger()
	if err := l.Read(t.Context(), t, patient); err != nil || len(l.Bodies) != 9000 {
		t.Errorf("%v, %d records", err, len(l.Bodies))
	}
	// Whoever stops the reading need not wait for the server either.
	proxy.CutWhen(func() bool { return true }, true)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	c.Timeout = time.Hour
	if err := source(t, c).Read(ctx, "", func(connector.Portion) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// A disk without room on the server's side.
func TestFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root may mount a small disk")
	}
	s := sshd.Start(t, "unshare", "--mount", "sh", "-c", "mount -t tmpfs -o size=128k none '%DIR' && exec \"$@\"", "sh")
	inside := filepath.Join("/proc", fmt.Sprint(s.Pid), "root", s.Dir) // the disk as the server sees it
	connectortest.Put(t, inside, "big", strings.Repeat("x", 100<<10))
	w, its := sink(t, config(s, s.Addr, files.Settings{})), connectortest.Items(2000)
	rs := w.Send(t.Context(), its)
	if rs[0].Outcome != connector.Later || !strings.Contains(rs[0].Message, "no room") {
		t.Errorf("%+v", rs[0])
	}
	if left, _ := os.ReadDir(inside); len(left) != 1 {
		t.Errorf("a full disk leaves %v", left)
	}
	if err := os.Remove(filepath.Join(inside, "big")); err != nil {
		t.Fatal(err)
	}
	if rs := w.Send(t.Context(), its); rs[0].Outcome != connector.Delivered {
		t.Errorf("with room again: %+v", rs[0])
	}
	// Moving needs a name only, and a full disk may not have even that.
	connectortest.Put(t, inside, "big", strings.Repeat("x", 128<<10-len(connectortest.Lines(its))&^4095-8192))
	l := connectortest.NewLedger()
	if err := l.Read(t.Context(), t, source(t, config(s, s.Addr, files.Settings{Pattern: "flow*", After: "move"}))); err != nil || len(l.Bodies) != 2000 {
		t.Errorf("%v, %d records", err, len(l.Bodies))
	}
}

// No room here for the copy of a file: it is told, the file stays, and is read when there is.
func TestNoRoomHere(t *testing.T) {
	scratch := t.TempDir()
	if err := syscall.Mount("none", scratch, "tmpfs", 0, "size=256k"); err != nil {
		t.Skip("a small disk cannot be mounted here:", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(scratch, 0); err != nil {
			t.Error(err)
		}
	})
	s, its := sshd.Start(t), connectortest.Items(3000)
	connectortest.Put(t, s.Dir, "a.ndjson", connectortest.Lines(its))
	connectortest.Put(t, scratch, "big", strings.Repeat("x", 200<<10))
	c := config(s, s.Addr, files.Settings{After: "delete"})
	c.Host.Scratch = scratch
	in, l := source(t, c), connectortest.NewLedger()
	if err := l.Read(t.Context(), t, in); err == nil || !strings.Contains(err.Error(), "no place here") || strings.Contains(err.Error(), scratch) || len(l.Bodies) > 0 {
		t.Errorf("%v, %d records", err, len(l.Bodies))
	}
	if err := os.Remove(filepath.Join(scratch, "big")); err != nil {
		t.Fatal(err)
	}
	if err := l.Read(t.Context(), t, in); err != nil || len(l.Bodies) != 3000 {
		t.Errorf("with room again: %v, %d records", err, len(l.Bodies))
	}
	if left, _ := os.ReadDir(scratch); len(left) != 0 {
		t.Errorf("copies that stay: %v", left)
	}
}

// Nothing is said to a server that is not the one.
func TestHostKey(t *testing.T) {
	s, other := sshd.Start(t), sshd.Start(t)
	host, port, _ := net.SplitHostPort(s.Addr)
	bracketed := fmt.Sprintf("[%s]:%s", host, port)
	for name, c := range map[string]struct{ line, want string }{
		"authorized_keys":          {s.HostKey, ""},
		"known_hosts":              {bracketed + " " + s.HostKey, ""},
		"known_hosts, hashed":      {knownhosts.HashHostname(bracketed) + " " + s.HostKey, ""},
		"one of several":           {"# ours\n" + other.HostKey + "\n" + s.HostKey, ""},
		"another key":              {other.HostKey, "its key is not the one"},
		"another key, this host":   {bracketed + " " + other.HostKey, "its key is not the one"},
		"the key of another host":  {"files.example " + s.HostKey, "names no key of this host"},
		"revoked":                  {"@revoked " + bracketed + " " + s.HostKey + "\n" + bracketed + " " + s.HostKey, "its key is not the one"},
		"another kind":             {"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBEmKSENjQEezOmxkZMy7opKgwFB9nkt5YRrYMjNuG5N87uRgg6CLrbo5wAdT/y6v0mKV0U2w0WZ2YB/++Tpockg=", "no key of the kind"},
		"nonsense":                 {"ssh-rsa canary-nonsense", "cannot be read"},
		"a private key by mistake": {s.Key, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config(s, s.Addr, files.Settings{})
			conf.Host.Secret = secrets{"env:KEY": s.Key, "env:HOSTKEY": c.line}.get
			err := source(t, conf).Read(t.Context(), "", func(connector.Portion) error { return nil })
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
	if log := s.Log(); strings.Count(log, "Accepted publickey") != 4 {
		t.Errorf("the server let us in another number of times than four:\n%s", log)
	}
}

func TestSignIn(t *testing.T) {
	s := sshd.Start(t)
	for name, c := range map[string]struct {
		change func(*connector.Config)
		want   string
	}{
		"a user from the environment": {func(c *connector.Config) {
			c.Auth.User = "env:SFTP_USER"
			c.Host.Secret = secrets{"env:KEY": s.Key, "env:HOSTKEY": s.HostKey, "env:SFTP_USER": s.User}.get
		}, ""},
		"another user": {func(c *connector.Config) { c.Auth.User = "nobody-here" }, "did not let us in"},
		"a key that is none": {func(c *connector.Config) {
			c.Host.Secret = secrets{"env:KEY": "canary-key", "env:HOSTKEY": s.HostKey}.get
		}, "the key in env:KEY cannot be used"},
		"a key that is not set": {func(c *connector.Config) { c.Host.Secret = secrets{"env:HOSTKEY": s.HostKey}.get }, "give env:KEY"},
		"a password where keys are wanted": {func(c *connector.Config) {
			c.Auth.Key, c.Auth.Password = "", "env:PASSWORD"
			c.Host.Secret = secrets{"env:PASSWORD": "canary-password", "env:HOSTKEY": s.HostKey}.get
		}, "did not let us in"},
		"an address that may not be": {func(c *connector.Config) {
			c.Host.Address = func(network, address string) error { return errors.New("canary: no") }
		}, "may not be connected to"},
		"no folder":      {func(c *connector.Config) { c.Address += "/nowhere" }, "the folder is not there"},
		"nobody listens": {func(c *connector.Config) { c.Address = "sftp://127.0.0.1:1/x" }, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			conf := config(s, s.Addr, files.Settings{})
			c.change(&conf)
			err := source(t, conf).Read(t.Context(), "", func(connector.Portion) error { return nil })
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) || err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("%v, want %q", err, c.want)
			}
			if err != nil {
				rs := sink(t, conf).Send(t.Context(), connectortest.Items(1))
				if rs[0].Outcome != connector.Later || strings.Contains(rs[0].Message, "canary") || len(rs[0].Message) > 300 {
					t.Errorf("%+v", rs[0])
				}
			}
		})
	}
}

// Addresses are of the server's root, or of the user's own folder.
func TestFolders(t *testing.T) {
	for address, want := range map[string]string{
		"sftp://h/a/b": "/a/b", "sftp://h/~/a": "a", "sftp://h": ".", "sftp://h/~": ".", "sftp://h/~x/a": "/~x/a", "sftp://h:2222/a%20b": "/a b", "sftp://h/~/../x": "/x"} {
		f, err := open(connector.Config{Address: address, Settings: &Settings{}})
		if err != nil || f.path != want {
			t.Errorf("%s: %+v %v, want %s", address, f, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	all := connector.Auth{User: "u", Key: "env:K", HostKey: "env:H"}
	for n, a := range map[int]connector.Auth{0: all, 1: {User: "u", Password: "env:P"}, 2: {User: "u"}, 3: {}} {
		got := 0
		Connector.Check(connector.Config{Auth: a, Settings: &Settings{}}, func(path, message string) { got++ })
		if got != n {
			t.Errorf("%+v: %d problems, want %d", a, got, n)
		}
	}
}
