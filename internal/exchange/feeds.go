package exchange

import (
	"context"
	"os"
	"path/filepath"

	"github.com/reeve-civic/reeve/internal/exchange/feed"
	"github.com/reeve-civic/reeve/internal/kernel"
)

// openFeeds opens what fetches records and takes in files.
func (x *Exchange) openFeeds(ctx context.Context, k *kernel.Kernel, asks Asks) (err error) {
	scratch := ""
	if k.Dir != "" {
		scratch = filepath.Join(k.Dir, "scratch")
		if err := os.MkdirAll(scratch, 0o700); err != nil {
			return err
		}
	}
	x.Feeds, err = feed.Open(ctx, feed.Options{DB: k.DB, Keys: k.Keys, Journal: k.Journal, Bus: k.Bus, Intake: x.Intake, Rules: x.Rules, Slog: k.Slog,
		Now: k.Now, Zone: k.Zone, Getenv: k.Getenv, Address: asks.Address, Scratch: scratch, Name: names(k), List: lists(k), Lineage: lineage(k)})
	if err != nil {
		return err
	}
	x.Feeds.Mount(k.Web)
	k.Worker("feeds", x.Feeds.Step)
	return nil
}

// Wait returns when what was begun of the world outside is finished and written down.
func (x *Exchange) Wait() {
	x.Feeds.Wait()
	x.Delivery.Wait()
}
