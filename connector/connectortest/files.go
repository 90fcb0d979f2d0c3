package connectortest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector"
)

// Lines is a file of items, one a line.
func Lines(its []connector.Item) string {
	var b bytes.Buffer
	for _, it := range its {
		b.Write(append(it.Body, '\n'))
	}
	return b.String()
}

// EffectsOf are the effects that a receiver of such files has.
func EffectsOf(t testing.TB, contents ...string) (es []Effect) {
	t.Helper()
	for _, content := range contents {
		for line := range strings.Lines(content) {
			var b struct{ ID string }
			if err := json.Unmarshal([]byte(line), &b); err != nil {
				t.Fatal(err)
			}
			es = append(es, Effect{ID: b.ID, Body: strings.TrimSuffix(line, "\n")})
		}
	}
	return es
}

// Put writes a file.
func Put(t testing.TB, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Files are those of a folder that a receiver would look at, with their contents.
func Files(t testing.TB, dir string) (names, contents []string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		return nil, nil // something else stands there
	}
	for _, e := range all {
		if e.IsDir() || e.Name()[0] == '.' {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		names, contents = append(names, e.Name()), append(contents, string(b))
	}
	return names, contents
}

// BeginFile writes the first half of a file under names that say that it is not
// complete; the function that it returns completes it and gives it its own.
func BeginFile(t *testing.T, dir, name, content string) (complete func()) {
	Put(t, dir, name+".part", content[:len(content)/2])
	Put(t, dir, "."+name, content[:len(content)/2])
	return func() {
		Put(t, dir, name+".part", content)
		if err := os.Rename(filepath.Join(dir, name+".part"), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}
