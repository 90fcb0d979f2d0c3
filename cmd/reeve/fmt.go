package main

import (
	"fmt"
	"os"

	"github.com/reeve-civic/reeve/internal/app/offline"
)

type fmtCmd struct {
	Dir   string `arg:"" optional:"" default:"." help:"Folder of definitions." type:"path"`
	Check bool   `help:"Write nothing; end with 1 if a file would change."`
}

func (c fmtCmd) Run() error {
	if err := folder(c.Dir); err != nil {
		return err
	}
	report, err := offline.FormatDefinitions(c.Dir, c.Check)
	for _, name := range report.Changed {
		fmt.Println(name)
	}
	for _, l := range report.Left {
		fmt.Fprintln(os.Stderr, "left as it is: "+l)
	}
	if err == nil && c.Check && len(report.Changed) > 0 {
		return errFailed
	}
	return err
}
