package estate

import (
	"context"
	"time"

	"github.com/reeve-civic/reeve/internal/estate/change"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/scenario"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Folder is the estate as a set of definitions alone describes it: nothing was
// imported and nothing was observed, so what only those tell is not known.
func Folder(ctx context.Context, set *def.Set, exchange register.Exchange, at time.Time) (*register.Snapshot, []def.Problem, error) {
	m, problems := register.Compile(set)
	if len(problems) > 0 {
		return nil, problems, nil
	}
	p := register.Parts{Model: m, At: at}
	if exchange != nil {
		p.Declared = exchange.Declared(set)
	}
	s := register.New(p)
	return s, nil, s.Judge(ctx, fills()...)
}

// Compare says what differs between two snapshots, with all that the estate knows.
func Compare(before, after *register.Snapshot) *change.Difference {
	return change.Asks{Carbon: Carbon, Health: scenario.Health()}.Compare(before, after)
}
