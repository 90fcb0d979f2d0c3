package sim

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path"
	"path/filepath"
	"sync"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"github.com/reeve-civic/reeve/demo/data"
)

// sftpServer is a system that others reach by SFTP.
type sftpServer struct {
	address string // sftp://host:port/out
	key     string // PEM: the private key that lets them in
	hostKey string // the server's public key, as a line of authorized_keys
}

// carParks serves the folder in which the car parks' machines leave a file every night.
func carParks(dir string, log *slog.Logger) (s sftpServer, stop func(), err error) {
	root := filepath.Join(dir, "car-parks")
	if err := os.MkdirAll(filepath.Join(root, "out"), 0o700); err != nil {
		return s, nil, fmt.Errorf("sim.carParks: %w", err)
	}
	for _, f := range data.PaymentFiles() {
		name := filepath.Join(root, "out", f.Name)
		if _, err := os.Stat(filepath.Join(root, "out", "done", f.Name)); err == nil {
			continue // it was taken away
		}
		if err := os.WriteFile(name, []byte(f.Content), 0o600); err != nil {
			return s, nil, fmt.Errorf("sim.carParks: %w", err)
		}
	}
	host, _, err := keyIn(dir, "car-parks-host.pem")
	if err != nil {
		return s, nil, err
	}
	client, private, err := keyIn(dir, "car-parks-client.pem")
	if err != nil {
		return s, nil, err
	}
	config := &ssh.ServerConfig{PublicKeyCallback: func(c ssh.ConnMetadata, k ssh.PublicKey) (*ssh.Permissions, error) {
		if c.User() == "ashcombe" && string(k.Marshal()) == string(client.PublicKey().Marshal()) {
			return nil, nil
		}
		return nil, errors.New("this key is not known")
	}}
	config.AddHostKey(host)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return s, nil, fmt.Errorf("sim.carParks: %w", err)
	}
	in, err := os.OpenRoot(root)
	if err != nil {
		ln.Close()
		return s, nil, fmt.Errorf("sim.carParks: %w", err)
	}
	srv := &sshListener{config: config, folder: folder{in}, log: log, open: map[net.Conn]bool{}}
	srv.done.Go(func() { srv.accept(ln) })
	s = sftpServer{"sftp://" + ln.Addr().String() + "/out", private, string(ssh.MarshalAuthorizedKey(host.PublicKey()))}
	return s, func() { ln.Close(); srv.close(); in.Close() }, nil
}

// keyIn reads a key from a file of dir, which it makes when it is not there.
func keyIn(dir, name string) (ssh.Signer, string, error) {
	file := filepath.Join(dir, name)
	b, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		_, key, keyErr := ed25519.GenerateKey(rand.Reader)
		if keyErr != nil {
			return nil, "", fmt.Errorf("sim.keyIn: %w", keyErr)
		}
		block, keyErr := ssh.MarshalPrivateKey(key, "demo")
		if keyErr != nil {
			return nil, "", fmt.Errorf("sim.keyIn: %w", keyErr)
		}
		b = pem.EncodeToMemory(block)
		err = os.WriteFile(file, b, 0o600)
	}
	if err != nil {
		return nil, "", fmt.Errorf("sim.keyIn: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(b)
	if err != nil {
		return nil, "", fmt.Errorf("sim.keyIn: %s: %w", name, err)
	}
	return signer, string(b), nil
}

type sshListener struct {
	config *ssh.ServerConfig
	folder folder
	log    *slog.Logger
	done   sync.WaitGroup

	mu   sync.Mutex
	open map[net.Conn]bool
}

func (s *sshListener) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.open[c] = true
		s.mu.Unlock()
		s.done.Go(func() {
			s.serve(c)
			s.mu.Lock()
			delete(s.open, c)
			s.mu.Unlock()
		})
	}
}

func (s *sshListener) close() {
	s.mu.Lock()
	for c := range s.open {
		c.Close()
	}
	s.mu.Unlock()
	s.done.Wait()
}

// serve lets one client at the files, and at nothing else.
func (s *sshListener) serve(c net.Conn) {
	defer c.Close()
	_, channels, requests, err := ssh.NewServerConn(c, s.config)
	if err != nil {
		s.log.Debug("the car parks turned somebody away", "error", err)
		return
	}
	s.done.Go(func() { ssh.DiscardRequests(requests) })
	for ch := range channels {
		if ch.ChannelType() != "session" {
			_ = ch.Reject(ssh.UnknownChannelType, "files only")
			continue
		}
		channel, requests, err := ch.Accept()
		if err != nil {
			return
		}
		s.done.Go(func() {
			for r := range requests {
				ok := r.Type == "subsystem" && len(r.Payload) > 4 && string(r.Payload[4:]) == "sftp"
				_ = r.Reply(ok, nil)
				if ok {
					s.done.Go(func() {
						server := sftp.NewRequestServer(channel, sftp.Handlers{FileGet: s.folder, FilePut: s.folder, FileCmd: s.folder, FileList: s.folder})
						_ = server.Serve() // ends when the client goes
						channel.Close()
					})
				}
			}
		})
	}
}

// folder is what a client may do with the files below a root.
type folder struct{ root *os.Root }

func (f folder) at(p string) string {
	if p = path.Clean("/" + p)[1:]; p == "" {
		return "."
	}
	return p
}

// Fileread implements [sftp.FileReader].
func (f folder) Fileread(r *sftp.Request) (io.ReaderAt, error) { return f.root.Open(f.at(r.Filepath)) }

// Filewrite implements [sftp.FileWriter].
func (f folder) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	return f.root.OpenFile(f.at(r.Filepath), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
}

// Filecmd implements [sftp.FileCmder].
func (f folder) Filecmd(r *sftp.Request) error {
	switch r.Method {
	case "Rename", "PosixRename":
		return f.root.Rename(f.at(r.Filepath), f.at(r.Target))
	case "Remove":
		return f.root.Remove(f.at(r.Filepath))
	case "Mkdir":
		return f.root.Mkdir(f.at(r.Filepath), 0o700)
	case "Setstat":
		return nil
	}
	return sftp.ErrSSHFxOpUnsupported
}

// PosixRename implements [sftp.PosixRenameFileCmder].
func (f folder) PosixRename(r *sftp.Request) error { return f.Filecmd(r) }

// Filelist implements [sftp.FileLister].
func (f folder) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	if r.Method == "List" {
		d, err := f.root.Open(f.at(r.Filepath))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		infos, err := d.Readdir(-1)
		return list(infos), err
	}
	info, err := f.root.Lstat(f.at(r.Filepath))
	if err != nil {
		return nil, err
	}
	return list{info}, nil
}

type list []os.FileInfo

// ListAt implements [sftp.ListerAt].
func (l list) ListAt(to []os.FileInfo, from int64) (int, error) {
	if from >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(to, l[from:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}
