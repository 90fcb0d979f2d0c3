package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/tools/rig"
)

// TestImporting runs the examples of docs/importing.md in their order, in one folder.
func TestImporting(t *testing.T) {
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "docs", "importing.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := t.TempDir(), program(t)
	var printed strings.Builder
	for _, m := range regexp.MustCompile("(?s)```(\\w+)(?: (\\S+))?\n(.*?)```").FindAllStringSubmatch(string(b), -1) {
		if m[2] != "" {
			if err := os.WriteFile(filepath.Join(dir, m[2]), []byte(m[3]), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-e", "-c", strings.ReplaceAll(m[3], "reeve ", bin+" ")+"\n")
		if !strings.Contains(m[3], "reeve ") { // the command alone
			cmd = exec.CommandContext(t.Context(), bin, strings.Fields(m[3])[1:]...)
		}
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s fails: %v\n%s", m[3], err, out)
		}
		printed.Write(out)
	}
	for _, want := range []string{
		"archimate", "Rows: 3, of which 2 were taken, 1 repeated", "changed System/sys-library-catalogue", "changed spec.hosting: here on-premise, in the file saas",
		"was taken as £100000.00 a year", "Elements: 2, of which 2 were taken", "Entities: 2", "Documents: 1", "Rows: 2, of which 1 were taken, 0 repeated, 0 could not be used, 1 left out", "no problems",
	} {
		if !strings.Contains(printed.String(), want) {
			t.Errorf("the examples do not print %q:\n%s", want, printed.String())
		}
	}
}
