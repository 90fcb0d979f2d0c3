package offline

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/kernel/def"
)

// values are all definitions of a folder, as expressions see them.
func values(t *testing.T, dir string) map[string]any {
	t.Helper()
	set, problems := def.Load(os.DirFS(dir), Registry())
	if set == nil {
		t.Fatal(problems)
	}
	out := map[string]any{}
	for _, o := range set.Objects() {
		out[o.Kind+"/"+o.ID] = o.Value()
	}
	return out
}

func TestTheSampleBodyInTheOneFormIsTheSameBody(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "..", "demo", "body"))); err != nil {
		t.Fatal(err)
	}
	before := values(t, dir)
	would, err := FormatDefinitions(dir, true)
	if err != nil || len(would.Changed) == 0 {
		t.Fatal(would, err)
	}
	if !reflect.DeepEqual(values(t, dir), before) {
		t.Error("a check wrote")
	}
	did, err := FormatDefinitions(dir, false)
	if err != nil || !reflect.DeepEqual(did, would) {
		t.Errorf("%v %v", did, err)
	}
	if after := values(t, dir); !reflect.DeepEqual(after, before) {
		t.Error("the body is another one")
	}
	if len(did.Left) > 0 {
		t.Errorf("left as they are:\n%s", strings.Join(did.Left, "\n"))
	}
	if again, err := FormatDefinitions(dir, false); err != nil || len(again.Changed) > 0 {
		t.Errorf("twice is not once: %v %v", again, err)
	}
}
