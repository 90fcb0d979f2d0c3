// Package data is the block that counts, checks and publishes. Its first room
// counts what the journal says was done.
package data

import (
	"context"

	"github.com/reeve-civic/reeve/internal/data/measure"
	"github.com/reeve-civic/reeve/internal/kernel"
)

// Data is the block.
type Data struct{ Measure *measure.Counter }

// Open opens the block.
func Open(ctx context.Context, k *kernel.Kernel) (*Data, error) {
	if err := k.DB.Migrate(ctx, "data/measure", measure.Migrations); err != nil {
		return nil, err
	}
	c := &measure.Counter{DB: k.DB, Journal: k.Journal, Zone: k.Zone}
	k.Chore("measure", c.Step)
	return &Data{Measure: c}, nil
}
