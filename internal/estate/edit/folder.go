package edit

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
)

// folder is the definitions folder with changes that are not written yet. It never
// leaves the folder, whatever links there are.
type folder struct {
	root *os.Root // nil where nothing can be written
	base fs.FS
	new  map[string][]byte // nil: removed
	old  map[string][]byte // what was there before; nil: nothing
}

func openFolder(dir string, builtIn fs.FS) (*folder, error) {
	f := &folder{base: builtIn, new: map[string][]byte{}, old: map[string][]byte{}}
	if dir == "" {
		return f, nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, reeve.E(reeve.Transient, "edit", "the folder of definitions cannot be read: %w", err)
	}
	f.root, f.base = root, os.DirFS(dir)
	return f, nil
}

func (f *folder) close() {
	if f.root != nil {
		f.root.Close()
	}
}

func isNotExist(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// read is a file as it is, or as it was changed.
func (f *folder) read(name string) ([]byte, error) {
	if b, ok := f.new[name]; ok {
		if b == nil {
			return nil, fs.ErrNotExist
		}
		return b, nil
	}
	if f.root == nil {
		return fs.ReadFile(f.base, name)
	}
	if info, err := f.root.Lstat(name); err == nil && !info.Mode().IsRegular() {
		return nil, reeve.E(reeve.Conflict, "edit", "%s is a link or no file: change what it points at", name)
	}
	b, err := f.root.ReadFile(name)
	if err != nil && !isNotExist(err) {
		return nil, reeve.E(reeve.Conflict, "edit", "%s cannot be changed here: %w", name, err)
	}
	return b, err
}

// write changes a file; a file that holds nothing any more is removed.
func (f *folder) write(name, text string) error {
	if _, ok := f.old[name]; !ok {
		b, err := f.read(name)
		if err != nil && !isNotExist(err) {
			return err
		}
		f.old[name] = b
	}
	f.new[name] = []byte(text)
	if strings.TrimSpace(text) == "" {
		f.new[name] = nil
	}
	return nil
}

func (f *folder) changes() (out []File) {
	for _, name := range slices.Sorted(maps.Keys(f.new)) {
		out = append(out, File{name, f.old[name], f.new[name]})
	}
	return out
}

// same reports whether the set was read from just these files.
func (f *folder) same(s *def.Set) bool {
	names := s.Files()
	seen := 0
	err := fs.WalkDir(f.base, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name != "." && strings.HasPrefix(d.Name(), ".") {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		switch path.Ext(name) {
		case ".yaml", ".yml", ".json", ".blobl":
		default:
			return nil
		}
		if d.IsDir() {
			return nil
		}
		want, err := s.File(name)
		if err != nil {
			return err
		}
		b, err := fs.ReadFile(f.base, name)
		if err != nil || !bytes.Equal(b, want) {
			return errors.Join(err, fs.ErrInvalid)
		}
		seen++
		return nil
	})
	for _, n := range names {
		switch path.Ext(n) {
		case ".yaml", ".yml", ".json", ".blobl":
		default:
			return false
		}
	}
	return err == nil && seen == len(names)
}

// Open is the file with the changes; it makes a folder an fs.FS.
func (f *folder) Open(name string) (fs.File, error) {
	if b, ok := f.new[name]; ok {
		if b == nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return &memory{Reader: bytes.NewReader(b), name: path.Base(name), size: int64(len(b))}, nil
	}
	return f.base.Open(name)
}

// Stat is what Open would give.
func (f *folder) Stat(name string) (fs.FileInfo, error) {
	if _, ok := f.new[name]; ok {
		x, err := f.Open(name)
		if err != nil {
			return nil, err
		}
		return x.Stat()
	}
	return fs.Stat(f.base, name)
}

// ReadDir lists a folder with what was added, without what was removed.
func (f *folder) ReadDir(dir string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.base, dir)
	added := map[string]fs.DirEntry{}
	for name, b := range f.new {
		rest, below := strings.CutPrefix(name, dir+"/")
		if dir == "." {
			rest, below = name, true
		}
		if !below {
			continue
		}
		first, _, deeper := strings.Cut(rest, "/")
		switch {
		case deeper && b != nil:
			added[first] = fs.FileInfoToDirEntry(&memory{name: first, dir: true})
		case !deeper && b == nil:
			entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return e.Name() == first })
		case !deeper:
			added[first] = fs.FileInfoToDirEntry(&memory{name: first, size: int64(len(b))})
		}
	}
	if err != nil && len(added) == 0 {
		return nil, err
	}
	for name, e := range added {
		if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name }) {
			entries = append(entries, e)
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// memory is a file that is not on disk, and what is known of it.
type memory struct {
	*bytes.Reader
	name string
	size int64
	dir  bool
}

func (m *memory) Stat() (fs.FileInfo, error) { return m, nil }
func (m *memory) Close() error               { return nil }
func (m *memory) Name() string               { return m.name }
func (m *memory) Size() int64                { return m.size }
func (m *memory) ModTime() time.Time         { return time.Time{} }
func (m *memory) IsDir() bool                { return m.dir }
func (m *memory) Sys() any                   { return nil }
func (m *memory) Mode() fs.FileMode {
	if m.dir {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

// put writes a file on disk: whole, or not at all.
func put(root *os.Root, name string, content []byte) error {
	if content == nil {
		return root.Remove(name)
	}
	if dir := path.Dir(name); dir != "." {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	mode := fs.FileMode(0o644)
	if info, err := root.Stat(name); err == nil {
		mode = info.Mode().Perm()
	}
	tmp := path.Join(path.Dir(name), "."+path.Base(name)+".new")
	_ = root.Remove(tmp) // of a crash
	w, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, bytes.NewReader(content))
	if err = errors.Join(err, w.Sync(), w.Close()); err != nil {
		return errors.Join(err, root.Remove(tmp))
	}
	return root.Rename(tmp, name)
}

// find is the document of a definition in its file, among the file's documents,
// and its value.
func find(text string, k def.Kind, id string) (docs []yamldoc.Doc, at int, value map[string]any, err error) {
	if clean, bad := yamldoc.Readable([]byte(text)); bad != nil || clean != text {
		return nil, 0, nil, errors.New("the file has line ends of another system, or begins with a byte order mark: save it as plain UTF-8 first")
	}
	docs = yamldoc.Split(text)
	lines := func() []string { return strings.Split(text, "\n") }
	for i, d := range docs {
		if !strings.Contains(d.Source(), id) {
			continue
		}
		n, _ := new(yamldoc.Reader).Read(d, lines, func(yamldoc.Problem) {})
		if n == nil {
			continue
		}
		v, _ := n.Plain().(map[string]any)
		meta, _ := v["metadata"].(map[string]any)
		if kind, _ := v["kind"].(string); meta["id"] == id && (kind == k.Name || slices.Contains(k.Aliases, kind)) {
			return docs, i, v, nil
		}
	}
	return nil, 0, nil, errors.New("it is not there any more")
}

// without is a file without one of its documents. The comments at its head stay.
func without(text string, docs []yamldoc.Doc, at int) string {
	d := docs[at]
	from, to := d.Offset, d.Offset+len(d.Source())
	if len(docs) == 1 && strings.TrimSpace(text[:from]) == "" {
		return ""
	}
	if at == 0 && !strings.HasPrefix(d.Source(), "---") {
		for line := range strings.SplitAfterSeq(d.Source(), "\n") {
			if t := strings.TrimSpace(line); t != "" && t[0] != '#' {
				break
			}
			from += len(line)
		}
	}
	return text[:from] + text[to:]
}
