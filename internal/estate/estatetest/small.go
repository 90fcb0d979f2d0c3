package estatetest

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/asset"
	"github.com/reeve-civic/reeve/internal/estate/carbon"
	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/performance"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/roadmap"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// Small is an estate that a test writes down itself.
type Small struct {
	FS        fs.FS // definitions
	Inventory *inventory.Inventory
	Exchange  register.Declared
	Seen      *register.Observed
	Fill      []func(*register.Snapshot)
	At        time.Time // zero: [Today]
}

// Definitions is a folder of one file. Each document is a line of its kind, id,
// name and spec, separated by bars: "System | sys-a | A | {hosting: saas}".
func Definitions(lines string) fstest.MapFS {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSpace(lines), "\n") {
		if f := strings.SplitN(line, "|", 4); len(f) == 4 {
			b.WriteString("---\napiVersion: reeve/v1\nkind: " + strings.TrimSpace(f[0]) + "\nmetadata: {id: " + strings.TrimSpace(f[1]) + ", name: \"" + strings.TrimSpace(f[2]) + "\"}\nspec: " + strings.TrimSpace(f[3]) + "\n")
		}
	}
	return fstest.MapFS{"estate.yaml": {Data: []byte(b.String())}}
}

// Demo is the estate's part of the demo body, whose folder is at root.
func Demo(t testing.TB, root string) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	for _, pattern := range []string{"organisations.yaml", "capabilities.yaml", "contracts.yaml", "standards.yaml", "waivers.yaml", "systems/*.yaml", "estate/roadmap.yaml", "estate/objectives.yaml", "estate/budgets.yaml", "estate/measures.yaml"} {
		names, err := fs.Glob(os.DirFS(root), pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			data, err := os.ReadFile(filepath.Join(root, name))
			if err != nil {
				t.Fatal(err)
			}
			out[name] = &fstest.MapFile{Data: data}
		}
	}
	return out
}

// AllKinds are the kinds of definition of the whole estate.
func AllKinds() []def.Kind {
	return slices.Concat(Kinds(), []def.Kind{asset.Kind(), performance.Kind(), carbon.Kind()}, roadmap.Kinds(), gate.Kinds())
}

// Snapshot loads and judges the estate.
func (x Small) Snapshot(t testing.TB) *register.Snapshot {
	t.Helper()
	set, problems := def.Load(x.FS, def.NewRegistry(AllKinds()...))
	for _, p := range problems {
		t.Error(p)
	}
	if set == nil {
		t.FailNow()
	}
	s, err := x.Draft(t.Context(), set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Draft is the estate with another set of definitions.
func (x Small) Draft(ctx context.Context, set *def.Set) (*register.Snapshot, error) {
	m, problems := register.Compile(set)
	if len(problems) > 0 {
		return nil, reeve.E(reeve.Invalid, "estatetest.Draft", "%s", problems[0])
	}
	if x.At.IsZero() {
		x.At = Today
	}
	d := x.Exchange
	d.Flows, d.Interfaces = slices.Clone(d.Flows), slices.Clone(d.Interfaces)
	s := register.New(register.Parts{Model: m, Inventory: x.Inventory, Declared: d, Observed: x.Seen, At: x.At})
	return s, s.Judge(ctx, x.Fill...)
}

// Desk is a desk that shows s to staff, and to nobody else; mount rooms on its Mux.
func Desk(t testing.TB, s *register.Snapshot) register.Desk {
	t.Helper()
	p, err := policy.New(policy.Rule{Name: "estate", Actions: []string{register.Read}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal, Doc: "staff see the estate"})
	if err != nil {
		t.Fatal(err)
	}
	mux := web.New(web.Options{Policy: p, Now: func() time.Time { return s.At }, Body: "Ashcombe Borough Council", Log: slog.New(slog.DiscardHandler)})
	mux.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		c, err := r.Cookie("who")
		return reeve.Actor{ID: "staff/3", Kind: reeve.Staff, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, err == nil && c.Value == "architect", nil
	})
	return register.Desk{Mux: mux, At: func(context.Context, def.Date) (*register.Snapshot, error) { return s, nil }}
}

// Architect is the cookie of somebody who may see the desk's pages.
var Architect = &http.Cookie{Name: "who", Value: "architect"}

// Get reads a page as the architect.
func Get(t testing.TB, mux http.Handler, path string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.AddCookie(Architect)
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}
