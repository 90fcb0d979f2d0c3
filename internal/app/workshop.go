package app

import (
	"context"
	"os"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/app/offline"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/exchange/example"
	"github.com/reeve-civic/reeve/internal/exchange/rehearsal"
	"github.com/reeve-civic/reeve/internal/exchange/workshop"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
)

// RehearseFlow asks what a flow of a folder would make of what came in lately.
type RehearseFlow struct {
	Folder  string // absolute; the program that runs reads it
	Flow    string
	Seconds int64 // how far back
}

// Rehearsal is what would differ.
type Rehearsal = rehearsal.Report

// rehearse runs a flow as a folder has it over the records of this program, and
// sends nothing.
func (a *App) rehearse(ctx context.Context, in RehearseFlow) (Rehearsal, error) {
	if i, err := os.Stat(in.Folder); err != nil || !i.IsDir() {
		return Rehearsal{}, reeve.E(reeve.NotFound, "flow/rehearse", "the running program cannot read the folder %s: put it where the program's user can", in.Folder)
	}
	folder := os.DirFS(in.Folder)
	set, problems := def.Load(folder, offline.Registry())
	if len(problems) > 0 {
		return Rehearsal{Flow: in.Flow, Problems: problems}, nil
	}
	flows, problems := example.Flows(set, a.k.Zone)
	if len(problems) > 0 {
		return Rehearsal{Flow: in.Flow, Problems: problems}, nil
	}
	pair, err := rehearsal.NewPair(a.blocks.exchange.Flows.Set(), flows, in.Flow, rehearsal.MapOf(a.k.Defs.Set(), in.Flow), rehearsal.MapOf(set, in.Flow))
	if err != nil {
		return Rehearsal{}, err
	}
	err = a.k.DB.Update(ctx, func(tx *store.Tx) error {
		_, err := a.k.Journal.Append(tx, journal.Entry{At: tx.Now, Actor: operatorID, Verb: "rehearsed", About: reeve.Ref("flow/" + pair.Then.ID), Set: a.k.Defs.Set().Hash(), Why: []string{"values masked"}})
		return err
	})
	if err != nil {
		return Rehearsal{}, err
	}
	return rehearsal.Run(ctx, a.k.Log, pair, a.k.Now().Add(-time.Duration(in.Seconds)*time.Second))
}

// flowEditor lets the workshop of flows change definitions. The estate is opened
// after the exchange: it is asked when somebody edits.
type flowEditor struct{ a *App }

func (e flowEditor) ReadOnly() string { return e.a.blocks.estate.Editor.ReadOnly() }

func (e flowEditor) Try(ctx context.Context, c workshop.Change) (workshop.Plan, error) {
	p, err := e.a.blocks.estate.Editor.Preview(ctx, c.Base, changeOf(c))
	out := workshop.Plan{After: p.After, Problems: p.Problems}
	for _, f := range p.Files {
		if string(f.Before) != string(f.After) {
			out.Files = append(out.Files, workshop.File(f))
		}
	}
	return out, err
}

func (e flowEditor) Save(ctx context.Context, actor, message string, c workshop.Change) (workshop.Saved, error) {
	out, err := e.a.blocks.estate.Editor.Apply(ctx, e.a.person(ctx, actor), message, c.Base, changeOf(c))
	return workshop.Saved(out), err
}

func changeOf(c workshop.Change) edit.Change {
	return edit.Change{Kind: "Flow", ID: c.Flow, Set: c.Set, Beside: c.Files}
}
