package standing_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/standing"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
)

// TestChooseAndPage asks for the library on an estate of many assets: no page
// shows them all, only an architect may choose, and choosing copies the standard.
func TestChooseAndPage(t *testing.T) {
	s := estatetest.Large.Over(20).Snapshot(t)
	p, err := policy.New(
		policy.Rule{Name: "read", Actions: []string{register.Read}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal, Doc: "staff"},
		policy.Rule{Name: "edit", Actions: []string{standing.Edit}, Kinds: []reeve.ActorKind{reeve.Staff}, Roles: []string{"architect"}, Max: reeve.Internal, Doc: "architects"})
	if err != nil {
		t.Fatal(err)
	}
	mux := web.New(web.Options{Policy: p, Now: func() time.Time { return estatetest.Today }, Log: slog.New(slog.DiscardHandler), Body: "The Borough"})
	mux.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		return reeve.Actor{ID: "staff/3", Kind: reeve.Staff, Roles: []string{r.Header.Get("Role")}, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, true, nil
	})
	var made []edit.Change
	(&standing.Desk{Desk: register.Desk{Mux: mux, At: func(context.Context, def.Date) (*register.Snapshot, error) { return s, nil }},
		Edit: func(_ context.Context, _ string, changes ...edit.Change) (edit.Outcome, error) {
			made = append(made, changes...)
			return edit.Outcome{Commit: "c"}, nil
		}}).Mount(mux)
	server := httptest.NewServer(mux)
	defer server.Close()
	ask := func(method, path, role string) (int, string) {
		req, err := http.NewRequest(method, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Role", role)
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(b)
	}
	code, body := ask("GET", "/staff/estate/standards/library/AST-01", "")
	if rows := strings.Count(body, `<th scope="row"`); code != 200 || rows != 25 || !strings.Contains(body, "page=2") {
		t.Errorf("%d: %d rows", code, rows)
	}
	if code, body := ask("GET", "/staff/estate/standards", ""); code != 200 || strings.Count(body, "/library/") < 52 {
		t.Errorf("%d: %d of the library", code, strings.Count(body, "/library/"))
	}
	if code, _ := ask("POST", "/staff/estate/standards/library/AST-01/choose", "caseworker"); code != 403 || len(made) > 0 {
		t.Errorf("somebody else chose: %d", code)
	}
	code, _ = ask("POST", "/staff/estate/standards/library/AST-01/choose", "architect")
	if code != 303 || len(made) != 1 || !made[0].New || made[0].Kind != "Standard" || made[0].Set["spec.severity"] != "must" || fmt.Sprint(made[0].Set["metadata.labels"]) != "map[code:AST-01]" {
		t.Errorf("%d: %+v", code, made)
	}
	for _, path := range []string{"/staff/estate/standards/std-none", "/staff/estate/standards/library/XYZ-01"} {
		if code, _ := ask("GET", path, ""); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
	if !slices.Contains([]int{403, 404}, func() int { c, _ := ask("POST", "/staff/estate/standards/std-none/drop", "caseworker"); return c }()) {
		t.Error("somebody else dropped")
	}
}
