package form_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/internal/kernel/def/form"
	"github.com/reeve-civic/reeve/internal/kernel/def/yamldoc"
)

// yamls are the definitions of the sample body and of the tests.
func yamls(t testing.TB) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	root := filepath.Join("..", "..", "..", "..")
	for _, sub := range []string{"demo/body", "internal"} {
		filepath.WalkDir(filepath.Join(root, sub), func(name string, d fs.DirEntry, err error) error {
			if err == nil && filepath.Ext(name) == ".yaml" {
				if b, err := os.ReadFile(name); err == nil {
					out[name] = b
				}
			}
			return nil
		})
	}
	if len(out) < 15 {
		t.Fatal(len(out))
	}
	return out
}

// plain are the documents of a file as plain values; nil for one that cannot be read.
func plain(text []byte) (out []any) {
	s, bad := yamldoc.Readable(text)
	if bad != nil {
		return nil
	}
	lines := strings.Split(s, "\n")
	for _, d := range yamldoc.Split(s) {
		n := yamldoc.Parse(d.Text(), d.Before, lines, func(yamldoc.Problem) {})
		if n == nil {
			out = append(out, nil)
			continue
		}
		out = append(out, n.Plain())
	}
	return out
}

func comments(text []byte) (n int) {
	s, _ := yamldoc.Readable(text)
	lines := strings.Split(s, "\n")
	for _, d := range yamldoc.Split(s) {
		n += len(yamldoc.Comments(d, lines))
	}
	return n
}

func TestTheOneFormKeepsMeaningAndComments(t *testing.T) {
	left, docs := 0, 0
	for name, text := range yamls(t) {
		out, l := form.Format(text, nil)
		left += len(l)
		docs += len(plain(text))
		for _, x := range l {
			t.Logf("%s: %s", name, x)
		}
		if !reflect.DeepEqual(plain(text), plain(out)) {
			t.Errorf("%s means something else:\n%s", name, out)
		}
		if a, b := comments(text), comments(out); a != b {
			t.Errorf("%s: %d comments became %d:\n%s", name, a, b, out)
		}
		again, _ := form.Format(out, nil)
		if !bytes.Equal(out, again) {
			t.Errorf("%s: twice is not once:\n%s\n---------\n%s", name, out, again)
		}
	}
	if left*20 > docs {
		t.Errorf("%d of %d documents were left as they are", left, docs)
	}
}
