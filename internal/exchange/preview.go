package exchange

import (
	"context"

	"github.com/reeve-civic/reeve/internal/exchange/quarantine"
	"github.com/reeve-civic/reeve/internal/kernel"
	reclog "github.com/reeve-civic/reeve/internal/kernel/log"
)

// previews are what the flows would make of a held record as it stands.
func (x *Exchange) previews(k *kernel.Kernel) func(ctx context.Context, h quarantine.Held) []quarantine.Preview {
	return func(ctx context.Context, h quarantine.Held) (out []quarantine.Preview) {
		set := x.Flows.Set()
		rec := reclog.Record{N: h.N, ID: h.ID, Type: h.Type, Sender: h.Sender, Key: h.Key, At: h.At, Body: h.Body}
		for _, f := range set.All {
			if f.Type.ID != h.Type || !f.Spec.Carried() {
				continue
			}
			p := set.Prepare(ctx, f, k.Now(), &rec, nil)
			if p.Decision.String() == "elsewhere" {
				continue
			}
			out = append(out, quarantine.Preview{Flow: f.ID, Name: f.Name, Receiver: f.To.SystemName, Decision: p.Decision.String(),
				Before: f.Cut(ctx, &rec), After: p.Body, Fields: f.Fields, Problems: p.Problems})
		}
		return out
	}
}
