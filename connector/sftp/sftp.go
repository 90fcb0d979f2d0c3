// Package sftp reads and writes files in a folder of an SFTP server.
//
// What is guaranteed, beside what package files says. The server is the one whose key
// the interface names, or nothing is said to it. A server that does not answer, breaks
// off or sends without end costs only the interface: every answer is waited for only
// so long, and kept only up to a size. A file is copied here as a whole before a row of
// it is read.
//
// What not to assume. Whether a file that was written survives a power cut of the
// server is the server's business; it is told to write it to the disk where it can be
// (fsync@openssh.com, as OpenSSH's).
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
	"net/url"
	"os"
	"path"
	"strings"
	"sync"

	"github.com/pkg/sftp"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/files"
)

// Settings is what an Interface says about its files.
type Settings struct{ files.Settings }

// Connector describes it.
var Connector = connector.Connector{
	Name: "sftp", Schemes: []string{"sftp"}, Once: true, Settings: new(Settings),
	Doc: "Files in a folder of an SFTP server, read and written: sftp://host/folder from its root, sftp://host/~/folder from the user's own. auth needs user, hostKey, and key or password.",
	Promise: connector.Promise{
		Order:  "Files are read by their date, oldest first, and written one after the other. The records of a file keep their order.",
		Repeat: "A file is known by its name and a hash of its contents, and its rows are taken once. Name and contents of a file that is written are fixed before the first attempt: writing again makes the same file, and none is written over. A receiver that takes files away sees a repeat by the name.",
		Ack:    "A file is moved or deleted when all its rows are kept here. A record counts as delivered when the server has said that its file is complete under its name.",
	},
	Check: check,
	Source: func(c connector.Config) (connector.Source, error) {
		f, err := open(c)
		if err != nil {
			return nil, err
		}
		return files.NewSource(f, c, c.Settings.(*Settings).Settings, f.Close), nil
	},
	Sink: func(c connector.Config) (connector.Sink, error) {
		f, err := open(c)
		if err != nil {
			return nil, err
		}
		return files.NewSink(f, c)
	},
}

func check(c connector.Config, problem func(path, message string)) {
	c.Settings.(*Settings).Check(problem)
	a := c.Auth
	if a.User == "" {
		problem("", "sftp needs auth.user, the name that we sign in with")
	}
	if a.Key == "" && a.Password == "" {
		problem("", "sftp needs auth.key or auth.password, how we sign in")
	}
	if a.HostKey == "" {
		problem("", "sftp needs auth.hostKey, the public key of the server: a line of known_hosts, as ssh-keyscan prints it; compare it with what the server's people say")
	}
}

// folder is a folder of a server.
type folder struct {
	c    connector.Config
	host string // with the port
	path string

	mu   sync.Mutex
	conn *conn // nil until it is needed
}

func open(c connector.Config) (*folder, error) {
	u, err := url.Parse(c.Address)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("the address cannot be read: it looks like sftp://host/folder")
	}
	f := &folder{c: c, host: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "22")), path: path.Clean(cmp.Or(u.Path, "."))}
	if home, ok := strings.CutPrefix(f.path, "/~"); ok && (home == "" || home[0] == '/') {
		f.path = path.Clean("." + home)
	}
	return f, nil
}

func (f *folder) at(name string) string { return path.Join(f.path, name) }

// Close ends the connection; it is made anew when it is needed.
func (f *folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop()
	return nil
}

func (f *folder) drop() {
	if f.conn != nil {
		f.conn.close()
		f.conn = nil
	}
}

// do lets op speak with the server. An error is for people, or one of those that the
// server answers with: fs.ErrNotExist, fs.ErrPermission, *sftp.StatusError.
func (f *folder) do(ctx context.Context, op func(*conn) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.conn != nil && f.conn.run(ctx, func(c *conn) error { _, err := c.RealPath("."); return err }) != nil {
		f.drop() // it broke while nothing was asked
	}
	if f.conn == nil {
		c, err := connect(ctx, f.c, f.host)
		if err != nil {
			return cmp.Or(ctx.Err(), err)
		}
		f.conn = c
	}
	err := f.conn.run(ctx, op)
	if err == nil || answered(err) {
		return err
	}
	why := f.conn.reason(err)
	f.drop()
	return cmp.Or(ctx.Err(), error(&brokenError{why}))
}

// brokenError is a connection that did not end well.
type brokenError struct{ why string }

func (e *brokenError) Error() string { return "the SFTP server: " + e.why }

// answered reports whether an error is the server's answer, after which it can be asked
// something else.
func answered(err error) bool {
	var status *sftp.StatusError
	switch {
	case errors.Is(err, sftp.ErrSSHFxConnectionLost), errors.Is(err, sftp.ErrSSHFxNoConnection):
		return false
	case errors.As(err, &status):
		return status.FxCode() != sftp.ErrSSHFxConnectionLost && status.FxCode() != sftp.ErrSSHFxNoConnection
	}
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, files.ErrChanged)
}

// said puts an answer in words of ours: the server's own may hold anything.
func said(err error) string {
	var status *sftp.StatusError
	var broken *brokenError
	switch {
	case errors.As(err, &broken):
		return broken.why
	case errors.Is(err, fs.ErrNotExist):
		return "the folder is not there: make it, or put the address of the interface right"
	case errors.Is(err, fs.ErrPermission):
		return "the server does not allow it"
	case errors.As(err, &status) && status.FxCode() == sftp.ErrSSHFxOpUnsupported:
		return "the server cannot do it"
	case errors.As(err, &status):
		return "the server could not do it: it may have no room, or something else of that name"
	}
	return err.Error()
}

func entry(st fs.FileInfo) files.Entry {
	mod := st.ModTime()
	return files.Entry{Name: st.Name(), Size: st.Size(), When: mod.Unix(), Day: mod.UTC().Format("20060102"), Mark: fmt.Sprint(mod.Unix()),
		Special: !st.Mode().IsRegular() || st.Size() < 0}
}

// listing is how many bytes the answer to a listing may have: 50,000 files or so.
const listing = 10 << 20

// List implements [files.Inbox].
func (f *folder) List(ctx context.Context) (list []files.Entry, err error) {
	var infos []os.FileInfo
	err = f.do(ctx, func(c *conn) (err error) {
		c.limit(listing)
		defer c.limit(-1)
		infos, err = c.ReadDirContext(ctx, f.path)
		return err
	})
	if err != nil {
		return nil, plainly(ctx, "the folder cannot be read", err)
	}
	for _, st := range infos {
		list = append(list, entry(st))
	}
	return list, nil
}

func plainly(ctx context.Context, what string, err error) error {
	var broken *brokenError
	if errors.As(err, &broken) || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%s: %s", what, said(err))
}

// about is an answer about one file.
func about(name, what string, err error) error {
	if !answered(err) || errors.Is(err, files.ErrChanged) {
		return err
	}
	return &files.Fault{Name: name, Why: what + ": " + said(err)}
}

// Fetch implements [files.Inbox].
func (f *folder) Fetch(ctx context.Context, e files.Entry, w io.Writer) error {
	return about(e.Name, "cannot be read", f.do(ctx, func(c *conn) (err error) {
		now, err := c.Lstat(f.at(e.Name))
		if errors.Is(err, fs.ErrNotExist) || err == nil && changed(e, now) {
			return files.ErrChanged // a link, perhaps
		}
		if err != nil {
			return err
		}
		in, err := c.Open(f.at(e.Name))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, in.Close()) }()
		if now, err = in.Stat(); err == nil && changed(e, now) {
			err = files.ErrChanged
		}
		if err == nil {
			err = download(in, e.Size, w)
		}
		if err == nil {
			if now, err = in.Stat(); err == nil && changed(e, now) {
				err = files.ErrChanged
			}
		}
		return err
	}))
}

func changed(e files.Entry, now fs.FileInfo) bool {
	n := entry(now)
	return n.Special || n.Size != e.Size || n.Mark != e.Mark
}

// Many pieces are asked for at once, or a distant server would be slow. The pieces are
// read one by one, since not every server gives as much as it was asked for.
const (
	piece = 32 << 10
	many  = 64
)

func download(in io.ReaderAt, size int64, w io.Writer) error {
	buf := make([]byte, min(size, piece*many))
	errs := make([]error, many)
	for at := int64(0); at < size; at += int64(len(buf)) {
		part := buf[:min(int64(len(buf)), size-at)]
		var wg sync.WaitGroup
		clear(errs)
		for i := 0; i*piece < len(part); i++ {
			wg.Go(func() {
				b := part[i*piece : min((i+1)*piece, len(part))]
				if n, err := in.ReadAt(b, at+int64(i*piece)); n < len(b) {
					errs[i] = cmp.Or(err, io.ErrUnexpectedEOF)
				}
			})
		}
		wg.Wait()
		for _, err := range errs {
			if err == io.EOF {
				return files.ErrChanged // it became shorter
			}
			if err != nil {
				return err
			}
		}
		if _, err := w.Write(part); err != nil {
			return err
		}
	}
	return nil
}

// Stat implements [files.Inbox].
func (f *folder) Stat(ctx context.Context, name string) (e files.Entry, err error) {
	err = f.do(ctx, func(c *conn) error {
		st, err := c.Lstat(f.at(name))
		if err == nil {
			e = entry(st)
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return e, fs.ErrNotExist
	}
	if err != nil {
		return e, about(name, "cannot be looked at", err)
	}
	return e, nil
}

// Rename implements [files.Inbox].
func (f *folder) Rename(ctx context.Context, from, to string) error {
	gone := false
	err := f.do(ctx, func(c *conn) error {
		if in := path.Dir(to); in != "." {
			if _, err := c.Lstat(f.at(in)); errors.Is(err, fs.ErrNotExist) {
				err = c.Mkdir(f.at(in))
				if err != nil {
					return err
				}
			} else if err != nil {
				return err
			}
		}
		err := c.rename(f.at(from), f.at(to))
		gone = errors.Is(err, fs.ErrNotExist)
		return err
	})
	if gone {
		return fs.ErrNotExist
	}
	if err != nil {
		return about(from, "cannot be moved", err)
	}
	return nil
}

// Remove implements [files.Inbox].
func (f *folder) Remove(ctx context.Context, name string) error {
	err := f.do(ctx, func(c *conn) error { return c.Remove(f.at(name)) })
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return about(name, "cannot be deleted", err)
}

// Look implements [files.Outbox].
func (f *folder) Look(ctx context.Context, name string, content []byte) (state files.State, err error) {
	err = f.do(ctx, func(c *conn) (err error) {
		st, err := c.Lstat(f.at(name))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		}
		if state = files.Other; !st.Mode().IsRegular() || st.Size() != int64(len(content)) {
			return nil
		}
		in, err := c.Open(f.at(name))
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, in.Close()) }()
		d := &difference{want: content}
		if err := download(in, int64(len(content)), d); err != nil {
			return err
		}
		if !d.found {
			state = files.Same
		}
		return nil
	})
	if err != nil {
		return files.Absent, errors.New(said(err))
	}
	return state, nil
}

// difference compares what is written to it with what it wants.
type difference struct {
	want  []byte
	found bool
}

func (d *difference) Write(b []byte) (int, error) {
	d.found = d.found || len(b) > len(d.want) || !bytes.Equal(b, d.want[:len(b)])
	d.want = d.want[min(len(b), len(d.want)):]
	return len(b), nil
}

// Put implements [files.Outbox].
func (f *folder) Put(ctx context.Context, name string, content []byte) error {
	renaming := false
	err := f.do(ctx, func(c *conn) error {
		temp := f.at("." + name + ".part")
		if err := c.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of an attempt that broke off
			return err
		}
		err := c.write(temp, content)
		if err == nil {
			renaming = true
			err = c.rename(temp, f.at(name))
			renaming = err != nil && !answered(err)
		}
		if err != nil && answered(err) {
			_ = c.Remove(temp) // or at the next attempt
		}
		return err
	})
	switch {
	case err == nil:
		return nil
	case renaming:
		return fmt.Errorf("%w: %s", files.ErrUnclear, said(err))
	}
	return errors.New(said(err))
}
