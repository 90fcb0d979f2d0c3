package csvfile_test

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/csvfile"
)

func sink(t *testing.T, o csvfile.Options) *csvfile.Sink {
	t.Helper()
	s, err := csvfile.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func files(t *testing.T, dir string) (out map[string]string) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	out = map[string]string{}
	for _, n := range names {
		b, err := os.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(n)] = string(b)
	}
	return out
}

func TestKit(t *testing.T) {
	connectortest.Sink(t, func(t *testing.T) connectortest.Setup {
		dir := filepath.Join(t.TempDir(), "out")
		return connectortest.Setup{
			Sink: sink(t, csvfile.Options{Dir: dir, Prefix: "flow-x"}), Repeats: true,
			Effects: func() (es []connectortest.Effect) {
				for _, content := range files(t, dir) {
					for line := range strings.Lines(content) {
						var b struct{ ID string }
						if err := json.Unmarshal([]byte(line), &b); err != nil {
							t.Fatal(err)
						}
						es = append(es, connectortest.Effect{ID: b.ID, Body: strings.TrimSuffix(line, "\n")})
					}
				}
				return es
			},
			Behave: func(m connectortest.Mode) bool {
				switch m {
				case connectortest.Down: // a file stands where the folder should be
					return os.WriteFile(dir, nil, 0o600) == nil
				case connectortest.Healthy:
					return os.RemoveAll(dir) == nil
				}
				return false
			},
		}
	})
}

func TestCSV(t *testing.T) {
	dir := t.TempDir()
	s := sink(t, csvfile.Options{Dir: dir, Prefix: "flow-libraries", Columns: []string{"card", "/name/family", "note", "n", "tags"}})
	its := []connector.Item{
		{ID: "r1-1", Body: []byte(`{"card":"=HYPERLINK(\"x\")","name":{"family":"O'Neil, \"A\""},"note":"two\nlines","n":-1.50,"tags":["a"]}`)},
		{ID: "r1-9", Body: []byte(`{"card":"-1","note":"@x","n":null,"other":"not asked for"}`)},
	}
	for range 2 {
		if rs := s.Send(t.Context(), its); rs[0].Outcome != connector.Delivered || rs[1].Outcome != connector.Delivered {
			t.Fatalf("%+v", rs)
		}
	}
	got := files(t, dir)
	if len(got) != 1 {
		t.Fatalf("files: %v", got)
	}
	rows, err := csv.NewReader(strings.NewReader(got["flow-libraries.r1-1.r1-9.csv"])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"card", "family", "note", "n", "tags"}, {`'=HYPERLINK("x")`, `O'Neil, "A"`, "two\nlines", "-1.50", `["a"]`}, {"'-1", "", "'@x", "", ""}}
	for i := range want {
		if strings.Join(rows[i], "|") != strings.Join(want[i], "|") {
			t.Errorf("row %d: %q, want %q", i, rows[i], want[i])
		}
	}
	// The same name with other contents is never written over.
	its[1].Body = []byte(`{"card":"2"}`)
	if rs := s.Send(t.Context(), its); rs[0].Outcome != connector.Later || rs[0].Message == "" {
		t.Errorf("%+v", rs[0])
	}
	// A half-written file of a killed attempt is in nobody's way.
	its[1].ID = "r1-10"
	if err := os.WriteFile(filepath.Join(dir, "."+s.Name(its)+".part"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if rs := s.Send(t.Context(), its); rs[0].Outcome != connector.Delivered {
		t.Errorf("%+v", rs[0])
	}
}
