package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/reeve-civic/reeve/internal/app"
	"github.com/reeve-civic/reeve/internal/app/offline"
)

type importCmd struct {
	where
	Source  string            `arg:"" help:"What the file is, or auto. Without a file, what can be imported is listed." default:"" optional:""`
	File    string            `arg:"" optional:"" help:"File or folder to import." type:"path"`
	Into    string            `help:"Folder of definitions to merge into." type:"path" aliases:"out" default:"definitions"`
	Mapping string            `help:"YAML file that says which column is what; written by an earlier import." type:"path" placeholder:"FILE"`
	Set     map[string]string `help:"What the import must be told, as NAME=VALUE." placeholder:"NAME=VALUE"`
	Take    []string          `help:"Where a person and the file differ, take the file's value: \"KIND/ID FIELD\", or all." placeholder:"FIELD" sep:"none"`
	Gone    int               `help:"How many items a whole list may take away, where that is more than a fifth of it: the preview says how many it would." placeholder:"N"`
	Preview bool              `help:"Only say what would be written."`
	JSON    bool              `help:"Print the report as JSON."`
}

func (i importCmd) Run(ctx context.Context) error {
	if i.File == "" {
		if i.Source != "" {
			return fmt.Errorf("say which file to import: reeve import %s FILE", i.Source)
		}
		fmt.Print("What can be imported:\n\n", offline.ImportSources())
		return nil
	}
	if i.Data != "" || i.Database != "" || i.Config != "" {
		return i.list(ctx)
	}
	report, err := offline.Import(ctx, offline.ImportOptions{
		Source: i.Source, File: i.File, Into: i.Into, Mapping: i.Mapping, Settings: i.Set, Take: i.Take, Preview: i.Preview, Progress: progress(),
	})
	if err != nil {
		return err
	}
	if i.JSON {
		return printJSON(report)
	}
	fmt.Print(report.Text())
	if !i.Preview && len(report.Files) > 0 {
		fmt.Printf("Next: reeve check %s\n", i.Into)
	}
	return nil
}

// progress says on a terminal how far a long import is.
func progress() func(int) {
	if info, err := os.Stderr.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return func(done int) {
		if done%10_000 == 0 {
			fmt.Fprintf(os.Stderr, "%d rows read\n", done)
		}
	}
}

// list takes a list into the inventory of the program that runs on the data.
func (i importCmd) list(ctx context.Context) error {
	file, err := filepath.Abs(i.File)
	if err != nil {
		return err
	}
	in := app.ImportList{Source: i.Source, File: file, Settings: i.Set, Preview: i.Preview, Gone: i.Gone}
	if i.Mapping != "" {
		b, err := os.ReadFile(i.Mapping)
		if err != nil {
			return err
		}
		in.Mapping = string(b)
	}
	var out app.ImportedList
	if err := i.operate(ctx, "import", in, &out); err != nil {
		return err
	}
	if i.JSON {
		return printJSON(out)
	}
	fmt.Print(out.Text())
	return nil
}
