package flow

import (
	"context"

	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
)

// Cut is what is left of a record after the cut to the flow's agreement: all that
// its filter, its map and its receiver can see. It is nil where the agreement leaves
// the record out.
func (f *Flow) Cut(ctx context.Context, rec *reclog.Record) []byte {
	term, _ := f.term(ctx, rec)
	if term == nil {
		return nil
	}
	cut, err := term.AppendCut(nil, rec.Body)
	if err != nil {
		return nil
	}
	return cut
}

// String is a decision in a word, as examples write it.
func (d Decision) String() string {
	switch d {
	case Sent:
		return "sent"
	case Filtered:
		return "filtered"
	case Outside:
		return "outside"
	case Earlier:
		return "earlier"
	case Elsewhere:
		return "elsewhere"
	}
	return "parked"
}
