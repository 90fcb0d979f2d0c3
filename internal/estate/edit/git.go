package edit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/index"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/transport/http"

	"github.com/reeve-civic/reeve"
)

// program signs commits that it makes for people.
var program = Person{Name: "Reeve", Email: "reeve@localhost"}

// repository is the git repository of the definitions folder.
type repository struct {
	*git.Repository
	dir    string // the definitions folder
	prefix string // of the folder within the repository, "" or "demo/body/"
	now    func() time.Time
}

// openRepository opens the repository that the folder is in, or makes one there,
// with all that the folder holds as its first commit.
func openRepository(dir string, now func() time.Time) (*repository, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if err != nil {
		return nil, err
	}
	r, err := git.PlainOpenWithOptions(dir, &git.PlainOpenOptions{DetectDotGit: true, EnableDotGitCommonDir: true})
	if errors.Is(err, git.ErrRepositoryNotExists) {
		r, err = git.PlainInitWithOptions(dir, &git.PlainInitOptions{InitOptions: git.InitOptions{DefaultBranch: plumbing.Main}})
	}
	if err != nil {
		return nil, gitError("open", err)
	}
	w, err := r.Worktree()
	if err != nil {
		return nil, gitError("open", err)
	}
	top, err := filepath.EvalSymlinks(w.Filesystem.Root())
	if err != nil {
		return nil, err
	}
	out := &repository{Repository: r, dir: dir, now: now}
	if rel, err := filepath.Rel(top, dir); err != nil {
		return nil, err
	} else if rel != "." {
		out.prefix = filepath.ToSlash(rel) + "/"
	}
	if _, err := r.Head(); errors.Is(err, plumbing.ErrReferenceNotFound) {
		return out, out.first()
	} else if err != nil {
		return nil, gitError("open", err)
	}
	return out, nil
}

func gitError(op string, err error) error {
	return fmt.Errorf("edit: git %s: %w", op, err)
}

// first commits what the folder holds.
func (r *repository) first() error {
	files := map[string]*[]byte{}
	err := filepath.WalkDir(r.dir, func(name string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") && name != r.dir {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		b, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(r.dir, name)
		files[r.prefix+filepath.ToSlash(rel)] = &b
		return err
	})
	if err != nil {
		return err
	}
	tree, err := r.tree(plumbing.ZeroHash, files)
	if err != nil {
		return err
	}
	hash, err := r.object(tree, nil, program, "The definitions as they were found")
	if err != nil {
		return err
	}
	if err := r.advance(plumbing.ZeroHash, hash); err != nil {
		return err
	}
	return r.index(files)
}

// head is the commit in force.
func (r *repository) head() (*object.Commit, error) {
	ref, err := r.Head()
	if err != nil {
		return nil, gitError("head", err)
	}
	c, err := r.CommitObject(ref.Hash())
	if err != nil {
		return nil, gitError("head", err)
	}
	return c, nil
}

// committed is a file as the commit has it; nil if it has not.
func (r *repository) committed(c *object.Commit, name string) ([]byte, error) {
	f, err := c.File(r.prefix + name)
	if errors.Is(err, object.ErrFileNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, gitError("read", err)
	}
	rd, err := f.Reader()
	if err != nil {
		return nil, gitError("read", err)
	}
	defer rd.Close()
	return io.ReadAll(rd)
}

// byHand are the files whose content before the change is not what was committed.
func (r *repository) byHand(head *object.Commit, files []File) (out []File, err error) {
	for _, f := range files {
		b, err := r.committed(head, f.Name)
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(b, f.Before) || (b == nil) != (f.Before == nil) {
			out = append(out, File{f.Name, b, f.Before})
		}
	}
	return out, nil
}

// commit writes files and commits them, each by itself: not what is staged, nor
// what else was changed. The order is such that a crash loses nothing: first the
// commit, which nobody sees yet, then the files, then the branch.
func (r *repository) commit(who Person, message string, files []File) (Outcome, error) {
	root, err := os.OpenRoot(r.dir)
	if err != nil {
		return Outcome{}, err
	}
	defer root.Close()
	written := false
	for range 5 {
		head, err := r.head()
		if err != nil {
			return Outcome{}, err
		}
		parent := head.Hash
		tree := head.TreeHash
		hand, err := r.byHand(head, files)
		if err != nil {
			return Outcome{}, err
		}
		if len(hand) > 0 {
			if tree, err = r.tree(tree, r.contents(hand)); err != nil {
				return Outcome{}, err
			}
			if parent, err = r.object(tree, []plumbing.Hash{parent}, program, "Changes made in the folder\n\n"+names(hand)); err != nil {
				return Outcome{}, err
			}
		}
		if tree, err = r.tree(tree, r.contents(files)); err != nil {
			return Outcome{}, err
		}
		hash, err := r.object(tree, []plumbing.Hash{parent}, who, message)
		if err != nil {
			return Outcome{}, err
		}
		if !written {
			for _, f := range files {
				if err := put(root, f.Name, f.After); err != nil {
					return Outcome{}, reeve.E(reeve.Transient, "edit.commit", "%s could not be written: %w", f.Name, err)
				}
			}
			written = true
		}
		if err := r.advance(head.Hash, hash); err != nil {
			if errors.Is(err, errMoved) {
				continue // somebody committed by hand at this moment: on top of it then
			}
			return Outcome{}, err
		}
		return Outcome{Commit: hash.String()}, r.index(r.contents(files))
	}
	return Outcome{}, reeve.E(reeve.Transient, "edit.commit", "the repository of the definitions is being changed at this moment: your change is in the folder, and is committed with the next one")
}

func names(files []File) string {
	var b strings.Builder
	for _, f := range files {
		b.WriteString(f.Name + "\n")
	}
	return b.String()
}

func (r *repository) contents(files []File) map[string]*[]byte {
	out := map[string]*[]byte{}
	for _, f := range files {
		if f.After == nil {
			out[r.prefix+f.Name] = nil
			continue
		}
		out[r.prefix+f.Name] = &f.After
	}
	return out
}

// propose commits files on a branch of their own and pushes it. The folder stays
// as it is.
func (r *repository) propose(ctx context.Context, upstream, token string, who Person, message, name string, files []File) (Outcome, error) {
	head, err := r.head()
	if err != nil {
		return Outcome{}, err
	}
	if hand, err := r.byHand(head, files); err != nil {
		return Outcome{}, err
	} else if len(hand) > 0 {
		return Outcome{}, reeve.E(reeve.Conflict, "edit.propose", "%s was changed in the folder and not committed: commit or undo that first, so that it is not proposed with your change", hand[0].Name)
	}
	tree, err := r.tree(head.TreeHash, r.contents(files))
	if err != nil {
		return Outcome{}, err
	}
	hash, err := r.object(tree, []plumbing.Hash{head.Hash}, who, message)
	if err != nil {
		return Outcome{}, err
	}
	remote := git.NewRemote(r.Storer, &config.RemoteConfig{Name: "upstream", URLs: []string{upstream}})
	for n := 1; n < 1000; n++ {
		branch := fmt.Sprintf("%s-%d", name, n)
		ref := plumbing.NewBranchReferenceName(branch)
		if _, err := r.Storer.Reference(ref); err == nil {
			continue
		}
		if err := r.Storer.SetReference(plumbing.NewHashReference(ref, hash)); err != nil {
			return Outcome{}, gitError("branch", err)
		}
		o := &git.PushOptions{RemoteName: "upstream", RefSpecs: []config.RefSpec{config.RefSpec(ref + ":" + ref)}}
		if token != "" {
			o.Auth = &http.BasicAuth{Username: "reeve", Password: token}
		}
		err := remote.PushContext(ctx, o)
		if err == nil {
			return Outcome{Commit: hash.String(), Branch: branch}, nil
		}
		if rm := r.Storer.RemoveReference(ref); rm != nil {
			return Outcome{}, gitError("branch", rm)
		}
		if !strings.Contains(err.Error(), "non-fast-forward") {
			return Outcome{}, reeve.E(reeve.Transient, "edit.propose", "your change could not be pushed to where it is to be agreed, and was not saved: %s", told(err, upstream))
		}
	}
	return Outcome{}, reeve.E(reeve.Conflict, "edit.propose", "there are a thousand proposals for this definition already: agree or close some")
}

// told is an error of the upstream for people to read: without its address, which
// may hold what opens it.
func told(err error, upstream string) string {
	var of *url.Error
	if errors.As(err, &of) {
		err = of.Err
	}
	s := err.Error()
	if u, err := url.Parse(upstream); err == nil && (u.Scheme == "https" || u.Scheme == "http") {
		password, _ := u.User.Password()
		for _, secret := range []string{password, u.User.Username(), u.RawQuery} {
			if secret != "" {
				s = strings.ReplaceAll(s, secret, "…")
			}
		}
	}
	return s
}

// object stores a commit.
func (r *repository) object(tree plumbing.Hash, parents []plumbing.Hash, who Person, message string) (plumbing.Hash, error) {
	now := r.now()
	c := &object.Commit{
		Author:    object.Signature{Name: line(who.Name, "Somebody"), Email: line(who.Email, "nobody@localhost"), When: now},
		Committer: object.Signature{Name: program.Name, Email: program.Email, When: now},
		Message:   said(message) + "\n", TreeHash: tree, ParentHashes: parents,
	}
	o := r.Storer.NewEncodedObject()
	if err := c.Encode(o); err != nil {
		return plumbing.ZeroHash, gitError("commit", err)
	}
	h, err := r.Storer.SetEncodedObject(o)
	if err != nil {
		return plumbing.ZeroHash, gitError("commit", err)
	}
	return h, nil
}

// line is a name as git can keep it.
func line(s, other string) string {
	s = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r == '<' || r == '>' || r == 0x7f {
			return ' '
		}
		return r
	}, s))
	if s == "" {
		return other
	}
	return s
}

// said is a message without what a terminal would obey.
func said(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f {
			return -1
		}
		return r
	}, s)
	if len(s) > 5000 {
		s = s[:5000]
	}
	return strings.ToValidUTF8(strings.TrimSpace(s), "")
}

// tree stores a tree with files put in the place of others; nil removes one.
func (r *repository) tree(base plumbing.Hash, files map[string]*[]byte) (plumbing.Hash, error) {
	var entries []object.TreeEntry
	if base != plumbing.ZeroHash {
		t, err := object.GetTree(r.Storer, base)
		if err != nil {
			return base, gitError("tree", err)
		}
		entries = slices.Clone(t.Entries)
	}
	below := map[string]map[string]*[]byte{}
	set := func(name string, mode filemode.FileMode, hash plumbing.Hash) {
		i := slices.IndexFunc(entries, func(e object.TreeEntry) bool { return e.Name == name })
		if i >= 0 {
			if mode == filemode.Regular && entries[i].Mode == filemode.Executable {
				mode = filemode.Executable
			}
			entries[i] = object.TreeEntry{Name: name, Mode: mode, Hash: hash}
			return
		}
		entries = append(entries, object.TreeEntry{Name: name, Mode: mode, Hash: hash})
	}
	remove := func(name string) {
		entries = slices.DeleteFunc(entries, func(e object.TreeEntry) bool { return e.Name == name })
	}
	for name, content := range files {
		dir, rest, deeper := strings.Cut(name, "/")
		switch {
		case deeper:
			if below[dir] == nil {
				below[dir] = map[string]*[]byte{}
			}
			below[dir][rest] = content
		case content == nil:
			remove(name)
		default:
			hash, err := r.blob(*content)
			if err != nil {
				return base, err
			}
			set(name, filemode.Regular, hash)
		}
	}
	for dir, files := range below {
		old := plumbing.ZeroHash
		for _, e := range entries {
			if e.Name == dir && e.Mode == filemode.Dir {
				old = e.Hash
			}
		}
		hash, err := r.tree(old, files)
		if err != nil {
			return base, err
		}
		if t, err := object.GetTree(r.Storer, hash); err == nil && len(t.Entries) == 0 {
			remove(dir)
			continue
		}
		set(dir, filemode.Dir, hash)
	}
	slices.SortFunc(entries, func(a, b object.TreeEntry) int { return strings.Compare(sortName(a), sortName(b)) })
	o := r.Storer.NewEncodedObject()
	if err := (&object.Tree{Entries: entries}).Encode(o); err != nil {
		return base, gitError("tree", err)
	}
	h, err := r.Storer.SetEncodedObject(o)
	if err != nil {
		return base, gitError("tree", err)
	}
	return h, nil
}

// sortName is how git sorts: folders as if their names ended with a slash.
func sortName(e object.TreeEntry) string {
	if e.Mode == filemode.Dir {
		return e.Name + "/"
	}
	return e.Name
}

func (r *repository) blob(content []byte) (plumbing.Hash, error) {
	o := r.Storer.NewEncodedObject()
	o.SetType(plumbing.BlobObject)
	w, err := o.Writer()
	if err != nil {
		return plumbing.ZeroHash, gitError("write", err)
	}
	_, err = w.Write(content)
	if err = errors.Join(err, w.Close()); err != nil {
		return plumbing.ZeroHash, gitError("write", err)
	}
	h, err := r.Storer.SetEncodedObject(o)
	if err != nil {
		return h, gitError("write", err)
	}
	return h, nil
}

var errMoved = errors.New("the branch has moved")

// advance moves the present branch from one commit to the next.
func (r *repository) advance(from, to plumbing.Hash) error {
	head, err := r.Storer.Reference(plumbing.HEAD)
	if err != nil {
		return gitError("advance", err)
	}
	name := plumbing.HEAD // not on a branch
	if head.Type() == plumbing.SymbolicReference {
		name = head.Target()
	}
	if from == plumbing.ZeroHash {
		if err := r.Storer.SetReference(plumbing.NewHashReference(name, to)); err != nil {
			return gitError("advance", err)
		}
		return nil
	}
	if now, err := r.Storer.Reference(name); err != nil || now.Hash() != from {
		return errors.Join(errMoved, err)
	}
	if err := r.Storer.CheckAndSetReference(plumbing.NewHashReference(name, to), plumbing.NewHashReference(name, from)); err != nil {
		return errors.Join(errMoved, err)
	}
	return nil
}

// index tells git's index about the files, so that they do not look changed. What
// else is staged stays so.
func (r *repository) index(files map[string]*[]byte) error {
	idx, err := r.Storer.Index()
	if err != nil {
		return gitError("index", err)
	}
	for name, content := range files {
		if content == nil {
			if _, err := idx.Remove(name); err != nil && !errors.Is(err, index.ErrEntryNotFound) {
				return gitError("index", err)
			}
			continue
		}
		e, err := idx.Entry(name)
		if err != nil {
			e = idx.Add(name)
			e.Mode = filemode.Regular
		}
		e.Hash = plumbing.ComputeHash(plumbing.BlobObject, *content)
		e.Size = uint32(len(*content))
		if info, err := os.Stat(filepath.Join(r.dir, filepath.FromSlash(strings.TrimPrefix(name, r.prefix)))); err == nil {
			e.ModifiedAt = info.ModTime()
		}
	}
	if err := r.Storer.SetIndex(idx); err != nil {
		return gitError("index", err)
	}
	return nil
}

// Revision is a definition as a commit left it.
type Revision struct {
	Commit, Author, Message string
	At                      time.Time
	Before, After           string // the document; "" if it was not there
	File                    string
}

// History is how a definition came to be what it is, newest first, as far as its
// present file tells; at most max changes.
func (e *Editor) History(ctx context.Context, kind, id string, max int) ([]Revision, error) {
	if e.ReadOnly() != "" {
		return nil, readOnly(e)
	}
	k, ok := e.o.Registry.Kind(kind)
	if !ok {
		return nil, reeve.E(reeve.NotFound, "edit", "there is no kind %q of definition", kind)
	}
	o, ok := e.o.Set().Lookup(kind, id)
	if !ok {
		return nil, reeve.E(reeve.NotFound, "edit", "there is no %s %s", kind, id)
	}
	r, err := openRepository(e.o.Dir, e.o.Now)
	if err != nil {
		return nil, err
	}
	name := path.Join(r.prefix, o.File)
	log, err := r.Log(&git.LogOptions{FileName: &name})
	if err != nil {
		return nil, gitError("log", err)
	}
	defer log.Close()
	document := func(c *object.Commit) (string, error) {
		text, err := r.committed(c, o.File)
		if err != nil {
			return "", err
		}
		for _, id := range append([]string{o.ID}, o.Formerly...) {
			if docs, at, _, err := find(string(text), k, id); err == nil {
				return strings.TrimPrefix(docs[at].Source(), "---\n"), nil
			}
		}
		return "", nil
	}
	var out []Revision
	for n := 0; n < 2000 && len(out) <= max && ctx.Err() == nil; n++ {
		c, err := log.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, gitError("log", err)
		}
		text, err := document(c)
		if err != nil {
			return nil, err
		}
		rev := Revision{Commit: c.Hash.String(), Author: c.Author.Name, Message: strings.TrimSpace(c.Message), At: c.Author.When, After: text, File: o.File}
		if last := len(out) - 1; last >= 0 {
			if out[last].Before = text; out[last].After == text {
				out[last] = rev // the later commit changed something else in the file
				continue
			}
		}
		out = append(out, rev)
	}
	if n := len(out); n > 0 && out[n-1].After == "" {
		out = out[:n-1]
	}
	return out[:min(len(out), max)], ctx.Err()
}
