package importer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/importer/sheet"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Prepared is an import that is ready to be carried out.
type Prepared struct {
	*Plan
	Place Place
	Files map[string][]byte // that carry it out, by name in the folder; none if nothing changes
	Base  string            // hash of the definitions that it was prepared for; "" for none
}

// Prepare reads a file and finds what it means for a folder of definitions. The
// mapping that an earlier import of the source left there is used unless another is
// given. The error, Invalid, says everything that is wrong where the definitions
// would not load afterwards: then nothing may be written.
func Prepare(ctx context.Context, src Source, in Input, fsys fs.FS, reg *def.Registry, take Choose) (*Prepared, error) {
	place := PlaceOf(src.Name)
	kept, was, err := place.Kept(fsys)
	if err != nil {
		return nil, err
	}
	guess := in.Mapping == nil
	if guess && kept != nil && src.Vocabulary != nil {
		if in.Mapping, err = src.Vocabulary.ParseMapping(kept); err != nil {
			return nil, fmt.Errorf("%s: %w", place.Mapping(), err)
		}
		in.Mapping.Sheet, in.Mapping.Header = "", 0 // of that file; this one may begin elsewhere
	}
	r, err := src.Read(ctx, in)
	if err != nil {
		return nil, err
	}
	r.Source, r.Unit = src.Name, src.Unit
	if guess && in.Mapping != nil {
		r.Note("The columns were taken as in the last import (%s).", place.Mapping())
	}
	var set *def.Set
	if _, err := fs.Stat(fsys, "."); err == nil {
		var problems []def.Problem
		if set, problems = def.Load(fsys, reg); len(problems) > 0 {
			return nil, problemsError("the definitions that are there have problems, so nothing can be merged into them", problems)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	p := &Prepared{Plan: Merge(set, reg, r, was, take), Place: place}
	if set != nil {
		p.Base = set.Hash()
	}
	if p.Files, err = p.Write(fsys, place); err != nil {
		return nil, err
	}
	after, problems := Check(fsys, p.Files, reg)
	if len(problems) > 0 {
		return nil, problemsError("what the file says does not fit together with the definitions, so nothing was written", problems)
	}
	return p, p.verify(after)
}

// verify sees that what was written is what was planned.
func (p *Prepared) verify(after *def.Set) error {
	for i := range p.Changes {
		c := &p.Changes[i]
		o, ok := after.Lookup(c.Kind, c.ID)
		if !ok {
			return fmt.Errorf("import: %s is not there after the import", c.Ref())
		}
		for _, f := range c.Fields {
			now, _ := at(o.Value(), f.keys)
			want := f.Here
			if f.Taken {
				want = f.There
			}
			if canon(now) != canon(want) {
				return fmt.Errorf("import: %s: %s would be %s and not %s after the import", c.Ref(), f.Path, canon(now), canon(want))
			}
		}
	}
	return nil
}

// Asking is an error as somebody needs it who has no page to answer on: where a
// column has to be told, with the mapping to begin from.
func Asking(err error) error {
	var u *sheet.Unsaid
	if !errors.As(err, &u) {
		return err
	}
	return reeve.E(reeve.Invalid, "import", "%s. Save these lines in a file, write the field in place of ignore, and give it with --mapping FILE:\n\n%s", reeve.Message(err), u.List.Mapping.YAML())
}

func problemsError(what string, problems []def.Problem) error {
	var lines []string
	for _, p := range problems[:min(len(problems), 20)] {
		lines = append(lines, p.String())
	}
	if n := len(problems) - len(lines); n > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", n))
	}
	return reeve.E(reeve.Invalid, "import", "%s:\n%s", what, strings.Join(lines, "\n"))
}
