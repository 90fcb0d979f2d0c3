package reader_test

import (
	"context"
	"html"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
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
	"github.com/reeve-civic/reeve/internal/estate/reader"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

var now = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// demo is the estate of the demo.
func demo(t testing.TB) fstest.MapFS {
	t.Helper()
	const root = "../../../demo/body"
	out := fstest.MapFS{}
	for _, pattern := range []string{"organisations.yaml", "capabilities.yaml", "contracts.yaml", "standards.yaml", "waivers.yaml", "systems/*.yaml", "estate/services.yaml", "estate/boards.yaml", "estate/requests.yaml"} {
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

func site(t testing.TB, today, earlier fstest.MapFS) *httptest.Server {
	t.Helper()
	at := func(ctx context.Context, on def.Date) (*register.Snapshot, error) {
		fsys, when, past := today, now, false
		if !on.IsZero() && on != def.DateOf(now) {
			if earlier == nil {
				return nil, reeve.E(reeve.NotFound, "test", "nothing was known then")
			}
			fsys, when, past = earlier, on.Time(time.UTC), true
		}
		set, problems := def.Load(fsys, def.NewRegistry(estate.Kinds()...))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		m, problems := register.Compile(set)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		s := register.New(register.Parts{Model: m, At: when, Past: past})
		return s, s.Judge(ctx, gate.Fill)
	}
	p, err := policy.New(policy.Rule{Name: "estate", Actions: []string{"estate.read"}, Kinds: []reeve.ActorKind{reeve.Anyone}})
	if err != nil {
		t.Fatal(err)
	}
	mux := web.New(web.Options{Policy: p, Now: func() time.Time { return now }, Log: slog.New(slog.DiscardHandler), Body: "Ashcombe Borough Council"})
	(&reader.Desk{Desk: register.Desk{Mux: mux, At: at}, Cards: func(_ context.Context, _ *register.Snapshot, who string) ([]reader.Card, error) {
		if who != "cio" {
			return nil, nil
		}
		return []reader.Card{{Question: "What do others ask?", Answer: "This"}}, nil
	}}).Mount(mux)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

var tags = regexp.MustCompile(`<[^>]*>`)

func get(t testing.TB, address string) (int, string) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, main, _ := strings.Cut(string(b), "<main")
	main, _, _ = strings.Cut(main, "reeve-sections")
	return resp.StatusCode, html.UnescapeString(strings.Join(strings.Fields(tags.ReplaceAllString(main, " ")), " "))
}

func TestReaders(t *testing.T) {
	s := site(t, demo(t), nil)
	for who, want := range map[string][]string{
		"architect": {"What do we have?", "systems in use", "What do we not know?", "Most of all"},
		"cio":       {"What does it cost a year?", "At least £", "contracts have no cost|nobody has said what it costs", "What do others ask?", "requests"},
		"security":  {"Where is sensitive data?", "Where is sign-in too weak?", "No list of exploited vulnerabilities was matched", "No list of devices was imported yet", "Where do we try what is new? 2 requests"},
		"owner":     {"What do we offer? 36 services", "27 of them for residents", "services rest on it"},
		"member":    {"What do we spend on technology?", "At least about £3.3 million a year", "We cannot say yet", "24 of 27 services", "requests wait for an answer"},
	} {
		status, body := get(t, s.URL+"/staff/estate/for/"+who)
		if status != 200 {
			t.Errorf("%s: %d", who, status)
		}
		for _, w := range want {
			ok := false
			for _, either := range strings.Split(w, "|") {
				ok = ok || strings.Contains(body, either)
			}
			if !ok {
				t.Errorf("%s does not say %q: %s", who, w, body)
			}
		}
	}
	if status, _ := get(t, s.URL+"/staff/estate/for/nobody"); status != 404 {
		t.Error(status)
	}
	if _, body := get(t, s.URL+"/staff/estate/for/owner?owner=post-waste-manager"); !strings.Contains(body, "What do we offer? 5 services") {
		t.Error(body)
	}
}

// TestNoJargonForMembers holds the page of those whom people elected to words that
// people use.
func TestNoJargonForMembers(t *testing.T) {
	_, body := get(t, site(t, demo(t), demo(t)).URL+"/staff/estate/for/member")
	for _, word := range []string{"flow", "interface", "SaaS", "capabilit", "component", "lifecycle", "API", "estate", "waiver", "authn", "KEV", "deput", "must is", "standard"} {
		if regexp.MustCompile(`(?i)\b` + word).MatchString(strings.Replace(body, "Estate Where to begin", "", 1)) {
			t.Errorf("it says %q: %s", word, body)
		}
	}
}

func TestBetterAndWorse(t *testing.T) {
	today, earlier := demo(t), demo(t)
	for name, f := range earlier { // a quarter ago nothing could be connected
		if strings.HasPrefix(name, "systems/") {
			earlier[name] = &fstest.MapFile{Data: []byte(strings.ReplaceAll(string(f.Data), "hosting: saas", "hosting: on-premise"))}
		}
	}
	if _, body := get(t, site(t, today, earlier).URL+"/staff/estate/for/member"); !strings.Contains(body, "better or worse? Better Three months ago we broke our own rules") {
		t.Error(body)
	}
	if _, body := get(t, site(t, earlier, today).URL+"/staff/estate/for/member"); !strings.Contains(body, "better or worse? Worse We break our own rules") {
		t.Error(body)
	}
	delete(today, "waivers.yaml") // some end in between
	if _, body := get(t, site(t, today, today).URL+"/staff/estate/for/member"); !strings.Contains(body, "better or worse? The same") {
		t.Error(body)
	}
}

func TestMoneyInPlainWords(t *testing.T) {
	for m, want := range map[register.Money]string{332_673_300: "about £3.3 million", 41_249_900: "about £412,000", 999_950: "£9,999", 50: "£0"} {
		if got := reader.Plain(m); got != want {
			t.Errorf("%d: %s, want %s", m, got, want)
		}
	}
}

func TestPages(t *testing.T) {
	c := webtest.Browser(t)
	s := site(t, demo(t), demo(t))
	for _, r := range reader.Readers {
		c.Check(t, "for-"+r.ID, webtest.Visit{URL: s.URL + "/staff/estate/for/" + r.ID}, 200)
	}
	c.Check(t, "for", webtest.Visit{URL: s.URL + "/staff/estate/for"}, 200)
}
