package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
	Systems importSystemsCmd `cmd:"" help:"Turn an architect's spreadsheet of systems into definitions."`
}

type importSystemsCmd struct {
	File    string `arg:"" help:"CSV or XLSX file." type:"existingfile"`
	Out     string `help:"Folder to write to." type:"path" default:"definitions"`
	Mapping string `help:"YAML file that says which column is what; written by an earlier import." type:"path" placeholder:"FILE"`
	Preview bool   `help:"Only say what would be written."`
	JSON    bool   `help:"Print the report as JSON."`
}

func (i importSystemsCmd) Run() error {
	report, err := app.ImportSystems(i.File, i.Mapping, i.Out)
	if err != nil {
		return err
	}
	if !i.Preview {
		if err := os.MkdirAll(i.Out, 0o755); err != nil {
			return err
		}
		for name, b := range report.Files {
			if err := os.WriteFile(filepath.Join(i.Out, name), b, 0o644); err != nil {
				return err
			}
		}
	}
	if i.JSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(report)
	}
	fmt.Print(report.Text())
	if !i.Preview {
		fmt.Printf("Written to %s. Next: reeve check %s\n", i.Out, i.Out)
	}
	return nil
}
