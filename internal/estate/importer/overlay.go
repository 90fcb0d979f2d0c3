package importer

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// overlay is fsys with some files in place of its own.
func overlay(fsys fs.FS, files map[string][]byte) fs.FS { return &layered{fsys, files} }

type layered struct {
	under fs.FS
	files map[string][]byte
}

func (l *layered) Open(name string) (fs.File, error) {
	if b, ok := l.files[name]; ok {
		return &memFile{memInfo{path.Base(name), int64(len(b)), false}, bytes.NewReader(b)}, nil
	}
	f, err := l.under.Open(name)
	if errors.Is(err, fs.ErrNotExist) && l.folder(name) {
		return &memFile{memInfo{path.Base(name), 0, true}, bytes.NewReader(nil)}, nil
	}
	return f, err
}

func (l *layered) folder(name string) bool {
	for f := range l.files {
		if name == "." || strings.HasPrefix(f, name+"/") {
			return true
		}
	}
	return false
}

// ReadDir lists what is under and what is laid over it.
func (l *layered) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(l.under, name)
	if err != nil && !(errors.Is(err, fs.ErrNotExist) && l.folder(name)) {
		return nil, err
	}
	have := map[string]bool{}
	for _, e := range entries {
		have[e.Name()] = true
	}
	for f, b := range l.files {
		rest := f
		if name != "." {
			var ok bool
			if rest, ok = strings.CutPrefix(f, name+"/"); !ok {
				continue
			}
		}
		first, _, deeper := strings.Cut(rest, "/")
		if !have[first] {
			have[first] = true
			entries = append(entries, fs.FileInfoToDirEntry(memInfo{first, int64(len(b)), deeper}))
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

type memFile struct {
	info memInfo
	*bytes.Reader
}

func (f *memFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *memFile) Close() error               { return nil }

var _ io.ReaderAt = (*memFile)(nil)

type memInfo struct {
	name string
	size int64
	dir  bool
}

func (i memInfo) Name() string       { return i.name }
func (i memInfo) Size() int64        { return i.size }
func (i memInfo) ModTime() time.Time { return time.Time{} }
func (i memInfo) IsDir() bool        { return i.dir }
func (i memInfo) Sys() any           { return nil }
func (i memInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}
