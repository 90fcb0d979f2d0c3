package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/reeve-civic/reeve/internal/app"
	"github.com/reeve-civic/reeve/internal/app/offline"
)

type testCmd struct {
	Dir      string        `arg:"" optional:"" default:"." help:"Folder of definitions." type:"path"`
	Flow     []string      `help:"Only the examples of this flow; may be given several times." placeholder:"FLOW"`
	On       string        `help:"For examples that name no day: as on this one instead of today." placeholder:"2026-01-31"`
	Rehearse string        `help:"Send nothing, but run this flow, as the folder has it, over what really came to the running program, and say what would differ. Values are masked." placeholder:"FLOW"`
	Since    time.Duration `help:"How far back a rehearsal looks." default:"24h"`
	JSON     bool          `help:"Print the result as JSON."`
	where
}

// Help says where examples are and how the command ends.
func (testCmd) Help() string {
	return "An example is a file examples/FLOW/NAME.json in any folder of the definitions: it says what the flow is given, and what the receiver must get, what is wrong with it, or why it is not for the receiver. docs/flows.md tells more. Ends with 1 if anything is not as expected; a rehearsal ends with 1 if anything would differ."
}

func (c testCmd) Run(ctx context.Context) error {
	if err := folder(c.Dir); err != nil {
		return err
	}
	now, err := dayOr(c.On, time.Now())
	if err != nil {
		return err
	}
	if c.Rehearse != "" {
		return c.rehearse(ctx)
	}
	report, problems, err := offline.Test(ctx, os.DirFS(c.Dir), c.Flow, now)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return told(problems, c.JSON)
	}
	if report.Examples == 0 && len(report.Without) == 0 {
		if s, problems := offline.Check(os.DirFS(c.Dir)); len(s)+len(problems) == 0 {
			return none(c.Dir)
		}
	}
	if c.JSON {
		err = printJSON(report)
	} else {
		fmt.Print(report.Text())
	}
	if err == nil && !report.OK {
		return errFailed
	}
	return err
}

// rehearse asks the running program, which has the records.
func (c testCmd) rehearse(ctx context.Context) error {
	folder, err := filepath.Abs(c.Dir)
	if err != nil {
		return err
	}
	var report app.Rehearsal
	if err := c.operate(ctx, "flow/rehearse", app.RehearseFlow{Folder: folder, Flow: c.Rehearse, Seconds: int64(c.Since / time.Second)}, &report); err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(report)
	} else {
		fmt.Print(report.Text())
	}
	if err == nil && (len(report.Problems) > 0 || report.Differ > 0) {
		return errFailed
	}
	return err
}
