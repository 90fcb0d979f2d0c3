package standard

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

//go:embed library/*.yaml
var libraryFiles embed.FS

// library reads the standards to choose from.
var library = sync.OnceValues(func() (*def.Set, error) {
	folder, err := fs.Sub(libraryFiles, "library")
	if err != nil {
		return nil, err
	}
	set, problems := def.Load(folder, def.NewRegistry(Kinds()...))
	if len(problems) > 0 {
		return nil, fmt.Errorf("library of standards: %s", problems[0])
	}
	return set, nil
})

// Library is the standards that a body can choose from, made ready for what is
// declared in about, in the order of their codes. Waivers of a standard that the
// body has chosen count for it here too.
func Library(about *def.Set) (*Pack, error) {
	set, err := library()
	if err != nil {
		return nil, err
	}
	p, problems := compile(set, about)
	if len(problems) > 0 {
		return nil, fmt.Errorf("library of standards: %s", problems[0])
	}
	slices.SortFunc(p.Standards, func(a, b *Standard) int { return strings.Compare(a.Code(), b.Code()) })
	return p, nil
}

// Code is the standard's code in the library, "" if it has none: ARC-01.
func (s *Standard) Code() string { return s.Labels["code"] }

// WithCode finds a standard by its code, in letters of either case.
func (p *Pack) WithCode(code string) (*Standard, bool) {
	i := slices.IndexFunc(p.Standards, func(s *Standard) bool { return code != "" && strings.EqualFold(s.Code(), code) })
	if i < 0 {
		return nil, false
	}
	return p.Standards[i], true
}
