package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/xuri/excelize/v2"

	"github.com/reeve-civic/reeve/tools/rig"
)

// TestScripts runs the program as a person does: each txtar file in
// testdata/script is a folder and the commands typed in it. $DEFS is a copy of
// the first example's definitions, $DEMO of the demo's, $DATA a data folder.
//
//	house [FLAG...]   run `reeve serve` on $DEFS and $DATA; its address is $URL
//	stop              ask it to end, and wait
//	hup               tell it to take up changed definitions
//	logged REGEXP     wait until what it logged matches
//	retry ARG...      run `reeve ARG...` until it succeeds
//	fetch PATH [TOK]  the answer to a GET is stdout, its status the first line
//	workbook TO F...  make a workbook of texts; each file F.csv is the sheet F
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_STORIES") != "",
		Setup: func(e *testscript.Env) error {
			dir, err := os.MkdirTemp("", "rv") // short: the operator's socket lives in it
			if err != nil {
				return err
			}
			bin, err := filepath.Abs(program(t))
			if err != nil {
				return err
			}
			defs, data := filepath.Join(e.WorkDir, "defs"), filepath.Join(dir, "d")
			e.Setenv("DEFS", defs)
			e.Setenv("DATA", data)
			e.Setenv("DEMO", filepath.Join(e.WorkDir, "demo"))
			s := &script{r: &rig.Reeve{Bin: bin, Data: data, Definitions: defs, Env: map[string]string{"LIBRARY_FOLDER": "file://" + filepath.Join(e.WorkDir, "library")}}}
			e.Values["script"] = s
			e.Defer(func() {
				s.r.Stop()
				os.RemoveAll(dir)
			})
			return copyDefinitions(e)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"house": scriptCmd((*script).house), "stop": scriptCmd((*script).stop), "hup": scriptCmd((*script).hup),
			"logged": scriptCmd((*script).logged), "retry": scriptCmd((*script).retry), "fetch": scriptCmd((*script).fetch),
			"workbook": scriptCmd((*script).workbook),
		},
	})
}

type script struct{ r *rig.Reeve }

func scriptCmd(fn func(*script, *testscript.TestScript, []string) error) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		err := fn(ts.Value("script").(*script), ts, args)
		switch {
		case err != nil && neg:
			fmt.Fprintln(ts.Stderr(), err)
		case err != nil:
			ts.Fatalf("%v", err)
		case neg:
			ts.Fatalf("went well, and should not have")
		}
	}
}

func (s *script) house(ts *testscript.TestScript, args []string) error {
	s.r.Args = args
	err := s.r.Start(context.Background())
	ts.Setenv("URL", s.r.URL)
	return err
}

func (s *script) stop(*testscript.TestScript, []string) error { s.r.Stop(); return nil }

func (s *script) hup(*testscript.TestScript, []string) error {
	return syscall.Kill(s.r.PID(), syscall.SIGHUP)
}

func (s *script) logged(ts *testscript.TestScript, args []string) error {
	return eventually(func() error {
		if log := s.r.Logs(); !matches(args[0], log) {
			return fmt.Errorf("%q is not in the log:\n%s", args[0], log)
		}
		return nil
	})
}

func (s *script) retry(ts *testscript.TestScript, args []string) error {
	return eventually(func() error { return ts.Exec(s.r.Bin, args...) })
}

func (s *script) workbook(ts *testscript.TestScript, args []string) error {
	f := excelize.NewFile()
	for i, name := range args[1:] {
		sheet := strings.TrimSuffix(name, ".csv")
		if _, err := f.NewSheet(sheet); err != nil {
			return err
		}
		for j, line := range strings.Split(strings.TrimSpace(ts.ReadFile(name)), "\n") {
			cells := strings.Split(line, ",")
			if err := f.SetSheetRow(sheet, fmt.Sprintf("A%d", j+1), &cells); err != nil {
				return err
			}
		}
		if i == 0 { // the sheet that a new workbook has
			if err := f.DeleteSheet("Sheet1"); err != nil {
				return err
			}
		}
	}
	return errors.Join(f.SaveAs(ts.MkAbs(args[0])), f.Close())
}

func (s *script) fetch(ts *testscript.TestScript, args []string) error {
	status, body, err := fetch(s.r.URL+args[0], strings.Join(args[1:], ""))
	fmt.Fprintf(ts.Stdout(), "%d\n%s", status, body)
	return err
}
