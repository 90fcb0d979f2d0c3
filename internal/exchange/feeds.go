package exchange

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/exchange/alert"
	"github.com/reeve-civic/reeve/internal/exchange/feed"
	"github.com/reeve-civic/reeve/internal/exchange/flow"
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

// openAlerts opens what notices that something is late.
func (x *Exchange) openAlerts(ctx context.Context, k *kernel.Kernel) (err error) {
	name := names(k)
	x.Alerts, err = alert.Open(ctx, alert.Options{DB: k.DB, Journal: k.Journal, Bus: k.Bus, Now: k.Now, Metrics: k.Metrics,
		Set: func() string { return x.Rules().Set }, Look: x.late,
		Name: func(about reeve.Ref) string {
			kind, id, _ := strings.Cut(string(about), "/")
			if kind == "rule" {
				return "Rule " + id
			}
			return name(map[string]string{"flow": "Flow", "interface": "Interface"}[kind], id)
		},
		Href: func(about reeve.Ref) string {
			kind, id, _ := strings.Cut(string(about), "/")
			if kind == "rule" {
				return "/staff/corrections#rules"
			}
			return map[string]string{"flow": "/staff/flows/", "interface": "/staff/feeds/"}[kind] + id
		}})
	if err != nil {
		return err
	}
	x.Alerts.Mount(k.Web)
	k.Chore("alerts", x.Alerts.Step)
	return nil
}

// around is what the pages of flows know of other rooms.
func (x *Exchange) around() flow.Around {
	return flow.Around{
		Part: func(id string) (string, string) {
			if p := x.Processes.Set().Having(id); p != nil {
				return p.ID, p.Name
			}
			return "", ""
		},
		Fed: func(iface string) bool { _, ok := x.Feeds.Feed(iface); return ok },
		Alerts: func(ctx context.Context) (int, error) {
			open, err := x.Alerts.Open(ctx)
			return len(open), err
		},
	}
}

// ruleAlert is how long people are told of a rule that was stopped, if nobody switches
// it on again.
const ruleAlert = 7 * 24 * time.Hour

// late tells what is not as its definition expects.
func (x *Exchange) late(ctx context.Context) (found []alert.Finding, err error) {
	stats, err := x.Flows.Volumes(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range stats {
		about := reeve.Ref("flow/" + s.Flow)
		switch {
		case s.Quiet && s.LastSeen.IsZero():
			found = append(found, alert.Finding{About: about, What: "silent", Why: "Nothing has ever come, and something was expected by now"})
		case s.Quiet:
			found = append(found, alert.Finding{About: about, What: "silent", Why: "Nothing came for longer than expected"})
		}
		if s.Delayed {
			found = append(found, alert.Finding{About: about, What: "late", Why: "Records wait for longer than expected"})
		}
	}
	stopped, err := x.Workbench.Stopped(ctx, ruleAlert)
	if err != nil {
		return nil, err
	}
	for _, r := range stopped {
		found = append(found, alert.Finding{About: reeve.Ref(fmt.Sprintf("rule/%d", r.ID)), What: "stopped", Why: "The rule was switched off: " + r.Why})
	}
	for id, why := range x.Feeds.Unread() {
		found = append(found, alert.Finding{About: reeve.Ref("interface/" + id), What: "unread", Why: "It cannot be read: " + why})
	}
	return found, nil
}

// Wait returns when what was begun of the world outside is finished and written down.
func (x *Exchange) Wait() {
	x.Feeds.Wait()
	x.Processes.Wait()
	x.Delivery.Wait()
}
