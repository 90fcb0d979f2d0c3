package atlas_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/reeve-civic/reeve"
	"github.com/reeve-civic/reeve/internal/estate/atlas"
	"github.com/reeve-civic/reeve/internal/estate/estatetest"
	"github.com/reeve-civic/reeve/internal/estate/register"
	"github.com/reeve-civic/reeve/internal/kernel/def"
	"github.com/reeve-civic/reeve/internal/kernel/policy"
	"github.com/reeve-civic/reeve/internal/kernel/web"
	"github.com/reeve-civic/reeve/internal/kernel/web/webtest"
)

// site serves the map of an estate to an architect.
func site(t testing.TB, s *register.Snapshot) (*httptest.Server, *web.Mux) {
	t.Helper()
	p, err := policy.New(policy.Rule{Name: "estate", Actions: []string{register.Read}, Kinds: []reeve.ActorKind{reeve.Staff}, Max: reeve.Internal, Doc: "staff see the estate"})
	if err != nil {
		t.Fatal(err)
	}
	mux := web.New(web.Options{Policy: p, Now: func() time.Time { return estatetest.Today }, Log: slog.New(slog.DiscardHandler), Body: "The Borough"})
	mux.Authenticate(func(*http.Request) (reeve.Actor, bool, error) {
		return reeve.Actor{ID: "staff/3", Kind: reeve.Staff, Assurance: reeve.Assurance{Identity: 2, Authentication: 1}}, true, nil
	})
	(&atlas.Desk{Desk: register.Desk{Mux: mux, At: func(context.Context, def.Date) (*register.Snapshot, error) { return s, nil }}}).Mount(mux)
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv, mux
}

func get(t testing.TB, address string) (int, string) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestPages asks for every level, with every filter, and checks that drawings are
// well formed and never too full.
func TestPages(t *testing.T) {
	for _, n := range []int{5, 60, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			snap := estatetest.Large.Over(10_000 / n).Snapshot(t)
			srv, _ := site(t, snap)
			for _, q := range []string{"", "by=organisation", "by=system", "by=system&state=carried", "at=capability/cap-r0", "at=capability/cap-1", "at=organisation/org-d0", "at=organisation/org-s0", "at=organisation/org-body", "at=system/sys-0", "at=interface/if-0",
				"at=flow/flow-1", "at=record/rec-death.v1", "at=contract/con-0", "at=component/com-0", "at=site/site-0", "at=capability/cap-r0&with=capability/cap-r1", "at=system/sys-0&show=depends", "at=system/sys-0&show=stops",
				"at=organisation/org-s0&show=stops", "at=record/rec-death.v1&show=depends", "at=interface/if-0&show=depends", "at=flow/flow-1&show=stops", "at=site/site-0&show=stops", "at=component/com-0&show=stops", "at=capability/cap-r0&show=stops",
				"hosting=saas", "phase=in-use", "class=restricted", "state=silent", "state=undeclared", "record=rec-death.v1", "supplier=org-s0", "organisation=org-d0", "capability=cap-r0", "q=council", "result=fail", "q=%22%3E%3Cscript%3E", "state=nonsense"} {
				status, body := get(t, srv.URL+"/staff/estate/map?"+q)
				if status != http.StatusOK || strings.Contains(body, "><script>") {
					t.Errorf("%s: status %d", q, status)
				}
				if n := strings.Count(body, `class="system"`); n > atlas.MaxNodes {
					t.Errorf("%s: %d boxes", q, n)
				}
				status, body = get(t, srv.URL+"/staff/estate/map.svg?"+q)
				if status != http.StatusOK {
					t.Errorf("svg of %s: status %d", q, status)
				}
				wellFormed(t, q, body)
			}
			for _, q := range []string{"at=system/sys-none", "at=nothing/x", "at=flow/x", "at=interface/x", "at=record/x"} {
				if status, _ := get(t, srv.URL+"/staff/estate/map?"+q); status != http.StatusNotFound {
					t.Errorf("%s: status %d", q, status)
				}
			}
		})
	}
}

func wellFormed(t *testing.T, name, svg string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		tok, err := d.Token()
		if err == io.EOF {
			return
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "a" {
			t.Fatalf("%s: a file has links to nowhere", name)
		}
	}
}

// TestNumbersAddUp checks that what a drawing shows is what there is: every flow
// once, at every level.
func TestNumbersAddUp(t *testing.T) {
	snap := estatetest.Large.Over(50).Snapshot(t)
	x := atlas.NewIndex(snap)
	want := len(snap.Flows) + len(snap.Undeclared)
	for _, q := range []atlas.Query{{}, {By: atlas.AtOrganisation}, {By: atlas.AtSystem}} {
		v, err := x.View(q)
		if err != nil {
			t.Fatal(err)
		}
		inside, lines := 0, 0
		for _, b := range v.Boxes {
			inside += b.Within
		}
		for _, l := range v.Lines {
			lines += l.Total()
		}
		if v.Sum.Total() != want || inside+lines != want {
			t.Errorf("%+v: %d flows, %d inside and %d between, want %d", q, v.Sum.Total(), inside, lines, want)
		}
		systems := 0
		for _, b := range v.Boxes {
			systems += b.Systems
		}
		if systems+v.Idle < len(snap.Systems) {
			t.Errorf("%+v: %d systems, want %d", q, systems, len(snap.Systems))
		}
	}
	byState := 0
	for _, s := range atlas.States {
		v, err := x.View(atlas.Query{State: s})
		if err != nil {
			t.Fatal(err)
		}
		byState += v.Sum.Total()
	}
	if byState != want {
		t.Errorf("%d flows by state, want %d", byState, want)
	}
	for _, s := range snap.Systems[:20] {
		v, err := x.View(atlas.Query{At: atlas.Place{Kind: atlas.AtSystem, ID: s.ID}})
		if err != nil {
			t.Fatal(err)
		}
		loose := 0
		for _, u := range snap.Undeclared {
			if u.System == s.ID {
				loose++
			}
		}
		if n := len(snap.FlowsOf(s.ID)) + loose; v.Sum.Total() != n {
			t.Errorf("%s: %d flows, want %d", s.ID, v.Sum.Total(), n)
		}
	}
}

// TestWhatGoesOnNow looks at the map system by system: each flow that Reeve carries
// says how much it delivered, and what is held at the door is counted once, at the
// system that sent it, however many flows wait for it.
func TestWhatGoesOnNow(t *testing.T) {
	snap := estatetest.Large.Over(500).Snapshot(t)
	now := snap.At
	flow := func(id, to string, seen register.FlowSeen) register.Flow {
		return register.Flow{ID: id, Name: id, From: "sys-0", To: to, Record: "rec-death.v1", Via: "exchange", Seen: &seen}
	}
	snap.Flows = []register.Flow{
		flow("flow-a", "sys-1", register.FlowSeen{Delivered: 1234, Held: 3, Last: now.Add(-time.Hour)}),
		flow("flow-b", "sys-2", register.FlowSeen{Delivered: 7, Waiting: 2, Last: now.Add(-72 * time.Hour), Quiet: true, Why: "the agreement has ended"}),
		{ID: "flow-c", From: "sys-3", To: "sys-4", Record: "rec-death.v1", Via: "manual"},
	}
	snap.Undeclared = []register.Sent{{Organisation: "org-d0", Record: "rec-person.v1", Records: 9, Last: now}}
	snap.Held = []register.Sent{{System: "sys-0", Record: "rec-death.v1", Records: 5, Last: now}}
	v, err := atlas.NewIndex(snap).View(atlas.Live)
	if err != nil {
		t.Fatal(err)
	}
	if len(v.Lines) != 3 || v.Idle != len(snap.Systems)-3 {
		t.Errorf("%d lines, %d systems without one", len(v.Lines), v.Idle)
	}
	svg := v.Draw(true)
	for _, want := range []string{"1,234 delivered, 3 held, 1 hour ago", "7 delivered, 3 days ago", ", silent", "9 seen, just now", "5 held, to be corrected"} {
		if strings.Count(svg, want) == 0 {
			t.Errorf("the drawing lacks %q", want)
		}
	}
	if n := strings.Count(svg, ">5 held, to be corrected"); n != 1 {
		t.Errorf("what is held at the door is drawn %d times", n)
	}
	srv, _ := site(t, snap)
	for q, want := range map[string][]string{
		"?by=system&state=carried": {"1,234 delivered, 3 held, last 1 hour ago", "7 delivered, 2 waiting, silent since 3 days ago; the agreement has ended", "Seen, but not declared", `aria-current="true"`},
		"?at=flow/flow-b":          {"5, to be corrected", "/staff/held"},
		"?at=record/rec-death.v1":  {"5, to be corrected"},
		"?at=system/sys-0":         {"5, to be corrected"},
		"?at=system/sys-1":         {"Held at the door"},
	} {
		_, body := get(t, srv.URL+"/staff/estate/map"+q)
		for _, s := range want {
			if !strings.Contains(body, s) {
				t.Errorf("%s lacks %q", q, s)
			}
		}
	}
	resp, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get(srv.URL + "/staff/map")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusMovedPermanently || resp.Header.Get("Location") != atlas.Live.Href() {
		t.Errorf("the short way leads with %d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// TestCoverage holds the sentence to its numbers.
func TestCoverage(t *testing.T) {
	for want, c := range map[string]atlas.Count{
		"No flow is declared or seen here.": {},
		"34 of 41 flows are carried by Reeve: 34 were seen. 7 happen elsewhere and cannot be seen.":                             {Seen: 34, Elsewhere: 7},
		"3 of 3 flows are carried by Reeve: 1 was seen, 2 are silent. 1 more is seen that nobody declared.":                     {Seen: 1, Silent: 2, Undeclared: 1},
		"None of 1 flow is carried by Reeve, so nobody can say from here whether they happen.":                                  {Elsewhere: 1},
		"2 of 3 flows are carried by Reeve. What was observed on that day is not kept. 1 happens elsewhere and cannot be seen.": {Unwatched: 2, Elsewhere: 1},
		"1 of 1 flow is carried by Reeve: 1 was seen.":                                                                          {Seen: 1},
	} {
		if got := c.Coverage(); got != want {
			t.Errorf("%+v:\n%s\nwant\n%s", c, got, want)
		}
	}
}

// TestTheSameMapIsDrawnTheSame draws twice.
func TestTheSameMapIsDrawnTheSame(t *testing.T) {
	snap := estatetest.Large.Over(50).Snapshot(t)
	for _, q := range []atlas.Query{{}, {At: atlas.Place{Kind: atlas.AtCapability, ID: "cap-r0"}}, {At: atlas.Place{Kind: atlas.AtSystem, ID: "sys-1"}}} {
		var last string
		for range 3 {
			v, err := atlas.NewIndex(snap).View(q)
			if err != nil {
				t.Fatal(err)
			}
			svg := v.Draw(true)
			if last != "" && svg != last {
				t.Fatalf("%+v: drawn differently", q)
			}
			last = svg
		}
	}
}

// TestPagesInABrowser looks at the levels on a phone, on a desk and without scripts.
func TestPagesInABrowser(t *testing.T) {
	srv, mux := site(t, estatetest.Large.Over(100).Snapshot(t))
	if err := mux.Assets(); err != nil {
		t.Skip(err)
	}
	b := webtest.Browser(t)
	for name, q := range map[string]string{"map": "", "map-live": "by=system&state=carried", "map-capability": "at=capability/cap-r1", "map-system": "at=system/sys-0", "map-flow": "at=flow/flow-1", "map-stops": "at=system/sys-0&show=stops", "map-organisation": "by=organisation&hosting=saas", "map-depends": "at=record/rec-death.v1&show=depends"} {
		b.Check(t, name, webtest.Visit{URL: srv.URL + "/staff/estate/map?" + q}, http.StatusOK)
	}
}

// BenchmarkMap makes the map of one capability, its drawing and all, at the size
// for which 100 ms are promised.
func BenchmarkMap(b *testing.B) {
	snap := estatetest.Large.Snapshot(b)
	b.Run("index", func(b *testing.B) {
		for b.Loop() {
			atlas.NewIndex(snap)
		}
	})
	srv, mux := site(b, snap)
	get(b, srv.URL+"/staff/estate/map")
	for name, q := range map[string]string{"whole": "", "capability": "at=capability/cap-0", "branch": "at=capability/cap-r0", "system": "at=system/sys-0", "depends": "at=system/sys-0&show=depends", "filtered": "hosting=saas&result=fail"} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest(http.MethodGet, "/staff/estate/map?"+q, nil)
			for b.Loop() {
				w := httptest.NewRecorder()
				mux.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Code)
				}
			}
		})
	}
}
