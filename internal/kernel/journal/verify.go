package journal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// VerifyOptions says against what to verify.
type VerifyOptions struct {
	Checkpoints []string // files, folders, or the texts of checkpoints; those in the database are always checked
	Verifier    string   // public key, see VerifierKey; "" takes it from Dir/checkpoints, or else the database
	Dir         string   // data directory, whose checkpoints are checked too; or ""
}

// Report is what verifying found.
type Report struct {
	Entries     int64     // entries read
	Checkpoints int       // checkpoints that hold
	Root        tlog.Hash // tree hash as computed from the entries
	FirstBad    int64     // number of the first bad entry; -1 when all is well
	LastBad     int64     // the bad entry lies between FirstBad and this, where it cannot be told exactly
	Problem     string    // what is wrong, in words; "" when all is well
	Notes       []string  // what a reader should know besides
}

// OK reports whether nothing was found.
func (r Report) OK() bool { return r.Problem == "" }

// Verify reads every entry and computes everything anew: the number and the hash
// of each entry, the tree, and the tree hash at the size of each checkpoint. The
// error is that of reading; what is wrong with the journal stands in the report.
//
// Stored hashes name a changed entry exactly. Who changed them too is found by the
// checkpoints, which tell between which two sizes the change lies.
func Verify(ctx context.Context, db *store.DB, o VerifyOptions) (Report, error) {
	_, dec, err := codec()
	if err != nil {
		return Report{}, err
	}
	defer dec.Close()
	v := &verifier{dec: dec, r: Report{FirstBad: -1, LastBad: -1}}
	err = db.View(ctx, func(tx *store.Tx) error {
		if err := v.gather(tx, o); err != nil {
			return err
		}
		v.head = *tx.Head()
		v.reach()
		if err := eachPack(tx, 0, 16, func(p pack) (bool, error) { return v.pack(p), nil }); err != nil {
			return err
		}
		v.finish()
		return nil
	})
	if err != nil {
		return v.r, fmt.Errorf("journal: verifying: %w", err)
	}
	return v.r, nil
}

// claim is a checkpoint and where it came from.
type claim struct {
	Checkpoint
	from  string
	given bool // by the caller, not found in the data directory or database
}

type verifier struct {
	dec    *zstd.Decoder
	r      Report
	head   store.Head
	since  map[int64]int64 // size of the journal when an epoch began
	claims []claim         // by size
	next   int             // first claim not yet reached
	good   int64           // largest size that a checkpoint holds for
	tree   edge
	unsure string // a problem that concerns no entry
}

func (v *verifier) bad(first, last int64, format string, args ...any) {
	if v.r.Problem == "" {
		v.r.FirstBad, v.r.LastBad, v.r.Problem = first, last, fmt.Sprintf(format, args...)
	}
}

// gather reads all checkpoints and checks their signatures.
func (v *verifier) gather(tx *store.Tx, o VerifyOptions) error {
	key := o.Verifier
	if key == "" && o.Dir != "" {
		b, err := os.ReadFile(filepath.Join(o.Dir, "checkpoints", verifierFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		key = strings.TrimSpace(string(b))
	}
	keys := []string{key}
	if key == "" {
		var err error
		if keys, err = verifiers(tx); err != nil {
			return err
		}
		v.note("the public key was taken from the database itself: give the one you were told")
	}
	var vs []note.Verifier
	for _, k := range keys {
		nv, err := note.NewVerifier(k)
		if err != nil {
			return reeve.E(reeve.Invalid, "journal.Verify", "the public key %q cannot be read", k)
		}
		vs = append(vs, nv)
	}
	known := note.VerifierList(vs...)
	texts, err := checkpoints(tx)
	if err != nil {
		return err
	}
	for _, t := range texts {
		v.claim(t, "the database", known, false)
	}
	if o.Dir != "" {
		if err := v.files(filepath.Join(o.Dir, "checkpoints"), known, false); err != nil {
			return err
		}
	}
	for _, c := range o.Checkpoints {
		if strings.Contains(c, "\n") {
			v.text(c, "the checkpoint given", known, true)
		} else if err := v.files(c, known, true); err != nil {
			return err
		}
	}
	slices.SortFunc(v.claims, func(a, b claim) int { return cmp.Compare(a.Size, b.Size) })
	v.since, err = tx.Epochs()
	return err
}

func (v *verifier) note(format string, args ...any) {
	v.r.Notes = append(v.r.Notes, fmt.Sprintf(format, args...))
}

// files reads a file of checkpoints, or all of a folder.
func (v *verifier) files(name string, known note.Verifiers, given bool) error {
	names := []string{name}
	if st, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) && !given {
		return nil
	} else if err != nil {
		return reeve.E(reeve.Invalid, "journal.Verify", "the checkpoint %s cannot be read: %w", name, err)
	} else if st.IsDir() {
		if names, err = filepath.Glob(filepath.Join(name, "*.txt")); err != nil {
			return err
		}
	}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			return reeve.E(reeve.Invalid, "journal.Verify", "the checkpoint %s cannot be read: %w", n, err)
		}
		v.text(string(b), filepath.Base(n), known, given)
	}
	return nil
}

func (v *verifier) text(text, from string, known note.Verifiers, given bool) {
	notes, rest := splitNotes(text)
	if rest > 0 {
		v.note("%s: %d pieces that are no checkpoints, as a write that was cut short leaves them", from, rest)
		if given && len(notes) == 0 {
			v.unsure = from + " holds no signed checkpoint"
		}
	}
	for _, n := range notes {
		v.claim(n, from, known, given)
	}
}

func (v *verifier) claim(text, from string, known note.Verifiers, given bool) {
	n, err := note.Open([]byte(text), known)
	var c Checkpoint
	if err == nil {
		c, err = parseCheckpoint(n.Text)
	}
	if err != nil {
		v.unsure = fmt.Sprintf("a checkpoint in %s is not signed by this journal's key, or was changed", from)
		return
	}
	v.claims = append(v.claims, claim{c, from, given})
}

// pack checks one row and reports whether to go on.
func (v *verifier) pack(p pack) (more bool) {
	n := v.r.Entries
	if p.first != n {
		if p.first > n {
			v.bad(n, p.first-1, "entry %d is missing: the next one there is is %d", n, p.first)
		} else {
			v.bad(p.first, p.last, "entries %d to %d are there twice", p.first, min(n-1, p.last))
		}
		return false
	}
	plain, err := v.dec.DecodeAll(p.entries, nil)
	if err != nil {
		v.bad(p.first, p.last, "entries %d to %d cannot be read: their row was changed", p.first, p.last)
		return false
	}
	es, err := split(plain)
	hashes := p.hashes
	var fresh []byte
	for _, b := range es {
		if n > p.last {
			v.bad(n, n, "entry %d does not belong where it is", n)
			return false
		}
		if got := numberOf(b); got != n {
			v.bad(n, n, "in the place of entry %d stands entry %d", n, got)
			return false
		}
		v.tree, fresh = v.tree.grow(n, tlog.RecordHash(b), fresh[:0])
		if !bytes.HasPrefix(hashes, fresh) {
			v.bad(n, n, "entry %d was changed: its hash is not the one that was stored", n)
			return false
		}
		hashes = hashes[len(fresh):]
		n++
		v.r.Entries = n
		if v.reach(); v.r.Problem != "" {
			return false
		}
	}
	switch {
	case err != nil:
		v.bad(n, p.last, "entry %d cannot be read: its row was changed", n)
	case n <= p.last:
		v.bad(n, n, "entry %d is missing", n)
	case len(hashes) > 0 || !bytes.Equal(p.sum, p.sumUp()):
		v.bad(p.first, p.last, "the row of entries %d to %d was changed beside the entries", p.first, p.last)
	}
	return v.r.Problem == ""
}

// reach checks the claims about the size that has been reached.
func (v *verifier) reach() {
	for ; v.next < len(v.claims) && v.claims[v.next].Size == v.r.Entries; v.next++ {
		c := v.claims[v.next]
		switch {
		case c.Root == v.tree.root():
			v.good = c.Size
			v.r.Checkpoints++
		case v.lost(c):
		default:
			v.bad(v.good, c.Size-1, "between entry %d and entry %d something was changed together with its hashes: the checkpoint of %d entries in %s says otherwise",
				v.good, c.Size-1, c.Size, c.from)
		}
	}
}

// lost notes a claim of an earlier epoch about entries that a restore left
// behind, and reports whether it is one. Who was given such a checkpoint was
// promised these entries: then it is a problem all the same.
func (v *verifier) lost(c claim) bool {
	kept := int64(-1) // what the restores after the claim left of its epoch
	for epoch, size := range v.since {
		if epoch > c.Epoch() && (kept < 0 || size < kept) {
			kept = size
		}
	}
	if kept < 0 || c.Size <= kept {
		return false
	}
	text := fmt.Sprintf("entries %d to %d of epoch %d, signed by a checkpoint in %s, were lost when the database was restored from a backup", kept, c.Size-1, c.Epoch(), c.from)
	if c.given {
		v.bad(kept, c.Size-1, "%s", text)
	} else if !slices.Contains(v.r.Notes, text) {
		v.note("%s", text)
	}
	return true
}

// finish compares what was read with the head row and the claims about more.
func (v *verifier) finish() {
	v.r.Root = v.tree.root()
	if v.r.Problem != "" {
		return
	}
	n := v.r.Entries
	for _, c := range v.claims[v.next:] {
		if !v.lost(c) {
			v.bad(n, c.Size-1, "entry %d and all after it are missing: the checkpoint in %s was signed at %d entries", n, c.from, c.Size)
		}
	}
	switch {
	case v.r.Problem != "":
	case n != v.head.Entry:
		v.bad(min(n, v.head.Entry), max(n, v.head.Entry)-1, "the head row says %d entries, and %d are there", v.head.Entry, n)
	case !bytes.Equal(v.tree.bytes(), v.head.Edge):
		v.bad(v.good, n-1, "between entry %d and entry %d something was changed together with its hashes: the head row says otherwise", v.good, n-1)
	case v.unsure != "":
		v.bad(v.good, n, "%s", v.unsure)
	}
}
