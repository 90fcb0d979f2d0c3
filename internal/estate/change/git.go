package change

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/reeve-civic/reeve"
)

// maxCommitted is how much of a folder is read out of a repository.
const maxCommitted = 128 << 20

// Committed is a folder as it is in a commit, branch or tag of the git repository
// that it lies in.
func Committed(dir, ref string) (fs.FS, error) {
	fail := func(format string, args ...any) (fs.FS, error) {
		return nil, reeve.E(reeve.Invalid, "change.Committed", format, args...)
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	r, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if errors.Is(err, git.ErrRepositoryNotExists) {
		return fail("%s is in no git repository: give a folder to compare with by --against", dir)
	} else if err != nil {
		return nil, err
	}
	at, err := r.ResolveRevision(plumbing.Revision(ref))
	if err != nil {
		return fail("there is no folder, commit, branch or tag %q", ref)
	}
	commit, err := r.CommitObject(*at)
	if err != nil {
		return fail("%q is not a commit", ref)
	}
	w, err := r.Worktree()
	if err != nil {
		return nil, err
	}
	top, err := filepath.EvalSymlinks(w.Filesystem.Root())
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(top, dir)
	if err != nil {
		return nil, err
	}
	tree, err := commit.Tree()
	if err == nil && rel != "." {
		tree, err = tree.Tree(filepath.ToSlash(rel))
	}
	if err != nil {
		return fail("the folder %s is not in %s", filepath.ToSlash(rel), ref)
	}
	return pack(tree)
}

// pack holds the files of a tree in memory.
func pack(tree *object.Tree) (fs.FS, error) {
	var b bytes.Buffer
	z, left := zip.NewWriter(&b), int64(maxCommitted)
	err := tree.Files().ForEach(func(f *object.File) error {
		if !f.Mode.IsRegular() || strings.HasPrefix(f.Name, ".") {
			return nil
		}
		if left -= f.Size; left < 0 {
			return reeve.E(reeve.Invalid, "change.Committed", "the folder holds more than %d MiB", maxCommitted>>20)
		}
		in, err := f.Reader()
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := z.CreateHeader(&zip.FileHeader{Name: f.Name, Method: zip.Store})
		if err == nil {
			_, err = io.Copy(out, in)
		}
		return err
	})
	if err := errors.Join(err, z.Close()); err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
}
