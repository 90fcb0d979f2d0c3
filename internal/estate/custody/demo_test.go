package custody_test

import (
	"bytes"
	"context"
	"fmt"
	"html"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/custody"
	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/importer"
	"github.com/reeve-civic/reeve/internal/estate/importer/lists"
	"github.com/reeve-civic/reeve/internal/estate/inventory"
	"github.com/reeve-civic/reeve/internal/estate/owner"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/estate/risk"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

var day = time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)

const root = "../../../demo/"

// house is the demo's estate with the pages about what it has.
type house struct {
	t     testing.TB
	srv   *httptest.Server
	mux   *web.Mux
	inv   *inventory.Store
	model *register.Model
	cases []string
	fail  error // of opening a case
}

func (h *house) at(ctx context.Context, on def.Date) (*register.Snapshot, error) {
	inv, err := h.inv.Now(ctx)
	if err != nil {
		return nil, err
	}
	s := register.New(register.Parts{Model: h.model, Inventory: inv, At: day, Past: !on.IsZero()})
	for _, fill := range []func(*register.Snapshot){register.Fill, risk.Fill, custody.Fill, owner.Fill} {
		fill(s)
	}
	return s, nil
}

// take imports a list of the demo.
func (h *house) take(name string, settings map[string]string) inventory.Changes {
	h.t.Helper()
	b, err := os.ReadFile(root + "data/estate/" + name)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, s := range lists.Sources() {
		if !s.Detect(b[:min(4096, len(b))], name) {
			continue
		}
		r, err := s.Read(h.t.Context(), importer.Input{Name: name, Reader: bytes.NewReader(b), Settings: settings})
		if err != nil {
			h.t.Fatal(err)
		}
		if r.Failed > 0 || len(r.Problems) > 0 {
			h.t.Errorf("%s: %v", name, r.Problems[0])
		}
		c, err := h.inv.Import(h.t.Context(), "staff/1", r.List, r.Items)
		if err != nil {
			h.t.Fatal(err)
		}
		return c
	}
	h.t.Fatalf("%s was not recognised", name)
	return inventory.Changes{}
}

func open(t testing.TB, imports bool) *house {
	t.Helper()
	set, problems := def.Load(subset(t), def.NewRegistry(estatetest.Kinds()...))
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	h := &house{t: t}
	if h.model, problems = register.Compile(set); len(problems) > 0 {
		t.Fatal(problems[0])
	}
	now := func() time.Time { return day }
	db := storetest.Open(t, now)
	keys, err := seal.Open(t.Context(), db, bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	jrn, err := journal.Open(t.Context(), db, journal.Options{Key: keys.Derive("journal")})
	if err != nil {
		t.Fatal(err)
	}
	if h.inv, err = inventory.Open(t.Context(), db, keys, jrn); err != nil {
		t.Fatal(err)
	}
	if imports {
		for _, name := range []string{"people.csv", "devices.csv", "register.csv", "seats.csv", "software.csv", "known_exploited_vulnerabilities.json", "endoflife.json", "evidence.csv"} {
			h.take(name, nil)
		}
	}
	p, err := policy.New(
		policy.Rule{Name: "staff", Actions: []string{register.Read, custody.Report}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal, Doc: "staff"},
		policy.Rule{Name: "architect", Actions: []string{custody.Change, custody.Holders}, Kinds: []reeve.ActorKind{reeve.Staff}, Roles: []string{"architect"}, Max: reeve.Internal, Doc: "architects"})
	if err != nil {
		t.Fatal(err)
	}
	h.mux = web.New(web.Options{Policy: p, Now: now, Log: slog.New(slog.DiscardHandler), Body: "Ashcombe Borough Council"})
	h.mux.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		c, err := r.Cookie("who")
		if err != nil {
			return reeve.Actor{}, false, nil
		}
		return reeve.Actor{ID: "staff/3", Kind: reeve.Staff, Roles: []string{c.Value}, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, true, nil
	})
	desk := register.Desk{Mux: h.mux, At: h.at}
	(&risk.Desk{Desk: desk, Inventory: h.inv}).Mount(h.mux)
	(&owner.Desk{Desk: desk}).Mount(h.mux)
	(&custody.Desk{Desk: desk, Inventory: h.inv, Lost: func(_ *store.Tx, by string, a inventory.Asset, stolen bool, note string) (string, error) {
		h.cases = append(h.cases, fmt.Sprint(by, " ", a.ID, " ", stolen, " ", note))
		return "case/1", h.fail
	}}).Mount(h.mux)
	h.srv = httptest.NewServer(h.mux)
	t.Cleanup(h.srv.Close)
	return h
}

// subset is the demo's definitions without those of other blocks.
func subset(t testing.TB) fs.FS {
	t.Helper()
	out := map[string]bool{}
	for _, pattern := range []string{"organisations.yaml", "capabilities.yaml", "contracts.yaml", "systems/*.yaml", "estate/components.yaml", "estate/sites.yaml"} {
		names, err := fs.Glob(os.DirFS(root+"body"), pattern)
		if err != nil || len(names) == 0 {
			t.Fatal(pattern, err)
		}
		for _, n := range names {
			out[n] = true
		}
	}
	return only{os.DirFS(root + "body").(fs.ReadDirFS), out}
}

// only shows some files of a folder.
type only struct {
	fs.ReadDirFS
	names map[string]bool
}

func (o only) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := o.ReadDirFS.ReadDir(name)
	var out []fs.DirEntry
	for _, e := range all {
		path := strings.TrimPrefix(name+"/"+e.Name(), "./")
		if o.names[path] || e.IsDir() && (path == "systems" || path == "estate") {
			out = append(out, e)
		}
	}
	return out, err
}

func (h *house) do(method, path, role string, form url.Values) (int, string) {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.srv.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		h.t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req.AddCookie(&http.Cookie{Name: "who", Value: role})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	text := html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(string(b), " "))
	return res.StatusCode, strings.Join(strings.Fields(text), " ")
}

func (h *house) get(path, role string, want ...string) string {
	h.t.Helper()
	status, text := h.do("GET", path, role, nil)
	if status != 200 {
		h.t.Errorf("%s: %d %s", path, status, text)
	}
	for _, w := range want {
		if no, ok := strings.CutPrefix(w, "!"); ok == strings.Contains(text, strings.TrimPrefix(w, "!")) {
			h.t.Errorf("%s: %q (not wanted: %t) in:\n%s", path, no, ok, text)
		}
	}
	return text
}

func (h *house) post(path, role string, want int, form url.Values) string {
	h.t.Helper()
	status, text := h.do("POST", path, role, form)
	if status != want {
		h.t.Errorf("%s %v: %d, not %d: %s", path, form, status, want, text)
	}
	return text
}

func (h *house) asset(tag string) inventory.Asset {
	h.t.Helper()
	inv, err := h.inv.Now(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	for _, a := range inv.Assets {
		if a.Tag == tag || a.ID == tag {
			return a
		}
	}
	h.t.Fatalf("there is no asset %s", tag)
	return inventory.Asset{}
}

func TestListsOfTheDemoAreRepeatable(t *testing.T) {
	h := open(t, true)
	inv, err := h.inv.Now(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(inv.Assets); n != 300 {
		t.Errorf("%d assets: the devices and the register do not join", n)
	}
	for _, name := range []string{"devices.csv", "register.csv", "people.csv", "endoflife.json"} {
		if c := h.take(name, nil); c.Added+c.Changed+c.Gone != 0 || c.Same == 0 {
			t.Errorf("%s again: %+v", name, c.Count)
		}
	}
}

func TestAssets(t *testing.T) {
	h := open(t, true)
	a := h.asset("ABC-00001")
	holder := a.Holder
	if holder == "" || a.OS == "" || a.Cost == 0 {
		t.Fatalf("%+v", a)
	}
	h.get("/staff/estate/assets", "architect", "300 assets", "Town Hall", "Dell")
	h.get("/staff/estate/assets?type=server", "architect", "4 assets of 300")
	h.get("/staff/estate/assets?state=stolen", "architect", "1 asset of 300")
	h.get("/staff/estate/assets?q="+a.Serial, "architect", "1 asset of 300")
	h.get("/staff/estate/assets?show=unseen", "architect", "days ago")
	h.get("/staff/estate/assets?show=nobody", "architect", "No longer there")
	page := "/staff/estate/assets/" + url.PathEscape(a.ID)
	person := ""
	inv, _ := h.inv.Now(t.Context())
	for _, p := range inv.People {
		if p.Email == holder {
			person = p.Name
		}
	}
	h.get(page, "architect", person, a.Serial, "Intune", "First seen", "It is lost")
	h.get(page, "caseworker", "Somebody", "!"+person, "!"+holder, "It is lost", "!What became of it?")
	if text := h.get("/staff/estate/assets?holder="+url.QueryEscape(holder), "caseworker"); !strings.Contains(text, "300 assets") {
		t.Error("the filter tells who has what")
	}

	// The steps of its life.
	h.post(page+"/state", "caseworker", 403, url.Values{"state": {"stock"}})
	h.post(page+"/state", "architect", 422, url.Values{"state": {"ordered"}})
	h.post(page+"/state", "architect", 422, url.Values{})
	h.post(page+"/state", "architect", 422, url.Values{"state": {"stolen"}}) // that is reported, and starts a case
	h.post(page+"/state", "architect", 303, url.Values{"state": {"repair"}, "site": {"site-depot"}})
	if a = h.asset(a.ID); a.State != "repair" || a.Site != "site-depot" || a.Holder != holder {
		t.Errorf("%+v", a)
	}
	h.take("register.csv", nil)
	if a = h.asset(a.ID); a.State != "repair" {
		t.Error("a list undid what a person said")
	}
	h.get(page, "architect", "Said here by staff/3", "State: in repair, before: in use")
	if status, _ := h.do("GET", "/staff/estate/assets/nothing-there", "architect", nil); status != 404 {
		t.Errorf("what is not there: %d", status)
	}
}

func TestLostInOneClick(t *testing.T) {
	h := open(t, true)
	page := "/staff/estate/assets/" + url.PathEscape(h.asset("ABC-00001").ID)
	h.fail = reeve.E(reeve.Conflict, "test", "no case could be opened")
	h.post(page+"/lost", "caseworker", 409, url.Values{"how": {"stolen"}})
	if a := h.asset("ABC-00001"); a.State == "stolen" {
		t.Fatal("it is stolen without a case")
	}
	h.fail, h.cases = nil, nil
	h.post(page+"/lost", "caseworker", 303, url.Values{"how": {"stolen"}, "note": {"on the train"}})
	a := h.asset("ABC-00001")
	if a.State != "stolen" || len(h.cases) != 1 || !strings.HasSuffix(h.cases[0], a.ID+" true on the train") {
		t.Errorf("%s, cases %q", a.State, h.cases)
	}
	h.post(page+"/lost", "caseworker", 409, url.Values{"how": {"lost"}})
	h.get(page, "caseworker", "Stolen", "!It is lost")

	// Two who report the same at once open one case.
	h.cases = nil
	other := "/staff/estate/assets/" + url.PathEscape(h.asset("ABC-00002").ID) + "/lost"
	answers := make(chan int)
	for range 6 {
		go func() {
			status, _ := h.do("POST", other, "caseworker", url.Values{"how": {"lost"}})
			answers <- status
		}()
	}
	seen := map[int]int{}
	for range 6 {
		seen[<-answers]++
	}
	if len(h.cases) != 1 || seen[303] != 1 || seen[409] != 5 {
		t.Errorf("%d cases, answers %v", len(h.cases), seen)
	}
}

func TestAttestation(t *testing.T) {
	h := open(t, true)
	owner := "post-revenues-manager"
	page := "/staff/estate/attest?owner=" + owner
	h.get(page, "caseworker", "Council tax", "4 of 4 to go through", "srv-revenues-db", "runs Council tax", "!held by")
	h.get(page, "architect", "5 of 5 to go through", "held by")
	form := url.Values{"kind": {"System"}, "id": {"sys-council-tax"}, "owner": {owner}, "answer": {"right"}}
	h.post("/staff/estate/attest", "caseworker", 303, form)
	form.Set("id", "sys-business-rates")
	form.Set("answer", "wrong")
	h.post("/staff/estate/attest", "caseworker", 422, form)
	form.Set("why", "It moved to the cloud in May")
	h.post("/staff/estate/attest", "caseworker", 303, form)
	form.Set("id", "sys-hr")
	h.post("/staff/estate/attest", "caseworker", 400, form)
	h.get(page, "caseworker", "2 of 4 to go through", "Right on 21 November 2026", "It moved to the cloud in May", "Something is wrong")
	s, err := h.at(t.Context(), def.Date{})
	if err != nil {
		t.Fatal(err)
	}
	systems := s.Tables.Of("System")
	if v, ok := systems.Fact(systems.Find("sys-council-tax"), "attestedAgeDays"); !ok || v != int64(0) {
		t.Errorf("attested %v days ago, known %t", v, ok)
	}
	for _, id := range []string{"sys-business-rates", "sys-hr"} {
		if v, ok := systems.Fact(systems.Find(id), "attestedAgeDays"); ok {
			t.Errorf("%s: attested %v days ago", id, v)
		}
	}
}

func TestFacts(t *testing.T) {
	for _, imported := range []bool{false, true} {
		s, err := open(t, imported).at(t.Context(), def.Date{})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []struct {
			kind, id, fact string
			value          any // nil: not known although lists were imported
		}{
			{"System", "sys-finance", "ownerActiveInDirectory", true},
			{"System", "sys-finance", "deputyActiveInDirectory", true},
			{"System", "sys-website", "ownerActiveInDirectory", false},
			{"System", "sys-committees", "deputyActiveInDirectory", nil},
			{"System", "sys-trees", "ownerActiveInDirectory", nil},
			{"System", "sys-scanning", "earliestComponentEolBeforeEnd", nil},
			{"System", "sys-eforms", "earliestComponentEolBeforeEnd", true},
			{"System", "sys-planning-back-office", "earliestComponentEolBeforeEnd", false},
			{"Component", "cmp-revenues-database", "daysToEol", int64(-130)},
			{"Component", "cmp-planning-database", "daysToEol", int64(1144)},
			{"Component", "cmp-scanning-engine", "daysToEol", nil},
			{"Component", "cmp-scanning-engine", "kevOpenPastDue", nil},
			{"Component", "cmp-registry-of-cases", "kevOpenPastDue", nil},
			{"Component", "cmp-revenues-database", "kevOpenPastDue", int64(1)},
			{"Component", "cmp-reeve-database", "kevOpenPastDue", int64(0)},
		} {
			table := s.Tables.Of(want.kind)
			v, ok := table.Fact(table.Find(want.id), want.fact)
			if !imported && ok {
				t.Errorf("%s of %s is %v although nothing was imported", want.fact, want.id, v)
			}
			if imported && v != want.value {
				t.Errorf("%s of %s is %v, not %v", want.fact, want.id, v, want.value)
			}
		}
		table := s.Tables.Of("Component")
		if v, _ := table.Fact(table.Find("cmp-revenues-database"), "reusedBySystems"); v != int64(3) {
			t.Errorf("reused by %v", v)
		}
	}
}

func TestRiskAndProducts(t *testing.T) {
	h := open(t, true)
	text := h.get("/staff/estate/risk", "architect", "products recognised", "Microsoft SQL Server 13.0.6300.2", "Out of support", "CVE-", "By system")
	recognised := regexp.MustCompile(`(\d+) of (\d+) names`).FindString(text)
	h.get("/staff/estate/risk?system=sys-intranet", "architect", "Risk of", "PHP", "!SQL Server")
	if status, _ := h.do("GET", "/staff/estate/products", "caseworker", nil); status != 403 {
		t.Errorf("a caseworker curates: %d", status)
	}
	h.get("/staff/estate/products", "architect", "PaperFlow Capture", "Citrix Workspace", "No list knows it")
	h.post("/staff/estate/products", "architect", 422, url.Values{"name": {"Drupal Core"}, "vendor": {"Drupal"}})
	h.post("/staff/estate/products", "architect", 422, url.Values{"name": {"Drupal Core"}, "vendor": {"Drupal"}, "choice": {"other"}, "cpe": {"drupal"}})
	h.post("/staff/estate/products", "architect", 303, url.Values{"name": {"Drupal Core"}, "vendor": {"Drupal"}, "choice": {"drupal:drupal|drupal"}})
	h.post("/staff/estate/products", "architect", 303, url.Values{"name": {"Citrix Workspace 2402"}, "vendor": {"Citrix Systems, Inc."}, "choice": {"none"}})
	h.get("/staff/estate/products", "architect", "!Citrix Workspace")
	h.take("software.csv", nil)
	h.get("/staff/estate/products", "architect", "!Citrix Workspace")
	if text := h.get("/staff/estate/risk", "architect"); strings.Contains(text, recognised) {
		t.Errorf("still %s", recognised)
	}
	// What was dealt with is not open any more.
	s, _ := h.at(t.Context(), def.Date{})
	i := risk.New(s).OfComponent("cmp-revenues-database")[0]
	form := url.Values{"product": {strings.Join([]string{i.Identity.CPE, i.Version, i.Places[0].Kind, i.Places[0].ID}, "|")}, "where": {"Component/cmp-revenues-database"}, "cve": {i.Threats[0].CVE}}
	h.post("/staff/estate/risk/done", "architect", 400, form)
	form.Set("how", "patched on 3 November")
	h.post("/staff/estate/risk/done", "architect", 303, form)
	h.post("/staff/estate/risk/done", "architect", 400, form) // it is not open there any more
	s, _ = h.at(t.Context(), def.Date{})
	table := s.Tables.Of("Component")
	if v, _ := table.Fact(table.Find("cmp-revenues-database"), "kevOpenPastDue"); v != int64(0) {
		t.Errorf("%v still open", v)
	}
}

func TestOwners(t *testing.T) {
	h := open(t, false)
	h.get("/staff/estate/owners", "caseworker", "Not known", "No directory was imported yet", "!No longer there")
	h.take("people.csv", nil)
	h.get("/staff/estate/owners", "caseworker", "Its owner is no longer there", "It has no owner")
	h.take("register.csv", nil)
	h.take("seats.csv", nil)
	h.get("/staff/estate/owners?who=post-web-manager", "caseworker", "No longer there", "Owns 1 thing", "If they leave")
	if status, _ := h.do("GET", "/staff/estate/owners?who=nobody-at-all", "caseworker", nil); status != 404 {
		t.Errorf("nobody has a page: %d", status)
	}
	h.get("/staff/estate/seats", "caseworker", "More given out than bought")
}

// TestLook looks at the pages in a browser.
func TestLook(t *testing.T) {
	h := open(t, true)
	b := webtest.Browser(t)
	a := h.asset("ABC-00001")
	who := []*http.Cookie{{Name: "who", Value: "architect"}}
	for name, path := range map[string]string{
		"assets": "/staff/estate/assets", "asset": "/staff/estate/assets/" + url.PathEscape(a.ID), "attest": "/staff/estate/attest?owner=post-revenues-manager", "seats": "/staff/estate/seats",
		"risk": "/staff/estate/risk", "products": "/staff/estate/products", "owners": "/staff/estate/owners", "owner": "/staff/estate/owners?who=post-web-manager",
	} {
		b.Check(t, "custody-"+name, webtest.Visit{URL: h.srv.URL + path, Cookies: who}, 200)
	}
}
