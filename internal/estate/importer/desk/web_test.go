package desk_test

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"io/fs"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/edit"
	"github.com/reeve-civic/reeve/internal/estate/importer/desk"
	"github.com/reeve-civic/reeve/internal/estate/importer/sources"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

var day = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

// body is a folder of definitions, an inventory, and the pages about them.
type body struct {
	folder   fstest.MapFS
	imported []inventory.Item
	times    int
	server   *httptest.Server
	now      time.Time
	denied   string
}

func start(t testing.TB) *body {
	t.Helper()
	b := &body{now: day, folder: fstest.MapFS{"ours.yaml": {Data: []byte("apiVersion: reeve/v1\nkind: System\nmetadata: {id: sys-till, name: Cash till}\nspec:\n  hosting: on-premise # ours\n")}}}
	p, err := policy.New(policy.Rule{Name: "import", Actions: []string{desk.Action, register.Read}, Kinds: []reeve.ActorKind{reeve.Staff}, Roles: []string{"architect"}, Max: reeve.Internal, Doc: "architects"})
	if err != nil {
		t.Fatal(err)
	}
	mux := web.New(web.Options{Policy: p, Now: func() time.Time { return b.now }, Log: slog.New(slog.DiscardHandler), Body: "Ashcombe Borough Council"})
	mux.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		c, err := r.Cookie("who")
		if err != nil {
			return reeve.Actor{}, false, nil
		}
		return reeve.Actor{ID: "staff/" + c.Value, Kind: reeve.Staff, Roles: []string{"architect"}, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, true, nil
	})
	reg := def.NewRegistry(estate.Kinds()...)
	set, problems := def.Load(b.folder, reg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	model, problems := register.Compile(set)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	changes := func(items []inventory.Item) (c inventory.Changes) {
		c.Added = len(items)
		for _, x := range items {
			c.Rows = append(c.Rows, inventory.Change{Type: inventory.TypeOf(x), Key: x.Key(), What: "added"})
		}
		return c
	}
	(&desk.Desk{
		Desk: register.Desk{Mux: mux, At: func(context.Context, def.Date) (*register.Snapshot, error) {
			return register.New(register.Parts{Model: model, Inventory: new(inventory.Inventory), At: b.now}), nil
		}},
		Dir: t.TempDir(), Sources: sources.All(), Registry: reg, Now: func() time.Time { return b.now },
		Folder: func() fs.FS { return b.folder }, ReadOnly: func() string { return b.denied },
		Write: func(_ context.Context, _, _ string, _, files map[string][]byte) (edit.Outcome, error) {
			for name, content := range files {
				b.folder[name] = &fstest.MapFile{Data: content}
			}
			return edit.Outcome{Commit: "abc"}, nil
		},
		Preview: func(_ context.Context, _ inventory.Import, items []inventory.Item) (inventory.Changes, error) {
			return changes(items), nil
		},
		Import: func(_ context.Context, _ string, _ inventory.Import, items []inventory.Item) (inventory.Changes, error) {
			b.imported = items
			b.times++
			return changes(items), nil
		},
		Imports: func(context.Context) ([]inventory.Done, error) {
			return []inventory.Done{{Type: "asset", At: day, Source: "Intune", File: "devices.csv", Count: inventory.Count{Added: 412}}}, nil
		},
	}).Mount(mux)
	b.server = httptest.NewServer(mux)
	t.Cleanup(b.server.Close)
	return b
}

// send makes a request as somebody, and answers the page as text and where it leads.
func (b *body) send(t testing.TB, who, method, path, kind string, content io.Reader) (status int, page, to string) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, path, content) // not over a network, where an early answer may be lost behind what is still being sent
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	req.AddCookie(&http.Cookie{Name: "who", Value: who})
	w := httptest.NewRecorder()
	b.server.Config.Handler.ServeHTTP(w, req)
	return w.Code, html.UnescapeString(w.Body.String()), w.Header().Get("Location")
}

func (b *body) upload(t testing.TB, source, name string, content []byte, settings ...string) (status int, page, to string) {
	t.Helper()
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	w, err := m.CreateFormFile("file", name)
	if err == nil {
		_, err = w.Write(content)
	}
	for i := 0; err == nil && i+1 < len(settings); i += 2 {
		err = m.WriteField("set-"+settings[i], settings[i+1])
	}
	if err == nil {
		err = m.WriteField("source", source)
	}
	if err != nil || m.Close() != nil {
		t.Fatal(err)
	}
	return b.send(t, "jo", "POST", "/staff/estate/import", m.FormDataContentType(), &form)
}

// post answers the form of a page, as it stands there, with some of its fields changed.
func (b *body) post(t testing.TB, at, page string, set url.Values) (int, string, string) {
	t.Helper()
	form := url.Values{}
	for _, m := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		form.Add(m[1], m[2])
	}
	for _, m := range regexp.MustCompile(`(?s)<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>`).FindAllStringSubmatch(page, -1) {
		chosen := regexp.MustCompile(`<option value="([^"]*)"[^>]*selected`).FindStringSubmatch(m[2])
		if chosen == nil {
			chosen = regexp.MustCompile(`<option value="([^"]*)"`).FindStringSubmatch(m[2])
		}
		form.Add(m[1], chosen[1])
	}
	for k, v := range set {
		form[k] = v
	}
	return b.send(t, "jo", "POST", at, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

const list = "Application,Owner,Hosting,Supplier,Colour\nCash till,Finance,SaaS,Acme Ltd,red\nLibraries,Libraries,on prem,,blue\n,nobody,,,\n"

// TestDefinitions chooses a file, corrects what a column means, decides a conflict
// and imports.
func TestDefinitions(t *testing.T) {
	b := start(t)
	status, page, at := b.upload(t, "auto", "apps.csv", []byte(list))
	if status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, page)
	}
	status, page, _ = b.send(t, "jo", "GET", at, "", nil)
	for _, want := range []string{"read as: List of systems", ">rows in the file<", ">could not be used<", "They hold 4 definitions", "There is no name, so no system was made",
		`column "Colour" was not understood`, "here on-premise; the file says saas", "Take what the file says", "Libraries", "Nothing has been changed yet"} {
		if !strings.Contains(page, want) {
			t.Errorf("%d: %q is not on the page", status, want)
		}
	}
	if status, _, _ := b.send(t, "ann", "GET", at, "", nil); status != http.StatusNotFound {
		t.Errorf("somebody else sees the file: %d", status)
	}
	fields := regexp.MustCompile(`name="field"`).FindAllString(page, -1)
	if len(fields) != 5 {
		t.Fatalf("%d columns", len(fields))
	}
	_, page, _ = b.post(t, at, page, url.Values{"do": {"look"}, "field": {"name", "name", "hosting", "supplier", "ignore"}})
	if !strings.Contains(page, `gives the field "name" to two columns`) {
		t.Error("two columns of one field are taken")
	}
	_, page, _ = b.post(t, at, page, url.Values{"do": {"look"}, "field": {"name", "owner", "hosting", "supplier", "description"}, "take": {"System/sys-till spec.hosting"}})
	if !strings.Contains(page, "description") || !strings.Contains(page, "checked") {
		t.Error("the corrected column is not shown")
	}
	// Somebody changes the definitions meanwhile: nothing is imported unseen.
	old := page
	b.folder["more.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: reeve/v1\nkind: Site\nmetadata: {id: site-a, name: A}\nspec: {}\n")}
	choice := url.Values{"do": {"import"}, "take": {"System/sys-till spec.hosting"}}
	status, page, _ = b.post(t, at, old, choice)
	if status != http.StatusUnprocessableEntity || !strings.Contains(page, "changed while you looked") || b.folder["estate/imported-systems.yaml"] != nil {
		t.Errorf("%d: imported unseen", status)
	}
	status, page, to := b.post(t, at, page, choice)
	if status != http.StatusSeeOther || to != "/staff/estate/import" {
		t.Fatalf("%d %s", status, page)
	}
	ours, theirs := string(b.folder["ours.yaml"].Data), string(b.folder["estate/imported-systems.yaml"].Data)
	if !strings.Contains(ours, "hosting: saas # ours") || !strings.Contains(ours, "description: red") || !strings.Contains(theirs, "sys-libraries") || b.folder["estate/imported-systems.mapping"] == nil {
		t.Errorf("%s\n%s", ours, theirs)
	}
	if status, _, _ = b.send(t, "jo", "GET", at, "", nil); status != http.StatusNotFound {
		t.Errorf("the file is still there: %d", status)
	}
	// The same file again changes nothing, and its columns are remembered.
	_, _, at = b.upload(t, "systems", "apps.csv", []byte(list))
	_, page, _ = b.send(t, "jo", "GET", at, "", nil)
	if !strings.Contains(page, "everything in the file is here already") || !strings.Contains(page, "as in the last import") {
		t.Error("the second import would change something")
	}
}

// TestUnsaidColumn asks which column is the name where no heading says so, and goes
// on with the answer.
func TestUnsaidColumn(t *testing.T) {
	b := start(t)
	_, _, at := b.upload(t, "systems", "apps.csv", []byte("What we call it,Hosting,In use since\nLibraries,SaaS,2011\n"))
	status, page, _ := b.send(t, "jo", "GET", at, "", nil)
	for _, want := range []string{"No column was recognised as the name of the system", "say which it is", "for example: Libraries", "Where it runs", `id="columns"`} {
		if !strings.Contains(page, want) {
			t.Errorf("%d: %q is not on the page", status, want)
		}
	}
	if status != http.StatusUnprocessableEntity || strings.Contains(page, "rows in the file") || strings.Contains(page, `value="import"`) {
		t.Errorf("%d: it can be imported, or counts what was not read", status)
	}
	status, page, _ = b.post(t, at, page, url.Values{"do": {"look"}, "field": {"name", "hosting", "since"}})
	if status != http.StatusOK || !strings.Contains(page, "names no day: 2011-01-01 was taken") || !strings.Contains(page, `value="import"`) {
		t.Errorf("%d %s", status, page)
	}
}

func TestList(t *testing.T) {
	b := start(t)
	_, _, at := b.upload(t, "people", "people.csv", []byte("Email,Display name,Account enabled\njo@example.gov.uk,Jo Bloggs,yes\n"), "source", "Entra")
	_, page, _ := b.send(t, "jo", "GET", at, "", nil)
	if !strings.Contains(page, "1 are new") {
		t.Fatal(page)
	}
	if status, _, _ := b.post(t, at, page, url.Values{"do": {"import"}}); status != http.StatusSeeOther || len(b.imported) != 1 {
		t.Errorf("%d, %d items", status, len(b.imported))
	}
}

// TestManyHandsOnOneFile answers the form of one upload many times at once, as a
// person does who presses twice: it is imported once.
func TestManyHandsOnOneFile(t *testing.T) {
	b := start(t)
	_, _, at := b.upload(t, "people", "people.csv", []byte("Email,Display name,Account enabled\njo@example.gov.uk,Jo Bloggs,yes\n"), "source", "Entra")
	_, page, _ := b.send(t, "jo", "GET", at, "", nil)
	done := make(chan int)
	for i := range 12 {
		go func() {
			do := "look"
			if i%3 == 2 {
				do = "import"
			}
			status, _, _ := b.post(t, at, page, url.Values{"do": {do}, "set-source": {fmt.Sprint("Entra ", i)}})
			done <- status
		}()
	}
	seen := map[int]int{}
	for range 12 {
		seen[<-done]++
	}
	if seen[http.StatusSeeOther] != 1 || b.times != 1 {
		t.Errorf("answers %v, imported %d times", seen, b.times)
	}
}

func TestRefusals(t *testing.T) {
	b := start(t)
	for name, c := range map[string]struct {
		source string
		data   []byte
		want   string
	}{
		"nothing":     {"auto", nil, "Choose a file"},
		"unknown":     {"auto", []byte("\x89PNG\r\n\x00\x00"), "it cannot be told what"},
		"too large":   {"auto", bytes.Repeat([]byte("a,b\n"), 17<<20), "larger than 64 MB"},
		"no such":     {"nonsense", []byte("a"), "no import called"},
		"no headings": {"systems", []byte("1,2\n3,4\n"), "no row of headings"},
		"entities":    {"archimate", []byte("<!DOCTYPE a [<!ENTITY b 'c'>]><model/>"), "declares a document type"},
	} {
		t.Run(name, func(t *testing.T) {
			status, page, at := b.upload(t, c.source, "x", c.data)
			if status == http.StatusSeeOther {
				status, page, _ = b.send(t, "jo", "GET", at, "", nil)
			}
			if status != http.StatusUnprocessableEntity || !strings.Contains(page, c.want) {
				t.Errorf("%d %s", status, page)
			}
		})
	}
	_, _, at := b.upload(t, "systems", "a.csv", []byte(list))
	b.now = day.Add(2 * time.Hour)
	if status, _, _ := b.send(t, "jo", "GET", at, "", nil); status != http.StatusNotFound {
		t.Errorf("the file is kept for too long: %d", status)
	}
	b.denied = "These definitions are read only."
	_, _, at = b.upload(t, "systems", "a.csv", []byte(list))
	if _, page, _ := b.send(t, "jo", "GET", at, "", nil); strings.Contains(page, `value="import"`) || !strings.Contains(page, "read only") {
		t.Error("definitions that are read only can be imported into")
	}
}

func TestPagesInABrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a browser")
	}
	b := start(t)
	c := webtest.Browser(t)
	real, err := os.ReadFile("../testdata/real/apis/catalogue.csv")
	if err != nil {
		t.Fatal(err)
	}
	_, _, first := b.upload(t, "auto", "apps.csv", []byte(list))
	_, _, second := b.upload(t, "systems", "catalogue.csv", real)
	who := []*http.Cookie{{Name: "who", Value: "jo"}}
	for name, path := range map[string]string{"import": "/staff/estate/import", "import-preview": first, "import-catalogue": second} {
		c.Check(t, name, webtest.Visit{URL: b.server.URL + path, Cookies: who}, http.StatusOK)
	}
}
