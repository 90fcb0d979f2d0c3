package edit_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/object"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/asset"
	"github.com/reeve-civic/reeve/internal/estate/capability"
	"github.com/reeve-civic/reeve/internal/estate/component"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/organisation"
	"github.com/reeve-civic/reeve/internal/estate/site"
	"github.com/reeve-civic/reeve/internal/estate/supplier"
	"github.com/reeve-civic/reeve/internal/estate/system"
	"github.com/reeve-civic/reeve/internal/kernel/def"
)

var registry = def.NewRegistry(organisation.Kind(), site.Kind(), capability.Kind(), system.Kind(), component.Kind(), supplier.Kind(), asset.Kind())

const systems = `# The systems of Ashcombe.
apiVersion: reeve/v1
kind: System
metadata: {id: sys-a, name: Housing}   # the old one
spec:
  organisation: org-a
  owner: post-housing
  hosting: saas          # since 2021
  lifecycle: {phase: live, since: 2020-01-01}
  # browsers only
  clients: [browser]
---
apiVersion: reeve/v1
kind: System
metadata: {id: sys-b, name: Planning}
spec: {organisation: org-a, owner: post-planning, lifecycle: {phase: live, since: 2021-01-01}}
`

const organisations = `apiVersion: reeve/v1
kind: Organisation
metadata: {id: org-a, name: Ashcombe}
spec: {type: council}
`

// desk is a folder with an editor of it, as the program has it.
type desk struct {
	*edit.Editor
	t    *testing.T
	dir  string
	mu   sync.Mutex
	sets []*def.Set // in force, one after the other
}

func (d *desk) set() *def.Set {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sets[len(d.sets)-1]
}

func (d *desk) reload(context.Context) ([]def.Problem, error) {
	s, problems := def.Load(os.DirFS(d.dir), registry)
	if s != nil {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.sets = append(d.sets, s)
	}
	return problems, nil
}

func (d *desk) earlier(_ context.Context, hash string) (*def.Set, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.sets {
		if s.Hash() == hash {
			return s, nil
		}
	}
	return nil, reeve.E(reeve.NotFound, "earlier", "no set %s", hash)
}

func open(t *testing.T, upstream string) *desk {
	t.Helper()
	d := &desk{t: t, dir: filepath.Join(t.TempDir(), "body")}
	d.write("estate/systems.yaml", systems)
	d.write("organisations.yaml", organisations)
	if p, _ := d.reload(t.Context()); len(p) > 0 {
		t.Fatal(p)
	}
	d.Editor = edit.New(edit.Options{Dir: d.dir, Upstream: upstream, Registry: registry, Set: d.set, Earlier: d.earlier, Reload: d.reload,
		Now: func() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }})
	return d
}

func (d *desk) write(name, text string) {
	d.t.Helper()
	path := filepath.Join(d.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) read(name string) string {
	d.t.Helper()
	b, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(b)
}

// log is the subjects and authors of the commits, newest first.
func log(t *testing.T, dir, branch string) (out []string) {
	t.Helper()
	r, err := git.PlainOpen(dir)
	if err != nil {
		t.Fatal(err)
	}
	o := &git.LogOptions{}
	if branch != "" {
		ref, err := r.Reference(plumbing.NewBranchReferenceName(branch), true)
		if err != nil {
			t.Fatal(err)
		}
		o.From = ref.Hash()
	}
	it, err := r.Log(o)
	if err != nil {
		t.Fatal(err)
	}
	err = it.ForEach(func(c *object.Commit) error {
		subject, _, _ := strings.Cut(c.Message, "\n")
		out = append(out, fmt.Sprintf("%s <%s>: %s", c.Author.Name, c.Author.Email, subject))
		if c.Committer.Name != "Reeve" && c.Committer.Name != "By hand" {
			t.Errorf("the committer is %s", c.Committer.Name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// gitSays runs the real git, where there is one, to hold our commits against it.
func gitSays(t *testing.T, dir string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git is not installed")
	}
	cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=By hand", "-c", "user.email=hand@example.org"}, args...)...)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return string(out)
}

var mary = edit.Person{Name: "Mary Okafor", Email: "mary@ashcombe.example"}

func hosting(v string) edit.Change {
	return edit.Change{Kind: "System", ID: "sys-a", Set: map[string]any{"hosting": v}}
}

func TestAnEditIsACommitThatChangesOnlyItsBytes(t *testing.T) {
	d := open(t, "")
	out, err := d.Apply(t.Context(), mary, "Housing moves to our own cloud", d.set().Hash(), hosting("private-cloud"))
	if err != nil || len(out.Problems) > 0 || out.Commit == "" || out.Branch != "" {
		t.Fatalf("%+v %v", out, err)
	}
	if got, want := d.read("estate/systems.yaml"), strings.Replace(systems, "hosting: saas          #", "hosting: private-cloud          #", 1); got != want {
		t.Errorf("%s", got)
	}
	if got := log(t, d.dir, ""); len(got) != 2 || got[0] != "Mary Okafor <mary@ashcombe.example>: Housing moves to our own cloud" || !strings.HasPrefix(got[1], "Reeve ") {
		t.Errorf("%q", got)
	}
	if s, ok := def.Get[system.Spec](d.set(), "sys-a"); !ok || s.Spec.Hosting != "private-cloud" {
		t.Error("it is not in force")
	}
	if s := gitSays(t, d.dir, "status", "--porcelain"); s != "" {
		t.Errorf("git sees changes: %s", s)
	}
	gitSays(t, d.dir, "fsck", "--strict")
}

func TestWhatWouldNotLoadIsRefusedWithItsPlace(t *testing.T) {
	d := open(t, "")
	out, err := d.Apply(t.Context(), mary, "", "", edit.Change{Kind: "System", ID: "sys-a", Set: map[string]any{"hosting": "the moon", "organisation": "org-none"}})
	if err != nil || out.Commit != "" || len(out.Problems) != 2 {
		t.Fatalf("%+v %v", out, err)
	}
	for _, p := range out.Problems {
		if p.File != "estate/systems.yaml" || p.Line == 0 || p.Col == 0 {
			t.Errorf("%+v", p)
		}
	}
	if d.read("estate/systems.yaml") != systems {
		t.Error("the file changed")
	}
	if _, err := os.Stat(filepath.Join(d.dir, ".git")); err == nil {
		t.Error("a repository was made for nothing")
	}
}

func TestNewRenamedAndRemoved(t *testing.T) {
	d := open(t, "")
	apply := func(c edit.Change) {
		t.Helper()
		if out, err := d.Apply(t.Context(), mary, "", d.set().Hash(), c); err != nil || len(out.Problems) > 0 {
			t.Fatalf("%+v %v", out, err)
		}
	}
	apply(edit.Change{Kind: "System", ID: "sys-c", Name: "Parking", New: true, Set: map[string]any{"organisation": "org-a", "owner": "post-parking", "lifecycle": map[string]any{"phase": "live", "since": "2024-01-01"}}})
	if got := d.read("estate/systems.yaml"); !strings.HasPrefix(got, systems) || !strings.Contains(got, "metadata: {id: sys-c, name: Parking}\n") {
		t.Errorf("%s", got)
	}
	apply(edit.Change{Kind: "Capability", ID: "cap-parking", Name: "Parking", New: true})
	if got := d.read("estate/capabilitys.yaml"); !strings.Contains(got, "cap-parking") {
		t.Errorf("%s", got)
	}
	apply(edit.Change{Kind: "System", ID: "sys-a", Rename: "sys-homes"})
	if o, ok := d.set().Lookup("System", "sys-a"); !ok || o.ID != "sys-homes" {
		t.Error("the id it had is not known any more")
	}
	if got := d.read("estate/systems.yaml"); !strings.Contains(got, "metadata: {id: sys-homes, name: Housing, formerly: [sys-a]}   # the old one") {
		t.Errorf("%s", got)
	}
	apply(edit.Change{Kind: "System", ID: "sys-homes", Remove: true})
	apply(edit.Change{Kind: "System", ID: "sys-b", Remove: true})
	if got := d.read("estate/systems.yaml"); !strings.HasPrefix(got, "# The systems of Ashcombe.\n") || strings.Contains(got, "sys-b") || !strings.Contains(got, "sys-c") {
		t.Errorf("%s", got)
	}
	apply(edit.Change{Kind: "Capability", ID: "cap-parking", Remove: true})
	if _, err := os.Stat(filepath.Join(d.dir, "estate/capabilitys.yaml")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("an empty file was left")
	}
	if n := len(log(t, d.dir, "")); n != 7 {
		t.Errorf("%d commits", n)
	}
	if s := gitSays(t, d.dir, "status", "--porcelain"); s != "" {
		t.Errorf("git sees changes: %s", s)
	}
	d.write("estate/systems.yaml", systems)
	if p, _ := d.reload(t.Context()); len(p) > 0 {
		t.Fatal(p)
	}
	if out, err := d.Apply(t.Context(), mary, "", "", hosting("paas"), edit.Change{Kind: "System", ID: "sys-a", Name: "Homes"}, edit.Change{Kind: "System", ID: "sys-b", Set: map[string]any{"users": 5}}); err != nil || len(out.Problems) > 0 {
		t.Fatalf("%+v %v", out, err)
	}
	if got := d.read("estate/systems.yaml"); !strings.Contains(got, "name: Homes}   # the old") || !strings.Contains(got, "hosting: paas") || !strings.Contains(got, "users: 5}") {
		t.Errorf("several changes at once: %s", got)
	}
	out, err := d.Apply(t.Context(), mary, "", "", edit.Change{Kind: "Organisation", ID: "org-a", Remove: true})
	if err != nil || len(out.Problems) == 0 {
		t.Errorf("what others refer to was removed: %+v %v", out, err)
	}
}

func TestSomebodyElseWasFaster(t *testing.T) {
	d := open(t, "")
	base := d.set().Hash()
	if _, err := d.Apply(t.Context(), edit.Person{Name: "Sam"}, "", base, hosting("paas")); err != nil {
		t.Fatal(err)
	}
	_, err := d.Apply(t.Context(), mary, "", base, hosting("on-premise"))
	var clash *edit.Clash
	if reeve.KindOf(err) != reeve.Conflict || !errors.As(err, &clash) || !strings.Contains(clash.Then, "hosting: saas") || !strings.Contains(clash.Now, "hosting: paas") {
		t.Fatalf("%v %+v", err, clash)
	}
	if !strings.Contains(d.read("estate/systems.yaml"), "hosting: paas ") {
		t.Error("a change was overwritten")
	}
	out, err := d.Apply(t.Context(), mary, "", base, edit.Change{Kind: "System", ID: "sys-b", Name: "Planning and building"})
	if err != nil || out.Commit == "" {
		t.Errorf("another definition may be changed: %+v %v", out, err)
	}
}

func TestManyEditorsAtOnceLoseNothing(t *testing.T) {
	d := open(t, "")
	var wait sync.WaitGroup
	var mu sync.Mutex
	done, clashes := 0, 0
	base := d.set().Hash()
	for i := range 12 {
		wait.Go(func() {
			c := edit.Change{Kind: "Capability", ID: fmt.Sprintf("cap-%d", i), Name: "One", New: true}
			if i%3 == 0 {
				c = edit.Change{Kind: "System", ID: "sys-b", Name: fmt.Sprintf("Name %d", i)}
			}
			out, err := d.Apply(t.Context(), mary, "", base, c)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && out.Commit != "":
				done++
			case reeve.KindOf(err) == reeve.Conflict:
				clashes++
			default:
				t.Errorf("%+v %v", out, err)
			}
		})
	}
	wait.Wait()
	if done != 9 || clashes != 3 {
		t.Errorf("%d done, %d clashes", done, clashes)
	}
	if n := len(log(t, d.dir, "")); n != 10 {
		t.Errorf("%d commits", n)
	}
	if s := gitSays(t, d.dir, "status", "--porcelain"); s != "" {
		t.Errorf("git sees changes: %s", s)
	}
}

func TestWhatWasDoneByHandIsNeitherLostNorMixedIn(t *testing.T) {
	d := open(t, "")
	gitSays(t, d.dir, "init", "-q", "-b", "main")
	gitSays(t, d.dir, "add", ".")
	gitSays(t, d.dir, "commit", "-q", "-m", "Begin")
	d.write("estate/systems.yaml", strings.Replace(systems, "Planning}", "Planning by hand}", 1))
	d.write("organisations.yaml", organisations+"# a thought\n")
	d.write("notes.txt", "staged by hand")
	gitSays(t, d.dir, "add", "notes.txt")
	if out, err := d.Apply(t.Context(), mary, "Paas now", "", hosting("paas")); err != nil || len(out.Problems) > 0 {
		t.Fatalf("%+v %v", out, err)
	}
	got := log(t, d.dir, "")
	if len(got) != 3 || got[0] != "Mary Okafor <mary@ashcombe.example>: Paas now" || got[1] != "Reeve <reeve@localhost>: Changes made in the folder" {
		t.Errorf("%q", got)
	}
	if diff := gitSays(t, d.dir, "show", "--stat", "--format=", "HEAD"); strings.Contains(diff, "organisations") || strings.Contains(diff, "notes") || !strings.Contains(diff, "2 +-") {
		t.Errorf("%s", diff)
	}
	if diff := gitSays(t, d.dir, "show", "HEAD~1"); !strings.Contains(diff, "+metadata: {id: sys-b, name: Planning by hand}") || strings.Contains(diff, "paas") {
		t.Errorf("%s", diff)
	}
	if s := gitSays(t, d.dir, "status", "--porcelain"); s != "A  notes.txt\n M organisations.yaml\n" {
		t.Errorf("%q", s)
	}
}

// TestACrashBetweenWriteAndCommit leaves the file written and the branch behind,
// as a power cut there does.
func TestACrashBetweenWriteAndCommit(t *testing.T) {
	d := open(t, "")
	if _, err := d.Apply(t.Context(), mary, "", "", hosting("paas")); err != nil {
		t.Fatal(err)
	}
	gitSays(t, d.dir, "update-ref", "refs/heads/main", "HEAD~1")
	d.write("estate/.systems.yaml.new", "half a file")
	if _, err := d.Apply(t.Context(), mary, "Named", "", edit.Change{Kind: "System", ID: "sys-b", Name: "P"}); err != nil {
		t.Fatal(err)
	}
	if got := d.read("estate/systems.yaml"); !strings.Contains(got, "hosting: paas") || !strings.Contains(got, "name: P}") {
		t.Errorf("%s", got)
	}
	if got := log(t, d.dir, ""); len(got) != 3 || !strings.Contains(got[1], "Changes made in the folder") {
		t.Errorf("%q", got)
	}
	if s := gitSays(t, d.dir, "status", "--porcelain"); s != "" {
		t.Errorf("%q", s)
	}
}

func TestWhereThereIsAnUpstreamAnEditIsABranch(t *testing.T) {
	bare := filepath.Join(t.TempDir(), "upstream.git")
	gitSays(t, t.TempDir(), "init", "-q", "--bare", bare)
	d := open(t, bare)
	for n := 1; n <= 2; n++ {
		out, err := d.Apply(t.Context(), mary, "Paas", d.set().Hash(), hosting("paas"))
		if err != nil || out.Branch != fmt.Sprintf("propose/system-sys-a-%d", n) {
			t.Fatalf("%+v %v", out, err)
		}
		if got := log(t, bare, out.Branch); len(got) != 2 || got[0] != "Mary Okafor <mary@ashcombe.example>: Paas" {
			t.Errorf("%q", got)
		}
	}
	if d.read("estate/systems.yaml") != systems {
		t.Error("a proposal is in force")
	}
	if s := gitSays(t, d.dir, "status", "--porcelain"); s != "" {
		t.Errorf("git sees changes: %s", s)
	}
	d.write("estate/systems.yaml", systems+"# by hand\n")
	if _, err := d.Apply(t.Context(), mary, "", "", hosting("paas")); reeve.KindOf(err) != reeve.Conflict {
		t.Errorf("what was not committed was proposed: %v", err)
	}
	d.write("estate/systems.yaml", systems)
	lost := open(t, filepath.Join(t.TempDir(), "nothing.git"))
	if out, err := lost.Apply(t.Context(), mary, "", "", hosting("paas")); reeve.KindOf(err) != reeve.Transient || out.Branch != "" {
		t.Errorf("%+v %v", out, err)
	}
}

// TestWhatOpensTheUpstreamIsNotTold: an address may hold a token, as a password or
// as a name; an error that people see holds neither.
func TestWhatOpensTheUpstreamIsNotTold(t *testing.T) {
	for _, at := range []string{"http://tok-secret@127.0.0.1:1/x.git", "http://jo:tok-secret@127.0.0.1:1/x.git", "http://127.0.0.1:1/x.git?private_token=tok-secret"} {
		d := open(t, at)
		_, err := d.Apply(t.Context(), mary, "", "", hosting("paas"))
		if err == nil || strings.Contains(err.Error()+reeve.Message(err), "tok-secret") {
			t.Errorf("%s: %v", at, err)
		}
	}
}

func TestDefinitionsInAFolderOfARepository(t *testing.T) {
	d := open(t, "")
	top := filepath.Dir(d.dir)
	os.WriteFile(filepath.Join(top, "README"), []byte("x"), 0o644)
	gitSays(t, top, "init", "-q", "-b", "trunk")
	gitSays(t, top, "add", ".")
	gitSays(t, top, "commit", "-q", "-m", "Begin")
	if _, err := d.Apply(t.Context(), mary, "", "", hosting("paas")); err != nil {
		t.Fatal(err)
	}
	if s := gitSays(t, top, "status", "--porcelain"); s != "" {
		t.Errorf("%q", s)
	}
	if s := gitSays(t, top, "ls-files"); s != "README\nbody/estate/systems.yaml\nbody/organisations.yaml\n" {
		t.Errorf("%q", s)
	}
	h, err := d.History(t.Context(), "System", "sys-a", 10)
	if err != nil || len(h) != 2 || h[0].Author != mary.Name || !strings.Contains(h[0].Before, "saas") || !strings.Contains(h[0].After, "paas") || h[1].Before != "" {
		t.Errorf("%+v %v", h, err)
	}
}

func TestHistoryIsOfTheDefinitionAlone(t *testing.T) {
	d := open(t, "")
	for i, c := range []edit.Change{hosting("paas"), {Kind: "System", ID: "sys-b", Name: "Other"}, {Kind: "System", ID: "sys-a", Rename: "sys-h"}, {Kind: "System", ID: "sys-b", Name: "Another"}} {
		if out, err := d.Apply(t.Context(), mary, fmt.Sprint("change ", i), "", c); err != nil || len(out.Problems) > 0 {
			t.Fatalf("%+v %v", out, err)
		}
	}
	h, err := d.History(t.Context(), "System", "sys-h", 10)
	if err != nil || len(h) != 3 || h[0].Message != "change 2" || h[1].Message != "change 0" || h[2].Author != "Reeve" {
		t.Errorf("%+v %v", h, err)
	}
}

func TestHostileChanges(t *testing.T) {
	d := open(t, "")
	outside := filepath.Join(filepath.Dir(d.dir), "outside.yaml")
	if err := os.Symlink(filepath.Dir(d.dir), filepath.Join(d.dir, "link")); err != nil {
		t.Skip(err)
	}
	os.WriteFile(outside, []byte(organisations), 0o644)
	os.Symlink(outside, filepath.Join(d.dir, "away.yaml"))
	for _, file := range []string{"../outside.yaml", "/etc/x.yaml", "a/../../x.yaml", ".git/config.yaml", "estate/.x.yaml", "x.json", "x", "", "link/outside.yaml", "link/new.yaml", "away.yaml", "a\nb.yaml", "a\x00.yaml", "a//b.yaml", strings.Repeat("a/", 200) + "b.yaml"} {
		c := edit.Change{Kind: "Capability", ID: "cap-x", New: true, File: file}
		if file == "" {
			c.File = "x.YAML"
		}
		if out, err := d.Apply(t.Context(), mary, "", "", c); err == nil && len(out.Problems) == 0 {
			t.Errorf("%q was written", file)
		}
	}
	if b, _ := os.ReadFile(outside); string(b) != organisations {
		t.Error("a file outside the folder was changed")
	}
	os.Remove(filepath.Join(d.dir, "link"))
	os.Remove(filepath.Join(d.dir, "away.yaml"))
	for _, id := range []string{"a\nb", "a\nkind: Organisation", "", "a b", "../x", "a'b", "a: b", "#", strings.Repeat("x", 200), "\x00", "é"} {
		out, err := d.Apply(t.Context(), mary, "", "", edit.Change{Kind: "Capability", ID: id, New: true})
		if err == nil && len(out.Problems) == 0 {
			t.Errorf("the id %q was written", id)
		}
	}
	for _, v := range []string{"x\n---\napiVersion: reeve/v1\nkind: Organisation\nmetadata: {id: org-evil}\nspec: {type: council}\n", "a: b", "- a", "{", "\"", "'", "&a", "*a", "!!int 5", "# no comment", "\u2028", "yes", "0x1F", "a\tb", "...", "\\", "\ufeff", strings.Repeat("y ", 500_000)} {
		out, err := d.Apply(t.Context(), mary, v, "", edit.Change{Kind: "System", ID: "sys-a", Set: map[string]any{"description": v}})
		if err != nil || len(out.Problems) > 0 {
			t.Errorf("%.20q: %v %v", v, err, out.Problems)
			continue
		}
		o, _ := d.set().Lookup("System", "sys-a")
		if got := o.Value()["spec"].(map[string]any)["description"]; got != v {
			t.Errorf("%.40q became %.40q", v, got)
		}
		if _, evil := d.set().Lookup("Organisation", "org-evil"); evil {
			t.Fatal("a value became a definition")
		}
	}
	if out, err := d.Apply(t.Context(), mary, "", "", edit.Change{Kind: "System", ID: "sys-a", Set: map[string]any{"description": strings.Repeat("y", 5<<20)}}); err == nil && len(out.Problems) == 0 {
		t.Error("five megabytes were written")
	}
	if _, err := d.Apply(t.Context(), edit.Person{Name: "A\nEvil <x@y>\n", Email: "a>\nparent 0"}, "\x1b[2Jhello", "", hosting("paas")); err != nil {
		t.Fatal(err)
	}
	if got := log(t, d.dir, "")[0]; got != "A Evil  x@y <a  parent 0>: [2Jhello" {
		t.Errorf("%q", got)
	}
	gitSays(t, d.dir, "fsck", "--strict")
}

func TestBuiltInDefinitionsAreReadOnly(t *testing.T) {
	e := edit.New(edit.Options{Registry: registry})
	if e.ReadOnly() == "" {
		t.Error("it does not say so")
	}
	if _, err := e.Apply(t.Context(), mary, "", "", hosting("paas")); reeve.KindOf(err) != reeve.Conflict || !strings.Contains(err.Error(), "read only") {
		t.Error(err)
	}
}

func TestWholeFilesStayInTheFolder(t *testing.T) {
	d := open(t, "")
	for _, name := range []string{".git/config", ".git/hooks/pre-commit", "../x.yaml", "/x.yaml", "a/.b/c.yaml", ".x.yaml", ""} {
		if out, err := d.Write(t.Context(), mary, "", "import", nil, map[string][]byte{name: []byte("x")}); reeve.KindOf(err) != reeve.Invalid {
			t.Errorf("%q: %+v %v", name, out, err)
		}
	}
	old := map[string][]byte{"organisations.yaml": []byte(organisations)}
	if out, err := d.Write(t.Context(), mary, "Imported", "import", old, map[string][]byte{"organisations.yaml": []byte(organisations + "# more\n"), "imported/names.yaml": []byte("# none\n")}); err != nil || out.Commit == "" {
		t.Fatalf("%+v %v", out, err)
	}
	if _, err := d.Write(t.Context(), mary, "Again", "import", old, map[string][]byte{"organisations.yaml": []byte(organisations + "# other\n")}); reeve.KindOf(err) != reeve.Conflict {
		t.Errorf("what was changed since was overwritten: %v", err)
	}
	if s := gitSays(t, d.dir, "status", "--porcelain"); s != "" {
		t.Errorf("git sees changes: %s", s)
	}
}

// Files that belong to a definition change in the same commit: its map, its examples.
// They stay in the folder, and what somebody else did to one of them is not lost.
func TestFilesBesideADefinition(t *testing.T) {
	d := open(t, "")
	d.write("a.blobl", "root = this\n")
	if p, _ := d.reload(t.Context()); len(p) > 0 {
		t.Fatal(p)
	}
	base := d.set().Hash()
	change := func(files map[string][]byte, set map[string]any) edit.Change {
		return edit.Change{Kind: "System", ID: "sys-a", Set: set, Beside: files}
	}
	out, err := d.Apply(t.Context(), edit.Person{Name: "Jo", Email: "jo@example.org"}, "Both", base,
		change(map[string][]byte{"a.blobl": []byte("root = this.a\n"), "examples/x/one.json": []byte("{}\n")}, map[string]any{"hosting": "on-premise"}))
	if err != nil || out.Commit == "" {
		t.Fatal(out, err)
	}
	if d.read("a.blobl") != "root = this.a\n" || d.read("examples/x/one.json") != "{}\n" || !strings.Contains(d.read("estate/systems.yaml"), "hosting: on-premise          # since 2021") {
		t.Error(d.read("estate/systems.yaml"))
	}
	if log := log(t, d.dir, ""); !strings.Contains(log[0], "Both") {
		t.Error(log)
	}
	// Whoever looked before is told.
	_, err = d.Apply(t.Context(), edit.Person{Name: "Al"}, "Mine", base, change(map[string][]byte{"a.blobl": []byte("root = this.b\n")}, nil))
	var clash *edit.Clash
	if !errors.As(err, &clash) || d.read("a.blobl") != "root = this.a\n" {
		t.Error(err)
	}
	for _, name := range []string{"../a.blobl", "/etc/a.json", ".git/config.json", "a/.b/c.json", "systems.yaml", "a.sh", "a\x00.json", strings.Repeat("a", 300) + ".json"} {
		if _, err := d.Preview(t.Context(), "", change(map[string][]byte{name: []byte("x")}, nil)); reeve.KindOf(err) != reeve.Invalid {
			t.Errorf("%q: %v", name, err)
		}
	}
}
