package offline

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/connector/format"
	"github.com/reeve-civic/reeve/internal/exchange/contract"
	"github.com/reeve-civic/reeve/internal/exchange/suggest"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// SuggestOptions says what to propose a mapping for.
type SuggestOptions struct {
	File   string
	Type   string
	Format format.Spec // what is known of the file; the rest is guessed
	Most   int         // rows to look at
	Show   int         // rows to show
}

// Suggestion is a proposal.
type Suggestion = suggest.Suggestion

// Sure says a confidence in words.
func Sure(confidence float64) string { return suggest.Sure(confidence) }

// Suggest proposes how the rows of a file become records of a type of the folder.
// Problems are those with which the definitions would not load.
func Suggest(ctx context.Context, folder fs.FS, o SuggestOptions) (s *Suggestion, problems []Problem, err error) {
	const op = "offline.Suggest"
	set, problems := def.Load(folder, Registry())
	if len(problems) > 0 {
		return nil, problems, nil
	}
	types, problems := contract.Compile(set)
	if len(problems) > 0 {
		return nil, problems, nil
	}
	t, ok := types.Type(reeve.RecordType(o.Type))
	if !ok {
		names := ""
		for _, r := range def.All[contract.Spec](set) {
			names += " " + r.ID
		}
		return nil, nil, reeve.E(reeve.NotFound, op, "there is no RecordType %q in this folder; there are%s", o.Type, names)
	}
	f, err := os.Open(o.File)
	if err != nil {
		return nil, nil, reeve.E(reeve.NotFound, op, "the file cannot be read: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 64<<10)
	head, err := in.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, reeve.E(reeve.Invalid, op, "the file cannot be read: %w", err)
	}
	spec := guessed(o.Format, format.Guess(filepath.Base(o.File), head))
	rows, err := format.NewReader(spec, in, "")
	if err != nil {
		return nil, nil, reeve.E(reeve.Invalid, op, "%s cannot be read: %s", filepath.Base(o.File), err)
	}
	s, err = suggest.Suggest(ctx, suggest.Options{Name: filepath.Base(o.File), Spec: spec, Rows: rows, Set: set, Type: t, Most: o.Most, Show: o.Show})
	return s, nil, errors.Join(err, rows.Close())
}

func guessed(known, guess format.Spec) format.Spec {
	if known.Name != "" && known.Name != guess.Name {
		return known
	}
	return guess.With(known)
}

// WriteSuggestion puts the proposal's definitions into a folder, where there are no
// files of these names yet.
func WriteSuggestion(s *Suggestion, dir string) error {
	const op = "offline.WriteSuggestion"
	root, err := os.OpenRoot(dir)
	if err != nil {
		return reeve.E(reeve.NotFound, op, "%s is not a folder of definitions", dir)
	}
	defer root.Close()
	for _, f := range s.Files {
		if _, err := root.Lstat(f.Path); err == nil {
			return reeve.E(reeve.Conflict, op, "%s is there already: nothing was written", f.Path)
		}
	}
	for _, f := range s.Files {
		if err := root.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
		if err := root.WriteFile(f.Path, []byte(f.Text), 0o644); err != nil {
			return fmt.Errorf("%s: %w", op, err)
		}
	}
	return nil
}
