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

// fenced is a block of a document: its language, the file that it is, its text.
var fenced = regexp.MustCompile("(?s)```(\\w+)(?: (\\S+))?\n(.*?)```")

// document is a page of docs.
func document(t *testing.T, name string) (text, root string) {
	t.Helper()
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b), root
}

// runs runs the examples of a document in their order, in one folder: a block with
// a name is a file, any other is commands. What they print is returned.
func runs(t *testing.T, name string) string {
	t.Helper()
	text, _ := document(t, name)
	dir, bin := t.TempDir(), program(t)
	var printed strings.Builder
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
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
	return printed.String()
}

// prints holds a document to what it says its commands print.
func prints(t *testing.T, printed string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(printed, want) {
			t.Errorf("the examples do not print %q:\n%s", want, printed)
		}
	}
}

// TestImporting runs the examples of docs/importing.md.
func TestImporting(t *testing.T) {
	prints(t, runs(t, "importing.md"),
		"archimate", "Rows: 3, of which 2 were taken, 1 repeated", "changed System/sys-library-catalogue", "changed spec.hosting: here on-premise, in the file saas",
		"was taken as £100000.00 a year", "Elements: 2, of which 2 were taken", "Entities: 2", "Documents: 1", "Rows: 2, of which 1 were taken, 0 repeated, 0 could not be used, 1 left out", "no problems",
	)
}

// TestStandardsPage runs the examples of docs/standards.md; what it says they print
// stands in it, indented.
func TestStandardsPage(t *testing.T) {
	text, _ := document(t, "standards.md")
	prints(t, runs(t, "standards.md"), said(text)...)
}

// said are the lines that a document says its commands print: those indented by
// four spaces outside its blocks; a line that is a command itself is not.
func said(text string) (lines []string) {
	for line := range strings.Lines(fenced.ReplaceAllString(text, "")) {
		if l, ok := strings.CutPrefix(line, "    "); ok && strings.TrimSpace(l) != "" && !strings.HasPrefix(l, "reeve ") {
			lines = append(lines, strings.TrimSpace(l))
		}
	}
	return lines
}
