package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/app/offline"
	"github.com/reeve-civic/reeve/tools/rig"
)

// TestReadme runs the shell blocks of the README's "five minutes", as a reader
// would, and looks at what they print.
func TestReadme(t *testing.T) {
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "## Your own exchange in five minutes")
	if !ok {
		t.Fatal("the README has lost its five minutes")
	}
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(text, -1)
	if len(blocks) != 2 {
		t.Fatalf("the README has %d shell blocks in its five minutes, want 2", len(blocks))
	}
	dir, bin := shortDir(t), program(t)
	addr := address(t)
	const wait = "\nfor i in $(seq 3000); do %s && break; sleep 0.1; done\n"
	ready := strings.Replace(wait, "%s", "test -S "+dir+"/data/reeve.sock", 1)
	script := "set -e\ntrap 'kill %1; wait' EXIT\n" +
		strings.Replace(blocks[0][1], "&\n", "&\n"+ready, 1) +
		strings.Replace(wait, "%s", "ls "+dir+"/library/*.csv >/dev/null 2>&1", 1) +
		blocks[1][1]
	script = strings.NewReplacer("make build\n", "", "bin/reeve ", bin+" ", "127.0.0.1:8090", addr, "/tmp/first", dir).Replace(script)
	script = strings.Replace(script, "send --to", "send --receipts --to", 1)
	script = strings.Replace(script, "pupils.ndjson\n", "pupils.ndjson || echo SEND ENDED WITH $?\n", 1)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the README's commands fail: %v\n%s", err, out)
	}
	for _, want := range []string{"no problems", `"status":"accepted"`, `"status":"held"`, "SEND ENDED WITH 1", `P0001,"BYRON, Ada",2026-09-01`, "/staff/sign-in/"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the README's commands do not print %q:\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "2015-12-10") {
		t.Error("the library was told a date of birth")
	}
}

// TestDefinitionsReference holds docs/definitions.md to the kinds.
func TestDefinitionsReference(t *testing.T) {
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs", "definitions.md"))
	if err != nil {
		t.Fatal(err)
	}
	if _, body, _ := strings.Cut(string(got), "up to date.\n\n"); body != offline.Reference() {
		t.Error("docs/definitions.md is not what `reeve schema --markdown` prints; print it again below its first lines")
	}
}

// TestConnectorReference holds docs/connectors.md to the connectors.
func TestConnectorReference(t *testing.T) {
	root, err := rig.Root()
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs", "connectors.md"))
	if err != nil {
		t.Fatal(err)
	}
	if _, body, _ := strings.Cut(string(got), "up to date.\n\n"); body != offline.ConnectorReference() {
		t.Error("docs/connectors.md is not what `reeve connectors --markdown` prints; print it again below its first lines")
	}
}
