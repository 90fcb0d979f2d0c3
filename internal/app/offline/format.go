package offline

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/kernel/def/form"
)

// FormatReport says which files of definitions are, or would be, written in
// another way, and which documents stay as they are.
type FormatReport struct {
	Changed []string
	Left    []string // "file: line 3: why"
}

// FormatDefinitions writes the definitions of a folder in the one form. With
// check it writes nothing. Links are passed over, and so are YAML files that hold
// no definition.
func FormatDefinitions(dir string, check bool) (report FormatReport, err error) {
	order := edit.Order(Registry())
	root, err := os.OpenRoot(dir)
	if err != nil {
		return report, reeve.E(reeve.Invalid, "offline.FormatDefinitions", "%s is not a folder of definitions", dir)
	}
	defer root.Close()
	err = fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular() || path.Ext(name) != ".yaml" && path.Ext(name) != ".yml":
			return nil
		}
		text, err := root.ReadFile(name)
		if err != nil {
			return err
		}
		out, left := form.Format(text, order)
		for _, l := range left {
			if l.Why != form.NoDefinition {
				report.Left = append(report.Left, fmt.Sprintf("%s: %s", name, l))
			}
		}
		if bytes.Equal(out, text) {
			return nil
		}
		if report.Changed = append(report.Changed, name); check {
			return nil
		}
		return replaceFile(root, name, out)
	})
	return report, err
}

// replaceFile writes a file whole, or not at all.
func replaceFile(root *os.Root, name string, content []byte) error {
	info, err := root.Stat(name)
	if err != nil {
		return err
	}
	tmp := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".new")
	if err := root.WriteFile(tmp, content, info.Mode().Perm()); err != nil {
		return err
	}
	if err := root.Rename(tmp, name); err != nil {
		return errors.Join(err, root.Remove(tmp))
	}
	return nil
}
