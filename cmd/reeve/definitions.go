package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/reeve-civic/reeve/internal/app"
)

type checkCmd struct {
	Dir  string `arg:"" help:"Folder of definitions." type:"path"`
	JSON bool   `help:"Print the result as JSON."`
}

func (c checkCmd) Run() error {
	if i, err := os.Stat(c.Dir); err != nil || !i.IsDir() {
		return fmt.Errorf("%s is not a folder of definitions", c.Dir)
	}
	summary, problems := app.Check(os.DirFS(c.Dir))
	if c.JSON {
		if err := printJSON(map[string]any{"ok": len(problems) == 0, "problems": append([]app.Problem{}, problems...), "kinds": summary}); err != nil {
			return err
		}
	} else {
		for _, p := range problems {
			fmt.Println(p)
		}
		switch n := len(problems); {
		case n == 1:
			fmt.Println("\n1 problem.")
		case n > 1:
			fmt.Printf("\n%d problems.\n", n)
		default:
			fmt.Println(summary)
		}
	}
	if len(problems) > 0 {
		return errFailed
	}
	return nil
}

type schemaCmd struct {
	Kind     string `arg:"" optional:"" help:"Kind of definition. Without one, the kinds are listed."`
	Markdown bool   `help:"Print the reference of all kinds in Markdown."`
}

func (s schemaCmd) Run() error {
	switch {
	case s.Markdown:
		fmt.Print(app.Reference())
	case s.Kind == "":
		fmt.Println(strings.Join(app.Kinds(), "\n"))
	default:
		b, err := app.Schema(s.Kind)
		if err != nil {
			return err
		}
		fmt.Println(string(b))
	}
	return nil
}

type importCmd struct {
	Source  string            `arg:"" help:"What the file is, or auto. Without a file, what can be imported is listed." default:"" optional:""`
	File    string            `arg:"" optional:"" help:"File or folder to import." type:"path"`
	Into    string            `help:"Folder of definitions to merge into." type:"path" aliases:"out" default:"definitions"`
	Mapping string            `help:"YAML file that says which column is what; written by an earlier import." type:"path" placeholder:"FILE"`
	Set     map[string]string `help:"What the import must be told, as NAME=VALUE." placeholder:"NAME=VALUE"`
	Take    []string          `help:"Where a person and the file differ, take the file's value: \"KIND/ID FIELD\", or all." placeholder:"FIELD" sep:"none"`
	Preview bool              `help:"Only say what would be written."`
	JSON    bool              `help:"Print the report as JSON."`
}

func (i importCmd) Run() error {
	if i.File == "" {
		if i.Source != "" {
			return fmt.Errorf("say which file to import: reeve import %s FILE", i.Source)
		}
		fmt.Print("What can be imported:\n\n", app.ImportSources())
		return nil
	}
	report, err := app.Import(context.Background(), app.ImportOptions{
		Source: i.Source, File: i.File, Into: i.Into, Mapping: i.Mapping, Settings: i.Set, Take: i.Take, Preview: i.Preview, Progress: progress(),
	})
	if err != nil {
		return err
	}
	if i.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
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
