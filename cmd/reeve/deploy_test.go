package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// systemd finds nothing wrong with the unit.
func TestUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	b, err := os.ReadFile("../../deploy/reeve.service")
	must(t, err)
	unit := filepath.Join(t.TempDir(), "reeve.service")
	must(t, os.WriteFile(unit, []byte(strings.ReplaceAll(string(b), "/usr/local/bin/reeve", program(t))), 0o644))
	if out, err := exec.CommandContext(t.Context(), analyze, "verify", unit).CombinedOutput(); err != nil || strings.Contains(string(out), "reeve.service") {
		t.Errorf("%v: %s", err, out)
	}
}

// What the unit and the image set are settings that the program knows.
func TestDeployedSettings(t *testing.T) {
	known, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	for _, file := range []string{"../../deploy/reeve.service", "../../deploy/Containerfile"} {
		b, err := os.ReadFile(file)
		must(t, err)
		for _, name := range regexp.MustCompile(`REEVE_[A-Z_]+`).FindAllString(string(b), -1) {
			if !strings.Contains(string(known), "`"+name+"`") {
				t.Errorf("%s sets %s, which the program does not know", file, name)
			}
		}
	}
}
