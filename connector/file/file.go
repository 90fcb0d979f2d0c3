// Package file reads and writes files in a folder of this machine.
//
// What is guaranteed, beside what package files says. Nothing outside the folder is
// read, moved or written, whatever links are put into it. A file that was written
// survives a power cut.
package file

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/files"
)

// Settings is what an Interface says about its files.
type Settings struct{ files.Settings }

// Connector describes it.
var Connector = connector.Connector{
	Name: "file", Schemes: []string{"file"}, Once: true, Settings: new(Settings),
	Doc: "Files in a folder of this machine, read and written: file:///folder.",
	Promise: connector.Promise{
		Order:  "Files are read by their date, oldest first, and written one after the other. The records of a file keep their order.",
		Repeat: "A file is known by its name and a hash of its contents, and its rows are taken once. Name and contents of a file that is written are fixed before the first attempt: writing again makes the same file, and none is written over.",
		Ack:    "A file is moved or deleted when all its rows are kept here. A record counts as delivered when its file is complete under its name and on the disk.",
	},
	Check: func(c connector.Config, problem func(path, message string)) {
		c.Settings.(*Settings).Check(problem)
	},
	Source: func(c connector.Config) (connector.Source, error) {
		return files.NewSource(folder(c), c, c.Settings.(*Settings).Settings, nil), nil
	},
	Sink: func(c connector.Config) (connector.Sink, error) { return files.NewSink(folder(c), c) },
}

// dir is a folder of this machine.
type dir struct {
	path string
	disk disk
}

// disk is what may fail for want of room or by a crash; tests put failures in.
type disk struct {
	write func(f *os.File, b []byte) error
	sync  func(f *os.File) error
}

func folder(c connector.Config) *dir {
	return &dir{filepath.Clean(strings.TrimPrefix(c.Address, "file://")), disk{
		write: func(f *os.File, b []byte) error { _, err := f.Write(b); return err },
		sync:  (*os.File).Sync,
	}}
}

// root opens the folder; what is in it cannot lead out of it.
func (d *dir) root() (*os.Root, error) {
	r, err := os.OpenRoot(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errors.New("the folder is not there: make it, or put the address of the interface right")
	case err != nil:
		return nil, fmt.Errorf("the folder cannot be read: %s", files.Reason(err))
	}
	return r, nil
}

func entry(st fs.FileInfo) files.Entry {
	mod := st.ModTime()
	e := files.Entry{Name: st.Name(), Size: st.Size(), When: mod.UnixNano(), Day: mod.UTC().Format("20060102"), Special: !st.Mode().IsRegular()}
	e.Mark = fmt.Sprint(mod.UnixNano())
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		e.Mark += fmt.Sprintf(" %d", sys.Ino)
	}
	return e
}

// List implements [files.Inbox].
func (d *dir) List(ctx context.Context) (list []files.Entry, err error) {
	r, err := d.root()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	f, err := r.Open(".")
	if err != nil {
		return nil, fmt.Errorf("the folder cannot be read: %s", files.Reason(err))
	}
	defer f.Close()
	for ctx.Err() == nil {
		part, err := f.ReadDir(1000)
		for _, e := range part {
			if st, err := e.Info(); err == nil { // else it went away
				list = append(list, entry(st))
			}
		}
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the folder cannot be read: %s", files.Reason(err))
		}
	}
	return nil, ctx.Err()
}

// Open opens a file for reading, if it is the one that was listed: no link, no pipe.
func (d *dir) Open(e files.Entry) (io.ReadCloser, error) {
	r, err := d.root()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	st, err := r.Lstat(e.Name)
	if err != nil || !st.Mode().IsRegular() {
		return nil, files.ErrChanged
	}
	f, err := r.OpenFile(e.Name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, files.ErrChanged
	}
	if err != nil {
		return nil, &files.Fault{Name: e.Name, Why: "cannot be opened: " + files.Reason(err)}
	}
	now, err := f.Stat()
	if err == nil && (!os.SameFile(st, now) || !now.Mode().IsRegular() || entry(now).Mark != e.Mark || now.Size() != e.Size) {
		err = files.ErrChanged
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// Fetch implements [files.Inbox].
func (d *dir) Fetch(_ context.Context, e files.Entry, w io.Writer) error {
	f, err := d.Open(e)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close())
}

// Stat implements [files.Inbox].
func (d *dir) Stat(_ context.Context, name string) (files.Entry, error) {
	r, err := d.root()
	if err != nil {
		return files.Entry{}, err
	}
	defer r.Close()
	st, err := r.Lstat(name)
	if err != nil {
		return files.Entry{}, err
	}
	return entry(st), nil
}

// Rename implements [files.Inbox].
func (d *dir) Rename(_ context.Context, from, to string) error {
	r, err := d.root()
	if err != nil {
		return err
	}
	defer r.Close()
	in := path.Dir(to)
	if in != "." {
		if err := r.Mkdir(in, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
			return &files.Fault{Name: from, Why: "cannot be moved: " + files.Reason(err)}
		}
	}
	if err := r.Rename(from, to); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		var le *os.LinkError
		if errors.As(err, &le) {
			err = le.Err
		}
		return &files.Fault{Name: from, Why: "cannot be moved: " + files.Reason(err)}
	}
	// The new place first: a crash between leaves the file in at least one of them.
	return errors.Join(d.syncIn(r, in), d.syncIn(r, "."))
}

// Remove implements [files.Inbox].
func (d *dir) Remove(_ context.Context, name string) error {
	r, err := d.root()
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &files.Fault{Name: name, Why: "cannot be deleted: " + files.Reason(err)}
	}
	return d.syncIn(r, ".")
}

func (d *dir) syncIn(r *os.Root, name string) error {
	f, err := r.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.disk.sync(f), f.Close())
}

// Look implements [files.Outbox].
func (d *dir) Look(_ context.Context, name string, content []byte) (files.State, error) {
	r, err := os.OpenRoot(d.path)
	if errors.Is(err, fs.ErrNotExist) {
		return files.Absent, nil
	}
	if err != nil {
		return files.Absent, err
	}
	defer r.Close()
	st, err := r.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return files.Absent, nil
	case err != nil:
		return files.Absent, err
	case !st.Mode().IsRegular() || st.Size() != int64(len(content)):
		return files.Other, nil
	}
	there, err := r.ReadFile(name)
	if err != nil {
		return files.Absent, err
	}
	if !bytes.Equal(there, content) {
		return files.Other, nil
	}
	// Written before, but neither the file nor the folder need have reached the disk.
	return files.Same, errors.Join(d.syncIn(r, name), d.syncIn(r, "."))
}

// Put implements [files.Outbox]: a file under another name first, on the disk, and only
// then under its own.
func (d *dir) Put(_ context.Context, name string, content []byte) error {
	if err := d.make(d.path); err != nil {
		return err
	}
	r, err := os.OpenRoot(d.path)
	if err != nil {
		return err
	}
	defer r.Close()
	temp := "." + name + ".part"
	if err := r.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) { // of a killed attempt, or a link that was put there
		return err
	}
	f, err := r.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	if err = d.disk.write(f, content); err == nil {
		err = d.disk.sync(f)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = r.Rename(temp, name)
	}
	if err != nil {
		_ = r.Remove(temp)
		return err
	}
	if err := d.syncIn(r, "."); err != nil {
		return fmt.Errorf("%w: %s", files.ErrUnclear, files.Reason(err))
	}
	return nil
}

// make makes a folder, and those that it is in, and sees to it that they stay.
func (d *dir) make(name string) error {
	if _, err := os.Stat(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	up := filepath.Dir(name)
	if err := d.make(up); err != nil {
		return err
	}
	if err := os.Mkdir(name, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.Open(up)
	if err != nil {
		return err
	}
	return errors.Join(d.disk.sync(f), f.Close())
}
