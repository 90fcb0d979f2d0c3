package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAddingAConnector holds the Go of docs/adding-a-connector.md to the example, and
// compiles connector/all with the lines that it says to add.
func TestAddingAConnector(t *testing.T) {
	text, root := document(t, "adding-a-connector.md")
	var code string
	for _, name := range []string{"lines.go", "lines_test.go"} {
		code += read(t, root, "examples/connector/lines", name)
	}
	all := read(t, root, "connector/all/all.go")
	all = strings.Replace(all, "import (\n", "import (\n\t\"github.com/reeve-civic/reeve/examples/connector/lines\"\n", 1)
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		switch m[1] {
		case "go":
			if !strings.Contains(code, m[3]) {
				t.Errorf("this is not in the example:\n%s", m[3])
			}
		case "diff":
			before := ""
			for line := range strings.Lines(m[3]) {
				added, ok := strings.CutPrefix(line, "+")
				if !ok {
					before = line[1:]
				} else if !strings.Contains(all, before) {
					t.Errorf("connector/all has no line %q", before)
				} else {
					all = strings.Replace(all, before, before+added, 1)
				}
			}
		}
	}
	changed := filepath.Join(t.TempDir(), "all.go")
	if err := os.WriteFile(changed, []byte(all), 0o600); err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(root, "connector/all/all.go"): changed}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(changed+".json", overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "build", "-overlay", changed+".json", "./connector/all")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("connector/all with the example: %v\n%s", err, out)
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
