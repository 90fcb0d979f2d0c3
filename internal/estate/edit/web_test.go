package edit_test

import (
	"context"
	"html"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

const contracts = `apiVersion: reeve/v1
kind: SupplierContract
metadata: {id: con-a, name: Housing licence}
spec:
  supplier: org-b
  systems: [sys-a]
  term: {starts: 2020-01-01, ends: 2028-01-01, noticeDays: 90}
  cost:
  - {annual: 12000}
  - {annual: 500, tower: network}
`

var staff = &inventory.Inventory{People: []inventory.Person{
	{ID: "person-jo", Name: "Jo Reed", Active: true},
	{ID: "post-cio", Name: "Chief information officer", Active: true},
}}

// pages serves the pages of d.
func pages(t *testing.T, d *desk) *web.Mux {
	t.Helper()
	pol, err := policy.New(policy.Rule{Name: "staff", Actions: []string{"estate.*"}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal})
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC) }
	m := web.New(web.Options{Policy: pol, Now: now, Log: slog.New(slog.DiscardHandler), Body: "Ashcombe Borough Council"})
	m.Authenticate(func(*http.Request) (reeve.Actor, bool, error) {
		return reeve.Actor{ID: "staff/1", Kind: reeve.Staff, Assurance: reeve.Assurance{Identity: 2, Authentication: 2}}, true, nil
	})
	at := func(context.Context, def.Date) (*register.Snapshot, error) {
		return &register.Snapshot{Model: &register.Model{Set: d.set()}, At: now(), Inventory: staff, Directory: inventory.NewDirectory(staff)}, nil
	}
	(&edit.Desk{Desk: register.Desk{Mux: m, At: at}, Editor: d.Editor, Registry: registry,
		Who: func(context.Context, reeve.Actor) edit.Person { return mary },
		Effects: func(context.Context, *def.Set, *def.Set) ([]string, error) {
			return []string{"1 standard would newly fail: In the cloud."}, nil
		},
	}).Mount(m)
	return m
}

func visit(m *web.Mux, path string, form url.Values) (int, string, string) {
	req := httptest.NewRequest("GET", path, nil)
	if form != nil {
		req = httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	w := httptest.NewRecorder()
	m.ServeHTTP(w, req)
	return w.Code, w.Body.String(), w.Header().Get("Location")
}

var (
	inputTag  = regexp.MustCompile(`(?s)<input ([^>]*)>`)
	areaTag   = regexp.MustCompile(`(?s)<textarea ([^>]*)>(.*?)</textarea>`)
	selectTag = regexp.MustCompile(`(?s)<select ([^>]*)>(.*?)</select>`)
	chosen    = regexp.MustCompile(`<option value="([^"]*)"[^>]* selected`)
	attribute = regexp.MustCompile(`([a-z]+)="([^"]*)"`)
)

// filled is a page's form as a browser would send it.
func filled(page string) url.Values {
	attr := func(s, name string) string {
		for _, m := range attribute.FindAllStringSubmatch(s, -1) {
			if m[1] == name {
				return html.UnescapeString(m[2])
			}
		}
		return ""
	}
	v := url.Values{}
	for _, m := range inputTag.FindAllStringSubmatch(page, -1) {
		switch attr(m[1], "type") {
		case "checkbox", "radio":
			if !regexp.MustCompile(`\bchecked\b`).MatchString(m[1]) {
				continue
			}
		case "submit", "search":
			continue
		}
		if n := attr(m[1], "name"); n != "" {
			v.Add(n, attr(m[1], "value"))
		}
	}
	for _, m := range areaTag.FindAllStringSubmatch(page, -1) {
		v.Add(attr(m[1], "name"), strings.ReplaceAll(html.UnescapeString(m[2]), "\n", "\r\n"))
	}
	for _, m := range selectTag.FindAllStringSubmatch(page, -1) {
		if c := chosen.FindStringSubmatch(m[2]); c != nil {
			v.Add(attr(m[1], "name"), html.UnescapeString(c[1]))
		} else {
			v.Add(attr(m[1], "name"), "")
		}
	}
	return v
}

func withContracts(t *testing.T) *desk {
	d := open(t, "")
	d.write("contracts.yaml", contracts)
	d.write("organisations.yaml", organisations+"---\n"+strings.NewReplacer("org-a", "org-b", "Ashcombe", "Tern", "council", "supplier").Replace(organisations))
	if p, _ := d.reload(t.Context()); len(p) > 0 {
		t.Fatal(p)
	}
	return d
}

func TestAFormSentBackUnchangedChangesNothing(t *testing.T) {
	d := withContracts(t)
	m := pages(t, d)
	for _, at := range []string{"System/sys-a", "System/sys-b", "SupplierContract/con-a", "Organisation/org-a"} {
		code, page, _ := visit(m, "/staff/estate/edit/"+at, nil)
		form := filled(page)
		if code != 200 || len(form) < 4 {
			t.Fatalf("%s: %d %v", at, code, form)
		}
		form.Set("do", "preview")
		if code, page, _ := visit(m, "/staff/estate/edit/"+at, form); code != 422 || !strings.Contains(page, "Nothing would change") {
			t.Errorf("%s: %d\n%s", at, code, page[strings.Index(page, "<main"):])
		}
	}
}

func TestAnOwnerIsChosenFromTheDirectory(t *testing.T) {
	d := withContracts(t)
	m := pages(t, d)
	_, page, _ := visit(m, "/staff/estate/edit/System/sys-a", nil)
	if !strings.Contains(page, `list="refs-person"`) || !strings.Contains(page, `<option value="Jo Reed (person-jo)">`) {
		t.Error("people are not offered")
	}
	form := filled(page)
	form.Set("spec.owner", "jo reed")
	form.Set("spec.deputy", "Somebody else")
	form.Set("do", "preview")
	code, page, _ := visit(m, "/staff/estate/edit/System/sys-a", form)
	for _, want := range []string{"owner: person-jo", "deputy: Somebody else"} {
		if code != 200 || !strings.Contains(page, want) {
			t.Errorf("%d: %q is not on the page", code, want)
		}
	}
}

func TestPreviewAndSave(t *testing.T) {
	d := withContracts(t)
	m := pages(t, d)
	_, page, _ := visit(m, "/staff/estate/edit/SupplierContract/con-a", nil)
	form := filled(page)
	form.Set("spec.term.noticeDays", "180")
	form.Set("spec.cost[2].annual", "700")
	form.Set("do", "preview")
	code, page, _ := visit(m, "/staff/estate/edit/SupplierContract/con-a", form)
	for _, want := range []string{"Check your change", "noticeDays: 180", "annual: 700", "newly fail", "contracts.yaml"} {
		if code != 200 || !strings.Contains(page, want) {
			t.Errorf("%d: %q is not on the page", code, want)
		}
	}
	if d.read("contracts.yaml") != contracts {
		t.Error("a preview wrote")
	}
	form = filled(page)
	form.Set("message", "A longer notice")
	form.Set("do", "save")
	code, page, to := visit(m, "/staff/estate/edit/SupplierContract/con-a", form)
	if code != 303 || to != "/staff/estate/edit/SupplierContract/con-a" {
		t.Fatalf("%d %s %s", code, to, page)
	}
	if got, want := d.read("contracts.yaml"), strings.Replace(contracts, "noticeDays: 90", "noticeDays: 180", 1)+"  - {annual: 700}\n"; got != want {
		t.Errorf("%s", got)
	}
	if got := log(t, d.dir, ""); got[0] != "Mary Okafor <mary@ashcombe.example>: A longer notice" {
		t.Errorf("%q", got)
	}
	if code, page, _ := visit(m, "/staff/estate/history/SupplierContract/con-a", nil); code != 200 || !strings.Contains(page, "A longer notice") || !strings.Contains(page, "Mary Okafor") {
		t.Errorf("%d %s", code, page)
	}
	form.Set("spec.term.noticeDays", "200")
	code, page, _ = visit(m, "/staff/estate/edit/SupplierContract/con-a", form) // from a page that is old by now
	if code != 422 || !strings.Contains(page, "changed by somebody else") || !strings.Contains(page, "noticeDays: 180") {
		t.Errorf("%d", code)
	}
}

func TestHistoryOfADeviceIsForThoseWhoMayKnowWhoHasIt(t *testing.T) {
	d := open(t, "")
	d.write("assets.yaml", "apiVersion: reeve/v1\nkind: Asset\nmetadata: {id: ast-1, name: Laptop}\nspec: {type: laptop, holder: secret-name}\n")
	if p, _ := d.reload(t.Context()); len(p) > 0 {
		t.Fatal(p)
	}
	m := pages(t, d)
	if code, page, _ := visit(m, "/staff/estate/history/Asset/ast-1", nil); code != 403 || strings.Contains(page, "secret-name") {
		t.Errorf("%d %s", code, page)
	}
	if code, _, _ := visit(m, "/staff/estate/history/System/sys-a", nil); code != 200 {
		t.Error(code)
	}
}

func TestProblemsAreAtTheirFields(t *testing.T) {
	d := withContracts(t)
	m := pages(t, d)
	_, page, _ := visit(m, "/staff/estate/edit/System/sys-a", nil)
	form := filled(page)
	form.Set("spec.lifecycle.since", "last week")
	form.Set("spec.capabilities", "cap-none")
	form.Set("name", "Hello <script>alert(1)</script>")
	form.Set("do", "preview")
	code, page, _ := visit(m, "/staff/estate/edit/System/sys-a", form)
	for _, want := range []string{"There is a problem", `href="#f-spec-lifecycle-since"`, `id="f-spec-lifecycle-since"`, "must be a date that exists", `value="last week"`, "There is no Capability", "&lt;script&gt;"} {
		if code != 422 || !strings.Contains(page, want) && !strings.Contains(page, strings.ToLower(want[:1])+want[1:]) {
			t.Errorf("%d: %q is not on the page", code, want)
		}
	}
	if strings.Contains(page, "<script>alert") {
		t.Error("a name became a script")
	}
	form = filled(page)
	form.Set("spec.users", "many")
	form.Set("do", "save")
	if code, page, _ := visit(m, "/staff/estate/edit/System/sys-a", form); code != 422 || !strings.Contains(page, "Users must be a whole number") {
		t.Errorf("%d", code)
	}
}

func TestNewAsTextRenamedRemoved(t *testing.T) {
	d := withContracts(t)
	m := pages(t, d)
	_, page, _ := visit(m, "/staff/estate/new/Capability", nil)
	form := filled(page)
	form.Set("id", "cap-parking")
	form.Set("name", "Parking: on and off the street")
	form.Set("do", "save")
	if code, page, to := visit(m, "/staff/estate/new/Capability", form); code != 303 || to != "/staff/estate/edit/Capability/cap-parking" {
		t.Fatalf("%d %s %s", code, to, page)
	}
	_, page, _ = visit(m, "/staff/estate/edit/Capability/cap-parking?as=text", nil)
	form = filled(page)
	if !strings.Contains(form.Get("raw"), "name: \"Parking: on and off the street\"") {
		t.Fatalf("%q", form.Get("raw"))
	}
	raw := form.Get("raw")
	for _, bad := range []string{raw + "---\r\n" + raw, "", "a: [", strings.Replace(raw, "cap-parking", "cap parking", 1), "\x00"} {
		form.Set("raw", bad)
		form.Set("do", "save")
		if code, _, _ := visit(m, "/staff/estate/edit/Capability/cap-parking", form); code != 422 {
			t.Errorf("%q: %d", bad, code)
		}
	}
	form.Set("raw", raw+"# A comment.\r\n")
	if code, page, _ := visit(m, "/staff/estate/edit/Capability/cap-parking", form); code != 303 {
		t.Errorf("%d %s", code, page)
	}
	_, page, _ = visit(m, "/staff/estate/edit/Capability/cap-parking", nil)
	form = filled(page)
	form.Set("id", "cap-cars")
	form.Set("do", "save")
	if code, page, to := visit(m, "/staff/estate/edit/Capability/cap-parking", form); code != 303 || to != "/staff/estate/edit/Capability/cap-cars" {
		t.Errorf("%d %s %s", code, to, page)
	}
	_, page, _ = visit(m, "/staff/estate/edit/Capability/cap-cars?do=remove", nil)
	form = filled(page)
	form.Set("do", "save")
	if code, page, _ := visit(m, "/staff/estate/edit/Capability/cap-cars", form); code != 303 {
		t.Errorf("%d %s", code, page)
	}
	if o, ok := d.set().Lookup("Capability", "cap-cars"); ok {
		t.Errorf("%v is still there", o.ID)
	}
	_, page, _ = visit(m, "/staff/estate/edit/Organisation/org-b?do=remove", nil)
	form = filled(page)
	form.Set("do", "preview")
	if code, page, _ := visit(m, "/staff/estate/edit/Organisation/org-b", form); code != 422 || !strings.Contains(page, "there is no Organisation") && !strings.Contains(page, "There is no Organisation") {
		t.Errorf("what a contract names was removed: %d", code)
	}
	for _, path := range []string{"/staff/estate/edit/System/none", "/staff/estate/edit/None/x", "/staff/estate/new/None", "/staff/estate/history/System/none"} {
		if code, _, _ := visit(m, path, nil); code != 404 {
			t.Errorf("%s: %d", path, code)
		}
	}
}

func TestPagesInABrowser(t *testing.T) {
	d := withContracts(t)
	m := pages(t, d)
	if _, err := d.Apply(t.Context(), mary, "Housing moves to our own cloud", "", hosting("private-cloud")); err != nil {
		t.Fatal(err)
	}
	chrome := webtest.Browser(t)
	serve := http.NewServeMux()
	serve.Handle("/", m)
	serve.HandleFunc("GET /test/{n}", func(w http.ResponseWriter, r *http.Request) { // a form that was sent
		_, page, _ := visit(m, "/staff/estate/edit/SupplierContract/con-a", nil)
		form := filled(page)
		form.Set("spec.term.noticeDays", "180")
		form.Set("spec.cost[0].annual", "13000")
		if r.PathValue("n") == "2" {
			form.Set("spec.term.ends", "some day")
			form.Set("spec.cost[0].annual", "much")
		}
		form.Set("do", "preview")
		req := httptest.NewRequest("POST", "/staff/estate/edit/SupplierContract/con-a", strings.NewReader(form.Encode()))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		m.ServeHTTP(w, req)
	})
	srv := httptest.NewServer(serve)
	defer srv.Close()
	for name, v := range map[string]struct {
		path string
		want int64
	}{
		"edit-kinds": {"/staff/estate/edit?kind=System", 200}, "edit-system": {"/staff/estate/edit/System/sys-a", 200}, "edit-contract": {"/staff/estate/edit/SupplierContract/con-a", 200},
		"edit-text": {"/staff/estate/edit/System/sys-a?as=text", 200}, "edit-new": {"/staff/estate/new/Capability", 200}, "edit-remove": {"/staff/estate/edit/System/sys-a?do=remove", 200},
		"edit-history": {"/staff/estate/history/System/sys-a", 200}, "edit-preview": {"/test/1", 200}, "edit-problems": {"/test/2", 422},
	} {
		t.Run(name, func(t *testing.T) { chrome.Check(t, name, webtest.Visit{URL: srv.URL + v.path}, v.want) })
	}
}

func TestBuiltInDefinitionsSayTheyAreReadOnly(t *testing.T) {
	d := withContracts(t)
	d.Editor = edit.New(edit.Options{FS: os.DirFS(d.dir), Registry: registry, Set: d.set, Earlier: d.earlier})
	m := pages(t, d)
	for _, path := range []string{"/staff/estate/edit", "/staff/estate/edit/System/sys-a", "/staff/estate/history/System/sys-a"} {
		if code, page, _ := visit(m, path, nil); code != 200 || !strings.Contains(page, "read only") {
			t.Errorf("%s: %d", path, code)
		}
	}
	_, page, _ := visit(m, "/staff/estate/edit/System/sys-a", nil)
	form := filled(page)
	form.Set("name", "Homes")
	form.Set("do", "preview")
	if code, page, _ := visit(m, "/staff/estate/edit/System/sys-a", form); code != 200 || !strings.Contains(page, "name: Homes") || strings.Contains(page, `value="save"`) {
		t.Errorf("%d %s", code, page)
	}
	form.Set("do", "save")
	if code, page, _ := visit(m, "/staff/estate/edit/System/sys-a", form); code != 422 || !strings.Contains(page, "read only") {
		t.Errorf("%d", code)
	}
	if _, err := os.Stat(filepath.Join(d.dir, ".git")); err == nil {
		t.Error("a repository was made")
	}
}
