package offline

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/change"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/sarif"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/standing"
	"github.com/reeve-civic/reeve/internal/estate/waiver"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Standards is how a folder of definitions stands against its standards.
type Standards struct {
	standing.Report
	Waivers []waiver.Row `json:"waivers"`
	outcome *standard.Outcome
	prefix  string
}

// CheckStandards holds a folder to its own standards, or to those of the library,
// as it is at now. The names of files in the report begin with prefix.
func CheckStandards(ctx context.Context, folder fs.FS, library bool, prefix string, now time.Time) (*Standards, []Problem, error) {
	s, problems, err := snapshot(ctx, folder, now)
	if err != nil || len(problems) > 0 {
		return nil, problems, err
	}
	o := s.Outcome
	if library {
		if o, err = standing.Library(ctx, s); err != nil {
			return nil, nil, err
		}
	}
	return &Standards{standing.NewReport(o, prefix), waiver.Rows(s), o, prefix}, nil, nil
}

// SARIF writes the report in the format that code hosts show.
func (s *Standards) SARIF(w io.Writer) error {
	return sarif.Write(w, s.outcome, sarif.Options{Version: Version(), Prefix: s.prefix})
}

// snapshot is the estate that a folder alone describes.
func snapshot(ctx context.Context, folder fs.FS, now time.Time) (*register.Snapshot, []Problem, error) {
	set, problems := def.Load(folder, Registry())
	if len(problems) > 0 {
		return nil, problems, nil
	}
	return estate.Folder(ctx, set, Exchange{}, now)
}

// Plan says what differs between two folders of definitions, both as they would
// be at now. Problems are those of the folder after.
func Plan(ctx context.Context, before, after fs.FS, now time.Time) (*change.Difference, []Problem, error) {
	b, problems, err := snapshot(ctx, after, now)
	if err != nil || len(problems) > 0 {
		return nil, problems, err
	}
	a, problems, err := snapshot(ctx, before, now)
	if err != nil {
		return nil, nil, err
	}
	if len(problems) > 0 {
		return nil, nil, fmt.Errorf("the definitions to compare with have %d problems themselves, first: %s", len(problems), problems[0])
	}
	return estate.Compare(a, b), nil, nil
}

// Committed is a folder as it is in a commit, branch or tag of the git repository
// that it lies in.
func Committed(dir, ref string) (fs.FS, error) { return change.Committed(dir, ref) }
