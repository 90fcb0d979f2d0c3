package main

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/reeve-civic/reeve/demo"
	"github.com/reeve-civic/reeve/tools/rig"
)

// The program under test is this test binary called by the name of reeve: a real
// process with its own memory, files and exit code.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"reeve": main})
}

func program(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("reeve")
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// shortDir is a folder with a short name: the operator's socket lives in it.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rv")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// serve runs the program on definitions until the test ends.
func serve(t *testing.T, definitions, database string, env map[string]string) *rig.Reeve {
	t.Helper()
	r := &rig.Reeve{Bin: program(t), Data: filepath.Join(shortDir(t), "d"), Definitions: definitions, Database: database, Env: env}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Stop()
		for line := range strings.Lines(r.Logs()) {
			if t.Failed() && !strings.Contains(line, `"level":"INFO"`) {
				t.Log(line)
			}
		}
	})
	return r
}

func token(t *testing.T, r *rig.Reeve, org string) string {
	t.Helper()
	tok, err := r.Token(t.Context(), org)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

// command runs a command of the program on r's data, and fails the test with it.
func command(t *testing.T, r *rig.Reeve, args ...string) string {
	t.Helper()
	out, err := r.Command(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// exampleDefinitions is a copy of the first example, to change.
func exampleDefinitions(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "defs")
	if err := os.CopyFS(dir, os.DirFS("../../examples/first")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// copyDefinitions puts the definitions of the first example and of the demo into
// a script's folder, beside what the script puts there.
func copyDefinitions(e *testscript.Env) error {
	if err := os.CopyFS(e.Getenv("DEMO"), demo.Body()); err != nil {
		return err
	}
	return os.CopyFS(e.Getenv("DEFS"), os.DirFS("../../examples/first"))
}

func matches(re, text string) bool { return regexp.MustCompile(re).MatchString(text) }

// eventually asks until there is no error, for up to five minutes: a busy machine is slow.
func eventually(ask func() error) (err error) {
	for range 3000 {
		if err = ask(); err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

func fetch(url, token string) (int, string, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, string(b), err
}
