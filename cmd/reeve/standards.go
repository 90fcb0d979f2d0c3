package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/reeve-civic/reeve/internal/app/offline"
)

// standardsFlags hold a folder to standards instead of only reading it.
type standardsFlags struct {
	Standards bool   `help:"Hold everything declared to the standards of the folder. What only a running program knows (imports, what was observed) is not known here, and never counts as met."`
	Library   bool   `help:"Hold everything declared to the 52 standards of the library instead of the folder's own."`
	SARIF     string `name:"sarif" help:"Write the findings to a file in SARIF 2.1.0, for code hosts and editors; - for standard output." placeholder:"FILE"`
	FailOn    string `help:"End with 1 if a standard that is a must is not met without a waiver (must), or one that is a should as well (should), or never for that." enum:"must,should,never" default:"must"`
	On        string `help:"Judge as on this day instead of today." placeholder:"2026-01-31"`
}

func (f standardsFlags) wanted() bool { return f.Standards || f.Library || f.SARIF != "" }

// now is the moment for which a folder is judged.
func (f standardsFlags) now() (time.Time, error) { return dayOr(f.On, time.Now()) }

func dayOr(day string, now time.Time) (time.Time, error) {
	if day == "" {
		return now, nil
	}
	t, err := time.ParseInLocation(time.DateOnly, day, now.Location())
	if err != nil {
		return t, fmt.Errorf("--on %s is not a day: write it like 2026-01-31", day)
	}
	return t.Add(12 * time.Hour), nil
}

func (f standardsFlags) check(ctx context.Context, dir string, json bool) error {
	now, err := f.now()
	if err != nil {
		return err
	}
	s, problems, err := offline.CheckStandards(ctx, os.DirFS(dir), f.Library, near(dir), now)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return told(problems, json)
	}
	if f.SARIF == "-" {
		err = s.SARIF(os.Stdout)
	} else {
		if f.SARIF != "" {
			err = errors.Join(err, writeFile(f.SARIF, s.SARIF))
		}
		if json {
			err = errors.Join(err, printJSON(map[string]any{"ok": !f.failed(s), "report": s.Report}))
		} else {
			fmt.Print(s.Text())
		}
	}
	if err == nil && f.failed(s) {
		err = errFailed
	}
	return err
}

func (f standardsFlags) failed(s *offline.Standards) bool {
	return f.FailOn != "never" && s.Failing(f.FailOn) > 0
}

// told prints problems, and is the error that ends the program with 1.
func told(problems []offline.Problem, json bool) error {
	if json {
		if err := printJSON(map[string]any{"ok": false, "problems": problems}); err != nil {
			return err
		}
		return errFailed
	}
	for _, p := range problems {
		fmt.Println(p)
	}
	return errFailed
}

// near is a folder as seen from here, with slashes; as it is where it lies elsewhere.
func near(dir string) string {
	if here, err := os.Getwd(); err == nil {
		if rel, err := filepath.Rel(here, dir); err == nil && filepath.IsLocal(rel) {
			return filepath.ToSlash(rel)
		}
	}
	return filepath.ToSlash(dir)
}

type planCmd struct {
	Dir     string `arg:"" help:"Folder of definitions as they would be." type:"path" default:"."`
	Against string `help:"What to compare with: a folder of definitions, or a commit, branch or tag of the git repository that the folder is in." default:"HEAD" placeholder:"FOLDER|REF"`
	JSON    bool   `help:"Print the difference as JSON."`
	On      string `help:"Judge as on this day instead of today." placeholder:"2026-01-31"`
}

// Help says how the command ends.
func (planCmd) Help() string {
	return "Ends with 0 if nothing gets worse; with 1 if the folder has mistakes, a standard that is a must is newly not met, something would stop, or somebody newly sees fields; with 2 if it was called in a way that it does not understand."
}

func (p planCmd) Run(ctx context.Context) error {
	if err := folder(p.Dir); err != nil {
		return err
	}
	now, err := dayOr(p.On, time.Now())
	if err != nil {
		return err
	}
	before, err := p.before()
	if err != nil {
		return err
	}
	d, problems, err := offline.Plan(ctx, before, os.DirFS(p.Dir), now)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return told(problems, p.JSON)
	}
	if p.JSON {
		err = printJSON(d)
	} else {
		fmt.Print(d.Text())
	}
	if err == nil && d.Worse() {
		return errFailed
	}
	return err
}

// before is what the folder is compared with.
func (p planCmd) before() (fs.FS, error) {
	if i, err := os.Stat(p.Against); err == nil && i.IsDir() {
		return os.DirFS(p.Against), nil
	}
	return offline.Committed(p.Dir, p.Against)
}

// writeFile writes a file by way of write.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}
