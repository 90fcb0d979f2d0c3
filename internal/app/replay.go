package app

import (
	"context"
	"net/http"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/replay"
)

// What `reeve replay` asks for and is told.
type (
	Replay      = replay.Selection
	ReplayTrial = replay.Trial
	ReplayJob   = replay.Job
	StopReplay  struct{ ID int64 }
)

// replays are the operations about records that are sent again.
func (a *App) replays(mux *http.ServeMux) {
	desk, by := a.blocks.exchange.Replays, reeve.Actor{ID: operatorID}
	mux.Handle("POST /replay/try", operation(func(ctx context.Context, s Replay) (ReplayTrial, error) { return desk.Try(ctx, by, s) }))
	mux.Handle("POST /replay/start", operation(func(ctx context.Context, s Replay) (ReplayJob, error) { return desk.Start(ctx, by, s) }))
	mux.Handle("POST /replay/list", operation(func(ctx context.Context, _ struct{}) ([]ReplayJob, error) { return desk.List(ctx) }))
	mux.Handle("POST /replay/stop", operation(func(ctx context.Context, in StopReplay) (struct{}, error) {
		return struct{}{}, desk.Stop(ctx, by, in.ID)
	}))
}
