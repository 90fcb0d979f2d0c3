package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/reeve-civic/reeve/internal/app/offline"
)

type checkCmd struct {
	Dir  string `arg:"" help:"Folder of definitions." type:"path"`
	JSON bool   `help:"Print the result as JSON."`
	standardsFlags
}

func (c checkCmd) Run(ctx context.Context) error {
	if err := folder(c.Dir); err != nil {
		return err
	}
	if c.wanted() {
		return c.check(ctx, c.Dir, c.JSON)
	}
	summary, problems := offline.Check(os.DirFS(c.Dir))
	if len(problems) == 0 && len(summary) == 0 {
		return none(c.Dir)
	}
	if c.JSON {
		if err := printJSON(map[string]any{"ok": len(problems) == 0, "problems": append([]offline.Problem{}, problems...), "kinds": summary}); err != nil {
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

// folder says in plain words why a folder of definitions cannot be one.
func folder(dir string) error {
	switch i, err := os.Stat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s: give the one that the definitions are in", dir)
	case err != nil:
		return fmt.Errorf("the folder of definitions cannot be read: %w", err)
	case !i.IsDir():
		return fmt.Errorf("%s is not a folder: give the one that the definitions are in", dir)
	}
	return nil
}

// none is that a folder has no definitions: a wrong folder must not look well.
func none(dir string) error {
	return fmt.Errorf("there are no definitions in %s: they are files like systems.yaml, which begin with apiVersion: reeve/v1", dir)
}

type schemaCmd struct {
	Kind     string `arg:"" optional:"" help:"Kind of definition. Without one, the kinds are listed."`
	Markdown bool   `help:"Print the reference of all kinds in Markdown."`
}

func (s schemaCmd) Run() error {
	switch {
	case s.Markdown:
		fmt.Print(offline.Reference())
	case s.Kind == "":
		fmt.Println(strings.Join(offline.Kinds(), "\n"))
	default:
		b, err := offline.Schema(s.Kind)
		if err != nil {
			return err
		}
		fmt.Println(string(b))
	}
	return nil
}

type connectorsCmd struct {
	Name     string `arg:"" optional:"" help:"Only this one: sftp."`
	JSON     bool   `help:"Print the list as JSON." xor:"how"`
	Markdown bool   `help:"Print the reference of all connectors in Markdown." xor:"how"`
}

func (c connectorsCmd) Run() error {
	list := offline.Connectors()
	if c.Name != "" && !c.Markdown {
		names := make([]string, 0, len(list))
		for _, one := range list {
			names = append(names, one.Name)
		}
		i := slices.Index(names, c.Name)
		if i < 0 {
			return fmt.Errorf("there is no connector %q: there are %s", c.Name, strings.Join(names, ", "))
		}
		list = list[i : i+1]
	}
	switch {
	case c.JSON:
		return printJSON(list)
	case c.Markdown:
		fmt.Print(offline.ConnectorReference())
	default:
		for _, one := range list {
			fmt.Println(one)
		}
	}
	return nil
}
