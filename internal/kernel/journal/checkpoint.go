package journal

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// Checkpoint is a signed statement of how long the journal was and what its tree
// hash was, in the format of https://c2sp.org/tlog-checkpoint.
type Checkpoint struct {
	Origin string // name of the journal; after a restore with "/epoch/2" and so on
	Size   int64
	Root   tlog.Hash
	At     time.Time // not part of the text; zero when read from a file
	Text   string    // the signed note
}

// checkpointEvery is how often the worker signs while the journal grows.
const checkpointEvery = 10 * time.Second

const (
	verifierFile = "verifier"
	latestFile   = "latest.txt"
)

// openKey makes the signer, and leaves the public key where verifiers look for it.
func (j *Journal) openKey(ctx context.Context) error {
	seed := j.o.Key
	if seed == nil && j.o.Dir == "" {
		seed = make([]byte, ed25519.SeedSize)
		rand.Read(seed) // never fails
	} else if seed == nil {
		var err error
		if seed, err = keyFile(filepath.Join(j.o.Dir, "journal.key")); err != nil {
			return err
		}
	}
	if len(seed) != ed25519.SeedSize {
		return fmt.Errorf("journal: the signing key has %d bytes, not %d", len(seed), ed25519.SeedSize)
	}
	private, public := noteKeys(j.o.Origin, seed)
	var err error
	if j.signer, err = note.NewSigner(private); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	j.verifier = public
	if j.o.Dir != "" {
		dir := filepath.Join(j.o.Dir, "checkpoints")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		if err := replace(filepath.Join(dir, verifierFile), public+"\n"); err != nil {
			return err
		}
	}
	return j.db.Update(ctx, func(tx *store.Tx) error { return putVerifier(tx, public) })
}

// keyFile reads a seed in base64, or makes one.
func keyFile(name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		seed := make([]byte, ed25519.SeedSize)
		rand.Read(seed) // never fails
		return seed, os.WriteFile(name, []byte(base64.StdEncoding.EncodeToString(seed)+"\n"), 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	seed, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(b)))
	if err != nil {
		return nil, fmt.Errorf("journal: %s: %w", name, err)
	}
	return seed, nil
}

// noteKeys writes an Ed25519 key pair the way package note reads it.
func noteKeys(name string, seed []byte) (private, public string) {
	const ed25519Alg = 1
	key := ed25519.NewKeyFromSeed(seed)
	pub := append([]byte{ed25519Alg}, key.Public().(ed25519.PublicKey)...)
	sum := sha256.Sum256(append([]byte(name+"\n"), pub...))
	id := fmt.Sprintf("%s+%08x+", name, binary.BigEndian.Uint32(sum[:]))
	return "PRIVATE+KEY+" + id + base64.StdEncoding.EncodeToString(append([]byte{ed25519Alg}, seed...)),
		id + base64.StdEncoding.EncodeToString(pub)
}

// VerifierKey is the public key of checkpoints, as golang.org/x/mod/sumdb/note
// writes it.
func (j *Journal) VerifierKey() string { return j.verifier }

// loadLast finds the newest checkpoint, inside the database or outside.
func (j *Journal) loadLast(ctx context.Context) error {
	v, err := note.NewVerifier(j.verifier)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	var text string
	var at time.Time
	if err := j.db.View(ctx, func(tx *store.Tx) (err error) {
		j.epoch = tx.Head().Epoch
		text, at, err = lastCheckpoint(tx)
		return err
	}); err != nil {
		return err
	}
	if c, err := openCheckpoint(text, v); text != "" && err == nil {
		c.At = at
		j.last = c
	}
	if j.o.Dir != "" {
		b, err := os.ReadFile(filepath.Join(j.o.Dir, "checkpoints", latestFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("journal: %w", err)
		}
		if c, err := openCheckpoint(string(b), v); err == nil && c.Epoch() == j.last.Epoch() && c.Size > j.last.Size {
			j.last = c
		}
	}
	return nil
}

// Epoch is the epoch of the database that the checkpoint was made in; a restore
// raises it.
func (c Checkpoint) Epoch() int64 {
	if _, e, ok := strings.Cut(c.Origin, "/epoch/"); ok {
		if n, err := strconv.ParseInt(e, 10, 64); err == nil {
			return n
		}
	}
	return 1
}

func originOf(name string, epoch int64) string {
	if epoch > 1 {
		return fmt.Sprintf("%s/epoch/%d", name, epoch)
	}
	return name
}

// Last is the newest checkpoint; its size is 0 when there is none.
func (j *Journal) Last() Checkpoint {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Checkpoint signs the journal as it stands, when it grew since the last
// checkpoint, and returns the newest one. It refuses, with an error of kind
// Conflict, to sign a journal that is not the continuation of the one signed
// before: that one was tampered with or rolled back.
func (j *Journal) Checkpoint(ctx context.Context) (Checkpoint, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c := Checkpoint{At: j.db.Now()}
	err := j.db.View(ctx, func(tx *store.Tx) error {
		h := tx.Head()
		c.Size, c.Origin = h.Entry, originOf(j.o.Origin, h.Epoch)
		tree, err := parseEdge(h.Edge)
		if err != nil {
			return err
		}
		c.Root = tree.root()
		if h.Epoch != j.epoch {
			return reeve.E(reeve.Conflict, "journal.Checkpoint", "the database is of epoch %d, and was of %d when it was opened: nobody restores a database that is in use", h.Epoch, j.epoch)
		}
		if j.last.Size == 0 || j.last.Origin != c.Origin {
			return nil
		}
		if c.Size < j.last.Size {
			return reeve.E(reeve.Conflict, "journal.Checkpoint", "the journal has %d entries, but %d were signed: it was rolled back", c.Size, j.last.Size)
		}
		old, err := tlog.TreeHash(j.last.Size, hashReader(tx))
		if err == nil && old != j.last.Root {
			err = reeve.E(reeve.Conflict, "journal.Checkpoint", "the journal is not the continuation of the one signed at %d entries: run reeve journal verify", j.last.Size)
		}
		return err
	})
	if err != nil || c.Size == 0 || c.Size == j.last.Size && c.Origin == j.last.Origin {
		return j.last, err
	}
	text := fmt.Sprintf("%s\n%d\n%s\n", c.Origin, c.Size, c.Root)
	signed, err := note.Sign(&note.Note{Text: text}, j.signer)
	if err != nil {
		return j.last, fmt.Errorf("journal: signing: %w", err)
	}
	c.Text = string(signed)
	// Outside first: what the database says must not be the only witness.
	if err := j.writeOut(c); err != nil {
		return j.last, err
	}
	if err := j.db.Update(ctx, func(tx *store.Tx) error { return insertCheckpoint(tx, c) }); err != nil {
		return j.last, err
	}
	j.last = c
	return c, nil
}

// writeOut appends the checkpoint to the day's file, and makes it the latest.
func (j *Journal) writeOut(c Checkpoint) error {
	if j.o.Dir == "" {
		return nil
	}
	dir := filepath.Join(j.o.Dir, "checkpoints")
	f, err := os.OpenFile(filepath.Join(dir, c.At.Format("2006-01-02")+".txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer f.Close()
	// A blank line first: a write that was cut short before must not swallow this one.
	if _, err := f.WriteString("\n\n" + c.Text); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return replace(filepath.Join(dir, latestFile), c.Text)
}

// replace writes a file whole or not at all.
func replace(name, text string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err == nil {
		err = syncDir(filepath.Dir(name))
	}
	if err != nil {
		return fmt.Errorf("journal: %w", err)
	}
	return nil
}

// syncDir makes the names in a folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// openCheckpoint checks the signature of a checkpoint and reads it.
func openCheckpoint(text string, v note.Verifier) (Checkpoint, error) {
	n, err := note.Open([]byte(text), note.VerifierList(v))
	if err != nil {
		return Checkpoint{}, err
	}
	c, err := parseCheckpoint(n.Text)
	c.Text = text
	return c, err
}

func parseCheckpoint(text string) (c Checkpoint, err error) {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 {
		return c, errors.New("not a checkpoint")
	}
	c.Origin = lines[0]
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 {
		return c, errors.New("not a checkpoint: its size is not a number")
	}
	c.Root, err = tlog.ParseHash(lines[2])
	return c, err
}

// splitNotes takes a file of checkpoints apart: each is a paragraph and one of
// signatures. rest are paragraphs that are neither, as a write that was cut short
// leaves them.
func splitNotes(text string) (notes []string, rest int) {
	body := ""
	for par := range strings.SplitSeq(text, "\n\n") {
		switch par = strings.Trim(par, "\n"); {
		case par == "":
		case body != "" && wholeSignature(par):
			notes = append(notes, body+"\n\n"+par+"\n")
			body = ""
		default:
			if body != "" {
				rest++
			}
			body = par
		}
	}
	if body != "" {
		rest++
	}
	return notes, rest
}

// wholeSignature reports whether a paragraph begins with a signature that is not
// cut short: a name, and in base64 4 bytes of key hash and 64 of signature.
func wholeSignature(par string) bool {
	line, _, _ := strings.Cut(par, "\n")
	name, sig, ok := strings.Cut(strings.TrimPrefix(line, "— "), " ")
	b, err := base64.StdEncoding.DecodeString(sig)
	return strings.HasPrefix(line, "— ") && ok && name != "" && err == nil && len(b) == 4+ed25519.SignatureSize
}

// Step is the journal's worker: it brings the index of About up to date and signs
// a checkpoint when the last one is a while ago. It reports what it did.
func (j *Journal) Step(ctx context.Context) (did int, err error) {
	did, err = j.index(ctx)
	if err != nil {
		return did, err
	}
	last := j.Last()
	// After the clock went back a checkpoint is due too, and not only when its time is reached again.
	if since := j.db.Now().Sub(last.At); !last.At.IsZero() && since >= 0 && since < checkpointEvery {
		return did, nil
	}
	c, err := j.Checkpoint(ctx)
	if err == nil && c.Size != last.Size {
		did++
	}
	return did, err
}
