package main

import (
	"context"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/app"
)

type replayCmd struct {
	Send replaySendCmd `cmd:"" default:"withargs" help:"Send records again to one flow, as its definitions are now."`
	List replayListCmd `cmd:"" help:"List replays."`
	Stop replayStopCmd `cmd:"" help:"Stop a replay."`
}

// Help says what can be left out.
func (replayCmd) Help() string {
	return "`reeve replay FLOW` is `reeve replay send FLOW`; with --dry-run it says what would differ, and sends nothing."
}

type replaySendCmd struct {
	where
	Flow   string `arg:"" help:"Id of the flow."`
	Type   string `help:"Only records of this type, which must be the flow's." placeholder:"TYPE"`
	Sender string `help:"Only records of this Organisation." placeholder:"ORG"`
	From   string `help:"Id of the first record." placeholder:"r1-1"`
	To     string `help:"Id of the last record." placeholder:"r1-99"`
	Since  string `help:"Only records accepted since then: a day, a moment, or as long ago as 24h." placeholder:"2026-01-31"`
	Until  string `help:"Only records accepted before then." placeholder:"2026-02-28"`
	Where  string `help:"Only records for which this holds: an expression (CEL) over record, cut down to what the flow's agreement names." placeholder:"EXPRESSION"`
	DryRun bool   `help:"Send nothing: say what would be sent, and how it differs from what was sent at first. Values are masked."`
	JSON   bool   `help:"Print as JSON."`
}

func (replaySendCmd) Help() string {
	return "Receivers get what is sent again as a new version, not as a repeat. Records that are under way or wait for a person are left out, and so is a record of which a newer one with the same key came in since."
}

func (r replaySendCmd) Run(ctx context.Context) error {
	s := app.Replay{Flow: r.Flow, Type: reeve.RecordType(r.Type), Sender: r.Sender, From: reeve.RecordID(r.From), To: reeve.RecordID(r.To), Where: r.Where}
	var err error
	if s.Since, err = moment("--since", r.Since); err != nil {
		return err
	}
	if s.Until, err = moment("--until", r.Until); err != nil {
		return err
	}
	if r.DryRun {
		var out app.ReplayTrial
		return r.show(ctx, "replay/try", s, &out, func() string { return out.Text() })
	}
	var out app.ReplayJob
	return r.show(ctx, "replay/start", s, &out, func() string {
		return fmt.Sprintf("Replay %d to %s began. The running program carries it out: reeve replay list says how far it is.\n", out.ID, out.Flow)
	})
}

func (r replaySendCmd) show(ctx context.Context, operation string, in, out any, text func() string) error {
	if err := r.operate(ctx, operation, in, out); err != nil {
		return err
	}
	if r.JSON {
		return printJSON(out)
	}
	fmt.Print(text())
	return nil
}

// moment reads a day, a moment or how long ago, zero for "".
func moment(name, s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return time.Now().Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%s: %q is no moment: write a day (2026-01-31), a moment (2026-01-31T09:00) or how long ago (24h)", name, s)
}

type replayListCmd struct {
	where
	JSON bool `help:"Print as JSON."`
}

func (r replayListCmd) Run(ctx context.Context) error {
	var out []app.ReplayJob
	if err := r.operate(ctx, "replay/list", struct{}{}, &out); err != nil {
		return err
	}
	if r.JSON {
		return printJSON(out)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tFLOW\tSTATE\tBEGAN\tTAKEN UP\tLEFT OUT")
	for _, j := range out {
		left := 0
		for _, n := range j.Skipped {
			left += n
		}
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%d\t%d\n", j.ID, j.Flow, j.State, j.At.Format("2006-01-02 15:04"), j.Taken, left)
	}
	return w.Flush()
}

type replayStopCmd struct {
	where
	ID int64 `arg:"" help:"Number of the replay."`
}

func (r replayStopCmd) Run(ctx context.Context) error {
	return r.operate(ctx, "replay/stop", app.StopReplay{ID: r.ID}, nil)
}
