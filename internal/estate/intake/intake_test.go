package intake_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate"
	"github.com/reeve-civic/reeve/internal/estate/gate"
	"github.com/reeve-civic/reeve/internal/estate/intake"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/bus"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/journal"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/seal"
	"github.com/reeve-civic/reeve/internal/kernel/store"
	"github.com/reeve-civic/reeve/internal/kernel/store/storetest"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

var start = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// house is the rooms of intake on a database, with the demo's estate and two boards.
type house struct {
	*testing.T
	now     time.Time
	set     *def.Set
	keeper  *gate.Keeper
	journal *journal.Journal
	dir     string
	site    *httptest.Server
}

const more = `
apiVersion: reeve/v1
kind: Board
metadata: {id: board-design, name: Technical design authority}
spec:
  decides: [gate/discovery, gate/design, gate/standards]
  meets: {every: 14d, minutes: 60}
  members: [{role: chief information officer, rate: 60}, {role: architect, person: post-architect, rate: 45}, {role: security officer, rate: 45}]
  secretary: Clerk@town.example
  targetDays: 10
---
apiVersion: reeve/v1
kind: IntakeRequest
metadata: {id: req-2026-001, name: Parking sensors}
spec:
  sponsor: org-digital
  kind: pilot
  capabilities: [cap-parking]
  answers: {personalData: false, sensors: true, annualCost: 40000}
  gate: {at: discovery, entered: 2026-06-01}
  review: streamlined
  pilot: {starts: 2026-06-01, ends: 2026-10-01}
---
apiVersion: reeve/v1
kind: IntakeRequest
metadata: {id: req-2025-009, name: "Homes to choose, again"}
spec:
  kind: buy
  systems: [sys-allocations]
  answers: {users: 30, annualCost: 20000}
  gate: {at: closed, entered: 2026-03-01}
  review: full
  decided: {outcome: approved, by: board-design, on: 2026-03-01, reason: It serves 900 households.}
`

func files(t testing.TB, more string) fstest.MapFS {
	t.Helper()
	const root = "../../../demo/body"
	out := fstest.MapFS{"more.yaml": {Data: []byte(more)}}
	for _, pattern := range []string{"organisations.yaml", "capabilities.yaml", "contracts.yaml", "standards.yaml", "systems/*.yaml"} {
		names, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			rel, err := filepath.Rel(root, name)
			if err != nil {
				t.Fatal(err)
			}
			out[rel] = &fstest.MapFile{Data: data}
		}
	}
	return out
}

func load(t testing.TB, fsys fstest.MapFS) *def.Set {
	t.Helper()
	set, problems := def.Load(fsys, def.NewRegistry(estate.Kinds()...))
	for _, p := range problems {
		t.Error(p)
	}
	if set == nil {
		t.FailNow()
	}
	return set
}

func open(t *testing.T, db *store.DB, h *house) {
	t.Helper()
	ctx := t.Context()
	h.T = t
	keys, err := seal.Open(ctx, db, make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	if h.journal, err = journal.Open(ctx, db, journal.Options{}); err != nil {
		t.Fatal(err)
	}
	events, err := bus.Open(ctx, db, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h.dir = t.TempDir()
	if h.keeper, err = gate.NewKeeper(ctx, gate.Options{DB: db, Keys: keys, Journal: h.journal, Bus: events, Zone: time.UTC, Dir: h.dir}); err != nil {
		t.Fatal(err)
	}
	all := []reeve.ActorKind{reeve.Staff}
	p, err := policy.New(
		policy.Rule{Name: "read", Actions: []string{"estate.read", "request.create"}, Kinds: all, Max: reeve.Internal},
		policy.Rule{Name: "decide", Actions: []string{"board.decide"}, Kinds: all, Roles: []string{"architect", "governance"}, Max: reeve.Internal})
	if err != nil {
		t.Fatal(err)
	}
	mux := web.New(web.Options{Policy: p, Now: func() time.Time { return h.now }, Log: slog.New(slog.DiscardHandler), Body: "Ashcombe Borough Council"})
	mux.Authenticate(func(r *http.Request) (reeve.Actor, bool, error) {
		c, err := r.Cookie("who")
		if err != nil {
			return reeve.Actor{}, false, nil
		}
		a := reeve.Actor{ID: "staff/3", Kind: reeve.Staff, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}
		switch c.Value {
		case "architect":
			a.ID, a.Roles = "staff/1", []string{"architect"}
		case "clerk":
			a.ID, a.Roles = "staff/4", []string{"governance"}
		case "stranger": // may decide, and sits on no board
			a.ID, a.Roles = "staff/5", []string{"governance"}
		}
		return a, true, nil
	})
	(&intake.Desk{Desk: register.Desk{Mux: mux, At: h.at}, Keeper: h.keeper, Draft: h.draft,
		Known: func(_ context.Context, a reeve.Actor) []string {
			return map[string][]string{"staff/1": {"post-architect"}, "staff/4": {"clerk@town.example"}, "staff/5": {"post-stranger"}}[a.ID]
		},
		Name: func(_ context.Context, id string) string {
			return map[string]string{"staff/1": "Ada Architect", "staff/3": "Sam Asker"}[id]
		}}).Mount(mux)
	h.site = httptest.NewServer(mux)
	t.Cleanup(h.site.Close)
}

func (h *house) at(ctx context.Context, on def.Date) (*register.Snapshot, error) {
	at, past := h.now, false
	if !on.IsZero() && on != def.DateOf(h.now) {
		at, past = on.AddDays(1).Time(time.UTC).Add(-time.Second), true
	}
	return h.snapshot(ctx, h.set, at, past)
}

func (h *house) snapshot(ctx context.Context, set *def.Set, at time.Time, past bool) (*register.Snapshot, error) {
	m, problems := register.Compile(set)
	if len(problems) > 0 {
		h.Fatal(problems)
	}
	entities, err := h.keeper.Entities(ctx, at)
	if err != nil {
		return nil, err
	}
	s := register.New(register.Parts{Model: m, At: at, Past: past, Entities: entities})
	return s, s.Judge(ctx, gate.Fill)
}

// draft stands in for the editor of definitions: it adds one.
func (h *house) draft(ctx context.Context, kind, id, name string, set map[string]any) (*register.Snapshot, []def.Problem, error) {
	var b strings.Builder
	b.WriteString("apiVersion: reeve/v1\nkind: " + kind + "\nmetadata: {id: " + id + ", name: draft}\nspec:\n")
	for path, v := range set {
		if list, ok := v.([]string); ok {
			v = "[" + strings.Join(list, ", ") + "]"
		}
		if outer, inner, ok := strings.Cut(path, "."); ok && outer != "lifecycle" {
			if outer == "data" {
				continue
			}
			b.WriteString("  " + outer + ": {" + inner + ": " + v.(string) + "}\n")
			continue
		}
		if path == "lifecycle.phase" {
			b.WriteString("  lifecycle: {phase: live}\n")
		}
		if s, ok := v.(string); ok && (path == "hosting" || path == "organisation" || path == "capabilities" || path == "clients") {
			b.WriteString("  " + path + ": " + s + "\n")
		}
	}
	fsys := files(h, more)
	fsys["draft.yaml"] = &fstest.MapFile{Data: []byte(b.String())}
	s, err := h.snapshot(ctx, load(h, fsys), h.now, false)
	return s, nil, err
}

func (h *house) ask(who, method, path string, form url.Values) (int, string, string) {
	h.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequest(method, h.site.URL+path, body)
	if err != nil {
		h.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if who != "" {
		req.AddCookie(&http.Cookie{Name: "who", Value: who})
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		h.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		h.Fatal(err)
	}
	return resp.StatusCode, strings.Join(strings.Fields(string(b)), " "), resp.Header.Get("Location")
}

func (h *house) get(path string, want ...string) string {
	h.Helper()
	status, body, _ := h.ask("asker", "GET", path, nil)
	if status != 200 {
		h.Fatalf("%s: status %d: %.300s", path, status, body)
	}
	for _, w := range want {
		if !strings.Contains(body, w) {
			h.Errorf("%s does not say %q", path, w)
		}
	}
	return body
}

// post sends a form and returns where it leads.
func (h *house) post(who, path string, form url.Values) string {
	h.Helper()
	status, body, to := h.ask(who, "POST", path, form)
	if status != 303 {
		h.Fatalf("%s: status %d: %s", path, status, regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, ""))
	}
	return to
}

// wish is a form that is filled in, with changes.
func wish(change ...string) url.Values {
	v := url.Values{"do": {"send"}, "kind": {"buy"}, "name": {"A rota for the reception desk"}, "description": {"Six receptionists share a paper rota, and nobody sees it from home."}, "sponsor": {"org-digital"},
		"personalData": {"no"}, "sensitive": {"no"}, "publicFacing": {"no"}, "newSupplier": {"no"}, "novelTech": {"no"}, "ai": {"no"}, "sensors": {"no"},
		"users": {"6"}, "annualCost": {"£1,200"}, "hosting": {"saas"}, "signIn": {"oidc"}, "clients": {"browser"}, "api": {"documented"}}
	for i := 0; i+1 < len(change); i += 2 {
		v[change[i]] = strings.Split(change[i+1], "|")
	}
	return v
}

func each(t *testing.T, fn func(t *testing.T, h *house)) {
	storetestEach(t, more, fn)
}

func storetestEach(t *testing.T, defs string, fn func(t *testing.T, h *house)) {
	h := &house{now: start, set: load(t, files(t, defs))}
	storetest.EachClock(t, func() time.Time { return h.now }, func(t *testing.T, db *store.DB) {
		h.now = start
		open(t, db, h)
		fn(t, h)
	})
}

func TestLowRiskIsApprovedAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		to := h.post("asker", "/staff/requests/new", wish())
		if to != "/staff/requests/req-2026-002" { // 001 is declared
			t.Fatal(to)
		}
		h.get(to, "Approved, being bought", "The risk is low", "Reeve, by the rules of triage", "Sam Asker", "No rule asks for more")
		h.get("/staff/requests?show=all", "decided on the same day (median of 1 request)", "A rota for the reception desk")
		var verbs []string
		es, err := h.journal.Read(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			if e.About == "request/req-2026-002" {
				verbs = append(verbs, e.Actor+" "+e.Verb+" "+strings.Join(e.Why, " "))
			}
			if strings.Contains(strings.Join(e.Why, " "), "rota") {
				t.Error("the journal repeats what was written")
			}
		}
		if want := "staff/3 asked request kind/buy review/light;reeve decided request outcome/approved gate/procurement"; strings.Join(verbs, ";") != want {
			t.Errorf("%q", verbs)
		}
	})
}

// TestMissingAnswersNeverMakeItLighter leaves out one answer after the other.
func TestMissingAnswersNeverMakeItLighter(t *testing.T) {
	rules, err := gate.CompileRules(load(t, fstest.MapFS{"x.yaml": {Data: []byte("apiVersion: reeve/v1\nkind: Organisation\nmetadata: {id: org-a}\nspec: {type: council}\n")}}))
	if err != nil {
		t.Fatal(err)
	}
	yes, no, cheap, few := true, false, int64(100), 3
	light := gate.Answers{PersonalData: &no, Sensitive: &no, NewSupplier: &no, AnnualCost: &cheap, PublicFacing: &no, NovelTech: &no, AI: &no, Sensors: &no, Users: &few}
	review := func(kind string, a gate.Answers) string {
		t.Helper()
		tr, err := rules.Triage(t.Context(), kind, a)
		if err != nil {
			t.Fatal(err)
		}
		return tr.Review
	}
	if got := review("buy", light); got != gate.Light {
		t.Fatalf("all answered, nothing risky: %s", got)
	}
	for name, change := range map[string]func(*gate.Answers){
		"personalData": func(a *gate.Answers) { a.PersonalData, a.Sensitive = nil, nil }, "newSupplier": func(a *gate.Answers) { a.NewSupplier = nil },
		"annualCost": func(a *gate.Answers) { a.AnnualCost = nil }, "publicFacing": func(a *gate.Answers) { a.PublicFacing = nil }, "novelTech": func(a *gate.Answers) { a.NovelTech = nil },
		"ai": func(a *gate.Answers) { a.AI = nil }, "sensors": func(a *gate.Answers) { a.Sensors = nil }, "users": func(a *gate.Answers) { a.Users = nil },
	} {
		a := light
		change(&a)
		if got := review("buy", a); got == gate.Light {
			t.Errorf("without %s it is still light", name)
		}
	}
	if got := review("buy", gate.Answers{}); got != gate.Full {
		t.Errorf("nothing answered: %s", got)
	}
	a := light
	a.PersonalData, a.Sensitive = &yes, nil
	if got := review("buy", a); got != gate.Full {
		t.Errorf("personal data that may be sensitive: %s", got)
	}
	if got := review("retire", gate.Answers{PersonalData: &no, PublicFacing: &no, AnnualCost: &cheap, Users: &few}); got != gate.Light {
		t.Errorf("retire asks for what does not matter: %s", got)
	}
}

func TestOwnRulesOfTheBody(t *testing.T) {
	set := load(t, fstest.MapFS{"x.yaml": {Data: []byte("apiVersion: reeve/v1\nkind: TriageRule\nmetadata: {id: tri-a}\nspec: {when: 'answers.annualCost > 5', review: full, reason: Money is scarce.}\n")}})
	rules, err := gate.CompileRules(set)
	if err != nil {
		t.Fatal(err)
	}
	six := int64(6)
	tr, err := rules.Triage(t.Context(), "buy", gate.Answers{AnnualCost: &six})
	if err != nil || tr.Review != gate.Full || len(tr.Reasons) != 1 || tr.Reasons[0].Text != "Money is scarce." {
		t.Error(tr, err)
	}
	for when, want := range map[string]string{"answers.prise > 5": "prise", "answers.users >": "Syntax", "1 + 1": "bool"} {
		_, problems := def.Load(fstest.MapFS{"x.yaml": {Data: []byte("apiVersion: reeve/v1\nkind: TriageRule\nmetadata: {id: tri-a}\nspec: {when: '" + when + "', review: full, reason: x}\n")}}, def.NewRegistry(estate.Kinds()...))
		if len(problems) != 1 || problems[0].Line != 4 {
			t.Errorf("%s: %v, want one problem about %s in line 4", when, problems, want)
		}
	}
}

func TestFullWay(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		to := h.post("asker", "/staff/requests/new", wish("kind", "build", "name", "Assistant for residents", "personalData", "yes", "sensitive", "no", "ai", "yes", "publicFacing", "yes",
			"data", "Questions of residents and *more*", "why", "Answers at any hour", "risks", "It makes things up", "measure", "Policy AI-1"))
		id := strings.TrimPrefix(to, "/staff/requests/")
		h.get(to, "Waits at Discovery", "A machine would decide, write or talk where people are concerned.", "Why a full review", "Technical design authority", "means to decide within 10 days")
		h.get("/staff/requests/emerging", "Assistant for residents", "Artificial intelligence", "It makes things up", "Policy AI-1", "Parking sensors")
		h.get(to+"/dpia", "Step 1: Identify the need for a DPIA", "Step 7: Sign off and record outcomes", "Not known yet.", "Answers at any hour")
		if md := h.get(to + "/dpia.md"); !strings.Contains(md, `\*more\*`) || strings.Contains(md, " *more*") {
			t.Error("what people wrote is read as Markdown")
		}
		decide := func(who string, form url.Values) (int, string) {
			status, body, _ := h.ask(who, "POST", "/staff/boards/board-design/decide", form)
			return status, body
		}
		if status, _ := decide("asker", url.Values{"request": {id}, "outcome": {"approved"}, "reason": {"x"}}); status != 403 {
			t.Errorf("somebody without the role decides: %d", status)
		}
		if status, body := decide("architect", url.Values{"request": {id}, "outcome": {"approved"}}); status != 400 || !strings.Contains(body, `href="#reason"`) {
			t.Errorf("a decision without a reason: %d", status)
		}
		if status, body := decide("architect", url.Values{"request": {"req-nothing"}, "outcome": {"approved"}, "reason": {"x"}}); status != 400 || !strings.Contains(body, "on the agenda") {
			t.Errorf("a decision about nothing: %d", status)
		}
		h.now = h.now.Add(4 * 24 * time.Hour)
		if status, _ := decide("architect", url.Values{"request": {id}, "outcome": {"more-needed"}, "reason": {"Which supplier?"}, "minutes": {"20"}}); status != 303 {
			t.Fatal(status)
		}
		h.get(to, "Which supplier?", "Your answer", "Waits for an answer of whoever asked")
		if status, _ := decide("architect", url.Values{"request": {id}, "outcome": {"approved"}, "reason": {"x"}}); status != 400 {
			t.Errorf("decided while an answer is awaited: %d", status)
		}
		if status, _, _ := h.ask("architect", "POST", to+"/decide", url.Values{"outcome": {"approved"}, "reason": {"x"}, "gate": {"discovery"}}); status != 400 {
			t.Errorf("decided on its own page while an answer is awaited: %d", status)
		}
		h.post("asker", to+"/answer", url.Values{"reason": {"None: our own."}})
		// It is open in discovery again, as it was before anybody asked; then nothing was decided.
		then, err := h.keeper.All(t.Context(), h.set, h.now.Add(-3*24*time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range then {
			if x.ID == id && (x.Spec.Decided != nil || x.State != gate.Open || len(x.Steps) != 1) {
				t.Errorf("the day before it was decided: %+v, %s, %d steps", x.Spec.Decided, x.State, len(x.Steps))
			}
		}
		for _, gate := range []string{"discovery", "design", "standards"} {
			h.now = h.now.Add(24 * time.Hour)
			if status, body := decide("architect", url.Values{"request": {id}, "outcome": {"approved"}, "reason": {"Good at " + gate}, "minutes": {"20"}}); status != 303 {
				t.Fatalf("%s: %d %s", gate, status, body)
			}
		}
		h.get(to, "Approved, being put into use", "Good at standards", "Ada Architect")
		h.get("/staff/boards/board-design", "Good at design", "Which supplier?", "100%", "Homes to choose, again", "£50")
		h.get("/staff/boards", "£50", "Design")
		// It goes live, and is compared with what was expected ninety days later.
		h.post("architect", to+"/decide", url.Values{"outcome": {"approved"}, "reason": {"It is live."}, "gate": {"live"}})
		h.get(to, "It is compared on")
		if body := h.get("/staff/requests"); strings.Contains(body, `#compared">Assistant`) {
			t.Error("compared too soon")
		}
		h.now = h.now.Add(90 * 24 * time.Hour)
		h.get("/staff/requests", `#compared">Assistant for residents`)
		h.post("asker", to+"/check", url.Values{"reason": {"Half as many as we thought."}})
		h.get(to, "Live, and compared with what was expected", "Half as many as we thought.")
		// As it was before: nothing decided.
		h.get("/staff/requests/"+id+"?on=2026-11-03", "Waits at Discovery", "as it was at the end of 3 November 2026")
		if status, _, _ := h.ask("asker", "GET", "/staff/requests/"+id+"?on=2026-11-01", nil); status != 404 {
			t.Error("it was there before it was asked for")
		}
	})
}

func TestFactsAndComparison(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		s, err := h.at(t.Context(), def.Date{})
		if err != nil {
			t.Fatal(err)
		}
		tab := s.Tables.Of("IntakeRequest")
		i := tab.Find("req-2026-001")
		facts := tab.Facts(i)
		for name, want := range map[string]any{"daysInGate": int64(154), "gateTargetDays": int64(10), "pilotAgeDays": int64(154), "pilotOverdue": true, "touchesSensitive": false} {
			if facts[name] != want {
				t.Errorf("%s: %v, want %v", name, facts[name], want)
			}
		}
		h.get("/staff/requests/req-2026-001", "The pilot is past its last day", "declared in the definitions")
		h.get("/staff/requests?show=overdue", "Parking sensors", "1 request")
		h.get("/staff/requests/req-2025-009", "Did it do what we expected?", "£20,000", "31", "30")
		if tab.Find("req-2025-009") < 0 || tab.Facts(tab.Find("req-2025-009"))["daysInGate"] != nil {
			t.Error("what is closed waits at no gate")
		}
		if b := s.Tables.Of("Board"); len(b.Facts(0)) != 0 {
			t.Error("a board without decisions has figures", b.Facts(0))
		}
		h.post("asker", "/staff/requests/new", wish("sensitive", "yes", "personalData", "yes"))
		if s, err = h.at(t.Context(), def.Date{}); err != nil {
			t.Fatal(err)
		}
		tab = s.Tables.Of("IntakeRequest")
		if i = tab.Find("req-2026-002"); i < 0 || tab.Facts(i)["touchesSensitive"] != true || tab.Facts(i)["daysInGate"] != int64(0) {
			t.Error("a request from the page is not in the table", i)
		}
	})
}

func TestPilots(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		for want, change := range map[string][]string{
			"Enter the last day of the pilot": {}, "must be a real date": {"ends-day", "31", "ends-month", "2", "ends-year", "2027"},
			"must be in the future": {"ends-day", "1", "ends-month", "2", "ends-year", "2026"}, "up to 2 November 2027": {"ends-day", "3", "ends-month", "11", "ends-year", "2027"},
			"may not use sensitive data": {"ends-day", "3", "ends-month", "11", "ends-year", "2026", "sensitive", "yes"},
		} {
			status, body, _ := h.ask("asker", "POST", "/staff/requests/new", wish(append(change, "kind", "pilot")...))
			if status != 400 || !strings.Contains(body, want) {
				t.Errorf("%s: %d", want, status)
			}
		}
		to := h.post("asker", "/staff/requests/new", wish("kind", "pilot", "ends-day", "1", "ends-month", "12", "ends-year", "2026"))
		h.post("asker", to+"/environment", url.Values{})
		if n, err := h.keeper.Step(t.Context()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		dir := filepath.Join(h.dir, "pilots", filepath.Base(to))
		readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
		if err != nil || !strings.Contains(string(readme), "reeve serve --definitions "+dir+"/body") {
			t.Error(string(readme), err)
		}
		if n, err := h.keeper.Step(t.Context()); n != 0 || err != nil {
			t.Error("made twice", n, err)
		}
		h.get(to, "Being tried out", dir, "1 December 2026")
		h.now = time.Date(2026, 12, 1, 23, 0, 0, 0, time.UTC)
		if n, err := h.keeper.Step(t.Context()); n != 0 || err != nil {
			t.Error("closed on its last day", n, err)
		}
		h.now = time.Date(2026, 12, 2, 1, 0, 0, 0, time.UTC)
		if n, err := h.keeper.Step(t.Context()); n != 1 || err != nil {
			t.Error(n, err)
		}
		if _, err := os.Stat(filepath.Join(dir, "body")); err == nil {
			t.Error("the environment is still there after the last day")
		}
		h.get(to, "The pilot is past its last day", "was closed")
		if n, err := h.keeper.Step(t.Context()); n != 0 || err != nil {
			t.Error(n, err)
		}
	})
}

func TestForm(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		status, body, _ := h.ask("asker", "POST", "/staff/requests/new", url.Values{})
		for _, field := range []string{"kind", "name", "description", "sponsor"} {
			if !strings.Contains(body, `href="#`+field+`"`) || !strings.Contains(body, `id="`+field+`"`) {
				t.Errorf("%d: the error of %s does not lead to it", status, field)
			}
		}
		// What we have is shown on demand, and while somebody types.
		look := wish("do", "look", "name", "Book a room", "description", "Staff want to book meeting rooms online", "capability", "cap-booking")
		status, body, _ = h.ask("asker", "POST", "/staff/requests/new", look)
		if status != 200 || !strings.Contains(body, "We may have this already") || !strings.Contains(body, "Book it") || !strings.Contains(body, "Shared system") || strings.Contains(body, "There is a problem") {
			t.Errorf("%d: nothing was found that books", status)
		}
		if i, j := strings.Index(body, ">Book it<"), strings.Index(body, ">Library management<"); j >= 0 && j < i {
			t.Error("what was chosen for everybody does not come first")
		}
		status, body, _ = h.ask("asker", "GET", "/staff/requests/similar?name=parking+permits", nil)
		if status != 200 || strings.Contains(body, "<html") || !strings.Contains(body, "Parking") || !strings.Contains(body, "Request</strong>") {
			t.Errorf("%d %s", status, body)
		}
		// A draft is held to the same standards.
		status, body, _ = h.ask("asker", "POST", "/staff/requests/new", wish("do", "look", "hosting", "on-premise", "capability", "cap-booking"))
		if status != 200 || !strings.Contains(body, "It does not run in the cloud") || !strings.Contains(body, "Uses what is shared") {
			t.Errorf("%d: %s", status, body)
		}
		to := h.post("asker", "/staff/requests/new", wish("hosting", "on-premise"))
		h.get(to, "In the cloud", "Waits at Standards", "did not meet")
		if body := h.get(to); strings.Contains(body, "Approved") {
			t.Error("approved by a rule although it fails a standard")
		}
		h.post("asker", to+"/withdraw", url.Values{"reason": {"We use paper."}})
		h.get(to, "Withdrawn", "We use paper.")
		// Others' requests are not theirs to withdraw.
		to = h.post("architect", "/staff/requests/new", wish("personalData", "yes"))
		if status, _, _ := h.ask("asker", "POST", to+"/withdraw", url.Values{"reason": {"x"}}); status != 403 {
			t.Error(status)
		}
		if status, _, _ := h.ask("", "GET", "/staff/requests", nil); status != 401 {
			t.Error("a stranger sees requests", status)
		}
	})
}

// TestDecidedTwice has two people decide about the same page.
func TestDecidedTwice(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		form := url.Values{"outcome": {"approved"}, "reason": {"Tried enough."}, "gate": {"discovery"}}
		h.post("architect", "/staff/requests/req-2026-001/decide", form)
		status, body, _ := h.ask("architect", "POST", "/staff/requests/req-2026-001/decide", form)
		if status != 400 || !strings.Contains(body, "decided this meanwhile") {
			t.Error(status, body)
		}
		h.get("/staff/requests/req-2026-001", "Waits at Standards", "Tried enough.")
		h.get("/staff/boards/board-design", "Tried enough.", "154 days")
	})
}

func TestPages(t *testing.T) {
	c := webtest.Browser(t)
	h := &house{now: start, set: load(t, files(t, more))}
	open(t, storetest.Open(t, func() time.Time { return h.now }), h)
	full := h.post("asker", "/staff/requests/new", wish("kind", "build", "name", "Assistant for residents", "personalData", "yes", "ai", "yes", "publicFacing", "yes", "risks", "It makes things up"))
	h.post("asker", "/staff/requests/new", wish())
	pilot := h.post("asker", "/staff/requests/new", wish("kind", "pilot", "name", "Try a booking kiosk", "ends-day", "1", "ends-month", "12", "ends-year", "2026"))
	h.post("asker", pilot+"/environment", url.Values{})
	h.now = h.now.Add(50 * time.Hour)
	h.post("architect", "/staff/boards/board-design/decide", url.Values{"request": {filepath.Base(full)}, "outcome": {"more-needed"}, "reason": {"Which supplier?"}, "minutes": {"20"}})
	who := []*http.Cookie{{Name: "who", Value: "architect"}}
	for name, path := range map[string]string{
		"requests": "/staff/requests", "request-new": "/staff/requests/new?name=Book+a+room", "request-full": full, "request-pilot": pilot, "request-declared": "/staff/requests/req-2025-009",
		"emerging": "/staff/requests/emerging", "dpia": full + "/dpia", "boards": "/staff/boards", "board": "/staff/boards/board-design",
	} {
		c.Check(t, name, webtest.Visit{URL: h.site.URL + path, Cookies: who}, 200)
	}
}

// TestNobodyDecidesAboutTheirOwn has people decide who may not: about what they
// asked for, about what is in their name, for a board on which they do not sit.
func TestNobodyDecidesAboutTheirOwn(t *testing.T) {
	defs := more + `
---
apiVersion: reeve/v1
kind: IntakeRequest
metadata: {id: req-2026-000, name: In the name of the architect}
spec: {kind: buy, owner: post-architect, gate: {at: design, entered: 2026-10-01}, review: full}
`
	storetestEach(t, defs, func(t *testing.T, h *house) {
		own := h.post("architect", "/staff/requests/new", wish("ai", "yes"))
		id := filepath.Base(own)
		yes := func(request string) url.Values {
			return url.Values{"request": {request}, "outcome": {"approved"}, "reason": {"I like it."}}
		}
		const board = "/staff/boards/board-design"
		for _, x := range []struct{ who, request, says string }{
			{"architect", id, "You asked for this yourself, or it is in your name: somebody else decides about it."},
			{"architect", "req-2026-000", "it is in your name"},
			{"stranger", id, "Only its members write down what Technical design authority decides, and you are not one of them."},
		} {
			for _, at := range []string{board + "/decide", "/staff/requests/" + x.request + "/decide"} {
				if status, body, _ := h.ask(x.who, "POST", at, yes(x.request)); status != 403 || !strings.Contains(body, x.says) {
					t.Errorf("%s about %s at %s: %d", x.who, x.request, at, status)
				}
			}
			if _, body, _ := h.ask(x.who, "GET", "/staff/requests/"+x.request, nil); !strings.Contains(body, x.says) || strings.Contains(body, "Record the decision") {
				t.Errorf("the page of %s does not tell %s why they may not decide", x.request, x.who)
			}
		}
		if _, body, _ := h.ask("architect", "GET", board, nil); !strings.Contains(body, "another member decides about it") || strings.Contains(body, `value="`+id+`"`) {
			t.Error("the board offers somebody's own request for a decision")
		}
		if _, body, _ := h.ask("stranger", "GET", board, nil); !strings.Contains(body, "you are not one of them") || strings.Contains(body, "Record the decision") {
			t.Error("the board's form is there for somebody who does not sit on it")
		}
		all, err := h.keeper.All(t.Context(), h.set, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range all {
			if x.ID == id && (x.State != gate.Open || len(x.Steps) != 1) {
				t.Errorf("a refused decision did something: %s, %d steps", x.Gate(), len(x.Steps))
			}
		}
		h.post("clerk", board+"/decide", yes(id)) // the secretary writes it down
		var refused []string
		es, err := h.journal.Read(t.Context(), 0, 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range es {
			if e.Verb == "was refused deciding request" {
				refused = append(refused, e.Actor+" "+string(e.About)+" "+e.Why[0])
			}
		}
		if len(refused) != 6 || refused[0] != "staff/1 request/"+id+" own-request" || refused[5] != "staff/5 request/"+id+" not-a-member" {
			t.Errorf("the journal has %q", refused)
		}
	})
}
