package offline

import (
	"context"
	"io/fs"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/example"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Test runs the examples of a folder's flows, of some or all, as on the day of now.
// Problems are those with which the definitions would not load.
func Test(ctx context.Context, folder fs.FS, only []string, now time.Time) (report example.Report, problems []Problem, err error) {
	set, problems := def.Load(folder, Registry())
	if len(problems) > 0 {
		return report, problems, nil
	}
	for i, id := range only {
		o, ok := set.Lookup("Flow", id)
		if !ok {
			return report, nil, reeve.E(reeve.NotFound, "offline.Test", "there is no Flow %q in this folder", id)
		}
		only[i] = o.ID
	}
	flows, problems := example.Flows(set, now.Location())
	if len(problems) > 0 {
		return report, problems, nil
	}
	return example.RunAll(ctx, set, flows, only, now.Location(), now), nil, nil
}
