package file

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/reeve-civic/reeve/connector"
	"github.com/reeve-civic/reeve/connector/connectortest"
	"github.com/reeve-civic/reeve/connector/files"
	"github.com/reeve-civic/reeve/connector/format"
)

func TestMain(m *testing.M) { connectortest.Main(m) }

func config(dir string, spec format.Spec, s files.Settings) connector.Config {
	if s.Settle == 0 {
		s.Settle = connector.Duration(time.Millisecond)
	}
	return connector.Config{ID: "flow-x", Address: "file://" + dir, Format: spec, Settings: &Settings{s}}
}

func source(t *testing.T, c connector.Config) connector.Source {
	t.Helper()
	s, err := Connector.Source(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func sink(t *testing.T, c connector.Config) *files.Sink {
	t.Helper()
	s, err := Connector.Sink(c)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*files.Sink)
}

func content(t *testing.T, dir string) map[string]string {
	t.Helper()
	names, contents := connectortest.Files(t, dir)
	out := map[string]string{}
	for i, n := range names {
		out[n] = contents[i]
	}
	return out
}

func TestSourceKit(t *testing.T) {
	for _, after := range []string{"keep", "move", "delete"} {
		t.Run(after, func(t *testing.T) {
			connectortest.Source(t, func(t *testing.T) connectortest.SourceSetup {
				top := t.TempDir()
				dir, n := filepath.Join(top, "in"), 0
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				next := func() string { n++; return fmt.Sprintf("deaths-%03d.ndjson", n) }
				return connectortest.SourceSetup{
					Open: func(t *testing.T) connector.Source {
						return source(t, config(dir, format.Spec{Name: "ndjson"}, files.Settings{After: after}))
					},
					Add: func(t *testing.T, its []connector.Item) { connectortest.Put(t, dir, next(), connectortest.Lines(its)) },
					Begin: func(t *testing.T, its []connector.Item) func() {
						return connectortest.BeginFile(t, dir, next(), connectortest.Lines(its))
					},
					Down: func(t *testing.T, down bool) {
						from, to := dir, dir+".away"
						if !down {
							from, to = to, from
						}
						if err := os.Rename(from, to); err != nil {
							t.Fatal(err)
						}
					},
					Bad: func(t *testing.T, its []connector.Item) {
						connectortest.Put(t, dir, next(), connectortest.Lines(its[:2])+"{\"name\":\"Canary\n"+connectortest.Lines(its[2:]))
					},
				}
			})
		})
	}
}

func TestSinkKit(t *testing.T) {
	connectortest.Sink(t, func(t *testing.T) connectortest.Setup {
		dir := filepath.Join(t.TempDir(), "deep", "out")
		return connectortest.Setup{
			Sink: sink(t, config(dir, format.Spec{}, files.Settings{})), Repeats: true,
			Effects: func() []connectortest.Effect {
				_, contents := connectortest.Files(t, dir)
				return connectortest.EffectsOf(t, contents...)
			},
			Behave: func(m connectortest.Mode) bool {
				switch m {
				case connectortest.Down: // a file stands where the folder should be
					return os.MkdirAll(filepath.Dir(dir), 0o700) == nil && os.WriteFile(dir, nil, 0o600) == nil
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
	c := config(dir, format.Spec{Columns: []string{"card", "/name/family", "note", "n", "tags"}}, files.Settings{})
	c.ID = "flow-libraries"
	s := sink(t, c)
	its := []connector.Item{
		{ID: "r1-1", Body: []byte(`{"card":"=HYPERLINK(\"x\")","name":{"family":"O'Neil, \"A\""},"note":"two\nlines","n":-1.50,"tags":["a"]}`)},
		{ID: "r1-9", Body: []byte(`{"card":"-1+1","note":"@x","n":null,"other":"not asked for"}`)},
	}
	for range 2 {
		if rs := s.Send(t.Context(), its); rs[0].Outcome != connector.Delivered || rs[1].Outcome != connector.Delivered {
			t.Fatalf("%+v", rs)
		}
	}
	got := content(t, dir)
	if len(got) != 1 {
		t.Fatalf("files: %v", got)
	}
	rows, err := csv.NewReader(strings.NewReader(got["flow-libraries.r1-1.r1-9.csv"])).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"card", "family", "note", "n", "tags"}, {`'=HYPERLINK("x")`, `O'Neil, "A"`, "two\nlines", "-1.50", `["a"]`}, {"'-1+1", "", "'@x", "", ""}}
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
	connectortest.Put(t, dir, "."+s.Name(its)+".part", "half")
	if rs := s.Send(t.Context(), its); rs[0].Outcome != connector.Delivered {
		t.Errorf("%+v", rs[0])
	}
}

// Every format that can be written is written the same at every attempt.
func TestSameBytes(t *testing.T) {
	yes := true
	for _, spec := range []format.Spec{{}, {Name: "json"}, {Name: "csv", Columns: []string{"id", "amount"}, Delimiter: ";", Encoding: "windows-1252"},
		{Name: "xml"}, {Name: "xlsx", Columns: []string{"id", "amount"}, Headings: &yes}} {
		dir := t.TempDir()
		if rs := sink(t, config(dir, spec, files.Settings{})).Send(t.Context(), connectortest.Items(3)); rs[0].Outcome == connector.Refused {
			t.Logf("%s is not written: %s", spec.Name, rs[0].Message)
			continue
		}
		time.Sleep(2 * time.Second * time.Duration(len(spec.Name)/4)) // a date inside the file would differ
		if rs := sink(t, config(dir, spec, files.Settings{})).Send(t.Context(), connectortest.Items(3)); rs[0].Outcome != connector.Delivered {
			t.Errorf("%+v: %+v", spec, rs[0])
		}
	}
}

// A disk without room, and one that fails in the very end.
func TestFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	d := folder(config(dir, format.Spec{}, files.Settings{}))
	s, err := files.NewSink(d, config(dir, format.Spec{}, files.Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	its, whole := connectortest.Items(3), d.disk
	send := func(want connector.Outcome) {
		t.Helper()
		rs := s.Send(t.Context(), its)
		if len(rs) != 3 || rs[2].Outcome != want || strings.Contains(rs[2].Message, dir) || len(rs[2].Message) > 200 {
			t.Errorf("%+v, want %v", rs, want)
		}
	}
	d.disk.write = func(f *os.File, b []byte) error {
		if _, err := f.Write(b[:len(b)/2]); err != nil {
			t.Error(err)
		}
		return &os.PathError{Op: "write", Path: f.Name(), Err: syscall.ENOSPC}
	}
	send(connector.Later)
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("a full disk leaves %v", left)
	}
	d.disk = whole
	d.disk.sync = func(f *os.File) error {
		if st, err := f.Stat(); err != nil || !st.IsDir() {
			return &os.PathError{Op: "sync", Path: f.Name(), Err: syscall.EIO}
		}
		return f.Sync()
	}
	send(connector.Later)
	d.disk.sync = func(f *os.File) error {
		if st, err := f.Stat(); err != nil || st.IsDir() {
			return &os.PathError{Op: "sync", Path: f.Name(), Err: syscall.EIO}
		}
		return f.Sync()
	}
	send(connector.Unclear) // it stands there, but a power cut might take it away
	d.disk = whole
	send(connector.Delivered)
	if got := content(t, dir); len(got) != 1 {
		t.Errorf("files: %v", got)
	}
}

// A real disk without room, where we may have one.
func TestFullTmpfs(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skip("a small disk cannot be mounted here:", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	connectortest.Put(t, dir, "big", strings.Repeat("x", 60<<10))
	s, its := sink(t, config(dir, format.Spec{}, files.Settings{})), connectortest.Items(500)
	rs := s.Send(t.Context(), its)
	if rs[0].Outcome != connector.Later || !strings.Contains(rs[0].Message, "no space left") {
		t.Errorf("%+v", rs[0])
	}
	if got := content(t, dir); len(got) != 1 {
		t.Errorf("%d files", len(got))
	}
	if err := os.Remove(filepath.Join(dir, "big")); err != nil {
		t.Fatal(err)
	}
	if rs := s.Send(t.Context(), its); rs[499].Outcome != connector.Delivered {
		t.Errorf("with room again: %+v", rs[499])
	}
	// Reading needs no room, whatever becomes of the file.
	l := connectortest.NewLedger()
	if err := l.Read(t.Context(), t, source(t, config(dir, format.Spec{}, files.Settings{After: "move"}))); err != nil || len(l.Bodies) != 500 {
		t.Errorf("%v, %d records", err, len(l.Bodies))
	}
}

// A crash between any two steps of writing is made good by writing again.
func TestCrashWhileWriting(t *testing.T) {
	its := connectortest.Items(4)
	for _, at := range []string{"write", "sync", "rename"} {
		t.Run(at, func(t *testing.T) {
			dir := t.TempDir()
			d := folder(config(dir, format.Spec{}, files.Settings{}))
			s, _ := files.NewSink(d, config(dir, format.Spec{}, files.Settings{}))
			whole, syncs := d.disk, 0
			func() {
				defer func() { _ = recover() }()
				switch at {
				case "write":
					d.disk.write = func(f *os.File, b []byte) error { _, _ = f.Write(b[:7]); panic("killed") }
				default:
					d.disk.sync = func(f *os.File) error {
						if syncs++; at == "sync" || syncs == 2 { // of the file; of the folder after the rename
							panic("killed")
						}
						return nil
					}
				}
				s.Send(t.Context(), its)
				t.Error("it was not killed")
			}()
			for name, text := range content(t, dir) {
				if text != connectortest.Lines(its) || at != "rename" {
					t.Errorf("after the crash there is %s with %q", name, text)
				}
			}
			d.disk = whole
			if rs := s.Send(t.Context(), its); rs[0].Outcome != connector.Delivered {
				t.Errorf("%+v", rs[0])
			}
			left, _ := filepath.Glob(filepath.Join(dir, ".*"))
			if got := content(t, dir); len(got) != 1 || got[s.Name(its)] != connectortest.Lines(its) || len(left) != 0 {
				t.Errorf("in the end: %v and %v", got, left)
			}
		})
	}
}

// Names that want to lead elsewhere, or that are nobody's business.
func TestHostileNames(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "in")
	if err := os.MkdirAll(filepath.Join(dir, "folder.ndjson"), 0o700); err != nil {
		t.Fatal(err)
	}
	its := connectortest.Items(2)
	connectortest.Put(t, top, "secret.ndjson", `{"name":"secret"}`+"\n")
	fine := []string{"a b.ndjson", "-rf.ndjson", "$(id).ndjson", "äöü ✓.ndjson", "..ndjson.ndjson"[2:], "%2e%2e%2fx.ndjson", strings.Repeat("n", 240) + ".ndjson"}
	for _, name := range fine {
		connectortest.Put(t, dir, name, connectortest.Lines(its[:1]))
	}
	bad := []string{"line\nbreak.ndjson", "bell\a.ndjson", "back\\slash.ndjson", "not-utf8-\xff.ndjson", "right-to-left-\u202e.ndjson"}
	for _, name := range bad {
		connectortest.Put(t, dir, name, connectortest.Lines(its[1:]))
	}
	for _, name := range []string{".hidden.ndjson", "x.ndjson.part", "x.PART", "x.ndjson.filepart", "~$book.ndjson", "x.ndjson~", "other.txt"} {
		connectortest.Put(t, dir, name, `{"name":"unfinished"}`+"\n")
	}
	for name, to := range map[string]string{"out.ndjson": "../secret.ndjson", "abs.ndjson": filepath.Join(top, "secret.ndjson"), "in.ndjson": "a b.ndjson", "gone.ndjson": "nowhere"} {
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe.ndjson"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(top, filepath.Join(dir, "done")); err != nil {
		t.Fatal(err)
	}
	settings := files.Settings{Pattern: "*.ndjson", After: "move"}
	l := connectortest.NewLedger()
	err := l.Read(t.Context(), t, source(t, config(dir, format.Spec{}, settings)))
	if err == nil { // the folder done leads out
		t.Error("a file was moved out of the folder")
	}
	if err := os.Remove(filepath.Join(dir, "done")); err != nil {
		t.Fatal(err)
	}
	err = l.Read(t.Context(), t, source(t, config(dir, format.Spec{}, settings)))
	if err == nil || !strings.Contains(err.Error(), "rename it; 4 more files") || strings.ContainsAny(err.Error(), "\n\a") {
		t.Errorf("the error %q, want one that tells of %d files", err, len(bad))
	}
	for _, b := range l.Bodies {
		if !bytes.Equal(b, its[0].Body) {
			t.Errorf("read %s", b)
		}
	}
	if done, _ := os.ReadDir(filepath.Join(dir, "done")); len(l.Bodies) != len(fine) || len(done) != len(fine) {
		t.Errorf("%d records, %d files moved, want %d", len(l.Bodies), len(done), len(fine))
	}
	if left, _ := os.ReadDir(top); len(left) != 2 {
		t.Errorf("beside the folder: %v", left)
	}
}

// A file that cannot be read keeps no other from being read.
func TestUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("nothing is forbidden to root")
	}
	dir, its := t.TempDir(), connectortest.Items(2)
	connectortest.Put(t, dir, "a.ndjson", connectortest.Lines(its[:1]))
	connectortest.Put(t, dir, "b.ndjson", connectortest.Lines(its[1:]))
	if err := os.Chmod(filepath.Join(dir, "a.ndjson"), 0); err != nil {
		t.Fatal(err)
	}
	l := connectortest.NewLedger()
	var fault *files.Fault
	if err := l.Read(t.Context(), t, source(t, config(dir, format.Spec{}, files.Settings{}))); !errors.As(err, &fault) || fault.Name != "a.ndjson" || len(l.Bodies) != 1 {
		t.Errorf("%v, %d records", err, len(l.Bodies))
	}
}

func TestCheck(t *testing.T) {
	for _, s := range []files.Settings{{Pattern: "../*"}, {Pattern: "[a"}, {Done: "../x", After: "move"}, {Done: "x"}, {Largest: -1}} {
		n := 0
		Connector.Check(config("/x", format.Spec{}, s), func(path, message string) { n++ })
		if n != 1 {
			t.Errorf("%+v: %d problems, want 1", s, n)
		}
	}
	Connector.Check(config("/x", format.Spec{}, files.Settings{Pattern: "deaths-*.csv", After: "move", Done: "taken"}), func(path, message string) {
		t.Errorf("%s: %s", path, message)
	})
}
