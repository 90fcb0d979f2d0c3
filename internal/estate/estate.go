// Package estate assembles the estate: what the body has, what it costs, and how
// it stands against the body's own standards.
package estate

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/portfolio"
	"github.com/reeve-civic/reeve/internal/estate/standard"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// Kinds are the kinds of definition that the estate reads.
func Kinds() []def.Kind {
	return append([]def.Kind{
		organisation.Kind(),
		capability.Kind(),
		system.Kind(),
		supplier.Kind(),
	}, standard.Kinds()...)
}

// Asks are the questions that the estate asks of other blocks. A nil answerer
// means that the answers are not known.
type Asks struct {
	Interfaces portfolio.Interfaces
	Flows      portfolio.Flows
}

// Estate is the block, opened.
type Estate struct {
	k     *kernel.Kernel
	asks  Asks
	model atomic.Pointer[portfolio.Model]
}

// Open builds the block on k and mounts its pages.
func Open(ctx context.Context, k *kernel.Kernel, asks Asks) (*Estate, error) {
	e := &Estate{k: k, asks: asks}
	problems := k.Defs.OnActivate(func(s *def.Set) (func(), []def.Problem) {
		m, problems := portfolio.Compile(s)
		return func() { e.model.Store(m) }, problems
	})
	if len(problems) > 0 {
		return nil, fmt.Errorf("estate: %s", problems[0])
	}
	(&portfolio.Desk{Report: e.Report, Flows: asks.Flows}).Mount(k.Web)
	return e, nil
}

// Report is the estate as it stands now.
func (e *Estate) Report(ctx context.Context) (*portfolio.Report, error) {
	return e.model.Load().Report(ctx, e.k.Now().In(e.k.Zone), e.asks.Interfaces)
}
