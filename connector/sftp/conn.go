package sftp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/dial"
	"github.com/reeve-civic/reeve/connector/internal/plain"
)

// conn is a connection to a server, signed in.
type conn struct {
	*sftp.Client
	ssh *ssh.Client
	*watch
}

// patience is how long nothing may come while an answer is waited for.
const patience = 30 * time.Second

// connect signs in to a server. Its errors are for people.
func connect(ctx context.Context, c connector.Config, host string) (*conn, error) {
	sign, err := signIn(c, host)
	if err != nil {
		return nil, err
	}
	timeout := cmp.Or(c.Timeout, patience)
	raw, err := (&dial.Dialer{Address: c.Host.Address, Declared: []string{host}, Timeout: timeout}).DialContext(ctx, "tcp", host)
	if err != nil {
		return nil, &brokenError{plain.Reason(err)}
	}
	w := &watch{Conn: raw, timeout: timeout, left: -1}
	k := &conn{watch: w}
	err = k.run(ctx, func(*conn) error {
		w.limit(1 << 20) // of a greeting
		defer w.limit(-1)
		sc, chans, reqs, err := ssh.NewClientConn(w, host, &sign.ClientConfig)
		if err != nil {
			return err
		}
		k.ssh = ssh.NewClient(sc, chans, reqs)
		k.Client, err = sftp.NewClient(k.ssh, sftp.UseConcurrentWrites(true))
		return err
	})
	if err != nil {
		k.close()
		if sign.stranger {
			return nil, &brokenError{"its key is not the one that auth.hostKey names: somebody may stand between, or the server has a new key; ask its people before you change it"}
		}
		return nil, &brokenError{k.reason(err)}
	}
	return k, nil
}

// signing is how we sign in.
type signing struct {
	ssh.ClientConfig
	stranger bool // the server showed another key
}

func signIn(c connector.Config, host string) (*signing, error) {
	a, secret := c.Auth, c.Host.Secret
	s := &signing{}
	s.User, s.ClientVersion = a.User, "SSH-2.0-Reeve"
	if ref := connector.Ref(a.User); strings.HasPrefix(a.User, "env:") && ref.Valid() {
		v, err := secret(ref)
		if err != nil {
			return nil, err
		}
		s.User = v
	}
	if a.HostKey == "" || a.Key == "" && a.Password == "" || s.User == "" {
		return nil, errors.New("the SFTP server: auth needs user, hostKey, and key or password")
	}
	line, err := secret(a.HostKey)
	if err != nil {
		return nil, err
	}
	known, algorithms, err := hostKeys(line, host, c.Host.Scratch)
	if err != nil {
		return nil, err
	}
	s.HostKeyAlgorithms = algorithms
	s.HostKeyCallback = func(hostname string, remote net.Addr, key ssh.PublicKey) error {
		err := known(hostname, remote, key)
		s.stranger = err != nil
		return err
	}
	password := ""
	if a.Password != "" {
		if password, err = secret(a.Password); err != nil {
			return nil, err
		}
	}
	if a.Key != "" {
		pem, err := secret(a.Key)
		if err != nil {
			return nil, err
		}
		signer, err := ssh.ParsePrivateKey([]byte(pem + "\n"))
		if missing := new(ssh.PassphraseMissingError); errors.As(err, &missing) && password != "" {
			signer, err = ssh.ParsePrivateKeyWithPassphrase([]byte(pem+"\n"), []byte(password))
		}
		if err != nil {
			return nil, fmt.Errorf("the key in %s cannot be used: it must be a private key as ssh-keygen makes it; if it has a passphrase, auth.password refers to that", a.Key)
		}
		s.Auth = append(s.Auth, ssh.PublicKeys(signer))
	}
	if password != "" {
		s.Auth = append(s.Auth, ssh.Password(password), ssh.KeyboardInteractive(func(_, _ string, questions []string, echos []bool) ([]string, error) {
			answers := make([]string, len(questions))
			for i := range questions {
				if !echos[i] { // what may be seen is no password
					answers[i] = password
				}
			}
			return answers, nil
		}))
	}
	return s, nil
}

// hostKeys reads lines of known_hosts, or of authorized_keys without a host. Algorithms
// are those of the keys that are known for this host: a server with several keys must
// show one of them.
func hostKeys(lines, host, scratch string) (known ssh.HostKeyCallback, algorithms []string, err error) {
	var keys []ssh.PublicKey
	var hosts bytes.Buffer
	for line := range strings.Lines(lines) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if _, _, _, _, _, err := ssh.ParseKnownHosts([]byte(line)); err == nil {
			hosts.WriteString(line + "\n")
		} else if key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line)); err == nil {
			keys = append(keys, key)
		} else {
			return nil, nil, errors.New("auth.hostKey cannot be read: it is a line of known_hosts, as ssh-keyscan prints it, or a public key")
		}
	}
	listed := func(string, net.Addr, ssh.PublicKey) error { return &knownhosts.KeyError{} }
	if hosts.Len() > 0 {
		if listed, err = knownHosts(hosts.Bytes(), scratch); err != nil {
			return nil, nil, err
		}
		var ke *knownhosts.KeyError
		if errors.As(listed(host, noAddr{}, noKey{}), &ke) {
			for _, k := range ke.Want {
				algorithms = append(algorithms, algorithmsOf(k.Key)...)
			}
		}
	}
	for _, k := range keys {
		algorithms = append(algorithms, algorithmsOf(k)...)
	}
	if len(algorithms) == 0 {
		return nil, nil, errors.New("auth.hostKey names no key of this host")
	}
	return func(hostname string, remote net.Addr, key ssh.PublicKey) error {
		for _, k := range keys {
			if bytes.Equal(k.Marshal(), key.Marshal()) {
				return nil
			}
		}
		return listed(hostname, noAddr{}, key)
	}, slices.Compact(algorithms), nil
}

// knownHosts reads lines of known_hosts, hashed names and all.
func knownHosts(lines []byte, scratch string) (ssh.HostKeyCallback, error) {
	f, err := os.CreateTemp(scratch, "reeve-known-*")
	if err != nil {
		return nil, errors.New("auth.hostKey cannot be read: there is no place here for a file")
	}
	defer os.Remove(f.Name())
	if _, err = f.Write(lines); errors.Join(err, f.Close()) != nil {
		return nil, errors.New("auth.hostKey cannot be read: there is no place here for a file")
	}
	known, err := knownhosts.New(f.Name())
	if err != nil {
		return nil, errors.New("auth.hostKey cannot be read: it is a line of known_hosts, as ssh-keyscan prints it, or a public key")
	}
	return known, nil
}

func algorithmsOf(k ssh.PublicKey) []string {
	if k.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{k.Type()}
}

// noKey is a key that no server has, to ask which ones are known.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// noAddr keeps the address that a name led to out of it: what counts is the name.
type noAddr struct{}

func (noAddr) Network() string { return "tcp" }
func (noAddr) String() string  { return "0.0.0.0:0" }

// run lets op wait for answers, as long as they come.
func (k *conn) run(ctx context.Context, op func(*conn) error) error {
	stop := context.AfterFunc(ctx, func() { _ = k.Conn.Close() })
	defer stop()
	k.begin()
	defer k.end()
	return op(k)
}

func (k *conn) close() {
	_ = k.Conn.Close() // first: what waits for answers then ends
	if k.Client != nil {
		_ = k.Client.Close()
	}
	if k.ssh != nil {
		_ = k.ssh.Close()
	}
}

// reason says why a connection did not end well.
func (k *conn) reason(err error) string {
	k.mu.Lock()
	late, full := k.late, k.full
	k.mu.Unlock()
	switch {
	case late:
		return "it did not answer in time"
	case full:
		return "its answer is too large: a folder may hold some 50,000 files"
	case errors.Is(err, sftp.ErrSSHFxConnectionLost), errors.Is(err, sftp.ErrSSHFxNoConnection), errors.Is(err, net.ErrClosed), errors.Is(err, io.ErrClosedPipe):
		return "the connection broke"
	case strings.Contains(err.Error(), "unable to authenticate"):
		return "it did not let us in: see auth.user, and auth.key or auth.password"
	case strings.Contains(err.Error(), "no common algorithm"):
		return "there is no common way to encrypt, or it has no key of the kind that auth.hostKey names"
	case strings.Contains(err.Error(), "subsystem request failed"):
		return "it does not speak SFTP with this user"
	case strings.Contains(err.Error(), "EOF"), strings.Contains(err.Error(), "reset by peer"), strings.Contains(err.Error(), "broken pipe"):
		return "the connection broke"
	case strings.HasPrefix(err.Error(), "ssh:"), strings.HasPrefix(err.Error(), "sftp:"):
		return "it does not speak as an SFTP server should"
	}
	return plain.Reason(err)
}

// rename gives a file another name; where the server minds it, not over another file.
func (k *conn) rename(from, to string) error {
	err := k.Rename(from, to)
	var status *sftp.StatusError
	if errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxOpUnsupported {
		err = k.PosixRename(from, to)
	}
	return err
}

// write makes a file that is not there, and sees to it that it is complete.
func (k *conn) write(name string, content []byte) error {
	f, err := k.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if _, ok := k.HasExtension("fsync@openssh.com"); ok && err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	st, err := k.Lstat(name)
	if err == nil && (st.Size() != int64(len(content)) || !st.Mode().IsRegular()) {
		err = fs.ErrPermission // a quota, perhaps: it said yes, and kept less
	}
	return err
}

// watch closes a connection from which nothing comes while an answer is waited for, or
// from which more comes than may.
type watch struct {
	net.Conn
	timeout time.Duration

	mu         sync.Mutex
	timer      *time.Timer
	left       int64 // bytes that may come; negative: any number
	late, full bool
}

func (w *watch) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer = time.AfterFunc(w.timeout, func() {
		w.mu.Lock()
		w.late = true
		w.mu.Unlock()
		_ = w.Conn.Close()
	})
}

func (w *watch) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.timer.Stop()
	w.timer = nil
}

func (w *watch) limit(bytes int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = bytes
}

// moved notes that n bytes came.
func (w *watch) moved(n int) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Reset(w.timeout)
	}
	if w.left >= 0 {
		if w.left -= int64(n); w.left < 0 {
			w.full, w.left = true, 0
			return errors.New("too much")
		}
	}
	return nil
}

func (w *watch) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if n > 0 {
		if merr := w.moved(n); merr != nil {
			_ = w.Conn.Close()
			return 0, merr
		}
	}
	return n, err
}

func (w *watch) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	if n > 0 {
		_ = w.moved(0)
	}
	return n, err
}
