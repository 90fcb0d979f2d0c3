package edit

import (
	"context"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Laid is a folder with some files in place of its own.
func Laid(under fs.FS, files map[string][]byte) fs.FS {
	return &folder{base: under, new: files, old: map[string][]byte{}}
}

// Write puts whole files in place as one commit: what an import brought. The folder
// with them must load. base are the files as they were when the person looked, nil
// for one that was not there; one that is different now is a conflict, and then
// nothing is written.
func (e *Editor) Write(ctx context.Context, who Person, message, proposal string, base, files map[string][]byte) (Outcome, error) {
	if e.ReadOnly() != "" {
		return Outcome{}, readOnly(e)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	f, err := openFolder(e.o.Dir, e.o.FS)
	if err != nil {
		return Outcome{}, err
	}
	defer f.close()
	for name, b := range files {
		if !fs.ValidPath(name) || strings.HasPrefix(name, ".") || strings.Contains(name, "/.") {
			return Outcome{}, reeve.E(reeve.Invalid, "edit.Write", "%q cannot be a file of the folder", name)
		}
		if err := f.write(name, string(b)); err != nil {
			return Outcome{}, err
		}
	}
	changed := f.changes()
	for _, x := range changed {
		if string(x.Before) != string(base[x.Name]) {
			return Outcome{}, reeve.E(reeve.Conflict, "edit.Write", "%s was changed by somebody else while you looked: nothing was saved. Look at the preview again", x.Name)
		}
	}
	changed = slices.DeleteFunc(changed, func(x File) bool { return x.Before != nil && string(x.Before) == string(x.After) })
	if len(changed) == 0 {
		return Outcome{}, reeve.E(reeve.Invalid, "edit.Write", "nothing would change: it says so already")
	}
	if _, problems := def.Load(f, e.o.Registry); len(problems) > 0 {
		return Outcome{Problems: problems}, nil
	}
	return e.keep(ctx, who, message, proposal, changed)
}

// Folder is the folder of definitions as it is on disk now.
func (e *Editor) Folder() fs.FS {
	if e.o.Dir == "" {
		return e.o.FS
	}
	return os.DirFS(e.o.Dir)
}
